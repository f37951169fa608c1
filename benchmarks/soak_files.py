"""Damage to what is kept on disk, and kills while it is being written.

    python benchmarks/soak_files.py [--damages 100] [--kills 100]

For each kind of stored file (a model, snapshots, maps, images, a table, a training that goes on, a history, the passed
exercises) a copy is damaged at random: bits turned over, cut short, filled with zeros, something put in, two parts
exchanged, emptied, or replaced by a file of another kind. Loading it must give what was kept, or one error with one
sentence, and never hang. Then a process that saves over and over is killed at a random moment: what is there afterwards
must load, old or new, and the next saving must work. Printed is a line for each kind; the exit status says whether all
went well.
"""

import argparse
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from course_utils import checkpoints, embedding, files, stored
from course_utils.checks import _progress
from course_utils.data.fashion import fashion_mnist
from course_utils.models.autoencoder import Autoencoder
from course_utils.training.history import History
from course_utils.training.loop import fit


def damaged(content: bytes, r: random.Random, other: bytes) -> bytes:
    """The content after one random accident."""
    size = len(content)
    a, b = sorted(r.randrange(size + 1) for _ in range(2))
    accident = r.randrange(8)
    if accident == 0:
        changed = bytearray(content)
        for _ in range(r.choice([1, 1, 1, 20])):
            changed[r.randrange(size)] ^= 1 << r.randrange(8)
        return bytes(changed)
    return [
        content[:a], content[:a] + bytes(b - a) + content[b:], content[:a] + content[b:],
        content[:a] + r.randbytes(1 + b - a) + content[a:], content[b:] + content[a:b] + content[:a], b"", other,
    ][accident - 1]  # fmt: skip


