# %% [markdown] title
# {{header}}
#
# # 04. How can an autoencoder learn to invent?
#
# At the end of this lesson you can
#
# 1. say why each image gets a cloud instead of a point, and why a cloud alone is not enough;
# 2. name the four distributions of a variational autoencoder and the two networks that compute them;
# 3. train one with the recipe written out (encode, sample, decode, loss, step), sample from it, and read an ellipse
#    on its map.

# %% [markdown] prerequisites
# **You need:** lesson 02 (autoencoders and their dead zones) and the normal distribution: mean, standard deviation.
#
# **Time:** about 80 minutes with the exercises. Running all cells takes {{minutes}}.

# %% setup
{{setup}}

# %% imports
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.patches import Ellipse
from torch import nn

from course_utils import checks, plots, widgets
from course_utils.checkpoints import load_reference
from course_utils.data import fashion_mnist
from course_utils.device import pick_device, seed_everything
from course_utils.latents import decode_dataset, encode_dataset, latent_grid, nearest_neighbors
from course_utils.losses import squared_error
from course_utils.training import fit  # the loop of lesson 02, with a progress bar

plt.rcParams["figure.dpi"] = 80
seed_everything(4)
g = torch.Generator().manual_seed(4)  # every number drawn by hand in this lesson comes from here
device = pick_device()
train, test = fashion_mnist("train"), fashion_mnist("test")
x_train, x_test = train.pixels(), test.pixels()  # (N, 1, 28, 28) in [0, 1]
print(f"{len(train):,} training and {len(test):,} test images; computing on {device}")

# %% [markdown] predict
# ## Predict first
#
# An autoencoder restores images from points. Between the points it was never asked anything, hence the dead zones of
# lesson 02. Now we disturb each code a little before it is decoded, by noise of standard deviation 1 in each
# coordinate, and still ask for the image back.
#
# 1. The encoder wants its image restored *in spite of* the noise. Nothing limits the codes. What will it do?
# 2. Suppose we also charge a price for codes far from the origin. We then draw codes from a normal distribution
#    around the origin and decode them. Will as many land in a dead zone as with a plain autoencoder, fewer, or none?
#
# <details><summary>What we found, for after sections 1 and 5</summary>
#
# 1. It shouts. The codes move apart until the noise is small beside their distances, and little is gained.
# 2. Fewer, but not none. With two numbers the difference is modest, with sixteen it is plain to see. Section 5
#    counts.
#
# </details>

# %% [markdown] noise-idea
# ## 1. A cloud instead of a point
#
# Give each image a small cloud of codes instead of one point, and require that *every* code of the cloud decodes to
# the image. Clouds that overlap then force a compromise: a code that could belong to a dress or to a coat must decode
# to something between the two. So overlapping clouds close the dead zones, and make the map smooth.
#
# But do the clouds overlap? We train two autoencoders with a two-dimensional code. The second one gets noise
# $\varepsilon \sim N(0, I)$ added to each code, and nothing else. Look at the standard deviation of the codes.

# %% noisy-code
from course_utils.models.autoencoder import Autoencoder  # what you built in lesson 02


def noisy_loss(model, x):
    """Squared error after adding N(0, I) to every code."""
    z = model.encode(x)
    return {"loss": squared_error(model.decode(z + torch.randn_like(z)), x).mean()}


batches = train.batches(256, device=device, shuffle=True, generator=g)
seed_everything(4)
plain, noisy = Autoencoder(2, hidden=256).to(device), Autoencoder(2, hidden=256).to(device)
fit(plain, batches, epochs=5, lr=2e-3, progress=False)
fit(noisy, batches, epochs=5, lr=2e-3, loss=noisy_loss, progress=False)
spread = {name: encode_dataset(m, test).std(dim=0).mean().item() for name, m in (("plain", plain), ("noisy", noisy))}
print({name: f"standard deviation of the codes {value:.1f}" for name, value in spread.items()})
assert spread["noisy"] > 2 * spread["plain"]

# %% [markdown] noise-seen
# The encoder has raised its voice. With codes this far apart, noise of size 1 hardly ever carries a code into another
# image's neighbourhood, so the clouds do not overlap and nothing is gained. Noise alone is not enough. It takes a
# *price*: being far from the origin, or being precise, must cost something. The variational autoencoder puts that
# price into its loss, and lets the encoder choose for each image how precise to be.

