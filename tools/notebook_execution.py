"""Running a notebook and keeping of its outputs what can be stored."""

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import nbformat
from notebook_sources import code_cells


def tidy_outputs(outputs: list) -> list:
    """Outputs without what changes from run to run or cannot be shown without a kernel."""
    kept = []
    for output in outputs:
        output = dict(output)
        output.pop("transient", None)
        if output["output_type"] == "stream":
            text = re.sub(r"[^\n]*\r(?!\n)", "", output["text"])  # of a progress bar only its last state
            output["text"] = re.sub(r"0x[0-9a-f]{8,}", "0x...", text)
            if kept and kept[-1]["output_type"] == "stream" and kept[-1]["name"] == output["name"]:
                kept[-1]["text"] += output["text"]
                continue
            if not text:
                continue
        elif "data" in output:
            data = dict(output["data"])
            plain = data.get("text/plain", "")
            if data.pop("application/vnd.jupyter.widget-view+json", None):
                if re.match(r"\s*\S*?\s*\d+%\|", plain):
                    continue  # a progress bar
                data = {"text/plain": "An explorer stands here: run this notebook to use it."}
            elif plain:
                data["text/plain"] = re.sub(r"0x[0-9a-f]{8,}", "0x...", plain)
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
    for cell in code_cells(made):
        cell["outputs"] = tidy_outputs(cell["outputs"])
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
