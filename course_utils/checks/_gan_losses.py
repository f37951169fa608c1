"""The checks of lesson 10 that are about the two losses of a GAN."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks._docstrings import mistakes
from course_utils.checks._engine import Check


def network(g: torch.Generator, *sizes: int) -> nn.Sequential:
    """A small network with tanh units and weights from g."""
    layers = []
    for a, b in zip(sizes, sizes[1:], strict=False):
        linear = nn.Linear(a, b)
        with torch.no_grad():
            linear.weight.copy_(torch.randn(b, a, generator=g) / a**0.5)
            linear.bias.copy_(0.3 * torch.randn(b, generator=g))
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def _slopes(loss, tensors: list[Tensor]):
    """A scalar loss with its gradients, zeros where none flows; what is no scalar is returned as it is."""
    if not isinstance(loss, Tensor) or loss.ndim:
        return loss
    if not loss.requires_grad:
        return {"value": loss} | {f"gradient {k}": torch.zeros_like(one) for k, one in enumerate(tensors)}
    found = torch.autograd.grad(loss, tensors, allow_unused=True)
    return {"value": loss.detach()} | {
        f"gradient {k}": torch.zeros_like(one) if grad is None else grad
        for k, (one, grad) in enumerate(zip(tensors, found, strict=True))
    }


# ------------------------------------------------------------------------------------------------ discriminator's loss


def _d_inputs(g: torch.Generator) -> tuple:
    x_fake = 1.5 * torch.randn(3, 2, generator=g)  # fewer than real ones: the two means are apart
    return network(g, 2, 7, 1), 1.5 * torch.randn(5, 2, generator=g), x_fake


def _observe_d(fn, discriminator, x, x_fake):
    """The loss, and its gradients by the fake samples and by the discriminator's weights."""
    leaf = x_fake.clone().requires_grad_()
    return _slopes(fn(discriminator, x, leaf * 1.0), [leaf, *discriminator.parameters()])


def _d_loss(discriminator, x, x_fake):
    return F.softplus(-discriminator(x)).mean() + F.softplus(discriminator(x_fake.detach())).mean()


def _not_detached(discriminator, x, x_fake):
    """The value is right, but the gradient flows on through x_fake into the generator, which would learn to make fakes
    that are easier to recognise. What cuts a tensor off from its history?
    """
    return F.softplus(-discriminator(x)).mean() + F.softplus(discriminator(x_fake)).mean()


def _swapped(discriminator, x, x_fake):
    """Your labels are swapped: this discriminator learns to call real samples fake. Which batch gets the label 1?"""
    return F.softplus(discriminator(x)).mean() + F.softplus(-discriminator(x_fake.detach())).mean()


def _value_of_game(discriminator, x, x_fake):
    """You return V, which the discriminator should make large, and optimizers minimise. What is missing is a sign."""
    return -_d_loss(discriminator, x, x_fake)


def _summed(discriminator, x, x_fake):
    """You sum over the batch, so the loss grows with the batch size and so do the steps. Take the mean of each."""
    return F.softplus(-discriminator(x)).sum() + F.softplus(discriminator(x_fake.detach())).sum()


def _halved(discriminator, x, x_fake):
    """You average the two terms. Minus V is their sum: at D = 1/2 it must be 2 log 2 = 1.386, and yours is half."""
    return _d_loss(discriminator, x, x_fake) / 2


def _one_mean(discriminator, x, x_fake):
    """You put real and fake into one batch and take one mean, so the term with more samples counts more (and the sum is
    halved). Take a mean for each of the two, and add.
    """
    losses = [F.softplus(-discriminator(x)), F.softplus(discriminator(x_fake.detach()))]
    return torch.cat(losses).mean()


def _sigmoid_twice(discriminator, x, x_fake):
    """A sigmoid is applied twice. binary_cross_entropy_with_logits and softplus take the logits as they are; only
    binary_cross_entropy takes probabilities.
    """
    real, fake = torch.sigmoid(discriminator(x)), torch.sigmoid(discriminator(x_fake.detach()))
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def _raw_probability(discriminator, x, x_fake):
    """You use the probabilities themselves, without a logarithm. Then a sure mistake costs hardly more than an unsure
    one. Where does the log of the formula belong?
    """
    return -torch.sigmoid(discriminator(x)).mean() - (1 - torch.sigmoid(discriminator(x_fake.detach()))).mean()


def _raw_logits(discriminator, x, x_fake):
    """You subtract mean logits, as a Wasserstein GAN does. Here a logit becomes a probability first, and then its
    logarithm is taken: log sigmoid(l) = -softplus(-l).
    """
    return discriminator(x_fake.detach()).mean() - discriminator(x).mean()


def _real_only(discriminator, x, x_fake):
    """Only the real samples count, so a discriminator that calls everything real is perfect. Where is the second
    term?
    """
    return F.softplus(-discriminator(x)).mean()


def _fake_only(discriminator, x, x_fake):
    """Only the fake samples count, so a discriminator that calls everything fake is perfect. Where is the first
    term?
    """
    return F.softplus(discriminator(x_fake.detach())).mean()


def _same_sign(discriminator, x, x_fake):
    """Both batches get the label 1: the second term is log D(x_fake) where it should be log(1 - D(x_fake))."""
    return F.softplus(-discriminator(x)).mean() + F.softplus(-discriminator(x_fake.detach())).mean()


