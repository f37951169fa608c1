"""What this machine has and what the course asks of it: versions and memory. Standard library only."""

import ctypes
import importlib.metadata
import os
import re
import sys
from collections.abc import MutableMapping
from pathlib import Path

DISTRIBUTION = "latent-spaces-course"


def meets(version: str, specifier: str) -> bool:
    """Whether a version satisfies clauses with >=, >, <=, <, == and !=, going by the release numbers alone.

    Example:
        >>> meets("2.15.0+cpu", ">=2.11"), meets("3.9.1", ">=3.11,<3.14"), meets("3.14.0", ">=3.11,<3.14")
        (True, False, False)
    """
    have = _release(version)
    tests = {
        ">=": have.__ge__, "<=": have.__le__, "==": have.__eq__, "!=": have.__ne__, ">": have.__gt__, "<": have.__lt__,
    }  # fmt: skip
    for clause in filter(None, (clause.strip() for clause in specifier.split(","))):
        operator = re.match(r"[<>=!]=|[<>]", clause)
        if operator and not tests[operator[0]](_release(clause[operator.end() :])):
            return False
    return True


def _release(version: str) -> tuple[int, ...]:
    """Numbers of a version without trailing zeros: "2.11.0+cu128" -> (2, 11)."""
    found = re.match(r"\s*v?(\d+(?:\.\d+)*)", version)
    numbers = [int(part) for part in found[1].split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def requirements() -> tuple[str, dict[str, str]]:
    """What the course needs, from the installed package's metadata, or from pyproject.toml in a bare checkout.

    Returns:
        Python's version specifier, and one specifier a package.
    """
    try:
        metadata = importlib.metadata.metadata(DISTRIBUTION)
        python, listed = metadata["Requires-Python"], metadata.get_all("Requires-Dist") or []
    except importlib.metadata.PackageNotFoundError:
        import tomllib

        file = Path(__file__).resolve().parents[2] / "pyproject.toml"
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        python, listed = project["requires-python"], project["dependencies"]
    packages = {}
    for requirement in listed:
        plain, _, marker = requirement.partition(";")
        name, specifier = re.fullmatch(r"([\w.-]+)\s*(?:\[.*\])?\s*\(?([^()]*)\)?\s*", plain).groups()
        if "extra" not in marker:
            packages[name] = specifier.strip()
    return python, packages


def let_threads_sleep(variables: MutableMapping[str, str]) -> None:
    """Ask GNU's OpenMP, which torch brings along on Linux, to let a waiting thread sleep after a short spin.

    By default a thread that waits for another spins for milliseconds, and keeps a core from everybody else. On a
    machine with other work to do that slows training up to several times; on an idle one the shorter spin costs about
    a fifth of the speed (benchmarks/threads.py measures both). It is read when torch is loaded, so set it before; a
    value that is there already is kept.

    Args:
        variables: Environment variables, changed in place.

    Example:
        >>> variables = {}
        >>> let_threads_sleep(variables)
        >>> variables
        {'GOMP_SPINCOUNT': '2000'}
    """
    variables.setdefault("GOMP_SPINCOUNT", "2000")


def memory() -> tuple[int | None, int | None]:
    """Memory of this machine, or of the container that it is.

    Returns:
        (total, available) in bytes; None for what the system does not tell.
    """
    if sys.platform == "win32":
        return _memory_of_windows()
    total = available = None
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (ValueError, OSError):
        pass  # macOS has no SC_AVPHYS_PAGES
    found = re.search(r"MemAvailable:\s+(\d+) kB", _text("/proc/meminfo"))
    available = int(found[1]) * 1024 if found else available
    limit, used = _text("/sys/fs/cgroup/memory.max").strip(), _text("/sys/fs/cgroup/memory.current").strip()
    if limit.isdigit() and total and int(limit) < total:
        total = int(limit)
        available = min(available or total, max(0, total - int(used or 0)))
    return total, available


def _memory_of_windows() -> tuple[int | None, int | None]:
    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong), ("total", ctypes.c_ulonglong)]
        _fields_ += [("available", ctypes.c_ulonglong), ("others", ctypes.c_ulonglong * 5)]

    status = Status(length=ctypes.sizeof(Status))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None, None
    return status.total, status.available


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
