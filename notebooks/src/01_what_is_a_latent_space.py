# %% [markdown] title
# {{header}}
#
# # 01. What is a latent space?
#
# At the end of this lesson you can
#
# 1. show that random pixels do not make images, and say for which pairs of images the average is no longer one;
# 2. write principal component analysis, and encode, decode, sample and walk with it;
# 3. compare neighbours in pixel space and in a latent space.

# %% [markdown] prerequisites
# **You need:** Python, a little PyTorch, matrix products, mean and variance.
#
# **Time:** {{learning}}. Running all cells takes {{minutes}}.

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

plt.rcParams["figure.dpi"] = 85
g = torch.Generator().manual_seed(1)  # every random number of this lesson comes from here
train, test = fashion_mnist("train"), fashion_mnist("test")
x_train, x_test = train.pixels().flatten(1), test.pixels().flatten(1)  # (11000, 784), (2000, 784), in [0, 1]

# %% [markdown] predict
# ## Predict first
#
# Average two pictures of a bar, one turned by 20 degrees and one by 80 degrees, pixel by pixel. What do you see?
#
# (a) the bar turned by 50 degrees, (b) two crossed bars, each at half brightness, or (c) a grey disc?

# %% [markdown] random-idea
# ## 1. Random pixels are not clothes
#
# Our photographs are 11,000 training and 2,000 test images of Fashion-MNIST, ten kinds of clothes. There are
# $256^{784}$ (more than $10^{1800}$) pictures of 28 by 28 pixels with 256 grey values. Search the two lower rows for
# anything that you could wear.
#
# - *Uniform pixels:* each pixel is drawn from a [[uniform distribution]]: all grey values are equally likely.
# - *Boots, pixel by pixel:* each pixel is copied from another photograph of a boot, chosen at random.
#
# An image is a point in a space of 784 dimensions. The printed lines are Euclidean distances to the
# [[nearest neighbour]] among the training photographs.

# %% random-figure
boots = x_train[train.labels == train.class_names.index("Ankle boot")]
photograph = torch.randint(len(boots), (1000, 784), generator=g)  # from which boot each pixel comes
rows = {
    "photographs": x_test,  # unseen: the test set
    "uniform pixels": torch.rand(1000, 784, generator=g),
    "boots, pixel by pixel": boots.gather(0, photograph),  # pixel p of picture i is boots[photograph[i, p], p]
}
ax = plots.image_rows({name: x[:7].unflatten(1, (1, 28, 28)) for name, x in rows.items()})  # plots/pictures.py
distances = {name: torch.cdist(x, x_train).amin(dim=1) for name, x in rows.items()}
for name, distance in distances.items():
    print(f"{name:21s} distance: median {distance.median():.2f}, smallest {distance.min():.2f}")

# %% [test] random-figure-holds
assert 3.8 < distances["photographs"].median() < 3.9
assert distances["boots, pixel by pixel"].min() > 6
assert distances["uniform pixels"].min() > 9

# %% [markdown] manifold-hypothesis
# You cannot wear any of them. Half of the unseen photographs have a training photograph within 3.85 (the median). No
# picture of the two other sets has one within 6. **Random pixels made no clothes, nor did right pixels drawn one by
# one:** the *relations* between the pixels are missing.
#
# A common guess, the [[manifold hypothesis]]: natural images lie near a curved surface of far fewer
# dimensions. A **latent space** is a space of short codes $z$, each of which stands for an image $x$. Good codes
# would be coordinates on such a surface. *Latent* means hidden: the data do not contain the codes.

# %% [markdown] fade-idea
# ## 2. Averages of pixels can leave the data
#
# A [[cross-fade]] mixes two images, every pixel with the same weights: $(1 - w)\, x_A + w\, x_B$, with $w$ from 0 to 1.
# It is a straight line in pixel space. Look at the middle column. Could each picture there be a bar, or a photograph?
# (The first row has no $w$: its bar turns.)

# %% fade-figure
bars, angles = rotating_bar(2000, generator=g)  # (2000, 1, 28, 28) in [0, 1], and radians in [0, pi)


def bar_at(degrees):
    return bars[(angles - math.radians(degrees)).abs().argmin()]  # the bar of our set that is nearest to an angle


def cross_fade(a, b, steps):
    return torch.stack([(1 - w) * a + w * b for w in torch.linspace(0, 1, steps)])


trousers, boot, shirt, other_shirt = test.pixels([21, 9, 26, 36])
walks = {
    "bar, turned": torch.stack([bar_at(20 + 10 * step) for step in range(7)]),
    "bar, faded": cross_fade(bar_at(20), bar_at(80), 7),
    "two kinds, faded": cross_fade(trousers, boot, 7),
    "one kind, faded": cross_fade(shirt, other_shirt, 7),
}
weights = [f"{w:.2f}" for w in torch.linspace(0, 1, 7).tolist()]
ax = plots.image_rows(walks, column_titles=weights)

