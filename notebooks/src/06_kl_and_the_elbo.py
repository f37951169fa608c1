# %% [markdown] title
# {{header}}
#
# # 06. What does the loss of a VAE measure?
#
# At the end of this lesson you can
#
# 1. read a KL divergence as extra nats, compute it in closed form and by sampling with an error bar, and say why its
#    direction matters;
# 2. derive the ELBO in two ways, and check both in models where $\log p(x)$ is known;
# 3. tell from the way a loss is summed and averaged which $\beta$ it really has.

# %% [markdown] prerequisites
# **You need:** lesson 04 (prior, posterior, likelihood, the two heads `mu` and `logvar`), lesson 05 (`reparameterize`),
# expectations and logarithms.
#
# **Time:** {{learning}} with the exercises. Running all cells takes {{minutes}}.

# %% setup
{{setup}}

# %% imports
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch.distributions import MultivariateNormal, Normal

from course_utils import checks, plots, widgets
from course_utils.checkpoints import load_reference  # course_utils/checkpoints.py
from course_utils.data import fashion_mnist
from course_utils.device import pick_device, seed_everything
from course_utils.gaussian import reparameterize  # what you wrote in lesson 05

plt.rcParams["figure.dpi"] = 85
seed_everything(6)
g = torch.Generator().manual_seed(6)  # what this lesson draws by hand comes from here
device = pick_device()
train, test = fashion_mnist("train"), fashion_mnist("test")
print(f"{len(train):,} training and {len(test):,} test images; computing on {device}")

# %% [markdown] predict
# ## Predict first
#
# 1. You fit one Gaussian to data with two separate humps. Does its mean end up on a hump, or in the gap between them?
# 2. Somebody writes the loss of a VAE as `F.binary_cross_entropy(x_hat, x) + kl.sum(dim=1).mean()`. It looks like
#    reconstruction plus KL with $\beta = 1$. Which $\beta$ is it really, for images of 28 x 28: about 1, about 30, or
#    about 800?
# 3. You estimate a lower bound on $\log p(x)$ from 100 samples of $z$ in place of one. Does the bound rise, or does it
#    only get steadier?
#
# Write down your answers.
#
# <details><summary>What we found, for after sections 4, 6 and 8</summary>
#
# 1. It depends on which of the two is the first argument of the KL divergence. One direction puts the mean in the gap,
#    the other on a hump.
# 2. About 800: 784. The reconstruction is divided by the number of pixels, the KL term is not.
# 3. It depends on where the average stands. The mean of 100 logarithms is the ELBO, only steadier. The logarithm of the
#    mean of 100 weights is a higher bound.
#
# </details>

# %% [markdown] coding-idea
# ## 1. The price of the wrong code book
#
# A shop reports every sale to its head office by a word of bits. What is sold often should have a short word. With
# probability $p$ for an item, the best length is $-\log_2 p$ bits: 1 bit for probability $\frac{1}{2}$, 3 bits for
# $\frac{1}{8}$. The table shows four items, how often they are sold in summer and in winter, and a code book made for
# each season. No word is the beginning of another, so words can follow each other without gaps.

# %% code-books
items = ("sandal", "sneaker", "pullover", "bag")
p_summer, p_winter = torch.tensor([1 / 2, 1 / 4, 1 / 8, 1 / 8]), torch.tensor([1 / 8, 1 / 2, 1 / 4, 1 / 8])
summer_book, winter_book = ("0", "10", "110", "111"), ("110", "0", "10", "111")
print("          summer                  winter\n          share  -log2  word      share  -log2  word")
for i, item in enumerate(items):
    for p, book in ((p_summer, summer_book), (p_winter, winter_book)):
        print(f"{item if book is summer_book else '':8s}", end="  " if book is summer_book else "")
        print(f"{p[i]:5.3f} {-p[i].log2():5.0f}   {book[i]:4s}", end="")
    print()

# %% [test] code-books-holds
for p, book in ((p_summer, summer_book), (p_winter, winter_book)):
    for i in range(len(items)):
        assert len(book[i]) == -p[i].log2()  # each word has the best length for its season

# %% [markdown] coding-send-intro
# Now the shop sells 20,000 items in a season and we count the bits it sends, once with the right book and once with the
# other season's. Look at two things: how many more bits the wrong book needs, and whether the two mistakes cost the
# same.


# %% coding-send
def bits_sent(p, book, sales=20_000):
    """Bits a sale in a simulated season with item frequencies p."""
    sold = torch.multinomial(p, sales, replacement=True, generator=g)
    return len("".join(book[i] for i in sold)) / sales


def kl_discrete(p, q):
    """KL(p || q) of two lists of probabilities, in nats."""
    return (p * (p.log() - q.log())).sum().item()


for season, p, q, own, other in (
    ("summer", p_summer, p_winter, summer_book, winter_book),
    ("winter", p_winter, p_summer, winter_book, summer_book),
):
    right, wrong, kl = bits_sent(p, own), bits_sent(p, other), kl_discrete(p, q)
    print(f"{season}: right book {right:.3f} bits a sale, wrong book {wrong:.3f}, extra {wrong - right:.3f}; ", end="")
    print(f"KL = {kl:.3f} nats = {kl / math.log(2):.3f} bits")

# %% [test] coding-send-holds
state = g.get_state()
for p, q, own, other in (
    (p_summer, p_winter, summer_book, winter_book),
    (p_winter, p_summer, winter_book, summer_book),
):
    right, wrong, kl = bits_sent(p, own), bits_sent(p, other), kl_discrete(p, q)
    assert abs((wrong - right) - kl / math.log(2)) < 0.05
g.set_state(state)  # the lesson's own draws go on as if these had not been
assert kl_discrete(p_summer, p_winter) > 1.2 * kl_discrete(p_winter, p_summer)

# %% [markdown] coding-seen
# The counted extra agrees with a formula, the **Kullback-Leibler divergence**:
#
# $$\mathrm{KL}(p \,\|\, q) = \mathbb{E}_{p}\big[\log p(x) - \log q(x)\big] .$$
#
# Read aloud: draw $x$ from $p$, and see by how much the word that $q$ gives it is longer than the word that $p$ gives
# it, on average. With the natural logarithm the unit is the **nat**; 1 nat is $1 / \ln 2 \approx 1.44$ bits. This
# course computes in nats.
#
# * It is never negative: no book beats the right one. It is 0 only if $p = q$.
# * It is **not symmetric**: the average is taken over $p$, the distribution that the data really have. A wrong summer
#   costs more than a wrong winter here.
# * If $q$ gives probability 0 to something that $p$ produces, there is no word for it, and the KL is infinite. The
#   other way round is harmless: a word that is never used.

# %% [markdown] gaussian-idea
# ## 2. Between two Gaussians
#
# For densities the sum becomes an integral, and for a Gaussian $q = \mathcal{N}(\mu, \sigma^2)$ against the standard
# normal $p = \mathcal{N}(0, 1)$ it can be done by hand:
#
# $$\log q(z) - \log p(z) = -\tfrac{1}{2} \log \sigma^2 - \frac{(z - \mu)^2}{2 \sigma^2} + \frac{z^2}{2} .$$
#
# The mean under $q$ of $(z - \mu)^2$ is $\sigma^2$, that of $z^2$ is $\mu^2 + \sigma^2$. So
#
# $$\mathrm{KL} = \tfrac{1}{2} \big( \sigma^2 + \mu^2 - 1 - \log \sigma^2 \big) .$$
#
# With $D$ independent dimensions, log-densities add, so the KL is the **sum** over dimensions. This is the KL term of
# the VAE: the extra nats for codes that are drawn from $q$ but written with the code book of the prior.

# %% [markdown] kl-task
# ### Exercise 1: the KL term
#
# *Easy, about 10 minutes.* Write it with the names of the course: `logvar` is $\log \sigma^2$.


# %% kl-exercise
def kl_standard_normal(mu, logvar):
    """KL(N(mu, diag(exp(logvar))) || N(0, I)) in nats.

    Args:
        mu: Means, (B, D).
        logvar: Logarithms of the variances, (B, D).

    Returns:
        One value for each example, (B,).
    """
    ### BEGIN SOLUTION
    return 0.5 * (logvar.exp() + mu.square() - 1 - logvar).sum(dim=1)
    ### END SOLUTION


# %% kl-check
kl_standard_normal = checks.accept("kl-standard-normal", kl_standard_normal)

# %% [markdown] kl-hints
# <details><summary>Hint 1</summary>
#
# $\log \sigma^2$ is `logvar` as it stands. What is $\sigma^2$ then? No square root is needed anywhere.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Work element by element on tensors (B, D): `logvar.exp() + mu.square() - 1 - logvar`. Then half of the sum over the
# dimension of size D.
#
# </details>

# %% [markdown] kl-table-intro
# The table has one dimension. Read off the price of moving away from 0, and that of being sure: what does each halving
# of `std` cost, once `std` is small?

# %% kl-table
print("  mu    std     KL in nats")
for mean, std in ((0.0, 1.0), (1.0, 1.0), (3.0, 1.0), (0.0, 2.0), (0.0, 0.5), (0.0, 0.1), (0.0, 0.05), (0.0, 0.025)):
    mu, logvar = torch.tensor([[mean]]), torch.tensor([[2 * math.log(std)]])
    kl = kl_standard_normal(mu, logvar).item()
    print(f"{mean:5.1f} {std:6.3f} {kl:10.3f}")

# %% [test] kl-table-holds
from torch.distributions import kl_divergence

for mean, std in ((0.0, 1.0), (1.0, 1.0), (3.0, 1.0), (0.0, 2.0), (0.0, 0.5), (0.0, 0.1), (0.0, 0.05), (0.0, 0.025)):
    kl = kl_standard_normal(torch.tensor([[mean]]), torch.tensor([[2 * math.log(std)]])).item()
    assert abs(kl - kl_divergence(Normal(mean, std), Normal(0.0, 1.0)).item()) < 1e-4
