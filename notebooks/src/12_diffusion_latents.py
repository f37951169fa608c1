# %% [markdown] title
# {{header}}
#
# # 12. How does noise become a picture?
#
# At the end of this lesson you can
#
# 1. jump to any noisy state of an image in one step, and say what is left of the image there;
# 2. write the loss of a [[diffusion model]] and the two ways back from noise, [[DDPM]] and [[DDIM]], as loops of a
#    few lines;
# 3. use DDIM as a decoder and, [[run backwards|DDIM inversion]], as an encoder; steer it with a class; and say what
#    it compresses, which is nothing, and what to do about that.

# %% [markdown] prerequisites
# **You need:** lesson 04 (prior, decoder), lesson 05 (sums of Gaussians), lesson 02 (latent codes). Lesson 10 helps.
#
# **Time:** {{learning}} with the exercises. Running all cells takes {{minutes}}.

# %% setup
{{setup}}

# %% imports
import math
import time

import matplotlib.pyplot as plt
import torch
from torch import nn

from course_utils import checks, plots, stored, widgets
from course_utils.checkpoints import load_reference  # course_utils/checkpoints.py
from course_utils.data import fashion_mnist
from course_utils.data.toys import two_moons
from course_utils.device import pick_device, seed_everything
from course_utils.files import data_dir
from course_utils.latents import encode_dataset
from course_utils.models.diffusion.denoisers import MLPDenoiser  # course_utils/models/diffusion/denoisers.py

plt.rcParams["figure.dpi"] = 85
seed_everything(12)
torch.set_num_threads(1)  # many small steps are computed here: a second thread would mostly wait for the first
g = torch.Generator().manual_seed(12)  # what this lesson draws by hand comes from here
device = pick_device()
train, test = fashion_mnist("train"), fashion_mnist("test")
print(f"{len(train):,} training and {len(test):,} test images; computing on {device}")

# %% [markdown] predict
# ## Predict first
#
# 1. We add a little noise to an image, a thousand times in a row. To see the result of step 500, must we take the 500
#    steps before it?
# 2. A network shall say what the clean image was. We show it almost pure noise. What picture does it answer with?
# 3. The code of an image in a diffusion model: is it smaller than the image, as large, or larger?
#
# <details><summary>What we found, for after sections 1, 3 and 2</summary>
#
# 1. No. All noise together is one Gaussian, whose size is known; one jump does it.
# 2. With the average of all the images that the noise could come from: a grey smear. A clear picture takes many small
#    answers.
# 3. Exactly as large: 784 numbers for 784 pixels. Nothing is compressed.
#
# </details>

# %% [markdown] forward-idea
# ## 1. The way out: from image to noise
#
# A GAN and a VAE learn to leap from noise to image. Diffusion learns a thousand small steps instead, and it learns
# them from the opposite direction, which needs no learning at all: take an image and [[spoil it, a little at a
# time|forward process]],
#
# $$x_t = \sqrt{\alpha_t}\, x_{t-1} + \sqrt{\beta_t}\, \epsilon_t, \qquad \alpha_t = 1 - \beta_t, \quad
# \epsilon_t \sim \mathcal N(0, I).$$
#
# The image shrinks by $\sqrt{\alpha_t}$ while noise of variance $\beta_t$ comes in, so that a pixel of variance 1 keeps
# variance 1. Put one step into the next:
#
# $$x_t = \sqrt{\alpha_t \alpha_{t-1}}\, x_{t-2} + \sqrt{\alpha_t \beta_{t-1}}\, \epsilon_{t-1} + \sqrt{\beta_t}\,
# \epsilon_t .$$
#
# The two noises are independent Gaussians, so their sum is one Gaussian, with variance $\alpha_t \beta_{t-1} + \beta_t
# = 1 - \alpha_t \alpha_{t-1}$. Go on like this down to $x_0$, and with [[$\bar\alpha_t = \alpha_0 \alpha_1 \cdots
# \alpha_t$|alpha-bar]]
#
# $$x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon .$$
#
# **One jump to any $t$.** We count $t = 0 \dots T-1$: $t = 0$ has a little noise already, and the clean image is
# "$t = -1$", where $\bar\alpha = 1$. (Ho et al. count from 1. Mixing the two ways of counting is the commonest bug in
# this business.)
#
# How fast the image should vanish is a choice, the **[[schedule|noise schedule]]**. Two are in wide use.


# %% schedules
def linear_betas(num_steps):
    """Ho et al. 2020: from 0.0001 to 0.02 at 1,000 steps."""
    return torch.linspace(0.1 / num_steps, 20 / num_steps, num_steps, dtype=torch.float64)


def cosine_betas(num_steps):
    """Nichol and Dhariwal 2021: sqrt(alpha_bar) falls like a quarter of a cosine."""
    u = torch.arange(num_steps + 1, dtype=torch.float64) / num_steps
    f = ((u + 0.008) / 1.008 * math.pi / 2).cos().square()
    return (1 - f[1:] / f[:-1]).clamp(max=0.999)


T = 1000
alpha_bars = {}
for name, betas in {"linear": linear_betas(T), "cosine": cosine_betas(T)}.items():
    alpha_bars[name] = (1 - betas).cumprod(0).float().to(device)  # (T,), a product of many factors: in float64
    print(f"{name}: alpha_bar", "  ".join(f"t={t}: {alpha_bars[name][t]:.4f}" for t in (0, 250, 500, 750, 999)))
print("half the variance is noise from t =", {name: int((a < 0.5).nonzero()[0]) for name, a in alpha_bars.items()})

# %% [markdown] q-sample-text
# ### Exercise 1: jump
#
# *Difficulty 1 of 3, about 8 minutes.* Here `t` holds one [[timestep]] for each image of the batch. `alpha_bar[t]` is
# then (B,), and must be shaped (B, 1, 1, 1) to multiply images (B, C, H, W), or (B, 1) for points (B, 2). Write it for
# any number of dimensions.


# %% q-sample-exercise
def q_sample(alpha_bar, x0, t, eps):
    """The noisy state x_t of x0, in one jump.

    Args:
        alpha_bar: Share of the variance that is left at each timestep, (T,).
        x0: Clean data, (B, ...).
        t: A timestep for each of the batch, int64 (B,), 0 to T-1.
        eps: Noise from N(0, I), shaped like x0.

    Returns:
        x_t, shaped like x0.
    """
    ### BEGIN SOLUTION
    share = alpha_bar[t].view(-1, *[1] * (x0.ndim - 1))  # (B, 1, ..., 1)
    return share.sqrt() * x0 + (1 - share).sqrt() * eps
    ### END SOLUTION


# %% q-sample-check
q_sample = checks.accept("q-sample", q_sample)

