import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.params import Params
from sentiment.evaluation.scorer import Scorer
from sentiment.serving.predictor import GRAPH, Predictor
from sentiment.text.cleaning import clean
from tests.conftest import ROOT

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

NASTY = [
    "",
    " \t\n",
    "[CLS] [SEP] [PAD] [UNK] <s> </s> <|endoftext|>",
    "good [SEP] film",
    "it's 😀 … bad — \u00e9 e\u0301 \u200d \ufeff",
    "<br /><BR>good<br/>film",
    "\x00\x07bad\x1f\x9f film",
    "the film was superb " * 60,
    "x" * 5000,
]


@pytest.fixture(scope="module")
def scorer(trained_once: Path, params_with: Callable[..., Params]) -> Scorer:
    return Scorer(trained_once, params_with(precision="fp32", evaluate={"batch_size": 8}))


@pytest.fixture(scope="module")
def predictor(exported: Path) -> Predictor:
    return Predictor(exported)


@settings(max_examples=30)
@given(texts=st.lists(st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(NASTY), max_size=6))
def test_texts_become_the_ids_that_the_trained_model_reads(
    scorer: Scorer, predictor: Predictor, texts: list[str]
) -> None:
    cleaned = clean(pa.array(texts, pa.string()), scorer.preprocessing.cleaning).to_pylist()

    assert predictor.preprocessing == scorer.preprocessing
    assert predictor.clean(texts) == cleaned
    assert list(predictor.encode(cleaned)) == list(scorer.encode(cleaned))


@pytest.mark.parametrize("switched", [True, False])
def test_a_single_text_is_cleaned_as_in_a_table_whatever_letters_it_has(
    exported: Path, tmp_path: Path, switched: bool
) -> None:
    folder = shutil.copytree(exported, tmp_path / "exported")
    content = json.loads((folder / "preprocessing.json").read_text(encoding="utf-8"))
    content["cleaning"] = dict.fromkeys(content["cleaning"], switched)
    write_json(folder / "preprocessing.json", content)
    predictor = Predictor(folder)
    texts = [f"{chr(code)} a {chr(code)}{chr(code)}b<br />{chr(code)}" for code in range(256)]
    texts += [text.replace("<br />", "") for text in texts]

    cleaned = clean(pa.array(texts), predictor.preprocessing.cleaning).to_pylist()
    assert [predictor.clean([text])[0] for text in texts] == cleaned


def test_the_encoder_reads_texts_as_transformers_does(
    predictor: Predictor, tokenizer: "PreTrainedTokenizerFast"
) -> None:
    for text in NASTY[:7]:
        ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        (encoded,) = predictor.encode([text])

        assert encoded.input_ids == [2, *ids, 3][:64]


def test_scores_are_close_to_the_trained_models(scorer: Scorer, predictor: Predictor, toy_reviews: pa.Table) -> None:
    texts = [*toy_reviews["text"].to_pylist(), *NASTY]
    expected = scorer.score_texts(texts)

    np.testing.assert_allclose(predictor.score_texts(texts), expected, atol=0.02)
    assert np.ptp(expected) > 0.05


def test_a_text_has_the_same_score_alone_in_company_and_from_many_threads(
    exported: Path, predictor: Predictor, toy_reviews: pa.Table
) -> None:
    texts = toy_reviews["text"].to_pylist() + NASTY
    alone = [predictor.score_texts([text])[0] for text in texts]
    several = Predictor(exported, threads=3)

    assert predictor.score_texts(texts).tolist() == alone
    assert several.score_texts(texts[::-1])[::-1].tolist() == alone
    assert [several.score_texts([text])[0] for text in texts] == alone
    with ThreadPoolExecutor(8) as threads:
        for scores in threads.map(predictor.score_texts, [texts] * 8):
            assert scores.tolist() == alone


def test_a_predictor_keeps_its_model_when_the_folder_is_gone(exported: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(exported, tmp_path / "exported")
    predictor = Predictor(folder, threads=2)
    shutil.rmtree(folder)

    assert len(predictor.predict(["good"])) == 1
    assert len(predictor.predict(["good", "bad"])) == 2


def test_a_prediction_is_the_likelier_label_and_the_probability_of_positive(
    predictor: Predictor, toy_reviews: pa.Table
) -> None:
    texts = toy_reviews["text"].to_pylist()
    scores = predictor.score_texts(texts).tolist()

    assert predictor.predict(texts) == [("positive" if score >= 0.5 else "negative", score) for score in scores]
    assert min(scores) < 0.5 < max(scores)
    assert predictor.predict([]) == []


def test_a_verdict_is_that_of_the_threshold_saved_beside_the_model(
    exported: Path, tmp_path: Path, toy_reviews: pa.Table
) -> None:
    texts = toy_reviews["text"].to_pylist()
    folder = shutil.copytree(exported, tmp_path / "exported")
    median = float(np.median(Predictor(folder).score_texts(texts)))
    write_json(folder / "decision.json", {"threshold": median, "low": 0.0, "high": 1.0})

    found = Predictor(folder).predict(texts)
    assert found == [("positive" if score >= round(median, 6) else "negative", score) for _, score in found]
    assert {label for label, _ in found} == {"positive", "negative"}


def test_a_drift_with_length_is_taken_off(exported: Path, tmp_path: Path) -> None:
    texts = ["superb", "the film was superb", "the film was superb and the story was good"]
    odds = []
    for drift in (None, {"slope": 0.6, "tokens": 4.0}):
        folder = shutil.copytree(exported, tmp_path / str(bool(drift)))
        if drift:
            write_json(folder / "length_drift.json", drift)
        predictor = Predictor(folder)
        lengths = [len(encoded.input_ids) for encoded in predictor.encode(texts)]
        scores = predictor.score_texts(texts)
        odds.append(np.log(scores / (1 - scores)))

    np.testing.assert_allclose(odds[1] - odds[0], -0.6 * np.log(np.array(lengths) / 4), atol=1e-4)
    assert predictor.predict([]) == []


@pytest.mark.parametrize("text", [None, 5, b"good", "half \ud83d of a pair"])
def test_what_is_no_text_is_refused_with_its_place(predictor: Predictor, text: object) -> None:
    with pytest.raises(UserError, match=r"^text 1 is .*, but must be a string of whole Unicode characters$"):
        predictor.predict(["good", text])


def test_a_missing_folder_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="exported is missing: dvc repro makes it"):
        Predictor(tmp_path / "exported")


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\x08\x08"])
@pytest.mark.parametrize("file", [GRAPH, "tokenizer.json", "serving.json", "preprocessing.json"])
def test_a_damaged_folder_is_refused_in_one_line_that_names_the_file(
    exported: Path, tmp_path: Path, file: str, content: bytes | None
) -> None:
    folder = shutil.copytree(exported, tmp_path / "exported")
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)

    with pytest.raises(UserError, match=rf"^[^\n]*{file}[^\n]*$"):
        Predictor(folder)


WITHOUT = """
import sys
from pathlib import Path

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in {"torch", "transformers", "sklearn", "scipy", "pandas", "safetensors", "huggingface_hub", "onnx"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
from sentiment.serving.predictor import Predictor
print(Predictor(Path(sys.argv[1])).predict(["good"])[0][0])
"""


def test_prediction_needs_neither_torch_nor_the_other_heavy_packages(exported: Path) -> None:
    command = [sys.executable, "-c", WITHOUT, str(exported)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout in {"positive\n", "negative\n"}
