"""Choose the device to compute on, describe it, and seed every random number generator."""

import contextlib
import os
import platform
import random
from collections.abc import Iterator

import torch
from torch import Tensor


def _available() -> dict[str, bool]:
    return {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}


def pick_device(prefer: str | torch.device | None = None) -> torch.device:
    """The device to compute on: cuda if there is one, else mps, else cpu.

    Args:
        prefer: A device name such as "cpu", "cuda:1" or "mps". Without it the environment variable COURSE_DEVICE
            is read, and without that the first available of cuda, mps, cpu is taken.

    Returns:
        A torch.device that is present on this machine.

    Raises:
        ValueError: The name is not one of cuda, mps and cpu.
        RuntimeError: The device that was asked for is absent.

    Example:
        >>> pick_device("cpu")
        device(type='cpu')
    """
    available = _available()
    asked = prefer if prefer is not None else os.environ.get("COURSE_DEVICE") or None
    if asked is None:
        return torch.device(next(name for name, present in available.items() if present))
    origin = "COURSE_DEVICE" if prefer is None else "prefer"
    try:
        device = torch.device(asked)
    except RuntimeError:
        device = None
    if device is None or device.type not in available:
        raise ValueError(f"{origin} is {str(asked)!r}, which is no device name: use one of {', '.join(available)}.")
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if not available[device.type] or (device.index or 0) >= count:
        present = ", ".join(name for name, here in available.items() if here)
        raise RuntimeError(
            f"{origin} asks for {str(asked)!r}, which this machine does not have (it has: {present}). "
            f"Choose one of those, or leave {origin} out to let the course choose."
        )
    return device


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and PyTorch's global random number generators (on every device)."""
    import numpy as np

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@contextlib.contextmanager
def kept_rng(device: str | torch.device) -> Iterator[None]:
    """Context in which anything may be drawn or seeded: afterwards the global generators are as they were before.

    Args:
        device: The generator of this device and that of the CPU are put back.

    Example:
        >>> before = torch.get_rng_state()
        >>> with kept_rng("cpu"):
        ...     _ = torch.manual_seed(1), torch.rand(3)
        >>> torch.equal(torch.get_rng_state(), before)
        True
    """
    device = torch.device(device)
    state = torch.mps.get_rng_state() if device.type == "mps" else None
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            if state is not None:
                torch.mps.set_rng_state(state)


def generator_on(device: str | torch.device, generator: torch.Generator | None) -> torch.Generator | None:
    """A source of randomness on a device: the CPU's generator itself, or one that is seeded by a draw of it.

    Args:
        device: Where numbers are to be drawn.
        generator: A generator on the CPU; None stands for the global ones.

    Returns:
        On the CPU the same generator; elsewhere a new one, which a seed of the given one makes the same again. None for
        None.

    Example:
        >>> generator = torch.Generator()
        >>> generator_on("cpu", generator) is generator
        True
    """
    device = torch.device(device)
    if generator is None or device.type == "cpu":
        return generator
    seed = torch.randint(2**62, (), generator=generator, dtype=torch.int64).item()
    return torch.Generator(device).manual_seed(seed)


def as_float64(t: Tensor) -> Tensor:
    """The tensor in double precision: where it is, or on the CPU if its device (Apple's GPU) has no such numbers."""
    return t.cpu().double() if t.device.type == "mps" else t.double()


def describe_device(device: str | torch.device | None = None) -> str:
    """One line that says what a device is: name, cores or memory.

    Args:
        device: A device, or None for the one that `pick_device` chooses.

    Example:
        >>> describe_device("cpu").startswith("cpu: ")
        True
    """
    device = pick_device(device)
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{device}: {properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    processor = platform.processor() or platform.machine()
    if device.type == "mps":
        return f"mps: Apple GPU ({processor})"
    return f"cpu: {processor}, {os.cpu_count()} cores, {torch.get_num_threads()} threads used by torch"