# %% [test] fade-figure-holds
assert [test.class_names[k] for k in test.labels[[21, 9, 26, 36]]] == ["Trouser", "Ankle boot", "Shirt", "Shirt"]

# %% [markdown] fade-seen
# The middle of the faded bars shows both bars, each half as bright: answer (b). Trousers and boot are both visible too.
# The middle of the two shirts looks like a shirt, but with faint sleeves: one has long ones, the other short ones. Are
# such means also far from the data? The table gives median distances to the nearest bar or training photograph, in sets
# of 2,750 and 11,000. (A bracket gives the lowest and highest run.)

# %% fade-evidence
claims.evidence("01", "fades")  # course_utils/claims.py; `course claims 01` computes it again

# %% [markdown] fade-measured-seen
# **Bars** (last column). The mean of two bars 60 degrees apart is 5.18 from the nearest bar. Neighbouring bars are
# about 0.004 apart. So **this mean is no bar.**
#
# **Photographs.** Means of *different* kinds are farther from the training photographs (4.69) than unseen photographs
# are (3.85). Means of *one* kind are not (3.82). But blur alone brings a photograph nearer (3.43), and a mean is
# blurred. So a small network learned to find the mean beside an unseen photograph, both blurred alike. It does so in
# {{claim averages.other_blurred% images=11000 steps=1200}} of the pairs for different kinds, and in
# {{claim averages.same_blurred% images=11000 steps=1200}} for one kind. Guessing finds 50%.
#
# **A straight line in pixel space can leave the data:** surely between these two bars, by both judges between two kinds
# of clothes, and by the network alone within one kind.

# %% [markdown] pca-idea
# ## 3. The first latent space: principal component analysis
#
# Which few numbers say almost as much about an image as its 784 pixels? By two neighbouring pixels alone, each image is
# a point in a plane. Mostly the two agree, so the points lie along a diagonal. *One* number, the position along it,
# says most of what both say. [[PCA]] (principal component analysis) finds such directions. In the figure each blue
# point is an image. A line leads to its orange square: what remains when one number is kept.

# %% two-pixels
from sklearn import decomposition

pair = x_train[:400, [14 * 28 + 9, 15 * 28 + 9]].numpy()  # rows 14 and 15, column 9
one = decomposition.PCA(n_components=1).fit(pair)
restored = one.inverse_transform(one.transform(pair))  # to one number, and back
_, ax = plt.subplots(figsize=(4.6, 4.6), layout="constrained")
some, squares = pair[:40].T, restored[:40].T  # 40 of the 400 images
ax.plot([some[0], squares[0]], [some[1], squares[1]], color="0.6", zorder=0)
ax.scatter(*some, s=14, color=plots.PALETTE[0])
ax.scatter(*squares, s=14, color=plots.PALETTE[1], marker="s")
_ = ax.set(xlabel="pixel (14, 9)", ylabel="pixel (15, 9)", aspect="equal")

# %% [test] two-pixels-holds
assert one.explained_variance_ratio_[0] > 0.9

# %% [markdown] pca-how
# Most squares lie close to their points. Now you write it. Put one image in each row of $X$, (N, P). Subtract the
# average image $\bar x$, which is called [[centring]]. The [[singular value decomposition]] (SVD) makes three factors
# of the result:
#
# $$ X - \bar x = U S V^\top $$
#
# - $V$ is (P, K), with $K$ the smaller of $N$ and $P$: one row for each *pixel*. Its columns, the rows of $V^\top$, are
#   the [[principal components|principal component]], an [[orthonormal basis]]: each has length 1, and all are
#   perpendicular to each other. The data vary most along the first one, then along the next.
# - $S$ is a (K, K) diagonal matrix. On its diagonal stand the singular values $S_1 \geq S_2 \geq \dots$.
# - $U$ is (N, K): one row for each *image*. Its columns have length 1.
#
# The code of an image is its [[projection]]: its coordinates along the first $D$ components, the columns of $V_D$.
# Decoding adds the components up again, and gives the [[reconstruction]] $\hat x$:
#
# $$ z = (x - \bar x)\, V_D, \qquad \hat x = z\, V_D^\top + \bar x $$
#
# With all $K$ components the codes of all images are $(X - \bar x) V = U S$. Column $k$ has the squared length $S_k^2$,
# and the mean 0, because $X$ was centred. So its [[variance]] is $S_k^2 / (N - 1)$. On the images that it was fitted
# to, no linear code of $D$ numbers has a smaller squared error (Eckart and Young 1936).

# %% [markdown] exercise-pca-text
# ### Exercise 1: principal component analysis
#
# *Medium, about 12 minutes.* Write three functions: fit, encode, decode. Then say which code the average image has.


