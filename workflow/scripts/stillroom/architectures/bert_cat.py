"""BERT_CAT: query and passage concatenated in one input, a linear layer on the pooled output.

Shape suffixes: see `stillroom.ranker`.
"""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize

from stillroom.batches import pad
from stillroom.pooling import POOLINGS, mean
from stillroom.ranker import Ranker, Texts

RETRIEVES = False
IN_BATCH = False
POOLS_PAIRS = True  # knows `pooling: match`


class BertCat(Ranker):
    """score(q, p) = W · pool(BERT([CLS] q [SEP] p [SEP])) + b. Nogueira and Cho 2019 (arXiv:1901.04085).

    `pooling: cls` takes the encoder's own pooler (BERT: a dense layer with tanh on [CLS]) where it has one, as
    Hofstätter et al. 2020 (arXiv:2010.02666) did; such a folder is a `BertForSequenceClassification` of one label.
    Differs from the paper: `pooling: mean` reads the mean of all token vectors. `pooling: match` reads the product,
    dimension by dimension, of the mean query token and the mean passage token, each of length 1; its weights start at
    1 / temperature and the passage's positions at 1. Thus an encoder that was trained for cosines starts near its own
    cosine instead of from a blank head, which a short training cannot make good.
    """

    def __init__(self, settings, encoder, tokenizer):
        super().__init__(settings, encoder, tokenizer)
        self.classifier = nn.Linear(encoder.config.hidden_size, 1)
        if settings.pooling == "match":
            nn.init.constant_(self.classifier.weight, 1 / settings.temperature)
            nn.init.zeros_(self.classifier.bias)

    def score(self, queries: Texts, passages: Texts) -> torch.Tensor:
        query_inputs = [self.query_input(query) for query in queries]
        passage_inputs = [self.passage_input(passage)[1:] for passage in passages]  # one [CLS] is enough
        inputs = [np.concatenate(pair) for pair in zip(query_inputs, passage_inputs, strict=True)]
        query_lengths = np.array([len(query) for query in query_inputs])

        def forward(rows):
            return self.forward([inputs[row] for row in rows], query_lengths[rows])

        return torch.stack(self.in_chunks(inputs, forward))

    def forward(self, inputs: Texts, query_lengths: np.ndarray) -> torch.Tensor:
        """scores_B of concatenated inputs, the first `query_lengths` tokens of which are the query's."""
        ids_BL, mask_BL = pad(inputs, self.tokenizer.pad_token_id, self.device)
        position_BL = torch.arange(ids_BL.shape[1], device=self.device).expand_as(ids_BL)
        length_B1 = torch.from_numpy(query_lengths).to(self.device)[:, None]
        in_passage_BL = (position_BL >= length_B1) & mask_BL
        options = {"token_type_ids": in_passage_BL.long()} if self.has_segments else {}
        if self.settings.pooling == "match":
            options["position_ids"] = torch.where(in_passage_BL, position_BL - length_B1 + 1, position_BL * mask_BL)
        output = self.encoder(input_ids=ids_BL, attention_mask=mask_BL.long(), **options)
        pooled_BD = self.pool(output, in_passage_BL, mask_BL)
        return self.classifier(nn.functional.dropout(pooled_BD, self.dropout, self.training)).squeeze(-1)

    def pool(self, output, in_passage_BL: torch.Tensor, mask_BL: torch.Tensor) -> torch.Tensor:
        """What the linear layer reads, pooled_BD."""
        hidden_BLD = output.last_hidden_state
        if self.settings.pooling == "match":
            query_BD, passage_BD = mean(hidden_BLD, mask_BL & ~in_passage_BL), mean(hidden_BLD, in_passage_BL)
            return normalize(query_BD, dim=-1) * normalize(passage_BD, dim=-1)
        if self.settings.pooling == "cls" and getattr(output, "pooler_output", None) is not None:
            return output.pooler_output
        return POOLINGS[self.settings.pooling](hidden_BLD, mask_BL)

    @property
    def has_segments(self) -> bool:
        return getattr(self.encoder.config, "type_vocab_size", 0) > 1

    @property
    def dropout(self) -> float:
        return getattr(self.encoder.config, "hidden_dropout_prob", 0.0)

    def weights(self) -> dict[str, torch.Tensor]:
        """Named as in transformers' sequence classification: the encoder under its own prefix, and `classifier`."""
        prefix = self.encoder.base_model_prefix
        encoder = {f"{prefix}.{name}": tensor for name, tensor in self.encoder.state_dict().items()}
        return encoder | {f"classifier.{name}": tensor for name, tensor in self.classifier.state_dict().items()}

    def load_weights(self, weights: dict[str, torch.Tensor]) -> None:
        for prefix, module in ((self.encoder.base_model_prefix, self.encoder), ("classifier", self.classifier)):
            start = f"{prefix}."
            module.load_state_dict({k.removeprefix(start): v for k, v in weights.items() if k.startswith(start)})

    def save(self, folder) -> None:
        """As every ranker; with `pooling: cls` the config says that it is transformers' sequence classification."""
        if self.settings.pooling == "cls":
            config, encoder = self.encoder.config, type(self.encoder).__name__
            config.num_labels, config.architectures = 1, [encoder.replace("Model", "ForSequenceClassification")]
        super().save(folder)
