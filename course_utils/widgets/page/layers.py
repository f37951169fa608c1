"""A decoder as a list of layers, which a page can run without Python: decoder.js runs the same list.

A layer is a dictionary: `op`, the name of what it does; its weights as tensors; the numbers that it needs. `layers_of`
makes the list of a model, and `run` is what it means.

    linear     w (O, I), b (O,) or None         a vector to a vector
    reshape    shape [C, H, W]                  a vector to a map
    conv       w (O, I, K, L), b, stride, padding, rim ("zeros" or "reflect")
    transposed w (I, O, K, L), b, stride, padding
    scale      w (C,), b (C,)                   each channel by itself: batch normalisation in evaluation mode
    normalise  groups, tiny, w (C,), b (C,)     group normalisation; with a group a channel, instance normalisation
    shuffle    by                               by * by channels become by * by pixels
    enlarge    by, smooth                       to the nearest pixel, or bilinear
    residual   layers                           x + layers(x)
    direction  tiny                             a vector divided by the root of the mean square of its numbers
    styles     w (C, H, W), length, layers      a code of so many numbers, or a code for each style, one after another,
                                                to an image: the layers inside start from the constant w

and inside of styles, beside those above,

    modulated  w (O, I, K, K), style, layers, gain    a convolution that keeps the size: of code number `style`, layers
                                                make the factors of its inputs; with a gain it is demodulated and then
                                                multiplied by it
    noise      w (H, W), b (C,)                 x + w + b
    part       layers                           what they make of x is added to the image, which is enlarged; x stays
    relu, silu, sigmoid, tanh, clamp; leaky with slope
"""

import math
from functools import singledispatch

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.models.autoencoder import Autoencoder
from course_utils.models.gan import GAN, Generator
from course_utils.models.networks import ResidualBlock
from course_utils.models.pca import PCA
from course_utils.models.pixels import PixelSpace
from course_utils.models.styles import (
    EqualLinear,
    MappingNetwork,
    ModulatedConv2d,
    StyledLayer,
    StyleGAN,
    StyleGenerator,
    StyleSpace,
    ToImage,
)
from course_utils.models.styles.layers import GAIN, SLOPE
from course_utils.models.vae import VAE
from course_utils.models.vae.conditional import Conditioned

AFFINE = ("linear", "reshape", "conv", "transposed", "scale", "shuffle", "enlarge")  # of what comes in


@singledispatch
def layers_of(model) -> list[dict]:
    """The layers that turn a code into an image, as `model.decode` does; or of one part of a network.

    Args:
        model: A model of the course with a decoder, or a module of torch.nn that a decoder is made of.

    Returns:
        The list that `run` and decoder.js understand. Its weights are the model's own, on the CPU.

    Raises:
        TypeError: A page cannot run a model, or a layer, of this class. It is named.

    Example:
        >>> [layer["op"] for layer in layers_of(VAE(2, hidden=8))]
        ['linear', 'relu', 'linear', 'reshape', 'sigmoid']
    """
    raise TypeError(
        f"a page cannot run a {type(model).__name__}: course_utils/widgets/page/layers.py has no layer for it."
    )


# ------------------------------------------------------------------ models


@layers_of.register(VAE)
@layers_of.register(Autoencoder)
def _(model) -> list[dict]:
    return [*layers_of(model.decoder), {"op": "sigmoid"}]


@layers_of.register
def _(model: Conditioned) -> list[dict]:
    if len(model.y) != 1:
        raise TypeError(f"a page can run a conditional VAE with one condition, but {len(model.y)} are given.")
    first, *others = layers_of(model.model.decoder)  # what the condition adds to the first layer is always the same
    code = model.latent_shape[0]
    w, told = first["w"].split((code, first["w"].shape[1] - code), dim=1)
    return [first | {"w": w, "b": first["b"] + told @ model.y[0].cpu()}, *others, {"op": "sigmoid"}]


@layers_of.register
def _(model: GAN) -> list[dict]:
    return layers_of(model.generator)


@layers_of.register
def _(model: Generator) -> list[dict]:
    return [*layers_of(model.layers), {"op": "sigmoid"}]


