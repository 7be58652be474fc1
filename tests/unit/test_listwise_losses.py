"""Listwise losses against loops written from the formulas, query by query and passage by passage."""

import math
from functools import partial

import numpy as np
import pytest

from stillroom.losses.ckl import ckl, log_weights
from stillroom.losses.kl_div import kl_div
from stillroom.losses.lambdarank import lambdarank
from stillroom.losses.listnet import listnet
from stillroom.losses.nll import nll
from stillroom.losses.ranknet import ranknet

RANDOM = np.random.default_rng(1)
PLAIN = {"gamma": 0.0, "beta": 0.0, "temperature": 1.0, "gradient_through_weights": False}
SETTINGS = [
    {"gamma": 1.0, "beta": 1.0, "temperature": 1.0},
    {"gamma": 2.5, "beta": 0.0, "temperature": 3.0},
    {"gamma": 5.0, "beta": 0.5, "temperature": 0.7},
    {"gamma": 0.0, "beta": 0.0, "temperature": 2.0},
]
SHAPES = [(1, 2), (9, 2), (4, 6), (3, 11)]
LISTWISE = {loss.__name__: loss for loss in (kl_div, listnet, lambdarank)}


def scores(*shape):
    return RANDOM.normal(0, 3, shape)


def query_by_query(reference, *scores):
    """The mean of a reference over the queries."""
    return np.mean([reference(*rows) for rows in zip(*scores, strict=True)])


def gradient_by_hand(loss, student):
    gradient = np.zeros_like(student)
    for place in np.ndindex(student.shape):
        step = np.zeros_like(student)
        step[place] = 1e-5
        gradient[place] = (loss(student + step) - loss(student - step)) / 2e-5
    return gradient


@pytest.mark.parametrize("name", LISTWISE)
@pytest.mark.parametrize("shape", SHAPES)
def test_listwise_losses_agree_with_a_loop_over_queries(name, shape, of_one_query, torch):
    student, teacher = scores(*shape), scores(*shape)
    expected = query_by_query(of_one_query[name], student, teacher)
    assert LISTWISE[name](torch.tensor(student), torch.tensor(teacher)).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", LISTWISE)
def test_gradients_of_listwise_losses_are_the_finite_differences_of_the_formula(name, of_one_query, torch):
    student, teacher = scores(3, 5), scores(3, 5)
    tensor = torch.tensor(student, requires_grad=True)
    LISTWISE[name](tensor, torch.tensor(teacher)).backward()
    expected = gradient_by_hand(lambda changed: query_by_query(of_one_query[name], changed, teacher), student)
    assert tensor.grad.numpy() == pytest.approx(expected, rel=1e-5, abs=1e-8)


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


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("shape", SHAPES)
def test_ckl_agrees_with_a_loop_over_queries(shape, settings, of_one_query, torch):
    student, teacher = scores(*shape), scores(*shape)
    expected = query_by_query(partial(of_one_query["ckl"], **settings), student, teacher)
    for through in (False, True):
        found = ckl(torch.tensor(student), torch.tensor(teacher), **settings, gradient_through_weights=through)
        assert found.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("positives", [2, 4])
def test_ckl_of_several_relevant_passages_agrees_with_a_loop_over_queries(positives, settings, of_one_query, torch):
    student, teacher = scores(5, 7), scores(5, 7)
    expected = query_by_query(partial(of_one_query["ckl"], **settings, positives=positives), student, teacher)
    for through in (False, True):
        chosen = {**settings, "gradient_through_weights": through, "positives": positives}
        assert ckl(torch.tensor(student), torch.tensor(teacher), **chosen).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("through", [False, True])
def test_the_weights_of_ckl_are_constants_for_the_gradient_unless_asked_for(through, settings, of_one_query, torch):
    student, teacher = scores(3, 5), scores(3, 5)
    tensor = torch.tensor(student, requires_grad=True)
    ckl(tensor, torch.tensor(teacher), **settings, gradient_through_weights=through).backward()

    def loss(changed):
        def of_query(own, wanted, constant):
            return of_one_query["ckl"](own, wanted, **settings, weighed=own if through else constant)

        return query_by_query(of_query, changed, teacher, student)

    assert tensor.grad.numpy() == pytest.approx(gradient_by_hand(loss, student), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("temperature", [0.5, 4.0])
def test_the_divergence_at_a_temperature_agrees_with_a_loop_over_queries(temperature, of_one_query, torch):
    student, teacher = scores(4, 6), scores(4, 6)
    expected = query_by_query(partial(of_one_query["kl_div"], temperature=temperature), student, teacher)
    found = kl_div(torch.tensor(student), torch.tensor(teacher), temperature=temperature)
    assert found.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_ckl_without_gamma_and_beta_is_the_kl_divergence(temperature, torch):
    student, teacher = torch.tensor(scores(4, 6), requires_grad=True), torch.tensor(scores(4, 6))
    found = ckl(student, teacher, **{**PLAIN, "temperature": temperature})
    expected = kl_div(student, teacher, temperature=temperature)
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)
    (gradient,) = torch.autograd.grad(found, student)
    assert gradient.numpy() == pytest.approx(torch.autograd.grad(expected, student)[0].numpy(), rel=1e-9, abs=1e-12)


