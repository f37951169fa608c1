"""The headline claims of lesson 06, KL and the ELBO, under stress: `course claims 06`."""

import math

import torch
from torch.distributions import Normal
from torch.nn import functional as F

from course_utils.checkpoints import load_reference
from course_utils.claims import Claim, grid
from course_utils.data import fashion_mnist
from course_utils.losses import elbo, iwae_bound
from course_utils.models.vae import VAE
from course_utils.training import fit

NOISE = 0.35
Z = torch.linspace(-8, 8, 1601, dtype=torch.float64)  # wide: the tails of a q of std 1.3 cost tenths of a nat
STEP = 0.01
BATCH, PIXELS = 256, 784


def log_joint(x, z):
    """log p(z) + log p(x|z) of the model that one can see: z ~ N(0, 1), x ~ N((z^2, z / 2), NOISE^2 I)."""
    mean = torch.stack([z**2, z / 2], dim=-1)
    return Normal(0.0, 1.0).log_prob(z) + Normal(mean, NOISE).log_prob(x).sum(dim=-1)


def seen(height):
    """An x, its log p(x), its posterior on the grid, and the share of the posterior's hump at z > 0."""
    x = torch.tensor([1.4, height], dtype=torch.float64)
    log_evidence = log_joint(x, Z).logsumexp(dim=0).item() + math.log(STEP)
    log_posterior = log_joint(x, Z) - log_evidence
    return x, log_evidence, log_posterior, log_posterior.exp()[Z > 0].sum().item() * STEP


def gaps(log_posterior, log_q):
    """KL(q || posterior) for log-densities (B, G) on the grid."""
    return (log_q.exp() * (log_q - log_posterior)).sum(dim=-1) * STEP


def climbed(log_posterior, mean, std, steps):
    """Means and gaps of Gaussians after so many steps of ascent on the exact ELBO."""
    mean, log_std = mean.clone().requires_grad_(), std.log().requires_grad_()
    optimizer = torch.optim.Adam([mean, log_std], lr=0.05)
    for _ in range(steps):
        loss = gaps(log_posterior, Normal(mean[:, None], log_std.exp()[:, None]).log_prob(Z))
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
    return mean.detach(), gaps(log_posterior, Normal(mean[:, None], log_std.exp()[:, None]).log_prob(Z)).detach()


def two_gaussians(log_posterior, steps):
    """The gap of a q that is a mixture of two Gaussians, after as many steps."""
    logit = torch.zeros((), dtype=torch.float64, requires_grad=True)
    mean = torch.tensor([-1.0, 1.0], dtype=torch.float64, requires_grad=True)
    log_std = torch.full((2,), -1.0, dtype=torch.float64, requires_grad=True)

    def log_q():
        shares = torch.stack([F.logsigmoid(logit), F.logsigmoid(-logit)])
        return (shares[:, None] + Normal(mean[:, None], log_std.exp()[:, None]).log_prob(Z)).logsumexp(dim=0)

    optimizer = torch.optim.Adam([logit, mean, log_std], lr=0.05)
    for _ in range(steps):
        loss = gaps(log_posterior, log_q())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return gaps(log_posterior, log_q()).item()


def one_hump(*, seed, steps, height):
    """Where ascent on the ELBO ends from 40 random starts, and what is missing there."""
    _, _, log_posterior, share = seen(height)
    g = torch.Generator().manual_seed(seed)
    mean, std = 1.5 * torch.randn(40, generator=g).double(), 0.2 + torch.rand(40, generator=g).double()
    mean, gap = climbed(log_posterior, mean, std, steps)
    density = log_posterior.exp() * STEP
    middle = (density * Z).sum()
    as_wide = Normal(middle, (density * (Z - middle) ** 2).sum().sqrt())  # it covers both humps
    large, small = mean > 0.7, mean < -0.7
    return {
        "on_large": large.double().mean(),
        "on_small": small.double().mean(),
        "between": (~large & ~small).double().mean(),
        "large_gap": gap[large].median(),
        "large_share": -math.log(share),
        "small_gap": gap[small].median(),
        "small_share": -math.log(1 - share),
        "covering_gap": gaps(log_posterior, as_wide.log_prob(Z)),
        "two_gap": two_gaussians(log_posterior, steps),
    }


def exact_elbo(mean, std, height):
    """The ELBO of N(mean, std^2) for x = (1.4, height), in nats, by the moments of a Gaussian and without a grid."""
    square, fourth = mean**2 + std**2, mean**4 + 6 * mean**2 * std**2 + 3 * std**4
    misfit = fourth - 2.8 * square + 1.4**2 + square / 4 - height * mean + height**2
    log_joint = -misfit / (2 * NOISE**2) - 2 * math.log(NOISE) - math.log(2 * math.pi) - square / 2
    return log_joint + math.log(std) + 0.5  # log(2 pi) / 2 of the prior and of the entropy cancel


