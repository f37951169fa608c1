"""`course site`: what can be said without building a book, and the book, made once."""

import doctest
import html.parser
import http.client
import importlib.util
import json
import os
import re
import signal
import tomllib
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import ipywidgets
import matplotlib.pyplot as plt
import pytest
import torch
from helpers import ROOT

from course_utils import plots
from course_utils.command import site
from course_utils.command.cli import main
from course_utils.command.lessons import load_lessons
from course_utils.files import docs_dir, notebooks_dir

MODULES = ("formulas", "strict", "lessons", "pages")
builds = pytest.mark.slow_because("makes the book, once for all tests")


@pytest.fixture(autouse=True)
def _made_by():
    if not all(map(importlib.util.find_spec, site.NEEDED)):
        pytest.skip("the dependency group `site` is not installed")


def test_the_books_parts_leave_the_environment_alone():
    """A kernel started later, with MPLBACKEND=agg, would show no figure."""
    before = dict(os.environ)
    site.parts("gallery")
    assert dict(os.environ) == before


def notebook(number: str, folder: str = "solutions") -> dict:
    (path,) = (notebooks_dir() / folder).glob(f"{number}_*.ipynb")
    return json.loads(path.read_text(encoding="utf-8"))


def markdown_of_the_course():
    yield "glossary", (docs_dir() / "GLOSSARY.md").read_text(encoding="utf-8")
    for lesson in load_lessons():
        for cell in notebook(lesson.number)["cells"]:
            if cell["cell_type"] == "markdown":
                yield f"{lesson.number}, {cell['id']}", "".join(cell["source"])


# ------------------------------------------------------------------------------------------- formulas


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_the_sources(name):
    result = doctest.testmod(site.parts(name))
    assert result.attempted > 0
    assert result.failed == 0


def test_every_formula_of_the_course_becomes_mathml_in_letters_of_the_font():
    from fontTools.ttLib import TTFont

    formulas, found = site.parts("formulas"), set()
    font = TTFont(site.sources_dir() / "static" / "fonts" / "course-math.woff")
    assert "MATH" in font
    assert font["name"].getDebugName(1) == "Course Math"  # the licence asks for another name than the original's
    letters, count = font.getBestCmap(), 0
    for where, text in markdown_of_the_course():
        text = re.sub(r"(?s)```.*?```|`[^`\n]+`", "", text)
        for display, inline in re.findall(r"(?s)\$\$(.+?)\$\$|\$([^$]+)\$", text):
            count += 1
            said = formulas.mathml(display or inline, display=bool(display))
            assert "mathvariant" not in said.replace('mathvariant="normal"', ""), f"{where}: browsers ignore it"
            said = "".join(ElementTree.fromstring(said).itertext())
            found |= {(where, letter) for letter in said if not letter.isspace()}
    assert count > 1000
    assert not {(where, letter) for where, letter in found if ord(letter) not in letters}


def test_letters_that_browsers_make_italic_are_in_the_font():
    from fontTools.ttLib import TTFont

    letters = TTFont(site.sources_dir() / "static" / "fonts" / "course-math.woff").getBestCmap()
    italic = [*range(0x1D434, 0x1D455), *range(0x1D456, 0x1D468), 0x210E, *range(0x1D6FC, 0x1D714)]  # h stands apart
    assert [hex(code) for code in italic if code not in letters] == []


@pytest.mark.parametrize(("tex", "said"), [(r"x_1_2", "cannot be converted"), (r"\nosuchthing x", r"\\nosuchthing")])
def test_a_formula_that_cannot_be_converted_is_named(tex, said):
    with pytest.raises(ValueError, match=said) as error:
        site.parts("formulas").mathml(tex)
    assert tex.replace("\\", "\\\\") in str(error.value)


# ------------------------------------------------------------------------------------------- a strict policy