# %% exercise-fit-pca
def fit_pca(x, latent_dim):
    """Average image, principal components, and the variance along every component.

    Args:
        x: Images, one a row, (N, P).
        latent_dim: How many components to keep, D.

    Returns:
        mean (P,); components (D, P): orthonormal rows, largest variance first; and variance (min(N, P),), largest
        first: that of the data along all min(N, P) components, also along those not kept.
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
# <details><summary>Hint 1 for encode and decode</summary>
#
# Write the shapes under the formula: (B, P) times something must give (B, D), and (B, D) times something must give (B,
# P). `components` is (D, P). Which of the two needs the transpose?
#
# </details>
#
# <details><summary>Hint 2 for encode and decode</summary>
#
# Encoding subtracts `mean` first, and decoding adds it last. No singular value appears in either.
#
# </details>

# %% [markdown] pca-used-look
# The average image has the code $z = 0$, and $z = 0$ decodes to the average image. Do your restored images
# agree with scikit-learn's?

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

# %% class-agrees
from course_utils.models.pca import PCA  # from here on `pca` is the same as a class; its decode also clips to [0, 1]

pca = PCA(64).fit(train)

# %% [test] class-agrees-holds
assert (pca.reconstruct(test.pixels(), 64).flatten(1) - x_hat.clamp(0, 1)).abs().max() < 1e-2

# %% [markdown] exercise-slider-text
# ### Exercise 2: a slider of your own
#
# *Easy, about 6 minutes.* What does one number of a code do? Build a control that changes it, with plain
# **ipywidgets**:
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
        k: Which number of it the slider moves, from -reach to reach. The slider begins at z[k].

    Returns:
        An ipywidgets box: the FloatSlider, and the picture of the code with the slider's value in place of z[k].
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
# Inside `component_control`, define `draw(value)`. It makes a new code `moved`: a copy of `z` with `value` at place
# `k`. Then `picture = model.decode(moved[None])[0, 0]` has shape (H, W), and
# `plt.imshow(picture, cmap="gray", vmin=0, vmax=1)` draws it, always with the same greys. The last line is
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
# Each row of the figure is one slider at seven positions. The middle column is the average image. Column +2 sets the
# number to two of its [[standard deviations|standard deviation]] (the square root of its variance). What does each
# number change?

# %% slider-twin
z = torch.zeros(64)  # the code of the average image
positions, rows = torch.linspace(-3, 3, 7), {}
for k in (0, 1, 4):
    codes = z.repeat(7, 1)
    codes[:, k] = positions * pca.explained_variance[k].sqrt()
    rows[f"z[{k}]"] = pca.decode(codes)
ax = plots.image_rows(rows, column_titles=[f"{value:+.0f}" for value in positions.tolist()])

# %% [markdown] slider-seen
# `z[0]` leads from shoes to tops, and `z[1]` from trousers to boots. `z[4]` is harder to name. Now your own control.
# `reach` is in the units of $z$: for `k=1`, 10 is about 3 standard deviations. Try `k=4` with `reach=5` too.

# %% slider-own
component_control(pca, z, k=1, reach=10.0)

# %% [markdown] verbs
# ## 4. Sample and walk
#
# [[Sampling]] means to draw random values. The figure has three rows: photographs, their reconstructions, and decoded
# random codes. For the last row each of the 64 numbers is drawn from a bell-shaped [[Gaussian distribution]] with the
# variance that this number has in the data. What do the reconstructions lack, and what the random codes?

# %% sample-figure
z_drawn = torch.randn(2000, 64, generator=g) * variance[:64].sqrt()  # (2000, 64)
rows = {"photographs": x_test, "reconstructions": x_hat, "random codes": pca_decode(z_drawn, mean, components)}
ax = plots.image_rows({name: x[:7].clamp(0, 1).unflatten(1, (1, 28, 28)) for name, x in rows.items()})
z_train = pca_encode(x_train, mean, components)  # (11000, 64)
typical = [torch.cdist(codes, z_train).amin(dim=1).median() for codes in (z_test, z_drawn)]
print(f"median distance to the nearest training code: photographs {typical[0]:.1f}, random codes {typical[1]:.1f}")

# %% [test] sample-figure-holds
assert 2.45 < typical[0] < 2.55
assert 5.25 < typical[1] < 5.35

# %% [markdown] sample-seen
# Reconstructions lack rare details (the letters, most of the sandal). Such details add little to the total squared
# error, so PCA spends no component on them. The decoded random codes show several kinds of clothes at once. The median
# random code is 5.3 from the nearest training code, the median unseen photograph 2.5: most draws fall where photographs
# are rare.
# **To sample, a latent space also needs a good distribution of codes.** Lesson 04 returns to this.

# %% [markdown] walk-look
# A path between two codes is an [[interpolation]]. The straight path, $(1 - w)\, z_A + w\, z_B$, is called [[LERP]]
# (linear interpolation). Predict: does the middle of the second row show one object, or two?

# %% walk-figure
z_a, z_b = pca_encode(torch.stack([trousers, boot]).flatten(1), mean, components)  # (64,) each
walk = pca_decode(cross_fade(z_a, z_b, 7), mean, components).unflatten(1, (1, 28, 28))
rows = {"pixels": cross_fade(trousers, boot, 7), "PCA codes": walk.clamp(0, 1)}
ax = plots.image_rows(rows, column_titles=weights)

# %% [test] walk-figure-holds
a, b = pca_decode(torch.stack([z_a, z_b]), mean, components).unflatten(1, (1, 28, 28))
torch.testing.assert_close(walk, cross_fade(a, b, 7), rtol=1e-3, atol=1e-4)

# %% [markdown] walk-seen
# It shows two. Decoding is $z V_D^\top + \bar x$. The weights add to 1, so $(1-w)\, \bar x + w\, \bar x = \bar x$:
#
# $$ \mathrm{decode}\big((1-w) z_a + w z_b\big) = (1-w)\,\mathrm{decode}(z_a) + w\,\mathrm{decode}(z_b) $$
#
# **A walk through PCA's latent space is a cross-fade of reconstructions.** (For `pca`, whose decoder also clips images
# to [0, 1], this is only nearly so.) Curved maps, from lesson 02 on, can do better.

# %% [markdown] neighbors-idea
# ## 5. Neighbours: what did the codes keep?
#
# ### Exercise 3: pixel space against latent space
#
# *Medium, about 8 minutes.* Take an image's $k$ nearest neighbours by pixels. Which share of them is also among its $k$
# nearest by codes? Their order does not matter. Write `same_neighbors`, with `torch.cdist(a, b)`, all distances between
# the rows of two tables, or with scikit-learn's `NearestNeighbors`.

# %% exercise-neighbors
from sklearn.neighbors import NearestNeighbors


def same_neighbors(x, z, k):
    """For each image, the share of its k nearest others by pixels that are among its k nearest others by codes.

    Args:
        x: Images, one a row, (N, P), and z: their codes, (N, D), in the same order.
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
# For all test images: the share of the five neighbours with the same label (10% by chance), and your
# `same_neighbors`. PCA gets a rival with as many numbers: means over square blocks of pixels. Predict: with 16 PCA
# numbers, do neighbours share the label far less often than with all pixels, or about as often?


