"""A trained ranker at work: loaded for scoring or encoding on the machine that there is."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from stillroom.devices import claim_gpus
from stillroom.precision import PRECISIONS, check_precision
from stillroom.prepacked_layers import prepack_layers
from stillroom.ranker import Ranker, load_ranker

NOT_FINITE = "set precision to bf16 or fp32 if it is fp16, else train the ranker again"


def ranker_at_work(
    folder: str | Path, *, threads: int, precision: str = "fp32", gpu_tokens: int | None = None
) -> Ranker:
    """The ranker of a folder, on a GPU that no other job uses, or on so many threads of the CPU.

    Its encoders compute in `precision` (fp32, bf16, fp16); `gpu_tokens` are computed at a time on a GPU, null takes the
    default.
    """
    claim_gpus()
    torch.set_num_threads(threads)
    model = load_ranker(folder)
    check_precision("inference", precision, model.device)
    model.gpu_tokens = gpu_tokens
    if model.device.type == "cpu":
        for encoder in encoders_of(model):
            prepack_layers(encoder)
    return lowered(model, PRECISIONS[precision])


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
        """The text, as often as there are rows."""
        return [self.text] * len(rows)
