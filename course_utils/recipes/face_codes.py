"""Recipes over codes of faces, told captions: flows, and a diffusion with the same network as one of them.

The faces are encoded once. What is learned then are the 64 numbers of faces64_vae, or the 4 x 8 x 8 of faces_kl, so a
step takes a small part of one on pictures. Lesson 14.
"""

import copy
from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor

from course_utils import checkpoints
from course_utils.data.faces import PHRASES, FaceSet, bag_of_phrases, describe_face, named_handles, sample_handles
from course_utils.device import generator_on, kept_rng
from course_utils.latents import LatentModel, decode_dataset, encode_dataset, model_device
from course_utils.metrics.samples import frechet_distance, image_features
from course_utils.models.caption import tokenize
from course_utils.models.diffusion import CodeDiffusion
from course_utils.models.flow import FlowModel, integrate, reflow_pairs, straightness
from course_utils.recipes.diffusion import kept_share
from course_utils.recipes.faces64 import (
    LATENT_DIM,
    TRAINING_FACES,
    face64_images,
    handles_obeyed,
    measure_draws,
    prior_codes,
)
from course_utils.recipes.recipe import Recipe
from course_utils.recipes.resumable import begun, fit_resumable, unfinished_file
from course_utils.training import History, RandomBatches, fit
from course_utils.training.parts import follow, learning_rate

COMPRESSOR, PLACES = "faces64_vae", "faces_kl"  # codes that are vectors, and codes that are small pictures
DROP = 0.1  # share of the captions that are left out in training
FLOW_WAYS = ((1, "euler"), (4, "euler"), (10, "euler"), (20, "euler"), (10, "heun"))
DDIM_WAYS = ((1, "ddim"), (4, "ddim"), (10, "ddim"), (20, "ddim"))
GUIDANCE = (1.5, 2.0, 4.0)
CodeModel = FlowModel | CodeDiffusion


def told(model: CodeModel, captions: list[str]) -> Tensor:
    """Captions as a model takes them: (B, P) phrases that hold, or (B, T) tokens where it reads the words.

    Args:
        model: Its ``condition_dim`` says which.
        captions: As `describe_face` makes them.

    Example:
        >>> told(FlowModel((4, 8, 8), channels=(16, 32)), ["smiling", ""]).dtype
        torch.int64
    """
    return bag_of_phrases(captions) if model.condition_dim else tokenize(captions)[0]


def _settings(model: CodeModel, average: CodeModel, noise, *, steps: int, lr: float, ema: float) -> dict:
    """What both trainings below give to the loop."""

    def loss(model, data, condition, x0=None):
        told = {} if x0 is None else {"x0": x0}
        return {"loss": model.loss_of_data(data, condition, drop=DROP, generator=noise, **told)}

    return {
        "loss": loss,
        "clip": 1.0,
        "lr": partial(learning_rate, steps=steps, peak=lr, warm_up=min(100, steps // 10), fall=1.0, shape="cosine"),
        "after_step": lambda model, step: follow(average, model, kept_share(step, ema)),
    }


def learn_codes(
    model: CodeModel, codes: Tensor, conditions: Tensor, *, x0: Tensor | None = None, steps: int = 1500,
    batch_size: int = 256, lr: float = 2e-3, precision: str = "auto", generator: torch.Generator | None = None,
    progress: bool = False,
) -> History:  # fmt: skip
    """Train a flow or a diffusion over codes in place: Adam, averaged weights at the end. About a minute as it is.

    Args:
        model: On its device. Without ``x0`` its `set_codes` is called with the codes.
        codes: Codes of the training images (N, D); with ``x0`` standardised data, as `reflow_pairs` gives them.
        conditions: What each is told, (N, C) or classes (N,); 10% are left out in training.
        x0: The noise of each, (N, D), for reflow; None draws it.
        steps: Training steps.
        batch_size: Codes a step.
        lr: Adam's learning rate at its highest; it falls along half a cosine.
        precision: As for `course_utils.training.fit`.
        generator: CPU generator of batches, times and noise; elsewhere it seeds one on the device for the latter two.
            None uses PyTorch's global ones.
        progress: Show a progress bar.

    Returns:
        The History. After Ctrl-C the model is what it has learned so far.

    Taught in lesson 14.
    """
    device = model_device(model)
    if x0 is None:
        model.set_codes(codes)
        rows = [model.standardize(codes.to(device)), conditions.to(device)]
    else:
        rows = [codes.to(device), conditions.to(device), x0.to(device)]
    average, noise = copy.deepcopy(model), generator_on(device, generator)
    history = fit(
        model,
        RandomBatches(*rows, batch_size=batch_size, steps=steps, generator=generator),
        epochs=1,
        optimizer=torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, 0.99), fused=True),
        progress=progress,
        precision=precision,
        **_settings(model, average, noise, steps=steps, lr=lr, ema=0.995),
    )
    model.load_state_dict(average.state_dict())
    model.eval()
    return history


