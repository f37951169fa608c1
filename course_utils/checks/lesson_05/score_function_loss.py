"""score-function-loss: a surrogate whose gradient is the score-function estimate. Only its gradients are compared."""

import torch
from torch import Tensor, nn

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._observing import gradient
from course_utils.gaussian import log_prob_gaussian

FOR = "in the gradient of your loss for {}"


class Bowl(nn.Module):
    """f(z) = sum_d weight_d (z_d - target_d)^2, with weights as in a decoder and a target for each row."""

    def __init__(self, weight, target):
        super().__init__()
        self.weight, self.target = nn.Parameter(weight), target

    def forward(self, z):
        if len(z) != len(self.target):
            raise ValueError(f"f knows a batch of {len(self.target)} and was called with one of {len(z)}")
        return (self.weight * (z - self.target).square()).sum(dim=1)


def score_function_loss(f, mu, logvar, z, baseline=0.0):
    z = z.detach()
    return ((f(z) - baseline).detach() * log_prob_gaussian(z, mu, logvar)).mean()


def samples(rows, columns, baseline, attached=True):
    """f, mu, logvar and z, which carries its graph if attached; the baseline is a function of the generator."""

    def inputs(g):
        mu, logvar, eps = torch.randn(3, rows, columns, generator=g)
        mu, logvar = mu.requires_grad_(), logvar.requires_grad_()
        z = mu + torch.exp(0.5 * logvar) * eps
        f = Bowl(0.5 + torch.rand(columns, generator=g), 1 + torch.randn(rows, columns, generator=g))
        return f, mu, logvar, z if attached else z.detach(), *baseline(g)

    return inputs


def gradients(fn, f, mu, logvar, z, *baseline):
    loss = fn(f, mu, logvar, z, *baseline)
    if not isinstance(loss, Tensor) or not loss.is_floating_point() or loss.ndim:
        return loss
    leaves = {"mu": mu, "logvar": logvar, "the numbers inside f": f.weight}
    return Parts({"": torch.zeros(())} | {FOR.format(name): gradient(loss, [leaf]) for name, leaf in leaves.items()})


def loss_is(combine):
    """A wrong answer that combines the weight f(z) - baseline, a constant, with log q(z) in another way."""
    return lambda f, mu, logvar, z, baseline=0.0: combine(
        (f(z) - baseline).detach(), log_prob_gaussian(z.detach(), mu, logvar))


def attached(weight_at, log_q_at):
    """A wrong answer whose weight keeps its graph; both are functions that cut, or not."""
    return lambda f, mu, logvar, z, baseline=0.0: (
        (f(weight_at(z)) - baseline) * log_prob_gaussian(log_q_at(z), mu, logvar)).mean()


def log_q_is(log_q):
    """A wrong answer with another log q, from z as a constant, mu and logvar; summed over the dimensions here."""
    return lambda f, mu, logvar, z, baseline=0.0: (
        (f(z) - baseline).detach() * log_q(z.detach(), mu, logvar).sum(dim=1)).mean()


def keep(z):
    return z


def log_q_cut(at):
    return lambda f, mu, logvar, z, baseline=0.0: (
        (f(at(z)) - baseline) * log_prob_gaussian(z, mu, logvar).detach()).mean()


F_ATTACHED = ("f(z) is not cut from the graph: gradient also flows into f, and a decoder would be trained with a wrong "
    "weight. Which factor alone should carry the gradient?")
LOG_Q_CUT = ("You have cut log q from the graph and left f(z) on it. This estimator differentiates one of the two and "
    "takes the other as a number: which is which?")

