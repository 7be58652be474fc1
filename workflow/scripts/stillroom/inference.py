"""A trained ranker at work: loaded for scoring or encoding on the machine that there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from stillroom.devices import claim_gpus
from stillroom.packed_attention import check_attention, use_packed_attention
from stillroom.precision import PRECISIONS, check_precision
from stillroom.prepacked_layers import prepack_layers
from stillroom.ranker import Ranker, load_ranker

NOT_FINITE = "set precision to bf16 or fp32 if it is fp16, else train the ranker again"


@dataclass(frozen=True)
class Inference:
    """How rankers compute: `precision` (fp32, bf16, fp16) and `attention` (padded, packed) are their encoders'.

    `gpu_tokens` are computed at a time on a GPU; None takes the default.
    """

    precision: str = "fp32"
    attention: str = "padded"
    gpu_tokens: int | None = None

    @property
    def facts(self) -> dict[str, str]:
        """What scores and vectors depend on."""
        return {"precision": self.precision, "attention": self.attention}


DEFAULT = Inference()


def ranker_at_work(folder: str | Path, *, threads: int, inference: Inference = DEFAULT) -> Ranker:
    """The ranker of a folder, on a GPU that no other job uses, or on so many threads of the CPU."""
    claim_gpus()
    torch.set_num_threads(threads)
    model = load_ranker(folder)
    check_precision("inference", inference.precision, model.device)
    check_attention(inference.attention, inference.precision, model.device)
    model.gpu_tokens = inference.gpu_tokens
    for encoder in encoders_of(model):
        if model.device.type == "cpu":
            prepack_layers(encoder)
        elif inference.attention == "packed":
            use_packed_attention(encoder)
    return lowered(model, PRECISIONS[inference.precision])


def encoders_of(model: Ranker) -> list[PreTrainedModel]:
    """The encoders of a ranker, without its heads."""
    return [part for part in model.children() if isinstance(part, PreTrainedModel)]


def lowered(model: Ranker, precision: torch.dtype) -> Ranker:
    """The ranker with encoders that compute in a precision, and whose weights are kept in it."""
    model.precision = precision
    for encoder in encoders_of(model):
        encoder.to(precision)  # once, in place of at every forward pass
    return model


class OneText:
    """A store of one text of so many tokens in every row, to try whether memory suffices before hours of work."""

    def __init__(self, tokens: int):
        self.text = np.zeros(tokens, np.int64)

    def take(self, rows: Sequence[int]) -> list[np.ndarray]:
        """The text, as often as there are rows; the first a token shorter: texts of one length need the least."""
        return [self.text[: -1 if place == 0 else None] for place in range(len(rows))]
