"""Right answers to the exercises of lesson 09, in other styles than the reference."""

from functools import cache

import numpy as np
import torch
from verdicts import accepts, says

from course_utils import checks
from course_utils.latents import project_out


@cache
def gap_by_loops(information, entropy):
    total = 0.0
    for k in range(len(entropy)):
        second, first = information[:, k].sort().values[-2:]
        total = total + (first - second) / entropy[k] / len(entropy)
    return total


def gap_in_numpy(information, entropy):
    ordered = np.sort(information.numpy(), axis=0)
    return torch.tensor(np.mean((ordered[-1] - ordered[-2]) / entropy.numpy()))


def gap_by_leaving_the_best_out(information, entropy):
    share = information / entropy
    best = share.argmax(dim=0, keepdim=True)
    rest = share.scatter(0, best, -torch.inf)
    return torch.mean(share.amax(0) - rest.amax(0))


def gap_of_columns(information, entropy):
    top = information.double().T.topk(2).values
    return (-top.diff(dim=1)[:, 0] / entropy).sum().div(len(entropy)).float()


def direction_by_weights(z, labels):
    return (labels / labels.sum() - (~labels) / (~labels).sum()) @ z


def direction_by_loops(z, labels):
    with_it = [code for code, label in zip(z, labels, strict=True) if label]
    without = [code for code, label in zip(z, labels, strict=True) if not label]
    return sum(with_it) / len(with_it) - sum(without) / len(without)


def direction_in_numpy(z, labels):
    codes, has = z.double().numpy(), labels.numpy()
    return torch.from_numpy(codes[has].mean(axis=0) - codes[~has].mean(axis=0))


def direction_by_least_squares(z, labels):
    inputs = torch.stack([labels.float(), torch.ones(len(z))], dim=1)
    return torch.linalg.lstsq(inputs, z).solution[0]


def direction_of_all_pairs(z, labels):
    return (z[labels == 1][:, None] - z[labels == 0][None]).flatten(0, 1).mean(0)


def edit_by_least_squares(z, direction, smile, others, amount):
    shares = torch.linalg.lstsq(others.T, direction[:, None]).solution[:, 0]
    step = direction - shares @ others
    return z + amount * step / (step @ smile)


def edit_of_the_package(z, direction, smile, others, amount):
    step = project_out(direction, others)
    return z + amount * step / (step @ smile)


def edit_by_gram_schmidt(z, direction, smile, others, amount):
    basis, step = [], direction
    for w in others:
        for b in basis:
            w = w - (w @ b) * b
        basis.append(w / w.norm())
        step = step - (step @ basis[-1]) * basis[-1]
    return torch.stack([one + step * amount / torch.dot(smile, step) for one in z])


def edit_by_the_pseudoinverse(z, direction, smile, others, amount):
    kept = others.double()
    step = direction.double() - kept.T @ torch.linalg.inv(kept @ kept.T) @ kept @ direction.double()
    return (z + torch.outer(torch.full((len(z),), amount / (smile.double() @ step)), step)).to(z.dtype)


def edit_by_svd(z, direction, smile, others, amount):
    stays = np.linalg.svd(others.numpy())[2][len(others) :]  # orthonormal rows that span what is free of the others
    step = torch.from_numpy(stays.T @ stays) @ direction
    return z + step.mul(amount).div((smile * step).sum())


RIGHT = {
    "mutual-information-gap": [gap_by_loops, gap_in_numpy, gap_by_leaving_the_best_out, gap_of_columns],
    "attribute-direction": [
        direction_by_weights, direction_by_loops, direction_in_numpy, direction_by_least_squares,
        direction_of_all_pairs,
    ],
    "controlled-edit": [
        edit_by_least_squares, edit_of_the_package, edit_by_gram_schmidt, edit_by_the_pseudoinverse, edit_by_svd,
    ],
}  # fmt: skip


test_right_answers_are_accepted = accepts(RIGHT)


def test_the_reference_edit_does_what_it_promises():
    check = checks.all_checks()["controlled-edit"]
    for inputs in check.inputs.values():
        z, direction, smile, others, amount = inputs(torch.Generator().manual_seed(5))
        moved = check.reference(z, direction, smile, others, amount) - z
        torch.testing.assert_close(moved @ smile, torch.full((len(z),), amount), rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(moved @ others.T, torch.zeros(len(z), len(others)), atol=1e-4, rtol=0)


test_what_else_is_said = says(
    [
        ("mutual-information-gap", lambda i, h: ((i.amax(1) - i.amin(1)) / h[:3]).mean(), "raises RuntimeError"),
        ("attribute-direction", lambda z, labels: direction_by_loops(z, labels).tolist(), "where a tensor"),
        ("attribute-direction", lambda z, labels: z[labels].mean(0) - z[-labels].mean(0), "~ is their opposite"),
        ("controlled-edit", lambda z, *rest: edit_by_svd(z.add_(1), *rest), "in place"),
        (
            "controlled-edit",
            lambda z, d, s, o, a: z + 2 * project_out(d, o),
            "read-out of the first code rises",
        ),
        ("controlled-edit", lambda z, d, s, o, a: edit_by_svd(z, d + s, s, o, a), "step is not along direction"),
    ]
)
