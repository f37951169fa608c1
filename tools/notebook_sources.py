"""How one lesson's source becomes two notebooks, and what is generated from all of them. Nothing here writes a file."""

import ast
import contextlib
import json
import re
import tomllib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import glossary
import jupytext
import learning_minutes
import nbformat

from course_utils.claims import Evidence
from course_utils.claims import read as read_claims
from course_utils.stored import sealed

PLACEHOLDER = "OWNER/REPO"
SETUP_CELL = Path(__file__).with_name("setup_cell.py")
SETUP_ADDRESS = "https://github.com/OWNER/REPO"  # what setup_cell.py says where the course's address belongs
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
ACRONYMS = {"elbo", "gan", "kl", "lerp", "slerp", "vae"}
MEASURED = {"seconds": None, "images_per_second": None, "gpu_seconds": None}
FOLDED = {"jupyter": {"source_hidden": True}, "cellView": "form"}  # for JupyterLab and Notebook, and for Colab


class BuildError(Exception):
    """The sources cannot be built; the message says where and what to do."""


@dataclass(frozen=True)
class Course:
    """Where the course is and what is the same in all of its lessons."""

    root: Path
    address: str
    branch: str

    def __post_init__(self):
        if not re.fullmatch(r"https://[\w.-]+(/[\w.~-]+)+", self.address) or self.address.endswith((".git", "/")):
            raise BuildError(
                f"The address {self.address!r} is not of the form https://host/owner/name, without '.git' or a "
                "slash at its end; correct it (pyproject.toml, [tool.course], or --address)."
            )

    @property
    def notebooks(self) -> Path:
        return self.root / "notebooks"

    def badge(self, lesson: str, nowhere: str = "Colab: once the course has a public address") -> str:
        """Markdown of the Colab badge, or `nowhere`: without a public address there is nothing it could lead to."""
        if PLACEHOLDER in self.address:
            return nowhere
        if not self.address.startswith("https://github.com/"):
            return f"[Source]({self.address})"  # Colab opens notebooks from GitHub only
        repository = self.address.removeprefix("https://github.com/")
        link = f"https://colab.research.google.com/github/{repository}/blob/{self.branch}/notebooks/{lesson}.ipynb"
        return f"[![Open in Colab]({BADGE})]({link})"

    @cached_property
    def glossary(self) -> dict[str, glossary.Entry]:
        """The entries of the glossary by their anchors; none where the course has no glossary."""
        try:
            return glossary.read(read_text(self.root / glossary.FILE))
        except ValueError as error:
            raise BuildError(str(error)) from error

    def glossary_link(self, up: str) -> str:
        """Where links to the glossary lead from a notebook that lies `up` from the course's folder ("../").

        Colab follows no relative link, so it is the public address where there is one that Colab can open.
        """
        public = PLACEHOLDER not in self.address and self.address.startswith("https://github.com/")
        return f"{self.address}/blob/{self.branch}/{glossary.FILE}" if public else up + glossary.FILE

    def setup_cell(self) -> str:
        return SETUP_CELL.read_text(encoding="utf-8").replace(SETUP_ADDRESS, self.address).strip()


@dataclass(frozen=True)
class Built:
    """One lesson as it should be on disk, its solution still without outputs."""

    name: str  # "02_autoencoders"
    entry: dict  # its entry in data/lessons.json
    learner: nbformat.NotebookNode
    solution: nbformat.NotebookNode
    setup_ids: frozenset[str]
    source: tuple["SourceCell", ...]
    terms: dict[str, str]  # the terms of the glossary that it marks, each with the name of the cell

    @property
    def asserts(self) -> list[str]:
        """Names of the cells with an assert that a learner would meet: all that are no tests."""
        return [cell.name for cell in self.source if cell.kind == "code" and has_assert(cell.source)]


@dataclass(frozen=True)
class SourceCell:
    """A cell as its source has it."""

    name: str
    kind: str  # "code", "markdown", "raw" or "test"
    source: str
    metadata: dict

    @property
    def tags(self) -> list[str]:
        return self.metadata.get("tags", [])


def has_assert(source: str) -> bool:
    """Whether an assert runs with the cell: one in a loop counts, one in a function or a class does not."""
    nodes = list(learning_minutes.parsed(source).body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Assert):
            return True
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            nodes += ast.iter_child_nodes(node)
    return False


