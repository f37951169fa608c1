"""two-heads: mean, log-variance and standard deviation of q(z|x)."""

from functools import partial
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


def spread(t, correction=1):
    """The standard deviation over the batch; nan for a batch of one, without a warning."""
    return ((t - t.mean(0)).square().sum(0) / (len(t) - correction)).sqrt()


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


NO_PATH = ("The numbers are right, but no gradient reaches {} would never learn. Is there a detach, a no_grad or a "
    ".data on the way?")
ORDER = "The three results are right but in the wrong order: return mu, then logvar, then std."

CHECK = Check(
    cloud,
    inputs={"": heads(3, 5, 4), "there is one image and a code of one number": heads(1, 6, 1),
            "clouds are very narrow and very wide": heads(7, 3, 2, scale=8.0)},
    observe=observe,
    mistakes=[
        Mistake(std_is(lambda s: softplus(s).sqrt()), "softplus makes a number positive, but it does "
            "not undo a logarithm. Which function does?"),
        Mistake(std_is(torch.exp), "Your std is exp(logvar), which is the variance. Where is the half of the root?"),
        Mistake(std_is(lambda s: s), "You return logvar itself as std. It may be negative: how do you undo a "
            "logarithm?"),
        Mistake(std_is(lambda s: 0.5 * s), "Half of logvar is the logarithm of std. One function is still missing."),
        Mistake(std_is(lambda s: torch.exp(2 * s)), "Your std is the variance squared. It is its ROOT: which factor "
            "has logvar?"),
        Mistake(std_is(lambda s: torch.exp(-0.5 * s)), "Your std is 1 / sigma. Should a larger logvar mean a narrower "
            "cloud?"),
        Mistake(std_is(lambda s: 0.5 * torch.exp(s)), "You halve the variance. Its root has the half in the exponent."),
        Mistake(std_is(lambda s: s.abs().sqrt()), "You take the root of logvar. Undo the logarithm first, with exp."),
        Mistake(std_is(torch.sqrt), "You take the square root of logvar, which is not a number (nan) where logvar is "
            "negative. Undo the logarithm first: exp, and then the root."),
        *(Mistake(std_is(change), f"You return {what} as std. What undoes a logarithm, and is positive by itself?")
          for what, change in {"the absolute value of logvar": torch.abs, "the square of logvar": torch.square,
                               "logvar cut off at 0": torch.relu, "the sigmoid of logvar": torch.sigmoid}.items()),
        Mistake(std_is(softplus), "Softplus makes std positive, but it does not undo a logarithm. Here the head's "
            "output stands for log(sigma^2): which function gives sigma?"),
        *(Mistake(std_is(lambda s, base=base: base ** (0.5 * s)), f"You return {base} to the power of logvar "
            "/ 2. logvar is a natural logarithm: which function undoes it?") for base in (2, 10)),
        Mistake(std_is(lambda s: torch.exp(0.5 * s.mean(dim=0, keepdim=True)).expand_as(s)), "All images get the same "
            "std: you average logvar over the batch. Each image has a cloud of its own."),
        Mistake(std_is(lambda s: torch.exp(0.5 * s).clamp(max=1)), "You cut std off at 1. A cloud may be wider."),
        *(Mistake(answer, "You limit logvar, so very narrow and very wide clouds come out wrong. Which step can go?")
          for size in (4, 5, 10, 20) for cut in (partial(torch.clamp, min=-size, max=size),) for answer in (
              std_is(lambda s, cut=cut: torch.exp(0.5 * cut(s))),
              lambda f, m, v, cut=cut: cloud(f, m, lambda f: cut(v(f))))),
        Mistake(middle_is(torch.exp), "mu and std are right, but you return the variance as logvar."),
        Mistake(middle_is(lambda s: 0.5 * s), "mu and std are right, but your logvar is log(sigma), half as much."),
        Mistake(middle_is(lambda s: 2 * s), "mu and std are right, but your logvar is doubled."),
        Mistake(middle_is(lambda s: s.abs().log()), "mu and std are right, but you take the logarithm twice."),
        Mistake(middle_is(torch.neg), "mu and std are right, but your logvar has the wrong sign."),
        Mistake(middle_is(lambda s: torch.exp(0.5 * s)), "You return std twice. logvar belongs in the middle."),
        Mistake(lambda f, m, v: (m(f), v(f).exp(), v(f).exp().exp().sqrt()), "You undo the logarithm twice: your "
            "logvar is the variance, and std is computed from it as if it were log(sigma^2). Which exp can go?"),
        Mistake(lambda f, m, v: (m(f), v(f).abs().log(), v(f).abs().sqrt()), "You take what head_logvar returns for "
            "the variance and its logarithm for logvar. It returns log(sigma^2) itself."),
        Mistake(lambda f, m, v: (m(f), 2 * v(f), v(f).exp()), "head_logvar does not return log(sigma), but "
            "log(sigma^2)."),
        Mistake(lambda f, m, v: (v(f), m(f), torch.exp(0.5 * m(f))), "The heads are swapped: which one gives the "
            "mean?"),
        Mistake(lambda f, m, v: (m(f), m(f), torch.exp(0.5 * m(f))), "All comes from head_mu. The width has its own "
            "head."),
        Mistake(lambda f, m, v: (v(f), v(f), torch.exp(0.5 * v(f))), "All comes from head_logvar. The mean has its own "
            "head."),
        Mistake(lambda f, m, v: (m(f), v(f), torch.exp(0.5 * m(f))), "mu and logvar are right, but std is computed "
            "from mu. From which of the two does the width come?"),
        Mistake(lambda f, m, v: (m(f), v(f), f.std(dim=1, keepdim=True).expand_as(m(f))), "Your std is that of the "
            "features. The width of the cloud is what head_logvar says: how do you get from log(sigma^2) to sigma?"),
        *(Mistake(lambda f, m, v, k=k: (m(f), v(f), spread(m(f), k).expand_as(m(f))), "Your std is the spread of mu "
            "over the batch. Each image has a width of its own: how do you get from what head_logvar returns, "
            "log(sigma^2), to sigma?") for k in (0, 1)),
        Mistake(lambda f, m, v: (m(f), softplus(v(f)).log(), softplus(v(f)).sqrt()), "You make a variance of what "
            "head_logvar returns, and take the logarithm of that. It returns log(sigma^2) itself, which is logvar."),
        Mistake(lambda f, m, v: cloud(f, *(nn.Linear(*one.weight.shape[::-1]) for one in (m, v))), "You make new "
            "layers, whose weights are drawn anew at every call. Two heads were given: call them on the features."),
        Mistake(mu_is(lambda mu, s: mu + torch.exp(0.5 * s) * torch.randn_like(mu)), "You return a draw from the cloud "
            "in place of its centre. Drawing comes later; mu is what head_mu returns."),
        *(Mistake(mu_is(lambda mu, s, one=one: one(mu)), f"There is a {one.__name__} on mu. The centre may lie "
            "anywhere: mu is what head_mu returns, unchanged.") for one in (torch.sigmoid, torch.tanh, torch.relu)),
        Mistake(lambda f, m, v: cloud(f.relu(), m, v), "There is a ReLU on the features. Hand them to the heads as "
            "they are."),
        Mistake(lambda f, m, v: (m(f), torch.exp(0.5 * v(f))), "logvar is missing: return it between mu and std."),
        Mistake(lambda f, m, v: (m(f), v(f)), "You stop at logvar. The third result is std, computed from it."),
        *(Mistake(lambda f, m, v, order=order: tuple(cloud(f, m, v)[k] for k in order), ORDER)
          for order in list(permutations(range(3)))[1:]),
        Mistake(lambda f, m, v: cloud(f.detach(), m, v), NO_PATH.format("the features, so the encoder's first layers")),
        Mistake(lambda f, m, v: tuple(one.detach() for one in cloud(f, m, v)), NO_PATH.format("the heads, so they")),
        Mistake(mu_is(lambda mu, s: mu.detach()), NO_PATH.format("head_mu from your mu, so it")),
        Mistake(middle_is(Tensor.detach), NO_PATH.format("head_logvar from your logvar, so it")),
        Mistake(std_is(lambda s: torch.exp(0.5 * s).detach()), NO_PATH.format("head_logvar from your std, so it")),
    ],
)  # fmt: skip
