"""Lesson plans for lecturers: docs/plans/NN_name.md, half of it generated from the lesson, half written by hand.

uv run tools/lesson_plans.py           write the generated parts anew
uv run tools/lesson_plans.py --check   exit 1 and name every plan that is not as it would be written

Generated are the table of the core's parts, with their minutes and exercises, and the quiz with its answers. What
stands between these two is a lecturer's, and stays. A lesson without a plan gets a skeleton, in which the headings
wait for their text.
"""

import argparse
import json
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import glossary
from learning_minutes import estimate
from notebook_sources import SourceCell, heading_and_question, named_cells

from course_utils.command.lessons import MINUTES

ROOT = Path(__file__).resolve().parents[1]
PARTS = "<!-- parts:begin (written by tools/lesson_plans.py) -->", "<!-- parts:end -->"
QUIZ = "<!-- quiz:begin (written by tools/lesson_plans.py) -->", "<!-- quiz:end -->"
HEADINGS = ("What to say", "Where students stop", "Three questions to discuss", "A lab of 50 minutes")
WAITING = "(to be written)"


@dataclass
class Section:
    """A part of a lesson's core, from one heading of the second level to the next."""

    title: str
    minutes: int
    exercises: list[str]  # as their headings say, with the minutes that the text gives them


def core(cells: list[SourceCell]) -> list[Section]:
    """The sections of a lesson's core, with the minutes by which each makes the estimate longer."""
    cells = [part for cell in cells for part in at_headings(cell)]
    further = (k for k, cell in enumerate(cells) if cell.kind == "markdown" and cell.source.startswith("## Further"))
    end = next(further, len(cells))
    starts = [0] + [k for k, cell in enumerate(cells[:end]) if k and re.match(r"## ", cell.source)]
    found, before = [], 0
    for start, stop in zip(starts, [*starts[1:], end], strict=True):
        part, after = cells[start:stop], estimate(cells[:stop]).core.minutes
        title = re.search(r"(?m)^## (.+)$", part[0].source)
        title = "Opening" if title is None else glossary.shown(title[1])
        found.append(Section(title, after - before, [one for cell in part for one in exercises(cell)]))
        before = after
    return found


def at_headings(cell: SourceCell) -> list[SourceCell]:
    """A markdown cell in pieces, each of which begins with a heading of the second level; others are whole."""
    if cell.kind != "markdown":
        return [cell]
    return [replace(cell, source=piece) for piece in re.split(r"(?m)^(?=## )", cell.source) if piece]


def exercises(cell: SourceCell) -> list[str]:
    """The exercises whose text a cell is, as "2: a training loop (10 min)"."""
    if cell.kind != "markdown":
        return []
    titles = re.findall(r"(?m)^#+ Exercise\b:?\s*([^\n]+)$", cell.source)
    minutes = zip(titles, MINUTES.findall(cell.source), strict=True)
    return [f"{glossary.shown(title)} ({n} min)" for title, n in minutes]


def quiz(notebook: Path) -> str:
    """The quiz of a built lesson, with its answers unfolded and without links."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    text = (re.findall(r"(?ms)^## (?:Quiz|Three questions)\n(.*?)(?=^## )", text) or [""])[0]
    text = re.sub(r"<details><summary>([^<]*)</summary>\s*", r"*\1.* ", text).replace("</details>", "")
    text = re.sub(r"\[([^\]]*)\]\([^)\s]*\)", r"\1", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip() or "This lesson has no quiz."


def plan(source: Path, written: str) -> str:
    """A plan with its generated parts anew.

    Args:
        source: The lesson's source.
        written: The plan as it is; empty where there is none.

    Raises:
        ValueError: The plan has lost the marks of a generated part.
    """
    cells = named_cells(source)
    title, number = heading_and_question(source, cells[0])[0], source.name[:2]
    sections = core(cells)
    rows = [f"| {one.title} | {one.minutes or 'under 1'} | {'; '.join(one.exercises)} |" for one in sections]
    minutes = sum(one.minutes for one in sections)
    table = "\n".join(["| part of the core | minutes | exercises |", "|---|---:|---|", *rows, f"| all | {minutes} | |"])
    if not written:
        waiting = "\n".join(f"## {heading}\n\n{WAITING}\n" for heading in HEADINGS)
        written = f"{PARTS[0]}\n{PARTS[1]}\n\n{waiting}\n## The quiz, with its answers\n\n{QUIZ[0]}\n{QUIZ[1]}\n"
    top = f"# Plan of lesson {number}: {title}\n\n"
    written = top + re.sub(r"\A# [^\n]*\n+", "", written)
    built = source.parents[1] / "solutions" / f"{source.stem}.ipynb"
    for (begin, end), text in ((PARTS, table), (QUIZ, quiz(built))):
        if written.count(begin) != 1 or written.count(end) != 1:
            raise ValueError(f"docs/plans/{source.stem}.md has not both lines {begin!r} and {end!r}: put them back.")
        before, rest = written.split(begin)
        written = f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}"
    return written


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; say what would change")
    options = parser.parse_args(arguments)
    stale = []
    for source in sorted((root / "notebooks" / "src").glob("[0-9][0-9]_*.py")):
        path = root / "docs" / "plans" / f"{source.stem}.md"
        was = path.read_text(encoding="utf-8") if path.is_file() else ""
        text = plan(source, was)
        if text != was:
            stale.append(path.relative_to(root).as_posix())
            if not options.check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    print(
        "\n".join(f"{name}: {'stale' if options.check else 'written'}" for name in stale) or "All plans are up to date."
    )
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
