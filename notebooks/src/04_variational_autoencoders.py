# %% [markdown] title
# {{header}}
#
# # 04. How can an autoencoder learn to invent?
#
# At the end of this lesson you can
#
# 1. say what prior, likelihood, evidence and posterior are, and which network of a variational autoencoder computes
#    what;
# 2. write its loss and its training step, and say in nats what a cloud costs;
# 3. draw new images, and say what a VAE gives you that a plain autoencoder with a fitted density does not.

# %% [markdown] prerequisites
# **You need:** lesson 02 (autoencoders and their dead places), the normal distribution (mean, standard deviation), and
# a little probability, which the first section recalls by counting.
#
# **Time:** {{learning}} with the exercises. Running all cells takes {{minutes}}.

# %% setup
{{setup}}

# %% imports
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.patches import Circle, Ellipse
from torch import nn

from course_utils import checks, claims, plots
from course_utils.data import fashion_mnist  # course_utils/data/fashion.py
from course_utils.device import pick_device, seed_everything  # course_utils/device.py
from course_utils.latents import decode_dataset, encode_dataset, nearest_neighbors  # course_utils/latents.py
from course_utils.losses import squared_error  # course_utils/losses.py
from course_utils.models.autoencoder import Autoencoder  # course_utils/models/autoencoder.py: built in lesson 02
from course_utils.training import fit  # course_utils/training/loop.py: the loop of lesson 02, with a progress bar

plt.rcParams["figure.dpi"] = 80
seed_everything(4)
g = torch.Generator().manual_seed(4)  # every number drawn by hand in this lesson comes from here
device = pick_device()
train, test = fashion_mnist("train"), fashion_mnist("test")
x_train, x_test = train.pixels(), test.pixels()  # (N, 1, 28, 28) in [0, 1]
batches = train.batches(256, device=device, shuffle=True, generator=g)
print(f"{len(train):,} training and {len(test):,} test images; computing on {device}")

# %% [markdown] counting
# ## Counting first: three codes and two images
#
# A machine makes pictures in two steps. It draws a code, a, b or c, which we do not see. Then it paints a dress or a
# boot. The code decides how probable each of them is. It has made 100 pictures, and somebody has kept the list:
#
# | code | drawn | dress | boot |
# |---|---|---|---|
# | a | 50 | 45 | 5 |
# | b | 30 | 15 | 15 |
# | c | 20 | 0 | 20 |
# | all | 100 | 60 | 40 |
#
# Write $z$ for the code and $x$ for the picture.
#
# * **[[Prior]]** $p(z)$: how probable a code is before we see a picture. For b it is 30 of 100, 0.3.
# * **Likelihood** $p(x \mid z)$, "of $x$ given $z$": read along a row. Of the 30 pictures from b, 15 are boots: 0.5.
# * **[[Evidence]]** $p(x)$, whatever the code (the [[marginal|marginal distribution]] of the pictures): read the last
#   row. Of 100 pictures, 40 are boots: 0.4.
# * **[[Posterior]]** $p(z \mid x)$, the code once we have seen the picture: read down a column. Of the 40 boots, 15
#   came from b: 0.375.
#
# **[[Bayes' rule|bayes rule]]** computes the posterior from the other three:
#
# $$p(z \mid x) = \frac{p(x \mid z)\, p(z)}{p(x)}, \qquad \text{for b and a boot: } \frac{0.5 \cdot 0.3}{0.4} = 0.375.$$

# %% count
counts = torch.tensor([[45.0, 5], [15, 15], [0, 20]])  # rows: codes a, b, c; columns: dress, boot
prior = counts.sum(dim=1) / counts.sum()  # (3,)
likelihood = counts / counts.sum(dim=1, keepdim=True)  # (3, 2)
evidence = (prior[:, None] * likelihood).sum(dim=0)  # (2,): over all codes
posterior = prior[:, None] * likelihood / evidence  # (3, 2): Bayes' rule
print("evidence:", evidence, "  posterior for a boot:", posterior[:, 1])
print({p: f"{math.log(1 / p):.2f} nats" for p in (1.0, 0.5, 0.4, 0.1, 0.01)})

# %% [test] count-holds
assert torch.allclose(posterior[:, 1], counts[:, 1] / counts[:, 1].sum())

# %% [markdown] nats
# The last line introduces a unit. We measure a probability $p$ by $-\log p$, with the natural logarithm, in
# **[[nats|nat]]**. What is certain costs 0 nats, and what is less probable costs more: a boot costs 0.92. Where
# probabilities are multiplied, nats are added, so losses are written in nats.
#
# ## Predict first
#
# 1. We add noise of standard deviation 1 to each number of an autoencoder's code before it is decoded, and still ask
#    for the image back. Nothing limits the codes. What will the encoder do with them?
# 2. We draw new codes and decode them. One model pays a price for codes far from the origin, and we draw from the
#    [[standard normal distribution]] $\mathcal N(0, I)$: independent numbers of mean 0 and variance 1. The other is a
#    plain autoencoder with a density fitted to its codes afterwards. Which gives more pictures that pass for clothes?
#
# <details><summary>What we found, for after sections 1 and 6</summary>
#
# 1. It moves the codes apart, so that the noise becomes small beside their distances.
# 2. It depends on the density. With one normal distribution neither is clearly better, with a mixture of 20 the
#    autoencoder is. Section 6 counts, and says what the price is good for.
#
# </details>

# %% [markdown] noise-idea
# ## 1. A cloud instead of a point
#
# Between the points that it was trained on, an autoencoder has dead places. Suppose we give each image a small cloud of
# codes, and ask that every code of the cloud decodes to the image. Where clouds overlap, the decoder must find
# something between the images. So overlapping clouds fill the dead places.
#
# Will the encoder let them overlap? We train two autoencoders with codes of two numbers. The second gets noise
# $\epsilon \sim \mathcal N(0, I)$ added to each code, and nothing else. Compare the standard deviations of their codes.


