"""DPR: an encoder for queries and another for passages, one vector each, dot product.

Shape suffixes: see `stillroom.ranker`.
"""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedModel

from stillroom.architectures.bert_dot import BertDot
from stillroom.ranker import Ranker, Texts

RETRIEVES = True
IN_BATCH = True
KERNELS = False
WORDS = False
HEADLESS = {}
READS = {"pooling": ("cls", "mean"), "normalize": None, "temperature": None}


class Dpr(BertDot):
    """score(q, p) = pool(E_Q(q)) · pool(E_P(p)). Karpukhin et al. 2020 (arXiv:2004.04906), Eq. 1.

    Both encoders start from the same weights and then go their own ways; `encoder` is E_P.
    The folder holds both in model.safetensors (`query.…`, `passage.…`), and each once more in `query/` and `passage/`,
    folders of a BERT_Dot that open in transformers and in sentence-transformers: a DPR takes twice its size on the
    disk, and its own file alone decides what is computed again.
    Differs from the paper: as BERT_Dot, pooling (the paper's is `cls`), vectors of length 1 and a temperature are
    settings, and any loss may train it (the paper's: `in_batch_nll`).
    """

    def __init__(self, settings, encoder, tokenizer):
        super().__init__(settings, encoder, tokenizer)
        self.query_encoder = deepcopy(encoder)

    def encode_queries(self, queries: Texts) -> torch.Tensor:
        """vectors_QD"""
        return self.encode([self.query_input(query) for query in queries], self.query_encoder)

    @property
    def parts(self) -> dict[str, nn.Module]:
        return {"query.": self.query_encoder, "passage.": self.encoder}

    @property
    def config(self) -> None:
        """The sides have theirs; the folder as a whole is no encoder."""
        return None

    @classmethod
    def blank_encoder(cls, folder: Path, weights: dict[str, torch.Tensor]) -> PreTrainedModel:
        return AutoModel.from_config(AutoConfig.from_pretrained(folder / "passage"))

    def save(self, folder: str | Path) -> None:
        """As every ranker (not as BERT_Dot, whose files say how to use one encoder), and the folders of the sides."""
        Ranker.save(self, folder)
        limits = self.settings.encoder
        for side, encoder, limit in (
            ("query", self.query_encoder, limits.query_tokens),
            ("passage", self.encoder, limits.passage_tokens),
        ):
            settings = replace(self.settings, architecture="bert_dot", encoder=replace(limits, passage_tokens=limit))
            BertDot(settings, encoder, self.tokenizer).save(Path(folder) / side)
