"""Carry out a Dockerfile's steps without an engine: each stage becomes a folder that stands for its root."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from string import Template

from packaging.requirements import Requirement


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Return the instructions and their arguments, without comments and broken lines."""
    whole = re.sub(r"(?m)^#.*\n", "", dockerfile).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in whole.splitlines() if line.strip()]


@dataclass
class Stage:
    """The files of a stage below `root`, and what is known of the processes that run in it."""

    root: Path
    folder: str = "/"
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/local/bin:/usr/bin:/bin"})
    arguments: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    def place(self, path: str) -> Path:
        return self.root / (Path(self.folder) / path).relative_to("/")

    def within(self, text: str) -> str:
        """Return a command or a value with the image's own folders replaced by where they are."""
        return re.sub(r"(?<![\w.])/(?=venv\b|tmp\b)", f"{self.root}/", text)

    def start(self, command: list[str], **variables: str) -> "subprocess.Popen[bytes]":
        """Start a process as the image would, all it writes kept in the stage's /tmp."""
        environment = {name: self.within(value) for name, value in self.environment.items()} | variables
        (self.root / "tmp").mkdir(exist_ok=True)
        return subprocess.Popen(
            command, cwd=self.place("."), env=environment | {"TMPDIR": str(self.root / "tmp")}, stderr=subprocess.PIPE
        )


def build(context: Path, roots: Path, **arguments: str) -> Stage:
    """Carry out the steps of the context's Dockerfile, with these build arguments; return its last stage."""
    stages: dict[str, Stage] = {}
    for name, words in instructions((context / "Dockerfile").read_text(encoding="utf-8")):
        if name == "FROM":
            label = words.partition(" AS ")[2] or "last"
            stage = stages[label] = Stage(roots / label)
            stage.root.mkdir(parents=True)
        elif name == "WORKDIR":
            stage.folder = words
            stage.place(".").mkdir(parents=True)
        elif name == "COPY":
            *sources, target = words.split()
            origins = context
            if sources[0].startswith("--from="):
                origins = stages[sources.pop(0).removeprefix("--from=")].place("/")
            for source in sources:
                _copy(origins / source.removeprefix("/"), stage.place(target))
        elif name == "ARG":
            argument, _, default = words.partition("=")
            stage.arguments[argument] = arguments.get(argument, default)
        elif name == "RUN":
            for command in Template(words).safe_substitute(stage.arguments).split(" && "):
                _run(stage, command)
        elif name == "ENV":
            for variable, value in re.findall(r"(\w+)=(\S+)", words):
                stage.environment[variable] = value.replace("$PATH", stage.environment["PATH"])
        else:
            stage.settings[name] = words
    return stage


def _copy(origin: Path, place: Path) -> None:
    if origin.is_file():
        shutil.copy(origin, place)
    else:
        shutil.copytree(origin, place, symlinks=True, dirs_exist_ok=True)


def link(requirements: Path, venv: Path) -> None:
    """Stand in for pip, without a network: link those packages, and no others, from where the tests have them."""
    (folder,) = venv.glob("lib/python*/site-packages")
    for line in requirements.read_text(encoding="utf-8").splitlines():
        requirement = Requirement(line.partition("#")[0])
        installed = distribution(requirement.name)
        assert installed.version in requirement.specifier, f"{requirement} is wanted, but {installed.version} installed"
        tops = {path.parts[0] for path in installed.files or [] if path.parts[0] not in {"..", "__pycache__"}}
        for top in tops - {path.name for path in folder.iterdir()}:
            (folder / top).symlink_to(Path(str(installed.locate_file(top))))


def command_of(arguments: str) -> list[str]:
    """Return the words of a CMD in its JSON form."""
    words = json.loads(arguments)
    assert isinstance(words, list)
    return words


def _run(stage: Stage, command: str) -> None:
    if "/pip install" in command:
        link(stage.place(command.rsplit(maxsplit=1)[-1]), stage.place("/venv"))
        return
    python = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        ["sh", "-c", stage.within(command)], cwd=stage.place("."), env={"PATH": python}, check=True, timeout=120
    )
