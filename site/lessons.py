"""A complete lesson as a page of the book: its notebook, with what only makes sense in a notebook replaced."""

import copy
import html
import json
import re
from collections.abc import Mapping
from pathlib import Path

from .formulas import words

STANDS_HERE = "An explorer stands here"  # what an executed notebook says in place of one
BADGE = re.compile(
    r"\A(?:\[!\[Open in Colab\]\([^)]*\)\](?P<link>\([^)]*\))|Colab: [^\n]*|\[Source\][^\n]*)\n\n(?P<title># [^\n]*\n)"
)
GLOSSARY = re.compile(r"\]\([^)\s]*GLOSSARY\.md(#[\w-]+)?\)")
TARGET = re.compile(r'(?m)^<a id="([\w-]+)"></a>')
LONGEST = 320  # letters of an alternative text


def page(complete: dict, learner: dict, places: Mapping[str, str]) -> dict:
    """The notebook that the book shows.

    - Formulas, hints and outputs stay as they are.
    - Where an explorer stands is its place, or the sentence that says why it is not in the book: HTML by the cell's id.
    - A cell with a solution becomes two: what the learner gets, and below it the solution, folded.
    - Each figure has an alternative text: the words before it, and the cell's name.
    - The badge, a picture from another host, becomes a link; marked terms lead to the book's glossary.

    Args:
        complete: The executed lesson, a notebook as JSON.
        learner: The same lesson with its exercises open.
        places: HTML of the explorers' places by the id of the cell, for each cell that shows one.

    Returns:
        A notebook as JSON; nothing that was passed is changed.

    Raises:
        LookupError: A place is for a cell that the lesson has not, or that shows no explorer; or an explorer has none.
    """
    open_cells, used = {cell["id"]: cell for cell in learner["cells"]}, set()
    result, before = {**complete, "cells": []}, ""
    for cell in copy.deepcopy(complete["cells"]):
        if cell["cell_type"] == "markdown":
            cell["source"] = for_the_book("".join(cell["source"]))
            before = cell["source"]
            result["cells"].append(cell)
            continue
        for output in cell["outputs"]:
            if _text(output).startswith(STANDS_HERE):
                if cell["id"] not in places:
                    raise LookupError(f"the book has no explorer for the cell {cell['id']}, and no word why")
                output["data"] = {"text/html": places[cell["id"]]}
                used.add(cell["id"])
        tags = cell["metadata"].setdefault("tags", [])
        shown = cell["metadata"].setdefault("mystnb", {})
        shown["image"] = {"alt": alternative(cell["id"], before)}
        source = "".join(cell["source"])
        if "### BEGIN SOLUTION" in source:
            empty = copy.deepcopy(open_cells[cell["id"]]) | {"id": f"{cell['id']}-open", "outputs": []}
            result["cells"].append(empty)
            cell["source"] = re.sub(r"(?m)^ *### (BEGIN|END) SOLUTION\n?", "", source)
            tags.append("hide-input")
            shown |= {"code_prompt_show": "Show a solution", "code_prompt_hide": "Hide the solution"}
        elif cell["metadata"].get("jupyter", {}).get("source_hidden"):
            tags.append("hide-input")
            shown |= {"code_prompt_show": "Show the code", "code_prompt_hide": "Hide the code"}
        result["cells"].append(cell)
    if missing := set(places) - used:
        raise LookupError(f"no explorer stands in the cells {sorted(missing)} of this lesson")
    return result


def for_the_book(markdown: str) -> str:
    """Markdown of a lesson with the links and the targets that the book has.

    >>> for_the_book("[![Open in Colab](https://a/b.svg)](https://c/d)\\n\\n# 04. Why?\\n\\nA text.")
    '# 04. Why?\\n\\n[Open in Colab](https://c/d)\\n\\nA text.'
    >>> for_the_book("The [posterior](../../docs/GLOSSARY.md#posterior) is")
    'The [posterior](../glossary.md#posterior) is'
    """
    markdown = TARGET.sub(r"(\1)=\n", BADGE.sub(_title, markdown))
    return GLOSSARY.sub(lambda link: f"](../glossary.md{link[1] or ''})", markdown)


def _title(found: re.Match) -> str:
    """The title, and below it the link to Colab, if there is one."""
    return found["title"] + (f"\n[Open in Colab]{found['link']}\n" if found["link"] else "")


def alternative(name: str, before: str) -> str:
    """The alternative text of a figure: its cell's name, and the paragraph before it, which says what to look for.

    >>> alternative("four-draws", "## The map\\n\\nLook at **$z$**. Which is *sharp*?")
    'Figure “four draws”. Look at z. Which is sharp?'
    """
    paragraphs = [text for text in map(plain, re.split(r"\n\s*\n", _without_blocks(before))) if len(text.split()) > 3]
    said = paragraphs[-1] if paragraphs else ""
    while len(said) > LONGEST:  # whole sentences, from the first one on
        cut = max(said.rfind(end, 0, LONGEST) for end in (". ", "? ", ": "))
        said = said[: cut + 1] if cut > 0 else said[: LONGEST - 1] + "…"
    return f"Figure “{name.replace('-', ' ')}”. {said}".rstrip()


def plain(markdown: str) -> str:
    """The words of one paragraph, without marks; of a heading or a table nothing.

    >>> plain("The [prior](x.md) is `p(z)`,\\n$\\\\mathcal N(0, I)$.")
    'The prior is p(z), 𝒩(0,I).'
    """
    if re.match(r"\s*(#|\||<|!\[|\[!)", markdown):
        return ""
    text = re.sub(r"(?s)\$\$(.+?)\$\$|\$([^$]+)\$", lambda found: words(found[1] or found[2]), markdown)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"(?m)^\s*(?:[-*]|\d+\.)\s+", "", text)
    return " ".join(re.sub(r"[*`]|<[^>]+>", "", html.unescape(text)).split())


def write(target: Path, notebook: dict) -> None:
    """Write a notebook."""
    target.write_text(json.dumps(notebook, ensure_ascii=False), encoding="utf-8")


def _without_blocks(markdown: str) -> str:
    return re.sub(r"(?s)<details.*?</details>|```.*?```", "\n\n", markdown)


def _text(output: dict) -> str:
    return "".join(output.get("data", {}).get("text/plain", ""))
