# %% [markdown] title
# {{header}}
#
# # 02. How few numbers can describe a picture?
#
# At the end of this lesson you can
#
# 1. build and train an autoencoder, loop included, and measure what its bottleneck costs against PCA;
# 2. say what squared error sees and what it is blind to;
# 3. show, with a number, why an autoencoder is good at finding pictures again and bad at inventing new ones.

# %% [markdown] prerequisites
# **You need:** lesson 01 (PCA, codes, nearest neighbours) and the idea of gradient descent in PyTorch: a module, an
# optimizer, `backward()`.
#
# **Time:** {{learning}} with the exercises. Running all cells takes {{minutes}}.

# %% setup
{{setup}}

# %% imports
import matplotlib.pyplot as plt
import torch
from torch import nn

from course_utils import checks, plots, widgets
from course_utils.checkpoints import load_reference  # course_utils/checkpoints.py: models trained for longer, verified
from course_utils.data import fashion_mnist
from course_utils.device import pick_device, seed_everything
from course_utils.latents import decode_dataset, encode_dataset, latent_grid, nearest_neighbors  # latents.py
from course_utils.losses import bernoulli_nll, squared_error  # course_utils/losses.py: one value per image
from course_utils.metrics import knn_accuracy  # course_utils/metrics/
from course_utils.models.pca import PCA  # what you built in lesson 01

plt.rcParams["figure.dpi"] = 80
seed_everything(2)
g = torch.Generator().manual_seed(2)  # every number drawn by hand in this lesson comes from here
device = pick_device()
train, test = fashion_mnist("train"), fashion_mnist("test")
x_train, x_test = train.pixels(), test.pixels()  # (N, 1, 28, 28) in [0, 1]
print(f"{len(train):,} training and {len(test):,} test images, each {tuple(x_test.shape[1:])}; computing on {device}")

# %% [markdown] predict
# ## Predict first
#
# PCA with two numbers for each picture leaves a certain squared error on unseen clothes. Now a neural network may
# choose the two numbers, and another one restores the picture from them.
#
# 1. How large will the error be, measured by PCA's: about the same, about two thirds, or about a tenth?
# 2. You put a pin anywhere on the plane of these two numbers, between the pins of real pictures, and restore a picture
#    there. Will it be a piece of clothing: always, usually, or hardly ever?
#
# Write down your answers.
#
# <details><summary>What we found, for after sections 2 and 7</summary>
#
# 1. About two thirds. Two curved coordinates beat two straight ones clearly, but two numbers are two numbers.
# 2. It depends on the place, and that is the trouble. Where training codes are near, yes. But a good part of the map
#    has no training code near it, and there the picture is whatever the network happens to give. With 32 numbers, a
#    code drawn at random practically never lands near a training code.
#
# </details>

# %% [markdown] idea
# ## 1. An hourglass
#
# An **autoencoder** is two networks in a row. The **encoder** $E$ turns an image into a short code, the **decoder** $D$
# turns the code back into an image:
#
# $$z = E(x), \qquad \hat{x} = D(z), \qquad x \in [0, 1]^{784},\; z \in \mathbb{R}^D .$$
#
# Nobody says what the numbers in $z$ should mean. We only ask for the image back, by minimising the **reconstruction
# error** over the training images,
#
# $$\mathcal{L} = \frac{1}{B} \sum_{i=1}^{B} \lVert x_i - D(E(x_i)) \rVert^2 ,$$
#
# summed over the pixels of an image and averaged over the $B$ images of a batch. The task would be pointless with $D
# \geq 784$: copy everything, error 0, nothing learned. The **bottleneck** $D \ll 784$ makes it interesting. Whatever
# pictures have in common must move into the networks' weights, so that $z$ only has to say what is particular about
# this one.
#
# Here is the smallest useful version. Look at the shapes, and at where the sigmoid stands: the decoder's last layer can
# give any number (we call its output `x_logits`), and the sigmoid maps it into $[0, 1]$.


# %% autoencoder-class
class SmallAutoencoder(nn.Module):
    """784 -> hidden -> D -> hidden -> 784. After this lesson it comes from course_utils/models/autoencoder.py."""

    def __init__(self, latent_dim, hidden=256):
        super().__init__()
        self.latent_shape = (latent_dim,)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, latent_dim))
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, hidden), nn.ReLU(), nn.Linear(hidden, 784), nn.Unflatten(1, (1, 28, 28))
        )

    def encode(self, x):  # (B, 1, 28, 28) -> (B, D)
        return self.encoder(x)

    def decode(self, z):  # (B, D) -> (B, 1, 28, 28) in [0, 1]
        return torch.sigmoid(self.decoder(z))


# %% shapes
model = SmallAutoencoder(latent_dim=2).to(device)
x = x_test[:5].to(device)
z = model.encoder(x)
x_logits = model.decoder(z)
for name, tensor in {"x": x, "z": z, "x_logits": x_logits}.items():
    low, high = tensor.aminmax()
    print(f"{name:9s} {tuple(tensor.shape)!s:16s} from {low.item():6.2f} to {high.item():5.2f}")
print(f"{sum(p.numel() for p in model.parameters()):,} weights")

# %% [test] shapes-holds
assert z.shape == (5, 2)
assert x_logits.shape == x.shape

