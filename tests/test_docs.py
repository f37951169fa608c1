"""What the documents and the lessons say exists, exists: links, files, names, commands."""

import importlib
import re
import subprocess
import tomllib
from pathlib import Path

import jupytext
import pytest
from helpers import ROOT

NOTEBOOKS = ROOT / "notebooks"
# Put together here, so that this file does not contain what it looks for.
PACKAGE_INDEXES = ["pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "anaconda" + ".org", "debian" + ".org"]
OF_ONE_MACHINE = re.compile(
    r"(?<![\w.~$}*])([/]root/|[/]home/\w+/|[/]Users/\w+/|[/]work/(main|shared)\b|[A-Z]:\\\\?Users)"
)


def project_files() -> list[Path]:
    """The project's own files: what git has or would take, or all where this is no git checkout."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, text=True
    )
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not {".venv", "artifacts", "work", ".git"} & set(path.parts)]
    return sorted(path for path in paths if path.is_file())


FILES = project_files()
DOCUMENTS = [path for path in FILES if path.suffix == ".md"]
LESSONS = sorted((NOTEBOOKS / "src").glob("*.py"))
TEXTS = [
    path
    for path in FILES
    if path.suffix in {".md", ".py", ".toml", ".yml", ".json", ".ipynb", ".txt", ".js", ".css", ""}
]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def markdown(path: Path) -> str:
    """The prose of a document, or of a lesson's source."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = jupytext.read(path, fmt="py:percent").cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def without_code(text: str) -> str:
    return re.sub(r"(?s)```.*?```|``[^`]+``|`[^`\n]+`", "", text)


def links(text: str) -> list[str]:
    """Where the links and pictures of a text lead."""
    text = without_code(text)
    found = re.findall(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)", text)
    found += re.findall(r"""(?:src|href)=["']([^"']+)["']""", text)
    return found + re.findall(r"(?m)^\[[^\]]+\]:\s+(\S+)", text)


def anchors(text: str) -> set[str]:
    """The anchors of a text's headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#{1,6}\s+(.+?)\s*$", re.sub(r"(?s)```.*?```", "", text))
    plain = (re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)) for heading in headings)
    return {heading.strip().lower().replace(" ", "-") for heading in plain}


def broken_links(path: Path, folder: Path) -> list[str]:
    """The links of a document that lead nowhere when it stands in this folder."""
    text, broken = markdown(path), []
    for link in links(text):
        file, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link) or "{{" in link:
            continue  # the web is not looked at here; placeholders are filled in by the builder
        target = folder / file
        if file and not target.exists():
            broken.append(link)
        elif anchor and (not file or target.suffix == ".md"):
            other = text if not file else target.read_text(encoding="utf-8")
            if anchor not in anchors(other) and f'id="{anchor}"' not in other:
                broken.append(link)
    return broken


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links_of_documents_lead_somewhere(path):
    assert broken_links(path, path.parent) == []


@pytest.mark.parametrize("folder", [NOTEBOOKS, NOTEBOOKS / "solutions"], ids=name)
@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_links_of_lessons_lead_somewhere_from_both_folders(path, folder):
    assert broken_links(path, folder) == []


def swallowed_bullets(text: str) -> list[str]:
    """Where a list was reflowed into a paragraph: a bullet after the end of a sentence in place of a new line."""
    return re.findall(r"(?m)[.!?:;] [*-](?: .{0,30}|$)", without_code(text))


def test_a_list_reflowed_into_a_paragraph_is_found():
    assert swallowed_bullets("* One.\n* Two: *three* - four.\n  - Five.") == []
    assert swallowed_bullets("* One. * Two.") == [". * Two."]
    assert swallowed_bullets("- One! - Two. -\nThree.") == ["! - Two. -"]
    assert swallowed_bullets("* One. *\nTwo.") == [". *"]


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_each_bullet_of_a_lesson_begins_a_line(path):
    assert swallowed_bullets(markdown(path)) == []


def test_broken_links_are_seen(tmp_path):
    page = tmp_path / "page.md"
    (tmp_path / "there.md").write_text("# One thing: `two`\n")
    page.write_text(
        "# Here\n[a](there.md) [b](gone.md) [c](there.md#one-thing-two) [d](there.md#three) [e](#here) [f](#there)\n"
        '`[g](not/a/link.md)` <img src="gone.png"> [h](https://example.org/x) ![i](<gone too.png>)\n[j]: gone.txt\n'
    )
    assert set(broken_links(page, tmp_path)) == {"gone.md", "there.md#three", "#there", "gone.png", "gone", "gone.txt"}


def resolve(dotted: str) -> None:
    """Import what a dotted name starts with and look up the rest; AttributeError if it is not there."""
    parts = dotted.split(".")
    thing = importlib.import_module(parts[0])
    for position, part in enumerate(parts[1:], 2):
        if not hasattr(thing, part):
            try:
                importlib.import_module(".".join(parts[:position]))
            except ModuleNotFoundError:
                raise AttributeError(f"there is no {'.'.join(parts[:position])}") from None
        thing = getattr(thing, part)


@pytest.mark.parametrize("path", [*DOCUMENTS, *LESSONS], ids=name)
def test_names_of_the_package_exist(path):
    missing = []
    for dotted in sorted(set(re.findall(r"\bcourse_utils(?:\.[A-Za-z_]\w*)+(?!\w*/)", markdown(path)))):
        if not dotted.endswith(".py"):
            try:
                resolve(dotted)
            except AttributeError as error:
                missing.append(str(error))
    assert missing == []


def test_missing_names_are_seen():
    resolve("course_utils.command.lessons.Lesson.file_name")
    with pytest.raises(AttributeError, match=r"there is no course_utils\.command\.lessons\.Nobody"):
        resolve("course_utils.command.lessons.Nobody")
    with pytest.raises(AttributeError, match=r"there is no course_utils\.nowhere"):
        resolve("course_utils.nowhere.at_all")


@pytest.mark.parametrize("path", [*DOCUMENTS, *LESSONS], ids=name)
def test_files_that_are_named_exist(path):
    """In backquotes, from the course's folder; NN and words in capitals stand for something."""
    pattern = r"`((?:course_utils|tools|tests|data|docs|notebooks|benchmarks)/[\w./-]+)`"
    named = {file for file in re.findall(pattern, markdown(path)) if not re.search(r"NN|[A-Z]{4,}(?!\w*\.md)", file)}
    assert [file for file in sorted(named) if not (ROOT / file).exists()] == []


@pytest.mark.parametrize("path", [*DOCUMENTS, *LESSONS], ids=name)
def test_commands_exist(path, capsys):
    cli = importlib.import_module("course_utils.command.cli")
    pattern = r"(?m)(?:`|uv run |&& |^\$ |^ {4,})course ([a-z]+)\b(?=[` \n])"
    for command in sorted(set(re.findall(pattern, markdown(path)))):
        with pytest.raises(SystemExit) as stop:
            cli.main([command, "--help"])
        assert stop.value.code == 0, f"'course {command}' is no command"


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_no_text_names_a_package_index_or_a_place_on_one_machine(path):
    text = path.read_text(encoding="utf-8", errors="replace")
    assert [host for host in PACKAGE_INDEXES if host in text] == []
    assert [match[0] for match in OF_ONE_MACHINE.finditer(text)] == []


def test_conda_and_pyproject_agree():
    """environment.yml has Python, pip and this project, and no list of packages of its own."""
    lines = (ROOT / "environment.yml").read_text().splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [line.strip() for line in lines[lines.index("dependencies:") + 1 :]]
    assert needed == [f"- python{project['requires-python']}", "- pip", "- pip:", "- -e ."]
