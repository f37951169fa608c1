"""The package on an accelerator gives what it gives on the CPU, up to rounding, and results stay where they should be.

Random numbers differ between devices: what is drawn is compared with what it should be, not with what the CPU draws.
Convolutions run in full float32, and where learners would see a difference also as they are by default, in TF32.
"""

import copy
import dataclasses
import math
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from widgets.test_widgets import browser_moves

from course_utils import checks, device, embedding, gaussian, interpolation, latents, losses, metrics, plots, recipes
from course_utils.checkpoints import load, load_reference, load_snapshots, read_card, reference_names
from course_utils.data import ImageSet, fashion_mnist
from course_utils.data.corruptions import CORRUPTIONS
from course_utils.data.faces import default_handles, render_faces, sample_faces, sample_handles
from course_utils.models import flow, gan
from course_utils.models.autoencoder import Autoencoder, DenoisingAutoencoder, SparseAutoencoder
from course_utils.models.autoencoder_kl import AutoencoderKL
from course_utils.models.caption import tokenize
from course_utils.models.classifier import Classifier
from course_utils.models.diffusion import CodeDiffusion, Diffusion, LatentDiffusion, sampling
from course_utils.models.diffusion import noise_schedule as noise
from course_utils.models.diffusion.caption_denoisers import CaptionDiT, CaptionUNet
from course_utils.models.diffusion.denoisers import MLPDenoiser, UNet
from course_utils.models.flow import FlowModel
from course_utils.models.linear_gaussian import LinearGaussian
from course_utils.models.pca import PCA
from course_utils.models.pixels import PixelSpace
from course_utils.models.styles import StyleGAN, StyleGenerator, mix_styles, truncate_w
from course_utils.models.vae import VAE
from course_utils.models.vae.annealing import Annealing
from course_utils.models.vae.conditional import ConditionalVAE
from course_utils.recipes import RECIPES
from course_utils.recipes.face_codes import told
from course_utils.training import NonFiniteLoss, fit, measure_speed
from course_utils.training.adversarial import GanSettings, train_gan
from course_utils.training.history import History
from course_utils.training.parts import follow
from course_utils.widgets import (
    Brush,
    FunctionSliders,
    HandleSliders,
    MapExplorer,
    PathLab,
    StyleMixer,
    TruncationSlider,
)

WITHOUT_CODES = ("snapshots", "classifier", "regressor")  # in the names of the references that are no LatentModel
DEVICE = next((name for name in ("cuda", "mps") if device._available()[name]), None)  # as pick_device() has it

pytestmark = pytest.mark.skipif(DEVICE is None, reason="needs a GPU")
in_float64 = pytest.mark.xfail(DEVICE == "mps", reason="mps has no float64", raises=TypeError)


@pytest.fixture(autouse=True)
def repeatable(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.delenv("COURSE_DEVICE", raising=False)
    torch.manual_seed(0)
    yield
    plt.close("all")


def rng(to="cpu", seed=0):
    return torch.Generator(to).manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=rng(seed=seed))


def moved(value, to=None):
    """Tensors, and copies of modules, on a device, also those in lists and dictionaries; anything else as it is."""
    to = to or DEVICE
    if isinstance(value, (list, tuple)):
        return type(value)(moved(one, to) for one in value)
    return copy.deepcopy(value).to(to) if isinstance(value, (Tensor, nn.Module)) else value


def parts(result) -> list:
    """The tensors and numbers in a result, one after another."""
    result = vars(result) if dataclasses.is_dataclass(result) else result
    result = list(result.values()) if isinstance(result, dict) else result
    return [part for one in result for part in parts(one)] if isinstance(result, (list, tuple)) else [result]


def agrees(fn, *inputs, on=DEVICE, rtol=1e-4, atol=3e-5):
    """On DEVICE, fn gives what it gives on the CPU, and its tensors are on the device that they should be on."""
    for a, b in zip(parts(fn(*moved(inputs))), parts(fn(*moved(inputs, "cpu"))), strict=True):
        assert not isinstance(a, Tensor) or a.device.type == on
        torch.testing.assert_close(torch.as_tensor(a).cpu(), torch.as_tensor(b), rtol=rtol, atol=atol, equal_nan=True)


def with_gradient(fn):
    def both(first, *others):
        first = first.detach().requires_grad_()
        result = fn(first, *others)
        return [result.detach(), *torch.autograd.grad(result.sum(), first)]

    return both


def same_mean(a, b):
    """The means of two samples, on any devices, are equal within five standard errors."""
    a, b = (one.detach().cpu().double().flatten() for one in (a, b))
    error = math.sqrt(a.var().item() / len(a) + b.var().item() / len(b))
    assert abs(a.mean() - b.mean()).item() <= 5 * error + 1e-6


def each(cases: dict):
    return pytest.mark.parametrize("case", list(cases.values()), ids=list(cases))


# ------------------------------------------------------------------ functions and what they give, on both devices alike

SHAPE = (1, 8, 12)
Z, POINTS, LABELS, IMAGES = normal(60, 4), normal(60, 2, seed=1), torch.arange(60) % 3, normal(20, 3, 9, 13).sigmoid()
FACTORS, PATH = Z[:, :2] + 0.3 * normal(60, 2, seed=2), normal(2, 5, *SHAPE, seed=1).sigmoid()
BYTES = torch.randint(0, 256, (11, *SHAPE), generator=rng(), dtype=torch.uint8)
X, MU, OTHER, LOGVAR = normal(7, 5), normal(7, 5, seed=1), normal(7, 5, seed=2), torch.linspace(-30, 30, 35).view(7, 5)
Z_A, Z_B, WEIGHTS = normal(6, 4), normal(6, 4, seed=1), torch.tensor([0.0, 0.3, 1.0])
Z_B[1], Z_B[2], Z_B[3], Z_A[4] = 2 * Z_A[1], -2 * Z_A[2], 0, 0  # parallel, antipodal, without direction
T, T_PREV = torch.tensor([0, 20, 49]), torch.tensor([-1, 3, 48])
X_T, EPS = normal(3, 1, 4, 6), normal(3, 1, 4, 6, seed=1)
TIMES = torch.tensor([0.0, 0.3, 0.9])  # of flows


