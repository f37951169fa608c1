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
# **Time:** {{learning}} with the exercises. Running all cells takes {{minutes}}.

# %% setup
{{setup}}

# %% imports
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.patches import Ellipse
from torch import nn

from course_utils import checks, plots, widgets
from course_utils.checkpoints import load_reference  # course_utils/checkpoints.py
from course_utils.data import fashion_mnist  # course_utils/data/fashion.py
from course_utils.device import pick_device, seed_everything  # course_utils/device.py
from course_utils.latents import decode_dataset, encode_dataset, latent_grid, nearest_neighbors  # …/latents.py
from course_utils.losses import squared_error  # course_utils/losses.py
from course_utils.models.autoencoder import Autoencoder  # course_utils/models/autoencoder.py: built in lesson 02
from course_utils.training import fit  # course_utils/training/loop.py: the loop of lesson 02, with a progress bar

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
# 1. It shouts. The codes move apart, and go on doing so. In the plane the clouds still overlap, but nothing holds them.
# 2. With two numbers about as many. With sixteen far fewer, but not none. Section 5 counts.
#
# </details>

# %% [markdown] noise-idea
# ## 1. A cloud instead of a point
#
# Give each image a small cloud of codes instead of one point, and require that *every* code of the cloud decodes to
# the image. Clouds that overlap then force a compromise: a code that could belong to a dress or to a coat must decode
# to something between the two. So overlapping clouds close the dead zones, and make the map smooth.
#
# But will the encoder let them overlap? We train two autoencoders with a two-dimensional code. The second one gets
# noise $\epsilon \sim \mathcal N(0, I)$ added to each code, and nothing else. Look at the standard deviation of the
# codes, after 5 epochs and after 10. And look at how many of the noisy codes *stray*: they are nearer to another
# image's code than to their own.


# %% noisy-loss
def noisy_loss(model, x):
    """Squared error after adding N(0, I) to every code."""
    z = model.encode(x)
    return {"loss": squared_error(model.decode(z + torch.randn_like(z)), x).mean()}


def strays(centres, z):
    """Share of the codes z (B, D) that are nearer to another of the centres (N, D) than to their own, the first B."""
    nearest = nearest_neighbors(z, centres, k=1)[0].flatten()
    return (nearest != torch.arange(len(z))).float().mean().item()


# %% noisy-code
batches = train.batches(256, device=device, shuffle=True, generator=g)
seed_everything(4)
plain, noisy = Autoencoder(2, hidden=256).to(device), Autoencoder(2, hidden=256).to(device)
fit(plain, batches, epochs=5, lr=2e-3, progress=False)
history = fit(noisy, batches, epochs=5, lr=2e-3, loss=noisy_loss, progress=False)
spread = {name: encode_dataset(m, train).std(dim=0).mean() for name, m in (("plain", plain), ("noisy", noisy))}
fit(noisy, batches, epochs=10, loss=noisy_loss, resume=history, progress=False)  # 10 in all: five more
centres = encode_dataset(noisy, train)
spread["noisy, 10 epochs"] = centres.std(dim=0).mean()
stray = strays(centres, centres[:2000] + torch.randn(2000, 2, generator=g))
print({name: f"standard deviation of the codes {value:.1f}" for name, value in spread.items()})
print(f"{stray:.0%} of the noisy codes stray")

# %% [test] noisy-code-holds
assert spread["noisy"] > 2 * spread["plain"]
assert spread["noisy, 10 epochs"] > 1.05 * spread["noisy"]
assert stray > 0.9

# %% [markdown] noise-seen
# The encoder has raised its voice: its codes lie about three times farther apart. It has not escaped. In the plane
# there is not much room, and noise of size 1 still carries nearly every code past another image's code, so the clouds
# do overlap. But nothing makes it stop: train on, and the codes go on spreading. Where there is more room they get
# away, as section 5 shows with 16 numbers. Besides, every image has a cloud of the same width, and nobody has told us
# where to draw.
#
# If we let the encoder choose the widths too, it takes a shorter way out: it makes them 0 (section 3 tries it). Hence
# a *price*: being far from the origin, and being precise, must cost something. The variational autoencoder puts that
# price into its loss, and lets the encoder choose for each image how precise to be.

