"""The headline claims of lesson 05, the reparameterization trick, under stress: `course claims 05`."""

import torch

from course_utils.claims import Claim, grid
from course_utils.data import fashion_mnist
from course_utils.gaussian import kl_standard_normal, log_prob_gaussian, reparameterize
from course_utils.models.vae import VAE

FIVE, THREE = (0, 1, 2, 3, 4), (0, 1, 2)  # seeds
GROUP = 16  # draws of one code that serve each other as baselines
IMAGES, DRAWS = 40, 1024  # test images and draws of a code in `real_decoder`


def total_variance(estimates):
    """Variance of estimates (N, D), summed over the coordinates."""
    return estimates.var(dim=0).sum()


def leave_one_out(f, score, group=GROUP):
    """Score-function estimates, one a group of draws; each draw's baseline is the mean of f over the others."""
    f = f.reshape(-1, group, 1)
    others = (f.sum(dim=1, keepdim=True) - f) / (group - 1)
    return ((f - others) * score.reshape(-1, group, score.shape[1])).mean(dim=1)


def noise_by_dimension(*, seed, draws, d):
    """Variances of both estimators of the gradient of E|z|^2 for mu, at mu = 1, sigma = 1, over the pathwise one's.

    Each rival is charged for its evaluations of f: the variance of one estimate times the evaluations that it took.
    """
    eps = torch.randn(draws, d, dtype=torch.float64)
    z, other = 1 + eps, 1 - eps
    f, f_other = z.square().sum(dim=1), other.square().sum(dim=1)
    path = 2 * z
    each = {
        "plain": f[:, None] * eps,
        "baseline": (f - 2 * d)[:, None] * eps,
        "best_constant": (f - 2 * d - 2)[:, None] * eps,
        "apart": z.square() * eps,
        "apart_baseline": (z.square() - 4) * eps,
    }
    numbers = {name: total_variance(estimates) / total_variance(path) for name, estimates in each.items()}
    numbers["leave_one_out"] = GROUP * total_variance(leave_one_out(f, eps)) / total_variance(path)
    numbers["antithetic"] = 2 * total_variance((f - f_other)[:, None] * eps / 2) / total_variance(path)
    for name, estimates in (("path", path), ("plain", each["plain"])):
        numbers[f"{name}_off"] = ((estimates.mean(dim=0) - 2) / (estimates.std(dim=0) / draws**0.5)).abs().max()
    return numbers


def baseline_of_batch(*, seed, batches, batch):
    """Means of score-function estimates of the slope of E[z^2] at mu = 1, sigma = 1, which is 2, with three baselines.

    The batch's own mean holds each draw's own cost, the mean of the others does not, and 2 is the true mean cost.
    """
    eps = torch.randn(batches, batch, dtype=torch.float64)
    f = (1 + eps).square()
    others = (f.sum(dim=1, keepdim=True) - f) / (batch - 1)
    ways = {"own": f.mean(dim=1, keepdim=True), "others": others, "constant": 2.0}
    numbers = {}
    for name, baseline in ways.items():
        estimates = ((f - baseline) * eps).mean(dim=1)  # one a batch
        numbers |= {name: estimates.mean(), f"{name}_error": estimates.std() / batches**0.5}
        numbers |= {f"{name}_variance": estimates.var()}
    return numbers


def rough_cost(*, seed, draws, k):
    """Variances of both estimators for f(z) = sin(k z) at mu = 0, sigma = 1, whose mean is 0."""
    z = torch.randn(draws, dtype=torch.float64)
    path, score = k * torch.cos(k * z), torch.sin(k * z) * z
    return {"path": path.var(), "score": score.var(), "score_over_path": score.var() / path.var()}


