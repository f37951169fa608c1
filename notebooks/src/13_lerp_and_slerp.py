# %% [markdown] title
# {{header}}
#
# # 13. Straight ahead or along the arc: how should one walk through a latent space?
#
# **LERP against [[SLERP]].** At the end of this lesson you can
#
# 1. say how long a draw from a Gaussian is, in any dimension, and what halving the way between two draws does to it;
# 2. write linear and spherical interpolation so that no pair of vectors breaks them;
# 3. [[measure a path|path quality]] instead of admiring it, and say for which models the choice matters.

# %% [markdown] prerequisites
# **You need:** lesson 01 (walks through pixels and PCA) and lesson 04 (the VAE and its prior). Lessons 10 and 12 made
# the two models without an encoder that are walked here; you can read this lesson first if you take them on trust.
#
# **Time:** {{learning}} with the exercises. Running all cells takes {{minutes}}.

# %% setup
{{setup}}

# %% imports
import math

import matplotlib.pyplot as plt
import safetensors.torch
import torch

from course_utils import checks, plots, stored, widgets
from course_utils.checkpoints import load_reference
from course_utils.data import fashion_mnist
from course_utils.device import pick_device, seed_everything
from course_utils.files import data_dir
from course_utils.latents import decode_dataset, encode_dataset
from course_utils.models.pca import PCA  # lesson 01
from course_utils.models.pixels import PixelSpace  # course_utils/models/pixels.py: encode and decode change nothing

plt.rcParams["figure.dpi"] = 80
seed_everything(13)
g = torch.Generator().manual_seed(13)  # what is drawn by hand in this lesson comes from here
device = pick_device()
train, test = fashion_mnist("train"), fashion_mnist("test")
print(f"{len(train):,} training and {len(test):,} test images; computing on {device}")

# %% [markdown] predict
# ## Predict first
#
# 1. A code has 512 numbers, each drawn from $N(0, 1)$. How far is it from the origin: about 1, about 23, or about 512?
# 2. You draw two such codes and stand halfway between them. Are you as far out as they are, or nearer to the origin,
#    and by how much? Is that more or less than with codes of 2 numbers?
# 3. You walk between two photographs in pixel space and in the latent spaces of PCA, an autoencoder, a VAE, a GAN and a
#    diffusion model, straight ahead and along an arc. In which of the six will the difference be easy to see?
#
# Write down your answers.
#
# <details><summary>What we found, for after sections 1, 2 and 6</summary>
#
# 1. About 22.6, the square root of 512, and hardly ever less than 20 or more than 25.
# 2. Nearer: on average by the factor $1/\sqrt 2 = 0.71$, in *every* dimension. What changes with the dimension is how
#    unusual that is.
# 3. Less than the fame of the question promises. The arc keeps some contrast and texture in almost all of them. Which
#    *space* you walk in decides what you see.
#
# </details>

# %% [markdown] shell-idea
# ## 1. The shell
#
# Take $z \sim N(0, I)$ in $d$ dimensions. Its squared length $\lVert z\rVert^2 = z_1^2 + \dots + z_d^2$ is a sum of $d$
# independent terms, each of mean 1 and variance 2. So it has mean $d$ and variance $2d$. The length itself follows the
# **[[chi distribution]]**, whose mean is known exactly:
#
# $$ E\lVert z\rVert = \sqrt 2\, \frac{\Gamma((d+1)/2)}{\Gamma(d/2)} \approx \sqrt{d - \tfrac12}. $$
#
# The mean grows without end. The standard deviation does not: for large $d$ it settles at $1/\sqrt 2$. A ball of fluff
# in two dimensions, a thin **[[shell|Gaussian shell]]** in five hundred. Look at the last two columns.


# %% shell-table
def expected_norm(d):
    """Mean of |z| for z ~ N(0, I) in d dimensions."""
    return math.sqrt(2) * math.exp(math.lgamma((d + 1) / 2) - math.lgamma(d / 2))


dimensions = [2**k for k in range(10)]  # 1, 2, 4, ... 512
draws = {d: torch.randn(2, 4000, d, generator=g) for d in dimensions}  # 4000 pairs in each dimension
print("    d   mean of |z|    theory   sqrt(d)   std of |z|   std / mean")
for d in dimensions:
    norms = draws[d].norm(dim=2)  # (2, 4000)
    mean, std = norms.mean().item(), norms.std().item()
    print(f"{d:5d}   {mean:11.3f}   {expected_norm(d):7.3f}   {d**0.5:7.3f}   {std:10.3f}   {std / mean:10.3f}")

# %% [test] shell-table-holds
for d in dimensions:
    norms = draws[d].norm(dim=2)
    mean, std = norms.mean().item(), norms.std().item()
    assert abs(mean - expected_norm(d)) < 5 * std / math.sqrt(norms.numel())
assert abs(std - 1 / math.sqrt(2)) < 0.03

# %% [markdown] shell-seen
# This sounds like a contradiction, because the density $N(z; 0, I)$ is largest at the origin. Both are true. The
# density is per unit of volume, and there is next to no volume near the origin: the ball of half the radius holds the
# fraction $2^{-d}$ of the ball's volume. The origin is the single most likely point and a place where no draw ever is.
#
# A generator that was trained on such draws has therefore seen codes on the shell and nowhere else. That is the whole
# reason to ask how to walk.

