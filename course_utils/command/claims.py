"""`course claims`: put a lesson's headline claims under stress, and keep every run."""

import functools
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path

from course_utils import stored
from course_utils.claims import Claim, Evidence, code_digest, load, stored_path
from course_utils.files import data_dir, require_writable, sha256

SIGNIFICANT = 6  # digits that are kept of a number


def scripts_dir() -> Path:
    """The folder of the scripts, beside the data."""
    return data_dir(override=False).parent / "claims"


def run_claims(
    lesson: str,
    names: Sequence[str] = (),
    *,
    scripts: Path | None = None,
    fresh: bool = False,
    processes: int = 1,
    progress: bool = True,
) -> dict[str, Evidence]:
    """Run what is missing of a lesson's claims and store each run when it ends, so that a stop loses only what runs.

    A run is kept while the code of its claim and the data that it read are as they were.

    Args:
        lesson: Number of the lesson, "04".
        names: The claims to run; all by default. What is stored of the others stays.
        scripts: Folder of the scripts; the course's own by default.
        fresh: Repeat also what is stored.
        processes: How many runs go on at a time, each with one thread.
        progress: Show a bar, one step a run.

    Returns:
        The runs of the lesson's claims, by name.

    Raises:
        FileNotFoundError: The lesson has no script.
        ValueError: The script has no such claim.
        RuntimeError: A run failed; it says which. What was finished before is stored.
    """
    from tqdm.auto import tqdm

    script = (scripts or scripts_dir()) / f"{lesson}.py"
    claims = load(script)
    for name in names:
        if name not in claims:
            raise ValueError(f"lesson {lesson} has no claim {name!r}. There are: {', '.join(claims)}.")
    require_writable(stored_path(lesson).with_name(f"{lesson}.json"))
    kept = _kept(lesson)
    table = {name: _entry(script, claim, kept.get(name)) for name, claim in claims.items()}
    chosen = [claim for claim in claims.values() if not names or claim.name in names]
    open_runs = [
        (claim, one) for claim in chosen for one in (claim.settings if fresh else missing(claim, table[claim.name]))
    ]
    _store(lesson, claims, table)
    failed = None
    with (
        tqdm(
            total=len(open_runs), desc=f"claims of lesson {lesson}", unit="run", disable=not (progress and open_runs)
        ) as bar,
        ProcessPoolExecutor(max(1, processes), mp_context=get_context("spawn"), initializer=_end_with_parent) as pool,
    ):
        waiting = {pool.submit(one_run, script, claim.name, one): (claim, one) for claim, one in open_runs}
        try:
            for done in as_completed(waiting):
                claim, setting = waiting[done]
                if done.cancelled():
                    continue
                if error := done.exception():
                    words = ", ".join(f"{key}={value!r}" for key, value in setting.items())
                    failed = failed or (f"{claim.name}({words}) failed: {type(error).__name__}: {error}", error)
                    for one in waiting:
                        one.cancel()  # those that run already go on and are stored
                    continue
                others = [run for run in table[claim.name]["runs"] if run["setting"] != setting]
                table[claim.name]["runs"] = [*others, done.result()]
                _store(lesson, claims, table)
                bar.set_postfix_str(claim.name)
                bar.update()
        except BaseException:  # Ctrl-C
            pool.shutdown(wait=False, cancel_futures=True)
            for process in active_children():
                process.terminate()
            raise
    if failed:
        raise RuntimeError(failed[0]) from failed[1]
    source = f"claims/{lesson}.py"
    return {name: Evidence(one["says"], one["labels"], one["runs"], source) for name, one in table.items()}


def one_run(script: Path, name: str, setting: dict) -> dict:
    """One run in a process of its own: what is stored of it.

    The streams of PyTorch and NumPy begin at the setting's seed, and one thread computes, so that runs beside each
    other do not change each other's time.
    """
    import random

    import numpy as np
    import torch

    torch.set_num_threads(1)
    claim, opened = load(script)[name], _record_opened()
    opened.clear()
    seed = setting.get("seed", 0)
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    begin = time.process_time()
    numbers = {key: float(f"{float(value):.{SIGNIFICANT}g}") for key, value in claim.run(**setting).items()}
    seconds = round(time.process_time() - begin, 1)
    if lacking := [label for label in claim.labels if label not in numbers]:
        raise ValueError(f"its labels name {', '.join(lacking)}, which it does not return")
    return {"setting": setting, "numbers": numbers, "seconds": seconds, "inputs": _inputs(opened)}


