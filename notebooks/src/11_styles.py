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
# **You need:** lesson 10 (a generator, codes drawn from $N(0, I)$, a direction fitted to generated images; its section
# "Further: faces" shows the drawn faces and the plain GAN that are used here), convolutions, and least squares.
#
# **Time:** {{learning}}, exercises included. Running all cells takes {{minutes}}.

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
# 2. The codes $w$ move all the way to their mean. So do the codes of a *plain* GAN, which has no $w$: to 0. Which of
#    the two draws a face there?
# 3. A line reads the smile from the code of a face. Where does it read best: in $z$, in $w$, or in the codes of the
#    plain GAN?
#
# <details><summary>What we found (open it after section 4)</summary>
#
# 1. A coarse one, mostly layer 2 (8 x 8). The coarse layers carry nearly everything here.
# 2. The style-based one. The plain GAN draws no face at 0.
# 3. In the codes of the plain GAN. In $w$ it reads better than in $z$.
#
# </details>

# %% [markdown] generator
# ## 1. A code that steers every layer
#
# The reference model `styles_faces` is a small StyleGAN2 (Karras et al. 2020), with $z$ and $w$ of 64 numbers. It
# was trained on drawn faces. A program draws each from 13 numbers, its *handles*: smile, turn, skin, glasses (0 or 1)
# and so on. The *reader*, `faces64_regressor`, is a network trained to read the handles from an image.
#
# Noise $z$ must be a round cloud, $w$ need not be. A small network, the **[[mapping network]]** $w = f(z)$, stands
# between them. A handle may be a bent function of $z$. If the mapping bends in the same way, it is a straight one of
# $w$, and a line reads it. That is the hope. (The first further section gives an example. Section 4 measures.)
#
# The mapping divides $z$ by its root mean square, so only the direction of $z$ counts. Then come four linear layers,
# each with a leaky ReLU. As in StyleGAN the mapping learns 100 times slower than the rest, by design: `layer.rate` is
# 0.01.

# %% mapping
model = load_reference("styles_faces", device).eval()
reader = load_reference("faces64_regressor", device).eval()
GAIN = math.sqrt(2 / (1 + 0.2**2))  # a leaky ReLU makes signals smaller; this makes up for it


def to_w(z, layers):
    """Codes z (B, D) to codes w (B, D)."""
    w = z / z.square().mean(dim=1, keepdim=True).sqrt()
    for layer in layers:  # weights and biases are stored 100 times as large: scale is rate / sqrt(D), rate is 0.01
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
# The faces are clear, but much less varied than drawn ones. Recall, the share of drawn faces that look like a generated
# one, is 0.16. Between two sets of drawn faces it is 0.93.
#
# The **synthesis network** starts from a learned constant of 4 x 4 places. It has seven layers: one at 4 x 4, and two
# at each of 8, 16 and 32. Each layer turns $w$ into a **[[style]]** by its own linear map: one factor $s_i$ for each
# input channel $i$. The style goes into a **[[modulated convolution]]**, with weights $v_{jip}$ from channel $i$ to
# channel $j$ at place $p$ of the kernel:
#
# $$v'_{jip} = s_i\, v_{jip}, \qquad v''_{jip} = \frac{v'_{jip}}{\sqrt{\sum_{i,p} v'^2_{jip} + 10^{-8}}} .$$
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
# Now your convolution drives the trained generator. After it a layer adds noise (see a further section) and a bias, and
# has a leaky ReLU. By size the layers are 0, 1-2, 3-4 and 5-6. The last layer of each size also makes a part of the
# image, steered by the same $w$. The parts are enlarged and added up, and a sigmoid makes pixels of them.
#
# `w` has one code a layer, (B, 7, 64): nothing forces them to be the same.


# %% synthesis
def styled_layer(layer, x, w):
    """Maps (B, I, ...) and codes (B, D) to maps (B, J, ...), perhaps twice as wide: one layer of the model."""
    style = layer.affine(w)  # (B, I), linear in w
    weight = layer.convolution.scale * layer.convolution.weight  # scale is 1 / sqrt(inputs), a fixed number
    x = GAIN * modulated_conv(x, weight, style)  # GAIN as in to_w
    if layer.enlarge:
        x = F.interpolate(x, scale_factor=2, mode="bilinear")
    x = x + layer.bias[:, None, None] + layer.noise_strength * layer.fixed_noise  # noise drawn once, (1, 1, H, W)
    return F.leaky_relu(x, 0.2)


