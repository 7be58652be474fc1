"""Rankers of late interaction: one vector per token, every query token compared with every passage token.

Shape suffixes: see `stillroom.ranker`; M = passage tokens.
"""

from abc import abstractmethod

import torch

from stillroom.batches import WINDOW_TOKEN_VECTORS
from stillroom.dual_encoder import DualEncoder
from stillroom.token_vectors import TokenVectors


class LateInteraction(DualEncoder):
    """A dual encoder whose representations are token vectors, and whose score is a function of their dot products."""

    @property
    def window(self) -> int:
        return WINDOW_TOKEN_VECTORS

    @abstractmethod
    def interaction(
        self, dots_LM: torch.Tensor, query_mask_L: torch.Tensor, passage_mask_M: torch.Tensor
    ) -> torch.Tensor:
        """The score of every matrix of dot products; leading dimensions are kept."""

    def select(self, representations: TokenVectors, rows) -> TokenVectors:
        return representations.select(rows)

    def similarity(self, queries: TokenVectors, passages: TokenVectors) -> torch.Tensor:
        dots_QPLM = torch.einsum("qld,pmd->qplm", queries.vectors, passages.vectors)
        return self.interaction(dots_QPLM, queries.mask[:, None], passages.mask[None])

    def paired_similarity(self, queries: TokenVectors, passages: TokenVectors) -> torch.Tensor:
        dots_BLM = queries.vectors @ passages.vectors.transpose(-1, -2)
        return self.interaction(dots_BLM, queries.mask, passages.mask)
