# %% [markdown] title
# {{header}}
#
# # 09. Does one number of a code do one thing, and can you turn the smile without the rest?
#
# At the end of this lesson you can
#
# 1. measure, where the true [[factors|factor of variation]] are known, how far each number of a code stands for one
#    of them: with the mutual information gap, and with three other scores;
# 2. find the [[direction of an attribute|attribute direction]] from labels, take out of it what came along, give a
#    decoder a condition, and score each of these edits against the truth;
# 3. say why no method can be sure to [[disentangle|disentanglement]] without being told something, and show it with a
#    [[rotation]].

# %% [markdown] prerequisites
# **You need:** lesson 04 (the VAE), lesson 06 (KL and the ELBO), lesson 07 (rate, distortion, active units). Lesson 08
# helps.
#
# **Time:** {{learning}} with the exercises. Running all cells takes {{minutes}}.

# %% setup
{{setup}}

# %% imports
import math

import matplotlib.pyplot as plt
import torch
from torch import nn

from course_utils import checks, metrics, plots, widgets
from course_utils.checkpoints import load_reference, reference_names
from course_utils.data.faces import HANDLES, default_handles, describe_face, render_faces, sample_faces, sample_handles
from course_utils.device import pick_device, seed_everything
from course_utils.gaussian import kl_standard_normal, reparameterize  # lessons 05, 06
from course_utils.latents import decode_dataset, encode_dataset
from course_utils.training import fit

plt.rcParams["figure.dpi"] = 75
seed_everything(9)
g = torch.Generator().manual_seed(9)  # what this lesson draws by hand comes from here
device = pick_device()
names = list(HANDLES)
print(f"{len(names)} handles: {', '.join(names)}; computing on {device}")


def small(rows, columns):
    """Axes for rows of small images."""
    return plt.subplots(figsize=(0.6 * columns + 1.1, 0.6 * rows + 0.4), layout="constrained")[1]


# %% [markdown] predict
# ## Predict first
#
# 1. A VAE is trained on faces that were drawn from about a dozen knobs, each turned at random. Will its code have one
#    dimension for each knob? And with a stronger KL term?
# 2. We rotate the latent space of a trained VAE, and rotate back before decoding. What changes: the reconstructions,
#    the samples, or the scores that say how disentangled the code is?
# 3. In a data set most smiling people are lit from the right. We add the "smile" direction to a code. What will happen
#    to the face?
#
# Write down your answers.
#
# <details><summary>What we found, for after sections 4, 5 and 8</summary>
#
# 1. No, with none of our three weights. Most dimensions know a little about several handles.
# 2. The reconstructions, the samples and the likelihood stay the same. The scores fall.
# 3. The smile comes, and the light changes with it by as much. With a good code it can be taken out again.
#
# </details>

# %% [markdown] handles-idea
# ## 1. Faces whose handles are known
#
# Up to now a picture of a boot was a picture of a boot. Nobody could say which numbers it was made from, so nobody
# could check what the numbers of a code mean. This lesson uses pictures of which we know everything. `render_faces`
# turns a row of numbers, the **[[handles|handle]]**, into a face, and each handle changes what its name says and
# nothing else. The faces are drawings; no person was photographed.

# %% handles-table
for name, handle in HANDLES.items():
    print(f"{name:12s} {handle.low:5.1f} to {handle.high:4.1f}   {handle.meaning}")

# %% [markdown] sheet-intro
# First the people. Every face below is a random draw, each handle by itself. Then one strip a handle: all other handles
# stay, and this one goes from one end of its range to the other. Does anything move in a strip that its name does not
# promise?

# %% faces-sheet
faces = sample_faces(3000, seed=90)  # 32 x 32 pixels, what the models of this lesson see
v = faces.handles  # (3000, 13)
larger = render_faces(v[:24], size=96)  # for us
plots.image_grid(larger, columns=8, ax=plt.subplots(figsize=(7.8, 3.0), layout="constrained")[1])
plt.show()
for caption in faces.captions[:3]:
    print(caption)

# %% handle-strips
strips = {}
for name, handle in HANDLES.items():
    values = torch.linspace(handle.low, handle.high, 6)
    strips[name] = render_faces(default_handles(6, **{name: values}), size=64)
coloured = ["hair_color", "age", "skin"]
for group in ([name for name in names if name not in (*coloured, "background")], coloured, ["background"]):
    plots.image_rows({name: strips[name] for name in group}, ax=small(len(group), 6))
    plt.show()

# %% [markdown] truth-intro
# The same as an explorer. Turn the handles yourself. This is the control that we want from a latent space, and the rest
# of the lesson asks how near we come.


# %% truth-explorer
def true_face(*values):
    """The face with these handles."""
    return {"true face": render_faces(torch.tensor([values]), size=64)[0]}


ranges = {name: (handle.low, handle.high, handle.default) for name, handle in HANDLES.items()}
truth = widgets.FunctionSliders(
    true_face,
    ranges,
    describe=lambda *values: describe_face(torch.tensor(values)).capitalize() + ".",
    title="True face",
)
truth.move_to(smile=0.9, hair_color=0.6)
truth

# %% [markdown] worth-idea
# A model does not see names, it sees pixels. How much of the picture hangs on each handle? We draw people, and for each
# of them several values of one handle while the rest stays. The sum of squared differences that this makes is what a
# model loses if it does not know the handle. Look for the handles that a model trained on pixels will be tempted to
# ignore.


# %% worth
def squared_change(k, people=100, draws=6):
    """Mean over people of the squared pixel distance, summed, that handle k alone makes around its average."""
    handles = sample_handles(people, generator=g).repeat(draws, 1, 1)  # (draws, people, 13)
    handles[:, :, k] = sample_handles(draws * people, generator=g)[:, k].view(draws, people)
    x = render_faces(handles.flatten(0, 1), size=32).view(draws, people, -1)
    return (x - x.mean(dim=0)).square().sum(dim=2).mean().item()


worth = {name: squared_change(k) for k, name in enumerate(names)}
for name, value in sorted(worth.items(), key=lambda item: -item[1]):
    print(f"{name:12s} {value:6.2f}")

# %% [test] worth-holds
assert min(worth, key=worth.get) in ("eye_open", "brow")
assert worth["background"] > 20 * worth["smile"]

# %% [markdown] worth-seen
# The background is worth a hundred times as much as the eyes. To a person it is the other way round. Squared error
# counts pixels, not meaning, and this decides what a code will hold and what it will drop.
#
# ## 2. beta-VAE
#
# Lesson 07 put a weight on the KL term to balance rate and distortion. Higgins et al. (2017) put it there for another
# reason:
#
# $$\mathcal{L} = \mathbb{E}_q[-\log p(x \mid z)] + \beta \, \mathrm{KL}(q(z \mid x) \,\|\, p(z)), \qquad \beta > 1.$$
#
# Their argument: the prior has independent coordinates, so a strong pull towards it should make the coordinates of the
# code independent, and if the world was made from independent factors, then perhaps one coordinate each. We have the
# factors, so we can look. The reference models `faces_vae_beta_…` differ in $\beta$ and in nothing else; they saw faces
# of other people than those above, and never a handle.

# %% load-models
found = [name for name in reference_names() if name.startswith("faces_vae_beta_")]
models = {float(name.rsplit("_", 1)[1]): load_reference(name, device) for name in found}
models = dict(sorted(models.items()))
codes = {beta: encode_dataset(model, faces) for beta, model in models.items()}  # (3000, D)
x = faces.pixels(device=device)


