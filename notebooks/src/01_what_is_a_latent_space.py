# %% [markdown] title
# {{header}}
#
# # 01. What is a latent space?
#
# At the end of this lesson you can
#
# 1. say why images fill almost nothing of pixel space, and why distances and averages of pixels mislead there;
# 2. build the first latent space of the course, principal component analysis, and encode, decode, sample and walk in
#    it;
# 3. estimate how many directions a data set really has, and say how far to trust the estimate.

# %% [markdown] prerequisites
# **You need:** Python, NumPy-like indexing, matrix products, and the idea of an orthonormal basis. No neural network
# appears yet. Lesson 00 shows how a lesson works.
#
# **Time:** {{learning}} with the exercises. Running all cells takes {{minutes}}. The largest computation is the
# singular value decomposition of a matrix of 11,000 by 784, so this lesson stays on the processor (CPU) throughout.

# %% setup
{{setup}}

# %% [markdown] about-imports
# Code that is never taught, such as loading data and drawing, comes from the package `course_utils`. Nothing in it is
# hidden: `fashion_mnist??` in a new cell shows the source of that function, and comments name the file.

# %% imports
import math

import matplotlib.pyplot as plt
import torch

from course_utils import checks, plots, widgets  # course_utils/: feedback, figures, explorers
from course_utils.data import fashion_mnist, rotating_bar, swiss_roll  # course_utils/data/
from course_utils.device import seed_everything  # course_utils/device.py

plt.rcParams["figure.dpi"] = 85
seed_everything(1)
g = torch.Generator().manual_seed(1)  # every random number of this lesson comes from here
train, test = fashion_mnist("train"), fashion_mnist("test")
x_train, x_test = train.pixels().flatten(1), test.pixels().flatten(1)  # one image a row, in [0, 1]
print(f"x_train {tuple(x_train.shape)}, x_test {tuple(x_test.shape)}, {len(train.class_names)} classes of clothes")

# %% [markdown] predict
# ## Predict first
#
# Take a picture of a bar that is turned by 20 degrees and one of the same bar turned by 80 degrees. Average the two
# pictures pixel by pixel. What do you see?
#
# - (a) the bar turned by 50 degrees,
# - (b) two crossed bars, each at half brightness,
# - (c) a grey disc.
#
# And how many numbers does it take to say which picture of this bar you have: 1, 2, about 10, or 784?
#
# Write your answers down. The first is answered by the second figure, the other one in the last section.

# %% [markdown] random-idea
# ## 1. Random pixels are never clothes
#
# A picture of 28 by 28 pixels with 256 grey values each is one of $256^{784}$ possible pictures. Let us set that
# number beside all the pictures that could ever have been looked at: eight billion people, one picture each second,
# since the Big Bang.

# %% counting
possible = 256 ** (28 * 28)
seconds = 13.8e9 * 365.25 * 24 * 3600
looked_at = 8e9 * seconds
print(f"possible pictures: about 10^{len(str(possible)) - 1}")
print(f"pictures looked at: about 10^{math.log10(looked_at):.0f}")

# %% [test] counting-holds
assert len(str(possible)) - 1 > 1800
assert looked_at < 1e30

# %% [markdown] random-look
# So pixel space has room for everything and is almost empty. Does it matter *which* pictures are clothes? Look at
# three rows. The first has photographs. In the second each pixel is drawn uniformly. In the third each pixel gets the
# value that this pixel has in some photograph, chosen anew for every pixel: every single pixel is perfectly
# realistic. Look for anything that you could wear.


# %% random-figure
def draw_pixels_apart(x, n):
    """Each pixel from a photograph of its own: right marginals, no relations between pixels. (n, P)"""
    return x.gather(0, torch.randint(len(x), (n, x.shape[1]), generator=g))


uniform = torch.rand(1000, 784, generator=g)
apart = draw_pixels_apart(x_train, 1000)
rows = {"photographs": x_test[:8], "uniform pixels": uniform[:8], "pixels drawn apart": apart[:8]}
rows = {name: x.unflatten(1, (1, 28, 28)) for name, x in rows.items()}
ax = plots.image_rows(rows)  # course_utils/plots/pictures.py

# %% [markdown] random-seen
# The third row shows where the information is: not in the values of single pixels but in the *relations* between
# them. We can also measure it. How far is each picture from the nearest training photograph, as points in a space of
# 784 dimensions?


# %% nearest-photograph
def to_nearest_photograph(x):
    """Euclidean distance from each row to the nearest training image, (B,)."""
    return torch.cdist(x, x_train).amin(dim=1)


pictures = {"unseen photographs": x_test, "pixels drawn apart": apart, "uniform pixels": uniform}
nearest = {name: to_nearest_photograph(x) for name, x in pictures.items()}
for name, distance in nearest.items():
    low, middle, high = distance.quantile(torch.tensor([0.05, 0.5, 0.95])).tolist()
    print(f"{name:20s} median {middle:5.2f}   (90% between {low:5.2f} and {high:5.2f})")
share = (nearest["pixels drawn apart"] > nearest["unseen photographs"].quantile(0.95)).float().mean().item()
print(f"of the pictures drawn pixel by pixel, {share:.0%} lie farther out than 95% of the unseen photographs do")

