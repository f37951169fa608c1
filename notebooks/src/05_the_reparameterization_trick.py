# %% [markdown] title
# {{header}}
#
# # 05. How does a gradient get through a random draw?
#
# **The reparameterization trick.** At the end of this lesson you can
#
# 1. say why `sample()` and `torch.normal` stop the gradient, and why $z = \mu + \sigma \epsilon$ lets it through;
# 2. estimate one derivative in two ways, by hand and by autograd, and measure their noise;
# 3. see from the numbers that a training script prints that a gradient is missing, and find the line.

# %% [markdown] prerequisites
# **You need:** lesson 04 (the encoder's two heads $\mu$ and $\log\sigma^2$), the chain rule, and a little probability:
# the normal distribution $\mathcal{N}(\mu, \sigma^2)$, the variance, and the expectation $E[f(z)]$, the mean over all
# draws.
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

from course_utils import checks, claims, plots
from course_utils.data import fashion_mnist
from course_utils.device import pick_device, seed_everything
from course_utils.models.vae import VAE  # course_utils/models/vae/vae.py: lesson 04's model

plt.rcParams["figure.dpi"] = 90
seed_everything(5)  # the draws of this lesson come from PyTorch's global generator
device = pick_device()

# %% [markdown] predict
# ## Predict first
#
# **Question 1.** $\mu$ is a tensor that asks for a gradient. We draw $z \sim \mathcal{N}(\mu, 1)$ with PyTorch's
# `Normal(mu, 1).sample()`, give $z$ to a decoder and call `loss.backward()`. What is `mu.grad`: (a) the right gradient,
# (b) `None`, (c) zero, or (d) does `backward` raise an error?
#
# **Question 2.** Two ways estimate the gradient of $E[f(z)]$ from draws. Both are right on average, but one is noisier.
# Let $z$ have 100 coordinates, with $\mu = (1, \dots, 1)$ and $\sigma = 1$, and $f(z) = \lVert z\rVert^2$. How many
# times more draws does the noisier one need for the same accuracy: 2, 100 or 10,000?
#
# <details><summary>What we found: read it after sections 1 and 3</summary>
#
# 1. (b). There is no error, because the decoder gets its gradient.
# 2. About 10,000. With a good baseline (section 3) it is still about 150.
#
# </details>

# %% [markdown] stop-text
# ## 1. A random draw stops the gradient
#
# In lesson 04 you were given noise `eps`, and computed the draw as `mu + std * eps`. Why not draw $z$ itself, with a
# function of PyTorch? We try two, with the smallest decoder, one weight: $\hat x = w z$. The image is the number 3.
# Look at the gradient of $\mu$ in each line.

# %% sampling-node
mu, weight = torch.tensor(1.0, requires_grad=True), torch.tensor(0.5, requires_grad=True)
draws = {"Normal(mu, 1).sample()": Normal(mu, 1.0).sample}
draws["torch.normal(mu, 1)"] = lambda: torch.normal(mu, 1.0)
for name, draw in draws.items():  # each line has a draw of its own, so weight.grad differs
    mu.grad = weight.grad = None
    (weight * draw() - 3).square().backward()
    print(f"{name:24s} mu.grad: {mu.grad},   weight.grad: {weight.grad:.2f}")

# %% [test] sampling-node-holds
assert mu.grad == 0  # of torch.normal; a test has the None of sample()
assert weight.grad.abs() > 0

# %% [markdown] stop-seen
# There is no error. A VAE with such a line would run, and its loss would fall, because its decoder learns. But its
# encoder would get the gradient of the KL term alone, and none from the reconstruction term.
#
# Why? PyTorch records operations in a [[computation graph]]. For each of them, `backward` needs the slope: how much the
# output changes if the input changes a little. `sample()` records nothing, so `mu.grad` stays `None`. `torch.normal` is
# recorded, but with the slope 0. Neither says that the draw moves when $\mu$ moves.
#
# Yet the gradient that we want exists. Call $f(z)$ the cost of a draw, here the squared error. The *expected* cost
# $L(\mu, \sigma) = E[f(z)]$ is a smooth function of $\mu$ and $\sigma$. We need an **[[estimator]]** of its gradient: a
# rule that computes a guess from draws.

# %% [markdown] trick-text
# ## 2. The trick: draw first, then compute
#
# Draw $\epsilon$ from $\mathcal{N}(0, 1)$, which has no parameters. Then *compute*
#
# $$ z = \mu + \sigma\, \epsilon. $$
#
# This is your line of lesson 04. It is called the **[[reparameterization trick]]**: a draw is written as a function of
# its parameters and of noise. The distribution of $z$ is still $\mathcal{N}(\mu, \sigma^2)$. But now `backward` gets
# its slope: keep $\epsilon$, move $\mu$, and $z$ moves along. Since $\sigma = \exp(\frac12 \log\sigma^2)$, the slopes
# are
#
# $$ \frac{\partial z}{\partial \mu} = 1, \qquad
# \frac{\partial z}{\partial \log\sigma^2} = \tfrac12\, \sigma\, \epsilon = \tfrac12\,(z - \mu). $$
#
# PyTorch has this line too: `Normal(mu, sigma).rsample()`, with an r for reparameterized.

# %% [markdown] reparameterize-text
# ### Exercise 1: reparameterize
#
# *Easy, about 2 minutes.* One thing is new since lesson 04: the function draws $\epsilon$ itself. That stops no
# gradient, because $\epsilon$ depends on no parameter. Each number of $z$ needs noise of its own.


# %% reparameterize-exercise
def reparameterize(mu, logvar):
    """A draw z through which gradients flow, with fresh noise for each number. mu, logvar = log(sigma^2), z: (B, D)."""
    ### BEGIN SOLUTION
    std = torch.exp(0.5 * logvar)  # (B, D)
    eps = torch.randn_like(std)  # (B, D), N(0, I)
    return mu + std * eps
    ### END SOLUTION


# %% reparameterize-check
reparameterize = checks.accept("reparameterize", reparameterize)
mu.grad = None
(weight * reparameterize(mu.expand(1, 1), torch.zeros(1, 1)) - 3).square().sum().backward()
print(f"with your function: mu.grad: {mu.grad:.2f} (its mean over draws: 2 w (w mu - 3) = -2.50)")

# %% [test] reparameterize-holds
assert mu.grad.abs() > 0.01

# %% [markdown] reparameterize-hints
# <details><summary>Hint</summary>
#
# `torch.randn_like(mu)` draws standard normal noise of mu's shape and device. $\sigma$ is `torch.exp(0.5 * logvar)`.
#
# </details>