def trained(latent_dim, epochs, lr=3e-3, terms=None, hidden=96):
    """A small VAE after so many epochs on the bundled clothes; terms(vae, x) returns the loss."""
    vae = VAE(latent_dim, hidden=hidden)
    optimizer = torch.optim.Adam(vae.parameters(), lr=lr)
    for _ in range(epochs):
        for x in fashion_mnist("train").batches(128, shuffle=True):
            loss = terms(vae, x) if terms else vae.loss_terms(x)["loss"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return vae


def real_decoder(*, seed, epochs, latent_dim):
    """Variances of the gradient of an image's reconstruction term for mu, over the pathwise one's: median of images."""
    vae = trained(latent_dim, epochs)
    rows = []
    for x in fashion_mnist("test").pixels(slice(0, IMAGES)):
        with torch.no_grad():
            mu, logvar = (t.expand(DRAWS, -1) for t in vae.posterior(x[None]))
        z = reparameterize(mu, logvar).requires_grad_()
        f = vae.negative_log_likelihood(x.expand(DRAWS, -1, -1, -1), z)
        (path,) = torch.autograd.grad(f.sum(), z)
        f, z = f.detach().double(), z.detach()
        score = ((z - mu) / logvar.exp()).double()  # (DRAWS, D)
        with torch.no_grad():
            g = vae.negative_log_likelihood(x.expand(DRAWS, -1, -1, -1), 2 * mu - z).double()
        best = (f * score.square().sum(dim=1)).mean() / score.square().sum(dim=1).mean()
        each = [total_variance(f[:, None] * score), total_variance((f - best)[:, None] * score)]
        each += [GROUP * total_variance(leave_one_out(f, score)), 2 * total_variance((f - g)[:, None] * score / 2)]
        rows.append(torch.stack(each) / total_variance(path.double()))
    names = ("plain", "best_constant", "leave_one_out", "antithetic")
    return dict(zip(names, torch.stack(rows).median(dim=0).values, strict=True))


def loss_of(way):
    """The loss of a VAE whose encoder gets the gradient of the reconstruction term in one of five ways."""
    running = {"baseline": 784 * torch.log(torch.tensor(2.0)).item()}

    def terms(vae, x):
        mu, logvar = vae.posterior(x)
        kl = kl_standard_normal(mu, logvar).mean()
        if way == "path":
            return vae.negative_log_likelihood(x, reparameterize(mu, logvar)).mean() + kl
        if way == "leave_one_out":
            mu, logvar, x = (t.repeat_interleave(4, dim=0) for t in (mu, logvar, x))
        z = reparameterize(mu, logvar).detach()
        recon = vae.negative_log_likelihood(x, z)
        f = recon.detach()
        if way == "cut":
            return recon.mean() + kl
        if way == "leave_one_out":
            f = f.reshape(-1, 4)
            weight = (f - (f.sum(dim=1, keepdim=True) - f) / 3).reshape(-1)
        else:
            weight = f - (running["baseline"] if way == "baseline" else 0.0)
            running["baseline"] = 0.9 * running["baseline"] + 0.1 * f.mean().item()
        return recon.mean() + kl + (weight * log_prob_gaussian(z, mu, logvar)).mean()

    return terms


def on_test(vae, draws=4):
    """Reconstruction and KL term of the test images, means in nats."""
    x = fashion_mnist("test").pixels()
    with torch.no_grad():
        mu, logvar = vae.posterior(x)
        recon = [vae.negative_log_likelihood(x, reparameterize(mu, logvar)).mean() for _ in range(draws)]
        return torch.stack(recon).mean(), kl_standard_normal(mu, logvar).mean()


def training(*, seed, epochs, latent_dim, lr):
    """Test loss of small VAEs that differ in how the reconstruction term reaches the encoder."""
    numbers = {}
    for way in ("path", "leave_one_out", "baseline", "plain", "cut"):
        torch.manual_seed(seed)
        recon, kl = on_test(trained(latent_dim, epochs, lr, loss_of(way)))
        numbers |= {f"{way}_loss": recon + kl, f"{way}_recon": recon, f"{way}_kl": kl}
    pixels = fashion_mnist("train").pixels()
    average, x = pixels.mean(dim=0).clamp(1e-6, 1 - 1e-6), fashion_mnist("test").pixels()
    cost = torch.nn.functional.binary_cross_entropy(average.expand_as(x), x, reduction="sum") / len(x)
    return numbers | {"average_recon": cost}


def detached_std(*, seed, epochs):
    """What a VAE shows whose std is cut from the graph, beside one without the mistake."""
    numbers = {}

    def cut(vae, x):
        mu, logvar = vae.posterior(x)
        recon = vae.negative_log_likelihood(x, reparameterize(mu, logvar.detach()))
        return (recon + kl_standard_normal(mu, logvar)).mean()

    for name, terms in (("sick", cut), ("sound", None)):
        torch.manual_seed(seed)
        vae = trained(2, epochs, lr=2e-3, terms=terms, hidden=256)
        with torch.no_grad():
            mu, logvar = vae.posterior(fashion_mnist("test").pixels())
        std, (recon, kl) = torch.exp(0.5 * logvar), on_test(vae)
        low, high = std.flatten().quantile(torch.tensor([0.05, 0.95]))
        numbers |= {f"{name}_std": std.median(), f"{name}_low": low, f"{name}_high": high}
        numbers |= {f"{name}_spread": mu.std(dim=0).mean(), f"{name}_recon": recon, f"{name}_kl": kl}
    return numbers


def common_noise(*, seed, draws, step):
    """Error of a central difference of the mean of sum sin z_d, with the same noise on both sides and with fresh."""
    mu, eps, fresh = torch.randn(5), *torch.randn(2, draws, 5, dtype=torch.float64)
    mu = mu.double()
    move = step * torch.eye(5, dtype=torch.float64)[0]

    def value(mu, noise):
        return (mu + noise).sin().sum(dim=1).mean()

    exact = (mu + eps).cos().mean(dim=0)[0]
    same = (value(mu + move, eps) - value(mu - move, eps)) / (2 * step)
    other = (value(mu + move, eps) - value(mu - move, fresh)) / (2 * step)
    return {"common": (same - exact).abs(), "fresh": (other - exact).abs()}


def near(value, theory, share):
    """Whether a value differs from the theory by less than this share of it."""
    return abs(value / theory - 1) < share


def noise_grows(runs):
    """By the formulas, whatever the number of draws; the rivals too, but for the one that tells the costs apart."""
    return all(
        near(run["plain"], run["d"] ** 2 + 3.5 * run["d"] + 3, 0.2)
        and near(run["baseline"], 1.5 * run["d"] + 3, 0.2)
        and near(run["best_constant"], 1.5 * run["d"] + 2, 0.2)
        and min(run["leave_one_out"], run["antithetic"]) > run["d"]
        and run["apart"] < 10
        and max(run["path_off"], run["plain_off"]) < 5
        for run in runs
    )


def own_draw_biases(runs):
    """The batch's own mean leaves 1 - 1/N of the slope, the others' mean and a constant all of it."""
    return all(
        abs(run["own"] - 2 * (1 - 1 / run["batch"])) < 5 * run["own_error"]
        and abs(run["others"] - 2) < 5 * run["others_error"]
        and abs(run["constant"] - 2) < 5 * run["constant_error"]
        for run in runs
    )


def roughness_decides(runs):
    """At k = 1 the score function is the noisier one, from k = 4 on the pathwise gradient."""
    rough = [run["score"] < run["path"] / 10 for run in runs if run["k"] >= 4]
    return all(rough) and all(run["score"] > run["path"] for run in runs if run["k"] == 1)


def baseline_helps(runs):
    """A baseline of the image's own takes away most of the noise, not all."""
    return all(run["plain"] > 100 * run["best_constant"] and run["best_constant"] > 1 for run in runs)


def leave_one_out_comes_near(runs):
    """The pathwise gradient is ahead of three rivals in all runs; leave one out is behind it by less than 10 nats."""
    behind = ("baseline_loss", "plain_loss", "cut_loss")
    return all(
        run["path_loss"] < min(run[name] for name in behind)
        and run["leave_one_out_loss"] < min(run["path_loss"] + 10, run["baseline_loss"])
        and run["cut_kl"] < 0.01
        for run in runs
    )


def widths_stay_at_one(runs):
    """Nine of ten widths lie near 1 with the mistake, and far below without it; the centres spread."""
    return all(
        0.85 < run["sick_low"] < run["sick_high"] < 1.15
        and run["sound_std"] < 0.5
        and run["sick_spread"] > run["sound_spread"]
        for run in runs
    )


def common_noise_cancels(runs):
    """The error is below half the squared step; with fresh noise and a small step it is beyond all use."""
    return all(run["common"] < 0.5 * run["step"] ** 2 and (run["step"] > 1e-4 or run["fresh"] > 1) for run in runs)


CLAIMS = (
    Claim(
        "noise-by-dimension",
        "For the cost |z|^2 the variance of the score function, over that of the pathwise gradient, is near "
        "d^2 + 3.5 d + 3 in d dimensions, and 1.5 d + 3 with the mean cost as baseline. It does not grow where each "
        "coordinate's own cost is known and used.",
        run=noise_by_dimension,
        settings=grid(d=(1, 4, 16, 100), draws=(20_000, 80_000), seed=FIVE),
        labels={
            "plain": "no baseline",
            "baseline": "baseline E[f]",
            "best_constant": "best constant",
            "leave_one_out": "leave one out, 16 draws",
            "antithetic": "antithetic pairs",
            "apart": "own cost of each coordinate",
        },
        holds=noise_grows,
    ),
    Claim(
        "batch-baseline",
        "A baseline that contains the draw's own cost makes the slope too small: with the mean of a batch of N draws, "
        "1 - 1/N of it is left. The mean of the other draws leaves it whole.",
        run=baseline_of_batch,
        settings=grid(batch=(4, 16), batches=(20_000, 80_000), seed=FIVE),
        labels={
            "own": "mean of the batch",
            "others": "mean of the other draws",
            "constant": "constant E[f]",
        },
        holds=own_draw_biases,
    ),
    Claim(
        "rough-cost",
        "For sin(k z), mu = 0, sigma = 1 the score function is the noisier one at k = 1, and the quieter one from "
        "k = 4 on.",
        run=rough_cost,
        settings=grid(k=(1, 2, 4, 16, 64), draws=(20_000, 80_000), seed=FIVE),
        labels={"path": "variance, pathwise", "score": "variance, score function"},
        holds=roughness_decides,
    ),
    Claim(
        "common-noise",
        "With common noise the error of a central difference falls with the square of the step; with fresh noise it "
        "grows as the step shrinks.",
        run=common_noise,
        settings=grid(step=(1e-1, 1e-2, 1e-4), draws=(1000, 4000), seed=FIVE),
        labels={"common": "error, common noise", "fresh": "error, fresh noise"},
        holds=common_noise_cancels,
    ),
    Claim(
        "detached-std",
        "With std cut from the graph nearly every cloud gets the width 1 of the prior, and the centres move apart.",
        run=detached_std,
        settings=grid(epochs=(3, 12), seed=THREE),
        labels={
            "sick_std": "cut: median width",
            "sick_low": "cut: 5% of the widths lie below",
            "sick_high": "cut: 5% of the widths lie above",
            "sound_std": "sound: median width",
            "sick_spread": "cut: spread of the centres",
            "sound_spread": "sound: spread of the centres",
            "sick_recon": "cut: reconstruction term",
            "sound_recon": "sound: reconstruction term",
        },
        holds=widths_stay_at_one,
    ),
    Claim(
        "real-decoder",
        "For the reconstruction term of a VAE a baseline of the image's own takes away most of the score function's "
        "noise, but not all.",
        run=real_decoder,
        settings=grid(latent_dim=(2, 8, 32), epochs=(1, 4), seed=THREE),
        labels={
            "plain": "no baseline",
            "best_constant": "best constant for the image",
            "leave_one_out": "leave one out, 16 draws",
            "antithetic": "antithetic pairs",
        },
        holds=baseline_helps,
    ),
    Claim(
        "training",
        "With one draw an image the pathwise gradient trains a VAE better than the score function, plain or with a "
        "running mean as baseline. With four draws an image that are each other's baselines the score function comes "
        "near.",
        run=training,
        settings=grid(latent_dim=(2, 8), epochs=(1, 4), lr=(1e-3, 3e-3), seed=THREE),
        labels={
            "path_loss": "pathwise, 1 draw",
            "leave_one_out_loss": "score function, leave one out, 4 draws",
            "baseline_loss": "score function, running mean",
            "plain_loss": "score function",
            "cut_loss": "cut off",
        },
        holds=leave_one_out_comes_near,
    ),
)
