# %% [markdown] title
# {{header}}
#
# # 10. Can noise be a latent space if nothing encodes?
#
# At the end of this lesson you can
#
# 1. write both losses of a [[generative adversarial network|GAN]], and say why the [[generator]]'s is not the one of
#    the [[game|minimax game]];
# 2. bring about [[mode collapse]], measure it, and cure it, and say what a [[gradient penalty]] does and does not cure;
# 3. measure what [[truncation]] does to quality and variety, and find the code of an image without an encoder.

# %% [markdown] prerequisites
# **You need:** lesson 04 (prior and samples), lesson 06 (KL and logarithms of densities). Lesson 02's dead zones help.
#
# **Time:** {{learning}} with the exercises. Running all cells takes {{minutes}}.

# %% setup
{{setup}}

# %% imports
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks, plots, stored, widgets
from course_utils.checkpoints import load_reference, verify
from course_utils.data import fashion_mnist
from course_utils.device import pick_device, seed_everything
from course_utils.latents import decode_dataset, encode_dataset
from course_utils.metrics import image_features  # what a classifier sees in images, (N, 64)
from course_utils.data.toys import ring_of_gaussians
from course_utils.files import data_dir

plt.rcParams["figure.dpi"] = 72
torch.set_num_threads(1)  # many small networks are trained here: a second thread would mostly wait for the first
seed_everything(10)
g = torch.Generator().manual_seed(10)  # what this lesson draws by hand comes from here
device = pick_device()
train, test = fashion_mnist("train"), fashion_mnist("test")
print(f"{len(train):,} training and {len(test):,} test images; computing on {device}")

# %% [markdown] predict
# ## Predict first
#
# Two networks play against each other. The *generator* turns noise into points. The *[[discriminator]]* is shown points
# and says whether they are real. The real points lie in eight heaps on a circle.
#
# 1. The generator learns ten times as fast as the discriminator. Will it make points in all eight heaps sooner, make
#    points in a few heaps only, or fail to find any heap?
# 2. You have an image of a boot and a trained generator with 64 numbers as its input. Is there an input that gives
#    exactly this boot? How would you look for it?
# 3. We forbid the generator all unusual noise: every number must lie between $-\tfrac12$ and $\tfrac12$. Do the images
#    get better, worse, or more alike?
#
# <details><summary>What we found, for after sections 3, 6 and 8</summary>
#
# 1. It stands on one heap, then jumps to another, and so on without end.
# 2. In general there is none. Gradient descent on the input finds a similar boot, and from each start another one.
# 3. Much more alike, and worse. A generous limit changes little, a strict one spoils the images.
#
# </details>

# %% [markdown] game-idea
# ## 1. A game for two networks
#
# A VAE writes down a density and bounds it. A **generative adversarial network** (GAN) has no density at all. A
# generator $G$ maps noise $z \sim N(0, I)$ to a sample $G(z)$; a discriminator $D(x)$ is the probability it gives to
# $x$ being real. They play
#
# $$\min_G \max_D V(D, G), \qquad V = \mathbb{E}_{x \sim p}[\log D(x)] + \mathbb{E}_{z}[\log(1 - D(G(z)))] .$$
#
# The discriminator wants $V$ large: high probabilities for what is real, low ones for what is generated. The generator
# wants $V$ small. Logarithms are natural, and $D = \mathrm{sigmoid}(\text{logit})$: the network returns the **logit**,
# a number without bounds.
#
# Maximising $V$ over $D$ is nothing but training a classifier, with the label 1 for real and 0 for fake: $-V$ is its
# binary cross-entropy. Mind two things. The two means are taken separately, each over its own batch. And while the
# discriminator learns, the generator stands still: no gradient may flow back through the fake samples.

# %% [markdown] d-loss-task
# ### Exercise 1: the discriminator's loss
#
# *Easy, about 8 minutes.* Return $-V$ for one batch. The discriminator is a network that returns logits.


# %% d-loss-exercise
def discriminator_loss(discriminator, x, x_fake):
    """Minus the value of the game, to be minimised by the discriminator alone.

    Args:
        discriminator: Network from samples (B, ...) to logits (B,) or (B, 1).
        x: Real samples, (B, ...).
        x_fake: What the generator made, (K, ...), still tied to the generator's weights.

    Returns:
        A scalar tensor: -mean log D(x) - mean log(1 - D(x_fake)), right for logits beyond 100 too; without gradient
            for whoever made x_fake.
    """
    ### BEGIN SOLUTION
    real_logits, fake_logits = discriminator(x), discriminator(x_fake.detach())
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()  # softplus(-l) = -log sigmoid(l)
    ### END SOLUTION


# %% d-loss-check
discriminator_loss = checks.accept("gan-discriminator-loss", discriminator_loss)

# %% [markdown] d-loss-hints
# <details><summary>Hint 1</summary>
#
# $-\log \mathrm{sigmoid}(l) = \log(1 + e^{-l})$, which is `F.softplus(-l)`. And $1 - \mathrm{sigmoid}(l) =
# \mathrm{sigmoid}(-l)$. So each of the two terms is one [[softplus]]; which sign goes where?
#
# </details>
# <details><summary>Hint 2</summary>
#
# `x_fake.detach()` is the same batch without its history. `F.binary_cross_entropy_with_logits` works as well, with
# labels 1 for the real and 0 for the fake logits, called once for each. Do not apply a sigmoid before it.
#
# </details>

# %% [markdown] optimal-idea
# What is the best answer a discriminator can give? At a point $x$ it maximises $p(x) \log D + q(x) \log (1 - D)$, where
# $p$ is the density of the data and $q$ that of the generated samples. Set the derivative to 0:
#
# $$D^*(x) = \frac{p(x)}{p(x) + q(x)}, \qquad V(D^*, G) = 2\,\mathrm{JSD}(p, q) - 2 \log 2 ,$$
#
# with the **[[Jensen-Shannon divergence]]** $\mathrm{JSD} = \tfrac12 \mathrm{KL}(p \| m) + \tfrac12 \mathrm{KL}(q \|
# m)$, $m = \tfrac12 (p + q)$. It is 0 exactly if $p = q$, and never more than $\log 2$. So against a perfect
# discriminator the generator minimises a divergence between two densities that nobody ever writes down.
#
# We check both statements where everything is known: two normal distributions on a line. A small network is trained
# with your loss on samples alone.


# %% optimal
def mlp(inputs, outputs, hidden=64):
    """Two hidden layers; used for every network on points."""
    sizes = [inputs, hidden, hidden]
    layers = [part for a, b in zip(sizes, sizes[1:], strict=False) for part in (nn.Linear(a, b), nn.LeakyReLU(0.2))]
    return nn.Sequential(*layers, nn.Linear(hidden, outputs))


