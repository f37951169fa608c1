"""Right answers to the exercises of lesson 03, in other styles than the reference."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
import torch
import torch.nn.functional as F
from torchvision.transforms import v2
from verdicts import accepts, says, verdict

from course_utils.data.corruptions import gaussian_noise


def noise_by_alpha(x, strength):
    return torch.clip(x.add(torch.randn(x.shape) * strength.view(-1, 1, 1, 1)), 0.0, 1.0)


def noise_image_by_image(x, strength):
    rows = [torch.normal(image, s.item()) if s > 0 else image for image, s in zip(x, strength, strict=True)]
    return torch.stack(rows).clamp(min=0).clamp(max=1)


def noise_by_numpy(x, strength):
    eps = np.random.default_rng().normal(0, strength.numpy()[:, None, None, None], size=x.shape)
    return torch.tensor(np.clip(x.numpy() + eps, 0, 1))


def noise_in_another_layout(x, strength):
    eps = torch.randn(*x.shape[1:], len(x), dtype=torch.float64) * strength
    return (x + eps.movedim(-1, 0).to(x)).clamp(0, 1)


def noise_of_torchvision(x, strength):
    return torch.stack([v2.GaussianNoise(sigma=s.item())(image) for image, s in zip(x, strength, strict=True)])


def noise_of_the_package(x, strength):
    return torch.cat([gaussian_noise(one[None], s.item()) for one, s in zip(x, strength, strict=True)])


def loss_by_mse_loss(model, x, corrupt):
    return F.mse_loss(model(corrupt(x)), x, reduction="sum") / len(x)


def loss_image_by_image(model, x, corrupt):
    total = 0
    for image in x:
        total = total + ((image - model(corrupt(image[None]))[0]) ** 2).sum()
    return total / x.shape[0]


def loss_in_double(model, x, corrupt):
    return (model(corrupt(x)) - x.double()).pow(2).sum((1, 2, 3)).mean().float()


def loss_by_norm(model, x, corrupt):
    return model(corrupt(x)).sub(x).norm().square() / len(x)


def loss_by_cdist(model, x, corrupt):
    x_hat = model(corrupt(x))
    return torch.stack([torch.dist(a, b) ** 2 for a, b in zip(x_hat, x, strict=True)]).mean()


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


def at_strength(x, eps, strength):
    return torch.clamp(x + float(strength) * eps, min=0.0, max=1.0)


def noise_control_by_interactive_output(model, x, eps):
    slider = ipywidgets.FloatSlider(value=0.5, max=1.0, step=0.05, continuous_update=False)

    def draw(value):
        x_noisy = at_strength(x, eps, value)
        plt.imshow(torch.cat([x[0, 0], x_noisy[0, 0], model(x_noisy)[0, 0].detach()], dim=1))
        plt.show()

    return ipywidgets.VBox([slider, ipywidgets.interactive_output(draw, {"value": slider})])


def noise_control_by_observing(model, x, eps):
    slider, out = ipywidgets.FloatSlider(0.5, min=0, max=1), ipywidgets.Output()

    def redraw(change):
        with out, torch.no_grad():
            out.clear_output(wait=True)
            figure, axes = plt.subplots(1, 2)
            axes[0].imshow(at_strength(x, eps, change["new"]).squeeze())
            axes[1].imshow(model(at_strength(x, eps, change["new"])).squeeze())
            plt.show()

    redraw({"new": 0.5})
    slider.observe(redraw, names=["value"])
    return ipywidgets.HBox([out, slider])


def noise_control_with_the_clean_one_restored_too(model, x, eps):
    @ipywidgets.interact(strength=ipywidgets.FloatSlider(min=0, max=1, value=0.5))
    def show(strength):
        both = torch.cat([x, at_strength(x, eps, strength)])
        plt.imshow(torch.cat([*both[:, 0], *model(both).detach()[:, 0]], dim=1), cmap="gray")
        plt.show()

    return show


def noise_control_of_two_slots(model, x, eps):
    pictures = [ipywidgets.Output(), ipywidgets.Output()]
    slider = ipywidgets.FloatSlider(0.5, min=0, max=1, description="strength")

    def follow(change=None):
        x_noisy = at_strength(x, eps, slider.value)
        for out, image in zip(pictures, (x_noisy, model(x_noisy).detach()), strict=True):
            with out:
                out.clear_output(wait=True)
                plt.imshow(image[0, 0])
                plt.show()

    slider.observe(follow, "value")
    follow()
    return ipywidgets.VBox([slider, ipywidgets.HBox(pictures)])


RIGHT = {
    "noise-control": [
        noise_control_by_interactive_output, noise_control_by_observing, noise_control_of_two_slots,
        noise_control_with_the_clean_one_restored_too,
    ],
    "corruption": [
        noise_by_alpha, noise_image_by_image, noise_by_numpy, noise_in_another_layout, noise_of_torchvision,
        noise_of_the_package,
    ],
    "denoising-loss": [loss_by_mse_loss, loss_image_by_image, loss_in_double, loss_by_norm, loss_by_cdist],
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
    """Images with noise of another kind, drawn otherwise than the mistakes of the check draw theirs."""
    return lambda x, strength: (x + strength[:, None, None, None] * noise(x).to(x)).clamp(0, 1)


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
        (lambda x, s: noise_by_alpha(x, torch.where(s == 0, 0.02, s)), "strength is 0"),
    ],
)
def test_noise_is_judged_whatever_the_draws(answer, words):
    assert words in verdict("corruption", answer)


test_what_else_is_said = says(
    [
        ("corruption", lambda x, s: noise_by_alpha(x.mul_(0.5), s), "in place"),
        ("corruption", lambda x, s: noise_by_alpha(x, s)[:, 0], "shape"),
        ("denoising-loss", lambda m, x, c: loss_by_mse_loss(m, x.mul_(0.5), c), "in place"),
        ("denoising-loss", lambda m, x, c: loss_by_mse_loss(lambda y: m(y).detach(), x, c), "cut off from the model"),
        ("top-k", lambda z, k: top_k_by_ranks(z.relu_(), k), "in place"),
        ("top-k", lambda z, k: 0.5 * top_k_by_ranks(z, k) + 0.5 * top_k_by_ranks(z, k).detach(), "gradient for z"),
        ("auroc", lambda s, p: auroc_by_loops(s.copy_(s.sort().values), p), "in place"),
        ("auroc", lambda s, p: ((s[:, None] > s[~p]) & p).mean(), "the shapes of the two"),
    ]
)
