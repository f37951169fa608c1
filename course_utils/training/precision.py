"""In which number format to train: float32, or bfloat16 where the processor gains by it."""

import contextlib
import functools
import statistics
import time

import torch

PRECISIONS = ("float32", "bfloat16", "auto")


@functools.cache
def bfloat16_speedup(device: str | torch.device = "cpu", size: int = 384) -> float:
    """How many times faster this machine multiplies matrices in bfloat16 than in float32, measured once a session.

    Args:
        device: Where to measure: "cpu" or "cuda"; elsewhere nothing is measured and 1.0 is returned.
        size: Edge of the square matrices.

    Returns:
        Ratio of the median times of 9 products each, taken in turn. Above 1 bfloat16 is faster. A processor without
        instructions for it has to emulate it and is slower.
    """
    device = torch.device(device)
    if device.type not in ("cpu", "cuda"):
        return 1.0
    formats = (torch.float32, torch.bfloat16)
    matrices = {f: torch.ones(size, size, device=device, dtype=f) for f in formats}
    times: dict[torch.dtype, list[float]] = {f: [] for f in formats}
    for round_ in range(11):
        for f in formats:
            start = time.perf_counter()
            (matrices[f] @ matrices[f])[0, 0].item()  # reading a number waits until a GPU is done
            if round_ > 1:  # the first ones choose kernels and warm up
                times[f].append(time.perf_counter() - start)
    return statistics.median(times[torch.float32]) / statistics.median(times[torch.bfloat16])


def choose_precision(precision: str, device: str | torch.device) -> str:
    """The format to train in: "auto" becomes "bfloat16" where its matrix products are at least 1.3 times as fast.

    Args:
        precision: "float32", "bfloat16" or "auto".
        device: Where the model is.

    Returns:
        "float32" or "bfloat16".

    Raises:
        ValueError: Another precision.

    Example:
        >>> choose_precision("float32", "cpu")
        'float32'
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}: use one of {', '.join(PRECISIONS)}.")
    if precision == "auto":
        return "bfloat16" if bfloat16_speedup(str(device)) >= 1.3 else "float32"
    return precision


def autocast(precision: str, device: torch.device) -> contextlib.AbstractContextManager:
    """Context in which matrix products and convolutions run in the given format; weights stay in float32."""
    if precision == "float32" and not torch.is_autocast_enabled(device.type):
        return contextlib.nullcontext()  # the same, and entered in no time
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
