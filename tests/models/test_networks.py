"""The residual networks: their sizes, what a block adds, and that pixels come out where they belong."""

import pytest
import torch
from helpers import generator
from torch import nn

from course_utils.models.networks import ResidualBlock, decoder_network, encoder_network

SHAPE = (2, 16, 24)


def test_a_block_adds_to_its_input_what_its_formula_says():
    torch.manual_seed(0)
    block = ResidualBlock(16)
    nn.init.normal_(block.body[0].weight)
    nn.init.normal_(block.body[0].bias)
    x = torch.randn(3, 16, 4, 6, generator=generator())
    groups = x.reshape(3, 8, -1)  # 8 groups of 2 channels
    h = (groups - groups.mean(2, keepdim=True)) / (groups.var(2, correction=0, keepdim=True) + 1e-5).sqrt()
    h = h.reshape(x.shape) * block.body[0].weight[:, None, None] + block.body[0].bias[:, None, None]
    for convolution in (block.body[2], block.body[4]):
        h = nn.functional.conv2d(h * torch.sigmoid(h), convolution.weight, convolution.bias, padding=1)
    torch.testing.assert_close(block(x), x + h)


def test_a_block_adds_little_at_first():
    torch.manual_seed(0)
    x = torch.randn(8, 32, 8, 8, generator=generator())
    added = (ResidualBlock(32)(x) - x).square().mean().sqrt()
    assert 0.005 < added < 0.2


@pytest.mark.parametrize("channels", [3, 6, 12, 64])
def test_a_block_takes_any_number_of_channels(channels):
    assert ResidualBlock(channels)(torch.zeros(1, channels, 2, 5)).shape == (1, channels, 2, 5)


@pytest.mark.parametrize(
    ("shape", "smallest"),
    [
        ((3, 64, 64), (8, 8)),
        ((1, 28, 28), (7, 7)),
        ((2, 8, 12), (2, 3)),
        ((2, 16, 24), (4, 6)),
        ((1, 128, 64), (16, 8)),
    ],
)
def test_images_are_halved_down_to_about_8(shape, smallest):
    encoder = encoder_network("residual", shape, 16, 5)
    seen = []
    encoder[-2].register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[2:]))  # before it is flattened
    assert encoder(torch.zeros(3, *shape)).shape == (3, 5)
    assert tuple(seen[0]) == smallest
    assert decoder_network("residual", shape, 16, 5)(torch.zeros(3, 5)).shape == (3, *shape)


def test_channels_are_hidden_at_a_quarter_and_twice_that_at_an_eighth():
    wide = [layer.body[2].in_channels for layer in encoder_network("residual", (3, 64, 64), 16, 5) if _is_block(layer)]
    back = [layer.body[2].in_channels for layer in decoder_network("residual", (3, 64, 64), 16, 5) if _is_block(layer)]
    assert wide == [16, 32]
    assert back == [32, 16]


def _is_block(layer) -> bool:
    return isinstance(layer, ResidualBlock)


def test_pixels_come_out_where_the_feature_map_has_them():
    """A change in one corner of the first feature map stays in that corner, but for what normalisation spreads."""
    torch.manual_seed(0)
    decoder = decoder_network("residual", (2, 64, 128), 16, 3)
    start, rest = decoder[:2], decoder[2:]
    maps = start(torch.randn(1, 3, generator=generator()))
    assert maps.shape == (1, 32, 8, 16)
    changed = maps.clone()
    changed[:, :, 7, 15] += 3
    change = (rest(changed) - rest(maps)).abs().mean(1)[0]  # (64, 128)
    assert change[48:, 112:].mean() > 5 * change[:16, :16].mean()
    assert change[48:, 112:].mean() > 5 * change[:16, 112:].mean()


def test_no_images_give_no_codes_and_back():
    encoder, decoder = encoder_network("residual", SHAPE, 8, 5), decoder_network("residual", SHAPE, 8, 5)
    assert encoder(torch.zeros(0, *SHAPE)).shape == (0, 5)
    assert decoder(torch.zeros(0, 5)).shape == (0, *SHAPE)
