"""The brush: which pixels are known, what the function is told and gives, the twin, and every bad input."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from widgets.test_function_sliders import browser_moves

from course_utils.widgets import Brush

X = torch.linspace(0, 1, 3 * 6 * 10).reshape(3, 6, 10)  # not square


def two(known):
    """The known part on black, and the mask itself."""
    return torch.stack([torch.where(known, X, 0.0), known.float().expand(3, -1, -1)])


@pytest.fixture
def brush():
    return Brush(X, two, cells=(2, 5), labels=["known part", "mask"], hidden=[4])


def test_the_browser_gets_the_image_and_its_cells(brush):
    spec = brush._spec
    assert (spec["kind"], spec["shape"], spec["cells"], spec["start"]) == ("brush", (6, 10, 3), (2, 5), {"hidden": [4]})
    pixels = np.frombuffer(bytes(brush._points), np.uint8).reshape(6, 10, 3)
    np.testing.assert_allclose(pixels, X.permute(1, 2, 0).numpy() * 255, atol=0.51)
    assert [panel["title"] for panel in spec["rows"][0]["panels"]] == ["known part", "mask"]
    assert all(panel["size"] >= 128 for panel in spec["rows"][0]["panels"])


def test_cells_are_counted_row_by_row(brush):
    assert not brush.known[0, :3, 8:].any()  # cell 4 is the last of the first row
    assert brush.known.sum() == 60 - 6
    browser_moves(brush, {"hidden": [6, 0]})
    assert brush.value == {"hidden": [0, 6]}
    assert not brush.known[0, :3, :2].any()
    assert not brush.known[0, 3:, 2:4].any()
    assert brush.known.sum() == 60 - 12
    assert torch.equal(brush.images[1][0], brush.known[0].float())
    assert torch.equal(brush.images[0], torch.where(brush.known, X, 0.0))
    assert brush.text == "Hidden: 2 of 10 cells, 20% of the image."


def test_cells_that_do_not_divide_the_image_cover_all_of_it():
    brush = Brush(X, two, cells=(4, 3))
    brush.hide(*range(12))
    assert not brush.known.any()
    assert brush.text == "Hidden: 12 of 12 cells, 100% of the image."
    brush.hide()
    assert brush.known.all()
    assert brush.text == "Nothing is hidden."
    assert sorted(set(brush._cell.flatten().tolist())) == list(range(12))


def test_what_a_function_does_to_its_mask_changes_nothing():
    def spoil(known):
        known[:] = False
        return X[None]

    brush = Brush(X, spoil, cells=2)
    assert brush.known.all()


def test_it_is_a_trait(brush):
    seen = []
    brush.observe(lambda change: seen.append(change.new), "value")
    brush.value = {"hidden": (3, 3, 1)}
    assert seen == [{"hidden": [1, 3]}]
    assert brush.value == {"hidden": [1, 3]}


@pytest.mark.parametrize(
    ("hidden", "said"),
    [([10], "the number of a cell is 10: give a whole number from 0 to 9"), ([-1], "is -1"), ([0.5], "is 0.5")],
)
def test_a_cell_that_is_not_there_is_named_and_the_brush_stays(brush, hidden, said):
    with pytest.raises(ValueError, match=said):
        brush.hide(*hidden)
    assert said in brush.error
    assert brush.value == {"hidden": [4]}


@pytest.mark.parametrize(
    ("fn", "options", "kind", "said"),
    [
        ("nothing", {}, TypeError, "fn is a str: give a function"),
        (lambda known: [X], {}, TypeError, "fn returned a list: it must return a tensor"),
        (lambda known: X, {}, ValueError, r"fn returned shape \(3, 6, 10\) for 1 masks"),
        (lambda known: X[None] * torch.nan, {}, ValueError, "fn returned NaN or infinite pixels"),
        (lambda known: X[None][:0], {}, ValueError, "fn returned 0 images for 0 labels"),
        (two, {"labels": ["one"]}, ValueError, "fn returned 2 images for 1 labels"),
        (two, {"labels": ["a", "a"]}, ValueError, "two of labels are called 'a'"),
        (two, {"cells": (7, 2)}, ValueError, "the number of rows of cells is 7: give a whole number from 1 to 6"),
        (two, {"cells": (2, 0)}, ValueError, "the number of columns of cells is 0"),
        (two, {"cells": (2,)}, TypeError, "cells is .*give a list or tuple of 2"),
        (two, {"hidden": [64]}, ValueError, "the number of a cell is 64"),
        (two, {"hidden": 3}, TypeError, "hidden is 3: give a list or tuple"),
    ],
)
def test_what_does_not_fit_is_named(fn, options, kind, said):
    with pytest.raises(kind, match=said):
        Brush(X, fn, **({"cells": (2, 5)} | options))


def test_an_image_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"x has shape \(2, 6, 10\)"):
        Brush(X[:2], two)


def test_an_error_of_the_function_is_shown_and_the_pictures_stay(brush):
    brush._fn = lambda known: 1 / 0
    before = brush._frame
    browser_moves(brush, {"hidden": [1]})
    assert "ZeroDivisionError" in brush.error
    assert (brush._frame, brush.value) == (before, {"hidden": [4]})


def test_other_images_than_at_the_start_are_refused(brush):
    brush._fn = lambda known: two(known)[:, :, :4]
    with pytest.raises(ValueError, match="an image has shape"):
        brush.hide(1)


def test_the_twin_has_the_hole_in_grey_and_the_results(brush):
    ax = brush.static()
    shown = [axes for axes in ax.figure.axes if axes.images] or [ax]
    assert [text for one in shown for text in (one.get_title(), *(t.get_text() for t in one.texts)) if text] == [
        "given",
        "known part",
        "mask",
    ]
    plt.close("all")


def test_a_page_cannot_show_it(brush, tmp_path):
    with pytest.raises(ValueError, match="a page cannot store the answers of a Brush"):
        brush.page(tmp_path, "brush")
