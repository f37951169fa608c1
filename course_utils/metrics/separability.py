"""Whether attributes of images are separated by planes in a latent space."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from course_utils.inputs import as_tensor, numbers


class Separability(NamedTuple):
    """What a plane in a latent space leaves unknown of each attribute.

    Attributes:
        score: exp of the sum of the entropies: 1 if planes tell all attributes, 2^K if they tell nothing of K.
        entropies: H(Y|X) of each attribute in nats, (K,), 0 to log 2.
    """

    score: float
    entropies: Tensor


def linear_separability(codes: Tensor, attributes: Tensor, *, generator: torch.Generator | None = None) -> Separability:
    """How well planes in a latent space tell attributes of the images: the conditional entropy that they leave.

    score = exp(sum_k H(Y_k | X_k)),  Y_k the attribute, X_k on which side of its plane a code lies

    For an attribute that is measured as a number, Y says whether it is in the highest or in the lowest quarter; the
    images between, which one could call either, are left out. Where there are only two numbers, such as 0 and 1, Y says
    whether it is the larger one, and no image is left out. For each attribute a linear support vector machine finds
    the plane from a random half of the codes, and the entropy is measured on the other half: Karras et al. measure on
    the codes that the plane was fitted to, where many dimensions look better than they are.

    Args:
        codes: (N, D); those of w, or those of z, of the same images.
        attributes: (N, K): bool, as they are; or numbers, such as handles that a regressor reads from the images.
        generator: Of the halves, on the CPU; None uses PyTorch's global generator.

    Returns:
        Separability(score, entropies).

    Raises:
        ValueError: Shapes that do not match, values that are not finite, or an attribute of which a half has too few
            examples of one kind, fewer than 2; or one of whose numbers all are the same, or so many that the highest
            and the lowest quarter share one.

    Source: Karras et al. 2019 (arXiv:1812.04948), sec. 4.2. Taught in lesson 11.

    Example:
        >>> codes = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
        >>> told = linear_separability(codes, codes[:, :1] + codes[:, 1:2], generator=torch.Generator().manual_seed(0))
        >>> round(told.score, 3)
        1.0
    """
    codes, attributes = numbers(codes, "codes"), as_tensor(attributes, "attributes")
    if attributes.dtype != torch.bool:
        attributes = numbers(attributes, "attributes")
    if codes.ndim != 2 or attributes.ndim != 2 or len(codes) != len(attributes) or 0 in attributes.shape:
        raise ValueError(
            f"codes have shape {tuple(codes.shape)} and attributes {tuple(attributes.shape)}: give (N, D) and (N, K), "
            "one row of each for every image."
        )
    codes, attributes = codes.detach().cpu().double(), attributes.detach().cpu()
    codes = (codes - codes.mean(dim=0)) / codes.std(dim=0).clamp(min=1e-12)  # the machine's penalty sees equal units
    fitted = torch.zeros(len(codes), dtype=torch.bool)
    fitted[torch.randperm(len(codes), generator=generator)[: len(codes) // 2]] = True
    entropies = []
    for index, attribute in enumerate(attributes.T):
        label, clear = _labels(attribute, index)
        for half in (fitted, ~fitted):
            kinds = label[half & clear].long().bincount(minlength=2).tolist()
            if min(kinds) < 2:
                raise ValueError(
                    f"attribute {index} has {kinds[0]} and {kinds[1]} clear examples of its two kinds in a half of the "
                    "codes: give more images, or leave out what hardly varies."
                )
        side = _sides(codes[fitted & clear], label[fitted & clear], codes[~fitted & clear])
        entropies.append(conditional_entropy(label[~fitted & clear], side))
    return Separability(math.exp(sum(entropies)), torch.tensor(entropies, dtype=torch.float64))


def conditional_entropy(y: Tensor, x: Tensor) -> float:
    """H(Y|X) of two yes-or-no variables in nats, from how often they occur together.

    -sum_xy p(x, y) log p(y | x)

    Args:
        y: bool, (N,).
        x: bool, (N,).

    Returns:
        0, if X says Y, to log 2.

    Example:
        >>> y = torch.tensor([True, True, False, False])
        >>> conditional_entropy(y, ~y), round(conditional_entropy(y, torch.tensor([True, False, True, False])), 4)
        (0.0, 0.6931)
    """
    x, y = x.cpu(), y.cpu()
    joint = torch.stack([(x == a) & (y == b) for a in (False, True) for b in (False, True)]).double().mean(dim=1)
    joint = joint.view(2, 2)  # p(x, y)
    return (torch.special.entr(joint).sum() - torch.special.entr(joint.sum(dim=1)).sum()).clamp(min=0).item()


def _labels(attribute: Tensor, index: int) -> tuple[Tensor, Tensor]:
    """Yes or no for each image, (N,), and whether it is clearly one of them."""
    if attribute.dtype == torch.bool:
        return attribute, torch.ones_like(attribute)
    values, quarter = attribute.sort().values, len(attribute) // 4
    if values[0] == values[-1]:
        raise ValueError(f"attribute {index} is {values[0].item():g} in all images: leave it out.")
    if len(values.unique_consecutive()) == 2:
        return attribute == values[-1], torch.ones_like(attribute, dtype=torch.bool)
    if quarter and values[quarter - 1] == values[-quarter]:
        raise ValueError(
            f"attribute {index} is {values[quarter].item():g} in so many images that its highest and its lowest "
            "quarter share this value: give it as bool, for example attribute > 0."
        )
    rank = attribute.argsort(stable=True).argsort(stable=True)
    return rank >= len(attribute) - quarter, (rank < quarter) | (rank >= len(attribute) - quarter)


def _sides(codes: Tensor, label: Tensor, others: Tensor) -> Tensor:
    """On which side of the plane fitted to labelled codes other codes lie, bool."""
    from sklearn.svm import LinearSVC

    machine = LinearSVC(dual=False).fit(codes.numpy(), label.numpy())
    return torch.from_numpy(machine.predict(others.numpy()))
