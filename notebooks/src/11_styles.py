# %% [markdown] title
# {{header}}
#
# # 11. Which layer of a generator decides what?
#
# At the end of this lesson you can
#
# 1. write the convolution that lets a code steer every layer, and drive a trained generator with it;
# 2. mix the styles of two faces, and measure which layer carries what;
# 3. edit a face in $w$, and say by numbers whether this space is better than another one.

# %% [markdown] prerequisites
# **You need:** lesson 10 (a generator, codes drawn from $N(0, I)$, a direction fitted to generated images),
# convolutions, and least squares.
#
# **Time:** {{learning}}, each with its exercises. Running all cells takes {{minutes}}.

# %% setup
{{setup}}

# %% imports
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from sklearn.linear_model import LinearRegression

from course_utils import checks, metrics, plots
from course_utils.checkpoints import load_reference  # course_utils/checkpoints.py
from course_utils.data.faces import HANDLES, sample_faces  # course_utils/data/faces/
from course_utils.device import pick_device, seed_everything  # course_utils/device.py
from course_utils.latents import decode_dataset  # course_utils/latents.py
from course_utils.recipes.faces64 import read_handles  # the reader on 250 images at a time, (N, 13)

plt.rcParams["figure.dpi"] = 72
torch.set_num_threads(1)  # the networks are small: a second thread would mostly wait for the first
seed_everything(11)
g = torch.Generator().manual_seed(11)  # what this lesson draws by hand comes from here
device = pick_device()

# %% [markdown] predict
# ## Predict first
#
# A *style-based* generator first turns the noise $z$ into another code $w$, and gives $w$ to each of its seven layers.
#
# 1. One of the seven layers gets the $w$ of another face. Which layer changes the colour of the hair: one of the first
#    (*coarse*, 4 x 4 or 8 x 8 places), one in the middle, or one of the last (*fine*, 32 x 32)?
# 2. Each code moves half-way to the mean of all codes, once in $z$ and once in $w$. What happens to the faces?
# 3. A line reads the smile from the code of a face. Where does it read best: in $z$, in $w$, or in the codes of a plain
#    GAN that has no $w$?
#
# <details><summary>What we found (open it after section 5)</summary>
#
# 1. A coarse one. The coarse layers carry nearly everything here.
# 2. In $w$ they become more alike. In $z$ nothing at all happens.
# 3. In the codes of the plain GAN. In $w$ it reads better than in $z$.
#
# </details>

# %% [markdown] round
# ## 1. A round cloud for data that are not round
#
# Codes are drawn from $N(0, I)$, a round cloud. Let the data have two attributes between 0 and 1, $a$ and $b$. All
# pairs are equally likely, but one quarter is missing: never are both above 1/2.
# The function below turns round codes into exactly these data.
#
# Left are codes $z$, right the same points as $(a, b)$. Triangles have $b > 1/2$. Can a straight line part them from
# the dots on the left? On the right?


# %% round-map
def from_round(z):
    """Codes (N, 2) from N(0, I) to attributes (N, 2) in [0, 1], of which never both are above 1/2."""
    u, v = torch.special.ndtr(z).T  # each uniform in [0, 1]
    a = torch.where(u < 2 / 3, 0.75 * u, 1.5 * u - 0.5)  # two thirds of the data have a < 1/2
    return torch.stack([a, torch.where(a > 0.5, v / 2, v)], dim=1)


z_toy = torch.randn(4000, 2, generator=g)
toy = from_round(z_toy)  # (4000, 2)
high = toy[:, 1] > 0.5
for name, codes in (("z", z_toy), ("(a, b)", toy)):
    left = metrics.linear_separability(codes, high[:, None], generator=g).score
    print(f"the best line in {name}: {left:.2f} (1: it tells all; 1.89: it tells nothing)")

# %% round-figure tags=["folded"]
# @title Draws both planes
figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for ax, points, names in ((axes[0], z_toy, ("z[0]", "z[1]")), (axes[1], toy, ("a", "b"))):
    for kind, marker in ((False, "o"), (True, "^")):
        mine = points[:1500][high[:1500] == kind]
        ax.scatter(*mine.T, s=16, marker=marker, color=plots.PALETTE[int(kind)], linewidths=0)
    ax.set(xlabel=names[0], ylabel=names[1], aspect="equal")
plt.show()

# %% [test] round-figure-holds
assert not ((toy[:, 0] > 0.5) & high).any()
assert abs(high.float().mean() - 1 / 3) < 0.03
assert metrics.linear_separability(z_toy, high[:, None], generator=torch.Generator().manual_seed(1)).score > 1.15
assert metrics.linear_separability(toy, high[:, None], generator=torch.Generator().manual_seed(1)).score < 1.05

# %% [markdown] round-seen
# On the left the triangles fill a right angle, and no line parts them from the dots. On the right a level line does.
# The printed number is the [[linear separability]] of Karras et al. (2019): $e^H$, where $H$ is the entropy of the
# attribute, in nats, when one knows the side of the line. The line is fitted to one half and judged on the other.
#
# Other functions make the same data, but a straight one cannot: it turns a round cloud into an ellipse. **Between a
# round cloud and data with a hole there must be a bend.** This lesson's generator has a small network there, the
# **[[mapping network]]** $w = f(z)$. It can do the bending. Then a line could read an attribute from $w$. But the loss
# does not ask for it. So section 5 measures it.

# %% [markdown] generator
# ## 2. A code that steers every layer
#
# The reference model `styles_faces` is a small StyleGAN2 (Karras et al. 2020), with $z$ and $w$ of 64 numbers. It was
# trained on the faces of lesson 10's further part. Each is drawn from 13 numbers, its *handles*: smile, turn, skin,
# background and so on. The *reader*, `faces64_regressor`, is a network trained to read them from an image.
#
# The mapping network divides $z$ by its root mean square, so only the direction of $z$ counts. Then come four linear
# layers, each with a leaky ReLU.

# %% mapping
model = load_reference("styles_faces", device).eval()
reader = load_reference("faces64_regressor", device).eval()
GAIN = math.sqrt(2 / (1 + 0.2**2))  # a leaky ReLU makes signals smaller; this makes up for it