# %% [markdown] problem-text
# ## 3. One derivative, two estimates
#
# Take one number $z \sim \mathcal{N}(\mu, \sigma^2)$ and the cost $f(z) = z^2$. Here the answer is known: $L(\mu) =
# E[z^2] = \mu^2 + \sigma^2$, with the slope $2\mu$. **At $\mu = 1$ the slope is 2. We want to estimate it from draws.**

# %% [markdown] estimators-text
# **The [[pathwise|pathwise gradient]] estimate.** Keep $\epsilon$ and move $\mu$. $L$ is the mean of $f(\mu +
# \sigma\epsilon)$ over $\epsilon$, whose distribution does not depend on $\mu$. So the slope of the mean is the mean of
# the slopes:
#
# $$ \frac{\partial L}{\partial\mu} = E\big[ f'(z)\, \tfrac{\partial z}{\partial \mu} \big]. $$
#
# In words: how steep the cost is at the draw, times how far the draw moves when $\mu$ moves by 1, averaged over draws.
#
# **The [[score-function|score-function gradient]] estimate.** Leave the draws where they are, and ask how their density
# $q(z)$ changes. $L = \int f(z)\, q(z)\, dz$, and only $q$ depends on $\mu$. The derivative of a logarithm says that
# $\frac{\partial q}{\partial\mu} = q\, \frac{\partial \log q}{\partial \mu}$. So
#
# $$ \frac{\partial L}{\partial\mu} = \int f(z)\, \frac{\partial q(z)}{\partial\mu}\, dz
# = E\big[ f(z)\, \tfrac{\partial}{\partial \mu} \log q(z) \big],
# \qquad \log q(z) = -\frac{(z - \mu)^2}{2 \sigma^2} - \log \sigma - \tfrac12 \log 2\pi. $$
#
# In words: how fast the log density at the draw grows when $\mu$ grows, times the cost of the draw, averaged. The slope
# of $\log q$ is called the **[[score|score function]]**. The slope of $f$ does not appear, so $f$ could be a person's
# rating.

# %% [markdown] hand-text
# ### Exercise 2: both estimates, in three steps
#
# *Medium, about 18 minutes.* **Step 1, by hand.** For $f(z) = z^2$, derive on paper the number that *one* draw
# contributes to each of the two means. Then write both down without autograd.


# %% hand-exercise
def slopes_by_hand(mu, logvar, eps):
    """Two estimates of dL/dmu from each draw z = mu + std * eps, for f(z) = z**2.

    mu and logvar = log(sigma^2) are two numbers; eps are N draws of N(0, 1), (N,).
    Returns the pathwise and the score-function estimates, (N,) each.
    """
    ### BEGIN SOLUTION
    std = torch.exp(0.5 * logvar)
    z = mu + std * eps
    pathwise = 2 * z  # f'(z) dz/dmu
    score = z**2 * (z - mu) / std**2  # f(z) dlog q/dmu
    return pathwise, score
    ### END SOLUTION


# %% hand-check
slopes_by_hand = checks.accept("slopes-by-hand", slopes_by_hand)

# %% [markdown] hand-hints
# <details><summary>Hint 1</summary>
#
# The slope of $z^2$ is $2z$, and $z = \mu + \sigma\epsilon$ moves by 1 when $\mu$ does. For the score, differentiate
# $-(z - \mu)^2 / (2\sigma^2)$ with respect to $\mu$, with $z$ fixed. The other two terms do not contain $\mu$.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The score is $(z - \mu) / \sigma^2$. It is positive for a draw above $\mu$: such draws get likelier when $\mu$ grows.
#
# </details>

# %% [markdown] fan-look
# The figures show 40 estimates each, as thin lines through the point (1, 2) of the curve $L(\mu)$, with its tangent. In
# which fan are most lines nearly flat and a few very steep? How many slope downwards? The numbers are of 80,000 draws.

# %% fan-figure
mu, logvar, axis = torch.tensor(1.0), torch.tensor(0.0), torch.linspace(0, 2, 41)  # sigma = 1
by_hand = slopes_by_hand(mu, logvar, torch.randn(80_000))
figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True, layout="constrained")
for ax, name, slopes, color in zip(axes, ("pathwise", "score function"), by_hand, (0, 2), strict=True):
    ax.plot(axis, 2 + slopes[:40] * (axis[:, None] - mu), color=plots.PALETTE[color], alpha=0.4, linewidth=1)
    ax.plot(axis, axis**2 + 1, "k", linewidth=2, label="expected cost L(mu) = mu² + 1")
    ax.plot(axis, 2 + 2 * (axis - mu), "k--", linewidth=2, label="tangent at mu = 1, slope 2")
    ax.set(title=f"{name}: 40 estimates", xlabel="mu", ylabel="cost", xlim=(0, 2), ylim=(-4, 8))
    ax.label_outer()
    print(f"{name:15s} mean {slopes.mean():.2f} +- {2 * slopes.std() / len(slopes) ** 0.5:.2f}"
          f"   variance {slopes.var():4.1f}   downwards: {(slopes < 0).float().mean():.0%} of the draws"
          f"   off by more than 4: {((slopes - 2).abs() > 4).float().mean():.0%}")  # fmt: skip
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
plt.show()

# %% [test] fan-holds
for slopes in by_hand:
    assert (slopes.mean() - 2).abs() < 5 * slopes.std() / len(slopes) ** 0.5
assert 3.7 < by_hand[0].var() < 4.3
assert 25 < by_hand[1].var() < 35
assert (by_hand[1] < 0).float().mean() > 0.4
far = (by_hand[1] - 2).abs() > 4
assert 0.12 < far.float().mean() < 0.15
assert 0.85 < ((by_hand[1] - 2)[far] ** 2).sum() / ((by_hand[1] - 2) ** 2).sum() < 0.92
assert (by_hand[1].abs() < 1).float().mean() > 0.6 > 0.3 > (by_hand[0].abs() < 1).float().mean()

# %% [markdown] fan-seen
# The number after +- is two [[standard errors|standard error]] (one is the standard deviation of the estimates, divided
# by the root of their number). In about 95 of 100 such experiments the true mean lies within this [[error bar]]. Here 2
# lies within both. **Both estimates are [[unbiased|unbiased estimator]]**: their mean is the true slope.
#
# Most red lines are nearly flat. But a few are very steep: about 13% are off by more than 4, and they make almost 90%
# of the variance. The variance is more than seven times the pathwise one. And half of the red lines slope downwards,
# the wrong way.
#
# **Step 2, by autograd.** The pathwise estimate is what `backward` computes through your `reparameterize`. For the
# score function, autograd needs an expression whose *gradient* is the batch mean of $f(z) \nabla \log q(z)$ ($\nabla$:
# the slopes for $\mu$ and for $\log\sigma^2$). Its value means nothing. Such an expression is a **[[surrogate loss]]**.
#
# From $f$ we also subtract a number $b$, a **[[baseline]]**. The mean of $(f(z) - b)\, \nabla \log q(z)$ is the same
# for each $b$. (Put $f = 1$ into the formula. Then $L = 1$ whatever $\mu$ is, so its slope, $E[\nabla \log q]$, is 0,
# and $b$ times it is 0 too.) A good one, such as $b = E[f]$, makes the noise smaller.
#
# For $D$ independent coordinates $\log q$ is the sum of $D$ logarithms. To [[detach]] a tensor, `t.detach()`, makes it
# a constant for autograd. Which parts of your expression must be constants?