# %% [markdown] q-sample-hints
# <details><summary>Hint 1</summary>
#
# `alpha_bar[t]` picks a number for each image. `.view(-1, 1, 1, 1)` would do for images; for any `x0` the number of
# ones is `x0.ndim - 1`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Both weights have a square root, and it is the *variances* that add up to 1:
# `share.sqrt() * x0 + (1 - share).sqrt() * eps`.
#
# </details>

# %% [markdown] chain-look
# Does the jump agree with the steps? We walk 400 steps with 20,000 copies of one grey value, $x_0 = 0.7$, and compare
# mean and standard deviation with the formula. Twice the standard error is printed beside the mean: the two should
# differ by less.

# %% chain
betas, walkers = linear_betas(T).float(), torch.full((20_000,), 0.7)
for t in range(400):
    noise = torch.randn(walkers.shape, generator=g)
    walkers = (1 - betas[t]).sqrt() * walkers + betas[t].sqrt() * noise
left = alpha_bars["linear"][399].cpu()
error = walkers.std() / len(walkers) ** 0.5
print(f"400 steps  mean {walkers.mean():.4f} +- {2 * error:.4f}   std {walkers.std():.4f}")
print(f"one jump   mean {left.sqrt() * 0.7:.4f}            std {(1 - left).sqrt():.4f}")

# %% [test] chain-holds
assert abs(walkers.mean() - left.sqrt() * 0.7) < 4 * error
assert abs(walkers.std() - (1 - left).sqrt()) < 0.02

# %% [markdown] forward-look
# Now an image. The pixels go from [0, 1] to [-1, 1] first, so that noise and image have the same centre. Look for the
# place where you stop seeing the garment, and compare the two schedules: which one wastes steps on what is noise
# already?

# %% forward-figure
x0 = 2 * test.pixels(slice(0, 1), device=device) - 1  # (1, 1, 28, 28) in [-1, 1]
eps = torch.randn(x0.shape, generator=g).to(device)
moments = [0, 100, 200, 300, 400, 500, 600, 700, 800, 999]


def to_pixels(x):
    """From [-1, 1], perhaps beyond, to [0, 1] for the eye."""
    return ((x + 1) / 2).clamp(0, 1)


rows = {}
for name, alpha_bar in alpha_bars.items():
    states = [q_sample(alpha_bar, x0, torch.tensor([t], device=device), eps) for t in moments]
    rows[name] = to_pixels(torch.cat(states))
_, axes = plt.subplots(2, 1, figsize=(9, 4.6), height_ratios=[1.1, 1.4], layout="constrained")
plots.image_rows(rows, column_titles=[f"t = {t}" for t in moments], ax=axes[0])
for name, alpha_bar in alpha_bars.items():
    axes[1].plot((alpha_bar / (1 - alpha_bar)).cpu(), label=name)
axes[1].set(yscale="log", xlabel="timestep t", ylabel="signal-to-noise ratio", xlim=(0, 999), ylim=(1e-5, 1e5))
axes[1].axhline(1, color="grey", lw=0.8, ls=":")
axes[1].legend()
plt.show()

# %% [markdown] forward-seen
# The lower picture shows $\bar\alpha_t / (1 - \bar\alpha_t)$, [[the variance of what is left of the image over that of
# the noise|signal-to-noise ratio]]. On the dotted line both are equal. The linear schedule crosses it at $t = 259$, so
# in three quarters of its steps there is more noise than image. The cosine schedule crosses it half-way and spreads the
# loss more evenly.
#
# ## 2. Every state is a code
#
# Put an image in and read off $x_{999}$: numbers from $\mathcal N(0, I)$, as the prior of a VAE wants its codes. In
# this sense every $x_t$ is a latent state, and there are a thousand latent spaces, one behind the other. Two things are
# different from all codes so far.
#
# * **The size is that of the data**, 784 numbers. There is no bottleneck.
# * **Nothing was learned** on the way out. The whole model is the way back.

# %% [markdown] network-idea
# ## 3. What should the network say?
#
# The way back needs one piece of knowledge: given $x_t$ and $t$, [[what part of it is noise|noise prediction]]? From
# $x_t = \sqrt{\bar\alpha}\, x_0 + \sqrt{1 - \bar\alpha}\, \epsilon$ we see that whoever knows $\epsilon$ knows $x_0$,
# and the other way round. A third choice, the **[[velocity]]** $v = \sqrt{\bar\alpha}\, \epsilon - \sqrt{1 -
# \bar\alpha}\, x_0$, says which way $x_t$ moves as noise is added. Written with an angle, $\cos \varphi =
# \sqrt{\bar\alpha}$, the pair $(x_t, v)$ is the pair $(x_0, \epsilon)$ turned by $\varphi$; turning back gives both.


# %% conversions
def x0_from_eps(alpha_bar, x_t, eps):
    return (x_t - (1 - alpha_bar).sqrt() * eps) / alpha_bar.sqrt()


def velocity(alpha_bar, x0, eps):
    return alpha_bar.sqrt() * eps - (1 - alpha_bar).sqrt() * x0


def x0_from_v(alpha_bar, x_t, v):
    return alpha_bar.sqrt() * x_t - (1 - alpha_bar).sqrt() * v


def eps_from_v(alpha_bar, x_t, v):
    return alpha_bar.sqrt() * v + (1 - alpha_bar).sqrt() * x_t


print("an error of 0.01 in the answer becomes this error in x0:\n   t   from eps   from v")
for t in (0, 300, 600, 900, 998):
    share = alpha_bars["cosine"][t]
    x_t = share.sqrt() * x0 + (1 - share).sqrt() * eps
    v = velocity(share, x0, eps)
    from_eps = (x0_from_eps(share, x_t, eps + 0.01) - x0).abs().max()
    from_v = (x0_from_v(share, x_t, v + 0.01) - x0).abs().max()
    print(f"{t:4d}   {from_eps:8.4f}   {from_v:6.4f}")

# %% [test] conversions-holds
for t in (0, 300, 600, 900, 998):
    share = alpha_bars["cosine"][t]
    x_t = share.sqrt() * x0 + (1 - share).sqrt() * eps
    v = velocity(share, x0, eps)
    assert torch.allclose(eps_from_v(share, x_t, v), eps, atol=1e-5)
assert from_eps > 50 * from_v

# %% [markdown] conversions-seen
# All three say the same if they are exact. They differ in what a small mistake does. Near pure noise the image is what
# remains after almost everything has been subtracted, so a small error in $\epsilon$ is blown up. An error in $v$ never
# grows. (A network that answers with $x_0$ has its trouble at the other end, where $\epsilon$ would be what remains.)
# $v$ is well behaved at both ends, which is why the larger model below was trained on it. Our small one learns
# $\epsilon$, the classic.
#
# ### The loss
#
# Take data, a random timestep for each, and noise; jump to $x_t$; ask the network for the noise; square the error:
#
# $$L = \mathbb E_{x_0,\, t,\, \epsilon}\ \big\lVert \epsilon - \hat\epsilon(x_t, t) \big\rVert^2 .$$
#
# It is a denoising autoencoder (lesson 03) that has seen all strengths of noise and is told which one it is looking at.
# Up to the weight of each $t$ this is also a bound on $\log p(x)$, a sum of KL terms as in lesson 06 (Ho et al. 2020,
# section 3).

