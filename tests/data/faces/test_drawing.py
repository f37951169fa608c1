"""Drawn faces: handles and their distribution, smoothness and gradients, what each handle changes, data sets."""

import numpy as np
import pytest
import torch
from helpers import generator

from course_utils.data.faces import (
    HANDLES,
    default_handles,
    describe_face,
    render_faces,
    sample_handles,
    shapes,
)

NAMES = list(HANDLES)


DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()


PINNED_HANDLES = [-0.007487, 0.536444, -0.823045, 0.13203]


PINNED_PIXELS = [[97, 184, 171], [72, 132, 120], [58, 96, 87]]


def some(n: int, seed: int = 0) -> torch.Tensor:
    """Random handles in float64, glasses half there, so that they are seen in gradients."""
    handles = sample_handles(n, generator=generator(seed)).double()
    handles[:, -1] = 0.5
    return handles


class TestRendering:
    @pytest.mark.parametrize("size", [16, 31, 64])
    def test_sizes_types_and_range(self, size):
        for handles in (some(5), some(5).float(), torch.zeros(5, 13, dtype=torch.int64)):
            images = render_faces(handles, size)
            assert images.shape == (5, 3, size, size)
            assert images.dtype == (torch.float64 if handles.dtype == torch.float64 else torch.float32)
            assert images.min() > 0, "nothing is clipped"
            assert images.max() < 1

    def test_nothing_is_clipped_at_the_ends_of_all_ranges(self):
        low, high = (torch.tensor([getattr(h, end) for h in HANDLES.values()]) for end in ("low", "high"))
        corner = torch.rand(300, 13, generator=generator()) < 0.5
        images = render_faces(torch.where(corner, low, high).double(), 32)
        assert images.min() > 0
        assert images.max() < 1

    def test_a_face_does_not_depend_on_its_neighbours(self):
        handles = some(140, 4).float()  # at 32 pixels more than one part
        assert render_faces(handles, 32).allclose(torch.cat([render_faces(h[None], 32) for h in handles]), atol=1e-5)

    @pytest.mark.parametrize("device", DEVICES)
    def test_the_same_on_every_device(self, device):
        handles = some(40, 5)
        exact = render_faces(handles, 32)
        assert (render_faces(handles.float().to(device), 32).cpu() - exact).abs().max() < 0.1 / 255

    def test_half_precision_around_it_changes_nothing(self):
        handles = some(3).float()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            inside = render_faces(handles, 32)
        assert torch.equal(inside, render_faces(handles, 32))
        assert render_faces(handles.bfloat16(), 32).dtype == torch.float32

    def test_gradients_work_after_inference_mode_was_first(self):
        shapes.make_grid.cache_clear()
        with torch.inference_mode():
            render_faces(default_handles(), 17)
        handles = default_handles().requires_grad_()
        render_faces(handles, 17).sum().backward()
        assert handles.grad.isfinite().all()

    @pytest.mark.parametrize("size", [32, 64])
    def test_windows_cut_nothing_off(self, size, monkeypatch):
        handles = some(60, 6)
        fast = render_faces(handles, size)
        monkeypatch.setattr(shapes.Grid, "window", lambda self, *box: (slice(0, self.size), slice(0, self.size)))
        assert (render_faces(handles, size) - fast).abs().max() < 1.2 / 255

    def test_a_small_image_is_nearly_the_average_of_a_large_one(self):
        """What anti-aliasing means. Hair's texture and thin lines leave a difference; a drawing with steps has more."""
        handles = default_handles(30, skin=torch.linspace(0, 1, 30), turn=torch.linspace(-1, 1, 30), hair_curl=0.0)
        small, large = render_faces(handles, 32), render_faces(handles, 256)
        difference = (torch.nn.functional.avg_pool2d(large, 8) - small).abs().mean()
        steps = (large[:, :, 4::8, 4::8] - small).abs().mean()
        assert difference < 0.012
        assert difference < 0.8 * steps

    @pytest.mark.parametrize(
        ("handles", "size", "words"),
        [
            (torch.zeros(13), 32, r"handles have shape \(13,\): give \(N, 13\)"),
            (torch.zeros(2, 12), 32, r"handles have shape \(2, 12\)"),
            (torch.zeros(2, 13), 8, "size is 8: below 16 pixels"),
        ],
    )
    def test_bad_input_is_an_error(self, handles, size, words):
        with pytest.raises(ValueError, match=words):
            render_faces(handles, size)


