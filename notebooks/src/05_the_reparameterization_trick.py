# %% [markdown] title
# {{header}}
#
# # 05. How does a gradient get through a random draw?
#
# **The reparameterization trick.** At the end of this lesson you can
#
# 1. show that a sampling step stops the gradient, and repair it with $z = \mu + \sigma \epsilon$;
# 2. estimate one derivative in two ways, by hand and by autograd, and measure what their noise costs;
# 3. find a mistake in a training script by its numbers.

# %% [markdown] prerequisites
# **You need:** lesson 04 (the encoder's two heads $\mu$ and $\log\sigma^2$), the chain rule, and a little probability:
# the normal distribution $\mathcal{N}(\mu, \sigma^2)$, and the expectation $E[f(z)]$, the mean of $f(z)$ over ever more
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
# **Question 1.** $\mu$ is a tensor that asks for a gradient. We draw $z \sim \mathcal{N}(\mu, 1)$ with a library
# function, give $z$ to a decoder and call `loss.backward()`. What is `mu.grad`: (a) the right gradient, (b) `None`, (c)
# zero, or (d) none, because `backward` raises an error?
#
# **Question 2.** There are two ways to estimate the gradient of $E[f(z)]$ from draws. Both are right on average, but
# one is noisier. For $f(z) = \lVert z\rVert^2$ in 100 dimensions, how many times more draws does it need: 2, 100 or
# 10,000?
#
# <details><summary>What we found, for after sections 1 and 3</summary>
#
# 1. (b) with one library function, (c) with another. There is no error, because the decoder gets its gradient.
# 2. About 10,000. With a baseline, which section 3 explains, still about 150.
#
# </details>

# %% [markdown] stop-text
# ## 1. A random draw stops the gradient
#
# The smallest decoder has one weight: $\hat x = w z$. We draw $z$ with two functions of PyTorch and call `backward`.
# Look at the two gradients in each line.

# %% sampling-node
mu, weight = torch.tensor(1.0, requires_grad=True), torch.tensor(0.5, requires_grad=True)
draws = {"Normal(mu, 1).sample()": Normal(mu, 1.0).sample}
draws["torch.normal(mu, 1)"] = lambda: torch.normal(mu, 1.0)
reached = []
for name, draw in draws.items():
    mu.grad = weight.grad = None
    (weight * draw() - 3).square().backward()
    reached.append(mu.grad)
    print(f"{name:24s} mu.grad: {mu.grad},   weight.grad: {weight.grad:.2f}")

# %% [test] sampling-node-holds
assert reached[0] is None
assert reached[1] == 0
assert weight.grad.abs() > 0

# %% [markdown] stop-seen
# There is no error. `None` at least looks like a fault. The 0 looks like an answer: a program with this line runs, and
# its loss falls, because the decoder learns. But its encoder learns nothing about the images.
#
# Why is there no gradient? `backward` asks of each step: if its input had been a little different, how would its output
# have changed? A draw has no answer. The generator returned, say, 0.73. Would a $\mu$ that is 0.01 larger have given
# 0.74, or another number?
#
# Yet the gradient that we want exists. Call $f(z)$ the cost of a draw, here the squared error. The *expected* cost
# $L(\mu, \sigma) = E[f(z)]$ is a smooth function of $\mu$ and $\sigma$. We have to *estimate* its gradient from draws.

# %% [markdown] trick-text
# ## 2. The trick: draw first, then compute
#
# Draw $\epsilon$ from $\mathcal{N}(0, 1)$, which has no parameters. Then *compute*
#
# $$ z = \mu + \sigma\, \epsilon. $$
#
# This $z$ has the distribution $\mathcal{N}(\mu, \sigma^2)$, as before. But now the question of `backward` has an
# answer: keep $\epsilon$, move $\mu$, and $z$ moves along. Its slopes follow from $\sigma = \exp(\frac12
# \log\sigma^2)$:
#
# $$ \frac{\partial z}{\partial \mu} = 1, \qquad
# \frac{\partial z}{\partial \log\sigma^2} = \tfrac12\, \sigma\, \epsilon = \tfrac12\,(z - \mu). $$