CHECK = Check(
    score_function_loss,
    inputs={"": samples(7, 4, lambda g: (1.7,)),
            "the baseline is one number for each sample": samples(6, 3, lambda g: (3 * torch.rand(6, generator=g),)),
            "no baseline is given": samples(5, 2, lambda g: ()),
            "there is one sample, and it carries no graph": samples(1, 3, lambda g: (-0.6,), attached=False)},
    observe=gradients,
    mistakes=[
        Mistake(lambda *inputs: -score_function_loss(*inputs), "Your gradient has the wrong sign: minimising your loss "
            "would make f LARGER. Papers on REINFORCE maximise a reward; here f is a cost. Which sign does that "
            "change?"),
        Mistake(lambda f, mu, s, z, b=0.0: ((f(z) - b).detach() * log_prob_gaussian(z, mu, s)).mean(), "z still "
            "carries its graph, so log q sees mu move together with z: (z - mu) / std is then eps, which does not "
            "depend on mu. How do you tell PyTorch that the sample is a plain number?"),
        Mistake(attached(keep, keep), "Neither z nor f(z) is cut from the graph: your gradient mixes two estimators "
            "and is that of neither. Which factor alone should carry the gradient?"),
        Mistake(attached(torch.detach, torch.detach), F_ATTACHED),
        Mistake(attached(keep, torch.detach), F_ATTACHED),
        Mistake(lambda f, mu, s, z, b=0.0: (f(z) - b).mean(), "log q does not appear in your loss: what you have "
            "differentiates f along the path of z. This estimator never differentiates f. What does it multiply f(z) "
            "by?"),
        Mistake(lambda *inputs: score_function_loss(*inputs).detach(), "No gradient reaches mu or logvar: all factors "
            "are cut from the graph, so nothing would be learned. Which one has to keep its graph?"),
        Mistake(lambda *inputs: score_function_loss(*inputs).item(), "Your loss is a plain Python number, which has no "
            "gradient, and its gradient is all that it is for. Where is the .item() or float()?"),
        Mistake(log_q_cut(keep), LOG_Q_CUT),
        Mistake(log_q_cut(torch.detach), LOG_Q_CUT),
        Mistake(lambda f, mu, s, z, b=0.0: (
                    (f(z) - b).detach() * log_prob_gaussian(z, mu.detach(), s.detach())).mean(), "In your log q, mu "
            "and logvar are constants, and the gradient comes in through z. It should be the other way round: which of "
            "z, mu and logvar is log q differentiated by?"),
        Mistake(loss_is(lambda weight, log_q: log_q.mean()), "f has no part in your gradient, so it cannot say which "
            "samples were good. Is it missing, or added to log q? What weights each log q?"),
        Mistake(lambda f, mu, s, z, b=0.0: score_function_loss(f, mu, s, z), "Your loss ignores the baseline, or "
            "subtracts it where it has no gradient. From what is it subtracted, before log q is multiplied?"),
        Mistake(lambda f, mu, s, z, b=0.0: (f(z.detach()) * log_prob_gaussian(z.detach(), mu, s) - b).mean(), "The "
            "baseline has no part in your gradient, and f(z) is not cut from the graph. Subtract the baseline from "
            "f(z), and take the difference for a plain number."),
        Mistake(lambda f, mu, s, z, b=0.0: score_function_loss(f, mu, s, z, -b), "You add the baseline. It should make "
            "the weights small: is it added to f(z), or subtracted?"),
        Mistake(lambda f, mu, s, z, b=0.0: score_function_loss(lambda z: f(z - b), mu, s, z), "You subtract the "
            "baseline from z, before f sees it. Where does the bracket of f end?"),
        Mistake(lambda f, mu, s, z, b=0.0: score_function_loss(f, mu, s, z, f(z).mean()), "You subtract the mean of "
            "f(z), which contains each sample's own cost, so your gradient is too small. The function was given a "
            "baseline: use that."),
        Mistake(loss_is(lambda weight, log_q: (weight * log_q).mean() / (
                    (weight - weight.mean()).square().sum() / (len(weight) - 1)).sqrt()), "You divide the weights by "
            "their standard deviation. Then the size of the gradient no longer is that of E[f]. Which weight does the "
            "formula have?"),
        Mistake(loss_is(lambda weight, log_q: (weight.abs() * log_q).mean()), "You took the absolute value of f(z) - "
            "baseline. A sample that is better than the baseline must become more likely, one that is worse less: the "
            "sign is the message."),
        Mistake(loss_is(lambda weight, log_q: (weight.log() * log_q).mean()), "You took the logarithm of f(z) as well. "
            "It may be negative, and only q's logarithm is in the formula."),
        Mistake(log_q_is(lambda z, mu, s: -0.5 * (s + (z - mu) ** 2 / s.exp()) / z.shape[1]), "You average log q over "
            "the dimensions of z. The log-density of independent coordinates is a sum: by which factor is your "
            "gradient too small?"),
        Mistake(loss_is(lambda weight, log_q: (weight * log_q).sum()), "You sum over the batch, so the gradient grows "
            "with the batch size. Which sum should be a mean?"),
        Mistake(loss_is(lambda weight, log_q: weight * log_q), "You return one number for each sample. A loss is a "
            "single number: what is still to be done with the B of them?"),
        Mistake(log_q_is(lambda z, mu, s: -0.5 * (z - mu) ** 2 / s.exp()), "The gradient for mu is right, that for "
            "logvar is not: log q also contains -0.5 * logvar, from the width of the bell. Did you drop it as a "
            "constant?"),
        Mistake(log_q_is(lambda z, mu, s: -0.5 * (2 * s + (z - mu) ** 2 / (2 * s).exp())), "Your log q takes "
            "exp(logvar) for the standard deviation. What does a density divide (z - mu)^2 by?"),
        Mistake(log_q_is(lambda z, mu, s: -0.5 * (s + (z - mu) ** 2 / torch.exp(0.5 * s))), "Your log q divides (z - "
            "mu)^2 by sigma. It is a square: by which power of sigma is it divided?"),
        Mistake(log_q_is(lambda z, mu, s: -0.5 * (s + (z - mu) ** 2 * s.exp())), "Your log q multiplies (z - mu)^2 by "
            "the variance. In a wide bell a distance counts less: what stands below the fraction bar?"),
        Mistake(log_q_is(lambda z, mu, s: -0.5 * (s + (z - mu).abs() / torch.exp(0.5 * s))), "(z - mu) / sigma enters "
            "log q without its square."),
        Mistake(log_q_is(lambda z, mu, s: -0.5 * (s + (z - mu) ** 2)), "Your log q has the width in its normaliser but "
            "not below (z - mu)^2. What is that divided by?"),
        Mistake(log_q_is(lambda z, mu, s: -0.5 * (z - mu) ** 2 / s.exp() + 0.5 * s), "You add 0.5 * logvar. A wider "
            "bell is lower everywhere: with which sign does logvar enter log q?"),
        Mistake(log_q_is(lambda z, mu, s: -0.5 * (z - mu) ** 2 / s.exp() - s), "You subtract logvar, and should "
            "subtract half of it: the normaliser is log sigma, not log sigma^2."),
        Mistake(log_q_is(lambda z, mu, s: -((z - mu) ** 2) / s.exp() - 0.5 * s), "The half before (z - mu)^2 is "
            "missing in your log q, so the gradient for mu is twice too large."),
        Mistake(log_q_is(lambda z, mu, s: -0.5 * (mu + (z - s) ** 2 / mu.exp())), "You have exchanged mu and logvar in "
            "log q: log_q(z, mu, logvar) is the order."),
        Mistake(log_q_is(lambda z, mu, s: (z - mu) / s.exp()), "You multiply by the score, the derivative of log q. "
            "Autograd takes that derivative: hand it log q itself."),
        Mistake(loss_is(lambda weight, log_q: weight.mean() * log_q.mean()), "You multiply one average with another, "
            "or shapes (B, 1) and (B,) met in a (B, B) table. Each sample's f(z) belongs to that sample's log q: what "
            "are the two shapes, and where does the mean go?"),
        Mistake(loss_is(lambda weight, log_q: (weight * log_q.exp()).mean()), "You weight the density q(z), not its "
            "logarithm. Samples are drawn from q already, so likely places would count twice. Which derivative divides "
            "by q?"),
        Mistake(lambda f, mu, s, z, b=0.0: score_function_loss(
                    f, mu, s, mu + torch.exp(0.5 * s) * torch.randn_like(mu), b), "You draw samples of your own. The "
            "loss is to be taken at the z that was given."),
        Mistake(lambda f, mu, s, z, b=0.0: score_function_loss(f, mu, s, mu, b), "You evaluate at mu, which is not a "
            "sample. Where does the z that was given come in?"),
    ],
)  # fmt: skip
