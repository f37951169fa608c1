"""The doors: numbers, images, codes and labels: right, or one clear sentence."""

import math

import numpy as np
import pytest
import torch

from course_utils.inputs import (
    as_float32,
    as_tensor,
    centred,
    check_images,
    check_latents,
    images_of,
    labels_of,
    numbers,
)


class TestNumbers:
    def test_arrays_and_lists_become_tensors(self):
        array = np.arange(6.0).reshape(2, 3)
        for value in (array, array[::-1], array[:, ::-1], np.asfortranarray(array)):  # torch takes no negative strides
            assert as_tensor(value, "z").tolist() == value.tolist()
        frozen = array.copy()
        frozen.flags.writeable = False
        as_tensor(frozen, "z").zero_()
        assert frozen[1, 2] == 5.0
        assert as_tensor([True, False], "labels").dtype == torch.bool
        z = torch.zeros(2)
        assert as_tensor(z, "z") is z

    @pytest.mark.parametrize("value", [None, "z", {"z": 1.0}, [[1.0], [1.0, 2.0]], np.array(["a"]), object()])
    def test_what_is_no_number(self, value):
        with pytest.raises(TypeError, match="^z must be a torch tensor or a NumPy array of numbers, not "):
            as_tensor(value, "z")

    @pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool, torch.float16, torch.bfloat16])
    def test_at_least_float32(self, dtype):
        assert numbers(torch.ones(2, dtype=dtype), "z").dtype == torch.float32
        assert numbers(torch.ones(2, dtype=torch.float64), "z").dtype == torch.float64

    def test_not_finite(self):
        with pytest.raises(ValueError, match="NaN or infinite values in codes"):
            numbers([1.0, math.inf], "codes")

    def test_far_from_zero_nothing_is_lost(self):
        near = torch.tensor([[0.25, -0.5], [0.125, 0.75], [0.5, 0.0]], dtype=torch.float64)
        (around,) = centred(near + 1e9)
        torch.testing.assert_close(around.diff(dim=0), near.float().diff(dim=0), rtol=0, atol=1e-6)
        torch.testing.assert_close(as_float32(near + 1e9).diff(dim=0), near.float().diff(dim=0), rtol=0, atol=1e-6)
        assert torch.equal(as_float32(near), near.float()), "nothing is lost, so nothing is moved"


