# %% [markdown] title
# {{header}}
#
# # 01. What is a latent space?
#
# At the end of this lesson you can
#
# 1. say why images fill almost nothing of pixel space, and where averages of pixels leave the data;
# 2. write principal component analysis, and encode, decode, sample and walk with it;
# 3. compare neighbours in pixel space and in a latent space, against a fair rival.

# %% [markdown] prerequisites
# **You need:** Python, NumPy-like indexing, matrix products. No neural network appears yet.
#
# **Time:** {{learning}}. Running all cells takes {{minutes}}, on the processor (CPU).

# %% setup
{{setup}}

# %% imports
import math

import ipywidgets
import matplotlib.pyplot as plt
import torch

# What is never taught (data, drawing) comes from the package. `fashion_mnist??` in a new cell shows its source.
from course_utils import checks, claims, plots, widgets  # course_utils/: feedback, evidence, figures, explorers
from course_utils.data import fashion_mnist, rotating_bar, swiss_roll  # course_utils/data/
from course_utils.device import seed_everything  # course_utils/device.py

plt.rcParams["figure.dpi"] = 85
seed_everything(1)
g = torch.Generator().manual_seed(1)  # every random number of this lesson comes from here
train, test = fashion_mnist("train"), fashion_mnist("test")
x_train, x_test = train.pixels().flatten(1), test.pixels().flatten(1)  # one image a row, in [0, 1]
print(f"x_train {tuple(x_train.shape)}, x_test {tuple(x_test.shape)}")

# %% [markdown] predict
# ## Predict first
#
# **1.** Average a picture of a bar turned by 20 degrees and one of the same bar turned by 80 degrees, pixel by pixel.
# What do you see?
#
# - (a) the bar turned by 50 degrees,
# - (b) two crossed bars, each at half brightness,
# - (c) a grey disc.
#
# **2.** You describe each image by 16 numbers instead of 784 pixels, and look for similar images by these numbers. How
# often is a neighbour of the same kind (a shirt for a shirt), compared with neighbours by pixels?
#
# - (a) far less often, (b) about as often, (c) far more often.
#
# Sections 2 and 5 answer.

# %% [markdown] random-idea
# ## 1. Random pixels are not clothes
#
# There are $256^{784}$ (more than $10^{1800}$) pictures of 28 by 28 pixels with 256 grey values. Do random ones ever
# look like clothes? Search the rows of the figure for anything that you could wear.
#
# - *Uniform pixels:* each pixel is drawn from a [[uniform distribution]]: all grey values are equally likely.
# - *Pixels drawn apart:* each pixel takes its value from another training photograph. So each single pixel is
#   realistic.
# - *Boots drawn apart:* the same, from photographs of ankle boots only.


# %% random-figure
def draw_pixels_apart(x, n):
    """Each pixel from a photograph of its own: realistic pixels without relations between them. (n, P)"""
    return x.gather(0, torch.randint(len(x), (n, x.shape[1]), generator=g))


boots = x_train[train.labels == train.class_names.index("Ankle boot")]
rows = {
    "photographs": x_test[:7],
    "uniform pixels": torch.rand(7, 784, generator=g),
    "pixels drawn apart": draw_pixels_apart(x_train, 7),
    "boots drawn apart": draw_pixels_apart(boots, 7),
}
ax = plots.image_rows({name: x.unflatten(1, (1, 28, 28)) for name, x in rows.items()})  # plots/pictures.py

# %% [markdown] random-seen
# The last row has a boot's outline, filled with noise. Single pixels are right, but the *relations* between pixels are
# missing. We can measure this. An image is a point in a space of 784 dimensions. How far is its [[nearest neighbour]]
# among the training photographs?

# %% nearest-photograph
for name, x in {"unseen photographs": x_test, "pixels drawn apart": draw_pixels_apart(x_train, 1000)}.items():
    nearest = torch.cdist(x, x_train).amin(dim=1)  # Euclidean distance to the nearest training image, (B,)
    print(f"{name}: median distance {nearest.median():.2f}")

# %% [markdown] random-evidence-look
# One run proves little. So the course tries its important statements with other random numbers, more data, and the
# strongest rival: here pixels from one kind of clothes, for each of the ten kinds.

# %% random-evidence
claims.evidence("01", "random-pixels")  # course_utils/claims.py; `course claims 01` computes it again

# %% [markdown] manifold-hypothesis
# None of the random pictures is as near to a photograph as the median unseen photograph. **Clothes fill a tiny part of
# pixel space, and relations between pixels say which part.** This leads to the [[manifold hypothesis]]: natural images
# lie near a curved set of far fewer dimensions. Coordinates on this set are a **latent space**. *Latent* means hidden,
# because nobody recorded them. A code $z$ of few numbers then names an image $x$ of many pixels.

# %% [markdown] fade-idea
# ## 2. Averages of pixels can leave the data
#
# A [[cross-fade]] mixes two images pixel by pixel: $(1 - w)\, x_A + w\, x_B$, with $w$ from 0 to 1. It is a straight
# line in pixel space. Could the images in the middle column be in the data?

# %% fade-figure
bars, angles = rotating_bar(2000, generator=g)  # (2000, 1, 28, 28) in [0, 1], and radians in [0, pi)


def bar_at(degrees):
    """The bar of our set that is nearest to an angle."""
    return bars[(angles - math.radians(degrees)).abs().argmin()]


def cross_fade(x_a, x_b, steps):
    w = torch.linspace(0, 1, steps)[:, None, None, None]
    return (1 - w) * x_a + w * x_b


