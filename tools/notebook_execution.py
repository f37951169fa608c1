"""Running a notebook and keeping of its outputs what can be stored."""

import base64
import io
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import nbformat
from notebook_sources import code_cells


def with_palette(png: str, greys: int = 52, colors: int = 64) -> str:
    """A figure with few colours, which is a half to a quarter of the size; unchanged where that saves nothing.

    The greys are evenly spaced, and the colours are chosen for the coloured pixels alone: where photographs fill most
    of a figure, a palette for all pixels would leave next to nothing for its few coloured lines and markers.
    """
    import numpy as np
    from PIL import Image

    try:
        picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    except (ValueError, OSError):  # no picture that Pillow can read: leave it as it is
        return png
    picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    pixels = np.asarray(picture).reshape(1, -1, 3)
    coloured = pixels[:, np.ptp(pixels[0], axis=1) > 12]
    palette = [round(255 * level / (greys - 1)) for level in range(greys) for _ in "rgb"]
    if coloured.size:
        palette += Image.fromarray(coloured).quantize(colors, dither=Image.Dither.NONE).getpalette()[: 3 * colors]
    chosen = Image.new("P", (1, 1))
    chosen.putpalette(palette)
    file = io.BytesIO()
    picture.quantize(palette=chosen, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    small = base64.b64encode(file.getvalue()).decode()
    return min(small, png, key=len)


def tidy_outputs(outputs: list, places: dict[str, str]) -> list:
    """Outputs without what changes from run to run, belongs to one machine, or cannot be shown without a kernel.

    Args:
        outputs: The outputs of one cell.
        places: Folders of this machine, and what to write instead, longer ones first.
    """

    def tidy_text(text: str) -> str:
        for folder, instead in places.items():
            text = text.replace(folder, instead)
        return re.sub(r"0x[0-9a-f]{8,}", "0x...", text)

    kept = []
    for output in outputs:
        output = dict(output)
        output.pop("transient", None)
        if output["output_type"] == "stream":
            output["text"] = tidy_text(
                re.sub(r"[^\n]*\r(?!\n)", "", output["text"])
            )  # of a progress bar its last state
            if kept and kept[-1]["output_type"] == "stream" and kept[-1]["name"] == output["name"]:
                kept[-1]["text"] += output["text"]
                continue
            if not output["text"]:
                continue
        elif "data" in output:
            data = {kind: tidy_text(x) if kind.startswith("text/") else x for kind, x in output["data"].items()}
            if "image/png" in data:
                data["image/png"] = with_palette(data["image/png"])
            if data.pop("application/vnd.jupyter.widget-view+json", None):
                if re.match(r"\s*\S*?\s*\d+%\|", data.get("text/plain", "")):
                    continue  # a progress bar
                data = {"text/plain": "An explorer stands here: run this notebook to use it."}
            output["data"] = data
        kept.append(output)
    return kept


def execute(made: nbformat.NotebookNode, folder: Path) -> float:
    """Run a notebook with this very Python, put the outputs in its cells, and return the wall time in seconds."""
    import ipykernel.kernelspec
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    class ThisPython(AsyncKernelManager):
        """Whatever kernels are installed for the user, the lesson runs on the Python that runs the builder."""

        @property
        def kernel_spec(self):
            return KernelSpec(resource_dir=ipykernel.kernelspec.RESOURCES, **ipykernel.kernelspec.get_kernel_dict())

    with tempfile.TemporaryDirectory() as home:  # the builder's own progress is nobody's business
        environment = os.environ | {"COURSE_HOME": home, "IPYTHONDIR": home}
        client = NotebookClient(
            made,
            kernel_manager_class=ThisPython,
            timeout=600,
            record_timing=False,
            resources={"metadata": {"path": str(folder)}},
        )
        start = time.perf_counter()
        client.execute(env=environment, stderr=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
    root = str(folder.parents[1])
    places = {home: "~", root: "latent-spaces-course", str(Path.home()): "~"}
    for cell in code_cells(made):
        cell["outputs"] = tidy_outputs(cell["outputs"], places)
    return seconds


def measured_speed() -> tuple[float | None, bool]:
    """Images a second of this machine, and whether lessons run on its GPU."""
    try:
        from course_utils.device import pick_device
        from course_utils.training import measure_speed
    except ImportError:
        return None, False
    gpu = pick_device().type != "cpu"
    return (None if gpu else float(measure_speed())), gpu
