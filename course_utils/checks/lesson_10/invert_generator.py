"""invert-generator: the codes whose images are nearest to the given ones, by Adam on the codes."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks.lesson_10.gan_step import network

PIXELS = (1, 2, 3)


class Painter(nn.Module):
    """A generator of images (B, *shape) from codes (B, 2)."""

    def __init__(self, g, *shape):
        super().__init__()
        self.shape, self.layers = shape, network(g, 2, 6, torch.zeros(shape).numel())

    def forward(self, z):
        return torch.sigmoid(2 * self.layers(z)).unflatten(1, self.shape)


def images(number, steps, *shape, lr=(0.05,), plain=False):
    """A network that paints, or a function without parameters; images of codes that are not those of the start."""

    def inputs(g):
        painter = Painter(g, *shape)
        with torch.no_grad():
            x = painter(torch.randn(number, 2, generator=g))
        start = torch.randn(number, 2, generator=g)
        return (lambda z: painter(z)) if plain else painter, x, start, steps, *lr

    return inputs


def search(
    generator, x, z_start, steps, lr=0.1, *, loss=lambda pixels: pixels.sum(), distance=lambda a, b: (a - b).square(),
    record=lambda pixels: pixels.sum(PIXELS), clear=True, late=False, early=False, start=torch.clone,
    optimizer=torch.optim.Adam,
):  # fmt: skip
    """The right answer, and variants of it."""
    z = start(z_start).requires_grad_()
    optimizer = optimizer([z], lr=lr)
    errors = []
    for _ in range(steps):
        pixels = distance(generator(z), x)
        (slope,) = torch.autograd.grad(loss(pixels), z)
        z.grad = slope if clear or z.grad is None else z.grad + slope
        before = z.detach().clone()
        optimizer.step()
        if late:
            pixels = distance(generator(z), x)
        errors.append(record(pixels.detach()))
    return before if early else z.detach(), torch.stack(errors)


def find_codes(generator, x, z_start, steps, lr=0.1):
    return search(generator, x, z_start, steps, lr)


def changed(**options):
    return lambda *inputs: search(*inputs, **options)


def observe(fn, generator, *rest):
    """Codes and errors, whether the generator's weights have moved, and whether the codes carry a history."""
    if isinstance(generator, nn.Module):
        generator = copy.deepcopy(generator)  # so that we hear of changed weights, and not the engine
    own = list(generator.parameters()) if isinstance(generator, nn.Module) else []
    before = [weight.detach().clone() for weight in own]
    out = fn(generator, *rest)
    if not isinstance(out, (tuple, list)) or len(out) != 2:
        return out
    codes, errors = (one.detach() if isinstance(one, Tensor) else one for one in out)
    if isinstance(errors, (tuple, list)) and errors and all(isinstance(one, Tensor) for one in errors):
        errors = [one.detach() for one in errors]
    return Parts({
        "": (codes, errors),
        "in the weights": torch.tensor(all(torch.equal(a, b) for a, b in zip(own, before, strict=True))),
        "in the history of the codes": torch.tensor(isinstance(out[0], Tensor) and out[0].requires_grad),
        "in the form of the errors": torch.tensor(isinstance(errors, list)),
    })  # fmt: skip


def best(*inputs):
    """The codes whose errors were least on the way."""
    (codes, errors), steps = search(*inputs), inputs[3]
    tried = torch.stack([inputs[2], *(search(*inputs[:3], k, *inputs[4:])[0] for k in range(1, steps))])
    return tried[errors.argmin(dim=0), torch.arange(len(codes))], errors


def never_moves(generator, x, z_start, steps, lr=0.1):
    with torch.no_grad():
        return z_start.clone(), (generator(z_start) - x).square().sum(PIXELS).expand(steps, -1)


def weights_move(generator, *rest):
    with torch.no_grad():
        for weight in generator.parameters() if isinstance(generator, nn.Module) else ():
            weight += 1
    return search(generator, *rest)


def fresh_optimizer(generator, x, z_start, steps, lr=0.1):
    z, errors = z_start, []
    for _ in range(steps):
        z, error = search(generator, x, z, 1, lr)
        errors.append(error[0])
    return z, torch.stack(errors)