def one_at_a_time(mean, std, height, step, mean_first):
    """The mean at which two sliders end, each moved in steps as long as the ELBO rises, in turn, until none helps."""
    at, fixed = [mean, std], False
    while not fixed:
        fixed = True
        for k in (0, 1) if mean_first else (1, 0):
            for sign in (step, -step):
                while True:
                    new = list(at)
                    new[k] += sign
                    if new[1] < 0.1 or exact_elbo(*new, height) <= exact_elbo(*at, height) + 1e-12:
                        break
                    at, fixed = new, False
    return at[0]


def sliders(*, seed, std, step, height):
    """Where moving one slider at a time ends, from 20 starts 0.45 to 0.8 to each side of 0, in both orders."""
    starts = 0.45 + 0.35 * torch.rand(20, generator=torch.Generator().manual_seed(seed))
    numbers = {}
    for order in ("mean", "std"):
        for side, sign in (("left", -1), ("right", 1)):
            ends = [one_at_a_time(sign * m, std, height, step, order == "mean") for m in starts.tolist()]
            numbers[f"{side}_{order}_first"] = sum(sign * end > 0.7 for end in ends) / len(ends)
    return numbers


def importance_bars(*, seed, draws, height):
    """How many of 400 bars from importance sampling cover p(x): from the prior, from one hump alone, and wider."""
    x, log_evidence, log_posterior, share = seen(height)
    torch.manual_seed(seed)
    numbers = {}
    for name, q in (("prior", Normal(0.0, 1.0)), ("hump", Normal(1.08, 0.17)), ("near", Normal(1.08, 0.5))):
        z = q.sample((400, draws)).double()
        w = (log_joint(x, z) - q.log_prob(z)).exp()
        estimate, half = w.mean(dim=1), 1.96 * w.std(dim=1) / math.sqrt(draws)
        numbers[f"{name}_covered"] = ((estimate - math.exp(log_evidence)).abs() < half).double().mean()
        numbers[f"{name}_half"] = (half / estimate).median()
        numbers[f"{name}_ratio"] = (estimate / math.exp(log_evidence)).median()
    return numbers | {"share": share}


def stuck_bound(*, seed, samples, height):
    """What the IWAE bound of K samples lacks of log p(x), for q on one hump and for a wide q; mean over 200 repeats."""
    x, log_evidence, log_posterior, share = seen(height)
    torch.manual_seed(seed)
    numbers = {"share": -math.log(share)}
    for name, q in (("hump", Normal(1.08, 0.17)), ("wide", Normal(0.0, 1.3))):
        numbers[f"{name}_elbo"] = gaps(log_posterior, q.log_prob(Z))
        z = q.sample((samples, 200)).double()
        bounds = (log_joint(x, z) - q.log_prob(z)).logsumexp(dim=0) - math.log(samples)
        numbers[f"{name}_iwae"] = log_evidence - bounds.mean()
    return numbers


def found_bug(*, seed, steps):
    """What the script with the mistake calls its bound, and the true bound of the mended one, less log p(x)."""
    x, log_evidence, *_ = seen(0.1)
    numbers = {}
    for name in ("script", "mended"):
        torch.manual_seed(seed)
        mu, logvar = torch.tensor(1.0, requires_grad=True), torch.tensor(-1.0, requires_grad=True)
        optimizer, bounds = torch.optim.Adam([mu, logvar], lr=0.05), []
        for _ in range(steps):
            z = mu + torch.exp(0.5 * logvar) * torch.randn(64)
            x_hat = torch.stack([z**2, z / 2], dim=1)
            target, variance = x.float().expand(64, 2), torch.full((64, 2), NOISE**2)
            recon = F.gaussian_nll_loss(x_hat, target, variance)
            if name == "mended":
                recon = F.gaussian_nll_loss(x_hat, target, variance, full=True, reduction="sum") / 64
            loss = recon + 0.5 * (logvar.exp() + mu**2 - 1 - logvar)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            bounds.append(-loss.item())
        numbers[f"{name}_excess"] = sum(bounds[-100:]) / 100 - log_evidence
        numbers[f"{name}_std"] = torch.exp(0.5 * logvar).item()
    return numbers


