# %% [markdown] title
# {{header}}
#
# # 00. Start here
#
# **What does it look like to move through a latent space, and is this machine ready for the course?**
#
# After this lesson you
#
# 1. know whether your machine runs the course, and how long the lessons will take on it;
# 2. know how a lesson works: predict, run, explore, solve, check;
# 3. have dragged a point through the latent space of real photographs of clothes, and can say what you saw.
#
# **You need:** Python, a little NumPy or PyTorch. **Time:** {{learning}} for you; the cells themselves take
# {{minutes}}.

# %% setup
{{setup}}

# %% [markdown] machine-text
# ## Is this machine ready?
#
# Run the next cell (Shift + Enter). Every line should say `ok`. A line that says `warn` tells you what will be slow
# or missing; a line that says `FAIL` tells you what to mend before you go on. In a terminal, `course doctor` prints
# the same report.
#
# The last lines are measured on your machine: how many images a second it can learn from, and what that means in
# minutes for the course. You do not need a GPU. Where there is one, the same cells use it.

# %% machine
from course_utils.command import doctor

print(doctor.table(doctor.examine()))

# %% [markdown] how-text
# ## How a lesson works
#
# - **Predict.** Before a result there is a question. Answer it, in your head or on paper, before you run the cell. A
#   wrong prediction teaches more than a right one that you never made.
# - **Run.** Cells go from top to bottom. Whatever a lesson teaches is written out in it, in cells you can read at one
#   glance. What it does not teach (data, pictures, sliders) comes from the small package `course_utils`, whose files
#   are meant to be opened and read.
# - **Explore.** Each lesson has something to drag. The figure above an explorer shows the same thing for paper.
# - **Solve and check.** An exercise is a function with a hole in it. The cell below it checks your answer and, if it
#   can, names the misunderstanding. If you skip an exercise, the lesson goes on with the reference solution.
# - **Hints** fold open, one at a time. The complete lessons are in the folder `solutions`.
#
# Here is one small exercise to see it work. We need its answer in a minute, to walk from one piece of clothing to
# another.

# %% [markdown] exercise-text
# ### Exercise: the point half-way
#
# *Easy, 2 minutes.* Two batches of points are given. Return the point half-way between each pair.


# %% exercise-midpoint
def midpoint(z_a, z_b):
    """The point half-way between z_a and z_b.

    Args:
        z_a: Points, shape (B, 2).
        z_b: Points, shape (B, 2); row i of the result lies between row i of z_a and row i of z_b.

    Returns:
        Points, shape (B, 2).
    """
    ### BEGIN SOLUTION
    return (z_a + z_b) / 2
    ### END SOLUTION


# %% check-midpoint
from course_utils import checks

midpoint = checks.accept("midpoint", midpoint)

# %% [markdown] hints
# <details><summary>Hint 1</summary>
#
# The half-way point is the average of the two.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `z_a` and `z_b` are tensors of the same shape, so `+` and `/` work on every element at once; no loop is needed. Mind
# the brackets.
#
# </details>

# %% [markdown] tour-text
# ## A two-minute tour
#
# A photograph from the data set Fashion-MNIST has 28 x 28 = 784 grey values. The model below was trained to do two
# things: to **encode** a photograph into only **two** numbers, and to **decode** two numbers back into a photograph.
# The two numbers are the photograph's **latent code** $z$, and the plane of all pairs of numbers is the model's
# **latent space**. You will build this model, a variational autoencoder, in lessons 04 to 07. Today we only look.

# %% load
import matplotlib.pyplot as plt
import torch

from course_utils import plots
from course_utils.checkpoints import load_reference
from course_utils.data import fashion_mnist
from course_utils.latents import encode_dataset, latent_grid

test = fashion_mnist("test")  # 2,000 photographs the model has never seen
model = load_reference("vae_2d")
z = encode_dataset(model, test)
print("photographs", tuple(test.images.shape), " codes", tuple(z.shape))

# %% [markdown] predict
# **Predict first.** Nobody told the model which photograph shows what: it never saw a label. Where will the ten kinds
# of clothing lie in the plane? All mixed, or in regions? And if regions: which two kinds will share a border?
#
# Then run the cell. Left: each test photograph is a point at its code, coloured by the label the model never saw.
# Right: the other way round. A regular grid of points is decoded, each point into a picture. Look for the same
# regions in both.

# %% map
low, high = z.quantile(torch.tensor([0.01, 0.99]), dim=0)  # leave out the outermost codes
x_range, y_range = zip(low.tolist(), high.tolist(), strict=True)
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5.6), dpi=80, layout="constrained")
plots.latent_scatter(z, test.labels, test.class_names, ax=left)
plots.latent_canvas(latent_grid(model, x_range, y_range, 16), x_range, y_range, ax=right)
left.set_title("encoded: every test photograph at its code")
right.set_title("decoded: a grid of codes")
plt.show()