# %% [markdown] names-idea
# ## 2. Four distributions, two networks
#
# A **variational autoencoder** (VAE) is a story of how images come about, and a network that reads the story
# backwards.
#
# | symbol | name | in this lesson |
# |---|---|---|
# | $p(z)$ | **prior**: codes before any image is seen | $\mathcal N(0, I)$, fixed |
# | $p(x \mid z)$ | **likelihood**: images given a code | independent pixels, means $\hat x = \mathrm{sigmoid}(D(z))$ |
# | $p(z \mid x)$ | **posterior**: codes that could have made this image | $p(x \mid z)\, p(z) / p(x)$: see below |
# | $q(z \mid x)$ | **approximate posterior**: our stand-in for it | $\mathcal N(\mu(x), \mathrm{diag}\,\sigma^2(x))$ |
#
# Bayes' rule gives the posterior, but its denominator is $p(x) = \int p(x \mid z)\, p(z)\, dz$, an integral over all
# codes that nobody can do for a decoder like ours. Hence the stand-in.
#
# The decoder computes the likelihood: it is the **generative network**. The encoder computes the approximate
# posterior: it is the **inference network**, one network for all images, where one could also search for the best
# cloud of each image anew. That is called **amortised** inference. To *generate*, draw $z \sim p(z)$ and decode. To
# *encode*, compute $q(z \mid x)$: not a point but a cloud, with a centre $\mu$ and a width $\sigma$ in each of the $d$
# directions.
#
# The encoder must therefore return $2d$ numbers for $d$ latent dimensions. Two linear layers share the same features:
# one **head** for the means, one for the widths. The second does not return $\sigma$ but $\log \sigma^2$, called
# `logvar`, for three reasons. A linear layer can return any number, and any number is a legal logarithm, while
# $\sigma$ must be positive. Equal steps in `logvar` multiply $\sigma$ by equal factors, so widths of 0.01 and of 1
# are equally easy to reach. And the loss needs $\sigma^2$ and $\log \sigma^2$: from `logvar` both come without taking
# the logarithm of a number that may have been rounded to 0. Mind the half on the way back: $\sigma = \exp(\tfrac12
# \texttt{logvar})$.

# %% [markdown] heads-task
# ### Exercise 1: an encoder with two heads
#
# *Easy, about 8 minutes.* From the features of a batch, compute the mean of each image's cloud, its log-variance and
# its standard deviation.


# %% heads-exercise
def cloud(features, head_mu, head_logvar):
    """Centre and width of q(z|x).

    Args:
        features: What the encoder's first layers return, (B, H).
        head_mu: Linear layer (B, H) -> (B, D).
        head_logvar: Linear layer (B, H) -> (B, D); it returns log(sigma**2).

    Returns:
        mu, logvar and std, in this order, each (B, D); std is the standard deviation sigma.
    """
    ### BEGIN SOLUTION
    mu, logvar = head_mu(features), head_logvar(features)
    std = torch.exp(0.5 * logvar)
    return mu, logvar, std
    ### END SOLUTION


# %% heads-check
cloud = checks.accept("two-heads", cloud)

# %% [markdown] heads-hints
# <details><summary>Hint 1</summary>
#
# Call each head on the features. The results are `mu` and `logvar` already.
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
# 2. **Sample** one code from each cloud: $z = \mu + \sigma \cdot \epsilon$ with $\epsilon \sim \mathcal N(0, I)$.
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
    """Encoder with two heads, decoder, prior N(0, I). Later lessons use course_utils/models/vae/vae.py."""

    def __init__(self, latent_dim, hidden=256):
        super().__init__()
        self.latent_shape = (latent_dim,)
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.ReLU())
        self.head_mu = nn.Linear(hidden, latent_dim)
        self.head_logvar = nn.Linear(hidden, latent_dim)
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, hidden), nn.ReLU(), nn.Linear(hidden, 784), nn.Unflatten(1, (1, 28, 28))
        )

    def posterior(self, x):  # (B, 1, 28, 28) -> mu (B, D), logvar (B, D)
        return cloud(self.features(x), self.head_mu, self.head_logvar)[:2]

    def encode(self, x):  # the centre of the cloud, (B, D)
        return self.posterior(x)[0]

    def decode(self, z):  # (B, D) -> (B, 1, 28, 28) in [0, 1]
        return torch.sigmoid(self.decoder(z))

    def sample_latent(self, n, generator=None):  # draws from the prior, (n, D)
        return torch.randn(n, *self.latent_shape, generator=generator).to(self.head_mu.weight.device)


