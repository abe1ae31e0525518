"""A checkout of this project in which a test runs commands."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]

SMALL = {
    "threads": 1,
    "cross_datasets": ["books"],
    "subsample.train_size": 200,
    "subsample.test_size": 100,
    "cross_dataset_evaluate.size": 100,
    "tokenize.max_length": 24,
    "tokenize.parts": [1, 2],
    "train.epochs": 1,
    "train.batch_size": 16,
    "train.layers": 2,
    "compare_tokenizers.vocabulary": 500,
    # Of so few reviews one alone is a whole point.
    "export.accuracy_change": 5,
    "export.agreement": 0.95,
}


class Project:
    """A checkout in which commands run as in an activated environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command in the checkout, in a process group of its own, with its output as one text."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        # git sets these when the tests run inside a hook of its own.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC_"))}
        own = {"PATH": path, "DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1"}
        own |= {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=inherited | own | environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, *command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the checkout to its end; the output of a failure is shown by pytest."""
        process = self.start(*command, **environment)
        output = process.communicate()[0]
        assert not check or process.returncode == 0, f"{' '.join(command)}\n{output[-4000:]}"
        return subprocess.CompletedProcess(command, process.returncode, output)

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


def shrunken(folder: Path) -> Project:
    """Copy this project's files, as they are in the work tree, into an empty folder, shrink and commit them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    project = Project(folder)
    project.run("git", "init", "--quiet")
    project.set(SMALL)
    project.commit("shrunken copy")
    return project
