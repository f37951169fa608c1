"""modulated-convolution: each image is convolved with weights of its own, modulated by its style and demodulated."""

import torch
import torch.nn.functional as F

from course_utils.checks._check import Check, Mistake

INPUTS, ALL = (1, 2, 3), (0, 1, 2, 3)  # of a weight (J, I, K, K): all but the output channels, and everything


def as_factors(style):
    """One image's style (I,) for a weight (J, I, K, K)."""
    return style[:, None, None]


def norm(weight, dims=INPUTS, tiny=1e-8):
    return (weight.square().sum(dim=dims, keepdim=True) + tiny).sqrt()


def modulated_conv(x, weight, style):
    return way(x, weight, style)


def way(x, weight, style, *, modulate=lambda weight, style: weight * as_factors(style),
        demodulate=lambda own, weight, style: own / norm(own), styles=lambda style: style,
        padding=lambda kernel: kernel // 2, after=lambda y: y):  # fmt: skip
    """The right way, each part of which a mistake can do otherwise."""
    maps = []
    for image, factors in zip(x, styles(style), strict=True):
        own = demodulate(modulate(weight, factors), weight, factors)
        maps.append(F.conv2d(image[None], own, padding=padding(weight.shape[-1])))
    return after(torch.cat(maps))


def but(**changes):
    """A wrong answer: the right way with some of it changed."""
    return lambda x, weight, style: way(x, weight, style, **changes)


def layer(count, inputs, outputs, kernel, height, width):
    def drawn(g):
        x = torch.randn(count, inputs, height, width, generator=g)
        weight = torch.randn(outputs, inputs, kernel, kernel, generator=g)
        return x, weight, 0.3 + 2 * torch.rand(count, inputs, generator=g)

    return drawn


CHECK = Check(
    modulated_conv,
    inputs={"": layer(3, 4, 2, 3, 5, 7), "the kernel has one place": layer(2, 3, 5, 1, 4, 6),
            "there is one image": layer(1, 5, 3, 3, 6, 4), "the kernel is five wide": layer(3, 2, 4, 5, 6, 7)},
    gradients=("x", "weight", "style"),
    draws=2,
    mistakes=[
        Mistake(but(demodulate=lambda own, weight, style: own), "You modulate and do not demodulate, so the size of "
            "the style goes into the output. By what is each output channel's weight divided?"),
        Mistake(but(modulate=lambda weight, style: weight), "The style is not used: all images get the same weights. "
            "Which dimension of the weight does it scale?"),
        Mistake(but(modulate=lambda weight, style: weight, demodulate=lambda own, weight, style: own), "That is a "
            "plain convolution. The style scales the weights first, and then they are divided by their norm."),
        Mistake(but(demodulate=lambda own, weight, style: own / norm(weight)), "You divide by the norm of the weights "
            "before the modulation, so the size of the style stays. It is the norm of the modulated weights."),
        Mistake(but(demodulate=lambda own, weight, style: own / norm(own).square()), "You divide by the sum of the "
            "squares. Take its root first."),
        Mistake(but(demodulate=lambda own, weight, style: own / (own.square().mean(INPUTS, keepdim=True) +
            1e-8).sqrt()), "You take the mean of the squares below the root. The norm has their sum."),
        Mistake(but(demodulate=lambda own, weight, style: own / (own.abs().sum(INPUTS, keepdim=True) + 1e-8)),
            "You divide by the sum of the absolute weights. The norm is the root of the sum of squares."),
        Mistake(but(demodulate=lambda own, weight, style: own / norm(own, ALL)), "You divide by one norm for all "
            "output channels. Each output channel j has its own: sum over i and the places only."),
        Mistake(but(demodulate=lambda own, weight, style: own / norm(own, (2, 3))), "You sum over the places of the "
            "kernel only. The sum goes over the input channels i too."),
        Mistake(but(demodulate=lambda own, weight, style: own / norm(own, (1,))), "You sum over the input channels "
            "only. The sum goes over the places of the kernel too."),
        Mistake(but(demodulate=lambda own, weight, style: own / norm(own, (0, 2, 3))), "You sum over the output "
            "channels j. The norm of output channel j sums over i and the places: dimensions 1, 2 and 3."),
        Mistake(but(demodulate=lambda own, weight, style: own / own.std(INPUTS, keepdim=True)), "You divide by the "
            "standard deviation, which takes the mean out and averages. The norm is the root of the sum of squares."),
        Mistake(but(demodulate=lambda own, weight, style: own * norm(own)), "You multiply by the norm. Which of the "
            "two takes the size of the style out?"),
        Mistake(but(styles=lambda style: style[:1].expand_as(style)), "All images get the style of the first one. "
            "Each has its own row of style."),
        Mistake(but(styles=lambda style: style.mean(0, keepdim=True).expand_as(style)), "All images get the mean "
            "style. Each has its own row of style."),
        Mistake(but(styles=lambda style: 1 + style), "You add 1 to the style. Take it as it is given."),
        Mistake(but(styles=torch.square), "The style goes in squared. Only the norm has squares."),
        Mistake(but(modulate=lambda weight, style: weight + as_factors(style)), "The style is added to the weights. "
            "It multiplies them."),
        Mistake(but(modulate=lambda weight, style: weight / as_factors(style)), "The weights are divided by the "
            "style. They are multiplied by it."),
        Mistake(but(padding=lambda kernel: 0), "Your maps are smaller than x: give conv2d a padding of K // 2."),
        Mistake(but(padding=lambda kernel: 1), "Your padding is 1 whatever the kernel is. Half the kernel's edge, "
            "K // 2, keeps the size of the map."),
        Mistake(but(after=lambda y: y / (y.square().mean((2, 3), keepdim=True) + 1e-8).sqrt()), "You divide the maps "
            "that come out by their own size. Demodulation divides the weights, whatever the maps are."),
        Mistake(lambda x, weight, style: way(x, weight, style).detach(), "The numbers are right, but no gradient "
            "passes. Where is the no_grad or the detach?"),
    ],
)  # fmt: skip
