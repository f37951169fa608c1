# %% [markdown] title
# {{header}}
#
# # 03. What can we ask of a code besides copying the picture?
#
# At the end of this lesson you can
#
# 1. damage pictures, train a network to restore them, and compare it with simple rivals;
# 2. make codes that are long but mostly zero, and say why to count the numbers that are never used;
# 3. read what single numbers of a code stand for, and test whether training put it there.

# %% [markdown] prerequisites
# **You need:** lesson 02 (autoencoders, epoch), [[least squares]], and means, written $\mathbb{E}$. One further section
# uses a little probability.
#
# **Time:** {{learning}}, exercises included. Running all cells takes {{minutes}}.

# %% setup
{{setup}}

# %% imports
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks, claims, plots, widgets
from course_utils.checkpoints import load_reference
from course_utils.data import fashion_mnist
from course_utils.device import pick_device, seed_everything
from course_utils.losses import squared_error  # lesson 02: one value per image, summed over the pixels
from course_utils.models.autoencoder import Autoencoder  # lesson 02
from course_utils.training import fit  # course_utils/training/loop.py: the loop of lesson 02 with a history

plt.rcParams["figure.dpi"] = 80
seed_everything(3)
device = pick_device()
train, test = fashion_mnist("train"), fashion_mnist("test")
x_train, x_test = train.pixels(), test.pixels(slice(0, 1000), device=device)  # (11000 or 1000, 1, 28, 28) in [0, 1]
shown = [1, 5, 8, 9, 16]  # the test images in most figures

# %% [markdown] predict
# ## Predict first
#
# Write down your answers before you read on.
#
# 1. A network has learned to remove **strong** noise. You give it a picture with **hardly any** noise. Is its answer
#    nearer to the clean picture than your input was?
# 2. A code has 256 numbers. For each picture only the 16 largest stay, and the others become 0. Training starts from
#    random weights. After training, how many of the 256 numbers are 0 for every training picture?
# 3. Another training starts from photographs. After it, most of the numbers that are used get more than half of their
#    sum from one kind of garment. Did training do that?
#
# <details><summary>What we found: read it after section 4</summary>
#
# 1. No: at noise 0.05, after three epochs, its squared error is {{claim denoising.low_denoiser epochs=3}}, that of the
#    input {{claim denoising.low_left epochs=3}} (median of three trainings; in brackets the lowest and the highest).
# 2. From PyTorch's default weights {{claim sparse.dead start=default epochs=2}}, after two epochs (nine trainings).
# 3. No: this share is higher *before* training.
#
# </details>

# %% [markdown] copying
# ## 1. Restore, do not copy
#
# If its code is long enough ([[over-complete|over-complete code]]), an autoencoder can copy the picture and learn
# nothing about clothes. A short code prevents this (lesson 02). Two other ways: damage the input, or let each picture
# use only a few numbers of a long code.
#
# A **[[denoising autoencoder]]** (Vincent et al. 2008) sees a damaged picture $\tilde x$, and its output is compared
# with the clean picture $x$:
#
# $$\text{loss} = \mathbb{E}\, \big\| x - D(E(\tilde x)) \big\|^2, \qquad \tilde x \sim C(\tilde x \mid x).$$
#
# The loss is the mean ([[expectation]]) of the squared distance between restored and clean picture. The sign $\sim$
# says that $\tilde x$ is drawn by $C$, our rule for the damage (the **[[corruption]]**), and the bar is read "given":
# given $x$.
#
# torchvision has corruptions in `transforms.v2`. In each row, look for what is left of the garment.

# %% corruptions-figure
from torchvision.transforms import v2  # takes seconds to import, so we import it where we use it

damages = {
    "noise": v2.GaussianNoise(sigma=0.5),
    "hidden block": v2.RandomErasing(p=1.0, scale=(0.2, 0.3)),
    "half of the pixels": v2.Lambda(lambda x: x * (torch.rand_like(x) > 0.5)),
}
rows = {name: torch.stack([damage(x) for x in x_test[shown]]) for name, damage in damages.items()}
plots.image_rows({"clean": x_test[shown]} | rows)
plt.show()

# %% [markdown] corruption-task
# Noise leaves large bright regions, and the sandal is lost. The block hides 20 to 30 percent. Where half of the pixels
# are black ([[masking noise]]), large garments keep their outline.
#
# `GaussianNoise` has one `sigma` for all images of a batch. We want a strength for each image.
#
# ### Exercise 1. The corruption
#
# *Medium, about 7 minutes.* Add Gaussian noise to a batch, with a strength of its own for each image, and keep all
# pixels in $[0, 1]$.


# %% corruption-exercise
def corrupt(x, strength):
    """Noisy images: Gaussian noise, of a strength of its own for each image, clipped to [0, 1].

    Args:
        x: Images, (B, C, H, W), in [0, 1]. They must not be changed.
        strength: Standard deviation of the noise of each image, (B,).

    Returns:
        (B, C, H, W): fresh noise for every pixel, at every call.
    """
    ### BEGIN SOLUTION
    eps = torch.randn_like(x)  # fresh N(0, 1) noise for every pixel of every image
    return (x + strength[:, None, None, None] * eps).clamp(0, 1)
    ### END SOLUTION


# %% corruption-check
corrupt = checks.accept("corruption", corrupt)

# %% [markdown] denoising-loss-task
# <details><summary>Hint 1</summary>
#
# `torch.randn_like(x)` draws one number for each pixel. It has shape (B, C, H, W), and `strength` has shape (B,).
# Broadcasting lines shapes up from the last dimension. Which shape must `strength` get?
#
# </details>
# <details><summary>Hint 2</summary>
#
# `strength[:, None, None, None]` has shape (B, 1, 1, 1). `clamp(0, 1)` cuts off what lies outside $[0, 1]$.
#
# </details>
#
# ### Exercise 2. The loss
#
# *Easy, about 4 minutes.* Damage the images, restore them, and compare. With which of the two, damaged or clean, must
# the output be compared?


# %% denoising-loss-exercise
def denoising_loss(model, x, damage):
    """Squared error of restored images: summed over the pixels, averaged over the batch, a scalar tensor.

    Args:
        model: Function from images (B, C, H, W) to images of the same shape.
        x: Clean images, (B, C, H, W), in [0, 1].
        damage: Function from images to damaged images of the same shape.
    """
    ### BEGIN SOLUTION
    x_hat = model(damage(x))
    return (x_hat - x).square().flatten(1).sum(dim=1).mean()
    ### END SOLUTION


# %% denoising-loss-check
denoising_loss = checks.accept("denoising-loss", denoising_loss)

# %% [markdown] train-denoiser-text
# <details><summary>Hint 1</summary>
#
# Two lines: `x_hat` is what the model makes of the damaged images. Then compare `x_hat` with the clean `x`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `(x_hat - x).square()`, then the sum over all dimensions but the first, then the mean.
#
# </details>
#
# Now train the small network of lesson 02 with your corruption and your loss, for three epochs, with noise of strength
# 0.5. `fit` wants a dictionary, and minimises its entry "loss".


# %% train-denoiser
def fit_on(model, images, epochs, loss=None, lr=2e-3):
    """Train on an image set; the order of the batches is the same for every model."""
    batches = images.batches(128, device=device, shuffle=True, generator=torch.Generator().manual_seed(0))
    return fit(model.to(device), batches, epochs=epochs, lr=lr, loss=loss, progress=False)


def strong(x):
    """Noise of strength 0.5 for every image."""
    return corrupt(x, torch.full((len(x),), 0.5, device=x.device))


denoiser = Autoencoder(32, hidden=256)
history = fit_on(denoiser, train, 3, loss=lambda model, x: {"loss": denoising_loss(model, x, strong)})
print("loss per image, epoch by epoch:", ", ".join(f"{loss:.1f}" for loss in history.series("loss")))