# %% [markdown] midpoint-idea
# ## 2. Two draws and the point between them
#
# Let $a$ and $b$ be independent draws. The cosine of the angle between them has mean 0 and standard deviation
# $1/\sqrt d$: in high dimension *any two draws are nearly perpendicular*. Their midpoint $m = (a + b)/2$ is a sum of
# Gaussians and so a Gaussian itself, $m \sim N(0, \tfrac12 I)$. This gives the mean of its length without any further
# work:
#
# $$ \frac{E\lVert m\rVert}{E\lVert a\rVert} = \frac{1}{\sqrt 2} = 0.707 \qquad \text{exactly, in every dimension.} $$
#
# For a single pair, compare with the mean length of its own two ends, $R = \lVert a + b\rVert / (\lVert a\rVert +
# \lVert b\rVert)$. By the law of cosines
#
# $$ R^2 = \frac{1 + s \cos\theta}{1 + s}, \qquad
# s = \frac{2 \lVert a\rVert \lVert b\rVert}{\lVert a\rVert^2 + \lVert b\rVert^2}, $$
#
# and as lengths and angle of Gaussian draws are independent, with known densities, $E[R]$ is a double integral over
# $\theta$ and over $\phi$ with $s = \sin 2\phi$. The cell computes it on a grid. Look for what depends on $d$ and what
# does not.


# %% midpoint-table
def expected_ratio(d, n=600):
    """E[R] for two independent draws from N(0, I) in d >= 2 dimensions, by the midpoint rule."""
    grid = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    s = torch.sin(grid * torch.pi)[:, None]  # sin(2 phi), phi from 0 to pi / 2
    theta = (grid * torch.pi)[None, :]
    log_density = (d - 1) * torch.log(s) + (d - 2) * torch.log(torch.sin(theta))  # up to a constant
    density = torch.softmax(log_density.flatten(), dim=0).view(n, n)
    return (density * torch.sqrt((1 + s * torch.cos(theta)) / (1 + s))).sum().item()


ratios = {}
print("    d   E|m|/E|a|    mean R    theory    5% to 95% of R   |m| in std from E|a|")
for d in dimensions[1:]:
    (a, b), m = draws[d], draws[d].mean(dim=0)
    ratios[d] = R = 2 * m.norm(dim=1) / (a.norm(dim=1) + b.norm(dim=1))
    of_means = (m.norm(dim=1).mean() / draws[d].norm(dim=2).mean()).item()
    low, high = R.quantile(torch.tensor([0.05, 0.95])).tolist()
    away = ((m.norm(dim=1).mean() - expected_norm(d)) / draws[d].norm(dim=2).std()).item()
    print(
        f"{d:5d}   {of_means:9.3f}   {R.mean():7.3f}   {expected_ratio(d):7.3f}   {low:8.2f} to {high:.2f} {away:13.1f}"
    )

# %% [test] midpoint-table-holds
for d, R in ratios.items():
    of_means = (draws[d].mean(dim=0).norm(dim=1).mean() / draws[d].norm(dim=2).mean()).item()
    assert abs(of_means - 1 / math.sqrt(2)) < 0.03
    assert abs(R.mean().item() - expected_ratio(d)) < 5 * R.std().item() / math.sqrt(len(R))

# %% [markdown] midpoint-seen
# The average hardly moves. What moves is everything else. In two dimensions $R$ is anything between nearly 0 and nearly
# 1, and a point at 0.7 of the usual length is a perfectly usual point: half a standard deviation below the mean. In 512
# dimensions $R$ is 0.71 for *every* pair, and the midpoint lies more than nine standard deviations inside the shell.
# No draw in the history of the universe would land there.
#
# (You may read that in two dimensions the midpoint keeps about 0.92 of the length, and that the loss is a matter of
# many dimensions. None of the averages above is 0.92. A single pair may well be: the next cell counts how many are.)

# %% lucky-pairs
lucky = {d: (ratios[d] > 0.92).float().mean().item() for d in (2, 8, 32)}
print({d: f"{share:.1%} of the pairs keep more than 0.92" for d, share in lucky.items()})

# %% [test] lucky-pairs-holds
assert 0.2 < lucky[2] < 0.4
assert lucky[32] < 0.01

# %% [markdown] shell-figure-intro
# The two histograms of the next figure, for four dimensions. Upper row: how long are the draws (blue), and how long are
# the midpoints (orange)? Watch the *width* of the hills stay the same while they move apart. Lower row: $R$, one value
# a pair, with $1/\sqrt 2$ marked.


# %% densities
def chi_density(r, d):
    """Density of |z| at r > 0 for z ~ N(0, I) in d dimensions."""
    return torch.exp((d - 1) * torch.log(r) - r**2 / 2 - (d / 2 - 1) * math.log(2) - math.lgamma(d / 2))


def histogram(values, edges):
    """Centres of the bins and the density of the values in them."""
    counts = torch.histogram(values, edges).hist
    return (edges[1:] + edges[:-1]) / 2, counts / len(values) / edges.diff()


# %% shell-charts
r = torch.linspace(0.05, 26, 261)
length_bins, ratio_bins = torch.linspace(0, 26, 66), torch.linspace(0, 1, 41)


def shell(doublings):
    """Lengths of draws and of midpoints in d = 2**doublings dimensions, and the ratio R of each pair."""
    d = 2 ** round(doublings)
    ends, middle = draws[d].norm(dim=2), draws[d].mean(dim=0).norm(dim=1)
    lengths = [plots.Series("draws", *histogram(ends.flatten(), length_bins), "bars", color=0, width=0.4)]
    lengths.append(plots.Series("midpoints", *histogram(middle, length_bins), "bars", color=1, width=0.4))
    lengths.append(plots.Series("theory", r, chi_density(r, d), color=4))
    centres, density = histogram(2 * middle / ends.sum(dim=0), ratio_bins)
    pairs = [plots.Series("pairs", centres, density / 40, "bars", color=2, width=0.025)]
    pairs.append(plots.Series("1 / sqrt 2", 1 / math.sqrt(2), kind="markers", color=7))
    return {
        "lengths": plots.Chart(lengths, (0, 26), (0, 0.95), "length", "density"),
        "ratio": plots.Chart(pairs, (0, 1), (0, 0.75), "R: midpoint / mean of its ends", "share of pairs"),
    }