# %% [markdown] names-idea
# ## 2. Four distributions, two networks
#
# A **variational autoencoder** (VAE) is a story of how images come about, and a network that reads the story
# backwards.
#
# | symbol | name | in this lesson |
# |---|---|---|
# | $p(z)$ | **prior**: codes before any image is seen | $N(0, I)$, fixed |
# | $p(x \mid z)$ | **likelihood**: images given a code | independent pixels, means $\hat x = \mathrm{sigmoid}(D(z))$ |
# | $p(z \mid x)$ | **posterior**: codes that could have made this image | no formula for it |
# | $q(z \mid x)$ | **approximate posterior**: our stand-in for it | $N(\mu(x), \mathrm{diag}\,\sigma^2(x))$ |
#
# The decoder computes the likelihood: it is the **generative network**. The encoder computes the approximate
# posterior: it is the **inference network**. To *generate*, draw $z \sim p(z)$ and decode. To *encode*, compute $q(z
# \mid x)$: not a point but a cloud, with a centre $\mu$ and a width $\sigma$ in each of the $d$ directions.
#
# The encoder must therefore return $2d$ numbers for $d$ latent dimensions. Two linear layers share the same features:
# one **head** for the means, one for the widths. The second does not return $\sigma$ but $\log \sigma^2$, called
# `logvar`, for three reasons. A linear layer can return any number, and any number is a legal logarithm, while
# $\sigma$ must be positive. Equal steps in `logvar` multiply $\sigma$ by equal factors, so widths of 0.01 and of 1
# are equally easy to reach. And both $\sigma^2$ and $\log \sigma^2$, which the loss needs, follow without dividing by
# something that may be 0. Mind the half on the way back: $\sigma = \exp(\tfrac12 \texttt{logvar})$.

# %% [markdown] heads-task
# ### Exercise 1: an encoder with two heads
#
# *Easy, about 8 minutes.* From the features of a batch, compute the mean of each image's cloud and its standard
# deviation.


# %% heads-exercise
def cloud(features, head_mu, head_logvar):
    """Centre and width of q(z|x).

    Args:
        features: What the encoder's first layers return, (B, H).
        head_mu: Linear layer (B, H) -> (B, D).
        head_logvar: Linear layer (B, H) -> (B, D); it returns log(sigma**2).

    Returns:
        mu and std, each (B, D); std is the standard deviation sigma.
    """
    ### BEGIN SOLUTION
    mu = head_mu(features)
    std = torch.exp(0.5 * head_logvar(features))
    return mu, std
    ### END SOLUTION


# %% heads-check
cloud = checks.accept("two-heads", cloud)

# %% [markdown] heads-hints
# <details><summary>Hint 1</summary>
#
# Call each head on the features. The first result is `mu` already.
#
# </details>
# <details><summary>Hint 2</summary>
#
# If `logvar` is $\log \sigma^2$, then $\sigma = \exp(\texttt{logvar} / 2)$. Check with $\sigma = 3$: `logvar` is
# $\log 9$, and half of that is $\log 3$.
#
# </details>

# %% [markdown] recipe-idea
# ## 3. The classical recipe
#
# One training step has five parts.
#
# 1. **Encode** the images into clouds: $\mu(x)$ and $\sigma(x)$.
# 2. **Sample** one code from each cloud: $z = \mu + \sigma \cdot \varepsilon$ with $\varepsilon \sim N(0, I)$.
# 3. **Decode** the codes: $\hat x = \mathrm{sigmoid}(D(z))$.
# 4. **Loss**: the reconstruction term, plus the price.
# 5. **Step**: gradients, and one step of the optimizer.
#
# The loss per image is
#
# $$\mathcal{L}(x) =
# \underbrace{-\sum_p \big[x_p \log \hat x_p + (1 - x_p) \log(1 - \hat x_p)\big]}_{\text{recon: } -\log p(x|z)} +
# \underbrace{\tfrac12 \sum_d \big(\sigma_d^2 + \mu_d^2 - 1 - \log \sigma_d^2\big)}_{\text{kl: the price}}$$
#
# The first term is the negative logarithm of the likelihood, so minimising it *maximises* $\log p(x \mid z)$. It is
# the binary cross-entropy of lesson 02, with grey values taken as the means of on-off pixels. The second term is the
# Kullback-Leibler divergence between the cloud and the prior. Lesson 06 derives it. For now, read it: it is 0 exactly
# if $\mu_d = 0$ and $\sigma_d = 1$, it grows with $\mu_d^2$ (distance from the origin costs), and it grows without
# bound as $\sigma_d \to 0$ (precision costs). Both terms are sums over pixels or dimensions, in nats; then comes the
# mean over the batch.


