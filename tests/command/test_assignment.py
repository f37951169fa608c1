"""The source notebooks of `course assignment`: their form, by nbformat and by nbgrader's rules, for every lesson."""

import ast
import copy
import json
import re

import nbformat
import pytest
from helpers import ROOT, complaint

from course_utils import checks, files
from course_utils.command import assignment, cli
from course_utils.command.lessons import load_lessons

LESSONS = {lesson.number: lesson for lesson in load_lessons()}
STUB = 'raise NotImplementedError("delete this line and write your solution")'


@pytest.fixture(scope="module", params=[(number, further) for number in LESSONS for further in (False, True)], ids=str)
def made(request):
    number, further = request.param
    return assignment.make(number, further=further)


def names_bound(source: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(source)))
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    imports = [node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]
    return bound | {alias.asname or alias.name for node in imports for alias in node.names}


def marks(cell):
    return cell["metadata"]["nbgrader"]


def released(source: str) -> str:
    """A cell as students get it: what nbgrader does to solutions and hidden tests, written here once more."""
    stub = f"\\1# YOUR CODE HERE\n\\1{STUB}"
    source = re.sub(r"(?ms)^( *)### BEGIN SOLUTION$.*?^ *### END SOLUTION$", stub, source)
    return re.sub(r"(?s)\n### BEGIN HIDDEN TESTS\n.*?### END HIDDEN TESTS", "", source)


def test_every_cell_has_marks_that_nbgrader_accepts(made):
    nbformat.validate(nbformat.from_dict(made.notebook))
    names = set()
    for cell in made.notebook["cells"]:
        mark = dict(marks(cell))
        assert mark.pop("schema_version") == 3
        assert mark.pop("cell_type") == cell["cell_type"]
        name = mark.pop("grade_id")
        assert re.fullmatch(r"[\w-]{1,64}", name)
        assert name == cell["id"]
        assert name not in names
        names.add(name)
        points = mark.pop("points", None)
        kind = mark["grade"], mark["locked"], mark["solution"]
        answer, check, question, given = (
            (False, False, True),
            (True, True, False),
            (True, False, True),
            (False, True, False),
        )
        assert kind in ([question, given] if cell["cell_type"] == "markdown" else [answer, check, given])
        assert (points is not None) == mark["grade"]
        assert points is None or points >= 1
        assert mark["task"] is False
        assert ("BEGIN SOLUTION" in cell["source"]) == mark["solution"]
        assert ("HIDDEN TESTS" in cell["source"]) == (kind == check)
        assert not cell.get("outputs")


def test_an_exercise_is_the_learners_and_its_check_is_behind_it(made):
    learner = json.loads((files.notebooks_dir() / made.lesson.file_name).read_text())
    opened = {cell["id"]: "".join(cell["source"]) for cell in learner["cells"]}
    cells = made.notebook["cells"]
    answers = [number for number, cell in enumerate(cells) if cell["cell_type"] == "code" and marks(cell)["solution"]]
    assert len(answers) == len(made.exercises) > 0
    for number, name in zip(answers, made.exercises, strict=True):
        answer, check = cells[number], cells[number + 1]
        given = cells[number - 1]["source"] if cells[number - 1]["id"] == f"{answer['id']}-given" else ""
        theirs = re.sub(r"\n+", "\n", f"{given}\n{released(answer['source'])}").strip()
        assert theirs == re.sub(r"\n+", "\n", opened[answer["id"]]).strip()
        function = ast.parse(answer["source"]).body[-1].name
        assert check["source"].splitlines()[2:4] == [
            f'{function} = checks.accept("{name}", globals().get("{function}"))',
            f'checks.points("{name}", {made.exercises[name]})',
        ]
        for before in cells[:number]:  # a name that the lesson had given already would be handed in for an answer
            assert before["cell_type"] != "code" or function not in names_bound(before["source"])


def test_every_other_cell_of_the_learner_is_there_in_its_order(made):
    learner = json.loads((files.notebooks_dir() / made.lesson.file_name).read_text())["cells"]
    wanted = [cell["id"] for cell in (learner if made.notebook["metadata"]["course"]["further"] else core(learner))]
    names = [cell["id"] for cell in made.notebook["cells"]]
    assert [name for name in names if name in wanted] == wanted


def core(cells):
    """The cells before the first further section, and those from the references on."""
    headings = {n: "".join(cell["source"]) for n, cell in enumerate(cells) if cell["cell_type"] == "markdown"}
    first = min((n for n, text in headings.items() if text.startswith("## Further: ")), default=len(cells))
    last = [n for n, text in headings.items() if n > first and re.match(r"## (?!Further: )", text)]
    return cells[:first] + cells[min(last, default=len(cells)) :]