# %% shell-twin
def say_dimension(doublings):
    d = 2 ** round(doublings)
    return f"d = {d}: draws have length {expected_norm(d):.2f} on average, midpoints {expected_norm(d) / 2**0.5:.2f}."


shell_explorer = widgets.FunctionSliders(
    shell, {"log2 of the dimension": (0, 9, 1, 1)}, describe=say_dimension, title="The shell"
)
axes = shell_explorer.static([(1,), (4,), (7,), (9,)], width=10.5)

# %% [markdown] shell-explorer-text
# **Explorer.** Move from $d = 1$ to $d = 512$. From which dimension on do the two hills no longer touch?

# %% shell-explorer
shell_explorer.move_to(6)
shell_explorer

# %% [markdown] lerp-idea
# ## 3. LERP
#
# Linear interpolation takes a share $w$ of the way along the straight line:
#
# $$ \mathrm{lerp}(z_A, z_B, w) = (1 - w)\, z_A + w\, z_B. $$
#
# Read it with products, not with commas, and with the weight on the *second* code: $w = 0$ gives $z_A$ and $w = 1$
# gives $z_B$, as `torch.lerp` has it.

# %% [markdown] lerp-task
# ### Exercise 1: lerp
#
# *Easy, about 8 minutes.* One line, if the weight is one number. But we want whole paths in one call: a vector of $K$
# weights should give $K$ codes. Mind which axis the weights meet.


# %% lerp-exercise
def lerp(z_a, z_b, weight):
    """A share `weight` of the way from z_a to z_b on a straight line.

    Args:
        z_a: Code of any shape.
        z_b: Code of the same shape.
        weight: One number, or a tensor of K numbers.

    Returns:
        A code of the shape of z_a; for K weights, (K, *shape of z_a).
    """
    ### BEGIN SOLUTION
    weight = torch.as_tensor(weight)
    w = weight.reshape([*weight.shape, *[1] * z_a.ndim])  # (K, 1, ..., 1), or (1, ..., 1)
    return (1 - w) * z_a + w * z_b
    ### END SOLUTION


# %% lerp-check
lerp = checks.accept("lerp", lerp)

# %% [markdown] lerp-hints
# <details><summary>Hint 1</summary>
#
# With a number, `(1 - weight) * z_a + weight * z_b` is all. For a vector of weights PyTorch lines up the *last* axes,
# so `weight * z_b` would multiply column by column, or fail.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Give the weights as many trailing axes of length 1 as a code has: `weight.reshape(-1, *[1] * z_a.ndim)` for a vector.
# `torch.as_tensor(weight)` turns a number into a tensor first, whose `ndim` is 0.
#
# </details>

# %% [markdown] slerp-idea
# ## 4. SLERP
#
# To stay on the shell, walk along it. Let $u_A$ and $u_B$ be the directions of the two codes, unit vectors at an angle
# $\theta$. In the plane that they span, the unit vector at the angle $w\theta$ from $u_A$ is
#
# $$ u(w) = \frac{\sin((1-w)\theta)}{\sin\theta}\, u_A + \frac{\sin(w\theta)}{\sin\theta}\, u_B . $$
#
# (Check it: at $w = 0$ and $w = 1$ it is $u_A$ and $u_B$; the cosine with $u_A$ comes out as $\cos w\theta$.) This is
# **spherical linear interpolation** (Shoemake 1985): the direction turns at constant speed. Shoemake needed it for
# rotations, whose quaternions all have length 1. Codes do not, so the length is interpolated by itself:
#
# $$ \mathrm{slerp}(z_A, z_B, w) = r(w)\, u(w), \qquad r(w) = (1 - w) \lVert z_A\rVert + w \lVert z_B\rVert. $$
#
# And then there are the pairs for which the formula breaks, because it divides by $\sin\theta$ or by a length:
#
# | pair | what breaks | what to do |
# |---|---|---|
# | parallel, $\theta = 0$ | $0/0$ | the arc *is* the straight line: lerp |
# | nearly parallel | rounding: arccos of 1.0000001 is NaN | the same |
# | antipodal, $\theta = \pi$ | $0/0$, and infinitely many shortest arcs | choose one |
# | one end is zero | no direction | lerp |

# %% [markdown] slerp-task
# ### Exercise 2: slerp, with all its edge cases
#
# *Hard, about 20 minutes.* Start with the formula and let the check tell you which pair breaks it. For antipodal ends
# any perpendicular direction is right, as long as it is the same one at every call.


# %% slerp-exercise
def slerp(z_a, z_b, weight):
    """A share `weight` of the way from z_a to z_b along the arc; the norm changes linearly.

    Args:
        z_a: Vector (D,), D at least 2.
        z_b: Vector (D,).
        weight: One number from 0 to 1.

    Returns:
        Vector (D,), finite for any two vectors. Parallel ends, or a zero end, give lerp; opposite ends a half circle.
    """
    ### BEGIN SOLUTION
    norm_a, norm_b = z_a.norm(), z_b.norm()
    if norm_a == 0 or norm_b == 0:
        return lerp(z_a, z_b, weight)
    u_a, u_b = z_a / norm_a, z_b / norm_b
    theta = 2 * torch.atan2((u_a - u_b).norm(), (u_a + u_b).norm())  # exact for small angles too, unlike arccos
    if theta < 1e-4:
        return lerp(z_a, z_b, weight)
    if theta > torch.pi - 1e-4:
        axis = torch.zeros_like(u_a)
        axis[u_a.abs().argmin()] = 1.0  # the coordinate axis least aligned with u_a
        u_b = axis - (axis @ u_a) * u_a  # straightened: perpendicular to u_a
        u = torch.cos(weight * theta) * u_a + torch.sin(weight * theta) * u_b / u_b.norm()
    else:
        u = (torch.sin((1 - weight) * theta) * u_a + torch.sin(weight * theta) * u_b) / torch.sin(theta)
    return lerp(norm_a, norm_b, weight) * u
    ### END SOLUTION


