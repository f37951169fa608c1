"""The headline claims of lesson 11, styles, under stress: `course claims 11`.

In the first three one training of each generator stands, and what varies are the codes that are drawn, how many, and
the random mappings. The last trains generators with a mapping and without: 14 minutes of one core for each short one.
"""

import math
from dataclasses import replace

import torch
from sklearn.linear_model import LinearRegression

from course_utils import metrics
from course_utils.checkpoints import load_reference
from course_utils.claims import Claim, grid
from course_utils.data.faces import HANDLES, sample_faces
from course_utils.latents import decode_dataset
from course_utils.models.styles import MappingNetwork, StyleGAN, mix_styles
from course_utils.recipes import RECIPES
from course_utils.recipes.faces64 import measure_draws, prior_codes, read_handles
from course_utils.recipes.reference import kept

SPAN = torch.tensor([handle.high - handle.low for handle in HANDLES.values()])
LAYERS, TEST = 7, 400  # layers with a style; faces on which a line is judged
NAMES = list(HANDLES)
FASTER = 0.1  # rate of the mapping that learns ten times as fast as usual
SHORT, LONG = 2, 12  # epochs


def models():
    """The style-based generator, the GAN without a mapping, and what reads the handles."""
    return (load_reference(name).eval() for name in ("styles_faces", "faces64_gan", "faces64_regressor"))


def before_training(seed=0, rate=0.01):
    """The mapping as the recipe made it, with its seed, before the first step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return StyleGAN(64, mapping_rate=rate).generator.mapping


def explained(codes, handles):
    """Share of each handle's variance that a line explains in the last faces, (13,)."""
    line = LinearRegression().fit(codes[:-TEST], handles[:-TEST])
    wrong = (torch.tensor(line.predict(codes[-TEST:])) - handles[-TEST:]).square().mean(dim=0)
    return 1 - wrong / handles[-TEST:].var(dim=0, correction=0)


def moved(mapping, before):
    """The largest change of a layer's weights, as a share of their length."""
    pairs = zip(before.layers, mapping.layers, strict=True)
    return max(((a.weight - b.weight).norm() / a.weight.norm()).item() for a, b in pairs)


def lengths(space, codes, path, reader, seed):
    """Mean and median perceptual path length of 250 walks, and the mean without the extreme hundredths."""
    generator = torch.Generator().manual_seed(seed)
    walks = metrics.perceptual_path_length(space, codes[:250], codes[250:500], reader, path=path, generator=generator)
    low, high = walks.quantile(torch.tensor([0.01, 0.99]).to(walks))
    return {"": walks.mean(), "_median": walks.median(), "_trimmed": walks[(walks >= low) & (walks <= high)].mean()}


def separability(codes, handles, seed):
    """How well hyperplanes separate the highest quarter of each handle from the lowest: 1 at best."""
    return metrics.linear_separability(codes, handles, generator=torch.Generator().manual_seed(seed)).score


def disentanglement(codes, handles, seed):
    """That of DCI, from 600 codes: 1 where each number of the code stands for one handle at most."""
    return metrics.dci(codes[:600], handles[:600], trees=4, seed=seed).disentanglement


def largest_cosine(rows):
    """The largest cosine between two of the rows, without its sign."""
    rows = torch.nn.functional.normalize(rows, dim=1)
    return (rows @ rows.T - torch.eye(len(rows))).abs().max().item()