# %% noisy-loss
def noisy_loss(model, x):
    """Squared error after adding N(0, I) to every code."""
    z = model.encode(x)
    return {"loss": squared_error(model.decode(z + torch.randn_like(z)), x).mean()}


# %% noisy-code
spread = {}
for name, loss in (("plain", None), ("with noise", noisy_loss)):
    seed_everything(4)
    model = Autoencoder(2, hidden=256).to(device)
    fit(model, batches, epochs=6, lr=2e-3, loss=loss, progress=False)
    spread[name] = encode_dataset(model, train).std(dim=0).mean().item()
    print(f"{name}: standard deviation of the codes {spread[name]:.1f}")

# %% [test] noisy-code-holds
assert spread["with noise"] > 2 * spread["plain"]

# %% [markdown] noise-seen
# With noise, the codes move apart: in three runs to a standard deviation of {{claim noise-alone.noisy_end epochs=6}},
# and after 24 epochs to {{claim noise-alone.noisy_end epochs=24}}. The plain codes, our control, reach only
# {{claim noise-alone.plain_end epochs=24}} in 24 epochs.
#
# So noise alone is not enough. Every cloud has the same width, and nobody has told us where to draw new codes. If the
# encoder may choose the widths too, it switches the noise off: after 2 epochs a typical width was
# {{claim free-width.width epochs=2}} standard deviations of the codes. Being far from the origin, and being precise,
# must cost something. The variational autoencoder puts that **price** into its loss.

# %% [markdown] names-idea
# ## 2. Four distributions, two networks
#
# A **variational autoencoder** ([[VAE]]) is the machine of the first section, with codes of $D$ real numbers instead of
# three letters, and with a network that guesses the code of a picture.
#
# | symbol | name | in this lesson |
# |---|---|---|
# | $p(z)$ | **prior** | $\mathcal N(0, I)$ |
# | $p(x \mid z)$ | **likelihood** | a [[Bernoulli distribution]]: pixels are on with probability $\hat x$, else off |
# | $p(z \mid x)$ | **posterior** | Bayes' rule, with the evidence $p(x) = \int p(x \mid z)\, p(z)\, dz$ |
# | $q(z \mid x)$ | **[[approximate posterior]]** | the **cloud** of an image: $\mathcal N(\mu, \sigma^2)$ |
#
# The integral adds up all codes, as we added up three. For two numbers a fine grid would do. For the 16 numbers of
# section 6, a grid of 20 places a dimension has $20^{16} = 6.6 \cdot 10^{20}$ places. So we use a stand-in for the
# posterior: $q$, with a centre $\mu$ and a width $\sigma$ for each dimension.
#
# The decoder is the **generative network**, from $z$ to $\hat x$. In code, `decoder(z)` returns `x_logits`, any real
# numbers, and `decode(z)` the picture $\hat x$, which is their sigmoid. The encoder is the **[[inference network]]**,
# from $x$ to $q(z \mid x)$. That one network serves all images is called [[amortised inference]].
#
# The encoder returns $2D$ numbers. Two linear layers, the **[[heads|head]]**, share the same features. One returns
# $\mu$, the other `logvar` $= \log \sigma^2$, the [[log-variance]]: a linear layer can return any number, and $\sigma$
# must be positive. For example, `logvar` $= -2$ means $\sigma^2 = e^{-2} = 0.14$ and $\sigma = 0.37$.

# %% [markdown] heads-task
# ### Exercise 1: encode and sample
#
# *Easy, about 5 minutes.* Compute the clouds of a batch, and draw one code from each.
# If `eps` is noise from $\mathcal N(0, I)$, which multiple of it, added to what, is a draw from $\mathcal N(\mu,
# \sigma^2)$?


# %% heads-exercise
def encode_and_sample(features, head_mu, head_logvar, eps):
    """The cloud q(z|x) of each image, and one code drawn from it.

    Args:
        features: What the encoder's first layers return, (B, H).
        head_mu: Linear layer (B, H) -> (B, D).
        head_logvar: Linear layer (B, H) -> (B, D); it returns log(sigma**2).
        eps: Noise from N(0, I), (B, D).

    Returns:
        mu, logvar and z, in this order, each (B, D).
    """
    ### BEGIN SOLUTION
    mu, logvar = head_mu(features), head_logvar(features)
    std = torch.exp(0.5 * logvar)
    return mu, logvar, mu + std * eps
    ### END SOLUTION


# %% heads-check
encode_and_sample = checks.accept("two-heads", encode_and_sample)

# %% [markdown] heads-hints
# <details><summary>Hint 1</summary>
#
# Call each head on the features. The results are `mu` and `logvar` already. Then you need $\sigma$.
#
# </details>
# <details><summary>Hint 2</summary>
#
# If `logvar` is $\log \sigma^2$, then $\sigma = \exp(\texttt{logvar} / 2)$: `torch.exp(0.5 * logvar)`. Stretch `eps` by
# it, and move it to the centre.
#
# </details>

# %% [markdown] price-idea
# ## 3. The loss: two terms, both in nats
#
# The first term, the **[[reconstruction term]]**, is $-\log p(x \mid z)$: what the image costs once its code is known.
# Pixel $i$ is "on" with probability $\hat x_i$, so an image of on-off pixels costs
#
# $$\text{recon} = -\sum_i \big[x_i \log \hat x_i + (1 - x_i) \log(1 - \hat x_i)\big] \ \text{nats},$$
#
# the binary cross-entropy of lesson 02. Our pixels are grey; we put their values in as they are.
#
# The second term is the price of the cloud: how much it differs from the prior. For one dimension it is
#
# $$\text{kl} = \tfrac12 \big(\sigma^2 + \mu^2 - 1 - \log \sigma^2\big) \ \text{nats},$$
#
# and the dimensions add up. This is the [[Kullback-Leibler divergence|KL divergence]] of the cloud from the prior;
# lesson 06 derives it. Which costs more, to be far out or to be precise?

