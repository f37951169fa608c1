# %% [markdown] title
# {{header}}
#
# # 05. How does a gradient get through a random draw?
#
# **The reparameterization trick.** At the end of this lesson you can
#
# 1. show that a sampling step stops the gradient, and repair it with $z = \mu + \sigma \epsilon$;
# 2. compute the same gradient in two ways, pathwise and by the score function, and say what their noise costs;
# 3. test a gradient with finite differences, and say where the trick does not apply.

# %% [markdown] prerequisites
# **You need:** lesson 04 (the encoder's two heads $\mu$ and $\log\sigma^2$), the chain rule, the expectation of a
# function as an integral over a density, and the idea that `backward` walks a graph of operations in reverse.
#
# **Time:** {{learning}} with the exercises. Running all cells takes {{minutes}}.

# %% setup
{{setup}}

# %% imports
import math

import matplotlib.pyplot as plt
import torch
from torch.distributions import Normal
from torch.nn import functional as F

from course_utils import checks, plots
from course_utils.checkpoints import load_reference
from course_utils.data import fashion_mnist
from course_utils.device import pick_device, seed_everything
from course_utils.gaussian import kl_standard_normal  # course_utils/gaussian.py; lesson 06 derives it
from course_utils.models.vae import VAE  # course_utils/models/vae/vae.py: lesson 04's model
from course_utils.widgets import FunctionSliders  # course_utils/widgets/function_sliders.py

plt.rcParams["figure.dpi"] = 90
seed_everything(5)  # the draws of this lesson come from PyTorch's global generator
device = pick_device()

# %% [markdown] predict
# ## Predict first
#
# **Question 1.** We take $\mu$ and $\log\sigma^2$ as leaf tensors that ask for gradients, draw $z \sim
# \mathcal{N}(\mu, \sigma^2)$ with a library function, decode it with a network that is being trained, compute the
# loss and call `loss.backward()`. What is `mu.grad`?
#
# - (a) the right gradient,
# - (b) `None`,
# - (c) zero,
# - (d) there is none, because `backward` raises an error.
#
# **Question 2.** There are two estimators of the gradient of $E[f(z)]$. Both are right on average. In 100
# dimensions, for the harmless function $f(z) = \lVert z\rVert^2$ at $\mu = (1, \dots, 1)$ and $\sigma = 1$, how
# many times more samples does the noisier one need for the same accuracy: 2, 100 or 10,000?
#
# Write both answers down.
#
# <details><summary>What we found, for after sections 1 and 5</summary>
#
# 1. (b) with one library function, (c) with another. Neither raises an error, because the decoder still gets its
#    gradient.
# 2. About 10,000, and with a baseline still about 150.
#
# </details>

# %% [markdown] stop-text
# ## 1. A sampling node stops the gradient
#
# We take the trained 2-D VAE, encode eight photographs, and treat its $\mu$ and $\log\sigma^2$ as the parameters
# that we want gradients for. Then we draw $z$ in two ways that PyTorch offers, decode, and call `backward`. Look at
# the three gradients in each line: of $\mu$, of $\log\sigma^2$, and of the decoder's weights.

# %% sampling-node
test = fashion_mnist("test")
model = load_reference("vae_2d", device)  # course_utils/checkpoints.py
x = test.pixels(slice(0, 8), device=device)
mu, logvar = (t.detach().requires_grad_() for t in model.posterior(x))  # (8, 2) each


def gradients(draw):
    """What reaches mu, logvar and the decoder when z = draw(mu, std) is decoded and scored."""
    mu.grad = logvar.grad = None
    model.zero_grad()
    z = draw(mu, torch.exp(0.5 * logvar))
    model.negative_log_likelihood(x, z).mean().backward()
    decoder = torch.cat([p.grad.flatten() for p in model.decoder.parameters()])
    return {"mu": mu.grad, "logvar": logvar.grad, "decoder": decoder}


def library_sample(mu, std):
    return Normal(mu, std).sample()


for name, draw in {"Normal(mu, std).sample()": library_sample, "torch.normal(mu, std)": torch.normal}.items():
    found = {key: "None" if grad is None else f"norm {grad.norm():.3g}" for key, grad in gradients(draw).items()}
    print(f"{name:26s}", ",  ".join(f"{key}: {text}" for key, text in found.items()))
reached = {draw: gradients(draw)["mu"] for draw in (library_sample, torch.normal)}  # of mu: None, and zeros

# %% [test] sampling-node-holds
assert reached[library_sample] is None
assert reached[torch.normal].abs().max() == 0

# %% [markdown] stop-seen
# So (b) or (c), depending on the function, and no error either way. The decoder gets its gradient; the encoder gets
# nothing. (With `sample()`, (d) would be right if nothing after the draw had parameters: PyTorch then finds no graph
# at all.) `None` at least looks like a fault. The zeros of `torch.normal` look like an answer: a program with this
# line runs, its loss falls (the decoder does learn), and the encoder never moves. Section 7 trains one like this.
#
# Why is there no gradient? `backward` asks of each step: *if its input had been a little different, how would its
# output have changed?* For a draw the question has no answer. The generator returned, say, 0.73. Had $\mu$ been
# 0.01 larger, would it have returned 0.74, or any other number? A distribution says how often each number comes up.
# It does not say how the draws from two neighbouring distributions belong together.
#
# Yet what we want exists. The *expected* loss is an ordinary smooth function of $\mu$ and $\sigma$:
#
# $$ L(\mu, \sigma) = E_{z \sim \mathcal{N}(\mu, \sigma^2)}\,[f(z)] = \int q(z)\, f(z)\, dz, $$
#
# and only $q$ depends on the parameters. The question is how to *estimate* its gradient from samples.

