"""Low-rank updates of an encoder's matrices (LoRA, Hu et al. 2021, arXiv:2106.09685), by peft."""

from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from sentiment.training.layers import matrices


def add_updates(encoder: PreTrainedModel, rank: int) -> None:
    """Give every matrix of the encoder's layers an update of that rank, which learns; the rest stops to.

    Updating every matrix, not the attention's alone, is what reaches full fine-tuning (Dettmers et al. 2023,
    arXiv:2305.14314). Their factor is 2, as theirs. The updates start at zero: the model's outputs stay what they were.
    """
    # GPT-2's matrices lie the other way round.
    turned = any(isinstance(module, Conv1D) for module in encoder.modules())
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=matrices(encoder), fan_in_fan_out=turned)
    inject_adapter_in_model(config, encoder)


def merge_updates(encoder: PreTrainedModel) -> None:
    """Add the updates to their matrices and leave a plain encoder."""
    updated = [(name, module) for name, module in encoder.named_modules() if isinstance(module, LoraLayer)]
    for name, module in updated:
        module.merge()
        encoder.set_submodule(name, module.get_base_layer())
    # Else another training of this model would find it and add to it.
    del encoder.peft_config
