"""Points for what a student handed in, where nbgrader marks a lesson (`course assignment` writes the cells)."""

import contextlib
import hashlib
import inspect
import io
import sys
from dataclasses import replace

import course_utils
from course_utils.checks import _engine

MEMORY = 4 * 2**30  # bytes that a notebook may take while it is marked, beside what its kernel has at the start


class OtherEdition(Exception):
    """The assignment asks for another edition of the exercise than is installed here, so no mark can be given."""


def edition(name: str) -> str:
    """Twelve digits that change when an exercise's reference, its inputs or its known mistakes change.

    They are "" where the file with these is not installed as source.
    """
    try:
        source = inspect.getsource(sys.modules[_engine.find(name).reference.__module__])
    except (OSError, KeyError):
        return ""
    return hashlib.sha256(source.encode()).hexdigest()[:12]


_edition = edition  # which `points` takes an argument of that name beside


def points(name: str, most: int, *, seed: int | None = None, edition: str = "") -> int:
    """What the function that was last handed to `accept` is worth.

    Args:
        name: The exercise's name.
        most: The points of a right answer.
        seed: Where it is given, the answer must be right for inputs drawn from this seed on as well.
        edition: The edition of the exercise that the assignment was made from; see `edition`.

    Returns:
        `most` for an answer that `accept` passed and that is right for the other inputs too, else 0. The reference
        itself, handed in as one's own, is worth 0.

    Raises:
        OtherEdition: There is no such exercise here, or it is another one than the assignment was made from.
    """
    here = f"latent-spaces-course {course_utils.__version__}"
    if name not in _engine.exercises():
        raise OtherEdition(
            f"The exercise {name!r} is not in {here}, which is installed here: mark this assignment with the edition "
            "that it was made with, which its notebook names in its metadata."
        )
    if edition and (own := _edition(name)) and own != edition:
        raise OtherEdition(
            f"The exercise {name!r} was handed out in edition {edition} and {here}, which is installed here, has "
            f"edition {own}: mark with the course that the assignment was made with, or make the assignment again."
        )
    check = _engine.find(name)
    fn, right = _engine.HANDED_IN.get(name, (None, False))
    if right and fn is check.reference:
        print(f"{name}: this is the course's own function, so it is worth no points.")
        return 0
    if right and seed is not None:
        quiet = io.StringIO()
        try:
            with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
                fault = _engine.review(replace(check, seed=seed), fn)
        except NotImplementedError:
            fault = "It is not attempted for these inputs."
        if fault is not None:
            print(f"{name}: right for the inputs of the check above, but not for others. {fault}")
            right = False
    return most if right else 0


def limit_memory() -> None:
    """While nbgrader marks, let the kernel take MEMORY more than now, so that a cell that fills it fails by itself.

    Elsewhere this does nothing, and nor does it on systems other than Linux.
    """
    if not _engine.marking():
        return
    with contextlib.suppress(ImportError, OSError, StopIteration, ValueError):
        import resource

        with open("/proc/self/status") as status:
            now = next(1024 * int(line.split()[1]) for line in status if line.startswith("VmData"))
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (now + MEMORY, hard))
