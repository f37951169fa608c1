# %% [markdown] title
# {{header}}
#
# # 00. Start here
#
# **What does it look like to move through a latent space, and is this machine ready for the course?**
#
# Run the next two cells (click into a cell, then Shift + Enter). Under the second one a map appears. Drag its point.

# %% setup
{{setup}}

# %% map-of-faces tags=["folded"]
# @title A map of faces: run this cell, then drag the point
from course_utils.checkpoints import load_reference
from course_utils.data.faces import HAIR_COLORS, HAIR_SHADES, face_plane, hair_kinds, sample_faces
from course_utils.latents import encode_dataset
from course_utils.widgets import LatentPad

vae = load_reference("faces64_vae")
faces = sample_faces(600, seed=1, size=64)  # the model has seen none of them in training
codes = encode_dataset(vae, faces)  # (600, 64)
pad = LatentPad(
    vae, codes, hair_kinds(faces.handles), HAIR_COLORS, colors=HAIR_SHADES, images=faces, chart=face_plane(vae),
    axes=("turn of the head, light, background", "smile, colour of the hair"), start=(0.6, 0.8), size=440,
)  # fmt: skip
pad

# %% [markdown] first-look
# Drag the marker over the map, or click, or focus the map and use the arrow keys. The face is decoded from the marker's
# place while you move. Go from the bottom to the top, then from left to right. What changes in each direction? What
# stays?
#
# <details><summary>What to see</summary>
#
# Upwards the smile grows, and the hair turns from black through brown and red to blond. To the right the head turns,
# the light moves, and the background changes from blue to sand. Each of the small steps changes the face a little. The
# rest of the face stays nearly the same. At the rim of the map the faces are less clean than inside.
#
# </details>
#
# The same works for other pictures. The next cell makes a switch between the faces and photographs of clothes. The
# switch is not ours. It comes from **ipywidgets**, the library behind all sliders of this course, and takes the three
# last lines: `interact` calls the function below it each time you choose something, and shows what it displays.

# %% switch
from IPython.display import display
from ipywidgets import interact

from course_utils.data import fashion_mnist

test = fashion_mnist("test")  # 2,000 photographs that the model has never seen
model = load_reference("vae_2d")
z = encode_dataset(model, test)  # (2000, 2)
clothes = LatentPad(model, z, test.labels, test.class_names, images=test, start=(0.5, 0.5))


@interact(pictures={"clothes": clothes, "faces": pad})
def show(pictures):
    display(pictures)


# %% [markdown] what-it-is
# Try to turn a trouser into a dress, and a sneaker into an ankle boot. Then drag the marker to the rim, where there are
# no points: what does the model make of a code that it has never used?
#
# After this lesson you
#
# 1. have dragged a point through two latent spaces, and can say what you saw;
# 2. know how a lesson works: predict, run, explore, solve, check;
# 3. know whether your machine runs the course, and how long the lessons will take on it.
#
# **You need:** Python, a little NumPy or PyTorch. **Time:** {{learning}} for you; the cells themselves take
# {{minutes}}.
#
# ## What you have dragged
#
# A photograph of clothes has 28 x 28 = 784 grey values. The model was trained to do two things: to **encode** a
# photograph into only **two** numbers, and to **decode** two numbers back into a photograph. The two numbers are the
# photograph's [[latent code|code]] $z$. What encodes is the [[encoder]], what decodes the [[decoder]]. The plane of all
# pairs of numbers is the model's [[latent space]]. You will build this model, a variational autoencoder, in lessons 02
# to 07.
#
# A face has 64 x 64 pixels of three colours, 12,288 numbers, and its code has 64. A map has only two directions, so the
# map of faces is a flat cut through a space of 64 dimensions. The points on it are the codes of 600 drawn faces, each
# at the place of the map that is nearest to it. Each point has the colour of the face's hair.
#
# Here is the same map of faces on paper: one face for each of 7 x 7 places.

# %% faces-on-paper
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7.4, 7.4), dpi=80, layout="constrained")
ax = pad.static(7, ax=ax)
plt.show()

# %% [markdown] predict
# **Predict first.** Nobody told the model of clothes which photograph shows what: it never saw a label. Where will the
# ten kinds of clothing lie in the plane? All mixed, or in regions? And if regions: which two kinds will share a border?
#
# Then run the cell. Left: each test photograph is a point at its code, coloured by the label that the model never saw.
# Right: the other way round. A regular grid of points is decoded, each point into a picture. Look for the same regions
# in both.

# %% map
import torch

from course_utils import plots
from course_utils.latents import latent_grid

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
# Regions. Shoes lie together, and apart from trousers. Tops of all kinds crowd each other, because in grey and at this
# size a pullover, a coat and a shirt differ little. The model was asked only to restore pixels from two numbers, and
# has given similar pictures similar codes. That is the useful property of a good latent space, and it was learned
# without a single label.
#
# </details>