# %% [markdown] loop-intro
# Now the loop, with the five parts in order. Two numbers are printed for each epoch, and the price of the first five
# batches. Watch `kl`, the price the encoder pays: where does it start, when is it highest, and does it go on changing
# as long as `recon` does?

# %% recipe
seed_everything(4)
vae = SmallVAE(latent_dim=2).to(device)
optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3)
prices, course = [], []  # mean kl of every batch; mean recon and kl of every epoch
for epoch in range(1, 11):
    sums = torch.zeros(2)
    for x in batches:
        mu, logvar = vae.posterior(x)  # 1. encode
        std = torch.exp(0.5 * logvar)
        z = mu + std * torch.randn_like(std)  # 2. sample
        x_logits = vae.decoder(z)  # 3. decode
        recon = F.binary_cross_entropy_with_logits(x_logits, x, reduction="none").sum(dim=(1, 2, 3))  # (B,)
        kl = 0.5 * (torch.exp(logvar) + mu**2 - 1 - logvar).sum(dim=1)  # (B,)
        loss = (recon + kl).mean()  # 4. loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()  # 5. step
        sums += torch.stack([recon.sum(), kl.sum()]).detach().cpu()
        prices.append(kl.mean().item())
    recon_mean, kl_mean = (sums / len(train)).tolist()
    course.append((recon_mean, kl_mean))
    print(f"epoch {epoch:2d}: recon {recon_mean:.1f} nats, kl {kl_mean:.2f} nats")
print("kl of the first five batches:", ", ".join(f"{price:.2f}" for price in prices[:5]))

# %% average-image
average = x_train.mean(dim=0, keepdim=True).clamp(1e-6, 1 - 1e-6).expand_as(x_train)
alone = F.binary_cross_entropy(average, x_train, reduction="none").sum(dim=(1, 2, 3)).mean().item()
print(f"the average image for every code would cost recon {alone:.0f} nats; the codes save {alone - recon_mean:.0f}")

# %% [test] average-image-holds
assert prices[0] < 0.2
assert max(prices[:5]) > 2
assert kl_mean < 7
assert 105 < alone - recon_mean < 135
assert 0.3 < course[1][1] - kl_mean < 2
assert course[1][0] - recon_mean > 15

# %% [markdown] loop-seen
# The price starts near 0, for an untrained encoder gives all images nearly the same cloud, about as wide as the prior.
# Within five batches the encoder has decided to pay. Under 7 nats of price save about 120 nats of reconstruction: the
# average image alone would cost 384. From epoch 2 the price falls slowly, by about one nat, while `recon` falls by 20
# to 30: the decoder learns to make more of slightly cheaper codes. The two terms have found their balance: one more nat
# of precision would save less than one nat of reconstruction.
#
# And without the price? The same loss with 0 times `kl`, for half as many epochs. Compare the typical width of a cloud
# with the spread of the centres.

# %% no-price
from course_utils.models.vae import VAE  # course_utils/models/vae/vae.py: the class above, with options

seed_everything(4)
no_price = VAE(2, hidden=256, beta=0.0).to(device)  # loss = recon + beta * kl
fit(no_price, batches, epochs=5, lr=2e-3, progress=False)
for name, model in (("with the price", vae), ("without", no_price)):
    with torch.no_grad():
        mu, logvar = (t.cpu() for t in model.posterior(x_test.to(device)))
    width, apart = torch.exp(0.5 * logvar).median(dim=0).values, mu.std(dim=0)
    print(f"{name}: median sigma {width[0]:.1g}, {width[1]:.1g}; spread of the centres {apart[0]:.1f}, {apart[1]:.1f}")

# %% [test] no-price-holds
relative = {}
for name, model in (("with the price", vae), ("without", no_price)):
    with torch.no_grad():
        mu, logvar = (t.cpu() for t in model.posterior(x_test.to(device)))
    relative[name] = (torch.exp(0.5 * logvar).median(dim=0).values / mu.std(dim=0)).max().item()
assert relative["without"] < 1e-2 < relative["with the price"]

# %% [markdown] no-price-seen
# Without a price the noise is switched off: the clouds shrink to points, beside centres that lie farther apart. What
# is left is an autoencoder.
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
    mu, logvar = (t.cpu() for t in vae.posterior(x_test.to(device)))
