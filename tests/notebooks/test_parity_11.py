"""What lesson 11 defines inline is what the package has."""

import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lesson_cells import lesson_definitions, lesson_namespace

from course_utils.models import styles

definitions = partial(lesson_definitions, "11")
GAIN = math.sqrt(2 / (1 + 0.2**2))


@pytest.fixture
def generator():
    """A small generator whose noise and biases count."""
    torch.manual_seed(0)
    made = styles.StyleGenerator(6, image_shape=(3, 32, 48), hidden=4, mapping_layers=3).eval().requires_grad_(False)
    for layer in made.layers:
        layer.noise_strength.fill_(0.3)
        layer.bias.normal_(0, 0.2)
    for layer in made.mapping.layers:
        layer.bias.normal_(0, 30)
    return made


def modulated_conv():
    return lesson_namespace("11", "convolution-exercise", F=F, torch=torch)["modulated_conv"]


def test_the_mapping(generator, g):
    to_w = definitions("mapping", F=F, GAIN=GAIN)["to_w"]
    z = 3 * torch.randn(5, 6, generator=g)
    torch.testing.assert_close(to_w(z, generator.mapping.layers), generator.map(z))
    assert generator.map(z).std() > 0.1


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_the_modulated_convolution(g, kernel):
    layer = styles.ModulatedConv2d(5, 3, kernel)
    x, style = torch.randn(4, 5, 6, 7, generator=g), 1 + torch.randn(4, 5, generator=g)
    ours = modulated_conv()(x, layer.scale * layer.weight, style)
    torch.testing.assert_close(ours, layer(x, style), rtol=1e-4, atol=1e-5)
    assert ours.std() > 0.1


def test_the_synthesis_with_one_code_a_layer(generator, g):
    inline = definitions("synthesis", F=F, torch=torch, GAIN=GAIN, modulated_conv=modulated_conv())
    w = torch.randn(3, generator.num_layers, 6, generator=g)
    ours = inline["synthesize"](generator, w)
    torch.testing.assert_close(ours, generator.synthesize(w), rtol=1e-4, atol=1e-5)
    assert ours.std() > 0.01


def test_mixing(g):
    mix_codes = lesson_namespace("11", "mixing-exercise", torch=torch)["mix_codes"]
    w_a, w_b = torch.randn(2, 3, 4, generator=g)
    for start in range(6):
        package = styles.mix_styles(w_a, w_b, range(start, 5), num_layers=5)
        assert torch.equal(mix_codes(w_a, w_b, start, 5), package)


def test_round_codes_become_evenly_spread_data_with_a_hole(g):
    """Each of twelve cells of equal area outside the hole holds a twelfth of the data."""
    data = definitions("round-map", torch=torch)["from_round"](torch.randn(120_000, 2, generator=g))
    counts = torch.histogramdd(data, 4, range=[0.0, 1.0, 0.0, 1.0]).hist / len(data)
    assert counts[2:, 2:].sum() == 0
    full = torch.cat([counts[:2].flatten(), counts[2:, :2].flatten()])
    assert (full - 1 / 12).abs().max() < 5 * math.sqrt(1 / 12 / len(data))


def test_the_edit_raises_the_fitted_value_by_the_shortest_move(g):
    """The fitted value rises by the amount, and no other such move is as short."""
    edit_in_w = lesson_namespace("11", "edit-exercise", torch=torch)["edit_in_w"]
    w = torch.randn(80, 4, generator=g) @ torch.randn(4, 4, generator=g) + 2
    values = w @ torch.tensor([0.5, -1.0, 0.3, 0.2]) + 0.1 * torch.randn(80, generator=g)
    codes = torch.randn(3, 5, 4, generator=g)
    move = (edit_in_w(w, values, codes, 0.7, [1, 3]) - codes).double().numpy()
    assert np.abs(move[:, [0, 2, 4]]).max() == 0
    step = move[0, 1]
    np.testing.assert_allclose(move[:, [1, 3]], np.broadcast_to(step, (3, 2, 4)), atol=1e-5)
    line = np.polynomial.polynomial.polyvander(np.zeros(80), 0)
    slope = np.linalg.lstsq(np.hstack([w.numpy(), line]), values.numpy(), rcond=None)[0][:4]
    assert slope @ step == pytest.approx(0.7, rel=1e-3)
    for _ in range(20):
        other = torch.randn(4, generator=g).double().numpy()
        other *= 0.7 / (slope @ other)
        assert step @ step < other @ other
