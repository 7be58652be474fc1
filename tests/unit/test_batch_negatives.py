"""In-batch negatives against loops over queries and passages."""

import math

import numpy as np
import pytest

from stillroom.batch_negatives import BatchNegatives
from stillroom.groups import grouped
from stillroom.losses.in_batch_nll import in_batch_nll
from stillroom.triples import Triples

IN_BATCH_NLL = {"loss": "in_batch_nll", "training__dropout": 0.0}
RANDOM = np.random.default_rng(5)
# Query 0 has two relevant passages and is in three triples, passage 11 is relevant for queries 1 and 2, and a negative
# of query 4; passage 40 is a negative of two queries.
TRIPLES = Triples(
    query=np.array([0, 0, 0, 1, 2, 3, 4]),
    positive=np.array([10, 20, 10, 11, 11, 13, 14]),
    negative=np.array([40, 41, 42, 43, 44, 40, 11]),
)
NEGATIVES = BatchNegatives(grouped(TRIPLES, 1, 1), TRIPLES)


def expected_candidates(relevant, other, rows):
    """By a loop: the score of the own relevant passage, then those of all passages, -inf for relevant ones."""
    known = set(zip(TRIPLES.query, TRIPLES.positive, strict=True))
    passages = [*TRIPLES.positive[rows], *TRIPLES.negative[rows]]
    lines = []
    for place, row in enumerate(rows):
        scores = [*relevant[place], *other[place]]
        pairs = zip(passages, scores, strict=True)
        negatives = [-math.inf if (TRIPLES.query[row], passage) in known else score for passage, score in pairs]
        lines.append([relevant[place][place], *negatives])
    return np.array(lines)


@pytest.mark.parametrize("rows", [[0, 1, 2, 3, 4, 5, 6], [5, 3], [2, 0, 6], [4]])
def test_candidates_are_the_batchs_passages_without_those_that_are_relevant(rows, torch):
    relevant, other = RANDOM.normal(0, 3, (2, len(rows), len(rows)))
    found = NEGATIVES.candidates(torch.tensor(relevant), torch.tensor(other), np.array(rows))
    assert np.array_equal(found.numpy(), expected_candidates(relevant, other, rows))


def test_a_relevant_passage_in_another_triple_or_of_another_query_is_no_negative():
    rows = np.array([0, 1, 2, 3, 4])
    relevant = NEGATIVES.is_relevant(rows)
    assert relevant[:3, :5].tolist() == 3 * [[True, True, True, False, False]]  # query 0 and its passages 10, 20, 10
    assert relevant[3:, :5].tolist() == 2 * [[False, False, False, True, True]]  # queries 1 and 2 and passage 11
    assert not relevant[:, 5:].any()


def test_a_passage_that_is_relevant_for_one_query_stays_a_negative_of_another():
    relevant = NEGATIVES.is_relevant(np.array([3, 6]))
    assert relevant.tolist() == [[True, False, False, True], [False, True, False, False]]


@pytest.mark.parametrize("rows", [[0, 1, 2, 3, 4, 5, 6], [5, 3]])
def test_the_loss_of_a_batch_is_that_of_a_loop_over_its_queries(rows, torch):
    """Karpukhin et al. 2020, Eq. 2, query by query."""
    relevant, other = RANDOM.normal(0, 3, (2, len(rows), len(rows)))
    known = set(zip(TRIPLES.query, TRIPLES.positive, strict=True))
    passages = [*TRIPLES.positive[rows], *TRIPLES.negative[rows]]
    losses = []
    for place, row in enumerate(rows):
        own = math.exp(relevant[place][place])
        scores = zip(passages, [*relevant[place], *other[place]], strict=True)
        against = sum(math.exp(score) for passage, score in scores if (TRIPLES.query[row], passage) not in known)
        losses.append(-math.log(own / (own + against)))
    candidates = NEGATIVES.candidates(torch.tensor(relevant), torch.tensor(other), np.array(rows))
    assert in_batch_nll(candidates).item() == pytest.approx(np.mean(losses), rel=1e-12)