# %% [markdown] loss-text
# ### Exercise 2: the loss
#
# *Difficulty 2 of 3, about 8 minutes.* `t` and `eps` are given, so that a test can repeat the draw. Use your
# `q_sample`.


# %% loss-exercise
def diffusion_loss(network, alpha_bar, x0, t, eps):
    """Mean squared error of the predicted noise.

    Args:
        network: Function of (x_t (B, ...), t (B,)) that returns eps_hat, shaped like x_t.
        alpha_bar: (T,).
        x0: Clean data, (B, ...).
        t: Timesteps, int64 (B,).
        eps: The noise to use, shaped like x0.

    Returns:
        A scalar tensor: the mean over the batch and over all numbers of each of its members.
    """
    ### BEGIN SOLUTION
    x_t = q_sample(alpha_bar, x0, t, eps)
    return (network(x_t, t) - eps).square().mean()
    ### END SOLUTION


# %% loss-check
diffusion_loss = checks.accept("diffusion-loss", diffusion_loss)

# %% [markdown] loss-hints
# <details><summary>Hint 1</summary>
#
# The network never sees `x0`. It sees the noisy state and the timestep.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The answer is compared with the very `eps` that went into `x_t`, not with fresh noise and not with `x0`.
#
# </details>

# %% [markdown] toy-text
# ### A model one can see whole
#
# Points in the plane, two moons. The network is small; it gets the timestep as a few sines and cosines, so that it can
# tell near steps apart as well as far ones. Everything is in this cell and the next. It takes a few seconds.


# %% toy-network
class PointDenoiser(nn.Module):
    """Points x_t (B, 2) and timesteps t (B,) to the noise in them, (B, 2)."""

    def __init__(self, hidden=96):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 + 12, hidden), nn.SiLU(),
            nn.Linear(hidden, hidden), nn.SiLU(),
            nn.Linear(hidden, hidden), nn.SiLU(),
            nn.Linear(hidden, 2),
        )  # fmt: skip

    def forward(self, x_t, t):
        angle = math.pi * t[:, None] / T * 2.0 ** torch.arange(6, device=t.device)  # (B, 6)
        return self.layers(torch.cat([x_t, angle.sin(), angle.cos()], dim=1))


points, moon = two_moons(4000, generator=g)
points = ((points - points.mean(0)) / points.std(0)).to(device)  # (4000, 2), mean 0 and variance 1
alpha_bar = alpha_bars["linear"]

# %% toy-train
toy = PointDenoiser().to(device)
optimizer = torch.optim.Adam(toy.parameters(), lr=2e-3)
steps, losses, start = 2000, [], time.perf_counter()
for step in range(steps):
    optimizer.param_groups[0]["lr"] = 2e-3 * (1 - step / steps)
    batch = points[torch.randint(len(points), (256,), device=device)]
    t = torch.randint(T, (256,), device=device)
    loss = diffusion_loss(toy, alpha_bar, batch, t, torch.randn_like(batch))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.detach())
losses = torch.stack(losses).cpu()
print(f"{time.perf_counter() - start:.1f} s; loss {losses[:50].mean():.3f} -> {losses[-500:].mean():.3f}")
print("a network that always answers 0 would have 1")

# %% [test] toy-train-holds
assert losses[-500:].mean() < 0.4

# %% [markdown] loss-floor
# The loss does not go to zero, and it should not. Seen from $x_t$ the noise is not certain: many images with many
# noises could have led there. The best answer under a squared error is the mean of them all, and what remains is
# their spread. So do not judge a diffusion model by how small its loss is; compare losses only for the same data and
# schedule.

# %% [markdown] ddim-idea
# ## 4. The way back
#
# We stand at $x_t$, and the network says $\hat\epsilon$. Then the clean image would be $\hat x_0 = (x_t - \sqrt{1 -
# \bar\alpha_t}\, \hat\epsilon) / \sqrt{\bar\alpha_t}$. We do not believe it: at high noise it is the grey average of
# the second question. But we may use it for a *small* step: go to the state that this $\hat x_0$ and this
# $\hat\epsilon$ would have at a smaller noise level,
#
# $$x_{t'} = \sqrt{\bar\alpha_{t'}}\; \hat x_0 + \sqrt{1 - \bar\alpha_{t'}}\; \hat\epsilon , $$
#
# and ask again. This is **DDIM** (Song, Meng and Ermon 2021). No noise is added on the way, so it is a plain function
# of where we began.

# %% [markdown] ddim-text
# ### Exercise 3: one DDIM step
#
# *Difficulty 2 of 3, about 10 minutes.* Here `t` and `t_prev` are whole numbers for the entire batch. Either may be -1,
# the clean image, where $\bar\alpha = 1$. Mind what Python does with `alpha_bar[-1]`.


# %% ddim-exercise
def ddim_step(alpha_bar, x_t, t, eps_hat, t_prev):
    """Go from timestep t to t_prev without adding noise.

    Args:
        alpha_bar: (T,).
        x_t: Where we are, (B, ...).
        t: The timestep we are at, -1 to T-1.
        eps_hat: The predicted noise, shaped like x_t.
        t_prev: The timestep to go to, -1 to T-1.

    Returns:
        The state at t_prev, shaped like x_t.
    """
    ### BEGIN SOLUTION
    one = torch.ones_like(alpha_bar[0])
    here = alpha_bar[t] if t >= 0 else one
    there = alpha_bar[t_prev] if t_prev >= 0 else one
    x0_hat = (x_t - (1 - here).sqrt() * eps_hat) / here.sqrt()
    return there.sqrt() * x0_hat + (1 - there).sqrt() * eps_hat
    ### END SOLUTION


# %% ddim-check
ddim_step = checks.accept("ddim-step", ddim_step)

# %% [markdown] ddim-hints
# <details><summary>Hint 1</summary>
#
# Two lines: first `x0_hat` from `x_t`, `eps_hat` and alpha_bar *here*; then mix `x0_hat` and `eps_hat` with the weights
# of alpha_bar *there*, as in `q_sample`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `alpha_bar[-1]` is the last entry of the tensor, the noisiest of all. The clean image needs 1:
# `there = alpha_bar[t_prev] if t_prev >= 0 else torch.ones_like(alpha_bar[0])`.
#
# </details>

