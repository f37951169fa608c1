"""What is measured of the book, apart from the measuring."""

import gzip

import pytest
from helpers import ROOT, benchmark


@pytest.fixture
def book():
    with benchmark("book") as module:
        yield module


EVENTS = {"faces": ((2.04, 5.5), (8.0, 21.26)), "walk": ((0.3, 4), (1.26, 16))}


def test_the_tables_name_each_figure_beside_its_goal(book):
    assert book.table({"MB of the whole book": 34.567}).splitlines()[-1] == "| MB of the whole book | 34.6 | 60 |"
    lines = book.events_table(EVENTS).splitlines()
    assert lines[0] == "| explorer | ms until drawn | slowed 4 times | at most | ms of work in all | slowed 4 times |"
    assert lines[2:] == ["| faces | 2.0 | 8.0 | 16 | 5.5 | 21.3 |", "| walk | 0.3 | 1.3 | 16 | 4.0 | 16.0 |"]


def test_texts_are_counted_as_a_server_packs_them(book, tmp_path):
    for name in ("a.css", "a.bin"):
        (tmp_path / name).write_bytes(b"body { }" * 1000)
    assert book.compressed(tmp_path / "a.css") == len(gzip.compress(b"body { }" * 1000, 6)) < 100
    assert book.compressed(tmp_path / "a.bin") == 8000
    assert book.size(tmp_path) == 16_000


def test_the_readme_gets_both_tables_between_the_books_marks(book, monkeypatch, tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_bytes((ROOT / "README.md").read_bytes())
    monkeypatch.setattr(book, "README", readme)
    monkeypatch.setattr(book, "measure", lambda folder, seconds: ({"MB of the whole book": 3.0}, [("a", 2100)], EVENTS))
    assert book.main(["--book", str(tmp_path)]) == 0
    assert readme.read_bytes() == (ROOT / "README.md").read_bytes(), "nobody asked for it"
    assert book.main(["--book", str(tmp_path), "--update-readme"]) == 0
    before, after = (file.read_text(encoding="utf-8") for file in (ROOT / "README.md", readme))
    (written,) = book.REGION.findall(after)
    assert book.REGION.sub("", after) == book.REGION.sub("", before)
    inside = after.partition(written[0])[2].partition(written[1])[0]
    assert "| faces | 2.0 | 8.0 | 16 | 5.5 | 21.3 |" in inside
    assert "| MB of the whole book | 3 | 60 |" in inside
    assert "The first screen" not in inside
    assert "2.1 kB  a" in capsys.readouterr().out
    assert book.main(["--book", str(tmp_path), "--update-readme"]) == 0
    assert readme.read_text(encoding="utf-8") == after
