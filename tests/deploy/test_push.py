"""What `make push` sends to the hub, and what it says where it can't."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, constants

from deploy import push
from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.params import Params
from sentiment.model.model_card import model_card
from sentiment.serving.predictor import Predictor
from tests.conftest import ROOT
from tests.hub_server import TOKEN, Fault, Hub, only_hub, running

METRICS = {
    "steps": 1,
    "best_step": 1,
    "validations": 1,
    "validation": {"accuracy": 1, "log_loss": 0},
    "temperature": 1,
    "decision": {"threshold": 0.5, "low": 0.35, "high": 0.65},
}
ORIGIN = {"model": "tiny", "licence": "CC0-1.0", "origin": "org/tiny", "revision": "none"}


@pytest.fixture
def folder(
    trained_once: Path,
    exported: Path,
    params_with: Callable[..., Params],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A folder in which a model was trained, exported and evaluated."""
    (tmp_path / "here/models").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    for source, target in ((trained_once, push.MODEL), (exported, push.EXPORTED)):
        push.shutil.copytree(source, target)
        (target / "README.md").write_text(model_card(params_with(), ORIGIN, {"train": 9, "validation": 1}, METRICS))
    push.shutil.copyfile(ROOT / "params.yaml", "params.yaml")
    write_json(push.METRICS / "evaluate.json", {"accuracy": 0.875, "f1": 0.5})
    write_json(push.METRICS / "cross/books.json", {"accuracy": 0.75, "f1": 0.25})
    return tmp_path


@pytest.fixture
def hub(folder: Path) -> Iterator[Hub]:
    """An empty hub which has one user, and a process that has that user's token."""
    with (
        running(Hub({}, uploads=folder / "hub")) as server,
        only_hub(server.url, folder / "cache"),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.setenv("HF_TOKEN", TOKEN)
        yield server


def typed(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["push", *arguments])
    push.main()


@pytest.mark.slow
def test_a_pushed_model_has_its_card_and_graph_and_comes_back_the_same(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "me/reviews")
    typed(monkeypatch, "me/reviews")

    repo = hub.repos["model", "me/reviews"]
    assert {"model.safetensors", "architecture.py", "tokenizer.json", "onnx/model_quantized.onnx"} <= set(repo.files)
    assert repo.access == "public"
    card = ModelCard(repo.files["README.md"].read_text(encoding="utf-8"))
    results = {(found.dataset_name, found.metric_type): found.metric_value for found in card.data.eval_results or []}
    assert results[("reviews", "accuracy")] == 0.875
    assert results[("books", "accuracy")] == 0.75
    assert 'pipeline("text-classification", "me/reviews", trust_remote_code=True)' in card.text
    assert "models/sentiment" not in card.text
    assert f"{hub.url}/me/reviews is at {repo.commit[:8]}, and scores reviews as" in (said := capsys.readouterr().out)
    assert TOKEN not in said
    assert hub.uploads
    assert Predictor(hub.uploads.folder / "me/reviews").score_texts(push.REVIEWS).tolist() == (
        Predictor(push.EXPORTED).score_texts(push.REVIEWS).tolist()
    )


@pytest.mark.slow
def test_a_private_model_can_be_read_with_the_token_only(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "me/secret", "--private")

    assert hub.repos["model", "me/secret"].access == "private"


def refusal(monkeypatch: pytest.MonkeyPatch, name: str = "me/reviews") -> str:
    with pytest.raises(UserError) as caught:
        typed(monkeypatch, name)
    assert TOKEN not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("reviews", "'reviews' is no repository: give USER/NAME"),
        ("me/a..b", "'me/a..b' is not a name that the hub allows"),
        ("nobody/reviews", "has no user or organisation nobody, or the token may not write there (status 403)"),
    ],
)
def test_a_name_that_cannot_be_pushed_to_is_refused(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, name: str, sentence: str
) -> None:
    assert sentence in refusal(monkeypatch, name)
    assert not hub.repos


def test_without_a_token_nothing_is_sent(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")

    assert "set HF_TOKEN to one that may write, or run hf auth login" in refusal(monkeypatch)
    assert not hub.requests


def test_a_token_that_the_hub_does_not_know_is_refused_and_never_shown(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody")

    assert "does not know the token" in (said := refusal(monkeypatch))
    assert "hf_of_somebody" not in said


def test_a_hub_that_fails_or_is_not_there_is_named(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.faults.append(Fault(match="repos/create", status=500))
    assert "could not be pushed, the server answers with status 500" in refusal(monkeypatch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
        assert "could not be pushed to http://127.0.0.1:9" in refusal(monkeypatch)


@pytest.mark.parametrize("lacking", ["models/sentiment", "models/exported", "metrics"])
def test_what_is_not_trained_yet_cannot_be_pushed(hub: Hub, monkeypatch: pytest.MonkeyPatch, lacking: str) -> None:
    push.shutil.rmtree(lacking)

    assert f"{lacking}/" in (said := refusal(monkeypatch))
    assert "is missing: make run trains, exports and evaluates a model" in said
    assert not hub.requests


def test_an_export_of_another_training_is_not_pushed(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(push.EXPORTED / "provenance.json", {"other": 1})

    assert "models/exported was not made from models/sentiment" in refusal(monkeypatch)


def test_a_hub_that_gives_back_another_model_is_noticed(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([[0.1, 0.2, 0.3], [0.1, 0.2, 0.4]])
    monkeypatch.setattr(push, "scores", lambda _: next(answers))

    said = refusal(monkeypatch)
    assert json.dumps(push.REVIEWS[2], ensure_ascii=False)[1:-1] in said
    assert "the score 0.3000, the local model 0.4000" in said
