"""Weights as safetensors, which hold numbers only and can't run code, unlike the pickles of older models."""

import pickle
import zipfile
from pathlib import Path

from sentiment.core.errors import UserError, reason


def convert(source: Path, target: Path) -> None:
    """Write the weights of a pickle (a state dict that torch saved) as safetensors; same input, same bytes.

    Nothing but tensors is unpickled. Raises UserError when there is anything else, or the file is damaged.
    """
    import torch
    from safetensors.torch import save_file

    try:
        # Files of before torch 1.6 are no zip archives and can't be mapped into memory.
        state = torch.load(source, weights_only=True, map_location="cpu", mmap=zipfile.is_zipfile(source))
    except (pickle.UnpicklingError, RuntimeError, ValueError, LookupError, EOFError) as error:
        raise UserError(
            f"{source.name} is damaged or holds more than weights, and was not run: {reason(error)}; "
            "choose a model or a revision with model.safetensors"
        ) from None
    if not isinstance(state, dict) or not state or not all(isinstance(item, torch.Tensor) for item in state.values()):
        raise UserError(
            f"{source.name} holds no weights by name (state dict): choose a model or a revision with model.safetensors"
        )
    weights, storages = {}, set()
    for name, tensor in state.items():
        # Tied weights and views share memory, which safetensors refuse; each gets its own, so that none is missed.
        shared = tensor.untyped_storage().data_ptr() in storages
        storages.add(tensor.untyped_storage().data_ptr())
        weights[name] = tensor.detach().contiguous()
        if shared:
            weights[name] = weights[name].clone()
    # What transformers asks of a file before it reads it.
    save_file(weights, target, metadata={"format": "pt"})
