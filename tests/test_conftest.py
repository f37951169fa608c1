"""What the course's conftest.py promises, tried on small test suites of their own."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import torch
from helpers import ROOT
from lesson_cells import lesson_namespace


@pytest.fixture
def suite(tmp_path):
    """A folder with the course's conftest.py; calling it runs pytest there and gives back what it printed."""
    (tmp_path / "conftest.py").write_bytes((ROOT / "conftest.py").read_bytes())

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("COURSE_", "PYTEST_"))} | environment
        command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(tmp_path), *arguments]
        return subprocess.run([*command, str(tmp_path)], cwd=tmp_path, env=environment, capture_output=True, text=True)

    run.folder = tmp_path
    return run


def write_notebook(path: Path, *sources: str) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)


SKIPS = """
import pytest

@pytest.mark.skip(reason="the author was tired")
def test_skipped(): pass

@pytest.mark.skipif(True, reason="there is no CUDA device here")
def test_with_a_reason(): pass

@pytest.mark.xfail(reason="known")
def test_expected_to_fail(): assert False
"""


@pytest.mark.slow_because("starts pytest twice")
def test_skips_are_failures_where_all_is_required(suite):
    (suite.folder / "test_skips.py").write_text(SKIPS)
    (suite.folder / "test_module.py").write_text("import pytest; pytest.importorskip('no_such_module')")
    assert "3 skipped, 1 xfailed" in suite().stdout
    strict = suite("--continue-on-collection-errors", COURSE_REQUIRE_ALL="1").stdout
    assert "1 skipped, 1 xfailed, 2 errors" in strict
    assert "the author was tired" in strict
    assert "COURSE_REQUIRE_ALL is set" in strict


WORK = """import time
def work():
    while time.process_time() < start + 0.7: pass
start = time.process_time()
"""


@pytest.mark.slow_because("starts pytest")
def test_a_slow_test_needs_a_reason_where_all_is_required(suite):
    reasoned = "import pytest\n@pytest.mark.slow_because('so it is')\ndef test_with_a_reason(): work()\n"
    again = "def test_without():\n    global start\n    start = time.process_time(); work()\n"
    (suite.folder / "test_work.py").write_text(f"{WORK}{reasoned}{again}")
    strict = suite(COURSE_REQUIRE_ALL="1", COURSE_TIME_FACTOR="0.1").stdout
    assert "1 failed, 1 passed" in strict
    assert "test_without took 0.7 s of processor time; without a reason it may take 0 s" in strict


@pytest.fixture
def ours(request):
    """The course's conftest.py itself."""
    plugins = request.config.pluginmanager.get_plugins()
    return next(plugin for plugin in plugins if getattr(plugin, "__file__", "") == str(ROOT / "conftest.py"))


def test_each_process_works_on_one_thread():
    assert torch.get_num_threads() == int(os.environ["OMP_NUM_THREADS"]), (
        "torch was imported before conftest.py said so"
    )


def test_a_single_file_needs_no_second_process(ours):
    for arguments, expected in (
        (["tests"], 2),
        ([__file__], 0),
        ([f"{__file__}::test_x"], 0),
        ([__file__, __file__], 2),
        (["tests", "course_utils"], 2),
    ):
        assert ours.pytest_xdist_auto_num_workers(SimpleNamespace(args=arguments)) == expected


def test_learners_notebooks_wait_to_be_asked_for(ours):
    def left_out(path, *arguments, everything=False):
        invocation = SimpleNamespace(dir=ROOT)
        config = SimpleNamespace(args=arguments, invocation_params=invocation, getoption={"everything": everything}.get)
        return ours.pytest_ignore_collect(ROOT / path, config)

    learner, complete = "notebooks/02_autoencoders.ipynb", "notebooks/solutions/02_autoencoders.ipynb"
    assert left_out(learner, "notebooks")
    assert left_out(learner, "notebooks", everything=True) is None
    assert left_out(learner, f"{learner}::Cell 1") is None
    assert left_out(complete, "notebooks") is None