# %% [markdown] reparameterize-text
# ### Exercise 1: reparameterize
#
# *Easy, about 3 minutes.* Three lines are enough. The check looks at the mean, the spread and the independence of your
# draws, and at their gradients.


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

# %% [markdown] reparameterize-hints
# <details><summary>Hint 1</summary>
#
# $\sigma^2 = \exp(\texttt{logvar})$. Take the square root. What does a square root do to an exponent?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `torch.randn_like(mu)` draws standard normal noise of mu's shape and device. Nothing has to be detached: $\epsilon$
# does not depend on any parameter anyway.
#
# </details>

# %% [markdown] problem-text
# ## 3. One derivative, two estimates
#
# Take one number $z \sim \mathcal{N}(\mu, \sigma^2)$ and the cost $f(z) = z^2$. Here the answer is known: $L(\mu) =
# E[z^2] = \mu^2 + \sigma^2$, with the slope $2\mu$. The left figure has the cost and eight draws for $\mu = 1$, $\sigma
# = 1$. The right one has the expected cost $L$, with its tangent at $\mu = 1$. **The slope of this tangent, 2, is what
# we want to estimate from draws.**

# %% problem-figure
mu, logvar = torch.tensor(1.0), torch.tensor(0.0)  # sigma = 1
axis = torch.linspace(-2, 4, 121)
some = mu + torch.randn(8, generator=torch.Generator().manual_seed(1))
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True, layout="constrained")
left.plot(axis, axis**2, label="cost f(z) = z²")
left.fill_between(axis, 6 * Normal(mu, 1.0).log_prob(axis).exp(), color="0.85", label="density of z, times 6")
left.plot(some, some**2, "o", color=plots.PALETTE[2], label="eight draws")
right.plot(axis, axis**2 + 1, label="expected cost L(mu) = mu² + 1")
right.plot(axis, 2 + 2 * (axis - mu), "k--", label="tangent at mu = 1, slope 2")
for ax, name in ((left, "z"), (right, "mu")):
    ax.set(xlabel=name, ylim=(-2, 12))
    ax.legend(frameon=False, loc="upper left")
plt.show()

# %% [markdown] estimators-text
# **The pathwise estimate.** Keep $\epsilon$ and move $\mu$. Each draw moves along its path, and its cost changes:
#
# $$ \frac{\partial L}{\partial\mu} = E\big[ f'(z)\, \tfrac{\partial z}{\partial \mu} \big]. $$
#
# In words: the slope of the cost at each draw, times how far the draw moves, on average.
#
# **The score-function estimate.** Leave the draws where they are, and ask how their density $q(z)$ changes. The
# derivative of a logarithm says that $\frac{\partial q}{\partial\mu} = q\, \frac{\partial \log q}{\partial \mu}$. So
#
# $$ \frac{\partial L}{\partial\mu} = \int f(z)\, \frac{\partial q(z)}{\partial\mu}\, dz
# = E\big[ f(z)\, \tfrac{\partial}{\partial \mu} \log q(z) \big],
# \qquad \log q(z) = -\frac{(z - \mu)^2}{2 \sigma^2} - \log \sigma - \tfrac12 \log 2\pi. $$
#
# In words: a move of $\mu$ makes some draws likelier and others rarer; weight this change by the cost. The slope of
# $\log q$ is called the **score**. $f$ is never differentiated, so it could be a person's rating. Reinforcement
# learning calls this REINFORCE (Williams 1992).

# %% [markdown] hand-text
# ### Exercise 2: both estimates, in three steps
#
# *Medium, about 18 minutes.* **Step 1, by hand.** For $f(z) = z^2$, derive on paper the number that *one* draw
# contributes to each of the two averages. Then write both down without autograd.


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
# Each draw now gives a slope of its own. We draw 40 of them as lines through the point at $\mu = 1$; the dashed line is
# the tangent. Look at how far the lines of each fan spread, and how many of them fall.