def missing(claim: Claim, entry: dict) -> list[dict]:
    """The settings of a claim that no stored run has."""
    there = [run["setting"] for run in entry["runs"]]
    return [setting for setting in claim.settings if setting not in there]


def complaints(lesson: str, *, scripts: Path | None = None) -> list[str]:
    """What is stored of a lesson's claims and no longer true of their code, data and words: a sentence each."""
    script = (scripts or scripts_dir()) / f"{lesson}.py"
    claims, kept, found = load(script), _kept(lesson), []
    again = f"run `course claims {lesson}`"
    for name, claim in claims.items():
        what, one = f"claim {name!r} of lesson {lesson}", kept.get(name)
        if one is None:
            found.append(f"{what} was never run; {again}")
            continue
        entry = _entry(script, claim, one)
        if lacking := missing(claim, entry):
            why = "its code or the data that it reads changed" if len(entry["runs"]) < len(one["runs"]) else "new ones"
            found.append(f"{what} lacks {len(lacking)} of {len(claim.settings)} runs ({why}); {again}")
        elif entry != one:
            found.append(f"{what} has other words or other runs than are stored; {again}")
        elif not claim.holds(Evidence(claim.says, claim.labels, entry["runs"])):
            found.append(f"{what} does not hold: {claim.says}")
    found += [f"lesson {lesson} has no claim {name!r} any more; {again}" for name in kept if name not in claims]
    return found


def _kept(lesson: str) -> dict:
    try:
        return stored.verify(stored_path(lesson))["claims"]
    except FileNotFoundError:
        return {}


def _entry(script: Path, claim: Claim, kept: dict | None) -> dict:
    """What is to be stored of a claim, with those runs that are still good, in the order of its settings."""
    code = code_digest(script, claim.run.__name__)
    runs = kept["runs"] if kept and kept["code"] == code else []
    today = functools.cache(lambda name: _digest(data_dir() / name))  # many runs read the same files
    good = [
        run
        for run in runs
        if run["setting"] in claim.settings and all(today(name) == was for name, was in run["inputs"].items())
    ]
    good.sort(key=lambda run: claim.settings.index(run["setting"]))
    return {"says": claim.says, "labels": dict(claim.labels), "code": code, "runs": good}


def _store(lesson: str, claims: dict[str, Claim], table: dict) -> None:
    for name, claim in claims.items():
        table[name]["runs"].sort(key=lambda run: claim.settings.index(run["setting"]))
    card = {
        "name": lesson,
        "what": f"the headline claims of lesson {lesson} under stress: every run",
        "command": f"course claims {lesson}",
        "licence": "MIT",
        "claims": table,
    }
    stored.save(stored_path(lesson), card=json.loads(json.dumps(card)))


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, killed perhaps: else its run would go on for nobody."""

    def wait():
        parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@functools.cache
def _record_opened() -> set[str]:
    """The set of all files that Python opens from now on in this process."""
    opened = set()

    def hook(event, arguments):
        if event == "open" and isinstance(arguments[0], str | bytes | Path):
            opened.add(str(arguments[0]))

    sys.addaudithook(hook)
    return opened


def _inputs(opened: set[str]) -> dict[str, str]:
    """The files under data/ among those that were opened, and how their SHA-256 begins."""
    root, found = data_dir().resolve(), {}
    for name in sorted(opened):
        path = Path(name).resolve()
        if path.is_relative_to(root) and path.is_file():
            found[path.relative_to(root).as_posix()] = _digest(path)
    return found


def _digest(path: Path) -> str:
    """How a file's SHA-256 begins; empty where there is no file."""
    return sha256(path.read_bytes())[:12] if path.is_file() else ""
