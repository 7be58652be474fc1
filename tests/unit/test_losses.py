"""Losses against NumPy loops written from the papers' formulas."""

import math

import numpy as np
import pytest

from stillroom.losses.in_batch_nll import in_batch_nll
from stillroom.losses.margin_mse import margin_mse
from stillroom.losses.mse import mse
from stillroom.losses.ranknet import ranknet
from stillroom.losses.weighted_ranknet import weighted_ranknet

RANDOM = np.random.default_rng(1)


def scores(*shape):
    return RANDOM.normal(0, 5, shape)


def test_ranknet_is_the_cross_entropy_of_the_relevant_passage_winning(torch):
    student = scores(9, 2)
    expected = np.mean([-math.log(1 / (1 + math.exp(-(relevant - other)))) for relevant, other in student])
    assert ranknet(torch.tensor(student)).item() == pytest.approx(expected, rel=1e-12)
    assert ranknet(torch.tensor([[2.0, 2.0]]), None).item() == pytest.approx(math.log(2))


def test_ranknet_of_a_lost_pair_is_finite_and_ignores_the_teacher(torch):
    student = torch.tensor([[-2000.0, 2000.0]], requires_grad=True)
    loss = ranknet(student, torch.tensor([[math.nan, math.nan]]))
    loss.backward()
    assert loss.item() == 4000.0
    assert student.grad.tolist() == [[-1.0, 1.0]]


def test_margin_mse_is_the_mean_squared_difference_of_margins(torch):
    student, teacher = scores(9, 2), scores(9, 2)
    expected = 0.0
    for (s_relevant, s_other), (t_relevant, t_other) in zip(student, teacher, strict=True):
        expected += ((s_relevant - s_other) - (t_relevant - t_other)) ** 2 / len(student)
    assert margin_mse(torch.tensor(student), torch.tensor(teacher)).item() == pytest.approx(expected, rel=1e-12)


def test_margin_mse_of_several_passages_pairs_each_with_the_first(torch):
    student, teacher = scores(4, 6), scores(4, 6)
    terms = [
        ((student[q, 0] - student[q, p]) - (teacher[q, 0] - teacher[q, p])) ** 2 for q in range(4) for p in range(1, 6)
    ]
    assert margin_mse(torch.tensor(student), torch.tensor(teacher)).item() == pytest.approx(np.mean(terms), rel=1e-12)


def test_margin_mse_is_zero_when_margins_agree_and_unchanged_by_a_constant_per_query(torch):
    student, teacher = torch.tensor(scores(5, 2)), torch.tensor(scores(5, 2))
    shift = torch.tensor(scores(5, 1))
    assert margin_mse(student, student + shift).item() == pytest.approx(0, abs=1e-25)
    assert margin_mse(student + shift, teacher).item() == pytest.approx(margin_mse(student, teacher).item())
    assert margin_mse(student, teacher + 1000).item() == pytest.approx(margin_mse(student, teacher).item())


def pairwise_mse(student, teacher):
    """Pointwise MSE, pair by pair: half the error of the relevant passage, half that of the other one."""
    pairs = [(q, p) for q in range(len(student)) for p in range(1, len(student[q]))]
    error = (student - teacher) ** 2
    return sum((error[q, 0] + error[q, p]) / 2 for q, p in pairs) / len(pairs)


def pairwise_weighted_ranknet(student, teacher):
    """Weighted RankNet, pair by pair: the teacher's margin times the cross-entropy of the relevant passage winning."""
    terms = []
    for q in range(len(student)):
        for p in range(1, len(student[q])):
            wins = 1 / (1 + math.exp(-(student[q, 0] - student[q, p])))
            terms.append((teacher[q, 0] - teacher[q, p]) * -math.log(wins))
    return sum(terms) / len(terms)


REFERENCES = {mse: pairwise_mse, weighted_ranknet: pairwise_weighted_ranknet}


@pytest.mark.parametrize("loss", REFERENCES)
@pytest.mark.parametrize("shape", [(9, 2), (4, 6), (5, 5), (1, 2)])
def test_losses_with_a_teacher_agree_with_a_loop_over_pairs(loss, shape, torch):
    student, teacher = scores(*shape), scores(*shape)
    found = loss(torch.tensor(student), torch.tensor(teacher))
    assert found.item() == pytest.approx(REFERENCES[loss](student, teacher), rel=1e-12)


@pytest.mark.parametrize("loss", REFERENCES)
@pytest.mark.parametrize("shape", [(6, 2), (3, 4)])
def test_gradients_are_the_finite_differences_of_the_formula(loss, shape, torch):
    student, teacher = scores(*shape), scores(*shape)
    tensor = torch.tensor(student, requires_grad=True)
    loss(tensor, torch.tensor(teacher)).backward()
    for place in np.ndindex(shape):
        step = np.zeros(shape)
        step[place] = 1e-5
        up, down = REFERENCES[loss](student + step, teacher), REFERENCES[loss](student - step, teacher)
        assert tensor.grad[place].item() == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-8)