# %% slerp-check
slerp = checks.accept("slerp", slerp)

# %% [markdown] slerp-hints
# <details><summary>Hint 1</summary>
#
# Divide each vector by its norm first; the cosine of the angle is `u_a @ u_b`. Rounding can push it beyond 1:
# `.clamp(-1, 1)` before `torch.acos`. Multiply by $r(w)$ last.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Test for the edge cases before you divide: a norm equal to 0; $\theta$ below about 1e-3; $\theta$ above $\pi$ minus
# about 1e-3.
#
# </details>
# <details><summary>Hint 3</summary>
#
# A vector perpendicular to $u_A$: take a coordinate axis $e$ and subtract its part along $u_A$, $e - (e \cdot u_A)\,
# u_A$, then divide by its norm. The axis where $|u_A|$ is smallest is never parallel to $u_A$. The half circle is
# $\cos(w\pi)\, u_A + \sin(w\pi)\, v$.
#
# </details>

# %% [markdown] edges-intro
# Every edge case, tried. The angle turned at $w = \tfrac14$ should be a quarter of $\theta$, and the norm a quarter of
# the way from that of $z_A$ to that of $z_B$.


# %% edges
def degrees_between(u, v):
    """Angle between two vectors, in degrees."""
    return math.degrees(2 * math.atan2((u / u.norm() - v / v.norm()).norm(), (u / u.norm() + v / v.norm()).norm()))


v = torch.randn(2, 6, generator=g)
cases = {"two draws": (v[0], v[1]), "different norms": (v[0], 5 * v[1]), "equal": (v[0], v[0])}
cases |= {"parallel": (v[0], 3 * v[0]), "nearly parallel": (v[0], v[0] + 1e-6)}
cases |= {"antipodal": (v[0], -v[0]), "zero end": (v[0], 0 * v[0])}
for name, (z_a, z_b) in cases.items():
    z = slerp(z_a, z_b, 0.25)
    whole = degrees_between(z_a, z_b) if z_b.any() else 0.0
    turned = degrees_between(z_a, z)
    print(f"{name:16s} angle {whole:6.1f}, turned {turned:5.1f}   norm from {z_a.norm():.2f} to {z.norm():.2f}")

# %% [test] edges-holds
for z_a, z_b in cases.values():
    z = slerp(z_a, z_b, 0.25)
    whole, turned = degrees_between(z_a, z_b) if z_b.any() else 0.0, degrees_between(z_a, z)
    assert z.isfinite().all()
    assert abs(turned - whole / 4) < 0.1
    assert abs(z.norm() - lerp(z_a.norm(), z_b.norm(), 0.25)) < 1e-3

# %% [markdown] nlerp-idea
# ### nlerp, the cheap one
#
# There is a third way: walk straight and put each point back on the shell, **[[nlerp]]**. It passes through the same
# points as slerp, but not at the same times. For two unit vectors at the angle $\theta$ its speed in the middle is
# $1/\cos^2(\theta/2)$ times that at the ends: twice for perpendicular codes. In high dimension codes *are*
# perpendicular, so this is what you get.


# %% nlerp
def nlerp(z_a, z_b, weight):
    """The straight line, each point scaled to the norm that slerp has there."""
    z = lerp(z_a / z_a.norm(), z_b / z_b.norm(), weight)
    return lerp(z_a.norm(), z_b.norm(), weight) * z / z.norm()


for theta in (30.0, 90.0, 150.0):
    z_a = torch.tensor([1.0, 0.0], dtype=torch.float64)
    z_b = torch.tensor([math.cos(math.radians(theta)), math.sin(math.radians(theta))], dtype=torch.float64)
    speed = [degrees_between(nlerp(z_a, z_b, w), nlerp(z_a, z_b, w + 1e-3)) for w in (0.0, 0.4995)]
    print(f"theta = {theta:3.0f}: nlerp is {speed[1] / speed[0]:.2f} times as fast in the middle as at the ends")

# %% [test] nlerp-holds
for theta in (30.0, 90.0, 150.0):
    z_a = torch.tensor([1.0, 0.0], dtype=torch.float64)
    z_b = torch.tensor([math.cos(math.radians(theta)), math.sin(math.radians(theta))], dtype=torch.float64)
    speed = [degrees_between(nlerp(z_a, z_b, w), nlerp(z_a, z_b, w + 1e-3)) for w in (0.0, 0.4995)]
    assert abs(speed[1] / speed[0] * math.cos(math.radians(theta / 2)) ** 2 - 1) < 0.02

# %% [markdown] plane-intro
# All three in the plane, at nine equal weights. Left: equal norms, 150 degrees. Are the nine points of each path evenly
# spaced, and how near does each path come to the origin? Middle: ends of different norm. Right: antipodal ends, where
# lerp goes through the origin and nlerp jumps across it.


