"""Encoders that compute nothing on padding: texts lie one after the other in one row, and each reads itself only.

PyTorch's kernel for texts of different lengths needs half precision and a GPU of compute capability 8.0 or newer.
Shape suffixes: see `stillroom.ranker`; T = tokens of all texts, H = heads, D = dimensions, of a head in the kernel.
"""

import numpy as np
import torch
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask
from transformers.modeling_outputs import BaseModelOutputWithPooling

from stillroom.batches import to_device
from stillroom.encoder_layers import LAYERS, first_position

PACKED = "stillroom_packed"  # among transformers' names
CAPABILITY = (8, 0)


def check_attention(attention: str) -> None:
    """Packed attention needs a GPU of a kind that has the kernel."""
    if attention == "packed" and torch.cuda.get_device_capability() < CAPABILITY:
        needed = ".".join(map(str, CAPABILITY))
        raise ValueError(
            f"inference: attention is packed, which needs a GPU of compute capability {needed} or newer; "
            "set attention to padded."
        )


def use_packed_attention(encoder: PreTrainedModel) -> None:
    """Let `run_encoder` pack the texts of an encoder; families other than those of `LAYERS` stay padded."""
    if encoder.config.model_type in LAYERS:
        encoder.set_attn_implementation(PACKED)


def run_encoder(
    encoder: PreTrainedModel, ids_BL: torch.Tensor, mask_BL: torch.Tensor, lengths: np.ndarray, **segments: torch.Tensor
) -> BaseModelOutputWithPooling:
    """The encoder's output for padded texts of these lengths, which reads no padding."""
    if len(set(lengths.tolist())) <= 1:
        return encoder(input_ids=ids_BL, **segments)
    if encoder.config._attn_implementation != PACKED:
        return encoder(input_ids=ids_BL, attention_mask=mask_BL.long(), **segments)
    return run_packed(encoder, ids_BL, lengths, **segments)


def run_packed(
    encoder: PreTrainedModel, ids_BL: torch.Tensor, lengths: np.ndarray, **segments: torch.Tensor
) -> BaseModelOutputWithPooling:
    """As `run_encoder`; the vectors of padding are zeros."""
    is_token_BL = np.arange(ids_BL.shape[1]) < lengths[:, None]
    place_T = to_device(np.flatnonzero(is_token_BL), ids_BL.device)
    position_T = to_device(np.nonzero(is_token_BL)[1] + first_position(encoder), ids_BL.device)
    start_B = to_device(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32), ids_BL.device)
    packed = {name: tensor_BL.flatten()[place_T][None] for name, tensor_BL in {"input_ids": ids_BL, **segments}.items()}
    hidden_TD = encoder(
        **packed, position_ids=position_T[None], text_starts=start_B, longest=int(lengths.max())
    ).last_hidden_state[0]
    hidden_BLD = hidden_TD.new_zeros(ids_BL.numel(), hidden_TD.shape[1]).index_copy(0, place_T, hidden_TD)
    hidden_BLD = hidden_BLD.view(*ids_BL.shape, -1)
    pooler = getattr(encoder, "pooler", None)
    return BaseModelOutputWithPooling(
        last_hidden_state=hidden_BLD, pooler_output=None if pooler is None else pooler(hidden_BLD)
    )


def packed_attention(
    module: torch.nn.Module,
    query_BHLD: torch.Tensor,
    key_BHLD: torch.Tensor,
    value_BHLD: torch.Tensor,
    mask: torch.Tensor | None,
    *,
    text_starts: torch.Tensor | None = None,
    longest: int = 0,
    scaling: float | None = None,
    **settings,
) -> tuple[torch.Tensor, None]:
    """Attention as transformers' layers call it: within each text of a row, or of padded texts where none are packed.

    The texts of a single row are `text_starts[i]` to `text_starts[i + 1]`, none with more than `longest` tokens.
    """
    if text_starts is None:
        return sdpa_attention_forward(module, query_BHLD, key_BHLD, value_BHLD, mask, scaling=scaling, **settings)
    query_THD, key_THD, value_THD = (part[0].transpose(0, 1) for part in (query_BHLD, key_BHLD, value_BHLD))
    mixed_THD = varlen_attn(query_THD, key_THD, value_THD, text_starts, text_starts, longest, longest, scale=scaling)
    return mixed_THD[None], None


AttentionInterface.register(PACKED, packed_attention)
AttentionMaskInterface.register(PACKED, sdpa_mask)
