"""Batch samplers: what is in a batch, and that a batch is a function of (seed, step) alone."""

import logging
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from stillroom.samplers.random import random
from stillroom.samplers.tas import tas
from stillroom.samplers.tas_balanced import margin_bins, tas_balanced
from stillroom.triples import Triples

SAMPLERS = [random, tas, tas_balanced]


def triples(queries=40, per_query=6, clusters=4):
    """Shuffled triples of `queries` queries in clusters of equal size."""
    generator = np.random.default_rng(5)
    query = generator.permutation(np.repeat(np.arange(queries), per_query))
    count = len(query)
    return Triples(
        query,
        np.arange(count),
        np.arange(count) + 1000,
        teacher_scores=generator.normal(0, 3, (count, 2)).astype(np.float32),
        cluster_of_query=np.arange(queries) % clusters,
    )


def test_random_batches_hold_every_triple_once_per_epoch_in_a_new_order():
    batch = random(triples(), batch_size=16, seed=1)  # 240 triples, 15 batches
    epochs = [np.concatenate([batch(step) for step in range(start, start + 15)]) for start in (0, 15)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(240))
    assert epochs[0].tolist() != epochs[1].tolist()


def test_random_batches_leave_out_an_incomplete_last_one_but_not_the_same_triples_each_time():
    batch = random(triples(queries=10, per_query=5), batch_size=16, seed=1)  # 50 triples: 3 batches, 2 left over
    epochs = [set(np.concatenate([batch(step) for step in range(start, start + 3)])) for start in range(0, 30, 3)]
    assert {len(epoch) for epoch in epochs} == {48}
    assert set.union(*epochs) == set(range(50))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_batch_is_a_function_of_seed_and_step(sampler):
    one, same, other = (sampler(triples(), batch_size=8, seed=seed) for seed in (1, 1, 2))
    forwards = [one(step).tolist() for step in range(60)]
    backwards = [same(step).tolist() for step in reversed(range(60))]  # a resumed training starts anywhere
    assert forwards == backwards[::-1]
    assert forwards != [other(step).tolist() for step in range(60)]
    assert len({tuple(batch) for batch in forwards}) == 60


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_batch_larger_than_the_data_stops(sampler):
    with pytest.raises(ValueError, match=r"batch_size is 999, but there are only \d+ training"):
        sampler(triples(), batch_size=999, seed=1)


@pytest.mark.parametrize("sampler", [tas, tas_balanced])
def test_queries_of_a_topic_batch_are_distinct_and_of_one_cluster(sampler):
    data = triples()
    batch = sampler(data, batch_size=8, seed=1)
    clusters = Counter()
    for step in range(200):
        queries = data.query[batch(step)]
        assert len(set(queries)) == 8
        found = set(data.cluster_of_query[queries])
        assert len(found) == 1
        clusters.update(found)
    assert chisquare([clusters[cluster] for cluster in range(4)]).pvalue > 0.001


@pytest.mark.parametrize("sampler", [tas, tas_balanced])
def test_a_cluster_that_is_too_small_is_used_up_and_topped_up_from_another(sampler):
    data = triples(queries=12, per_query=2, clusters=4)  # clusters of 3 queries
    batch = sampler(data, batch_size=5, seed=1)
    pairs = Counter()
    for step in range(300):
        queries = data.query[batch(step)]
        assert len(set(queries)) == 5
        clusters = Counter(data.cluster_of_query[queries])
        assert sorted(clusters.values()) == [2, 3]
        pairs[tuple(sorted(clusters, key=clusters.get))] += 1
    assert len(pairs) == 12 and chisquare(list(pairs.values())).pvalue > 0.001


def in_clusters(sizes, per_query=2):
    """Triples of queries in clusters of these sizes."""
    data = triples(queries=sum(sizes), per_query=per_query)
    cluster_of_query = np.repeat(np.arange(len(sizes)), sizes)
    return Triples(data.query, data.positive, data.negative, data.teacher_scores, cluster_of_query)


@pytest.mark.parametrize("sampler", [tas, tas_balanced])
def test_topping_up_takes_a_cluster_that_is_large_enough_where_there_is_one(sampler):
    data = in_clusters([5, 3, 2, 1])
    batch, drawn = sampler(data, batch_size=7, seed=1), Counter()
    for step in range(400):
        queries = data.query[batch(step)]
        assert len(set(queries)) == 7
        drawn[tuple(np.bincount(data.cluster_of_query[queries], minlength=4).tolist())] += 1
    wanted = {(5, 2, 0, 0), (5, 0, 2, 0), (4, 3, 0, 0)}
    others = {key for key in drawn if key not in wanted}
    assert wanted < drawn.keys()
    assert all(key[3] == 1 for key in others)  # from the cluster of one query no other leads to seven
    assert set(np.concatenate([data.query[batch(step)] for step in range(400)])) == set(range(11))


