"""PCA against scikit-learn; autoencoders and the VAE against their formulas; every model against the protocol."""

import math

import pytest
import torch
from sklearn.decomposition import PCA as ReferencePCA

from course_utils.data import ImageSet
from course_utils.data.corruptions import CORRUPTIONS
from course_utils.latents import LatentModel, model_device
from course_utils.models.autoencoder import Autoencoder, DenoisingAutoencoder, SparseAutoencoder
from course_utils.models.pca import PCA
from course_utils.models.vae import VAE

SHAPE = (2, 8, 12)  # channels, height and width that cannot be confused
SMALL = {"image_shape": SHAPE, "hidden": 6}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Networks as small as these only wait for each other's threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(n: int = 5, shape=SHAPE, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, *shape, generator=generator(seed))


def make(name: str):
    torch.manual_seed(0)
    return {
        "pca": lambda: PCA(3).fit(images(40)),
        "mlp": lambda: Autoencoder(3, **SMALL),
        "conv": lambda: Autoencoder(3, architecture="conv", **SMALL),
        "bernoulli": lambda: Autoencoder(3, likelihood="bernoulli", **SMALL),
        "denoising": lambda: DenoisingAutoencoder(3, corruption="masking_noise", strength=0.3, **SMALL),
        "sparse": lambda: SparseAutoencoder(7, k=2, l1=0.1, **SMALL),
        "vae": lambda: VAE(3, **SMALL),
        "conv vae": lambda: VAE(3, architecture="conv", **SMALL),
    }[name]()


NAMES = ("pca", "mlp", "conv", "bernoulli", "denoising", "sparse", "vae", "conv vae")
TRAINED = NAMES[1:]


