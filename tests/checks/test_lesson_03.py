"""Right answers to the exercises of lesson 03, in other styles than the reference."""

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
import torch
import torch.nn.functional as F
from verdicts import accepts, says, verdict

from course_utils.data.corruptions import gaussian_noise


def loss_by_mse_loss(model, x, strength):
    x_noisy = torch.clip(x + torch.randn(x.shape) * strength, 0.0, 1.0)
    return F.mse_loss(model(x_noisy), x, reduction="sum") / len(x)


def loss_image_by_image(model, x, strength):
    total = 0
    for image in x:
        x_noisy = torch.normal(image, strength).clamp(0, 1)
        total = total + ((image - model(x_noisy[None])[0]) ** 2).sum()
    return total / x.shape[0]


def loss_with_numpy_noise(model, x, strength):
    eps = np.random.default_rng().normal(0, strength, size=x.shape)
    x_noisy = np.clip(x.numpy() + eps, 0, 1)
    return (model(torch.tensor(x_noisy)) - x.double()).pow(2).sum((1, 2, 3)).mean().float()


def loss_in_another_layout(model, x, strength):
    eps = torch.randn(*x.shape[1:], len(x), dtype=torch.float64).movedim(-1, 0).to(x)
    return model(x.add(eps, alpha=strength).clamp(0, 1)).sub(x).norm().square() / len(x)


def loss_with_the_lessons_noise(model, x, strength):
    x_noisy = gaussian_noise(x, strength)
    assert torch.equal(model(x_noisy), model(x_noisy))
    return (model(x_noisy) - x).square().sum() / x.size(0)


def top_k_by_ranks(z, k):
    return z * (z.argsort(dim=1, descending=True, stable=True).argsort(dim=1) < k)


def top_k_row_by_row(z, k):
    rows = []
    for code in z:
        kept = sorted(range(len(code)), key=lambda i, code=code: -code[i].item())[:k]
        rows.append(torch.stack([code[i] if i in kept else torch.zeros(()) for i in range(len(code))]))
    return torch.stack(rows)


def top_k_in_place_of_zeros(z, k):
    _, order = (-z).sort(dim=-1)
    out = z.new_zeros(z.shape)
    rows = torch.arange(len(z))[:, None]
    out[rows, order[:, :k]] = z[rows, order[:, :k]]
    return out


def auroc_by_loops(scores, positive):
    total, pairs = 0.0, 0
    for s, is_positive in zip(scores.tolist(), positive.tolist(), strict=True):
        for t, other in zip(scores.tolist(), positive.tolist(), strict=True):
            if is_positive and not other:
                total, pairs = total + (1.0 if s > t else 0.5 if s == t else 0.0), pairs + 1
    return torch.tensor(total / pairs)


def auroc_by_ranks(scores, positive):
    ranks = torch.from_numpy(scipy.stats.rankdata(scores.numpy()))[positive]
    p, n = int(positive.sum()), int((~positive).sum())
    return (ranks.sum() - p * (p + 1) / 2) / (p * n)


def auroc_by_area(scores, positive):
    values = scores.unique().flip(0)
    rates = [[(scores[kind] >= v).float().mean() for v in values] for kind in (~positive, positive)]
    fpr, tpr = (torch.tensor([0.0, *rate]) for rate in rates)
    return torch.trapezoid(tpr, fpr)


RIGHT = {
    "denoising-loss": [
        loss_by_mse_loss, loss_image_by_image, loss_with_numpy_noise, loss_in_another_layout,
        loss_with_the_lessons_noise,
    ],
    "sparsity-penalty": [
        lambda z: sum(value if value > 0 else -value for code in z for value in code) / len(z),
        lambda z: F.l1_loss(z, torch.zeros_like(z), reduction="sum") / len(z),
        lambda z: z.norm(p=1, dim=1).mean(), lambda z: (z.relu() + (-z).relu()).sum() / z.shape[0],
        lambda z: torch.einsum("bd,bd->", z.double(), z.sign().double()).float() / len(z),
    ],
    "top-k": [top_k_by_ranks, top_k_row_by_row, top_k_in_place_of_zeros,
        lambda z, k: z * F.one_hot(z.topk(k, dim=1, sorted=False).indices, z.shape[1]).sum(dim=1)],
    "auroc": [
        auroc_by_loops, auroc_by_ranks, auroc_by_area,
        lambda s, p: 0.5 + 0.5 * torch.sign(s[p].unsqueeze(1) - s[~p]).mean(),
        lambda s, p: torch.tensor(sklearn.metrics.roc_auc_score(p.numpy(), s.numpy())),
    ],
}  # fmt: skip


test_right_answers_are_accepted = accepts(RIGHT)


def paints(noise):
    """The loss with noise of another kind, drawn otherwise than the mistakes of the check draw theirs."""
    return lambda model, x, strength: loss_by_mse_loss(
        lambda _: model((x + strength * noise(x).to(x)).clamp(0, 1)), x, 0.0
    )


def antithetic(dim):
    def noise(x):
        half = torch.randn(x.shape, dtype=torch.float64).float()
        low, rest = half.split([half.shape[dim] // 2, -(half.shape[dim] // -2)], dim)
        return torch.cat([low, -low, rest[(slice(None),) * dim + (slice(low.shape[dim], None),)]], dim)

    return noise


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        *((paints(antithetic(dim)), "not independent") for dim in range(4)),
        (paints(lambda x: torch.randn(x.shape[1:]).double()), "same noise"),
        (paints(lambda x: torch.randn(x.shape[2:]).expand(x.shape)), "same noise"),
        (paints(lambda x: torch.rand(x.shape).mul(12**0.5).sub(3**0.5)), "not Gaussian"),
        (paints(lambda x: 0.5 * torch.randn(x.shape).double()), "standard deviation 0.0"),
        (lambda m, x, s: F.mse_loss(m((x + s * torch.randn(x.shape).double()).clamp(0, 1)), x.double()), "average"),
        (lambda m, x, s: loss_by_mse_loss(lambda y: m(y).detach(), x, s), "cut off from the model"),
        (lambda m, x, s: loss_by_mse_loss(m, x, s) + loss_by_mse_loss(m, x, s), "or different ones each time"),
    ],
)
def test_what_a_model_has_seen_and_its_loss_are_judged_whatever_the_draws(answer, words):
    assert words in verdict("denoising-loss", answer)


test_what_else_is_said = says(
    [
        ("denoising-loss", lambda m, x, s: loss_by_mse_loss(m, x.mul_(0.5), s), "in place"),
        ("sparsity-penalty", lambda z: z.abs_().sum(dim=1).mean(), "in place"),
        ("top-k", lambda z, k: top_k_by_ranks(z.relu_(), k), "in place"),
        ("top-k", lambda z, k: 0.5 * top_k_by_ranks(z, k) + 0.5 * top_k_by_ranks(z, k).detach(), "gradient for z"),
        ("auroc", lambda s, p: auroc_by_loops(s.copy_(s.sort().values), p), "in place"),
        ("auroc", lambda s, p: ((s[:, None] > s[~p]) & p).mean(), "the shapes of the two"),
    ]
)