narrow = kl_standard_normal(torch.zeros(2, 1), 2 * torch.tensor([[0.05], [0.025]]).log())
assert abs((narrow[1] - narrow[0]).item() - math.log(2)) < 0.01

# %% [markdown] kl-seen
# A mean at distance 3 costs $3^2 / 2 = 4.5$ nats. Each halving of a small standard deviation costs $\log 2 \approx
# 0.69$ nats, which is 1 bit: one more binary digit of the code. The KL term is a price list for **information in the
# code**.

# %% [markdown] monte-carlo-idea
# ## 3. By sampling, with an error bar
#
# A KL divergence is an expectation, so it can be estimated: draw $z_1, \dots, z_K$ from $q$ and average. This works for
# any two densities that can be evaluated, also where no closed form exists. The estimate has a **standard error**,
# the standard deviation of the terms divided by $\sqrt{K}$, and about 95% of the time the true value lies within 1.96
# of them. An estimate by sampling should never be quoted without it.


# %% monte-carlo
def kl_monte_carlo(mu, logvar, num_samples, generator):
    """Estimate of KL(N(mu, diag(exp(logvar))) || N(0, I)) and its standard error; mu and logvar are (D,)."""
    q, p = Normal(mu, torch.exp(0.5 * logvar)), Normal(0.0, 1.0)
    eps = torch.randn(num_samples, len(mu), generator=generator)
    z = q.mean + q.stddev * eps  # (K, D), drawn from q
    terms = (q.log_prob(z) - p.log_prob(z)).sum(dim=1)  # (K,)
    return terms.mean().item(), terms.std().item() / math.sqrt(num_samples)


mu_3, logvar_3 = torch.tensor([0.8, -0.5, 0.0]), torch.tensor([-1.0, 0.3, -2.0])  # one code of three numbers
kl_exact = kl_standard_normal(mu_3[None], logvar_3[None]).item()
counts = [10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000]
estimates = [kl_monte_carlo(mu_3, logvar_3, k, g) for k in counts]
print(f"closed form {kl_exact:.3f} nats")
for k, (estimate, error) in zip(counts, estimates, strict=True):
    print(f"{k:7,} samples: {estimate:.3f} +- {1.96 * error:.3f}")

# %% [markdown] monte-carlo-figure-intro
# The bars reach 1.96 standard errors to both sides. Look at how fast they shrink, and whether each crosses the line.

# %% monte-carlo-figure
means, errors = zip(*estimates, strict=True)
ax = plots.estimates(counts, means, [1.96 * e for e in errors], kl_exact, ylabel="KL (nats)")

# %% monte-carlo-claims
ratio = errors[0] / errors[-1]
repeats = [kl_monte_carlo(mu_3, logvar_3, 300, g) for _ in range(400)]
covered = sum(abs(estimate - kl_exact) < 1.96 * error for estimate, error in repeats) / len(repeats)
single = torch.tensor([kl_monte_carlo(mu_3, logvar_3, 2, g)[0] for _ in range(400)])
print(f"10,000 times as many samples make the error bar {ratio:.0f} times smaller")
print(f"of 400 bars from 300 samples each, {covered:.0%} cover the closed form")
print(f"of 400 estimates from 2 samples, {(single < 0).float().mean():.0%} are negative, though no KL is")

# %% [test] monte-carlo-claims-holds
assert 40 < ratio < 250  # about the square root of 10,000
assert 0.90 < covered < 0.99
assert (single < 0).any()

# %% [markdown] monte-carlo-seen
# The error falls as $1 / \sqrt{K}$: a hundred times the work for one more digit. And a single term may be negative;
# only the expectation may not. This is why a VAE uses the closed form for its KL term, and samples only for the
# reconstruction, which has none.
#
# ### Explore the number of samples
#
# One slider sets $K$ by its logarithm: 2 is 100 samples, 5 is 100,000. The other chooses a run, that is, other random
# numbers. The solid line is the running estimate up to $K$, the dotted lines its error bar. First the same as a figure,
# for two runs. How many samples does a run need until you would trust its second digit? And does that hold in all runs?


# %% running
def running_kl(log10_k, run):
    """Chart of the running estimate of KL and its bar of 1.96 standard errors, up to K samples, and both at K."""
    num_samples, generator = round(10**log10_k), torch.Generator().manual_seed(int(run))
    q, p = Normal(mu_3, torch.exp(0.5 * logvar_3)), Normal(0.0, 1.0)
    z = q.mean + q.stddev * torch.randn(num_samples, len(mu_3), generator=generator)
    terms = (q.log_prob(z) - p.log_prob(z)).sum(dim=1).double()
    k = torch.logspace(math.log10(2), log10_k, 60).round().long().clamp(2, num_samples).unique()
    mean, square = terms.cumsum(0)[k - 1] / k, terms.square().cumsum(0)[k - 1] / k
    half = 1.96 * ((square - mean.square()).clamp(min=0) / (k - 1)).sqrt()
    lines = [
        plots.Series("closed form", [2, 100_000], [kl_exact, kl_exact], color=5),
        plots.Series("estimate", k, mean, color=4),
        plots.Series("error bar", k, mean + half, color=7),
        plots.Series("", k, mean - half, color=7),
    ]
    chart = plots.Chart(lines, (2, 100_000), (kl_exact - 1.2, kl_exact + 1.2), "samples", "KL (nats)", log_x=True)
    return chart, mean[-1].item(), half[-1].item()


titles = ["10 samples", "100 samples", "1,000 samples", "100,000 samples"]
rows = {f"run {run}": [running_kl(log10_k, run)[0] for log10_k in (1, 2, 3, 5)] for run in (0, 1)}
axes = plots.panel_table(rows, column_titles=titles)
for label, ax in zip(rows, axes[:, 0], strict=True):
    ax.set_ylabel(f"{label}: KL (nats)")


# %% running-explorer
def running_text(log10_k, run):
    _, mean, half = running_kl(log10_k, run)
    return f"After {round(10**log10_k):,} samples: {mean:.3f} +- {half:.3f} nats; the closed form gives {kl_exact:.3f}."


samples_explorer = widgets.FunctionSliders(
    lambda log10_k, run: {"KL by sampling": running_kl(log10_k, run)[0]},
    {"log10 of K": (1, 5, 2), "run": (0, 9, 0, 1)}, describe=running_text, title="How many samples?",
)  # fmt: skip
samples_explorer.move_to(3, 0)
samples_explorer

# %% [markdown] directions-idea
# ## 4. Which way round?
#
# Let the target $p$ have two humps, and let $q$ be a single Gaussian that should stand for it. There are two ways to
# ask for it, and they want different things.
#
# * **Forward**, $\mathrm{KL}(p \| q) = \mathbb{E}_p[\log p - \log q]$: an average over what the *target* produces. $q$
#   is punished where $p$ is large and $q$ small. It must cover everything.
# * **Reverse**, $\mathrm{KL}(q \| p) = \mathbb{E}_q[\log q - \log p]$: an average over what $q$ produces. $q$ is
#   punished where it puts mass on places that $p$ does not like. It may leave things out.
#
# In one dimension both integrals can be computed on a fine grid, and their gradients too. We minimise both; the reverse
# one twice, from a start on the left and from one on the right.

# %% target
grid = torch.linspace(-9, 9, 901, dtype=torch.float64)
step = grid[1] - grid[0]
shares, centres, widths = torch.tensor([0.65, 0.35]).double(), torch.tensor([-2.0, 2.0]), torch.tensor([0.6, 0.8])
log_p = (shares.log()[:, None] + Normal(centres[:, None], widths[:, None]).log_prob(grid)).logsumexp(dim=0)


def kl_on_grid(log_a, log_b):
    """KL(a || b) in nats, from two log-densities on the grid."""
    return (log_a.exp() * (log_a - log_b)).sum() * step


def fit_gaussian(direction, start, steps=150):
    """Mean and standard deviation of the Gaussian q that minimises a KL divergence to or from the target."""
    m, s = torch.tensor(start, dtype=torch.float64, requires_grad=True), torch.zeros((), dtype=torch.float64)
    s.requires_grad_()  # the logarithm of q's standard deviation
    optimizer = torch.optim.Adam([m, s], lr=0.1)
    for _ in range(steps):
        log_q = Normal(m, s.exp()).log_prob(grid)
        loss = kl_on_grid(log_p, log_q) if direction == "forward" else kl_on_grid(log_q, log_p)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return m.item(), s.exp().item()


# %% [markdown] directions-figure-intro
# Look at where each fit has its peak, how wide it is, and what it makes of the gap in the middle.

# %% directions
fits = {
    "forward": fit_gaussian("forward", 0.5),
    "reverse, from the left": fit_gaussian("reverse", -3.0),
    "reverse, from the right": fit_gaussian("reverse", 3.0),
}
print("                            mean   std    KL(p || q)   KL(q || p)")
costs = {}
for name, (m, s) in fits.items():
    log_q = Normal(m, s).log_prob(grid)
    costs[name] = kl_on_grid(log_p, log_q).item(), kl_on_grid(log_q, log_p).item()
    print(f"{name:25s} {m:6.2f} {s:6.2f} {costs[name][0]:11.2f} {costs[name][1]:12.2f}")
series = {"target p": (grid, log_p.exp())}
series |= {name: (grid, Normal(m, s).log_prob(grid).exp()) for name, (m, s) in fits.items()}
figure, ax = plt.subplots(figsize=(8.5, 3.2), layout="constrained")
ax = plots.curves(series, "z", "density", ax=ax)
ax.set(xlim=(-6, 6))
plt.show()

# %% directions-claims
p_mean = (log_p.exp() * grid).sum() * step
p_std = ((log_p.exp() * (grid - p_mean) ** 2).sum() * step).sqrt()
print(f"mean and standard deviation of the target: {p_mean:.2f} and {p_std:.2f}")
print("-log of the humps' shares:", [round(-math.log(share), 2) for share in shares.tolist()])

