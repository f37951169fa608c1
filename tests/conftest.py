import pytest
from helpers import generator


@pytest.fixture
def g():
    """A generator with seed 0."""
    return generator()
