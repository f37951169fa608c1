"""The explorers that live in the book: what each one is, where it stands in a lesson, and how it is made.

Most are made by the lesson's own cells, so a lesson and the book show the same. Those that no lesson makes in a form
that a page can answer are made here, from the same reference models.
"""

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch

from course_utils import widgets
from course_utils.checkpoints import load_reference
from course_utils.data import fashion_mnist
from course_utils.data.faces import HAIR_COLORS, HAIR_SHADES, HANDLES, face_plane, hair_kinds, sample_faces
from course_utils.files import notebooks_dir
from course_utils.latents import decode_dataset, encode_dataset
from course_utils.models.diffusion import sample
from course_utils.recipes.faces import CVAE_HANDLES, face_condition


@dataclass(frozen=True)
class Shown:
    """One explorer of the book."""

    name: str  # of its page and of its files
    title: str
    says: tuple[str, str, str]  # what it is, what to try, what to see
    lesson: str  # number of the lesson that it belongs to
    cell: str | None  # the cell in which it stands there; None: only in the gallery
    make: Callable[[], widgets.Explorer]
    steps: int | tuple[int, ...] | None = None  # positions a slider, where answers are stored and all are too many


@cache
def _lesson(number: str) -> tuple[dict, dict]:
    """The cells of a complete lesson by their ids, and the names that those that ran have defined."""
    (path,) = (notebooks_dir() / "solutions").glob(f"{number}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = {cell["id"]: "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"}
    return sources, {"__name__": f"lesson_{number}"}


def lesson(number: str, *cells: str) -> dict:
    """What a lesson defines: these cells of the complete lesson run, each of them once, however often it is asked for.

    Args:
        number: Two digits of the lesson.
        cells: Ids of the cells, in their order.

    Returns:
        The lesson's names.
    """
    import matplotlib.pyplot as plt

    sources, names = _lesson(number)
    done = names.setdefault("cells that ran", set())
    for cell in cells:
        if cell not in done:
            done.add(cell)
            with contextlib.redirect_stdout(io.StringIO()), plt.ioff():
                exec(compile(sources[cell], f"<lesson {number}, {cell}>", "exec"), names)
            plt.close("all")
    return names


def face_map() -> widgets.LatentPad:
    """The map of lesson 00 with fewer faces, in colours that can be seen on white and on black, beside its pictures."""
    model, faces = load_reference("faces64_vae"), sample_faces(450, seed=1, size=64)
    faces = faces[hair_kinds(faces.handles) != HAIR_COLORS.index("grey")]
    shades = ("#625c66", "#96592f", *HAIR_SHADES[2:])
    axes = ("turn of the head, light, background", "smile, colour of the hair")
    return widgets.LatentPad(
        model, encode_dataset(model, faces), hair_kinds(faces.handles), HAIR_COLORS, colors=shades, images=faces,
        chart=face_plane(model), axes=axes, start=(0.6, 0.8), size=380,
    )  # fmt: skip


def clothes_map() -> widgets.LatentPad:
    """The map of lesson 04, at a sneaker."""
    pad = lesson("04", "imports", "cloud-code", "cloud-figure", "pad")["pad"]
    pad.move_to(1.4, -0.4)
    return pad


def face_handles() -> widgets.HandleSliders:
    """Five handles of a face, each of which leaves the other twelve alone, as far as a straight line can tell."""
    model, faces = load_reference("faces64_vae"), sample_faces(1000, seed=90, size=64)
    low, high = torch.tensor([(handle.low, handle.high) for handle in HANDLES.values()]).T
    z = encode_dataset(model, faces)
    share = (faces.handles - low) / (high - low)
    read = torch.linalg.lstsq(torch.cat([z, torch.ones(len(z), 1)], dim=1), share).solution[:-1]  # (D, 13)
    moves = torch.linalg.pinv(read)  # (13, D): row k raises what is read as handle k by 1, and nothing else
    names = ("smile", "age", "glasses", "light", "hair_color")
    directions = {name.replace("_", " "): moves[list(HANDLES).index(name)] for name in names}
    return widgets.HandleSliders(model, faces.pixels([3])[0], directions, reach=0.8, title="Handles of a face")


def told_face() -> widgets.FunctionSliders:
    """One face by a conditional VAE: what its code says stays, and the model is told another smile, age and glasses."""
    model, faces = load_reference("faces64_cvae"), sample_faces(4, seed=90, size=64)
    own = face_condition(faces.handles[3])
    with torch.inference_mode():
        z = model.encode(faces.pixels([3]), own)
    ranges = {name: (HANDLES[name].low, HANDLES[name].high) for name in CVAE_HANDLES}

    def face(*told):
        return {"the model": model.decode(z, torch.tensor(told))[0].clamp(0, 1)}

    def say(smile, age, glasses):
        return f"One code, told a smile of {smile:.2f}, an age of {age:.2f} and glasses of {glasses:.2f}."

    sliders = {name: (*ends, float(start)) for (name, ends), start in zip(ranges.items(), own, strict=True)}
    return widgets.FunctionSliders(face, sliders, describe=say, title="A face that is told")


def gan_walk() -> widgets.PathSlider:
    """From a boot to a bag: in a GAN, whose codes are searched for, and in a VAE."""
    test, spaces = fashion_mnist("test"), {"GAN": load_reference("gan_fashion"), "VAE": load_reference("vae_16d")}
    boot, bag = (test.pixels()[test.labels == kind][1] for kind in (9, 8))
    walk = widgets.PathSlider(spaces, boot, bag)
    walk.move_to(0.5)
    return walk


def laboratory() -> widgets.PathLab:
    """Six spaces, ten pictures, two paths."""
    names = lesson("13", "imports", "spaces")
    codes, kept = names["codes"], names["kept"]
    known = {name: z for name, z in codes.items() if name in kept}
    decoded = {"diffusion": kept["diffusion paths"]}
    return widgets.PathLab(names["spaces"], names["few"], codes=known, decoded=decoded, start=(7, 3, 0.5))


def gan_plane() -> widgets.LatentPad:
    """A plane through three draws of the GAN of clothes, coloured by what a classifier says of each place."""
    gan, classifier, names = load_reference("gan_fashion"), load_reference("classifier_fashion"), _class_names()
    draws = gan.sample_latent(200, generator=torch.Generator().manual_seed(3))
    kinds = _kinds(classifier, decode_dataset(gan, draws))
    corners = torch.stack([draws[kinds == names.index(kind)][0] for kind in ("Trouser", "Bag", "Ankle boot")])
    middle, (across, up) = corners.mean(dim=0), torch.linalg.qr((corners[1:] - corners[0]).T).Q.T
    steps = torch.stack([across, up])  # orthonormal, (2, D)
    places = 14 * (torch.rand(900, 2, generator=torch.Generator().manual_seed(4)) - 0.5)
    codes = middle + places @ steps
    kinds = _kinds(classifier, decode_dataset(gan, codes))
    chart = (lambda z: (z - middle) @ steps.T), (lambda points: middle + points @ steps)
    axes = ("towards a bag", "towards an ankle boot")
    start = tuple(((corners[2] - middle) @ steps.T).tolist())
    return widgets.LatentPad(gan, codes, kinds, names, chart=chart, axes=axes, start=start)


def diffusion_walk() -> widgets.FunctionSliders:
    """From noise to three garments in 60 steps of DDIM: the state and the guess, frame by frame."""
    model, kinds = load_reference("diffusion_fashion"), torch.tensor([1, 8, 9])
    noise = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(5))
    walk = [(999, noise, noise)]

    def predict(x_t, t):
        return model.predict_eps(x_t, t, kinds, guidance=2.0)

    sample(model.schedule, predict, noise, steps=60, clip=1.0, callback=lambda *now: walk.append(now))

    def frame(step):
        _, state, guess = walk[round(step)]
        return {"the state": _side_by_side(model, state), "the guess": _side_by_side(model, guess)}

    def say(step):
        return f"{round(step)} of 60 steps: trousers, a bag and an ankle boot out of noise."

    return widgets.FunctionSliders(frame, {"step": (0, 60, 30, 1)}, describe=say, title="A walk out of noise")


