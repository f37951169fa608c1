"""two-heads: mean, log-variance and standard deviation of q(z|x)."""

from itertools import permutations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._observing import gradient


def cloud(features, head_mu, head_logvar):
    logvar = head_logvar(features)
    return head_mu(features), logvar, torch.exp(0.5 * logvar)


def std_is(std):
    """A wrong answer whose std is another function of logvar."""
    return lambda f, head_mu, head_logvar: (head_mu(f), head_logvar(f), std(head_logvar(f)))


def middle_is(change):
    """A wrong answer that returns something else as logvar; mu and std are right."""
    return lambda f, head_mu, head_logvar: (head_mu(f), change(head_logvar(f)), torch.exp(0.5 * head_logvar(f)))


def mu_is(change):
    return lambda f, head_mu, head_logvar: (change(head_mu(f), head_logvar(f)), *cloud(f, head_mu, head_logvar)[1:])


def linear(g, inputs, outputs):
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(generator=g)
    return layer


def heads(count, width, latent_dim, scale=1.0):
    def inputs(g):
        features = scale * torch.randn(count, width, generator=g)
        return features, linear(g, width, latent_dim), linear(g, width, latent_dim)

    return inputs


def observe(fn, features, head_mu, head_logvar):
    """The three results, and the gradients that they send to the heads and to the features."""
    leaf = features.clone().requires_grad_()
    given = leaf * 1.0
    out = fn(given, head_mu, head_logvar)
    if not torch.equal(given, features):
        features.copy_(given.detach())
    if not (isinstance(out, (tuple, list)) and len(out) == 3 and all(isinstance(one, Tensor) for one in out)):
        return out
    if not all(one.is_floating_point() for one in out):
        return out
    mu, logvar, std = out
    return Parts({
        "": tuple(one.detach() for one in out),
        "gradient for head_mu, from mu": gradient(mu, [head_mu.weight]),
        "gradient for head_logvar, from logvar": gradient(logvar, [head_logvar.weight]),
        "gradient for head_logvar, from std": gradient(std, [head_logvar.weight]),
        "gradient for features, from mu": gradient(mu, [leaf]),
        "gradient for features, from logvar and std": torch.cat([gradient(logvar, [leaf]), gradient(std, [leaf])]),
    })  # fmt: skip


CUT = "Is there a detach, a no_grad or a .data on the way?"
ORDER = "The three results are right but in the wrong order: return mu, then logvar, then std."