# %% [markdown] rivals-text
# ## 2. Is it any better than a blur?
#
# We compare the network with two simple methods:
#
# - a **Gaussian blur**: each pixel becomes a weighted mean of its neighbourhood;
# - a **linear map** from noisy to clean pixels, without [[hidden layer]] or short code: least squares with a penalty on
#   large weights, `Ridge` of scikit-learn, **fitted at noise 0.5**.
#
# We also load two larger networks: a plain autoencoder, which has never seen noise, and a denoiser of noise 0.5. Their
# codes have 32 numbers, like ours. They had 15 epochs of 60,000 images (ours: 3 of 11,000). Look at the background, the
# sandal and the checks.

# %% restore-figure
from sklearn.linear_model import Ridge  # imported here, for the same reason as torchvision

ridge = Ridge(alpha=100.0).fit(strong(x_train).flatten(1), x_train.flatten(1))
plain, reference = load_reference("autoencoder_32d", device), load_reference("denoising_32d", device)


@torch.no_grad()
def restore_all(x_noisy):
    """What each method makes of noisy images: {name: images}."""
    linear = torch.from_numpy(ridge.predict(x_noisy.flatten(1).cpu())).clamp(0, 1)
    return {
        "noisy, left alone": x_noisy,
        "Gaussian blur": v2.functional.gaussian_blur(x_noisy, [9, 9], [1.0, 1.0]),
        "linear map": linear.view_as(x_noisy).to(x_noisy),
        "plain autoencoder": plain(x_noisy),
        "our denoiser": denoiser(x_noisy),
        "large denoiser": reference(x_noisy),
    }


restored = restore_all(strong(x_test))
error = {name: squared_error(x_hat, x_test).mean().item() for name, x_hat in restored.items()}
rows = {f"{name}: {error[name]:.1f}": x_hat[shown] for name, x_hat in restored.items()}
plots.image_rows({"clean (squared error: 0)": x_test[shown]} | rows)
plt.show()

# %% [test] restore-claims
assert error["large denoiser"] < 0.9 * min(error[name] for name in restored if "denoiser" not in name)
assert error["our denoiser"] < 0.9 * error["Gaussian blur"]
assert error["linear map"] < error["our denoiser"]
assert error["plain autoencoder"] > 2 * error["large denoiser"]

# %% [markdown] restore-seen
# The blur removes noise and edges together. Its background stays grey, because noise on black can only brighten a
# pixel. The plain autoencoder takes noise for a part of the garment. Both denoisers paint smooth garments on black:
# ours loses the sandal, and both lose the checks. The linear map has a *smaller* error than our network.
#
# Was our training too short? We repeated all with three seeds, for 3, 12 and 48 epochs of our network. The linear map
# saw as many pictures of noise 0.5, with the best of three penalties. The filters got their best setting. A third
# rival is the **[[median filter]]**: each pixel becomes the median of its neighbourhood.

# %% denoising-evidence
claims.evidence("03", "denoising")

# %% [markdown] little-noise
# Upper half, noise as in the training: our network is behind the linear map after 3 and 12 epochs, and ahead after 48.
# **Which of the two is better depends on how long the network was trained.**
#
# Lower half, prediction 1: **at noise 0.05, both denoisers of noise 0.5 do harm**, ours also after 48 epochs. A short
# code costs detail: the plain autoencoder does harm too. So does the linear map, which has no short code. It is the
# *same* map as above, fitted at 0.5, and not the best map for 0.05.
#
# Compare each output with the boot above it, first in the left column.

# %% strengths-twin
boot = x_test[9:10]  # (1, 1, 28, 28)
strengths = torch.linspace(0, 1, 6, device=device)
with torch.no_grad():
    noisy = corrupt(boot.expand(6, -1, -1, -1), strengths)
    rows = {"noisy": noisy, "our denoiser": denoiser(noisy), "large denoiser": reference(noisy)}
plots.image_rows(rows, column_titles=[f"{s:.1f}" for s in strengths.tolist()])
plt.show()

# %% [markdown] noise-control-text
# Without noise both outputs are smoother than their input.
#
# ### Exercise 3. Your own control
#
# *Easy, about 4 minutes.* For strengths between these six, use **ipywidgets**: `FloatSlider` is the slider, and
# `interact` calls your function at each new value and shows what it draws. Keep the noise `eps`, so that only the
# strength changes. `plots.image_grid(images, titles=[...])` draws a row. Write the squared errors into the titles.

# %% noise-control
from ipywidgets import FloatSlider, interact


def noise_control(model, x, eps):
    """A slider for the strength of the noise, and what a model makes of the noisy image.

    Args:
        model: Function from images (B, C, H, W) to images of the same shape.
        x: One clean image, (1, C, H, W), in [0, 1].
        eps: Noise, of the shape of x. The noisy image is x + strength * eps, cut to [0, 1].

    Returns:
        What interact returns. It shows a FloatSlider for the strength, from 0 to 1, starting at 0.5, and the pictures.
    """
    ### BEGIN SOLUTION

    @torch.no_grad()
    def show(strength):
        x_noisy = (x + strength * eps).clamp(0, 1)
        x_hat = model(x_noisy)
        titles = [f"{name}: {squared_error(y, x).item():.1f}" for name, y in (("noisy", x_noisy), ("restored", x_hat))]
        plots.image_grid(torch.cat([x, x_noisy, x_hat]), titles=["clean", *titles])
        plt.show()

    return interact(show, strength=FloatSlider(0.5, min=0, max=1))
    ### END SOLUTION


# %% noise-control-check
noise_control = checks.accept("noise-control", noise_control)

# %% [markdown] noise-control-hints
# <details><summary>Hint 1</summary>
#
# Inside `noise_control`, write a function `show(strength)`. It makes the noisy image, restores it and draws. Put
# `@torch.no_grad()` above it, because pictures need no gradient. `squared_error(x_noisy, x).item()` is a number.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The last line is `return interact(show, strength=FloatSlider(0.5, min=0, max=1))`. The name `strength` ties the slider
# to the argument of `show`.
#
# </details>
#
# Now move the slider. From which strength on is the large denoiser's answer nearer to the clean boot than its input?
# Is its answer at strength 1 still a boot?

# %% noise-control-use
eps = torch.randn(boot.shape, generator=torch.Generator().manual_seed(2)).to(device)
control = noise_control(reference, boot, eps)


# %% [test] noise-control-holds
def boot_error(strength):
    x_noisy = (boot + strength * eps).clamp(0, 1)
    return squared_error(x_noisy, boot).item(), squared_error(reference(x_noisy), boot).item()


with torch.no_grad():
    noisy_error, restored_error = boot_error(0.1)
    assert noisy_error < restored_error
    noisy_error, restored_error = boot_error(0.2)
    assert noisy_error > 2 * restored_error

# %% [markdown] best-denoiser
# At strength 0.1 the input is still nearer to the clean boot; at 0.2 the answer is. At strength 1 the answer is
# something between a boot and a bag; in the figure above, ours drew a boot.
#
# Why does strong noise lead to a *blurred* garment? Several clean pictures can have become the same $\tilde x$. The
# number with the least mean squared distance from several numbers is their mean. So the best answer is the mean of
# these pictures, each weighted by how probable it is given $\tilde x$. We write it $\mathbb{E}[x \mid \tilde x]$.

# %% [markdown] sparse-idea
# ## 3. Long codes that are mostly zero
#
# A shoe needs no number for "collar". A **[[sparse code]]** has many numbers, called **units**, and for each picture
# only a few are **on**: not zero. The **[[k-sparse code]]** (Makhzani and Frey 2013) keeps the $k$ largest:
#
# $$z = \text{top}_k\big(\text{ReLU}(E(x))\big).$$
#
# ### Exercise 4. Keep the k largest
#
# *Medium, about 8 minutes.* Each code keeps its own k largest numbers at their places: exactly k, also where some are
# equal. Gradients must flow to the numbers that are kept, and to no others.


# %% top-k-exercise
def keep_top_k(z, k):
    """Codes (B, D) with the k largest numbers of each row at their places, and zeros elsewhere.

    Args:
        z: Codes, (B, D).
        k: How many numbers of each code to keep, 1 to D.
    """
    ### BEGIN SOLUTION
    largest = z.topk(k, dim=1)  # .values and .indices, both (B, k)
    return torch.zeros_like(z).scatter(1, largest.indices, largest.values)
    ### END SOLUTION


