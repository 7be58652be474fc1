"""Groups of relevant and other passages of one query, and what a trainer learns from them."""

import logging
from dataclasses import replace
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


def groups_by_hand(data, positives, negatives):
    """Query by query: lists of its different passages, cut into pieces, the relevant pieces in turn."""
    groups, left_out = [], 0
    for query in np.unique(data.query):
        rows = np.flatnonzero(data.query == query).tolist()
        pieces = []
        for passages, size in ((data.positive, positives), (data.negative, negatives)):
            first = [row for place, row in enumerate(rows) if passages[row] not in passages[rows[:place]]]
            pieces.append([first[at : at + size] for at in range(0, len(first) - size + 1, size)])
        relevant, others = pieces
        groups += [(relevant[turn % len(relevant)], piece) for turn, piece in enumerate(others) if relevant]
        left_out += len(np.unique(data.negative[rows])) - (sum(map(len, others)) if relevant else 0)
    return sorted(groups, key=lambda group: group[1][0]), left_out


@pytest.mark.parametrize(("positives", "negatives"), [(1, 2), (1, 7), (2, 1), (2, 4), (3, 5)])
def test_a_group_has_different_passages_of_one_query_in_the_order_of_its_triples(positives, negatives, caplog):
    data = triples()
    data = replace(data, negative=500 + data.query * 1000 + data.negative % 40)  # some passages are there twice
    expected, left_out = groups_by_hand(data, positives, negatives)
    caplog.set_level(logging.INFO)
    found = grouped(data, positives, negatives)
    assert found.query.tolist() == [data.query[others[0]] for _, others in expected]
    assert found.positive.tolist() == [data.positive[relevant].tolist() for relevant, _ in expected]
    assert found.negative.tolist() == [data.negative[others].tolist() for _, others in expected]
    scores = [[*data.teacher_scores[relevant, 0], *data.teacher_scores[others, 1]] for relevant, others in expected]
    assert found.teacher_scores.tolist() == np.array(scores).tolist()
    assert found.teacher_scores.dtype == np.float32
    assert found.cluster_of_query is data.cluster_of_query
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0] == f"{len(expected)} groups of {positives} relevant and {negatives} other passages"
    pairs = len(np.unique(data.negative))
    others = f"{left_out} of {pairs} pairs of a query and a passage (other) are in no group"
    assert (others in messages) == (left_out > 0)
    is_odd = 3 % positives > 0  # every query has three relevant passages
    relevant = "7 of 21 pairs of a query and a passage (relevant) are in no group"
    assert (relevant in messages) == is_odd


def test_sampled_triples_are_grouped_as_they_were_drawn():
    query, positive = np.zeros(12, int), np.repeat([5, 6, 5], 4)  # two relevant passages in turn, each with four others
    found = grouped(Triples(query, positive, np.arange(20, 32)), 1, 4)
    assert found.positive.tolist() == [[5], [6], [5]]
    assert found.negative.tolist() == np.arange(20, 32).reshape(3, 4).tolist()


def test_what_another_triple_says_to_be_relevant_is_none_of_the_others(caplog):
    query, positive = np.array([0, 0, 0, 0, 1]), np.array([5, 5, 6, 6, 7])
    found = grouped(Triples(query, positive, np.array([6, 8, 9, 10, 6])), 2, 3)
    assert found.query.tolist() == [0]
    assert found.positive.tolist() == [[5, 6]] and found.negative.tolist() == [[8, 9, 10]]
    assert "2 of 5 pairs of a query and a passage (other) are in no group" in caplog.text


def test_groups_of_one_and_one_are_the_triples_themselves(caplog):
    caplog.set_level(logging.INFO)
    data = triples()
    found = grouped(data, 1, 1)
    assert found.positive.tolist() == [[positive] for positive in data.positive]
    assert found.negative.tolist() == [[negative] for negative in data.negative]
    assert found.query is data.query and found.teacher_scores is data.teacher_scores
    assert not caplog.records


def test_groups_without_a_teacher_have_no_scores_and_full_groups_no_warning(caplog):
    query = np.repeat(np.arange(4), 6)
    found = grouped(Triples(query, query, np.arange(20, 44)), 1, 3)
    assert found.teacher_scores is None
    assert found.negative.tolist() == np.arange(20, 44).reshape(8, 3).tolist()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(("positives", "negatives"), [(1, 30), (4, 2)])
def test_no_group_at_all_stops_with_one_sentence(positives, negatives):
    sentence = f"^training: positives is {positives} and negatives is {negatives}, but no query has so many .*\\.$"
    with pytest.raises(ValueError, match=sentence):
        grouped(triples(60), positives, negatives)


def test_the_margin_of_a_group_is_that_of_the_mean_scores():
    data = grouped(triples(), 2, 3)
    expected = [scores[:2].mean() - scores[2:].mean() for scores in data.teacher_scores]
    assert data.margins.tolist() == pytest.approx(expected, rel=1e-5)


def test_fewer_groups_than_a_batch_stop():
    with pytest.raises(ValueError, match=r"^training: batch_size is 64, but there are only \d+ training"):
        random(grouped(triples(), 1, 7), batch_size=64, seed=1)


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
    """The triples of one group after the other, and one that is in no group."""
    rows = [(query, positive, negative) for query, positive, others in GROUPS for negative in others]
    scores = [scores[[0, 1 + place]] for scores in TEACHER_SCORES for place in range(3)]
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


@pytest.mark.parametrize(
    ("loss", "ranker"),
    [
        ("ckl", {}),
        ("ckl", {"training__chunk_tokens": 40}),
        ("kl_div", {"architecture": "colbert", "temperature": 8.0}),
        ("margin_mse", {"architecture": "bert_cat", "temperature": 0.05}),
        ("weighted_ranknet", {}),
        ("mse", {}),
    ],
)
def test_several_relevant_passages_are_one_list_for_losses_of_distributions_and_have_lists_of_their_own_for_others(
    loss, ranker, make_trainer, of_one_query, torch
):
    distilled = DISTILLED if loss == "ckl" else {"loss": loss, "teacher": "cross", "contrastive": 0.5}
    few = {"training__positives": 2, "training__negatives": 2, "training__batch_size": 3, "training__dropout": 0.0}
    few |= ranker
    query, positive = np.repeat([0, 1, 2], 3), np.array([10, 11, 11, 20, 21, 20, 30, 30, 31])
    negative = np.array([40, 41, 40, 50, 50, 51, 60, 61, 62])
    teacher = np.random.default_rng(8).normal(0, 2, (9, 2)).astype(np.float32)
    trainer = make_trainer(Triples(query, positive, negative, teacher), **distilled, **few)
    settings, student = trainer.settings, scores_of_pairs(trainer.model, trainer, torch)
    reference = reference_of(loss, settings.loss_settings, of_one_query)
    expected = 0.0
    for own, rows, other_rows in [(0, (0, 1), (0, 1)), (1, (3, 4), (3, 5)), (2, (6, 8), (6, 7))]:
        relevant = [(student(own, positive[row]), teacher[row, 0]) for row in rows]
        others = [(student(own, negative[row]), teacher[row, 1]) for row in other_rows]
        lists = [np.array([pair, *others]).T for pair in relevant]
        if loss in ("ckl", "kl_div"):
            expected += reference(*np.array([*relevant, *others]).T, **({"positives": 2} if loss == "ckl" else {}))
        else:
            expected += np.mean([reference(*scores) for scores in lists])
        expected += 0.5 * np.mean([nll(scores) for scores, _ in lists])
    assert trainer.batch_loss(np.arange(3)).item() == pytest.approx(expected / 3, rel=1e-4)
