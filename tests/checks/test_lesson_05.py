"""Right answers to the exercises of lesson 05, in other styles than the reference; and noise that is not right."""

import math
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch.distributions import Independent, Laplace, MultivariateNormal, Normal
from torch.nn import functional
from verdicts import accepts, says, verdict

from course_utils import gaussian
from course_utils.checks.lesson_05 import reparameterize as of_noise


def std(logvar):
    return torch.exp(logvar / 2)


def scaled(noise):
    """A sample with this noise, from mu."""
    return lambda mu, logvar: mu + std(logvar) * noise(mu)


def number_by_number(mu, logvar):
    rows = [[Normal(m, std(s)).rsample() for m, s in zip(*both, strict=True)] for both in zip(mu, logvar, strict=True)]
    return torch.stack([torch.stack(row) for row in rows])


def in_float64(mu, logvar):
    eps = torch.randn(mu.shape, dtype=torch.float64, device=mu.device)
    return torch.addcmul(mu.double(), std(logvar.double()), eps).float()


def by_inverse_cdf(mu):
    uniform = torch.rand(mu.shape, dtype=torch.float64, device=mu.device)
    return torch.special.ndtri(uniform.clamp(1e-9, 1 - 1e-9)).float()


def columns_first(mu):
    return torch.randn(mu.shape[::-1], device=mu.device).T


def q(mu, logvar):
    return Independent(Normal(mu, std(logvar)), 1)


def score_under_no_grad(f, mu, logvar, z, baseline=0.0):
    with torch.no_grad():
        weight = f(z) - baseline
    return torch.dot(weight, q(mu, logvar).log_prob(z.detach())) / len(z)


def score_without_constants(f, mu, logvar, z, baseline=0):
    z, weight = z.data, f(z.data).data - baseline
    log_q = (-0.5 * logvar - 0.5 * (z - mu) ** 2 * torch.exp(-logvar)).sum(-1)
    return (weight * log_q).mean() + 5.0


def score_by_loop(f, mu, logvar, z, baseline=0.0):
    weights = torch.as_tensor((f(z) - baseline).tolist())
    total = 0
    for i, weight in enumerate(weights):
        for d in range(z.shape[1]):
            total = total + weight * Normal(mu[i, d], std(logvar[i, d])).log_prob(z[i, d].detach())
    return total / len(z)


def score_in_float64(f, mu, logvar, z, baseline=0.0):
    log_q = MultivariateNormal(mu.double(), torch.diag_embed(logvar.double().exp())).log_prob(z.detach().double())
    return torch.einsum("b,b->", (f(z) - baseline).detach().double(), log_q).float() / z.shape[0]


def by_hand_in_numpy(mu, logvar, eps):
    sd, e = math.exp(float(logvar) / 2), eps.numpy()
    z = float(mu) + sd * e
    return torch.from_numpy(2 * z), torch.from_numpy(z * z * e / sd)


def by_hand_by_loop(mu, logvar, eps):
    rows = []
    for e in eps:
        z = mu + std(logvar) * e
        rows.append((2 * z, z**2 * (z - mu) / torch.exp(logvar)))
    return [torch.stack(column) for column in zip(*rows, strict=True)]


def by_hand_with_autograd(mu, logvar, eps):
    each = mu.expand(len(eps)).clone().requires_grad_()
    z = each + std(logvar) * eps
    (path,) = torch.autograd.grad((z**2).sum(), each)
    (score,) = torch.autograd.grad(Normal(each, std(logvar)).log_prob(z.detach()).sum(), each)
    return torch.stack([path, score * z.detach() ** 2])


def by_hand_in_float64(mu, logvar, eps):
    m, s, e = mu.double(), logvar.double(), eps.double()
    return 2 * m + 2 * std(s) * e, (m + std(s) * e).square() * e * torch.exp(-0.5 * s)


def ratio_in_numpy(eps, baseline=0.0):
    e = eps.double().numpy()
    score = (((1 + e) ** 2).sum(axis=1) - baseline)[:, None] * e
    return np.var(score, axis=0).sum() / np.var(2 + 2 * e, axis=0).sum()


def ratio_by_loop(eps, baseline=0.0):
    total = [0.0, 0.0]
    for d in range(eps.shape[1]):
        f = sum((1 + eps[:, k]) ** 2 for k in range(eps.shape[1]))
        total[0] += ((f - baseline) * eps[:, d]).var().item()
        total[1] += (2 * (1 + eps[:, d])).var().item()
    return total[0] / total[1]


