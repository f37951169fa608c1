"""All steps from the course's files to the book, and to one file with the first screen."""

import base64
import contextlib
import html
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from course_utils.command.lessons import Lesson, load_lessons
from course_utils.files import docs_dir, notebooks_dir
from course_utils.widgets.front_end import write_front_end

from . import lessons as pages_of_lessons
from . import pages, strict
from .gallery import ELSEWHERE, GALLERY, IN_LESSONS, Shown

HERE = Path(__file__).resolve().parent
EXPLORERS = Path("_static", "explorers")


@dataclass(frozen=True)
class Report:
    """What a build has made."""

    lessons: int
    explorers: int
    seconds: float
    bytes: int
    warnings: list[str]  # what Sphinx had to say


def course() -> dict:
    """The section [tool.course] of pyproject.toml: address and branch."""
    return tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["course"]


def build(out: Path, *, only: Sequence[str] = (), say: Callable[[str], None] = print) -> Report:
    """Write the whole book into an empty folder.

    Args:
        out: The folder; it is made where it is missing.
        only: Numbers of lessons, for a smaller book: with their explorers, and that of the front page.
        say: Called with one line at each step.

    Returns:
        What was made.

    Raises:
        RuntimeError: Sphinx has failed; the message has its last lines.
    """
    started, known = time.perf_counter(), course()
    lessons = [lesson for lesson in load_lessons() if not only or lesson.number in only]
    numbers = {lesson.number for lesson in lessons}
    shown = [one for one in (*GALLERY, *IN_LESSONS) if one.lesson in numbers or one.name == pages.FRONT]
    alone = [one for one in shown if one.title]
    with tempfile.TemporaryDirectory(prefix="course-site-") as folder:
        sources = Path(folder, "sources")
        (sources / EXPLORERS).mkdir(parents=True)
        places = make_explorers(sources / EXPLORERS, shown, say)
        say(f"{len(lessons)} lessons")
        write_sources(sources, lessons, shown, places, known["address"], known["branch"])
        say("pages (Sphinx)")
        warnings = sphinx(sources, out, Path(folder, "doctrees"))
    tidy(out)
    strict.make_strict(out)
    for one in alone:
        (out / "gallery" / f"{one.name}-full.html").write_text(pages.full(one, places[one.name]), encoding="utf-8")
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return Report(len(lessons), len(shown), time.perf_counter() - started, size, warnings)


def make_explorers(folder: Path, shown: Sequence[Shown], say: Callable[[str], None]) -> dict[str, str]:
    """Write the explorers' files, and return the HTML of their places by their names."""
    write_front_end(folder)
    places = {}
    for k, one in enumerate(shown, start=1):
        say(f"explorer {k} of {len(shown)}: {one.title or f'lesson {one.lesson}, {one.cell}'}")
        with contextlib.redirect_stdout(io.StringIO()):  # ipywidgets wipes its outputs, and a terminal shows it
            explorer = one.make()
        places[one.name] = explorer.page(folder, one.name, **({} if one.steps is None else {"steps": one.steps}))
    return places


def write_sources(
    folder: Path, lessons: Sequence[Lesson], shown: Sequence[Shown], places: dict, address: str, branch: str
) -> None:
    """Write what Sphinx reads."""
    for name in ("lessons", "gallery"):
        (folder / name).mkdir()
    for lesson in lessons:
        complete, learner = (
            json.loads((base / lesson.file_name).read_text(encoding="utf-8"))
            for base in (notebooks_dir() / "solutions", notebooks_dir())
        )
        here = {
            one.cell: places[one.name] + said(one.note) for one in shown if one.lesson == lesson.number and one.cell
        }
        here |= {cell: said(why) for (number, cell), why in ELSEWHERE.items() if number == lesson.number}
        pages_of_lessons.write(folder / "lessons" / lesson.file_name, pages_of_lessons.page(complete, learner, here))
    by_number = {lesson.number: lesson for lesson in load_lessons()}
    alone = [one for one in shown if one.title]
    texts = {
        "index": pages.front(lessons, places[pages.FRONT], address, branch),
        "gallery/index": pages.gallery([(one, places[one.name]) for one in alone]),
        "glossary": pages.glossary((docs_dir() / "GLOSSARY.md").read_text(encoding="utf-8"), lessons),
        "copyright": pages.licence(address),
    }
    for one in alone:
        texts[f"gallery/{one.name}"] = pages.alone(one, places[one.name], by_number[one.lesson], address)
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


def said(note: str) -> str:
    """A note on an explorer, as HTML; nothing where there is none."""
    return f'<p class="course-elsewhere">{html.escape(note)}</p>' if note else ""


def sphinx(sources: Path, out: Path, doctrees: Path) -> list[str]:
    """Run Sphinx, in a process of its own; return its warnings."""
    noted = doctrees.with_name("warnings.txt")
    line = [
        *(sys.executable, "-m", "sphinx", "-q", "-b", "html", "-j", str(min(4, os.cpu_count() or 1))),
        *("-D", f"html_static_path={HERE / 'static'},{sources / '_static'}"),  # the second one has the explorers
        *("-c", str(HERE), "-d", str(doctrees), "-w", str(noted), str(sources), str(out)),
    ]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise RuntimeError(f"Sphinx could not make the book: {' '.join(done.stderr.split())[-600:]}")
    said = noted.read_text(encoding="utf-8") if noted.is_file() else ""
    return [line.replace(str(sources), "").strip() for line in said.splitlines() if line.strip()]


def tidy(out: Path) -> None:
    """Leave out what nobody reads: source maps, and Sphinx's own notes."""
    for path in [*out.rglob("*.map"), out / ".buildinfo", out / "objects.inv"]:
        path.unlink(missing_ok=True)
    shutil.rmtree(out / "_sources", ignore_errors=True)


def single(file: Path, say: Callable[[str], None] = print) -> None:
    """Write the first screen as one file, which works without a server: for a lecture without a network."""
    one = next(one for one in GALLERY if one.name == pages.FRONT)
    with tempfile.TemporaryDirectory(prefix="course-site-") as folder:
        place = make_explorers(Path(folder), [one], say)[one.name]
        script = Path(folder, "explorers.js").read_text(encoding="utf-8")
        style = "".join(
            path.read_text(encoding="utf-8") for path in (HERE / "static" / "book.css", Path(folder, "explorers.css"))
        )
        bundles = "".join(
            f'<script type="application/gzip" id="course-{path.name}">{base64.b64encode(path.read_bytes()).decode()}'
            "</script>\n"
            for path in sorted(Path(folder).glob(f"{one.name}*.bin"))
        )
    if "</script" in script:
        raise RuntimeError("the explorers' script cannot stand in a page: it has the end of a script in it")
    page = pages.full(one, place)
    policy = (
        f"default-src 'none'; script-src {strict.allowed(script)} 'wasm-unsafe-eval'; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    page = page.replace(strict.policy(), strict.policy(policy))
    head, _, body = page.partition("</head>")
    head = "\n".join(line for line in head.splitlines() if not line.startswith(("<link", "<script")))
    end = f'{bundles}<script type="module">{script}</script>\n</body>'
    file.write_text(f"{head}<style>{style}</style>\n</head>{body.replace('</body>', end)}", encoding="utf-8")