@torch.no_grad()
def reads(*, seed, faces):
    """How well lines read the handles from codes, and how evenly the spaces change their faces."""
    model, plain, reader = models()
    z = torch.randn(faces + TEST, 64)
    w, direction = model.map(z), z / z.square().mean(dim=1, keepdim=True).sqrt()
    read = read_handles(reader, decode_dataset(model.in_w(), w))
    plain_read = read_handles(reader, decode_dataset(plain, z))
    start = before_training()(z)
    table = {
        "z": (direction, read), "w": (w, read), "start": (start, read),
        "random": (MappingNetwork(64)(z), read), "plain": (z, plain_read),
    }  # fmt: skip
    numbers = {
        "mapping_moved": moved(model.generator.mapping, before_training()),
        "w_by_start": explained(start, w).mean().item(),
    }
    for name, (codes, handles) in table.items():
        numbers[f"{name}_read"] = explained(codes, handles).mean().item()
        if name in ("z", "w", "plain"):
            numbers[f"{name}_separability"] = separability(codes, handles, seed)
            numbers[f"{name}_disentanglement"] = disentanglement(codes, handles, seed)
    numbers["rotated_disentanglement"] = disentanglement(w @ torch.linalg.qr(torch.randn(64, 64))[0], read, seed)
    numbers["shuffled_disentanglement"] = disentanglement(w, read[torch.randperm(len(read))], seed)
    for name, space, codes, path in (
        ("z", model, z, "slerp"), ("w", model.in_w(), w, "lerp"), ("plain", plain, z, "slerp"),
    ):  # fmt: skip
        numbers |= {f"{name}_path{k}": one.item() for k, one in lengths(space, codes, path, reader, seed).items()}
    for name, (codes, handles) in (("w", table["w"]), ("plain", table["plain"])):
        slopes = torch.tensor(LinearRegression().fit(codes[:-TEST], handles[:-TEST]).coef_)
        numbers[f"{name}_cosine"] = largest_cosine(slopes)
        numbers[f"{name}_fitted"] = largest_cosine(slopes @ (codes - codes.mean(dim=0)).T)
    numbers["random_cosine"] = largest_cosine(torch.randn(len(NAMES), 64))
    return numbers


def trained(mapping, seed, epochs):
    """One training of the style-based generator: with its "mapping", with "none", or with a "faster" one."""
    usual = RECIPES["styles_faces"]
    faster = replace(usual, name="styles_faces_faster", build=lambda: StyleGAN(64, mapping_rate=FASTER))
    recipe = {"mapping": usual, "none": RECIPES["styles_faces_unmapped"], "faster": faster}[mapping]
    return kept(recipe, seed=seed, epochs=epochs).eval()


@torch.no_grad()
def rivals(*, mapping, epochs, seed):
    """One training with a mapping or without: its faces, how its codes are read, and how it is edited in them."""
    model, reader = trained(mapping, seed, epochs), load_reference("faces64_regressor")
    z = torch.randn(1000 + TEST, 64, generator=torch.Generator().manual_seed(100 + seed))
    w = model.map(z)
    faces = decode_dataset(model.in_w(), w)
    read = read_handles(reader, faces)
    quality = measure_draws(decode_dataset(model, prior_codes(model, 2000)), sample_faces(2000, seed=1, size=64))
    numbers = {name: quality[name] for name in ("frechet", "recall", "coverage")}
    numbers |= {"read": explained(w, read).mean().item(), "separability": separability(w, read, seed)}
    path = "slerp" if mapping == "none" else "lerp"
    numbers["path_median"] = lengths(model.in_w(), w, path, reader, seed)["_median"].item()
    done = edited(model.in_w(), w[:1040], reader, 1000)
    numbers |= {name: done[name] for name in ("got", "other", "twice_got", "twice_other")}
    if mapping == "none":  # w is z, before training and after
        numbers |= {"z_read": numbers["read"], "start_read": numbers["read"], "mapping_moved": 0.0}
    else:
        before = before_training(seed, FASTER if mapping == "faster" else 0.01)
        numbers["z_read"] = explained(z / z.square().mean(dim=1, keepdim=True).sqrt(), read).mean().item()
        numbers["start_read"] = explained(before(z), read).mean().item()
        numbers["mapping_moved"] = moved(model.generator.mapping, before)
    return numbers


@torch.no_grad()
def layers(*, seed, pairs):
    """How much of the way from one face's handles to another's the styles of some layers go."""
    model, _, reader = models()
    w_a, w_b = model.map(torch.randn(pairs, 64)), model.map(torch.randn(pairs, 64))
    before = read_handles(reader, decode_dataset(model.in_w(), w_a))
    way = read_handles(reader, decode_dataset(model.in_w(), w_b)) - before

    def gone(which):
        faces = decode_dataset(model.in_w(per_layer=True), mix_styles(w_a, w_b, which, num_layers=LAYERS))
        return ((read_handles(reader, faces) - before) * way).sum(dim=0) / way.square().sum(dim=0)

    share = torch.stack([gone([layer]) for layer in range(LAYERS)])  # (7, 13)
    return {
        "coarse": gone([0, 1, 2]).mean().item(), "middle": gone([3, 4]).mean().item(),
        "fine": gone([5, 6]).mean().item(), "fine_largest": share[3:].max().item(),
        "coarse_strongest": (share.argmax(dim=0) < 3).float().mean().item(),
        "columns": share.sum(dim=0).mean().item(),
    }  # fmt: skip


