"""Exercises of lesson 03: denoising loss, sparsity penalty, top-k, AUROC."""

import torch
from torch import Tensor

from course_utils.checks._engine import Check, Mistake, difference
from course_utils.metrics import auroc

# The denoising loss. The model of the check is a fixed function that mixes neighbouring pixels.


def _model(x: Tensor) -> Tensor:
    return torch.sigmoid(1.5 * x - x.roll(1, dims=-1) + 0.5 * x.roll(1, dims=-2))


def _noisy(x: Tensor, strength: float) -> Tensor:
    return (x + strength * torch.randn_like(x)).clamp(0, 1)


def _error(x_hat: Tensor, x: Tensor) -> Tensor:
    return (x_hat - x).square().flatten(1).sum(dim=1).mean()


def denoising_loss(model, x: Tensor, strength: float) -> Tensor:
    """Squared error of the restoration against the clean image."""
    return _error(model(_noisy(x, strength)), x)


def _noisy_target(model, x, strength):
    x_noisy = _noisy(x, strength)
    return _error(model(x_noisy), x_noisy)


def _two_noises(model, x, strength):
    return _error(model(_noisy(x, strength)), _noisy(x, strength))


def _not_clipped(model, x, strength):
    return _error(model(x + strength * torch.randn_like(x)), x)


def _one_noise_for_all(model, x, strength):
    return _error(model((x + strength * torch.randn_like(x[0])).clamp(0, 1)), x)


def _clean_input(model, x, strength):
    return _error(model(x), x)


def _noise_against_clean(model, x, strength):
    return _error(_noisy(x, strength), x)


def _uniform(model, x, strength):
    return _error(model((x + strength * torch.rand_like(x)).clamp(0, 1)), x)


def _mean_over_pixels(model, x, strength):
    return (model(_noisy(x, strength)) - x).square().mean()


def _sum_over_batch(model, x, strength):
    return (model(_noisy(x, strength)) - x).square().sum()


# The sparsity penalty.


def sparsity_penalty(z: Tensor) -> Tensor:
    """L1 norm of each code, averaged over the batch."""
    return z.abs().sum(dim=1).mean()


# Top-k.


def keep_top_k(z: Tensor, k: int) -> Tensor:
    """The k largest numbers of each code at their places, zeros elsewhere."""
    largest = z.topk(k, dim=1)
    return torch.zeros_like(z).scatter(1, largest.indices, largest.values)


def _across_the_batch(z, k):
    largest = z.topk(k, dim=0)
    return torch.zeros_like(z).scatter(0, largest.indices, largest.values)


def _of_everything(z, k):
    flat = z.flatten()
    largest = flat.topk(k * len(z))
    return torch.zeros_like(flat).scatter(0, largest.indices, largest.values).reshape(z.shape)


def _smallest(z, k):
    smallest = z.topk(k, dim=1, largest=False)
    return torch.zeros_like(z).scatter(1, smallest.indices, smallest.values)


def _at_the_front(z, k):
    values = z.topk(k, dim=1).values
    return torch.cat([values, torch.zeros_like(z[:, k:])], dim=1)


def _compare_top_k(out, expected, z, k):
    fault = difference(out, expected)
    if fault is None and not out.requires_grad:
        return "The values are right, but no gradient can flow back through them to z."
    return fault


# AUROC.


def auroc_by_pairs(scores: Tensor, positive: Tensor) -> Tensor:
    """Share of (positive, negative) pairs in the right order, ties counted half."""
    return torch.tensor(auroc(scores, positive))


def _compare_auroc(out, expected, *inputs):
    return difference(torch.tensor(out) if isinstance(out, float) else out, expected)


def _pairs(scores, positive):
    return scores[positive][:, None], scores[~positive][None, :]


def _reversed(scores, positive):
    return auroc_by_pairs(-scores, positive)


def _ties_lose(scores, positive):
    high, low = _pairs(scores, positive)
    return (high > low).float().mean()


def _ties_win(scores, positive):
    high, low = _pairs(scores, positive)
    return (high >= low).float().mean()


def _all_pairs(scores, positive):
    a, b = scores[:, None], scores[None, :]
    return ((a > b) + 0.5 * (a == b)).mean()


def _accuracy(threshold):
    return lambda scores, positive: ((scores > threshold(scores)) == positive).float().mean()