@torch.no_grad()
def rate_and_distortion(model, x):
    """Both in nats, means over images."""
    parts = [torch.stack([model.loss_terms(part)[term] for term in ("kl", "recon")]) for part in x.split(500)]
    return torch.stack(parts).mean(dim=0).tolist()


D = models[min(models)].latent_shape[0]
rates = {}
for beta, model in models.items():
    rates[beta], distortion = rate_and_distortion(model, x)
    error = (decode_dataset(model, codes[beta]) - faces.pixels()).square().mean().sqrt()
    active = int(metrics.active_units(codes[beta]).sum())
    print(f"beta {beta:4g}: rate {rates[beta]:5.1f} nats, error of a pixel {error:.3f}, {active} of {D} units active")

# %% [markdown] reconstructions-intro
# Reconstructions of six people. What is lost first as $\beta$ grows? Compare with the list of section 1.

# %% reconstructions
rows = {"original": faces.pixels(range(6))}
rows |= {f"beta = {beta:g}": decode_dataset(model, codes[beta][:6]) for beta, model in models.items()}
plots.image_rows(rows, ax=small(4, 6))
plt.show()

# %% [markdown] traversal-idea
# ## 3. Turn one number
#
# The oldest way to look at a code: take a face, change one number of its code, decode. A **[[traversal]] grid** does
# so for each dimension, one row each. Below, the five dimensions that carry most nats, from $-3$ to $3$. For each row
# try to say in one word what it does. A disentangled code would make that easy.

# %% traversal
chosen = sorted(models)[len(models) // 2]  # a beta in the middle
model, someone = models[chosen], faces.pixels(4)[0]
with torch.no_grad():
    carried = model.kl_per_dimension(x[:1000]).cpu()  # (D,), in nats
busy = carried.argsort(descending=True)[:5].tolist()
print(f"beta = {chosen:g}; nats in each dimension: {', '.join(f'z[{d}] {carried[d]:.1f}' for d in busy)}")
latent = widgets.HandleSliders(model, someone, dims=busy, title="Latent dimensions")
latent.static(5, ax=small(5, 5))
plt.show()

# %% [markdown] traversal-seen
# Rows change several things at once: a background with a skin, a hair colour with a light. No row is the smile. And
# towards the ends, where few codes of real faces are, the faces dissolve.
#
# The sliders below start at the code of one face, and the button puts them back.

# %% traversal-explorer
latent.move_to(**{f"z[{busy[0]}]": 2.5})
latent

# %% [markdown] information-idea
# ## 4. Measure it
#
# "In one word" depends on who looks, and on five rows of one face. We know the handles of 3,000 faces and their codes,
# so we can ask each dimension how much it knows about each handle. A correlation would miss what is not a straight
# line, so we use **[[mutual information]]**, the number of nats that knowing one number saves in guessing the other:
#
# $$I(z_d; v_k) = \sum_{a, b} p(a, b) \log \frac{p(a, b)}{p(a)\, p(b)}.$$
#
# It is 0 if the two are independent. It cannot exceed the entropy $H(v_k) = -\sum_b p(b) \log p(b)$, which it reaches
# when the dimension tells the handle exactly. Both are sums over the cells of a histogram: 20 bins of equal width for
# each.


# %% information-code
def in_bins(values, bins=20):
    """One-hot bins of equal width, least to largest value: (N, K) -> float (N, K, bins)."""
    low, high = values.amin(dim=0), values.amax(dim=0)
    index = ((values - low) / (high - low).clamp(min=1e-9) * bins).long().clamp(max=bins - 1)
    return nn.functional.one_hot(index, bins).double()


def information_and_entropy(z, v, bins=20):
    """I(z_d; v_k) in nats, (D, K), and H(v_k), (K,), from codes (N, D) and handles (N, K)."""
    a, b = in_bins(z, bins), in_bins(v, bins)
    p = torch.einsum("nda,nkb->dkab", a, b) / len(z)  # (D, K, bins, bins)
    p_a, p_b = p.sum(dim=3, keepdim=True), p.sum(dim=2, keepdim=True)
    information = (torch.xlogy(p, p) - torch.xlogy(p, p_a * p_b)).sum(dim=(2, 3))
    p_b = p_b[0, :, 0]  # (K, bins)
    return information, -torch.xlogy(p_b, p_b).sum(dim=1)


shares = {}
for beta, z in codes.items():
    information, entropy = information_and_entropy(z, v)
    shares[beta] = information / entropy  # (D, K)
shuffled = v[torch.randperm(len(v), generator=g)]
floor = information_and_entropy(codes[chosen], shuffled)[0].mean().item()
print(f"handles that belong to other faces: {floor:.3f} nats on average; expected (20 - 1)^2 / 2N = {361 / 6000:.3f}")

# %% [test] information-code-holds
assert 0.02 < floor < 0.09

# %% [markdown] information-floor
# The last line is a warning. A histogram of 3,000 points has ragged cells, and ragged cells look like information. With
# handles of *other* faces, which the code cannot know, the estimate is not 0 but a few hundredths of a nat. Values of
# that size mean nothing.
#
# The picture: rows are dimensions, columns handles; the colour is the share of the handle's entropy that the dimension
# knows. What would a disentangled code look like? One bright cell in each column, and in each row at most one.


# %% information-figure
def draw_shares(ax, share, title):
    """A table of shares in colour, with the larger ones written in."""
    picture = ax.imshow(share, vmin=0, vmax=0.5, cmap="cividis", aspect="auto")
    for d, k in (share > 0.1).nonzero().tolist():
        color = "w" if share[d, k] < 0.3 else "k"
        ax.text(k, d, f"{share[d, k]:.1f}".removeprefix("0"), ha="center", va="center", fontsize=9, color=color)
    ax.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=9)
    ax.set_title(title, fontsize=10)
    return picture


information, entropy = information_and_entropy(v, v)
tables = {f"beta = {beta:g}": shares[beta] for beta in (4.0, max(shares))} | {"the handles": information / entropy}
figure, axes = plt.subplots(1, 3, figsize=(10, 4.2), layout="constrained")
for ax, (title, table) in zip(axes, tables.items(), strict=True):
    picture = draw_shares(ax, table, title)
axes[0].set_ylabel("dimension of the code")
figure.colorbar(picture, ax=axes, label="share of the handle known", extend="max")
plt.show()

# %% [markdown] information-seen
# On the right the perfect code, the handles themselves. On the left nothing like it: a dimension that knows three
# tenths of one handle is already the best there is. The glasses and the skin, worth much in pixels and simple in shape,
# come nearest to a dimension of their own.

# %% [markdown] mig-task
# ### Exercise 1: the mutual information gap
#
# *Medium, about 12 minutes.* The **[[MIG]]** (Chen et al. 2018) turns the table into one number. For each handle take
# the two dimensions that know most about it. If the first knows much and the second nothing, the handle has a
# dimension of its own. If both know as much, it is spread. The gap between them, as a share of the handle's entropy,
# averaged over the handles:
#
# $$\mathrm{MIG} = \frac1K \sum_k \frac{I(z_{(1)}; v_k) - I(z_{(2)}; v_k)}{H(v_k)}.$$