def test_the_longest_files_come_first_and_stay_whole(ours, tmp_path, monkeypatch):
    lessons = [{"number": "00", "slug": "start", "seconds": 6.0}, {"number": "12", "slug": "end", "seconds": 50.0}]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "lessons.json").write_text(json.dumps({"lessons": lessons}))
    monkeypatch.setattr(ours, "ROOT", tmp_path)

    def item(path, name, slow=False):
        return SimpleNamespace(path=tmp_path / path, name=name, get_closest_marker=lambda marker: slow)

    items = [
        item("tests/test_a.py", 1),
        item("tests/test_b.py", 2),
        item("tests/test_b.py", 3, slow=True),
        item("notebooks/solutions/00_start.ipynb", 4),
        item("notebooks/solutions/12_end.ipynb", 5),
        item("tests/browser/test_explorers.py", 6),
        item("tests/browser/test_explorers.py", 7),
    ]
    assert [one.name for one in ours.longest_first(items)] == [6, 7, 5, 2, 3, 4, 1]


@pytest.mark.slow_because("starts pytest and a kernel twice")
def test_a_lesson_that_takes_too_long_fails(suite):
    write_notebook(suite.folder / "slow.ipynb", f"{WORK}work()")
    flags = ("--nbval-lax", "--nbval-current-env")
    assert "2 passed" in suite(*flags).stdout
    slow = suite(*flags, COURSE_TIME_FACTOR="0.01").stdout
    assert "1 failed, 1 passed" in slow
    assert "it may take 1 s here" in slow
    assert "slow.ipynb" in slow.partition("seconds a notebook")[2]


TESTED = """# %% [markdown] title
# # 07. What?

# %% first
x = 1

# %% complete tags=["solution-only"]
x = 2

# %% [markdown] seen
# It is positive.

# %% [test] positive
y = x
assert 0 < y < LIMIT, "not so"

# %% later
assert "y" not in globals()
x = 3

# %% [test] three
assert x == 3
"""


@pytest.fixture
def course(suite):
    """A course with one lesson, built; and pytest with the course's own options for lessons."""
    tools = ROOT / "tools"
    (suite.folder / "notebooks" / "src").mkdir(parents=True)
    (suite.folder / "pyproject.toml").write_text('[tool.course]\naddress = "https://x.org/a"\nbranch = "main"\n')
    source = suite.folder / "notebooks" / "src" / "07_disks.py"
    source.write_text(TESTED.replace("LIMIT", "3"))
    command = [sys.executable, str(tools / "build_notebooks.py"), "--root", str(suite.folder)]
    subprocess.run(command, check=True, capture_output=True)
    write_notebook(suite.folder / "other.ipynb", "x = 1")

    def run(*arguments: str, **environment: str) -> str:
        flags = (
            "--nbval-lax",
            "--nbval-current-env",
            "--everything",
            "-vv",
            "-o",
            f"pythonpath={tools}",
            "--ignore=notebooks/src",
        )
        return suite(*flags, *arguments, COURSE_REQUIRE_ALL="1", **environment).stdout

    run.source = source
    return run


@pytest.mark.slow_because("starts the builder, pytest and three kernels")
def test_test_cells_run_in_place_in_both_notebooks(course):
    found = re.findall(r"(\S+?)(?:\.|::)ipynb::(.*?) PASSED", course("-p", "no:xdist"))
    assert [name for path, name in found if path == "notebooks/solutions/07_disks"] == [
        "Cell 0", "Cell 1", "test positive", "Cell 2", "test three", "time"
    ]  # fmt: skip
    assert [name for path, name in found if path == "notebooks/07_disks"] == [
        "Cell 0", "test positive", "Cell 1", "test three", "time"
    ]  # fmt: skip
    assert [name for path, name in found if path == "other"] == ["Cell 0", "time"]


@pytest.mark.slow_because("starts the builder, pytest and three kernels")
def test_test_cells_run_in_the_kernel_of_their_lesson_where_tests_are_shared_out(course):
    assert "13 passed" in course("-n", "2", "--dist", "loadfile")


@pytest.mark.slow_because("starts the builder, pytest and three kernels")
def test_a_test_cell_that_fails_is_named_with_its_code(course):
    course.source.write_text(TESTED.replace("LIMIT", "2"))  # the complete lesson has 2, the learner's 1
    printed = course("-p", "no:xdist")
    assert "1 failed, 12 passed" in printed
    assert "FAILED notebooks/solutions/07_disks.ipynb::test positive" in printed
    assert "test positive, in notebooks/src/07_disks.py" in printed
    assert 'assert 0 < y < 2, "not so"\n' in printed
    assert "AssertionError" in printed


