"""What tests of every folder share."""

from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
