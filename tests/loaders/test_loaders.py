"""A trained and an exported model in the hands of somebody who has none of this project."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sentiment.core.params import Params, load_preprocessing
from sentiment.evaluation.scorer import Scorer
from sentiment.serving.predictor import Predictor
from tests.conftest import ROOT

if TYPE_CHECKING:
    from transformers import PreTrainedModel

HERE = Path(__file__).parent
PACKAGES, MODULES = Path(sys.prefix, "optimum"), Path(sys.prefix, "node_modules")
"""Where make test puts what reads models, if it may."""
SHORT = [
    "the film was superb 👍🏽!",
    "so bad 👎👎",
    "a dull<br /><BR/>plot, and boring\x07 ",
    "  cafe\u0301 noir was lovely \n",
    "caf\u00e9 noir was lovely",
    "the cast [SEP] was poor",
]
LONG = ["the film was dull. " * 40 + "but brilliant!", "x" * 5000]

pytestmark = pytest.mark.slow


def require(path: Path) -> Path:
    """Skip where what a test drives is not there, but not in CI."""
    if not path.exists():
        assert os.environ.get("CI") != "true", f"{path} is missing"
        pytest.skip(f"{path} is missing: make test sees to it where it may")
    return path


def output(command: list[str], texts: list[str], place: Path) -> list[float]:
    """Run a command in a folder where nothing of the project is in reach; return the scores that it prints."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(place / "home")}
    given: dict[str, Any] = {"input": json.dumps(texts), "cwd": place, "env": environment}
    done = subprocess.run(command, capture_output=True, text=True, check=False, **given)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def classify(folder: Path, texts: list[str], place: Path, *others: str, **options: Any) -> list[float]:
    script = shutil.copy(HERE / "classify.py", place)
    return output([sys.executable, "-I", str(script), str(folder), json.dumps(options), *others], texts, place)


@pytest.fixture(scope="module")
def exact(params_with: Callable[..., Params]) -> Params:
    return params_with(precision="fp32", evaluate={"batch_size": 1})


@pytest.fixture(scope="module")
def first(
    build_with: "Callable[..., PreTrainedModel]",
    pretrained: Path,
    trained_once: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A model whose head reads the first token, saved as `train` does."""
    from sentiment.model.loading import save
    from sentiment.text.encoding import load_tokenizer

    folder = tmp_path_factory.mktemp("first") / "sentiment"
    model = build_with(pooling="first")
    save(model, load_tokenizer(pretrained), load_preprocessing(trained_once), folder)
    return folder


def test_transformers_alone_reads_texts_of_any_length_as_the_project_does(
    trained_once: Path, exact: Params, tmp_path: Path
) -> None:
    found = classify(trained_once, SHORT + LONG, tmp_path)

    np.testing.assert_allclose(found, Scorer(trained_once, exact).score_texts(SHORT + LONG), atol=1e-4)
    assert np.ptp(found) > 0.05


def test_a_model_that_reads_the_first_token_needs_no_code_and_cuts_where_it_is_told_to(
    first: Path, exact: Params, tmp_path: Path
) -> None:
    found = classify(first, SHORT + LONG, tmp_path, truncation=True)

    assert not list(first.glob("*.py"))
    np.testing.assert_allclose(found[: len(SHORT)], Scorer(first, exact).score_texts(SHORT), atol=1e-4)


def test_the_older_transformers_reads_a_trained_model_too(trained_once: Path, exact: Params, tmp_path: Path) -> None:
    found = classify(trained_once, SHORT + LONG, tmp_path, str(require(PACKAGES)))

    np.testing.assert_allclose(found, Scorer(trained_once, exact).score_texts(SHORT + LONG), atol=1e-4)


def test_optimum_scores_texts_as_the_predictor_does(exported: Path, tmp_path: Path) -> None:
    found = classify(exported, SHORT + LONG, tmp_path, str(require(PACKAGES)), "optimum", truncation=True)

    np.testing.assert_allclose(found[: len(SHORT)], Predictor(exported).score_texts(SHORT), atol=1e-4)


@pytest.mark.parametrize("given", [False, True])
def test_transformers_js_scores_texts_as_the_predictor_does(
    exported: Path, trained_once: Path, tmp_path: Path, given: bool
) -> None:
    modules, node = require(MODULES), require(Path(shutil.which("node") or "node"))
    folder, configuration = exported, []
    if given:
        # As in the repository that `make push` makes, where config.json is that of the trained model.
        folder = shutil.copytree(exported, tmp_path / "pushed")
        configuration = [str(shutil.move(folder / "config.json", folder / "onnx" / "config.json"))]
        shutil.copyfile(trained_once / "config.json", folder / "config.json")
    # It takes "[SEP]" for the token.
    texts = [text for text in SHORT if "[SEP]" not in text]
    command = [str(node), str(HERE / "classify.mjs"), str(modules), str(folder), *configuration]
    found = output(command, texts + LONG[:1], tmp_path)

    np.testing.assert_allclose(found[: len(texts)], Predictor(exported).score_texts(texts), atol=1e-4)


def test_what_is_read_has_no_way_to_the_project(tmp_path: Path) -> None:
    code = "import importlib.util, sys; print([importlib.util.find_spec(n) for n in ('sentiment', 'stages')], sys.path)"
    found = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert found.stdout.startswith("[None, None]")
    assert f"'{ROOT}'" not in found.stdout