def open_exercise(source: str, where: str) -> str:
    """The source of a cell as the learner gets it: every solution replaced by a line that raises."""
    lines, begin = [], None
    for number, line in enumerate(source.split("\n"), 1):
        mark = line.strip()
        if mark == "### BEGIN SOLUTION":
            if begin is not None:
                raise BuildError(f"{where}: line {number} begins a solution inside the one begun in line {begin}.")
            begin, indent = number, line[: len(line) - len(line.lstrip())]
            if not indent:
                raise BuildError(f"{where}: the solution in line {number} must stand inside a function, indented.")
            lines.append(f"{indent}# YOUR CODE HERE")
            lines.append(f'{indent}raise NotImplementedError("delete this line and write your solution")')
        elif mark == "### END SOLUTION":
            if begin is None:
                raise BuildError(f"{where}: line {number} ends a solution that was not begun.")
            begin = None
        elif "BEGIN SOLUTION" in mark or "END SOLUTION" in mark:
            raise BuildError(f"{where}: line {number} must be exactly '### BEGIN SOLUTION' or '### END SOLUTION'.")
        elif begin is None:
            lines.append(line)
    if begin is not None:
        raise BuildError(f"{where}: the solution begun in line {begin} has no '### END SOLUTION'.")
    return "\n".join(lines)


def notebook(cells: list) -> nbformat.NotebookNode:
    made = nbformat.from_dict({"nbformat": 4, "nbformat_minor": 5, "metadata": METADATA, "cells": cells})
    nbformat.validate(made)
    return made


def named_cells(path: Path) -> list[SourceCell]:
    """The cells of a source with their names, which are checked."""
    cells, seen = [], set()
    for number, cell in enumerate(jupytext.read(path, fmt="py:percent").cells, 1):
        title, kind = cell.metadata.pop("title", ""), cell.cell_type
        start = (cell.source.strip().splitlines() or ["(empty)"])[0]
        if kind == "code" and (match := re.match(r"\[test\](?:\s+|$)", title)):  # jupytext leaves it in the title
            title, kind = title[match.end() :], "test"
        if not title:
            raise BuildError(
                f"{path.name}: cell {number} has no name (it starts {start!r}); write '# %% name', "
                "'# %% [markdown] name' or '# %% [test] name' above it."
            )
        if len(title) > 64 or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", title):
            raise BuildError(f"{path.name}: the cell name {title!r} is not of the form lower-case-with-hyphens.")
        if title in seen:
            raise BuildError(f"{path.name}: two cells are named {title!r}; cell {number} needs another name.")
        if kind == "test" and not any(before.kind == "code" for before in cells):
            raise BuildError(f"{path.name}: the test cell {title!r} stands before the first code cell: move it down.")
        if kind == "test" and cell.metadata.get("tags"):
            raise BuildError(f"{path.name}: the test cell {title!r} has tags, and nothing reads them: remove them.")
        seen.add(title)
        cell.metadata.pop("lines_to_next_cell", None)
        cells.append(SourceCell(title, kind, cell.source, json.loads(json.dumps(cell.metadata))))
    return cells


def tests_after(cells: list[SourceCell], present: Collection[str]) -> dict[str, list[SourceCell]]:
    """The test cells of a source, each at the name of the code cell that it follows.

    Args:
        cells: All cells of the source.
        present: The cells of the notebook. Where the cell before a test is not among them (``solution-only``), the
            test follows the nearest one that is.
    """
    found, last = {}, None
    for cell in cells:
        if cell.kind == "code" and cell.name in present:
            last = cell.name
        elif cell.kind == "test" and last is not None:
            found.setdefault(last, []).append(cell)
    return found


def test_code(test: SourceCell) -> str:
    """What a kernel runs for a test cell: the names that it makes are forgotten, so no lesson can come to need them."""
    file = f"<test {test.name}>"
    lines = test.source.splitlines(keepends=True)
    return (
        f"__import__('linecache').cache[{file!r}] = ({len(test.source)}, None, {lines!r}, {file!r})\n"
        f"exec(compile({test.source!r}, {file!r}, 'exec'), dict(globals()))"
    )


def heading_and_question(path: Path, first: SourceCell) -> tuple[str, str]:
    headings = [line[2:].strip() for line in first.source.splitlines() if line.startswith("# ")]
    title = re.sub(r"^(Lesson\s+)?\d+\s*[.:·-]*\s*", "", headings[0]) if headings else ""
    prose = re.sub(r"(?m)^(#.*|\{\{header\}\})$", "", glossary.shown(first.source))
    sentences = [
        s.strip("*_ ") for p in prose.split("\n\n") for s in re.split(r"(?<=[.!?])[*_]*\s+", p.replace("\n", " "))
    ]
    question = title if title.endswith("?") else next((s for s in sentences if s.endswith("?")), "")
    if first.kind != "markdown" or not title or not question:
        raise BuildError(
            f"{path.name}: the first cell must be markdown with a heading ('# 02. Title') that is a question, or with "
            "the lesson's question as a sentence below it."
        )
    return title, question


