"""Is this machine ready for the course? `course doctor` prints what `examine` finds, and how to mend it."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import course_utils
from course_utils import files, stored
from course_utils.command import workspace
from course_utils.command.machine import meets, memory, requirements

GIB = 2**30
MEMORY_NEEDED = 1 * GIB  # one kernel with torch, torchvision and scikit-learn is resident in just under 1 GB
MEMORY_COMFORTABLE = 2 * GIB  # ... and JupyterLab and a browser want their share
DISK_NEEDED, DISK_COMFORTABLE = GIB // 20, GIB // 2
SLOW_LESSON = 180.0  # seconds; the lessons are made to take 60 on two cores

# What must be in the data folder besides the models and the maps that the recipes name. Whatever else lies there is
# looked at too: this list only says what would be missed.
DATA = (
    "fashion_mnist/card", "lessons", "lesson_inputs", "code_comparison", "gan_comparison", "sample_quality",
    "path_quality",
)  # fmt: skip
CLAIMS = tuple(f"{number:02d}" for number in range(1, 15))  # lessons whose claims are stored
FOR_READERS = {"README.md"}  # nobody computes with it

# The browser's half of the widgets: package -> folder under share/jupyter/labextensions.
FRONT_ENDS = {"anywidget": "anywidget", "jupyterlab_widgets": "@jupyter-widgets/jupyterlab-manager"}


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Attributes:
        name: What was looked at.
        status: "ok", "warn" (the course runs, but ...) or "FAIL" (it would not run).
        detail: What was found.
        mend: What to do about it; empty where nothing is wrong.
    """

    name: str
    status: str
    detail: str
    mend: str = ""


def examine(seconds: float = 1.0) -> list[Finding]:
    """Look at everything the course needs on this machine.

    Nothing is changed. What raises an exception while it is looked at becomes a "FAIL" with the exception's message.

    Args:
        seconds: How long to measure the training speed.

    Returns:
        The findings, in the order of the report.
    """
    rooms: list[tuple[str, Callable[[], Iterable[Finding]]]] = [
        ("course", _course),
        ("packages", _packages),
        ("device", _device),
        ("memory", lambda: [judge_memory(*memory())]),
        ("disk", _disk),
        ("lessons", _lessons),
        ("data", _data),
        ("widgets", _front_ends),
        ("speed", lambda: _speed(seconds)),
    ]
    findings = []
    for name, look in rooms:
        try:
            findings += look()
        except Exception as error:  # a doctor reports what is broken, whatever it is
            findings.append(Finding(name, "FAIL", _sentence(error), "Mend what is named here, then run this again."))
    return findings


