# %% [markdown] title
# {{header}}
#
# # 10. Can noise be a latent space if nothing encodes?
#
# At the end of this lesson you can
#
# 1. write one training step of a [[generative adversarial network|GAN]], with both losses, and say which gradient must
#    not flow where;
# 2. bring about [[mode collapse]], and find by your own sweep where a penalty begins to help against it;
# 3. find a direction in the noise that changes something you can name, although no network encodes.

# %% [markdown] prerequisites
# **You need:** lesson 04 (codes drawn from a prior), derivatives with the chain rule, and a little probability.
#
# **Time:** {{learning}}, each with its exercises. Running all cells takes {{minutes}}.

# %% setup
{{setup}}

# %% imports
import copy
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks, claims, plots
from course_utils.checkpoints import load_reference  # course_utils/checkpoints.py
from course_utils.data import fashion_mnist  # course_utils/data/fashion.py
from course_utils.data.toys import ring_of_gaussians  # course_utils/data/toys.py
from course_utils.device import pick_device, seed_everything  # course_utils/device.py
from course_utils.latents import decode_dataset  # course_utils/latents.py

plt.rcParams["figure.dpi"] = 72
torch.set_num_threads(1)  # the networks are small: a second thread would mostly wait for the first
seed_everything(10)
g = torch.Generator().manual_seed(10)  # what this lesson draws by hand comes from here
device = pick_device()
train, test = fashion_mnist("train"), fashion_mnist("test")
x_train, x_test = train.pixels(), test.pixels()  # (N, 1, 28, 28) in [0, 1]

# %% [markdown] predict
# ## Predict first
#
# Two networks train against each other. The *[[generator]]* turns noise into points. The *[[discriminator]]* judges
# which points are real. The real ones lie in eight heaps on a circle.
#
# 1. The generator learns ten times as fast as the discriminator. After 600 steps, are its points in all heaps, in a
#    few, in one, or in none?
# 2. A penalty keeps the slope of the discriminator small. With which of the weights 0.1, 1, 3 and 10 does this fast
#    generator reach most heaps?
# 3. For clothes, no network encodes images. Can we still find how to move a code so that its image becomes brighter?
#
# <details><summary>What we found (open it after section 5)</summary>
#
# 1. In one heap, or in none.
# 2. With 10 in each of four runs, with 0.1 in none. With 1 and 3 it depended on the run.
# 3. Yes: we know the code of every image that we generate.
#
# </details>

# %% [markdown] smallest
# ## 1. The smallest game
#
# The smallest pair has one number each. The real data are a single point, at 0. The generator has a number $\theta$,
# the place of its single point. The discriminator has a number $\psi$, the slope of a line through the origin:
# $l(x) = \psi x$.
#
# $l$ is a **logit**: any number, whose sigmoid is the discriminator's probability that $x$ is real. Each player has a
# loss, made of [[softplus]]$(l) = \log(1 + e^l)$:
#
# $$L_D = \mathrm{softplus}(-l(0)) + \mathrm{softplus}(l(\theta)), \qquad L_G = \mathrm{softplus}(-l(\theta)).$$
#
# In words: the discriminator pays if its logit is low at the real point, or high at the generated one. The generator
# pays if the logit at its point is low. Here $l(0) = 0$ and $l(\theta) = \psi\theta$.
#
# Both players make a gradient step at the same time, with learning rate 0.2, from $\theta = 1$, $\psi = 0$. The
# derivative of softplus$(l)$ is sigmoid$(l)$, and the first term of $L_D$ is a constant. So
# $\partial L_D / \partial \psi = \theta\, \mathrm{sigmoid}(\psi\theta) = 0.5$, and $\psi$ becomes $-0.1$.
#
# **Find $\partial L_G / \partial \theta$ by the chain rule, and do the second step on paper.** At $\psi = 0$ your
# derivative is 0, so $\theta$ stays in the first step. (sigmoid$(0.1) = 0.525$, sigmoid$(-0.1) = 0.475$.)
#
# | step | $\theta$ | $\psi$ |
# |---|---|---|
# | 0 | 1 | 0 |
# | 1 | 1 | -0.1 |
# | 2 | ? | ? |

# %% [markdown] game-task
# ### Exercise 1: one step of both players
#
# *Easy, about 5 minutes.* Three lines. Compute both derivatives before you change anything.


# %% game-exercise
def sigmoid(logit):
    """The probability that belongs to a logit, a plain number."""
    return 1 / (1 + math.exp(-logit))


def game_step(theta, psi, lr):
    """One gradient step of both players, from the same state, with learning rate lr.

    Returns theta and psi after the step, two plain numbers.
    """
    ### BEGIN SOLUTION
    slope_theta = -psi * sigmoid(-psi * theta)
    slope_psi = theta * sigmoid(psi * theta)
    return theta - lr * slope_theta, psi - lr * slope_psi
    ### END SOLUTION


# %% game-check
game_step = checks.accept("two-player-step", game_step)

# %% [markdown] game-hints
# <details><summary>Hint 1</summary>
#
# $L_G = \mathrm{softplus}(-\psi\theta)$. The outer derivative is sigmoid$(-\psi\theta)$, the inner one is $-\psi$.
#
# </details>
# <details><summary>Hint 2</summary>
#
# A step goes *against* the derivative: `theta - lr * slope_theta`.
#
# </details>

# %% [markdown] game-intro
# Run the cell and compare the first line that it prints with your paper. The goal is $\theta = \psi = 0$: the
# generated point lies on the real one, and the line is flat. Does the pair get from the start (orange) to the goal
# (red), in 1,500 steps with learning rate 0.2, or in 15,000 with 0.02?


# %% game-run
def walked(lr, steps):
    """The path of the pair as a list of (theta, psi)."""
    path = [(1.0, 0.0)]
    for _ in range(steps):
        path.append(game_step(*path[-1], lr))
    return path


games = {0.2: walked(0.2, 1500), 0.02: walked(0.02, 15_000)}
print("theta and psi after step 2:", [round(float(value), 4) for value in games[0.2][2]])
for lr, path in games.items():
    longer = walked(lr, 4 * (len(path) - 1))
    print(f"learning rate {lr}: distance from the goal 1 at first, {math.hypot(*path[-1]):.2f} at the end,", end=" ")
    print(f"{math.hypot(*longer[-1]):.2f} after four times as many steps")

# %% game-figure tags=["folded"]
# @title Draws the two paths
figure, axes = plt.subplots(1, 2, figsize=(8.6, 4.2), layout="constrained", sharex=True, sharey=True)
for ax, (lr, path) in zip(axes, games.items(), strict=True):
    ax.plot(*zip(*path, strict=True), color=plots.PALETTE[0], linewidth=0.8)
    ax.scatter([1, 0], [0, 0], s=150, c=plots.PALETTE[1:3], zorder=3)
    ax.set(title=f"learning rate {lr}", xlabel="generator: theta", ylabel="discriminator: psi", aspect="equal")
plt.show()

# %% [test] game-run-holds
assert 0.6 < math.hypot(*games[0.2][-1]) < 0.65
assert 0.2 < math.hypot(*games[0.02][-1]) < 0.25
assert abs(math.hypot(*walked(0.2, 6000)[-1]) - math.hypot(*games[0.2][-1])) < 0.02
assert math.hypot(*walked(0.02, 60_000)[-1]) < math.hypot(*games[0.02][-1]) - 0.02
assert [round(v, 4) for v in games[0.2][2]] == [0.9895, -0.195]

# %% [markdown] game-seen
# The pair circles. When the generated point arrives at 0, the line still has a slope, which sends the point past.
# **The gradients turn this pair around its goal and pull it in only weakly.** Each step goes straight on where the path
# should bend, and so pushes the pair outwards, the more the larger the step is. With learning rate 0.2 push and pull
# are equal on a circle, and more steps do not help. With 0.02 the pair comes nearer, and four times as many steps
# still help a little.

# %% [markdown] networks
# ## 2. The same with networks
#
# In a **generative adversarial network** (GAN) both players are networks. The generator $G$ turns a code $z$, drawn
# from $N(0, I)$, into a sample $G(z)$, a *fake*. The discriminator returns a logit for each sample. With batches each
# term becomes a mean, written as a bar:
#
# $$L_D = \overline{\mathrm{softplus}(-l(x))} + \overline{\mathrm{softplus}(l(G(z)))}, \qquad L_G =
# \overline{\mathrm{softplus}(-l(G(z)))}.$$
#
# softplus$(-l) = -\log \mathrm{sigmoid}(l)$. So $L_D$ is the sum of two binary cross-entropies, of the real samples
# with label 1 and of the fakes with label 0. $L_G$ is that of the fakes with label 1.
#
# Here the players take turns (in section 1 both moved at once). One training step has two halves:
#
# 1. *The discriminator learns.* No gradient of $L_D$ may change the generator: `x_fake.detach()` is the same batch
#    without its history.
# 2. *The generator learns.* The discriminator, after its own step, judges the same fakes again. The gradient goes
#    *through* it into the generator.

# %% [markdown] step-task
# ### Exercise 2: the training step of a GAN
#
# *Medium, about 10 minutes.* Write both halves. In the second one `backward()` leaves gradients on the discriminator's
# weights too. What has to happen to these before the discriminator's next step?


