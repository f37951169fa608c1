# %% [markdown] title
# {{header}}
#
# # 06. What does the loss of a VAE measure?
#
# At the end of this lesson you can
#
# 1. read a KL divergence as extra nats, and say what it charges a Gaussian for its mean and its `std`;
# 2. compute $p(x)$ and the posterior of a small model on a grid;
# 3. compute the ELBO and its gap, and say why the gap is a KL divergence.

# %% [markdown] prerequisites
# **You need:** lesson 04 (prior, posterior, likelihood, the two heads `mu` and `logvar`), lesson 05 (`reparameterize`),
# logarithms, and a little probability: densities, expectations, Bayes' rule.
#
# **Time:** {{learning}}. Running all cells takes {{minutes}}.

# %% setup
{{setup}}

# %% imports
import math

import ipywidgets
import matplotlib.pyplot as plt
import torch
from torch.distributions import Normal

from course_utils import checks, claims, plots, widgets
from course_utils.device import seed_everything

plt.rcParams["figure.dpi"] = 85
seed_everything(6)
g = torch.Generator().manual_seed(6)  # what this lesson draws by hand comes from here

# %% [markdown] predict
# ## Predict first
#
# The posterior $p(z|x)$ of a data point $x$ has two humps, one with 70% and one with 30% of the probability. Between
# them it is nearly 0. We fit one Gaussian $q(z)$ to this posterior. To fit means to raise the [[ELBO|elbo]], which is
# minus the loss of a VAE. The ELBO is never larger than $\log p(x)$.
#
# 1. At the start $q$ is narrow. Does it end on the large hump, in the valley between the humps, or does that depend on
#    the start?
# 2. The best such $q$ sits on the large hump. By how many nats is its ELBO below $\log p(x)$: about 0.4, 4 or 40?
#
# <details><summary>What we found: read it after sections 4 and 5</summary>
#
# 1. It depends on the start.
# 2. About 0.4: minus the logarithm of the hump's share, which is 0.35, and 0.02 more.
#
# </details>

# %% [markdown] price-idea
# ## 1. The price of the wrong code book
#
# Lesson 04 priced an event of probability $p$ at $-\log p$ nats. Here the price is paid in bits.
#
# A shop reports each sale to its head office as a word of bits. A *code book* lists the word of each item. (It has
# nothing to do with the code $z$.) Items that sell often should have short words. No word is the beginning of
# another one, so one knows where each word ends. Then the best length is the price with base 2: an item with
# probability $p$ gets $-\log_2 p$ bits. For $p = 1/4$ these are 2 bits. Here are four items, their shares of the sales
# in summer and in winter, and the best code book of each season.

# %% code-books
items = ("sandal", "sneaker", "pullover", "bag")
shares = {"summer": torch.tensor([1 / 2, 1 / 4, 1 / 8, 1 / 8]), "winter": torch.tensor([1 / 8, 1 / 2, 1 / 4, 1 / 8])}
books = {"summer": ("0", "10", "110", "111"), "winter": ("110", "0", "10", "111")}
print("          summer        winter\nitem      share word    share word")
for i, item in enumerate(items):
    print(f"{item:8s} ", "   ".join(f"{shares[s][i]:.3f} {books[s][i]:5s}" for s in shares))

# %% [test] code-books-holds
for season in shares:
    for i in range(len(items)):
        assert len(books[season][i]) == -shares[season][i].log2()  # each word has the best length for its season

# %% [markdown] price-question
# What does it cost to use the book of the wrong season? The cell computes mean lengths, and compares the extra length
# with a formula. Do the two mistakes cost the same?


# %% price
def kl_discrete(p, q):
    """KL(p || q) of two lists of probabilities, in nats."""
    return (p * (p.log() - q.log())).sum()


extras = {}
for season, other in (("summer", "winter"), ("winter", "summer")):
    right, wrong = ((shares[season] * torch.tensor([len(word) for word in books[b]])).sum() for b in (season, other))
    kl, extras[season] = kl_discrete(shares[season], shares[other]), wrong - right
    print(f"{season}: own book {right:.3f} bits a sale, {other}'s book {wrong:.3f}, extra {wrong - right:.3f};  "
          f"KL = {kl:.3f} nats = {kl / math.log(2):.3f} bits")  # fmt: skip

# %% [test] price-holds
for season, other in (("summer", "winter"), ("winter", "summer")):
    assert abs(extras[season] - kl_discrete(shares[season], shares[other]) / math.log(2)) < 1e-5
assert abs(extras["summer"] - 0.625) < 1e-6
assert abs(extras["winter"] - 0.5) < 1e-6

# %% [markdown] price-seen
# No: one costs 0.625 bits a sale, the other 0.500. For shares such as ours, powers of $1/2$, the extra length is
# exactly the **Kullback-Leibler divergence** (KL divergence, or KL):
#
# $$\mathrm{KL}(p \,\|\, q) = \mathbb{E}_{p}\big[\log p(x) - \log q(x)\big] .$$
#
# Read aloud: $x$ is drawn from $p$. By how much is its word in the book of $q$ longer than that in the book of $p$, on
# average? With the natural logarithm the unit is the **nat**: 1 nat is $1 / \ln 2 \approx 1.44$ bits.
#
# * It is **not symmetric**. The average is taken over the first argument: over what is really sold.
# * It is never negative: on sales from $p$ no book is shorter on average than that of $p$. For the logarithm bends
#   downwards, so the mean of logarithms is at most the logarithm of the mean
#   ([[Jensen's inequality|jensen inequality]]): $\mathbb{E}_p[\log (q/p)] \leq \log \mathbb{E}_p[q/p] = \log \sum_x
#   q(x) = \log 1 = 0$. The KL is 0 only if $q/p$ is the same number for all $x$, which means $q = p$.
# * It is infinite if $q$ gives probability 0 to something that $p$ produces: there is no word for it.

# %% [markdown] gaussian-idea
# ## 2. Between two Gaussians
#
# Lesson 04 used a formula for its KL term. Here is where it comes from. For densities the sum becomes an integral. The
# average is taken over $q$, the encoder's answer, and the second argument is the prior. For one dimension these are $q
# = \mathcal{N}(\mu, \sigma^2)$ and $p = \mathcal{N}(0, 1)$. Subtract their log-densities:
#
# $$\log q(z) - \log p(z) = -\tfrac{1}{2} \log \sigma^2 - \frac{(z - \mu)^2}{2 \sigma^2} + \frac{z^2}{2} .$$
#
# The mean of $(z - \mu)^2$ under $q$ is $\sigma^2$, and the mean of $z^2$ is $\mu^2 + \sigma^2$. So
#
# $$\mathrm{KL}(q \,\|\, p) = \tfrac{1}{2} \big( \sigma^2 + \mu^2 - 1 - \log \sigma^2 \big) .$$
#
# With several independent dimensions (a [[diagonal Gaussian|diagonal gaussian]]) log-densities add, so the KL is the
# **sum** over dimensions. The cell computes it by the formula and, as a test, as a sum over a fine grid of $z$. What
# does a mean of 3 cost, and what does it cost to halve a small `std`?


# %% kl
def kl_standard_normal(mu, logvar):
    """KL(N(mu, diag(exp(logvar))) || N(0, I)) in nats: (B, D) and (B, D) -> (B,)."""
    return 0.5 * (logvar.exp() + mu.square() - 1 - logvar).sum(dim=1)


z_grid, step = torch.linspace(-8, 8, 801, dtype=torch.float64), 0.02  # codes at a distance of 0.02
log_prior = Normal(0.0, 1.0).log_prob(z_grid)
for mu, std in ((3.0, 1.0), (0.0, 0.1), (0.0, 0.05)):
    log_q = Normal(mu, std).log_prob(z_grid)
    on_grid = (log_q.exp() * (log_q - log_prior)).sum() * step
    kl = kl_standard_normal(torch.tensor([[mu]]), 2 * torch.tensor([[std]]).log()).item()
    print(f"mu {mu:.0f}, std {std:4.2f}: KL by the formula {kl:.3f}, on the grid {on_grid:.3f}")

# %% [test] kl-holds
for mu, std in ((1.0, 1.0), (3.0, 1.0), (0.0, 0.5), (0.0, 0.05)):
    log_q = Normal(mu, std).log_prob(z_grid)
    on_grid = (log_q.exp() * (log_q - log_prior)).sum() * step
    kl = kl_standard_normal(torch.tensor([[mu]]), 2 * torch.tensor([[std]]).log())
    assert abs(on_grid - kl.item()) < 1e-3
narrow = kl_standard_normal(torch.zeros(2, 1), 2 * torch.tensor([[0.1], [0.05]]).log())
assert abs((narrow[1] - narrow[0]).item() - math.log(2)) < 0.01

# %% [markdown] kl-seen
# A mean of 3 costs $3^2 / 2 = 4.5$ nats. From `std` 0.1 to 0.05 the price rises by about $\log 2 = 0.69$ nats, which is
# 1 bit: with half of a small `std`, $z$ is known to one more binary digit.

# %% [markdown] model-idea
# ## 3. A model whose density one can see
#
# A model says how data come about: draw a code $z$ from the prior $p(z)$, then draw $x$ from $p(x|z)$. The product
# $p(z)\, p(x|z)$ is the [[joint density|joint distribution]]. Its integral over all codes is the density of $x$,
# whatever its code was. This is the **evidence**:
#
# $$p(x) = \int p(z)\, p(x|z) \, dz .$$
#
# With 16 latent numbers a grid is out of reach (lesson 04): with 801 codes a dimension, as in section 2, it would have
# $801^{16}$ points. So we take a model with one latent number. Its $x$ is a point in the plane, so that we can look at
# its density. The decoder bends the line of codes into a U that lies on its side, and adds noise:
#
# $$z \sim \mathcal{N}(0, 1), \qquad x \,|\, z \sim \mathcal{N}\big((z^2,\; z / 2),\; 0.35^2 I\big) .$$


# %% model
NOISE = 0.35


def decode(z):
    """The mean of x for each code: (...) -> (..., 2)."""
    return torch.stack([z**2, z / 2], dim=-1)


def log_joint(x, z):
    """log p(z) + log p(x|z) in nats, for x (..., 2) and z (...)."""
    log_likelihood = Normal(decode(z), NOISE).log_prob(x).sum(dim=-1)
    return Normal(0.0, 1.0).log_prob(z) + log_likelihood


x_seen = torch.tensor([1.4, 0.1], dtype=torch.float64)  # the point that we want to explain

# %% [markdown] grid-task
# ### Exercise 1: evidence and posterior on a grid
#
# *Medium, about 6 minutes.* With one latent number the integral is a sum over our grid: density times the distance
# between two codes. Bayes' rule then gives the posterior, $p(z|x) = p(z)\, p(x|z) / p(x)$. Your function gets $\log
# p(z) + \log p(x|z)$ for several $x$ at once, one in each row.


# %% grid-exercise
def posterior_on_grid(log_joints, step):
    """log p(x), and the posterior density at each code of an evenly spaced grid.

    Args:
        log_joints: log p(z) + log p(x|z) of each example at each code, (B, G).
        step: The distance between two neighbouring codes.

    Returns:
        log p(x), (B,), and the density p(z|x), (B, G).
    """
    ### BEGIN SOLUTION
    joint = log_joints.exp()  # (B, G)
    evidence = joint.sum(dim=1) * step  # (B,)
    return evidence.log(), joint / evidence[:, None]
    ### END SOLUTION


