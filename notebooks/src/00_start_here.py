# %% [markdown] title
# {{header}}
#
# # 00. Start here
#
# **What does it look like to move through a latent space, and is this machine ready for the course?**
#
# Run the next two cells (click into a cell, then Shift + Enter). Under the second one a map appears. A trained neural
# network, the **model**, turns each place of the map into a face. Drag the black ring.

# %% setup
{{setup}}

# %% map-of-faces tags=["folded"]
# @title A map of faces: run this cell, then drag the point
from course_utils.checkpoints import load_reference
from course_utils.data.faces import HAIR_COLORS, HAIR_SHADES, face_plane, hair_kinds, sample_faces
from course_utils.latents import encode_dataset
from course_utils.widgets import LatentPad

vae = load_reference("faces64_vae")
faces = sample_faces(900, seed=1, size=64)  # the model has seen none of them in training
faces = faces[hair_kinds(faces.handles) != HAIR_COLORS.index("grey")]  # no place of this map has grey hair
codes = encode_dataset(vae, faces)  # (N, 64)
pad = LatentPad(
    vae, codes, hair_kinds(faces.handles), HAIR_COLORS, colors=HAIR_SHADES, images=faces, chart=face_plane(vae),
    axes=("turn of the head, light, background", "smile, colour of the hair"), start=(0.6, 0.8), size=440,
)  # fmt: skip
pad

# %% [markdown] first-look
# The left face is what the model makes of the ring's place. Go from the bottom to the top, then from left to right.
# What changes in each direction? What stays?
#
# <details><summary>What to see</summary>
#
# Upwards the smile grows, and the hair turns from black through brown and red to blond. To the right the head turns,
# the light moves, and the background changes from blue to sand. Each of the small steps changes the face a little. The
# shape of the hair, the brows and the clothes stay nearly the same.
#
# The small points are drawn faces, in the colour of their hair. The large dots stand in the middle of each colour. The
# small face on the right is one of these drawn faces, the one whose 64 numbers are nearest to those of the left face.
# "Away" is the distance between the 64 numbers, not a distance on the map. So it is another face, even with the ring on
# a point.
#
# </details>
#
# The same works for photographs of clothes. Before you look at their map, **predict**: the model of clothes has never
# been told which photograph shows what. There are ten kinds: T-shirts, trousers, pullovers, dresses, coats, sandals,
# shirts, sneakers, bags and ankle boots. Will they lie mixed on its map, or in regions? Which of them will
# overlap most?
#
# The next cell makes a switch between the two maps. It comes from **ipywidgets**, the library behind all sliders of
# this course: `interact` calls the function below it at each choice.

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
# Try to turn a trouser into a dress, and a sneaker into an ankle boot. Then drag the ring to the rim, where there are
# no points. What does the model draw there?
#
# <details><summary>What to see</summary>
#
# The kinds lie in regions. The regions of pullover, coat and shirt overlap most. At the rim some places give a clean
# shoe, others a blur or a torn garment.
#
# </details>
#
# After this lesson you
#
# 1. have dragged a point through two latent spaces, and can say what you saw;
# 2. know how a lesson works: predict, run, explore, solve, check;
# 3. know whether your machine runs the course, and how long all its cells will run on it.
#
# **You need:** Python, a little NumPy. You need not understand the lines of PyTorch yet. **Time:** {{learning}} for
# you; the cells themselves take {{minutes}}.
#
# ## What you have dragged
#
# A photograph of clothes has 28 x 28 = 784 grey values. The model of clothes has two parts, and both were trained. The
# [[encoder]] turns a photograph into only **two** numbers, the photograph's [[latent code|code]] $z$. The [[decoder]]
# turns two numbers back into a photograph. The plane of all pairs of numbers is the model's [[latent space]]. You will
# build this model, a variational autoencoder, in lessons 02 to 07.
#
# A face has 64 x 64 pixels of three colours, 12,288 numbers, and its code has 64. A map has only two directions. So the
# map of faces is a plane in a space of 64 dimensions: each place of it is a code of 64 numbers. We chose the plane so
# that it goes through the codes of four faces. The two at left and right differ in turn, light and background, the two
# at bottom and top in smile and hair. Each point stands for one drawn face. The code of that face does not lie on the
# plane. The point is the place of the plane that is nearest to it.
#
# Here is the same map of faces on paper: one face for each of 7 x 7 places.

# %% faces-on-paper
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7.4, 7.4), dpi=80, layout="constrained")
ax = pad.static(7, ax=ax)
plt.show()

# %% [markdown] predict
# And the map of clothes. Left: each test photograph is a point at its code, coloured by a label that the model never
# saw. Right: the other way round. A regular grid of points is decoded, each point into a picture. The dashed frame on
# the left is the part of the plane that the right picture shows. Look for the same regions in both.