@pytest.mark.parametrize("name", NAMES)
class TestEvery:
    def test_is_a_latent_model(self, name):
        model, x = make(name), images()
        assert isinstance(model, LatentModel)
        z = model.encode(x)
        assert z.shape == (5, *model.latent_shape)
        x_hat = model.decode(z)
        assert x_hat.shape == x.shape
        assert x_hat.min() >= 0
        assert x_hat.max() <= 1
        assert model.decode(100 * z).min() >= 0
        assert model.sample_latent(4).shape == (4, *model.latent_shape)
        assert model_device(model) == torch.device("cpu")

    def test_examples_do_not_influence_each_other(self, name):
        model, x = make(name), images()
        z = model.encode(x)
        torch.testing.assert_close(model.encode(x[2:3]), z[2:3], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(model.decode(z[2:3]), model.decode(z)[2:3], atol=1e-5, rtol=1e-4)

    def test_encoding_and_decoding_are_deterministic_and_leave_inputs_alone(self, name):
        model, x = make(name), images()
        before, state = x.clone(), torch.get_rng_state()
        z = model.encode(x)
        kept = z.clone()
        assert torch.equal(model.encode(x), z)
        assert torch.equal(model.decode(z), model.decode(z))
        assert torch.equal(x, before)
        assert torch.equal(z, kept)
        assert torch.equal(torch.get_rng_state(), state)

    def test_sampling_takes_its_randomness_from_the_generator(self, name):
        model, state = make(name), torch.get_rng_state()
        first, second, other = (model.sample_latent(6, generator(s)) for s in (1, 1, 2))
        assert torch.equal(first, second)
        assert not torch.equal(first, other)
        assert torch.equal(torch.get_rng_state(), state)

    @pytest.mark.parametrize("call", ["encode", "loss_terms"])
    def test_bad_images(self, name, call):
        model, x = make(name), images()
        if not hasattr(model, call):
            model.loss_terms = model.encode  # PCA has none
        call = getattr(model, call)
        for bad in (x.transpose(2, 3), x[0], x[:, :1], x.flatten(1)):
            with pytest.raises(ValueError, match=r"images have shape \(.*\) but this model takes \(B, 2, 8, 12\)"):
                call(bad)
        for bad in ((x * 255), (x * 2 - 1)):
            with pytest.raises(ValueError, match=r"pixels reach from .* models take \[0, 1\]"):
                call(bad)
        with pytest.raises(TypeError, match=r"torch.uint8 but models take floats in \[0, 1\]: divide by 255"):
            call((x * 255).to(torch.uint8))
        with pytest.raises(TypeError, match="images are torch.float64 but this model computes in torch.float32"):
            call(x.double())
        with pytest.raises(TypeError, match="must be a torch tensor, not ndarray"):
            call(x.numpy())

    def test_bad_latents(self, name):
        model = make(name)
        size = model.latent_shape[0]
        for bad in (torch.zeros(4, size + 1), torch.zeros(size), torch.zeros(4, size, 1)):
            with pytest.raises(ValueError, match=rf"latent codes have shape \(.*\) but this model takes \(B, {size}\)"):
                model.decode(bad)
        with pytest.raises(TypeError, match="torch.int64 but must be floating point"):
            model.decode(torch.zeros(4, size, dtype=torch.int64))
        with pytest.raises(TypeError, match="latent codes are torch.float64 but this model computes in torch.float32"):
            model.decode(torch.zeros(4, size).double())

    def test_double_precision_throughout(self, name):
        model, x = make(name).double(), images().double()
        assert model.encode(x).dtype == torch.float64
        assert model.decode(model.encode(x)).dtype == torch.float64


@pytest.mark.parametrize("name", TRAINED)
class TestTrained:
    def test_loss_terms_are_scalars_with_a_gradient_for_every_parameter(self, name):
        model = make(name)
        terms = model.loss_terms(images())
        assert all(value.shape == () for value in terms.values())
        terms["loss"].backward()
        for parameter in model.parameters():
            assert parameter.grad is not None
            assert parameter.grad.isfinite().all()
            assert parameter.grad.abs().sum() > 0

    def test_the_loss_of_a_batch_is_the_mean_of_its_examples(self, name):
        if name in ("denoising", "vae", "conv vae"):
            return  # random; TestDenoising and TestVAE work their losses out by hand
        model, x = make(name), images()
        single = torch.stack([model.loss_terms(x[k : k + 1])["loss"] for k in range(5)])
        torch.testing.assert_close(model.loss_terms(x)["loss"], single.mean())

    def test_config_builds_the_same_architecture_again(self, name):
        model = make(name)
        again = type(model)(**model.config)
        again.load_state_dict(model.state_dict())
        assert torch.equal(again.encode(images()), model.encode(images()))
        assert again.config == model.config

    def test_a_step_lowers_the_loss(self, name):
        model, x = make(name), images(16)
        optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

        def loss():
            torch.manual_seed(1)
            return model.loss_terms(x)["loss"]

        before = loss().item()
        for _ in range(12):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
        assert loss().item() < before - 1e-2 * abs(before)


class TestPCA:
    @pytest.fixture
    def fitted(self):
        """Data whose variance differs strongly by direction, so that components are well defined."""
        factors = torch.randn(60, 6, generator=generator(1)) * torch.tensor([6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
        x = factors @ torch.randn(6, math.prod(SHAPE), generator=generator(2)) + 0.3 * torch.randn(
            60, math.prod(SHAPE), generator=generator(3)
        )
        x = ((x - x.min()) / (x.max() - x.min())).unflatten(1, SHAPE)
        reference = ReferencePCA(4, svd_solver="full").fit(x.flatten(1).double().numpy())
        return PCA(4).fit(x), reference, x

    def test_equals_scikit_learn(self, fitted):
        pca, reference, x = fitted
        close = {"atol": 2e-4, "rtol": 1e-3}
        components = torch.from_numpy(reference.components_)
        signs = (components * pca.components).sum(1, keepdim=True).sign()
        torch.testing.assert_close(pca.components.double(), components * signs, **close)
        torch.testing.assert_close(pca.mean.double(), torch.from_numpy(reference.mean_), **close)
        for name in ("explained_variance", "explained_variance_ratio"):
            torch.testing.assert_close(
                getattr(pca, name).double(), torch.from_numpy(getattr(reference, name + "_")), **close
            )
        codes = torch.from_numpy(reference.transform(x.flatten(1).double().numpy()))
        torch.testing.assert_close(pca.encode(x).double(), codes * signs.T, **close)
        back = torch.from_numpy(reference.inverse_transform(codes.numpy())).clamp(0, 1).unflatten(1, SHAPE)
        torch.testing.assert_close(pca.decode(pca.encode(x)).double(), back, **close)

    def test_components_are_orthonormal_and_their_sign_is_fixed(self, fitted):
        pca, _, x = fitted
        torch.testing.assert_close(pca.components @ pca.components.T, torch.eye(4), atol=1e-5, rtol=0)
        assert (pca.components.gather(1, pca.components.abs().argmax(1, keepdim=True)) > 0).all()
        assert (pca.explained_variance.diff() <= 0).all()
        flipped = PCA(4).fit(x.flip(0))
        torch.testing.assert_close(flipped.components, pca.components, atol=1e-3, rtol=1e-3)

    def test_explained_variance_is_that_of_the_codes(self, fitted):
        pca, _, x = fitted
        z = pca.encode(x)
        torch.testing.assert_close(z.var(dim=0), pca.explained_variance, rtol=1e-3, atol=1e-6)
        torch.testing.assert_close(z.mean(dim=0), torch.zeros(4), atol=1e-4, rtol=0)
        total = x.flatten(1).var(dim=0).sum()
        torch.testing.assert_close(pca.explained_variance / total, pca.explained_variance_ratio, rtol=1e-3, atol=1e-6)

    def test_reconstructing_with_fewer_components(self, fitted):
        pca, _, x = fitted
        errors = [(pca.reconstruct(x, k) - x).square().mean().item() for k in range(5)]
        assert errors == sorted(errors, reverse=True)
        assert errors[4] < 0.5 * errors[0]
        torch.testing.assert_close(
            pca.reconstruct(x[:2], 0), pca.mean.unflatten(0, SHAPE).expand(2, *SHAPE).clamp(0, 1)
        )
        torch.testing.assert_close(pca.reconstruct(x, 4), pca.decode(pca.encode(x)))
        for k in (-1, 5):
            with pytest.raises(ValueError, match=f"num_components is {k}: use 0 to 4"):
                pca.reconstruct(x, k)

    def test_all_components_lose_nothing(self):
        x = images(6)
        pca = PCA(6).fit(x)
        torch.testing.assert_close(pca.decode(pca.encode(x)), x, atol=1e-4, rtol=0)
        assert pca.explained_variance_ratio.sum().item() == pytest.approx(1, abs=1e-5)

    def test_bytes_sets_and_floats_give_the_same(self):
        x = (images(20) * 255).to(torch.uint8)
        labels = torch.zeros(20, dtype=torch.int64)
        first, *others = (PCA(2).fit(v) for v in (x, x.float() / 255, ImageSet(x, labels, ("a",))))
        for other in others:
            torch.testing.assert_close(other.components, first.components, atol=1e-4, rtol=1e-3)

    def test_samples_have_the_datas_variances(self, fitted):
        pca = fitted[0]
        z = pca.sample_latent(40_000, generator())
        assert ((z.var(0) / pca.explained_variance - 1).abs() < 4.5 * math.sqrt(2 / 40_000)).all()
        assert (z.mean(0).abs() < 4.5 * pca.explained_variance.sqrt() / 200).all()

    def test_bad_input(self):
        with pytest.raises(ValueError, match="latent_dim is 0"):
            PCA(0)
        for call in (lambda p: p.encode(images()), lambda p: p.decode(torch.zeros(1, 2)), lambda p: p.sample_latent(1)):
            with pytest.raises(RuntimeError, match=r"no components yet: call fit\(images\) first"):
                call(PCA(2))
        for n in (0, 1):
            with pytest.raises(ValueError, match=f"PCA needs at least 2 images, but there are {n}"):
                PCA(1).fit(images(n))
        with pytest.raises(ValueError, match=r"latent_dim is 6, but \(5, 2, 8, 12\) allows at most 5"):
            PCA(6).fit(images())
        with pytest.raises(ValueError, match=r"pixels reach from 0.* to 25\d"):
            PCA(2).fit((images() * 255).round().clamp(0, 255))
        with pytest.raises(TypeError, match="images are torch.int64"):
            PCA(2).fit((images() * 255).long())
        with pytest.raises(TypeError, match="images must be an ImageSet or a torch tensor, not ndarray"):
            PCA(2).fit(images().numpy())


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
            ({"latent_dim": 2, "architecture": "cnn"}, "architecture is 'cnn': use 'mlp' or 'conv'"),
            ({"latent_dim": 2, "architecture": "conv", "image_shape": (1, 28, 30)}, "needs H and W divisible by 4"),
            (
                {"latent_dim": 2, "architecture": "conv", "hidden": 7},
                "hidden is 7: the convolutional form needs an even",
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


class TestVAE:
    @pytest.mark.parametrize("name", ["vae", "conv vae"])
    def test_the_loss_is_the_negative_elbo(self, name):
        model, x = make(name).double(), images().double()
        terms = model.loss_terms(x, generator(4))
        mu, logvar = model.posterior(x)
        assert mu.shape == logvar.shape == (5, 3)
        q = torch.distributions.Normal(mu, logvar.exp().sqrt())
        prior = torch.distributions.Normal(torch.zeros(5, 3).double(), torch.ones(5, 3).double())
        kl = torch.distributions.kl_divergence(q, prior).sum(1).mean()
        eps = torch.empty(5, 3, dtype=torch.float64).normal_(generator=generator(4))
        logits = model.decode_logits(mu + q.stddev * eps)
        recon = -(x * torch.nn.functional.logsigmoid(logits) + (1 - x) * torch.nn.functional.logsigmoid(-logits))
        torch.testing.assert_close(terms["kl"], kl)
        torch.testing.assert_close(terms["recon"], recon.sum((1, 2, 3)).mean())
        torch.testing.assert_close(terms["loss"], terms["recon"] + terms["kl"])

    @pytest.mark.parametrize("beta", [0.0, 0.5, 4.0])
    def test_beta_weighs_the_kl_term(self, beta):
        model = VAE(3, beta=beta, **SMALL)
        terms = model.loss_terms(images())
        torch.testing.assert_close(terms["loss"], terms["recon"] + beta * terms["kl"])
        assert model.config["beta"] == beta

    def test_the_code_is_the_mean(self):
        model, x = make("vae"), images()
        assert torch.equal(model.encode(x), model.posterior(x)[0])

    def test_the_prior_is_standard_normal(self):
        z = make("vae").sample_latent(40_000, generator())
        assert (z.mean(0).abs() < 4.5 / 200).all()
        assert ((z.var(0) - 1).abs() < 4.5 * math.sqrt(2 / 40_000)).all()

    def test_the_sample_differs_from_call_to_call(self):
        model, x = make("vae"), images()
        assert model.loss_terms(x)["recon"] != model.loss_terms(x)["recon"]

    def test_bad_arguments(self):
        with pytest.raises(ValueError, match="latent_dim is 0"):
            VAE(0)
        with pytest.raises(ValueError, match="beta is -1"):
            VAE(2, beta=-1)
        with pytest.raises(ValueError, match="architecture is 'cnn'"):
            VAE(2, architecture="cnn")
