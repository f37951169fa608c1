"""denoising-loss: the squared error of restoring images from damage, against the clean images."""

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy

from course_utils.checks._check import Check, Mistake
from course_utils.checks.lesson_02._networks import squared_error


def denoising_loss(model, x, damage):
    return squared_error(model(damage(x)), x)


class Restorer(nn.Module):
    """A small network that mixes neighbouring pixels."""

    def __init__(self, g, low, high):
        super().__init__()
        self.low, self.high = low, high
        self.weights = nn.Parameter(torch.tensor([1.5, -1.0, 0.5]) + 0.3 * torch.randn(3, generator=g))

    def forward(self, x):
        a, b, c = self.weights
        mixed = torch.sigmoid(a * x + b * x.roll(1, dims=-1) + c * x.roll(1, dims=-2))
        return self.low + (self.high - self.low) * mixed


def darkened(x):
    """Every other column is black. Nothing is drawn, so image by image it does what it does to a batch."""
    return x * (torch.arange(x.shape[-1]) % 2)


def wavy(x):
    rows, columns = torch.arange(x.shape[-2])[:, None], torch.arange(x.shape[-1])
    return (x + 0.6 * torch.sin(3.0 * rows + 5.0 * columns)).clamp(0, 1)


def loss_is(error):
    """A wrong answer that takes another number of the restoration, the clean image and the damaged one."""

    def answer(model, x, damage):
        x_damaged = damage(x)
        return error(model(x_damaged), x, x_damaged)

    return answer


def images(*shape, damage, out=(0.0, 1.0)):
    return lambda g: (Restorer(g, *out), torch.rand(shape, generator=g), damage)


UNUSED = "The model is not used: you measured the damage itself. Where is x_hat?"
CLEAN = "Nothing is damaged: the network sees the clean x. Where does x_damaged go?"
PLAIN_NUMBER = (
    "Your loss is a plain Python number. It must stay a tensor, or backward() cannot train the model: where is the "
    ".item() or float()?"
)
CUT_OFF = (
    "The loss is right, but it is cut off from the model, so loss.backward() could not train it: is there a no_grad, a "
    "detach or an item too early?"
)

CHECK = Check(
    denoising_loss,
    inputs={"": images(5, 1, 6, 7, damage=wavy),
            "there are three channels": images(3, 3, 4, 5, damage=darkened),
            "a restoration may leave [0, 1]": images(4, 2, 6, 5, damage=wavy, out=(-0.5, 1.5)),
            "there is one image": images(1, 2, 9, 5, damage=darkened)},
    gradients=("model",),
    draws=2,
    mistakes=[
        Mistake(loss_is(lambda x_hat, x, seen: squared_error(x_hat, seen)),
            "You compare the restoration with the DAMAGED image, so the best the network can do is to copy the damage. "
            "Which image should it be rewarded for producing?"),
        Mistake(lambda model, x, damage: squared_error(model(damage(x)), model(x)),
            "Your target is what the model makes of the clean image, so it would do well to paint everything grey. "
            "What should it be rewarded for producing?"),
        Mistake(loss_is(lambda x_hat, x, seen: squared_error(x_hat, seen - x)),
            "You compare what the model returns with the damage, or subtract it from the damaged image as if it were "
            "the damage. The model returns the restored image itself: which image should that be?"),
        Mistake(lambda model, x, damage: squared_error(model(x), x), CLEAN),
        Mistake(lambda model, x, damage: squared_error(model(x), damage(x)),
            "The network sees the clean x and is compared with the damaged one. It should be the other way round: what "
            "goes in, and what should come out?"),
        Mistake(lambda model, x, damage: squared_error(damage(model(x)), x),
            "The damage comes after the model. What is to be damaged is what the model sees."),
        Mistake(lambda model, x, damage: squared_error(model(damage(damage(x))), x),
            "You damage the images twice. How often is damage called?"),
        Mistake(lambda model, x, damage: squared_error(model(model(damage(x))), x),
            "The network is applied twice, to its own restoration. How often is model called?"),
        Mistake(lambda model, x, damage: squared_error(damage(x), x), UNUSED),
        Mistake(loss_is(lambda x_hat, x, seen: squared_error(x_hat, x) + squared_error(x_hat, seen)),
            "You add the distance from the damaged image to the loss, which pulls the restoration back to the damage. "
            "Which image alone should be the target?"),
        Mistake(loss_is(lambda x_hat, x, seen: (x_hat - x).square().mean()), "You average over pixels. The course "
            "sums over the pixels of an image and averages over the batch: by which factor does your loss differ?"),
        Mistake(loss_is(lambda x_hat, x, seen: (x_hat - x).square().sum()),
            "You sum over the batch as well, so the loss grows with the batch size. Which sum should be a mean?"),
        Mistake(loss_is(lambda x_hat, x, seen: (x_hat - x).flatten(1).norm(dim=1).mean()),
            "You take the root of each image's sum of squares, which is a length. The squared error has no root."),
        Mistake(loss_is(lambda x_hat, x, seen: (x_hat - x).abs().flatten(1).sum(dim=1).mean()),
            "You took absolute values of the differences. The formula above has squares."),
        Mistake(loss_is(lambda x_hat, x, seen: (x_hat - x).sum() / len(x)), "You sum the differences as they are, so "
            "errors of both signs cancel. What does the formula do to each difference?"),
        Mistake(loss_is(lambda x_hat, x, seen: squared_error(x_hat, x) / 2),
            "Your loss is half of the squared error. The formula above has no half."),
        Mistake(loss_is(lambda x_hat, x, seen: binary_cross_entropy(x_hat.clamp(0, 1), x, reduction="sum") / len(x)),
            "That is binary cross-entropy. The formula above names the squared error."),
        Mistake(loss_is(lambda x_hat, x, seen: (x_hat - x).square().flatten(1).sum(dim=1)),
            "Your loss is one number for each image, but backward() needs a single one. What is still to be done with "
            "the B numbers?"),
        Mistake(loss_is(lambda x_hat, x, seen: squared_error(x_hat.clamp(0, 1), x)), "You clip the restoration, so a "
            "pixel outside [0, 1] gets no gradient to bring it back. Which line can go?"),
        Mistake(loss_is(lambda x_hat, x, seen: (x_hat - x).square().mean() * 784), "You multiply the mean by 784, and "
            "these images have another number of pixels. What sums over the pixels of any image?"),
        Mistake(lambda model, x, damage: denoising_loss(model, x, damage).item(), PLAIN_NUMBER),
        Mistake(lambda model, x, damage: denoising_loss(model, x, damage).detach(), CUT_OFF,
            part="gradient for model"),
    ],
)  # fmt: skip