def real_rise(*, seed, images, samples):
    """By how many nats the bound of the reference VAE rises from the ELBO to K samples, image by image."""
    vae = load_reference("vae_2d", torch.device("cpu"))
    torch.manual_seed(seed)
    x = fashion_mnist("test").pixels()[torch.randperm(2000)[:images]]
    with torch.no_grad():
        first = torch.stack([elbo(vae, x) for _ in range(32)]).mean(dim=0)
        rise = torch.cat([iwae_bound(vae, some, samples) for some in x.split(48)]) - first
    return {"rise": rise.mean(), "median": rise.median(), "largest": rise.max()}


def terms_of(model, x):
    """-log p(x|z) of each pixel, (B, P), and the KL of each dimension, (B, D), in nats."""
    mu, logvar = model.posterior(x)
    x_logits = model.decode_logits(mu + torch.exp(0.5 * logvar) * torch.randn_like(mu))
    recon = F.binary_cross_entropy_with_logits(x_logits, x, reduction="none").flatten(1)
    return recon, 0.5 * (logvar.exp() + mu.square() - 1 - logvar)


REDUCTIONS = {
    "elbo": lambda recon, kl: recon.sum(1).mean() + kl.sum(1).mean(),
    "mean": lambda recon, kl: recon.mean() + kl.sum(1).mean(),  # the default of the library: beta is 784
    "sum": lambda recon, kl: recon.sum() + kl.sum(1).mean(),  # reduction="sum" alone: beta is 1 / 256
}


def reductions(*, seed, epochs):
    """Three VAEs that differ in the reductions of their loss, measured in nats on test images."""
    x_test, numbers = fashion_mnist("test").pixels(slice(0, 500)), {}
    for name, loss in REDUCTIONS.items():
        torch.manual_seed(seed)
        model = VAE(8, hidden=128)
        batches = fashion_mnist("train").batches(BATCH, shuffle=True)
        one = lambda model, x, loss=loss: {"loss": loss(*terms_of(model, x))}  # noqa: E731
        fit(model, batches, epochs=epochs, lr=4e-3, loss=one, progress=False)
        with torch.no_grad():
            recon, kl = terms_of(model.eval(), x_test)
            numbers[f"{name}_recon"] = recon.sum(1).mean()
            numbers[f"{name}_kl"] = abs(round(kl.sum(1).mean().item(), 3))  # 0 is only 0 up to rounding
            numbers[f"{name}_bound"] = -(recon.sum(1) + kl.sum(1)).mean()
            numbers[f"{name}_spread"] = model.encode(x_test).std(dim=0).mean()
    return numbers