class TestSmoothness:
    @pytest.mark.parametrize("name", NAMES)
    def test_gradients_agree_with_finite_differences(self, name):
        k, handles = NAMES.index(name), some(6, 7)
        weights = torch.randn(6, 3, 24, 24, generator=generator(8), dtype=torch.float64)
        step = torch.zeros_like(handles)
        step[:, k] = 1e-5
        ahead, behind = ((render_faces(handles + s, 24) * weights).sum((1, 2, 3)) for s in (step, -step))
        handles.requires_grad_()
        (gradient,) = torch.autograd.grad((render_faces(handles, 24) * weights).sum(), handles)
        assert (gradient[:, k] - (ahead - behind) / 2e-5).abs().max() < 1e-6 * (1 + gradient[:, k].abs().max())
        assert gradient[:, k].abs().min() > 1e-4, "every handle moves something everywhere"

    @pytest.mark.parametrize("name", NAMES)
    def test_no_jumps_and_no_kinks(self, name):
        """The largest second difference falls with the square of the step; at a jump it stays, at a kink it halves."""
        handle, seconds = HANDLES[name], []
        for steps in (600, 1200):
            sweep = some(1, 9).repeat(steps + 1, 1)
            sweep[:, NAMES.index(name)] = torch.linspace(handle.low, handle.high, steps + 1, dtype=torch.float64)
            seconds.append(render_faces(sweep, 16).diff(n=2, dim=0).abs().max())
        assert seconds[1] < 0.3 * seconds[0] or seconds[1] < 1e-12  # glasses are linear


def boxes(size: int, *rectangles: tuple[float, float, float, float]) -> torch.Tensor:
    """Pixels inside any of the rectangles (left, right, bottom, top), in coordinates from -1 to 1."""
    axis = (torch.arange(size) + 0.5) * 2 / size - 1
    x, y = axis[None, :], -axis[:, None]
    inside = [(x > left) & (x < right) & (y > bottom) & (y < top) for left, right, bottom, top in rectangles]
    return torch.stack(inside).any(dim=0)


FACE = (-0.75, 0.75, -0.96, 0.62)  # with ears and neck


CORNERS = ((-1, -0.8, -0.5, 1), (0.8, 1, -0.5, 1), (-1, 1, 0.93, 1))


CLOTHES = (-0.9, 0.9, -1, -0.96)


MIDDLE = (-0.3, 0.3, -0.45, 0.3)  # of the face


MAY_CHANGE = {
    "smile": boxes(64, (-0.62, 0.62, -0.7, 0.05)),
    "turn": ~boxes(64, CLOTHES, *CORNERS),
    "light": ~boxes(64, *CORNERS),
    "hair_color": boxes(64, (-0.85, 0.85, 0.06, 0.95), (-0.85, -0.45, -0.3, 0.06), (0.45, 0.85, -0.3, 0.06)),
    "hair_length": ~boxes(64, MIDDLE),
    "hair_curl": ~boxes(64, MIDDLE, CLOTHES),
    "age": boxes(64, (-0.85, 0.85, -0.62, 0.95)),
    "eye_open": boxes(64, (-0.47, -0.04, -0.2, 0.24), (0.04, 0.47, -0.2, 0.24)),
    "brow": boxes(64, (-0.56, 0.56, 0.03, 0.45)),
    "skin": boxes(64, FACE),
    "face_width": ~boxes(64, CLOTHES, *CORNERS),
    "background": ~boxes(64, (-0.38, 0.38, -0.3, 0.6), (-0.15, 0.15, -0.8, -0.3)),
    "glasses": boxes(64, (-0.65, 0.65, -0.25, 0.25)),
}