# %% [markdown] how-text
# ## How a lesson works
#
# - **Predict.** Before a result there is a question. Answer it, in your head or on paper, before you run the cell. A
#   wrong prediction teaches more than a right one that you never made.
# - **Run.** Cells go from top to bottom. What a lesson teaches is written out in it, in short cells. What it does not
#   teach (data, pictures, sliders) comes from the small package `course_utils`. Its files are meant to be opened and
#   read.
# - **Explore.** Each lesson has something to drag. A figure near an explorer shows the same thing for paper.
# - **Solve and check.** An exercise is a function with a hole in it. The cell below it checks your answer and, if it
#   can, names the misunderstanding. If you skip an exercise, the lesson goes on with the reference solution.
# - **Hints** fold open, one at a time. The complete lessons are in the folder `solutions`.
# - **Core and further.** The first part of a lesson, its core, is one sitting. Sections that are headed "Further" come
#   after it. Each of them stands by itself, and you can skip it.
#
# Here is one small exercise to see it work. We need its answer in a minute, to walk from one face to another.

# %% [markdown] exercise-text
# ### Exercise: the point half-way
#
# *Easy, 2 minutes.* Two batches of points are given. Return the point half-way between each pair.


# %% exercise-midpoint
def midpoint(z_a, z_b):
    """The point half-way between z_a and z_b.

    Args:
        z_a: Points, shape (B, D).
        z_b: Points, shape (B, D); row i of the result lies between row i of z_a and row i of z_b.

    Returns:
        Points, shape (B, D).
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

# %% [markdown] walk-text
# ## Half-way between two things
#
# What lies half-way between two faces? In the space of pixels, the average is a double exposure: both at once, each at
# half strength. In the latent space we can average the *codes* and decode the result, with your `midpoint`.
#
# **Predict first.** One face looks to the left and has black hair, the other looks to the right and is blond. Look at
# the two pictures in the middle: which of them shows one face?

# %% walk
from course_utils.data.faces import default_handles, render_faces

ends = default_handles(2, turn=torch.tensor([-0.7, 0.7]), hair_color=torch.tensor([0.1, 0.9]), hair_length=0.75)
left_face, right_face = render_faces(ends, 64).split(1)  # x, each (1, 3, 64, 64)
with torch.no_grad():
    z_half = midpoint(vae.encode(left_face), vae.encode(right_face))  # (1, 64)
    half_way = vae.decode(z_half)
pixel_average = (left_face + right_face) / 2

figure, ax = plt.subplots(figsize=(9, 2.9), dpi=80)
pictures = torch.cat([left_face, pixel_average, half_way, right_face])
plots.image_grid(pictures, columns=4, titles=["one face", "average of pixels", "average of codes", "another"], ax=ax)
plt.show()

# %% [test] walk-holds
truth = render_faces(default_handles(1, hair_color=0.5, hair_length=0.75), 64)
assert (half_way - truth).square().mean() < 0.6 * (pixel_average - truth).square().mean()

# %% [markdown] walk-see
# The average of the pixels shows both faces through each other. The average of the codes decodes into *one* face: it
# looks straight ahead, and its hair is between black and blond. (It is not always so good. With `turn` from -1 to 1 the
# two codes lie farther apart, and the picture between them is blurred. Try it.)
#
# How many numbers a code needs is a question of lesson 02. Why this model can also be asked for codes that no picture
# has is the question of lesson 04. Which path between two codes is best is the question of lesson 13.
#
# ## Three questions
#
# **1.** The model of clothes never saw a label. How can its map still show the kinds of clothing as regions?
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
# No. The decoder is a function, and a function gives an output for any input. It was corrected only where the training
# photographs had their codes.
#
# </details>
#
# **3.** Two photographs have codes that lie close together. Must they show the same kind of clothing?
#
# <details><summary>Answer</summary>
#
# No. Pictures with near codes are often alike, but this is not guaranteed. Look at the tops on the map of clothes.
# Their regions overlap, so near neighbours are often of another kind.
#
# </details>

# %% [markdown] machine-text
# ## Is this machine ready?
#
# Run the next cell. Every line should say `ok`. A line that says `warn` tells you what will be slow or missing. A line
# that says `FAIL` tells you what to mend before you go on. In a terminal, `course doctor` prints the same report.
#
# The last lines are measured on your machine: how many images a second it can learn from, and what that means in
# minutes for the course. You do not need a GPU. Where there is one, the same cells use it.

# %% machine tags=["folded"]
# @title Checks this machine
from course_utils.command import doctor

print(doctor.table(doctor.examine()))

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
