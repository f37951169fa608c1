import pytest


@pytest.fixture
def g():
    """A generator with seed 0."""
    from helpers import generator  # and with it torch, which tests of documents and sources do without

    return generator()