def swirl(x, t):
    return (x.roll(1, -1) * (1 + t.view(-1, *[1] * (x.ndim - 1)))).tanh()


def lively(model):
    """The model with small random numbers where it starts with zeros, so that every part of it counts."""
    for weight in (weight for weight in model.parameters() if not weight.any()):
        nn.init.normal_(weight, std=0.05)
    return model


with torch.random.fork_rng():
    torch.manual_seed(3)
    MODEL, CLASSIFIER = VAE(4, hidden=16, image_shape=SHAPE), Classifier(4, hidden=8, image_shape=SHAPE).eval()
    CRITIC, DENOISER = gan.Discriminator(image_shape=SHAPE, hidden=8, spectral=True), lively(MLPDenoiser(5, hidden=16))
    NETWORKS = (
        (gan.Generator(5, image_shape=SHAPE, hidden=8).eval(), X), (CRITIC, PATH[0]), (gan.RingGenerator(5), X),
        (StyleGenerator(5, image_shape=SHAPE, hidden=8).eval(), X), (gan.RingDiscriminator(), POINTS),
        (CLASSIFIER, PATH[0]),
        (lively(UNet(SHAPE, channels=(8, 16), blocks=1, num_classes=4)), PATH[0, :3], T, torch.tensor([1, 0, 4])),
        (lively(CaptionUNet(SHAPE, channels=(8, 16))), PATH[0, :3], T, tokenize(["smiling", "", "red hair"])[0]),
        (lively(CaptionDiT(SHAPE, width=16, blocks=1)), PATH[0, :3], T, tokenize(["smiling", "", "red hair"])[0]),
    )  # fmt: skip
SCHEDULE = noise.NoiseSchedule("linear", 50)