def test_inline_scripts_and_styles_become_files():
    page = (
        '<meta charset="utf-8"><style>a {}</style><script>one()</script><script type="module">two()</script>'
        '<script src="x.js"></script><script type="application/gzip" id="b">AAAA</script>'
    )
    made, files = site.parts("strict").strict(page, "../../")
    assert sorted(files.values()) == ["a {}", "one()", "two()"]
    assert made.count('src="../../_static/inline-') == 2
    assert '<script type="module" src="../../' in made
    assert '<script type="application/gzip" id="b">AAAA</script>' in made  # data: nothing runs it
    assert made.startswith('<meta charset="utf-8"><meta http-equiv="Content-Security-Policy"')


def test_the_policy_allows_nothing_from_elsewhere_and_no_code_from_texts():
    policy = dict(part.split(" ", 1) for part in site.parts("strict").POLICY.split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["worker-src"] == policy["connect-src"] == policy["font-src"] == policy["style-src-elem"] == "'self'"
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert not re.search(r"https?:|\*|blob:", str(policy))


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ('<meta charset="utf-8"><button class="a" onclick="go()">', "event handler"),
        ("<meta charset=latin1>", "no <meta"),
    ],
)
def test_what_the_policy_would_break_is_refused(page, said):
    with pytest.raises(ValueError, match=said):
        site.parts("strict").strict(page, "")


# ------------------------------------------------------------------------------------------- lessons as pages


def small_notebook(**changes) -> dict:
    explorer = {"output_type": "display_data", "metadata": {}, "data": {"text/plain": "An explorer stands here: run"}}
    cells = [
        {"id": "title", "cell_type": "markdown", "metadata": {}, "source": "Colab: once\n\n# 04. Why?\n"},
        {"id": "look", "cell_type": "markdown", "metadata": {}, "source": "One.\n\nLook at **the left** one, $\\mu$."},
        {"id": "figure", "cell_type": "code", "metadata": {}, "source": "plot()", "outputs": []},
        {"id": "solve", "cell_type": "code", "metadata": {}, "outputs": [],
         "source": "def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n"},
        {"id": "explorer", "cell_type": "code", "metadata": {}, "source": "pad", "outputs": [explorer]},
    ]  # fmt: skip
    return {"cells": [cell | changes.get(cell["id"], {}) for cell in cells], "metadata": {}, "nbformat": 4}


LEARNER = small_notebook(solve={"source": "def f():\n    # YOUR CODE HERE\n    raise NotImplementedError\n"})


def test_a_lesson_as_a_page():
    complete = small_notebook()
    before = json.dumps(complete)
    page = site.parts("lessons").page(complete, LEARNER, {"explorer": "<div>PLACE</div>"})
    cells = {cell["id"]: cell for cell in page["cells"]}
    assert list(cells) == ["title", "look", "figure", "solve-open", "solve", "explorer"]
    assert cells["title"]["source"] == "# 04. Why?\n"
    assert cells["figure"]["metadata"]["mystnb"]["image"]["alt"] == "Figure “figure”. Look at the left one, μ."
    assert "NotImplementedError" in cells["solve-open"]["source"]
    assert cells["solve"]["source"] == "def f():\n    return 1\n"
    assert cells["solve"]["metadata"]["tags"] == ["hide-input"]
    assert cells["explorer"]["outputs"][0]["data"] == {"text/html": "<div>PLACE</div>"}
    assert json.dumps(complete) == before


def test_an_explorer_without_a_place_and_a_place_without_an_explorer_are_refused():
    with pytest.raises(LookupError, match="explorer, and no word why"):
        site.parts("lessons").page(small_notebook(), LEARNER, {})
    with pytest.raises(LookupError, match="figure"):
        site.parts("lessons").page(small_notebook(), LEARNER, {"explorer": "", "figure": "<div></div>"})


def test_an_alternative_text_is_whole_sentences_and_leaves_out_hints_and_tables():
    alternative = site.parts("lessons").alternative
    long = "This is a sentence of seven words. " * 20
    said = alternative(
        "two-words", f"Before.\n\n{long}\n\n| a | b |\n|---|---|\n\n<details>Much more text here</details>"
    )
    assert said.startswith("Figure “two words”. This is")
    assert said.endswith("words.")
    assert len(said) < 350
    assert alternative("alone", "# A heading of several words") == "Figure “alone”."


# ------------------------------------------------------------------------------------------- the gallery