trousers, boot, shirt, other_shirt = test.pixels([21, 9, 4, 26])
walks = {
    "bar, turned": torch.stack([bar_at(20 + 10 * step) for step in range(7)]),
    "bar, faded": cross_fade(bar_at(20), bar_at(80), 7),
    "two kinds, faded": cross_fade(trousers, boot, 7),
    "one kind, faded": cross_fade(shirt, other_shirt, 7),
}
ax = plots.image_rows(walks, column_titles=[f"{w:.2f}" for w in torch.linspace(0, 1, 7).tolist()])

# %% [markdown] fade-seen
# The middle of the two bars is a double exposure: answer (b). One number, the angle, says which bar it is, and the
# average of two bars has no angle. Trousers and boot give a double exposure too. The middle of two shirts looks like a
# shirt. Does the distance to the nearest photograph agree?

# %% fade-evidence
claims.evidence("01", "fades")

# %% [markdown] fade-measured-seen
# - **The mean of two bars is far from all bars.**
# - The mean of photographs of *different* kinds is farther out than an unseen photograph. The mean of two of *one* kind
#   is not: smooth images are near to many others.
#
# So a straight line through pixels leaves the data where they bend strongly, or have gaps.

# %% [markdown] pca-idea
# ## 3. The first latent space: principal component analysis
#
# Which few numbers say almost as much? Take two neighbouring pixels. They mostly agree, so the points lie along a
# diagonal. *One* number, the position along it, says most of what both pixels say.
#
# [[PCA]] (principal component analysis) finds such directions. scikit-learn has it under that name. Look at the arrows,
# and at the orange squares: what remains of the blue points when one number is kept. (Each arrow is two
# [[standard deviations|standard deviation]] long, typical distances from the mean. The square of one is the
# [[variance]].)

# %% two-pixels
from sklearn import decomposition

pair = x_train[:400, [14 * 28 + 9, 15 * 28 + 9]].numpy()  # rows 14 and 15, column 9
both = decomposition.PCA(n_components=2).fit(pair)
one = decomposition.PCA(n_components=1).fit(pair)
restored = one.inverse_transform(one.transform(pair))  # to one number, and back

_, ax = plt.subplots(figsize=(4.6, 4.6), layout="constrained")
ax.scatter(*pair.T, s=10, color=plots.PALETTE[0])
ax.scatter(*restored.T, s=10, color=plots.PALETTE[1], marker="s")
for direction, std in zip(both.components_, both.explained_variance_**0.5, strict=True):
    ax.annotate("", both.mean_ + 2 * std * direction, both.mean_, arrowprops={"arrowstyle": "->", "lw": 2.5})
_ = ax.set(xlabel="pixel (14, 9)", ylabel="pixel (15, 9)", aspect="equal", xlim=(-0.3, 1.3), ylim=(-0.3, 1.3))

# %% [test] two-pixels-holds
assert both.explained_variance_ratio_[0] > 0.9

# %% [markdown] pca-how
# Now you write it. Put one image in each row of $X$ (N rows, P columns). Subtract the average image $\bar x$, which is
# called [[centring]]. The [[singular value decomposition]] (SVD) splits the result into three factors:
#
# $$ X - \bar x = U S V^\top $$
#
# - The rows of $V^\top$, with one number for each *pixel*, are the [[principal components|principal component]]. They
#   form an [[orthonormal basis]]: each has length 1, and all are perpendicular to each other. The data vary most along
#   the first one, then most along the next one, and so on.
# - $S$ holds the singular values $S_1 \geq S_2 \geq \dots$, and $S_k^2 / (N - 1)$ is the variance along component $k$.
# - $U$ has one row for each *image*, and is not needed.
#
# The code of an image is its [[projection]]: its coordinates along the first $D$ components, the columns of $V_D$.
# Decoding adds the components up again:
#
# $$ z = (x - \bar x)\, V_D, \qquad \hat x = z\, V_D^\top + \bar x $$
#
# $\hat x$ is the [[reconstruction]] of $x$. No other linear maps to $D$ numbers and back have a smaller squared error
# on the data (Eckart and Young 1936).

# %% [markdown] exercise-pca-text
# ### Exercise 1: principal component analysis
#
# *Medium, about 10 minutes.* Write PCA in three steps: fit, encode, decode. First answer for yourself: which factor of
# the SVD holds the directions? Which code has the average image, and which image has the code $z = 0$?


# %% exercise-fit-pca
def fit_pca(x, latent_dim):
    """Average image, principal components, and the variance along every direction.

    Args:
        x: Images, one a row, (N, P).
        latent_dim: How many components to keep, D.

    Returns:
        mean (P,); components (D, P): orthonormal rows, the direction of largest variance first; and variance
        (min(N, P),), largest first: that of the data along *every* direction, also along those not kept.
    """
    ### BEGIN SOLUTION
    mean = x.mean(dim=0)
    _, s, vt = torch.linalg.svd(x - mean, full_matrices=False)
    return mean, vt[:latent_dim], s**2 / (len(x) - 1)
    ### END SOLUTION


# %% check-fit-pca
fit_pca = checks.accept("fit-pca", fit_pca)

# %% [markdown] hints-fit-pca
# <details><summary>Hint 1</summary>
#
# The average image has one number for each pixel: shape (P,). So the mean goes over dimension 0, the images.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `torch.linalg.svd(A, full_matrices=False)` returns U, S and V *already transposed*, Vt. With N images and P pixels
# their shapes are (N, K), (K,) and (K, P), where K is the smaller of N and P. The components are rows of Vt. S holds
# singular values: variances need the square and N - 1.
#
# </details>


# %% exercise-encode
def pca_encode(x, mean, components):
    """Images (B, P) to codes (B, D), given mean (P,) and components (D, P)."""
    ### BEGIN SOLUTION
    return (x - mean) @ components.T
    ### END SOLUTION


# %% check-encode
pca_encode = checks.accept("pca-encode", pca_encode)