def draw(n):
    """Real samples from N(1, 0.5^2) and "fake" ones from N(-0.5, 1), each (n, 1)."""
    return 1 + 0.5 * torch.randn(n, 1, generator=g), -0.5 + torch.randn(n, 1, generator=g)


seed_everything(10)
judge = mlp(1, 1)
optimizer = torch.optim.Adam(judge.parameters(), lr=3e-3)
for _ in range(400):
    loss = discriminator_loss(judge, *draw(1000))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


# %% jensen-shannon
def jensen_shannon(p, q, x):
    """JSD of two densities given on a fine lattice x, in nats, by the trapezoidal rule."""
    m = ((p + q) / 2).clamp(min=1e-300)  # where both are 0 they add nothing
    to_m = (torch.trapezoid(torch.special.xlogy(density, density / m), x) for density in (p, q))
    return sum(to_m).item() / 2


def normal(x, mean, std):
    """Density of N(mean, std^2)."""
    return torch.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


line = torch.linspace(-6, 6, 2401, dtype=torch.float64)
p, q = normal(line, 1.0, 0.5), normal(line, -0.5, 1.0)
ideal = p / (p + q)
with torch.no_grad():
    learned = torch.sigmoid(judge(line.float()[:, None]))[:, 0]
    real_logits, fake_logits = (judge(x)[:, 0] for x in draw(100_000))
terms = -F.softplus(-real_logits) - F.softplus(fake_logits)  # log D(x) + log(1 - D(x_fake)), pair by pair
value, error = terms.mean().item(), terms.std().item() / math.sqrt(len(terms))
bound, gap = 2 * jensen_shannon(p, q, line) - 2 * math.log(2), (learned - ideal)[(p + q) > 0.04].abs().max().item()
print(f"value of the game on 100,000 fresh pairs: {value:.4f} (standard error {error:.4f})")
print(f"2 JSD - 2 log 2 by integration:           {bound:.4f}")
print(f"largest error of D where there are samples: {gap:.3f}")

# %% [test] jensen-shannon-holds
assert bound - 0.02 < value < bound + 4 * error
assert gap < 0.12

# %% [markdown] saturation-intro
# Left: the two densities, the ideal discriminator and the learned one. Where do they part, and does it matter? Right:
# we move $q = N(s, 1)$ away from $p = N(0, 1)$ and compute the divergence. Where is it flat?

# %% saturation
shifts = torch.linspace(0, 10, 41)
wide = torch.linspace(-10, 20, 6001, dtype=torch.float64)
apart = [jensen_shannon(normal(wide, 0.0, 1.0), normal(wide, s, 1.0), wide) for s in shifts.tolist()]
figure, axes = plt.subplots(1, 2, figsize=(9.4, 3.2), layout="constrained")
lines = {"p, real": (p, 0), "q, fake": (q, 2), "p / (p + q)": (ideal, 4), "D, learned": (learned, 1)}
series = [plots.Series(name, line, y, color=color) for name, (y, color) in lines.items()]
plots.draw_chart(plots.Chart(series, (-4, 4), (0, 1.05), "x", "density, or probability of real"), ax=axes[0])
series = [plots.Series("JSD(p, q)", shifts, apart), plots.Series("log 2", [0, 10], [math.log(2)] * 2, color=3)]
plots.draw_chart(plots.Chart(series, (0, 10), (0, 0.8), "distance between the means", "nats"), ax=axes[1])
plt.show()

# %% [test] saturation-holds
assert apart[20] > 0.95 * math.log(2)  # at a distance of 5
assert apart[40] - apart[30] < 1e-3

# %% [markdown] saturation-seen
# The learned curve follows the ideal one wherever there are samples, and only there. A network knows nothing about
# places it was never shown.
#
# The right picture is the bad news. Five standard deviations apart the divergence has all but reached its maximum and
# is flat. A generator that is far off gets no gradient from it: the better the discriminator, the less it has to say.
# At the beginning of every training the generator *is* far off.
#
# ## 2. The loss that the generator really uses
#
# In the game, the generator minimises $\mathbb{E}[\log(1 - D(G(z)))]$. Take the derivative with respect to the logit
# $l$ of one fake sample:
#
# | loss of the generator | per sample | derivative by $l$ | where $D$ is sure, $l \to -\infty$ |
# |---|---|---|---|
# | saturating, of the game | $\log(1 - \mathrm{sigmoid}(l))$ | $-\mathrm{sigmoid}(l)$ | $\to 0$ |
# | [[non-saturating|non-saturating loss]] | $-\log \mathrm{sigmoid}(l)$ | $-(1 - \mathrm{sigmoid}(l))$ | $\to -1$ |
#
# Both push the logit up, and both rest at the same place: where nobody can tell real from fake. They differ in which
# samples they listen to. The saturating loss learns most from fakes that are nearly good enough, the **non-saturating**
# one from fakes that fail. All GANs in this lesson use the second.

# %% [markdown] g-loss-task
# ### Exercise 2: the generator's loss
#
# *Easy, about 6 minutes.* Return the non-saturating loss of one batch. This time the gradient *must* reach whoever made
# `x_fake`.


# %% g-loss-exercise
def generator_loss(discriminator, x_fake):
    """The non-saturating loss: -mean log D(x_fake).

    Args:
        discriminator: Network from samples (K, ...) to logits (K,) or (K, 1).
        x_fake: What the generator made, (K, ...).

    Returns:
        A scalar tensor, at least 0 and right for logits beyond 100 too, through which the gradient flows back to
            x_fake.
    """
    ### BEGIN SOLUTION
    return F.softplus(-discriminator(x_fake)).mean()
    ### END SOLUTION


# %% g-loss-check
generator_loss = checks.accept("gan-generator-loss", generator_loss)

# %% [markdown] g-loss-hints
# <details><summary>Hint 1</summary>
#
# It is the loss that a classifier would have if the fakes bore the label "real".
#
# </details>
# <details><summary>Hint 2</summary>
#
# One softplus of one sign, and a mean. If you detached something in Exercise 1, do not do so here.
#
# </details>

# %% [markdown] winning-intro
# Measured on the eight heaps. The generator is untrained and stands still; the discriminator alone learns to tell its
# points from real ones. Now and then we ask how strong the gradient on the generator's weights would be, with either
# loss. Look at the last row: how many times weaker is the saturating one?


# %% winning
def saturating_loss(discriminator, x_fake):
    """The generator's side of the game as it stands: mean log(1 - D(x_fake))."""
    return -F.softplus(discriminator(x_fake)).mean()


def gradient_norm(loss, weights):
    """Length of the gradient of a loss over all weights."""
    return torch.cat([part.flatten() for part in torch.autograd.grad(loss, weights)]).norm().item()