# %% grid-check
posterior_on_grid = checks.accept("posterior-on-grid", posterior_on_grid)

# %% [markdown] grid-hints
# <details><summary>Hint 1</summary>
#
# `log_joints.exp()` is $p(z)\, p(x|z)$. Sum it over dimension 1, the codes, and multiply by `step`. That is $p(x)$.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `joint / evidence[:, None]` divides each row by its own evidence. Return the *logarithm* of the evidence.
#
# </details>

# %% [markdown] seen-intro
# On the left is $p(x)$, computed by your function at each point of the plane (mind the scale: it is logarithmic), with
# 400 samples over it. The star is our $x = (1.4, 0.1)$. On the right is its posterior. Why are there two humps, and why
# is one larger?

# %% seen
log_evidence, posterior = posterior_on_grid(log_joint(x_seen, z_grid)[None], step)  # (1,) and (1, G)
across, up = torch.linspace(-1.2, 5.2, 97, dtype=torch.float64), torch.linspace(-1.9, 1.9, 58, dtype=torch.float64)
plane = torch.cartesian_prod(across, up)  # (97 * 58, 2): points of the plane
log_p_plane, _ = posterior_on_grid(log_joint(plane[:, None], z_grid[::4]), 4 * step)  # every fourth code is enough
samples = decode(torch.randn(400, generator=g)) + NOISE * torch.randn(400, 2, generator=g)
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.8), layout="constrained", width_ratios=(1.5, 1))
image = left.pcolormesh(across, up, log_p_plane.exp().reshape(97, 58).T, cmap="Blues", norm="log", vmin=0.003)
figure.colorbar(image, ax=left, ticks=[0.003, 0.01, 0.03, 0.1, 0.3], format="{x:g}").ax.set_title("p(x)")
left.plot(*samples.T, "k.", markersize=3)
left.plot(*decode(torch.linspace(-2.2, 2.2, 99)).T, color=plots.PALETTE[4], label="decoder")
left.plot(*x_seen, "*", color=plots.PALETTE[2], markersize=18, markeredgecolor="white", label="x = (1.4, 0.1)")
left.set(xlim=(-1.2, 5.2), ylim=(-1.9, 1.9), xlabel="x[0]", ylabel="x[1]")
left.legend(loc="center right", fontsize=9)
lines = {"posterior p(z|x)": (z_grid, posterior[0]), "prior p(z)": (z_grid, log_prior.exp())}
plots.curves(lines, "z", "density", ax=right).set_xlim(-3, 3)
right.legend(loc="upper left", frameon=False)
share = posterior[0][z_grid > 0].sum().item() * step
print(f"log p(x) = {log_evidence.item():.3f} nats, p(x) = {log_evidence.exp().item():.4f}; "
      f"{share:.0%} of the posterior lie at z > 0")  # fmt: skip

# %% [test] seen-holds
assert 0.69 < share < 0.72
area = (across[1] - across[0]) * (up[1] - up[0])
assert 0.9 < log_p_plane.exp().sum() * area < 1  # what is missing lies outside of the picture
assert abs(posterior.sum() * step - 1) < 1e-9

# %% [markdown] seen-text
# The star lies between the arms of the U. The decoder sends codes near 1.1 to the upper arm and codes near $-1.1$ to
# the lower one, and noise can lead from both to the star. The upper arm is nearer, so its hump is larger.

# %% [markdown] elbo-idea
# ## 4. The ELBO, derived twice
#
# Without a grid we can still draw codes. Take a density $q(z)$ that is positive everywhere, and multiply and divide by
# it:
#
# $$p(x) = \int q(z)\, \frac{p(z)\, p(x|z)}{q(z)} \, dz = \mathbb{E}_{q}\big[ w(z) \big], \qquad w(z) = \frac{p(z)\,
# p(x|z)}{q(z)} .$$
#
# So $p(x)$ is the mean **weight** of codes drawn from $q$. The average weight of many draws estimates $p(x)$ without a
# grid: this is [[importance sampling]]. It fails if the draws miss places where $p(z)\, p(x|z)$ is large. You write it
# in the section [Importance sampling without a grid](#importance).
#
# A loss needs $\log p(x) = \log \mathbb{E}_q[w]$, and a training step can afford one draw. Over many steps the $\log
# w$ of one draw averages to $\mathbb{E}_q[\log w]$, and not to $\log \mathbb{E}_q[w]$. So we take $\mathbb{E}_q[\log
# w]$, and ask how much smaller it is.
#
# **First derivation.** By Jensen's inequality the logarithm of a mean is at least the mean of the logarithms:
#
# $$\log p(x) = \log \mathbb{E}_q[w] \;\geq\; \mathbb{E}_q[\log w] = \mathbb{E}_q\big[\log p(z) + \log p(x|z) - \log
# q(z)\big] = \mathrm{ELBO} .$$
#
# The name stands for *evidence lower bound*. How much is missing?
#
# **Second derivation** (as in lesson 04). By Bayes' rule $p(z)\,p(x|z) = p(x)\,p(z|x)$, so $\log w = \log p(x) + \log
# p(z|x) - \log q(z)$. Take the mean under $q$. The first term does not depend on $z$, and the other two are minus a KL
# divergence:
#
# $$\log p(x) = \mathrm{ELBO} + \mathrm{KL}\big(q(z) \,\|\, p(z|x)\big) .$$
#
# The **gap** is the KL divergence from $q$ to the posterior. It is 0 only if $q$ is the posterior.
#
# ### Exercise 2: the bound and its gap
#
# *Medium, about 7 minutes.* Compute both on the grid. Their sum must be $\log p(x)$; this tests your signs and the use
# of `step`. Take $\log p(z|x)$ from `log_joints` and the $\log p(x)$ of your `posterior_on_grid`. (Not from its
# density: at our star that is rounded to 0 for $|z| > 3.82$, and with $\log 0$ the sum becomes nan.)


# %% bound-exercise
def bound_on_grid(log_joints, log_q, step):
    """The ELBO, and KL(q || p(z|x)), both on a grid of codes and in nats.

    Args:
        log_joints: log p(z) + log p(x|z) at each code, (B, G).
        log_q: log q(z) at each code, (B, G).
        step: The distance between two neighbouring codes.

    Returns:
        The ELBO, (B,), and the gap, (B,).
    """
    ### BEGIN SOLUTION
    q = log_q.exp()
    elbo = (q * (log_joints - log_q)).sum(dim=1) * step
    log_evidence, _ = posterior_on_grid(log_joints, step)
    log_posterior = log_joints - log_evidence[:, None]
    return elbo, (q * (log_q - log_posterior)).sum(dim=1) * step
    ### END SOLUTION


# %% bound-check
bound_on_grid = checks.accept("bound-on-grid", bound_on_grid)

# %% [markdown] bound-hints
# <details><summary>Hint 1</summary>
#
# A mean under $q$ of some $f(z)$ is `(log_q.exp() * f).sum(dim=1) * step`. For the ELBO $f$ is `log_joints - log_q`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The logarithm of the posterior is `log_joints` minus $\log p(x)$, row by row: `log_joints - log_evidence[:, None]`.
# For the gap $f$ is `log_q - log_posterior`.
#
# </details>

# %% [markdown] bound-intro
# We compare three $q$: one on each hump, close to the best there, and one that covers both, with the mean and the `std`
# of the posterior. Which has the highest ELBO? Is the sum the same in all rows?

# %% bound
choices = {"large hump": (1.08, 0.17), "small hump": (-1.05, 0.17), "both humps": (0.4439, 0.9829)}
log_q = torch.stack([Normal(m, s).log_prob(z_grid) for m, s in choices.values()])  # (3, G)
elbo, gap = bound_on_grid(log_joint(x_seen, z_grid).expand(3, -1), log_q, step)
print("q               ELBO   KL(q || p(z|x))      sum   log p(x)")
for k, name in enumerate(choices):
    print(f"{name:12s} {elbo[k]:7.3f} {gap[k]:17.3f} {elbo[k] + gap[k]:8.3f} {log_evidence.item():10.3f}")
print(f"-log of the shares of the humps: {-math.log(share):.3f} and {-math.log(1 - share):.3f}")

# %% [test] bound-holds
assert (elbo + gap - log_evidence).abs().max() < 1e-6
assert elbo.argmax() == 0
assert 0 < gap[0] + math.log(share) < 0.03
assert 0 < gap[1] + math.log(1 - share) < 0.05
middle = (posterior[0] * z_grid).sum() * step
assert abs(middle - 0.4439) < 1e-4
assert abs(((posterior[0] * (z_grid - middle) ** 2).sum() * step).sqrt() - 0.9829) < 1e-4
assert abs(gap[2] - 9.06) < 0.005
assert posterior[0][z_grid.abs() > 3.83].max() == 0 < posterior[0][z_grid.abs() < 3.81].min()

# %% [markdown] bound-seen
# The sum is $\log p(x)$ in each row, and the $q$ on the large hump has the highest ELBO. Why is its gap about $-\log
# 0.7$? This hump is 70% of the posterior, and $q$ has nearly its shape. So at the draws from $q$, $p(z|x) \approx 0.7\,
# q(z)$, and $\log q(z) - \log p(z|x) \approx -\log 0.7$. The rest of the gap, 0.02 nats, is there because
# the hump is not exactly Gaussian. The $q$ that covers both humps has a much lower ELBO: it also draws in the valley
# and outside, where $\log w$ is very low.

# %% [markdown] control-task
# ## 5. Close the gap yourself
#
# Each column of the figure shows one $q$. Top: the posterior (blue) and $q$ (orange, dashed). Bottom: the ELBO for each
# mean of $q$, with the `std` of the title (orange, dashed), and $\log p(x)$ (blue). The triangle marks the $q$ drawn
# above. In the last column $x$ has moved up. How many hills does the ELBO have in each?


# %% explorer-twin
def gap_charts(mean, std, height):
    """Two charts, the posterior with q and the ELBO of all means, and the gap at this mean; height is x[1]."""
    joints = log_joint(torch.tensor([1.4, height], dtype=torch.float64), z_grid)[None]  # (1, G)
    log_px, density = posterior_on_grid(joints, step)
    means = torch.cat([torch.linspace(-2, 2, 101), torch.tensor([mean])]).double()
    log_q = Normal(means[:, None], std).log_prob(z_grid)  # (102, G), the last row is the q that is shown
    elbo, gap = bound_on_grid(joints.expand(102, -1), log_q, step)
    line, z = plots.Series, z_grid[::2]
    humps = [line("p(z|x)", z, density[0, ::2]), line("q", z, log_q[-1, ::2].exp())]
    hills = [line("log p(x)", [-2, 2], [log_px.item()] * 2), line("ELBO", means[:-1], elbo[:-1]),
             line("this q", [mean], [elbo[-1].item()], "points")]  # fmt: skip
    charts = {"posterior and q": plots.Chart(humps, (-3, 3), (0, 2.6), "z", "density"),
              "ELBO": plots.Chart(hills, (-2, 2), (-14, 0), "mean of q", "nats")}  # fmt: skip
    return charts, gap[-1].item()