# %% [test] nearest-photograph-holds
assert share > 0.95

# %% [markdown] manifold-hypothesis
# Unseen photographs land near seen ones. Pictures without relations between their pixels never do. This is the
# observation behind the **manifold hypothesis**: natural data with $P$ numbers each lie near a set with far fewer
# dimensions, curved and thin, inside $\mathbb{R}^P$. Coordinates on such a set are a **latent space**: *latent* means
# hidden, because nobody recorded them. A code $z$ with few numbers then names an image $x$ with many.
#
# It is a hypothesis and not a theorem. Clothes have at least two pieces that no continuous change joins (shoes and
# trousers), and pieces may differ in dimension. Section 6 tests it by measurement.

# %% [markdown] fade-idea
# ## 2. Averages of pixels leave the data
#
# If clothes filled their part of pixel space without gaps, the straight line between two photographs would consist of
# photographs. Here are three walks. Look at the middle column in each: is it something that could be in the data?

# %% fade-figure
bars, angles = rotating_bar(2000, generator=g)  # (2000, 1, 28, 28) in [0, 1], and radians in [0, pi)


def bar_at(degrees):
    """The bar of our set that is nearest to an angle."""
    return bars[(angles - math.radians(degrees)).abs().argmin()]


def cross_fade(x_a, x_b, steps):
    w = torch.linspace(0, 1, steps)[:, None, None, None]
    return (1 - w) * x_a + w * x_b


x_a, x_b = test.pixels([21, 9])  # a pair of trousers and an ankle boot
walks = {
    "clothes, faded": cross_fade(x_a, x_b, 7),
    "bar, faded": cross_fade(bar_at(20), bar_at(80), 7),
    "bar, turned": torch.stack([bar_at(20 + 10 * step) for step in range(7)]),
}
ax = plots.image_rows(walks, column_titles=[f"{w:.2f}" for w in torch.linspace(0, 1, 7).tolist()])

# %% [markdown] fade-seen
# A cross-fade is a double exposure: answer (b). Half-way there are two bars at half brightness (full where they
# cross), or a boot in front of trousers. No bar of the set looks like that, and this too can be measured: the mean of
# two bars is far from every bar, the bar half-way *in angle* is not.

# %% fade-measured
middle = {"mean of the two bars": (bar_at(20) + bar_at(80)) / 2, "bar at 50 degrees": bar_at(50)}
gaps = {}
for name, image in middle.items():
    others = bars[(bars != image).flatten(1).any(dim=1)]  # the bar itself does not count
    gaps[name] = (others - image).flatten(1).norm(dim=1).min().item()
    print(f"{name:22s} distance to the nearest other bar: {gaps[name]:.2f}")

# %% [test] fade-measured-holds
assert gaps["mean of the two bars"] > 10 * gaps["bar at 50 degrees"]

# %% [markdown] one-dimension
# The turning bar is the smallest honest example of a manifold: every picture has 784 pixels, and one number, the
# angle, says all of it. As the angle runs from 0 to 180 degrees the picture runs along a closed curve in
# $\mathbb{R}^{784}$ and comes back to where it started. The next figure shows how far apart in pixel space two bars
# are, against the angle between them. Look at where the curve stops rising.

# %% bar-distance
turned = torch.arange(0, 91, 3)
away = torch.stack([(bar_at(30 + t) - bar_at(30)).norm() for t in turned])
plots.curves({"bars": (turned, away)}, "angle between two bars (degrees)", "distance in pixels")
plt.show()

# %% [test] bar-distance-holds
assert away[turned == 30] > 0.8 * away[turned == 90]
assert away[turned == 6] < 0.6 * away[turned == 90]

# %% [markdown] one-dimension-seen
# Up to about 20 degrees the distance grows with the angle. Beyond that it is almost constant: a bar at 30 degrees is
# about as far as a bar at 90. **Pixel distance is good at saying which pictures are neighbours and bad at saying how
# far apart all the others are.** Both halves of this sentence will be used again and again.

# %% [markdown] contrast-idea
# ## 3. Distances concentrate
#
# There is a second reason to leave pixel space. The **relative contrast** of a query point compares its farthest with
# its nearest neighbour:
#
# $$ \text{contrast} = \frac{D_{\max} - D_{\min}}{D_{\min}} $$
#
# If the $d$ coordinates are independent, a squared distance is a sum of $d$ independent terms. Its mean grows like
# $d$ and its standard deviation like $\sqrt d$, so distances differ relative to their size by only about $1/\sqrt d$,
# and so does the contrast (Beyer et al. 1999; Aggarwal et al. 2001). In many dimensions everything is about equally
# far from everything.


# %% relative-contrast
def relative_contrast(query, points):
    """(D_max - D_min) / D_min for each query: (Q, P), (N, P) -> (Q,)"""
    distance = torch.cdist(query, points)
    nearest, farthest = distance.amin(dim=1), distance.amax(dim=1)
    return (farthest - nearest) / nearest


# From 0, the nearest of these points is 1 away and the farthest 5.
print("contrast", relative_contrast(torch.tensor([[0.0]]), torch.tensor([[1.0], [2.0], [5.0]])).item())