# %% [test] directions-claims-holds
assert abs(fits["forward"][0] - p_mean) < 0.02
assert abs(fits["forward"][1] - p_std) < 0.02
for name, hump in (("reverse, from the left", 0), ("reverse, from the right", 1)):
    assert abs(fits[name][0] - centres[hump]) < 0.1  # it sits on one hump
    assert abs(costs[name][1] + shares[hump].log()) < 0.05
assert abs(costs["reverse, from the left"][0] - 6.83) < 0.05

# %% [markdown] directions-seen
# The forward fit has exactly the target's mean and standard deviation, and its peak stands in the gap, where the target
# hardly ever is. This holds for a target of any shape. Only one part of $\mathrm{KL}(p \| q)$ depends on $q$, and for a
# Gaussian $q = \mathcal{N}(m, s^2)$ it is
#
# $$-\mathbb{E}_p[\log q] = \log s + \frac{\mathbb{E}_p[(z - m)^2]}{2 s^2} + \tfrac{1}{2} \log 2 \pi ,$$
#
# which is smallest where $m$ is the target's mean and $s^2$ its variance. The reverse fit sits on one hump and ignores
# the other. Which one depends on the start: each is a local minimum, and each costs $-\log$ of the share it has caught.
# Leaving out 35% of the target costs a reverse fit only 0.43 nats; as a forward KL, the same fit would cost 6.8.
#
# A VAE contains both. Maximising $\log p(x)$ over data is a forward KL from the data to the model: the model must cover
# all the clothes. The encoder, as we will see next, is fitted with the reverse one,
# $\mathrm{KL}(q(z|x) \,\|\, p(z|x))$, because we can average over our own $q$, but have no samples of the true
# posterior. So $q(z|x)$ tends to be too narrow and to choose one of several explanations.
#
# ### Explore both directions
#
# Move $q$'s mean and width. Where is each KL smallest? Can you find a place where both are tolerable? The panels
# show four places; read the two numbers above each.


# %% directions-twin
def both_directions(m, s):
    """Chart of the target and q = N(m, s^2), KL(p || q) and KL(q || p)."""
    log_q = Normal(torch.tensor(m).double(), torch.tensor(s).double()).log_prob(grid)
    lines = [plots.Series("p", grid[::3], log_p.exp()[::3]), plots.Series("q", grid[::3], log_q.exp()[::3])]
    chart = plots.Chart(lines, (-6, 6), (0, 1), "z", "density")
    return chart, kl_on_grid(log_p, log_q).item(), kl_on_grid(log_q, log_p).item()


places = ((-2.0, 0.6), (-0.6, 2.0), (0.0, 0.5), (2.0, 0.8))
shown = [both_directions(m, s) for m, s in places]
titles = [f"m = {m:g}, s = {s:g}\nKL(p||q) {f:.1f}\nKL(q||p) {r:.1f}"
          for (m, s), (_, f, r) in zip(places, shown, strict=True)]  # fmt: skip
axes = plots.panel_table({"densities": [chart for chart, _, _ in shown]}, column_titles=titles)


# %% directions-explorer
def directions_text(m, s):
    _, forward, reverse = both_directions(m, s)
    return f"Forward KL(p || q) = {forward:.2f} nats, reverse KL(q || p) = {reverse:.2f} nats."


directions_explorer = widgets.FunctionSliders(
    lambda m, s: {"target p and your q": both_directions(m, s)[0]},
    {"mean of q": (-4, 4, 0), "std of q": (0.4, 3, 1)}, describe=directions_text, title="Forward and reverse KL",
)  # fmt: skip
directions_explorer.move_to(-0.6, 2)
directions_explorer

# %% [markdown] elbo-idea
# ## 5. The ELBO, derived twice
#
# A model says how data come about: draw a code $z \sim p(z)$, then data $x \sim p(x|z)$. How probable is a given $x$
# under it? The answer, $\log p(x)$, is called the **evidence**. It is what we would like to maximise over the training
# data, and it needs all codes at once:
#
# $$\log p(x) = \log \int p(z)\, p(x|z) \, dz .$$
#
# With a network inside, nobody can do this integral. But we can bring in another distribution $q(z)$ that we can
# sample from, and multiply and divide by it. It must only be positive wherever $p(z)\, p(x|z)$ is:
#
# $$\log p(x) = \log \mathbb{E}_{q}\big[ w(z) \big], \qquad w(z) = \frac{p(z)\, p(x|z)}{q(z)} .$$
#
# **First derivation: Jensen's inequality.** The logarithm bends downwards (it is *concave*), so the logarithm of a mean
# is at least the mean of the logarithms:
#
# $$\log p(x) = \log \mathbb{E}_q[w] \;\geq\; \mathbb{E}_q[\log w] .$$
#
# Now $\log w = \log p(x|z) - \big(\log q(z) - \log p(z)\big)$, and the mean of the bracket under $q$ is the KL
# divergence from $q$ to the prior. So the right-hand side is
#
# $$\mathbb{E}_q[\log w] = \mathbb{E}_q\big[\log p(x|z)\big] - \mathrm{KL}(q(z) \,\|\, p(z)) =: \mathrm{ELBO} .$$
#
# It holds for every such $q$, and says that the ELBO is a lower bound. It does not say how much is missing.
#
# **Second derivation: the definition of the posterior.** Since $p(z)\,p(x|z) = p(x)\,p(z|x)$, we have $\log w(z) = \log
# p(x) + \log p(z|x) - \log q(z)$. Take the mean under $q$ of both sides; $\log p(x)$ does not depend on $z$:
#
# $$\log p(x) = \mathrm{ELBO} + \mathrm{KL}(q(z) \,\|\, p(z|x)) .$$
#
# What is missing is a KL divergence, in the reverse direction, from $q$ to the true posterior. So raising the ELBO over
# $q$ brings $q$ nearer to the posterior, and the bound is tight exactly where $q$ is the posterior.
#
# ### Checked on a grid
#
# A small model, one number $z$ and one number $x$, with a curved decoder: $z \sim \mathcal{N}(0, 1)$ and $x | z \sim
# \mathcal{N}(z^2, 0.4^2)$. We see $x = 1.4$. Both $z \approx 1.2$ and $z \approx -1.2$ explain it, so the posterior has
# two humps. Four choices of $q$ follow. Which will have the highest ELBO?

# %% identity
x_seen = 1.4


def log_joint(z):
    """log p(z) + log p(x_seen | z)."""
    return Normal(0.0, 1.0).log_prob(z) + Normal(z**2, 0.4).log_prob(torch.tensor(x_seen))


log_evidence = torch.logsumexp(log_joint(grid), dim=0) + step.log()  # the integral, as a sum over the grid
log_posterior = log_joint(grid) - log_evidence
candidates = {"one hump": (1.1, 0.18), "wide": (0.0, 1.2), "the prior": (0.0, 1.0), "off": (1.8, 0.3)}
print("q                ELBO   KL(q || p(z|x))      sum   log p(x)")
for name, (m, s) in candidates.items():
    log_q = Normal(m, s).log_prob(grid)
    elbo = (log_q.exp() * (log_joint(grid) - log_q)).sum() * step
    gap = kl_on_grid(log_q, log_posterior)
    print(f"{name:12s} {elbo:8.3f} {gap:17.3f} {elbo + gap:8.3f} {log_evidence:10.3f}")
z = torch.randn(400_000, generator=torch.Generator().manual_seed(1))  # from the prior: no q at all
by_prior = Normal(z**2, 0.4).log_prob(torch.tensor(x_seen)).exp().mean().log()
print(f"log of the mean of p(x|z) over 400,000 draws from the prior: {by_prior:.3f}")

# %% [test] identity-holds
for m, s in candidates.values():
    log_q = Normal(m, s).log_prob(grid)
    elbo = (log_q.exp() * (log_joint(grid) - log_q)).sum() * step
    gap = kl_on_grid(log_q, log_posterior)
    assert abs(elbo + gap - log_evidence) < 1e-6
assert abs(by_prior - log_evidence) < 0.02

# %% [markdown] identity-figure-intro
# Before you look: which $q$ puts draws where the posterior has next to nothing, and how many of them? The ELBO is an
# average over these draws.

# %% identity-figure
series = {"true posterior": (grid, log_posterior.exp())}
series |= {name: (grid, Normal(m, s).log_prob(grid).exp()) for name, (m, s) in candidates.items()}
figure, ax = plt.subplots(figsize=(8.5, 2.8), layout="constrained")
ax = plots.curves(series, "z", "density", ax=ax)
ax.set(xlim=(-3.5, 3.5))
misfit = (grid**2 - x_seen) ** 2 / 0.32  # what a code costs in -log p(x|z), in nats: 0.32 is twice 0.4^2
share, far = Normal(0.0, 1.2).log_prob(grid).exp() * step, grid.abs() > 1.99  # of the wide q; from 2 on
print(f"the wide q: {share[far].sum():.0%} of the draws have |z| >= 2 and cost at least {misfit[far].min():.0f} nats;")
paid = share * misfit
print(f"they make up {paid[far].sum():.1f} of the {paid.sum():.1f} nats that a draw costs on average")

# %% [test] identity-figure-holds
assert paid[far].sum() > 0.6 * paid.sum()

# %% [markdown] identity-seen
# The sum is $\log p(x)$ in every row, to all digits, whatever $q$ is. But that is algebra, and had to come out: the
# posterior was computed from the number in the last column, and with any other number there the rows would agree as
# well. What shows that this number is $\log p(x)$ is the printed line: the mean of $p(x|z)$ over the prior, in which no
# $q$ occurs, has the same logarithm.
#
# The best of the four sits on one hump and misses the evidence by about $\log 2 = 0.69$ nats, since half of the
# posterior is left out: the reverse KL of section 4 at work. The wide one covers both humps and still loses 11 nats. A
# draw at $z$ costs $(z^2 - 1.4)^2 / 0.32$ nats in $\log p(x|z)$, which is 21 at $z = 2$ and grows fast beyond: about
# one draw in ten lies there, and these few pay most of the bill.
#
# ### Jensen's inequality, drawn
#
# Eight draws of $z$ from a $q$ somewhat too wide for its hump, and their weights $w$. The upper star is the logarithm
# of the mean weight, the lower one the mean of the logarithms; what Jensen's inequality loses lies between them. Which
# draws pull the lower star down?