std = torch.exp(0.5 * logvar)
for share in (0.393, 0.5, 0.9):
    offsets = std[:, None] * torch.randn(len(std), 50, 2, generator=g)  # 50 samples a cloud, from its centre
    inside = (offsets / half_axes(std, share)[:, None]).square().sum(dim=2) < 1
    print(f"asked for {share:.1%}, found {inside.float().mean().item():.1%}")

# %% [test] coverage-holds
for share in (0.393, 0.5, 0.9):
    offsets = std[:, None] * torch.randn(len(std), 50, 2, generator=torch.Generator().manual_seed(0))
    inside = (offsets / half_axes(std, share)[:, None]).square().sum(dim=2) < 1
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


some = torch.arange(50)  # classes alternate: five of each
figure, ax = plt.subplots(figsize=(8.4, 5.8), layout="constrained")
plots.latent_scatter(mu, test.labels, test.class_names, ax=ax)
ax.collections[-1].set(sizes=[40], alpha=1)  # ankle boots have the palest colour
draw_ellipses(ax, mu[some], half_axes(std[some], 0.5))
circle_of_prior = half_axes(torch.ones(1, 2), 0.5)[0, 0].item()
ax.add_patch(plt.Circle((0, 0), circle_of_prior, fill=False, linestyle="--", color="black", linewidth=2))
ax.set_title("codes of the test images; half of each cloud lies inside its ellipse")
plt.show()

# %% [markdown] cover-intro
# One cloud is small beside the map. But there are 11,000 of them. How many clouds cover a place on the map, on
# average? Add up the areas of all ellipses, $\pi a b$, and divide by the area that the crowd takes, here that of the
# codes' own ellipse for a share of 95%. And count the centres inside the dashed circle: half of them, if the crowd were
# like the prior.

# %% cover
with torch.no_grad():
    mu_train, logvar_train = (t.cpu() for t in vae.posterior(x_train.to(device)))
clouds_area = torch.pi * half_axes(torch.exp(0.5 * logvar_train), 0.5).prod(dim=1).sum().item()
crowd_area = torch.pi * half_axes(mu_train.std(dim=0)[None], 0.95).prod().item()
print(f"an ellipse takes {clouds_area / len(train) / crowd_area:.2%} of the map")
print(f"each place on it is covered {clouds_area / crowd_area:.0f} times on average")
inside = (mu.norm(dim=1) < circle_of_prior).float().mean().item()
print(f"{inside:.0%} of the centres lie inside the circle that holds half of the prior")

# %% [test] cover-holds
assert clouds_area > 3 * crowd_area
assert inside < 0.3

# %% [markdown] map-seen
# So the clouds do overlap, many deep, and where they overlap the decoder had to find a compromise. That is the
# smoothness we asked for. But the crowd does not fill the prior evenly: far too few centres lie inside the circle, and
# there are thin places. With two numbers for each image room is scarce, and the encoder pays for more of it. Lesson 07
# measures such holes.

# %% [markdown] width-intro
# Which images get wide clouds, and which narrow ones? The area of an ellipse is proportional to $\sigma_1 \sigma_2$.
# Upper row: the test images with the widest clouds; lower row: with the narrowest. What have the images of a row in
# common? Below the figure, the classes in order of their mean area, and two correlations.

# %% widths
area = std.prod(dim=1)
order = area.argsort(descending=True)
plots.image_rows({"widest clouds": x_test[order[:10]], "narrowest clouds": x_test[order[-10:]]})
plt.show()
print(f"the largest area is {(area[order[0]] / area[order[-1]]).item():.0f} times the smallest")
by_class = {name: area[test.labels == k].mean().item() for k, name in enumerate(test.class_names)}
for name, value in sorted(by_class.items(), key=lambda pair: pair[1]):
    print(f"{name:12s} mean area {value:.4f}")


def rank_correlation(a, b):
    """Spearman's: the correlation of the ranks of a (N,) and of b (N,); 1 if they rise together, -1 if against."""
    return torch.corrcoef(torch.stack([v.argsort().argsort().float() for v in (a, b)]))[0, 1].item()


bright = rank_correlation(area, x_test.mean(dim=(1, 2, 3)))
large = rank_correlation(area, (x_test > 0.1).float().mean(dim=(1, 2, 3)))
print(f"rank correlation of the area with mean brightness {bright:.2f}, with the share of pixels not black {large:.2f}")