# %% [markdown] loss-task
# ### Exercise 1: the forward pass and its loss
#
# *Easy, about 10 minutes.* Write the formula above as a function. The training loop below runs on it.


# %% loss-exercise
def forward_and_loss(encoder, decoder, x):
    """Code, reconstruction and loss of a batch.

    Args:
        encoder: Network (B, 1, H, W) -> (B, D).
        decoder: Network (B, D) -> x_logits (B, 1, H, W), any real numbers.
        x: Images (B, 1, H, W) in [0, 1].

    Returns:
        z (B, D); x_hat (B, 1, H, W) in [0, 1]; and the loss, a scalar tensor: the squared error summed over the
        pixels of each image, then averaged over the batch.
    """
    ### BEGIN SOLUTION
    z = encoder(x)
    x_hat = torch.sigmoid(decoder(z))
    loss = (x_hat - x).square().flatten(1).sum(dim=1).mean()
    return z, x_hat, loss
    ### END SOLUTION


# %% loss-check
forward_and_loss = checks.accept("autoencoder-loss", forward_and_loss)

# %% [markdown] loss-hints
# <details><summary>Hint 1</summary>
#
# Three lines. The first two are in the cell `shapes`, but for the sigmoid. For the third, `(x_hat - x).square()` has
# shape (B, 1, H, W); `flatten(1)` keeps the batch dimension and lines up the rest.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Sum over dimension 1 of the flattened squares, then take the mean of the B sums. And keep the shapes of `x_hat` and
# `x` alike. A tensor (B, 784) minus one of (B, 1, 28, 28) raises an error, which is lucky. (B, 1, 28, 28) minus (B, 28,
# 28) raises nothing: it compares every image with every other and returns (B, B, 28, 28).
#
# </details>

# %% [markdown] loop-idea
# ## 2. The training loop
#
# Nothing is hidden here: take a batch, go forward, compute the loss, let `backward()` compute the gradients, let the
# optimizer take a step. An epoch is one pass over all training images. After each, we measure the same error on test
# images without learning from them. Watch both columns fall, fast at first and then slowly.