def _cases(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """23 scores in whole numbers, so that there are ties, the positives somewhat higher."""
    positive = torch.zeros(23, dtype=torch.bool)
    positive[torch.randperm(23, generator=g)[:7]] = True
    return (1.5 * torch.randn(23, generator=g) + 1.2 * positive).round(), positive


_ACCURACY = (
    "That is an accuracy at one threshold. AUROC uses none: it asks about pairs. Over all pairs of one positive and "
    "one negative, how often does the positive score higher?"
)

CHECKS = [
    Check(
        name="denoising-loss",
        lesson="03",
        reference=denoising_loss,
        make_inputs=lambda g: (_model, torch.rand(5, 1, 4, 6, generator=g), 0.6),
        mistakes=[
            Mistake(
                _noisy_target,
                "You compare the restoration with the NOISY image, so the best the network can do is to copy the "
                "noise. Which image should it be rewarded for producing?",
            ),
            Mistake(
                _two_noises,
                "Your target is damaged too. Only the input of the network is corrupted: what do you have at hand "
                "that is clean?",
            ),
            Mistake(
                _not_clipped,
                "Your noisy images leave [0, 1]. A pixel cannot be darker than black: which method of a tensor "
                "keeps values between 0 and 1?",
            ),
            Mistake(
                _one_noise_for_all,
                "Every image of your batch gets the same noise, so the network could learn that one pattern by heart. "
                "What shape must eps have?",
            ),
            Mistake(_clean_input, "Nothing is corrupted: the network sees the clean x. Where does x_noisy go?"),
            Mistake(_noise_against_clean, "The model is not used: you measured the noise itself. Where is x_hat?"),
            Mistake(
                _uniform,
                "Your noise is uniform on [0, 1] and can only brighten. Which function draws from N(0, 1)?",
            ),
            Mistake(
                _mean_over_pixels,
                "You average over pixels. The course sums over the pixels of an image and averages over the batch: "
                "by which factor does your loss differ?",
            ),
            Mistake(
                _sum_over_batch,
                "You sum over the batch as well, so the loss grows with the batch size. Which sum should be a mean?",
            ),
        ],
    ),
    Check(
        name="sparsity-penalty",
        lesson="03",
        reference=sparsity_penalty,
        make_inputs=lambda g: (torch.randn(5, 8, generator=g),),
        mistakes=[
            Mistake(
                lambda z: z.abs().mean(),
                "You average over the units too, so the penalty weakens as the code grows longer. Over which "
                "dimension must you sum?",
            ),
            Mistake(
                lambda z: z.abs().sum(),
                "You sum over the batch, so the penalty grows with the batch size. Which dimension is averaged?",
            ),
            Mistake(
                lambda z: z.sum(dim=1).mean(),
                "Negative numbers lower your penalty, so the cheapest code is hugely negative. What is the size of a "
                "number, whatever its sign?",
            ),
            Mistake(
                lambda z: z.square().sum(dim=1).mean(),
                "You penalise squares. The pull of a square fades near zero, so codes become small but not zero: "
                "which function keeps pulling equally hard all the way?",
            ),
            Mistake(
                lambda z: z.norm(dim=1).mean(),
                "That is the length of the code (the L2 norm). It shrinks a code as a whole and zeroes no single "
                "unit. Which norm adds up absolute values?",
            ),
            Mistake(
                lambda z: (z != 0).float().sum(dim=1).mean(),
                "You count the active units. That is the aim, but its gradient is zero, so nothing can be learned "
                "from it. Which function has a slope everywhere except at zero?",
            ),
            Mistake(
                lambda z: z.abs().sum(dim=1),
                "You return one number for each code. One step needs one number: the mean over the batch.",
            ),
        ],
    ),
    Check(
        name="top-k",
        lesson="03",
        reference=keep_top_k,
        make_inputs=lambda g: (torch.randn(5, 9, generator=g).requires_grad_(), 3),
        compare=_compare_top_k,
        mistakes=[
            Mistake(
                _across_the_batch,
                "You keep the k largest in each COLUMN: units compete across images, and some images keep nothing. "
                "Along which dimension lie the units of one code?",
            ),
            Mistake(
                _of_everything,
                "You keep the largest numbers of the whole batch, so one strong image takes the places of others. "
                "Should the code of an image depend on its neighbours in the batch?",
            ),
            Mistake(_smallest, "You keep the k smallest. What does topk's argument `largest` say?"),
            Mistake(
                lambda z, k: z.topk(k, dim=1).values,
                "You return the k values without their places, and the decoder could not tell which units they "
                "belong to. topk also returns `indices`: where should each value go?",
            ),
            Mistake(
                _at_the_front,
                "You moved the values to the front of the code. A unit means something only at its own place: which "
                "function writes values at given indices?",
            ),
            Mistake(
                lambda z, k: torch.zeros_like(z).scatter(1, z.topk(k, dim=1).indices, 1.0),
                "You return ones: which units are active, but not how strongly. Write the values at those places.",
            ),
            Mistake(
                lambda z, k: z * (z > z.topk(k, dim=1).values[:, -1:]),
                "Your codes keep k - 1 units. Should the k-th largest itself stay?",
            ),
            Mistake(
                lambda z, k: keep_top_k(z.detach(), k),
                "The values are right, but they are cut off from z, so the encoder would never learn. Look for "
                "detach, .data, no_grad, .item() or .tolist().",
            ),
        ],
    ),
    Check(
        name="auroc",
        lesson="03",
        reference=auroc_by_pairs,
        make_inputs=_cases,
        compare=_compare_auroc,
        mistakes=[
            Mistake(
                _reversed,
                "You get 1 minus the right value: either the pairs are compared the wrong way round, or positives and "
                "negatives are swapped. Which of the two should score higher?",
            ),
            Mistake(
                _ties_lose,
                "You count ties as losses. A score that is the same for all cases would get 0 instead of 0.5: how "
                "much should a tie count?",
            ),
            Mistake(
                _ties_win,
                "You count ties as wins. A score that is the same for all cases would get 1 and look perfect: how "
                "much should a tie count?",
            ),
            Mistake(
                _all_pairs,
                "You compare every case with every other and always get 0.5. Only pairs of one positive and one "
                "negative count: which rows and which columns do you need?",
            ),
            *(Mistake(_accuracy(t), _ACCURACY) for t in (Tensor.mean, Tensor.median, lambda s: 0.5, lambda s: 0.0)),
        ],
    ),
]