# %% log-q
def log_q(z, mu, logvar):
    """log N(z; mu, sigma^2), in nats, summed over the coordinates: (B, D) -> (B,)"""
    return -0.5 * (math.log(2 * math.pi) + logvar + (z - mu) ** 2 / logvar.exp()).sum(dim=1)


# %% score-exercise
def score_function_loss(f, mu, logvar, z, baseline=0.0):
    """A number whose gradient, for mu and logvar, is the score-function estimate of the gradient of E[f(z)].

    f maps z, (B, D), to (B,). It may have parameters, as a decoder has; they must get no gradient. mu and logvar are
    (B, D). z is one draw of each N(mu, exp(logvar)) and may carry a graph. baseline is one number, or (B,), one for
    each draw. Returns the mean over the batch.
    """
    ### BEGIN SOLUTION
    z = z.detach()  # the draws stay where they are
    weight = (f(z) - baseline).detach()  # (B,)
    return (weight * log_q(z, mu, logvar)).mean()
    ### END SOLUTION


# %% score-check
score_function_loss = checks.accept("score-function-loss", score_function_loss)

# %% [markdown] score-hints
# <details><summary>Hint 1</summary>
#
# In $(f(z) - b)\, \nabla\log q(z)$ only $\log q$ is differentiated, and only with respect to its parameters. Both $z$
# and the weight $f(z) - b$ must be constants to autograd.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Detach `z` first, then the weight, multiply with `log_q(z, mu, logvar)`, both of shape (B,), and take the mean.
#
# </details>

# %% [markdown] autograd-look
# The first two lines compare autograd with your slopes on paper. In the third, `z` was *not* detached.


# %% autograd
def square(z):
    return (z**2).sum(dim=1)  # (N, D) -> (N,)


eps = torch.randn(1000, 1)
each, same = mu.expand(1000, 1).clone().requires_grad_(), logvar.expand(1000, 1)  # a mu, and a slope, for each draw
z = each + torch.exp(0.5 * same) * eps
not_detached = (square(z).detach() * log_q(z, each, same)).mean()
losses = square(z).mean(), score_function_loss(square, each, same, z), not_detached
slopes = [torch.autograd.grad(1000 * loss, each, retain_graph=True)[0][:, 0] for loss in losses]  # of sums
for name, found, hand in zip(("pathwise", "score"), slopes, slopes_by_hand(mu, logvar, eps[:, 0]), strict=False):
    print(f"{name:9s} largest difference between autograd and paper: {(found - hand).abs().max():.1e}")
print(f"z not detached: the largest of 1,000 slopes for mu is {slopes[2].abs().max()}")

# %% [test] autograd-holds
torch.testing.assert_close(slopes[1], slopes_by_hand(mu, logvar, eps[:, 0])[1], rtol=1e-4, atol=1e-4)
assert not slopes[2].any()

# %% [markdown] why-detach
# Autograd agrees with paper. **Why must $z$ be detached?** With its graph, $z = \mu + \sigma\epsilon$ moves along with
# $\mu$. Then $z - \mu$ and $\log q(z)$ stay as they are, and the gradient for $\mu$ is exactly 0. (For $\log\sigma^2$
# each draw gives $-\frac12 f(z)$: not 0, but wrong.) The score asks how the density changes at a place that *stays*.
#
# **What may a baseline be made of?** Often $b$ is computed from the batch. Here are 20,000 batches of 4 draws, and an
# estimate from each. Which mean is wrong?

# %% baseline
z = 1 + torch.randn(20_000, 4)  # batches of 4 draws
f, score = z**2, z - 1
baselines = {"0": 0, "E[f] = 2": 2, "mean of the batch": f.mean(dim=1, keepdim=True)}
baselines["mean of the other 3"] = (f.sum(dim=1, keepdim=True) - f) / 3
for name, b in baselines.items():
    estimates = ((f - b) * score).mean(dim=1)  # (20000,)
    print(f"b = {name:20s} mean {estimates.mean():.2f} +- {2 * estimates.std() / 20_000**0.5:.2f}")

# %% [test] baseline-holds
assert abs(estimates.mean() - 2) < 0.1
own = ((f - f.mean(dim=1, keepdim=True)) * score).mean(dim=1)
assert abs(own.mean() - 1.5) < 0.1

# %% [markdown] baseline-seen
# The mean of a batch of $N$ draws contains the draw's own cost, with the weight $\frac1N$. So $\frac1N$ of the slope is
# subtracted too, and three quarters are left for $N = 4$. The error bar of this mean is the smallest: little noise does
# not make an estimate right. **The baseline of a draw must not depend on this draw.** The mean of the *other* draws,
# called *leave one out*, is safe.

# %% [markdown] ratio-text
# **Step 3, measure the noise.** Now $z$ has $d$ coordinates, $\mu = (1, \dots, 1)$, $\sigma = 1$ and $f(z) = \lVert
# z\rVert^2$. Coordinate $i$ of the pathwise estimate is $2 z_i$, and that of the score-function estimate is $(f(z) -
# b)\, \epsilon_i$, with the whole sum $f(z) = z_1^2 + \dots + z_d^2$. An estimate with $r$ times the variance needs $r$
# times as many draws for the same accuracy. Compute this $r$.


# %% ratio-exercise
def noise_ratio(eps, baseline=0.0):
    """Variance of the score-function estimates over that of the pathwise ones, for f(z) = |z|^2, mu = 1, sigma = 1.

    eps is noise, (N, D): N draws. baseline is a number that is subtracted from f.
    Returns one number. Each of the two variances is the sum over the D coordinates of the gradient for mu.
    """
    ### BEGIN SOLUTION
    z = 1 + eps
    pathwise = 2 * z  # (N, D)
    score = ((z**2).sum(dim=1, keepdim=True) - baseline) * eps  # (N, D)
    return score.var(dim=0).sum() / pathwise.var(dim=0).sum()
    ### END SOLUTION


# %% ratio-check
noise_ratio = checks.accept("noise-ratio", noise_ratio)

