"""The worker of encoders and of exact search: torch alone.

It computes in fp32 on the CPU, so that no training has to share its GPU with a page.

Shape suffixes: Q = queries (one), D = dimensions, K = passages found.
"""

import time
from functools import lru_cache

import numpy as np
import torch

from stillroom.exact_search import search_exactly
from stillroom.ranker import Ranker, load_ranker
from stillroom.tokenization import token_ids
from stillroom.vectors import open_vectors

CPU = torch.device("cpu")
MODELS_KEPT = 8
WARM_UP = "what is it"


def prepare(threads: int) -> None:
    """Compute in so many threads."""
    torch.set_num_threads(threads)


@lru_cache(maxsize=MODELS_KEPT)
def ranker(model_folder: str) -> Ranker:
    """The ranker of a folder, warmed up."""
    model = load_ranker(model_folder, CPU)
    vectors_of(model, WARM_UP)
    return model


@torch.inference_mode()
def vectors_of(model: Ranker, query: str) -> np.ndarray:
    """The vectors_QD of one query."""
    tokens, _ = token_ids(model.tokenizer, [query], np.dtype(np.int32))
    return model.encode_queries([tokens]).float().numpy()


def encode(model_folder: str, query: str) -> tuple[np.ndarray, float]:
    """The vectors_QD of one query, and the seconds that it took."""
    model = ranker(model_folder)
    began = time.perf_counter()
    vectors_QD = vectors_of(model, query)
    return vectors_QD, time.perf_counter() - began


def search(index_path: str, vectors_QD: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Rows and scores of the first passages, found by comparing all, and the seconds that it took."""
    began = time.perf_counter()
    ((scores_QK, rows_QK),) = search_exactly(open_vectors(index_path), vectors_QD, depth, CPU)
    return rows_QK[0], scores_QK[0], time.perf_counter() - began
