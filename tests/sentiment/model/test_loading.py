"""What `load` says of a folder that is no whole classifier, and `build` of one that is no whole encoder."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from sentiment.core.errors import UserError
from sentiment.core.files import sha256, write_json
from sentiment.model.loading import PROVENANCE, load

Build = Callable[..., PreTrainedModel]


@pytest.fixture(params=["mean", "first"])
def saved(build_with: Build, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path / "saved"
    build_with(pooling=request.param).save_pretrained(folder)
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        load(folder)
    message = str(caught.value)
    assert message.startswith(f"{folder} ")
    assert message.endswith("; dvc repro makes it anew")
    assert "\n" not in message
    return message


def test_a_folder_that_lacks_weights_is_refused_with_their_names(saved: Path) -> None:
    path = saved / "model.safetensors"
    weights = load_file(path)
    removed = sorted(name for name in weights if "layer.1.output.dense" in name)
    assert len(removed) == 2
    save_file({name: weight for name, weight in weights.items() if name not in removed}, path, {"format": "pt"})
    assert f"lacks the weights {', '.join(removed)}" in refusal(saved)


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_an_encoder_that_lacks_weights_is_not_completed_at_random(
    build_with: Build, pretrained: Path, tmp_path: Path, pooling: str
) -> None:
    folder = tmp_path / "part"
    shutil.copytree(pretrained, folder)
    weights = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if "layer.1.output.dense" not in name}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError) as caught:
        build_with(folder, pooling=pooling)
    assert re.fullmatch(
        rf"{folder} lacks 2 of the encoder's 37 weights, \S*encoder\.layer\.1\.output\.dense\.weight among them: "
        "its weights are those of another architecture",
        str(caught.value),
    )
    # A pooler of its own is no part of what was pretrained.
    save_file({name: weight for name, weight in weights.items() if "pooler" not in name}, folder / "model.safetensors")
    assert build_with(folder, pooling=pooling)


@pytest.mark.parametrize("share", [0, 0.0002, 0.01, 0.5, 0.999])
def test_truncated_weights_are_refused_in_one_sentence(saved: Path, share: float) -> None:
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert "holds no usable classifier: " in refusal(saved)


def test_a_weight_of_another_shape_is_refused(saved: Path) -> None:
    path = saved / "model.safetensors"
    weights = load_file(path)
    name = next(name for name in weights if re.match(r"(head|classifier)\.weight", name))
    save_file(weights | {name: torch.zeros(3, 16)}, path, {"format": "pt"})
    refusal(saved)


@pytest.mark.parametrize("content", [None, "", "{", "{}", "[]", '{"model_type": "unheard of"}'])
def test_a_missing_or_damaged_config_is_refused(saved: Path, content: str | None) -> None:
    path = saved / "config.json"
    path.unlink() if content is None else path.write_text(content)
    refusal(saved)


def test_a_wrapped_config_without_its_encoder_is_refused(build_with: Build, tmp_path: Path) -> None:
    build_with(pooling="mean").save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    del config["encoder"]
    path.write_text(json.dumps(config))
    refusal(tmp_path)


def test_a_folder_without_weights_and_no_folder_at_all_are_refused(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    refusal(saved)
    shutil.rmtree(saved)
    refusal(saved)


def test_weights_with_a_flipped_bit_are_refused(saved: Path) -> None:
    path = saved / "model.safetensors"
    write_json(saved / PROVENANCE, {"outputs": {path.name: sha256(path)}})
    load(saved)
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        UserError, match=f"^{re.escape(str(path))} is not what train wrote, it was changed or damaged: "
    ):
        load(saved)
