"""A checkout of this project in which a test runs commands."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML


class Project:
    """A checkout in which commands run as in an activated environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the checkout; `output` of a failure is shown by pytest."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        # git sets these when the tests run inside a hook of its own.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC_"))}
        environment |= {"PATH": path, "DVC_NO_ANALYTICS": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b.c"}
        environment |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b.c"}
        done = subprocess.run(
            command,
            check=False,
            cwd=self.folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}"
        return done

    def dvc(self, *arguments: str, check: bool = True) -> str:
        return self.run("dvc", *arguments, check=check).stdout

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def read(self, file: str) -> str:
        return (self.folder / file).read_text(encoding="utf-8")

    def set(self, changes: dict[str, Any]) -> None:
        """Change parameters, given as dotted key: value, in params.yaml."""
        yaml = YAML()
        file = self.folder / "params.yaml"
        params = yaml.load(file)
        for key, value in changes.items():
            *sections, name = key.split(".")
            section = params
            for part in sections:
                section = section[part]
            section[name] = value
        yaml.dump(params, file)
