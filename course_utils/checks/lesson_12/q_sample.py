"""q-sample: the jump from clean data to a noisy state."""

import torch

from course_utils.checks._check import Check, Mistake

T = 9


def falling_alpha_bar(g):
    """A falling alpha_bar whose steps are large, so that every slip of one timestep shows."""
    return (0.55 + 0.4 * torch.rand(T, generator=g)).cumprod(0)


def like(values, x):
    """Numbers (B,) in a form that multiplies x, (B, 1, ..., 1)."""
    return values.view(-1, *[1] * (x.ndim - 1))


def jump(alpha_bar, x0, t, eps):
    share = like(alpha_bar[t], x0)
    return share.sqrt() * x0 + (1 - share).sqrt() * eps


def weighted(weights):
    """A wrong answer with other weights of x0 and eps, made from alpha_bar[t]."""

    def answer(alpha_bar, x0, t, eps):
        a, b = weights(like(alpha_bar[t], x0))
        return a * x0 + b * eps

    return answer


def with_level(level):
    """A right jump with the wrong noise level, from alpha_bar and t."""
    return lambda alpha_bar, x0, t, eps: weighted(lambda share: (share.sqrt(), (1 - share).sqrt()))(
        level(alpha_bar, t), x0, torch.arange(len(t)), eps)  # fmt: skip


def single_steps(alpha_bar):
    return torch.cat([alpha_bar[:1], alpha_bar[1:] / alpha_bar[:-1]])


def data(*shape, t=None):
    """Data of a shape, with timesteps that are neither 0 nor the last, or with those given."""

    def inputs(g):
        times = torch.randperm(T - 2, generator=g)[: shape[0]] + 1 if t is None else torch.tensor(t)
        return falling_alpha_bar(g), torch.randn(shape, generator=g), times, torch.randn(shape, generator=g)

    return inputs


CHECK = Check(
    jump,
    inputs={"": data(4, 2, 3, 4), "the data are points": data(5, 2), "x0 has three dimensions": data(3, 2, 4),
            "there are fewer examples than columns": data(3, 1, 2, 5),
            "t is 0 or the last": data(3, 1, 2, 4, t=[0, T - 1, 0]), "there is one example": data(1, 3, 2, 4)},
    draws=2,
    mistakes=[
        Mistake(weighted(lambda share: (share, 1 - share)), "Your weights are alpha_bar and 1 - alpha_bar. Variances "
            "add up to 1: what is the weight that gives variance alpha_bar?"),
        Mistake(weighted(lambda share: (share.sqrt(), 1 - share)), "The noise has the weight 1 - alpha_bar, which is "
            "its variance. What is its standard deviation?"),
        Mistake(weighted(lambda share: (share, (1 - share).sqrt())), "The image has the weight alpha_bar without the "
            "square root. What share of its variance is left then?"),
        Mistake(weighted(lambda share: (share.sqrt(), 1 - share.sqrt())), "Your weights add up to 1. Independent "
            "variables add their variances: whose squares must add up to 1?"),
        Mistake(weighted(lambda share: (share, (1 - share.square()).sqrt())), "You take alpha_bar for the weight "
            "itself: your noise has sqrt(1 - alpha_bar^2). It is a share of the variance."),
        Mistake(weighted(lambda share: ((1 - share).sqrt(), share.sqrt())), "Image and noise have each other's weight. "
            "At t = 0 alpha_bar is almost 1: which of the two should be seen?"),
        Mistake(weighted(lambda share: (share.sqrt(), share.sqrt())), "Image and noise both have the weight "
            "sqrt(alpha_bar). What should grow as the image fades?"),
        Mistake(lambda *inputs: jump(*inputs).clamp(-1, 1), "You cut x_t off at -1 and 1. Noise knows no limits: "
            "return it as it is."),
        Mistake(lambda alpha_bar, x0, t, eps: (lambda a: a.sqrt() * x0 + (1 - a).sqrt() * eps)(alpha_bar[t].view(-1, 1,
            1, 1)), "You give the weights the shape (B, 1, 1, 1), which suits images only. How many axes does x0 "
            "have?"),
        Mistake(weighted(lambda share: (share.sqrt(), 1)), "The noise comes in with weight 1 at every t, so even x_0 "
            "would be half noise. By what is eps multiplied?"),
        Mistake(weighted(lambda share: (1, (1 - share).sqrt())), "The image keeps weight 1, so the variance grows with "
            "t. By what does the image shrink?"),
        Mistake(weighted(lambda share: (1, ((1 - share) / share).sqrt())), "Your state is the right one divided by "
            "sqrt(alpha_bar). Here the variance stays 1: the image shrinks."),
        Mistake(weighted(lambda share: (share.sqrt(), -(1 - share).sqrt())), "You subtract the noise, and a network "
            "trained on it learns -eps. Which sign has the formula?"),
        Mistake(lambda alpha_bar, x0, t, eps: jump(alpha_bar, x0, t, torch.ones_like(eps)), "You add sqrt(1 - "
            "alpha_bar) itself, the same number everywhere. By what is it to be multiplied?"),
        Mistake(lambda alpha_bar, x0, t, eps: jump(alpha_bar, x0, t, torch.randn_like(x0)), "You draw noise of your "
            "own. The noise to use is given: eps."),
        Mistake(lambda alpha_bar, x0, t, eps: jump(alpha_bar, x0, t - 1, eps), "You look up alpha_bar one step too "
            "early. t is counted from 0: which entry belongs to t?"),
        Mistake(with_level(lambda alpha_bar, t: alpha_bar[(t + 1).clamp(max=T - 1)]), "You look up alpha_bar one step "
            "too late. t is counted from 0: which entry belongs to t?"),
        Mistake(with_level(lambda alpha_bar, t: alpha_bar[T - 1 - t]), "You count t from the end. t = 0 is the first "
            "entry of alpha_bar, with the least noise."),
        Mistake(with_level(lambda alpha_bar, t: alpha_bar[t[:1]].expand(len(t))), "All of the batch get the noise "
            "level of the first one. Does alpha_bar[t] hold one number for each?"),
        Mistake(with_level(lambda alpha_bar, t: alpha_bar[t].mean().expand(len(t))), "All of the batch get the mean "
            "noise level. Each example has its own: shape it (B, 1, ..., 1)."),
        Mistake(with_level(lambda alpha_bar, t: single_steps(alpha_bar)[t]), "You use alpha of the one step t. The "
            "jump needs the product of all up to t: alpha_bar."),
        Mistake(with_level(lambda alpha_bar, t: alpha_bar.cumprod(0)[t]), "You take the cumulative product of "
            "alpha_bar, which is one already."),
        Mistake(with_level(lambda alpha_bar, t: (1 - alpha_bar).cumprod(0)[t]), "You treat alpha_bar as if it were "
            "beta. It is the cumulative product of 1 - beta already."),
        Mistake(with_level(lambda alpha_bar, t: 1 - t / T), "Your noise level is t / T and does not use alpha_bar. "
            "Which entry of it belongs to t?"),
        Mistake(lambda alpha_bar, x0, t, eps: alpha_bar[t].sqrt() * x0 + (1 - alpha_bar[t]).sqrt() * eps,
            "alpha_bar[t], (B,), has met the last axis of x0, so each column has a noise level. Shape it (B, 1, ..., "
            "1)."),
    ],
)  # fmt: skip