class TestImagesAndCodes:
    def test_good_input_passes(self):
        check_images(torch.rand(4, 2, 3, 5), (2, 3, 5))
        check_images(torch.zeros(0, 2, 3, 5), (2, 3, 5))
        check_images(torch.tensor([[[[-1e-4, 1 + 1e-4]]]]), (1, 1, 2))  # rounding is no error
        check_latents(torch.full((4, 2), 1e6), (2,))
        check_latents(torch.zeros(4, 2, 3, 5), (2, 3, 5))

    @pytest.mark.parametrize("shape", [(4, 3, 2, 5), (4, 30), (3, 2), (2, 3, 5), (1, 4, 2, 3, 5), ()])
    def test_shape_of_images(self, shape):
        with pytest.raises(ValueError, match=r"images have shape \(.*\) but this model takes \(B, 2, 3, 5\)") as caught:
            check_images(torch.rand(shape), (2, 3, 5))
        assert ("x[None]" in str(caught.value)) == (shape == (2, 3, 5))

    @pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
    def test_dtype_of_images(self, dtype):
        with pytest.raises(TypeError, match=f"images are {dtype} but must be floats.*divide by 255"):
            check_images(torch.zeros(4, 2, 3, 5, dtype=dtype), (2, 3, 5))

    @pytest.mark.parametrize(
        ("low", "high", "mend"),
        [
            (0, 255, "divide those of 8 bits by 255"),
            (-1, 1, r"map them back with \(x \+ 1\) / 2"),
            (-0.424, 2.82, "do not standardise them"),
            (-0.01, 0.5, r"clip them with x.clamp\(0, 1\)"),
            (0, 1.01, r"clip them with x.clamp\(0, 1\)"),
        ],
    )
    def test_range_of_images(self, low, high, mend):
        x = torch.full((2, 1, 1, 2), 0.5)
        x[1, 0, 0, 0], x[1, 0, 0, 1] = low, high
        with pytest.raises(ValueError, match=rf"images reach from {low:.3g} to {high:.3g} but .* \[0, 1\]: .*{mend}"):
            check_images(x, (1, 1, 2))

    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
    def test_images_that_are_not_finite(self, bad):
        x = torch.full((2, 1, 1, 2), 0.5)
        x[1, 0, 0, 1] = bad
        with pytest.raises(ValueError, match="there are NaN or infinite values in images"):
            check_images(x, (1, 1, 2))

    @pytest.mark.parametrize("shape", [(2,), (4, 3), (4, 2, 1), ()])
    def test_shape_of_latents(self, shape):
        with pytest.raises(ValueError, match=r"latent codes have shape \(.*\) but this model takes \(B, 2\)") as caught:
            check_latents(torch.zeros(shape), (2,))
        assert ("z[None]" in str(caught.value)) == (shape == (2,))

    def test_dtype_of_latents(self):
        with pytest.raises(TypeError, match=r"latent codes are torch.int64.*z.float\(\)"):
            check_latents(torch.zeros(4, 2, dtype=torch.int64), (2,))

    def test_a_float_type_that_is_not_the_models(self):
        """NumPy's arrays are float64; PyTorch alone says "mat1 and mat2 must have the same dtype"."""
        with pytest.raises(
            TypeError, match=r"images are torch.float64 but this model computes in torch.float32: .*x.to"
        ):
            check_images(torch.rand(4, 2, 3, 5).double(), (2, 3, 5), torch.float32)
        with pytest.raises(
            TypeError, match=r"codes are torch.float64 but this model computes in torch.float32: .*z.to"
        ):
            check_latents(torch.zeros(4, 2).double(), (2,), torch.float32)
        with torch.autocast("cpu", torch.bfloat16):  # where mixed types are the point
            check_images(torch.rand(4, 2, 3, 5).bfloat16(), (2, 3, 5), torch.float32)
            check_latents(torch.zeros(4, 2).bfloat16(), (2,), torch.float32)

    def test_no_tensor_at_all(self):
        with pytest.raises(TypeError, match="images must be a torch tensor, not ndarray"):
            check_images(torch.rand(4, 2, 3, 5).numpy(), (2, 3, 5))
        with pytest.raises(TypeError, match="latent codes must be a torch tensor, not list"):
            check_latents([[0.0, 1.0]], (2,))

    def test_an_array_is_no_image_set(self):
        with pytest.raises(TypeError, match="an ImageSet or a torch tensor, not ndarray"):
            images_of(np.zeros((2, 1, 4, 4)))
        with pytest.raises(ValueError, match="images reach from 0 to 7"):
            images_of(7 * torch.ones(2, 1, 4, 4) * torch.eye(4))
        assert images_of(torch.full((1, 1, 2, 3), 200, dtype=torch.uint8)).max() == 200


class TestLabels:
    def test_whole_numbers_of_any_kind(self):
        for y in ([0, 2, 1], np.array([0, 2, 1], dtype=np.uint8), torch.tensor([0, 2, 1], dtype=torch.int32)):
            out = labels_of(y, 3)
            assert out.dtype == torch.int64
            assert out.tolist() == [0, 2, 1]
        assert labels_of(np.array([True, False]), 2).tolist() == [1, 0]
        assert labels_of(torch.zeros(0, dtype=torch.int64), 0, classes=2).shape == (0,)

    def test_errors(self):
        with pytest.raises(TypeError, match="y are torch.float32 but must be whole numbers"):
            labels_of(torch.zeros(3), 3, name="y")
        with pytest.raises(ValueError, match=r"labels have shape \(3, 1\) for 3 examples"):
            labels_of(torch.zeros(3, 1, dtype=torch.int64), 3)
        with pytest.raises(ValueError, match="reach from -100 to 1 but classes are counted from 0[.]"):
            labels_of([1, -100], 2)
        with pytest.raises(ValueError, match="reach from 0 to 3 but classes are counted from 0 to 2"):
            labels_of([0, 3], 2, classes=3)
