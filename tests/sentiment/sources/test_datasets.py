"""A dataset's name, and the files that the downloads make of it."""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentiment.core.errors import UserError
from sentiment.core.files import sha256
from sentiment.core.params import Download
from sentiment.sources.catalog import Catalog
from sentiment.sources.datasets import download_dataset, download_evaluation_split, hub_splits
from tests.hub_repositories import Repo
from tests.hub_server import Hub, only_hub, running

TABLE = pa.table({"text": ["fine", "dull", "great"], "label": [1, 0, 1]})
CSV = "text,label\nfine,pos\ndull,neg\ngreat,pos\n"
PINNED = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, a project with an empty own/."""
    (tmp_path / "project" / "own").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def catalog() -> Catalog:
    entry = {
        "description": "A dataset of the test.",
        "source": {"folder": "data"},
        "licence": "CC0-1.0",
        "text": "text",
        "label": "label",
        "files": {"a.parquet": "0" * 64},
        "splits": {"train": {"file": "a.parquet"}},
    }
    pinned = entry | {
        "source": {"hub": "org/toy", "revision": PINNED},
        "files": {"a/train-0.parquet": None, "a/train-1.parquet": None, "test.parquet": None},
        "splits": {"train": {"file": ["a/train-0.parquet", "a/train-1.parquet"]}, "test": {"file": "test.parquet"}},
    }
    return Catalog.model_validate({"models": {}, "datasets": {"films": entry, "pinned": pinned}})


def download(name: str, catalog: Catalog, **options: Any) -> dict[str, Any]:
    """Download as the stage does; return each split's columns, and origin.json."""
    section = {"text": "text", "label": "label", "labels": None} | options
    folder = Path("raw")
    download_dataset(name, Download.model_validate(section), catalog, folder)
    splits = {path.stem: pq.read_table(path).to_pydict() for path in folder.glob("*.parquet")}
    return splits | {"origin": json.loads((folder / "origin.json").read_text(encoding="utf-8"))}


