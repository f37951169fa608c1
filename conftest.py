"""What holds for every test, wherever it stands: in tests/, in a docstring, or as a cell of a lesson.

- Nothing of the person who runs the tests is read or changed: COURSE_HOME and IPYTHONDIR are temporary folders.
- `--offline`, or COURSE_OFFLINE=1: every connection beyond this machine is refused, also in notebooks' kernels and in
  subprocesses. The course works without a network, so everything must pass this way too.
- Two processes share the work, unless a single file is named; the longest files come first, so that both end together.
  Each works on one thread: threads that wait for each other on two busy cores cost more than they save.
- Every complete lesson runs cell by cell. `--everything`, or COURSE_EVERYTHING=1, adds the learners' notebooks, which
  tests/notebooks/test_variants.py shows to be the same but for their exercises, and every explorer of every lesson in
  the browser, which otherwise tries some.
- COURSE_REQUIRE_ALL=1: a skipped test fails, unless it needs what cannot be had here (a GPU, root, another system);
  and so does a test that takes more than 5 s times COURSE_TIME_FACTOR and is not marked `slow_because("...")`.
- Test cells of a lesson's source (`# %% [test] name`) are in none of its notebooks. They run here, each after the code
  cell that it follows in the source, as the test `test name`, in the complete lesson and in the learner's.
- After the last cell of each notebook stands one more test, `time`: the lesson took at most 60 s times
  COURSE_TIME_FACTOR, by default 3, for computers slower than most. The strict 60 s hold for the times that
  `tools/build_notebooks.py --execute` measured; its `--check` sees to that.

Both limits are of processor time, because a computer with other work to do is no fault of a test.
"""

import importlib.util
import json
import os
import re
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

import nbformat
import psutil
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError

from course_utils.command.machine import let_threads_sleep

ROOT = Path(__file__).resolve().parent
OFFLINE = ROOT / "tests" / "offline"
LESSON_SECONDS, TEST_SECONDS = 60, 5
MAY_SKIP = re.compile(
    r"(no|needs an?) (CUDA|MPS|GPU)|needs root|not on (Windows|macOS|Linux)|(Windows|macOS|Linux) only", re.IGNORECASE
)

collect_ignore = [
    "tests/offline/sitecustomize.py",  # no module of that name can be imported where Debian has its own
    "tests/notebooks/nbgrader_trip.py",  # runs where nbgrader is
]

# Read by torch when it is imported, which other conftest.py and plugins may do at once; and by notebooks' kernels.
let_threads_sleep(os.environ)
os.environ.setdefault("OMP_NUM_THREADS", "1")

seconds_of_notebook = defaultdict(float)
temporary_home = None


def pytest_addoption(parser):
    offline = os.environ.get("COURSE_OFFLINE") == "1"
    parser.addoption("--offline", action="store_true", default=offline, help="refuse every connection beyond loopback")
    everything = os.environ.get("COURSE_EVERYTHING") == "1"
    parser.addoption("--everything", action="store_true", default=everything, help="learners' notebooks, all explorers")


def pytest_configure(config):
    global temporary_home
    if config.getoption("everything"):
        os.environ["COURSE_EVERYTHING"] = "1"  # where there is no config, as while tests are collected
    temporary_home = tempfile.mkdtemp(prefix="course-tests-")
    os.environ["COURSE_HOME"] = str(Path(temporary_home, "course"))
    os.environ["IPYTHONDIR"] = str(Path(temporary_home, "ipython"))
    config.addinivalue_line("markers", "slow_because(reason): may take more than 5 s")
    if config.getoption("offline"):
        switch_network_off()


def pytest_unconfigure(config):
    if temporary_home:
        shutil.rmtree(temporary_home, ignore_errors=True)


