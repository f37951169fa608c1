"""The glossary itself, the marks by which lessons lead to it, and what the builder makes of them."""

import doctest
import json
import re
from dataclasses import replace

import build_notebooks
import glossary
import learning_minutes
import pytest
from glossary import Entry, linked, marked, read, shown
from helpers import ROOT
from notebook_sources import build_all, read_course
from small_course import edit, make_course, run, source

TEXT = (ROOT / "docs" / "GLOSSARY.md").read_text(encoding="utf-8")
ENTRIES = read(TEXT)
LESSONS = sorted((ROOT / "notebooks" / "src").glob("*.py"))
CYRILLIC, LATIN = "а-яёА-ЯЁ", "a-zA-Z"

SMALL = """# Glossary

Words.

## kl divergence

The **KL divergence** is $x$.

Symbol: `kl` · First in: lesson 01\\
German: KL\\
Russian: расстояние\\
Turkish: ıraksama

## prior

It comes first.

Symbol: none · First in: lesson 00\\
German: A-priori-Verteilung\\
Russian: априорное распределение\\
Turkish: önsel dağılım

## residual block

It adds.

Symbol: none · First in: the package\\
German: Residualblock\\
Russian: блок\\
Turkish: blok
"""


# ----------------------------------------------------------------------------------------- the glossary itself


def test_the_examples_in_the_docstrings():
    result = doctest.testmod(glossary)
    assert (result.failed, result.attempted) == (0, 3)


def test_an_entry_has_all_that_it_promises():
    entries = read(SMALL)
    assert list(entries) == ["kl-divergence", "prior", "residual-block"]
    assert entries["prior"] == Entry(
        "prior", "It comes first.", "none", "00", "A-priori-Verteilung", "априорное распределение", "önsel dağılım"
    )
    assert entries["residual-block"].first == glossary.PACKAGE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("## prior", "## Prior"),
        ("It comes first.\n\n", ""),
        ("Symbol: none · First in: lesson 00", "First in: lesson 00"),
        ("lesson 00", "lesson 0"),
        ("German: A-priori-Verteilung\\\n", ""),
        ("Russian: априорное распределение\\", "Russian: априорное распределение"),
        ("Turkish: önsel dağılım\n", "Turkish:\n"),
        ("Turkish: önsel dağılım\n", "Turkish: önsel dağılım\nMore.\n"),
    ],
)
def test_an_entry_of_another_form_is_named(old, new):
    assert SMALL.count(old) == 1
    with pytest.raises(ValueError, match=r"docs/GLOSSARY\.md: the entry '[Pp]rior' is not of the form"):
        read(SMALL.replace(old, new))


def test_two_entries_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two entries 'prior'"):
        read(SMALL.replace("## kl divergence", "## prior"))


def test_the_entries_are_in_alphabetical_order_with_anchors_of_their_own():
    assert len(ENTRIES) > 200
    terms = [entry.term for entry in ENTRIES.values()]
    assert terms == sorted(terms)
    headings = re.findall(r"(?m)^#+ (.+)$", TEXT)
    assert headings == ["Glossary", *terms]  # so a heading's text, hyphenated, is its anchor on GitHub and in Jupyter


def test_entries_name_lessons_that_are_there():
    numbers = {path.stem[:2] for path in LESSONS}
    assert {entry.first for entry in ENTRIES.values()} <= numbers | {glossary.PACKAGE}


def sentences(text: str) -> list[str]:
    """Sentences of an entry, each formula and each piece of code as one word."""
    plain = re.sub(r"\$[^$]+\$|`[^`]+`", "formula", " ".join(text.split()))
    return re.split(r"(?<=[.:;?!])\s+(?=[A-Z*]|formula)", plain)


def test_sentences_are_told_apart():
    assert len(sentences("One $a. B$ two. Three `x. Y` at 0.5. A **b**: c\nd.")) == 3