# %% step-exercise
def gan_step(generator, discriminator, optimizers, x, z, penalty=None):
    """One step of the discriminator, then one of the generator.

    The generator turns codes z (B, D) into samples (B, ...), the discriminator samples into logits, (B,) or (B, 1).
    x are real samples; optimizers are (optimizer_g, optimizer_d), each over the weights of its own network. If penalty
    is not None, penalty(discriminator, x) is added to the discriminator's loss.

    Returns two plain numbers: the discriminator's loss, with the penalty, and the generator's loss. They must be finite
    for logits of 100 and more, too.
    """
    ### BEGIN SOLUTION
    optimizer_g, optimizer_d = optimizers
    x_fake = generator(z)
    loss_d = F.softplus(-discriminator(x)).mean() + F.softplus(discriminator(x_fake.detach())).mean()
    if penalty is not None:
        loss_d = loss_d + penalty(discriminator, x)
    optimizer_d.zero_grad()
    loss_d.backward()
    optimizer_d.step()
    loss_g = F.softplus(-discriminator(x_fake)).mean()
    optimizer_g.zero_grad()
    loss_g.backward()
    optimizer_g.step()
    return loss_d.item(), loss_g.item()
    ### END SOLUTION


# %% step-check
gan_step = checks.accept("gan-step", gan_step)

# %% [markdown] step-hints
# <details><summary>Hint 1</summary>
#
# Each half has the same four parts: the loss, `zero_grad()`, `backward()`, `step()` of its own optimizer. `F.softplus`
# takes the logits as they are; `F.binary_cross_entropy_with_logits` works too.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Make `x_fake = generator(z)` once. Use `x_fake.detach()` in the first half and `x_fake` in the second. `zero_grad()`
# just before each `backward()` removes what the other half left.
#
# </details>

# %% [markdown] ring-idea
# ## 3. A ring of eight heaps
#
# A heap of the data is called a **[[mode]]**. A generated point is *good* if it lies within 0.15 of the centre of a
# heap, three of the heap's standard deviations. A mode is *covered* if at least 1% of the generated points are good
# and nearest to its centre.


# %% ring-code
angle = torch.arange(8) * math.pi / 4
centres = torch.stack([angle.cos(), angle.sin()], dim=1)  # (8, 2)
ring, _ = ring_of_gaussians(20_000, generator=g)  # (20000, 2): each heap has a standard deviation of 0.05
z_fixed = torch.randn(1000, 2, generator=g)


def mlp(inputs, outputs, hidden=64):
    """Two hidden layers; used for every network on points."""
    sizes = [inputs, hidden, hidden]
    layers = [part for a, b in zip(sizes, sizes[1:], strict=False) for part in (nn.Linear(a, b), nn.LeakyReLU(0.2))]
    return nn.Sequential(*layers, nn.Linear(hidden, outputs))


def modes_covered(points, std=0.05):
    """Number of the eight modes that hold at least 1% of the points (N, 2), and the share of good points."""
    distance, nearest = torch.cdist(points, centres).min(dim=1)
    counts = torch.bincount(nearest[distance <= 3 * std], minlength=8)
    return int((counts >= 0.01 * len(points)).sum()), counts.sum().item() / len(points)


# %% ring-play
def play(lr_g, lr_d, penalty=None, steps=600, seed=10):
    """Train a pair on the ring, on the CPU. Returns a frame every 30 steps: 1,000 points, and D as it is then."""
    seed_everything(seed)
    generator, discriminator = mlp(2, 2), mlp(2, 1)
    both = ((generator, lr_g), (discriminator, lr_d))
    optimizers = [torch.optim.Adam(net.parameters(), lr=lr, betas=(0.5, 0.99), fused=True) for net, lr in both]
    frames = []
    for step in range(steps + 1):
        if step % 30 == 0:
            with torch.no_grad():
                frames.append((generator(z_fixed), copy.deepcopy(discriminator)))
        x = ring[torch.randint(len(ring), (128,))]
        gan_step(generator, discriminator, optimizers, x, torch.randn(128, 2), penalty)
    return frames