# %% [markdown] ratio-hints
# <details><summary>Hint 1</summary>
#
# With $\mu = 1$ and $\sigma = 1$ the score is $z - \mu = \epsilon$, one number for each coordinate. $f$ has shape (N,):
# `keepdim=True` makes it (N, 1), so that it can be multiplied with (N, D).
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `g.var(dim=0)` is the variance of each coordinate over the draws, (D,). Sum it for both estimators, then divide.
#
# </details>

# %% [markdown] dimension-look
# The cell prints your ratio without a baseline and with $b = E[f] = 2d$. Beside each stands a number that it comes near
# for large $d$.

# %% dimension
print("   d   no baseline   E[f]² / 4   baseline E[f]   variance of f / 4")
for d in (1, 10, 100):
    eps = torch.randn(20_000, d)
    f = square(1 + eps)  # (20000,)
    none, best = noise_ratio(eps), noise_ratio(eps, 2 * d)
    print(f"{d:4d} {none:13,.1f} {f.mean() ** 2 / 4:11,.1f} {best:15.1f} {f.var() / 4:19.1f}")

# %% [test] dimension-holds
assert abs(none / 10_353 - 1) < 0.05
assert abs(best / 153 - 1) < 0.05
assert abs(f.mean() - 200) < 2
assert abs(f.var() - 600) < 40

# %% [markdown] dimension-seen
# **For large $d$ the ratio grows like $d^2$ without a baseline, and like $d$ with it.** Why? For large $d$ the sum $f$
# hardly depends on the one number $\epsilon_i$, and $\epsilon_i^2$ has the mean 1. So the mean square of $(f - b)\,
# \epsilon_i$ is about $E[(f - b)^2]$. Its variance is $2^2$ less, which changes little. The pathwise $2 z_i$ has the
# variance 4. So the ratio is about $E[(f - b)^2] / 4$.
#
# - Without a baseline $E[f^2]$ is mostly $E[f]^2 = 4d^2$: the *size* of $f$ turns into noise. The ratio is about $d^2$.
# - $b = E[f]$ takes the size away. The variance of $f$ is left: $6d$, because each $z_i^2$ has the variance 6. The
#   ratio is about $1.5 d$. This noise comes from the *variation* of the other coordinates.
#
# **The score function is not always the noisier one**: the first further section has a cost for which it is quieter.

# %% [markdown] script-text
# ## 4. Find the bug
#
# This script trains a VAE with a two-dimensional code. It runs, and its loss falls, but it has one real mistake, as
# found in public repositories. After each epoch it prints the loss of the last batch and two numbers on the clouds of
# the test images: the standard deviation of their centres $\mu$, and the range of the middle 90% of their widths
# $\sigma$.


# %% script
def loss_as_found(vae, x, eps):
    mu, logvar = vae.posterior(x)
    std = logvar.mul(0.5).exp().data
    z = eps.mul(std).add(mu)
    recon = F.binary_cross_entropy_with_logits(vae.decode_logits(z), x, reduction="sum") / len(x)
    kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum() / len(x)
    return recon + kl