def faults_of_style(entry: Entry) -> list[str]:
    """What is not short and plain in an entry, or would not be shown as it is meant."""
    found, prose = [], re.sub(r"\$[^$]+\$|`[^`]+`", "", entry.text)
    parts = sentences(entry.text)
    if len([part for part in parts if not part.endswith(":")]) > 3:
        found.append("more than three sentences")
    found += [f"a long sentence: {part}" for part in parts if len(part.split()) > 34]
    found += [f"a break in a sentence: {mark}" for mark in re.findall("[\u2013\u2014!;]| - ", prose)]
    # GitHub eats the backslash of these in a formula within a line.
    found += [f"{sign} in a formula" for sign in re.findall(r"\\[,;!|{}]", entry.text + entry.symbol)]
    if entry.text.count("$") % 2 or entry.symbol.count("$") % 2:
        found.append("a formula without its end")
    if max(map(len, entry.text.splitlines())) > 120:
        found.append("a long line")
    named = re.search(rf"(?i)(?<!^)(?<![.:] ){re.escape(entry.term)}", " ".join(entry.text.split()))
    if named and named[0] != entry.term and "**" not in entry.text:
        found.append(f"{named[0]}, written otherwise than the heading, is not in bold")
    return found


def faults_of_languages(entry: Entry) -> list[str]:
    """Where a term is not in its language, or letters of two alphabets are mixed, which often look alike."""
    wrong = {
        "no German": not re.search(f"[{LATIN}]", entry.german) or re.search(f"[{CYRILLIC}ışğİ]", entry.german),
        "no Turkish": not re.search(f"[{LATIN}]", entry.turkish) or re.search(f"[{CYRILLIC}ßä]", entry.turkish),
        "no Russian": not re.search(f"[{CYRILLIC}]{{3}}", entry.russian),
        "mixed letters": re.search(f"[{CYRILLIC}][{LATIN}]|[{LATIN}][{CYRILLIC}]", entry.russian),
        "odd spaces": any(term != " ".join(term.split()) for term in (entry.german, entry.russian, entry.turkish)),
        "odd brackets": any(
            not term.count("(") == term.count(")") <= 1 for term in (entry.german, entry.russian, entry.turkish)
        ),
    }
    return [name for name, is_wrong in wrong.items() if is_wrong]


def test_faults_of_an_entry_are_found():
    fine = Entry("kl", "A **KL** is $a$. It is small. It is 0.", "none", "06", "KL-Term", "член", "terim (kl)")
    assert faults_of_style(fine) == faults_of_languages(fine) == []
    for text, fault in {
        "A. B. C. D.": "more than three sentences",
        "It is" + " so" * 34: "a long sentence",
        "One; two.": "a break in a sentence",
        "One \u2014 two.": "a break in a sentence",
        "$a\\,b$.": "\\, in a formula",
        "$a.": "a formula without its end",
        "x" * 121: "a long line",
        "This is KL.": "KL, written otherwise",
    }.items():
        assert [found.startswith(fault) for found in faults_of_style(replace(fine, text=text))] == [True], text
    for change, fault in [
        ({"german": "Größe ı"}, "no German"),
        ({"turkish": "Größe"}, "no Turkish"),
        ({"russian": "term"}, "no Russian"),
        ({"russian": "член cвёртки"}, "mixed letters"),  # with a Latin c
        ({"turkish": "iki  boşluk"}, "odd spaces"),
        ({"german": "Term (KL"}, "odd brackets"),
    ]:
        assert faults_of_languages(replace(fine, **change)) == [fault]


@pytest.mark.parametrize("faults", [faults_of_style, faults_of_languages])
def test_no_entry_has_faults(faults):
    assert {name: found for name, entry in ENTRIES.items() if (found := faults(entry))} == {}


# --------------------------------------------------------------------------------------------------- the marks


def test_marks_become_links_and_words():
    text = "A [[KL\ndivergence]] from **[[the prior|prior]]**."
    assert linked(text, "G.md") == "A [KL\ndivergence](G.md#kl-divergence) from **[the prior](G.md#prior)**."
    assert shown(text) == "A KL\ndivergence from **the prior**."
    assert marked([("one", text)], read(SMALL)) == {"kl-divergence": "one", "prior": "one"}