# %% contrast-measured
dims, contrast = [2, 5, 10, 20, 50, 100, 200, 400, 784], {}
for d in dims:
    query, points = torch.rand(100, d, generator=g), torch.rand(2000, d, generator=g)
    contrast[d] = relative_contrast(query, points).median().item()
    print(f"d = {d:3d}   contrast {contrast[d]:7.2f}   times sqrt(d) {contrast[d] * math.sqrt(d):7.2f}")
clothes = relative_contrast(x_test[:100], x_train[:2000]).median().item()
unrelated = relative_contrast(apart[:100], draw_pixels_apart(x_train, 2000)).median().item()
print(f"Fashion-MNIST {clothes:.2f}, the same pixels drawn apart {unrelated:.2f}")

# %% [markdown] contrast-look
# Both axes of the next figure are logarithmic, so $1/\sqrt d$ is a straight line (drawn through the last point of the
# noise). Look at how early the noise follows it, and at where the two data sets with 784 pixels lie.

# %% contrast-figure
line = [contrast[784] * math.sqrt(784 / d) for d in dims]
series = {
    "uniform noise": (dims, list(contrast.values())),
    "theory: 1 / sqrt(d)": (dims, line),
    "pixels drawn apart": ([784], [unrelated]),
    "Fashion-MNIST": ([784], [clothes]),
}
plots.curves(series, "number of dimensions d", "relative contrast", log_x=True, log_y=True)  # plots/lines.py
plt.show()

# %% [test] contrast-figure-holds
assert 2.4 < contrast[100] / contrast[784] < 3.6  # theory: sqrt(7.84) = 2.8
assert contrast[20] < clothes < contrast[5]
assert clothes > 10 * unrelated

# %% [markdown] contrast-seen
# The theory speaks of large $d$, and from about 100 on the noise obeys it: in the table, contrast times $\sqrt d$
# settles near a constant. The pixels drawn apart have hardly any contrast either. But real clothes, with the same 784
# pixels, have a contrast like noise in *about ten* dimensions. Distances concentrate with the number of
# **independent** directions, and clothes do not have many. That is good news: the curse of dimensionality counts the
# dimension of the data, not that of the space around them.

# %% [markdown] pca-idea
# ## 4. The first latent space: principal component analysis
#
# How do we find fewer numbers that say almost as much? Take the smallest case: two pixels of the same photographs,
# one below the other. Neighbouring pixels mostly agree, so the points lie along a diagonal, and *one* number, the
# position along the diagonal, says most of what both say.
#
# Put the centred images in the rows of a matrix and decompose it:
#
# $$ X - \bar x = U S V^\top $$
#
# - The rows of $V^\top$ are orthonormal directions in pixel space, the **principal components**: the data vary most
#   along the first one, then most along the next one perpendicular to it, and so on.
# - $S$ is diagonal, and $S_k^2 / (N - 1)$ is the variance of the data along component $k$.
# - $U$ has one row for each *image*: the images' positions, each coordinate scaled to the same size. We shall not
#   need it.
#
# In the figure, look at the two arrows (length: two standard deviations; each could as well point the opposite way),
# and at the orange points, which are what remains of the blue ones when only the first coordinate is kept.

# %% two-pixels
pair = x_train[:400, [14 * 28 + 9, 15 * 28 + 9]]  # rows 14 and 15, column 9
center = pair.mean(dim=0)
U, S, Vt = torch.linalg.svd(pair - center, full_matrices=False)  # (400, 2), (2,), (2, 2)
variance = S**2 / (len(pair) - 1)
kept = (pair - center) @ Vt[:1].T @ Vt[:1] + center  # one number each, and back

_, ax = plt.subplots(figsize=(4.6, 4.6), layout="constrained")
ax.scatter(*pair.T, s=10, color=plots.PALETTE[0], label="two pixels of 400 images")
ax.scatter(*kept.T, s=10, color=plots.PALETTE[1], marker="s", label="from one number")
for direction, std in zip(Vt, variance.sqrt(), strict=True):
    ax.annotate("", center + 2 * std * direction, center, arrowprops={"arrowstyle": "->", "lw": 2.5})
ax.set(xlabel="pixel (14, 9)", ylabel="pixel (15, 9)", aspect="equal", xlim=(-0.3, 1.3), ylim=(-0.3, 1.3))
ax.legend(loc="upper left")
print(f"U {tuple(U.shape)}, S {tuple(S.shape)}, Vt {tuple(Vt.shape)}")
print(f"variance along the first direction: {variance[0] / variance.sum():.0%} of all")

# %% [test] two-pixels-holds
assert variance[0] > 0.9 * variance.sum()

# %% [markdown] pca-why-best
# Why the SVD? Among all ways to send an image to $k$ numbers and back by linear maps, keeping the first $k$
# components has the smallest squared error on the data (Eckart and Young 1936). Why the centring? The SVD knows
# directions *from the origin*. Without centring the first "direction of variation" mostly points from black to the
# average image, which is the same for all and says nothing about any of them.

# %% [markdown] exercise-fit-pca-text
# ### Exercise 1: find the components
#
# *Difficulty 1 of 3, about 8 minutes.* Write `fit_pca`. Everything that it needs stands in the cell above. Mind which
# factor of the SVD has one number for each *pixel*.