def test_the_gallery_has_pages_and_says_three_sentences_of_each():
    gallery, numbers = site.parts("gallery").GALLERY, {lesson.number for lesson in load_lessons()}
    assert len(gallery) >= 10
    assert gallery[0].name == site.parts("pages").FRONT
    for one in gallery:
        assert one.lesson in numbers
        assert one.title
        assert len(one.says) == 3
        assert all(sentence.endswith((".", "?")) and len(sentence.split()) < 35 for sentence in one.says), one.name


def test_every_explorer_of_every_lesson_is_in_the_book_or_has_a_sentence_that_says_why_not():
    gallery = site.parts("gallery")
    placed = [one for one in (*gallery.GALLERY, *gallery.IN_LESSONS) if one.cell]
    named = [(one.lesson, one.cell) for one in placed] + list(gallery.ELSEWHERE)
    assert len(set(named)) == len(named)
    assert len({one.name for one in (*gallery.GALLERY, *gallery.IN_LESSONS)}) == len(
        gallery.GALLERY + gallery.IN_LESSONS
    )
    stand = [
        (lesson.number, cell["id"])
        for lesson in load_lessons()
        for cell in notebook(lesson.number)["cells"]
        if "An explorer stands here" in json.dumps(cell.get("outputs", []))
    ]
    assert set(named) == set(stand)
    sentences = [one.note for one in gallery.IN_LESSONS if one.note] + list(gallery.ELSEWHERE.values())
    assert all(sentence.endswith(".") and len(sentence.split()) < 45 for sentence in sentences)


def test_cells_of_a_lesson_run_once():
    gallery = site.parts("gallery")
    first = gallery.lesson("00", "exercise-midpoint")["midpoint"]
    assert gallery.lesson("00", "exercise-midpoint")["midpoint"] is first


def test_of_a_cell_only_what_gives_some_names_a_value_runs():
    gallery = site.parts("gallery")
    gallery._lesson.cache_clear()  # what other tests have made of the lesson
    names = gallery.lesson("05", "imports: nothing", "control-twin: fixed", device="cpu")
    gallery._lesson.cache_clear()
    assert names["fixed"].shape == (5, 2)
    assert "decoded" not in names  # the same cell defines it


# ------------------------------------------------------------------------------------------- learners' controls


def control_of(kind: str):
    """A control as a learner may build it, and what its picture is at a position."""
    x = torch.linspace(0, 1, 12).reshape(1, 1, 3, 4)

    def show(a, b=0.0):
        if kind == "imshow":
            plt.imshow((a * x + b)[0, 0], cmap="gray", vmin=0, vmax=1)
        elif kind == "grid":
            plots.image_grid(torch.cat([x, a * x + b]), titles=["x", f"{a:.1f}"])
        elif kind == "rows":
            plots.image_rows({f"{a:.1f}": torch.cat([x, a * x + b])})
        else:
            plots.draw_chart(plots.Chart([plots.Series("", [0, 1], [b, a])], (0, 1), (0, 1), "x", "y")).set_title("up")
        plt.show()

    return x, show


@pytest.mark.parametrize("kind", ["imshow", "grid", "rows", "chart"])
def test_a_control_moves_its_sliders_and_shows_what_its_function_draws(kind):
    (x, show), Control = control_of(kind), site.parts("controls").Control
    sliders = {"a": ipywidgets.FloatSlider(0.5, min=0, max=1), "b": ipywidgets.FloatSlider(0.0, min=0, max=0.5)}
    box = ipywidgets.VBox([*sliders.values(), ipywidgets.interactive_output(show, sliders)])
    explorer = Control(box, "Mine", ("a", "b"))
    for a, b in ((0.5, 0.0), (0.5, 0.0), (0.2, 0.3), (0.2, 0.1)):
        explorer.value = [a, b]
        shown, (sentence, captions) = explorer._shown[0], (explorer.text, explorer._shown[1])
        wanted = (a * x + b)[0]
        assert sentence == f"a: {a:.3g}, b: {b:.3g}." + (" up." if kind == "chart" else "")
        if kind == "chart":
            assert shown[0].series[0].y.tolist() == pytest.approx([b, a])
        elif kind == "rows":
            torch.testing.assert_close(shown[0], torch.cat([x[0], wanted], dim=2))
            assert captions == [f"{a:.1f}"]
        else:
            torch.testing.assert_close(shown[-1], wanted)
            assert captions == (["x", f"{a:.1f}"] if kind == "grid" else ["Mine"])
    assert (sliders["a"].value, sliders["b"].value) == (0.2, 0.1)
    assert plt.get_fignums() == []