# %% price
for mu, sigma in ((0, 1), (1, 1), (2, 1), (4, 1), (0, 0.5), (0, 0.1), (0, 0.01), (2, 0.1)):
    price = 0.5 * (sigma**2 + mu**2 - 1 - math.log(sigma**2))
    print(f"centre {mu}, width {sigma:4}: {price:.2f} nats")

# %% [markdown] price-seen
# A cloud like the prior is free. A centre at 4 costs 8 nats: distance is expensive, since its square counts. A width of
# 0.1 costs 1.81 nats, and each further factor of ten about 2.3 more. A width of 0 would cost infinitely much.

# %% [markdown] loss-task
# ### Exercise 2: the loss of each image
#
# *Medium, about 7 minutes.* Both terms for a batch: one value for each image, in nats. Your heads give `logvar`, not
# $\sigma$. `F.binary_cross_entropy_with_logits(x_logits, x, reduction="none")` returns the cross-entropy of each pixel.
# It takes the sigmoid itself, in a way that never meets $\log 0$. What is left to do with it?


# %% loss-exercise
def vae_loss(x_logits, x, mu, logvar):
    """The two terms of a VAE's loss.

    Args:
        x_logits: What the decoder returns, (B, C, H, W), any real numbers.
        x: Images, (B, C, H, W), in [0, 1].
        mu: Centres of the clouds, (B, D).
        logvar: log(sigma**2), (B, D).

    Returns:
        recon and kl, each (B,), in nats.
    """
    ### BEGIN SOLUTION
    recon = F.binary_cross_entropy_with_logits(x_logits, x, reduction="none").sum(dim=(1, 2, 3))
    kl = 0.5 * (torch.exp(logvar) + mu**2 - 1 - logvar).sum(dim=1)
    return recon, kl
    ### END SOLUTION


# %% loss-check
vae_loss = checks.accept("vae-loss", vae_loss)

# %% [markdown] loss-hints
# <details><summary>Hint 1</summary>
#
# Nats add up: over all pixels of an image, and over all dimensions of its code. The batch dimension stays.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `.sum(dim=(1, 2, 3))` for the pixels. In the price, $\sigma^2$ is `torch.exp(logvar)`, and $\log \sigma^2$ is
# `logvar`.
#
# </details>

# %% [markdown] recipe-idea
# ## 4. The recipe
#
# One training step has five parts:
#
# 1. **encode** the images into clouds;
# 2. **sample** one code from each cloud;
# 3. **decode** the codes to `x_logits`;
# 4. **loss**: recon plus kl, averaged over the batch;
# 5. **step**: gradients, and one step of the optimizer.


# %% vae-class
class SmallVAE(nn.Module):
    """Encoder with two heads, decoder, prior N(0, I). Later lessons use course_utils/models/vae/vae.py."""

    def __init__(self, latent_dim, hidden=256):
        super().__init__()
        self.latent_shape = (latent_dim,)  # (D,)
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.ReLU())
        self.head_mu, self.head_logvar = nn.Linear(hidden, latent_dim), nn.Linear(hidden, latent_dim)
        self.decoder = nn.Sequential(  # z (B, D) -> x_logits (B, 1, 28, 28)
            nn.Linear(latent_dim, hidden), nn.ReLU(), nn.Linear(hidden, 784), nn.Unflatten(1, (1, 28, 28))
        )

    def posterior(self, x):  # (B, 1, 28, 28) -> mu (B, D), logvar (B, D)
        features = self.features(x)
        return self.head_mu(features), self.head_logvar(features)

    def encode(self, x):  # the centre of the cloud, (B, D)
        return self.posterior(x)[0]

    def decode(self, z):  # (B, D) -> pictures (B, 1, 28, 28) in [0, 1]
        return torch.sigmoid(self.decoder(z))


# %% [markdown] step-task
# ### Exercise 3: one training step
#
# *Medium, about 8 minutes.* Write the five parts, with your two functions. Draw fresh noise in each step, one number
# for each image and each dimension of its code.


# %% step-exercise
def vae_step(vae, optimizer, x):
    """One step of training on a batch: encode, sample, decode, loss, step.

    Args:
        vae: Network with features, head_mu, head_logvar, decoder and latent_shape, as SmallVAE.
        optimizer: Optimizer over its parameters.
        x: Images, (B, C, H, W).

    Returns:
        The batch's mean recon and mean kl, two plain numbers.
    """
    ### BEGIN SOLUTION
    eps = torch.randn(len(x), *vae.latent_shape, device=x.device)
    mu, logvar, z = encode_and_sample(vae.features(x), vae.head_mu, vae.head_logvar, eps)  # 1, 2
    x_logits = vae.decoder(z)  # 3
    recon, kl = vae_loss(x_logits, x, mu, logvar)
    loss = (recon + kl).mean()  # 4
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()  # 5
    return recon.mean().item(), kl.mean().item()
    ### END SOLUTION


# %% step-check
vae_step = checks.accept("vae-step", vae_step)

# %% [markdown] step-hints
# <details><summary>Hint 1</summary>
#
# The noise has shape `(len(x), *vae.latent_shape)` and stands on the device of `x`. `encode_and_sample` does parts 1
# and 2, `vae.decoder` part 3.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Part 5 is three calls, in this order: `optimizer.zero_grad()`, `loss.backward()`, `optimizer.step()`. `.mean().item()`
# makes a plain number.
#
# </details>

