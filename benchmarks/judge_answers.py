"""What the checks say to answers that somebody has written: python benchmarks/judge_answers.py FOLDER [NAME ...]

FOLDER/NN/NAME.py holds answers to the exercise NAME: functions right_1, right_2, ... and wrong_1, wrong_2, ..., whose
docstrings say in one sentence what is done, or what is wrong. Printed is a line for each answer with what the check
says, and at the end how many right ones were refused and how many wrong ones accepted, or told what their mistake is
by a message of the exercise.
"""

import argparse
import importlib.util
import inspect
import time
from pathlib import Path

from course_utils.checks import _engine, _running, review


def answers(path: Path) -> dict:
    spec = importlib.util.spec_from_file_location(f"answers_{path.stem.replace('-', '_')}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = inspect.getmembers(module, lambda one: inspect.isfunction(one) and one.__module__ == module.__name__)
    return {name: fn for name, fn in found if name.startswith(("right_", "wrong_"))}


def said(check, fn) -> str | None:
    try:
        return review(check, fn)
    except NotImplementedError:
        return "not attempted yet"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="exercises; all by default")
    parser.add_argument("--brief", action="store_true", help="only what is refused or accepted by mistake")
    parser.add_argument("--slower", type=float, default=1, help="as if the machine were so many times slower")
    arguments = parser.parse_args()
    _running.PROCESSOR_LIMIT /= arguments.slower
    _running.WAITING_LIMIT /= arguments.slower
    count = dict.fromkeys(("right", "refused", "wrong", "accepted", "by a message of the exercise"), 0)
    slowest = (0.0, "")
    for path in sorted(arguments.folder.glob("[0-9][0-9]/*.py")):
        if arguments.names and path.stem not in arguments.names:
            continue
        check = _engine.find(path.stem)
        messages = {mistake.message for mistake in check.mistakes}
        for name, fn in answers(path).items():
            begin = time.process_time()
            verdict = said(check, fn)
            slowest = max(slowest, (time.process_time() - begin, f"{path.stem} {name}"))
            kind = name.split("_")[0]
            count[kind] += 1
            odd = (verdict is None) == (kind == "wrong")
            count["refused" if kind == "right" else "accepted"] += odd
            count["by a message of the exercise"] += kind == "wrong" and verdict in messages
            if odd or (kind == "wrong" and not arguments.brief):
                mark = "!!" if odd else "ok" if verdict in messages else "  "
                print(f"{mark} {path.stem} {name}: {' '.join((fn.__doc__ or '').split())}\n      -> {verdict}")
    totals = ", ".join(f"{what}: {number}" for what, number in count.items())
    print(f"{totals}; slowest: {slowest[0]:.1f} s {slowest[1]}")
    return bool(count["refused"] or count["accepted"])


if __name__ == "__main__":
    raise SystemExit(main())
