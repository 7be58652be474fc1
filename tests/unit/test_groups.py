"""Groups of triples with one query and relevant passage."""

import logging
from collections import defaultdict

import numpy as np
import pytest

from stillroom.groups import grouped
from stillroom.samplers.random import random
from stillroom.samplers.tas_balanced import tas_balanced
from stillroom.triples import Triples


def triples(count=300, *, queries=7, positives=3, seed=4):
    """Triples in no order; the relevant passage's score is another one in every triple, as in published files."""
    generator = np.random.default_rng(seed)
    query = generator.integers(0, queries, count).astype(np.int32)
    positive = (query * 10 + generator.integers(0, positives, count)).astype(np.int32)
    scores = generator.normal(0, 3, (count, 2)).astype(np.float32)
    return Triples(query, positive, np.arange(1000, 1000 + count, dtype=np.int32), scores, np.arange(queries) % 2)


def groups_by_hand(data, negatives):
    """Triple by triple: one that fills the group of its query and relevant passage closes it."""
    open_groups, closed = defaultdict(list), []
    for row in range(len(data.query)):
        group = open_groups[data.query[row], data.positive[row]]
        group.append(row)
        if len(group) == negatives:
            closed.append(group.copy())
            group.clear()
    return sorted(closed), sum(map(len, open_groups.values()))


@pytest.mark.parametrize("negatives", [2, 3, 7])
def test_a_group_has_triples_of_one_query_and_relevant_passage_in_their_order(negatives, caplog):
    data = triples()
    expected, left_out = groups_by_hand(data, negatives)
    caplog.set_level(logging.INFO)
    found = grouped(data, negatives)
    assert found.negative.tolist() == [[data.negative[row] for row in group] for group in expected]
    assert found.query.tolist() == [data.query[group[0]] for group in expected]
    assert found.positive.tolist() == [data.positive[group[0]] for group in expected]
    scores = [[data.teacher_scores[group[0], 0], *(data.teacher_scores[row, 1] for row in group)] for group in expected]
    assert found.teacher_scores.tolist() == scores
    assert found.teacher_scores.dtype == np.float32
    assert found.cluster_of_query is data.cluster_of_query
    assert 0 < left_out < len(data.query)
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        f"{len(expected)} groups with {negatives} other passages each",
        f"{left_out} of 300 triples fill no group of {negatives} with the same query and relevant passage, and are "
        "left out",
    ]


def test_groups_of_one_are_the_triples_themselves(caplog):
    caplog.set_level(logging.INFO)
    data = triples()
    found = grouped(data, 1)
    assert found.negative.tolist() == [[negative] for negative in data.negative]
    assert found.query is data.query and found.teacher_scores is data.teacher_scores
    assert not caplog.records


def test_groups_without_a_teacher_have_no_scores_and_full_groups_no_warning(caplog):
    query = np.repeat(np.arange(4), 6)
    found = grouped(Triples(query, query, np.arange(24)), 3)
    assert found.teacher_scores is None
    assert found.negative.tolist() == np.arange(24).reshape(8, 3).tolist()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_no_group_at_all_stops_with_one_sentence():
    sentence = (
        r"^training: negatives is 8, but no query has so many triples with a relevant passage; lower it, or .*\.$"
    )
    with pytest.raises(ValueError, match=sentence):
        grouped(triples(20), 8)


def test_fewer_groups_than_a_batch_stop():
    with pytest.raises(ValueError, match=r"^batch_size is 64, but there are only \d+ training"):
        random(grouped(triples(), 7), batch_size=64, seed=1)


def test_tas_balanced_balances_the_mean_margins_of_groups():
    others = np.array([[0.0, 0.0], [1.0, -1.0], [4.0, 6.0]])  # mean margins 0, 0 and -5
    scores = np.column_stack([np.zeros(3), others])
    data = Triples(np.zeros(3, int), np.zeros(3, int), np.zeros((3, 2), int), scores, np.zeros(1, int))
    batch = tas_balanced(data, batch_size=1, seed=3)
    drawn = np.bincount([batch(step)[0] for step in range(1000)])
    assert drawn[2] == pytest.approx(500, abs=60) and drawn[0] == pytest.approx(250, abs=50)