# %% [markdown] trick-text
# ## 2. The trick: draw first, then compute
#
# A sample of $\mathcal{N}(\mu, \sigma^2)$ can be made in two steps: draw $\epsilon$ from $\mathcal{N}(0, 1)$, which
# has no parameters, and then *compute*
#
# $$ z = \mu + \sigma\, \epsilon, \qquad \sigma = \exp(\tfrac12 \log\sigma^2). $$
#
# The result has the same distribution. But now the question of `backward` has an answer: keep $\epsilon$, move
# $\mu$, and $z$ moves along.
#
# ```
# sampling node     mu, logvar --> ( draw ) --> z --> f        backward stops at the draw
#
# reparameterized   mu, logvar --> mu + std * eps --> z --> f  backward passes;
#                   eps ~ N(0, I) ----^                        eps is an input and needs no gradient
# ```
#
# With the code's names, `std = exp(0.5 * logvar)`, the slopes are those of an ordinary formula:
#
# $$ \frac{\partial z}{\partial \mu} = 1, \qquad
# \frac{\partial z}{\partial \log\sigma^2} = \tfrac12\, \sigma\, \epsilon = \tfrac12\,(z - \mu). $$
#
# Each example of a batch and each coordinate gets an $\epsilon$ of its own.

# %% [markdown] reparameterize-text
# ### Exercise 1: reparameterize
#
# *Difficulty 1 of 3, about 8 minutes.* Three lines are enough, and most of the ways to get them wrong still run.
# The check looks at the mean, the spread and the independence of your samples, and at the gradients behind them.
# You may draw the noise in any way you like, on the device where `mu` is.


# %% reparameterize-exercise
def reparameterize(mu, logvar):
    """A sample of N(mu, diag(exp(logvar))) through which gradients flow.

    Args:
        mu: Means, (B, D).
        logvar: log(sigma^2), (B, D).

    Returns:
        z, (B, D), with fresh noise for every element at every call.
    """
    ### BEGIN SOLUTION
    std = torch.exp(0.5 * logvar)  # (B, D)
    eps = torch.randn_like(std)  # (B, D), N(0, I)
    return mu + std * eps
    ### END SOLUTION


# %% reparameterize-check
reparameterize = checks.accept("reparameterize", reparameterize)

# %% [markdown] reparameterize-hints
# <details><summary>Hint 1</summary>
#
# $\sigma^2 = \exp(\texttt{logvar})$. Take the square root. What does a square root do to an exponent?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `torch.randn_like(mu)` draws standard normal noise of mu's shape and device. Nothing has to be detached:
# $\epsilon$ does not depend on any parameter anyway.
#
# </details>

# %% [markdown] flows-look
# Now the same test as in section 1, with your function. Look for the gradients that were missing. The cell also
# compares the slopes with the two formulas above.

# %% flows
found = gradients(lambda m, s: reparameterize(m, 2 * s.log()))
print(",  ".join(f"{key}: norm {grad.norm():.3g}" for key, grad in found.items()))

z = reparameterize(mu, logvar)
slope_mu, slope_logvar = torch.autograd.grad(z.sum(), (mu, logvar))
off_mu, off_logvar = (slope_mu - 1).abs().max(), (slope_logvar - 0.5 * (z - mu)).abs().max()
print(f"slopes against the formulas: largest difference {off_mu:.1e} for mu, {off_logvar:.1e} for log sigma^2")

# %% [test] flows-holds
assert found["mu"].abs().min() > 0
assert found["logvar"].abs().min() > 0
torch.testing.assert_close(slope_mu, torch.ones_like(mu))
torch.testing.assert_close(slope_logvar, 0.5 * (z - mu).detach(), rtol=1e-3, atol=1e-5)

# %% [markdown] fixed-look
# ## 3. Keep the noise, move the parameters
#
# We draw five numbers $\epsilon$ once and never again. Three settings of $\mu$ and $\log\sigma^2$, one a column. In
# the first row, blue circles are the fixed $\epsilon$ on the bell of $\mathcal{N}(0,1)$, and red triangles are the
# five $z$ on the bell of $q$. In the second row, $z$ is drawn against $\epsilon$: what are the slope and the height
# of that line? In the third row, each $z$ is the first coordinate of a code that the VAE decodes (the second one is
# 0).

# %% bells
eps = torch.randn(5, generator=torch.Generator().manual_seed(0)).sort().values
axis = torch.linspace(-6, 6, 121)


def bell(z, mu, std):
    """Density of N(mu, std^2) at z."""
    return torch.exp(-0.5 * ((z - mu) / std) ** 2) / (std * math.sqrt(2 * math.pi))


before = [
    plots.Series("N(0, 1)", axis, bell(axis, 0, 1), color=0),
    plots.Series("eps, fixed", eps, bell(eps, 0, 1), "points", color=0),
]


# %% fixed-eps
def move(mu, logvar):
    """Two charts and a strip of decoded images for fixed eps."""
    std = math.exp(0.5 * logvar)
    z = mu + std * eps
    densities = [*before]  # eps and its bell stay
    densities.append(plots.Series("q = N(mu, std^2)", axis, bell(axis, mu, std), color=2))
    densities.append(plots.Series("z = mu + std * eps", z, bell(z, mu, std), "points", color=2))
    line = [plots.Series("", [-3, 3], [mu - 3 * std, mu + 3 * std], color=2)]
    line.append(plots.Series("z = mu + std * eps", eps, z, "points", color=2))
    codes = torch.stack([z, torch.zeros(5)], dim=1).to(device)
    strip = torch.cat(list(model.decode(codes)), dim=2)  # (1, 28, 5 * 28)
    return {
        "densities": plots.Chart(densities, (-6, 6), (0, 1.9), "eps and z", "density"),
        "z against eps": plots.Chart(line, (-3, 3), (-6, 6), "eps", "z"),
        "decoded": strip,
    }


# %% fixed-twin
def say(mu, logvar):
    return f"std = exp(0.5 * logvar) = {math.exp(0.5 * logvar):.2f}."


sliders = {"mu": (-3, 3, 0, 0.1), "logvar": (-3, 2, 0, 0.1)}
explorer = FunctionSliders(move, sliders, describe=say, title="Fixed noise, moving parameters")
axes = explorer.static([(0, 0), (2, 0), (2, -3)])