# %% [markdown] loop-text
# The loop is yours now. Fewer steps than $T$ are possible: visit only some of the timesteps, from the noisiest down.
# The older **DDPM** step (Ho et al. 2020) draws from the Gaussian $q(x_{t-1} \mid x_t, \hat x_0)$ instead: it goes a
# little further towards $\hat x_0$ and adds fresh noise. It needs nearly all the steps.


# %% loops
def timesteps(num_steps, steps):
    """`steps` of the timesteps, falling, from the last one on: 999, 949, ... for 20 of 1,000."""
    return [round(num_steps - i * num_steps / steps) - 1 for i in range(steps)]


@torch.no_grad()
def ddim_path(network, alpha_bar, x_T, steps):
    """All states on the way from noise x_T (B, ...) to data, (steps + 1, B, ...)."""
    times, path = timesteps(len(alpha_bar), steps), [x_T]
    for t, t_prev in zip(times, [*times[1:], -1], strict=True):
        eps_hat = network(path[-1], torch.full((len(x_T),), t, device=x_T.device))
        path.append(ddim_step(alpha_bar, path[-1], t, eps_hat, t_prev))
    return torch.stack(path)


@torch.no_grad()
def ddpm_path(network, alpha_bar, x_T, noise):
    """The same with fresh noise at each of all T steps; noise(x) gives it."""
    path = [x_T]
    for t in reversed(range(len(alpha_bar))):
        here = alpha_bar[t]
        before = alpha_bar[t - 1] if t > 0 else torch.ones_like(here)
        alpha = here / before  # this is alpha_t, not alpha_bar_t
        eps_hat = network(path[-1], torch.full((len(x_T),), t, device=x_T.device))
        mean = (path[-1] - (1 - alpha) / (1 - here).sqrt() * eps_hat) / alpha.sqrt()
        std = ((1 - alpha) * (1 - before) / (1 - here)).sqrt()  # 0 in the last step
        path.append(mean + std * noise(mean))
    return torch.stack(path)


# %% [markdown] paths-look
# Both walk 600 points of noise back to the data. The black lines are a few of the paths. Look at the shape of the
# paths, and whether the ends lie on the moons. The colour says which moon each point arrived at.

# %% paths-figure
x_T = torch.randn(600, 2, generator=g).to(device)
smooth = ddim_path(toy, alpha_bar, x_T, 50).cpu()
rough = ddpm_path(toy, alpha_bar, x_T, torch.randn_like).cpu()


def nearest_moon(x):
    """Which moon the nearest data point belongs to, and how far it is: (B,), (B,)."""
    distance, index = torch.cdist(x.cpu(), points.cpu()).min(dim=1)
    return moon[index], distance


_, axes = plt.subplots(1, 3, figsize=(9, 3.1), layout="constrained", sharex=True, sharey=True)
for ax, path, title, many in ((axes[0], smooth, "DDIM, 50 steps", 8), (axes[1], rough, "DDPM, 1,000 steps", 2)):
    arrived, _ = nearest_moon(path[-1])
    ax.plot(path[:, :many, 0], path[:, :many, 1], color="black", lw=0.6, zorder=3)
    ax.scatter(path[-1, :, 0], path[-1, :, 1], s=5, c=[plots.PALETTE[i] for i in arrived])
    ax.set(title=title, aspect="equal")
arrived, _ = nearest_moon(smooth[-1])
axes[2].scatter(x_T[:, 0].cpu(), x_T[:, 1].cpu(), s=5, c=[plots.PALETTE[i] for i in arrived])
axes[2].set(title="the noise DDIM began with", aspect="equal")
plt.show()
for name, path in {"DDIM": smooth, "DDPM": rough, "plain noise": x_T[None]}.items():
    print(f"{name:12s} mean distance to the nearest data point {nearest_moon(path[-1])[1].mean():.3f}")

# %% [test] paths-figure-holds
assert nearest_moon(smooth[-1])[1].mean() < 0.65 * nearest_moon(x_T)[1].mean()
assert nearest_moon(rough[-1])[1].mean() < 0.65 * nearest_moon(x_T)[1].mean()

# %% [markdown] paths-seen
# DDPM staggers, DDIM glides. The right-hand picture is the point of this lesson: colour the *noise* by where DDIM takes
# it, and the noise falls into regions with a border between them. **DDIM is a decoder**: a fixed map from $\mathcal
# N(0, I)$ to the data, like that of a VAE or a GAN. DDPM is not: from the same noise it arrives elsewhere every time.

# %% same-noise
again = ddim_path(toy, alpha_bar, x_T, 50).cpu()[-1]
other = ddpm_path(toy, alpha_bar, x_T, torch.randn_like).cpu()[-1]
print(f"same noise, DDIM twice: largest difference {(again - smooth[-1]).abs().max():.1e}")
print(f"same noise, DDPM twice: mean difference    {(other - rough[-1]).norm(dim=1).mean():.2f}")
print("same noise, DDIM with fewer steps: mean difference from 50 steps, and distance to the data")
for steps in (1, 2, 5, 10, 20, 100):
    x = ddim_path(toy, alpha_bar, x_T, steps).cpu()[-1]
    print(f"  {steps:3d} steps  {(x - smooth[-1]).norm(dim=1).mean():.3f}   {nearest_moon(x)[1].mean():.3f}")
print(f"sqrt(alpha_bar[999]) = {alpha_bar[-1].sqrt():.4f}")

# %% [test] same-noise-holds
one_step = nearest_moon(ddim_path(toy, alpha_bar, x_T, 1)[-1])[1].mean()
assert (again - smooth[-1]).abs().max() < 1e-4
assert one_step > 5 * nearest_moon(x_T)[1].mean()  # worse than no step at all

# %% [markdown] steps-seen
# One step ends far off, much further from the moons than the noise it began with. It *is* $\hat x_0$, and in $\hat
# x_0$ everything is divided by $\sqrt{\bar\alpha_{999}} = 0.0064$: an error of a few hundredths in $\hat\epsilon$
# becomes one of several units. That is what the last row of the table of section 3 warns of, seen on points. With two
# steps already it matters little, since a wild guess enters the next state with a small weight, and the network is
# asked again from there. (The network of section 6 says $v$, and its first guess will be what you would expect.) More
# steps change less and less: they follow the same curve more exactly.
#
# ## 5. DDIM backwards is an encoder
#
# A decoder that is a smooth curve can be followed the other way. Take the same step from $t$ to a *noisier* $t'$. One
# thing is not quite fair: the network's answer is wanted at the end of the step, where we are not yet, so we take it at
# the beginning. The smaller the steps, the smaller the harm.


# %% inversion
@torch.no_grad()
def ddim_invert(network, alpha_bar, x0, steps):
    """The noise that DDIM with as many steps turns into x0 (B, ...), nearly."""
    times, x = timesteps(len(alpha_bar), steps)[::-1], x0
    for t, t_next in zip([-1, *times[:-1]], times, strict=True):
        eps_hat = network(x, torch.full((len(x),), t_next, device=x.device))
        x = ddim_step(alpha_bar, x, t, eps_hat, t_next)
    return x