ring, _ = ring_of_gaussians(20_000, generator=g)  # (20000, 2): 8 heaps on a circle of radius 1, std 0.05
seed_everything(10)
still, judge = mlp(2, 2), mlp(2, 1)
optimizer = torch.optim.Adam(judge.parameters(), lr=1e-3)
strength = []
for step in range(301):
    x, z = ring[torch.randint(len(ring), (256,), generator=g)], torch.randn(256, 2, generator=g)
    if step % 20 == 0:
        weights, sure = list(still.parameters()), torch.sigmoid(judge(still(z))).mean().item()
        norms = [gradient_norm(loss(judge, still(z)), weights) for loss in (saturating_loss, generator_loss)]
        strength.append((step, sure, *norms))
    loss = discriminator_loss(judge, x, still(z))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
for step, sure, weak, strong in strength[::3]:
    print(f"step {step:3d}: mean D(G(z)) {sure:.3f}, gradient {weak:.4f} saturating, {strong:.4f} non-saturating")

# %% [test] winning-holds
assert abs(strength[0][2] / strength[0][3] - 1) < 0.2
assert strength[-1][3] > 20 * strength[-1][2]

# %% [markdown] winning-figure-intro
# The same as a picture, on a logarithmic scale. At which value of $D(G(z))$ are the two equal?

# %% winning-figure
steps, sure, weak, strong = zip(*strength, strict=True)
plots.curves(
    {"saturating": (steps, weak), "non-saturating": (steps, strong), "mean D(G(z))": (steps, sure)},
    "steps of the discriminator alone", "length of the gradient, or D", log_y=True,
)  # fmt: skip
plt.show()

# %% [markdown] winning-seen
# At the start $D$ is near $\tfrac12$ everywhere and the two agree. At first both grow, because the discriminator gets
# steeper. Then, as it wins, the gradient of the game dies away, while the other stays strong. The price: with the
# non-saturating loss the two players no longer pull at one number $V$,
# so nothing says that the pair is descending on anything. We shall see what that leads to.
#
# ## 3. Noise as latent, and mode collapse
#
# The generator is a function: the same $z$ always gives the same point. So the noise is a latent code, $G$ is the
# decoder, and sampling the model means drawing a code from $N(0, I)$. What is missing is the way back. Nothing maps a
# point to its code.
#
# One step of training, for points as for images:


# %% gan-step
def gan_step(generator, discriminator, optimizers, x, latent_dim, gamma=0.0):
    """One step of the discriminator, then one of the generator; gamma is the weight of the penalty of section 4."""
    optimizer_g, optimizer_d = optimizers
    x_fake = generator(torch.randn(len(x), latent_dim, device=x.device))
    loss_d = discriminator_loss(discriminator, x, x_fake)
    if gamma:
        loss_d = loss_d + gamma / 2 * r1_penalty(discriminator, x)
    optimizer_d.zero_grad()
    loss_d.backward()
    optimizer_d.step()
    loss_g = generator_loss(discriminator, x_fake)
    optimizer_g.zero_grad()
    loss_g.backward()
    optimizer_g.step()


def r1_penalty(discriminator, x):
    """Mean squared length of the discriminator's gradient at real samples (B, ...)."""
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return slope.flatten(1).square().sum(dim=1).mean()


# %% [markdown] modes-idea
# Now measure. A point is *good* if it lies within three standard deviations of a centre; a **[[mode]] is covered** if
# at least one in a hundred of all points is a good point of that mode.

# %% ring-code
angle = torch.arange(8) * math.pi / 4
centres = torch.stack([angle.cos(), angle.sin()], dim=1)  # (8, 2)
z_fixed = torch.randn(1000, 2, generator=g)
lattice = torch.cartesian_prod(torch.linspace(-1.5, 1.5, 25), torch.linspace(-1.5, 1.5, 25))  # (625, 2)


def modes_covered(points, std=0.05):
    """Number of the eight modes that hold at least 1% of the points, and the share of good points."""
    distance, nearest = torch.cdist(points, centres).min(dim=1)
    counts = torch.bincount(nearest[distance <= 3 * std], minlength=8)
    return int((counts >= 0.01 * len(points)).sum()), counts.sum().item() / len(points)


def play(lr_g, lr_d, gamma=0.0, seed=0, steps=600):
    """Train a pair on the ring, on the CPU; returns the generator, and a frame every 30 steps (points, gain)."""
    seed_everything(seed)
    generator, discriminator = mlp(2, 2), mlp(2, 1)
    rates = ((generator, lr_g), (discriminator, lr_d))
    optimizers = [torch.optim.Adam(net.parameters(), lr=lr, betas=(0.5, 0.99), fused=True) for net, lr in rates]
    frames = []
    for step in range(steps + 1):
        if step % 30 == 0:
            with torch.no_grad():
                points = generator(z_fixed)
                frames.append((points, discriminator(lattice)[:, 0] - discriminator(points).mean()))
        gan_step(generator, discriminator, optimizers, ring[torch.randint(len(ring), (128,))], 2, gamma)
    return generator, frames


# %% [markdown] ring-intro
# Three ways to play, three seeds each. *Hasty*: the generator's learning rate is ten times the discriminator's.
# *Hasty with [[R1|R1 penalty]]*: the same with a gradient penalty, the remedy one reads about most (section 4).
# *Balanced*: now the discriminator learns three times as fast as the generator. Watch the numbers of modes at four
# moments.

# %% ring-runs
plays = {"hasty": (3e-3, 3e-4), "hasty with R1": (3e-3, 3e-4, 0.1), "balanced": (1e-3, 3e-3)}
generators, films = {}, {}
for name, settings in plays.items():
    for seed in range(3):
        generators[name, seed], films[name, seed] = play(*settings, seed=seed)
        covered = [modes_covered(points) for points, _ in films[name, seed]]
        modes = ", ".join(str(covered[k][0]) for k in (5, 10, 15, 20))
        print(f"{name:13s} seed {seed}: modes at steps 150, 300, 450, 600: {modes}; good points {covered[-1][1]:.0%}")

# %% [test] ring-runs-holds
at_end = {run: modes_covered(film[-1][0]) for run, film in films.items()}
assert max(at_end["hasty", seed][0] for seed in range(3)) <= 3
assert min(at_end["balanced", seed][0] for seed in range(3)) >= 7

