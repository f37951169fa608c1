"""The headline claims of lesson 11, styles, under stress: `course claims 11`.

All are of one training of each generator. What varies are the codes that are drawn, how many, and the random mappings.
"""

import math

import torch
from sklearn.linear_model import LinearRegression

from course_utils import metrics
from course_utils.checkpoints import load_reference
from course_utils.claims import Claim, grid
from course_utils.data.faces import HANDLES
from course_utils.latents import decode_dataset
from course_utils.models.styles import MappingNetwork, StyleGAN, mix_styles
from course_utils.recipes.faces64 import read_handles

SPAN = torch.tensor([handle.high - handle.low for handle in HANDLES.values()])
LAYERS, TEST = 7, 400  # layers with a style; faces on which a line is judged
NAMES = list(HANDLES)


def models():
    """The style-based generator, the GAN without a mapping, and what reads the handles."""
    return (load_reference(name).eval() for name in ("styles_faces", "faces64_gan", "faces64_regressor"))


def before_training():
    """The mapping as the recipe made it, with its seed 0, before the first step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return StyleGAN(64).generator.mapping


def explained(codes, handles):
    """Share of each handle's variance that a line explains in the last faces, (13,)."""
    line = LinearRegression().fit(codes[:-TEST], handles[:-TEST])
    wrong = (torch.tensor(line.predict(codes[-TEST:])) - handles[-TEST:]).square().mean(dim=0)
    return 1 - wrong / handles[-TEST:].var(dim=0, correction=0)


@torch.no_grad()
def reads(*, seed, faces):
    """How well lines read the handles from codes, and how evenly the spaces change their faces."""
    model, plain, reader = models()
    z = torch.randn(faces + TEST, 64)
    w, direction = model.map(z), z / z.square().mean(dim=1, keepdim=True).sqrt()
    read = read_handles(reader, decode_dataset(model.in_w(), w))
    plain_read = read_handles(reader, decode_dataset(plain, z))
    moved = torch.stack([
        (a.weight - b.weight).norm() / a.weight.norm()
        for a, b in zip(before_training().layers, model.generator.mapping.layers, strict=True)
    ])  # fmt: skip
    numbers = {"mapping_moved": moved.max().item(), "w_by_start": explained(before_training()(z), w).mean().item()}
    table = {
        "z": (direction, read), "w": (w, read), "start": (before_training()(z), read),
        "random": (MappingNetwork(64)(z), read), "plain": (z, plain_read),
    }  # fmt: skip
    for name, (codes, handles) in table.items():
        numbers[f"{name}_read"] = explained(codes, handles).mean().item()
        halves = torch.Generator().manual_seed(seed)
        if name in ("z", "w", "plain"):
            part = codes[:600], handles[:600]
            numbers[f"{name}_separability"] = metrics.linear_separability(codes, handles, generator=halves).score
            numbers[f"{name}_disentanglement"] = metrics.dci(*part, trees=4, seed=seed).disentanglement
    for name, space, codes, path in (
        ("z", model, z, "slerp"), ("w", model.in_w(), w, "lerp"), ("plain", plain, z, "slerp"),
    ):  # fmt: skip
        ends = codes[:150], codes[150:300]
        lengths = metrics.perceptual_path_length(
            space, *ends, reader, path=path, generator=torch.Generator().manual_seed(seed)
        )
        numbers[f"{name}_path"], numbers[f"{name}_path_median"] = lengths.mean().item(), lengths.median().item()
    for name, (codes, handles) in (("w", table["w"]), ("plain", table["plain"])):
        slopes = torch.tensor(LinearRegression().fit(codes[:-TEST], handles[:-TEST]).coef_)
        slopes = torch.nn.functional.normalize(slopes, dim=1)
        cosines = (slopes @ slopes.T - torch.eye(len(slopes))).abs()
        numbers[f"{name}_cosine"] = cosines.max().item()
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
def edits(*, seed, codes):
    """What a move that should raise a handle by half of its range does, in w and in the plain GAN's codes."""
    model, plain, reader = models()
    z = torch.randn(codes + 40, 64)
    numbers = {}
    for name, space, points in (("w", model.in_w(), model.map(z)), ("plain", plain, z)):
        read = read_handles(reader, decode_dataset(space, points)) / SPAN
        slopes = torch.tensor(LinearRegression().fit(points[:codes], read[:codes]).coef_)  # (13, 64)
        lean = slopes @ points[:codes].T.cov()
        for way, toward in ((name, lean), (f"{name}_along", slopes)):
            got, other = [], []
            for k in range(len(NAMES)):
                move = 0.5 * toward[k] / (slopes[k] @ toward[k])
                change = read_handles(reader, decode_dataset(space, points[codes:] + move)) / SPAN - read[codes:]
                got.append(change[:, k].mean().item())
                other.append(max(change[:, i].abs().mean().item() for i in range(len(NAMES)) if i != k))
                if NAMES[k] in ("smile", "turn"):
                    numbers |= {f"{way}_{NAMES[k]}": got[-1], f"{way}_{NAMES[k]}_other": other[-1]}
            numbers |= {f"{way}_got": sum(got) / len(got), f"{way}_other": sum(other) / len(other)}
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
            "mapping_moved": "largest change of a mapping layer's weights in training",
            "w_by_start": "share of w that a line reads from the mapping before training",
            "w_cosine": "w: largest cosine of two directions",
            "plain_cosine": "GAN without mapping: largest cosine of two directions",
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
        "Moves fitted in the codes of the GAN without a mapping change more of what they should, and less of the rest, "
        "than moves fitted in w.",
        run=edits,
        settings=grid(codes=(250, 1000), seed=range(3)),
        labels={
            "w_got": "w: change of the handle, of half its range asked, mean",
            "plain_got": "GAN without mapping: change of the handle, mean",
            "w_other": "w: largest change of another handle, mean",
            "plain_other": "GAN without mapping: largest change of another handle, mean",
            "w_smile": "w: change of the smile",
            "plain_smile": "GAN without mapping: change of the smile",
            "w_along_got": "w: change of the handle by moves along b",
            "w_along_other": "w: largest change of another handle by moves along b",
            "w_turn": "w: change of the turn",
            "plain_turn": "GAN without mapping: change of the turn",
        },
        holds=lambda runs: all(
            one["w_got"] < one["plain_got"] and one["w_other"] > one["plain_other"] and one["w_turn"] > one["w_smile"]
            for one in runs
        ),
    ),
)