# %% neighbors-table
def same_label(codes, k=5):
    """Share of the k nearest others with the same label."""
    indices = NearestNeighbors(n_neighbors=k).fit(codes.numpy()).kneighbors(return_distance=False)
    return (test.labels[torch.as_tensor(indices)] == test.labels[:, None]).float().mean()


spaces = {"784 pixels": x_test} | {f"{d} components": z_test[:, :d] for d in (2, 16, 64)}
for d in (4, 8):  # 4 by 4 and 8 by 8 blocks
    spaces[f"{d * d} blocks"] = torch.nn.functional.adaptive_avg_pool2d(test.pixels(), d).flatten(1)
label = {name: same_label(codes) for name, codes in spaces.items()}
for name, codes in spaces.items():
    print(f"{name:14s} same label {label[name]:.1%}   same neighbours {same_neighbors(x_test, codes, 5).mean():.0%}")

# %% [test] neighbors-table-holds
assert label["64 components"] > label["784 pixels"] - 0.01
assert label["16 components"] > label["784 pixels"] - 0.03
assert label["2 components"] < label["784 pixels"] - 0.2
assert label["16 components"] > label["16 blocks"]

# %% [markdown] neighbors-seen
# - **By sixteen PCA numbers, neighbours share the label about as often as by all 784 pixels:** in three other samples
#   {{claim neighbors.pca16% images=2000}} against {{claim neighbors.pixels% images=2000}}.
# - At 16 numbers PCA is better than block means. At 64 the block means are only 2 to 3 percentage points behind.
# - The same label does not mean the same images. By 16 numbers, 53% of the neighbours are the same images as by pixels,
#   by 64 numbers 75%.

# %% [markdown] changed
# ## What changed, and what did not
#
# By 16 PCA numbers about half of the neighbours are other images, but about as many have the same label. A
# walk is still a cross-fade, now of reconstructions.

# %% [markdown] limits
# ## Limits and honest caveats
#
# - **Every judge has a weakness.** Distance favours blur. A network can miss what it has not learned to see.
# - **The same label is a rough test.** A shirt and a pullover can look alike.

# %% [markdown] quiz
# ## Quiz
#
# **1.** Means of two photographs of one kind are as near to the training photographs (3.82) as unseen photographs are
# (3.85). Are such means as good as photographs?
#
# <details><summary>Answer</summary>
#
# That does not follow. Blur alone brings a picture nearer. The network finds such means more often than by guessing.
#
# </details>
#
# **2.** The 64 numbers of a new method find neighbours of the same label as often as pixels do. What do you ask for?
#
# <details><summary>Answer</summary>
#
# Rivals with as many numbers, such as block means.
#
# </details>
#
# **3.** Somebody says: "PCA has learned the faces between these two faces." What do you ask?
#
# <details><summary>Answer</summary>
#
# Whether the walk differs from cross-fading the two *reconstructions*. For PCA it cannot, apart from clipping.
#
# </details>

