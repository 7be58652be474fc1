"""Clusters of training queries, for topic-aware sampling."""

import logging
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillroom.files import atomic_path

logger = logging.getLogger(__name__)

ITERATIONS = 10  # faiss's default for the coarse quantizer of an IVF index, which the authors trained
SEED = 1234  # likewise
BLOCK_QUERIES = 65_536  # whose clusters are looked up at a time


def cluster_queries(
    *,
    vectors_path: str | Path,
    queries_path: str | Path,
    triples_path: str | Path,
    clusters: int,
    clusters_path: str | Path,
    threads: int,
) -> None:
    """Write query_id and cluster of every query, in the order of queries.parquet; null for those without a triple.

    A collection may have many of these (MS MARCO: half of its training queries), and no batch draws them.
    """
    faiss.omp_set_num_threads(threads)
    query_ids = pq.read_table(queries_path, columns=["query_id"])["query_id"]
    vectors_QD = np.load(vectors_path, mmap_mode="r")
    with_triples = pc.unique(pq.read_table(triples_path, columns=["query"])["query"]).sort().to_numpy()
    if clusters > len(with_triples):
        found = f"{len(with_triples):,} training queries have triples"
        raise ValueError(f"clusterings: clusters is {clusters}, but only {found}.")
    members = spherical_k_means(vectors_QD[with_triples], clusters)
    sizes = np.bincount(members, minlength=clusters)
    logger.info(
        "%d clusters of %d queries: sizes %d to %d, median %d, %d empty",
        clusters, len(members), sizes.min(), sizes.max(), np.median(sizes), (sizes == 0).sum(),
    )  # fmt: skip
    if left_out := len(query_ids) - len(members):
        logger.info("%s queries have no triple and are in no cluster", f"{left_out:,}")
    cluster_of_query = np.full(len(query_ids), -1, np.int32)
    cluster_of_query[with_triples] = members
    column = pa.array(cluster_of_query, mask=cluster_of_query < 0)
    with atomic_path(clusters_path) as path:
        pq.write_table(pa.table({"query_id": query_ids, "cluster": column}), path)


def spherical_k_means(vectors_QD: np.ndarray, clusters: int) -> np.ndarray:
    """The cluster with the largest inner product, for each vector; centroids have length 1, vectors stay as they are.

    As the authors of TAS-B did (arXiv:2104.06967, Sec. 4.2, and their code): the training of a faiss IVF index under
    inner products, that is spherical k-means on at most 256 vectors per centroid.
    """
    dimensions = vectors_QD.shape[1]
    options = faiss.ClusteringParameters()
    options.spherical, options.niter, options.seed = True, ITERATIONS, SEED
    options.min_points_per_centroid = 1  # small collections: no warning, nothing else
    quantizer = faiss.IndexFlatIP(dimensions)
    faiss.Clustering(dimensions, clusters, options).train(np.ascontiguousarray(vectors_QD), quantizer)
    cluster_of_query = np.empty(len(vectors_QD), np.int64)
    for start in range(0, len(vectors_QD), BLOCK_QUERIES):
        block = np.ascontiguousarray(vectors_QD[start : start + BLOCK_QUERIES])
        cluster_of_query[start : start + BLOCK_QUERIES] = quantizer.search(block, 1)[1][:, 0]
    return cluster_of_query
