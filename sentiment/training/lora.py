"""LoRA: low-rank updates of an encoder's matrices (Hu et al. 2021, arXiv:2106.09685), by peft."""

from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from sentiment.training.layers import matrices


def add_updates(encoder: PreTrainedModel, rank: int) -> None:
    """Give every matrix of the encoder's layers a trainable update of that rank, and freeze the rest.

    Adapting every matrix, not only those of attention, is what matches full fine-tuning (Dettmers et al. 2023,
    arXiv:2305.14314); the scale of 2 is theirs as well. The updates start at zero, so the outputs do not change yet.
    """
    # GPT-2 stores its matrices transposed.
    transposed = any(isinstance(module, Conv1D) for module in encoder.modules())
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=matrices(encoder), fan_in_fan_out=transposed)
    inject_adapter_in_model(config, encoder)


def merge_updates(encoder: PreTrainedModel) -> None:
    """Merge the updates into their matrices, which leaves a plain encoder."""
    updated = [(name, module) for name, module in encoder.named_modules() if isinstance(module, LoraLayer)]
    for name, module in updated:
        module.merge()
        encoder.set_submodule(name, module.get_base_layer())
    # Else another training of this model would find it and add to it.
    del encoder.peft_config
