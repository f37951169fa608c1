"""The pages of the book that no lesson is: the front page, the gallery, the glossary, the licence."""

import html
import re
from collections.abc import Sequence

from course_utils.command.lessons import Lesson

from . import strict

PLACEHOLDER = "OWNER/REPO"
START = "pip install uv && uv run course lab"
ELSEWHERE = "https://address.of.the.book"  # in place of the book's address, while it has none
FRONT = "faces"  # the explorer of the first screen


def raw(text: str) -> str:
    """HTML in a page of Markdown."""
    return f"```{{raw}} html\n{text.strip()}\n```\n"


def published(address: str) -> str:
    """Where GitHub's Pages show the book of a repository; while the address is a placeholder, a place to fill in.

    >>> published("https://github.com/ann/course"), published("https://github.com/OWNER/REPO")
    ('https://ann.github.io/course', 'https://address.of.the.book')
    """
    owner = re.fullmatch(r"https://github\.com/([\w.-]+)/([\w.-]+)", address)
    if PLACEHOLDER in address or not owner:
        return ELSEWHERE
    return f"https://{owner[1].lower()}.github.io/{owner[2]}"


def colab(address: str, branch: str, lesson: Lesson) -> str | None:
    """Where Colab opens the learner's notebook of a lesson; None without an address that Colab can open."""
    if PLACEHOLDER in address or not address.startswith("https://github.com/"):
        return None
    repository = address.removeprefix("https://github.com/")
    return f"https://colab.research.google.com/github/{repository}/blob/{branch}/notebooks/{lesson.file_name}"


def front(lessons: Sequence[Lesson], place: str, address: str, branch: str) -> str:
    """The front page: the map of faces, one paragraph, the lessons, and how to run them."""
    if links := colab(address, branch, lessons[0]):
        by_colab = f"Or open [lesson 00 in Colab]({links}); each lesson has such a link at its top."
        get = f"git clone {address} latent-spaces && cd latent-spaces\n"
    else:
        by_colab = "Links to Colab come once the course has a public address."
        get = "# in the folder of the course\n"
    rows = "\n".join(f"- {_row(lesson)}" for lesson in lessons)
    return f"""---
hide-toc: true
---

# Latent spaces

{raw(place)}
A trained network turns each place of this map into a face. The map is a plane through its **latent space**, a space of
64 numbers in which similar faces lie close together. This course shows how such spaces are made, by PCA, autoencoders,
VAEs, GANs and diffusion models, how to walk in them and steer them, and how to measure what one finds. You need Python,
a little linear algebra and the idea of gradient descent. [All explorers](gallery/index.md) are on a page of their own.

## The lessons

Minutes are those of the core, one sitting, and of the further sections, each of which can be skipped.

{rows}

## Run it yourself

```bash
{get}{START}
```

JupyterLab opens at lesson 00. In a running notebook the exercises are checked, and more can be moved than in the book.
{by_colab}

```{{toctree}}
:hidden:
:caption: Lessons

{_entries(lessons)}
```

```{{toctree}}
:hidden:
:caption: Beside them

gallery/index
glossary
copyright
```
"""


def _row(lesson: Lesson) -> str:
    """One line about a lesson: its question, which leads to it, and its minutes, to the nearest five."""
    minutes = " + ".join(f"{5 * round(part / 5)}" for part in (lesson.core_minutes, lesson.further_minutes) if part)
    return f"{lesson.number} [{lesson.question}](lessons/{lesson.file_name})" + (minutes and f" *{minutes} minutes*")


def _entries(lessons: Sequence[Lesson]) -> str:
    return "\n".join(f"lessons/{lesson.file_name.removesuffix('.ipynb')}" for lesson in lessons)


def gallery(shown: Sequence) -> str:
    """The page with all explorers."""
    says = "Most of these explorers stand in a lesson too. They run in your browser: nothing is sent anywhere."
    parts = [f"---\nhide-toc: true\n---\n\n# The gallery\n\n{says}\n"]
    parts += [f"## [{one.title}]({one.name}.md)\n\n{one.says[0]} {one.says[1]}\n\n{raw(place)}" for one, place in shown]
    names = "\n".join(one.name for one, _ in shown)
    return "\n".join([*parts, f"```{{toctree}}\n:hidden:\n\n{names}\n```\n"])


def alone(one, place: str, lesson: Lesson, address: str) -> str:
    """The page of one explorer: three sentences, the lesson, the full screen, and the line that embeds it."""
    source = f"{published(address)}/gallery/{one.name}-full.html"
    line = f'<iframe src="{source}" title="{html.escape(one.title)}" width="100%" height="700"></iframe>'
    where = "" if ELSEWHERE not in source else " Put the address of the book into it."
    return f"""---
hide-toc: true
---

# {one.title}

{raw(place)}
{" ".join(one.says)}

It belongs to [lesson {lesson.number}](../lessons/{lesson.file_name}), whose question is: {lesson.question}
<a href="{one.name}-full.html">Show it alone, for a lecture</a>.

One line shows it in another page.{where}

```html
{line}
```
"""


def full(one, place: str, front_end: str = "../_static/explorers/", styles: str = "../_static/") -> str:
    """A page with nothing but one explorer: for a lecture, and for an `<iframe>`."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">{strict.policy()}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(one.title)}</title>
<link rel="icon" href="{styles}favicon.svg">
<link rel="stylesheet" href="{styles}book.css">
<link rel="stylesheet" href="{front_end}explorers.css">
<script type="module" src="{front_end}explorers.js"></script>
</head>
<body class="course-full" data-theme="auto">
<main>
<h1>{html.escape(one.title)}</h1>
{place}
</main>
</body>
</html>
"""


def glossary(text: str, lessons: Sequence[Lesson]) -> str:
    """docs/GLOSSARY.md with links to the lessons in which the terms are first used."""
    files = {lesson.number: lesson.file_name for lesson in lessons}

    def link(found):
        return f"First in: [lesson {found[1]}](lessons/{files[found[1]]})" if found[1] in files else found[0]

    text = re.sub(r"First in: lesson (\d\d)", link, text)
    return re.sub(r"\[([^\]]*)\]\([^)\s]*\.md[^)]*\)", r"\1", text)  # to documents that are not in the book


def licence(address: str) -> str:
    """Who may do what with the book."""
    source = "" if PLACEHOLDER in address else f" The sources are at <{address}>."
    return f"""---
hide-toc: true
---

# Licence

Texts and pictures are under [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/): share and change them, and name
the course. Code is under the MIT licence: use it as you like, and keep its notice.{source}

Formulas are drawn in *Course Math*, those letters of Latin Modern Math (B. Jackowski, P. Strzelczyk, P. Pianowski; GUST
Font License) that they use. The pages are made by [Sphinx](https://www.sphinx-doc.org/),
[MyST-NB](https://myst-nb.readthedocs.io/) and [Furo](https://pradyunsg.me/furo/). Reading the book sends nothing to
anybody but the server that it comes from, which gets the usual requests for its pages.
"""
