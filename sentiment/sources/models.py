"""From the name of a model to its files: of catalog.yaml, of the hub, or of a folder in own/."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from tqdm import tqdm

from sentiment.core.errors import UserError
from sentiment.core.files import OWN, sha256, write_json
from sentiment.sources.catalog import Catalog
from sentiment.sources.hub import HUB_NAME, open_repository
from sentiment.sources.pickles import convert

CONFIGURATION = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLE = "pytorch_model.bin"
TOKENIZER = {
    "added_tokens.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
}
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")

Files = dict[str, Path]
Locate = Callable[[Sequence[str]], Files]


def download_model(name: str, catalog: Catalog, target: Path) -> None:
    """Fill the folder `target` with a model's configuration, tokenizer, weights (safetensors) and origin.json.

    `name` is one of catalog.yaml, ORG/NAME or ORG/NAME@REVISION of the hub, or a folder in own/. Raises UserError.
    """
    if name not in catalog.models and (own := _own_folder(name)):
        files, origin = _of_folder(own)
    elif name not in catalog.models and (known := HUB_NAME.fullmatch(name)):
        files, origin = _of_hub(known["name"], known["revision"])
    else:
        files, origin = _of_catalog(name, catalog)
    for file, path in tqdm(sorted(files.items()), desc="model files", unit="file"):
        copy = target / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        if file == PICKLE:
            convert(path, target / WEIGHTS)
        else:
            shutil.copyfile(path, copy)
    written = sorted(path for path in target.rglob("*") if path.is_file())
    hashes = {path.relative_to(target).as_posix(): sha256(path) for path in written}
    write_json(target / "origin.json", origin | {"model": name, "files": hashes})


def _of_catalog(name: str, catalog: Catalog) -> tuple[Files, dict[str, str]]:
    model = catalog.model(name)
    print(f"model {name} from {model.source}, licence {model.licence}: {model.description}")
    print(f"{model.parameters:,} parameters, {model.tokenization}, up to {model.max_length} tokens")
    files = model.source.locate(model.files, "model")
    return files, {"licence": model.licence, "origin": model.origin, "revision": model.revision}


def _of_hub(name: str, revision: str | None) -> tuple[Files, dict[str, str]]:
    repository = open_repository(name, "model", revision)
    print(f"{repository}, licence {repository.licence}")
    if revision != repository.commit:
        print(f"it may change there; to keep this one: -S model={name}@{repository.commit}")
    files = _select(sorted(repository.files), repository.fetch, str(repository))
    return files, {"licence": repository.licence, "origin": name, "revision": repository.commit}


def _of_folder(folder: Path) -> tuple[Files, dict[str, str]]:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files = _select(names, lambda chosen: {name: folder / name for name in chosen}, folder.as_posix())
    print(f"model {folder.as_posix()}, your own")
    digest = hashlib.sha256(json.dumps({name: sha256(path) for name, path in files.items()}, sort_keys=True).encode())
    return files, {"licence": "unknown", "origin": folder.as_posix(), "revision": digest.hexdigest()}


def _own_folder(name: str) -> Path | None:
    """Return the folder in own/ that is meant; None for a name of the catalog or the hub. Raises UserError."""
    path = Path(name)
    if path.parts[:1] == OWN.parts and ".." not in path.parts:
        if not (path / CONFIGURATION).is_file():
            raise UserError(f"{name} holds no model: put its folder there, with config.json, tokenizer and {WEIGHTS}")
        return path
    if len(path.parts) == 1 and (OWN / path).is_dir():
        return OWN / path
    if path.is_absolute() or path.is_dir() or name.startswith((".", "~")) or name.partition("@")[0].count("/") > 1:
        copy = OWN / path.name
        raise UserError(
            f"model {name} lies outside of {OWN}/, where nobody would notice its changes: "
            f"cp -r {name} {copy.as_posix()}, then -S model={copy.as_posix()}"
        )
    return None


def _select(names: Sequence[str], locate: Locate, place: str) -> Files:
    """Choose what a model needs among the files of a place, and get it, checking the small files first."""
    if CONFIGURATION not in names:
        raise UserError(f"{place} is not a model of transformers, as it has no config.json: choose one that has")
    index = [INDEX] if WEIGHTS not in names and INDEX in names else []
    described = locate([CONFIGURATION, *index])
    _check_architecture(_read(described[CONFIGURATION], place), place)
    weights = _shards(described[INDEX], names, place) if index else [WEIGHTS]
    if not index and WEIGHTS not in names:
        pickles = [name for name in names if name.endswith((".bin", ".pt", ".pth", ".ckpt", ".pkl"))]
        kept = f"its weights in {pickles[0]}, a pickle, which could run any code" if pickles else "no weights"
        raise UserError(
            f"{place} has {kept}: choose a revision with {WEIGHTS} (ORG/NAME@REVISION), or save the model with "
            "save_pretrained, which writes it, into a folder of own/"
        )
    tokenizer = [name for name in names if name in TOKENIZER or re.fullmatch(r"[^/]+\.model", name)]
    if not any(PurePosixPath(name).match(pattern) for name in tokenizer for pattern in VOCABULARIES):
        raise UserError(f"{place} has no tokenizer ({', '.join(VOCABULARIES)}): choose a model that has one")
    return described | locate([*tokenizer, *weights])


def _read(path: Path, place: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise UserError(f"{path.name} of {place} is damaged, not a JSON object: restore it, or choose another model")
    return content


def _check_architecture(config: dict[str, Any], place: str) -> None:
    """Raise UserError unless transformers itself can classify with the architecture."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

    if (kind := config.get("model_type")) in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES:
        return
    needs = "code of its own (auto_map), which is never run" if "auto_map" in config else "another task's code"
    raise UserError(
        f"{place} has the architecture {kind or 'unknown'}, which needs {needs}: "
        "choose a model that transformers can classify texts with, such as a BERT, RoBERTa, DeBERTa or GPT-2"
    )


def _shards(index: Path, names: Sequence[str], place: str) -> list[str]:
    """Return the files that large weights are split into, each of which must be there."""
    parts = _read(index, place).get("weight_map")
    shards = sorted(set(parts.values())) if isinstance(parts, dict) else []
    lost = [shard for shard in shards if shard not in names or not shard.endswith(".safetensors")]
    if lost or not shards:
        raise UserError(f"{place} lacks {', '.join(lost) or 'weights'} that its {INDEX} names: restore or replace it")
    return shards