def run(
    model: CodeModel, images: FaceSet, recipe: Recipe, *, epochs: int, device, progress: bool = False,
    compressor: str = COMPRESSOR, teacher: str | None = None,
) -> str:  # fmt: skip
    """Train over the codes of a reference compressor, in place; what was begun and stopped goes on where it was.

    For reflow they are the codes that another flow makes of the captions.

    Every few minutes what is unfinished is saved in the learner's own folder; the next call with the same number of
    images and epochs goes on from there, and at the end it is removed.

    Args:
        model: The model, on its device.
        images: Training faces with captions.
        recipe: Its recipe: name, batch_size, lr, seed and precision.
        epochs: Passes over as many codes as there are faces, drawn with replacement.
        device: Where to train.
        progress: Show a progress bar, and a line with the mean loss after each epoch.
        compressor: Its name.
        teacher: For reflow, the reference flow that the training starts from, and whose noise and codes it learns, one
            pair for each caption; None learns the codes of the faces.

    Returns:
        The precision used.

    Raises:
        KeyboardInterrupt: The training was stopped; the message says where the unfinished one is.
    """
    said = told(model, images.captions).to(device)
    if teacher is None:
        codes = encode_dataset(checkpoints.load_reference(compressor, device), images, 250)
        model.set_codes(codes)
        rows = [model.standardize(codes.to(device)), said]
    else:
        flow = checkpoints.load_reference(teacher, device)
        model.load_state_dict(flow.state_dict())
        pairs = torch.Generator(device).manual_seed(recipe.seed + 1)
        x0, x1 = reflow_pairs(flow, len(images), condition=said, steps=20, generator=pairs)
        rows = [x1, said, x0]
    noise, average = torch.Generator(device).manual_seed(recipe.seed), copy.deepcopy(model)
    batches = RandomBatches(
        *rows, batch_size=recipe.batch_size, steps=max(1, len(images) // recipe.batch_size),
        generator=torch.Generator().manual_seed(recipe.seed),
    )  # fmt: skip
    unfinished = unfinished_file(recipe, images, epochs)
    history = fit_resumable(
        model, batches, recipe, epochs=epochs, unfinished=unfinished, progress=progress, resume=begun(unfinished),
        save_every=1, keep=[average, noise],
        **_settings(model, average, noise, steps=epochs * len(batches), lr=recipe.lr, ema=0.999),
    )  # fmt: skip
    model.load_state_dict(average.state_dict())
    return history.precision


def caption_draws(
    model: CodeModel, compressor: LatentModel, said: Tensor | None, n: int, *, guidance: float = 1.0, **way
) -> Tensor:
    """Pictures that a model makes of captions, all from the same noise, seed 0.

    Args:
        model: The model, without compressor.
        compressor: The LatentModel that its codes came from.
        said: The captions as `told` gives them, n rows, or None for pictures of any.
        n: How many pictures.
        guidance: Strength of classifier-free guidance.
        way: More of ``model.given``'s: steps, and of a flow method.

    Returns:
        Pictures (n, C, H, W) in [0, 1], on the CPU.
    """
    said = None if said is None else said.to(model_device(model))
    view = model.over(compressor).given(said, guidance, **way)
    return decode_dataset(view, prior_codes(model, n), batch_size=n)


@torch.no_grad()
def held_out_loss(model: CodeModel, codes: Tensor, conditions: Tensor) -> float:
    """A model's loss on codes with their conditions, none left out: mean of ten draws of times and noise, seed 0.

    The codes are shuffled for each draw, since times can come in rising order: see `draw_times`.
    """
    device = model_device(model)
    data, conditions = model.standardize(codes.to(device)), conditions.to(device)
    with kept_rng(device):
        torch.manual_seed(0)
        orders = [torch.randperm(len(data)).to(device) for _ in range(10)]  # drawn on the CPU, the same everywhere
        losses = [model.loss_of_data(data[order], conditions[order], drop=0.0).item() for order in orders]
    return sum(losses) / len(losses)


@torch.no_grad()
def bend(model: FlowModel, said: Tensor) -> float:
    """How far a flow's paths are from straight lines of even speed, as a share of the square of their lengths.

    mean S / mean |z1 - z0|^2, S the `straightness` over 50 steps

    Args:
        model: The flow.
        said: A caption for each path, (N, P) or (N, T); their noise has seed 0.

    Returns:
        0 for straight paths.
    """
    noise, view = prior_codes(model, len(said)), model.given(said.to(model_device(model)))
    ends = integrate(view.velocity, noise, steps=50)
    return (
        straightness(view.velocity, noise, steps=50).mean() / (ends - noise).square().flatten(1).sum(1).mean()
    ).item()


def new_captions(n: int) -> list[str]:
    """Captions of other faces than those that are trained on and those that are compared with; these are never drawn.

    The faces are new, but most of these captions also belong to some face that is trained on. With the captions of
    the very faces that pictures are compared with, the two sets would have the same share of smiles, and their Frechet
    distance would be smaller than that between two sets of real faces can be.

    Args:
        n: How many.

    Returns:
        As `describe_face` makes them, of random handles, seed 2.

    Example:
        >>> new_captions(1)[0].startswith("a")
        True
    """
    return [describe_face(row) for row in sample_handles(n, generator=torch.Generator().manual_seed(2))]


@cache
def _combinations() -> frozenset[frozenset]:
    """What the captions of all training faces say, each as pairs of a handle and its phrase."""
    handles = sample_handles(TRAINING_FACES, generator=torch.Generator().manual_seed(0))
    return frozenset(frozenset(named_handles(describe_face(row)).items()) for row in handles)


def is_combination_of_training(caption: str) -> bool:
    """Whether the caption of some training face says the same, in whatever order.

    Args:
        caption: As `describe_face` makes it.

    Example:
        >>> is_combination_of_training("a person with red hair"), is_combination_of_training("eyes closed, eyes closed")
        (True, False)
    """
    return frozenset(named_handles(caption).items()) in _combinations()


def measure(model: CodeModel, test: FaceSet, compressor: str = COMPRESSOR) -> dict[str, float]:
    """How good pictures of captions are, at several numbers of steps and strengths of guidance.

    All are made of `new_captions` and compared with the test faces, in the features of the reference model
    faces64_regressor; it has no part in the training.

    Args:
        model: A flow or a diffusion over the compressor's codes, told captions.
        test: Faces with independent handles.
        compressor: Its name.

    Returns:
        At the model's own way what `measure_draws` says, with the "floor_" of real faces; "frechet_METHOD_STEPS" of
        several ways; "frechet_guidance_G" at guidance G, and "frechet_without_captions"; "reconstruction_frechet",
        below which these codes hardly allow to come; "obeyed_G" and "obeyed_real", see `handles_obeyed`, and
        "obeyed_1.5_unseen", of those captions that no training face has; "train_loss"
        and "test_loss", both with captions and with noise drawn anew; and of a flow "bend".
    """
    regressor = checkpoints.load_reference("faces64_regressor")
    decoder = checkpoints.load_reference(compressor, model_device(model))
    n, real, captions = len(test), image_features(test, regressor), new_captions(len(test))
    said, flow = told(model, captions), isinstance(model, FlowModel)

    def distance(pictures: Tensor) -> float:
        return frechet_distance(image_features(pictures, regressor), real)

    pictures = caption_draws(model, decoder, said, n)
    obeyed = handles_obeyed(pictures, captions, real=test, regressor=regressor)
    metrics = measure_draws(pictures, test)
    metrics |= {"obeyed_real": obeyed["real_obeyed"], "obeyed_1": obeyed["obeyed"]}
    for steps, method in FLOW_WAYS if flow else DDIM_WAYS:
        own = (steps, method) == (model.steps, model.method if flow else "ddim")
        way = {"steps": steps} | ({"method": method} if flow else {})
        metrics[f"frechet_{method}_{steps}"] = (
            metrics["frechet"] if own else distance(caption_draws(model, decoder, said, n, **way))
        )
    unseen = [k for k, caption in enumerate(captions) if not is_combination_of_training(caption)]
    for guidance in GUIDANCE:
        pictures = caption_draws(model, decoder, said, n, guidance=guidance)
        metrics[f"obeyed_{guidance:g}"] = handles_obeyed(pictures, captions, regressor=regressor)["obeyed"]
        metrics[f"frechet_guidance_{guidance:g}"] = distance(pictures)
        if guidance == GUIDANCE[0]:
            some = pictures[unseen], [captions[k] for k in unseen]
            metrics[f"obeyed_{guidance:g}_unseen"] = handles_obeyed(*some, regressor=regressor)["obeyed"]
    metrics["frechet_without_captions"] = distance(caption_draws(model, decoder, None, n))
    codes = encode_dataset(decoder, test, 250)
    metrics["reconstruction_frechet"] = distance(decode_dataset(decoder, codes, 250))
    train = face64_images("train", False)
    metrics["train_loss"] = held_out_loss(model, encode_dataset(decoder, train, 250), told(model, train.captions))
    metrics["test_loss"] = held_out_loss(model, codes, told(model, test.captions))
    if flow:
        metrics["bend"] = bend(model, said)
    return {name: float(f"{value:.4g}") for name, value in metrics.items()}


def _recipe(
    name: str, what: str, build: Callable[[], CodeModel], *, teacher: str | None = None, compressor: str = COMPRESSOR,
    batch_size: int = 256, lr: float = 2e-3,
) -> Recipe:  # fmt: skip
    return Recipe(
        name, what, build, epochs=30, batch_size=batch_size, lr=lr, precision="auto", images=face64_images,
        data=f"Codes of {compressor} and captions of drawn faces of 64 x 64 pixels",
        run=partial(run, compressor=compressor, teacher=teacher), measure=partial(measure, compressor=compressor),
        needs=(compressor, "faces64_regressor", *([] if teacher is None else [teacher])),
    )  # fmt: skip


_NETWORK = {"condition_dim": len(PHRASES), "hidden": 256, "blocks": 3}
RECIPES = (
    _recipe(
        "faces_flow",
        "flow matching over the 64 numbers of a code of faces64_vae, told captions as a bag of phrases",
        lambda: FlowModel(LATENT_DIM, times="logit_normal", **_NETWORK),
    ),
    _recipe(
        "faces_v_diffusion",
        "diffusion with velocity prediction over the codes of faces64_vae, the network and captions of faces_flow",
        lambda: CodeDiffusion(LATENT_DIM, **_NETWORK),
    ),
    _recipe(
        "faces_reflow",
        "faces_flow trained on, by reflow, on its own pairs of noise and codes, so that fewer steps do",
        lambda: FlowModel(LATENT_DIM, times="uniform", **_NETWORK),
        teacher="faces_flow",
    ),
    _recipe(
        "faces_kl_flow",
        "flow matching over the 4 x 8 x 8 codes of faces_kl, a UNet that reads the words of captions",
        lambda: FlowModel((4, 8, 8), times="logit_normal"),
        compressor=PLACES,
        batch_size=64,
        lr=1e-3,
    ),
)