# %% plane
ends = {
    "equal norms, 150 degrees": ([1.0, 0.0], [-0.866, 0.5]),
    "norms 1 and 0.4": ([1.0, 0.0], [-0.2, 0.346]),
    "antipodal": ([1.0, 0.0], [-1.0, 1e-9]),
}
figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.3), layout="constrained")
for ax, (title, (z_a, z_b)) in zip(axes, ends.items(), strict=True):
    z_a, z_b = torch.tensor(z_a), torch.tensor(z_b)
    ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.8"))
    for k, walk in enumerate((lerp, nlerp, slerp)):
        points = torch.stack([walk(z_a, z_b, w) for w in torch.linspace(0, 1, 9).tolist()])
        ax.plot(*points.T, marker=plots.MARKERS[k], color=plots.PALETTE[k], label=walk.__name__, markersize=5, lw=1)
    ax.plot(0, 0, "k+")
    ax.set(title=title, xlim=(-1.15, 1.15), ylim=(-0.25, 1.15), aspect="equal")
axes[0].legend(frameon=False, loc="lower center", ncols=3, fontsize=9)
plt.show()

# %% [markdown] package-note
# From here on we use the package's versions, which take whole batches and vectors of weights. They compute the same
# numbers up to rounding: the cell prints the largest difference.

# %% package
from course_utils import interpolation  # course_utils/interpolation.py

z_a, z_b = torch.randn(2, 64, generator=g)
for ours, theirs in ((lerp, interpolation.lerp), (slerp, interpolation.slerp)):
    print(f"{ours.__name__}: {(ours(z_a, z_b, 0.3) - theirs(z_a, z_b, 0.3)).abs().max():.1e}")

# %% [test] package-holds
for ours, theirs in ((lerp, interpolation.lerp), (slerp, interpolation.slerp)):
    torch.testing.assert_close(ours(z_a, z_b, 0.3), theirs(z_a, z_b, 0.3))

# %% [markdown] spaces-idea
# ## 5. Six spaces
#
# Now the models. Each of them encodes and decodes; that is all a walk needs.
#
# | space | a code is | how an image gets its code |
# |---|---|---|
# | pixels | the image itself | it has one |
# | PCA | 32 coordinates | projection |
# | autoencoder | 32 numbers | encoder |
# | VAE | 16 numbers, the [[posterior mean]] | encoder |
# | GAN | 64 numbers, as drawn from $N(0, I)$ | search: lesson 10 |
# | diffusion | a noise image of 784 numbers, as drawn from $N(0, I)$ | DDIM run backwards: lesson 12 |
#
# Encoding ten images takes the last two many seconds, so we load these codes from a file. It was made, with everything
# that is read from `path_quality.json` below, by one command: `python benchmarks/paths.py`.

# %% spaces
references = {"autoencoder": "autoencoder_32d", "VAE": "vae_16d"}
references |= {"GAN": "gan_fashion", "diffusion": "diffusion_fashion"}
spaces = {"pixels": PixelSpace(), "PCA": PCA(32).fit(train)}
spaces |= {name: load_reference(reference) for name, reference in references.items()}
few = test[:10]  # one image of each class
table, files = stored.read(data_dir() / "path_quality")  # both verified; made by the command named above
kept = safetensors.torch.load(files["path_codes.safetensors"])
codes = {name: kept[name].float() if name in kept else encode_dataset(m, few) for name, m in spaces.items()}
print(f"{len(table['pairs'])} pairs of test images, {table['points']} points on each path")
for name, z in codes.items():
    restored = decode_dataset(spaces[name], z)
    print(f"{name:12s} codes {tuple(z.shape)}, squared error a pixel {(restored - few.pixels()).square().mean():.4f}")

# %% [test] spaces-holds
assert len(table["pairs"]) >= 50

# %% [markdown] geometry-intro
# Before walking, three numbers decide what to expect: how long are codes of real images, how much does the length vary,
# and what is the angle between two of them? If codes were draws from $N(0, I)$, the first column would equal the
# second, the third would be $0.71 / \sqrt d$, the angle 90 degrees, and LERP's midpoint would keep 0.71. The numbers
# are those of the stored pairs.

# %% geometry
print("space          mean |z|   of N(0, I)   std / mean   angle (degrees)   LERP keeps")
keeps = {}
for name, one in table["spaces"].items():
    d = math.prod(one["latent_shape"])
    norms, angle = torch.tensor(one["norms"]), torch.tensor(one["angles"])
    keeps[name] = sum(one["lerp"]["norm"]) / len(one["lerp"]["norm"])
    print(f"{name:12s} {norms.mean():10.2f} {expected_norm(d):12.2f} {norms.std() / norms.mean():12.2f}"
          f" {angle.mean():11.0f} +- {angle.std():2.0f} {keeps[name]:12.2f}")  # fmt: skip

# %% [test] geometry-holds
for name, one in table["spaces"].items():
    d, norms = math.prod(one["latent_shape"]), torch.tensor(one["norms"])
    assert abs(keeps[name] - 1 / math.sqrt(2)) < 0.08 or name in ("pixels", "autoencoder")
    assert name != "diffusion" or norms.mean() < 0.9 * expected_norm(d)

# %% [markdown] geometry-seen
# Four groups. **VAE and GAN**, whose decoders expect $N(0, I)$: codes of real images are nearly perpendicular to each
# other, as draws are, and LERP keeps about what theory says. The VAE's are shorter than draws, because a posterior mean
# is only the centre of a cloud (lesson 04); and in 16 dimensions the shell is thick. **Diffusion**: perpendicular too,
# but far inside the shell. Running DDIM backwards does not return a perfect draw: a picture with a large black area
# comes back as noise that is too quiet. So the codes of real images need not lie where draws lie, not even here.
# **PCA** promised no Gaussian, but its codes are centred, and centred codes are perpendicular on average. **Pixels and
# autoencoder** are not centred: all codes share a large common part, so the angles are small and LERP loses little. For
# the autoencoder even that is an accident of training. Add the same vector to every code and subtract it in the
# decoder: the model is the same, every straight line is the same, and every angle is another. *An arc needs an origin
# that means something.*
#
# Whether the norm matters is the decoder's to answer, and we can ask it directly. Take the code of one image and shrink
# it: to the 0.71 that a midpoint has left, and to less. The direction stays, only the length changes. Which decoders
# notice, and what do they make of it?

