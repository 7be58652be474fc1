"""The parts of a transformers encoder, for rankers that run its layers in two passes.

Shape suffixes: see `stillroom.ranker`.
"""

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.masking_utils import create_bidirectional_mask

# Families whose layers are a plain list, each called with hidden states and a mask, and hand on to the attention what
# else they are given, which `packed_attention` needs: model type → where the list is.
LAYERS = {
    "bert": "encoder.layer",
    "camembert": "encoder.layer",
    "distilbert": "transformer.layer",
    "electra": "encoder.layer",
    "roberta": "encoder.layer",
    "xlm-roberta": "encoder.layer",
}


def layers_of(encoder: PreTrainedModel) -> nn.ModuleList:
    """The layers of an encoder, in order."""
    family = encoder.config.model_type
    if family not in LAYERS:
        raise ValueError(f"encoder: its layers cannot be run apart in a {family}, only in {', '.join(LAYERS)}.")
    return encoder.get_submodule(LAYERS[family])


def keep_layers(encoder: PreTrainedModel, numbers: list[int]) -> None:
    """Leave the encoder only these of its layers, numbered from 0, in this order."""
    layers = layers_of(encoder)
    encoder.set_submodule(LAYERS[encoder.config.model_type], nn.ModuleList(layers[number] for number in numbers))
    encoder.config.num_hidden_layers = len(numbers)


def first_position(encoder: PreTrainedModel) -> int:
    """The position id of a text's first token: RoBERTa's begin after the padding's."""
    return getattr(encoder.embeddings, "padding_idx", -1) + 1


def has_segments(encoder: PreTrainedModel) -> bool:
    """Whether the encoder tells first and second texts apart (token_type_ids)."""
    return getattr(encoder.config, "type_vocab_size", 0) > 1


def embed(encoder: PreTrainedModel, ids_BL: torch.Tensor, position: int, segment: int) -> torch.Tensor:
    """hidden_BLD that the first layer reads, of texts of one segment whose first token is at this position."""
    position_L = torch.arange(position, position + ids_BL.shape[1], device=ids_BL.device)
    segments = {"token_type_ids": torch.full_like(ids_BL, segment)} if has_segments(encoder) else {}
    position_BL = (position_L + first_position(encoder)).expand_as(ids_BL)
    hidden_BLD = encoder.embeddings(input_ids=ids_BL, position_ids=position_BL, **segments)
    return encoder.embeddings_project(hidden_BLD) if hasattr(encoder, "embeddings_project") else hidden_BLD


def run_layers(
    encoder: PreTrainedModel, layers: nn.ModuleList, hidden_BLD: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """hidden_BLD after some of the encoder's layers, every token reading all others of its row.

    `mask` is mask_BL as numbers, or what is added to the attention logits, bias_B1LL.
    """
    mask = create_bidirectional_mask(encoder.config, hidden_BLD, mask)
    for layer in layers:
        hidden_BLD = layer(hidden_BLD, mask)
    return hidden_BLD
