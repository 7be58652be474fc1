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
from stillroom.encoder_layers import LAYERS

PACKED = "stillroom_packed"  # among transformers' names
CAPABILITY = (8, 0)
HEAD_MULTIPLE, LARGEST_HEAD = 8, 256  # dimensions of a head that the kernel can


def check_attention(attention: str, precision: str, device: torch.device) -> None:
    """Packed attention needs half precision on a GPU of a kind that has the kernel."""
    if attention != "packed":
        return
    if precision == "fp32" or device.type != "cuda":
        raise ValueError("inference: attention is packed, which needs bf16 or fp16 on a GPU; set attention to padded.")
    if torch.cuda.get_device_capability(device) < CAPABILITY:
        needed = ".".join(map(str, CAPABILITY))
        raise ValueError(
            f"inference: attention is packed, which needs a GPU of compute capability {needed} or newer; "
            "set attention to padded."
        )


def use_packed_attention(encoder: PreTrainedModel) -> None:
    """Let `run_encoder` pack the texts of an encoder; other families than `LAYERS`, and other heads, stay padded."""
    head = encoder.config.hidden_size // encoder.config.num_attention_heads
    if encoder.config.model_type in LAYERS and head % HEAD_MULTIPLE == 0 and head <= LARGEST_HEAD:
        AttentionInterface.register(PACKED, packed_attention)
        AttentionMaskInterface.register(PACKED, sdpa_mask)
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
    starts = to_device(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32), ids_BL.device)
    inputs = {"input_ids": ids_BL, "position_ids": positions(encoder, ids_BL), **segments}
    packed = {name: tensor_BL.flatten()[place_T][None] for name, tensor_BL in inputs.items()}
    hidden_TD = encoder(**packed, text_starts=starts, longest=int(lengths.max())).last_hidden_state[0]
    hidden_BLD = hidden_TD.new_zeros(*ids_BL.shape, hidden_TD.shape[1])
    hidden_BLD.flatten(0, 1)[place_T] = hidden_TD
    pooler = getattr(encoder, "pooler", None)
    return BaseModelOutputWithPooling(
        last_hidden_state=hidden_BLD, pooler_output=None if pooler is None else pooler(hidden_BLD)
    )


def positions(encoder: PreTrainedModel, ids_BL: torch.Tensor) -> torch.Tensor:
    """position_BL as the encoder itself counts them; RoBERTa's kin leave out padding, in the midst of texts too."""
    embeddings = encoder.embeddings
    if hasattr(embeddings, "create_position_ids_from_input_ids"):
        return embeddings.create_position_ids_from_input_ids(ids_BL, embeddings.padding_idx)
    return torch.arange(ids_BL.shape[1], device=ids_BL.device).expand_as(ids_BL)


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