@torch.no_grad()
def edited(space, points, reader, codes):
    """What moves along fitted slopes do, asked to raise a handle by half of its range, and by all of it ("twice").

    They are fitted to the first codes and tried on the others.
    """
    read, numbers = read_handles(reader, decode_dataset(space, points)) / SPAN, {}
    slopes = torch.tensor(LinearRegression().fit(points[:codes], read[:codes]).coef_)  # (13, 64)
    for prefix, amount in (("", 0.5), ("twice_", 1.0)):
        got, other = [], []
        for k, slope in enumerate(slopes):
            move = amount * slope / slope.square().sum()
            change = read_handles(reader, decode_dataset(space, points[codes:] + move)) / SPAN - read[codes:]
            got.append(change[:, k].mean().item())
            other.append(max(change[:, i].abs().mean().item() for i in range(len(NAMES)) if i != k))
            if NAMES[k] in ("smile", "turn"):
                numbers |= {f"{prefix}{NAMES[k]}": got[-1], f"{prefix}{NAMES[k]}_other": other[-1]}
        numbers |= {f"{prefix}got": sum(got) / len(got), f"{prefix}other": sum(other) / len(other)}
    return numbers


@torch.no_grad()
def edits(*, seed, codes):
    """What a move that should raise a handle by half of its range does, in w and in the plain GAN's codes."""
    model, plain, reader = models()
    z = torch.randn(codes + 40, 64)
    numbers = {}
    for name, space, points in (("w", model.in_w(), model.map(z)), ("plain", plain, z)):
        numbers |= {f"{name}_{key}": value for key, value in edited(space, points, reader, codes).items()}
    return numbers