# %% exercise-decode
def pca_decode(z, mean, components):
    """Codes (B, D) to images (B, P), given mean (P,) and components (D, P). Nothing is clipped."""
    ### BEGIN SOLUTION
    return z @ components + mean
    ### END SOLUTION


# %% check-decode
pca_decode = checks.accept("pca-decode", pca_decode)

# %% [markdown] hints-encode-decode
# <details><summary>Hint 1</summary>
#
# Write the shapes under the formula: (B, P) times something must give (B, D), and (B, D) times something must give (B,
# P). `components` is (D, P). Which of the two needs the transpose?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The average image must get the code of zeros, and the code of zeros must give the average image. So encoding subtracts
# `mean` first and decoding adds it last. No singular value appears in either.
#
# </details>

# %% [markdown] pca-used-look
# Here is your PCA on clothes, beside scikit-learn's. Both agree, except for the sign of each component: the opposite of
# a direction is the same solution.

# %% pca-used
mean, components, variance = fit_pca(x_train, 64)  # (784,), (64, 784), (784,)
z_test = pca_encode(x_test, mean, components)  # (2000, 64)
x_hat = pca_decode(z_test, mean, components)  # (2000, 784)

theirs = decomposition.PCA(n_components=64, svd_solver="full").fit(x_train.numpy())
restored = torch.from_numpy(theirs.inverse_transform(theirs.transform(x_test.numpy())))
kept = 1 - (x_hat - x_test).square().sum() / (x_test - mean).square().sum()
print(f"restored images, yours beside theirs: largest difference {(restored - x_hat).abs().max():.1e}")
print(f"{x_test.shape[1]} pixels to {z_test.shape[1]} numbers: {kept:.0%} of the variance of unseen images kept")

# %% [test] pca-used-holds
cosine = (torch.from_numpy(theirs.components_) * components).sum(dim=1)
assert cosine.abs().min() > 0.999
assert (restored - x_hat).abs().max() < 1e-2
assert 0.86 < kept < 0.9
# The variance of the codes is S^2 / (N - 1): the singular values describe the codes, they are no part of the map.
torch.testing.assert_close(pca_encode(x_train, mean, components).var(dim=0), variance[:64], rtol=1e-2, atol=1e-3)

# %% [markdown] spectrum-look
# How many components are enough? Their [[explained variance]] is the share of the total variance along them. Each bar
# is one component, the line is the running sum. Where does it reach 90%?

# %% spectrum
plots.spectrum((variance / variance.sum())[:100])
bar_variance = fit_pca(bars.flatten(1), 2)[2]
for name, some in {"clothes": variance, "turning bar": bar_variance}.items():
    needed = [int((some.cumsum(0) / some.sum() < share).sum()) + 1 for share in (0.5, 0.9, 0.95)]
    print(f"{name}: {needed} components for 50%, 90% and 95% of the variance")

# %% [test] spectrum-holds
assert 70 < int((variance.cumsum(0) / variance.sum() < 0.9).sum()) < 90
assert 5 <= int((bar_variance.cumsum(0) / bar_variance.sum() < 0.9).sum()) <= 9

# %% [markdown] spectrum-seen
# **Clothes need about 80 components for 90% of the variance:** {{claim components.ninety images=11000}} from 11,000
# images, {{claim components.ninety images=2750}} from a quarter of them. The bar needs
# {{claim components.bars images=11000}}, although one number, its angle, says which bar it is. PCA can only use flat
# directions, and the bars lie on a curve.

# %% class-agrees
from course_utils.models.pca import PCA  # your code in a class, which also clips images to [0, 1]

pca = PCA(64).fit(train)

# %% [test] class-agrees-holds
assert (pca.reconstruct(test.pixels(), 64).flatten(1) - x_hat.clamp(0, 1)).abs().max() < 1e-2

# %% [markdown] exercise-slider-text
# ### Exercise 2: a slider of your own
#
# *Easy, about 5 minutes.* What does one number of a code do? Build a control that turns it, with plain **ipywidgets**,
# the library behind all sliders in notebooks:
#
# - `ipywidgets.FloatSlider(value=..., min=..., max=...)` is a slider;
# - `ipywidgets.interactive_output(draw, {"value": slider})` calls `draw(value=...)` whenever the slider moves, and
#   shows what it draws;
# - `ipywidgets.HBox([a, b])` puts two controls side by side.


# %% exercise-slider
def component_control(model, z, k, reach):
    """A slider that moves number k of a code, and beside it the decoded picture.

    Args:
        model: Decodes codes (B, D) to images (B, 1, H, W): `model.decode(codes)`.
        z: The code to start from, (D,). It is not changed.
        k: Which number of it the slider moves.
        reach: The slider goes from -reach to reach. It begins at z[k].

    Returns:
        An ipywidgets box: a FloatSlider, and the picture of the code with the slider's value in place of z[k], drawn
        anew when the slider moves.
    """

    ### BEGIN SOLUTION
    def draw(value):
        moved = z.clone()
        moved[k] = value
        plt.imshow(model.decode(moved[None])[0, 0], cmap="gray", vmin=0, vmax=1)
        plt.show()

    slider = ipywidgets.FloatSlider(value=z[k].item(), min=-reach, max=reach, description=f"z[{k}]")
    return ipywidgets.HBox([slider, ipywidgets.interactive_output(draw, {"value": slider})])
    ### END SOLUTION


# %% slider-check
component_control = checks.accept("component-control", component_control)

# %% [markdown] hints-slider
# <details><summary>Hint 1</summary>
#
# Inside `component_control`, define `draw(value)`. It makes a new code, a copy of `z` with `value` at place `k`,
# decodes it with `model.decode(moved[None])`, which has shape (1, 1, H, W), shows it with `plt.imshow`, and ends with
# `plt.show()`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `moved = z.clone()` and `moved[k] = value` make the new code. The last line is
# `return ipywidgets.HBox([slider, ipywidgets.interactive_output(draw, {"value": slider})])`.
#
# </details>

