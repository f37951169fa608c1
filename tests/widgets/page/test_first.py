"""The first frame as HTML."""

import base64
import html
import html.parser
import io

import numpy as np
import pytest
import torch
from PIL import Image
from widgets.test_spec import EXPLORERS

from course_utils.models.vae import VAE
from course_utils.widgets import LatentPad
from course_utils.widgets.page.first import EXACT, NOTES, webp


def pad() -> LatentPad:
    """A model that a page can run: those of EXPLORERS are classes of the tests."""
    torch.manual_seed(0)
    model = VAE(2, hidden=4, image_shape=(1, 4, 6))
    return LatentPad(model, torch.randn(9, 2), torch.arange(9) % 2, ("<bag>", "boot"), images=torch.rand(9, 1, 4, 6))


PAGES = {"pad": pad} | {k: v for k, v in EXPLORERS.items() if k not in ("pad", "handles", "map", "brush")}


class Tree(html.parser.HTMLParser):
    """What stands in a piece of HTML, and that all of it is closed."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.found = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def decoded(source: str | bytes) -> np.ndarray:
    """The pixels of a file, or of an address that holds one."""
    data = base64.b64decode(source.partition(",")[2]) if isinstance(source, str) else source
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_small_picture_holds_the_pixels(channels):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    assert (decoded(webp(pixels))[..., :channels] == pixels).all()


def test_a_large_picture_is_near_and_takes_little():
    smooth = np.linspace(0, 200, 64)[:, None, None] + np.linspace(0, 50, 64)[None, :, None] * [1, 0.5, 0.2]
    grainy = (smooth + np.random.default_rng(0).normal(size=smooth.shape) * 2).astype(np.uint8)
    assert len(webp(grainy)) < EXACT
    off = np.abs(decoded(webp(grainy)) - grainy.astype(int))
    assert 0 < off.mean() < 4


@pytest.mark.parametrize("name", PAGES)
def test_the_place_has_a_picture_for_each_panel_and_the_sentence(name, tmp_path):
    explorer = PAGES[name]()
    if name == "map of images":
        explorer.show_classes(explorer._names[:1])
    text = explorer.page(tmp_path, "one-2_B")
    tree = Tree(text)
    assert tree.found[0][1]["class"] == "course-place"
    assert tree.found[0][1]["data-explorer"] == "one-2_B"
    pictures = [attributes for tag, attributes in tree.found if tag == "img"]
    maps = int(explorer._spec["kind"] in ("pad", "map"))
    assert len(pictures) == maps + sum(len(row["panels"]) for row in explorer._spec["rows"])
    assert all(one["alt"] and float(one["width"]) > 0 and float(one["height"]) > 0 for one in pictures)
    said = explorer.text if name != "functions" else explorer._at([0.96, 2])[2]["text"]  # the nearest that is stored
    assert f'<p class="course-first-text">{html.escape(said)}</p>' in text
    assert NOTES["still"] in text
    assert not {"script", "style"} & {tag for tag, _ in tree.found}
    assert not any(key.startswith("on") for _, attributes in tree.found for key in attributes)


def test_the_pixels_of_the_place_are_those_of_the_explorer(tmp_path):
    explorer = pad()
    text = explorer.page(tmp_path, "one")
    source = [attributes["src"] for tag, attributes in Tree(text).found if tag == "img"][1]  # after the map
    wanted = explorer.image.mul(255).round().numpy()[0]
    assert (decoded(source)[..., 0] == wanted).all()


@pytest.mark.parametrize("name", ["", "a b", "../a", "a.b", "ü", 'a"'])
def test_a_name_that_is_no_name_of_a_file_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match="use letters, digits"):
        pad().page(tmp_path, name)


def test_what_a_page_cannot_run_writes_nothing(tmp_path):
    with pytest.raises(TypeError, match="a page cannot run a Model"):
        EXPLORERS["pad"]().page(tmp_path, "one")
    with pytest.raises(ValueError, match="no steps to give"):
        pad().page(tmp_path, "one", steps=3)
    assert not list(tmp_path.iterdir())


def test_the_still_map_has_its_points_in_their_places_and_colours(tmp_path):
    explorer = pad()
    source = next(attributes["src"] for tag, attributes in Tree(explorer.page(tmp_path, "one")).found if tag == "img")
    drawn, (x0, x1), (y0, y1) = decoded(source), explorer._x_range, explorer._y_range
    assert 2 * drawn.shape[1] == explorer._spec["size"]
    seen = 0
    for (x, y), kind in zip(explorer._codes.tolist(), explorer._labels.tolist(), strict=True):
        side = explorer._spec["size"] - 44
        column, row = (38 + (x - x0) / (x1 - x0) * side) / 2, (6 + (y1 - y) / (y1 - y0) * side) / 2
        if x0 < x < x1 and y0 < y < y1:
            color = explorer._spec["palette"][kind]
            near = drawn[max(0, int(row) - 1) : int(row) + 2, max(0, int(column) - 1) : int(column) + 2].reshape(-1, 3)
            seen += (near == [int(color[k : k + 2], 16) for k in (1, 3, 5)]).all(axis=1).any()
    assert seen >= 7  # of nine; one may lie under another or under the ring