# %% ring-scene tags=["folded"]
# @title Draws the plane at one moment
def draw_scene(ax, frame, title):
    """Squares: centres of the data. Dots: 300 generated points; those beyond the frame are drawn on its rim."""
    points, _ = frame
    ax.scatter(*centres.T, s=120, marker="s", color=plots.PALETTE[1])
    ax.scatter(*points[:300].clamp(-1.5, 1.5).T, s=12, color=plots.PALETTE[0])
    covered, good = modes_covered(points)
    ax.set(title=f"{title}:\ncovers {covered}, {good:.0%} good", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    ax.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal")


# %% [markdown] ring-intro
# *Fast G*: the generator's learning rate is ten times the discriminator's. *Fast D*: the discriminator's is three
# times the generator's. Squares are the centres of the heaps, dots are generated points (on the edge: those beyond it).
# What do the dots of the upper row do?

# %% ring-runs
films = {"fast G": play(3e-3, 3e-4), "fast D": play(1e-3, 3e-3)}
figure, axes = plt.subplots(2, 4, figsize=(10.4, 6.2), layout="constrained", sharex=True, sharey=True)
for row, (name, film) in zip(axes, films.items(), strict=True):
    for ax, step in zip(row, (150, 300, 450, 600), strict=True):
        draw_scene(ax, film[step // 30], f"{name}, step {step}")
plt.show()

# %% [test] ring-runs-holds
at_end = {name: modes_covered(film[-1][0]) for name, film in films.items()}
assert at_end["fast G"][0] <= 2
assert at_end["fast D"][0] >= 7
again, other = (play(3e-3, 3e-4, steps=30, seed=seed)[-1][0] for seed in (10, 11))
assert torch.equal(again, films["fast G"][1][0])
assert (other - again).abs().max() > 0.01

# %% [markdown] ring-seen
# The fast generator has **collapsed**: its points stay together, at one heap or beside all. Against a *fixed*
# discriminator it would be best to put all points where the logit is highest, and a fast generator does something near
# to that. Then the discriminator learns that this place is fake, and the points move on.
#
# The fast discriminator keeps up: where too few points are, its logit is high. In four more runs this pair covered
# {{claim ring.faster_600}} modes at step 600. But its generator is also slower than that of *fast G*. The control: the
# generator as fast as in *fast G*, the discriminator three times as fast as that. From step 600 on this pair covered
# {{claim ring.quick_faster_mean}} modes.
#
# *Covered does not mean good.* Points spread evenly on the circle would cover all 8 modes, with 38% of them good. Here
# about half are good.

# %% [markdown] penalty-idea
# ## 4. A penalty, and your own sweep
#
# In the smallest game the slope of the discriminator sent the point past its goal. So let the discriminator pay for a
# slope *where the real data are*: add $\tfrac\gamma2 \psi^2$ to the $L_D$ of the smallest game. The derivative
# $\gamma\psi$ pulls the slope to 0. With $\gamma = 0.3$ and learning rate 0.2 that pair comes to rest: from each of
# three starts it ended nearer to the goal than $10^{-16}$. Perhaps collapsed points run on in the same way. Does a
# penalty help them too?
#
# For networks the slope is the gradient of the logit with respect to the sample. The **[[R1|R1 penalty]] penalty** is
#
# $$\tfrac\gamma2\, R_1, \qquad R_1 = \overline{\lVert \nabla_x\, l(x) \rVert^2},$$
#
# the squared length of this gradient, averaged over real samples. $R_1$ is a [[gradient penalty]]: it contains a
# gradient. To make it smaller we need its gradient with respect to the weights, a gradient *of a gradient*.
# `torch.autograd.grad(y, x, create_graph=True)` returns a tuple with one tensor, the gradient of the number `y` with
# respect to `x`, and keeps its history. So `backward()` can go through it once more.

# %% [test] penalty-game-holds
rest = claims.evidence("10", "smallest-game").over("with_r1", step=0.2)
assert len(rest.values) == 6
assert rest.high < 1e-16

# %% [markdown] penalty-task
# ### Exercise 3: the penalty R1
#
# *Medium, about 6 minutes.* Return $R_1$, without $\gamma/2$. A sample may be a point or an image. The logit of one
# sample does not depend on the others. So which single number can you differentiate to get all these gradients at once?


# %% penalty-exercise
def r1_penalty(discriminator, x):
    """Mean squared length of the gradient of the discriminator's logit with respect to real samples.

    x are samples (B, ...), their logits (B,) or (B, 1). Returns a scalar tensor, which can itself be differentiated
    with respect to the discriminator's weights.
    """
    ### BEGIN SOLUTION
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)  # (B, ...)
    return slope.flatten(1).square().sum(dim=1).mean()
    ### END SOLUTION


# %% penalty-check
r1_penalty = checks.accept("slope-penalty", r1_penalty)

# %% [markdown] penalty-hints
# <details><summary>Hint 1</summary>
#
# `x = x.detach().requires_grad_()` makes samples whose gradient can be asked for. Differentiate the *sum* of the
# logits: each sample's row is the gradient of its own logit.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `(slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)`: the comma takes the one tensor out of
# the tuple. Then `flatten(1)`, squares, a sum over dimension 1, a mean over the batch.
#
# </details>

# %% [markdown] sweep-intro
# Now the **sweep**: the learning rates of the fast generator, with several weights. (With seed 10, the weight 0 is the
# run above.) Add weights of your own, then run the cell again with another `seed`. Where does the penalty begin to
# help?

# %% sweep
gammas, seed = (0.0, 1.0, 3.0, 10.0), 10  # add weights of your own; another seed is another run
sweep = {}
for gamma in gammas:
    penalty = (lambda net, x, gamma=gamma: gamma / 2 * r1_penalty(net, x)) if gamma else None
    known = seed == 10 and not gamma  # the run above
    sweep[gamma] = films["fast G"] if known else play(3e-3, 3e-4, penalty, seed=seed)
figure = plt.figure(figsize=(2.6 * len(sweep), 3.3), layout="constrained")
axes = figure.subplots(1, len(sweep), sharey=True, squeeze=False)[0]
for ax, (gamma, film) in zip(axes, sweep.items(), strict=True):
    draw_scene(ax, film[-1], f"gamma {gamma:g}, step 600")
plt.show()

# %% [test] sweep-holds
modes = {gamma: modes_covered(film[-1][0])[0] for gamma, film in sweep.items()}
assert max(modes[0.0], modes[1.0]) <= 2
assert min(modes[3.0], modes[10.0]) >= 5

# %% [markdown] sweep-seen
# Four more runs of each weight: the modes, a mean over steps 600 to 2,400, and the good points at step 2,400. Each is
# the median of the four runs (the lowest to the highest).

# %% sweep-evidence
runs = claims.evidence("10", "ring")
ways = {f"gamma {one}": f"gamma_{one}" for one in ("0", "0.1", "1", "2", "3", "10", "30")} | {"fast D": "faster"}
for name, way in ways.items():
    print(f"{name:9s}: modes {runs.over(f'{way}_mean')!s:22s} good {runs.over(f'{way}_good_2400').percent}")

# %% [test] sweep-evidence-holds
runs = claims.evidence("10", "ring")
for gamma in ("0", "0.1"):
    assert runs.over(f"gamma_{gamma}_mean").high < 1.5
for gamma in ("10", "30"):
    assert runs.over(f"gamma_{gamma}_mean").low > 6
assert min(runs.over(f"{way}_mean").low for way in ("faster", "quick_faster")) > 7
middle = [runs.over(f"gamma_{gamma}_mean") for gamma in ("1", "2", "3")]
assert all(one.low < 1 < 6 < one.high for one in middle)
assert runs.over("gamma_0_good_2400").median > runs.over("gamma_30_good_2400").median
assert runs.over("gamma_10_moved").high < 0.5 < 1.5 < runs.over("gamma_0_moved").low
assert len(runs) == 4

# %% [markdown] sweep-means
# **Without a penalty and with 0.1 the generator collapses in every run; with 10 and 30 it reaches most modes in every
# run.** In our picture it helps from 3 on. Over the four runs 1, 2 and 3 help sometimes. Judge a remedy by a sweep of
# its weight, with several runs of each.
#
# *Good* says nothing about variety: a collapsed generator whose points sit in a heap has many good ones, too.

# %% [markdown] direction-idea
# ## 5. The noise is a code
#
# We load the reference model `gan_fashion`: codes of 64 numbers, trained on 60,000 images of clothes. The same $z$
# always gives the same image. So $z$ is the code of that image, and the generator is the decoder. Does any direction in
# the noise have a meaning?
#
# *We know the code of every image that we generate.* We measure the brightness of 2,000 of them, the mean of the
# pixels, and fit brightness $\approx w \cdot z + b$, by scikit-learn's `LinearRegression`. Along $w$ the fitted
# brightness grows fastest. We make $w$ one unit long (`unit`) and walk along it from seven codes. Does the kind of
# garment stay? (Some generated images are torn and have no clear kind.)

# %% direction
from sklearn.linear_model import LinearRegression

gan = load_reference("gan_fashion", device).eval()
z_many = torch.randn(3000, 64, generator=g)
x_many = decode_dataset(gan, z_many)  # (3000, 1, 28, 28)
bright = x_many.mean(dim=(1, 2, 3))  # (3000,)
line = LinearRegression().fit(z_many[:2000], bright[:2000])
explained = line.score(z_many[2000:], bright[2000:].numpy())  # share of the variance explained in fresh images
unit = F.normalize(torch.tensor(line.coef_, dtype=torch.float32), dim=0)  # (64,)
walk = {move: decode_dataset(gan, z_many[2000:2007] + move * unit) for move in (-2, -1, 0, 1, 2)}
print(f"of the variance of brightness the line explains {explained:.0%}, in 1,000 fresh images")
for k in (5, 7, 2, 4):
    print(f"brightness of {test.class_names[k]} in the data: {x_test[test.labels == k].mean():.2f}")
plots.image_rows({f"z {move:+d} w": x for move, x in walk.items()})
plt.show()

# %% [test] direction-holds
assert 0.65 < explained < 0.85
assert walk[-2].mean() + 0.15 < walk[2].mean()
means = [x_test[test.labels == k].mean() for k in (5, 7, 2, 4)]
assert max(means[:2]) < 0.6 * min(means[2:])
evidence = claims.evidence("10", "direction")
assert evidence.over("kept_2").high < 0.35 < 0.59 < evidence.over("random_kept_2").low

# %% [markdown] direction-seen
# The images become brighter from row to row. The kind does not stay: at $-2$ four of seven are shoes, at $+2$ all are
# pullovers, shirts or coats. In the data shoes are dark and pullovers bright, so the direction also leads from the ones
# to the others.
#
# **A line fitted to generated images finds a direction for brightness.** With three other sets of codes of the
# same GAN it explained {{claim direction.explained% codes=2000}} of the variance of brightness. But moved by 2, up or
# down, only {{claim direction.kept_2% codes=2000}} of the images keep their kind, as a classifier names it. Along a
# random direction, moved by 2 as well, {{claim direction.random_kept_2% codes=2000}} keep it.

# %% [markdown] direction-task
# ### Exercise 4: a slider along the direction
#
# *Easy, about 4 minutes.* With a `FloatSlider` as slider, `interactive(show, amount=slider)` calls `show(amount)`
# whenever it moves, and shows what `show` draws. `show` draws one row by
# `plots.image_rows({"name": images})` and ends with `plt.show()`.


# %% direction-control
from ipywidgets import FloatSlider, interactive


def noise_direction_slider(model, z, direction):
    """A slider, and the images of the codes z + amount * direction.

    Args:
        model: A model with `decode`.
        z: Codes, (B, D); the same at every amount.
        direction: (D,).

    Returns:
        What interactive returns: a FloatSlider from -3 to 3 that starts at 0, and the images.
    """
    ### BEGIN SOLUTION

    def show(amount):
        plots.image_rows({f"{amount:.1f}": decode_dataset(model, z + amount * direction)})
        plt.show()

    return interactive(show, amount=FloatSlider(value=0, min=-3, max=3))
    ### END SOLUTION


# %% direction-check
noise_direction_slider = checks.accept("noise-direction-slider", noise_direction_slider)
control = noise_direction_slider(gan, z_many[2000:2007], unit)
control

# %% [markdown] direction-hints
# <details><summary>Hint</summary>
#
# Inside, write `def show(amount):` with two lines: `plots.image_rows({"name": decode_dataset(model, z + amount *
# direction)})`, then `plt.show()`. The last line is
# `return interactive(show, amount=FloatSlider(value=0, min=-3, max=3))`.
#
# </details>

# %% [markdown] changes
# ## What changed, and what did not
#
# | from a VAE to a GAN | |
# |---|---|
# | **changed** | no likelihood and no bound: a second network compares samples with data |
# | **changed** | no encoder: we know the codes of generated images only |
# | **changed** | training is a game, which need not come to rest |
# | **did not change** | codes are drawn from $N(0, I)$, and a decoder turns them into images |
#
# ## Limits
#
# On the ring we tried one cause of collapse, a fast generator. On clothes we tried one direction.
#
# ## Quiz
#
# **1.** From the first step on, the discriminator's loss stays near $2 \log 2 \approx 1.39$. Are the fakes perfect?
#
# <details><summary>Answer</summary>
#
# Its logits are near 0. So it cannot tell fakes from real samples, or it does not learn at all, for example because its
# weights are not in the optimizer. Look at samples.
#
# </details>
#
# **2.** You forget `detach()`, but call `zero_grad()` before each `backward()`, and make the fakes anew for the second
# half. What goes wrong?
#
# <details><summary>Answer</summary>
#
# Only time is lost: the wrong gradients on the generator are cleared before its step.
#
# </details>
#
# **3.** "We tried R1 with gamma = 0.1. It did not prevent mode collapse." What would you ask?
#
# <details><summary>Answer</summary>
#
# What happened with larger weights, at which learning rates, in how many runs.
#
# </details>
#
# ## Summary
#
# * $L_D = \overline{\mathrm{softplus}(-l(x))} + \overline{\mathrm{softplus}(l(G(z)))}$, with the fakes detached.
#   $L_G = \overline{\mathrm{softplus}(-l(G(z)))}$, not detached, after the discriminator's step.
# * In the smallest game the pair turns around its goal; with a penalty on the slope it comes to rest.
# * Mode collapse: a generator ten times as fast as its discriminator put its points together. A discriminator faster
#   than its generator helped. So did $\tfrac\gamma2 R_1$, $R_1 = \overline{\lVert \nabla_x l(x) \rVert^2}$ at real
#   samples, with $\gamma$ of 10 or 30, not of 0.1.
# * Noise is a latent space without an encoder: generated images come with their codes. A line fitted to them finds a
#   direction for brightness here. It changes the kind of garment too.
#
# Here the core of the lesson ends. Each section below stands by itself and can be skipped.

# %% [markdown] bug-idea
# ## Further: find the bug
#
# Here is a training script of the kind that is often found in public repositories. It runs without an error. One pair
# of its numbered lines does not fit together, so one of the two has to change.


# %% bug-script
def public_training(ring, steps):
    """A GAN on the ring, copied from somewhere; returns the losses of each step, and D."""
    G = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 2))  # line 1
    D = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1), nn.Sigmoid())  # line 2
    bce = nn.BCEWithLogitsLoss()  # line 3
    opt_g, opt_d = (torch.optim.Adam(net.parameters(), lr=3e-3) for net in (G, D))  # line 4
    losses = []
    for _ in range(steps):
        x = ring[torch.randint(len(ring), (128,))]  # line 5
        fake = G(torch.randn(128, 2))  # line 6
        loss_d = bce(D(x), torch.ones(128, 1)) + bce(D(fake.detach()), torch.zeros(128, 1))  # line 7
        opt_d.zero_grad(), loss_d.backward(), opt_d.step()  # line 8
        loss_g = bce(D(fake), torch.ones(128, 1))  # line 9
        opt_g.zero_grad(), loss_g.backward(), opt_g.step()  # line 10
        losses.append((loss_d.item(), loss_g.item()))
    return torch.tensor(losses), D