places = ((0.0, 1.0, 0.1), (-0.5, 0.3, 0.1), (1.0, 0.3, 0.4))
shown = [gap_charts(*at) for at in places]
titles = [f"mean {m:g}, std {s:g}, x[1] {h:g}\ngap {gap:.2f}"
          for (m, s, h), (_, gap) in zip(places, shown, strict=True)]  # fmt: skip
rows = {name: [charts[name] for charts, _ in shown] for name in shown[0][0]}
axes = plots.panel_table(rows, column_titles=titles, width=10)
axes[0, 0].figure.legends.clear()  # a legend in each row is clearer
for ax, corner in zip(axes[:, 0], ("upper left", "lower left"), strict=True):
    ax.legend(loc=corner, fontsize=9, handlelength=1.2, borderpad=0.2)
plt.show()

# %% [markdown] hills-answer
# At `std` 1 the ELBO has one hill, with its top between the humps of the posterior. At `std` 0.3 it has two, in both
# columns. So a narrow $q$ has two places to end. Which one does it take? The next cell draws any $q$; find out by hand.


# %% draw-q
def draw_q(mean, std):
    """The posterior and q = N(mean, std^2), and the gap."""
    charts, gap = gap_charts(mean, std, 0.1)
    ax = plots.draw_chart(charts["posterior and q"], legend=False)
    ax.legend(loc="upper left", frameon=False)
    ax.set_title(f"ELBO {log_evidence.item() - gap:.2f}, gap {gap:.2f} nats")
    plt.show()


# %% [test] hills-holds
def count_hills(std, height):
    """How many tops the ELBO has over the mean of q."""
    chart = gap_charts(0.0, std, height)[0]["ELBO"]
    elbo = chart.series[1].y
    return sum(elbo[k - 1] < elbo[k] > elbo[k + 1] for k in range(1, 100))


assert [count_hills(std, 0.1) for std in (1.0, 0.6, 0.58, 0.3)] == [1, 1, 2, 2]
assert count_hills(0.3, 0.4) == 2
assert posterior[0][z_grid.abs() < 1].min() < 0.003  # the valley is deep
all_means = torch.linspace(-2, 2, 81, dtype=torch.float64)[:, None, None]
all_stds = torch.linspace(0.1, 1.5, 29, dtype=torch.float64)[:, None]
all_log_q = Normal(all_means, all_stds).log_prob(z_grid)  # (81, 29, G)
tops = {}
for point in ((1.4, 0.1), (0.6, 0.1)):
    joints = log_joint(torch.tensor(point, dtype=torch.float64), z_grid)
    bounds = (all_log_q.exp() * (joints - all_log_q)).sum(dim=-1) * step
    highest = torch.nn.functional.max_pool2d(bounds[None], 3, stride=1, padding=1)[0]
    tops[point] = all_means.flatten()[(bounds == highest)[1:-1, 1:-1].nonzero()[:, 0] + 1]
    density = posterior_on_grid(joints[None], step)[1][0]
    humps = ((density[1:-1] > density[:-2]) & (density[1:-1] > density[2:])).nonzero().flatten() + 1
    assert [z_grid[k] > 0 for k in humps] == [False, True]  # two humps, one to each side
assert len(tops[1.4, 0.1]) == 2
assert abs(tops[0.6, 0.1].item() - 0.1) < 0.06  # one top alone, between the humps

# %% [markdown] control-exercise-text
# ### Exercise 3: your own sliders
#
# *Easy, about 4 minutes.* Make two sliders for `draw_q` from the pieces of lesson 01: `ipywidgets.FloatSlider`,
# `ipywidgets.interactive_output` and `ipywidgets.VBox` (as `HBox`, but one below the other).


# %% control-exercise
def gap_control(draw):
    """Two sliders, and below them what draw shows for their values.

    Args:
        draw: Function of mean and std, two numbers, that draws a picture.

    Returns:
        A box with a FloatSlider for the mean from -2 to 2 that starts at -0.5, one for the standard deviation from 0.1
        to 1.5 that starts at 0.3, both in steps of 0.01, and the picture.
    """
    ### BEGIN SOLUTION
    mean = ipywidgets.FloatSlider(value=-0.5, min=-2, max=2, step=0.01, description="mean of q")
    std = ipywidgets.FloatSlider(value=0.3, min=0.1, max=1.5, step=0.01, description="std of q")
    picture = ipywidgets.interactive_output(draw, {"mean": mean, "std": std})
    return ipywidgets.VBox([mean, std, picture])
    ### END SOLUTION


# %% control-check
gap_control = checks.accept("gap-control", gap_control)

# %% [markdown] control-hints
# <details><summary>Hint 1</summary>
#
# Four lines: `mean = ipywidgets.FloatSlider(value=..., min=..., max=..., step=..., description=...)`, the same for
# `std`, `picture = ipywidgets.interactive_output(draw, {...})`, which calls `draw` at each move, and `return
# ipywidgets.VBox([mean, std, picture])`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The names in the dictionary are those of the arguments of `draw`: `{"mean": mean, "std": std}`.
#
# </details>

# %% [markdown] control-use
# Start with the sliders as they stand, at a mean of $-0.5$. Move one slider as long as the ELBO rises, then the other
# one, and so on until neither helps. Where do you end? Do the same from a mean of 0.5 and a `std` of 0.3.

# %% control
my_sliders = gap_control(draw_q)
my_sliders

# %% [markdown] hills-seen
# From $-0.5$ you end on the small hump, from 0.5 on the large one: the start decides. A program did the same with the
# same `std` of 0.3, from means 0.45 to 0.8 away from 0, once with the `std` moved first and once with the mean. In both
# orders these shares ended on the hump of their side: {{claim sliders.left_std_first% std=0.3}} of the starts on the
# left and {{claim sliders.right_std_first% std=0.3}} of those on the right. For the left side and a `std` of 0.6 the
# order matters too (section *Which way round?*).
#
# Why may $q$ leave a hump out? The gap $\mathrm{KL}(q \| p(z|x))$ averages over $q$. Draws where the posterior is
# nearly 0 cost much: the $q$ over both humps has a gap of 9 nats. A hump left out costs little: $-\log$ of the share
# that is covered. But where the valley is shallow, a $q$ across it costs little too. For $x = (0.6, 0.1)$ the posterior
# also has two humps, and the ELBO has one top in the range of our sliders, between them.

# %% [markdown] explorer-intro
# ### Explore the gap
#
# Our explorer adds a slider for $x[1]$, the height of the star. The line with `jslink` ties it to your sliders: when
# you move yours, ours follow. At which $x[1]$ are both hills equally high? And at $x[1] = 0.1$, up to which `std` are
# there two?

# %% explorer
gap_explorer = widgets.FunctionSliders(
    lambda mean, std, height: gap_charts(mean, std, height)[0],
    {"mean of q": (-2, 2, -0.5, 0.01), "std of q": (0.1, 1.5, 0.3, 0.01), "x[1]": (-0.6, 0.6, 0.1, 0.02)},
    describe=lambda *at: f"The ELBO is {gap_charts(*at)[1]:.2f} nats below log p(x).", title="The gap",
)  # fmt: skip
for slider, number in zip(widgets.sliders_in(my_sliders), ("value_0", "value_1"), strict=False):
    ipywidgets.jslink((slider, "value"), (gap_explorer, number))
gap_explorer

# %% [markdown] explorer-seen
# They are equally high at $x[1] = 0$, where both arms are equally far away. At 0.1 there are two hills up to a `std` of
# about 0.59.

# %% [markdown] vae-text
# ## 6. Back to the VAE
#
# Since $\mathbb{E}_q[\log p(z) - \log q(z)] = -\mathrm{KL}(q \,\|\, p(z))$, the terms of the ELBO can be sorted in
# another way. Then the loss of lesson 04 appears:
#
# $$\mathrm{ELBO} = \underbrace{\mathbb{E}_q\big[\log p(x|z)\big]}_{-\mathtt{recon}} -
# \underbrace{\mathrm{KL}\big(q(z|x) \,\|\, p(z)\big)}_{\mathtt{kl}}, \qquad \mathtt{loss} = \mathtt{recon} +
# \mathtt{kl} = -\mathrm{ELBO} .$$
#
# In a VAE $q$ depends on $x$ through the encoder, $q(z|x)$, and `recon` is estimated from one draw of $z$,
# reparameterized. (For grey pixels see *What BCE and MSE assume*.) The decoder is trained too. So a higher ELBO can
# mean a higher $\log p(x)$ or a smaller gap, and the loss alone does not tell which.

# %% [markdown] changed
# ## What changed, and what did not
#
# | from lesson 05 to here | |
# |---|---|
# | **changed** | you compute $\log p(x)$, the ELBO and the gap of a small model, and see that they add up |
# | **did not change** | for a code of many numbers there is no grid |

# %% [markdown] limits
# ## Limits and caveats
#
# * The grid works for one or two latent numbers, with effort for three. For more, and a network as decoder, there
#   are only estimates and bounds. (A linear one has a formula: section *The ELBO from one draw*.)
# * A higher bound does not mean better pictures: $\log p(x)$ may rise through details that nobody sees.

# %% [markdown] quiz
# ## Quiz
#
# **1.** Model A has an ELBO of $-240$ nats, model B one of $-243$, on the same test images. Is A the better model of
# the data?
#
# <details><summary>Answer</summary>
#
# Not necessarily: B may have the larger gap.
#
# </details>
#
# **2.** Somebody reports a KL term of $-0.3$ nats, computed by the closed form. What do you say?
#
# <details><summary>Answer</summary>
#
# There is a mistake in the program: a KL divergence is never negative.
#
# </details>
#
# **3.** A program prints an ELBO of $-1.5$ for an $x$ whose $\log p(x)$ is known to be $-2.8$. Good news?
#
# <details><summary>Answer</summary>
#
# No. A lower bound cannot lie above what it bounds, apart from the noise of an estimate. Some term is wrong. The
# section *Find the bug* has such a program.
#
# </details>

# %% [markdown] summary
# ## Summary
#
# * $\mathrm{KL}(p \| q) = \mathbb{E}_p[\log p - \log q] \geq 0$: extra nats for using the code book of $q$ on data from
#   $p$. It is not symmetric.
# * $\mathrm{KL}(\mathcal{N}(\mu, \sigma^2) \| \mathcal{N}(0, 1)) = \frac{1}{2}(\sigma^2 + \mu^2 - 1 - \log \sigma^2)$,
#   summed over dimensions.
# * $p(x) = \int p(z)\, p(x|z)\, dz$: a sum on a grid, if the code is short. For any $q$ that is positive everywhere it
#   is also $\mathbb{E}_q[w]$ with $w = p(z)\, p(x|z) / q(z)$.
# * $\log p(x) = \mathrm{ELBO} + \mathrm{KL}(q \| p(z|x))$ with $\mathrm{ELBO} = \mathbb{E}_q[\log w] =
#   -(\mathtt{recon} + \mathtt{kl})$.
# * Our posterior has two humps and a deep valley between them. There one narrow Gaussian ended on one hump from most
#   starts, and the start decided on which. The gap was then about $-\log$ of that hump's share. In a shallow valley one
#   Gaussian may end between the humps.

