# %% [markdown] title
# {{header}}
#
# # 03. What can we ask of a code besides copying the picture?
#
# At the end of this lesson you can
#
# 1. train a denoising autoencoder, say what it computes, and compare it honestly with simple filters;
# 2. make codes that are long but mostly zero, count their dead units, and read what single units stand for;
# 3. raise an alarm when a picture is unlike the training data, score that alarm with a ROC curve, and name in advance
#    which anomalies it will miss.

# %% [markdown] prerequisites
# **You need:** lesson 02 (autoencoders: encoder, decoder, reconstruction error) and least squares.
#
# **Time:** {{learning}} with the exercises. Running all cells takes {{minutes}}.

# %% setup
{{setup}}

# %% imports
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks, plots, widgets
from course_utils.checkpoints import load_reference
from course_utils.data.corruptions import (
    CORRUPTIONS,
    block_mask,
    gaussian_noise,
)  # course_utils/data/corruptions.py
from course_utils.data import fashion_mnist
from course_utils.data.toys import two_moons  # course_utils/data/toys.py
from course_utils.device import pick_device, seed_everything
from course_utils.latents import encode_dataset, nearest_neighbors
from course_utils.losses import squared_error  # lesson 02: one value per image, summed over the pixels
from course_utils.models.autoencoder import Autoencoder, DenoisingAutoencoder
from course_utils.training import fit  # course_utils/training/loop.py: the loop of lesson 02 with a history

plt.rcParams["figure.dpi"] = 80
seed_everything(3)
device = pick_device()
train, test = fashion_mnist("train"), fashion_mnist("test")
x_train, x_test = train.pixels(), test.pixels(slice(0, 1000), device=device)  # (11000 or 1000, 1, 28, 28) in [0, 1]


def seeded(seed=0):
    """A fresh generator, so that every method gets the same noise."""
    return torch.Generator(device).manual_seed(seed)


print(f"{len(train):,} training images; most measurements use {len(x_test):,} test images; computing on {device}")

# %% [markdown] predict
# ## Predict first
#
# Somebody trains an autoencoder on pictures of **shoes** only, and raises an alarm when a picture is reconstructed
# badly. Then other pictures arrive. Put them in order, from the loudest alarm to none at all:
#
# - (a) a bag, (b) a shoe with black and white exchanged, (c) a shoe turned to face right where all others face left,
#   (d) a shoe with a small square blacked out, a quarter as high and as wide as the picture, (e) a picture that is
#   all black.
#
# Write down your order. Also write down, for each, whether you would call it an anomaly.
#
# <details><summary>What we found, for after section 8</summary>
#
# Loudest: (b), then (a), at some distance (c), then (d), where the alarm is little better than a coin toss. For (e)
# the alarm is *quieter than for real shoes*, every time. Reconstruction error asks "can I draw this?", and black is
# the easiest picture of all to draw.
#
# </details>

# %% [markdown] copying
# ## 1. Copying is not enough
#
# An autoencoder is rewarded for $\hat x = x$. With a wide enough code it can succeed without learning anything about
# clothes: the identity has no error. Lesson 02 prevented that with a bottleneck. There are other ways to make the
# task worth doing, and each gives the code a property that a bottleneck alone does not:
#
# | we ask that the code | by | section |
# |---|---|---|
# | survives damage to the picture | corrupting the input, but not the target | 2 to 5 |
# | uses few of its many units at a time | a penalty, or a limit on active units | 6 and 7 |
# | fits one kind of picture, so that misfits show | training on that kind alone | 8 |
#
# ## 2. Restore, do not copy
#
# A **denoising autoencoder** (Vincent et al. 2008) sees a damaged picture $\tilde x$ and is compared with the clean
# one:
#
# $$\text{loss} = \mathbb{E}_{x}\, \mathbb{E}_{\tilde x \sim C(\tilde x \mid x)} \big\| x - D(E(\tilde x)) \big\|^2 .$$
#
# $C$ is the corruption. It needs no labels and no pairs of damaged and clean photographs: the damage is ours. Here
# are the four kinds of the course. Look for what remains in each that would let *you* say what the garment is.

# %% corruptions-figure
STRENGTHS = {"gaussian_noise": 0.5, "masking_noise": 0.5, "salt_and_pepper": 0.3, "block_mask": 0.5}
damaged = {name: CORRUPTIONS[name](x_test, strength, seeded()) for name, strength in STRENGTHS.items()}
shown = [1, 5, 8, 9, 16]
rows = {f"{name}, {STRENGTHS[name]}": x[shown] for name, x in damaged.items()}
plots.image_rows({"clean": x_test[shown], **rows})
plt.show()

# %% [markdown] denoising-loss-task
# Gaussian noise moves every pixel a little. Masking sets each pixel to black with probability 0.5; salt and pepper
# sets it to black or white. The block hides half of the height and half of the width. All pixels stay in $[0, 1]$.
#
# ### Exercise 1. The denoising loss (easy, 10 minutes)
#
# Corrupt with Gaussian noise, restore, compare. Draw the noise with `torch.randn_like`, once.


# %% denoising-loss-exercise
def denoising_loss(model, x, strength):
    """Squared error of restoring images from Gaussian noise.

    Args:
        model: Function from images (B, C, H, W) in [0, 1] to images of the same shape.
        x: Clean images, (B, C, H, W), in [0, 1].
        strength: Standard deviation of the noise, before noisy pixels are clipped to [0, 1].

    Returns:
        A scalar tensor: summed over the pixels of an image, averaged over the batch.
    """
    ### BEGIN SOLUTION
    eps = torch.randn_like(x)  # fresh N(0, 1) noise for every pixel of every image
    x_noisy = (x + strength * eps).clamp(0, 1)
    x_hat = model(x_noisy)
    return (x_hat - x).square().flatten(1).sum(dim=1).mean()
    ### END SOLUTION


# %% denoising-loss-check
denoising_loss = checks.accept("denoising-loss", denoising_loss)

# %% [markdown] denoising-loss-hints
# <details><summary>Hint 1</summary>
#
# Four lines: noise, noisy image, restoration, error. Two images are at hand when the error is computed. Which one
# would you like to get back?
#
# </details>
# <details><summary>Hint 2</summary>
#
# `x_noisy = (x + strength * eps).clamp(0, 1)` with `eps = torch.randn_like(x)`; the error compares `model(x_noisy)`
# with `x`. Sum over all dimensions but the first, then take the mean.
#
# </details>

# %% [markdown] train-denoiser-text
# The same small network as in lesson 02 (784 - 256 - 32 and back) learns with your loss for five passes over the
# data. Beside it stand two reference models with as many numbers in the code, convolutional and trained for
# three times as many passes over all 60,000 images: a plain autoencoder, which never saw noise, and a denoising one.


# %% train-denoiser
def fit_on(model, images, epochs, loss=None, lr=2e-3):
    """Train on an image set; the order of the batches is the same for every model."""
    order = torch.Generator().manual_seed(0)
    batches = images.batches(128, device=device, shuffle=True, generator=order)
    return fit(model.to(device), batches, epochs=epochs, lr=lr, loss=loss, progress=False)