# %% [markdown] see
# <details><summary>What to see</summary>
#
# Regions. Shoes lie together, and apart from trousers; tops of all kinds crowd each other, because in grey and at
# this size a pullover, a coat and a shirt differ little. The model was asked only to restore pixels from two numbers,
# and has given similar pictures similar codes. That is the useful property of a good latent space, and it was learned
# without a single label.
#
# </details>
#
# ## Drag a point
#
# Drag the marker over the map, or click, or focus the map and use the arrow keys. The picture is decoded from the
# marker's two numbers while you move. Try to turn a trouser into a dress, and a sneaker into an ankle boot. Then drag
# the marker to the rim, where there are no points: what does the model make of a code it has never used?

# %% explore
from course_utils.widgets import LatentPad

pad = LatentPad(model, z, test.labels, test.class_names, images=test)
pad.move_to(0.5, 0.5)
pad

# %% [markdown] walk-text
# ## Half-way between two things
#
# What lies half-way between two photographs? In the space of pixels, the average is a double exposure: both at once,
# each at half strength. In the latent space we can average the *codes* and decode the result, with your `midpoint`.
#
# **Predict first.** What is half-way between a sneaker and an ankle boot? Look at the two pictures in the middle: are
# they one thing, or two things at once?

# %% walk
sneaker = test.pixels((test.labels == 7).nonzero()[0])  # x, shape (1, 1, 28, 28)
boot = test.pixels((test.labels == 9).nonzero()[1])

with torch.no_grad():
    z_half = midpoint(model.encode(sneaker), model.encode(boot))
    half_way = model.decode(z_half)
pixel_average = (sneaker + boot) / 2

figure, ax = plt.subplots(figsize=(8, 2.6), dpi=80)
pictures = torch.cat([sneaker, pixel_average, half_way, boot])
plots.image_grid(pictures, columns=4, titles=["sneaker", "average of pixels", "average of codes", "ankle boot"], ax=ax)
plt.show()

# %% [markdown] walk-see
# The average of the pixels shows both shoes through each other. The average of the codes decodes into *one* shoe. It
# is also blurred: two numbers cannot hold every detail of a photograph, so the model decodes what the photographs
# near that code have in common. How many numbers are enough is a question of lesson 02; why this model is smooth
# where a plain autoencoder has holes, of lesson 04; what the best path between two codes is, of lesson 13.
#
# ## Three questions
#
# **1.** The model never saw a label. How can the map still show the kinds of clothing as regions?
#
# <details><summary>Answer</summary>
#
# Two numbers must be enough to restore the picture, and the space between codes has to decode to something sensible
# too. The cheapest way is to give photographs with similar pixels similar codes. Photographs of one kind have similar
# pixels. The regions follow the pixels, not the labels: where two kinds look alike, they overlap.
#
# </details>
#
# **2.** You decode a code far outside the cloud of points and get a picture. Does it show that such clothes exist?
#
# <details><summary>Answer</summary>
#
# No. The decoder is a function, and a function gives an output for any input. Only where the training photographs had
# their codes was it ever corrected.
#
# </details>
#
# **3.** Two photographs have codes that lie close together. Must they show the same kind of clothing?
#
# <details><summary>Answer</summary>
#
# No. Closeness in latent space is correlated with likeness; it does not guarantee it. Look at the tops on the map:
# their regions overlap, so near neighbours are often of another kind.
#
# </details>

# %% [markdown] progress-text
# ## Your progress
#
# Passed exercises are remembered in a small file in your home folder. It never leaves your machine. Come back to this
# cell to see how far you are.

# %% progress
print(checks.progress_table())

# %% [markdown] next
# ## Where to go next
#
# - **You study alone.** Take the lessons in order; each builds on the one before. Begin with [01. What is a latent
#   space?](01_what_is_a_latent_space.ipynb)
# - **You teach a lab.** Read `docs/INSTRUCTORS.md` in the course's repository: plans for 50, 100 and 180 minutes,
#   what weak machines need, and how to hand out and collect exercises.
# - **You are in a hurry.** Do [lesson 01](01_what_is_a_latent_space.ipynb) up to PCA, then [02.
#   Autoencoders](02_autoencoders.ipynb), and skip the exercises: every lesson runs without them.
#
# **What to keep from this lesson.** A latent space is a space of codes with two maps: encode, $z = E(x)$, and decode,
# $\hat x = D(z)$. In a good one, near codes decode to similar things, and the way between two codes passes through
# things that could be real.
#
# **References.** Xiao, Rasul and Vollgraf (2017), *Fashion-MNIST: a novel image dataset for benchmarking machine
# learning algorithms*, [arXiv:1708.07747](https://arxiv.org/abs/1708.07747). Kingma and Welling (2013),
# *Auto-encoding variational Bayes*, [arXiv:1312.6114](https://arxiv.org/abs/1312.6114).
