"""Exercises of lesson 04: an encoder with two heads, the ellipse of a cloud, sampling with a temperature."""

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from course_utils.checks._engine import Check, Mistake, difference
from course_utils.checks._noise import slope


def cloud(features: Tensor, head_mu: nn.Module, head_logvar: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, log-variance and standard deviation of q(z|x)."""
    logvar = head_logvar(features)
    return head_mu(features), logvar, torch.exp(0.5 * logvar)


def half_axes(std: Tensor, share: float) -> Tensor:
    """Half-axes of the ellipse that holds a share of a two-dimensional Gaussian."""
    return math.sqrt(-2 * math.log(1 - share)) * std


def sample_images(decoder: nn.Module, eps: Tensor, temperature: float = 1.0) -> Tensor:
    """The decoder's images at temperature * eps."""
    return torch.sigmoid(decoder(temperature * eps))


def _linear(g: torch.Generator, inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(generator=g)
    return layer


def _heads(g: torch.Generator) -> tuple:
    return torch.randn(3, 5, generator=g), _linear(g, 5, 4), _linear(g, 5, 4)


def _observe_heads(fn: Callable, features: Tensor, head_mu: nn.Linear, head_logvar: nn.Linear):
    """The three results, and the slopes of each with respect to the weights of the two heads."""
    out = fn(features, head_mu, head_logvar)
    if not (isinstance(out, (tuple, list)) and len(out) == 3 and all(isinstance(one, Tensor) for one in out)):
        return out
    weights = head_mu.weight, head_logvar.weight
    return {"value": [t.detach() for t in out], "slopes": [[slope(t, w) for w in weights] for t in out]}


def _compare_heads(out, expected, *inputs) -> str | None:
    if not isinstance(out, dict):
        return difference(out, expected["value"])
    if fault := difference(out["value"], expected["value"]):
        orders = itertools.permutations(out["value"])
        if any(difference(list(order), expected["value"]) is None for order in orders):
            return "The three results are right but in the wrong order: return mu, then logvar, then std."
        return fault
    for name, k, head in (("mu", 0, "head_mu"), ("logvar", 1, "head_logvar"), ("std", 2, "head_logvar")):
        if difference(out["slopes"][k], expected["slopes"][k]):
            return (
                f"The numbers are right, but no gradient reaches {head} from your {name}, so it would never learn. "
                "Is there a detach, a no_grad or a .data on the way?"
            )
    return None


def _ellipse(g: torch.Generator) -> tuple:
    return 0.2 + torch.rand(3, 2, generator=g), 0.2 + 0.7 * torch.rand(1, generator=g).item()


def _decoder(g: torch.Generator) -> tuple:
    decoder = nn.Sequential(_linear(g, 3, 2 * 4 * 5), nn.Unflatten(1, (2, 4, 5))).requires_grad_(False)
    return decoder, torch.randn(6, 3, generator=g), 0.3 + 1.5 * torch.rand(1, generator=g).item()


CHECKS = [
    Check(
        name="two-heads",
        lesson="04",
        reference=cloud,
        make_inputs=_heads,
        compare=_compare_heads,
        observe=_observe_heads,
        mistakes=[
            Mistake(
                lambda f, mu, logvar: (mu(f), logvar(f), torch.exp(logvar(f))),
                "Your std is exp(logvar), which is the variance. Where is the half that the square root brings?",
            ),
            Mistake(
                lambda f, mu, logvar: (mu(f), logvar(f), logvar(f)),
                "You return logvar itself as std. It is a logarithm and may be negative: how do you undo it?",
            ),
            Mistake(
                lambda f, mu, logvar: (mu(f), logvar(f), 0.5 * logvar(f)),
                "Half of logvar is the logarithm of std. One function is still missing.",
            ),
            Mistake(
                lambda f, mu, logvar: (mu(f), logvar(f), torch.exp(2 * logvar(f))),
                "You return exp(2 * logvar). The variance is exp(logvar); std is its square ROOT: which factor?",
            ),
            Mistake(
                lambda f, mu, logvar: (mu(f), logvar(f), logvar(f).abs().sqrt()),
                "You take the square root of logvar. Undo the logarithm first: exp, and then the root.",
            ),
            Mistake(
                lambda f, mu, logvar: (mu(f), logvar(f), nn.functional.softplus(logvar(f))),
                "Softplus makes std positive, but it does not undo a logarithm. Here the head's output stands for "
                "log(sigma^2): which function gives sigma?",
            ),
            Mistake(
                lambda f, mu, logvar: (mu(f), torch.exp(logvar(f)), torch.exp(0.5 * logvar(f))),
                "mu and std are right, but in the middle you return the variance. logvar is what head_logvar returns, "
                "unchanged.",
            ),
            Mistake(
                lambda f, mu, logvar: (mu(f), 0.5 * logvar(f), torch.exp(0.5 * logvar(f))),
                "mu and std are right, but in the middle you return log(sigma). logvar is log(sigma^2), twice as much.",
            ),
            Mistake(
                lambda f, mu, logvar: (logvar(f), mu(f), torch.exp(0.5 * mu(f))),
                "The heads are swapped: head_mu gives the mean, head_logvar the width.",
            ),
            Mistake(
                lambda f, mu, logvar: (mu(f), mu(f), torch.exp(0.5 * mu(f))),
                "All results come from head_mu. The width has a head of its own.",
            ),
            Mistake(
                lambda f, mu, logvar: (mu(f), torch.exp(0.5 * logvar(f))),
                "Your mu and std are right. Return logvar as well, between the two: the loss will need it.",
            ),
            Mistake(
                lambda f, mu, logvar: (mu(f), logvar(f)),
                "You stop at logvar. The third result is std, computed from it.",
            ),
        ],
    ),
    Check(
        name="posterior-ellipse",
        lesson="04",
        reference=half_axes,
        make_inputs=_ellipse,
        mistakes=[
            Mistake(
                lambda std, share: 1.0 * std,
                "Your half-axes are the standard deviations whatever the share is. In two dimensions one standard "
                "deviation holds 39% only: solve exp(-r^2 / 2) = 1 - share for r.",
            ),
            Mistake(
                lambda std, share: -2 * math.log(1 - share) * std,
                "You use r squared as r. What undoes the square?",
            ),
            Mistake(
                lambda std, share: math.sqrt(-2 * math.log(share)) * std,
                "You solved exp(-r^2 / 2) = share. That is the share OUTSIDE; the share inside is 1 minus it.",
            ),
            Mistake(
                lambda std, share: math.sqrt(-2 * math.log(1 - share)) * std**2,
                "You multiply by the variance. An axis has the unit of z, as the standard deviation has.",
            ),
            Mistake(
                lambda std, share: math.sqrt(-math.log(1 - share)) * std,
                "The 2 is missing: exp(-r^2 / 2) = 1 - share gives r^2 = -2 log(1 - share).",
            ),
            Mistake(
                lambda std, share: 2 * math.sqrt(-2 * math.log(1 - share)) * std,
                "You return the whole axes. A half-axis goes from the centre to the rim.",
            ),
            Mistake(
                lambda std, share: 0.5 * math.sqrt(-2 * math.log(1 - share)) * std,
                "You halve r. It is the distance from the centre to the rim already: nothing is left to be halved.",
            ),
            Mistake(
                lambda std, share: torch.special.ndtri(torch.tensor((1 + share) / 2)) * std,
                "That is the interval that holds the share in ONE dimension. In two, both coordinates must stay close "
                "at once: use exp(-r^2 / 2) = 1 - share.",
            ),
            Mistake(
                lambda std, share: share * std,
                "You multiply std by the share. How far out must one go to have the share inside? Solve "
                "exp(-r^2 / 2) = 1 - share for r.",
            ),
        ],
    ),
    Check(
        name="sample-images",
        lesson="04",
        reference=sample_images,
        make_inputs=_decoder,
        mistakes=[
            Mistake(
                lambda decoder, eps, temperature: decoder(temperature * eps),
                "You return x_logits, which can be any number. What maps them into [0, 1]?",
            ),
            Mistake(
                lambda decoder, eps, temperature: torch.sigmoid(decoder(eps)),
                "The temperature has no effect on your images. What must it multiply?",
            ),
            Mistake(
                lambda decoder, eps, temperature: torch.sigmoid(decoder(eps / temperature)),
                "You divide by the temperature, so a higher one gives narrower codes. Which way round should it be?",
            ),
            Mistake(
                lambda decoder, eps, temperature: torch.sigmoid(decoder(eps + temperature)),
                "You add the temperature, which moves all codes to one side. What changes a spread?",
            ),
            Mistake(
                lambda decoder, eps, temperature: torch.sigmoid(temperature * decoder(eps)),
                "You scale the decoder's output, which changes the contrast. The temperature belongs to the codes.",
            ),
            Mistake(
                lambda decoder, eps, temperature: torch.sigmoid(decoder(math.sqrt(temperature) * eps)),
                "You multiply by the root of the temperature. It is the standard deviation here, not the variance.",
            ),
            Mistake(
                lambda decoder, eps, temperature: torch.sigmoid(decoder(temperature**2 * eps)),
                "You multiply by the square of the temperature: that would be the variance. What spread does "
                "temperature * eps have?",
            ),
            Mistake(
                lambda decoder, eps, temperature: torch.sigmoid(torch.sigmoid(decoder(temperature * eps))),
                "You apply the sigmoid twice, so no pixel can be darker than one half.",
            ),
            Mistake(
                lambda decoder, eps, temperature: torch.sigmoid(decoder(temperature * torch.randn_like(eps))),
                "You draw noise of your own and leave the eps that you were given unused.",
            ),
            Mistake(
                lambda decoder, eps, temperature: decoder(temperature * eps).clamp(0, 1),
                "You cut x_logits off at 0 and 1, so most pixels end at black or white. Which function maps ALL real "
                "numbers into [0, 1]?",
            ),
            Mistake(
                lambda decoder, eps, temperature: torch.sigmoid(decoder(eps) / temperature),
                "You divide x_logits by the temperature, as language models do with theirs. Here it is the spread of "
                "the codes.",
            ),
        ],
    ),
]
