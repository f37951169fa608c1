"""Kernel-side time of one slider event: each explorer against `interact` with matplotlib, on the same model.

    python benchmarks/explorers.py [--rounds 40]

Starts a Jupyter kernel and, inside it, delivers the messages that a browser sends when a control moves. A round is one
event of `interact` and three of the explorer, in turn, so that a busy machine slows both; the medians are compared.
`interact` draws only the images that follow the control (no map, no fixed images), which is the least it could do.
"""

import argparse
import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

MEASURE = """
get_ipython().run_line_magic("matplotlib", "inline")
import json, os, statistics, time
import ipywidgets, matplotlib.pyplot as plt, torch
from IPython.display import display
from course_utils.data import fashion_mnist
from course_utils.interpolation import lerp, slerp
from course_utils.latents import encode_dataset
from course_utils.models.autoencoder import Autoencoder
from course_utils.models.pca import PCA
from course_utils.widgets import ComponentSlider, LatentPad, PathSlider

images = fashion_mnist("train", limit=4000)
x = images.pixels(slice(0, 2))
model = Autoencoder(2).eval()
codes = encode_dataset(model, images)
pca = PCA(64).fit(images[:2000])
z_a, z_b = model.encode(x).detach()

def draw(pictures):
    figure, axes = plt.subplots(1, len(pictures), squeeze=False, figsize=(2.2 * len(pictures), 2.2))
    for ax, picture in zip(axes[0], pictures):
        ax.imshow(picture[0], cmap="gray", vmin=0, vmax=1)
        ax.axis("off")
    plt.show()

@torch.inference_mode()
def decode_at(a=0.0, b=0.0):
    draw(model.decode(torch.tensor([[a, b]])))

@torch.inference_mode()
def reconstruct(k=5):
    draw(pca.reconstruct(x[:1], k))

@torch.inference_mode()
def walk(weight=0.5):
    z = torch.stack([lerp(z_a, z_b, weight), slerp(z_a, z_b, weight)])
    draw([torch.lerp(x[0], x[1], weight), *model.decode(z)])

def explorer_event(explorer, value):
    state = {"value": value, "_ask": f"view:{time.perf_counter()}"}
    message = {"content": {"data": {"method": "update", "state": state, "buffer_paths": []}}, "buffers": []}
    start = time.perf_counter()
    explorer._handle_msg(message)
    return time.perf_counter() - start

def slider_event(slider, value):
    message = {"content": {"data": {"method": "update", "state": {"value": value}, "buffer_paths": []}}, "buffers": []}
    start = time.perf_counter()
    slider._handle_msg(message)
    return time.perf_counter() - start

FloatSlider, IntSlider = ipywidgets.FloatSlider, ipywidgets.IntSlider
cases = {
    "LatentPad": (
        LatentPad(model, codes, images.labels, images.class_names, images=images),
        ipywidgets.interactive(decode_at, a=FloatSlider(min=-3, max=3), b=FloatSlider(min=-3, max=3)),
        lambda i: [float(codes[i, 0]), float(codes[i, 1])], lambda i: (i % 59) / 10 - 2.9,
    ),
    "ComponentSlider": (
        ComponentSlider(pca, x[0]),
        ipywidgets.interactive(reconstruct, k=IntSlider(min=0, max=64)),
        lambda i: 1 + i % 63, lambda i: 1 + i % 63,
    ),
    "PathSlider": (
        PathSlider(model, x[0], x[1]),
        ipywidgets.interactive(walk, weight=FloatSlider(min=0, max=1, step=0.01)),
        lambda i: (i % 99) / 100, lambda i: (i % 99) / 100,
    ),
}
results = {}
for name, (explorer, usual, place, value) in cases.items():
    display(explorer, usual)
    ours, theirs = [], []
    for i in range(ROUNDS + 3):
        theirs.append(slider_event(usual.children[0], value(i + 1)))
        ours += [explorer_event(explorer, place(3 * i + k + 1)) for k in range(3)]
        assert not explorer.error, explorer.error
        assert usual.children[-1].outputs == () or usual.children[-1].outputs[0]["output_type"] != "error"
    results[name] = (1000 * statistics.median(ours[9:]), 1000 * statistics.median(theirs[3:]))
with open(RESULT, "w") as file:
    json.dump(results, file)
"""


def _count_picture(pictures: list, message: dict) -> None:
    """Keep the size of every figure that the kernel publishes: proof that interact did its work."""
    if "image/png" in message["content"].get("data", {}):
        pictures.append(len(message["content"]["data"]["image/png"]))


def measure(rounds: int = 40) -> dict[str, tuple[float, float]]:
    """Median milliseconds of one event, {explorer: (the explorer, interact with matplotlib)}.

    Args:
        rounds: Events of `interact` for each explorer; three times as many of the explorer.

    Raises:
        RuntimeError: The measurement failed inside the kernel.
    """
    from jupyter_client.manager import start_new_kernel

    checkout = str(Path(__file__).parents[1])
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, [checkout, os.environ.get("PYTHONPATH")])))
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        manager, client = start_new_kernel(kernel_name="python3", env=env)
        try:
            code = f"ROUNDS, RESULT = {rounds}, {str(result)!r}\n{MEASURE}"
            pictures = []
            reply = client.execute_interactive(code, timeout=600, output_hook=partial(_count_picture, pictures))
            if reply["content"]["status"] != "ok":
                raise RuntimeError("\n".join(reply["content"]["traceback"]))
            if len(pictures) < 3 * rounds:
                raise RuntimeError(f"interact drew {len(pictures)} figures in {3 * rounds} events.")
            return {name: tuple(times) for name, times in json.loads(result.read_text()).items()}
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


def table(results: dict[str, tuple[float, float]]) -> str:
    """The results as a markdown table."""
    lines = [
        "| explorer | kernel time an event | `interact` + matplotlib | ratio |",
        "|---|---:|---:|---:|",
    ]
    for name, (ours, theirs) in results.items():
        lines.append(f"| `{name}` | {ours:.2f} ms | {theirs:.1f} ms | 1/{theirs / ours:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40, help="events of interact for each explorer")
    results = measure(parser.parse_args().rounds)
    print(table(results))
    slow = [name for name, (ours, theirs) in results.items() if ours > theirs / 10]
    sys.exit(f"more than a tenth of interact: {', '.join(slow)}" if slow else 0)