def _side_by_side(model, states: torch.Tensor) -> torch.Tensor:
    return torch.cat([*model.to_images(states)], dim=2)  # (1, 28, 3 * 28)


@cache
def _class_names() -> list[str]:
    return list(fashion_mnist("test").class_names)


@torch.no_grad()
def _kinds(classifier, images: torch.Tensor) -> torch.Tensor:
    return classifier(images).argmax(dim=1)


def made_by(number: str, *cells: str, explorer: str) -> Callable[[], widgets.Explorer]:
    """For later: the explorer of that name, as a lesson's cells make it."""
    return lambda: lesson(number, *cells)[explorer]


GALLERY = (
    Shown(
        "faces", "A map of faces",
        ("Each place of the map is a code of 64 numbers, and the model turns it into a face while you drag.",
         "Drag the ring upwards, then to the right.",
         "Upwards the smile grows and the hair becomes blond; to the right the head turns and the light moves."),
        "00", "map-of-faces", face_map,
    ),
    Shown(
        "clothes", "A map of clothes",
        ("A variational autoencoder gives each photograph of clothes two numbers, its place on this map.",
         "Drag the ring from the trousers to the dresses, and then to the rim.",
         "Near the points the decoder draws clothes; where no points are it draws what it has never practised."),
        "04", "pad", clothes_map,
    ),
    Shown(
        "handles", "Handles of a face",
        ("Each slider moves the code of one face along one direction of the latent space.",
         "Move the smile, then the age, then the glasses.",
         "The directions were found so that the other handles stay, as far as a straight line can tell; look where "
         "they do not."),
        "09", "explorer", face_handles,
    ),
    Shown(
        "told", "A face that is told its smile",
        ("A conditional VAE gets three numbers beside the code: smile, age and glasses.",
         "Move the age from one end to the other, then the smile.",
         "The code is the same at each position; look what changes besides the handle that you move."),
        "09", None, told_face, steps=(7, 5, 3),
    ),
    Shown(
        "components", "More and more components",
        ("Principal components describe a picture by numbers, the most important ones first.",
         "Drag the slider from the left to the right.",
         "Four components make a pullover with sleeves; with 64 its print is still a dark smear."),
        "01", "component-explorer",
        made_by("01", "imports", "fade-figure", "class-agrees", "component-twin", "component-explorer",
                explorer="slider"),
    ),
    Shown(
        "walk", "A walk between two pictures",
        ("The slider goes in a straight line from the code of trousers to the code of a boot.",
         "Stop half-way.",
         "PCA has only straight directions, so half-way you see both garments through each other."),
        "01", "path-explorer",
        made_by("01", "imports", "fade-figure", "class-agrees", "path-twin", "path-explorer", explorer="path_slider"),
    ),
    Shown(
        "gan-walk", "The same walk in a GAN and in a VAE",
        ("A boot becomes a bag, once in the latent space of a GAN and once in that of a VAE, by LERP and by SLERP.",
         "Drag the slider slowly, and look at the ends first.",
         "The GAN's pictures are sharper on the way; at the ends neither shows quite the picture that was given."),
        "10", "path-explorer", gan_walk,
    ),
    Shown(
        "gan-plane", "A plane in the latent space of a GAN",
        ("The plane goes through three draws of a GAN: trousers, a bag and an ankle boot.",
         "Drag the ring between the coloured regions, which a classifier has named.",
         "The kinds have regions here too, although the generator was never told a kind."),
        "10", None, gan_plane,
    ),
    Shown(
        "laboratory", "The path laboratory",
        ("Two pictures, six latent spaces, and the two paths between their codes: LERP in a straight line, SLERP "
         "along an arc.",
         "Choose a sneaker and an ankle boot, then the most different pair that you can think of.",
         "The chart shows how much shorter LERP's codes are on the way, and the pictures show what that costs."),
        "13", "laboratory", laboratory,
    ),
    Shown(
        "t-sne", "Fifteen maps of the same codes",
        ("t-SNE lays 2,000 codes out on a map, here with five perplexities and from three random starts.",
         "Point at the map, then choose another perplexity or another start.",
         "The kinds stay together on each map; where a group lies, and what lies beside it, does not stay."),
        "08", "point-explorer",
        made_by("08", "imports", "knob-figure", "point-static", explorer="explorer"),
    ),
    Shown(
        "two-kl", "Forward and reverse KL",
        ("A normal distribution q, which you move, tries to be like a p with two humps.",
         "Make the forward KL as small as you can, then the reverse KL.",
         "The forward KL wants q to cover both humps; the reverse KL lets it sit on one."),
        "06", "directions-explorer",
        made_by("06", "imports", "kl", "model", "grid-exercise", "seen", "directions", "directions-twin",
                "directions-explorer", explorer="directions_explorer"),
        steps=(41, 15),
    ),
    Shown(
        "shell", "Where draws of many numbers lie",
        ("The charts show how long draws from the standard normal distribution are, and how long their midpoints.",
         "Drag the dimension from 1 to 512.",
         "With 16 dimensions the two hills overlap. With 512 they are far apart: no draw is as short as a midpoint."),
        "13", "shell-explorer",
        made_by("13", "imports", "one-pair", "shell-charts", "shell-twin", "shell-explorer",
                explorer="shell_explorer"),
    ),
    Shown(
        "diffusion", "A walk out of noise",
        ("A diffusion model makes three garments out of noise in 60 steps.",
         "Drag the slider, and compare the state with the model's guess of the end.",
         "The guess knows long before the state which garment it will be."),
        "12", "walks-explorer", diffusion_walk,
    ),
)  # fmt: skip