# %% exercise-fit-pca
def fit_pca(x, latent_dim):
    """Average image and principal components.

    Args:
        x: Images, one a row, (N, P).
        latent_dim: How many components to keep, D.

    Returns:
        mean (P,), and components (D, P): orthonormal rows, the direction of largest variance first.
    """
    ### BEGIN SOLUTION
    mean = x.mean(dim=0)
    _, _, vt = torch.linalg.svd(x - mean, full_matrices=False)
    return mean, vt[:latent_dim]
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
# `torch.linalg.svd(A, full_matrices=False)` returns U (N, P), S (P,) and V *already transposed*, Vt (P, P). The
# components are rows of Vt, largest variance first: `Vt[:latent_dim]`.
#
# </details>

# %% [markdown] components-look
# Now with all 784 pixels. First the average image, then the first nine components. A component is a direction and has
# negative entries, so zero is drawn as mid-grey, brighter is positive and darker is negative. Look for what each of
# them would change if you added some of it to the average.

# %% components-figure
mean, components = fit_pca(x_train, 64)  # (784,), (64, 784)
shown = 0.5 + 0.5 * components[:9] / components[:9].abs().amax(dim=1, keepdim=True)
pictures = torch.cat([mean[None], shown]).unflatten(1, (1, 28, 28))
ax = plots.image_grid(pictures, columns=5, titles=["average", *(f"component {k + 1}" for k in range(9))])

# %% [markdown] components-seen
# The first component leads from shoes to tops, the second from narrow things (trousers, dresses) to wide ones. The
# later ones are finer and harder to name. Nobody told PCA about classes: these are just the directions in which the
# pictures differ most. The sign is arbitrary. If a component is a solution, so is its negative.
#
# How much does each direction matter? Each bar of the next figure is the share of the variance along one component,
# the line is their running sum. Look for where it reaches 90%.

# %% spectrum
variance = torch.linalg.svdvals(x_train - mean) ** 2 / (len(x_train) - 1)  # (784,)
ratio = variance / variance.sum()
plots.spectrum(ratio[:100])
for share in (0.5, 0.8, 0.9, 0.95):
    print(f"{share:.0%} of the variance: {int((ratio.cumsum(0) < share).sum()) + 1:3d} components")
components_for_90 = int((ratio.cumsum(0) < 0.9).sum()) + 1

# %% [test] spectrum-holds
assert 60 < components_for_90 < 110

# %% [markdown] encode-decode-idea
# The code of an image is its coordinates along the components, and decoding adds them up again:
#
# $$ z = (x - \bar x)\, V_D, \qquad \hat x = z\, V_D^\top + \bar x $$
#
# Here $V_D$ has the first $D$ components as columns, so in code it is `components.T`.

# %% [markdown] exercise-encode-decode-text
# ### Exercise 2: encode and decode
#
# *Difficulty 1 of 3, about 8 minutes.* Write both directions. Each is one line. Before you write, answer for
# yourself: which code should the average image have, and which image should the code $z = 0$ give?


# %% exercise-encode-decode
def pca_encode(x, mean, components):
    """Images (B, P) to codes (B, D), given mean (P,) and components (D, P)."""
    ### BEGIN SOLUTION
    return (x - mean) @ components.T
    ### END SOLUTION


def pca_decode(z, mean, components):
    """Codes (B, D) to images (B, P), given mean (P,) and components (D, P). Nothing is clipped."""
    ### BEGIN SOLUTION
    return z @ components + mean
    ### END SOLUTION


# %% check-encode-decode
pca_encode = checks.accept("pca-encode", pca_encode)
pca_decode = checks.accept("pca-decode", pca_decode)

# %% [markdown] hints-encode-decode
# <details><summary>Hint 1</summary>
#
# Write the shapes under the formula: (B, P) times something must give (B, D), and (B, D) times something must give
# (B, P). `components` is (D, P). Which of the two needs the transpose?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The average image must get the code of zeros, and the code of zeros must give the average image. So encoding
# subtracts `mean` first and decoding adds it last. No singular value appears in either.
#
# </details>

# %% encode-decode-used
z_train, z_test = (pca_encode(x, mean, components) for x in (x_train, x_test))  # (11000, 64), (2000, 64)
x_hat = pca_decode(z_test, mean, components)
explained = 1 - ((x_hat - x_test) ** 2).sum() / ((x_test - mean) ** 2).sum()
print(f"{x_test.shape[1]} pixels to {z_test.shape[1]} numbers, {explained:.0%} of the variance of unseen images kept")

# %% [test] encode-decode-used-holds
# The variance of the codes is S^2 / (N - 1): the singular values describe the codes, they are no part of the map.
torch.testing.assert_close(z_train.var(dim=0), variance[:64], rtol=1e-2, atol=1e-3)
assert explained > 0.85

# %% [markdown] class-idea
# From here on we use `PCA` from the package. It is the code that you just wrote, in a class, and its `decode` also
# clips to [0, 1], because a linear map can leave that range. The cell below shows that both agree.

# %% class-agrees
from course_utils.models.pca import PCA  # course_utils/models/pca.py

pca = PCA(64).fit(train)
cosine = (pca.components * components).sum(dim=1)  # 1 where both point the same way, -1 where opposite
difference = (pca.decode(z_test * cosine).flatten(1) - x_hat.clamp(0, 1)).abs().max()
print(f"each component of the package's PCA against yours: |cosine| at least {cosine.abs().min():.4f}")
print(f"decoded images, with equal signs: largest difference {difference:.1e}")

