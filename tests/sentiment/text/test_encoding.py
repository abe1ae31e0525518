import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.core.errors import UserError
from sentiment.core.params import Params, Tokenize
from sentiment.text import encoding
from sentiment.text.encoding import Encoded, Encoder, Padding, load_tokenizer, truncate
from sentiment.text.spelling import Spelled

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

IDS = st.lists(st.integers(0, 100), max_size=60)
SHARES = st.floats(0, 1)


def tokenize(max_length: int = 8, head_share: float = 0.5) -> Tokenize:
    cut = {"max_length": max_length, "train_max_length": None, "head_share": head_share}
    return Tokenize.model_validate(cut | {"parts": [1]})


@given(ids=IDS, room=st.integers(1, 40), share=SHARES)
def test_a_cut_review_keeps_its_share_of_the_head_and_the_rest_from_its_tail(
    ids: list[int], room: int, share: float
) -> None:
    kept = truncate(list(ids), room, tokenize(head_share=share))
    assert len(kept) == min(len(ids), room)
    if len(ids) <= room:
        assert kept == ids
        return
    head = round(room * share)
    assert kept[:head] == ids[:head]
    assert kept[head:] == ids[len(ids) - (room - head) :]


def test_special_tokens_enclose_what_is_kept(tokenizer: "PreTrainedTokenizerFast") -> None:
    words = "the film was good and the cast was bad"
    for share, expected in {
        1.0: "[CLS] the film was good and the [SEP]",
        0.0: "[CLS] good and the cast was bad [SEP]",
        0.5: "[CLS] the film was cast was bad [SEP]",
    }.items():
        (review,) = Encoder(tokenizer, tokenize(head_share=share))([words])
        assert " ".join(tokenizer.convert_ids_to_tokens(review.input_ids)) == expected
        assert (review.tokens, review.unknown) == (11, 0)


def test_a_review_that_fits_is_encoded_as_the_tokenizer_does(tokenizer: "PreTrainedTokenizerFast") -> None:
    texts = ["Good film", "it's 漢 bad", "", "x"]
    encodings = list(Encoder(tokenizer, tokenize(64))(texts))
    assert [review.input_ids for review in encodings] == tokenizer(texts)["input_ids"]
    assert [review.tokens for review in encodings] == [len(review.input_ids) for review in encodings]
    assert [review.unknown for review in encodings] == [0, 2, 0, 0]


def test_unknown_tokens_are_counted_before_the_cut(tokenizer: "PreTrainedTokenizerFast") -> None:
    (review,) = Encoder(tokenizer, tokenize(8, 1.0))(["good " * 20 + "漢 漢"])
    assert review.unknown == 2


@given(texts=st.lists(st.text(max_size=30), max_size=7), chunk=st.integers(1, 4))
def test_chunks_leave_no_trace_in_the_encodings(
    tokenizer: "PreTrainedTokenizerFast", texts: list[str], chunk: int
) -> None:
    encode = Encoder(tokenizer, tokenize(16))
    whole = list(encode(texts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "CHUNK", chunk)
        assert list(encode(texts)) == whole
    assert all(len(review.input_ids) <= 16 for review in whole)


@given(texts=st.lists(st.text(st.sampled_from("god film[SEP]😀é "), max_size=30), min_size=1, max_size=4))
def test_the_ids_are_those_that_the_tokenizer_gives_whatever_it_was_used_for_before(
    tokenizer: "PreTrainedTokenizerFast", texts: list[str]
) -> None:
    expected = tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    tokenizer(["good film", "bad"], truncation=True, max_length=3, padding="max_length")
    encodings = Encoder(tokenizer, tokenize(64), emoji={})(texts)
    assert [review.input_ids[1:-1] for review in encodings] == expected


def test_a_tokenizer_that_is_written_in_python_serves_too(tmp_path: Path) -> None:
    from transformers import CTRLTokenizer

    (tmp_path / "vocab.json").write_text('{"<unk>": 0, "good": 1, "g@@": 2}')
    (tmp_path / "merges.txt").write_text("#version: 0.2\ng o\ngo o\ngoo d</w>\n")
    tokenizer = CTRLTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"), pad_token="<unk>")
    assert list(Encoder(tokenizer, tokenize())(["good g", "good"])) == [
        Encoded([1, 0], 2, Spelled(2, 2, 1)),
        Encoded([1], 1, Spelled(1, 1, 0)),
    ]


def test_reviews_are_encoded_no_sooner_than_they_are_asked_for(tokenizer: "PreTrainedTokenizerFast") -> None:
    def texts() -> Iterator[str]:
        for _ in range(encoding.CHUNK):
            yield "good"
        raise AssertionError

    encodings = Encoder(tokenizer, tokenize())(texts())
    assert isinstance(next(encodings), Encoded)


def test_a_length_that_the_model_cannot_take_is_refused_with_the_limit(tokenizer: "PreTrainedTokenizerFast") -> None:
    assert Encoder(tokenizer, tokenize(64))
    sentence = "params.yaml: tokenize.max_length is 65, but the model takes at most 64 tokens"
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}"):
        Encoder(tokenizer, tokenize(65))


def test_a_saved_tokenizer_is_loaded_with_the_same_ids(
    pretrained: Path, tokenizer: "PreTrainedTokenizerFast", params_with: Callable[..., Params]
) -> None:
    loaded = load_tokenizer(pretrained)
    text = "A brilliant film, its plot was dull"
    assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert (loaded.model_max_length, loaded.pad_token) == (64, "[PAD]")


def test_a_tokenizer_without_padding_takes_its_end_token(
    tmp_path: Path, tokenizer_with: Callable[..., "PreTrainedTokenizerFast"]
) -> None:
    tokenizer_with(pad_token=None, eos_token="[SEP]").save_pretrained(tmp_path)
    assert Padding.of(load_tokenizer(tmp_path)) == Padding(3, "right")


@pytest.mark.parametrize("content", [None, "", '{"version": "1.0"', "{}", "[]"])
def test_a_folder_without_a_usable_tokenizer_is_refused_in_one_line(
    pretrained: Path, tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        for path in pretrained.glob("*.json"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(UserError, match=f"^{re.escape(str(tmp_path))} holds no usable tokenizer: [^\n]+$"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("side", "ids", "mask"),
    [
        ("right", [[5, 6, 7], [8, 0, 0]], [[1, 1, 1], [1, 0, 0]]),
        ("left", [[5, 6, 7], [0, 0, 8]], [[1, 1, 1], [0, 0, 1]]),
    ],
)
def test_rows_are_padded_to_the_longest_on_the_tokenizers_side(
    side: str, ids: list[list[int]], mask: list[list[int]]
) -> None:
    padding = Padding(token=0, side=side)
    batch = padding([{"input_ids": [5, 6, 7], "labels": 1}, {"input_ids": [8], "labels": 0}])
    assert {name: tensor.tolist() for name, tensor in batch.items()} == {
        "input_ids": ids,
        "attention_mask": mask,
        "labels": [1, 0],
    }
    assert "labels" not in padding([{"input_ids": [5]}])