print("steps   there and back: mean error   mean norm of the code")
errors = []
for steps in (5, 10, 20, 50, 100, 250):
    z = ddim_invert(toy, alpha_bar, points[:500], steps)
    back = ddim_path(toy, alpha_bar, z, steps)[-1]
    errors.append((back - points[:500]).norm(dim=1).mean().item())
    print(f"{steps:5d}   {errors[-1]:26.4f}   {z.norm(dim=1).mean():.3f}")
print(f"mean norm of N(0, I) in the plane: sqrt(pi / 2) = {math.sqrt(math.pi / 2):.3f}")

# %% [test] inversion-holds
assert errors[-1] < 0.3 * errors[0]
assert abs(z.norm(dim=1).mean() - math.sqrt(math.pi / 2)) < 0.15

# %% [markdown] inversion-seen
# With enough steps we return to where we started, and the codes have the norm of Gaussian noise. So a diffusion model
# answers to the same verbs as every model of this course: *encode*, *decode*, *sample*, and, since codes are Gaussian
# noise, *walk*. How to walk between two of them is lesson 13.

# %% [markdown] reference-text
# ## 6. Clothes
#
# Only the network has to grow: a [[UNet]], which looks at the image at several sizes. Its training takes longer than a
# lesson, so we load it. It predicts $v$ on the cosine schedule and was told the class of each image.
# `predict_eps` turns its $v$ into $\hat\epsilon$, so your loops work on it as they are.

# %% reference
model = load_reference("diffusion_fashion", device)
alpha_bar_cosine = model.schedule.alpha_bar
parameters = sum(p.numel() for p in model.parameters())
print(f"{parameters:,} parameters, code of shape {tuple(model.latent_shape)}")


def denoiser(label=None, guidance=1.0):
    """The reference as a function of (x_t, t), for one class or for each image its own."""

    def eps_hat(x_t, t):
        labels = None if label is None else torch.as_tensor(label, device=x_t.device).expand(len(x_t))
        return model.predict_eps(x_t, t, labels, guidance)

    return eps_hat


# %% [test] reference-holds
assert torch.allclose(alpha_bar_cosine, alpha_bars["cosine"], atol=1e-5)

# %% [markdown] guess-look
# First the second question. The upper row shows noisy states of one test image, the lower row what the network takes
# the clean image for, in one step and without being told the class. Predict up to which $t$ it sees that this is a
# T-shirt, and what it says at $t = 990$.

# %% guess-figure
states, guesses, moments = [], [], [50, 200, 350, 500, 650, 800, 900, 990]
for t in moments:
    where = torch.tensor([t], device=device)
    states.append(q_sample(alpha_bar_cosine, x0, where, eps))
    with torch.no_grad():
        guess = denoiser()(states[-1], where)
    guesses.append(x0_from_eps(alpha_bar_cosine[t], states[-1], guess))
rows = {"x_t": to_pixels(torch.cat(states)), "guess of x0": to_pixels(torch.cat(guesses))}
plots.image_rows(rows, column_titles=[f"t = {t}" for t in moments])
plt.show()
mistake = [(guess - x0).square().mean().item() for guess in guesses]
print("mean squared error of the guess:", "  ".join(f"{m:.3f}" for m in mistake))

# %% [test] guess-figure-holds
assert mistake[0] < 0.2 * mistake[-1]

# %% [markdown] guess-explorer-text
# The explorer below does the same for every $t$. Move $t$ up from 0 and watch what goes first: print and folds, then
# the sleeves, last of all the place and the brightness of a garment in general. Close to 999 remains what the second
# question promised: the grey average of all clothes. The chart marks how much of the variance is still image.


# %% guess-explorer
@torch.inference_mode()
def at_time(t):
    where = torch.tensor([int(t)], device=device)
    x_t = q_sample(alpha_bar_cosine, x0, where, eps)
    guess = x0_from_eps(alpha_bar_cosine[int(t)], x_t, denoiser()(x_t, where))
    every = torch.arange(0, T, 10)
    chart = plots.Chart(
        [plots.Series("image", every, alpha_bar_cosine.cpu()[every]), plots.Series("t", t, kind="markers")],
        x_range=(0, 999), y_range=(0, 1), xlabel="timestep t", ylabel="share of the variance",
    )  # fmt: skip
    images = {"clean image": x0, "x_t": x_t, "guess of x0": guess}
    return {name: to_pixels(x)[0] for name, x in images.items()} | {"what is left": chart}


time_explorer = widgets.FunctionSliders(at_time, {"t": (0, 999, 300, 1)}, title="Noise comes in")
time_explorer.move_to(650)
time_explorer

# %% [markdown] sampling-look
# Now whole walks back. Each column begins with the same noise, for all rows; the rows differ in the number of steps.
# The classes are given. Look at which step count is enough for the eye, and whether a column keeps its garment as the
# steps change.

# %% sampling-figure
labels = torch.arange(10, device=device)
noise = torch.randn(10, *model.latent_shape, generator=g).to(device)
walks = {}
for steps in (1, 2, 5, 10, 20, 50):
    walks[steps] = ddim_path(denoiser(labels), alpha_bar_cosine, noise, steps)[-1]
rows = {f"{steps} step{'s' * (steps > 1)}": to_pixels(x) for steps, x in walks.items()}
plots.image_rows(rows, column_titles=[name.replace("T-shirt/top", "T-shirt") for name in test.class_names])
plt.show()
print("mean squared difference from 50 steps:")
change = {steps: (x - walks[50]).square().mean().item() for steps, x in walks.items()}
print("  ".join(f"{steps}: {value:.4f}" for steps, value in change.items()))

# %% [test] sampling-figure-holds
assert change[20] < change[5] < change[1]

# %% [markdown] sampling-seen
# One step gives nearly the average garment of the class: the answer to the second question again, this time of a
# network that knows the class. A few steps give the outline and folds, and 20 differ little from 50. The columns keep
# their garment: DDIM with few steps is the same decoder, followed less exactly.
#
# How good are they? Judging samples is a subject of its own (lesson 21). One measure in wide use is the **Frechet
# distance**: pass real and generated images through a classifier, fit a Gaussian to the features of each set, and
# measure how far apart the two Gaussians are. 0 would be no difference; real images against other real images give the
# floor. Precision is the share of samples that could pass for real, recall the share of real images that the model
# could have made (both as in lesson 10). The table comes from one command of this repository, in the first line.

# %% quality
quality, _ = stored.read(data_dir() / "sample_quality")  # verified; made by the command that it names
print(f"{quality['samples']:,} samples each: {quality['command']}")
for row in quality["rows"]:
    scores = f"Frechet distance {row['frechet']:6.1f}   precision {row['precision']:.2f}   recall {row['recall']:.2f}"
    print(f"{row['name']:40s}{scores}")