def switch_network_off():
    """For this process at once, and for every Python started from it through PYTHONPATH; git may only use files."""
    spec = importlib.util.spec_from_file_location("course_offline", OFFLINE / "sitecustomize.py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    paths = [str(OFFLINE), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    os.environ["COURSE_OFFLINE"] = "1"
    os.environ["GIT_ALLOW_PROTOCOL"] = "file"


@pytest.fixture(autouse=True, scope="session")
def no_windows():
    """Figures drawn in tests stay in memory, also where a screen is attached."""
    import matplotlib

    matplotlib.use("Agg")


# -------------------------------------------------------------------------------- no skip that nobody notices


def _not_skipped(report):
    """With COURSE_REQUIRE_ALL=1, turn a report of a skip that has no accepted reason into a failure."""
    if os.environ.get("COURSE_REQUIRE_ALL") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not MAY_SKIP.search(reason):
            report.outcome = "failed"
            report.longrepr = f"{reason}\nThis may not be skipped here: COURSE_REQUIRE_ALL is set."
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return _not_too_slow(item, _not_skipped((yield)))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _not_skipped((yield))


# -------------------------------------------------------------------------------- a lesson's test cells


class LessonFile(IPyNbFile):
    """A lesson's notebook: its cells, and among them the test cells of its source."""

    test_seconds = 0.0  # of processor time, which is not the lesson's

    def collect(self):
        from notebook_sources import named_cells, test_code, tests_after

        items = list(super().collect())
        tests = tests_after(named_cells(lesson_source(self.path)), [item.cell["id"] for item in items])
        for item in items:
            yield item
            for test in tests.get(item.cell["id"], []):
                yield LessonTest.from_parent(
                    self,
                    name=f"test {test.name}",
                    cell_num=item.cell_num,
                    cell=nbformat.v4.new_code_cell(test_code(test)),
                    options=defaultdict(bool),
                    source=test.source,
                )


class LessonTest(IPyNbCell):
    """A test cell: what the lesson says of the results above it."""

    def __init__(self, *args, source, **kwargs):
        super().__init__(*args, **kwargs)
        self.source = source  # as it was written; `cell` has what the kernel runs

    def runtest(self):
        start = kernel_seconds(self.parent)
        try:
            super().runtest()
        finally:
            self.parent.test_seconds += kernel_seconds(self.parent) - start

    def raise_cell_error(self, message, *args, **kwargs):
        raise NbCellError(self.cell_num, message, self.source, *args, **kwargs)

    def repr_failure(self, excinfo):
        where = f"{self.name}, in notebooks/src/{lesson_source(self.path).name}, stands after this cell:"
        return f"{where}\n{super().repr_failure(excinfo)}"

    def reportinfo(self):
        return self.path, 0, f"{self.path.name}::{self.name}"


def lesson_source(path: Path) -> Path:
    return ROOT / "notebooks" / "src" / f"{path.stem}.py"


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """nbval collects notebooks; those of the lessons get their test cells."""
    collectors = yield
    folders = (ROOT / "notebooks", ROOT / "notebooks" / "solutions")
    if file_path.parent not in folders or not lesson_source(file_path).exists():
        return collectors
    return [LessonFile.from_parent(parent, path=file_path) if isinstance(one, IPyNbFile) else one for one in collectors]


# -------------------------------------------------------------------------------- what is run, in which order


def processes(config) -> int:
    """What `-n auto` means: two, or this one alone where a single file is named."""
    return 0 if len(config.args) == 1 and Path(config.args[0].partition("::")[0]).is_file() else 2


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_auto_num_workers(config):
    return processes(config)


def pytest_ignore_collect(collection_path, config):
    """Learners' notebooks are left out, unless all is asked for, or this very one."""
    if collection_path.suffix == ".ipynb" and collection_path.parent == ROOT / "notebooks":
        named = {Path(config.invocation_params.dir, argument.partition("::")[0]) for argument in config.args}
        return None if config.getoption("everything") or collection_path in named else True
    return None


def longest_first(items: list) -> list:
    """Whole files, those first that take long: lessons by their measured time, then what is marked slow."""
    measured = ROOT / "data" / "lessons.json"
    lessons = json.loads(measured.read_text(encoding="utf-8"))["lessons"] if measured.exists() else []
    seconds = {f"{lesson['number']}_{lesson['slug']}.ipynb": lesson["seconds"] for lesson in lessons}
    files = defaultdict(list)
    for item in items:
        files[item.path].append(item)

    def expected(path):
        if path.suffix == ".ipynb":
            return seconds.get(path.name) or LESSON_SECONDS
        browser = LESSON_SECONDS * (path.parent.name == "browser")
        return len(files[path]) * browser + 10 * sum(
            bool(item.get_closest_marker("slow_because")) for item in files[path]
        )

    return [item for path in sorted(files, key=expected, reverse=True) for item in files[path]]


# -------------------------------------------------------------------------------- how long a test and a lesson take


def time_factor() -> float:
    return float(os.environ.get("COURSE_TIME_FACTOR", "3"))


def processor_seconds() -> float:
    """Of this process and of those that it has started and seen the end of."""
    return sum(os.times()[:4])


def kernel_seconds(notebook: IPyNbFile) -> float:
    times = psutil.Process(notebook.kernel.km.provisioner.pid).cpu_times()
    return times.user + times.system


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    start = processor_seconds()
    try:
        return (yield)
    finally:
        item.stash[SECONDS] = processor_seconds() - start


SECONDS = pytest.StashKey[float]()


def _not_too_slow(item, report):
    """With COURSE_REQUIRE_ALL=1, turn a slow test without a reason into a failure; lessons have their own limit."""
    seconds, limit = item.stash.get(SECONDS, 0), TEST_SECONDS * time_factor()
    excused = item.path.suffix != ".py" or item.get_closest_marker("slow_because")
    strict = os.environ.get("COURSE_REQUIRE_ALL") == "1" and not excused
    if strict and report.when == "call" and report.passed and seconds > limit:
        report.outcome = "failed"
        report.longrepr = (
            f"{item.nodeid} took {seconds:.1f} s of processor time; without a reason it may take {limit:.0f} s. "
            'Make it smaller, or mark it @pytest.mark.slow_because("...").'
        )
    return report


class LessonTime(pytest.Item):
    """The test after the last cell of a notebook: its kernel took no more processor time than it may."""

    def runtest(self):
        limit = LESSON_SECONDS * time_factor()
        seconds = kernel_seconds(self.parent) - getattr(self.parent, "test_seconds", 0.0)
        if seconds > limit:
            raise TooSlow(f"{self.path.name} took {seconds:.0f} s of processor time; it may take {limit:.0f} s here.")

    def repr_failure(self, excinfo):
        return str(excinfo.value) if isinstance(excinfo.value, TooSlow) else super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, 0, f"{self.path.name}::time"


class TooSlow(Exception):
    pass


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    with_times = []
    for number, item in enumerate(items, 1):
        with_times.append(item)
        last = number == len(items) or items[number].path != item.path
        if item.path.suffix == ".ipynb" and last:
            with_times.append(LessonTime.from_parent(item.parent, name="time"))
    items[:] = longest_first(with_times) if hasattr(config, "workerinput") else with_times


def pytest_runtest_logreport(report):
    file, _, name = report.nodeid.partition("::")
    if file.endswith(".ipynb") and not name.startswith("test "):  # a learner never runs the test cells
        seconds_of_notebook[str(ROOT / file)] += report.duration


def pytest_terminal_summary(terminalreporter):
    if seconds_of_notebook:
        terminalreporter.section("seconds a notebook")
        for path, seconds in seconds_of_notebook.items():
            terminalreporter.line(f"{seconds:6.1f}  {Path(path).relative_to(ROOT).as_posix()}")
