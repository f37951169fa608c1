# %% [markdown] title
# {{header}}
#
# # 08. What does a map of a latent space show, and where does it lie?
#
# At the end of this lesson you can
#
# 1. draw a 16-dimensional latent space on paper by PCA, [[t-SNE]] or [[UMAP]], and say what each of them tries to keep;
# 2. measure a map instead of admiring it: [[k-nearest-neighbour accuracy|k-NN accuracy]], [[trustworthiness]],
#    [[continuity]];
# 3. name what a map cannot show (whether there are groups, how large they are, how far apart) and find it out in the
#    data.

# %% [markdown] prerequisites
# **You need:** lesson 01 (PCA, nearest neighbours), lesson 04 (the VAE), lesson 06 (entropy and KL, in nats).
#
# **Time:** {{learning}} with the exercises. Running all cells takes {{minutes}}.

# %% setup
{{setup}}

# %% imports
import matplotlib.pyplot as plt
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from course_utils import checks, metrics, plots, widgets
from course_utils.checkpoints import load_reference
from course_utils.data import fashion_mnist
from course_utils.device import pick_device, seed_everything
from course_utils.embedding import embed, has_umap, load_maps  # course_utils/embedding.py
from course_utils.latents import encode_dataset
from course_utils.models.pca import PCA  # lesson 01

plt.rcParams["figure.dpi"] = 80
torch.set_num_threads(1)  # many short computations: a second thread would mostly wait for the first
seed_everything(8)
device = pick_device()
train, test = fashion_mnist("train"), fashion_mnist("test")
labels, names = test.labels, test.class_names
vae = load_reference("vae_16d", device)
z = encode_dataset(vae, test)  # (2000, 16): the posterior means of 2,000 images that the VAE has not seen
print(f"{len(z):,} codes of {z.shape[1]} numbers; computing on {device}")

# %% [markdown] predict
# ## Predict first
#
# 1. We draw 2,000 points from $N(0, I)$ in 16 dimensions, pure noise, and ask t-SNE for a map. What will it look like:
#    a round cloud, or groups?
# 2. Two groups of points; the second is spread five times as widely as the first. How much larger is it on a t-SNE map?
# 3. Three groups on a line. The gap between the second and the third is five times the first gap. And on the map?
#
# Write down your answers.
#
# <details><summary>What we found, for after sections 6 and 7</summary>
#
# 1. It depends on a setting, the [[perplexity]]. At 2 the map is full of clumps and strings, at 30 it is a plain disc.
# 2. Not at all: both come out alike.
# 3. Both gaps come out alike.
#
# </details>

# %% [markdown] pca-idea
# ## 1. The oldest map: PCA
#
# A code of `vae_16d` has 16 numbers, and paper has two dimensions. The projection that keeps as much of the variance as
# two straight axes can is PCA, as in lesson 01. It is linear: a straight line stays straight, and a distance on the map
# is never larger than the true one. How much of the variance do the two axes keep? And is one of the ten classes by
# itself on the map?

# %% pca-map
map_pca = embed(z, "pca")  # (2000, 2)
share = map_pca.var(dim=0).sum() / z.var(dim=0).sum()
print(f"two axes keep {share:.0%} of the variance of 16")
plots.latent_map(map_pca, labels, names, images=test.images, thumbnails=30, title="PCA of the codes of vae_16d")
plt.show()

# %% [test] pca-map-holds
assert 0.2 < share < 0.35

# %% [markdown] pca-seen
# About a quarter. The classes lie over each other, as a crowd does in a shadow. That does not mean that they overlap in
# the latent space: 14 directions were thrown away. We need a number that can be had in *any* number of dimensions.
#
# ## 2. Ask the neighbours
#
# Take a code away, find its $k$ nearest codes, and let them vote for a class by majority. The share of codes for which
# the vote is right is the **k-nearest-neighbour accuracy** ([[leave-one-out]]). It needs no training, and it works on
# pixels, on codes and on maps.

# %% [markdown] knn-task
# ### Exercise 1: k-NN accuracy
#
# *Easy, about 10 minutes.* `torch.cdist(z, z)` has all distances.


# %% knn-exercise
def knn_accuracy(z, labels, k=5):
    """How often a majority vote of the k nearest other points names a point's own label.

    Args:
        z: Points, (N, D).
        labels: Class of each, int64 (N,), from 0.
        k: Neighbours that vote.

    Returns:
        A number from 0 to 1.
    """
    ### BEGIN SOLUTION
    distance = torch.cdist(z, z).fill_diagonal_(torch.inf)  # (N, N); no point is its own neighbour
    nearest = distance.topk(k, dim=1, largest=False).indices  # (N, k)
    votes = labels[nearest].mode(dim=1).values  # (N,)
    return (votes == labels).float().mean().item()
    ### END SOLUTION


# %% knn-check
knn_accuracy = checks.accept("knn-accuracy", knn_accuracy)

# %% [markdown] knn-hints
# <details><summary>Hint 1</summary>
#
# Each point is at distance 0 from itself. Put infinity on the diagonal of the distances, so that it is never chosen.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `distance.topk(k, dim=1, largest=False).indices` are the neighbours, (N, k). `labels[...]` of that are their votes,
# and `.mode(dim=1).values` is the most frequent vote of each row.
#
# </details>

