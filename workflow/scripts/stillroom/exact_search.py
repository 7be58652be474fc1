"""Exact search: the passages with the largest inner products, by blocked matrix products.

Memory is that of a block of passages and of the queries that one reading of all passages answers, with their best
passages so far: it does not grow with the collection, nor with the number of queries.
Shape suffixes: Q = queries, P = passages, B = passages of a block, D = dimensions, K = retrieved passages, N = pairs of
a query and a passage, C = passages that may be among the best, R = runs of neighbours, S = passages of a run.
"""

from collections.abc import Iterator

import numpy as np
import torch

from stillroom.log import ProgressMeter

BLOCK_PASSAGES = 32_768
BLOCK_QUERIES = 1_024  # of one matrix product
RUN_PASSAGES = 64  # neighbours that are looked at together
BLOCK_PAIRS = 256  # that are scored again at a time; many more take up to four times as long
BYTES_OF_QUERIES = 1 << 28  # of what is kept for the queries of one reading
BYTES_PER_RESULT = 32  # a score and a row on the device, a row, its place in their order and a score beside


def search_exactly(
    vectors_PD: np.ndarray, vectors_QD: np.ndarray, depth: int, device: torch.device
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """scores_QK and rows_QK for one block of queries after another, best first but for rounding.

    Scores are products in float64, rounded to float32: no size of a block and no device changes them. Which passages
    are best is found in float32, so that near ties for the last place may go to either.
    """
    dimensions, depth = vectors_PD.shape[1], min(depth, len(vectors_PD))
    size = max(1, BYTES_OF_QUERIES // (4 * dimensions + BYTES_PER_RESULT * depth))
    readings = range(0, len(vectors_QD), size)
    meter = ProgressMeter(total=len(vectors_PD) * len(readings), unit="passages compared")
    for start in readings:
        block_QD = np.array(vectors_QD[start : start + size], np.float32)
        rows_QK = best_rows(vectors_PD, block_QD, depth, device, meter)
        yield products(vectors_PD, block_QD, rows_QK), rows_QK
    meter.finish()


@torch.inference_mode()
def best_rows(
    vectors_PD: np.ndarray, vectors_QD: np.ndarray, depth: int, device: torch.device, meter: ProgressMeter
) -> np.ndarray:
    """rows_QK of each query's best passages, which all are read once."""
    queries_QD = torch.from_numpy(vectors_QD).to(device)
    scores_QK = torch.full((len(queries_QD), depth), -torch.inf, device=device)
    rows_QK = torch.full((len(queries_QD), depth), -1, device=device)
    for first in range(0, len(vectors_PD), BLOCK_PASSAGES):
        passages_BD = torch.from_numpy(np.array(vectors_PD[first : first + BLOCK_PASSAGES])).to(device)
        for start in range(0, len(queries_QD), BLOCK_QUERIES):
            some = slice(start, start + BLOCK_QUERIES)
            keep_best(scores_QK[some], rows_QK[some], queries_QD[some] @ passages_BD.T, first)
        meter.advance(len(passages_BD))
    return rows_QK.cpu().numpy()


def keep_best(scores_QK: torch.Tensor, rows_QK: torch.Tensor, scores_QB: torch.Tensor, first: int) -> None:
    """Put the passages of a block, from row `first` on, among the best so far, in place; both stay sorted."""
    depth = scores_QK.shape[1]
    scores_QC, rows_QC = promising(scores_QB, scores_QK[:, -1:])
    if not scores_QC.shape[1]:
        return
    found, order = scores_QC.topk(min(depth, scores_QC.shape[1]), sorted=False)
    rows = torch.cat([rows_QK, rows_QC.gather(1, order) + first], dim=1)
    best, order = torch.cat([scores_QK, found], dim=1).topk(depth)
    scores_QK.copy_(best)
    rows_QK.copy_(rows.gather(1, order))


def promising(scores_QB: torch.Tensor, last_Q1: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """scores_QC and places_QC of passages of a block, among them all that are better than the last of a query's best.

    After the first blocks these are few. The maximum of each run of passages tells where they are, and finding it takes
    a fraction of the time of selecting from all.
    """
    place_B = torch.arange(scores_QB.shape[1], device=scores_QB.device)
    everything = scores_QB, place_B.expand_as(scores_QB)
    if scores_QB.shape[1] % RUN_PASSAGES:  # only the last block, or the only one
        return everything
    highest_QR = scores_QB.unflatten(1, (-1, RUN_PASSAGES)).amax(dim=2)
    better = int((highest_QR > last_Q1).sum(dim=1).max())
    if better > highest_QR.shape[1] // 4:  # their scores and places would take much memory, and gain little
        return everything
    runs_QR = highest_QR.topk(better, sorted=False).indices
    places_QRS = runs_QR[:, :, None] * RUN_PASSAGES + place_B[:RUN_PASSAGES]
    return scores_QB.gather(1, places_QRS.flatten(1)), places_QRS.flatten(1)


def products(vectors_PD: np.ndarray, vectors_QD: np.ndarray, rows_QK: np.ndarray) -> np.ndarray:
    """float32 scores_QK of the passages, which are read in the order of their rows."""
    rows_N = rows_QK.ravel()
    scores_N = np.empty(len(rows_N), np.float32)
    order = np.argsort(rows_N, kind="stable")
    for start in range(0, len(order), BLOCK_PAIRS):
        pairs = order[start : start + BLOCK_PAIRS]
        queries, passages = vectors_QD[pairs // rows_QK.shape[1]], vectors_PD[rows_N[pairs]]
        scores_N[pairs] = np.vecdot(queries.astype(np.float64), passages.astype(np.float64))
    return scores_N.reshape(rows_QK.shape)
