"""Exact search beside faiss's own flat index: both open the same file of vectors and search it."""

import time
from pathlib import Path

import numpy as np

PASSAGES, QUERIES, DIMENSIONS, DEPTH = 100_000, 1_000, 384, 1_000


def prepare(folder: Path, scale: float) -> None:
    from stillroom.vectors import VectorWriter

    random, passages = np.random.default_rng(1), max(DEPTH, round(PASSAGES * scale))
    with VectorWriter(folder / "vectors.faiss", passages, DIMENSIONS) as writer:
        writer.write(random.standard_normal((passages, DIMENSIONS), np.float32))
    np.save(folder / "queries.npy", random.standard_normal((max(1, round(QUERIES * scale)), DIMENSIONS), np.float32))


def search(folder: Path) -> tuple[int, float]:
    """Queries, and the seconds from opening the file to the last result."""
    from stillroom.best_device import best_device
    from stillroom.exact_search import search_exactly
    from stillroom.vectors import open_vectors

    vectors_QD, began = np.load(folder / "queries.npy"), time.perf_counter()
    blocks = list(search_exactly(open_vectors(folder / "vectors.faiss"), vectors_QD, DEPTH, best_device()))
    seconds = time.perf_counter() - began
    np.save(folder / "ours.npy", np.concatenate([scores for scores, _ in blocks]))
    return len(vectors_QD), seconds


def search_with_peer(folder: Path) -> tuple[int, float]:
    import faiss

    vectors_QD, began = np.load(folder / "queries.npy"), time.perf_counter()
    scores_QK, _ = faiss.read_index(str(folder / "vectors.faiss")).search(vectors_QD, DEPTH)
    seconds = time.perf_counter() - began
    np.save(folder / "peer.npy", scores_QK)
    return len(vectors_QD), seconds


def difference(folder: Path, scale: float) -> dict:
    """The largest difference of a score at the same rank, of products around 50."""
    ours, peer = (np.sort(np.load(folder / f"{side}.npy")) for side in ("ours", "peer"))
    return {"difference": float(np.abs(ours - peer).max())}


STAGES = {
    "exact search": {
        "prepare": prepare,
        "ours": search,
        "peer": search_with_peer,
        "difference": difference,
        "tolerance": 1e-3,
        "peer_name": "faiss flat",
        "unit": "queries/s",
    },
}
