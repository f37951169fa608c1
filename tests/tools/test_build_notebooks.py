"""The builder, on a small course of two lessons in a temporary folder."""

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
from notebook_execution import tidy_outputs
from notebook_sources import BuildError, fill_region, open_exercise

BUILDER = Path(build_notebooks.__file__)
PLACEHOLDER = "https://github.com/OWNER/REPO"
PYPROJECT = """[project]
name = "small-course"

[tool.other]
address = "https://github.com/OWNER/REPO"

[tool.course]
# OWNER/REPO is a placeholder.
address = "https://github.com/OWNER/REPO"
branch = "trunk"

[tool.last]
address = "https://github.com/OWNER/REPO"
"""
README = """# A course

<!-- badges:begin -->
<!-- badges:end -->

    git clone https://github.com/OWNER/REPO

Not the course: https://github.com/OWNER/REPO-2.

<!-- lessons:begin -->
old
<!-- lessons:end -->

The end.
"""
LESSON_00 = """# %% [markdown] title
# {{header}}
#
# # 00. Start here
#
# One sentence. *Is this machine
# ready?* It takes {{minutes}}. The course lives at {{address}}.

# %% setup
{{setup}}

# %% greet
print("hello", object(), __import__("os").getcwd())

# %% [markdown] bye
# Goodbye, $\\frac{{a}}{{b}}$.
"""
LESSON_01 = '''# %% [markdown] title
# {{header}}
#
# # 01. What is a latent space?

# %% set-up
{{setup}}

# %% double
def double(x):
    """Twice x."""
    for _ in range(1):
        ### BEGIN SOLUTION
        secret = 2 * x
        if secret:
            return secret
        ### END SOLUTION
    return 0


# %% half nbgrader={"grade": false, "solution": true}
def half(x):
    ### BEGIN SOLUTION
    return x / secret_two
    ### END SOLUTION


secret_two = 2

# %% check tags=["solution-only"]
assert double(4) == 8
double(4)
'''


def make_course(root: Path) -> Path:
    (root / "notebooks" / "src").mkdir(parents=True)
    (root / "pyproject.toml").write_bytes(PYPROJECT.encode())
    (root / "README.md").write_bytes(README.encode())
    (root / "notebooks" / "src" / "00_start_here.py").write_bytes(LESSON_00.encode())
    (root / "notebooks" / "src" / "01_latent_space.py").write_bytes(LESSON_01.encode())
    return root


@pytest.fixture
def course(tmp_path) -> Path:
    return make_course(tmp_path / "course")


def run(root: Path, *arguments: str) -> int:
    return build_notebooks.main(["--root", str(root), *arguments])


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def cells(root: Path, name: str) -> dict[str, dict]:
    return {cell.id: cell for cell in nbformat.read(root / "notebooks" / f"{name}.ipynb", as_version=4).cells}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new).encode())


def source(root: Path, number: str) -> Path:
    return next((root / "notebooks" / "src").glob(f"{number}_*.py"))


# ------------------------------------------------------------------------------------------ what is built


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
    assert "It takes not measured yet." in title
    assert f"lives at {PLACEHOLDER}." in title
    assert cells(course, "00_start_here")["bye"].source == "Goodbye, $\\frac{{a}}{{b}}$."
    assert cells(course, "00_start_here")["setup"].source == cells(course, "01_latent_space")["set-up"].source
    assert len(cells(course, "00_start_here")["setup"].source.splitlines()) <= 25


def test_the_list_of_lessons_and_the_tables(course):
    run(course)
    first, second = json.loads((course / "data" / "lessons.json").read_bytes())["lessons"]
    assert (first["number"], first["slug"], first["title"]) == ("00", "start_here", "Start here")
    assert first["question"] == "Is this machine ready?"
    assert second["title"] == second["question"] == "What is a latent space?"
    readme = (course / "README.md").read_text()
    assert "| 01 | [Latent space](notebooks/01_latent_space.ipynb) | What is a latent space? | not measured |" in readme
    assert "](01_latent_space.ipynb) |" in (course / "notebooks" / "README.md").read_text()
    assert readme.startswith("# A course\n")
    assert readme.endswith("<!-- lessons:end -->\n\nThe end.\n")
    assert "\nold\n" not in readme


def test_a_document_without_the_region_stays_as_it_is():
    assert fill_region("nothing here", "lessons", "x") == "nothing here"


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
    assert solution["setup"].execution_count == 1
    assert all(cell.metadata in ({}, {"tags": ["solution-only"]}) or cell.id == "half" for cell in solution.values())
    assert cells(ready, "solutions/01_latent_space")["check"].outputs[0]["data"] == {"text/plain": "8"}
    entries = json.loads((ready / "data" / "lessons.json").read_bytes())["lessons"]
    assert all(0 < entry["seconds"] < 60 and entry["images_per_second"] == 12_350 for entry in entries)
    minutes = f"{entries[0]['seconds'] / 60:.1f} minutes on two CPU cores"
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


def test_a_gpus_time_is_kept_apart(ready, monkeypatch):
    monkeypatch.setattr(build_notebooks, "measured_speed", lambda: (None, True))
    monkeypatch.setattr(build_notebooks, "execute", lambda made, folder: 6.04)
    before = json.loads(files(ready)["data/lessons.json"])["lessons"][0]
    assert run(ready, "--execute", "00", "--timing-only") == 0
    after = json.loads(files(ready)["data/lessons.json"])["lessons"][0]
    assert after == before | {"gpu_seconds": 6.0}
    assert "0.1 on a GPU" in cells(ready, "00_start_here")["title"].source
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
            lambda made: made["cells"][-1]["outputs"][0]["data"].update({"text/plain": ["8" * 400_001]}),
        ),
        ["notebooks/solutions/01_latent_space.ipynb: 40"],
    ),
    "too slow when measured": (
        lambda root: time_of_01(root, 61.0),
        ["notebooks/solutions/01_latent_space.ipynb: took 61.0 s"],
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
    assert b"colab.research.google.com/github" not in everything
    run(course, "--address", "https://github.com/ann/first")
    link = b"(https://colab.research.google.com/github/ann/first/blob/trunk/notebooks/01_latent_space.ipynb)"
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


def test_figures_are_stored_with_a_palette():
    import base64
    import io

    import numpy as np
    from notebook_execution import with_palette
    from PIL import Image

    grey = np.random.default_rng(0).integers(0, 256, (90, 120), dtype=np.uint8)  # as hard to store as photographs
    picture = np.stack([grey, grey, grey, np.full_like(grey, 255)], axis=-1)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    png = base64.b64encode(file.getvalue()).decode()
    small = with_palette(png)
    assert len(small) < 0.9 * len(png)
    again = Image.open(io.BytesIO(base64.b64decode(small))).convert("RGB")
    assert np.abs(np.asarray(again).astype(int) - picture[..., :3]).max() <= 6
    assert with_palette(png) == small
    colours = np.array([[66, 146, 214], [255, 165, 0], [178, 34, 12], [130, 40, 160], [150, 160, 160]], np.uint8)
    picture[:5, 0, :3] = colours  # five coloured pixels among 10,800 grey ones
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    small = with_palette(base64.b64encode(file.getvalue()).decode())
    again = np.asarray(Image.open(io.BytesIO(base64.b64decode(small))).convert("RGB")).astype(int)
    assert np.abs(again[:5, 0] - colours).max() <= 8
    assert with_palette("no picture") == "no picture"
