"""Soak test of the explorers: thousands of random events each, without a browser.

    python benchmarks/soak_explorers.py [--events 10000]

Delivers the messages that a browser sends when a control moves, one in twenty of them out of range or unreadable.
Prints a line for each explorer. It fails, and the exit status is 1, where memory (resident set) at the end is more than
5% above that after a warm-up of a tenth of the events (at most 1,000), or where the explorer does not show the latest
position.
"""

import argparse
import gc
import random
import sys
import time
from collections.abc import Callable

import psutil
import torch

from course_utils import plots
from course_utils.data import ImageSet
from course_utils.models.pca import PCA
from course_utils.models.pixels import PixelSpace
from course_utils.models.styles import StyleGAN
from course_utils.widgets import (
    ComponentSlider,
    Explorer,
    FunctionSlider,
    FunctionSliders,
    HandleSliders,
    LatentPad,
    MapExplorer,
    PathLab,
    PathSlider,
    StyleMixer,
    TruncationSlider,
)

GROWTH = 0.05


def explorers() -> dict[str, Callable[[], Explorer]]:
    """How to make one of each class, on small images."""
    x = torch.rand(200, 1, 16, 12, generator=torch.Generator().manual_seed(0))
    images = ImageSet((x * 255).to(torch.uint8), torch.arange(200) % 10, tuple("abcdefghij"))
    pca, plane = PCA(8).fit(x), PCA(2).fit(x)
    z, labels, names = pca.encode(x), images.labels, images.class_names
    style = StyleGAN(8, image_shape=(3, 16, 12), hidden=2).eval()
    w = style.in_w().sample_latent(3, generator=torch.Generator().manual_seed(0))

    def chart(slope, height=0.0):
        line = plots.Series("line", [0, 1], [height, height + slope])
        return {"chart": plots.Chart([line], (0, 1), (-4, 4), "x", "y"), "image": x[0] * abs(slope) / 2}

    maps = {(p, s): z[:, p + s : p + s + 2] for p in (0, 2) for s in (0, 1)}
    settings = {"images": images, "model": pca, "codes": z, "settings": ("perplexity", "seed")}
    return {
        "ComponentSlider": lambda: ComponentSlider(pca, x[0]),
        "FunctionSlider": lambda: FunctionSlider(chart, -2, 2),
        "FunctionSliders": lambda: FunctionSliders(chart, {"slope": (-2, 2), "height": (-1, 1)}),
        "HandleSliders": lambda: HandleSliders(pca, x[0]),
        "LatentPad": lambda: LatentPad(plane, plane.encode(x), labels, names, images=images),
        "MapExplorer": lambda: MapExplorer(maps, labels, names, **settings),
        "PathLab": lambda: PathLab({"pixels": PixelSpace((1, 16, 12)), "PCA": pca}, images[:10]),
        "PathSlider": lambda: PathSlider({"PCA": pca, "plane": plane}, x[0], x[1]),
        "StyleMixer": lambda: StyleMixer(style, w),
        "TruncationSlider": lambda: TruncationSlider({"z": (plane, z[:3, :2], None), "w": (style.in_w(), w, None)}),
    }


def move(spec: dict, rng: random.Random):
    """A position that the control of such an explorer can send."""
    if spec["kind"] == "map":
        chosen = [rng.randrange(len(one["values"])) for one in spec["settings"]]
        hidden = sorted(rng.sample(range(len(spec["names"])), rng.randrange(3)))
        at = [rng.uniform(*spec[end]) for end in ("xRange", "yRange")]
        return {"at": at, "map": chosen, "hidden": hidden, "pick": rng.random() < 0.2}
    if spec["kind"] == "pad":
        return [rng.uniform(*spec[end]) for end in ("xRange", "yRange")]
    at = [
        min(one["max"], one["min"] + one["step"] * rng.randint(0, round((one["max"] - one["min"]) / one["step"])))
        for one in spec.get("sliders", [spec])
    ]
    return at if spec["kind"] == "sliders" else at[0]


def send(explorer: Explorer, value, token: str) -> None:
    data = {"method": "update", "state": {"value": value, "_ask": token}, "buffer_paths": []}
    explorer._handle_msg({"content": {"data": data}, "buffers": []})


def shows(explorer: Explorer, value, token: str) -> bool:
    """Whether the browser was told of this position, and of no error."""
    answer = explorer._answer
    found = answer["value"]
    if isinstance(value, dict):  # the marker of a map follows its image to another map
        found, value = ({key: one[key] for key in ("map", "hidden")} for one in (found, value))
    same = list(found) == list(value) if isinstance(value, list) else found == value
    return same and answer["token"] == token and not answer["error"]


def resident() -> int:
    gc.collect()
    return psutil.Process().memory_info().rss


def soak(explorer: Explorer, events: int, rng: random.Random) -> tuple[int, int, bool]:
    """Memory in bytes after the warm-up and at the end, and whether the latest position is shown."""
    before, wrong = 0, ("left", None, [], 1e9, {"at": [0, 0]})
    for k in range(events):
        if rng.random() < 0.05 and k < events - 1:
            send(explorer, rng.choice(wrong), f"view:{k}")
            if not explorer.error:
                return before, resident(), False
            continue
        value = move(explorer._spec, rng)
        send(explorer, value, f"view:{k}")
        if k == min(1000, events // 10):
            before = resident()
    return before or resident(), resident(), shows(explorer, value, f"view:{k}")


def main(arguments: list[str] | None = None, makers: dict[str, Callable[[], Explorer]] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000, help="events for each explorer")
    events, failed = parser.parse_args(arguments).events, False
    for name, make in (makers or explorers()).items():
        explorer, start = make(), time.perf_counter()
        before, after, shown = soak(explorer, events, random.Random(0))
        bad = [] if shown else ["the latest position is not shown"]
        bad += ["memory grows"] if after > before * (1 + GROWTH) else []
        memory = f"{before / 2**20:.0f} MiB after the warm-up, {after / 2**20:.0f} at the end"
        took = f"{time.perf_counter() - start:.1f} s"
        print(
            f"{name:16} {events} events in {took}: {memory}; {'FAIL: ' + ', '.join(bad) if bad else 'ok'}", flush=True
        )
        explorer.close()
        failed |= bool(bad)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
