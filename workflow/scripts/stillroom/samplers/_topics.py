"""What the topic-aware samplers share: one cluster of queries per batch, one triple per query."""

from collections.abc import Callable

import numpy as np

from stillroom.triples import Triples


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
        raise ValueError(f"batch_size is {batch_size}, but there are only {len(queries)} training queries.")
    rows_of_query = dict(zip(queries.tolist(), np.split(by_query, starts[1:]), strict=True))
    clusters = triples.cluster_of_query[queries]
    queries_of_cluster = [queries[clusters == cluster] for cluster in np.unique(clusters)]

    def batch(step: int) -> np.ndarray:
        random = np.random.default_rng([seed, step])
        drawn = draw_queries(random, queries_of_cluster, batch_size)
        return np.array([draw_triple(random, rows_of_query[query]) for query in drawn.tolist()])

    return batch


def draw_queries(random: np.random.Generator, queries_of_cluster: list[np.ndarray], count: int) -> np.ndarray:
    """Different queries of one cluster, drawn uniformly; a cluster that is too small is topped up from another."""
    drawn = np.empty(0, dtype=np.int64)
    for cluster in random.permutation(len(queries_of_cluster)):
        queries = queries_of_cluster[cluster]
        wanted = min(count - len(drawn), len(queries))
        drawn = np.concatenate([drawn, random.choice(queries, wanted, replace=False)])
        if len(drawn) == count:
            break
    return drawn