# %% [markdown] fixed-explorer-text
# **Explorer.** Move `mu` and watch all five points and pictures slide by the same amount. Move `logvar`: points far
# from the centre move most, the ones near $\epsilon = 0$ hardly at all. This is the formula $\partial z / \partial
# \log\sigma^2 = \frac12 \sigma \epsilon$ to look at. Which picture changes most when you raise `logvar`, and why?

# %% fixed-explorer
explorer.move_to(1.0, -1.0)
explorer

# %% [markdown] fixed-seen
# The line has height $\mu$ (at $\epsilon = 0$) and slope $\sigma$. Nothing jumps while you drag: with fixed noise,
# $z$ is a smooth function of the parameters, and so is the decoded image. That is all that `backward` needs.

# %% [markdown] estimators-text
# ## 4. Two estimators of one gradient
#
# **Pathwise.** Write the expectation over $\epsilon$, whose distribution has no parameters, and the gradient may go
# inside:
#
# $$ \nabla\, E_\epsilon\, [f(\mu + \sigma\epsilon)] = E_\epsilon\big[ f'(z)\, \nabla z \big]. $$
#
# In words: differentiate the loss along the path of each sample, and average. This is what `backward` does with
# your function.
#
# **Score function.** Leave the samples where they are and differentiate the density instead. Because $\nabla q =
# q\, \nabla \log q$,
#
# $$ \nabla \int q(z) f(z)\, dz = \int f(z)\, \nabla q(z)\, dz = E_{z \sim q}\big[ f(z)\, \nabla \log q(z) \big]. $$
#
# In words: make the draws with a small $f$ more likely and those with a large $f$ less likely. $f$ is only
# evaluated, never differentiated; it could be a game, a simulator or a person's rating. In reinforcement learning
# this estimator is called REINFORCE (Williams 1992). There $f$ is a reward to be *maximised*; here it is a loss to
# be minimised.
#
# **A baseline.** For any constant $b$ that does not depend on the sample, $E[b\, \nabla \log q] = b\, \nabla \int q
# = b\, \nabla 1 = 0$. So $(f(z) - b)\, \nabla\log q$ has the same mean. A good $b$, such as the mean of $f$, can
# make the noise much smaller.
#
# For the Gaussian with independent coordinates, the log-density is a sum over them:


# %% log-q
def log_q(z, mu, logvar):
    """log N(z; mu, diag(exp(logvar))), in nats: (B, D) -> (B,)"""
    return -0.5 * (math.log(2 * math.pi) + logvar + (z - mu) ** 2 / logvar.exp()).sum(dim=1)


# %% [markdown] score-text
# ### Exercise 2: the score-function loss
#
# *Difficulty 2 of 3, about 12 minutes.* Autograd can compute this estimator too, if it gets the right expression to
# differentiate: a **surrogate loss**. Its value means nothing. Its gradient with respect to `mu` and `logvar` is
# $\operatorname{mean}_i\, (f(z_i) - b)\, \nabla \log q(z_i)$. The samples `z` that you are given may come from
# `reparameterize` and still carry their graph. Think about which factors are plain numbers here.


# %% score-exercise
def score_function_loss(f, mu, logvar, z, baseline=0.0):
    """A number whose gradient is the score-function estimate of the gradient of E[f(z)], to be minimised.

    Args:
        f: Function of samples (B, D) that returns one value each, (B,). No gradient may flow into it.
        mu: Means, (B, D).
        logvar: log(sigma^2), (B, D).
        z: One sample of each N(mu, exp(logvar)), (B, D); it may carry a graph.
        baseline: What is subtracted from f(z), a number or (B,).

    Returns:
        The surrogate loss, a scalar tensor: the mean over the batch.
    """
    ### BEGIN SOLUTION
    z = z.detach()  # the samples stay where they are
    weight = (f(z) - baseline).detach()  # (B,)
    return (weight * log_q(z, mu, logvar)).mean()
    ### END SOLUTION


# %% score-check
score_function_loss = checks.accept("score-function-loss", score_function_loss)

# %% [markdown] score-hints
# <details><summary>Hint 1</summary>
#
# In $(f(z) - b)\, \nabla\log q(z)$ only $\log q$ is differentiated, and only with respect to its parameters. Both
# $z$ and the weight $f(z) - b$ must be constants to autograd.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `t.detach()` is t without its graph. Detach `z` first, then the weight, multiply with `log_q(z, mu, logvar)`, both
# of shape (B,), and take the mean.
#
# </details>

# %% [markdown] same-mean-look
# ### The same mean
#
# To compare the two we need a function whose exact gradient is known. For $f(z) = \lVert z\rVert^2$, $E[f] = \sum_d
# \mu_d^2 + \sigma_d^2$, so the gradient is $2\mu_d$ for $\mu_d$ and $\sigma_d^2$ for $\log\sigma_d^2$. We take four
# dimensions, so eight parameters. 20,000 times we draw **one** sample and compute its gradient with both
# estimators.
#
# In the left figure, black bars are the exact gradient and the error bars are two standard errors of the mean: do
# both estimators agree with the exact values? The right figure shows 20,000 single-draw estimates for one of the
# parameters, $\mu_0$: where is their middle, and how wide are they? (The few beyond $\pm 100$ are not drawn.)


# %% gradient-samples
def one_draw_gradients(f, mu, logvar, n, estimator, baseline=0.0):
    """n independent estimates from one draw each: for mu and for logvar, (n, D) both."""
    rows = [p.expand(n, -1).clone().requires_grad_() for p in (mu, logvar)]  # a copy of the parameters for each draw
    z = reparameterize(*rows)  # (n, D)
    loss = f(z).sum() if estimator == "pathwise" else n * score_function_loss(f, *rows, z, baseline)
    return torch.autograd.grad(loss, rows)


def square(z):
    return (z**2).sum(dim=1)


# %% same-mean
mu4, logvar4 = torch.tensor([-1.0, 0.0, 0.5, 2.0]), torch.tensor([0.0, 0.5, -1.0, -0.5])
exact = torch.cat([2 * mu4, logvar4.exp()])  # (8,)
draws = {}  # (20000, 8) each
for name in ("pathwise", "score function"):
    draws[name] = torch.cat(one_draw_gradients(square, mu4, logvar4, 20_000, name), dim=1)
