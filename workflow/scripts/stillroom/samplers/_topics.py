"""What the topic-aware samplers share: one cluster of queries per batch, one triple per query."""

import logging
from collections.abc import Callable

import numpy as np

from stillroom.triples import Triples

logger = logging.getLogger(__name__)


def topic_batches(
    triples: Triples,
    draw_triple: Callable[[np.random.Generator, np.ndarray], int],
    *,
    batch_size: int,
    seed: int,
) -> Callable[[int], np.ndarray]:
    """`batch(step)`: the triples drawn by `draw_triple(random, rows of one query)` for the queries of one topic."""
    by_query = np.argsort(triples.query, kind="stable")
    queries, starts = np.unique(triples.query[by_query], return_index=True)
    if len(queries) < batch_size:
        raise ValueError(f"training: batch_size is {batch_size}, but there are only {len(queries)} training queries.")
    rows_of_query = dict(zip(queries.tolist(), np.split(by_query, starts[1:]), strict=True))
    queries_of_cluster = group_by_cluster(queries, triples.cluster_of_query[queries])
    check_pairs_of_clusters(queries_of_cluster, batch_size)
    log_small_clusters(queries_of_cluster, batch_size)

    def batch(step: int) -> np.ndarray:
        random = np.random.default_rng([seed, step])
        drawn = draw_queries(random, queries_of_cluster, batch_size)
        return np.array([draw_triple(random, rows_of_query[query]) for query in drawn.tolist()])

    return batch


def group_by_cluster(queries: np.ndarray, clusters: np.ndarray) -> list[np.ndarray]:
    """The queries of each cluster that has any."""
    order = np.argsort(clusters, kind="stable")
    starts = np.flatnonzero(np.diff(clusters[order])) + 1
    return np.split(queries[order], starts)


def check_pairs_of_clusters(queries_of_cluster: list[np.ndarray], batch_size: int) -> None:
    """Stop when no two clusters together fill a batch: every batch would mix topics."""
    largest = sorted((len(queries) for queries in queries_of_cluster), reverse=True)[:2]
    if sum(largest) < batch_size:
        raise ValueError(
            f"training: batch_size is {batch_size}, but the largest clusters have {' and '.join(map(str, largest))} "
            "training queries; lower batch_size or the number of clusters."
        )


def log_small_clusters(queries_of_cluster: list[np.ndarray], batch_size: int) -> None:
    """Say how many clusters cannot fill a batch alone, whose batches so have queries of several topics."""
    if small := sum(len(queries) < batch_size for queries in queries_of_cluster):
        logger.info("%d of %d clusters have fewer than %d queries: their batches are topped up from others",
                    small, len(queries_of_cluster), batch_size)  # fmt: skip


def draw_queries(random: np.random.Generator, queries_of_cluster: list[np.ndarray], count: int) -> np.ndarray:
    """Different queries of one cluster, drawn uniformly; a cluster that is too small is topped up from another.

    Differs from the paper: the other cluster is drawn among those that are large enough, and where none is, several
    top the batch up; the authors' code takes any.
    """
    others = random.permutation(len(queries_of_cluster)).tolist()
    drawn = np.empty(0, dtype=np.int64)
    while (missing := count - len(drawn)) > 0:
        enough = (cluster for cluster in others if len(queries_of_cluster[cluster]) >= missing)
        cluster = next(enough, others[0]) if len(drawn) else others[0]
        others.remove(cluster)
        queries = queries_of_cluster[cluster]
        drawn = np.concatenate([drawn, random.choice(queries, min(missing, len(queries)), replace=False)])
    return drawn