# %% [markdown] ring-seen
# The hasty generator has **collapsed**: one mode, or none while it is on its way to the next. It is not stupid. The
# best answer to a *fixed* discriminator is to put all points where that discriminator's probability is highest, so a
# generator that moves much faster than its opponent does that. The discriminator then learns to call that place fake,
# and the generator moves on. Balance is the cure here: a discriminator that is always nearly up to date shows the
# generator a landscape with a slope towards *every* heap that has too few points.
#
# And the penalty alone did not help. It is good for something else, to which section 4 comes.
#
# ## The time machine
#
# For the hasty and the balanced pair with seed 0 we have kept the points and the discriminator's view every 30 steps.
# In the figure light stars mark the places where the discriminator's logit is higher than at the generated points on
# average: there the generator could gain. Squares are the centres of the data, dots are 200 generated points. In the
# upper row, where are the stars when the dots sit in one place? In the third row the solid line is the hasty run, the
# other the balanced one.

# %% time-machine
compared = ("hasty", "balanced")
history = {name: [modes_covered(points)[0] for points, _ in films[name, 0]] for name in compared}


def scene(name, k):
    """The plane at frame k of one run."""
    points, gain = films[name, 0][k]
    better = lattice[gain > 0]
    series = [plots.Series("D is higher here", *better.T, kind="points", color=9)] if len(better) else []
    series += [
        plots.Series("centres of the data", *centres.T, kind="points", color=1),
        plots.Series("G(z)", *points[:200].clamp(-1.5, 1.5).T, kind="points", color=0),
    ]
    return plots.Chart(series, (-1.6, 1.6), (-1.6, 1.6), "x[0]", f"{name}: x[1]")


def moment(step):
    """Both runs at one moment, and their modes up to the end."""
    k = round(step / 30)
    times = torch.arange(21) * 30
    series = [plots.Series(name, times, history[name], color=2 * i) for i, name in enumerate(compared)]
    series.append(plots.Series("now", 30 * k, kind="markers", color=8))
    modes = plots.Chart(series, (0, 600), (0, 8.5), "step", "modes covered")
    return {name: scene(name, k) for name in compared} | {"modes": modes}


def say_moment(step):
    """One sentence about the moment."""
    k = round(step / 30)
    return f"Modes covered: hasty {history['hasty'][k]}, balanced {history['balanced'][k]}."


machine = widgets.FunctionSlider(
    moment, 0, 600, name="step", start=0, step=30, describe=say_moment, title="Mode-collapse time machine"
)
machine.static([0, 150, 300, 600])
plt.show()

# %% [markdown] time-machine-intro
# The hasty points are all in one place. Either they have just arrived, and hardly any place is better; or the
# discriminator has found out, and half of the plane is better. Then there is only one direction to go, all points take
# it together, and they overshoot. In the second row the stars soon keep to the neighbourhood of the ring, on all sides.
# Points that leave the frame are drawn on its rim.
#
# Now scrub through it. Find two moments at which the hasty generator is in two different places.

# %% time-machine-explorer
machine.move_to(240)
machine

# %% [markdown] plane-intro
# A GAN that covers all modes has another problem to solve, and it is about latent spaces. Its codes form one connected
# cloud, the data eight separate heaps. A continuous function cannot tear the cloud apart. So what does the balanced
# generator do? Left: its points, with the bad ones as crosses. Right: the codes of the same points. How are the codes
# of the eight modes arranged, and where are those of the crosses?

# %% plane
points = films["balanced", 0][-1][0]
distance, nearest = torch.cdist(points, centres).min(dim=1)
bad = distance > 0.15
figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
for ax, where, names in ((axes[0], points, ("x[0]", "x[1]")), (axes[1], z_fixed, ("z[0]", "z[1]"))):
    for k in range(8):
        mine = where[(nearest == k) & ~bad]
        ax.scatter(*mine.T, s=14, color=plots.PALETTE[k], marker=plots.MARKERS[k], linewidths=0)
    ax.scatter(*where[bad].T, s=14, color="0.4", marker="x", linewidths=0.8)
    ax.set(xlabel=names[0], ylabel=names[1], aspect="equal")
plt.show()
print(f"{bad.float().mean():.0%} of the points lie on no mode")

# %% [test] plane-holds
assert 0.1 < bad.float().mean() < 0.8

# %% [markdown] plane-seen
# Like slices of a cake: each mode has its sector of the plane, neighbours on the ring are neighbours in the plane, and
# the crosses lie along the cuts. Longer training makes the cuts thinner, but no training removes them: between two
# codes of different modes there is always a code whose point lies on neither. The dead zones of lesson 02 are back,
# this time for a reason of [[topology]].
#
# ## 4. What the gradient penalty is for
#
# The smallest GAN there is shows it. The data are a single point at 0. The generator is a single number $\theta$, the
# place of its single point; the discriminator is a line through the origin, $l(x) = \psi x$. Each player takes gradient
# steps:
#
# $$\Delta\psi \propto -\theta\,\mathrm{sigmoid}(\psi\theta) - \gamma \psi, \qquad
# \Delta\theta \propto \psi\,\mathrm{sigmoid}(-\psi\theta).$$
#
# The **R1 penalty** is $\tfrac\gamma2 \mathbb{E}_{x \sim p} \|\nabla_x l(x)\|^2$, here $\tfrac\gamma2 \psi^2$: it
# charges the discriminator for having a slope *where the data are*. The game should end at $\theta = \psi = 0$. Does
# it, with $\gamma = 0$ and with $\gamma = 0.3$?

# %% dirac
paths, settled = {}, {}
for gamma in (0.0, 0.3):
    theta, psi, path = torch.tensor(1.0), torch.tensor(0.0), []
    for _ in range(600):
        path.append(torch.stack([theta, psi]))
        product = psi * theta
        step_psi = -theta * torch.sigmoid(product) - gamma * psi
        step_theta = psi * torch.sigmoid(-product)
        psi, theta = psi + 0.2 * step_psi, theta + 0.2 * step_theta  # both from the same state
    paths[gamma] = torch.stack(path)
    settled[gamma] = paths[gamma][-1].norm().item()
    print(f"gamma {gamma:.1f}: distance from the goal 1.00 at first, {settled[gamma]:.4f} after 600 steps")

# %% [test] dirac-holds
assert settled[0.0] > 0.5
assert settled[0.3] < 0.001

# %% dirac-figure
figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.4), layout="constrained", sharex=True, sharey=True)
for ax, (gamma, path) in zip(axes, paths.items(), strict=True):
    ax.plot(*path.T, color=plots.PALETTE[0], linewidth=1)
    ax.plot(*path[0], "o", color=plots.PALETTE[1], label="start")
    ax.plot(0, 0, "*", color=plots.PALETTE[2], markersize=12, label="goal")
    ax.set(title=f"gamma = {gamma}", xlabel="generator $\\theta$", aspect="equal")
axes[0].set_ylabel("discriminator $\\psi$")
axes[1].legend(frameon=False)
plt.show()