for name, d in draws.items():
    wrong_sign, far = (d[:, 0] > 0).float().mean(), (d[:, 0] - exact[0]).abs()  # the exact gradient for mu[0] is -2
    away = (d.mean(0) - exact) / (d.std(0) / len(d) ** 0.5)  # in standard errors
    print(f"{name:15s} total variance {d.var(0).sum():8.1f}   mean off by up to {away.abs().max():.1f} standard errors"
          f"\n{'':15s} mu[0]: wrong sign in {wrong_sign:.0%} of the draws, more than 20 times its value away in "
          f"{(far > 40).float().mean():.1%}, the worst {far.max() / 2:.0f} times")  # fmt: skip

# %% [test] same-mean-holds
for d in draws.values():
    away = (d.mean(0) - exact) / (d.std(0) / len(d) ** 0.5)
    assert away.abs().max() < 5
assert draws["score function"].var(0).sum() > 10 * draws["pathwise"].var(0).sum()
assert (draws["pathwise"][:, 0] + 2).abs().max() < 40 < (draws["score function"][:, 0] + 2).abs().max()

# %% same-mean-figure
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
places = torch.arange(8.0)
left.hlines(exact, places - 0.35, places + 0.35, color="black", linewidth=2.5, label="exact")
for k, (name, d) in enumerate(draws.items()):
    error = 2 * d.std(0) / len(d) ** 0.5
    style = {"color": plots.PALETTE[2 * k], "fmt": plots.MARKERS[2 * k], "capsize": 4, "label": name}
    left.errorbar(places - 0.12 + 0.24 * k, d.mean(0), error, **style)
names = [f"{name}[{i}]" for name in ("mu", "logvar") for i in range(4)]
left.set_xticks(places.tolist(), names, rotation=35, ha="right")
left.set_ylabel("mean gradient, two standard errors")
left.legend(frameon=False)
for k, (name, d) in enumerate(draws.items()):
    style = {"edgecolor": plots.PALETTE[2 * k], "facecolor": plots.PALETTE[2 * k] + "40", "linestyle": "-:"[k]}
    share = torch.full((len(d),), 1 / len(d)).numpy()
    right.hist(d[:, 0].numpy(), 100, range=(-100, 100), weights=share, histtype="stepfilled", label=name, **style)
right.axvline(exact[0], color="black", label="exact")
right.set(xlabel="estimate for mu[0] from one draw", ylabel="share of the draws in a bin of width 2", yscale="log")
right.legend(frameon=False)
plt.show()

# %% [markdown] same-mean-seen
# Both agree with the exact gradient, parameter by parameter: **neither is biased**. They differ in noise. The
# pathwise estimates of $\mu_0$ are $2z$, a narrow bell. Those of the score function have long tails (the vertical
# axis is logarithmic). About one draw in a hundred is off by more than twenty times the value that is sought, and
# about every second one has the wrong sign (printed above): the mean is right only because the wrong ones are smaller
# on average.

# %% [markdown] dimension-look
# ## 5. The noise grows with the dimension
#
# Now the second question of the beginning. We take $\mu = (1, \dots, 1)$, $\sigma = 1$ and $f(z) = \lVert
# z\rVert^2$ in $d$ dimensions, and compare the *total variance* of the gradient for $\mu$, summed over its
# coordinates. For this $f$ the Gaussian moments give all three exactly:
#
# $$ \text{pathwise } 4d, \qquad \text{score function } 4d^3 + 14 d^2 + 12 d, \qquad
# \text{with baseline } E[f] = 2d:\ 6d^2 + 12 d. $$
#
# <details><summary>Where the three formulas come from</summary>
#
# With $z_i = 1 + \epsilon_i$, $s = \sum_i \epsilon_i$ and $r = \sum_i \epsilon_i^2$ we have $f = d + 2s + r$. The
# total variance is the mean squared length of the estimate, less the squared length of its mean, which is $\lVert
# 2\mu \rVert^2 = 4d$.
#
# *Pathwise.* The estimate is $2z$; each of its $d$ coordinates has variance 4.
#
# *Score function.* The estimate is $f \epsilon$, and its squared length is $f^2 r$. Multiply out $(d + 2s + r)^2 r$.
# Terms with an odd power of $s$ have mean zero, since $-\epsilon$ is as likely as $\epsilon$. The powers of $r$, a
# chi-squared variable, have the means $E[r] = d$, $E[r^2] = d^2 + 2d$ and $E[r^3] = d(d+2)(d+4)$. And $E[s^2 r] =
# E[r^2]$, since $\epsilon_i \epsilon_j r$ has mean zero for $i \ne j$. So
#
# $$ E[f^2 r] = d^2 E[r] + 4 E[s^2 r] + E[r^3] + 2d\, E[r^2] = 4d^3 + 14d^2 + 16d; $$
#
# take away $4d$.
#
# *With the baseline.* Now $f - 2d = -d + 2s + r$: the last term changes its sign, $-2d\, E[r^2]$, and the sum is
# $6d^2 + 16d$. Take away $4d$.
#
# </details>
#
# Why so much more? Every coordinate's estimate is $f(z)\,\epsilon_i$, and $f$ contains all the *other* coordinates:
# $f \approx 2d$, with a spread of about $\sqrt{6d}$. Coordinate $i$ is punished or praised for what the $d - 1$
# others did. The pathwise gradient $2 z_i$ knows nothing of them. The baseline removes the constant $2d$; the
# spread remains.
#
# The figure shows the variance divided by that of the pathwise gradient. Both axes are logarithmic: look at the
# slope of each line, and whether the measured points lie on the theory.