# %% training-loop
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
batches = train.batches(256, device=device, shuffle=True, generator=g)  # course_utils/data/images.py
train_losses, test_losses = [], []
for epoch in range(1, 9):
    total = 0.0
    for x in batches:
        z, x_hat, loss = forward_and_loss(model.encoder, model.decoder, x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    train_losses.append(total / len(train))
    with torch.no_grad():
        test_losses.append(forward_and_loss(model.encoder, model.decoder, x_test.to(device))[2].item())
    print(f"epoch {epoch}: loss {train_losses[-1]:5.1f}, on test images {test_losses[-1]:5.1f}")

# %% [test] training-loop-holds
assert test_losses[-1] < 0.95 * test_losses[0]

# %% [markdown] loop-remark
# This loop, with a progress bar and a clean stop added, is `training.fit` of the package. You have seen all that it
# does unless it is asked for more, so from section 4 on we use it.
#
# Is the error at the end small? It is a sum over 784 pixels and says little by itself, so we compare. The rows show
# test images, PCA's reconstruction from 2 numbers, and the autoencoder's, also from 2. Look at what each row gets
# right: the kind of garment, its outline, its pattern.

# %% two-numbers
pca = PCA(32).fit(train)  # fitted once; its first k components are the PCA with k components
x_pca = pca.reconstruct(x_test, 2)
x_ae = decode_dataset(model, encode_dataset(model, x_test))
error_pca, error_ae = squared_error(x_pca, x_test).mean().item(), squared_error(x_ae, x_test).mean().item()
some = range(0, 10)
plots.image_rows({"test image": x_test[some], "PCA, 2 numbers": x_pca[some], "autoencoder, 2": x_ae[some]})
print(f"squared error on test images: PCA {error_pca:.1f}, autoencoder {error_ae:.1f}: {error_ae / error_pca:.0%}")

# %% [test] two-numbers-holds
assert error_ae < 0.85 * error_pca

# %% [markdown] two-seen
# PCA adds and subtracts two fixed pictures, so everything it makes is a mixture of the same ghosts. The autoencoder
# bends its two coordinates: in one region they move a sleeve, in another a sole. It mostly gets the kind and the
# outline, though not always: look for a picture that came back as something else. Print and texture are gone in both
# rows: two numbers cannot hold them.

# %% [markdown] sweep-idea
# ## 3. How wide should the bottleneck be?
#
# Wider codes hold more. To see how much more, we load three reference models with 2, 8 and 32 numbers. They are
# convolutional and saw all 60,000 training images for 15 epochs, which takes minutes; their cards say exactly how
# (`course train --list` shows the commands). PCA gets the same sizes.
#
# Is that fair, with PCA fitted to 11,000 images only? Compare PCA's error on its own training images with that on test
# images: if the two agree, PCA has nothing left to gain from more data. Look in the figure at both curves, and at how
# the distance between them changes.

# %% sweep
sizes = (2, 8, 32)
references = {d: load_reference(f"autoencoder_{d}d", device) for d in sizes}
restored = {d: decode_dataset(model_d, encode_dataset(model_d, x_test)) for d, model_d in references.items()}
ae_errors = [squared_error(restored[d], x_test).mean().item() for d in sizes]
pca_errors = [squared_error(pca.reconstruct(x_test, d), x_test).mean().item() for d in sizes]
pca_own = [squared_error(pca.reconstruct(x_train, d), x_train).mean().item() for d in sizes]
print("numbers   PCA, its own images   PCA, test   autoencoder, test   ratio")
for d, own, a, b in zip(sizes, pca_own, pca_errors, ae_errors, strict=True):
    print(f"{d:7d} {own:21.1f} {a:11.1f} {b:19.1f} {b / a:7.2f}")
curves = {"PCA": (sizes, pca_errors), "autoencoder": (sizes, ae_errors)}
ax = plots.curves(curves, "numbers in a code", "squared error on test images", log_x=True)
_ = ax.set_ylim(bottom=0)

# %% [test] sweep-holds
for own, a, b in zip(pca_own, pca_errors, ae_errors, strict=True):
    assert b < 0.9 * a  # the autoencoder wins at every size
    assert abs(own - a) < 0.05 * a  # PCA does not overfit: more images would not help it

# %% [markdown] sweep-figure-intro
# The same in pictures, for shirts. From which row on do you see the sleeves right, from which the neck, and from which
# the pattern?

# %% sweep-figure
some = (test.labels == 6).nonzero().flatten()[torch.arange(1, 7)]  # shirts, the class with the most patterns
rows = {"test image": x_test[some]}
rows |= {f"autoencoder, {d}": restored[d][some] for d in sizes}
rows["PCA, 32"] = pca.reconstruct(x_test[some], 32)
ax = plots.image_rows(rows)

# %% [markdown] sweep-seen
# At every size the curved code beats the flat one. Sleeves come back before necks, and most patterns do not come back
# at all, even with 32 numbers: a check is many pixels of small error each, and costs little. Note what does *not*
# follow. More numbers always reconstruct better, so reconstruction alone can never tell you how many you need. That
# depends on what the code is for: a map to look at wants 2, a search wants enough to tell things apart, a compressor as
# many as it can pay for.

# %% [markdown] linear-idea
# ## 4. Without bends it is PCA
#
# Take away the ReLUs and the sigmoid. What remains is $\hat{x} = W_D W_E\, x$ on centred images. Such a network cannot
# beat PCA, because PCA is the best linear map of its rank (lesson 01). Gradient descent should then arrive at PCA, and
# it does, with one important reservation.
#
# To compare two subspaces we need **principal angles**. Let the columns of $Q_a$ and $Q_b$ be orthonormal bases. The
# cosines of the principal angles are the singular values of $Q_a^\top Q_b$. All angles 0: the same subspace. An angle
# of 90 degrees: a direction of the one that the other does not have at all.


# %% principal-angles
def principal_angles(a, b):
    """Angles in degrees between the spaces spanned by the rows of a (K, N) and of b (K, N), smallest first."""
    q_a, q_b = torch.linalg.qr(a.double().T).Q, torch.linalg.qr(b.double().T).Q
    return torch.rad2deg(torch.acos(torch.linalg.svdvals(q_a.T @ q_b).clamp(max=1)))


flat, tilted = torch.eye(3)[:2], torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
print("the floor and a plane that rises at 45 degrees:", principal_angles(flat, tilted).round(decimals=3).tolist())

# %% [markdown] linear-train-intro
# Now train a linear autoencoder with 4 numbers, with the package's loop. After each epoch we record the four angles
# between the space that the decoder can reach (the columns of $W_D$) and that of the first 4 principal components. Look
# at which of them closes last.

# %% linear-train
from course_utils.training import fit  # course_utils/training/loop.py: the loop of section 2

mean = x_train.mean(dim=0).to(device)
linear = nn.Sequential(nn.Flatten(), nn.Linear(784, 4, bias=False), nn.Linear(4, 784, bias=False)).to(device)
optimizer = torch.optim.Adam(linear.parameters(), lr=1e-2)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 15)  # smaller steps towards the end
components = pca.components[:4]
angles = [principal_angles(linear[2].weight.detach().cpu().T, components)]


def linear_loss(linear, x):
    return {"loss": (linear(x - mean) - (x - mean).flatten(1)).square().sum(dim=1).mean()}


def after_epoch(linear, record):
    schedule.step()
    angles.append(principal_angles(linear[2].weight.detach().cpu().T, components))


fit(linear, train.batches(128, device=device, shuffle=True, generator=g), epochs=15, optimizer=optimizer,
    loss=linear_loss, on_epoch=after_epoch, progress=False)  # fmt: skip
series = {f"angle {i + 1}": (range(16), torch.stack(angles)[:, i]) for i in range(4)}
ax = plots.curves(series, "epoch", "angle to PCA's subspace (degrees)")

# %% linear-basis
overlap = (torch.linalg.qr(linear[2].weight.detach().cpu()).Q.T @ components.T).abs()
own_axes = nn.functional.normalize(linear[2].weight.detach().cpu().T, dim=1) @ components.T
print("largest angle between the two subspaces:", f"{angles[-1].max().item():.2f} degrees")
print("cosine of each axis of the autoencoder (row) with each principal component (column):")
print("\n".join("  ".join(f"{value:6.2f}" for value in row) for row in own_axes.tolist()))