# %% knn-table
for name, points in (("16 numbers", z), ("PCA map", map_pca)):
    print(f"{name}: {knn_accuracy(points, labels, k=10):.0%} of the codes have neighbours that name their class")
knn_code = knn_accuracy(z, labels, k=10)

# %% [test] knn-table-holds
knn_pca = knn_accuracy(map_pca, labels, k=10)
assert knn_code > 0.75
assert knn_pca < knn_code - 0.2

# %% [markdown] knn-seen
# In the latent space the neighbours are right four times out of five; on the PCA map about half of the time. So the
# mess was made by the map. Can two dimensions do better? Not by keeping all distances; but perhaps by keeping
# *neighbours*.
#
# ## 3. t-SNE: keep the neighbours
#
# t-SNE (van der Maaten and Hinton 2008) has three steps. **First**, turn distances in the data into probabilities. If
# point $i$ picks a neighbour at random, near ones rather than far ones, it picks $j$ with
#
# $$p_{j|i} = \frac{\exp(-\|z_i - z_j\|^2 / 2 \sigma_i^2)}{\sum_{l \ne i} \exp(-\|z_i - z_l\|^2 / 2 \sigma_i^2)}.$$
#
# How wide should $\sigma_i$ be? Where points are dense, narrow; where they are sparse, wide. So $\sigma_i$ is chosen
# such that each point has the same *effective number of neighbours*. That number is the **perplexity** of the
# distribution,
#
# $$\mathrm{Perp}(p) = 2^{H(p)}, \qquad H(p) = -\sum_j p_j \log_2 p_j,$$
#
# two to the power of the entropy in bits (or $e$ to the power of the entropy in nats, which is the same number). With
# even odds on $m$ neighbours it is $m$. With uneven odds it is smaller.

# %% [markdown] perplexity-task
# ### Exercise 2: the perplexity of a distribution
#
# *Easy, about 8 minutes.* Some of the probabilities are 0. Such an entry adds nothing to the entropy.


# %% perplexity-exercise
def perplexity(p):
    """Effective number of neighbours of each distribution.

    Args:
        p: Probabilities, (N, K): each row sums to 1, entries may be 0.

    Returns:
        The perplexity of each row, (N,), from 1 to K.
    """
    ### BEGIN SOLUTION
    entropy = torch.special.entr(p).sum(dim=1)  # entr(p) is -p log p, and 0 at p = 0; in nats
    return entropy.exp()
    ### END SOLUTION


# %% perplexity-check
perplexity = checks.accept("perplexity", perplexity)

# %% [markdown] perplexity-hints
# <details><summary>Hint 1</summary>
#
# `p * p.log()` is NaN where p is 0. `torch.special.entr(p)` is $-p \ln p$ with the right limit.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Sum over each row, then undo the logarithm: `torch.exp` goes with natural logarithms, `2 **` with `torch.log2`.
#
# </details>