# %% [markdown] loop-intro
# Now train. Where does `kl` start, when is it highest, and what happens then?

# %% recipe
seed_everything(4)
vae = SmallVAE(latent_dim=2).to(device)
optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3)
course = []  # (recon, kl) of each step
for epoch in range(1, 7):
    course += [vae_step(vae, optimizer, x) for x in batches]
    recon_mean, kl_mean = torch.tensor(course[-len(batches) :]).mean(dim=0).tolist()
    print(f"epoch {epoch}: recon {recon_mean:.1f}, kl {kl_mean:.2f} nats")
print("kl of the first six batches:", ", ".join(f"{kl:.2f}" for _, kl in course[:6]))
average = x_train.mean(dim=0, keepdim=True).clamp(1e-6, 1 - 1e-6).logit()  # the average image, as logits
nats = F.binary_cross_entropy_with_logits(average.expand_as(x_train), x_train, reduction="none").sum(dim=(1, 2, 3))
print(f"the average image, whatever the code: recon {nats.mean():.1f}")

# %% [test] recipe-holds
assert course[0][1] < 0.2
assert max(kl for _, kl in course[:6]) > 2
assert 4 < kl_mean < 8
assert 100 < nats.mean() - recon_mean < 135

# %% [markdown] loop-seen
# The price starts near 0: an untrained encoder gives all images nearly the same cloud, about like the prior. Within a
# few batches the encoder begins to pay. In three runs {{claim recipe.kl_end epochs=6}} nats of price saved
# {{claim recipe.saved epochs=6}} nats of recon, compared with the average image. From epoch 2 to epoch 6 recon fell by
# {{claim recipe.recon_drop epochs=6}} nats.
#
# Narrower clouds would cost more kl than they save recon. A further section, *the balance*, measures this.
#
# ## 5. The map
#
# The map shows the centres $\mu$ of the test images. The ellipses belong to 40 of them and reach two widths, $2\sigma$,
# from the centre. The dashed circle holds half of the prior. Do the ellipses overlap? Does the crowd fill the circle as
# the prior would?

# %% map
with torch.no_grad():
    mu, logvar = (t.cpu() for t in vae.posterior(x_test.to(device)))
std = torch.exp(0.5 * logvar)
ax = plots.latent_scatter(mu, test.labels, test.class_names)
ax.collections[-1].set(sizes=[40], alpha=1)  # ankle boots have the palest colour
for (x, y), (a, b) in zip(mu[:40].tolist(), (2 * std[:40]).tolist(), strict=True):  # classes alternate
    ax.add_patch(Ellipse((x, y), 2 * a, 2 * b, fill=False, edgecolor="black", linewidth=1.3))
radius = torch.randn(100_000, 2, generator=g).norm(dim=1).median().item()  # half of the prior's draws are nearer
ax.add_patch(Circle((0, 0), radius, fill=False, linestyle="--", color="black", linewidth=2))
plt.show()
draws = mu + std * torch.randn(mu.shape, generator=g)  # one from each cloud
strays = nearest_neighbors(draws, mu, k=1)[0].flatten() != torch.arange(len(mu))
print(f"{strays.float().mean():.0%} of the draws stray: they are nearer to another image's centre than to their own")
half = (mu.norm(dim=1) < radius).float().mean().item()
print(f"{half:.0%} of the centres lie in the dashed circle, which holds half of the prior")

# %% [test] map-holds
assert strays.float().mean() > 0.6
assert half < 0.4

# %% [markdown] map-seen
# Most clouds overlap with others, as we asked. But the crowd is not like the prior. Of the centres of the training
# images, a share of {{claim recipe.inside epochs=6}} lies in the circle that should hold half of them, and
# {{claim recipe.inside epochs=24}} after four times as many epochs. With two numbers room is scarce, and the encoder
# pays for more of it.

# %% [markdown] sampling-idea
# ## 6. Drawing new images
#
# Now a VAE and a plain autoencoder with 16 numbers each, on the same images for the same number of epochs. The VAE has
# its prior to draw from. The autoencoder has none, but after training we can fit a density to its codes: one normal
# distribution with their mean and covariance, or a **mixture** of 20 of them, by scikit-learn's `GaussianMixture`.
#
# Two measures. A draw is *dead*, as in lesson 02, if its code is farther from every training code than 99% of the test
# images' codes are. The *ratio* is about the pictures: their distance to the nearest training image, divided by the
# same distance of restored test images. The distance is the [[cosine distance]], 1 minus the cosine of the angle
# between two images, for which brightness does not count. Draws as good as restored images are 1% dead and have the
# ratio 1.


# %% sampling-measures
from course_utils.models.vae import VAE  # course_utils/models/vae/vae.py: SmallVAE, with options


@torch.no_grad()
def one_code_each(model, images):
    """A draw from each image's cloud, (N, D); the code itself where there are no clouds."""
    if isinstance(model, Autoencoder):
        return encode_dataset(model, images)
    mu, logvar = (t.cpu() for t in model.posterior(images.pixels().to(device)))
    return mu + torch.exp(0.5 * logvar) * torch.randn(mu.shape, generator=g)


def to_clothes(pictures):
    """Cosine distance of pictures to the nearest training image, on average."""
    return nearest_neighbors(pictures, x_train, k=1, metric="cosine")[1].mean().item()


def dead_and_ratio(model, z):
    """The share of dead codes in z (B, D), and the ratio of their pictures."""
    codes_train, codes_test = one_code_each(model, train), one_code_each(model, test)
    limit = nearest_neighbors(codes_test, codes_train, k=1)[1].quantile(0.99)
    dead = (nearest_neighbors(z, codes_train, k=1)[1] > limit).float().mean().item()
    restored = decode_dataset(model, encode_dataset(model, test)[:250])
    return dead, to_clothes(decode_dataset(model, z)) / to_clothes(restored)