def minutes(entry: dict) -> str:
    """The measured time of a lesson, in words."""
    if entry["seconds"] is None:
        return "not measured yet"
    words = f"{entry['seconds']:.0f} seconds on two CPU cores"
    return words if entry["gpu_seconds"] is None else f"{words}, {entry['gpu_seconds']:.0f} on a GPU"


def folded(metadata: dict, source: str, where: str) -> dict:
    """The metadata of a cell whose code is folded away, with all that it had."""
    if not source.startswith("# @title "):
        raise BuildError(f"{where}: a folded cell starts with the line '# @title what it does', which Colab shows.")
    return metadata | FOLDED | {"jupyter": metadata.get("jupyter", {}) | FOLDED["jupyter"]}


CLAIM = re.compile(r"\{\{claim ([\w-]+)\.([\w.]+)(%?)((?: \w+=\S+?)*)\}\}")  # {{claim much.dead% epochs=24}}


def with_claims(source: str, stored: Callable[[], dict[str, Evidence]], where: str) -> str:
    """Markdown in which each {{claim name.number setting=value}} is the number's range over the stored runs.

    A share is written in hundredths by {{claim name.number% setting=value}}.

    Args:
        source: The markdown of one cell.
        stored: Gives the lesson's stored runs by claim; called only where the cell needs them.
        where: The cell, for messages.
    """

    def number(match: re.Match) -> str:
        setting = dict(pair.split("=", 1) for pair in match[4].split())
        for key, value in setting.items():
            with contextlib.suppress(ValueError):
                setting[key] = json.loads(value)
        try:
            known = stored()
            if match[1] not in known:
                raise ValueError(f"there is no claim {match[1]!r}. There are: {', '.join(known)}.")
            found = known[match[1]].over(match[2], **setting)
            return found.percent if match[3] else str(found)
        except (FileNotFoundError, ValueError) as error:
            raise BuildError(f"{where}: {match[0]} cannot be filled in: {error}") from error

    filled = CLAIM.sub(number, source)
    if "{{claim" in filled:
        raise BuildError(f"{where}: a claim's number is written {{{{claim name.number setting=value}}}}.")
    return filled


def build(course: Course, path: Path, measured: dict) -> Built:
    """Build one lesson from its source; nothing is written."""
    match = re.fullmatch(r"(\d\d)_([a-z0-9_]+)", path.stem)
    if not match:
        raise BuildError(f"{path.name}: a source is called NN_name.py, with a name of small letters and underscores.")
    cells = named_cells(path)
    if not cells:
        raise BuildError(f"{path.name}: the source has no cells.")
    title, question = heading_and_question(path, cells[0])
    try:
        prose = [(cell.name, cell.source) for cell in cells if cell.kind == "markdown"]
        terms = glossary.marked(prose, course.glossary)
        learning = learning_minutes.estimate(cells).entry
    except (SyntaxError, ValueError) as error:
        raise BuildError(f"{path.name}: {error}") from error
    entry = {"number": match[1], "slug": match[2], "title": title, "question": question, **learning}
    entry |= MEASURED | measured
    fill = {
        "{{header}}": course.badge(path.stem),
        "{{learning}}": learning_minutes.in_words(entry),
        "{{minutes}}": minutes(entry),
        "{{address}}": course.address,
    }
    claims = cache(lambda: read_claims(match[1], course.root / "data" / "claims"))
    learner, solution, setup_ids = [], [], set()
    for cell in cells:
        where, source, metadata = f"{path.name}, cell {cell.name!r}", cell.source, cell.metadata
        if cell.kind == "test":
            continue
        if cell.kind == "code":
            is_setup = source.strip() == "{{setup}}"
            if is_setup:
                setup_ids.add(cell.name)
                source = course.setup_cell()
            if is_setup or "folded" in cell.tags:
                metadata = folded(metadata, source, where)
        else:
            for placeholder, text in fill.items():
                source = source.replace(placeholder, text)
            source = with_claims(source, claims, where)
        made = {"cell_type": cell.kind, "id": cell.name, "metadata": metadata, "source": source}
        opened = made
        if cell.kind == "markdown":
            made = made | {"source": glossary.linked(source, course.glossary_link("../../"))}
            opened = opened | {"source": glossary.linked(source, course.glossary_link("../"))}
        if cell.kind == "code":
            made |= {"execution_count": None, "outputs": []}
            opened = made | {"source": open_exercise(source, where)}
        solution.append(made)
        if "solution-only" not in cell.tags:
            learner.append(opened)
    return Built(path.stem, entry, notebook(learner), notebook(solution), frozenset(setup_ids), tuple(cells), terms)