@pytest.mark.parametrize(
    "text",
    ["`[[prior]]`", "```\n[[nothing]]\n```", "$[[a]]$ or $$[[b\n]]$$", "`torch.tensor([[1.0, 2.0], [3.0, 4.0]])`"],
)
def test_code_and_formulas_hold_no_marks(text):
    assert linked(text, "G.md") == shown(text) == text
    assert marked([("one", text)], read(SMALL)) == {}


def test_words_of_a_mark_may_hold_a_formula():
    assert linked("[[small $q(z)$|prior]] $x$", "G.md") == "[small $q(z)$](G.md#prior) $x$"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["[[priors]]"], r"cell 'a': docs/GLOSSARY\.md has no entry 'priors'; it has 'prior'\."),
        (["[[xylophone]]"], r"cell 'a': docs/GLOSSARY\.md has no entry 'xylophone'\."),
        (["[[prior]]", "a [[draw|prior]]"], "cell 'b': the term 'prior' is marked in cell 'a' already; mark it once"),
        (["## 1. The [[prior]]"], "cell 'a': 'prior' is marked in a heading or in HTML"),
        (["x\n<summary>[[prior]]</summary>"], "cell 'a': 'prior' is marked in a heading or in HTML"),
        (["[[a|b|c]]"], r"cell 'a': '\[\[' begins no '\[\[term\]\]' or '\[\[words\|term\]\]' in the line"),
        (["[[prior] x"], r"cell 'a': '\[\[' begins no"),
    ],
)  # fmt: skip
def test_a_wrong_mark_is_named_in_one_sentence(cells, message):
    with pytest.raises(ValueError, match=message) as raised:
        marked(list(zip("ab", cells, strict=False)), read(SMALL))
    assert "\n" not in str(raised.value)


# ------------------------------------------------------------------------------------------------- the builder


@pytest.fixture
def course(tmp_path):
    root = make_course(tmp_path / "course")
    (root / "docs").mkdir()
    (root / "docs" / "GLOSSARY.md").write_text(SMALL, encoding="utf-8")
    edit(source(root, "01"), "# # 01. What is a latent space?", "# # 01. A title\n#\n# What is [[the prior|prior]]?")
    return root


def cell(root, name: str) -> str:
    made = json.loads((root / "notebooks" / f"{name}.ipynb").read_bytes())
    return "".join(next(cell for cell in made["cells"] if cell["id"] == "title")["source"])


def test_both_notebooks_get_a_link_that_leads_to_the_entry(course):
    assert run(course) == 0
    for name, link in {"01_latent_space": "../docs", "solutions/01_latent_space": "../../docs"}.items():
        assert cell(course, name).endswith(f"What is [the prior]({link}/GLOSSARY.md#prior)?")
        assert (course / "notebooks" / name).parent.joinpath(link, "GLOSSARY.md").is_file()
    lesson = json.loads((course / "data" / "lessons.json").read_bytes())["lessons"][1]
    assert lesson["question"] == "What is the prior?"


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("https://github.com/ann/first", "https://github.com/ann/first/blob/trunk/docs/GLOSSARY.md"),
        ("https://example.org/ann/first", "../docs/GLOSSARY.md"),  # Colab opens nothing from there
    ],
)
def test_with_a_public_address_links_lead_there(course, address, target):
    assert run(course, "--address", address) == 0
    assert cell(course, "01_latent_space").endswith(f"[the prior]({target}#prior)?")
    assert cell(course, "solutions/01_latent_space").endswith(f"{target}#prior)?")


def test_a_wrong_mark_stops_the_builder_with_lesson_and_cell(course, capsys):
    edit(source(course, "01"), "|prior]]", "|pryor]]")
    assert run(course) == 2
    said = capsys.readouterr().err
    assert said == ("error: 01_latent_space.py: cell 'title': docs/GLOSSARY.md has no entry 'pryor'; it has 'prior'.\n")