@pytest.mark.parametrize("sampler", [tas, tas_balanced])
def test_a_batch_that_no_two_clusters_fill_stops(sampler):
    sentence = (
        r"^training: batch_size is 9, but the largest clusters have 5 and 3 training queries; lower batch_size or the "
        r"number of clusters\.$"
    )
    with pytest.raises(ValueError, match=sentence):
        sampler(in_clusters([2, 5, 1, 3]), batch_size=9, seed=1)
    assert len(sampler(in_clusters([2, 5, 1, 3]), batch_size=8, seed=1)(0)) == 8
    with pytest.raises(ValueError, match=r"^training: batch_size is 9, but there are only 8 training queries\.$"):
        sampler(in_clusters([8]), batch_size=9, seed=1)


def test_queries_with_one_triple_are_counted_and_drawn_as_often_as_others(caplog):
    caplog.set_level(logging.INFO)
    query = np.array([0, 1, 1, 1, 2, 3, 3])
    data = Triples(query, query, query, np.random.default_rng(1).normal(size=(7, 2)), np.zeros(4, int))
    batch = tas_balanced(data, batch_size=1, seed=1)
    assert "2 of 4 queries have one triple only: kept, it is drawn whenever its query is" in caplog.text
    drawn = Counter(query[batch(step)[0]] for step in range(1000))
    assert chisquare(list(drawn.values())).pvalue > 0.001 and len(drawn) == 4
    caplog.clear()
    tas_balanced(triples(), batch_size=1, seed=1)
    assert caplog.text == ""


def test_a_cluster_without_training_queries_does_no_harm():
    data = triples(queries=20, clusters=4)
    gaps = Triples(data.query, data.positive, data.negative, cluster_of_query=data.cluster_of_query * 10)
    assert tas(gaps, batch_size=5, seed=1)(0).tolist() == tas(data, batch_size=5, seed=1)(0).tolist()


@pytest.mark.parametrize("sampler", [tas, tas_balanced])
def test_every_triple_is_reachable(sampler):
    data = triples(queries=12, per_query=5, clusters=3)
    batch = sampler(data, batch_size=4, seed=1)
    assert set(np.concatenate([batch(step) for step in range(500)])) == set(range(60))


def test_margin_bins_have_equal_width_between_the_smallest_and_the_largest_margin():
    margins = np.random.default_rng(2).normal(0, 4, 500)
    lowest, highest = min(margins), max(margins)
    bin_width = (highest - lowest) / 10
    for margin, found in zip(margins, margin_bins(margins), strict=True):
        inside = [i for i in range(10) if lowest + i * bin_width <= margin < lowest + (i + 1) * bin_width]
        assert found == (inside[0] if inside else 9)  # only the largest lies in no half-open bin
    assert margin_bins(np.array([3.0, 13.0])).tolist() == [0, 9]
    assert margin_bins(np.array([-5.0, -4.01, -3.5, 4.9, 5.0])).tolist() == [0, 0, 1, 9, 9]


@pytest.mark.parametrize("margins", [[2.5], [2.5, 2.5, 2.5], [0.0, -0.0]])
def test_equal_margins_share_one_bin(margins):
    assert margin_bins(np.array(margins, dtype=np.float32)).tolist() == [0] * len(margins)


def test_margins_that_differ_by_rounding_only_stay_within_the_bins():
    margins = np.float32(7) + np.spacing(np.float32(7)) * np.arange(3, dtype=np.float32)
    assert margin_bins(margins).min() == 0
    assert margin_bins(margins).max() == 9


def test_tas_balanced_draws_margin_bins_uniformly_however_full_they_are():
    margins = np.concatenate([np.linspace(0.0, 0.9, 90), [4.5, 5.5, 10.0]])  # bins 0, 4, 5 and 9
    scores = np.column_stack([margins, np.zeros(93)])
    data = Triples(np.zeros(93, int), np.arange(93), np.arange(93), scores, cluster_of_query=np.zeros(1, int))
    batch = tas_balanced(data, batch_size=1, seed=3)
    drawn = Counter(int(margins[batch(step)[0]]) for step in range(2000))
    assert drawn.keys() == {0, 4, 5, 10}
    assert chisquare(list(drawn.values())).pvalue > 0.001


def test_within_a_bin_triples_are_drawn_uniformly():
    margins = np.array([0.0, 0.1, 0.2, 0.3, 10.0])
    scores = np.column_stack([margins, np.zeros(5)])
    data = Triples(np.zeros(5, int), np.arange(5), np.arange(5), scores, cluster_of_query=np.zeros(1, int))
    batch = tas_balanced(data, batch_size=1, seed=3)
    drawn = Counter(int(batch(step)[0]) for step in range(2000))
    assert chisquare([drawn[row] for row in range(4)]).pvalue > 0.001
    assert drawn[4] == pytest.approx(1000, abs=100)