def as_text(made: nbformat.NotebookNode) -> str:
    return nbformat.writes(made, version=4) + "\n"


def read_text(path: Path) -> str:
    return path.read_bytes().decode("utf-8") if path.exists() else ""


def code_cells(made: nbformat.NotebookNode) -> list:
    return [cell for cell in made["cells"] if cell["cell_type"] == "code"]


def read_course(root: Path) -> Course:
    try:
        settings = tomllib.loads(read_text(root / "pyproject.toml"))["tool"]["course"]
        return Course(root, settings["address"], settings["branch"])
    except (KeyError, tomllib.TOMLDecodeError) as error:
        raise BuildError(f"{root / 'pyproject.toml'} has no [tool.course] with address and branch ({error}).") from None


def read_measured(course: Course) -> dict:
    """What was measured, by lesson: {"02": {"seconds": ...}}."""
    text = read_text(course.root / "data" / "lessons.json")
    entries = json.loads(text)["lessons"] if text else []
    return {entry["number"]: {key: entry.get(key) for key in MEASURED} for entry in entries}


def build_all(course: Course, measured: dict) -> list[Built]:
    paths = sorted((course.notebooks / "src").glob("*.py"))
    lessons = [build(course, path, measured.get(path.stem[:2], {})) for path in paths]
    numbers = [lesson.entry["number"] for lesson in lessons]
    for number in numbers:
        if numbers.count(number) > 1:
            raise BuildError(f"Two sources have the number {number}; each lesson needs its own.")
    return lessons


def spoken(slug: str) -> str:
    """A file's name as a heading.

    >>> spoken("kl_and_the_elbo")
    'KL and the ELBO'
    """
    words = [word.upper() if word in ACRONYMS else word for word in slug.split("_")]
    return " ".join([words[0][0].upper() + words[0][1:], *words[1:]])


def table(course: Course, lessons: list[Built], folder: str) -> str:
    rows = [
        "| | Lesson | Question it answers | Learning: core + further | Runs in | Complete | Colab |",
        "|---|---|---|---:|---:|---|---|",
    ]
    for lesson in lessons:
        entry, name = lesson.entry, lesson.name
        title = entry["title"] if entry["title"] != entry["question"] else spoken(entry["slug"])
        runs_in = "not measured" if entry["seconds"] is None else f"{entry['seconds']:.0f} s"
        rows.append(
            f"| {entry['number']} | [{title}]({folder}{name}.ipynb) | {entry['question']} "
            f"| {learning_minutes.in_a_table(entry)} | {runs_in} "
            f"| [with solutions]({folder}solutions/{name}.ipynb) | {course.badge(name, '-')} |"
        )
    return "\n".join(rows)


def fill_region(text: str, name: str, content: str) -> str:
    """The text with what stands between the marks of a region replaced. The first mark may say who writes there."""
    pattern = rf"(<!-- {name}:begin(?: [^\n]*)? -->\n).*?(<!-- {name}:end -->)"
    text, found = re.subn(pattern, lambda match: f"{match[1]}{content}\n{match[2]}", text, flags=re.DOTALL)
    if found != 1:
        raise BuildError(
            f"README.md has {found} regions from '<!-- {name}:begin -->' to '<!-- {name}:end -->', each on a line of "
            "its own; it must have one."
        )
    return text


def texts(course: Course, lessons: list[Built]) -> dict[Path, str]:
    """Every generated file that is not a notebook, with its whole text."""
    note = (
        "# Lessons\n\nThe first link of a row is the lesson as the learner works through it, with its exercises open. "
        "*Learning* is an estimate of the time for reading, trying and the exercises: a core that is one sitting, and "
        "further sections, each of which can be skipped, where a lesson has them. *Runs in* is measured: the complete "
        "lesson, run from top to bottom on two CPU cores.\n\n"
        "This page and the notebooks are made by `tools/build_notebooks.py` from the files in `src/`: "
        "change those, not these.\n\n"
    )
    made = {
        course.notebooks / "README.md": f"{note}{table(course, lessons, '')}\n",
        course.root / "data" / "lessons.json": listing([lesson.entry for lesson in lessons]),
    }
    readme = course.root / "README.md"
    if readme.exists():
        text = fill_region(read_text(readme), "lessons", table(course, lessons, "notebooks/"))
        badges = " ".join(course.badge(lesson.name) for lesson in lessons[:1])
        made[readme] = fill_region(text, "badges", badges)
    return made


def listing(entries: list[dict]) -> str:
    """The text of data/lessons.json."""
    return sealed({"lessons": entries})
