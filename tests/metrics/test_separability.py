"""Linear separability: 1 where planes tell all, 2^K where they tell nothing, and a known entropy between."""

import math

import pytest
import torch
from helpers import generator as rng

from course_utils.metrics import conditional_entropy, linear_separability


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=rng(seed))


@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_attributes_that_planes_separate_score_one(scale):
    """The outer quarters of a direction have a gap between them, and so have labels of two far clouds."""
    codes, direction = draws(600, 7), draws(7, 3, seed=1)
    codes[:, 0] *= scale
    attributes = codes / codes.std(0) @ direction
    found = linear_separability(5 + codes, attributes, generator=rng(2))
    assert found.score == pytest.approx(1, abs=1e-9)
    assert found.entropies.tolist() == [0, 0, 0]
    kinds = codes[:, 1:2] > 0
    far = codes.clone()
    far[:, 1] += 3 * torch.where(kinds[:, 0], 1, -1)
    assert linear_separability(far, kinds, generator=rng(2)).score == pytest.approx(1, abs=1e-9)


def test_attributes_that_codes_do_not_know_score_two_each():
    """On codes that the plane was fitted to, 60 dimensions of noise would look as if they told something."""
    found = linear_separability(draws(800, 60), draws(800, 3, seed=1), generator=rng(2))
    torch.testing.assert_close(found.entropies, torch.full((3,), math.log(2)).double(), rtol=0, atol=0.02)
    assert found.score == pytest.approx(8, rel=0.05)
    assert found.score == pytest.approx(math.exp(found.entropies.sum().item()))


def test_attributes_that_no_plane_tells_score_two_although_a_curve_would():
    codes = draws(2000, 2)
    assert linear_separability(codes, codes.prod(dim=1, keepdim=True), generator=rng(2)).score > 1.9


def test_labels_with_a_share_of_errors_leave_the_entropy_of_these():
    """Labels turned at random, one in five: H = -0.2 log 0.2 - 0.8 log 0.8, whatever the plane."""
    codes = draws(8000, 3)
    told = codes[:, 0] > 0
    codes[:, 0] += 3 * torch.where(told, 1, -1)
    turned = told ^ (torch.rand(8000, generator=rng(1)) < 0.2)
    found = linear_separability(codes, turned[:, None], generator=rng(2))
    expected = -0.2 * math.log(0.2) - 0.8 * math.log(0.8)
    assert found.entropies.item() == pytest.approx(expected, abs=0.03)


def test_only_clear_images_count_and_each_attribute_by_itself():
    """The middle half, whose order is shuffled here, does not matter."""
    codes = draws(400, 4)
    attributes = codes[:, :2].clone()
    for column in attributes.T:
        middle = column.argsort()[100:300]
        column[middle] = column[middle[torch.randperm(200, generator=rng(3))]]
    found = linear_separability(codes, attributes, generator=rng(2))
    assert found.entropies.max() < 0.1
    assert linear_separability(codes, attributes > 0, generator=rng(2)).entropies.min() > 0.3


@pytest.mark.parametrize("values", [(0.0, 1.0), (-3.0, 7.0), (0, 1)])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_two_numbers_count_as_yes_and_no(values, share):
    codes = draws(400, 3)
    told = codes[:, 0] > codes[:, 0].quantile(1 - share)
    codes[:, 0] += 3 * torch.where(told, 1, -1)
    attribute = torch.where(told, values[1], values[0])[:, None]
    assert linear_separability(codes, attribute, generator=rng(2)).score == pytest.approx(1, abs=1e-9)
    turned = told ^ (torch.rand(400, generator=rng(1)) < 0.2)
    as_bool, as_numbers = (
        linear_separability(codes, column[:, None], generator=rng(2)).score
        for column in (turned, torch.where(turned, values[1], values[0]))
    )
    assert as_numbers == as_bool > 1.1


def test_numbers_with_ties_that_leave_the_quarters_apart():
    """0, 1 and 2 at 35, 30 and 35%: each quarter has one value."""
    codes, attribute = draws(400, 3), torch.tensor([0.0] * 140 + [1] * 120 + [2] * 140)
    codes[:, 1] = attribute + 0.1 * codes[:, 1]
    assert linear_separability(codes, attribute[:, None], generator=rng(2)).score == pytest.approx(1, abs=1e-9)


def test_the_global_generator_is_used_only_without_one_of_ones_own():
    codes, state = draws(60, 3), torch.get_rng_state()
    first, second = (linear_separability(codes, codes + draws(60, 3, seed=1), generator=rng(2)) for _ in range(2))
    assert first.score == second.score
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("codes", "attributes", "message"),
    [
        (
            draws(20, 3),
            draws(19, 2),
            r"shape \(20, 3\) and attributes \(19, 2\): give \(N, D\) and \(N, K\)",
        ),
        (draws(20, 3), draws(20), r"give \(N, D\) and \(N, K\)"),
        (draws(20, 3), draws(20, 0), r"give \(N, D\) and \(N, K\)"),
        (draws(20, 3) * torch.nan, draws(20, 2), "NaN or infinite values in codes"),
        (draws(40, 3), torch.arange(40)[:, None] > 0, "attribute 0 has [01] and .* clear examples of its two kinds"),
        (draws(40, 3), torch.full((40, 1), 2.5), r"attribute 0 is 2.5 in all images: leave it out"),
        (
            draws(40, 3),
            torch.cat([draws(40, 1), torch.tensor([0.0] * 5 + [1] * 30 + [2] * 5)[:, None]], 1),
            "attribute 1 is 1 in so many images that its highest and its lowest quarter share this value: give",
        ),
        (draws(4, 3), draws(4, 1), "give more images, or leave out what hardly varies"),
    ],
)
def test_what_it_cannot_take(codes, attributes, message):
    with pytest.raises(ValueError, match=message):
        linear_separability(codes, attributes)


def test_conditional_entropy_is_that_of_the_table():
    """p(x, y) of four cells: 1, 2, 3 and 4 tenths."""
    x = torch.tensor([0] * 3 + [1] * 7).bool()
    y = torch.tensor([0] * 1 + [1] * 2 + [0] * 3 + [1] * 4).bool()
    expected = -(0.1 * math.log(1 / 3) + 0.2 * math.log(2 / 3) + 0.3 * math.log(3 / 7) + 0.4 * math.log(4 / 7))
    assert conditional_entropy(y, x) == pytest.approx(expected)
    assert conditional_entropy(x, y) != pytest.approx(expected, abs=1e-3)
    assert conditional_entropy(x, x) == 0
    assert conditional_entropy(x, ~x) == 0
    assert conditional_entropy(x, torch.ones_like(x)) == pytest.approx(-0.3 * math.log(0.3) - 0.7 * math.log(0.7))
