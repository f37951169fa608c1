"""Recipes of the VAEs of drawn faces, for lessons 08 and 09; their cards have the disentanglement scores too."""

from functools import partial

import torch
from torch import Tensor

from course_utils.data.faces import HANDLES, FaceSet, render_faces, sample_faces, sample_handles
from course_utils.latents import encode_dataset, model_device
from course_utils.metrics.disentanglement import dci, factor_vae_score, mutual_information_gap, sap
from course_utils.models.vae import VAE
from course_utils.models.vae.conditional import ConditionalVAE
from course_utils.recipes.evaluation import evaluate
from course_utils.recipes.recipe import Recipe

FACE_BETAS = (1.0, 4.0, 16.0)
BEST_BETA = 4.0  # by MIG, SAP and FactorVAE score; of the other two models too
LATENT_DIM = 16  # three more than there are handles: room for each, and some to stay unused
CVAE_HANDLES = ("smile", "age", "glasses")  # what the conditional VAE is told, in this order
_TOLD = [list(HANDLES).index(name) for name in CVAE_HANDLES]
_NOT_TOLD = [k for k in range(len(HANDLES)) if k not in _TOLD]
_VOTES = 400
_SIZES = {"train": (2_000, 20_000), "test": (500, 2_000)}  # some, all


def face_images(split: str, full: bool, *, correlated: bool = False) -> FaceSet:
    """Faces of 32 x 32 pixels, seed 0 to train on and seed 1 to test on; the latter always with independent handles."""
    train = split == "train"
    return sample_faces(_SIZES[split][full], seed=0 if train else 1, correlated=correlated and train)


def face_condition(handles: Tensor) -> Tensor:
    """What the reference model faces_cvae is told of faces.

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
    """What `evaluate` measures, and how well single dimensions stand for single handles.

    Args:
        model: A VAE of faces.
        test: Faces with independent handles.

    Returns:
        As `evaluate`, and "mig", "sap", "dci_disentanglement", "dci_completeness", "dci_informativeness" and
        "factor_vae_score", from 400 votes (seed 0) with 64 new faces each.
    """

    def encode(handles: Tensor) -> Tensor:
        return encode_dataset(model, render_faces(handles, 32))

    score = factor_vae_score(encode, sample_handles, votes=_VOTES, generator=torch.Generator().manual_seed(0))
    scores = disentanglement(encode_dataset(model, test), test.handles)
    return evaluate(model, test) | scores | {"factor_vae_score": float(f"{score:.4g}")}


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
        As `evaluate`; the scores of `disentanglement` for the handles that the model is not told; and for each one
        that it is told "edit_mse_NAME": faces are encoded, decoded with that handle taken from another face, and
        compared with the renderer's own picture of it (mean squared error of a pixel).
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
            squared[name] += (edited - render_faces(handles, 32)).square().mean().item() * len(part)
    metrics = {term: total / len(test) for term, total in sums.items()}
    metrics |= {f"edit_mse_{name}": total / len(test) for name, total in squared.items()}
    metrics = {name: float(f"{value:.5g}") for name, value in metrics.items()}
    return metrics | disentanglement(torch.cat(codes), test.handles[:, _NOT_TOLD])


# A Gaussian likelihood: colours are no coin tosses. Its std of 0.1 is about the error of a reconstruction; beta times
# as much KL is the same as a std larger by sqrt(beta).
_OPTIONS = {"architecture": "conv", "hidden": 32, "image_shape": (3, 32, 32), "likelihood": "gaussian", "std": 0.1}
_TRAINING = {"epochs": 30, "lr": 2e-3, "precision": "auto", "data": "Drawn faces of 32 x 32 pixels"}


def _vae(beta: float) -> VAE:
    return VAE(LATENT_DIM, beta=beta, **_OPTIONS)


RECIPES = (
    *(
        Recipe(
            f"faces_vae_beta_{beta:g}",
            f"VAE of drawn faces with {LATENT_DIM} latent dimensions and beta = {beta:g}",
            partial(_vae, beta),
            images=face_images,
            measure=measure_faces,
            **_TRAINING,
        )
        for beta in FACE_BETAS
    ),
    Recipe(
        "faces_vae_correlated",
        f"VAE (beta = {BEST_BETA:g}) of faces whose light follows the smile and whose glasses follow the age",
        partial(_vae, BEST_BETA),
        images=partial(face_images, correlated=True),
        measure=measure_faces,
        **_TRAINING,
    ),
    Recipe(
        "faces_cvae",
        f"conditional VAE of drawn faces, told {', '.join(CVAE_HANDLES)}; {LATENT_DIM} latent dimensions",
        lambda: ConditionalVAE(LATENT_DIM, len(CVAE_HANDLES), beta=BEST_BETA, **_OPTIONS),
        labels=lambda images: face_condition(images.handles),
        images=face_images,
        measure=measure_conditional,
        **_TRAINING,
    ),
)