CHECK = Check(
    find_codes,
    inputs={"": images(3, 5, 1, 4, 3), "images have three channels": images(2, 4, 3, 2, 3, lr=(0.7,)),
            "there is one image and the generator is a plain function": images(1, 4, 1, 3, 4, lr=(0.03,), plain=True),
            "lr is left out": images(4, 3, 1, 2, 3, lr=())},
    observe=observe,
    tolerance=1e-3,
    draws=2,
    mistakes=[
        Mistake(changed(clear=False), "The gradients of all earlier steps are added up. Which call empties z.grad "
            "before backward()?"),
        Mistake(changed(loss=lambda pixels: -pixels.sum()), "Your errors grow: the search climbs instead of "
            "descending. Look at the sign of what backward() is called on."),
        Mistake(best, "Your errors are right, but the codes are those with the least error on the way. Asked for are "
            "those after the last step."),
        Mistake(lambda generator, x, start, steps, *lr: (search(generator, x, start, steps + 1, *lr)[0],
            search(generator, x, start, steps, *lr)[1]), "Your errors are right, but one more step is taken, whose "
            "error is not kept."),
        Mistake(changed(loss=lambda pixels: pixels[0].sum()), "Only the first image is followed downhill: backward() "
            "is called on its error alone."),
        Mistake(changed(loss=lambda pixels: pixels[:, 0].sum(), record=lambda pixels: pixels[:, 0].sum((1, 2))),
            "You look at the first channel only. Which dimensions does one image have?"),
        Mistake(changed(distance=lambda a, b: ((a - b).sum(PIXELS) / (a[0].numel() ** 0.5))[:, None, None, None]
            .expand_as(a).square()), "You add up the differences before you square them, so they cancel. Which comes "
            "first?"),
        Mistake(lambda *inputs: (search(*inputs)[0], search(*inputs)[1][-1]), "You return the errors of the last step "
            "only. Those of all steps are asked for: (steps, B)."),
        Mistake(changed(record=lambda pixels: pixels.mean(PIXELS)), "You average the error over the pixels of an "
            "image; wanted is their sum, as in a VAE's errors."),
        Mistake(changed(record=lambda pixels: pixels.sum()), "You keep one summed error a step for the whole batch. "
            "Each image has its own: sum over dimensions 1 to 3."),
        Mistake(changed(record=lambda pixels: pixels.mean()), "You keep one mean error a step for the whole batch. "
            "Each image has its own: sum over dimensions 1 to 3."),
        Mistake(changed(distance=lambda a, b: (a - b).abs()), "You minimise the absolute difference of the pixels. The "
            "error of this exercise is squared."),
        Mistake(changed(loss=lambda pixels: pixels.sum(PIXELS).sqrt().sum(), record=lambda pixels:
            pixels.sum(PIXELS).sqrt()), "Your error is the root of the sum of squares. The squared error has no root."),
        Mistake(changed(distance=lambda a, b: F.binary_cross_entropy(a, b, reduction="none")), "Your error is a binary "
            "cross-entropy. The one of this exercise is squared."),
        Mistake(lambda generator, x, *rest: search(generator, x[:1].expand_as(x), *rest), "All codes are compared with "
            "the first image. Each has its own: generator(z) and x both have B."),
        Mistake(changed(start=torch.zeros_like), "Your search begins at zero and not at z_start, which the caller "
            "chooses."),
        Mistake(changed(start=torch.randn_like), "Your search begins at a random place and not at z_start, which the "
            "caller chooses."),
        Mistake(changed(late=True), "Your errors are one step late: the first should be that of z_start, before any "
            "step."),
        Mistake(changed(early=True), "Your errors are right, but the codes are those before the last step. Are they "
            "copied before step() is called?"),
        Mistake(lambda generator, x, start, steps, *lr: search(generator, x, start, steps - 1, *lr),
            "You take one step too few. How often does range(1, steps) go round?"),
        Mistake(lambda generator, x, start, steps, *lr: search(generator, x, start, steps + 1, *lr),
            "You take one step too many. How often does range(steps + 1) go round?"),
        Mistake(never_moves, "The codes never move. Does z require gradients, does the optimizer have it, is step() "
            "called, and zero_grad() not between backward() and step()?"),
        Mistake(fresh_optimizer, "The optimizer is made anew in each step, so it forgets what it has learned about the "
            "gradients. Make it once, before the loop."),
        Mistake(changed(optimizer=torch.optim.SGD), "You take plain gradient steps (SGD). The exercise asks for Adam, "
            "which needs no tuning for each image."),
        Mistake(changed(optimizer=torch.optim.AdamW), "AdamW draws the codes towards zero a little with every step. "
            "The exercise asks for Adam."),
        Mistake(lambda generator, x, start, steps, lr=0.1: search(generator, x, start, steps, 1e-3),
            "Your learning rate is not the one that was given: Adam's own is 0.001. Pass lr=lr."),
        Mistake(lambda generator, x, start, steps, lr=0.1: search(generator, x, start, steps, 0.1),
            "Your learning rate is 0.1 whatever lr is. Pass lr=lr."),
        Mistake(lambda *inputs: search(*inputs)[::-1], "You return the right things in the reverse order: z first."),
        Mistake(weights_move, "The generator's weights have changed. Only the code is sought: what goes into the "
            "optimizer?", part="in the weights"),
        Mistake(lambda *inputs: (search(*inputs)[0], list(search(*inputs)[1])), "Return the errors as one tensor "
            "(steps, B): torch.stack makes it of a list.", part="in the form of the errors"),
        Mistake(lambda *inputs: (search(*inputs)[0].requires_grad_(), search(*inputs)[1]), "The codes you return still "
            "require gradients: return z.detach().", part="in the history of the codes"),
    ],
)  # fmt: skip