def test_what_is_no_negative_gets_no_gradient(torch):
    rows = np.arange(7)
    relevant, other = (torch.tensor(RANDOM.normal(0, 3, (7, 7)), requires_grad=True) for _ in range(2))
    in_batch_nll(NEGATIVES.candidates(relevant, other, rows)).backward()
    is_relevant = NEGATIVES.is_relevant(rows)
    gradient = np.concatenate([relevant.grad.numpy(), other.grad.numpy()], axis=1)
    own = np.eye(7, 14, dtype=bool)
    assert (gradient[own] < 0).all()
    assert (gradient[is_relevant & ~own] == 0).all()
    assert (gradient[~is_relevant] > 0).all()


def score(model, trainer, query, passage):
    import torch

    with torch.no_grad():
        return model.score([trainer.queries[query]], [trainer.passages[passage]]).item()


def loop_over_queries(trainer, rows):
    """The loss of a batch from scores of one pair after the other."""
    triples, losses = trainer.triples, []
    known = set(zip(triples.query, triples.positive[:, 0], strict=True))
    for row in rows:
        query = triples.query[row]
        passages = [passage for passage in (*triples.positive[rows, 0], *triples.negative[rows].T.ravel())]
        scores = [
            score(trainer.model, trainer, query, passage) for passage in passages if (query, passage) not in known
        ]
        own = score(trainer.model, trainer, query, triples.positive[row, 0])
        losses.append(np.logaddexp.reduce([own, *scores]) - own)
    return np.mean(losses)


RANKERS = {
    "bert_dot": {},
    "bert_dot of cosines": {"pooling": "mean", "normalize": True, "temperature": 0.05},
    "dpr": {"architecture": "dpr", "temperature": 4.0},
    "colbert": {"architecture": "colbert", "normalize": True},
    "tk": {"architecture": "tk"},
}


@pytest.mark.parametrize("name", RANKERS)
def test_a_trainers_loss_is_that_of_scores_of_one_pair_after_the_other(name, make_trainer):
    trainer = make_trainer(**IN_BATCH_NLL, **RANKERS[name])
    rows = np.array([0, 1, 9, 21])  # the first two are of one query
    assert trainer.batch_loss(rows).item() == pytest.approx(loop_over_queries(trainer, rows), rel=1e-4)


def test_in_batch_distillation_may_be_added(make_trainer):
    in_batch = {"loss": "margin_mse", "teacher": "tokens", "weight": 0.5}
    trainer, rows = make_trainer(**IN_BATCH_NLL, in_batch=in_batch, temperature=8.0), np.array([0, 9, 21, 42])
    query, positive = trainer.triples.query[rows], trainer.triples.positive[rows, 0]
    negative = trainer.triples.negative[rows, 0]
    terms = []
    for i in range(4):
        for passages in (positive, negative):
            for j in set(range(4)) - {i}:
                margins = [
                    score(model, trainer, query[i], positive[i]) - score(model, trainer, query[i], passages[j])
                    for model in (trainer.model, trainer.in_batch_teacher)
                ]
                terms.append((margins[0] - margins[1]) ** 2)
    expected = loop_over_queries(trainer, rows) + 0.5 * np.mean(terms)
    assert trainer.batch_loss(rows).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_every_step_starts_with_cleared_gradients(accumulate, make_trainer, torch):
    """The second step's gradient is that of its own batches, as if the first had not been."""
    settings = {"loss": "in_batch_nll", "training__dropout": 0.1, "training__batch_size": 4}
    after_another, alone = (make_trainer(**settings, training__accumulate=accumulate) for _ in range(2))
    after_another.factor = alone.factor = lambda step: 0.0  # the weights stay
    after_another.step()
    after_another.progress.step = alone.progress.step = 1
    assert after_another.step() == alone.step()
    for found, expected in zip(after_another.model.parameters(), alone.model.parameters(), strict=True):
        assert (found.grad is None and expected.grad is None) or torch.equal(found.grad, expected.grad)