def ratio_by_covariance(eps, baseline=0.0):
    z = eps + 1
    score = torch.einsum("n,nd->nd", z.square().sum(-1) - baseline, z - 1)
    return torch.cov(score.T).reshape(eps.shape[1], -1).trace() / torch.cov(2 * z.T).reshape(eps.shape[1], -1).trace()


def ratio_of_deviations(eps, baseline=0.0):
    score = ((eps + 1).norm(dim=1).square() - baseline).unsqueeze(1) * eps
    spread = [((g - g.mean(0)) ** 2).mean() for g in (score, 2 * (1 + eps))]
    return spread[0] / spread[1]


def mended_with_kl_divergence(vae, x, eps):
    mu, logvar = vae.posterior(x)
    x_logits = vae.decode_logits(torch.addcmul(mu, eps, std(logvar)))
    pixels = functional.logsigmoid(x_logits) * x + functional.logsigmoid(-x_logits) * (1 - x)
    return (torch.distributions.kl_divergence(Normal(mu, std(logvar)), Normal(0.0, 1.0)).sum() - pixels.sum()) / len(x)


def mended_by_package(vae, x, eps):
    mu, logvar = vae.posterior(x)
    recon = vae.negative_log_likelihood(x, mu + logvar.exp().sqrt() * eps)
    return recon.mean() + gaussian.kl_standard_normal(mu, logvar).mean()


def mended_as_found(vae, x, eps):
    mu, logvar = vae.posterior(x)
    z = eps.mul(logvar.mul(0.5).exp()).add(mu)
    recon = functional.binary_cross_entropy_with_logits(vae.decode_logits(z), x, reduction="sum") / len(x)
    return recon - 0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum() / len(x)


def mended_image_by_image(vae, x, eps):
    losses = []
    for image, noise in zip(x, eps, strict=True):
        mu, logvar = vae.posterior(image[None])
        x_hat = vae.decode(mu + std(logvar) * noise)
        recon = functional.binary_cross_entropy(x_hat, image[None], reduction="sum")
        losses.append(recon + 0.5 * (mu**2 + logvar.exp() - logvar - 1).sum())
    return sum(losses) / len(losses)


def of_kept_noise(eps, mu, logvar):
    return torch.cat([eps[:, :1] * math.exp(logvar / 2) + mu, eps[:, 1:] * math.exp(logvar / 2)], dim=1)


def two_sliders(**options):
    import ipywidgets

    return {
        "mu": ipywidgets.FloatSlider(min=-3, max=3, value=0, **options),
        "logvar": ipywidgets.FloatSlider(min=-6, max=2, value=-2, **options),
    }


def drawing(model, eps):
    def draw(mu, logvar):
        figure, axes = plt.subplots(1, len(eps))
        for ax, image in zip(axes, model.decode(of_kept_noise(eps, mu, logvar)).detach(), strict=True):
            ax.imshow(image[0], cmap="gray")
        plt.show()

    return draw


def control_by_interact(model, eps):
    import ipywidgets

    return ipywidgets.interact(drawing(model, eps), **two_sliders(step=0.05))


def control_by_interactive_output(model, eps):
    import ipywidgets

    controls = two_sliders(continuous_update=False)
    out = ipywidgets.interactive_output(drawing(model, eps), controls)
    return ipywidgets.HBox([ipywidgets.VBox(list(controls.values())), out])


def control_by_observing(model, eps):
    import ipywidgets

    controls, out = two_sliders(), ipywidgets.Output()

    def redraw(change=None):
        out.clear_output(wait=True)
        with out:
            drawing(model, eps)(controls["mu"].value, controls["logvar"].value)

    redraw()
    for one in controls.values():
        one.observe(redraw, "value")
    return ipywidgets.VBox([out, *controls.values()])


def control_that_decodes_one_by_one(model, eps):
    import ipywidgets

    def draw(mu, logvar):
        for k in range(len(eps)):
            plt.subplot(1, len(eps), k + 1)
            plt.imshow(model.decode(of_kept_noise(eps, mu, logvar)[k : k + 1]).detach()[0, 0])
        plt.show()

    return ipywidgets.interactive(draw, **two_sliders())