# %% [markdown] bug-symptoms
# First the **symptoms**. We make the task easy for the discriminator: the real points are moved far away, to $(4, 4)$.
# The cell prints its lowest loss in 300 steps, and between which numbers its outputs lie at 1,000 points all over the
# plane. With logits of 0 its loss is $2 \log 2 = 1.386$, and a perfect discriminator's is 0. What is odd?

# %% bug-run
seed_everything(10)
losses, net = public_training(ring + 4, 300)
outputs = net(10 * torch.randn(1000, 2, generator=g)).detach()
print(f"loss of the discriminator: {losses[0, 0]:.3f} at first, {losses[:, 0].min():.3f} at its lowest")
print(f"outputs of D: from {outputs.min():.3f} to {outputs.max():.3f}")
print(f"softplus(-1) + softplus(0) = {math.log(1 + math.exp(-1)) + math.log(2):.3f}")

# %% [test] bug-run-holds
assert losses[:, 0].min() > 1.006
assert 0 <= outputs.min() < 0.1 < outputs.max() <= 1

# %% [markdown] bug-task
# ### Exercise 5: which line?
#
# *Medium, about 8 minutes.* The symptoms: the loss stays far above 0, and no output of `D` is below 0 or above 1. The
# last line of the output is the lowest loss that such outputs allow. Return two things: the number of the line that you
# change, and the mended line as text, without the comment.


# %% bug-exercise
def find_the_bug():
    """The number of the line that you change, and the mended line in quotation marks."""
    ### BEGIN SOLUTION
    return 2, "D = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))"
    ### END SOLUTION


# %% bug-check
find_the_bug = checks.accept("find-the-bug-gan", find_the_bug)

# %% [markdown] bug-hints
# <details><summary>Hint 1</summary>
#
# A logit can be any number: 10 for a sample that is surely real, -10 for a fake. Which line keeps `D` from saying so?
#
# </details>
# <details><summary>Hint 2</summary>
#
# How many sigmoids are there between the last linear layer and the logarithm? `BCEWithLogitsLoss` has one inside.
#
# </details>

# %% [markdown] value-idea
# ## Further: the game of one value
#
# Goodfellow et al. (2014) wrote the game with one number, the value
#
# $$V = \mathbb{E}_{x \sim p}[\log D(x)] + \mathbb{E}_{z}[\log(1 - D(G(z)))], \qquad D = \mathrm{sigmoid}(l) .$$
#
# $p$ is the density of the real samples, $q$ that of the generated ones. The discriminator makes $V$ as large as
# possible, the generator as small as possible: a [[minimax game]]. $-V$ is $L_D$. What is the best that a
# discriminator can do against a fixed generator? At a point $x$ it maximises $p(x) \log D + q(x) \log(1 - D)$. The
# derivative is 0 at
#
# $$D^*(x) = \frac{p(x)}{p(x) + q(x)} .$$
#
# Put this into $V$. With $m = \tfrac12 (p + q)$ we have $D^* = p / (2m)$ and $1 - D^* = q / (2m)$, so
#
# $$V(D^*, G) = \mathrm{KL}(p \| m) + \mathrm{KL}(q \| m) - 2 \log 2 = 2\,\mathrm{JSD}(p, q) - 2 \log 2 .$$
#
# The **[[Jensen-Shannon divergence]]** JSD is the mean of the two KLs. It is 0 only if $p = q$, and never more than
# $\log 2$. We check both formulas where $p$ and $q$ are known, two normal distributions on a line. A small network
# learns from samples alone.


# %% value-densities
def jensen_shannon(p, q, x):
    """JSD of two densities given on a fine lattice x, in nats, by the trapezoidal rule."""
    m = ((p + q) / 2).clamp(min=1e-300)  # where both are 0 they add nothing
    to_m = (torch.trapezoid(torch.special.xlogy(density, density / m), x) for density in (p, q))
    return sum(to_m).item() / 2


def normal(x, mean, std):
    """Density of N(mean, std^2)."""
    return torch.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def draw(n):
    """Real samples from N(1, 0.5^2) and "fake" ones from N(-0.5, 1), each (n, 1)."""
    return 1 + 0.5 * torch.randn(n, 1, generator=g), -0.5 + torch.randn(n, 1, generator=g)


def value_terms(judge, x, x_fake):
    """log D(x) + log(1 - D(x_fake)), pair by pair."""
    return -F.softplus(-judge(x)) - F.softplus(judge(x_fake))