# %% [test] linear-basis-holds
assert angles[-1].max() < 5
assert own_axes.abs().amax(dim=1).min() < 0.95  # yet its axes are not PCA's axes

# %% [markdown] linear-seen
# The subspaces agree to within a few degrees or better. The axes do not: each axis of the autoencoder is a mixture of
# principal components. The loss is indifferent to the choice of axes, because $W_D W_E = (W_D A)(A^{-1} W_E)$ for every
# invertible $A$. PCA fixes them by sorting the variance; an autoencoder has no reason to. So **single coordinates of an
# autoencoder's code mean nothing in particular**, not even their scale. Keep this in mind whenever somebody labels the
# axis of a latent space. (Angles close in the order of how much variance is at stake: the weakest component comes
# last.)

# %% [markdown] likelihood-idea
# ## 5. MSE or BCE?
#
# Pixels lie in $[0, 1]$, so one often sees **binary cross-entropy** instead of squared error:
#
# $$\mathrm{BCE}(\hat{x}, x) = -\sum_{\text{pixels}} \big[ x \log \hat{x} + (1 - x) \log (1 - \hat{x}) \big] .$$
#
# It is the negative log-likelihood of a pixel that is white with probability $\hat{x}$: a likelihood is *maximised*,
# its negative is the loss. Look at the two panels for a grey pixel, $x = 0.8$. Left: where is each loss smallest, and
# is it 0 there? Right: the slope with respect to the decoder's raw output, which is what training feels. What happens
# when the pixel is entirely wrong (far left)?

# %% likelihood-figure
target = 0.8
x_logits = torch.linspace(-8, 8, 201, requires_grad=True)
x_hat = torch.sigmoid(x_logits)
losses = {
    "squared error": (x_hat - target).square(),
    "cross-entropy": -(target * x_hat.log() + (1 - target) * (1 - x_hat).log()),
}
slopes = {name: torch.autograd.grad(loss.sum(), x_logits, retain_graph=True)[0] for name, loss in losses.items()}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
inside = ((x_hat > 0.02) & (x_hat < 0.98)).detach()
left_curves = {name: (x_hat.detach()[inside], loss.detach()[inside]) for name, loss in losses.items()}
plots.curves(left_curves, "x_hat", "loss of one pixel, x = 0.8", ax=left).get_legend().remove()
right_curves = {name: (x_logits.detach(), slope) for name, slope in slopes.items()}
ax = plots.curves(right_curves, "x_logits", "slope of the loss", ax=right)

# %% likelihood-numbers
lowest = {name: (x_hat[loss.argmin()].item(), loss.min().item()) for name, loss in losses.items()}
for name, (place, value) in lowest.items():
    print(f"{name:14s} smallest at x_hat = {place:.2f}, where it is {value:.3f}; ", end="")
    print(f"slope at x_logits = -8: {slopes[name][0].item():.4f}")
try:
    bernoulli_nll(torch.zeros(1, 4), torch.tensor([[-1.3, 0.2, 0.7, 2.1]]))  # standardised pixels, not in [0, 1]
except ValueError as error:
    print("ValueError:", error)

# %% [test] likelihood-numbers-holds
assert all(abs(place - target) < 0.02 for place, _ in lowest.values())
assert lowest["cross-entropy"][1] > 0.4
assert slopes["cross-entropy"][0].abs() > 100 * slopes["squared error"][0].abs()

# %% [markdown] likelihood-seen
# Both are smallest at $\hat{x} = x$, so both ask for the same picture. Three differences matter.
#
# * BCE does not reach 0 for grey pixels: its floor is the pixel's own entropy. A BCE of 200 for an image may be nearly
#   perfect; compare only with BCEs on the same data.
# * The slope of BCE is $\hat{x} - x$. That of MSE has a further factor $2 \hat{x}(1 - \hat{x})$, which vanishes when
#   the sigmoid saturates: a pixel that is entirely wrong hardly learns.
# * BCE needs targets in $[0, 1]$, as the error message says. Standardised images belong with squared error, and without
#   the sigmoid.
#
# We stay with squared error here, because it is PCA's measure too. Lesson 06 says which assumption about noise each of
# them makes.

# %% [markdown] blind-idea
# ### What squared error is blind to
#
# Squared error compares pixel with pixel and knows nothing of shapes. Let us make two changes to photographs of
# T-shirts. The first moves the whole picture one pixel to the right: nobody would notice. The second cuts off a sleeve:
# nobody would buy it. Above each T-shirt stand the squared errors of both. Which change do you expect to cost more?


# %% blind-spot
def shift_right(x):
    """The same picture, one pixel further right."""
    return nn.functional.pad(x, (1, 0))[..., :-1]


def cut_sleeve(x):
    """Black out what sticks out to the left of the body; where the body begins is read off near the hem."""
    hem = x[:, 0, 18:27].mean(dim=1)  # (B, 28), mean over the rows near the hem
    body_begins = (hem > 0.2).int().argmax(dim=1)  # (B,), the first column that is not background
    left = torch.arange(28) < body_begins[:, None]  # (B, 28)
    return x * ~left[:, None, None, :]