# %% [markdown] importance-idea
# ## Further: Importance sampling without a grid
#
# <a id="importance"></a>This section needs the core alone.
#
# **Predict first.** You estimate $p(x)$ of the core from 20,000 random draws that all lie on the large hump, and you
# compute an error bar. Does the bar tell you that something is missing?
#
# By section 4, $p(x) = \mathbb{E}_q[w]$ for any $q$ that is positive everywhere. So the average of the weights of $K$
# draws from $q$ estimates $p(x)$, without a grid. The *standard error* is the typical error of this average. It is
# estimated by the standard deviation of the weights divided by $\sqrt{K}$. A bar of two standard errors to both sides
# (more exactly 1.96) covers the true value in about 95% of repetitions, if the draws reach all places that matter.
#
# ### Exercise 4: importance sampling
#
# *Medium, about 7 minutes.* $q$ is the Gaussian $\mathcal{N}(\mu, \sigma^2)$; make the draws from the given noise. You
# may use `Normal(mu, std).log_prob`.


# %% importance-exercise
def importance_sampling(log_joint, x, mu, std, eps):
    """Estimate p(x) from draws of q = N(mu, std^2).

    Args:
        log_joint: Function of x and codes (K,) that returns log p(z) + log p(x|z), (K,).
        x: The point to explain, (P,).
        mu: Mean of q, a number.
        std: Standard deviation of q, a number.
        eps: Noise from N(0, 1), (K,): make the draws from it.

    Returns:
        The estimate of p(x), and its standard error, w.std() / sqrt(K): two numbers, or tensors of one number.
    """
    ### BEGIN SOLUTION
    z = mu + std * eps  # (K,)
    log_w = log_joint(x, z) - Normal(mu, std).log_prob(z)
    w = log_w.exp()
    return w.mean(), w.std() / math.sqrt(len(w))
    ### END SOLUTION


# %% importance-check
importance_sampling = checks.accept("importance-sampling", importance_sampling)

# %% [markdown] importance-hints
# <details><summary>Hint 1</summary>
#
# Four steps: the draws `z`; `log_joint(x, z)` minus the log-density of `q` at `z`; `exp` of that difference; then mean
# and standard error.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `w.std() / math.sqrt(len(w))` is the standard error of `w.mean()`.
#
# </details>

# %% [markdown] importance-intro
# We try three $q$, with 20,000 draws each. In which rows does the bar cover the value from the grid? This also tests
# the grid, because these estimates do not use it.

# %% importance
eps = torch.randn(20_000, generator=g, dtype=torch.float64)
print(f"p(x) on the grid {log_evidence.exp().item():.5f}")
found = {}
for name, q in {"the prior": (0.0, 1.0), "wide": (0.0, 1.3), "large hump only": (1.08, 0.17)}.items():
    estimate, error = found[name] = tuple(map(float, importance_sampling(log_joint, x_seen, *q, eps)))
    off = abs(estimate - log_evidence.exp().item()) / error
    print(f"{name:16s} {estimate:.5f} +- {1.96 * error:.5f}, off by {off:.1f} standard errors")

# %% [test] importance-holds
for name in ("the prior", "wide"):
    estimate, error = found[name]
    assert abs(estimate - log_evidence.exp().item()) < 1.96 * error
estimate, error = found["large hump only"]
assert abs(estimate - log_evidence.exp().item()) > 10 * error
assert abs(estimate / log_evidence.exp().item() - share) < 0.02

# %% [markdown] importance-seen
# The prior and the wide $q$ agree with the grid. The narrow $q$ has the shortest bar and is far off. The formula $p(x)
# = \mathbb{E}_q[w]$ holds for it too. But the other hump is more than 12 `std` away. A draw practically never falls
# there; if one did, its weight would be gigantic. The 20,000 draws miss that hump, so their average and their spread
# know nothing of it. What they estimate is $p(x)$ times the share of the hump that they reach: 30% too little.
#
# Is this an accident of one run? In the table the estimate is repeated 400 times in each run, for two $x$ (`height` is
# $x[1]$), and with one more $q$: on the large hump, but three times as wide (`std` 0.5). *Half a bar, of the estimate*
# is half the length of a bar divided by the estimate. How often does a bar cover $p(x)$, as it should in 95% of cases?

# %% importance-often
claims.evidence("06", "importance-bars")

# %% [markdown] importance-often-seen
# Of the bars of the prior {{claim importance-bars.prior_covered%}} cover $p(x)$, of those of the narrow $q$
# {{claim importance-bars.hump_covered%}}. With three times its width a few draws do reach the other hump, and still
# most bars miss: {{claim importance-bars.near_covered%}} of them cover $p(x)$. **An error bar knows only the places
# that enough draws reached.** The prior worked here because many of its draws reach a hump. With many latent numbers
# hardly any draw does.

# %% [markdown] bug-intro
# ## Further: Find the bug
#
# This section needs the core alone. A colleague fits one Gaussian $q$ to our $x = (1.4, 0.1)$ by the loss of a VAE,
# with the optimiser [[Adam|adam]]. The decoder is known, so only $\mu$ and $\log \sigma^2$ are trained. The script
# runs, the loss falls, and no warning appears. Yet one line is wrong. Do not read it line by line. First look at what
# it prints: which number is impossible?


# %% bug-script
from torch.nn import functional as F


def script_loss(x_hat, x, noise, mu, logvar):
    """The colleague's loss: minus the ELBO of x (P,), from K decoded draws x_hat (K, P)."""
    recon = F.gaussian_nll_loss(x_hat, x.expand_as(x_hat), torch.full_like(x_hat, noise**2))
    kl = 0.5 * (logvar.exp() + mu**2 - 1 - logvar)
    return recon + kl


def fit_q(loss_of, steps=400):
    """Fit q by a loss; print the mean bound of the last 100 steps, and what the grid says of the q that came out."""
    torch.manual_seed(0)
    mu, logvar = torch.tensor(1.0, requires_grad=True), torch.tensor(-1.0, requires_grad=True)
    optimizer, bounds = torch.optim.Adam([mu, logvar], lr=0.05), []
    for i in range(steps):
        z = mu + torch.exp(0.5 * logvar) * torch.randn(64)  # 64 draws, reparameterized
        loss = loss_of(decode(z), x_seen.float(), NOISE, mu, logvar)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        bounds.append(-loss.item())
        if (i + 1) % 100 == 0:
            mean, std = sum(bounds[-100:]) / 100, torch.exp(0.5 * logvar).item()
            print(f"step {i + 1}: ELBO by the script {mean:7.3f}, std of q {std:.3f}")
    log_q = Normal(mu.item(), std).log_prob(z_grid)
    exact, _ = bound_on_grid(log_joint(x_seen, z_grid)[None], log_q[None], step)
    print(f"ELBO of this q on the grid {exact.item():.3f}; log p(x) {log_evidence.item():.3f}")
    return mean, exact.item()


by_script = fit_q(script_loss)

# %% [test] bug-script-holds
assert by_script[0] > log_evidence.item() + 0.5  # what no bound can
assert by_script[1] < log_evidence.item()

# %% [markdown] bug-task
# The script's bound lies above $\log p(x)$, and no lower bound can. The grid, which does not use the script's loss,
# gives another number for the same $q$. So what the script computes is not the ELBO.
#
# ### Exercise 5: mend the script
#
# *Medium, about 8 minutes.* Which of the two terms is wrong, and how? The documentation of `F.gaussian_nll_loss` lists
# its defaults. Write the loss as it should be; use the library's function or the formula of the Gaussian.


# %% bug-exercise
def mended_loss(x_hat, x, noise, mu, logvar):
    """Minus the ELBO of one x in nats, its reconstruction term averaged over K draws of z.

    Args:
        x_hat: The decoded draws, (K, P).
        x: What was seen, (P,).
        noise: Standard deviation of p(x|z), a number.
        mu: Mean of q(z), a tensor of one number.
        logvar: Logarithm of the variance of q(z), a tensor of one number.

    Returns:
        The loss, a tensor of one number.
    """
    ### BEGIN SOLUTION
    variance = torch.full_like(x_hat, noise**2)
    nll = F.gaussian_nll_loss(x_hat, x.expand_as(x_hat), variance, full=True, reduction="none")  # (K, P)
    recon = nll.sum(dim=1).mean()  # a sum over the numbers of x, a mean over the draws
    kl = 0.5 * (logvar.exp() + mu**2 - 1 - logvar)
    return recon + kl
    ### END SOLUTION


# %% bug-check
mended_loss = checks.accept("mended-loss", mended_loss)

# %% [markdown] bug-hints
# <details><summary>Hint 1</summary>
#
# $-\log p(x|z)$ is a sum over the numbers of $x$. By default the function takes the mean over everything, draws and
# numbers alike.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `reduction="none"` leaves a table (K, P): sum over dimension 1, then average over the draws. `full=True` adds the
# constant $\frac{1}{2} \log 2\pi$ for each number, which the default leaves out.
#
# </details>

# %% bug-mended
by_mended = fit_q(mended_loss)
claims.evidence("06", "found-bug")

# %% [test] bug-mended-holds
assert by_mended[0] < log_evidence.item() - 0.2
assert abs(by_mended[0] - by_mended[1]) < 0.1

# %% [markdown] bug-seen
# Two defaults of one call are to blame. First, the mean over the two numbers of $x$ halves the reconstruction term.
# Compared with it the KL term then counts double, and the `std` of $q$ comes out too large. Second, the constant is
# left out. This moves the bound and changes nothing else. With both mended the bound stays below $\log p(x)$, and the
# distance is that of the large hump in section 4. **Run your loss on a model with a known answer
# before you run it on images.**

# %% [markdown] directions-idea
# ## Further: Which way round?
#
# Let $p$ be the posterior with two humps, and let one Gaussian $q$ stand for it. There are two KL divergences between
# them, [[forward and reverse|forward and reverse kl]], and they ask for different things.
#
# * **Forward**, $\mathrm{KL}(p \| q)$ is an average over $p$. It charges $q$ for places where $p$ is large and $q$
#   small. So $q$ must cover everything.
# * **Reverse**, $\mathrm{KL}(q \| p)$ is an average over $q$. It charges $q$ for places where $q$ is large and $p$
#   small. So $q$ may leave things out.
#
# The gap of the ELBO is the reverse one, because a VAE can average over its own $q$ and has no draws from the true
# posterior. In section 5 you climbed the ELBO by hand. Here is the same by gradient ascent from 13 starts. In the
# figure a grey line joins each start to its end. How many different ends are there?


# %% climb
def climb(mean, std=0.6, steps=300):
    """Means and gaps of q after ascent on the ELBO, from starts with these means, (B,)."""
    mean, log_std = mean.clone().requires_grad_(), torch.full_like(mean, math.log(std)).requires_grad_()
    optimizer = torch.optim.Adam([mean, log_std], lr=0.05)
    for _ in range(steps + 1):
        log_q = Normal(mean[:, None], log_std.exp()[:, None]).log_prob(z_grid)
        elbo, gap = bound_on_grid(log_joint(x_seen, z_grid).expand(len(mean), -1), log_q, step)
        optimizer.zero_grad()
        (-elbo.sum()).backward()
        optimizer.step()
    return mean.detach(), gap.detach()