# %% vae-class
class SmallVAE(nn.Module):
    """Encoder with two heads, decoder, prior N(0, I). Later lessons use course_utils/models/vae.py."""

    def __init__(self, latent_dim, hidden=256):
        super().__init__()
        self.latent_shape = (latent_dim,)
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.ReLU())
        self.head_mu = nn.Linear(hidden, latent_dim)
        self.head_logvar = nn.Linear(hidden, latent_dim)
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, hidden), nn.ReLU(), nn.Linear(hidden, 784), nn.Unflatten(1, (1, 28, 28))
        )

    def posterior(self, x):  # (B, 1, 28, 28) -> mu (B, D), std (B, D)
        return cloud(self.features(x), self.head_mu, self.head_logvar)

    def encode(self, x):  # the centre of the cloud, (B, D)
        return self.posterior(x)[0]

    def decode(self, z):  # (B, D) -> (B, 1, 28, 28) in [0, 1]
        return torch.sigmoid(self.decoder(z))

    def sample_latent(self, n, generator=None):  # draws from the prior, (n, D)
        return torch.randn(n, *self.latent_shape, generator=generator).to(self.head_mu.weight.device)


# %% [markdown] loop-intro
# Now the loop, with the five parts in order. Two numbers are printed for each epoch. Watch `kl`, the price the
# encoder pays: is it near 0 at any time, and does it go on changing as long as `recon` does?

# %% recipe
seed_everything(4)
vae = SmallVAE(latent_dim=2).to(device)
optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3)
for epoch in range(1, 11):
    sums = torch.zeros(2)
    for x in batches:
        mu, std = vae.posterior(x)  # 1. encode
        z = mu + std * torch.randn_like(std)  # 2. sample
        x_logits = vae.decoder(z)  # 3. decode
        recon = F.binary_cross_entropy_with_logits(x_logits, x, reduction="none").sum(dim=(1, 2, 3))  # (B,)
        kl = 0.5 * (std**2 + mu**2 - 1 - torch.log(std**2)).sum(dim=1)  # (B,)
        loss = (recon + kl).mean()  # 4. loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()  # 5. step
        sums += torch.stack([recon.sum(), kl.sum()]).detach().cpu()
    recon_mean, kl_mean = (sums / len(train)).tolist()
    print(f"epoch {epoch:2d}: recon {recon_mean:.1f} nats, kl {kl_mean:.2f} nats")
assert kl_mean > 2

# %% [markdown] loop-seen
# Within the first epoch the encoder has decided to pay. A few nats of precision save hundreds of nats of
# reconstruction: without them every image would be restored as the same average. After that the price hardly moves,
# although the reconstruction goes on improving, for the decoder learns to make more of the same codes. The two terms
# have found their balance: one more nat of precision would save less than one nat of reconstruction.
#
# Why gradients pass through the sampling in step 2 is the subject of lesson 05; where the loss comes from, of lesson
# 06.
#
# ## 4. Reading the map
#
# Each image now has an ellipse: its centre is $\mu$, and its half-axes are multiples of $\sigma_1$ and $\sigma_2$.
# Which multiple? In one dimension, 68% of a normal distribution lie within one standard deviation. In two dimensions,
# fewer: the distance from the centre, measured in standard deviations, exceeds $r$ with probability $\exp(-r^2 / 2)$.

# %% [markdown] ellipse-task
# ### Exercise 2: reading an ellipse
#
# *Medium, about 10 minutes.* Return the half-axes of the ellipse that holds a given share of each image's cloud. We
# draw with it below.


# %% ellipse-exercise
def half_axes(std, share):
    """Half-axes of the ellipse around mu that holds a share of N(mu, diag(std**2)) in two dimensions.

    Args:
        std: Standard deviations, (B, 2).
        share: Probability inside the ellipse, a number between 0 and 1.

    Returns:
        Half-axes, (B, 2).
    """
    ### BEGIN SOLUTION
    r = torch.sqrt(-2 * torch.log(torch.tensor(1 - share)))  # exp(-r**2 / 2) = 1 - share
    return r * std
    ### END SOLUTION


# %% ellipse-check
half_axes = checks.accept("posterior-ellipse", half_axes)

