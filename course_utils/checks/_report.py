"""Which exercises are passed, lesson by lesson, and as a table."""

from course_utils.checks._engine import exercises
from course_utils.checks._progress import passed


def progress() -> dict[str, dict[str, str | None]]:
    """The exercises of each lesson and the day each was passed.

    Returns:
        {lesson number: {exercise name: "2026-01-31" or None}}, both in the course's order.
    """
    days, lessons = passed(), {}
    for name, lesson in exercises().items():
        lessons.setdefault(lesson, {})[name] = days.get(name)
    return lessons


def progress_table() -> str:
    """The progress as text: one line a lesson, a filled box for each passed exercise."""
    lines = []
    for lesson, days in progress().items():
        boxes = " ".join("[x]" if day else "[ ]" for day in days.values())
        done = sum(day is not None for day in days.values())
        lines.append(f"lesson {lesson}   {done} of {len(days)}   {boxes}   {', '.join(days)}")
    return "\n".join(lines) or "There are no exercises in this installation."