def slopes_by_loop(f, mu, logvar, eps, step):
    slopes = []
    for d in range(len(mu)):
        up, down = mu.clone(), mu.clone()
        up[d] += step
        down[d] -= step
        slopes.append(((f(up + std(logvar) * eps) - f(down + std(logvar) * eps)) / (2 * step)).mean().item())
    return torch.tensor(slopes, dtype=mu.dtype)


def slopes_of_shifted_samples(f, mu, logvar, eps, step):
    z = mu + eps * logvar.exp() ** 0.5
    values = [[f(z + sign * step * h).mean() for h in torch.eye(len(mu)).to(mu)] for sign in (1, -1)]
    return (torch.stack(values[0]) - torch.stack(values[1])) / (2 * step)


def slopes_in_numpy(f, mu, logvar, eps, step):
    h = step * np.stack([np.eye(len(mu)), -np.eye(len(mu))])
    moved = (mu.numpy() + h)[:, :, None] + np.exp(logvar.numpy() / 2) * eps.numpy()  # (2, D, N, D)
    values = f(torch.from_numpy(moved.reshape(-1, len(mu)))).numpy().reshape(2, len(mu), -1).mean(axis=2)
    return torch.from_numpy((values[0] - values[1]) / (2 * step))


RIGHT = {
    "reparameterize": [
        number_by_number, in_float64, lambda mu, logvar: Normal(mu, std(logvar)).rsample(),
        lambda mu, logvar: MultivariateNormal(mu, scale_tril=torch.diag_embed(std(logvar))).rsample(),
        scaled(columns_first), scaled(by_inverse_cdf),
        scaled(lambda mu: torch.from_numpy(np.random.default_rng().standard_normal(mu.shape)).to(mu)),
    ],
    "slopes-by-hand": [by_hand_in_numpy, by_hand_by_loop, by_hand_with_autograd, by_hand_in_float64],
    "score-function-loss": [score_under_no_grad, score_without_constants, score_by_loop, score_in_float64],
    "noise-ratio": [ratio_in_numpy, ratio_by_loop, ratio_by_covariance, ratio_of_deviations],
    "mend-the-loss": [mended_by_package, mended_as_found, mended_image_by_image, mended_with_kl_divergence],
    "fixed-noise-control": [control_by_interact, control_by_interactive_output, control_by_observing,
                            control_that_decodes_one_by_one],
    "finite-difference": [slopes_by_loop, slopes_of_shifted_samples, slopes_in_numpy,
                          lambda *inputs: slopes_by_loop(*inputs).requires_grad_()],
}  # fmt: skip


test_right_answers_are_accepted = accepts(RIGHT)


# ------------------------------------------------------------------------------------------------ noise of any origin

G = torch.Generator().manual_seed(7)


def normal(*shape):
    return torch.randn(shape, generator=G)


class InTurn:
    """Every second call gives the numbers of the one before, times a sign."""

    def __init__(self, sign):
        self.sign, self.last = sign, None

    def __call__(self, mu):
        fresh = self.last is None or self.last.shape != mu.shape
        noise, self.last = (normal(*mu.shape), None) if fresh else (self.sign * self.last, None)
        if fresh:
            self.last = noise
        return noise


