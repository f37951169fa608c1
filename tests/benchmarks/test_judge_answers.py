"""What checks say to a folder of answers is counted."""

import sys

from helpers import benchmark


def test_refused_and_accepted_answers_are_counted(tmp_path, monkeypatch, capsys):
    (tmp_path / "00").mkdir()
    (tmp_path / "00" / "midpoint.py").write_text(
        "def right_1(z_a, z_b):\n    return 0.5 * z_a + 0.5 * z_b\n\n\n"
        "def right_2(z_a, z_b):\n    return z_a\n\n\n"
        "def wrong_1(z_a, z_b):\n    return z_a + z_b\n\n\n"
        "def wrong_2(z_a, z_b):\n    return (z_a + z_b) / 2\n"
    )
    monkeypatch.setattr(sys, "argv", ["judge_answers.py", str(tmp_path)])
    with benchmark("judge_answers") as judge:
        assert judge.main() == 1
    printed = capsys.readouterr().out
    assert "right: 2, refused: 1, wrong: 2, accepted: 1, by a message of the exercise: 1;" in printed
    assert "!! midpoint right_2" in printed
    assert "!! midpoint wrong_2" in printed
