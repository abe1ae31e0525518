"""A measurement that is older than what it rests on is said to be, and the answer hangs on files in git alone."""

import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo

from report import documents, results, staleness
from sentiment.core.files import write_json

PRODUCT = """
stages:
  train:
    cmd: cat train.py > model
    deps: [train.py]
    outs: [model]
"""
MEASUREMENTS = """
stages:
  size:
    wdir: ..
    cmd: wc -c < model > benchmarks/size.json
    deps: [model, data/real/reviews, measure.py]
    params: [threads]
    outs:
    - benchmarks/size.json:
        cache: false
  speeds:
    foreach: [amx, fp32]
    do:
      wdir: ..
      cmd: echo 7 > benchmarks/speeds/${item}.json
      deps: [measure.py]
      outs:
      - benchmarks/speeds/${item}.json:
          cache: false
"""


def git(folder: Path, *arguments: str) -> str:
    own = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    return subprocess.run(["git", *own, *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


def reproduce(folder: Path, *targets: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with Repo(str(folder)) as repo:
            repo.reproduce(list(targets) or None)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project whose product was made, and of whose three measurements two were."""
    folder = tmp_path_factory.mktemp("measured")
    files = {
        "dvc.yaml": PRODUCT,
        "benchmarks/dvc.yaml": MEASUREMENTS,
        "benchmarks/speeds/fp32.json": "6\n",
        "params.yaml": "threads: 2\n",
        "train.py": "learn\n",
        "measure.py": "count\n",
        ".gitignore": "data/\n",
        "data/real/reviews": "real\n",
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    git(folder, "init", "--quiet")
    Repo.init(str(folder)).close()
    reproduce(folder, "benchmarks/dvc.yaml:size", "benchmarks/dvc.yaml:speeds@amx")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "measured")
    return folder


@pytest.fixture
def clone(measured: Path, tmp_path: Path) -> Path:
    """A fresh clone, which has neither the model nor the real data."""
    git(tmp_path, "clone", "--quiet", str(measured), "clone")
    return tmp_path / "clone"


def test_a_fresh_clone_without_model_and_data_finds_stale_what_the_work_tree_does(measured: Path, clone: Path) -> None:
    assert not (clone / "model").exists()
    assert not (clone / "data").exists()
    assert staleness.stale(measured) == staleness.stale(clone) == {"speeds@fp32"}


@pytest.mark.parametrize(
    ("file", "old", "new", "found"),
    [
        ("measure.py", "count", "count twice", {"size", "speeds@amx"}),
        ("params.yaml", "2", "3", {"size"}),
        ("benchmarks/dvc.yaml", "wc -c", "wc -m", {"size"}),
        ("benchmarks/size.json", "6", "5", {"size"}),
        ("train.py", "learn", "learn more", set()),
    ],
)
def test_a_change_of_code_parameters_command_or_result_makes_stale_what_rests_on_it(
    file: str, old: str, new: str, found: set[str], clone: Path
) -> None:
    before = (clone / file).read_text(encoding="utf-8")
    assert old in before
    (clone / file).write_text(before.replace(old, new), encoding="utf-8")

    assert staleness.stale(clone) == found | {"speeds@fp32"}


def test_a_product_made_anew_makes_stale_what_was_measured_of_it(clone: Path) -> None:
    (clone / "train.py").write_text("learn more\n", encoding="utf-8")
    reproduce(clone)

    assert staleness.stale(clone) == {"size", "speeds@fp32"}
    assert "benchmarks" not in git(clone, "status", "--short"), "the product's run makes no measurement"


def test_a_table_says_that_it_is_stale_and_how_to_make_it_anew_and_a_fresh_one_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("models", "seeds", "speeds/amx"):
        (tmp_path / f"benchmarks/{name}.json").parent.mkdir(parents=True, exist_ok=True)
        write_json(tmp_path / f"benchmarks/{name}.json", {})
    monkeypatch.setattr(staleness, "stale", lambda _: frozenset({"models", "speeds@amx", "load"}))

    def filled(*names: str) -> str:
        def table() -> str:
            for name in names:
                results.read(f"benchmarks/{name}.json")
            return "| a table |"

        monkeypatch.setitem(documents.FIGURES, "made-up", table)
        return documents.fill("<!-- made-up -->\nold\n<!-- end of made-up -->")

    assert filled("seeds") == "<!-- made-up -->\n| a table |\n<!-- end of made-up -->"
    assert filled("seeds", "models") == (
        "<!-- made-up -->\n| a table |\n\n(measured before later changes of the code: models; "
        "`dvc repro benchmarks/dvc.yaml:models` measures anew)\n<!-- end of made-up -->"
    )
    assert "(measured before later changes of the code: models, speeds@amx; `dvc repro benchmarks/dvc.yaml:NAME` " in (
        filled("speeds/amx", "models")
    )
