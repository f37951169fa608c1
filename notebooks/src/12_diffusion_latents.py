# %% [markdown] title
# {{header}}
#
# # 12. How does noise become a picture?
#
# At the end of this lesson you can
#
# 1. compute any noisy state of an image in one step;
# 2. write the parts of a [[diffusion model]]: a step back, the sampler, the network's forward pass and its loss;
# 3. say how DDIM decodes noise, show a walk from one noise to another, and say why this code compresses nothing.

# %% [markdown] prerequisites
# **You need:** lesson 02 (codes), lesson 03 (the best guess under a squared error), lesson 04 (Bayes' rule), lesson 05
# (noise times a factor), and a little probability: mean, variance, normal distribution.
#
# **Time:** {{learning}}, each with its exercises. Running all cells takes {{minutes}}.

# %% setup
{{setup}}

# %% imports
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks, claims, plots
from course_utils.checkpoints import load_reference  # course_utils/checkpoints.py
from course_utils.data import fashion_mnist
from course_utils.device import pick_device, seed_everything

plt.rcParams["figure.dpi"] = 100
seed_everything(12)
torch.set_num_threads(1)  # many small steps are computed here: a second thread would mostly wait for the first
g = torch.Generator().manual_seed(12)
device = pick_device()
train, test = fashion_mnist("train"), fashion_mnist("test")

# %% [markdown] predict
# ## Predict first
#
# 1. We add a little noise to an image, a thousand times. To get the result of step 500, must we take the 500 steps
#    before it?
# 2. A network is to say what the clean image was. We show it almost pure noise. Which picture is its best answer?
# 3. The code of an image in this lesson is noise. Does it have fewer numbers than the image, as many, or more?
#
# <details><summary>What we found: read it after sections 1, 4 and 5</summary>
#
# 1. No: all the noise together is one Gaussian of known size, so one jump is enough.
# 2. About the average of all images, a grey blur. Our small network misses it.
# 3. As many: 784 numbers for 784 pixels.
#
# </details>

# %% [markdown] forward-idea
# ## 1. The way out: from image to noise
#
# We spoil an image in $T = 1000$ small steps. Each step makes the image a little weaker and adds a little noise. This
# is the **[[forward process]]**:
#
# $$x_t = \sqrt{\alpha_t}\; x_{t-1} + \sqrt{\beta_t}\; \epsilon_t, \qquad \beta_t = 1 - \alpha_t, \quad
# \epsilon_t \sim \mathcal N(0, I).$$
#
# The [[timestep]] $t$ counts from 0, as Python does: $t = 0, 1, \dots, 999$. The clean image is always called
# `x0`, in formulas $x_0$, although it is the state *before* step 0 and its time is $-1$. The last state, $x_{999}$, is
# called `x_T`. The $\beta_t$ are chosen by hand; they are the [[noise schedule]].
#
# Why square roots? A factor enters the variance as a square. And a sum of independent Gaussian numbers is Gaussian; its
# variance is the sum of their variances. So a pixel of variance 1 has variance $\alpha_t + \beta_t = 1$ after the step.
#
# Put the formula of one step into that of the next:
#
# $$x_t = \sqrt{\alpha_t \alpha_{t-1}}\; x_{t-2} + \sqrt{\alpha_t \beta_{t-1}}\; \epsilon_{t-1} + \sqrt{\beta_t}\;
# \epsilon_t .$$
#
# The two noises together are one Gaussian, of variance $\alpha_t \beta_{t-1} + \beta_t = 1 - \alpha_t \alpha_{t-1}$.
# So two steps are like one with $\alpha_t \alpha_{t-1}$ in place of $\alpha_t$, and so on, back to `x0`. With
# [[$\bar\alpha_t = \alpha_0 \alpha_1 \cdots \alpha_t$|alpha-bar]],
#
# $$x_t = \sqrt{\bar\alpha_t}\; x_0 + \sqrt{1 - \bar\alpha_t}\; \epsilon .$$
#
# This is the jump. If the pixels have variance 1, $\bar\alpha_t$ is the share of the variance that
# still comes from the image. (Ours have less, so their share is lower.)

# %% jump
T = 1000
betas = torch.linspace(0.0001, 0.02, T, dtype=torch.float64)
alpha_bar = (1 - betas).cumprod(0).float().to(device)  # (T,)


def q_sample(alpha_bar, x0, t, eps):
    """The noisy states of images x0 (B, C, H, W) at timesteps t (B,), in one jump."""
    share = alpha_bar[t][:, None, None, None]  # (B, 1, 1, 1), so that each image has its own
    return share.sqrt() * x0 + (1 - share).sqrt() * eps


# %% [markdown] forward-look
# The pixels go from [0, 1] to [-1, 1] first, so that black and white are equally far from 0. At which
# $t$ do you no longer see which garment it is?

# %% forward-figure
x0 = 2 * test.pixels(slice(0, 1), device=device) - 1  # (1, 1, 28, 28) in [-1, 1]
moments = torch.tensor([0, 50, 100, 200, 300, 450, 650, 999], device=device)


def to_pixels(x):
    return ((x + 1) / 2).clamp(0, 1)  # from [-1, 1], perhaps beyond, to [0, 1] for the eye


x_t = q_sample(alpha_bar, x0.expand(8, 1, 28, 28), moments, torch.randn(8, 1, 28, 28, generator=g).to(device))
titles = [f"t = {t}\n{alpha_bar[t]:.5f}" for t in moments.tolist()]
plots.image_rows({"x_t": to_pixels(x_t)}, column_titles=titles)
plt.show()

# %% [markdown] back-idea
# Below $t$ stands $\bar\alpha_t$. By our eye the garment is lost between $t = 300$ and $t = 450$.
#
# ## 2. One step back, if we knew the image
#
# We are at $x_t$, and somebody tells us `x0`. Where were we at an earlier time $t'$, mostly $t - 1$?
#
# We know two things about $x_{t'}$. By the jump it is $\mathcal N(\sqrt{\bar\alpha_{t'}}\, x_0,\; 1 -
# \bar\alpha_{t'})$. And $x_t$ was made from it: $x_t = \sqrt{a}\, x_{t'} + \sqrt{1 - a}\, \epsilon$, where $a =
# \bar\alpha_t / \bar\alpha_{t'}$ is the product $\alpha_{t'+1} \cdots \alpha_t$. As a function of $x_{t'}$ this second
# density has the centre $x_t / \sqrt a$ and the variance $(1 - a) / a$.
#
# By Bayes' rule the two densities are multiplied: their logarithms, two parabolas, are added. The sum is a parabola
# again, so the result is Gaussian. **Its inverse variance is the sum of both inverse variances; its mean is the average
# of both centres, weighted by these.** Written out (step by step in "Further: the step back, derived and simulated"):
#
# $$v = \frac{(1 - a)(1 - \bar\alpha_{t'})}{1 - \bar\alpha_t}, \qquad m = \frac{\sqrt{\bar\alpha_{t'}}\, (1 - a)\; x_0 +
# \sqrt a\, (1 - \bar\alpha_{t'})\; x_t}{1 - \bar\alpha_t}.$$

# %% [markdown] posterior-task
# ### Exercise 1: one step back
#
# *Easy, about 4 minutes.* Write mean and variance. `t_prev` is $t'$; at `t_prev = -1`, the clean image, $\bar\alpha =
# 1$. Mind what Python makes of `alpha_bar[-1]`.


# %% posterior-exercise
def ddpm_posterior(alpha_bar, x_t, x0, t, t_prev):
    """Mean and variance of the state at t_prev, given that at t and the clean data.

    x_t and x0 are (B, ...), and t > t_prev whole numbers; t_prev = -1 is the clean data. The variance is one number.
    """
    ### BEGIN SOLUTION
    here = alpha_bar[t]
    there = alpha_bar[t_prev] if t_prev >= 0 else torch.ones_like(here)
    a = here / there
    mean = (there.sqrt() * (1 - a) * x0 + a.sqrt() * (1 - there) * x_t) / (1 - here)
    return mean, (1 - a) * (1 - there) / (1 - here)
    ### END SOLUTION


# %% posterior-check
ddpm_posterior = checks.accept("ddpm-posterior", ddpm_posterior)

# %% [markdown] posterior-hints
# <details><summary>Hint 1</summary>
#
# Give the three numbers names first: $\bar\alpha_t$, $\bar\alpha_{t'}$, and their ratio $a$.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `here = alpha_bar[t]`, `there = alpha_bar[t_prev] if t_prev >= 0 else torch.ones_like(here)`, `a = here / there`.
#
# </details>

# %% [markdown] guess-idea
# ## 3. The whole way back, where the best guess is known
#
# Nobody tells a model `x0`. The method [[DDPM]] (Ho et al. 2020) puts a guess in its place: the average of all clean
# data, each weighted by how probable it is given $x_t$. It is written $\mathbb E[x_0 \mid x_t]$.
#
# The mean $m$ is linear in `x0`. So the average `x0` gives the right average $x_{t'}$. But `x0` is not known exactly,
# so the true spread of $x_{t'}$ is larger than $v$ says. DDPM uses $v$ all the same.
#
# These toy data are single numbers from two Gaussian humps: 30% from $\mathcal N(-1.5,\; 0.19^2)$ and 70% from
# $\mathcal N(0.643,\; 0.19^2)$. By the jump, a hump with centre $c$ and standard deviation $s$ has at time $t$ the
# centre $\sqrt{\bar\alpha_t}\, c$ and the variance $\bar\alpha_t s^2 + 1 - \bar\alpha_t$. So Bayes' rule tells how
# probably $x_t$ belongs to each hump: `belongs`. Inside one hump we know two things about `x0`: it is $\mathcal N(c,
# s^2)$, and $x_t / \sqrt{\bar\alpha_t}$ is `x0` plus noise. The rule of section 2 gives its mean: `within`. The guess
# is the weighted average of both means.

