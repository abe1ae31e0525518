"""Tokenizers of every algorithm, learnt from a few sentences."""

import hashlib
import subprocess
import sys

import pytest

from sentiment.core.params import Tokenize
from sentiment.text.encoding import Encoder
from sentiment.tokenizer_study.trained_tokenizers import ALGORITHMS, learn
from tests.conftest import ROOT

SIZE = 500
STEMS = ["watch", "bor", "enjoy", "act", "direct", "lov", "hat", "play", "film", "laugh", "sleep", "wonder"]
ENDS = ["", "s", "ed", "ing", "er", "able", "ful", "less", "ness", "ment", "ly", "ish", "y", "ation", "ive"]
WORDS = [f"{start}{stem}{end}" for start in ("", "un", "re", "over") for stem in STEMS for end in ENDS]
TEXTS = [f"the {word} was {WORDS[i - 7]}, it isn't {WORDS[i - 31]}." for i, word in enumerate(WORDS)]
CUTTING = ["WordPiece", "BPE", "byte-level BPE", "Unigram", "words"]
WHOLE = Tokenize(max_length=1000, train_max_length=None, head_share=1.0, parts=[1])

SCRIPT = """
import hashlib
from sentiment.tokenizer_study.trained_tokenizers import learn
from tests.sentiment.tokenizer_study.test_trained_tokenizers import CUTTING, SIZE, TEXTS
print(*(hashlib.sha256(learn(name, TEXTS, SIZE).backend_tokenizer.to_str().encode()).hexdigest() for name in CUTTING))
"""


def unknown(algorithm: str, text: str) -> int:
    (encoded,) = Encoder(learn(algorithm, TEXTS, SIZE), WHOLE)([text])
    return encoded.unknown


def test_a_tokenizer_learnt_in_another_process_with_other_threads_is_the_same_byte_for_byte() -> None:
    here = [
        hashlib.sha256(learn(name, TEXTS, SIZE).backend_tokenizer.to_str().encode()).hexdigest() for name in CUTTING
    ]
    for threads in ("1", "3"):
        environment = {"PYTHONPATH": str(ROOT), "PATH": "", "RAYON_NUM_THREADS": threads}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )

        assert done.stdout.split() == here


@pytest.mark.parametrize("algorithm", CUTTING)
def test_every_algorithm_fills_the_vocabulary_where_the_texts_have_enough(algorithm: str) -> None:
    assert len(learn(algorithm, TEXTS, SIZE)) == SIZE


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_texts_too_few_for_the_size_give_a_smaller_vocabulary(algorithm: str) -> None:
    assert 0 < len(learn(algorithm, ["the plot was good", "it was bad"], SIZE)) < SIZE


def test_characters_and_bytes_are_one_token_each() -> None:
    text = "the plot"

    assert learn("characters", TEXTS, SIZE).tokenize(text) == ["t", "h", "e", "▁", "p", "l", "o", "t"]
    assert learn("bytes", TEXTS, SIZE).tokenize("é 😀") == [*"Ã©", "Ġ", *"ðŁĺĢ"]


@pytest.mark.parametrize("algorithm", ["bytes", "byte-level BPE"])
def test_no_text_is_unknown_to_bytes(algorithm: str) -> None:
    tokenizer = learn(algorithm, TEXTS, SIZE)

    assert tokenizer.unk_token is None
    assert unknown(algorithm, "😀 漢字 \ufffd Zeitverschwendung") == 0


@pytest.mark.parametrize(
    ("algorithm", "tokens"), [("WordPiece", 1), ("words", 1), ("BPE", 1), ("Unigram", 1), ("characters", 1)]
)
def test_a_character_that_no_text_held_is_unknown_to_the_others(algorithm: str, tokens: int) -> None:
    assert unknown(algorithm, "the 漢") == tokens


def test_a_new_word_of_known_letters_is_unknown_to_words_only() -> None:
    assert {name for name in ALGORITHMS if unknown(name, "thelaughs")} == {"words"}


@pytest.mark.parametrize("algorithm", ["Unigram", "characters"])
def test_pieces_with_the_blank_in_them_give_the_text_back(algorithm: str) -> None:
    text = "the wonderful film wasn't overacted."

    assert "".join(learn(algorithm, TEXTS, SIZE).tokenize(text)).replace("▁", " ").strip() == text


@pytest.mark.parametrize("algorithm", ["WordPiece", "BPE"])
def test_pieces_of_words_lose_only_where_the_blanks_were(algorithm: str) -> None:
    pieces = learn(algorithm, TEXTS, SIZE).tokenize("the wonderful film wasn't overacted.")

    assert "".join(piece.removeprefix("##") for piece in pieces) == "thewonderfulfilmwasn'toveracted."


def test_many_scripts_do_not_crowd_the_vocabulary_out() -> None:
    rare = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 600))
    for algorithm in ("WordPiece", "BPE", "Unigram"):
        tokenizer = learn(algorithm, [*TEXTS * 2, rare], SIZE)

        assert len(tokenizer) == SIZE
        assert "".join(piece.strip("#▁") for piece in tokenizer.tokenize("the")) == "the"
    assert len(learn("characters", [*TEXTS * 2, rare], SIZE)) == SIZE // 4 + 4