shirts = x_test[test.labels == 0]
shifted, cut = shift_right(shirts), cut_sleeve(shirts)
cost_shift, cost_cut = squared_error(shifted, shirts), squared_error(cut, shirts)
has_sleeve = cost_cut > 2  # some T-shirts have no sleeve to cut, which would make it too easy
some = has_sleeve.nonzero().flatten()[:8]
titles = [f"shift {a:.0f}\ncut {b:.0f}" for a, b in zip(cost_shift[some], cost_cut[some], strict=True)]
ax = plots.image_rows({"T-shirt": shirts[some], "shifted": shifted[some], "cut": cut[some]}, column_titles=titles)

# %% blind-numbers
more = (cost_shift > cost_cut)[has_sleeve].float().mean().item()
shift_mean, cut_mean = cost_shift[has_sleeve].mean().item(), cost_cut[has_sleeve].mean().item()
print(f"{int(has_sleeve.sum())} T-shirts with a sleeve to cut: on average the shift costs {shift_mean:.1f} "
      f"and the missing sleeve {cut_mean:.1f}; the shift costs more for {more:.0%} of them")  # fmt: skip
print(f"for comparison, our autoencoder's own error with 2 numbers: {error_ae:.1f}")

# %% [test] blind-numbers-holds
assert more > 0.9
assert shift_mean > 1.5 * cut_mean

# %% [markdown] blind-seen
# The invisible change costs more than the ruinous one for nearly every T-shirt. The cause is edges: shifting an outline
# by one pixel makes a whole line of pixels wrong at full strength. This has two consequences. When the network is
# unsure where an edge is, the mean of the possibilities, a blur, costs least: reconstructions are soft because the loss
# asks for it. And a lower squared error need not mean a better picture. BCE has the same blind spot, being a sum over
# pixels too. Losses that compare features instead come in lesson 14.

# %% [markdown] map-idea
# ## 6. The map
#
# With two numbers in a code, every test image is a point on a plane. Nobody has told the network about classes. Look
# for: which classes lie apart, which overlap, and which neighbours make sense. Look also at the *white* areas.

# %% map
codes_train, codes_test = encode_dataset(model, train), encode_dataset(model, test)  # (N, 2) each
ax = plots.latent_scatter(codes_test[:1000], test.labels[:1000], test.class_names)  # 1,000 are enough to see
print(f"5 nearest neighbours name the right class: {knn_accuracy(codes_test, test.labels):.0%} on this map")

# %% [test] map-holds
assert knn_accuracy(codes_test, test.labels) > 0.45  # chance is 10%

# %% [markdown] map-seen
# Footwear keeps to one side and trousers stand apart, while pullovers, coats and shirts share one region: in two
# numbers, and by outline alone, they look the same. (The percentage asks for each image whether most of its 5 nearest
# *other* images are of its class; chance would be 10%.) Do not read more into the map than the loss put there.
# Distances and axes have no fixed scale, and another seed gives another map with the same neighbourhoods in other
# places.
#
# Now the other direction: decode every place of the map. Follow a row with your eyes. Where does a garment turn into
# another one smoothly, and where does it pass through something that you could not wear?

# %% map-canvas
low, high = codes_train.quantile(0.005, dim=0), codes_train.quantile(0.995, dim=0)
x_range, y_range = (low[0].item(), high[0].item()), (low[1].item(), high[1].item())
decoded = latent_grid(model, x_range, y_range, 12)  # (12, 12, 1, 28, 28)
figure, ax = plt.subplots(figsize=(4.6, 4.6), layout="constrained")
ax = plots.latent_canvas(decoded, x_range, y_range, ax=ax)

# %% [markdown] map-explorer-intro
# ### Explore
#
# The same map under your finger. Drag the point, click, or use the arrow keys (with Shift for larger steps). Beside the
# decoded image stands the training image with the nearest code. Visit the middle of a class, the border between two,
# and a place far from all points: when does the decoded image stop resembling the nearest real one?

# %% map-explorer
start = codes_train[0].tolist()
pad = widgets.LatentPad(model, codes_train, train.labels, train.class_names, images=train, start=start)
pad.move_to(start[0] + 0.5, start[1])
pad

# %% [markdown] dead-idea
# ## 7. Dead zones
#
# The decoder has only ever been asked about codes of training images. Anywhere else nobody has told it what to do. How
# far from the training codes is too far? We let the data decide. Test images are real and unseen, so their codes show
# how far a legitimate code lies from its nearest training code. The distance that 99% of them stay within is our
# threshold. A place that is farther out than this is **dead**.


# %% threshold
def to_nearest_code(z):
    """Distance from each code to the nearest training code, (B,)."""
    return nearest_neighbors(z, codes_train, k=1)[1].flatten()


threshold = to_nearest_code(codes_test).quantile(0.99).item()
width = (high - low).max().item()
print(f"99% of test codes lie within {threshold:.2f} of a training code; the map is {width:.1f} wide")

# %% [markdown] dead-task
# ### Exercise 2: find the dead zones
#
# *Medium, about 10 minutes.* Given the codes of a grid over the map, return those that are dead.