# %% [test] class-agrees-holds
torch.testing.assert_close(cosine.abs(), torch.ones(64), rtol=1e-3, atol=1e-3)
torch.testing.assert_close(pca.decode(z_test * cosine).flatten(1), x_hat.clamp(0, 1), rtol=1e-2, atol=1e-2)

# %% [markdown] reconstruct-look
# What does each further component buy? We keep the first $k$ numbers of the code and set the others to zero. Look for
# the first $k$ at which you would say "pullover", and for the first at which you can read what is printed on it.

# %% component-twin
slider = widgets.ComponentSlider(pca, test.pixels([2])[0])  # course_utils/widgets/component_slider.py
ax = slider.static()

# %% [markdown] component-explorer-text
# **Explorer.** Drag the slider, or focus it and use the arrow keys. The error is the squared distance between the two
# pictures. Try to find a component that changes the picture much although $k$ is already large.

# %% component-explorer
slider.move_to(16)
slider

# %% [markdown] reconstruct-seen
# A few components give the kind of clothing, some dozens its outline and shading. The print is a dark smear even with
# all 64: such prints are rare and each is different, so they have little variance in common and no component of their
# own. **PCA keeps what varies much over the whole set, which need not be what matters in one picture.**

# %% [markdown] verbs
# ## 5. Four verbs
#
# PCA can do four things, and every model of this course can do the same four:
#
# | verb | in code | for PCA |
# |---|---|---|
# | **encode** | `z = model.encode(x)` | project on the components |
# | **decode** | `x_hat = model.decode(z)` | add up the components |
# | **sample** | `z = model.sample_latent(n)` | draw each number with its variance from a Gaussian |
# | **walk** | `path(z_a, z_b, steps)` | a straight line between two codes |
#
# A model with `latent_shape`, `encode`, `decode` and `sample_latent` is a `LatentModel` (`course_utils/latents.py`).
# Every explorer, walk and measure of the course takes any of them. Autoencoders (lesson 02) and VAEs (04) learn
# curved maps. GANs (10) have no encoder, and there we shall have to search for one. In diffusion models (12) the code
# is as large as the image. When you meet a new model, ask the same four questions: how do I get in, how do I get out,
# where do I draw from, and what lies between two points?

# %% verbs-checked
from course_utils.interpolation import path  # course_utils/interpolation.py
from course_utils.latents import LatentModel  # course_utils/latents.py

z = pca.encode(test.pixels([21, 9]))
walk = path(z[0], z[1], steps=5)
print(f"is PCA a LatentModel? {isinstance(pca, LatentModel)}")
print(f"latent_shape {pca.latent_shape}, codes {tuple(z.shape)}, walk {tuple(walk.shape)}")
print(f"decoded walk {tuple(pca.decode(walk).shape)}")

# %% [test] verbs-checked-holds
assert isinstance(pca, LatentModel)

# %% [markdown] sample-look
# ### Sample: what does a random code look like?
#
# Draw each of the 64 numbers from a Gaussian with the variance that it has in the data, and decode. The second row
# does that. The first row shows test images after encoding and decoding, so both rows are made by the same decoder.
# Look for what the second row has and what it lacks.

# %% sample-figure
codes = pca.sample_latent(1000, generator=g)  # (1000, 64)
x_random = pca.decode(codes)
rows = {"reconstructions": pca.reconstruct(test.pixels(slice(0, 10)), 64), "random codes": x_random[:10]}
plots.image_rows(rows)
distance = {
    "reconstructions": to_nearest_photograph(pca.reconstruct(test.pixels(), 64).flatten(1)).median().item(),
    "random codes": to_nearest_photograph(x_random.flatten(1)).median().item(),
    "pixels drawn apart": nearest["pixels drawn apart"].median().item(),
}
for name, value in distance.items():
    print(f"{name:18s} median distance to the nearest training photograph {value:.2f}")

# %% [test] sample-figure-holds
assert 1.2 * distance["reconstructions"] < distance["random codes"] < 0.8 * distance["pixels drawn apart"]

# %% [markdown] sample-seen
# The random codes are ghosts: smooth, centred, lit like clothes, and several kinds of clothes at once. They lie far
# nearer to the photographs than pictures drawn pixel by pixel, and clearly farther than reconstructions. A Gaussian
# with the right variances knows how *much* each number varies and not which numbers go *together*. Shoes and tops lie
# in different places of this space, and most of a Gaussian lies between them. Learning a latent space in which random
# draws are images is what lessons 04 to 14 are about.

# %% [markdown] walk-look
# ### Walk: is the straight line any better here?
#
# We walk from the trousers to the boot, once through the pixels and once through the latent space: encode both, go
# along the straight line between the codes, decode each point (LERP means linear interpolation). Predict before you
# look: will the middle of the second row be something between trousers and boot?

# %% path-twin
path_slider = widgets.PathSlider({"PCA": pca}, x_a, x_b, methods=("lerp",))
ax = path_slider.static(7)

# %% [markdown] path-explorer-text
# **Explorer.** Drag the slider, or use the arrow keys. Stop at 0.5 and compare the two pictures in the middle.