def to_w(z, layers):
    """Codes z (B, D) to codes w (B, D)."""
    w = z / z.square().mean(dim=1, keepdim=True).sqrt()
    for layer in layers:
        w = GAIN * F.leaky_relu(F.linear(w, layer.scale * layer.weight, layer.rate * layer.bias), 0.2)
    return w


z = torch.randn(1500, 64, generator=g)
with torch.no_grad():
    w = to_w(z.to(device), model.generator.mapping.layers).cpu()  # (1500, 64)
x = decode_dataset(model.in_w(), w)  # (1500, 3, 64, 64); in_w() is the same generator with codes w
space = model.in_w(per_layer=True)  # and this with one w a layer, (B, 7, 64)
read = read_handles(reader, x)  # (1500, 13)
_, ax = plt.subplots(figsize=(7, 2.5), layout="constrained")
plots.image_rows({"": x[:6], " ": x[6:12]}, ax=ax)
plt.show()

# %% [test] mapping-holds
with torch.no_grad():
    assert torch.allclose(w[:50], model.map(z[:50].to(device)).cpu(), atol=1e-4)
from course_utils.checkpoints import checkpoint_dir, read_card

card = read_card(checkpoint_dir() / "styles_faces.json")["metrics"]
assert card["recall"] < card["floor_recall"] / 5

# %% [markdown] generator-seen
# The faces are clear, but much less varied than real ones: their recall, the share of real faces that look like a
# generated one, is less than a fifth of that of other real faces.
#
# The **synthesis network** starts from a learned constant of 4 x 4 places. It has seven layers: one at 4 x 4, and two
# at each of 8, 16 and 32. Each layer turns $w$ into a **[[style]]** by its own linear map: one factor $s_i$ for each
# input channel $i$. The style goes into a **[[modulated convolution]]**, with weights $v_{jik}$ from channel $i$ to
# channel $j$ at place $k$ of the kernel:
#
# $$v'_{jik} = s_i\, v_{jik}, \qquad v''_{jik} = \frac{v'_{jik}}{\sqrt{\sum_{i,k} v'^2_{jik} + 10^{-8}}} .$$
#
# *Modulate*: each input channel becomes louder or quieter. *Demodulate*: the weights to each output channel get length
# 1, so that a loud style does not make everything after it loud.

# %% [markdown] convolution-task
# ### Exercise 1: the modulated convolution
#
# *Medium, about 8 minutes.* Each image of the batch has its own style, so its own weights. Loop over the images:
# `F.conv2d(image[None], own, padding=K // 2)` convolves one.