# %% shrink
factors = (1.0, 0.85, 1 / math.sqrt(2), 0.5, 0.25)
chosen = 9  # an ankle boot
rows = {name: decode_dataset(m, torch.stack([f * codes[name][chosen] for f in factors])) for name, m in spaces.items()}
plots.image_rows(rows, column_titles=["code", *(f"{f:.2f} x" for f in factors[1:])])
plt.show()

# %% [markdown] shrink-seen
# Pixels grow dark: the origin of pixel space is a black image. PCA fades into the mean image, which is its origin. The
# autoencoder hardly notices. The VAE, trained with noise on its codes, answers with a paler and vaguer boot: nearer to
# the origin is nearer to the average. The GAN never saw a code so short: at half the length it returns scraps, at a
# quarter next to nothing. The diffusion model loses the *details* first: at half the length the boot is smooth, at a
# quarter what comes back is hardly a boot. The strength of the noise is what texture is made of.

# %% [markdown] walk-intro
# ## 6. The same two images, walked in all six
#
# The figure shows both paths between the same two test images in every space. The first and the last column are what
# each model makes of the two images themselves, so a difference *there* is the model's fault and not the path's. Then
# look at the middle column: is it one garment or two? Is it sharp? And where do the two rows of a space differ?

# %% walk
decoded = {"diffusion": kept["diffusion paths"]}  # all pairs, nine points each, for the explorer of section 9
known = {name: z for name, z in codes.items() if name in kept}
laboratory = widgets.PathLab(spaces, few, codes=known, decoded=decoded, start=(9, 3, 0.5))
ax = laboratory.static(9)
ax.figure.set_size_inches(9.2, 9.6)
plt.show()

# %% [markdown] measure-idea
# ## 7. Measuring a path
#
# Pictures persuade, and one pair can be made to say anything. So we measure, four things:
#
# | measure | definition | what it sees |
# |---|---|---|
# | **uniformity** of the steps | mean step / longest step | 1 for even steps, $1/(K-1)$ if everything happens in one |
# | **sharpness** | RMS difference of neighbouring pixels, inner images / the two real ends | blur, double exposure |
# | **distance** to the data | mean distance of the inner images to the nearest training image | leaving the clothes |
# | **norm** | smallest norm of a code / that of slerp there | leaving the shell |
#
# Steps and distances of pixels are a poor ruler (lesson 02), so they are taken between the 64 features of a small
# classifier, and distances are given in units of what a real test image has: 1 is as near as real images are.
#
# ### Exercise 3: two of the four
#
# *Medium, about 12 minutes.* Write the first and the third, in whatever space the images come in.


# %% path-exercise
def path_scores(images, data):
    """How even the steps of a path are, and how far it is from the data.

    Args:
        images: The images of one path, its two ends included, (K, C, H, W).
        data: Real images, (N, C, H, W).

    Returns:
        uniformity: mean step / longest step, Euclidean, a scalar tensor.
        distance: Euclidean distance to the nearest image of the data, mean over the K - 2 inner images, a scalar
            tensor.
    """
    ### BEGIN SOLUTION
    x, data = images.flatten(1), data.flatten(1)
    steps = (x[1:] - x[:-1]).norm(dim=1)  # (K - 1,)
    distance = torch.cdist(x[1:-1], data)  # (K - 2, N)
    return steps.mean() / steps.max(), distance.min(dim=1).values.mean()
    ### END SOLUTION


# %% path-check
path_scores = checks.accept("path-scores", path_scores)

# %% [markdown] path-hints
# <details><summary>Hint 1</summary>
#
# `flatten(1)` makes one vector of each image. The steps are `x[1:] - x[:-1]`, and `norm(dim=1)` is their length.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.cdist(x[1:-1], data)` has a row for each inner image and a column for each image of the data. The nearest one
# is the minimum along which dimension?
#
# </details>

# %% [markdown] fooled-intro
# No single measure can be trusted alone. Try them on three walks that need no model: the cross-fade of pixels, a *jump*
# (A five times, then B four times), and the same image nine times. In which column would each of them win?

# %% fooled
from course_utils.metrics import path_quality  # course_utils/metrics/paths.py

a, b = few.pixels([9, 3])
walks = {
    "cross-fade": interpolation.lerp(a, b, torch.linspace(0, 1, 9)),
    "jump": torch.stack([a] * 5 + [b] * 4),
    "standing still": torch.stack([a] * 9),
}
data = train.pixels()
print("walk             uniformity  sharpness  distance (pixels)")
for name, images in walks.items():
    q = path_quality(images, data=data, ends=torch.stack([a, b]))
    print(f"{name:16s} {q.uniformity:10.2f} {q.sharpness:10.2f} {q.distance:10.2f}")

# %% [test] fooled-holds
for name in ("cross-fade", "jump"):
    q = path_quality(walks[name], data=data, ends=torch.stack([a, b]))
    torch.testing.assert_close(torch.stack(path_scores(walks[name], data)), torch.stack([q.uniformity, q.distance]))

# %% [markdown] table-intro
# The cross-fade has perfectly even steps *in pixels*, and the jump is perfectly sharp and stays with the data. A good
# path must do well in all columns at once.
#
# Now the table: the same pairs in all spaces, both methods. Each number is a mean over the pairs with a [[95%
# interval|confidence interval]], twice the standard error.

# %% table
measures = ("uniformity", "sharpness", "distance", "norm")


