"""Clusters of queries."""

import logging

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillroom.clusters import cluster_queries

DIRECTIONS = np.linalg.qr(np.random.default_rng(3).normal(size=(16, 6)))[0].T  # six at right angles


def topics(count=6, per_topic=40):
    """Vectors around some of the directions, of very different lengths, shuffled; and the topic of each."""
    random = np.random.default_rng(8)
    topic = random.permutation(np.repeat(np.arange(count), per_topic))
    vectors = DIRECTIONS[topic] + random.normal(0, 0.05, (len(topic), 16))
    return (vectors * random.uniform(1, 50, (len(topic), 1))).astype(np.float32), topic


@pytest.fixture
def cluster(tmp_path, write_vectors):
    """A function that clusters vectors as the rule does and reads the table."""

    def cluster(vectors, clusters, with_triples=None):
        files = write_vectors(tmp_path, "queries", [f"q{row}" for row in range(len(vectors))], vectors)
        query = np.repeat(range(len(vectors)) if with_triples is None else with_triples, 2).astype(np.int32)
        files["triples_path"] = tmp_path / "triples.parquet"
        pq.write_table(pa.table({"query": query}), files["triples_path"])
        cluster_queries(**files, clusters=clusters, clusters_path=tmp_path / "clusters.parquet", threads=1)
        return pq.read_table(tmp_path / "clusters.parquet")

    return cluster


def test_well_separated_topics_become_the_clusters_whatever_the_lengths_of_the_vectors(cluster):
    vectors, topic = topics(count=3)
    table = cluster(vectors, 3)
    assert table["query_id"].to_pylist() == [f"q{row}" for row in range(120)]
    pairs = set(zip(topic.tolist(), table["cluster"].to_pylist(), strict=True))
    assert len(pairs) == 3 and {name for _, name in pairs} == set(range(3))


def test_a_topic_of_long_vectors_does_not_swallow_a_near_one_of_short_vectors(cluster):
    random, topic = np.random.default_rng(2), np.repeat([0, 1, 2], 40)
    near = 0.8 * DIRECTIONS[0] + 0.6 * DIRECTIONS[1]
    vectors = np.array([DIRECTIONS[0], 50 * near, 10 * DIRECTIONS[2]])[topic]
    vectors *= 1 + random.normal(0, 0.05, (120, 16))
    members = np.array(cluster(vectors.astype(np.float32), 12)["cluster"].to_pylist())
    assert all(len(set(topic[members == number])) == 1 for number in set(members))


def test_with_more_clusters_than_topics_no_cluster_mixes_two_topics(cluster):
    vectors, topic = topics()
    members = np.array(cluster(vectors, 30)["cluster"].to_pylist())
    assert all(len(set(topic[members == number])) == 1 for number in set(members))


def test_every_query_is_in_the_cluster_whose_unit_centroid_has_the_largest_inner_product(cluster):
    """At rest, a centroid is the direction of the sum of its (unit-free) members: checked on separated topics."""
    vectors, _ = topics()
    members = np.array(cluster(vectors, 6)["cluster"].to_pylist())
    centroids = np.array([vectors[members == number].sum(axis=0, dtype=np.float64) for number in range(6)])
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    products = vectors @ centroids.T
    assert members.tolist() == products.argmax(axis=1).tolist()


def test_clusters_of_overlapping_topics_are_tighter_than_chance(cluster):
    vectors = np.random.default_rng(9).normal(size=(500, 16)).astype(np.float32)
    members = np.array(cluster(vectors, 12)["cluster"].to_pylist())
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def tightness(groups):
        return sum(np.linalg.norm(unit[groups == number].sum(axis=0)) for number in range(12))

    assert tightness(members) > 1.5 * tightness(np.random.default_rng(1).permutation(members))
    assert len(set(members)) == 12


def test_the_same_vectors_give_the_same_clusters(cluster):
    vectors = np.random.default_rng(9).normal(size=(500, 16)).astype(np.float32)
    assert cluster(vectors, 12).equals(cluster(vectors, 12))


def test_queries_without_a_triple_are_in_no_cluster_and_move_none(cluster):
    vectors, _ = topics()
    rows = np.random.default_rng(4).permutation(240)[:90]
    members = cluster(vectors, 6, with_triples=rows)["cluster"].to_pylist()
    alone = cluster(vectors[np.sort(rows)], 6)["cluster"].to_pylist()
    assert [members[row] for row in np.sort(rows)] == alone
    assert members.count(None) == 150


def test_more_clusters_than_queries_stop(cluster):
    with pytest.raises(
        ValueError, match=r"^clusterings: clusters is 241, but only 240 training queries have triples\.$"
    ):
        cluster(topics()[0], 241)


def test_the_log_tells_the_sizes(cluster, caplog):
    caplog.set_level(logging.INFO)
    cluster(topics(count=3)[0], 3)
    assert "3 clusters of 120 queries: sizes 40 to 40, median 40, 0 empty" in caplog.text
