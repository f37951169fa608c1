"""A reference that stands in for an exercise can be called as the lesson calls the learner's function."""

import ast
import inspect
import re

import pytest
from lesson_cells import ROOT, lesson_cells

from course_utils.checks import all_checks

NUMBERS = sorted(path.name[:2] for path in (ROOT / "notebooks" / "src").glob("*.py"))


def exercises(number):
    """The lesson's functions by exercise, as their arguments in the source."""
    cells = lesson_cells(number).items()
    source = "\n".join(cell for name, cell in cells if "{{" not in cell and not name.startswith("test "))
    functions = {node.name: node.args for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    return {exercise: functions[name] for exercise, name in re.findall(r'accept\("([\w-]+)", (\w+)\)', source)}


@pytest.mark.parametrize("number", NUMBERS)
def test_references_have_the_lessons_arguments_and_defaults(number):
    for exercise, wanted in exercises(number).items():
        reference = inspect.signature(all_checks()[exercise].reference).parameters.values()
        assert [one.name for one in reference] == [one.arg for one in (*wanted.args, *wanted.kwonlyargs)], exercise
        with_default = [i for i, one in enumerate(reference) if one.default is not one.empty]
        keyword_defaults = [i for i, one in enumerate(wanted.kw_defaults, len(wanted.args)) if one is not None]
        positional = range(len(wanted.args) - len(wanted.defaults), len(wanted.args))
        assert with_default == [*positional, *keyword_defaults], exercise
