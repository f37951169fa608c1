"""The command line of the course: `course lab`, `course doctor`, `course train`, `course maps`, `course claims`,
`course site`, `course export`, `course assignment`, `course progress`."""

import argparse
import dataclasses
import difflib
import json
import os
import sys
from pathlib import Path

import course_utils
from course_utils.command.machine import let_threads_sleep


class Mistake(Exception):
    """Something the person at the keyboard can put right: one sentence, exit status 2."""


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one sentence, without the usage lines."""

    def error(self, message: str):
        """Raise a Mistake with argparse's message."""
        raise Mistake(f"{message}. `{self.prog} --help` shows what can be given.")


def parser() -> Parser:
    """The parser of all commands."""
    top = Parser(prog="course", description="A course on latent spaces.", allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"%(prog)s {course_utils.__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    lab = commands.add_parser(
        "lab", allow_abbrev=False, help="open JupyterLab at lesson 00",
        description="Copy the lessons that are missing into your workspace and open JupyterLab there, at lesson 00. "
        "Options that are not listed here are passed on to JupyterLab.",
    )  # fmt: skip
    lab.add_argument("--no-browser", action="store_true", help="open no browser, only print the address")
    lab.add_argument("--port", type=_port, metavar="N", help="the first port to try (8888)")
    lab.add_argument(
        "--fresh", action="append", default=[], metavar="NN",
        help="start lesson NN afresh; your copy is kept beside it under a dated name (may be given more than once)",
    )  # fmt: skip
    lab.add_argument(
        "--hub", action="store_true",
        help="be the server of one learner on a JupyterHub, which starts this itself (deploy/hub in the repository)",
    )  # fmt: skip

    doctor = commands.add_parser(
        "doctor", allow_abbrev=False, help="check this machine and say how to mend what is wrong",
        description="Check this machine. The exit status is 1 when the course would not run.",
    )  # fmt: skip
    doctor.add_argument("--json", action="store_true", help="print the report as JSON")

    train = commands.add_parser("train", allow_abbrev=False, help="train a reference model again")
    train.add_argument("name", nargs="?", metavar="NAME", help="the model, as --list shows it")
    train.add_argument("--list", action="store_true", help="show the models that can be trained")
    train.add_argument("--device", help="cpu, cuda or mps (by default the best one that is there)")
    train.add_argument("--epochs", type=_positive, metavar="N", help="epochs instead of the recipe's")
    train.add_argument(
        "--seeds", type=_positive, metavar="N", help="train N times, keep the first, and say how the numbers vary"
    )
    train.add_argument(
        "--data",
        choices=("bundled", "full"),
        help="images to train on: all, downloaded once (the default), or the bundled ones",
    )
    train.add_argument("--out", type=Path, metavar="DIR", help="folder for the weights and the card")

    maps = commands.add_parser(
        "maps", allow_abbrev=False, help="make the stored maps of lesson 08 again",
        description="Make the maps of lesson 08 again: t-SNE by perplexity and seed, and others (about 5 minutes).",
    )  # fmt: skip
    maps.add_argument("--out", type=Path, metavar="DIR", help="folder for the maps and their cards")
    maps.add_argument("--without-umap", action="store_true", help="leave out the maps that need umap-learn")

    claims = commands.add_parser(
        "claims", allow_abbrev=False, help="put a lesson's headline claims under stress",
        description="Run the experiments in claims/NN.py that are missing in data/claims/NN.json, store each when it "
        "ends, and show whether the claims hold. What was stopped goes on when it is called again.",
    )  # fmt: skip
    claims.add_argument("lesson", metavar="NN", help="number of the lesson, as in 04")
    claims.add_argument("names", nargs="*", metavar="NAME", help="the claims to run; all by default")
    claims.add_argument("--fresh", action="store_true", help="repeat also what is stored")
    claims.add_argument("--processes", type=_positive, metavar="N", help="runs at a time; half the cores by default")
    claims.add_argument("--check", action="store_true", help="run nothing; say what is missing or does not hold")

    site = commands.add_parser(
        "site", allow_abbrev=False, help="make the course a book of web pages",
        description="Make the course a book of web pages, whose explorers run in the reader's browser. It needs the "
        "dependency group `site`.",
    )  # fmt: skip
    site.add_argument("--out", type=Path, metavar="DIR", help="folder of the book (build/site in the checkout)")
    site.add_argument("--serve", action="store_true", help="show the book on this machine; build it if there is none")
    site.add_argument("--port", type=_port, metavar="N", help="the port for --serve (the first free one from 8000 on)")
    site.add_argument("--single", type=Path, metavar="FILE", help="write only the first screen, as one .html file")

    export = commands.add_parser(
        "export", allow_abbrev=False, help="write a model as ONNX files, checked against torch",
        description="Write the encoder, the decoder and whatever else a model computes as ONNX files with their card, "
        "and compare them with torch in onnxruntime. It needs the extra `export`.",
    )  # fmt: skip
    export.add_argument("name", nargs="?", metavar="NAME", help="a reference model, or the path of a model you saved")
    export.add_argument("--list", action="store_true", help="show the reference models and what is exported of each")
    export.add_argument("--out", type=Path, metavar="DIR", help="folder for the files and their card")
    export.add_argument("--force", action="store_true", help="replace files that are there")

    assignment = commands.add_parser(
        "assignment", allow_abbrev=False, help="make a lesson an assignment that nbgrader marks",
        description="Write a lesson as the source notebook of an nbgrader assignment, and nbgrader's settings: its "
        "exercises mark themselves, on inputs that students do not see.",
    )  # fmt: skip
    assignment.add_argument("lesson", metavar="NN", help="number of the lesson, as in 02")
    assignment.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the nbgrader course")
    assignment.add_argument(
        "--points", action="extend", nargs="+", default=[], type=_named_points, metavar="NAME=N",
        help="points of an exercise or question; by default one a minute that the lesson gives an exercise, one a "
        "question",
    )  # fmt: skip
    assignment.add_argument("--further", action="store_true", help="with the lesson's further sections")

    progress = commands.add_parser("progress", allow_abbrev=False, help="show which exercises you have passed")
    progress.add_argument("--reset", action="store_true", help="forget them")
    progress.add_argument("--yes", action="store_true", help="do not ask before forgetting")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Words of the command line after `course`; `sys.argv`'s by default.

    Returns:
        The exit status: 0, 1 when something failed, 2 when what was asked for makes no sense.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):  # a Windows console may not know every letter of a path
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    let_threads_sleep(os.environ)  # before any command loads torch
    top = parser()
    try:
        if not arguments:
            top.print_help()
            return 2
        commands = {"lab": _lab, "doctor": _doctor, "train": _train, "maps": _maps}
        commands |= {"claims": _claims, "site": _site, "export": _export}
        commands |= {"assignment": _assignment, "progress": _progress}
        if not arguments[0].startswith("-") and arguments[0] not in commands:
            raise Mistake(f"there is no command {arguments[0]!r}{_near(arguments[0], commands)}")
        options, rest = top.parse_known_args(arguments)
        if rest and options.command != "lab":
            raise Mistake(f"{rest[0]!r} is no option. `course {options.command} --help` shows what can be given.")
        options.rest = tuple(rest)
        return commands[options.command](options)
    except (Mistake, ValueError) as error:
        return _complain(error, 2)
    except (OSError, RuntimeError) as error:
        return _complain(error, 1)
    except KeyboardInterrupt as error:
        return _complain(str(error) or "stopped.", 130)


