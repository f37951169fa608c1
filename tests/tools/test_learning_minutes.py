"""How long a lesson takes a learner, as its source lets one estimate."""

import doctest
import json
import re

import build_notebooks
import learning_minutes
import pytest
from learning_minutes import FORMULA_WORDS, Part, estimate, exercise_minutes, words
from lesson_cells import ROOT
from notebook_sources import SourceCell, named_cells
from small_course import make_course, run, source


def code(text: str, kind: str = "code", **metadata) -> SourceCell:
    return SourceCell("a", kind, text, metadata)


def prose(text: str) -> SourceCell:
    return code(text, "markdown")


def core(*cells: SourceCell) -> Part:
    return estimate(list(cells)).core


def test_the_examples_in_the_docstrings():
    result = doctest.testmod(learning_minutes)
    assert (result.failed, result.attempted > 5) == (0, True)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("{{header}}\n\n# 02. A title", 3),
        ("| one | two |\n|---|---|\n| 3 | - |", 3),
        ("* **Bold** words, `f(x)` too <br>", 4),
        ("$$\\mathcal{L} = \\frac{1}{B} \\sum_i x_i$$ is\na sum of $a + b$.", FORMULA_WORDS + 5),
        ("<details><summary>Answer</summary>\n\nIt is read.\n\n</details>", 4),
        ("<details>\n<summary>Hint 1</summary>\n\nNot this.\n\n</details>\nthis", 1),
        ("[a link](https://example.org/long/way)", 2),
        ("## References\n\n* A. Author (2020).\n\n## Next\n\nMore.", 2),
        ("## References\n\n* A. Author (2020).", 0),
    ],
)
def test_words_are_those_that_are_read(text, count):
    assert words(text) == count


@pytest.mark.parametrize(
    "text",
    [
        "### Exercise 1: a loss\n\n*Easy, about 12 minutes.* Write it.",
        "### Exercise 2\n\n*Difficulty 2 of 3,\nabout 12 minutes.* Write it.",
        "### Exercise 2a. The penalty (easy, 12 minutes)\n\nWrite it.",
        "### Exercise 3\n\n*Hard, about 12 minutes.*",
    ],
)
def test_every_form_in_which_lessons_state_minutes_is_read(text):
    assert exercise_minutes(text) == 12
    with pytest.raises(ValueError, match="states the minutes of 0"):
        exercise_minutes(text.replace("12", "twelve"))


def test_lines_of_solutions_folded_cells_and_tests_do_not_count():
    solved = "def f(x):\n    # why\n\n    ### BEGIN SOLUTION\n    y = x\n    return y\n    ### END SOLUTION\n"
    assert core(code(solved)).lines == 1
    for more in (code("x = 1", tags=["folded"]), code("x = 1", "test"), code("x = 1", tags=["solution-only"])):
        assert core(code(solved), more).lines == 1
    assert core(code("{{setup}}")) == Part()


@pytest.mark.parametrize(
    ("cells", "figures", "explorers"),
    [
        (["plots.curves(c)\nplots.rows(r)"], 1, 0),
        (["for x in y:\n    fig, ax = plt.subplots()\n    ax.plot(x)"], 1, 0),
        (["plt.rcParams['figure.dpi'] = 80\nplt.rcParams.update({})", "plt.show()", "c = plots.PALETTE[2]"], 0, 0),
        (["def draw():\n    plots.curves(c)\n", "x = 1", "draw()", "draw()"], 2, 0),
        (["def draw():\n    plots.curves(c)\n", "explorer = widgets.FunctionSlider(draw, 0, 1)"], 0, 1),
        (["pad = widgets.LatentPad(m)", "pad", "pad.static()"], 1, 1),
        (["from course_utils.widgets import Pad\nfrom course_utils.plots import rows", "rows(Pad(m))"], 1, 1),
        (["from ipywidgets import interact", "interact(f, x=(0, 1))"], 0, 1),
        (["import ipywidgets as widgets\nwidgets.interact(f, x=1)", "widgets.helper()"], 0, 1),
    ],
)  # fmt: skip
def test_figures_and_explorers_are_seen_in_the_source(cells, figures, explorers):
    found = core(*map(code, cells))
    assert (found.figures, found.explorers) == (figures, explorers)