def refusal(name: str, catalog: Catalog, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        download(name, catalog, **options)
    assert not list(Path("raw").glob("*"))
    return str(caught.value)


@pytest.mark.parametrize("name", ["reviews.csv", "own/reviews.csv", "./reviews.csv"])
def test_a_file_in_own_is_a_train_split(catalog: Catalog, name: str) -> None:
    Path("own/reviews.csv").write_text(CSV)
    assert download(name, catalog) == {
        "train": TABLE.to_pydict(),
        "origin": {
            "dataset": name,
            "origin": "folder own",
            "revision": None,
            "licence": "your own",
            "files": {"reviews.csv": sha256("own/reviews.csv")},
        },
    }


def test_a_folder_in_own_has_a_train_and_perhaps_a_test_split(catalog: Catalog) -> None:
    Path("own/mine").mkdir()
    Path("own/mine/notes.txt").write_text("not read")
    pq.write_table(TABLE, "own/mine/train.parquet")
    assert set(download("mine", catalog)) == {"train", "origin"}
    Path("own/mine/test.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    assert download("own/mine", catalog)["test"] == TABLE.to_pydict()


def test_the_parameters_name_columns_and_labels(catalog: Catalog) -> None:
    rows = [("Good", "I like it.", 5), ("So so", "Neither.", 3), ("Bad", "Never again.", 1)]
    lines = [json.dumps({"title": title, "body": body, "stars": stars}) + "\n" for title, body, stars in rows]
    Path("own/reviews.jsonl").write_text("".join(lines))
    labels = {1: 0, 3: "drop", 5: 1}
    found = download("reviews.jsonl", catalog, text=["title", "body"], label="stars", labels=labels)
    assert found["train"] == {"text": ["Good\n\nI like it.", "Bad\n\nNever again."], "label": [1, 0]}


def test_only_the_test_split_or_all_there_is_goes_to_the_evaluation(catalog: Catalog) -> None:
    Path("own/mine").mkdir()
    Path("own/mine/train.csv").write_text(CSV + "another,pos\n")
    options = Download(text=["text"], label="label", labels=None)
    download_evaluation_split("own/mine", options, catalog, Path("cross"))
    assert pq.read_table("cross/own/mine.parquet").num_rows == 4
    Path("own/mine/test.csv").write_text(CSV)
    download_evaluation_split("own/mine", options, catalog, Path("cross"))
    assert pq.read_table("cross/own/mine.parquet").num_rows == 3
    origin = json.loads(Path("cross/own/mine.origin.json").read_text())
    assert origin["files"] == {"test.csv": sha256("own/mine/test.csv")}


def test_a_folder_without_a_train_file_or_with_two_is_refused(catalog: Catalog) -> None:
    Path("own/mine").mkdir()
    Path("own/mine/data.csv").write_text(CSV)
    assert refusal("mine", catalog).startswith("own/mine has no train file: name one train.csv, or train with .csv, ")
    for name in ("train.csv", "train.jsonl"):
        Path("own/mine", name).write_text(CSV)
    assert refusal("mine", catalog) == "own/mine has both train.csv and train.jsonl: leave one train.* there"


def test_a_file_elsewhere_is_refused_with_the_command_that_brings_it_here(catalog: Catalog, tmp_path: Path) -> None:
    outside = "lies outside of own/, where nobody would notice its changes"
    Path("my reviews.csv").write_text(CSV)
    Path("data/mine").mkdir(parents=True)
    assert refusal("my reviews.csv", catalog) == (
        f"dataset my reviews.csv {outside}: cp 'my reviews.csv' own/, then -S dataset='my reviews.csv'"
    )
    assert refusal("data/mine", catalog) == (f"dataset data/mine {outside}: cp -r data/mine own/, then -S dataset=mine")
    (tmp_path / "far.csv").write_text(CSV)
    for name in ("../far.csv", str(tmp_path / "far.csv")):
        assert refusal(name, catalog) == (f"dataset {name} {outside}: cp {name} own/, then -S dataset=far.csv")


@pytest.mark.parametrize("name", ["review.csv", "own/review.csv", "/nowhere/review.csv", "../review.csv"])
def test_a_missing_file_is_refused_with_the_nearest_and_what_experiments_see(catalog: Catalog, name: str) -> None:
    Path("own/reviews.csv").write_text(CSV)
    assert refusal(name, catalog) == (
        "own/review.csv is missing: did you mean reviews.csv? put it there. Experiments with --temp or --queue see "
        "only what git knows: git add own/review.csv, or dvc add for a large file"
    )


def test_a_file_of_another_format_is_refused_with_those_that_are_read(catalog: Catalog) -> None:
    Path("own/reviews.odt").write_bytes(b"PK")
    assert refusal("reviews.odt", catalog).startswith(
        "own/reviews.odt is of no known format: its name must end in .csv"
    )


def test_an_unknown_name_is_refused_with_what_a_name_may_be(catalog: Catalog) -> None:
    assert refusal("film", catalog) == (
        "dataset 'film' is not in catalog.yaml: did you mean films? it has films, pinned; "
        "others are ORG/NAME of the hub and own/NAME of yours"
    )


def test_a_changed_file_is_refused_before_it_is_read(catalog: Catalog) -> None:
    Path("data").mkdir()
    Path("data/a.parquet").write_bytes(b"not even parquet")
    assert re.match(
        r"a\.parquet of folder data has sha256 [0-9a-f]{64}, but catalog\.yaml expects", refusal("films", catalog)
    )


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Repo]]:
    """Serve a repository org/toy of tables at these paths."""
    with running(Hub({})) as server, only_hub(server.url, tmp_path / "cache"):

        def start(*paths: str, commit: str | None = None) -> Repo:
            for path in paths:
                (tmp_path / "toy" / path).parent.mkdir(parents=True, exist_ok=True)
                pq.write_table(TABLE, tmp_path / "toy" / path)
            server.repos["dataset", "org/toy"] = Repo(tmp_path / "toy", commit)
            return server.repos["dataset", "org/toy"]

        yield start


