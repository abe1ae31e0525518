"""Trying parameters in a clone: what is written there, what is run, and which trials are due."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from benchmarks import imdb, models, real_data, transfer
from benchmarks.trials import Clone, choose
from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.params import Params, load_params
from sentiment.core.schemas import read_yaml, validate
from sentiment.sources.catalog import load_catalog

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    monkeypatch.chdir(ROOT)
    return Clone(tmp_path)


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that stands where real reviews are sought."""
    folder = tmp_path / "real"
    folder.mkdir()
    for module in (real_data, imdb):
        monkeypatch.setattr(module, "REVIEWS", folder)
    return folder


def test_a_clone_has_the_users_parameters_but_for_the_overrides(clone: Clone) -> None:
    clone.set({"train.lr": 3e-5, "seed": 7})
    params = load_params(clone.folder / "params.yaml")
    ours = load_params()

    assert (params.train.lr, params.seed) == (3e-5, 7)
    restored = {"seed": ours.seed, "train": params.train.model_copy(update={"lr": ours.train.lr})}
    assert params.model_copy(update=restored) == ours


DVC = """\
#!{python}
import signal, sys, time
from pathlib import Path

def save(*_):
    time.sleep(0.5)
    Path("saved").touch()
    sys.exit(1)

signal.signal(signal.SIGINT, save)
Path("began").touch()
time.sleep(60 if sys.argv[-1] == "train" else 0)
sys.exit(sys.argv[-1] == "fail")
"""
"""In DVC's place, a training that saves a checkpoint when it is interrupted, and a stage that fails."""


@pytest.fixture
def with_dvc(clone: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    folder = tmp_path_factory.mktemp("bin")
    (folder / "dvc").write_text(DVC.format(python=sys.executable), encoding="utf-8")
    (folder / "dvc").chmod(0o755)
    clone.environment = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    return clone


def test_an_interrupted_trial_waits_for_the_checkpoint_that_its_training_saves(with_dvc: Clone) -> None:
    def interrupt() -> None:
        while not (with_dvc.folder / "began").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        with_dvc.reproduce("train")

    assert (with_dvc.folder / "saved").exists()


def test_a_stage_that_fails_is_noticed_and_one_that_does_not_is_not(with_dvc: Clone) -> None:
    with_dvc.reproduce("subsample")
    with pytest.raises(subprocess.CalledProcessError, match="exit status 1"):
        with_dvc.reproduce("fail")


@pytest.mark.parametrize("plan", [models.VARIANTS, transfer.ROWS], ids=str)
def test_every_trial_is_a_legal_change_of_the_parameters(plan: Path, clone: Clone) -> None:
    content = read_yaml(plan)
    trials = content.get("train_on") or content["variants"]
    domains = content.get("test_on", [*models.OTHER_DOMAINS, "films"])

    for change in trials.values():
        others = [name for name in domains if name != change.get("dataset", "films")]
        clone.set(content["base"] | change | {"cross_datasets": others})
        assert validate(Params, read_yaml(clone.folder / "params.yaml"), "params.yaml")
    assert len({json.dumps(change, sort_keys=True) for change in trials.values()}) == len(trials)


# What the default was while reviews of films alone were its dataset.
FILMS = {
    "dataset": "films",
    "tokenize.max_length": 192,
    "train.warmup_share": 0.1,
    "train.scheduler": "linear",
    "train.averaging": 0.98,
    "train.runs": 1,
    "train.dropout": 0.0,
    "train.freeze": "embeddings",
    "train.pooling": "mean",
}
SETTLED = {"tokenize.parts", "train.epochs", "train.lr", "train.batch_size", "train.pretrained_share"}
SETTLED |= {"train.correct_bias", "train.validations_per_epoch"}


@pytest.mark.parametrize("plan", [models.VARIANTS, transfer.ROWS], ids=str)
def test_what_was_measured_on_films_sets_all_that_the_default_may_change(plan: Path) -> None:
    content = read_yaml(ROOT / plan)

    # The rows of transfer name their datasets.
    base = content["base"] | ({"dataset": "films"} if "train_on" in content else {})
    assert base | FILMS == base
    assert base.keys() >= SETTLED


def test_every_recipe_for_imdb_is_a_legal_change_of_the_parameters_and_trains_on_the_folders_files(
    clone: Clone, real: Path
) -> None:
    for name in ("imdb-train", "imdb-test", *imdb.OTHERS):
        (real / f"{name}.parquet").write_text(name, encoding="utf-8")
    shutil.copyfile(ROOT / "catalog.yaml", clone.folder / "catalog.yaml")
    imdb.know(clone)
    datasets = load_catalog(clone.folder / "catalog.yaml").datasets

    assert datasets["imdb"].splits.keys() == {"train", "test"}
    assert all(datasets[name].source == datasets["imdb"].source for name in imdb.OTHERS)
    plan = read_yaml(imdb.RECIPES)
    for change in plan["recipes"].values():
        clone.set(plan["base"] | change | {"cross_datasets": list(imdb.OTHERS)})
        assert load_params(clone.folder / "params.yaml").dataset == "imdb"


@pytest.mark.usefixtures("real")
def test_real_reviews_that_are_missing_are_named_with_where_to_put_them(clone: Clone) -> None:
    shutil.copyfile(ROOT / "catalog.yaml", clone.folder / "catalog.yaml")

    with pytest.raises(UserError, match=r"imdb-train\.parquet is missing: put it, or a link to it, there: "):
        imdb.know(clone)


def test_trials_are_chosen_by_name_and_unknown_ones_are_refused_with_the_known() -> None:
    known = {"a": 1, "b": 2, "c": 3}

    assert choose(known, [], Path("plan.yaml")) == known
    assert choose(known, ["c", "a"], Path("plan.yaml")) == {"a": 1, "c": 3}
    with pytest.raises(UserError, match=r"^d, e: no such trial in plan\.yaml, which has a, b, c$"):
        choose(known, ["a", "d", "e"], Path("plan.yaml"))


def test_transfer_reads_both_classifiers_on_the_own_domain_and_on_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = Clone(tmp_path)
    ran: list[str] = []
    monkeypatch.setattr(clone, "reproduce", lambda *stages: ran.extend(stages))
    figures = {"accuracy_low": 0.5, "accuracy_high": 1.0, "n": 40, "ece": 0.1}
    for number, file in enumerate(("evaluate", "baseline", "cross/books", "cross_baseline/books")):
        leaked = {"leaked_exact": 2, "leaked_near": 3} if file.startswith("cross") else {}
        write_json(tmp_path / f"metrics/{file}.json", figures | leaked | {"accuracy": number / 10})

    found = transfer.evaluate(clone, "films", ["books"])

    assert ran == ["evaluate", "baseline", "cross_dataset_evaluate", "cross_dataset_baseline"]
    assert {name: (row["model"]["accuracy"], row["baseline"]["accuracy"]) for name, row in found.items()} == {
        "films": (0.0, 0.1),
        "books": (0.2, 0.3),
    }
    assert (found["films"]["leaked"], found["books"]["leaked"]) == (0, 5)


def test_a_catalog_model_joins_where_its_files_are_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = (ROOT / "catalog.yaml").read_text(encoding="utf-8")
    (tmp_path / "catalog.yaml").write_text(catalog, encoding="utf-8")
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    assert models.at_hand() == {}

    text = (tmp_path / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text.replace("model: all-MiniLM-L6-v2", "model: gpt2", 1), encoding="utf-8")
    assert models.at_hand() == {"all-MiniLM-L6-v2": {"model": "all-MiniLM-L6-v2"}}
