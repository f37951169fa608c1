"""What tests of every folder share."""

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

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


@contextlib.contextmanager
def benchmark(name: str) -> Iterator[ModuleType]:
    """A file of benchmarks/ as a module; afterwards it is forgotten, with what it imported from there."""
    folder = str(ROOT / "benchmarks")
    sys.path.insert(0, folder)
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(folder)
        for path in (ROOT / "benchmarks").glob("*.py"):
            sys.modules.pop(path.stem, None)


def complaint(capsys, *arguments, status=2):
    """The one sentence on stderr that these words on the command line lead to."""
    from course_utils.command import cli

    assert cli.main(list(map(str, arguments))) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("course: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err
