"""Recipes of the VAEs of drawn faces for lesson 09; their cards have the disentanglement scores too."""

from functools import partial

import torch
from torch import Tensor

from course_utils.data.faces import HANDLES, FaceSet, render_faces, sample_handles
from course_utils.latents import encode_dataset, model_device
from course_utils.metrics.disentanglement import dci, factor_vae_score, mutual_information_gap, sap
from course_utils.models.vae import VAE
from course_utils.models.vae.conditional import ConditionalVAE
from course_utils.recipes.evaluation import evaluate
from course_utils.recipes.faces64 import face64_images, measure_draws, measure_vae, prior_draws, run
from course_utils.recipes.recipe import Recipe

FACE_BETAS = (1.0, 4.0, 16.0, 64.0)
BEST_BETA = 16.0  # its draws are good faces, and it keeps the smile: what lesson 09 goes on with
LATENT_DIM = 16  # three more than there are handles: room for each, and some to stay unused
CVAE_HANDLES = ("smile", "age", "glasses")  # what the conditional VAE is told, in this order
_TOLD = [list(HANDLES).index(name) for name in CVAE_HANDLES]
_NOT_TOLD = [k for k in range(len(HANDLES)) if k not in _TOLD]
_VOTES = 800


def face_condition(handles: Tensor) -> Tensor:
    """What the reference model faces64_cvae is told of faces.

    Args:
        handles: (N, K) or (K,), in the order of `faces.HANDLES`.

    Returns:
        The columns CVAE_HANDLES, (N, 3) or (3,).

    Example:
        >>> from course_utils.data.faces import default_handles
        >>> face_condition(default_handles(smile=1.0, age=0.5, glasses=1.0))
        tensor([[1.0000, 0.5000, 1.0000]])
    """
    return handles[..., _TOLD]


def measure_faces(model: VAE, test: FaceSet) -> dict[str, float]:
    """What `measure_vae` measures, and how well single dimensions stand for single handles.

    Args:
        model: A VAE of faces.
        test: Faces with independent handles.

    Returns:
        As `measure_vae` and, of draws from the prior, `measure_draws` of `course_utils.recipes.faces64`; and "mig",
        "sap", "dci_disentanglement", "dci_completeness", "dci_informativeness" and "factor_vae_score", from 800 votes
        (seed 0) with 64 new faces each.
    """

    def encode(handles: Tensor) -> Tensor:
        return encode_dataset(model, render_faces(handles, 64))

    score = factor_vae_score(encode, sample_handles, votes=_VOTES, generator=torch.Generator().manual_seed(0))
    scores = disentanglement(encode_dataset(model, test), test.handles)
    draws = measure_draws(prior_draws(model, len(test)), test)
    return measure_vae(model, test) | draws | scores | {"factor_vae_score": float(f"{score:.4g}")}


def disentanglement(codes: Tensor, handles: Tensor) -> dict[str, float]:
    """The scores of codes (N, D) for handles (N, K) that a card has: MIG, SAP and DCI."""
    result = dci(codes, handles)
    scores = {
        "mig": mutual_information_gap(codes, handles),
        "sap": sap(codes, handles),
        "dci_disentanglement": result.disentanglement,
        "dci_completeness": result.completeness,
        "dci_informativeness": result.informativeness,
    }
    return {name: float(f"{value:.4g}") for name, value in scores.items()}


@torch.no_grad()
def measure_conditional(model: ConditionalVAE, test: FaceSet) -> dict[str, float]:
    """The numbers on the card of the conditional VAE, whose condition is each face's own.

    Args:
        model: A ConditionalVAE of faces that is told CVAE_HANDLES.
        test: Faces with independent handles.

    Returns:
        As `evaluate`; as `course_utils.recipes.faces64.measure_draws`, of draws that are told the test faces'
        conditions; the scores of `disentanglement` for the handles that the model is not told; and for each one that
        it is told "edit_mse_NAME": faces are encoded, decoded with that handle taken from another face, and compared
        with the renderer's own picture of it (mean squared error of a pixel).
    """
    device, y = model_device(model), face_condition(test.handles)
    sums, codes, squared = {}, [], dict.fromkeys(CVAE_HANDLES, 0.0)
    other = test.handles.roll(1, dims=0)
    for index in torch.arange(len(test)).split(500):
        part = test[index]
        for term, value in evaluate(model.given(y[index]), part).items():
            sums[term] = sums.get(term, 0.0) + value * len(part)
        z = model.encode(part.pixels(device=device), y[index])
        codes.append(z.cpu())
        for name, k in zip(CVAE_HANDLES, _TOLD, strict=True):
            handles = part.handles.clone()
            handles[:, k] = other[index, k]
            edited = model.decode(z, face_condition(handles)).cpu()
            squared[name] += (edited - render_faces(handles, 64)).square().mean().item() * len(part)
    metrics = {term: total / len(test) for term, total in sums.items()}
    metrics |= {f"edit_mse_{name}": total / len(test) for name, total in squared.items()}
    metrics = {name: float(f"{value:.5g}") for name, value in metrics.items()}
    z = torch.randn(len(test), *model.latent_shape, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    draws = torch.cat([model.decode(*part).cpu() for part in zip(z.split(500), y.split(500), strict=True)])
    metrics |= measure_draws(draws, test)
    return metrics | disentanglement(torch.cat(codes), test.handles[:, _NOT_TOLD])


# A Gaussian likelihood: colours are no coin tosses. Beta times as much KL is the same as a std larger by sqrt(beta).
_OPTIONS = {
    "architecture": "residual", "hidden": 32, "image_shape": (3, 64, 64), "likelihood": "gaussian", "std": 0.1,
}  # fmt: skip
_TRAINING = {
    "epochs": 4, "batch_size": 32, "lr": 3e-3, "precision": "auto", "run": partial(run, loss=None),
    "needs": ("faces64_regressor",), "data": "Drawn faces of 64 x 64 pixels",
}  # fmt: skip


def _vae(beta: float) -> VAE:
    return VAE(LATENT_DIM, beta=beta, **_OPTIONS)


RECIPES = (
    *(
        Recipe(
            f"faces64_vae_beta_{beta:g}",
            f"VAE of drawn faces of 64 pixels with {LATENT_DIM} latent dimensions and beta = {beta:g}",
            partial(_vae, beta),
            images=face64_images,
            measure=measure_faces,
            **_TRAINING,
        )
        for beta in FACE_BETAS
    ),
    Recipe(
        "faces64_vae_correlated",
        f"VAE (beta = {BEST_BETA:g}) of faces whose light follows the smile and whose glasses follow the age",
        partial(_vae, BEST_BETA),
        images=partial(face64_images, correlated=True),
        measure=measure_faces,
        **_TRAINING,
    ),
    Recipe(
        "faces64_cvae",
        f"conditional VAE of drawn faces of 64 pixels, told {', '.join(CVAE_HANDLES)}; {LATENT_DIM} latent dimensions",
        lambda: ConditionalVAE(LATENT_DIM, len(CVAE_HANDLES), beta=BEST_BETA, **_OPTIONS),
        labels=lambda images: face_condition(images.handles),
        images=face64_images,
        measure=measure_conditional,
        **_TRAINING,
    ),
)
