"""The documents' figures are those that the files hold; their links, commands and words are right."""

import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest

from report.documents import BLOCK, FIGURES, VALUE, fill
from report.drawings import DRAWINGS, draw
from report.results import NotMeasuredError
from sentiment.sources.catalog import load_catalog
from tests.report.documents import COVERED, DOCUMENTS, ELSEWHERE, ROOT, RUN, commands, text_of

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
each_notebook = pytest.mark.parametrize(
    "notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.name
)


def changed(*paths: str) -> bool:
    """Say whether files that git knows differ from those of the last commit."""
    return subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *paths], check=False, cwd=ROOT).returncode != 0


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder whose documents must hold the figures beside them: this one, or a clone of the last commit.

    The latter where nothing but the figures changed: a run on another processor gives metrics/ other last digits, and
    models other bits, which the documents need not follow.
    """
    if not changed("metrics", "benchmarks", "dvc.lock") or changed("README.md", "docs"):
        return ROOT
    folder = tmp_path_factory.mktemp("reported") / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    return folder


@each_document
def test_every_marked_block_and_number_holds_the_figures_of_its_file(
    document: Path, reported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(reported)
    text = text_of(reported / document.relative_to(ROOT))

    assert fill(text) == text, "make figures brings the document in step"


def test_every_kind_of_figure_stands_in_a_document() -> None:
    names = {match["name"] for document in DOCUMENTS for match in BLOCK.finditer(text_of(document))}

    assert names == set(FIGURES)


@each_document
def test_a_marked_number_does_not_begin_a_line(document: Path) -> None:
    """There Markdown would take its comment for a block and tear the paragraph apart."""
    marks = VALUE.finditer(text_of(document))

    assert [mark[0] for mark in marks if not mark.string[: mark.start()].rpartition("\n")[2].strip()] == []


def shown(drawn: str) -> list[str]:
    """Return the shapes and words of an SVG: what else it holds are places, which hang on the fonts of the machine."""
    return [element.get("d") or element.text or "" for element in ElementTree.fromstring(drawn).iter()]


def test_the_charts_are_drawn_from_what_was_measured(
    reported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(reported)
    draw(tmp_path)

    for name in DRAWINGS:
        folders = (tmp_path, reported / "docs/images")
        drawn, committed = ((folder / f"{name}.svg").read_text(encoding="utf-8") for folder in folders)
        assert shown(drawn) == shown(committed), f"make figures draws {name} anew"


def test_what_was_not_measured_says_how_to_measure_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert fill("<!-- imdb -->\nold\n<!-- end of imdb -->") == (
        "<!-- imdb -->\nNot measured yet: `dvc repro benchmarks/dvc.yaml:imdb` does it.\n<!-- end of imdb -->"
    )
    with pytest.raises(NotMeasuredError, match=r"^Not measured yet: `dvc repro benchmarks/dvc.yaml:seeds` does it\.$"):
        fill("<!-- benchmarks/seeds.json:summary -->0<!-- -->")
    draw(tmp_path)
    assert list(tmp_path.iterdir()) == []


def anchors(document: Path) -> set[str]:
    """Return the names that GitHub gives to a document's headings."""
    headings = re.findall(r"^#+ (.+)$", text_of(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_document
def test_links_within_the_repository_lead_to_files_and_headings(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", text_of(document))

    for file, heading in links:
        target = document.parent / file if file else document
        assert target.exists(), file
        assert not heading or heading in anchors(target), f"{file}#{heading}"


@each_document
def test_names_that_a_document_places_in_a_file_are_defined_there(document: Path) -> None:
    placed = re.findall(r"`(\w+)`\s+in\s+\[([^\]]+)\]\(([^)]+\.py)\)", text_of(document))

    for name, label, file in placed:
        assert Path(file).name == label
        code = (document.parent / file).read_text(encoding="utf-8")
        assert re.search(rf"^ *(def|class) {name}\b", code, re.MULTILINE), f"{file}: {name}"


def test_every_command_is_typed_by_a_test_or_said_to_need_what_no_test_has() -> None:
    typed = {command for document in DOCUMENTS for command in commands(document)}

    assert typed == {*RUN, *COVERED, *ELSEWHERE}


@pytest.mark.parametrize("test", sorted(set(COVERED.values())))
def test_the_test_that_covers_a_command_exists(test: str) -> None:
    file, _, name = test.partition("::")

    assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


def test_every_parameter_that_the_documents_set_exists() -> None:
    from sentiment.core.schemas import read_yaml

    params = read_yaml(ROOT / "params.yaml")
    for document in DOCUMENTS:
        for key in re.findall(r"-S '?([\w.]+)=", text_of(document)):
            section = params
            for part in key.split("."):
                assert part in section, f"{document.name}: {key}"
                section = section[part]


@each_notebook
def test_a_notebook_is_committed_without_what_a_run_leaves_in_it(notebook: Path) -> None:
    cells = nbformat.read(notebook, as_version=4).cells

    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []


@pytest.mark.parametrize("document", ["models.md", "defence.md"])
def test_the_example_of_wordpiece_is_what_the_defaults_tokenizer_writes(document: str) -> None:
    from tokenizers import Tokenizer

    model = load_catalog(ROOT / "catalog.yaml").model("all-MiniLM-L6-v2")
    tokenizer = Tokenizer.from_file(str(model.source.locate(model.files, "model")["tokenizer.json"]))
    tokenizer.no_padding()
    pieces = tokenizer.encode("unwatchable", add_special_tokens=False).tokens

    assert f"`unwatchable` as `{' '.join(pieces)}`" in (ROOT / "docs" / document).read_text(encoding="utf-8")


def test_every_test_that_a_document_names_exists() -> None:
    documents = "".join((ROOT / f"docs/{name}.md").read_text(encoding="utf-8") for name in ("reliability", "scale"))
    named = set(re.findall(r"`(test_\w+)`", documents))
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))

    assert len(named) > 15
    assert [name for name in sorted(named) if f"def {name}(" not in tests] == []