class TestEachHandleChangesOnlyWhatItNames:
    @staticmethod
    def change(name: str, **named) -> torch.Tensor:
        """Largest change of a pixel while one handle goes from end to end, (64, 64), over five skins and hairs."""
        spread = torch.linspace(0, 1, 5)
        named = {"skin": spread, "hair_color": spread.flip(0), "hair_length": 0.15, "glasses": 0.0, **named}
        low, high = HANDLES[name].low, HANDLES[name].high
        sweep = torch.stack(
            [render_faces(default_handles(5, **{**named, name: float(v)}), 64) for v in np.linspace(low, high, 7)]
        )
        return (sweep.amax(dim=0) - sweep.amin(dim=0)).amax(dim=(0, 1))

    @pytest.mark.parametrize("name", NAMES)
    def test_region(self, name):
        change, inside = self.change(name), MAY_CHANGE[name]
        assert change[~inside].max() < 2 / 255
        assert change[inside].max() > 0.15
        assert 0.01 < (change > 0.05).float().mean() < 0.85

    def test_width_leaves_eyes_nose_and_mouth_in_place(self):
        change = self.change("face_width")
        assert change[boxes(64, MIDDLE)].max() < 0.08 < 0.4 < change.max()

    def test_light_leaves_the_eyes_and_the_background_colour_leaves_the_person(self):
        assert self.change("light", eye_open=1.0)[boxes(64, (-0.25, -0.2, 0.0, 0.04))].max() < 2 / 255
        assert self.change("background")[boxes(64, *CORNERS)].min() > 0.1

    def test_hair_colour_leaves_the_skin_and_skin_leaves_the_hair(self):
        assert self.change("hair_color")[boxes(64, (-0.4, 0.4, -0.95, 0.1))].max() < 2 / 255
        assert self.change("skin")[boxes(64, (-0.3, 0.3, 0.65, 1))].max() < 2 / 255

    def test_turning_moves_the_features_to_the_named_side(self):
        """The dark pupils' mean position."""
        darkness = (0.35 - render_faces(default_handles(3, turn=torch.tensor([-1.0, 0.0, 1.0]), brow=1.0), 64)).clamp(0)
        band = darkness.amin(dim=1)[:, 28:36]
        x = (torch.arange(64) + 0.5) / 32 - 1
        place = (band * x).sum(dim=(1, 2)) / band.sum(dim=(1, 2))
        assert place[0] < place[1] - 0.05 < place[1] + 0.05 < place[2]

    def test_light_comes_from_the_named_side_and_age_greys_the_hair(self):
        left, right = render_faces(default_handles(2, light=torch.tensor([-1.0, 1.0])), 64)
        cheeks = [image[:, 36:44, part].mean() for image in (left, right) for part in (slice(18, 28), slice(36, 46))]
        assert cheeks[0] > cheeks[1] + 0.05
        assert cheeks[3] > cheeks[2] + 0.05
        young, old = render_faces(default_handles(2, age=torch.tensor([0.0, 1.0]), hair_color=0.6), 64)
        saturation = [(i.amax(dim=0) - i.amin(dim=0))[6:12, 28:36].mean() for i in (young, old)]
        assert saturation[0] > 0.3
        assert saturation[1] < 0.08


def test_handles_of_any_kind():
    handles = default_handles(2)
    assert torch.equal(render_faces(handles.numpy(), 16), render_faces(handles, 16))
    with pytest.raises(TypeError, match=r"handles are a dictionary: default_handles\(\*\*handles\)"):
        render_faces({"smile": 1.0})
    with pytest.raises(ValueError, match="NaN or infinite values in handles"):
        render_faces(handles * torch.nan)
    assert torch.equal(render_faces(handles, np.int64(16)), render_faces(handles, 16))
    assert describe_face(handles[0].numpy()) == describe_face(handles[0])