def train(loss_function, epochs=4):
    seed_everything(5)
    vae = VAE(2, hidden=256).to(device)
    optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3)
    for _ in range(epochs):
        for x in fashion_mnist("train").batches(256, device=device, shuffle=True):
            loss = loss_function(vae, x, torch.randn(len(x), 2, device=device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            mu, logvar = vae.posterior(x_test)
        low, high = torch.exp(0.5 * logvar).quantile(torch.tensor([0.05, 0.95], device=device))
        print(f"last loss {loss:.0f}, spread of centres {mu.std(dim=0).mean():.1f}, widths {low:.2f} to {high:.2f}")
    return vae


x_test = fashion_mnist("test").pixels(device=device)
sick = train(loss_as_found)

# %% [test] script-holds
with torch.no_grad():
    sick_mu, sick_logvar = sick.posterior(x_test)
assert 0.9 < torch.exp(0.5 * sick_logvar).quantile(0.05) < torch.exp(0.5 * sick_logvar).quantile(0.95) < 1.1

# %% [markdown] mend-text
# ### Exercise 3: mend the loss
#
# *Medium, about 5 minutes.*
#
# 1. Which printed numbers hardly change with training?
# 2. Which term of the loss is lowest at their value?
# 3. Which term seems to have no influence on them?
# 4. Find the line, and write the loss without the mistake.


# %% mend-exercise
def mended_loss(vae, x, eps):
    """The loss of a batch, one number, for images x (B, 1, 28, 28) and noise eps (B, D)."""
    ### BEGIN SOLUTION
    mu, logvar = vae.posterior(x)
    std = torch.exp(0.5 * logvar)  # without .data, which cuts the graph as detach does
    z = mu + std * eps
    recon = F.binary_cross_entropy_with_logits(vae.decode_logits(z), x, reduction="sum") / len(x)
    kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum() / len(x)
    return recon + kl
    ### END SOLUTION


# %% mend-check
mended_loss = checks.accept("mend-the-loss", mended_loss)

# %% [markdown] mend-hints
# <details><summary>Hint 1</summary>
#
# The widths are all close to 1. The KL term alone is smallest at $\sigma = 1$. The reconstruction term would like
# narrow clouds, but it has no influence on the widths. So its gradient does not reach `logvar`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The way from `logvar` to the reconstruction is `std`, then `z`. Print `std.requires_grad`, with `.data` and without.
#
# </details>

# %% mended
vae = train(mended_loss)  # the same training with your loss

# %% [test] mended-holds
with torch.no_grad():
    (vae_mu, vae_logvar), (sick_mu, _) = vae.posterior(x_test), sick.posterior(x_test)
assert torch.exp(0.5 * vae_logvar).median() < 0.3
assert vae_mu.std(dim=0).mean() < 0.8 * sick_mu.std(dim=0).mean()

# %% [markdown] mend-seen
# `.data` gives the numbers of a tensor without its graph, as `detach()` does, so `std` was a constant for autograd. The
# mended line is `std = torch.exp(0.5 * logvar)`.
#
# In the script only the KL term reached the widths, so they stayed at 1, the width of the prior. The reconstruction
# term reached the centres alone, and moved them apart, because clouds of width 1 overlap less then.
#
# After 12 epochs, over three seeds, the median width is {{claim detached-std.sick_std epochs=12}} with the mistake and
# {{claim detached-std.sound_std epochs=12}} without.

# %% [markdown] control-look
# ## 5. Keep the noise, move the parameters
#
# We draw five $\epsilon$ once, and decode $z = \mu + \sigma \epsilon$ with the model that you have just mended. `mu` is
# the mean of the first coordinate (the other has 0), and `logvar` holds for both. In the third row $\sigma = 1$:
# there the images differ most.


# %% control-twin
def decoded(model, eps, mu, logvar):
    """The images of z = mu + std * eps for kept noise eps (N, D); mu is the mean of the first coordinate, else 0."""
    z = torch.exp(torch.tensor(0.5 * logvar)) * eps
    z[:, 0] += mu
    return model.decode(z).detach().cpu()


fixed = torch.randn(5, 2, generator=torch.Generator().manual_seed(0)).to(device)
_ = plots.image_rows({f"mu {m}, logvar {s}": decoded(vae, fixed, m, s) for m, s in ((-2, -4), (2.5, -4), (2.5, 0))})

# %% [markdown] control-text
# ### Exercise 4: your own control
#
# *Easy, about 3 minutes.* `interactive(show, mu=slider, logvar=slider)` of **ipywidgets** calls your function `show(mu,
# logvar)` whenever a slider moves. Make both sliders with `FloatSlider(value=start, min=..., max=...)`. Does an image
# ever jump?

# %% control
from ipywidgets import FloatSlider, interactive


def fixed_noise_control(model, eps):
    """Two sliders, and below them the images of `decoded` for the kept noise eps.

    mu goes from -3 to 3 and starts at 0; logvar goes from -6 to 2 and starts at -2. Returns what interactive returns.
    """
    ### BEGIN SOLUTION

    def show(mu, logvar):
        plots.image_grid(decoded(model, eps, mu, logvar), columns=5)
        plt.show()

    mu, logvar = FloatSlider(value=0, min=-3, max=3), FloatSlider(value=-2, min=-6, max=2)
    return interactive(show, mu=mu, logvar=logvar)
    ### END SOLUTION


# %% control-check
fixed_noise_control = checks.accept("fixed-noise-control", fixed_noise_control)
fixed_noise_control(vae, fixed)

# %% [markdown] control-seen
# <details><summary>Hint</summary>
#
# Inside, define `show(mu, logvar)`: it draws `plots.image_grid(decoded(model, eps, mu, logvar), columns=5)` and ends
# with `plt.show()`. Return what `interactive` returns.
#
# </details>
#
# No image jumps: with kept noise, $z$ changes continuously with the parameters, and so do the images. `mu` moves the
# first coordinate of all codes alike (slope 1). `logvar` moves those with $\epsilon$ far from 0 most (slope
# $\frac12 \sigma \epsilon$).

# %% [markdown] changed
# ## What changed, and what did not
#
# Changed: the noise is drawn first, and the parameters act on it afterwards. Not changed: the distribution of $z$, the
# loss, and its exact gradient: each of the two estimates has it as its mean.

# %% [markdown] limits
# ## Limits
#
# If the cost has steps, the pathwise estimate misses them: it is wrong then, and not only noisy. For discrete codes the
# trick gives no useful slope (see the last further section).

# %% [markdown] quiz
# ## Quiz
#
# **1.** A VAE runs and its loss falls, but all its reconstructions look alike. Its code has `z =
# torch.normal(mu, (0.5 * logvar).exp())`. What happened?
#
# <details><summary>Answer</summary>
#
# `torch.normal` sends zeros back to `mu` and `logvar`. So the encoder followed the KL term alone and gave each image
# the prior as its cloud. The decoder learned the average image.
#
# </details>
#
# **2.** Somebody uses `std = torch.exp(logvar)` in training and in sampling. Is the loss wrong?
#
# <details><summary>Answer</summary>
#
# Yes. The draws alone would be fine: the second head would learn $\log\sigma$. But the KL term takes exp(logvar) for
# the *variance* of the draws, and that is exp(2 logvar) here.
#
# </details>
#
# **3.** A *person* rates decoded images. Which estimate can raise the rating, and what helps?
#
# <details><summary>Answer</summary>
#
# The score function, since a person gives a value and no slope. A baseline helps, such as the mean of earlier ratings.
#
# </details>

# %% [markdown] summary
# ## Summary
#
# - From `sample()` autograd gets no derivative (`None`), and from `torch.normal` it gets zeros.
# - **Reparameterization:** $z = \mu + \sigma\epsilon$ with $\epsilon \sim \mathcal{N}(0, I)$; $\partial z/\partial\mu =
#   1$, $\partial z/\partial\log\sigma^2 = \frac12 (z - \mu)$.
# - **Pathwise:** $\partial L/\partial\mu = E[f'(z)\, \partial z/\partial\mu]$. It needs the slope of $f$. Its
#   noise for $\mu$ is small if this slope varies little over the draws.
# - **Score function:** $\nabla L = E[(f(z) - b)\, \nabla \log q(z)]$, with $z$ detached and a $b$ that does not depend
#   on this $z$. It needs only values of $f$.
# - For $f = \lVert z\rVert^2$ and large $d$ the ratio of variances grows like $d^2$, with the baseline $E[f]$ like $d$.

# %% [markdown] formulas
# ## Further: the exact noise, and better forms of the score function
#
# For $f(z) = \lVert z\rVert^2$, $\mu = 1$ and $\sigma = 1$ the variances, summed over the coordinates, are exactly
#
# $$ \text{pathwise } 4d, \qquad \text{score function } 4d^3 + 14 d^2 + 12 d, \qquad
# \text{with baseline } 2d:\ 6d^2 + 12 d. $$
#
# So the ratios are $d^2 + 3.5 d + 3$ and $1.5 d + 3$. Here is how to derive them. Write $z_i = 1 + \epsilon_i$, $s =
# \sum_i \epsilon_i$ and $u = \sum_i \epsilon_i^2$. Then $f = d + 2s + u$. The summed variance of an estimate is the
# mean of its squared length, less the squared length of its mean. The mean is $(2, \dots, 2)$, so we take away $4d$.
#
# *Pathwise.* The estimate is $2z$, and each of its $d$ coordinates has variance 4.
#
# *Score function.* The estimate is $f \epsilon$, and its squared length is $f^2 u = (d + 2s + u)^2 u$. We multiply out.
# Terms with an odd power of $s$ have mean zero, since $-\epsilon$ is as likely as $\epsilon$. The means of the powers
# of $u$, its **[[moments|moment]]**, are those of the chi-squared distribution: $E[u] = d$, $E[u^2] = d^2 + 2d$ and
# $E[u^3] = d(d+2)(d+4)$. Last, $s^2$ is $u$ plus all products $\epsilon_i \epsilon_j$ with $i \ne j$. Such a product
# times $u$ has mean zero, so $E[s^2 u] = E[u^2]$. Together
#
# $$ E[f^2 u] = d^2 E[u] + 4 E[s^2 u] + E[u^3] + 2d\, E[u^2] = 4d^3 + 14d^2 + 16d, $$
#
# and $4d$ are taken away.
#
# *With the baseline.* Now $f - 2d = -d + 2s + u$. Only the last term changes, to $-2d\, E[u^2]$. The sum is $6d^2 +
# 16d$, and again $4d$ are taken away.
#
# *The best constant.* $E[(f - b)^2 u]$ is a parabola in $b$. Its lowest point is at $b = E[f u] / E[u] = 2d + 2$, where
# it is lower than at $b = 2d$ by another $4d$.
#
# The figure has the formulas as lines and your `noise_ratio` as points. On logarithmic axes $d^2$ has the slope 2 and
# $d$ the slope 1: from 10 to 100 dimensions the one grows a hundredfold, the other tenfold. Do the lines rise like
# this?

# %% dimension-figure
dims, ratios = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128]), {}
formulas = {"no baseline": dims**2 + 3.5 * dims + 3, "baseline E[f]": 1.5 * dims + 3}
for (name, formula), b, color in zip(formulas.items(), (0, 2), (2, 1), strict=True):
    ratios[name] = [float(noise_ratio(torch.randn(20_000, d), b * d)) for d in dims.tolist()]
    plt.loglog(dims, formula, color=plots.PALETTE[color], label=f"{name}: formula")
    plt.loglog(dims, ratios[name], plots.MARKERS[color], color=plots.PALETTE[color], label=f"{name}: measured")
