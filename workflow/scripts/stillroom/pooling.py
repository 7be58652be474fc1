"""From token vectors to one vector per text.

Shape suffixes: see `stillroom.ranker`.
"""

import torch


def cls(hidden_BLD: torch.Tensor, mask_BL: torch.Tensor) -> torch.Tensor:
    """The vector of the first token, [CLS]."""
    return hidden_BLD[:, 0]


def mean(hidden_BLD: torch.Tensor, mask_BL: torch.Tensor) -> torch.Tensor:
    """The mean of the vectors of all tokens, special tokens included (as sentence-transformers does)."""
    mask_BL1 = mask_BL.unsqueeze(-1).to(hidden_BLD.dtype)
    return (hidden_BLD * mask_BL1).sum(1) / mask_BL1.sum(1)


POOLINGS = {"cls": cls, "mean": mean}
