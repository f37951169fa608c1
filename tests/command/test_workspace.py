import errno
import json
from datetime import date

import pytest

from course_utils import files
from course_utils.command import workspace

COPY = f"(my copy {date.today().isoformat()})"


def notebook(*texts, outputs=(), count=None, **metadata):
    cells = [
        {
            "cell_type": "code",
            "id": f"c{i}",
            "source": text,
            "metadata": {},
            "execution_count": count,
            "outputs": [*outputs],
        }
        for i, text in enumerate(texts)
    ]
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}).encode()


RUN = {"outputs": [{"output_type": "stream", "name": "stdout", "text": ["2\n"]}], "count": 3}


@pytest.fixture
def course(tmp_path):
    """A course of two lessons, and a workspace that has them."""
    source = tmp_path / "notebooks"
    (source / "solutions").mkdir(parents=True)
    (source / "src").mkdir()
    (source / "src" / "00_start.py").write_text("# %% source")
    for name in ("00_start.ipynb", "02_auto.ipynb", "solutions/02_auto.ipynb"):
        (source / name).write_bytes(notebook(f"print('{name}')", "pass"))
    target = tmp_path / "work"
    workspace.prepare(target, source=source)
    return source, target


def everything(target):
    return {p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*.ipynb")}


def test_first_copy_holds_lessons_and_solutions_and_nothing_else(tmp_path, course):
    source, _ = course
    report = workspace.prepare(tmp_path / "new", source=source)
    assert report.copied == ["00_start.ipynb", "02_auto.ipynb", "solutions/02_auto.ipynb"]
    files = {p.relative_to(tmp_path / "new").as_posix() for p in (tmp_path / "new").rglob("*") if p.is_file()}
    assert files == {*report.copied, workspace.STATE_FILE}
    assert (tmp_path / "new" / "02_auto.ipynb").read_bytes() == (source / "02_auto.ipynb").read_bytes()


def test_the_glossary_lies_where_the_links_of_the_lessons_find_it(course):
    source, target = course
    docs = source.parent / "docs"
    docs.mkdir()
    (docs / "GLOSSARY.md").write_text("# Glossary\n")
    report = workspace.prepare(target, source=source)
    assert report.copied == ["docs/GLOSSARY.md"]
    assert report.lines() == []  # no notebook was copied
    assert (target / "docs" / "GLOSSARY.md").read_text() == "# Glossary\n"
    (docs / "GLOSSARY.md").write_text("# Glossary\n\n## prior\n")
    assert workspace.prepare(target, source=source).refreshed == ["docs/GLOSSARY.md"]
    (target / "docs" / "GLOSSARY.md").write_text("my notes")
    (docs / "GLOSSARY.md").write_text("# Newer\n")
    said = workspace.prepare(target, source=source).lines()
    assert "`course lab --fresh docs/GLOSSARY.md`" in said[0]
    assert (target / "docs" / "GLOSSARY.md").read_text() == "my notes"
    report = workspace.prepare(target, source=source, fresh=("docs/GLOSSARY.md",))
    assert report.set_aside == {"docs/GLOSSARY.md": f"GLOSSARY {COPY}.md"}
    assert (target / "docs" / "GLOSSARY.md").read_text() == "# Newer\n"


def test_the_course_has_a_glossary_to_copy():
    assert (files.docs_dir() / "GLOSSARY.md").is_file()


def test_a_second_run_does_nothing_and_a_deleted_lesson_comes_back(course):
    source, target = course
    before = everything(target)
    assert workspace.prepare(target, source=source) == workspace.Report(target)
    assert everything(target) == before
    (target / "02_auto.ipynb").unlink()
    assert workspace.prepare(target, source=source).copied == ["02_auto.ipynb"]
    assert everything(target) == before


def test_an_unchanged_lesson_is_refreshed(course):
    source, target = course
    new = notebook("a better lesson")
    (source / "02_auto.ipynb").write_bytes(new)
    report = workspace.prepare(target, source=source)
    assert report.refreshed == ["02_auto.ipynb"]
    assert report.set_aside == {}
    assert (target / "02_auto.ipynb").read_bytes() == new
    assert len(everything(target)) == 3
    assert workspace.prepare(target, source=source).lines() == []


def test_a_changed_lesson_is_never_touched(course):
    source, target = course
    mine = notebook("print('my own answer')", "pass")
    (target / "02_auto.ipynb").write_bytes(mine)
    assert workspace.prepare(target, source=source).lines() == []  # the course has nothing newer
    (source / "02_auto.ipynb").write_bytes(notebook("a better lesson"))
    for _ in range(2):
        report = workspace.prepare(target, source=source)
        assert report.outdated == ["02_auto.ipynb"]
        assert "--fresh 02`" in report.lines()[0]
        assert (target / "02_auto.ipynb").read_bytes() == mine
    assert len(everything(target)) == 3


def test_outputs_alone_are_no_change_and_are_still_kept(course):
    source, target = course
    old = (source / "02_auto.ipynb").read_bytes()
    run = notebook("print('02_auto.ipynb')", "pass", **RUN, language_info={"version": "3.12"})
    assert run != old
    (target / "02_auto.ipynb").write_bytes(run)
    assert workspace.prepare(target, source=source).lines() == []
    assert (target / "02_auto.ipynb").read_bytes() == run

    new = notebook("a better lesson")
    (source / "02_auto.ipynb").write_bytes(new)
    report = workspace.prepare(target, source=source)
    assert report.set_aside == {"02_auto.ipynb": f"02_auto {COPY}.ipynb"}
    assert (target / "02_auto.ipynb").read_bytes() == new
    assert (target / f"02_auto {COPY}.ipynb").read_bytes() == run
    assert workspace.prepare(target, source=source).lines() == []


def test_new_outputs_in_the_course_do_not_replace_the_learners(course):
    source, target = course
    text = ("print('solutions/02_auto.ipynb')", "pass")
    (target / "solutions/02_auto.ipynb").write_bytes(notebook(*text, count=7))
    (source / "solutions/02_auto.ipynb").write_bytes(notebook(*text, **RUN))
    assert workspace.prepare(target, source=source).lines() == []
    assert (target / "solutions/02_auto.ipynb").read_bytes() == notebook(*text, count=7)
    # ... and a later change of the text still finds them unchanged
    (source / "solutions/02_auto.ipynb").write_bytes(notebook("another text"))
    assert workspace.prepare(target, source=source).set_aside


@pytest.mark.parametrize("asked", ["02", "02_auto", "02_auto.ipynb"])
def test_fresh_keeps_the_learners_copy_beside(course, asked):
    source, target = course
    original = (source / "02_auto.ipynb").read_bytes()
    kept = {}
    for name, mine in (
        (f"02_auto {COPY}.ipynb", notebook("first")),
        (f"02_auto {COPY[:-1]} 2).ipynb", notebook("again")),
    ):
        (target / "02_auto.ipynb").write_bytes(mine)
        report = workspace.prepare(target, source=source, fresh=(asked,))
        assert report.set_aside == {"02_auto.ipynb": name}
        kept[name] = mine
    now = everything(target)
    assert {name: now[name] for name in kept} == kept
    assert now["02_auto.ipynb"] == original
    assert len(now) == 5
    assert workspace.prepare(target, source=source, fresh=(asked,)).lines() == []  # fresh already


def test_fresh_clears_outputs_too_and_keeps_the_run_beside(course):
    source, target = course
    run = notebook("print('02_auto.ipynb')", "pass", **RUN)
    (target / "02_auto.ipynb").write_bytes(run)
    workspace.prepare(target, source=source, fresh=("02",))
    assert (target / "02_auto.ipynb").read_bytes() == (source / "02_auto.ipynb").read_bytes()
    assert (target / f"02_auto {COPY}.ipynb").read_bytes() == run


def test_fresh_of_a_solution_and_of_a_lesson_that_is_not_there(course):
    source, target = course
    (target / "solutions/02_auto.ipynb").write_bytes(b"broken by hand")
    report = workspace.prepare(target, source=source, fresh=("solutions/02_auto.ipynb",))
    assert (target / "solutions" / f"02_auto {COPY}.ipynb").read_bytes() == b"broken by hand"
    assert list(report.set_aside) == ["solutions/02_auto.ipynb"]
    before = everything(target)
    with pytest.raises(ValueError, match=r"no lesson '77': give one of 00, 02\."):
        workspace.prepare(target, source=source, fresh=("77",))
    assert everything(target) == before


@pytest.mark.parametrize("record", [None, b"", b"[]", b'{"lessons": {"02_auto.ipynb": 3}}', b'{"lessons": []}'])
def test_without_its_record_every_changed_lesson_counts_as_the_learners(course, record):
    source, target = course
    state = target / workspace.STATE_FILE
    state.unlink() if record is None else state.write_bytes(record)
    mine = notebook("print('my own answer')")
    (target / "02_auto.ipynb").write_bytes(mine)
    report = workspace.prepare(target, source=source)
    assert (target / "02_auto.ipynb").read_bytes() == mine
    assert report.refreshed == []
    # the lessons that are as the course has them are on record again
    (source / "00_start.ipynb").write_bytes(notebook("newer"))
    assert workspace.prepare(target, source=source).refreshed == ["00_start.ipynb"]


def test_a_full_disk_loses_nothing(course, monkeypatch):
    source, target = course
    mine = notebook("print('my own answer')")
    (target / "02_auto.ipynb").write_bytes(mine)
    before = everything(target)
    real = files.write_atomically

    def full(path, data):
        if "my copy" in path.name:
            raise OSError(errno.ENOSPC, f"could not write {path}")
        return real(path, data)

    monkeypatch.setattr(files, "write_atomically", full)
    with pytest.raises(OSError, match="could not write"):
        workspace.prepare(target, source=source, fresh=("02",))
    assert everything(target) == before


def test_no_lessons_and_a_target_that_cannot_be_one(tmp_path, course):
    source, _ = course
    with pytest.raises(ValueError, match="there are no lessons in"):
        workspace.prepare(tmp_path / "w", source=tmp_path / "empty")
    with pytest.raises(ValueError, match="cannot hold your copies"):
        workspace.prepare(source, source=source)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="cannot hold your copies"):
        workspace.prepare(tmp_path / "file", source=source)


