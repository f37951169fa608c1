"""The tests have the folders and names of what they test."""

from pathlib import PurePosixPath

import pytest
from helpers import ROOT

TESTS = ROOT / "tests"
WHOLE = {  # about no single file, and why
    "test_arrows": "imports between all files",
    "test_conftest": "conftest.py, and tests/lesson_cells.py",
    "test_docs": "all documents and lessons",
    "test_gpu": "the whole package on a GPU, compared with the CPU",
    "test_import": "what importing costs, and the wheel",
    "test_layout": "the tests themselves",
    "test_offline": "tests/offline, which covers every other test",
    "browser/test_controls": "the controls that learners build, in a browser",
    "browser/test_explorers": "explorers in lessons, in a browser",
    "browser/test_site": "the book that `course site` makes, in a browser",
    "browser/test_stand_in": "explorers in a notebook whose kernel is busy or gone, in a browser",
    "deploy/test_hub": "a hub with the configuration in deploy/hub",
    "deploy/test_image": "deploy/Dockerfile, the chart's values, and .binder",
    "notebooks/test_assignments": "the assignments of all lessons, in nbgrader",
    "notebooks/test_colab": "a lesson with Colab's versions",
    "notebooks/test_markdown": "the text of all lessons",
    "notebooks/test_names": "the names that cells of all lessons share",
    "notebooks/test_signatures": "all lessons and their checks",
    "notebooks/test_variants": "all lessons, as a learner gets them",
    "widgets/test_function_slider": "FunctionSlider, which stands in function_sliders.py",
}


def subjects(test: PurePosixPath) -> list[str]:
    """Where what a test file is named after may stand: X.py or _X.py for test_X.py, or a folder X."""
    folder, name = test.parent, test.stem.removeprefix("test_")
    if name.startswith("parity_"):
        return [f"notebooks/src/{name.removeprefix('parity_')}_*.py"]
    folder = PurePosixPath("widgets") if folder.name == "browser" else folder
    roots = [""] if folder.parts[:1] in [("tools",), ("benchmarks",)] else ["course_utils/"]
    whole = [f"{folder}/__init__.py"] if folder.name == name else []
    names = [f"{name}.py", f"_{name}.py", f"{name}/__init__.py"]
    return [f"{root}{file}" for root in roots for file in (*whole, *(str(folder / one) for one in names))]


FILES = sorted(PurePosixPath(path.relative_to(TESTS).as_posix()) for path in TESTS.rglob("test_*.py"))


@pytest.mark.parametrize("test", FILES, ids=str)
def test_each_test_file_is_named_after_what_it_tests(test):
    if str(test.with_suffix("")) not in WHOLE:
        places = subjects(test)
        assert any(list(ROOT.glob(place)) for place in places), f"tests/{test} tests none of {', '.join(places)}"


def test_files_without_a_subject_are_there():
    assert set(WHOLE) <= {str(test.with_suffix("")) for test in FILES}


def test_a_test_without_a_subject_is_seen():
    assert subjects(PurePosixPath("models/vae/test_vae.py"))[:2] == [
        "course_utils/models/vae/__init__.py",
        "course_utils/models/vae/vae.py",
    ]
    assert not any((ROOT / place).exists() for place in subjects(PurePosixPath("test_vae.py")))
