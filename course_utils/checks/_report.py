"""Which exercises are passed, lesson by lesson, and as a table."""

from course_utils.checks._engine import all_checks
from course_utils.checks._progress import passed


def progress() -> dict[str, dict[str, str | None]]:
    """The exercises of each lesson and the day each was passed.

    Returns:
        {lesson number: {exercise name: "2026-01-31" or None}}, both in the course's order.
    """
    days, lessons = passed(), {}
    for check in all_checks().values():
        lessons.setdefault(check.lesson, {})[check.name] = days.get(check.name)
    return lessons


def progress_table() -> str:
    """The progress as text: one line a lesson, a filled box for each passed exercise."""
    lines = []
    for lesson, exercises in progress().items():
        boxes = " ".join("[x]" if day else "[ ]" for day in exercises.values())
        done = sum(day is not None for day in exercises.values())
        lines.append(f"lesson {lesson}   {done} of {len(exercises)}   {boxes}   {', '.join(exercises)}")
    return "\n".join(lines) or "There are no exercises in this installation."
