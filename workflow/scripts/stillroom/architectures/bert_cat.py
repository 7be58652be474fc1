"""BERT_CAT: query and passage concatenated in one input, every token reads both.

Shape suffixes: see `stillroom.ranker`.
"""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import dropout, relu

from stillroom.batches import pad
from stillroom.encoder_layers import has_segments
from stillroom.packed_attention import run_encoder
from stillroom.pooling import POOLINGS
from stillroom.ranker import Ranker, Texts
from stillroom.token_matching import attention_mask, matched, passage_part

RETRIEVES = False
IN_BATCH = False
KERNELS = False
WORDS = False
HEADLESS = {"pooling": "max_sim"}
READS = {
    "pooling": ("cls", "mean", "max_sim"),
    "temperature": None,
    "cross_attention_bias": None,
    "pre_classifier": None,
}
# (family, pre_classifier) of those whose sequence classification in transformers scores as ours; others' heads differ.
SEQUENCE_CLASSIFICATIONS = (("bert", False), ("albert", False), ("distilbert", True))


class BertCat(Ranker):
    """score(q, p) = W · pool(BERT([CLS] q [SEP] p [SEP])) + b. Nogueira and Cho 2019 (arXiv:1901.04085).

    `pooling: cls` takes the encoder's own pooler (BERT, ALBERT, RoBERTa: a dense layer with tanh on [CLS]) where it has
    one, and [CLS] itself where it has none (DistilBERT, ELECTRA), as Hofstätter et al. 2020 (arXiv:2010.02666) did;
    `pre_classifier` puts a dense layer with ReLU before W. Without the settings below, the folder of a BERT or ALBERT,
    and that of a DistilBERT with `pre_classifier`, is a `…ForSequenceClassification` of one label.
    Differs from the paper: `pooling: mean` reads the mean of all token vectors. `pooling: max_sim` has no W and b, and
    `cross_attention_bias` is added to the attention logits between query and passage: see `stillroom.token_matching`.
    Scores are divided by `temperature`.
    """

    def __init__(self, settings, encoder, tokenizer):
        super().__init__(settings, encoder, tokenizer)
        self.is_matched = settings.pooling == "max_sim"
        width = encoder.config.hidden_size
        self.pre_classifier = nn.Linear(width, width) if settings.pre_classifier else nn.Identity()
        self.classifier = nn.Identity() if self.is_matched else nn.Linear(width, 1)

    def score(self, queries: Texts, passages: Texts) -> torch.Tensor:
        query_inputs = [self.query_input(query) for query in queries]
        passage_inputs = [self.passage_input(passage)[1:] for passage in passages]  # one [CLS] is enough
        inputs = [np.concatenate(pair) for pair in zip(query_inputs, passage_inputs, strict=True)]
        query_lengths = np.array([len(query) for query in query_inputs])

        def forward(rows):
            return self.forward([inputs[row] for row in rows], query_lengths[rows])

        return self.in_chunks_joined(inputs, forward)

    def forward(self, inputs: Texts, query_lengths: np.ndarray) -> torch.Tensor:
        """scores_B of concatenated inputs, the first `query_lengths` tokens of which are the query's."""
        ids_BL, mask_BL = pad(inputs, self.tokenizer.pad_token_id, self.device)
        in_passage_BL = passage_part(query_lengths, mask_BL)
        segments = {"token_type_ids": in_passage_BL.long()} if has_segments(self.encoder) else {}
        if bias := self.settings.cross_attention_bias:
            mask = attention_mask(in_passage_BL, mask_BL, bias, self.encoder.dtype)
            output = self.encoder(input_ids=ids_BL, attention_mask=mask, **segments)
        else:
            lengths = np.array([len(row) for row in inputs])
            output = run_encoder(self.encoder, ids_BL, mask_BL, lengths, **segments)
        with self.in_float32():
            if self.is_matched:
                scores_B = matched(output.last_hidden_state.float(), in_passage_BL, mask_BL)
            else:
                pooled_BD = self.before_classifier(self.pool(output, mask_BL).float())
                scores_B = self.classifier(dropout(pooled_BD, self.dropout, self.training)).squeeze(-1)
            return scores_B / self.settings.temperature

    def pool(self, output, mask_BL: torch.Tensor) -> torch.Tensor:
        """One vector per input, pooled_BD."""
        if self.settings.pooling == "cls" and getattr(output, "pooler_output", None) is not None:
            return output.pooler_output
        return POOLINGS[self.settings.pooling](output.last_hidden_state, mask_BL)

    def before_classifier(self, pooled_BD: torch.Tensor) -> torch.Tensor:
        """What the last linear layer reads, pooled_BD."""
        return relu(self.pre_classifier(pooled_BD)) if self.settings.pre_classifier else pooled_BD

    @property
    def dropout(self) -> float:
        return getattr(self.encoder.config, "hidden_dropout_prob", 0.0)

    @property
    def parts(self) -> dict[str, nn.Module]:
        """Named as in transformers' sequence classification."""
        head = {"pre_classifier.": self.pre_classifier, "classifier.": self.classifier}
        return {f"{self.encoder.base_model_prefix}.": self.encoder, **head}

    def save(self, folder) -> None:
        """As every ranker; the config says that it is transformers' sequence classification where that scores alike."""
        settings, config = self.settings, self.encoder.config
        is_plain = (settings.pooling, settings.temperature, settings.cross_attention_bias) == ("cls", 1, 0)
        if is_plain and (config.model_type, settings.pre_classifier) in SEQUENCE_CLASSIFICATIONS:
            encoder = type(self.encoder).__name__
            config.num_labels, config.architectures = 1, [encoder.replace("Model", "ForSequenceClassification")]
        super().save(folder)