# %% [test] quality-holds
frechet = {row["name"]: row["frechet"] for row in quality["rows"]}
five, ten, twenty, fifty = (frechet[f"diffusion, {steps} steps"] for steps in (5, 10, 20, 50))
assert twenty < frechet["VAE, 16 dimensions: prior"] / 8
assert five > ten > twenty
assert abs(twenty - fifty) < 0.3 * (five - twenty)
assert frechet["GAN, 64 dimensions"] < twenty < frechet["diffusion, 20 steps, guidance 2"]

# %% [markdown] quality-seen
# Three things to read off.
#
# * **The samples of the VAE's prior are far behind.** At 20 steps the diffusion model's distance is less than an eighth
#   of theirs.
# * **More steps help up to a point.** From 5 to 20 the distance falls steeply, from 20 to 50 only a little, at two and
#   a half times the cost. What the first steps bring is recall: samples in few steps are typical, and too alike.
# * **Diffusion does not win everything.** The GAN of lesson 10 comes closer by this measure, with one pass an image.
#   The diffusion model has the higher precision, and nobody had to watch it for collapse.
#
# The latent diffusion is that of section 9, somewhat larger. What "guidance" means, and why it makes this distance
# worse although each picture looks cleaner, is section 8.

# %% [markdown] real-inversion-look
# ## 7. A real image, encoded
#
# Your inversion works on the large model too. We encode six test images, decode them again, and print how far the
# result is off and what the codes look like as noise: mean 0, standard deviation 1, norm $\sqrt{784} = 28$?

# %% real-inversion
x_real, y_real = 2 * test.pixels(slice(10, 16), device=device) - 1, test.labels[10:16].to(device)
print("steps   error there and back   mean of z   std of z   mean norm")
rows = {"image": to_pixels(x_real)}
for steps in (5, 20, 60):
    z_real = ddim_invert(denoiser(y_real), alpha_bar_cosine, x_real, steps)
    back = ddim_path(denoiser(y_real), alpha_bar_cosine, z_real, steps)[-1]
    rows[f"back, {steps} steps"] = to_pixels(back)
    miss = (back - x_real).square().mean().item()
    norm = z_real.flatten(1).norm(dim=1).mean()
    print(f"{steps:5d}   {miss:20.4f}   {z_real.mean():9.3f}   {z_real.std():8.3f}   {norm:9.2f}")
rows["code of 60"] = to_pixels(z_real / 2)
plots.image_rows(rows)
plt.show()

# %% [test] real-inversion-holds
assert miss < 0.05
assert norm < 25

# %% [markdown] real-inversion-seen
# With 60 steps the images come back, seams and all; with 5 they come back smoother than they were. The codes are less
# well behaved than those of the moons. Noise of 784 numbers has norm 28, theirs is around 20, and the bottom row shows
# where the rest is missing: behind the garment, where the image is plain black, the code is almost grey, and one can
# still see the silhouette. Nothing of that kind would be drawn from $\mathcal N(0, I)$. The first steps are to blame at
# least in part: a perfectly flat background is like no noisy image that the network has seen, and it finds too little
# noise in it. So: an encoder, but one whose codes are not quite where the prior expects them. Lesson 13 meets them
# again.

# %% [markdown] guidance-idea
# ## 8. Steering: the class, and more than the class
#
# The network was trained with the label hidden in a tenth of the cases, so it can also answer for "any garment". The
# difference between its two answers points from *any garment* towards *this class*. **[[Classifier-free guidance]]**
# (Ho and Salimans 2022) follows that arrow further than the network asked:
#
# $$\hat\epsilon = \hat\epsilon_{\text{any}} + w\, (\hat\epsilon_{\text{class}} - \hat\epsilon_{\text{any}}) .$$
#
# $w = 0$ ignores the class, $w = 1$ is the model as trained, $w > 1$ exaggerates. (In the paper's own notation $w$ is
# smaller by one.)

# %% [markdown] guidance-text
# ### Exercise 4: guidance
#
# *Difficulty 1 of 3, about 5 minutes.*


# %% guidance-exercise
def guided(network, x_t, t, label, null, weight):
    """The guided prediction of the noise.

    Args:
        network: Function of (x_t (B, ...), t (B,), label (B,)) that returns eps_hat, shaped like x_t.
        x_t: Noisy data, (B, ...).
        t: Timesteps, int64 (B,).
        label: The wanted classes, int64 (B,).
        null: The number that stands for "any class".
        weight: 0 ignores the class, 1 is the plain conditional prediction.

    Returns:
        eps_hat, shaped like x_t.
    """
    ### BEGIN SOLUTION
    any_class = network(x_t, t, torch.full_like(label, null))
    this_class = network(x_t, t, label)
    return any_class + weight * (this_class - any_class)
    ### END SOLUTION


# %% guidance-check
guided = checks.accept("guidance", guided)

# %% [markdown] guidance-hints
# <details><summary>Hint 1</summary>
#
# Ask the network twice. `torch.full_like(label, null)` is a batch of null labels.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Test your formula at the two weights whose answer you know: at 0 the label must not matter, at 1 only the label's
# answer must be left.
#
# </details>

# %% [markdown] guidance-look
# What does the weight do? The same noise, eight sandals at four weights. Then two numbers for 80 samples of all classes
# at each weight: how often a separate classifier agrees with the wanted class, and how different samples of one class
# are from each other (mean distance of two images). Predict which of the two rises and which falls.

# %% guidance-figure
classifier = load_reference("classifier_fashion", device)
label_of = torch.arange(10, device=device).repeat_interleave(8)  # 8 of each class
noise = torch.randn(80, *model.latent_shape, generator=g).to(device)
rows, table = {}, {}


def said(x_t, t, label):
    return model.predict_eps(x_t, t, label)


for weight in (0.0, 1.0, 3.0, 7.0):
    network = lambda x_t, t, w=weight: guided(said, x_t, t, label_of, model.num_classes, w)  # noqa: E731
    images = to_pixels(ddim_path(network, alpha_bar_cosine, noise, 8)[-1])
    with torch.no_grad():
        agree = (classifier(images).argmax(dim=1) == label_of).float().mean().item()
    variety = torch.stack([torch.pdist(images[label_of == k].flatten(1)).mean() for k in range(10)]).mean().item()
    rows[f"w = {weight:g}"], table[weight] = images[label_of == 5], (agree, variety)
    print(f"w = {weight:g}   the classifier agrees in {agree:.0%}   distance within a class {variety:.2f}")
plots.image_rows(rows)
plt.show()

# %% [test] guidance-figure-holds
assert table[0.0][0] < 0.4 < table[3.0][0]
assert table[7.0][1] < table[1.0][1]

