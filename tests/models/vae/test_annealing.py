import json
import math
from dataclasses import asdict

import pytest

from course_utils.models.vae.annealing import SHAPES, Annealing, cosine, cyclical, linear


def test_linear_is_a_straight_ramp_and_then_constant():
    values = [linear(step, 200, 0.5, 2.5) for step in range(400)]
    assert values[0] == 0.5
    steps = [b - a for a, b in zip(values, values[1:], strict=False)]
    assert steps[:200] == pytest.approx([0.01] * 200)
    assert values[200:] == [2.5] * 200
    assert linear(50, 200, 3.0, 1.0) == 2.5  # it may fall as well


def test_cosine_is_slow_at_both_ends_and_symmetric():
    values = [cosine(step, 100) for step in range(101)]
    assert (values[0], values[100], cosine(999, 100)) == (0.0, 1.0, 1.0)
    assert values[50] == pytest.approx(0.5)
    assert [a + b for a, b in zip(values, reversed(values), strict=True)] == pytest.approx([1.0] * 101)
    assert values[25] == pytest.approx((1 - math.sqrt(0.5)) / 2)
    assert cosine(25, 100, 2.0, 4.0) == pytest.approx(2 + 2 * values[25])


def test_cyclical_begins_afresh_in_each_cycle_and_ends_at_the_end():
    values = [cyclical(step, 400, 0.0, 2.0, cycles=4, ramp=0.25) for step in range(500)]
    for cycle in range(4):
        part = values[100 * cycle : 100 * cycle + 100]
        assert part[:25] == pytest.approx([2 * step / 25 for step in range(25)])
        assert part[25:] == [2.0] * 75
    assert values[400:] == [2.0] * 100


def test_cyclical_where_the_cycles_do_not_divide_the_steps():
    values = [cyclical(step, 10, cycles=3, ramp=1.0) for step in range(10)]
    assert values == pytest.approx([(0.3 * step) % 1 for step in range(10)])


@pytest.mark.parametrize("shape", SHAPES)
def test_one_cycle_of_any_shape_stays_between_its_ends(shape):
    schedule = Annealing(shape, steps=37, start=0.2, end=0.9)
    values = [schedule(step) for step in range(60)]
    assert values[0] == pytest.approx(0.2)
    assert all(0.2 <= value <= 0.9 for value in values)
    assert values[37:] == pytest.approx([0.9] * 23)


def test_a_schedule_hands_its_options_on():
    schedule = Annealing("cyclical", steps=90, start=0.1, end=0.7, cycles=3, ramp=0.8)
    for step in range(100):
        assert schedule(step) == cyclical(step, 90, 0.1, 0.7, cycles=3, ramp=0.8)
    assert Annealing("cosine", 90, 0.1, 0.7)(30) == cosine(30, 90, 0.1, 0.7)


def test_a_schedule_survives_json():
    schedule = Annealing("cyclical", steps=90, cycles=3)
    assert Annealing(**json.loads(json.dumps(asdict(schedule)))) == schedule


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": "step"}, "shape is 'step': use one of linear, cosine, cyclical"),
        ({"steps": 0}, "steps is 0"),
        ({"cycles": 0}, "cycles is 0"),
        ({"ramp": 0.0}, "ramp is 0"),
        ({"ramp": 1.5}, "ramp is 1.5"),
        ({"start": -1.0}, "from -1.0 to 1.0"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Annealing(**({"shape": "linear", "steps": 10} | options))