# %% sampling
from sklearn.mixture import GaussianMixture

seed_everything(4)
plain16, vae16 = Autoencoder(16, hidden=256).to(device), VAE(16, hidden=256).to(device)
for model in (plain16, vae16):
    fit(model, batches, epochs=6, lr=2e-3, progress=False)
codes = encode_dataset(plain16, train)
one = torch.distributions.MultivariateNormal(codes.mean(dim=0), codes.T.cov())
mixture = GaussianMixture(20, random_state=4).fit(codes.double().numpy())
some = torch.from_numpy(mixture.sample(250)[0]).float()
sources = {
    "AE, one normal": (plain16, one.sample((250,))),
    "AE, mixture": (plain16, some[torch.randperm(250)]),  # sample() returns them in the order of the 20 parts
    "VAE, prior": (vae16, torch.randn(250, 16, generator=g)),
}
found, rows = {}, {"image x": x_test[:8], "restored by VAE": decode_dataset(vae16, encode_dataset(vae16, test)[:8])}
for name, (model, z) in sources.items():
    rows[name], found[name] = decode_dataset(model, z[:8]), dead_and_ratio(model, z)
    print(f"{name:15s} dead {found[name][0]:4.0%}   ratio {found[name][1]:.1f}")
plots.image_rows(rows)
plt.show()

# %% [test] sampling-holds
assert found["AE, mixture"][0] < 0.2 < found["VAE, prior"][0] < found["AE, one normal"][0]
assert found["AE, mixture"][1] < 1.5 < min(found["VAE, prior"][1], found["AE, one normal"][1])

# %% [markdown] sampling-seen
# The autoencoder with a mixture draws best, by both measures, as Ghosh et al. (2020) found for larger models. With one
# normal distribution more of its draws are dead than with the VAE's prior, and the pictures are about as far from
# clothes. Here are three runs at this budget and three at four times the budget.

# %% sampling-evidence
claims.evidence("04", "fitted-density")

# %% [markdown] sampling-means
# Most of the VAE's draws are dark smears. With four times the epochs {{claim fitted-density.prior_dead epochs=24}} of
# the codes are dead instead of {{claim fitted-density.prior_dead epochs=6}}, but the pictures are hardly nearer to
# clothes.
#
# **What, then, does the price buy?** Three things that a fitted density does not give:
#
# * a prior that is *fixed in advance*: nothing has to be fitted afterwards;
# * a *width for each image*: the model says how exactly it knows the code;
# * a *bound on* $\log p(x)$: minus the expected loss is at most that, so the loss measures the whole model (lesson 06).
#
# ## Your own control: temperature
#
# A **[[temperature]]** $\tau$ narrows or widens the prior before we draw: $z = \tau \epsilon$. $\tau = 1$ is the
# model's own prior. The figure shows the same eight draws at four temperatures. What do you gain, and what do you lose,
# as $\tau$ grows?

# %% temperature
eight = torch.randn(8, 16, generator=torch.Generator().manual_seed(7))
plots.image_rows({f"temperature {t}": decode_dataset(vae16, t * eight) for t in (0.0, 0.5, 1.0, 2.0)})
plt.show()
nearness = {t: to_clothes(decode_dataset(vae16, t * sources["VAE, prior"][1])) for t in (0.5, 1.0, 2.0)}
print({t: f"distance to clothes {far:.3f}" for t, far in nearness.items()})

# %% [test] temperature-holds
assert nearness[0.5] < nearness[1.0] < nearness[2.0]

# %% [markdown] temperature-seen
# A low temperature gives pictures nearer to clothes that are much alike. A high one gives variety, and torn pictures.
#
# ### Exercise 4. A slider for the temperature
#
# *Easy, about 4 minutes.* `FloatSlider` of ipywidgets is a slider. `interactive(show, temperature=slider)` calls
# `show(temperature)` whenever it moves, and shows what `show` draws. Draw with `plots.image_rows({"name": images})`,
# and end with `plt.show()`.


# %% temperature-control
from ipywidgets import FloatSlider, interactive


def temperature_control(model, eps):
    """A slider for the temperature, and the images of the codes temperature * eps.

    Args:
        model: A VAE, with `decode`.
        eps: Draws from N(0, I), (B, D); the same at every temperature.

    Returns:
        What interactive returns: a FloatSlider from 0 to 3 that starts at 0.8, and the images.
    """
    ### BEGIN SOLUTION

    def show(temperature):
        plots.image_rows({f"{temperature:.1f}": decode_dataset(model, temperature * eps)})
        plt.show()

    return interactive(show, temperature=FloatSlider(value=0.8, min=0, max=3))
    ### END SOLUTION


# %% temperature-check
temperature_control = checks.accept("temperature-control", temperature_control)
temperature_control(vae16, eight)

# %% [markdown] temperature-hints
# <details><summary>Hint</summary>
#
# Inside, write `def show(temperature):` with two lines: draw the images of `decode_dataset(model, temperature * eps)`,
# then `plt.show()`. The last line is `return interactive(show, temperature=FloatSlider(value=0.8, min=0, max=3))`.
#
# </details>

# %% [markdown] changed
# ## What changed, and what did not
#
# | from an autoencoder to a VAE | |
# |---|---|
# | **changed** | an image has a cloud, $q(z \mid x)$, and the encoder decides how wide it is |
# | **changed** | distance from the origin and precision cost nats, so the clouds overlap near the origin |
# | **changed** | the distribution to draw from, the prior, is fixed before training |
# | **did not change** | encoder, decoder, bottleneck, blur |