# %% fan-figure
by_hand = slopes_by_hand(mu, logvar, torch.randn(80_000))
figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True, layout="constrained")
for ax, name, slopes, color in zip(axes, ("pathwise", "score function"), by_hand, (0, 2), strict=True):
    ax.plot(axis, 2 + slopes[:40] * (axis[:, None] - mu), color=plots.PALETTE[color], alpha=0.4, linewidth=1)
    ax.plot(axis, 2 + 2 * (axis - mu), "k--", linewidth=2)
    ax.set(title=name, xlabel="mu", xlim=(0, 2), ylim=(-4, 8))
    print(f"{name:15s} mean {slopes.mean():.2f} +- {2 * slopes.std() / len(slopes) ** 0.5:.2f}"
          f"   variance {slopes.var():5.1f}   below zero: {(slopes < 0).float().mean():.0%} of the draws")  # fmt: skip
plt.show()

# %% [test] fan-holds
for slopes in by_hand:
    assert (slopes.mean() - 2).abs() < 5 * slopes.std() / len(slopes) ** 0.5
assert 3.7 < by_hand[0].var() < 4.3
assert 25 < by_hand[1].var() < 35
assert (by_hand[1] < 0).float().mean() > 0.4

# %% [markdown] fan-seen
# Both means agree with 2 within +-, two standard errors: about 95 of 100 such intervals hold the true mean. **Neither
# estimate is biased**, as the formulas say. But the variance of the score function is more than seven times as large,
# and about half of its draws have the wrong sign.
#
# **Step 2, by autograd.** For a network nobody derives slopes by hand. The pathwise estimate is what `backward`
# computes through your `reparameterize`. For the score function, autograd needs an expression whose *gradient* is
# $(f(z) - b)\, \nabla \log q(z)$, averaged over the batch: a **surrogate loss**, whose value means nothing. The number
# $b$ is a **baseline**. It does not change the mean: with $f = 1$ the formula above says $E[\nabla \log q] = \nabla 1 =
# 0$. A good one, such as the mean of $f$, makes the noise smaller. Which factors must be plain numbers to autograd?


# %% log-q
def log_q(z, mu, logvar):
    """log N(z; mu, diag(exp(logvar))), in nats: (B, D) -> (B,)"""
    return -0.5 * (math.log(2 * math.pi) + logvar + (z - mu) ** 2 / logvar.exp()).sum(dim=1)


