# %% [markdown] title
# {{header}}
#
# # 02. How few numbers can describe a picture?
#
# At the end of this lesson you can
#
# 1. write the training loop of an autoencoder, and compare its error with PCA's;
# 2. move through its codes with sliders of your own, and tie them to a map;
# 3. say where a map of codes is empty, and what it takes to draw new clothes from codes.

# %% [markdown] prerequisites
# **You need:** lesson 01 (PCA, codes, nearest neighbours) and gradient descent in PyTorch: a module, an optimizer,
# `backward()`.
#
# **Time:** {{learning}}, exercises included. Running all cells takes {{minutes}}.

# %% setup
{{setup}}

# %% imports
import ipywidgets
import matplotlib.pyplot as plt
import torch
from torch import nn

from course_utils import checks, plots, widgets
from course_utils.checkpoints import load_reference  # course_utils/checkpoints.py: models trained for longer, verified
from course_utils.claims import evidence  # course_utils/claims.py: stored results of repeated runs
from course_utils.data import fashion_mnist
from course_utils.device import pick_device, seed_everything
from course_utils.latents import decode_dataset, encode_dataset, latent_grid, nearest_neighbors  # latents.py
from course_utils.losses import squared_error  # course_utils/losses.py: one value per image
from course_utils.models.pca import PCA  # what you built in lesson 01

plt.rcParams["figure.dpi"] = 85
seed_everything(2)
g = torch.Generator().manual_seed(2)  # the random draws that take generator=g come from here
device = pick_device()
train, test = fashion_mnist("train"), fashion_mnist("test")
x_train, x_test = train.pixels(), test.pixels()  # (N, 1, 28, 28) in [0, 1]
print(f"{len(train):,} training and {len(test):,} test images, each {tuple(x_test.shape[1:])}; computing on {device}")

# %% [markdown] predict
# ## Predict first
#
# 1. PCA with two numbers for each picture leaves a certain squared error on unseen clothes. Now one network computes
#    two numbers from each picture, and a second one restores the picture from them. Is their error about the same as
#    PCA's, about two thirds of it, or about a tenth?
# 2. A network describes each picture by 32 numbers. You draw each of 32 new numbers by itself, from a Gaussian with
#    that number's mean and standard deviation over the training pictures, and decode them. With PCA, in lesson 01, this
#    gave ghosts. Do you get clothes now? If not: is the network to blame, or the way of drawing?
#
# <details><summary>Answers: open after sections 2 and 6</summary>
#
# 1. Two thirds is nearest: {{claim two-numbers.ratio% epochs=8}} over three [[seeds|seed]], and
#    {{claim two-numbers.ratio% epochs=32}} after four times as many epochs. (The middle run, and in brackets the lowest
#    and the highest.)
# 2. No: of the seven pictures shown in section 6, none is a clear garment. The way of drawing is to blame: it ignores
#    that the 32 numbers depend on each other. Codes from a mixture of Gaussians decode to clothes, with the same
#    network. The same kind of mixture helps PCA too.
#
# </details>

# %% [markdown] idea
# ## 1. Encoder, code, decoder
#
# An **[[autoencoder]]** is two networks in a row. The **encoder** $E$ turns an image $x$ into a short code $z$. The
# **decoder** $D$ turns the code back into an image $\hat{x}$:
#
# $$z = E(x), \qquad \hat{x} = D(z) .$$
#
# We only ask for the image back. For that we minimise the **[[reconstruction error]]** over the training images,
#
# $$\mathcal{L} = \frac{1}{B} \sum_{i=1}^{B} \lVert x_i - D(E(x_i)) \rVert^2 .$$
#
# In words: sum the squared differences over the pixels of an image, and average over the $B$ images of a [[batch]].
#
# With 784 numbers in the code, a network of enough [[capacity]] could copy all pixels and learn nothing. So we make the
# code much shorter. This is the **[[bottleneck]]**.
#
# In the program below, the decoder's last layer can give any number $l$. The **[[sigmoid]]** $1 / (1 + e^{-l})$ in
# `decode` turns it into a pixel between 0 and 1.


# %% autoencoder-class
class SmallAutoencoder(nn.Module):
    """784 -> hidden -> latent_dim -> hidden -> 784. Later: Autoencoder, in course_utils/models/autoencoder.py."""

    def __init__(self, latent_dim, hidden=256):
        super().__init__()
        self.latent_shape = (latent_dim,)  # the explorers read it
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, latent_dim))
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, hidden), nn.ReLU(), nn.Linear(hidden, 784), nn.Unflatten(1, (1, 28, 28))
        )

    def encode(self, x):  # (B, 1, 28, 28) -> (B, latent_dim)
        return self.encoder(x)

    def decode(self, z):  # (B, latent_dim) -> (B, 1, 28, 28) in [0, 1]
        return torch.sigmoid(self.decoder(z))


# %% shapes
model = SmallAutoencoder(latent_dim=2).to(device)
x = x_test[:5].to(device)
z = model.encode(x)
x_hat = model.decode(z)
print(f"x {tuple(x.shape)} -> z {tuple(z.shape)} -> x_hat {tuple(x_hat.shape)}")
print(f"{sum(p.numel() for p in model.parameters()):,} weights")

# %% [test] shapes-holds
assert z.shape == (5, 2)
assert x_hat.shape == x.shape

# %% [markdown] step-task
# ## 2. The training loop
#
# You write it, in two steps.
#
# ### Exercise 1, step 1: learn from one batch
#
# *Medium, about 6 minutes.* Encode the batch, decode it, compute the loss of section 1, and let the optimizer take one
# step. `backward()` adds to the gradients that are stored in the weights, so the old ones have to be cleared first.