# %% [markdown] limits
# ## Limits
#
# * Our measures are rough: distances between pixels favour blur.
# * The clouds together do not cover the prior evenly (lesson 07). Each has its ellipse along the axes; the true
#   posterior may be tilted or have several humps (lesson 06).
# * Grey values are not on-off pixels, so these nats are not those of the grey image.

# %% [markdown] quiz
# ## Quiz
#
# **1.** What would the encoder do with $\sigma$ if the kl term were left out of the loss?
#
# <details><summary>Answer</summary>
#
# Make it nearly 0: noise only hurts.
#
# </details>
#
# **2.** And if the recon term were left out?
#
# <details><summary>Answer</summary>
#
# Every image gets $\mu = 0$ and $\sigma = 1$ in each dimension: the only cloud that costs 0 nats. The code then says
# nothing about the image. Lesson 07 meets a weaker form of this.
#
# </details>
#
# **3.** A friend says: "Samples from my autoencoder are bad, so I need a VAE." What would you ask?
#
# <details><summary>Answer</summary>
#
# Where the codes were drawn from. After fitting a mixture to them, few draws were dead here.
#
# </details>

# %% [markdown] summary
# ## Summary
#
# * Bayes: $p(z \mid x) = p(x \mid z)\, p(z) / p(x)$. The evidence adds up all codes; with many dimensions that is out
#   of reach, so the encoder computes a stand-in $q(z \mid x) = \mathcal N(\mu, \sigma^2)$.
# * $\sigma = \exp(\tfrac12 \texttt{logvar})$; a draw from the cloud is $z = \mu + \sigma \epsilon$.
# * Loss of an image: $\text{recon} + \text{kl} = -\log p(x \mid z) + \tfrac12 \sum_j (\sigma_j^2 + \mu_j^2 - 1 - \log
#   \sigma_j^2)$, summed over pixels and dimensions, then averaged over the batch.
# * Noise of fixed width drives the codes apart, noise of free width is switched off, noise with a price stays.
# * An autoencoder with a good density fitted to its codes draws better than our VAE. The VAE gives a fixed prior,
#   widths and a bound on $\log p(x)$.

# %% [markdown] bug-idea
# ## Further: find the bug
#
# Here is a training script of the kind that is often found in public repositories. It runs without an error, and its
# loss falls. One of its numbered lines is wrong.


# %% bug-script
def public_step(vae, optimizer, x):
    """One training step, copied from somewhere."""
    mu, logvar = vae.posterior(x)  # line 1
    std = torch.exp(0.5 * logvar)  # line 2
    eps = torch.randn_like(std)  # line 3
    z = mu + std * eps  # line 4
    x_logits = vae.decoder(mu)  # line 5
    bce = F.binary_cross_entropy_with_logits(x_logits, x, reduction="none")  # line 6
    recon = bce.sum(dim=(1, 2, 3))  # line 7
    kl = 0.5 * (torch.exp(logvar) + mu**2 - 1 - logvar).sum(dim=1)  # line 8
    loss = (recon + kl).mean()  # line 9
    optimizer.zero_grad()  # line 10
    loss.backward()  # line 11
    optimizer.step()  # line 12
    return recon.mean().item(), kl.mean().item(), z


# %% [markdown] bug-symptoms
# Do not search line by line yet. First look at the **symptoms**: what does this model do that ours does not? The cell
# prints, for both models, the widths of the clouds, and the recon of test images from the centre of their cloud and
# from a draw. The pictures show the same: test images, restored by the script's model from the centre, and from a draw.

# %% bug-run
seed_everything(4)
suspect = SmallVAE(latent_dim=2).to(device)
optimizer = torch.optim.Adam(suspect.parameters(), lr=2e-3)
for _ in range(5):
    for x in batches:
        public_step(suspect, optimizer, x)
for name, model in (("ours", vae), ("the script's", suspect)):
    with torch.no_grad():
        mu, logvar = (t.cpu() for t in model.posterior(x_test.to(device)))
        std = torch.exp(0.5 * logvar)
        z = mu + std * torch.randn(mu.shape, generator=g)
        recons = [vae_loss(model.decoder(codes.to(device)).cpu(), x_test, mu, logvar)[0].mean() for codes in (mu, z)]
    low, high = std.quantile(torch.tensor([0.01, 0.99])).tolist()
    print(f"{name:13s} 98% of the widths from {low:.2f} to {high:.2f}", end="; ")
    print(f"recon from the centre {recons[0]:.1f}, from a draw {recons[1]:.1f}")
pictures = {"from the centre": decode_dataset(suspect, mu[:8]), "from a draw": decode_dataset(suspect, z[:8])}
plots.image_rows({"image x": x_test[:8]} | pictures)
plt.show()

# %% [test] bug-run-holds
assert low > 0.8
assert recons[1] > recons[0] + 10

# %% [markdown] bug-task
# ### Exercise 4: which line?
#
# *Medium, about 8 minutes.* Which line explains what you see? Return its number, and the line as it should be, as text.


# %% bug-exercise
def find_the_bug():
    """The number of the wrong line, and the mended line in quotation marks."""
    ### BEGIN SOLUTION
    return 5, "x_logits = vae.decoder(z)"
    ### END SOLUTION


# %% bug-check
find_the_bug = checks.accept("find-the-bug-vae", find_the_bug)

# %% [markdown] bug-hints
# <details><summary>Hint 1</summary>
#
# All widths are close to 1. That is where the price of a width is lowest. In our model, what makes a cloud narrower?
#
# </details>
# <details><summary>Hint 2</summary>
#
# The recon term makes clouds narrower, where it depends on $\sigma$. Follow $\sigma$ from line 2 on: does it reach line
# 7?
#
# </details>

