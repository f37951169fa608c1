"""Running a notebook and keeping of its outputs what can be stored."""

import hashlib
import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import nbformat
from notebook_sources import Built, code_cells, notebook, test_code, tests_after
from stored_figures import stored_figure

# Set by a hidden cell before the first: sys.course_opened is the set of all files that Python opens in this kernel.
RECORD_OPENED = """
def record():
    import os, sys
    opened = sys.course_opened = set()
    def hook(event, arguments):
        if event == "open" and not isinstance(arguments[0], int):
            try:
                opened.add(os.path.abspath(os.fsdecode(arguments[0])))
            except (OSError, TypeError, ValueError):  # no path, or the working folder is gone: not under data/
                pass
    sys.addaudithook(hook)
record()
del record
"""
ASK_OPENED = "print(__import__('json').dumps(sorted(__import__('sys').course_opened)))"
NO_INPUTS = {"lessons.json", "lesson_inputs.json"}  # the builder writes these itself

NUMBER = r"(?:np\.float64\()?-?\d+\.\d*(?:e[+-]?\d+)?\)?"
# What a cell shows when its last line is a call made for its effect, or an object that has nothing to say.
STRAY = re.compile(
    r"<(?!Figure size).*>"  # <Axes: >, <BarContainer object of 10 artists>, <module.Name object at 0x...>
    r"|\[?(Text|Line2D|Annotation|Rectangle)\(.*"  # Text(0.5, 1.0, 'a title')
    r"|\[<.*>\]|\(\[<.*|\(array\(.*"  # [<matplotlib.lines.Line2D at 0x...>], and what hist and pie return
    rf"|\[?\({NUMBER}, {NUMBER}\)\]?",  # an axis' limits
    re.DOTALL,
)


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
                data["image/png"] = stored_figure(data["image/png"])
            if data.pop("application/vnd.jupyter.widget-view+json", None):
                if re.match(r"\s*\S*?\s*\d+%\|", data.get("text/plain", "")):
                    continue  # a progress bar
                data = {"text/plain": "An explorer stands here: run this notebook to use it."}
            output["data"] = data
        kept.append(output)
    return kept


class TestCellError(Exception):
    """What a test cell guards is not so; the message names the cell."""


def stray_outputs(made: nbformat.NotebookNode) -> list[tuple[str, str]]:
    """The cells with an output that tells a reader nothing, such as ``<Axes: >``, and that output."""
    found = []
    for cell in code_cells(made):
        for output in cell["outputs"]:
            data = output.get("data", {})
            text = "".join(data.get("text/plain", ""))
            if set(data) == {"text/plain"} and STRAY.fullmatch(text.strip()):
                found.append((cell["id"], text.strip().partition("\n")[0]))
    return found


def execute(lesson: Built, folder: Path) -> tuple[nbformat.NotebookNode, float, dict[str, str]]:
    """Run a complete lesson with this very Python, test cells in their places.

    Returns:
        The notebook with its outputs; the wall time in seconds, kernel start included and test cells not; and the files
        under data/ that the lesson read, {"fashion_mnist/SHA256.json": the first 16 digits of its SHA-256}.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell failed.
        TestCellError: A test cell failed.
    """
    import ipykernel.kernelspec
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    class ThisPython(AsyncKernelManager):
        """Whatever kernels are installed for the user, the lesson runs on the Python that runs the builder."""

        @property
        def kernel_spec(self):
            return KernelSpec(resource_dir=ipykernel.kernelspec.RESOURCES, **ipykernel.kernelspec.get_kernel_dict())

    made = notebook(json.loads(json.dumps(lesson.solution["cells"])))
    cells = list(made["cells"])
    made["cells"].append(None)  # the place of hidden cells: nbclient writes each cell back to where it stands
    tests = tests_after(lesson.source, [cell["id"] for cell in cells])
    with tempfile.TemporaryDirectory() as home:  # the builder's own progress is nobody's business
        environment = os.environ | {"COURSE_HOME": home, "IPYTHONDIR": home}
        client = NotebookClient(
            made,
            kernel_manager_class=ThisPython,
            timeout=600,
            record_timing=False,
            resources={"metadata": {"path": str(folder)}},
        )

        def hidden(code: str) -> tuple[str, float]:
            """What a cell prints that is not in the notebook, and the seconds that it took."""
            start, cell = time.perf_counter(), nbformat.v4.new_code_cell(code)
            client.execute_cell(cell, len(cells), store_history=False)
            return "".join(output.get("text", "") for output in cell["outputs"]), time.perf_counter() - start

        start, not_counted = time.perf_counter(), 0.0
        with client.setup_kernel(env=environment, stderr=subprocess.DEVNULL):
            hidden(RECORD_OPENED)
            for number, cell in enumerate(cells):
                client.execute_cell(cell, number)
                for test in tests.get(cell["id"], []):
                    try:
                        not_counted += hidden(test_code(test))[1]
                    except CellExecutionError as error:
                        raise TestCellError(f"test cell {test.name!r}:\n{error.traceback}") from None
            seconds = time.perf_counter() - start - not_counted  # nobody waits for the kernel's end
            opened = json.loads(hidden(ASK_OPENED)[0])
    made["cells"].pop()
    root = folder.parents[1]
    places = {home: "~", str(root): "latent-spaces-course", str(Path.home()): "~"}
    for cell in code_cells(made):
        cell["outputs"] = tidy_outputs(cell["outputs"], places)
    return made, seconds, data_files(root / "data", opened, made)


def data_files(data: Path, opened: list[str], made: nbformat.NotebookNode) -> dict[str, str]:
    """The files under data/ that a lesson read, with the first digits of their SHA-256.

    A reader that is not written in Python (`safetensors.torch.load_file`) opens its file unseen; so a file whose whole
    name stands in the lesson's code counts as read too.
    """
    code = "\n".join(cell["source"] for cell in code_cells(made))
    data, opened, found = data.resolve(), {Path(path).resolve() for path in opened}, {}
    for path in sorted(path for path in data.rglob("*") if path.is_file()):
        name = path.relative_to(data).as_posix()
        if (path in opened or re.search(rf"[\"'/]{re.escape(path.name)}[\"']", code)) and name not in NO_INPUTS:
            found[name] = digest(path)
    return found


def digest(path: Path) -> str:
    """The first 16 digits of a file's SHA-256; empty where there is no file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else ""


def measured_speed() -> tuple[float | None, bool]:
    """Images a second of this machine, and whether lessons run on its GPU."""
    try:
        from course_utils.device import pick_device
        from course_utils.training import measure_speed
    except ImportError:
        return None, False
    gpu = pick_device().type != "cpu"
    return (None if gpu else float(measure_speed())), gpu
