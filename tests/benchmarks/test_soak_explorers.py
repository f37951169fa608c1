"""The soak test tries every explorer, and sees one that leaks or lags."""

import mmap

import pytest
import torch
from helpers import benchmark

from course_utils import widgets

SIZE = 4_000_000


@pytest.fixture(scope="module")
def soak():
    with benchmark("soak_explorers") as module:
        yield module


@pytest.mark.slow_because("tries every explorer, and clears memory thrice for each")
def test_every_explorer_stands_a_few_events(soak, capsys):
    assert soak.main(["--events", "60"]) == 0
    lines = capsys.readouterr().out.splitlines()
    explorers = {name for name in widgets.__all__ if name[0].isupper()} - {"Explorer"}
    assert {line.split()[0] for line in lines} == explorers
    assert all("60 events" in line and line.endswith("ok") for line in lines)


def test_an_explorer_that_leaks_or_lags_is_seen(soak, capsys):
    kept = []

    def leaks(value):
        kept.append(mmap.mmap(-1, SIZE))  # 4 MB an event, never from memory that others have given back
        kept[-1].write(b"x" * SIZE)
        return {"x": torch.zeros(1, 3, 5)}

    def slider(fn, kind=widgets.FunctionSlider):
        return kind(fn, 0, 1)

    class Lags(widgets.FunctionSlider):
        def _show(self, value, token=""):
            super()._show(0.0, token)

    makers = {"Leaks": lambda: slider(leaks), "Lags": lambda: slider(lambda a: {"x": torch.zeros(1, 3, 5)}, Lags)}
    assert soak.main(["--events", "60"], makers) == 1
    leak, lag = capsys.readouterr().out.splitlines()
    assert leak.endswith("FAIL: memory grows")
    assert "FAIL: the latest position is not shown" in lag