# %% [markdown] slider-look
# The figure shows three such sliders at seven positions, in standard deviations, from the average image. Say for each
# row what the number changes. In a new cell, `component_control(pca, z, k=1, reach=16.0)` lets you stop anywhere.

# %% slider-twin
z = torch.zeros(64)  # the code of the average image
positions, rows = torch.linspace(-3, 3, 7), {}
for k in (0, 1, 4):
    codes = z.repeat(7, 1)
    codes[:, k] = positions * pca.explained_variance[k].sqrt()
    rows[f"z[{k}]"] = pca.decode(codes)
ax = plots.image_rows(rows, column_titles=[f"{value:+.0f}" for value in positions.tolist()])

# %% slider-own
component_control(pca, z, k=1, reach=16.0)

# %% [markdown] slider-seen
# The first number leads from shoes to tops, the second from trousers to boots. The fifth is harder to name. PCA was not
# told any class: these are the directions in which the images differ most.

# %% [markdown] verbs
# ## 4. Four verbs
#
# Every model of this course can do the same four things:
#
# | verb | in code | for PCA |
# |---|---|---|
# | **encode** | `z = model.encode(x)` | project on the components |
# | **decode** | `x_hat = model.decode(z)` | add up the components |
# | **sample** | `z = model.sample_latent(n)` | draw each number with its variance |
# | **walk** | `path(z_a, z_b, steps)` | a straight line between two codes |

# %% [markdown] sample-look
# ### Sample: what does a random code look like?
#
# [[Sampling]] means to draw random values. In the last row each of the 64 numbers is drawn from a bell-shaped
# [[Gaussian distribution]], with its variance in the data. What do the middle and the last row lack?

# %% sample-figure
codes, some = pca.sample_latent(7, generator=g), test.pixels(slice(0, 7))  # (7, 64), (7, 1, 28, 28)
rows = {"photographs": some, "reconstructions": pca.reconstruct(some, 64), "random codes": pca.decode(codes)}
ax = plots.image_rows(rows)

# %% [markdown] sample-seen
# Reconstructions lose prints: a component for a rare print would lower the squared error over *all* images very little.
# The random codes are ghosts, several kinds of clothes at once. Their median distance to the nearest photograph is
# {{claim random-codes.gaussian images=11000}}, against {{claim random-codes.restored images=11000}} for
# reconstructions.
#
# A Gaussian knows how *much* each number varies, but not that shoes and tops lie in different places. Most of its draws
# fall between them. A mixture of 20 Gaussians can cover each place. Its draws are at
# {{claim random-codes.mixture images=11000}}. **So a latent space also needs a good distribution of codes.** Lesson 04
# learns both together.

# %% [markdown] walk-look
# ### Walk: is the straight line any better here?
#
# We walk from trousers to a boot, through pixels and through PCA codes. A path between two codes is an
# [[interpolation]], and the straight one is called [[LERP]]. Predict: is the middle of the second row between trousers
# and boot?

# %% walk-figure
from course_utils.interpolation import path  # course_utils/interpolation.py

ends = torch.stack([trousers, boot])
walk = pca.decode(path(*pca.encode(ends), steps=7))
ax = plots.image_rows({"pixels": cross_fade(trousers, boot, 7), "PCA codes": walk})

# %% [test] walk-figure-holds
unclipped = pca_decode(path(*pca_encode(ends.flatten(1), mean, components), steps=7), mean, components)
straight = cross_fade(*pca_decode(pca_encode(ends.flatten(1), mean, components), mean, components)[:, None, None], 7)
torch.testing.assert_close(unclipped, straight.flatten(1), rtol=1e-3, atol=1e-4)
assert (walk - cross_fade(*pca.reconstruct(ends, 64), 7)).square().mean() < 0.002

# %% [markdown] walk-seen
# It is the same double exposure, a little blurred. Encoding and decoding are linear, so the decoded middle of two codes
# *is* the middle of the two decoded images:
#
# $$ \mathrm{decode}\big((1-w) z_a + w z_b\big) = (1-w)\,\mathrm{decode}(z_a) + w\,\mathrm{decode}(z_b) $$
#
# **A walk through a linear latent space is a cross-fade of reconstructions.** Curved maps, from lesson 02 on, can do
# better.

# %% [markdown] neighbors-idea
# ## 5. Neighbours: what did the codes keep?
#
# A latent space should keep which images are similar. In scikit-learn, `NearestNeighbors` finds the nearest rows of a
# table. Here it searches the test images for those nearest to number 8, a bag.

# %% neighbors-named
from sklearn.neighbors import NearestNeighbors

for name, table in {"pixels": x_test, "16 numbers": z_test[:, :16]}.items():
    distance, indices = NearestNeighbors(n_neighbors=6).fit(table.numpy()).kneighbors(table[[8]].numpy())
    print(f"by {name:10s}: images {indices[0]}, distances {distance[0].round(2)}")

# %% [markdown] neighbors-named-seen
# The nearest image is the bag itself, at distance 0, and must not count. (Later lessons use the package's
# `nearest_neighbors`.)

# %% [markdown] exercise-neighbors-text
# ### Exercise 3: pixel space against latent space
#
# *Medium, about 8 minutes.* Which share of an image's $k$ nearest others by pixels are also among its $k$ nearest
# others by codes, in whatever order? Write `same_neighbors`, with `NearestNeighbors` or with tensors:
# `torch.cdist(a, b)` gives all distances between the rows of two tables.