# %% [markdown] dirac-seen
# Without the penalty the pair circles the goal and goes on doing so: the discriminator still slopes when the generator
# arrives, and sends it past. With the penalty the pair comes to rest. So R1 lets a game end that is already near its
# goal. It cannot wake a generator that has outrun its discriminator, which is what section 3 showed. Two diseases, two
# remedies; the reference model below takes both.
#
# ## 5. Images
#
# The same game with convolutions, in the manner of DCGAN (Radford, Metz and Chintala 2015): the generator enlarges a
# small map of features twice, the discriminator shrinks the image twice. In place of [[transposed
# convolutions|transposed convolution]] ours moves [[channels into pixels|pixel shuffle]] (`PixelShuffle`) and back,
# which is faster on a CPU. The generator has [[batch normalisation]] between its layers.


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
    """Images (B, 1, 28, 28) to logits (B,). No batch normalisation: the penalty wants samples that do not mix."""

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


# %% [markdown] live-intro
# A short training, here and now: 350 steps with 64 images each, half as many channels as the reference model. The
# penalty is computed at every 16th step only and counts 16 times then. Adam's first beta is 0: momentum would keep a
# player running after the other has turned.

# %% live
seed_everything(10)
live, judge = Generator(32, hidden=32).to(device), Discriminator(hidden=16).to(device)
optimizers = [torch.optim.Adam(net.parameters(), lr=2e-3, betas=(0.0, 0.99), fused=True) for net in (live, judge)]
steps, batches = 0, train.batches(64, device=device, shuffle=True, generator=g)
while steps < 350:
    for x in batches:
        gan_step(live, judge, optimizers, x, 32, gamma=16.0 if steps % 16 == 0 else 0.0)
        steps += 1
        if steps == 350:
            break
live = live.eval()  # batch normalisation now uses running averages: no image depends on another

# %% [markdown] reference-intro
# Beside it the reference model `gan_fashion`: 64 latent dimensions, all 60,000 images, several minutes. It is a
# `LatentModel` like all others; its `decode` is the generator. In its samples, are all classes there? Which details
# would give it away?

# %% reference
gan = load_reference("gan_fashion", device).eval()
with torch.no_grad():
    x_live = live(torch.randn(1000, 32, generator=g).to(device)).cpu()
z_many = torch.randn(2000, 64, generator=g)
x_many = decode_dataset(gan, z_many)  # (2000, 1, 28, 28)
real = test.pixels()
shown = {"live, 350 steps": x_live[:10], "": x_live[10:20], "reference": x_many[:10], " ": x_many[10:20]}
plots.image_rows(shown | {"test images": real[:10], "  ": real[10:20]})
plt.show()

# %% [markdown] measure-idea
# How good is that? A GAN has no ELBO and no likelihood, so samples have to be compared with real images as two clouds
# of points. Pixels are a bad space for it. We use 64 features of a classifier that was trained on clothes.
#
# * **[[Frechet distance]]**: both clouds are summarised by their mean and covariance, and $\mathrm{FD} = \|m_a -
#   m_b\|^2 + \mathrm{tr}(C_a + C_b - 2 (C_a C_b)^{1/2})$. Small is good. Two halves of the *real* images are not at 0
#   either; that floor is what a perfect model would score.
# * **[[Precision]]**: the share of samples that lie among the real ones, in a ball around some real image that
#   reaches to its third nearest real neighbour. It asks for quality.
# * **[[Recall]]**: the share of real images that lie among the samples, in the same way. It asks for variety.


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


classifier = load_reference("classifier_fashion", device)
features = image_features(real[:1000], classifier)  # (1000, 64), of test images
candidates = {"other test images": real[1000:2000], "reference": x_many[:1000], "live": x_live}
scores = {}
for name, x in candidates.items():
    f = image_features(x, classifier)
    scores[name] = frechet_distance(f, features), share_within(f, features), share_within(features, f)
    print(f"{name:18s} FD {scores[name][0]:6.1f}, precision {scores[name][1]:.2f}, recall {scores[name][2]:.2f}")

# %% [test] measure-code-holds
assert scores["other test images"][0] < scores["reference"][0] < scores["live"][0]
assert scores["live"][1] < scores["reference"][1]

# %% [markdown] measure-seen
# The live run has learned silhouettes, with the texture of a chessboard, and its numbers say so. The reference is far
# better and still not at the floor. (Its card gives the distance on all 10,000 test images. That number is smaller:
# with few images the distance comes out too large for everyone, so compare only what was measured on equally many.)

# %% card
metrics = verify("gan_fashion")["metrics"]
print("on 10,000 test images:", {name: value for name, value in metrics.items() if "floor" not in name})

# %% [markdown] truncation-idea
# ## 6. Truncation
#
# Codes far out are rare in training, so the generator has seen little of them. **Truncation** leaves them out: each
# number of the code is drawn from the normal distribution cut off at $\pm c$. The promise is better images for less
# variety; whether it is kept we shall measure. In the original form (Brock, Donahue and Simonyan 2019)
# every number beyond the limit is drawn again until it is inside. An equivalent without redrawing keeps each number's
# *[[quantile]]*. With $\Phi$ the [[cumulative distribution function]] of $N(0, 1)$,
#
# $$u = \Phi(z), \qquad u' = \Phi(-c) + u\,(\Phi(c) - \Phi(-c)), \qquad z' = \Phi^{-1}(u').$$
#
# In words: which share of the normal distribution lies below $z$? The result is the number with the same share of the
# cut-off distribution below it. The same $z$ gives a $z'$ that moves smoothly with $c$, as a slider needs.

# %% [markdown] truncation-task
# ### Exercise 3: truncation
#
# *Medium, about 8 minutes.* `torch.special.ndtr` is $\Phi$ and `torch.special.ndtri` its inverse.


# %% truncation-exercise
def truncate(z, limit):
    """Draws from N(0, I) turned into draws from the normal distribution cut off at -limit and limit.

    Args:
        z: Codes drawn from N(0, I), (B, D).
        limit: c, a positive number.

    Returns:
        Codes (B, D), each number with the quantile it had.
    """
    ### BEGIN SOLUTION
    low, high = torch.special.ndtr(torch.tensor([-limit, limit]))
    return torch.special.ndtri(low + (high - low) * torch.special.ndtr(z))
    ### END SOLUTION


# %% truncation-check
truncate = checks.accept("truncate-codes", truncate)

# %% [markdown] truncation-hints
# <details><summary>Hint 1</summary>
#
# `torch.special.ndtr` wants a tensor: `torch.special.ndtr(torch.tensor(-limit))` is $\Phi(-c)$.
#
# </details>
# <details><summary>Hint 2</summary>
#
# $u$ runs from 0 to 1. Stretch it to run from $\Phi(-c)$ to $\Phi(c)$, then take the inverse. Check: $z = 0$ stays 0,
# and $z = \infty$ becomes $c$.
#
# </details>

