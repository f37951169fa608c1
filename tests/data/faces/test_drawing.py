"""Drawn faces: handles and their distribution, smoothness and gradients, what each handle changes, data sets."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from course_utils.data.faces import (
    HANDLES,
    FaceSet,
    default_handles,
    describe_face,
    render_faces,
    sample_faces,
    sample_handles,
    shapes,
)

NAMES = list(HANDLES)
DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()

PINNED_HANDLES = [-0.007487, 0.536444, -0.823045, 0.13203]
PINNED_PIXELS = [[97, 184, 171], [72, 132, 120], [58, 96, 87]]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some(n: int, seed: int = 0) -> torch.Tensor:
    """Random handles in float64, glasses half there, so that they are seen in gradients."""
    handles = sample_handles(n, generator=generator(seed)).double()
    handles[:, -1] = 0.5
    return handles


class TestHandles:
    def test_there_are_enough_and_their_order_is_fixed(self):
        assert NAMES == [
            "smile", "turn", "light", "hair_color", "hair_length", "hair_curl", "age", "eye_open", "brow", "skin",
            "face_width", "background", "glasses",
        ]  # fmt: skip

    @pytest.mark.parametrize("name", NAMES)
    def test_each_has_a_range_a_default_within_and_a_meaning(self, name):
        handle = HANDLES[name]
        assert handle.low <= handle.default <= handle.high
        assert len(handle.meaning) > 30
        assert handle.values == ((0.0, 1.0) if name == "glasses" else None)

    def test_defaults_with_some_set(self):
        handles = default_handles(3, turn=torch.tensor([-1.0, 0.0, 0.5]), age=1)
        assert handles.shape == (3, 13)
        assert handles.dtype == torch.float32
        expected = torch.tensor([handle.default for handle in HANDLES.values()]).repeat(3, 1)
        expected[:, 1], expected[:, 6] = torch.tensor([-1.0, 0.0, 0.5]), 1
        assert torch.equal(handles, expected)

    def test_gradients_pass_through_the_defaults(self):
        smile = torch.tensor([0.0, 0.5], requires_grad=True)
        default_handles(2, smile=smile)[:, 0].square().sum().backward()
        assert smile.grad.tolist() == [0.0, 1.0]

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"n": 0}, "n is 0: ask for at least 1 face"),
            ({"smirk": 1.0}, "no handle 'smirk': the handles are smile, turn"),
            ({"smile": 1.5}, "smile is 1.5: it goes from -1 to 1"),
            ({"age": math.nan}, "age is nan"),
            ({"n": 2, "age": torch.tensor([0.5, -0.1])}, "it goes from 0 to 1"),
            ({"n": 2, "age": torch.zeros(3)}, r"age has shape \(3,\): give one number, or a tensor of shape \(2,\)"),
        ],
    )
    def test_what_cannot_be_set_is_an_error(self, arguments, words):
        with pytest.raises(ValueError, match=words):
            default_handles(**arguments)


class TestSampling:
    @pytest.mark.parametrize("correlated", [False, True])
    def test_every_handle_is_uniform_over_its_range(self, correlated):
        handles = sample_handles(20_000, generator=generator(), correlated=correlated)
        assert handles.dtype == torch.float32
        for handle, column in zip(HANDLES.values(), handles.double().T.numpy(), strict=True):
            if handle.values:
                assert set(column) == {0.0, 1.0}
                assert abs(column.mean() - 0.5) < 4 * 0.5 / math.sqrt(20_000)
            else:
                uniform = stats.uniform(handle.low, handle.high - handle.low)
                assert stats.kstest(column, uniform.cdf).pvalue > 1e-3

    def test_independent_unless_asked(self):
        rank = stats.spearmanr(sample_handles(20_000, generator=generator(1)).numpy()).statistic
        assert np.abs(rank - np.eye(13)).max() < 4.5 / math.sqrt(20_000)

    def test_tied_pairs_are_a_gaussian_copula_and_nothing_else_is_tied(self):
        n, rho = 20_000, 0.9
        handles = sample_handles(n, generator=generator(2), correlated=True)
        rank = stats.spearmanr(handles.numpy()).statistic
        smile, light, age, glasses = map(NAMES.index, ("smile", "light", "age", "glasses"))
        assert rank[smile, light] == pytest.approx(6 / math.pi * math.asin(rho / 2), abs=0.01)  # closed form
        older = handles[:, age] > 0.5
        worn = handles[older, glasses].mean().item()
        assert worn == pytest.approx(0.5 + math.asin(rho) / math.pi, abs=4 * 0.4 / math.sqrt(n / 2))  # orthant
        for i, j in ((smile, light), (age, glasses)):
            rank[i, j] = rank[j, i] = 0
        assert np.abs(rank - np.eye(13)).max() < 4.5 / math.sqrt(n)

    def test_the_generator_decides_and_the_global_one_is_left_alone(self):
        before = torch.get_rng_state()
        first, second = (sample_handles(5, generator=generator(3), correlated=True) for _ in range(2))
        assert torch.equal(first, second)
        assert not torch.equal(first, sample_handles(5, generator=generator()))
        assert torch.equal(before, torch.get_rng_state())
        torch.manual_seed(3)
        assert torch.equal(sample_handles(5, correlated=True), first)

    def test_no_faces_is_an_error(self):
        with pytest.raises(ValueError, match="n is 0: ask for at least 1 face"):
            sample_handles(0)


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


class TestCaptions:
    def test_the_example(self):
        row = default_handles(age=0.65, hair_color=0.55, smile=1.0, turn=-1.0, glasses=1.0)[0]
        assert describe_face(row) == "an older person with red hair, smiling, turned left, glasses"
        assert describe_face(row.tolist()) == describe_face(row)

    @pytest.mark.parametrize(
        ("named", "words"),
        [
            ({"age": 0.0}, "a young person with brown hair"),
            ({"age": 1.0}, "an older person with grey hair"),
            ({"hair_color": 0.0, "hair_length": 1.0, "hair_curl": 1.0}, "a person with long curly black hair"),
            ({"hair_color": 1.0, "hair_length": 0.0}, "a person with short blond hair"),
            ({"smile": -1.0, "turn": 1.0}, "a person with brown hair, frowning, turned right"),
            ({"eye_open": 0.0, "brow": -1.0}, "a person with brown hair, eyes closed, brows drawn down"),
            ({"brow": 1.0, "light": -1.0}, "a person with brown hair, brows raised, lit from the left"),
            ({"light": 1.0}, "a person with brown hair, lit from the right"),
        ],
    )
    def test_every_word(self, named, words):
        assert describe_face(default_handles(**named)[0]) == words

    @pytest.mark.parametrize("handles", [default_handles(2), [0.0] * 12])
    def test_one_face_at_a_time(self, handles):
        with pytest.raises(ValueError, match=r"give one face, \(13,\)"):
            describe_face(handles)


@pytest.fixture(scope="module")
def faces():
    return sample_faces(9, seed=3, size=24)


class TestSets:
    def test_images_are_the_rendered_handles(self, faces):
        assert faces.images.shape == (9, 3, 24, 24)
        assert faces.images.dtype == torch.uint8
        assert (faces.pixels() - render_faces(faces.handles, 24)).abs().max() <= 0.5001 / 255
        assert torch.equal(faces.handles, sample_handles(9, generator=generator(3)))
        assert torch.equal(faces.labels, faces.handles[:, -1].long())
        assert faces.labels.dtype == torch.int64
        assert faces.class_names == ("no glasses", "glasses")
        assert faces.captions == tuple(describe_face(row) for row in faces.handles)

    def test_the_seed_decides_and_the_global_generator_is_left_alone(self, faces):
        before = torch.get_rng_state()
        assert torch.equal(sample_faces(9, seed=3, size=24).images, faces.images)
        assert not torch.equal(sample_faces(9, seed=4, size=24).images, faces.images)
        tied = sample_faces(9, seed=3, size=24, correlated=True)
        assert torch.equal(tied.handles, sample_handles(9, generator=generator(3), correlated=True))
        assert torch.equal(before, torch.get_rng_state())

    def test_the_first_face_of_the_first_seed_stays(self):
        """Reference models were trained on these; a change of the drawing or of the sampling must be wanted."""
        faces = sample_faces(2)
        expected = torch.tensor(PINNED_HANDLES)
        assert faces.handles[0, :4].allclose(expected, atol=1e-6)
        assert (faces.images[0, :, 8::8, 16].int() - torch.tensor(PINNED_PIXELS)).abs().max() <= 1

    @pytest.mark.parametrize("index", [2, slice(1, 4), [4, 0], torch.tensor([4, 0]), torch.arange(9) > 5])
    def test_subsets_keep_everything_together(self, faces, index):
        part = faces[index]
        assert isinstance(part, FaceSet)
        kept = torch.arange(9)[[index] if isinstance(index, int) else index]
        assert torch.equal(part.handles, faces.handles[kept])
        assert torch.equal(part.images, faces.images[kept])
        assert part.captions == tuple(faces.captions[i] for i in kept)
        assert len(part) == len(kept)
        assert torch.equal(part.labels, faces.labels[kept])

    def test_batches_work_as_for_any_image_set(self, faces):
        batches = list(faces.batches(4, with_labels=True))
        assert [len(x) for x, _ in batches] == [4, 4, 1]
        assert torch.equal(torch.cat([y for _, y in batches]), faces.labels)

    def test_handles_and_captions_must_fit(self, faces):
        with pytest.raises(ValueError, match=r"9 images, handles of shape \(8, 13\) and 9 captions"):
            FaceSet(faces.images, faces.labels, faces.class_names, faces.handles[:8], faces.captions)
        with pytest.raises(ValueError, match="and 8 captions"):
            FaceSet(faces.images, faces.labels, faces.class_names, faces.handles, faces.captions[:8])

    @pytest.mark.parametrize(("arguments", "words"), [({"n": 0}, "n is 0"), ({"n": 1, "size": 4}, "size is 4")])
    def test_bad_sizes_are_errors(self, arguments, words):
        with pytest.raises(ValueError, match=words):
            sample_faces(**arguments)
