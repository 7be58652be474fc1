"""What a ranker costs: its size, the time and memory of re-ranking, the bytes to keep of a passage.

Shape suffixes: see `stillroom.ranker`.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from stillroom.devices import claim_gpus
from stillroom.dual_encoder import DualEncoder
from stillroom.files import write_json
from stillroom.memory import PeakMemory
from stillroom.ranker import Ranker, Texts, best_device, load_ranker
from stillroom.split_ranker import SplitRanker
from stillroom.timing import cpu_name, evenly, median_seconds
from stillroom.token_store import open_tokens
from stillroom.token_vectors import TokenVectors
from stillroom.tokenization import tokenize_queries

logger = logging.getLogger(__name__)
Input = TypeVar("Input")
Result = TypeVar("Result")


def measure_efficiency(
    *,
    model_folder: str | Path,
    queries_path: str | Path,
    tokens_folder: str | Path,
    passages: int,
    queries: int,
    threads: int,
    system: str,
    test_set: str,
    efficiency_path: str | Path,
) -> None:
    """Write what re-ranking costs, as JSON: the columns of Hofstätter et al. 2020 (arXiv:2010.02666) on efficiency.

    `passages` of the collection are scored for each of `queries` queries, one query at a time. They are drawn evenly
    from all, relevant or not: what they cost depends on their length only. Where there are fewer, all are taken, and
    the file says how many were.
    """
    claim_gpus()
    torch.set_num_threads(threads)
    memory = PeakMemory(best_device())
    model = load_ranker(model_folder)
    all_queries, all_passages = tokenize_queries(model.tokenizer, queries_path), open_tokens(tokens_folder)
    timed_queries = all_queries.take(evenly(queries, len(all_queries)))
    scored_passages = all_passages.take(evenly(passages, len(all_passages)))
    result = {
        "system": system,
        "test_set": test_set,
        "passages": len(scored_passages),
        "queries": len(timed_queries),
        "device": device_name(model.device),
        "threads": threads,
        **costs(model, timed_queries, scored_passages, memory),
    }
    logger.info("%.1f ms for a query and %s passages", result["milliseconds"], f"{len(scored_passages):,}")
    write_json(efficiency_path, result)


@torch.inference_mode()
def costs(model: Ranker, queries: Texts, passages: Texts, memory: PeakMemory) -> dict:
    """Parameters; milliseconds per query; bytes that are kept of an average passage; peak bytes while re-ranking.

    `milliseconds` go from token ids to scores, with what an architecture represents apart from the query made
    beforehand and kept, as the paper's latencies have it; `uncached_milliseconds` when it is made for the query.
    `kept_bytes` are float32 without padding; null, and both times the same, where nothing can be kept.
    """
    kept, represent_seconds = None, 0.0
    if isinstance(model, SplitRanker):
        represent_seconds, kept = timed(model.encode_passages, [passages], model.device)
    memory.restart()
    seconds, _ = timed(lambda query: score_passages(model, query, passages, kept), queries, model.device)
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "milliseconds": 1000 * seconds,
        "uncached_milliseconds": 1000 * (represent_seconds + seconds),
        "kept_bytes": None if kept is None else bytes_of(kept) / len(passages),
        "peak_bytes": memory.peak(),
    }


def timed(run: Callable[[Input], Result], inputs: Sequence[Input], device: torch.device) -> tuple[float, Result]:
    """The median of the seconds that a function takes to the end, and what it returned last."""
    return median_seconds(lambda one: finished(run(one), device), inputs)


def finished(result: Result, device: torch.device) -> Result:
    """The result, once it is computed: a GPU returns before."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return result


def score_passages(model: Ranker, query: np.ndarray, passages: Texts, kept=None) -> torch.Tensor:
    """scores_P of one query, from the kept representations of the passages where there are some."""
    if kept is None:
        return model.score([query] * len(passages), passages)
    query_side = model.encode_queries([query])
    if isinstance(model, DualEncoder):
        return model.similarity(query_side, kept).squeeze(0)
    return model.paired_similarity(model.select(query_side, [0] * len(passages)), kept)


def bytes_of(kept: torch.Tensor | TokenVectors | list[torch.Tensor]) -> int:
    """Bytes of representations: one vector per text, token vectors without their padding, or a tensor for each text."""
    if isinstance(kept, TokenVectors):
        return int(kept.mask.sum()) * kept.vectors.shape[-1] * kept.vectors.element_size()
    return sum(tensor.nbytes for tensor in kept)


def device_name(device: torch.device) -> str:
    """What computes: the name of the GPU, or of the CPU as far as the system tells."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return cpu_name()
