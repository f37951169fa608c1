"""two-heads: centre and log-variance of q(z|x), and one code drawn from it."""

from functools import partial
from itertools import permutations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._observing import gradient


def encode_and_sample(features, head_mu, head_logvar, eps):
    mu, logvar = head_mu(features), head_logvar(features)
    return mu, logvar, mu + torch.exp(0.5 * logvar) * eps


def std_is(std):
    """A wrong answer that draws with another function of logvar as the standard deviation."""
    return z_is(lambda mu, logvar, eps: mu + std(logvar) * eps)


def z_is(draw):
    """A wrong answer that makes z otherwise; mu and logvar are right."""
    return lambda f, m, v, eps: (m(f), v(f), draw(m(f), v(f), eps))


def middle_is(change):
    """A wrong answer that returns something else as logvar; mu and z are right."""
    return lambda f, m, v, eps: (m(f), change(v(f)), encode_and_sample(f, m, v, eps)[2])


def mu_is(change):
    """A wrong answer that returns something else as mu; logvar and z are right."""
    return lambda f, m, v, eps: (change(m(f), v(f)), *encode_and_sample(f, m, v, eps)[1:])


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
        layers = linear(g, width, latent_dim), linear(g, width, latent_dim)
        return features, *layers, torch.randn(count, latent_dim, generator=g)

    return inputs


def observe(fn, features, head_mu, head_logvar, eps):
    """The three results, and the gradients that they send to the heads and to the features."""
    leaf = features.clone().requires_grad_()
    given = leaf * 1.0
    out = fn(given, head_mu, head_logvar, eps)
    if not torch.equal(given, features):
        features.copy_(given.detach())
    if not (isinstance(out, (tuple, list)) and len(out) == 3 and all(isinstance(one, Tensor) for one in out)):
        return out
    if not all(one.is_floating_point() for one in out):
        return out
    mu, logvar, z = out
    return Parts({
        "": tuple(one.detach() for one in out),
        "gradient for head_mu, from mu": gradient(mu, [head_mu.weight]),
        "gradient for head_mu, from z": gradient(z, [head_mu.weight]),
        "gradient for head_logvar, from logvar": gradient(logvar, [head_logvar.weight]),
        "gradient for head_logvar, from z": gradient(z, [head_logvar.weight]),
        "gradient for features, from all three": torch.cat([gradient(one, [leaf]) for one in out]),
    })  # fmt: skip


NO_PATH = ("The numbers are right, but no gradient reaches {} would never learn. Is there a detach, a no_grad or a "
    ".data on the way?")
ORDER = "The three results are right but in the wrong order: return mu, then logvar, then z."

