"""The documents' figures are those that the files hold; their links lead somewhere."""

import re
from pathlib import Path

import pytest

from docs.figures import BLOCK, FIGURES, VALUE, filled
from sentiment.catalog import load_catalog
from sentiment.sources import locate_all

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_marked_block_and_number_holds_the_figures_of_its_file(
    document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    text = document.read_text(encoding="utf-8")

    assert filled(text) == text, "make figures brings the document in step"


def test_every_kind_of_figure_stands_in_a_document() -> None:
    names = {match["name"] for document in DOCUMENTS for match in BLOCK.finditer(document.read_text(encoding="utf-8"))}

    assert names == set(FIGURES)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_marked_number_does_not_begin_a_line(document: Path) -> None:
    """There Markdown would take its comment for a block and tear the paragraph apart."""
    marks = VALUE.finditer(document.read_text(encoding="utf-8"))

    assert [mark[0] for mark in marks if mark.string[mark.start() - 1] == "\n"] == []


def anchors(document: Path) -> set[str]:
    """Return the names that GitHub gives to a document's headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_within_the_repository_lead_to_files_and_headings(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", document.read_text(encoding="utf-8"))

    for file, heading in links:
        target = document.parent / file if file else document
        assert target.exists(), file
        assert not heading or heading in anchors(target), f"{file}#{heading}"


@pytest.mark.parametrize("document", ["models.md", "defence.md"])
def test_the_example_of_wordpiece_is_what_the_defaults_tokenizer_writes(document: str) -> None:
    from tokenizers import Tokenizer

    model = load_catalog(ROOT / "catalog.yaml").model("all-MiniLM-L6-v2")
    tokenizer = Tokenizer.from_file(str(locate_all(model.source, model.files, "model")["tokenizer.json"]))
    tokenizer.no_padding()
    pieces = tokenizer.encode("unwatchable", add_special_tokens=False).tokens

    assert f"`unwatchable` as `{' '.join(pieces)}`" in (ROOT / "docs" / document).read_text(encoding="utf-8")


def test_the_readme_fits_on_few_pages() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 250


def test_every_test_that_a_document_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/reliability.md").read_text(encoding="utf-8")))
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))

    assert len(named) > 15
    assert [name for name in sorted(named) if f"def {name}(" not in tests] == []
