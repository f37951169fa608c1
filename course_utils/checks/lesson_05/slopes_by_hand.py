"""slopes-by-hand: the pathwise and the score-function estimate of one derivative, without autograd, for f(z) = z^2."""

import torch
from torch import Tensor

from course_utils.checks._check import Check, Mistake, Parts

PATH, SCORE = "in the pathwise estimate", "in the score-function estimate"


def sigma(logvar):
    return torch.exp(0.5 * logvar)


def slopes_by_hand(mu, logvar, eps):
    z = mu + sigma(logvar) * eps
    return 2 * z, z**2 * (z - mu) / logvar.exp()


def draws(count, mu=None, wide=0.0):
    def inputs(g):
        number, logvar = torch.randn(2, generator=g)
        return number if mu is None else torch.tensor(mu), logvar + wide, torch.randn(count, generator=g)

    return inputs


def two_estimates(fn, mu, logvar, eps):
    """Both estimates, also where they come as the two rows of one tensor; what has another form as it is."""
    found = fn(mu, logvar, eps)
    if isinstance(found, Tensor) and found.shape == (2, len(eps)):
        found = tuple(found)
    if not isinstance(found, (tuple, list)) or len(found) != 2 or not all(isinstance(one, Tensor) for one in found):
        return found
    path, score = (one.detach() for one in found)
    return Parts({"": (path, score), PATH: path, SCORE: score})


def path_is(estimate):
    """A wrong answer whose pathwise estimate, from z, mu, std and eps, is another one."""

    def answer(mu, logvar, eps):
        std = sigma(logvar)
        return estimate(mu + std * eps, mu, std, eps), slopes_by_hand(mu, logvar, eps)[1]

    return answer


def score_is(estimate):
    """A wrong answer whose score-function estimate, from z, mu, std and eps, is another one."""

    def answer(mu, logvar, eps):
        std = sigma(logvar)
        return slopes_by_hand(mu, logvar, eps)[0], estimate(mu + std * eps, mu, std, eps)

    return answer


def std_is(std):
    """A wrong answer with another standard deviation, in z and in the score."""

    def answer(mu, logvar, eps):
        z = mu + std(logvar) * eps
        return 2 * z, z**2 * (z - mu) / std(logvar) ** 2

    return answer


def both(change):
    """A wrong answer that makes something else of the two right estimates."""
    return lambda *inputs: change(*slopes_by_hand(*inputs))


def log_q(z, mu, std):
    return -0.5 * ((z - mu) / std) ** 2 - std.log() - 0.9189385


def other_score_only(mu, logvar, eps):
    z = mu + sigma(logvar) * eps
    return 2 * z, z**2 * (z - mu) / logvar.exp() ** 2