# %% dead-exercise
def find_dead_zone(grid, codes, threshold):
    """The grid codes that are farther than the threshold from every training code.

    Args:
        grid: Codes to judge, (G, D).
        codes: Codes of the training images, (N, D).
        threshold: A Euclidean distance.

    Returns:
        The dead ones among the grid's codes, (M, D), in the grid's order.
    """
    ### BEGIN SOLUTION
    distance = torch.cdist(grid, codes)  # (G, N)
    nearest = distance.min(dim=1).values  # (G,)
    return grid[nearest > threshold]
    ### END SOLUTION


# %% dead-check
find_dead_zone = checks.accept("dead-zone", find_dead_zone)

# %% [markdown] dead-hints
# <details><summary>Hint 1</summary>
#
# "Farther than the threshold from *every* code" says the same as "the distance to the *nearest* code exceeds the
# threshold". `torch.cdist(a, b)` gives all distances between the rows of `a` and the rows of `b`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.cdist(grid, codes)` has shape (G, N). Take the smallest value in each row, compare it with the threshold, and
# use the resulting mask as an index into `grid`.
#
# </details>

# %% [markdown] dead-figure-intro
# Grey dots are training codes, red squares your dead places. Are they all outside, or are some *between* the classes?

# %% dead-figure
grid = torch.cartesian_prod(torch.linspace(*x_range, 45), torch.linspace(*y_range, 45))  # (2025, 2)
dead = find_dead_zone(grid, codes_train, threshold)
figure, ax = plt.subplots(figsize=(6, 4.4), layout="constrained")
ax.scatter(*dead.T, s=26, marker="s", color=plots.PALETTE[2], alpha=0.55, linewidths=0, label="dead place")
ax.scatter(*codes_train[:4000].T, s=3, color="0.45", linewidths=0, label="training code (4,000 of them)")
ax.set(xlim=x_range, ylim=y_range, xlabel="z[0]", ylabel="z[1]")
ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
print(f"{len(dead) / len(grid):.0%} of the map is dead")

# %% [test] dead-figure-holds
assert len(dead) > 0.05 * len(grid)

# %% [markdown] round-trip-idea
# What comes out of a dead place? A look at the pictures is worth having, but looks deceive, so here is a measure as
# well. Decode a code and encode the result: $E(D(z))$. On the part of the map that training has covered, the round trip
# should come back near $z$. Look at the upper row for garments you know and the lower one for what is wrong with it,
# then at the numbers.


# %% round-trip
def round_trip(z):
    """How far the code of the decoded image is from the code itself, (B,)."""
    return (encode_dataset(model, decode_dataset(model, z)) - z).norm(dim=1)