# %% [markdown] truncation-intro
# What does it bring? For six limits, 1,000 samples each from the same noise: precision for quality, recall for
# variety, and beside them the mean distance between two samples' features, relative to that between two test images,
# and the mean [[norm]] of the codes. Which falls at once, and which rises? (A share of three quarters, measured on
# 1,000 samples, has a standard error of about 0.014.)

# %% truncation-curve
limits = [0.3, 0.5, 1.0, 1.5, 2.0, 3.0]
spread_real = torch.pdist(features).mean()
traded = []
for limit in limits:
    z = truncate(z_many[:1000], limit)
    f = image_features(decode_dataset(gan, z), classifier)
    apart, norm = (torch.pdist(f).mean() / spread_real).item(), z.norm(dim=1).mean().item()
    traded.append((share_within(f, features), share_within(features, f), apart, norm, frechet_distance(f, features)))
    texts = (f"{value:.2f}" for value in traded[-1])
    print(f"limit {limit:.1f}: precision {{}}, recall {{}}, distance {{}}, norm {{}}, FD {{}}".format(*texts))
precision, recall, apart, norm, fd = zip(*traded, strict=True)

# %% [test] truncation-curve-holds
assert recall[0] < recall[2] < recall[-1]
assert apart[0] < apart[2] < apart[-1]
assert precision[0] < precision[2] - 0.2
assert max(precision) < precision[-1] + 0.1
assert fd[0] > 10 * fd[-1]
assert norm[0] < 2

# %% [markdown] truncation-figure-intro
# The same as columns. Each row of images keeps its noise while the limit grows. What becomes of the images on the left?

# %% truncation-explorer-code
shared = z_many[:5]
measured = {"precision": precision, "recall": recall, "mean distance": apart}


def at_limit(limit):
    """The measured curves with the limit on them, and five samples."""
    series = [plots.Series(name, limits, values, color=k) for k, (name, values) in enumerate(measured.items())]
    series.append(plots.Series("limit", limit, kind="markers", color=8))
    chart = plots.Chart(series, (0.1, 3.1), (0, 1.1), "limit", "share, or ratio")
    images = decode_dataset(gan, truncate(shared, limit))
    return {"quality and variety": chart} | {f"sample {k + 1}": image for k, image in enumerate(images)}


def say_limit(limit):
    """How far from the origin the codes are."""
    return f"Mean norm of the truncated codes: {truncate(z_many, limit).norm(dim=1).mean():.1f}."


truncation = widgets.FunctionSlider(
    at_limit, 0.2, 3.0, name="limit", start=3.0, step=0.1, describe=say_limit, title="Truncation"
)
truncation.static([0.3, 0.6, 1.0, 3.0])
plt.show()

# %% [markdown] truncation-explorer-intro
# The promise is hardly kept here. Variety falls with the limit at once; precision rises by a few hundredths at best,
# and then it falls too. The reason is in the column of norms. A draw from $N(0, I)$ in 64 dimensions has a norm near
# $\sqrt{64} = 8$, always: the mass lies in a shell. Truncation does not only leave out rare codes, it moves *all* codes
# inwards, to norms that never occurred in training. There this generator draws pale or empty images. Brock et al.
# report that many of their large models did not bear truncation either, and trained with an additional term for it.
# Lesson 13 comes back to the shell.
#
# So truncation is a trade to be measured, not a recipe. Find the limit at which the garments begin to fade.

# %% truncation-explorer
truncation.move_to(0.8)
truncation

# %% [markdown] walks-idea
# ## 7. Walks
#
# Every explorer of this course takes a GAN as it stands, for it decodes, samples and, by search, encodes. But a prior
# $N(0, I)$ has no direction that means more than another: two arbitrary dimensions of 64 hardly change an image. The
# *generator* has given directions a meaning, and we can ask it: we generate 2,000 images, let the classifier name them,
# and average the codes of each class. The plane through which these ten mean codes differ most is our map.

# %% plane-of-classes
with torch.no_grad():
    kind = torch.cat([classifier(part.to(device)).argmax(dim=1).cpu() for part in x_many.split(500)])  # (2000,)
means = torch.stack([z_many[kind == k].mean(dim=0) for k in range(10)])  # (10, 64)
basis = torch.linalg.svd(means - means.mean(dim=0), full_matrices=False).Vh[:2].T  # (64, 2), orthonormal
rest = z_many[1] - basis @ (basis.T @ z_many[1])  # what the map leaves alone
pad = widgets.LatentPad(
    gan, z_many, kind, test.class_names,
    chart=(lambda z: z @ basis, lambda point: rest + point @ basis.T),
)  # fmt: skip
print("images of each class among 2,000:", torch.bincount(kind, minlength=10).tolist())

# %% [test] plane-of-classes-holds
assert torch.bincount(kind, minlength=10).min() > 20

# %% [markdown] pad-intro
# The map, decoded: along its axes the code moves in two directions, and in the other 62 it stays. Are the borders
# between kinds of garment wide or narrow? Does something of the brightness stay the same all over the map?

# %% pad-static
pad.static(8, ax=plt.subplots(figsize=(4.0, 3.8), layout="constrained")[1])
plt.show()

# %% [markdown] pad-seen
# The kinds have large regions with narrow borders, at which one garment turns into another within a short step: a small
# step in $z$ is not always a small step in the image. Lesson 20 measures that. Look for the narrowest border.

# %% pad-explorer
pad.move_to(1.0, -0.5)
pad

# %% [markdown] path-intro
# And a walk between two test images. Their codes have to be found first, by the search of section 8, which the model
# runs when an explorer calls `encode`. Compare with the VAE of lesson 04. Which has the sharper images on the way?
# Which is more faithful at the two ends?

# %% path
vae = load_reference("vae_16d", device)
boot, bag = real[test.labels == 9][0], real[test.labels == 8][0]
path = widgets.PathSlider({"GAN": gan, "VAE": vae}, boot, bag)
path.static(7)
plt.show()

# %% path-explorer
path.move_to(0.5)
path

# %% [markdown] path-seen
# Two different faults. The VAE is blurred everywhere. The GAN's images have edges and texture, but its ends come from a
# search and are not quite what we asked for. And look at the middle of the straight path: the norm of the code falls on
# the way, and the image is a little paler than on the arc, which keeps the norm. Lesson 13 measures this.
#
# ## 8. Inversion: an encoder by search
#
# Without an encoder, a code has to be *[[found|inversion]]*:
#
# $$z^* = \arg\min_z \|G(z) - x\|^2 .$$
#
# $G$ is differentiable, so we start somewhere and follow the gradient. What is optimised is the code; the weights of
# the generator stay as they are.