def test_a_control_with_a_list_shows_each_option():
    def show(n, way):
        plots.image_rows({way: torch.full((1, 1, 2, 3), n / 10 if way == "up" else 1 - n / 10)})
        plt.show()

    control = ipywidgets.interactive(show, n=ipywidgets.IntSlider(2, min=0, max=10), way=["up", "down"])
    explorer = site.parts("controls").Control(control, "Mine")
    explorer.value = [4.0]
    assert explorer._shown[1] == ["up", "down"]
    assert [image.mean().item() for image in explorer._shown[0]] == pytest.approx([0.4, 0.6])


def test_a_control_without_a_slider_or_a_picture_is_refused():
    Control = site.parts("controls").Control
    with pytest.raises(ValueError, match="no slider"):
        Control(ipywidgets.VBox([ipywidgets.Label("a")]), "Mine")
    with pytest.raises(ValueError, match="draws nothing"):
        Control(ipywidgets.interactive(lambda a: print(a), a=ipywidgets.FloatSlider()), "Mine")


# ------------------------------------------------------------------------------------------- pages of their own


def lesson_like(**changes):
    return SimpleNamespace(**{"number": "04", "title": "T", "question": "Why?", "file_name": "04_x.ipynb"} | changes)


def test_addresses_that_are_real_and_one_that_is_not():
    pages = site.parts("pages")
    assert pages.colab("https://github.com/OWNER/REPO", "main", lesson_like()) is None
    assert pages.colab("https://gitlab.com/ann/course", "main", lesson_like()) is None
    link = "https://colab.research.google.com/github/ann/course/blob/main/notebooks/04_x.ipynb"
    assert pages.colab("https://github.com/ann/course", "main", lesson_like()) == link
    assert pages.published("https://github.com/Ann/course") == "https://ann.github.io/course"
    assert pages.published("https://gitlab.com/ann/course") == pages.ELSEWHERE


def test_the_glossary_leads_to_the_lessons_that_the_book_has():
    text = (
        "Symbol: none · First in: lesson 04\\\nSymbol: none · First in: lesson 05\\\n[the guide](STYLE_GUIDE.md#terms)"
    )
    made = site.parts("pages").glossary(text, [lesson_like()])
    assert "[lesson 04](lessons/04_x.ipynb)" in made
    assert "First in: lesson 05" in made
    assert made.endswith("the guide")


def test_a_page_for_a_lecture_has_the_policy_and_nothing_inline():
    pages, strict = site.parts("pages"), site.parts("strict")
    page = pages.full(SimpleNamespace(title="A & B", name="a"), '<div class="course-place"></div>')
    assert "<title>A &amp; B</title>" in page
    assert page.count(strict.policy()) == 1
    assert strict.strict(page, "../")[1] == {}


# ------------------------------------------------------------------------------------------- mistakes


def complaint(capsys, *arguments, status: int) -> str:
    assert main(["site", *map(str, arguments)]) == status
    out, err = capsys.readouterr()
    assert err.startswith("course: ")
    assert err.count("\n") == 1
    return err