CHECK = Check(
    cloud,
    inputs={"": heads(3, 5, 4), "there is one image and a code of one number": heads(1, 6, 1),
            "clouds are very narrow and very wide": heads(7, 3, 2, scale=4.0)},
    observe=observe,
    mistakes=[
        Mistake(std_is(torch.exp),
                "Your std is exp(logvar), which is the variance. Where is the half that the square root brings?"),
        Mistake(std_is(lambda logvar: logvar),
                "You return logvar itself as std. It is a logarithm and may be negative: how do you undo it?"),
        Mistake(std_is(lambda logvar: 0.5 * logvar),
                "Half of logvar is the logarithm of std. One function is still missing."),
        Mistake(std_is(lambda logvar: torch.exp(2 * logvar)),
                "You return exp(2 * logvar). The variance is exp(logvar); std is its square ROOT: which factor?"),
        Mistake(std_is(lambda logvar: torch.exp(-0.5 * logvar)),
                "You return exp(-0.5 * logvar), which is 1 / sigma. Should a larger logvar mean a narrower cloud?"),
        Mistake(std_is(lambda logvar: 0.5 * torch.exp(logvar)),
                "You halve the variance. The half belongs into the exponent: exp(logvar / 2) is its square root."),
        Mistake(std_is(lambda logvar: logvar.abs().sqrt()),
                "You take the square root of logvar. Undo the logarithm first: exp, and then the root."),
        Mistake(std_is(torch.sqrt),
                "You take the square root of logvar, which is not a number (nan) where logvar is negative. Undo the "
                "logarithm first: exp, and then the root."),
        Mistake(std_is(torch.abs),
                "You return the absolute value of logvar. What undoes a logarithm?"),
        Mistake(std_is(torch.square),
                "You return the square of logvar. What undoes a logarithm?"),
        Mistake(std_is(torch.relu),
                "You cut logvar off at 0. What undoes a logarithm, and gives positive numbers by itself?"),
        Mistake(std_is(softplus),
                "Softplus makes std positive, but it does not undo a logarithm. Here the head's output stands for "
                "log(sigma^2): which function gives sigma?"),
        Mistake(std_is(torch.sigmoid),
                "A sigmoid makes std positive, but it does not undo a logarithm. Which function does?"),
        Mistake(std_is(lambda logvar: 10 ** (0.5 * logvar)),
                "You return 10 to the power of logvar / 2. logvar is a natural logarithm: which function undoes it?"),
        Mistake(std_is(lambda logvar: 2 ** (0.5 * logvar)),
                "You return 2 to the power of logvar / 2. logvar is a natural logarithm: which function undoes it?"),
        Mistake(std_is(lambda logvar: torch.exp(0.5 * logvar.mean(dim=0, keepdim=True)).expand_as(logvar)),
                "All images get the same std: you average logvar over the batch. Each image has a cloud of its own."),
        Mistake(std_is(lambda logvar: torch.exp(0.5 * logvar).clamp(max=1)),
                "You cut std off at 1. A cloud may be wider: which step can go?"),
        Mistake(std_is(lambda logvar: torch.exp(0.5 * logvar.clamp(-10, 10))),
                "You limit logvar before the exponential, and very narrow or very wide clouds get a wrong std. Which "
                "step can go?"),
        Mistake(middle_is(torch.exp),
                "mu and std are right, but in the middle you return the variance. logvar is what head_logvar returns, "
                "unchanged."),
        Mistake(middle_is(lambda logvar: 0.5 * logvar),
                "mu and std are right, but in the middle you return log(sigma). logvar is log(sigma^2), twice as "
                "much."),
        Mistake(middle_is(lambda logvar: 2 * logvar),
                "mu and std are right, but in the middle you return twice what head_logvar returns. It is log(sigma^2) "
                "already."),
        Mistake(middle_is(lambda logvar: logvar.abs().log()),
                "mu and std are right, but you take the logarithm of what head_logvar returns. It is one already."),
        Mistake(middle_is(torch.neg),
                "mu and std are right, but your logvar has the wrong sign."),
        Mistake(middle_is(lambda logvar: torch.exp(0.5 * logvar)),
                "You return std twice. In the middle belongs logvar, what head_logvar returns."),
        Mistake(lambda f, head_mu, head_logvar: (head_mu(f), head_logvar(f).exp(), head_logvar(f).exp().exp().sqrt()),
                "You undo the logarithm twice: your logvar is the variance, and std is computed from it as if it were "
                "log(sigma^2). Which exp can go?"),
        Mistake(lambda f, head_mu, head_logvar: (
                    head_mu(f), head_logvar(f).abs().log(), head_logvar(f).abs().sqrt()),
                "You take what head_logvar returns for the variance and its logarithm for logvar. It returns "
                "log(sigma^2) itself."),
        Mistake(lambda f, head_mu, head_logvar: (head_mu(f), 2 * head_logvar(f), head_logvar(f).exp()),
                "You take what head_logvar returns for log(sigma). It returns log(sigma^2), which is logvar itself."),
        Mistake(lambda f, head_mu, head_logvar: (head_logvar(f), head_mu(f), torch.exp(0.5 * head_mu(f))),
                "The heads are swapped: head_mu gives the mean, head_logvar the width."),
        Mistake(lambda f, head_mu, head_logvar: (head_mu(f), head_mu(f), torch.exp(0.5 * head_mu(f))),
                "All results come from head_mu. The width has a head of its own."),
        Mistake(lambda f, head_mu, head_logvar: (
                    head_logvar(f), head_logvar(f), torch.exp(0.5 * head_logvar(f))),
                "All results come from head_logvar. The mean has a head of its own."),
        Mistake(lambda f, head_mu, head_logvar: (head_mu(f), head_logvar(f), torch.exp(0.5 * head_mu(f))),
                "mu and logvar are right, but std is computed from mu. From which of the two does the width come?"),
        Mistake(lambda f, head_mu, head_logvar: (head_mu(f), head_logvar(f), f.std(dim=1, keepdim=True).expand_as(
                    head_mu(f))),
                "Your std is that of the features. The width of the cloud is what head_logvar says: how do you get "
                "from log(sigma^2) to sigma?"),
        Mistake(mu_is(lambda mu, logvar: mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)),
                "You return a draw from the cloud in place of its centre. Drawing comes later; mu is what head_mu "
                "returns."),
        Mistake(mu_is(lambda mu, logvar: torch.sigmoid(mu)),
                "There is a sigmoid on mu. The centre may lie anywhere: mu is what head_mu returns, unchanged."),
        Mistake(mu_is(lambda mu, logvar: torch.tanh(mu)),
                "There is a tanh on mu. The centre may lie anywhere: mu is what head_mu returns, unchanged."),
        Mistake(mu_is(lambda mu, logvar: torch.relu(mu)),
                "There is a ReLU on mu. The centre may lie anywhere: mu is what head_mu returns, unchanged."),
        Mistake(lambda f, head_mu, head_logvar: cloud(f.relu(), head_mu, head_logvar),
                "There is a ReLU on the features. They come out of the encoder's first layers as the heads need them."),
        Mistake(lambda f, head_mu, head_logvar: (head_mu(f), torch.exp(0.5 * head_logvar(f))),
                "Your mu and std are right. Return logvar as well, between the two: the loss will need it."),
        Mistake(lambda f, head_mu, head_logvar: (head_mu(f), head_logvar(f)),
                "You stop at logvar. The third result is std, computed from it."),
        *(Mistake(lambda f, head_mu, head_logvar, order=order: tuple(cloud(f, head_mu, head_logvar)[k] for k in order),
                  ORDER) for order in list(permutations(range(3)))[1:]),
        Mistake(lambda f, head_mu, head_logvar: cloud(f.detach(), head_mu, head_logvar),
                f"The numbers are right, but no gradient reaches the features, so the encoder's first layers would "
                f"never learn. {CUT}"),
        Mistake(lambda f, head_mu, head_logvar: tuple(one.detach() for one in cloud(f, head_mu, head_logvar)),
                f"The numbers are right, but no gradient reaches the heads, so nothing would ever learn. {CUT}"),
        Mistake(lambda f, head_mu, head_logvar: (head_mu(f).detach(), *cloud(f, head_mu, head_logvar)[1:]),
                f"The numbers are right, but no gradient reaches head_mu from your mu, so it would never learn. {CUT}",
                part="gradient for head_mu, from mu"),
        Mistake(middle_is(Tensor.detach),
                "The numbers are right, but no gradient reaches head_logvar from your logvar, so it would never learn "
                f"from the price that the loss puts on it. {CUT}", part="gradient for head_logvar, from logvar"),
        Mistake(std_is(lambda logvar: torch.exp(0.5 * logvar).detach()),
                "The numbers are right, but no gradient reaches head_logvar from your std, so it would never learn "
                f"what the decoder needs. {CUT}", part="gradient for head_logvar, from std"),
    ],
)  # fmt: skip
