"""Feedback on exercises: ``fn = checks.accept("exercise-name", fn)``."""

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._engine import accept, all_checks, review
from course_utils.checks._progress import reset_progress
from course_utils.checks._report import progress, progress_table

__all__ = [
    "Check", "Mistake", "Parts", "accept", "all_checks", "progress", "progress_table", "reset_progress", "review",
]  # fmt: skip