starts = torch.linspace(-1.8, 1.8, 13, dtype=torch.float64)
ends, gaps = climb(starts)
figure, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
plots.curves({"posterior": (z_grid, posterior[0])}, "z, and the mean of q", "density", ax=ax)
ax.plot(torch.stack([starts, ends]), torch.tensor([[-0.5], [-0.1]]).expand(2, 13), color="0.5")
ax.plot(starts, torch.full((13,), -0.5), "o", color=plots.PALETTE[1], label="start")
ax.plot(ends, torch.full((13,), -0.1), "s", color=plots.PALETTE[2], label="end")
ax.set(xlim=(-2.5, 2.5), yticks=[0, 0.5, 1, 1.5])
ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
for end in (gaps[ends < 0], gaps[ends > 0]):
    print(f"{len(end)} of 13 starts end with a gap of {end.min():.2f} to {end.max():.2f} nats")

# %% [test] climb-holds
assert (ends.abs() > 0.9).all()
assert abs(gaps[ends > 0].max() + math.log(share)) < 0.05
assert abs(gaps[ends < 0].max() + math.log(1 - share)) < 0.05

# %% [markdown] climb-seen
# There are two ends, one on each hump. The table repeats this with 40 random starts in each run, for three $x$
# (`height` is $x[1]$). Where do the starts end if $x$ is nearest to the middle of the U (height 0.05)?

# %% climb-often
claims.evidence("06", "one-hump")

# %% [markdown] directions-figure-intro
# At heights 0.1 and 0.2 nearly all starts end on a hump. At height 0.05 {{claim one-hump.between% height=0.05}} stay in
# the valley, at a third place where no small step helps. And a start need not lead to the larger hump: there
# {{claim one-hump.on_small% height=0.05}} end on the small one. If sliders are moved one at a time, the order can
# matter too. Take starts on the left with a `std` of 0.6, where the ELBO has one hill. If the mean is moved first,
# {{claim sliders.left_mean_first% std=0.6}} of them end on the small hump, and if the `std` is,
# {{claim sliders.left_std_first% std=0.6}}.
#
# Now we minimise the forward KL too. Where does it put its peak?

# %% directions
log_p = (log_joint(x_seen, z_grid) - log_evidence)[None]  # (1, G): the posterior is the target


def kl_on_grid(log_a, log_b):
    """KL(a || b) in nats, from two log-densities on the grid, (1, G) each."""
    return (log_a.exp() * (log_a - log_b)).sum() * step


p_mean = (posterior[0] * z_grid).sum() * step
p_std = ((posterior[0] * (z_grid - p_mean) ** 2).sum() * step).sqrt()
mean, log_std = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.0, -1.0))
optimizer = torch.optim.Adam([mean, log_std], lr=0.05)
for _ in range(300):
    loss = kl_on_grid(log_p, Normal(mean, log_std.exp()).log_prob(z_grid)[None])  # forward
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
fits = {"forward": (mean.item(), log_std.exp().item()), "reverse, large hump": (1.08, 0.17),
        "reverse, small hump": (-1.05, 0.17)}  # fmt: skip
print(f"mean and std of the posterior: {p_mean:.2f} and {p_std:.2f}")
series, costs = {"target p": (z_grid, posterior[0])}, {}
for name, (m, s) in fits.items():
    log_q = Normal(m, s).log_prob(z_grid)[None]
    costs[name] = kl_on_grid(log_p, log_q).item(), kl_on_grid(log_q, log_p).item()
    series[name] = z_grid, log_q[0].exp()
    print(f"{name:20s} mean {m:5.2f}  std {s:4.2f}  KL(p || q) {costs[name][0]:6.2f}  KL(q || p) {costs[name][1]:5.2f}")
figure, ax = plt.subplots(figsize=(8.5, 3), layout="constrained")
plots.curves(series, "z", "density", ax=ax)
ax.set(xlim=(-3, 3))
plt.show()

# %% [test] directions-holds
assert abs(fits["forward"][0] - p_mean) < 0.02
assert abs(fits["forward"][1] - p_std) < 0.02
assert costs["reverse, large hump"][0] > 20 * costs["reverse, large hump"][1]

# %% [markdown] directions-seen
# The forward fit has the mean and the standard deviation of the target. Its peak stands in the valley, where the target
# has next to nothing. The mean and the standard deviation come out so for a target of any shape. Only one part of
# $\mathrm{KL}(p \| q)$ contains $q = \mathcal{N}(m, s^2)$:
#
# $$-\mathbb{E}_p[\log q] = \log s + \frac{\mathbb{E}_p[(z - m)^2]}{2 s^2} + \tfrac{1}{2} \log 2 \pi ,$$
#
# and this is smallest where $m$ is the target's mean and $s^2$ its variance. The reverse fits have a small reverse KL
# and a very large forward one.
#
# A VAE contains both. Here $p$ and $q$ stand for the posterior and the encoder's answer, and the encoder is fitted by
# the reverse KL. The model $p(x)$ is fitted to the data. Its KL from the data is the mean of $\log p_{\text{data}}(x) -
# \log p(x)$ over the data, and the first term does not depend on the model. So to raise the mean of $\log p(x)$ is to
# lower a forward KL, and the model must cover all the clothes.
#
# **Question.** Why does a diagonal $q$ tend to be too narrow where the dimensions of the posterior are correlated?
#
# <details><summary>Answer</summary>
#
# The reverse KL charges $q$ much for draws where the posterior has little, and little for what $q$ leaves out. So in
# each dimension $q$ takes the width that the posterior has when the other dimensions are held fixed. For two dimensions
# of variance 1 with correlation $\rho$ that is a variance of $1 - \rho^2$. (*A linear decoder, solved by hand* has such
# a case.)
#
# </details>
#
# ### Explore both directions
#
# Move the mean and the `std` of $q$. Where is each KL smallest? The panels show four places, and the table above names
# the two that you look for.


# %% directions-twin
def both_directions(m, s):
    """Chart of the target and q = N(m, s^2), KL(p || q) and KL(q || p)."""
    log_q = Normal(m, s).log_prob(z_grid)[None]
    lines = [plots.Series("p", z_grid[::2], posterior[0, ::2]), plots.Series("q", z_grid[::2], log_q[0, ::2].exp())]
    chart = plots.Chart(lines, (-3, 3), (0, 2.6), "z", "density")
    return chart, kl_on_grid(log_p, log_q).item(), kl_on_grid(log_q, log_p).item()


places = ((1.08, 0.17), (0.444, 0.983), (0.0, 0.4), (-1.05, 0.3))
shown = [both_directions(m, s) for m, s in places]
titles = [f"m = {m:g}, s = {s:g}\nKL(p||q) {f:.1f}\nKL(q||p) {r:.1f}"
          for (m, s), (_, f, r) in zip(places, shown, strict=True)]  # fmt: skip
axes = plots.panel_table({"densities": [chart for chart, _, _ in shown]}, column_titles=titles, width=11)


# %% directions-explorer
def directions_text(m, s):
    _, forward, reverse = both_directions(m, s)
    return f"Forward KL(p || q) = {forward:.2f} nats, reverse KL(q || p) = {reverse:.2f} nats."


directions_explorer = widgets.FunctionSliders(
    lambda m, s: {"target p and your q": both_directions(m, s)[0]},
    {"mean of q": (-2, 2, 0.44), "std of q": (0.1, 1.5, 1.0)}, describe=directions_text, title="Forward and reverse KL",
)  # fmt: skip
directions_explorer

# %% [markdown] monte-carlo-idea
# ## Further: A KL by sampling
#
# A KL divergence is an expectation, so an average estimates it: draw $z_1, \dots, z_K$ from $q$ and average $\log
# q(z_k) - \log p(z_k)$. This is a [[Monte Carlo estimate|monte carlo estimate]]. It works for any two densities that
# can be evaluated, also where there is no closed form. The bars below reach 1.96 standard errors to both sides. How
# many times shorter do 100 times as many draws make them? (The bars from 10 and 30 draws are themselves rough.)


# %% monte-carlo
def kl_monte_carlo(mu, logvar, num_samples, generator):
    """Estimate of KL(N(mu, diag(exp(logvar))) || N(0, I)) and its standard error; mu and logvar are (D,)."""
    q, p = Normal(mu, torch.exp(0.5 * logvar)), Normal(0.0, 1.0)
    draws = q.mean + q.stddev * torch.randn(num_samples, len(mu), generator=generator)  # (K, D)
    terms = (q.log_prob(draws) - p.log_prob(draws)).sum(dim=1)  # (K,)
    return terms.mean().item(), terms.std().item() / math.sqrt(num_samples)


mu_3, logvar_3 = torch.tensor([0.8, -0.5, 0.0]), torch.tensor([-1.0, 0.3, -2.0])  # one code of three numbers
kl_exact = kl_standard_normal(mu_3[None], logvar_3[None]).item()
counts = [10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000]
estimates = [kl_monte_carlo(mu_3, logvar_3, k, g) for k in counts]
means, errors = zip(*estimates, strict=True)
ax = plots.estimates(counts, means, [1.96 * e for e in errors], kl_exact, ylabel="KL (nats)")
ratio = errors[4] / errors[-1]
repeats = [kl_monte_carlo(mu_3, logvar_3, 300, g) for _ in range(400)]
covered = sum(abs(estimate - kl_exact) < 1.96 * error for estimate, error in repeats) / len(repeats)
single = torch.tensor([kl_monte_carlo(mu_3, logvar_3, 2, g)[0] for _ in range(400)])
print(f"closed form {kl_exact:.3f}; 100,000 samples {means[-1]:.3f} +- {1.96 * errors[-1]:.3f} nats")
print(f"from 1,000 to 100,000 samples the error bar becomes {ratio:.1f} times shorter")
print(f"of 400 bars from 300 samples each, {covered:.0%} cover the closed form")
print(f"of 400 estimates from 2 samples, {(single < 0).float().mean():.0%} are negative, though no KL is")

# %% [test] monte-carlo-holds
assert 8 < ratio < 12  # the square root of 100 is 10
assert 0.90 < covered < 0.99
assert (single < 0).any()

# %% [markdown] monte-carlo-seen
# The error falls as $1 / \sqrt{K}$, so 100 times the draws make it about 10 times smaller: one more digit costs a
# hundred times the work. A single estimate may be negative, though the expectation is not. The closed form has no such
# noise. So a VAE uses it for the KL term, and draws only for the reconstruction, which has no closed form.
#
# ### Explore the number of samples
#
# One slider sets $K$ by its logarithm: 2 means 100 samples, 5 means 100,000. The other one chooses a run, which means
# other random numbers. The figure shows two runs. Which one settles earlier?


# %% running
def running_kl(log10_k, run):
    """Chart of the running estimate of KL and its bar of 1.96 standard errors, up to K samples, and both at K."""
    num_samples, generator = round(10**log10_k), torch.Generator().manual_seed(int(run))
    q, p = Normal(mu_3, torch.exp(0.5 * logvar_3)), Normal(0.0, 1.0)
    draws = q.mean + q.stddev * torch.randn(num_samples, len(mu_3), generator=generator)
    terms = (q.log_prob(draws) - p.log_prob(draws)).sum(dim=1).double()
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


