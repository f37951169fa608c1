"""`course assignment`: a lesson as the source notebook of an nbgrader assignment, whose exercises mark themselves."""

import ast
import copy
import difflib
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import course_utils
from course_utils import checks, files
from course_utils.command.lessons import MINUTES, Lesson, load_lessons

CONFIG = "nbgrader_config.py"
OUR_CONFIG = Path(__file__).with_name("nbgrader_config.txt")
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
ANSWER = re.compile(r"(?s)<details><summary>Answer</summary>\n*(.*?)\n*</details>\n*")
POINTS_WITHOUT_MINUTES, POINTS_OF_A_QUESTION = 5, 1
OWN_SEEDS = 10_000  # the learner's own checks draw from seeds far below this


@dataclass
class Assignment:
    """A lesson as an assignment.

    Attributes:
        lesson: The lesson.
        notebook: The source notebook, as JSON.
        exercises: The points of each exercise by its name.
        questions: The points of each question by its name, `quiz-1`.
        seed: The first seed of the hidden tests' inputs; it stands in no cell that students get.
    """

    lesson: Lesson
    notebook: dict
    exercises: dict[str, int] = field(default_factory=dict)
    questions: dict[str, int] = field(default_factory=dict)
    seed: int = 0

    @property
    def name(self) -> str:
        """What nbgrader calls the assignment, and its notebook."""
        return self.lesson.file_name.removesuffix(".ipynb")

    @property
    def total(self) -> int:
        """All points."""
        return sum(self.exercises.values()) + sum(self.questions.values())


