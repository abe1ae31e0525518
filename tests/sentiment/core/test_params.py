import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sentiment.core.errors import UserError
from sentiment.core.params import Params, load_params
from sentiment.core.schemas import read_yaml, validate

PARAMS = Path(__file__).parents[3] / "params.yaml"

ILLEGAL = {
    "model": ("", "String should have at least 1 character"),
    "cross_datasets.0": (1, "a valid string"),
    "seed": (-1, "greater than or equal to 0"),
    "threads": ("2", "a valid integer"),
    "device": ("gpu", "'auto', 'cpu', 'cuda' or 'mps'"),
    "precision": ("half", "'auto', 'fp32', 'bf16', 'fp16' or 'portable'"),
    "download.text": (3, "a list, as in [a, b]"),
    "download.labels": ("pos", "keys with values"),
    "download.columns": ("text", "a list, as in [a, b]"),
    "download.delimiter": (1, "a valid string"),
    "subsample.train_size": (99, "greater than or equal to 100"),
    "tokenize.parts.0": (101, "less than or equal to 100"),
    "train.epochs": (0, "greater than 0"),
    "train.lr": (float("nan"), "a finite number"),
    "train.batch_size": (32.0, "a valid integer"),
    "train.freeze": ("all", "'none', 'embeddings' or 'encoder'"),
    "train.pretrained_share": ("0.9", "a valid number"),
    "train.correct_bias": (True, "'none', 'sentences' or 'by_length'"),
    "train.processes": (0, "auto or a whole number from 1 to 1024"),
    "train.class_weights": ("inverse", "'none' or 'balanced'"),
    "evaluate.threshold": ("half", "fitted or a number between 0 and 1"),
    "evaluate.sure_at": (1.0, "less than 1"),
    "baseline.rivals.0": ("SVM", "'TF-IDF', 'NB n-grams' or 'encoder averages'"),
    "baseline.C.0": (0, "greater than 0"),
    "tokenize.head_share": (1.5, "less than or equal to 1"),
    "train.over_time": ("go", "'run', 'shorten' or 'stop'"),
    "subsample.balance": (1, "a valid boolean"),
}
"""An example of each way to be illegal; test_hostile_params.py looks for others, under every key."""


def content_with(key: str, change: Callable[[Any, str | int], Any]) -> dict[str, Any]:
    """Return what params.yaml says, after `change` of the mapping that holds `key`."""
    content = inner = read_yaml(PARAMS)
    *sections, last = key.split(".")
    for section in sections:
        inner = inner[section]
    change(inner, int(last) if isinstance(inner, list) else last)
    return content


def written(folder: Path, *replacements: tuple[str, str]) -> Path:
    """Write params.yaml with some of its text replaced."""
    text = PARAMS.read_text(encoding="utf-8")
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("key", ILLEGAL)
def test_an_illegal_value_is_refused_with_key_value_and_what_is_legal(key: str) -> None:
    value, legal = ILLEGAL[key]
    content = content_with(key, lambda inner, last: inner.__setitem__(last, value))
    with pytest.raises(UserError, match=f"^{re.escape(f'params.yaml: {key} is {value!r}, but must be {legal}')}$"):
        validate(Params, content, "params.yaml")


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("sed", "did you mean seed?"),
        ("train.learning_rate", "legal are epochs, lr, batch_size"),
        ("train.epoch", "did you mean epochs?"),
        ("subsample.htmlbreaks", "did you mean html_breaks?"),
        ("baseline.c", "legal are rivals, C"),
    ],
)
def test_an_unknown_key_is_refused_with_a_hint(key: str, hint: str) -> None:
    content = content_with(key, lambda inner, last: inner.__setitem__(last, 1))
    with pytest.raises(UserError, match="^" + re.escape(f"params.yaml: {key} is unknown: {hint}")):
        validate(Params, content, "params.yaml")


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, ("seed: 42", "sed: 42"), ("lr: 1.5e-4", "lr: 5"))
    with pytest.raises(UserError) as caught:
        load_params(path)
    assert str(caught.value) == (
        f"{path}: seed is missing: give it a value; train.lr is 5, but must be less than or equal to 0.1; "
        "sed is unknown: did you mean seed?"
    )


@pytest.mark.parametrize("written_as", ["3e-05", "3e-5", "3E-5", "0.00003", "+3e-5"])
def test_a_learning_rate_is_a_number_however_it_is_written(tmp_path: Path, written_as: str) -> None:
    assert load_params(written(tmp_path, ("lr: 1.5e-4", f"lr: {written_as}"))).train.lr == 3e-5


