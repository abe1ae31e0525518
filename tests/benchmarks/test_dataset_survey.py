"""The survey of datasets counts what is known of those that are made up here."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from benchmarks.dataset_survey import describe, find_leaks
from sentiment.core.params import Params
from sentiment.core.parquet import write_parquet
from sentiment.text.encoding import Encoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@pytest.fixture
def params(params_with: Callable[..., Params]) -> Params:
    return params_with(tokenize={"max_length": 8})


def table(path: Path, reviews: list[tuple[str, int]]) -> Path:
    texts, labels = zip(*reviews, strict=True)
    write_parquet(path, pa.table({"text": list(texts), "label": pa.array(labels, pa.int8())}))
    return path


def test_the_survey_counts_what_is_known_of_a_made_up_dataset(
    tmp_path: Path, params: Params, tokenizer: "PreTrainedTokenizerFast"
) -> None:
    reviews = [("good", 1), ("Good", 1), ("bad<br />plot", 0), ("dull", 0), ("dull", 1), ("fine the film, 8/10", 1)]
    found = describe(table(tmp_path / "made.parquet", reviews), params, Encoder(tokenizer, params.tokenize))

    assert {key: found[key] for key in ("read", "empty", "contradictory", "duplicate", "positives")} == {
        "read": 6,
        "empty": 0,
        "contradictory": 2,
        "duplicate": 1,
        "positives": 4,
    }
    assert found["words_max"] == 4
    assert found["words_p50_by_label"] == [1.5, 1]
    assert found["html_share"] == found["rating_share"] == pytest.approx(1 / 6)
    assert found["truncated_share"] == pytest.approx(1 / 6)


def test_a_sentence_is_found_in_the_review_that_it_was_cut_from_and_each_dataset_has_its_own_count(
    tmp_path: Path, params: Params
) -> None:
    whole = "The plot was very dull and its cast was a very fine one, the book was a good one."
    files = {
        "reviews": table(tmp_path / "reviews.parquet", [(whole, 0), ("Nothing of the kind is in here at all.", 1)]),
        "sentences": table(tmp_path / "sentences.parquet", [("its cast was a very fine one", 1), ("good", 1)]),
        "copies": table(tmp_path / "copies.parquet", [(whole.upper(), 0)]),
    }
    sentences, copies = find_leaks(["sentences", "copies"], "reviews", files, params)

    assert sentences == {
        "of": "sentences",
        "in": "reviews",
        "leaked_exact": 0,
        "leaked_contained": 1,
        "leaked_near": 0,
    }
    assert (copies["of"], copies["leaked_exact"]) == ("copies", 1)
