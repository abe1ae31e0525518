import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from sentiment.core.errors import UserError
from sentiment.sources.pickles import convert

SMALL: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


def refusal(source: Path) -> str:
    with pytest.raises(UserError) as caught:
        convert(source, source.with_name("model.safetensors"))
    assert not source.with_name("model.safetensors").exists()
    return str(caught.value)


def pretrained(family: str) -> Any:
    """Return a tiny random model with the head that it was pretrained with, as the hub's pickles have it."""
    import transformers

    torch.manual_seed(0)
    if family == "electra":
        return transformers.ElectraForPreTraining(transformers.ElectraConfig(vocab_size=50, embedding_size=8, **SMALL))
    if family == "xlnet":
        return transformers.XLNetLMHeadModel(transformers.XLNetConfig(vocab_size=50, d_model=16, n_layer=1, n_head=2))
    if family == "deberta-v2":
        return transformers.DebertaV2ForMaskedLM(transformers.DebertaV2Config(vocab_size=50, **SMALL))
    return transformers.AlbertForPreTraining(transformers.AlbertConfig(vocab_size=50, embedding_size=8, **SMALL))


@pytest.mark.parametrize("family", ["electra", "xlnet", "deberta-v2", "albert"])
@pytest.mark.parametrize("zipped", [True, False], ids=["of today", "of before torch 1.6"])
def test_converted_weights_are_the_pickles_own_and_load_without_loss(
    tmp_path: Path, family: str, *, zipped: bool
) -> None:
    from transformers import AutoModel

    model = pretrained(family)
    model.config.save_pretrained(tmp_path)
    source = tmp_path / "weights.bin"
    torch.save(model.state_dict(), source, _use_new_zipfile_serialization=zipped)
    convert(source, tmp_path / "model.safetensors")

    written = load_file(tmp_path / "model.safetensors")
    assert written.keys() == model.state_dict().keys()
    assert all(torch.equal(written[name], tensor) for name, tensor in model.state_dict().items())
    loaded, info = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    base = model.base_model.state_dict()
    assert all(torch.equal(base[name], tensor) for name, tensor in loaded.state_dict().items() if name in base)


def test_the_same_pickle_gives_the_same_bytes(tmp_path: Path) -> None:
    torch.save({"b": torch.ones(3), "a": torch.zeros(2, dtype=torch.float16)}, tmp_path / "weights.bin")
    for name in ("one", "two"):
        convert(tmp_path / "weights.bin", tmp_path / name)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_tied_cut_and_turned_tensors_keep_their_values(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(3, 4)
    state = {"whole": whole, "tied": whole, "row": whole[1], "turned": whole.T, "empty": torch.empty(0)}
    torch.save(state, tmp_path / "weights.bin")
    convert(tmp_path / "weights.bin", tmp_path / "model.safetensors")

    written = load_file(tmp_path / "model.safetensors")
    assert written.keys() == state.keys()
    assert all(torch.equal(written[name], tensor) for name, tensor in state.items())


class Attack:
    """Would leave a file behind if it were unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("form", ["zipped", "legacy", "plain"])
def test_a_pickle_that_holds_code_is_refused_and_not_run(tmp_path: Path, form: str) -> None:
    source, trace = tmp_path / "pytorch_model.bin", tmp_path / "trace"
    content = {"weight": Attack(trace)}
    if form == "plain":
        source.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, source, _use_new_zipfile_serialization=form == "zipped")

    message = refusal(source)
    assert message.startswith("pytorch_model.bin is damaged or holds more than weights, and was not run: ")
    assert message.endswith("; choose a model or a revision with model.safetensors")
    assert not trace.exists()


@pytest.mark.parametrize("kept", [0, 1, 100, 600])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_was_cut_is_refused(tmp_path: Path, kept: int, *, zipped: bool) -> None:
    source = tmp_path / "pytorch_model.bin"
    torch.save({"weight": torch.ones(100)}, source, _use_new_zipfile_serialization=zipped)
    source.write_bytes(source.read_bytes()[:kept])

    assert refusal(source).startswith("pytorch_model.bin is damaged or holds more than weights")


@pytest.mark.parametrize("content", [[], {}, {"epoch": 3}, {"model": {"weight": torch.ones(1)}}, torch.ones(2)])
def test_a_pickle_without_named_weights_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "pytorch_model.bin")

    assert refusal(tmp_path / "pytorch_model.bin") == (
        "pytorch_model.bin holds no weights by name (state dict): choose a model or a revision with model.safetensors"
    )