def test_a_folder_that_is_not_ours_is_left_alone(capsys, tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    assert "did not write" in complaint(capsys, "--out", tmp_path, status=2)
    assert "is a file" in complaint(capsys, "--out", tmp_path / "letter.txt", status=2)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_folder_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    said = complaint(capsys, "--out", tmp_path / "file" / "book", status=1)
    assert "cannot be written" in said
    assert "nothing was begun" in said


def test_options_that_do_not_go_together(capsys, tmp_path):
    assert "--port is for --serve" in complaint(capsys, "--port", 8001, status=2)
    assert "one file" in complaint(capsys, "--single", tmp_path / "a.html", "--serve", status=2)
    assert "ends in .html" in complaint(capsys, "--single", tmp_path / "a.txt", status=2)


def test_what_is_missing_is_named_with_what_to_do(capsys, tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "sphinx" else found(name, *rest)
    )
    said = complaint(capsys, "--out", tmp_path / "book", status=1)
    assert "Sphinx is not installed here" in said
    assert "uv sync --group site" in said
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(site, "sources_dir", lambda: tmp_path / "site")
    assert "comes with the repository" in complaint(capsys, "--out", tmp_path / "book", status=1)


def test_a_build_that_fails_leaves_the_old_book(tmp_path, monkeypatch):
    out = tmp_path / "book"
    out.mkdir()
    (out / site.OURS).touch()
    (out / "index.html").write_text("old")

    def fail(new, **_):
        (new / "index.html").write_text("half")
        raise RuntimeError("no")

    monkeypatch.setattr(site, "parts", lambda name: SimpleNamespace(build=fail))
    with pytest.raises(RuntimeError, match="no"):
        site.build(out)
    assert (out / "index.html").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["book"]
    monkeypatch.setattr(site, "parts", lambda name: SimpleNamespace(build=lambda new, **_: None))
    site.build(out)
    assert [path.name for path in out.iterdir()] == [site.OURS]
    assert [path.name for path in tmp_path.iterdir()] == ["book"]


def test_the_dependency_group_has_lower_bounds_and_is_in_the_developers():
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    assert {re.split(r"[>=]", one)[0].replace("-", "_") for one in groups["site"]} == set(site.NEEDED)
    assert all(">=" in one for one in groups["site"])
    assert {"include-group": "site"} in groups["dev"]


# ------------------------------------------------------------------------------------------- showing it


def test_a_folder_is_served_to_this_machine_alone(tmp_path):
    (tmp_path / "a.js").write_text("1")
    with site.serving(tmp_path, 0) as address:
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{address}a.js") as answer:
            assert answer.headers["Content-Type"] == "text/javascript"
            assert answer.headers["Cache-Control"] == "no-cache"
        port = int(address.rsplit(":", 1)[1].strip("/"))
        with pytest.raises(OSError, match="taken"), site.serving(tmp_path, port):
            pass
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/../../etc/passwd")
        assert connection.getresponse().status == 404
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address)


def test_a_book_that_is_there_is_shown_as_it_is(tmp_path, monkeypatch, capsys):
    (tmp_path / site.OURS).touch()
    monkeypatch.setattr(site, "serve", lambda out, port: print(f"serving {out.name} on {port}") or 0)
    monkeypatch.setattr(site, "build", lambda *_, **__: pytest.fail("it was built again"))
    assert main(["site", "--out", str(tmp_path), "--serve", "--port", "8123"]) == 0
    assert f"serving {tmp_path.name} on 8123" in capsys.readouterr().out


def test_serving_ends_when_it_is_asked_to(tmp_path, monkeypatch):
    before, said = signal.getsignal(signal.SIGINT), []
    monkeypatch.setattr(
        site, "print", lambda text, **_: said.append(text) or signal.raise_signal(signal.SIGINT), raising=False
    )
    assert site.serve(tmp_path, 0) == 0
    assert "http://127.0.0.1:" in said[0]
    assert signal.getsignal(signal.SIGINT) is before


# ------------------------------------------------------------------------------------------- one book


class Page(html.parser.HTMLParser):
    """What a page refers to, its headings, and its pictures without words."""

    def __init__(self, path: Path):
        super().__init__()
        self.addresses, self.ids, self.headings, self.silent = [], set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        self.ids.add(known.get("id"))
        if tag == "img" and not known.get("alt"):
            self.silent.append(known.get("src", "")[:80])
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        links = tag in ("img", "script", "link", "a", "iframe", "source")
        self.addresses += [(tag, known[name]) for name in ("src", "href") if links and known.get(name)]


@pytest.fixture(scope="session")
def pages(book) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(book.rglob("*.html"))}


@builds
def test_sphinx_warns_of_nothing(book):
    assert (book.parent / "book-warnings.txt").read_text() == ""