class Small(nn.Module):
    """Something that trains in a moment."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)


def train(folder: Path, epochs: int, **options):
    torch.manual_seed(0)
    model = Small()
    data = [torch.rand(4, 3, generator=torch.Generator().manual_seed(k)) for k in range(3)]

    def loss(model, x):
        return {"loss": model.layer(x).square().sum(dim=1)}

    return fit(model, data, epochs=epochs, loss=loss, save_to=folder / "training.pt", progress=False, **options)


def go_on(folder: Path) -> History:
    history = History.load(folder / "training.pt")
    return train(folder, history.epochs[-1]["epoch"] + 1, resume=history)


def numbers(model: nn.Module) -> float:
    return sum(weights.double().abs().sum().item() for weights in model.state_dict().values())


def kinds(folder: Path) -> dict[str, tuple[list[Path], Callable]]:
    """Of each kind of stored file: those in the folder, and how they are loaded."""
    bundled = files.data_dir()
    for part in ("checkpoints", "maps", "fashion_mnist"):
        shutil.copytree(bundled / part, folder / part)
    for name in ("path_quality.json", "path_codes.json", "path_codes.safetensors"):
        if (bundled / name).exists():
            shutil.copy(bundled / name, folder)
    os.environ["COURSE_DATA"], os.environ["COURSE_HOME"] = str(folder), str(folder)
    _progress.record("midpoint")
    history = train(folder, 2)
    history.save(folder / "history.json")
    maps = embedding.map_names()[0]

    def files_of(part: str, name: str) -> list[Path]:
        return sorted(stored.files_of(folder / part / name, stored.verify(folder / part / name)))

    return {
        "model": (
            files_of("checkpoints", "autoencoder_2d"),
            lambda: numbers(checkpoints.load_reference("autoencoder_2d")),
        ),
        "snapshots": (
            files_of("checkpoints", "vae_2d_snapshots"),
            lambda: checkpoints.load_snapshots("vae_2d_snapshots"),
        ),
        "maps": (
            files_of("maps", maps),
            lambda: [one.points.double().sum().item() for one in embedding.load_maps(maps)],
        ),
        "images": (
            [one for one in files_of("fashion_mnist", "card") if one.name[:3] in ("t10", "car")],
            lambda: fashion_mnist("test").images.sum().item(),
        ),
        "table": ([folder / "path_quality.json"], lambda: stored.read(folder / "path_quality")),
        "training": ([folder / "training.pt"], lambda: (repr(History.load(folder / "training.pt")), go_on(folder))[0]),
        "history": ([folder / "history.json"], lambda: repr(History.load(folder / "history.json"))),
        "passed exercises": ([folder / "progress.json"], lambda: _progress.passed()),
    }


def fault_of(load: Callable, kept, limit: float = 20.0) -> tuple[str | None, str]:
    """What is wrong with how a damaged file is met, or None; and how it ended. kept: what it must give, if anything."""
    begin = time.monotonic()
    try:
        found, end = load(), "loaded"
        if kept is not None and found != kept:
            return f"other numbers than were kept: {str(found)[:100]}", end
    except (ValueError, OSError, TypeError) as error:
        end = "refused"
        if not str(error).strip() or len(str(error)) > 600 or "Traceback" in str(error):
            return f"no sentence: {type(error).__name__}: {str(error)[:300]!r}", end
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:300]!r}", "raw error"
    return (f"took {time.monotonic() - begin:.0f} s" if time.monotonic() - begin > limit else None), end


def soak_damages(count: int) -> int:
    faults = 0
    with tempfile.TemporaryDirectory() as name:
        every = kinds(Path(name))
        contents = {path: path.read_bytes() for paths, _ in every.values() for path in paths}
        for kind, (paths, load) in every.items():
            kept = load() if kind != "passed exercises" else None  # these begin anew where they cannot be read
            r, ends = random.Random(kind), {"loaded": 0, "refused": 0, "raw error": 0}
            for k in range(count):
                path, other = r.choice(paths), r.choice([one for one in contents if one not in paths])
                path.write_bytes(damaged(contents[path], r, contents[other]))
                fault, end = fault_of(load, kept)
                ends[end] += 1
                if fault:
                    faults += 1
                    print(f"!! {kind}, damage {k} of {path.name}: {fault}")
                for one in paths:
                    one.write_bytes(contents[one])
            load()
            print(f"{kind}: {count} damages, " + ", ".join(f"{end} {n}" for end, n in ends.items()), flush=True)
    return faults


def writers(folder: Path) -> dict[str, tuple[Callable, Callable]]:
    """Of each kind of writing: one that writes the k-th version, and one that says which version is there."""
    models = [Autoencoder(2) for _ in range(2)]
    history = History()

    def save_model(k):
        checkpoints.save(models[k % 2], folder / "model", card={"what": "soak", "version": k})

    def save_training(k):
        train(folder, 1)

    return {
        "model": (save_model, lambda: (checkpoints.load(folder / "model"), checkpoints.read_card(folder / "model"))),
        "table": (lambda k: stored.save(folder / "t", card={"version": k}), lambda: stored.read(folder / "t")),
        "history": (lambda k: history.save(folder / "h.json"), lambda: History.load(folder / "h.json")),
        "training": (save_training, lambda: go_on(folder)),
        "passed exercises": (
            lambda k: (_progress.record("midpoint"), _progress.record(f"exercise-{k}")),
            lambda: _progress.passed()["midpoint"],
        ),
    }


def soak_kills(count: int) -> int:
    faults = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["COURSE_HOME"] = name
        torch.set_num_threads(1)  # a process that forks has no other threads
        for kind, (write, read) in writers(folder).items():
            write(0)
            r, killed = random.Random(kind), 0
            for k in range(count):
                child = os.fork()
                if child == 0:
                    version = 1
                    while True:
                        write(1000 * k + version)
                        version += 1
                time.sleep(r.uniform(0.002, 0.05))
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                killed += 1
                try:
                    read()
                    write(k)
                    read()
                except Exception as error:
                    faults += 1
                    print(f"!! {kind}, kill {k}: {type(error).__name__}: {str(error)[:300]}")
            left = sorted(one.name for one in folder.iterdir())
            print(f"{kind}: {killed} kills, everything loads; {len(left)} files in the folder", flush=True)
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--damages", type=int, default=100, help="for each kind of file")
    parser.add_argument("--kills", type=int, default=100, help="for each kind of writing")
    arguments = parser.parse_args()
    faults = soak_damages(arguments.damages) + soak_kills(arguments.kills)
    print(f"{faults} faults")
    return bool(faults)


if __name__ == "__main__":
    raise SystemExit(main())
