"""Listwise losses, and every in-batch loss, against NumPy loops over the queries one by one."""

import math

import numpy as np
import pytest

from stillroom.losses._in_batch import in_batch
from stillroom.losses.kl_div import kl_div
from stillroom.losses.lambdarank import lambdarank
from stillroom.losses.listnet import listnet
from stillroom.losses.margin_mse import margin_mse

RANDOM = np.random.default_rng(4)


def scores(*shape):
    return RANDOM.normal(0, 3, shape)


def distribution(values):
    powers = [math.exp(value - max(values)) for value in values]
    return [power / sum(powers) for power in powers]


def divergence_of(student, teacher):
    """KL of one query's distributions."""
    return sum(p * math.log(p / q) for p, q in zip(distribution(teacher), distribution(student), strict=True))


def cross_entropy_of(student, teacher):
    """ListNet of one query."""
    return -sum(p * math.log(q) for p, q in zip(distribution(teacher), distribution(student), strict=True))


def lambdarank_of(student, teacher):
    """LambdaRank of one query: every pair is exchanged, and nDCG computed anew."""
    gains = distribution(teacher)

    def dcg(order):
        return sum(gains[passage] / math.log2(1 + rank) for rank, passage in enumerate(order, 1))

    order = sorted(range(len(student)), key=lambda passage: -student[passage])
    ideal = dcg(sorted(range(len(gains)), key=lambda passage: -gains[passage]))
    loss = 0.0
    for better in range(len(student)):
        for worse in range(len(student)):
            if teacher[better] > teacher[worse]:
                other = {better: worse, worse: better}
                exchanged = [other.get(passage, passage) for passage in order]
                change = abs(dcg(exchanged) - dcg(order)) / ideal
                loss += change * math.log1p(math.exp(student[worse] - student[better]))
    return loss


def margin_mse_of(student, teacher):
    """Margin-MSE of one query: its first passage with every other."""
    pairs = range(1, len(student))
    return sum(((student[0] - student[p]) - (teacher[0] - teacher[p])) ** 2 for p in pairs) / len(pairs)


LISTWISE = {kl_div: divergence_of, listnet: cross_entropy_of, lambdarank: lambdarank_of}
REFERENCES = {**LISTWISE, margin_mse: margin_mse_of}
NAMES = [loss.__name__ for loss in REFERENCES]


def query_by_query(reference, student, teacher):
    """The mean of a reference over the queries."""
    return sum(reference(list(one), list(other)) for one, other in zip(student, teacher, strict=True)) / len(student)


@pytest.mark.parametrize("loss", LISTWISE)
@pytest.mark.parametrize("shape", [(1, 2), (9, 2), (4, 6), (3, 11)])
def test_listwise_losses_agree_with_a_loop_over_queries(loss, shape, torch):
    student, teacher = scores(*shape), scores(*shape)
    expected = query_by_query(LISTWISE[loss], student, teacher)
    assert loss(torch.tensor(student), torch.tensor(teacher)).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("loss", LISTWISE)
def test_gradients_of_listwise_losses_are_the_finite_differences_of_the_formula(loss, torch):
    student, teacher = scores(3, 5), scores(3, 5)
    tensor = torch.tensor(student, requires_grad=True)
    loss(tensor, torch.tensor(teacher)).backward()
    for place in np.ndindex(3, 5):
        step = np.zeros((3, 5))
        step[place] = 1e-5
        up, down = (query_by_query(LISTWISE[loss], student + sign * step, teacher) for sign in (1, -1))
        assert tensor.grad[place].item() == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-8)


def test_the_divergence_is_zero_for_the_teachers_distribution_only(torch):
    teacher = torch.tensor(scores(4, 5))
    assert kl_div(teacher + torch.tensor(scores(4, 1)), teacher).item() == pytest.approx(0, abs=1e-12)
    assert all(kl_div(torch.tensor(scores(4, 5)), teacher) > 0 for _ in range(20))


def test_the_divergence_has_the_gradient_of_listnet_also_where_the_student_is_most_wrong(torch):
    usual, teacher, gradients = scores(3, 3), scores(3, 3), []
    for loss in (kl_div, listnet):
        student = torch.tensor(np.array([*usual, [-40.0, 40.0, 0.0]]), requires_grad=True)
        loss(student, torch.tensor(np.array([*teacher, [40.0, -40.0, 0.0]]))).backward()
        gradients.append(student.grad.numpy())
    assert gradients[0] == pytest.approx(gradients[1], abs=1e-12)
    assert gradients[0][3] * 4 == pytest.approx([-1, 1, 0], abs=1e-6)  # the mean is over four queries


def test_lambdarank_of_the_teachers_order_with_wide_margins_is_nothing_and_equal_teacher_scores_are_no_pair(torch):
    teacher = torch.tensor([[3.0, 2.0, 1.0]], dtype=torch.float64)
    assert lambdarank(100 * teacher, teacher).item() == pytest.approx(0, abs=1e-12)
    assert lambdarank(torch.tensor(scores(2, 3)), torch.ones(2, 3)).item() == 0


def test_lambdarank_of_extreme_and_of_equal_scores_is_finite(torch):
    student = torch.tensor([[-2000.0, 2000.0, 0.0], [1.0, 1.0, 1.0]], requires_grad=True)
    lambdarank(student, torch.tensor([[400.0, -400.0, 0.0], [2.0, 1.0, 0.0]])).backward()
    assert torch.isfinite(student.grad).all()
    assert student.grad[0, 0] < 0 < student.grad[0, 1]
    assert student.grad[1, 0] < 0 < student.grad[1, 2]  # who starts with equal scores learns too


@pytest.mark.parametrize("loss", REFERENCES, ids=NAMES)
@pytest.mark.parametrize("queries", [2, 3, 7])
def test_in_batch_losses_agree_with_a_loop_over_queries(loss, queries, torch):
    matrices = [scores(queries, queries) for _ in range(4)]
    relevant, other, teacher_relevant, teacher_other = matrices
    losses = []
    for query in range(queries):
        others = [owner for owner in range(queries) if owner != query]  # not its own relevant or other passage
        lists = [
            [own[query, query], *(matrix[query, owner] for matrix in (own, rest) for owner in others)]
            for own, rest in [(relevant, other), (teacher_relevant, teacher_other)]
        ]
        losses.append(REFERENCES[loss](*lists))
    found = in_batch(loss, tuple(map(torch.tensor, matrices[:2])), tuple(map(torch.tensor, matrices[2:])))
    assert found.item() == pytest.approx(np.mean(losses), rel=1e-9)


@pytest.mark.parametrize("loss", REFERENCES, ids=NAMES)
def test_in_batch_a_querys_own_other_passage_gets_no_gradient(loss, torch):
    student = [torch.tensor(scores(4, 4), requires_grad=True) for _ in range(2)]
    in_batch(loss, tuple(student), tuple(torch.tensor(scores(4, 4)) for _ in range(2))).backward()
    is_own = torch.eye(4, dtype=torch.bool)
    assert (student[1].grad[is_own] == 0).all()
    assert (student[1].grad[~is_own] != 0).all() and (student[0].grad != 0).all()