# %% [markdown] summary
# ## Summary
#
# - A **latent space** gives images short codes. The **manifold hypothesis** is a guess: natural images lie near a
#   curved surface of few dimensions. We showed less: pictures of random pixels lie far from photographs.
# - A straight line in pixel space leaves the data between two bars 60 degrees apart. A network finds the mean beside a
#   photograph: nearly always for two kinds, in about 8 of 10 pairs for one kind.
# - PCA: $X - \bar x = U S V^\top$; $z = (x - \bar x) V_D$; $\hat x = z V_D^\top + \bar x$; variance along component
#   $k$: $S_k^2 / (N-1)$. It is the best *linear* code for the squared error on its training data (cited, not shown).
# - In PCA's space a walk is a cross-fade of reconstructions. Gaussian random codes lie far from the training codes, and
#   decode to mixed clothes.
# - By 16 PCA numbers, neighbours share the label about as often as by pixels (73%), by 16 block means less often (67%).

# %% [markdown] further-judge
# ## Further: a judge that does not favour blur
#
# Section 2 asked a small network. Here is what it found, and how far it can be trusted. The network is trained on
# photographs and means, each blurred by a random width of up to 1.5 pixels. It takes 300 or 1,200 training steps. The
# scores are shares of pairs in which it finds the mean, and 0.5 is guessing. For the control the same network, not
# trained further, gets a training photograph and an unseen one. A score far from 0.5 there would mean that it had
# learned its photographs by heart.

# %% judge-evidence
claims.evidence("01", "averages")

# %% [markdown] judge-seen
# The control is near 0.5. Means of one kind are recognised too, although distance saw nothing. With four times as many
# training steps the network finds more of the blurred ones. Section 2 quotes the last column.
#
# There is also a fairer distance: blur *all* pictures alike, by 1 pixel, before measuring. Then the median is
# {{claim fades.unseen_blur1 images=11000}} for unseen photographs, {{claim fades.other_blur1 images=11000}} for means
# of different kinds and {{claim fades.same_blur1 images=11000}} for one kind. Of the unseen photographs,
# {{claim fades.farther_blur1% images=11000}} are farther out than half of the means of different kinds. Without blur,
# {{claim fades.farther% images=11000}} are. So distance separates them on average, not one by one.
# Pictures of random pixels (section 1) are a clearer case. In three runs, each with 4,000 pictures drawn pixel by pixel
# from one kind of clothes, {{claim random-pixels.within_near images=11000}} were nearer than half of the unseen
# photographs are.
#
# Now the random codes. Must they mix kinds of clothes? A [[Gaussian mixture]] chooses one of several Gaussians at
# random and draws from that one. Each can cover one place, such as that of the boots. scikit-learn fits 20 of them to
# the codes of 3,000 photographs. How many of its draws are one kind of clothes? A network, as above, tells draws from
# reconstructions.

# %% mixture-figure
from sklearn.mixture import GaussianMixture

mixture = GaussianMixture(20, random_state=1, reg_covar=1e-4)  # reg_covar keeps each of the 20 from getting flat
mixture.fit(pca_encode(x_train[:3000], mean, components).double().numpy())
mixed = torch.from_numpy(mixture.sample(7)[0]).float()  # (7, 64)
rows = {"one Gaussian": z_drawn[:7], "20 Gaussians": mixed}
rows = {name: pca_decode(z, mean, components).clamp(0, 1) for name, z in rows.items()}
ax = plots.image_rows({name: x.unflatten(1, (1, 28, 28)) for name, x in rows.items()})

# %% mixture-evidence
claims.evidence("01", "random-codes")

# %% [markdown] mixture-seen
# Most draws of the mixture are one kind, though with smears. The network tells them from reconstructions less often
# than it tells those of one Gaussian, but it still does, and better with more training steps. Draws and reconstructions
# come from one decoder and are equally blurred. Distance would again be a poor judge: reconstructions come nearer to
# the training photographs than real unseen photographs do.

# %% [markdown] further-components
# ## Further: how many components are enough?
#
# How many components hold 90% of the variance? The [[explained variance]] of a component, divided by the total
# variance, is its share. Each column of the figure is the share of one component, and the line is the running sum.

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
# **Clothes need about 80 of 784 components for 90% of the variance:** {{claim components.ninety images=11000}} from
# 11,000 images, and {{claim components.ninety images=2750}} from 2,750: the count grows with the number of images. The
# core uses 64. The turning bar needs {{claim components.bars images=11000}}, although one number, its angle, says which
# bar it is. PCA can only use straight directions, and the bars lie on a curve.

# %% [markdown] components-look
# What does each further component buy? Keep the first $k$ numbers of a code and set the others to zero. The error in
# the picture is the squared distance to the original. From which $k$ on would you say "pullover"? Can you read the
# print at $k = 64$?

# %% component-twin
slider = widgets.ComponentSlider(pca, test.pixels([2])[0])  # course_utils/widgets/component_slider.py
other_slider = widgets.ComponentSlider(pca, trousers)
ax = slider.static()