# %% [markdown] ellipse-hints
# <details><summary>Hint 1</summary>
#
# The share *outside* radius $r$ is $\exp(-r^2/2)$, so the share inside is $1 - \exp(-r^2/2)$. Solve for $r$.
#
# </details>
# <details><summary>Hint 2</summary>
#
# $r = \sqrt{-2 \log(1 - \text{share})}$, and each half-axis is $r$ times its standard deviation. For a share of one
# half, $r$ is about 1.18. `torch.log` wants a tensor; `math.log` takes a number.
#
# </details>

# %% [markdown] coverage-intro
# First a test of the formula by drawing: of many samples from the clouds, the right share must fall inside.

# %% coverage
with torch.no_grad():
    mu, std = (t.cpu() for t in vae.posterior(x_test.to(device)))
for share in (0.393, 0.5, 0.9):
    offsets = std[:, None] * torch.randn(len(std), 50, 2, generator=g)  # 50 samples a cloud, from its centre
    inside = (offsets / half_axes(std, share)[:, None]).square().sum(dim=2) < 1
    print(f"asked for {share:.1%}, found {inside.float().mean().item():.1%}")
    assert abs(inside.float().mean().item() - share) < 0.01

# %% [markdown] map-intro
# The map shows the centres $\mu$ of all test images. The ellipses hold half of the cloud of some of them; the dashed
# circle holds half of the prior. Look for three things. Are all ellipses equally large? Are they small or large
# beside the whole crowd? Does the crowd fill the prior's circle evenly?


# %% map
def draw_ellipses(ax, centres, axes):
    """One ellipse for each row of centres (B, 2) and half-axes (B, 2)."""
    for (x, y), (a, b) in zip(centres.tolist(), axes.tolist(), strict=True):
        ax.add_patch(Ellipse((x, y), 2 * a, 2 * b, fill=False, edgecolor="black", linewidth=1.3))


some = torch.arange(100)  # classes alternate: ten of each
figure, ax = plt.subplots(figsize=(8.4, 5.8), layout="constrained")
plots.latent_scatter(mu, test.labels, test.class_names, ax=ax)
draw_ellipses(ax, mu[some], half_axes(std[some], 0.5))
circle_of_prior = half_axes(torch.ones(1, 2), 0.5)[0, 0].item()
ax.add_patch(plt.Circle((0, 0), circle_of_prior, fill=False, linestyle="--", color="black", linewidth=2))
ax.set_title("codes of the test images; half of each cloud lies inside its ellipse")
plt.show()

# %% [markdown] cover-intro
# One cloud is small beside the map. But there are 11,000 of them. How many clouds cover a place on the map, on
# average? Add up the areas of all ellipses, $\pi a b$, and divide by the area that the crowd takes, here that of the
# codes' own ellipse for a share of 95%.

# %% cover
with torch.no_grad():
    mu_train, std_train = (t.cpu() for t in vae.posterior(x_train.to(device)))
clouds_area = torch.pi * half_axes(std_train, 0.5).prod(dim=1).sum().item()
crowd_area = torch.pi * half_axes(mu_train.std(dim=0)[None], 0.95).prod().item()
print(f"an ellipse takes {clouds_area / len(train) / crowd_area:.2%} of the map")
print(f"each place on it is covered {clouds_area / crowd_area:.0f} times on average")
assert clouds_area > 3 * crowd_area

# %% [markdown] map-seen
# So the clouds do overlap, many deep, and where they overlap the decoder had to find a compromise. That is the
# smoothness we asked for. But the crowd does not fill the prior evenly: it is wider than the dashed circle would have
# it, and there are thin places. With only two numbers for each image, being told apart is worth more to the images
# than the price asks. Lesson 07 measures such holes.

# %% [markdown] width-intro
# Which images get wide clouds, and which narrow ones? The area of an ellipse is proportional to $\sigma_1 \sigma_2$.
# Upper row: the test images with the widest clouds; lower row: with the narrowest. What have the images of a row in
# common?

# %% widths
area = std.prod(dim=1)
order = area.argsort(descending=True)
plots.image_rows({"widest clouds": x_test[order[:10]], "narrowest clouds": x_test[order[-10:]]})
plt.show()
print(f"the largest area is {(area[order[0]] / area[order[-1]]).item():.0f} times the smallest")
by_class = {name: area[test.labels == k].mean().item() for k, name in enumerate(test.class_names)}
for name, value in sorted(by_class.items(), key=lambda pair: pair[1]):
    print(f"{name:12s} mean area {value:.4f}")