# %% exercise-neighbors
def same_neighbors(x, z, k):
    """For each image, the share of its k nearest others by pixels that are among its k nearest others by codes.

    Args:
        x: Images, one a row, (N, P).
        z: Their codes, (N, D), in the same order.
        k: How many neighbours, below N. No image is its own neighbour. Distances are Euclidean.

    Returns:
        One number in [0, 1] for each image, float (N,).
    """
    ### BEGIN SOLUTION
    found = []
    for rows in (x, z):
        distance = torch.cdist(rows, rows).fill_diagonal_(torch.inf)  # (N, N), nobody is its own neighbour
        found.append(distance.topk(k, dim=1, largest=False).indices)  # (N, k)
    same = found[0][:, :, None] == found[1][:, None, :]  # (N, k, k): each with each
    return same.any(dim=2).float().mean(dim=1)
    ### END SOLUTION


# %% check-neighbors
same_neighbors = checks.accept("same-neighbors", same_neighbors)

# %% [markdown] hints-neighbors
# <details><summary>Hint 1</summary>
#
# Find two tables of indices first, one from x and one from z, each (N, k). With tensors: `torch.cdist(x, x)`, then
# `fill_diagonal_(torch.inf)` takes each image out of its own list, then `topk(k, dim=1, largest=False).indices`. With
# scikit-learn: `NearestNeighbors(n_neighbors=k).fit(x.numpy()).kneighbors(return_distance=False)`; called without a
# query, it leaves each row itself out.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# For one image, `set(a.tolist()) & set(b.tolist())` has the neighbours that both lists share, in whatever order. For
# all at once, compare each index with each: `a[:, :, None] == b[:, None, :]` is (N, k, k). Divide the count by k.
#
# </details>

# %% [markdown] neighbors-look
# Now for all test images and five neighbours: the share with the same label, and your share. PCA gets two rivals with
# as many numbers: means over square blocks of pixels, and random directions. If these do as well, the credit does not
# belong to PCA.


# %% neighbors-table
def same_label(codes, k=5):
    """Share of the k nearest others with the same label."""
    indices = NearestNeighbors(n_neighbors=k).fit(codes.numpy()).kneighbors(return_distance=False)
    return (test.labels[torch.as_tensor(indices)] == test.labels[:, None]).float().mean()


turn = torch.linalg.qr(torch.randn(784, 64, generator=g)).Q  # 64 random directions
spaces = {"784 pixels": x_test} | {f"{d} components": z_test[:, :d] for d in (2, 16, 64)}
for d in (4, 8):
    spaces[f"{d * d} blocks"] = torch.nn.functional.adaptive_avg_pool2d(test.pixels(), d).flatten(1)
    spaces[f"{d * d} random"] = x_test @ turn[:, : d * d]
label = {name: same_label(codes) for name, codes in spaces.items()}
for name, codes in spaces.items():
    print(f"{name:14s} same label {label[name]:.1%}   same neighbours {same_neighbors(x_test, codes, 5).mean():.0%}")

# %% [test] neighbors-table-holds
assert label["64 components"] > label["784 pixels"] - 0.01
assert label["16 components"] > label["784 pixels"] - 0.03
assert label["2 components"] < label["784 pixels"] - 0.2
assert label["16 components"] > max(label["16 blocks"], label["16 random"])

# %% neighbors-evidence
claims.evidence("01", "neighbors")

# %% [markdown] neighbors-seen
# - **Sixteen PCA numbers find neighbours of the same kind about as often as all 784 pixels:** answer (b).
# - At 64 numbers the rivals are only a few per cent behind. Many pixels are redundant here, as any reasonable summary
#   shows. At 16 numbers PCA is clearly better than both.
# - The same kind does not mean the same images: of the neighbours by pixels, 64 components keep
#   {{claim neighbors.pca64_kept images=2000}} among 2,000 images, and {{claim neighbors.pca64_kept images=8000}} among
#   8,000.

# %% [markdown] changed
# ## What changed, and what did not
#
# With 64 PCA numbers the kind of the neighbours stayed; three in ten neighbours are others. The walk did *not* change.
# Random draws changed from noise into ghosts.

# %% [markdown] limits
# ## Limits and honest caveats
#
# - **The manifold hypothesis is an idealisation.** Clothes are several pieces (shoes and trousers are not joined), with
#   noise.
# - **Distance is a rough judge.** It is kind to blurred images: the mean of two shirts passed in section 2.
# - **Same label is a rough test of likeness.** A shirt and a pullover can look alike and count as different.

# %% [markdown] quiz
# ## Quiz
#
# **1.** Somebody fits PCA *without* subtracting the mean. The first component explains far more of the "variance" than
# above. Why?
#
# <details><summary>Answer</summary>
#
# All pixels are positive, so the first direction points from the origin to the middle of the images. It says little
# about how they differ.
#
# </details>
#
# **2.** The 64 numbers of a new method find neighbours of the same label as often as pixels do. What do you ask for?
#
# <details><summary>Answer</summary>
#
# Rivals with as many numbers. Block means and random directions lose only a few per cent at 64.
#
# </details>
#
# **3.** A walk between two faces in PCA's latent space is shown as a proof that it "has learned the in-between faces".
# What do you ask?
#
# <details><summary>Answer</summary>
#
# Whether it differs from cross-fading the two *reconstructions*. For a linear decoder it cannot.
#
# </details>

# %% [markdown] summary
# ## Summary
#
# - Clothes are a tiny, structured part of pixel space. A **latent space** gives them coordinates of their own.
# - A straight line through pixels leaves the data between bars and between kinds of clothes, not between two shirts.
# - PCA: $X - \bar x = U S V^\top$; $z = (x - \bar x) V_D$; $\hat x = z V_D^\top + \bar x$; variance along component
#   $k$: $S_k^2 / (N-1)$. It is the best *linear* code for squared error.
# - In PCA's space a walk is a cross-fade of reconstructions.
# - Sixteen PCA numbers keep the kind of the neighbours, better than sixteen block means or random directions.

