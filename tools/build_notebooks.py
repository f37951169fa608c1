"""Builds the lessons: notebooks/src/NN_name.py -> notebooks/NN_name.ipynb and notebooks/solutions/NN_name.ipynb.

    uv run tools/build_notebooks.py                  build everything (stored outputs stay where no code changed)
    uv run tools/build_notebooks.py --check          exit 1 and name every file that is not as it would be built
    uv run tools/build_notebooks.py --execute 01 02  run the complete lessons, store outputs and measured times
    uv run tools/build_notebooks.py --address URL    give the course its public address, everywhere

A source is a Python file in jupytext's percent format in which every cell has a name, which becomes its id:
``# %% kl-check`` or ``# %% [markdown] what-to-see``. Its first cell holds the heading, ``# 02. Autoencoders``, and the
lesson's question: the heading itself, or the first sentence that ends in a question mark. In the learner's notebook
whatever stands between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` becomes an open exercise, and cells tagged
``solution-only`` are left out. The complete notebook keeps the marks, so nbgrader can make an assignment of it. Test
cells, ``# %% [test] what-they-guard``, are in neither notebook: --execute and the tests run them in their places.
In markdown ``{{header}}``, ``{{learning}}``, ``{{minutes}}`` and ``{{address}}`` are filled in, and
``{{claim name.number setting=value}}`` is that number of data/claims with its range. A code cell that holds only
``{{setup}}`` becomes the set-up cell (tools/setup_cell.py), which is folded, as cells tagged ``folded`` are.
Also in markdown, ``[[term]]`` or ``[[words|term]]`` becomes a link to the glossary (tools/glossary.py).
"""

import argparse
import json
import os
import re
import sys
from pathlib import Path

import learning_minutes
import nbformat
from glossary import PACKAGE
from learning_minutes import MAX_CORE_MINUTES
from notebook_execution import TestCellError, digest, execute, measured_speed, stray_outputs
from notebook_sources import (
    BuildError,
    Built,
    Course,
    as_text,
    build_all,
    code_cells,
    listing,
    notebook,
    read_course,
    read_measured,
    read_text,
    texts,
)

from course_utils.command.machine import let_threads_sleep
from course_utils.stored import sealed

END_SILENTLY = "end that cell with plt.show(), or give its value a name"
MAX_BYTES, MAX_SECONDS = 500_000, 60
USUAL_SPEED = 16_000  # images a second by `course doctor`; a slower machine may take longer in proportion


def write(path: Path, text: str) -> bool:
    """Write a file in one step, if it is not already so; True where something changed."""
    if path.exists() and path.read_bytes() == text.encode():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(text.encode())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def read_notebook(path: Path) -> nbformat.NotebookNode | None:
    """A stored notebook, or None where there is none that can be read."""
    try:
        return nbformat.reads(read_text(path), as_version=4)
    except (ValueError, KeyError, AttributeError, nbformat.reader.NotJSONError):
        return None


def with_stored_outputs(lesson: Built, stored: nbformat.NotebookNode | None) -> tuple[nbformat.NotebookNode, str]:
    """The solution with the outputs it had, provided no code changed; and what became of them, in words."""
    fresh = notebook(json.loads(json.dumps(lesson.solution["cells"])))
    old = {cell.get("id"): cell for cell in code_cells(stored)} if stored else {}
    if not any(cell.get("outputs") or cell.get("execution_count") for cell in old.values()):
        return fresh, "not executed"

    def code(made):
        return [(c.get("id"), c["source"]) for c in code_cells(made) if c.get("id") not in lesson.setup_ids]

    if code(stored) != code(fresh):
        return fresh, "code changed: outputs dropped, run --execute"
    for cell in code_cells(fresh):
        was = old.get(cell["id"], {})
        cell |= {"outputs": was.get("outputs", []), "execution_count": was.get("execution_count")}
    return notebook(fresh["cells"]), "outputs kept"


def without_outputs(made: nbformat.NotebookNode) -> nbformat.NotebookNode:
    copy = nbformat.from_dict(json.loads(json.dumps(made)))
    for cell in code_cells(copy):
        cell |= {"outputs": [], "execution_count": None}
    return copy


def build_command(course: Course) -> int:
    lessons = build_all(course, read_measured(course))
    for lesson in lessons:
        path = course.notebooks / "solutions" / f"{lesson.name}.ipynb"
        solution, outputs = with_stored_outputs(lesson, read_notebook(path))
        changed = write(course.notebooks / f"{lesson.name}.ipynb", as_text(lesson.learner))
        changed_too = write(path, as_text(solution))
        words = "unchanged" if not (changed or changed_too) else "written"
        entry = lesson.entry
        learning = f"{entry['core_minutes']} + {entry['further_minutes']} minutes of learning"
        print(f"{lesson.name}: {words} ({len(lesson.solution.cells)} cells; {learning}; {outputs})", flush=True)
    for path, text in texts(course, lessons).items():
        print(f"{path.relative_to(course.root)}: {'written' if write(path, text) else 'unchanged'}", flush=True)
    for path in stray_notebooks(course, lessons):
        print(f"{path.relative_to(course.root)}: has no source; delete it", flush=True)
    for line in source_complaints(course, lessons):
        print(line, flush=True)
    return 0