def test_what_counts_as_written():
    base = notebook("a = 1", "b = 2")
    assert workspace.written(base) == workspace.written(
        notebook(["a = ", "1"], "b = 2", **RUN, kernelspec={"name": "x"})
    )
    assert len({workspace.written(n) for n in (base, notebook("b = 2", "a = 1"), notebook("a = 1b = 2"), b"{}")}) == 4
    assert workspace.written(base) != workspace.written(base.replace(b'"code"', b'"markdown"'))
    picture = base.replace(b'"source"', b'"attachments": {"a.png": {"image/png": "AAAA"}}, "source"')
    assert len({workspace.written(n) for n in (base, picture, picture.replace(b"AAAA", b"BBBB"))}) == 3


def test_where_the_workspace_lies(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_WORK", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkout").mkdir()
    monkeypatch.setattr(files, "notebooks_dir", lambda: tmp_path / "checkout" / "notebooks")
    assert workspace.default_target() == tmp_path / "latent-spaces"
    (tmp_path / "latent-spaces").mkdir()
    (tmp_path / "latent-spaces" / workspace.STATE_FILE).touch()
    monkeypatch.chdir(tmp_path / "latent-spaces")  # started from within it: not another one inside
    assert workspace.default_target() == tmp_path / "latent-spaces"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkout" / "pyproject.toml").touch()
    assert workspace.default_target() == tmp_path / "checkout" / "work"
    monkeypatch.setattr(workspace.Path, "home", lambda: tmp_path / "home")
    assert workspace.default_target(hub=True) == tmp_path / "home" / "latent-spaces"
    monkeypatch.setenv("COURSE_WORK", "elsewhere")
    assert workspace.default_target(hub=True) == tmp_path / "elsewhere"
    assert workspace.default_target() == tmp_path / "elsewhere"