NATS = {  # computed in float32 also from 16 bits
    "kl_standard_normal": (gaussian.kl_standard_normal, MU, LOGVAR),
    "kl_per_dimension": (gaussian.kl_per_dimension, MU, LOGVAR),
    "kl_gaussians": (gaussian.kl_gaussians, MU, LOGVAR, OTHER, LOGVAR.flip(0)),
    "kl_gaussians to one": (gaussian.kl_gaussians, MU, LOGVAR, OTHER[0], LOGVAR[3]),
    "log_prob_gaussian": (gaussian.log_prob_gaussian, X, MU, LOGVAR),
    "log_mean_exp": (partial(gaussian.log_mean_exp, dim=1), 30 * LOGVAR),
    "squared_error": (losses.squared_error, X, MU),
    "bernoulli_nll": (losses.bernoulli_nll, 20 * X, MU.sigmoid()),
    "gaussian_nll": (partial(losses.gaussian_nll, std=0.1), X, MU),
    "gaussian_nll, a std a pixel": (losses.gaussian_nll, X, MU, OTHER.abs() + 0.1),
}
SMOOTH = NATS | {
    "bits_per_dim": (partial(losses.bits_per_dim, num_dims=15), X),
    "lerp": (interpolation.lerp, Z_A, Z_B, WEIGHTS),
    "slerp": (interpolation.slerp, Z_A, Z_B, 0.3),
    "slerp, weights": (interpolation.slerp, Z_A, Z_B, WEIGHTS),
    "slerp, weights on the CPU": (lambda *z: interpolation.slerp(*z, WEIGHTS), Z_A, Z_B),
    "path": (lambda *z: interpolation.path(*z, 5, "slerp", batch_dims=0), normal(2, 3, 4), normal(2, 3, 4, seed=1)),
    **{f"{name}_loss": (getattr(gan, f"{name}_loss"), 20 * X[:, 0], MU[:3, 0])
       for name in ("discriminator", "hinge_discriminator", "wasserstein_discriminator")},
    **{f"{name}_loss": (getattr(gan, f"{name}_loss"), 20 * X[:, 0])
       for name in ("generator", "saturating_generator", "linear_generator")},
    "render_faces": (partial(render_faces, size=24), sample_handles(3, generator=rng())),
}  # fmt: skip
STEPS = {
    **{fn.__name__: fn for fn in (
        noise.q_sample, noise.x0_from_eps, noise.eps_from_x0, noise.v_from_x0_eps, noise.x0_from_v, noise.eps_from_v,
        noise.v_from_eps, noise.v_from_x0,
    )},
    "to_eps": partial(noise.to_eps, prediction="v"),
    "ddim_step": partial(sampling.ddim_step, t_prev=-1, clip=0.8),
    "ddim_step inverted": partial(sampling.ddim_step, t_prev=49),
    "ddim_step with noise": lambda s, x, *t_eps: sampling.ddim_step(s, x, *t_eps, -1, eta=0.7, noise=x.flip(0)),
    "ddpm_step": lambda s, x, *t_eps: sampling.ddpm_step(s, x, *t_eps, noise=x.flip(0), variance="large"),
}  # fmt: skip
METRICS = {
    "psnr": (metrics.psnr, IMAGES[:4], IMAGES[4:8]),
    "active_fraction": (metrics.active_fraction, Z, 0.5),
    "active_units": (metrics.active_units, Z * torch.tensor([1.0, 0.01, 1.0, 0.05])),
    "relative_contrast": (metrics.relative_contrast, normal(7, 4, seed=1), Z),
    "step_lengths": (partial(metrics.step_lengths, batch_dims=1), PATH),
    "sharpness": (metrics.sharpness, PATH),
    "norm_profile": (metrics.norm_profile, Z),
    "path_quality": (lambda x, z, data: metrics.path_quality(x, codes=z, data=data), PATH[0], Z[:5], PATH[1]),
    "path_quality of features": (lambda f, x: metrics.path_quality(
        x, data=f.features(x[1]), features=f.features, batch_dims=1), CLASSIFIER, PATH),
}  # fmt: skip
STAYS = METRICS | {
    "attribute_direction": (latents.attribute_direction, Z, Z[:, 0] > 0.2),
    "attribute_direction, labels on the CPU": (lambda z: latents.attribute_direction(z, Z[:, 0] > 0.2), Z),
    "project_out": (latents.project_out, Z[0], Z[1:3]),
    "nearest_neighbors": (latents.nearest_neighbors, normal(7, 2, 3), normal(40, 2, 3, seed=1), 4, "euclidean", 3),
    "nearest_neighbors, cosine": (latents.nearest_neighbors, normal(7, 2, 3), normal(40, 2, 3, seed=1), 4, "cosine", 3),
    "truncate": (partial(gan.truncate, limit=1.5, method="quantile"), X),
    "r1_penalty": (gan.r1_penalty, CRITIC, PATH[0]),
    "gradient_penalty": (lambda *x: gan.gradient_penalty(lambda x: x @ X[0].to(x), *x, rng(x[0].device)), MU, OTHER),
    "guide": (sampling.guide, X, MU, 2.5),
    **{name: (step, SCHEDULE, X_T, T, EPS) for name, step in STEPS.items()},
    **{f"{name}, schedule on the CPU": (lambda x, t, eps, step=step: step(SCHEDULE, x, t, eps), X_T, 30, EPS)
       for name, step in STEPS.items()},
    "flow_matching_pair": (flow.flow_matching_pair, X_T, EPS, TIMES),
    "x1_from_velocity": (flow.x1_from_velocity, X_T, TIMES, EPS),
    "from_diffusion": (flow.from_diffusion, SCHEDULE, X_T, T),
    "heun_step": (partial(flow.heun_step, swirl), X_T, TIMES, 0.1),
    "integrate": (lambda x: flow.integrate(swirl, x, times=flow.flow_times(4, 0.6)), X_T),
    "replace_known": (flow.replace_known, X_T, EPS, X_T[:, :, :1] > 0, 0.3, X_T.flip(0)),
    "straightness": (partial(flow.straightness, swirl, steps=5), X_T),
    "divergence": (partial(flow.divergence, swirl), X_T, TIMES),
    "log_density": (partial(flow.log_density, swirl, steps=4), X_T),
    "mixture, velocity": (lambda m, x: flow.MixtureFlow(m, 0.5).velocity(x, x[:, 0].sigmoid()), MU, X),
    "mixture, density": (lambda m, x: flow.MixtureFlow(m, 0.5).log_prob(x), MU, X),
    "ddim_step, times": (sampling.ddim_step, SCHEDULE, X_T, T, EPS, T_PREV),
    "ddpm_step, times": (sampling.ddpm_step, SCHEDULE, X_T, T, EPS, T_PREV),
    "sample": (partial(sampling.sample, steps=6, clip=2.0), SCHEDULE, DENOISER, X),
    "sample with new noise": (lambda s, x: sampling.sample(  # the noise if all data were 0, so 0 should come out
        s, lambda x_t, t: x_t / (1 - s.alpha_bar_at(t, x_t)).sqrt(), x, eta=1.0, generator=rng(x.device)), SCHEDULE, X),
    "truncate_w and mix_styles": (lambda w, m: mix_styles(truncate_w(w, m, 0.5), w, [1], num_layers=2), X, MU[0]),
    "invert": (partial(sampling.invert, steps=6, refine=1), SCHEDULE, DENOISER, X),
    **{type(network).__name__: (nn.Module.__call__, network, *inputs) for network, *inputs in NETWORKS},
    "LinearGaussian": (lambda m, x: [m.elbo(x), m.gap(x), m.log_evidence(x), *m.true_posterior(x), m.encode(x)],
                       LinearGaussian(normal(5, 2), normal(5), 0.5, scale=1.2), X),
    "PCA": (lambda x: [(pca := PCA(2).fit(x, device=x.device)).reconstruct(x, 1), *pca.buffers()],
            (Z[:, :2] * torch.tensor([2.0, 0.5]) @ normal(2, 96) / 9).sigmoid().view(60, *SHAPE)),
}  # fmt: skip
ON_CPU = {  # numbers, or tensors that the docstring has on the CPU
    "trustworthiness": (metrics.trustworthiness, Z, POINTS, 5, 17),
    "continuity": (metrics.continuity, Z, POINTS, 5, 17),
    "knn_accuracy": (metrics.knn_accuracy, Z, LABELS, 5, 17),
    "modes_covered": (metrics.modes_covered, POINTS, POINTS[:5] + 0.1, 0.2),
    "frechet_distance": (metrics.frechet_distance, Z, Z[:40] + 1),
    "precision_recall": (metrics.precision_recall, Z, 0.8 * normal(50, 4, seed=3), 3, 17),
    "density_coverage": (metrics.density_coverage, Z, 0.8 * normal(50, 4, seed=3), 5, 17),
    "image_features": (metrics.image_features, IMAGES, CLASSIFIER),
    "sample_quality": (metrics.sample_quality, IMAGES, IMAGES.flip(2), CLASSIFIER),
    "quality_floor": (lambda z, model: metrics.quality_floor(z, model, generator=rng()), Z, CLASSIFIER),
    "perceptual_path_length": (
        lambda m, a, b, c: metrics.perceptual_path_length(m, a, b, c, path="slerp", epsilon=0.01, generator=rng()),
        MODEL, Z[:20], Z[20:40], CLASSIFIER),
    "linear_separability": (lambda z, y: metrics.linear_separability(z, y, generator=rng()), Z, FACTORS > 0),
    "conditional_entropy": (metrics.conditional_entropy, Z[:, 0] > 0, FACTORS[:, 0] > 0.3),
    "dci": (partial(metrics.dci, trees=5), Z, FACTORS),
    "mutual_information": (metrics.mutual_information, Z, FACTORS),
    "mutual_information_gap": (metrics.mutual_information_gap, Z, FACTORS),
    "sap": (metrics.sap, Z, FACTORS),
    "factor_vae_score": (lambda matrix: metrics.factor_vae_score(
        lambda factors: factors.to(matrix.device) @ matrix, lambda n, generator: torch.randn(n, 3, generator=generator),
        votes=20, generator=rng()), torch.eye(3, 4) + 0.3 * normal(3, 4)),
    "embed": (embedding.embed, Z, "pca"),
    "encode_dataset, bytes": (latents.encode_dataset, MODEL, BYTES, 4),
    "encode_dataset, floats": (latents.encode_dataset, MODEL, BYTES / 255, 4),
    "encode_dataset, set on the CPU": (lambda m: latents.encode_dataset(m, ImageSet(BYTES, LABELS[:11], "abc")), MODEL),
    "decode_dataset": (latents.decode_dataset, MODEL, Z, 17),
    "latent_grid": (lambda m, z: latents.latent_grid(m, (-2, 1), (0, 1), 3, dims=(2, 0), base=z), MODEL, Z[0]),
    "traverse": (latents.traverse, MODEL, Z[0], Z[1], WEIGHTS),
}  # fmt: skip
IN_FLOAT64 = {
    "log_prob_aggregate": (gaussian.log_prob_aggregate, normal(9, 5), MU, LOGVAR / 10, 4),
    "roc_curve": (metrics.roc_curve, Z[:, 0].round(decimals=1), LABELS == 0),
    "auroc": (metrics.auroc, Z[:, 0].round(decimals=1), LABELS == 0),
    "intrinsic_dimension": (metrics.intrinsic_dimension, Z, 5, 17),
    "principal_angles": (metrics.principal_angles, Z[:2], Z[2:5]),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@each(NATS)
def test_nats_are_computed_in_float32(case, dtype):
    fn, *inputs = case
    inputs = [t.to(dtype) for t in inputs]
    assert fn(*moved(inputs)).dtype == torch.float32
    agrees(fn, *inputs)


@each(SMOOTH)
def test_values_and_gradients(case):
    fn, *inputs = case
    agrees(with_gradient(fn), *inputs, rtol=1e-3, atol=1e-3)


@each(STAYS | ON_CPU)
def test_results(case):
    agrees(*case, on="cpu" if any(case is one for one in ON_CPU.values()) else DEVICE)


@in_float64
@each(IN_FLOAT64)
def test_results_in_float64(case):
    agrees(*case, rtol=1e-6)


def test_errors_are_clear():
    logits, x = torch.zeros(2, 3, device=DEVICE), torch.tensor([[0.0, 1.0, 2.0], [-0.5, 0.0, 0.0]], device=DEVICE)
    with pytest.raises(ValueError, match="must lie in .*from -0.5 to 2"):
        losses.bernoulli_nll(logits, x)
    with pytest.raises(ValueError, match="std is 0: a standard deviation must be positive"):
        losses.gaussian_nll(logits, x, torch.tensor([1.0, 0.0, 1.0], device=DEVICE))


# -------------------------------------------------------------------------------------------------------- what is drawn


class TestDrawing:
    @pytest.mark.parametrize("logvar", [-30.0, 0.5, 30.0])
    def test_reparameterize(self, logvar):
        mu, logvar = (torch.full((500, 3), v, device=DEVICE, requires_grad=True) for v in (0.0, logvar))
        z = gaussian.reparameterize(mu, logvar, rng(DEVICE))
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            again = gaussian.reparameterize(mu.to(dtype), logvar.to(dtype), rng(DEVICE))
            torch.testing.assert_close(again, z, rtol=1e-5, atol=0)
        eps = (z / (0.5 * logvar).exp()).detach()
        same_mean(eps, torch.zeros(2))
        same_mean(eps.square(), torch.ones(2))
        by_mu, by_logvar = torch.autograd.grad(z.sum(), (mu, logvar))
        assert torch.equal(by_mu, torch.ones_like(z))
        torch.testing.assert_close(by_logvar, z.detach() / 2)

    def test_bounds_of_a_model_whose_evidence_is_known(self):
        weight, bias, x = normal(4, 2), normal(4, seed=1), 2 * normal(6, 4, seed=2)
        rough, generator = LinearGaussian(weight, bias, 0.5, scale=1.2, offset=0.1), rng(DEVICE)
        on = moved([rough, x])
        draws = torch.stack([losses.elbo(*on, 5, generator) for _ in range(100)])
        for one, expected in zip(draws.T, rough.elbo(x), strict=True):
            same_mean(one, expected.repeat(2))
        exact = LinearGaussian(torch.linalg.qr(weight).Q, bias, 0.5)  # q is the true posterior, so each weight is p(x)
        bound = losses.iwae_bound(*moved([exact, x]), 9, chunk=4, generator=generator)
        assert bound.device.type == DEVICE
        torch.testing.assert_close(bound.cpu(), exact.log_evidence(x), rtol=1e-4, atol=1e-3)

    def test_bounds_of_a_vae(self):
        on, off = moved([MODEL, PATH[0]]), (MODEL, PATH[0])
        same_mean(*(torch.stack([losses.elbo(*given, 2).mean() for _ in range(60)]) for given in (on, off)))
        bounds = [losses.iwae_bound(*on, 10, chunk, rng(DEVICE)) for chunk in (4, 16)]
        gradients = [torch.autograd.grad(bound.sum(), list(on[0].parameters())) for bound in bounds]
        with torch.no_grad():
            bounds.append(losses.iwae_bound(*on, 10, generator=rng(DEVICE)))
        for other in bounds[1:]:
            torch.testing.assert_close(other, bounds[0], rtol=1e-4, atol=1e-3)
        for one, other in zip(*gradients, strict=True):
            assert one.any()
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)

    @pytest.mark.parametrize("corrupt", CORRUPTIONS.values(), ids=CORRUPTIONS)
    def test_corruptions(self, corrupt):
        x = normal(60, 1, 10, 14, seed=5).sigmoid()
        x_on = x.to(DEVICE)
        found = [corrupt(x_on, 0.3, rng(DEVICE, seed)) for seed in (0, 0, 1)]
        assert found[0].device.type == DEVICE
        assert torch.equal(found[0], found[1])
        assert not torch.equal(found[0], found[2])
        assert torch.equal(x_on.cpu(), x)
        for statistic in (lambda y: y.mean((1, 2, 3)), lambda y: (y.cpu() == x).float().mean((1, 2, 3))):
            same_mean(statistic(found[0]), statistic(corrupt(x, 0.3, rng(seed=2))))

    def test_truncation(self):
        z = normal(2000, 3, seed=5)
        cut, outside = gan.truncate(z.to(DEVICE), 0.7, generator=rng(DEVICE, 2)), z.abs() > 0.7
        assert cut.device.type == DEVICE
        assert cut.abs().max() <= 0.7
        assert torch.equal(cut.cpu()[~outside], z[~outside])
        same_mean(cut.cpu()[outside].square(), gan.truncate(z, 0.7, generator=rng(seed=3))[outside].square())


