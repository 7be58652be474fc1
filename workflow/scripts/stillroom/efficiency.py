"""What a ranker costs: its size, the time and memory to re-rank, the bytes to keep of a passage.

Shape suffixes: see `stillroom.ranker`.
"""

import json
import logging
import resource
import statistics
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from stillroom.candidates import run_rows
from stillroom.dual_encoder import DualEncoder
from stillroom.files import atomic_path
from stillroom.ranker import Ranker, Texts, load_ranker
from stillroom.split_ranker import SplitRanker
from stillroom.token_store import open_tokens
from stillroom.tokenization import tokenize_queries

logger = logging.getLogger(__name__)

WARM_UP = 1  # queries before the timed ones: the first is slower by allocations


def measure_efficiency(
    *,
    model_folder: str | Path,
    candidates_path: str | Path,
    queries_path: str | Path,
    passages_path: str | Path,
    tokens_folder: str | Path,
    candidates: int,
    queries: int,
    output_path: str | Path,
    threads: int,
) -> None:
    """Write what a ranker costs as JSON: the columns of Hofstätter et al. 2020 (arXiv:2010.02666) on efficiency.

    parameters; milliseconds, the median over `queries` queries of scoring the first `candidates` candidates of one
    query, from token ids to scores; stored_bytes of an average passage, null where an architecture keeps nothing of
    it; peak_bytes of memory: of the GPU, or of the process where there is none. What an architecture represents apart
    from the query is made before the clock starts, as an index would keep it (float32).
    """
    torch.set_num_threads(threads)
    model = load_ranker(model_folder)
    query_ids = pq.read_table(queries_path, columns=["query_id"])["query_id"].to_numpy()
    query_rows, passage_rows, _ = run_rows(
        run_path=candidates_path, query_ids=query_ids, passages_path=passages_path, depth=candidates
    )
    timed = fullest(query_rows, WARM_UP + queries)
    query_tokens, passage_tokens = tokenize_queries(model.tokenizer, queries_path), open_tokens(tokens_folder)
    seconds, stored = [], []
    for query in timed:
        passages = passage_tokens.take(passage_rows[query_rows == query])
        elapsed, stored_bytes = time_query(model, query_tokens.take([query]), passages)
        seconds.append(elapsed)
        stored.append(stored_bytes)
    result = {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "milliseconds": 1000 * statistics.median(seconds[WARM_UP:]),
        "candidates": float(np.mean([(query_rows == query).sum() for query in timed[WARM_UP:]])),
        "stored_bytes": None if stored[0] is None else float(np.mean(stored)),
        "peak_bytes": peak_bytes(model.device),
        "device": device_name(model.device),
        "threads": threads,
    }
    logger.info("%.1f ms per query of %.0f candidates", result["milliseconds"], result["candidates"])
    with atomic_path(output_path) as path:
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def fullest(query_rows: np.ndarray, count: int) -> list[int]:
    """The queries with the most candidates, by row number; those of equal number in their order."""
    rows, candidates = np.unique(query_rows, return_counts=True)
    return [int(row) for row in rows[np.argsort(-candidates, kind="stable")][:count]]


@torch.inference_mode()
def time_query(model: Ranker, query: Texts, passages: Texts) -> tuple[float, float | None]:
    """Seconds to score the passages of one query, and the bytes that are kept of an average passage."""
    if not isinstance(model, SplitRanker):
        return timed(model, lambda: model.score([query[0]] * len(passages), passages)), None
    kept = model.encode_passages(passages)
    return timed(model, lambda: score_kept(model, query, kept, len(passages))), bytes_of(kept) / len(passages)


def score_kept(model: SplitRanker, query: Texts, kept, passages: int) -> torch.Tensor:
    """The scores of passages that are represented already."""
    query_side = model.encode_queries(query)
    if isinstance(model, DualEncoder):
        return model.similarity(query_side, kept)
    return model.paired_similarity(model.select(query_side, torch.zeros(passages, dtype=torch.long)), kept)


def timed(model: Ranker, score) -> float:
    """Seconds that a call takes, until its scores are there."""
    began = time.perf_counter()
    score().cpu()
    return time.perf_counter() - began


def bytes_of(kept) -> int:
    """Bytes of representations: a tensor, token vectors without their padding, or one tensor for each text."""
    if isinstance(kept, torch.Tensor):
        return kept.nbytes
    if hasattr(kept, "mask"):
        return int(kept.mask.sum()) * kept.vectors.shape[-1] * kept.vectors.element_size()
    return sum(tensor.nbytes for tensor in kept)


def peak_bytes(device: torch.device) -> int:
    """The most memory that was in use: allocated on the GPU, or resident in the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def device_name(device: torch.device) -> str:
    """What computed: the name of the GPU, or `cpu`."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