denoiser = Autoencoder(32, hidden=256)
history = fit_on(denoiser, train, 5, loss=lambda model, x: {"loss": denoising_loss(model, x, 0.5)})
plain = load_reference("autoencoder_32d", device)
reference = load_reference("denoising_32d", device)
print("error per image, by epoch:", ", ".join(f"{loss:.1f}" for loss in history.series("loss")))

# %% [markdown] rivals-text
# ## 3. Is it any better than a blur?
#
# A network should be compared with the best simple thing, not with nothing. Three rivals:
#
# - a **Gaussian blur**: each pixel becomes a weighted mean of its neighbourhood;
# - a **median filter**: each pixel becomes the median of its neighbourhood, which ignores outliers;
# - the **best linear map** from noisy to clean pixels, by least squares on the training images. Like the network it
#   has seen clothes; unlike the network it has no hidden layer.
#
# The filters get their best setting for each amount of noise, chosen on training images.


# %% rivals
def gaussian_blur(x, sigma):
    """Weighted mean with weights exp(-distance**2 / (2 sigma**2)), rows first, then columns."""
    weights = torch.exp(-torch.arange(-4.0, 5.0, device=x.device).square() / (2 * sigma**2))
    weights = weights / weights.sum()
    x = F.conv2d(F.pad(x, (4, 4, 0, 0), mode="replicate"), weights.view(1, 1, 1, 9))
    return F.conv2d(F.pad(x, (0, 0, 4, 4), mode="replicate"), weights.view(1, 1, 9, 1))


