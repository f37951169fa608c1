"""training-step: forward, loss, gradient, step."""

import copy

import torch
from torch.nn import functional as F

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks.lesson_02._networks import Tiny, squared_error, weights


def training_step(model, optimizer, x):
    return trained(model, optimizer, x, squared_error)


def trained(model, optimizer, x, loss, said=None):
    """One step on a loss of x_hat and x; returns it, or what is said of x_hat and x instead."""
    x_hat = model.decode(model.encode(x))
    value = loss(x_hat, x)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.item() if said is None else said(x_hat, x)


def on(loss):
    """A wrong answer that minimises another loss and returns that."""
    return lambda model, optimizer, x: trained(model, optimizer, x, loss)


def returns(said):
    """A wrong answer that trains rightly and returns something else."""
    return lambda model, optimizer, x: trained(model, optimizer, x, squared_error, said)


def steps(order):
    """A wrong answer with the four calls in another order: Z(ero), B(ackward), S(tep)."""

    def answer(model, optimizer, x):
        loss = squared_error(model.decode(model.encode(x)), x)
        for one in order:
            {"Z": optimizer.zero_grad, "B": lambda: loss.backward(retain_graph=True), "S": optimizer.step}[one]()
        return loss.item()

    return answer


def code_cut_off(model, optimizer, x):
    loss = squared_error(model.decode(model.encode(x).detach()), x)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def measured_afterwards(model, optimizer, x):
    training_step(model, optimizer, x)
    return squared_error(model.decode(model.encode(x)), x).item()


def own_optimizer(model, optimizer, x):
    return training_step(model, torch.optim.Adam(model.parameters(), lr=3e-3), x)


def batches(*shape, momentum=0.0):
    """A network, a step size and three batches of images that are not square, the last one smaller."""

    def inputs(g):
        return Tiny(g, *shape), momentum, *(torch.rand(n, *shape, generator=g) for n in (7, 7, 3))

    return inputs


def observe(fn, model, momentum, *batches):
    """What is returned for each batch, and the weights after the first and after the last."""
    model = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=momentum)
    first = fn(model, optimizer, batches[0])
    if not isinstance(first, float):
        return first
    seen = Parts({"": first, "in the model's weights after one step": weights(model)})
    for k, x in enumerate(batches[1:], start=2):
        seen[f"for batch {k}"] = fn(model, optimizer, x)
    seen["in the model's weights after three steps"] = weights(model)
    return seen


CHECK = Check(
    training_step,
    inputs={"": batches(1, 4, 5), "images have three channels": batches(3, 2, 5, momentum=0.5)},
    observe=observe,
    draws=2,
    mistakes=[
        Mistake(steps("B"), "The loss is right, but the weights of the model do not move. Are backward() and step() "
            "both called, on this model and this optimizer, and is zero_grad() before backward() and not after it?"),
        Mistake(steps("BS"), "The first step is right, the later ones are not: backward() ADDS to the gradients that "
            "are there, and those of the batches before are still there. What clears them?"),
        Mistake(steps("ZBSS"), "Two steps are taken with one gradient: step() is called twice."),
        Mistake(steps("ZBBS"), "backward() is called twice, and gradients add up: the step is twice as long as it "
            "should be."),
        Mistake(on(lambda x_hat, x: (x_hat - x).square().mean()),
            "Your loss is averaged over the pixels as well: it is too small by their number, and so is the gradient. "
            "Sum over the pixels of an image first. Over what, then, do you take the mean?"),
        Mistake(on(lambda x_hat, x: (x_hat - x).square().sum()), "Your loss is summed over the images of the batch "
            "too, so a larger batch takes larger steps. Sum over pixels; what should happen to the B sums?"),
        Mistake(on(lambda x_hat, x: (x_hat - x).square().mean() * 784), "You multiply the mean by 784, and these "
            "images have another number of pixels. What sums over the pixels of any image?"),
        Mistake(on(lambda x_hat, x: (x_hat - x).square().sum() / 256), "You divide by a fixed batch size. Batches can "
            "be smaller, as an epoch's last one is: what gives the size of x?"),
        Mistake(on(lambda x_hat, x: (x_hat - x).flatten(1).norm(dim=1).mean()),
            "You take the root of each image's sum of squares, which is a length. The squared error has no root."),
        Mistake(on(lambda x_hat, x: (x_hat - x).abs().flatten(1).sum(dim=1).mean()), "You took absolute values of the "
            "differences. The formula has squares: what does a square do to a large error?"),
        Mistake(on(lambda x_hat, x: (x_hat - x).flatten(1).sum(dim=1).mean()), "You sum the differences as they are, "
            "so errors of both signs cancel. What does the formula do to each of them?"),
        Mistake(on(lambda x_hat, x: F.binary_cross_entropy(x_hat, x, reduction="sum") / len(x)),
            "That is binary cross-entropy, the subject of a further section. It is a fair loss, but which one does the "
            "formula above name?"),
        Mistake(on(lambda x_hat, x: squared_error(x_hat.sigmoid(), x)), "There is one sigmoid too many: decode() "
            "returns x_hat, which lies in [0, 1] already."),
        Mistake(on(lambda x_hat, x: -squared_error(x_hat, x)),
            "You minimise minus the error, so the network learns to be as wrong as it can."),
        Mistake(returns(lambda x_hat, x: squared_error(x_hat, x)), "You return the loss as a tensor, which keeps the "
            "whole graph of the step alive. Which method makes a Python number of it?"),
        Mistake(returns(lambda x_hat, x: x_hat), "You return the reconstructions. Return the loss of this batch."),
        Mistake(returns(lambda x_hat, x: squared_error(x_hat, x).item() * len(x)), "The training is right, but you "
            "return the sum over the batch. Return the mean over its images, the loss itself."),
        Mistake(returns(lambda x_hat, x: squared_error(x_hat, x).item() / len(x)), "The training is right, but you "
            "divide by the number of images twice: the loss is a mean over them already."),
        Mistake(measured_afterwards, "You return the loss after the step. Return the one that the step was made from; "
            "a second forward pass costs time and is not needed."),
        Mistake(code_cut_off, "The code is cut off from the encoder, which gets no gradient: only the decoder learns. "
            "Where is the detach, the .data or the no_grad?"),
        Mistake(own_optimizer, "You make an optimizer of your own at each step. Use the one that is passed: it "
            "remembers the steps before."),
    ],
)  # fmt: skip
