"""Corruptions: what each does to an image, within the error of the sample, and what none may do."""

import math

import pytest
import torch
from helpers import default_dtype, generator

from course_utils.data.corruptions import CORRUPTIONS, block_mask, gaussian_noise, masking_noise, salt_and_pepper


def close_to_rate(hits: torch.Tensor, rate: float) -> bool:
    """Whether independent events occur at a rate, within 4.5 standard errors (a chance of 7 in a million)."""
    error = math.sqrt(rate * (1 - rate) / hits.numel())
    return abs(hits.double().mean().item() - rate) < 4.5 * error


@pytest.fixture
def x():
    return torch.rand(6, 2, 12, 20, generator=generator(7)) * 0.8 + 0.1  # no pixel is 0 or 1 by itself


@pytest.mark.parametrize("corrupt", CORRUPTIONS.values(), ids=CORRUPTIONS)
class TestEvery:
    @pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
    def test_keeps_shape_range_type_and_input(self, corrupt, strength, x):
        before = x.clone()
        out = corrupt(x, strength, generator())
        assert out.shape == x.shape
        assert out.dtype == x.dtype
        assert out.min() >= 0
        assert out.max() <= 1
        assert torch.equal(x, before)
        assert out.data_ptr() != x.data_ptr()

    def test_strength_zero_changes_nothing(self, corrupt, x):
        assert torch.equal(corrupt(x, 0.0, generator()), x)

    def test_the_generator_decides(self, corrupt, x):
        assert torch.equal(corrupt(x, 0.4, generator(3)), corrupt(x, 0.4, generator(3)))
        assert not torch.equal(corrupt(x, 0.4, generator(3)), corrupt(x, 0.4, generator(4)))

    def test_a_given_generator_leaves_the_global_one_alone(self, corrupt, x):
        torch.manual_seed(0)
        expected = torch.rand(3)
        torch.manual_seed(0)
        corrupt(x, 0.4, generator())
        assert torch.equal(torch.rand(3), expected)

    def test_without_one_the_global_generator_is_used(self, corrupt, x):
        torch.manual_seed(5)
        first = corrupt(x, 0.4)
        torch.manual_seed(5)
        assert torch.equal(corrupt(x, 0.4), first)

    def test_every_image_is_damaged_in_its_own_way(self, corrupt):
        same = torch.full((8, 1, 28, 20), 0.5)
        assert len(corrupt(same, 0.4, generator()).unique(dim=0)) == 8


def test_gaussian_noise_has_the_standard_deviation_it_is_given():
    x = torch.full((50, 1, 40, 60), 0.5)
    noise = gaussian_noise(x, 0.05, generator()) - x  # 10 standard deviations from clipping
    n = noise.numel()
    assert abs(noise.mean()) < 4.5 * 0.05 / math.sqrt(n)
    assert abs(noise.std() - 0.05) < 4.5 * 0.05 / math.sqrt(2 * n)


def test_gaussian_noise_is_clipped_at_both_ends():
    x = torch.tensor([0.0, 1.0]).repeat(1, 1, 100, 100)
    out = gaussian_noise(x, 0.5, generator())
    assert close_to_rate(out[x == 0] == 0, 0.5)  # half of the noise on a black pixel is negative
    assert close_to_rate(out[x == 1] == 1, 0.5)


@pytest.mark.parametrize("strength", [0.2, 0.7])
def test_masking_noise_blackens_the_share_it_is_given(strength):
    x = torch.full((40, 1, 30, 50), 0.6)
    out = masking_noise(x, strength, generator())
    assert close_to_rate(out == 0, strength)
    assert torch.equal(out[out != 0], x[out != 0])


@pytest.mark.parametrize("strength", [0.2, 0.7])
def test_salt_and_pepper_come_in_equal_parts(strength):
    x = torch.full((40, 1, 30, 50), 0.6)
    out = salt_and_pepper(x, strength, generator())
    assert close_to_rate(out == 0, strength / 2)
    assert close_to_rate(out == 1, strength / 2)
    kept = (out != 0) & (out != 1)
    assert torch.equal(out[kept], x[kept])


def test_block_mask_hides_one_rectangle_of_the_right_size_anywhere():
    x = torch.rand(400, 3, 20, 30, generator=generator(1)) * 0.5 + 0.25
    out = block_mask(x, 0.4, generator())
    hidden = out == 0
    assert torch.equal(hidden.all(dim=1), hidden.any(dim=1))  # all channels together
    rows, columns = hidden[:, 0].any(dim=2), hidden[:, 0].any(dim=1)
    assert set(rows.sum(dim=1).tolist()) == {8}
    assert set(columns.sum(dim=1).tolist()) == {12}
    assert set(hidden[:, 0].sum(dim=(1, 2)).tolist()) == {96}  # 8 rows by 12 columns: a rectangle without gaps
    assert torch.equal(out[~hidden], x[~hidden])
    tops, lefts = rows.float().argmax(dim=1), columns.float().argmax(dim=1)
    assert set(tops.tolist()) == set(range(13))  # every place that fits
    assert set(lefts.tolist()) == set(range(19))
    assert abs(tops.float().mean() - 6) < 4.5 * math.sqrt((13**2 - 1) / 12 / 400)  # evenly


def test_block_mask_of_full_strength_hides_all(x):
    assert (block_mask(x, 1.0, generator()) == 0).all()


@pytest.mark.parametrize("corrupt", CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_what_is_no_image_or_no_strength(corrupt, x):
    with pytest.raises(ValueError, match=r"images reach from -.* map them back with"):
        corrupt(2 * x - 1)
    with pytest.raises(TypeError, match="images are torch.uint8 but must be floats"):
        corrupt((x * 255).byte())
    with pytest.raises(ValueError, match="strength is -0.5: use 0 or more"):
        corrupt(x, -0.5)
    if corrupt is not gaussian_noise:
        with pytest.raises(ValueError, match="strength is 1.5: use 0 or more, up to 1"):
            corrupt(x, 1.5)
    with default_dtype(torch.float64):
        damaged = corrupt(x, 0.5, generator())
    assert torch.equal(damaged, corrupt(x, 0.5, generator()))