# %% [markdown] further-components
# ## Further: what each further component buys
#
# Keep the first $k$ numbers of a code and set the others to zero. Look for the first $k$ at which you would say
# "pullover", and for the first at which you can read what is printed on it.

# %% component-twin
slider = widgets.ComponentSlider(pca, test.pixels([2])[0])  # course_utils/widgets/component_slider.py
ax = slider.static()

# %% [markdown] component-explorer-text
# **Explorer.** Drag the slider, or focus it and use the arrow keys. The error is the squared distance between the two
# pictures. The print stays a dark smear. Try to find a component that changes the picture much although $k$ is already
# large.

# %% component-explorer
slider.move_to(16)
slider

# %% [markdown] further-contrast
# ## Further: distances concentrate
#
# Distances in many dimensions have a problem of their own. The [[relative contrast]] of a point compares the distances
# to its farthest and to its nearest neighbour:
#
# $$ \text{contrast} = \frac{D_{\max} - D_{\min}}{D_{\min}} $$
#
# Near 0 all points are about equally far away. Suppose that the $d$ coordinates show [[independence]]: knowing one says
# nothing about another. Then a squared distance is a sum of $d$ independent terms. Its mean grows like $d$. Its
# variance also grows like $d$, so its standard deviation, the square root of that, grows only like $\sqrt d$. Relative
# to their size, distances therefore differ by about $1/\sqrt d$, and the contrast falls like $1/\sqrt d$ (Beyer et al.
# 1999; Aggarwal et al. 2001). This is [[distance concentration]].


# %% relative-contrast
def relative_contrast(query, points):
    """(D_max - D_min) / D_min for each query: (Q, P), (N, P) -> (Q,)"""
    distance = torch.cdist(query, points)
    nearest, farthest = distance.amin(dim=1), distance.amax(dim=1)
    return (farthest - nearest) / nearest


# From 0, the nearest of these points is 1 away and the farthest 5.
print("contrast", relative_contrast(torch.tensor([[0.0]]), torch.tensor([[1.0], [2.0], [5.0]])).item())

# %% [markdown] contrast-look
# Now for uniform noise in $d$ dimensions, for clothes, and for two rivals with the same 784 pixels: pixels drawn apart,
# and draws from a Gaussian distribution with the mean of the clothes and their covariance (how each pair of pixels
# varies together), and nothing else of them. Both axes are logarithmic, so $1/\sqrt d$ is a straight line. Look at
# where the two rivals and the clothes lie.

# %% contrast-figure
dims, contrast = [2, 5, 10, 20, 50, 100, 200, 400, 784], {}
for d in dims:
    contrast[d] = relative_contrast(torch.rand(100, d, generator=g), torch.rand(2000, d, generator=g)).median().item()
centred = x_train[:4000] - x_train[:4000].mean(dim=0)
twin = torch.randn(2100, 4000, generator=g) @ centred / math.sqrt(4000)  # Gaussian, with their covariance
apart = draw_pixels_apart(x_train, 2100)
series = {
    "uniform noise": (dims, list(contrast.values())),
    "theory: 1 / sqrt(d)": (dims, [contrast[784] * math.sqrt(784 / d) for d in dims]),
    "pixels drawn apart": ([784], [relative_contrast(apart[:100], apart[100:]).median().item()]),
    "Gaussian, same covariance": ([784], [relative_contrast(twin[:100], twin[100:]).median().item()]),
    "clothes": ([784], [relative_contrast(x_test[:100], x_train[:2000]).median().item()]),
}
plots.curves(series, "number of dimensions d", "relative contrast", log_x=True, log_y=True)  # plots/lines.py
for name, (_, values) in series.items():
    print(f"{name:26s} contrast at 784 dimensions {values[-1]:.2f}")

# %% [test] contrast-figure-holds
assert 2.4 < contrast[100] / contrast[784] < 3.7  # theory: sqrt(7.84) = 2.8
assert contrast[20] < series["clothes"][1][0] < contrast[5]
assert 10 * series["pixels drawn apart"][1][0] < series["Gaussian, same covariance"][1][0]

# %% [markdown] contrast-seen
# In many dimensions the noise comes near to the theory: from 100 to 784 dimensions its contrast falls by a factor of
# {{claim contrast.uniform_fall points=8000}}, where $\sqrt{7.84}$ is 2.8. **Clothes, with 784 pixels, have the contrast
# of noise in 10 to 13 dimensions** (uniform noise with 8,000 points: {{claim contrast.uniform_like points=8000}}). Most
# of that is explained by relations between pairs of pixels: the Gaussian with the same covariance has a contrast of
# {{claim contrast.twin points=8000}}, clothes have {{claim contrast.clothes points=8000}}, and pixels drawn apart have
# {{claim contrast.apart points=8000}}. So what counts is the dimension of the data, and not that of the space around
# them. That is why the [[curse of dimensionality]], which makes many methods useless in high dimensions, spares images
# to some degree, and why a few numbers can describe them.

# %% [markdown] further-curve
# ## Further: one number for the bar, and a curve that PCA cannot follow
#
# Every picture of the turning bar has 784 pixels, and one number, the angle, says all of it. As the angle runs from 0
# to 180 degrees the picture runs along a closed curve in $\mathbb{R}^{784}$ and comes back to where it started. This is
# a [[manifold]] of dimension 1: near each of its points it looks like a piece of a line. The next figure shows how far
# apart two bars are, against the angle between them. Look at where the curve stops rising.

# %% bar-distance
apart_by = torch.arange(0, 91, 3)
away = torch.stack([(bar_at(30 + t) - bar_at(30)).norm() for t in apart_by])
plots.curves({"bars": (apart_by, away)}, "angle between two bars (degrees)", "distance in pixels")
plt.show()

