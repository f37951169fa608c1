"""Noise in place of answers, through each check: python benchmarks/soak_answers.py [NAME ...] [--answers 200]

An answer is noise when it returns random things, changes what it should not, prints or computes without end, takes all
memory, raises whatever can be raised, or is no function. For each exercise one line: how many were refused, how long
the slowest took, and the longest text that was said. It fails where one is accepted, where one leaves anything behind
(a thread, a setting, a random stream), or where nothing is said. Time and memory are bounded more tightly than for
learners, so that it ends.
"""

import argparse
import contextlib
import io
import os
import random
import sys
import threading
import time

import numpy as np
import torch
from torch import nn

from course_utils.checks import _engine, _running, review


class Hostile:
    """An object whose every question raises."""

    def _raise(self, *_):
        raise RuntimeError("no")

    __eq__ = __len__ = __iter__ = __getattr__ = __bool__ = __float__ = __hash__ = __repr__ = __str__ = _raise


class Speechless(Exception):
    def __str__(self):
        raise ValueError("no words")


def things(r: random.Random) -> list:
    """Random things that a function might return."""
    shape = [r.randint(0, 5) for _ in range(r.randint(0, 4))]
    return [
        None, 0, -1, 1e400, float("nan"), True, "", "0.5", b"x", (), [], {}, {1: 2}, {"A": "x"}, set(), object(),
        int, ..., [1.0] * 7, (torch.ones(2), None), [[1], [2, 3]], np.float64(0.5), np.zeros(3), np.array(["a"]),
        np.array(None),
        torch.rand(shape), torch.rand(shape).double(), torch.zeros(shape, dtype=torch.bool), torch.zeros(shape).long(),
        torch.zeros(shape, device="meta"), torch.zeros(3, 3).to_sparse(), torch.full(shape, float("nan")),
        torch.rand(shape, requires_grad=True), torch.rand(2, dtype=torch.complex64), nn.Linear(2, 3), lambda x: x,
        iter([1, 2]), Exception("x"), NotImplementedError, range(3), 10**400, 1 + 2j, Hostile(), [Hostile()] * 3,
        tuple(torch.rand(r.randint(1, 4)) for _ in range(3)),
    ]  # fmt: skip


def endless(*_):
    while True:
        pass


def deaf(*_):
    while True:
        try:  # noqa: SIM105
            time.sleep(0)
        except:  # noqa: E722
            pass


def deep(*inputs):
    return deep(*inputs)


def grows(*_):
    kept = []
    while True:
        kept.append([0] * 10**6)


def large(*_):
    return torch.ones(10**10)


def floods(*inputs):
    while True:
        print("here", inputs)


def meddles(*inputs):
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    sys.setrecursionlimit(3000)
    os.chdir("/")
    return inputs[0] if inputs else None


def in_place(*inputs):
    for one in inputs:
        if isinstance(one, torch.Tensor):
            one.data.mul_(0)
        elif isinstance(one, nn.Module):
            for parameter in one.parameters():
                parameter.data.fill_(1)
    return inputs[-1] if inputs else None


def noise(k: int) -> tuple[str, object]:
    """The k-th noise: its kind, and the answer."""
    r = random.Random(k)
    rare = {0: endless, 1: deaf, 2: deep, 3: grows, 4: large, 5: floods, 6: meddles, 7: in_place}
    if k % 25 in rare:
        return rare[k % 25].__name__, rare[k % 25]
    thing = r.choice(things(r))
    error = r.choice([
        ValueError("x"), SystemExit(3), KeyboardInterrupt(), StopIteration(), GeneratorExit(), Speechless(),
        MemoryError(), NotImplementedError("no"), OSError(28, "No space left"),
    ])  # fmt: skip

    def raises(*inputs):
        raise error

    def generates(*inputs):
        yield thing

    choices = {
        "returns a thing": lambda *inputs: thing,
        "returns an input": lambda *inputs: r.choice(inputs) if inputs else thing,
        "returns all": lambda *inputs: inputs,
        "is a thing": thing if not callable(thing) else 3,
        "raises": raises,
        "generates": generates,
        "wants nothing": lambda: thing,
        "random numbers": lambda *inputs: [
            torch.randn_like(i) for i in inputs if torch.is_tensor(i) and i.is_floating_point()
        ],
    }
    weights = [6, 2, 1, 2, 2, 1, 1, 1]
    kind = r.choices(list(choices), weights)[0]
    return kind, choices[kind]


def state() -> tuple:
    return (
        torch.get_default_dtype(), torch.get_num_threads(), sys.getrecursionlimit(), os.getcwd(),
        torch.is_grad_enabled(), torch.get_rng_state().sum().item(), np.random.get_state()[1].sum(),
        random.getstate()[1][:5], [t.name for t in threading.enumerate()],
    )  # fmt: skip


def soak(name: str, answers: int) -> str | None:
    """One exercise; None, or what went wrong."""
    check, slowest, longest = _engine.find(name), (0.0, ""), ""
    for k in range(answers):
        kind, answer = noise(k)
        before, begin, printed = state(), time.monotonic(), io.StringIO()
        with contextlib.redirect_stdout(printed):
            try:
                said = review(check, answer)
            except BaseException as error:
                return f"answer {k} ({kind}): the check raises {type(error).__name__}: {error!r}"
        slowest = max(slowest, (time.monotonic() - begin, kind))
        if not said:
            return f"answer {k} ({kind}) is accepted"
        if "\n" in said or len(said) > 1500 or len(printed.getvalue()) > 3000:
            return f"answer {k} ({kind}): too much is said: {said!r}"
        if (after := state()) != before:
            changed = [f"{was} -> {now}" for was, now in zip(before, after, strict=True) if was != now]
            return f"answer {k} ({kind}) leaves something behind: {changed}"
        longest = max(longest, said, key=len)
    print(
        f"{name}: {answers} refused; slowest {slowest[0]:.1f} s ({slowest[1]}); longest text {len(longest)} characters"
    )
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="exercises; all by default")
    parser.add_argument("--answers", type=int, default=200)
    arguments = parser.parse_args()
    _running.PROCESSOR_LIMIT, _running.WAITING_LIMIT, _running.MEMORY_LIMIT = 0.3, 20.0, 2**29
    faults = 0
    for name in arguments.names or _engine.exercises():
        if fault := soak(name, arguments.answers):
            faults += 1
            print(f"!! {name}: {fault}")
    print(f"{faults} of {len(arguments.names or _engine.exercises())} exercises failed")
    return bool(faults)


if __name__ == "__main__":
    raise SystemExit(main())