# %% [markdown] guidance-seen
# Guidance buys agreement with variety: the samples become more typical of their class, and more alike. At large weights
# they are no better for it: whites are whiter than in any photograph, straps and soles break off, since no image of the
# data is *that* far on the sandal side. This is why the table of section 6 punishes guidance: its distance looks at all
# samples together, and misses the variety.
#
# In the explorer both sliders act on the same noise. Leave the guidance and raise the steps: the pictures sharpen and
# keep their identity. Then leave the steps and raise the guidance. First its static twin.

# %% sampler-twin
few = noise[:3]


@torch.inference_mode()
def walk_back(steps, guidance, garment):
    def network(x_t, t):
        return guided(said, x_t, t, torch.full_like(t, int(garment)), model.num_classes, guidance)

    return to_pixels(ddim_path(network, alpha_bar_cosine, few, int(steps))[-1])


rows = {f"{s} steps, w = {w:g}": walk_back(s, w, 8) for s, w in ((2, 1), (5, 1), (10, 1), (10, 3), (10, 6))}
plots.image_rows(rows, column_titles=[f"noise {i + 1}" for i in range(3)])
plt.show()

# %% sampler-explorer
sampler = widgets.FunctionSliders(
    walk_back,
    {"DDIM steps": (1, 10, 4, 1), "guidance": (0, 7, 1, 0.5), "class": (0, 9, 8, 1)},
    labels=[f"noise {i + 1}" for i in range(3)],
    describe=lambda steps, guidance, garment: f"{test.class_names[int(garment)]}.",
    title="Same noise, more steps",
)
sampler.move_to(8, 2, 7)
sampler

# %% [markdown] verbs-text
# `model.given(label, guidance, steps=...)` packs these settings into a model with the four verbs, so the explorers of
# the earlier lessons take it as they are. Here is the path of lesson 01 between two bags, through noise.

# %% path-explorer
bags = model.given(8, steps=10)
which = (test.labels == 8).nonzero()[:2, 0]
x_a, x_b = test.pixels(which)
path_explorer = widgets.PathSlider({"diffusion, 10 steps": bags}, x_a, x_b)
path_explorer.move_to(0.5)
path_explorer

# %% [markdown] latent-idea
# ## 9. Compress first
#
# The network walks through 784 dimensions, and most of them it spends on texture. Why not let an autoencoder take
# care of the texture, and diffuse its *codes*? That is **[[latent diffusion]]** (Rombach et al. 2022), the idea
# behind Stable Diffusion. Your code does not change: `q_sample`, `ddim_step`, `guided` and the loop take vectors as
# they took points and images. We need
#
# 1. an autoencoder with good reconstructions and 64 numbers for a code, a reference model;
# 2. the codes of all training images, scaled to mean 0 and variance 1, so that they have the size of the noise;
# 3. a small network for vectors. It says $v$, on the cosine schedule, as the large one does, so in the loss $v$ takes
#    the place of $\epsilon$. (Try $\epsilon$ in its place: some samples
#    come out as white blotches. Section 4 showed why: the guesses of the first steps are far off.)

# %% latent-codes
compressor = load_reference("latent_autoencoder", device)
codes = encode_dataset(compressor, train)  # (11000, 64)
code_mean, code_std = codes.mean(0).to(device), codes.std(0).to(device)
codes, code_labels = (codes.to(device) - code_mean) / code_std, train.labels.to(device)
x = test.pixels(slice(0, 10), device=device)
with torch.no_grad():
    rebuilt = compressor.decode(compressor.encode(x))
plots.image_rows({"image": x, "from 64 numbers": rebuilt})
plt.show()

# %% latent-train
latent = MLPDenoiser(codes.shape[1], hidden=256, blocks=2, num_classes=10).to(device)
optimizer = torch.optim.Adam(latent.parameters(), lr=2e-3, fused=True)
steps, start, losses = 800, time.perf_counter(), []
for step in range(steps):
    optimizer.param_groups[0]["lr"] = 2e-3 * min(1, (step + 1) / 100) * (1 - step / steps)
    index = torch.randint(len(codes), (256,), device=device)
    hidden = torch.rand(256, device=device) < 0.1  # in a tenth of the cases "any garment", number 10
    label = code_labels[index].masked_fill(hidden, 10)
    t, noise = torch.randint(T, (256,), device=device), torch.randn(256, codes.shape[1], device=device)
    x_t = q_sample(alpha_bar_cosine, codes[index], t, noise)
    v = velocity(alpha_bar_cosine[t][:, None], codes[index], noise)
    loss = (latent(x_t, t, label) - v).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
seconds = time.perf_counter() - start
print(f"{seconds:.0f} s for {steps} steps; loss {sum(losses[:50]) / 50:.3f} -> {sum(losses[-100:]) / 100:.3f}")


def latent_eps(x_t, t, label):
    return eps_from_v(alpha_bar_cosine[t][:, None], x_t, latent(x_t, t, label))


# %% [markdown] latent-look
# Eight of each class, 20 DDIM steps in the space of codes, then one pass through the decoder. Remember that this
# network is seconds old. Look at the outlines, and then for prints and seams: did the reconstructions above have any?

# %% latent-figure
latent.eval()
label_of = torch.arange(10, device=device).repeat_interleave(8)
with torch.no_grad():
    z_T = torch.randn(80, codes.shape[1], generator=g).to(device)
    z = ddim_path(lambda x_t, t: guided(latent_eps, x_t, t, label_of, 10, 1.5), alpha_bar_cosine, z_T, 20)[-1]
    garments = compressor.decode(z * code_std + code_mean)
    agree = (classifier(garments).argmax(dim=1) == label_of).float().mean().item()
plots.image_grid(garments.unflatten(0, (10, 8)).transpose(0, 1))
plt.show()
print(f"the classifier agrees in {agree:.0%}")

# %% [test] latent-figure-holds
assert agree > 0.6

# %% [markdown] cost-look
# The outlines are right, and nearly all samples are what they should be. What the compressor smooths away is missing
# from every sample.
#
# What did compressing save? One training step each, on the same number of images, with your `diffusion_loss`: how many
# multiplications and additions it takes, and how long. The first number is the same everywhere, the second is that of
# this machine. (On a GPU the two times lie close together: 64 images keep it busy for less time than it takes to start
# its programs.)

# %% cost
from torch.utils.flop_counter import FlopCounterMode


def cost_of_a_step(network, loss_of):
    """Millions of operations an image, and milliseconds a step."""
    with FlopCounterMode(display=False) as counter:
        loss_of().backward()
    times = []
    for _ in range(4):
        start = time.perf_counter()
        loss_of().backward()
        next(network.parameters()).grad.sum().item()  # reading a number waits until a GPU is done
        times.append(1000 * (time.perf_counter() - start))
    return counter.get_total_flops() / 64 / 1e6, sorted(times)[1]


