"""The whole way of an assignment, with real nbgrader: generate, release, fetch, submit, collect, autograde, feedback.

nbgrader is in an environment of its own, which `.ci/run` makes and names in COURSE_NBGRADER_PYTHON; the kernel is that
of the environment that runs this test. Every lesson goes the way with a submission in which the exercises are handed
in right, wrong, empty and crashing in turns; lesson 02 also through the exchange, with whole submissions of each kind,
and with what students do by accident.

Cells that no exercise needs, training above all, are cut out of the notebooks first: the complete lessons run elsewhere
in the test suite, and thirteen of them would take minutes here. So this says nothing of how long a whole one takes.
With COURSE_WHOLE_LESSONS=1 nothing is cut.
"""

import ast
import builtins
import copy
import json
import os
import subprocess
import symtable
import sys
from pathlib import Path

import pytest

from course_utils import checks
from course_utils.command import assignment
from course_utils.command.lessons import load_lessons

PYTHON = os.environ.get("COURSE_NBGRADER_PYTHON", "")
TRIP = Path(__file__).with_name("nbgrader_trip.py")
WHOLE = os.environ.get("COURSE_WHOLE_LESSONS") == "1"
LESSONS = [lesson.number for lesson in load_lessons()]
KINDS = ("right", "wrong", "empty", "crashing")
CRASHES = ("def broken(:\n", "raise RuntimeError('crash')\n", "import sys\nsys.exit(3)\n", "1 / 0\n")

pytestmark = [
    pytest.mark.skipif(not PYTHON, reason="COURSE_NBGRADER_PYTHON names no Python with nbgrader"),
    pytest.mark.slow_because("nbgrader runs every lesson's exercises in kernels of their own"),
]


START = "from ipykernel.kernelapp import launch_new_instance; launch_new_instance()"
WITHOUT_COURSE = f"import sys; sys.modules['course_utils'] = None; {START}"