# --------------------------------------------------------------------------------------------------------------- models


NOISE = {"schedule": "linear", "num_steps": 50, "steps": 4}  # not so near to all noise that digits are lost there


def diffusion():
    return lively(Diffusion(image_shape=SHAPE, channels=(8, 16), blocks=1, **NOISE))


MODELS = {
    "Autoencoder": lambda: Autoencoder(3, hidden=16, image_shape=SHAPE),
    "conv": lambda: Autoencoder(3, architecture="conv", hidden=8, image_shape=SHAPE, likelihood="bernoulli"),
    "DenoisingAutoencoder": lambda: DenoisingAutoencoder(3, hidden=16, image_shape=SHAPE, corruption="block_mask"),
    "SparseAutoencoder": lambda: SparseAutoencoder(9, k=4, l1=0.1, hidden=16, image_shape=SHAPE),
    "VAE": lambda: VAE(3, architecture="conv", hidden=8, image_shape=SHAPE, beta=Annealing("linear", steps=10)),
    "VAE, Gaussian": lambda: VAE(3, hidden=16, image_shape=SHAPE, likelihood="gaussian", std=0.3, free_bits=0.1),
    "ConditionalVAE": lambda: ConditionalVAE(3, 2, hidden=16, image_shape=SHAPE).given(torch.tensor([1.0, 0.5])),
    "PCA": lambda: PCA(3).fit(BYTES),
    "PixelSpace": lambda: PixelSpace(SHAPE),
    "AutoencoderKL": lambda: AutoencoderKL(
        in_channels=SHAPE[0], out_channels=SHAPE[0], block_out_channels=(4, 8), norm_num_groups=2, sample_size=SHAPE[1:]
    ),
    "GAN": lambda: gan.GAN(5, image_shape=SHAPE, hidden=8).eval(),
    "StyleGAN": lambda: StyleGAN(5, image_shape=SHAPE, hidden=8).eval(),
    "StyleGAN, in w": lambda: StyleGAN(5, image_shape=SHAPE, hidden=8).eval().in_w(per_layer=True),
    "Diffusion": diffusion,
    "Diffusion, given": lambda: diffusion().given(3, guidance=2.0, clip=1.0),
    "CodeDiffusion": lambda: lively(CodeDiffusion(4, hidden=16, **NOISE)).over(copy.deepcopy(MODEL)),
    "FlowModel": lambda: lively(FlowModel(4, hidden=16, steps=4)).over(copy.deepcopy(MODEL)),
    "FlowModel, given": lambda: (
        lively(FlowModel(4, condition_dim=2, hidden=16, steps=4, method="heun"))
        .over(copy.deepcopy(MODEL))
        .given(torch.tensor([1.0, 0.5]), 2.0)
    ),
    "LatentDiffusion": lambda: lively(LatentDiffusion(copy.deepcopy(MODEL), Z, hidden=16, **NOISE)),
}