def _lab(options: argparse.Namespace) -> int:
    from course_utils.command import lab, workspace

    if options.hub:
        if options.port is not None:
            raise Mistake("--port does not go with --hub: the hub chooses the port.")
        lab.require_hub()
        os.umask(0o077)  # what a learner writes is for nobody else
    target = workspace.default_target(hub=options.hub)
    report = workspace.prepare(target, fresh=tuple(options.fresh))
    print("\n".join([*report.lines(), f"Your lessons are in {target}."]), flush=True)
    if options.hub:
        target.chmod(0o700)  # also where it was made by other means
        return lab.seat(target, options=options.rest)
    return lab.run(target, port=options.port, browser=not options.no_browser, options=options.rest)


def _doctor(options: argparse.Namespace) -> int:
    from course_utils.command import doctor

    findings = doctor.examine()
    runs = all(finding.status != "FAIL" for finding in findings)
    if options.json:
        print(json.dumps({"runs": runs, "checks": [dataclasses.asdict(finding) for finding in findings]}, indent=2))
    else:
        print(doctor.table(findings))
    return 0 if runs else 1


def _train(options: argparse.Namespace) -> int:
    from course_utils import recipes

    if options.list:
        print(recipe_table(recipes.RECIPES))
        return 0
    if options.name is None:
        raise Mistake("which model? `course train --list` shows them.")
    if options.name not in recipes.RECIPES:
        raise Mistake(f"there is no recipe {options.name!r}{_near(options.name, recipes.RECIPES)}")
    if options.device is not None:
        from course_utils.device import pick_device

        try:
            pick_device(options.device)
        except (ValueError, RuntimeError) as error:
            raise Mistake(str(error).replace("prefer", "--device")) from error
    given = {"out": options.out, "device": options.device, "epochs": options.epochs, "seeds": options.seeds}
    if options.data is not None:
        given["full"] = options.data == "full"
    given = {key: value for key, value in given.items() if value is not None}
    weights = recipes.train(options.name, progress=True, **given)
    print(f"{metrics_table(json.loads(weights.with_name(f'{weights.stem}.json').read_text()))}\n")
    print(f"Saved {weights} and its card.")
    return 0


