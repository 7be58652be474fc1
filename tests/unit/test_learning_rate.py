"""Learning-rate schedules against their formulas."""

import math

import pytest

from stillroom.learning_rate import SCHEDULES, schedule

FALL = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1.0 - done,
    "cosine": lambda done: 0.5 * (1.0 + math.cos(math.pi * done)),
}


def test_every_schedule_has_a_formula_here():
    assert SCHEDULES.keys() == FALL.keys()


@pytest.mark.parametrize("name", FALL)
def test_a_linear_rise_then_the_named_fall_to_the_last_step(name):
    factor = schedule(name, steps=100, warmup_steps=9)
    assert [factor(step) for step in range(9)] == pytest.approx([(step + 1) / 10 for step in range(9)])
    assert [factor(step) for step in range(9, 101)] == pytest.approx(
        [FALL[name]((step - 9) / 91) for step in range(9, 101)]
    )
    assert factor(9) == 1.0  # the peak is reached, and reached once


@pytest.mark.parametrize("name", FALL)
def test_no_step_has_a_learning_rate_of_zero(name):
    for steps, warmup_steps in [(1, 0), (10, 0), (10, 9), (10, 10), (5, 10)]:
        factor = schedule(name, steps=steps, warmup_steps=warmup_steps)
        assert all(0 < factor(step) <= 1 for step in range(steps))


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_a_minimum_is_where_the_fall_ends(name):
    factor = schedule(name, steps=50, warmup_steps=5, minimum=0.2)
    assert [factor(step) for step in range(5)] == pytest.approx([(step + 1) / 6 for step in range(5)])
    assert [factor(step) for step in range(5, 51)] == pytest.approx(
        [0.2 + 0.8 * FALL[name]((step - 5) / 45) for step in range(5, 51)]
    )
    assert factor(5) == 1.0 and factor(50) == pytest.approx(0.2)


def test_a_warm_up_as_long_as_the_steps_never_reaches_the_peak():
    factor = schedule("constant", steps=3, warmup_steps=3)
    assert [factor(step) for step in range(3)] == pytest.approx([0.25, 0.5, 0.75])