def synthesize(generator, w):
    """Codes (B, L, D), one a layer, to images (B, 3, 64, 64)."""
    x, x_logits = generator.constant.expand(len(w), -1, -1, -1), None
    for index, layer in enumerate(generator.layers):
        x = styled_layer(layer, x, w[:, index])
        if index % 2 == 0:  # the last layer of its size: 0, 2, 4 or 6
            part = generator.to_images[index // 2](x, w[:, index])  # twice as wide as x
            x_logits = part if index == 0 else part + F.interpolate(x_logits, scale_factor=2, mode="bilinear")
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
# ## 2. Two faces in one
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
# All that one sees of B came with the coarse layers. But five faces are no measurement. So take 120 pairs. One layer of
# A gets the code of B, and the reader says how much of the way from A to B each handle has gone: 100% is all of it. (It
# is a least-squares share: pairs that are far apart count more.) Which layer carries which handle?

# %% handle-matrix
names = list(HANDLES)
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
for row in range(7):
    for i in range(13):
        color = "w" if matrix[row, i] > 0.6 else "k"
        ax.text(i, row, int((100 * matrix[row, i]).round()), ha="center", va="center", color=color)
ax.set_xticks(range(13), [name.replace("_", "\n") for name in names], fontsize=10)
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
background, skin, hair = (names.index(name) for name in ("background", "skin", "hair_color"))
assert matrix[0, background] > 0.9
assert matrix[2, skin] > 0.75
assert matrix[2, hair] > 0.45 > matrix[:2, hair].max()

# %% [markdown] matrix-seen
# **The layers at 4 x 4 and 8 x 8 carry nearly everything, even the colours of hair and skin.** They share the work: the
# background comes with layer 0, the colours of skin and hair mostly with layer 2. A column need not add up to 100%: two
# styles together can do less than their sum.
#
# In three more draws layers 0 to 2 together went {{claim layers.coarse% pairs=120}} of the way, layers 3 and 4
# {{claim layers.middle% pairs=120}}, and layers 5 and 6 {{claim layers.fine% pairs=120}}. Each is a mean over the
# handles. The first number is the median of the draws, the brackets hold the lowest and the highest.
#
# In photographs Karras et al. (2019) saw coarse layers for pose and shape, and fine ones for colour. That is no law.
# Why the fine layers do so little here, we do not know.

# %% [markdown] truncation
# ## 3. Towards the mean
#
# [[Truncation]] in $w$ moves each code towards the mean of $w$ by a factor $\psi$:
#
# $$w' = \bar w + \psi\,(w - \bar w) .$$
#
# With $\psi = 1$ nothing changes, with $\psi = 0$ all faces are one. In $z$ the mean is 0, so truncation is $\psi z$.
# In *this* generator that does nothing: only the direction counts. So for $z$ we use `faces64_gan`, the *plain GAN*. It
# learned the same faces. Its code of 64 numbers enters the first layer only, and there is no mapping. *Spread* is the
# standard deviation of a handle as a share of its range, a mean over the handles. (It looks at each handle alone, so it
# does not show a low recall.) Is there a face at $\psi = 0$?

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
# face at 0.** One may guess that it was never shown a code near 0: in 64 dimensions nearly all draws have norms near
# $\sqrt{64} = 8$. But it was not shown norms near 4 either, and at $\psi = 0.5$ there are faces. So we do not know.

# %% [test] truncation-seen-holds
assert all(spread[name, 0] < spread[name, 0.5] < spread[name, 1] for name in ("w", "plain"))
assert z.norm(dim=1).min() > 4.5
assert (halved - x[:6]).abs().max() < 1e-3
assert (rows[next(one for one in rows if one.startswith("w, psi 0:"))].std(dim=(2, 3)).mean()) > 0.1
assert (rows[next(one for one in rows if one.startswith("plain, psi 0:"))].std(dim=(2, 3)).mean()) < 0.1

# %% [markdown] compare-idea
# ## 4. Is $w$ better than $z$?
#
# A linear regression on the code predicts a handle. The share of the handle's variance that it explains says how well a
# line *reads* this handle from the code: 1 at best, 0 or less if it tells nothing. We print the mean over the 13
# handles, the smile, the turn, and the worst handle.
#
# The rivals of $w$: $z$ of the same generator, of which we take the direction, all that the mapping sees; the codes of
# the plain GAN; those of `styles_faces_unmapped`, our generator trained anew *without* a mapping, $w = z$; a *random*
# mapping that was never trained: will any bend do? And *our* mapping as it was before the first step of training, which
# the recipe's seed 0 makes again.

# %% compare
from course_utils.models.styles import StyleGAN

smile, turn = names.index("smile"), names.index("turn")
plain_read = read_handles(reader, decode_dataset(plain, z))
unmapped_read = read_handles(reader, decode_dataset(load_reference("styles_faces_unmapped", device).eval(), z))
direction = z / z.square().mean(dim=1, keepdim=True).sqrt()
table = {"z": (direction, read), "w": (w, read), "plain GAN": (z, plain_read), "no mapping": (z, unmapped_read)}
for name, seed in (("before training", 0), ("random mapping", 3)):
    seed_everything(seed)
    mapping = StyleGAN(64).generator.mapping.requires_grad_(False)
    table[name] = (mapping(z), read)
r2 = {}
for name, (codes, handles) in table.items():
    line = LinearRegression().fit(codes[:1000], handles[:1000])
    wrong = (torch.tensor(line.predict(codes[1000:])) - handles[1000:]).square().mean(dim=0)
    share = 1 - wrong / handles[1000:].var(dim=0, correction=0)  # (13,)
    print(f"{name:15s} mean {share.mean():5.2f}; smile {share[smile]:5.2f}, turn {share[turn]:5.2f};", end=" ")
    print(f"worst: {names[share.argmin()]} {share.min():.2f}")
    r2[name] = share

# %% [test] compare-holds
assert r2["w"].mean() > r2["z"].mean() + 0.05
assert r2["plain GAN"].mean() > r2["w"].mean() + 0.05
assert r2["random mapping"].mean() < r2["z"].mean() - 0.1
assert r2["before training"].mean() > r2["w"].mean() - 0.08
assert r2["z"].mean() + 0.05 < r2["no mapping"].mean() < r2["w"].mean() - 0.05
smiles = [r2[name][smile] for name in ("z", "w", "plain GAN")]
assert smiles == sorted(smiles)
assert r2["w"][turn] > r2["w"][smile] + 0.3
assert r2["w"].min() < 0.2
from course_utils import claims

more = claims.evidence("11", "reads")
assert more.over("random_read").high < more.over("z_read").low < more.over("z_read").high < more.over("w_read").low
assert more.over("w_read").high < more.over("plain_read").low
assert more.over("start_read").low > more.over("z_read").high
assert more.over("mapping_moved").high < 0.1
assert more.over("w_by_start").low > 0.9
assert 0 < more.over("w_read", faces=1000).median - more.over("start_read", faces=1000).median < 0.05
more = claims.evidence("11", "rivals")
with_mapping, without = (more.over("read", mapping=kind, epochs=2) for kind in ("mapping", "none"))
assert max(with_mapping.low, without.low) < min(with_mapping.high, without.high), "the ranges overlap"
assert more.over("start_read", mapping="faster").high < more.over("read", mapping="faster").low - 0.2

# %% [markdown] compare-seen
# **Here $w$ is read better than the $z$ of the same generator, and the plain GAN's codes are read best.** In three
# other draws, with lines fitted to 1,000 faces, the means were {{claim reads.z_read faces=1000}} for $z$,
# {{claim reads.w_read faces=1000}} for $w$ and {{claim reads.plain_read faces=1000}} for the plain GAN.
#
# Has the mapping learned to take a bend out? As it was before training it is nearly as good:
# {{claim reads.start_read faces=1000}}. The generator was trained behind it, and its weights moved by at most
# {{claim reads.mapping_moved% faces=1000}} of their length. (We made it slow, see `layer.rate`.) A random mapping
# behind which nothing was trained does not help: {{claim reads.random_read faces=1000}} for three others. So nearly all
# of the bend is the random one of the start. **That $w$ beats its own $z$ is no evidence that the mapping has learned
# anything.**
#
# Other trainings, with other codes to measure; of several the median, with the lowest and the highest:
#
# * With our mapping, 12 epochs: read {{claim rivals.start_read mapping=mapping epochs=12}}
#   before training and {{claim rivals.read mapping=mapping epochs=12}} after;
#   Frechet distance {{claim rivals.frechet mapping=mapping epochs=12}}.
# * Without, 12 epochs: read {{claim rivals.read mapping=none epochs=12}};
#   Frechet distance {{claim rivals.frechet mapping=none epochs=12}}.
# * With our mapping, 2 epochs, three seeds: read {{claim rivals.start_read mapping=mapping epochs=2}}
#   before training and {{claim rivals.read mapping=mapping epochs=2}} after;
#   Frechet distance {{claim rivals.frechet mapping=mapping epochs=2}}.
# * Without, 2 epochs, three seeds: read {{claim rivals.read mapping=none epochs=2}};
#   Frechet distance {{claim rivals.frechet mapping=none epochs=2}}.
# * With `rate` 0.1, 2 epochs, two seeds: read {{claim rivals.start_read mapping=faster}}
#   before training and {{claim rivals.read mapping=faster}} after;
#   Frechet distance {{claim rivals.frechet mapping=faster}}.
#
# Without a mapping the codes were mostly read worse, but the ranges of three overlap: **we cannot say that the mapping
# makes codes easier to read.** The mapping with `rate` 0.1 did learn. It ends no better than the slow one, and its
# faces are worse.

# %% [markdown] edit-task
# ## 5. An edit in $w$
#
# ### Exercise 3: turn a face, or make it smile
#
# *Medium, about 6 minutes.* Fit a line, value $\approx b \cdot w$ plus a constant, by least squares. (Lesson 10 called
# the slope $w$.) Many moves raise the fitted value by `amount`. The shortest goes along the slope:
#
# $$\Delta = \text{amount} \cdot \frac{b}{b \cdot b} .$$
#
# Add $\Delta$ to the codes of the chosen layers only.


# %% edit-exercise
def edit_in_w(w, values, codes, amount, layers):
    """Move codes so that a value fitted to w rises by amount, in a list of layers, each by the whole move.

    The line is fitted to w (N, D), whose mean is not 0, and to values (N,). codes (B, L, D), one a layer, are edited.
    Returns the edited codes (B, L, D), a new tensor.
    """
    ### BEGIN SOLUTION
    slope = torch.linalg.lstsq(w - w.mean(dim=0), values - values.mean()).solution  # b, (D,)
    edited = codes.clone()
    edited[:, layers] += amount * slope / (slope @ slope)
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
# The move is `amount * slope / (slope @ slope)`. Then `edited = codes.clone()` and `edited[:, layers] += ...`.
#
# </details>

# %% [markdown] edit-intro
# We edit 40 fresh faces. How far does a handle go, and which other one changes most? In the plain GAN we ask for half
# of the handle's range. Moves in $w$ go less far, so there we also ask for the whole range: in all layers, and in the
# one that carries the handle most (section 2). Where does a smile come? (A face that already smiles has less room: if
# all values are equally frequent, a perfect edit reaches 37.5% on average where half is asked, and 50% where the whole
# range is.)


# %% edit-run
def scored(net, fit, values, codes, handle, layers, share):
    """Faces after a move for a share of a handle's range; its change; the largest other one, and that one's name."""
    after = decode_dataset(net, edit_in_w(fit, values[:, handle], codes, share * span[handle], layers).squeeze(1))
    change = (read_handles(reader, after) - read_handles(reader, decode_dataset(net, codes.squeeze(1)))) / span
    sizes = change.abs().mean(dim=0)  # (13,)
    other = max((i for i in range(13) if i != handle), key=lambda i: sizes[i])
    return after[:4], change[:, handle].mean().item(), sizes[other].item(), names[other]


fresh = w[1000:1040][read[1000:1040, smile].abs().argsort()]  # (40, 64): first those that neither smile nor frown
plain_fresh = z[1000:1040][plain_read[1000:1040, smile].abs().argsort()]
in_w = space, w[:1000], read[:1000], fresh[:, None].repeat(1, 7, 1)
in_plain = plain, z[:1000], plain_read[:1000], plain_fresh[:, None]  # the plain GAN takes (B, 64): squeezed above
every, scores, rows = list(range(7)), {}, {"w": decode_dataset(model.in_w(), fresh[:4])}
for handle in (smile, turn):
    best = matrix[:, handle].argmax().item()
    tries = {
        "w, half": (*in_w, handle, every, 0.5), "w, whole": (*in_w, handle, every, 1),
        f"w, whole, layer {best}": (*in_w, handle, [best], 1), "plain, half": (*in_plain, handle, [0], 0.5),
    }  # fmt: skip
    for label, one in tries.items():
        faces, got, other, which = scored(*one)
        print(f"{names[handle]:5s} {label:17s}: {got:+4.0%} of its range; largest other change: {which}, {other:.0%}")
        scores[label, names[handle]], rows[f"{label}:\n{names[handle]}"] = (got, other), faces
rows["plain"] = decode_dataset(plain, plain_fresh[:4])
shown = ["w", "w, whole:\nsmile", "w, whole:\nturn", "plain", "plain, half:\nsmile", "plain, half:\nturn"]
_, ax = plt.subplots(figsize=(6.4, 8), layout="constrained")
plots.image_rows({label: rows[label] for label in shown}, ax=ax)
plt.show()

# %% [test] edit-holds
assert scores["plain, half", "smile"][0] > scores["w, whole", "smile"][0] + 0.15
assert scores["plain, half", "smile"][0] > 0.3
assert scores["plain, half", "smile"][1] < 0.15
assert scores["w, whole", "turn"][0] > 0.3
assert abs(scores["w, half", "turn"][0] - scores["plain, half", "turn"][0]) < 0.1
assert scores["w, whole, layer 0", "turn"][0] > 0.75 * scores["w, whole", "turn"][0]
assert abs(scores["w, whole, layer 0", "smile"][0]) < 0.05

# %% [test] edit-claims-hold
from course_utils import claims

more = claims.evidence("11", "edits")
assert more.over("w_twice_got", codes=1000).high < more.over("plain_got", codes=1000).low
assert more.over("plain_other", codes=1000).high < more.over("w_twice_other", codes=1000).low
assert more.over("w_got", codes=1000).high < more.over("w_twice_got", codes=1000).low
assert more.over("w_smile", codes=1000).high < more.over("plain_smile", codes=1000).low

# %% [markdown] edit-seen
# In the plain GAN the face smiles, and little else changes. In $w$ it hardly smiles, even asked for the whole range.
# The turn comes as far in both (compare the noses with those in the row of the unchanged faces). This fits section 4: a
# line reads the turn in $w$ well and the smile badly. In layer 0 alone the turn goes nearly as far, and the smile does
# not come at all. A line that reads badly has a short $b$, so $\Delta$ is long and may leave the cloud of $w$: that is
# one way to fail. (The matrix of section 2 swapped whole codes of real draws; an edit needs a good line.)
#
# **That an edit is made in $w$ does not make it good.** In three other draws with 1,000 codes we edited all 13 handles.
# The means were:
#
# | | asked for | the handle went | largest other change |
# |---|---|---|---|
# | $w$ | 50% | {{claim edits.w_got% codes=1000}} | {{claim edits.w_other% codes=1000}} |
# | $w$ | 100% | {{claim edits.w_twice_got% codes=1000}} | {{claim edits.w_twice_other% codes=1000}} |
# | plain GAN | 50% | {{claim edits.plain_got% codes=1000}} | {{claim edits.plain_other% codes=1000}} |

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
# All pictures of this lesson are of *one* short training. The plain GAN saw as many faces, but is another network with
# another penalty, and its faces are more varied. Trainings of 2 epochs are short, and three are few. The reader that
# judges our edits also fitted them.
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
# That does not follow: $z$ can only be read through the mapping. Ask for the same mapping as it was before training,
# and for a generator without one.
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
# * A statement about a space needs rivals, and more than one training. Here $w$ beats its own $z$, the mapping before
#   training does nearly as well, the same generator without a mapping mostly does worse, but not with each seed, and
#   another GAN does better.
#
# Here the core of the lesson ends. Each section below stands by itself and can be skipped.

# %% [markdown] round
# ## Further: a reason for a mapping
#
# Codes are drawn from $N(0, I)$, a round cloud. Let the data have two attributes between 0 and 1, $p$ and $q$. All
# pairs are equally likely, but one quarter is missing: never are both above 1/2. The function below turns round codes
# into exactly these data. The control is the whole square.
#
# Left are codes $z$, right the same points as $(p, q)$. Triangles have $q > 1/2$. Can a straight line part them from
# the dots on the left? On the right?


# %% round-map
def from_round(z):
    """Codes (N, 2) from N(0, I) to attributes (N, 2) in [0, 1], of which never both are above 1/2."""
    u, rest = torch.special.ndtr(z).T  # the distribution function of N(0, 1) makes each uniform in [0, 1]
    p = torch.where(u < 2 / 3, 0.75 * u, 1.5 * u - 0.5)  # two thirds of the data have p < 1/2
    return torch.stack([p, torch.where(p > 0.5, rest / 2, rest)], dim=1)


z_toy = torch.randn(4000, 2, generator=g)
toy, square = from_round(z_toy), torch.special.ndtr(z_toy)  # (4000, 2)
high, square_high = toy[:, 1] > 0.5, square[:, 1] > 0.5
for name, codes, upper in (("z", z_toy, high), ("(p, q)", toy, high), ("z, whole square", z_toy, square_high)):
    share = upper.float().mean()
    nothing = torch.exp(torch.distributions.Bernoulli(share).entropy())
    left = metrics.linear_separability(codes, upper[:, None], generator=g).score
    print(f"the best line in {name}: {left:.2f} (1: it tells all; {nothing:.2f}: it tells nothing)")

# %% round-figure tags=["folded"]
# @title Draws both planes
figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for ax, points, labels in ((axes[0], z_toy, ("z[0]", "z[1]")), (axes[1], toy, ("p", "q"))):
    for kind, marker in ((False, "o"), (True, "^")):
        mine = points[:1500][high[:1500] == kind]
        ax.scatter(*mine.T, s=16, marker=marker, color=plots.PALETTE[int(kind)], linewidths=0)
    ax.set(xlabel=labels[0], ylabel=labels[1], aspect="equal")
plt.show()

# %% [test] round-figure-holds
assert not ((toy[:, 0] > 0.5) & high).any()
assert abs(high.float().mean() - 1 / 3) < 0.03
assert metrics.linear_separability(z_toy, high[:, None], generator=torch.Generator().manual_seed(1)).score > 1.15
assert metrics.linear_separability(toy, high[:, None], generator=torch.Generator().manual_seed(1)).score < 1.05
assert left < 1.05

# %% [markdown] round-seen
# On the left the triangles fill a right angle, and no line parts them from the dots. On the right a level line does.
# The printed number is the [[linear separability]] of Karras et al. (2019): $e^H$, where $H$ is the entropy of the
# attribute, in nats, when one knows the side of the line. The line is fitted to one half and judged on the other.
#
# A linear map cannot make these data: it turns a round cloud into an ellipse. So there must be a bend. But a bend alone
# does no harm. The whole square needs one too, and a line in its $z$ reads $q$: each attribute follows one number of
# the code. With a quarter missing the two attributes depend on each other, and a line in $z$ reads $q$ badly. A mapping
# network can take such a bend out, but the loss does not ask for it.
#
# The handles of our drawn faces are independent, so this reason does not apply to them.

# %% [markdown] slider-task
# ## Further: a slider for the layer
#
# ### Exercise 4: mix by a slider
#
# *Easy, about 4 minutes.* With an `IntSlider`, `interactive(show, start=slider)` calls `show(start)` whenever it moves.
# `show` decodes the mixed codes, draws them by `plots.image_rows({"name": images})` and ends with `plt.show()`. Below,
# A are the faces in the upper row of the lesson's first figure, B those in the lower row.

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
control = style_slider(space, w[:6], w[6:12])
control

# %% [markdown] slider-hints
# <details><summary>Hint</summary>
#
# Inside, `layers = space.latent_shape[0]`, then `def show(start):` with two lines: `plots.image_rows({"name":
# decode_dataset(space, mix_codes(w_a, w_b, start, layers))})`, then `plt.show()`. The last line is
# `return interactive(show, start=IntSlider(value=layers, min=0, max=layers))`.
#
# </details>

# %% [markdown] paths
# ## Further: path length
#
# Karras et al. (2019) measure a space by its **[[perceptual path length]]**. Walk from one code to another, and measure
# at one random place of the walk how fast the features of a network change: their squared change over a tiny step,
# divided by the step's square. A small value means that the face changes evenly along the walks. The value depends on
# the network; ours is the reader. In $z$ we walk along arcs, which keep the norm (`slerp`), in $w$ straight (`lerp`).
# The paper leaves out the lowest and the highest hundredth of the walks before it takes the mean.

# %% paths-run
walks = {"z": (model, z, "slerp"), "w": (model.in_w(), w, "lerp"), "plain GAN": (plain, z, "slerp")}
lengths = {}
for name, (net, codes, path) in walks.items():
    seed = torch.Generator().manual_seed(11)
    length = metrics.perceptual_path_length(net, codes[:250], codes[250:500], reader, path=path, generator=seed)
    ordered = lengths[name] = length.sort().values  # (250,)
    print(f"{name:10s} mean {length.mean():5.0f}, without the extremes {ordered[2:-2].mean():5.0f};", end=" ")
    print(f"median {length.median():4.0f}; the five largest make {ordered[-5:].sum() / length.sum():.0%} of the sum")

# %% [test] paths-hold
assert lengths["plain GAN"].median() < lengths["w"].median() < lengths["z"].median()
assert all(length[-5:].sum() > 0.06 * length.sum() for length in lengths.values())
from course_utils import claims

more = claims.evidence("11", "reads")
medians = [more.over(f"{name}_path_median", faces=1000) for name in ("plain", "w", "z")]
assert medians[0].high < medians[1].low
assert medians[1].high < medians[2].low
means = [more.over(f"{name}_path", faces=1000) for name in ("plain", "w", "z")]
assert means[0].high > means[1].low
assert max(means[0].high, means[1].high) < means[2].low
assert all(length.mean() > 1.5 * length.median() for length in lengths.values())

# %% [markdown] paths-seen
# In $z$ of the style-based generator walks are least even. By the median the plain GAN is the most even; by the mean
# its order with $w$ depends on the draw. In three other draws, of 250 walks each:
#
# | | mean | median |
# |---|---|---|
# | $z$ | {{claim reads.z_path faces=1000}} | {{claim reads.z_path_median faces=1000}} |
# | $w$ | {{claim reads.w_path faces=1000}} | {{claim reads.w_path_median faces=1000}} |
# | plain GAN | {{claim reads.plain_path faces=1000}} | {{claim reads.plain_path_median faces=1000}} |
#
# A few walks are measured at a place where the face changes suddenly, and these make much of the mean. So say which
# average you print.

# %% [markdown] cosines
# ## Further: are the directions at right angles?
#
# A move along the slope $b$ of one handle leaves the fitted value of another as it is, if the two slopes are at right
# angles. In photographs Shen et al. (2020) found pairs that nearly are, and others, such as age and glasses, that are
# not. We print the four largest cosines between the slopes of two handles. By chance alone they would not be 0 either,
# so we also draw 13 random directions.


# %% cosines-run
def between(directions):
    """The cosines of directions (N, D): (N, N), each pair once, and 0 elsewhere."""
    unit = F.normalize(directions, dim=1)
    return (unit @ unit.T).triu(diagonal=1)


cosines = {"random": between(torch.randn(13, 64, generator=g))}
for name in ("w", "plain GAN"):
    codes, handles = table[name]
    cosines[name] = between(torch.tensor(LinearRegression().fit(codes[:1000], handles[:1000]).coef_))
    size = cosines[name].flatten()
    largest = size.abs().argsort(descending=True)[:4].tolist()
    print(name, ", ".join(f"{names[one // 13]} and {names[one % 13]} {size[one]:+.2f}" for one in largest))
print(f"the largest of 78 pairs of random directions: {cosines['random'].abs().max():.2f}")

# %% [test] cosines-hold
largest = {name: cosines[name].abs().max() for name in cosines}
assert largest["plain GAN"] < 0.2 < largest["random"] < largest["w"] < 0.6

# %% [markdown] cosines-seen
# In the plain GAN the slopes are nearer to right angles than random ones, and we can say why. In a round cloud the
# cosine of two slopes is the correlation of the two fitted values, and the handles of the drawn faces are independent.
#
# In $w$ some pairs are far from right angles, more than by chance. The cloud of $w$ is long and narrow, so there the
# angle says less: independent handles need not have slopes at right angles. In other draws other pairs come first.

# %% [markdown] inversion
# ## Further: a given face in $w$, and in $w$ with seven codes
#
# A style-based GAN has no encoder either, so the code of a given face is searched for, as in lesson 10. The search can
# go through $w$ (64 numbers) or through one code a layer (448 numbers, often called $w+$; Abdal et al. 2019). Which one
# comes nearer? With seven codes the search may go where no single $w$ is. Can such codes still be edited? To both we
# add the move that should turn the head by the whole range.

# %% inversion-run
from course_utils.models.styles import invert  # course_utils/models/styles/latents.py

drawn = sample_faces(5, seed=1, size=64).pixels()  # new drawings, which no model has seen
sought = drawn.to(device)
rows, found = {"sought": drawn[:3]}, {}
for name in ("w", "w+"):  # 60 steps of the search, from the best of 64 draws
    codes = invert(model.generator, sought, 60, space=name, candidates=64, rng=torch.Generator().manual_seed(0)).cpu()
    codes = codes if codes.ndim == 3 else codes[:, None].repeat(1, 7, 1)  # (5, 7, 64)
    images = decode_dataset(space, codes)
    edited = decode_dataset(space, edit_in_w(w[:1000], read[:1000, turn], codes, span[turn], list(range(7))))
    change = (read_handles(reader, edited) - read_handles(reader, images)) / span  # (5, 13)
    found[name] = (images - drawn).square().mean().item(), change[:, turn]
    sizes = change.abs().mean(dim=0)
    sizes[turn] = 0
    print(f"{name:2s}: squared error of a pixel {found[name][0]:.4f}; the five turns change by", end=" ")
    print(", ".join(f"{one:+.0%}" for one in change[:, turn]), end="; ")
    print(f"largest other change: {names[sizes.argmax()]}, {sizes.max():.0%}")
    rows |= {name: images[:3], f"{name}, turned": edited[:3]}
_, ax = plt.subplots(figsize=(4.6, 5.8), layout="constrained")
plots.image_rows(rows, ax=ax)
plt.show()

# %% [test] inversion-holds
assert found["w+"][0] < found["w"][0]
assert min(change.mean() for _, change in found.values()) > 0.1

# %% [markdown] inversion-seen
# Both come near some colours and miss details: smiles, glasses, the kind of hair. This generator makes few kinds of
# faces. With seven codes the error is smaller. The turn differs much from face to face, and other handles change too.
# On average both turn about as far, so here seven codes are no worse to edit. This is one search of 60 steps for five
# faces.

# %% [markdown] noise
# ## Further: noise that nobody uses
#
# Each layer adds noise: one number for each place, times a learned *strength* that starts at 0 (its sign does not
# matter). In training the noise is new at each call; our images are made with noise that was drawn once. In photographs
# it makes what is random, such as the exact place of each hair. How strong is it here, where nothing in the drawings is
# random but the handles?

# %% noise-run
with torch.no_grad():
    strengths = [layer.noise_strength.item() for layer in model.generator.layers]
    few = w[:20].to(device)
    without = model.generator.synthesize(few, noise="none").cpu()
print("strengths:", ", ".join(f"{one:.4f}" for one in strengths))
print(f"largest change of a pixel without noise: {(without - x[:20]).abs().max():.4f};", end=" ")
print("a step of an 8-bit pixel is 1/255 = 0.0039")

# %% [test] noise-holds
assert max(map(abs, strengths)) < 0.05
assert (without - x[:20]).abs().mean() < 0.004

# %% [markdown] noise-seen
# Next to nothing. The strength started at 0, and the generator has not taken the noise up. In these drawings the 13
# handles say all.

# %% [markdown] bug-idea
# ## Further: find the bug
#
# This script truncates. Its mistake is easily made, and it runs without an error.


# %% bug-script
def public_truncation(model, n, psi):
    """n faces with truncated codes, and these codes."""
    space = model.in_w(per_layer=True)
    z = torch.randn(n, 64)  # line 1
    w = model.map(z)  # line 2
    mean_w = model.map(torch.randn(10_000, 64).mean(dim=0, keepdim=True))  # line 3
    w = mean_w + psi * (w - mean_w)  # line 4
    codes = w[:, None].repeat(1, 7, 1)  # line 5
    return space.decode(codes), w  # line 6


# %% [markdown] bug-symptoms
# First the **symptoms**. With $\psi = 0$ all faces should be the mean face, in every call. We call it four times. And
# the mean should be the point from which the codes are least far. We print the mean squared distance of all our codes
# from the point at $\psi = 0$, from their own mean, and from one code that was drawn.

# %% bug-run
cpu_model = load_reference("styles_faces", "cpu").eval()
seed_everything(11)
with torch.no_grad():
    calls = [public_truncation(cpu_model, 1, 0.0) for _ in range(4)]
far = [(w - point).square().sum(dim=1).mean().item() for _, point in calls]
least = (w - w.mean(dim=0)).square().sum(dim=1).mean().item()
print("mean squared distance from the point at psi 0:", ", ".join(f"{one:.0f}" for one in far))
drawn_code = (w - w[0]).square().sum(dim=1).mean()
print(f"mean squared distance from the mean of w: {least:.0f}; from one drawn w: {drawn_code:.0f}")
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
# Which of the two should be the same in each call, the point of line 3 or the $w$ of line 2? Is it?
#
# </details>
# <details><summary>Hint 2</summary>
#
# The mean of 10,000 draws of $z$ is nearly 0. What does the mapping do with a short vector? The mean of $w$ is not the
# $w$ of the mean.
#
# </details>

# %% [markdown] training
# ## Further: how it was trained
#
# The game is that of lesson 10: the non-saturating loss, the R1 penalty, an average of the weights over time. Four
# things are new:
#
# * **Equalised rates.** Stored weights are drawn from $N(0, 1)$ and are scaled where they are used, by
#   $1/\sqrt{\text{inputs}}$. Adam moves each stored weight by about the learning rate, whatever the layer. All stored
#   weights have about the same size, so in proportion all layers learn equally fast.
# * **The mapping learns a hundred times slower.** Its stored weights are drawn 100 times as large, and multiplied by
#   0.01 where they are used. Adam's step is as long as elsewhere, so here it is a hundredth in proportion.
# * **Lazy R1.** The penalty is computed at every 16th step only, and counts 16 times there. (Those who forget to
#   multiply train with a sixteenth of the penalty.)
# * **Mixing regularisation.** In training nine of ten images get the styles of a second code from a random layer on, so
#   that neighbouring layers do not rely on having the same code.
#
# StyleGAN trains for 25 million images, ours for 480,000. In so short a training the mapping moved by the few per cent
# of section 4.

# %% [markdown] explorer-idea
# ## Further: three explorers
#
# The first mixes two of six faces, with a slider for each layer and buttons for groups. The figure shows groups of
# layers that go from A to B; the columns say which share of B they have. At first layers 0 to 2 are of B.
# Find the layer of B that takes off the glasses.
#
# <details><summary>Answer</summary>
#
# Layer 0 alone takes them off.
#
# </details>

# %% mixer-static
from course_utils import widgets

mixer = widgets.StyleMixer(model, w[14:20])
_, ax = plt.subplots(figsize=(5.4, 4.8), layout="constrained")
mixer.static(4, ax=ax)
plt.show()

# %% mixer-explorer
mixer

# %% [markdown] truncation-explorer-idea
# The second moves draws towards the mean, in $w$ and in the codes of the plain GAN. From which $\psi$ on does the plain
# GAN draw faces?
#
# <details><summary>Answer</summary>
#
# At 0.1 there is no face, at 0.3 there is.
#
# </details>

# %% truncation-static
truncation = widgets.TruncationSlider({"w": (model.in_w(), w[:3], mean_w), "z, plain GAN": (plain, z[:3], None)})
_, ax = plt.subplots(figsize=(4.8, 6.6), layout="constrained")
truncation.static((0.1, 0.3, 0.5), ax=ax)
plt.show()

# %% truncation-explorer
truncation

# %% [markdown] handles-explorer-idea
# The third adds fitted moves in $w$, one slider for each of four handles. One unit asks for a tenth of the handle's
# range. What does each change that its name does not say?
#
# <details><summary>Answer</summary>
#
# The turn and the skin take off the glasses; the length of the hair changes its colour.
#
# </details>

# %% handles-static
moves = {}
for name in ("turn", "skin", "hair_length", "age"):
    values = read[:1000, names.index(name)] / span[names.index(name)]  # as shares of the range
    move = edit_in_w(w[:1000], values, torch.zeros(1, 1, 64), 0.1, [0])  # of a code 0: the move alone
    moves[name.replace("_", " ")] = move[0, 0]
handles = widgets.HandleSliders(model.in_w(), directions=moves, z=w[12], reach=5, title="Handles in w")  # z: the start
_, ax = plt.subplots(figsize=(4.4, 4.8), layout="constrained")
handles.static(3, ax=ax)
plt.show()

# %% handles-explorer
handles

# %% [markdown] after
# ## Further: what came after
#
# In films of a StyleGAN2 hair stays in place on the screen while the head turns; StyleGAN3 (Karras et al. 2021) mends
# this. Later GANs give the modulated layers a caption. The idea that outlived the GANs is the modulation itself: in
# today's diffusion transformers (Peebles and Xie 2023) the time step and the class scale and shift each layer's
# channels, as $w$ does here. StyleSpace (Wu et al. 2021) edits single channels of the styles $s$, and reports that such
# edits change less else than those in $w$.

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
