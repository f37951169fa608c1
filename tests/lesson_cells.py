"""Runs named cells of a lesson, so that a test can compare what the lesson defines with what the package has.

A lesson writes a concept's code inline where it teaches it, and the package has the same for later lessons. That the
two agree is tested, once for each such concept, in tests/notebooks/test_parity_NN.py:

    import torch
    from course_utils.gaussian import kl_standard_normal
    from lesson_cells import lesson_namespace

    def test_kl_of_lesson_06():
        lesson = lesson_namespace("06", "imports", "kl")  # these cells, in the lesson's order
        mu, logvar = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(lesson["kl_standard_normal"](mu, logvar), kl_standard_normal(mu, logvar))

The cells run as in the complete lesson, solutions included. Name only cells that are quick, and the cells that those
need (the imports, say). Values that a skipped cell would have made can be given: `lesson_namespace("02", "loss", x=x)`.
A test cell, `# %% [test] seen`, runs only where it is asked for, as "test seen".
"""

import ast
import linecache
from pathlib import Path

from notebook_sources import named_cells

ROOT = Path(__file__).resolve().parents[1]


def lesson_source(number: str, root: Path = ROOT) -> Path:
    """The source file of a lesson, by its two digits."""
    found = sorted((root / "notebooks" / "src").glob(f"{number}_*.py"))
    if len(found) != 1:
        raise LookupError(f"There are {len(found)} sources of lesson {number!r} in notebooks/src; there must be one.")
    return found[0]


def lesson_cells(number: str, root: Path = ROOT) -> dict[str, str]:
    """The code cells of a lesson, {name: source}, in its order; a test cell is called "test NAME"."""
    cells = named_cells(lesson_source(number, root))
    return {f"test {c.name}" if c.kind == "test" else c.name: c.source for c in cells if c.kind in ("code", "test")}


def lesson_namespace(number: str, *cell_names: str, root: Path = ROOT, **values) -> dict:
    """What the named code cells of a lesson define.

    Args:
        number: Two digits of the lesson, "02".
        cell_names: Names of code cells. They run in the lesson's order, whatever the order here.
        root: The course's folder.
        values: Names that the cells find defined, for what cells that are not named would have made.

    Returns:
        The namespace after the last of these cells.

    Raises:
        LookupError: No such lesson, or no such cell in it; the message lists those there are.
    """
    path, cells = lesson_source(number, root), lesson_cells(number, root)
    if missing := set(cell_names) - set(cells):
        raise LookupError(f"{path.name} has no code cells {sorted(missing)}; it has {list(cells)}.")
    namespace = {"__name__": f"lesson_{number}", **values}
    for name, source in cells.items():
        if name in cell_names:
            file = f"<{path.name}, cell {name}>"
            linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)  # for tracebacks
            exec(compile(source, file, "exec"), namespace)
    return namespace


def lesson_definitions(number: str, *cell_names: str, **values) -> dict:
    """What `lesson_namespace` gives, of the functions and classes alone: for cells that also load models or train.

    Args:
        number: Two digits of the lesson, "02".
        cell_names: Names of code cells.
        values: Names that the functions find defined.

    Returns:
        The values, and with them what the cells define.
    """
    sources = lesson_cells(number)
    for cell in cell_names:
        body = [node for node in ast.parse(sources[cell]).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
        exec(compile(ast.Module(body, []), f"<{cell}>", "exec"), values)
    return values