def make(
    number: str, *, points: Mapping[str, int] | None = None, further: bool = False, seed: int | None = None
) -> Assignment:
    """Make the source notebook of a lesson; nothing is written.

    Args:
        number: Two digits of the lesson, "02".
        points: Points by exercise or question, for those that shall not have the default: a point for each minute that
            the lesson's text gives an exercise, and one for a question.
        further: With the sections after the core.
        seed: Of the hidden tests; drawn by default.

    Returns:
        The assignment.

    Raises:
        ValueError: There is no such lesson, exercise or question.
        OSError: The complete lesson is not installed.
    """
    lessons = {lesson.number: lesson for lesson in load_lessons()}
    if number not in lessons:
        raise ValueError(f"there is no lesson {number!r}; there are {', '.join(lessons)}.")
    path = files.notebooks_dir() / "solutions" / lessons[number].file_name
    try:
        complete = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"There is no {path}: an assignment is made from the complete lesson, so make it where the course is "
            "installed whole."
        ) from None
    seed = OWN_SEEDS + secrets.randbelow(2**31) if seed is None else seed
    made = Assignment(lessons[number], {}, seed=seed)
    cells, minutes = complete["cells"] if further else core(complete["cells"]), {}
    for share in _exercises_by_text(cells):
        minutes |= share
    unknown = dict(points or {})
    for cell in cells:
        if cell["cell_type"] == "markdown":
            for name in _question_names(cell):
                made.questions[name] = unknown.pop(name, POINTS_OF_A_QUESTION)
        elif (exercise := _accepted(cell)) is not None:
            made.exercises[exercise[0]] = unknown.pop(exercise[0], minutes[exercise[0]])
    if unknown:
        name = next(iter(unknown))
        raise ValueError(_no_such(name, number, [*made.exercises, *made.questions], further))
    new = [_limits()]
    for cell in cells:
        new += _marked(cell, made)
    made.notebook = {
        "cells": new,
        "metadata": complete["metadata"]
        | {
            "course": {
                "lesson": number,
                "further": further,
                "version": course_utils.__version__,
                "made": date.today().isoformat(),
            }
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return made


def core(cells: list[dict]) -> list[dict]:
    """The cells of a lesson without its further sections; what follows these, the references, stays."""
    kept, further = [], False
    for cell in cells:
        if cell["cell_type"] == "markdown" and (heading := re.match(r"## (.*)", _source(cell))):
            further = heading[1].startswith("Further: ")
        if not further:
            kept.append(cell)
    return kept


def write(made: Assignment, out: Path) -> list[Path]:
    """Write an assignment into the folder of an nbgrader course.

    Args:
        made: The assignment.
        out: The course's folder; made if it is not there.

    Returns:
        The files that were written: the notebook, the glossary to which it links, and nbgrader's settings, unless the
        folder has some already.

    Raises:
        ValueError: The folder has this assignment already, or is a file.
        OSError: It cannot be written.
    """
    out = Path(os.path.abspath(out.expanduser()))
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file: give a folder.")
    folder = out / "source" / made.name
    notebook = folder / f"{made.name}.ipynb"
    if notebook.exists():
        raise ValueError(
            f"{notebook} is there already. Students may have got it, so it is not replaced: remove it yourself, or "
            "give another folder."
        )
    written = {notebook: (json.dumps(made.notebook, indent=1, ensure_ascii=False) + "\n").encode()}
    glossary = files.docs_dir() / "GLOSSARY.md"
    if glossary.is_file():
        written[folder / "GLOSSARY.md"] = glossary.read_bytes()
    settings = OUR_CONFIG.read_bytes()
    if (out / CONFIG).exists() and (out / CONFIG).read_bytes() != settings:
        written[out / f"course_{CONFIG}"] = settings
    elif not (out / CONFIG).exists():
        written[out / CONFIG] = settings
    for path, data in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomically(path, data)
    return list(written)


def report(made: Assignment, written: list[Path], out: Path) -> list[str]:
    """What was made, in lines for the terminal."""
    rows = [("EXERCISE OR QUESTION", "POINTS"), *made.exercises.items(), *made.questions.items()]
    lines = [f"{name:28} {number:>6}" for name, number in rows]
    lines += [f"{'in all':28} {made.total:>6}", "", f"Wrote {', '.join(map(str, written))}."]
    if any(path.name == f"course_{CONFIG}" for path in written):
        lines.append(
            f"{CONFIG} there is yours and stays. Let it begin with `load_subconfig('course_{CONFIG}')`, or deleted "
            "cells, endless ones and other editions cost students their points."
        )
    again = f"`nbgrader generate_assignment {made.name}` and `nbgrader release_assignment {made.name}`"
    return [*lines, f"Next, in {out}: {again}."]


def _limits() -> dict:
    source = "from course_utils import checks\n\nchecks.limit_memory()  # only while this notebook is marked"
    return _cell("assignment", "code", source, locked=True)


def _source(cell: dict) -> str:
    return "".join(cell["source"])


def _cell(name: str, kind: str, source: str, metadata: dict | None = None, **marks) -> dict:
    """A cell with nbgrader's marks; whatever is not said of it is False."""
    marks = {"grade": False, "locked": False, "solution": False, "task": False} | marks
    marks |= {"grade_id": name, "schema_version": 3, "cell_type": kind}
    made = {"cell_type": kind, "id": name, "metadata": (metadata or {}) | {"nbgrader": marks}, "source": source}
    return made | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def _accepted(cell: dict) -> tuple[str, str, int] | None:
    """Of a cell with a check: the exercise, the name that the function has in the lesson, and how many lines it takes.

    >>> _accepted({"cell_type": "code", "source": 'f = checks.accept("top-k", f)\\nf(2)'})
    ('top-k', 'f', 1)
    """
    if cell["cell_type"] != "code" or "checks.accept(" not in _source(cell):
        return None
    for node in ast.parse(_source(cell)).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("checks.accept("):
            name, function = node.value.args
            if ast.unparse(node.targets[0]) != ast.unparse(function):
                raise ValueError(f"cell {cell['id']!r} does not put the checked function back under its own name.")
            return ast.literal_eval(name), ast.unparse(function), node.end_lineno
    raise ValueError(f"cell {cell['id']!r} calls checks.accept in a way that cannot be marked.")


def _exercises_by_text(cells: list[dict]):
    """The points of the exercises between one text that states minutes and the next, which share these minutes."""
    minutes, names = 0, []

    def shared():
        each = max(1, round(minutes / len(names))) if minutes and names else POINTS_WITHOUT_MINUTES
        return dict.fromkeys(names, each)

    for cell in cells:
        if cell["cell_type"] == "markdown" and (stated := MINUTES.findall(_source(cell))):
            yield shared()
            minutes, names = sum(map(int, stated)), []
        elif (exercise := _accepted(cell)) is not None:
            names.append(exercise[0])
    yield shared()


def _question_names(cell: dict) -> list[str]:
    return [f"{cell['id']}-{number}" for number in range(1, len(ANSWER.findall(_source(cell))) + 1)]


def _marked(cell: dict, made: Assignment) -> list[dict]:
    """What stands in the assignment for one cell of the complete lesson."""
    name, kind, source = cell["id"], cell["cell_type"], _source(cell)
    metadata = copy.deepcopy(cell["metadata"])
    if kind == "markdown":
        return _text(name, source.replace("](../../docs/GLOSSARY.md", "](GLOSSARY.md"), metadata, made)
    if kind == "code" and BEGIN in source:
        return _exercise(name, source, metadata)
    if (exercise := _accepted(cell)) is not None:
        return _check(name, source, metadata, exercise, made)
    return [_cell(name, kind, source, metadata, locked=True)]


def _text(name: str, source: str, metadata: dict, made: Assignment) -> list[dict]:
    """A text, and in place of each folded answer a cell for the student's, with the course's as its solution."""
    cells, begin = [], 0
    for number, match in enumerate(ANSWER.finditer(source), 1):
        part = name if not cells else f"{name}-text-{number}"
        cells.append(_cell(part, "markdown", source[begin : match.start()].rstrip(), metadata, locked=True))
        question = f"{name}-{number}"
        answer = f"{BEGIN}\n{match[1]}\n{END}"
        marks = {"grade": True, "solution": True, "points": made.questions[question]}
        cells.append(_cell(question, "markdown", answer, **marks))
        begin = match.end()
    rest = source[begin:].strip("\n") if cells else source
    if rest:
        cells.append(_cell(f"{name}-rest" if cells else name, "markdown", rest, metadata, locked=True))
    return cells


def _exercise(name: str, source: str, metadata: dict) -> list[dict]:
    """The function to be written; what stands before it, as imports, is kept apart, where no answer can break it."""
    lines = source.split("\n")
    begin = next(number for number, line in enumerate(lines, 1) if line.strip() == BEGIN)
    nodes = ast.parse(source).body
    first = next(number for number, node in enumerate(nodes) if node.lineno <= begin <= node.end_lineno)
    cut = nodes[first - 1].end_lineno if first else 0
    given, answer = "\n".join(lines[:cut]).strip("\n"), "\n".join(lines[cut:]).strip("\n")
    before = [_cell(f"{name}-given", "code", given, metadata, locked=True)] if given else []
    return [*before, _cell(name, "code", answer, metadata, solution=True)]


def _check(name: str, source: str, metadata: dict, exercise: tuple[str, str, int], made: Assignment) -> list[dict]:
    """The check as a marked cell, directly behind the answer; what the lesson does with the function comes after it."""
    called, function, end = exercise
    most = made.exercises[called]
    lines = [
        "from course_utils import checks\n",
        f'{function} = checks.accept("{called}", globals().get("{function}"))',
        f'checks.points("{called}", {most})',
        "### BEGIN HIDDEN TESTS",
        f'checks.points("{called}", {most}, seed={made.seed}, edition="{checks.edition(called)}")',
        "### END HIDDEN TESTS",
    ]
    cells = [_cell(name, "code", "\n".join(lines), metadata, grade=True, locked=True, points=most)]
    rest = "\n".join(source.split("\n")[end:]).strip("\n")
    return [*cells, _cell(f"{name}-use", "code", rest, metadata, locked=True)] if rest else cells


def _no_such(name: str, number: str, known: list[str], further: bool) -> str:
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    words = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known)}."
    where = f"lesson {number}" if further else f"the core of lesson {number} (--further adds its other sections)"
    return f"there is no exercise or question {name!r} in {where}: {words}"
