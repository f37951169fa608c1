"""conv-decoder: from a code to an image with two pixel shuffles."""

import torch
from torch import nn

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._difference import kind


def start(latent_dim, channels):
    return nn.Linear(latent_dim, channels * 49), nn.ReLU(), nn.Unflatten(1, (channels, 7, 7))


def conv_decoder(latent_dim, channels=64):
    return nn.Sequential(
        *start(latent_dim, channels),
        nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.PixelShuffle(2), nn.ReLU(),
        nn.Conv2d(channels // 2, 4, 3, padding=1), nn.PixelShuffle(2),
    )  # fmt: skip


def ends_with(*layers):
    """A wrong answer whose layers behind the given ones, from the number of channels, are others."""
    return lambda latent_dim, channels=64: nn.Sequential(
        *start(latent_dim, channels), *(layer for make in layers for layer in make(channels))
    )


def first(c, **options):
    return nn.Conv2d(c, 2 * c, **({"kernel_size": 3, "padding": 1} | options)), nn.PixelShuffle(2)


def relu(c):
    return (nn.ReLU(),)


def last(c, **options):
    return nn.Conv2d(c // 2, 4, **({"kernel_size": 3, "padding": 1} | options)), nn.PixelShuffle(2)


def both(**options):
    """Both convolutions with other options."""
    return ends_with(lambda c: first(c, **options), relu, lambda c: last(c, **options))


def then(layer):
    """The right network and one more layer."""
    return ends_with(first, relu, last, lambda c: (layer,))


def observe(fn, latent_dim, channels, z, numbers):
    """The sizes of the weights in a row, and what the network makes of codes once its weights are given numbers."""
    network = fn(latent_dim, channels)
    if not isinstance(network, nn.Module):
        return network
    parameters = list(network.parameters())
    with torch.no_grad():
        begin = 0
        for one in parameters:
            one.copy_(numbers[begin : begin + one.numel()].reshape(one.shape) / max(1, one[0].numel()) ** 0.5)
            begin += one.numel()
        x_logits = network(z)
    sizes = torch.tensor([size for one in parameters for size in (*one.shape, 0)])  # 0 separates them
    if not isinstance(x_logits, torch.Tensor):
        return x_logits
    shape = torch.tensor(x_logits.shape)
    return Parts({"in the shape of x_logits": shape, "in the sizes of the weights": sizes, "in x_logits": x_logits})


def compare(out, expected, latent_dim, channels, z, numbers):
    """One sentence on the first of the three that is not right."""
    if out is None:
        return "It returns nothing: is the return statement missing?"
    if not isinstance(out, Parts):
        return f"It returns {kind(out)}, where a network is expected: an nn.Sequential of all layers."
    shape, right = (tuple(one["in the shape of x_logits"].tolist()) for one in (out, expected))
    if shape != right:
        return (f"For {len(z)} codes your network returns shape {shape} where {right} is expected. Print the shape "
                "after each layer: which one does not do what its comment says?")  # fmt: skip
    if out["in the sizes of the weights"].tolist() != expected["in the sizes of the weights"].tolist():
        return ("The images have the right size, but your layers have other weights than the reference model's, so "
                "those could not be loaded into them. Which layers are two convolutions of 3 by 3, and with how many "
                "channels do they end?")  # fmt: skip
    if not torch.allclose(out["in x_logits"], expected["in x_logits"], atol=1e-4):
        return ("The layers with weights are the right ones, but not what stands between or behind them. Where do the "
                "ReLU and the two pixel shuffles belong?")  # fmt: skip
    return None


def codes(latent_dim, channels, count):
    def inputs(g):
        return latent_dim, channels, torch.randn(count, latent_dim, generator=g), torch.randn(150_000, generator=g)

    return inputs


CHECK = Check(
    conv_decoder,
    inputs={"": codes(3, 8, 5), "there are 12 channels and one code": codes(2, 12, 1)},
    observe=observe,
    compare=compare,
    draws=2,
    mistakes=[
        Mistake(ends_with(first, last), "The ReLU between the two convolutions is missing. Without it they are one "
            "linear map and could as well be a single layer."),
        Mistake(ends_with(first, relu), "Your network ends at 14 by 14 pixels. One more convolution and one more pixel "
            "shuffle bring it to 28 by 28; how many channels does the second convolution need for one grey image?"),
        Mistake(both(padding=0), "A convolution of 3 by 3 without padding takes a pixel away on each side. Which "
            "padding keeps the size?"),
        Mistake(both(kernel_size=1, padding=0), "Your convolutions are 1 by 1, so no pixel sees its neighbours. The "
            "encoder's are 3 by 3."),
        Mistake(both(kernel_size=5, padding=2),
            "Your convolutions are 5 by 5. The encoder's are 3 by 3, and the reference weights fit only those."),
        Mistake(both(bias=False), "Your convolutions have no bias. The reference model's do: leave bias as it is."),
        Mistake(then(nn.Sigmoid()), "There is a sigmoid at the end. This network returns x_logits; the sigmoid comes "
            "in decode(), outside of it."),
        Mistake(then(nn.ReLU()), "There is a ReLU at the end, so no pixel of x_logits can be negative and none of "
            "x_hat darker than 0.5. x_logits may be any numbers."),
        Mistake(then(nn.Tanh()), "There is a tanh at the end. x_logits may be any numbers; confining them is the "
            "sigmoid's task, outside of this network."),
        Mistake(ends_with(lambda c: (nn.Conv2d(c, c, 3, padding=1), nn.PixelShuffle(2)), relu,
                          lambda c: (nn.Conv2d(c // 4, 4, 3, padding=1), nn.PixelShuffle(2))),
            "Your first convolution makes as many channels as it gets, and the pixel shuffle leaves a quarter of them. "
            "To be left with channels // 2, how many must it make?"),
        Mistake(ends_with(lambda c: (nn.Conv2d(c, 4 * c, 3, padding=1), nn.PixelShuffle(2)), relu,
                          lambda c: (nn.Conv2d(c, 4, 3, padding=1), nn.PixelShuffle(2))),
            "Your first convolution makes 4 * channels, which leaves channels after the pixel shuffle. The mirror of "
            "the encoder has channels // 2 there: how many must the convolution make?"),
        Mistake(ends_with(lambda c: (nn.Upsample(scale_factor=2), nn.Conv2d(c, c // 2, 3, padding=1)), relu,
                          lambda c: (nn.Upsample(scale_factor=2), nn.Conv2d(c // 2, 1, 3, padding=1))),
            "You enlarge with nn.Upsample, which works, but has other weights than the reference model. Here a "
            "convolution makes four channels for each one wanted, and nn.PixelShuffle(2) turns them into 2 by 2 "
            "pixels."),
        Mistake(ends_with(lambda c: (nn.ConvTranspose2d(c, c // 2, 4, stride=2, padding=1),), relu,
                          lambda c: (nn.ConvTranspose2d(c // 2, 1, 4, stride=2, padding=1),)),
            "You enlarge with transposed convolutions, which works, but has other weights than the reference model. "
            "Here a convolution makes four channels for each one wanted, and nn.PixelShuffle(2) turns them into 2 by "
            "2 pixels."),
        Mistake(lambda latent_dim, channels=64: nn.Sequential(*start(latent_dim, channels)),
            "Your network ends where the given layers end, at 7 by 7 pixels. Which layers come behind them?"),
    ],
)  # fmt: skip
