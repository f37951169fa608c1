"""Feedback on exercises: ``fn = checks.accept("exercise-name", fn)``."""

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._engine import accept, all_checks, review
from course_utils.checks._marking import OtherEdition, edition, limit_memory, points
from course_utils.checks._progress import reset_progress
from course_utils.checks._report import progress, progress_table

__all__ = [
    "Check", "Mistake", "OtherEdition", "Parts", "accept", "all_checks", "edition", "limit_memory", "points",
    "progress", "progress_table", "reset_progress", "review",
]  # fmt: skip