CLAIMS = (
    Claim(
        "one-hump",
        "A single Gaussian that is fitted by the ELBO ends on one of the posterior's two humps in most of 40 random "
        "starts, and what it misses is close to -log of that hump's share. A Gaussian that covers both humps misses "
        "more than three times as much as either, and a q of two Gaussians far less.",
        run=one_hump,
        settings=grid(height=(0.05, 0.1, 0.2), steps=(300, 1200), seed=range(3)),
        labels={
            "on_large": "ends on the large hump",
            "on_small": "on the small one",
            "between": "between",
            "large_gap": "gap on the large hump",
            "large_share": "-log of its share",
            "small_gap": "gap on the small hump",
            "small_share": "-log of its share",
            "covering_gap": "gap with the posterior's mean and std",
            "two_gap": "gap of two Gaussians",
        },
        holds=lambda runs: all(
            one["on_large"] + one["on_small"] > 0.5
            and abs(one["large_gap"] - one["large_share"]) < 0.1
            and abs(one["small_gap"] - one["small_share"]) < 0.1
            and one["covering_gap"] > 3 * one["small_gap"]
            and one["two_gap"] < 0.2 * one["large_gap"]
            for one in runs
        ),
    ),
    Claim(
        "sliders",
        "Two sliders are moved in turn, each as long as the ELBO rises. From a std of 0.3 a start on one side of the "
        "valley (mean 0.45 to 0.8 away from 0) ends on the hump of that side, whichever slider comes first. From a std "
        "of 0.6 the order decides.",
        run=sliders,
        settings=grid(height=(0.1, 0.2), std=(0.3, 0.6), step=(0.01, 0.0025), seed=range(3)),
        labels={
            "left_mean_first": "from the left, mean first: end on the small hump",
            "left_std_first": "from the left, std first: end on the small hump",
            "right_mean_first": "from the right, mean first: end on the large hump",
            "right_std_first": "from the right, std first: end on the large hump",
        },
        holds=lambda runs: (
            all(one[number] == 1 for one in runs if one["std"] == 0.3 for number in runs.labels)
            and all(one["left_mean_first"] == 0 for one in runs if one["std"] == 0.6)
        ),
    ),
    Claim(
        "importance-bars",
        "Bars of 1.96 standard errors cover p(x) about as often as they should where the draws come from the prior. "
        "Where they come from one hump alone they are shorter and hardly ever cover it: the estimate is p(x) times "
        "that hump's share. With three times the width too most bars miss p(x).",
        run=importance_bars,
        settings=grid(height=(0.1, 0.2), draws=(500, 2000, 8000), seed=range(3)),
        labels={
            "prior_covered": "prior: bars that cover p(x)",
            "prior_half": "prior: half a bar, of the estimate",
            "hump_covered": "one hump: bars that cover p(x)",
            "hump_half": "one hump: half a bar, of the estimate",
            "hump_ratio": "one hump: estimate / p(x)",
            "share": "share of the hump",
            "near_covered": "one hump, three times as wide: bars that cover p(x)",
            "near_ratio": "three times as wide: estimate / p(x)",
        },
        holds=lambda runs: all(
            one["prior_covered"] > 0.88
            and one["hump_covered"] < 0.1
            and one["near_covered"] < 0.5
            and one["hump_half"] < one["prior_half"]
            and abs(one["hump_ratio"] - one["share"]) < 0.03
            for one in runs
        ),
    ),
    Claim(
        "stuck-bound",
        "A bound that no longer moves is not thereby tight: with q on one hump the IWAE bound stays about -log of the "
        "hump's share below log p(x) for any number of samples tried, while with a wide q, whose ELBO is far worse, it "
        "comes close to log p(x).",
        run=stuck_bound,
        settings=grid(height=(0.1, 0.2), samples=(64, 256, 1024, 4096), seed=range(3)),
        labels={
            "hump_elbo": "one hump: the ELBO lacks",
            "hump_iwae": "one hump: IWAE lacks",
            "wide_elbo": "wide: the ELBO lacks",
            "wide_iwae": "wide: IWAE lacks",
            "share": "-log of the hump's share",
        },
        holds=lambda runs: all(
            abs(one["hump_iwae"] - one["share"]) < 0.05
            and one["wide_elbo"] > 5 * one["hump_elbo"]
            and abs(one["wide_iwae"]) < 0.1
            for one in runs
        ),
    ),
    Claim(
        "found-bug",
        "With the defaults of PyTorch's Gaussian loss (a mean over all numbers, no constant) what the script calls its "
        "bound comes to lie above log p(x), which no bound can; mended, it stays below.",
        run=found_bug,
        settings=grid(steps=(400, 1600), seed=range(3)),
        labels={
            "script_excess": "the script's bound less log p(x)",
            "mended_excess": "the mended bound less log p(x)",
            "script_std": "std of q by the script",
            "mended_std": "std of q, mended",
        },
        holds=lambda runs: all(one["mended_excess"] < -0.2 and one["script_excess"] > 0.5 for one in runs),
    ),
    Claim(
        "real-rise",
        "The bound of the reference VAE rises with K: by a few nats on average, most images gaining less than the "
        "average and a few several times as much.",
        run=real_rise,
        settings=grid(images=(48, 192), samples=(64, 256), seed=range(3)),
        labels={"rise": "mean rise in nats", "median": "median", "largest": "largest"},
        holds=lambda runs: all(
            one["rise"] > 0.5 and one["median"] < one["rise"] and one["largest"] > 3 * one["rise"] for one in runs
        ),
    ),
    Claim(
        "reductions",
        "With the reconstruction averaged over pixels (beta 784) the code carries nothing. With reduction='sum' alone "
        "(beta 1/256) reconstructions are better and codes far wider than the prior. Only the loss that is the ELBO "
        "gives the best ELBO.",
        run=reductions,
        settings=grid(epochs=(3, 12), seed=range(3)),
        labels={
            "elbo_recon": "beta 1: recon",
            "elbo_kl": "beta 1: KL",
            "elbo_bound": "beta 1: ELBO",
            "mean_recon": "beta 784: recon",
            "mean_kl": "beta 784: KL",
            "mean_bound": "beta 784: ELBO",
            "sum_recon": "beta 1/256: recon",
            "sum_kl": "beta 1/256: KL",
            "sum_bound": "beta 1/256: ELBO",
            "sum_spread": "beta 1/256: std of mu",
        },
        holds=lambda runs: all(
            one["mean_kl"] < 0.5
            and one["sum_recon"] < one["elbo_recon"]
            and one["sum_kl"] > 2 * one["elbo_kl"]
            and one["sum_spread"] > 1.5
            and one["elbo_bound"] > max(one["mean_bound"], one["sum_bound"])
            for one in runs
        ),
    ),
)