def test_the_time_of_test_cells_is_not_the_lessons(ours, monkeypatch):
    monkeypatch.setattr(ours, "seconds_of_notebook", defaultdict(float))
    for name, seconds in (("Cell 0", 1.0), ("test seen", 5.0), ("Cell 1", 2.0)):
        ours.pytest_runtest_logreport(SimpleNamespace(nodeid=f"notebooks/07.ipynb::{name}", duration=seconds))
    assert ours.seconds_of_notebook == {str(ROOT / "notebooks/07.ipynb"): 3.0}


@pytest.mark.slow_because("starts pytest and a kernel")
def test_lessons_run_on_this_environments_python_whatever_kernels_the_user_has(suite):
    kernel = suite.folder / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    spec = {"argv": ["false", "{connection_file}"], "display_name": "Another", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    code = f"import sys; assert sys.prefix == {sys.prefix!r}, sys.prefix"
    write_notebook(suite.folder / "which.ipynb", code)
    data = str(suite.folder / "jupyter")
    environment = {"JUPYTER_PATH": data, "JUPYTER_DATA_DIR": data, "JUPYTER_PREFER_ENV_PATH": "0"}
    assert "2 passed" in suite("--nbval-lax", "--nbval-current-env", **environment).stdout
    assert {"--nbval-lax", "--nbval-current-env"} <= set(settings()["addopts"])


@pytest.mark.slow_because("starts pytest")
def test_tests_leave_the_persons_own_folders_alone(suite):
    (suite.folder / "test_home.py").write_text(
        "import os, pathlib\n"
        "def test_home():\n"
        "    home = pathlib.Path(os.environ['COURSE_HOME'])\n"
        f"    assert home != pathlib.Path({str(suite.folder)!r}, 'mine')\n"
        "    home.mkdir()\n"
        "    pathlib.Path('where.txt').write_text(str(home))\n"
    )
    assert "1 passed" in suite(COURSE_HOME=str(suite.folder / "mine")).stdout
    assert not Path((suite.folder / "where.txt").read_text()).exists()


def settings() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]


@pytest.mark.slow_because("starts pytest, which reads every lesson")
def test_pytest_collects_every_notebook():
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n0", "--everything", "notebooks"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    collected = {line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line}
    notebooks = [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "notebooks" / "solutions").glob("*.ipynb")]
    assert collected == {path.relative_to(ROOT).as_posix() for path in notebooks}, done.stdout
    assert "notebooks" in settings()["testpaths"]


LESSON = '''# %% [markdown] title
# # 07. What?

# %% imports
import math

# %% area
def area(r):
    """Area of a disk."""
    ### BEGIN SOLUTION
    return math.pi * r**2 * scale
    ### END SOLUTION

# %% slow
raise RuntimeError("this takes an hour")

# %% [test] big
assert area(1.0) > 3
seen = True

# %% later
doubled = 2 * area(1.0)
'''


@pytest.fixture
def lesson_root(tmp_path):
    (tmp_path / "notebooks" / "src").mkdir(parents=True)
    (tmp_path / "notebooks" / "src" / "07_disks.py").write_text(LESSON)
    return tmp_path


def test_the_named_cells_of_a_lesson_run_in_its_order(lesson_root):
    lesson = lesson_namespace("07", "later", "area", "imports", root=lesson_root, scale=10.0)
    assert lesson["doubled"] == pytest.approx(62.8318530718)
    assert "seen" not in lesson
    assert lesson_namespace("07", "area", "imports", "test big", root=lesson_root, scale=1.0)["seen"]
    with pytest.raises(AssertionError):
        lesson_namespace("07", "area", "imports", "test big", root=lesson_root, scale=0.5)


def test_errors_in_lesson_cells_say_where(lesson_root):
    with pytest.raises(
        LookupError, match=r"no code cells \['volume'\]; it has \['imports', 'area', 'slow', 'test big', .*"
    ):
        lesson_namespace("07", "volume", root=lesson_root)
    with pytest.raises(LookupError, match="0 sources of lesson '08'"):
        lesson_namespace("08", "area", root=lesson_root)
    with pytest.raises(RuntimeError) as failure:
        lesson_namespace("07", "slow", root=lesson_root)
    last = failure.traceback[-1]
    assert str(last.path) == "<07_disks.py, cell slow>"
    assert "takes an hour" in str(last.statement)