def mean_and_error(values):
    """Mean and twice its standard error."""
    values = torch.tensor(values)
    return values.mean().item(), 2 * values.std().item() / math.sqrt(len(values))


def line(name, found):
    cells = [mean_and_error(found[m]) if m in found else None for m in measures]
    print(f"{name:18s}", "".join("             " if c is None else f"{c[0]:6.2f} +-{c[1]:5.2f}" for c in cells))


print(f"{'':18s}", "".join(f"{m:>13s}" for m in measures))
line("jump, no walk", table["jump"])
for name, one in table["spaces"].items():
    for method in ("lerp", "slerp"):
        line(f"{name}, {method}", one[method])

# %% [markdown] paired-intro
# Pairs differ more from each other than methods do, so the two methods are best compared *[[pair by pair|paired
# comparison]]*: the difference SLERP - LERP for each pair, then its mean and interval. Points to the right of zero:
# SLERP is higher. An interval that covers zero says that these pairs do not tell the two apart.

# %% paired
difference = {}
figure, axes = plt.subplots(1, 3, figsize=(10, 2.9), sharey=True, layout="constrained")
names = list(table["spaces"])
for ax, measure in zip(axes, measures[:3], strict=True):
    for k, name in enumerate(names):
        one = table["spaces"][name]
        pairs = [s - t for s, t in zip(one["slerp"][measure], one["lerp"][measure], strict=True)]
        difference[name, measure] = mean, error = mean_and_error(pairs)
        ax.errorbar(mean, k, xerr=error, fmt=plots.MARKERS[k], color=plots.PALETTE[k], capsize=4)
    ax.axvline(0, color="0.5", linestyle="--", linewidth=1)
    ax.set(title=f"{measure}: SLERP - LERP", yticks=range(len(names)), yticklabels=names)
    ax.grid(axis="x", alpha=0.3)
axes[0].invert_yaxis()
plt.show()
for (name, measure), (mean, error) in difference.items():
    verdict = "no difference seen" if abs(mean) < error else "SLERP higher" if mean > 0 else "SLERP lower"
    print(f"{name:12s} {measure:10s} {mean:+.3f} +- {error:.3f}   {verdict}")

# %% [markdown] draws-intro
# Codes of real images are one thing, draws from the prior another: for these the theory of sections 1 and 2 holds to
# the letter. The same measures for walks between two *draws*, in the spaces that have a prior. Sharpness is now
# relative to the two images at the ends of the path itself.

# %% draws
for name, one in table["spaces"].items():
    if "draws" in one:
        for method in ("lerp", "slerp"):
            line(f"{name}, {method}", one["draws"][method])
        for measure in measures[:3]:
            pairs = zip(one["draws"]["slerp"][measure], one["draws"]["lerp"][measure], strict=True)
            mean, error = mean_and_error([s - t for s, t in pairs])
            print(f"    SLERP - LERP, {measure:10s} {mean:+.3f} +- {error:.3f}")


# %% [test] conclusions-tested
def mean_of(name, method, measure):
    return mean_and_error(table["spaces"][name][method][measure])[0]


for name in table["spaces"]:
    mean, error = difference[name, "sharpness"]
    assert mean > error  # SLERP is sharper everywhere ...
    mean, error = difference[name, "distance"]
    assert mean > -error  # ... and nearer to the data nowhere
    if name in ("VAE", "GAN", "diffusion"):
        sharp, error = mean_and_error(table["spaces"][name]["draws"]["slerp"]["sharpness"])
        assert abs(sharp - 1) < error
        sharp, error = mean_and_error(table["spaces"][name]["draws"]["lerp"]["sharpness"])
        assert sharp < 1 - error
gain = {name: difference[name, "sharpness"][0] for name in table["spaces"]}
for name in ("pixels", "autoencoder", "GAN", "diffusion"):
    mean, error = difference[name, "distance"]
    assert mean > error
for method in ("lerp", "slerp"):
    near = max(mean_of(name, method, "distance") for name in ("VAE", "GAN", "diffusion"))
    assert near < min(mean_of(name, method, "distance") for name in ("pixels", "PCA", "autoencoder"))
    uneven = max(mean_of(name, method, "uniformity") for name in ("GAN", "diffusion"))
    assert uneven < min(mean_of(name, method, "uniformity") for name in ("pixels", "PCA", "autoencoder", "VAE"))
assert min(gain, key=gain.get) == "autoencoder"
assert max(gain, key=gain.get) == "diffusion"
assert mean_of("pixels", "lerp", "distance") - mean_of("GAN", "lerp", "distance") > 0.2

# %% [markdown] conclusions
# ## 8. What the table says
#
# **Between draws, theory wins.** By SLERP the images on the way are as sharp as the ends, within the interval. By LERP
# they are not: the code of a midpoint is too short, and the decoder makes too little of it. For walks through noise, as
# in GANs and diffusion models, SLERP is the right default.
#
# **Between real images, SLERP is sharper in every space**, pixels and PCA included. That is no sign of a sphere. A
# longer code decodes to more contrast, and an arc is longer than its chord. For PCA you can see it in the formula: the
# decoder is linear, so each image on the arc is a weighted sum of the same two images as on the line, with larger
# weights. The autoencoder, which hardly reads the length, gains least.
#
# **Sharper is not nearer.** In no space is the arc nearer to the data than the line. In pixel space, in the autoencoder
# and in the GAN it is a little farther, in the diffusion model, where it gains most sharpness, clearly so. That is not
# a fault of the arc: the plain, smooth garments of the line have many near neighbours, a textured one has few. A
# measure of distance alone would choose the bland path. What SLERP mends is the length of the code, and no more; it
# cannot mend a space in which the region between two garments is empty.
#
# **The space matters more than the path.** From pixels to the GAN the distance falls by several times what the choice
# of method changes anywhere. VAE, GAN and diffusion stay nearest to the data. Of these, GAN and diffusion have the
# least even steps: they show a garment at every point, so somewhere they must change quickly from one to the other. The
# jump in the first line of the table is the extreme of that. Whether you want the even walk or the plausible images is
# your decision, not the table's.
#
# You may read that SLERP is always better, or that for the posterior means of a VAE the choice hardly matters. This
# table says neither: for this VAE, whose codes lie much as draws would, the gain in sharpness is as large as the GAN's.
# What decides is whether codes are nearly perpendicular around an origin that means something, and whether the decoder
# reads the length. Both can be measured in a minute, as you did in section 5.


