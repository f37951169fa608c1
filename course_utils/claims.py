"""Headline claims under stress: what a lesson says boldly, and the runs that tried to refute it.

``claims/NN.py`` holds the claims of lesson NN: for each the sentence, an experiment, the settings in which it is run
(seeds, budgets, rivals), and the condition under which the sentence stands. ``course claims NN`` runs them and stores
every run in ``data/claims/NN.json``. The lesson prints its numbers from there, with their range.
"""

import ast
import itertools
import json
import math
import statistics
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from course_utils import stored
from course_utils.files import data_dir, sha256


@dataclass(frozen=True)
class Claim:
    """One headline claim and what is done to refute it."""

    name: str  # of the claim in its lesson, as in "fitted-mixture"
    says: str  # the sentence that the lesson says
    run: Callable[..., Mapping[str, float]]  # one experiment: run(seed=0, epochs=8, ...) returns numbers by name
    settings: tuple[dict, ...]  # what run is called with, mostly `grid(seed=..., ...)`
    labels: Mapping[str, str]  # each number's words in the table that a lesson shows, in the order of its columns
    holds: Callable[["Evidence"], bool]  # whether the sentence stands, asked of all runs together
    again: dict | None = None  # the setting that the tests repeat; None for that of the quickest run


def grid(**values) -> tuple[dict, ...]:
    """Every combination of settings, the last one varying fastest.

    Args:
        values: For each setting its values.

    Returns:
        One dictionary a run.

    Example:
        >>> grid(epochs=(5, 20), seed=range(2))
        ({'epochs': 5, 'seed': 0}, {'epochs': 5, 'seed': 1}, {'epochs': 20, 'seed': 0}, {'epochs': 20, 'seed': 1})
    """
    return tuple(dict(zip(values, one, strict=True)) for one in itertools.product(*values.values()))


@dataclass(frozen=True)
class Range:
    """The median of one number over several runs, and between which values it lies: "1.1 (0.9 to 1.3)"."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value, or the mean of the two in the middle."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The lowest value."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The highest value."""
        return max(self.values)

    def __str__(self) -> str:
        return self._written(_number)

    @property
    def percent(self) -> str:
        """The same of a share, in hundredths and with two digits that count: "30% (27% to 37%)"."""
        return self._written(_percent)

    def _written(self, form: Callable[[float], str]) -> str:
        low, middle, high = map(form, (self.low, self.median, self.high))
        return middle if low == high else f"{middle} ({low} to {high})"


class Evidence:
    """All runs of one claim. Iterating gives one dictionary a run: its settings and its numbers.

    In a notebook it shows itself as a table: each number in each setting, as the median over the seeds with the lowest
    and the highest.

    Args:
        says: The sentence.
        labels: Words for each number.
        runs: The runs: {"setting": {...}, "numbers": {...}, "seconds": ...}.
        source: Where it was computed, "claims/04.py".
    """

    def __init__(self, says: str, labels: Mapping[str, str], runs: list[dict], source: str = ""):
        self.says, self.labels, self.runs, self.source = says, dict(labels), list(runs), source

    def __iter__(self) -> Iterator[dict]:
        return ({**run["setting"], **run["numbers"]} for run in self.runs)

    def __len__(self) -> int:
        return len(self.runs)

    def over(self, number: str, **setting) -> Range:
        """One number over all runs with a setting.

        Args:
            number: Its name.
            setting: What the runs have in common, such as epochs=8; all runs by default.

        Raises:
            ValueError: There is no such number, or no run with such a setting.

        Example:
            >>> runs = [{"setting": {"seed": s}, "numbers": {"ratio": r}} for s, r in enumerate([1.0, 1.25, 1.5])]
            >>> print(Evidence("", {}, runs).over("ratio"))
            1.25 (1 to 1.5)
        """
        some = [one for one in self if all(key in one and one[key] == value for key, value in setting.items())]
        found = tuple(one[number] for one in some if number in one)
        if not found:
            words = ", ".join(f"{key} = {value!r}" for key, value in setting.items())
            there = "; ".join(" ".join(f"{k}={v!r}" for k, v in run["setting"].items()) for run in self.runs[:3])
            names = ", ".join(dict.fromkeys(name for run in self.runs for name in run["numbers"]))
            raise ValueError(
                f"no run has the number {number!r}{f' with {words}' if words else ''}. "
                f"There are the numbers {names}, and runs such as {there or 'none'}."
            )
        return Range(found)

    def _table(self) -> list[list[str]]:
        """A line for each number and a column for each setting, or the other way round where that is longer."""
        groups, varied = {}, self._varied() - {"seed"}
        for run in self.runs:
            setting = {key: value for key, value in run["setting"].items() if key in varied}
            groups.setdefault(", ".join(f"{key} {value}" for key, value in setting.items()), []).append(run["numbers"])
        table = [["", *groups]]
        for name, label in self.labels.items():
            values = [tuple(run[name] for run in runs if name in run) for runs in groups.values()]
            table.append([label, *(str(Range(some)) if some else "" for some in values)])
        return table if len(groups) <= len(self.labels) else [list(row) for row in zip(*table, strict=True)]

    def _varied(self) -> set[str]:
        values = {}
        for run in self.runs:
            for key, value in run["setting"].items():
                values.setdefault(key, set()).add(json.dumps(value))
        return {key for key, some in values.items() if len(some) > 1}

    def _below(self) -> str:
        seeds = len({run["setting"]["seed"] for run in self.runs if "seed" in run["setting"]})
        words = [f"{len(self.runs)} runs", f"{seeds} seeds: median (lowest to highest)"]
        varied = self._varied()
        words += [f"{k} {v}" for run in self.runs[:1] for k, v in run["setting"].items() if k not in varied]
        return ", ".join(words) + (f"; computed by {self.source}" if self.source else "")

    def __repr__(self) -> str:
        table = self._table()
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
        return "\n".join([self.says, *lines, self._below()])

    def _repr_markdown_(self) -> str:
        head, *rows = ([text.replace("|", "\\|") for text in row] for row in self._table())
        lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
        return "\n".join([f"*{self.says}*", "", *lines, "", self._below()])