def test_what_the_course_draws_is_what_is_counted():
    """Against the stored outputs, where these belong to the source: several figures of one cell count once."""
    for path in sorted((ROOT / "notebooks" / "src").glob("*.py")):
        stored = json.loads((ROOT / "notebooks" / "solutions" / f"{path.stem}.ipynb").read_bytes())
        cells = named_cells(path)
        code_now = {cell.name: cell.source for cell in cells if cell.kind == "code"}
        shown = [cell for cell in stored["cells"] if cell["cell_type"] == "code"]
        if [cell["id"] for cell in shown] != list(code_now) or not any(cell["outputs"] for cell in shown):
            continue  # not executed since it changed: --check says so
        with_figure = [c["id"] for c in shown if any("image/png" in o.get("data", {}) for o in c["outputs"])]
        code = "\n".join(code_now.values())
        mine = set(re.findall(r"(?m)^(\w+) = checks\.accept", code))
        mine |= {name for name, made in re.findall(r"(?m)^(\w+) = (\w+)\(", code) if made in mine}
        shows = {
            name: code.strip().splitlines()[-1].partition("#")[0].split("(")[0].split(" = ")[-1].strip()
            for name, code in code_now.items()
            if code.strip()
        }
        others = [c for c in shown if shows.get(c["id"]) not in mine]  # one's own control is an exercise
        texts = ["".join(o.get("data", {}).get("text/plain", "")) for c in others for o in c["outputs"]]
        explorers = sum(text.startswith("An explorer stands here") for text in texts)
        found = estimate(cells)
        assert found.core.figures + found.further.figures == len(with_figure), (path.name, with_figure)
        assert found.core.explorers + found.further.explorers == explorers, path.name


def test_all_from_the_first_further_heading_on_is_further():
    cells = [prose("# 02. What?"), code("x = 1"), prose("## Further: more of it\n\nWords."), code("y = 2\nz = 3")]
    found = estimate(cells)
    assert (found.core.words, found.core.lines) == (3 - 1, 1)
    assert (found.further.words, found.further.lines) == (5, 2)
    assert estimate([prose("## Further reading\n\nBooks.")]).further == Part()
    for wrong in ("# Further: more", "## Further", "## Further. More", "### Further: more"):
        with pytest.raises(ValueError, match="'## Further: title'"):
            estimate([prose(wrong)])


def test_minutes_add_up():
    assert Part(words=260, lines=20, figures=3, explorers=2, exercises=15).minutes == 2 + 2 + 3 + 6 + 15
    assert Part(words=65 + 13).minutes == 1


MORE = """
# %% [markdown] task
# ### Exercise 1
#
# *Hard, about 70 minutes.* Write it.

# %% [markdown] more
# ## Further: two figures
#
# *{{learning}}*

# %% drawn
plots.curves(c)

# %% drawn-again
plots.curves(c)
"""


def test_what_is_built_states_core_and_further(tmp_path, capsys):
    root = make_course(tmp_path / "course")
    path = source(root, "01")
    path.write_text(path.read_text() + MORE)
    assert run(root) == 0
    assert "; 71 + 2 minutes of learning; " in capsys.readouterr().out
    entry = json.loads((root / "data" / "lessons.json").read_bytes())["lessons"][1]
    assert (entry["core_minutes"], entry["further_minutes"]) == (71, 2)
    assert "*about 70 minutes, and 5 more for the further sections*" in (root / "notebooks" / "01_latent_space.ipynb").read_text()  # fmt: skip  # noqa: E501
    for page in ("README.md", "notebooks/README.md"):
        assert "| What is a latent space? | 70 + 5 min | not measured |" in (root / page).read_text()


def test_a_core_that_is_too_long_is_named_once_its_lesson_is_limited(tmp_path, monkeypatch, capsys):
    root = make_course(tmp_path / "course")
    path = source(root, "01")
    path.write_text(path.read_text() + MORE)
    monkeypatch.setattr(build_notebooks.learning_minutes, "LIMITED", {"02"})
    run(root)
    run(root, "--check")
    assert "over 60" not in capsys.readouterr().out
    monkeypatch.setattr(build_notebooks.learning_minutes, "LIMITED", {"00", "01"})
    assert run(root, "--check") == 1
    long = "notebooks/src/01_latent_space.py: its core takes about 71 minutes, over 60; shorten it"
    printed = capsys.readouterr().out
    assert long in printed
    assert printed.count("over 60") == 1  # lesson 00 is limited and short
