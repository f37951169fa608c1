"""How long a lesson takes a learner, estimated from its source alone.

130 words or 10 lines of code a minute, a minute a cell that draws, three an explorer, and an exercise what it states:
``*Easy, about 10 minutes.*``, ``*Difficulty 2 of 3, about 12 minutes.*`` or, in its heading, ``(easy, 10 minutes)``.
A lesson's further part begins with the first markdown cell headed ``## Further: title``; all before it is the core.

Not counted are the set-up cell and other folded ones, test cells, what only the complete lesson has, solutions (the
exercise's minutes stand for these), hints (folded away until somebody needs one) and the references. Folded answers of
predictions and quizzes are read by everybody and count.
"""

import ast
import re
from dataclasses import asdict, dataclass

import glossary

from course_utils.command.lessons import MINUTES

WORDS_A_MINUTE, LINES_A_MINUTE, EXPLORER_MINUTES = 130, 10, 3
FORMULA_WORDS = 20  # what a displayed formula counts for: about nine seconds; one in a line counts as one word
MAX_CORE_MINUTES = 60
LIMITED = frozenset(  # numbers of the lessons whose core may not be longer
    {"01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14"}
)
LINKED = LIMITED  # must mark the glossary terms that first appear there

NOT_DRAWING = {"close", "figtext", "get_cmap", "show", "sca", "style", "subplots_adjust", "tight_layout"}  # of plt
OWN_SCOPE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass
class Part:
    """What a lesson's core or its further part asks of a learner."""

    words: int = 0
    lines: int = 0
    figures: int = 0
    explorers: int = 0
    exercises: int = 0  # their minutes

    @property
    def minutes(self) -> int:
        """All of it together, rounded to a minute."""
        reading = self.words / WORDS_A_MINUTE + self.lines / LINES_A_MINUTE
        return round(reading + self.figures + EXPLORER_MINUTES * self.explorers + self.exercises)

    def __str__(self):
        return ", ".join(f"{value} {name}" for name, value in asdict(self).items() if value) or "nothing"


@dataclass
class Estimate:
    """The two parts of a lesson."""

    core: Part
    further: Part

    @property
    def entry(self) -> dict[str, int]:
        """For data/lessons.json."""
        return {"core_minutes": self.core.minutes, "further_minutes": self.further.minutes}


def parsed(source: str) -> ast.Module:
    """The code of a cell, without IPython's own lines; empty for a placeholder, ``{{setup}}``."""
    lines = ["pass" if line.startswith(("%", "!", "{{")) else line for line in source.split("\n")]
    return ast.parse("\n".join(lines))


def estimate(cells: list) -> Estimate:
    """Estimate a lesson from the cells of its source (`notebook_sources.SourceCell`).

    Raises:
        ValueError: A further part or an exercise's minutes are written in a form that is not known.
        SyntaxError: A cell is no Python.
    """
    found = Estimate(Part(), Part())
    part, names = found.core, Names()
    for cell in cells:
        if cell.kind == "markdown":
            if re.match(r"## Further: \S", cell.source):
                part = found.further
            elif re.match(r"#+ Further\b(?! reading)", cell.source):
                raise ValueError(
                    f"cell {cell.name!r}: a further section has a heading of the form '## Further: title'."
                )
        if "solution-only" in cell.tags or cell.kind in ("raw", "test"):
            continue
        if cell.kind == "markdown":
            part.words += words(cell.source)
            part.exercises += exercise_minutes(cell.source, cell.name)
        elif cell.source.strip() != "{{setup}}":
            part.lines += 0 if "folded" in cell.tags else code_lines(cell.source)
            try:
                drawn, made = names.read(parsed(cell.source))
            except SyntaxError as error:
                raise SyntaxError(f"cell {cell.name!r} is no Python: {error}") from None
            part.figures += drawn
            part.explorers += bool(made)  # those of one cell are looked at together
    return found


def words(markdown: str) -> int:
    """Words that a learner reads in a markdown cell.

    >>> words("Two **plain** words: $x = 1$.") - words("Two **plain** words:")
    1
    >>> words("$$ a = b $$") == FORMULA_WORDS
    True
    >>> words("<details><summary>Hint 1</summary> secret </details> seen [text](http://there/not)")
    2
    >>> words("A draw from [[the prior|standard normal distribution]].")
    5
    """
    text = glossary.shown(markdown)
    text = re.sub(r"(?s)<details>\s*<summary>\s*Hint\b.*?</details>", "", text)
    text = re.sub(r"(?ms)^## References$.*?(?=^#{1,2} |\Z)", "", text)
    text = re.sub(r"(?m)^\{\{header\}\}$", "", text)
    text, formulas = re.subn(r"(?s)\$\$.*?\$\$", " ", text)
    text = re.sub(r"\$[^$]+\$", "formula", text)
    text = re.sub(r"(?s)<!--.*?-->|</?[a-z][^>\n]*>", " ", text)
    text = re.sub(r"\]\([^)\s]*\)", "]", text)
    return FORMULA_WORDS * formulas + len(re.findall(r"[^\s|]*\w[^\s|]*", text))