runs = {"KL by sampling": [running_kl(5, run)[0] for run in (0, 1)]}
axes = plots.panel_table(runs, column_titles=["run 0", "run 1"], width=10)


# %% running-explorer
def running_text(log10_k, run):
    _, mean, half = running_kl(log10_k, run)
    return f"After {round(10**log10_k):,} samples: {mean:.3f} +- {half:.3f} nats; the closed form gives {kl_exact:.3f}."


samples_explorer = widgets.FunctionSliders(
    lambda log10_k, run: {"KL by sampling": running_kl(log10_k, run)[0]},
    {"log10 of K": (1, 5, 3), "run": (0, 9, 0, 1)}, describe=running_text, title="How many samples?",
)  # fmt: skip
samples_explorer

# %% [test] running-holds
for run, last in ((0, 728), (1, 4885)):
    draws = torch.randn(100_000, 3, generator=torch.Generator().manual_seed(run))
    draws = mu_3 + torch.exp(0.5 * logvar_3) * draws
    terms = Normal(mu_3, torch.exp(0.5 * logvar_3)).log_prob(draws) - Normal(0.0, 1.0).log_prob(draws)
    mean = terms.sum(dim=1).double().cumsum(0) / torch.arange(1, 100_001)
    assert abs(((mean - kl_exact).abs() > 0.05).nonzero().max().item() + 1 - last) < 20

# %% [markdown] running-seen
# Run 0: it stays within 0.05 nats of the closed form from about 730 samples on, run 1 only from about 4,900 on. A
# single run that looks settled may still move.

# %% [markdown] one-draw-idea
# ## Further: The ELBO from one draw
#
# A VAE estimates its ELBO from one draw of $z$ for each image. We write that estimate, and test it on a model with two
# latent numbers whose $\log p(x)$ is known. Mind the sign: $\log p(x|z)$ is to be large, and `recon` is its negative, a
# loss.
#
# ### Exercise 6: the ELBO from one draw
#
# *Medium, about 10 minutes.* Everything is given: the encoder's answer, the noise, and a function that returns the
# reconstruction term. `kl_standard_normal(mu, logvar)` is the closed form of section 2.


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
# Four steps: `z` from `mu`, `logvar` and `eps`, as in lesson 05; `recon` from the given function; `kl`; and a sign.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Both `recon` and `kl` have shape (B,) and count nats that are *lost*. The ELBO is minus their sum. Do not average over
# the batch: each example has its own bound.
#
# </details>

# %% [markdown] exact-idea
# ### A linear decoder, solved by hand
#
# Let the decoder be linear: $x = W z + b + \sigma \epsilon$ with $z \sim \mathcal{N}(0, I)$ and $\epsilon \sim
# \mathcal{N}(0, I)$. (This model is called [[probabilistic PCA|probabilistic pca]], Tipping and Bishop 1999.)
#
# *Evidence.* $x$ is a sum of independent Gaussians, so it is Gaussian. Its mean is $b$, and the covariances add: $W
# W^\top + \sigma^2 I$.
#
# *Posterior.* Collect in $\log p(z) + \log p(x|z)$ what depends on $z$:
#
# $$-\tfrac{1}{2} z^\top z - \tfrac{1}{2 \sigma^2} \lVert x - b - W z \rVert^2 = -\tfrac{1}{2} z^\top \big(I + W^\top W
# / \sigma^2\big) z + z^\top W^\top (x - b) / \sigma^2 + \text{constant} .$$
#
# A Gaussian with mean $m$ and covariance $\Sigma$ has $-\frac{1}{2} z^\top \Sigma^{-1} z + z^\top \Sigma^{-1} m$ there.
# Compare: $\Sigma^{-1} = I + W^\top W / \sigma^2$ and $m = \Sigma W^\top (x - b) / \sigma^2$.
#
# The cell checks both by Bayes' rule: $\log p(z) + \log p(x|z) - \log p(z|x)$ must be $\log p(x)$ for any $z$.


# %% exact-answers
from torch.distributions import MultivariateNormal, kl_divergence


def exact_answers(weight, bias, std, x):
    """log p(x) (B,), and mean (B, D) and covariance (D, D) of p(z|x), for x (B, P) and weight (P, D)."""
    num_pixels, latent_dim = weight.shape
    covariance_x = weight @ weight.T + std**2 * torch.eye(num_pixels)
    log_px = MultivariateNormal(bias, covariance_x).log_prob(x)
    covariance_z = torch.linalg.inv(torch.eye(latent_dim) + weight.T @ weight / std**2)
    mean_z = (x - bias) @ weight @ covariance_z / std**2
    return log_px, mean_z, covariance_z


# %% exact-model
axes_of_x = torch.linalg.qr(torch.randn(6, 2, generator=g)).Q  # two orthogonal directions in six dimensions
weight, bias, std_x = axes_of_x * torch.tensor([1.5, 1.0]), torch.randn(6, generator=g), 0.7


def linear_nll(x, z, weight=weight):
    """-log p(x|z) in nats, (B,)."""
    return -Normal(z @ weight.T + bias, std_x).log_prob(x).sum(dim=1)


z_two = torch.randn(100, 2, generator=g)
x_six = z_two @ weight.T + bias + std_x * torch.randn(100, 6, generator=g)  # (100, 6), from the model itself
log_px, mean_z, covariance_z = exact_answers(weight, bias, std_x, x_six)
other_z = torch.randn(100, 2, generator=g)  # any codes
log_prior_z = Normal(0.0, 1.0).log_prob(other_z).sum(dim=1)
by_bayes = log_prior_z - linear_nll(x_six, other_z) - MultivariateNormal(mean_z, covariance_z).log_prob(other_z)
print(f"log p(x) by the formula and by Bayes' rule differ by at most {(by_bayes - log_px).abs().max():.1e} nats")

# %% [test] exact-model-holds
assert torch.allclose(by_bayes, log_px, atol=1e-3)

# %% [markdown] exact-bad-intro
# Now we take three diagonal $q$ and your estimate of the ELBO, with an error bar. The first $q$ is the true posterior.
# The second one is spoiled: its mean is moved by 0.6, and its standard deviation is 1.5 times as large. For the third
# one the columns of $W$ are not orthogonal, so the posterior is tilted. The best diagonal $q$ then has the variances $1
# / (\Sigma^{-1})_{dd}$, the width of the posterior with the other dimension held fixed. Do the estimate and the exact
# gap add up to $\log p(x)$?

# %% exact-bad
tilted = weight @ torch.tensor([[1.0, 0.8], [0.0, 1.0]])  # columns that are no longer orthogonal
print("q                          estimate of the ELBO    exact gap       sum   log p(x)   (means over 100 examples)")
checked = {}
for name, w, offset, scale in (
    ("posterior", weight, 0.0, 1.0),
    ("spoiled", weight, 0.6, 1.5),
    ("tilted", tilted, 0.0, 1.0),
):
    log_px, mean_z, covariance_z = exact_answers(w, bias, std_x, x_six)
    variance = scale**2 / torch.linalg.inv(covariance_z).diagonal()  # (2,)
    mu, logvar = mean_z + offset, variance.log().expand(100, 2)
    draws = torch.stack([
        one_sample_elbo(lambda x, z, w=w: linear_nll(x, z, w), x_six, mu, logvar, torch.randn(100, 2, generator=g))
        for _ in range(200)
    ]).mean(dim=1)  # 200 estimates  # fmt: skip
    gap = kl_divergence(MultivariateNormal(mu, variance.diag()), MultivariateNormal(mean_z, covariance_z)).mean()
    checked[name] = (draws.mean() + gap - log_px.mean()).item(), (draws.std() / math.sqrt(200)).item(), gap.item()
    bar, both = 1.96 * checked[name][1], draws.mean() + gap
    print(f"{name:24s} {draws.mean():8.3f} +- {bar:.3f} {gap:14.3f} {both:11.3f} {log_px.mean():10.3f}")

# %% [test] exact-bad-holds
for off, error, _ in checked.values():
    assert abs(off) < 4 * error + 1e-3
assert abs(checked["posterior"][2]) < 1e-3
assert checked["tilted"][2] > 0.1

# %% [markdown] exact-seen
# They do, within the error bar. The last row has a gap that no training of the encoder can close, because a diagonal
# $q$ cannot tilt.

# %% [markdown] iwae-idea
# ## Further: More draws inside the logarithm (IWAE)
#
# **Predict first.** You estimate a bound on $\log p(x)$ from 100 draws of $z$ in place of one. Does the bound rise, or
# does it only get steadier?
#
# It depends on where the average stands. The mean of 100 logarithms of weights is an estimate of the ELBO, only
# steadier. But the logarithm of a mean of 100 weights is larger on average: Jensen's inequality costs less when what
# stands under the logarithm varies less. So average $K$ weights *before* the logarithm:
#
# $$\mathrm{IWAE}_K = \mathbb{E}\left[ \log \frac{1}{K} \sum_{k=1}^{K} w_k \right], \qquad
# w_k = \frac{p(x|z_k)\, p(z_k)}{q(z_k|x)}, \quad z_k \sim q(z|x) .$$
#
# This is the bound of the [[importance weighted autoencoder|iwae]] (Burda, Grosse and Salakhutdinov 2015). For $K = 1$
# it is the ELBO. It does not fall as $K$ grows. If $q(z|x)$ is positive wherever $p(x|z)\, p(z)$ is, it tends to $\log
# p(x)$.
#
# There is a numerical trap. For an image, $\log w$ is around $-250$. What is $e^{-250}$ in float32?

# %% underflow
log_w = torch.tensor([-251.0, -249.0, -256.0])
print("weights:", log_w.exp().tolist(), " log of their mean:", log_w.exp().mean().log().item())

# %% [test] underflow-holds
assert log_w.exp().max() == 0

# %% [markdown] iwae-task
# All are zero, and the bound is $-\infty$. The remedy is to take out the largest logarithm $m$ first. Nothing is lost,
# because
#
# $$\log \frac{1}{K} \sum_k e^{a_k} = m + \log \frac{1}{K} \sum_k e^{a_k - m}, \qquad m = \max_k a_k ,$$
#
# and now the largest term is $e^0 = 1$. This is called [[log-mean-exp]].
#
# ### Exercise 7: the IWAE bound
#
# *Medium, about 15 minutes.* Compute the bound from the logarithms of the joint density and of $q$. Some inputs of the
# check are as large as those of images.


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

# %% [markdown] iwae-figure-intro
# The figure shows the bounds of three $q$ for the $x$ of the core, with up to 1,024 draws. Each is the mean of 200
# repetitions. Look where each line ends.

# %% iwae-figure
ks = [1, 4, 16, 64, 256, 1024]


def bounds_of(mean, std, repeats=200):
    """The IWAE bound of each K in ks for q = N(mean, std^2), as the mean over repetitions."""
    generator = torch.Generator().manual_seed(0)
    draws = mean + std * torch.randn(max(ks), repeats, generator=generator, dtype=torch.float64)  # (K, repeats)
    log_p, log_q = log_joint(x_seen, draws), Normal(mean, std).log_prob(draws)
    return [iwae(log_p[:k], log_q[:k]).mean().item() for k in ks]