# %% dimension
dims, measured, with_baseline = [1, 2, 4, 8, 16, 32, 64, 128], [], []
for d in dims:
    ones, zeros = torch.ones(d), torch.zeros(d)
    pathwise = one_draw_gradients(square, ones, zeros, 20_000, "pathwise")[0].var(0).sum()
    score = one_draw_gradients(square, ones, zeros, 20_000, "score function")[0].var(0).sum()
    centred = one_draw_gradients(square, ones, zeros, 20_000, "score function", baseline=2.0 * d)[0].var(0).sum()
    measured.append((score / pathwise).item())
    with_baseline.append((centred / pathwise).item())
    print(f"d = {d:3d}   ratio {measured[-1]:9.1f} (theory {d**2 + 3.5 * d + 3:9.1f})"
          f"   with baseline {with_baseline[-1]:6.1f} (theory {1.5 * d + 3:6.1f})")  # fmt: skip
print(f"theory at d = 100: {100**2 + 350 + 3:,} without, {150 + 3} with the baseline")

# %% [test] dimension-holds
for d, ratio, ratio_with_baseline in zip(dims, measured, with_baseline, strict=True):
    assert 0.7 < ratio / (d**2 + 3.5 * d + 3) < 1.4
    assert 0.7 < ratio_with_baseline / (1.5 * d + 3) < 1.4

# %% dimension-figure
line = torch.logspace(0, math.log10(128), 50)
chart = plots.Chart(
    [
        plots.Series("theory: d^2 + 3.5 d + 3", line, line**2 + 3.5 * line + 3, color=0),
        plots.Series("score function", dims, measured, "points", color=0),
        plots.Series("theory: 1.5 d + 3", line, 1.5 * line + 3, color=1),
        plots.Series("with baseline", dims, with_baseline, "points", color=1),
        plots.Series("pathwise", [1, 128], [1, 1], color=2),
    ],
    x_range=(0.9, 150), y_range=(0.7, 30_000), log_x=True, log_y=True,
    xlabel="number of dimensions d", ylabel="variance relative to pathwise",
)  # fmt: skip
ax = plots.draw_chart(chart, ax=plt.subplots(figsize=(6.5, 4), layout="constrained")[1])  # course_utils/plots/chart.py

# %% [markdown] dimension-seen
# A variance that is $r$ times larger needs $r$ times as many samples for the same accuracy. At $d = 100$ that is
# about **10,000** without a baseline. A good baseline turns the square into a straight proportion, here a factor of
# about 150. That is a large gain, and it is still a factor of 150. The pathwise gradient uses what the score
# function throws away: the slope of $f$.
#
# ### Is the pathwise gradient always better?
#
# No. It pays for the slope of $f$, the score function for its size. Take $f(z) = \sin(kz)$ in one dimension with
# $\mu = 0$, $\sigma = 1$. $f$ stays between -1 and 1, and its slope reaches $k$. Predict which estimator wins at $k
# = 1$ and at $k = 32$.

# %% wiggles
for k in (1, 2, 4, 8, 16, 32):
    variance = {}
    for name in draws:
        wave = lambda z, k=k: torch.sin(k * z[:, 0])  # noqa: E731
        samples, _ = one_draw_gradients(wave, torch.zeros(1), torch.zeros(1), 20_000, name)
        variance[name] = samples.var().item()
    print(f"k = {k:2d}   pathwise {variance['pathwise']:7.2f}   score function {variance['score function']:5.2f}")

# %% [test] wiggles-holds
with torch.random.fork_rng(devices=[]):  # the lesson's own draws go on as if these had not been
    torch.manual_seed(0)
    for k in (1, 8, 16, 32):
        variance = {}
        for name in draws:
            wave = lambda z, k=k: torch.sin(k * z[:, 0])  # noqa: E731
            samples, _ = one_draw_gradients(wave, torch.zeros(1), torch.zeros(1), 20_000, name)
            variance[name] = samples.var().item()
        if k == 1:
            assert variance["pathwise"] < variance["score function"]
        if k >= 8:
            assert variance["pathwise"] > 10 * variance["score function"]

# %% [markdown] wiggles-seen
# The smooth function favours the path, the rough one the score: the pathwise variance grows like $k^2/2$, the other
# stays near $1/2$. Losses of neural networks are mostly smooth on the scale of $\sigma$, which is why VAEs use the
# pathwise gradient. It is an observation about such losses and no theorem (Mohamed et al. 2020 compare the two in
# detail).

# %% [markdown] difference-look
# ## 6. Test it: finite differences with common noise
#
# How would you find out that a gradient is wrong? Compare it with a difference quotient:
#
# $$ \frac{\partial L}{\partial \mu_d} \approx \frac{L(\mu + h e_d) - L(\mu - h e_d)}{2h}, \qquad
# L(\mu) = \frac1N \sum_{n=1}^N f(\mu + \sigma \epsilon_n). $$
#
# There is one catch. $L$ is an average over random draws. With fresh draws for the two sides, their difference
# contains noise that does not shrink with $h$, and is then divided by $2h$. With the **same** $\epsilon_n$ on both
# sides (*common random numbers*) it cancels. It is the same idea as in section 3: keep the noise, move the
# parameters.

# %% [markdown] difference-text
# ### Exercise 3: finite differences
#
# *Difficulty 2 of 3, about 10 minutes.* A loop over the coordinates of `mu` is fine. Do not change `mu` in place.


# %% difference-exercise
def finite_difference(f, mu, logvar, eps, step):
    """Central differences of the mean of f(mu + std * eps) with respect to mu, with common random numbers.

    Args:
        f: Function of samples (N, D) that returns one value each, (N,).
        mu: Mean, (D,).
        logvar: log(sigma^2), (D,).
        eps: The noise for every evaluation, (N, D).
        step: How far mu moves to each side, h.

    Returns:
        One slope for each coordinate of mu, (D,).
    """
    ### BEGIN SOLUTION
    std = torch.exp(0.5 * logvar)
    slopes = []
    for h in step * torch.eye(len(mu), dtype=mu.dtype, device=mu.device):  # one row, one coordinate
        up, down = f(mu + h + std * eps).mean(), f(mu - h + std * eps).mean()
        slopes.append((up - down) / (2 * step))
    return torch.stack(slopes)
    ### END SOLUTION


# %% difference-check
finite_difference = checks.accept("finite-difference", finite_difference)