# %% [markdown] component-explorer-text
# From about four components on one sees long sleeves. At 64 the print is still a dark smear.
#
# **Explorer.** Drag one slider, or focus it and use the arrow keys. A second explorer shows trousers. `jslink` ties the
# two numbers of components to each other. Which picture has the smaller error at 8 components, and which at 64?

# %% component-explorer
slider.move_to(16)
tie = ipywidgets.jslink((slider, "value"), (other_slider, "value"))  # one moves, the other follows
ipywidgets.VBox([slider, other_slider])

# %% [markdown] component-explorer-seen
# With the first 8 components both errors are about 38. At 64 the error of the trousers is 8.0, that of the pullover
# 13.1: most of its print is still missing.

# %% [markdown] further-contrast
# ## Further: distances concentrate
#
# Distances in many dimensions have a problem of their own. The [[relative contrast]] of a point compares the distance
# to the farthest other point with the distance to the nearest one:
#
# $$ \text{contrast} = \frac{D_{\max} - D_{\min}}{D_{\min}} $$
#
# Near 0 all points are about equally far away. Suppose that the $d$ coordinates show [[independence]]: knowing one says
# nothing about another. Then a *squared* distance is a sum of $d$ independent terms. Its mean grows like $d$. Its
# variance also grows like $d$, so its standard deviation grows only like $\sqrt d$. The spread relative to the mean is
# then $\sqrt d / d = 1 / \sqrt d$. Taking the root, from the squared distance to the distance, about halves this. So
# the contrast falls like $1/\sqrt d$ (Beyer et al. 1999; Aggarwal et al. 2001). This is [[distance concentration]].


# %% relative-contrast
def relative_contrast(query, points):
    """(D_max - D_min) / D_min for each query: (Q, P), (N, P) -> (Q,)"""
    distance = torch.cdist(query, points)
    nearest, farthest = distance.amin(dim=1), distance.amax(dim=1)
    return (farthest - nearest) / nearest


def draw_pixels(x, n):
    """n pictures, each pixel copied from a photograph of its own: (N, P) -> (n, P)"""
    return x.gather(0, torch.randint(len(x), (n, x.shape[1]), generator=g))


# From 0, the nearest of these points is 1 away and the farthest 5.
print("contrast", relative_contrast(torch.tensor([[0.0]]), torch.tensor([[1.0], [2.0], [5.0]])).item())

# %% [markdown] contrast-look
# The figure shows uniform noise in $d$ dimensions, clothes, and two rivals with the same 784 pixels. In one of them all
# pixels are drawn one by one, each from a photograph of its own. The other draws from a Gaussian distribution with the
# mean of the clothes and their covariance. The covariance says how each pair of pixels varies together. Nothing else of
# the clothes is in these draws. Both axes are logarithmic, so $1/\sqrt d$ is a straight line. We draw it through the
# last point of the noise. Look at where the two rivals and the clothes lie.

# %% contrast-figure
dims, contrast = [2, 5, 10, 20, 50, 100, 200, 400, 784], {}
for d in dims:
    contrast[d] = relative_contrast(torch.rand(100, d, generator=g), torch.rand(2000, d, generator=g)).median().item()
centred = x_train[:4000] - x_train[:4000].mean(dim=0)
twin = torch.randn(2100, 4000, generator=g) @ centred / math.sqrt(4000)  # Gaussian, with their covariance
singly = draw_pixels(x_train, 2100)
series = {
    "uniform noise": (dims, list(contrast.values())),
    "slope of 1 / sqrt(d)": (dims, [contrast[784] * math.sqrt(784 / d) for d in dims]),
    "pixels drawn one by one": ([784], [relative_contrast(singly[:100], singly[100:]).median().item()]),
    "Gaussian, same covariance": ([784], [relative_contrast(twin[:100], twin[100:]).median().item()]),
    "clothes": ([784], [relative_contrast(x_test[:100], x_train[:2000]).median().item()]),
}
plots.curves(series, "number of dimensions d", "relative contrast", log_x=True, log_y=True)  # plots/lines.py
for name in ("uniform noise", "pixels drawn one by one", "Gaussian, same covariance", "clothes"):
    print(f"{name:26s} contrast at 784 dimensions {series[name][1][-1]:.2f}")

# %% [test] contrast-figure-holds
assert 2.4 < contrast[100] / contrast[784] < 3.7  # theory: sqrt(7.84) = 2.8
assert contrast[20] < series["clothes"][1][0] < contrast[5]
assert 10 * series["pixels drawn one by one"][1][0] < series["Gaussian, same covariance"][1][0]

