"""Every stage alone: its start, its errors, and its outputs."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentiment.core.errors import UserError
from sentiment.core.parquet import write_parquet
from sentiment.core.schemas import read_yaml
from stages import baseline, cross_dataset_evaluate, download, download_cross, tokenize, train

ROOT = Path(__file__).resolve().parents[2]
STAGES = sorted(path.stem for path in (ROOT / "stages").glob("*.py") if path.stem != "__init__")
HEAVY = {"torch", "transformers", "datasets", "sklearn", "huggingface_hub"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a stage's current folder with what is in git: params.yaml, catalog.yaml and the sample reviews."""
    for name in (
        "params.yaml",
        "catalog.yaml",
        "data/sample_reviews.parquet",
        "data/more_reviews.csv",
        "data/everyday.csv",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_stages_import_heavy_packages_only_once_they_work() -> None:
    code = f"import sys, {', '.join(f'stages.{name}' for name in STAGES)}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert len(STAGES) > 10
    assert not HEAVY & set(loaded.split())


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_reports_a_bad_parameter_in_one_line_and_writes_nothing(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path("params.yaml").read_text(encoding="utf-8")
    Path("params.yaml").write_text(re.sub(r"\blr: .*", "lr: fast", text), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", [name])
    monkeypatch.delitem(sys.modules, f"stages.{name}", raising=False)
    with pytest.raises(SystemExit) as caught:
        runpy.run_module(f"stages.{name}", run_name="__main__")

    # Python prints such a text to stderr and exits with 1.
    assert caught.value.code == f"{name}: error: params.yaml: train.lr is 'fast', but must be a valid number"
    assert sorted(path.name for path in folder.iterdir()) == ["catalog.yaml", "data", "params.yaml"]


def test_download_copies_the_files_that_the_catalog_pins_and_the_reviews(folder: Path) -> None:
    download.main()

    pinned = read_yaml("catalog.yaml")["models"]["all-MiniLM-L6-v2"]["files"]
    assert {path.name for path in Path("models/pretrained").iterdir()} == {*pinned, "origin.json"}
    assert pq.read_table("data/raw/train.parquet").num_rows == 22218
    assert pq.read_table("data/raw/test.parquet").num_rows == 4094


def test_download_refuses_a_changed_file_and_leaves_nothing(folder: Path) -> None:
    with Path("data/sample_reviews.parquet").open("ab") as file:
        file.write(b"!")

    with pytest.raises(UserError, match=r"sample_reviews\.parquet of folder data has sha256 [0-9a-f]{64}, but catalog"):
        download.main()
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        "catalog.yaml",
        "everyday.csv",
        "more_reviews.csv",
        "params.yaml",
        "sample_reviews.parquet",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("model: all-MiniLM-L6-v2", "model: all-MiniLM", "did you mean all-MiniLM-L6-v2?"),
        ("dataset: reviews", "dataset: review", "dataset 'review' is not in catalog.yaml: did you mean reviews?"),
    ],
)
def test_download_names_what_the_catalog_has(folder: Path, old: str, new: str, message: str) -> None:
    text = Path("params.yaml").read_text(encoding="utf-8")
    Path("params.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(UserError) as caught:
        download.main()
    assert message in str(caught.value)


def test_the_downloads_read_the_users_own_files_as_the_parameters_say(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("own").mkdir()
    Path("own/rated.tsv").write_text("stars\treview\n5\tgreat\n3\tso so\n1\tawful\n", encoding="utf-8")
    text = Path("params.yaml").read_text(encoding="utf-8")
    for old, new in (
        ("dataset: reviews", "dataset: rated.tsv"),
        ("- books\n", "- own/rated.tsv\n"),
        ("text: text", "text: review"),
        ("label: label", "label: stars"),
        ("labels:\n", "labels: {1: 0, 3: drop, 5: 1}\n"),
    ):
        text = text.replace(old, new, 1)
    Path("params.yaml").write_text(text, encoding="utf-8")
    download.main()
    download_cross.main()

    raw = pq.read_table("data/raw/train.parquet")
    assert raw.to_pydict() == {"text": ["great", "awful"], "label": [1, 0]}
    assert pq.read_table("data/cross/own/rated.tsv.parquet").equals(raw)
    assert json.loads(Path("data/raw/origin.json").read_text(encoding="utf-8"))["origin"] == "folder own"
    assert Path("data/cross/own/rated.tsv.origin.json").is_file()


def test_a_cross_dataset_that_the_catalog_lacks_is_refused(folder: Path) -> None:
    text = Path("params.yaml").read_text(encoding="utf-8")
    Path("params.yaml").write_text(text.replace("- books\n", "- book\n"), encoding="utf-8")

    with pytest.raises(UserError, match=r"dataset 'book' is not in catalog\.yaml: did you mean books\?"):
        download_cross.main()


def test_tokenize_stores_cut_ids_without_padding_and_counts_what_it_cut(folder: Path, pretrained: Path) -> None:
    from stages import subsample

    download.main()
    subsample.main()
    text = Path("params.yaml").read_text(encoding="utf-8")
    text = text.replace("max_length: 192", "max_length: 32").replace("train_max_length:\n", "train_max_length: 16\n")
    text = text.replace("parts: [1]", "parts: [1, 3]")
    Path("params.yaml").write_text(text, encoding="utf-8")
    tokenize.main()

    def lengths_of(split: str) -> list[int]:
        return [len(ids) for ids in pq.read_table(f"data/tokenized/{split}.parquet")["input_ids"].to_pylist()]

    assert {split: max(lengths_of(split)) for split in tokenize.SPLITS} == {"train": 16, "validation": 32, "test": 32}
    lengths = lengths_of("test")
    metrics = json.loads(Path("metrics/tokenize.json").read_text(encoding="utf-8"))["test"]
    assert max(lengths) == 32
    assert min(lengths) < 32
    assert metrics["truncated_share"] == pytest.approx(sum(n == 32 for n in lengths) / len(lengths), abs=0.02)
    assert metrics["tokens_max"] > 32
    subsampled = {split: pq.read_table(f"data/subsampled/{split}.parquet").num_rows for split in tokenize.SPLITS}
    rows = {split: len(lengths_of(split)) for split in tokenize.SPLITS}
    assert rows["train"] > subsampled["train"]
    assert rows | {"train": 0} == subsampled | {"train": 0}
    assert max(lengths_of("validation_sentences")) == 32
    validation, sentences = (
        pq.read_table(f"data/tokenized/{name}.parquet")["id"] for name in ("validation", "validation_sentences")
    )
    parts = {each["values"]: each["counts"] for each in sentences.value_counts().to_pylist()}
    assert parts.keys() < set(validation.to_pylist())
    assert max(parts.values()) > 2


def test_tokenize_warns_of_reviews_that_are_spelled_unlike_those_to_learn_from(
    folder: Path, pretrained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(pretrained, "models/pretrained")
    texts = {"train": "the film was great", "validation": "a very good plot", "test": "leider sehr langweilig"}
    for split, text in texts.items():
        reviews = pa.table({"id": ["x", "y"], "text": [text] * 2, "label": pa.array([0, 1], pa.int8())})
        write_parquet(Path(f"data/subsampled/{split}.parquet"), reviews)
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("max_length: 192", "max_length: 32"))
    tokenize.main()

    said = capsys.readouterr().out
    assert said.count("warning") == 1
    assert (
        "warning: the test reviews are spelled unlike those that the model learnt from: their words take 6.67" in said
    )
    saved = json.loads(Path("data/tokenized/preprocessing.json").read_text())
    assert saved["spelling"] == {"tokens_per_word": 1, "unknown_share": 0}


def test_tokenize_warns_where_the_tokenizer_was_not_made_for_the_reviews_to_learn_from(
    folder: Path, pretrained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(pretrained, "models/pretrained")
    text = "leider sehr langweilig und schlecht"
    reviews = pa.table({"id": ["x"], "text": [text], "label": pa.array([0], pa.int8())})
    for split in tokenize.SPLITS:
        write_parquet(Path(f"data/subsampled/{split}.parquet"), reviews)
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("max_length: 192", "max_length: 32"))
    tokenize.main()

    said = capsys.readouterr().out
    assert said.count("warning") == 1
    assert "warning: the tokenizer was not made for the training reviews: their words take" in said


def test_sentences_are_those_of_reviews_from_among_all(
    folder: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(pretrained, "models/pretrained")
    texts = [f"Begin {row}. End!" for row in range(9)]
    labels = pa.array([row % 2 for row in range(9)], pa.int8())
    reviews = pa.table({"id": [str(row) for row in range(9)], "text": texts, "label": labels})
    for split in tokenize.SPLITS:
        write_parquet(Path(f"data/subsampled/{split}.parquet"), reviews)
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("max_length: 192", "max_length: 32"))

    def ids() -> list[str]:
        return pq.read_table("data/tokenized/validation_sentences.parquet")["id"].to_pylist()

    tokenize.main()
    assert ids() == [str(row) for row in range(9) for _ in range(2)]
    monkeypatch.setattr(tokenize, "REVIEWS_IN_SENTENCES", 3)
    tokenize.main()
    assert ids() == ["0", "0", "4", "4", "8", "8"]


def test_cross_dataset_evaluate_says_which_file_is_missing(folder: Path) -> None:
    with pytest.raises(UserError, match=r"models/sentiment/preprocessing\.json is missing"):
        cross_dataset_evaluate.main()


def test_the_baseline_says_that_it_needs_words(folder: Path) -> None:
    table = pa.table({"id": ["a", "b"], "text": ["🙂🙂", "🙁"], "label": [1, 0]})
    for split in ("train", "validation", "test"):
        write_parquet(f"data/subsampled/{split}.parquet", table)

    with pytest.raises(UserError, match=r"^TF-IDF can't be fitted to the training reviews: empty vocabulary"):
        baseline.main()
    assert not Path("metrics").exists()


def test_training_begins_with_whole_preprocessing_only(folder: Path) -> None:
    train.TOKENIZED.mkdir(parents=True)
    Path(train.TOKENIZED / "preprocessing.json").write_text('{"cleaning": {}}', encoding="utf-8")

    with pytest.raises(UserError, match=r"^data/tokenized/preprocessing\.json"):
        train.main()
    assert not Path("checkpoints").exists()