# %% [markdown] inversion-task
# ### Exercise 4: inversion
#
# *Medium, about 15 minutes.* Use Adam with the given learning rate. Each image has its own code and its own error.


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
# Three groups of six images. *Generated*: made by this generator from codes that we know, so a perfect answer exists.
# *Test*: real images. *Strange*: real images treated so that they are no clothes any more. For each image eight
# searches from random codes, 150 steps. Predict the order of the three errors, and whether the codes of the generated
# images will be found again.

# %% inversion
for weight in gan.parameters():
    weight.requires_grad_(False)  # only codes are searched for: this saves a third of the work
six = torch.tensor([(test.labels == k).nonzero()[1, 0] for k in (0, 1, 3, 7, 8, 9)])
ordinary = real[six]
mixed = torch.cat([ordinary[1][..., :14], ordinary[4][..., 14:]], dim=-1)
strange = [ordinary[5].flip(1), 1 - ordinary[0], mixed, ordinary[3].roll(9, 1), ordinary[2].roll(10, 2), ordinary[1].mT]
groups = {"generated": x_many[:6], "test": ordinary, "strange": torch.stack(strange)}
sought = torch.cat(list(groups.values())).to(device)  # (18, 1, 28, 28)
starts = torch.randn(8, 18, 64, generator=g).to(device)
found, errors = find_codes(gan.decode, sought.repeat(8, 1, 1, 1), starts.flatten(0, 1), steps=150)
found, errors = found.view(8, 18, 64).cpu(), errors.view(150, 8, 18).cpu()
best = errors[-1].argmin(dim=0)  # (18,): which of the eight searches won
best_codes, best_errors = found[best, torch.arange(18)], errors[-1].amin(dim=0)
for k, name in enumerate(groups):
    one, eight = errors[-1, :, 6 * k : 6 * k + 6].mean().item(), best_errors[6 * k : 6 * k + 6].mean().item()
    print(f"{name:9s}: squared error {one:5.1f} after one search on average, {eight:5.1f} for the best of eight")

# %% inversion-figure
figure, ax = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
curves = {}
for k, name in enumerate(groups):
    curves[name] = range(1, 151, 5), errors[::5, :, 6 * k : 6 * k + 6].flatten(1).T
plots.seed_bands(curves, "step of the search", "squared error of an image", ax=ax)
ax.set(yscale="log")
plt.show()
group_error = {name: best_errors[6 * k : 6 * k + 6].mean().item() for k, name in enumerate(groups)}

# %% [test] inversion-figure-holds
assert group_error["generated"] < group_error["test"] < group_error["strange"]
assert (errors[-1].amin(dim=0) <= errors[-1].mean(dim=0)).all()

# %% [markdown] inversion-pictures-intro
# The lines are means, the bands reach from the best to the worst search. Now the pictures: what was sought, what the
# best of the eight searches found, and what the worst found. What does the search make of an upside-down boot?

# %% inversion-pictures
worst = found[errors[-1].argmax(dim=0), torch.arange(18)]
for k, name in enumerate(groups):
    part = slice(6 * k, 6 * k + 6)
    rows = {"sought": groups[name], "best of 8": decode_dataset(gan, best_codes[part])}
    plots.image_rows(rows | {"worst of 8": decode_dataset(gan, worst[part])}).set_title(name, pad=12)
    plt.show()

# %% [markdown] codes-intro
# For the generated images the true codes are known. Were they found? As a yardstick: two independent draws from
# $N(0, I)$ in 64 dimensions are about $\sqrt{128} \approx 11.3$ apart.

# %% codes
off = (best_codes[:6] - z_many[:6]).norm(dim=1)
between = torch.pdist(z_many[:200]).mean().item()
restored = decode_dataset(vae, encode_dataset(vae, ordinary))
vae_error = (restored - ordinary).square().sum(dim=(1, 2, 3)).mean().item()
print(f"distance of the found code from the true one: {', '.join(f'{d:.1f}' for d in off.tolist())}")
norms = {"drawn": z_many, "found for test images": best_codes[6:12], "found for strange ones": best_codes[12:]}
print(f"mean distance of two drawn codes: {between:.1f}; mean norms of codes:")
print("; ".join(f"{name} {z.norm(dim=1).mean():.1f}" for name, z in norms.items()))
print(
    f"squared error of the test images: GAN, best of eight {group_error['test']:.1f}; VAE in one pass {vae_error:.1f}"
)

# %% [test] codes-holds
assert abs(between - 11.3) < 0.3
assert off.min() > 3  # found images, not found codes
assert 0.55 < off.mean() / between < 0.8
assert best_codes[6:12].norm(dim=1).mean() > 8.5
assert group_error["strange"] > 2 * group_error["test"]

# %% [markdown] codes-seen
# Four things to take home. *Start more than once*: searches from different codes end in different places, and the best
# of eight has a clearly smaller error than one. *The answer is not unique*: the images of the first group were found,
# their codes were not, for the codes that were found are two thirds as far from the true ones as a stranger's would be.
# *Real images lie close to what the generator can make, but not on it*: their error stays above that of generated ones,
# and their codes are longer than codes that are drawn, out where the generator is only asked to extrapolate. (The VAE's
# error is larger, but it had 16 numbers an image and no search, so this is no contest.) *What is not on the manifold is
# not found*: an upside-down shoe comes back as a smear of garments, with an error several times that of an honest
# image. That makes inversion a detector of strange images, as reconstruction was in lesson 03.
#
# ## 9. Which regulariser?
#
# Section 4 was a game of two numbers. For images one has to measure. One command of this repository trains the same
# networks for the same processor time with each loss and [[regulariser|regularisation]] and compares the samples as
# in section 5, on 10,000 images. Besides R1 there are two other popular remedies: **[[spectral normalisation]]**
# divides the weights of each layer of the discriminator by their largest singular value, and the **gradient penalty**
# of the [[Wasserstein GAN]] asks for gradients of length 1 between real and fake samples. Spectral normalisation became
# known together with the **[[hinge loss]]**: the discriminator minimises $\max(0, 1 - l(x)) + \max(0, 1 + l(\hat x))$,
# so that logits beyond $\pm 1$ count no more, and the generator $-l(\hat x)$. Before you believe an order, look at the
# spread over the seeds.

# %% comparison
comparison, _ = stored.read(data_dir() / "gan_comparison")  # verified; made by the command in its first line
print(f"{comparison['seconds']:g} s of processor time each; floor {comparison['floor']:.1f}; {comparison['command']}")
for way in comparison["ways"]:
    fds, steps = ", ".join(f"{value:.0f}" for value in way["frechet"]), sum(way["steps"]) / len(way["steps"])
    shares = [sum(way[what]) / len(way[what]) for what in ("precision", "recall")]
    print(
        "{:38s}".format(way["name"]), f"FD {fds}; precision {shares[0]:.2f}, recall {shares[1]:.2f}; {steps:,.0f} steps"
    )