# %% map
import torch

from course_utils import plots
from course_utils.latents import latent_grid

low, high = z.quantile(torch.tensor([0.01, 0.99]), dim=0)  # leave out the outermost codes
x_range, y_range = zip(low.tolist(), high.tolist(), strict=True)
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5.6), dpi=80, layout="constrained")
plots.latent_scatter(z, test.labels, test.class_names, ax=left)
plots.latent_canvas(latent_grid(model, x_range, y_range, 16), x_range, y_range, ax=right)
left.add_patch(plt.Rectangle((low[0], low[1]), *(high - low), fill=False, linestyle="--"))
left.set_title("encoded: every test photograph at its code")
right.set_title("decoded: a grid of codes")
plt.show()

# %% [markdown] see
# The kinds lie in regions. Sandals, sneakers and ankle boots share the lower part of the map. Pullover, coat and shirt
# overlap most: in grey and at this size they differ little. T-shirts lie beside the dresses. The model was trained to
# restore photographs from two numbers, and it has given similar pictures similar codes. That is the useful property of
# a good latent space, and it was learned without a single label.

# %% [markdown] how-text
# ## How a lesson works
#
# - **Predict.** Before a result there is a question. Answer it, in your head or on paper, before you run the cell. A
#   wrong prediction teaches more than a right one that you never made.
# - **Run.** Cells go from top to bottom. What a lesson teaches is written out in it, in short cells. What it does not
#   teach (data, pictures, sliders) comes from the small package `course_utils`. Its files are meant to be opened and
#   read.
# - **Explore.** Most lessons have something to drag, an *explorer*. A figure near it shows the same thing for paper.
# - **Solve and check.** An exercise is a function with a hole in it. The cell below it checks your answer and, if it
#   can, names the misunderstanding. If you skip an exercise, run that cell all the same: the lesson then goes on with
#   the reference solution.
# - **Hints** fold open, one at a time. The complete lessons are in the folder `solutions`.
# - **Core and further.** The first part of a lesson, its core, is one sitting. Sections that are headed "Further" come
#   after it. Each of them stands by itself, and you can skip it.
#
# Here is one small exercise to see it work. We need its answer in a minute, to find the face half-way between two.

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
# What lies half-way between two faces? We can average their pixels, or we can average their *codes* with your
# `midpoint` and decode the result.
#
# **Predict first.** One face is turned a little to the left and has black hair, the other is turned to the right and is
# blond. What will each of the two averages show: one face or two?

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
# The average of the pixels shows both faces through each other. The average of the codes decodes into *one* face, a
# little smeared at the eyes. It looks straight ahead, and its hair is between black and blond. It is not always so
# good. With `turn` from -1 to 1 the two codes lie farther apart, and the face between them loses its eyes. Try it.
#
# Lesson 02 asks how many numbers a code needs. Lesson 04 asks why this model can decode codes that belong to no
# picture. Lesson 13 asks which path between two codes is best.
#
# ## Three questions
#
# **1.** The model of clothes never saw a label. How can its map still show the kinds of clothing as regions?
#
# <details><summary>Answer</summary>
#
# Two numbers cannot hold every detail, so many photographs must share each small region of the map. The error is
# smallest if those that share a region have similar pixels, and photographs of one kind have similar pixels.
# So the regions follow the pixels, not the labels: where two kinds look alike, they overlap.
#
# </details>
#
# **2.** You decode a code far outside the cloud of points and get a picture. Does it show that such clothes exist?
#
# <details><summary>Answer</summary>
#
# No. The decoder is a function, and a function gives an output for any input. It was trained only near the codes of the
# training photographs.
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
# Run the next cell. Every line should say `ok`. With `warn` you can go on: the line tells you what will be slow or
# missing. With `FAIL` the line tells you what to mend first. You need not know the words of a line that says `ok`. In a
# terminal, `course doctor` prints the same report.
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
# **What to keep from this lesson.** A latent space is a space of codes with two functions. The encoder $E$ turns a
# picture into a code, $z = E(x)$. The decoder $D$ turns a code into a picture, $\hat x = D(z)$; the hat says that the
# picture was made by the model. In a good latent space, near codes decode to similar things.
#
# **References.** Xiao, Rasul and Vollgraf (2017), *Fashion-MNIST: a novel image dataset for benchmarking machine
# learning algorithms*, [arXiv:1708.07747](https://arxiv.org/abs/1708.07747). Kingma and Welling (2013),
# *Auto-encoding variational Bayes*, [arXiv:1312.6114](https://arxiv.org/abs/1312.6114).