# %% [test] bar-distance-holds
assert away[apart_by == 30] > 0.8 * away[apart_by == 90]
assert away[apart_by == 6] < 0.6 * away[apart_by == 90]

# %% [markdown] bar-distance-seen
# At {{claim bar-distance.saturates width=0.12}} degrees the distance has reached nine tenths of its value at 90. For
# bars half as thick this happens at {{claim bar-distance.saturates width=0.06}} degrees, for bars twice as thick at
# {{claim bar-distance.saturates width=0.24}}. **Pixel distance says well which pictures are near neighbours, and badly
# how far apart the others are:** a bar at 40 degrees is almost as far as a bar at 90.
#
# Now fit PCA to the bars and keep two numbers. Each grey dot is the code of one bar, some bars are drawn at their
# codes, and the orange line is the straight walk from 20 to 80 degrees. Look at where its middle is (the square), and
# at the way that the data would take.

# %% circle-figure
bar_rows = bars.flatten(1)
bar_mean, bar_components, _ = fit_pca(bar_rows, 2)
z_bars = pca_encode(bar_rows, bar_mean, bar_components)  # (2000, 2)
some = angles.argsort()[::200]  # 10 bars, evenly turned
ends = pca_encode(torch.stack([bar_at(20), bar_at(80)]).flatten(1), bar_mean, bar_components)
_, ax = plt.subplots(figsize=(8, 8), layout="constrained")
ax = plots.image_scatter(z_bars[some], bars[some], background=z_bars, zoom=2.4, ax=ax)
ax.plot(*ends.T, color=plots.PALETTE[1], linewidth=3)
ax.plot(*ends.mean(dim=0), "s", color=plots.PALETTE[2], markersize=10)
ax.set(xlabel="first number of the code", ylabel="second number of the code")
radius = z_bars.norm(dim=1)
print(f"distance of a bar's code from the centre: {radius.min():.2f} to {radius.max():.2f}")
print(f"middle of the straight walk: {ends.mean(dim=0).norm():.2f}")

# %% [test] circle-figure-holds
assert ends.mean(dim=0).norm() < 0.9 * radius.min()

# %% [markdown] circle-seen
# PCA found the ring. Once round the ring is half a turn of the bar, after which the bar looks the same. The straight
# line cuts across the inside, where there is no bar. A map from pixels to the *angle* would make this piece of the ring
# a straight line, and no linear map can. (A whole ring cannot become a line without a cut somewhere.) Neural networks
# can bend, and lesson 02 lets them.

# %% [markdown] further-dimension
# ## Further: how many dimensions do the data have?
#
# PCA needs several components for the bar, but one number is enough. The [[intrinsic dimension]] is the number of
# directions in which the data really vary near a point. Can it be measured without knowing the answer? Count
# neighbours. In $m$ dimensions the volume within a distance $r$ of a point grows like $r^m$: twice as far, $2^m$ times
# as many neighbours. So if the second neighbour is barely farther than the first, the dimension is high. Suppose that
# the [[density]] (how closely the points lie) is constant around each point. Then the dimension under which the
# observed distances are most probable, the [[maximum likelihood]] estimate, is
#
# $$ \hat m = \Big[ \frac{1}{N (k-1)} \sum_{i=1}^{N} \sum_{j=1}^{k-1} \log \frac{r_k(i)}{r_j(i)} \Big]^{-1} $$
#
# with $r_j(i)$ the distance from point $i$ to its $j$-th neighbour. With $k = 2$ it is the TwoNN estimator (Facco et
# al. 2017), with larger $k$ that of Levina and Bickel (2004). It uses only near neighbours. First we try it where we
# know the truth.


# %% intrinsic-dimension
def intrinsic_dimension(points, k=2):
    """Maximum-likelihood estimate from the k nearest neighbours of each of the points (N, P): one number."""
    points = points.double()  # nearly equal points need exact distances
    distance = torch.cdist(points, points).fill_diagonal_(torch.inf)
    r = distance.topk(k, dim=1, largest=False).values  # (N, k), nearest first
    return 1 / torch.log(r[:, -1:] / r[:, :-1]).mean().item()


line = torch.rand(1000, 1, generator=g) * torch.ones(1, 50)  # points on a straight line in 50 dimensions
print(f"a line: {intrinsic_dimension(line, k=10):.2f}")

# %% dimension-known
known = {
    "turning bar, 784 pixels": (bars.flatten(1)[:1000], 1),
    "swiss roll, 3 numbers": (swiss_roll(1000, generator=g)[0], 2),
    "Gaussian, 5 numbers": (torch.randn(1000, 5, generator=g), 5),
    "Gaussian, 20 numbers": (torch.randn(1000, 20, generator=g), 20),
    "uniform noise, 784 pixels": (torch.rand(1000, 784, generator=g), 784),
}
estimates = {}
for name, (points, truth) in known.items():
    estimates[name] = intrinsic_dimension(points, k=10)
    print(f"{name:26s} truth {truth:3d}   k = 2: {intrinsic_dimension(points):6.1f}   k = 10: {estimates[name]:6.1f}")

# %% [test] dimension-known-holds
for name in list(known)[:3]:
    assert abs(estimates[name] - known[name][1]) < 0.1 * known[name][1]
assert estimates["Gaussian, 20 numbers"] < 19
assert estimates["uniform noise, 784 pixels"] < 300