# %% [markdown] difference-hints
# <details><summary>Hint 1</summary>
#
# Row d of `step * torch.eye(D)` is a vector that moves coordinate d by the step and leaves the others. So `mu +
# row` is a moved copy of `mu`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# For each row: `up = f(mu + row + std * eps).mean()`, `down` with minus, then `(up - down) / (2 * step)`. Collect
# the results with `torch.stack`.
#
# </details>

# %% [markdown] difference-figure-look
# We try it on $f(z) = \sum_d \sin z_d$, against the pathwise gradient of the same 1,000 draws, for steps from 1
# down to $10^{-8}$, in 64-bit numbers. Before you look: which of the two curves goes down, and how far can it go?


# %% difference-figure
def waves(z):
    return z.sin().sum(dim=1)


mu5, logvar5 = torch.randn(2, 5, dtype=torch.float64)
eps5, fresh = torch.randn(2, 1000, 5, dtype=torch.float64)
std5 = torch.exp(0.5 * logvar5)
pathwise = (mu5 + std5 * eps5).cos().mean(dim=0)  # f'(z) = cos z, dz/dmu = 1
steps, common, independent = [10.0**-k for k in range(9)], [], []
for h in steps:
    common.append((finite_difference(waves, mu5, logvar5, eps5, h) - pathwise)[0].abs().item())
    move_first = h * torch.eye(5, dtype=torch.float64)[0]
    up, down = mu5 + move_first + std5 * eps5, mu5 - move_first + std5 * fresh
    independent.append(((waves(up).mean() - waves(down).mean()) / (2 * h) - pathwise[0]).abs().item())
series = {"common noise": (steps, common), "fresh noise on each side": (steps, independent)}
ax = plots.curves(series, "step h", "error against the pathwise gradient", log_x=True, log_y=True)
_ = ax.set_xticks(steps, [f"{h:.0e}" for h in steps], rotation=45)

# %% [test] difference-figure-holds
assert min(common) < 1e-8
assert independent[-1] > 1000

# %% [markdown] difference-figure-seen
# With common noise the error falls with $h^2$: a tenth of the step, a hundredth of the error. At about $10^{-5}$
# rounding takes over. With fresh noise the error *grows* once the step is small, because the same noise is divided
# by less and less. A check that uses fresh noise proves nothing.
#
# Now a real network: the gradient of the reconstruction loss of one photograph, through the VAE's decoder, with
# your `reparameterize` written as $\mu + \sigma\epsilon$ with fixed $\epsilon$.

# %% difference-real
exact_model = load_reference("vae_2d").double()  # on the CPU, in 64-bit numbers: a step of 1e-6 needs the digits
x1 = test.pixels([0]).double()
with torch.no_grad():
    mu1, logvar1 = (t[0] for t in exact_model.posterior(x1))  # (2,) each


def restore(z):
    """Reconstruction term of the one photograph, given samples (N, 2): (N,)"""
    return exact_model.negative_log_likelihood(x1.expand(len(z), -1, -1, -1), z)


noise = torch.randn(64, 2, dtype=torch.float64)
parameter = mu1.clone().requires_grad_()
(by_path,) = torch.autograd.grad(restore(parameter + torch.exp(0.5 * logvar1) * noise).mean(), parameter)
with torch.no_grad():
    by_difference = finite_difference(restore, mu1, logvar1, noise, 1e-6)
print(f"pathwise {by_path.tolist()}\nby finite differences {by_difference.tolist()}")

# %% [test] difference-real-holds
torch.testing.assert_close(by_path, by_difference, rtol=1e-3, atol=1e-4)

# %% [markdown] real-look
# ## 7. What the noise costs a real model
#
# First the numbers for this photograph and the trained 2-D VAE. Its reconstruction term is about 270 nats, most
# of which no code can remove (the cell prints what is left when the decoder returns the photograph itself), and the
# score function multiplies all of it by noise. The table gives the mean of 1,000 draws; +- stands for two standard
# errors. How much does a baseline help here?

# %% real-ratio
with torch.no_grad():
    typical = restore(mu1 + torch.exp(0.5 * logvar1) * noise).mean().item()  # the mean of f: the baseline
lowest = F.binary_cross_entropy(x1, x1, reduction="sum").item()  # a grey pixel costs nats even when x_hat = x
print(f"reconstruction term of this photograph: {typical:.0f} nats, of which no decoder can remove {lowest:.0f}")
cases = {"pathwise": ("pathwise", 0.0), "score function": ("score function", 0.0)}
cases["score function, baseline"] = ("score function", typical)
variances = {}
for name, (estimator, baseline) in cases.items():
    estimates = one_draw_gradients(restore, mu1, logvar1, 1000, estimator, baseline)[0]  # (1000, 2)
    variances[name] = estimates.var(0).sum().item()
    mean, spread = estimates[:, 0].mean(), estimates[:, 0].std()
    print(f"{name:26s} mu[0]: {mean:7.1f} +- {2 * spread / len(estimates) ** 0.5:6.1f} from 1000 draws,"
          f"   standard deviation of one draw {spread:8.1f}")  # fmt: skip

# %% [test] real-ratio-holds
assert variances["score function"] > 10 * variances["score function, baseline"]
assert variances["score function"] > 100 * variances["pathwise"]
assert 255 < typical < 285
assert lowest > typical / 2

# %% [markdown] train-look
# With the mean of $f$ *for this photograph* as baseline, and in only two dimensions, the score function is not far
# behind the pathwise gradient. In training it has neither: there are more dimensions, and a running mean does not
# know which photograph comes next.
#
# So now training. Four small VAEs with 8 latent dimensions start from the same weights and see the same batches.
# The decoder and the KL term always get their ordinary gradients. Only the path of the reconstruction term *into
# the encoder* differs: pathwise, score function, score function with a running mean of the loss as baseline, or cut
# off as in section 1.
#
# **Predict:** will the one that is cut off learn nothing at all? Look at where its curve ends, and then at the KL
# term in the table. On average over the images it is an upper limit on what the codes can carry about them: near 0
# it proves that they carry next to nothing. Each point of the figure is a mean of 10 steps, and the axis is cut at
# 450 nats.

# %% train-terms
train_set = fashion_mnist("train")