@builds
def test_every_page_has_the_policy_and_asks_nobody_else(book, pages):
    policy = site.parts("strict").policy()
    for path, page in pages.items():
        text = path.read_text(encoding="utf-8")
        assert text.count(policy) == 1, path
        assert text.index(policy) < text.index("<title")
        fetched = [address for tag, address in page.addresses if tag != "a"]
        assert not [address for address in fetched if re.match(r"(https?:)?//", address)], path


@builds
def test_every_link_leads_somewhere(book, pages):
    lost = []
    for path, page in pages.items():
        for _, address in page.addresses:
            if re.match(r"[a-z]+:|//", address):
                continue
            file, _, anchor = address.partition("#")
            target = (path.parent / file.partition("?")[0]).resolve() if file else path
            if not target.is_file() or (anchor and target in pages and anchor not in pages[target].ids):
                lost.append(f"{path.relative_to(book)} -> {address}")
    assert lost == []


@builds
def test_every_figure_has_words_and_headings_descend_step_by_step(book, pages):
    for path, page in pages.items():
        assert page.silent == [], path
        if "search" not in path.name:
            assert page.headings[0] == 1, path
            assert page.headings.count(1) == 1, path
            assert all(b <= a + 1 for a, b in zip(page.headings, page.headings[1:], strict=False)), path


@builds
def test_explorers_stand_in_lessons_gallery_and_alone(book):
    start = (book / "lessons" / "00_start_here.html").read_text(encoding="utf-8")
    assert start.count('class="course-place" data-explorer="faces"') == 1
    assert start.count('class="course-place" data-explorer="00-switch"') == 1
    assert start.count("In a running notebook a list changes") == 1  # the note on it
    assert not (book / "gallery" / "00-switch.html").exists()
    maps = (book / "lessons" / "08_latent_maps.html").read_text(encoding="utf-8")
    assert maps.count("it moves in a running notebook only") == 1  # a control that computes maps
    first = (book / "index.html").read_text(encoding="utf-8")
    assert "explorers.js" in first
    assert "mystnb" not in first  # the first screen is light
    assert first.index("<h1") < first.index('data-explorer="faces"') < first.index("<p>A trained network")
    for name in ("faces", "clothes", "components", "walk"):
        assert (book / "_static" / "explorers" / f"{name}.bin").is_file()
        alone = (book / "gallery" / f"{name}.html").read_text(encoding="utf-8")
        assert f'data-explorer="{name}"' in alone
        assert f"gallery/{name}-full.html" in alone  # the line that embeds it
        assert f'href="{name}-full.html"' in alone
    glossary = (book / "glossary.html").read_text(encoding="utf-8")
    assert "explorers.js" not in glossary  # no script where no explorer is
    assert 'href="lessons/04_variational_autoencoders.html"' in glossary
    assert "<math" in glossary


@builds
def test_a_marked_term_leads_to_its_entry_and_a_solution_is_folded(book):
    lesson = (book / "lessons" / "04_variational_autoencoders.html").read_text(encoding="utf-8")
    assert 'href="../glossary.html#posterior"' in lesson
    assert "<summary>Hint 1</summary>" in lesson
    assert "Show a solution" in lesson
    assert "BEGIN SOLUTION" not in lesson
    assert "colab-badge" not in lesson


@builds
def test_the_book_is_small(book):
    assert sum(path.stat().st_size for path in book.rglob("*") if path.is_file()) < 60e6
    assert not list(book.rglob("*.map"))


@pytest.mark.slow_because("makes the explorer of the first screen")
def test_the_first_screen_as_one_file(tmp_path):
    file = site.single(tmp_path / "faces.html", say=lambda line: None)
    page = Page(file)
    assert page.addresses == [] or all(address.startswith("data:") for _, address in page.addresses)
    text = file.read_text(encoding="utf-8")
    assert 'id="course-faces.bin"' in text
    (script,) = re.findall(r'(?s)<script type="module">(.*?)</script>', text)
    assert f"script-src {site.parts('strict').allowed(script)} 'wasm-unsafe-eval';" in text
    assert "url(" not in text.partition("<body")[0]