# %% mig-exercise
def mig(information, entropy):
    """The mutual information gap.

    Args:
        information: I(z_d; v_k) in nats, (D, K): a row for each dimension, a column for each handle.
        entropy: H(v_k) in nats, (K,).

    Returns:
        Scalar tensor, 0 to 1.
    """
    ### BEGIN SOLUTION
    first, second = information.topk(2, dim=0).values  # (K,) each
    return ((first - second) / entropy).mean()
    ### END SOLUTION


# %% mig-check
mig = checks.accept("mutual-information-gap", mig)

# %% [markdown] mig-hints
# <details><summary>Hint 1</summary>
#
# Work column by column: a column is a handle. You need the largest and the second largest entry of each.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `information.topk(2, dim=0).values` has shape (2, K): the largest entries in its first row, the second largest in the
# other.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Subtract, divide by `entropy`, take the mean, in this order.
#
# </details>

# %% [markdown] scores-idea
# Three other scores ask similar questions in other ways. Each is in the package; read them where the names point.
#
# * **[[DCI]]** (Eastwood and Williams 2018): predict each handle from the code with a [[forest of decision
#   trees|random forest]]. Does each *dimension* matter for one handle only (disentanglement, D)? Is each *handle*
#   held by one dimension only (completeness, C)? How well can it be predicted at all (informativeness, I)?
# * **[[SAP]]** (Kumar et al. 2018): predict each handle from *one* dimension with a straight line. By how much is the
#   best dimension better than the second?
# * **[[FactorVAE score]]** (Kim and Mnih 2018): make a batch of faces that share one handle. Can the handle be named
#   from the dimension that varies least?
#
# I is no score of disentanglement: it tells how much the code knows, however it is arranged. Watch it together with the
# others. Two codes stand beside the models: PCA, and the perfect one, which *is* the handles.

# %% scores
# metrics.dci, metrics.sap, metrics.factor_vae_score: course_utils/metrics/disentanglement.py
from course_utils.models.pca import PCA  # lesson 01


def all_scores(z, encode):
    """MIG, DCI's three, SAP and the FactorVAE score, from codes z of the faces and a function from handles to codes."""
    forests = metrics.dci(z[:1000], v[:1000], trees=15)
    votes = metrics.factor_vae_score(
        encode, sample_handles, votes=200, batch_size=32, generator=torch.Generator().manual_seed(0)
    )
    three = forests.disentanglement, forests.completeness, forests.informativeness
    return (mig(*information_and_entropy(z, v)).item(), *three, metrics.sap(z, v), votes)


def codes_of(coder, handles):
    """Codes of the faces with these handles."""
    return encode_dataset(coder, render_faces(handles, size=32))


pca = PCA(D).fit(faces.pixels(range(1000)))
coders = {f"beta = {beta:g}": model for beta, model in models.items()} | {"PCA": pca}
table = {}
for label, coder in coders.items():
    table[label] = all_scores(encode_dataset(coder, faces), lambda handles, coder=coder: codes_of(coder, handles))
table["the handles"] = all_scores(v, lambda handles: handles)
print(f"{'':14s}" + "".join(f"{score:>11s}" for score in ("MIG", "D", "C", "I", "SAP", "FactorVAE")))
for label, row in table.items():
    print(f"{label:14s}" + "".join(f"{value:11.2f}" for value in row))

# %% [test] scores-holds
assert all(value > 0.9 for value in table["the handles"])
for label, row in table.items():
    if label.startswith("beta"):
        assert row[0] < 0.15
        assert all(row[i] < table["PCA"][i] for i in (0, 1, 2, 4))

# %% [markdown] scores-seen
# Read it honestly. The perfect code gets about 1 in every column, so the scores work. The three models hardly differ
# among themselves, their MIG is near the noise, and a stronger KL term bought nothing here. **PCA**, which nobody
# calls a method of disentanglement, beats all three in MIG, D, C and SAP, while it knows no more. Other data sets and
# other trainings give other tables, and in the literature [[beta-VAE]] often looks better than this on scenes with
# few factors that differ much in size. But a recipe that works when it works is not a reason to believe an axis. *A
# KL term does not by itself disentangle.* Why not is the next section.
#
# ## 5. Why it cannot be promised: a rotation
#
# Locatello et al. (2019) trained more than ten thousand models and proved one theorem: without further assumptions, no
# method that sees only $x$ can find out whether its code is disentangled. The heart of it fits into one line. Turn the
# latent space by a rotation matrix $R$, and let the decoder turn it back first:
#
# $$z' = R z, \qquad \text{decode}'(z') = \text{decode}(R^\top z').$$
#
# The prior $N(0, I)$ is round, so it looks the same after any rotation. So the second model draws the same $z'$ from
# the same prior and gives every image the same probability. No data can tell the two apart. Is the rotated code as
# disentangled?


# %% rotation-code
class Rotated:
    """A VAE whose latent space is turned by an orthogonal matrix R (D, D)."""

    def __init__(self, vae, rotation):
        self.vae, self.rotation, self.latent_shape = vae, rotation, vae.latent_shape

    def encode(self, x):
        return self.vae.encode(x) @ self.rotation.T  # z' = R z for each row

    def decode(self, z):
        return self.vae.decode(z @ self.rotation)  # R^T z'

    def sample_latent(self, n, generator=None):
        return self.vae.sample_latent(n, generator)  # the prior is the same


def random_rotation(size):
    """A random orthogonal matrix (size, size)."""
    q, r = torch.linalg.qr(torch.randn(size, size, generator=g))
    return (q * r.diagonal().sign()).to(device)


best = max(models, key=lambda beta: mig(*information_and_entropy(codes[beta], v)))
vae, z = models[best], codes[best]
turned = Rotated(vae, random_rotation(D))
z_turned = encode_dataset(turned, faces)

# %% [markdown] rotation-measure-idea
# We measure four things. The reconstructions. The prior density of codes before and after. An estimate of $\log p(x)$,
# the importance-weighted bound of lesson 06 with 64 samples, in both spaces, the posterior being turned along. And the
# MIG.


# %% rotation-measure
def log_normal(z):
    """log N(z; 0, I) of codes (..., D), in nats."""
    return -0.5 * (z.square() + math.log(2 * math.pi)).sum(dim=-1)


@torch.no_grad()
def bound(model, x, mu, logvar, eps, rotation):
    """IWAE bound in nats: z' = R (mu + std eps) weighed by p(x|z') p(z') / q(z'|x), with (K, B, D) draws eps."""
    z = (mu + (0.5 * logvar).exp() * eps) @ rotation.T  # a rotation changes no density: q'(z'|x) = q(z|x)
    log_q = log_normal(eps) - 0.5 * logvar.sum(dim=1)
    nll = torch.stack([model.negative_log_likelihood(x, one @ rotation) for one in z])  # decode'(z') = decode(R^T z')
    return (torch.logsumexp(log_normal(z) - nll - log_q, dim=0) - math.log(len(eps))).mean().item()


with torch.no_grad():
    mu, logvar = vae.posterior(x[:100])
    eps = torch.randn(64, 100, D, generator=g).to(device)