def terms(vae, x, way, baseline):
    """Reconstruction and KL term of a batch, and the loss whose gradient trains the model."""
    mu, logvar = vae.posterior(x)
    z = reparameterize(mu, logvar)  # (B, 8)
    kl = kl_standard_normal(mu, logvar).mean()
    recon = vae.negative_log_likelihood(x, z if way == "pathwise" else z.detach()).mean()
    loss = recon + kl
    if way.startswith("score function"):
        loss = loss + score_function_loss(lambda z: vae.negative_log_likelihood(x, z), mu, logvar, z, baseline)
    return recon, kl, loss


# %% train
def train(way, seed=7):
    """One epoch of a small VAE whose encoder gets the gradient of the reconstruction term in one of four ways."""
    seed_everything(seed)
    vae = VAE(8, hidden=96).to(device)
    optimizer = torch.optim.Adam(vae.parameters(), lr=3e-3)
    batches = train_set.batches(128, device=device, shuffle=True, generator=torch.Generator().manual_seed(seed))
    with_baseline = way.endswith("with baseline")
    curve, baseline = [], 784 * math.log(2) if with_baseline else 0.0  # an untrained decoder says 1/2 for each pixel
    for x in batches:
        recon, kl, loss = terms(vae, x, way, baseline)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append((recon.item(), kl.item()))
        if with_baseline:  # a running mean of f
            baseline = 0.9 * baseline + 0.1 * recon.item()
    return torch.tensor(curve)  # (steps, 2)


# %% train-run
ways = ("pathwise", "score function with baseline", "score function", "cut off")
curves = {way: train(way) for way in ways}
last = {way: curve[-20:].mean(0) for way, curve in curves.items()}  # mean of the last 20 steps
for way, (recon, kl) in last.items():
    print(f"{way:29s} recon {recon:6.1f}   kl {kl:5.1f}   sum {recon + kl:6.1f} nats")
smooth = {way: curve.sum(1).unfold(0, 10, 10).mean(1) for way, curve in curves.items()}
series = {way: (range(10, 10 * len(s) + 1, 10), s) for way, s in smooth.items()}
ax = plots.curves(series, "training step", "recon + kl in nats")
_ = ax.set_ylim(top=450)

# %% [test] train-run-holds
ends = {way: values.sum().item() for way, values in last.items()}
assert ends["pathwise"] < ends["score function with baseline"] - 10 < ends["score function"] - 10
assert ends["pathwise"] < ends["cut off"] - 30
assert last["cut off"][1] < 0.5

# %% average-photograph
pixels = train_set.pixels(device=device)
average = pixels.mean(0)  # (1, 28, 28)
cost = (F.binary_cross_entropy(average.expand_as(pixels), pixels, reduction="sum") / len(pixels)).item()
print(f"the average photograph, whatever is asked for: recon {cost:.1f} nats")

# %% [test] average-photograph-holds
assert abs(last["cut off"][0] - cost) < 15

# %% [markdown] train-seen
# The cut-off model does learn: its curve flattens a few nats above what the average photograph costs, the best answer
# for a decoder that is told nothing. Its encoder was told only to make the KL term small, and obeyed: the codes carry
# nothing. That is what the silent zeros of section 1 lead to.
#
# A *large* KL term proves nothing. In our run the plain score function pays the highest of the four and restores worse
# than the other two that train their encoder. With another seed it may pay much less or much more, and still restores
# worse than those two.
#
# The score function trains, slowly; its baseline buys a good part of the way. With smaller steps, more samples and
# more time it would get farther, because its gradient is right on average. The pathwise model gets along with one
# sample per image, as Kingma and Welling (2013) already found for batches of about a hundred. That is why a VAE can
# be trained like any other network.

# %% [markdown] discrete-text
# ## 8. Where the trick does not apply
#
# The path needs two things: a way to write $z$ as a differentiable function of the parameters and of parameter-free
# noise, and a differentiable $f$. A **discrete** $z$ has the first only in form. A coin with probability $p =
# \mathrm{sigmoid}(a)$ is $z = [u < p]$ with uniform $u$. But this function is a step: its slope is zero almost
# everywhere, and the step itself, where all of the change happens, has no slope. For $f(z) = (z - 0.3)^2$ the exact
# gradient is $(f(1) - f(0))\, p (1 - p)$, and the score function finds it, since $\frac{d}{da} \log q(z) = z - p$.
# (+- is two standard errors again.)

# %% discrete
a = torch.tensor(0.4, requires_grad=True)
p = torch.sigmoid(a)
coins = (torch.rand(100_000) < p).float()  # the path, in form
values = (coins - 0.3) ** 2
truth = ((1 - 0.3) ** 2 - 0.3**2) * (p * (1 - p)).item()
baseline = values.mean()  # a mean over the same draws: a bias of order 1/N, negligible here
estimates = (values - baseline) * (coins - p.detach())  # the score function
error = estimates.std() / len(estimates) ** 0.5
print(f"does a gradient flow through the coins? {coins.requires_grad}")
print(f"exact {truth:.4f}   score function {estimates.mean():.4f} +- {2 * error:.4f}")

# %% [test] discrete-holds
assert not coins.requires_grad
assert abs(estimates.mean() - truth) < 5 * error

# %% [markdown] discrete-seen
# For discrete codes there are three ways out. The score function is unbiased and noisy. A *relaxation* replaces the
# coin by a number between 0 and 1 (Gumbel-softmax: Jang et al. 2017, Maddison et al. 2017) and is biased. The
# *straight-through* estimator uses the step forwards and pretends backwards that it was the identity (Bengio et al.
# 2013); it is biased too, and works well enough for the discrete codes of lesson 15.
#
# Gaussians are not the only distributions with a path. Any family of shifted and scaled copies has one (Laplace,
# logistic, uniform), and so has any with a differentiable inverse distribution function. For Gamma, Beta and
# Dirichlet the path exists but is only known implicitly; PyTorch's `rsample` has it (Figurnov et al. 2018). In
# `torch.distributions`, `has_rsample` says whether a family has a path, and `rsample` (with an r for
# reparameterized) uses it.