def source_complaints(course: Course, lessons: list[Built]) -> list[str]:
    """What is wrong in sources that can be built all the same."""
    found = []
    for lesson in lessons:
        source, minutes = f"notebooks/src/{lesson.name}.py", lesson.entry["core_minutes"]
        if lesson.asserts:
            names = ", ".join(lesson.asserts)
            found.append(f"{source}: an assert stands in {names}; move it into a test cell, '# %% [test] name'")
        if lesson.entry["number"] in learning_minutes.LIMITED and minutes > MAX_CORE_MINUTES:
            found.append(
                f"{source}: its core takes about {minutes} minutes, over {MAX_CORE_MINUTES}; shorten it, or move "
                "sections behind the summary, under headings '## Further: title'"
            )
        found += [f"{source}: {complaint}" for complaint in term_complaints(course, lesson)]
    return found


def term_complaints(course: Course, lesson: Built) -> list[str]:
    """Where a lesson and the glossary do not agree on which terms first appear in it."""
    number, entries = lesson.entry["number"], course.glossary
    found = []
    for term, cell in lesson.terms.items():
        first = entries[term].first
        if first == PACKAGE or first > number:
            where = "no lesson" if first == PACKAGE else f"lesson {first} first"
            found.append(f"marks {term!r} in {cell}; docs/GLOSSARY.md has it in {where}: correct it there")
    here = [term for term, entry in entries.items() if entry.first == number and term not in lesson.terms]
    if here and number in learning_minutes.LINKED:
        words = ", ".join(here)
        found.append(f"does not mark the first appearance of {words}; write [[term]], or correct docs/GLOSSARY.md")
    return found


def stray_notebooks(course: Course, lessons: list[Built]) -> list[Path]:
    names = {f"{lesson.name}.ipynb" for lesson in lessons}
    found = [*course.notebooks.glob("*.ipynb"), *(course.notebooks / "solutions").glob("*.ipynb")]
    return sorted(path for path in found if path.name not in names)


def complaints(course: Course) -> list[str]:
    """Every generated file that is not as it would be built, with the reason."""
    lessons = build_all(course, read_measured(course))
    found, inputs = source_complaints(course, lessons), read_inputs(course)

    def complain(path: Path, reason: str):
        found.append(f"{path.relative_to(course.root).as_posix()}: {reason}")

    for lesson in lessons:
        learner = course.notebooks / f"{lesson.name}.ipynb"
        solution = course.notebooks / "solutions" / f"{lesson.name}.ipynb"
        if read_text(learner) != as_text(lesson.learner):
            complain(learner, "stale" if learner.exists() else "missing")
        stored = read_notebook(solution)
        if stored is None:
            complain(solution, "unreadable" if solution.exists() else "missing")
            continue
        if as_text(without_outputs(stored)) != as_text(lesson.solution) or as_text(stored) != read_text(solution):
            complain(solution, "stale")
        code = [cell for cell in code_cells(stored) if cell["source"].strip()]
        if any(cell.get("execution_count") is None for cell in code):
            complain(solution, f"not executed; run --execute {lesson.entry['number']}")
        elif code and lesson.entry["number"] not in inputs:
            complain(solution, f"not recorded which data it reads; run --execute {lesson.entry['number']}")
        if any(output["output_type"] == "error" for cell in code for output in cell["outputs"]):
            complain(solution, "an output is an error")
        for cell, output in stray_outputs(stored):
            complain(solution, f"cell {cell} shows {output}; {END_SILENTLY}")
        limit = MAX_SECONDS * max(1, USUAL_SPEED / (lesson.entry["images_per_second"] or USUAL_SPEED))
        if (lesson.entry["seconds"] or 0) > limit:
            complain(solution, f"took {lesson.entry['seconds']} s when it was measured, over {limit:.0f}")
        for path in (learner, solution):
            if path.exists() and path.stat().st_size > MAX_BYTES:
                complain(path, f"{path.stat().st_size:,} bytes, over {MAX_BYTES:,}")
    readers = {}
    for number, files in inputs.items():
        for name, known in files.items():
            readers.setdefault((name, known), []).append(number)
    for (name, known), numbers in readers.items():
        if digest(course.root / "data" / name) != known:
            words = " ".join(numbers)
            complain(course.root / "data" / name, f"changed since lesson {words} was executed; run --execute {words}")
    for path in stray_notebooks(course, lessons):
        complain(path, "has no source")
    for path, text in texts(course, lessons).items():
        if read_text(path) != text:
            complain(path, "stale" if path.exists() else "missing")
    return found