# %% [test] comparison-holds
distance = {way["name"]: way["frechet"] for way in comparison["ways"]}
spectral, hinge = distance["non-saturating, spectral normalisation"], distance["hinge, spectral normalisation"]
r1, bare = distance["non-saturating, R1"], distance["non-saturating, nothing"]
assert max(spectral) < min(hinge + r1)
assert max(hinge + r1) < min(bare)
assert max(bare) < min(distance["Wasserstein, gradient penalty"])
recalled = {way["name"]: sum(way["recall"]) for way in comparison["ways"]}
assert max(recalled, key=recalled.get) == "non-saturating, nothing"

# %% [markdown] comparison-seen
# For a minute of one core the order is the same with both seeds. First comes spectral normalisation with the loss of
# section 2. With the hinge loss it is level with R1, so what helped is the two together. Then comes no regulariser at
# all, and last the gradient penalty, whose second gradient at every step leaves time for little more than half the
# steps. Doing nothing has the best recall: each of these remedies trades some variety for quality. Two seeds and one
# minute do not settle what is best after an hour, and each way had only two settings to choose from. The reference
# model was trained with the winner for several minutes (its card says how many), and its distance is far below all of
# these: *longer* did more here than *which*.

# %% [markdown] changes
# ## What changed, and what did not
#
# | from the VAE to the GAN | |
# |---|---|
# | **changed** | no likelihood and no bound: samples are compared with data by a second network |
# | **changed** | no encoder: codes are found by search, slowly, with several answers and an error that stays |
# | **changed** | samples are sharp, and what is missing is missing in silence: look at recall |
# | **changed** | the training is a game and need not settle; the losses do not say how good the samples are |
# | **did not change** | codes come from $N(0, I)$, the decoder is continuous, so dead zones between heaps stay |
# | **did not change** | the four verbs: all explorers and measures of the earlier lessons work unchanged |
#
# ## Limits and caveats
#
# * The collapse of section 3 was brought about by one cause, a generator that is too fast. Large GANs also lose modes
#   in quieter ways, a few rare ones at a time, and no ring tells how many are missing.
# * Three seeds show that an effect is there, not how often it fails.
# * The optimal discriminator and the divergence hold for unlimited networks and data. In practice $D$ is never optimal,
#   and the argument about the Jensen-Shannon divergence explains tendencies only.
# * Precision and recall depend on the feature space, on the number of images and on $k$. A sample may be called precise
#   because one odd real image has a large ball.
# * Inversion by squared error in pixels prefers blurred agreement to right detail. Distances in features serve better
#   for large images.
#
# ## Quiz
#
# **1.** During a training the discriminator's loss stays at $2 \log 2 \approx 1.39$ from the first step on. A colleague
# is delighted: "perfect balance". What else could it be?
#
# <details><summary>Answer</summary>
#
# $2 \log 2$ means $D = \tfrac12$ everywhere: the discriminator cannot tell. That is so at the goal, but also if it does
# not learn at all, because its learning rate is far too small or its weights are not in the optimizer. From the first
# step on, the second is far more likely. Look at samples.
#
# </details>
#
# **2.** You forget to detach the fake samples in the discriminator's loss and then call `step` only on the
# discriminator's optimizer. Is the discriminator trained wrongly? What goes wrong, and when?
#
# <details><summary>Answer</summary>
#
# The discriminator's own gradients are right. But `backward` also leaves gradients on the generator's weights, of the
# wrong sign: they make fakes easier to recognise. They do harm if the generator's gradients are not set to zero before
# its own step, and they cost time always. In `gan_step` the same fakes are used twice, so `backward` would also have
# freed the generator's part of the graph, and the generator's step would fail.
#
# </details>
#
# **3.** A paper reports a precision of 0.95 with truncation at 0.5, against 0.80 of a competitor without. Better?
#
# <details><summary>Answer</summary>
#
# Not by this number. Where a generator bears truncation, precision can be bought with variety, so ask for the recall of
# both, or for the whole curve over the limit, or for a measure that pays for both, such as the Frechet distance.
#
# </details>
#
# ## Summary
#
# * $\min_G \max_D\; \mathbb{E}\log D(x) + \mathbb{E}\log(1 - D(G(z)))$; $D^* = p / (p + q)$; $V(D^*) =
#   2\,\mathrm{JSD} - 2\log 2$.
# * Loss of the discriminator: $\overline{\mathrm{softplus}(-l_{\text{real}})} +
#   \overline{\mathrm{softplus}(l_{\text{fake}})}$, fakes detached. Of the generator:
#   $\overline{\mathrm{softplus}(-l_{\text{fake}})}$, not detached.
# * Collapse: the best answer to a fixed discriminator is a single point. Keep the discriminator ahead.
# * R1: $\tfrac\gamma2\,\mathbb{E}\|\nabla_x l(x)\|^2$ at real samples; it lets the game come to rest.
# * Truncation: $z' = \Phi^{-1}(\Phi(-c) + \Phi(z)(\Phi(c) - \Phi(-c)))$. Variety falls; quality need not rise.
# * Inversion: $\arg\min_z \|G(z) - x\|^2$ by gradient descent on $z$, from several starts.
#
# ## References
#
# * I. Goodfellow et al. (2014), *Generative adversarial nets*, arXiv:1406.2661.
# * A. Radford, L. Metz and S. Chintala (2015), *Unsupervised representation learning with deep convolutional generative
#   adversarial networks*, arXiv:1511.06434.
# * M. Arjovsky and L. Bottou (2017), *Towards principled methods for training generative adversarial networks*,
#   arXiv:1701.04862.
# * M. Heusel et al. (2017), *GANs trained by a two time-scale update rule converge to a local Nash equilibrium*,
#   arXiv:1706.08500: unequal learning rates, and the Frechet distance of images.
# * L. Mescheder, A. Geiger and S. Nowozin (2018), *Which training methods for GANs do actually converge?*,
#   arXiv:1801.04406: the game of two numbers, and R1.
# * A. Brock, J. Donahue and K. Simonyan (2019), *Large scale GAN training for high fidelity natural image synthesis*,
#   arXiv:1809.11096: truncation.
# * T. Kynkaanniemi et al. (2019), *Improved precision and recall metric for assessing generative models*,
#   arXiv:1904.06991.
# * J.-Y. Zhu et al. (2016), *Generative visual manipulation on the natural image manifold*, arXiv:1609.03552:
#   inversion.
#
# ## Next
#
# The codes of a GAN are a plain normal distribution, and all meaning is in the generator. Lesson 12 takes noise as
# latent one step further: a chain of small steps from noise to image, with a way back.
