"""The explorers that live in the book: what each one is, where it stands in a lesson, and how it is made.

Most are made by the lesson's own cells, so a lesson and the book show the same. Those that no lesson makes in a form
that a page can answer are made here, from the same reference models.

- GALLERY: they have pages of their own too, with three sentences.
- IN_LESSONS: they stand in their lesson only. No training runs for them: where the lesson trains a model of its own, a
  reference model answers, and a sentence below the explorer says so.
- ELSEWHERE: what only a running notebook can show, and why.
"""

import ast
import contextlib
import io
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch

from course_utils import plots, widgets
from course_utils.checkpoints import load_reference
from course_utils.data import fashion_mnist
from course_utils.data.faces import HAIR_COLORS, HAIR_SHADES, HANDLES, face_plane, hair_kinds, sample_faces
from course_utils.files import notebooks_dir
from course_utils.latents import decode_dataset, encode_dataset
from course_utils.models.diffusion import sample
from course_utils.recipes.faces import CVAE_HANDLES, face_condition

from .controls import Control


@dataclass(frozen=True)
class Shown:
    """One explorer of the book."""

    name: str  # of its page and of its files
    title: str
    says: tuple[str, ...]  # what it is, what to try, what to see; nothing where it has no page
    lesson: str  # number of the lesson that it belongs to
    cell: str | None  # the cell in which it stands there; None: only in the gallery
    make: Callable[[], widgets.Explorer]
    steps: int | tuple[int, ...] | None = None  # positions a slider, where answers are stored and all are too many
    note: str = ""  # what stands below it in the lesson: how it differs from the one in the notebook