# %% toy-guess
shares, centres, s = torch.tensor([0.3, 0.7]), torch.tensor([-1.5, 0.643]), 0.19


def toy_guess(x_t, t):
    """E[x0 | x_t] of states x_t (N,) at a timestep t, a whole number."""
    left = alpha_bar[t].cpu()
    away = x_t - left.sqrt() * centres[:, None]  # (2, N), the distance to each hump
    variance = left * s**2 + 1 - left
    belongs = (shares.log()[:, None] - away**2 / (2 * variance)).softmax(dim=0)  # (2, N), Bayes' rule
    within = centres[:, None] + left.sqrt() * s**2 / variance * away  # (2, N), the average of x0 in each hump
    return (belongs * within).sum(dim=0)


# %% [markdown] sampler-task
# ### Exercise 2: the sampler
#
# *Medium, about 6 minutes.* Write the loop. At each timestep: ask for the guess, get mean and variance from your
# `ddpm_posterior`, draw the next state. Keep all states and guesses.


# %% sampler-exercise
def ddpm_sample(guess_x0, alpha_bar, x_T, times):
    """From noise to data.

    guess_x0(x_t, t) guesses x0. x_T is the state at times[0]; times falls, as [999, 998, ..., 0]; after it comes -1.
    Returns two lists: the states, x_T first and the samples last; and the guesses, one fewer.
    """
    ### BEGIN SOLUTION
    states, guesses = [x_T], []
    for t, t_prev in zip(times, [*times[1:], -1], strict=True):
        guesses.append(guess_x0(states[-1], t))
        mean, variance = ddpm_posterior(alpha_bar, states[-1], guesses[-1], t, t_prev)
        states.append(mean + variance**0.5 * torch.randn_like(mean))
    return states, guesses
    ### END SOLUTION


# %% sampler-check
ddpm_sample = checks.accept("ddpm-sampler", ddpm_sample)

# %% [markdown] sampler-hints
# <details><summary>Hint 1</summary>
#
# `zip(times, [*times[1:], -1])` gives the pairs (t, t_prev): (999, 998), ..., (0, -1).
#
# </details>
# <details><summary>Hint 2</summary>
#
# A draw is `mean + variance**0.5 * torch.randn_like(mean)`. In the last step the variance is 0, so nothing is added: no
# special case is needed.
#
# </details>

# %% [markdown] sampler-look
# Your sampler turns 10,000 numbers of noise into data, with all timesteps and with every fifth. Left: the best guess at
# three times. Right: the samples of all timesteps, and the true density as a line. Do they agree?

# %% sampler-figure
every, fewer = list(range(T - 1, -1, -1)), list(range(T - 1, -1, -5))  # [999, 998, ..., 0] and [999, 994, ..., 4]
for times in (fewer, every):
    samples = ddpm_sample(toy_guess, alpha_bar.cpu(), torch.randn(10_000, generator=g), times)[0][-1]
    hump = samples[samples < -0.5]
    print(f"{len(times)} steps, left hump: {len(hump) / 10_000:.1%}, standard deviation {hump.std():.3f}")
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
x = torch.linspace(-3, 3, 301)
left.plot(x, torch.stack([toy_guess(x, t) for t in (50, 300, 900)], dim=1), label=["t = 50", "t = 300", "t = 900"])
left.set(xlabel="x_t", ylabel="best guess of x0")
left.legend()
right.hist(samples, bins=80, density=True, color="lightgrey")
right.plot(x, torch.distributions.Normal(centres, s).log_prob(x[:, None]).exp() @ shares, color="black")
right.set(xlabel="x0", ylabel="density")
plt.show()

# %% [test] sampler-figure-holds
assert 0.285 < len(hump) / 10_000 < 0.315
assert 0.18 < hump.std() < 0.194

# %% [markdown] sampler-seen
# The shares agree. The humps are a little too narrow. In three runs of 40,000 samples (the cell has fewer) the left one
# had a standard deviation of {{claim narrow.width_1000 humps=two}} with all timesteps and
# {{claim narrow.width_200 humps=two}} with every fifth, where 0.19 is true. So the too small $v$ does little harm if
# the steps are small.
#
# At $t = 900$ the guess is nearly flat at 0, the average of all data. At $t = 50$ it jumps from one hump to the other,
# near $x_t = -0.4$.

# %% [markdown] network-idea
# ## 4. A network learns the guess
#
# For images nobody has the formula of $\mathbb E[x_0 \mid x_t]$. But a network trained to restore `x0` from
# $x_t$, by squared error, learns it: the average is the answer with the lowest squared error (lesson 03).
#
# Mostly one asks for the noise instead, which is called [[noise prediction]]. From the noise follows the image, by the
# jump:
#
# $$\hat x_0 = \frac{x_t - \sqrt{1 - \bar\alpha_t}\; \hat\epsilon}{\sqrt{\bar\alpha_t}}.$$
#
# For a fixed $x_t$ this is linear in the noise, so the average noise gives the average image.
#
# **The loss**: draw a random timestep and noise for each image, and jump to $x_t$. Take the mean of
# $\big(\hat\epsilon(x_t, t) - \epsilon\big)^2$, where $\hat\epsilon$ is the network's answer.
#
# **The network**: noise sits in single pixels, garments are large. A **[[UNet]]** looks at both. Ours gets images of
# half size, $14 \times 14$. It goes down to $7 \times 7$ places, and up again. A *skip connection* hands the fine
# features across. The time comes in as sines and cosines of $t$, fast ones and slow ones.
#
# A convolution, `nn.Conv2d`, computes each place from the 3 x 3 places around it, with the same weights everywhere;
# with `stride=2`, every second place only. `Upsample` doubles height and width. `GroupNorm` brings 8 groups of channels
# to mean 0 and variance 1. `SiLU` is a smooth ReLU.


# %% unet
def time_features(t):
    angle = t[:, None] * 1000 ** (-torch.arange(16, device=t.device) / 16)  # (B, 16), frequencies from 1 to 1/650
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def block(inputs, outputs, stride=1):
    conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
    return nn.Sequential(conv, nn.GroupNorm(8, outputs), nn.SiLU())


class SmallUNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter = block(1, 16)  # (B, 1, 14, 14) -> (B, 16, 14, 14)
        self.down = block(16, 48, stride=2)  # -> (B, 48, 7, 7)
        self.time = nn.Sequential(nn.Linear(32, 48), nn.SiLU(), nn.Linear(48, 48))  # (B, 32) -> (B, 48)
        self.middle = nn.Sequential(block(48, 48), block(48, 48))
        self.up = nn.Sequential(block(48, 16), nn.Upsample(scale_factor=2))  # -> (B, 16, 14, 14)
        self.leave = nn.Sequential(block(32, 16), nn.Conv2d(16, 1, 3, padding=1))  # (B, 32, 14, 14) -> (B, 1, 14, 14)

    def forward(self, x_t, t):
        return unet_forward(self, x_t, t)


# %% [markdown] unet-task
# ### Exercise 3: the network's forward pass, and its loss
#
# *Medium, about 6 minutes.* The order: `enter`, whose output you keep; `down`; now *add* the 48 numbers of
# `unet.time(time_features(t))`, the same at each of the 7 x 7 places; `middle`; `up`; `leave`. It wants 32 channels:
# the 16 that `up` returned and, behind them, the 16 of `enter` that you kept.


# %% unet-exercise
def unet_forward(unet, x_t, t):
    """The noise that the network finds in images x_t (B, 1, H, W) at timesteps t (B,): eps_hat, (B, 1, H, W)."""
    ### BEGIN SOLUTION
    fine = unet.enter(x_t)
    coarse = unet.down(fine) + unet.time(time_features(t))[:, :, None, None]
    return unet.leave(torch.cat([unet.up(unet.middle(coarse)), fine], dim=1))
    ### END SOLUTION


# %% unet-check
unet_forward = checks.accept("unet-forward", unet_forward)

# %% [markdown] loss-task
# Now the loss. `t` and `eps` are given, so that a check can repeat the draw.


# %% loss-exercise
def diffusion_loss(network, alpha_bar, x0, t, eps):
    """Mean squared error of the predicted noise.

    network(x_t, t) returns eps_hat. x0 and eps are (B, C, H, W), t (B,). Returns a tensor with one number: the mean
    over the batch and all pixels.
    """
    ### BEGIN SOLUTION
    x_t = q_sample(alpha_bar, x0, t, eps)
    return (network(x_t, t) - eps).square().mean()
    ### END SOLUTION


# %% loss-check
diffusion_loss = checks.accept("diffusion-loss", diffusion_loss)

