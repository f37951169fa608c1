"""What tests of every folder share."""

import contextlib
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype):
    """Context in which tensors are made in another number format than float32 where nothing else is said."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
