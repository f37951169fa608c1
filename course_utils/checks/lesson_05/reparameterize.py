"""reparameterize: a sample of a Gaussian through which gradients flow, however its noise is drawn.

For a right answer eps = (z - mu) / std looks like N(0, I), and dz / dmu = 1, dz / dlogvar = (z - mu) / 2. So the noise
is recovered from z and tested; what the slopes say of std holds for any noise.
"""

from itertools import combinations

import torch
from torch import Tensor
from torch.distributions import Laplace
from torch.special import gammainc, gammaincc, ndtr

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._difference import difference, number
from course_utils.checks.lesson_04.two_heads import spread

CALLS = 10
UNLIKELY = 1e-9  # how likely a test may refuse right noise; all together make fewer than one in a million
LOGVARS = ((-7.0, -1.6, 0.6), (1.2, 6.0, -0.8))  # of even and of odd rows; smaller ones leave too few digits of eps


def reparameterize(mu, logvar):
    return mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)


def codes(rows, logvars):
    """mu and logvar, with as many columns as each row of logvars has numbers; its rows are repeated."""
    logvar = torch.tensor(logvars).repeat(rows // len(logvars), 1)
    return lambda g: (1.5 * torch.randn(logvar.shape, generator=g), logvar.clone())


def stays_on_device(fn, mu, logvar):
    """Whether the noise is made where mu is, tried on PyTorch's meta device, which has shapes and no numbers.

    An answer that looks at the numbers cannot run there. So what counts is that an error names the two devices.
    """
    try:
        fn(*(p.detach().to("meta").requires_grad_() for p in (mu, logvar)))
    except NotImplementedError:  # an operation that is not made for meta tensors
        return True
    except Exception as error:
        return not all(word in str(error) for word in ("device", "cpu", "meta"))
    return True


def sample_and_slopes(fn, mu, logvar):
    leaves = [p.clone().requires_grad_() for p in (mu, logvar)]
    given = [leaf * 1.0 for leaf in leaves]  # may be changed in place, which is then noticed
    drawn = [fn(*given) for _ in range(CALLS)]
    for p, one in zip((mu, logvar), given, strict=True):
        p.copy_(one.detach())
    if not all(isinstance(z, Tensor) and z.is_floating_point() and z.shape == mu.shape for z in drawn):
        return drawn[0]
    z = drawn[0]
    slopes = torch.autograd.grad(z.sum(), leaves, allow_unused=True) if z.requires_grad else (None, None)
    of_mu, of_logvar = (torch.zeros_like(mu) if slope is None else slope for slope in slopes)
    return Parts({"": torch.stack(drawn).detach(), "slope of mu": of_mu, "slope of logvar": of_logvar,
                  "device": stays_on_device(fn, mu, logvar)})


def compare(out, expected, mu, logvar):
    if not isinstance(out, Parts):
        return difference(out, expected[""][0])
    if not out[""].isfinite().all():
        return NEGATIVE_ROOT if torch.equal(~out[""][0].isfinite(), logvar < 0) else difference(out[""], expected[""])
    return next(faults(out, mu, logvar), None)


def faults(out, mu, logvar):
    """What is wrong with the samples, the more certain first."""
    z, std = out[""].double(), torch.exp(0.5 * logvar.double())
    rest, of_mu, of_logvar = z - mu, out["slope of mu"], out["slope of logvar"]
    eps = rest / std  # (CALLS, B, D)
    if same(rest, 0 * rest) or same(rest, std.expand_as(rest)):
        yield NO_NOISE
    if torch.equal(z[0], z[1]):
        yield SAME_NOISE
    off = not same(of_logvar / std, 0.5 * eps[0])  # not what the noise that was found says
    if off:
        for message, width in WIDTHS.items():
            s = width(p := logvar.double().requires_grad_())
            (ds,) = torch.autograd.grad(s.sum(), p)
            if of_logvar.any() and same(of_logvar * s / ds / std, eps[0]):
                yield message
        if same(of_logvar, 0.5 * std):
            yield ADDED
        for value in logvar.unique():
            if of_logvar.any() and not of_logvar[logvar == value].any():
                yield (f"Where logvar is {number(value)}, no gradient reaches it, elsewhere it does. Is logvar, "
                       "or std, cut off at some value (clamp, relu)?")
    if of_mu.any() and not same(of_mu, torch.ones_like(mu)):
        yield (f"By its gradient, your z moves by {number(of_mu.min())} to {number(of_mu.max())} where mu moves by 1. "
               "mu should enter once, as it is, and eps should not depend on it.")
    if not of_mu.any() and ((mu * rest / std**2).sum() / (mu**2 / std**2).expand_as(rest).sum() + 1).abs() < 0.3:
        yield NO_MU
    if z.shape[1] > 1 and same(eps, eps[:, :1].expand_as(eps)):
        yield ONE_EPS
    if z.shape[2] > 1 and same(eps, eps[:, :, :1].expand_as(eps)):
        yield ONE_PER_ROW
    yield from faults_of_noise(eps, rest, (z.abs() + mu.abs()) / std, logvar)
    if not of_mu.any() or not of_logvar.any():
        yield STD_CUT if of_mu.any() else MU_CUT if of_logvar.any() else NO_GRADIENT
    if off:
        yield "The values are right, but not their gradient for logvar. Does eps depend on mu or logvar?"
    if out[""].dtype != mu.dtype:
        yield (f"The values are right, but your z has type {kind(out[''])} where mu has {kind(mu)}. Make eps with the "
               "type of mu: randn_like(mu) does.")
    if not out["device"]:
        yield DEVICE


def faults_of_noise(eps, rest, size, logvar):
    """What no noise of independent N(0, 1) shows, or with a chance of UNLIKELY only."""
    n, draws = eps.numel(), f"in {eps.numel():,} draws"
    yield from repeated(eps, 3e-7 * size)
    if n >= 60 and (eps > 0).all():
        yield (f"No number of your noise is negative, {draws}: they lie between {eps.min():.2f} and {eps.max():.2f}. "
               "Of a Gaussian's every second one is below 0. Does your function draw from N(0, 1)?")
    for value in logvar.unique():
        some, left = eps[:, logvar == value], rest[:, logvar == value]
        where, std = f"Where logvar is {number(value)}, the", torch.exp(0.5 * value)
        if wrong_spread(some):
            near = "".join(f", about {name}" for name, width in NEAR.items() if not any(
                wrong_spread(rest[:, logvar == one] / width(one)) for one in logvar.unique()))
            yield (f"{where} standard deviation of your z is {number(left.std())} in {left.numel():,} draws{near}. It "
                   f"should be sigma, which is {number(std)} there. Look at your sigma and at your noise.")
        if unlikely(some.sum() ** 2 / some.numel(), 1):
            yield (f"{where} mean of your z - mu is {number(left.mean())} in {left.numel():,} draws, too far from 0 "
                   f"for a standard deviation of {number(std)}. Is eps centred at 0, and each "
                   "number drawn on its own?")
    if wrong_spread(eps):
        yield (f"The standard deviation of your z is {number(eps.std())} times sigma, {draws}, and should be sigma. "
               "Where does the factor come from?")
    ordered = eps.flatten().sort().values
    off = torch.arange(n) / n - ndtr(ordered)
    worst = off.abs().argmax()
    if off[worst].abs() > (torch.tensor(2 / UNLIKELY).log() / (2 * n)).sqrt() + 1 / n:  # Dvoretzky, Kiefer, Wolfowitz
        yield (f"{worst / n:.0%} of your noise are below {ordered[worst]:.2f}, {draws}; of N(0, 1) "
               f"{ndtr(ordered[worst]):.0%} would be. Which distribution does eps come from?")
    for dims in (dims for k in (1, 2) for dims in combinations(range(3), k)):
        means = eps.mean(dim=dims)
        times = means.square().mean() * n / means.numel()
        if unlikely(times * means.numel(), means.numel()):
            yield (f"Your noise is not independent: its means over the {' and '.join(AXES[d] for d in dims)} vary "
                   f"{times:.2g} times as much as they should. Each number of z needs a draw of its own.")

def repeated(eps, rounding):
    """The same number, or its opposite, in two places: by chance for a few numbers, never for a good part of them."""
    value, order = eps.abs().flatten().sort()
    twins = value.diff() <= rounding.flatten()[order[1:]] + rounding.flatten()[order[:-1]]
    if twins.sum() < 0.25 * eps.numel():
        return
    a, b = order[:-1][twins], order[1:][twins]  # the commonest way in which the places of two twins differ
    places = [torch.stack(torch.unravel_index(k, eps.shape), dim=1) for k in (a, b)]
    kinds, which = (places[0] != places[1]).unique(dim=0, return_inverse=True)
    first = int((which == which.mode().values).nonzero()[0])
    here, there = sorted(tuple(place[first].tolist()) for place in places)
    sign = "" if eps[here] * eps[there] > 0 else "the opposite of "
    words = "call {0}, row {1}, column {2}"
    yield (f"Your noise repeats itself: in {words.format(*there)} stands {sign}that of {words.format(*here)}, and so "
           "for many others. Each number of z, in each call, needs a draw of its own.")


def unlikely(squares, k):
    """Whether a sum of the squares of k numbers from N(0, 1) is hardly ever so large, or so small."""
    half, k = torch.as_tensor(squares).double() / 2, torch.tensor(k / 2).double()
    return k > 0 and bool(min(gammainc(k, half), gammaincc(k, half)) < UNLIKELY)


def wrong_spread(eps):
    return unlikely((eps.numel() - 1) * eps.var(), eps.numel() - 1)


def same(a, b):
    return bool((a - b).abs().max() <= 1e-3 * b.abs().max() + 1e-5)


def kind(t):
    return str(t.dtype).removeprefix("torch.")


def sample(std, noise=torch.randn_like):
    """A wrong answer with another std, from logvar, or another noise, from mu."""
    return lambda mu, logvar: mu + std(logvar) * noise(mu)


def noise_is(noise):
    return sample(lambda logvar: torch.exp(0.5 * logvar), noise)


def opposite_pairs(mu, dim):
    half = torch.randn_like(mu.tensor_split(2, dim)[0])
    return torch.cat([half, -half], dim).narrow(dim, 0, mu.shape[dim])


AXES = ("calls", "rows", "columns")
NEAR = {"exp(logvar), the variance": lambda value: value.exp(), "1, whatever logvar is": torch.ones_like,
        "exp(-0.5 * logvar), 1 / sigma": lambda value: torch.exp(-0.5 * value),
        "the size of logvar itself": torch.abs}  # fmt: skip
LOGVAR_AS_STD = ("You multiply the noise by logvar itself. logvar is the logarithm of the variance and may be "
    "negative: how do you get from log(sigma^2) to sigma?")
NO_HALF = ("Your noise is multiplied by exp(logvar), which is the variance. Where is the half? sigma is the square "
    "root of exp(logvar).")
NEGATIVE = "Your spread falls where logvar grows: exp(-0.5 * logvar) is 1 / sigma. Which sign is right?"
NEGATIVE_ROOT = ("Your z is nan wherever logvar is negative, which it is for every sigma below 1: no root can be taken "
    "of it. logvar is a logarithm: what has to come before the root?")
WIDTHS = {NO_HALF: torch.exp, NEGATIVE: lambda logvar: torch.exp(-0.5 * logvar), LOGVAR_AS_STD: torch.clone}
NO_NOISE = "You return a value without any noise. Where does eps, drawn from N(0, 1), come in?"
SAME_NOISE = ("Two calls give the same z. Is there a seed or a generator inside the function, or noise that was drawn "
    "before it was called? Who should seed?")
NO_MU = "Your samples are not centred at mu. What is added to std * eps?"
ADDED = "You add std and eps. Adding std moves the centre; which operation changes the width?"
ONE_EPS = ("One eps serves the whole batch: all codes are shifted together. What shape must eps have so that every "
    "example gets noise of its own?")
ONE_PER_ROW = ("All coordinates of a code get the same number as noise, so your samples lie on a line. What shape must "
    "eps have?")
NO_GRADIENT = ("The values are right, but no gradient reaches mu or logvar. torch.normal, sample(), detach and no_grad "
    "all cut it. Can you draw eps first, and compute z from it?")
STD_CUT = ("The values are right, but no gradient reaches logvar: std is cut off from it. Look for detach, no_grad or "
    ".data. What could the encoder then never learn?")
MU_CUT = "The values are right, but no gradient reaches mu. Look for detach, no_grad or .data on mu."
DEVICE = ("The values are right here, but your noise is made on the CPU wherever mu is: with mu on a GPU that line "
    "raises an error. Which function draws noise like mu, of its shape and on its device?")
UNIFORM = "Your noise is uniform, so z is no Gaussian: rand draws from [0, 1). Which function draws from N(0, 1)?"

CHECK = Check(
    reparameterize,
    inputs={"": codes(200, LOGVARS), "a code has one number": codes(60, ((-1.6,), (1.2,))),
            "there is one example": codes(1, ((-11.0, 0.5, 21.0, -0.7, 1.8),))},
    observe=sample_and_slopes,
    compare=compare,
    draws=2,
    mistakes=[
        Mistake(sample(lambda s: s), LOGVAR_AS_STD),
        Mistake(sample(torch.exp), NO_HALF),
        Mistake(sample(lambda s: 0.5 * s.exp()), "Half of the variance is no standard deviation. The half belongs into "
            "the exponent: sqrt(exp(a)) = exp(a / 2)."),
        Mistake(sample(lambda s: 0.5 * s), "Half of logvar is log(sigma). Which function makes sigma of it?"),
        Mistake(sample(torch.sqrt), NEGATIVE_ROOT),
        Mistake(sample(lambda s: s.abs().sqrt()), "You take the root of the size of logvar. It is a logarithm already: "
            "which function undoes it, before the root?"),
        Mistake(sample(lambda s: (2 * s).exp()), "exp(2 * logvar) is the variance squared. sigma is its root."),
        Mistake(sample(lambda s: torch.exp(0.5 * s).sqrt()), "You take the root twice: exp(0.5 * logvar) is sigma "
            "already, and the root of exp(logvar) is the same."),
        Mistake(noise_is(torch.rand_like), UNIFORM),
        Mistake(noise_is(lambda mu: torch.rand_like(mu) - 0.5), UNIFORM),
        Mistake(noise_is(lambda mu: 2 * torch.rand_like(mu) - 1), UNIFORM),
        Mistake(noise_is(lambda mu: (torch.rand_like(mu) - 0.5) * 12**0.5), "Your noise is uniform: its mean is 0 and "
            "its variance 1, but z is no Gaussian. Which function draws from N(0, 1)?"),
        Mistake(noise_is(lambda mu: Laplace(0.0, 0.5**0.5).sample(mu.shape)), "Your noise comes from a Laplace "
            "distribution, whose tails are longer than a Gaussian's. Which one is N(0, 1)?"),
        Mistake(noise_is(lambda mu: torch.randn_like(mu).abs()), "Your noise is never negative. eps needs no abs."),
        Mistake(noise_is(lambda mu: torch.randn(mu.shape[1])), ONE_EPS),
        Mistake(noise_is(lambda mu: torch.randn(1)), "One number is the noise of all. What shape must eps have?"),
        Mistake(noise_is(lambda mu: torch.randn(len(mu), 1)), ONE_PER_ROW),
        *(Mistake(noise_is(lambda mu, dim=dim: opposite_pairs(mu, dim)), f"Half of the {AXES[dim + 1]} get the noise "
            "of the other half, "
            "with the opposite sign. Every number of z needs a draw of its own.") for dim in (0, 1)),
        Mistake(noise_is(lambda mu: torch.randn_like(mu[: len(mu) // 2 + 1]).repeat(2, 1)[: len(mu)]), "The second "
            "half of the batch gets the same noise as the first. Every example needs a draw of its own."),
        *(Mistake(noise_is(lambda mu, change=change: change(torch.randn_like(mu))), "You subtract the mean of eps over "
            "the batch, or divide by its standard deviation, so the examples' noise depends on each other. randn has "
            "mean 0 and variance 1 as it is.")
          for change in (lambda e: (e - e.mean()) / e.std(), lambda e: (e - e.mean(0)) / spread(e),
                         lambda e: e - e.mean(0), lambda e: (e - e.mean(0)) / spread(e, 0),
                         lambda e: e / spread(e), lambda e: e - e.mean())),
        *(Mistake(sample(lambda s, size=size: torch.exp(0.5 * s.clamp(-size, size))), "You limit logvar, so very "
            "narrow and very wide clouds get a wrong width, and no gradient. Which step can go?")
          for size in (4, 5, 10, 20)),
        *(Mistake(sample(width), "You average the width over the batch. Each example has a width of its own, that of "
            "its row of logvar.")
          for width in (lambda s: torch.exp(0.5 * s).mean(0),
                         lambda s: torch.exp(0.5 * s.mean(0)))),
        Mistake(lambda mu, s: mu + torch.exp(0.5 * s) + 0 * torch.randn_like(mu), NO_NOISE),
        Mistake(lambda mu, s: torch.exp(0.5 * s) * torch.randn_like(mu), NO_MU),
        Mistake(lambda mu, s: torch.randn_like(mu), "You return the noise itself: neither mu nor logvar is used. How "
            "is z computed from eps?"),
        Mistake(lambda mu, s: mu + torch.randn_like(mu) + 0 * s, "Your noise has standard deviation 1 whatever logvar "
            "says. What must eps be multiplied by?"),
        Mistake(lambda mu, s: mu + torch.exp(0.5 * s) + torch.randn_like(mu), ADDED),
        Mistake(sample(lambda s: torch.exp(-0.5 * s)), NEGATIVE),
        Mistake(lambda mu, s: (mu + torch.randn_like(mu)) * torch.exp(0.5 * s), "You multiply mu by std as well. Only "
            "eps is stretched; mu is added afterwards: where do the brackets belong?"),
        Mistake(lambda mu, s: mu * torch.exp(0.5 * s) + torch.randn_like(mu), "You multiply mu by std and add eps. "
            "Which of the two has to be stretched?"),
        Mistake(lambda mu, s: mu * torch.randn_like(mu) + torch.exp(0.5 * s), "You multiply mu by the noise and add "
            "std. Which of the two is the centre of z, and which its width?"),
        Mistake(lambda mu, s: 2 * mu + torch.exp(0.5 * s) * torch.randn_like(mu), "mu enters twice: your noise has "
            "mean mu already, and mu is added to it. eps has mean 0."),
        Mistake(lambda mu, s: mu + torch.normal(mu, torch.exp(0.5 * s)), "torch.normal(mu, std) is centred at mu "
            "already, and cuts the gradient. What should eps be drawn from?"),
        Mistake(lambda mu, s: reparameterize(s, mu), "You have exchanged mu and logvar: your z is centred at logvar. "
            "Which of the two is the first argument?"),
        Mistake(lambda mu, s: mu + torch.exp(0.5 * s) * torch.randn(
                    mu.shape, generator=torch.Generator().manual_seed(0)), SAME_NOISE),
        Mistake(lambda mu, s: torch.normal(mu, torch.exp(0.5 * s)), NO_GRADIENT),
        Mistake(lambda mu, s: reparameterize(mu, s.detach()), STD_CUT),
        Mistake(lambda mu, s: reparameterize(mu.detach(), s), MU_CUT),
        Mistake(lambda mu, s: mu + torch.exp(0.5 * s) * torch.randn(mu.shape), DEVICE),
        Mistake(lambda mu, s: (reparameterize(mu, s), mu, s), "You return several things. z alone is asked for."),
    ],
)  # fmt: skip
