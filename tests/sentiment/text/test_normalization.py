"""A tokenizer that cleans texts and names emoji by itself reads them as the project does."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.core.params import Cleaning, Preprocessing, Tokenize
from sentiment.text.cleaning import clean
from sentiment.text.emoji import unknown_emoji
from sentiment.text.encoding import Encoder, load_tokenizer
from sentiment.text.normalization import normalization, self_contained, without_normalization
from tests.families import FAMILIES, Family

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

CUT = Tokenize(max_length=64, train_max_length=None, head_share=0.25, parts=[1])
NAMES = {"👎": "thumbs down", "❤": "red heart", "❤‍🔥": "heart on fire", "🔥": "fire"}
NAMES |= {"🇩🇪": "Germany", "🇪🇺": "European Union", "🇺🇸": "United States"}
PIECES = ["good", " ", "\n", "<br>", "<BR />", "<br", ">", "\x07", "\x9f", "e\u0301", "é", "❤\ufe0f", "👎🏽", "\u200d"]
PIECES += ["🔥", "🇩🇪", "🇺🇸", "[SEP]", "\u00a0", "☃"]
EXAMPLES = ["A good film 👍🏽!", "so bad<br /><BR>awful\x07 cafe\u0301", " \u00a0caf\u00e9 ❤️‍🔥 🇩🇪🇺🇸🇪🇺\n", "it's … good"]


def preprocessing(tokenizer: "PreTrainedTokenizerBase", *, html_breaks: bool = True) -> Preprocessing:
    return Preprocessing(cleaning=Cleaning(html_breaks=html_breaks), emoji=unknown_emoji(tokenizer), tokenize=CUT)


@pytest.mark.parametrize("html_breaks", [True, False])
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=12))
def test_normalizing_is_to_clean_and_then_to_name_emoji(html_breaks: bool, pieces: list[str]) -> None:
    from sentiment.text.emoji import EmojiNames

    done = Preprocessing(cleaning=Cleaning(html_breaks=html_breaks), emoji=NAMES, tokenize=CUT)
    (cleaned,) = clean(pa.array(["".join(pieces)]), done.cleaning).to_pylist()

    # But for the number of blanks: between flags, and where nothing else is left, as some tokenizers have blank tokens.
    found = normalization(done).normalize_str("".join(pieces))
    assert found.split() == EmojiNames(NAMES)(cleaned).split()


def test_many_blanks_do_not_take_their_number_squared(tokenizer: "PreTrainedTokenizerFast") -> None:
    assert normalization(preprocessing(tokenizer)).normalize_str(f"a{' ' * 200_000}<br>b") == "a b"


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_every_familys_tokenizer_reads_by_itself_as_the_project_does(family: Family, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    family.write(tmp_path / "pretrained", real=False)
    tokenizer = load_tokenizer(tmp_path / "pretrained")
    done = preprocessing(tokenizer)
    self_contained(tokenizer, done).save_pretrained(tmp_path / "saved")
    cleaned = clean(pa.array(EXAMPLES), done.cleaning).to_pylist()
    expected = [review.input_ids for review in Encoder(tokenizer, CUT, done.emoji)(cleaned)]

    alone = AutoTokenizer.from_pretrained(tmp_path / "saved")(EXAMPLES)
    assert alone["input_ids"] == expected
    assert set(alone) == {"input_ids", "attention_mask"}
    again = load_tokenizer(tmp_path / "saved")
    assert [review.input_ids for review in Encoder(again, CUT, done.emoji)(cleaned)] == expected


def test_what_is_put_on_is_taken_off_and_nothing_else(tokenizer: "PreTrainedTokenizerFast") -> None:
    backend = self_contained(tokenizer, preprocessing(tokenizer)).backend_tokenizer
    before = tokenizer.backend_tokenizer.to_str()
    assert backend.to_str() != before
    for _ in range(2):
        without_normalization(backend)
        assert backend.normalizer.__getstate__() == tokenizer.backend_tokenizer.normalizer.__getstate__()


def test_a_tokenizer_written_in_python_stays_as_it_is(tmp_path: Path) -> None:
    from transformers import CTRLTokenizer

    (tmp_path / "vocab.json").write_text('{"<unk>": 0, "good": 1}')
    (tmp_path / "merges.txt").write_text("#version: 0.2\ng o\ngo o\ngoo d</w>\n")
    tokenizer = CTRLTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"), pad_token="<unk>")

    assert self_contained(tokenizer, preprocessing(tokenizer)) is tokenizer
