"""Lerp and slerp: SciPy's great circles, closed forms, gradients, and every edge where slerp can go wrong."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial import geometric_slerp

from course_utils.interpolation import lerp, path, slerp

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
WEIGHTS = torch.tensor([0.0, 0.1, 0.37, 0.5, 0.9, 1.0])
METHODS = {"lerp": lerp, "slerp": slerp}


def codes(*shape: int, seed: int = 0, dtype=torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def exact_slerp(a, b, w: float) -> torch.Tensor:
    """The formula with arccos, in double precision, for one pair of generic vectors."""
    a, b = a.double(), b.double()
    u, v = a / a.norm(), b / b.norm()
    theta = torch.acos(u @ v)
    arc = (torch.sin((1 - w) * theta) * u + torch.sin(w * theta) * v) / torch.sin(theta)
    return ((1 - w) * a.norm() + w * b.norm()) * arc


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
class TestBoth:
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 3, 5), (2, 1, 3, 4), (3, 1)])
    def test_shapes_dtypes_and_exact_ends(self, method, shape, dtype):
        a, b = codes(*shape, dtype=dtype), codes(*shape, seed=1, dtype=dtype)
        out = method(a, b, WEIGHTS)
        assert out.shape == (6, *shape)
        assert out.dtype == dtype
        assert torch.equal(out[0], a)
        assert torch.equal(out[-1], b)
        for k, w in enumerate(WEIGHTS.tolist()):
            one = method(a, b, w)
            assert one.shape == shape
            assert one.dtype == dtype
            assert torch.equal(one, out[k])

    def test_weight_may_be_int_float_or_tensor_of_another_dtype(self, method):
        a, b = codes(4, 3), codes(4, 3, seed=1)
        assert torch.equal(method(a, b, 1), b)
        assert torch.equal(method(a, b, 0.25), method(a, b, torch.tensor(0.25, dtype=torch.float64)))
        assert torch.equal(method(a, b, [0.25, 0.5]), method(a, b, torch.tensor([0.25, 0.5])))

    def test_inputs_are_left_alone(self, method):
        a, b, w = codes(4, 3), codes(4, 3, seed=1), WEIGHTS.clone()
        before = a.clone(), b.clone()
        method(a, b, w)
        assert torch.equal(a, before[0])
        assert torch.equal(b, before[1])
        assert torch.equal(w, WEIGHTS)

    @pytest.mark.parametrize("weight", [0.0, 0.3, 1.0, 1.2])
    def test_gradients_at_generic_points(self, method, weight):
        a, b = (codes(2, 3, seed=s, dtype=torch.float64).requires_grad_() for s in (3, 4))
        w = torch.tensor([weight, 0.6], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(method, (a, b, w))

    def test_bad_input(self, method):
        with pytest.raises(ValueError, match=r"z_a has shape \(3,\) and z_b \(4,\)"):
            method(torch.zeros(3), torch.zeros(4), 0.5)
        with pytest.raises(ValueError, match=r"z_a has shape \(2, 3\) and z_b \(3,\)"):  # would broadcast
            method(torch.zeros(2, 3), torch.zeros(3), 0.5)
        with pytest.raises(TypeError, match=r"torch.int64.*call .float\(\)"):
            method(torch.zeros(3, dtype=torch.int64), torch.zeros(3, dtype=torch.int64), 0.5)
        with pytest.raises(TypeError, match="torch.float32 and torch.float64"):
            method(torch.zeros(3), torch.zeros(3, dtype=torch.float64), 0.5)
        with pytest.raises(ValueError, match=r"weight has shape \(2, 2\)"):
            method(torch.zeros(3), torch.ones(3), torch.zeros(2, 2))


class TestLerp:
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_equals_the_formula(self, dtype):
        a, b = codes(4, 3, dtype=dtype), codes(4, 3, seed=1, dtype=dtype)
        w = torch.tensor([0.25, 0.75, -0.5, 1.5], dtype=dtype)
        expected = torch.stack([(1 - v) * a.double() + v * b.double() for v in w.tolist()])
        tiny = torch.finfo(dtype).eps
        torch.testing.assert_close(lerp(a, b, w).double(), expected, rtol=4 * tiny, atol=8 * tiny)

    def test_order_of_the_ends(self):
        assert lerp(torch.tensor([10.0]), torch.tensor([20.0]), 0.1).item() == pytest.approx(11)


class TestSlerp:
    @pytest.mark.parametrize("size", [2, 3, 20])
    def test_equals_scipy_on_the_sphere(self, size):
        a, b = (torch.nn.functional.normalize(codes(size, seed=s, dtype=torch.float64), dim=0) for s in (5, 6))
        t = torch.linspace(0, 1, 7, dtype=torch.float64)
        expected = torch.from_numpy(geometric_slerp(a.numpy(), b.numpy(), t.numpy()))
        torch.testing.assert_close(slerp(a, b, t), expected)

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_equals_the_arccos_formula_in_double(self, dtype):
        a, b = 3 * codes(5, 6, dtype=dtype), codes(5, 6, seed=1, dtype=dtype)
        w = torch.tensor([0.25, 0.625], dtype=dtype)
        expected = torch.stack(
            [torch.stack([exact_slerp(p, q, v) for p, q in zip(a, b, strict=True)]) for v in w.tolist()]
        )
        tiny = torch.finfo(dtype).eps
        torch.testing.assert_close(slerp(a, b, w).double(), expected, rtol=8 * tiny, atol=16 * tiny)

    def test_norm_changes_linearly_and_the_angle_too(self):
        a, b = 5 * codes(7, dtype=torch.float64), codes(7, seed=1, dtype=torch.float64)
        w = torch.linspace(0, 1, 11, dtype=torch.float64)
        points = slerp(a, b, w)
        torch.testing.assert_close(points.norm(dim=1), (1 - w) * a.norm() + w * b.norm())
        u = points / points.norm(dim=1, keepdim=True)
        turns = torch.acos((u[1:] * u[:-1]).sum(1))
        torch.testing.assert_close(turns, turns.mean().expand(10))
        torch.testing.assert_close(turns.sum(), torch.acos(u[0] @ u[-1]))

    def test_each_example_of_a_batch_is_one_vector(self):
        a, b = codes(3, 2, 4, 5), codes(3, 2, 4, 5, seed=1)
        out = slerp(a, b, 0.3)
        for k in range(3):
            expected = exact_slerp(a[k].flatten(), b[k].flatten(), 0.3).reshape(2, 4, 5).float()
            torch.testing.assert_close(out[k], expected)

    def test_batch_dims_says_what_one_vector_is(self):
        a, b = codes(3, 2, 4), codes(3, 2, 4, seed=1)
        whole, pairs = slerp(a, b, 0.3, batch_dims=0), slerp(a, b, 0.3, batch_dims=2)
        torch.testing.assert_close(whole.flatten(), exact_slerp(a.flatten(), b.flatten(), 0.3).float())
        torch.testing.assert_close(pairs[2, 1], exact_slerp(a[2, 1], b[2, 1], 0.3).float())
        assert slerp(a, b, WEIGHTS, batch_dims=0).shape == (6, 3, 2, 4)

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("factor", [1.0, 2.5, 1e-3])
    def test_parallel_vectors_give_lerp(self, dtype, factor):
        a = codes(4, 6, dtype=dtype)
        b = a * factor
        out = slerp(a, b, WEIGHTS)
        tiny = torch.finfo(dtype).eps
        torch.testing.assert_close(out, lerp(a, b, WEIGHTS.to(dtype)), rtol=2 * tiny, atol=2 * tiny)

    @pytest.mark.parametrize("angle", [1e-8, 1e-6, 3e-6, 5e-6, 1e-5, 1e-4, 1e-2])
    def test_small_angles_in_single_precision(self, angle):
        a, b = torch.tensor([2.0, 0.0]), torch.tensor([2 * math.cos(angle), 2 * math.sin(angle)])
        out = slerp(a, b, torch.tensor([0.25, 0.5])).double()
        expected = torch.stack(
            [2 * torch.tensor([math.cos(w * angle), math.sin(w * angle)]).double() for w in (0.25, 0.5)]
        )
        torch.testing.assert_close(out, expected, rtol=1e-6, atol=2e-7)

    @pytest.mark.parametrize("gap", [1e-6, 4e-6, 1e-5, 1e-4, 1e-2])
    def test_norm_is_kept_next_to_antipodal_vectors(self, gap):
        """Where the great circle is badly defined the point must still lie on one."""
        a, b = torch.tensor([2.0, 0.0, 0.0]), torch.tensor([-3 * math.cos(gap), 3 * math.sin(gap), 0.0])
        w = torch.linspace(0, 1, 9)
        torch.testing.assert_close(slerp(a, b, w).norm(dim=1), 2 + w, rtol=1e-5, atol=0)

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("a", [[0.0, 3.0], [1.0, -2.0, 0.5], [1.0, 1.0, 1.0, 1.0]])
    def test_antipodal_vectors_take_half_a_great_circle(self, a, dtype):
        a = torch.tensor(a, dtype=dtype)
        out = slerp(a, -2 * a, WEIGHTS).double()
        tiny = torch.finfo(dtype).eps
        a, w = a.double(), WEIGHTS.to(dtype).double()
        torch.testing.assert_close(out.norm(dim=1), (1 + w) * a.norm(), rtol=8 * tiny, atol=0)
        angle = torch.acos((out @ a / out.norm(dim=1) / a.norm()).clamp(-1, 1))
        torch.testing.assert_close(angle, w * math.pi, rtol=0, atol=4 * math.sqrt(tiny))

    def test_the_antipodal_arc_is_always_the_same(self):
        a = codes(3, 5)
        assert torch.equal(slerp(a, -a, 0.4), slerp(a, -a, 0.4))

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_a_zero_vector_gives_lerp(self, dtype):
        a, zero = codes(2, 3, dtype=dtype), torch.zeros(2, 3, dtype=dtype)
        for ends in [(a, zero), (zero, a), (zero, zero)]:
            torch.testing.assert_close(slerp(*ends, WEIGHTS), lerp(*ends, WEIGHTS))

    def test_single_numbers_give_lerp(self):
        a, b = torch.tensor([[1.0], [2.0]]), torch.tensor([[-1.0], [3.0]])
        assert torch.equal(slerp(a, b, WEIGHTS), lerp(a, b, WEIGHTS))
        with pytest.raises(ValueError, match="single number"):
            slerp(torch.tensor(1.0), torch.tensor(2.0), 0.5)

    def test_edge_cases_do_not_disturb_their_neighbours_in_a_batch(self):
        generic_a, generic_b = codes(3), codes(3, seed=1)
        a = torch.stack([generic_a, generic_a, torch.zeros(3), generic_a])
        b = torch.stack([generic_b, -generic_a, generic_b, generic_a])
        out = slerp(a, b, WEIGHTS)
        assert out.isfinite().all()
        torch.testing.assert_close(out[:, 0], slerp(generic_a, generic_b, WEIGHTS))

    @pytest.mark.parametrize("size", [1e-38, 1e-30, 1e-22, 1e20, 1e30])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_lengths_whose_square_underflows_or_overflows(self, size, dtype):
        a, b = torch.tensor([1.0, 2.0], dtype=dtype), torch.tensor([-2.0, 1.5], dtype=dtype)
        out = slerp(a * size, b * size, WEIGHTS)
        assert out.isfinite().all()
        torch.testing.assert_close(out / size, slerp(a, b, WEIGHTS), rtol=0.02, atol=0.02)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    @pytest.mark.parametrize(
        ("a", "b"),
        [
            ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
            ([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]),
            ([1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]),
            ([1.0, 0.0, 0.0], [-1.0, 1e-9, 0.0]),
            ([1.0, 0.0, 0.0], [1.0, 1e-9, 0.0]),
            ([0.0, 0.0, 0.0], [1.0, 2.0, 3.0]),
            ([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]),
            ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
            ([1e-30, 0.0, 0.0], [0.0, 1e-30, 0.0]),
        ],
        ids=["same", "parallel", "antipodal", "nearly antipodal", "nearly parallel", "a=0", "b=0", "both 0", "minute"],
    )
    @pytest.mark.parametrize("weight", [-0.5, 0.0, 0.3, 1.0, 1.5])
    def test_gradients_are_finite_at_the_edges(self, a, b, weight, dtype):
        a, b = (torch.tensor(v, dtype=dtype, requires_grad=True) for v in (a, b))
        w = torch.tensor(weight, dtype=dtype, requires_grad=True)
        out = slerp(a, b, w)
        assert out.isfinite().all()
        for gradient in torch.autograd.grad(out.sum(), (a, b, w)):
            assert gradient.isfinite().all()

    def test_the_weight_has_a_gradient_at_the_ends_too(self):
        """A walk may start exactly at an end and is optimised from there: the tangent of the arc, not zero."""
        a, b = torch.tensor([1.0, 0.0]).double(), torch.tensor([0.0, 1.0]).double()
        w = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
        (tangent,) = torch.autograd.grad(slerp(a, b, w)[1], w)
        assert tangent.item() == pytest.approx(math.pi / 2)


class TestPath:
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_ends_shape_and_spacing(self, method, dtype):
        a, b = codes(2, 3, dtype=dtype), codes(2, 3, seed=1, dtype=dtype)
        points = path(a, b, 5, method)
        assert points.shape == (5, 2, 3)
        assert points.dtype == dtype
        assert torch.equal(points[0], a)
        assert torch.equal(points[-1], b)
        for k in range(5):
            assert torch.equal(points[k], METHODS[method](a, b, k / 4))

    def test_lerp_is_the_default(self):
        assert torch.equal(path(codes(3), codes(3, seed=1), 4), path(codes(3), codes(3, seed=1), 4, method="lerp"))

    def test_one_code_of_several_dimensions_turns_as_one_vector(self):
        """An arc of its own for each row would end alike and differ on the way."""
        a, b = codes(2, 3), codes(2, 3, seed=1)
        points = path(a, b, 5, "slerp", batch_dims=0)
        assert torch.equal(points.flatten(1), path(a.flatten(), b.flatten(), 5, "slerp"))
        assert not torch.allclose(points[2], path(a, b, 5, "slerp")[2])
        assert torch.equal(path(a, b, 5, "lerp", batch_dims=0), path(a, b, 5, "lerp"))

    def test_two_steps_are_the_ends(self):
        assert torch.equal(path(torch.zeros(2), torch.ones(2), 2, "slerp"), torch.tensor([[0.0, 0.0], [1.0, 1.0]]))

    def test_bad_input(self):
        with pytest.raises(ValueError, match="steps is 1: a path needs at least its 2 ends"):
            path(torch.zeros(2), torch.ones(2), 1)
        with pytest.raises(ValueError, match="method is 'cubic': use one of lerp, slerp"):
            path(torch.zeros(2), torch.ones(2), 3, "cubic")
        with pytest.raises(ValueError, match=r"z_a has shape \(2,\) and z_b \(3,\)"):
            path(torch.zeros(2), torch.ones(3), 3, "slerp")
        with pytest.raises(TypeError, match="torch.int64"):
            path(torch.zeros(2, dtype=torch.long), torch.ones(2, dtype=torch.long), 3)


@pytest.mark.parametrize("function", [lerp, slerp])
class TestNumberFormats:
    def test_arrays(self, function):
        a, b = torch.tensor([1.0, 0.5, 0.0]), torch.tensor([0.0, 2.0, 1.0])
        expected = function(a, b, torch.tensor([0.25, 0.75]))
        assert torch.equal(function(a.numpy(), b.numpy(), np.array([0.25, 0.75])), expected)
        assert torch.equal(path(a.numpy(), b.numpy(), 4, function.__name__), path(a, b, 4, function.__name__))
        with pytest.raises(TypeError, match="z_b must be a torch tensor or a NumPy array of numbers, not NoneType"):
            function(a, None, 0.5)

    def test_weights_are_not_rounded_to_16_bits(self, function):
        a, b = torch.tensor([0.0, 512.0]).bfloat16(), torch.tensor([512.0, 0.0]).bfloat16()
        w = torch.tensor([0.0, 0.1234, 0.7, 1.0])
        exact = function(a.double(), b.double(), w.double()).bfloat16()
        torch.testing.assert_close(function(a, b, w), exact, rtol=0, atol=0)

    def test_codes_without_numbers(self, function):
        assert function(torch.zeros(0), torch.zeros(0), 0.5).shape == (0,)
        assert function(torch.zeros(0, 3), torch.zeros(0, 3), 0.5).shape == (0, 3)
