"""Weights of few bits: near the weights, and nearer in what they make of the codes of a map."""

import pytest
import torch
import torch.nn.functional as F
from small_models import style_gan

from course_utils.models.networks import ResidualBlock
from course_utils.models.vae import VAE
from course_utils.widgets.page.layers import layers_of, run
from course_utils.widgets.page.rounding import SMALL, STEPS, giving_back, nearest, rounded

DRAW = torch.Generator().manual_seed(0)


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (4, 9, 3, 2), (9, 4, 3, 2), (140, 100), (3, 400, 3, 3)])
def test_whole_numbers_are_near_the_weights(shape):
    w = torch.randn(shape, generator=DRAW) * torch.logspace(-3, 0, shape[0]).view(-1, *[1] * (len(shape) - 1))
    found = nearest(w)
    assert len(found.scales) == min(shape[:2])
    assert found.whole.dtype == torch.int8
    assert found.whole.abs().max() == STEPS[w.numel() <= SMALL]
    each = found.scales.view(-1, *[1] * (len(shape) - (1 if shape[0] <= shape[1] else 2)))
    assert ((found.weights() - w).abs() <= 0.501 * each).all()


def test_weights_of_zero_stay_zero():
    assert not nearest(torch.zeros(3, 5)).whole.any()
    assert not giving_back(torch.zeros(3, 5), torch.randn(5, 7, generator=DRAW)).whole.any()


def test_inputs_that_are_never_seen_leave_the_weights_at_the_nearest_step():
    w, alone = torch.randn(4, 6, generator=DRAW), torch.eye(6)
    for seen in (alone, torch.zeros(6, 3)):
        assert (giving_back(w, seen).whole == nearest(w).whole).all()


def test_what_one_weight_loses_another_gives_back():
    w = torch.tensor([[31.0, 0.4, 0.4, 0.4, 0.4, 0.4]])  # steps of 1
    same = torch.tensor([[1.0], *[[2.0]] * 5]) @ torch.randn(1, 50, generator=DRAW)  # five inputs that are equal
    assert nearest(w).whole.tolist() == [[31, 0, 0, 0, 0, 0]]
    assert giving_back(w, same).whole[0, 1:].sum() == 2


@pytest.mark.parametrize("shape", [(5, 8), (12, 4), (140, 100), (6, 4, 3, 3)])
def test_products_with_what_is_seen_change_less(shape):
    w, inputs = torch.randn(shape, generator=DRAW), shape[1] * (9 if len(shape) == 4 else 1)
    seen = torch.randn(inputs, 3, generator=DRAW) @ torch.randn(3, 200, generator=DRAW)
    seen += 0.1 * torch.randn(inputs, 200, generator=DRAW)
    off = [((one.weights() - w).flatten(1) @ seen).square().mean() for one in (giving_back(w, seen), nearest(w))]
    assert off[0] < 0.5 * off[1]


def decoder() -> list[dict]:
    torch.manual_seed(0)
    model = VAE(3, architecture="conv", hidden=16, image_shape=(1, 8, 12)).eval()
    return [*layers_of(model)[:-1], {"op": "residual", "layers": layers_of(ResidualBlock(1).eval())}, {"op": "sigmoid"}]


def every(layers: list[dict]):
    """Their matrices and kernels."""
    for layer in layers:
        if layer.get("w") is not None and layer["w"].ndim > 1:
            yield layer["w"]
        yield from every(layer.get("layers", []))


def with_weights(layers: list[dict], weights) -> list[dict]:
    """The layers with others in their places."""
    full = []
    for layer in layers:
        changes = {"w": next(weights)} if layer.get("w") is not None and layer["w"].ndim > 1 else {}
        inside = {"layers": with_weights(layer["layers"], weights)} if "layers" in layer else {}
        full.append(layer | changes | inside)
    return full


DECODERS = {  # and the least that giving back must gain: few of the error's parts are of small maps
    "convolutions": (decoder, 3, 0.8),
    "styles": (lambda: layers_of(style_gan((3, 16, 24), hidden=24)), 7, 0.9),
    "styles, one a layer": (lambda: layers_of(style_gan((3, 16, 24), hidden=32).in_w(per_layer=True)), 21, 0.9),
}


@pytest.mark.parametrize("name", DECODERS)
def test_all_layers_are_there_in_their_order_and_the_pictures_are_nearer(name):
    make, size, least = DECODERS[name]
    layers, codes = make(), torch.randn(64, size, generator=torch.Generator().manual_seed(0))
    kept = list(every(layers))
    found = rounded(layers, codes)
    assert [one.whole.shape for one in found] == [w.shape for w in kept]
    wanted = run(layers, codes)
    off = [
        F.l1_loss(run(with_weights(layers, iter(weights)), codes), wanted)
        for weights in ([one.weights() for one in found], [nearest(w).weights() for w in kept])
    ]
    assert off[0] < least * off[1]
