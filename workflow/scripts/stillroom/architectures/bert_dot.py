"""BERT_Dot: one encoder for queries and passages, one vector each, dot product.

Shape suffixes: see `stillroom.ranker`.
"""

import json
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import normalize

from stillroom.dual_encoder import DualEncoder
from stillroom.encoders import locate_model
from stillroom.pooling import POOLINGS
from stillroom.ranker import Texts
from stillroom.sentence_modules import report_pooling
from stillroom.settings import RankerSettings

RETRIEVES = True
IN_BATCH = True
KERNELS = False
WORDS = False
HEADLESS = {}
READS = {"pooling": ("cls", "mean"), "normalize": None, "temperature": None}


class BertDot(DualEncoder):
    """score(q, p) = pool(BERT(q)) · pool(BERT(p)). Hofstätter et al. 2020 (arXiv:2010.02666), BERT_DOT.

    Differs from the paper: pooling is a setting (the paper's is `cls`); with `normalize` the vectors have length 1, and
    scores are divided by `temperature`, so that cosines reach the margins of a teacher.
    """

    @classmethod
    def new(cls, settings: RankerSettings) -> "BertDot":
        """As every ranker; a pooling that the encoder was not trained for is reported."""
        report_pooling(locate_model(settings.encoder.weights, settings.encoder.revision), settings)
        return super().new(settings)

    def encode(self, inputs: Texts, encoder: nn.Module | None = None) -> torch.Tensor:
        """vectors_BD by an encoder, the ranker's own if none is given."""
        pool = POOLINGS[self.settings.pooling]
        vectors_BD = self.in_chunks_joined(
            inputs, lambda rows: pool(*self.hidden_states([inputs[row] for row in rows], encoder))
        )
        return normalize(vectors_BD, dim=-1) if self.settings.normalize else vectors_BD

    def similarity(self, queries_QD: torch.Tensor, passages_PD: torch.Tensor) -> torch.Tensor:
        return queries_QD @ passages_PD.T / self.settings.temperature

    def paired_similarity(self, queries_BD: torch.Tensor, passages_BD: torch.Tensor) -> torch.Tensor:
        return (queries_BD * passages_BD).sum(-1) / self.settings.temperature

    def save(self, folder: str | Path) -> None:
        """As every ranker, and the few files by which sentence-transformers knows pooling and similarity."""
        super().save(folder)
        modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
        if self.settings.normalize:
            modules.append(("2_Normalize", "Normalize"))
        listed = [
            {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for place, (path, kind) in enumerate(modules)
        ]
        pooling = {
            "word_embedding_dimension": self.encoder.config.hidden_size,
            "pooling_mode_cls_token": self.settings.pooling == "cls",
            "pooling_mode_mean_tokens": self.settings.pooling == "mean",
        }
        files = {
            "modules.json": listed,
            "1_Pooling/config.json": pooling,
            "sentence_bert_config.json": {"max_seq_length": self.settings.encoder.passage_tokens},
            "config_sentence_transformers.json": {"similarity_fn_name": "dot"},
        }
        for path, _ in modules:
            (Path(folder) / path).mkdir(exist_ok=True)
        for name, content in files.items():
            (Path(folder) / name).write_text(json.dumps(content, indent=2) + "\n")
