"""What an explorer in a notebook sends, so that the page can answer when the kernel does not: kernel.js asks for it.

It is left out where it would cost more than it gives: a bundle above LARGEST, as of MapExplorer with the images, codes
and decoder of a lesson, and explorers of functions, which would be called for each position and may do anything.
"""

from course_utils.widgets.front_end import stand_in
from course_utils.widgets.page.bundle import together

# Bytes of a bundle. Jupyter Server drops what a kernel sends where it is more than 1 MB a second over three seconds;
# half of that leaves room for the answers. See ServerApp.iopub_data_rate_limit.
LARGEST = 1_500_000
MOST = 200  # positions of an explorer whose answers are stored: each of them is drawn for it


def message(explorer, have: str) -> tuple[dict, list[bytes]]:
    """The answer to a notebook that asks for the page's back end.

    Args:
        explorer: It shows afterwards what it showed before.
        have: The digest of what the notebook has; empty where it has nothing.

    Returns:
        The content of the message, and its buffers. `page` in the content is the digest; None where the page does not
        answer for this explorer: it holds functions or layers that a page does not know, its bundle is too large, or
        it has too many positions. Without buffers, the notebook has the newest already.
    """
    if not explorer._stands_in or _positions(explorer._spec) > MOST:
        return {"page": None}, []
    if explorer._sent and explorer._sent[0] == have and _drawn(explorer, explorer._sent[1]) == explorer._sent[2]:
        return {"page": have}, []
    try:
        digest, packed = together(explorer._page(None), have)
    except (TypeError, ValueError):
        return {"page": None}, []
    if len(packed) > LARGEST:
        return {"page": None}, []
    value = explorer.value
    explorer._sent = digest, value, _drawn(explorer, value)
    return {"page": digest} | ({"scripts": stand_in()} if packed else {}), [packed] if packed else []


def _positions(spec: dict) -> int:
    """How many answers are stored of an explorer with one slider; 0 of another."""
    return 1 + int((spec["max"] - spec["min"]) / spec["step"] + 1e-6) if spec["kind"] == "slider" else 0


def _drawn(explorer, value) -> list[bytes]:
    """What it draws at a value now: other pictures, where its model has learned since."""
    return explorer._at(value | {"pick": True} if isinstance(value, dict) else value)[1]