shown = {"on the large hump": (1.08, 0.17), "3 times as wide": (1.08, 0.5), "wide": (0.0, 1.3)}
bounds = {name: bounds_of(*q) for name, q in shown.items()}
figure, ax = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
plots.curves({name: (ks, bound) for name, bound in bounds.items()}, "K, draws in the bound", "nats", log_x=True, ax=ax)
ax.axhline(log_evidence.item(), color="black", linewidth=1, label="log p(x)")
ax.set_ylim(-8, -2)
ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
for name, bound in bounds.items():
    print(f"{name:18s}", "  ".join(f"K = {k}: {b:.2f}" for k, b in zip(ks, bound, strict=True)))
without = log_evidence.item() + math.log(share)
print(f"log p(x) {log_evidence.item():.2f}; with the share of the large hump alone {without:.2f}")
claims.evidence("06", "stuck-bound")

# %% [test] iwae-figure-holds
assert abs(bounds["on the large hump"][-1] - log_evidence.item() - math.log(share)) < 0.05
assert abs(bounds["wide"][-1] - log_evidence.item()) < 0.1
assert bounds["wide"][0] < log_evidence.item() - 10

# %% [markdown] iwae-seen
# The wide $q$ has by far the worst ELBO, because it spends draws on codes that explain nothing. (Its value at $K = 1$
# is far below the picture. The printed number is rough, since it is the mean of 200 very unequal logarithms. By the
# grid this ELBO is {{claim stuck-bound.wide_elbo height=0.1}} nats below $\log p(x)$, at about $-25$.) With 64 draws
# and more this $q$ is within 0.06 nats of $\log p(x)$ (table), because the weights pick out the good draws. Some
# differences in the table are below 0. That is noise of the 200 repetitions: the bound itself is never above $\log
# p(x)$.
#
# The $q$ on one hump has the best ELBO of the three. Its bound stays below $\log p(x)$ for each $K$ that we tried. The
# other hump is 12 `std` away, so a draw there practically never comes. The weights are nearly equal, and more of them
# change nothing. (The limit $\log p(x)$ would need far more draws than anybody can make.) **A bound that no
# longer moves is not thereby tight.**
#
# ### Explore the bounds
#
# The sliders set the mean and the `std` of $q$. For which $q$ does the line reach $\log p(x)$ at $K = 1{,}024$? Is that
# also the $q$ with the best ELBO? The figure above shows three places.


# %% iwae-explorer
def bounds_chart(mean, std):
    """Chart of log p(x) and the IWAE bounds over K."""
    bound = [max(-12.0, b) for b in bounds_of(mean, std, repeats=60)]
    lines = [plots.Series("log p(x)", ks, [log_evidence.item()] * len(ks), color=0),
             plots.Series("IWAE", ks, bound, color=2), plots.Series("", ks, bound, "points", color=2)]  # fmt: skip
    return {"bounds": plots.Chart(lines, (1, 1024), (-12, -2), "K, draws in the bound", "nats", log_x=True)}


iwae_explorer = widgets.FunctionSliders(
    bounds_chart, {"mean of q": (-2, 2, 1.08), "std of q": (0.1, 1.5, 0.5)}, title="More draws inside the logarithm"
)
iwae_explorer

# %% [markdown] real-intro
# ### A real VAE
#
# Now we take the reference VAE with two numbers in its code, and the bounds of the package. We do not compute $\log
# p(x)$ on a grid here. So we only see how far the bound rises.

# %% real-vae
from course_utils.checkpoints import load_reference
from course_utils.data import fashion_mnist
from course_utils.device import pick_device
from course_utils.losses import elbo as elbo_of  # course_utils/losses.py: the two bounds for any model
from course_utils.losses import iwae_bound

device = pick_device()
vae = load_reference("vae_2d", device)
torch.manual_seed(0)  # on a CPU this is the first of the table's runs with 48 images and 64 samples
x_some = fashion_mnist("test").pixels()[torch.randperm(2000)[:48]].to(device)
with torch.no_grad():
    elbos = torch.stack([elbo_of(vae, x_some) for _ in range(32)])  # (32, 48)
    real = {k: iwae_bound(vae, x_some, k) for k in (64, 16, 4, 1)}  # (48,) each
rise = real[64] - elbos.mean(dim=0)  # image by image: what differs between images drops out
print("IWAE:", ", ".join(f"K = {k}: {bound.mean():.2f}" for k, bound in real.items()), "nats, mean over 48 test images")
print(f"from the ELBO to K = 64: {rise.mean():.2f} +- {1.96 * rise.std() / math.sqrt(len(rise)):.2f} nats; "
      f"median {rise.median():.1f}, largest {rise.max():.1f}")  # fmt: skip
claims.evidence("06", "real-rise")

# %% [test] real-vae-holds
assert rise.mean() > 2 * rise.std() / math.sqrt(len(rise))
assert rise.median() < rise.mean() < rise.max() / 2

# %% [markdown] real-seen
# The bound rises by a few nats on average. Most images gain less than the average, and a few gain several times as
# much. So the ELBO of this VAE has a gap of at least that size. The gap has two parts (Cremer, Li and Duvenaud 2018).
# The posterior is no diagonal Gaussian, so even the best one leaves an [[approximation gap]]. And one encoder serves
# all images, so for a given image it misses that best one: this is the [[amortisation gap]]. These numbers do not tell
# how large each part is, nor how much of the gap they do not show.
#
# Training with a large $K$ makes the bound tighter. At the same time the signal in the encoder's gradient becomes
# weaker compared with its noise (Rainforth et al. 2018).

# %% [markdown] likelihood-idea
# ## Further: What BCE and MSE assume
#
# The reconstruction term is $-\log p(x|z)$. So whoever chooses a loss chooses a distribution of the pixels.
#
# **Bernoulli.** Each pixel is a coin that shows white with probability $\hat{x}$. Then $-\log p(x|z)$ is the binary
# [[cross-entropy]] (BCE), summed over pixels. For black-and-white images this is exact. For grey images this course,
# like many programs, puts in the grey value as if it were the mean of many throws. That is a useful loss, but it is no
# longer the probability of an image. (The continuous Bernoulli of Loaiza-Ganem and Cunningham 2019 repairs that.)
#
# **Gaussian.** Each pixel is $\hat{x}$ plus noise of standard deviation $\sigma$:
#
# $$-\log p(x|z) = \sum_{\text{pixels}} \left[ \frac{(x - \hat{x})^2}{2 \sigma^2} + \log \sigma + \tfrac{1}{2} \log 2
# \pi \right] .$$
#
# So the sum of squared errors *without* the factor $1 / (2 \sigma^2)$ assumes $\sigma^2 = \frac{1}{2}$. That is noise
# with a standard deviation of 0.71 on pixels between 0 and 1, so strong that hardly anything could be seen. The choice
# of $\sigma$ decides how much the reconstruction counts against the KL term.


# %% gaussian-nll-function
def gaussian_nll(x_hat, x, std):
    """-log p(x|z) for pixels x_hat + std * noise, in nats, (B,): summed over C, H, W."""
    per_pixel = 0.5 * ((x - x_hat) / std) ** 2 + math.log(std) + 0.5 * math.log(2 * math.pi)
    return per_pixel.flatten(1).sum(dim=1)


# %% [markdown] std-figure-intro
# Which $\sigma$ fits the reconstructions of a trained VAE best? The curve shows their negative log-likelihood for each
# $\sigma$. The dotted line is the root mean squared error (RMSE). Where is the lowest point?

# %% std-figure
from course_utils.checkpoints import load_reference
from course_utils.data import fashion_mnist

vae, x_some = load_reference("vae_2d", torch.device("cpu")), fashion_mnist("test").pixels(slice(0, 48))
with torch.no_grad():
    x_hat = vae.decode(vae.encode(x_some))
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
by_torch = -Normal(x_hat, 0.2).log_prob(x_some).flatten(1).sum(dim=1)
assert torch.allclose(gaussian_nll(x_hat, x_some, 0.2), by_torch, rtol=1e-4)

# %% [markdown] std-seen
# The best $\sigma$ is the RMSE. (Set the derivative of the formula by $\sigma$ to 0.) Many programs take $\sigma = 1$,
# and then the noise is several times too large. The squared error counts for too little, as if the KL term were
# multiplied by $(1 / \mathrm{RMSE})^2$, the last number above. (The section *The reduction pitfall* shows why.)
#
# ### Targets in [0, 1]
#
# The mean of a coin lies in $[0, 1]$. What happens when standardised pixels, or noise, are given as targets of a
# cross-entropy? Look closely at the last line.

# %% bce-targets
from torch.nn import functional as F

from course_utils.losses import bernoulli_nll  # course_utils/losses.py

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
# The form with logits accepts such targets without a word, and then the loss has no lowest value. The higher the logit
# of a target above 1, the lower the loss, and the lower the logit of a target below 0, the lower the loss. Our
# `bernoulli_nll` refuses such targets.

# %% [markdown] bits-idea
# ## Further: Nats and bits per dimension
#
# A loss of 250 nats an image says little to someone whose images have another size. Divide it by the number of pixels
# and by $\log 2$, and it becomes [[bits per dimension]].
#
# A Gaussian gives the *density* of a pixel, and a picture file stores one of 256 grey levels. One level is $1/256$
# wide, so its probability is about the density divided by 256. In bits this adds 8 to the loss: $-\log_2
# p(\text{level}) \approx -\log_2 p(\text{density}) + 8$. Strictly, one first adds noise to the pixels that is uniform
# over the width of one level. This is called [[dequantisation]]. With it the bits, with the 8 added, are on average not
# fewer than those of the grey levels themselves (Theis, van den Oord and Bethge 2016). We leave the noise out, so our
# number has no such guarantee and is only an orientation.

# %% bits
from course_utils.checkpoints import load_reference
from course_utils.data import fashion_mnist
from course_utils.gaussian import reparameterize
from course_utils.losses import bernoulli_nll, bits_per_dim
from torch.nn import functional as F

vae, x_some = load_reference("vae_2d", torch.device("cpu")), fashion_mnist("test").pixels(slice(0, 48))
with torch.no_grad():
    mu, logvar = vae.posterior(x_some)
    drawn = reparameterize(mu, logvar)  # a draw from q, as the ELBO asks, and not the mean of q
    kl, x_hat = kl_standard_normal(mu, logvar), vae.decode(drawn)
    bernoulli = (bernoulli_nll(vae.decode_logits(drawn), x_some) + kl).mean().item()
floor = F.binary_cross_entropy(x_some, x_some, reduction="none").flatten(1).sum(dim=1).mean().item()
noise = (x_hat - x_some).square().mean().sqrt()  # the best standard deviation of a pixel
gaussian = -Normal(x_hat, noise).log_prob(x_some).flatten(1).sum(dim=1).mean().item() + kl.mean().item()
print(f"Bernoulli: -ELBO {bernoulli:.1f} nats = {bits_per_dim(bernoulli, 784):.3f} bits per dimension")
print(f"  of which {floor:.1f} nats are the entropy of the grey values, which no reconstruction can go below")
print(f"Gaussian:  {gaussian:.1f} nats = {bits_per_dim(gaussian, 784):.3f} bits per dimension, "
      f"{bits_per_dim(gaussian, 784) + 8:.3f} for 256 grey levels")  # fmt: skip