# %% families
from torch import distributions

for name in ("Normal", "Laplace", "Gamma", "Bernoulli", "Categorical"):
    print(f"{name:12s} has_rsample {getattr(distributions, name).has_rsample}")

# %% [markdown] changed
# ## What changed, and what did not
#
# - What changed is the order: the noise is drawn first, and the parameters act on it afterwards.
# - The distribution of $z$ did *not* change, nor the loss, nor its exact gradient. Both estimators aim at the same
#   number.
# - The variance changed, by a factor that grows with the dimension: like $d^2$ for the plain score function in our
#   example, like $d$ with the baseline $E[f]$.
# - The sample is still random. One draw per image is one noisy gradient, as one batch is.

# %% [markdown] limits
# ## Limits and honest caveats
#
# - **Our variance formulas belong to one function.** For $\lVert z \rVert^2$ all coordinates add up, which is hard
#   on the score function. If each coordinate's loss can be told apart, it can be given its own weight, and the
#   growth disappears.
# - **The baseline was a constant.** Baselines that depend on the input, or on other samples of the same image (Kool
#   et al. 2019), reduce the noise further. The comparison in section 7 is with a plain running mean.
# - **The pathwise gradient needs the slope of $f$,** and of the right $f$. Where $f$ has steps (a threshold, an
#   argmax, a rounded pixel), its pathwise gradient misses them without warning: it is then *biased*, and not merely
#   noisy.
# - **A low variance is not everything.** In section 7 the learning rate was the same for all and tuned for none of
#   them.
# - **Large logvar.** In float16 (not in bfloat16, which has the range of float32) $\sigma = \exp(\frac12
#   \log\sigma^2)$ overflows from a log-variance of about 22, and the $\sigma^2$ of the KL term from about 11. The
#   package computes both in float32.

# %% [markdown] quiz
# ## Quiz
#
# **1.** A colleague's VAE runs and its loss falls, but all reconstructions look alike. In the code you find `z =
# torch.normal(mu, (0.5 * logvar).exp())`. What happened, and what would you print to prove it?
#
# <details><summary>Answer</summary>
#
# `torch.normal` sends zeros back to mu and logvar. The decoder learned the average image; the encoder got only the
# gradient of the KL term and put every image at the prior. Print the gradient of the encoder's last layer with the
# KL term switched off: it is exactly zero.
#
# </details>
#
# **2.** Somebody uses `std = torch.exp(logvar)` everywhere, in training and in sampling. Is the model wrong?
#
# <details><summary>Answer</summary>
#
# The network could learn it: its second head would stand for $\log \sigma$ instead of $\log \sigma^2$. But the KL
# formula takes exp(logvar) for the *variance*. With the two in disagreement the loss is no bound on $\log p(x)$ any
# more, and the spread of the codes does not fit the prior. A name that says what a number is would have prevented
# it.
#
# </details>
#
# **3.** You want to train a code so that a *person's* rating of the decoded image rises. Which estimator, and what
# helps?
#
# <details><summary>Answer</summary>
#
# A person gives a value and no slope, so there is no path through the rating: the score function. Subtract a
# baseline, such as the mean of recent ratings; take few latent dimensions; and use several samples for each step.
# Another way is to train a differentiable model of the rating first and to differentiate that.
#
# </details>

# %% [markdown] summary
# ## Summary
#
# - A draw has no derivative: `sample()` gives `None`, `torch.normal` gives zeros.
# - **Reparameterization:** $z = \mu + \sigma\epsilon$, $\sigma = \exp(\frac12 \log \sigma^2)$, $\epsilon \sim
#   \mathcal{N}(0, I)$; $\partial z/\partial\mu = 1$, $\partial z/\partial\log\sigma^2 = \frac12 (z - \mu)$.
# - **Pathwise:** $\nabla E[f] = E_\epsilon[f'(z)\, \nabla z]$. Needs the slope of $f$. Low noise for smooth $f$.
# - **Score function:** $\nabla E[f] = E_q[(f(z) - b)\, \nabla \log q(z)]$. Needs only values of $f$. Works for
#   discrete $z$.
# - For $f = \lVert z\rVert^2$, $\mu = 1$, $\sigma = 1$ the ratio of variances is $d^2 + 3.5 d + 3$, with the
#   baseline $E[f]$ it is $1.5 d + 3$.
# - Test gradients with central differences and **common** random numbers.

# %% [markdown] references
# ## References
#
# - R. J. Williams (1992). Simple statistical gradient-following algorithms for connectionist reinforcement
#   learning. *Machine Learning* 8. doi:10.1007/BF00992696
# - D. P. Kingma and M. Welling (2013). Auto-encoding variational Bayes. arXiv:1312.6114
# - D. J. Rezende, S. Mohamed and D. Wierstra (2014). Stochastic backpropagation and approximate inference in deep
#   generative models. arXiv:1401.4082
# - S. Mohamed, M. Rosca, M. Figurnov and A. Mnih (2020). Monte Carlo gradient estimation in machine learning.
#   *Journal of Machine Learning Research* 21. arXiv:1906.10652
# - M. Figurnov, S. Mohamed and A. Mnih (2018). Implicit reparameterization gradients. arXiv:1805.08498
# - W. Kool, H. van Hoof and M. Welling (2019). Buy 4 REINFORCE samples, get a baseline for free! *ICLR workshop on
#   deep reinforcement learning meets structured prediction*.
# - E. Jang, S. Gu and B. Poole (2017). Categorical reparameterization with Gumbel-softmax. arXiv:1611.01144
# - C. J. Maddison, A. Mnih and Y. W. Teh (2017). The Concrete distribution: a continuous relaxation of
#   discrete random variables. arXiv:1611.00712
# - Y. Bengio, N. Léonard and A. Courville (2013). Estimating or propagating gradients through stochastic neurons
#   for conditional computation. arXiv:1308.3432

# %% [markdown] next
# ## Next
#
# **Lesson 06, KL and the ELBO:** we can now differentiate through the sample. What, exactly, should be minimised?
# Where the KL term comes from, and how far the loss is from $\log p(x)$.
