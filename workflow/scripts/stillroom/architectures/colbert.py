"""ColBERT: one vector per token, every query token matched with its most similar passage token.

Shape suffixes: see `stillroom.ranker`; M = passage tokens.
"""

from typing import NamedTuple

import torch
from torch.nn.functional import normalize
from torch.nn.utils.rnn import pad_sequence

from stillroom.dual_encoder import DualEncoder
from stillroom.pooling import max_sim
from stillroom.ranker import Texts

RETRIEVES = False
IN_BATCH = True
READS = {"normalize": None, "temperature": None}


class TokenVectors(NamedTuple):
    """Token vectors of texts and where there is a token: vectors_BLD, mask_BL."""

    vectors: torch.Tensor
    mask: torch.Tensor


class Colbert(DualEncoder):
    """score(q, p) = Σ_l max_m q_l · p_m. Khattab and Zaharia 2020 (arXiv:2004.12832), MaxSim.

    As in Hofstätter et al. 2020 (arXiv:2010.02666): full-width vectors (no compression), dot products of un-normalised
    vectors, no [MASK] augmentation of the query. With `normalize` the token vectors have length 1, as in the original.
    Differs from the paper: in-batch scores mask each passage with its own mask (the original code does not).
    """

    def encode_queries(self, queries: Texts) -> TokenVectors:
        return self.encode([self.query_input(query) for query in queries])

    def encode_passages(self, passages: Texts) -> TokenVectors:
        return self.encode([self.passage_input(passage) for passage in passages])

    def encode(self, inputs: Texts) -> TokenVectors:
        def forward(rows):
            hidden_BLD, _ = self.hidden_states([inputs[row] for row in rows])
            hidden_BLD = normalize(hidden_BLD, dim=-1) if self.settings.normalize else hidden_BLD
            return [hidden_LD[: len(inputs[row])] for row, hidden_LD in zip(rows, hidden_BLD, strict=True)]

        vectors_BLD = pad_sequence(self.in_chunks(inputs, forward), batch_first=True)
        lengths_B = torch.tensor([len(row) for row in inputs], device=vectors_BLD.device)
        mask_BL = torch.arange(vectors_BLD.shape[1], device=vectors_BLD.device) < lengths_B[:, None]
        return TokenVectors(vectors_BLD, mask_BL)

    def select(self, representations: TokenVectors, rows) -> TokenVectors:
        return TokenVectors(*(tensor[rows] for tensor in representations))

    def similarity(self, queries: TokenVectors, passages: TokenVectors) -> torch.Tensor:
        dots_QPLM = torch.einsum("qld,pmd->qplm", queries.vectors, passages.vectors)
        return max_sim(dots_QPLM, queries.mask[:, None], passages.mask[None]) / self.settings.temperature

    def paired_similarity(self, queries: TokenVectors, passages: TokenVectors) -> torch.Tensor:
        dots_BLM = queries.vectors @ passages.vectors.transpose(-1, -2)
        return max_sim(dots_BLM, queries.mask, passages.mask) / self.settings.temperature