# %% [test] widths-holds
assert bright < -0.4
assert large < -0.2

# %% [markdown] width-seen
# Bright and large things get narrow clouds, dark and thin ones wide clouds; brightness counts for more. The encoder
# spends precision where a small move of the code changes many pixels, for there a blurred position is expensive. A
# picture whose code may wander without much harm gets a wide cloud. The widths are part of what the model has learned.
#
# ## 5. Are the dead zones closed?
#
# The same test as in lesson 02. A place on the map is *dead* if the nearest training code is farther away than it is
# for 99% of the test codes. But what is the code of an image now? A draw from the prior should look like a draw from
# the clouds, not like a centre. So where there are clouds, we take one draw from each.
#
# From where do we draw the codes that we test? The autoencoders have no distribution, and get the Gaussian with the
# mean and the spread of their training codes. The VAE has its prior. To compare like with like, it gets that Gaussian
# of its own codes as well.

# %% [markdown] sample-task
# ### Exercise 3: sampling with a temperature
#
# *Easy, about 8 minutes.* Turn noise into images. A **temperature** $\tau$ widens or narrows the prior: the codes are
# drawn from $\mathcal N(0, \tau^2 I)$. Temperature 1 is the model's own story.


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
# Count the dead draws of the models with two numbers, and look at twelve draws of two of them. Which row would pass for
# clothes, and by how much?


# %% dead-share
@torch.no_grad()
def one_code_each(model, images, width=0.0):
    """Centre of each image's cloud and one draw from it, both (N, D); an autoencoder's clouds have the given width."""
    if isinstance(model, Autoencoder):
        mu = encode_dataset(model, images)
    else:
        parts = [model.posterior(x) for x in images.to(device).split(500)]
        mu, logvar = (torch.cat(part).cpu() for part in zip(*parts, strict=True))
        width = torch.exp(0.5 * logvar)
    return mu, mu + width * torch.randn(mu.shape, generator=g)


def gaussian_like(codes, eps):
    """Noise eps (B, D) from N(0, I), moved and stretched to the mean and the spread of the codes (N, D)."""
    return codes.mean(dim=0) + codes.std(dim=0) * eps


def dead_share(z, codes_train, codes_test):
    """Share of the codes z that are farther from every training code than 99% of the test codes are."""
    limit = nearest_neighbors(codes_test, codes_train, k=1)[1].quantile(0.99)
    return (nearest_neighbors(z, codes_train, k=1)[1] > limit).float().mean().item()


# %% dead
eps = torch.randn(2000, 2, generator=g)
share, guess = {}, {}
for name, model, width in (("autoencoder", plain, 0.0), ("autoencoder with noise", noisy, 1.0), ("VAE", vae, 0.0)):
    (_, codes_train), (_, codes_test) = (one_code_each(model, x, width) for x in (x_train, x_test))
    guess[name] = gaussian_like(codes_train, eps)
    share[f"{name}, Gaussian of its codes"] = dead_share(guess[name], codes_train, codes_test)
share["VAE, prior"] = dead_share(eps, codes_train, codes_test)
with torch.no_grad():
    from_vae = sample_images(vae.decoder, eps[:12].to(device)).cpu()
plots.image_rows({"autoencoder": decode_dataset(plain, guess["autoencoder"][:12]), "VAE, prior": from_vae})
plt.show()
for name, value in share.items():
    print(f"{name:45s} {value:.0%} of the draws are dead")

# %% [test] dead-holds
assert all(0.03 < value < 0.5 for value in share.values())

# %% [markdown] more-dimensions-intro
# No triumph. In the plane every Gaussian around a crowd hits the crowd most of the time and sometimes a gap, and with
# another seed the four may come in another order. Lesson 02 found that with 32 numbers random codes practically never
# succeed, so more dimensions are the harder test. We train four models with 16 numbers each, on the same images for
# the same number of epochs: with noise and without, with the price and without. Three numbers for each:
#
# * *strays*, as in section 1: do the clouds overlap?
# * *dead*, as above, for draws from the VAE's prior, and from the Gaussian of its codes for each of the others;
# * a *ratio*: how far a sample lies from the nearest training image, divided by the same distance for restored test
#   images. Near 1, samples are as close to clothes as restorations are. The distance is 1 minus the cosine of the angle
#   between two images: half their squared distance once both are scaled to length 1, so that brightness does not count.
#
# The last column has the ratio for squared distances without that scaling. Compare both with the pictures. The last row
# of pictures shows the yardstick, test images restored by the VAE.


