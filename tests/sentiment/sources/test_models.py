"""A model's name, and the files that `download` makes of it."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from sentiment.core.errors import UserError
from sentiment.core.files import require_intact
from sentiment.sources.catalog import Catalog, load_catalog
from sentiment.sources.models import download_model
from tests.hub_repositories import Repo
from tests.hub_server import Hub, only_hub, running

ROOT = Path(__file__).parents[3]
PINNED = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, an empty one."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def model(pretrained: Path, tmp_path: Path) -> Path:
    """Return a folder as the hub has it: a tiny BERT and what download doesn't need."""
    shutil.copytree(pretrained, tmp_path / "model", ignore=shutil.ignore_patterns("origin.json"))
    for extra in ("README.md", "onnx/model.onnx", "flax_model.msgpack", "pytorch_model.bin"):
        (tmp_path / "model" / extra).parent.mkdir(exist_ok=True)
        (tmp_path / "model" / extra).write_text("not needed", encoding="utf-8")
    return tmp_path / "model"


@pytest.fixture
def hub(model: Path, tmp_path: Path, folder: Path) -> Iterator[Hub]:
    repo = Repo(model, licence="apache-2.0")
    with running(Hub({("model", "org/tiny"): repo})) as server, only_hub(server.url, tmp_path / "cache"):
        yield server


@pytest.fixture
def catalog() -> Catalog:
    return Catalog(models={}, datasets={})


def entry(files: dict[str, str | None]) -> dict[str, Any]:
    return {
        "description": "A model of the test.",
        "source": {"hub": "org/tiny", "revision": PINNED},
        "origin": "org/tiny",
        "revision": PINNED,
        "licence": "MIT",
        "family": "bert",
        "parameters": 1000,
        "tokenization": "WordPiece",
        "max_length": 64,
        "files": files,
    }


def download(name: str, catalog: Catalog) -> set[str]:
    target = Path("pretrained")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    download_model(name, catalog, target)
    return {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}


def origin() -> dict[str, str]:
    """Return what is said of a model's origin, once the hashes of its files are found right."""
    content = json.loads(Path("pretrained/origin.json").read_text(encoding="utf-8"))
    require_intact(Path("pretrained"), content.pop("files"), "download")
    return content


def refusal(name: str, catalog: Catalog) -> str:
    with pytest.raises(UserError) as caught:
        download(name, catalog)
    return str(caught.value)


NEEDED = {"config.json", "model.safetensors", "origin.json", "tokenizer.json", "tokenizer_config.json"}


@pytest.mark.parametrize("revision", ["", "@main"])
def test_a_hub_model_is_what_it_needs_and_the_commit_it_was(
    hub: Hub, catalog: Catalog, revision: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import AutoModel, AutoTokenizer

    commit = hub.repos["model", "org/tiny"].commit
    assert download(f"org/tiny{revision}", catalog) == NEEDED
    assert origin() == {
        "licence": "apache-2.0",
        "model": f"org/tiny{revision}",
        "origin": "org/tiny",
        "revision": commit,
    }
    out = capsys.readouterr().out
    assert f"model org/tiny at {commit[:8]}, licence apache-2.0\n" in out
    assert f"to keep this one: -S model=org/tiny@{commit}\n" in out
    assert "downloading " in out
    _, info = AutoModel.from_pretrained("pretrained", output_loading_info=True)
    assert not info["missing_keys"]
    assert AutoTokenizer.from_pretrained("pretrained")("good").input_ids


def test_a_second_experiment_with_the_same_model_downloads_nothing(
    hub: Hub, catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"org/tiny@{hub.repos['model', 'org/tiny'].commit}"
    download(name, catalog)
    first = {path.name: path.read_bytes() for path in Path("pretrained").iterdir()}
    hub.requests.clear()
    capsys.readouterr()
    download(name, catalog)

    assert hub.requests == []
    assert "downloading" not in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in Path("pretrained").iterdir()} == first


def test_large_weights_come_in_the_parts_that_their_index_names(hub: Hub, model: Path, catalog: Catalog) -> None:
    from transformers import AutoModel

    whole = AutoModel.from_pretrained(model)
    (model / "model.safetensors").unlink()
    whole.save_pretrained(model, max_shard_size="8KB")
    hub.repos["model", "org/tiny"] = Repo(model)
    files = download("org/tiny", catalog)

    assert len([file for file in files if file.endswith(".safetensors")]) > 1
    loaded = AutoModel.from_pretrained("pretrained").state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in whole.state_dict().items())

    shard = min(file for file in files if file.endswith(".safetensors"))
    (model / shard).unlink()
    hub.repos["model", "org/tiny"] = Repo(model)
    assert f"lacks {shard} that its model.safetensors.index.json names" in refusal("org/tiny", catalog)


def test_a_pinned_pickle_is_verified_and_becomes_safetensors(hub: Hub, model: Path) -> None:
    from transformers import AutoModel

    weights = load_file(model / "model.safetensors")
    torch.save(weights, model / "pytorch_model.bin")
    (model / "model.safetensors").unlink()
    hub.repos["model", "org/tiny"] = Repo(model, PINNED)
    digest = hashlib.sha256((model / "pytorch_model.bin").read_bytes()).hexdigest()
    files = dict.fromkeys(["config.json", "tokenizer.json", "tokenizer_config.json"])

    for pin in (digest, None):
        catalog = Catalog(models={"tiny": entry(files | {"pytorch_model.bin": pin})}, datasets={})
        assert download("tiny", catalog) == NEEDED
        assert origin() == {"licence": "MIT", "model": "tiny", "origin": "org/tiny", "revision": PINNED}
        written = load_file("pretrained/model.safetensors")
        assert all(torch.equal(written[name], tensor) for name, tensor in weights.items())
        _, info = AutoModel.from_pretrained("pretrained", output_loading_info=True)
        assert not info["missing_keys"]

    catalog = Catalog(models={"tiny": entry(files | {"pytorch_model.bin": "0" * 64})}, datasets={})
    assert f"has sha256 {digest}, but catalog.yaml expects {'0' * 64}" in refusal("tiny", catalog)


