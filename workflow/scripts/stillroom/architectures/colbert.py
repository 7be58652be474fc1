"""ColBERT: one vector per token, every query token matched with its most similar passage token.

Shape suffixes: see `stillroom.ranker`; M = passage tokens.
"""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize

from stillroom.late_interaction import LateInteraction
from stillroom.pooling import max_sim
from stillroom.ranker import Texts
from stillroom.token_vectors import TokenVectors, padded

RETRIEVES = False
IN_BATCH = True
KERNELS = False
WORDS = False
HEADLESS = {"dimensions": None}
READS = {"normalize": None, "temperature": None, "dimensions": None, "linear_bias": None, "query_augmentation": None}


class Colbert(LateInteraction):
    """score(q, p) = Σ_l max_m q_l · p_m. Khattab and Zaharia 2020 (arXiv:2004.12832), MaxSim.

    As in Hofstätter et al. 2020 (arXiv:2010.02666): full-width vectors (no compression), dot products of un-normalised
    vectors; no [MASK] augmentation of the query unless it is set. The original's vectors: `dimensions: 128`, a linear
    layer without bias on the encoder's, and `normalize: true`, length 1. The authors' published checkpoint has
    `dimensions: 768`, which compress nothing, with `linear_bias`, and reads 8 [MASK] tokens after every query
    (`query_augmentation`), beyond its length limit.
    Differs from the paper: in-batch scores mask each passage with its own mask (the original code does not). The
    original also reads [Q] and [D] markers, fills queries up with [MASK] and leaves out passages' punctuation. Scores
    are divided by `temperature`.
    """

    def __init__(self, settings, encoder, tokenizer):
        super().__init__(settings, encoder, tokenizer)
        if settings.query_augmentation and tokenizer.mask_token_id is None:
            message = f"but the tokenizer of {settings.encoder.weights} has no [MASK]; set it to 0"
            raise ValueError(f"colbert: query_augmentation is {settings.query_augmentation}, {message}.")
        self.linear = None
        if settings.dimensions is not None:
            self.linear = nn.Linear(encoder.config.hidden_size, settings.dimensions, bias=settings.linear_bias)

    def query_input(self, query: np.ndarray) -> np.ndarray:
        masks = [self.tokenizer.mask_token_id] * self.settings.query_augmentation
        return np.concatenate([super().query_input(query), np.array(masks, np.int64)])

    @property
    def parts(self) -> dict[str, nn.Module]:
        """Without compression the encoder's own names; with it, those of ColBERT's own checkpoints."""
        if self.linear is None:
            return super().parts
        return {f"{self.encoder.base_model_prefix}.": self.encoder, "linear.": self.linear}

    def encode(self, inputs: Texts) -> TokenVectors:
        def forward(rows):
            hidden_BLD, _ = self.hidden_states([inputs[row] for row in rows])
            with self.in_float32():
                hidden_BLD = hidden_BLD.float() if self.linear is None else self.linear(hidden_BLD.float())
                hidden_BLD = normalize(hidden_BLD, dim=-1) if self.settings.normalize else hidden_BLD
            return [hidden_LD[: len(inputs[row])] for row, hidden_LD in zip(rows, hidden_BLD, strict=True)]

        return padded(self.in_chunks(inputs, forward))

    def interaction(
        self, dots_LM: torch.Tensor, query_mask_L: torch.Tensor, passage_mask_M: torch.Tensor
    ) -> torch.Tensor:
        return max_sim(dots_LM, query_mask_L, passage_mask_M) / self.settings.temperature
