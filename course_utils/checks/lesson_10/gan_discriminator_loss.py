"""gan-discriminator-loss: minus the value of the game, and no gradient for whoever made the fakes."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._observing import with_gradients

Value = partial(Mistake, part="")  # recognised by the loss itself, whatever its gradients are
TINY = (1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)
CAPPED = (
    "A clamp or a small number keeps your logarithm finite, but it also caps the loss of a sure and wrong "
    "discriminator, and its gradient dies. Which functions take the logits as they are?"
)


def discriminator_loss(discriminator, x, x_fake):
    return F.softplus(-discriminator(x)).mean() + F.softplus(discriminator(x_fake.detach())).mean()


def loss_is(loss):
    """A wrong answer: another function of the real and the fake logits."""
    return lambda discriminator, x, x_fake: loss(discriminator(x), discriminator(x_fake.detach()))


def log_d(logits):
    return -F.softplus(-logits)


def log_not_d(logits):
    return -F.softplus(logits)


def network(g, *sizes):
    """A small network with tanh units and weights from g."""
    layers = []
    for a, b in zip(sizes, sizes[1:], strict=False):
        linear = nn.Linear(a, b)
        with torch.no_grad():
            linear.weight.copy_(torch.randn(b, a, generator=g) / a**0.5)
            linear.bias.copy_(0.3 * torch.randn(b, generator=g))
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def judge(g, *shape):
    """A discriminator of samples of a shape; it returns (B, 1) for points, (B,) for images."""
    layers = network(g, torch.zeros(shape).numel(), 7, 1)
    return layers if len(shape) == 1 else nn.Sequential(nn.Flatten(), *layers, nn.Flatten(0))


def sure(*batches):
    """Points and a discriminator of them whose logits are those given, or up to 1 more."""

    def inputs(g):
        discriminator = network(g, 2, 1)
        weight, bias = (one.detach() for one in discriminator.parameters())
        batch = [torch.tensor(logits)[:, None] + torch.rand(len(logits), 1, generator=g) for logits in batches]
        return discriminator, *((logits - bias) * weight / weight.square().sum() for logits in batch)

    return inputs


def samples(real, fake, *shape):
    return lambda g: (judge(g, *shape), *(1.5 * torch.randn(n, *shape, generator=g) for n in (real, fake)))


def observe(fn, discriminator, x, x_fake):
    """The loss and its gradients, and whether x_fake still hangs on the generator afterwards."""
    seen = []

    def watched(discriminator, x, x_fake):
        seen.append(x_fake)
        return fn(discriminator, x, x_fake)

    out = with_gradients(watched, discriminator_loss, ("discriminator", "x_fake"), discriminator, x, x_fake)
    if isinstance(out, Parts):
        out["in the history of x_fake"] = torch.tensor(seen[0].requires_grad)
    return out


CHECK = Check(
    discriminator_loss,
    inputs={"": samples(5, 3, 2), "there are images, and the logits have shape (B,)": samples(4, 6, 2, 3, 2),
            "there are as many fakes as real samples": samples(4, 4, 3),
            "the discriminator is very sure, with logits beyond 100":
            sure([-130, 120, 2, -30], [125, -140, 30, -1, 3])},
    observe=observe,
    mistakes=[
        Mistake(lambda discriminator, x, x_fake: log_d(discriminator(x)).mean().neg() -
            log_not_d(discriminator(x_fake)).mean(), "The value is right, but the gradient flows through x_fake into "
            "the generator, which would learn to be recognised. What cuts a tensor off from its history?"),
        Mistake(lambda discriminator, x, x_fake: discriminator_loss(discriminator, x, x_fake.detach_()),
            "detach_ with an underscore cuts x_fake itself. The generator's loss needs the same tensor with its "
            "history later: detach() makes one beside it.", part="in the history of x_fake"),
        Value(loss_is(lambda real, fake: -real.sigmoid().log().mean() - (1 - fake.sigmoid()).log().mean()),
            "Where the discriminator is very sure your loss is infinite: a sigmoid is rounded to 0 or 1, or an exp "
            "overflows. Which functions take the logits as they are?"),
        Value(loss_is(lambda real, fake: sum(F.binary_cross_entropy(one.sigmoid(), one * 0 + label) for one, label in
            ((real, 1), (fake, 0)))), "binary_cross_entropy cuts its logarithms off at -100, and where a sigmoid is "
            "rounded to 0 or 1 no gradient is left. Which variant takes the logits as they are?"),
        *[Value(loss_is(lambda real, fake, tiny=tiny: -(real.sigmoid() + tiny).log().mean()
                        - (1 - fake.sigmoid() + tiny).log().mean()), CAPPED) for tiny in TINY],
        Value(loss_is(lambda real, fake: -log_not_d(real).mean() - log_d(fake).mean()), "Your labels are swapped. "
            "Which batch gets the label 1?"),
        Value(loss_is(lambda real, fake: log_d(real).mean() + log_not_d(fake).mean()), "You return V, which the "
            "discriminator should make large, and optimizers minimise. What is missing is a sign."),
        Value(loss_is(lambda real, fake: -log_d(real).mean() + log_not_d(fake).mean()), "The first term has its minus, "
            "the second not: minus V is minus both."),
        Value(loss_is(lambda real, fake: log_d(real).mean() - log_not_d(fake).mean()), "The second term has its minus, "
            "the first not: minus V is minus both."),
        Value(loss_is(lambda real, fake: -log_d(real).sum() - log_not_d(fake).sum()), "You sum over the batch, so the "
            "steps grow with the batch size. Take the mean of each."),
        Value(loss_is(lambda real, fake: -(log_d(real).mean() + log_not_d(fake).mean()) / 2), "You average the two "
            "terms. Minus V is their sum: at D = 1/2 it must be 2 log 2 = 1.386, and yours is half."),
        Value(loss_is(lambda real, fake: -torch.cat([log_d(real), log_not_d(fake)]).mean()), "You take one mean over "
            "real and fake together, so the larger batch counts more and the sum is halved. Take a mean for each of "
            "the two, and add."),
        Value(loss_is(lambda real, fake: -2 * torch.cat([log_d(real), log_not_d(fake)]).mean()),
            "You take twice the mean over real and fake together, which is right only for as many of the one as of the "
            "other. Take a mean for each of the two, and add."),
        Value(loss_is(lambda real, fake: -log_d(real.sigmoid()).mean() - log_not_d(fake.sigmoid()).mean()),
            "A sigmoid is applied twice: softplus and binary_cross_entropy_with_logits take the logits as they are."),
        Value(loss_is(lambda real, fake: -real.sigmoid().mean() - (1 - fake.sigmoid()).mean()),
            "You use the probabilities themselves. Where does the log of the formula belong?"),
        *[Value(loss_is(lambda real, fake, one=one: one - real.sigmoid().mean() + fake.sigmoid().mean()),
                "You add or subtract probabilities; the formula has their logarithms: log D(x) and log(1 - D(x_fake)).")
          for one in (0, 1)],
        Value(loss_is(lambda real, fake: F.softplus(-real.mean()) + F.softplus(fake.mean())), "You average the logits "
            "before you take the logarithms of D. Wanted are means of logarithms."),
        *[Value(loss_is(lambda real, fake, label=label: -label * log_d(real).mean()
                        - (1 - label) * log_not_d(real).mean() - log_not_d(fake).mean()),
                "Your label for real samples is below 1 (label smoothing). The game has 1.") for label in (0.9, 0.95)],
        Value(loss_is(lambda real, fake: fake.mean() - real.mean()), "You subtract mean logits, as a Wasserstein GAN "
            "does. Here a logit becomes a probability first, and then its logarithm is taken: log sigmoid(l) = "
            "-softplus(-l)."),
        Value(loss_is(lambda real, fake: (1 - real).relu().mean() + (1 + fake).relu().mean()), "That is the hinge "
            "loss. It trains GANs too, but is not minus the V of the game above: where are its logarithms?"),
        *[Value(loss_is(lambda real, fake, f=f: (1 - f(real)).square().mean() + f(fake).square().mean()),
                "You take squared distances from the labels, as a least-squares GAN does. The game above has "
                "logarithms of probabilities.") for f in (torch.sigmoid, torch.clone)],
        Value(loss_is(lambda real, fake: -real.log().mean() - (1 - fake).log().mean()), "You take the logarithm of "
            "logits, which may be negative. What turns a logit into a probability?"),
        Value(loss_is(lambda real, fake: -real.sigmoid().mean().log() - (1 - fake.sigmoid().mean()).log()),
            "You take logarithms of mean probabilities; wanted are means of logarithms. Which comes first?"),
        Value(loss_is(lambda real, fake: -(log_d(real).mean() + log_not_d(fake).mean()) / torch.tensor(2.0).log()),
            "Your logarithm has base 2. The formula's log is the natural one."),
        Value(loss_is(lambda real, fake: -log_d(real).mean() - log_not_d(real).mean()), "Both of your terms use the "
            "real samples. Which of the two should get x_fake?"),
        Value(loss_is(lambda real, fake: -log_d(fake).mean() - log_not_d(fake).mean()), "Both of your terms use the "
            "fake samples. Which of the two should get x?"),
        Value(loss_is(lambda real, fake: -log_d(real).mean()), "Only the real samples count, so a discriminator that "
            "calls everything real is perfect. Where is the second term?"),
        Value(loss_is(lambda real, fake: -log_not_d(fake).mean()), "Only the fake samples count, so a discriminator "
            "that calls everything fake is perfect. Where is the first term?"),
        Value(loss_is(lambda real, fake: -log_d(fake).mean()), "That is what the generator will want, in the next "
            "exercise. The discriminator wants to tell the two apart."),
        Value(loss_is(lambda real, fake: -log_d(real).mean() - log_d(fake).mean()), "Both batches get the label 1: the "
            "second term is log D(x_fake) where it should be log(1 - D(x_fake))."),
        Mistake(lambda *inputs: discriminator_loss(*inputs).detach(), "The value is right, but no gradient reaches the "
            "discriminator. Detach the fake samples, not the logits, and use neither .item() nor torch.no_grad() "
            "here."),
        Mistake(loss_is(lambda real, fake: -log_d(real).mean() - log_not_d(fake.detach()).mean()),
            "The discriminator learns from real samples only: its logits of the fakes are detached, or made under "
            "no_grad. Detach x_fake BEFORE it goes into the discriminator.", part="gradient for discriminator"),
        Mistake(loss_is(lambda real, fake: -log_d(real.detach()).mean() - log_not_d(fake).mean()),
            "The value is right, but the logits of the real samples are cut off, so the discriminator learns from "
            "fakes only. Only x_fake is to be detached.", part="gradient for discriminator"),
        Mistake(lambda *inputs: discriminator_loss(*inputs).item(), "You return a plain Python number. The optimizer "
            "needs the tensor with its history: leave out .item() or float()."),
        Mistake(loss_is(lambda real, fake: (-log_d(real).mean(), -log_not_d(fake).mean())), "You return the two terms "
            "one by one. backward() needs a single number: their sum."),
        Mistake(loss_is(lambda real, fake: -log_d(real)), "You return one loss a sample; backward() needs a single "
            "number. Which reduction is missing, and where is the term of the fakes?"),
    ],
)  # fmt: skip