CHECK = Check(
    slopes_by_hand,
    inputs={"": draws(9), "mu is 0 and the bell is wide": draws(7, mu=0.0, wide=1.5), "there is one draw": draws(1)},
    observe=two_estimates,
    mistakes=[
        Mistake(both(lambda path, score: (score, path)), "These are the right two, in the other order: the pathwise "
            "estimate comes first."),
        Mistake(both(lambda path, score: (path.mean(), score.mean())), "You average over the draws. Return the "
            "estimate of each draw, (N,): their spread is what we want to see."),
        Mistake(both(lambda path, score: (path.sum(), score.sum())), "You add up the draws. Return the estimate of "
            "each draw, (N,)."),
        Mistake(both(lambda path, score: (path, path)), "Your two estimates are the same: both are pathwise. The "
            "second one never uses the slope of f. What does it multiply f(z) by?"),
        Mistake(both(lambda path, score: (score, score)), "Your two estimates are the same: both are those of the "
            "score function. The first one follows z: what is the slope of z^2 there?"),
        Mistake(std_is(torch.exp), "You take exp(logvar), the variance, for the standard deviation. Where is the "
            "half?"),
        Mistake(std_is(torch.clone), "You take logvar itself for the standard deviation. What undoes a logarithm?"),
        Mistake(std_is(lambda s: torch.exp(-0.5 * s)), "Your bell gets narrower where logvar grows. Which sign has the "
            "exponent?"),
        Mistake(std_is(torch.ones_like), "Your z is mu + eps, whatever logvar says. What is eps multiplied by?"),
        Mistake(lambda mu, s, eps: tuple(one - mu * (2 - k * 2) for k, one in enumerate(
                    slopes_by_hand(torch.zeros_like(mu), s, eps))), "Your z is not centred at mu. What is added to std "
            "* eps?"),
        Mistake(lambda mu, s, eps: slopes_by_hand(mu, s, torch.randn_like(eps)), "You draw noise of your own. Use the "
            "eps that was given."),
        Mistake(lambda mu, s, eps: ((z := mu + sigma(s) * eps) * (z - mu), z**2 * 0.5 * (eps**2 - 1)), "Both are "
            "derivatives with respect to log sigma^2. Here the derivative with respect to mu is asked for: how far "
            "does z move when mu moves by 1?"),
        Mistake(path_is(lambda z, mu, std, eps: z), "The slope of z^2 is not z.", part=PATH),
        Mistake(path_is(lambda z, mu, std, eps: z**2), "That is the cost f(z) itself. The pathwise estimate multiplies "
            "its slope, f'(z), by the slope of z.", part=PATH),
        Mistake(path_is(lambda z, mu, std, eps: 2 * mu.expand(len(z))), "That is the slope of f at mu, the same for "
            "all draws. At which place does each draw meet f?", part=PATH),
        Mistake(path_is(lambda z, mu, std, eps: 2 * z * eps), "You multiply by eps: that is how z moves with sigma. "
            "How does z = mu + sigma * eps move with mu?", part=PATH),
        Mistake(path_is(lambda z, mu, std, eps: 2 * z * std), "You multiply by sigma. When mu moves by 1, how far does "
            "z = mu + sigma * eps move?", part=PATH),
        Mistake(path_is(lambda z, mu, std, eps: 2 * z / std), "You divide by sigma. When mu moves by 1, how far does z "
            "= mu + sigma * eps move?", part=PATH),
        Mistake(path_is(lambda z, mu, std, eps: z * std * eps), "That is the derivative with respect to log sigma^2. "
            "Asked for is the one with respect to mu.", part=PATH),
        Mistake(path_is(lambda z, mu, std, eps: 2 * eps), "You take the slope of f at eps. f is evaluated at z.",
            part=PATH),
        Mistake(path_is(lambda z, mu, std, eps: (2 * z).mean().expand(len(z))), "All draws got the same number, the "
            "mean. Return the estimate of each draw.", part=PATH),
        Mistake(path_is(lambda z, mu, std, eps: -2 * z), "The sign is reversed: where z^2 rises, its slope is "
            "positive.",
            part=PATH),
        Mistake(score_is(lambda z, mu, std, eps: z**2 * eps), "You divide z - mu by sigma once. Differentiate -(z - "
            "mu)^2 / (2 sigma^2): by which power of sigma is it divided?", part=SCORE),
        Mistake(other_score_only, "You divide z - mu by the fourth power of sigma: exp(logvar) is sigma^2 already.",
            part=SCORE),
        Mistake(score_is(lambda z, mu, std, eps: z**2 * (z - mu)), "You multiply f by z - mu. The slope of log q also "
            "depends on the width of the bell: what stands below the fraction bar?", part=SCORE),
        Mistake(score_is(lambda z, mu, std, eps: z**2 * (z - mu) * std**2), "You multiply by sigma^2. In a narrow bell "
            "log q is steeper: is sigma^2 above or below the fraction bar?", part=SCORE),
        Mistake(score_is(lambda z, mu, std, eps: -(z**2) * (z - mu) / std**2), "Your sign is reversed: that is the "
            "slope of log q by z. If z lies above mu, does the bell at z rise or fall when mu moves up?", part=SCORE),
        Mistake(score_is(lambda z, mu, std, eps: (z - mu) / std**2), "That is the slope of log q alone. By what is it "
            "weighted?", part=SCORE),
        Mistake(score_is(lambda z, mu, std, eps: 2 * z * (z - mu) / std**2), "You multiply by the slope of f. This "
            "estimator never differentiates f.", part=SCORE),
        Mistake(score_is(lambda z, mu, std, eps: z**2 * log_q(z, mu, std)), "You multiply f by log q itself. Which "
            "derivative of log q is asked for?", part=SCORE),
        Mistake(score_is(lambda z, mu, std, eps: z**2 * log_q(z, mu, std).exp() * (z - mu) / std**2), "You multiply by "
            "the slope of the density q. Draws come from q already, so likely places would count twice: take the slope "
            "of its logarithm.", part=SCORE),
        Mistake(score_is(lambda z, mu, std, eps: z**2 * (z - mu) / (2 * std**2)), "Half of what it should be. The "
            "slope of a square brings a factor of 2, and -(z - mu)^2 / (2 sigma^2) has a 2 below.", part=SCORE),
        Mistake(score_is(lambda z, mu, std, eps: 2 * z**2 * (z - mu) / std**2), "Twice what it should be: the 2 below "
            "-(z - mu)^2 / (2 sigma^2) is missing.", part=SCORE),
        Mistake(score_is(lambda z, mu, std, eps: mu**2 * (z - mu) / std**2), "You take the cost at mu, the same for "
            "all draws. At which place is f evaluated?", part=SCORE),
        Mistake(score_is(lambda z, mu, std, eps: eps**2 * (z - mu) / std**2), "You take the cost of eps. f is "
            "evaluated at z.", part=SCORE),
        Mistake(score_is(lambda z, mu, std, eps: z * (z - mu) / std**2), "You multiply by z. The cost is f(z) = z^2.",
            part=SCORE),
        Mistake(score_is(lambda z, mu, std, eps: z**2 * (eps**2 - 1) / std), "That is the slope of log q with respect "
            "to sigma. Asked for is the one with respect to mu.", part=SCORE),
        Mistake(score_is(lambda z, mu, std, eps: z**2 * 0.5 * (eps**2 - 1)), "That is the slope of log q with respect "
            "to log sigma^2. Asked for is the one with respect to mu.", part=SCORE),
        Mistake(score_is(lambda z, mu, std, eps: (z**2 - (z**2).mean()) * (z - mu) / std**2), "You subtract the mean "
            "of f. That is a baseline, which comes later: here f itself is the weight.", part=SCORE),
    ],
)  # fmt: skip