# %% step-exercise
def training_step(model, optimizer, x):
    """Change the model by one step of the optimizer on a batch.

    Args:
        model: Has encode(x) -> z (B, latent_dim) and decode(z) -> x_hat (B, C, H, W) in [0, 1].
        optimizer: A PyTorch optimizer over the model's parameters.
        x: Images (B, C, H, W) in [0, 1].

    Returns:
        The loss from which the step was made, as a Python number: the squared error summed over the pixels of each
        image, then averaged over the batch.
    """
    ### BEGIN SOLUTION
    x_hat = model.decode(model.encode(x))
    loss = (x_hat - x).square().flatten(1).sum(dim=1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
    ### END SOLUTION


# %% step-check
training_step = checks.accept("training-step", training_step)

# %% [markdown] step-hints
# <details><summary>Hint 1</summary>
#
# Five things happen, in this order: reconstruct, compute the loss, `optimizer.zero_grad()`, `loss.backward()`,
# `optimizer.step()`. Then return `loss.item()`, the loss as a plain number.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `(x_hat - x).square()` has shape (B, C, H, W). `.flatten(1)` keeps the batch dimension and lines up the rest, so
# `.sum(dim=1)` gives one sum for each image, and `.mean()` averages the B sums.
#
# </details>

# %% [markdown] loop-task
# ### Exercise 1, step 2: the loop around it
#
# *Medium, about 7 minutes.* An **[[epoch]]** is one pass over all training images. Run your step on every batch of an
# epoch, and add up the losses. After each epoch, measure the same error on test images, without learning from them.
# The last batch of an epoch may be smaller than the others (our 11,000 images make 42 batches of 256 and one of 248),
# so weight each batch's loss by its number of images.


# %% loop-exercise
def train_model(model, optimizer, batches, x_test, epochs):
    """Train a model with `training_step`.

    Args:
        model, optimizer: As in `training_step`.
        batches: `for x in batches` runs once through all training images; each x is a batch (B, C, H, W).
        x_test: Images (N, C, H, W) on which the error is measured.
        epochs: How many passes over the batches.

    Returns:
        train_losses, test_losses: two lists of Python numbers, one number an epoch. The first is the mean over all
        images of the losses during the epoch, the second the error on x_test after it.
    """
    ### BEGIN SOLUTION
    train_losses, test_losses = [], []
    for _ in range(epochs):
        total, count = 0.0, 0
        for x in batches:
            total += training_step(model, optimizer, x) * len(x)
            count += len(x)
        train_losses.append(total / count)
        with torch.no_grad():
            x_hat = model.decode(model.encode(x_test))
        test_losses.append(squared_error(x_hat, x_test).mean().item())
    return train_losses, test_losses
    ### END SOLUTION


# %% loop-check
train_model = checks.accept("training-loop", train_model)

# %% [markdown] loop-hints
# <details><summary>Hint 1</summary>
#
# Two loops, one inside the other: `for epoch in range(epochs):` and in it `for x in batches:`. Set a total to 0 at the
# beginning of each epoch, add `training_step(model, optimizer, x) * len(x)` for each batch, and divide by the number of
# images at the end.
#
# </details>
# <details><summary>Hint 2</summary>
#
# After the inner loop, and inside the outer one: `with torch.no_grad():` reconstruct `x_test`. `squared_error(x_hat,
# x_test)` gives one error for each image; append its mean, made a Python number by `.item()`.
#
# </details>

# %% [markdown] train-intro
# Now your loop trains the model. Watch both columns: do they fall together?

# %% train
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
batches = train.batches(256, device=device, shuffle=True, generator=g)  # course_utils/data/images.py
train_losses, test_losses = train_model(model, optimizer, batches, x_test.to(device), epochs=8)
for epoch, (a, b) in enumerate(zip(train_losses, test_losses, strict=True), start=1):
    print(f"epoch {epoch}: training {a:5.1f} (mean of the epoch), test {b:5.1f} (after it)")

# %% [test] train-holds
assert test_losses[-1] < 0.95 * test_losses[0]
assert abs(test_losses[-1] / train_losses[-1] - 1) < 0.1

# %% [markdown] train-remark
# Both columns fall. The test error is lower because it is measured after the epoch; the training loss is a mean over
# the epoch, in which the network was worse at first.
#
# Is that good? We compare with PCA. In the figure, look at what each row gets right: the kind of garment, its outline,
# its print.

# %% two-numbers
pca = PCA(32).fit(train)  # fitted once; its first k components are the PCA with k components
x_pca = pca.reconstruct(x_test, 2)
x_ae = decode_dataset(model, encode_dataset(model, x_test))
error_pca, error_ae = squared_error(x_pca, x_test).mean().item(), squared_error(x_ae, x_test).mean().item()
plots.image_rows({"test image": x_test[:8], "PCA, 2 numbers": x_pca[:8], "autoencoder, 2": x_ae[:8]})
print(f"squared error on test images: PCA {error_pca:.1f}, autoencoder {error_ae:.1f}: {error_ae / error_pca:.0%}")

# %% [test] two-numbers-holds
assert error_ae < 0.85 * error_pca

# %% [markdown] two-seen
# The autoencoder leaves about two thirds of PCA's error: that was the first question. PCA's pictures are blurs in which
# several kinds overlap. The autoencoder gets most kinds and outlines right; the sandal became a sneaker. Print and
# texture are gone in both rows.
#
# Why is it better? PCA's picture is the mean picture plus $z_0$ times a fixed picture plus $z_1$ times another. So all
# its pictures lie on one flat plane in the space of pixels. The decoder's **[[ReLUs|relu]]**, which replace negative
# numbers by 0, and its sigmoid bend the plane. A bent surface can pass close to trousers and also close to shoes.

# %% [markdown] sweep-intro
# ## 3. How wide should the bottleneck be?
#
# For codes of 2, 8 and 32 numbers we load **[[reference models|reference model]]**. They are networks of another kind,
# trained on all 60,000 images for 15 epochs, as their **[[cards|card]]** say. (Two further sections show these networks
# and the full data.) Is the last column below 1 in each row? And does it keep falling?

# %% sweep
sizes = (2, 8, 32)
references = {d: load_reference(f"autoencoder_{d}d", device) for d in sizes}
restored = {d: decode_dataset(references[d], encode_dataset(references[d], x_test)) for d in sizes}
print("numbers   PCA   autoencoder   ratio")
for d in sizes:
    a, b = (squared_error(x_hat, x_test).mean().item() for x_hat in (pca.reconstruct(x_test, d), restored[d]))
    print(f"{d:7d} {a:5.1f} {b:13.1f} {b / a:7.2f}")

# %% [test] sweep-holds
for d in sizes:
    own = squared_error(pca.reconstruct(x_train, d), x_train).mean()
    assert squared_error(restored[d], x_test).mean() < 0.9 * squared_error(pca.reconstruct(x_test, d), x_test).mean()
    assert abs(own - squared_error(pca.reconstruct(x_test, d), x_test).mean()) < 0.05 * own  # PCA does not overfit

# %% [markdown] sweep-seen
# It is below 1 each time. From 8 to 32 numbers it stays about the same. With 2 numbers, the reference is no better than
# your small network, although it saw more images and trained for longer.
#
# Not every network beats PCA. We also trained the small network with 32 numbers, with three seeds. After
# 8 epochs its error is *larger* than PCA's, {{claim many-numbers.ratio epochs=8}} times. After 32 epochs it is
# {{claim many-numbers.ratio epochs=32}} times PCA's: this network had to be trained for longer.
#
# How few numbers are enough depends on what the code is for. For a map of all clothes, take 2. To find similar clothes,
# 2 are too few. Let the five nearest other test images vote on an image's class. Nearest by 2 numbers, they are right
# for {{claim two-numbers.knn_ae% epochs=32}} of the images, by 32 numbers for
# {{claim many-numbers.knn_ae% epochs=32}}, by all 784 pixels for {{claim many-numbers.knn_pixels% epochs=32}}. (Small
# networks, 32 epochs.)

# %% [markdown] map-idea
# ## 4. The map
#
# With two numbers in a code, every test image is a point on a plane. The network was never told the classes. Which of
# them lie apart all the same, and which overlap? (Each name stands at the middle of its class, also where the class
# lies in two pieces, as the bags do.)

# %% map
codes_train, codes_test = encode_dataset(model, train), encode_dataset(model, test)  # (N, 2) each
figure, ax = plt.subplots(figsize=(6, 6.5), layout="constrained")
ax = plots.latent_scatter(codes_test[:700], test.labels[:700], test.class_names, ax=ax)  # 700 are enough to see

# %% [markdown] map-seen
# Footwear keeps to the top, together with many bags. Trousers lie at the lower right, beside the dresses. Pullovers,
# coats and shirts share a region: in two numbers, and by outline alone, they look the same.
#
# Now the other direction. The **map** is from here on a rectangle: on each axis it runs over the middle 99% of the
# training codes. We decode 7 by 7 places of it, and each picture is centred on its place. Follow a row. Where does one
# garment turn into another smoothly, and where does it pass through something that you could not wear?

# %% map-canvas
low, high = codes_train.quantile(0.005, dim=0), codes_train.quantile(0.995, dim=0)
x_range, y_range = (low[0].item(), high[0].item()), (low[1].item(), high[1].item())
decoded = latent_grid(model, x_range, y_range, 7)  # (7, 7, 1, 28, 28)
figure, ax = plt.subplots(figsize=(7.8, 7.8), layout="constrained")
ax = plots.latent_canvas(decoded, x_range, y_range, ax=ax)

# %% [markdown] slider-task
# In the second row from below, a garment with short sleeves becomes trousers, smoothly up to the sixth picture. The
# last one is no garment. In the middle row a pullover gets darker, the sixth picture is almost black, and the last
# shows pieces of a shoe.
#
# ### Exercise 2: two sliders for the map
#
# *Medium, about 6 minutes.* Build two sliders, one for each number, and *one* picture that follows both.
# `ipywidgets.interactive_output(draw, {"x": a, "y": b})` calls `draw(x=..., y=...)` with both values when one slider
# moves. `ipywidgets.VBox` puts widgets below each other, `ipywidgets.HBox` side by side, and a box can stand in a box.


# %% slider-exercise
def code_sliders(model, start, x_range, y_range):
    """A slider for each of the two numbers of a code, and one decoded picture that follows both.

    Args:
        model: Decodes codes (B, 2) to images (B, 1, H, W); `decode_dataset(model, codes)` gives them on the CPU.
        start: The code at which the sliders begin, (2,).
        x_range, y_range: The lowest and the highest value of z[0], and of z[1].

    Returns:
        An ipywidgets box with the FloatSlider of z[0], then that of z[1], and the decoded picture of the code
        [z[0], z[1]], drawn anew when one of them moves.
    """

    ### BEGIN SOLUTION
    def draw(x, y):
        plt.figure(figsize=(2.5, 2.5))
        plt.imshow(decode_dataset(model, torch.tensor([[x, y]]))[0, 0], cmap="gray", vmin=0, vmax=1)
        plt.show()

    x, y = start.tolist()
    across = ipywidgets.FloatSlider(value=x, min=x_range[0], max=x_range[1], description="z[0]")
    up = ipywidgets.FloatSlider(value=y, min=y_range[0], max=y_range[1], description="z[1]")
    picture = ipywidgets.interactive_output(draw, {"x": across, "y": up})
    return ipywidgets.HBox([ipywidgets.VBox([across, up]), picture])
    ### END SOLUTION


# %% slider-check
code_sliders = checks.accept("code-sliders", code_sliders)
own = code_sliders(model, codes_train[0], x_range, y_range)
own

# %% [markdown] slider-hints
# <details><summary>Hint 1</summary>
#
# Inside `code_sliders`, define `draw(x, y)`. The code is `torch.tensor([[x, y]])`, of shape (1, 2). Decode it with
# `decode_dataset`, show place `[0, 0]` of the result with `plt.imshow(..., cmap="gray", vmin=0, vmax=1)`, and end with
# `plt.show()`. Without `vmin` and `vmax` a dark picture would be stretched to full brightness.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `across = ipywidgets.FloatSlider(value=start[0].item(), min=x_range[0], max=x_range[1])` is the first slider. The last
# lines are `picture = ipywidgets.interactive_output(draw, {"x": across, "y": up})` and `return
# ipywidgets.HBox([ipywidgets.VBox([across, up]), picture])`.
#
# </details>

# %% [markdown] map-explorer-intro
# ### Explore
#
# Our explorer `LatentPad` is a control of the same kind: drag the point, click, or use the arrow keys. Beside the
# decoded image stands the training image with the nearest code. `jsdlink((a, "value"), (b, "value_0"))` copies each new
# value of `a` into `b`. So two lines make *your* sliders move our point (but not the reverse).
#
# Go from the trousers to the right, first a little and then farther. Is what is drawn still like the nearest image?

# %% map-explorer
pad = widgets.LatentPad(
    model, codes_train, train.labels, train.class_names, images=train, start=codes_train[0].tolist()
)
across, up = widgets.sliders_in(own)  # course_utils/widgets/boxes.py
ipywidgets.jsdlink((across, "value"), (pad, "value_0"))
ipywidgets.jsdlink((up, "value"), (pad, "value_1"))
ipywidgets.VBox([own, pad])

# %% [test] map-explorer-holds
assert torch.allclose(torch.tensor([across.value, up.value]), torch.tensor(pad.position))

# %% [markdown] map-explorer-seen
# A little to the right both are trousers. At the right edge the drawing is in pieces. The nearest image is still a
# whole pair of trousers.

# %% [markdown] dead-idea
# ## 5. Where the map is empty
#
# From each test code we measure the distance to the nearest training code. 99% of these distances are below a
# threshold. We call a place **dead** (a **[[dead zone]]**) if its own distance to the nearest training code is above
# the threshold. Test images are unseen pictures of the same kind, so only about 1% of new pictures of clothes have
# their codes at dead places. In the figure, which dead places lie outside of all codes, and which lie between classes?
# (Markers as in section 4; white spots in the grey are single training codes.)


# %% dead-figure
def to_nearest_code(z):
    return nearest_neighbors(z, codes_train, k=1)[1].flatten()  # (B,)


threshold = to_nearest_code(codes_test).quantile(0.99).item()
grid = torch.cartesian_prod(torch.linspace(*x_range, 45), torch.linspace(*y_range, 45))  # (2025, 2)
dead = to_nearest_code(grid) > threshold
print(f"{dead.float().mean().item():.1%} of the map is farther than {threshold:.2f} from the nearest training code")
figure, ax = plt.subplots(figsize=(6.5, 6), layout="constrained")
ax = plots.latent_scatter(codes_train[:1000], train.labels[:1000], train.class_names, legend=False, ax=ax)
picture = {"extent": (*x_range, *y_range), "origin": "lower", "cmap": "Greys", "vmin": 0, "aspect": "auto"}
ax.imshow(dead.reshape(45, 45).T, vmax=3, **picture)
_ = ax.set(xlim=x_range, ylim=y_range, title="grey: dead; points: 1,000 of the 11,000 training codes")

# %% [test] dead-figure-holds
assert dead.float().mean() > 0.05
nearest, away = (one.flatten() for one in nearest_neighbors(grid, codes_train, k=1))
unlike = squared_error(decode_dataset(model, grid), x_train[nearest])
assert unlike[dead & (away <= 3 * threshold)].mean() > unlike[~dead].mean()

# %% [markdown] dead-seen
# Much of the grey lies at the corners, outside of the codes. At the right a large bay reaches in between sandals and
# trousers.
#
# - **The dead share depends on the rectangle.** Over three seeds, {{claim two-numbers.dead% epochs=8}} of the map is
#   dead. Of a rectangle for 95% along each axis it is {{claim two-numbers.dead_inner% epochs=8}}, of one for all codes
#   {{claim two-numbers.dead_all% epochs=8}}.
# - **A dead place can still decode to a garment.** We take the squared error between a decoded picture and the image
#   of the nearest code. Its median is {{claim two-numbers.unlike_alive epochs=8}} at living places and
#   {{claim two-numbers.unlike_near epochs=8}} at dead places up to three thresholds from a code. Beyond six thresholds
#   it is {{claim two-numbers.unlike_far epochs=8}}. (The mean, which counts the worst pictures more, is on this map
#   larger at the near dead places too.)
#
# Less than 1% of this map is a *hole*, a dead place with living places all round (see "Are there holes?" below).

# %% [markdown] generator-idea
# ## 6. Drawing new clothes
#
# To make a new picture we need a code without having an image. The loss says nothing about how codes are distributed.
# So we fit a distribution to the codes of training images. We try three, on the reference model with 32 numbers:
#
# - **along the axes**: each number is drawn by itself, as in the second question above;
# - **one Gaussian** for all 32 numbers, with their **[[covariance]]**: which numbers rise and fall together. Its cloud
#   of codes is a tilted ellipsoid;
# - **a mixture of 20 Gaussians** ([[Gaussian mixture]]): first choose one of 20 such clouds, then draw from it. Shoes
#   and tops can have clouds of their own. scikit-learn fits it: `GaussianMixture`.
#
# The network that decodes is the same for all three. Two more rows show PCA with as many numbers: the same test images
# restored, and draws from a mixture that is fitted to PCA's codes. Look for anything that you would put on.

# %% generator
from sklearn.mixture import GaussianMixture

reference = references[32]
codes_32 = {"train": encode_dataset(reference, train), "test": encode_dataset(reference, test)}
z = codes_32["train"]
gaussian = torch.distributions.MultivariateNormal(z.mean(dim=0), torch.cov(z.T))
drawn = {
    "restored test images": codes_32["test"][:400],
    "along the axes": z.mean(dim=0) + z.std(dim=0) * torch.randn(400, 32, generator=g),
    "one Gaussian": gaussian.sample((400,)),
}
order = torch.randperm(400, generator=g)  # a mixture's draws come in the order of its components


def draw_mixture(z):
    mixture = GaussianMixture(20, random_state=0).fit(z.double().numpy())
    return torch.from_numpy(mixture.sample(400)[0]).float()[order]


drawn["mixture of 20"] = draw_mixture(z)
images = {name: decode_dataset(reference, z) for name, z in drawn.items()}
images["PCA, restored"] = pca.reconstruct(x_test[:400], 32)
images["PCA, mixture of 20"] = pca.decode(draw_mixture(pca.encode(x_train)))
ax = plots.image_rows({name: x[:7] for name, x in images.items()})

# %% [markdown] generator-measure
# Now in numbers. A draw is dead by the rule of section 5, with this model's own threshold. Then comes the mean
# *squared* distance of the pictures to the nearest training image.

# %% generator-numbers
limit = nearest_neighbors(codes_32["test"], codes_32["train"], k=1)[1].quantile(0.99)
far, dead_share = {}, {}
for name, z in drawn.items():
    dead_share[name] = (nearest_neighbors(z, codes_32["train"], k=1)[1] > limit).float().mean().item()
    print(f"{name:20s}: {dead_share[name]:6.1%} dead")
for name, x in images.items():
    far[name] = nearest_neighbors(x, x_train, k=1)[1].square().mean().item()
    print(f"{name:20s}: squared distance to clothes {far[name]:5.1f}")

# %% [test] generator-numbers-holds
assert dead_share["along the axes"] > 0.99
assert dead_share["mixture of 20"] < 0.08
assert 0.6 < dead_share["one Gaussian"] < 0.75
assert far["mixture of 20"] < 1.25 * far["restored test images"]
assert far["one Gaussian"] > 1.8 * far["mixture of 20"]
assert far["PCA, mixture of 20"] < 1.25 * far["PCA, restored"]

# %% [markdown] generator-seen
# Along the axes none of the seven pictures is a clear garment, and all 400 codes are dead. That was the second
# question: the decoder is not to blame. From the mixture's codes it makes pictures that are nearly as close to clothes
# as restored test images are. The pictures of one Gaussian are about twice as far away.
#
# Is it the network that draws well? PCA's pictures from a mixture are nearly as close to clothes as PCA's restored ones
# are. So **a distribution that fits the codes brings the pictures close to clothes, on PCA's codes as well as on the
# autoencoder's** (Ghosh et al. 2020 fit one to an autoencoder's). In the picture the network's draws
# have clear outlines, and PCA's have smears and a grey haze. Squared distance does not see it, because it favours blur:
# PCA's is even smaller. (PCA with one Gaussian: see "Drawing from other networks" below.)

# %% [markdown] generator-remark
# What is missing? The distribution came afterwards, and nothing in training makes the codes easy to draw from. The
# variational autoencoder of lesson 04 fixes the distribution in advance.

# %% [markdown] changed
# ## What changed, and what did not
#
# | from PCA to an autoencoder | |
# |---|---|
# | **changed** | a bent surface instead of a plane: about two thirds of PCA's error |
# | **changed** | found by gradient descent, not by a formula |
# | **did not change** | `encode` and `decode`, so the same explorers work on both |
# | **did not change** | squared error, and its blurred edges |
# | **did not change** | codes come without a distribution; one can be fitted afterwards |

# %% [markdown] limits
# ## Limits and caveats
#
# * The reference models saw more images than PCA. Your network saw the same.
# * The distance to the nearest training image is small for blurred pictures. So compare only pictures of one decoder
#   with each other.
# * We tried mixtures of 20 Gaussians only.

# %% [markdown] quiz
# ## Quiz
#
# **1.** A friend's autoencoder with 1,000 numbers in the code restores 784-pixel images almost perfectly. What has it
# learned?
#
# <details><summary>Answer</summary>
#
# Possibly nothing: with more numbers than pixels a network of enough capacity can copy. A low error says something only
# together with a bottleneck, or with another constraint that forbids copying (lesson 03).
#
# </details>
#
# **2.** You train the same autoencoder with two seeds. May you decode codes of the first with the decoder of the
# second?
#
# <details><summary>Answer</summary>
#
# No. The loss does not fix the coordinates. For example, double all codes in the last layer of the encoder and halve
# them in the first layer of the decoder: the error is the same.
#
# </details>
#
# **3.** Two people measure which share of one map is dead. One says 20%, the other 45%. Can both be right?
#
# <details><summary>Answer</summary>
#
# Yes. The share depends on the rectangle that they look at, and on the threshold.
#
# </details>

# %% [markdown] summary
# ## Summary
#
# * Autoencoder: $z = E(x)$, $\hat{x} = D(z)$, loss $\frac{1}{B} \sum_i \lVert x_i - \hat{x}_i \rVert^2$: sum over
#   pixels, mean over the batch. A step: forward, loss, `zero_grad`, `backward`, `step`.
# * Two numbers of the small network leave {{claim two-numbers.ratio% epochs=8}} of PCA's error.
# * How few numbers? Two give a map. To find similar clothes, 32 are better.
# * A place is dead if it is farther from the training codes than 99% of test codes are.
# * Dead draws (reference model, 32 numbers): along the axes all, one Gaussian about two thirds, a mixture of 20 about
#   one in twenty. A mixture brings the pictures close to clothes, with PCA too.
#
# Here the core of the lesson ends. Each section below stands by itself and can be skipped.

# %% [markdown] holes-idea
# ## Further: Are there holes?
#
# A dead place of section 5 belongs to a **hole** if it is *enclosed*: from the edge of the map one cannot walk to it
# over dead places. All other dead places are joined to the edge. They lie outside of the codes, or in a bay that is
# open to one side.
#
# In the figure, look for black squares. Do they lie between the classes?


# %% joined-to-edge
def joined_to_edge(dead):
    """Which dead places of a grid (R, C) can be reached from its edge over dead places."""
    joined = dead.clone()
    joined[1:-1, 1:-1] = False  # begin with the edge itself
    for _ in range(dead.numel()):
        # one step in all eight directions (the largest value of each 3 x 3 window), kept where the place is dead
        grown = nn.functional.max_pool2d(joined.float()[None], 3, stride=1, padding=1)[0].bool() & dead
        if torch.equal(grown, joined):
            return joined
        joined = grown


# %% holes-figure
enclosed = dead & ~joined_to_edge(dead.reshape(45, 45)).flatten()
print(f"joined to the edge: {(dead & ~enclosed).sum() / 2025:.1%} of the map, enclosed: {enclosed.sum() / 2025:.1%}")
figure, ax = plt.subplots(figsize=(6.5, 6), layout="constrained")
ax.imshow((dead.float() + 4 * enclosed).reshape(45, 45).T, vmax=5, **picture)
ax = plots.latent_scatter(codes_train[:300], train.labels[:300], train.class_names, legend=False, ax=ax)
_ = ax.set(xlim=x_range, ylim=y_range, aspect="auto", title="black: enclosed; grey: dead and joined to the edge")

# %% [test] holes-figure-holds
assert (dead & ~enclosed).sum() > 4 * enclosed.sum()

# %% [markdown] holes-seen
# There are a few black squares, no more than three together (corners count as touching). Most of them stand near the
# rim of the cloud, some between classes and some inside of one. Over three seeds
# {{claim two-numbers.enclosed% epochs=8}} of the map is enclosed. Are these holes that the network has made? Two
# comparisons speak against it.
#
# - We fitted a mixture of 20 Gaussians to the two-number codes, a smooth distribution, and drew as many codes from it.
#   Of its map {{claim two-numbers.enclosed_smooth% epochs=8}} is enclosed. So chance alone, which leaves gaps between
#   11,000 points, encloses more than half as much. With a stricter rule, 95% in place of 99% of the test codes, and 32
#   epochs, the shares are about equal: {{claim two-numbers.enclosed_strict% epochs=32}} for the network's codes and
#   {{claim two-numbers.enclosed_smooth_strict% epochs=32}} for the smooth ones.
# - If holes were gaps between classes, their nearest codes would be of several classes. The five nearest codes are of
#   several classes for {{claim two-numbers.mixed_enclosed% epochs=8}} of the enclosed places, and for
#   {{claim two-numbers.mixed_alive% epochs=8}} of the living ones.
#
# All this is about two numbers. In 32 dimensions nobody can walk over a grid, and we have not looked for holes there.

# %% [markdown] others-idea
# ## Further: Drawing from other networks
#
# Section 6 drew from one network. Here is the same for the small network of section 2 with 32 numbers, for three seeds
# and two training times, and for PCA with 32 numbers. "Dead" is a share of 1. "Nearly a training code" means closer to
# the nearest training code than 99% of test codes are: a generator that only copied would have a large share there.
# Does the mixture stay first?

# %% generator-evidence
evidence("02", "many-numbers")

# %% [markdown] others-seen
# The mixture is first in all six runs of the network and in the three of PCA, which knows no epochs. Hardly any of its
# draws is nearly a training code. With PCA, one Gaussian is about as far as draws along the axes. PCA's numbers are not
# correlated, so their covariance adds nothing. Longer training makes the network's draws along the axes worse: their
# distance to clothes grows. (It is larger still in section 6, for another network with other training.)

# %% [markdown] conv-idea
# ## Further: The convolutional networks
#
# The reference models are **[[convolutional|convolution]]**. A convolution looks at a small window, here of 3 by 3
# pixels, and moves it over the picture, with the same weights everywhere. What it computes at a place is a [[feature]],
# such as how much of an edge is there, and each *channel* holds one feature at all places. This is their encoder. With
# `stride=2` the window moves in steps of two pixels, so height and width are halved.


# %% conv-encoder
def conv_encoder(latent_dim, channels=64):
    """Images (B, 1, 28, 28) to codes (B, latent_dim)."""
    return nn.Sequential(
        nn.Conv2d(1, channels // 2, kernel_size=3, stride=2, padding=1),  # (B, channels/2, 14, 14)
        nn.ReLU(),
        nn.Conv2d(channels // 2, channels, kernel_size=3, stride=2, padding=1),  # (B, channels, 7, 7)
        nn.ReLU(),
        nn.Flatten(),  # (B, channels * 49)
        nn.Linear(channels * 49, latent_dim),
    )


# %% [markdown] decoder-task
# ### Exercise 3: the decoder of the convolutional network
#
# *Medium, about 8 minutes.* The decoder goes the way back: from a code to 7 by 7, to 14 by 14, to 28 by 28 pixels. The
# way to 7 by 7 is given. To double the size, we use **pixel shuffling**: a convolution makes four channels for each one
# that we want, and `nn.PixelShuffle(2)` turns each four channels into blocks of 2 by 2 pixels.


# %% decoder-exercise
def conv_decoder(latent_dim, channels=64):
    """Codes (B, latent_dim) to x_logits (B, 1, 28, 28): a convolution and a pixel shuffle, twice, a ReLU between.

    Both convolutions have kernel_size=3 and keep the size. After the first shuffle there are channels // 2 channels
    of 14 by 14, after the second there is 1 of 28 by 28. No sigmoid: that is in decode().
    """
    start = [nn.Linear(latent_dim, channels * 49), nn.ReLU(), nn.Unflatten(1, (channels, 7, 7))]
    ### BEGIN SOLUTION
    return nn.Sequential(
        *start,
        nn.Conv2d(channels, 2 * channels, kernel_size=3, padding=1),  # (B, 4 * channels/2, 7, 7)
        nn.PixelShuffle(2),  # (B, channels/2, 14, 14)
        nn.ReLU(),
        nn.Conv2d(channels // 2, 4, kernel_size=3, padding=1),  # (B, 4, 14, 14)
        nn.PixelShuffle(2),  # (B, 1, 28, 28)
    )
    ### END SOLUTION


# %% decoder-check
conv_decoder = checks.accept("conv-decoder", conv_decoder)

# %% [markdown] decoder-hints
# <details><summary>Hint 1</summary>
#
# `return nn.Sequential(*start, ...)` with five more layers: convolution, shuffle, ReLU, convolution, shuffle. A
# convolution with `kernel_size=3` keeps height and width when `padding=1`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The shuffle divides the number of channels by four. For `channels // 2` channels after it, the first convolution has
# to make `4 * (channels // 2)`, which is `2 * channels`. For one grey image the second one has to make 4.
#
# </details>

# %% [markdown] decoder-intro
# With `channels=32` your networks have the layers of the reference model with 32 numbers, so its trained weights fit
# into them. The error should be that of section 3.

# %% decoder-test-run
encoder, decoder = conv_encoder(32, channels=32).to(device), conv_decoder(32, channels=32).to(device)
with torch.no_grad():
    for mine, trained in ((encoder, references[32].encoder), (decoder, references[32].decoder)):
        for weights, values in zip(mine.parameters(), trained.parameters(), strict=True):
            weights.copy_(values)
    yours = torch.sigmoid(decoder(encoder(x_test.to(device)))).cpu()
print(f"error of your network with 32 numbers: {squared_error(yours, x_test).mean().item():.1f}")

# %% [test] decoder-test-run-holds
assert torch.allclose(yours, restored[32], atol=1e-4)

# %% [markdown] sweep-figure-intro
# ## Further: What more numbers bring back
#
# The models of section 3 in pictures, for shirts, the class with the most patterns. From which row on are the sleeves
# right, from which row the pattern? Below stand the errors with 32 numbers, shirt by shirt.

# %% sweep-figure
some = (test.labels == 6).nonzero().flatten()[torch.arange(1, 6)]
rows = {"test image": x_test[some]}
rows |= {f"autoencoder, {d}": restored[d][some] for d in sizes}
rows["PCA, 32"] = pca.reconstruct(x_test[some], 32)
ax = plots.image_rows(rows)
print("error with 32 numbers:", *(f"{error:.1f}" for error in squared_error(restored[32][some], x_test[some])))

# %% [markdown] sweep-figure-seen
# The sleeves are right from 8 numbers on: look at the last shirt, which has none. The pattern comes back in no row.
# Patterns are expensive: even with 32 numbers, the checked shirt costs 17.1 here and the others at most 4.8.

# %% [markdown] strangers-idea
# ## Further: What comes out when it is no clothing?
#
# So far all pictures were clothes. Now we put in other things: garments upside down, the halves of two garments,
# handwritten digits from scikit-learn, and pure noise. Does an autoencoder make clothes of whatever comes in? Compare
# the rows for 2 and for 32 numbers; below stand the errors, column by column.

# %% strangers
from sklearn.datasets import load_digits

digits = torch.from_numpy(load_digits().images[[3, 8]]).float()[:, None] / 16  # (2, 1, 8, 8)
digits = nn.functional.pad(nn.functional.interpolate(digits, size=(20, 20), mode="bilinear"), (4, 4, 4, 4))
halves = torch.cat([x_test[2:3, :, :14], x_test[9:10, :, 14:]], dim=2)  # a pullover above, a shoe below
noise = torch.rand(1, 1, 28, 28, generator=g)
strangers = torch.cat([x_test[1:2], x_test[1:2].flip(2), x_test[9:10].flip(2), halves, digits, noise])
rows = {"input": strangers}
rows |= {f"autoencoder, {d}": decode_dataset(references[d], encode_dataset(references[d], strangers)) for d in (2, 32)}
rows["PCA, 32"] = pca.reconstruct(strangers, 32)
titles = ["garment", "upside\ndown", "upside\ndown", "two\nhalves", "digit", "digit", "noise"]
ax = plots.image_rows(rows, column_titles=titles)
for name, x_hat in list(rows.items())[1:]:
    print(f"{name:16s}", "  ".join(f"{error:5.1f}" for error in squared_error(x_hat, strangers).tolist()))

# %% [markdown] strangers-seen
# It depends on the bottleneck. With 2 numbers a digit comes out as a garment: the decoder of this model has hardly
# anything else to draw. With 32 numbers the shape of the stranger comes back, roughly: trousers upside down stay upside
# down, and a digit becomes a blot of the digit's size. PCA with 32 numbers has a larger error for each stranger. Noise
# comes back in no row.
#
# Can the error tell strangers from clothes? On average it is larger for digits. Over all 1,797 digits of the set, three
# small networks with 32 numbers leave {{claim many-numbers.digits epochs=32}} after 32 epochs, and
# {{claim many-numbers.clothes epochs=32}} for test clothes. But with the reference, these two digits cost less than the
# checked shirt of the section above. So a low error does not prove that a picture is like
# the training data. Lesson 03 asks what the error can be used for.

# %% [markdown] round-trip-idea
# ## Further: There and back
#
# Decode a code and encode the result: $E(D(z))$. Where the networks were trained, this should come back near $z$. We
# measure how far it comes out, at test codes and at dead places of the map.


# %% round-trip
def round_trip(z):
    """How far the code of the decoded image is from the code itself, (B,)."""
    return (encode_dataset(model, decode_dataset(model, z)) - z).norm(dim=1)


there, back = round_trip(codes_test).median().item(), round_trip(grid[dead.flatten()]).median().item()
print(f"median round trip: {there:.2f} at test codes, {back:.2f} at dead places: {back / there:.1f} times as far")
print(f"threshold of section 5: {threshold:.2f}")

# %% [test] round-trip-holds
assert back > 1.5 * there

# %% [markdown] round-trip-seen
# Dead places come back farther off. But test codes do not come back exactly either. Over three seeds they move by more
# than the threshold between dead and alive:
#
# | small network | 8 epochs | 32 epochs |
# |---|---|---|
# | threshold | {{claim two-numbers.threshold epochs=8}} | {{claim two-numbers.threshold epochs=32}} |
# | test codes move by | {{claim two-numbers.moved_alive epochs=8}} | {{claim two-numbers.moved_alive epochs=32}} |
# | dead places move by | {{claim two-numbers.moved_dead epochs=8}} | {{claim two-numbers.moved_dead epochs=32}} |
#
# Nothing in the loss asks for $E(D(z)) = z$. It asks for $D(E(x)) \approx x$, which is something else.

# %% [markdown] linear-idea
# ## Further: Without bends it is PCA
#
# Take away the ReLUs and the sigmoid. What remains is $\hat{x} = W_D W_E\, x$ on centred images. Such a network cannot
# beat PCA, because PCA is the best linear map of its rank (lesson 01). Does gradient descent arrive at PCA?
#
# With the mean picture taken off, PCA's pictures lie in one plane through 0, a [[subspace]]. So do those of the
# network. We compare two subspaces by **[[principal angles|principal angle]]**. Let the columns of $Q_a$ and $Q_b$ be
# orthonormal bases. The cosines of the principal angles are the singular values of $Q_a^\top Q_b$. If all angles are 0,
# it is the same subspace. An angle of 90 degrees is a direction of one that the other does not have at all. (The
# function takes the basis vectors as rows, as PCA's components are, and transposes them.)


# %% principal-angles
def principal_angles(a, b):
    """Angles in degrees between the spaces spanned by the rows of a (K, N) and of b (M, N), smallest first."""
    q_a, q_b = torch.linalg.qr(a.double().T).Q, torch.linalg.qr(b.double().T).Q
    return torch.rad2deg(torch.acos(torch.linalg.svdvals(q_a.T @ q_b).clamp(max=1)))


flat, tilted = torch.eye(3)[:2], torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
print("the floor and a plane that rises at 45 degrees:", principal_angles(flat, tilted).round(decimals=3).tolist())

# %% [markdown] linear-train-intro
# Now train a linear autoencoder with 2 numbers, with the package's loop. After each epoch we measure the angle between
# each of the first 2 principal components and the space that the decoder can reach (the columns of $W_D$). Which
# component is found first?

# %% linear-train
from course_utils.training import fit  # course_utils/training/loop.py: the loop of section 2

mean = x_train.mean(dim=0).to(device)
linear = nn.Sequential(nn.Flatten(), nn.Linear(784, 2, bias=False), nn.Linear(2, 784, bias=False)).to(device)
optimizer = torch.optim.Adam(linear.parameters(), lr=1e-2)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8)  # smaller steps towards the end
components = pca.components[:2]


def to_components():
    """Angle between each component and what the decoder reaches, in degrees, (2,)."""
    return torch.cat([principal_angles(linear[2].weight.detach().cpu().T, one[None]) for one in components])


def linear_loss(linear, x):
    return {"loss": (linear(x - mean) - (x - mean).flatten(1)).square().sum(dim=1).mean()}


def after_epoch(linear, record):
    schedule.step()
    angles.append(to_components())


angles = [to_components()]
fit(linear, train.batches(128, device=device, shuffle=True, generator=g), epochs=8, optimizer=optimizer,
    loss=linear_loss, on_epoch=after_epoch, progress=False)  # fmt: skip
series = {f"component {k + 1}": (range(9), torch.stack(angles)[:, k]) for k in range(2)}
ax = plots.curves(series, "epoch", "angle to the decoder's space (degrees)")

# %% linear-basis
reached = linear[2].weight.detach().cpu().T  # (2, 784)
print("largest angle between the two subspaces:", f"{principal_angles(reached, components).max().item():.2f} degrees")
print("cosine of each axis of the autoencoder (row) with each principal component (column):")
cosines = nn.functional.normalize(reached, dim=1) @ components.T
print("\n".join("  ".join(f"{value:6.2f}" for value in row) for row in cosines.tolist()))

# %% [test] linear-basis-holds
assert principal_angles(reached, components).max() < 5
assert cosines.abs().amax(dim=1).min() < 0.95  # yet its axes are not PCA's axes

# %% [markdown] linear-seen
# Gradient descent finds PCA's subspace, the component with the larger variance first. Baldi and Hornik (1989) prove
# that this loss has no other minimum, only saddle points: places that are flat, where training may linger, and from
# which some direction still leads down.
#
# The axes do not agree: each axis of the autoencoder is a mixture of principal components. The loss does not depend on
# the choice of axes, because $W_D W_E = (W_D A)(A^{-1} W_E)$ for each invertible $A$. PCA fixes its axes by sorting
# the variance; an autoencoder has no reason to. So **a single coordinate of an autoencoder's code need not mean
# anything**, not even its scale. Think of this when somebody names the axis of a latent space.

# %% [markdown] likelihood-idea
# ## Further: MSE or BCE?
#
# Squared error is also called MSE, [[mean squared error]], when it is averaged over the pixels. Pixels lie in $[0, 1]$,
# so one often sees **[[binary cross-entropy]]** instead:
#
# $$\mathrm{BCE}(\hat{x}, x) = -\sum_{\text{pixels}} \big[ x \log \hat{x} + (1 - x) \log (1 - \hat{x}) \big] .$$
#
# It comes from a pixel that is either white or black, and white with probability $\hat{x}$. The probability of the
# pixel that was seen is called its [[likelihood]], and BCE is minus its logarithm, the [[negative log-likelihood]].
#
# Look at both panels for a grey pixel, $x = 0.8$. Left: where is each loss smallest, and is it 0 there? Right: the
# slope of each loss by the decoder's raw output, the [[logit]] (`x_logits`), from which the sigmoid makes $\hat{x}$.
# What happens at the far left of this panel, where the pixel is entirely wrong?

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
from course_utils.losses import bernoulli_nll

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
# * BCE does not reach 0 for grey pixels. For $x = 0.8$ its smallest value is 0.5, as printed. This value is called the
#   [[entropy]] of the pixel. Summed over hundreds of grey pixels it is large for a perfect picture too, so compare a
#   BCE only with BCEs on the same data.
# * The slope of BCE is $\hat{x} - x$. That of the squared error has a further factor, $2 \hat{x}(1 - \hat{x})$, which
#   is nearly 0 when the sigmoid is nearly 0 or 1. So at the far left a pixel that is entirely wrong hardly learns from
#   squared error.
# * BCE needs targets in $[0, 1]$, as the error message says (`bernoulli_nll` is BCE; Bernoulli is the name of the
#   distribution with two outcomes). Images that were shifted to mean 0 and scaled to standard deviation 1 belong with
#   squared error, and without the sigmoid.
#
# We stay with squared error here, because it is PCA's measure too. Lesson 06 says which assumption about noise each of
# them makes.

# %% [markdown] blind-idea
# ## Further: What squared error does not see
#
# Squared error compares pixel with pixel and knows nothing of shapes. We make two changes to photographs of T-shirts.
# The first moves the whole picture one pixel to the right, which hardly anybody would notice. The second cuts off a
# sleeve. Above each T-shirt stand the squared errors of both. Which change do you expect to cost more?


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
some = has_sleeve.nonzero().flatten()[:6]
titles = [f"shift {a:.0f}\ncut {b:.0f}" for a, b in zip(cost_shift[some], cost_cut[some], strict=True)]
ax = plots.image_rows({"T-shirt": shirts[some], "shifted": shifted[some], "cut": cut[some]}, column_titles=titles)

# %% blind-numbers
for name, images in (("training", train), ("test", test)):
    for side in ("left", "right"):
        x = images.pixels()[images.labels == 0]
        x = x if side == "left" else x.flip(3)  # the other sleeve, and a shift the other way
        cost_shift, cost_cut = squared_error(shift_right(x), x), squared_error(cut_sleeve(x), x)
        some = cost_cut > 2
        shift, cut = cost_shift[some].mean().item(), cost_cut[some].mean().item()
        more = (cost_shift > cost_cut)[some].float().mean().item()
        print(f"{int(some.sum()):4d} {name} T-shirts, {side:5s} sleeve: shift {shift:.1f}, cut {cut:.1f}; "
              f"the shift costs more for {more:.1%}")  # fmt: skip

# %% [test] blind-numbers-holds
for _, images in (("training", train), ("test", test)):
    for x in (images.pixels()[images.labels == 0], images.pixels()[images.labels == 0].flip(3)):
        cost_shift, cost_cut = squared_error(shift_right(x), x), squared_error(cut_sleeve(x), x)
        assert (cost_shift > cost_cut)[cost_cut > 2].float().mean() > 0.9
        assert cost_shift[cost_cut > 2].mean() > 1.5 * cost_cut[cost_cut > 2].mean()

# %% [markdown] blind-seen
# The shift, which one hardly notices, costs more than the missing sleeve for nearly all T-shirts: compare the printed
# shares. The reason is edges: when an outline moves by one pixel, a whole line of pixels is wrong at full strength. Two
# things follow. When the network is unsure where an edge is, the mean of the possible pictures costs least, and that
# mean is a blur. And a lower squared error need not mean a better picture. BCE is a sum over pixels too and has the
# same weakness.

# %% [markdown] path-idea
# ## Further: Walking between two images
#
# Take the straight line between the codes of two test images, $z(t) = (1 - t)\, z_A + t\, z_B$, and decode along it.
# The first row is the cross-fade of pixels, the second the cross-fade of the two *reconstructions*. Watch the gap
# between the legs: in which row does it fade, and in which does it close?

# %% path-figure
x_a, x_b = x_test[1], x_test[3]  # trousers and a dress
steps = torch.linspace(0, 1, 7)
z_a, z_b = encode_dataset(reference, torch.stack([x_a, x_b]))
on_the_line = decode_dataset(reference, torch.stack([(1 - t) * z_a + t * z_b for t in steps]))
rows = {
    "fade of pixels": torch.stack([(1 - t) * x_a + t * x_b for t in steps]),
    "fade of reconstructions": torch.stack([(1 - t) * on_the_line[0] + t * on_the_line[-1] for t in steps]),
    "autoencoder, 32": on_the_line,
}
ax = plots.image_rows(rows, column_titles=[f"{t:.2f}" for t in steps])

# %% [markdown] path-numbers-intro
# Over many pairs: how far is the middle picture from the nearest training image? We measure the squared distance, and
# 1 - cosine, which depends only on the angle between two pictures and does not reward a picture for being dark.

# %% path-numbers
a, b = torch.randint(len(test), (2, 300), generator=g)
a, b = a[test.labels[a] != test.labels[b]], b[test.labels[a] != test.labels[b]]  # pairs from different classes
middles = {
    "fade of pixels": (x_test[a] + x_test[b]) / 2,
    "fade of reconstructions": (restored[32][a] + restored[32][b]) / 2,
    "autoencoder, 32": decode_dataset(reference, (codes_32["test"][a] + codes_32["test"][b]) / 2),
}
gap = {}
for name, x in middles.items():
    squared = nearest_neighbors(x, x_train, k=1)[1].square().mean().item()
    angle = nearest_neighbors(x, x_train, k=1, metric="cosine")[1].mean().item()
    gap[name] = squared, angle
    print(f"{name:23s}: squared distance {squared:4.1f}, 1 - cosine {angle:.3f}")

# %% [test] path-numbers-holds
assert gap["autoencoder, 32"][0] < gap["fade of reconstructions"][0] < gap["fade of pixels"][0]
assert gap["autoencoder, 32"][1] > gap["fade of reconstructions"][1]  # by angle the decoded middle is no better

# %% [markdown] path-seen
# The decoder shows one garment at a time here: the legs grow together, where a fade shows both pictures at once. The
# numbers are less clear: the two measures disagree. By squared distance the middle code is nearer to clothes than both
# fades. But about half of its advantage over the fade of pixels, here more, is blur: the fade of reconstructions has it
# too. By angle the middle code is a little farther away than that fade. Three small networks after 32 epochs give
#
# | | squared distance | 1 - cosine |
# |---|---|---|
# | fade of pixels | {{claim many-numbers.pixels_far epochs=32}} | {{claim many-numbers.pixels_angle epochs=32}} |
# | fade of restored | {{claim many-numbers.blurred_far epochs=32}} | {{claim many-numbers.blurred_angle epochs=32}} |
# | middle code | {{claim many-numbers.code_far epochs=32}} | {{claim many-numbers.code_angle epochs=32}} |
#
# So we cannot say that the middle code is, on average, more like clothes. Lesson 01 said that curved maps can do better
# than a fade; this is as far as we can show it here.
#
# In the explorer, move the weight and compare the three ways. `observe` calls a function after each move. Here the
# function puts the point of section 4's map at the place of the two-number path, so you see where it leads.

# %% path-explorer
walk = widgets.PathSlider({"2 numbers": model, "32 numbers": reference}, x_a, x_b, methods=("lerp",))
ends = encode_dataset(model, torch.stack([x_a, x_b]))  # (2, 2)
walk.observe(lambda change: pad.move_to(*torch.lerp(*ends, change["new"]).tolist()), names="value")
walk.move_to(0.4)
ipywidgets.VBox([walk, pad])

# %% [test] path-explorer-holds
assert torch.allclose(torch.tensor(pad.position), torch.lerp(*ends, 0.4), atol=1e-3)

# %% [markdown] retrieve-idea
# ## Further: Finding similar pictures
#
# Similar pictures should have similar codes. So we can search, which is called [[retrieval]]: encode all pictures once,
# then compare codes. In the figure each row starts with a query from the test set. The next three images are the
# nearest by code, the last three the nearest by pixels. scikit-learn's `NearestNeighbors` finds both; the nearest of
# all is the query itself, which we leave out. Are the pictures found by code of the same kind as the query?

# %% retrieve-figure
from sklearn.neighbors import NearestNeighbors

spaces = {"pixels, 784 numbers": x_test.flatten(1), "map, 2 numbers": codes_test}
spaces |= {f"autoencoder, {d} numbers": encode_dataset(references[d], test) for d in (8, 32)}
spaces |= {"PCA, 32 numbers": pca.encode(x_test)}
queries = [16, 14, 8, 25]
found = {}
for name in ("autoencoder, 32 numbers", "pixels, 784 numbers"):
    search = NearestNeighbors(n_neighbors=4).fit(spaces[name].numpy())
    found[name] = torch.from_numpy(search.kneighbors(spaces[name][queries].numpy(), return_distance=False))
places = torch.cat([found["autoencoder, 32 numbers"], found["pixels, 784 numbers"][:, 1:]], dim=1)  # (4, 7)
rows = {test.class_names[test.labels[row[0]]]: x_test[row] for row in places}
ax = plots.image_rows(rows, column_titles=["query", *["code"] * 3, *["pixel"] * 3])

# %% [markdown] retrieve-numbers-intro
# The coat and the bag find clothes that look like them. The checked shirt finds plain shirts of its outline, and the
# sandal finds sneakers. The nearest by pixels are no better here.
#
# Now in numbers: for each test image, the class that most of its 5 nearest other images have. How often is it the right
# one? scikit-learn's `KNeighborsClassifier` lets neighbours vote. `score(None, labels)` asks it about the very images
# that it was fitted to, and then no image is its own neighbour. Our `knn_accuracy` does the same with torch.

# %% retrieve-numbers
from sklearn.neighbors import KNeighborsClassifier

from course_utils.metrics import knn_accuracy  # course_utils/metrics/geometry.py

z, labels = spaces["autoencoder, 32 numbers"].numpy(), test.labels.numpy()
share = KNeighborsClassifier(n_neighbors=5).fit(z, labels).score(None, labels)
print(f"scikit-learn, autoencoder with 32 numbers: {share:.1%}")
accuracy = {name: knn_accuracy(z, test.labels) for name, z in spaces.items()}
for name, value in accuracy.items():
    print(f"{name:24s} {value:.1%}")

# %% [test] retrieve-numbers-holds
assert abs(share - accuracy["autoencoder, 32 numbers"]) < 0.002  # equal distances may be ordered in another way
assert accuracy["autoencoder, 32 numbers"] > accuracy["map, 2 numbers"] > 0.45  # chance is 10%
assert accuracy["autoencoder, 32 numbers"] > accuracy["pixels, 784 numbers"] - 0.08
assert abs(accuracy["autoencoder, 32 numbers"] - accuracy["PCA, 32 numbers"]) < 0.06

# %% [markdown] retrieve-seen
# 32 numbers find a little better than all 784 pixels do, in a sixth of the memory: a pixel takes one byte and a number
# of the code four. (The map is your network's, after 8 epochs; section 3 said 66% after 32.) PCA's 32 numbers come
# close to the autoencoder's, although they reconstruct much worse (11.2 and 6.9 in section 3). So better reconstruction
# brought little for the search. Nothing in the loss asks that distances follow meaning.

# %% [markdown] full-idea
# ## Further: The full data
#
# The reference models saw all 60,000 photographs of Fashion-MNIST; the course brings 11,000 of them along. The library
# **torchvision** has a class for this data set. `FashionMNIST(folder, download=True)` fetches all photographs once,
# about 31 MB, into a folder that you name. Here we stay without a network: `torchvision_folder` unpacks our 11,000
# where torchvision looks for them, so the same class reads them.
#
# torchvision gives one image at a time. `transform` makes a tensor of it, and PyTorch's `DataLoader` makes batches.
# `make_grid` lays out a batch as one picture. Does the class say what you see?

# %% full-figure
import tempfile

from torchvision.datasets import FashionMNIST
from torchvision.transforms import v2
from torchvision.utils import make_grid

from course_utils.data import torchvision_folder  # course_utils/data/fashion.py

to_pixels = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])  # (1, 28, 28) in [0, 1]
with tempfile.TemporaryDirectory() as folder:
    clothes = FashionMNIST(torchvision_folder(folder), train=True, download=False, transform=to_pixels)
x, labels = next(iter(torch.utils.data.DataLoader(clothes, batch_size=16, shuffle=True, generator=g)))
print(f"{len(clothes):,} images; a batch {tuple(x.shape)}")
print("first row:", ", ".join(clothes.classes[k] for k in labels[:8]))
figure, ax = plt.subplots(figsize=(8, 2.1), layout="constrained")
grid_of_clothes = make_grid(x, nrow=8, pad_value=1)  # (3, H, W)
ax.imshow(grid_of_clothes.permute(1, 2, 0), interpolation="nearest")  # matplotlib wants (H, W, 3)
_ = ax.axis("off")

# %% [test] full-figure-holds
assert torch.equal(clothes.data, train.images[:, 0])
assert torch.equal(clothes.targets, train.labels)

# %% [markdown] full-seen
# It does, though the third picture, a shirt, could as well be a pullover. These are the images of our
# `fashion_mnist("train")`, pixel for pixel. Ours keeps all of them as one tensor, which is faster for images as small
# as these. `fashion_mnist("train", full=True)` fetches the full set too. The command `course train autoencoder_2d`
# trains the reference model of section 3 on it.

# %% [markdown] references
# ## References
#
# * H. Bourlard and Y. Kamp (1988), *Auto-association by multilayer perceptrons and singular value decomposition*,
#   Biological Cybernetics 59, doi:10.1007/BF00332918.
# * P. Baldi and K. Hornik (1989), *Neural networks and principal component analysis: learning from examples without
#   local minima*, Neural Networks 2, doi:10.1016/0893-6080(89)90014-2.
# * G. E. Hinton and R. R. Salakhutdinov (2006), *Reducing the dimensionality of data with neural networks*, Science
#   313, doi:10.1126/science.1127647.
# * P. Ghosh, M. S. M. Sajjadi, A. Vergari, M. Black and B. Schölkopf (2020), *From variational to deterministic
#   autoencoders*, arXiv:1903.12436.
# * W. Shi et al. (2016), *Real-time single image and video super-resolution using an efficient sub-pixel convolutional
#   neural network*, arXiv:1609.05158. (Pixel shuffling.)
# * Å. Björck and G. H. Golub (1973), *Numerical methods for computing angles between linear subspaces*, Mathematics of
#   Computation 27, doi:10.2307/2005662.
# * Z. Wang and A. C. Bovik (2009), *Mean squared error: love it or leave it?*, IEEE Signal Processing Magazine 26,
#   doi:10.1109/MSP.2008.930649.
# * H. Xiao, K. Rasul and R. Vollgraf (2017), *Fashion-MNIST*, arXiv:1708.07747.

# %% [markdown] next
# ## Next
#
# Lesson 03 makes the task harder than copying. Codes may be long, but the input is damaged, or most of the code must be
# zero. If you want to go on here first: train `SmallAutoencoder(2)` with another seed and lay the two maps side by
# side, or raise the number of Gaussians in section 6 and see when the mixture begins to copy training codes.