# %% cost-figures
x64, z64 = 2 * train.pixels(slice(0, 64), device=device) - 1, codes[:64]
y64, t64 = code_labels[:64], torch.arange(64, device=device) * 15
cost = {
    "pixels": cost_of_a_step(model, lambda: diffusion_loss(
        lambda x_t, t: model.predict_eps(x_t, t, y64), alpha_bar_cosine, x64, t64, torch.randn_like(x64))),
    "codes": cost_of_a_step(latent, lambda: diffusion_loss(
        lambda x_t, t: latent_eps(x_t, t, y64), alpha_bar_cosine, z64, t64, torch.randn_like(z64))),
}  # fmt: skip
for name, (operations, milliseconds) in cost.items():
    print(f"over {name:6s}: {operations:7.1f} million operations an image, {milliseconds:6.1f} ms for 64 images")
print(f"{cost['pixels'][0] / cost['codes'][0]:.0f} times fewer operations")

# %% [test] cost-figures-holds
assert cost["pixels"][0] > 50 * cost["codes"][0]

# %% [markdown] changed
# ## What changed, and what did not
#
# - The way from data to noise is fixed, and the way back is learned. In a VAE both are learned; in a GAN the first does
#   not exist.
# - The code has the size of the data. What makes it a code is that it is Gaussian and that DDIM decodes it.
# - The loss is a plain regression. There is no game, and no collapse.
# - The verbs did not change: encode (inversion), decode (DDIM), sample, walk.
# - Your loop did not change between points, images and codes.

# %% [markdown] limits
# ## Limits and honest caveats
#
# - **Slow by nature.** A GAN needs one pass for an image, this model as many as it takes steps.
# - **Inversion is approximate**, and so are its codes: they decode well, but in flat parts of an image
#   they are not Gaussian. Guidance makes it
#   worse, since the walk there and the walk back are then different curves.
# - **No compression, so no summary.** No single number of $x_T$ means "longer sleeves". Directions as in lesson 09 are
#   found in the network's inner layers, or in the codes of a compressor, rather than in the noise.
# - **The compressor is the ceiling.** What the autoencoder of section 9 loses, no denoiser brings back.
# - **The Frechet distance depends on its classifier.** Ours was trained on the same clothes. Compare only numbers of
#   the same table.

# %% [markdown] quiz
# ## Quiz
#
# **1.** A colleague writes `x_t = alpha_bar[t] * x0 + (1 - alpha_bar[t]) * eps`. What is the standard deviation of the
# noise in the middle of the schedule, where $\bar\alpha = \frac12$, and what should it be?
#
# <details><summary>Answer</summary>
#
# It is $\frac12$ and should be $\sqrt{1/2} \approx 0.71$. Without the square roots the variance of a standardised pixel
# falls to $\frac14 + \frac14 = \frac12$ in the middle: the network trains on states that the way back never visits.
#
# </details>
#
# **2.** Samples look fine except for a veil of noise that never quite goes away. The loop is
# `for t in range(T - 1, 0, -1)`. What is wrong?
#
# <details><summary>Answer</summary>
#
# Off by one: the last step, from $t = 0$ to the clean image, is never taken. With $t$ counted from 0 the loop must
# include 0, and that step goes to $\bar\alpha = 1$.
#
# </details>
#
# **3.** You train one model to predict $\epsilon$ and another to predict $x_0$, with the same plain squared error each.
# Do they minimise the same thing?
#
# <details><summary>Answer</summary>
#
# No. An error $\delta$ in $\epsilon$ is an error $\delta \sqrt{(1 - \bar\alpha) / \bar\alpha}$ in $x_0$. So the two
# losses weigh the timesteps differently: that of $\epsilon$ cares little about the noisiest states in terms of $x_0$,
# that of $x_0$ cares little about the cleanest in terms of $\epsilon$. The best answer at each single $t$ is the same;
# a network that cannot be best everywhere will spend its capacity differently.
#
# </details>

# %% [markdown] summary
# ## Summary
#
# - **Out:** $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$, $\bar\alpha_t = \prod_{s \le t}
#   \alpha_s$, $t = 0 \dots T-1$; $\bar\alpha = 1$ at $t = -1$.
# - **Loss:** $\lVert \epsilon - \hat\epsilon(x_t, t) \rVert^2$ at a random $t$.
# - **Conversions:** $v = \sqrt{\bar\alpha}\, \epsilon - \sqrt{1 - \bar\alpha}\, x_0$; $x_0 = \sqrt{\bar\alpha}\, x_t -
#   \sqrt{1 - \bar\alpha}\, v$; $\epsilon = \sqrt{\bar\alpha}\, v + \sqrt{1 - \bar\alpha}\, x_t$.
# - **DDIM:** $\hat x_0 = (x_t - \sqrt{1 - \bar\alpha_t}\, \hat\epsilon) / \sqrt{\bar\alpha_t}$, then $x_{t'} =
#   \sqrt{\bar\alpha_{t'}}\, \hat x_0 + \sqrt{1 - \bar\alpha_{t'}}\, \hat\epsilon$. Forwards a decoder, backwards an
#   encoder.
# - **Guidance:** $\hat\epsilon_{\text{any}} + w (\hat\epsilon_{\text{class}} - \hat\epsilon_{\text{any}})$: more
#   typical, less varied.
# - **Latent diffusion:** the same, over the codes of an autoencoder.

# %% [markdown] references
# ## References
#
# - J. Sohl-Dickstein, E. Weiss, N. Maheswaranathan and S. Ganguli (2015). Deep unsupervised learning using
#   nonequilibrium thermodynamics. arXiv:1503.03585
# - J. Ho, A. Jain and P. Abbeel (2020). Denoising diffusion probabilistic models. arXiv:2006.11239
# - J. Song, C. Meng and S. Ermon (2021). Denoising diffusion implicit models. arXiv:2010.02502
# - A. Nichol and P. Dhariwal (2021). Improved denoising diffusion probabilistic models. arXiv:2102.09672
# - T. Salimans and J. Ho (2022). Progressive distillation for fast sampling of diffusion models. arXiv:2202.00512
# - J. Ho and T. Salimans (2022). Classifier-free diffusion guidance. arXiv:2207.12598
# - R. Rombach, A. Blattmann, D. Lorenz, P. Esser and B. Ommer (2022). High-resolution image synthesis with latent
#   diffusion models. arXiv:2112.10752
# - M. Heusel, H. Ramsauer, T. Unterthiner, B. Nessler and S. Hochreiter (2017). GANs trained by a two time-scale update
#   rule converge to a local Nash equilibrium (the Frechet distance). arXiv:1706.08500

# %% [markdown] next
# ## Next
#
# **Lesson 13, LERP against SLERP:** codes that are Gaussian noise live far from the straight line between them. Which
# path between two codes should one take, and does it matter in every model?