def read_inputs(course: Course) -> dict[str, dict[str, str]]:
    """The files under data/ that each lesson read when it was executed, and how they begin as SHA-256."""
    return json.loads(read_text(course.root / "data" / "lesson_inputs.json") or '{"lessons": {}}')["lessons"]


def check_command(course: Course) -> int:
    found = complaints(course)
    for line in found:
        print(line)
    if found:
        print("Run tools/build_notebooks.py (and --execute where it says so), and commit what it writes.")
    else:
        print("All notebooks are as their sources build them.")
    return 1 if found else 0


def address_command(course: Course, address: str) -> int:
    """Write the new address into pyproject.toml and into the documents, then rebuild."""
    address = address.removesuffix("/").removesuffix(".git")
    new = Course(course.root, address, course.branch)  # says so if it is not an address
    build_all(new, {})  # and so do sources that cannot be built, before anything is written
    pyproject = course.root / "pyproject.toml"
    head, mark, section = read_text(pyproject).partition("[tool.course]")
    section = re.sub(r'(?m)^(address\s*=\s*)"[^"\n]*"', lambda match: f'{match[1]}"{address}"', section, count=1)
    write(pyproject, head + mark + section)
    for path in [course.root / "README.md", *sorted((course.root / "docs").glob("**/*.md"))]:
        if path.exists():
            pattern = rf"{re.escape(course.address)}(?![\w-])"
            write(path, re.sub(pattern, lambda match: address, read_text(path)))
    print(f"The address is now {address} (it was {course.address}).")
    return build_command(new)


def execute_command(course: Course, numbers: list[str], timing_only: bool) -> int:
    from nbclient.exceptions import CellExecutionError

    measured, inputs = read_measured(course), read_inputs(course)
    lessons = build_all(course, measured)
    known = {lesson.entry["number"] for lesson in lessons}
    if unknown := sorted(set(numbers) - known):
        raise BuildError(f"There is no lesson {', '.join(unknown)}; there are {', '.join(sorted(known))}.")
    failed = False
    speed, gpu = measured_speed()
    folder = course.notebooks / "solutions"
    folder.mkdir(parents=True, exist_ok=True)
    for lesson in lessons:
        number = lesson.entry["number"]
        if numbers and number not in numbers:
            continue
        print(f"{lesson.name}: running ...", end=" ", flush=True)
        try:
            made, seconds, files = execute(lesson, folder)
        except (CellExecutionError, TestCellError) as error:
            print(f"failed, nothing stored\n{error}", flush=True)
            failed = True
            continue
        if stray := stray_outputs(made):
            print("nothing stored", flush=True)
            for cell, output in stray:
                print(f"  cell {cell!r} shows {output}; {END_SILENTLY}", flush=True)
            failed = True
            continue
        print(f"{seconds:.1f} s", flush=True)
        for cell in code_cells(made):
            if any(output.get("name") == "stderr" for output in cell["outputs"]):
                print(f"  cell {cell['id']!r} wrote to stderr", flush=True)
        now = {"gpu_seconds": round(seconds, 1)} if gpu else {"seconds": round(seconds, 1)}
        if speed is not None:
            now["images_per_second"] = round(speed, -1)
        measured[number] = measured.get(number, {}) | now
        if not timing_only:
            write(folder / f"{lesson.name}.ipynb", as_text(notebook(made["cells"])))
            inputs[number] = files
    # The times stand in the list and in the headers, so both are built again.
    entries = [lesson.entry | measured.get(lesson.entry["number"], {}) for lesson in lessons]
    write(course.root / "data" / "lessons.json", listing(entries))
    kept = {number: inputs[number] for number in sorted(inputs) if number in known}
    write(course.root / "data" / "lesson_inputs.json", sealed({"lessons": kept}))
    build_command(course)
    return 1 if failed else 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1], help="the course's folder")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="write nothing; exit 1 if anything is stale")
    action.add_argument("--execute", nargs="*", metavar="NN", help="run the complete lessons: all, or those named")
    action.add_argument("--address", metavar="URL", help="set the course's public address everywhere")
    parser.add_argument("--timing-only", action="store_true", help="with --execute: keep the times, not the outputs")
    options = parser.parse_args(arguments)
    let_threads_sleep(os.environ)  # as `course lab` does, so that the measured times are a learner's
    try:
        course = read_course(options.root.resolve())
        if options.check:
            return check_command(course)
        if options.execute is not None:
            return execute_command(course, options.execute, options.timing_only)
        if options.address:
            return address_command(course, options.address)
        return build_command(course)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
