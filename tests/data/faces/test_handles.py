"""The handles of a face: ranges, distribution, and captions."""

import math

import numpy as np
import pytest
import torch
from helpers import generator
from scipy import stats

from course_utils.data.faces import (
    HANDLES,
    default_handles,
    describe_face,
    render_faces,
    sample_handles,
)

NAMES = list(HANDLES)


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


@pytest.mark.parametrize("form", [lambda row: row, lambda row: row.numpy(), lambda row: row.tolist(), list, tuple])
def test_a_face_in_any_form_has_the_same_words(form):
    row = default_handles(smile=1.0, age=0.65)[0]
    assert describe_face(form(row)) == describe_face(row) == "an older person with brown hair, smiling"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: render_faces({"smile": 1.0}), r"dictionary: default_handles\(\*\*handles\) makes a tensor"),
        (lambda: describe_face({"smile": 1.0}), "handles are a dictionary"),
        (lambda: render_faces("smile"), r"from a str: give a tensor \(N, 13\)"),
        (lambda: render_faces(None), "from a NoneType: give a tensor"),
        (lambda: render_faces(default_handles() * math.nan), "infinite values in handles"),
        (lambda: render_faces(default_handles(), size=32.5), "size is 32.5: give a whole number"),
        (lambda: render_faces(default_handles(), size="32"), "size is '32': give a whole number"),
        (lambda: default_handles(2.5), "n is 2.5: give a whole number"),
        (lambda: default_handles(3, smile=np.zeros(2)), r"smile has shape \(2,\): give one number"),
        (lambda: describe_face(np.zeros((1, 13))), r"handles have shape \(1, 13\): give one face"),
    ],
)
def test_what_is_no_face_is_named(make, message):
    with pytest.raises((TypeError, ValueError), match=message) as error:
        make()
    assert "\n" not in str(error.value)


def test_faces_are_drawn_from_numpy_and_whole_numbers_too():
    handles = default_handles(2, smile=np.array([-1.0, 1.0]), glasses=np.bool_(True))
    assert torch.equal(render_faces(handles.numpy(), np.int64(16)), render_faces(handles, 16))
    assert torch.equal(render_faces(handles.tolist(), torch.tensor(16)), render_faces(handles, 16))


def test_rows_of_numpy_may_be_reversed():
    handles = sample_handles(3, generator=generator())
    assert torch.equal(render_faces(handles.numpy()[::-1], 16), render_faces(handles.flip(0), 16))