def table(findings: list[Finding]) -> str:
    """The report as aligned plain text, ASCII only, with the mends indented below their lines."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.status:<4}  {finding.name:<{width}}  {finding.detail}")
        if finding.mend:
            lines.append(f"{'':<4}  {'':<{width}}  -> {finding.mend}")
    failed, warned = ([f for f in findings if f.status == status] for status in ("FAIL", "warn"))
    if failed:
        lines.append(f"\nThe course would not run: {', '.join(finding.name for finding in failed)}.")
    else:
        lines.append(f"\nThe course runs here{', with the warnings above' if warned else ''}.")
    return "\n".join(lines).encode("ascii", "backslashreplace").decode()


def judge_memory(total: int | None, available: int | None) -> Finding:
    """Whether so much memory, in bytes, is enough for one lesson."""
    if total is None:
        return Finding("memory", "warn", "this system does not say how much it has")
    detail = f"{total / GIB:.1f} GiB" + ("" if available is None else f", {available / GIB:.1f} GiB of it free")
    if total < MEMORY_NEEDED:
        return Finding("memory", "FAIL", detail, f"A lesson needs {MEMORY_NEEDED / GIB:.0f} GiB: use a larger machine.")
    if (total if available is None else available) < MEMORY_COMFORTABLE:
        mend = f"{MEMORY_COMFORTABLE / GIB:.0f} GiB are comfortable: close other programs and other notebooks' kernels."
        return Finding("memory", "warn", detail, mend)
    return Finding("memory", "ok", detail)


def _course() -> list[Finding]:
    python, _ = requirements()
    have = platform.python_version()
    fits = meets(have, python)
    mend = "" if fits else "Make an environment with such a Python: `uv run --python 3.12 course lab` fetches one."
    where = Path(course_utils.__file__).resolve().parent
    return [
        Finding("course", "ok", f"{course_utils.__version__}, in {where}"),
        Finding("Python", "ok" if fits else "FAIL", f"{have} (needs {python}), {sys.executable}", mend),
    ]


def _packages() -> list[Finding]:
    findings = []
    for name, specifier in requirements()[1].items():
        mend = f'pip install "{name}{specifier}" (with uv: uv sync).'
        try:
            have = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            hosted = name == "jupyterlab" and _hosted()
            detail = "not installed" + (", and not needed on a hosted notebook" if hosted else f" (needs {specifier})")
            findings.append(Finding(name, "ok" if hosted else "FAIL", detail, "" if hosted else mend))
            continue
        fits = meets(have, specifier)
        findings.append(Finding(name, "ok" if fits else "FAIL", f"{have} (needs {specifier})", "" if fits else mend))
    return findings


def _hosted() -> bool:
    """Whether this is Colab or Kaggle, which bring their own front end."""
    return bool(os.environ.get("COLAB_RELEASE_TAG") or os.environ.get("KAGGLE_KERNEL_RUN_TYPE"))


def _device() -> list[Finding]:
    from course_utils.device import describe_device

    return [Finding("device", "ok", describe_device())]


def _disk() -> list[Finding]:
    findings = []
    for name, folder in (("lessons' copies", workspace.default_target()), ("home", files.course_home())):
        there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
        free = shutil.disk_usage(there).free
        detail = f"{free / GIB:.1f} GiB free for {folder}"
        variable = "COURSE_HOME" if name == "home" else "COURSE_WORK"
        if not there.is_dir() or not os.access(there, os.W_OK):
            mend = f"Name a folder that you may write to in the environment variable {variable}."
            findings.append(Finding(name, "FAIL", f"{folder} cannot be written", mend))
        elif name == "home" and files.home_is_temporary():
            mend = "Name a folder that lasts in COURSE_HOME."
            why = "this system knows no home folder, so progress and downloads may be gone tomorrow"
            findings.append(Finding(name, "warn", f"{detail}: {why}", mend))
        elif free < DISK_COMFORTABLE:
            mend = f"Free some disk space, or name a folder on a larger disk in {variable}."
            findings.append(Finding(name, "FAIL" if free < DISK_NEEDED else "warn", detail, mend))
        else:
            findings.append(Finding(name, "ok", detail))
    return findings


def _lessons() -> list[Finding]:
    found = sorted(path.name for path in files.notebooks_dir().glob("*.ipynb"))
    if not found:
        mend = "Build them with tools/build_notebooks.py, or install the course again."
        return [Finding("lessons", "FAIL", f"none in {files.notebooks_dir()}", mend)]
    return [Finding("lessons", "ok", f"{len(found)} in {files.notebooks_dir()}")]


def _data() -> list[Finding]:
    """Everything in the data folder: a line for what is right of each kind, and one for each thing that is not."""
    from course_utils.recipes import RECIPES
    from course_utils.recipes.maps import WHAT

    folder = files.data_dir()
    present = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    wanted = {*DATA, *(f"checkpoints/{name}" for name in RECIPES), *(f"maps/{name}" for name in WHAT)}
    wanted |= {f"claims/{lesson}" for lesson in CLAIMS}
    kinds: dict[str, list[str]] = {"data": [], "claims": [], "reference models": [], "maps": []}
    broken, vouched_for = [], set(FOR_READERS)
    for name in sorted(wanted | {name.removesuffix(".json") for name in present if name.endswith(".json")}):
        place, _, short = name.rpartition("/")
        try:
            card = stored.verify(folder / name, strict=True)
        except Exception as error:  # whatever is wrong with it
            mend = getattr(error, "mend", "Install the course again")
            broken.append(Finding(f"data/{name}", "FAIL", _sentence(error).removesuffix(f" {mend}."), f"{mend}."))
            continue
        vouched_for |= {file.relative_to(folder).as_posix() for file in stored.files_of(folder / name, card)}
        kind = {"checkpoints": "reference models", "maps": "maps", "claims": "claims"}.get(place, "data")
        kinds[kind].append(name if kind == "data" else short)
    if not broken:  # else it is not known what the broken cards vouch for
        what = f"nobody verifies it: no card in {folder} says what it should be"
        strays = sorted(present - vouched_for)
        broken = [Finding(f"data/{name}", "warn", what, "Delete it, unless you put it there.") for name in strays]
    good = [Finding(kind, "ok", f"{len(each)} verified: {', '.join(each)}") for kind, each in kinds.items() if each]
    return good + broken


def _front_ends() -> list[Finding]:
    if _hosted():
        return [Finding("widgets", "ok", "the hosted notebook brings its own front end")]
    from jupyter_core.paths import jupyter_path  # comes with JupyterLab

    shared = [Path(sys.prefix, "share", "jupyter", "labextensions"), *map(Path, jupyter_path("labextensions"))]
    missing = [
        name for name, folder in FRONT_ENDS.items() if not any((s / folder / "package.json").is_file() for s in shared)
    ]
    if missing:
        mend = f"pip install --force-reinstall --no-deps {' '.join(missing)}, then reload the browser's page."
        return [Finding("widgets", "FAIL", f"JupyterLab lacks the front end of {', '.join(missing)}", mend)]
    widgets, front = (importlib.metadata.version(name) for name in ("ipywidgets", "jupyterlab_widgets"))
    if meets(widgets, "<8") and meets(front, ">=3"):
        detail = f"jupyterlab_widgets {front} cannot show the widgets of ipywidgets {widgets}"
        return [Finding("widgets", "warn", detail, 'pip install "ipywidgets>=8" (or "jupyterlab_widgets<3").')]
    return [Finding("widgets", "ok", f"front ends in JupyterLab: {', '.join(FRONT_ENDS)}")]


def _speed(seconds: float) -> list[Finding]:
    from course_utils.command.lessons import load_lessons
    from course_utils.device import pick_device
    from course_utils.training import measure_speed

    device = pick_device()
    speed = measure_speed(device, seconds)
    findings = [Finding("speed", "ok", f"{speed:,.0f} images a second in training on {device.type}")]
    on_cpu = speed if device.type == "cpu" else measure_speed("cpu", seconds)  # the lessons' times are a CPU's
    try:
        lessons = [lesson for lesson in load_lessons() if lesson.seconds is not None]
    except (OSError, ValueError) as error:  # it is a pity, but the lessons run without it
        return [*findings, Finding("time", "warn", _sentence(error))]
    if not lessons:
        return [*findings, Finding("time", "warn", "no lesson has been measured yet")]
    times = {lesson.number: lesson.expected_seconds(on_cpu) for lesson in lessons}
    slowest = max(times, key=times.get)
    most = "about" if device.type == "cpu" else "with the GPU at most about"
    detail = (
        f"{most} {max(1, round(sum(times.values()) / 60))} min to run the {len(times)} measured lessons; "
        f"the longest is lesson {slowest}: {times[slowest]:.0f} s"
    )
    if times[slowest] <= SLOW_LESSON:
        return [*findings, Finding("time", "ok", detail)]
    mend = "This machine is slow or busy: close other programs, or see 'Weak machines' in docs/INSTRUCTORS.md."
    return [*findings, Finding("time", "warn", detail, mend)]


def _sentence(error: BaseException) -> str:
    """An exception as one line: its message, with its kind where the message alone says little."""
    message = " ".join(str(error).split())
    speaks = isinstance(error, (ValueError, RuntimeError, OSError)) and message
    return message if speaks else f"{type(error).__name__}: {message}"