CLAIMS = (
    Claim(
        "reads",
        "Lines read the handles better from w than from z of the same generator, and best from the codes of the GAN "
        "without a mapping. The mapping as it was before the training does nearly as well as w; other random mappings "
        "do worse than z.",
        run=reads,
        settings=grid(faces=(250, 1000), seed=range(3)),
        labels={
            "z_read": "z: share read by a line",
            "w_read": "w: share read by a line",
            "start_read": "the mapping before training: share read by a line",
            "random_read": "a random mapping: share read by a line",
            "plain_read": "GAN without mapping: share read by a line",
            "z_separability": "z: separability",
            "w_separability": "w: separability",
            "plain_separability": "GAN without mapping: separability",
            "z_path": "z: mean path length",
            "w_path": "w: mean path length",
            "plain_path": "GAN without mapping: mean path length",
            "z_path_median": "z: median path length",
            "w_path_median": "w: median path length",
            "plain_path_median": "GAN without mapping: median path length",
            "z_disentanglement": "z: disentanglement",
            "w_disentanglement": "w: disentanglement",
            "plain_disentanglement": "GAN without mapping: disentanglement",
            "rotated_disentanglement": "w after a random rotation: disentanglement",
            "shuffled_disentanglement": "w with the handles of other faces: disentanglement",
            "z_path_trimmed": "z: mean path length without the extreme hundredths",
            "w_path_trimmed": "w: mean path length without the extreme hundredths",
            "plain_path_trimmed": "GAN without mapping: mean path length without the extreme hundredths",
            "mapping_moved": "largest change of a mapping layer's weights in training",
            "w_by_start": "share of w that a line reads from the mapping before training",
            "w_cosine": "w: largest cosine of two directions",
            "plain_cosine": "GAN without mapping: largest cosine of two directions",
            "random_cosine": "13 random directions: largest cosine of two",
            "w_fitted": "w: largest correlation of two fitted handles",
            "plain_fitted": "GAN without mapping: largest correlation of two fitted handles",
        },
        holds=lambda runs: all(
            one["random_read"] < one["z_read"] < one["w_read"] - 0.1 < one["plain_read"] - 0.2
            and one["start_read"] > one["w_read"] - 0.1
            and one["plain_separability"] < one["w_separability"] < one["z_separability"]
            and one["w_path_median"] < one["z_path_median"]
            and math.isfinite(one["w_path"])
            for one in runs
        ),
    ),
    Claim(
        "layers",
        "The styles of the layers at 4 x 4 and 8 x 8 move each handle nearly all of the way from one face to another.",
        run=layers,
        settings=grid(pairs=(40, 120), seed=range(3)),
        labels={
            "coarse": "layers 0 to 2 together: share of the way",
            "middle": "layers 3 and 4 together",
            "fine": "layers 5 and 6 together",
            "fine_largest": "largest share of one of the layers 3 to 6 in any handle",
            "coarse_strongest": "handles that one of the layers 0 to 2 moves most",
            "columns": "sum over the seven layers, each alone",
        },
        holds=lambda runs: all(
            one["coarse"] > 0.95 and max(one["middle"], one["fine"]) < 0.05 and one["coarse_strongest"] == 1
            for one in runs
        ),
    ),
    Claim(
        "edits",
        "Moves fitted in the codes of the GAN without a mapping change more of what they should than those fitted in "
        "w, and moves twice as long in w change less of it and more of the rest.",
        run=edits,
        settings=grid(codes=(250, 1000), seed=range(3)),
        labels={
            "w_got": "w: change of the handle, of half its range asked, mean",
            "plain_got": "GAN without mapping: change of the handle, mean",
            "w_other": "w: largest change of another handle, mean",
            "plain_other": "GAN without mapping: largest change of another handle, mean",
            "w_smile": "w: change of the smile",
            "plain_smile": "GAN without mapping: change of the smile",
            "w_twice_got": "w: change of the handle, of its whole range asked, mean",
            "w_twice_other": "w: largest change of another handle then, mean",
            "plain_twice_got": "GAN without mapping: change of the handle, of its whole range asked, mean",
            "plain_twice_other": "GAN without mapping: largest change of another handle then, mean",
            "w_turn": "w: change of the turn",
            "plain_turn": "GAN without mapping: change of the turn",
        },
        holds=lambda runs: all(
            one["w_got"] < one["w_twice_got"] < one["plain_got"]
            and one["w_twice_other"] > one["plain_other"]
            and one["w_turn"] > one["w_smile"]
            for one in runs
        ),
    ),
    Claim(
        "rivals",
        "In every training with a mapping lines read the handles better from w than from z. Whether they read them "
        "better than without a mapping depends on the seed. A mapping that learns ten times as fast is read far better "
        "after training than before, and makes worse faces.",
        run=rivals,
        settings=(
            *grid(mapping=("mapping", "none"), epochs=(SHORT,), seed=range(3)),
            *grid(mapping=("faster",), epochs=(SHORT,), seed=range(2)),
            *grid(mapping=("mapping", "none"), epochs=(LONG,), seed=(0,)),
        ),
        labels={
            "frechet": "Frechet distance from faces",
            "recall": "recall",
            "coverage": "coverage",
            "z_read": "z: share read by a line",
            "start_read": "the mapping before training: share read by a line",
            "read": "w (without a mapping z): share read by a line",
            "separability": "w (z): separability",
            "path_median": "w (z): median path length",
            "got": "w (z): change of the handle, of half its range asked, mean",
            "other": "w (z): largest change of another handle, mean",
            "mapping_moved": "largest change of a mapping layer's weights in training",
        },
        holds=lambda runs: (
            all(one["read"] > one["z_read"] + 0.1 for one in runs if one["mapping"] != "none")
            and all(one["start_read"] > one["read"] - 0.1 for one in runs if one["mapping"] == "mapping")
            and all(one["start_read"] < one["read"] - 0.2 for one in runs if one["mapping"] == "faster")
            and runs.over("frechet", mapping="faster").low > runs.over("frechet", epochs=SHORT, mapping="mapping").high
            and runs.over("read", mapping="none", epochs=SHORT).high
            > runs.over("read", mapping="mapping", epochs=SHORT).low
            and runs.over("read", mapping="none", epochs=SHORT).low
            < runs.over("read", mapping="mapping", epochs=SHORT).high
        ),
        again={"mapping": "mapping", "epochs": LONG, "seed": 0},
    ),
)
