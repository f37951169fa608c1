"""What importing costs, and that the package works installed away from the checkout."""

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from helpers import ROOT

import course_utils

PACKAGE = Path(course_utils.__file__).resolve().parent
HEAVY = ("torchvision", "matplotlib", "sklearn", "scipy", "ipywidgets", "anywidget", "IPython", "pandas", "PIL", "tqdm")
MODULES = sorted(
    "course_utils." + ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
    for file in PACKAGE.rglob("*.py")
    if file.name != "__main__.py"
    and file.parent != PACKAGE
    or file.parent == PACKAGE
    and file.name not in ("__init__.py", "__main__.py")
)
MAY_BE_HEAVY = ("course_utils.plots", "course_utils.widgets")


def python(code: str, *arguments: str, **environment: str) -> str:
    """What a fresh Python prints."""
    settings = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(statement: str) -> set[str]:
    return set(json.loads(python(f"import sys, json\n{statement}\nprint(json.dumps(list(sys.modules)))")))


def test_the_package_itself_loads_next_to_nothing():
    new = loaded_by("import course_utils") - loaded_by("pass")
    assert {name for name in new if not name.startswith("course_utils")} == set()
    assert new == {"course_utils"}


@pytest.mark.slow_because("another Python imports torch")
def test_after_torch_it_adds_at_most_a_tenth():
    code = """
from time import process_time  # other work on the machine does not count
start = process_time(); import torch; middle = process_time(); import course_utils; end = process_time()
print((end - middle) / (middle - start))
"""
    assert any(float(python(code)) < 0.1 for _ in range(3)), "in none of three tries, so it is no accident"


@pytest.fixture(scope="module")
def light() -> dict:
    """All modules but plots and widgets, in one process: what they loaded, and whether they changed anything."""
    names = [name for name in MODULES if not name.startswith(MAY_BE_HEAVY)]
    assert len(names) > 15
    code = f"""
import json, random, sys, torch
loaded, threads = set(sys.modules), torch.get_num_threads()
random.seed(1); state = random.getstate(); before = torch.get_rng_state()
import {", ".join(names)}
print(json.dumps({{
    "loaded": sorted(set(sys.modules) - loaded),
    "generators": torch.equal(torch.get_rng_state(), before) and random.getstate() == state,
    "settings": torch.get_num_threads() == threads and torch.get_default_dtype() == torch.float32,
}}))
"""
    return json.loads(python(code))


def test_modules_load_nothing_heavy_that_torch_does_not(light):
    """All in one process, so that it is quick; the next test says which module it was."""
    assert sorted(name for name in HEAVY if name in light["loaded"]) == []


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda f: f.relative_to(PACKAGE).as_posix())
def test_imports_at_the_top_of_a_module(file):
    """torchvision and scikit-learn nowhere, matplotlib only in plots and widgets, ipywidgets only in widgets."""
    forbidden = {"torchvision", "sklearn", "scipy", "pandas"}
    where = file.relative_to(PACKAGE).parts[0]
    if where != "widgets":
        forbidden |= {"ipywidgets", "anywidget"}
    if where not in ("widgets", "plots"):
        forbidden |= {"matplotlib"}
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    assert found & forbidden == set()


def test_importing_touches_neither_generators_nor_threads(light):
    assert light["generators"]
    assert light["settings"]


# -------------------------------------------------------------------------------- the wheel


def wheel_builders(target: Path) -> list[list[str]]:
    """Commands that may build a wheel here: hatchling in this environment, or uv, which `uv run` names in UV."""
    uv = os.environ.get("UV") or shutil.which("uv")
    commands = [[sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]]
    for extra in ([], ["--offline"]):
        if uv:
            commands.append([uv, "build", "--quiet", *extra, "--wheel", "--out-dir", str(target), str(ROOT)])
    python311 = shutil.which("python3.11")
    if python311:
        commands.append([python311, "-m", "uv", "build", "--quiet", "--wheel", "--out-dir", str(target), str(ROOT)])
    return commands


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    target, said = tmp_path_factory.mktemp("wheel"), []
    for command in wheel_builders(target):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        found = list(target.glob("*.whl"))
        if done.returncode == 0 and found:
            return found[0]
        said.append(f"{command[0]}: {done.stderr.strip()[-200:]}")
    pytest.skip(f"no wheel can be built here: {'; '.join(said)}")


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel's files, unpacked as an installer would."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_the_wheel_has_data_models_lessons_and_licences(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for folder in ("data/fashion_mnist", "data/checkpoints"):
        for file in (ROOT / folder).glob("*"):
            assert f"course_utils/_data/{file.relative_to(ROOT / 'data').as_posix()}" in names
    assert any(name.startswith("course_utils/_notebooks/") and name.endswith(".ipynb") for name in names)
    assert {"course_utils/_docs/GLOSSARY.md", "course_utils/command/nbgrader_config.txt"} <= names
    for name in ("LICENSE", "LICENSE-TEXT"):
        assert any(n.endswith(f".dist-info/licenses/{name}") for n in names)
    assert not [n for n in names if "__pycache__" in n or n.startswith(("tests/", "data/"))]


@pytest.mark.slow_because("another Python imports torch and verifies every model")
def test_it_works_installed_away_from_the_checkout(installed, tmp_path):
    code = """
import json, sys
from pathlib import Path
import course_utils
assert Path(course_utils.__file__).is_relative_to(sys.argv[1]), course_utils.__file__
from course_utils import checkpoints, data, files, latents
from course_utils.command import lessons
test = data.fashion_mnist("test", limit=8)
for folder in (files.data_dir(), files.notebooks_dir()):
    assert folder.is_relative_to(sys.argv[1]), folder
names = checkpoints.reference_names()
for name in names:
    checkpoints.verify(name)
model = checkpoints.load_reference("vae_2d")
print(json.dumps([len(data.fashion_mnist("train")), list(latents.encode_dataset(model, test).shape), names]))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])}
    environment = {key: value for key, value in environment.items() if key != "COURSE_DATA"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(installed.resolve())],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    train, codes, names = json.loads(done.stdout)
    assert train == 11_000
    assert codes == [8, 2]
    assert names == sorted(f.stem for f in (ROOT / "data" / "checkpoints").glob("*.safetensors"))


def test_the_console_script_is_declared(installed):
    (script,) = installed.glob("*.dist-info/entry_points.txt")
    assert "course = course_utils.command.cli:main" in script.read_text(encoding="utf-8")
