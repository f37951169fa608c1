"""Templates: what stands in their places, and the one rule by which numbers are rounded."""

import math
import random
from fractions import Fraction

import pytest

from course_utils.widgets import words

TIES = [(0.125, 2, "0.13"), (-0.125, 2, "-0.13"), (2.5, 0, "3"), (0.5, 0, "1"), (-0.5, 0, "-1"), (1.0625, 3, "1.063")]


@pytest.mark.parametrize(("value", "digits", "text"), TIES)
def test_a_tie_goes_away_from_zero(value, digits, text):
    assert words.number(value, digits) == text


@pytest.mark.parametrize("value", [0.0, -0.0, -0.004, 0.0049])
def test_zero_has_no_sign(value):
    assert words.number(value, 2) == "0.00"


def test_the_exact_value_is_rounded_and_not_the_one_that_is_printed():
    draw = random.Random(0)
    for _ in range(2000):
        value, digits = draw.uniform(-1, 1) * 10 ** draw.randint(-3, 6), draw.randint(0, 4)
        exact = Fraction(value) * 10**digits
        nearest = math.floor(abs(exact) + Fraction(1, 2)) * (1 if exact >= 0 else -1)
        assert Fraction(words.number(value, digits)) * 10**digits == nearest, (value, digits)
    assert words.number(1.005, 2) == "1.00"  # 1.005 is 1.00499999999999989...


def test_large_and_small_numbers_have_no_exponent():
    assert words.number(1e15, 1) == "1000000000000000.0"
    assert words.number(-1e-9, 3) == "0.000"


def test_places_are_filled_by_text_by_numbers_and_by_parts_of_one():
    assert words.say("{a}: {b:1} of {c:0}, {d:1%}", a="x{b:1}", b=0.25, c=7, d=0.5) == "x{b:1}: 0.3 of 7, 50.0%"
    assert words.say("no place, {} and { a }", a=1) == "no place, {} and { a }"


def test_a_place_without_a_value_is_an_error():
    with pytest.raises(KeyError, match="b"):
        words.say("{a} {b}", a=1)