# %% [markdown] unet-hints
# <details><summary>Hint 1</summary>
#
# The numbers of the time are (B, 48), the features (B, 48, 7, 7). `[:, :, None, None]` makes them (B, 48, 1, 1). And
# `torch.cat([a, b], dim=1)` puts channels behind each other.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The loss: the network sees `q_sample(alpha_bar, x0, t, eps)` and `t`, never `x0`. Its answer is compared with the very
# `eps` that is in $x_t$.
#
# </details>

# %% [markdown] train-look
# We train on trousers and sneakers. What is a low loss? A network that answers 0 has a loss of 1, the variance of the
# noise. One that answers $x_t$ itself has much less: at more than half of the timesteps the noise's share, $1 -
# \bar\alpha_t$, is above 0.9.

# %% train
small = F.avg_pool2d(train.pixels()[(train.labels == 1) | (train.labels == 7)], 2)  # (2200, 1, 14, 14)
data = (2 * small - 1).to(device)
t = torch.randint(T, (len(data),), device=device)
copying = diffusion_loss(lambda x_t, t: x_t, alpha_bar, data, t, torch.randn_like(data))
unet, steps, losses = SmallUNet().to(device), 500, []
optimizer = torch.optim.Adam(unet.parameters(), lr=4e-3, fused=True)  # fused: the same steps, computed faster
for step in range(steps):
    optimizer.param_groups[0]["lr"] = 4e-3 * (1 - step / steps)  # smaller and smaller steps
    batch = data[torch.randint(len(data), (32,), device=device)]
    t = torch.randint(T, (32,), device=device)
    loss = diffusion_loss(unet, alpha_bar, batch, t, torch.randn_like(batch))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(f"loss of answering x_t {copying:.3f}; of the network, last 100 steps {sum(losses[-100:]) / 100:.3f}")

# %% [test] train-holds
assert sum(losses[-100:]) / 100 < 0.1 < 0.3 < copying < 0.33
assert (1 - alpha_bar > 0.9).float().mean() > 0.5

# %% [markdown] train-seen
# The loss cannot reach 0: several images, each with its own noise, can have led to the same $x_t$.
#
# Now your sampler walks back, with every tenth timestep. The guess is cut off at -1 and 1, since no pixel lies outside.
# Beside it stands a **reference**: a larger network, trained for much longer on all ten classes.


# %% walk
def guess_with(network, alpha_bar):
    @torch.no_grad()
    def guess_x0(x_t, t):
        eps_hat = network(x_t, torch.full((len(x_t),), t, device=x_t.device))
        return ((x_t - (1 - alpha_bar[t]).sqrt() * eps_hat) / alpha_bar[t].sqrt()).clamp(-1, 1)

    return guess_x0


reference = load_reference("diffusion_fashion", device)  # course_utils/models/diffusion/diffusion.py
ref_alpha_bar = reference.schedule.alpha_bar  # another schedule: see "Further: other schedules"
ref_guess = guess_with(reference.predict_eps, ref_alpha_bar)
x_T, ref_x_T = torch.randn(6, 1, 14, 14, device=device), torch.randn(6, 1, 28, 28, device=device)
tenth = list(range(T - 1, -1, -10))  # [999, 989, ..., 9]
states, guesses = ddpm_sample(guess_with(unet, alpha_bar), alpha_bar, x_T, tenth)
ref_states, ref_guesses = ddpm_sample(ref_guess, ref_alpha_bar, ref_x_T, tenth)


# %% [markdown] walk-look
# The first figure shows samples. The second shows two walks: your last sample's, and below it the
# reference's. What is the guess at $t = 999$? When does the outline stand?


