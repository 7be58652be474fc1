"""Tokens that have read both texts, matched by their cosines: a head without weights for rankers of joint inputs.

An encoder that was trained to compare texts starts near what it knows already, not from a blank head and never seen
pairs, which a short training cannot make good.
Shape suffixes: see `stillroom.ranker`.
"""

import torch
from torch.nn.functional import normalize

from stillroom.pooling import max_sim


def matched(hidden_BLD: torch.Tensor, in_passage_BL: torch.Tensor, mask_BL: torch.Tensor) -> torch.Tensor:
    """scores_B: the sum over query tokens of the largest cosine with a passage token.

    As ColBERT's MaxSim, on the tokens of a joint encoder (as in MacAvaney et al. 2019, arXiv:1904.07094).
    """
    hidden_BLD = normalize(hidden_BLD, dim=-1)
    cosines_BLL = hidden_BLD @ hidden_BLD.transpose(1, 2)
    return max_sim(cosines_BLL, mask_BL & ~in_passage_BL, in_passage_BL)


def attention_mask(in_passage_BL: torch.Tensor, mask_BL: torch.Tensor, bias: float, dtype: torch.dtype) -> torch.Tensor:
    """mask_BL as numbers, or, where there is a bias, what is added to the attention logits, bias_B1LL.

    The bias is added between query and passage; below 0 each text reads less of the other.
    """
    if bias == 0:
        return mask_BL.long()
    is_across_BLL = in_passage_BL[:, :, None] != in_passage_BL[:, None, :]
    bias_BLL = torch.where(is_across_BLL, bias, 0.0).masked_fill(~mask_BL[:, None, :], float("-inf"))
    return bias_BLL[:, None].to(dtype)


def passage_part(query_lengths, mask_BL: torch.Tensor) -> torch.Tensor:
    """in_passage_BL: the tokens after the first `query_lengths` of each row."""
    position_L = torch.arange(mask_BL.shape[1], device=mask_BL.device)
    return (position_L >= torch.as_tensor(query_lengths, device=mask_BL.device)[:, None]) & mask_BL