# %% convolution-exercise
def modulated_conv(x, weight, style):
    """Convolve each image with its own modulated and demodulated weights.

    x are maps (B, I, H, W), weight is (J, I, K, K) with K odd, style has one factor an image and input channel, (B, I).
    Returns maps (B, J, H, W): they are padded with zeros, so that their size stays.
    """
    ### BEGIN SOLUTION
    maps = []
    for image, factors in zip(x, style, strict=True):
        own = weight * factors[:, None, None]  # (J, I, K, K): modulate
        own = own / (own.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()  # demodulate
        maps.append(F.conv2d(image[None], own, padding=weight.shape[-1] // 2))
    return torch.cat(maps)
    ### END SOLUTION


# %% convolution-check
modulated_conv = checks.accept("modulated-convolution", modulated_conv)

# %% [markdown] convolution-hints
# <details><summary>Hint 1</summary>
#
# One image's style has shape (I,), the weight (J, I, K, K). `style[:, None, None]` has shape (I, 1, 1), which fits.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The sum below the root goes over all dimensions but the first, `dim=(1, 2, 3)`, and `keepdim=True` keeps it divisible.
#
# </details>

# %% [markdown] drive
# Now your convolution drives the trained generator. A layer adds a bias and a leaky ReLU (and noise, see a further
# section). The last layer of each size makes a part of the image, twice as wide as its maps, with a style of its own.
# The parts are enlarged and added up, and a sigmoid makes pixels of them. `w` has one code a layer, (B, 7, 64): nothing
# forces them to be the same.


# %% synthesis
def styled_layer(layer, x, w):
    """Maps (B, I, h, w) and codes (B, D) to maps (B, J, H, W): one layer of the model, written out."""
    style = layer.affine(w)  # (B, I), linear in w
    x = GAIN * modulated_conv(x, layer.convolution.scale * layer.convolution.weight, style)
    if layer.enlarge:
        x = F.interpolate(x, scale_factor=2, mode="bilinear")
    x = x + layer.bias[:, None, None] + layer.noise_strength * layer.fixed_noise
    return F.leaky_relu(x, 0.2)


def synthesize(generator, w):
    """Codes (B, L, D), one a layer, to images (B, 3, 64, 64)."""
    x, x_logits = generator.constant.expand(len(w), -1, -1, -1), None
    for k, layer in enumerate(generator.layers):
        x = styled_layer(layer, x, w[:, k])
        if k % 2 == 0:  # the last layer of its size
            part = generator.to_images[k // 2](x, w[:, k])
            x_logits = part if k == 0 else part + F.interpolate(x_logits, scale_factor=2, mode="bilinear")
    return torch.sigmoid(x_logits)


with torch.no_grad():
    by_hand = synthesize(model.generator, w[:4, None].expand(-1, 7, -1).to(device)).cpu()
    layer = model.generator.layers[3]
    style = layer.affine(w[:4].to(device))  # (4, I)
    maps, weight = torch.randn(*style.shape, 16, 16, generator=g).to(device), layer.convolution.weight
    sizes = [modulated_conv(maps, weight, c * style).std().item() for c in (1, 10)]
print(f"largest difference from the model's own pixels: {(by_hand - x[:4]).abs().max():.1e}")
print(f"a style ten times as large makes the output {sizes[1] / sizes[0]:.2f} times as large")

# %% [test] synthesis-holds
assert (by_hand - x[:4]).abs().max() < 1e-3
assert abs(sizes[1] / sizes[0] - 1) < 0.01
assert model.generator.num_layers == 7
assert [size[0] for size in model.generator.layer_sizes] == [4, 8, 8, 16, 16, 32, 32]

# %% [markdown] mixing
# So only the ratios of the factors count: a style says which channels are heard beside the others.
#
# ## 3. Two faces in one
#
# This is **[[style mixing]]**: the layers before `start` get the $w$ of face A, the others that of face B.

# %% [markdown] mixing-task
# ### Exercise 2: mix the styles
#
# *Easy, about 3 minutes.* Layer 0 is the coarsest. Layer `start` is the first one of B.


# %% mixing-exercise
def mix_codes(w_a, w_b, start, num_layers):
    """One code a layer: that of A before layer start, and that of B from there on.

    w_a and w_b are (B, D). start is from 0, all is B's, to num_layers, all is A's. Returns (B, num_layers, D).
    """
    ### BEGIN SOLUTION
    own = w_a[:, None].repeat(1, start, 1)  # (B, start, D)
    other = w_b[:, None].repeat(1, num_layers - start, 1)
    return torch.cat([own, other], dim=1)
    ### END SOLUTION


# %% mixing-check
mix_codes = checks.accept("style-mixing", mix_codes)

# %% [markdown] mixing-hints
# <details><summary>Hint</summary>
#
# `w_a[:, None].repeat(1, start, 1)` has shape (B, start, D). `torch.cat` along dimension 1 puts two such parts
# together.
#
# </details>

# %% [markdown] slider-task
# ### Exercise 3: a slider for the layer
#
# *Easy, about 3 minutes.* With an `IntSlider`, `interactive(show, start=slider)` calls `show(start)` whenever it moves.
# `show` decodes only the mixed codes, draws them in one row by `plots.image_rows({"name": images})` and ends with
# `plt.show()`.


# %% mixing-control
from ipywidgets import IntSlider, interactive


def style_slider(space, w_a, w_b):
    """A slider for the layer from which on the styles are B's, and the mixed faces.

    space decodes codes (B, L, D); its latent_shape is (L, D). w_a and w_b are codes (B, D).
    Returns what interactive returns: an IntSlider from 0 to L that starts at L, where all is A's, and the images.
    """
    ### BEGIN SOLUTION
    layers = space.latent_shape[0]

    def show(start):
        plots.image_rows({f"B from {start}": decode_dataset(space, mix_codes(w_a, w_b, start, layers))})
        plt.show()

    return interactive(show, start=IntSlider(value=layers, min=0, max=layers))
    ### END SOLUTION


# %% slider-check
style_slider = checks.accept("style-slider", style_slider)
control = style_slider(space, w[:5], w[5:10])
control

# %% [markdown] slider-hints
# <details><summary>Hint</summary>
#
# Inside, `layers = space.latent_shape[0]`, then `def show(start):` with two lines: `plots.image_rows({"name":
# decode_dataset(space, mix_codes(w_a, w_b, start, layers))})`, then `plt.show()`. The last line is
# `return interactive(show, start=IntSlider(value=layers, min=0, max=layers))`.
#
# </details>

# %% [markdown] grid
# The package's `mix_styles` takes any set of layers. Below, the faces of the bottom row give the layers named on the
# left to face A. What comes from B?

# %% mixing-grid
from course_utils.models.styles import mix_styles  # course_utils/models/styles/latents.py

groups = {"4 x 4, 8 x 8": (0, 1, 2), "16 x 16": (3, 4), "32 x 32": (5, 6)}
w_a, w_b = w[14:15].expand(4, -1), w[20:24]
rows = {"A": decode_dataset(model.in_w(), w_a)}
for name, layers in groups.items():
    rows[name] = decode_dataset(space, mix_styles(w_a, w_b, layers, num_layers=7))
rows["B"] = decode_dataset(model.in_w(), w_b)
_, ax = plt.subplots(figsize=(5.2, 5.8), layout="constrained")
plots.image_rows(rows, ax=ax)
plt.show()

# %% [markdown] matrix
# All that one sees of B came with the coarse layers. But five faces are no measurement. So take 120 pairs.
# One layer of A gets the code of B, and the reader says how much of the way from A to B each handle has gone: 100% is
# all of it. Which layer carries which handle?

# %% handle-matrix
span = torch.tensor([handle.high - handle.low for handle in HANDLES.values()])


def carried(layers):
    """How much of the way from A to B each handle goes when these layers get the codes of B, (13,)."""
    mixed = decode_dataset(space, mix_styles(w[:120], w[120:240], layers, num_layers=7))
    way = read[120:240] - read[:120]  # (120, 13)
    return ((read_handles(reader, mixed) - read[:120]) * way).sum(dim=0) / way.square().sum(dim=0)


matrix = torch.stack([carried([layer]) for layer in range(7)])  # (7, 13)

# %% handle-matrix-figure tags=["folded"]
# @title Draws the matrix
figure, ax = plt.subplots(figsize=(10.4, 4), layout="constrained")
ax.imshow(matrix, cmap="Blues", vmin=0, vmax=1, aspect="auto")
for k in range(7):
    for i in range(13):
        color = "w" if matrix[k, i] > 0.6 else "k"
        ax.text(i, k, int((100 * matrix[k, i]).round()), ha="center", va="center", color=color)
ax.set_xticks(range(13), [name.replace("_", "\n") for name in HANDLES], fontsize=10)
ax.set_yticks(range(7), [f"{k} ({size[0]} x {size[0]})" for k, size in enumerate(model.generator.layer_sizes)])
ax.set(ylabel="layer", title="how much of the way from A to B a handle goes, in %")
plt.show()

# %% [test] handle-matrix-holds
assert (matrix.argmax(dim=0) < 3).all()
assert matrix[3:].abs().max() < 0.05
from course_utils import claims

more = claims.evidence("11", "layers")
assert more.over("coarse").low > 0.95 > 0.05 > max(more.over("middle").high, more.over("fine").high)
assert more.over("columns", pairs=120).low > 1.03
background, skin = list(HANDLES).index("background"), list(HANDLES).index("skin")
assert matrix[0, background] > 0.9
assert matrix[2, skin] > 0.75

# %% [markdown] matrix-seen
# **The layers at 4 x 4 and 8 x 8 carry nearly everything, even the colours of hair and skin.** They share the work: the
# background comes with layer 0, the skin mostly with layer 2. A column need not add up to 100%: two styles together can
# do less than their sum. In three more draws layers 0 to 2 together went {{claim layers.coarse% pairs=120}} of the way,
# layers 3 and 4 {{claim layers.middle% pairs=120}}, and layers 5 and 6 {{claim layers.fine% pairs=120}}.
#
# In photographs Karras et al. (2019) saw coarse layers for pose and shape, and fine ones for colour. That is no law.

# %% [markdown] truncation
# ## 4. Towards the mean
#
# [[Truncation]] in $w$ moves each code towards the mean of $w$ by a factor $\psi$:
#
# $$w' = \bar w + \psi\,(w - \bar w) .$$
#
# With $\psi = 1$ nothing changes, with $\psi = 0$ all faces are one. In $z$ the mean is 0, so truncation is $\psi z$.
# In *this* generator that does nothing: only the direction counts. So for $z$ we use `faces64_gan`, the *plain GAN* of
# lesson 10's further part, with 64 numbers and no mapping. *Spread* is the standard deviation of a handle as a share of
# its range, a mean over the handles. Is there a face at $\psi = 0$?

# %% truncation-rows
plain = load_reference("faces64_gan", device).eval()
mean_w = model.mean_w.cpu()  # kept in training, as a moving average
rows, spread = {}, {}
halved = decode_dataset(model, 0.5 * z[:6])
print(f"largest change of a pixel by 0.5 z in this generator: {(halved - x[:6]).abs().max():.1e}")
for name, net, codes, mean in (("w", model.in_w(), w, mean_w), ("plain", plain, z, torch.zeros(64))):
    for psi in (0, 0.5, 1):
        faces = decode_dataset(net, mean + psi * (codes[:150] - mean))
        spread[name, psi] = (read_handles(reader, faces) / span).std(dim=0).mean()
        rows[f"{name}, psi {psi}:\nspread {spread[name, psi]:.2f}"] = faces[:4]
_, ax = plt.subplots(figsize=(6, 6.4), layout="constrained")
plots.image_rows(rows, ax=ax)
plt.show()

# %% [markdown] truncation-seen
# In $w$ the faces become more alike, and the mean of $w$ has a face of its own. **In the plain GAN's $z$ there is no
# face at 0.** In 64 dimensions nearly all draws have norms near $\sqrt{64} = 8$, so this generator was never shown a
# code near 0. Half as long still gives faces. The mean of $w$ lies amid the codes that the style-based one was trained
# on.

# %% [test] truncation-seen-holds
assert all(spread[name, 0] < spread[name, 0.5] < spread[name, 1] for name in ("w", "plain"))
assert (halved - x[:6]).abs().max() < 1e-3
assert (rows[next(one for one in rows if one.startswith("w, psi 0:"))].std(dim=(2, 3)).mean()) > 0.1
assert (rows[next(one for one in rows if one.startswith("plain, psi 0:"))].std(dim=(2, 3)).mean()) < 0.1

# %% [markdown] compare-idea
# ## 5. Is $w$ better than $z$?
#
# The handles of these faces are independent: no quarter is missing, and the reason of section 1 does not apply. Is $w$
# better all the same? Two measures, of the 13 handles:
#
# * *read by a line*: the share of a handle's variance that a linear regression on the code explains, a mean over the
#   handles;
# * *linear separability* of the highest quarter of each handle from the lowest, as in section 1, but multiplied over
#   all handles: 1 at best, $2^{13} = 8192$ if lines tell nothing. The 13th root is that of one handle.
#
# The rivals of $w$: $z$ of the same generator, of which we take the direction, all that the mapping sees; the codes of
# the plain GAN; a *random* mapping that was never trained: will any bend do? And *our* mapping as it was before the
# first step of training, which the recipe's seed 0 makes again.

# %% compare
from course_utils.models.styles import StyleGAN

plain_read = read_handles(reader, decode_dataset(plain, z))
direction = z / z.square().mean(dim=1, keepdim=True).sqrt()
table = {"z": (direction, read), "w": (w, read), "plain GAN": (z, plain_read)}
for name, seed in (("random mapping", 3), ("before training", 0)):
    seed_everything(seed)
    table[name] = StyleGAN(64).generator.mapping.requires_grad_(False)(z), read
r2, told = {}, {}
for name, (codes, handles) in table.items():
    line = LinearRegression().fit(codes[:1000], handles[:1000])
    wrong = (torch.tensor(line.predict(codes[1000:])) - handles[1000:]).square().mean(dim=0)
    r2[name] = 1 - wrong / handles[1000:].var(dim=0, correction=0)  # (13,)
    told[name] = metrics.linear_separability(codes, handles, generator=torch.Generator().manual_seed(11)).score
    print(f"{name:15s} read by a line {r2[name].mean():.2f}; separability {told[name]:.1f}", end=", ")
    print(f"of one handle {told[name] ** (1 / 13):.2f}")

# %% [test] compare-holds
assert r2["w"].mean() > r2["z"].mean() + 0.05
assert r2["plain GAN"].mean() > r2["w"].mean() + 0.05
assert told["plain GAN"] < told["w"] < told["z"] < told["random mapping"]
assert r2["random mapping"].mean() < r2["z"].mean() - 0.1
assert r2["before training"].mean() > r2["w"].mean() - 0.08
smiles = [r2[name][list(HANDLES).index("smile")] for name in ("z", "w", "plain GAN")]
assert smiles == sorted(smiles)
from course_utils import claims

more = claims.evidence("11", "reads")
assert more.over("random_read").high < more.over("z_read").low < more.over("z_read").high < more.over("w_read").low
assert more.over("w_read").high < more.over("plain_read").low
assert more.over("start_read").low > more.over("z_read").high
assert more.over("mapping_moved").high < 0.1
assert more.over("w_by_start").low > 0.9

# %% [markdown] compare-seen
# **Here $w$ is read better than the $z$ of the same generator, and the plain GAN's codes are read best.** In three
# draws, with lines fitted to 1,000 faces, the shares were {{claim reads.z_read faces=1000}} for $z$,
# {{claim reads.w_read faces=1000}} for $w$ and {{claim reads.plain_read faces=1000}} for the plain GAN.
#
# Has the mapping learned to take a bend out? A random bend alone does not help: {{claim reads.random_read faces=1000}},
# worse than $z$. But our mapping before training is nearly as good as $w$: {{claim reads.start_read faces=1000}}. In
# training its weights moved by at most {{claim reads.mapping_moved% faces=1000}} of their length. So nearly all of the
# bend is the random one of the start, and the generator was trained behind it. **That $w$ beats its own $z$ is no
# evidence that the mapping has learned anything.**
#
# Nor do we show that a mapping does harm: the plain GAN is another network. The fair rival, the same generator without
# a mapping, was not trained.

# %% [markdown] edit-task
# ## 6. An edit in $w$
#
# ### Exercise 4: turn a face, or make it smile
#
# *Medium, about 7 minutes.* Fit a line, value $\approx b \cdot w$ plus a constant, by least squares. (Lesson 10 called
# the slope $w$.) Many moves raise the fitted value by `amount`. A step stays in the cloud of $w$ where the cloud is
# wide, and leaves it where it is narrow. So count steps in standard deviations of the cloud. That with the fewest is
#
# $$\Delta = \text{amount} \cdot \frac{C\, b}{b \cdot C\, b} ,$$
#
# where $C$ is the covariance matrix of $w$: entry $i, j$ says how numbers $i$ and $j$ vary together. $C b$ is how $w$
# changes, on average, as the value rises. Add $\Delta$ to the codes of the chosen layers only.
#
# On an earlier training moves along $b$ went less far, so we chose this formula.


# %% edit-exercise
def edit_in_w(w, values, codes, amount, layers):
    """Move codes so that a value fitted to w rises by amount, in a list of layers, each by the whole move.

    The line is fitted to w (N, D), whose mean is not 0, and to values (N,). codes (B, L, D), one a layer, are edited.
    Returns the edited codes (B, L, D), a new tensor.
    """
    ### BEGIN SOLUTION
    slope = torch.linalg.lstsq(w - w.mean(dim=0), values - values.mean()).solution  # b, (D,)
    lean = torch.cov(w.T) @ slope  # C b
    edited = codes.clone()
    edited[:, layers] += amount * lean / (slope @ lean)
    return edited
    ### END SOLUTION


# %% edit-check
edit_in_w = checks.accept("edit-in-w", edit_in_w)

# %% [markdown] edit-hints
# <details><summary>Hint 1</summary>
#
# `torch.linalg.lstsq(A, y).solution` finds the slopes. Take the means of `w` and of `values` off first: then no
# intercept is needed.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `lean = torch.cov(w.T) @ slope`, and the move is `amount * lean / (slope @ lean)`. Then `edited = codes.clone()` and
# `edited[:, layers] += ...`.
#
# </details>

# %% [markdown] edit-intro
# We ask for half of a handle's range, on 40 fresh faces: how far did the handle go, and which other one changed most?
# The same with the codes of the plain GAN. Where does a smile come?

# %% edit-run
names = list(HANDLES)


def scored(net, fit, values, codes, k, layers):
    """Faces before and after the move of handle k; its change; the largest other one, and that one's name."""
    before = decode_dataset(net, codes.squeeze(1))  # the plain GAN takes (B, 64)
    after = decode_dataset(net, edit_in_w(fit, values[:, k], codes, span[k] / 2, layers).squeeze(1))
    change = (read_handles(reader, after) - read_handles(reader, before)) / span
    other = max((i for i in range(13) if i != k), key=lambda i: change[:, i].abs().mean())
    return before[:4], after[:4], change[:, k].mean().item(), change[:, other].abs().mean().item(), names[other]


spaces = {
    "w": (space, w[:1000], read[:1000], w[1000:1040, None].repeat(1, 7, 1), list(range(7))),
    "plain": (plain, z[:1000], plain_read[:1000], z[1000:1040, None], [0]),
}
scores, rows = {}, {}
for name, (net, fit, values, codes, layers) in spaces.items():
    for handle in ("smile", "turn"):
        before, after, got, other, which = scored(net, fit, values, codes, names.index(handle), layers)
        scores[name, handle], rows = (got, other), rows | {name: before, f"{name}: {handle}": after}
        print(f"{name:5s} {handle:5s} changes by {got:+.0%} of its range; most of the others {which}, by {other:.0%}")
_, ax = plt.subplots(figsize=(5.8, 6.4), layout="constrained")
plots.image_rows(rows, ax=ax)
plt.show()

# %% [test] edit-holds
assert scores["plain", "smile"][0] > scores["w", "smile"][0] + 0.1
assert scores["plain", "smile"][0] > 0.35
assert scores["plain", "smile"][1] < 0.15
assert scores["w", "turn"][0] > 0.25

# %% [test] edit-claims-hold
from course_utils import claims

more = claims.evidence("11", "edits")
assert more.over("w_got").high < more.over("plain_got").low
assert more.over("plain_other").high < more.over("w_other").low
assert more.over("w_smile", codes=1000).high < more.over("plain_smile", codes=1000).low
assert more.over("w_along_got").high < more.over("w_got").low

# %% [markdown] edit-seen
# In the plain GAN the face smiles, and little else changes. In $w$ it smiles less, and much else comes: another
# background, other hair, glasses. The turn (look at the nose) comes about as far in both.
#
# **An edit is not good because it is made in $w$.** In three draws with 1,000 codes, asked for 50% of the range, the
# handles changed by {{claim edits.w_got% codes=1000}} in $w$ and by {{claim edits.plain_got% codes=1000}} in the plain
# GAN, a mean over all 13. The largest change of another handle was {{claim edits.w_other% codes=1000}} and
# {{claim edits.plain_other% codes=1000}}. (Along $b$, in $w$: {{claim edits.w_along_got% codes=1000}} and
# {{claim edits.w_along_other% codes=1000}}.)

# %% [markdown] changes
# ## What changed, and what did not
#
# | from a plain GAN to a style-based one | |
# |---|---|
# | **changed** | a mapping network between the noise and the code that is used |
# | **changed** | the code enters every layer, as a factor for each channel |
# | **changed** | codes can be mixed and edited layer by layer |
# | **did not change** | the game of lesson 10; no image is encoded |
#
# ## Limits
#
# This is *one* short training. The plain GAN saw as many faces, but is another network with another penalty, and its
# faces are more varied. The reader that judges our edits also fitted them.
#
# ## Quiz
#
# **1.** You multiply $z$ by 0.7, and the faces of a StyleGAN do not change at all. Is the model broken?
#
# <details><summary>Answer</summary>
#
# No. Only the direction of $z$ counts in its mapping. Truncate in $w$.
#
# </details>
#
# **2.** In a paper $w$ beats the $z$ of the same network. Does a mapping network make codes better?
#
# <details><summary>Answer</summary>
#
# That does not follow: $z$ can only be read through the mapping. Ask for an untrained mapping, and for a generator
# without one.
#
# </details>
#
# **3.** You give layer 5 the $w$ of another face, and see no change. Does $w$ say nothing?
#
# <details><summary>Answer</summary>
#
# It may say much to other layers. Measure all.
#
# </details>
#
# ## Summary
#
# * $w = f(z)$; a style $s$ for each layer, linear in $w$; $v'' = s v / \|s v\|$ for each output channel.
# * $w' = \bar w + \psi (w - \bar w)$: truncation towards the mean *of $w$*.
# * One code a layer, (B, L, D), allows mixing. A matrix of layers and handles measures what a layer carries: here the
#   coarse layers nearly all.
# * A statement about a space needs rivals. Here $w$ beats its own $z$, the mapping before training does nearly as well,
#   and another GAN without a mapping does better.
#
# Here the core of the lesson ends. Each section below stands by itself and can be skipped.

# %% [markdown] edit-layers-intro
# ## Further: the turn in some layers only
#
# The matrix says which layers carry the turn. Does an edit in these layers alone do the same?

# %% edit-layers
turn, by_layers = names.index("turn"), {}
for name, layers in {"0, 1, 2": [0, 1, 2], "3, 4": [3, 4], "5, 6": [5, 6]}.items():
    _, _, *by_layers[name] = scored(*spaces["w"][:4], turn, layers)
    got, other, which = by_layers[name]
    print(f"layers {name}: the turn changes by {got:+.0%}; most of the others {which}, by {other:.0%}")

# %% [test] edit-layers-hold
assert by_layers["0, 1, 2"][0] > 0.8 * scores["w", "turn"][0]
assert max(abs(by_layers[name][0]) for name in ("3, 4", "5, 6")) < 0.1

# %% [markdown] edit-layers-seen
# Yes: the move in layers 0, 1 and 2 does nearly all of it, and in the others next to nothing.

# %% [markdown] paths
# ## Further: path length, and single numbers
#
# Karras et al. (2019) measure a space by its **[[perceptual path length]]**. Walk from one code to another, and measure
# how fast the features of a network change: their squared change over a tiny step, divided by the step's square. Small
# is even. The value depends on the network; ours is the reader. In $z$ we walk along arcs, which keep the norm, in $w$
# straight. We print the mean over 250 walks, and the median.

# %% paths-run
walks = {"z": (model, z, "slerp"), "w": (model.in_w(), w, "lerp"), "plain GAN": (plain, z, "slerp")}
lengths = {}
for name, (net, codes, path) in walks.items():
    seed = torch.Generator().manual_seed(11)
    lengths[name] = metrics.perceptual_path_length(net, codes[:250], codes[250:500], reader, path=path, generator=seed)
    print(f"{name:10s} mean {lengths[name].mean():5.0f}, median {lengths[name].median():4.0f}")

# %% [test] paths-hold
assert lengths["w"].median() < lengths["z"].median()
from course_utils import claims

more = claims.evidence("11", "reads")
assert max(more.over(f"{name}_disentanglement").high for name in ("z", "w", "plain")) < 0.6
assert more.over("w_disentanglement").low > more.over("plain_disentanglement").high
assert more.over("plain_disentanglement").low > more.over("z_disentanglement").high
medians = [more.over(f"{name}_path_median", faces=1000) for name in ("plain", "w", "z")]
assert medians[0].high < medians[1].low
assert medians[1].high < medians[2].low
means = [more.over(f"{name}_path", faces=1000) for name in ("plain", "w", "z")]
assert means[0].high > means[1].low
assert max(means[0].high, means[1].high) < means[2].low
assert all(length.mean() > 1.5 * length.median() for length in lengths.values())

# %% [markdown] paths-seen
# In $z$ of the style-based generator walks are least even. Between $w$ and the plain GAN the order depends on how one
# averages: by the median the plain GAN is more even, by the mean the order depends on the draw. Over three draws the
# means were {{claim reads.z_path faces=1000}} in $z$, {{claim reads.w_path faces=1000}} in $w$ and
# {{claim reads.plain_path faces=1000}} in the plain GAN, the medians {{claim reads.z_path_median faces=1000}},
# {{claim reads.w_path_median faces=1000}} and {{claim reads.plain_path_median faces=1000}}. A few walks cross a place
# where the face changes at once, and these make the mean. So say which average, and with which spread.
#
# DCI (lesson 09) asks whether single numbers of the code stand for single handles. Its disentanglement, 1 at best, was
# {{claim reads.z_disentanglement faces=1000}} in $z$, {{claim reads.w_disentanglement faces=1000}} in $w$ and
# {{claim reads.plain_disentanglement faces=1000}} in the plain GAN. By this measure $w$ comes first, and the plain GAN,
# whose codes are read best by a line, does not. **Which space is better depends on what one asks.** In none of the
# three does each number stand for one handle.

# %% [markdown] cosines
# ## Further: are the directions at right angles?
#
# It is sometimes said that in $w$ the boundaries of attributes are orthogonal, so that an edit of one leaves the
# others. We print the largest cosines between the fitted slopes of two handles. Two *random* directions of 64 numbers
# have a cosine of about $1/\sqrt{64} = 0.12$.

# %% cosines-run
cosines = {}
for name in ("w", "plain GAN"):
    codes, handles = table[name]
    slopes = torch.tensor(LinearRegression().fit(codes[:1000], handles[:1000] / span).coef_)  # (13, 64)
    slopes = F.normalize(slopes, dim=1)
    cosines[name] = (slopes @ slopes.T).triu(diagonal=1)
    size, place = cosines[name].abs().flatten().sort(descending=True)
    print(name, ", ".join(f"{names[k // 13]} and {names[k % 13]} {cosines[name].flatten()[k]:+.2f}" for k in place[:4]))

# %% [test] cosines-hold
assert cosines["w"].abs().max() > 0.2
assert cosines["plain GAN"].abs().max() < cosines["w"].abs().max()

# %% [markdown] cosines-seen
# In $w$ they are not at right angles. In three draws with 1,000 faces each the largest cosine of two directions was
# {{claim reads.w_cosine faces=1000}} in $w$ and {{claim reads.plain_cosine faces=1000}} in the codes of the plain GAN,
# which are near to right angles, although nobody asked for it.

# %% [markdown] inversion
# ## Further: real faces in $w$ and in $w$ with seven codes
#
# A style-based GAN has no encoder either, so the code of a given face is searched for, as in lesson 10. The search can
# go through $w$ (64 numbers) or through one code a layer (448 numbers, often called $w+$). Which one comes nearer? And
# which one can be edited better? To both we add the move that should turn the head by half of the range.

# %% inversion-run
from course_utils.models.styles import invert  # course_utils/models/styles/latents.py

real = sample_faces(5, seed=1, size=64).pixels()  # no model has seen these
sought = real.to(device)
rows, found = {"sought": real[:3]}, {}
for name in ("w", "w+"):
    codes = invert(model.generator, sought, 60, space=name, candidates=64, rng=torch.Generator().manual_seed(0)).cpu()
    codes = codes if codes.ndim == 3 else codes[:, None].repeat(1, 7, 1)  # (5, 7, 64)
    images = decode_dataset(space, codes)
    edited = decode_dataset(space, edit_in_w(w[:1000], read[:1000, turn], codes, span[turn] / 2, list(range(7))))
    change = (read_handles(reader, edited) - read_handles(reader, images)) / span
    away = ((codes - mean_w) / w.std(dim=0)).square().mean().sqrt()  # 1 for draws
    found[name] = (images - real).square().mean().item(), change[:, turn].mean().item(), away.item()
    error, change, away = found[name]
    print(f"{name:2s}: squared error of a pixel {error:.4f}; the turn changes by {change:+.0%} of its range;", end=" ")
    print(f"the code is {away:.1f} standard deviations from the mean")
    rows |= {name: images[:3], f"{name}, turned": edited[:3]}
_, ax = plt.subplots(figsize=(4.6, 5.8), layout="constrained")
plots.image_rows(rows, ax=ax)
plt.show()

# %% [test] inversion-holds
assert found["w+"][0] < found["w"][0]
assert min(away for _, _, away in found.values()) > 1.2
assert min(change for _, change, _ in found.values()) > 0.15

# %% [markdown] inversion-seen
# Both come near the colours of most faces and miss details, such as smiles and the kind of hair. This generator makes
# few kinds of faces. With seven codes the error is smaller, and the turn changes about as far in both, by half of what
# was asked, with side effects. Both codes lie farther from the mean than draws, which are 1 away. This is one search of
# 60 steps for five faces.

# %% [markdown] noise
# ## Further: noise that nobody uses
#
# Each layer adds noise: one number for each place, times a learned *strength* that starts at 0. In photographs it makes
# what is random, such as the exact place of each hair. How strong is it here, where nothing in the drawings is random
# but the handles?

# %% noise-run
with torch.no_grad():
    strengths = [layer.noise_strength.item() for layer in model.generator.layers]
    few = w[:20].to(device)
    without = model.generator.synthesize(few, noise="none").cpu()
print("strengths:", ", ".join(f"{one:.4f}" for one in strengths))
print(f"largest change of a pixel without noise: {(without - x[:20]).abs().max():.4f} (a step of a screen is 0.0039)")

# %% [test] noise-holds
assert max(map(abs, strengths)) < 0.05
assert (without - x[:20]).abs().mean() < 0.004

# %% [markdown] noise-seen
# Next to nothing: the generator has learned to leave the noise out. In these drawings the 13 handles say all.

# %% [markdown] bug-idea
# ## Further: find the bug
#
# This script truncates. It is of a kind that is often found in public repositories, and it runs without an error.


# %% bug-script
def public_truncation(model, n, psi):
    """n faces with truncated codes, copied from somewhere; and their codes."""
    space = model.in_w(per_layer=True)
    z = torch.randn(n, 64)  # line 1
    w = model.map(z)  # line 2
    mean_w = model.map(torch.randn(10_000, 64).mean(dim=0, keepdim=True))  # line 3
    w = mean_w + psi * (w - mean_w)  # line 4
    codes = w[:, None].repeat(1, 7, 1)  # line 5
    return space.decode(codes), w  # line 6


# %% [markdown] bug-symptoms
# First the **symptoms**. With $\psi = 0$ all faces should be the mean face, in every call. We call it four times. And
# the mean should be the point from which the codes are least far: we print the mean squared distance of all our codes
# from the point at $\psi = 0$, beside that from their own mean.

# %% bug-run
cpu_model = load_reference("styles_faces", "cpu").eval()
seed_everything(11)
with torch.no_grad():
    calls = [public_truncation(cpu_model, 1, 0.0) for _ in range(4)]
far = [(w - point).square().sum(dim=1).mean().item() for _, point in calls]
least = (w - w.mean(dim=0)).square().sum(dim=1).mean().item()
print("mean squared distance from the point at psi 0:", ", ".join(f"{one:.0f}" for one in far))
print(f"mean squared distance from the mean of w: {least:.0f}")
_, ax = plt.subplots(figsize=(5.2, 1.6), layout="constrained")
plots.image_rows({"psi = 0": torch.cat([face for face, _ in calls])}, ax=ax)
plt.show()

# %% [test] bug-run-holds
assert min(far) > 1.3 * least
assert max((one - calls[0][0]).abs().mean() for one, _ in calls[1:]) > 0.05

# %% [markdown] bug-task
# ### Exercise 5: which line?
#
# *Medium, about 7 minutes.* Return two things: the number of the line that you change, and the mended line as text,
# without the comment.


# %% bug-exercise
def find_the_bug():
    """The number of the line that you change, and the mended line in quotation marks."""
    ### BEGIN SOLUTION
    return 3, "mean_w = model.map(torch.randn(10_000, 64)).mean(dim=0, keepdim=True)"
    ### END SOLUTION


# %% bug-check
find_the_bug = checks.accept("find-the-bug-styles", find_the_bug)

# %% [markdown] bug-hints
# <details><summary>Hint 1</summary>
#
# The mean of 10,000 draws of $z$ is nearly 0. What does the mapping do with a short vector?
#
# </details>
# <details><summary>Hint 2</summary>
#
# It makes it as long as any other. So line 3 maps a random direction. The mean of $w$ is not the $w$ of the mean.
#
# </details>

# %% [markdown] training
# ## Further: how it was trained
#
# The game is that of lesson 10: the non-saturating loss, the R1 penalty, an average of the weights over time. Four
# things are new:
#
# * **Equalised rates.** Stored weights are drawn from $N(0, 1)$ and are scaled where they are used, by
#   $1/\sqrt{\text{inputs}}$. Adam moves each weight by about its rate, whatever the weight's size. So all layers learn
#   equally fast.
# * **The mapping learns a hundred times slower**, by a multiplier of 0.01 inside its layers.
# * **Lazy R1.** The penalty is computed at every 16th step only, and counts 16 times there. (Those who forget to
#   multiply train with a sixteenth of the penalty.)
# * **Mixing regularisation.** In training nine of ten images get the styles of a second code from a random layer on.
#
# How far has the mapping moved from where it started? The recipe's seed is 0, so the start can be made again.

# %% training-moved
from course_utils.models.styles import StyleGAN

seed_everything(0)
begun = StyleGAN(64).generator.mapping
with torch.no_grad():
    for k, (a, b) in enumerate(zip(begun.layers, cpu_model.generator.mapping.layers, strict=True)):
        print(f"layer {k}: weights moved by {(b.weight - a.weight).norm() / a.weight.norm():.1%} of their length")
    w_begun = begun(z)
line = LinearRegression().fit(w_begun[:1000], read[:1000])
print(f"handles read by a line from the mapping before training: {line.score(w_begun[1000:], read[1000:].numpy()):.2f}")

# %% [markdown] training-seen
# The mapping is nearly the one that it was at the start. StyleGAN trains for 25 million images, ours for 480,000. With
# a multiplier of 0.01 the mapping then hardly moves, and the generator adapts to it.

# %% [markdown] explorer-idea
# ## Further: three explorers
#
# The first mixes two of six faces, with a slider for each layer and buttons for groups. The figure shows groups of
# layers that go from A to B. Find the layer that puts on the glasses.

# %% mixer-static
from course_utils import widgets

mixer = widgets.StyleMixer(model, w[14:20])
_, ax = plt.subplots(figsize=(5.4, 4.8), layout="constrained")
mixer.static(4, ax=ax)
plt.show()

# %% mixer-explorer
mixer

# %% [markdown] truncation-explorer-idea
# The second moves draws towards the mean, in $w$ and in the codes of the plain GAN.

# %% truncation-static
truncation = widgets.TruncationSlider({"w": (model.in_w(), w[:3], mean_w), "z, plain GAN": (plain, z[:3], None)})
_, ax = plt.subplots(figsize=(4.8, 6.6), layout="constrained")
truncation.static((0, 0.5, 1), ax=ax)
plt.show()

# %% truncation-explorer
truncation

# %% [markdown] handles-explorer-idea
# The third adds fitted moves in $w$, one slider for each of four handles. One unit should be a tenth of the range.

# %% handles-static
moves = {}
for name in ("turn", "skin", "hair_length", "age"):
    change = edit_in_w(w[:1000], read[:1000, names.index(name)] / span[names.index(name)], w[:1, None], 0.1, [0])
    moves[name.replace("_", " ")] = change[0, 0] - w[0]
handles = widgets.HandleSliders(model.in_w(), directions=moves, z=w[12], reach=5, title="Handles in w")
_, ax = plt.subplots(figsize=(4.4, 4.8), layout="constrained")
handles.static(3, ax=ax)
plt.show()

# %% handles-explorer
handles

# %% [markdown] after
# ## Further: what came after
#
# StyleGAN3 (Karras et al. 2021) removes details that stick to the pixels while a face moves. StyleGAN-T and GigaGAN
# (2023) give the modulated layers a caption. The idea that outlived the GANs is the modulation itself: in today's
# diffusion transformers (Peebles and Xie 2023) the time step and the class scale and shift each layer's channels, as
# $w$ does here. Editing went to sparse and local methods. StyleSpace (Wu et al. 2021) edits single channels of the
# styles $s$, and reports that these are less entangled than $w$.

# %% [markdown] references
# ## References
#
# * T. Karras, S. Laine and T. Aila (2019), *A style-based generator architecture for generative adversarial networks*,
#   arXiv:1812.04948: mapping, mixing, path length, separability.
# * T. Karras et al. (2020), *Analyzing and improving the image quality of StyleGAN*, arXiv:1912.04958: the modulated
#   convolution, lazy penalties.
# * R. Abdal, Y. Qin and P. Wonka (2019), *Image2StyleGAN*, arXiv:1904.03189: one code a layer.
# * Y. Shen et al. (2020), *Interpreting the latent space of GANs for semantic face editing*, arXiv:1907.10786: edits
#   along fitted directions.
# * Z. Wu, D. Lischinski and E. Shechtman (2021), *StyleSpace analysis*, arXiv:2011.12799.
# * T. Karras et al. (2021), *Alias-free generative adversarial networks*, arXiv:2106.12423.
# * W. Peebles and S. Xie (2023), *Scalable diffusion models with transformers*, arXiv:2212.09748.

# %% [markdown] next
# ## Next
#
# A GAN draws a face in one step, and its training is a game. Lesson 12 takes noise as latent without a game: a chain of
# small steps from noise to image, with a way back.