same_image = (turned.decode(turned.encode(x[:100])) - vae.decode(mu)).abs().max().item()
same_prior = (log_normal(mu @ turned.rotation.T) - log_normal(mu)).abs().max().item()
identity = torch.eye(D, device=device)
before, after = (bound(vae, x[:100], mu, logvar, eps, r) for r in (identity, turned.rotation))
print(f"reconstructions differ by at most {same_image:.1e}, log prior densities by {same_prior:.1e}")
print(f"log p(x) is at least {before:.2f} nats before and {after:.2f} nats after")
mig_before, mig_after = (mig(*information_and_entropy(one, v)).item() for one in (z, z_turned))
print(f"MIG {mig_before:.3f} before, {mig_after:.3f} after")
perfect = (v - v.mean(dim=0)) / v.std(dim=0)
perfect_turned = perfect @ random_rotation(len(names)).cpu()
print(f"the handles themselves: MIG {mig(*information_and_entropy(perfect, v)):.2f} before, ", end="")
print(f"{mig(*information_and_entropy(perfect_turned, v)):.2f} after")

# %% [test] rotation-measure-holds
assert same_image < 1e-3
assert same_prior < 1e-3
assert abs(before - after) < 0.05
assert mig_after < 0.6 * mig_before

# %% [markdown] rotation-explorer-idea
# All that a likelihood can see is the same, and the score falls. Even a perfect code becomes a bad one. Below, the
# space is turned step by step, further and further along one random path of rotations. Upper row: MIG along the path,
# of the VAE's code and of the perfect one. Lower rows: one reconstruction and one sample, which do not move. (That the
# sample is hardly a face is no fault of the rotation: it was none before.)

# %% rotation-path
skew = torch.randn(D, D, generator=g)
skew = skew - skew.T  # the exponential of a skew matrix is a rotation
skew = skew / torch.linalg.matrix_norm(skew, ord=2)
turns = torch.linspace(0, math.pi / 2, 13)  # the angle of the fastest plane


def mig_along(code, skew):
    """MIG at each angle of a path of rotations."""
    return torch.stack([mig(*information_and_entropy(code @ torch.matrix_exp(a * skew).T, v)) for a in turns])


migs = {"the VAE's code": mig_along(z, skew), "the handles": mig_along(perfect, skew[: len(names), : len(names)])}
noise = torch.randn(1, D, generator=g)


def turned_by(angle):
    """MIG along the path with the place marked, and two images decoded in the turned space."""
    rotation = torch.matrix_exp(angle * skew).to(device)
    model = Rotated(vae, rotation)
    lines = [plots.Series(label, turns * 180 / math.pi, values) for label, values in migs.items()]
    here = plots.Series("here", [math.degrees(angle)], kind="markers", color=2)
    chart = plots.Chart([*lines, here], (0, 90), (0, 1), "angle in degrees", "MIG")
    restored, sample = model.decode(model.encode(x[:1])), model.decode(noise.to(device) @ rotation.T)
    return {"MIG": chart, "reconstruction": restored[0].cpu(), "sample": sample[0].cpu()}


rotation_explorer = widgets.FunctionSlider(
    turned_by, 0, math.pi / 2, name="angle", start=0.0, step=math.pi / 24, title="A rotation",
    describe=lambda angle: f"Turned by {math.degrees(angle):.0f} degrees.",
)  # fmt: skip
rotation_explorer.static([0, math.pi / 2])
plt.show()

# %% rotation-explorer
rotation_explorer.move_to(math.pi / 4)
rotation_explorer

# %% [markdown] bias-idea
# So why is any trained VAE better than a random rotation of itself? Because something beyond the likelihood chose its
# axes. That something is called **[[inductive bias]]**, and in a VAE it sits in an unlikely place: the posterior $q(z
# \mid x) = N(\mu, \mathrm{diag}(\sigma^2))$ is *diagonal*. Clouds that lie along the axes can be written that way.
# Turned clouds cannot, and the ELBO pays for the best diagonal approximation. By how much?

# %% bias
with torch.no_grad():
    mu, logvar = vae.posterior(x[:1000])
covariance = turned.rotation @ torch.diag_embed(logvar.exp()) @ turned.rotation.T  # of the turned clouds, (N, D, D)
logvar_turned = (
    -torch.linalg.inv(covariance).diagonal(dim1=1, dim2=2).log()
)  # the diagonal q with the least KL(q || turned)
own = kl_standard_normal(mu, logvar).mean().item()
gap = 0.5 * (logvar - logvar_turned).sum(dim=1).mean().item()  # KL from the best diagonal cloud to the turned one
print(f"rate {own:.1f} nats; a diagonal posterior in the turned space costs about {gap:.1f} nats of ELBO")

# %% [test] bias-holds
assert gap > 0.5

# %% [markdown] bias-seen
# That cost pulls the axes towards directions along which the posterior clouds are parallel to them, much the same as
# where PCA would put them (Rolinek et al. 2019), and PCA was the winner of the table. It is a preference for directions
# in which the *pixels* change by different amounts, and nothing in it knows about smiles. In our models it is also a
# weak pull: two or three nats of a loss in which every pixel counts. When a beta-VAE does disentangle, then because the
# factors of that data set happen to differ in what they are worth in pixels.
#
# ## 6. Ask for what you want: a direction from labels
#
# If the axes are arbitrary, stop looking for the smile on an axis. With a few labels it can be found as a
# **direction**: the average code of smiling faces minus the average code of the others. Everything in which the two
# groups do not differ cancels.

# %% [markdown] direction-task
# ### Exercise 2: an attribute direction
#
# *Easy, about 8 minutes.*


# %% direction-exercise
def attribute_direction(z, labels):
    """The step from the average code without an attribute to the average code with it.

    Args:
        z: Codes, (N, D).
        labels: Whether each image has the attribute, bool (N,).

    Returns:
        The direction, (D,).
    """
    ### BEGIN SOLUTION
    return z[labels].mean(dim=0) - z[~labels].mean(dim=0)
    ### END SOLUTION


# %% direction-check
attribute_direction = checks.accept("attribute-direction", attribute_direction)

# %% [markdown] direction-hints
# <details><summary>Hint 1</summary>
#
# A bool tensor picks rows: `z[labels]` are the codes with the attribute, `z[~labels]` those without.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Average each group over its images, `mean(dim=0)`, and subtract.
#
# </details>

# %% [markdown] direction-figure-intro
# From here on we use the model with $\beta = 4$, which reconstructs best. A label is one bit a face: above or below the
# middle of the handle's range. Rows: the direction of one attribute, added to the code of one face, from $-3$ to $3$
# times. In the middle column nothing is added. Does each row change what its name says? Does it change anything else?

# %% direction-figure
model, z = models[4.0], codes[4.0]
low = torch.tensor([handle.low for handle in HANDLES.values()])
span = torch.tensor([handle.high for handle in HANDLES.values()]) - low
share = (v - low) / span  # handles as shares of their range, (3000, 13)
directions = {name: attribute_direction(z, share[:, k] > 0.5) for k, name in enumerate(names)}
steps = torch.tensor([-3.0, -1.5, 0.0, 1.5, 3.0])
walks = {
    name: decode_dataset(model, z[3] + steps[:, None] * directions[name])
    for name in ("smile", "glasses", "age", "light", "turn")
}
plots.image_rows(walks, column_titles=[f"{step:+.1f}" for step in steps.tolist()], ax=small(5, 5))
plt.show()