def test_mse_is_zero_for_the_teachers_scores_only_and_feels_a_constant(torch):
    teacher = torch.tensor(scores(5, 2))
    assert mse(teacher, teacher).item() == 0
    assert mse(teacher + 3, teacher).item() == pytest.approx(9)


def test_weighted_ranknet_with_margins_of_one_is_ranknet(torch):
    student = torch.tensor(scores(7, 2))
    teacher = torch.tensor([[4.0, 3.0]] * 7, dtype=torch.float64)
    assert weighted_ranknet(student, teacher).item() == pytest.approx(ranknet(student).item(), rel=1e-12)
    assert weighted_ranknet(student, 5 * teacher).item() == pytest.approx(5 * ranknet(student).item(), rel=1e-12)


def test_weighted_ranknet_follows_a_teacher_that_inverts_a_pair_and_ignores_one_that_sees_no_difference(torch):
    student = torch.tensor([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]], requires_grad=True)
    loss = weighted_ranknet(student, torch.tensor([[2.0, 0.0], [0.0, 2.0], [3.0, 3.0]]))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-7)
    towards, away, still = student.grad.tolist()
    assert towards[0] < 0 < towards[1] and away[1] < 0 < away[0]
    assert still == [0, 0]


def test_weighted_ranknet_of_extreme_scores_is_finite(torch):
    student = torch.tensor([[-2000.0, 2000.0], [2000.0, -2000.0]], requires_grad=True)
    weighted_ranknet(student, torch.tensor([[1.0, 0.0], [1.0, 0.0]])).backward()
    assert student.grad.tolist() == [[-0.5, 0.5], [0.0, 0.0]]


def negative_log_likelihood(student):
    """Query by query: how unlikely its relevant passage (column 0) is among all."""
    return np.mean([-math.log(math.exp(line[0]) / sum(math.exp(score) for score in line)) for line in student])


@pytest.mark.parametrize("shape", [(9, 2), (4, 9), (1, 3)])
def test_in_batch_nll_and_its_gradient_agree_with_a_loop_over_queries(shape, torch):
    student = scores(*shape)
    tensor = torch.tensor(student, requires_grad=True)
    loss = in_batch_nll(tensor)
    loss.backward()
    assert loss.item() == pytest.approx(negative_log_likelihood(student), rel=1e-12)
    for place in np.ndindex(shape):
        step = np.zeros(shape)
        step[place] = 1e-5
        slope = (negative_log_likelihood(student + step) - negative_log_likelihood(student - step)) / 2e-5
        assert tensor.grad[place].item() == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_in_batch_nll_of_two_passages_is_ranknet(torch):
    student = torch.tensor(scores(7, 2))
    assert in_batch_nll(student, None).item() == pytest.approx(ranknet(student).item(), rel=1e-12)


def test_in_batch_nll_ignores_the_teacher_and_passages_that_do_not_count(torch):
    student = torch.tensor([[1.0, 2.0, -math.inf], [0.5, -math.inf, -1.0]], requires_grad=True)
    loss = in_batch_nll(student, torch.full((2, 3), math.nan))
    loss.backward()
    assert loss.item() == pytest.approx((math.log1p(math.e) + math.log1p(math.exp(-1.5))) / 2)
    assert student.grad[0, 2] == student.grad[1, 1] == 0
    assert student.grad.isfinite().all()


def test_in_batch_nll_of_extreme_scores_is_finite(torch):
    student = torch.tensor([[-2000.0, 2000.0, 0.0], [2000.0, -2000.0, 0.0]], requires_grad=True)
    loss = in_batch_nll(student)
    loss.backward()
    assert loss.item() == 2000.0
    assert student.grad.tolist() == [[-0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]


def test_in_batch_nll_of_cosines_has_next_to_nothing_to_learn_without_a_temperature(torch):
    """A perfect ranker against one that knows nothing: the best loss is near the worst, and its gradient as large."""
    perfect = torch.full((1, 256), -1.0, requires_grad=True)
    with torch.no_grad():
        perfect[0, 0] = 1.0
    ignorant = torch.zeros(1, 256)
    loss = in_batch_nll(perfect)
    loss.backward()
    assert loss.item() == pytest.approx(math.log1p(255 * math.exp(-2)))
    assert loss.item() > 0.6 * in_batch_nll(ignorant).item()
    assert perfect.grad[0, 0] < -0.9  # though there is nothing left to gain
    assert in_batch_nll(perfect / 0.05).item() < 1e-12 < 5 < in_batch_nll(ignorant / 0.05).item()
