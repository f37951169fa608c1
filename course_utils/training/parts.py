"""What the course's training loops share, besides the losses."""

import math

import torch
from torch import Tensor, nn


def can_fuse(model: nn.Module) -> bool:
    """Whether Adam's fused form, which updates all parameters in one go, exists for all of the model's parameters."""
    return all(p.is_floating_point() and p.device.type in ("cpu", "cuda", "mps") for p in model.parameters())


def learning_rate(
    step: int, steps: int, peak: float, *, warm_up: int = 0, fall: float = 0.5, shape: str = "linear"
) -> float:
    """A learning rate that rises in a straight line, stays at its peak, and falls to zero at the end.

    Large steps get far, small ones at the end settle what the large ones throw about; a rise over the first few steps
    keeps Adam, whose moments are still empty, from leaping. Also known as warmup-stable-decay, or as a trapezoid.

    Args:
        step: Training step, counted from 0.
        steps: Steps in all.
        peak: The highest value.
        warm_up: Steps of the rise.
        fall: Share of all steps, at the end, in which it falls; above 0 and at most 1.
        shape: Of the fall: "linear", or "cosine" for half a cosine.

    Returns:
        The learning rate at this step; 0 from step ``steps`` on.

    Raises:
        ValueError: ``fall`` or ``shape`` is none of these.

    Source: Hu et al. 2024 (MiniCPM, arXiv:2404.06395), sec. 4, for the three phases.

    Example:
        >>> [learning_rate(step, 8, 1.0, warm_up=2) for step in range(9)]
        [0.5, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    """
    if not 0 < fall <= 1 or shape not in ("linear", "cosine"):
        raise ValueError(f"fall is {fall} and shape {shape!r}: use a share above 0 up to 1, and 'linear' or 'cosine'.")
    rise = min(1.0, (step + 1) / max(warm_up, 1))
    fallen = min(1.0, max(0.0, step / steps - (1 - fall)) / fall)
    return peak * rise * (1 - fallen if shape == "linear" else 0.5 * (1 + math.cos(math.pi * fallen)))


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, ema: float) -> None:
    """Move the weights of a copy towards a model's: w <- ema w + (1 - ema) w_model; buffers are copied.

    Args:
        average: A copy of the model (copy.deepcopy), changed in place.
        model: The model being trained.
        ema: Share that is kept, 0 to 1.

    Example:
        >>> average, model = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.zeros_(average.weight), nn.init.ones_(model.weight)
        >>> follow(average, model, 0.75)
        >>> average.weight.item()
        0.25
    """
    for own, other in zip(average.parameters(), model.parameters(), strict=True):
        own.lerp_(other, 1 - ema)
    for own, other in zip(average.buffers(), model.buffers(), strict=True):
        own.copy_(other)


@torch.no_grad()
def clear_subnormal_moments(optimizer: torch.optim.Optimizer) -> None:
    """Set to zero, in place, what in an optimizer's moments is about to become subnormal, as `fit` does on the CPU.

    The weight behind a pixel that is nearly always black has a gradient of 0 for thousands of steps, and at each of
    them Adam's first moment of it shrinks by 0.9. Below 1.2e-38, float32's smallest normal number, a processor takes
    many times as long for every operation; and as 0.9 times the very smallest number rounds to itself, the moment
    never gets to 0. Numbers as small as this move no weight: an update of 1e-30 / 1e-8 learning rates is lost in
    rounding. A GPU computes subnormal numbers at full speed; what is there is left alone.

    Args:
        optimizer: Any optimizer; of its state, floating-point tensors with at least one dimension are looked at.

    Example:
        >>> w = nn.Parameter(torch.ones(2))
        >>> optimizer = torch.optim.Adam([w])
        >>> optimizer.state[w]["exp_avg"] = torch.tensor([1e-3, 1e-38])
        >>> clear_subnormal_moments(optimizer)
        >>> optimizer.state[w]["exp_avg"]
        tensor([0.0010, 0.0000])
    """
    moments = (value for state in optimizer.state.values() for value in state.values())
    for moment in moments:
        if isinstance(moment, Tensor) and moment.ndim and moment.is_floating_point() and moment.device.type == "cpu":
            moment.masked_fill_(moment.abs() < 1e8 * torch.finfo(moment.dtype).tiny, 0.0)


class _NoBar:
    """Stands in for the progress bar when none is wanted."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def update(self):
        pass

    def set_postfix(self, terms):
        pass

    def write(self, text):
        print(text)


def progress_bar(total: int | None, done: int, progress: bool):
    """A context with a bar over the steps of a training; one that shows nothing if not wanted.

    Args:
        total: Steps in all; None if that is not known.
        done: How many were done before.
        progress: Whether to show the bar.

    Returns:
        tqdm's bar, or a stand-in with those of its methods that the loop calls.
    """
    if not progress:
        return _NoBar()
    from tqdm.auto import tqdm

    return tqdm(total=total, initial=done, unit="step", mininterval=0.2, desc="training")
