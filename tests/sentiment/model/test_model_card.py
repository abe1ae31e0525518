import re
from collections.abc import Callable
from typing import Any

import pytest

from sentiment.core.params import Params, Train
from sentiment.model.model_card import exported_card, model_card

ORIGIN = {"model": "tiny", "licence": "Apache-2.0", "origin": "org/tiny", "revision": "0123abc"}
VALIDATION = {"accuracy": 0.91234, "log_loss": 0.25}
METRICS = {
    "steps": 90,
    "best_step": 60,
    "validations": 3,
    "bias_shift": 0.5678,
    "validation": VALIDATION,
    "temperature": 1.2345,
    "decision": {"threshold": 0.5, "low": 0.25, "high": 0.75},
}


@pytest.fixture
def card(params_with: Callable[..., Params]) -> Callable[..., str]:
    def make(decision: dict[str, float] = METRICS["decision"], **changes: Any) -> str:
        metrics = METRICS | {"decision": decision}
        return model_card(params_with(**changes), ORIGIN, {"train": 12345, "validation": 600}, metrics)

    return make


def test_the_card_names_model_data_and_result(card: Callable[..., str]) -> None:
    text = " ".join(card(dataset="films", tokenize={"max_length": 99, "parts": [1, 3]}).split())
    for part in (
        "base_model: org/tiny license: apache-2.0 ---",
        "# Sentiment of reviews: tiny, fine-tuned on films",
        "The encoder is org/tiny at revision 0123abc.",
        "12,345 reviews of `films` to learn from, whole and in 3 parts each, and 600 to choose the checkpoint",
        "cut to 99 tokens",
        "Of 3 validations, the one at step 60 of 90 was the best. To lean to neither side on sentences, +0.568 was",
        "It has an accuracy of 0.912 and a log loss of 0.250 on the validation reviews.",
        "the logits were divided by 1.234, a temperature that is part of the weights.",
    ):
        assert part in text


def test_three_lines_load_the_model_and_say_what_its_pooling_asks_for(card: Callable[..., str]) -> None:
    mean, first = card(train={"pooling": "mean"}), card(train={"pooling": "first"})
    assert 'pipeline("text-classification", "models/sentiment", trust_remote_code=True)\nclassify("So bad 👎")' in mean
    assert 'pipeline("text-classification", "models/sentiment")\nclassify("So bad 👎", truncation=True)' in first
    assert "`trust_remote_code=True` lets it run `architecture.py`" in mean
    assert "No tokenizer can keep a text's beginning and its end" in first


def test_every_parameter_that_made_the_model_is_in_the_table(card: Callable[..., str]) -> None:
    text = card(seed=7, threads=3, train={"lr": 3e-5, "dropout": None})
    rows = dict(re.findall(r"^\| (\w+) \| (.*) \|$", text, re.MULTILINE))
    decisive = set(Train.model_fields) - {"max_minutes", "over_time", "report_to", "processes", "device_batch_size"}
    assert set(rows) == decisive | {"seed", "threads", "precision", "parameter"}
    assert (rows["seed"], rows["threads"], rows["dropout"]) == ("7", "3", "")
    assert float(rows["lr"]) == 3e-5


def test_a_model_that_was_trained_from_scratch_says_so(card: Callable[..., str]) -> None:
    text = card(train={"from_scratch": True, "freeze": "none", "pretrained_share": 0.0})
    assert "The encoder, trained from random weights, is org/tiny" in text


def test_the_card_says_how_scores_become_verdicts_and_who_does_not_know(card: Callable[..., str]) -> None:
    texts = card(), card({"threshold": 0.3, "low": 0.3, "high": 0.3})
    half, own = (" ".join(text.split()) for text in texts)
    assert "A review is called positive where that is the likelier label. Between scores of 0.250 and 0.750" in half
    assert "a verdict is unsure: there fewer than 75% of those" in half
    assert "A review is called positive from a score of 0.300 on (`decision.json`). Only the project knows" in own
    assert "names the likelier label, as if the threshold were 0.5. At every score 75% or more" in own


def test_a_model_that_is_an_average_of_trainings_says_so(card: Callable[..., str]) -> None:
    text = " ".join(card(train={"runs": 3}).split())
    assert "The average of 3 trainings, of 90 steps together, each taken where it validated best. To lean" in text


def test_braces_in_a_name_are_left_alone(card: Callable[..., str]) -> None:
    assert "fine-tuned on {odd} name" in card(dataset="{odd} name")


def test_the_card_depends_on_its_arguments_alone(card: Callable[..., str]) -> None:
    assert card() == card() != card(seed=1)


def test_the_exported_models_card_differs_in_its_use_and_says_what_rounding_changed(card: Callable[..., str]) -> None:
    figures = {
        "bytes_int8": 23,
        "bytes_fp32": 90,
        "n": 480,
        "agreement": 0.9917,
        "accuracy_int8": 0.9,
        "accuracy_fp32": 0.8,
    }
    trained = card()
    exported = exported_card(trained, figures)

    assert exported.startswith("---\nlibrary_name: onnx\n")
    assert "trust_remote_code" not in exported
    assert 'subfolder="onnx", file_name="model_quantized.onnx"' in exported
    assert '{ dtype: "q8" }' in exported
    assert "it labels 99.17% as the original does" in exported
    assert exported[exported.index("## Limits") :] == trained[trained.index("## Limits") :]
    assert (
        exported[exported.index("# Sentiment") : exported.index("## Use")]
        == (trained[trained.index("# Sentiment") : trained.index("## Use")])
    )
