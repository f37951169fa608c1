import pytest

from course_utils.checks import _running


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine does not turn a right answer into one that waits for ever; the processor's time is as it is."""
    monkeypatch.setattr(_running, "WAITING_LIMIT", 600.0)