def test_any_other_pickle_is_refused_by_name(hub: Hub, model: Path, catalog: Catalog) -> None:
    (model / "model.safetensors").unlink()
    hub.repos["model", "org/tiny"] = repo = Repo(model)

    assert refusal("org/tiny", catalog) == (
        f"model org/tiny at {repo.commit[:8]} has its weights in pytorch_model.bin, a pickle, which could run any "
        "code: choose a revision with model.safetensors (ORG/NAME@REVISION), or save the model with save_pretrained, "
        "which writes it, into a folder of own/"
    )
    assert not [request for request in hub.requests if request.path.startswith("/storage/")]


@pytest.mark.parametrize(
    ("removed", "sentence"),
    [
        ("config.json", "is not a model of transformers, as it has no config.json: choose one that has"),
        (
            "tokenizer.json",
            "has no tokenizer (tokenizer.json, vocab.txt, vocab.json, *.model): choose a model that has",
        ),
        ("model.safetensors", "has no weights: choose a revision with model.safetensors"),
    ],
)
def test_what_is_missing_is_named(hub: Hub, model: Path, catalog: Catalog, removed: str, sentence: str) -> None:
    (model / "pytorch_model.bin").unlink()
    (model / removed).unlink()
    hub.repos["model", "org/tiny"] = Repo(model)

    assert sentence in refusal("org/tiny", catalog)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            '{"model_type": "new", "auto_map": {"AutoModel": "code.Model"}}',
            "architecture new, which needs code of its own",
        ),
        ('{"auto_map": {"AutoModel": "code.Model"}}', "architecture unknown, which needs code of its own (auto_map)"),
        ('{"model_type": "clip"}', "architecture clip, which needs another task's code: choose a model that"),
        ("[]", "config.json of model org/tiny at"),
        ("{", "is damaged, not a JSON object: restore it, or choose another model"),
    ],
)
def test_an_architecture_that_needs_foreign_code_is_refused_before_its_weights_come(
    hub: Hub, model: Path, catalog: Catalog, config: str, sentence: str
) -> None:
    (model / "config.json").write_text(config, encoding="utf-8")
    hub.repos["model", "org/tiny"] = Repo(model)

    assert sentence in refusal("org/tiny", catalog)
    assert not [request for request in hub.requests if request.path.startswith("/storage/")]


@pytest.mark.parametrize("name", ["mine", "own/mine", "own/mine/"])
def test_a_folder_in_own_is_taken_by_its_name(folder: Path, model: Path, catalog: Catalog, name: str) -> None:
    shutil.copytree(model, "own/mine")

    assert download(name, catalog) == NEEDED
    assert origin() | {"revision": ""} == {"licence": "unknown", "model": name, "origin": "own/mine", "revision": ""}


def test_the_revision_of_a_folder_is_that_of_its_content(folder: Path, model: Path, catalog: Catalog) -> None:
    shutil.copytree(model, "own/mine")
    revisions = []
    for content in ("not needed", "changed"):
        Path("own/mine/README.md").write_text(content, encoding="utf-8")
        download("mine", catalog)
        revisions.append(origin()["revision"])
    assert len(set(revisions)) == 1

    Path("own/mine/added_tokens.json").write_text("{}", encoding="utf-8")
    download("mine", catalog)
    assert origin()["revision"] not in revisions


def test_a_folder_in_own_with_a_pickle_is_refused(folder: Path, model: Path, catalog: Catalog) -> None:
    shutil.copytree(model, "own/mine")
    Path("own/mine/model.safetensors").unlink()

    assert refusal("mine", catalog).startswith("own/mine has its weights in pytorch_model.bin, a pickle")


def test_a_missing_folder_in_own_is_told(folder: Path, catalog: Catalog) -> None:
    assert refusal("own/mine", catalog) == (
        "own/mine holds no model: put its folder there, with config.json, tokenizer and model.safetensors"
    )


@pytest.mark.parametrize(
    "name", ["./mine", "../mine", "/somewhere/mine", "~/mine", "a/b/mine", "models/mine", "own/../mine"]
)
def test_a_folder_elsewhere_is_refused_with_the_command_that_puts_it_there(
    folder: Path, catalog: Catalog, name: str
) -> None:
    Path("models/mine").mkdir(parents=True)

    assert refusal(name, catalog) == (
        f"model {name} lies outside of own/, where nobody would notice its changes: "
        f"cp -r {name} own/mine, then -S model=own/mine"
    )


def test_a_name_of_the_catalog_goes_before_a_folder_of_the_same_name(folder: Path, model: Path) -> None:
    shutil.copytree(model, "own/all-MiniLM-L6-v2")
    catalog = load_catalog(ROOT / "catalog.yaml")
    download("all-MiniLM-L6-v2", catalog)

    assert origin()["origin"] == "sentence-transformers/all-MiniLM-L6-v2"


def test_an_unknown_name_is_refused_with_what_is_legal(folder: Path) -> None:
    message = refusal("all-MiniLM", load_catalog(ROOT / "catalog.yaml"))
    assert message.startswith("model 'all-MiniLM' is not in catalog.yaml: did you mean all-MiniLM-L6-v2? it has ")
    assert message.endswith("; others are ORG/NAME of the hub and own/NAME of yours")