# %% [markdown] width-seen
# Bright and large things get narrow clouds, dark and thin ones wide clouds. The encoder spends precision where a
# small move of the code changes many pixels, for there a blurred position is expensive. A picture whose code may
# wander without much harm gets a wide cloud. The widths are part of what the model has learned.
#
# ## 5. Are the dead zones closed?
#
# The same test as in lesson 02. A place on the map is *dead* if the nearest training code is farther away than it is
# for 99% of the test codes. For the autoencoder we draw codes from the Gaussian with the mean and spread of its
# training codes; for the VAE from the prior, as its story says.

# %% [markdown] sample-task
# ### Exercise 3: sampling with a temperature
#
# *Easy, about 8 minutes.* Turn noise into images. A **temperature** $\tau$ widens or narrows the prior: the codes are
# drawn from $N(0, \tau^2 I)$. Temperature 1 is the model's own story.


# %% sample-exercise
def sample_images(decoder, eps, temperature=1.0):
    """Images from noise.

    Args:
        decoder: Network (B, D) -> x_logits (B, C, H, W), any real numbers.
        eps: Noise from N(0, I), (B, D).
        temperature: Standard deviation of the codes in each direction.

    Returns:
        Images (B, C, H, W) in [0, 1].
    """
    ### BEGIN SOLUTION
    z = temperature * eps
    return torch.sigmoid(decoder(z))
    ### END SOLUTION


# %% sample-check
sample_images = checks.accept("sample-images", sample_images)

# %% [markdown] sample-hints
# <details><summary>Hint 1</summary>
#
# If `eps` has standard deviation 1, what has standard deviation $\tau$?
#
# </details>
# <details><summary>Hint 2</summary>
#
# The decoder returns `x_logits`. To get values in $[0, 1]$, apply `torch.sigmoid`.
#
# </details>

# %% [markdown] dead-intro
# Count the dead draws for both, and look at twelve draws of each. Which row would pass for clothes, and by how much?


# %% dead
def dead_share(model, draws):
    """Share of the draws that are farther from every training code than 99% of the test codes are."""
    codes = {name: encode_dataset(model, images) for name, images in (("train", train), ("test", test))}
    limit = nearest_neighbors(codes["test"], codes["train"], k=1)[1].quantile(0.99)
    return (nearest_neighbors(draws, codes["train"], k=1)[1] > limit).float().mean().item()


plain.set_latent_statistics(encode_dataset(plain, train).to(device))
guess = plain.sample_latent(2000, torch.Generator(device).manual_seed(4)).cpu()
eps = torch.randn(2000, 2, generator=g)
share = {"autoencoder": dead_share(plain, guess), "VAE": dead_share(vae, eps)}
with torch.no_grad():
    from_vae = sample_images(vae.decoder, eps[:12].to(device)).cpu()
plots.image_rows({"autoencoder": decode_dataset(plain, guess[:12]), "VAE": from_vae})
plt.show()
print({name: f"{value:.0%} of the draws are dead" for name, value in share.items()})
assert share["VAE"] < share["autoencoder"]

# %% [markdown] more-dimensions-intro
# Fewer, but hardly a triumph: two dimensions are kind to the autoencoder, and the thin places of the VAE's map count
# as dead too. Lesson 02 found that with 32 numbers random codes practically never succeed, so more dimensions are the
# harder test. We train a VAE and an autoencoder with 16 numbers each, on the same images for the same number of
# epochs, and ask how far their samples are from the nearest training image, beside what restored test images give.
# The nearer to that, the better.

# %% more-dimensions
from course_utils.models.vae import VAE  # course_utils/models/vae.py: the class above, with options

seed_everything(4)
models = {"autoencoder": Autoencoder(16, hidden=256).to(device), "VAE": VAE(16, hidden=256).to(device)}
rows, ratio = {}, {}
for name, model in models.items():
    fit(model, batches, epochs=8, lr=2e-3, progress=False)
    if name == "autoencoder":
        model.set_latent_statistics(encode_dataset(model, train).to(device))
    drawn = decode_dataset(model, model.sample_latent(500, torch.Generator(device).manual_seed(1)))
    restored = decode_dataset(model, encode_dataset(model, test[:500]))
    rows[f"{name}, samples"] = drawn[:10]
    near = [nearest_neighbors(x, x_train, k=1)[1].square().mean().item() for x in (drawn, restored)]
    ratio[name] = near[0] / near[1]
    print(f"{name}: samples {near[0]:.1f}, restored test images {near[1]:.1f}, ratio {ratio[name]:.2f}")
