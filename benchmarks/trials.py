"""A clone of the repository, in which benchmarks try parameters without touching the user's files."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from ruamel.yaml import YAML

from sentiment.core.errors import UserError

LOCAL_CONFIG = Path(".dvc/config.local")
"""Where the user says how the cache is shared and linked."""


class Clone:
    """The pipeline as committed, with the user's DVC cache and the user's folder of checkpoints."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"SENTIMENT_CHECKPOINT_DIR": str(Path("checkpoints").absolute())}

    def set(self, overrides: dict[str, Any]) -> None:
        """Write the user's params.yaml with the overrides, given as dotted key: value, into the clone."""
        yaml = YAML()
        params = yaml.load(Path("params.yaml"))
        for key, value in overrides.items():
            *sections, name = key.split(".")
            section = params
            for part in sections:
                section = section[part]
            section[name] = value
        yaml.dump(params, self.folder / "params.yaml")

    def reproduce(self, *stages: str) -> None:
        """Run the stages, and what they need, unless the cache has their outputs.

        An interruption waits until an interrupted training has saved its checkpoint.
        """
        command = ["dvc", "repro", "--quiet", *stages]
        process = subprocess.Popen(command, cwd=self.folder, env=self.environment, start_new_session=True)
        try:
            failed = process.wait()
        except KeyboardInterrupt:
            # To all of its processes, as DVC itself ignores it while a stage runs.
            os.killpg(process.pid, signal.SIGINT)
            process.wait()
            raise
        if failed:
            raise subprocess.CalledProcessError(failed, command)

    def read(self, path: str) -> Any:
        """Return the content of one of the clone's JSON files."""
        return json.loads((self.folder / path).read_text(encoding="utf-8"))


@contextmanager
def temporary_clone(output: IO[str] | None = None) -> Iterator[Clone]:
    """Yield a clone of the current folder's repository, with its DVC cache, which is removed afterwards.

    What git and DVC say goes into `output`, else to the terminal.
    """
    asked = subprocess.run(["dvc", "cache", "dir"], stdout=subprocess.PIPE, stderr=output, text=True, check=True)
    cache = asked.stdout.strip()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "clone"
        subprocess.run(["git", "clone", "--quiet", ".", str(folder)], stdout=output, stderr=output, check=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(LOCAL_CONFIG, folder / LOCAL_CONFIG)
        subprocess.run(["dvc", "cache", "dir", "--local", cache], cwd=folder, stdout=output, stderr=output, check=True)
        for key in ("user.name", "user.email"):
            # Experiments are commits; a clone has the user's own identity, but not that of the repository.
            value = subprocess.run(["git", "config", key], capture_output=True, text=True, check=False).stdout.strip()
            if value:
                subprocess.run(["git", "config", key, value], cwd=folder, check=True)
        yield Clone(folder)


def choose(known: dict[str, Any], names: list[str], file: Path) -> dict[str, Any]:
    """Return the named trials of those in the file, all if none is named; raise UserError if one is unknown."""
    if unknown := [name for name in names if name not in known]:
        raise UserError(f"{', '.join(unknown)}: no such trial in {file}, which has {', '.join(known)}")
    return {name: known[name] for name in names or known}
