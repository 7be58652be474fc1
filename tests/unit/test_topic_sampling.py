"""TAS-Balanced on a made-up collection with known clusters and margins, from files to batches."""

import os
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import chisquare

from stillroom.samplers.tas_balanced import tas_balanced
from stillroom.triples import read_triples

TOPICS, QUERIES_PER_TOPIC, BATCH_SIZE, STEPS = 5, 12, 8, 3000
BINS = {0: 9, 3: 4, 7: 2, 9: 1}  # of every query: margin bin → triples in it


@pytest.fixture(scope="module")
def made_up(tmp_path_factory, write_triples):
    """Files as the workflow makes them; the topic of every query and the margin bin of every triple."""
    folder = tmp_path_factory.mktemp("made_up")
    random = np.random.default_rng(21)
    topic = random.permutation(np.repeat(np.arange(TOPICS), QUERIES_PER_TOPIC))
    clusters = {"query_id": [f"q{row}" for row in range(len(topic))], "cluster": pa.array(topic, pa.int32())}
    pq.write_table(pa.table(clusters), folder / "clusters.parquet")

    bins = np.repeat(list(BINS), list(BINS.values()))
    query, margin_bin = np.repeat(np.arange(len(topic)), len(bins)), np.tile(bins, len(topic))
    # per query another scale and offset; the smallest and the largest margin are the ends of the first and last bin
    width, lowest = random.uniform(0.1, 5, len(topic))[query], random.normal(0, 9, len(topic))[query]
    within = np.where(margin_bin == 9, 1.0, random.uniform(0.2, 0.8, len(query)))
    within[np.unique(query, return_index=True)[1]] = 0.0  # the first triple of each query is in bin 0
    margin = lowest + width * (margin_bin + within)
    other = random.normal(0, 3, len(query))
    order = random.permutation(len(query))
    passages = np.arange(len(query))
    write_triples(folder / "triples.parquet", query[order], passages, passages + len(query))
    scores = {"pos_score": (other + margin)[order], "neg_score": other[order]}
    pq.write_table(pa.table({name: pa.array(column) for name, column in scores.items()}), folder / "scores.parquet")
    return SimpleNamespace(folder=folder, topic=topic, margin_bin=margin_bin[order])


def read(folder):
    return read_triples(
        folder / "triples.parquet",
        teacher_scores_path=folder / "scores.parquet",
        clusters_path=folder / "clusters.parquet",
    )


@pytest.fixture(scope="module")
def batches(made_up):
    """The first batches, and the triples."""
    triples = read(made_up.folder)
    batch = tas_balanced(triples, batch_size=BATCH_SIZE, seed=5)
    return np.array([batch(step) for step in range(STEPS)]), triples


def test_every_query_of_a_batch_is_of_one_topic_and_all_topics_and_queries_are_equally_frequent(made_up, batches):
    rows, triples = batches
    queries = triples.query[rows]
    topics = made_up.topic[queries]
    assert (topics == topics[:, :1]).all()
    assert all(len(set(batch)) == BATCH_SIZE for batch in queries.tolist())
    assert chisquare(np.bincount(topics[:, 0], minlength=TOPICS)).pvalue > 0.001
    for topic in range(TOPICS):
        drawn = Counter(queries[topics[:, 0] == topic].ravel().tolist())
        assert len(drawn) == QUERIES_PER_TOPIC
        assert chisquare(list(drawn.values())).pvalue > 0.001


def test_margin_bins_are_uniform_and_so_are_the_triples_of_a_bin_and_every_one_is_reachable(made_up, batches):
    rows, triples = batches
    drawn = np.bincount(rows.ravel(), minlength=len(triples.query))
    assert (drawn > 0).all()
    of_bins = [drawn[made_up.margin_bin == number].sum() for number in BINS]
    assert chisquare(of_bins).pvalue > 0.001
    for number in BINS:
        assert chisquare(drawn[made_up.margin_bin == number]).pvalue > 0.001


LATER = """
import sys
from pathlib import Path
from stillroom.samplers.tas_balanced import tas_balanced
from stillroom.triples import read_triples
folder = Path(sys.argv[1])
triples = read_triples(
    folder / "triples.parquet", teacher_scores_path=folder / "scores.parquet", clusters_path=folder / "clusters.parquet"
)
batch = tas_balanced(triples, batch_size=8, seed=5)
print([batch(step).tolist() for step in range(1500, 1510)])
"""


def test_a_training_that_starts_again_goes_on_with_the_same_batches_whatever_the_hash_seed(made_up, batches):
    found = {
        subprocess.check_output(
            [sys.executable, "-c", LATER, str(made_up.folder)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
        )
        for seed in ("1", "2")
    }
    assert found == {f"{batches[0][1500:1510].tolist()}\n"}