def test_training_reviews_are_cut_to_no_more_than_others(tmp_path: Path) -> None:
    path = written(tmp_path, ("train_max_length:\n", "train_max_length: 193\n"))
    sentence = "tokenize needs train_max_length of at most max_length, 192 (or none, which is the same)"
    with pytest.raises(UserError, match=f"^{re.escape(f'{path}: {sentence}')}$"):
        load_params(path)
    cut = load_params(written(tmp_path, ("train_max_length:\n", "train_max_length: 128\n"))).tokenize
    assert (cut.max_length, cut.of_training.max_length) == (192, 128)


@pytest.mark.parametrize("key", ["tokenize.parts", "download.text", "baseline.C"])
def test_an_empty_list_is_refused_where_something_must_be_in_it(key: str) -> None:
    content = content_with(key, lambda inner, last: inner.__setitem__(last, []))
    with pytest.raises(
        UserError, match=rf"^params\.yaml: {re.escape(key)} is \[\], but must be of at least one entry$"
    ):
        validate(Params, content, "params.yaml")


@pytest.mark.parametrize(
    ("legal", "illegal", "sentence"),
    [
        (
            [("  runs: 1", "  runs: 2")],
            ("over_time: run", "over_time: shorten"),
            "runs: 1 where over_time is shorten (each run would be timed, and end elsewhere)",
        ),
        (
            [("pretrained_share: 0.2", "pretrained_share: 0.5"), ("freeze: embeddings", "freeze: none")],
            ("from_scratch: false", "from_scratch: true"),
            "pretrained_share: 0 where from_scratch is true (there are no pretrained weights)",
        ),
    ],
)
def test_what_is_legal_alone_may_not_go_together(
    tmp_path: Path, legal: list[tuple[str, str]], illegal: tuple[str, str], sentence: str
) -> None:
    path = written(tmp_path, *legal, illegal)
    with pytest.raises(UserError, match=f"^{re.escape(f'{path}: train needs {sentence}')}$"):
        load_params(path)
    key, value = legal[0][1].strip().split(": ")
    assert str(getattr(load_params(written(tmp_path, *legal)).train, key)) == value


@pytest.mark.parametrize(
    ("change", "suits", "reason"),
    [
        (("from_scratch: false", "from_scratch: true"), "none", "is true (what is frozen would stay random)"),
        (("lora_rank: 0", "lora_rank: 8"), "encoder", "is more than 0 (LoRA learns updates of frozen weights)"),
    ],
)
def test_what_is_frozen_must_suit(tmp_path: Path, change: tuple[str, str], suits: str, reason: str) -> None:
    key, value = change[1].split(": ")
    none_kept = ("pretrained_share: 0.2", "pretrained_share: 0.0")
    for freeze in {"none", "embeddings", "encoder"} - {suits}:
        path = written(tmp_path, ("freeze: embeddings\n", f"freeze: {freeze}\n"), change, none_kept)
        sentence = f"train needs freeze: {suits} where {key} {reason}"
        with pytest.raises(UserError, match=f"^{re.escape(f'{path}: {sentence}')}$"):
            load_params(path)
    path = written(tmp_path, ("freeze: embeddings\n", f"freeze: {suits}\n"), change, none_kept)
    assert str(getattr(load_params(path).train, key)).lower() == value


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_portable_bits_are_not_asked_of_a_gpu(tmp_path: Path, device: str) -> None:
    portable = ("precision: auto", "precision: portable")
    sentence = f"it needs device: cpu where precision is portable (the bits of {device} are those of one kind of GPU)"
    path = written(tmp_path, portable, ("device: auto", f"device: {device}"))
    with pytest.raises(UserError, match=f"^{re.escape(f'{path}: {sentence}')}$"):
        load_params(path)
    assert load_params(written(tmp_path, portable)).device == "auto"
    assert load_params(written(tmp_path, portable, ("device: auto", "device: cpu"))).precision == "portable"


def test_a_dataset_that_is_trained_on_is_not_evaluated_on_as_another(tmp_path: Path) -> None:
    path = written(tmp_path, ("dataset: reviews\n", "dataset: books\n"))
    with pytest.raises(UserError, match="it needs cross_datasets without books, which is the dataset that is trained"):
        load_params(path)
    path = written(tmp_path, ("- travel\n", "- books\n"))
    with pytest.raises(
        UserError, match="it needs each of cross_datasets once, not books, restaurants, products, books"
    ):
        load_params(path)


