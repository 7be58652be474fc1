"""BERT_CAT: query and passage concatenated in one input, a linear layer on the pooled output.

Shape suffixes: see `stillroom.ranker`.
"""

import numpy as np
import torch
from torch import nn

from stillroom.batches import pad
from stillroom.pooling import POOLINGS
from stillroom.ranker import Ranker, Texts

RETRIEVES = False
IN_BATCH = False


class BertCat(Ranker):
    """score(q, p) = W · pool(BERT([CLS] q [SEP] p [SEP])) + b. Nogueira and Cho 2019 (arXiv:1901.04085).

    `pooling: cls` takes the encoder's own pooler (BERT: a dense layer with tanh on [CLS]) where it has one, as
    Hofstätter et al. 2020 (arXiv:2010.02666) did; such a folder is a `BertForSequenceClassification` of one label.
    Differs from the paper: with `pooling: mean` the head reads the mean of all token vectors.
    """

    def __init__(self, settings, encoder, tokenizer):
        super().__init__(settings, encoder, tokenizer)
        self.classifier = nn.Linear(encoder.config.hidden_size, 1)

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
        position_L = torch.arange(ids_BL.shape[1], device=self.device)
        in_passage_BL = (position_L >= torch.from_numpy(query_lengths).to(self.device)[:, None]) & mask_BL
        segments = {"token_type_ids": in_passage_BL.long()} if self.has_segments else {}
        output = self.encoder(input_ids=ids_BL, attention_mask=mask_BL.long(), **segments)
        if self.settings.pooling == "cls" and getattr(output, "pooler_output", None) is not None:
            pooled_BD = output.pooler_output
        else:
            pooled_BD = POOLINGS[self.settings.pooling](output.last_hidden_state, mask_BL)
        return self.classifier(nn.functional.dropout(pooled_BD, self.dropout, self.training)).squeeze(-1)

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
        prefix = f"{self.encoder.base_model_prefix}."
        self.encoder.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)})
        self.classifier.load_state_dict(
            {k.removeprefix("classifier."): v for k, v in weights.items() if k.startswith("classifier.")}
        )

    def save(self, folder) -> None:
        self.encoder.config.num_labels = 1
        self.encoder.config.architectures = [type(self.encoder).__name__.replace("Model", "ForSequenceClassification")]
        super().save(folder)
