"""Observe what an answer returns together with the gradients that it sends back."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks._check import Parts


def with_gradients(fn: Callable, reference: Callable, names: Sequence[str], *inputs: Any) -> Any:
    """What fn returns, and its gradients.

    Args:
        fn: The answer.
        reference: The right answer, whose signature names the inputs.
        names: Which of the inputs the gradients are for: tensors of floats, or networks (all their parameters).
        inputs: The arguments.

    Returns:
        `Parts` with what fn returns as "" and one "gradient for NAME" each, zeros where none arrives. Of several things
        that are returned the last one's gradient is meant. Of a tensor, the gradient of a weighted sum of its numbers.
        What is no tensor of floats comes back as it is.
    """
    places = [list(inspect.signature(reference).parameters).index(name) for name in names]
    arguments, leaves = list(inputs), []
    for k in places:
        if isinstance(inputs[k], nn.Module):
            leaves.append([p.requires_grad_() for p in inputs[k].parameters()])
        else:
            leaves.append([inputs[k].detach().clone().requires_grad_()])
            arguments[k] = leaves[-1][0] * 1.0  # not a leaf, so that it may be changed in place, which is then noticed
    out = fn(*arguments)
    for k in places:
        if isinstance(inputs[k], Tensor) and not torch.equal(arguments[k], inputs[k]):
            inputs[k].data.copy_(arguments[k].detach())
    value = out[-1] if isinstance(out, (tuple, list)) and out else out
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return out
    found = [gradient(value, group) for group in leaves]
    return Parts({"": detached(out)} | {f"gradient for {name}": one for name, one in zip(names, found, strict=True)})


def gradient(value: Tensor, inputs: Sequence[Tensor]) -> Tensor:
    """The gradient of a weighted sum of value by the inputs, flat if there are several; zeros where none arrives."""
    found = [None] * len(inputs)
    if value.requires_grad:
        weights = torch.linspace(0.6, 1.4, value.numel()).reshape(value.shape) if value.ndim else torch.ones(())
        found = torch.autograd.grad(value, inputs, weights.to(value), retain_graph=True, allow_unused=True)
    full = [torch.zeros_like(one) if grad is None else grad for one, grad in zip(inputs, found, strict=True)]
    return full[0] if len(full) == 1 else torch.cat([one.flatten() for one in full])


def detached(out: Any) -> Any:
    """Tensors without their graph, also in a tuple or list."""
    if isinstance(out, (tuple, list)):
        return type(out)(map(detached, out)) if type(out) in (tuple, list) else [detached(one) for one in out]
    return out.detach() if isinstance(out, Tensor) else out