@pytest.mark.parametrize("name", ["org/name@main", "my reviews.csv", "a;b", "/data/a.csv", "../a.csv", "a\nb"])
def test_a_further_dataset_has_a_name_that_fits_into_a_path_and_a_command(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, ("- travel\n", f"- {json.dumps(name)}\n"))
    sentence = f"it needs cross_datasets of letters, digits and . _ - /, not {name!r} (rename the file; pin a revision "
    with pytest.raises(UserError, match=re.escape(sentence)):
        load_params(path)
    for legal in ("reviews.csv", "own/reviews_2.csv.gz", "org/name-3"):
        assert legal in load_params(written(tmp_path, ("- travel\n", f"- {legal}\n"))).cross_datasets


@pytest.mark.parametrize(
    "labels", ["{1: 0, 3: drop, 5: 1}", '{"1": 0, 3.0: drop, "5": 1}', "{1.0: 0, ' 3': drop, 05: 1}"]
)
def test_a_label_has_one_name_however_it_is_written(tmp_path: Path, labels: str) -> None:
    path = written(tmp_path, ("  labels:\n", f"  labels: {labels}\n"))
    assert load_params(path).download.labels == {"1": 0, "3": "drop", "5": 1}


def test_words_and_booleans_are_labels_whatever_their_case(tmp_path: Path) -> None:
    path = written(tmp_path, ("  labels:\n", "  labels: {Not sure: drop, true: 1, No: 0, -1: 0, 0.5: drop}\n"))
    assert load_params(path).download.labels == {"not sure": "drop", "true": 1, "no": 0, "-1": 0, "0.5": "drop"}


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ("{1: 0, '1': 1}", "download.labels needs each label once, not 1, 1"),
        ("{pos: 1, Pos: 0}", "download.labels needs each label once, not pos, Pos"),
        ("{1: 0, 2: drop}", "download.labels needs a label that means 0 (negative) and one that means 1 (positive)"),
        ("{1: 0, 2: 2}", "download.labels.2 is 2, but must be 0, 1 or 'drop'"),
        ("{1: 0, 2: positive}", "download.labels.2 is 'positive', but must be 0, 1 or 'drop'"),
        ("{}", "download.labels needs a label that means 0"),
        ("{null: 0, 1: 1}", "download.labels.None.[key] is None, but must be a valid string"),
    ],
)
def test_a_rule_for_labels_that_leaves_a_doubt_is_refused(tmp_path: Path, labels: str, problem: str) -> None:
    path = written(tmp_path, ("  labels:\n", f"  labels: {labels}\n"))
    with pytest.raises(UserError, match="^" + re.escape(f"{path}: {problem}")):
        load_params(path)


def test_the_empty_label_may_be_dropped(tmp_path: Path) -> None:
    path = written(tmp_path, ("  labels:\n", "  labels: {'': drop, 0: 0, 1: 1}\n"))
    assert load_params(path).download.labels == {"": "drop", "0": 0, "1": 1}


@pytest.mark.parametrize(
    ("key", "value", "known"),
    [
        ("encoding", "cp1252", "cp1252"),
        ("delimiter", "semicolon", ";"),
        ("delimiter", "tab", "\t"),
        ("delimiter", "'\\t'", "\t"),
        ("delimiter", "'|'", "|"),
        ("columns", "[label, title, text]", ["label", "title", "text"]),
    ],
)
def test_how_files_are_read_may_be_said(tmp_path: Path, key: str, value: str, known: Any) -> None:
    assert getattr(load_params(written(tmp_path, (f"  {key}:\n", f"  {key}: {value}\n"))).download, key) == known


@pytest.mark.parametrize(
    ("key", "value", "legal"),
    [
        ("encoding", "windows", "the name of one of Python's encodings, such as cp1252 or utf-16, not 'windows'"),
        ("encoding", "base64", "the name of one of Python's encodings, such as cp1252 or utf-16, not 'base64'"),
        ("delimiter", "';;'", "comma, semicolon, tab, pipe, or another single sign, not ';;'"),
        ("delimiter", "a", "comma, semicolon, tab, pipe, or another single sign, not 'a'"),
        ("columns", "[text, label, text]", "each column once, not text, label, text"),
    ],
)
def test_what_no_file_can_be_read_with_is_refused(tmp_path: Path, key: str, value: str, legal: str) -> None:
    path = written(tmp_path, (f"  {key}:\n", f"  {key}: {value}\n"))
    with pytest.raises(UserError, match="^" + re.escape(f"{path}: download.{key} needs {legal}")):
        load_params(path)


def test_one_column_of_text_or_several_may_be_named(tmp_path: Path) -> None:
    assert load_params(PARAMS).download.text == ["text"]
    path = written(tmp_path, ("  text: text\n", "  text: [title, content]\n"))
    assert load_params(path).download.text == ["title", "content"]
