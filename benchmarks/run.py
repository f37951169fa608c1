"""Measure what the README's performance table shows.

uv run benchmarks/run.py                    print the table
uv run benchmarks/run.py --update-readme    and put it into the README, between the benchmark marks
"""

import argparse
import os
import platform
import re
import sys
from importlib.metadata import version
from pathlib import Path

import explorers

from course_utils.files import write_atomically

README = Path(__file__).resolve().parents[1] / "README.md"
REGION = re.compile(r"(<!-- benchmark:begin(?: [^\n]*)? -->\n).*?(<!-- benchmark:end -->)", re.DOTALL)


def report(results: dict[str, tuple[float, float]]) -> str:
    """The table, and under it where it was measured."""
    return f"{explorers.table(results)}\n\n{machine('torch', 'ipywidgets', 'matplotlib')}"


def machine(*packages: str) -> str:
    """What was measured on, in one sentence."""
    versions = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages)]
    return f"Measured on {platform.system()} {platform.machine()}, {os.cpu_count()} cores, {', '.join(versions)}."


def updated(text: str, content: str, region: re.Pattern = REGION, name: str = "benchmark") -> str:
    """A text with what stands between two marks replaced.

    Raises:
        ValueError: The text does not have the two marks.
    """
    text, found = region.subn(lambda match: f"{match[1]}{content}\n{match[2]}", text, count=1)
    if not found:
        raise ValueError(f"the marks <!-- {name}:begin --> and <!-- {name}:end --> are not in the README.")
    return text


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="events of interact for each explorer")
    parser.add_argument("--update-readme", action="store_true", help="put the table into README.md")
    options = parser.parse_args(arguments)
    content = report(explorers.measure(options.rounds))
    print(content)
    if options.update_readme:
        write_atomically(README, updated(README.read_bytes().decode(), content).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