# %% [markdown] laboratory-intro
# ## 9. The path laboratory
#
# The static picture is the figure of section 6. Here you choose the two images (one of each class) and the weight. The
# chart shows the norm of LERP's code relative to SLERP's in every space: how deep does each curve sag, and does the row
# of images below it care? Decoding takes the diffusion model a moment, so its nine points of each path come from the
# file, and the nearest one is shown.
#
# Try a pair of the same kind (sneaker and ankle boot), then the most different pair that you can think of.

# %% laboratory
laboratory.move_to(7, 5, 0.5)
laboratory

# %% [markdown] changed
# ## What changed, and what did not
#
# | from LERP to SLERP | |
# |---|---|
# | **changed** | the length of the codes between the ends: on the shell instead of inside it |
# | **changed** | contrast and sharpness in the middle of a walk, wherever the decoder reads the length as contrast |
# | **did not change** | the ends, and the plane in which the path runs |
# | **did not change** | what the model makes of directions: a space that mixes two garments mixes them on both paths |
#
# ## Limits and caveats
#
# - Sixty pairs of one data set, one model of each kind. The intervals are about the choice of pairs; another training
# would give another model, and they say nothing about that.
# - The features, in which steps and distances are measured, come from a small classifier of the same data. It looks at
# what tells classes apart and may miss what you would see.
# - Sharpness is contrast as well as sharpness. A path that only keeps its contrast scores higher, and noise would score
# highest of all.
# - The GAN's codes were found by a search and do not reproduce their images exactly, nor do the other models but the
# pixels. Every path here walks between two *reconstructions*.
# - Neither path knows anything about the data between the ends. Paths that do, shortest ones measured where the images
# are, are the subject of lesson 20.
#
# ## Quiz
#
# **1.** Two codes drawn from $N(0, I)$ in 1000 dimensions: roughly, what is the angle between them, and how long is
# LERP's point at $w = \tfrac14$?
#
# <details><summary>Answer</summary>
#
# 90 degrees, give or take 2. The lengths are about $\sqrt{1000} = 31.6$, and with perpendicular ends $\lVert z(w)\rVert
# = 31.6 \sqrt{(1-w)^2 + w^2} = 31.6 \cdot 0.79 = 25$.
#
# </details>
#
# **2.** A colleague shows that SLERP gives sharper images between the codes of an ordinary autoencoder and concludes
# that its codes lie on a sphere. What is wrong?
#
# <details><summary>Answer</summary>
#
# Nothing in its training ties the codes to a sphere, nor to any origin. Shift all codes by a vector and let the decoder
# undo it: the same autoencoder, other angles, other arcs, another result for SLERP, and the same for LERP. A longer
# code that decodes to more contrast explains the sharpness.
#
# </details>
#
# **3.** For noise codes some people use $\sqrt{1-w}\, z_A + \sqrt{w}\, z_B$. When is that as good as SLERP, and where
# does it fail?
#
# <details><summary>Answer</summary>
#
# For independent draws in high dimension: they are perpendicular, so the length is $\sqrt{(1-w) + w}$ times theirs, and
# the point is distributed as $N(0, I)$ again. It fails if the codes are alike: between a code and itself it returns up
# to $\sqrt 2$ times that code. SLERP looks at the angle and returns the code.
#
# </details>
#
# ## Summary
#
# - $z \sim N(0, I)$ has $E\lVert z\rVert = \sqrt 2\, \Gamma(\frac{d+1}2) / \Gamma(\frac d2) \approx \sqrt{d -
#   \frac12}$, with standard deviation about $1/\sqrt 2$ whatever $d$.
# - The midpoint of two draws is $N(0, \frac12 I)$: shorter by $1/\sqrt 2$ on average in every dimension; typical of
#   single pairs only in high dimension, where it is also many standard deviations off the shell.
# - $\mathrm{lerp} = (1-w) z_A + w z_B$; $\mathrm{slerp} = r(w)\, [\sin((1-w)\theta)\, u_A + \sin(w\theta)\, u_B] /
#   \sin\theta$, with lerp for parallel and zero ends, and a half circle for opposite ones.
# - A good path has even steps, keeps its sharpness, stays near the data, and keeps to where the decoder has practised.
# Measure all four, pair by pair, with an interval.
#
# ## References
#
# - K. Shoemake (1985), *Animating rotation with quaternion curves*, SIGGRAPH.
# - T. White (2016), *Sampling generative networks*, arXiv:1609.04468: SLERP for the codes of generative models.
# - Y. Kilcher, A. Lucchi and T. Hofmann (2017), *Semantic interpolation in implicit models*, arXiv:1710.11381: the
# midpoint's distribution, and a prior that does not mind.
# - J. Song, C. Meng and S. Ermon (2021), *Denoising diffusion implicit models*, arXiv:2010.02502: SLERP between noise
#   codes.
#
# ## Next
#
# The walks of this lesson took the latent space as it was. Lesson 20 asks what its shape is, and walks along it.
