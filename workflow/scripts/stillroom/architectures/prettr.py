"""PreTTR: the lower layers read query and passage apart, the upper ones together.

Shape suffixes: see `stillroom.ranker`.
"""

import numpy as np
import torch
from torch import nn

from stillroom.batches import WINDOW_TOKEN_VECTORS, pad
from stillroom.encoder_layers import embed, first_position, layers_of, run_layers
from stillroom.ranker import Texts
from stillroom.split_ranker import SplitRanker
from stillroom.token_matching import attention_mask, matched, passage_part
from stillroom.token_vectors import padded

RETRIEVES = False
IN_BATCH = False
KERNELS = False
WORDS = False
HEADLESS = {"pooling": "max_sim"}
READS = {
    "join_layer": None,
    "pooling": ("cls", "max_sim"),
    "cross_attention_bias": None,
    "temperature": None,
}


class Prettr(SplitRanker):
    """score(q, p) = W · CLS of layers l+1…n over [layers 1…l of q; layers 1…l of p], l = `join_layer`.

    MacAvaney et al. 2020 (arXiv:2004.14255), Fig. 2, as in Hofstätter et al. 2020 (arXiv:2010.02666) and the model card
    of their PreTTR: no compression between layers l and l+1, the passage's own [CLS] is dropped, and W is a single
    linear head without bias on the last layer's [CLS]. What the lower layers make of a passage depends on no query and
    can be kept. `join_layer: 0` is the encoder of BERT_CAT, but for the positions of the passage.
    Differs from the paper: the passage's positions start at a constant, the length limit of queries. In the code behind
    the model card they start at the padded width of the batch's queries, so that a score depends on the batch (and the
    released weights have seen passages start earlier than here). `pooling: max_sim` has no W, and
    `cross_attention_bias` is added to the attention logits between query and passage in the joined layers: see
    `stillroom.token_matching`. Scores are divided by `temperature`.
    """

    def __init__(self, settings, encoder, tokenizer):
        super().__init__(settings, encoder, tokenizer)
        self.check_layers()
        self.check_positions()
        self.is_matched = settings.pooling == "max_sim"
        self.classifier = nn.Identity() if self.is_matched else nn.Linear(encoder.config.hidden_size, 1, bias=False)

    def check_layers(self) -> None:
        """The last layer at least reads both texts."""
        join, layers = self.settings.join_layer, len(layers_of(self.encoder))
        if join >= layers:
            raise ValueError(
                f"prettr: join_layer is {join}, but the encoder {self.settings.encoder.weights} has {layers} layers; "
                f"expected at most {layers - 1}, so that query and passage meet."
            )

    def check_positions(self) -> None:
        """There is a position for every token."""
        limits, there = self.settings.encoder, self.encoder.config.max_position_embeddings
        needed = first_position(self.encoder) + limits.query_tokens + limits.passage_tokens - 1
        if needed > there:
            raise ValueError(
                f"prettr: query_tokens {limits.query_tokens} and passage_tokens {limits.passage_tokens} need {needed} "
                f"positions, but the encoder {limits.weights} has {there}."
            )

    @property
    def window(self) -> int:
        return WINDOW_TOKEN_VECTORS

    @property
    def parts(self) -> dict[str, nn.Module]:
        return {f"{self.encoder.base_model_prefix}.": self.encoder, "classifier.": self.classifier}

    def encode_queries(self, queries: Texts) -> list[torch.Tensor]:
        """hidden_LD of each query, after the layers that read it apart."""
        return self.encode([self.query_input(query) for query in queries], position=0, segment=0)

    def encode_passages(self, passages: Texts) -> list[torch.Tensor]:
        """hidden_LD of each passage, after the layers that read it apart."""
        inputs = [self.passage_input(passage)[1:] for passage in passages]  # one [CLS] is enough
        return self.encode(inputs, position=self.settings.encoder.query_tokens, segment=1)

    def encode(self, inputs: Texts, *, position: int, segment: int) -> list[torch.Tensor]:
        lower = layers_of(self.encoder)[: self.settings.join_layer]

        def forward(rows):
            ids_BL, mask_BL = pad([inputs[row] for row in rows], self.tokenizer.pad_token_id, self.device)
            hidden_BLD = run_layers(self.encoder, lower, embed(self.encoder, ids_BL, position, segment), mask_BL.long())
            return [hidden_LD[: len(inputs[row])] for row, hidden_LD in zip(rows, hidden_BLD, strict=True)]

        return self.in_chunks(inputs, forward)

    def select(self, representations: list[torch.Tensor], rows) -> list[torch.Tensor]:
        return [representations[row] for row in rows]

    def paired_similarity(self, queries: list[torch.Tensor], passages: list[torch.Tensor]) -> torch.Tensor:
        """scores_B: the two texts joined, and read by the upper layers."""
        joined = [torch.cat(pair) for pair in zip(queries, passages, strict=True)]
        query_lengths = np.array([len(query) for query in queries])
        upper = layers_of(self.encoder)[self.settings.join_layer :]

        def forward(rows):
            hidden_BLD, mask_BL = padded([joined[row] for row in rows])
            in_passage_BL = passage_part(query_lengths[rows], mask_BL)
            mask = attention_mask(in_passage_BL, mask_BL, self.settings.cross_attention_bias, self.encoder.dtype)
            hidden_BLD = run_layers(self.encoder, upper, hidden_BLD.to(self.encoder.dtype), mask)
            with self.in_float32():
                if self.is_matched:
                    return matched(hidden_BLD.float(), in_passage_BL, mask_BL)
                return self.classifier(hidden_BLD[:, 0].float()).squeeze(-1)

        return self.in_chunks_joined(joined, forward) / self.settings.temperature
