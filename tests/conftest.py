import os
import time
from pathlib import Path

import pytest


@pytest.fixture
def g():
    """A generator with seed 0."""
    from helpers import generator  # and with it torch, which tests of documents and sources do without

    return generator()


@pytest.fixture(scope="session")
def book(tmp_path_factory) -> Path:
    """The book, made once for all tests, also where two processes share them: the second one waits for the first."""
    from course_utils.command import site

    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    out, failed = shared / "book", shared / "book-failed"
    try:
        (shared / "book-begun").mkdir()
    except FileExistsError:
        while not (out / site.OURS).is_file():
            assert not failed.exists(), "the book could not be made: another test process says why"
            time.sleep(0.5)
        return out
    try:
        report = site.build(out)
    except BaseException:
        failed.touch()
        raise
    (shared / "book-warnings.txt").write_text("\n".join(report.warnings))
    return out
