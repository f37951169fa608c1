"""The glossary, docs/GLOSSARY.md, and the links by which lessons lead to its entries.

An entry is a heading of small letters, whose anchor is therefore the same on GitHub and in Jupyter, a text of one to
three sentences, and a block of four lines:

    ## posterior

    The posterior is the distribution of the codes that could have made a given image, after the image was seen.

    Symbol: $p(z \\mid x)$ · First in: lesson 04\\
    German: A-posteriori-Verteilung\\
    Russian: апостериорное распределение\\
    Turkish: sonsal dağılım

In a lesson's markdown ``[[posterior]]`` marks the first appearance of a term, and ``[[as wide as the prior|prior]]``
that of a term which the text calls otherwise. The builder makes a link of it. What stands in code or in a formula is no
mark.
"""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass

FILE = "docs/GLOSSARY.md"
PACKAGE = "package"  # where a term is met that no lesson names
NOT_PROSE = r"```.*?```|`[^`\n]+`|\$\$.*?\$\$|\$[^$]+\$"
MARK = re.compile(
    rf"(?s)(?P<skipped>{NOT_PROSE})|\[\[(?P<words>[^\[\]|]+)(?:\|(?P<term>[^\[\]|]+))?\]\]|(?P<broken>\[\[)"
)
ENTRY = re.compile(
    r"(?s)(?P<term>[a-z0-9]+(?:[ -][a-z0-9]+)*)\n\n(?P<text>.+?)\n\n"
    r"Symbol: (?P<symbol>[^\n]+?) · First in: (?:lesson (?P<first>\d\d)|the package)\\\n"
    r"German: (?P<german>[^\n]+)\\\nRussian: (?P<russian>[^\n]+)\\\nTurkish: (?P<turkish>[^\n]+)\s*"
)


@dataclass(frozen=True)
class Entry:
    """A term as the glossary explains it."""

    term: str
    text: str
    symbol: str  # "none" where there is none
    first: str  # the number of the lesson in which it first appears, or PACKAGE
    german: str
    russian: str
    turkish: str

    @property
    def anchor(self) -> str:
        return anchor(self.term)


def anchor(term: str) -> str:
    """The name of an entry in a link.

    >>> anchor("KL  divergence")
    'kl-divergence'
    """
    return "-".join(term.lower().split())


def read(text: str) -> dict[str, Entry]:
    """The entries of the glossary by their anchors, in the order of the file.

    Raises:
        ValueError: An entry has not the form that this file describes, or there are two of one name.
    """
    entries = {}
    for block in re.split(r"(?m)^## ", text)[1:]:
        match = ENTRY.fullmatch(block)
        if not match:
            raise ValueError(
                f"{FILE}: the entry {block.splitlines()[0]!r} is not of the form in tools/glossary.py: a heading of "
                "small letters, a text, and the lines 'Symbol: ... · First in: lesson NN', German, Russian, Turkish."
            )
        entry = Entry(**(match.groupdict() | {"first": match["first"] or PACKAGE}))
        if entry.anchor in entries:
            raise ValueError(f"{FILE}: there are two entries {entry.anchor!r}; unite them.")
        entries[entry.anchor] = entry
    return entries


def _replaced(markdown: str, replacement: Callable[[str, str], str]) -> str:
    """Markdown with each mark replaced by what `replacement` makes of its words and its anchor."""

    def replace(match: re.Match) -> str:
        if match["words"] is None:
            return match[0]
        return replacement(match["words"], anchor(match["term"] or match["words"]))

    return MARK.sub(replace, markdown)


def shown(markdown: str) -> str:
    """Markdown as a reader sees it: the words of each mark without the mark.

    >>> shown("A draw from [[the prior|prior]], as `[[0.5]]` says.")
    'A draw from the prior, as `[[0.5]]` says.'
    """
    return _replaced(markdown, lambda words, _: words)


def linked(markdown: str, target: str) -> str:
    """Markdown with a link in the place of each mark.

    >>> linked("A draw from [[the prior|prior]].", "../docs/GLOSSARY.md")
    'A draw from [the prior](../docs/GLOSSARY.md#prior).'
    """
    return _replaced(markdown, lambda words, name: f"[{words}]({target}#{name})")


def marked(cells: list[tuple[str, str]], entries: dict[str, Entry]) -> dict[str, str]:
    """The terms that a lesson marks, each with the name of the cell where it does.

    Args:
        cells: Names and sources of the lesson's markdown cells, in order.
        entries: The glossary.

    Raises:
        ValueError: A mark is not of the two forms, stands in a heading or a line of HTML, or names no entry; or a term
            is marked twice. The message starts with the name of the cell.
    """
    found = {}
    for name, source in cells:
        for match in MARK.finditer(source):
            if match["skipped"] is not None:
                continue
            where, line = f"cell {name!r}", source[source.rfind("\n", 0, match.start()) + 1 :].split("\n")[0]
            if match["broken"]:
                raise ValueError(f"{where}: '[[' begins no '[[term]]' or '[[words|term]]' in the line {line!r}.")
            term = anchor(match["term"] or match["words"])
            if line.startswith(("#", "<")):
                raise ValueError(f"{where}: {term!r} is marked in a heading or in HTML; mark it in a sentence.")
            if term not in entries:
                near = difflib.get_close_matches(term, entries, n=3, cutoff=0.5)
                hint = f"; it has {' and '.join(map(repr, near))}" if near else ""
                raise ValueError(f"{where}: {FILE} has no entry {term!r}{hint}.")
            if term in found:
                raise ValueError(f"{where}: the term {term!r} is marked in cell {found[term]!r} already; mark it once.")
            found[term] = name
    return found