@cache
def _lesson(number: str) -> tuple[dict, dict]:
    """The cells of a complete lesson by their ids, and the names that those that ran have defined."""
    (path,) = (notebooks_dir() / "solutions").glob(f"{number}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = {cell["id"]: "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"}
    return sources, {"__name__": f"lesson_{number}"}


def lesson(number: str, *cells: str, **instead) -> dict:
    """What a lesson defines: these cells of the complete lesson run, each of them once, however often it is asked for.

    Args:
        number: Two digits of the lesson.
        cells: Ids of the cells, in their order. "id: a, b" runs of that cell only its imports and what gives the names
            a and b a value.
        instead: What cells that are left out would have defined, because they train.

    Returns:
        The lesson's names.
    """
    import matplotlib.pyplot as plt

    sources, names = _lesson(number)
    done = names.setdefault("cells that ran", set())
    names.update(instead)
    for cell in cells:
        if cell not in done:
            done.add(cell)
            name, _, wanted = cell.partition(":")
            tree = ast.parse(sources[name])
            if wanted:
                tree.body = [one for one in tree.body if _defines(one, set(wanted.replace(",", " ").split()))]
            with contextlib.redirect_stdout(io.StringIO()), plt.ioff():
                exec(compile(tree, f"<lesson {number}, {name}>", "exec"), names)
            plt.close("all")
    return names


def _defines(statement: ast.stmt, wanted: set[str]) -> bool:
    """Whether a statement is an import, or gives one of these names a value."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return statement.name in wanted
    targets = [node for target in getattr(statement, "targets", ()) for node in ast.walk(target)]
    named = {node.id for node in targets if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return isinstance(statement, (ast.Import, ast.ImportFrom)) or bool(named & wanted)


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


# ------------------------------------------------------------------------------------------- only in their lessons


def clothes_of_the_list() -> widgets.LatentPad:
    """What the list of lesson 00 shows under the name of clothes."""
    return lesson("00", "map-of-faces: nothing", "switch: test, model, z, clothes")["clothes"]


def one_number() -> Control:
    """The learner's slider over one number of a code by PCA."""
    names = lesson("01", "imports", "fade-figure", "class-agrees", "exercise-slider", "slider-twin")
    return Control(names["component_control"](names["pca"], names["z"], k=1, reach=10.0), "One number of a code")


def _lesson_02() -> dict:
    """Lesson 02, with the reference model of two numbers for the one that it trains."""
    given = {"model": load_reference("autoencoder_2d")}
    cells = ("imports", "map: codes_train, codes_test", "map-canvas: low, high, x_range, y_range", "slider-exercise")
    return lesson("02", *cells, **given)


def two_numbers() -> Control:
    """The learner's two sliders over a code."""
    names = _lesson_02()
    arguments = names["model"], names["codes_train"][0], names["x_range"], names["y_range"]
    return Control(names["code_sliders"](*arguments), "Two numbers of a code")


def autoencoder_map() -> widgets.LatentPad:
    """The map of an autoencoder, with the test images, which are fewer."""
    names = _lesson_02()
    test, codes = names["test"], names["codes_test"]
    start = names["codes_train"][0].tolist()
    return widgets.LatentPad(names["model"], codes, test.labels, test.class_names, images=test, start=start)


def two_walks() -> widgets.PathSlider:
    """The walk between trousers and a dress, with codes of 2 and of 32 numbers."""
    _lesson_02()
    cells = ("sweep: sizes, references", "generator: reference", "path-figure: x_a, x_b", "path-explorer: walk")
    walk = lesson("02", *cells)["walk"]
    walk.move_to(0.4)
    return walk


def _lesson_03() -> dict:
    """Lesson 03; its own denoiser, which it trains, is not shown in these explorers."""
    cells = (
        "imports", "corruptions-figure: nothing", "corruption-exercise", "train-denoiser: strong",
        "restore-figure: ridge, plain, reference, restore_all", "strengths-twin: boot", "noise-control",
        "noise-control-use: eps",
    )  # fmt: skip
    return lesson("03", *cells, denoiser=load_reference("denoising_32d"))


def noise_strength() -> Control:
    """The learner's slider over the strength of noise."""
    names = _lesson_03()
    control = names["noise_control"](names["reference"], names["boot"], names["eps"])
    return Control(control, "The strength of the noise")


def restorations() -> widgets.FunctionSlider:
    """Four restorations of a noisy boot."""
    _lesson_03()
    return lesson("03", "explorer-strength-twin")["strength_explorer"]


def one_unit() -> widgets.FunctionSlider:
    """One unit of a sparse code, by the reference model."""
    model, names = load_reference("sparse_k"), lesson("03", "imports")
    with torch.no_grad():
        z = model.encode(names["x_test"])
    given = {"sparse": model, "z": z, "labels": names["test"].labels[:1000]}
    names = lesson("03", "explorer-unit-twin", **given)
    names["unit_explorer"].move_to(names["largest"])
    return names["unit_explorer"]


def temperature() -> Control:
    """The learner's slider over the temperature, with the reference model of 16 numbers."""
    names = lesson("04", "imports", "temperature: eight", "temperature-control", vae16=load_reference("vae_16d"))
    return Control(names["temperature_control"](names["vae16"], names["eight"]), "Temperature")


def clouds() -> widgets.FunctionSliders:
    """The clouds of the first 50 images; in the notebook there are 200."""
    names = lesson("04", "imports", "cloud-code")
    test = names["test"]
    explorer = widgets.FunctionSliders(
        names["cloud_on_map"], {"image": (0, 49, 1, 1), "r": (0.25, 3, 2, 0.25)}, title="Clouds of images",
        describe=lambda number, r: f"A {test.class_names[test.labels[int(number)]].lower()}.",
    )  # fmt: skip
    explorer.move_to(5, 2)
    return explorer


def fixed_noise() -> Control:
    """The learner's two sliders over kept noise, with the reference model."""
    names = lesson("05", "imports", "control-twin: decoded, fixed", "control", vae=load_reference("vae_2d"))
    return Control(names["fixed_noise_control"](names["vae"], names["fixed"]), "Kept noise")


def fixed_noise_line() -> widgets.FunctionSliders:
    """The line from noise to code."""
    cells = ("imports", "control-twin: decoded, fixed", "fixed-eps", "fixed-twin")
    explorer = lesson("05", *cells, vae=load_reference("vae_2d"))["explorer"]
    explorer.move_to(1.0, -1.0)
    return explorer


GAP = ("imports", "kl", "model", "grid-exercise", "seen", "bound-exercise", "explorer-twin: gap_charts")


def gap_control() -> Control:
    """The learner's two sliders over q."""
    names = lesson("06", *GAP, "draw-q", "control-exercise")
    return Control(names["gap_control"](names["draw_q"]), "A q of your own")


def gap() -> widgets.FunctionSliders:
    """The posterior with q, and the ELBO of all means."""
    names = lesson("06", *GAP)
    charts = cache(names["gap_charts"])  # the sentence needs it once more
    lesson("06", gap_charts=charts)
    return lesson("06", "explorer: gap_explorer")["gap_explorer"]


def price() -> widgets.FunctionSlider:
    """By how many nats each of the reference models is better than the silent one, at a price of a nat of rate."""
    numbers = lesson("07", "imports", "read-exercise", "sweep")["numbers"]
    *models, (_, silent) = numbers.items()

    def bars(price):
        better = [float(silent["distortion"] - one["distortion"] - price * one["rate"]) for _, one in models]
        signs = {"better than silence": (0, lambda nats: nats > 0), "worse": (1, lambda nats: nats <= 0)}
        series = []
        for name, (color, chosen) in signs.items():
            places = [k for k, nats in enumerate(better) if chosen(nats)]
            if places:
                heights = [max(better[k], -150.0) for k in places]
                series.append(plots.Series(name, places, heights, kind="bars", color=color, width=0.8))
        label = f"0 to {len(models) - 1} are beta {', '.join(f'{beta:g}' for beta, _ in models)}"
        return {"bars": plots.Chart(series, (-0.6, len(models) - 0.4), (-150, 180), label, "nats better")}

    def say(price):
        better = [
            f"{beta:g}" for beta, one in models
            if float(silent["distortion"] - one["distortion"] - price * one["rate"]) > 0
        ]  # fmt: skip
        return f"Better than silence: beta {', '.join(better)}." if better else "No model is better than silence."

    return widgets.FunctionSlider(bars, 0, 80, name="price", start=0, step=1, describe=say, title="The price of a nat")


def edit_strength() -> Control:
    """The learner's slider over the strength of an edit."""
    cells = (
        "imports", "faces: faces, share, x", "instrument: regressor, read, r2", "load-models: models, codes, D, draws",
        "single: together, single, chosen, model, z", "rotation: random_rotation, R, turned", "direction-exercise",
        "biased: labelled, z_labelled, share_labelled, SMILE, LIGHT, people, z0", "edit-exercise",
        "own-edit: attribute, kept, weights, a, numbers, plain", "strength-control",
    )  # fmt: skip
    names = lesson("09", *cells)
    code = torch.zeros(1, names["D"])
    step = names["controlled_edit"](code, names["plain"], names["weights"], names["a"], names["numbers"], 1.0)[0]
    return Control(names["strength_control"](names["model"], names["z0"][1], step), "The strength of an edit")


def handles_and_truth() -> widgets.HandleSliders:
    """Three handles of a face, beside the true face. They begin at a position that is stored."""
    edit_strength()
    names = lesson("09", "explorer-twin")
    handles = names["faces"].handles[3].clone()
    for name in names["per_unit"]:
        k = names["names"].index(name)
        handles[k] = (4 * handles[k]).round() / 4
    (x,) = names["render_faces"](handles[None], size=64)
    return widgets.HandleSliders(names["model"], x, names["per_unit"], handles=handles, title="Directions and truth")


NOISE_DIRECTION = ("imports", "ring-code", "direction")


def noise_direction() -> Control:
    """The learner's slider along the direction of brightness."""
    names = lesson("10", *NOISE_DIRECTION, "direction-control")
    control = names["noise_direction_slider"](names["gan"], names["z_many"][2000:2007], names["unit"])
    return Control(control, "A direction in the noise")


def brightness_and_kind() -> widgets.FunctionSlider:
    """Three images and the kinds of 300, along the direction of brightness."""
    return lesson("10", *NOISE_DIRECTION, "explorer")["walker"]


STYLES = ("imports", "mapping")


def mixed_styles() -> Control:
    """The learner's slider for the layer from which on the styles are those of other faces."""
    names = lesson("11", *STYLES, "mixing-exercise", "mixing-control")
    control = names["style_slider"](names["space"], names["w"][:5], names["w"][5:10])
    return Control(control, "Two faces in one")


def edits_in_w() -> widgets.HandleSliders:
    """One face, and fitted moves of four handles in w."""
    cells = "mixer-static: nothing", "handle-matrix: names, span", "edit-exercise", "handles-static"
    return lesson("11", *STYLES, *cells)["handles"]


DDIM = (
    "imports", "jump", "forward-figure", "posterior-exercise", "toy-guess", "sampler-exercise", "sampler-figure",
    "walk: guess_with, reference, ref_alpha_bar, ref_guess", "ddim", "reference-figure: equal_steps, noise",
)  # fmt: skip


def walk_of_codes() -> Control:
    """The learner's slider for a walk between two noises."""
    names = lesson("12", *DDIM, "code-walk", "walk-slider")
    z, decoded, to_pixels = names["z"], names["decoded"], names["to_pixels"]
    picture = lambda frame: {"z": to_pixels(z[[frame]] / 2), "decoded": decoded[[frame]]}  # noqa: E731
    return Control(names["walk_slider"](picture, 14), "A walk between two noises")


def guided_samples() -> widgets.FunctionSliders:
    """Three samples by steps, guidance and class, as in lesson 12; those of all classes are computed at once."""
    names = lesson("12", *DDIM, "guidance-exercise", "guidance-figure: guided_guess")
    noise, test = names["noise"][:3], names["test"]
    labels = torch.arange(10).repeat_interleave(3)

    @cache
    @torch.inference_mode()
    def of_all(steps: int, weight: float) -> torch.Tensor:
        guess, times = names["guided_guess"](labels, weight), names["equal_steps"](steps)
        end = names["ddim_sample"](guess, names["ref_alpha_bar"], noise.repeat(10, 1, 1, 1), times)
        return names["to_pixels"](end).unflatten(0, (10, 3))

    return widgets.FunctionSliders(
        lambda steps, weight, garment: of_all(round(steps), weight)[round(garment)],
        {"DDIM steps": (2, 8, 8, 3), "guidance": (0, 7, 2, 1), "class": (0, 9, 7, 1)},
        labels=[f"noise {k + 1}" for k in range(3)],
        describe=lambda steps, weight, garment: f"{test.class_names[round(garment)]}.",
        title="Same noise, more steps",
    )


EULER = ("imports", "euler-exercise", "guidance-exercise", "codes: compressor", "faces-figure: reference")
NOISES = [f"noise {k + 1}" for k in range(4)]


def told_faces() -> widgets.FunctionSliders:
    """Faces from captions of three handles, as in lesson 14; those of all captions are computed at once."""
    names = lesson("14", *EULER, "faces-figure: noise", "steps-twin: caption_of, SAYINGS")
    lists = {name: ["any", *names["SAYINGS"][name]] for name in ("hair_color", "smile", "glasses")}
    captions = list(itertools.product(*lists.values()))
    bags = (
        names["bag_of_phrases"](list(map(names["caption_of"], captions)))
        .repeat_interleave(4, dim=0)
        .to(names["device"])
    )
    noise, model = names["noise"].repeat(len(captions), 1), names["reference"]

    @cache
    @torch.inference_mode()
    def of_all(weight: float, steps: int) -> torch.Tensor:
        z = names["euler_sample"](
            lambda x, t: names["guided_velocity"](model.velocity, x, t, bags, weight), noise, int(steps)
        )
        return (z * model.code_std + model.code_mean).unflatten(0, (len(captions), 4))

    explorer = widgets.FunctionSliders(
        lambda *asked: of_all(*asked[3:])[0 if asked[3] == 0 else captions.index(asked[:3])],
        {name.replace("_", " "): one for name, one in lists.items()}
        | {"guidance": {0, 1, 2, 4}, "Euler steps": {1, 4, 20}},
        labels=NOISES, model=names["compressor"], title="Faces from a caption",
        describe=lambda *asked: f"Caption: {names['caption_of'](asked[:3]) or 'none'}.",
    )  # fmt: skip
    explorer.move_to("red", "smiling", "any", 1, 20)
    return explorer


def weight_of_guidance() -> Control:
    """The learner's slider over the weight of guidance, with the reference flow: the book trains none."""
    names = lesson(
        "14", *EULER, "faces-figure: noise, captions, four, of_reference", "guidance-figure: codes_at",
        "slider: guidance_slider",
    )  # fmt: skip
    of_reference, codes_at, flow = names["of_reference"], names["codes_at"], names["reference"]
    picture = lambda weight: {"faces": of_reference(codes_at(flow.velocity, weight, steps=10))}  # noqa: E731
    return Control(names["guidance_slider"](picture), "The weight of guidance")


def three_ways() -> widgets.FunctionSliders:
    """The same two noises by a flow, a diffusion and a reflowed flow, with a caption and without."""
    by_three = lesson("14", *EULER, "faces-figure: noise", "ways-twin: models, by_three")["by_three"]
    return widgets.FunctionSliders(
        lambda caption, steps: {name: faces[:2] for name, faces in by_three(caption, steps).items()},
        {"caption": ["red, smiling", "none"], "steps": {1, 2, 4, 20}}, labels=NOISES[:2],
        title="The same noises by three models",
    )  # fmt: skip


def weight_and_path() -> Control:
    """The learner's slider over the weight, by both paths."""
    names = lesson(
        "13", "imports", "angle: angle_between", "weights-exercise", "slerp-exercise", "spaces", "path-control"
    )
    return Control(names["path_control"](names["spaces"]["GAN"], *names["codes"]["GAN"][[9, 3]]), "LERP and SLERP")


def in_lesson(number: str, cell: str, make: Callable, *, steps=None, note: str = "") -> Shown:
    """An explorer without a page of its own."""
    return Shown(f"{number}-{cell}", "", (), number, cell, make, steps, note)


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
        "09", None, face_handles,
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
    Shown(
        "captions", "Faces from a caption",
        ("A flow over the codes of an autoencoder makes four faces of a caption, from the same four noises.",
         "Choose glasses, then raise the guidance from 0 to 4, then go down to one step.",
         "Without guidance the caption counts for nothing; with one step all four are nearly the same face."),
        "14", "steps-explorer", told_faces,
    ),
)  # fmt: skip