def take(course: Path, *steps, start: str = START) -> subprocess.Popen:
    """Begin steps of nbgrader in the folder of a course; `start` is what its kernels begin with."""
    folder = course.parent / "jupyter" / "kernels" / "python3"
    folder.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-c", start, "-f", "{connection_file}"]
    (folder / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))
    path = f"{Path(PYTHON).parent}{os.pathsep}{os.environ['PATH']}"  # nbgrader calls alembic by its name
    environment = os.environ | {"JUPYTER_PATH": str(folder.parents[1]), "PATH": path, "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen(
        [PYTHON, str(TRIP)], cwd=course, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    process.stdin.write(json.dumps(steps))
    process.stdin.close()
    return process


def taken(process: subprocess.Popen) -> list[dict]:
    """What came of steps that were begun."""
    out = process.stdout.read()
    assert process.wait() == 0, out
    return json.loads(out.splitlines()[-1])


def names(source: str) -> tuple[set[str], set[str]]:
    """The global names that a cell binds, and those that it or its functions read."""
    top = symtable.symtable(source, "cell", "exec")
    bound = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    read, tables = set(), [top]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        read |= {
            one.get_name() for one in table.get_symbols() if one.is_referenced() and (table is top or one.is_global())
        }
    return bound, read - set(dir(builtins))


def cut(cells: list[dict]) -> list[dict]:
    """The cells that the exercises need: with the answers and their checks, whatever gives a name that these read."""
    kept, wanted = [], set()
    for cell in reversed(cells):
        marks = cell["metadata"]["nbgrader"]
        if cell["cell_type"] != "code":
            keep = marks["grade"]
        else:
            bound, read = names(cell["source"])
            keep = marks["solution"] or marks["grade"] or cell["id"] == "assignment" or bool(bound & wanted)
            wanted |= read if keep else set()
        kept += [cell] if keep else []
    return kept[::-1]


def answers(notebook: dict) -> list[dict]:
    return [c for c in notebook["cells"] if c["cell_type"] == "code" and c["metadata"]["nbgrader"]["solution"]]


def hand_in(released: dict, source: dict, kinds: list[str]) -> dict:
    """A released notebook with answers of these kinds; or, where a kind is none of KINDS, code that comes after."""
    made = copy.deepcopy(released)
    for number, (cell, right, kind) in enumerate(zip(answers(made), answers(source), kinds, strict=True)):
        function = ast.parse(right["source"]).body[-1].name
        if kind == "wrong":
            cell["source"] = f"def {function}(*args, **kwargs):\n    return 0"
        elif kind == "crashing":
            cell["source"] = CRASHES[number % len(CRASHES)] + "\n"
        elif kind != "empty":
            cell["source"] = right["source"] + ("" if kind == "right" else f"\n\n\n{kind}")
    return made


def read(path: Path) -> dict:
    made = json.loads(path.read_text(encoding="utf-8"))
    for cell in made["cells"]:
        cell["source"] = "".join(cell["source"])
    return made


def put(path: Path, notebook: dict):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def without_marks(notebook: dict) -> dict:
    for cell in notebook["cells"]:
        cell["metadata"] = {}
    return notebook


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The folder of a course with all lessons generated; by name the assignments as they were made."""
    folder = tmp_path_factory.mktemp("nbgrader") / "course"
    made = {}
    for number in LESSONS:
        one = assignment.make(number, further=True)
        if not WHOLE:
            one.notebook["cells"] = cut(one.notebook["cells"])
        assignment.write(one, folder)
        made[number] = one
    config = folder / "nbgrader_config.py"
    if not WHOLE:
        config.write_text(config.read_text() + "\nc.Execute.timeout = 120\n")
    name = made["02"].name
    steps = [["generate", one.name, ""] for one in made.values()]
    steps += [["release", name, ""], *(["fetch", name, student] for student in KINDS)]
    for step, result in zip(steps, taken(take(folder, *steps)), strict=True):
        assert result["success"], (step, result)
    return folder, made


def test_a_busy_machine_may_take_its_time_over_a_cells_output(course):
    """With nbgrader's own 4 seconds a right submission of lesson 09 stayed unmarked once."""
    read_it = """
from nbgrader.preprocessors import Execute
from traitlets.config.loader import PyFileConfigLoader
print(Execute(config=PyFileConfigLoader("nbgrader_config.py").load_config()).iopub_timeout)
"""
    said = subprocess.run([PYTHON, "-c", read_it], cwd=course[0], capture_output=True, text=True)
    assert said.stdout.strip() == "120", said.stderr


ENDLESS = "import time\nwhile True:\n    time.sleep(1)"
ENDLESS_INSIDE = "def {function}(*args, **kwargs):\n    while True:\n        pass"
HUNGRY_INSIDE = "def {function}(*args, **kwargs):\n    return [bytearray(2**28) for _ in range(100)]"


@pytest.fixture(scope="module")
def marked(course):
    """The marks of every submission, and what nbgrader said: {(lesson, student): (marks, result)}."""
    folder, made = course
    steps, todo = {"one": [], "two": []}, []
    for turn, (number, one) in enumerate(made.items()):
        released = read(folder / "release" / one.name / f"{one.name}.ipynb")
        kinds = [KINDS[(turn + place) % 4] for place in range(len(one.exercises))]
        put(folder / "submitted" / "mixed" / one.name / f"{one.name}.ipynb", hand_in(released, one.notebook, kinds))
        todo.append((number, "mixed"))
    one = made["02"]
    released = read(folder / "release" / one.name / f"{one.name}.ipynb")
    several = len(one.exercises)
    for student in KINDS:
        path = folder.parent / "home" / student / one.name / f"{one.name}.ipynb"
        put(path, hand_in(read(path), one.notebook, [student] * several))
        todo.append(("02", student))
    cells = hand_in(released, one.notebook, ["right"] * several)
    function = ast.parse(answers(one.notebook)[1]["source"]).body[-1].name
    accidents = {}
    accidents["endless"] = hand_in(
        released, one.notebook, ["import time\nwhile True:\n    time.sleep(1)"] + ["right"] * (several - 1)
    )
    answers(accidents["endless"])[1]["source"] = ENDLESS_INSIDE.format(function=function)
    hoard = "hoard = [bytearray(2**28) for _ in range(100)]"
    accidents["hungry"] = hand_in(released, one.notebook, [hoard] + ["right"] * (several - 1))
    answers(accidents["hungry"])[1]["source"] = HUNGRY_INSIDE.format(function=function)
    accidents["deleted"] = copy.deepcopy(cells)
    gone = {"imports", "step-check", "loop-exercise", "loop-check", "assignment", "quiz-2"}
    assert gone <= {cell["id"] for cell in cells["cells"]}
    accidents["deleted"]["cells"] = [cell for cell in cells["cells"] if cell["id"] not in gone]
    accidents["killed"] = hand_in(released, one.notebook, ["import os\nos._exit(1)"] + ["right"] * (several - 1))
    for student, notebook in accidents.items():
        put(folder / "submitted" / student / one.name / f"{one.name}.ipynb", notebook)
        todo.append(("02", student))
    put(folder / "submitted" / "renamed" / one.name / "my solution.ipynb", without_marks(cells))
    todo.append(("02", "renamed"))
    before = [["submit", one.name, student] for student in KINDS] + [["collect", one.name, ""]]
    for step, result in zip(before, taken(take(folder, *before)), strict=True):
        assert result["success"], (step, result)
    for place, (number, student) in enumerate(todo):  # two graders at once
        steps[("one", "two")[place % 2]] += [
            ["autograde", made[number].name, student],
            ["marks", made[number].name, student],
        ]
    steps["one"] += [["feedback", one.name, "wrong"]]
    graders = {who: take(folder, *own) for who, own in steps.items()}
    results = {who: taken(process) for who, process in graders.items()}
    found = {}
    for place, key in enumerate(todo):
        own = results[("one", "two")[place % 2]]
        found[key] = own[2 * (place // 2) + 1], own[2 * (place // 2)]
    assert results["one"][-1]["success"], results["one"][-1]
    if "COURSE_NBGRADER_REPORT" in os.environ:
        Path(os.environ["COURSE_NBGRADER_REPORT"]).write_text(
            json.dumps([[*key, *value] for key, value in found.items()])
        )
    return found


def points(marks: dict, made: assignment.Assignment) -> dict[str, float]:
    """The points that the machine gave, by exercise."""
    code = [cell for cell in made.notebook["cells"] if cell["cell_type"] == "code"]
    graded = [cell["id"] for cell in code if cell["metadata"]["nbgrader"]["grade"]]
    assert all(marks[check][1] == most for check, most in zip(graded, made.exercises.values(), strict=True))
    return {name: marks[check][0] for check, name in zip(graded, made.exercises, strict=True)}


def failing(folder: Path, student: str, name: str) -> list[str]:
    """The cells of an autograded submission that show an error."""
    cells = read(folder / "autograded" / student / name / f"{name}.ipynb")["cells"]
    return [cell["id"] for cell in cells if any(out["output_type"] == "error" for out in cell.get("outputs", []))]


@pytest.mark.parametrize("number", LESSONS)
def test_right_answers_get_their_points_and_no_others(course, marked, number):
    made, (marks, result) = course[1][number], marked[number, "mixed"]
    assert result["success"], result
    turn = LESSONS.index(number)
    expected = {
        name: most * (KINDS[(turn + place) % 4] == "right") for place, (name, most) in enumerate(made.exercises.items())
    }
    assert points(marks, made) == expected
    crashed = [
        cell["id"] for place, cell in enumerate(answers(made.notebook)) if KINDS[(turn + place) % 4] == "crashing"
    ]
    assert failing(course[0], "mixed", made.name) == crashed  # the lesson itself goes on


@pytest.mark.parametrize("student", KINDS)
def test_four_students_by_the_exchange(course, marked, student):
    folder, made = course[0], course[1]["02"]
    marks, result = marked["02", student]
    assert result["success"], result
    assert points(marks, made) == {name: most * (student == "right") for name, most in made.exercises.items()}
    crashed = [cell["id"] for cell in answers(made.notebook)] if student == "crashing" else []
    assert failing(folder, student, made.name) == crashed
    assert [marks[name][0] for name in made.questions] == [0, 0, 0]  # nothing was written there


def test_students_read_in_the_feedback_what_was_wrong(course, marked):
    made = course[1]["02"]
    page = (course[0] / "feedback" / "wrong" / made.name / f"{made.name}.html").read_text(encoding="utf-8")
    assert "not right yet" in page
    assert str(made.seed) not in page


def test_nothing_that_is_hidden_is_in_what_students_get(course):
    for made in course[1].values():
        released = (course[0] / "release" / made.name / f"{made.name}.ipynb").read_text(encoding="utf-8")
        assert str(made.seed) not in released
        assert "SOLUTION" not in released
        assert "HIDDEN" not in released


@pytest.mark.parametrize(
    ("student", "right"),
    [("endless", (1, 0, 1, 1)), ("hungry", (1, 0, 1, 1)), ("deleted", (1, 0, 1, 1)), ("renamed", (1, 1, 1, 1))],
)
def test_an_accident_costs_only_the_exercise_that_it_happened_in(course, marked, student, right):
    made = course[1]["02"]
    marks, result = marked["02", student]
    assert result["success"], result
    expected = [most * is_right for most, is_right in zip(made.exercises.values(), right, strict=True)]
    assert list(points(marks, made).values()) == expected, result


def test_submit_refuses_a_notebook_of_another_name(course):
    folder, name = course[0], course[1]["02"].name
    fetched, home = taken(take(folder, ["fetch", name, "other"])), folder.parent / "home" / "other" / name
    assert fetched[0]["success"], fetched
    (home / f"{name}.ipynb").rename(home / "my solution.ipynb")
    result = taken(take(folder, ["submit", name, "other"]))[0]
    assert not result["success"]
    assert f"{name}.ipynb: MISSING" in result["log"]


def test_a_submission_that_ends_the_kernel_is_not_marked_and_the_others_are(course, marked):
    result = marked["02", "killed"][1]
    assert not result["success"]
    assert "Kernel died" in result["log"]
    assert not (course[0] / "autograded" / "killed").joinpath(course[1]["02"].name).exists()


def test_without_the_right_course_nothing_is_marked(course):
    folder, made = course[0], course[1]["00"]
    path = folder / "source" / made.name / f"{made.name}.ipynb"
    here, other = (f'edition=\\"{digits}' for digits in (checks.edition("midpoint"), "0123456789ab"))
    assert path.read_text().count(here) == 1
    path.write_text(path.read_text().replace(here, other))
    released = read(folder / "release" / made.name / f"{made.name}.ipynb")
    put(folder / "submitted" / "late" / made.name / f"{made.name}.ipynb", hand_in(released, made.notebook, ["right"]))
    steps = [[what, made.name, "late"] for what in ("autograde", "marks")]
    for start, generate, sentence in (
        (WITHOUT_COURSE, [], "Not marked. The kernel in which nbgrader runs the notebook has no course"),
        (START, [["generate", made.name, ""]], "The exercise 'midpoint' was handed out in edition 0123456789ab"),
    ):
        *_, result, marks = taken(take(folder, *generate, *steps, start=start))
        assert not result["success"]
        assert sentence in result["log"]
        assert all(mark[0] is None for mark in marks.values()) or "error" in marks
