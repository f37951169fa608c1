"""The networks that predict noise."""

import pytest
import torch
from small_models import randomized

from course_utils.models.diffusion.denoisers import MLPDenoiser, UNet, timestep_embedding

# -------------------------------------------------------------------------------- networks


@pytest.mark.slow_because("imports diffusers")
def test_timestep_embedding_is_that_of_diffusers():
    from diffusers.models.embeddings import get_timestep_embedding  # takes seconds

    t = torch.tensor([0, 3, 999])
    expected = get_timestep_embedding(t, 32, flip_sin_to_cos=True, downscale_freq_shift=0)
    torch.testing.assert_close(timestep_embedding(t, 32), expected)
    with pytest.raises(ValueError, match="size is 7"):
        timestep_embedding(t, 7)


@pytest.mark.parametrize("shape", [(1, 28, 20), (3, 32, 32)])
def test_unet_keeps_the_shape_and_starts_at_zero(shape):
    unet = UNet(shape, channels=(8, 16), blocks=1, num_classes=3)
    x = torch.randn(2, *shape)
    assert torch.equal(unet(x, torch.tensor([0, 9])), torch.zeros(2, *shape))
    out = randomized(unet, scale=0.05)(x, torch.tensor([0, 9]))
    assert out.shape == x.shape
    assert out.abs().max() > 0


def networks():
    torch.manual_seed(0)
    return [
        (randomized(UNet((1, 8, 12), channels=(8, 16), blocks=1, num_classes=3), scale=0.05), torch.randn(4, 1, 8, 12)),
        (randomized(MLPDenoiser(5, hidden=16, blocks=2, num_classes=3), scale=0.05), torch.randn(4, 5)),
    ]


def test_denoisers_look_at_image_timestep_and_class_of_each_example_alone():
    for network, x in networks():
        t, label = torch.tensor([1, 1, 500, 1]), torch.tensor([0, 0, 0, 2])
        x[1:] = x[0]
        out = network(x, t, label)
        torch.testing.assert_close(out[0], out[1])
        assert (out[0] - out[2]).abs().max() > 1e-3, "the timestep changes nothing"
        assert (out[0] - out[3]).abs().max() > 1e-3, "the class changes nothing"
        torch.testing.assert_close(network(x[3:], t[3:], label[3:])[0], out[3], rtol=1e-4, atol=1e-5)


def test_no_label_is_the_null_class():
    for network, x in networks():
        t = torch.tensor([5, 6, 7, 8])
        assert torch.equal(network(x, t), network(x, t, torch.full((4,), 3)))


def test_denoisers_refuse():
    for network, x in networks():
        with pytest.raises(
            ValueError, match="labels reach from 0 to 4 but classes are counted from 0 to 3, the last for any class"
        ):
            network(x, torch.zeros(4, dtype=torch.int64), torch.tensor([0, 1, 2, 4]))
    with pytest.raises(ValueError, match="knows no classes"):
        MLPDenoiser(5)(torch.zeros(1, 5), torch.zeros(1, dtype=torch.int64), torch.tensor([0]))
    with pytest.raises(ValueError, match="multiples of 4"):
        UNet((1, 28, 30))
    with pytest.raises(ValueError, match="heads must divide"):
        UNet((1, 28, 28), channels=(8, 18))
