"""slope-penalty: R1, the mean squared length of the discriminator's gradient at real samples."""

import torch

from course_utils.checks._check import Check, Mistake
from course_utils.checks.lesson_10.gan_step import judge


def r1_penalty(discriminator, x):
    return length_is(lambda slope: slope.square().sum(dim=1).mean())(discriminator, x)


def slopes(discriminator, x, graph=True, output=torch.sum):
    """The gradient of each sample's logit by its own numbers, (B, numbers)."""
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(output(discriminator(x)), x, create_graph=graph)[0].flatten(1)


def length_is(measure, **options):
    """A wrong answer that makes another number of the slopes (B, numbers), or of other slopes."""
    return lambda discriminator, x: measure(slopes(discriminator, x, **options))


def squared(slope):
    return slope.square().sum(dim=1).mean()


def by_the_weights(discriminator, x):
    found = torch.autograd.grad(discriminator(x).mean(), list(discriminator.parameters()), create_graph=True)
    return sum(one.square().sum() for one in found)


def samples(number, *shape):
    return lambda g: (judge(g, *shape), torch.randn(number, *shape, generator=g))


CHECK = Check(
    r1_penalty,
    inputs={"": samples(5, 2), "there are images, and the logits have shape (B,)": samples(4, 2, 3, 2),
            "there is one sample": samples(1, 3)},
    gradients=("discriminator",),
    mistakes=[
        Mistake(length_is(squared, graph=False), "The value is right, but no gradient reaches the discriminator's "
            "weights. The penalty is itself made of a gradient: which argument of torch.autograd.grad keeps the graph "
            "for a second one? (And there must be no detach() at the end.)"),
        Mistake(length_is(squared, output=torch.mean), "Your slopes are those of the mean logit, so each is divided by "
            "the size of the batch. Whose gradient gives each sample its own whole slope: the mean's or the sum's?"),
        Mistake(length_is(lambda slope: slope.norm(dim=1).mean()), "You average the length. R1 has the squared "
            "length."),
        Mistake(length_is(lambda slope: slope.square().sum()), "You add up over the batch. Take the mean of the "
            "samples' squared lengths."),
        Mistake(length_is(lambda slope: slope.square().mean()), "You average over the numbers of a sample as well. "
            "The squared length of a slope is the SUM of its squares; only the batch is averaged."),
        Mistake(length_is(lambda slope: slope.square().mean(dim=1).sum()), "Mean and sum are swapped: add up over the "
            "numbers of a sample, average over the batch."),
        Mistake(length_is(lambda slope: slope.sum(dim=1).square().mean()), "You add up the numbers of a slope before "
            "you square them, so they cancel. Which comes first?"),
        Mistake(length_is(lambda slope: slope.mean(dim=0).square().sum()), "You average the slopes over the batch "
            "before you square them, so slopes in opposite directions cancel. Square each sample's slope first."),
        Mistake(length_is(lambda slope: slope.abs().sum(dim=1).mean()), "You add up absolute values. The squared "
            "length adds up squares."),
        Mistake(length_is(lambda slope: 0.5 * squared(slope)), "Yours is half of it. The factor gamma / 2 comes later, "
            "where the penalty is added to the loss."),
        Mistake(length_is(lambda slope: (slope.norm(dim=1) - 1).square().mean()), "You ask for slopes of length 1, as "
            "the Wasserstein GAN does. R1 asks for slopes of length 0."),
        Mistake(length_is(squared, output=lambda logits: torch.sigmoid(logits).sum()), "You take the slope of the "
            "probability, sigmoid(l). R1 has the slope of the logit."),
        Mistake(length_is(squared, output=lambda logits: logits.reshape(-1)[0]), "Only the first sample counts: the "
            "gradient is that of its logit alone. Add up the logits of the batch before you differentiate."),
        Mistake(lambda discriminator, x: discriminator(x).square().mean(), "That is the mean squared logit. Wanted is "
            "its slope: the gradient with respect to x."),
        Mistake(by_the_weights, "You differentiate by the discriminator's weights. The slope of l is its gradient with "
            "respect to x."),
        Mistake(lambda discriminator, x: slopes(discriminator, x).square().sum(dim=1), "You return the squared length "
            "for each sample. Return their mean."),
        Mistake(lambda discriminator, x: slopes(discriminator, x), "You return the slopes. Return the mean of their "
            "squared lengths, one number."),
        Mistake(lambda discriminator, x: r1_penalty(discriminator, x).item(), "You return a plain Python number, "
            "through which no gradient flows. Leave out .item() or float()."),
    ],
)  # fmt: skip