# %% [markdown] direction-seen
# Each row does what its name says, though no axis of the code did. For the light and the turn half of it would do; at
# three times the turn tears the face. The smile needs all of it, and section 7 says why. To the left of the middle one
# sees what "less than no glasses" means to the model.

# %% [markdown] arithmetic-idea
# An old trick goes without labels: **[[latent arithmetic]]**. A face with glasses, minus a face without, plus a third
# face: does the third get glasses? It depends on the pair. Two different people differ in everything, and all of that
# is added too. Rows: the difference of one such pair; the average over more and more pairs; and a pair that we can
# only make because we own the renderer, the same person with and without. What does the third face inherit from the
# first row's pair?

# %% arithmetic
with_it, without = z[v[:, -1] == 1], z[v[:, -1] == 0]
third = z[v[:, -1] == 0][5:10]
twins = v[:100].repeat(2, 1)
twins[:100, -1], twins[100:, -1] = 1, 0
twin_codes = encode_dataset(model, render_faces(twins, size=32))
differences = {f"{n} pair{'s' if n > 1 else ''}": (with_it[:n] - without[:n]).mean(dim=0) for n in (1, 10, 300)}
differences["same person"] = (twin_codes[:100] - twin_codes[100:]).mean(dim=0)
rows = {"third face": decode_dataset(model, third)}
rows |= {f"+ {label}": decode_dataset(model, third + step) for label, step in differences.items()}
plots.image_rows(rows, ax=small(5, 5))
plt.show()
for label, step in differences.items():
    cosine = torch.cosine_similarity(step, differences["same person"], dim=0)
    print(f"{label}: length {step.norm():.2f}, cosine with the same-person difference {cosine:.2f}")

# %% [markdown] instrument-idea
# ## 7. Score an edit against the truth
#
# "Changes anything else?" should not be left to the eye. We want the handles of a *decoded* image. The renderer can
# be run backwards: look for the handles whose true face comes nearest to the image. It is smooth in all handles, so a
# few [[Gauss-Newton|Gauss-Newton method]] steps do: linearise the renderer around the present guess by nudging each
# handle, solve the least-squares problem, repeat. As guess we take the handles of the face before the edit, and for
# the smile, whose effect is least linear, the best of nine values.


# %% instrument
def draw(share):
    """True faces (..., pixels) of handles (..., 13) given as shares of their range."""
    x = render_faces((low + span * share).flatten(0, -2), size=32)
    return x.flatten(1).unflatten(0, share.shape[:-1])


def read_handles(images, guess, steps=8, tiny=0.1):
    """Handles, as shares (N, 13), of the true faces nearest to images (N, 3, 32, 32), looked for from a guess."""
    goal, h = images.flatten(1), guess.clone()
    tries = h[:, None].repeat(1, 9, 1)
    tries[:, :, 0] = torch.linspace(0, 1, 9)
    h[:, 0] = tries[0, (draw(tries) - goal[:, None]).square().sum(dim=2).argmin(dim=1), 0]
    for _ in range(steps):
        nudge = torch.where(h > 0.5, -0.02, 0.02)  # inwards
        now = draw(h)
        slope = (draw(h[:, None] + torch.diag_embed(nudge)) - now[:, None]) / nudge[:, :, None]  # (N, 13, pixels)
        left = slope @ (goal - now)[:, :, None]  # (N, 13, 1)
        step = torch.linalg.solve(slope @ slope.mT + tiny * torch.eye(h.shape[1]), left)
        h = (h + step[:, :, 0]).clamp(0, 1)
    return h


serious = sample_handles(40, generator=g)
serious[:, 0] = -0.6 + 0.4 * torch.rand(40, generator=g)  # people who could smile more
h0 = (serious - low) / span
h1 = h0.clone()
h1[:, 0] = h0[:, 0] + 0.5  # what we want: half the range more smile, and nothing else
x0, x1 = (draw(h).unflatten(1, (3, 32, 32)) for h in (h0, h1))
error = (read_handles(x1, h0) - h1).square().mean(dim=0).sqrt()
print(f"on true faces the instrument is off by {error[0]:.3f} of the range for the smile, {error[1:].mean():.3f} else")

# %% [test] instrument-holds
assert error[0] < 0.02
assert error.mean() < 0.02

# %% [markdown] instrument-blur
# On true faces it is nearly exact. On decoded faces it must judge a blurred mouth, so we read the face before the edit
# and the face after it with the same instrument and score the *change*. Two yardsticks: the true edit, rendered; and
# the true edit seen through the model, rendered, encoded and decoded, which is the best that this code could show.


# %% score-code
results, changes = {}, {}


def score(label, start, images):
    """Reads edited images; prints the change since the readings `start` (40, 13), as shares of the range."""
    change = read_handles(images, start) - start
    mean = change.mean(dim=0)
    results[label], changes[label] = (mean[0].item(), change[:, 1:].square().mean().sqrt().item()), mean
    most = int(mean[1:].abs().argmax()) + 1
    print(f"{label}: smile {mean[0]:+.2f}, others {results[label][1]:.2f}; most of all {names[most]} {mean[most]:+.2f}")


z0, z1 = encode_dataset(model, x0), encode_dataset(model, x1)
start = read_handles(decode_dataset(model, z0), h0)
score("true edit", h0, x1)
score("true edit, seen through the code", start, decode_dataset(model, z1))

# %% [markdown] first-scores-idea
# Asked for: smile +0.50, others 0. "Others" is the root mean square over the twelve other handles and all faces. Even
# the true edit, seen through this code, shows only a part of its smile. Section 1 foretold it: a mouth is worth little
# to a squared error, and a decoder that is unsure of it paints an average mouth. Now the label direction. One step is
# worth the difference of the two groups' mean smiles; we divide by that, and take half the range, then three times as
# much.


# %% first-scores
def smile_step(z, share):
    """The label direction of the smile, scaled to be worth the whole range."""
    smiling = share[:, 0] > 0.5
    return attribute_direction(z, smiling) / (share[smiling, 0].mean() - share[~smiling, 0].mean())


per_smile = smile_step(z, share)
score("label direction, as labelled", start, decode_dataset(model, z0 + 0.5 * per_smile))
score("label direction, 3 times", start, decode_dataset(model, z0 + 1.5 * per_smile))
d = int(information_and_entropy(z, v)[0][:, 0].argmax())
alone = torch.eye(D)[d] * per_smile[d]  # the same step, kept to one dimension
score("one dimension, 3 times", start, decode_dataset(model, z0 + 1.5 * alone))

# %% [test] first-scores-holds
assert results["label direction, 3 times"][0] > 0.35
assert results["label direction, 3 times"][1] < 0.07
assert results["one dimension, 3 times"][0] < results["label direction, 3 times"][0] - 0.1

# %% [markdown] first-scores-seen
# As labelled, the step does next to nothing: the mouth stays the average one. Three times as far the smile is there and
# the rest of the face stays, although the model was never told what a smile is and no axis of its code holds it. The
# strength has to be found by trying; photo editors of this kind have a slider for it. The best single dimension does
# worse at the same strength.

# %% [markdown] biased-idea
# ## 8. Labels that bring something along
#
# So far each handle was drawn by itself, which the world never does. `sample_faces(..., correlated=True)` ties two
# pairs: smiling faces are mostly lit from the right, and glasses are mostly worn by older people. Each handle alone is
# distributed as before. Suppose that the faces somebody labelled for us are of this kind. The model stays the same,
# only the labels are biased. Predict which other handle will move when we add a smile, and which way.