# %% more-dimensions-measures
def to_clothes(images, metric):
    """Distance of images to the nearest training image, on average: the squared distance, or 1 - cosine."""
    distance = nearest_neighbors(images, x_train, k=1, metric=metric)[1]
    return (distance.square() if metric == "euclidean" else distance).mean().item()


seed_everything(4)
models = {
    "autoencoder": Autoencoder(16, hidden=256), "with noise": Autoencoder(16, hidden=256),
    "VAE without price": VAE(16, hidden=256, beta=0.0), "VAE": VAE(16, hidden=256),
}  # fmt: skip
for name, model in models.items():
    fit(model.to(device), batches, epochs=6, lr=2e-3, loss=noisy_loss if name == "with noise" else None, progress=False)

# %% more-dimensions
eps = torch.randn(2000, 16, generator=g)
rows, stray, share, ratio, squares = {}, {}, {}, {}, {}
for name, model in models.items():
    width = 1.0 if name == "with noise" else 0.0
    (mu, codes_train), (_, codes_test) = (one_code_each(model, x, width) for x in (x_train, x_test))
    z = eps if name == "VAE" else gaussian_like(codes_train, eps)
    drawn, restored = decode_dataset(model, z[:250]), decode_dataset(model, encode_dataset(model, test[:250]))
    rows[name] = drawn[:10]
    stray[name], share[name] = strays(mu, codes_train[:2000]), dead_share(z, codes_train, codes_test)
    ratio[name], squares[name] = (to_clothes(drawn, m) / to_clothes(restored, m) for m in ("cosine", "euclidean"))
    print(f"{name:18s} strays {stray[name]:4.0%}   dead {share[name]:4.0%}   ratio {ratio[name]:.1f} ", end="  ")
    print(f"squared {squares[name]:.1f}")
plots.image_rows(rows | {"restored": restored[:10]})
plt.show()

# %% [test] more-dimensions-holds
assert stray["VAE without price"] < 0.05 < 0.4 < stray["VAE"]
assert stray["with noise"] < 0.4
assert share["VAE"] < 0.75 < 0.95 < min(share[name] for name in models if name != "VAE")
assert ratio["VAE"] < ratio["autoencoder"] < ratio["with noise"]
assert ratio["VAE"] < 0.75 * ratio["VAE without price"]
assert squares["with noise"] < 1.4 < squares["autoencoder"]

# %% [markdown] more-dimensions-seen
# Now they part. Without noise, or with noise that the encoder has switched off, there are no clouds: no code strays,
# all draws are dead, and the samples are scraps of several garments at once. Noise of fixed size does not help. In 16
# dimensions there is room to escape to: most clouds stand alone, nearly every draw is dead, and the samples are dark
# scraps, by their angle the farthest from clothes of all. (By the squared distance they would look as good as the
# VAE's. It is deceived: a nearly black picture is not far from any dark one.)
#
# Only in the VAE's row do most samples show one garment, if a blurred one. It differs from the row above in its price,
# and in the prior that the price makes fit to draw from. With it more than half of the codes stray, so the clouds
# overlap. Together they cover much of the region that the prior covers, and a draw from the prior often lands where the
# decoder has practised. That is what the price has bought. It is not perfect: about half of the draws are still dead,
# and the ratio is far from 1, although blur helps, for a blurred image is near many others.
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

# %% temperature-numbers
(_, codes_train), (_, codes_test) = (one_code_each(reference, x) for x in (x_train, x_test))
eps = torch.randn(300, 2, generator=g)
dead, apart = {}, {}
print("temperature   two draws apart   contrast   to the nearest training image   dead")
for t in (0.5, 1.0, 1.5, 2.0, 2.5):
    x_hat = decode_dataset(reference, t * eps)
    dead[t], apart[t] = dead_share(t * eps, codes_train, codes_test), torch.pdist(x_hat.flatten(1)).mean().item()
    contrast, far = x_hat.std(dim=(1, 2, 3)).mean().item(), to_clothes(x_hat, "euclidean")
    print(f"{t:11.1f}   {apart[t]:15.1f}   {contrast:8.2f}   {far:29.1f}   {dead[t]:4.0%}")

