"""The predicted costs follow from the models' configurations and agree with what is known of them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.costs import (
    DEVICES,
    MODELS,
    PUBLISHED_TIMINGS,
    Timing,
    flops_per_token,
    memory,
    multiplied,
    parameters,
    predictions,
    tokens_per_second,
)
from sentiment.core.files import round_floats
from sentiment.core.schemas import read_yaml
from sentiment.model.device import NAMES, arithmetic

ROOT = Path(__file__).resolve().parents[2]

# Counted by transformers 5.23: AutoModelForSequenceClassification.from_config of the hub's config.json, two labels.
COUNTED = {
    "all-MiniLM-L6-v2": 22_713_986,
    "distilbert-base-uncased": 66_955_010,
    "bert-base-uncased": 109_483_778,
    "distilroberta-base": 82_119_938,
    "roberta-base": 124_647_170,
    "distilgpt2": 81_914_112,
    "gpt2": 124_441_344,
    "electra-small-discriminator": 13_549_314,
    "electra-base-discriminator": 109_483_778,
    "xlnet-base-cased": 117_310_466,
    "albert-base-v2": 11_685_122,
    "deberta-v3-small": 141_896_450,
    "ModernBERT-base": 149_606_402,
}


def test_the_file_holds_what_the_module_computes() -> None:
    written = json.loads((ROOT / "benchmarks/costs.json").read_text(encoding="utf-8"))

    assert written == round_floats(predictions()), "make figures writes it anew"


@pytest.mark.parametrize("name", MODELS)
def test_a_configuration_implies_the_parameters_that_its_model_has(name: str) -> None:
    assert parameters(MODELS[name]) == pytest.approx(COUNTED[name], rel=0.005)


def test_the_catalogs_models_have_the_parameters_that_the_documents_say() -> None:
    catalog = read_yaml(ROOT / "catalog.yaml")["models"]
    known = [name for name in MODELS if name in catalog]

    assert known
    for name in known:
        # The catalog counts the encoder as it is downloaded; the head that ALBERT lacks there is 5 % of it.
        assert parameters(MODELS[name]) == pytest.approx(catalog[name]["parameters"], rel=0.06), name


@pytest.mark.parametrize("name", [name for name in MODELS if not MODELS[name].relative_per_batch])
def test_a_longer_review_costs_more_per_token_by_the_attention_alone(name: str) -> None:
    model = MODELS[name]
    weights = 6 * multiplied(model)

    assert flops_per_token(model, 256) - weights == pytest.approx(2 * (flops_per_token(model, 128) - weights))


def test_an_encoder_costs_what_the_rule_of_thumb_says() -> None:
    # Kaplan et al. 2020: six FLOPs per non-embedding parameter; attention adds little at 128 tokens.
    assert flops_per_token(MODELS["bert-base-uncased"]) == pytest.approx(6 * 85e6, rel=0.05)


@pytest.mark.parametrize("timing", PUBLISHED_TIMINGS, ids=lambda timing: f"{timing.model} like {timing.device}")
def test_the_utilization_assumed_of_gpus_explains_published_timings(timing: Timing) -> None:
    device = replace(DEVICES[timing.device], peak=timing.peak)
    seconds = timing.sequences * timing.length / tokens_per_second(MODELS[timing.model], device, timing.length)

    assert seconds / 60 == pytest.approx(timing.minutes, rel=0.1)


@pytest.mark.parametrize("name", MODELS)
def test_a_second_gpu_does_not_halve_the_time_as_gradients_are_exchanged_after_every_step(name: str) -> None:
    one, two = (tokens_per_second(MODELS[name], DEVICES[device]) for device in ("T4", "2 T4"))

    assert one < two < 2 * one


def test_frozen_embeddings_save_their_gradients_and_moments() -> None:
    model = MODELS["all-MiniLM-L6-v2"]
    embeddings = (30_522 + 512 + 2) * 384

    assert memory(model, frozen=False) - memory(model, frozen=True) == 12 * embeddings


@pytest.mark.parametrize(("name", "capability"), [("T4", (7, 5)), ("P100", (6, 0)), ("L4", (8, 9))])
def test_a_gpus_costs_are_those_of_what_auto_takes_there(
    name: str, capability: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)

    assert DEVICES[name].precision == NAMES[arithmetic("auto", torch.device("cuda"))]


@pytest.mark.parametrize(("device", "recipe"), [("2 cores, bf16", "ours"), ("2 cores, fp32", "without bf16")])
def test_the_prediction_for_two_cores_is_within_a_factor_of_two_of_the_measurement(device: str, recipe: str) -> None:
    measured = json.loads((ROOT / "benchmarks/speeds/avx512_bf16.json").read_text(encoding="utf-8"))["training"][
        "tokens_per_second"
    ]

    assert 0.5 < measured[recipe]["median"] / tokens_per_second(MODELS["all-MiniLM-L6-v2"], DEVICES[device]) < 2
