"""The documents' figures are those that the files hold; their links lead somewhere."""

import re
from pathlib import Path

import pytest

from docs.figures import BLOCK, FIGURES, filled

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_marked_block_holds_the_figures_of_its_file(document: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = document.read_text(encoding="utf-8")

    assert filled(text) == text, "make figures brings the document in step"


def test_every_kind_of_figure_stands_in_a_document() -> None:
    names = {match["name"] for document in DOCUMENTS for match in BLOCK.finditer(document.read_text(encoding="utf-8"))}

    assert names == set(FIGURES)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_within_the_repository_lead_to_files(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8"))

    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_the_readme_fits_on_few_pages() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 250