# %% jensen-figure
q = Normal(1.15, 0.4)
z = q.mean + q.stddev * torch.randn(8, generator=g)
w = (log_joint(z) - q.log_prob(z)).exp()
line = torch.linspace(0.6 * w.min().item(), 1.1 * w.max().item(), 200)
figure, ax = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
ax = plots.curves({"log w": (line, line.log()), "draws": (w.sort().values, w.sort().values.log())}, "w", "log w", ax=ax)
ax.lines[1].set_linestyle("")
high, low = w.mean().log(), w.log().mean()
ax.plot([w.mean()] * 2, [low, high], color="0.2", linewidth=1)
ax.text(1.04 * w.mean(), (low + high) / 2, "gap", va="center", fontsize=10)
ax.plot(w.mean(), high, "*", markersize=15, markerfacecolor="none", color=plots.PALETTE[2], label="log of the mean")
ax.plot(w.mean(), low, "*", markersize=15, color=plots.PALETTE[4], label="mean of the logs")
ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
print(f"log of the mean {high:.3f}, mean of the logs {low:.3f}")

# %% [test] jensen-figure-holds
assert high > low

# %% jensen-check
q = Normal(0.0, 1.2)  # the wide one: it covers both humps
z = q.mean + q.stddev * torch.randn(400_000, generator=g)
log_w = (log_joint(z) - q.log_prob(z)).double()
w = log_w.exp()
error = 1.96 * w.std() / w.mean() / math.sqrt(len(w))  # of log(mean w), to first order
print(f"log of the mean of 400,000 weights: {w.mean().log():.3f} +- {error:.3f}; log p(x) = {log_evidence:.3f}")
print(f"mean of their logarithms: {log_w.mean():.3f} +- {1.96 * log_w.std() / math.sqrt(len(w)):.3f}, the ELBO above")

# %% [test] jensen-check-holds
assert abs(w.mean().log() - log_evidence) < 2 * error + 1e-3

# %% [markdown] elbo-signs
# The draws with the smallest weights pull the lower star down: a code that explains $x$ badly has a very negative
# logarithm, but adds next to nothing to the mean weight.
#
# Two signs to keep apart. $\log p(x|z)$ is **maximised**. The reconstruction term `recon` is its negative, a loss. So
#
# $$\mathrm{ELBO} = -(\mathtt{recon} + \mathtt{kl}), \qquad \mathtt{loss} = \mathtt{recon} + \mathtt{kl} =
# -\mathrm{ELBO} .$$
#
# In a VAE $q$ depends on $x$ through the encoder, $q(z|x)$; nothing in the derivations changes. And the expectation of
# $\log p(x|z)$ is estimated with a single draw of $z$, reparameterized, so that its gradient reaches the encoder. That
# is an unbiased estimate of the ELBO.

# %% [markdown] elbo-task
# ### Exercise 2: the ELBO from one sample
#
# *Medium, about 10 minutes.* Everything is given: the encoder's output, the noise, and a function that returns the
# reconstruction term. Your function from exercise 1 is at hand.


# %% elbo-exercise
def one_sample_elbo(negative_log_likelihood, x, mu, logvar, eps):
    """Estimate of the ELBO of each example from one sample of z.

    Args:
        negative_log_likelihood: Function of x and z (B, D) that returns -log p(x|z) in nats, (B,).
        x: Examples, (B, ...).
        mu: Means of q(z|x), (B, D).
        logvar: Logarithms of its variances, (B, D).
        eps: Noise from N(0, I), (B, D): make z from it.

    Returns:
        The ELBO, (B,); larger is better. The prior is N(0, I), and the KL term is the closed form.
    """
    ### BEGIN SOLUTION
    z = mu + torch.exp(0.5 * logvar) * eps
    recon = negative_log_likelihood(x, z)
    kl = kl_standard_normal(mu, logvar)
    return -(recon + kl)
    ### END SOLUTION


# %% elbo-check
one_sample_elbo = checks.accept("one-sample-elbo", one_sample_elbo)

# %% [markdown] elbo-hints
# <details><summary>Hint 1</summary>
#
# Four steps: z from `mu`, `logvar` and `eps`, as in lesson 05; `recon` from the given function; `kl` from exercise 1;
# and a sign.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Both `recon` and `kl` have shape (B,) and count nats that are *lost*. The ELBO is minus their sum. Do not average over
# the batch: each example has its own bound.
#
# </details>

# %% [markdown] exact-idea
# ## 6. A model with exact answers
#
# For images we shall never know $\log p(x)$. So we first test our tools where we do: with a **linear decoder** and
# Gaussian noise,
#
# $$z \sim \mathcal{N}(0, I), \qquad x | z \sim \mathcal{N}(W z + b,\, \sigma^2 I) ,$$
#
# everything is Gaussian. The evidence is the density of $\mathcal{N}(b,\, W W^\top + \sigma^2 I)$. The posterior is
# Gaussian too: its precision (inverse covariance) is $\Sigma_z^{-1} = I + W^\top W / \sigma^2$, its mean $\Sigma_z
# W^\top (x - b) / \sigma^2$. This model is PCA with a probability attached: Tipping and Bishop's probabilistic PCA.


# %% exact-answers
def exact_answers(weight, bias, std, x):
    """log p(x) (B,), and mean (B, D) and covariance (D, D) of p(z|x), for x (B, P) and weight (P, D)."""
    num_pixels, latent_dim = weight.shape
    covariance_x = weight @ weight.T + std**2 * torch.eye(num_pixels)
    log_evidence = MultivariateNormal(bias, covariance_x).log_prob(x)
    covariance_z = torch.linalg.inv(torch.eye(latent_dim) + weight.T @ weight / std**2)
    mean_z = (x - bias) @ weight @ covariance_z / std**2
    return log_evidence, mean_z, covariance_z


# %% exact-model
from course_utils.models.linear_gaussian import LinearGaussian  # course_utils/models/linear_gaussian.py

axes_of_x = torch.linalg.qr(torch.randn(6, 2, generator=g)).Q  # two orthogonal directions in six dimensions
weight, bias, std = axes_of_x * torch.tensor([1.5, 1.0]), torch.randn(6, generator=g), 0.7
linear = LinearGaussian(weight, bias, std)
x_six = linear.sample(100, g)  # (100, 6), from the model itself
log_px, mean_z, covariance_z = exact_answers(weight, bias, std, x_six)
mu, logvar = linear.posterior(x_six)  # q(z|x): the best diagonal one, unless scale and offset make it worse
print(f"variances of the true posterior {covariance_z[0, 0]:.3f} and {covariance_z[1, 1]:.3f}, covariance "
      f"{covariance_z[0, 1].abs():.3f}; of q {logvar[0, 0].exp():.3f} and {logvar[0, 1].exp():.3f}")  # fmt: skip
print(f"mean over 100 examples: log p(x) {log_px.mean():.3f}, ELBO {linear.elbo(x_six).mean():.3f}")

# %% [test] exact-model-holds
assert torch.allclose(log_px, linear.log_evidence(x_six), atol=1e-4)
assert torch.allclose(linear.elbo(x_six), log_px, atol=1e-4)  # q is the posterior, so the bound is tight

# %% [markdown] exact-bad-intro
# Here $q$ is the true posterior and the ELBO equals the evidence. Now we spoil $q$: its mean is moved by 0.6 in both
# dimensions, and its standard deviation is made 1.5 times as large. Your estimate of the ELBO, averaged over many
# samples, should agree with the exact ELBO, and the exact gap should fill the rest.

# %% exact-bad
spoiled = LinearGaussian(weight, bias, std, offset=0.6, scale=1.5)
mu, logvar = spoiled.posterior(x_six)
draws = torch.stack([
    one_sample_elbo(spoiled.negative_log_likelihood, x_six, mu, logvar, torch.randn(mu.shape, generator=g))
    for _ in range(200)
])  # (200, 100)  # fmt: skip
estimate, error = draws.mean(), draws.mean(dim=1).std() / math.sqrt(len(draws))
print(f"ELBO estimated by your function  {estimate:.3f} +- {1.96 * error:.3f}, mean over 100 examples")
print(f"ELBO, exact                      {spoiled.elbo(x_six).mean():.3f}")
print(f"gap KL(q || p(z|x)), exact       {spoiled.gap(x_six).mean():.3f}")
print(f"log p(x)                         {log_px.mean():.3f}")

# %% [test] exact-bad-holds
assert torch.allclose(spoiled.elbo(x_six) + spoiled.gap(x_six), log_px, atol=1e-3)
assert abs(estimate - spoiled.elbo(x_six).mean()) < 4 * error

# %% [markdown] iwae-idea
# ### More samples inside the logarithm: IWAE
#
# Jensen's inequality costs less when the mean under the logarithm is steadier. So average $K$ weights *before* taking
# the logarithm:
#
# $$\mathrm{IWAE}_K = \mathbb{E}\left[ \log \frac{1}{K} \sum_{k=1}^{K} w_k \right], \qquad
# w_k = \frac{p(x|z_k)\, p(z_k)}{q(z_k|x)}, \quad z_k \sim q(z|x) .$$
#
# For $K = 1$ this is the ELBO. It never falls as $K$ grows, and if $q(z|x)$ is positive wherever $p(x|z)\, p(z)$ is, it
# tends to $\log p(x)$ (Burda, Grosse and Salakhutdinov 2015). Mind the order: the *mean of the logarithms* of $K$
# weights is the ELBO however large $K$ is, only steadier.
#
# There is a numerical trap. For an image, $\log w$ is around $-250$. What is $e^{-250}$ in float32?

# %% underflow
log_w = torch.tensor([-251.0, -249.0, -256.0])
print("weights:", log_w.exp().tolist(), " log of their mean:", log_w.exp().mean().log().item())

# %% [test] underflow-holds
assert log_w.exp().max() == 0

