"""Which exercises are passed, in one small file in the learner's own folder. Nothing leaves the machine."""

import contextlib
import json
from datetime import date
from pathlib import Path

from course_utils.paths import course_home, write_atomically


def progress_file() -> Path:
    """Where the progress is kept."""
    return course_home() / "progress.json"


def _read() -> dict[str, str]:
    try:
        passed = json.loads(progress_file().read_text(encoding="utf-8"))["passed"]
        return {str(name): str(day) for name, day in passed.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # none yet, or damaged: the learner only has to run the check cells again


def record(name: str) -> None:
    """Remember that an exercise is passed. A folder that cannot be written to never stops a lesson."""
    passed = _read()
    if name not in passed:
        passed[name] = date.today().isoformat()
        with contextlib.suppress(OSError):
            write_atomically(progress_file(), (json.dumps({"passed": passed}, indent=2) + "\n").encode())


def progress() -> dict[str, dict[str, str | None]]:
    """The exercises of each lesson and the day each was passed.

    Returns:
        {lesson number: {exercise name: "2026-01-31" or None}}, both in the course's order.
    """
    from course_utils.checks._engine import all_checks

    passed, lessons = _read(), {}
    for check in all_checks().values():
        lessons.setdefault(check.lesson, {})[check.name] = passed.get(check.name)
    return lessons


def progress_table() -> str:
    """The progress as text: one line a lesson, a filled box for each passed exercise."""
    lines = []
    for lesson, exercises in progress().items():
        boxes = " ".join("[x]" if day else "[ ]" for day in exercises.values())
        done = sum(day is not None for day in exercises.values())
        lines.append(f"lesson {lesson}   {done} of {len(exercises)}   {boxes}   {', '.join(exercises)}")
    return "\n".join(lines) or "There are no exercises in this installation."


def reset_progress() -> None:
    """Forget which exercises are passed."""
    progress_file().unlink(missing_ok=True)
