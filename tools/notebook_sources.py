"""How one lesson's source becomes two notebooks, and what is generated from all of them. Nothing here writes a file."""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat

from course_utils import stored

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

    def badge(self, lesson: str) -> str:
        """Markdown of the Colab badge. Without a public address on GitHub there is nothing it could lead to."""
        if PLACEHOLDER in self.address:
            return f"![Open in Colab: once the course has a public address]({BADGE})"
        if not self.address.startswith("https://github.com/"):
            return f"[Source]({self.address})"  # Colab opens notebooks from GitHub only
        repository = self.address.removeprefix("https://github.com/")
        link = f"https://colab.research.google.com/github/{repository}/blob/{self.branch}/notebooks/{lesson}.ipynb"
        return f"[![Open in Colab]({BADGE})]({link})"

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


def named_cells(path: Path) -> list[tuple[str, nbformat.NotebookNode]]:
    """The cells of a source with their names, which are checked."""
    cells, seen = [], set()
    for number, cell in enumerate(jupytext.read(path, fmt="py:percent").cells, 1):
        name = cell.metadata.pop("title", "")
        start = (cell.source.strip().splitlines() or ["(empty)"])[0]
        if not name:
            raise BuildError(
                f"{path.name}: cell {number} has no name (it starts {start!r}); write '# %% name' or "
                "'# %% [markdown] name' above it."
            )
        if len(name) > 64 or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
            raise BuildError(f"{path.name}: the cell name {name!r} is not of the form lower-case-with-hyphens.")
        if name in seen:
            raise BuildError(f"{path.name}: two cells are named {name!r}; cell {number} needs another name.")
        seen.add(name)
        cell.metadata.pop("lines_to_next_cell", None)
        cells.append((name, cell))
    return cells


def heading_and_question(path: Path, first: nbformat.NotebookNode) -> tuple[str, str]:
    headings = [line[2:].strip() for line in first.source.splitlines() if line.startswith("# ")]
    title = re.sub(r"^(Lesson\s+)?\d+\s*[.:·-]*\s*", "", headings[0]) if headings else ""
    prose = re.sub(r"(?m)^(#.*|\{\{header\}\})$", "", first.source)
    sentences = [
        s.strip("*_ ") for p in prose.split("\n\n") for s in re.split(r"(?<=[.!?])[*_]*\s+", p.replace("\n", " "))
    ]
    question = title if title.endswith("?") else next((s for s in sentences if s.endswith("?")), "")
    if first.cell_type != "markdown" or not title or not question:
        raise BuildError(
            f"{path.name}: the first cell must be markdown with a heading ('# 02. Title') that is a question, or with "
            "the lesson's question as a sentence below it."
        )
    return title, question


def minutes(entry: dict) -> str:
    """The measured time of a lesson, in words."""
    if entry["seconds"] is None:
        return "not measured yet"
    words = f"{entry['seconds'] / 60:.1f} minutes on two CPU cores"
    return words if entry["gpu_seconds"] is None else f"{words}, {entry['gpu_seconds'] / 60:.1f} on a GPU"


def build(course: Course, path: Path, measured: dict) -> Built:
    """Build one lesson from its source; nothing is written."""
    match = re.fullmatch(r"(\d\d)_([a-z0-9_]+)", path.stem)
    if not match:
        raise BuildError(f"{path.name}: a source is called NN_name.py, with a name of small letters and underscores.")
    cells = named_cells(path)
    if not cells:
        raise BuildError(f"{path.name}: the source has no cells.")
    title, question = heading_and_question(path, cells[0][1])
    entry = {"number": match[1], "slug": match[2], "title": title, "question": question, **MEASURED, **measured}
    fill = {"{{header}}": course.badge(path.stem), "{{minutes}}": minutes(entry), "{{address}}": course.address}
    learner, solution, setup_ids = [], [], set()
    for name, cell in cells:
        where, source = f"{path.name}, cell {name!r}", cell.source
        metadata = json.loads(json.dumps(cell.metadata))
        made = {"cell_type": cell.cell_type, "id": name, "metadata": metadata, "source": source}
        if cell.cell_type == "code":
            if source.strip() == "{{setup}}":
                setup_ids.add(name)
                made["source"] = source = course.setup_cell()
            made |= {"execution_count": None, "outputs": []}
            opened = made | {"source": open_exercise(source, where)}
        else:
            for placeholder, text in fill.items():
                made["source"] = made["source"].replace(placeholder, text)
            opened = made
        solution.append(made)
        if "solution-only" not in metadata.get("tags", []):
            learner.append(opened)
    return Built(path.stem, entry, notebook(learner), notebook(solution), frozenset(setup_ids))


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
    rows = ["| | Lesson | Question it answers | Minutes | Complete | Colab |", "|---|---|---|---|---|---|"]
    for lesson in lessons:
        entry, name = lesson.entry, lesson.name
        title = entry["title"] if entry["title"] != entry["question"] else spoken(entry["slug"])
        time_ = "not measured" if entry["seconds"] is None else f"{entry['seconds'] / 60:.1f}"
        rows.append(
            f"| {entry['number']} | [{title}]({folder}{name}.ipynb) | {entry['question']} | {time_} "
            f"| [with solutions]({folder}solutions/{name}.ipynb) | {course.badge(name)} |"
        )
    return "\n".join(rows)


def fill_region(text: str, name: str, content: str) -> str:
    """The text with what stands between the marks of a region replaced; unchanged where it has no such region."""
    pattern = rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)"
    return re.sub(pattern, lambda match: f"{match[1]}{content}\n{match[2]}", text, flags=re.DOTALL)


def texts(course: Course, lessons: list[Built]) -> dict[Path, str]:
    """Every generated file that is not a notebook, with its whole text."""
    note = (
        "# Lessons\n\nThe first link of a row is the lesson as the learner works through it, with its exercises open. "
        "The minutes are those of the complete lesson, run from top to bottom on two CPU cores.\n\n"
        "This page and the notebooks are made by `tools/build_notebooks.py` from the files in `src/`: "
        "change those, not these.\n\n"
    )
    made = {
        course.notebooks / "README.md": f"{note}{table(course, lessons, '')}\n",
        course.root / "data" / "lessons.json": stored.sealed({"lessons": [lesson.entry for lesson in lessons]}),
    }
    readme = course.root / "README.md"
    if readme.exists():
        text = fill_region(read_text(readme), "lessons", table(course, lessons, "notebooks/"))
        badges = " ".join(course.badge(lesson.name) for lesson in lessons[:1])
        made[readme] = fill_region(text, "badges", badges)
    return made