def test_ckl_forgives_a_constant_per_query_and_is_0_for_the_teachers_distribution(torch):
    student, teacher, shift = torch.tensor(scores(4, 5)), torch.tensor(scores(4, 5)), torch.tensor(scores(4, 1))
    settings = {**SETTINGS[0], "gradient_through_weights": False}
    assert ckl(student + shift, teacher, **settings).item() == pytest.approx(ckl(student, teacher, **settings).item())
    assert ckl(student, student + shift, **settings).item() == pytest.approx(0, abs=1e-12)


def test_what_the_student_has_right_weighs_less_and_high_ranks_keep_more(torch):
    right, wrong = [4.0, 0.0, -1.0, -2.0], [-2.0, 3.0, 0.0, 2.0]
    log_q = torch.log_softmax(torch.tensor([right, wrong], dtype=torch.float64), dim=1)
    weights = log_weights(log_q, 2.0, 0.0, 1).exp()
    assert (weights[0] < weights[1]).all()
    biased = log_weights(log_q, 2.0, 2.0, 1).exp()
    assert biased[:, 0].tolist() == weights[:, 0].tolist()
    assert (biased[:, 1:] > weights[:, 1:]).all()
    assert biased[1, 1].item() == biased[0, 1].item() == 1  # the highest of the others: its exponent is γ - β
    others = log_q[1, 1:].exp().tolist()
    expected = [q ** (2 - 2 / rank) for q, rank in zip(others, (1, 3, 2), strict=True)]
    assert biased[1, 1:].tolist() == pytest.approx(expected, rel=1e-9)


def test_ranks_of_equal_scores_are_those_of_their_columns(torch):
    log_q = torch.log_softmax(torch.zeros(1, 4, dtype=torch.float64), dim=1)
    found = log_weights(log_q, 1.0, 1.0, 1)[0, 1:].tolist()
    assert found == pytest.approx([-math.log(4) * (1 - 1 / rank) for rank in (1, 2, 3)], abs=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("through", [False, True])
def test_ckl_of_extreme_scores_is_finite_with_a_finite_gradient(gamma, through, torch):
    student = torch.tensor([[3000.0, -3000.0, 0.0], [-3000.0, 3000.0, 3000.0], [0.0, 0.0, 0.0]], requires_grad=True)
    teacher = torch.tensor([[-50.0, 50.0, 0.0], [50.0, -50.0, 0.0], [0.0, 0.0, 0.0]])
    loss = ckl(student, teacher, gamma=gamma, beta=gamma, temperature=1.0, gradient_through_weights=through)
    loss.backward()
    assert math.isfinite(loss.item()) and student.grad.isfinite().all()


@pytest.mark.parametrize("shape", SHAPES)
def test_nll_agrees_with_a_loop_and_is_ranknet_of_a_pair(shape, torch):
    student = scores(*shape)
    expected = query_by_query(lambda row: math.log(sum(map(math.exp, row))) - row[0], student)
    assert nll(torch.tensor(student)).item() == pytest.approx(expected, rel=1e-12)
    pair = torch.tensor(student[:, :2])
    assert nll(pair, None).item() == pytest.approx(ranknet(pair).item(), rel=1e-12)


def test_a_ranker_gets_its_losses_settings_and_its_contrastive_term(make_settings, torch):
    from stillroom.losses._choice import ranker_loss, with_settings

    student, teacher = torch.tensor(scores(4, 5)), torch.tensor(scores(4, 5))
    chosen = {"gamma": 3.0, "beta": 0.5, "temperature": 2.0}
    settings = make_settings(loss="ckl", loss_settings=chosen, teacher="cross")
    expected = ckl(student, teacher, **chosen, gradient_through_weights=False)
    assert ranker_loss(settings)(student, teacher).item() == expected.item()
    assert with_settings("ckl", settings)(student, teacher).item() == expected.item()
    weighted = make_settings(loss="ckl", loss_settings=chosen, teacher="cross", contrastive=0.25)
    both = expected + 0.25 * nll(student)
    assert ranker_loss(weighted)(student, teacher).item() == pytest.approx(both.item(), rel=1e-12)
    for temperature in (1.0, 2.0):
        plain = make_settings(loss="kl_div", loss_settings={"temperature": temperature}, teacher="cross")
        expected = kl_div(student, teacher, temperature=temperature)
        assert ranker_loss(plain)(student, teacher).item() == expected.item()


def test_the_keyword_arguments_of_every_loss_are_the_settings_that_it_reads():
    from inspect import signature

    from stillroom.registry import module_of, named, names

    for name in names("losses"):
        parameters = signature(named("losses", name)).parameters.items()
        keywords = [key for key, part in parameters if part.kind == part.KEYWORD_ONLY]
        assert keywords == list(module_of("losses", name).READS), name
