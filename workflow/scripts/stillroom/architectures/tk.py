"""TK: words in a little context, matched by cosine; Gaussian kernels count the matches of each strength.

Shape suffixes: see `stillroom.ranker`; M = words of the passage, K = kernels.
"""

import math
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize

from stillroom.batches import pad
from stillroom.encoders import load_tokenizer, load_word_embeddings
from stillroom.late_interaction import LateInteraction
from stillroom.ranker import Texts
from stillroom.settings import RankerSettings
from stillroom.token_vectors import TokenVectors, padded

RETRIEVES = False
IN_BATCH = True
KERNELS = True
WORDS = True
HEADLESS = None
READS = {"contextual_layers": None, "temperature": None}

# Of the authors' configuration: the first kernel counts (nearly) exact matches and is as wide as the others.
KERNEL_MEANS = (1.0, 0.9, 0.7, 0.5, 0.3, 0.1, -0.1, -0.3, -0.5, -0.7, -0.9)
KERNEL_WIDTH = 0.1
LARGEST_WEIGHT = 0.014  # of the kernels at the start
SMALLEST_COUNT = 1e-10  # before the logarithm
MOST_HEADS = 10


class Tk(LateInteraction):
    """Kernel pooling of contextualised words. Hofstätter et al. 2020, ECAI (arXiv:2002.01854).

    Words t_i, in context: t̂_i = α t_i + (1 − α) context(t_1…n)_i, α learnt; context = `contextual_layers` Transformer
    layers over t plus sinusoidal positions, the same for queries and passages. M_lm = cos(q̂_l, p̂_m),
    K_lk = Σ_m exp(−(M_lm − μ_k)² / 2σ²), score = β Σ_k v_k Σ_l log K_lk + γ Σ_k w_k Σ_l K_lk / |p|, with v, w, β, γ
    learnt. Layers, heads (10 at 300 dimensions), the feed-forward width (the dimensions, 300 there), kernels and the
    start of α, v and w are those of the authors' code, as is that words without a vector match nothing.
    Differs from the paper: heads are the largest number up to 10 that divides the dimensions. Words may come from an
    encoder's own table, which is then scaled to the length of contextualised vectors. All weights are trained by the
    same optimizer (the authors' code: a sparse Adam for words). Their code has one more learnt factor of both sums,
    which their weights contain. Scores are divided by `temperature`.
    """

    def __init__(self, settings, encoder: nn.Embedding, tokenizer):
        super().__init__(settings, encoder, tokenizer)
        limits, dimensions = settings.encoder, encoder.embedding_dim
        longest = max(limits.query_tokens, limits.passage_tokens)
        self.register_buffer("positions_LD", sinusoids(longest, dimensions), persistent=False)
        heads = next(heads for heads in range(MOST_HEADS, 0, -1) if dimensions % heads == 0)
        dropout = (settings.training.dropout if settings.training else None) or 0.0  # the paper's: none
        self.contextual = nn.ModuleList(
            nn.TransformerEncoderLayer(dimensions, heads, dimensions, dropout, batch_first=True)
            for _ in range(settings.contextual_layers)
        )
        self.mixing = nn.Parameter(torch.tensor(0.5))  # α
        self.log_weights = nn.Linear(len(KERNEL_MEANS), 1, bias=False)  # v
        self.length_weights = nn.Linear(len(KERNEL_MEANS), 1, bias=False)  # w
        self.combination = nn.Linear(2, 1, bias=False)  # β, γ
        for weights in (self.log_weights.weight, self.length_weights.weight):
            nn.init.uniform_(weights, -LARGEST_WEIGHT, LARGEST_WEIGHT)
        nn.init.ones_(self.combination.weight)

    def kernel_parameters(self) -> list[nn.Parameter]:
        """v, w, β and γ."""
        return [self.log_weights.weight, self.length_weights.weight, self.combination.weight]

    def with_special_tokens(self, ids: np.ndarray, limit: int) -> np.ndarray:
        """As many words as others read beside their two special tokens, of which TK has none."""
        return np.asarray(ids[: limit - 2], np.int64)

    def encode(self, inputs: Texts) -> TokenVectors:
        """Unit vectors of the known words, in context."""

        def forward(rows):
            ids_BL, mask_BL = pad([inputs[row] for row in rows], self.tokenizer.pad_token_id, self.device)
            known_BL = mask_BL & (ids_BL != self.tokenizer.unk_token_id)
            vectors_BLD = normalize(self.contextualize(self.encoder(ids_BL), known_BL), dim=-1)
            return [vectors_LD[known_L] for vectors_LD, known_L in zip(vectors_BLD, known_BL, strict=True)]

        return padded(self.in_chunks(inputs, forward))

    def contextualize(self, words_BLD: torch.Tensor, known_BL: torch.Tensor) -> torch.Tensor:
        """t̂_BLD; only known words are read by others."""
        unread_BL = ~known_BL & known_BL.any(1, keepdim=True)  # attention to nothing at all would not be a number
        context_BLD = words_BLD + self.positions_LD[: words_BLD.shape[1]]
        for layer in self.contextual:
            context_BLD = layer(context_BLD, src_key_padding_mask=unread_BL)
        return self.mixing * words_BLD + (1 - self.mixing) * context_BLD

    def interaction(
        self, cosines_LM: torch.Tensor, query_mask_L: torch.Tensor, passage_mask_M: torch.Tensor
    ) -> torch.Tensor:
        counts_LK = kernel_counts(cosines_LM, passage_mask_M) * query_mask_L.unsqueeze(-1)
        logs_LK = counts_LK.clamp(min=SMALLEST_COUNT).log() * query_mask_L.unsqueeze(-1)
        length = passage_mask_M.sum(-1).clamp(min=1)
        sums = [self.log_weights(logs_LK.sum(-2)), self.length_weights(counts_LK.sum(-2) / length.unsqueeze(-1))]
        return self.combination(torch.cat(sums, dim=-1)).squeeze(-1) / self.settings.temperature

    @property
    def parts(self) -> dict[str, nn.Module]:
        return {"": self}

    @property
    def config(self) -> None:
        """No model of transformers."""
        return None

    @classmethod
    def new(cls, settings: RankerSettings) -> "Tk":
        """The ranker before training: words from a file or from an encoder; new parts from torch's generator."""
        encoder = settings.encoder
        return cls(settings, load_word_embeddings(encoder), load_tokenizer(encoder.weights, encoder.revision))

    @classmethod
    def blank_encoder(cls, folder: Path, weights: dict[str, torch.Tensor]) -> nn.Embedding:
        return nn.Embedding(*weights["encoder.weight"].shape)


def kernel_counts(cosines_LM: torch.Tensor, passage_mask_M: torch.Tensor) -> torch.Tensor:
    """counts_LK: how many words of the passage match each query word as strongly as each kernel says."""
    outside_1M = ~passage_mask_M.unsqueeze(-2)
    counts = [
        torch.exp(-((cosines_LM - mean) ** 2) / (2 * KERNEL_WIDTH**2)).masked_fill(outside_1M, 0.0).sum(-1)
        for mean in KERNEL_MEANS  # one after the other: K match matrices at once would be many
    ]
    return torch.stack(counts, dim=-1)


def sinusoids(length: int, dimensions: int) -> torch.Tensor:
    """positions_LD: sines, then cosines, of wavelengths from 2π to 10,000 · 2π."""
    count = math.ceil(dimensions / 2)
    rates = torch.exp(-math.log(10_000) * torch.arange(count) / max(1, count - 1))
    angles = torch.arange(length)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :dimensions]
