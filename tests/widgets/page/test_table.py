"""All answers of an explorer with few positions."""

import numpy as np
import pytest
import torch
from widgets.test_spec import EXPLORERS

from course_utils.data.faces import sample_faces
from course_utils.models.pca import PCA
from course_utils.plots import Chart, Series
from course_utils.widgets import ComponentSlider, FunctionSlider, FunctionSliders, HandleSliders
from course_utils.widgets.page.table import MOST, stored


def grey(a: float, b: float) -> dict:
    chart = Chart([Series("a line", [0, 1], [a, b])], (0, 1), (-9, 9), "x", "y")
    return {"grey": torch.full((1, 2, 3), abs(a) / 9), "chart": chart}


def panels(page, index: int) -> list[bytes]:
    """The panels at one position, as answers.js finds them."""
    places, raw = page.parts["places"].reshape(-1, 2, 2), page.parts["panels"]
    return [raw[at : at + size] for at, size in places[index].tolist()]


def test_there_is_an_answer_for_each_position_in_the_order_of_the_last_slider_first():
    explorer = FunctionSliders(grey, {"a": (0, 9, 3, 3), "b": (-1, 1, 0, 0.5)})
    page = stored(explorer, None)
    assert page.data["counts"] == [4, 5]
    assert len(page.data["answers"]) == 20
    assert page.data["answers"][7][0] == "a: 3, b: 0."
    image, chart = panels(page, 7)
    assert list(image) == [85] * 6
    assert np.frombuffer(chart, "<f4").tolist() == [0, 1, 3, 0]
    described = page.data["charts"][page.data["answers"][7][2]]
    assert described[0] is None
    assert described[1]["label"].startswith("Chart of y against x.")
    assert page.data["captions"] == [["grey", "chart"]]


def test_the_explorer_stays_where_it_is():
    explorer = ComponentSlider(EXPLORERS["components"]()._model, EXPLORERS["components"]()._x, start=1)
    before = explorer.image, explorer.text, explorer.squared_error
    stored(explorer, None)
    assert torch.equal(explorer.image, before[0])
    assert (explorer.text, explorer.squared_error) == before[1:]


def test_a_panel_that_is_the_same_everywhere_is_stored_once():
    page = stored(EXPLORERS["components"](), None)
    first = [panels(page, k)[0] for k in range(len(page.data["answers"]))]
    assert len(set(first)) == 1
    assert page.parts["panels"].count(first[0]) == 1


def test_fewer_steps_go_from_end_to_end_and_begin_at_the_nearest():
    explorer = FunctionSlider(lambda a: {"x": torch.full((1, 2, 3), a / 8)}, 0, 8, start=3, step=0.01)
    page = stored(explorer, 5)
    assert page.data["counts"] == [5]
    assert page.spec == {"step": 2.0, "start": 2.0}
    assert page.start == 2.0
    assert [answer[0] for answer in page.data["answers"]] == [f"value: {k}." for k in (0, 2, 4, 6, 8)]
    page = stored(FunctionSliders(grey, {"a": (0, 9, 8), "b": (-1, 1)}), [4, 3])
    assert page.start == [9, 0]
    assert [one["step"] for one in page.spec["sliders"]] == [3, 1]


@pytest.mark.parametrize("steps", [1, 0, 2.5, [3], [3, 3, 3], [3, 1], "33"])
def test_steps_that_do_not_fit_are_refused(steps):
    explorer = FunctionSliders(grey, {"a": (0, 9), "b": (-1, 1)})
    with pytest.raises(ValueError, match="give 2 or more positions for each"):
        stored(explorer, steps)


def test_too_many_positions_are_refused_with_a_number_that_works():
    explorer = FunctionSliders(lambda a, b, c: grey(a, b), {name: (0, 1) for name in "abc"})
    with pytest.raises(ValueError, match=r"51 x 51 x 51 positions .* steps=\[10, 10, 10\]"):
        stored(explorer, None)
    assert MOST >= 10**3
    assert stored(explorer, [3, 2, 2]).data["counts"] == [3, 2, 2]


def test_an_explorer_without_sliders_is_refused():
    with pytest.raises(ValueError, match="a LatentPad: it has no sliders"):
        stored(EXPLORERS["pad"](), None)


def test_true_faces_are_stored_where_steps_are_given(tmp_path):
    faces = sample_faces(12, seed=1, size=32)
    directions = {"smile": torch.linspace(-1, 1, 4)}
    explorer = HandleSliders(PCA(4).fit(faces.pixels()), faces.pixels([2])[0], directions, handles=faces.handles[2])
    with pytest.raises(ValueError, match="give steps"):
        explorer.page(tmp_path, "faces")
    assert list(tmp_path.iterdir()) == []
    page = explorer._page([5])
    assert page.kind == "table"
    assert page.data["counts"] == [5]
    assert all("Mean distance to the true face" in text for text, *_ in page.data["answers"])


def test_of_codes_each_different_one_is_stored_once_in_16_bits_and_a_list_has_all_its_options():
    def codes(word, a):
        return torch.tensor([[a, 2.0, 0.0, -1.0], [8.0 * (word == "one"), 0.0, 1.0, 3.0]])

    model = PCA(4).fit(torch.rand(20, 1, 3, 5, generator=torch.Generator().manual_seed(0)))
    explorer = FunctionSliders(codes, {"word": ["one", "two"], "a": (0, 1, 1)}, labels=["x", "y"], model=model)
    page = explorer._page([7, 3])
    assert page.data["counts"] == [2, 3]
    assert list(page.networks) == ["decoder"]
    places, stored_codes = page.parts["places"].reshape(6, 2, 2), page.parts["panels"]
    assert stored_codes.dtype == np.uint16
    assert stored_codes.shape == (3 + 2, 4)
    for index, (word, a) in enumerate((word, a) for word in ("one", "two") for a in (0.0, 0.5, 1.0)):
        for k, (at, size) in enumerate(places[index].tolist()):
            found = page.parts["low"] + stored_codes.reshape(-1)[at : at + size] * page.parts["step"]
            np.testing.assert_allclose(found, codes(word, a)[k].numpy(), atol=1e-4)
    assert page.early.shape == (5, 4)
    assert page.start == [0, 1]