# %% biased
tied_faces = sample_faces(3000, seed=91, correlated=True)
share_tied = (tied_faces.handles - low) / span
light, age, glasses = (names.index(name) for name in ("light", "age", "glasses"))
for one, other in ((0, light), (age, glasses)):
    r = torch.corrcoef(share_tied[:, [one, other]].T)[0, 1]
    print(f"correlation of {names[one]} and {names[other]}: {r:.2f}")
z_labelled = encode_dataset(model, tied_faces)
biased = smile_step(z_labelled, share_tied)
score("biased labels, 3 times", start, decode_dataset(model, z0 + 1.5 * biased))

# %% [test] biased-holds
assert changes["biased labels, 3 times"][light] > 0.35

# %% [markdown] biased-seen
# The smile comes, and the light moves by as much: about half of its range. The direction is what the two groups of
# faces differ in, and they differ in the light as much as in the smile.
#
# ## 9. Take out what came along
#
# What does "and nothing else" mean for a step in latent space? A practical definition: fit a linear **[[read-out]]**
# for each handle, $\hat v_k = w_k \cdot z + b_k$, by least squares. A step $s$ changes read-out $k$ by $w_k \cdot s$.
# So a [[controlled edit]] is a step with
#
# $$w_{\text{smile}} \cdot s = \text{amount}, \qquad w_k \cdot s = 0 \text{ for every handle } k \text{ to be kept}.$$
#
# Take the label direction and **project out** of it what lies in the span of the $w_k$ to be kept; what is left moves
# none of them. Then make it long enough. (Shen et al. 2020 do this with the normals of classifiers in the latent space
# of a GAN. The package has the projection as `project_out` in course_utils/latents.py.)

# %% [markdown] edit-task
# ### Exercise 3: a controlled edit
#
# *Hard, about 15 minutes.*


# %% edit-exercise
def controlled_edit(z, direction, smile, others, amount):
    """Codes moved along a direction so that the smile's read-out rises and the others' stay.

    Args:
        z: Codes, (N, D).
        direction: Where to go, (D,), for example a label direction. Entangled with the others.
        smile: Weights of the smile's read-out, (D,): a step s changes it by smile @ s.
        others: Weights of the read-outs to keep, (M, D), neither orthogonal nor of length 1. M < D.
        amount: How much the smile's read-out is to rise.

    Returns:
        The new codes, (N, D), all moved by the same step: direction without what lies in the span of the others,
        scaled.
    """
    ### BEGIN SOLUTION
    basis = torch.linalg.qr(others.T).Q  # (D, M), orthonormal columns that span the others
    step = direction - basis @ (basis.T @ direction)
    return z + step * (amount / (smile @ step))
    ### END SOLUTION


# %% edit-check
controlled_edit = checks.accept("controlled-edit", controlled_edit)

# %% [markdown] edit-hints
# <details><summary>Hint 1</summary>
#
# Three steps: an orthonormal basis of the others; subtract from the direction its projection on that basis; scale what
# is left so that `smile @ step` is `amount`. The order matters.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.linalg.qr(others.T).Q` has orthonormal columns that span the rows of `others`. With such a basis `Q` the
# projection of `d` is `Q @ (Q.T @ d)`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# If `step` is what is left, the smile gains `smile @ step` from it. So take it `amount / (smile @ step)` times, and add
# it to `z`.
#
# </details>

# %% [markdown] edit-score-idea
# Your edit, scored with the renderer. The read-outs are fitted on the same biased faces, so nothing is used that we
# would not have. First we keep only the light, then every handle whose read-out is worth keeping: it should explain at
# least half of the handle's variance.


# %% edit-score
def read_outs(z, share):
    """Weights (13, D) of the least-squares read-outs of all handles, and the share of variance each explains (13,)."""
    inputs = torch.cat([z, torch.ones(len(z), 1)], dim=1)
    solution = torch.linalg.lstsq(inputs, share).solution  # (D + 1, 13)
    rest = share - inputs @ solution
    return solution[:-1].T, 1 - rest.var(dim=0) / share.var(dim=0)


weights, explained = read_outs(z_labelled, share_tied)
print("share of the variance that a read-out explains:")
print(", ".join(f"{name} {r:.2f}" for name, r in zip(names, explained.tolist(), strict=True)))
known = [k for k in range(1, len(names)) if explained[k] > 0.5]
for label, kept in {"biased labels, light kept": [light], f"biased labels, {len(known)} kept": known}.items():
    moved = controlled_edit(z0, biased, weights[0], weights[kept], 0.5)
    score(label, start, decode_dataset(model, moved))

# %% edit-numbers
print(f"biased labels: light {changes['biased labels, 3 times'][light]:+.2f}", end="; ")
print(f"light kept: light {changes['biased labels, light kept'][light]:+.2f}", end="; ")
print(f"{len(known)} kept: light {changes[f'biased labels, {len(known)} kept'][light]:+.2f}")

# %% [test] edit-numbers-holds
for label in ("biased labels, light kept", f"biased labels, {len(known)} kept"):
    assert results[label][0] > 0.35
    assert abs(changes[label][light]) < 0.5 * changes["biased labels, 3 times"][light]
assert results[f"biased labels, {len(known)} kept"][1] < 0.6 * results["biased labels, 3 times"][1]

# %% [markdown] edit-seen
# With only the light kept, the light stays roughly where it was, but the step has become longer and other handles move
# that nobody asked to keep. With all readable handles kept, the smile rises as asked and all the rest together changes
# by far less than with the plain biased direction. What is left comes from where straight read-outs end: the decoder is
# curved.
#
# ## 10. Correlated factors entangle
#
# That was a good code with bad labels. Now the harder case. The reference model `faces_vae_correlated`, also with
# $\beta = 4$, has *seen* nothing but faces whose smile and light, age and glasses go together. Why should it spend nats
# on a mouth that it can guess from the light? Below, its table beside that of the model trained on independent faces,
# both measured on independent faces. Compare the column *smile*.

# %% correlated
tied = load_reference("faces_vae_correlated", device)
z_free = encode_dataset(tied, faces)  # codes of independent faces
information, entropy = information_and_entropy(z_free, v)
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", sharey=True)
free_mig = mig(*information_and_entropy(z, v))
draw_shares(axes[0], shares[4.0], f"trained on independent faces: MIG {free_mig:.2f}")
picture = draw_shares(
    axes[1], information / entropy, f"trained on correlated faces: MIG {mig(information, entropy):.2f}"
)
axes[0].set_ylabel("dimension of the code")
figure.colorbar(picture, ax=axes, label="share of the handle known")
plt.show()

# %% [markdown] held-idea
# How much of each handle does either code hold? A read-out fitted and used on independent faces tells.

# %% held
held = {"independent": read_outs(z, share)[1], "correlated": read_outs(z_free, share)[1]}
for label, r in held.items():
    values = ", ".join(f"{names[k]} {r[k]:.2f}" for k in (0, light, age, glasses))
    print(f"model of {label} faces: share of the variance explained: {values}")

# %% [test] held-holds
assert held["correlated"][0] < held["independent"][0] - 0.1
assert abs(held["correlated"][light] - held["independent"][light]) < 0.1

# %% [markdown] correlated-edit-idea
# The light is held as well as before, the smile less. Now the same edit, and the same repair, with this code.

