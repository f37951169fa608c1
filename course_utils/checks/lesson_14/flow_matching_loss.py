"""flow-matching-loss: the mean squared error of a velocity on straight paths from noise to data."""

from functools import partial

import torch
from torch import nn

from course_utils.checks._check import Check, Mistake

Value = partial(Mistake, part="")  # recognised by the loss itself, whatever its gradient is


def like(t, x):
    """Times (B,) in a form that multiplies x, (B, 1, ..., 1)."""
    return t.reshape(-1, *[1] * (x.ndim - 1))


def between(x0, x1, t):
    return (1 - like(t, x1)) * x0 + like(t, x1) * x1


class Field(nn.Module):
    """A smooth function of x_t and t that no two different arguments share."""

    def __init__(self, g):
        super().__init__()
        self.numbers = nn.Parameter(0.5 + torch.rand(3, generator=g))

    def forward(self, x_t, t):
        if t.shape != x_t.shape[:1]:
            raise ValueError(f"the times have shape {tuple(t.shape)}, and one for each example is wanted, (B,)")
        a, b, c = self.numbers
        return 2 * (a * x_t + 3 * b * like(t, x_t) + c).sin()


def flow_matching_loss(velocity, x0, x1, t):
    return answer_with()(velocity, x0, x1, t)


def answer_with(
    state=between,
    target=lambda x0, x1, t: x1 - x0,
    told=lambda t: t,
    loss=lambda error: error.square().mean(),
):
    """The right answer, or one with another state, target, time or loss."""

    def answer(velocity, x0, x1, t):
        return loss(velocity(state(x0, x1, t), told(t)) - target(x0, x1, t))

    return answer


def along_columns(x0, x1, t):
    """The times go along the last dimension, as plain t * x1 does where the shapes allow it."""
    at = t[torch.arange(x1.shape[-1]) % len(t)]
    return (1 - at) * x0 + at * x1


def for_vectors(x0, x1, t):
    """The times as (B, 1), whatever the data are."""
    return (1 - t[:, None]) * x0 + t[:, None] * x1


def batch(*shape):
    def inputs(g):
        return Field(g), torch.randn(shape, generator=g), 1 + torch.randn(shape, generator=g), torch.rand(
            shape[0], generator=g
        )

    return inputs


def at_the_ends(g):
    velocity, x0, x1, _ = batch(4, 3)(g)
    return velocity, x0, x1, torch.tensor([0.0, 1.0, 1.0, 0.0])


CHECK = Check(
    flow_matching_loss,
    inputs={"": batch(5, 3), "there are as many examples as columns": batch(4, 4),
            "the data are pictures": batch(3, 2, 1, 4), "the times are 0 and 1": at_the_ends},
    gradients=("velocity",),
    draws=2,
    mistakes=[
        Value(answer_with(target=lambda x0, x1, t: x0 - x1), "Your velocity points from data to noise. With t from 0, "
            "noise, to 1, data, x_t moves towards x1: what is its derivative?"),
        Value(answer_with(state=lambda x0, x1, t: between(x1, x0, t)), "In x_t noise and data have changed places: at "
            "t = 0 yours is the data. At t = 0 stands the noise, x0."),
        Value(answer_with(state=lambda x0, x1, t: between(x1, x0, t), target=lambda x0, x1, t: x0 - x1), "You have "
            "taken x0 for the data and x1 for the noise, as lesson 12 does. Here x0 is noise, and t = 0 is noise."),
        Value(answer_with(state=along_columns), "The times go along the columns of x_t: every example has the times of "
            "all. Each example has its own: bring t to (B, 1, ..., 1)."),
        Value(answer_with(state=lambda x0, x1, t: between(x0, x1, t[:1].expand_as(t))), "All examples are mixed with "
            "the first time. Each has its own: bring t to (B, 1, ..., 1)."),
        Value(answer_with(state=for_vectors), "Your t has shape (B, 1). That fits vectors; in pictures it goes along "
            "the rows. For data of any shape it must be (B, 1, ..., 1)."),
        Value(answer_with(state=lambda x0, x1, t: (1 - like(t, x1)).sqrt() * x0 + like(t, x1).sqrt() * x1), "Your "
            "weights have square roots, as the path of lesson 12. Here they are 1 - t and t themselves."),
        Value(answer_with(state=lambda x0, x1, t: x0 + like(t, x1) * x1), "Your x_t keeps all of the noise: at t = 1 "
            "it is x0 + x1. What is the weight of x0?"),
        Value(answer_with(target=lambda x0, x1, t: x1), "You compare the answer with the data. The network is asked "
            "for the velocity of x_t: what is its derivative?"),
        Value(answer_with(target=lambda x0, x1, t: x0), "You compare the answer with the noise, as in lesson 12. The "
            "network is asked for the velocity of x_t: what is its derivative?"),
        Value(answer_with(target=lambda x0, x1, t: x1 - between(x0, x1, t)), "Your target is the rest of the way, x1 - "
            "x_t, which shrinks as t grows. The velocity is the same along the whole line."),
        Value(answer_with(target=between), "You compare the answer with x_t, which the network has seen. What is asked "
            "for is how x_t moves."),
        Value(answer_with(state=lambda x0, x1, t: x1), "The network sees the data itself. In the sampler it sees "
            "points on the way: show it x_t."),
        Value(answer_with(state=lambda x0, x1, t: x0), "The network sees the noise whatever t is. Show it the point on "
            "the way, x_t."),
        Value(answer_with(told=lambda t: 1 - t), "The network is told 1 - t, while x_t belongs to t. Tell it t."),
        Value(answer_with(told=lambda t: 1000 * t), "You tell the network 1000 t. What velocity wants is t itself; the "
            "lesson multiplies outside of this function."),
        Value(answer_with(told=torch.zeros_like), "The network is told the time 0 for all. Tell it t."),
        Value(lambda velocity, x0, x1, t: flow_matching_loss(velocity, torch.randn_like(x0), x1, t), "You draw noise "
            "of your own. The noise to use is given: x0."),
        Value(lambda velocity, x0, x1, t: flow_matching_loss(velocity, x0, x1, torch.rand_like(t)), "You draw times "
            "of your own. The times to use are given: t."),
        Value(answer_with(loss=lambda error: error.square().sum()), "You sum over the batch and all numbers. The "
            "docstring asks for the mean."),
        Value(answer_with(loss=lambda error: error.square().flatten(1).sum(1).mean()), "You sum over the numbers of "
            "each example. The mean over them is asked for as well."),
        Value(answer_with(loss=lambda error: error.square().flatten(1).mean(1)), "You return a loss for each example. "
            "How does it become one number to minimise?"),
        Value(answer_with(loss=lambda error: error.square()), "You return a loss for every number. How does it become "
            "one number to minimise?"),
        Value(answer_with(loss=lambda error: error.abs().mean()), "You average absolute errors, whose best answer is "
            "the median. Which error has the mean as its best answer?"),
        Value(answer_with(loss=lambda error: error.square().mean().sqrt()), "You take the root of the mean squared "
            "error. The loss of the lesson is the squared error itself."),
        Mistake(lambda *inputs: flow_matching_loss(*inputs).detach(), "The number is right, but no gradient reaches "
            "the network. Where is the no_grad, the detach or the .data?"),
        Mistake(lambda *inputs: flow_matching_loss(*inputs).item(), "You return a plain Python number. loss.backward() "
            "needs the tensor: leave out .item() or float()."),
    ],
)  # fmt: skip
