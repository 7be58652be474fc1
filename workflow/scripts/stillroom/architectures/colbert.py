"""ColBERT: one vector per token, every query token matched with its most similar passage token.

Shape suffixes: see `stillroom.ranker`; M = passage tokens.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize
from torch.nn.utils.rnn import pad_sequence

from stillroom.dual_encoder import DualEncoder
from stillroom.pooling import max_sim
from stillroom.ranker import Texts

RETRIEVES = False
IN_BATCH = True
READS = {"normalize": None, "temperature": None, "dimensions": None, "query_augmentation": None}
COMPRESSOR = "compressor."


class TokenVectors(NamedTuple):
    """Token vectors of texts and where there is a token: vectors_BLD, mask_BL."""

    vectors: torch.Tensor
    mask: torch.Tensor


class Colbert(DualEncoder):
    """score(q, p) = Σ_l max_m q_l · p_m. Khattab and Zaharia 2020 (arXiv:2004.12832), MaxSim.

    As in Hofstätter et al. 2020 (arXiv:2010.02666): dot products of un-normalised vectors; with `normalize` they have
    length 1, as in the original. `dimensions` adds a linear layer, `query_augmentation` [MASK] tokens after the query,
    beyond its length limit; the authors' published checkpoint has `dimensions: 768`, so no compression, and 8 [MASK].
    Differs from the paper: in-batch scores mask each passage with its own mask (the original code does not).
    """

    def __init__(self, settings, encoder, tokenizer):
        super().__init__(settings, encoder, tokenizer)
        width, dimensions = encoder.config.hidden_size, settings.dimensions
        self.compressor = nn.Linear(width, dimensions) if dimensions else nn.Identity()

    def query_input(self, query: np.ndarray) -> np.ndarray:
        masks = [self.tokenizer.mask_token_id] * self.settings.query_augmentation
        return np.concatenate([super().query_input(query), np.array(masks, np.int64)])

    def encode_queries(self, queries: Texts) -> TokenVectors:
        return self.encode([self.query_input(query) for query in queries])

    def encode_passages(self, passages: Texts) -> TokenVectors:
        return self.encode([self.passage_input(passage) for passage in passages])

    def encode(self, inputs: Texts) -> TokenVectors:
        def forward(rows):
            hidden_BLD, _ = self.hidden_states([inputs[row] for row in rows])
            hidden_BLD = self.compressor(hidden_BLD)
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

    def weights(self) -> dict[str, torch.Tensor]:
        """The encoder under its own names, and `compressor`."""
        compressor = {f"{COMPRESSOR}{name}": tensor for name, tensor in self.compressor.state_dict().items()}
        return super().weights() | compressor

    def load_weights(self, weights: dict[str, torch.Tensor]) -> None:
        compressor = {name: tensor for name, tensor in weights.items() if name.startswith(COMPRESSOR)}
        super().load_weights({name: tensor for name, tensor in weights.items() if name not in compressor})
        self.compressor.load_state_dict({name.removeprefix(COMPRESSOR): compressor[name] for name in compressor})
