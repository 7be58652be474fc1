"""Token vectors of many texts as one padded tensor.

Shape suffixes: see `stillroom.ranker`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.nn.utils.rnn import pad_sequence


class TokenVectors(NamedTuple):
    """Token vectors of texts and where there is a token: vectors_BLD, mask_BL."""

    vectors: torch.Tensor
    mask: torch.Tensor

    def select(self, rows) -> "TokenVectors":
        """Those of the texts in these rows, repeated where a row is."""
        return TokenVectors(*(tensor[rows] for tensor in self))


def padded(vectors: Sequence[torch.Tensor]) -> TokenVectors:
    """The vectors_LD of each text, zeros after its last token."""
    vectors_BLD = pad_sequence(vectors, batch_first=True)
    lengths_B = torch.tensor([len(vectors_LD) for vectors_LD in vectors], device=vectors_BLD.device)
    mask_BL = torch.arange(vectors_BLD.shape[1], device=vectors_BLD.device) < lengths_B[:, None]
    return TokenVectors(vectors_BLD, mask_BL)
