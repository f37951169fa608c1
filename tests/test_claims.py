import json
import re
import statistics

import pytest

from course_utils import claims, stored
from course_utils.claims import Claim, Evidence, Range, code_digest, evidence, grid, load

RUNS = [
    {"setting": {"seed": seed, "epochs": epochs, "dim": 3}, "numbers": {"a": seed + epochs / 10, "b": 1250.0 * epochs}}
    for epochs in (2, 8)
    for seed in (5, 6, 8)
]
LABELS = {"a": "first", "b": "second, with a | in it"}
TWO = """
from course_utils.claims import Claim, grid

FACTOR = 2
OTHER = 3

def times(x):
    return FACTOR * x  # a comment

def one(*, seed):
    return {"value": times(seed)}

def two(*, seed):
    return {"value": OTHER * seed}

CLAIMS = (
    Claim("one", "One.", one, grid(seed=range(3)), {"value": "value"}, lambda runs: True),
    Claim("two", "Two.", two, grid(seed=range(2)), {"value": "value"}, lambda runs: True),
)
"""


def test_a_range_is_the_median_between_the_lowest_and_the_highest():
    values = (3.0, -1.0, 7.5, 4.25)
    one = Range(values)
    assert one.median == statistics.median(values)
    assert (one.low, one.high) == (-1.0, 7.5)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0.05119, 0.0469, 0.0602), "0.0512 (0.0469 to 0.0602)"),
        ((1.0, 1.25, 1.5), "1.25 (1 to 1.5)"),
        ((1249.7, 1300.0, 1200.0), "1,250 (1,200 to 1,300)"),
        ((0.5,), "0.5"),
        ((0.0, 0.0), "0"),
        ((-0.123456, 23.44, 100.4), "23.4 (-0.123 to 100)"),
        ((0.999999, 0.9, 1.1), "1 (0.9 to 1.1)"),
        ((float("nan"),), "nan"),
    ],
)
def test_a_range_shows_three_digits(values, text):
    assert str(Range(values)) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0.273, 0.299, 0.367), "30% (27% to 37%)"),
        ((0.003951, 0.003951, 0.00938), "0.4% (0.4% to 0.94%)"),
        ((0.998, 0.9993, 1.0), "99.9% (99.8% to 100%)"),
        ((0.0, 0.0222), "1.1% (0% to 2.2%)"),
        ((1.0,), "100%"),
    ],
)
def test_a_range_of_shares_in_hundredths(values, text):
    assert Range(values).percent == text


def test_runs_can_be_chosen_by_their_setting_and_come_with_their_numbers():
    some = Evidence("It is so.", LABELS, RUNS)
    assert some.over("a", epochs=8).values == (5.8, 6.8, 8.8)
    assert some.over("a", epochs=2, seed=6).values == (6.2,)
    assert len(some.over("a").values) == len(some) == 6
    assert next(iter(some)) == {"seed": 5, "epochs": 2, "dim": 3, "a": 5.2, "b": 2500.0}
    with pytest.raises(ValueError, match=r"'c' with epochs = 8. There are the numbers a, b, and runs such as seed=5"):
        some.over("c", epochs=8)
    with pytest.raises(ValueError, match="'a' with epochs = 3"):
        some.over("a", epochs=3)


def test_a_table_has_a_column_for_each_setting_that_varies():
    text = repr(Evidence("It is so.", LABELS, RUNS, "claims/99.py"))
    lines = text.splitlines()
    assert lines[0] == "It is so."
    assert lines[1].split("  ")[-1] == "epochs 8"
    assert re.split(r"\s{2,}", lines[2]) == ["first", "6.2 (5.2 to 8.2)", "6.8 (5.8 to 8.8)"]
    assert lines[-1] == "6 runs, 3 seeds: median (lowest to highest), dim 3; computed by claims/99.py"


def test_a_table_with_more_settings_than_numbers_stands_the_other_way():
    lines = repr(Evidence("It is so.", {"a": "first"}, RUNS)).splitlines()
    assert re.split(r"\s{2,}", lines[1]) == ["", "first"]
    assert re.split(r"\s{2,}", lines[3]) == ["epochs 8", "6.8 (5.8 to 8.8)"]


def test_a_markdown_table_keeps_its_columns():
    lines = Evidence("It is so.", LABELS, RUNS)._repr_markdown_().splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 4
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 4 for line in table)


def test_stored_runs_are_read_by_lesson_and_name(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    one = {"says": "It is so.", "labels": LABELS, "runs": RUNS, "code": "0"}
    stored.save(tmp_path / "claims" / "99", card={"claims": {"it": one}})
    assert evidence("99", "it").over("a", epochs=2).median == 6.2
    assert evidence("99", "it").source == "claims/99.py"
    with pytest.raises(ValueError, match="no claim 'that'. There are: it"):
        evidence("99", "that")
    with pytest.raises(FileNotFoundError, match="98.json is missing"):
        evidence("98", "it")
    assert evidence("99", "it", folder=tmp_path / "claims").says == "It is so."


def test_the_digest_follows_what_a_claim_uses_of_its_own_file(tmp_path):
    script = tmp_path / "99.py"
    script.write_text(TWO)
    one, two = (code_digest(script, name) for name in ("one", "two"))
    script.write_text(TWO.replace("# a comment", "#  another").replace("\n\ndef one", "\n\n\n\ndef one"))
    assert (code_digest(script, "one"), code_digest(script, "two")) == (one, two)
    script.write_text(TWO.replace("lambda runs: True", "lambda runs: all(x for x in runs)", 1))
    assert code_digest(script, "one") == one
    for change in (("FACTOR = 2", "FACTOR = 4"), ("FACTOR * x", "x * FACTOR"), ("times(seed)", "times(seed + 1)")):
        script.write_text(TWO.replace(*change))
        assert code_digest(script, "one") != one
        assert code_digest(script, "two") == two


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('"two", "Two."', '"one", "Two."'), "names differ"),
        (("CLAIMS =", "OTHERS ="), "CLAIMS must be a tuple"),
        (("grid(seed=range(2))", "()"), "'two' needs settings"),
        (("grid(seed=range(2))", "grid(seed=(1, 1))"), "'two' needs settings, each of them once"),
    ],
)
def test_a_script_that_cannot_be_right_is_refused(tmp_path, change, words):
    script = tmp_path / "99.py"
    script.write_text(TWO)
    assert list(load(script)) == ["one", "two"]
    script.write_text(TWO.replace(*change))
    with pytest.raises(ValueError, match=words):
        load(script)
    with pytest.raises(FileNotFoundError, match="77.py does not exist"):
        load(tmp_path / "77.py")


def test_a_grid_has_every_combination_once():
    settings = grid(a=(1, 2, 3), b=("x", "y"), seed=range(4))
    assert len(settings) == len({json.dumps(one) for one in settings}) == 24
    assert all(list(one) == ["a", "b", "seed"] for one in settings)
    assert isinstance(claims.Claim("n", "s", max, settings, {}, bool), Claim)