def exercise_minutes(markdown: str, where: str = "") -> int:
    """The minutes that the text of an exercise states; 0 where there is none.

    >>> exercise_minutes("### Exercise 1\\n\\n*Medium, about 10 minutes.* Write it.")
    10
    """
    stated = MINUTES.findall(markdown)
    exercises = len(re.findall(r"(?m)^#+ Exercise\b", markdown))
    if len(stated) != exercises:
        raise ValueError(
            f"cell {where!r} has {exercises} headings of exercises and states the minutes of {len(stated)}: "
            "below each heading stands '*Easy, about 10 minutes.*' (or Medium, or Hard)."
        )
    return sum(map(int, stated))


def code_lines(source: str) -> int:
    """Lines of code that a learner reads: not blank, no comments, no solutions.

    >>> code_lines("# why\\nx = 1\\n\\ndef f():\\n    ### BEGIN SOLUTION\\n    return 2\\n    ### END SOLUTION")
    2
    """
    source = re.sub(r"(?s)### BEGIN SOLUTION.*?### END SOLUTION", "", source)
    return sum(1 for line in source.split("\n") if line.strip() and not line.lstrip().startswith("#"))


class Names:
    """What draws and what makes explorers in a lesson, as its cells define and import it one after the other."""

    def __init__(self):
        self.draw, self.explore, self.modules = set(), set(), {}

    def read(self, cell: ast.Module) -> tuple[bool, int]:
        """Whether a cell draws, and how many explorers it makes; what it defines is known to the cells after it."""
        for node in ast.walk(cell):
            if isinstance(node, ast.ImportFrom):
                self._import(node)
        for node in cell.body:
            if isinstance(node, ast.FunctionDef):
                drawn, made = self._calls(ast.Module(node.body, []))
                self.draw |= {node.name} if drawn else set()
                self.explore |= {node.name} if made else set()
            elif isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("checks.accept("):
                self.explore -= {ast.unparse(target) for target in node.targets}  # one's own control is an exercise
        drawn, made = self._calls(cell)
        return drawn > 0, made

    def _import(self, node: ast.ImportFrom):
        names = {alias.name: alias.asname or alias.name for alias in node.names}
        if node.module == "course_utils.plots":
            self.draw |= {name for name in names.values() if name.islower()}
        elif node.module == "course_utils.widgets":
            self.explore |= {name for name in names.values() if name[0].isupper()}
        elif node.module == "ipywidgets":
            self.explore |= {names[name] for name in names if name in ("interact", "interactive")}

    def _calls(self, node: ast.AST) -> tuple[int, int]:
        """Calls that draw and calls that make explorers, without those in functions that are only defined here."""
        drawn = made = 0
        for child in ast.iter_child_nodes(node):
            if isinstance(child, OWN_SCOPE):
                continue
            if isinstance(child, ast.Call):
                owner, _, name = ast.unparse(child.func).rpartition(".")
                drawn += (owner == "plt" and name not in NOT_DRAWING) or (owner == "plots" and name.islower())
                drawn += name == "static" or (not owner and name in self.draw)  # explorer.static() is its twin
                made += owner == "widgets" and (name[:1].isupper() or name in ("interact", "interactive"))
                made += not owner and name in self.explore
            inner = self._calls(child)
            drawn, made = drawn + inner[0], made + inner[1]
        return drawn, made


def _rounded(minutes: int) -> int:
    """To five minutes: an estimate is no more exact than that."""
    return max(5, 5 * round(minutes / 5))


def in_words(entry: dict) -> str:
    """The estimate as a lesson states it.

    >>> in_words({"core_minutes": 83, "further_minutes": 0})
    'about 85 minutes'
    >>> in_words({"core_minutes": 54, "further_minutes": 41})
    'about 55 minutes, and 40 more for the further sections'
    """
    core = f"about {_rounded(entry['core_minutes'])} minutes"
    further = entry["further_minutes"]
    return f"{core}, and {_rounded(further)} more for the further sections" if further else core


def in_a_table(entry: dict) -> str:
    """The estimate as a table shows it.

    >>> in_a_table({"core_minutes": 54, "further_minutes": 41})
    '55 + 40 min'
    """
    parts = [entry["core_minutes"], *([entry["further_minutes"]] if entry["further_minutes"] else [])]
    return " + ".join(str(_rounded(part)) for part in parts) + " min"