def test_a_dataset_of_the_hub_needs_no_entry_and_its_commit_is_recorded(
    catalog: Catalog, serve: Callable[..., Repo], capsys: pytest.CaptureFixture[str]
) -> None:
    repo = serve("data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet", "data/unsupervised.parquet")
    found = download("org/toy", catalog)
    assert found["train"] == found["test"] == TABLE.to_pydict()
    assert found["origin"] == {
        "dataset": "org/toy",
        "origin": "org/toy",
        "revision": repo.commit,
        "licence": "mit",
        "files": {
            f"data/{split}-00000-of-00001.parquet": repo.sums[f"data/{split}-00000-of-00001.parquet"]
            for split in ("train", "test")
        },
    }
    printed = capsys.readouterr().out
    assert f"it may change there; to keep this one: -S dataset=org/toy@{repo.commit}" in printed
    assert f"dataset org/toy from hub org/toy at {repo.commit[:8]}, licence mit: not in catalog.yaml" in printed
    download(f"org/toy@{repo.commit}", catalog)
    assert "it may change" not in capsys.readouterr().out


def test_an_entry_may_leave_checksums_to_the_hub_and_name_several_files(
    catalog: Catalog, serve: Callable[..., Repo]
) -> None:
    repo = serve("a/train-0.parquet", "a/train-1.parquet", "test.parquet", commit=PINNED)
    found = download("pinned", catalog)
    assert found["train"]["text"] == [*TABLE["text"].to_pylist()] * 2
    assert found["origin"]["revision"] == PINNED
    assert found["origin"]["files"] == repo.sums


def test_a_file_that_is_not_there_at_the_pin_is_refused(catalog: Catalog, serve: Callable[..., Repo]) -> None:
    serve("a/train-0.parquet", "test.parquet", commit=PINNED)
    assert refusal("pinned", catalog).startswith("dataset org/toy at 01234567 has no file a/train-1.parquet")


@pytest.mark.parametrize(
    ("files", "train", "test"),
    [
        (["README.md", "train.csv", "test.csv"], ["train.csv"], ["test.csv"]),
        (["data/train-0.parquet", "data/train-1.parquet"], ["data/train-0.parquet", "data/train-1.parquet"], []),
        (["a/train-0.parquet", "a/validation-0.parquet"], ["a/train-0.parquet"], ["a/validation-0.parquet"]),
        (["x_train.jsonl", "x_dev.jsonl", "x_test.jsonl"], ["x_train.jsonl"], ["x_test.jsonl"]),
        (
            ["default/train/0.parquet", "default/test/0.parquet"],
            ["default/train/0.parquet"],
            ["default/test/0.parquet"],
        ),
        # The same tables in another form are not read twice.
        (["train.csv.gz", "data/train-0.parquet", "test.csv.gz"], ["data/train-0.parquet"], []),
        (["Train.csv", "TEST.csv"], ["Train.csv"], ["TEST.csv"]),
        (["reviews.csv", "LICENSE"], ["reviews.csv"], []),
        (["trained.csv", "train.csv", "latest.csv"], ["train.csv"], []),
    ],
)
def test_the_words_in_their_paths_tell_the_files_of_a_repository_apart(
    files: list[str], train: list[str], test: list[str]
) -> None:
    assert hub_splits("org/toy", files) == {"train": train} | ({"test": test} if test else {})


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (["a/train.parquet", "b/train.parquet"], "has several parts, a, b, and one must be chosen"),
        (["train.csv", "b/train.csv"], "has several parts, (top folder), b, and one must be chosen"),
        (["a.csv", "b.csv"], "has no file named train; it has a.csv, b.csv"),
        (["test.csv"], "has no file named train; it has test.csv"),
        (["toy.py", "README.md"], "has no file named train; it has no file that ends in .csv, .tsv, .jsonl"),
    ],
)
def test_files_that_leave_a_choice_are_refused_with_the_remedy(files: list[str], problem: str) -> None:
    with pytest.raises(UserError) as caught:
        hub_splits("org/toy", files)
    assert str(caught.value).startswith(f"dataset org/toy {problem}")
    assert "add an entry to catalog.yaml that names its files" in str(caught.value)