# %% [markdown] balance-idea
# ## Further: the balance of the two terms
#
# The encoder has chosen a width for each cloud. We make all clouds narrower or wider by hand, leave the decoder as it
# is, and look at the sum of the two terms. Where is it lowest?

# %% balance
with torch.no_grad():
    mu, logvar = vae.posterior(x_test.to(device))
    eps = torch.randn(10, *mu.shape, generator=g).to(device)  # ten draws for each image
    for factor in (0.25, 0.5, 1.0, 2.0, 4.0):
        changed = logvar + 2 * math.log(factor)  # sigma times the factor
        std = torch.exp(0.5 * changed)
        terms = [vae_loss(vae.decoder(mu + std * e), x_test.to(device), mu, changed) for e in eps]
        recon, kl = torch.stack([torch.stack(one) for one in terms]).mean(dim=(0, 2)).tolist()
        print(f"widths times {factor:4}: recon {recon:.1f} + kl {kl:5.2f} = {recon + kl:.1f}")

# %% [markdown] balance-seen
# Much narrower clouds cost more kl than they save recon, and wider ones cost more recon than they save kl. The sum is
# lowest near the widths that the encoder has chosen: the two terms are in **balance**.

# %% [markdown] widths-idea
# ## Further: which images get wide clouds?
#
# The area of an ellipse is proportional to $\sigma_1 \sigma_2$. Upper row: the eight test images with the widest
# clouds; lower row: those with the narrowest. What do the images of a row have in common?

# %% widths
with torch.no_grad():
    area = torch.exp(0.5 * vae.posterior(x_test.to(device))[1]).prod(dim=1).cpu()
order = area.argsort(descending=True)
plots.image_rows({"widest clouds": x_test[order[:8]], "narrowest clouds": x_test[order[-8:]]})
plt.show()


def ranks(v):
    """The place of each number of v (N,) in their order, minus the mean place."""
    places = v.argsort().argsort().float()
    return places - places.mean()


def at_fixed(a, c):
    """What is left of a (N,) when the straight line in c (N,) that fits it best is taken away."""
    return a - (a @ c) / (c @ c) * c


width, bright, large = ranks(area), ranks(x_test.mean(dim=(1, 2, 3))), ranks((x_test > 0.1).float().mean(dim=(1, 2, 3)))
for name, a, b in (("brightness", bright, large), ("size", large, bright)):
    alone = F.cosine_similarity(width, a, dim=0).item()
    fixed = F.cosine_similarity(at_fixed(width, b), at_fixed(a, b), dim=0).item()
    print(f"rank correlation of the area with {name}: {alone:.2f}; with the other held fixed: {fixed:.2f}")

# %% [test] widths-holds
assert alone < 0
assert fixed > alone + 0.2

# %% [markdown] widths-seen
# Size is the share of pixels that are not black. Both [[correlations|correlation]] are negative: bright things get
# narrow clouds, and so, it seems, do large ones. But large things are bright things as well. Three runs, and three with
# four times the epochs, gave
#
# | with | alone | the other held fixed |
# |---|---|---|
# | brightness, 6 epochs | {{claim recipe.bright epochs=6}} | {{claim recipe.bright_at_size epochs=6}} |
# | brightness, 24 epochs | {{claim recipe.bright epochs=24}} | {{claim recipe.bright_at_size epochs=24}} |
# | size, 6 epochs | {{claim recipe.large epochs=6}} | {{claim recipe.large_at_brightness epochs=6}} |
# | size, 24 epochs | {{claim recipe.large epochs=24}} | {{claim recipe.large_at_brightness epochs=24}} |
#
# In all six runs bright images have narrower clouds, also at a fixed size, and this weakens with training. Size by
# itself says little: at a fixed brightness its correlation is positive after 6 epochs, and has either sign after 24. A
# likely reason is that in a bright picture a small move of the code changes many nats, so that the encoder pays for a
# precise code there.

# %% [markdown] mean-and-draw
# ## Further: a mean and a draw of p(x|z)
#
# The pictures that the decoder returns, $\hat x$, are *means*: the probability of each pixel to be on. The last row
# shows one *draw* of $p(x \mid z)$, with each pixel on or off by itself. Which of the two looks more like the data?

# %% restored
with torch.no_grad():
    x_hat = vae.decode(vae.encode(x_test[:8].to(device))).cpu()
drawn = torch.bernoulli(x_hat, generator=g)
plots.image_rows({"image x": x_test[:8], "mean of p(x|z)": x_hat, "draw of p(x|z)": drawn})
plt.show()

# %% [markdown] restored-seen
# The mean does, although it is blurred: with two numbers it mixes all images that the code could stand for. In the draw
# each pixel ignores its neighbours, since the likelihood treats them as independent. This is why people show the means
# and call them samples, as section 6 does.

# %% [markdown] share-idea
# ## Further: how much of a cloud lies in its ellipse?
#
# In one dimension, two standard deviations on both sides hold 95% of a normal distribution. In two dimensions both
# numbers must be near the centre at once, so an ellipse of two widths holds less. Measured in standard deviations, a
# draw is farther than $r$ from the centre with probability $\exp(-r^2/2)$. The picture checks this: 4,000 draws, the
# circles of $r = 1$, 2 and 3, and how many draws each one holds.

# %% share
dots = torch.randn(4000, 2, generator=g)
figure, ax = plt.subplots(figsize=(5.4, 5.4), layout="constrained")
ax.scatter(*dots.T, s=3, color=plots.PALETTE[0])
for r in (1, 2, 3):
    held, formula = (dots.norm(dim=1) < r).float().mean().item(), 1 - math.exp(-(r**2) / 2)
    ax.add_patch(plt.Circle((0, 0), r, fill=False, color="black", linewidth=2))
    ax.annotate(f"r = {r}: {held:.1%}", (0, r + 0.08), ha="center", fontsize=13, backgroundcolor="white")
    print(f"r = {r}: {held:.1%} of the draws inside, 1 - exp(-r^2 / 2) = {formula:.1%}")
