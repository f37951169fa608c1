"""The engine behind exercise feedback: every way an answer can go wrong gets its own sentence."""

import contextlib
import importlib
import json
import os
import re
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from helpers import ROOT
from lesson_cells import lesson_cells, lesson_definitions
from torch import nn
from verdicts import verdict

from course_utils import checks
from course_utils.checks import Check, Mistake, Parts, _engine, _progress, _running

NAMES = list(_engine.exercises())


def scaled_sum(x, weight):
    return (x * weight).sum(dim=1)


CHECK = Check(
    reference=scaled_sum,
    inputs=lambda g: (torch.randn(3, 5, generator=g), 2.0),
    mistakes=[
        Mistake(lambda x, weight: (x * weight).sum(dim=0), "You summed over the batch."),
        Mistake(lambda x, weight: x.sum(dim=1), "You forgot the weight."),
    ],
    name="scaled-sum",
    lesson="99",
)


@pytest.fixture
def known(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    monkeypatch.setattr(_engine, "exercises", lambda: {"scaled-sum": "99"})
    monkeypatch.setattr(_engine, "find", lambda name: CHECK)
    monkeypatch.setattr(checks._report, "exercises", lambda: {"scaled-sum": "99"})
    return tmp_path


def in_place(x, weight):
    x *= weight
    return x.sum(dim=1)


def raises(x, weight):
    return x.undefined_method(weight)


class Speechless(Exception):
    def __str__(self):
        raise ValueError("no words")


def speechless(x, weight):
    raise Speechless


def mean_of_bools(x, weight):
    return (x > weight).mean()


def right(x, weight):
    return (x * weight).sum(1)


WRONG = {
    "known mistake": (lambda x, w: (x * w).sum(0), "summed over the batch"),
    "another known mistake": (lambda x, w: x.sum(1) * 1.0, "forgot the weight"),
    "unknown wrong value": (
        lambda x, w: right(x, w).exp() + x[:, 0],
        r"3 of 3 numbers are not: [\d.]+ at index \[\d\]",
    ),
    "a shift": (lambda x, w: right(x, w) + 1, "too large by 1"),
    "a factor": (lambda x, w: 3.5 * right(x, w), "3.5 times what it should be"),
    "a length as a factor": (lambda x, w: (x * w).mean(1), "1/5 times what it should be: 5 is the length"),
    "a sign": (lambda x, w: -right(x, w), "the wrong sign"),
    "a square": (lambda x, w: right(x, w) ** 2, "the square of the right number"),
    "not reduced": (lambda x, w: x * w, "the sum of your numbers over dimension 1 would be right"),
    "reduced too far": (lambda x, w: right(x, w).mean(), "yours is the mean of the right numbers"),
    "a dimension too many": (lambda x, w: right(x, w)[:, None], "only their shape is not"),
    "reversed": (lambda x, w: right(x, w).flip(0), "in reverse order"),
    "one missing": (lambda x, w: right(x, w)[:-1], "the last ones are missing"),
    "constant": (lambda x, w: torch.ones(3), "the same numbers for each of the 3 inputs"),
    "wrong kind of number": (lambda x, w: right(x, w).long(), "torch.int64"),
    "returns nothing": (lambda x, w: None, "return statement"),
    "another type": (lambda x, w: right(x, w).numpy(), "NumPy array"),
    "a pair": (lambda x, w: right(x, w).max(0), "all that torch.max returns"),
    "an attribute of a pair": (lambda x, w: (x.mode(1) == 1).float(), "no attribute.*look at the step before"),
    "a list": (lambda x, w: right(x, w).tolist(), "list of 3"),
    "nan": (lambda x, w: right(x, w) * float("nan"), "returns nan"),
    "raises": (raises, "AttributeError in your line `return x.undefined_method"),
    "raises what an open exercise raises": (mean_of_bools, r"It raises .*mean\(\)`.*\.float\(\) makes floats"),
    "wrong signature": (lambda x: x, "TypeError.*It is called with x, weight"),
    "raises what cannot be said": (speechless, "It raises Speechless"),
    "a number beyond all": (lambda x, w: 10**400, "a value of type int"),
    "uneven lists": (lambda x, w: [[1], [2, 3]], "list of 2"),
    "complex numbers": (lambda x, w: right(x, w) + 0j, "complex"),
    "exits": (lambda x, w: exit(), "SystemExit"),
    "in place": (in_place, "in place"),
    "not a function": (3, "not a function"),
}


@pytest.mark.parametrize(("fn", "message"), WRONG.values(), ids=WRONG.keys())
def test_each_fault_is_named_and_the_reference_returned(known, capsys, fn, message):
    assert checks.accept("scaled-sum", fn) is scaled_sum
    printed = capsys.readouterr().out
    assert "not right yet" in printed
    assert re.search(message, printed), printed
    assert not (known / "progress.json").exists()


def test_an_example_names_the_inputs(known, capsys):
    checks.accept("scaled-sum", lambda x, w: torch.where(torch.arange(3) == 1, x[:, 0], right(x, w)))
    assert re.search(
        r"1 of 3 numbers are not: .* at index \[1\].*weight = 2\.", capsys.readouterr().out.replace("\n", "")
    )


def test_an_example_names_rows_only_of_what_has_as_many_as_the_answer():
    check = Check(lambda w, x: w.mean(dim=0) + x, lambda g: (torch.rand(7, 5, generator=g), torch.rand(5, generator=g)))
    said = checks.review(check, lambda w, x: w.exp().mean(dim=0))
    assert "x = [" in said
    assert "w[" not in said


def test_a_right_answer_is_returned_and_recorded(known, capsys):
    def mine(x, weight):
        return torch.einsum("bd,->b", x, torch.tensor(weight))

    assert checks.accept("scaled-sum", mine) is mine
    assert "passed" in capsys.readouterr().out
    assert list(json.loads((known / "progress.json").read_text())["passed"]) == ["scaled-sum"]
    assert checks.progress()["99"]["scaled-sum"] is not None
    assert "1 of 1" in checks.progress_table()
    checks.reset_progress()
    assert checks.progress()["99"]["scaled-sum"] is None


def test_a_comparison_that_fails_is_a_wrong_answer():
    """What a learner returns can be of a form that a check's own comparison does not expect."""
    check = Check(scaled_sum, CHECK.inputs, CHECK.mistakes, compare=lambda out, expected, *inputs: out.no_such_thing)
    assert re.search(r"cannot be compared with the right answer \(AttributeError", checks.review(check, right))
    assert "forgot the weight" in checks.review(check, lambda x, w: x.sum(1))


def test_only_the_sentence_of_an_open_exercise_counts_as_not_attempted(known, capsys):
    def empty(x, weight):
        raise NotImplementedError(_engine.NOT_ATTEMPTED)

    def unfinished(x, weight):
        raise NotImplementedError("mean not implemented for Bool")

    assert checks.accept("scaled-sum", empty) is scaled_sum
    assert "not attempted" in capsys.readouterr().out
    assert checks.accept("scaled-sum", unfinished) is scaled_sum
    assert "It raises NotImplementedError in your line" in capsys.readouterr().out


def test_an_open_exercise_says_so_with_that_sentence():
    sources = importlib.import_module("notebook_sources")
    cell = "def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n"
    assert f'raise NotImplementedError("{_engine.NOT_ATTEMPTED}")' in sources.open_exercise(cell, "here")


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'midpoint'"):
        checks.accept("mid_point", scaled_sum)


# ------------------------------------------------------------------------------------------ kinds of inputs, parts


def clamped(x, limit):
    return x.clamp(min=limit)


CASES = Check(
    clamped,
    inputs={
        "": lambda g: (torch.rand(4, 3, generator=g) + 1, 0.5),
        "a number is below the limit": lambda g: (torch.rand(4, 3, generator=g), 0.9),
    },
    mistakes=[
        Mistake(lambda x, limit: x, "The limit is not used."),
        Mistake(lambda x, limit: x.clamp(max=limit), "That is the upper limit."),
    ],
    gradients=("x",),
)


def test_a_mistake_may_show_for_one_kind_of_inputs_only():
    assert checks.review(CASES, lambda x, limit: x.relu()) == "The limit is not used."
    assert checks.review(CASES, lambda x, limit: torch.minimum(x, torch.tensor(limit))) == "That is the upper limit."
    said = checks.review(CASES, lambda x, limit: torch.where(x < limit, 0.3 * x, x))
    assert said.startswith("Where a number is below the limit: the shape is right, but")
    assert "limit = 0.9" in said
    fails_there = checks.review(CASES, lambda x, limit: x if (x > limit).all() else x.nothing)
    assert fails_there.startswith("Where a number is below the limit: it raises AttributeError")


def test_gradients_are_compared():
    assert checks.review(CASES, lambda x, limit: torch.where(x > limit, x, torch.full_like(x, limit))) is None
    said = checks.review(CASES, lambda x, limit: x.detach().clamp(min=limit))
    assert said.startswith("What it returns is right, but not its gradient for x: no gradient arrives there")
    half = checks.review(CASES, lambda x, limit: (0.5 * x + 0.5 * x.detach()).clamp(min=limit))
    assert "gradient for x" in half
    assert "Every number is 0.5 times what it should be" in half


def test_the_gradient_for_a_network_is_that_of_its_parameters():
    def inputs(g):
        network = nn.Linear(3, 2, bias=False)
        nn.init.normal_(network.weight, generator=g)
        return network, torch.rand(5, 3, generator=g)

    check = Check(lambda network, x: network(x).square().mean(), inputs, gradients=("network",))
    assert checks.review(check, lambda network, x: torch.mean(network(x) ** 2)) is None
    assert "not its gradient for network" in checks.review(
        check, lambda network, x: network(x).square().mean().detach()
    )
    assert "in place" in checks.review(check, lambda network, x: network.weight.data.zero_().sum())
    frozen = checks.review(check, lambda network, x: network.requires_grad_(False)(x).square().mean())
    assert "leaves the network otherwise" in frozen
    assert "leaves the network" in checks.review(check, lambda network, x: network.eval()(x).square().mean())


def test_a_mistake_can_be_bound_to_a_part():
    def both_ends(fn, x):
        return Parts({"at the start": fn(x, 0), "at the end": fn(x, 1)})

    check = Check(
        lambda x, end: x + 3 * end,
        lambda g: (torch.randn(4, generator=g),),
        [Mistake(lambda x, end: x + 2 * end, "You stop early.", part="at the end")],
        observe=both_ends,
    )
    assert checks.review(check, lambda x, end: x + 3 * end) is None
    assert checks.review(check, lambda x, end: x + 2 * end) == "You stop early."
    assert checks.review(
        check, lambda x, end: x * (2 - end) + 2 * end
    ) == "At the start: the shape is right, but 4 of 4 numbers are not" or "You stop early." in checks.review(
        check, lambda x, end: x + 2 if end else x * 2
    )
    assert checks.review(check, lambda x, end: x + 5 * end).startswith("At the end: the shape is right")
    assert "list of 1" in checks.review(check, lambda x, end: [1.0])


# ------------------------------------------------------------------------------------------------ a stop stops


beats = [0]  # how often one of these has gone round


def endless(x, weight):
    while True:
        beats[0] += 1


def endless_and_deaf(x, weight):
    while True:
        try:
            beats[0] += 1
            time.sleep(0.0001)
        except:  # noqa: E722  what a learner writes
            pass


def assert_nothing_goes_on():
    before = beats[0]
    time.sleep(0.3)
    assert beats[0] == before, "an answer goes on"


@pytest.mark.parametrize("fn", [endless, endless_and_deaf, lambda x, w: time.sleep(4)])
def test_an_endless_answer_is_stopped(known, monkeypatch, capsys, fn):
    monkeypatch.setattr(_running, "PATIENCE", 2.5)
    monkeypatch.setattr(_running, "PROCESSOR_LIMIT", 0.3)
    monkeypatch.setattr(_running, "WAITING_LIMIT", 1.0)
    assert checks.accept("scaled-sum", fn) is scaled_sum
    assert "still running after" in capsys.readouterr().out
    assert_nothing_goes_on()


@pytest.mark.parametrize("fn", [endless, endless_and_deaf])
def test_an_interrupt_stops_the_answer_and_the_cell(known, fn):
    main = threading.get_ident()

    def interrupt():
        while not any(thread.name == "answer" for thread in threading.enumerate()):
            time.sleep(0.01)
        time.sleep(0.2)
        _running._raising(main, KeyboardInterrupt)()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        checks.accept("scaled-sum", fn)
    thread.join()
    assert_nothing_goes_on()


@pytest.mark.slow_because("starts a Python of its own")
@pytest.mark.parametrize("fn", [right, raises, endless, endless_and_deaf])
def test_functions_can_be_traced_after_a_check(tmp_path, fn):
    """Python 3.11 hangs there if it waits for an exception in a thread that has ended."""
    code = (
        "import sys; from checks import test_engine as t; t._running.PROCESSOR_LIMIT = 0.2\n"
        f"print(t.checks.review(t.CHECK, t.{fn.__name__}))\n"
        "def f(): return 5\nsys.settrace(lambda *_: None)\nprint('traced', f())"
    )
    tests = [str(path) for path in (ROOT / "tests", ROOT / "tools", ROOT)]
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join(tests)},
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert "traced 5" in told.stdout, told.stderr


