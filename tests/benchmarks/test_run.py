import pytest
from helpers import ROOT, benchmark


@pytest.fixture
def run():
    with benchmark("run") as module:
        yield module


def test_the_readme_has_a_place_for_the_table(run):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert run.updated(run.updated(text, "first"), "second") == run.updated(text, "second")
    assert "\nsecond\n" in run.updated(text, "second")


def test_only_what_stands_between_the_marks_is_replaced(run, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(run, "README", tmp_path / "README.md")
    run.README.write_bytes(
        "# Ä\n<!-- benchmark:begin (written by run.py) -->\nold\n<!-- benchmark:end -->\nrest\n".encode()
    )
    monkeypatch.setattr(run.explorers, "measure", lambda rounds: {"LatentPad": (0.5, 10.0)})
    assert run.main(["--update-readme"]) == 0
    text = run.README.read_bytes().decode()
    assert text.startswith("# Ä\n<!-- benchmark:begin (written by run.py) -->\n| explorer |")
    assert "| `LatentPad` | 0.50 ms | 10.0 ms | 1/20 |" in text
    assert text.endswith("<!-- benchmark:end -->\nrest\n")
    assert "old" not in text
    assert capsys.readouterr().out.strip() in text
    run.README.write_text("no marks")
    with pytest.raises(ValueError, match="benchmark:begin"):
        run.main(["--update-readme"])