# %% path-explorer
path_slider.move_to(0.5)
path_slider

# %% [markdown] walk-seen
# It is the same double exposure, a little blurred. This has to be so. Encoding and decoding are linear, so the
# decoded middle of two codes *is* the middle of the two decoded images:
#
# $$ \mathrm{decode}\big((1-w) z_a + w z_b\big) = (1-w)\,\mathrm{decode}(z_a) + w\,\mathrm{decode}(z_b) $$
#
# The next cell checks it over 1,000 pairs of images with your own (unclipped) functions. What remains between the two
# walks is only what the 64 components could not say about the images anyway.

# %% walk-measured
first, second = torch.randint(len(x_test), (2, 1000), generator=g)
middle_pixels = (x_test[first] + x_test[second]) / 2
middle_latent = pca_decode((z_test[first] + z_test[second]) / 2, mean, components)
middle_of_decoded = (x_hat[first] + x_hat[second]) / 2
largest = (middle_latent - middle_of_decoded).abs().max()
to_fade = (middle_latent - middle_pixels).square().mean()
to_image = (x_hat - x_test).square().mean()
print(f"decoded middle against middle of the decoded:  largest difference {largest:.1e}")
print(f"decoded middle against pixel cross-fade:       mean squared error {to_fade:.4f}")
print(f"an image against its own reconstruction:       mean squared error {to_image:.4f}")

# %% [test] walk-measured-holds
assert largest < 1e-4
assert to_fade < to_image

# %% [markdown] circle-look
# So a linear latent space compresses, and it cannot bend. The turning bar shows what that costs. We fit PCA to 2,000
# bars and keep two numbers. Each grey dot is the code of one bar, some bars are drawn at their codes, and the orange
# line is the straight walk from 20 to 80 degrees. Look at where its middle is, and at the path the data would take.

# %% circle-figure
bar_rows = bars.flatten(1)
bar_mean, bar_components = fit_pca(bar_rows, 2)
z_bars = pca_encode(bar_rows, bar_mean, bar_components)  # (2000, 2)
some = angles.argsort()[::125]  # 16 bars, evenly turned
ends = pca_encode(torch.stack([bar_at(20), bar_at(80)]).flatten(1), bar_mean, bar_components)
ax = plots.image_scatter(z_bars[some], bars[some], background=z_bars, zoom=0.9)
ax.plot(*ends.T, color=plots.PALETTE[1], linewidth=3)
ax.plot(*ends.mean(dim=0), "s", color=plots.PALETTE[2], markersize=10)
ax.set(xlabel="first number of the code", ylabel="second number of the code")
radius = z_bars.norm(dim=1)
print(f"distance of a bar's code from the centre: {radius.min():.2f} to {radius.max():.2f}")
print(f"middle of the straight walk: {ends.mean(dim=0).norm():.2f}")

# %% [test] circle-figure-holds
assert ends.mean(dim=0).norm() < 0.9 * radius.min()

# %% [markdown] circle-seen
# The latent space found the ring, and once round the ring is half a turn of the bar, so the bars come back to
# themselves. But the straight line cuts across the inside, where there is no bar. To stay on the data, the walk would
# have to follow the ring. A map from pixels to the *angle* would make this piece of the ring a straight line, and no
# linear map can. (The whole ring would have to be cut somewhere, so closed shapes stay a difficulty: lesson 20.)
# Neural networks can bend, and lesson 02 lets them.

# %% [markdown] neighbors-idea
# ### Neighbours: what did the 64 numbers keep?
#
# Section 2 ended with: distances are good for finding neighbours. A latent space should therefore keep the neighbours
# while it drops numbers. The test is simple: is the label of an image's neighbours its own label? For that we need,
# for each image, the nearest *other* images.

# %% [markdown] exercise-nearest-others-text
# ### Exercise 3: nearest neighbours
#
# *Difficulty 2 of 3, about 12 minutes.* Write `nearest_others` with tensor operations, without a loop over the
# points. `torch.cdist(a, b)` gives all distances between the rows of two matrices. (Do not build the table of all
# differences, (N, N, D), yourself: for our 2,000 images with 784 pixels it would take more than 12 GB.)


# %% exercise-nearest-others
def nearest_others(codes, k):
    """For each code, which k other codes are nearest, in Euclidean distance.

    Args:
        codes: (N, D).
        k: How many neighbours, below N.

    Returns:
        Indices, int64 (N, k), nearest first. No code is its own neighbour.
    """
    ### BEGIN SOLUTION
    distance = torch.cdist(codes, codes)  # (N, N)
    distance.fill_diagonal_(torch.inf)  # not its own neighbour
    return distance.topk(k, dim=1, largest=False).indices
    ### END SOLUTION


# %% check-nearest-others
nearest_others = checks.accept("nearest-others", nearest_others)

# %% [markdown] hints-nearest-others
# <details><summary>Hint 1</summary>
#
# First make the table of all distances, (N, N). On its diagonal stands each point's distance from itself, which is
# zero and would always win. Which value there would never win?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `distance.fill_diagonal_(torch.inf)` takes a point out of its own list (it changes `distance`, which is your own
# table, and not the inputs). Then `distance.topk(k, dim=1, largest=False)` has the k smallest values of each row and
# their `.indices`.
#
# </details>