# %% top-k-check
keep_top_k = checks.accept("top-k", keep_top_k)

# %% [markdown] sparse-model-text
# <details><summary>Hint 1</summary>
#
# `z.topk(k, dim=1)` gives two things: the values, and where they were. Into which tensor do you put them back, and what
# should it hold elsewhere?
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.zeros_like(z).scatter(1, indices, values)` writes values into zeros along dimension 1. `scatter` without the
# underscore makes a new tensor and keeps the gradient.
#
# </details>
#
# Our model has no hidden layers, so that we can look at its units. $E(x)$ is one linear layer of $x - b$, and the
# decoder is one linear layer too:
#
# $$\hat x = b + \sum_d z_d \, w_d, \qquad \|w_d\| = 1 .$$
#
# The output is a sum of **[[atoms|atom]]** $w_d$, each of the size of a picture. As all atoms have length 1, the values
# $z_d$ of different units can be compared.


# %% sparse-model
class SparseCode(nn.Module):
    """A linear dictionary of images: x_hat = b + sum of z_d * w_d with z >= 0 and at most k of them above 0."""

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


def sparse_loss(model, x):
    return {"loss": squared_error(model.decode(model.encode(x)), x).mean()}


# %% [markdown] dead-look
# We train it twice, with $k = 16$ of 256 units. First from PyTorch's default weights. Second from photographs: encoder
# and atoms start as 256 training photographs minus the mean image, and $b$ as the mean image. A unit that is on for no
# training picture is **[[dead|dead unit]]**: it gets no gradient. How many are dead? How often is the busiest unit on?


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


photographs = x_train[torch.randperm(len(x_train))[:256]]
starts = {"default": SparseCode(k=16), "photographs": start_at_photographs(SparseCode(k=16), photographs)}
for name, sparse in starts.items():
    fit_on(sparse, train, 2, sparse_loss, lr=1e-3)
    with torch.no_grad():
        on = sparse.encode(x_train.to(device)) > 0  # (11000, 256)
        sparse_error = squared_error(sparse.decode(sparse.encode(x_test)), x_test).mean().item()
    dead, busiest = (~on.any(dim=0)).sum().item(), on.float().mean(dim=0).max().item()
    print(f"{name:11s} {dead:3d} of 256 dead, the busiest on for {busiest:.1%}, squared error {sparse_error:.1f}")

# %% [test] dead-units-holds
assert dead < 100  # of the second model, started at photographs
with torch.no_grad():
    assert ((sparse.encode(x_test) > 0).sum(dim=1) <= 16).all()

# %% [markdown] dead-seen
# With nine other seeds {{claim sparse.dead start=default epochs=2}} are dead from default weights, and
# {{claim sparse.dead start=photographs epochs=2}} from photographs. Our own 37 is fewer than all nine: this count
# depends much on the seed. From default weights the busiest unit is on for
# {{claim sparse.busiest% start=default epochs=2}} of the test images. (More in "why units die".)
#
# A falling error does not show this. From default weights it is {{claim sparse.error start=default epochs=2}} after
# two epochs and {{claim sparse.error start=default epochs=8}} after eight, when
# {{claim sparse.dead start=default epochs=8}} are dead. So **count them**.

# %% [markdown] units-look
# ## 4. What single units stand for
#
# An atom is a picture: red adds light, blue takes it away. Beside the atom stand the five test images for which its
# unit is largest. Give each unit a name. The percentage is the unit's **[[purity]]**: add up its values over all
# 1,000 test images (not only these five), and take the share of its largest class. If the labels are dealt out at
# random, the median unit has {{claim sparse.chance% start=photographs epochs=2}}.

# %% units-figure
labels = test.labels[:1000]


def purity(z):
    """The largest class's part of each unit's sum over the images, (D,); 0 for a unit that is never on."""
    share = torch.stack([z[labels == c].sum(dim=0) for c in range(10)])  # (10, D)
    return share.amax(dim=0) / share.sum(dim=0).clamp(min=1e-9)


with torch.no_grad():
    z, atoms = sparse.encode(x_test).cpu(), sparse.atoms().T.unflatten(1, (28, 28)).cpu()  # (1000, 256), (256, 28, 28)
often = ((z > 0).float().mean(dim=0) > 0.02).nonzero().flatten()  # units that are on in more than 2% of the images
by_purity = often[purity(z)[often].argsort(descending=True)]
chosen = by_purity[torch.linspace(0, len(by_purity) - 1, 4).long()].tolist()  # from the purest to the most mixed
rows = {}
for unit in chosen:
    red_blue = torch.tensor(plt.get_cmap("RdBu_r")(0.5 + atoms[unit].numpy() / 0.3)[..., :3]).movedim(-1, 0)
    largest = x_test[z[:, unit].topk(5).indices].cpu().expand(-1, 3, -1, -1)
    rows[f"unit {unit}: {purity(z)[unit]:.0%}"] = torch.cat([red_blue[None], largest])
plots.image_rows(rows)
plt.show()

# %% [markdown] units-seen
# The first unit is for trousers only; further down, more kinds share a unit. Four of the last unit's five pictures
# are sandals, but its percentage counts all images. No label was used. Has training discovered the garments? A
# control tests it: the same code **before** training.

# %% purity-control
with torch.no_grad():
    before = start_at_photographs(SparseCode(k=16), photographs).to(device).encode(x_test).cpu()
for name, code in (("before training", before), ("after training", z)):
    print(f"{name:15s} median purity of all units that are ever on: {purity(code)[code.sum(dim=0) > 0].median():.2f}")

# %% [test] purity-control-holds
assert purity(before).median() > purity(z)[z.sum(dim=0) > 0].median()

# %% [markdown] purity-seen
# With other seeds the median purity is {{claim sparse.purity start=photographs epochs=0}} before training and
# {{claim sparse.purity start=photographs epochs=2}} after it. (Dead units are left out.) So **a high purity alone
# does not show that something was learned.** What training lowered here is the error, from
# {{claim sparse.error start=photographs epochs=0}} to {{claim sparse.error start=photographs epochs=2}}.

# %% [markdown] changed
# ## What changed and what did not
#
# | | plain autoencoder (02) | denoising | k-sparse |
# |---|---|---|---|
# | input, target | $x$, $x$ | $\tilde x$, clean $x$ | $x$, $x$ |
# | code | short | short | long, few units on |
#
# What did not change: new pictures need a distribution fitted to the codes afterwards (lesson 02).
#
# **Limits.** Our pictures are small and on black. A unit may mean something that has no label.

# %% [markdown] quiz
# ## Three questions
#
# **1.** A colleague trains a denoiser and, by mistake, compares its output with the noisy image. Do your training loss
# and hers say whose model removes noise better?
#
# <details><summary>Answer</summary>
#
# No. The losses have different targets, and her model learns to reconstruct noise. Compare both with clean images.
#
# </details>
#
# **2.** A sparse code has 4,096 units, 32 on at a time, and a very small reconstruction error. Which two numbers do you
# ask for before you believe that it has 4,096 parts?
#
# <details><summary>Answer</summary>
#
# How many units are dead: if 4,000 are, it is a code of 96 units. And how often the busiest units are on: that a unit
# is on tells nothing about a picture if it is on for all of them.
#
# </details>
#
# **3.** The units of her sparse code have a purity of 0.6. "Training discovers the classes," she writes. Which
# measurement is missing?
#
# <details><summary>Answer</summary>
#
# The purity of the same code before training. If it was 0.6 already, training did not put it there.
#
# </details>

# %% [markdown] summary
# ## Summary
#
# - Denoising: $\min \mathbb{E}\,\|x - D(E(\tilde x))\|^2$, with a damaged input and a **clean** target. The best
#   answer under squared error is the weighted mean of the possible clean pictures, $\mathbb{E}[x \mid \tilde x]$.
# - Compare with simple rivals, after more than one length of training: at noise 0.5 the linear map beat our small
#   network after 3 and 12 epochs, and lost after 48. At noise 0.05 both denoisers, made for 0.5, did harm.
# - k-sparse codes: the $k$ largest of $\text{ReLU}(E(x))$, with atoms of length 1. Count the dead units: far more died
#   from default weights than from photographs, and a falling error does not show it.
# - Units of a sparse code can be pure without any training. Measure a control.
#
# The further sections stand each by itself.

# %% [markdown] why-units-die
# ## Further: why units die
#
# The two starts of the core differ in several ways. So we made the changes **step by step**, each on top of the one
# before:
#
# - *default*: PyTorch's weights;
# - *bias*: $b$ starts at the mean image;
# - *tied*: in addition, encoder (times 0.1) and atoms start as the same random vectors, the encoder's bias at 0;
# - *photographs*: in addition, these vectors are photographs.
#
# Read the column of dead units. (Rows of two epochs have nine seeds, the others three.)

# %% sparse-evidence
claims.evidence("03", "sparse")

# %% [markdown] why-units-die-seen
# **The bias at the mean image saves most units at first**: {{claim sparse.dead start=bias epochs=2}} are dead, where it
# was {{claim sparse.dead start=default epochs=2}}. The encoder sees $x - b$. If $b$ starts near 0, nothing is removed,
# and what all pictures share decides: the same units are the largest for all.
#
# The length of the training counts too. With the bias alone, {{claim sparse.dead start=bias epochs=8}} are dead after
# eight epochs, although the error falls from {{claim sparse.error start=bias epochs=2}} to
# {{claim sparse.error start=bias epochs=8}}. With tied vectors {{claim sparse.dead start=tied epochs=8}} are dead then,
# and with photographs {{claim sparse.dead start=photographs epochs=8}}. With photographs these are fewer than after two
# epochs, with each of the same three seeds. So a dead unit can come back: it gets no gradient itself, but $b$ and the
# other units change.
#
# The column of purity depends on the start, too. With tied random vectors it *rises* in the training, from
# {{claim sparse.purity start=tied epochs=0}} to {{claim sparse.purity start=tied epochs=2}} after two epochs.

# %% [markdown] dense-control
# ## Further: the purity of a dense code
#
# Is a sparse code purer than a dense one because it was trained to be sparse? We cut a dense code down *after* its
# training. Each of the plain autoencoder's 32 numbers becomes two units, $\max(z - \bar z, 0)$ and
# $\max(\bar z - z, 0)$, where $\bar z$ is its mean. Of these 64 halves your `keep_top_k` keeps 4: the same share as 16
# of 256. Which step raises the purity?

# %% dense-purity
with torch.no_grad():
    z_plain = plain.encode(x_test).cpu()
z_plain = z_plain - z_plain.mean(dim=0)
halves = torch.cat([z_plain.relu(), (-z_plain).relu()], dim=1)  # (1000, 64)
for name, code in {"32 numbers": z_plain.abs(), "64 halves": halves, "4 of 64 halves": keep_top_k(halves, 4)}.items():
    print(f"{name:15s} median purity {purity(code)[code.sum(dim=0) > 0].median():.3f}")

# %% [test] dense-purity-holds
assert purity(keep_top_k(halves, 4)).median() > 1.5 * purity(halves).median() > 1.5 * purity(z_plain.abs()).median()

# %% [markdown] dense-purity-seen
# Both steps raise it, and the second one more. This code was trained to reconstruct pictures, with all of its numbers,
# and yet {{claim dense.top_halves}} is near to the {{claim sparse.purity start=photographs epochs=2}} of the trained
# sparse code. (If the labels are dealt out at random, the last line has {{claim dense.top_halves_chance}}.) So a
# comparison of a sparse code with a dense one says little about what *training* a sparse code adds.

# %% [markdown] projection-idea
# ## Further: the way back to the data
#
# Fix a noisy picture $\tilde x$. Several clean pictures can have become it, and the denoiser has to give one answer for
# all of them. The number with the least mean squared distance from several others is their mean. So the best denoiser
# returns the mean of the clean pictures that are possible, each weighted by how probable it is:
#
# $$r^*(\tilde x) = \mathbb{E}[\,x \mid \tilde x\,].$$
#
# For Gaussian noise of variance $\sigma^2$ (without clipping) this mean has a second form (Miyasawa 1961):
#
# $$r^*(\tilde x) = \tilde x + \sigma^2 \, \nabla_{\tilde x} \log p_\sigma(\tilde x) .$$
#
# Here $p_\sigma$ is the density of the **noisy** data: the density of $x$ plus noise. So **the step that the best
# denoiser takes points uphill on the log density of the noisy data.** We train no density; its slope follows from the
# squared error. Diffusion models (lesson 12) use this.
#
# In two dimensions we can see it. The data lie on two half circles. With $N$ data points $x_1 \dots x_N$ the mean is a
# weighted mean of them, with weights in proportion to $\exp(-\|\tilde x - x_i\|^2 / 2\sigma^2)$. The cell computes it
# by both formulas, at three points.

# %% projection-exact
from course_utils.data.toys import two_moons  # course_utils/data/toys.py

sigma = 0.2
moons, _ = two_moons(2000, noise=0.0, generator=torch.Generator().manual_seed(0))  # (2000, 2): the clean data


def posterior_mean(x_noisy):
    """E[x | x_noisy] when x is one of the data, all equally likely, (B, 2)."""
    return torch.softmax(-torch.cdist(x_noisy, moons).square() / (2 * sigma**2), dim=1) @ moons


points = torch.tensor([[0.3, 0.4], [1.5, 0.2], [-1.2, -0.3]], requires_grad=True)
log_density = torch.logsumexp(-(points[:, None] - moons).square().sum(dim=2) / (2 * sigma**2), dim=1)
gradient = torch.autograd.grad(log_density.sum(), points)[0]  # of log p_sigma; constants drop out
print("mean of what it could have been", posterior_mean(points).detach(), sep="\n")
print("x + sigma^2 * gradient", (points + sigma**2 * gradient).detach(), sep="\n")

# %% [test] projection-exact-holds
assert torch.allclose(posterior_mean(points), points + sigma**2 * gradient, atol=1e-4)

# %% [markdown] projection-train
# The two agree. Now a small network learns to denoise points of this set. It uses the denoising loss and neither of the
# two formulas. It has no short code; a denoiser needs none. Each arrow ends where the denoiser puts the point. Compare
# the arrows far from the data with those near to it. Between the half circles, where do neighbouring arrows point to
# different half circles?

# %% projection-network
network = nn.Sequential(nn.Linear(2, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))
optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
for _ in range(500):
    x = moons[torch.randint(len(moons), (256,))]
    loss = (network(x + sigma * torch.randn_like(x)) - x).square().sum(dim=1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

grid = torch.cartesian_prod(torch.linspace(-1.6, 2.6, 19), torch.linspace(-1.1, 1.6, 13))  # (247, 2)
with torch.no_grad():
    steps = {"learned by the network": network(grid) - grid, "exact: posterior mean": posterior_mean(grid) - grid}
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", sharey=True)
for ax, (name, step) in zip(axes, steps.items(), strict=True):
    ax.scatter(*moons[::3].T, s=3, color=plots.PALETTE[1])
    ax.quiver(*grid.T, *step.T, angles="xy", scale_units="xy", scale=1, width=0.004, color=plots.PALETTE[0])
    ax.set(title=f"step from each point, {name}", aspect="equal", xlabel="$x_1$")
axes[0].set_ylabel("$x_2$")
plt.show()

# %% projection-distances
x_noisy = moons + sigma * torch.randn_like(moons)
with torch.no_grad():
    restored_by = {"left alone": x_noisy, "network": network(x_noisy), "exact mean": posterior_mean(x_noisy)}
for name, x_hat in restored_by.items():
    to_x, to_data = (x_hat - moons).square().sum(dim=1).mean(), torch.cdist(x_hat, moons).amin(dim=1).mean()
    print(f"{name:10s} squared distance from the clean point {to_x:.4f}, distance from the half circles {to_data:.3f}")

# %% [test] projection-network-holds
with torch.no_grad():
    off = {name: torch.cdist(x_hat, moons).amin(dim=1).mean() for name, x_hat in restored_by.items()}
assert off["network"] < 0.5 * off["left alone"]
assert off["exact mean"] > 0.01

# %% [markdown] projection-seen
# The arrows point towards the data, and they are shorter where they start nearer. Neighbouring arrows point to
# different half circles where both are equally far. On that line itself the denoiser goes to the *mean* of both
# answers, where there are no data. That is the blur that you saw at strong noise.
#
# A denoiser goes *near* to the data and not onto them: the exact mean, too, stays at a distance from the half circles.
# The table has three seeds, and also four times as many steps. (The cell's 0.063 lies a little above the range.) The
# last two rows are mean lengths of steps: of those that start further than 0.3 from the data, and of those that start
# nearer than 0.1.

# %% half-circles-evidence
claims.evidence("03", "half-circles")

# %% [markdown] strengths-look
# ## Further: every amount of noise
#
# The core compared the methods at two strengths. Here are seven, with the median filter too. Both filters get the best
# setting for each strength, chosen on training images. Our network (after three epochs), the large denoiser and the
# linear map were made for noise of 0.5.
#
# We report the squared error of each image. Papers on restoration often use the **peak signal-to-noise ratio**
# ([[PSNR|psnr]]), which for one image is the same thing on another scale: with MSE the mean squared error of a pixel,
# $\text{PSNR} = 10 \log_{10} (1 / \text{MSE})$ decibels. A tenth of the error is 10 dB more. (A mean of PSNRs is not
# the PSNR of the mean error.) At which strength do the two denoisers and the linear map cross the blue line, the noisy
# picture left alone?


# %% strengths-figure
def psnr(x_hat, x):
    """Peak signal-to-noise ratio of images in [0, 1], in dB, (B,)."""
    return -10 * torch.log10((x_hat - x).square().flatten(1).mean(dim=1))


def blur(x, sigma):
    return v2.functional.gaussian_blur(x, [9, 9], [sigma, sigma])


def median_filter(x, size):
    """Median of size x size pixels."""
    windows = F.pad(x, [size // 2] * 4, mode="replicate").unfold(2, size, 1).unfold(3, size, 1)
    return windows.flatten(-2).median(dim=-1).values


def best_setting(restore, x_noisy, settings):
    """The setting with the least error on training images."""
    return min(settings, key=lambda setting: squared_error(restore(x_noisy, setting), x_tune).sum().item())


levels, results, x_tune = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0], {}, x_train[:200].to(device)
for level in levels:
    some = corrupt(x_tune, torch.full((200,), level, device=device))
    sigma = best_setting(blur, some, (0.3, 0.4, 0.6, 0.8, 1.0, 1.3, 1.7))
    size = best_setting(median_filter, some, (1, 3, 5, 7))
    x_noisy = corrupt(x_test[:500], torch.full((500,), level, device=device))
    filtered = {"Gaussian blur": blur(x_noisy, sigma), "median filter": median_filter(x_noisy, size)}
    for name, x_hat in (restore_all(x_noisy) | filtered).items():
        results.setdefault(name, []).append(squared_error(x_hat, x_test[:500]).mean().item())
        if level == 0.5:
            print(f"noise 0.5, {name:18s} {psnr(x_hat, x_test[:500]).mean():.1f} dB")
lines = {name: (levels, values) for name, values in results.items()}
plots.curves(lines, "standard deviation of the noise", "squared error per image", log_x=True, log_y=True)
plt.show()

# %% [test] strengths-claims
at = {name: dict(zip(levels, values, strict=True)) for name, values in results.items()}
assert at["noisy, left alone"][0.05] < 0.3 * at["large denoiser"][0.05]
assert at["Gaussian blur"][0.05] < at["large denoiser"][0.05]
assert at["large denoiser"][0.7] < 0.9 * at["linear map"][0.7]
for name, before, after in (("large denoiser", 0.1, 0.2), ("linear map", 0.1, 0.2), ("our denoiser", 0.2, 0.3)):
    assert at[name][before] > at["noisy, left alone"][before]
    assert at[name][after] < at["noisy, left alone"][after]
    assert at[name][0.3] < at[name][0.05] or name == "linear map"

# %% [markdown] strengths-seen
# At the left end all methods but the filters are worse than the noisy picture itself. The large denoiser and the linear
# map cross its line between 0.1 and 0.2, our denoiser between 0.2 and 0.3. The errors of both denoisers even *fall*
# from 0.05 to 0.3: a picture that is too clean is unlike all that they were trained on. At 0.5 and 0.7 the large
# denoiser is the best of all. At 1.0, far from its training, it loses much of its lead.
#
# ### Explorer: how much noise?
#
# The figure is the explorer drawn at six positions. The blur has sigma 1 here at every strength. In the explorer, find
# for *this* boot the strength from which on each of the three restorations is nearer to the clean boot than the noisy
# picture.


# %% explorer-strength-twin
def restore_boot_all(strength):
    """The clean boot, the noisy one with the noise of exercise 3, and three restorations, (5, 1, 28, 28)."""
    made = restore_all((boot + strength * eps).clamp(0, 1))
    names = ("noisy, left alone", "Gaussian blur", "linear map", "large denoiser")
    return torch.cat([boot, *(made[name] for name in names)])


def boot_errors(strength):
    _, *others = restore_boot_all(strength)
    errors = [squared_error(x[None], boot).item() for x in others]
    return "Squared error: noisy {:.1f}, blur {:.1f}, linear {:.1f}, denoiser {:.1f}.".format(*errors)


labels_of_panels = ["clean", "noisy", "Gaussian blur", "linear map", "large denoiser"]
strength_explorer = widgets.FunctionSlider(
    restore_boot_all, 0.0, 1.5, labels=labels_of_panels, name="Noise", start=0.5, step=0.05, describe=boot_errors,
    title="Noise and restoration",
)  # fmt: skip
strength_explorer.static([0.0, 0.1, 0.3, 0.5, 0.8, 1.5])
plt.show()

# %% [markdown] explorer-strength-tie
# Your control of exercise 3 shows the same boot with the same noise. `jsdlink` ties two values: when you move *your*
# slider, the explorer follows.


# %% explorer-strength
from ipywidgets import VBox, jsdlink

(slider,) = widgets.sliders_in(control)  # course_utils/widgets/boxes.py
jsdlink((slider, "value"), (strength_explorer, "value"))
VBox([getattr(control, "widget", control), strength_explorer])  # interact keeps its box of widgets as `widget`

# %% [test] explorer-strength-holds
for strength, helps in ((0.05, [False] * 3), (0.1, [False, True, False]), (0.2, [True] * 3)):
    _, noisy_boot, *others = restore_boot_all(strength)
    nearer = [squared_error(x_hat[None], boot) < squared_error(noisy_boot[None], boot) for x_hat in others]
    assert [one.item() for one in nearer] == helps, (strength, nearer)

# %% [markdown] explorer-strength-seen
# At 0.05 none of the three helps, at 0.1 the linear map does, and at 0.2 all three do.

# %% [markdown] transfer-text
# ## Further: other damage, and holes
#
# Does a denoiser mend only what it was trained to mend? One more network of the same size learns in the same way, with
# a hidden block: a rectangle of half the height and half the width, at a place of its own in each image. Then both meet
# four kinds of damage; **[[salt and pepper noise]]** sets single pixels to white or black. In how many of the four
# columns is the network trained on noise the better one?

# %% transfer
from course_utils.data.corruptions import CORRUPTIONS, block_mask  # course_utils/data/corruptions.py
from course_utils.models.autoencoder import DenoisingAutoencoder  # the loss of exercise 2 as a method

STRENGTHS = {"gaussian_noise": 0.5, "masking_noise": 0.5, "salt_and_pepper": 0.3, "block_mask": 0.5}
generator = torch.Generator(device).manual_seed(0)
damaged = {name: CORRUPTIONS[name](x_test, strength, generator) for name, strength in STRENGTHS.items()}
restorer = DenoisingAutoencoder(32, hidden=256, corruption="block_mask", strength=0.5)
fit_on(restorer, train, 3)
networks = {"trained on noise": denoiser, "trained on blocks": restorer}
with torch.no_grad():
    table = {row: [squared_error(m(x), x_test).mean().item() for x in damaged.values()] for row, m in networks.items()}
table["left as it is"] = [squared_error(x, x_test).mean().item() for x in damaged.values()]
print(f"{'squared error':20s}" + "".join(f"{name:>17s}" for name in damaged))
for row, values in table.items():
    print(f"{row:20s}" + "".join(f"{value:17.1f}" for value in values))

# %% [test] transfer-holds
for row, column in (("trained on noise", 0), ("trained on blocks", 3)):
    assert table[row][column] == min(values[column] for values in table.values())

# %% [markdown] transfer-seen
# In three of four, after three epochs. But each is the best at its own damage. What a network has learned carries over
# where the damage is alike: salt and pepper looks like noise. There the network trained on noise has
# {{claim denoising.salt_and_pepper_denoiser epochs=3}}, and the pictures left alone have
# {{claim denoising.salt_and_pepper_left epochs=3}} (median and range over three other trainings). Blocks do not look
# like noise: there it has {{claim denoising.block_mask_denoiser epochs=3}}, and the network trained on blocks
# {{claim denoising.block_mask_block epochs=3}}.
#
# **More training on one damage can make a network worse at another.** This is the error of the network trained on noise
# after 3, 12 and 48 epochs. At which damage does it rise?
#
# - noise:
#   {{claim denoising.gaussian_noise_denoiser epochs=3}},
#   {{claim denoising.gaussian_noise_denoiser epochs=12}},
#   {{claim denoising.gaussian_noise_denoiser epochs=48}};
# - salt and pepper:
#   {{claim denoising.salt_and_pepper_denoiser epochs=3}},
#   {{claim denoising.salt_and_pepper_denoiser epochs=12}},
#   {{claim denoising.salt_and_pepper_denoiser epochs=48}};
# - half of the pixels black:
#   {{claim denoising.masking_noise_denoiser epochs=3}},
#   {{claim denoising.masking_noise_denoiser epochs=12}},
#   {{claim denoising.masking_noise_denoiser epochs=48}};
# - hidden block:
#   {{claim denoising.block_mask_denoiser epochs=3}},
#   {{claim denoising.block_mask_denoiser epochs=12}},
#   {{claim denoising.block_mask_denoiser epochs=48}}.
#
# It rises where half of the pixels are black, and at hidden blocks. The large denoiser, the best at noise, has
# {{claim denoising.masking_noise_reference epochs=3}} where half of the pixels are black, hardly less than the
# {{claim denoising.masking_noise_left epochs=3}} of the pictures left alone. A denoiser gives an answer to any
# damage, and the answer does not say whether it has seen such damage before.
#
# ### Holes
#
# To fill a hole from what is left is called **[[inpainting]]**. We keep the visible pixels, which we know, and take
# only the hole from a method. There are three rivals: the mean training image, a linear map fitted to holes (its
# error is in the text below), and a look-up, which takes the ten training images whose visible part is most like
# ours, and their mean.

# %% inpainting
hole = block_mask(torch.ones_like(x_test), 0.5, torch.Generator(device).manual_seed(0)) == 0
masked, known = torch.where(hole, 0.0, x_test), (~hole).float().flatten(1)
library = x_train.to(device).flatten(1)
# |x - library|^2 over the visible pixels only; what is the same for all of the library is left out, (1000, 11000)
distance = known @ library.square().T - 2 * masked.flatten(1) @ library.T
nearest = distance.topk(10, dim=1, largest=False).indices
with torch.no_grad():
    fillings = {
        "mean training image": library.mean(dim=0).view(1, 1, 28, 28).expand_as(x_test),
        "trained on noise": denoiser(masked),
        "trained on blocks": restorer(masked),
        "mean of 10 look-alikes": library[nearest].mean(dim=1).view_as(x_test),
    }
filled = {name: torch.where(hole, filling, x_test) for name, filling in fillings.items()}
inside = {name: squared_error(x_hat, x_test).mean().item() for name, x_hat in filled.items()}
rows = {f"{name}: {inside[name]:.1f}": x[shown] for name, x in filled.items()}
plots.image_rows({"masked": masked[shown]} | rows | {"clean": x_test[shown]})
plt.show()

# %% [test] inpainting-holds
assert inside["trained on blocks"] < min(inside["mean training image"], inside["trained on noise"])

# %% [markdown] inpainting-seen
# The network trained on blocks continues the outlines of trousers and boot, and smears the others. The one trained on
# noise leaves a shadow where the hole was.
# In three other trainings, with other holes, the error inside the hole is {{claim denoising.hole_block epochs=3}} for
# the network trained on blocks after three epochs, {{claim denoising.hole_block epochs=12}} after twelve and
# {{claim denoising.hole_block epochs=48}} after 48. The linear map has {{claim denoising.hole_linear epochs=48}},
# and the mean of ten look-alikes {{claim denoising.hole_alike_10 epochs=48}}. So a search without any training is a
# strong rival, which the network passes only after a long training. The search needs memory instead: it keeps all
# 11,000 photographs and compares with each of them, where the network has 0.4 million weights.
#
# Where several completions are possible, all of these methods return a mean of them. To *draw* one of the possible
# pictures takes a [[generative model]], which lesson 04 begins with.

# %% [markdown] explorer-unit-text
# ## Further: turn one unit
#
# ### Explorer: one unit of the sparse code
#
# We take a dress and the unit that has the largest value in any of the 1,000 test images. We set it to other values and
# decode. In the explorer, the sentence below the pictures says how large the unit becomes in real pictures. Where does
# the picture change, and where not? What happens beyond the values that occur? The figure shows seven positions; the
# explorer follows.

# %% explorer-unit-twin
dress, unit = x_test[(labels == 3).nonzero()[0]], z.amax(dim=0).argmax().item()
with torch.no_grad():
    z_dress, largest = sparse.encode(dress), z[:, unit].max().item()


def turn_unit(value):
    """The picture, its reconstruction, and the reconstruction with the unit at a value, (3, 1, 28, 28)."""
    z_turned = z_dress.clone()
    z_turned[:, unit] = value
    return torch.cat([dress, sparse.decode(z_dress), sparse.decode(z_turned)]).clamp(0, 1)


own_value = z_dress[0, unit].item()
unit_explorer = widgets.FunctionSlider(  # course_utils/widgets/function_sliders.py
    turn_unit, 0.0, 1.5 * largest, labels=["x", "x_hat", "unit turned"], name=f"Unit {unit}", start=largest / 2,
    describe=lambda value: f"This dress has {own_value:.1f}; the largest value in 1,000 test images is {largest:.1f}.",
    title="One unit of a sparse code",
)  # fmt: skip
unit_explorer.static()
plt.show()
# %% explorer-unit
unit_explorer.move_to(largest)
unit_explorer

# %% [markdown] explorer-unit-seen
# The output is a sum of atoms. So each pixel changes in proportion to the unit's atom, and where the atom is zero
# nothing changes. Beyond the values that occur the picture only gets more of the atom, until pixels are cut at black
# and white: it looks less and less like a garment of the data.

# %% [markdown] penalty-idea
# ## Further: a penalty in place of a count
#
# The second classical way to a sparse code is a penalty on its size, the **L1 norm** ([[L1 penalty|l1 penalty]]):
#
# $$\text{loss} = \|x - \hat x\|^2 + \lambda \sum_d |z_d| .$$
#
# The penalty pulls on each unit with the same force $\lambda$, however small the unit already is, so a unit can reach
# zero. The force of a squared penalty fades as the unit becomes small, so it leaves many small numbers. Look at how
# many units stay on as $\lambda$ grows, and what it costs.


# %% l1-sweep
def l1_loss(l1):
    def loss(model, x):
        z = model.encode(x)
        return {"loss": squared_error(model.decode(z), x).mean() + l1 * z.abs().sum(dim=1).mean()}

    return loss


for l1 in (0.0, 0.3, 1.0):
    model = start_at_photographs(SparseCode(), photographs)
    fit_on(model, train, 2, l1_loss(l1), lr=1e-3)
    with torch.no_grad():
        z_l1 = model.encode(x_test)
        active, recon = (z_l1 > 0).sum(dim=1).float().mean(), squared_error(model.decode(z_l1), x_test).mean()
        wanted, drawn = (one - model.decoder.bias.view(1, 28, 28) for one in (x_test, model.decode(z_l1)))
        factor = (wanted * drawn).sum() / drawn.square().sum()
    print(f"lambda {l1:3.1f}: {active:5.1f} of 256 units on, squared error {recon:5.1f}, best factor {factor:.2f}")

# %% [test] l1-sweep-holds
assert factor > 1.05

# %% [markdown] l1-seen
# A larger $\lambda$ switches more units off and costs reconstruction. The penalty also *shrinks* units that stay on. At
# the best code the derivative of the loss with respect to each unit that is on is zero:
# $-2\, w_d \cdot (x - \hat x) + \lambda = 0$, so $w_d \cdot (x - \hat x) = \lambda / 2$. Something of each atom is
# still missing from the reconstruction, and the more so, the larger $\lambda$ is. So pictures are drawn too faint. The
# printed factor is by how much the reconstruction (less the bias) should be multiplied to fit best; 1 would be right.
# The table has three seeds, four times as many epochs, and the code that keeps the 16 largest.

# %% l1-evidence
claims.evidence("03", "penalty")

# %% [markdown] price-idea
# ### The price of choosing
#
# Sixteen numbers chosen from 256 for each picture beat sixteen fixed ones: 16 principal components (lesson 01) have an
# error of {{claim dense.pca_16}}, and the code started at photographs
# {{claim sparse.error start=photographs epochs=2}}. But *which* sixteen units are on is information too: there are
# $\binom{256}{16} \approx 10^{25}$ choices, about 83 [[bits|bit]], as much as ten more numbers of 8 bits. So the fair
# rival has 26 components. Its error is {{claim dense.pca_26}}; after eight epochs the code has
# {{claim sparse.error start=photographs epochs=8}}, and wins here too.
#
# Is it the training that makes the code good, or only the right strength of each unit? If the best 16 numbers for the
# units that are on are found by least squares, photographs as atoms have
# {{claim sparse.refitted start=photographs epochs=0}} before training and
# {{claim sparse.refitted start=photographs epochs=2}} after two epochs. So training found better atoms.
#
# ### A unit behind a hidden layer
#
# The reference model `sparse_k` has the same 16 of 256 units, and a hidden layer on each side. Its output is no longer
# a sum of atoms. What a unit does can still be seen: switch it off and decode. For two images we switch off each of
# their four strongest units in turn.

# %% reference-sparse
sparse_k = load_reference("sparse_k", device)
pair = x_test[[1, 8]]
with torch.no_grad():
    z_k, code = sparse_k.encode(x_train.to(device)), sparse_k.encode(pair)
    strongest = code.topk(4, dim=1).indices
    without = [code.scatter(1, strongest[:, j : j + 1], 0.0) for j in range(4)]
    pictures = [pair, sparse_k.decode(code), *(sparse_k.decode(each) for each in without)]
    recon = squared_error(sparse_k(x_test), x_test).mean()
titles = ["x", "x_hat", *(f"without {j}" for j in ("1st", "2nd", "3rd", "4th"))]
plots.image_grid(torch.stack(pictures, dim=1).flatten(0, 1), columns=6, titles=titles * 2)
plt.show()
dead_reference = (z_k > 0).sum(dim=0).eq(0).sum()
print(f"sparse_k: squared error {recon:.1f}; no training picture uses {dead_reference} of its 256 units")

# %% [test] reference-sparse-holds
assert recon < sparse_error
assert dead_reference > 100

# %% [markdown] reference-sparse-seen
# Switching off one of the three strongest units changes several places of the garment at once: behind a hidden layer,
# units work together. The fourth unit changes little. And most units are dead. This model began from random weights.
# Fifteen epochs over 60,000 images did not bring the dead units back, and the error alone does not show them.

# %% [markdown] anomaly-idea
# ## Further: an alarm for strange pictures
#
# An autoencoder that was trained on one kind of picture learns to draw that kind. So its failure can be an alarm
# ([[anomaly detection]]):
#
# $$\text{score}(x) = \big\| x - D(E(x)) \big\|^2, \qquad \text{alarm if } \text{score}(x) > \tau .$$
#
# Training needs no example of an anomaly. That is attractive where one has thousands of good parts and no collection of
# all the ways to fail.
#
# **Predict first.** We train on **shoes** only. Then other pictures arrive: (a) a bag, (b) a shoe with black and white
# exchanged, (c) a shoe turned to face right where all others face left, (d) a shoe with a small square blacked out, (e)
# a picture that is all black. Put them in order, from the one that the alarm finds best to the one that it finds worst.
#
# <details><summary>What we found: read it after the table below</summary>
#
# Best found is (b), then (a), then (c). For (d) the alarm is little better than a coin toss. For (e) it depends on how
# long we train: after ten epochs {{claim alarm.quieter_than_black epochs=10}} of the 600 shoes have less error than
# black, and after forty epochs {{claim alarm.quieter_than_black epochs=40}}. The error says how well the model can draw
# a picture, and black is easy to draw once the model has learned it.
#
# </details>
#
# We train on sandals, sneakers and ankle boots, with a code of 8 numbers. Look for the part of the histogram where two
# colours overlap: there, no threshold can be right.

# %% shoes
from course_utils.data.corruptions import block_mask, gaussian_noise
from course_utils.latents import encode_dataset, nearest_neighbors  # course_utils/latents.py


def only(images, names):
    """The subset of an image set with the classes of these names."""
    wanted = torch.tensor([images.class_names.index(name) for name in names])
    return images[torch.isin(images.labels, wanted)]


@torch.no_grad()
def score(model, x):
    """Reconstruction error, (B,), on the CPU."""
    return squared_error(model(x.to(device)), x.to(device)).cpu()


SHOES = ("Sandal", "Sneaker", "Ankle boot")
shoe_model = Autoencoder(8, hidden=128)
fit_on(shoe_model, only(train, SHOES), 10)
shoes = only(test, SHOES).pixels()
score_shoes = score(shoe_model, shoes)
others = {name: only(test, [name]).pixels() for name in ("Bag", "Shirt")}
score_others = {name: score(shoe_model, x) for name, x in others.items()}
plots.error_histogram({"shoes": score_shoes, **score_others}, xlabel="squared error per image")
plt.show()

# %% [markdown] roc-idea
# ### From a threshold to a curve
#
# Each threshold $\tau$ gives two rates: the share of anomalies that raise the alarm (**[[true positive rate]]**) and
# the share of normal pictures that do (**[[false positive rate]]**). A lower $\tau$ raises both. The curve of one
# against the other is the **[[ROC curve]]**; a coin toss gives the diagonal. scikit-learn has the curve and the area
# under it, **[[AUROC]]**. Two kinds of altered shoe are new: mirrored, and faded to 40% of their brightness. Go up from
# the point where one shoe in ten raises the alarm (0.1 on the horizontal axis): which kind is caught most?

# %% roc-figure
from sklearn.metrics import roc_auc_score, roc_curve


def against_shoes(score_anomalies):
    """True for an anomaly, and the scores: of the shoes, then of the anomalies."""
    scores = torch.cat([score_shoes, score_anomalies])
    return torch.arange(len(scores)) >= len(score_shoes), scores


cases = score_others | {
    "mirrored shoe": score(shoe_model, shoes.flip(-1)),
    "faded shoe": score(shoe_model, 0.4 * shoes),
}
curves = {name: roc_curve(*against_shoes(values))[:2] for name, values in cases.items()}
areas = {name: roc_auc_score(*against_shoes(values)) for name, values in cases.items()}
plots.roc_curve(curves, scores=areas)
plt.show()

# %% [test] roc-figure-holds
caught = {name: tpr[fpr <= 0.1][-1] for name, (fpr, tpr) in curves.items()}
assert caught["Bag"] > max(0.85, caught["Shirt"])
assert caught["Shirt"] > caught["mirrored shoe"]

# %% [markdown] auroc-task
# Bags, of which about nine in ten are caught there; then shirts, then mirrored shoes. One curve runs *below* the
# diagonal: faded shoes look more normal to this alarm than shoes do. To see why, we need to know what the area means.
# It needs no threshold:
#
# $$\text{AUROC} = P(s_+ > s_-) + \tfrac12 P(s_+ = s_-) .$$
#
# It is the chance that a random anomaly scores higher than a random normal picture. Ties count half.
#
# ### Exercise 5. AUROC from its meaning
#
# *Medium, about 12 minutes.* Compare every positive with every negative. `roc_auc_score` is not allowed here.


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
positive, scores = against_shoes(cases["faded shoe"])
print(f"faded shoes: yours {auroc(scores, positive):.4f}, scikit-learn's {roc_auc_score(positive, scores):.4f}")

# %% [markdown] misses-look
# <details><summary>Hint 1</summary>
#
# `scores[positive]` and `scores[~positive]` are the two groups. A column against a row broadcasts to a table of all
# pairs.
#
# </details>
# <details><summary>Hint 2</summary>
#
# For each pair: 1 if the positive is higher, 0.5 if both are equal, 0 otherwise. Then the mean. If all scores are
# equal, the answer must be 0.5.
#
# </details>
#
# ### What the alarm misses
#
# Now many kinds of anomaly, and four rivals of the error as a score. *Brightness* is the sum of all pixels, and no
# model at all. *Two-sided* asks how far the logarithm of the error lies from its usual value, above or below. *Code
# distance* and *pixel distance* are the distances from the nearest training code and from the nearest training
# photograph.

# %% what-it-misses
names = [name for name in test.class_names if name not in SHOES]
anomalies = {name: only(test, [name]).pixels() for name in names} | {
    "inverted shoe": 1 - shoes,
    "noisy shoe": gaussian_noise(shoes, 0.2, torch.Generator().manual_seed(0)),
    "shoe upside down": shoes.flip(-2),
    "mirrored shoe": shoes.flip(-1),
    "shoe moved 2 pixels": shoes.roll(2, dims=-1),
    "shoe, block missing": block_mask(shoes, 0.25, torch.Generator().manual_seed(0)),
    "faded shoe": 0.4 * shoes,
    "all black": torch.zeros_like(shoes),
}
photos = only(train, SHOES).pixels()
shoe_codes, log_error = encode_dataset(shoe_model, photos), score(shoe_model, photos).log()
scorers = {
    "error": lambda x: score(shoe_model, x),
    "brightness": lambda x: x.flatten(1).sum(dim=1),
    "two-sided": lambda x: (score(shoe_model, x).log() - log_error.mean()).abs(),
    "code distance": lambda x: nearest_neighbors(shoe_model.encode(x.to(device)).cpu(), shoe_codes, k=1)[1][:, 0],
    "pixel distance": lambda x: nearest_neighbors(x, photos, k=1)[1][:, 0],
}

# %% misses-table
found = {}
print(f"{'AUROC against real shoes':26s}" + "".join(f"{name:>15s}" for name in scorers))
with torch.no_grad():
    normal = {name: scorer(shoes) for name, scorer in scorers.items()}
    for name, x in anomalies.items():
        pairs = [torch.cat([normal[s], scorer(x)]) for s, scorer in scorers.items()]
        row = [auroc(both, torch.arange(len(both)) >= len(shoes)).item() for both in pairs]
        found[name] = dict(zip(scorers, row, strict=True))
        print(f"{name:26s}" + "".join(f"{value:15.2f}" for value in row))

# %% [test] what-it-misses-claims
assert all(found[name]["error"] > 0.8 for name in test.class_names if name not in SHOES)
assert found["faded shoe"]["error"] < 0.3
assert 0.5 < found["shoe, block missing"]["error"] < 0.8
assert found["all black"]["pixel distance"] < 0.2

# %% [markdown] what-it-misses-seen
# Read the first column from top to bottom. Other garments are found. Alterations of shoes are found less and less well.
# **The alarm is quieter for faded shoes than for real shoes.** The error is a sum over all that has to be drawn, and
# where there is little to draw there is little error. So it measures how *complicated* a picture is as well as how
# unfamiliar. In the same way a black picture escapes the alarm once the model is trained for longer. In three other
# trainings its AUROC is {{claim alarm.black epochs=10}} after ten epochs, so it depends much on the seed, and
# {{claim alarm.black epochs=40}} after forty. The likelihoods of large generative models do the same (Nalisnick et al.
# 2019).
#
# The rivals: *pixel distance* needs no training. In the run above it is equal to the error at shirts, to two digits.
# In the three other trainings it finds the hardest garment better, with an AUROC of
# {{claim alarm.worst_by_pixels epochs=10}} against {{claim alarm.worst_garment epochs=10}} of the error. It is blind
# to black: nearly all shoes are further from their nearest training photograph than black is. *Brightness* finds many
# garments, because shoes are small. *Two-sided* also notices faded shoes, and is equal or worse in the other lines.
# *Code distance* changes much from seed to seed. No column is the best in all lines. Choose a score by the anomalies
# that you expect, and test it on others. The table below repeats some lines with three seeds and with four times as
# many epochs.

# %% alarm-evidence
claims.evidence("03", "alarm")

# %% [markdown] near-misses-text
# ### Too similar
#
# The second blind spot is an anomaly that is *too similar*. We train on shirts only and ask for T-shirts and others.
# Look at the reconstructions: the model can draw what has the parts of a shirt. What does it make of a boot?

# %% near-misses
shirt_model = Autoencoder(16, hidden=128)
fit_on(shirt_model, only(train, ["Shirt"]), 10)
score_shirts = score(shirt_model, only(test, ["Shirt"]).pixels())
near = {}
for name in ("T-shirt/top", "Pullover", "Coat", "Trouser", "Ankle boot"):
    values = torch.cat([score_shirts, score(shirt_model, only(test, [name]).pixels())])
    near[name] = roc_auc_score(torch.arange(len(values)) >= len(score_shirts), values)
print("trained on shirts, AUROC:", ", ".join(f"{name} {value:.2f}" for name, value in near.items()))
examples = torch.cat([only(test, [name]).pixels()[:1] for name in near])
with torch.no_grad():
    reconstructions = shirt_model(examples.to(device))
plots.image_rows({"x": examples, "x_hat": reconstructions}, column_titles=list(near))
plt.show()

# %% [test] near-misses-holds
assert near["T-shirt/top"] < 0.7 < 0.9 < near["Ankle boot"]

# %% [markdown] base-rate-text
# A boot becomes a shirt, with a large error.
#
# ### Of a hundred alarms, how many are right?
#
# Take the alarm for bags, set the threshold so that 5% of shoes raise it, and let one picture in a thousand be a bag
# (the **[[base rate]]**). The share of alarms that are bags is the number of caught bags over the number of all alarms.

# %% base-rate
tau = score_shoes.quantile(0.95)
hit_rate = (score_others["Bag"] > tau).float().mean().item()
prevalence = 0.001
alarms = prevalence * hit_rate + (1 - prevalence) * 0.05
share_right = prevalence * hit_rate / alarms
print(f"bags caught {hit_rate:.0%}; of 100 alarms {100 * share_right:.0f} are bags, the rest are shoes")

# %% [test] base-rate-holds
assert share_right < 0.05

# %% [markdown] anomaly-quiz
# Most alarms are false, although the detector is good, because shoes are so much more frequent.
#
# **A question.** Your alarm has an AUROC of 0.03 on a new kind of fault. May you turn its sign around and report 0.97?
#
# <details><summary>Answer</summary>
#
# Only if all faults to come are of that kind. The turned score finds pictures that are *too easy* to draw, and would
# miss what the old one found, such as bags. An AUROC far below 0.5 says that this kind is simpler than normal data.
#
# </details>
#
# One caveat: we looked at the anomalies before we chose the scores. In real use, fix threshold and score on normal data
# alone, and test them on kinds of anomaly that played no part in the choice.

# %% [markdown] references
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
