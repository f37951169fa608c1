"""Lesson 02 the way a reader meets it on Colab: the notebook alone, Colab's versions, the course fetched by git.

The environment is made by `.ci/run` (a Python with tests/environments/colab.txt installed) and named in
COURSE_COLAB_PYTHON. Nothing of the course is in it; the set-up cell gets COURSE_REPO, a repository with the files of
this checkout.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from helpers import ROOT
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

PYTHON = os.environ.get("COURSE_COLAB_PYTHON", "")
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "artifacts", "work", ".*cache", "__pycache__", "*.egg-info")
VERSIONS = (
    "import importlib.metadata as m, json; print(json.dumps(sorted((d.name, d.version) for d in m.distributions())))"
)

pytestmark = pytest.mark.skipif(not PYTHON, reason="COURSE_COLAB_PYTHON names no Python with Colab's versions")


class ColabKernel(AsyncKernelManager):
    """The kernel of the environment with Colab's versions."""

    @property
    def kernel_spec(self):
        return KernelSpec(argv=[PYTHON, "-m", "ipykernel_launcher", "-f", "{connection_file}"], language="python")


@pytest.fixture(scope="module")
def environment():
    """What a subprocess there sees: nothing that would make the course importable."""
    offline = str(ROOT / "tests" / "offline")
    paths = [offline] if os.environ.get("COURSE_OFFLINE") == "1" else []
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("COURSE_REPO", "COURSE_DATA", "VIRTUAL_ENV"))}
    return inherited | {"PYTHONPATH": os.pathsep.join(paths)}


def ask(code: str, environment: dict, folder: Path) -> str:
    done = subprocess.run([PYTHON, "-c", code], env=environment, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """A git repository with the files of this checkout as they are now."""
    root = tmp_path_factory.mktemp("published") / "course"
    shutil.copytree(ROOT, root, ignore=LEFT_OUT)
    git = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *command], check=True)
    return root


def test_the_environment_has_colabs_versions(environment, tmp_path):
    installed = dict(json.loads(ask(VERSIONS, environment, tmp_path)))
    installed = {name.lower().replace("_", "-"): version for name, version in installed.items()}
    lines = (ROOT / "tests" / "environments" / "colab.txt").read_text().splitlines()
    wanted = dict(line.split("==") for line in lines if "==" in line)
    assert {name: installed.get(name.lower().replace("_", "-")) for name in wanted} == wanted
    assert ask("import importlib.util as u; print(u.find_spec('course_utils'))", environment, tmp_path) == "None\n"


@pytest.mark.slow_because("runs a whole lesson, on other versions")
def test_lesson_02_alone_in_an_empty_folder_runs_to_its_end(environment, repository, tmp_path):
    lesson = next((ROOT / "notebooks").glob("02_*.ipynb"))
    folder = tmp_path / "content"
    folder.mkdir()
    shutil.copy(lesson, folder)
    before = ask(VERSIONS, environment, tmp_path)
    notebook = nbformat.read(folder / lesson.name, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, kernel_manager_class=ColabKernel, timeout=900, resources=resources)
    client.execute(env=environment | {"COURSE_REPO": repository.as_uri()}, stderr=subprocess.DEVNULL)
    assert ask(VERSIONS, environment, tmp_path) == before
    assert (folder / "latent-spaces-course" / "course_utils").is_dir()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