def _maps(options: argparse.Namespace) -> int:
    from course_utils.files import course_home
    from course_utils.recipes.maps import make_maps

    out = course_home() / "maps" if options.out is None else options.out
    try:
        paths = make_maps(out, umap=not options.without_umap)
    except ModuleNotFoundError as error:
        raise Mistake(str(error)) from error
    kilobytes = sum(path.stat().st_size for path in paths) / 1000
    print(f"Saved {', '.join(path.name for path in paths)} ({kilobytes:.0f} kB) and their cards in {out}.")
    return 0


def _claims(options: argparse.Namespace) -> int:
    from course_utils.claims import load
    from course_utils.command.claims import complaints, run_claims, scripts_dir

    script = scripts_dir() / f"{options.lesson}.py"
    if not script.is_file():
        there = ", ".join(sorted(path.stem for path in scripts_dir().glob("[0-9][0-9].py"))) or "none"
        raise Mistake(f"there is no {script}: claims come with the repository, for the lessons {there}.")
    if options.check:
        found = complaints(options.lesson)
        print("\n".join(found) or f"All claims of lesson {options.lesson} were run and hold.")
        return 1 if found else 0
    processes = options.processes or max(1, (os.cpu_count() or 1) // 2)
    found = run_claims(options.lesson, options.names, fresh=options.fresh, processes=processes)
    fallen = 0
    for name, claim in load(script).items():
        if options.names and name not in options.names:
            continue
        holds = claim.holds(found[name])
        fallen += not holds
        print(f"\n{name}: {'holds' if holds else 'DOES NOT HOLD'}\n{found[name]!r}")
    return 1 if fallen else 0


def _site(options: argparse.Namespace) -> int:
    from course_utils.command import site

    if options.single is not None and (options.out is not None or options.serve):
        raise Mistake("--single writes one file and nothing else: give it without --out and --serve.")
    if options.port is not None and not options.serve:
        raise Mistake("--port is for --serve.")
    return site.run(out=options.out, show=options.serve, port=options.port, file=options.single)


def _export(options: argparse.Namespace) -> int:
    from course_utils import stored
    from course_utils.checkpoints import reference_names
    from course_utils.command import export

    if options.list:
        print(export.table())
        return 0
    if options.name is None:
        raise Mistake("which model? `course export --list` shows them.")
    files = stored.paths(options.name)
    is_path = Path(options.name).name != options.name or any(path.exists() for path in (Path(options.name), *files))
    if options.name not in reference_names() and not is_path:
        near = _near(options.name, reference_names())
        raise Mistake(f"there is no reference model {options.name!r}, nor a file of that name{near}")
    card = export.export(options.name, options.out, force=options.force)
    print(f"Saved with their card, {card.name}, in {card.parent}.")
    return 0


def _assignment(options: argparse.Namespace) -> int:
    from course_utils.command import assignment

    names = [name for name, _ in options.points]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Mistake(f"--points gives {twice[0]} twice.")
    made = assignment.make(options.lesson, points=dict(options.points), further=options.further)
    written = assignment.write(made, options.out)
    print("\n".join(assignment.report(made, written, options.out)))
    return 0


def metrics_table(card: dict) -> str:
    """The numbers of a card as aligned text, with their spread where it was trained from several seeds."""
    spread = card.get("over_seeds", {})
    lines = []
    for name, value in card["metrics"].items():
        line = f"{name:22} {value:.5g}"
        if name in spread:
            one = spread[name]
            line += f"   over {len(spread['seeds'])} seeds: {one['mean']:.5g} +- {one['std']:.2g}"
            line += f" ({min(one['values']):.5g} to {max(one['values']):.5g})"
        lines.append(line)
    return "\n".join(lines)


def recipe_table(recipes: dict) -> str:
    """The recipes as aligned text; minutes and data are those on the reference model's card, where there is one."""
    from course_utils.checkpoints import verify

    rows = [("NAME", "EPOCHS", "MINUTES", "DATA", "WHAT")]
    for name, recipe in recipes.items():
        try:
            card = verify(name)
        except (OSError, ValueError):  # not trained yet, or damaged, which `course doctor` says
            card = {}
        rows.append((name, recipe.epochs, card.get("minutes", "-"), card.get("data", "-"), recipe.what))
    widths = [max(len(str(row[column])) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(str(cell).ljust(w) for cell, w in zip(row, widths, strict=False)), row[4]]) for row in rows
    )


