"""Lesson plans: the generated half is that of today's lesson, and the written half keeps its form."""

import re

import lesson_plans
import pytest
from lesson_cells import ROOT
from lesson_plans import HEADINGS, PARTS, WAITING, core, exercises, main, plan, quiz
from notebook_sources import SourceCell, named_cells

SOURCES = sorted((ROOT / "notebooks" / "src").glob("[0-9][0-9]_*.py"))


def written(source) -> str:
    return (ROOT / "docs" / "plans" / f"{source.stem}.md").read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    return re.search(rf"(?ms)^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text)[1]


def test_all_plans_are_up_to_date(capsys):
    assert main(["--check"]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_plan_has_all_its_parts(source):
    text = written(source)
    assert WAITING not in text
    assert [one for one in re.findall(r"(?m)^## (.+)$", text) if one in HEADINGS] == list(HEADINGS)
    assert len(re.findall(r"(?m)^\d\. ", section(text, HEADINGS[2]))) == 3
    assert max(map(len, re.sub(r"(?s)<!-- (parts|quiz):begin.*?:end -->", "", text).splitlines())) <= 120 or "|" in text
    words = len(section(text, HEADINGS[0]).split())
    assert words > 80, f"what to say has {words} words"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_lab_has_50_minutes_and_names_cells_that_are_there(source):
    lab, cells = section(written(source), HEADINGS[3]), {cell.name for cell in named_cells(source)}
    rows = [line.strip("| ").split("|") for line in lab.splitlines() if re.match(r"\| *\d", line)]
    assert sum(int(row[0]) for row in rows) == 50
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row[-1])]
    assert len(named) >= 4
    assert not set(named) - cells


def test_sections_have_the_minutes_of_the_whole():
    for source in SOURCES:
        cells = named_cells(source)
        assert sum(one.minutes for one in core(cells)) == lesson_plans.estimate(cells).core.minutes


def test_headings_inside_a_cell_begin_a_section():
    cells = [
        SourceCell("title", "markdown", "# 01. Why?\n\n" + "word " * 360, {}),
        SourceCell("two", "markdown", "so it is.\n\n## 1. First\n\n" + "word " * 540, {}),
        SourceCell("task", "markdown", "### Exercise 1: do it\n\n*Easy, about 4 minutes.* Do it.", {}),
        SourceCell("more", "markdown", "## Further: more\n\n" + "word " * 900, {}),
    ]
    first, second = core(cells)
    assert (first.title, second.title, second.exercises) == ("Opening", "1. First", ["1: do it (4 min)"])
    assert first.minutes + second.minutes == lesson_plans.estimate(cells).core.minutes
    assert second.minutes > 4


def test_an_exercise_without_a_number_is_one_too():
    cell = SourceCell("a", "markdown", "### Exercise: half-way\n\n*Medium, about 2 minutes.* Find it.", {})
    assert exercises(cell) == ["half-way (2 min)"]


def test_the_quiz_is_unfolded_and_has_no_links():
    text = quiz(ROOT / "notebooks" / "solutions" / "02_autoencoders.ipynb")
    assert text.count("*Answer.*") == len(re.findall(r"(?m)^\*\*\d\.\*\*", text)) >= 3
    assert not re.search(r"details|summary|\]\(", text)


def test_what_was_written_stays_and_lost_marks_are_named():
    source = SOURCES[2]
    text = plan(source, "").replace(f"## {HEADINGS[0]}\n\n{WAITING}", f"## {HEADINGS[0]}\n\nSay it.")
    assert plan(source, text.replace("| Opening | ", "| Opening | 9")) == text
    with pytest.raises(ValueError, match="put them back"):
        plan(source, text.replace(PARTS[0], ""))


def test_a_new_lesson_gets_a_skeleton_and_check_writes_nothing(tmp_path, capsys):
    (tmp_path / "notebooks" / "src").mkdir(parents=True)
    (tmp_path / "notebooks" / "solutions").mkdir()
    source = SOURCES[1]
    (tmp_path / "notebooks" / "src" / source.name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    built = f"{source.stem}.ipynb"
    (tmp_path / "notebooks" / "solutions" / built).write_bytes((ROOT / "notebooks" / "solutions" / built).read_bytes())
    assert main(["--check"], tmp_path) == 1
    assert not (tmp_path / "docs").exists()
    assert main([], tmp_path) == 0
    assert (tmp_path / "docs" / "plans" / f"{source.stem}.md").read_text(encoding="utf-8").count(WAITING) == 4
    assert main(["--check"], tmp_path) == 0
    assert "up to date" in capsys.readouterr().out
