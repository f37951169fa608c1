"""The learner's own copies of the lessons, kept apart from the course's files.

The notebooks under `notebooks/` are generated and stay as they are; `course lab` opens copies of them in a workspace,
and this module makes and refreshes those copies. One promise governs it: nothing a learner wrote is ever lost. A lesson
is replaced only where the learner changed nothing in it, or asked for a fresh one; and then whatever the replaced
file held beyond the course's own bytes (outputs, for example) stays beside it under a dated name.
"""

import contextlib
import json
import os
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from course_utils import files

STATE_FILE = ".course.json"
GLOSSARY = "docs/GLOSSARY.md"  # where the lessons' links find it: they lead one folder up, and JupyterLab stays inside


@dataclass(frozen=True)
class Report:
    """What `prepare` found and did; names are relative to the workspace, with forward slashes.

    Attributes:
        target: The workspace's folder.
        copied: Lessons that were missing and are there now, and the glossary.
        refreshed: Lessons the learner had not changed, brought up to the course's present state.
        outdated: Lessons the learner changed, left alone, of which the course now has a newer one.
        set_aside: Lesson -> the name under which the learner's copy was kept when a new one took its place.
    """

    target: Path
    copied: list[str] = field(default_factory=list)
    refreshed: list[str] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)
    set_aside: dict[str, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Say it in sentences, one a line, for the terminal."""
        said = []
        if notebooks := [name for name in self.copied if name != GLOSSARY]:
            said.append(f"{_count(notebooks)} copied to {self.target}.")
        if self.refreshed:
            said.append(f"Brought up to date: {', '.join(self.refreshed)}.")
        said += [f"Your copy of {name} is kept as '{kept}'." for name, kept in self.set_aside.items()]
        for name in self.outdated:
            fresh = name if "/" in name else name.split("_")[0]
            said.append(
                f"{name}: the course has a newer one; yours, which you changed, was left alone. "
                f"`course lab --fresh {fresh}` gives you the new one and keeps yours beside it."
            )
        return said


def default_target(*, hub: bool = False) -> Path:
    """Where the workspace lies.

    The environment variable COURSE_WORK names it; without it, it is `work/` in a checkout, and `latent-spaces/` in the
    current folder where the package was installed from a wheel; or the current folder, if that is a workspace. For a
    learner on a JupyterHub it is `latent-spaces/` in the home folder, for the checkout is everybody's.

    Args:
        hub: It is for a learner on a JupyterHub.
    """
    if os.environ.get("COURSE_WORK"):
        return Path(os.environ["COURSE_WORK"]).expanduser().resolve()
    if hub:
        return Path.home() / "latent-spaces"
    root = files.notebooks_dir().resolve().parent
    if (root / "pyproject.toml").is_file():
        return root / "work"
    return Path.cwd() if (Path.cwd() / STATE_FILE).is_file() else Path.cwd() / "latent-spaces"


def prepare(target: Path | str, *, source: Path | None = None, fresh: tuple[str, ...] = ()) -> Report:
    """Bring the workspace up to date without losing anything in it.

    Of each lesson, learner's and solution alike, and of the glossary, to which they link: a missing one is copied; one
    that the learner did not change is replaced when the course has a newer one; a changed one is left alone and, if the
    course has a newer one, named in the report. "Changed" means the cells' text. Outputs alone, as JupyterLab's
    autosave leaves them, are no change, but when a newer lesson takes their place, the copy that has them is kept
    beside it all the same.

    Args:
        target: The workspace's folder; made if it is not there.
        source: Where the course's notebooks lie; `files.notebooks_dir()` by default.
        fresh: Lessons to start afresh, each by number ("02"), name ("02_autoencoders") or file
            ("solutions/02_autoencoders.ipynb"). The learner's copy is kept as "02_... (my copy 2026-01-31).ipynb".

    Returns:
        What was done.

    Raises:
        ValueError: No lesson has a name given in `fresh`, or there are no notebooks at `source`.
        OSError: The workspace cannot be written. Files not yet reached are as they were.
    """
    target = Path(target)
    source = files.notebooks_dir() if source is None else Path(source)
    lessons = {path.relative_to(source).as_posix(): path for path in _notebooks(source)}
    if not lessons:
        raise ValueError(
            f"there are no lessons in {source}: build them with tools/build_notebooks.py or install again."
        )
    if target.resolve() == source.resolve() or (target.exists() and not target.is_dir()):
        raise ValueError(f"{target} cannot hold your copies of the lessons: name an ordinary folder in COURSE_WORK.")
    glossary = (files.docs_dir() if source == files.notebooks_dir() else source.parent / "docs") / "GLOSSARY.md"
    lessons |= {GLOSSARY: glossary} if glossary.is_file() else {}
    wanted = {_named(lessons, name) for name in fresh}

    report, state = Report(target), _read_state(target)
    try:
        for name, path in lessons.items():
            _bring(name, path.read_bytes(), state, report, fresh=name in wanted)
    finally:  # also when the disk fills half-way: what was copied until then is known next time
        with contextlib.suppress(OSError):
            keep(target / STATE_FILE, (json.dumps({"lessons": state}, indent=1) + "\n").encode())
    return report


def keep(path: Path, data: bytes) -> None:
    """Write a file of the workspace.

    Raises:
        OSError: It cannot be written; the message also says how to choose another folder.
    """
    try:
        files.write_atomically(path, data)
    except OSError as error:
        other = "The environment variable COURSE_WORK can name another folder for your lessons."
        raise OSError(error.errno, f"{(error.strerror or str(error)).rstrip('.')}. {other}") from error


def _bring(name: str, new: bytes, state: dict[str, dict[str, str]], report: Report, *, fresh: bool) -> None:
    """Bring one lesson up to date, and note in `state` and `report` what was done."""
    file = report.target / name
    known = state.get(name, {})
    mine = file.read_bytes() if file.exists() else None
    if mine is None:
        keep(file, new)
        report.copied.append(name)
    elif files.sha256(mine) == known.get("file") != files.sha256(new):  # exactly as it was copied
        keep(file, new)
        report.refreshed.append(name)
    elif mine == new or (written(mine) == written(new) and not fresh):
        pass  # the course's text as it is now, perhaps with the learner's outputs
    elif fresh or (files.sha256(new) != known.get("file") and written(mine) == known.get("written")):
        report.set_aside[name] = _set_aside(file, mine)
        keep(file, new)
        report.refreshed.append(name)
    else:
        if files.sha256(new) != known.get("file"):
            report.outdated.append(name)
        return  # the learner's own work; what is on record stays what it was made from
    state[name] = {"file": files.sha256(new), "written": written(new)}


def written(notebook: bytes) -> str:
    """Hash what a person writes in a notebook: the cells' kinds, text and attachments, in order.

    Outputs, execution counts, ids and metadata are left out: a run and an autosave change them and nobody wrote them. A
    file that is not a notebook counts byte for byte.

    Returns:
        SHA-256 as 64 hexadecimal digits.

    Example:
        >>> plain = b'{"cells": [{"cell_type": "code", "source": "1 + 1", "outputs": []}]}'
        >>> run = b'{"cells": [{"cell_type": "code", "source": ["1 + 1"], "outputs": [{"text": "2"}]}]}'
        >>> written(plain) == written(run), written(plain) == written(plain.replace(b"1 + 1", b"1 + 2"))
        (True, False)
    """
    try:
        cells = [
            [cell["cell_type"], "".join(cell["source"]), cell.get("attachments") or {}]
            for cell in json.loads(notebook)["cells"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return files.sha256(notebook)
    return files.sha256(json.dumps(cells, sort_keys=True).encode())


def _notebooks(source: Path) -> list[Path]:
    """List the course's notebooks: the learner's, then the solutions."""
    return sorted(source.glob("*.ipynb")) + sorted((source / "solutions").glob("*.ipynb"))


def _named(lessons: dict[str, Path], name: str) -> str:
    """Find the one lesson that `name` means."""
    plain = name.removesuffix(".ipynb").replace("\\", "/")
    for lesson in lessons:  # the learner's lessons come first, so a bare number never means a solution
        stem = lesson.removesuffix(".ipynb")
        if plain == stem or ("/" not in stem and plain == stem.split("_")[0]):
            return lesson
    numbers = ", ".join(sorted(lesson.split("_")[0] for lesson in lessons if "/" not in lesson))
    raise ValueError(f"there is no lesson {name!r}: give one of {numbers}.")


def _set_aside(file: Path, content: bytes) -> str:
    """Keep `content` beside `file` under a dated name that is not taken; return the name."""
    label = f"my copy {date.today().isoformat()}"
    for number in range(1, 1000):
        kept = file.with_name(f"{file.stem} ({label}{'' if number == 1 else f' {number}'}){file.suffix}")
        if not kept.exists():
            keep(kept, content)
            return kept.name
    raise OSError(f"{file.parent} holds 999 copies of {file.name} from today: move some of them elsewhere.")


def _read_state(target: Path) -> dict[str, dict[str, str]]:
    """Read what was copied; a missing or damaged file is an empty record, so that every lesson counts as changed."""
    try:
        lessons = json.loads((target / STATE_FILE).read_bytes())["lessons"]
        return {str(name): {str(key): str(value) for key, value in entry.items()} for name, entry in lessons.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _count(names: list[str]) -> str:
    return "1 notebook" if len(names) == 1 else f"{len(names)} notebooks"