IN_LESSONS = (
    in_lesson("00", "switch", clothes_of_the_list,
              note="This is the map of clothes. In a running notebook a list changes between it and the map of faces."),
    in_lesson("01", "slider-own", one_number),
    in_lesson("02", "slider-check", two_numbers, steps=(21, 21),
              note="In the book a reference model of two numbers answers, which was trained for longer than the one "
              "above. So its map is another."),
    in_lesson("02", "map-explorer", autoencoder_map,
              note="In the book this is the map of that reference model, with the test images. In a running notebook "
              "your two sliders move its point too."),
    in_lesson("02", "path-explorer", two_walks,
              note="In a running notebook the model of two numbers is the one that was trained above, and the walk "
              "moves the point of the map too."),
    in_lesson("03", "noise-control-use", noise_strength),
    in_lesson("03", "explorer-strength", restorations,
              note="In a running notebook your slider moves this one too."),
    in_lesson("03", "explorer-unit", one_unit,
              note="In the book the reference model sparse_k answers. Its decoder has a hidden layer, so its pictures "
              "are no sums of atoms."),
    in_lesson("04", "temperature-check", temperature,
              note="In the book a reference model of 16 numbers answers, which was trained for longer than the one "
              "above."),
    in_lesson("04", "cloud-explorer", clouds,
              note="In the book these are the first 50 images, in a running notebook the first 200."),
    in_lesson("05", "control-check", fixed_noise, steps=(25, 17),
              note="In the book a reference model answers, which was trained for longer than the one above."),
    in_lesson("05", "fixed-explorer", fixed_noise_line, steps=(31, 26),
              note="In a running notebook two sliders of ipywidgets, and the images of your control, follow it."),
    in_lesson("06", "control", gap_control, steps=(41, 15)),
    in_lesson("06", "explorer", gap, steps=(17, 8, 13), note="In a running notebook your sliders move it too."),
    in_lesson("06", "running-explorer",
              made_by("06", "imports", "kl", "monte-carlo: kl_monte_carlo, mu_3, logvar_3, kl_exact",
                      "running: running_kl", "running-explorer", explorer="samples_explorer"), steps=(21, 10)),
    in_lesson("06", "iwae-explorer",
              made_by("06", "imports", "kl", "model", "grid-exercise", "seen", "iwae-exercise",
                      "iwae-figure: ks, bounds_of", "iwae-explorer", explorer="iwae_explorer"), steps=(21, 8)),
    in_lesson("07", "price-check", price,
              note="In the book these are the reference models by their beta, without a run of your own."),
    in_lesson("07", "sweep-explorer",
              made_by("07", "imports", "read-exercise", "sweep", "sweep-figure", "slopes: cards, rate, distortion",
                      "sweep-chart", "sweep-explorer", explorer="balance")),
    in_lesson("07", "moments-explorer",
              made_by("07", "imports", "read-exercise", "sweep", "sweep-figure", "moments", "moments-explorer",
                      explorer="machine")),
    in_lesson("08", "models-explorer",
              made_by("08", "imports", "point-static: nothing", "models-figure: by_model", "models-explorer",
                      explorer="side_by_side")),
    in_lesson("09", "strength-check", edit_strength),
    in_lesson("09", "explorer", handles_and_truth, steps=(9, 5, 3),
              note="In the book the three handles of this face are rounded, and the sliders have 9, 5 and 3 positions; "
              "in a running notebook they have 41 each."),
    in_lesson("10", "direction-check", noise_direction),
    in_lesson("10", "explorer-tied", brightness_and_kind,
              note="In a running notebook your slider moves it too."),
    in_lesson("11", "slider-check", mixed_styles),
    in_lesson("11", "mixer-explorer", made_by("11", *STYLES, "mixer-static", explorer="mixer")),
    in_lesson("11", "truncation-explorer",
              made_by("11", *STYLES, "mixer-static: nothing", "truncation-rows: plain, mean_w", "truncation-static",
                      explorer="truncation")),
    in_lesson("11", "handles-explorer", edits_in_w),
    in_lesson("12", "walk-check", walk_of_codes),
    in_lesson("12", "sampler-explorer", guided_samples,
              note="In the book it begins with other noise than the figure above, and has 2, 5 and 8 steps only."),
    in_lesson("14", "slider-check", weight_of_guidance, note="In the book these are faces of the reference flow."),
    in_lesson("14", "strength-explorer",
              made_by("14", *EULER, "faces-figure: noise, flow",
                      "image-to-image: sixty, old, wished, their_codes, start, stronger",
                      "strength-explorer", explorer="strength_explorer"), steps=(6,),
              note="In the book it begins with other noise than the figure above, and the strength has six positions."),
    in_lesson("14", "ways-explorer", three_ways, note="In the book there are two of the four noises."),
    in_lesson("13", "path-control-check", weight_and_path,
              note="In a running notebook a list chooses one of the two paths."),
)  # fmt: skip

ELSEWHERE = {
    (
        "14",
        "brush-explorer",
    ): "Each stroke of the brush is painted anew in twenty steps of the flow, the encoder and the "
    "decoder, so it moves in a running notebook only; the figure above shows where it begins.",
    ("08", "control-use"): "Each position of this slider computes a new map, so it moves in a running notebook only; "
    "the explorer of the section “Further: point at the map” has stored maps of five perplexities.",
    ("10", "machine-explorer"): "This explorer plays two trainings of this lesson, and the book trains nothing, so it "
    "moves in a running notebook only; the figure above shows three of its moments.",
}  # (lesson, cell): the sentence in place of an explorer