plots.image_rows(rows)
plt.show()
assert ratio["VAE"] < 0.9 * ratio["autoencoder"]

# %% [markdown] more-dimensions-seen
# Neither is perfect, but the gap is wide now. The autoencoder's draws are scraps of several garments at once, while
# most of the VAE's are one garment, if a blurred one. (Blur helps in this measure, because a blurred image is near
# many others; the pictures are the better witness.) That is what the price has bought. The training made the clouds
# together cover much of the region that the prior covers, so a draw from the prior lands where the decoder has
# practised.
#
# ## 6. Temperature and ellipses under your hand
#
# First the static picture: a row for each temperature, the same eight draws of noise. At temperature 0 every code is
# the origin. What do you gain and what do you lose as it grows?

# %% temperature-figure
reference = load_reference("vae_2d", device)  # the same model, convolutional, trained longer on all 60,000 images
draws = torch.randn(8, 2, generator=torch.Generator().manual_seed(7)).to(device)


def at_temperature(temperature):
    """Eight images (8, 1, 28, 28) from the same noise."""
    return sample_images(reference.decode_logits, draws, temperature).cpu()


with torch.no_grad():
    temperatures = (0.0, 0.5, 1.0, 1.5, 2.5)
    plots.image_rows({f"temperature {t}": at_temperature(t) for t in temperatures})
plt.show()

# %% temperature-explorer
labels = [f"draw {i + 1}" for i in range(8)]
heat = widgets.FunctionSlider(at_temperature, 0, 3, labels=labels, name="temperature", start=1.0, title="Temperature")
heat.move_to(0.8)
heat

# %% [markdown] ellipse-explorer-intro
# And the ellipses. The figure shows four test images: the image, four codes drawn from its cloud and decoded. Are the
# four the same garment? The explorer below it shows the cloud of any test image on the map, beside what is decoded
# from it.

# %% ellipse-figure
with torch.no_grad():
    ref_mu, ref_logvar = (t.cpu() for t in reference.posterior(x_test.to(device)))
ref_std = torch.exp(0.5 * ref_logvar)
cloud_noise = torch.randn(4, 2, generator=torch.Generator().manual_seed(1))


def cloud_of(index):
    """A test image and four samples from its cloud, decoded, (5, 1, 28, 28)."""
    z = ref_mu[index] + ref_std[index] * cloud_noise
    return torch.cat([x_test[index][None], decode_dataset(reference, z)])


plots.image_rows(
    {test.class_names[test.labels[i]]: cloud_of(i) for i in (0, 1, 4, 7)},
    column_titles=["image", *(f"draw {i}" for i in range(1, 5))],
)
plt.show()

# %% ellipse-explorer
turn = torch.linspace(0, 2 * torch.pi, 60)
circle = torch.stack([turn.cos(), turn.sin()], dim=1)  # (60, 2)
low, high = ref_mu.quantile(torch.tensor([0.005, 0.995]), dim=0)
x_range, y_range = ((a - 0.3, b + 0.3) for a, b in zip(low.tolist(), high.tolist(), strict=True))
crowd = plots.Series("centres of other images", *ref_mu[::13].T, kind="points", color=3)


def cloud_on_map(number, share):
    """The ellipse of one test image on the map, the image, and samples of its cloud."""
    i = int(number)
    edge = ref_mu[i] + half_axes(ref_std[i : i + 1], share) * circle
    outline = plots.Series(f"cloud of this {test.class_names[test.labels[i]].lower()}", *edge.T, kind="line", color=0)
    drawn = plots.Series("samples 1 to 4", *(ref_mu[i] + ref_std[i] * cloud_noise).T, kind="points", color=2)
    chart = plots.Chart([crowd, drawn, outline], x_range, y_range, "z[0]", "z[1]")
    names = ["image", "sample 1", "sample 2", "sample 3", "sample 4"]
    return {"map": chart} | dict(zip(names, cloud_of(i), strict=True))


clouds = widgets.FunctionSliders(
    cloud_on_map, {"test image": (0, 199, 1, 1), "share inside": (0.05, 0.95, 0.5, 0.05)}, title="Posterior ellipses"
)
clouds.move_to(5, 0.6)
clouds