# %% walk-figure
def as_28(x):  # images for the eye, all of one size
    return to_pixels(x).repeat_interleave(28 // x.shape[-1], dim=2).repeat_interleave(28 // x.shape[-1], dim=3)


plots.image_rows({"data": as_28(data[:6]), "yours": as_28(states[-1]), "reference": as_28(ref_states[-1])})
shown = [0, 20, 40, 55, 70, 82, 92, 99]  # of the 100 states
walks = {"x_t": states, "guess": guesses, "reference, x_t": ref_states, "its guess": ref_guesses}
rows = {name: as_28(torch.cat([walk[k][-1:] for k in shown])) for name, walk in walks.items()}
plots.image_rows(rows, column_titles=[f"t = {tenth[k]}" for k in shown])
plt.show()

# %% [markdown] walk-seen
# By our eye columns 2, 3 and 5 of your samples are sneakers, and column 4 is trousers; columns 1 and 6 are scraps. All
# of the reference's look like one of the ten classes.
#
# At $t = 999$ the reference's guess is a grey blur. At $t = 990$ its mean squared difference (of a pixel) from the
# average of all images is {{claim guess.average_990}}; that of a real image is {{claim guess.to_average}}.
# Your small network shows a pattern instead: a small mistake in the noise, divided by $\sqrt{\bar\alpha_t} = 0.0064$
# and cut off.
#
# The two walks have different schedules, so compare them at equal noise, not at equal $t$. At $t = 449$ of yours,
# $\bar\alpha_t = 0.13$, the guess is a bright spot. At 799 of the reference's, where it is 0.09, the outline stands.

# %% [test] walk-seen-holds
assert abs(alpha_bar[999].sqrt() - 0.0064) < 0.00006
assert abs(alpha_bar[449] - 0.13) < 0.005
assert abs(ref_alpha_bar[799] - 0.09) < 0.005
assert (tenth[55], tenth[20]) == (449, 799)

# %% [markdown] ddim-idea
# ## 5. The noise as a code
#
# DDPM adds fresh noise in each step. So the same $x_T$ leads to another image each time: it is no code.
#
# **[[DDIM]]** (Song, Meng and Ermon 2021) puts a formula in place of the draw. From a guess $\hat x_0$ follows a noise,
# $\hat\epsilon = (x_t - \sqrt{\bar\alpha_t}\, \hat x_0) / \sqrt{1 - \bar\alpha_t}$. DDIM jumps to $t'$ with this guess
# and *this* noise. If both were true, this would be the jump of section 1 to $t'$:
#
# $$x_{t'} = \sqrt{\bar\alpha_{t'}}\; \hat x_0 + \sqrt{1 - \bar\alpha_{t'}}\; \hat\epsilon .$$


# %% ddim
@torch.no_grad()
def ddim_sample(guess_x0, alpha_bar, x_T, times):
    x = x_T
    for t, t_prev in zip(times, [*times[1:], -1], strict=True):
        here = alpha_bar[t]
        there = alpha_bar[t_prev] if t_prev >= 0 else torch.ones_like(here)
        x0_hat = guess_x0(x, t)
        eps_hat = (x - here.sqrt() * x0_hat) / (1 - here).sqrt()
        x = there.sqrt() * x0_hat + (1 - there).sqrt() * eps_hat
    return x


# %% [markdown] reference-look
# All rows begin with the same noise; the number is that of the steps. In which rows does a column keep its garment?


# %% reference-figure
def equal_steps(steps):
    return [round(T - k * T / steps) - 1 for k in range(steps)]  # [999, 949, ..., 49] for 20


noise = torch.randn(7, 1, 28, 28, generator=g).to(device)
ends = {f"DDIM {k}": ddim_sample(ref_guess, ref_alpha_bar, noise, equal_steps(k)) for k in (2, 5, 20, 50)}
again = ddim_sample(ref_guess, ref_alpha_bar, noise, equal_steps(5))
for name in ("DDPM 50", "DDPM again"):
    ends[name] = ddpm_sample(ref_guess, ref_alpha_bar, noise, equal_steps(50))[0][-1]
plots.image_rows({name: to_pixels(end) for name, end in ends.items()})
plt.show()
print(f"DDIM twice with 5 steps: the pixels differ by at most {(again - ends['DDIM 5']).abs().max():.4f}")

# %% [test] reference-figure-holds
assert (again - ends["DDIM 5"]).abs().max() < 1e-4

# %% [markdown] reference-seen
# By our eye columns 1 to 4 and 6 keep their garment from DDIM 5 to DDIM 50. Columns 5 and 7 are scraps there, and so
# is 5 of DDPM 50: the reference does not make a garment of every noise.
#
# **DDIM is a decoder**: with the same network and steps, the same noise gave the same image, since nothing is drawn.
# With 20 and with 50 steps it is nearly the same. Over three times 30 noises the mean squared difference (of a pixel in
# [0, 1]) between these two was {{claim decoder.change_20}}, between the images of two noises
# {{claim decoder.change_other}}. Between two runs of DDPM it was {{claim decoder.change_ddpm}} from one noise, and
# {{claim decoder.other_ddpm}} from two.
#
# So the noise is the code of the image that DDIM makes from it. It has 784 numbers for 784 pixels: **nothing is
# compressed**. (The code of a given image is found, nearly, in "Further: DDIM backwards is an encoder".)
#
# For a walk take two noises $z_a$ and $z_b$, and an angle $\varphi$ from 0 to a quarter turn: $z = \cos\varphi\; z_a +
# \sin\varphi\; z_b$. By section 1, each number of $z$ has the variance $\cos^2\varphi + \sin^2\varphi = 1$. So
# each $z$ is again noise from $\mathcal N(0, I)$.

# %% code-walk
phi = torch.linspace(0, math.pi / 2, 15, device=device)[:, None, None, None]
z = phi.cos() * noise[:1] + phi.sin() * noise[1:2]  # (15, 1, 28, 28)
decoded = to_pixels(ddim_sample(ref_guess, ref_alpha_bar, z, equal_steps(20)))
plots.image_rows({"z": to_pixels(z[::2] / 2), "decoded": decoded[::2]}, column_titles=range(0, 15, 2))
plt.show()

# %% [markdown] code-walk-seen
# In this walk, between two garments, each image shown is a garment.
#
# ### Exercise 4: walk by hand
#
# *Easy, about 3 minutes.* Make a slider for this walk. As in lesson 04, `interactive(show, frame=slider)` calls
# `show(frame)` whenever the slider moves. Let `show` draw `picture(frame)` with `plots.image_rows`, and end with
# `plt.show()`.

# %% walk-slider
from ipywidgets import IntSlider, interactive


def walk_slider(picture, last):
    """A slider for the frames of a walk, and the picture of the frame that it stands at.

    picture(frame) returns {name: images (B, 1, H, W)}. Returns what interactive returns: an IntSlider from 0 to last
    that starts at 0, and the picture.
    """
    ### BEGIN SOLUTION

    def show(frame):
        plots.image_rows(picture(frame))
        plt.show()

    return interactive(show, frame=IntSlider(value=0, min=0, max=last))
    ### END SOLUTION


# %% walk-check
walk_slider = checks.accept("walk-slider", walk_slider)
walk_slider(lambda frame: {"z": to_pixels(z[[frame]] / 2), "decoded": decoded[[frame]]}, 14)

# %% [markdown] walk-hints
# <details><summary>Hint</summary>
#
# Inside, write `def show(frame):` with two lines: `plots.image_rows(picture(frame))`, then `plt.show()`. The last line
# is `return interactive(show, frame=IntSlider(value=0, min=0, max=last))`.
#
# </details>

# %% [markdown] changed
# ## What changed, and what did not
#
# | | VAE | diffusion model |
# |---|---|---|
# | from image to code | learned | **not learned**: DDIM backwards |
# | from code to image | learned, one pass | learned, **many passes** |
# | numbers in a code | fewer than pixels | **as many as pixels** |
# | codes are drawn from | $\mathcal N(0, I)$ | the same |
#
# ## Limits
#
# The small network was trained for seconds, on two classes.

# %% [markdown] quiz
# ## Quiz
#
# **1.** You send a friend the noise $x_T$ of an image. What else must your friend have to get the same image by DDIM?
#
# <details><summary>Answer</summary>
#
# The same network, the same schedule $\bar\alpha$ and the same list of timesteps.
#
# </details>
#
# **2.** Why many small steps, if the first one gives a guess $\hat x_0$ already?
#
# <details><summary>Answer</summary>
#
# The first guess is an average of many images. The next one, from a state with less noise, is an average of
# the fewer images that still fit.
#
# </details>

# %% [markdown] summary
# ## Summary
#
# * **Out:** $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$, for $t = 0, \dots, T - 1$; the
#   clean image has the time $-1$, and $\bar\alpha = 1$.
# * **Loss:** the mean of $(\epsilon - \hat\epsilon(x_t, t))^2$ at random $t$. Its best answer is the average noise;
#   from this follows $\mathbb E[x_0 \mid x_t]$. A trained network's $\hat x_0$ is an estimate of it.
# * **Back, DDPM:** draw $x_{t'}$ from $\mathcal N(m, v)$, section 2, with $\hat x_0$ in place of `x0`.
# * **Back, DDIM:** $x_{t'} = \sqrt{\bar\alpha_{t'}}\, \hat x_0 + \sqrt{1 - \bar\alpha_{t'}}\, \hat\epsilon$, where
#   $\hat\epsilon$ follows from $\hat x_0$. Nothing is drawn: $x_T$ is the code of the image that comes out, and
#   as large.
#
# Here the core of the lesson ends. Each section below stands by itself and can be skipped.

# %% [markdown] ddim-look
# ## Further: DDIM against DDPM, and how many steps
#
# On the toy of section 3 we can look at DDIM's decoder as a whole. We give both samplers the same 800 numbers of noise,
# and the toy's exact guess. The picture shows for each where it began, $x_T$, and where it ended. Which of the two has
# one sample for each $x_T$? The dashed line pairs both in order: the noise with 10% of the noise below it and the data
# value with 10% of the data below it, and so on.

# %% ddim-figure
x_T = torch.randn(800, generator=g)
ends = {"DDIM": ddim_sample(toy_guess, alpha_bar.cpu(), x_T, every),
        "DDPM": ddpm_sample(toy_guess, alpha_bar.cpu(), x_T, every)[0][-1]}  # fmt: skip
line = torch.linspace(-4, 4, 4001)  # the toy's distribution function, and the inverse of it
below = (shares * torch.special.ndtr((line[:, None] - centres) / s)).sum(dim=1)
in_order = line[torch.searchsorted(below, torch.special.ndtr(x_T.sort().values))]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
for ax, (name, x) in zip(axes, ends.items(), strict=True):
    ax.scatter(x_T, x, s=4)
    ax.plot(x_T.sort().values, in_order, "--", color="black", lw=1)
    ax.set(title=name, xlabel="noise x_T", ylabel="sample")
plt.show()

# %% [markdown] ddim-seen
# DDIM has one sample for each $x_T$, and keeps the order: the share of the noise below $x_T$ is the share of the data
# below the sample. DDPM gives a cloud. Between the humps, at the 30% point of the noise, DDIM's curve is steep. (In
# more dimensions there is no such order.)
#
# How many steps does each need? The next picture has the distance of 5,000 samples from the true distribution, the area
# between the two distribution functions, for this toy and for one of three humps. The dotted line is the floor: the
# distance of 5,000 draws from the data themselves. Each point is the median of three runs.
#
# DDPM stands there twice: with the variance $v$ of section 2, which is right if `x0` is known, and with the variance
# $1 - a$, that of the noise on the way out. This one is right if the data are from $\mathcal N(0, 1)$ themselves (Ho et
# al. 2020).

# %% steps-evidence
runs = claims.evidence("12", "toy-steps")  # computed by claims/12.py
figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", sharey=True)
for ax, humps in zip(axes, ("two", "three"), strict=True):
    lines = {}
    for name, key in {"DDPM, v": "ddpm_small", "DDIM": "ddim", "DDPM, 1 - a": "ddpm_large"}.items():
        counts = [2, 5, 10, 20, 50, 100]
        lines[name] = counts, [runs.over(f"{key}_{k}", humps=humps).median for k in counts]
    plots.curves(lines, "steps", "distance from the truth", log_x=True, log_y=True, ax=ax)
    ax.axhline(runs.over("floor", humps=humps).median, color="grey", linestyle=":")
    ax.set_title(f"{humps} humps")
plt.show()

# %% [markdown] steps-means
# * With 2 steps all three are far off.
# * With 5, 10 and 20 steps **DDPM with the variance $v$ is farther from the truth than DDIM, and DDPM with the
#   variance $1 - a$ is nearer**, in all six runs. So how many steps DDPM needs depends on its variance. With long
#   steps `x0` is far from known, and $v$ is too small.
# * With 100 steps the medians of all three are below 0.03.
#
# This is the toy, with an exact guess. For images by the reference the order is another. The next table has Frechet
# distances (lesson 10) between 80 samples and the test images. So few samples make all of them large: for 80 training
# images see the first line. Each sampler is tried with the guess cut off at -1 and 1 (`clip True`), and without.

# %% reference-evidence
claims.evidence("12", "reference-steps")

# %% [markdown] reference-means
# * With 5 and 10 steps **DDPM with the variance $1 - a$ is the farthest of the three here**, with all three seeds, cut
#   off or not. On the toy it was the nearest.
# * With 10 steps DDIM is the nearest, with all three seeds, cut off or not. (Compare seed by seed: the ranges overlap.)
#   With 20 steps the order changes from seed to seed.
# * Cut off, the distance is larger: by about 1 or less for DDIM and for DDPM with the variance $v$, by up to 10 for
#   DDPM with the variance $1 - a$. (Section 4 cuts off because of the small network, whose first guesses lie far
#   outside.)
#
# So a toy with an exact guess does not tell which sampler a trained network needs.

# %% [markdown] inversion-idea
# ## Further: DDIM backwards is an encoder
#
# A DDIM step can be taken the other way, from $t$ up to a noisier $s$, by the same formula. From the image to $x_T$
# this is **[[DDIM inversion]]**. But with which $\hat\epsilon$? The sampler takes this step downwards, from $s$ to $t$.
# It asks the network about the state $x_s$ at the time $s$. We go up, so we do not have $x_s$ yet. We take what we
# have: the state $x_t$, but the *time* $s$, where our step ends.
#
# Does this choice of the time matter? The cell tries both times, that of the end and that of the beginning: points to
# codes and back, with 10, 50 and 250 steps.


# %% inversion
@torch.no_grad()
def ddim_invert(guess_x0, alpha_bar, x0, times, at_end=True):
    """From data to the noise that ddim_sample with the same times turns into them, nearly."""
    x, rising = x0, times[::-1]
    for t, t_next in zip([-1, *rising[:-1]], rising, strict=True):
        asked = t_next if at_end else max(t, 0)  # which time the network is told
        share = alpha_bar[asked]
        eps_hat = (x - share.sqrt() * guess_x0(x, asked)) / (1 - share).sqrt()
        here = alpha_bar[t] if t >= 0 else torch.ones_like(share)
        x0_hat = (x - (1 - here).sqrt() * eps_hat) / here.sqrt()
        x = alpha_bar[t_next].sqrt() * x0_hat + (1 - alpha_bar[t_next]).sqrt() * eps_hat
    return x


hump = (torch.rand(1000, generator=g) < 0.7).long()
points = centres[hump] + s * torch.randn(1000, generator=g)  # 1,000 toy data
for steps in (10, 50, 250):
    error = {}
    for at_end in (True, False):
        code = ddim_invert(toy_guess, alpha_bar.cpu(), points, equal_steps(steps), at_end)
        back = ddim_sample(toy_guess, alpha_bar.cpu(), code, equal_steps(steps))
        error[at_end] = (back - points).abs().mean().item()
    print(f"{steps:3d} steps: error with the time of the end {error[True]:.4f}, of the beginning {error[False]:.4f}")

# %% [test] inversion-holds
assert error[True] < error[False] < 0.02

# %% [markdown] inversion-seen
# On the toy the time of the end gives the smaller error. The cell is one run. With 10 steps, over three other sets of
# data each, the mean error was
#
# | | time of the end | of the beginning |
# |---|---|---|
# | two humps | {{claim toy-steps.back_end_10 humps=two}} | {{claim toy-steps.back_start_10 humps=two}} |
# | three humps | {{claim toy-steps.back_end_10 humps=three}} | {{claim toy-steps.back_start_10 humps=three}} |
#
# With more steps both errors shrink. In the cell, at 250 steps, that of the beginning is still the larger one.
#
# Now five test images and the reference, which can be told their classes, and is. What do their codes look like,
# compared with noise from $\mathcal N(0, I)$, of norm $\sqrt{784} = 28$?

# %% real-inversion
x_real, y_real = 2 * test.pixels(slice(10, 15), device=device) - 1, test.labels[10:15].to(device)
rows = {"image": to_pixels(x_real)}


def exact_guess(x_t, t):
    """The reference's guess of x0, not cut off: where it is cut off, the way back is another."""
    eps_hat = reference.predict_eps(x_t, torch.full((len(x_t),), t, device=x_t.device), y_real)
    return (x_t - (1 - ref_alpha_bar[t]).sqrt() * eps_hat) / ref_alpha_bar[t].sqrt()


for steps in (5, 40):
    z_real = ddim_invert(exact_guess, ref_alpha_bar, x_real, equal_steps(steps))
    back = ddim_sample(exact_guess, ref_alpha_bar, z_real, equal_steps(steps))
    rows[f"back, {steps} steps"] = to_pixels(back)
    norm = z_real.flatten(1).norm(dim=1).mean()
    print(f"{steps} steps: squared error {(back - x_real).square().mean():.4f}, mean norm of the codes {norm:.1f}")
rows |= {"code of 40": to_pixels(z_real / 2), "noise": to_pixels(torch.randn(x_real.shape, generator=g) / 2)}
plots.image_rows(rows)
plt.show()

# %% [test] real-inversion-holds
assert norm < 25

# %% [markdown] real-inversion-seen
# With 40 steps the images come back closer than with 5. Over three times 30 other test images the squared error was
# {{claim images-back.back_5}} with 5 steps and {{claim images-back.back_40}} with 40. The mean norm of the codes of 40
# steps was {{claim images-back.norm_40}}, far below 28.
#
# The row of codes shows where noise is missing: where the image is plain black, the code is nearly grey, and one can
# still see the silhouette. So DDIM backwards is an encoder, but one whose codes are far from where the prior expects
# them. Lesson 13 meets these codes again.

# %% [markdown] moons-idea
# ## Further: a plane of noise
#
# In the plane one can see whole how DDIM decodes. The data are two moons, and a small network learns them by your loss,
# written out for points. `angles` are six sines and six cosines of $t$, each frequency twice the one before.


# %% moons-train
from course_utils.data.toys import two_moons  # course_utils/data/toys.py


class PointDenoiser(nn.Module):
    """Points x_t (B, 2) and timesteps t (B,) to the noise in them, (B, 2)."""

    def __init__(self, hidden=96):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 + 12, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(),
            nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, 2),
        )  # fmt: skip

    def forward(self, x_t, t):
        angles = math.pi * t[:, None] / T * torch.tensor([1.0, 2, 4, 8, 16, 32], device=t.device)  # (B, 6)
        return self.layers(torch.cat([x_t, angles.sin(), angles.cos()], dim=1))