def test_students_get_neither_answers_nor_the_seed(made):
    cells = copy.deepcopy(made.notebook["cells"])
    answers = [cell["source"].split("\n")[1:-1] for cell in cells if cell["id"] in made.questions]
    text = "\n".join(released(cell["source"]) for cell in cells) + json.dumps(made.notebook["metadata"])
    assert str(made.seed) not in text
    assert "SOLUTION" not in text
    assert "<summary>Answer<" not in text
    assert "docs/GLOSSARY" not in text
    for answer in answers:
        assert max(answer, key=len) not in text


def test_points_are_the_minutes_of_the_text_or_those_asked_for():
    made = assignment.make("02")
    assert made.exercises == {"training-step": 6, "training-loop": 7, "code-sliders": 6}
    assert made.questions == {"quiz-1": 1, "quiz-2": 1, "quiz-3": 1}
    assert assignment.make("01").exercises["pca-encode"] == 4  # three functions share twelve minutes
    asked = assignment.make("02", points={"training-loop": 20, "quiz-2": 4, "conv-decoder": 9}, further=True)
    assert asked.exercises == {"training-step": 6, "training-loop": 20, "code-sliders": 6, "conv-decoder": 9}
    assert asked.total == 6 + 20 + 6 + 9 + 1 + 4 + 1


def test_hidden_tests_draw_other_inputs_in_each_assignment():
    one, other = assignment.make("00"), assignment.make("00")
    assert one.seed != other.seed
    assert min(one.seed, other.seed) >= assignment.OWN_SEEDS > 1000
    hidden = [cell["source"] for cell in one.notebook["cells"] if marks(cell)["grade"] and cell["cell_type"] == "code"]
    assert f'seed={one.seed}, edition="{checks.edition("midpoint")}")' in hidden[0]


def test_the_command_writes_a_course_for_nbgrader(tmp_path, capsys):
    out = tmp_path / "course"
    assert cli.main(["assignment", "00", "--out", str(out), "--points", "midpoint=3"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"midpoint +3\n", said)
    assert "`nbgrader generate_assignment 00_start_here`" in said
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*")) == [
        "nbgrader_config.py",
        "source/00_start_here/00_start_here.ipynb",
        "source/00_start_here/GLOSSARY.md",
    ]
    compile((out / "nbgrader_config.py").read_text(), "nbgrader_config.py", "exec")
    assert "is there already" in complaint(capsys, "assignment", "00", "--out", str(out))
    (out / "nbgrader_config.py").write_text("c = get_config()\n")
    assert cli.main(["assignment", "02", "--out", str(out)]) == 0
    assert "load_subconfig('course_nbgrader_config.py')" in capsys.readouterr().out
    assert (out / "nbgrader_config.py").read_text() == "c = get_config()\n"
    assert (out / "course_nbgrader_config.py").read_bytes() == assignment.OUR_CONFIG.read_bytes()


def test_what_cannot_be_made_is_one_sentence(tmp_path, capsys, monkeypatch):
    out = ["--out", str(tmp_path / "course")]
    assert "no lesson '77'; there are 00, 01" in complaint(capsys, "assignment", "77", *out)
    assert "--out" in complaint(capsys, "assignment", "02")
    wrong = complaint(capsys, "assignment", "02", *out, "--points", "trainig-step=3")
    assert "did you mean training-step" in wrong
    further = complaint(capsys, "assignment", "02", *out, "--points", "conv-decoder=3")
    assert "--further adds its other sections" in further
    for words in ("training-step", "training-step=0", "training-step=x", "=3", "training-step=1001"):
        assert "NAME=N" in complaint(capsys, "assignment", "02", *out, "--points", words)
    assert "twice" in complaint(capsys, "assignment", "02", *out, "--points", "quiz-1=1", "quiz-1=2")
    (tmp_path / "file").touch()
    assert "is a file" in complaint(capsys, "assignment", "00", "--out", str(tmp_path / "file"))
    assert not (tmp_path / "course").exists()
    monkeypatch.setattr(files, "notebooks_dir", lambda: tmp_path)
    missing = complaint(capsys, "assignment", "02", *out, status=1)
    assert "made from the complete lesson" in missing


def test_the_hubs_page_has_the_course_id_of_the_settings():
    """Students are told the name under which assignments are released; another one shows them an empty list."""
    page = (ROOT / "deploy" / "hub" / "README.md").read_text(encoding="utf-8")
    pattern = r'c\.CourseDirectory\.course_id = "(.*)"'
    (own,) = re.findall(pattern, assignment.OUR_CONFIG.read_text(encoding="utf-8"))
    assert re.findall(pattern, page) == [own]