# %% correlated-edit
z_tied = encode_dataset(tied, tied_faces)
weights_tied, _ = read_outs(z_tied, share_tied)
z0_tied, z1_tied = encode_dataset(tied, x0), encode_dataset(tied, x1)
start_tied = read_handles(decode_dataset(tied, z0_tied), h0)
score("tied model: true edit, seen through it", start_tied, decode_dataset(tied, z1_tied))
smile_tied = smile_step(z_tied, share_tied)
score("tied model: label direction, 3 times", start_tied, decode_dataset(tied, z0_tied + 1.5 * smile_tied))
moved = controlled_edit(z0_tied, smile_tied, weights_tied[0], weights_tied[[light]], 0.5)
score("tied model: light kept", start_tied, decode_dataset(tied, moved))
lengths = [(after - before).norm(dim=1).mean().item() for after, before in ((moved, z0_tied), (z1_tied, z0_tied))]
print(f"the step that keeps the light is {lengths[0]:.1f} long; the true edit moves a code by {lengths[1]:.1f}")

# %% [test] correlated-edit-holds
assert changes["tied model: label direction, 3 times"][light] > 0.3
assert results["tied model: light kept"][1] > 2 * results[f"biased labels, {len(known)} kept"][1]

# %% [markdown] correlated-seen
# An added smile brings the light along as before, but here the repair fails. For the faces that this model has seen the
# light was nearly enough to tell the mouth. What is left of the direction when the light is taken out says little about
# the smile, so the step has to be very long to raise the read-out, and the face falls apart. Projection removes a
# correlation from the *labels*. It cannot put into a code what the code does not hold.
#
# ## 11. Tell the model: a conditional VAE
#
# All this repairs a code that nobody told what a smile is. If the handle is known for the training images, one can hand
# it to the model instead. A **[[conditional VAE]]** (Sohn, Lee and Yan 2015) gets a condition $y$ beside the image, and
# both networks may use it:
#
# $$\log p(x \mid y) \ge \mathbb{E}_{q(z \mid x, y)}[\log p(x \mid z, y)] - \mathrm{KL}(q(z \mid x, y) \,\|\, p(z)).$$
#
# The decoder knows $y$ for free. A code that repeats it would pay KL for nothing, so what remains for $z$ is the rest
# of the picture. The prior stays $N(0, I)$ whatever $y$ is. Here is all of it.


# %% cvae-code
from course_utils.models.networks import decoder_network, encoder_network  # the networks of lessons 02 and 04


class ConditionalVAE(nn.Module):
    """p(z) p(x|z, y) with a Gaussian likelihood, and q(z|x, y)."""

    def __init__(self, latent_dim, condition_dim, hidden=32, std=0.1):
        super().__init__()
        shape = (3, 32, 32)
        self.std = std
        self.encoder = encoder_network("conv", shape, hidden, 2 * latent_dim)
        self.encoder_condition = nn.Linear(condition_dim, 2 * latent_dim, bias=False)
        self.decoder = decoder_network("conv", shape, hidden, latent_dim + condition_dim)

    def posterior(self, x, y):
        """mu and logvar of q(z|x, y): what the image says, plus a linear function of y."""
        return (self.encoder(x) + self.encoder_condition(y)).chunk(2, dim=1)

    def decode(self, z, y):
        """Images of codes (B, D) under conditions (B, K): the decoder reads both side by side."""
        return torch.sigmoid(self.decoder(torch.cat([z, y], dim=1)))


def cvae_loss(model, x, y):
    """The negative of the bound above, up to a constant, for `fit`."""
    mu, logvar = model.posterior(x, y)
    x_hat = model.decode(reparameterize(mu, logvar), y)
    recon = (x - x_hat).square().flatten(1).sum(dim=1).mean() / (2 * model.std**2)
    kl = kl_standard_normal(mu, logvar).mean()
    return {"loss": recon + kl, "recon": recon, "kl": kl}


# %% [markdown] cvae-train-intro
# A few seconds of training show that it runs; the condition is the smile, the age and the glasses. Then we put the
# weights of the reference model `faces_cvae`, which trained longer, into the same class.

# %% cvae-train
told = [names.index(name) for name in ("smile", "age", "glasses")]
young = ConditionalVAE(10, len(told)).to(device)
batches = list(zip(x.split(100), v[:, told].to(device).split(100), strict=True))
history = fit(young, batches, epochs=2, lr=2e-3, loss=cvae_loss, progress=False)
print("loss after each epoch:", ", ".join(f"{value:.0f}" for value in history.series("loss")))
reference = load_reference("faces_cvae", device)
cvae = ConditionalVAE(reference.latent_shape[0], len(told), reference.config["hidden"], reference.std).to(device)
_ = cvae.load_state_dict(reference.state_dict())

# %% [markdown] cvae-figure-intro
# Rows: one face, encoded once with its own handles and decoded with others. Only $y$ changes along a row. Is it the
# same person?

# %% cvae-figure
with torch.no_grad():
    z_own = cvae.posterior(x[4:5], v[4:5, told].to(device))[0].expand(5, -1)
    rows = {}
    for i, k in enumerate(told):
        y = v[4:5, told].repeat(5, 1)
        y[:, i] = torch.linspace(low[k], low[k] + span[k], 5)
        rows[names[k]] = cvae.decode(z_own, y.to(device)).cpu()
        handles = v[4:5].repeat(5, 1)
        handles[:, k] = y[:, i]
        rows[f"{names[k]}, true"] = render_faces(handles, size=32)
plots.image_rows(rows, ax=small(6, 5))
plt.show()

# %% [markdown] cvae-seen
# Same person, and the smile and the glasses follow their handle. The age does not turn the hair orange again, as the
# truth does: what colour grey hair once had no picture tells, so the code says "grey", and the decoder does as told. A
# condition steers only what the code leaves to it. Now the score, of the same edit as before.

# %% cvae-score
y0, y1 = (low + span * h for h in (h0, h1))
with torch.no_grad():
    z0_cvae = cvae.posterior(x0.to(device), y0[:, told].to(device))[0]
    before, after = (cvae.decode(z0_cvae, y[:, told].to(device)).cpu() for y in (y0, y1))
score("conditional VAE", read_handles(before, h0), after)

# %% [markdown] board-intro
# ## 12. All edits side by side
#
# Asked of each: half the range more smile, and nothing else. The best place is at the lower right, on the dashed line.
# Grey points are the true edit as each code can show it: no edit can be expected to do better than the code it is made
# in.

# %% board
figure, ax = plt.subplots(figsize=(9, 4.2), layout="constrained")
for i, (label, (smile, others)) in enumerate(results.items()):
    seen = "true edit" in label
    ax.plot(
        smile, others, plots.MARKERS[i % 10], color="0.5" if seen else plots.PALETTE[i % 10], markersize=9, label=label
    )
ax.axvline(0.5, color="0.6", linestyle="--", linewidth=1)
ax.set(
    xlabel="change of the smile, in shares of its range",
    ylabel="change of the other handles (RMS)",
    xlim=(-0.05, 0.75),
    ylim=(0, None),
)
ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
plt.show()
for label, (smile, others) in results.items():
    print(f"{label:40s} smile {smile:+.2f}   others {others:.2f}   others by smile {others / max(smile, 0.01):.2f}")