both, moon = two_moons(4600, generator=g)
both = ((both - both.mean(0)) / both.std(0)).to(device)  # mean 0 and variance 1
points, fresh = both[:4000], both[4000:]
moons, steps = PointDenoiser().to(device), 2000
optimizer = torch.optim.Adam(moons.parameters(), lr=5e-3, fused=True)
for step in range(steps):
    optimizer.param_groups[0]["lr"] = 5e-3 * (1 - step / steps)
    t, noise = torch.randint(T, (512,), device=device), torch.randn(512, 2, device=device)
    share = alpha_bar[t][:, None]
    x_t = share.sqrt() * points[torch.randint(len(points), (512,), device=device)] + (1 - share).sqrt() * noise
    loss = (moons(x_t, t) - noise).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %% [markdown] moons-look
# From left to right: the data; DDIM samples with a few of their paths; and the noise that DDIM began with. Colour says
# at which moon a sample arrived. Which parts of the noise plane belong to which moon?


# %% moons-figure
def moons_guess(x_t, t):
    eps_hat = moons(x_t, torch.full((len(x_t),), t, device=x_t.device))
    return (x_t - (1 - alpha_bar[t]).sqrt() * eps_hat) / alpha_bar[t].sqrt()


def nearest(x):
    """The moon of the nearest data point, and its distance, for points (B, 2)."""
    distance, index = torch.cdist(x.cpu(), points.cpu()).min(dim=1)
    return moon[index], distance


path, x_T = [], torch.randn(600, 2, generator=g).to(device)


def noted(x_t, t):
    path.append(x_t.cpu())
    return moons_guess(x_t, t)


path.append(ddim_sample(noted, alpha_bar, x_T, equal_steps(50)).cpu())
path = torch.stack(path)  # (51, 600, 2)
colors = [plots.PALETTE[k] for k in nearest(path[-1])[0].tolist()]
figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained", sharex=True, sharey=True)
axes[0].scatter(*points[:600].cpu().T, s=5, color="grey")
axes[1].scatter(*path[-1].T, s=5, c=colors)
axes[1].plot(path[:, :8, 0], path[:, :8, 1], color="black", lw=0.6)
axes[2].scatter(*path[0].T, s=5, c=colors)
for ax, title in zip(axes, ("data", "DDIM, 50 steps", "the noise it began with"), strict=True):
    ax.set(title=title, aspect="equal")
plt.show()
by_ddpm = ddpm_sample(torch.no_grad()(moons_guess), alpha_bar, x_T, every)[0][-1]
for name, x in {"new data": fresh, "DDIM": path[-1], "DDPM, 1,000 steps": by_ddpm, "noise": x_T}.items():
    print(f"{name:18s} mean distance to the nearest training point {nearest(x)[1].mean():.3f}")

# %% [test] moons-figure-holds
assert nearest(fresh)[1].mean() < 0.03 < nearest(x_T)[1].mean()
assert nearest(path[-1])[1].mean() < 0.09

# %% [markdown] moons-seen
# The moons are learned, but not perfectly: some samples lie between the moons. In three trainings of 2,000 steps the
# mean distance of DDIM's samples to the nearest training point was {{claim moons.ddim steps=2000}}. For new data, the
# floor, it was {{claim moons.floor steps=2000}}, and for the noise {{claim moons.noise steps=2000}}. With four times as
# many steps it was {{claim moons.ddim steps=8000}}.
#
# Now the right picture: the noise falls into regions, one for each moon, with a border between them. DDIM with 20 and
# with 50 steps led the same noise to the same moon in {{claim moons.same_ddim% steps=2000}} of the cases. Two runs of
# DDPM from the same noise led to the same moon in {{claim moons.same_ddpm% steps=2000}}: as often as by chance.

# %% [markdown] simulate-idea
# ## Further: the step back, derived and simulated
#
# Section 2 multiplies two densities of $x_{t'}$. The logarithm of the product is a sum:
#
# $$-\frac{(x_{t'} - \sqrt{\bar\alpha_{t'}}\, x_0)^2}{2 (1 - \bar\alpha_{t'})} - \frac{(x_t - \sqrt{a}\,
# x_{t'})^2}{2 (1 - a)} + \text{constant}.$$
#
# A Gaussian with mean $m$ and variance $v$ has the parabola $-(x_{t'} - m)^2 / 2v$. Compare the factors of $-\frac12
# x_{t'}^2$, then those of $x_{t'}$:
#
# $$\frac1v = \frac{1}{1 - \bar\alpha_{t'}} + \frac{a}{1 - a}, \qquad \frac mv = \frac{\sqrt{\bar\alpha_{t'}}}{1 -
# \bar\alpha_{t'}}\, x_0 + \frac{\sqrt a}{1 - a}\, x_t .$$
#
# Put the two fractions of $1/v$ over one denominator. The numerator is $1 - a + a (1 - \bar\alpha_{t'}) = 1 - a\,
# \bar\alpha_{t'} = 1 - \bar\alpha_t$. This gives $v$. Multiply $m/v$ by $v$ and cancel: this gives $m$.
#
# The average of `x0` inside a hump of section 3 comes in the same way. The inverse variances are $1/s^2$ and
# $\bar\alpha_t / (1 - \bar\alpha_t)$, the centres $c$ and $x_t / \sqrt{\bar\alpha_t}$. The weighted average is
# $c + \sqrt{\bar\alpha_t}\, s^2\, (x_t - \sqrt{\bar\alpha_t}\, c) / (\bar\alpha_t s^2 + 1 - \bar\alpha_t)$.
#
# Do the jump and the step back agree with what happens? First 20,000 copies of one grey value, 0.7, take 400 steps one
# by one. Their mean has a standard error of about 0.006. Then a million copies jump to $t' = 99$ and take one step. We
# keep those whose $x_{100}$ came out near 0.5. What were their $x_{99}$?