# %% [markdown] neighbors-look
# The table gives the share of the five nearest neighbours that have the same label, over the 2,000 test images. Ten
# per cent would be chance. Look for how few numbers do as well as all 784 pixels.


# %% neighbors-table
def same_label(codes, k=5):
    """Share of the k nearest others with the same label."""
    return (test.labels[nearest_others(codes, k)] == test.labels[:, None]).float().mean().item()


shares = {"784 pixels": same_label(x_test)}
shares |= {f"{d} components": same_label(z_test[:, :d]) for d in (2, 4, 8, 16, 32, 64)}
for name, share in shares.items():
    print(f"{name:14s} {share:.1%}")

# %% [test] neighbors-table-holds
assert shares["64 components"] > shares["784 pixels"] - 0.02
assert shares["16 components"] > shares["784 pixels"] - 0.06
assert shares["2 components"] < shares["784 pixels"] - 0.2

# %% neighbors-figure
queries = [16, 8]  # a shirt and a bag
by_pixels, by_codes = nearest_others(x_test, 5), nearest_others(z_test[:, :32], 5)
rows = {}
for q in queries:
    name = test.class_names[test.labels[q]].lower()
    rows[f"{name}, pixels"] = test.pixels([q, *by_pixels[q].tolist()])
    rows[f"{name}, 32 numbers"] = test.pixels([q, *by_codes[q].tolist()])
ax = plots.image_rows(rows, column_titles=["query", "1", "2", "3", "4", "5"])

# %% [markdown] neighbors-seen
# Two numbers are too few. Sixteen come close, and 64 are as good as 784: **most pixels were redundant for saying what
# is near what**. In the figure the neighbours by 32 numbers are much the same pictures as by pixels. Note what did
# *not* get better: PCA's distance is the pixel distance with small directions left out, so it has the same blind
# spots. The next cell shows one. Every image is moved two pixels to the right, a change that no buyer of shoes would
# notice.

# %% shift
moved = test.pixels().roll(2, dims=3).flatten(1)
z_moved = pca_encode(moved, mean, components)
for name, old, new in (("pixels", x_test, moved), ("64 components", z_test, z_moved)):
    to_itself = (old - new).norm(dim=1)  # from each image to its own moved copy
    nearest = (old - old[nearest_others(old, 1)[:, 0]]).norm(dim=1)  # to the nearest different image
    share = (to_itself > nearest).float().mean().item()
    print(f"{name:14s} {share:.0%} of the images have another image nearer than their own moved copy")

# %% [test] shift-holds
for old, new in ((x_test, moved), (z_test, z_moved)):
    to_nearest = (old - old[nearest_others(old, 1)[:, 0]]).norm(dim=1)
    share = ((old - new).norm(dim=1) > to_nearest).float().mean().item()
    assert share > 0.5

# %% [markdown] dimension-idea
# ## 6. How many dimensions do the data have?
#
# PCA needs dozens of components, but for the bar we know that one number is enough. Can the **intrinsic dimension**
# be measured without knowing the answer? Count neighbours. In $m$ dimensions the volume within a distance $r$ of a
# point grows like $r^m$: twice as far, $2^m$ times as many neighbours. So if the second neighbour is barely farther
# than the first, the dimension is high. Under a density that is constant around each point, $\log(r_2 / r_1)$ follows
# an exponential distribution with mean $1/m$, and the maximum-likelihood estimate is
#
# $$ \hat m = \Big[ \frac{1}{N (k-1)} \sum_{i=1}^{N} \sum_{j=1}^{k-1} \log \frac{r_k(i)}{r_j(i)} \Big]^{-1} $$
#
# with $r_j(i)$ the distance from point $i$ to its $j$-th neighbour. With $k = 2$ it is the TwoNN estimator (Facco et
# al. 2017), with larger $k$ that of Levina and Bickel (2004). It uses only near neighbours, the part of a distance
# that can be trusted. First we try it where we know the truth.


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
    "turning bar, 784 pixels": (bar_rows[:1000], 1),
    "swiss roll, 3 numbers": (swiss_roll(1000, generator=g)[0], 2),
    "Gaussian, 5 numbers": (torch.randn(1000, 5, generator=g), 5),
    "uniform noise, 784 pixels": (torch.rand(1000, 784, generator=g), 784),
}
estimates = {}
for name, (points, truth) in known.items():
    estimates[name] = intrinsic_dimension(points, k=10)
    print(f"{name:26s} truth {truth:3d}   k = 2: {intrinsic_dimension(points):6.1f}   k = 10: {estimates[name]:6.1f}")

# %% [test] dimension-known-holds
for name in list(known)[:3]:
    assert abs(estimates[name] - known[name][1]) < 0.1 * known[name][1]
assert estimates["uniform noise, 784 pixels"] < 300

# %% [markdown] dimension-known-seen
# One for the bar, two for the rolled-up plane, five for the Gaussian: right to a few per cent. (So the answer to the
# second question at the start: **one** number for the bar. PCA would take many more, as the next cell prints.) But
# the last line is badly wrong: 1,000 points of noise in 784 dimensions give an estimate far below 784. In so many
# dimensions 1,000 points are so sparse that no two of them are near, and the assumption of constant density breaks.
# High estimates are too low. Keep that in mind for the clothes, where nobody knows the truth, and look at how the
# estimate moves with the number of images.

