"""gan-generator-loss: the non-saturating loss, whose gradient reaches the fakes."""

import torch
import torch.nn.functional as F

from course_utils.checks._check import Check, Mistake
from course_utils.checks.lesson_10.gan_discriminator_loss import TINY, Value, judge, log_d, log_not_d, sure

CAPPED = (
    "A clamp or a small number keeps your logarithm finite, but it also caps the loss where the discriminator is sure "
    "that a sample is fake, and there the gradient is needed most. Which functions take the logits as they are?"
)


def generator_loss(discriminator, x_fake):
    return F.softplus(-discriminator(x_fake)).mean()


def loss_is(loss):
    """A wrong answer: another function of the logits."""
    return lambda discriminator, x_fake: loss(discriminator(x_fake))


def samples(number, *shape):
    return lambda g: (judge(g, *shape), 1.5 * torch.randn(number, *shape, generator=g))


CHECK = Check(
    generator_loss,
    inputs={"": samples(5, 2), "there are images, and the logits have shape (K,)": samples(6, 2, 3, 2),
            "there is one sample": samples(1, 3),
            "the discriminator is very sure, with logits beyond 100": sure([-130, 125, -30, 2])},
    gradients=("x_fake",),
    mistakes=[
        Value(loss_is(lambda logits: log_not_d(logits).mean()), "This is the generator's side of the game, log(1 - D): "
            "right in theory, but its gradient dies where the discriminator wins. Which loss is lowest for the same "
            "fakes and steepest where D is near 0?"),
        Mistake(lambda discriminator, x_fake: generator_loss(discriminator, x_fake.detach()), "The value is right, but "
            "no gradient reaches x_fake, so the generator could not learn. In Exercise 1 the fakes had to be detached: "
            "and here?"),
        Value(loss_is(lambda logits: -logits.sigmoid().log().mean()), "Where the discriminator is very sure your loss "
            "is infinite: the sigmoid is rounded to 0, or an exp overflows. Which functions take the logits as they "
            "are?"),
        Value(loss_is(lambda logits: F.binary_cross_entropy(logits.sigmoid(), torch.ones_like(logits))),
            "binary_cross_entropy cuts its logarithm off at -100, and where the sigmoid is rounded to 0 no gradient is "
            "left. Which variant takes the logits as they are?"),
        *[Value(loss_is(lambda logits, tiny=tiny: -(logits.sigmoid() + tiny).log().mean()), CAPPED) for tiny in TINY],
        Value(loss_is(lambda logits: log_d(logits).mean()), "You return mean log D, which the generator should make "
            "large, and optimizers minimise. A sign is missing."),
        Value(loss_is(lambda logits: -log_not_d(logits).mean()), "This is the discriminator's term: whoever minimises "
            "it makes fakes that look fake. Which label should the generator wish for?"),
        Value(loss_is(lambda logits: -log_d(logits).sum()), "You sum over the batch, so the steps grow with the batch "
            "size. Take the mean."),
        Value(loss_is(lambda logits: -log_d(logits.sigmoid()).mean()), "A sigmoid is applied twice: softplus and "
            "binary_cross_entropy_with_logits take the logit as it is."),
        Value(loss_is(lambda logits: -logits.sigmoid().mean()), "You use D itself, without the logarithm: -mean "
            "D(x_fake). Its gradient dies where D is near 0, as that of the saturating loss does."),
        Value(loss_is(lambda logits: (1 - logits.sigmoid()).mean()), "You use 1 - D, without a logarithm. Its gradient "
            "dies where D is near 0, as that of the saturating loss does."),
        Value(loss_is(lambda logits: -logits.mean()), "You use the logit itself, as Wasserstein and hinge GANs do. "
            "Here its log-probability is wanted: what is -log sigmoid(l)?"),
        Value(loss_is(lambda logits: -logits.log().mean()), "You take the logarithm of logits, which may be negative. "
            "What turns a logit into a probability?"),
        Value(loss_is(lambda logits: -logits.sigmoid().mean().log()), "You take the logarithm of the mean probability; "
            "wanted is the mean of the logarithms. Which comes first?"),
        Value(loss_is(lambda logits: F.softplus(-logits.mean())), "You average the logits before you take the "
            "logarithm of D. Wanted is the mean of the logarithms."),
        *[Value(loss_is(lambda logits, f=f: (1 - f(logits)).square().mean()),
                "You take a squared distance from 1, as a least-squares GAN does. Wanted is -log D, which is steep "
                "where D is near 0.") for f in (torch.sigmoid, torch.clone)],
        *[Value(loss_is(lambda logits, count=count: -log_d(logits).sum() / count),
                f"You divide the sum by {count}. How many samples are there?") for count in (64, 100, 128)],
        Value(loss_is(lambda logits: (1 - logits).relu().mean()), "That is a hinge. Wanted is -log D(x_fake), which is "
            "never quite 0."),
        Value(loss_is(lambda logits: -(log_d(logits) + log_not_d(logits)).mean()), "You add the terms of both labels "
            "for the fakes: lowest where D is 1/2. The generator wants one label only."),
        Value(loss_is(lambda logits: -log_d(logits).mean() / torch.tensor(2.0).log()), "Your logarithm has base 2. The "
            "formula's log is the natural one."),
        Mistake(lambda *inputs: generator_loss(*inputs).item(), "You return a plain Python number. The optimizer needs "
            "the tensor with its history: leave out .item() or float()."),
        Mistake(loss_is(lambda logits: -log_d(logits)), "You return one loss a sample; backward() needs a single "
            "number. Which reduction is missing?"),
    ],
)  # fmt: skip