# %% simulate
walkers = torch.full((20_000,), 0.7)
for t in range(400):
    walkers = (1 - betas[t]).sqrt() * walkers + betas[t].sqrt() * torch.randn(walkers.shape, generator=g)
left = alpha_bar[399].item()
print(f"400 steps:               mean {walkers.mean():.3f}, standard deviation {walkers.std():.3f}")
print(f"one jump:                mean {left**0.5 * 0.7:.3f}, standard deviation {(1 - left) ** 0.5:.3f}")
share, a = alpha_bar[99].cpu(), 1 - betas[100].float()
x_99 = share.sqrt() * 0.7 + (1 - share).sqrt() * torch.randn(1_000_000, generator=g)
x_100 = a.sqrt() * x_99 + (1 - a).sqrt() * torch.randn(1_000_000, generator=g)
kept = x_99[(x_100 - 0.5).abs() < 0.01]
mean, variance = ddpm_posterior(alpha_bar.cpu(), torch.tensor(0.5), torch.tensor(0.7), 100, 99)
print(f"step back, {len(kept):,} cases: mean {kept.mean():.3f}, standard deviation {kept.std():.3f}")
print(f"formula:                 mean {mean:.3f}, standard deviation {variance**0.5:.3f}")

# %% [test] simulate-holds
assert abs(walkers.mean() - left**0.5 * 0.7) < 0.03
assert abs(walkers.std() - (1 - left) ** 0.5) < 0.02
assert abs(kept.mean() - mean) < 0.003
assert abs(kept.std() - variance**0.5) < 0.003

# %% [markdown] bug-idea
# ## Further: find the bug
#
# Here is a sampler of the kind that is often found in public repositories, for all timesteps. It runs without an error.
# One of its numbered lines is wrong.


# %% bug-script
def public_sample(guess_x0, alpha_bar, x):
    """From noise x (B, ...) to data, copied from somewhere."""
    for t in reversed(range(len(alpha_bar))):  # line 1
        here = alpha_bar[t]  # line 2
        there = alpha_bar[t - 1] if t > 0 else torch.ones_like(here)  # line 3
        a = here / there  # line 4
        x0_hat = guess_x0(x, t)  # line 5
        mean = (there.sqrt() * (1 - a) * x0_hat + a.sqrt() * (1 - there) * x) / (1 - here)  # line 6
        variance = (1 - a) * (1 - there) / (1 - here)  # line 7
        x = mean + variance * torch.randn_like(x)  # line 8
    return x  # line 9


# %% [markdown] bug-symptoms
# First the **symptoms**. The script samples the toy of section 3, with the exact guess. Your samples are there already.
# The truth: 30% in the left hump; the right one has mean 0.643 and standard deviation 0.19.

# %% bug-run
results = {"yours": samples, "the script": public_sample(toy_guess, alpha_bar.cpu(), torch.randn(3000, generator=g))}
figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained", sharex=True)
for ax, (name, x) in zip(axes, results.items(), strict=True):
    ax.hist(x, bins=torch.linspace(-2.4, 1.6, 101), density=True, color="grey")
    ax.set(title=name, xlabel="x0")
    print(
        f"{name:10s} left of -0.5: {(x < -0.5).float().mean():.1%}; the others: mean {x[x > -0.5].mean():.3f}", end=", "
    )
    print(f"standard deviation {x[x > -0.5].std():.3f}")
plt.show()

# %% [test] bug-run-holds
assert (x < -0.5).float().mean() < 0.02
assert x.std() < 0.1

# %% [markdown] bug-task
# ### Exercise 5: which line?
#
# *Medium, about 8 minutes.* The symptoms: nearly all samples of the script agree, close to the middle of one hump, and
# the other hump gets none. Which line explains this? Return two things: its number, and the mended line as text,
# without the comment.


# %% bug-exercise
def find_the_bug():
    """The number of the wrong line, and the mended line in quotation marks."""
    ### BEGIN SOLUTION
    return 8, "x = mean + variance.sqrt() * torch.randn_like(x)"
    ### END SOLUTION


# %% bug-check
find_the_bug = checks.accept("find-the-bug-sampler", find_the_bug)

# %% [markdown] bug-hints
# <details><summary>Hint 1</summary>
#
# Compare with the exercises of sections 2 and 3, line by line. What keeps two walks with the same guess apart?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Multiply noise from $\mathcal N(0, 1)$ by $c$: its variance is $c^2$. What must $c$ be for variance $v$?
#
# </details>

# %% [markdown] walks-idea
# ## Further: two walks, side by side
#
# The explorer below is made from a walk of the reference: its states and guesses, frame by frame. First its static
# twin. In which frame do you see the garment in $x_t$, and in which already in the guess?

# %% walks-twin
from course_utils import widgets  # course_utils/widgets/


def of_reference(frame):
    """The state, the guess, and the share of the variance that is still image, at a frame of the reference's walk."""
    k = int(frame)
    marks = [plots.Series("image", tenth, ref_alpha_bar.cpu()[tenth]),
             plots.Series("now", [tenth[k]], [ref_alpha_bar[tenth[k]].item()], kind="markers")]  # fmt: skip
    chart = plots.Chart(marks, x_range=(0, 999), y_range=(0, 1), xlabel="timestep t", ylabel="share of the variance")
    return {"x_t": to_pixels(ref_states[k][0]), "guess": to_pixels(ref_guesses[k][0]), "what is left": chart}


walks = widgets.FunctionSliders(of_reference, {"frame": (0, 99, 0, 1)}, title="A walk of the reference")
walks.static([(20,), (60,)], width=6)
plt.show()

# %% [markdown] walks-look
# By our eye: in the guess at frame 20, in $x_t$ at frame 60.
#
# In a running notebook the last cell ties your slider of exercise 4 to the explorer. Here it shows a walk of your
# network, so both walks go on together. They count the same timesteps, but their schedules differ: at equal $t$ the
# reference's state has more image left.

# %% walks-explorer
from ipywidgets import VBox, link


def of_my_walk(frame):
    return {f"t = {tenth[frame]}": as_28(states[frame][-2:]), "guess": as_28(guesses[frame][-2:])}


mine = walk_slider(of_my_walk, 99)
link((mine.children[0], "value"), (walks, "value_0"))  # the slider's number and the explorer's are one from now on
VBox([mine, walks])

# %% [markdown] quality-idea
# ## Further: how good are the samples?
#
# The [[Frechet distance]] of lesson 10 passes real and generated images through a classifier, fits a Gaussian to the
# features of each set, and measures how far apart the two Gaussians are. Precision is the share of samples that could
# pass for real, recall the share of real images that the model could have made. The table comes from one command,
# printed in its first line. (The last two sections explain guidance and latent diffusion.) The models were trained for
# very different lengths.

# %% quality
from course_utils import stored
from course_utils.files import data_dir

quality, _ = stored.read(data_dir() / "sample_quality")  # verified; made by the command that it names
print(f"{quality['samples']:,} samples each: {quality['command']}")
for row in quality["rows"]:
    scores = f"Frechet distance {row['frechet']:6.1f}   precision {row['precision']:.2f}   recall {row['recall']:.2f}"
    print(f"{row['name']:40s}{scores}")

# %% [test] quality-holds
frechet = {row["name"]: row["frechet"] for row in quality["rows"]}
five, ten, twenty, fifty = (frechet[f"diffusion, {steps} steps"] for steps in (5, 10, 20, 50))
assert five > ten > twenty > fifty
assert frechet["GAN, 64 dimensions"] < fifty < frechet["diffusion, 20 steps, guidance 2"]

# %% [markdown] quality-seen
# The rows named "diffusion" are our reference, by DDIM, told the class; the two of latent diffusion are one model too.
# More steps bring the reference closer, and cost more. With more steps recall rises, and precision falls a little. The
# GAN is a little closer than the reference with 50 steps, the most that we tried. It needs one pass an image, and has
# the lower precision. All these distances come from one training of each model and one classifier, so compare them only
# with each other. (Lesson 10 used fewer samples, so its distances are larger.)
#
# The table is by DDIM alone. How DDPM does with as few steps is in the section on DDIM against DDPM.

