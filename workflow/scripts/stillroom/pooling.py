"""From token vectors to one vector per text, or to the similarity of two texts.

Shape suffixes: see `stillroom.ranker`; M = passage tokens.
"""

import torch


def cls(hidden_BLD: torch.Tensor, mask_BL: torch.Tensor) -> torch.Tensor:
    """The vector of the first token, [CLS]."""
    return hidden_BLD[:, 0].clone()  # a view would keep the whole of the states


def mean(hidden_BLD: torch.Tensor, mask_BL: torch.Tensor) -> torch.Tensor:
    """The mean of the vectors of all tokens, special tokens included (as sentence-transformers does)."""
    mask_BL1 = mask_BL.unsqueeze(-1).to(hidden_BLD.dtype)
    return (hidden_BLD * mask_BL1).sum(1) / mask_BL1.sum(1)


def max_sim(dots_LM: torch.Tensor, query_mask_L: torch.Tensor, passage_mask_M: torch.Tensor) -> torch.Tensor:
    """Sum over query tokens of the largest dot product with a passage token; leading dimensions are kept.

    Khattab and Zaharia 2020 (arXiv:2004.12832), MaxSim.
    """
    dots_LM = dots_LM.masked_fill(~passage_mask_M.unsqueeze(-2), float("-inf"))
    return dots_LM.amax(-1).masked_fill(~query_mask_L, 0.0).sum(-1)


POOLINGS = {"cls": cls, "mean": mean}