# %% score-exercise
def score_function_loss(f, mu, logvar, z, baseline=0.0):
    """A number whose gradient for mu and logvar is the score-function estimate of that of E[f(z)].

    f maps z, (B, D), to (B,); no gradient may flow into it. mu and logvar are (B, D). z is one draw of each
    N(mu, exp(logvar)) and may carry a graph. baseline is a number or (B,). Returns the mean over the batch.
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
# `t.detach()` is t without its graph. Detach `z` first, then the weight, multiply with `log_q(z, mu, logvar)`, both of
# shape (B,), and take the mean.
#
# </details>

# %% [markdown] autograd-look
# Does autograd give the slopes that you derived by hand, draw by draw?


# %% autograd
def square(z):
    return (z**2).sum(dim=1)  # (N, D) -> (N,)


eps = torch.randn(1000, 1)
each = mu.expand(1000, 1).clone().requires_grad_()  # a copy of mu for each draw
z = each + torch.exp(0.5 * logvar) * eps
surrogate = score_function_loss(square, each, logvar.expand(1000, 1), z)
losses = {"pathwise": square(z).mean(), "score function": surrogate}
for (name, loss), hand in zip(losses.items(), slopes_by_hand(mu, logvar, eps[:, 0]), strict=True):
    (found,) = torch.autograd.grad(1000 * loss, each)
    print(f"{name:15s} largest difference between autograd and paper: {(found[:, 0] - hand).abs().max():.1e}")

# %% [test] autograd-holds
again = torch.autograd.grad(1000 * score_function_loss(square, each, logvar.expand(1000, 1), z), each)[0][:, 0]
torch.testing.assert_close(again, slopes_by_hand(mu, logvar, eps[:, 0])[1], rtol=1e-4, atol=1e-4)

# %% [markdown] ratio-text
# **Step 3, measure the noise.** Now $z$ has $d$ coordinates, $\mu = (1, \dots, 1)$, $\sigma = 1$ and $f(z) = \lVert
# z\rVert^2$. The slopes are those of step 1 in each coordinate, but $f$ is the sum over all coordinates. If one
# variance is $r$ times the other, it takes $r$ times as many draws for the same accuracy. Compute this $r$.


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
# We measure it in 1 to 128 dimensions, without a baseline and with $b = E[f] = 2d$, beside exact formulas (a further
# section derives them). Both axes are logarithmic. Look at the slopes of the two lines.

# %% dimension
dims, ratios = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128]), {}
formulas = {"no baseline": dims**2 + 3.5 * dims + 3, "baseline E[f]": 1.5 * dims + 3}
for (name, formula), b, color in zip(formulas.items(), (0, 2), (2, 1), strict=True):
    ratios[name] = [float(noise_ratio(torch.randn(20_000, d), b * d)) for d in dims.tolist()]
    plt.loglog(dims, formula, color=plots.PALETTE[color], label=f"{name}: formula")
    plt.loglog(dims, ratios[name], plots.MARKERS[color], color=plots.PALETTE[color], label=f"{name}: measured")
plt.gca().set(xlabel="number of dimensions d", ylabel="variance of score function / pathwise")
plt.legend(frameon=False)
plt.show()

# %% [test] dimension-holds
for d, ratio, with_baseline in zip(dims, *ratios.values(), strict=True):
    assert 0.7 < ratio / (d**2 + 3.5 * d + 3) < 1.4
    assert 0.7 < with_baseline / (1.5 * d + 3) < 1.4

# %% [markdown] dimension-seen
# Without a baseline the ratio grows like $d^2$, with it like $d$. Coordinate $i$ of the score-function estimate is
# $f(z)\,\epsilon_i$, and $f$ contains all the *other* coordinates: $i$ is blamed for what the others did. The pathwise
# estimate $2 z_i$ knows nothing of them.
#
# The table has better forms of the score function over five seeds, each charged for all its evaluations of $f$. *Leave
# one out*: each of 16 draws has the mean of the other 15 as its baseline. *Antithetic*: draws come in pairs
# $\pm\epsilon$. *Own cost*: coordinate $i$ is weighted by its own $z_i^2$ alone.

# %% dimension-evidence
claims.evidence("05", "noise-by-dimension")

# %% [markdown] dimension-evidence-seen
# At $d = 100$ the ratio is {{claim noise-by-dimension.plain d=100}} without a baseline and
# {{claim noise-by-dimension.best_constant d=100}} with the best constant. The last column does **not** grow: it is
# {{claim noise-by-dimension.apart d=100}}. So the growth comes from a cost that cannot be told apart by coordinate. And
# it belongs to *this* cost. For trained VAEs the ratio is {{claim real-decoder.plain epochs=4 latent_dim=2}} with 2
# latent dimensions and {{claim real-decoder.plain epochs=4 latent_dim=32}} with 32: here the size of the cost, about
# 270 nats, matters more than the dimension. With the best constant for each image it is
# {{claim real-decoder.best_constant epochs=4 latent_dim=2}} and
# {{claim real-decoder.best_constant epochs=4 latent_dim=32}}.
#
# **The score function is not always the noisier one.** The pathwise estimate is large where the slope of $f$ is, the
# other one where $f$ is. $f(z) = \sin(kz)$ stays between -1 and 1, and its slope reaches $k$. At $\mu = 0$, $\sigma =
# 1$ the variances for $k = 1$ are {{claim rough-cost.path k=1}} pathwise and {{claim rough-cost.score k=1}} by the
# score function. For $k = 16$ they are {{claim rough-cost.path k=16}} and {{claim rough-cost.score k=16}}.

# %% [markdown] script-text
# ## 4. Find the bug
#
# This script trains a VAE with a two-dimensional code, in a style that you will meet in public repositories. It runs,
# and its loss falls, but it has one real mistake. Run it first, and look at the numbers. `widths` are the standard
# deviations $\sigma$ of the test images' clouds, and `spread` is that of their centres $\mu$.


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
        print(f"loss {loss:.0f}, spread {mu.std(dim=0).mean():.1f}, nine of ten widths {low:.2f} to {high:.2f}")
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
# *Medium, about 5 minutes.* Which printed number is odd? What does each of the two terms of the loss want from the
# widths, and which of them seems to be heard? Then find the line, and write the loss without the mistake.


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
# The way from `logvar` to the reconstruction is `std`, then `z`. Print `std.requires_grad`. What does `.data` do?
#
# </details>

# %% mended
vae = train(mended_loss)

# %% [test] mended-holds
with torch.no_grad():
    (vae_mu, vae_logvar), (sick_mu, _) = vae.posterior(x_test), sick.posterior(x_test)
assert torch.exp(0.5 * vae_logvar).median() < 0.3
assert vae_mu.std(dim=0).mean() < 0.8 * sick_mu.std(dim=0).mean()

# %% [markdown] mend-seen
# In the script only the KL term reached the widths, so they went to 1, the width of the prior. The encoder moved the
# centres apart instead, so that the noise hides less. Over three seeds and 12 epochs the median width is
# {{claim detached-std.sick_std epochs=12}} with the mistake and {{claim detached-std.sound_std epochs=12}} without, and
# the reconstruction term is {{claim detached-std.sick_recon epochs=12}} and
# {{claim detached-std.sound_recon epochs=12}} nats.

# %% [markdown] control-look
# ## 5. Keep the noise, move the parameters
#
# We draw five $\epsilon$ once and never again, and decode $z = \mu + \sigma \epsilon$ with the model that you have just
# mended. Each row has another $\mu$ of the first coordinate or another $\log\sigma^2$. In which row are the five images
# least alike?


# %% control-twin
def decoded(model, eps, mu, logvar):
    """The images of z = mu + std * eps for kept noise eps (N, D); mu is the mean of the first coordinate, else 0."""
    z = torch.exp(torch.tensor(0.5 * logvar)) * eps
    z[:, 0] += mu
    return model.decode(z).detach().cpu()


fixed = torch.randn(5, 2, generator=torch.Generator().manual_seed(0)).to(device)
_ = plots.image_rows({f"mu {m}, logvar {s}": decoded(vae, fixed, m, s) for m, s in ((-2, -4), (2.5, -4), (2.5, 0))})

# %% [markdown] control-text
# **Your own control.** `interactive(show, mu=slider, logvar=slider)` of ipywidgets calls `show(mu, logvar)` whenever a
# slider moves. Make the two sliders, `FloatSlider(value=..., min=..., max=...)`, and move both. Are there jumps?

# %% control
from ipywidgets import FloatSlider, interactive


def fixed_noise_control(model, eps):
    """Sliders for mu, -3 to 3, at 0, and logvar, -6 to 2, at -2, and below them the images, `decoded`."""
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
# <details><summary>Hint 1</summary>
#
# Inside, define `show(mu, logvar)`: it draws `plots.image_grid(decoded(model, eps, mu, logvar), columns=5)` and ends
# with `plt.show()`. Return what `interactive` returns.
#
# </details>
#
# Nothing jumps. With fixed noise $z$ is a smooth function of the parameters, and so is the image. With `mu` all five
# codes move by the same amount. With `logvar` those with a large $\epsilon$ move most, as $\partial
# z/\partial\log\sigma^2 = \frac12\sigma\epsilon$ says. That is all that `backward` needs.

# %% [markdown] changed
# ## What changed, and what did not
#
# - The order changed: the noise is drawn first, and the parameters act on it afterwards.
# - The distribution of $z$, the loss and its exact gradient did not change. Both estimates have this gradient as mean.

# %% [markdown] limits
# ## Limits and honest caveats
#
# - **The pathwise estimate needs a path and a slope.** If the cost has steps, it misses them: it is then wrong, not
#   only noisy. Discrete codes have no useful path (see the last further section).

# %% [markdown] quiz
# ## Quiz
#
# **1.** A VAE runs and its loss falls, but all its reconstructions look alike. In the code you find `z =
# torch.normal(mu, (0.5 * logvar).exp())`. What happened?
#
# <details><summary>Answer</summary>
#
# `torch.normal` sends zeros back to mu and logvar. The decoder learned the average image. The encoder followed the KL
# term alone and gave every image the prior as its cloud.
#
# </details>
#
# **2.** Somebody uses `std = torch.exp(logvar)` in training and in sampling. Is the model wrong?
#
# <details><summary>Answer</summary>
#
# A network could learn its second head as $\log\sigma$. But the KL formula takes exp(logvar) for the *variance*, so the
# price no longer belongs to the clouds that are drawn.
#
# </details>
#
# **3.** A *person* rates decoded images. Which estimate can raise the rating, and what helps?
#
# <details><summary>Answer</summary>
#
# A person gives a value and no slope, so only the score function can be used. A baseline helps, such as the mean of
# recent ratings.
#
# </details>

# %% [markdown] summary
# ## Summary
#
# - A draw has no derivative: `sample()` gives `None`, `torch.normal` gives zeros.
# - **Reparameterization:** $z = \mu + \sigma\epsilon$ with $\epsilon \sim \mathcal{N}(0, I)$; $\partial z/\partial\mu =
#   1$, $\partial z/\partial\log\sigma^2 = \frac12 (z - \mu)$.
# - **Pathwise:** $\nabla E[f] = E[f'(z)\, \nabla z]$. It needs the slope of $f$ and has little noise for smooth $f$.
# - **Score function:** $\nabla E[f] = E[(f(z) - b)\, \nabla \log q(z)]$. It needs only values of $f$.
# - For $f = \lVert z\rVert^2$, $\mu = 1$, $\sigma = 1$ the ratio of variances grows like $d^2$, with a baseline like
#   $d$.

# %% [markdown] formulas
# ## Further: where the formulas for the variance come from
#
# For $f(z) = \lVert z\rVert^2$, $\mu = 1$ and $\sigma = 1$ the total variances are exactly
#
# $$ \text{pathwise } 4d, \qquad \text{score function } 4d^3 + 14 d^2 + 12 d, \qquad
# \text{with baseline } 2d:\ 6d^2 + 12 d. $$
#
# Write $z_i = 1 + \epsilon_i$, $s = \sum_i \epsilon_i$ and $r = \sum_i \epsilon_i^2$. Then $f = d + 2s + r$. The total
# variance is the mean squared length of the estimate, less the squared length of its mean, which is $4d$.
#
# *Pathwise.* The estimate is $2z$, and each of its $d$ coordinates has variance 4.
#
# *Score function.* The estimate is $f \epsilon$, and its squared length is $f^2 r$. Multiply out $(d + 2s + r)^2 r$.
# Terms with an odd power of $s$ have mean zero, since $-\epsilon$ is as likely as $\epsilon$. The powers of $r$, a
# chi-squared variable, have the means $E[r] = d$, $E[r^2] = d^2 + 2d$ and $E[r^3] = d(d+2)(d+4)$. And $E[s^2 r] =
# E[r^2]$, since $\epsilon_i \epsilon_j r$ has mean zero for $i \ne j$. So
#
# $$ E[f^2 r] = d^2 E[r] + 4 E[s^2 r] + E[r^3] + 2d\, E[r^2] = 4d^3 + 14d^2 + 16d. $$
#
# Take away $4d$.
#
# *With the baseline.* Now $f - 2d = -d + 2s + r$. The last term changes its sign to $-2d\, E[r^2]$, and the sum is
# $6d^2 + 16d$. Take away $4d$. A constant $b$ gives the least variance at $b = E[f r] / E[r] = 2d + 2$: it takes away
# another $4d$.

# %% [markdown] fixed-look
# ## Further: the line from noise to code
#
# This is section 5 once more, with the formula in place of the images. In the first row, blue circles are five fixed
# $\epsilon$ on the bell of $\mathcal{N}(0,1)$, and red triangles are the five $z$ on the bell of $q$. In the second
# row, $z$ is drawn against $\epsilon$. What are the slope and the height of that line?

# %% bells
five = torch.randn(5, generator=torch.Generator().manual_seed(0)).sort().values
wide = torch.linspace(-6, 6, 121)


def bell(z, mu, std):
    """Density of N(mu, std^2) at z."""
    return torch.exp(-0.5 * ((z - mu) / std) ** 2) / (std * math.sqrt(2 * math.pi))


before = [
    plots.Series("N(0, 1)", wide, bell(wide, 0, 1), color=0),
    plots.Series("eps, fixed", five, bell(five, 0, 1), "points", color=0),
]


# %% fixed-eps
def move(mu, logvar):
    """Two charts for fixed eps."""
    std = math.exp(0.5 * logvar)
    z = mu + std * five
    densities = [*before]  # eps and its bell stay
    densities.append(plots.Series("q = N(mu, std^2)", wide, bell(wide, mu, std), color=2))
    densities.append(plots.Series("z = mu + std * eps", z, bell(z, mu, std), "points", color=2))
    line = [plots.Series("", [-3, 3], [mu - 3 * std, mu + 3 * std], color=2)]
    line.append(plots.Series("z = mu + std * eps", five, z, "points", color=2))
    return {
        "densities": plots.Chart(densities, (-6, 6), (0, 1.9), "eps and z", "density"),
        "z against eps": plots.Chart(line, (-3, 3), (-6, 6), "eps", "z"),
    }


# %% fixed-twin
from course_utils.widgets import FunctionSliders  # course_utils/widgets/function_sliders.py


def say(mu, logvar):
    return f"std = exp(0.5 * logvar) = {math.exp(0.5 * logvar):.2f}."


sliders = {"mu": (-3, 3, 0, 0.1), "logvar": (-3, 2, 0, 0.1)}
explorer = FunctionSliders(move, sliders, describe=say, title="Fixed noise, moving parameters")
axes = explorer.static([(0, 0), (2, 0), (2, -3)])

# %% [markdown] fixed-explorer-text
# **Explorer.** Move `mu`, and all five points slide by the same amount. Move `logvar`, and points far from the centre
# move most, the ones near $\epsilon = 0$ hardly at all.

# %% fixed-explorer
explorer.move_to(1.0, -1.0)
explorer

# %% [markdown] fixed-seen
# The line has height $\mu$ (at $\epsilon = 0$) and slope $\sigma$.

# %% [markdown] difference-look
# ## Further: test a gradient by finite differences
#
# How would you find out that a gradient is wrong? Compare it with a difference quotient:
#
# $$ \frac{\partial L}{\partial \mu_d} \approx \frac{L(\mu + h e_d) - L(\mu - h e_d)}{2h}, \qquad
# L(\mu) = \frac1N \sum_{n=1}^N f(\mu + \sigma \epsilon_n). $$
#
# There is one catch. $L$ is an average over random draws. With fresh draws for the two sides, their difference contains
# noise that does not shrink with $h$, and this noise is then divided by $2h$. With the **same** $\epsilon_n$ on both
# sides (*common random numbers*) it cancels. The idea is that of section 5: keep the noise, move the parameters.

# %% [markdown] difference-text
# ### Exercise 4: finite differences
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
# $10^{-8}$, in 64-bit numbers. Before you look: which of the two curves goes down, and how far can it go?


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
# With common noise the error falls with $h^2$: a tenth of the step gives a hundredth of the error. At about $10^{-5}$
# rounding takes over. With fresh noise the error *grows* once the step is small, because the same noise is divided by
# less and less. Over five seeds its error is
# {{claim common-noise.fresh step=0.1}} at a step of 0.1 and {{claim common-noise.fresh step=0.0001}} at 0.0001.
# A check that uses fresh noise proves nothing.
#
# Now a real network: the gradient of the reconstruction term of one photograph, through the decoder of your VAE.

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

# %% [markdown] real-look
# ## Further: what the noise costs a real model
#
# First the noise for one photograph and the VAE of section 4, from 1,000 draws. No code can remove most of its
# reconstruction term: the cell prints what is left when the decoder returns the photograph itself. The score function
# multiplies all of it by noise. How much does a baseline help here? (+- is two standard errors.)

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
    typical = restore(mu1 + torch.exp(0.5 * logvar1) * noise).mean().item()  # the mean of f: the baseline
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
# One photograph proves little. The table has the median over 40 test photographs, for VAEs with 2, 8 and 32 latent
# dimensions after one epoch and after four.

# %% real-evidence
claims.evidence("05", "real-decoder")

# %% [markdown] train-look
# Over all 18 runs the score function's variance is {{claim real-decoder.plain}} times the pathwise one's without a
# baseline, and {{claim real-decoder.best_constant}} times with the best constant for each image. So most of the noise
# comes from the part of $f$ that does not change from draw to draw, and a baseline takes it away. The plain ratio does
# not grow with the dimension here; the one with a baseline does.
#
# Now training. Four small VAEs with 8 latent dimensions start from the same weights and see the same batches. The
# decoder and the KL term always get their ordinary gradients. Only the path of the reconstruction term *into the
# encoder* differs: pathwise, score function, score function with a running mean of the loss as baseline, or cut off as
# in section 1.
#
# **Predict:** will the one that is cut off learn nothing at all? Look at where its curve ends, and then at the KL term
# in the table. On average over the images it is an upper limit on what the codes can carry about them. Each point of
# the figure is a mean of 10 steps, and the axis is cut at 450 nats.

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
# The cut-off model does learn: its curve flattens a few nats above what the average photograph costs. That is the best
# answer for a decoder that is told nothing. Its encoder was told only to make the KL term small, and it did: the codes
# carry next to nothing. That is what the silent zeros of section 1 lead to.
#
# Was the score function given its best form? The table has two learning rates and four times as many epochs, measured
# on the test images, and a stronger rival: with *leave one out* each image gets four draws, and each of them has the
# mean of the other three as its baseline.

# %% train-evidence
claims.evidence("05", "training")

# %% [markdown] train-evidence-seen
# With one draw an image the pathwise gradient is ahead in all 24 runs: of the plain score function, of the running
# mean, and of the model that is cut off. *Leave one out* is another story. With 2 latent dimensions, after four epochs
# at a learning rate of 0.003, it ends at {{claim training.leave_one_out_loss latent_dim=2 epochs=4 lr=0.003}} nats, and
# the pathwise gradient at {{claim training.path_loss latent_dim=2 epochs=4 lr=0.003}}. With 8 dimensions it is
# {{claim training.leave_one_out_loss latent_dim=8 epochs=4 lr=0.003}} against
# {{claim training.path_loss latent_dim=8 epochs=4 lr=0.003}}. So in its best form, with four times as many decoded
# codes, the score function trains these small VAEs as well or nearly as well.
#
# The pathwise gradient needs no baseline and gets along with one draw an image, as Kingma and Welling (2013) found for
# batches of about a hundred. That is why a VAE can be trained like any other network.

# %% [markdown] discrete-text
# ## Further: where the trick does not apply
#
# The path needs two things: a way to write $z$ as a differentiable function of the parameters and of parameter-free
# noise, and a differentiable $f$. For a **discrete** $z$ the function exists, but its slope is useless. A coin with
# probability $p = \mathrm{sigmoid}(a)$ is $z = [u < p]$ with uniform $u$. This function is a step: its slope is zero
# wherever it has one, and all of the change happens at the step. For $f(z) = (z - 0.3)^2$ the exact gradient is $(f(1)
# - f(0))\, p (1 - p)$, and the score function finds it, since $\frac{d}{da} \log q(z) = z - p$. (+- is two standard
#   errors.)

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
# coin by a number between 0 and 1 (Gumbel-softmax: Jang et al. 2017, Maddison et al. 2017). It is biased. The
# *straight-through* estimator uses the step forwards and pretends backwards that it was the identity (Bengio et al.
# 2013). It is biased too.
#
# Gaussians are not the only distributions with a path. Any family of shifted and scaled copies has one (Laplace,
# logistic, uniform), and so has any with a differentiable inverse distribution function. For Gamma, Beta and Dirichlet
# the path exists but is only known implicitly; PyTorch's `rsample` has it (Figurnov et al. 2018). In
# `torch.distributions`, `has_rsample` says whether a family has a path, and `rsample` (with an r for reparameterized)
# uses it.

# %% families
from torch import distributions

for name in ("Normal", "Laplace", "Gamma", "Bernoulli", "Categorical"):
    print(f"{name:12s} has_rsample {getattr(distributions, name).has_rsample}")

# %% [markdown] sixteen-bits
# One caveat about numbers of 16 bits: in float16 (not in bfloat16, which has the range of float32) $\sigma =
# \exp(\frac12 \log\sigma^2)$ overflows from a log-variance of about 22, and the $\sigma^2$ of the KL term from about
# 11. The package computes both in float32.

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