def test_time_counts_for_the_processor_and_not_for_a_busy_machine(known, monkeypatch):
    monkeypatch.setattr(_running, "PROCESSOR_LIMIT", 0.3)

    def slow(x, weight):
        time.sleep(0.5)  # as if others had the processor
        return right(x, weight)

    assert verdict("scaled-sum", slow) is None


def test_a_first_import_is_neither_counted_nor_cut(known, monkeypatch, tmp_path):
    monkeypatch.setattr(_running, "PROCESSOR_LIMIT", 0.3)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "heavy_module.py").write_text(
        "import time\nend = time.process_time() + 1.5\nwhile time.process_time() < end:\n    pass\nwhole = True\n"
    )

    def imports(x, weight):
        import heavy_module

        return right(x, weight) if heavy_module.whole else x

    def imports_and_goes_on(x, weight):
        import heavy_module  # noqa: F401

        endless(x, weight)

    assert verdict("scaled-sum", imports) is None
    del sys.modules["heavy_module"]
    assert "still running" in verdict("scaled-sum", imports_and_goes_on)
    assert sys.modules.pop("heavy_module").whole


@pytest.mark.parametrize("end", [raises, endless])
def test_what_an_answer_holds_ends_in_its_own_thread(known, monkeypatch, end):
    """PyTorch's guards, which printing a tensor makes, corrupt memory where they end in another thread."""
    monkeypatch.setattr(_running, "PROCESSOR_LIMIT", 0.1)
    ended = []

    class Guard:
        def __del__(self):
            ended.append(threading.current_thread().name)

    def answer(x, weight):
        guard = Guard()
        try:
            raise ValueError
        except ValueError:
            end(x, weight)
        return guard

    assert verdict("scaled-sum", answer) is not None
    assert ended == ["answer"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux bounds the memory of a process")
def test_memory_is_bounded(known, monkeypatch):
    monkeypatch.setattr(_running, "MEMORY_LIMIT", 300 * 2**20)

    def grows(x, weight):
        kept = []
        while True:
            kept.append(bytes(10**6))

    assert "asked for more than" in verdict("scaled-sum", grows)
    assert "asked for more than" in verdict("scaled-sum", lambda x, w: torch.ones(10**9).sum())
    assert "asked for more than" in verdict("scaled-sum", lambda x, w: np.ones(10**9).sum())
    assert torch.ones(10**8).sum() == 10**8, "the limit is taken back"


def test_little_of_what_is_printed_is_shown(known, capsys):
    def talks(x, weight):
        for _ in range(10_000):
            print("where am I")
        return right(x, weight)

    assert checks.accept("scaled-sum", talks) is talks
    printed = capsys.readouterr().out
    assert printed.startswith("where am I\n")
    assert "after this is not shown" in printed
    assert len(printed) < 3000


# ------------------------------------------------------------------------------------------------ all is put back

OWN = {"weights": torch.ones(3), "history": [1], "network": nn.Sequential(nn.Linear(2, 2), nn.Dropout())}
own_array = np.zeros(4)
own_count = 0


def meddles(x, weight):
    global own_count
    own_count += 1
    OWN["weights"].zero_()
    OWN["history"].append(2)
    OWN["network"].eval()
    OWN["network"][0].weight.data.fill_(7.0)
    OWN["network"][0].bias.requires_grad_(False)
    OWN["new"] = 1
    own_array[0] = 5
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    np.random.seed(0)
    sys.setrecursionlimit(5000)
    return right(x, weight).float() if weight else endless(x, weight)


@pytest.mark.parametrize("end", ["right", "raises", "endless"])
def test_whatever_an_answer_changes_is_put_back(known, monkeypatch, end):
    monkeypatch.setattr(_running, "PROCESSOR_LIMIT", 0.3)
    before = OWN["network"][0].weight.clone()
    limit = sys.getrecursionlimit()
    torch.manual_seed(5)
    np.random.seed(5)
    expected = torch.rand(3), np.random.rand()
    torch.manual_seed(5)
    np.random.seed(5)

    def answer(x, weight):
        result = meddles(x, weight)
        return result if end == "right" else raises(x, weight) if end == "raises" else endless(x, weight)

    assert (verdict("scaled-sum", answer) is None) == (end == "right")
    assert torch.equal(torch.rand(3), expected[0])
    assert np.random.rand() == expected[1]
    assert torch.get_default_dtype() == torch.float32
    assert sys.getrecursionlimit() == limit
    assert OWN["weights"].sum() == 3
    assert OWN["history"] == [1]
    assert set(OWN) == {"weights", "history", "network"}
    assert OWN["network"].training
    assert OWN["network"][0].bias.requires_grad
    assert torch.equal(OWN["network"][0].weight, before)
    assert own_array.sum() == 0
    assert own_count == 0


def test_a_check_does_not_depend_on_the_notebooks_settings(known):
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad(), torch.inference_mode(), torch.device("meta"):
            assert checks.review(CASES, clamped) is None
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_folder_that_cannot_be_written_does_not_stop_the_lesson(known, monkeypatch, capsys):
    blocker = known / "file"
    blocker.write_text("")
    monkeypatch.setenv("COURSE_HOME", str(blocker / "below"))
    assert checks.accept("scaled-sum", scaled_sum) is scaled_sum
    assert "passed" in capsys.readouterr().out


def test_damaged_progress_counts_as_none(known):
    _progress.progress_file().write_text("{not json")
    assert checks.progress() == {"99": {"scaled-sum": None}}


@pytest.mark.parametrize(
    ("out", "expected", "agrees"),
    [
        ((1.0, torch.ones(2)), [1.0, torch.ones(2)], True),
        ((1.0,), (1.0, 2.0), False),
        ({"a": 1.0}, {"a": 1.0 + 1e-7}, True),
        ({"a": 1.0}, {"b": 1.0}, False),
        ({"a": 1.0, "b": 2.0}, {"a": 1.0}, False),
        (np.float64(0.5), 0.5, True),
        (True, True, True),
        (True, False, False),
        ("x", "y", False),
        (torch.tensor([float("inf")]), torch.tensor([float("inf")]), True),
        (torch.tensor([float("nan")]), torch.tensor([float("nan")]), True),
        (torch.tensor([float("nan")]), torch.tensor([float("inf")]), False),
        (torch.tensor([1.0]), torch.tensor([float("inf")]), False),
        (torch.tensor([1, 2]), torch.tensor([1, 2]), True),
        (torch.tensor([1, 2]), torch.tensor([1, 3]), False),
        (torch.tensor([True, False]), torch.tensor([1, 0]), False),
        (Parts({"": 1.0, "at the end": 2.0}), Parts({"": 1.0, "at the end": 2.0}), True),
        (Parts({"": 1.0, "at the end": 2.5}), Parts({"": 1.0, "at the end": 2.0}), False),
    ],
)
def test_difference(out, expected, agrees):
    assert (_engine.difference(out, expected) is None) == agrees


# ------------------------------------------------------------------------------------------------ all exercises


def test_every_exercise_has_a_file_and_a_place_in_the_course():
    for lesson in sorted(set(_engine.exercises().values())):
        package = importlib.import_module(f"course_utils.checks.lesson_{lesson}")
        files = {path.stem for path in map(_engine.Path, package.__path__) for path in path.glob("[!_]*.py")}
        assert files == {name.replace("-", "_") for name in package.EXERCISES}
        cells = "\n".join(lesson_cells(lesson).values())
        assert re.findall(r'checks\.accept\(\s*"([\w-]+)"', cells) == list(package.EXERCISES)


@pytest.mark.slow_because("each mistake is compared with all others on every kind of inputs")
@pytest.mark.parametrize("name", NAMES)
def test_every_mistake_of_an_exercise_is_told_apart(name):
    check = _engine.find(name)
    assert verdict(name, check.reference) is None
    assert len({mistake.message for mistake in check.mistakes}) >= 4
    for mistake in check.mistakes:
        assert verdict(name, mistake.function) == mistake.message


@pytest.mark.parametrize("name", NAMES)
def test_the_lessons_own_solution_is_accepted(name):
    lesson = _engine.exercises()[name]
    cells = lesson_cells(lesson)
    function = next(m[1] for m in (re.search(rf'accept\(\s*"{name}",\s*(\w+)', code) for code in cells.values()) if m)
    cell = next(cell for cell, code in cells.items() if f"def {function}(" in code and "BEGIN SOLUTION" in code)
    values = _namespace(lesson, cell)
    assert verdict(name, values[function]) is None


def _namespace(lesson, cell):
    """What a cell's functions find: the imports and the earlier functions of their lesson."""
    values = {}
    for one, code in lesson_cells(lesson).items():
        imports = re.findall(r"^(?:import|from) [^(\n]+(?:\([^)]*\))?", code, re.MULTILINE)
        exec("\n".join(imports), values)
        if one == cell:
            return lesson_definitions(lesson, one, **values)
        with contextlib.suppress(NameError):  # a default that only a run of the lesson makes
            values = lesson_definitions(lesson, one, **values)
    raise LookupError(cell)


@pytest.mark.parametrize("name", NAMES)
def test_every_exercise_describes_an_answer_that_raises_or_returns_something_else(name):
    def broken(*inputs):
        raise KeyError("nothing here")

    def not_attempted(*inputs):
        raise NotImplementedError(_engine.NOT_ATTEMPTED)

    own_form = "Return "  # exercises that want an answer of a form of its own say how they want it
    assert "KeyError" in verdict(name, broken)
    for answer, words in ((None, "returns nothing"), ("0.5", "type str"), ([1.0] * 9, "list of 9")):
        described = verdict(name, lambda *inputs, answer=answer: answer)
        assert words in described or own_form in described, described
    with pytest.raises(NotImplementedError):
        verdict(name, not_attempted)


def test_two_notebooks_that_pass_at_once_lose_nothing(known, monkeypatch):
    """Another one reads before we write, and writes after it: what we remember is written again."""
    write, others = _progress.write_atomically, [{"passed": {"theirs": "2026-01-01"}}]

    def interrupted(path, content):
        write(path, content)
        if others:
            write(path, json.dumps(others.pop()).encode())

    monkeypatch.setattr(_progress, "write_atomically", interrupted)
    _progress.record("ours")
    assert set(_progress.passed()) == {"ours", "theirs"}
