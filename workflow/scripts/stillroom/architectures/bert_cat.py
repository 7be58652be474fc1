"""BERT_CAT: query and passage concatenated in one input, every token reads both.

Shape suffixes: see `stillroom.ranker`.
"""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import dropout, normalize

from stillroom.batches import pad
from stillroom.encoder_layers import has_segments
from stillroom.pooling import POOLINGS, max_sim
from stillroom.ranker import Ranker, Texts

RETRIEVES = False
IN_BATCH = False
KERNELS = False
WORDS = False
READS = {"pooling": ("cls", "mean", "max_sim"), "temperature": None, "cross_attention_bias": None}
# Families whose sequence classification in transformers is a linear layer on the pooler; others have more layers there.
LINEAR_HEADS = ("bert", "albert")


class BertCat(Ranker):
    """score(q, p) = W · pool(BERT([CLS] q [SEP] p [SEP])) + b. Nogueira and Cho 2019 (arXiv:1901.04085).

    `pooling: cls` takes the encoder's own pooler (BERT, ALBERT, RoBERTa: a dense layer with tanh on [CLS]) where it has
    one, and [CLS] itself where it has none (DistilBERT, ELECTRA), as Hofstätter et al. 2020 (arXiv:2010.02666) did;
    without the settings below, the folder of a BERT or ALBERT is a `…ForSequenceClassification` of one label.
    Differs from the paper: `pooling: mean` reads the mean of all token vectors. `pooling: max_sim` has no W and b:
    every query token is matched with the most similar passage token, as in ColBERT, but all have read both texts
    (token similarities of a joint encoder: MacAvaney et al. 2019, arXiv:1904.07094). `cross_attention_bias` is added to
    the attention logits between query and passage. With both, an encoder that was trained to compare texts starts near
    what it knows already, not from a blank head and never seen pairs, which a short training cannot make good.
    Scores are divided by `temperature`.
    """

    def __init__(self, settings, encoder, tokenizer):
        super().__init__(settings, encoder, tokenizer)
        self.is_matched = settings.pooling == "max_sim"
        self.classifier = nn.Identity() if self.is_matched else nn.Linear(encoder.config.hidden_size, 1)

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
        segments = {"token_type_ids": in_passage_BL.long()} if has_segments(self.encoder) else {}
        attention_mask = self.attention_mask(in_passage_BL, mask_BL)
        output = self.encoder(input_ids=ids_BL, attention_mask=attention_mask, **segments)
        with self.in_float32():
            if self.is_matched:
                scores_B = self.matched(output.last_hidden_state.float(), in_passage_BL, mask_BL)
            else:
                pooled_BD = self.pool(output, mask_BL).float()
                scores_B = self.classifier(dropout(pooled_BD, self.dropout, self.training)).squeeze(-1)
            return scores_B / self.settings.temperature

    def attention_mask(self, in_passage_BL: torch.Tensor, mask_BL: torch.Tensor) -> torch.Tensor:
        """mask_BL as numbers, or what is added to the attention logits, bias_B1LL, where there is a bias."""
        bias = self.settings.cross_attention_bias
        if bias == 0:
            return mask_BL.long()
        is_across_BLL = in_passage_BL[:, :, None] != in_passage_BL[:, None, :]
        bias_BLL = torch.where(is_across_BLL, bias, 0.0).masked_fill(~mask_BL[:, None, :], float("-inf"))
        return bias_BLL[:, None].to(self.encoder.dtype)

    def matched(self, hidden_BLD: torch.Tensor, in_passage_BL: torch.Tensor, mask_BL: torch.Tensor) -> torch.Tensor:
        """Sum over query tokens of the largest cosine with a passage token, scores_B."""
        hidden_BLD = normalize(hidden_BLD, dim=-1)
        cosines_BLL = hidden_BLD @ hidden_BLD.transpose(1, 2)
        return max_sim(cosines_BLL, mask_BL & ~in_passage_BL, in_passage_BL)

    def pool(self, output, mask_BL: torch.Tensor) -> torch.Tensor:
        """What the linear layer reads, pooled_BD."""
        if self.settings.pooling == "cls" and getattr(output, "pooler_output", None) is not None:
            return output.pooler_output
        return POOLINGS[self.settings.pooling](output.last_hidden_state, mask_BL)

    @property
    def dropout(self) -> float:
        return getattr(self.encoder.config, "hidden_dropout_prob", 0.0)

    @property
    def parts(self) -> dict[str, nn.Module]:
        """Named as in transformers' sequence classification."""
        return {f"{self.encoder.base_model_prefix}.": self.encoder, "classifier.": self.classifier}

    def save(self, folder) -> None:
        """As every ranker; the config says that it is transformers' sequence classification where that scores alike."""
        settings, config = self.settings, self.encoder.config
        is_plain = (settings.pooling, settings.temperature, settings.cross_attention_bias) == ("cls", 1, 0)
        if is_plain and config.model_type in LINEAR_HEADS:
            encoder = type(self.encoder).__name__
            config.num_labels, config.architectures = 1, [encoder.replace("Model", "ForSequenceClassification")]
        super().save(folder)
