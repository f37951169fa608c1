"""Recipes of the compressors of drawn faces, over whose codes the models of lesson 14 generate."""

import torch
from torch import Tensor

from course_utils import checkpoints
from course_utils.data.faces import FaceSet, sample_faces
from course_utils.gaussian import kl_standard_normal, reparameterize
from course_utils.latents import decode_dataset, encode_dataset, model_device, reading
from course_utils.models.autoencoder_kl import AutoencoderKL
from course_utils.recipes import faces64
from course_utils.recipes.evaluation import evaluate, quality_beside_floor
from course_utils.recipes.recipe import Recipe

BETA = 0.02  # nearly silent: it keeps the codes near the origin, and their noise small


def nearly_silent_loss(
    model: AutoencoderKL, x: Tensor, generator: torch.Generator | None = None, *, beta: float = BETA
) -> dict[str, Tensor]:
    """Loss of a compressor: a Gaussian likelihood at its best std, and a small share of the KL term.

    n/2 log(mse) + beta * KL, n the numbers of an image

    As `course_utils.recipes.faces64.loss_at_best_std`, but for the weight and for a decoder without a sigmoid.

    Args:
        model: An AutoencoderKL.
        x: Images (B, C, H, W) in [0, 1].
        generator: Source of the sample of z; None uses PyTorch's global generator.
        beta: Of the KL term.

    Returns:
        {"loss", "mse", "kl"}: scalars, loss and kl in nats an image, averaged over the batch.

    Source: Rombach et al. 2022, app. G, for the weight; Rybkin et al. 2021 (arXiv:2006.13202), eq. 5, for the std.

    Example:
        >>> model = AutoencoderKL(block_out_channels=(8, 16), norm_num_groups=4)
        >>> terms = nearly_silent_loss(model, torch.rand(4, 3, 32, 32))
        >>> bool(terms["loss"] == 3072 / 2 * terms["mse"].log() + 0.02 * terms["kl"])
        True
    """
    mu, logvar = (parameter.float() for parameter in model.posterior(x))
    x_hat = model.restore(reparameterize(mu, logvar, generator)).float()
    mse = (x_hat - x).square().mean()
    kl = kl_standard_normal(mu.flatten(1), logvar.flatten(1)).mean()
    return {"loss": x[0].numel() / 2 * mse.log() + beta * kl, "mse": mse, "kl": kl}


def run(model: AutoencoderKL, images: FaceSet, recipe: Recipe, **options) -> str:
    """Train a compressor in place, as `course_utils.recipes.faces64.run`, and choose its scaling_factor.

    The learning rate stays at its peak for six tenths of the steps and falls in the rest.

    Args:
        model: The model, on its device.
        images: Training images.
        recipe: Its recipe.
        **options: epochs, device and progress.

    Returns:
        The precision used.

    Raises:
        KeyboardInterrupt: The training was stopped; the message says where the unfinished one is.
    """
    precision = faces64.run(model, images, recipe, loss=nearly_silent_loss, fall=0.4, **options)
    model.set_scale(encode_dataset(model, images) / model.scaling_factor + model.shift_factor)
    return precision


@torch.no_grad()
def measure(model: AutoencoderKL, test: FaceSet) -> dict[str, float]:
    """What a compressor keeps of faces that it has not seen, read by the reference model faces64_regressor.

    Args:
        model: An AutoencoderKL of 64-pixel faces.
        test: Faces with independent handles.

    Returns:
        "test_mse" as `evaluate`; "psnr" in dB; "test_kl" in nats an image; for each handle "r2_NAME", the share of its
        variance that is read from the reconstructions; and how good these are as pictures, as `quality_beside_floor`
        has it, the others being training faces.
    """
    regressor, device = checkpoints.load_reference("faces64_regressor"), model_device(model)
    metrics = evaluate(model, test)
    restored = decode_dataset(model, encode_dataset(model, test))
    with reading(model):
        posteriors = (model.posterior(x) for x in test.batches(250, device=device))
        kl = torch.cat([kl_standard_normal(mu.flatten(1), logvar.flatten(1)) for mu, logvar in posteriors])
    metrics |= {"psnr": faces64.psnr(metrics["test_mse"]), "test_kl": kl.mean().item()}
    shares = faces64.variance_read(faces64.read_handles(regressor, restored), test.handles)
    metrics |= {f"r2_{name}": share for name, share in shares.items()}
    metrics |= quality_beside_floor(restored, sample_faces(len(test), seed=0, size=64), test, regressor)
    return {name: float(f"{value:.4g}") for name, value in metrics.items()}


def _faces_kl() -> AutoencoderKL:
    return AutoencoderKL(
        in_channels=12, out_channels=12, patch_size=2, block_out_channels=(16, 32, 64), norm_num_groups=8,
        sample_size=64, scaling_factor=1.0,
    )  # fmt: skip


RECIPES = (
    Recipe(
        "faces_kl",
        "autoencoder with diffusers' names and a nearly silent KL term: faces of 64 pixels as codes of 4 x 8 x 8",
        _faces_kl,
        epochs=5,
        batch_size=16,
        lr=2e-3,
        precision="auto",
        data="Drawn faces of 64 x 64 pixels",
        images=faces64.face64_images,
        run=run,
        measure=measure,
        needs=("faces64_regressor",),
    ),
)