# %% [markdown] contrast-seen
# (The numbers here are from three runs with 8,000 points. Those printed with the figure are from one run with 2,000,
# and differ.) In many dimensions the contrast of noise falls a little faster than $1/\sqrt d$: from 100 to 784
# dimensions by a factor of {{claim contrast.uniform_fall points=8000}}, where $\sqrt{7.84}$ is 2.8. **Clothes, with 784
# pixels, have the contrast of noise in about 11 dimensions:** {{claim contrast.uniform_like points=8000}} for uniform
# and {{claim contrast.gaussian_like points=8000}} for Gaussian noise.
#
# Why? The Gaussian with the same covariance has a contrast of {{claim contrast.twin points=8000}}, clothes have
# {{claim contrast.clothes points=8000}}, and pixels drawn one by one have {{claim contrast.apart points=8000}}. So most
# of it is explained by the covariance: a few directions have most of the variance. Many methods become useless in high
# dimensions, which is called the [[curse of dimensionality]]. Images suffer less. What counts is how unequal the
# variances are, more than how many pixels there are.

# %% [markdown] further-curve
# ## Further: one number for the bar, and a curve that PCA cannot follow
#
# Every picture of the turning bar has 784 pixels, and one number, the angle, says all of it. As the angle runs from 0
# to 180 degrees the picture runs along a closed curve in $\mathbb{R}^{784}$ and comes back to where it started. This is
# a [[manifold]] of dimension 1: near each of its points it looks like a piece of a line. The next figure shows how far
# apart two bars are, against the angle between them. Look at where the curve gets flat.

# %% bar-distance
apart_by = torch.arange(0, 91, 3)
away = torch.stack([(bar_at(30 + t) - bar_at(30)).norm() for t in apart_by])
plots.curves({"bars": (apart_by, away)}, "angle between two bars (degrees)", "pixel distance")
plt.show()

# %% [test] bar-distance-holds
assert away[apart_by == 30] > 0.8 * away[apart_by == 90]
assert away[apart_by == 6] < 0.6 * away[apart_by == 90]

# %% [markdown] bar-distance-seen
# At {{claim bar-distance.saturates width=0.12}} degrees the distance has reached nine tenths of its value at 90. For
# bars half as thick this happens at {{claim bar-distance.saturates width=0.06}} degrees, and for bars twice as thick at
# {{claim bar-distance.saturates width=0.24}}. **For bars, pixel distance says well which ones are near neighbours, and
# badly how far apart the others are:** a bar at 40 degrees is almost as far as a bar at 90.
#
# Now fit PCA to the bars and keep two numbers. Each grey dot is the code of one bar, some bars are drawn at their
# codes, and the orange line is the straight walk from 20 to 80 degrees. Look at where its middle is (the red square),
# and at the way that the data would take.

# %% circle-figure
bar_rows = bars.flatten(1)
bar_mean, bar_components, bar_variance = fit_pca(bar_rows, 2)
z_bars = pca_encode(bar_rows, bar_mean, bar_components)  # (2000, 2)
some = angles.argsort()[::200]  # 10 bars, evenly turned
ends = pca_encode(torch.stack([bar_at(20), bar_at(80)]).flatten(1), bar_mean, bar_components)
_, ax = plt.subplots(figsize=(8, 8), layout="constrained")
ax = plots.image_scatter(z_bars[some], bars[some], background=z_bars, zoom=2.4, ax=ax)
ax.plot(*ends.T, "o-", color=plots.PALETTE[1], linewidth=3, zorder=9, label="straight walk, 20 to 80 degrees")
ax.plot(*ends.mean(dim=0), "s", color=plots.PALETTE[2], markersize=10, zorder=9, label="its middle")
ax.legend(loc="center")
ax.set(xlabel="first number of the code", ylabel="second number of the code")
print(f"two numbers hold {bar_variance[:2].sum() / bar_variance.sum():.0%} of the variance of the bars")
radius = z_bars.norm(dim=1)
print(f"distance of a bar's code from the centre: {radius.min():.2f} to {radius.max():.2f}")
print(f"middle of the straight walk: {ends.mean(dim=0).norm():.2f}")

# %% [test] circle-figure-holds
assert ends.mean(dim=0).norm() < 0.9 * radius.min()

# %% [markdown] circle-seen
# PCA found the ring. Once round the ring is half a turn of the bar, after which the bar looks the same. The straight
# line cuts across the inside, where there is no bar. A map from pixels to the *angle* would make the piece of the ring
# from 20 to 80 degrees a straight line, and no linear map can. (A whole ring cannot become a line unless it is cut
# somewhere.) Neural networks can bend, and lesson 02 uses them.