# %% value-run
seed_everything(10)
judge = mlp(1, 1)
optimizer = torch.optim.Adam(judge.parameters(), lr=3e-3)
for _ in range(400):
    loss = -value_terms(judge, *draw(1000)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
grid = torch.linspace(-6, 6, 2401, dtype=torch.float64)
p, q = normal(grid, 1.0, 0.5), normal(grid, -0.5, 1.0)
with torch.no_grad():
    learned = torch.sigmoid(judge(grid.float()[:, None]))[:, 0]
    terms = value_terms(judge, *draw(100_000))
value, error = terms.mean().item(), terms.std().item() / math.sqrt(len(terms))
bound = 2 * jensen_shannon(p, q, grid) - 2 * math.log(2)
print(f"value of the game on 100,000 fresh pairs {value:.4f} (standard error {error:.4f})")
print(f"2 JSD - 2 log 2 by integration           {bound:.4f}")

# %% [test] value-holds
assert bound - 0.02 < value < bound + 4 * error
assert (learned - p / (p + q))[(p + q) > 0.04].abs().max() < 0.12

# %% [markdown] value-figure-intro
# Left: where do the best and the learned discriminator differ? Right: we move $q = N(s, 1)$ away from $p = N(0, 1)$.
# Where is the divergence flat?

# %% value-figure
shifts = torch.linspace(0, 10, 41)
wide = torch.linspace(-10, 20, 6001, dtype=torch.float64)
apart = [jensen_shannon(normal(wide, 0.0, 1.0), normal(wide, s, 1.0), wide) for s in shifts.tolist()]
figure, axes = plt.subplots(1, 2, figsize=(9.8, 3.8), layout="constrained")
lines = {"p, real": (p, 0), "q, fake": (q, 2), "p / (p + q)": (p / (p + q), 4), "D, learned": (learned, 1)}
series = [plots.Series(name, grid, y, color=color) for name, (y, color) in lines.items()]
plots.draw_chart(plots.Chart(series, (-4, 4), (0, 1.05), "x", "density, or probability of real"), ax=axes[0])
series = [plots.Series("JSD(p, q)", shifts, apart), plots.Series("log 2", [0, 10], [math.log(2)] * 2, color=3)]
plots.draw_chart(plots.Chart(series, (0, 10), (0, 0.8), "distance between the means", "nats"), ax=axes[1])
plt.show()

# %% [test] value-figure-holds
assert apart[20] > 0.95 * math.log(2)  # at a distance of 5
assert apart[40] - apart[30] < 1e-3

# %% [markdown] value-seen
# The learned curve follows the best one up to about $x = 2$. Beyond it lie only 2% of the real samples. Five standard
# deviations apart the divergence has nearly reached $\log 2$ and is flat. So a generator that is far from the data gets
# little gradient from $V$ if its discriminator is close to the best.

# %% [markdown] saturating-idea
# ## Further: two losses for the generator
#
# In the game of one value the generator minimises the mean of $\log(1 - D(G(z))) = -\mathrm{softplus}(l)$. This is
# called the *saturating* loss; ours is the [[non-saturating|non-saturating loss]] one. Their derivatives with respect
# to the logit $l$ of one fake:
#
# | loss | per sample | derivative | at $l = 0$ | for $l \to -\infty$ |
# |---|---|---|---|---|
# | saturating | $-\mathrm{softplus}(l)$ | $-\mathrm{sigmoid}(l)$ | $-\tfrac12$ | 0 |
# | non-saturating | $\mathrm{softplus}(-l)$ | $-\mathrm{sigmoid}(-l)$ | $-\tfrac12$ | $-1$ |
#
# Both push the logit up, equally hard at $l = 0$. Where the discriminator is sure of a fake, the saturating loss pushes
# hardly at all. Measured: the generator stands still, and the discriminator alone learns to tell its points from the
# ring. How long would the gradient on the generator's weights be?


# %% saturating
def saturating_loss(discriminator, x_fake):
    """The generator's side of the game of one value: mean log(1 - D(x_fake))."""
    return -F.softplus(discriminator(x_fake)).mean()


def non_saturating_loss(discriminator, x_fake):
    """Ours: -mean log D(x_fake)."""
    return F.softplus(-discriminator(x_fake)).mean()


def gradient_norm(loss, weights):
    """Length of the gradient of a loss over all weights."""
    return torch.cat([part.flatten() for part in torch.autograd.grad(loss, weights)]).norm().item()


seed_everything(10)
still, judge = mlp(2, 2), mlp(2, 1)
optimizer, weights, strength = torch.optim.Adam(judge.parameters(), lr=1e-3), list(still.parameters()), {}
for step in range(401):
    x, z = ring[torch.randint(len(ring), (256,), generator=g)], torch.randn(256, 2, generator=g)
    if step % 100 == 0:
        weak, strong = (
            gradient_norm(loss(judge, still(z)), weights) for loss in (saturating_loss, non_saturating_loss)
        )
        strength[step] = weak, strong
        print(f"step {step:3d}: gradient {weak:.3f} saturating, {strong:.3f} non-saturating: {strong / weak:.1f} times")
    loss = F.softplus(-judge(x)).mean() + F.softplus(judge(still(z).detach())).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %% [test] saturating-holds
assert abs(strength[0][0] / strength[0][1] - 1) < 0.2
assert strength[400][1] > 10 * strength[400][0]

# %% [markdown] saturating-seen
# At step 0 the two are alike. In this run the saturating gradient first grows, because the discriminator gets steeper,
# and then falls; the other goes on growing.
#
# In the smallest game the two losses differ in another way. Let both players move at the same speed, in infinitely
# small steps, and write a dot for the derivative with respect to time: $\dot\psi =
# -\theta\,\mathrm{sigmoid}(\psi\theta)$, and $\dot\theta = \psi\,\mathrm{sigmoid}(\psi\theta)$ (saturating) or
# $\psi\,\mathrm{sigmoid}(-\psi\theta)$ (ours). Then
#
# $$\tfrac{d}{dt}\,\tfrac12(\theta^2 + \psi^2) = \theta\,\dot\theta + \psi\,\dot\psi = \begin{cases} 0 &
# \text{saturating} \\ -\psi\theta \tanh(\psi\theta/2) \le 0 & \text{non-saturating.} \end{cases}$$
#
# So with the saturating loss the distance from the goal stays as it is, and with ours it slowly falls. Finite steps
# push both outwards, the more the larger they are. The cell prints the distance from the goal at the end, from a
# distance of 1 at first, over three starts. *Step* is the learning rate, and *time* is the step times the number of
# steps. The last column is our loss with the penalty of section 4, $\gamma = 0.3$.

# %% saturating-evidence
runs = claims.evidence("10", "smallest-game")
for step, time in ((step, time) for step in (0.2, 0.02, 0.002) for time in (300, 1200)):
    ours, theirs, rest = (runs.over(loss, step=step, time=time) for loss in ("non_saturating", "saturating", "with_r1"))
    print(f"step {step}, time {time}: ours {ours}, saturating {theirs}, with R1 {rest.median:.0e}")

# %% [markdown] plane-idea
# ## Further: between the heaps
#
# The codes $z$ form one connected cloud, the data eight separate heaps. A continuous function cannot tear a cloud
# apart. So what does the generator of the pair *fast D* (section 3) do? Left: its points, the ones that are not good as
# grey crosses. Right: the codes of the same points. How are the codes of the eight heaps arranged?

# %% plane
points = films["fast D"][-1][0]
distance, nearest = torch.cdist(points, centres).min(dim=1)
bad = distance > 0.15
figure, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
for ax, where, names in ((axes[0], points, ("x[0]", "x[1]")), (axes[1], z_fixed, ("z[0]", "z[1]"))):
    ax.scatter(*where[bad].T, s=30, color="0.5", marker="x", linewidths=1.2)
    for k in range(8):
        mine = where[(nearest == k) & ~bad]
        ax.scatter(*mine.T, s=26, color=plots.PALETTE[k], marker=plots.MARKERS[k], linewidths=0)
    ax.set(xlabel=names[0], ylabel=names[1], aspect="equal")
plt.show()
print(f"{bad.float().mean():.0%} of the points are not good")

# %% [test] plane-holds
assert 0.1 < bad.float().mean() < 0.8

# %% [markdown] plane-seen
# The codes of each heap form a sector, like a slice of a cake. Neighbours on the ring are neighbours in the plane. In
# this run about half of the points are good. In four more runs {{claim ring.faster_good_600%}} were good at step 600,
# and {{claim ring.faster_good_2400%}} at step 2,400. Some points between the heaps stay: on each path between two
# codes of different heaps there is a code whose point lies in neither, because the path of the points is continuous.
# It is a matter of [[topology]].

# %% [markdown] machine-idea
# ## Further: a time machine
#
# Two runs of the fast generator, without a penalty and with $\gamma = 3$. Triangles mark where the discriminator's
# logit is higher than at the generated points. Squares are the centres of the data, dots are 200 generated points. The
# lower row counts the covered modes: solid blue without a penalty, dash-dotted red with $\gamma = 3$. The dashed
# vertical line marks the moment that is shown above.
#
# In the runs of section 4 a generated point moved by {{claim ring.gamma_0_moved}} in 30 steps without a penalty, and by
# {{claim ring.gamma_10_moved}} with $\gamma = 10$. That fits the idea of section 4, that the slope sends the points on;
# it does not prove it.

# %% machine
from course_utils import widgets

pair = [gamma for gamma in sweep if gamma in (0.0, 3.0)] or list(sweep)[:2]  # you may have taken other weights
compared = {f"gamma {gamma:g}": sweep[gamma] for gamma in pair}
counted = {name: [modes_covered(points)[0] for points, _ in film] for name, film in compared.items()}
lattice = torch.cartesian_prod(torch.linspace(-1.5, 1.5, 14), torch.linspace(-1.5, 1.5, 14))  # (196, 2)


def scene(name, k):
    """The plane at frame k of one run."""
    points, judge = compared[name][k]
    with torch.no_grad():
        better = lattice[judge(lattice)[:, 0] > judge(points).mean()]
    series = [plots.Series("D is higher here", *better.T, kind="points", color=7)] if len(better) else []
    series += [
        plots.Series("centres of the data", *centres.T, kind="points", color=1),
        plots.Series("G(z)", *points[:200].clamp(-1.5, 1.5).T, kind="points", color=0),
    ]
    return plots.Chart(series, (-1.6, 1.6), (-1.6, 1.6), "x[0]", f"{name}: x[1]")


def moment(step):
    """Both runs at one moment, and their modes up to the end."""
    k, times = round(step / 30), torch.arange(21) * 30
    series = [plots.Series(name, times, modes, color=2 * i) for i, (name, modes) in enumerate(counted.items())]
    series.append(plots.Series("now", 30 * k, kind="markers", color=8))
    modes = plots.Chart(series, (0, 600), (0, 8.5), "step", "modes covered")
    return {name: scene(name, k) for name in compared} | {"modes": modes}


# %% machine-figure
machine = widgets.FunctionSlider(moment, 0, 600, name="step", start=0, step=30, title="Mode-collapse time machine")
machine.static([150, 300, 600])
plt.show()

# %% [markdown] machine-intro
# Move through it. Find two moments at which the generator without a penalty is in two different places.

# %% machine-explorer
machine.move_to(240)
machine

# %% [markdown] step-images-idea
# ## Further: your step on images
#
# The networks follow DCGAN (Radford, Metz and Chintala 2015). The generator enlarges a small map of features twice, the
# discriminator shrinks the image twice. In place of [[transposed convolutions|transposed convolution]] ours move
# channels into pixels ([[pixel shuffle]], `PixelShuffle`), which is faster on a CPU.
#
# The generator has **[[batch normalisation]]** between its layers. Each channel gets mean 0 and variance 1 over the
# *batch*, then a learned scale and shift. This keeps the size of the signals steady while both players change. Its
# price: in training the images of a batch affect each other, so the same $z$ gives another image in another batch.
# After `eval()` running averages take the place of the batch's numbers, and $z$ alone decides.
#
# The discriminator has none. With it, a logit would depend on the other samples of the batch, and the slope that
# `r1_penalty` measures would no longer belong to one sample alone.


# %% image-networks
class Generator(nn.Module):
    """Codes (B, D) to images (B, 1, 28, 28) in [0, 1]. Later lessons use course_utils/models/gan/gan.py."""

    def __init__(self, latent_dim=64, hidden=64):
        super().__init__()
        h = hidden
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, h * 49, bias=False), nn.Unflatten(1, (h, 7, 7)), nn.BatchNorm2d(h), nn.ReLU(),
            nn.Conv2d(h, 2 * h, 3, padding=1, bias=False), nn.PixelShuffle(2),  # (B, h/2, 14, 14)
            nn.BatchNorm2d(h // 2), nn.ReLU(),
            nn.Conv2d(h // 2, h // 2, 3, padding=1, bias=False), nn.BatchNorm2d(h // 2), nn.ReLU(),
            nn.Conv2d(h // 2, 4, 3, padding=1), nn.PixelShuffle(2),  # (B, 1, 28, 28)
        )  # fmt: skip

    def forward(self, z):
        return torch.sigmoid(self.layers(z))


class Discriminator(nn.Module):
    """Images (B, 1, 28, 28) to logits (B,), without batch normalisation."""

    def __init__(self, hidden=32):
        super().__init__()
        h = hidden
        self.layers = nn.Sequential(
            nn.PixelUnshuffle(2), nn.Conv2d(4, h, 3, padding=1), nn.LeakyReLU(0.2),  # (B, h, 14, 14)
            nn.Conv2d(h, 2 * h, 3, stride=2, padding=1), nn.LeakyReLU(0.2),  # (B, 2h, 7, 7)
            nn.Conv2d(2 * h, 2 * h, 3, padding=1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(2 * h * 49, 1),
        )  # fmt: skip

    def forward(self, x):
        return self.layers(2 * x - 1)[:, 0]


# %% [markdown] step-images-intro
# A short training with your `gan_step`: 120 steps of 32 images, with half as many channels as the reference model. Then
# the same four codes in two batches, in training mode and after `eval()`. Adam's first beta is 0, so there is no
# momentum. Momentum goes on using old gradients, which do not fit the other player any more.

# %% step-images
seed_everything(10)
live, judge = Generator(32, hidden=32).to(device), Discriminator(hidden=16).to(device)
optimizers = [torch.optim.Adam(net.parameters(), lr=2e-3, betas=(0.0, 0.99), fused=True) for net in (live, judge)]
batches, steps = train.batches(32, device=device, shuffle=True, generator=g), 0
while steps < 120:
    for x in batches:
        if steps < 120:
            gan_step(live, judge, optimizers, x, torch.randn(len(x), 32, device=device))
        steps += 1
z_live = torch.randn(1000, 32, generator=g).to(device)
with torch.no_grad():
    in_training = [live(torch.cat([z_live[:4], others]))[:4] for others in (z_live[4:32], z_live[32:60])]
    live = live.eval()
    after_eval = [live(torch.cat([z_live[:4], others]))[:4] for others in (z_live[4:32], z_live[32:60])]
    x_live = torch.cat([live(part).cpu() for part in z_live.split(250)])  # (1000, 1, 28, 28)
for name, (a, b) in {"training mode": in_training, "eval mode": after_eval}.items():
    print(f"{name}: the same codes in two batches differ by at most {(a - b).abs().max():.3f} in a pixel")
plots.image_rows({"your step": x_live[:7], "": x_live[7:14], "reference": x_many[:7]})
plt.show()

# %% [test] step-images-holds
assert (in_training[0] - in_training[1]).abs().max() > 0.05
assert (after_eval[0] - after_eval[1]).abs().max() < 1e-4

# %% [markdown] step-images-seen
# After so few steps there are blobs. The reference model was trained for several minutes, with another remedy than R1,
# [[spectral normalisation]]: the weights of each layer of the discriminator are divided by their largest singular
# value.

# %% [markdown] measure-idea
# ## Further: quality and variety, and truncation
#
# This section needs the section "your step on images" above.
#
# A GAN has no likelihood, so its samples and real images are compared as two clouds of points. Pixels are a bad space
# for it. We use 64 features of a classifier that was trained on clothes.
#
# * **[[Frechet distance]]**: it compares the means and the covariances of the two clouds,
#   $\mathrm{FD} = \|m_a - m_b\|^2 + \mathrm{tr}(C_a + C_b - 2 (C_a C_b)^{1/2})$. Small is good. Two sets of *real*
#   images are not at 0 either.
# * **[[Precision]]**: around each real image put a ball that just reaches its third nearest real image. Precision is
#   the share of samples that lie in at least one ball. It asks for quality.
# * **[[Recall]]**: the same with the roles exchanged, the share of real images that lie in a ball around a sample. It
#   asks for variety.


# %% measure-code
def frechet_distance(a, b):
    """Squared Frechet distance of two sets of features, (N, F) and (M, F)."""
    (m_a, c_a), (m_b, c_b) = ((f.mean(dim=0), f.T.cov()) for f in (a.double(), b.double()))
    cross = torch.linalg.eigvals(c_a @ c_b).real.clamp(min=0).sqrt().sum()  # tr (C_a C_b)^(1/2)
    return ((m_a - m_b).square().sum() + c_a.trace() + c_b.trace() - 2 * cross).item()


def share_within(points, centres, k=3):
    """Share of the points that lie in a ball around a centre reaching to its k-th nearest other centre."""
    radius = torch.cdist(centres, centres).kthvalue(k + 1, dim=1).values  # the nearest centre is itself
    return (torch.cdist(points, centres) <= radius).any(dim=1).float().mean().item()


# %% measure
from course_utils.metrics import image_features  # what a classifier sees in images, (N, 64)

classifier = load_reference("classifier_fashion", device)
features = image_features(x_test[:1000], classifier)  # (1000, 64)
candidates = {"other test images": x_test[1000:2000], "reference": x_many[:1000], "your step": x_live}
scores = {}
for name, x in candidates.items():
    f = image_features(x, classifier)
    scores[name] = frechet_distance(f, features), share_within(f, features), share_within(features, f)
    print(f"{name:18s} FD {scores[name][0]:6.1f}, precision {scores[name][1]:.2f}, recall {scores[name][2]:.2f}")

# %% [test] measure-holds
assert scores["other test images"][0] < scores["reference"][0] < scores["your step"][0]
precision, recall = (scores["your step"][k] / scores["reference"][k] for k in (1, 2))
assert recall < precision - 0.1 < 0.9

# %% [markdown] truncation-idea
# Few images make the Frechet distance too large, so compare only what was measured on equally many. And
# precision alone misleads: the blobs of your step lose less of it than of recall.
#
# **[[Truncation]]** draws each number of the code from the normal distribution cut off at $\pm c$. The hope is better
# images for less variety (Brock, Donahue and Simonyan 2019). The function below keeps each number's *[[quantile]]*, the
# share of the distribution below it. $\Phi$ is the [[cumulative distribution function]] of $N(0, 1)$, `ndtr`, and
# `ndtri` its inverse.
#
# Which of the three measures gets better when the limit becomes strict? What happens to the images in the upper rows?


# %% truncation
def truncate(z, limit):
    """Draws from N(0, I) (B, D) made into draws from the normal distribution cut off at -limit and limit."""
    low, high = torch.special.ndtr(torch.tensor([-limit, limit]))
    return torch.special.ndtri(low + (high - low) * torch.special.ndtr(z))


limits, traded, rows = (0.3, 1.0, 2.0, 3.0), {}, {}
for limit in limits:
    z = truncate(z_many[:1000], limit)
    x = decode_dataset(gan, z)
    f = image_features(x, classifier)
    traded[limit] = share_within(f, features), share_within(features, f), frechet_distance(f, features)
    rows[f"limit {limit}"] = x[:7]
    print("limit {}: precision {:.2f}, recall {:.2f}, FD {:.1f}".format(limit, *traded[limit]), end="; ")
    print(f"mean norm of the codes {z.norm(dim=1).mean():.1f}")
plots.image_rows(rows)
plt.show()

# %% [test] truncation-holds
assert traded[0.3][1] < traded[1.0][1] < traded[3.0][1]
assert traded[0.3][0] < traded[1.0][0] - 0.2
assert max(one[0] for one in traded.values()) < traded[3.0][0] + 0.1
assert traded[0.3][2] > 10 * traded[3.0][2]
more = claims.evidence("10", "truncation")
assert more.over("cut_0.3_precision").high > 0.7 > 0.1 > more.over("cut_0.3_precision").low

# %% [markdown] truncation-seen
# In this run no measure gets clearly better. At 2 little changes, at 1 recall falls and the Frechet distance rises, and
# at 0.3 both get much worse. Precision falls at 0.3 too, but that depends on the draw: in three more runs it was
# {{claim truncation.cut_0.3_precision samples=1000}}. (Perhaps one real image has so wide a ball that nearly all of
# these bad images lie in it. We did not look.)
#
# Is the lost variety of the codes the reason, or their [[norm]], at the end of the lines? In 64 dimensions nearly all
# draws from $N(0, I)$ have a norm near $\sqrt{64} = 8$. Truncation moves *all* codes inwards, to norms that hardly
# occurred in training. Two controls, each in three runs with 1,000 samples. *Short codes without a limit*: draws from
# $N(0, I)$, made as short as those with limit 1. *Cut codes at full length*: those with limit 1, each made as long as
# it was before. The recall:
#
# * without truncation {{claim truncation.all_recall samples=1000}}, with limit 1
#   {{claim truncation.cut_1_recall samples=1000}};
# * short codes without a limit {{claim truncation.shorter_1_recall samples=1000}};
# * cut codes at full length {{claim truncation.back_1_recall samples=1000}}.
#
# **So it is the norm of the codes that harms this generator.** At short codes it draws dark, torn or empty images, as
# in the upper rows. It is one generator: others may bear short codes better.

# %% [markdown] copies-idea
# ## Further: has it learned images by heart?
#
# Below each sample we put the training image that is nearest by cosine distance, 1 minus the cosine of the angle
# between two images. As a control, the same for *test* images, which are no copies. (We have 11,000 of the 60,000
# training images here.) Is any sample a copy?

# %% copies
from course_utils.latents import nearest_neighbors  # course_utils/latents.py

rows, far = {}, {}
for name, x in (("sample", x_many[:1000]), ("test", x_test[:1000])):
    number, distance = nearest_neighbors(x, x_train, k=1, metric="cosine")  # each (1000, 1)
    rows |= {name: x[:7], f"nearest to {name}": x_train[number[:7, 0]]}
    far[name] = distance.mean().item()
    print(f"{name:6s}: mean distance to the nearest training image {far[name]:.3f}")
plots.image_rows(rows)
plt.show()

# %% [test] copies-holds
assert len(x_train) == 11_000
assert far["sample"] > far["test"] > 0.06

# %% [markdown] copies-seen
# None of these seven is a copy, and on average samples lie farther from the training images than test images do. In
# three runs of 1,000 the distances were {{claim copies.samples_far images=1000}} and
# {{claim copies.test_far images=1000}}. Some samples are torn or have holes, which makes the distance larger too. And a
# mean does not exclude a single copy. So we also looked at those that are nearest to a training image: one sample in a
# hundred was at {{claim copies.samples_nearest images=1000}} or nearer, and one test image in a hundred at
# {{claim copies.test_nearest images=1000}} or nearer. That is no sign of copies.

# %% [markdown] faces-idea
# ## Further: faces, and a direction for the smile
#
# The reference model `faces64_gan` turns codes of 64 numbers into faces of 64 x 64 pixels. It was trained on 40,000
# *drawn* faces, with equal learning rates and the penalty R1. A drawing of this course is made from 13 known numbers,
# its **handles**: smile, age, light and others. Each handle was chosen at random, independently of the others. A
# second network, `faces64_regressor`, was trained to read the handles from an image. We call it the *reader*.
#
# The cell prints the measures stored with the model: the Frechet distance to test faces, precision and recall (see the
# section about quality and variety), and in brackets what real faces reach.
#
# First: are the generated faces copies? Below each of six we put the nearest of 1,000 training faces. (We take only
# 1,000 of the 40,000, to save time.) *Nearest* is measured in 128 features, the last hidden layer of the reader.

# %% faces
from course_utils.checkpoints import checkpoint_dir, read_card
from course_utils.data.faces import HANDLES, sample_faces  # course_utils/data/faces/
from course_utils.recipes.faces64 import read_handles  # the reader on 250 images at a time, (N, 13)

face_gan, reader = load_reference("faces64_gan", device).eval(), load_reference("faces64_regressor", device).eval()
z_faces = torch.randn(600, 64, generator=torch.Generator().manual_seed(4))
x_faces = decode_dataset(face_gan, z_faces)  # (600, 3, 64, 64)
known = sample_faces(1000, seed=0, size=64).pixels()  # the first 1,000 training faces
strangers = sample_faces(200, seed=1, size=64).pixels()  # no model has seen these


def face_features(x):
    """What the reader sees in faces, (N, 128)."""
    with torch.no_grad():
        return torch.cat([reader.features(part.to(device)).cpu() for part in x.split(250)])


card = read_card(checkpoint_dir() / "faces64_gan.json")["metrics"]
print(", ".join(f"{what} {card[what]} ({card[f'floor_{what}']})" for what in ("frechet", "precision", "recall")))
seen = face_features(known)
far, number = {}, {}
for name, x in (("generated", x_faces[:200]), ("test", strangers)):
    distance, number[name] = torch.cdist(face_features(x), seen).min(dim=1)
    far[name] = distance.mean().item()
    print(f"{name:9s} faces: mean distance to the nearest training face {far[name]:.2f}")
_, ax = plt.subplots(figsize=(9.4, 3.1), layout="constrained")
plots.image_rows({"generated": x_faces[:6], "nearest": known[number["generated"][:6]]}, ax=ax)
plt.show()

# %% [test] faces-hold
assert far["generated"] > 0.9 * far["test"]
assert known.shape == (1000, 3, 64, 64)

# %% [markdown] faces-seen
# None of the six is a copy: each differs visibly from its nearest face, in hair, background or mouth. Generated faces
# lie about as far from training faces as test faces do. In three more draws, with 2,000 training faces, the mean
# distance was {{claim face-copies.generated_far training=2000}} for generated faces and
# {{claim face-copies.test_far training=2000}} for test faces. (A mean does not exclude a single copy, and we did not
# search all training faces.)

# %% [markdown] smile-idea
# Now a direction for the smile, as in section 5. The reader says how much each generated face smiles, from -1 to 1. We
# fit a line to 500 faces. Upper row: one face, moved along the fitted direction. Lower row: the same face, moved along
# a random direction of the same length. Which row changes more than the mouth?

# %% smile
smile = read_handles(reader, x_faces)[:, list(HANDLES).index("smile")]  # (600,)
line = LinearRegression().fit(z_faces[:500], smile[:500])
share = line.score(z_faces[500:], smile[500:].numpy())
print(f"of the variance of the smile the line explains {share:.0%}, in 100 fresh faces")
to_smile = F.normalize(torch.tensor(line.coef_, dtype=torch.float32), dim=0)  # (64,)
aside = F.normalize(torch.randn(64, generator=torch.Generator().manual_seed(4)), dim=0)
moves = torch.linspace(-2, 2, 6)[:, None]
rows = {name: decode_dataset(face_gan, z_faces[0] + moves * step) for name, step in
        (("smile", to_smile), ("random", aside))}  # fmt: skip
_, ax = plt.subplots(figsize=(9.4, 3.3), layout="constrained")
plots.image_rows(rows, column_titles=[f"{move:+.1f}" for move in moves[:, 0].tolist()], ax=ax)
plt.show()
print("the reader on the upper row: smile", [f"{value:+.2f}" for value in read_handles(reader, rows["smile"])[:, 0]])

# %% [markdown] smile-what-else
# What else changes? The reader measures 100 fresh faces at $-2$ and at $+2$. The change of each handle is given as a
# share of that handle's range, and without its sign.

# %% smile-changes
span = torch.tensor([handle.high - handle.low for handle in HANDLES.values()])
changes = {}
for name, step in (("smile", to_smile), ("random", aside)):
    low, high = (read_handles(reader, decode_dataset(face_gan, z_faces[500:] + move * step)) for move in (-2, 2))
    changes[name] = dict(zip(HANDLES, ((high - low) / span).abs().mean(dim=0).tolist(), strict=True))
    print(f"{name}:", ", ".join(f"{handle} {change:.0%}" for handle, change in changes[name].items()))

# %% [test] smile-holds
assert changes["smile"]["smile"] > 0.7
assert max(change for handle, change in changes["smile"].items() if handle != "smile") < 0.15
assert max(changes["random"].values()) > 0.15

# %% [markdown] smile-seen
# Along the fitted direction this face goes from corners turned down to a wide smile, and little else changes. In six
# more runs, three with 500 codes and three with 2,000, the smile changed by {{claim smile.smile%}} of its range, and
# the largest change of another handle was {{claim smile.largest%}}. Along a random direction the largest was
# {{claim smile.random_largest%}}.
#
# Why does the smile leave the rest alone, when brightness took the kind of garment with it? A likely reason is in the
# data: the handles of the drawn faces are independent of each other, but dark clothes are mostly shoes. (We did not
# train a GAN on faces with tied handles, so this is not tested.) And the reader sees only what it was trained to read.

# %% [markdown] explorer-idea
# ## Further: two sliders tied together
#
# Our explorer walks along the direction of section 5. It also moves 300 images in the same way, and shows how many of
# each kind a classifier sees among them. `jslink` ties it to your slider: move one, and the
# other follows. Which kinds are left at both ends?

# %% explorer
from ipywidgets import VBox, jslink

from course_utils import widgets

namer = load_reference("classifier_fashion", device)


def kinds_at(move):
    """Three images at a move along the direction, and how many of 300 are of each kind."""
    x = decode_dataset(gan, z_many[2000:2300] + move * unit)
    kinds = torch.bincount(namer(x.to(device)).argmax(dim=1).cpu(), minlength=10)
    bars = [plots.Series("images of 300", range(10), kinds, kind="bars")]
    chart = plots.Chart(bars, (-0.6, 9.6), (0, 150), "kind: 0 T-shirt ... 9 boot", "images")
    return {"kinds": chart} | {f"code {k + 1}": x[k] for k in range(3)}


walker = widgets.FunctionSlider(kinds_at, -3, 3, name="move along w", start=0, step=0.25, title="Brightness and kind")
walker.static([-2, 0, 2])
plt.show()
print({k: name for k, name in enumerate(test.class_names)})

# %% [test] explorer-holds
low, high = (kinds_at(move)["kinds"].series[0].y for move in (-2.0, 2.0))
assert max(low.max(), high.max()) <= 150
assert low[[5, 7, 9]].sum() > 150  # sandals, sneakers and boots
assert high[[2, 4, 6]].sum() > 150  # pullovers, coats and shirts

# %% [markdown] explorer-intro
# At $-2$ about 200 of 300 are sandals, sneakers or boots, and about 60 are trousers. At $+2$ about 210 are pullovers,
# coats or shirts. In a running notebook the slider and the explorer move together.

# %% explorer-tied
(slider,) = widgets.sliders_in(control)  # course_utils/widgets/boxes.py
jslink((slider, "value"), (walker, "value"))
VBox([getattr(control, "widget", control), walker])  # interact keeps its box of widgets as `widget`

# %% [markdown] inversion-idea
# ## Further: inversion, an encoder by search
#
# Without an encoder, the code of a *given* image has to be searched for. This is called **[[inversion]]**:
#
# $$z^* = \arg\min_z \|G(z) - x\|^2 .$$
#
# $G$ is differentiable, so we start somewhere and follow the gradient. What is optimised is the code. The weights of
# the generator stay as they are.

# %% [markdown] inversion-task
# ### Exercise 6: inversion
#
# *Medium, about 12 minutes.* Use Adam with the given learning rate. Each image has its own code and its own error.


# %% inversion-exercise
def find_codes(generator, x, z_start, steps, lr=0.1):
    """Search for codes whose images are near the given ones, by Adam on the codes.

    Args:
        generator: Function of codes (B, D) to images (B, C, H, W).
        x: Images, (B, C, H, W).
        z_start: Where the search begins, (B, D).
        steps: Number of steps.
        lr: Adam's learning rate.

    Returns:
        z, the codes after the last step, (B, D), without gradient; and the squared error of each image, summed over its
        pixels, before every step, (steps, B).
    """
    ### BEGIN SOLUTION
    z = z_start.clone().requires_grad_()
    optimizer = torch.optim.Adam([z], lr=lr)
    errors = []
    for _ in range(steps):
        error = (generator(z) - x).square().sum(dim=(1, 2, 3))  # (B,)
        optimizer.zero_grad()
        error.sum().backward()
        optimizer.step()
        errors.append(error.detach())
    return z.detach(), torch.stack(errors)
    ### END SOLUTION


# %% inversion-check
find_codes = checks.accept("invert-generator", find_codes)

# %% [markdown] inversion-hints
# <details><summary>Hint 1</summary>
#
# `z = z_start.clone().requires_grad_()` makes a leaf that Adam can move: `torch.optim.Adam([z], lr=lr)`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# In the loop: the error of each image, `(B,)`; `zero_grad`; `error.sum().backward()`; `step`. Keep `error.detach()` for
# the curve. Return `z.detach()`.
#
# </details>

# %% [markdown] inversion-intro
# Four images: two *generated* ones, from codes that we know, so a perfect answer exists; a *test* image; and a
# *strange* one, a boot upside down. For each image four searches from random codes, 150 steps.
#
# Then we search on: from the best of the four codes, with [[L-BFGS]], a method that also uses how the gradient changes.
# To save time it searches for all four codes at once. Are the true codes found? As a yardstick, two draws from
# $N(0, I)$ in 64 dimensions are about $\sqrt{128} = 11.3$ apart.

# %% inversion
gan.requires_grad_(False)  # only codes are searched for
boot, bag = (x_test[test.labels == k][1] for k in (9, 8))
sought = torch.cat([x_many[:2], boot[None], boot.flip(1)[None]]).to(device)  # (4, 1, 28, 28)
starts = torch.randn(4 * 4, 64, generator=torch.Generator().manual_seed(0)).to(device)
found, errors = find_codes(gan.decode, sought.repeat(4, 1, 1, 1), starts, steps=150)
errors = errors.view(150, 4, 4).cpu()
best = errors[-1].argmin(dim=0)  # (4,): which of the four searches won
z_adam = found.view(4, 4, 64)[best, torch.arange(4)].clone()  # (4, 64)
print("best of four, squared error after 150 steps:", [f"{e:.2f}" for e in errors[-1].amin(dim=0).tolist()])

# %% inversion-end
z_end = z_adam.clone().requires_grad_()
search = torch.optim.LBFGS([z_end], max_iter=400, history_size=20, line_search_fn="strong_wolfe")


def closure():
    """The sum of the four errors and its gradient, as often as the search asks for them."""
    search.zero_grad()
    error = (gan.decode(z_end) - sought).square().sum()
    error.backward()
    return error


search.step(closure)
z_end = z_end.detach()
end_errors = (gan.decode(z_end) - sought).square().sum(dim=(1, 2, 3)).tolist()
print("squared error after L-BFGS:", [f"{e:.4f}" for e in end_errors])
for name, z in (("Adam", z_adam), ("L-BFGS", z_end)):
    print(f"distance to the two true codes, {name}:", (z[:2].cpu() - z_many[:2]).norm(dim=1))
plots.image_rows({"sought": sought.cpu(), "found": decode_dataset(gan, z_end.cpu())})
plt.show()

# %% [test] inversion-holds
assert max(end_errors[:2]) < min(end_errors[2:])
more = claims.evidence("10", "inversion")
assert sorted(more.over("found", steps=400).values) == [0, 1, 1]
assert sorted(more.over("farthest", steps=400).values)[1] < 0.01 < 6 < more.over("nearest", steps=400).high
true = z_many[:2].to(device)
assert ((z_end[:2] - true).norm(dim=1) < (z_adam[:2] - true).norm(dim=1)).any()

# %% [markdown] inversion-means
# In this run Adam's errors are small and its codes far from the true ones. L-BFGS makes the errors smaller and brings
# both codes a little nearer. Is the answer not unique, or is the search too short? In three more draws, with two
# generated and two test images each, we searched for each image alone.
#
# * *A search that is stopped early does not show whether the answer is unique.* After 100 steps of Adam and 133 of
#   L-BFGS the code nearer to its true one was {{claim inversion.nearest steps=100}} away from it. After four times as
#   many steps of both, in two of the three draws both true codes were found, within 0.01.
# * A search can still be on its way, or end in a place that is only locally the best. In the third draw neither code
#   was found: both were more than 6 away. So start more than once, and search long.
# * *The test images keep an error.* The smaller one of the two was {{claim inversion.test_lowest steps=100}} after the
#   shorter search, and {{claim inversion.test_lowest steps=400}} after the longer one.
#
# All this is one generator's.
#
# With a search as its encoder a GAN fits every explorer of this course: `gan.encode(x)` runs one. A walk between two
# test images, a boot and a bag, with the VAE of lesson 04 beside it. Which is sharper on the way, and which is more
# faithful at the ends?

# %% path
from course_utils import widgets

vae = load_reference("vae_16d", device)
path = widgets.PathSlider({"GAN": gan, "VAE": vae}, boot, bag)
path.static(5)
plt.show()

# %% [markdown] path-seen
# On the way the images of the GAN are sharper. At the boot, an open shoe, neither is faithful. Both lose the gap in its
# side: the GAN fills it sharply, the VAE with a blur.
#
# We repeated this with six other pairs in each of three draws. We measured the sharpness of the images on the straight
# walk, as a share of that of the two photographs. It was {{claim path.gan_sharpness% steps=100}} for the GAN,
# {{claim path.vae_16d_sharpness% steps=100}} for this VAE, and {{claim path.vae_beta_0.1_sharpness% steps=100}} for the
# sharper VAE with $\beta = 0.1$. On arcs the GAN was ahead too.
#
# **Which model is more faithful at the ends depends on how long the GAN searches.** `gan.encode` is one search of 100
# steps: its squared error was {{claim path.gan_error steps=100}}, and the VAE's {{claim path.vae_16d_error steps=100}}.
# With 400 steps the GAN's was {{claim path.gan_error steps=400}}. This is one GAN and two VAEs, and the codes of the
# GAN have 64 numbers, those of the VAEs 16.

# %% path-explorer
path.move_to(0.5)
path

# %% [markdown] comparison-idea
# ## Further: four remedies on clothes
#
# For images one has to measure. One command of this repository trains the same networks for the same processor time,
# with four pairs of loss and remedy and with no remedy, and compares 10,000 samples with the test images. (Remedies
# that restrain a network are called [[regularisation]].) Spectral normalisation became known together with the
# **[[hinge loss]]**: the discriminator minimises $\overline{\max(0, 1 - l(x))} + \overline{\max(0, 1 + l(\hat x))}$,
# and the generator $-\overline{l(\hat x)}$, with $\hat x = G(z)$. The *floor* is the distance of 10,000 real images
# from 10,000 others. Look at the spread between the two seeds.

# %% comparison
from course_utils import stored
from course_utils.files import data_dir

comparison, _ = stored.read(data_dir() / "gan_comparison")  # verified; made by the command in its first line
print(f"{comparison['seconds']:g} s of processor time each; floor {comparison['floor']:.1f}; {comparison['command']}")
for way in comparison["ways"]:
    fds, steps = ", ".join(f"{value:.0f}" for value in way["frechet"]), sum(way["steps"]) / len(way["steps"])
    shares = [", ".join(f"{value:.2f}" for value in way[what]) for what in ("precision", "recall")]
    print(f"{way['name']:38s} FD {fds}; precision {shares[0]}; recall {shares[1]}; {steps:,.0f} steps")

# %% [test] comparison-holds
distance = {way["name"]: way["frechet"] for way in comparison["ways"]}
spectral, hinge = distance["non-saturating, spectral normalisation"], distance["hinge, spectral normalisation"]
r1, bare = distance["non-saturating, R1"], distance["non-saturating, nothing"]
assert max(spectral) < min(hinge + r1)
assert max(hinge + r1) < min(bare)
assert len(comparison["seeds"]) == 2
assert all(len(way["tuning"]) == 2 for way in comparison["ways"])

# %% [markdown] comparison-seen
# By Frechet distance, after one minute and with both seeds: spectral normalisation with our loss comes first, R1 and
# the hinge loss with spectral normalisation are level, and all three are nearer to the data than no remedy. Their
# recall is not better.
#
# The limits. These are ten trainings of one size of network: two seeds for each way. Each way could choose between two
# settings only. One minute says nothing about an hour. And the last way, the [[Wasserstein GAN]] with its gradient
# penalty (slopes of length 1), did not get its best form: both its settings have one step of the discriminator for each
# of the generator, and a learning rate of 0.004. Its inventors take five, and a much smaller rate. So its line is no
# judgement of it.

# %% [markdown] references
# ## References
#
# * I. Goodfellow et al. (2014), *Generative adversarial nets*, arXiv:1406.2661.
# * A. Radford, L. Metz and S. Chintala (2015), *Unsupervised representation learning with deep convolutional generative
#   adversarial networks*, arXiv:1511.06434.
# * J.-Y. Zhu et al. (2016), *Generative visual manipulation on the natural image manifold*, arXiv:1609.03552:
#   inversion.
# * M. Arjovsky and L. Bottou (2017), *Towards principled methods for training generative adversarial networks*,
#   arXiv:1701.04862.
# * I. Gulrajani et al. (2017), *Improved training of Wasserstein GANs*, arXiv:1704.00028.
# * M. Heusel et al. (2017), *GANs trained by a two time-scale update rule converge to a local Nash equilibrium*,
#   arXiv:1706.08500: unequal learning rates, and the Frechet distance of images.
# * L. Mescheder, A. Geiger and S. Nowozin (2018), *Which training methods for GANs do actually converge?*,
#   arXiv:1801.04406: the game of two numbers, and R1.
# * A. Brock, J. Donahue and K. Simonyan (2019), *Large scale GAN training for high fidelity natural image synthesis*,
#   arXiv:1809.11096: truncation.
# * T. Kynkaanniemi et al. (2019), *Improved precision and recall metric for assessing generative models*,
#   arXiv:1904.06991.

# %% [markdown] next
# ## Next
#
# The codes of a GAN are a plain normal distribution, and all meaning is in the generator. Lesson 11 puts a network
# between the noise and the generator, gives its code to every layer, and measures what each layer carries.