def _nothing_learned(discriminator, x, x_fake):
    """The value is right, but no gradient reaches the discriminator. Detach the fake samples, not the logits, and use
    neither .item() nor torch.no_grad() here.
    """
    return _d_loss(discriminator, x, x_fake).detach()


def _fake_logits_detached(discriminator, x, x_fake):
    """You detach the logits of the fakes, so the discriminator learns from real samples only. Detach x_fake BEFORE it
    goes into the discriminator.
    """
    return F.softplus(-discriminator(x)).mean() + F.softplus(discriminator(x_fake)).mean().detach()


def _numbers_d(discriminator, x, x_fake):
    """You return a plain Python number. The optimizer needs the tensor with its history: leave out .item() or
    float().
    """
    return _d_loss(discriminator, x, x_fake).item()


def _each_sample_d(discriminator, x, x_fake):
    """You return one loss a sample; backward() needs a single number. Which reduction is missing?"""
    return F.softplus(-discriminator(x))


# ------------------------------------------------------------------------------------------------ generator's loss


def _g_inputs(g: torch.Generator) -> tuple:
    return network(g, 2, 7, 1), 1.5 * torch.randn(5, 2, generator=g)


def _observe_g(fn, discriminator, x_fake):
    """The loss, and its gradient by the fake samples."""
    leaf = x_fake.clone().requires_grad_()
    return _slopes(fn(discriminator, leaf * 1.0), [leaf])


def _g_loss(discriminator, x_fake):
    return F.softplus(-discriminator(x_fake)).mean()


def _saturating(discriminator, x_fake):
    """This is the generator's side of the game, log(1 - D): right in theory, but its gradient dies where the
    discriminator wins. Which loss is lowest for the same fakes and steepest where D is near 0?
    """
    return -F.softplus(discriminator(x_fake)).mean()


def _cut_off(discriminator, x_fake):
    """The value is right, but no gradient reaches x_fake, so the generator could not learn. In Exercise 1 the fakes had
    to be detached: and here?
    """
    return _g_loss(discriminator, x_fake.detach())


def _upside_down(discriminator, x_fake):
    """You return mean log D, which the generator should make large, and optimizers minimise. A sign is missing."""
    return -_g_loss(discriminator, x_fake)


def _helps_the_other(discriminator, x_fake):
    """This is the discriminator's term: whoever minimises it makes fakes that look fake. Which label should the
    generator wish for?
    """
    return F.softplus(discriminator(x_fake)).mean()


def _summed_g(discriminator, x_fake):
    """You sum over the batch, so the steps grow with the batch size. Take the mean."""
    return F.softplus(-discriminator(x_fake)).sum()


def _sigmoid_twice_g(discriminator, x_fake):
    """A sigmoid is applied twice: softplus and binary_cross_entropy_with_logits take the logit as it is."""
    return F.softplus(-torch.sigmoid(discriminator(x_fake))).mean()


def _raw_probability_g(discriminator, x_fake):
    """You use D itself, without the logarithm: -mean D(x_fake). Its gradient dies where D is near 0, as that of the
    saturating loss does.
    """
    return -torch.sigmoid(discriminator(x_fake)).mean()


def _probability_of_fake(discriminator, x_fake):
    """You use 1 - D, without a logarithm. Its gradient dies where D is near 0, as that of the saturating loss does."""
    return (1 - torch.sigmoid(discriminator(x_fake))).mean()


def _raw_logit_g(discriminator, x_fake):
    """You use the logit itself, as Wasserstein and hinge GANs do. Here its log-probability is wanted: what is -log
    sigmoid(l)?
    """
    return -discriminator(x_fake).mean()


def _log_of_mean(discriminator, x_fake):
    """You take the logarithm of the mean probability; wanted is the mean of the logarithms. Which comes first?"""
    return -torch.sigmoid(discriminator(x_fake)).mean().log()


def _numbers_g(discriminator, x_fake):
    """You return a plain Python number. The optimizer needs the tensor with its history: leave out .item() or
    float().
    """
    return _g_loss(discriminator, x_fake).item()


def _each_sample(discriminator, x_fake):
    """You return one loss a sample; backward() needs a single number. Which reduction is missing?"""
    return F.softplus(-discriminator(x_fake))


# fmt: off
DISCRIMINATOR_LOSS = Check(
    name="gan-discriminator-loss",
    lesson="10",
    reference=_d_loss,
    make_inputs=_d_inputs,
    observe=_observe_d,
    mistakes=mistakes(
        _not_detached, _swapped, _value_of_game, _summed, _halved, _one_mean, _sigmoid_twice, _raw_probability,
        _raw_logits, _real_only, _fake_only, _same_sign, _nothing_learned, _fake_logits_detached, _numbers_d,
        _each_sample_d,
    ),
)

GENERATOR_LOSS = Check(
    name="gan-generator-loss",
    lesson="10",
    reference=_g_loss,
    make_inputs=_g_inputs,
    observe=_observe_g,
    mistakes=mistakes(
        _saturating, _cut_off, _upside_down, _helps_the_other, _summed_g, _sigmoid_twice_g, _raw_probability_g,
        _probability_of_fake, _raw_logit_g, _log_of_mean, _numbers_g, _each_sample,
    ),
)
# fmt: on