class TestModels:
    @pytest.mark.parametrize("name", MODELS)
    def test_each(self, name):
        model, x = MODELS[name](), PATH[0]
        agrees(lambda model, z: model.decode(z), model, normal(4, *model.latent_shape))
        if "GAN" not in name:  # whose search may end elsewhere: see below
            agrees(lambda model, x: model.encode(x), model, x, rtol=1e-3, atol=1e-4)
        model = moved(model)
        drawn = model.sample_latent(6, rng(DEVICE))
        assert (drawn.device.type, drawn.shape) == (DEVICE, (6, *model.latent_shape))
        assert torch.equal(drawn, model.sample_latent(6, rng(DEVICE)))
        if hasattr(model, "set_latent_statistics"):
            model.set_latent_statistics(codes := 3 * normal(50, *model.latent_shape) - 5)
            same_mean(model.sample_latent(50, rng(DEVICE)), codes)
        if hasattr(model, "loss_terms"):
            terms = model.train().loss_terms(x.to(DEVICE))
            terms["loss"].backward()
            assert all(term.device.type == DEVICE and term.isfinite() for term in terms.values())
            assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)

    @torch.no_grad()
    @pytest.mark.parametrize("name", [n for n in reference_names() if not any(w in n for w in WITHOUT_CODES)])
    def test_references(self, name, monkeypatch):
        expected, found = (load_reference(name, to) for to in ("cpu", DEVICE))
        if isinstance(expected, ConditionalVAE):
            expected, found = (model.given(torch.tensor([0.5, 0.2, 1.0])) for model in (expected, found))
        if isinstance(expected, (FlowModel, CodeDiffusion)):
            said, compressor = told(expected, ["a person with brown hair, smiling"])[0], RECIPES[name].needs[0]
            expected, found = (
                model.over(load_reference(compressor, to)).given(said, steps=10)
                for model, to in ((expected, "cpu"), (found, DEVICE))
            )
        faces = sample_faces(2, seed=1, size=64)
        x = (faces if "faces" in name else fashion_mnist("test", limit=2)).pixels()
        z = normal(3, *expected.latent_shape)
        image, seen = expected.decode(z), found.decode(z.to(DEVICE))
        torch.testing.assert_close(seen.cpu(), image, rtol=0, atol=1e-3)
        if isinstance(expected, (gan.GAN, StyleGAN)):  # from somewhat different ways, equally near
            ways = [gan.invert(m.generator, x.to(to), 20, restarts=2) for m, to in ((expected, "cpu"), (found, DEVICE))]
            code, again = ((expected.decode(z.cpu()) - x).square().mean((1, 2, 3)) for z in ways)
        else:
            code, again = expected.encode(x), found.encode(x.to(DEVICE)).cpu()
        torch.testing.assert_close(again, code, rtol=0.01, atol=2e-4 * code.abs().max().item())
        monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
        assert (found.decode(z.to(DEVICE)).cpu() - image).abs().max() < 2 / 255

    @torch.no_grad()
    def test_the_classifier_and_the_snapshots(self):
        x = fashion_mnist("test", limit=5).pixels()
        agrees(nn.Module.__call__, load_reference("classifier_fashion"), x, atol=1e-3)
        if "faces64_regressor" in reference_names():
            faces = sample_faces(5, seed=1, size=64).pixels()
            agrees(nn.Module.__call__, load_reference("faces64_regressor"), faces, atol=1e-3)
        both = (load_snapshots("vae_2d_snapshots", to) for to in (DEVICE, "cpu"))
        for (when, found), (epoch, expected) in zip(*both, strict=True):
            assert when == epoch
            image = expected.decode(POINTS)
            torch.testing.assert_close(found.decode(POINTS.to(DEVICE)).cpu(), image, rtol=0, atol=2e-4)


