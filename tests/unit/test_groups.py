"""Groups of triples with one query and relevant passage, and what a trainer learns from them."""

import logging
from collections import defaultdict
from functools import cache, partial
from inspect import signature

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


# Query, relevant passage, other passages. Of the batch's passages, 1, 3 and 45 are relevant for one of its queries and
# other passages of another; query 0 is there twice; query 3 has one more relevant passage, 45, in a triple of no group.
GROUPS = [
    (0, 0, (31, 1, 45)),
    (1, 1, (50, 2, 3)),
    (2, 2, (61, 0, 47)),
    (3, 3, (72, 31, 1)),
    (0, 80, (33, 2, 62)),
]
ROWS = [3, 0, 4, 1]
TEACHER_SCORES = np.random.default_rng(6).normal(0, 2, (len(GROUPS), 4)).astype(np.float32)
DISTILLED = {
    "loss": "ckl",
    "loss_settings": {"gamma": 2.0, "beta": 0.5, "temperature": 1.5},
    "teacher": "cross",
    "contrastive": 0.5,
}
SETUPS = {
    "bert_dot": DISTILLED,
    "colbert": {**DISTILLED, "architecture": "colbert", "temperature": 8.0},
    "bert_cat": {**DISTILLED, "architecture": "bert_cat", "temperature": 0.05},
    "bert_dot in-batch too": {**DISTILLED, "in_batch": {"loss": "kl_div", "teacher": "tokens", "weight": 0.75}},
    "colbert in-batch alone": {
        "loss": None,
        "architecture": "colbert",
        "in_batch": {"loss": "margin_mse", "teacher": "tokens", "weight": 0.75},
    },
    "bert_dot in-batch negatives": {"loss": "in_batch_nll", "temperature": 2.0},
}


def triples_of_groups():
    """The triples of all groups, one of each after the other, and one that is in no group."""
    rows = [(*group[:2], group[2][place]) for place in range(3) for group in GROUPS]
    scores = [scores[[0, 1 + place]] for place in range(3) for scores in TEACHER_SCORES]
    query, positive, negative = np.array([*rows, (3, 45, 90)]).T
    return Triples(query, positive, negative, np.array([*scores, np.zeros(2, np.float32)]))


def nll(scores):
    """Negative log-likelihood of the first."""
    return np.logaddexp.reduce(scores) - scores[0]


def reference_of(loss, settings, of_one_query):
    """The reference of a loss, given the loss settings that it takes."""
    takes = signature(of_one_query[loss]).parameters
    return partial(of_one_query[loss], **{key: value for key, value in settings.items() if key in takes})


def group_loss(reference, contrastive, place, student):
    """A loss on a group's own passages, and the contrastive term."""
    query, positive, negative = GROUPS[place]
    scores = [student(query, passage) for passage in (positive, *negative)]
    return reference(scores, TEACHER_SCORES[place]) + contrastive * nll(scores)


def negatives_loss(place, student):
    """A group's relevant passage against all that the batch has and no triple says to be relevant for its query."""
    query, positive, _ = GROUPS[place]
    relevant = {passage for other, passage, _ in [*GROUPS, (3, 45, None)] if other == query}
    passages = [passage for row in ROWS for passage in (GROUPS[row][1], *GROUPS[row][2]) if passage not in relevant]
    return nll([student(query, passage) for passage in (positive, *passages)])


def in_batch_loss(reference, place, student, teacher):
    """A group's relevant passage among all passages of the other groups."""
    query, positive, _ = GROUPS[place]
    others = [passage for row in ROWS if row != place for passage in (GROUPS[row][1], *GROUPS[row][2])]
    return reference(*([score(query, passage) for passage in (positive, *others)] for score in (student, teacher)))


def scores_of_pairs(model, trainer, torch):
    """A function that scores one pair."""

    @cache
    def score(query, passage):
        with torch.no_grad():
            return model.score([trainer.queries[query]], [trainer.passages[passage]]).item()

    return score


@pytest.mark.parametrize("name", SETUPS)
def test_a_trainers_loss_on_groups_is_that_of_scores_of_one_pair_after_the_other(
    name, make_trainer, of_one_query, torch
):
    few = {"training__negatives": 3, "training__batch_size": 4, "training__dropout": 0.0}
    trainer = make_trainer(triples_of_groups(), **SETUPS[name], **few)
    settings, losses = trainer.settings, []
    student, teacher = (
        scores_of_pairs(model, trainer, torch) if model else None for model in (trainer.model, trainer.in_batch_teacher)
    )
    for place in ROWS:
        if settings.loss == "in_batch_nll":
            losses.append(negatives_loss(place, student))
        elif settings.loss is not None:
            reference = reference_of(settings.loss, settings.loss_settings, of_one_query)
            losses.append(group_loss(reference, settings.contrastive, place, student))
        if settings.in_batch is not None:
            reference = reference_of(settings.in_batch.loss, settings.loss_settings, of_one_query)
            losses.append(settings.in_batch.weight * in_batch_loss(reference, place, student, teacher))
    expected = sum(losses) / len(ROWS)
    assert expected > 0.1  # what is nearly 0 may be so for any order of the passages
    assert trainer.batch_loss(np.array(ROWS)).item() == pytest.approx(expected, rel=1e-4)