# %% [test] temperature-numbers-holds
assert apart[0.5] < apart[1.0] < apart[2.0]
assert dead[0.5] < 0.15 < 0.4 < dead[2.0]

# %% [markdown] temperature-seen
# The table has the mean distance between two draws, the contrast (the standard deviation of the pixels of an image),
# the mean squared distance to the nearest training image, and the dead share. A low temperature gives few, blurred
# kinds: two draws differ little, and the pixels are grey. A high one gives variety and hard contrast, and more draws
# beyond all training codes: at temperature 2 about every second one. In the last row of the figure most garments are
# clear and bright, but the fourth and the sixth are torn.

# %% temperature-explorer
labels = [f"draw {i + 1}" for i in range(8)]
heat = widgets.FunctionSlider(at_temperature, 0, 3, labels=labels, name="temperature", start=1.0, title="Temperature")
heat.move_to(0.8)
heat

# %% [markdown] ellipse-intro
# And the ellipses. The figure shows two test images: the one with the largest ellipse among the first 200, for two
# shares, and the one with the smallest. Upper row: the ellipse on the map. Middle row: the ellipse and four samples
# from the cloud, close up, all on the same scale. Lower row: the image, and the four samples decoded. Are the four the
# same garment as the image?

# %% ellipse-code
with torch.no_grad():
    ref_mu, ref_logvar = (t.cpu() for t in reference.posterior(x_test.to(device)))
ref_std = torch.exp(0.5 * ref_logvar)
cloud_noise = torch.randn(4, 2, generator=torch.Generator().manual_seed(1))
turn = torch.linspace(0, 2 * torch.pi, 60)
circle = torch.stack([turn.cos(), turn.sin()], dim=1)  # (60, 2)
low, high = ref_mu.quantile(torch.tensor([0.005, 0.995]), dim=0)
x_range, y_range = ((a - 0.5, b + 0.5) for a, b in zip(low.tolist(), high.tolist(), strict=True))
crowd = plots.Series("centres of other images", *ref_mu[::13].T, kind="points", color=3)  # course_utils/plots/chart.py


def cloud_on_map(number, share):
    """Where a test image is on the map, its ellipse and samples close up, and a strip of image and samples, decoded."""
    i = int(number)
    z = ref_mu[i] + ref_std[i] * cloud_noise  # (4, 2)
    edge = ref_mu[i] + half_axes(ref_std[i : i + 1], share) * circle
    outline = plots.Series("cloud of this image", *edge.T, kind="line", color=0)
    drawn = plots.Series("samples 1 to 4", *z.T, kind="points", color=2)
    around = [(at - 0.4, at + 0.4) for at in ref_mu[i].tolist()]  # the same scale for all images
    strip = torch.cat([x_test[i], *decode_dataset(reference, z)], dim=2)  # (1, 28, 5 * 28)
    return {
        "map": plots.Chart([crowd, outline], x_range, y_range, "z[0]", "z[1]"),
        "close up": plots.Chart([outline, drawn], *around, "z[0]", "z[1]"),
        "image, samples": strip,
    }


# %% ellipse-figure
clouds = widgets.FunctionSliders(  # course_utils/widgets/function_sliders.py
    cloud_on_map,
    {"image": (0, 199, 1, 1), "share": (0.05, 0.95, 0.5, 0.05)},
    describe=lambda number, share: f"A {test.class_names[test.labels[int(number)]].lower()}.",
    title="Posterior ellipses",
)
ref_area = ref_std[:200].prod(dim=1)
wide, narrow = ref_area.argmax().item(), ref_area.argmin().item()
axes = clouds.static([(wide, 0.5), (wide, 0.95), (narrow, 0.5)])
axes[1, 0].legend(loc="lower left", fontsize=9, frameon=False)
plt.show()
print({number: f"sigma {ref_std[number, 0]:.2f}, {ref_std[number, 1]:.2f}" for number in (wide, narrow)})

# %% [markdown] ellipse-seen
# The largest ellipse belongs to a pair of trousers, the smallest to a bag. Both are small beside the map. Three of the
# four samples lie inside the ellipse for one half, and all four inside that for 95%. Decoded, the four are hard to tell
# apart, in the wide cloud as in the narrow one: the encoder makes a cloud about as wide as its image lets it be. What
# else is in the image, such as the outline of the bag, two numbers cannot say.
#
# The explorer shows the cloud of any of 200 test images, for any share.

