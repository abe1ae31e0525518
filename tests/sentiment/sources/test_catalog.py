import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from sentiment.core.errors import UserError
from sentiment.core.files import sha256
from sentiment.core.params import load_params
from sentiment.core.schemas import read_yaml, validate
from sentiment.sources.catalog import Catalog, load_catalog
from sentiment.sources.locations import HubSource
from sentiment.text.encoding import load_tokenizer
from tests.families import real_folder

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(ROOT / "catalog.yaml")


@pytest.fixture
def content() -> dict[str, Any]:
    """A catalog of one model and one dataset, both legal."""
    common = {"description": "d", "licence": "CC0-1.0", "source": {"folder": "data"}, "files": {"a": "0" * 64}}
    model = {"origin": "o", "revision": "r", "family": "bert", "parameters": 1, "tokenization": "t", "max_length": 8}
    dataset = {"text": "text", "label": "label", "labels": {0: 0, 1: 1}, "splits": {"train": {"file": "a", "rows": 3}}}
    return {"models": {"tiny": common | model}, "datasets": {"toy": common | dataset}}


def refusal(content: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        validate(Catalog, content, "catalog.yaml")
    return str(caught.value)


def test_the_names_of_params_yaml_are_in_the_catalog(catalog: Catalog) -> None:
    params = load_params(ROOT / "params.yaml")
    assert catalog.model(params.model).max_length >= params.tokenize.max_length
    for name in (params.dataset, *params.cross_datasets):
        assert catalog.dataset(name).splits["train"].rows > 0


def test_an_unknown_name_is_refused_with_the_nearest_and_all_legal_ones(catalog: Catalog) -> None:
    legal = ", ".join(sorted(read_yaml(ROOT / "catalog.yaml")["datasets"]))
    with pytest.raises(UserError) as caught:
        catalog.dataset("resturants")
    assert str(caught.value) == (
        f"dataset 'resturants' is not in catalog.yaml: did you mean restaurants? it has {legal}; "
        "others are ORG/NAME of the hub and own/NAME of yours"
    )
    with pytest.raises(
        UserError, match="^" + re.escape("model 'zzz' is not in catalog.yaml: it has ModernBERT-base, albert-base-v2, ")
    ):
        catalog.model("zzz")


def test_another_model_is_evaluated_on_the_test_split_or_all_there_is(catalog: Catalog) -> None:
    assert catalog.dataset("imdb").evaluation_split == "test"
    assert catalog.dataset("books").evaluation_split == "train"


def test_a_split_must_name_a_known_file(content: dict[str, Any]) -> None:
    content["datasets"]["toy"]["splits"]["train"]["file"] = "b"
    assert refusal(content) == "catalog.yaml: datasets.toy needs splits.train.file to be one of its files, not 'b'"


def test_a_split_may_be_of_several_files_and_a_text_of_several_columns(content: dict[str, Any]) -> None:
    toy = content["datasets"]["toy"]
    toy["files"]["b"] = "1" * 64
    toy["splits"]["train"] = {"file": ["a", "b"]}
    toy["text"] = ["title", "body"]
    del toy["labels"]
    entry = validate(Catalog, content, "catalog.yaml").dataset("toy")
    assert (entry.splits["train"].file, entry.splits["train"].rows) == (["a", "b"], None)
    assert (entry.text, entry.labels) == (["title", "body"], None)
    toy["splits"]["train"]["file"] = ["a", "c"]
    assert refusal(content) == "catalog.yaml: datasets.toy needs splits.train.file to be one of its files, not 'c'"


def test_a_dataset_needs_a_train_split(content: dict[str, Any]) -> None:
    splits = content["datasets"]["toy"]["splits"]
    splits["test"] = splits.pop("train")
    assert refusal(content) == "catalog.yaml: datasets.toy needs a train split"


def test_only_the_hub_may_leave_a_checksum_out(content: dict[str, Any]) -> None:
    model = content["models"]["tiny"]
    model["files"] = {"a": None}
    assert refusal(content) == (
        "catalog.yaml: models.tiny needs a sha256 for each of its files (only the hub states checksums of its own)"
    )
    model["source"] = {"hub": "a/b", "revision": "0" * 40}
    assert validate(Catalog, content, "catalog.yaml").model("tiny").files == {"a": None}


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("models", "parameters", 0),
        ("models", "max_length", "512"),
        ("models", "files", {}),
        ("models", "files", {"a": "0" * 63}),
        ("models", "files", {"a": "G" * 64}),
        ("models", "licence", None),
        ("datasets", "text", ""),
        ("datasets", "labels", {0: 2}),
        ("datasets", "splits", {"train": {"file": "a", "rows": 0}}),
        ("datasets", "splits", {"dev": {"file": "a", "rows": 1}}),
        ("datasets", "source", {"hub": "no-slash", "revision": "0" * 40}),
        ("datasets", "source", {"hub": "a/b", "revision": "main"}),
    ],
)
def test_an_illegal_value_is_refused_with_its_place(content: dict[str, Any], kind: str, key: str, value: Any) -> None:
    entry = "tiny" if kind == "models" else "toy"
    content[kind][entry][key] = value
    assert re.search(rf"catalog\.yaml: (.+; )?{kind}\.{entry}\.{key}\S* .*must be ", refusal(content))


