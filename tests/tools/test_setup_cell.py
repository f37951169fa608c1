"""The set-up cell of every lesson, on a machine that does not have the course."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from notebook_sources import SETUP_CELL


@pytest.fixture
def machine(tmp_path):
    """A folder and a Python without the course, in which to run the set-up cell."""
    modules, folder = tmp_path / "modules", tmp_path / "alone"
    folder.mkdir()
    (modules / "pip").mkdir(parents=True)
    (modules / "pip" / "__init__.py").touch()
    (modules / "pip" / "__main__.py").write_text(
        "import sys; open('pip.txt', 'a').write(' '.join(sys.argv[1:]) + '\\n')"
    )
    for name in ("anywidget", "psygnal", "safetensors"):
        (modules / f"{name}.py").touch()

    def run_cell(before="", after="", cwd=folder, **environment):
        code = f"{before}\n{SETUP_CELL.read_text()}\n{after}"
        inherited = {k: v for k, v in os.environ.items() if k not in ("COURSE_REPO", "PYTHONPATH")}
        environment = inherited | {"PYTHONPATH": str(modules)} | environment
        return subprocess.run(  # -S: nothing from this environment's site-packages, so no course_utils
            [sys.executable, "-S", "-c", code], cwd=cwd, env=environment, capture_output=True, text=True
        )

    run_cell.folder, run_cell.modules = folder, modules
    return run_cell


@pytest.fixture
def published(tmp_path) -> Path:
    """A git repository that holds a very small course."""
    root = tmp_path / "published"
    (root / "course_utils").mkdir(parents=True)
    (root / "course_utils" / "__init__.py").write_text("here = True\n")
    (root / "data").mkdir()
    (root / "data" / "lessons.json").write_text("{}")
    commit(root)
    return root


def commit(root: Path) -> None:
    git = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *command], check=True)


IMPORT = "import course_utils; print(course_utils.here, course_utils.__file__)"


def test_set_up_with_the_placeholder_fetches_nothing(machine):
    done = machine(PATH="")  # where no git could be found anyway
    assert done.returncode == 1
    assert "RuntimeError: This copy of the course has no public address yet, so nothing was fetched." in done.stderr
    assert "COURSE_REPO" in done.stderr
    assert list(machine.folder.iterdir()) == []


def test_set_up_fetches_the_course_once(machine, published):
    done = machine(after=IMPORT, COURSE_REPO=published.as_uri())
    assert done.stdout.startswith("True "), done.stderr
    assert "latent-spaces-course" in done.stdout
    assert [path.name for path in machine.folder.iterdir()] == ["latent-spaces-course"]
    assert machine(after=IMPORT, COURSE_REPO="/nowhere", PATH="").stdout.startswith("True ")  # no second time
    assert not (machine.folder / "pip.txt").exists()


@pytest.mark.parametrize("place", [".", "notebooks", "notebooks/solutions", "work/my copies of lessons"])
def test_set_up_sees_the_course_around_the_notebook(machine, published, place):
    (published / place).mkdir(parents=True, exist_ok=True)
    done = machine(after=IMPORT, cwd=published / place, PATH="")
    assert done.stdout == f"True {published / 'course_utils' / '__init__.py'}\n", done.stderr
    assert not (published / place / "latent-spaces-course").exists()


@pytest.mark.parametrize("name", ["course-main", "Mein Kurs (Größe ½)"])
@pytest.mark.parametrize("form", ["absolute", "relative", "home"])
def test_set_up_uses_a_folder_that_is_no_git_repository(machine, published, name, form):
    shutil.rmtree(published / ".git")
    folder = published.rename(published.with_name(name))
    address = {"absolute": str(folder), "relative": f"../{name}", "home": f"~/{name}"}[form]
    done = machine(after=IMPORT, COURSE_REPO=address, HOME=str(folder.parent), USERPROFILE=str(folder.parent), PATH="")
    assert done.stdout == f"True {folder / 'course_utils' / '__init__.py'}\n", done.stderr
    assert list(machine.folder.iterdir()) == []


def test_set_up_says_so_where_there_is_no_git(machine, published):
    done = machine(COURSE_REPO=published.as_uri(), PATH="")
    assert "RuntimeError" in done.stderr.splitlines()[-2]
    assert "did not give the whole course. Set the environment variable COURSE_REPO" in done.stderr
    assert "'git'" in done.stderr.splitlines()[-1]
    assert list(machine.folder.iterdir()) == []


def test_set_up_lets_git_ask_for_no_password(machine, tmp_path):
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    git.write_text('#!/bin/sh\nprintf "prompt %s \\344" "$GIT_TERMINAL_PROMPT" >&2; exit 128\n')  # and no UTF-8
    git.chmod(0o755)
    done = machine(COURSE_REPO="https://example.org/private", PATH=str(git.parent))
    assert done.stderr.splitlines()[-1].startswith("prompt 0 ")


def test_set_up_does_nothing_where_the_course_is(machine):
    (machine.modules / "course_utils.py").write_text("here = 'already'\n")
    (machine.modules / "anywidget.py").unlink()
    assert machine(after=IMPORT, PATH="").stdout.startswith("already ")
    assert list(machine.folder.iterdir()) == []


def test_set_up_leaves_nothing_behind_when_it_fails(machine, published):
    done = machine(COURSE_REPO=str(published / "nowhere"))
    assert "RuntimeError" in done.stderr
    assert "did not give the whole course" in done.stderr
    assert "does not exist" in done.stderr  # what git says
    assert list(machine.folder.iterdir()) == []


def test_set_up_refuses_half_a_course(machine, published):
    shutil.rmtree(published / "data")
    commit(published)
    done = machine(COURSE_REPO=published.as_uri())
    assert "did not give the whole course" in done.stderr
    assert list(machine.folder.iterdir()) == []


def test_set_up_installs_only_what_is_missing_and_nothing_with_it(machine, published):
    (machine.modules / "safetensors.py").unlink()
    done = machine(COURSE_REPO=str(published))
    assert done.returncode == 0, done.stderr
    assert (machine.folder / "pip.txt").read_text() == "install -q --no-deps safetensors\n"


def test_set_up_lets_colab_show_the_explorers(machine, published):
    fake = (
        "import sys, types; colab = types.ModuleType('google.colab'); colab.__path__ = []\n"
        "output = types.ModuleType('google.colab.output')\n"
        "output.enable_custom_widget_manager = lambda: print('enabled')\n"
        "sys.modules |= {'google': types.ModuleType('google'), 'google.colab': colab, 'google.colab.output': output}\n"
    )
    assert machine(before=fake, COURSE_REPO=str(published)).stdout == "enabled\n"