# %% [markdown] pad-intro
# Last, the map itself. Above the explorer its static twin: the same region, decoded on a grid. Try to find a hole.

# %% pad-figure
plots.latent_canvas(latent_grid(reference, x_range, y_range, 12), x_range, y_range)
plt.show()

# %% pad
pad = widgets.LatentPad(reference, ref_mu, test.labels, test.class_names, images=test)
pad.move_to(0.3, 0.2)
pad

# %% [markdown] changed
# ## What changed, and what did not
#
# | from an autoencoder to a VAE | |
# |---|---|
# | **changed** | an image has a cloud, $q(z \mid x)$, and the encoder decides how wide it is |
# | **changed** | codes far out and narrow clouds cost nats, so all clouds crowd around the origin and overlap |
# | **changed** | there is a distribution to sample from: the prior |
# | **did not change** | encoder, decoder, bottleneck; the verbs `encode`, `decode`, `sample_latent` |
# | **did not change** | blurred edges: the decoder returns a mean over all images that a code could mean |
#
# ## Limits and caveats
#
# * Samples from the prior are better than the autoencoder's, not good. The clouds together do not cover the prior
# evenly; lesson 07 measures the holes that remain. * $q(z \mid x)$ is a guess with axis-parallel ellipses. The true
# posterior can be tilted or have several humps, and lesson 06 shows what the difference costs. * Grey values are not
# on-off pixels. Taking them as Bernoulli means works well for images that are mostly black or white, but the
# likelihood it gives is not that of grey images. * The price pulls clouds together. It does not make single
# dimensions mean something; that takes more (lesson 09).
#
# ## Quiz
#
# **1.** What would the encoder do with $\sigma$ if the KL term were left out of the loss?
#
# <details><summary>Answer</summary>
#
# Let it go to 0: noise only hurts the reconstruction. Clouds become points again, and the VAE an autoencoder. Where
# $\sigma$ is fixed, as in section 1, it moves the centres apart instead, which is the same thing seen from another
# scale.
#
# </details>
#
# **2.** And if the reconstruction term were left out?
#
# <details><summary>Answer</summary>
#
# Every image gets $\mu = 0$ and $\sigma = 1$, for which the KL term is 0. The code then says nothing about the image.
# A weaker form of this happens in practice: lesson 07 calls it posterior collapse, makes it and cures it.
#
# </details>
#
# **3.** The encoder of a VAE with $d = 20$ ends in a layer with 40 outputs. Why? And what is wrong with computing
# $\sigma$ as `torch.exp(logvar)`?
#
# <details><summary>Answer</summary>
#
# 20 means and 20 log-variances. `torch.exp(logvar)` is the variance, $\sigma^2$. Used as $\sigma$, clouds narrower
# than 1 come out too narrow and clouds wider than 1 too wide: $\sigma = 0.1$ would become 0.01.
#
# </details>
#
# ## Summary
#
# * $p(z) = N(0, I)$, $p(x \mid z)$ from the decoder, $q(z \mid x) = N(\mu(x), \mathrm{diag}\,\sigma^2(x))$ from the
# encoder. * $\sigma = \exp(\tfrac12 \texttt{logvar})$; $z = \mu + \sigma \varepsilon$. * Loss per image: $-\log p(x
# \mid z) + \mathrm{KL}(q(z \mid x) \,\|\, p(z))$, summed over pixels and dimensions, then averaged over the batch. *
# The ellipse with half-axes $\sqrt{-2 \log(1 - s)}\; \sigma$ holds the share $s$ of a two-dimensional cloud. * Noise
# alone does not close the dead zones, because codes can move apart. Noise with a price does.
#
# ## References
#
# * D. P. Kingma and M. Welling (2013), *Auto-encoding variational Bayes*, arXiv:1312.6114. * D. J. Rezende, S.
# Mohamed and D. Wierstra (2014), *Stochastic backpropagation and approximate inference in deep generative models*,
# arXiv:1401.4082. * D. P. Kingma and M. Welling (2019), *An introduction to variational autoencoders*,
# arXiv:1906.02691. * C. Doersch (2016), *Tutorial on variational autoencoders*, arXiv:1606.05908.
#
# ## Next
#
# In step 2 of the recipe we drew random numbers in the middle of a network and then asked for gradients. Lesson 05
# shows why that should not work, and why it does.
