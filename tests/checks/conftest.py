import pytest

from course_utils.checks import _engine


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine does not turn a right answer into an endless one."""
    monkeypatch.setattr(_engine, "TIME_LIMIT", 600.0)
