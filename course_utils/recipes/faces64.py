"""Recipes of the models of 64-pixel faces: a VAE that keeps the smile, and the network that measures what it keeps."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from course_utils import checkpoints
from course_utils.data import ImageSet
from course_utils.data.faces import HANDLES, FaceSet, describe_face, obeyed, sample_faces
from course_utils.gaussian import kl_standard_normal, reparameterize
from course_utils.inputs import as_floats
from course_utils.latents import decode_dataset, encode_dataset, model_device, model_dtype, reading
from course_utils.models.regressor import Regressor
from course_utils.models.vae import VAE
from course_utils.recipes.evaluation import evaluate, quality_beside_floor
from course_utils.recipes.recipe import Recipe
from course_utils.recipes.resumable import begun, fit_resumable, unfinished_file
from course_utils.training.parts import learning_rate

LATENT_DIM = 64
TRAINING_FACES = 40_000
_SIZES = {"train": (2_000, TRAINING_FACES), "test": (500, 2_000)}  # some, all


def face64_images(split: str, full: bool, *, correlated: bool = False) -> FaceSet:
    """Faces of 64 x 64 pixels, seed 0 to train on and seed 1 to test on; the latter always with independent handles."""
    train = split == "train"
    return sample_faces(_SIZES[split][full], seed=0 if train else 1, size=64, correlated=correlated and train)


@torch.no_grad()
def read_handles(regressor: Regressor, images: ImageSet | Tensor, batch_size: int = 250) -> Tensor:
    """The handles that a regressor reads from images.

    Args:
        regressor: The reference model faces64_regressor, or one like it; read in evaluation mode.
        images: An ImageSet, or images (N, 3, 64, 64) in [0, 1].
        batch_size: Images read at a time.

    Returns:
        (N, K) on the CPU, columns in the order of `faces.HANDLES`, each in its own unit.
    """
    device = model_device(regressor)
    with reading(regressor):
        batches = images.batches(batch_size) if isinstance(images, ImageSet) else images.split(batch_size)
        return torch.cat([regressor(x.to(device)).cpu() for x in batches])


def variance_read(read: Tensor, handles: Tensor) -> dict[str, float]:
    """Share of each handle's variance that was read, R^2.

    1 - sum_i (read_i - handle_i)^2 / sum_i (handle_i - mean)^2

    Args:
        read: What was read, (N, K).
        handles: The true handles, (N, K), columns in the order of `faces.HANDLES`.

    Returns:
        By name of the handle: 1 if all was read exactly, 0 for always saying the mean, and below 0 for worse.

    Example:
        >>> from course_utils.data.faces import sample_handles
        >>> handles = sample_handles(50)
        >>> variance_read(handles, handles)["smile"], round(variance_read(handles.mean(0), handles)["age"], 6)
        (1.0, 0.0)
    """
    wrong = (read - handles).square().sum(0) / (handles - handles.mean(0)).square().sum(0)
    return dict(zip(HANDLES, (1 - wrong).tolist(), strict=True))


def psnr(mse: float) -> float:
    """Peak signal-to-noise ratio of images in [0, 1], in dB: 10 log10(1 / mse).

    Args:
        mse: Mean squared error of a pixel, over all images together.

    Example:
        >>> round(psnr(0.001), 6)
        30.0
    """
    return -10 * math.log10(mse)


def measure_regressor(model: Regressor, test: FaceSet) -> dict[str, float]:
    """How well a regressor reads faces that it has not seen.

    Args:
        model: A Regressor of handles.
        test: Faces with independent handles.

    Returns:
        For each handle "r2_NAME", see `variance_read`, and "error_NAME", the root of the mean squared error in the
        handle's own unit.
    """
    read = read_handles(model, test)
    errors = (read - test.handles).square().mean(0).sqrt().tolist()
    metrics = {f"r2_{name}": share for name, share in variance_read(read, test.handles).items()}
    metrics |= {f"error_{name}": error for name, error in zip(HANDLES, errors, strict=True)}
    return {name: float(f"{value:.4g}") for name, value in metrics.items()}


def measure_vae(model: VAE, test: FaceSet) -> dict[str, float]:
    """What a VAE keeps of faces that it has not seen.

    The handles are read by the reference model faces64_regressor. It has no part in the VAE's training, whose loss
    compares pixels only.

    Args:
        model: A VAE of 64-pixel faces.
        test: Faces with independent handles.

    Returns:
        As `evaluate`; "psnr" in dB; and for each handle "r2_NAME", the share of its variance that is read from the
        reconstructions, see `variance_read`.
    """
    metrics = evaluate(model, test)
    read = read_handles(
        checkpoints.load_reference("faces64_regressor"), decode_dataset(model, encode_dataset(model, test))
    )
    metrics["psnr"] = psnr(metrics["test_mse"])
    metrics |= {f"r2_{name}": share for name, share in variance_read(read, test.handles).items()}
    return {name: float(f"{value:.4g}") for name, value in metrics.items()}


def distribution_gaps(read: Tensor, real: Tensor) -> dict[str, float]:
    """How far each handle's distribution among generated faces is from that among real ones.

    max_h |share of read below h - share of real below h|, the Kolmogorov-Smirnov distance

    Args:
        read: Handles read from generated faces, (N, K), columns in the order of `faces.HANDLES`.
        real: Handles read from real faces, (M, K).

    Returns:
        By name of the handle: 0 for the same distribution, 1 where the two do not overlap.

    Example:
        >>> handles = torch.rand(40, len(HANDLES))
        >>> gaps = distribution_gaps(handles, handles + 2)
        >>> distribution_gaps(handles, handles)["smile"], gaps["smile"]
        (0.0, 1.0)
    """
    at = torch.cat([read, real]).T.contiguous()  # (K, N + M): the shares change only here
    ordered = [part.T.contiguous().sort(dim=1).values for part in (read, real)]
    below = [torch.searchsorted(part, at, right=True) / part.shape[1] for part in ordered]
    return dict(zip(HANDLES, (below[0] - below[1]).abs().amax(dim=1).tolist(), strict=True))


def measure_draws(draws: Tensor, test: FaceSet) -> dict[str, float]:
    """How good generated faces are, in the features of the reference model faces64_regressor and by its handles.

    Args:
        draws: Generated faces, (N, 3, 64, 64) in [0, 1]; best as many as there are test faces.
        test: Faces with independent handles.

    Returns:
        As `quality_beside_floor`, the others being training faces; and for each handle "gap_NAME", see
        `distribution_gaps`.
    """
    regressor = checkpoints.load_reference("faces64_regressor")
    metrics = quality_beside_floor(draws, sample_faces(len(draws), seed=0, size=64), test, regressor)
    gaps = distribution_gaps(read_handles(regressor, draws), read_handles(regressor, test))
    metrics |= {f"gap_{name}": gap for name, gap in gaps.items()}
    return {name: float(f"{value:.4g}") for name, value in metrics.items()}


def handles_obeyed(
    images: Tensor, captions: Sequence[str], *, real: FaceSet | None = None, regressor: Regressor | None = None
) -> dict[str, float]:
    """Whether faces look as captions say: for each handle that a caption names, whether it is so in the picture.

    The regressor reads the handles from each image, `describe_face` puts them into words, and for every handle that the
    caption names the two must say the same. "smiling" is obeyed where what is read would be called smiling too.

    Args:
        images: Faces (N, 3, 64, 64) in [0, 1], one made from each caption.
        captions: N captions.
        real: Real faces with their captions, whose score is told beside; for the regressor errs, and a smile next to
            the end of its class is read on the wrong side of it.
        regressor: What reads the handles; by default the reference model faces64_regressor, whose card tells its error.

    Returns:
        "obeyed": the share over all handles that all captions name, 0 to 1; "obeyed_NAME" for each handle that some
        caption names; and with ``real`` the same of the real faces, with "real_" before the name.

    Raises:
        ValueError: Not one caption an image, or captions that name no handle at all.

    Taught in lesson 14.

    Example:
        >>> faces = sample_faces(20, seed=1, size=64)
        >>> handles_obeyed(faces.images / 255, faces.captions)["obeyed"] > 0.9
        True
    """
    if len(images) != len(captions):
        raise ValueError(f"there are {len(images)} images and {len(captions)} captions: give one caption an image.")
    regressor = checkpoints.load_reference("faces64_regressor") if regressor is None else regressor
    seen = [describe_face(row) for row in read_handles(regressor, images)] if len(images) else []
    counts = {handle: pair for handle, pair in obeyed(captions, seen).items() if pair[1]}
    if not counts:
        raise ValueError(f"no handle is named in {len(captions)} captions: give some such as 'smiling, glasses'.")
    right, named = map(sum, zip(*counts.values(), strict=True))
    shares = {"obeyed": right / named} | {f"obeyed_{name}": part / all_ for name, (part, all_) in counts.items()}
    if real is not None:
        beside = handles_obeyed(as_floats(real.images), real.captions, regressor=regressor)
        shares |= {f"real_{name}": share for name, share in beside.items()}
    return shares


def prior_codes(model: nn.Module, n: int) -> Tensor:
    """Codes (n, *latent_shape) from N(0, I), seed 0, where the model is: drawn on the CPU, so the same everywhere."""
    codes = torch.randn(n, *model.latent_shape, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    return codes.to(model_device(model), model_dtype(model))


def prior_draws(model: nn.Module, n: int) -> Tensor:
    """Pictures (n, C, H, W) that a model draws from its prior, seed 0."""
    return decode_dataset(model, prior_codes(model, n))


def loss_at_best_std(model: VAE, x: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
    """Negative ELBO of a VAE with a Gaussian likelihood, its std being the best one for the batch.

    n/2 log(mse) + KL, n the numbers of an image: -log p(x|z) at std^2 = mse, but for constants

    So the reconstruction counts more and more against the KL term as it gets better, and no std has to be chosen.

    Args:
        model: A VAE; its own std is not used.
        x: Images (B, C, H, W) in [0, 1].
        generator: Source of the sample of z; None uses PyTorch's global generator.

    Returns:
        {"loss", "mse", "kl"}: scalars, loss and kl in nats an image, averaged over the batch.

    Source: Rybkin, Daniilidis and Levine 2021 (arXiv:2006.13202), eq. 5.

    Example:
        >>> terms = loss_at_best_std(VAE(2), torch.rand(4, 1, 28, 28))
        >>> bool(terms["loss"] == 784 / 2 * terms["mse"].log() + terms["kl"])
        True
    """
    mu, logvar = (parameter.float() for parameter in model.posterior(x))
    x_logits = model.decode_logits(reparameterize(mu, logvar, generator))
    mse = (torch.sigmoid(x_logits.float()) - x).square().mean()
    kl = kl_standard_normal(mu, logvar).mean()
    return {"loss": x[0].numel() / 2 * mse.log() + kl, "mse": mse, "kl": kl}


def run(
    model: VAE, images: ImageSet, recipe: Recipe, *, epochs: int, device, progress: bool = False,
    loss: Callable[..., dict[str, Tensor]] | None = loss_at_best_std, fall: float = 1.0,
) -> str:  # fmt: skip
    """Train a VAE in place; what was begun and stopped goes on where it was.

    Adam, the learning rate along half a cosine.

    Every few minutes what is unfinished is saved in the learner's own folder, as checkpoints/NAME_unfinished.pt. The
    next call with the same number of images and epochs goes on from that file; at the end it is removed.

    Args:
        model: The model, on its device.
        images: Training images.
        recipe: Its recipe: name, batch_size, lr, seed, precision and labels.
        epochs: Passes over the images.
        device: Where to train.
        progress: Show a progress bar, and a line with the mean loss after each epoch.
        loss: What is minimised, as for `course_utils.training.fit`; None for the model's own loss.
        fall: Share of all steps, at the end, in which the learning rate falls along the cosine.

    Returns:
        The precision used.

    Raises:
        KeyboardInterrupt: The training was stopped; the message says where the unfinished one is.
    """
    model.to(memory_format=torch.channels_last)  # how the processor's convolutions like their memory
    batches = recipe.batches(images, device)
    steps = epochs * len(batches)
    unfinished = unfinished_file(recipe, images, epochs)
    history = fit_resumable(
        model, batches, recipe, epochs=epochs, unfinished=unfinished, progress=progress, resume=begun(unfinished),
        save_every=2, loss=loss,
        lr=partial(
            learning_rate, steps=steps, peak=recipe.lr, warm_up=min(200, steps // 10), fall=fall, shape="cosine"
        ),
    )  # fmt: skip
    model.to(memory_format=torch.contiguous_format)
    return history.precision


_DATA = {"data": "Drawn faces of 64 x 64 pixels", "images": face64_images, "precision": "auto"}


def _vae() -> VAE:
    # The std is for its cards and lessons, about the error of a pixel; the training finds its own.
    shape = {"architecture": "residual", "hidden": 32, "image_shape": (3, 64, 64)}
    return VAE(LATENT_DIM, likelihood="gaussian", std=0.02, **shape)


RECIPES = (
    Recipe(
        "faces64_regressor",
        f"reads the {len(HANDLES)} handles from drawn faces of 64 pixels; it measures what other models keep",
        lambda: Regressor([(handle.low, handle.high) for handle in HANDLES.values()]),
        epochs=3,
        batch_size=64,
        lr=2e-3,
        labels=lambda images: images.handles,
        measure=measure_regressor,
        **_DATA,
    ),
    Recipe(
        "faces64_vae",
        f"VAE of drawn faces of 64 pixels with {LATENT_DIM} latent dimensions, pixel shuffling and residual blocks",
        _vae,
        epochs=10,
        batch_size=32,
        lr=3e-3,
        run=run,
        measure=measure_vae,
        needs=("faces64_regressor",),
        **_DATA,
    ),
)