CHECK = Check(
    encode_and_sample,
    inputs={"": heads(3, 5, 4), "there is one image and a code of one number": heads(1, 6, 1),
            "clouds are very narrow and very wide": heads(7, 3, 2, scale=8.0)},
    observe=observe,
    mistakes=[
        Mistake(std_is(torch.exp), "You draw with exp(logvar), which is the variance, sigma squared. z needs sigma: "
            "where does the half go?"),
        Mistake(std_is(lambda s: s), "You draw with logvar itself. It may be negative: how do you undo a logarithm?"),
        Mistake(std_is(lambda s: 0.5 * s), "Half of logvar is the logarithm of sigma. One function is still missing."),
        Mistake(std_is(lambda s: torch.exp(2 * s)), "You draw with the variance squared. Sigma is its ROOT: which "
            "factor has logvar?"),
        Mistake(std_is(lambda s: torch.exp(-0.5 * s)), "You draw with 1 / sigma. Should a larger logvar mean a "
            "narrower cloud?"),
        Mistake(std_is(lambda s: 0.5 * torch.exp(s)), "You halve the variance. Its root has the half in the exponent."),
        Mistake(std_is(lambda s: s.abs().sqrt()), "You take the root of logvar. Undo the logarithm first, with exp."),
        Mistake(std_is(torch.sqrt), "You take the square root of logvar, which is not a number (nan) where logvar is "
            "negative. Undo the logarithm first: exp, and then the root."),
        *(Mistake(std_is(change), f"You draw with {what}. What undoes a logarithm, and is positive by itself?")
          for what, change in {"the absolute value of logvar": torch.abs, "the square of logvar": torch.square,
                               "logvar cut off at 0": torch.relu, "the sigmoid of logvar": torch.sigmoid}.items()),
        Mistake(std_is(softplus), "Softplus makes a number positive, but it does not undo a logarithm. Here the head's "
            "output stands for log(sigma^2): which function gives sigma?"),
        Mistake(std_is(lambda s: softplus(s).sqrt()), "You draw with the root of softplus. It does not undo a "
            "logarithm: which function does?"),
        *(Mistake(std_is(lambda s, base=base: base ** (0.5 * s)), f"You take {base} to the power of logvar / 2. logvar "
            "is a natural logarithm: which function undoes it?") for base in (2, 10)),
        Mistake(std_is(lambda s: torch.exp(0.5 * s.mean(dim=0, keepdim=True))), "All images are drawn with the same "
            "sigma: you average logvar over the batch. Each image has a cloud of its own."),
        Mistake(std_is(lambda s: torch.exp(0.5 * s).clamp(max=1)), "You cut sigma off at 1. A cloud may be wider."),
        *(Mistake(answer, "You limit logvar, so very narrow and very wide clouds come out wrong. Which step can go?")
          for size in (4, 5, 10, 20) for cut in (partial(torch.clamp, min=-size, max=size),) for answer in (
              std_is(lambda s, cut=cut: torch.exp(0.5 * cut(s))),
              lambda f, m, v, e, cut=cut: encode_and_sample(f, m, lambda f: cut(v(f)), e))),
        Mistake(z_is(lambda mu, s, e: mu), "Your z is the centre mu. It should be a draw from the cloud: where does "
            "eps come in?"),
        Mistake(z_is(lambda mu, s, e: torch.exp(0.5 * s) * e), "Your z has the right width around 0. Whose cloud is "
            "it? Its centre is missing."),
        Mistake(z_is(lambda mu, s, e: mu + e), "You add eps as it is, so all clouds have width 1. How wide is this "
            "image's cloud?"),
        Mistake(z_is(lambda mu, s, e: e), "You return eps. It becomes a draw from the cloud when it is stretched by "
            "sigma and moved to mu."),
        Mistake(z_is(lambda mu, s, e: mu - torch.exp(0.5 * s) * e), "You subtract sigma * eps. The distribution is the "
            "same, but the code that belongs to this eps lies on the other side of mu: use a plus."),
        Mistake(z_is(lambda mu, s, e: mu + torch.exp(0.5 * s)), "Your z lies one sigma from the centre for each image: "
            "eps is missing."),
        Mistake(z_is(lambda mu, s, e: mu * torch.exp(0.5 * s) + e), "You stretch mu and add eps. It is the noise that "
            "is stretched by sigma."),
        Mistake(z_is(lambda mu, s, e: (mu + e) * torch.exp(0.5 * s)), "You stretch mu along with the noise. Multiply "
            "eps by sigma first, then add mu."),
        Mistake(z_is(lambda mu, s, e: mu + torch.exp(0.5 * s) * torch.randn_like(mu)), "You draw noise of your own. "
            "What was eps given for?"),
        Mistake(z_is(lambda mu, s, e: mu + torch.exp(0.5 * s) * e[:1]), "All images get the noise of the first one. "
            "Each row of eps belongs to one image."),
        Mistake(z_is(lambda mu, s, e: mu + torch.exp(0.5 * s) * e.abs()), "Your noise has lost its signs, so all draws "
            "lie on one side of mu. Which step can go?"),
        Mistake(middle_is(torch.exp), "mu and z are right, but you return the variance as logvar."),
        Mistake(middle_is(lambda s: 0.5 * s), "mu and z are right, but your logvar is log(sigma), half as much."),
        Mistake(middle_is(lambda s: 2 * s), "mu and z are right, but your logvar is doubled."),
        Mistake(middle_is(torch.neg), "mu and z are right, but your logvar has the wrong sign."),
        Mistake(middle_is(lambda s: torch.exp(0.5 * s)), "mu and z are right, but you return sigma in the middle. The "
            "loss wants logvar there."),
        Mistake(lambda f, m, v, e: (m(f), v(f).exp(), m(f) + v(f).exp().exp().sqrt() * e), "You undo the logarithm "
            "twice: your logvar is the variance, and z is drawn as if it were log(sigma^2). Which exp can go?"),
        Mistake(lambda f, m, v, e: (m(f), 2 * v(f), m(f) + v(f).exp() * e), "head_logvar does not return log(sigma), "
            "but log(sigma^2)."),
        Mistake(lambda f, m, v, e: encode_and_sample(f, v, m, e), "The heads are swapped: which one gives the mean?"),
        Mistake(lambda f, m, v, e: encode_and_sample(f, m, m, e), "All comes from head_mu. The width has its own "
            "head."),
        Mistake(lambda f, m, v, e: encode_and_sample(f, v, v, e), "All comes from head_logvar. The mean has its own "
            "head."),
        Mistake(lambda f, m, v, e: encode_and_sample(f, *(nn.Linear(*one.weight.shape[::-1]) for one in (m, v)), e),
            "You make new layers, whose weights are drawn anew at every call. Two heads were given: call them on the "
            "features."),
        Mistake(mu_is(lambda mu, s: mu + torch.exp(0.5 * s) * torch.randn_like(mu)), "You return a draw from the cloud "
            "in place of its centre. mu is what head_mu returns."),
        *(Mistake(lambda f, m, v, e, one=one: encode_and_sample(f, lambda f: one(m(f)), v, e), f"There is a "
            f"{one.__name__} on mu. The centre may lie anywhere: mu is what head_mu returns, unchanged.")
          for one in (torch.sigmoid, torch.tanh, torch.relu)),
        Mistake(lambda f, m, v, e: encode_and_sample(f.relu(), m, v, e), "There is a ReLU on the features. Hand them "
            "to the heads as they are."),
        Mistake(lambda f, m, v, e: encode_and_sample(f, m, v, e)[2], "You return z alone. The loss will need mu and "
            "logvar too: return all three."),
        Mistake(lambda f, m, v, e: (m(f), v(f)), "You stop at logvar. The third result is z, one code a cloud."),
        Mistake(lambda f, m, v, e: (m(f), v(f), torch.exp(0.5 * v(f))), "You return sigma as the third result. One "
            "step is left: z = mu + sigma * eps."),
        *(Mistake(lambda f, m, v, e, order=order: tuple(encode_and_sample(f, m, v, e)[k] for k in order), ORDER)
          for order in list(permutations(range(3)))[1:]),
        Mistake(lambda f, m, v, e: encode_and_sample(f.detach(), m, v, e), NO_PATH.format("the features, so the "
            "encoder's first layers")),
        Mistake(lambda f, m, v, e: tuple(one.detach() for one in encode_and_sample(f, m, v, e)),
            NO_PATH.format("the heads, so they")),
        Mistake(z_is(lambda mu, s, e: (mu + torch.exp(0.5 * s) * e).detach()), NO_PATH.format("the heads from your z, "
            "so the reconstruction")),
        Mistake(mu_is(lambda mu, s: mu.detach()), NO_PATH.format("head_mu from your mu, so it")),
        Mistake(middle_is(Tensor.detach), NO_PATH.format("head_logvar from your logvar, so it")),
        Mistake(std_is(lambda s: torch.exp(0.5 * s).detach()), NO_PATH.format("head_logvar from your z, so it")),
        Mistake(z_is(lambda mu, s, e: mu.detach() + torch.exp(0.5 * s) * e), NO_PATH.format("head_mu from your z, so "
            "it")),
    ],
)  # fmt: skip