ax.set(xlim=(-3.8, 3.8), ylim=(-3.8, 3.8), aspect="equal", xlabel="eps[0]", ylabel="eps[1]")
plt.show()

# %% [markdown] cloud-intro
# The cloud of an image is this picture, stretched by $\sigma_1$ and $\sigma_2$ and moved to $\mu$. The next figure
# shows it for a reference model (convolutional, trained longer on all 60,000 images): on the map, close up with four
# draws, and what the four decode to. Are they the same garment as the image?

# %% cloud-code
from course_utils import widgets
from course_utils.checkpoints import load_reference  # course_utils/checkpoints.py

reference = load_reference("vae_2d", device)
with torch.no_grad():
    ref_mu, ref_logvar = (t.cpu() for t in reference.posterior(x_test.to(device)))
ref_std = torch.exp(0.5 * ref_logvar)
four = torch.randn(4, 2, generator=torch.Generator().manual_seed(1))
turn = torch.linspace(0, 2 * torch.pi, 60)
circle = torch.stack([turn.cos(), turn.sin()], dim=1)  # (60, 2)
low, high = ref_mu.quantile(torch.tensor([0.005, 0.995]), dim=0)
x_range, y_range = ((a - 0.5, b + 0.5) for a, b in zip(low.tolist(), high.tolist(), strict=True))
crowd = plots.Series("centres of other images", *ref_mu[::13].T, kind="points", color=3)  # course_utils/plots/chart.py


def cloud_on_map(number, r):
    """Where a test image is on the map, its ellipse of r widths and four draws close up, and the draws decoded."""
    i = int(number)
    z = ref_mu[i] + ref_std[i] * four  # (4, 2)
    outline = plots.Series("cloud of this image", *(ref_mu[i] + r * ref_std[i] * circle).T, kind="line", color=0)
    drawn = plots.Series("draws 1 to 4", *z.T, kind="points", color=2)
    around = [(at - 0.4, at + 0.4) for at in ref_mu[i].tolist()]  # the same scale for all images
    return {
        "map": plots.Chart([crowd, outline], x_range, y_range, "z[0]", "z[1]"),
        "close up": plots.Chart([outline, drawn], *around, "z[0]", "z[1]"),
        "image, draws": torch.cat([x_test[i], *decode_dataset(reference, z)], dim=2),  # (1, 28, 5 * 28)
    }


# %% cloud-figure
clouds = widgets.FunctionSliders(  # course_utils/widgets/function_sliders.py
    cloud_on_map,
    {"image": (0, 199, 1, 1), "r": (0.25, 3, 2, 0.25)},
    describe=lambda number, r: f"A {test.class_names[test.labels[int(number)]].lower()}.",
    title="Clouds of images",
)
ref_area = ref_std[:200].prod(dim=1)
wide, narrow = ref_area.argmax().item(), ref_area.argmin().item()
axes = clouds.static([(wide, 2), (narrow, 2)])
axes[1, 0].legend(loc="lower left", fontsize=9, frameon=False)
plt.show()
print({number: f"sigma {ref_std[number, 0]:.2f}, {ref_std[number, 1]:.2f}" for number in (wide, narrow)})

# %% [markdown] cloud-seen
# Left: the widest cloud among 200 test images, right: the narrowest. Both are small beside the map, and all four draws
# look alike: a cloud is about as wide as its image lets it be. The explorer shows the cloud of any of the 200 images.

# %% cloud-explorer
clouds.move_to(5, 2)
clouds

# %% [markdown] grid-idea
# ## Further: the whole map, in steps of equal probability
#
# A grid over the map in equal steps shows many codes that the prior hardly ever draws. Better are steps of equal
# *probability*: `scipy.stats.norm.ppf(p)` is the number below which a share p of a normal distribution lies. With p =
# 1/16, 3/16, ..., 15/16 each of the 64 pictures stands for one 64th of the prior: it is what 64 draws would
# show, in order. Which share of it would pass for clothes?

# %% grid
from scipy.stats import norm

steps = torch.tensor(norm.ppf([(2 * k + 1) / 16 for k in range(8)]), dtype=torch.float32)
rows = torch.stack([torch.stack([x, y]) for y in steps.flip(0) for x in steps])  # (64, 2), largest y first
pictures = decode_dataset(reference, rows).reshape(8, 8, 1, 28, 28)
figure, ax = plt.subplots(figsize=(7.6, 7.6), layout="constrained")
mosaic = pictures.permute(0, 3, 1, 4, 2).reshape(224, 224)
ax.imshow(mosaic, cmap="gray", vmin=0, vmax=1)
ax.set_xticks([14 + 28 * k for k in range(8)], [f"{z:.2f}" for z in steps])
ax.set_yticks([14 + 28 * k for k in range(8)], [f"{z:.2f}" for z in steps.flip(0)])
ax.set(xlabel="z[0]", ylabel="z[1]")
plt.show()

# %% [markdown] grid-seen
# Neighbours are alike, and most places hold a garment. The holes are where kinds meet that have nothing between them.
# Drag the point over the map and look for one.

# %% pad
pad = widgets.LatentPad(reference, ref_mu, test.labels, test.class_names, images=test)
pad.move_to(0.3, 0.2)
pad

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
# In part 2 of the recipe we drew random numbers in the middle of a network and then asked for gradients. Lesson 05
# shows why that should not work, and why it does.