# %% [markdown] further-dimension
# ## Further: how many dimensions do the data have?
#
# PCA needs several components for the bar, but one number is enough. The [[intrinsic dimension]] is the number of
# directions in which the data really vary near a point. Can it be measured without knowing the answer? Count
# neighbours. In $m$ dimensions the volume within a distance $r$ of a point grows like $r^m$. So twice as many
# neighbours need a radius that is $2^{1/m}$ times as large, which is hardly larger when $m$ is high.
#
# Suppose that the [[density]] (how closely the points lie) is constant around a point. Take its $k$-th neighbour, at
# distance $r_k$. The $k - 1$ nearer ones lie anywhere within this distance, with equal chance for equal volumes. So
# $u = (r_j / r_k)^m$ is uniform between 0 and 1. The mean of $-\log u$ is then $\int_0^1 -\log u \, du = 1$. Since
# $-\log u = m \log (r_k / r_j)$, the mean of $\log (r_k / r_j)$ is $1/m$. Average $\log (r_k / r_j)$ over all points
# and neighbours, and take the inverse:
#
# $$ \hat m = \Big[ \frac{1}{N (k-1)} \sum_{i=1}^{N} \sum_{j=1}^{k-1} \log \frac{r_k(i)}{r_j(i)} \Big]^{-1} $$
#
# with $r_j(i)$ the distance from point $i$ to its $j$-th neighbour. This is also the [[maximum likelihood]] estimate:
# the dimension under which the observed distances are most probable. With $k = 2$ it is the TwoNN estimator (Facco et
# al. 2017), with larger $k$ that of Levina and Bickel (2004). First we try it where we know the truth.


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
# The bar has one dimension, the rolled-up plane two, the Gaussian five: all within about 10%. For 20 dimensions the
# estimates are about a fifth too low, and for 784 far too low. In so many dimensions 1,000 points are so sparse
# that no two of them are near, and the density is no longer constant between neighbours. **In many dimensions the
# estimate is too low.**
#
# For clothes nobody knows the truth. So we ask this estimator with $k$ = 2, 10 and 20, and another one, the correlation
# dimension, which counts how many *pairs* lie within a distance. As a rival we also ask for a Gaussian with the
# covariance of clothes.

# %% dimension-of-clothes
claims.evidence("01", "dimension")

# %% [markdown] dimension-seen
# - For clothes the estimates run from {{claim dimension.correlation images=2000}} (correlation dimension) to
#   {{claim dimension.clothes2 images=2000}} ($k = 2$), with 2,000 images. All four medians grow with the number of
#   images, that of the correlation dimension only within its spread. Such estimates tend to be too low. So when you
#   quote a value, name the estimator and the number of images.
# - The Gaussian with the same covariance is estimated at {{claim dimension.twin images=2000}}, more than twice as much
#   as clothes ({{claim dimension.clothes10 images=2000}}, both with $k = 10$). So clothes vary in fewer directions than
#   their covariance alone would allow.
# - PCA, which can only use straight directions, needs {{claim dimension.ninety images=2000}} components for 90% of the
#   variance. A latent space that can bend may need fewer. Lesson 02 tries.
#
# The intrinsic dimension belongs to the data: bending or stretching them smoothly, without tearing or squashing them
# flat, does not change it. The *estimate* depends on scale, noise and the number of images. A small $k$ sees noise, a
# large $k$ sees curvature. Published values for image sets (Pope et al. 2021) have the same limits. Whether real data
# lie near a manifold at all can be tested too (Fefferman et al. 2016).

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
# In each pair of rows one neighbour differs, and for the shirt the order too. Judge yourself whether the new one is as
# similar. PCA's distance is the pixel distance without the small directions, so it has the same blind spots. Move every
# image two pixels to the right, a change that no buyer of shoes would notice. (Pixels that leave on the right come back
# on the left. They are nearly all black.) Is another image now nearer than the moved copy?

# %% shift
moved = test.pixels().roll(2, dims=3).flatten(1)
farther = {}
for name, old, new in (("pixels", x_test, moved), ("64 components", z_test, pca_encode(moved, mean, components))):
    nearest = torch.cdist(old, old).fill_diagonal_(torch.inf).amin(dim=1)  # to the nearest different image
    farther[name] = ((old - new).norm(dim=1) > nearest).float().mean()
    print(f"{name:14s} {farther[name]:.0%} of the images have another image nearer than their own moved copy")

# %% [test] shift-holds
assert min(farther.values()) > 0.5

# %% shift-evidence
claims.evidence("01", "neighbors")

# %% [markdown] shift-seen
# The table has the numbers of section 5 too. The 8,000 images are taken from the training and the test set together,
# and PCA is fitted to other images. *Random directions* are projections on as many random axes, a rival of PCA. The
# last four rows are the moved copies: a shift by a single pixel is enough for about half of the images or more.

# %% [markdown] further-walk
# ## Further: the walk under your hand
#
# The figure is that of section 4. Below it, drag the slider, or use the arrow keys. Stop at 0.5, and
# compare the two pictures in the middle.

# %% path-twin
path_slider = widgets.PathSlider({"PCA": pca}, trousers, boot, methods=("lerp",))
ax = path_slider.static(7)

# %% path-explorer
path_slider.move_to(0.5)
path_slider

# %% [markdown] references
# ## References
#
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
#   algorithms. arXiv:1708.07747 (the photographs of this lesson)

# %% [markdown] next
# ## Next
#
# **Lesson 02, Autoencoders:** the same two maps, encode and decode, but learned and curved. At equal size they beat
# PCA, and parts of their latent space are empty.