# %% [markdown] schedule-idea
# ## Further: other schedules
#
# The reference was trained with the **cosine schedule** (Nichol and Dhariwal 2021). With $u = (t + 1) / T$, its
# $\bar\alpha$ is $\cos^2\!\big(\frac{\pi}{2} \cdot \frac{u + 0.008}{1.008}\big)$, up to a factor that makes it 1 at $u
# = 0$: it falls like the square of a cosine whose angle goes from 0 to a quarter turn. The 0.008 moves the beginning
# away from the flat top of the cosine. Without it the first steps would add hardly any noise.
#
# The [[signal-to-noise ratio]], $\bar\alpha_t / (1 - \bar\alpha_t)$, is the variance of what is left of the image over
# that of the noise, *if the image's pixels have variance 1*. The pixels of clothes in [-1, 1] have less. From image to
# image the pixel at one place has variance 0.35 on average, as the cell prints, so the true ratio is lower by this
# factor. Where do the schedules cross the dotted line, at which both variances are equal?

# %% schedule
u = torch.arange(T + 1, dtype=torch.float64) / T
f = ((u + 0.008) / 1.008 * math.pi / 2).cos().square()
cosine = (1 - (1 - f[1:] / f[:-1]).clamp(max=0.999)).cumprod(0).float()  # no single beta above 0.999
pixels = 2 * train.pixels() - 1
print(f"variance of a pixel, at one place: {pixels.var(dim=0).mean():.2f}; of all pixels {pixels.var():.2f}")
figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
for name, each in {"linear (section 1)": alpha_bar.cpu(), "cosine": cosine}.items():
    ratio = each / (1 - each)
    ax.plot(ratio, label=name)
    print(f"{name}: the ratio is below 1 from t = {int((ratio < 1).nonzero()[0])}")
ax.axhline(1, color="grey", linestyle=":")
ax.set(yscale="log", ylim=(1e-5, 1e5), xlim=(0, 999), xlabel="timestep t", ylabel="signal-to-noise ratio")
ax.legend()
plt.show()

# %% [test] schedule-holds
assert torch.allclose(cosine, ref_alpha_bar.cpu(), atol=1e-5)
assert int((alpha_bar < 0.5).nonzero()[0]) == 259

# %% [markdown] schedule-seen
# With the linear schedule there is more noise than image, for pixels of variance 1, in three quarters of the timesteps.
# The cosine schedule crosses the line half-way, so more of its timesteps have more image than noise.

# %% [markdown] conversions-idea
# ## Further: three answers that mean the same
#
# A network can answer with $\epsilon$, with `x0`, or with the **[[velocity]]** $v = \sqrt{\bar\alpha}\, \epsilon -
# \sqrt{1 - \bar\alpha}\, x_0$ (Salimans and Ho 2022), as our reference does; `predict_eps` computes $\epsilon$ from it.
# (This $v$ is no variance.) Write the weights as cosine and sine of one angle, $\cos\varphi = \sqrt{\bar\alpha}$ and
# $\sin\varphi = \sqrt{1 - \bar\alpha}$. Then
#
# $$x_t = \cos\varphi\; x_0 + \sin\varphi\; \epsilon, \qquad v = -\sin\varphi\; x_0 + \cos\varphi\; \epsilon .$$
#
# So the two axes `x0` and $\epsilon$, turned by $\varphi$, are the axes $x_t$ and $v$, as the picture shows. Turning
# back gives $x_0 = \cos\varphi\; x_t - \sin\varphi\; v$ and $\epsilon = \sin\varphi\; x_t + \cos\varphi\; v$. Which of
# the answers turns a small mistake into a large one of `x0`, and where? (The cell stops at $t = 998$: at 999
# $\bar\alpha$ is nearly 0.)


# %% conversions
def x0_from_eps(share, x_t, eps):
    return (x_t - (1 - share).sqrt() * eps) / share.sqrt()


def x0_from_v(share, x_t, v):
    return share.sqrt() * x_t - (1 - share).sqrt() * v


figure, ax = plt.subplots(figsize=(4, 4), layout="constrained")
for name, degrees, color in (("x0", 0, 7), ("eps", 90, 3), ("x_t", 35, 0), ("v", 125, 1)):
    x, y = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    ax.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "->", "color": plots.PALETTE[color], "lw": 2})
    ax.text(1.12 * x, 1.12 * y, name, ha="center", va="center", fontsize=13)
for start in (0, 90):  # two arcs: both axes are turned by the same angle
    arc = torch.deg2rad(torch.linspace(start, start + 35, 50))
    ax.plot(0.35 * arc.cos(), 0.35 * arc.sin(), color="black", lw=1)
ax.text(0.39, 0.1, "phi")
ax.text(-0.19, 0.4, "phi")
ax.set(xlim=(-1.1, 1.3), ylim=(-0.3, 1.3), aspect="equal", xticks=[], yticks=[])
plt.show()
clean, noise = torch.tensor(0.4), torch.tensor(-0.7)
for t in (0, 300, 600, 900, 998):
    share = ref_alpha_bar[t].cpu()
    x_t = share.sqrt() * clean + (1 - share).sqrt() * noise
    v = share.sqrt() * noise - (1 - share).sqrt() * clean
    from_eps, from_v = x0_from_eps(share, x_t, noise + 0.01) - clean, x0_from_v(share, x_t, v + 0.01) - clean
    print(f"t = {t:3d}: a mistake of 0.01 in eps is {from_eps.abs():.4f} in x0, in v {from_v.abs():.4f}")

# %% [test] conversions-holds
assert from_eps.abs() > 50 * from_v.abs()

# %% [markdown] conversions-seen
# Near pure noise a mistake in $\epsilon$ is divided by a very small $\sqrt{\bar\alpha}$. One in $v$ never grows, as
# sines and cosines are at most 1. Our small network answers with $\epsilon$, so its guess can lie far outside -1 and 1,
# and section 4 cuts it off. The reference answers with $v$. An answer `x0` has its trouble at the other end, where
# $\epsilon$ is computed from it.

# %% [markdown] guidance-idea
# ## Further: steering by the class, and beyond it
#
# The reference can be told the class. In its training the label was hidden in a tenth of the cases, so it also answers
# for "any garment", as it did so far. This has a label of its own, the number 10, called *null*. The difference of its
# two answers points from any garment towards this class. **[[Classifier-free guidance]]** (Ho and Salimans 2022) goes
# on in this direction:
#
# $$\hat\epsilon = \hat\epsilon_{\text{any}} + w\, (\hat\epsilon_{\text{class}} - \hat\epsilon_{\text{any}}) .$$
#
# $w = 0$ ignores the class, $w = 1$ is the network's own answer for it, $w > 1$ exaggerates it. (The paper's own $w$ is
# smaller by one.)

# %% [markdown] guidance-task
# ### Exercise 6: guidance
#
# *Easy, about 6 minutes.* The network wants one label for each image, also for "any garment": a tensor (B,).