# %% [markdown] iwae-task
# All zero, and the bound is $-\infty$. The remedy is to take out the largest logarithm $m$ first. Nothing is lost,
# because
#
# $$\log \frac{1}{K} \sum_k e^{a_k} = m + \log \frac{1}{K} \sum_k e^{a_k - m}, \qquad m = \max_k a_k ,$$
#
# and now the largest term is $e^0 = 1$. This is called log-mean-exp.
#
# ### Exercise 3: the IWAE bound
#
# *Medium, about 15 minutes.* From the logarithms of the joint density and of $q$. Some inputs of the check are as
# large as those of images.


# %% iwae-exercise
def iwae(log_joint, log_q):
    """The bound log (1/K sum_k w_k) of each example.

    Args:
        log_joint: log p(x|z_k) + log p(z_k), (K, B).
        log_q: log q(z_k|x), (K, B).

    Returns:
        One bound for each example, (B,), finite also where exp of a weight is not.
    """
    ### BEGIN SOLUTION
    log_weights = log_joint - log_q  # (K, B)
    largest = log_weights.max(dim=0).values  # (B,)
    return largest + (log_weights - largest).exp().mean(dim=0).log()
    ### END SOLUTION


# %% iwae-check
iwae = checks.accept("iwae", iwae)

# %% [markdown] iwae-hints
# <details><summary>Hint 1</summary>
#
# Begin with `log_weights = log_joint - log_q`, shape (K, B). Samples lie along dimension 0, so that is the dimension to
# take the maximum and the mean over. `max(dim=0)` returns values and positions.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Subtract each example's own largest log-weight, then `exp`, then the mean over dimension 0, then `log`, and add the
# largest one back. `torch.logsumexp` does all this for a *sum*; then $\log K$ has to be subtracted.
#
# </details>

# %% [markdown] gap-figure-intro
# Now the picture that no real model can give us: evidence, ELBO and IWAE bounds on one axis, in nats. On the left $q$
# approaches the posterior: its mean's offset falls to 0. On the right $K$ grows, for three offsets. Look at where the
# lines meet, and at how far $K$ helps when $q$ is bad.


# %% gap-functions
def log_densities(model, x, num_samples, generator):
    """log p(x, z_k) and log q(z_k|x) for K samples of z from q, both (K, B)."""
    mu, logvar = (t.expand(num_samples, *t.shape) for t in model.posterior(x))  # (K, B, D)
    z = mu + torch.exp(0.5 * logvar) * torch.randn(mu.shape, generator=generator)
    every_x = x.expand(num_samples, *x.shape).flatten(0, 1)
    log_likelihood = -model.negative_log_likelihood(every_x, z.flatten(0, 1)).reshape(mu.shape[:2])
    log_prior = Normal(0.0, 1.0).log_prob(z).sum(dim=2)
    return log_likelihood + log_prior, Normal(mu, torch.exp(0.5 * logvar)).log_prob(z).sum(dim=2)


ks = [1, 2, 4, 8, 16, 32, 64, 128, 256]


def bounds_at(offset, scale):
    """Means over the examples: the exact ELBO, and the IWAE bounds for all ks, for a q that is off by so much."""
    model = LinearGaussian(linear.weight, linear.bias, linear.std, offset=offset, scale=scale)
    log_joint, log_q = log_densities(model, x_six, max(ks), torch.Generator().manual_seed(0))
    return model.elbo(x_six).mean().item(), [iwae(log_joint[:k], log_q[:k]).mean().item() for k in ks]


# %% gap-figure
offsets = [1.2, 1.0, 0.8, 0.6, 0.4, 0.2, 0.0]
rows, evidence = [bounds_at(offset, 1.0) for offset in offsets], log_px.mean().item()
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout="constrained")
series = {"ELBO": (offsets, [elbo for elbo, _ in rows])}
series |= {f"IWAE, K = {k}": (offsets, [bounds[ks.index(k)] for _, bounds in rows]) for k in (4, 32, 256)}
plots.curves(series, "offset of q's mean", "nats (mean over 100 examples)", ax=left)
left.invert_xaxis()
series = {f"offset {offsets[i]}": (ks, rows[i][1]) for i in (5, 3, 0)}
plots.curves(series, "K, samples in the bound", "", log_x=True, ax=right)
for ax in (left, right):
    ax.axhline(evidence, color="black", linewidth=1, zorder=3, label="log p(x)")
    ax.legend(frameon=False, fontsize=9, loc="lower right")

# %% gap-claims
print("offset   ELBO   K = 4   K = 32   K = 256   log p(x)")
for offset, (elbo, bounds) in zip(offsets, rows, strict=True):
    print(f"{offset:6.1f} {elbo:7.2f} {bounds[2]:7.2f} {bounds[5]:8.2f} {bounds[8]:9.2f} {evidence:10.2f}")

# %% [test] gap-claims-holds
for elbo, bounds in rows:
    assert elbo < bounds[2] + 0.1
    assert bounds[2] < bounds[5] + 0.05
    assert bounds[5] < bounds[8] + 0.05
    assert bounds[8] < evidence + 0.1
assert abs(rows[-1][0] - evidence) < 1e-3
assert evidence - rows[0][0] > 3  # a bad q loses nats in the ELBO ...
assert evidence - rows[0][1][8] < 0.25 * (evidence - rows[0][0])  # ... and 256 samples win most of them back

# %% [markdown] gap-seen
# On the left all lines run into the evidence as the offset vanishes: the gap is $\mathrm{KL}(q \| p(z|x))$, which grows
# with the square of the offset. On the right each doubling of $K$ wins something, on the whole less and less, and the
# worse $q$ is, the more samples it takes.
#
# The IWAE values are estimates from one set of draws. So $K = 1$ lies beside the exact ELBO, by about a tenth for the
# largest offset, and where the bound is tight an estimate may come out a hundredth above $\log p(x)$. This contradicts
# nothing: the bound holds for the expectation.
#
# ### Explore the gap
#
# Two sliders spoil $q$: the offset of its mean, and the factor on its standard deviation. The panels show four
# settings. Is it worse for $q$ to be half as wide as the posterior, or twice as wide? What does the IWAE bound say to
# that?


# %% gap-twin
def gap_chart(offset, scale):
    """Chart of log p(x), the ELBO and the IWAE bounds over K, and the ELBO's gap."""
    elbo, bounds = bounds_at(offset, scale)
    lines = [
        plots.Series("log p(x)", ks, [evidence] * len(ks)),
        plots.Series("ELBO", ks, [elbo] * len(ks)),
        plots.Series("IWAE", ks, bounds),
        plots.Series("", ks, bounds, "points", color=2),
    ]
    chart = plots.Chart(lines, (1, 256), (evidence - 5, evidence + 0.5), "K, samples in the bound", "nats", log_x=True)
    return chart, evidence - elbo, evidence - bounds[-1]


places = ((0.0, 1.0), (0.0, 0.5), (0.0, 2.0), (1.0, 1.0))
shown = [gap_chart(offset, scale) for offset, scale in places]
titles = [f"offset {o:g}, scale {s:g}\ngap {gap:.2f}" for (o, s), (_, gap, _) in zip(places, shown, strict=True)]
axes = plots.panel_table({"bounds": [chart for chart, _, _ in shown]}, column_titles=titles)


# %% gap-explorer
def gap_text(offset, scale):
    _, gap, left_over = gap_chart(offset, scale)
    return f"The ELBO lacks {gap:.2f} nats of log p(x), the IWAE bound with K = 256 about {left_over:.2f}, by sampling."


gap_explorer = widgets.FunctionSliders(
    lambda offset, scale: {"evidence and bounds": gap_chart(offset, scale)[0]},
    {"offset of q's mean": (0, 1.2, 0), "scale of q's std": (0.3, 2.5, 1)}, describe=gap_text, title="The gap",
)  # fmt: skip
gap_explorer.move_to(0.6, 1)
gap_explorer

# %% narrow
for name, scale in (("half", 0.5), ("twice", 2.0)):
    print(f"{name} as wide as the posterior: the ELBO lacks {gap_chart(0, scale)[1]:.2f} nats, "
          f"IWAE with K = 256 lacks {gap_chart(0, scale)[2]:.2f}")  # fmt: skip

# %% [test] narrow-holds
assert gap_chart(0, 2.0)[1] > 2 * gap_chart(0, 0.5)[1]
assert gap_chart(0, 2.0)[2] < gap_chart(0, 0.5)[2]

# %% [markdown] narrow-seen
# Too wide costs the ELBO more than equally many times too narrow: the average is over $q$, and a wide $q$ spends it on
# codes that explain nothing. For IWAE it is the other way round: a wide $q$ covers the posterior, and the weights pick
# out the good part. A narrow one hardly ever visits the rest, and when it does, the weight there is huge. For
# Gaussians the variance of the weights is infinite once $q$'s variance is less than half of the posterior's, and half
# the width is a quarter of the variance.
#
# Two ways in which the gap stays open, however long the encoder trains:

# %% stuck
correlated = weight @ torch.tensor([[1.0, 0.8], [0.0, 1.0]])  # columns that are no longer orthogonal
tilted = LinearGaussian(correlated, bias, std)  # with its best diagonal q
tilted_gap = tilted.gap(x_six).mean().item()  # the same for every x
q = Normal(1.1, 0.18)  # section 5: on one of two humps
z = q.mean + q.stddev * torch.randn(256, 200, generator=g)
one_hump = iwae(log_joint(z), q.log_prob(z)).mean().item()
print(f"a diagonal q for a posterior with correlated dimensions: gap {tilted_gap:.2f} nats at its best")
print(f"one hump of two, 256 samples: bound {one_hump:.2f}, log p(x) {log_evidence:.2f}; log 2 = {math.log(2):.2f}")

# %% [test] stuck-holds
assert tilted_gap > 0.1
assert abs(log_evidence - one_hump - math.log(2)) < 0.15

# %% [markdown] stuck-seen
# A diagonal $q$ cannot tilt. And a $q$ on one hump never draws from the other, so its 256 weights all look alike, and
# the bound seems to have converged, $\log 2$ below the truth. **A bound that no longer moves is not thereby tight.**

