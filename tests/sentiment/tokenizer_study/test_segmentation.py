"""What is told of a tokenizer."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sentiment.core.errors import UserError
from sentiment.core.params import Tokenize
from sentiment.text.encoding import Encoder, load_tokenizer
from sentiment.tokenizer_study.segmentation import (
    TELLING,
    figures,
    load_own_tokenizer,
    pieces,
    renumber,
    whole_words,
)
from sentiment.tokenizer_study.trained_tokenizers import learn
from tests.conftest import ROOT

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

REAL_TOKENIZERS = Path(os.environ.get("REAL_TOKENIZERS", ROOT.parent / "shared" / "tokenizers"))
PARAMS = Tokenize(max_length=8, train_max_length=None, head_share=1.0, parts=[1])


def test_pieces_are_those_of_a_word_in_a_sentence(tokenizer: "PreTrainedTokenizerFast") -> None:
    assert pieces(tokenizer, ["good", "goods", "😀"]) == [["good"], ["good", "##s"], ["[UNK]"]]
    assert pieces(learn("bytes", ["a"], 500), ["ok"]) == [["Ġ", "o", "k"]]


def test_a_word_is_whole_where_it_is_one_known_token(tokenizer: "PreTrainedTokenizerFast") -> None:
    assert whole_words(tokenizer, ["The film was good, very good!"]) == 1
    assert whole_words(tokenizer, ["good isn't 漢字 films"]) == 0.25
    assert whole_words(tokenizer, ["!"]) == 0


def test_fertility_counts_tokens_per_word_without_special_ones() -> None:
    texts = ["the plot was good", "it isn't"]
    characters = learn("characters", texts, 500)
    encoded = list(Encoder(characters, PARAMS)(texts))
    found = figures(characters, texts, encoded, PARAMS.max_length)

    assert found["fertility"] == sum(map(len, texts)) / 6
    assert found["tokens_p50"] == (len(texts[0]) + len(texts[1])) / 2 + 2
    assert found["truncated_share"] == 1
    assert found["whole_words"] == 0
    assert set(found["cuts"]) == {word for words in TELLING.values() for word in words}


def test_another_numbering_keeps_special_tokens_and_tells_the_same_words_apart(
    tokenizer: "PreTrainedTokenizerFast",
) -> None:
    ids = tokenizer(["the film was good", "the plot was bad"])["input_ids"]
    other = renumber(ids, tokenizer, 0)

    assert other == renumber(ids, tokenizer, 0) != renumber(ids, tokenizer, 1)
    assert [(row[0], row[-1]) for row in other] == [(row[0], row[-1]) for row in ids]
    assert sum(new != old for rows in zip(other, ids, strict=True) for new, old in zip(*rows, strict=True)) > 4
    assert other[0][1] == other[1][1] != other[0][2]


@pytest.mark.parametrize("name", ["lost", "../own/lost", ".."])
def test_a_folder_that_is_not_there_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UserError, match=r"compare_tokenizers\.pretrained names '.*', but own/ has no such folder: put"):
        load_own_tokenizer(name)


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("google-bert__bert-base-uncased", "[UNK]"),
        ("FacebookAI__roberta-base", "ĠðŁĺ Ģ"),
        ("xlnet__xlnet-base-cased", "▁ <unk>"),
        ("microsoft__deberta-v3-small", "▁😀"),
    ],
)
def test_families_differ_in_what_they_make_of_an_emoji(name: str, cut: str) -> None:
    if not (REAL_TOKENIZERS / name).is_dir():
        assert os.environ.get("CI") != "true", f"{REAL_TOKENIZERS} lacks {name}"
        pytest.skip(f"{REAL_TOKENIZERS} lacks {name}")
    assert pieces(load_tokenizer(REAL_TOKENIZERS / name), ["😀"]) == [cut.split()]