# %% ellipse-explorer
clouds.move_to(5, 0.6)
clouds

# %% [markdown] pad-intro
# Last, the map itself. Above the explorer its static twin: the same region, decoded on a grid. Try to find a hole.

# %% pad-figure
figure, ax = plt.subplots(figsize=(5, 5), layout="constrained")
plots.latent_canvas(latent_grid(reference, x_range, y_range, 10), x_range, y_range, ax=ax)
plt.show()

# %% [markdown] pad-seen
# Most places decode to a garment, and neighbours are alike. The holes are where kinds meet that have nothing between
# them: near $(2, 1)$ trousers turn into a sandal by way of a spot of light, and near $(0.8, 0.4)$ a dress into a shoe
# by way of a dark smear. And beyond all codes, at the lower left, the boots are torn.

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

# %% [markdown] limits
# ## Limits and caveats
#
# * Samples from the prior are better than the autoencoder's, not good. The clouds together do not cover the prior
#   evenly; lesson 07 measures the holes that remain.
# * Our measures are rough. *Dead* depends on how many training codes there are and on the dimension; distances between
#   pixels favour blur, and squared ones, which lesson 02 used, favour darkness as well.
# * Noise with a price is not the only way. Ghosh et al. (2020) leave the noise out, tie the decoder and the size of the
#   codes down instead, and fit a distribution to the codes afterwards; their samples are as good as a VAE's or better.
#   What a VAE has beside that is a prior fixed in advance, a width for each image, and a bound on $\log p(x)$ (lesson
#   06).
# * $q(z \mid x)$ is a guess with axis-parallel ellipses. The true posterior can be tilted or have several humps, and
#   lesson 06 shows what the difference costs.
# * Grey values are not on-off pixels. Taking them as Bernoulli means works well for images that are mostly black or
#   white, but the likelihood it gives is not that of grey images.
# * The price pulls clouds together. It does not make single dimensions mean something; that takes more (lesson 09).

# %% [markdown] quiz
# ## Quiz
#
# **1.** What would the encoder do with $\sigma$ if the KL term were left out of the loss?
#
# <details><summary>Answer</summary>
#
# Let it go to 0, for noise only hurts the reconstruction. In section 3 the median $\sigma$ had fallen below a hundredth
# of the spread of the centres after 5 epochs. Clouds become points again, and the VAE an autoencoder. Where $\sigma$ is
# fixed, as in section 1, the encoder moves the centres apart instead, which makes the noise smaller beside them.
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

# %% [markdown] summary
# ## Summary
#
# * $p(z) = \mathcal N(0, I)$, $p(x \mid z)$ from the decoder, $q(z \mid x) = \mathcal N(\mu(x), \mathrm{diag}\,
#   \sigma^2(x))$ from the encoder.
# * $\sigma = \exp(\tfrac12 \texttt{logvar})$; $z = \mu + \sigma \epsilon$ with $\epsilon \sim \mathcal N(0, I)$.
# * Loss per image: $-\log p(x \mid z) + \mathrm{KL}(q(z \mid x) \,\|\, p(z))$, summed over pixels and dimensions,
#   then averaged over the batch.
# * The ellipse with half-axes $\sqrt{-2 \log(1 - s)}\; \sigma$ holds the share $s$ of a two-dimensional cloud.
# * From noise of fixed size the codes move away as far as there is room; noise whose width is free is switched off.
#   Noise with a price stays, the clouds overlap, and there is a prior to draw from.

# %% [markdown] references
# ## References
#
# * D. P. Kingma and M. Welling (2013), *Auto-encoding variational Bayes*, arXiv:1312.6114.
# * D. J. Rezende, S. Mohamed and D. Wierstra (2014), *Stochastic backpropagation and approximate inference in deep
#   generative models*, arXiv:1401.4082.
# * D. P. Kingma and M. Welling (2019), *An introduction to variational autoencoders*, arXiv:1906.02691.
# * C. Doersch (2016), *Tutorial on variational autoencoders*, arXiv:1606.05908.
# * P. Ghosh, M. S. M. Sajjadi, A. Vergari, M. Black and B. Schölkopf (2020), *From variational to deterministic
#   autoencoders*, arXiv:1903.12436.

# %% [markdown] next
# ## Next
#
# In step 2 of the recipe we drew random numbers in the middle of a network and then asked for gradients. Lesson 05
# shows why that should not work, and why it does.
