"""Testing samples of a Gaussian, and the gradients through them, whatever the order in which an answer draws its noise.

For a right answer (z - mu) / std looks like N(0, I), and dz / dmu = 1, dz / dlogvar = (z - mu) / 2. So the noise is
recovered from z and tested, never compared with other noise.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._engine import difference

ROWS = 2400
LOGVARS = ((-3.0, -1.6, 0.6), (1.2, 2.0, -0.8))  # of even and of odd rows


def parameters(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """mu and logvar, (2400, 3), both asking for gradients."""
    mu = 2 * torch.randn(ROWS, 3, generator=g)
    return mu.requires_grad_(), torch.tensor(LOGVARS).repeat(ROWS // 2, 1).requires_grad_()


def slope(z: Tensor, parameter: Tensor) -> Tensor:
    """dz / dparameter, element by element; zeros where no gradient flows."""
    if not z.requires_grad:
        return torch.zeros_like(parameter)
    (slope,) = torch.autograd.grad(z.sum(), parameter, allow_unused=True, retain_graph=True)
    return torch.zeros_like(parameter) if slope is None else slope


def stays_on_device(fn: Callable, mu: Tensor, logvar: Tensor) -> bool:
    """Whether fn makes its noise where mu is, tried on PyTorch's meta device, which has shapes and no numbers.

    An answer that looks at the numbers cannot run there, whatever its noise. So what counts is not that it raises but
    that the error names the two devices.
    """
    try:
        fn(*(p.detach().to("meta").requires_grad_() for p in (mu, logvar)))
    except NotImplementedError:  # an operation that is not made for meta tensors
        return True
    except Exception as error:
        return not all(word in str(error) for word in ("device", "cpu", "meta"))
    return True


def observe_sample(fn: Callable, mu: Tensor, logvar: Tensor):
    """The z that fn(mu, logvar) draws, its slopes, the z of a second call, and whether it stays on the device of mu.

    z alone if it has another shape.
    """
    z = fn(mu, logvar)
    if not isinstance(z, Tensor) or z.shape != mu.shape:
        return z
    seen = {"z": z.detach(), "slope of mu": slope(z, mu), "slope of logvar": slope(z, logvar)}
    again = fn(mu, logvar)
    seen["again"] = again.detach() if isinstance(again, Tensor) else again
    return seen | {"device": stays_on_device(fn, mu, logvar)}


LOGVAR_AS_STD = (
    "The spread of your z is logvar itself. logvar is the logarithm of the variance and may be negative: how do you "
    "get from log(sigma^2) to sigma?"
)
NO_HALF = (
    "The spread of your z is exp(logvar), which is the variance. Where is the half? sigma is the square root of "
    "exp(logvar)."
)
LONG_TAILS = (
    "Your noise has longer tails than a Gaussian's. Is eps drawn from N(0, 1), and is std all that it is multiplied by?"
)
UNIFORM = "Your noise is uniform, so z is no Gaussian. rand draws from [0, 1): which function draws from N(0, 1)?"
ONE_EPS = (
    "One eps serves the whole batch: all codes are shifted together. What shape must eps have so that every example "
    "gets noise of its own?"
)
ONE_PER_ROW = (
    "All coordinates of a code get the same number as noise, so your samples lie on a line. What shape must eps have?"
)
NO_NOISE = "You return a value without any noise. Where does eps, drawn from N(0, 1), come in?"
NO_MU = "Your samples are not centred at mu. What is added to std * eps?"
NOT_SCALED = "Your noise has standard deviation 1 whatever logvar says. What must eps be multiplied by?"
ADDED = "You add std and eps. Adding std moves the centre; which operation changes the width?"
NEGATIVE = "Your spread falls where logvar grows: exp(-0.5 * logvar) is 1 / sigma. Which sign is right?"
SAME_NOISE = "Two calls give the same z: a seed or a generator inside the function repeats its noise. Who should seed?"
NO_GRADIENT = (
    "The values are right, but no gradient reaches mu or logvar. torch.normal, sample(), detach and no_grad all cut "
    "it. Can you draw eps first, and compute z from it?"
)
STD_CUT = (
    "The values are right, but no gradient reaches logvar: std is cut off from it. Look for detach, no_grad or .data. "
    "What could the encoder then never learn?"
)
MU_CUT = "The values are right, but no gradient reaches mu. Look for detach, no_grad or .data on mu."
DEVICE = (
    "The values are right here, but your noise is made on the CPU wherever mu is: with mu on a GPU that line raises an "
    "error. Which function draws noise like mu, of its shape and on its device?"
)


def compare_sample(out, expected, mu: Tensor, logvar: Tensor) -> str | None:
    """What is wrong with what `observe_sample` saw, in one or two sentences, or None."""
    if not isinstance(out, dict):
        return difference(out, expected["z"])
    mu, logvar, z = mu.detach(), logvar.detach(), out["z"]
    if not z.is_floating_point() or not z.isfinite().all():
        return difference(z, expected["z"])
    residual = (z - mu).to(mu.dtype)
    if fault := _fault_of_noise(residual, mu, logvar) or _fault_of_gradient(out, residual):
        return fault
    if z.dtype != mu.dtype:
        return (
            f"The values are right, but your z has type {_type(z)} where mu has {_type(mu)}. Make eps with the type of "
            "mu: randn_like(mu) does."
        )
    return None if out["device"] else DEVICE


def _type(t: Tensor) -> str:
    return str(t.dtype).removeprefix("torch.")


def _fault_of_noise(residual: Tensor, mu: Tensor, logvar: Tensor) -> str | None:
    """What is wrong with z - mu, from its mean, spread and shape in each group of equal logvar, or None."""
    groups, std = residual.unflatten(0, (-1, 2)), torch.exp(0.5 * logvar[:2])  # (B / 2, 2, D), (2, D)
    mean, spread = groups.mean(dim=0), groups.std(dim=0)
    if residual.abs().max() < 1e-6 or torch.allclose(residual, std.repeat(len(groups), 1), rtol=1e-3):
        return NO_NOISE
    if (((mu - mu.mean(0)) * residual).mean(0) / mu.var(0)).max() < -0.5:  # what is left still holds -mu
        return NO_MU
    if (spread < 1e-3 * std).all():
        return ONE_EPS
    noise = ((groups - mean) / spread.clamp(min=1e-12)).flatten(0, 1)  # (B, D), mean 0 and variance 1 in each group
    common = (noise.T @ noise / len(noise) - torch.eye(noise.shape[1])).abs()
    if common.max() > 0.25:  # independent: about 1 / sqrt(B) = 0.02
        return ONE_PER_ROW
    kurtosis = noise.pow(4).mean()  # Gaussian: 3, give or take 0.1; uniform: 1.8; Laplace: 6
    if kurtosis < 2.3:
        return UNIFORM
    if kurtosis > 3.8:
        return LONG_TAILS

    def spread_is(candidate: Tensor) -> bool:
        return torch.allclose(spread, candidate, rtol=0.15)

    if spread_is(torch.ones_like(std)) and torch.allclose(mean, std, rtol=0.1, atol=0.2):
        return ADDED
    if (mean.abs() > 0.2 * spread).any():  # six standard errors
        return "Your noise is not centred at zero, so the mean of z is not mu. From which distribution is eps drawn?"
    if spread_is(std):
        return None
    wrong = {NO_HALF: std**2, LOGVAR_AS_STD: logvar[:2].abs(), NOT_SCALED: torch.ones_like(std), NEGATIVE: 1 / std}
    for message, candidate in wrong.items():
        if spread_is(candidate):
            return message
    return (
        f"Where logvar is {logvar[1, 1]:.1f}, the standard deviation of your z is {spread[1, 1]:.2f}, and it should be "
        f"{std[1, 1]:.2f}."
    )


def _fault_of_gradient(out: dict, residual: Tensor) -> str | None:
    if isinstance(out["again"], Tensor) and torch.equal(out["again"], out["z"]):
        return SAME_NOISE
    from_mu, from_logvar = (bool(out[f"slope of {name}"].any()) for name in ("mu", "logvar"))
    if not (from_mu and from_logvar):
        return NO_GRADIENT if not (from_mu or from_logvar) else STD_CUT if from_mu else MU_CUT
    if torch.allclose(out["slope of mu"], torch.ones_like(residual), atol=1e-3) and torch.allclose(
        out["slope of logvar"], 0.5 * residual, rtol=1e-2, atol=1e-3
    ):
        return None
    return "The values are right, but their gradients are not those of mu + std * eps. Does eps depend on mu or logvar?"
