"""What a network may be told: a class or a vector for each example, the null condition, and what a model knows.

Diffusion and flows share it. The null condition, "any", is None: the class after the last, or a vector of zeros.
Lessons 12 and 14.
"""

import torch
from torch import Tensor

from course_utils.inputs import labels_of


def vectors_of(condition: Tensor, count: int, condition_dim: int) -> Tensor:
    """Conditions (B, C) as they are, after comparing their shape with what a network takes.

    Args:
        condition: Floats, one row an example.
        count: B.
        condition_dim: C.

    Raises:
        TypeError: They are no tensor of floats.
        ValueError: They have another shape.

    Example:
        >>> vectors_of(torch.zeros(2, 5), 2, 5).shape
        torch.Size([2, 5])
    """
    if not isinstance(condition, Tensor) or not condition.is_floating_point():
        kind = condition.dtype if isinstance(condition, Tensor) else type(condition).__name__
        raise TypeError(f"the condition is {kind}, but this network takes vectors of floats: give a tensor (B, C).")
    if condition.shape != (count, condition_dim):
        raise ValueError(
            f"the condition has shape {tuple(condition.shape)}, but this network takes one vector of {condition_dim} "
            f"numbers for each of the {count} examples: ({count}, {condition_dim})."
        )
    return condition


def drop_conditions(
    condition: Tensor, size: int, drop: float, *, num_classes: int = 0, generator: torch.Generator | None = None
) -> Tensor:
    """Some conditions replaced by the null condition, so that a network learns to do without: for guidance.

    Args:
        condition: Classes (B,), whole numbers; or floats (B, ...); or tokens of captions (B, T), whole numbers.
        size: B.
        drop: Share that is replaced, each with this probability.
        num_classes: Number of classes, the index of the null class; 0 for floats and tokens, whose null condition is
            zeros: tokens of zeros are the empty caption.
        generator: Source of the choice, on the condition's device; None is the global one.

    Returns:
        Conditions of the same shape, labels as int64.

    Raises:
        TypeError: They are no tensor, or labels that are no whole numbers.
        ValueError: Not one for each example, or labels of an unknown number of classes, so that there is no null class.

    Source: Ho and Salimans 2022, algorithm 1. Taught in lessons 12 and 14.

    Example:
        >>> drop_conditions(torch.tensor([2, 0, 1]), 3, 1.0, num_classes=3)
        tensor([3, 3, 3])
    """
    if not num_classes and not isinstance(condition, Tensor):
        raise TypeError(
            f"the condition is a {type(condition).__name__}: give one tensor; of captions the tokens, the first of the "
            "two that tokenize(captions) gives."
        )
    if num_classes or (condition.ndim < 2 and not condition.is_floating_point()):
        condition = labels_of(condition, size)
        if drop and not num_classes:
            raise ValueError(
                "the conditions are labels, but the number of classes is unknown, so that a label cannot be left out: "
                "say num_classes, or drop=0."
            )
    elif len(condition) != size:
        raise ValueError(f"there are {len(condition)} conditions for {size} examples: give one an example.")
    chosen = torch.empty(size, dtype=torch.float32, device=condition.device).uniform_(generator=generator) < drop
    null = torch.full_like(condition, num_classes)
    return torch.where(chosen.reshape(-1, *[1] * (condition.ndim - 1)), null, condition)


def known_condition(condition, num_classes: int, condition_dim: int) -> Tensor | None:
    """A condition as a tensor, after comparing it with what a model knows; or one clear error.

    Args:
        condition: None; a class or one an image, whole numbers; or a vector (C,) or one an image (B, C).
        num_classes: How many classes the model knows, or 0.
        condition_dim: C, or 0.

    Returns:
        None, or the tensor: () or (B,) for classes, (C,) or (B, C) for vectors.

    Raises:
        ValueError: The model knows no such condition.

    Example:
        >>> known_condition(3, num_classes=10, condition_dim=0)
        tensor(3)
    """
    if condition is None:
        return None
    known = torch.as_tensor(condition)
    if condition_dim:
        if known.ndim not in (1, 2) or known.shape[-1] != condition_dim or not known.is_floating_point():
            raise ValueError(
                f"the condition is {known.dtype} of shape {tuple(known.shape)}: give a vector ({condition_dim},) of "
                f"floats, or one an image (B, {condition_dim})."
            )
        return known
    if not num_classes:
        raise ValueError(f"label is {condition}, but this model knows no classes: leave it out.")
    whole = known.numel() and known.ndim < 2 and not known.is_floating_point()
    if not whole or known.min() < 0 or known.max() >= num_classes:
        raise ValueError(f"label is {condition}: give a whole number from 0 to {num_classes - 1}, or one an image.")
    return known


def for_each(condition: Tensor | None, x: Tensor) -> Tensor | None:
    """A condition of `known_condition` repeated for each example of x (B, ...), on its device; None stays None.

    Raises:
        ValueError: There are several conditions, but not one for each example.

    Example:
        >>> for_each(torch.tensor(3), torch.zeros(2, 5))
        tensor([3, 3])
    """
    if condition is None:
        return None
    condition = condition.to(x) if condition.is_floating_point() else condition.to(x.device).long()
    each = condition.shape[1:] if condition.ndim == 2 else condition.shape if condition.is_floating_point() else ()
    if condition.ndim > len(each) and len(condition) not in (1, len(x)):
        raise ValueError(f"there are {len(condition)} conditions for {len(x)} examples: give one, or one an example.")
    return condition.expand(len(x), *each)