NOISE = {
    "uniform": (lambda mu: torch.rand(mu.shape, generator=G), "No number of your noise is negative, in 6,000 draws"),
    "uniform, variance 1": (lambda mu: (torch.rand(mu.shape, generator=G) - 0.5) * 12**0.5, "of your noise are below"),
    "two values": (lambda mu: normal(*mu.shape).sign(), "repeats itself"),
    "Laplace": (lambda mu: Laplace(0.0, 0.5**0.5).sample(mu.shape) * normal(*mu.shape).sign(), "are below"),
    "not centred": (lambda mu: normal(*mu.shape) + 0.3, "too far from 0"),
    "too wide": (lambda mu: 1.07 * normal(*mu.shape), "times sigma|should be sigma"),
    "one a column": (lambda mu: normal(mu.shape[1]), "One eps serves the whole batch"),
    "one a row": (lambda mu: normal(len(mu), 1), "lie on a line"),
    "rows twice": (lambda mu: normal((len(mu) + 1) // 2, mu.shape[1]).repeat(2, 1)[: len(mu)], "stands that of"),
    "opposite calls": (InTurn(-1), "repeats itself: in call .* the opposite of"),
    "calls twice": (InTurn(1), "Two calls give the same z"),
    "partly shared by a row": (lambda mu: (normal(len(mu), 1) + normal(*mu.shape)) / 2**0.5, "means over the columns"),
    "centred over the batch": (lambda mu: (e := normal(*mu.shape)) - e.mean(), "means over the rows"),
}  # fmt: skip


@pytest.mark.parametrize(("noise", "words"), NOISE.values(), ids=NOISE)
def test_noise_that_is_not_right_is_described_as_it_was_seen(noise, words):
    said = verdict("reparameterize", scaled(lambda mu: noise(mu).to(mu.device)))
    assert said
    assert re.search(words, said), said
    assert not any(cause in said for cause in ("rand draws", "You call", "You use"))


def test_right_noise_is_refused_as_rarely_as_is_said(monkeypatch):
    """With 1 in 10,000 for each test in place of 1 in 10^9, a few of 200 samples fail one, and with 10^9 none."""
    failed = {}
    mu, logvar = of_noise.CHECK.inputs[""](G)
    for failed_at in (1e-9, 1e-4):
        monkeypatch.setattr(of_noise, "UNLIKELY", failed_at)
        failed[failed_at] = 0
        for _ in range(200):
            eps = torch.randn(of_noise.CALLS, *mu.shape, generator=G, dtype=torch.float64)
            failed[failed_at] += any(True for _ in of_noise.faults_of_noise(eps, eps * std(logvar), 0 * eps, logvar))
    assert failed[1e-9] == 0
    assert failed[1e-4] < 10


def in_place(mu, logvar):
    with torch.no_grad():
        logvar *= 0.5
    return mu + logvar.exp() * torch.randn_like(mu)


def with_gradient_through_eps(mu, logvar):
    return mu + std(logvar) * torch.randn_like(mu) + (mu - mu.detach())


def fresh_noise(f, mu, logvar, eps, step):
    return slopes_by_loop(f, mu, logvar, torch.from_numpy(np.random.default_rng().normal(size=(90, len(mu)))), step)


test_what_else_is_said = says(
    [
        ("reparameterize", in_place, "in place"),
        ("reparameterize", with_gradient_through_eps, "moves by 2 to 2 where mu moves by 1"),
        ("reparameterize", lambda mu, logvar: in_float64(mu, logvar).double(), "type float64 where mu has float32"),
        ("reparameterize", lambda mu, logvar: mu + logvar.exp() * columns_first(mu), "which is the variance"),
        ("reparameterize", lambda mu, logvar: mu + std(logvar.clamp(-5, 3)) * columns_first(mu), "is -7, no gradient"),
        ("reparameterize", lambda mu, logvar: Normal(mu, logvar.exp()).sample(), "about exp(logvar), the variance"),
        ("reparameterize", lambda mu, logvar: in_float64(mu, logvar)[:, 0], "shape (200,)"),
        ("score-function-loss", lambda *a: score_by_loop(*a) + a[0](a[3]).mean() / math.e, "loss for"),
        ("score-function-loss", lambda f, mu, logvar, z, b=0: score_by_loop(f, mu, logvar, z.data.zero_()), "in place"),
        ("score-function-loss", lambda f, mu, s, z, b=0: score_by_loop(lambda z: torch.cat([f(r[None]) for r in z]),
                                                                       mu, s, z, b), "knows a batch of 7"),
        ("slopes-by-hand", lambda *a: by_hand_by_loop(*a)[0], "where 2 values are expected"),
        ("slopes-by-hand", lambda mu, logvar, eps: (2 * mu, by_hand_by_loop(mu, logvar, eps)[1]), "number 1"),
        ("slopes-by-hand", lambda *a: (by_hand_in_numpy(*a)[0] + 1, by_hand_in_numpy(*a)[1]), "too large by 1"),
        ("noise-ratio", lambda eps, b=0.0: ratio_by_loop(eps, b) * eps.shape[1], "3 is the length of a dimension"),
        ("mend-the-loss", lambda vae, x, eps: mended_as_found(vae, x, eps.abs()), "is expected"),
        ("mend-the-loss", lambda vae, x, eps: mended_as_found(vae, x, eps).item(), "float"),
        ("finite-difference", fresh_noise, "noise of its own"),
        ("finite-difference", lambda *a: slopes_by_loop(*a).float(), "float32 though mu is float64"),
        ("finite-difference", lambda f, mu, logvar, eps, step: slopes_by_loop(f, mu.add_(step), logvar, eps, step),
         "in place"),
    ]
)  # fmt: skip
