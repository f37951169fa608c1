"""The learner's notebook is the complete one with its exercises open, so running the complete one tries both.

What a learner who attempts nothing runs besides are the open functions and the checks that take them; those run here.
"""

import ast
import json
import re

import glossary
import pytest
from helpers import ROOT
from notebook_sources import open_exercise

from course_utils import checks

LESSONS = sorted(path.name for path in (ROOT / "notebooks" / "solutions").glob("*.ipynb"))


def cells(path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def code(cell: dict) -> str:
    return "".join(cell["source"])


def test_every_lesson_has_both_variants():
    assert sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb")) == LESSONS


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_variants_differ_in_their_exercises_only(lesson):
    learner, complete = cells(ROOT / "notebooks" / lesson), cells(ROOT / "notebooks" / "solutions" / lesson)
    opened = 0
    for ours, theirs in zip(learner, complete, strict=True):
        for key in ("id", "cell_type", "metadata"):
            assert ours[key] == theirs[key]
        expected = code(theirs)
        if ours["cell_type"] == "code" and "### BEGIN SOLUTION" in expected:
            expected, opened = open_exercise(expected, ours["id"]), opened + 1
        elif ours["cell_type"] == "markdown":
            expected = expected.replace(f"](../../{glossary.FILE}#", f"](../{glossary.FILE}#")  # one folder further up
        assert code(ours) == expected, ours["id"]
    assert opened


@pytest.mark.parametrize("lesson", LESSONS)
def test_an_open_exercise_goes_on_with_the_reference_and_says_so(lesson, capsys):
    notebook = [cell for cell in cells(ROOT / "notebooks" / lesson) if cell["cell_type"] == "code"]
    sources = [ast.parse(code(cell)) for cell in notebook]
    imports = [node for tree in sources for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    functions = {node.name: node for tree in sources for node in tree.body if isinstance(node, ast.FunctionDef)}
    asked = [pair for cell in map(code, notebook) for pair in re.findall(r'accept\("([\w-]+)", (\w+)\)', cell)]
    assert asked
    for name, function in asked:
        namespace = {}
        exec(compile(ast.Module([*imports, functions[function]], []), f"<{lesson}>", "exec"), namespace)
        assert checks.accept(name, namespace[function]) is checks.all_checks()[name].reference
        said = f"{name}: not attempted yet. The lesson goes on with the reference solution.\n"
        assert capsys.readouterr().out == said
