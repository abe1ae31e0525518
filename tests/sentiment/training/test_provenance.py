from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sentiment.core.files import sha256
from sentiment.core.params import Params
from sentiment.training.provenance import PACKAGES, environment, provenance_of


def test_the_environment_names_all_that_bits_depend_on(params_with: Callable[..., Params]) -> None:
    found = environment(params_with(threads=2, precision="bf16"))
    assert set(found) == {"python", "packages", "threads", "portable", "cpu_capability", "cuda", "device", "precision"}
    assert set(found["packages"]) == set(PACKAGES)
    assert (found["threads"], found["precision"]) == (2, "bf16")
    assert {name: environment(params_with(precision=name))["precision"] for name in ("fp32", "fp16")} == {
        "fp32": "fp32",
        "fp16": "fp16",
    }


def test_the_environment_names_the_gpu_that_is_taken_and_what_auto_is_there(
    params_with: Callable[..., Params], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (7, 5))
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    found = {device: environment(params_with(device=device)) for device in ("auto", "cuda", "cpu")}
    assert {device: (here["device"], here["precision"]) for device, here in found.items()} == {
        "auto": ("Tesla T4", "fp16"),
        "cuda": ("Tesla T4", "fp16"),
        "cpu": ("cpu", "fp32"),
    }


def test_every_input_and_every_parameter_that_decides_is_recorded(
    params_with: Callable[..., Params], tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/file").write_text("content")
    params = params_with(precision="fp32")
    found = provenance_of(params, [tmp_path])
    assert found["inputs"] == {(tmp_path / "deep/file").as_posix(): sha256(tmp_path / "deep/file")}
    assert found["parameters"]["train"]["lr"] == params.train.lr
    assert not {"max_minutes", "over_time"} & set(found["parameters"]["train"])
    other = params_with(precision="fp32", evaluate={"batch_size": 7})
    assert provenance_of(other, [tmp_path]) != found
