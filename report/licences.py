"""List the licences of everything that is pinned, as the installed packages state them.

Reads   requirements.txt, requirements-app.txt, requirements-scale.txt, requirements-dev.txt, and the packages'
        metadata
Writes  docs/licences.md

    python -m report.licences    (make licences)
"""

import re
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path

from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.files import replacing

DOCUMENT = Path("docs/licences.md")
PARTS = {
    "requirements.txt": "The pipeline",
    "requirements-app.txt": "The web page, beside those",
    "requirements-scale.txt": "Several machines, beside those",
    "requirements-dev.txt": "Tests and development, beside those",
}
PIN = re.compile(r"^([\w.-]+)==([^\s;]+)", re.MULTILINE)
INTRODUCTION = """\
# Licences of the dependencies

Every pinned package and the licence that its own metadata states, filled in by `make licences`. None is part of this
repository, whose own licence is in [LICENSE](../LICENSE). torch's builds for GPUs bring NVIDIA's CUDA libraries along,
under NVIDIA's own terms. Models and datasets have licences of their own, in [catalog.yaml](../catalog.yaml).
"""


def pins(requirements: Path) -> dict[str, str]:
    """Return the version of every package that a requirements file pins."""
    return dict(PIN.findall(requirements.read_text(encoding="utf-8")))


def licence(stated: PackageMetadata) -> str:
    """Return what a package states: its expression, else its classifiers, else the first line of its licence's text."""
    if expressions := stated.get_all("License-Expression"):
        return expressions[0]
    classifiers = [name for name in stated.get_all("Classifier") or [] if name.startswith("License ::")]
    names = [name.rpartition(" :: ")[2] for name in classifiers]
    if specific := [name for name in names if name != "OSI Approved"]:
        return ", ".join(specific)
    text = "".join(stated.get_all("License") or []).strip()
    return text.splitlines()[0].strip() if text else "not stated"


def document(folder: Path) -> str:
    """Return the document of the requirements in the folder; raise UserError where a package is not installed."""
    seen: set[str] = set()
    lines = [INTRODUCTION]
    for file, title in PARTS.items():
        lines += [f"## {title}", "| package | version | licence |", "|---|---|---|"]
        for name, version in pins(folder / file).items():
            if name in seen:
                continue
            seen.add(name)
            try:
                stated = licence(metadata(name))
            except PackageNotFoundError:
                raise UserError(f"{name}, which {file} pins, is not installed: pip install -r {file}") from None
            lines.append(f"| {name} | {version} | {stated.replace('|', ' ')} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    text = document(Path())
    with replacing(DOCUMENT) as file:
        file.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run(main, "licences")
