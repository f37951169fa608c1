"""The builder, on a small course of two lessons in a temporary folder."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import build_notebooks
import nbformat
import pytest
from notebook_execution import data_files, stray_outputs, tidy_outputs
from notebook_sources import BuildError, fill_region, open_exercise
from small_course import BUILDER, LESSON_01, PLACEHOLDER, PYPROJECT, edit, make_course, run, source

from course_utils import stored


@pytest.fixture
def course(tmp_path) -> Path:
    return make_course(tmp_path / "course")


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def cells(root: Path, name: str) -> dict[str, dict]:
    return {cell.id: cell for cell in nbformat.read(root / "notebooks" / f"{name}.ipynb", as_version=4).cells}


# ------------------------------------------------------------------------------------------ what is built


@pytest.mark.slow_because("starts two builders, which import jupytext")
def test_two_processes_build_the_same_bytes(course, tmp_path):
    other = tmp_path / "elsewhere" / "course"
    shutil.copytree(course, other)
    for root, seed in ((course, "1"), (other, "2")):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, str(BUILDER), "--root", str(root)], env=environment, check=True)
    built = files(course)
    assert built == files(other)
    assert {"notebooks/01_latent_space.ipynb", "notebooks/solutions/01_latent_space.ipynb"} < set(built)
    assert "notebooks/README.md" in built
    assert run(course) == 0
    assert files(course) == built


def test_cells_are_called_by_their_names_whatever_stands_in_them(course):
    run(course)
    assert list(cells(course, "solutions/01_latent_space")) == ["title", "set-up", "double", "half", "check"]
    edit(source(course, "01"), "secret_two = 2\n", "secret_two = 2.0\n")
    run(course)
    assert list(cells(course, "solutions/01_latent_space")) == ["title", "set-up", "double", "half", "check"]


def test_the_learner_gets_the_exercise_open_and_nothing_of_the_solution(course):
    run(course)
    learner = cells(course, "01_latent_space")
    assert list(learner) == ["title", "set-up", "double", "half"]
    assert learner["double"].source == (
        'def double(x):\n    """Twice x."""\n    for _ in range(1):\n        # YOUR CODE HERE\n'
        '        raise NotImplementedError("delete this line and write your solution")\n    return 0'
    )
    assert "secret = " not in (course / "notebooks" / "01_latent_space.ipynb").read_text()
    assert learner["half"].metadata == {"nbgrader": {"grade": False, "solution": True}}
    assert "secret_two == 2" not in "".join(cell.source for cell in learner.values())
    for cell in learner.values():
        assert cell.cell_type == "markdown" or (cell.outputs == [] and cell.execution_count is None)
    namespace = {}
    exec(learner["double"].source, namespace)
    with pytest.raises(NotImplementedError, match="delete this line and write your solution"):
        namespace["double"](1)


def test_the_complete_lesson_works_and_keeps_nbgraders_marks(course):
    run(course)
    solution = cells(course, "solutions/01_latent_space")
    namespace = {}
    for name in ("double", "half", "check"):
        exec(solution[name].source, namespace)
    assert (namespace["double"](21), namespace["half"](3)) == (42, 1.5)
    assert "### BEGIN SOLUTION" in solution["double"].source


def test_what_the_placeholders_become(course):
    run(course)
    title = cells(course, "00_start_here")["title"].source
    assert "{{" not in title
    assert "It takes about 5 minutes and runs in not measured yet." in title
    assert f"lives at {PLACEHOLDER}." in title
    assert cells(course, "00_start_here")["bye"].source == "Goodbye, $\\frac{{a}}{{b}}$."
    assert cells(course, "00_start_here")["setup"].source == cells(course, "01_latent_space")["set-up"].source
    assert len(cells(course, "00_start_here")["setup"].source.splitlines()) <= 28


def test_numbers_of_claims_are_filled_in_with_their_range(course, capsys):
    runs = [{"setting": {"seed": k, "epochs": e}, "numbers": {"dead": k * e / 10}} for e in (2, 8) for k in range(3)]
    claim = {"says": "It dies.", "labels": {"dead": "dead"}, "runs": runs}
    stored.save(course / "data" / "claims" / "01", card={"claims": {"much-death": claim}})
    path = course / "notebooks" / "src" / "01_latent_space.py"
    before = path.read_text()
    text = "# %% [markdown] dead\n# Dead: {{claim much-death.dead epochs=8}}, in all {{claim much-death.dead%}}.\n"
    path.write_text(before + text)
    assert run(course) == 0
    assert cells(course, "01_latent_space")["dead"].source == "Dead: 0.8 (0 to 1.6), in all 30% (0% to 160%)."
    for wrong, words in (
        ("{{claim much-death.alive}}", "no run has the number 'alive'"),
        ("{{claim little-death.dead}}", "no claim 'little-death'"),
        ("{{claim much-death.dead epochs=3}}", "with epochs = 3"),
        ("{{claim much-death}}", "a claim's number is written"),
    ):
        capsys.readouterr()
        path.write_text(f"{before}# %% [markdown] dead\n# {wrong}\n")
        assert run(course) == 2
        complaint = capsys.readouterr().err
        assert "cell 'dead'" in complaint
        assert words in complaint


def test_the_list_of_lessons_and_the_tables(course):
    run(course)
    first, second = json.loads((course / "data" / "lessons.json").read_bytes())["lessons"]
    assert (first["number"], first["slug"], first["title"]) == ("00", "start_here", "Start here")
    assert first["question"] == "Is this machine ready?"
    assert second["title"] == second["question"] == "What is a latent space?"
    readme = (course / "README.md").read_text()
    assert (
        "| 01 | [Latent space](notebooks/01_latent_space.ipynb) | What is a latent space? | 5 min | not measured |"
        in readme
    )
    assert "](01_latent_space.ipynb) |" in (course / "notebooks" / "README.md").read_text()
    assert readme.startswith("# A course\n")
    assert readme.endswith("<!-- lessons:end -->\n\nThe end.\n")
    assert "\nold\n" not in readme


def test_a_document_without_its_region_is_named(course, capsys):
    with pytest.raises(BuildError, match="0 regions from '<!-- lessons:begin -->'"):
        fill_region("nothing here", "lessons", "x")
    edit(course / "README.md", "<!-- badges:begin -->", "<!-- badges:start -->")
    assert run(course) == 2
    assert "README.md has 0 regions from '<!-- badges:begin -->'" in capsys.readouterr().err


def test_marks_may_say_who_writes_between_them():
    text = "<!-- a:begin (written by b.py) -->\nold\n<!-- a:end -->"
    assert fill_region(text, "a", "new") == "<!-- a:begin (written by b.py) -->\nnew\n<!-- a:end -->"
    with pytest.raises(BuildError, match="has 2 regions"):
        fill_region(f"{text}\n{text}", "a", "new")


def test_set_up_and_tagged_cells_are_folded_and_keep_what_they_had(course):
    edit(
        source(course, "01"),
        '# %% half nbgrader={"grade": false, "solution": true}',
        '# %% half nbgrader={"grade": false} tags=["folded"]',
    )
    edit(source(course, "01"), "def half(x):", "# @title Half of it\ndef half(x):")
    run(course)
    hidden = {"jupyter": {"source_hidden": True}, "cellView": "form"}
    for name in ("01_latent_space", "solutions/01_latent_space"):
        made = cells(course, name)
        assert made["set-up"].metadata == hidden
        assert made["set-up"].source.startswith("# @title ")
        assert made["half"].metadata == {"nbgrader": {"grade": False}, "tags": ["folded"]} | hidden
        assert made["double"].metadata == {}


# ------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LESSON_01.replace("# %% double", "# %%"), r"cell 3 has no name \(it starts 'def double"),
        ("x = 1\n" + LESSON_01, "cell 1 has no name"),
        (LESSON_01.replace("# %% half", "# %% double"), "two cells are named 'double'; cell 4"),
        (LESSON_01.replace("# %% half", "# %% Half_2"), "'Half_2' is not of the form lower-case-with-hyphens"),
        (LESSON_01.replace("# %% half", f"# %% {'x' * 65}"), "is not of the form"),
        (LESSON_01.replace("What is a latent space?", "Latent space"), "the lesson's question"),
        (LESSON_01.replace("        ### END SOLUTION\n    return 0", ""), "begun in line 4 has no"),
        (
            LESSON_01.replace("        ### BEGIN SOLUTION\n        secret", "        secret"),
            "ends a solution that was not",
        ),
        (
            LESSON_01.replace("        if secret", "        ### BEGIN SOLUTION\n        if secret"),
            "inside the one begun",
        ),
        (
            LESSON_01.replace("    ### BEGIN SOLUTION\n    return x", "### BEGIN SOLUTION\n    return x"),
            "inside a function",
        ),
        (LESSON_01.replace("### BEGIN", "## BEGIN"), "must be exactly"),
        (LESSON_01.replace("[test] doubled", "[test] half"), "two cells are named 'half'"),
        (LESSON_01.replace("[test] doubled", "[test]"), "cell 6 has no name"),
        (
            LESSON_01.replace("# %% set-up", "# %% [test] early\nassert True\n\n# %% set-up"),
            "before the first code cell",
        ),
        (LESSON_01.replace("[test] doubled", '[test] doubled tags=["folded"]'), "has tags"),
        (LESSON_01.replace('["solution-only"]', '["folded"]'), "a folded cell starts with the line '# @title"),
        (LESSON_01 + "\n# %% [markdown] more\n# ## Further things\n", "'## Further: title'"),
        (LESSON_01 + "\n# %% [markdown] more\n# ### Exercise 1\n#\n# *Easy.* Do it.\n", "states the minutes of 0"),
        (LESSON_01 + "\n# %% more\nx = = 1\n", "cell 'more' is no Python"),
        ("", "the source has no cells|has no name"),
    ],
)
def test_a_source_that_cannot_be_built_is_named_and_nothing_is_written(course, capsys, text, message):
    source(course, "01").write_text(text)
    before = files(course)
    assert run(course) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: 01_latent_space.py")
    assert re.search(message, error)
    assert files(course) == before


def test_two_lessons_cannot_have_one_number(course, capsys):
    source(course, "01").rename(course / "notebooks" / "src" / "00_again.py")
    assert run(course) == 2
    assert "number 00" in capsys.readouterr().err


def test_tabs_and_deep_indentation_are_kept():
    opened = open_exercise("def f():\n\tif 1:\n\t\t### BEGIN SOLUTION\n\t\tpass\n\t\t### END SOLUTION", "here")
    assert opened.splitlines()[2:] == [
        "\t\t# YOUR CODE HERE",
        '\t\traise NotImplementedError("delete this line and write your solution")',
    ]
    with pytest.raises(BuildError, match="here: the solution in line 1"):
        open_exercise("### BEGIN SOLUTION\npass\n### END SOLUTION", "here")


# ------------------------------------------------------------------------------------------ outputs and --execute


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> dict[str, bytes]:
    """The files of the small course after --execute, made once."""
    root = make_course(tmp_path_factory.mktemp("executed") / "course")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_notebooks, "measured_speed", lambda: (12_345.6, False))
        assert run(root, "--execute") == 0
    return files(root)


@pytest.fixture
def ready(executed, tmp_path) -> Path:
    """A folder with the executed course, to spoil."""
    for name, content in executed.items():
        path = tmp_path / "ready" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "ready"


def test_execute_stores_outputs_and_times_and_nothing_else(ready, capsys):
    assert run(ready, "--check") == 0
    solution = cells(ready, "solutions/00_start_here")
    said = "hello <object object at 0x...> latent-spaces-course/notebooks/solutions\n"
    assert solution["greet"].outputs == [{"output_type": "stream", "name": "stdout", "text": said}]
    assert [cell.get("execution_count") for cell in solution.values()] == [None, 1, 2, 3, None]
    assert solution["read"].outputs[0]["text"] == "hello a result\n"  # test cells leave no name behind
    assert "greeted" not in solution
    assert [cell.metadata for cell in solution.values() if cell.id not in ("setup", "read")] == [{}, {}, {}]
    assert stored.verify(ready / "data" / "lesson_inputs", strict=True)["lessons"] == {
        "00": {"stored/result.txt": hashlib.sha256(b"a result").hexdigest()[:16]},
        "01": {},
    }
    assert cells(ready, "solutions/01_latent_space")["check"].outputs[0]["data"] == {"text/plain": "8"}
    entries = json.loads((ready / "data" / "lessons.json").read_bytes())["lessons"]
    assert all(0 < entry["seconds"] < 60 and entry["images_per_second"] == 12_350 for entry in entries)
    minutes = f"{entries[0]['seconds']:.0f} seconds on two CPU cores"
    assert minutes in solution["title"].source
    assert minutes in cells(ready, "00_start_here")["title"].source
    assert "not measured" not in (ready / "README.md").read_text()
    assert cells(ready, "00_start_here")["greet"].outputs == []


def test_execute_runs_only_what_is_named_and_says_what_failed(ready, capsys, monkeypatch):
    monkeypatch.setattr(build_notebooks, "measured_speed", lambda: (None, False))
    before = files(ready)
    edit(source(ready, "01"), "secret_two = 2\n", "secret_two = 2 / 0\n")
    edit(source(ready, "00"), '"hello"', '"good day"')
    assert run(ready, "--execute", "01") == 1
    printed = capsys.readouterr().out
    assert "ZeroDivisionError" in printed
    assert "00_start_here: running" not in printed
    assert cells(ready, "solutions/01_latent_space")["check"].outputs == []
    assert json.loads(files(ready)["data/lessons.json"]) == json.loads(before["data/lessons.json"])
    assert run(ready, "--execute", "07") == 2
    assert "There is no lesson 07; there are 00, 01" in capsys.readouterr().err


def run_and_store(root: Path, number: str, monkeypatch) -> int:
    monkeypatch.setattr(build_notebooks, "measured_speed", lambda: (None, False))
    return run(root, "--execute", number)


def test_nothing_is_stored_of_a_lesson_whose_test_cells_fail(ready, capsys, monkeypatch):
    edit(source(ready, "01"), "assert secret_two == 2", "assert secret_two == 3, 'not three'")
    before = files(ready)
    assert run_and_store(ready, "01", monkeypatch) == 1
    printed = capsys.readouterr().out
    assert "failed, nothing stored\ntest cell 'doubled':" in printed
    assert "not three" in printed
    assert files(ready) == before


def test_nothing_is_stored_of_a_lesson_with_a_stray_output(ready, capsys, monkeypatch):
    edit(source(ready, "01"), "\ndouble(4)\n", "\nobject()\n")
    assert run_and_store(ready, "01", monkeypatch) == 1
    assert "cell 'check' shows <object at 0x...>; end that cell with plt.show()" in capsys.readouterr().out
    assert cells(ready, "solutions/01_latent_space")["check"].outputs == []


@pytest.mark.parametrize(
    ("text", "stray"),
    [
        ("<Axes: >", True),
        ("<Axes: title={'center': 'a'}, xlabel='x'>", True),
        ("Text(0.5, 1.0, 'a title')", True),
        ("[<matplotlib.lines.Line2D at 0x...>]", True),
        ("[Text(0, 0.5, '$x_2$')]", True),
        ("(array([1., 2.]), array([0., 1., 2.]), <BarContainer object of 2 artists>)", True),
        ("[(-6.0, 6.0)]", True),
        ("(np.float64(-0.5), np.float64(27.5))", True),
        ("<course_utils.maps.Map object at 0x...>", True),
        ("<All keys matched successfully>", True),
        ("<Figure size 640x480 with 1 Axes>", False),
        ("array([1., 2.])", False),
        ("tensor([[0.5000]], grad_fn=<MulBackward0>)", False),
        ("(2, 3)", False),
        ("torch.Size([2, 3])", False),
        ("An explorer stands here: run this notebook to use it.", False),
    ],
)
def test_what_says_nothing_is_known_from_what_does(text, stray):
    output = {"output_type": "execute_result", "metadata": {}, "data": {"text/plain": text}, "execution_count": 1}
    made = {"cells": [{"cell_type": "code", "id": "a", "source": "", "outputs": [output]}]}
    assert stray_outputs(made) == ([("a", text)] if stray else [])
    output["data"]["image/png"] = "x"  # a picture with its text for those who cannot see it
    assert stray_outputs(made) == []


def test_a_file_that_no_python_code_opened_counts_where_the_lesson_names_it(tmp_path):
    for name in ("codes.safetensors", "more-codes.safetensors", "lessons.json"):
        (tmp_path / name).write_bytes(b"x")
    source = 'load_file(data_dir() / "codes.safetensors"); open("lessons.json")'
    made = {"cells": [{"cell_type": "code", "source": source}]}
    assert list(data_files(tmp_path, [str(tmp_path / "lessons.json")], made)) == ["codes.safetensors"]


def test_a_gpus_time_is_kept_apart(ready, monkeypatch):
    monkeypatch.setattr(build_notebooks, "measured_speed", lambda: (None, True))
    monkeypatch.setattr(build_notebooks, "execute", lambda lesson, folder: (lesson.solution, 6.04, {}))
    before = json.loads(files(ready)["data/lessons.json"])["lessons"][0]
    assert run(ready, "--execute", "00", "--timing-only") == 0
    after = json.loads(files(ready)["data/lessons.json"])["lessons"][0]
    assert after == before | {"gpu_seconds": 6.0}
    assert " seconds on two CPU cores, 6 on a GPU." in cells(ready, "00_start_here")["title"].source
    assert cells(ready, "solutions/00_start_here")["greet"].outputs != []


def test_outputs_stay_when_only_text_changes(ready, capsys):
    edit(source(ready, "00"), "Goodbye", "Farewell")
    assert run(ready) == 0
    solution = cells(ready, "solutions/00_start_here")
    assert "Farewell" in solution["bye"].source
    assert solution["greet"].outputs[0]["text"].startswith("hello")
    assert run(ready, "--check") == 0


def test_outputs_go_when_any_code_changes(ready, capsys):
    edit(source(ready, "01"), "secret_two = 2\n", "secret_two = 4 / 2\n")
    assert run(ready) == 0
    assert "code changed: outputs dropped" in capsys.readouterr().out
    assert cells(ready, "solutions/01_latent_space")["check"].outputs == []
    assert cells(ready, "solutions/00_start_here")["greet"].outputs != []
    assert run(ready, "--check") == 1
    assert "solutions/01_latent_space.ipynb: not executed; run --execute 01" in capsys.readouterr().out


def test_stored_outputs_show_without_a_kernel():
    view = "application/vnd.jupyter.widget-view+json"
    outputs = [
        {"output_type": "stream", "name": "stderr", "text": " 10%|#\r 50%|##\r100%|###\n"},
        {"output_type": "stream", "name": "stderr", "text": "at 0x7f12345678ab in /my/course/data\n"},
        {
            "output_type": "display_data",
            "metadata": {},
            "data": {"text/plain": "  0%|  | 0/3", view: {"model_id": "a"}},
        },
        {"output_type": "display_data", "metadata": {}, "data": {"text/plain": "IntSlider()", view: {"model_id": "b"}}},
        {"output_type": "display_data", "metadata": {}, "transient": {"display_id": "c"}, "data": {"image/png": "x"}},
    ]
    explorer = {"text/plain": "An explorer stands here: run this notebook to use it."}
    assert tidy_outputs(outputs, {"/my/course": "course"}) == [
        {"output_type": "stream", "name": "stderr", "text": "100%|###\nat 0x... in course/data\n"},
        {"output_type": "display_data", "metadata": {}, "data": explorer},
        {"output_type": "display_data", "metadata": {}, "data": {"image/png": "x"}},
    ]


# ------------------------------------------------------------------------------------------ --check


def spoil_notebook(path: Path, change) -> None:
    made = json.loads(path.read_bytes())
    change(made)
    path.write_bytes((json.dumps(made, indent=1, ensure_ascii=False) + "\n").encode())


def time_of_01(root: Path, seconds: float) -> None:
    listed = json.loads((root / "data" / "lessons.json").read_bytes())
    listed["lessons"][1]["seconds"] = seconds
    (root / "data" / "lessons.json").write_text(json.dumps(listed, indent=1) + "\n")
    run(root)


def forgotten_assert(root: Path) -> None:
    edit(source(root, "01"), "secret_two = 2\n", "secret_two = 2\nfor _ in range(2):\n    assert secret_two\n")
    (root / "notebooks" / "solutions" / "01_latent_space.ipynb").unlink()
    run(root)
    made = json.loads((root / "notebooks" / "solutions" / "01_latent_space.ipynb").read_bytes())
    for cell in made["cells"]:
        cell |= {"execution_count": 1} if cell["cell_type"] == "code" else {}
    (root / "notebooks" / "solutions" / "01_latent_space.ipynb").write_text(json.dumps(made, indent=1) + "\n")


STALE = {
    "source text changed": (
        lambda root: edit(source(root, "00"), "Goodbye", "Farewell"),
        ["notebooks/00_start_here.ipynb: stale", "notebooks/solutions/00_start_here.ipynb: stale"],
    ),
    "solution changed": (
        lambda root: edit(source(root, "01"), "secret = 2 * x", "secret = x + x"),
        ["notebooks/solutions/01_latent_space.ipynb: stale"],
    ),
    "learner's notebook edited": (
        lambda root: edit(root / "notebooks" / "01_latent_space.ipynb", "Twice x", "Double x"),
        ["notebooks/01_latent_space.ipynb: stale"],
    ),
    "learner's notebook written in another way": (
        lambda root: spoil_notebook(
            root / "notebooks" / "01_latent_space.ipynb", lambda made: made.update(z=made.pop("cells"))
        ),
        ["notebooks/01_latent_space.ipynb: stale"],
    ),
    "learner's notebook gone": (
        lambda root: (root / "notebooks" / "01_latent_space.ipynb").unlink(),
        ["notebooks/01_latent_space.ipynb: missing"],
    ),
    "solution edited": (
        lambda root: edit(root / "notebooks" / "solutions" / "01_latent_space.ipynb", "Twice x", "Double x"),
        ["notebooks/solutions/01_latent_space.ipynb: stale"],
    ),
    "solution with foreign metadata": (
        lambda root: spoil_notebook(
            root / "notebooks" / "solutions" / "01_latent_space.ipynb", lambda made: made["metadata"].update(widgets={})
        ),
        ["notebooks/solutions/01_latent_space.ipynb: stale"],
    ),
    "solution written in another way": (
        lambda root: edit(root / "notebooks" / "solutions" / "01_latent_space.ipynb", '"cells": [', '"cells":  ['),
        ["notebooks/solutions/01_latent_space.ipynb: stale"],
    ),
    "solution is no notebook": (
        lambda root: (root / "notebooks" / "solutions" / "01_latent_space.ipynb").write_text("{"),
        ["notebooks/solutions/01_latent_space.ipynb: unreadable"],
    ),
    "a cell was not run": (
        lambda root: spoil_notebook(
            root / "notebooks" / "solutions" / "01_latent_space.ipynb",
            lambda made: made["cells"][-1].update(outputs=[], execution_count=None),
        ),
        ["notebooks/solutions/01_latent_space.ipynb: not executed; run --execute 01"],
    ),
    "an output is an error": (
        lambda root: spoil_notebook(
            root / "notebooks" / "solutions" / "01_latent_space.ipynb",
            lambda made: made["cells"][-1].update(
                outputs=[{"ename": "E", "evalue": "e", "output_type": "error", "traceback": []}]
            ),
        ),
        ["notebooks/solutions/01_latent_space.ipynb: an output is an error"],
    ),
    "outputs too large": (
        lambda root: spoil_notebook(
            root / "notebooks" / "solutions" / "01_latent_space.ipynb",
            lambda made: made["cells"][-1]["outputs"][0]["data"].update({"text/plain": ["8" * 500_001]}),
        ),
        ["notebooks/solutions/01_latent_space.ipynb: 50"],
    ),
    "an output says nothing": (
        lambda root: spoil_notebook(
            root / "notebooks" / "solutions" / "01_latent_space.ipynb",
            lambda made: made["cells"][-1]["outputs"][0]["data"].update({"text/plain": ["<Axes: >"]}),
        ),
        ["notebooks/solutions/01_latent_space.ipynb: cell check shows <Axes: >"],
    ),
    "data changed": (
        lambda root: (root / "data" / "stored" / "result.txt").write_bytes(b"another"),
        ["data/stored/result.txt: changed since lesson 00 was executed; run --execute 00"],
    ),
    "data gone": (
        lambda root: (root / "data" / "stored" / "result.txt").unlink(),
        ["data/stored/result.txt: changed since lesson 00 was executed; run --execute 00"],
    ),
    "what it reads is not known": (
        lambda root: (root / "data" / "lesson_inputs.json").write_text('{"lessons": {"00": {}}}'),
        ["notebooks/solutions/01_latent_space.ipynb: not recorded which data it reads; run --execute 01"],
    ),
    "a forgotten assert": (
        lambda root: forgotten_assert(root),
        ["notebooks/src/01_latent_space.py: an assert stands in half; move it into a test cell"],
    ),
    "too slow when measured": (
        lambda root: time_of_01(root, 78.0),
        ["notebooks/solutions/01_latent_space.ipynb: took 78.0 s when it was measured, over 78"],
    ),
    "a notebook without a source": (
        lambda root: shutil.copy(root / "notebooks" / "01_latent_space.ipynb", root / "notebooks" / "09_old.ipynb"),
        ["notebooks/09_old.ipynb: has no source"],
    ),
    "table of the lessons": (
        lambda root: edit(root / "notebooks" / "README.md", "Start here", "Begin here"),
        ["notebooks/README.md: stale"],
    ),
    "table in the README": (
        lambda root: edit(root / "README.md", "| Is this machine ready? |", "| ? |"),
        ["README.md: stale"],
    ),
    "list of the lessons": (
        lambda root: edit(root / "data" / "lessons.json", "Start here", "Begin here"),
        ["data/lessons.json: stale"],
    ),
    "address changed by hand": (
        lambda root: edit(root / "pyproject.toml", 'REPO"\nbranch', 'REPO-2"\nbranch'),
        ["notebooks/00_start_here.ipynb: stale", "notebooks/01_latent_space.ipynb: stale", "notebooks/solutions/"],
    ),
}


@pytest.mark.parametrize("what", STALE)
def test_check_names_what_is_stale_and_writes_nothing(ready, capsys, what):
    spoil, expected = STALE[what]
    assert run(ready, "--check") == 0
    spoil(ready)
    before = files(ready)
    capsys.readouterr()
    assert run(ready, "--check") == 1
    lines = capsys.readouterr().out.splitlines()[:-1]
    for complaint in expected:
        assert any(line.startswith(complaint) for line in lines), lines
    if len(expected) == 1:
        assert len(lines) == 1, lines
    assert files(ready) == before


# ------------------------------------------------------------------------------------------ --address


def test_a_new_address_changes_every_place_and_nothing_else(ready):
    assert run(ready, "--address", "https://github.com/ann/first") == 0
    (ready / "docs").mkdir()
    (ready / "docs" / "TEACH.md").write_bytes(
        b"Fork https://github.com/ann/first, not https://github.com/ann/first-2.\n"
    )
    (ready / "docs" / "OTHER.md").write_bytes(b"https://github.com/OWNER/REPO and https://github.com/ann/firsts\n")
    before = files(ready)
    assert run(ready, "--address", "https://github.com/bob/second.git") == 0
    after = files(ready)
    expected = {
        name: re.sub(rb"ann/first(?![\w-])", b"bob/second", content)
        if not name.startswith("notebooks/src")
        else content
        for name, content in before.items()
    }
    assert after == expected
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {
        "pyproject.toml",
        "README.md",
        "docs/TEACH.md",
        "notebooks/README.md",
        "notebooks/00_start_here.ipynb",
        "notebooks/01_latent_space.ipynb",
        "notebooks/solutions/00_start_here.ipynb",
        "notebooks/solutions/01_latent_space.ipynb",
    }
    assert run(ready, "--check") == 0  # outputs included: the set-up cell is no reason to run everything again


def test_in_pyproject_only_the_one_line_changes(course):
    run(course, "--address", "https://github.com/ann/first")
    before, after = (
        PYPROJECT.splitlines(keepends=True),
        (course / "pyproject.toml").read_text().splitlines(keepends=True),
    )
    assert [(old, new) for old, new in zip(before, after, strict=True) if old != new] == [
        ('address = "https://github.com/OWNER/REPO"\n', 'address = "https://github.com/ann/first"\n')
    ]
    assert after[8].endswith('ann/first"\n')


def test_badges_lead_nowhere_until_there_is_an_address(course):
    run(course)
    everything = b"".join(files(course).values())
    assert b"colab.research.google.com" not in everything
    assert "Colab: once the course has a public address" in cells(course, "01_latent_space")["title"].source
    assert (course / "README.md").read_text().count("](notebooks/solutions/01_latent_space.ipynb) | - |") == 1
    run(course, "--address", "https://github.com/ann/first")
    link = b"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/ann/first/blob/trunk/notebooks/01_latent_space.ipynb)"
    built = files(course)
    for name in ("README.md", "notebooks/README.md", "notebooks/01_latent_space.ipynb"):
        assert link in built[name]


@pytest.mark.parametrize(
    "address", ["ann/first", "http://github.com/a/b", 'https://x.org/a"b', "https://x.org", "https://x.org/a b"]
)
def test_an_address_that_is_none_changes_nothing(course, capsys, address):
    before = files(course)
    assert run(course, "--address", address) == 2
    assert "not of the form https://host/owner/name" in capsys.readouterr().err
    assert files(course) == before