# ------------------------------------------------------------------------------------------------------- data, training


@pytest.mark.parametrize("with_labels", [True, False])
def test_batches_are_those_of_the_cpu(with_labels):
    train, options = fashion_mnist("train", limit=70), {"shuffle": True, "with_labels": with_labels}
    both = [train.batches(32, device=to, generator=rng(), **options) for to in (DEVICE, "cpu")]
    for _ in range(2):  # a new order each time
        for found, expected in zip(*both, strict=True):
            for a, b in zip(parts(found), parts(expected), strict=True):
                assert (a.device.type, a.dtype) == (DEVICE, b.dtype)
                torch.testing.assert_close(a.cpu(), b, rtol=1e-6, atol=0)


def test_every_byte_becomes_a_pixel_within_0_and_1():
    images = ImageSet(torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16), torch.tensor([0]), ("all",))
    for x in (images.pixels(device=DEVICE), next(iter(images.batches(1, device=DEVICE)))):
        assert (x.min(), x.max()) == (0, 1), "a GPU multiplies by the inverse of 255 instead of dividing"
        assert torch.equal((x.cpu() * 255).round().to(torch.uint8), images.images)


def test_images_and_labels_are_found_by_what_was_computed_on_the_device():
    images, index = fashion_mnist("test", limit=20), torch.tensor([7, 3, 3], device=DEVICE)
    assert torch.equal(images.pixels(index), images.pixels([7, 3, 3]))
    assert torch.equal(images[index].labels, images.labels[[7, 3, 3]])
    assert len(images[images.labels.to(DEVICE) == 1]) == 2
    faces = sample_faces(4, size=16)
    assert faces[index % 4].captions == faces[[3, 3, 3]].captions
    assert metrics.knn_accuracy(Z.to(DEVICE), LABELS) == metrics.knn_accuracy(Z, LABELS)
    x = PATH[0].to(DEVICE)
    found, expected = (metrics.path_quality(x, ends=x.to(to)[[0, -1]]).sharpness for to in ("cpu", DEVICE))
    assert torch.equal(found, expected)


def batches(to=None):
    return fashion_mnist("train", limit=256).batches(32, device=to or DEVICE, shuffle=True, generator=rng())


def trained(to=None, **options):
    torch.manual_seed(5)
    model = Autoencoder(4, hidden=32).to(to or DEVICE)
    return model, fit(model, batches(to), progress=False, **options)