# %% [markdown] dimension-known-seen
# The bar has one dimension, the rolled-up plane two, the Gaussian five: right to a few per cent. For 20 dimensions the
# estimate is about a quarter too low, and for 784 far too low. In so many dimensions 1,000 points are so sparse that no
# two of them are near, and the assumption of constant density breaks. **High estimates are too low.** For clothes
# nobody knows the truth. So we ask four estimators (the fourth, the correlation dimension, counts how many *pairs* lie
# within a distance), with 500 and 2,000 images. As a rival we also ask for a Gaussian with the covariance of clothes.

# %% dimension-of-clothes
claims.evidence("01", "dimension")

# %% [markdown] dimension-seen
# - For clothes the estimates run from {{claim dimension.correlation images=2000}} (correlation dimension) to
#   {{claim dimension.clothes2 images=2000}} ($k = 2$), with 2,000 images. Three of the four grow with the number of
#   images. So say "between 7 and 15", and name the estimator and the number of images when you quote a value.
# - The Gaussian with the same covariance is estimated at {{claim dimension.twin images=2000}}, more than twice as much
#   as clothes ({{claim dimension.clothes10 images=2000}}, both with $k = 10$). So clothes vary in fewer directions than
#   their covariance alone would allow.
# - PCA, which can only use flat directions, needs {{claim dimension.ninety images=2000}} components for 90% of the
#   variance. The gap between the two numbers is what a latent space that can bend may gain. Lesson 02 tries.
#
# The intrinsic dimension belongs to the data: no smooth and invertible change of coordinates alters it. The estimate
# depends on scale, noise and the number of images. A small $k$ sees noise, a large $k$ sees curvature. Published values
# for image sets (Pope et al. 2021) carry the same reservation.

# %% [markdown] further-shift
# ## Further: what neither distance sees
#
# First look at some neighbours. Each row begins with the image itself. Then search for images that are in one row and
# not in the other.

# %% neighbors-figure
rows = {}
for name, table in {"pixels": x_test, "16 numbers": z_test[:, :16]}.items():
    found = NearestNeighbors(n_neighbors=6).fit(table.numpy()).kneighbors(table[[16, 8]].numpy(), return_distance=False)
    rows |= {f"{kind}, {name}": test.pixels(row.tolist()) for kind, row in zip(("shirt", "bag"), found, strict=True)}
ax = plots.image_rows(dict(sorted(rows.items(), reverse=True)), column_titles=["itself", *"12345"])

# %% [markdown] shift-idea
# By codes some neighbours are others, but they are as similar. PCA's distance is the pixel distance without the small
# directions, so it has the same blind spots. Move every image two pixels to the right, a change that no buyer of shoes
# would notice. Is another image now nearer than the moved copy?

# %% shift
moved = test.pixels().roll(2, dims=3).flatten(1)
farther = {}
for name, old, new in (("pixels", x_test, moved), ("64 components", z_test, pca_encode(moved, mean, components))):
    nearest = torch.cdist(old, old).fill_diagonal_(torch.inf).amin(dim=1)  # to the nearest different image
    farther[name] = ((old - new).norm(dim=1) > nearest).float().mean()
    print(f"{name:14s} {farther[name]:.0%} of the images have another image nearer than their own moved copy")

# %% [test] shift-holds
assert min(farther.values()) > 0.5

# %% [markdown] shift-seen
# Over 2,000 and 8,000 images and three seeds it is so for {{claim neighbors.pixels_moved2}} of the images by pixels and
# for {{claim neighbors.pca64_moved2}} by 64 components. A shift by a single pixel already does it for
# {{claim neighbors.pixels_moved1}} and {{claim neighbors.pca64_moved1}}.

# %% [markdown] further-walk
# ## Further: the walk under your hand
#
# The figure repeats the two walks of section 5 for five weights, with their ends. Below it, drag the slider, or use the
# arrow keys. Stop at 0.5, and compare the two pictures in the middle.

# %% path-twin
path_slider = widgets.PathSlider({"PCA": pca}, trousers, boot, methods=("lerp",))
ax = path_slider.static(7)

# %% path-explorer
path_slider.move_to(0.5)
path_slider

# %% [markdown] references
# ## References
#
# - K. Pearson (1901). On lines and planes of closest fit to systems of points in space. *Philosophical Magazine*
#   2(11). doi:10.1080/14786440109462720
# - C. Eckart and G. Young (1936). The approximation of one matrix by another of lower rank. *Psychometrika* 1.
#   doi:10.1007/BF02288367
# - K. Beyer, J. Goldstein, R. Ramakrishnan and U. Shaft (1999). When is "nearest neighbor" meaningful? *ICDT*.
#   doi:10.1007/3-540-49257-7_15
# - C. Aggarwal, A. Hinneburg and D. Keim (2001). On the surprising behavior of distance metrics in high dimensional
#   space. *ICDT*. doi:10.1007/3-540-44503-X_27
# - E. Levina and P. Bickel (2004). Maximum likelihood estimation of intrinsic dimension. *NIPS 17*.
# - E. Facco, M. d'Errico, A. Rodriguez and A. Laio (2017). Estimating the intrinsic dimension of datasets by a
#   minimal neighborhood information. *Scientific Reports* 7. doi:10.1038/s41598-017-11873-y
# - C. Fefferman, S. Mitter and H. Narayanan (2016). Testing the manifold hypothesis. *Journal of the AMS* 29.
#   arXiv:1310.0425
# - P. Pope, C. Zhu, A. Abdelkader, M. Goldblum and T. Goldstein (2021). The intrinsic dimension of images and its
#   impact on learning. *ICLR*. arXiv:2104.08894
# - H. Xiao, K. Rasul and R. Vollgraf (2017). Fashion-MNIST: a novel image dataset for benchmarking machine learning
#   algorithms. arXiv:1708.07747

# %% [markdown] next
# ## Next
#
# **Lesson 02, Autoencoders:** the same two maps, encode and decode, but learned and curved. At equal size they beat
# PCA, and their latent space has holes.
