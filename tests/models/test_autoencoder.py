"""Autoencoders against their formulas."""

import math

import pytest
import torch
from helpers import generator
from small_models import SMALL, images, make

from course_utils.data.corruptions import CORRUPTIONS
from course_utils.models.autoencoder import Autoencoder, DenoisingAutoencoder, SparseAutoencoder


class TestAutoencoder:
    @pytest.mark.parametrize("architecture", ["mlp", "conv"])
    def test_squared_error_is_summed_over_pixels(self, architecture):
        model, x = Autoencoder(3, architecture=architecture, **SMALL), images()
        difference = (model(x) - x).detach().double()
        expected = sum(difference[k].square().sum().item() for k in range(5)) / 5
        assert model.loss_terms(x)["loss"].item() == pytest.approx(expected, rel=1e-5)

    def test_bernoulli_is_the_cross_entropy(self):
        model, x = make("bernoulli"), images()
        p = model(x).detach().double()
        expected = -(x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(1).mean().item()
        assert model.loss_terms(x)["loss"].item() == pytest.approx(expected, rel=1e-5)

    def test_forward_is_decode_of_encode_and_decode_is_the_sigmoid(self):
        model, x = make("conv"), images()
        z = model.encode(x)
        torch.testing.assert_close(model(x), torch.sigmoid(model.decode_logits(z)))

    def test_samples_follow_the_remembered_codes(self):
        model = make("mlp")
        z = torch.tensor([5.0, -2.0, 0.0]) + torch.tensor([0.1, 2.0, 1.0]) * torch.randn(500, 3, generator=generator())
        model.set_latent_statistics(z)
        torch.testing.assert_close(model.latent_mean, z.mean(0))
        torch.testing.assert_close(model.latent_std, z.std(0))
        draws = model.sample_latent(40_000, generator(1))
        assert ((draws.mean(0) - z.mean(0)).abs() < 4.5 * z.std(0) / 200).all()
        assert ((draws.std(0) / z.std(0) - 1).abs() < 4.5 / math.sqrt(80_000)).all()
        assert {"latent_mean", "latent_std"} <= set(model.state_dict())
        with pytest.raises(ValueError, match=r"codes have shape \(500, 2\)"):
            model.set_latent_statistics(z[:, :2])

    def test_convolutions_keep_neighbours_together(self):
        """The decoder's pixels come out in place: moving the feature map moves the image."""
        model = make("conv")
        start, rest = model.decoder[:3], model.decoder[3:]
        maps = start(torch.randn(1, 3, generator=generator()))  # (1, hidden, H/4, W/4)
        assert maps.shape == (1, 6, 2, 3)
        one = torch.zeros(1, 6, 2, 3)
        one[0, :, 1, 2] = 1
        change = (rest(one) - rest(torch.zeros_like(one))).abs().amax(dim=1)[0]
        assert change[4:, 8:].max() > 0
        assert change[:, :2].max() == 0
        assert change[4:, 8:].mean() > 1.5 * change[:, :4].mean()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"latent_dim": 0}, "latent_dim is 0: a code needs at least 1 number"),
            ({"latent_dim": 2, "likelihood": "gauss"}, "likelihood is 'gauss': use 'mse' or 'bernoulli'"),
            ({"latent_dim": 2, "architecture": "cnn"}, "architecture is 'cnn': use 'mlp', 'conv' or 'resid"),
            ({"latent_dim": 2, "architecture": "conv", "image_shape": (1, 28, 30)}, "needs H and W divisible by 4"),
            (
                {"latent_dim": 2, "architecture": "conv", "hidden": 7},
                "hidden is 7: the convolutional form needs an even",
            ),
            (
                {"latent_dim": 2, "architecture": "residual", "hidden": 7},
                "hidden is 7: the residual form needs an even",
            ),
            (
                {"latent_dim": 2, "architecture": "residual", "image_shape": (3, 64, 60)},
                "needs H and W divisible by 8",
            ),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            Autoencoder(**arguments)


class TestDenoising:
    def test_the_loss_compares_with_the_clean_image(self):
        model, x = make("denoising"), images()
        torch.manual_seed(3)
        terms = model.loss_terms(x)
        torch.manual_seed(3)
        noisy = CORRUPTIONS["masking_noise"](x, 0.3)
        assert not torch.equal(noisy, x)
        expected = (model(noisy) - x).square().flatten(1).sum(1).mean()
        torch.testing.assert_close(terms["loss"], expected)

    def test_encoding_does_not_corrupt(self):
        model, x = make("denoising"), images()
        assert torch.equal(model.encode(x), model.encoder(x))

    @pytest.mark.parametrize("corruption", CORRUPTIONS)
    def test_every_corruption_can_be_named(self, corruption):
        model = DenoisingAutoencoder(3, corruption=corruption, strength=0.4, **SMALL)
        assert model.loss_terms(images())["loss"].isfinite()
        assert model.config["corruption"] == corruption
        assert model.config["strength"] == 0.4

    def test_unknown_corruption(self):
        with pytest.raises(ValueError, match="corruption is 'fog': use one of gaussian_noise, "):
            DenoisingAutoencoder(3, corruption="fog")


class TestSparse:
    def test_keeps_the_k_largest_activations(self):
        model, x = make("sparse"), images(30)
        z, everything = model.encode(x), torch.relu(model.encoder(x))
        for code, full in zip(z, everything, strict=True):
            kept = set(code.nonzero().flatten().tolist())
            largest = set(full.argsort(descending=True)[:2].tolist())
            assert kept <= largest
            assert all(full[d] == 0 for d in largest - kept)
            assert all(code[d] == full[d] for d in kept)
        assert (z > 0).sum(1).max() == 2

    def test_without_k_all_positive_activations_stay(self):
        model = SparseAutoencoder(7, **SMALL)
        assert torch.equal(model.encode(images()), torch.relu(model.encoder(images())))

    def test_the_penalty_is_the_l1_norm(self):
        model, x = SparseAutoencoder(7, l1=0.25, **SMALL), images()
        terms = model.loss_terms(x)
        z = model.encode(x)
        assert terms["l1"].item() == pytest.approx(z.abs().sum().item() / 5, rel=1e-5)
        assert terms["recon"].item() == pytest.approx((model.decode(z) - x).square().sum().item() / 5, rel=1e-5)
        assert terms["loss"].item() == pytest.approx(terms["recon"].item() + 0.25 * terms["l1"].item(), rel=1e-6)

    def test_bad_arguments(self):
        for k in (0, 8):
            with pytest.raises(ValueError, match=f"k is {k}: keep between 1 and latent_dim = 7 activations"):
                SparseAutoencoder(7, k=k)
        with pytest.raises(ValueError, match="l1 is -0.1: a penalty weight cannot be negative"):
            SparseAutoencoder(7, l1=-0.1)


def test_one_code_has_no_standard_deviation():
    with pytest.raises(ValueError, match="there are 1 codes: a standard deviation needs at least 2"):
        make("mlp").set_latent_statistics(torch.zeros(1, 3))
