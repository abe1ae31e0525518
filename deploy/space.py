"""Build the folder that runs the page: on a Space of the Hugging Face hub, or on a machine of one's own.

Reads   .dockerignore, whose exceptions name all that the page needs, and the files that they name; deploy/space.md
Writes  space/    the same files, and README.md, whose header configures the Space

    python -m deploy.space    (make space)
"""

import shutil
from pathlib import Path

from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.files import replacing

SPACE = Path("space")


def contents() -> list[Path]:
    """Return the files and folders that .dockerignore lets into the image."""
    lines = Path(".dockerignore").read_text(encoding="utf-8").splitlines()
    return [Path(line.removeprefix("!")) for line in lines if line.startswith("!")]


def copy(folder: Path) -> None:
    """Copy into a new folder what the image is built from; raise UserError when a part of it is missing."""
    for path in contents():
        if not path.exists():
            raise UserError(f"{path} is missing: dvc repro makes it, or git checkout restores it")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, folder / path, ignore=shutil.ignore_patterns("__pycache__", "*.tmp"))
        else:
            shutil.copyfile(path, folder / path)


def main() -> None:
    with replacing(SPACE) as folder:
        copy(folder)
        shutil.copyfile("deploy/space.md", folder / "README.md")
    print(f"{SPACE}/ is whole: docs/deploy.md says how to push it or run it")


if __name__ == "__main__":
    run(main, "space")