@layers_of.register
def _(model: PCA) -> list[dict]:
    linear = {"op": "linear", "w": _own(model.components).T, "b": _own(model.mean)}
    return [linear, {"op": "reshape", "shape": list(model.image_shape)}, {"op": "clamp"}]


@layers_of.register
def _(model: PixelSpace) -> list[dict]:
    return [{"op": "reshape", "shape": list(model.image_shape)}, {"op": "clamp"}]


@layers_of.register
def _(model: StyleGAN) -> list[dict]:
    return layers_of(model.generator)


@layers_of.register
def _(model: StyleGenerator) -> list[dict]:
    mapping = [] if model.mapping is None else layers_of(model.mapping)
    return [*_flat(model.latent_shape), *mapping, *_synthesis(model)]


@layers_of.register
def _(model: StyleSpace) -> list[dict]:
    return [*_flat(model.latent_shape), *_synthesis(model.generator)]


def _flat(shape: tuple[int, ...]) -> list[dict]:
    return [{"op": "reshape", "shape": [math.prod(shape), 1, 1]}]


def _synthesis(generator: StyleGenerator) -> list[dict]:
    """From w, one or one a layer, to the image, with the fixed noise."""
    inside = []
    for k, layer in enumerate(generator.layers):
        inside += _styled(layer, k)
        if k % 2 == 0:
            inside.append({"op": "part", "layers": _to_image(generator.to_images[k // 2], k)})
    styles = {"op": "styles", "length": generator.latent_shape[0], "w": _own(generator.constant)[0], "layers": inside}
    return [styles, {"op": "sigmoid"}]


def _styled(layer: StyledLayer, style: int) -> list[dict]:
    noise = _own(layer.noise_strength) * _own(layer.fixed_noise)[0, 0]
    return [
        _modulated(layer.convolution, layer.affine, style, GAIN),
        *([{"op": "enlarge", "by": 2, "smooth": True}] if layer.enlarge else []),
        {"op": "noise", "w": noise, "b": _own(layer.bias)},
        {"op": "leaky", "slope": SLOPE},
    ]


def _to_image(layer: ToImage, style: int) -> list[dict]:
    bias = _own(layer.bias)
    convolution = _modulated(layer.convolution, layer.affine, style)
    return [convolution, {"op": "scale", "w": torch.ones_like(bias), "b": bias}, {"op": "shuffle", "by": 2}]


def _modulated(module: ModulatedConv2d, affine: EqualLinear, style: int, gain: float | None = None) -> dict:
    layer = {"op": "modulated", "style": style, "w": module.scale * _own(module.weight), "layers": layers_of(affine)}
    return layer | ({"gain": gain} if module.demodulate else {})


# ------------------------------------------------------------------ modules


@layers_of.register
def _(module: nn.Sequential) -> list[dict]:
    return [layer for part in module for layer in layers_of(part)]


@layers_of.register
def _(module: ResidualBlock) -> list[dict]:
    return [{"op": "residual", "layers": layers_of(module.body)}]


@layers_of.register
def _(module: nn.Linear) -> list[dict]:
    return [{"op": "linear", "w": _own(module.weight), "b": _own(module.bias)}]


@layers_of.register
def _(module: EqualLinear) -> list[dict]:
    return [{"op": "linear", "w": module.scale * _own(module.weight), "b": module.rate * _own(module.bias)}]


@layers_of.register
def _(module: MappingNetwork) -> list[dict]:
    layers = [{"op": "direction", "tiny": 1e-8}]
    for (linear,) in map(layers_of, module.layers):  # a leaky ReLU of GAIN x is GAIN times that of x
        layers += [linear | {"w": GAIN * linear["w"], "b": GAIN * linear["b"]}, {"op": "leaky", "slope": SLOPE}]
    return layers


@layers_of.register
def _(module: nn.Unflatten) -> list[dict]:
    return [{"op": "reshape", "shape": list(module.unflattened_size)}]


@layers_of.register
def _(module: nn.Conv2d) -> list[dict]:
    _require(module, groups=1, dilation=(1, 1), padding_mode=("zeros", "reflect"))
    return [_convolution("conv", module) | {"rim": module.padding_mode}]


@layers_of.register
def _(module: nn.ConvTranspose2d) -> list[dict]:
    _require(module, groups=1, dilation=(1, 1), output_padding=(0, 0))
    return [_convolution("transposed", module)]


@layers_of.register
def _(module: nn.BatchNorm2d) -> list[dict]:
    w = _own(module.weight) / torch.sqrt(_own(module.running_var) + module.eps)
    return [{"op": "scale", "w": w, "b": _own(module.bias) - w * _own(module.running_mean)}]


@layers_of.register
def _(module: nn.GroupNorm) -> list[dict]:
    return [_normalisation(module, module.num_channels, module.num_groups)]


@layers_of.register
def _(module: nn.InstanceNorm2d) -> list[dict]:
    _require(module, track_running_stats=False)
    return [_normalisation(module, module.num_features, module.num_features)]


@layers_of.register
def _(module: nn.PixelShuffle) -> list[dict]:
    return [{"op": "shuffle", "by": module.upscale_factor}]


@layers_of.register
def _(module: nn.Upsample) -> list[dict]:
    _require(module, mode=("nearest", "bilinear"), align_corners=(None, False))
    if module.scale_factor != int(module.scale_factor or 0):
        raise TypeError(f"a page can enlarge by a whole number, but this layer is {module}.")
    return [{"op": "enlarge", "by": int(module.scale_factor), "smooth": module.mode == "bilinear"}]


@layers_of.register
def _(module: nn.LeakyReLU) -> list[dict]:
    return [{"op": "leaky", "slope": module.negative_slope}]


for kind, name in ((nn.ReLU, "relu"), (nn.SiLU, "silu"), (nn.Sigmoid, "sigmoid"), (nn.Tanh, "tanh")):
    layers_of.register(kind, lambda module, name=name: [{"op": name}])
for kind in (nn.Identity, nn.Dropout, nn.Dropout2d):  # in evaluation mode
    layers_of.register(kind, lambda module: [])


def _own(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().float().cpu()


def _require(module: nn.Module, **wanted) -> None:
    """Raise TypeError where a layer has an option that decoder.js does not know."""
    for name, right in wanted.items():
        value = getattr(module, name)
        if value != right and not (isinstance(right, tuple) and value in right):
            raise TypeError(f"a page cannot run {module}: its {name} is {value!r}.")


def _convolution(op: str, module) -> dict:
    (stride, other), padding = module.stride, module.padding
    if stride != other or isinstance(padding, str) or padding[0] != padding[1]:
        raise TypeError(f"a page cannot run {module}: give one stride and one padding, as whole numbers.")
    weights = {"w": _own(module.weight), "b": _own(module.bias)}
    return {"op": op} | weights | {"stride": stride, "padding": padding[0]}


def _normalisation(module, channels: int, groups: int) -> dict:
    w = torch.ones(channels) if module.weight is None else _own(module.weight)
    b = torch.zeros(channels) if module.bias is None else _own(module.bias)
    return {"op": "normalise", "groups": groups, "tiny": module.eps, "w": w, "b": b}


# ------------------------------------------------------------------ what a list of layers means

_POINTWISE = {
    "relu": torch.relu,
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "clamp": lambda x: x.clamp(0, 1),
}


def run(layers: list[dict], x: Tensor) -> Tensor:
    """What decoder.js computes, with torch: codes (B, ...) through the layers.

    Example:
        >>> model, z = VAE(2, hidden=8).eval(), torch.zeros(3, 2)
        >>> torch.allclose(run(layers_of(model), z), model.decode(z))
        True
    """
    for layer in layers:
        x = _step(layer, x)
    return x


def _step(layer: dict, x: Tensor) -> Tensor:
    op, w, b = layer["op"], layer.get("w"), layer.get("b")
    if op in _POINTWISE:
        return _POINTWISE[op](x)
    if op == "leaky":
        return F.leaky_relu(x, layer["slope"])
    if op == "linear":
        return F.linear(x.flatten(1), w, b)
    if op == "reshape":
        return x.reshape(len(x), *layer["shape"])
    if op == "conv":
        p = layer["padding"]
        x = F.pad(x, (p, p, p, p), mode="constant" if layer["rim"] == "zeros" else "reflect") if p else x
        return F.conv2d(x, w, b, layer["stride"])
    if op == "transposed":
        return F.conv_transpose2d(x, w, b, layer["stride"], layer["padding"])
    if op == "scale":
        return w[:, None, None] * x + b[:, None, None]
    if op == "normalise":
        return F.group_norm(x, layer["groups"], w, b, layer["tiny"])
    if op == "shuffle":
        return F.pixel_shuffle(x, layer["by"])
    if op == "enlarge":
        return F.interpolate(x, scale_factor=layer["by"], mode="bilinear" if layer["smooth"] else "nearest")
    if op == "residual":
        return x + run(layer["layers"], x)
    if op == "direction":
        return x * torch.rsqrt(x.flatten(1).square().mean(1) + layer["tiny"]).view(-1, *[1] * (x.ndim - 1))
    if op == "noise":
        return x + w + b[:, None, None]
    if op == "styles":
        code = x.reshape(len(x), -1, layer["length"])
        return _within(layer["layers"], w.expand(len(x), -1, -1, -1), code)[1]
    raise ValueError(f"there is no layer {op!r}.")


def _within(layers: list[dict], x: Tensor, code: Tensor) -> tuple[Tensor, Tensor | None]:
    """The layers of `styles`: maps, and codes (B, L or 1, D), to maps, and the sum of the parts of the image."""
    image = None
    for layer in layers:
        if layer["op"] == "modulated":
            x = modulate(layer, x, run(layer["layers"], code_of(layer, code)))
        elif layer["op"] == "part":
            part, _ = _within(layer["layers"], x, code)
            image = part if image is None else part + F.interpolate(image, scale_factor=2, mode="bilinear")
        else:
            x = _step(layer, x)
    return x, image


def code_of(layer: dict, code: Tensor) -> Tensor:
    """The codes (B, D) that a modulated convolution reads, of (B, L, D), or of (B, 1, D) for all layers."""
    return code[:, layer["style"] if code.shape[1] > 1 else 0]


def modulate(layer: dict, x: Tensor, style: Tensor) -> Tensor:
    """A modulated convolution of maps (B, I, H, W) with the factors (B, I) of its inputs."""
    w = layer["w"]
    y = F.conv2d(x * style[:, :, None, None], w, padding=w.shape[-1] // 2)
    if "gain" not in layer:
        return y
    squares = style.square() @ w.square().sum((2, 3)).T
    return y * (layer["gain"] * torch.rsqrt(squares + 1e-8))[:, :, None, None]


def on_plane(layers: list[dict], base: Tensor, u: Tensor, v: Tensor) -> list[dict]:
    """The same decoder for the codes base + x u + y v alone, as a function of the three numbers x, y and 1.

    What comes before the first bend of the decoder is one affine map of x and y, so three of its values say all of it.
    Of a code of 64 numbers this leaves a twentieth of those weights.

    Args:
        layers: Of a decoder.
        base: A code, of any shape.
        u: Change of the code for one unit of x.
        v: Change of the code for one unit of y.

    Returns:
        Layers for vectors (B, 3).

    Example:
        >>> layers, (base, u, v) = layers_of(VAE(5, hidden=8)), torch.randn(3, 5)
        >>> there = run(layers, (base + 0.5 * u - 2 * v)[None])
        >>> torch.allclose(run(on_plane(layers, base, u, v), torch.tensor([[0.5, -2.0, 1.0]])), there, atol=1e-5)
        True
    """
    bend = next((k for k, layer in enumerate(layers) if layer["op"] not in AFFINE), len(layers))
    with torch.inference_mode():
        start, *corners = run(layers[:bend], torch.stack([base, base + u, base + v]))
        w = torch.stack([*(corner - start for corner in corners), start], dim=-1).flatten(0, -2)
    reshaped = [{"op": "reshape", "shape": list(start.shape)}] if start.ndim == 3 else []
    return [{"op": "linear", "w": w, "b": None}, *reshaped, *layers[bend:]]