# %% [markdown] real-intro
# ### A real VAE
#
# Now the reference VAE with two numbers in its code. The tools are those of the package, which are yours in another
# dress. $\log p(x)$ is unknown here; we can only see how far the bound rises.

# %% real-vae
from course_utils.losses import elbo as elbo_of  # course_utils/losses.py: the two bounds for any model
from course_utils.losses import iwae_bound

vae = load_reference("vae_2d", device)
x_some = test.pixels(slice(0, 48)).to(device)
with torch.no_grad():
    bounds = {k: iwae_bound(vae, x_some, k) for k in (1, 4, 16, 64)}  # (48,) each
    elbos = torch.stack([elbo_of(vae, x_some) for _ in range(8)])  # (8, 48)
    mu, logvar = vae.posterior(x_some)
    mine = one_sample_elbo(vae.negative_log_likelihood, x_some, mu, logvar, torch.randn_like(mu))
many, real = elbos.mean(dim=1), {k: bound.mean().item() for k, bound in bounds.items()}
rise = bounds[64] - elbos.mean(dim=0)  # image by image: what differs between images drops out
error = rise.std() / math.sqrt(len(rise))
print(f"ELBO, package: {many.mean():.2f}, single estimates spread by {many.std():.2f}; yours: {mine.mean():.2f}")
print("IWAE:", ", ".join(f"K = {k}: {bound:.2f}" for k, bound in real.items()), "nats, mean over 48 test images")
print(f"from the ELBO to K = 64: {rise.mean():.2f} +- {1.96 * error:.2f} nats; "
      f"median {rise.median():.1f}, largest {rise.max():.1f}")  # fmt: skip

# %% [test] real-vae-holds
assert abs(mine.mean() - many.mean()) < 5
assert many.mean() < real[16] < real[64] + 0.3
assert rise.mean() > 2 * error
assert rise.median() < rise.mean() < rise.max() / 2

# %% [markdown] real-seen
# The bound rises by two or three nats on average, with an error bar of about one: many images gain a nat or less, and a
# few gain several times the mean. The ELBO of this VAE has a gap of at least that much. It has two parts (Cremer, Li
# and Duvenaud 2018). The posterior is no diagonal Gaussian, so even the best one leaves an **approximation gap**. And
# one encoder serves all images, so for a given image it misses that best one: the **amortisation gap**. How large each
# of them is, and how much more is hidden, these numbers cannot say.

# %% [markdown] likelihood-idea
# ## 7. What BCE and MSE assume
#
# The reconstruction term is $-\log p(x|z)$, so choosing a loss is choosing a distribution for the pixels.
#
# **Bernoulli.** Each pixel is a coin that shows white with probability $\hat{x}$. Then $-\log p(x|z)$ is binary
# cross-entropy, summed over pixels. For black-and-white images this is exact. Grey values are commonly taken as the
# coin's mean, as in this course: a useful loss, but no longer the probability of an image.
#
# **Gaussian.** Each pixel is $\hat{x}$ plus noise of standard deviation $\sigma$:
#
# $$-\log p(x|z) = \sum_{\text{pixels}} \left[ \frac{(x - \hat{x})^2}{2 \sigma^2} + \log \sigma + \tfrac{1}{2} \log 2
# \pi \right] .$$
#
# So squared error *without* the factor $1 / (2 \sigma^2)$ assumes $\sigma^2 = \frac{1}{2}$, a noise of 0.71 on pixels
# between 0 and 1. Nobody believes that. The choice of $\sigma$ is a choice of how much the reconstruction counts
# against the KL term.


# %% gaussian-nll-function
def gaussian_nll(x_hat, x, std):
    """-log p(x|z) for pixels x_hat + std * noise, in nats, (B,): summed over C, H, W."""
    per_pixel = 0.5 * ((x - x_hat) / std) ** 2 + math.log(std) + 0.5 * math.log(2 * math.pi)
    return per_pixel.flatten(1).sum(dim=1)


# %% gaussian-nll
x_some = x_some.cpu()
with torch.no_grad():
    x_hat = vae.decode(mu).cpu()
squares = (x_hat - x_some).square().flatten(1).sum(dim=1)
rest = gaussian_nll(x_hat, x_some, math.sqrt(0.5)) - squares  # the same constant for every image
print(f"with std^2 = 1/2, the NLL is the squared error plus {rest.mean():.1f}, the same for all: {rest.std():.4f}")

# %% [test] gaussian-nll-holds
by_torch = -Normal(x_hat, 0.2).log_prob(x_some).flatten(1).sum(dim=1)
assert torch.allclose(gaussian_nll(x_hat, x_some, 0.2), by_torch, rtol=1e-4)
assert rest.std() < 1e-2

# %% [markdown] std-figure-intro
# Which $\sigma$ fits best? The curve shows the negative log-likelihood of the VAE's reconstructions over $\sigma$; the
# root mean squared error is printed below. Where is the lowest point?

# %% std-figure
stds = torch.logspace(-1.1, 0.1, 60)
nll = torch.stack([gaussian_nll(x_hat, x_some, s.item()).mean() for s in stds])
figure, ax = plt.subplots(figsize=(6.5, 2.8), layout="constrained")
ax = plots.curves({"Gaussian": (stds, nll)}, "std of a pixel", "-log p(x|z) in nats", log_x=True, ax=ax)
best, rmse = stds[nll.argmin()].item(), (x_hat - x_some).square().mean().sqrt().item()
ax.axvline(rmse, color="0.4", linestyle=":")
ax.text(1.04 * rmse, nll.max(), "RMSE", va="top", fontsize=10)
print(f"lowest at std = {best:.3f}; root mean squared error {rmse:.3f}; (1 / rmse)^2 = {1 / rmse**2:.0f}")

# %% [test] std-figure-holds
assert abs(best / rmse - 1) < 0.06

# %% [markdown] std-seen
# The best $\sigma$ is the root mean squared error. Set to 1 by default, as many programs do, the noise is several times
# too large and squared error counts for too little: in effect the KL term is weighted with $(1 / \mathrm{RMSE})^2$, the
# last number above. So $\sigma$ is a weight of the KL term under another name; section 8 comes back to it.
#
# ### Targets in [0, 1]
#
# A coin's mean lies in $[0, 1]$. What happens when standardised pixels, or noise, are given as targets of a
# cross-entropy? Look closely at the last line.

# %% bce-targets
from course_utils.losses import bernoulli_nll, bits_per_dim, effective_beta  # course_utils/losses.py

normal_noise = torch.tensor([[-1.3, 0.2, 0.7, 2.1]])
for name, loss in (("F.binary_cross_entropy", lambda: F.binary_cross_entropy(torch.full((1, 4), 0.5), normal_noise)),
                   ("bernoulli_nll", lambda: bernoulli_nll(torch.zeros(1, 4), normal_noise))):  # fmt: skip
    try:
        print(f"{name} returns {loss():.2f}")
    except (RuntimeError, ValueError) as error:
        print(f"{name} raises {type(error).__name__}: {error}")
certain = [F.binary_cross_entropy_with_logits(s * normal_noise, normal_noise, reduction="sum") for s in (1, 10, 100)]
print("F.binary_cross_entropy_with_logits raises nothing; logits times 1, 10, 100:", [f"{c:.0f}" for c in certain])

# %% [test] bce-targets-holds
assert certain[2] < -100

# %% [markdown] bce-seen
# The form with logits accepts such targets in silence, and then has no lowest value: pushing the logits of a target
# above 1 ever higher lowers the loss without end. Our `bernoulli_nll` refuses.
#
# ### Nats and bits per dimension
#
# A loss of 250 nats an image says little to someone with images of another size. Divide by the number of pixels and by
# $\log 2$, and it becomes **bits per dimension**. A Gaussian gives a *density*, measured against a pixel that is
# uniform on $[0, 1]$; to compare with codes for 256 grey levels, $\log_2 256 = 8$ is added. Strictly, this needs
# **dequantisation**: noise, uniform over the width of one grey level, is added to the pixels first. Then the mean
# log-density, with the 8 bits, is a lower bound on the log-probability of the grey levels (Theis, van den Oord and
# Bethge 2016). Without it a density could be made as large as you like, by peaks on the 256 values. We leave the noise
# out here, so our number is only an orientation.

# %% bits
negative_elbo = -many.mean().item()
floor = F.binary_cross_entropy(x_some, x_some, reduction="none").flatten(1).sum(dim=1).mean().item()
kl = kl_standard_normal(mu, logvar).mean().item()
with torch.no_grad():
    x_hat_drawn = vae.decode(reparameterize(mu, logvar)).cpu()  # at a draw from q, as the ELBO asks, not at q's mean
gaussian = gaussian_nll(x_hat_drawn, x_some, rmse).mean().item() + kl
print(f"Bernoulli: -ELBO {negative_elbo:.1f} nats = {bits_per_dim(negative_elbo, 784):.3f} bits per dimension")
print(f"  of which {floor:.1f} nats are the entropy of the grey values, which no reconstruction can go below")
print(f"Gaussian:  {gaussian:.1f} nats = {bits_per_dim(gaussian, 784):.3f} bits per dimension, "
      f"{bits_per_dim(gaussian, 784) + 8:.3f} for 256 grey levels")  # fmt: skip

# %% [test] bits-holds
assert abs(bits_per_dim(negative_elbo, 784) - negative_elbo / 784 / math.log(2)) < 1e-9
assert 0 < floor < negative_elbo
assert gaussian < 0  # a density may be larger than 1

# %% [markdown] bits-seen
# The two lines cannot be compared with each other: one is a cross-entropy with grey values as means, the other a
# density, which is why it may be negative. Compare bounds only between models with the same likelihood on the same
# data.