class TestTraining:
    def test_it_follows_the_cpu_and_goes_on_from_a_file(self, tmp_path):
        whole = trained(epochs=4)[1].series()
        assert whole[-1] < 0.9 * whole[0]
        assert whole == pytest.approx(trained("cpu", epochs=4)[1].series(), rel=1e-3)
        half = History.load(trained(epochs=2)[1].save(tmp_path / "half.pt"))
        model, resumed = trained(epochs=4, resume=half)
        assert [epoch["epoch"] for epoch in resumed.epochs] == [1, 2, 3, 4]
        assert resumed.series() == pytest.approx(whole, rel=1e-3)
        assert latents.model_device(model).type == DEVICE

    @pytest.mark.parametrize("precision", ["float32", "bfloat16", "auto"])
    @pytest.mark.parametrize("architecture", ["mlp", "conv"])
    def test_every_precision(self, precision, architecture):
        formats, model = set(), VAE(4, architecture=architecture, hidden=16).to(DEVICE)

        def loss(model, x):
            formats.add(model.encoder(x).dtype)
            return model.loss_terms(x)

        history = fit(model, batches(), epochs=3, lr=3e-3, loss=loss, precision=precision, progress=False)
        assert history.precision == precision or precision == "auto"
        assert formats == {getattr(torch, history.precision)}
        assert history.series()[-1] < 0.95 * history.series()[0]
        assert all((p.device.type, p.dtype) == (DEVICE, torch.float32) for p in model.parameters())

    def test_watching_leaves_the_random_stream_of_the_device(self):
        series, drawn = [], []
        for watch in ({}, {"validation": [PATH[0]], "on_epoch": lambda *_: torch.rand(7, device=DEVICE)}):
            torch.manual_seed(1)
            model = VAE(4, hidden=16, image_shape=SHAPE).to(DEVICE)
            series.append(fit(model, [PATH[1]], epochs=3, progress=False, **watch).series())
            assert not watch or measure_speed(DEVICE, seconds=0.2) > 0
            drawn.append(torch.rand(3, device=DEVICE))
        assert series[0] == pytest.approx(series[1], rel=1e-5)
        assert torch.equal(*drawn)

    def test_a_loss_that_is_not_finite_puts_the_weights_back(self):
        steps, kept = [], []

        def loss(model, x):
            steps.append(len(x))
            return {"loss": model.loss_terms(x)["loss"] * (math.nan if len(steps) == 11 else 1)}

        with pytest.raises(NonFiniteLoss, match="epoch 2, step 3") as caught:
            trained(epochs=3, loss=loss, on_epoch=lambda model, _: kept.extend([model, moved(model)]))
        assert len(caught.value.history.epochs) == 1
        assert latents.model_device(kept[0]).type == DEVICE
        assert all(torch.equal(*pair) for pair in zip(*(model.parameters() for model in kept), strict=True))

    @pytest.mark.parametrize("averaged", [True, False])
    @each({
        "R1": (GanSettings(r1=1.0, r1_every=2), "float32"),
        "gradient penalty": (GanSettings("wasserstein", gradient_penalty=1.0, discriminator_steps=2), "float32"),
        "bfloat16": (GanSettings("hinge", decay="linear"), "bfloat16"),
    })  # fmt: skip
    def test_a_gan(self, case, averaged):
        images = (gan.Generator(5, image_shape=SHAPE, hidden=8), CRITIC, PATH.flatten(0, 1))
        for *pair, data in ((gan.RingGenerator(3), gan.RingDiscriminator(), POINTS), images):
            generator, critic = moved(pair)
            before, average = moved(generator), moved(generator) if averaged else None
            options = {"settings": case[0], "precision": case[1], "average": average, "progress": False}
            history = train_gan(generator, critic, data.split(5), steps=6, record_every=3, **options)
            assert [epoch["epoch"] for epoch in history.epochs] == [3, 6]
            assert all(math.isfinite(value) for epoch in history.epochs for value in epoch["train"].values())
            for model in (generator, average) if averaged else (generator,):
                for start, weight in zip(before.parameters(), model.parameters(), strict=True):
                    assert (weight.device.type, weight.dtype) == (DEVICE, torch.float32)
                    assert weight.isfinite().all()
                    assert not torch.equal(start, weight)

    def test_an_average_and_the_devices_generator_go_on(self, tmp_path):
        def training(epochs, resume=None):
            torch.manual_seed(5)
            model, noise = Autoencoder(4, hidden=32).to(DEVICE), torch.Generator(DEVICE).manual_seed(1)
            average = moved(model)

            def loss(model, x):
                noisy = x + 0.1 * torch.randn(x.shape, device=x.device, generator=noise)
                return {"loss": (model(noisy.clamp(0, 1)) - x).square().flatten(1).sum(1)}

            options = {"loss": loss, "clip": 5.0, "keep": [average, noise], "resume": resume, "progress": False}
            follower = lambda model, step: follow(average, model, 0.9)  # noqa: E731
            return average, fit(model, batches(), epochs=epochs, after_step=follower, **options)

        whole, history = training(4)
        half = History.load(training(2)[1].save(tmp_path / "half.pt"))
        average, resumed = training(4, half)
        assert resumed.series() == pytest.approx(history.series(), rel=1e-3)
        for a, b in zip(whole.parameters(), average.parameters(), strict=True):
            assert a.device.type == DEVICE
            torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-3)

    def test_a_game_goes_on_from_a_file(self, tmp_path):
        def game(**options):
            torch.manual_seed(0)
            generator = gan.RingGenerator(3).to(DEVICE)
            data = POINTS.split(5)
            pair = generator, gan.RingDiscriminator().to(DEVICE)
            return train_gan(*pair, data, record_every=2, progress=False, average=moved(generator), **options)

        half = History.load(game(steps=4).save(tmp_path / "game.pt"))
        history = game(steps=8, resume=half)
        assert [epoch["epoch"] for epoch in history.epochs] == [2, 4, 6, 8]
        assert all(math.isfinite(value) for epoch in history.epochs for value in epoch["train"].values())

    def test_a_recipe(self, tmp_path, monkeypatch):
        monkeypatch.setattr(recipes.recipe, "fashion_mnist", partial(fashion_mnist, limit=300))
        file = recipes.train("sparse_k", device=DEVICE, epochs=1, full=False, progress=False, out=tmp_path)
        card, test = read_card(file), fashion_mnist("test", limit=300)
        assert card["device"] == device.describe_device() == device.describe_device(DEVICE)
        for to in (DEVICE, "cpu"):
            assert recipes.evaluate(load(file, device=to), test) == pytest.approx(card["metrics"], rel=0.01)


# ----------------------------------------------------------------------------------------------- widgets, plots, checks