def test_a_course_without_a_glossary_has_no_marks(course, capsys):
    (course / "docs" / "GLOSSARY.md").unlink()
    assert run(course) == 2
    assert "docs/GLOSSARY.md has no entry 'prior'." in capsys.readouterr().err


def test_a_damaged_glossary_stops_the_builder(course, capsys):
    edit(course / "docs" / "GLOSSARY.md", "First in: lesson 01", "first in lesson 01")
    assert run(course) == 2
    assert "error: docs/GLOSSARY.md: the entry 'kl divergence' is not of the form" in capsys.readouterr().err


def test_only_the_words_that_are_shown_count(course):
    run(course)
    words = learning_minutes.words(source(course, "01").read_text())
    edit(source(course, "01"), "[[the prior|prior]]", "the prior")
    assert learning_minutes.words(source(course, "01").read_text()) == words


def test_a_term_that_is_not_marked_where_it_first_appears_is_named_for_lessons_that_are_done(
    course, monkeypatch, capsys
):
    monkeypatch.setattr(build_notebooks.learning_minutes, "LINKED", {"02"})
    run(course)
    run(course, "--check")
    assert "first appearance" not in capsys.readouterr().out
    monkeypatch.setattr(build_notebooks.learning_minutes, "LINKED", {"00", "01"})
    assert run(course, "--check") == 1
    found = [line for line in capsys.readouterr().out.splitlines() if "first appearance" in line]
    assert found == [
        "notebooks/src/00_start_here.py: does not mark the first appearance of prior; write [[term]], or correct "
        "docs/GLOSSARY.md",
        "notebooks/src/01_latent_space.py: does not mark the first appearance of kl-divergence; write [[term]], or "
        "correct docs/GLOSSARY.md",
    ]


@pytest.mark.parametrize(
    ("mark", "where"), [("[[KL divergence]]", "lesson 01 first"), ("[[residual block]]", "no lesson")]
)
def test_a_mark_before_the_first_appearance_is_named(course, capsys, mark, where):
    edit(source(course, "00"), "# Goodbye,", f"# {mark}. Goodbye,")
    run(course)
    assert f"00_start_here.py: marks {mark.strip('[]').lower().replace(' ', '-')!r} in bye; docs/GLOSSARY.md has it in {where}" in capsys.readouterr().out  # fmt: skip  # noqa: E501
    assert run(course, "--check") == 1


# -------------------------------------------------------------------------------------------------- the lessons


@pytest.fixture(scope="module")
def built():
    course = read_course(ROOT)
    return course, build_all(course, {})


def test_lessons_and_glossary_agree_on_first_appearances(built):
    course, lessons = built
    assert [found for lesson in lessons for found in build_notebooks.term_complaints(course, lesson)] == []


def test_lessons_whose_links_must_be_there_are_lessons():
    assert {path.stem[:2] for path in LESSONS} >= learning_minutes.LINKED


@pytest.mark.parametrize("folder", ["notebooks", "notebooks/solutions"])
def test_links_of_the_built_notebooks_lead_to_entries(built, folder):
    course, lessons = built
    public = course.glossary_link("").startswith("https:")
    for lesson in lessons:
        path = ROOT / folder / f"{lesson.name}.ipynb"
        cells = [cell for cell in json.loads(path.read_bytes())["cells"] if cell["cell_type"] == "markdown"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
        assert "[[" not in re.sub(glossary.NOT_PROSE, "", text, flags=re.DOTALL)
        links = re.findall(r"\]\(([^)\s]*GLOSSARY\.md)#([^)\s]+)\)", text)
        assert sorted(term for _, term in links) == sorted(lesson.terms), path.name
        assert {term for _, term in links} <= set(ENTRIES)
        for target in {target for target, _ in links}:
            assert target == course.glossary_link("../" * (folder.count("/") + 1))
            assert public or (path.parent / target).is_file()