def evidence(lesson: str, name: str, *, folder: Path | None = None) -> Evidence:
    """The stored runs of one claim.

    Args:
        lesson: Number of the lesson, "04".
        name: Name of the claim.
        folder: Where the runs are stored; data/claims by default.

    Raises:
        FileNotFoundError: Nothing is stored for this lesson.
        ValueError: The lesson has no such claim, or the file was altered.
    """
    known = read(lesson, folder)
    if name not in known:
        raise ValueError(f"lesson {lesson} has no claim {name!r}. There are: {', '.join(known)}.")
    return known[name]


def read(lesson: str, folder: Path | None = None) -> dict[str, Evidence]:
    """The stored runs of a lesson's claims, by name; raises as `evidence` does."""
    card, _ = stored.read(folder / lesson if folder else stored_path(lesson))
    found = card["claims"].items()
    return {name: Evidence(one["says"], one["labels"], one["runs"], f"claims/{lesson}.py") for name, one in found}


def stored_path(lesson: str) -> Path:
    """Path of a lesson's stored runs, without suffix."""
    return data_dir() / "claims" / lesson


def load(script: Path) -> dict[str, Claim]:
    """The claims of a script, by name.

    Raises:
        FileNotFoundError: There is no such script.
        ValueError: It has no CLAIMS, two of one name, or one without runs or with two runs of the same setting.
    """
    if not script.is_file():
        raise FileNotFoundError(f"{script} does not exist.")
    module = types.ModuleType(f"claims_of_{script.stem}")
    module.__file__ = str(script)
    # Not by import, which keeps byte code and takes it for that of a script of the same size and second.
    exec(compile(script.read_text(encoding="utf-8"), script, "exec"), module.__dict__)
    claims = getattr(module, "CLAIMS", ())
    found = {claim.name: claim for claim in claims}
    if not found or len(found) < len(claims):
        raise ValueError(f"{script}: CLAIMS must be a tuple of claims whose names differ.")
    for claim in claims:
        keys = [json.dumps(setting) for setting in claim.settings]
        if not keys or len(set(keys)) < len(keys):
            raise ValueError(f"{script}: claim {claim.name!r} needs settings, each of them once.")
    return found


def code_digest(script: Path, function: str) -> str:
    """SHA-256 of a function's code and of whatever it uses of its own file; comments and layout do not count.

    What it uses of other files does not count either: a test repeats the quickest run of each claim and compares.

    Args:
        script: The file.
        function: Name of a function at the top of it.
    """
    defined = {}
    for node in ast.parse(script.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.asname or alias.name.partition(".")[0] for alias in node.names]
        else:
            targets = getattr(node, "targets", [getattr(node, "target", None)])
            names = [n.id for target in targets if target for n in ast.walk(target) if isinstance(n, ast.Name)]
        defined |= dict.fromkeys(names, node)
    wanted, used = [function], {}
    while wanted:
        name = wanted.pop()
        if name in defined and name not in used:
            used[name] = ast.unparse(defined[name])
            wanted += [node.id for node in ast.walk(defined[name]) if isinstance(node, ast.Name)]
    return sha256("\n".join(used[name] for name in sorted(used)).encode())


def _number(value: float) -> str:
    """Three digits that count: 0.0512, 1.1, 23.4, 1,250."""
    if not value or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _percent(share: float) -> str:
    """Two digits that count: 0.39%, 5.8%, 30%; what is close to all keeps a third: 99.8%."""
    value = 100 * share
    digits = 1 if 99 < value < 100 else max(0, 1 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:.{digits}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "%"