def explorers(to):
    """Each explorer that widgets/test_widgets.py does not have on a GPU, a position, and the images that it shows."""
    torch.manual_seed(5)
    model = VAE(4, hidden=16, image_shape=(3, 16, 16)).to(to)
    images = ImageSet((normal(8, 3, 16, 16).sigmoid() * 255).byte(), torch.arange(8) % 2, ("bag", "coat"))
    codes, pca, labels = Z[:8].to(to), PCA(4).fit(images, device=to), images.labels.to(to)

    def function(a, b):
        x = model.decode(torch.tensor([[a, b, 0.0, 0.0]], device=to))[0]
        return {"image": x, "row": plots.Chart([plots.Series("x", codes[:, 0], x[0, 0, :8])], (-3, 3), (0, 1), "", "")}

    yield FunctionSliders(function, {"a": (-2, 2), "b": (-2, 2)}), [1, -2], lambda e: [e.panels["image"]]
    lists = FunctionSliders(lambda k, w: {"row": w * codes[k : k + 2]}, {"k": {0, 3}, "w": (0, 1)}, model=model)
    yield lists, [1, 0.25], lambda e: list(e.panels.values())

    def mask(known):
        return torch.where(known.to(to), model.decode(codes[:2]), 0.5)

    yield Brush(images.pixels(0)[0].to(to), mask, cells=4), {"hidden": [0, 6]}, lambda e: [e.images]
    lab = PathLab({"PCA": pca, "VAE": model}, images, codes={"VAE": codes})
    yield lab, [2, 5, 0.25], lambda e: list(e.images.values())
    chart = MapExplorer(codes[:, :2], labels, images.class_names, images=images, model=model, codes=codes)
    yield chart, {"at": [-1, 1], "map": [0], "hidden": [], "pick": True}, lambda e: [e.decoded]
    options = {"directions": {"smile": codes[0], "other": codes[1]}, "handles": default_handles(1)[0].to(to)}
    yield HandleSliders(model, images.pixels(0)[0].to(to), **options), [0.9, -1.5], lambda e: [e.image, e.true_image]
    yield HandleSliders(model, z=codes[2], dims=(2, 0)), [2.0, 1.0], lambda e: [e.image]
    styles = StyleGAN(6, image_shape=(3, 16, 16), hidden=4).eval().to(to)
    w = styles.map(normal(3, 6).to(to)).detach()
    yield StyleMixer(styles, w), [2, 1, 0.25, 0, 1], lambda e: [e.image]
    truncation = TruncationSlider({"z": (model, codes, None), "w": (styles.in_w(), w.repeat(3, 1)[:8], styles.mean_w)})
    yield truncation, 0.4, lambda e: [*e.images["z"], *e.images["w"]]
    space, steps = styles.in_w(per_layer=True), {"smile": normal(3, 6).to(to)}
    yield HandleSliders(space, None, steps, z=space.generator.styles(w)[0]), [1.5], lambda e: [e.image]


def test_explorers():
    for (found, value, images), (expected, _, _) in zip(explorers(DEVICE), explorers("cpu"), strict=True):
        before = found._frame
        for explorer in (found, expected):
            browser_moves(explorer, value)
            assert explorer.error == ""
        assert found._frame != before
        assert len(found._frame) == len(before)
        for a, b in zip(images(found), images(expected), strict=True):
            assert (a - b).abs().max() <= 2 / 255
        found.static()


PICTURES, NAMES, LINES = normal(6, 1, 7, 9).sigmoid(), ("bag", "coat", "boot"), Z.T
FIGURES = {
    "curves": (lambda y: plots.curves({"a": (y[0], y[1])}, "x", "y"), LINES),
    "draw_chart": (lambda y: plots.draw_chart(plots.Chart(
        [plots.Series("a", y[0], y[1], "points")], (-3, 3), (-3, 3), "x", "y")), LINES),
    "error_histogram": (lambda y: plots.error_histogram({"a": y[0], "b": y[1]}), LINES),
    "estimates": (plots.estimates, torch.tensor([1, 10, 100]), Z[0, :3], Z[1, :3].abs()),
    "image_grid": (plots.image_grid, PICTURES),
    "image_rows": (lambda x: plots.image_rows({"x": x, "x_hat": 1 - x}), PICTURES),
    "image_scatter": (lambda z, x: plots.image_scatter(z[:6], x, background=z), POINTS, PICTURES),
    "latent_canvas": (lambda x: plots.latent_canvas(x.unflatten(0, (2, 3)), (0, 1), (0, 1)), PICTURES),
    "latent_map": (lambda *zyx: plots.latent_map(*zyx[:2], NAMES, images=zyx[2]), POINTS[:6], LABELS[:6], PICTURES),
    "latent_scatter": (lambda z, y: plots.latent_scatter(z, y, NAMES), POINTS, LABELS),
    "map_grid": (lambda z, y: plots.map_grid({"a": z, "b": -z}, y, NAMES), POINTS, LABELS),
    "panel_table": (lambda x: plots.panel_table({"a": list(x[:2]), "b": list(x[2:4])}), PICTURES),
    "roc_curve": (lambda r: plots.roc_curve({"a": (r[0], r[1])}), normal(2, 9).sigmoid().sort().values),
    "seed_bands": (lambda y: plots.seed_bands({"a": (y[0].sort().values, y)}, "x", "y"), LINES),
    "spectrum": (plots.spectrum, torch.tensor([0.6, 0.3, 0.1])),
}  # fmt: skip


@each(FIGURES)
def test_figures(case):
    draw, *inputs = case
    drawn = []
    for to in (DEVICE, "cpu"):
        figure = np.ravel(draw(*moved(inputs, to)))[0].figure
        figure.set_dpi(40)
        figure.canvas.draw()
        drawn.append(np.array(figure.canvas.buffer_rgba()))
    assert np.array_equal(*drawn)


def test_no_metric_and_no_figure_is_left_out():
    assert {name.split()[0] for name in METRICS | ON_CPU | IN_FLOAT64} >= {n for n in metrics.__all__ if n.islower()}
    assert set(FIGURES) | {"training_curves"} == {name for name in plots.__all__ if name.islower()}


@pytest.mark.parametrize(
    "name", ["midpoint", "fit-pca", "same-neighbors", "training-step", "vae-step", "reparameterize",
             "score-function-loss", "knn-accuracy", "slope-penalty", "invert-generator", "slerp"],
)  # fmt: skip
def test_exercises_are_checked_on_the_cpu(name, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    answer, seen = checks._engine.all_checks()[name].reference, set()

    def watched(*inputs):
        seen.update(one.device.type for one in inputs if isinstance(one, Tensor))
        return answer(*inputs)

    assert device.pick_device().type == DEVICE
    assert checks.accept(name, watched) is watched
    assert f"{name}: passed." in capsys.readouterr().out
    assert seen <= {"cpu", "meta"}  # meta has shapes without numbers
    assert checks.accept(name, lambda *inputs: None) is answer


def test_checks_leave_the_random_stream_of_the_device(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    expected = torch.rand(3, device=DEVICE)
    torch.manual_seed(0)
    checks.accept("reparameterize", gaussian.reparameterize)
    assert torch.equal(torch.rand(3, device=DEVICE), expected)