# %% dimension-of-clothes
bar_variance = torch.linalg.svdvals(bar_rows - bar_mean) ** 2
bar_components_for_90 = int((bar_variance.cumsum(0) / bar_variance.sum() < 0.9).sum()) + 1
print(f"components for 90% of the variance: bar {bar_components_for_90}, clothes {components_for_90}")
dimension = {}
for n in (500, 1000, 2000, 4000):
    dimension[n] = intrinsic_dimension(x_train[:n], k=10)
    print(f"clothes, first {n:4d} images: intrinsic dimension about {dimension[n]:4.1f} (k = 10)")
classes = {name: intrinsic_dimension(x_train[train.labels == k], k=10) for k, name in enumerate(train.class_names)}
print("by class:", ", ".join(f"{name} {m:.0f}" for name, m in classes.items()))

# %% [test] dimension-of-clothes-holds
assert bar_components_for_90 > 5
assert 6 < dimension[500] < dimension[4000] < 25
assert dimension[4000] < components_for_90 / 3

# %% [markdown] dimension-seen
# With more images the estimate creeps up, so read it as a lower bound rather than a value. Still, the order of
# magnitude is clear and agrees with section 3: a dozen directions or somewhat more, out of 784. PCA, which can only use
# flat directions, needs several times as many for 90% of the variance. **The gap between the two numbers is what a
# latent space that can bend has to gain.** Lesson 02 tries to gain it.

# %% [markdown] changed
# ## What changed, and what did not
#
# - From pixels to PCA codes, the *numbers* per image fell from 784 to 64 and the neighbours stayed.
# - The walk did *not* change: a linear map keeps straight lines straight, so the double exposure stayed.
# - Random draws changed from noise into ghosts: nearer to clothes, and still not clothes.
# - The intrinsic dimension belongs to the data. No smooth and invertible change of coordinates alters it, and the
#   number of components is not it.

# %% [markdown] limits
# ## Limits and honest caveats
#
# - **The manifold hypothesis is an idealisation.** Clothes are several pieces, of different dimension (see the
#   estimates by class), with noise on top. "Near a low-dimensional set" is what we measured, and no more.
# - **Estimates of dimension depend on scale, noise and the number of images.** A small $k$ sees sensor noise, a large
#   $k$ sees curvature. Published values for image sets (Pope et al. 2021) carry the same reservation.
# - **Concentration needs independence.** The statement "nearest neighbours are meaningless in high dimension" is
#   false for data like these; the same 784 pixels kept about twenty times the contrast of noise (section 3).
# - **PCA's error is not a human's.** It weighs all pixels alike, so it misses a print and punishes a shift.
# - **Same label is a rough test of likeness.** A shirt and a pullover can look alike and count as different.
# - Our set is balanced, centred and photographed on black. Other photographs have more dimensions.

# %% [markdown] quiz
# ## Quiz
#
# **1.** A colleague fits PCA to images *without* subtracting the mean and finds that the first component explains
# far more of the "variance" than it does above. What happened?
#
# <details><summary>Answer</summary>
#
# All pixels are positive, so the cloud of images lies far from the origin. Without centring, the SVD's first
# direction points from the origin to the middle of the cloud. It accounts for much of the squared *length* of the
# images, but says little about how they differ. After centring, only differences between images are left to be
# explained.
#
# </details>
#
# **2.** For the same data, PCA needs 8 components for 90% of the variance and the intrinsic dimension is 1. Is one of
# the two wrong?
#
# <details><summary>Answer</summary>
#
# No. The data may be a curve (dimension 1) that winds through many flat directions. PCA must cover the flat space
# that the curve spans. The turning bar is this case: each further pair of components is a faster wave
# around the same ring.
#
# </details>
#
# **3.** Somebody shows a walk between two faces in PCA's latent space and says that it proves "the latent space has
# learned the in-between faces". What do you ask?
#
# <details><summary>Answer</summary>
#
# Whether the walk differs from cross-fading the two *reconstructions*. For any linear decoder it cannot: section 5
# showed equality up to rounding. A good-looking walk needs a comparison with the pixel cross-fade beside it.
#
# </details>

# %% [markdown] summary
# ## Summary
#
# - Images are a tiny, structured part of pixel space. A **latent space** gives them coordinates of their own.
# - Relative contrast $(D_{\max} - D_{\min}) / D_{\min}$ falls like $1/\sqrt d$ for $d$ independent coordinates.
#   Clothes with 784 pixels have the contrast of noise in about ten.
# - PCA: $X - \bar x = U S V^\top$; encode $z = (x - \bar x) V_D$; decode $\hat x = z V_D^\top + \bar x$; variance
#   along component $k$ is $S_k^2 / (N-1)$. It is the best *linear* code for squared error.
# - Four verbs: **encode, decode, sample, walk**. In PCA's space a walk is a cross-fade of reconstructions.
# - Intrinsic dimension from neighbour distances, $\hat m^{-1} = \operatorname{mean} \log (r_k / r_j)$: 1 for the bar,
#   at least ten or so for clothes.

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