# %% [test] bits-holds
assert abs(bits_per_dim(bernoulli, 784) - bernoulli / 784 / math.log(2)) < 1e-9
assert 0 < floor < bernoulli
assert gaussian < 0  # a density may be larger than 1

# %% [markdown] bits-seen
# The two lines cannot be compared with each other. One is a cross-entropy with grey values as means. The other comes
# from a density, so it may be negative. Compare bounds only between models with the same likelihood on the same data.

# %% [markdown] reduction-idea
# ## Further: The reduction pitfall
#
# A VAE may weight its KL term: $\mathtt{loss} = \mathtt{recon} + \beta \cdot \mathtt{kl}$. With a weight
# [[$\beta$|beta]] of 1 this is minus the ELBO.
#
# **Predict first.** Somebody writes the loss of a VAE as `F.binary_cross_entropy(x_hat, x) + kl.sum(dim=1).mean()`. It
# looks like reconstruction plus KL with $\beta = 1$. Which $\beta$ is it really, for images of 28 x 28: about 1, about
# 30, or about 800?
#
# <details><summary>What we found</summary>
#
# 784. The reconstruction is divided by the number of pixels, and the KL term is not.
#
# </details>
#
# The ELBO of an image is a **sum** over pixels plus a **sum** over dimensions. How many numbers become one is called
# the [[reduction]], and loss functions of libraries average by default. If both terms are divided by the same number,
# the loss is a multiple of the ELBO, and no harm is done. But if one term is divided by 784 and the other is not, their
# balance changes 784-fold, and the balance is what $\beta$ means. The program says $\beta = 1$ and means something
# else.
#
# This can be measured without reading the code. Let the terms be `recon` (B, P), one number for each pixel, and `kl`
# (B, D), one for each dimension, all in nats. A loss is some function of the two. Raise *one* entry of `kl` by one nat:
# how much does the loss change, compared with a change of one nat in *one* entry of `recon`? That ratio is the
# [[effective beta]]. Both changes are gradients.
#
# ### Exercise 8: an effective-beta meter
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
# `torch.autograd.grad(scalar, (a, b))` returns the two gradients, shaped like `a` and `b`. All entries of each are the
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
# The next cell holds eleven ways to write the loss. Where a program is named, the references say which file and version
# of it has this form. There are P = 784 pixels, D = 20 dimensions and B = 256 images in a batch. In some forms `2 * r`
# stands for the squared error: with unit variance the negative log-likelihood `r` is half the squared error, apart from
# a constant. Beside your measurement stands the package's formula, `effective_beta`, which works from the reductions
# alone. Guess some of the betas before you run the cell.

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
    "BCE reduction='sum', KL sum, batch mean": (lambda r, k: r.sum() + k.sum(1).mean(), {"recon_batch": "sum"}),
    "squared error sum, KL sum (early pythae)": (
        lambda r, k: (2 * r).sum(1).mean() + k.sum(1).mean(), {"recon_scale": 2.0}),
    "MSE mean, 0.00025 * KL (PyTorch-VAE)": (
        lambda r, k: (2 * r).mean() + 0.00025 * k.sum(1).mean(),
        {"beta": 0.00025, "recon_scale": 2.0, "recon_pixels": "mean"}),
    "means, KL times D / P (Higgins et al. 2017)": (
        lambda r, k: r.mean() + D / P * k.mean(), {"beta": D / P, "recon_pixels": "mean", "kl_dims": "mean"}),
}  # fmt: skip

# %% forms-measured
from course_utils.losses import effective_beta  # course_utils/losses.py

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
# Four of the eleven have $\beta = 1$: these are the ELBO, or a multiple of it. The others range over seven powers of
# ten, and one does not see it in the program. One of them, squared error plus KL, is an ELBO as well, but that of
# another likelihood:
#
# **$\sigma$ and $\beta$ are one knob.** For a Gaussian likelihood, with SE for the sum of squared errors,
#
# $$\frac{\mathrm{SE}}{2 \sigma^2} + \beta \, \mathrm{KL} = \frac{1}{\sigma^2} \left( \frac{\mathrm{SE}}{2} + \beta
# \sigma^2 \, \mathrm{KL} \right) .$$
#
# So variance $\sigma^2$ with the weight $\beta$ is the same as unit variance with the weight $\beta \sigma^2$, apart
# from a common factor. The table assumes unit variance, so there squared error plus KL has $\beta = \frac{1}{2}$. If
# one assumes $\sigma^2 = \frac{1}{2}$ it has $\beta = 1$. (Later versions of pythae put the factor $\frac{1}{2}$ before
# the squared error.) For a Gaussian likelihood $\beta$ means something only together with $\sigma$.
#
# Three remarks. First, the two old Keras examples have codes of two numbers, so their own betas are 392 and 0.5: where
# one averages over dimensions the balance depends on $D$. Second, the weight of the PyTorch-VAE collection was made for
# colour images of 64 x 64, where beta is about 1.5. The same program on our images has a sixteenth of that. Third,
# Higgins et al. report a normalised $\beta D / P$. This is the weight that a loss made of two means needs for an
# effective beta of $\beta$, so their numbers can be translated.

# %% [markdown] damage-intro
# ### What it does to a VAE
#
# We train three small VAEs on the same images from the same initial weights, with three of these losses. The first is
# the ELBO. In the second the reconstruction is averaged (784). The third is what one gets when the second is mended by
# one word, `reduction="sum"`: now the reconstruction is summed over the batch too, and the KL term is not (1/256).
# After training all three are measured in the same way, in nats. In the table look at `recon` and `kl` of each. In the
# figure look first at the reconstructions, then at the samples from the prior.

# %% damage
from torch.nn import functional as F

from course_utils.data import fashion_mnist
from course_utils.device import pick_device
from course_utils.gaussian import reparameterize
from course_utils.models.vae import VAE  # what you built in lesson 04
from course_utils.training import fit  # the loop of lesson 02


def terms_of(model, x):
    """-log p(x|z) of each pixel, (B, P), and the KL of each dimension, (B, D), in nats."""
    mu, logvar = model.posterior(x)
    x_logits = model.decode_logits(reparameterize(mu, logvar))
    recon = F.binary_cross_entropy_with_logits(x_logits, x, reduction="none").flatten(1)
    return recon, 0.5 * (logvar.exp() + mu.square() - 1 - logvar)


chosen = {
    "ELBO (beta = 1)": "sum over features, mean over batch (Keras's example)",
    "beta = 784": "BCE mean (the default), KL sum, batch mean",
    "beta = 1/256": "BCE reduction='sum', KL sum, batch mean",
}

# %% damage-train
device, train = pick_device(), fashion_mnist("train")
x_eval, trained = fashion_mnist("test").pixels(slice(0, 500)).to(device), {}
print("                    beta     recon        kl     -ELBO  std of mu   (test images, nats)")
for name, form in chosen.items():
    torch.manual_seed(0)  # the first of the runs in the table below
    vae_small = VAE(8, hidden=128).to(device)

    def loss_of(model, x, form=form):
        return {"loss": forms[form][0](*terms_of(model, x))}

    fit(vae_small, train.batches(B, device=device, shuffle=True), epochs=3, lr=4e-3, loss=loss_of, progress=False)
    with torch.no_grad():
        terms = {key: value.item() for key, value in vae_small.eval().loss_terms(x_eval).items()}
        terms["spread"] = vae_small.encode(x_eval).std(dim=0).mean().item()  # of the codes of different images
    trained[name] = vae_small, terms
    print(
        f"{name:15s} {betas[form]:8.3g} ", " ".join(f"{terms[key]:9.1f}" for key in ("recon", "kl", "loss", "spread"))
    )

# %% damage-figure
rows = {"test image": x_eval[:7].cpu()}
with torch.no_grad():
    for name, (vae_small, _) in trained.items():
        rows[f"{name}: restored"] = vae_small.decode(vae_small.encode(x_eval[:7])).cpu()
    for name, (vae_small, _) in trained.items():
        torch.manual_seed(1)
        rows[f"{name}: from prior"] = vae_small.decode(vae_small.sample_latent(7)).cpu()
figure, ax = plt.subplots(figsize=(9.5, 8), layout="constrained")
ax = plots.image_rows(rows, ax=ax)
claims.evidence("06", "reductions")

# %% [test] damage-claims
right, silent, loud = (terms for _, terms in trained.values())
assert silent["kl"] < 0.5  # the code carries nothing
assert silent["recon"] > right["recon"] + 30
assert loud["kl"] > 2 * right["kl"]
assert loud["spread"] > 1.5  # the prior's is 1
assert loud["recon"] < right["recon"]
assert right["loss"] < min(silent["loss"], loud["loss"])  # only the ELBO's own loss is good at the ELBO

# %% [markdown] damage-seen
# With 784 the KL term wins: each image gets the prior as its posterior, the code says nothing, and all reconstructions
# are the same average picture. This is called [[posterior collapse]]. Longer training does not help here: after 12
# passes the KL is still {{claim reductions.mean_kl epochs=12}} nats. With 1/256 the KL term hardly counts. Its `recon`
# is the lowest of the three (in the figure the difference is small), and the codes spread
# {{claim reductions.sum_spread epochs=3}} times as wide as the prior (after 12 passes
# {{claim reductions.sum_spread epochs=12}} times). So a draw from the prior probably lands in the crowded middle, or
# between codes, where the decoder was not trained. The figure cannot show this: after three passes most samples of the
# ELBO are smears too (lesson 07 trains it well). In both cases no error is raised, and the loss falls.
#
# The right mend is a sum over pixels and a mean over the batch: `F.binary_cross_entropy(x_hat, x, reduction="sum") /
# len(x)`. You may want another $\beta$ than 1, and lesson 07 changes it on purpose. But then choose it, and report it
# with the reductions.
#
# **Question.** You double the height and the width of your images and keep the loss `F.mse_loss(x_hat, x) + 0.001 *
# kl`, `kl` being summed over dimensions and averaged over the batch. What happens?
#
# <details><summary>Answer</summary>
#
# There are four times as many pixels, so the mean divides the reconstruction by four times as much, and the effective
# beta is four times as large. The codes then tell less about the image, though nobody changed a weight. With sums this
# does not happen: four times the pixels count four times as much.
#
# </details>
#
# A caveat: the effective beta compares the two terms and does not see the scale of the whole loss. For plain SGD that
# scale matters as well, since it multiplies the learning rate. For Adam it hardly matters.

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
# * Programs named in the section on reductions: `vae/main.py` of pytorch/examples, and its issues 290 and 294 for the
#   form until 2018; `examples/generative/vae.py` of keras-io; `examples/variational_autoencoder.py` (as of commit
#   cb468fe) and `examples/variational_autoencoder_deconv.py` (as of 6df68b5) of keras-team/keras;
#   `models/vanilla_vae.py` of AntixK/PyTorch-VAE; `src/pythae/models/vae/vae_model.py` of clementchadebec/benchmark_VAE
#   (as of 06d582a, and later).

# %% [markdown] next
# ## Next
#
# Lesson 07 changes $\beta$ on purpose. It has the rate-distortion curve, the KL of each dimension, posterior collapse
# and its cures, and the bound of a well-tuned VAE with its spread over seeds.