plt.gca().set(xlabel="number of dimensions d", ylabel="variance of score function / pathwise")
plt.legend(frameon=False)
plt.show()

# %% [test] dimension-figure-holds
for d, ratio, with_baseline in zip(dims, *ratios.values(), strict=True):
    assert 0.7 < ratio / (d**2 + 3.5 * d + 3) < 1.4
    assert 0.7 < with_baseline / (1.5 * d + 3) < 1.4

# %% [markdown] dimension-evidence-look
# They do at the right end; at the left, the smaller terms count too.
#
# The table has better forms of the score function. To compare at equal cost, each variance is multiplied by the number
# of evaluations of $f$ for one estimate. *Leave one out*: each of 16 draws has the mean of the other 15 as
# its baseline. *Antithetic pairs*: draws come in pairs $\pm\epsilon$. *Own cost*: coordinate $i$ is weighted by its own
# $z_i^2$ alone.

# %% dimension-evidence
claims.evidence("05", "noise-by-dimension")

# %% [markdown] dimension-evidence-seen
# Only the last column does not grow: there the ratio is {{claim noise-by-dimension.apart d=100}} at $d = 100$. So the
# growth comes from the costs of the other coordinates. Where it is known which coordinate causes which cost, it can be
# avoided. The rows with 20,000 and with 80,000 draws agree: how many draws measure the ratio does not matter.
#
# Two more statements of section 3, over five seeds and two sample sizes each. The first is what a baseline made of its
# own draw does. The second is which estimate is noisier for $\sin(kz)$, $\mu = 0$ and $\sigma = 1$. This cost stays
# between -1 and 1, and its slope between $-k$ and $k$. What counts for the pathwise estimate is how much the slope
# varies over the draws: for $k = 16$ its variance is {{claim rough-cost.path k=16}}, and that of the score function
# {{claim rough-cost.score k=16}}. In the table the score function is the quieter one from $k = 2$ on.

# %% baseline-evidence
claims.evidence("05", "batch-baseline")

# %% rough-evidence
claims.evidence("05", "rough-cost")

# %% [markdown] fixed-look
# ## Further: the line from noise to code
#
# Your control shows images. This explorer shows the codes that they are made of: the first coordinate of the five $z$,
# drawn against that of the five $\epsilon$. What are the slope of the line, and its value at $\epsilon = 0$?

# %% fixed-eps
first = fixed[:, 0].cpu()  # of the five eps


def move(mu, logvar):
    """The line z = mu + std * eps, and on it the codes of the five kept eps."""
    std = math.exp(0.5 * logvar)
    line = plots.Series("", [-3, 3], [mu - 3 * std, mu + 3 * std], color=2)
    codes = plots.Series("z = mu + std * eps", first, mu + std * first, "points", color=2)
    return {"z against eps": plots.Chart([line, codes], (-3, 3), (-6, 6), "eps", "z")}


# %% fixed-twin
from course_utils.widgets import FunctionSliders  # course_utils/widgets/function_sliders.py


def say(mu, logvar):
    return f"std = exp(0.5 * logvar) = {math.exp(0.5 * logvar):.2f}."


sliders = {"mu": (-3, 3, 0, 0.1), "logvar": (-3, 2, 0, 0.1)}
explorer = FunctionSliders(move, sliders, describe=say, title="Fixed noise, moving parameters")
axes = explorer.static([(0, 0), (2, 0), (2, -3)])

# %% [markdown] fixed-explorer-text
# The value at $\epsilon = 0$ is $\mu$, and the slope is $\sigma$. So `mu` moves all points by the same amount, and
# `logvar` moves those far from $\epsilon = 0$ most.
#
# **Explorer.** The next cell ties the explorer to two ipywidgets sliders like those of your control. `link` keeps two
# numbers equal: whichever of them you move, the other follows, and the images with them.

# %% fixed-explorer
from ipywidgets import VBox, interactive_output, link


def show(mu, logvar):
    plots.image_grid(decoded(vae, fixed, mu, logvar), columns=5)
    plt.show()


mu_slider, logvar_slider = FloatSlider(min=-3, max=3), FloatSlider(min=-3, max=2)
link((explorer, "value_0"), (mu_slider, "value"))
link((explorer, "value_1"), (logvar_slider, "value"))
explorer.move_to(1.0, -1.0)
images = interactive_output(show, {"mu": mu_slider, "logvar": logvar_slider})
VBox([explorer, mu_slider, logvar_slider, images])

# %% [markdown] difference-look
# ## Further: test a gradient by finite differences
#
# How would you find out that a gradient is wrong? Compare it with a difference quotient, a **[[finite difference]]**.
# Here $L$ stands for the mean of $f$ over $N$ draws:
#
# $$ \frac{\partial L}{\partial \mu_d} \approx \frac{L(\mu + h e_d) - L(\mu - h e_d)}{2h}, \qquad
# L(\mu) = \frac1N \sum_{n=1}^N f(\mu + \sigma \epsilon_n). $$
#
# ($e_d$ is 1 in coordinate $d$ and 0 elsewhere.) There is one catch. With fresh draws for each of the two sides, their
# difference contains noise that does not shrink with $h$, and this noise is divided by $2h$. With the **same**
# $\epsilon_n$ on both sides (**[[common random numbers]]**) most of it cancels. The idea is that of section 5: keep the
# noise, move the parameters.