def median_filter(x, size):
    """Median of size x size pixels."""
    windows = F.pad(x, [size // 2] * 4, mode="replicate").unfold(2, size, 1).unfold(3, size, 1)
    return windows.flatten(-2).median(dim=-1).values


def with_one(x):
    """Images as rows with a constant 1 at the end, for the intercept: (B, 785)."""
    return torch.cat([x.flatten(1), torch.ones(len(x), 1, device=x.device)], dim=1)


a = with_one(gaussian_noise(x_train, 0.5, torch.Generator().manual_seed(1)))
weights = torch.linalg.solve(a.T @ a, a.T @ x_train.flatten(1)).to(device)  # normal equations, (785, 784)


def linear_map(x):
    return (with_one(x) @ weights).clamp(0, 1).unflatten(1, (1, 28, 28))


# %% [markdown] restore-look
# One amount of noise first, the 0.5 that all learners trained on. We report the squared error for each image and, as
# is customary for restoration, the **peak signal-to-noise ratio**: with MSE the mean squared error of a pixel,
# $\text{PSNR} = 10 \log_{10} (1 / \text{MSE})$ decibels, so 10 dB more is a tenth of the error. Look at three things:
# the background, which was black; the edges; and whether the restored garment is *that* garment.


# %% restore-figure
def psnr(x_hat, x):
    """Peak signal-to-noise ratio of images in [0, 1], in dB, (B,)."""
    return -10 * torch.log10((x_hat - x).square().flatten(1).mean(dim=1))


@torch.no_grad()
def restore_all(x_noisy, sigma=1.0, size=5):
    """What each method makes of noisy images: {name: images}."""
    return {
        "noisy, left alone": x_noisy,
        "Gaussian blur": gaussian_blur(x_noisy, sigma),
        "median filter": median_filter(x_noisy, size),
        "best linear map": linear_map(x_noisy),
        "plain autoencoder": plain(x_noisy),
        "denoiser, 5 epochs": denoiser(x_noisy),
        "denoiser, reference": reference(x_noisy),
    }


restored = restore_all(damaged["gaussian_noise"])
error = {name: squared_error(x_hat, x_test).mean().item() for name, x_hat in restored.items()}
for name, x_hat in restored.items():
    print(f"{name:20s} squared error {error[name]:5.1f}   PSNR {psnr(x_hat, x_test).mean():.1f} dB")
plots.image_rows({"clean": x_test[shown], **{name: x_hat[shown] for name, x_hat in restored.items()}})
plt.show()

# %% [test] restore-claims
assert error["denoiser, reference"] < 0.9 * min(error[name] for name in restored if "denoiser" not in name)
assert error["denoiser, 5 epochs"] < 0.8 * min(error["Gaussian blur"], error["median filter"])
assert error["best linear map"] < error["denoiser, 5 epochs"]
assert error["plain autoencoder"] > 2 * error["denoiser, reference"]

# %% [markdown] restore-seen
# The blur trades noise against edges, and it cannot clean the background: clipped noise on black is never negative,
# so its mean is grey. The plain autoencoder, whose target was always its own input, takes noise for content. Both
# denoisers paint a clean garment on black, though the plaid of the shirt is lost to all. But the least-squares map is
# remarkably good: with no hidden layer and no gradient step it *beats* the network that we trained for five epochs.
# Only the reference model, which saw about sixteen times as many pictures, is clearly ahead. A comparison with the
# blur alone would have hidden that.

# %% [markdown] strengths-look
# Now all amounts of noise. Every learner was trained at 0.5. Look for the strength at which each pair of lines
# crosses, and at the left end: which method should you use on a picture that has hardly any noise?

# %% strengths-figure
strengths, results = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0], {}
x_tune = x_train[:200].to(device)


def best_setting(restore, x_noisy, settings):
    """The setting with the least error on training images."""
    return min(settings, key=lambda setting: squared_error(restore(x_noisy, setting), x_tune).sum().item())


for strength in strengths:
    x_noisy = gaussian_noise(x_tune, strength, seeded(1))
    sigma = best_setting(gaussian_blur, x_noisy, (0.4, 0.6, 0.8, 1.0, 1.3, 1.7))
    size = best_setting(median_filter, x_noisy, (3, 5, 7))
    for name, x_hat in restore_all(gaussian_noise(x_test[:500], strength, seeded()), sigma, size).items():
        results.setdefault(name, []).append(squared_error(x_hat, x_test[:500]).mean().item())
lines = {name: (strengths, values) for name, values in results.items()}
plots.curves(lines, "standard deviation of the noise", "squared error per image", log_x=True, log_y=True)
plt.show()

# %% [test] strengths-claims
at = {name: dict(zip(strengths, values, strict=True)) for name, values in results.items()}
assert at["noisy, left alone"][0.05] < 0.3 * at["denoiser, reference"][0.05]
assert at["Gaussian blur"][0.05] < at["denoiser, reference"][0.05]
assert at["denoiser, reference"][0.7] < 0.9 * at["best linear map"][0.7]
assert at["denoiser, reference"][0.3] < at["denoiser, reference"][0.05]

# %% [markdown] strengths-seen
# At the left end the reference denoiser *harms* the picture: it squeezes it through 32 numbers, loses every fine
# detail, and there was little noise to remove. Below 0.15 or so it is better to leave the picture alone, and up to
# 0.2 a blur does as well. Its error even *falls* from 0.05 to 0.3, since a picture that is too clean is unlike
# anything it was trained on. Near 0.3 it meets the linear map. At 0.5 and 0.7 the network is clearly the best. At
# 1.0, far from what it was trained on, its lead is gone again.

# %% [markdown] explorer-strength-text
# ### Explorer: how much noise?
#
# The figure is the explorer drawn at six positions; the explorer itself follows below. Move the slider from 0
# upwards. Find the strength at which the blur becomes worse than the denoiser on *this* boot, and the strength at
# which the denoiser restores a garment that is no longer this one.

# %% explorer-strength-twin
boot = x_test[9:10]  # (1, 1, 28, 28)


def restore_boot(strength):
    """The clean boot, the noisy one, and three restorations, (5, 1, 28, 28)."""
    x_noisy = gaussian_noise(boot, strength, seeded(2))
    return torch.cat([boot, x_noisy, gaussian_blur(x_noisy, 1.0), linear_map(x_noisy), reference(x_noisy)])


def boot_errors(strength):
    _, *others = restore_boot(strength)
    names = ("noisy", "blur", "linear", "denoiser")
    pairs = zip(names, (squared_error(x[None], boot).item() for x in others), strict=True)
    return "Squared error: " + ", ".join(f"{name} {value:.1f}" for name, value in pairs) + "."


labels = ["clean", "noisy", "Gaussian blur", "linear map", "denoiser"]
strength_explorer = widgets.FunctionSlider(  # course_utils/widgets/function_sliders.py
    restore_boot, 0.0, 1.5, labels=labels, name="Noise", start=0.5, step=0.05, describe=boot_errors,
    title="Noise and restoration",
)  # fmt: skip
strength_explorer.static([0.0, 0.1, 0.3, 0.5, 0.8, 1.5])
plt.show()
# %% explorer-strength
strength_explorer.move_to(0.8)
strength_explorer

# %% [markdown] projection-idea
# ## 4. What a denoiser learns: the way back to the data
#
# Which function makes the denoising loss smallest? Fix one noisy $\tilde x$. Many clean $x$ could have led to it, and
# the number with the least mean squared distance from all of them is their mean. So the best denoiser is
#
# $$r^*(\tilde x) = \mathbb{E}[\,x \mid \tilde x\,].$$
#
# For Gaussian noise of variance $\sigma^2$ (without clipping) this mean has a second form (Miyasawa 1961):
#
# $$r^*(\tilde x) = \tilde x + \sigma^2 \, \nabla_{\tilde x} \log p_\sigma(\tilde x),$$
#
# where $p_\sigma$ is the density of the noisy data. **The step that a denoiser takes points uphill on the log density
# of the data**, towards where data are. No density was ever trained; it comes out of squared error. Diffusion models
# (lesson 12) are built on this line.
#
# In two dimensions all of this can be seen. The data lie on two half circles. With $N$ data points $x_1 \dots x_N$,
# the exact answer is a weighted mean, with weights $\propto \exp(-\|\tilde x - x_i\|^2 / 2\sigma^2)$.

# %% projection-exact
sigma = 0.2
moons, _ = two_moons(2000, noise=0.0, generator=torch.Generator().manual_seed(0))  # (2000, 2): the clean data


def posterior_mean(x_noisy):
    """E[x | x_noisy] when x is one of the data, all equally likely, (B, 2)."""
    return torch.softmax(-torch.cdist(x_noisy, moons).square() / (2 * sigma**2), dim=1) @ moons


points = torch.tensor([[0.3, 0.4], [1.5, 0.2], [-1.2, -0.3]], requires_grad=True)
log_density = torch.logsumexp(-(points[:, None] - moons).square().sum(dim=2) / (2 * sigma**2), dim=1)
score = torch.autograd.grad(log_density.sum(), points)[0]  # gradient of log p_sigma; constants drop out
print("mean of what it could have been", posterior_mean(points).detach(), sep="\n")
print("x + sigma^2 * gradient", (points + sigma**2 * score).detach(), sep="\n")

# %% [test] projection-exact-holds
assert torch.allclose(posterior_mean(points), points + sigma**2 * score, atol=1e-4)

# %% [markdown] projection-train
# Two formulas, one answer. Now a small network learns to denoise points of this set, with the loss of exercise 1 and
# knowing neither formula. It has no bottleneck; a denoiser needs none.

# %% projection-network
network = nn.Sequential(nn.Linear(2, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))
optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
for _ in range(1000):
    x = moons[torch.randint(len(moons), (256,))]
    loss = (network(x + sigma * torch.randn_like(x)) - x).square().sum(dim=1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

x = moons[:1000]
x_noisy = x + sigma * torch.randn_like(x)
with torch.no_grad():
    restored_by = {"nothing": x_noisy, "network": network(x_noisy), "exact mean": posterior_mean(x_noisy)}
for name, x_hat in restored_by.items():
    to_x, to_data = (x_hat - x).square().sum(dim=1).mean(), torch.cdist(x_hat, moons).amin(dim=1).mean()
    print(f"{name:10s} squared distance to the clean point {to_x:.4f}   distance to the half circles {to_data:.3f}")
    restored_by[name] = to_data

# %% [test] projection-network-holds
assert restored_by["network"] < 0.5 * restored_by["nothing"]

# %% [markdown] projection-look
# Look at the direction of the arrows, and at their length far from the data and near to it. Then look between the
# half circles: where do the arrows of neighbouring points part?

# %% projection-figure
axis_x, axis_y = torch.linspace(-1.6, 2.6, 19), torch.linspace(-1.1, 1.6, 13)
grid = torch.cartesian_prod(axis_x, axis_y)  # (247, 2)
with torch.no_grad():
    steps = {"learned by the network": network(grid) - grid, "exact: posterior mean": posterior_mean(grid) - grid}
figure, axes = plt.subplots(1, 2, figsize=(8, 3.0), layout="constrained", sharey=True)
for ax, (name, step) in zip(axes, steps.items(), strict=True):
    ax.scatter(*moons[::3].T, s=3, color=plots.PALETTE[1])
    ax.quiver(*grid.T, *step.T, angles="xy", scale_units="xy", scale=1.6, width=0.004, color=plots.PALETTE[0])
    ax.set(title=f"step from each point, {name}", aspect="equal", xlabel="$x_1$")
    ax.title.set_size(10)
axes[0].set_ylabel("$x_2$")
plt.show()
# %% [markdown] projection-seen
# All arrows point to the data, and they are shorter the nearer they start. At equal distance from both half circles
# the choice flips, and on that line itself the denoiser goes to the *mean* of both answers, where no data are. That
# is the blur you saw at strong noise: a mean of several garments that it could have been. Squared error makes every
# restorer an averager, this one included. And a denoiser projects *near* to the data, not onto them: in the table
# above, even the exact mean ends at a distance greater than zero.

# %% [markdown] transfer-text
# ## 5. It mends what it was trained to mend
#
# Two more networks of the same size learn the same way, one with masking noise, one with a hidden block. Each
# restorer then meets all four kinds of damage. Before you run the cell: which numbers in the table will be the
# smallest of their column?

# %% transfer
restorers = {"plain autoencoder": plain, "gaussian_noise": denoiser}
for name in ("masking_noise", "block_mask"):
    restorers[name] = DenoisingAutoencoder(32, hidden=256, corruption=name, strength=STRENGTHS[name])  # autoencoder.py
    fit_on(restorers[name], train, 5)

with torch.no_grad():
    table = {row: [squared_error(m(x), x_test).mean().item() for x in damaged.values()] for row, m in restorers.items()}
print(f"{'squared error':26s}" + "".join(f"{name:>17s}" for name in damaged))
print(f"{'left as it is':26s}" + "".join(f"{squared_error(x, x_test).mean():17.1f}" for x in damaged.values()))
for row, values in table.items():
    label = row if row.startswith("plain") else f"trained on {row}"
    print(f"{label:26s}" + "".join(f"{value:17.1f}" for value in values))

# %% [test] transfer-holds
for name in restorers.keys() & damaged.keys():
    column = list(damaged).index(name)
    assert table[name][column] == min(values[column] for values in table.values())
assert table["masking_noise"][0] > squared_error(damaged["gaussian_noise"], x_test).mean()

# %% [markdown] transfer-seen
# Each is the best at its own damage. What it learned carries over where the damage is alike: salt and pepper
# resembles noise, so the noise denoiser copes. Elsewhere it may be worse than doing nothing: the masking denoiser was
# taught that damage is always *black*, takes bright speckles for the garment, and adds to them. A denoiser's idea of
# damage is an assumption; when the world damages otherwise, it still answers, with the same confidence.
#
# ### Inpainting
#
# A hidden block is the case of **inpainting**: what was there must be inferred from what is left. We keep the visible
# pixels, which we know, and take only the hole from the network. Again with rivals: the mean training image, and a
# look-up that finds the ten training images most like the visible part and averages them. Look at trousers and bags
# whose hole covers half of the outline.

# %% inpainting
hole = block_mask(torch.ones_like(x_test), 0.5, seeded()) == 0  # same seed, so the same blocks as in damaged
x_masked, known = damaged["block_mask"].flatten(1), (~hole).float().flatten(1)
library = x_train.to(device).flatten(1)
# |x - library|^2 over the visible pixels only, expanded into three matrix products, (1000, 11000)
distance = x_masked.square().sum(dim=1, keepdim=True) - 2 * x_masked @ library.T + known @ library.square().T
nearest = distance.topk(10, dim=1, largest=False).indices
with torch.no_grad():
    fillings = {
        "nothing (black)": torch.zeros_like(x_test),
        "mean training image": library.mean(dim=0).view(1, 1, 28, 28).expand_as(x_test),
        "noise denoiser": denoiser(damaged["block_mask"]),
        "block denoiser": restorers["block_mask"](damaged["block_mask"]),
        "mean of 10 look-alikes": library[nearest].mean(dim=1).view_as(x_test),
    }
filled = {name: torch.where(hole, filling, x_test) for name, filling in fillings.items()}
inside = {name: squared_error(x_hat, x_test).mean().item() for name, x_hat in filled.items()}
print("squared error inside the hole:", ", ".join(f"{name} {value:.1f}" for name, value in inside.items()))
plots.image_rows({"masked": damaged["block_mask"][shown]} | {name: x[shown] for name, x in list(filled.items())[2:]}
                 | {"clean": x_test[shown]});  # fmt: skip

# %% [test] inpainting-holds
assert inside["block denoiser"] < 0.6 * min(inside["mean training image"], inside["noise denoiser"])

# %% [markdown] inpainting-seen
# The block denoiser continues outlines, and the noise denoiser leaves a shadow where the hole was. The fair surprise
# is the last rival: looking up ten similar photographs does at least as well as our five-epoch network. It pays for
# that with memory: the look-up carries all 11,000 photographs along and compares with each one, the network has 0.4
# million weights and answers in one pass. And where several completions are possible, all of these return a blurred
# mean: the completion that is *drawn* from the possible ones needs a generative model (lessons 04 and 14).

# %% [markdown] sparse-idea
# ## 6. Long codes that are mostly zero
#
# A shoe needs no number for "collar". A short dense code must use all its numbers for every picture, so each number
# means many things. A **sparse** code is long, even longer than the data has directions (then it is called
# over-complete), and only a few of its units are active for one picture: those that apply.
#
# Length alone would allow copying, so sparsity must be enforced. There are two classical ways:
#
# $$\text{L1 penalty:}\quad \text{loss} = \|x - \hat x\|^2 + \lambda \sum_d |z_d|
# \qquad\qquad \text{k-sparse:}\quad z = \text{top}_k\big(\text{ReLU}(E(x))\big).$$
#
# The penalty pulls on every unit with the same force $\lambda$, however small the unit already is, so it reaches
# zero. A squared penalty would pull ever more weakly and leave many small values. The k-sparse code (Makhzani and
# Frey 2013) needs no weight to tune: it keeps the $k$ largest activations.
#
# ### Exercise 2a. The sparsity penalty (easy, 5 minutes)


# %% sparsity-penalty-exercise
def sparsity_penalty(z):
    """L1 norm of codes.

    Args:
        z: Codes, (B, D), of any sign.

    Returns:
        A scalar tensor: absolute values summed over the D units, averaged over the batch.
    """
    ### BEGIN SOLUTION
    return z.abs().sum(dim=1).mean()
    ### END SOLUTION


# %% sparsity-penalty-check
sparsity_penalty = checks.accept("sparsity-penalty", sparsity_penalty)

# %% [markdown] top-k-task
# <details><summary>Hint 1</summary>
#
# The reconstruction error was summed over features and averaged over the batch. Do the same here, or $\lambda$
# changes its meaning with the length of the code.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `abs`, then `sum(dim=1)`, then `mean()`.
#
# </details>
#
# ### Exercise 2b. Keep the k largest (medium, 10 minutes)
#
# Every code keeps its own k largest numbers, each at its own place; the rest become zero. Gradients must flow to the
# numbers that are kept.


# %% top-k-exercise
def keep_top_k(z, k):
    """Zero all but the k largest numbers of each code.

    Args:
        z: Codes, (B, D).
        k: How many numbers of each code to keep, 1 to D.

    Returns:
        (B, D): the k largest numbers of each row at their places, zeros elsewhere.
    """
    ### BEGIN SOLUTION
    largest = z.topk(k, dim=1)  # .values and .indices, both (B, k)
    return torch.zeros_like(z).scatter(1, largest.indices, largest.values)
    ### END SOLUTION


# %% top-k-check
keep_top_k = checks.accept("top-k", keep_top_k)

# %% [markdown] top-k-hints
# <details><summary>Hint 1</summary>
#
# `z.topk(k, dim=1)` gives two things: the values, and where they were. Which tensor do you need to put them back
# into, and what should it hold elsewhere?
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.zeros_like(z).scatter(1, indices, values)` writes values into zeros along dimension 1. `scatter` without the
# underscore makes a new tensor and keeps the gradient.
#
# </details>

# %% [markdown] sparse-model-text
# The model is as simple as can be, so that its units can be looked at: one linear layer in, one linear layer out.
# Then
#
# $$\hat x = b + \sum_d z_d \, w_d, \qquad \|w_d\| = 1,$$
#
# a picture is a sum of **atoms** $w_d$, each as large as a picture, weighted by a few positive numbers. The atoms are
# kept at length 1. Otherwise the penalty could be dodged: halve the code, double the atoms, and nothing changes but
# the cost.


# %% sparse-model
class SparseCode(nn.Module):
    """A linear dictionary of images: x_hat = b + sum of z_d * w_d with non-negative, sparse z."""

    def __init__(self, units=256, k=None):
        super().__init__()
        self.k = k
        self.encoder, self.decoder = nn.Linear(784, units), nn.Linear(units, 784)

    def encode(self, x):
        z = torch.relu(self.encoder(x.flatten(1) - self.decoder.bias))  # (B, units)
        return z if self.k is None else keep_top_k(z, self.k)

    def atoms(self):
        return F.normalize(self.decoder.weight, dim=0)  # (784, units), columns of length 1

    def decode(self, z):
        return F.linear(z, self.atoms(), self.decoder.bias).unflatten(1, (1, 28, 28))


def sparse_loss(l1):
    def loss(model, x):
        z = model.encode(x)
        recon = squared_error(model.decode(z), x).mean()
        return {"loss": recon + l1 * sparsity_penalty(z), "recon": recon}

    return loss


# %% active-fraction
def active_fraction(z):
    """How often each unit is active, (D,)."""
    return (z > 0).float().mean(dim=0)


# %% [markdown] dead-look
# First the k-sparse code: 256 units, 16 active at a time. We train it twice for four epochs. Once from PyTorch's
# default random weights, and once with encoder and atoms started at 256 training photographs (less the mean image),
# so that every unit begins with pictures that excite it. Look at the last column: a unit that is active for no test
# image is **dead**.


# %% dead-units
def start_at_photographs(model, images):
    """Encoder rows and atoms begin as photographs, the decoder's bias as the mean image."""
    with torch.no_grad():
        mean = x_train.mean(dim=0).flatten()
        w = F.normalize(images.flatten(1) - mean, dim=1)  # (units, 784)
        model.encoder.weight.copy_(0.1 * w)  # small: many atoms are alike, and their sum should not overshoot
        model.encoder.bias.zero_()
        model.decoder.weight.copy_(w.T)
        model.decoder.bias.copy_(mean)
    return model


k_sparse = {"default weights": SparseCode(k=16)}
k_sparse["photographs"] = start_at_photographs(SparseCode(k=16), x_train[:256])
for name, model in k_sparse.items():
    fit_on(model, train, 4, sparse_loss(0.0), lr=1e-3)
    with torch.no_grad():
        z = model.encode(x_test)
        recon, active = squared_error(model.decode(z), x_test).mean(), active_fraction(z)
    print(f"start: {name:16s} error {recon:5.1f}   busiest unit active in {active.max():4.0%} of images"
          f"   dead units {(active == 0).sum():3d} of 256")  # fmt: skip
sparse = k_sparse["photographs"]

# %% [test] dead-units-holds
dead = []
for model in k_sparse.values():
    with torch.no_grad():
        z = model.encode(x_test)
    assert ((z > 0).sum(dim=1) <= 16).all()
    dead.append((active_fraction(z) == 0).sum())
assert dead[1] < 0.5 * dead[0]

# %% [markdown] dead-seen
# From random weights a few units win the first competitions, get all the gradient, and win for ever; most units never
# become active, get no gradient, and stay dead. The code has 256 numbers on paper and a dense code of a few dozen in
# truth. The error alone would never have told you: **count**. Starting at photographs is one cure. Others: begin with
# a large $k$ and lower it, restart dead units, or add a loss that gives them a gradient.
#
# What does choosing buy? With 16 active numbers we can compare with 16 principal components, the best 16 *fixed*
# directions.

# %% sparse-against-pca
centered = x_train.flatten(1) - x_train.mean(dim=0).flatten()
_, _, vt = torch.linalg.svd(centered[:4000], full_matrices=False)  # lesson 01
flat, mean = x_test.flatten(1), x_train.mean(dim=0).flatten().to(device)


def pca_error(components):
    v = vt[:components].to(device)
    return ((flat - mean) @ v.T @ v + mean - flat).square().sum(dim=1).mean().item()


with torch.no_grad():
    sparse_error = squared_error(sparse.decode(sparse.encode(x_test)), x_test).mean().item()
print(f"PCA, 16 numbers {pca_error(16):.1f}; PCA, 32 numbers {pca_error(32):.1f}")
print(f"k-sparse, 16 of 256 numbers {sparse_error:.1f}")

# %% [test] sparse-against-pca-holds
assert sparse_error < 0.85 * pca_error(16)

# %% [markdown] sparse-against-pca-seen
# Sixteen numbers chosen from 256 for each picture beat sixteen fixed ones by far. This is not free: *which* sixteen
# is information too. There are $\binom{256}{16} \approx 10^{25}$ choices, about 83 bits, on top of the sixteen
# values.
#
# The L1 penalty gives no fixed number of active units. It draws a whole line of compromises: follow it from left to
# right.

# %% l1-sweep
compromises = {}
for l1 in (0.0, 0.3, 1.0):
    model = start_at_photographs(SparseCode(), x_train[:256])
    fit_on(model, train, 3, sparse_loss(l1), lr=1e-3)
    with torch.no_grad():
        z = model.encode(x_test)
        compromises[l1] = (z > 0).sum(dim=1).float().mean().item(), squared_error(model.decode(z), x_test).mean().item()
for l1, (active, recon) in compromises.items():
    print(f"lambda {l1:3.1f}: {active:5.1f} of 256 units active, squared error {recon:5.1f}")

# %% [test] l1-sweep-holds
actives, errors = zip(*compromises.values(), strict=True)
assert actives[0] > actives[1] > actives[2]
assert errors[0] < errors[1] < errors[2]

# %% [markdown] l1-seen
# A larger $\lambda$ switches more units off and costs reconstruction. Compare the last line with the k-sparse code at
# 16 active units. The penalty has a side effect that top-k has not: it also *shrinks* the units that stay on, because
# a smaller number is always a little cheaper, so everything is drawn somewhat too faint.

# %% [markdown] units-look
# ## 7. What single units stand for
#
# An atom is a picture, so we can look at it. Red adds light and blue takes it away. On the left of each row is the
# atom of one unit, then the six test images that excite the unit most. Try to give each unit a name, and to say what
# its six images share.

# %% units-figure
with torch.no_grad():
    z = sparse.encode(x_test)  # (1000, 256)
    atoms = sparse.atoms().T.unflatten(1, (28, 28)).cpu()  # (256, 28, 28)
    share = torch.stack([z[test.labels[:1000] == c].sum(dim=0) for c in range(10)])  # activation by class, (10, 256)
purity = share.amax(dim=0) / share.sum(dim=0).clamp(min=1e-9)  # part of a unit's activation that one class causes
often = active_fraction(z) > 0.02
by_purity = torch.where(often, purity, -1.0).argsort(descending=True)[: int(often.sum())]
chosen = by_purity[torch.linspace(0, len(by_purity) - 1, 5).long()].tolist()  # from the purest to the most mixed
figure, axes = plt.subplots(5, 7, figsize=(6.4, 4.8), layout="constrained")
for row, unit in zip(axes, chosen, strict=True):
    row[0].imshow(atoms[unit], cmap="RdBu_r", vmin=-0.15, vmax=0.15)
    row[0].set_ylabel(f"unit {unit}\n{purity[unit]:.0%}", fontsize=9)
    for ax, i in zip(row[1:], z[:, unit].topk(6).indices.tolist(), strict=True):
        ax.imshow(x_test[i, 0].cpu(), cmap="gray", vmin=0, vmax=1)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
axes[0, 0].set_title("atom", fontsize=9)
axes[0, 3].set_title("test images that excite it most", fontsize=9)
plt.show()

# %% [markdown] units-seen
# The percentage is the part of the unit's activation that comes from one class. At the top are units for one kind of
# garment. At the bottom are units for a *part* or a tone that several kinds share: a sleeve, an outline, an overall
# brightness. No label was used; the classes come out because garments of one kind share parts. Is that more than a
# dense code does, and more than chance? A rarely active unit looks pure by accident, so we also measure with shuffled
# labels.


# %% units-against-dense
def purity_of(z, labels):
    """Part of each unit's activation that its favourite class causes, signs ignored, (D,)."""
    share = torch.stack([z[labels == c].abs().sum(dim=0) for c in range(10)])
    return (share.amax(dim=0) / share.sum(dim=0).clamp(min=1e-9))[share.sum(dim=0) > 0]


labels, shuffled = test.labels[:1000], test.labels[torch.randperm(1000, generator=torch.Generator().manual_seed(0))]
z_dense = encode_dataset(plain, test.images[:1000])
z_dense = z_dense - z_dense.mean(dim=0)
for name, code in {"sparse, 256 units": z.cpu(), "dense, 32 units": z_dense}.items():
    true, chance = purity_of(code, labels).median(), purity_of(code, shuffled).median()
    print(f"{name:18s} median purity {true:.2f}; with labels dealt out at random {chance:.2f}")

# %% [test] units-against-dense-holds
for code in (z.cpu(), z_dense):
    true, chance = purity_of(code, labels).median(), purity_of(code, shuffled).median()
    assert true > chance
assert purity_of(z.cpu(), labels).median() > 1.5 * purity_of(z_dense, labels).median()

# %% [markdown] reference-sparse-text
# The reference model `sparse_k` has the same 16 of 256 units and a hidden layer on each side. Its output is no longer
# a plain sum of atoms, so "the atom of a unit" has no single answer. What a unit does can still be seen in one
# picture: switch the unit off and decode. For two images we switch off each of their four strongest units in turn.
# And we count again.

# %% reference-sparse
sparse_k = load_reference("sparse_k", device)
pair = x_test[[1, 8]]
with torch.no_grad():
    z = sparse_k.encode(x_test)
    code = sparse_k.encode(pair)
    strongest = code.topk(4, dim=1).indices
    without = [code.scatter(1, strongest[:, j : j + 1], 0.0) for j in range(4)]
    pictures = [pair, sparse_k.decode(code), *(sparse_k.decode(each) for each in without)]
    recon = squared_error(sparse_k(x_test), x_test).mean()
titles = ["x", "x_hat", *(f"without {j}" for j in ("1st", "2nd", "3rd", "4th"))]
plots.image_grid(torch.stack(pictures, dim=1).flatten(0, 1), columns=6, titles=titles * 2)
dead_reference = (active_fraction(z) == 0).sum()
print(f"sparse_k: squared error {recon:.1f}, dead units {dead_reference} of 256")

# %% [test] reference-sparse-holds
assert ((z > 0).sum(dim=1) <= 16).all()
assert recon < sparse_error
assert dead_reference > 100

# %% [markdown] reference-sparse-seen
# Switching off one unit damages the whole garment, not one part of it: through a hidden layer, units cooperate. And
# the count is sobering. The error is lower than that of the linear code, but most of the 256 units are dead. This
# model began from random weights, as our first one did. Thirty passes over 60,000 images did not bring its dead units
# back to life, and the error on its card does not show them.

# %% [markdown] explorer-unit-text
# ### Explorer: turn one unit
#
# The linear code again. We take a dress, set the purest unit of the figure above (its first row) to any value, and
# decode. The sentence says how strong the unit gets in real pictures. Watch where the picture changes and where it
# does not, and what happens beyond the values that occur.

# %% explorer-unit-twin
dress, unit = x_test[(test.labels[:1000] == 3).nonzero()[0]], chosen[0]
with torch.no_grad():
    z_dress, largest = sparse.encode(dress), sparse.encode(x_test)[:, unit].max().item()


def turn_unit(value):
    """The picture, its reconstruction, and the reconstruction with the unit at a value, (3, 1, 28, 28)."""
    z_turned = z_dress.clone()
    z_turned[:, unit] = value
    return torch.cat([dress, sparse.decode(z_dress), sparse.decode(z_turned)]).clamp(0, 1)


own_value = z_dress[0, unit].item()
unit_explorer = widgets.FunctionSlider(
    turn_unit, 0.0, 1.5 * largest, labels=["x", "x_hat", "unit turned"], name=f"Unit {unit}", start=largest / 2,
    describe=lambda value: f"This dress has {own_value:.1f}; the largest value in 1,000 test images is {largest:.1f}.",
    title="One unit of a sparse code",
)  # fmt: skip
unit_explorer.static()
plt.show()
# %% explorer-unit
unit_explorer.move_to(largest)
unit_explorer

# %% [markdown] anomaly-idea
# ## 8. Anomalies: what the model cannot draw
#
# An autoencoder trained on one kind of picture learns to draw that kind. So take its failure as a signal:
#
# $$\text{score}(x) = \big\| x - D(E(x)) \big\|^2, \qquad \text{alarm if } \text{score}(x) > \tau .$$
#
# No example of an anomaly is needed for training, which is the attraction: one has thousands of good parts and no
# collection of all the ways to fail. We train on shoes only (sandals, sneakers, ankle boots) with 8 numbers. Look in
# the histogram for the part where two colours overlap: there no threshold can be right.


# %% shoes
def only(images, names):
    """The subset of an image set with the classes of these names."""
    wanted = torch.tensor([images.class_names.index(name) for name in names])
    return images[torch.isin(images.labels, wanted)]


@torch.no_grad()
def score(model, x):
    """Reconstruction error, (B,), on the CPU."""
    return squared_error(model(x.to(device)), x.to(device)).cpu()


SHOES = ("Sandal", "Sneaker", "Ankle boot")
shoe_model = Autoencoder(8, hidden=256)
fit_on(shoe_model, only(train, SHOES), 15)
shoes = only(test, SHOES).pixels()
score_shoes = score(shoe_model, shoes)
others = {name: only(test, [name]).pixels() for name in ("Bag", "Shirt")}
score_others = {name: score(shoe_model, x) for name, x in others.items()}
plots.error_histogram({"shoes": score_shoes, **score_others}, xlabel="squared error per image")
plt.show()

# %% [markdown] roc-idea
# ### From a threshold to a curve
#
# Each threshold $\tau$ gives two rates: the share of anomalies that raise the alarm (**true positive rate**) and the
# share of normal pictures that do (**false positive rate**). Lowering $\tau$ raises both. The curve of one against
# the other is the **ROC curve**; a coin toss gives the diagonal. The area under it, **AUROC**, has a plain meaning
# that needs no threshold:
#
# $$\text{AUROC} = P(s_+ > s_-) + \tfrac12 P(s_+ = s_-),$$
#
# the chance that a random anomaly scores higher than a random normal picture, ties counting half.
#
# ### Exercise 3. AUROC (medium, 15 minutes)
#
# Compute it from this meaning: compare every positive with every negative.


# %% auroc-exercise
def auroc(scores, positive):
    """Area under the ROC curve.

    Args:
        scores: Higher means more likely positive, (N,). Scores may be equal.
        positive: True for the cases that should score high (the anomalies), bool, (N,).

    Returns:
        A scalar tensor from 0 to 1.
    """
    ### BEGIN SOLUTION
    high, low = scores[positive][:, None], scores[~positive][None, :]  # (P, 1) and (1, M): all P * M pairs
    return ((high > low).float() + 0.5 * (high == low).float()).mean()
    ### END SOLUTION


# %% auroc-check
auroc = checks.accept("auroc", auroc)

# %% [markdown] auroc-hints
# <details><summary>Hint 1</summary>
#
# `scores[positive]` and `scores[~positive]` are the two groups. A column against a row broadcasts to a table of all
# pairs.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Per pair: 1 if the positive is higher, 0.5 if both are equal, 0 otherwise. Then the mean. Test yourself: if all
# scores are equal, the answer must be 0.5.
#
# </details>

# %% [markdown] roc-look
# The curve itself: sort by score, lower the threshold past one score after another, and count. In the figure, follow
# the curves up from the left edge: how many anomalies are caught before the first false alarms? The two kinds of
# altered shoe are new: mirrored, and faded to 40% of their brightness.


# %% roc-figure
def roc(scores, positive):
    """False and true positive rates as the threshold falls past one different score after another, (K + 1,) each."""
    values, which = scores.unique(return_inverse=True)  # rising
    rates = []
    for kind in (~positive, positive):
        passed = torch.bincount(which[kind], minlength=len(values)).flip(0).cumsum(0)
        rates.append(torch.cat([torch.zeros(1), passed / kind.sum()]))
    return rates


def against_shoes(score_anomalies):
    """Scores and labels of the shoes and some anomalies."""
    scores = torch.cat([score_shoes, score_anomalies])
    return scores, torch.arange(len(scores)) >= len(score_shoes)


cases = score_others | {
    "mirrored shoe": score(shoe_model, shoes.flip(-1)),
    "faded shoe": score(shoe_model, 0.4 * shoes),
}
curves = {name: roc(*against_shoes(values)) for name, values in cases.items()}
areas = {name: auroc(*against_shoes(values)).item() for name, values in cases.items()}
plots.roc_curve(curves, scores=areas)
plt.show()

# %% [test] roc-figure-holds
for name, (fpr, tpr) in curves.items():
    assert abs(torch.trapezoid(tpr, fpr).item() - areas[name]) < 1e-4  # the area is the chance

# %% [markdown] roc-seen
# Bags and shirts: nearly perfect. Mirrored shoes: useful. And one curve runs *below* the diagonal: faded shoes look
# more normal to this alarm than shoes do. A detector that is worse than a coin is no bad luck; it measures something
# else than what we wanted. What?

# %% what-it-misses
anomalies = {name: only(test, [name]).pixels() for name in test.class_names if name not in SHOES} | {
    "inverted shoe": 1 - shoes,
    "noisy shoe": gaussian_noise(shoes, 0.2, torch.Generator().manual_seed(0)),
    "shoe upside down": shoes.flip(-2),
    "mirrored shoe": shoes.flip(-1),
    "shoe moved 2 pixels": shoes.roll(2, dims=-1),
    "shoe, block missing": block_mask(shoes, 0.25, torch.Generator().manual_seed(0)),
    "faded shoe": 0.4 * shoes,
    "all black": torch.zeros_like(shoes),
}
shoe_codes = encode_dataset(shoe_model, only(train, SHOES))
shoe_photos = only(train, SHOES).pixels()
log_error = score(shoe_model, only(train, SHOES).pixels()).log()
scorers = {
    "error": lambda x: score(shoe_model, x),
    "brightness": lambda x: x.flatten(1).sum(dim=1),
    "two-sided": lambda x: (score(shoe_model, x).log() - log_error.mean()).abs(),
    "code distance": lambda x: nearest_neighbors(shoe_model.encode(x.to(device)).cpu(), shoe_codes, k=1)[1][:, 0],
    "pixel distance": lambda x: nearest_neighbors(x, shoe_photos, k=1)[1][:, 0],
}
found = {}
print(f"{'AUROC against real shoes':26s}" + "".join(f"{name:>15s}" for name in scorers))
with torch.no_grad():
    normal = {name: scorer(shoes) for name, scorer in scorers.items()}
    for name, x in anomalies.items():
        pairs = ((normal[s], scorer(x)) for s, scorer in scorers.items())
        row = [auroc(torch.cat(pair), torch.arange(sum(map(len, pair))) >= len(shoes)).item() for pair in pairs]
        found[name] = dict(zip(scorers, row, strict=True))
        print(f"{name:26s}" + "".join(f"{value:15.2f}" for value in row))

# %% [test] what-it-misses-claims
assert all(found[name]["error"] > 0.85 for name in test.class_names if name not in SHOES)
assert found["all black"]["error"] < 0.1
assert found["faded shoe"]["error"] < 0.2
assert 0.5 < found["shoe, block missing"]["error"] < 0.8
assert found["Trouser"]["code distance"] < found["Trouser"]["error"] - 0.1
assert found["all black"]["pixel distance"] < 0.2
assert found["all black"]["two-sided"] > 0.5 + found["all black"]["error"]

# %% [markdown] what-it-misses-seen
# Read the first column from top to bottom. Other garments are found. Alterations of shoes are found less and less
# well, and the last two lines are upside down: *the alarm is silent for every black picture and louder for every real
# shoe*. The error is a sum over what has to be drawn. Little to draw, little error. It measures how **complicated** a
# picture is as well as how unfamiliar, and where the two disagree, it follows the first. The same happens to the
# likelihoods of large generative models (Nalisnick et al. 2019).
#
# The other columns are rivals. *Brightness*, the sum of all pixels and no model at all, finds a good part of the
# garments too, because shoes are small. *Pixel distance*, from the nearest training photograph, is nearly as good as
# our network in every line, and as blind in the last two: black is nearer to a small sandal than most shoes are to
# each other. *Code distance*, from the nearest training code, is as good on mirrored shoes but overlooks many
# trousers: their codes fall among those of shoes. *Two-sided* asks how far the logarithm of the error lies from its
# usual value, above or below: it sees what is too easy as well, and pays for it in other lines. None is best
# everywhere. Choose by the anomalies you expect, and test on those you fear.

# %% [markdown] near-misses-text
# The second blind spot is an anomaly that is *too similar*. We train on shirts only and ask for T-shirts. Look at the
# reconstructions: what the model can draw depends on the parts it has learned, and T-shirts are made of the same
# parts. Look also at what it makes of a boot.

# %% near-misses
shirt_model = Autoencoder(16, hidden=256)
fit_on(shirt_model, only(train, ["Shirt"]), 30)
score_shirts = score(shirt_model, only(test, ["Shirt"]).pixels())
near = {}
for name in ("T-shirt/top", "Pullover", "Coat", "Trouser", "Ankle boot"):
    values = torch.cat([score_shirts, score(shirt_model, only(test, [name]).pixels())])
    near[name] = auroc(values, torch.arange(len(values)) >= len(score_shirts)).item()
print("trained on shirts, AUROC:", ", ".join(f"{name} {value:.2f}" for name, value in near.items()))
examples = torch.cat([only(test, [name]).pixels()[:2] for name in near])
with torch.no_grad():
    reconstructions = shirt_model(examples.to(device))
titles = [title for name in near for title in (name, "")]
plots.image_rows({"x": examples, "x_hat, by a model of shirts": reconstructions}, column_titles=titles)
plt.show()

# %% [test] near-misses-holds
assert near["T-shirt/top"] < 0.7 < 0.9 < near["Ankle boot"]

# %% [markdown] base-rate-text
# One more number before you build this into a machine. Take the alarm for bags, set the threshold so that 5% of shoes
# raise it, and let one picture in a thousand be a bag. Of a hundred alarms, how many are bags?

# %% base-rate
tau = score_shoes.quantile(0.95)
hit_rate = (score_others["Bag"] > tau).float().mean().item()
prevalence = 0.001
alarms = prevalence * hit_rate + (1 - prevalence) * 0.05
share = prevalence * hit_rate / alarms
print(f"bags caught {hit_rate:.0%}; of 100 alarms {100 * share:.0f} are bags, the rest are shoes")

# %% [test] base-rate-holds
assert share < 0.05

# %% [markdown] changed
# ## What changed and what did not
#
# | | plain autoencoder (02) | denoising | sparse | anomaly score |
# |---|---|---|---|---|
# | encoder and decoder | the same networks | the same | one more line: a penalty or top-k | the same |
# | input | $x$ | $\tilde x$ | $x$ | $x$ |
# | target | $x$ | $x$, still clean | $x$ | $x$, of one kind |
# | code | short, dense | short, dense | long, few units on | short, dense |
# | can it generate? | no | no | no | no |
#
# The last line is what did not change. A denoiser knows the way back to the data from nearby, and that is half of a
# generator; but nothing in this lesson says how codes are *distributed*, so we still cannot draw new ones. That is
# lesson 04.
#
# ## Limits and honest caveats
#
# - All comparisons are for one data set of small, centred pictures on black. On large photographs neighbourhood
#   filters are stronger, and networks without a bottleneck are the usual denoisers.
# - "Corrupted" here means corrupted by us. Real cameras have noise that depends on brightness, blur, and compression.
# - Squared error rewards means, so all restorations are too smooth. PSNR shares that taste: it can prefer a blurred
#   picture to a sharp one that is slightly shifted (lesson 02).
# - Purity uses ten labels as a stand-in for meaning. A unit may mean something that has no label, and an L1 or top-k
#   code is not unique: another seed gives other atoms.
# - The numbers are from one seed and one small network each. In our runs the order of the methods was the same for
#   other seeds; the second digit was not.
# - We looked at the anomalies before choosing the score. In earnest, threshold and score are fixed on normal data
#   alone, and tested on kinds of anomaly that played no part in the choice.

# %% [markdown] quiz
# ## Three questions
#
# **1.** A colleague trains a denoiser and, by mistake, compares its output with the noisy image. The training loss is
# lower than yours. What has the model learned?
#
# <details><summary>Answer</summary>
#
# To reconstruct its input, noise included, as far as the bottleneck allows: a plain autoencoder of noisy pictures.
# The two losses have different targets and cannot be compared. Only the error against clean images says which of the
# two removes noise.
#
# </details>
#
# **2.** A sparse code has 4,096 units, 32 active at a time, and a wonderful reconstruction error. Name two numbers
# that you ask for before believing that it is a sparse dictionary of 4,096 parts.
#
# <details><summary>Answer</summary>
#
# How many units are dead: if 4,000 are, it is a dense code of 96. And how often the busiest units are active: a unit
# that is on for every picture is part of the mean. Beyond that, look at the atoms and at the images that excite them.
#
# </details>
#
# **3.** Your alarm has an AUROC of 0.03 on a new kind of fault. May you simply turn its sign around and report 0.97?
#
# <details><summary>Answer</summary>
#
# Only if all faults to come are of that kind: the turned score finds pictures that are *too easy* to draw, and would
# miss everything that the old one found, such as bags. 0.03 is information: this kind is simpler than normal data. A
# score that alarms on both sides (too well and too badly reconstructed), or a second score such as a distance to
# training codes, uses it.
#
# </details>

# %% [markdown] summary
# ## Summary
#
# - Denoising: $\min \mathbb{E}\,\|x - D(E(\tilde x))\|^2$ with a clean target. The best restorer is $\mathbb{E}[x
#   \mid \tilde x] = \tilde x + \sigma^2 \nabla \log p_\sigma(\tilde x)$: a step towards the data.
# - It restores what it was trained to restore. With little noise a bottleneck does harm, and a linear map is a rival
#   to beat.
# - Sparse codes: $\|x - \hat x\|^2 + \lambda \|z\|_1$, or the $k$ largest of $\text{ReLU}(E(x))$. Fix the length of
#   the atoms, count dead units.
# - Anomaly score $\|x - D(E(x))\|^2$; $\text{AUROC} = P(s_+ > s_-) + \frac12 P(s_+ = s_-)$. It misses what is simple
#   and what is made of known parts. An AUROC below 0.5 is a finding, not an accident.
#
# ## References
#
# - P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol (2008), *Extracting and composing robust features with
#   denoising autoencoders*, ICML.
# - G. Alain, Y. Bengio (2014), *What regularized auto-encoders learn from the data-generating distribution*,
#   [arXiv:1211.4246](https://arxiv.org/abs/1211.4246).
# - K. Miyasawa (1961), *An empirical Bayes estimator of the mean of a normal population*, Bull. Inst. Internat.
#   Statist. 38.
# - A. Makhzani, B. Frey (2013), *k-Sparse autoencoders*, [arXiv:1312.5663](https://arxiv.org/abs/1312.5663).
# - B. Olshausen, D. Field (1996), *Emergence of simple-cell receptive field properties by learning a sparse code for
#   natural images*, Nature 381.
# - T. Fawcett (2006), *An introduction to ROC analysis*, Pattern Recognition Letters 27.
# - E. Nalisnick, A. Matsukawa, Y. W. Teh, D. Gorur, B. Lakshminarayanan (2019), *Do deep generative models know what
#   they don't know?*, [arXiv:1810.09136](https://arxiv.org/abs/1810.09136).
#
# ## Next
#
# Lesson 04 turns the point $z$ into a cloud, and the decoder into a generator: the variational autoencoder.
