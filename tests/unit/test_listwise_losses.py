"""Listwise losses against NumPy loops written from the formulas, query by query and passage by passage."""

import math

import numpy as np
import pytest

from stillroom.losses._in_batch import in_batch
from stillroom.losses.ckl import ckl, log_weights
from stillroom.losses.kl_div import kl_div
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
SHAPES = [(5, 2), (3, 6), (1, 3)]


def scores(*shape):
    return RANDOM.normal(0, 3, shape)


def softmax(row):
    exponentials = [math.exp(score - max(row)) for score in row]
    return [value / sum(exponentials) for value in exponentials]


def kl_by_hand(student, teacher):
    total = 0.0
    for student_row, teacher_row in zip(student, teacher, strict=True):
        for p, q in zip(softmax(teacher_row), softmax(student_row), strict=True):
            total += p * math.log(p / q)
    return total / len(student)


def weights_by_hand(q, gamma, beta):
    """Of one query, from the student's probabilities: the relevant passage first."""
    weights = [(1 - q[0]) ** gamma]
    for own in q[1:]:
        rank = 1 + sum(other > own for other in q[1:])
        weights.append(own ** (gamma - beta / rank))
    return weights


def ckl_by_hand(student, teacher, *, gamma, beta, temperature, constant_weights=None):
    total = 0.0
    for row, (student_row, teacher_row) in enumerate(zip(student / temperature, teacher / temperature, strict=True)):
        p, q = softmax(teacher_row), softmax(student_row)
        weights = weights_by_hand(q, gamma, beta) if constant_weights is None else constant_weights[row]
        for weight, wanted, found in zip(weights, p, q, strict=True):
            total += weight * wanted * math.log(wanted / found)
    return total / len(student)


def gradient_by_hand(loss, student):
    gradient = np.zeros_like(student)
    for place in np.ndindex(student.shape):
        step = np.zeros_like(student)
        step[place] = 1e-5
        gradient[place] = (loss(student + step) - loss(student - step)) / 2e-5
    return gradient


@pytest.mark.parametrize("shape", SHAPES)
def test_kl_div_agrees_with_a_loop(shape, torch):
    student, teacher = scores(*shape), scores(*shape)
    found = kl_div(torch.tensor(student), torch.tensor(teacher))
    assert found.item() == pytest.approx(kl_by_hand(student, teacher), rel=1e-12)


def test_kl_div_is_0_for_the_teachers_distribution_only_and_never_below(torch):
    student, shift = torch.tensor(scores(5, 4)), torch.tensor(scores(5, 1))
    assert kl_div(student + shift, student).item() == pytest.approx(0, abs=1e-12)
    assert all(kl_div(torch.tensor(scores(1, 4)), torch.tensor(scores(1, 4))) > 0 for _ in range(20))


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("shape", SHAPES)
def test_ckl_agrees_with_a_loop(shape, settings, torch):
    student, teacher = scores(*shape), scores(*shape)
    for through in (False, True):
        found = ckl(torch.tensor(student), torch.tensor(teacher), **settings, gradient_through_weights=through)
        assert found.item() == pytest.approx(ckl_by_hand(student, teacher, **settings), rel=1e-9)


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_weights_of_ckl_are_constants_for_the_gradient_unless_asked_for(settings, torch):
    student, teacher = scores(3, 5), scores(3, 5)
    q = [softmax(row / settings["temperature"]) for row in student]
    constant = [weights_by_hand(row, settings["gamma"], settings["beta"]) for row in q]
    for through, weights in ((False, constant), (True, None)):
        tensor = torch.tensor(student, requires_grad=True)
        ckl(tensor, torch.tensor(teacher), **settings, gradient_through_weights=through).backward()
        expected = gradient_by_hand(
            lambda changed, weights=weights: ckl_by_hand(changed, teacher, **settings, constant_weights=weights),
            student,
        )
        assert tensor.grad.numpy() == pytest.approx(expected, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_ckl_without_gamma_and_beta_is_the_kl_divergence(temperature, torch):
    student, teacher = torch.tensor(scores(4, 6), requires_grad=True), torch.tensor(scores(4, 6))
    found = ckl(student, teacher, **{**PLAIN, "temperature": temperature})
    expected = kl_div(student / temperature, teacher / temperature)
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
    weights = log_weights(log_q, 2.0, 0.0).exp()
    assert (weights[0] < weights[1]).all()
    biased = log_weights(log_q, 2.0, 2.0).exp()
    assert biased[:, 0].tolist() == weights[:, 0].tolist()
    assert (biased[:, 1:] > weights[:, 1:]).all()
    assert biased[1, 1].item() == biased[0, 1].item() == 1  # the highest of the others: its exponent is γ - β
    others = log_q[1, 1:].exp().tolist()
    expected = [q ** (2 - 2 / rank) for q, rank in zip(others, (1, 3, 2), strict=True)]
    assert biased[1, 1:].tolist() == pytest.approx(expected, rel=1e-9)


def test_ranks_of_equal_scores_are_those_of_their_columns(torch):
    log_q = torch.log_softmax(torch.zeros(1, 4, dtype=torch.float64), dim=1)
    found = log_weights(log_q, 1.0, 1.0)[0, 1:].tolist()
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
    expected = np.mean([-math.log(softmax(row)[0]) for row in student])
    assert nll(torch.tensor(student)).item() == pytest.approx(expected, rel=1e-12)
    pair = torch.tensor(student[:, :2])
    assert nll(pair, None).item() == pytest.approx(ranknet(pair).item(), rel=1e-12)


def test_in_batch_a_listwise_loss_has_all_passages_of_the_other_queries_in_one_list(torch):
    """Three queries with two other passages each; kind by kind, as the trainer has them."""
    relevant, others = scores(3, 3), scores(3, 6)
    teacher_relevant, teacher_others = scores(3, 3), scores(3, 6)
    terms = []
    for query in range(3):
        rows = []
        for own, other in [(relevant, others), (teacher_relevant, teacher_others)]:
            of_others = [matrix[query, owner::3] for matrix in (own, other) for owner in {0, 1, 2} - {query}]
            rows.append(np.array([[own[query, query], *np.concatenate(of_others)]]))
        terms.append(kl_by_hand(*rows))
    found = in_batch(
        kl_div,
        (torch.tensor(relevant), torch.tensor(others)),
        (torch.tensor(teacher_relevant), torch.tensor(teacher_others)),
    )
    assert found.item() == pytest.approx(np.mean(terms), rel=1e-12)


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
    plain = make_settings(loss="kl_div", teacher="cross")
    assert ranker_loss(plain)(student, teacher).item() == kl_div(student, teacher).item()


def test_the_keyword_arguments_of_every_loss_are_the_settings_that_it_reads():
    from inspect import signature

    from stillroom.registry import module_of, named, names

    for name in names("losses"):
        parameters = signature(named("losses", name)).parameters.items()
        keywords = [key for key, part in parameters if part.kind == part.KEYWORD_ONLY]
        assert keywords == list(getattr(module_of("losses", name), "READS", ())), name
