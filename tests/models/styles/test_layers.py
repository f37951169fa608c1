"""Equalised layers, and the modulated convolution against a plain loop over the batch."""

import math

import pytest
import torch
import torch.nn.functional as F

from course_utils.models.styles import EqualLinear, ModulatedConv2d, StyledLayer, ToImage


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def by_the_paper(layer: ModulatedConv2d, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
    """Each image by itself, with the weights written out as in equations 1 and 3."""
    made = []
    for one, s in zip(x, style, strict=True):
        weight = layer.weight / math.sqrt(layer.weight[0].numel())
        weight = torch.stack([weight[:, i] * s[i] for i in range(len(s))], dim=1)  # modulate
        if layer.demodulate:
            weight = torch.stack([each / (each.square().sum() + 1e-8).sqrt() for each in weight])
        padded = F.pad(one, [weight.shape[-1] // 2] * 4)
        made.append(F.conv2d(padded[None], weight)[0])
    return torch.stack(made)


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_modulated_convolution_is_that_of_a_loop_over_the_batch(kernel, demodulate):
    torch.manual_seed(1)
    layer = ModulatedConv2d(5, 3, kernel, demodulate=demodulate).double()
    x, style = draws(4, 5, 6, 9).double(), 3 * draws(4, 5, seed=1).double()
    expected = by_the_paper(layer, x, style)
    torch.testing.assert_close(layer(x, style), expected)
    torch.testing.assert_close(layer(x, style, 1.5), 1.5 * expected)
    found, wanted = (
        torch.autograd.grad(y.square().sum(), [layer.weight]) for y in (layer(x, style), by_the_paper(layer, x, style))
    )
    torch.testing.assert_close(found, wanted)


def test_demodulation_takes_out_the_size_of_the_style_and_keeps_unit_variance():
    torch.manual_seed(1)
    layer = ModulatedConv2d(40, 30)
    x, style = draws(6, 40, 20, 30), draws(6, 40, seed=1).exp()
    y = layer(x, style)
    torch.testing.assert_close(layer(x, 7 * style), y, rtol=1e-4, atol=1e-4)
    inner = y[..., 1:-1, 1:-1]  # at the rim a part of the kernel sees zeros
    assert inner.std().item() == pytest.approx(1, abs=0.02)
    plain = ModulatedConv2d(40, 30, demodulate=False)
    torch.testing.assert_close(plain(x, 7 * style), 7 * plain(x, style), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("style", [draws(4, 6), draws(1, 5), draws(5)])
def test_a_style_of_another_shape_is_refused(style):
    with pytest.raises(ValueError, match=r"x has shape \(4, 5, 6, 9\) and style .* give maps \(B, 5, H, W\)"):
        ModulatedConv2d(5, 3)(draws(4, 5, 6, 9), style)


def test_sizes_that_cannot_be():
    with pytest.raises(ValueError, match="kernel is 2: an even kernel has no middle"):
        ModulatedConv2d(5, 3, 2)
    with pytest.raises(ValueError, match="outputs is 0"):
        ModulatedConv2d(5, 0)
    with pytest.raises(ValueError, match="inputs is 0"):
        EqualLinear(0, 4)
    with pytest.raises(ValueError, match="rate is 0"):
        EqualLinear(3, 4, rate=0)


@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_an_equalised_layer_starts_the_same_and_learns_at_its_rate(rate):
    """Adam's first step moves every stored weight by lr; what is computed with moves by lr * rate / sqrt(inputs)."""
    torch.manual_seed(3)
    layer, x = EqualLinear(50, 40, rate=rate, bias=0.5), draws(200, 50)
    y = layer(x)
    assert y.mean().item() == pytest.approx(0.5, abs=0.05)
    assert y.std().item() == pytest.approx(1, abs=0.05)
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3)
    one = torch.eye(50)
    before = (layer(one) - layer(torch.zeros(1, 50))).detach(), layer(torch.zeros(1, 50)).detach()
    y.sum().backward()
    optimizer.step()
    weight = layer(one) - layer(torch.zeros(1, 50)) - before[0]
    torch.testing.assert_close(weight.abs(), torch.full_like(weight, 1e-3 * rate / math.sqrt(50)), rtol=0.01, atol=3e-7)
    bias = layer(torch.zeros(1, 50)) - before[1]
    torch.testing.assert_close(bias.abs(), torch.full_like(bias, 1e-3 * rate), rtol=0.01, atol=3e-7)


class TestStyledLayer:
    def layer(self, **options) -> StyledLayer:
        torch.manual_seed(0)
        layer = StyledLayer(4, 5, 3, (6, 10), **options).double()
        with torch.no_grad():
            layer.noise_strength.fill_(0.3)
            layer.bias.copy_(draws(3))
        return layer

    @pytest.mark.parametrize("enlarge", [False, True])
    def test_is_convolution_noise_bias_and_leaky_relu(self, enlarge):
        layer, w = self.layer(enlarge=enlarge), draws(2, 4).double()
        x = draws(2, 5, *((3, 5) if enlarge else (6, 10))).double()
        y = by_the_paper(layer.convolution, x, layer.affine(w)) * math.sqrt(2 / 1.04)
        if enlarge:
            y = F.interpolate(y, (6, 10), mode="bilinear")
        y = y + layer.bias.view(1, 3, 1, 1)
        for noise, added in (("none", 0.0), ("fixed", 0.3 * layer.fixed_noise)):
            expected = torch.maximum(y + added, 0.2 * (y + added))
            torch.testing.assert_close(layer(x, w, noise), expected)

    def test_random_noise_comes_from_the_generator_and_differs_from_image_to_image(self):
        layer, x, w = (
            self.layer(),
            draws(1, 5, 6, 10).double().expand(3, -1, -1, -1),
            draws(1, 4).double().expand(3, -1),
        )
        first, second, other = (layer(x, w, "random", torch.Generator().manual_seed(s)) for s in (1, 1, 2))
        assert torch.equal(first, second)
        assert not torch.equal(first, other)
        assert not torch.equal(first[0], first[1])
        state = torch.get_rng_state()
        layer(x, w, "fixed")
        assert torch.equal(torch.get_rng_state(), state)

    def test_its_style_is_one_at_first(self):
        torch.manual_seed(0)
        layer = StyledLayer(4, 500, 3, (6, 10))
        style = layer.affine(draws(1, 4))
        assert style.mean().item() == pytest.approx(1, abs=0.15)
        assert torch.equal(layer.affine(torch.zeros(1, 4)), torch.ones(1, 500))
        assert layer.noise_strength == 0


def test_to_image_makes_two_by_two_pixels_of_each_place():
    torch.manual_seed(0)
    layer, x, w = ToImage(4, 5, 3).double(), draws(2, 5, 3, 7).double(), draws(2, 4).double()
    with torch.no_grad():
        layer.bias.copy_(draws(12))
    found = layer(x, w)
    assert found.shape == (2, 3, 6, 14)
    weight = layer.convolution.weight[:, :, 0, 0] / math.sqrt(5)
    for b, c, row, column in ((0, 0, 0, 0), (1, 2, 5, 13), (0, 1, 3, 4)):
        value = 4 * c + 2 * (row % 2) + column % 2
        place = layer.affine(w)[b] * x[b, :, row // 2, column // 2]
        expected = weight[value] @ place + layer.bias[value]
        torch.testing.assert_close(found[b, c, row, column], expected)