# %% [markdown] reduction-idea
# ## 8. The reduction pitfall
#
# The ELBO of an image is a **sum** over pixels plus a **sum** over dimensions. Loss functions of libraries average by
# default. An average over both terms alike does no harm: the loss is then a multiple of the ELBO. But if one term is
# divided by 784 and the other is not, their balance is changed 784-fold, and balance is what $\beta$ is. The program
# says $\beta = 1$ and means something else.
#
# A meter for this needs no reading of code. Let the terms be `recon` (B, P), one number for each pixel, and `kl` (B,
# D), one for each dimension, all in nats. A loss is some function of the two. Raise *one* entry of `kl` by one nat: how
# much does the loss change, compared with a change of one nat in *one* entry of `recon`? That ratio is the **effective
# beta**. Both changes are gradients.

# %% [markdown] beta-task
# ### Exercise 4: an effective-beta meter
#
# *Medium, about 10 minutes.* Write it for any loss. Use it on your own projects.


# %% beta-exercise
def measure_beta(loss, recon, kl):
    """The beta that a loss really has.

    Args:
        loss: Function of recon and kl that returns a scalar, a weighted sum or mean of their entries.
        recon: -log p(x|z) of each pixel in nats, (B, P), asking for gradients.
        kl: KL of each dimension in nats, (B, D), asking for gradients.

    Returns:
        A float: what one nat in one entry of kl costs, divided by what one nat in one entry of recon costs.
    """
    ### BEGIN SOLUTION
    per_recon, per_kl = torch.autograd.grad(loss(recon, kl), (recon, kl))  # (B, P) and (B, D)
    return (per_kl[0, 0] / per_recon[0, 0]).item()
    ### END SOLUTION


# %% beta-check
measure_beta = checks.accept("measure-beta", measure_beta)

# %% [markdown] beta-hints
# <details><summary>Hint 1</summary>
#
# `torch.autograd.grad(scalar, (a, b))` returns the two gradients, shaped like `a` and `b`. Every entry of each is the
# same number here.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Take one entry of each gradient, not the sum: a sum over 784 entries would be the change when all pixels move at once.
# KL over reconstruction, and `.item()` at the end.
#
# </details>

# %% [markdown] forms-intro
# Below stand ways of writing the loss. Where a program is named, the references say which file and version of it has
# this form. P = 784 pixels, D = 20 dimensions, batches of B = 256. Squared error counts double: with unit variance, $(x
# - \hat{x})^2$ is twice the negative log-likelihood, constants apart. Beside your measurement stands the package's
# formula, `effective_beta`, which works from the reductions alone. Guess some of the betas before you run the cell.

# %% forms
B, P, D = 256, 784, 20
forms = {  # name: (loss as written, what effective_beta needs to know)
    "sum, sum (torch's example)": (
        lambda r, k: r.sum() + k.sum(), {"recon_batch": "sum", "kl_batch": "sum"}),
    "sum over features, mean over batch (Keras's example)": (lambda r, k: r.sum(1).mean() + k.sum(1).mean(), {}),
    "BCE mean, KL sum / (B * P) (torch's, until 2018)": (
        lambda r, k: r.mean() + k.sum() / (B * P), {"beta": 1 / (B * P), "recon_pixels": "mean", "kl_batch": "sum"}),
    "BCE mean (the default), KL sum, batch mean": (lambda r, k: r.mean() + k.sum(1).mean(), {"recon_pixels": "mean"}),
    "BCE mean, KL mean (old Keras example)": (
        lambda r, k: r.mean() + k.mean(), {"recon_pixels": "mean", "kl_dims": "mean"}),
    "BCE mean, KL summed over all": (
        lambda r, k: r.mean() + k.sum(), {"recon_pixels": "mean", "kl_batch": "sum"}),
    "P * BCE mean, KL mean (old Keras example, deconv)": (
        lambda r, k: P * r.mean() + k.mean(1).mean(), {"kl_dims": "mean"}),
    "sum, KL batch mean": (lambda r, k: r.sum() + k.sum(1).mean(), {"recon_batch": "sum"}),
    "squared error sum, KL sum (early pythae)": (
        lambda r, k: (2 * r).sum(1).mean() + k.sum(1).mean(), {"recon_scale": 2.0}),
    "MSE mean, 0.00025 * KL (PyTorch-VAE)": (
        lambda r, k: (2 * r).mean() + 0.00025 * k.sum(1).mean(),
        {"beta": 0.00025, "recon_scale": 2.0, "recon_pixels": "mean"}),
    "means, KL times D / P (Higgins et al. 2017)": (
        lambda r, k: r.mean() + D / P * k.mean(), {"beta": D / P, "recon_pixels": "mean", "kl_dims": "mean"}),
}  # fmt: skip

# %% forms-measured
recon, kl = torch.rand(B, P, dtype=torch.float64), torch.rand(B, D, dtype=torch.float64)
betas = {}
print(f"{'loss':54s} measured      formula")
for name, (loss, reductions) in forms.items():
    betas[name] = measure_beta(loss, recon.clone().requires_grad_(), kl.clone().requires_grad_())  # new ones each time
    formula = effective_beta(pixels=P, latent_dim=D, batch_size=B, **reductions)
    print(f"{name:54s} {betas[name]:10,.4g} {formula:12,.4g}")
colour = effective_beta(0.00025, pixels=3 * 64 * 64, latent_dim=128, recon_scale=2, recon_pixels="mean")
times = colour / betas["MSE mean, 0.00025 * KL (PyTorch-VAE)"]
print(f"the same weight with colour images of 64 x 64: {colour:.2f}, which is {times:.0f} times as much")
keras = [effective_beta(pixels=P, latent_dim=2, recon_pixels=pixels, kl_dims="mean") for pixels in ("mean", "sum")]
print(f"the two old Keras examples, whose codes have two dimensions: {keras[0]:.0f} and {keras[1]:.1f}")

# %% [test] forms-measured-holds
for name, (_, reductions) in forms.items():
    formula = effective_beta(pixels=P, latent_dim=D, batch_size=B, **reductions)
    assert abs(betas[name] / formula - 1) < 1e-3
assert 1.4 < colour < 1.6
assert sum(abs(beta - 1) < 1e-3 for beta in betas.values()) == 4

# %% [markdown] forms-seen
# Four of the eleven are the ELBO with the likelihood named. The others range over seven powers of ten, and the $\beta$
# that they seem to have says nothing about it. But a fifth is an ELBO too, of a likelihood that it does not name.
#
# **$\sigma$ and $\beta$ are one knob.** For a Gaussian likelihood, with SE for the sum of squared errors,
#
# $$\frac{\mathrm{SE}}{2 \sigma^2} + \beta \, \mathrm{KL} = \frac{1}{\sigma^2} \left( \frac{\mathrm{SE}}{2} + \beta
# \sigma^2 \, \mathrm{KL} \right) .$$
#
# Dividing by $2 \sigma^2$ and weighting the KL term with $\beta$ is the same as unit variance with the weight $\beta
# \sigma^2$. The table counts from unit variance, so squared error plus KL has $\beta = \frac{1}{2}$ there. It is also
# $\beta = 1$ at $\sigma^2 = \frac{1}{2}$, as in section 7, and read like this it is an ELBO. (Later versions of pythae
# put the factor $\frac{1}{2}$ before the squared error.) The $(1 / \mathrm{RMSE})^2$ of section 7 is the same knob,
# counted from $\sigma = \mathrm{RMSE}$. So for a Gaussian likelihood a $\beta$ means something only together with
# $\sigma$.
#
# Three remarks. The two old Keras examples have codes of two numbers, so their own betas are 392 and 0.5; averaging
# over dimensions makes the balance depend on $D$. The weight of the PyTorch-VAE collection was made for colour images
# of 64 x 64, where it amounts to about 1.5; the same program on our images has a sixteenth of that. Higgins et al.
# report a normalised $\beta D / P$: it is the weight that a loss made of two means needs for an effective beta of
# $\beta$, so their numbers can be translated.
#
# Does the meter tell the truth about a network? A test: the gradient of each form for all weights of a small VAE should
# point in the same direction as that of (sum of recon + effective beta * sum of KL). The cosine should be 1.

# %% forms-network
from course_utils.models.vae import VAE  # what you built in lesson 04


def terms_of(model, x):
    """-log p(x|z) of each pixel, (B, P), and the KL of each dimension, (B, D), in nats."""
    mu, logvar = model.posterior(x)
    x_logits = model.decode_logits(reparameterize(mu, logvar))
    recon = F.binary_cross_entropy_with_logits(x_logits, x, reduction="none").flatten(1)
    return recon, 0.5 * (logvar.exp() + mu.square() - 1 - logvar)


small = VAE(D, hidden=64)
recon, kl = terms_of(small, train.pixels(slice(0, B)))


def direction(loss):
    """The gradient of a loss for all weights, as one vector of length 1."""
    gradients = torch.autograd.grad(loss, list(small.parameters()), retain_graph=True)
    return F.normalize(torch.cat([gradient.flatten() for gradient in gradients]).double(), dim=0)


# %% forms-directions
elbo_direction = direction(recon.sum() + kl.sum())
print(f"{'loss':54s} beta        cosine with    with the")
print(f"{'':54s}             beta's loss    ELBO")
for name, (loss, _) in forms.items():
    own = direction(loss(recon, kl))
    right = (own @ direction(recon.sum() + betas[name] * kl.sum())).item()
    print(f"{name:54s} {betas[name]:10,.4g} {right:10.4f} {(own @ elbo_direction).item():11.4f}")

# %% [test] forms-directions-holds
for name, (loss, _) in forms.items():
    right = (direction(loss(recon, kl)) @ direction(recon.sum() + betas[name] * kl.sum())).item()
    assert right > 0.999

# %% [markdown] damage-intro
# ### What it does to a VAE
#
# At the start of training some wrong forms point almost the same way as the ELBO, because the reconstruction is nearly
# all there is to learn. Where they lead is another matter. Three small VAEs, trained alike on the same images from the
# same initial weights, with three of these losses: the ELBO, the default mean with an effective beta of 784, and the KL
# averaged over the batch, with 1/256. After training all are judged by the same yardstick, in nats. Look in the table
# at where each has its nats, and in the figure first at the reconstructions, then at the samples from the prior.

# %% damage
from course_utils.training import fit  # the loop of lesson 02