# %% [markdown] difference-text
# ### Exercise 5: finite differences
#
# *Medium, about 10 minutes.* A loop over the coordinates of `mu` is fine. Do not change `mu` in place.


# %% difference-exercise
def finite_difference(f, mu, logvar, eps, step):
    """Central differences of the mean of f(mu + std * eps) with respect to mu, with common random numbers.

    Args:
        f: Function of draws (N, D) that returns one value each, (N,).
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
# Row d of `step * torch.eye(D)` is a vector that moves coordinate d by the step and leaves the others. So `mu + row` is
# a moved copy of `mu`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# For each row: `up = f(mu + row + std * eps).mean()`, `down` with minus, then `(up - down) / (2 * step)`. Collect the
# results with `torch.stack`.
#
# </details>

# %% [markdown] difference-figure-look
# We try it on $f(z) = \sum_d \sin z_d$, against the pathwise gradient of the same 1,000 draws, for steps from 1 down to
# $10^{-8}$, in 64-bit numbers. Before you look: as the step shrinks, that is from right to left, which error shrinks
# too, and down to what?


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
# With common noise the error falls with $h^2$: a tenth of the step gives a hundredth of the error. Below about
# $10^{-5}$ rounding takes over. From a step of 0.1 down the error with fresh noise *grows*, because the same noise is
# divided by less and less. Over five seeds this error is {{claim common-noise.fresh step=0.1}} at a step of 0.1 and
# {{claim common-noise.fresh step=0.0001}} at 0.0001. With a small step, a check with fresh noise says nothing.
#
# Now a real network: the gradient of the reconstruction term of one photograph (`negative_log_likelihood` computes it),
# through the decoder of your VAE.

# %% difference-real
from copy import deepcopy

exact_vae = deepcopy(vae).cpu().double()  # in 64-bit numbers: a step of 1e-6 needs the digits
x1 = x_test[:1].cpu().double()
with torch.no_grad():
    mu1, logvar1 = (t[0] for t in exact_vae.posterior(x1))  # (2,) each


def restore(z):
    """Reconstruction term of the one photograph, given draws (N, 2): (N,)"""
    return exact_vae.negative_log_likelihood(x1.expand(len(z), -1, -1, -1), z)


noise = torch.randn(64, 2, dtype=torch.float64)
parameter = mu1.clone().requires_grad_()
(by_path,) = torch.autograd.grad(restore(parameter + torch.exp(0.5 * logvar1) * noise).mean(), parameter)
with torch.no_grad():
    by_difference = finite_difference(restore, mu1, logvar1, noise, 1e-6)
print(f"pathwise {by_path.tolist()}\nby finite differences {by_difference.tolist()}")

# %% [test] difference-real-holds
torch.testing.assert_close(by_path, by_difference, rtol=1e-3, atol=1e-4)

# %% [markdown] difference-real-seen
# The two agree to about seven digits. So the gradient through the decoder is right.

# %% [markdown] real-look
# ## Further: what the noise costs a real model
#
# First the noise for one photograph and the VAE of section 4, from 1,000 draws. Grey pixels cost nats even if the
# decoder returns the photograph itself. The cell prints this part of the reconstruction term too. No decoder can remove
# it, and the score function multiplies it by noise. How much does a baseline help here? (+- is two standard errors.)

# %% real-ratio
x1 = x_test[:1]
with torch.no_grad():
    mu1, logvar1 = (t[0] for t in vae.posterior(x1))  # (2,) each


def restore(z):
    """Reconstruction term of the one photograph, given draws (N, 2): (N,)"""
    return vae.negative_log_likelihood(x1.expand(len(z), -1, -1, -1), z)


def gradients_by_draw(f, mu, logvar, eps, way, baseline=0.0):
    """What each row of eps (N, D) gives for the gradient of mu and of logvar, (N, D) both."""
    rows = [p.expand(len(eps), -1).clone().requires_grad_() for p in (mu, logvar)]  # a copy for each draw
    z = rows[0] + torch.exp(0.5 * rows[1]) * eps
    loss = f(z).sum() if way == "pathwise" else len(eps) * score_function_loss(f, *rows, z, baseline)
    return torch.autograd.grad(loss, rows)


# %% real-noise
noise = torch.randn(1000, 2, device=device)
with torch.no_grad():
    typical = restore(mu1 + torch.exp(0.5 * logvar1) * noise).mean().item()  # of the same draws: 1 - 1/1000 is left
lowest = F.binary_cross_entropy(x1, x1, reduction="sum").item()  # a grey pixel costs nats even when x_hat = x
print(f"reconstruction term of this photograph: {typical:.0f} nats, of which no decoder can remove {lowest:.0f}")
cases = {"pathwise": ("pathwise", 0.0), "score function": ("score function", 0.0)}
cases["score function, baseline"] = ("score function", typical)
variances = {}
for name, (way, baseline) in cases.items():
    estimates = gradients_by_draw(restore, mu1, logvar1, noise, way, baseline)[0]  # (1000, 2)
    variances[name] = estimates.var(0).sum().item()
    mean, spread = estimates[:, 0].mean(), estimates[:, 0].std()
    print(f"{name:26s} mu[0]: {mean:7.1f} +- {2 * spread / len(estimates) ** 0.5:6.1f}"
          f"   standard deviation of one draw {spread:8.1f}")  # fmt: skip

# %% [test] real-ratio-holds
assert variances["score function"] > 10 * variances["score function, baseline"]
assert variances["score function"] > 100 * variances["pathwise"]
assert lowest > typical / 2

# %% [markdown] real-evidence-look
# It helps a lot: compare the last two standard deviations. But one photograph proves little. The table has the ratios
# of the variances, score function over pathwise, as the median over 40 test photographs, for VAEs with 2, 8 and 32
# latent dimensions after one epoch and after four.

# %% real-evidence
claims.evidence("05", "real-decoder")

# %% [markdown] train-look
# Over all 18 runs the score function's variance is {{claim real-decoder.plain}} times the pathwise one's without a
# baseline, and {{claim real-decoder.best_constant}} times with the best constant for each image. So most of the noise
# comes from the size of $f$, which hardly changes from draw to draw, and a baseline takes it away. Without a baseline
# the ratio does not grow with the dimension here; with one it does.
#
# Now training. Four small VAEs with 8 latent dimensions start from the same weights and see the same batches. The
# decoder and the KL term always get their ordinary gradients. The VAEs differ in one thing: how the gradient of the
# reconstruction term gets *into the encoder*. It is pathwise, by the score function, by the score function with a
# running mean of the loss as baseline, or cut off as in section 1.
#
# **Predict:** will the one that is cut off learn nothing at all? Look at where its curve ends, and then at its KL term
# in the printed lines. (A KL term of 0 means that all clouds equal the prior. Then a code says nothing about its
# image.) Each point of the figure is a mean of 10 steps, and the axis is cut at 450 nats.

# %% train-terms
from course_utils.gaussian import kl_standard_normal  # course_utils/gaussian.py; lesson 06 derives it

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
def train_one_way(way, seed=7):
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
curves = {way: train_one_way(way) for way in ways}
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
# The cut-off model does learn: its curve flattens a few nats from what the average photograph costs. That is the best
# answer for a decoder whose codes say nothing. Its encoder was told only to make the KL term small, and it did. That is
# what the zeros of section 1 lead to. The plain score function is behind even this model for a while, and overtakes it
# before the end.
#
# Was the score function given its best form? The table has two learning rates and four times as many epochs, measured
# on the test images, and a stronger rival: with *leave one out* each image gets four draws, and each of them has the
# mean of the other three as its baseline. (So it decodes four codes an image where the others decode one.)

# %% train-evidence
claims.evidence("05", "training")

# %% [markdown] train-evidence-seen
# With one draw an image the pathwise gradient is ahead in all 24 runs: of the plain score function, of the running
# mean, and of the model that is cut off. *Leave one out* comes much nearer. With 2 latent dimensions, after four epochs
# at a learning rate of 0.003, it ends at {{claim training.leave_one_out_loss latent_dim=2 epochs=4 lr=0.003}} nats, and
# the pathwise gradient at {{claim training.path_loss latent_dim=2 epochs=4 lr=0.003}}. With 8 dimensions it is
# {{claim training.leave_one_out_loss latent_dim=8 epochs=4 lr=0.003}} against
# {{claim training.path_loss latent_dim=8 epochs=4 lr=0.003}}. So in its best form, and with four times as many decoded
# codes, the score function trains these small VAEs as well or nearly as well. We did not give the pathwise gradient
# four draws.
#
# The pathwise gradient needs no baseline and gets along with one draw an image, as Kingma and Welling (2013) found for
# batches of about a hundred. That is why a VAE can be trained like any other network.

# %% [markdown] discrete-text
# ## Further: where the trick does not apply
#
# The path needs two things: a way to write $z$ as a differentiable function of the parameters and of noise without
# parameters, and a differentiable $f$. A **[[discrete|discrete variable]]** $z$ can be written as such a function, but
# its slope is useless. A coin with probability $p = \mathrm{sigmoid}(a)$ is 1 if $u < p$ and else 0, with uniform
# $u$. This function is a step: it has slope zero beside the step, and all of the change happens at the step.
#
# The score function works. Here $\log q(z) = z \log p + (1 - z) \log(1 - p)$ and $\frac{dp}{da} = p (1 - p)$, so
# $\frac{d}{da} \log q(z) = z - p$. For $f(z) = (z - 0.3)^2$ the exact gradient is
#
# $$ \frac{d}{da} \big[p f(1) + (1 - p) f(0)\big] = \big(f(1) - f(0)\big)\, p (1 - p). $$
#
# Does the score function find it? (+- is two standard errors.)

# %% discrete
a = torch.tensor(0.4, requires_grad=True)
p = torch.sigmoid(a)
coins = (torch.rand(100_000) < p).float()  # the path, in form
values = (coins - 0.3) ** 2
truth = ((1 - 0.3) ** 2 - 0.3**2) * (p * (1 - p)).item()
baseline = values.mean()  # of the same draws: 1 - 1/N of the slope is left, and N is 100,000
estimates = (values - baseline) * (coins - p.detach())  # the score function
error = estimates.std() / len(estimates) ** 0.5
print(f"does a gradient flow through the coins? {coins.requires_grad}")
print(f"exact {truth:.4f}   score function {estimates.mean():.4f} +- {2 * error:.4f}")

# %% [test] discrete-holds
assert not coins.requires_grad
assert abs(estimates.mean() - truth) < 5 * error

# %% [markdown] discrete-seen
# For discrete codes there are three ways out. The score function is unbiased and noisy. A **[[relaxation]]** replaces
# the coin by a number between 0 and 1 ([[Gumbel-softmax]]: Jang et al. 2017, Maddison et al. 2017). It is biased. The
# **[[straight-through|straight-through estimator]]** estimator uses the step forwards, and backwards the slope of the
# identity (Bengio et al. 2013). It is biased too.
#
# The normal distribution is not the only one with a path. All distributions that are shifted and stretched copies of
# one have it (Laplace, logistic, uniform), and so have those with a differentiable inverse distribution function. For
# Gamma, Beta and Dirichlet there is no formula for the path, but PyTorch computes its slope (Figurnov et al. 2018). In
# `torch.distributions`, `has_rsample` says whether a family has a path, and `rsample` uses it.

# %% families
from torch import distributions

for name in ("Normal", "Laplace", "Gamma", "Bernoulli", "Categorical"):
    print(f"{name:12s} has_rsample {getattr(distributions, name).has_rsample}")

# %% [markdown] references
# ## References
#
# - R. J. Williams (1992). Simple statistical gradient-following algorithms for connectionist reinforcement learning.
#   *Machine Learning* 8. doi:10.1007/BF00992696
# - D. P. Kingma and M. Welling (2013). Auto-encoding variational Bayes. arXiv:1312.6114
# - D. J. Rezende, S. Mohamed and D. Wierstra (2014). Stochastic backpropagation and approximate inference in deep
#   generative models. arXiv:1401.4082
# - S. Mohamed, M. Rosca, M. Figurnov and A. Mnih (2020). Monte Carlo gradient estimation in machine learning. *Journal
#   of Machine Learning Research* 21. arXiv:1906.10652
# - M. Figurnov, S. Mohamed and A. Mnih (2018). Implicit reparameterization gradients. arXiv:1805.08498
# - W. Kool, H. van Hoof and M. Welling (2019). Buy 4 REINFORCE samples, get a baseline for free! *ICLR workshop on deep
#   reinforcement learning meets structured prediction*.
# - E. Jang, S. Gu and B. Poole (2017). Categorical reparameterization with Gumbel-softmax. arXiv:1611.01144
# - C. J. Maddison, A. Mnih and Y. W. Teh (2017). The Concrete distribution: a continuous relaxation of discrete random
#   variables. arXiv:1611.00712
# - Y. Bengio, N. Léonard and A. Courville (2013). Estimating or propagating gradients through stochastic neurons for
#   conditional computation. arXiv:1308.3432

# %% [markdown] next
# ## Next
#
# **Lesson 06, KL and the ELBO:** we can now differentiate through the sample. What, exactly, should be minimised? Where
# the KL term comes from, and how far the loss is from $\log p(x)$.