def _progress(options: argparse.Namespace) -> int:
    from course_utils import checks

    if not options.reset:
        print(checks.progress_table())
        return 0
    passed = sum(day is not None for exercises in checks.progress().values() for day in exercises.values())
    exercises = f"{passed} passed exercise{'' if passed == 1 else 's'}"
    if not options.yes and not _asked(f"Forget {exercises}? Your notebooks stay as they are. [y/N] "):
        print("Nothing was forgotten.")
        return 0
    checks.reset_progress()
    print(f"Forgot {exercises}.")
    return 0


def _asked(question: str) -> bool:
    """Ask a question on the terminal; no answer is a no."""
    try:
        return input(question).strip().lower() in ("y", "yes")
    except (EOFError, RuntimeError):  # RuntimeError: there is no standard input at all
        return False


def _near(word: str, known) -> str:
    """The end of a sentence about an unknown name: what it may have meant, or all there is."""
    close = difflib.get_close_matches(word, list(known), n=3, cutoff=0.5)
    return f": did you mean {' or '.join(close)}?" if close else f": use one of {', '.join(known)}."


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"a port is a whole number from 1 to 65535, not {text!r}")
    return int(text)


def _named_points(text: str) -> tuple[str, int]:
    name, mark, number = text.partition("=")
    if not name or not mark or not number.isdecimal() or not 0 < int(number) <= 1000:
        raise argparse.ArgumentTypeError(f"it is NAME=N with a whole number from 1 to 1000, not {text!r}")
    return name, int(number)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"it is {text!r}, but must be a whole number, 1 or more")
    return int(text)


def _complain(error: BaseException | str, status: int) -> int:
    """Say one sentence on stderr."""
    text = error.strerror if isinstance(error, OSError) and error.strerror and not error.filename else str(error)
    print(f"course: {' '.join(text.split())}", file=sys.stderr)
    return status