chosen = {
    "ELBO (beta = 1)": "sum over features, mean over batch (Keras's example)",
    "beta = 784": "BCE mean (the default), KL sum, batch mean",
    "beta = 1/256": "sum, KL batch mean",
}
x_eval, trained = test.pixels(slice(0, 500)).to(device), {}
print("                    beta     recon        kl     -ELBO  std of mu   (test images, nats)")
for name, form in chosen.items():
    torch.manual_seed(6)
    vae_small = VAE(8, hidden=128).to(device)

    def loss_of(model, x, form=form):
        return {"loss": forms[form][0](*terms_of(model, x))}

    fit(vae_small, train.batches(B, device=device, shuffle=True), epochs=3, lr=4e-3, loss=loss_of, progress=False)
    with torch.no_grad():
        terms = {key: value.item() for key, value in vae_small.eval().loss_terms(x_eval).items()}
        terms["spread"] = vae_small.encode(x_eval).std(dim=0).mean().item()  # of the codes of different images
    trained[name] = vae_small, terms
    print(
        f"{name:15s} {betas[form]:8.3g} " + " ".join(f"{terms[key]:9.1f}" for key in ("recon", "kl", "loss", "spread"))
    )

# %% damage-figure
rows = {"test image": x_eval[:10].cpu()}
with torch.no_grad():
    for name, (vae_small, _) in trained.items():
        rows[f"{name}: restored"] = vae_small.decode(vae_small.encode(x_eval[:10])).cpu()
    for name, (vae_small, _) in trained.items():
        torch.manual_seed(1)
        rows[f"{name}: from prior"] = vae_small.decode(vae_small.sample_latent(10)).cpu()
ax = plots.image_rows(rows)

# %% [test] damage-claims
right, silent, loud = (terms for _, terms in trained.values())
assert silent["kl"] < 0.5  # the code carries nothing
assert silent["recon"] > right["recon"] + 30
assert loud["kl"] > 2 * right["kl"]
assert loud["spread"] > 2  # the prior's is 1
assert loud["recon"] < right["recon"]
assert right["loss"] < min(silent["loss"], loud["loss"])  # only the ELBO's own loss is good at the ELBO

# %% [markdown] damage-seen
# With 784 the KL term wins outright: every image gets the prior as its posterior, the code says nothing, and every
# reconstruction is the same average picture. This is posterior collapse, made by one forgotten word, `reduction="sum"`.
# With 1/256 the KL term hardly counts: reconstructions are the sharpest of the three, the code carries many nats, and
# the codes spread about 2.5 times as wide as the prior (last column). A draw from the prior therefore lands in the
# crowded middle, or between codes, where the decoder never practised. The samples show it. Neither would raise an
# error, and the loss falls nicely in both.
#
# Another $\beta$ than 1 may be what you want; lesson 07 turns it on purpose. But then it should be chosen, and
# reported with the reductions.

# %% [markdown] changed
# ## What changed, and what did not
#
# | from lesson 05 to here | |
# |---|---|
# | **changed** | the loss has a meaning: it is minus a lower bound on $\log p(x)$, in nats |
# | **changed** | the gap has a name, $\mathrm{KL}(q(z \mid x) \,\Vert\, p(z \mid x))$, and IWAE makes it smaller |
# | **changed** | BCE and MSE are statements about the noise of a pixel |
# | **did not change** | the recipe of the VAE: encode, sample, decode, loss, step |
# | **did not change** | for a real model $\log p(x)$ stays unknown |

# %% [markdown] limits
# ## Limits and caveats
#
# * A better bound is not a better model, nor are its samples better pictures: $\log p(x)$ may rise through details that
#   nobody sees.
# * The estimate of an IWAE bound is itself random, and for a bad $q$ it is governed by a few large weights. Its spread
#   over repeats can look small while it is still far below the evidence, as with the two humps.
# * Grey values as Bernoulli means are the custom in this field and in this course. The bound is then on a
#   cross-entropy, not on the probability of an image; the continuous Bernoulli (Loaiza-Ganem and Cunningham 2019)
#   repairs it.
# * The effective beta compares gradients of the two terms. With plain SGD the overall scale of a loss matters as well,
#   since it multiplies the learning rate; Adam hardly sees it.
# * Training with a large $K$ tightens the bound and at the same time weakens the signal in the encoder's gradient
#   (Rainforth et al. 2018).
# * The VAEs of section 8 were trained for seconds. The direction of the effects is robust, the numbers are not records.

# %% [markdown] quiz
# ## Quiz
#
# **1.** Model A has an ELBO of $-240$ nats, model B one of $-243$, on the same test images. Is A the better model of
# the data?
#
# <details><summary>Answer</summary>
#
# Not necessarily. $\log p(x)$ is the ELBO plus a gap, and B may have the larger gap: a good decoder with a poor
# encoder. Bounds from many samples, such as IWAE, make the comparison fairer, though never certain.
#
# </details>
#
# **2.** Why does a VAE's encoder tend to give too small variances rather than too large ones?
#
# <details><summary>Answer</summary>
#
# It minimises $\mathrm{KL}(q \| p(z|x))$, an average over its own $q$. Mass of $q$ where the posterior has none is
# punished, posterior mass that $q$ leaves out is not. For correlated dimensions a diagonal $q$ takes in each dimension
# the width that the posterior has when the other dimensions are held fixed, which is smaller than its spread as a
# whole: for two dimensions of variance 1 with correlation $\rho$, $q$'s variances are $1 - \rho^2$. For two humps it
# takes one.
#
# </details>
#
# **3.** You double the height and the width of your images and keep the loss `F.mse_loss(x_hat, x) + 0.001 * kl`, `kl`
# being summed over dimensions and averaged over the batch. What happens?
#
# <details><summary>Answer</summary>
#
# There are four times as many pixels, so the mean divides the reconstruction by four times as much, and the effective
# beta is four times as large. Codes become more silent though nobody changed a weight. With sums nothing shifts
# unasked: four times the pixels count four times as much, as four times the evidence should.
#
# </details>

# %% [markdown] summary
# ## Summary
#
# * $\mathrm{KL}(p \| q) = \mathbb{E}_p[\log p - \log q] \geq 0$: extra nats for using the code of $q$ on data from $p$.
#   Forward covers, reverse chooses.
# * $\mathrm{KL}(\mathcal{N}(\mu, \sigma^2) \| \mathcal{N}(0, 1)) = \frac{1}{2}(\sigma^2 + \mu^2 - 1 - \log \sigma^2)$,
#   summed over dimensions.
# * An estimate from $K$ samples has a standard error of $s / \sqrt{K}$. Quote it.
# * $\log p(x) = \mathrm{ELBO} + \mathrm{KL}(q(z|x) \| p(z|x))$, $\;\mathrm{ELBO} = \mathbb{E}_q[\log p(x|z)] -
#   \mathrm{KL}(q(z|x) \| p(z)) = -(\mathtt{recon} + \mathtt{kl})$.
# * $\mathrm{IWAE}_K = \mathbb{E} \log \frac{1}{K} \sum_k w_k$ lies between the ELBO and $\log p(x)$; compute it by
#   log-mean-exp.
# * BCE is a Bernoulli likelihood with targets in $[0, 1]$; squared error is a Gaussian one with $\sigma^2 =
#   \frac{1}{2}$, and $\sigma^2$ and $\beta$ are one knob. Bits per dimension are nats$\,/ (P \log 2)$.
# * Sum over features, average over the batch. Otherwise measure $\beta$ by gradients.

# %% [markdown] references
# ## References
#
# * S. Kullback and R. A. Leibler (1951), *On information and sufficiency*, Annals of Mathematical Statistics 22,
#   doi:10.1214/aoms/1177729694.
# * D. P. Kingma and M. Welling (2013), *Auto-encoding variational Bayes*, arXiv:1312.6114.
# * D. J. Rezende, S. Mohamed and D. Wierstra (2014), *Stochastic backpropagation and approximate inference in deep
#   generative models*, arXiv:1401.4082.
# * Y. Burda, R. Grosse and R. Salakhutdinov (2015), *Importance weighted autoencoders*, arXiv:1509.00519.
# * I. Higgins et al. (2017), *beta-VAE: learning basic visual concepts with a constrained variational framework*, ICLR.
# * C. Cremer, X. Li and D. Duvenaud (2018), *Inference suboptimality in variational autoencoders*, arXiv:1801.03558.
# * T. Rainforth et al. (2018), *Tighter variational bounds are not necessarily better*, arXiv:1802.04537.
# * G. Loaiza-Ganem and J. P. Cunningham (2019), *The continuous Bernoulli: fixing a pervasive error in variational
#   autoencoders*, arXiv:1907.06845.
# * L. Theis, A. van den Oord and M. Bethge (2016), *A note on the evaluation of generative models*, arXiv:1511.01844.
# * M. E. Tipping and C. M. Bishop (1999), *Probabilistic principal component analysis*, Journal of the Royal
#   Statistical Society B 61, doi:10.1111/1467-9868.00196.
# * C. M. Bishop (2006), *Pattern Recognition and Machine Learning*, Springer, sections 1.6, 10.1 and 12.2.
# * Programs named in section 8: `vae/main.py` of pytorch/examples, and its issues 290 and 294 for the form until 2018;
#   `examples/generative/vae.py` of keras-io; `examples/variational_autoencoder.py` (as of commit cb468fe) and
#   `examples/variational_autoencoder_deconv.py` (as of 6df68b5) of keras-team/keras; `models/vanilla_vae.py` of
#   AntixK/PyTorch-VAE; `src/pythae/models/vae/vae_model.py` of clementchadebec/benchmark_VAE (as of 06d582a, and
#   later).

# %% [markdown] next
# ## Next
#
# Lesson 07 turns $\beta$ on purpose: the rate-distortion curve, KL per dimension, posterior collapse and its cures, and
# the bound of a well-tuned VAE with its spread over seeds. If you want to go further here first: fit the one-hump $q$
# of section 5 by gradient ascent on your `one_sample_elbo`, from several starts, and see which hump it takes.