# %% guidance-exercise
def guided(network, x_t, t, label, null, weight):
    """The guided prediction of the noise.

    Args:
        network: Function of (x_t (B, ...), t (B,), label (B,)) that returns eps_hat, shaped like x_t.
        x_t: Noisy data, (B, ...).
        t: Timesteps, int64 (B,).
        label: The wanted classes, int64 (B,).
        null: The label that stands for "any class", a whole number.
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
# <details><summary>Hint 2</summary>
#
# Try your formula at the two weights whose answer you know: at 0 the class must not matter, at 1 only its answer must
# be left.
#
# </details>

# %% [markdown] guidance-look
# The same noise and four weights, for 30 samples, three of each class. The picture shows seven: the three sandals,
# trousers, a sneaker, a bag and an ankle boot. What changes with $w$? Then two numbers for all 30: how often a separate
# classifier agrees with the wanted class, and the variety, which is the mean distance of two samples of one class.
# Which of the two rises with $w$, and which falls?


# %% guidance-figure
def guided_guess(label, weight):
    """A guess of x0 for the samplers, by your guidance."""

    def guess_x0(x_t, t):
        times = torch.full((len(x_t),), t, device=x_t.device)
        eps_hat = guided(reference.predict_eps, x_t, times, label, reference.num_classes, weight)
        return (x_t - (1 - ref_alpha_bar[t]).sqrt() * eps_hat) / ref_alpha_bar[t].sqrt()

    return guess_x0


wanted = torch.arange(10, device=device).repeat(3)  # 0, 1, ..., 9, 0, 1, ...
noise = torch.randn(30, 1, 28, 28, generator=g).to(device)
by_weight = {
    weight: to_pixels(ddim_sample(guided_guess(wanted, weight), ref_alpha_bar, noise, equal_steps(8)))
    for weight in (0, 1, 3, 7)
}
seven = [5, 15, 25, 1, 7, 8, 9]
plots.image_rows({f"w = {weight}": images[seven] for weight, images in by_weight.items()})
plt.show()

# %% guidance-numbers
classifier, table = load_reference("classifier_fashion", device), {}
for weight, images in by_weight.items():
    with torch.no_grad():
        agree = (classifier(images).argmax(dim=1) == wanted).float().mean().item()
    variety = torch.stack([torch.pdist(images[k::10].flatten(1)).mean() for k in range(10)]).mean().item()
    table[weight] = agree, variety
    print(f"w = {weight}: the classifier agrees in {agree:.0%}, variety {variety:.2f}")

# %% [test] guidance-numbers-holds
assert table[0][0] < 0.5 < table[3][0]
assert table[7][1] < table[1][1] < table[0][1]

# %% [markdown] guidance-means
# With $w$ up to 3 agreement rises and variety falls. In the picture, by our eye, much of the sandals is missing at $w =
# 3$, and at 7 fragments are left. The classifier still agrees: **its agreement does not measure quality**.
#
# In nine other runs of 30 samples each (three draws of noise, each with 8, 20 and 32 steps) the classifier agreed in
# {{claim guidance.agree_0%}} at $w = 0$, {{claim guidance.agree_1%}} at 1 and {{claim guidance.agree_3%}} at 3. At $w =
# 0$ the class is ignored: all beyond 10% is chance there. The variety fell from 0 to 1 and from 1 to 3 in all nine.
# From 3 to 7 it fell in some runs and rose in others.
#
# In the table of the section about quality (one training) recall is lower with guidance 2, so variety is missing. The
# Frechet distance is larger.
#
# In the explorer all sliders act on the same noise. First its static twin.

# %% sampler-twin
few = noise[:3]


@torch.inference_mode()
def walk_back(steps, weight, garment):
    label = torch.full((3,), int(garment), device=device)
    return to_pixels(ddim_sample(guided_guess(label, weight), ref_alpha_bar, few, equal_steps(int(steps))))


rows = {f"{steps} steps, w = {w}": walk_back(steps, w, 8) for steps, w in ((2, 1), (5, 1), (10, 1), (10, 5))}
plots.image_rows(rows, column_titles=[f"noise {k + 1}" for k in range(3)])
plt.show()

# %% sampler-explorer
from course_utils import widgets  # course_utils/widgets/

sampler = widgets.FunctionSliders(
    walk_back,
    {"DDIM steps": (1, 10, 4, 1), "guidance": (0, 7, 1, 0.5), "class": (0, 9, 8, 1)},
    labels=[f"noise {k + 1}" for k in range(3)],
    describe=lambda steps, weight, garment: f"{test.class_names[int(garment)]}.",
    title="Same noise, more steps",
)
sampler.move_to(8, 2, 7)  # 8 steps, w = 2, sneaker
sampler

# %% [markdown] latent-idea
# ## Further: compress first
#
# The reference walks through 784 dimensions. **[[Latent diffusion]]** (Rombach et al. 2022), the idea behind Stable
# Diffusion, lets an autoencoder compress the images first, and diffuses its *codes*. The formulas stay as they are. We
# need
#
# 1. an autoencoder with codes of 64 numbers, a reference model trained beforehand;
# 2. the codes of the training images, scaled to mean 0 and variance 1, as the formulas expect;
# 3. a network for vectors. It says $v$, on the cosine schedule, and is told the class.

# %% latent-codes
from course_utils.latents import encode_dataset  # course_utils/latents.py
from course_utils.models.diffusion.denoisers import MLPDenoiser  # course_utils/models/diffusion/denoisers.py

compressor = load_reference("latent_autoencoder", device)
codes = encode_dataset(compressor, train)  # (11000, 64)
code_mean, code_std = codes.mean(0).to(device), codes.std(0).to(device)
codes, code_labels = (codes.to(device) - code_mean) / code_std, train.labels.to(device)

# %% latent-train
latent, steps = MLPDenoiser(64, hidden=256, blocks=2, num_classes=10).to(device), 300
optimizer = torch.optim.Adam(latent.parameters(), lr=2e-3, fused=True)
for step in range(steps):
    optimizer.param_groups[0]["lr"] = 2e-3 * min(1, (step + 1) / 100) * (1 - step / steps)
    index = torch.randint(len(codes), (128,), device=device)
    t, noise = torch.randint(T, (128,), device=device), torch.randn(128, 64, device=device)
    share = ref_alpha_bar[t][:, None]
    x_t = share.sqrt() * codes[index] + (1 - share).sqrt() * noise
    v = share.sqrt() * noise - (1 - share).sqrt() * codes[index]
    loss = (latent(x_t, t, code_labels[index]) - v).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"the last loss: {loss:.3f}")  # a network that answers 0 has about 1

# %% [markdown] latent-look
# Seven samples by 20 DDIM steps in the space of codes, then one pass through the decoder. The row below shows what the
# autoencoder makes of real images of the same classes, which are in the last row. What is missing from each of
# the two rows above?

# %% latent-figure
labels = torch.tensor([0, 1, 2, 5, 7, 8, 9], device=device)


def latent_guess(x_t, t):
    share = ref_alpha_bar[t]
    return share.sqrt() * x_t - (1 - share).sqrt() * latent(x_t, torch.full((7,), t, device=device), labels)


end = ddim_sample(latent_guess, ref_alpha_bar, torch.randn(7, 64, generator=g).to(device), equal_steps(20))
real = test.pixels(torch.stack([(test.labels == k).nonzero()[0, 0] for k in labels.tolist()]), device=device)
with torch.no_grad():
    sample, restored = compressor.decode(end * code_std + code_mean), compressor.decode(compressor.encode(real))
plots.image_rows({"sample": sample, "restored": restored, "image": real})
plt.show()

# %% [markdown] cost-idea
# The restored row lacks fine details, such as prints and straps: the code of 64 numbers does not hold them. The samples
# lack more: the parts of the sandal do not join, and the bag has no clear edge. Their network was trained for 300 steps
# only.
#
# What does a sample cost? The cell counts multiplications and additions of 20 steps for one image, and, for the codes,
# the pass through the decoder too.

# %% cost
from torch.utils.flop_counter import FlopCounterMode


def operations(function):
    """Millions of multiplications and additions of a call."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        function()
    return counter.get_total_flops() / 1e6


one, code, t0 = real[:1], codes[:1], torch.zeros(1, dtype=torch.int64, device=device)
pixels_step = operations(lambda: reference.predict_eps(one, t0, labels[:1]))
codes_step, decoding = operations(lambda: latent(code, t0, labels[:1])), operations(lambda: compressor.decode(code))
print(f"a step: {pixels_step:.1f} million over pixels, {codes_step:.2f} over codes; decoding {decoding:.1f}")
print(f"an image in 20 steps: {20 * pixels_step:.0f} and {20 * codes_step + decoding:.0f} million")

# %% [test] cost-holds
assert 20 * pixels_step > 20 * (20 * codes_step + decoding)

# %% [markdown] cost-seen
# A sample over codes costs far less. But these two networks are of different kinds and sizes. A comparison of like with
# like: the same network for vectors, the same number of steps, over pixels and over codes. Over pixels it may say $v$
# or $\hat x_0$; PCA makes 64 numbers too. The table has the Frechet distance of 1,000 samples.

# %% compress-evidence
claims.evidence("12", "compress")

# %% [markdown] compress-seen
# **The same small network had a smaller distance over the autoencoder's codes than over the pixels**, in all six runs.
# Fewer numbers alone do not explain it: PCA has as few. Two things are not counted here. The autoencoder was trained
# before. And its decoder sets a limit, the last line. A UNet over pixels is better still: in the table of the section
# about quality the latent diffusion has a Frechet distance of 26.9, and the reference 15.5 in as many steps. (What the
# autoencoder restores of test images has 9.6 there, by more images.)

# %% [test] cost-seen-holds
from course_utils import stored
from course_utils.files import data_dir

table = {row["name"]: row["frechet"] for row in stored.read(data_dir() / "sample_quality")[0]["rows"]}
assert abs(table["latent diffusion, 20 steps, guidance 1"] - 26.9) < 0.06
assert abs(table["diffusion, 20 steps"] - 15.5) < 0.06
assert abs(table["latent_autoencoder: reconstructions"] - 9.6) < 0.06

# %% [markdown] references
# ## References
#
# * J. Sohl-Dickstein, E. Weiss, N. Maheswaranathan and S. Ganguli (2015), *Deep unsupervised learning using
#   nonequilibrium thermodynamics*, arXiv:1503.03585.
# * J. Ho, A. Jain and P. Abbeel (2020), *Denoising diffusion probabilistic models*, arXiv:2006.11239.
# * J. Song, C. Meng and S. Ermon (2021), *Denoising diffusion implicit models*, arXiv:2010.02502.
# * A. Nichol and P. Dhariwal (2021), *Improved denoising diffusion probabilistic models*, arXiv:2102.09672.
# * T. Salimans and J. Ho (2022), *Progressive distillation for fast sampling of diffusion models*, arXiv:2202.00512.
# * J. Ho and T. Salimans (2022), *Classifier-free diffusion guidance*, arXiv:2207.12598.
# * R. Rombach, A. Blattmann, D. Lorenz, P. Esser and B. Ommer (2022), *High-resolution image synthesis with latent
#   diffusion models*, arXiv:2112.10752.
# * O. Ronneberger, P. Fischer and T. Brox (2015), *U-Net: Convolutional networks for biomedical image segmentation*,
#   arXiv:1505.04597.
# * M. Heusel, H. Ramsauer, T. Unterthiner, B. Nessler and S. Hochreiter (2017), *GANs trained by a two time-scale
#   update rule converge to a local Nash equilibrium* (the Frechet distance), arXiv:1706.08500.

# %% [markdown] next
# ## Next
#
# Take two codes that are Gaussian noise. The middle of the straight line between them lies far from where such codes
# live. Lesson 13 asks which path between two codes one should take, and whether it matters in every model.
