"""A formula of a lesson's text that goes on in the next line must not begin there like a list or a heading.

Markdown looks for these before it looks for formulas: a line that begins with "- " ends the formula, as a bullet.
"""

import re

import pytest
from helpers import ROOT
from notebook_sources import named_cells

SOURCES = sorted((ROOT / "notebooks" / "src").glob("[0-9][0-9]_*.py"))
CODE = re.compile(r"(?ms)^```.*?^```|`[^`]*`")
FORMULA = re.compile(r"(?s)\$\$.*?\$\$|(?<!\\)\$(?!\$)(?:[^$\\]|\\.)*\$")
BLOCK = re.compile(r" *(?:[-+*]|#{1,6}|>|1[.)])(?:\s|$)| *>| *(?:=+|-+)\s*$")


def broken_lines(markdown: str) -> list[str]:
    """The lines inside of formulas that Markdown takes for the beginning of something else."""
    text = CODE.sub(lambda code: re.sub(r"[^\n]", "x", code[0]), markdown)
    lines = [line for formula in FORMULA.finditer(text) for line in formula[0].split("\n")[1:]]
    return [line for line in lines if BLOCK.match(line)]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_no_formula_is_broken_by_its_line_breaks(source):
    found = {c.name: broken_lines(c.source) for c in named_cells(source) if c.kind == "markdown"}
    assert not {name: lines for name, lines in found.items() if lines}


@pytest.mark.parametrize("begin", ["- f(0)", "+ f(0)", "* f(0)", "# f(0)", "> 0", "1. f(0)", "  - f(0)"])
@pytest.mark.parametrize("sign", ["$", "$$"])
def test_a_broken_formula_is_found(begin, sign):
    assert broken_lines(f"Costs 5 \\$, `$x` and {sign}f(1)\n{begin}{sign}, and so on.") == [begin + sign]


def test_a_line_of_signs_makes_a_heading_of_the_formula_above_it():
    assert broken_lines("$$ f(1)\n===\nf(0) $$") == ["==="]


@pytest.mark.parametrize(
    "text", ["$f(1)\n= 2$", "$x$\n- a point", "a `$`\n- point `$`", "$$ a\n-b $$", "$f(1)$ is\n- 2"]
)
def test_what_is_no_broken_formula_is_not_found(text):
    assert not broken_lines(text)
