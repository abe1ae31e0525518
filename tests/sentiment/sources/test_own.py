"""The splits of a folder in own/."""

from pathlib import Path

import pytest

from sentiment.core.errors import UserError, setting
from sentiment.sources.own import own_splits


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text,label\n")
    return folder


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["train.csv"], {"train": "train.csv"}),
        (["Train.csv", "TEST.tsv"], {"train": "Train.csv", "test": "TEST.tsv"}),
        (["train.ft.txt.bz2", "test.ft.txt.bz2"], {"train": "train.ft.txt.bz2", "test": "test.ft.txt.bz2"}),
        (["Corona_train.csv", "Corona_test.csv"], {"train": "Corona_train.csv", "test": "Corona_test.csv"}),
        (["x_training.csv", "x_validation.csv"], {"train": "x_training.csv", "test": "x_validation.csv"}),
        (["train.csv", "dev.csv"], {"train": "train.csv", "test": "dev.csv"}),
        (["train.csv", "train_more.csv", "latest.csv"], {"train": "train.csv"}),
        (["train/pos/1.txt", "train/neg/1.txt", "train/unsup/1.txt", "test/pos/1.txt", "test/neg/1.txt", "vocab.txt"],
         {"train": "train", "test": "test"}),
        (["pos/1.txt", "neg/1.txt"], {"train": "."}),
        (["rt.pos", "rt.neg", "README.txt"], {"train": "."}),
        (["txt_sentoken/pos/1.txt", "txt_sentoken/neg/1.txt", "README.txt"], {"train": "txt_sentoken"}),
        (["aclImdb/train/pos/1.txt", "aclImdb/train/neg/1.txt"], {"train": "aclImdb/train"}),
    ],
)  # fmt: skip
def test_names_tell_the_splits(tmp_path: Path, names: list[str], splits: dict[str, str]) -> None:
    found = own_splits(make(tmp_path, *names))
    assert {split: path.relative_to(tmp_path).as_posix() for split, path in found.items()} == splits


@pytest.mark.parametrize("name", ["dev.csv", "Valid.csv", "validation-0.csv", "val.jsonl.gz"])
def test_a_third_file_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError) as caught:
        own_splits(make(tmp_path, "train.csv", "test.csv", name))
    assert str(caught.value) == (
        f"{tmp_path} has {name} beside train.csv and test.csv, but the validation reviews are drawn from the training "
        f"reviews (subsample.validation_share): add what is in {name} to train.csv, or move it out of {tmp_path}"
    )


def test_what_is_not_read_and_what_stands_in_for_the_test_split_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_splits(make(tmp_path, "train.csv", "dev.csv", "sample.csv", "picture.png"))
    assert capsys.readouterr().out == (
        f"{tmp_path}: not read, as their names tell no split: sample.csv\n"
        f"{tmp_path}: dev.csv is the test split, as there is no other\n"
    )


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["train.csv", "train.tsv"], "has both train.csv and train.tsv: leave one train.* there"),
        (["a_train.csv", "b_train.csv"], "has both a_train.csv and b_train.csv"),
        (["train.csv", "train/pos/1.txt", "train/neg/1.txt"], "has both train and train.csv"),
        (["data.csv"], "has no train file: name one train.csv, or train with .csv, "),
        (["pos/1.txt", "bad/1.txt"], "has no train file"),
    ],
)
def test_a_folder_that_leaves_a_choice_is_refused(tmp_path: Path, names: list[str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        own_splits(make(tmp_path, *names))
    assert str(caught.value).startswith(f"{tmp_path} {said}")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("reviews.csv", "-S dataset=reviews.csv"),
        ("my reviews.csv", "-S dataset='my reviews.csv'"),
        ("reviews (1).csv", "-S \"dataset='reviews (1).csv'\""),
        ("критика.csv", "-S \"dataset='критика.csv'\""),
        ("a=b,c.csv", "-S \"dataset='a=b,c.csv'\""),
        ("it's.csv", "-S \"dataset='it\\'s.csv'\""),
    ],
)
def test_a_name_is_told_with_the_quotes_that_dvc_and_a_shell_need(name: str, written: str) -> None:
    import shlex

    from hydra.core.override_parser.overrides_parser import OverridesParser

    assert setting("dataset", name) == written
    assert OverridesParser.create().parse_override(shlex.split(written)[1]).value() == name