# %% [markdown] board-seen
# Three lessons. Down on the right, near the truth, stand the label direction from independent labels, your edit with
# all readable handles kept, and, with a smaller smile, the conditional VAE, which needs no strength to be chosen.
# Higher up stand the edits from biased labels. And where the model itself has seen only correlated faces, nothing comes
# near: the edit either brings the light or loses the face.

# %% [markdown] handles-explorer-intro
# Now with your own hands, and the truth beside it. The directions are five controlled edits, each keeping the read-outs
# of the other four. The sliders stand at the handles of this face. Moving one adds that many units of its direction to
# the code, and renders the true face with the same handles. Where do the two part? The static twin first: under each
# row of the model the row of the truth.

# %% handles-twin
person = 3
four = [names.index(name) for name in ("smile", "light", "age", "glasses")]
weights_free, _ = read_outs(z, share)
per_unit = {}
for k in four:  # your edit, of the code 0 and for one unit of the handle
    others = weights_free[[other for other in four if other != k]]
    step = controlled_edit(torch.zeros(1, D), directions[names[k]], weights_free[k], others, 1 / span[k])
    per_unit[names[k]] = step[0]
control = widgets.HandleSliders(
    model, faces.pixels(person)[0], per_unit, handles=v[person], title="Directions and truth"
)
control.static(5, ax=small(8, 5))
plt.show()

# %% handles-explorer
control.move_to(smile=0.8, age=0.6)
control

# %% [markdown] changed
# ## What changed, and what did not
#
# | from a code to control | |
# |---|---|
# | **changed** | a dimension is judged by what it knows about known factors, not by a traversal that we liked |
# | **changed** | an attribute is a direction found from labels; it need not lie on an axis |
# | **changed** | an edit has a score: how much of what was asked, how much of anything else |
# | **did not change** | the likelihood: it cannot see a rotation, so it cannot choose the axes |
# | **did not change** | what the model dropped is gone: no direction brings back a handle that the code does not hold |
# | **did not change** | correlations of the images: they are in the code, in the labels and in the directions |
#
# ## Limits and caveats
#
# * Drawn faces with independent, known handles are the best case there is. Photographs have factors that nobody can
#   list, and "everything else" cannot be measured there.
# * One seed for each $\beta$. Locatello et al. found that the seed matters as much as the method, so differences of a
#   few hundredths between our models are no result.
# * All four scores depend on choices: 20 bins, the kind of predictor, the number of votes. They do not always rank
#   models alike. With histograms a MIG of 0.02 is within the noise of section 4.
# * Some handles are coupled in the pixels however independently they are drawn: with closed eyes, behind glasses, in
#   grey hair, others cannot be seen. The handles of such faces cannot be read by any encoder.
# * The instrument reads the nearest *true* face. A blurred mouth is nearest to some mouth, so its readings of weak
#   edits lean towards what the renderer can draw.
# * Read-outs are straight lines. A step that leaves them unchanged may change a handle in a bent way, and far steps do.
# * `smile` here is the angle of a drawn mouth. Attribute directions in photographs of people carry the prejudices of
#   those who labelled them.
#
# ## Quiz
#
# **1.** Model X has a MIG of 0.30 and model Y of 0.05. Can a smile be edited in Y?
#
# <details><summary>Answer</summary>
#
# Quite possibly as well as in X. MIG asks for the smile on *one axis*. If Y holds the smile along a slanted direction,
# a few labels find it. What the edit needs is that the code holds the smile at all (informativeness) and that its
# direction differs from that of the other handles. The rotation of section 5 takes X's MIG without touching a single
# image.
#
# </details>
#
# **2.** Someone finds that beta = 16 gives a higher MIG than beta = 1 and concludes that a KL term disentangles. What
# do you ask?
#
# <details><summary>Answer</summary>
#
# What the codes still know: a model that drops the small handles may score well on the few it keeps. How many seeds.
# And what happens on a data set in which two factors are worth the same in pixels: there a rotation within their plane
# costs nothing, and nothing in the KL term would prefer one to another.
#
# </details>
#
# **3.** The labels for "smile" come from photographs in which smiling people are mostly outdoors. You project the
# direction for "outdoors" out. Are you done?
#
# <details><summary>Answer</summary>
#
# Only if the model can part the two. If it was trained on the same photographs it may hold both in one direction, and
# then projecting one out leaves little of the other, or noise. Measure the smile that is left. Data in which the two
# are independent, labels within each place, or a condition given in training go further.
#
# </details>
#
# ## Summary
#
# * $I(z_d; v_k) = \sum p(a, b) \log \frac{p(a, b)}{p(a) p(b)}$, estimated from a histogram, too high by about
#   $(\text{bins} - 1)^2 / 2N$.
# * $\mathrm{MIG} = \frac1K \sum_k [I(z_{(1)}; v_k) - I(z_{(2)}; v_k)] / H(v_k)$.
# * $z' = Rz$, decode$'(z')$ = decode$(R^\top z')$: the same $p(x)$, another MIG. Unsupervised disentanglement needs an
#   inductive bias; in a VAE it is the diagonal posterior.
# * Direction: $\bar z_{\text{with}} - \bar z_{\text{without}}$. It brings along what is correlated with the attribute.
# * Controlled edit: $s = d - QQ^\top d$, $Q$ an orthonormal basis of the read-outs to keep, scaled to $w_{\text{smile}}
#   \cdot s = \text{amount}$.
# * Conditional VAE: $q(z \mid x, y)$, $p(x \mid z, y)$; the edit is another $y$.
#
# ## References
#
# * I. Higgins et al. (2017), *beta-VAE: Learning basic visual concepts with a constrained variational framework*, ICLR.
# * R. T. Q. Chen et al. (2018), *Isolating sources of disentanglement in variational autoencoders*, arXiv:1802.04942:
#   MIG.
# * C. Eastwood and C. K. I. Williams (2018), *A framework for the quantitative evaluation of disentangled
#   representations*, ICLR: DCI.
# * A. Kumar, P. Sattigeri and A. Balakrishnan (2018), *Variational inference of disentangled latent concepts from
#   unlabeled observations*, arXiv:1711.00848: SAP.
# * H. Kim and A. Mnih (2018), *Disentangling by factorising*, arXiv:1802.05983: the FactorVAE score.
# * F. Locatello et al. (2019), *Challenging common assumptions in the unsupervised learning of disentangled
#   representations*, arXiv:1811.12359.
# * M. Rolinek, D. Zietlow and G. Martius (2019), *Variational autoencoders pursue PCA directions (by accident)*,
#   arXiv:1812.06775.
# * A. B. L. Larsen et al. (2016), *Autoencoding beyond pixels using a learned similarity metric*, arXiv:1512.09300:
#   attribute directions.
# * Y. Shen et al. (2020), *Interpreting the latent space of GANs for semantic face editing*, arXiv:1907.10786: editing
#   under conditions by projection.
# * K. Sohn, H. Lee and X. Yan (2015), *Learning structured output representation using deep conditional generative
#   models*, NIPS: the conditional VAE.
# * F. Träuble et al. (2021), *On disentangled representations learned from correlated data*, arXiv:2006.07886.
#
# ## Next
#
# Every code so far came from an encoder. Lesson 10 has none: a GAN turns noise into pictures, its noise is the latent
# space, and to find the code of an image one has to search.
