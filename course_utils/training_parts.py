"""What the course's training loops share, besides the losses."""

import torch
from torch import Tensor, nn


def can_fuse(model: nn.Module) -> bool:
    """Whether Adam's fused form, which updates all parameters in one go, exists for all of the model's parameters."""
    return all(p.is_floating_point() and p.device.type in ("cpu", "cuda", "mps") for p in model.parameters())


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