def test_an_unknown_key_of_an_entry_is_refused_with_a_hint(content: dict[str, Any]) -> None:
    content["models"]["tiny"]["licens"] = content["models"]["tiny"].pop("licence")
    assert refusal(content) == (
        "catalog.yaml: models.tiny.licence is missing: give it a value; "
        "models.tiny.licens is unknown: did you mean licence?"
    )
    assert "datasets.toy.txt is unknown: did you mean text?" in refusal(
        {"models": {}, "datasets": {"toy": content["datasets"]["toy"] | {"txt": "t"}}}
    )


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ({"hub": "a/b", "revison": "0" * 40}, "revision"),
        ({"foldr": "data"}, "folder"),
        ({"pakage": "p", "folder": "data"}, "package"),
    ],
)
def test_a_mistyped_key_of_a_source_gets_that_sources_hint(
    content: dict[str, Any], source: dict[str, str], hint: str
) -> None:
    content["datasets"]["toy"]["source"] = source
    message = refusal(content)
    assert message.startswith("catalog.yaml: datasets.toy.source")
    assert f"did you mean {hint}?" in message
    # Every source has its own keys: what is said to be legal for the hub must not be what is legal for a package.
    assert "HubSource.revison is unknown: legal are package" not in message


MODELS = list(load_catalog(ROOT / "catalog.yaml").models)
WEIGHTS = {"model.safetensors", "pytorch_model.bin"}
SAVED_ANEW = {("ModernBERT-base", "config.json"), ("ModernBERT-base", "tokenizer_config.json")}
"""Real files whose bytes another version of transformers has changed since."""


def test_a_model_of_the_hub_names_its_origin_once(content: dict[str, Any]) -> None:
    model = content["models"]["tiny"]
    model["source"] = {"hub": "some/model", "revision": "1" * 40}
    del model["origin"], model["revision"]
    entry = validate(Catalog, content, "catalog.yaml").model("tiny")
    assert (entry.origin, entry.revision) == ("some/model", "1" * 40)
    del model["source"]["revision"]
    assert "models.tiny.source.hub.revision is missing: give it a value" in refusal(content)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_weights_a_configuration_and_a_pinned_source(catalog: Catalog, name: str) -> None:
    entry = catalog.model(name)
    assert len(WEIGHTS & set(entry.files)) == 1
    assert "config.json" in entry.files
    assert re.fullmatch(r"[0-9a-f]{40}", entry.revision)
    if isinstance(entry.source, HubSource):
        assert entry.origin.endswith(f"/{name}")


@pytest.mark.parametrize("name", MODELS)
def test_a_models_facts_are_those_of_its_real_files(catalog: Catalog, name: str, tmp_path: Path) -> None:
    entry = catalog.model(name)
    folder = real_folder(entry.origin)
    for file, expected in entry.files.items():
        if file not in WEIGHTS:
            assert (name, file) in SAVED_ANEW or expected in {None, sha256(folder / file)}
            shutil.copyfile(folder / file, tmp_path / file)

    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = AutoConfig.from_pretrained(tmp_path, num_labels=2)
    with torch.device("meta"):
        model = AutoModelForSequenceClassification.from_config(config)
    assert (config.model_type, model.num_parameters()) == (entry.family, entry.parameters)

    tokenizer = load_tokenizer(tmp_path)
    limit = tokenizer.model_max_length
    assert limit == entry.max_length or (name, limit > 1e29) == ("xlnet-base-cased", True)
    kind, _, case = entry.tokenization.partition(", ")
    ids = [tokenizer(text)["input_ids"] for text in ("Good", "good")]
    assert (ids[0] == ids[1]) == (case == "lower-cased")
    described = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["type"]
    assert described == {"WordPiece": "WordPiece", "byte-level BPE": "BPE", "SentencePiece unigram": "Unigram"}[kind]