alive = codes_test[torch.randperm(len(codes_test), generator=g)[:400]]
dead_some = dead[torch.randperm(len(dead), generator=g)[:400]]
far = dead[to_nearest_code(dead).argsort(descending=True)[: max(10, len(dead) // 4)]]
far = far[torch.randperm(len(far), generator=g)[:10]]
plots.image_rows({"at test codes": decode_dataset(model, alive[:10]), "deep in dead zones": decode_dataset(model, far)})
there, back = round_trip(alive).median().item(), round_trip(dead_some).median().item()
print(
    f"median round trip: {there:.2f} at test codes, {back:.2f} in dead zones, which is {back / there:.1f} times as much"
)

# %% [test] round-trip-holds
assert back > 1.5 * there

# %% [markdown] generator-idea
# ### Why an autoencoder is no generator
#
# To generate, we must choose a code without having an image. But from what distribution? The loss speaks about codes of
# training images only, and never says where these should lie. The natural guess is a Gaussian with the mean and the
# spread of the training codes; that is what `sample_latent` of the package's autoencoder draws. In two dimensions many
# draws hit the data by luck. With 32 numbers luck runs out. Look for anything that you would put on.

# %% generator
reference = references[32]
codes_32 = {"train": encode_dataset(reference, train), "test": encode_dataset(reference, test)}
drawn = reference.sample_latent(1000, generator=torch.Generator(device).manual_seed(2)).cpu()
images = {"restored test images": restored[32][:1000], "decoded random codes": decode_dataset(reference, drawn)}
plots.image_rows({name: x[:10] for name, x in images.items()})
limit = nearest_neighbors(codes_32["test"], codes_32["train"], k=1)[1].quantile(0.99)
dead_32 = (nearest_neighbors(drawn, codes_32["train"], k=1)[1] > limit).float().mean().item()
gap = {name: nearest_neighbors(x[:500], x_train, k=1)[1].square().mean().item() for name, x in images.items()}
print(f"{dead_32:.0%} of the random codes are dead by the rule above")
for name, value in gap.items():
    print(f"{name}: mean squared distance to the nearest training image {value:.1f}")

# %% [test] generator-holds
assert dead_32 > 0.5
assert gap["decoded random codes"] > 1.2 * gap["restored test images"]

# %% [markdown] generator-seen
# The reason is not a lack of training. The codes of clothes fill a thin and bent part of the 32-dimensional space, and
# a Gaussian of the same width nearly always misses it: the story of random pixels from lesson 01 again, one level
# further down. Two repairs are possible. Learn the distribution of the codes afterwards (lesson 14 does it with
# diffusion), or make the encoder put them where we want to draw: the variational autoencoder of lesson 04.

# %% [markdown] path-idea
# ## 8. What the codes are good for
#
# ### Walking between two images
#
# Take the straight line between the codes of two test images, $z(t) = (1 - t)\, z_A + t\, z_B$, and decode along it.
# The upper row is the cross-fade of pixels. Watch the gap between the legs: in which row does it fade, and in which
# does it *close*?

# %% path-figure
x_a, x_b = x_test[1], x_test[3]  # trousers and a dress
steps = torch.linspace(0, 1, 9)
z_a, z_b = encode_dataset(reference, torch.stack([x_a, x_b]))
on_the_line = torch.stack([(1 - t) * z_a + t * z_b for t in steps])
rows = {
    "pixel cross-fade": torch.stack([(1 - t) * x_a + t * x_b for t in steps]),
    "autoencoder, 32": decode_dataset(reference, on_the_line),
}
ax = plots.image_rows(rows, column_titles=[f"{t:.2f}" for t in steps])

# %% path-numbers
a, b = torch.randint(len(test), (2, 300), generator=g)
a, b = a[test.labels[a] != test.labels[b]], b[test.labels[a] != test.labels[b]]  # pairs from different classes
middles = {
    "pixel cross-fade": (x_test[a] + x_test[b]) / 2,
    "autoencoder, 32": decode_dataset(reference, (codes_32["test"][a] + codes_32["test"][b]) / 2),
}
for name, x in middles.items():
    gap[name] = nearest_neighbors(x, x_train, k=1)[1].square().mean().item()
    print(f"{name}: the middle's mean squared distance to the nearest training image is {gap[name]:.1f}")

# %% [test] path-numbers-holds
assert gap["autoencoder, 32"] < 0.9 * gap["pixel cross-fade"]

# %% [markdown] path-seen
# The cross-fade shows two garments at once. The decoder shows one at a time, trousers that grow together, because it
# has only learned to draw garments. Over many pairs its middles lie nearer to real pictures. Read the number with care:
# blurred images lie near many others, and decoded ones are blurred. And the line may cross a dead zone, in which case
# you will see it. Explore other places of the path.

# %% path-explorer
walk = widgets.PathSlider({"2 numbers": model, "32 numbers": reference}, x_a, x_b, methods=("lerp",))
walk.move_to(0.4)
walk

# %% [markdown] retrieve-idea
# ### Finding similar pictures
#
# A code is a short description, and similar pictures should have similar codes. So we can search: encode everything
# once, then compare codes instead of pictures.

# %% [markdown] retrieve-task
# ### Exercise 3: retrieval by code
#
# *Medium, about 10 minutes.* Return the images whose codes are nearest to that of a given image.


# %% retrieve-exercise
def retrieve(images, codes, index, k):
    """The k images most like a given one, judged by their codes.

    Args:
        images: (N, C, H, W).
        codes: Their codes, (N, D).
        index: Position of the query in both.
        k: How many images to return.

    Returns:
        Images (k, C, H, W) with the smallest Euclidean distance between codes, nearest first, without the query itself.
    """
    ### BEGIN SOLUTION
    distance = (codes - codes[index]).norm(dim=1)  # (N,), a new tensor
    distance[index] = torch.inf
    return images[distance.argsort()[:k]]
    ### END SOLUTION


# %% retrieve-check
retrieve = checks.accept("retrieve", retrieve)

# %% [markdown] retrieve-hints
# <details><summary>Hint 1</summary>
#
# `codes - codes[index]` subtracts the query from every row; `norm(dim=1)` gives the N distances; `argsort()` sorts them
# and returns positions, smallest first.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The query is at distance 0 from itself and would come first. Set its distance to `torch.inf` before sorting, in the
# tensor of distances and not in `codes`.
#
# </details>

# %% [markdown] retrieve-figure-intro
# Each row starts with a query from the test set. The five images after it are the nearest by code, the last five the
# nearest by pixels: the same function, with the pixels themselves as "codes". Where do they differ?

# %% retrieve-figure
pixels = x_test.flatten(1)
rows = {}
for index in (16, 14, 8, 25):
    found = [x_test[index][None], retrieve(x_test, codes_32["test"], index, 5), retrieve(x_test, pixels, index, 5)]
    rows[test.class_names[test.labels[index]]] = torch.cat(found)
ax = plots.image_rows(rows, column_titles=["query", *["code"] * 5, *["pixel"] * 5])

# %% retrieve-numbers
spaces = {"pixels, 784 numbers": pixels, "map, 2 numbers": codes_test}
spaces |= {"autoencoder, 8 numbers": encode_dataset(references[8], test), "autoencoder, 32 numbers": codes_32["test"]}
spaces |= {"PCA, 32 numbers": pca.encode(x_test)}
accuracy = {name: knn_accuracy(z, test.labels) for name, z in spaces.items()}
for name, value in accuracy.items():
    print(f"{name:24s} 5 nearest neighbours agree on the right class for {value:.1%}")

# %% [test] retrieve-numbers-holds
assert accuracy["autoencoder, 32 numbers"] > accuracy["map, 2 numbers"]
assert accuracy["autoencoder, 32 numbers"] > accuracy["pixels, 784 numbers"] - 0.08

# %% [markdown] retrieve-seen
# 32 numbers find about as well as 784 pixels do, at a twenty-fourth of the memory. But read the whole table: PCA's 32
# numbers come close to the autoencoder's, although they reconstruct worse, and even the best of them is wrong for about
# one image in five. Low reconstruction error does not mean that distances follow meaning. Nothing in the loss asks for
# it, and the scale of each coordinate is arbitrary (section 4). Pictures in which likeness matters more than pixels
# need another objective; contrastive learning in lesson 16 is one.

# %% [markdown] changed
# ## What changed, and what did not
#
# | from PCA to an autoencoder | |
# |---|---|
# | **changed** | curved instead of flat; lower error at the same size; found by gradient descent, not by a formula |
# | **changed** | axes without order, scale or meaning; another seed gives another map |
# | **did not change** | the same verbs: `encode`, `decode`, `sample_latent`, and paths; every explorer works on both |
# | **did not change** | squared error, blind to small shifts; blurred edges |
# | **did not change** | nothing says where codes should lie, so sampling misses the data |

# %% [markdown] limits
# ## Limits and caveats
#
# * The reference models saw more images than PCA, and convolutions. Section 3 shows that PCA could not have used more
#   images; it does not separate the effect of depth from that of convolutions. The live model of section 2 had PCA's
#   very images.
# * "Dead" is defined by a threshold. 99% is a choice; 95% or 99.9% would move the border, not the conclusion.
# * The distance to the nearest training image favours blurred pictures. Lesson 21 has better measures of quality.
# * Class labels stand in for likeness in the retrieval figures. A shirt that looks like a pullover counts as wrong
#   there.
# * With enough capacity the decoder can learn single training images by heart. Here test and training error stay close;
#   see the printed columns of section 2.

# %% [markdown] quiz
# ## Quiz
#
# **1.** A friend's autoencoder with 1,000 numbers in the code restores 784-pixel images almost perfectly. What has it
# learned?
#
# <details><summary>Answer</summary>
#
# Possibly nothing: with $D \geq 784$ a network can copy. Low error is informative only together with a bottleneck, or
# with another constraint that forbids copying. Lesson 03 uses noise and sparsity as such constraints.
#
# </details>
#
# **2.** You train the same autoencoder twice with different seeds. Both have the same test error. May you decode codes
# of the first with the decoder of the second?
#
# <details><summary>Answer</summary>
#
# No. The loss does not fix the coordinates: any invertible change of $z$ that the decoder undoes gives the same error.
# Each pair of encoder and decoder speaks its own language.
#
# </details>
#
# **3.** In the two-dimensional map, a random code often decodes to something wearable; with 32 numbers hardly ever. Why
# does a better autoencoder sample worse?
#
# <details><summary>Answer</summary>
#
# The codes fill most of a small plane, but only a thin part of 32 dimensions. The Gaussian around them matches the mean
# and the spread of each coordinate and none of the relations between coordinates. The share of volume that is dead
# grows with the dimension, though reconstruction improves.
#
# </details>

# %% [markdown] summary
# ## Summary
#
# * Autoencoder: $z = E(x)$, $\hat{x} = D(z)$, loss $\frac{1}{B} \sum_i \lVert x_i - \hat{x}_i \rVert^2$: sum over
#   pixels, mean over the batch.
# * The bottleneck $D \ll P$ forces what is common into the weights and leaves what is particular to the code.
# * A linear autoencoder spans PCA's subspace (principal angles near 0) but not PCA's axes.
# * MSE and BCE are both smallest at $\hat{x} = x$; slopes by the logit: $2(\hat{x} - x)\,\hat{x}(1 - \hat{x})$ and
#   $\hat{x} - x$.
# * MSE charges more for a shift by one pixel than for a missing sleeve.
# * $E(D(z)) \approx z$ near training codes, not in dead zones. An autoencoder has no distribution to sample from.

# %% [markdown] references
# ## References
#
# * H. Bourlard and Y. Kamp (1988), *Auto-association by multilayer perceptrons and singular value decomposition*,
#   Biological Cybernetics 59, doi:10.1007/BF00332918.
# * P. Baldi and K. Hornik (1989), *Neural networks and principal component analysis: learning from examples without
#   local minima*, Neural Networks 2, doi:10.1016/0893-6080(89)90014-2.
# * G. E. Hinton and R. R. Salakhutdinov (2006), *Reducing the dimensionality of data with neural networks*, Science
#   313, doi:10.1126/science.1127647.
# * Å. Björck and G. H. Golub (1973), *Numerical methods for computing angles between linear subspaces*, Mathematics of
#   Computation 27, doi:10.2307/2005662.
# * Z. Wang and A. C. Bovik (2009), *Mean squared error: love it or leave it?*, IEEE Signal Processing Magazine 26,
#   doi:10.1109/MSP.2008.930649.
# * H. Xiao, K. Rasul and R. Vollgraf (2017), *Fashion-MNIST*, arXiv:1708.07747.

# %% [markdown] next
# ## Next
#
# Lesson 03 keeps the autoencoder and takes away the easy way out. Codes may be long, but the input is damaged, or most
# of the code must be zero. If you want to go further here first: train `SmallAutoencoder(2)` with another seed and lay
# the two maps side by side, or replace the loss by `bernoulli_nll(model.decoder(z), x).mean()` and compare the squared
# errors on test images.