# %% perplexity-examples
odds = torch.tensor([[0.25, 0.25, 0.25, 0.25], [0.7, 0.1, 0.1, 0.1], [0.5, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
print("perplexities:", ", ".join(f"{value:.2f}" for value in perplexity(odds).tolist()))

# %% [markdown] calibrate-idea
# There is no formula for the $\sigma_i$ that gives a wanted perplexity, but a wider $\sigma_i$ always gives a larger
# one. So we search by **[[bisection]]**: try the middle, keep the half that must hold the answer, and again. All
# points at the same time, on a logarithmic scale for the precision $1 / 2 \sigma_i^2$.


# %% calibrate
def neighbour_odds(z, target, steps=60):
    """p(j|i), (N, N): each row sums to 1 and has the perplexity `target`."""
    distance = torch.cdist(z, z).square()  # (N, N)
    distance = (distance / distance.mean()).fill_diagonal_(torch.inf)  # nobody picks itself
    low, high = torch.full((len(z), 1), -20.0), torch.full((len(z), 1), 20.0)  # of the log precision
    for _ in range(steps):
        middle = (low + high) / 2
        p = torch.softmax(-distance * middle.exp(), dim=1)
        too_wide = perplexity(p)[:, None] > target
        low, high = torch.where(too_wide, middle, low), torch.where(too_wide, high, middle)
    return p


some = z[:300]  # 30 images of each class
odds = neighbour_odds(some, 30.0)
P = (odds + odds.T) / (2 * len(some))  # symmetric, and all of it together sums to 1
found = perplexity(odds)
print(f"perplexity from {found.min():.3f} to {found.max():.3f}; P sums to {P.sum():.4f}")
largest = odds.max(dim=1).values
print(f"odds of the likeliest neighbour: from {largest.min():.2f} to {largest.max():.2f}")

# %% [test] calibrate-holds
assert (found - 30).abs().max() < 0.05

# %% [markdown] low-idea
# **Second**, do the same on the map, for points $y_i$ in two dimensions, but with a curve that has a heavier tail than
# the Gaussian, [[Student's t|student t distribution]] with one degree of freedom:
#
# $$q_{ij} = \frac{(1 + \|y_i - y_j\|^2)^{-1}}{\sum_{k \ne l} (1 + \|y_k - y_l\|^2)^{-1}}.$$
#
# Why another curve? In 16 dimensions there is room for many points at the same middling distance from one point; in two
# there is not. The heavy tail lets those be much farther away on the map at little cost, which leaves room for the near
# ones. This is what pulls groups apart, whether they are apart or not. Remember it for section 7.
#
# **Third**, move the $y_i$ until $Q$ is like $P$, by gradient descent on
#
# $$C = \mathrm{KL}(P \,\|\, Q) = \sum_{i \ne j} p_{ij} \log \frac{p_{ij}}{q_{ij}}, \qquad
# \frac{\partial C}{\partial y_i} = 4 \sum_j (p_{ij} - q_{ij}) \frac{y_i - y_j}{1 + \|y_i - y_j\|^2}.$$
#
# Which way round the KL stands matters, as in lesson 06. Where $p_{ij}$ is large and $q_{ij}$ small (neighbours torn
# apart) the cost is high. Where $p_{ij}$ is nearly 0, two points may lie side by side or a mile apart and it costs
# next to nothing. **t-SNE is paid for neighbours and not for distances.**


# %% gradient
def kernel(y):
    """1 / (1 + |y_i - y_j|^2), with 0 on the diagonal: (N, 2) -> (N, N)."""
    distance = (y[:, None] - y[None]).square().sum(dim=-1)
    return (1 / (1 + distance)) * (1 - torch.eye(len(y)))


def tsne_loss(P, y):
    """KL(P || Q) in nats."""
    w = kernel(y)
    Q = w / w.sum()
    return (P * (P.clamp(min=1e-12).log() - Q.clamp(min=1e-12).log())).sum()


def tsne_gradient(P, y):
    """Its gradient with respect to y, (N, 2)."""
    w = kernel(y)
    force = (P - w / w.sum()) * w  # (N, N): positive pulls together, negative pushes apart
    return 4 * (force.sum(dim=1, keepdim=True) * y - force @ y)


y = torch.randn(300, 2, generator=torch.Generator().manual_seed(8)).requires_grad_()
(auto,) = torch.autograd.grad(tsne_loss(P, y), y)
error = (tsne_gradient(P, y.detach()) - auto).abs().max() / auto.abs().max()
print(f"the formula and automatic differentiation differ by {error:.0e} of the largest entry")

# %% [test] gradient-holds
assert error < 1e-3

# %% [markdown] descent-idea
# The descent needs two tricks from the paper. [[Momentum]], as in many optimisers. And **[[early exaggeration]]**:
# for the first steps $P$ is multiplied by 4, so that neighbours find each other before the map gets crowded (with
# steps a quarter as long, or the descent would overshoot). We start from PCA, made very small.


# %% descent
def my_tsne(P, y, steps=500, lr=200.0):
    """Gradient descent on KL(P || Q) from a first map y, (N, 2): the map, and the loss every 10 steps."""
    y, velocity, losses = y.clone(), torch.zeros_like(y), []
    for step in range(steps):
        factor = 4 if step < 150 else 1
        velocity = 0.8 * velocity - lr / factor * tsne_gradient(factor * P, y)
        y = y + velocity
        if step % 10 == 0:
            losses.append(tsne_loss(P, y).item())
    return y, losses


start = embed(some, "pca")
start = 1e-4 * start / start[:, 0].std()
mine, losses = my_tsne(P, start)
theirs = embed(some, "tsne", perplexity=30, random_state=0)  # scikit-learn's, on the same codes
for name, points in (("PCA", start), ("ours", mine), ("scikit-learn", theirs)):
    accuracy = knn_accuracy(points, labels[:300], k=10)
    print(f"{name:12s} k-NN accuracy {accuracy:.0%}; KL(P || Q) {tsne_loss(P, points):.3f} nats")

# %% [test] descent-holds
assert tsne_loss(P, mine) < tsne_loss(P, theirs) + 0.1
assert knn_accuracy(mine, labels[:300], k=10) > knn_accuracy(start, labels[:300], k=10) + 0.1

# %% [markdown] descent-figure-intro
# The two maps of the same 300 codes, and our loss. Look for groups that both maps have, and for groups that lie at
# another place.

# %% descent-figure
figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.3), layout="constrained")
for ax, points, title in zip(axes, (mine, theirs), ("ours, 30 lines", "scikit-learn's"), strict=False):
    plots.latent_map(points, labels[:300], names, title=title, legend=False, ax=ax)
plots.curves({"": (range(0, 500, 10), losses)}, "step", "KL(P || Q) in nats", ax=axes[2])
plt.show()

# %% [markdown] descent-seen
# Thirty lines do what the library does. The library's version is faster for many points: it keeps only the nearest
# neighbours in $P$ and treats far points in bundles (Barnes-Hut, van der Maaten 2014), so that its time grows like
# $N \log N$ and not like $N^2$. From here on we use `embed`, which is scikit-learn's t-SNE with its defaults:
# perplexity 30, a start from PCA, 1,000 steps. A bar shows how far it is. Here it maps 1,000 codes.

# %% live
live = embed(z[:1000], "tsne", perplexity=30, random_state=0, progress=True)
accuracy = knn_accuracy(live, labels[:1000], k=10)
print(f"live map of 1,000 codes: {accuracy:.0%} of them have neighbours on it that name their class")

# %% [test] live-holds
assert accuracy > 0.65

# %% [markdown] umap-idea
# ## 4. UMAP, and three maps side by side
#
# UMAP (McInnes, Healy and Melville 2018) comes from another theory and ends in a close relative. It links each point to
# its `n_neighbors` nearest, gives each link a weight that falls with distance, the nearest always getting 1, and lays
# out the graph: linked points attract each other, and a few randomly drawn others push. In place of the KL divergence
# it minimises a cross-entropy over links, with a term for points that are *not* linked, and it never has to sum over
# all pairs, so it scales to millions of points. `n_neighbors` plays the part of the perplexity; `min_dist` says how
# tightly points may be packed.
#
# `umap-learn` is not part of the course, so the map below comes from a file (`course maps` makes it). Where the package
# is installed, a map is also made live.

# %% methods
stored = {}
for one in load_maps("methods"):
    setting = f", {one.options['n_neighbors']} neighbours" if one.method == "umap" else ""
    stored[{"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}[one.method] + setting] = one.points
if has_umap():
    stored["UMAP, live"] = embed(z, "umap", n_neighbors=15, random_state=0, progress=True)
print("maps:", "; ".join(stored))

# %% [markdown] methods-figure-intro
# Which classes form an island on all three? Which lie in pieces?

# %% methods-figure
plots.map_grid({name: stored[name] for name in ("PCA", "t-SNE", "UMAP, 15 neighbours")}, labels, names, columns=3)
plt.show()

# %% [markdown] trust-idea
# The shoes keep together on all three, and pullovers, coats and shirts share one land. On the UMAP map the bags lie in
# two pieces, far apart; on the t-SNE map the pieces lie side by side. Which is right? The last two maps look much
# tidier than PCA's, but tidy is not true.
#
# ## 5. How far can a map be trusted?
#
# Two things can go wrong with a neighbourhood. Points that are far apart in the data become neighbours on the map:
# intruders. Or neighbours in the data are torn apart: losses. Venna and Kaski (2001) measure both. Let $r(i, j)$ be the
# rank of $j$ among the neighbours of $i$ *in the data* (1 is the nearest), and $U_k(i)$ the points that are among the
# $k$ nearest of $i$ on the map but not in the data. The **trustworthiness** is
#
# $$T(k) = 1 - \frac{2}{N k (2N - 3k - 1)} \sum_i \sum_{j \in U_k(i)} (r(i, j) - k).$$
#
# An intruder of rank 11 costs little, one of rank 1,000 a lot. The factor makes 1 the best and 0 the worst; a random
# map gets about 0.5. The **continuity** has the roles swapped: neighbours in the data, ranks on the map. It counts the
# losses.


# %% ranks
def ranks(values):
    """Rank of each j among the neighbours of each i, (N, N): 1 is the nearest; i itself comes last."""
    distance = torch.cdist(values, values).fill_diagonal_(torch.inf)
    return distance.argsort(dim=1).argsort(dim=1) + 1


# %% [markdown] trust-task
# ### Exercise 3: trustworthiness
#
# *Medium, about 15 minutes.* With `ranks(z)` and `ranks(points)` no loop is needed.


# %% trust-exercise
def trustworthiness(z, points, k=5):
    """How far the k nearest neighbours on a map can be trusted.

    Args:
        z: Data, (N, D).
        points: The same points on the map, (N, 2).
        k: Neighbours that count.

    Returns:
        A number from 0 to 1.
    """
    ### BEGIN SOLUTION
    n, in_data, on_map = len(z), ranks(z), ranks(points)
    intruders = (on_map <= k) & (in_data > k)  # (N, N)
    excess = (in_data - k)[intruders].sum().item()
    return 1 - 2 * excess / (n * k * (2 * n - 3 * k - 1))
    ### END SOLUTION


# %% trust-check
trustworthiness = checks.accept("trustworthiness", trustworthiness)

# %% [markdown] trust-hints
# <details><summary>Hint 1</summary>
#
# Make a table of True and False, (N, N), that marks the intruders: rank at most k on the map, and above k in the data.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `(ranks(z) - k)[intruders].sum()` is the double sum. Then put it into the formula.
#
# </details>

# %% [markdown] trust-table-intro
# The measures for each map, with $k = 10$. (From here on by the package's version, which compares a part of the points
# at a time and so needs little memory; the first line shows that it agrees with yours.) Which map wins in which column?

# %% trust-table
first = trustworthiness(z[:500], map_pca[:500], k=10), metrics.trustworthiness(z[:500], map_pca[:500], k=10)
print(f"yours {first[0]:.4f}, the package's {first[1]:.4f}")


def measure(codes, points, k=10):
    """Trustworthiness, continuity and k-NN accuracy of a map."""
    trust, kept = metrics.trustworthiness(codes, points, k), metrics.continuity(codes, points, k)
    return trust, kept, metrics.knn_accuracy(points, labels, k)


print(f"{'':22s} trustworthiness  continuity  k-NN accuracy")
quality = {name: measure(z, points) for name, points in stored.items()}
for name, values in quality.items():
    print(f"{name:22s} {values[0]:15.3f} {values[1]:11.3f} {values[2]:14.1%}")
print(f"{'the 16 numbers':22s} {1:15.3f} {1:11.3f} {knn_code:14.1%}")

# %% [test] trust-table-holds
knn_pca = knn_accuracy(map_pca, labels, k=10)
assert abs(first[0] - first[1]) < 1e-3
assert quality["PCA"][0] < 0.85
assert quality["t-SNE"][0] > 0.93
assert quality["t-SNE"][0] >= max(values[0] for values in quality.values())
assert quality["t-SNE"][2] > knn_pca + 0.25
assert abs(quality["t-SNE"][2] - knn_code) < 0.03

# %% [markdown] trust-seen
# On the PCA map neighbours are poor witnesses: intruders are everywhere, because a shadow lays far things over each
# other. It tears less apart, so its continuity is higher. t-SNE is the most trustworthy, UMAP is close, and the
# neighbours on their maps name the class nearly as well as those in 16 dimensions do. That is worth something: **for
# the question "which images are near this one", these maps can be read.** The next sections ask what else can be read.
#
# ## 6. Two knobs: perplexity and seed
#
# The maps below are t-SNE of the same 2,000 codes, each from a *random* start. Across: the perplexity. Down: the seed
# of the start. Compare the columns first: what does the perplexity do to the groups? Then pick one class, and follow it
# down: what stays from seed to seed, and what does not?

# %% sweep-figure
sweep = {(one.options["perplexity"], one.options["random_state"]): one.points for one in load_maps("sweep")}
perplexities, seeds = (sorted({key[i] for key in sweep}) for i in (0, 1))
shown = {f"perplexity {p}, seed {s}": sweep[p, s] for s in (0, 1) for p in (2, 15, 100)}
plots.map_grid(shown, labels, names, columns=3, width=8.4)
plt.show()

# %% [markdown] sweep-table-intro
# Now the same in numbers. "Same neighbours": the share of a point's 10 nearest on one map that are also among its 10
# nearest on the map of another seed. "Seeds agree on distances": the correlation of the 45 distances between class
# centres on one map with those on another seed's, averaged over the pairs of seeds. "Data agree": their correlation
# with the same 45 distances in the latent space.

# %% sweep-table
pairs = torch.triu_indices(10, 10, 1)


def centre_distances(points):
    """Distances between the means of the ten classes, (45,)."""
    centres = torch.stack([points[labels == k].mean(dim=0) for k in range(10)])
    return torch.cdist(centres, centres)[pairs[0], pairs[1]]


def correlation(a, b):
    """Pearson's correlation of two vectors."""
    return torch.corrcoef(torch.stack([a, b]))[0, 1].item()


def same_neighbours(a, b, k=10):
    """Share of the k nearest neighbours that two maps have in common."""
    near = [torch.cdist(y, y).fill_diagonal_(torch.inf).topk(k, largest=False).indices for y in (a, b)]
    return (near[0][:, :, None] == near[1][:, None, :]).any(dim=2).float().mean().item()


rows = {}
print("perplexity  trust  continuity   k-NN  same neighbours  seeds agree on distances  data agree")
for value in perplexities:
    maps = [sweep[value, seed] for seed in seeds]
    trust, kept, accuracy = measure(z, maps[0])
    between = [centre_distances(points) for points in maps]
    seeds_agree = sum(correlation(between[i], between[j]) for i, j in ((0, 1), (0, 2), (1, 2))) / 3
    data_agree = sum(correlation(each, centre_distances(z)) for each in between) / 3
    rows[value] = trust, kept, accuracy, same_neighbours(maps[0], maps[1]), seeds_agree, data_agree
    print("{:10d}  {:.3f} {:11.3f} {:6.1%} {:16.0%} {:25.2f} {:11.2f}".format(value, *rows[value]))

# %% [test] sweep-table-holds
assert rows[2][4] < 0.6
assert all(rows[value][4] > 0.9 for value in (15, 30, 100))
assert all(0.7 < rows[value][5] < 0.95 for value in (15, 30, 100))
assert min(row[3] for row in rows.values()) > 0.5

# %% [markdown] sweep-seen
# At perplexity 2 the map is confetti, and each seed throws it anew: the distances between the classes on one map say
# little about those on the next. From perplexity 15 on the three seeds agree almost perfectly, up to turning and
# mirroring the map. Neighbours are shared by most pairs of maps.
#
# Is a distance true because all seeds agree on it? Look at the last column. Here the distances between the ten centres
# do follow those in the latent space, roughly. But *the map cannot tell you that*; only the comparison with the data
# can, and section 7 has data for which the map is wrong in every run. A good habit: vary both knobs before believing
# anything. What does not survive was an accident. What does survive has still to be checked.
#
# (With a start from PCA, the default of `embed`, the seed hardly matters at all, and the islands are arranged along the
# first two principal axes as far as possible: Kobak and Linderman 2021.)
#
# The explorer has all 15 maps. Point at the map: the image whose point is nearest is shown, with its neighbours on the
# map and its neighbours in the latent space. Small squares mark where the latter lie on this map: are they all close
# by? A click decodes the code at that point. Move the sliders: the marker stays with its image. Untick classes to see
# the others better. The figure above the explorer shows one of the maps with some of the images.

# %% sweep-static
explorer = widgets.MapExplorer(
    sweep, labels, names, images=test, model=vae, codes=z, settings=("perplexity", "seed")
)  # fmt: skip
explorer.show_map(perplexity=30, seed=1)
explorer.static(thumbnails=45)
plt.show()

# %% sweep-explorer
explorer.move_to(-0.3, 0.4, decode=True)
explorer

# %% [markdown] honesty-idea
# ## 7. The honesty panel
#
# **Are there groups?** Upper row: the codes. Lower row: 2,000 draws from $N(0, I)$ in 16 dimensions, the very
# distribution that the VAE was asked to imitate. The same method, the same settings, the same seed. There is nothing to
# find in the lower row: no groups, no strings, no holes. What do you see there at perplexity 2 and 5?

# %% honesty-figure
noise = torch.randn(2000, 16, generator=torch.Generator().manual_seed(8))  # what the stored maps were made of
noise_maps = {one.options["perplexity"]: one.points for one in load_maps("noise")}
figure, axes = plt.subplots(2, 3, figsize=(8, 5.4), layout="constrained")
for column, value in zip(axes.T, (2, 5, 30), strict=True):
    for ax, points, what in zip(column, (sweep[value, 0], noise_maps[value]), ("codes", "noise"), strict=True):
        ax.scatter(*points.T, s=4, color="0.25", linewidths=0)
        ax.set(title=f"{what}, perplexity {value}", xticks=[], yticks=[], aspect="equal")
plt.show()

# %% [markdown] honesty-numbers-intro
# An eager analyst now runs a [[clustering]] *on the map*: [[k-means]] with 10 groups. The **[[silhouette]]** says how
# good the groups are: 1 if each point is much nearer to its own group than to the next, 0 if it makes no difference.
# Compare two silhouettes of the *same* groups: as seen on the map, and as seen in the 16 dimensions.

# %% honesty-numbers
seen = {}
for what, codes, maps in (("codes", z, {p: sweep[p, 0] for p in perplexities}), ("noise", noise, noise_maps)):
    for value in (2, 30):
        few = slice(0, 800)  # a silhouette needs all pairs
        groups = KMeans(10, n_init=1, random_state=0).fit_predict(maps[value])[few]
        seen[what, value] = silhouette_score(maps[value][few], groups), silhouette_score(codes[few], groups)
        trust = metrics.trustworthiness(codes, maps[value], 10)
        print(f"{what}, perplexity {value:2d}: silhouette on the map {seen[what, value][0]:.2f}, in the data "
              f"{seen[what, value][1]:.2f}; trustworthiness of the map {trust:.2f}")  # fmt: skip

# %% [test] honesty-numbers-holds
for value in (2, 30):
    assert seen["noise", value][0] > 0.25
    assert abs(seen["noise", value][1]) < 0.05
assert seen["codes", 30][1] > 0.07

# %% [markdown] honesty-seen
# At perplexity 2 nobody can tell codes from noise: both break into clumps. At 30 the codes have islands and the noise
# is a disc, so here a larger perplexity is the better witness. But even the disc can be cut into 10 groups, and *on the
# map* their silhouette is not far below that of the codes. In the data it is nothing, while the groups of the codes
# keep about 0.1, which is weak but real. The rule that follows: **find groups on the map, confirm them in the data.**
# And note the last number: the map of noise is fairly trustworthy, for each point does lie beside some of its true
# neighbours. A faithful map of nothing still looks like something.
#
# **How large are groups?** Two groups in 16 dimensions, the second spread five times as widely as the first.
# **How far apart?** Three groups on a line, the second gap five times the first. Both maps are made here, with the
# defaults. Measure before you look: the cell prints the truth and the map side by side.


# %% sizes
def groups_at(places, spreads, n=100, seed=0):
    """Gaussian groups in 16 dimensions at places along one axis: codes (N, 16) and group numbers (N,)."""
    g = torch.Generator().manual_seed(seed)
    parts = [spread * torch.randn(n, 16, generator=g) for spread in spreads]
    for part, place in zip(parts, places, strict=True):
        part[:, 0] += place
    return torch.cat(parts), torch.arange(len(parts)).repeat_interleave(n)


def radius(x):
    """Root mean square distance from the mean."""
    return (x - x.mean(dim=0)).square().sum(dim=1).mean().sqrt().item()


def gaps(x, group):
    """Distances between the means of neighbouring groups."""
    means = torch.stack([x[group == k].mean(dim=0) for k in group.unique()])
    return (means[1:] - means[:-1]).norm(dim=1).tolist()


two, which_two = groups_at((0, 60), (1, 5))
three, which_three = groups_at((0, 20, 120), (1, 1, 1))
map_two, map_three = (embed(x, perplexity=30, random_state=0) for x in (two, three))
radii = {name: [radius(x[which_two == k]) for k in (0, 1)] for name, x in (("data", two), ("map", map_two))}
steps = {name: gaps(x, which_three) for name, x in (("data", three), ("map", map_three))}
for name in ("data", "map"):
    print(f"on the {name}: radius of the second group / first {radii[name][1] / radii[name][0]:.1f}; "
          f"second gap / first {steps[name][1] / steps[name][0]:.1f}")  # fmt: skip
other_starts = {s: gaps(embed(three, perplexity=30, init="random", random_state=s), which_three) for s in (1, 2)}
for seed, (first, second) in other_starts.items():
    print(f"random start, seed {seed}: second gap / first {second / first:.1f}")

# %% [test] sizes-holds
assert radii["data"][1] / radii["data"][0] > 4.5
assert 0.6 < radii["map"][1] / radii["map"][0] < 1.6
assert steps["data"][1] / steps["data"][0] > 4.5
assert 0.5 < steps["map"][1] / steps["map"][0] < 2
for first, second in other_starts.values():
    assert 0.4 < second / first < 2.5

# %% sizes-figure
figure, axes = plt.subplots(1, 4, figsize=(10, 2.8), layout="constrained")
for ax, x, which, title in (
    (axes[0], two[:, :2], which_two, "two groups, 2 of 16 axes"),
    (axes[1], map_two, which_two, "their t-SNE map"),
    (axes[2], three[:, :2], which_three, "three groups, 2 of 16 axes"),
    (axes[3], map_three, which_three, "their t-SNE map"),
):  # fmt: skip
    plots.latent_map(x, which, ("1", "2", "3"), title=title, legend=False, ax=ax)
    ax.set(xlabel="", ylabel="")
plt.show()

# %% [markdown] sizes-seen
# Neither is a fault in the program, and another seed is no help. $\sigma_i$ is set so that every point has 30
# neighbours, in a dense group and in a sparse one: the difference of density is divided out before the map begins. And
# where $p_{ij}$ is practically 0 there is nothing left to say whether the distance was 20 or 100. The area of an island
# tells how *many* points it has, not how different they are.
#
# ### Exercise 4: spot the lie in three maps
#
# *Medium, about 15 minutes.* Here are three maps by t-SNE. Each suggests something about its data that is not so.
# Choose the word that fits best for each:
#
# * `"distances"`: some groups are much nearer to each other, in the data, than others; the map does not show it;
# * `"sizes"`: groups that look alike on the map differ in spread in the data;
# * `"invented groups"`: the map shows groups, and the data have none;
# * `"torn apart"`: the map shows a group of the data in two or more pieces;
# * `"none"`: the map shows the data as they are.
#
# Do not guess: `behind["A"]` and so on are the data, (N, 16), and `belongs["A"]` the groups, (N,). Measure there, with
# `radius` and `gaps` or a histogram. (The cell that makes the data would give the answer away. It is there, but measure
# first.)

# %% lies-data
g = torch.Generator().manual_seed(80)
recipes = {
    "A": groups_at((0, 15, 150), (1, 1, 1), seed=81),
    "B": (torch.randn(300, 16, generator=g), torch.zeros(300, dtype=torch.long)),
    "C": groups_at((0, 70), (1, 6), n=150, seed=82),
}
behind = {name: data for name, (data, _) in recipes.items()}
belongs = {name: group for name, (_, group) in recipes.items()}
used = {"A": 30, "B": 2, "C": 30}
lying = {name: embed(behind[name], perplexity=used[name], random_state=0) for name in behind}

# %% lies-figure
figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.2), layout="constrained")
for ax, (name, points) in zip(axes, lying.items(), strict=True):
    title = f"map {name}, perplexity {used[name]}"
    plots.latent_map(points, belongs[name], ("1", "2", "3"), title=title, legend=False, names=False, ax=ax)
plt.show()


# %% lies-exercise
def spot_the_lies():
    """The lie of each map.

    Returns:
        A dictionary {"A": ..., "B": ..., "C": ...} of the words above.
    """
    ### BEGIN SOLUTION
    return {"A": "distances", "B": "invented groups", "C": "sizes"}
    ### END SOLUTION


# %% lies-check
spot_the_lies = checks.accept("spot-the-lies", spot_the_lies)

# %% [markdown] lies-hints
# <details><summary>Hint 1</summary>
#
# For each group, `radius(behind[name][belongs[name] == k])`. For each map, `gaps(behind[name], belongs[name])`. Then
# the same for `lying[name]`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Map B has one group only, so there is nothing to compare. Is there more than one hump in
# `plt.hist(behind["B"][:, 0])`, or in any other coordinate?
#
# </details>

# %% lies-evidence
for name in behind:
    for what, x in (("data", behind[name]), ("map", lying[name])):
        sizes = ", ".join(f"{radius(x[belongs[name] == k]):.1f}" for k in belongs[name].unique())
        between = ", ".join(f"{gap:.1f}" for gap in gaps(x, belongs[name])) or "none"
        print(f"{name}, {what:4s}: radii {sizes}; gaps {between}")

# %% [markdown] models-idea
# ## 8. Latent spaces of several models
#
# So far one model. The maps below are of the same 2,000 images: their raw pixels, 16 principal components, and the
# codes of two models. All four with the same settings. Which latent space looks best sorted?

# %% models-figure
by_model = {one.of: one.points for one in load_maps("models")}
plots.map_grid(by_model, labels, names)
plt.show()

# %% [markdown] models-table-intro
# Decide before you read the table. Its first column is a property of the latent space. The others are properties of the
# map.

# %% models-table
x_test = test.pixels()
spaces = {
    "pixels": x_test.flatten(1),
    "pca_16d": PCA(16).fit(train.pixels()).encode(x_test),
    "autoencoder_32d": encode_dataset(load_reference("autoencoder_32d", device), test),
    "vae_16d": z,
}
in_space = {name: metrics.knn_accuracy(codes, labels, 10) for name, codes in spaces.items()}
on_map = {name: measure(codes, by_model[name]) for name, codes in spaces.items()}
print(f"{'':17s} numbers  k-NN in the space  k-NN on the map  trustworthiness")
for name, codes in spaces.items():
    numbers = codes.shape[1]
    print(f"{name:17s} {numbers:7d} {in_space[name]:18.1%} {on_map[name][2]:16.1%} {on_map[name][0]:16.3f}")

# %% [test] models-table-holds
for name in spaces:
    assert on_map[name][0] > 0.95
for name in ("autoencoder_32d", "vae_16d"):
    assert in_space[name] > max(in_space["pixels"], in_space["pca_16d"]) + 0.01
assert abs(in_space["autoencoder_32d"] - in_space["vae_16d"]) < 0.02

# %% [markdown] models-seen
# The four maps differ more than the four spaces do. By the neighbours' votes the codes of the two trained models are
# about three points better than pixels and PCA, with 16 or 32 numbers in place of 784; between the two models there is
# no difference worth a word (with 2,000 images the error bar of such a share is nearly two points). Nor does the tidier
# map belong to the better space. And the last column is no ranking of models at all: it says how well *this map* shows
# *that space*, and a space that is easy to flatten is not thereby a good one.
#
# In the explorer, choose a model and point. The marker stays with its image when you change the model, so you can ask:
# which neighbours does a bag have in pixels, and which in the latent space? The figure above is its static twin.

# %% models-explorer
side_by_side = widgets.MapExplorer(by_model, labels, names, images=test, settings=("latent space",))
side_by_side.show_map("vae_16d")
side_by_side

# %% [markdown] changed
# ## What changed, and what did not
#
# | from lesson 07 to a map | |
# |---|---|
# | **changed** | 16 numbers an image became 2, chosen so that neighbours stay neighbours |
# | **changed** | the map has its own knobs: method, perplexity or neighbours, start and seed |
# | **changed** | distances, sizes and gaps: t-SNE and UMAP are not paid for them |
# | **did not change** | the model, and its latent space: the map is made afterwards and can be wrong on its own |
# | **did not change** | what is true can be measured where the codes are, in 16 dimensions |
#
# ## Limits and caveats
#
# * t-SNE and UMAP give a map of *these* points. There is no function that puts a new code on it, and none that turns a
#   place on the map into a code: the explorer decodes codes of images that are there.
# * Trustworthiness and continuity look at neighbourhoods of size $k$. A map can score well and still misplace whole
#   continents. No single number measures both scales.
# * k-NN accuracy uses labels. A latent space can be excellent for other purposes and poor by this measure.
# * Euclidean distance in the latent space is itself a choice. Lesson 20 asks whether it is the right one.
# * The silhouette of k-means groups on a disc is about 0.3 whatever the data. That is why it must be compared with the
#   data, not with 0.
#
# ## Quiz
#
# **1.** On a t-SNE map of customers there is a small island far from all others. A colleague says: "a niche, very
# different from the rest." What do you check?
#
# <details><summary>Answer</summary>
#
# Small means few points, not alike points, and far means nothing at all. Check in the data: how far the island's points
# lie from their nearest others outside it, compared with distances inside; and whether the island is still there with
# other perplexities and seeds.
#
# </details>
#
# **2.** A map has trustworthiness 0.99 and continuity 0.85. Does it lay things over each other, or tear things apart?
#
# <details><summary>Answer</summary>
#
# It tears. Neighbours on the map are true neighbours (few intruders), but many true neighbours are missing from the
# neighbourhoods: they were put elsewhere.
#
# </details>
#
# **3.** You double the number of points and keep perplexity 30. Does the map show larger or smaller structures than
# before?
#
# <details><summary>Answer</summary>
#
# Smaller ones. The 30 effective neighbours now reach half as far in terms of the share of the data: perplexity is a
# number of points, not a radius. Compare maps of different sizes with care.
#
# </details>
#
# ## Summary
#
# * PCA keeps variance: linear, its distances are never too large; far things may fall on each other.
# * t-SNE: $p_{j|i} \propto \exp(-\|z_i - z_j\|^2 / 2\sigma_i^2)$ with $\sigma_i$ such that $2^{H(p_{\cdot|i})}$ is the
#   perplexity; $q_{ij} \propto (1 + \|y_i - y_j\|^2)^{-1}$; minimise $\mathrm{KL}(P \| Q)$.
# * UMAP: a weighted graph of `n_neighbors` neighbours, laid out by attraction along links and repulsion of random
#   pairs.
# * Trustworthiness counts intruders by their rank in the data; continuity counts losses by their rank on the map.
# * Not evidence: that there are groups, how large they are, how far apart, where they lie. Evidence: what can be
#   measured in the latent space and survives other settings.
#
# ## References
#
# * L. van der Maaten and G. Hinton (2008), *Visualizing data using t-SNE*, Journal of Machine Learning Research 9.
# * L. van der Maaten (2014), *Accelerating t-SNE using tree-based algorithms*, Journal of Machine Learning Research 15.
# * L. McInnes, J. Healy and J. Melville (2018), *UMAP: Uniform manifold approximation and projection for dimension
#   reduction*, arXiv:1802.03426.
# * J. Venna and S. Kaski (2001), *Neighborhood preservation in nonlinear projection methods: an experimental study*,
#   ICANN: trustworthiness and continuity.
# * M. Wattenberg, F. Viégas and I. Johnson (2016), *How to use t-SNE effectively*, Distill.
# * D. Kobak and G. Linderman (2021), *Initialization is critical for preserving global data structure in both t-SNE and
#   UMAP*, Nature Biotechnology 39.
#
# ## Next
#
# A map shows where the images lie. It does not say what the 16 directions *mean*. Lesson 09 asks for directions that
# mean one thing each: a smile, a turn of the head, glasses.
