"""Which codes a flow should make: three compressors of faces, in capacity, smoothness and how well a flow models them.

    python benchmarks/code_comparison.py [--codes faces64_vae ...] [--only short] [--out data/code_comparison.json]

Writes what lesson 14 reads. Of each compressor: the error of its reconstructions, their Frechet distance from real
faces, how much pictures change on lines between codes and with a little noise on a code, and the distance of pictures
drawn from a Gaussian fitted to the codes. Then flows over the codes, told captions, for equal seconds of processor time
on one thread: the same kind of network for all codes, at two lengths and three seeds ("short"); and several networks
for the codes with places, for longer ("long"). Everything is compared with 2,000 faces that no model was trained on.

What is stored already is not measured again, so a run that was stopped goes on by the same command. --keep FOLDER also
saves the weights of the flows.
"""

import argparse
import copy
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache, cached_property, partial
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from course_utils import stored
from course_utils.checkpoints import load_reference, verify
from course_utils.data.faces import PHRASES, FaceSet, bag_of_phrases, sample_faces
from course_utils.latents import LatentModel, decode_dataset, encode_dataset, reading
from course_utils.metrics import frechet_distance, image_features, perceptual_path_length
from course_utils.models.caption import tokenize
from course_utils.models.diffusion.caption_denoisers import CaptionDiT, CaptionUNet
from course_utils.models.diffusion.denoisers import MLPDenoiser
from course_utils.models.flow import FlowModel
from course_utils.models.pca import PCA
from course_utils.recipes.diffusion import kept_share
from course_utils.recipes.face_codes import DROP, new_captions
from course_utils.recipes.faces64 import handles_obeyed, psnr, read_handles, variance_read
from course_utils.training import fit
from course_utils.training.parts import follow
from course_utils.training.precision import choose_precision

OUT = Path(__file__).resolve().parents[1] / "data" / "code_comparison.json"
CODES = ("pca", "faces64_vae", "faces_kl")
FLAT, PLACES = "faces64_vae", "faces_kl"  # codes that are vectors, and codes that are small pictures
TRAINING, FITTED, TEST, PATHS = 10_000, 2_000, 2_000, 1_000  # faces: to train on, for PCA, to compare with; lines
NOISES = (0.1, 0.3)  # standard deviations of the noise on each number of a standardised code
SECONDS, SEEDS = (8.0, 24.0), (0, 1, 2)  # of the short trainings
LONG = 60.0
STEPS = 20


class Flat(nn.Module):
    """A denoiser of vectors for codes with places, which it sees as one row of numbers; it does not know the places."""

    def __init__(self, shape: tuple[int, ...], **options):
        super().__init__()
        self.shape = shape
        self.inner = MLPDenoiser(math.prod(shape), **options)
        self.num_classes, self.condition_dim = self.inner.num_classes, self.inner.condition_dim

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """Noisy codes (B, *shape), timesteps (B,) and vectors (B, C) to a prediction (B, *shape)."""
        return self.inner(x_t.flatten(1), t, condition).view(-1, *self.shape)


@dataclass(frozen=True)
class Network:
    """A network and how it is trained.

    build: makes it for codes of a shape. batch_size: codes a step. lr: Adam's highest learning rate.
    words: it reads the tokens of a caption, else a bag of phrases.
    """

    build: Callable[[tuple[int, ...]], nn.Module]
    batch_size: int
    lr: float
    words: bool


def _mlp(hidden: int) -> Network:
    return Network(partial(Flat, hidden=hidden, blocks=3, condition_dim=len(PHRASES)), 256, 2e-3, words=False)


NETWORKS = {
    "MLP 256": _mlp(256),
    "MLP 512": _mlp(512),
    "UNet": Network(lambda shape: CaptionUNet(shape, channels=(64, 128)), 64, 2e-3, words=True),
    "transformer": Network(lambda shape: CaptionDiT(shape, patch=2), 64, 1e-3, words=True),
}


@dataclass(frozen=True)
class Run:
    """One training: codes, network, seconds of processor time and seed."""

    codes: str
    network: str
    seconds: float
    seed: int


def runs(codes: tuple[str, ...] = CODES, only: tuple[str, ...] = ("short", "long")) -> list[Run]:
    """The trainings, in the order in which they are made: first one of each kind, then other seeds."""
    small, wide = "MLP 256", "MLP 512"
    order = []
    for seed in SEEDS:
        if "short" in only:
            order += [Run(name, small, seconds, seed) for name in CODES for seconds in SECONDS]
        if "long" in only and seed == SEEDS[0]:
            order += [Run(PLACES, network, LONG, seed) for network in ("UNet", "transformer", wide)]
            order += [Run(FLAT, wide, LONG, seed)]
    if "long" in only:
        order += [Run(PLACES, network, LONG, SEEDS[1]) for network in ("UNet", wide)]
    return [run for run in order if run.codes in codes]


class Faces:
    """The faces that all compressors share, and what reads them; made when they are asked for."""

    @cached_property
    def train(self) -> FaceSet:
        return sample_faces(TRAINING, seed=0, size=64)

    @cached_property
    def test(self) -> FaceSet:
        return sample_faces(TEST, seed=1, size=64)

    @cached_property
    def regressor(self) -> nn.Module:
        return load_reference("faces64_regressor")

    @cached_property
    def real(self) -> Tensor:
        return image_features(self.test, self.regressor)

    @cached_property
    def captions(self) -> list[str]:
        return new_captions(TEST)

    @cached_property
    def bags(self) -> Tensor:
        return bag_of_phrases(self.train.captions)

    @cached_property
    def tokens(self) -> Tensor:
        return tokenize(self.train.captions)[0]

    def distance(self, pictures: Tensor) -> float:
        return frechet_distance(image_features(pictures, self.regressor), self.real)


class Compressor:
    """A compressor with its codes, standardised by those of the training faces. A LatentModel of standardised codes."""

    def __init__(self, name: str, faces: Faces):
        self.name, self.faces = name, faces
        self.model: LatentModel = PCA(64).fit(faces.train[:FITTED]) if name == "pca" else load_reference(name)
        self.latent_shape = tuple(self.model.latent_shape)

    @cached_property
    def codes(self) -> Tensor:
        return encode_dataset(self.model, self.faces.train, 250)

    @cached_property
    def test_codes(self) -> Tensor:
        return (encode_dataset(self.model, self.faces.test, 250) - self.mean) / self.std

    @cached_property
    def mean(self) -> Tensor:
        return self.codes.mean(dim=0)

    @cached_property
    def std(self) -> Tensor:
        return self.codes.std(dim=0)

    def decode(self, z: Tensor) -> Tensor:
        """Standardised codes to pictures."""
        with torch.no_grad(), reading(self.model):
            return self.model.decode(z * self.std + self.mean)

    def to_pictures(self, z: Tensor) -> Tensor:
        return decode_dataset(self.model, z * self.std + self.mean, 250)


def measure_codes(compressor: Compressor) -> dict:
    """Capacity and smoothness of codes, and how far a Gaussian describes them."""
    faces, z = compressor.faces, compressor.test_codes
    restored = compressor.to_pictures(z)
    mse = (restored - faces.test.pixels()).square().mean().item()
    kept = variance_read(read_handles(faces.regressor, restored), faces.test.handles)
    generator = torch.Generator().manual_seed(0)
    noises = []
    for std in NOISES:
        moved = compressor.to_pictures(z + std * torch.randn(z.shape, generator=generator))
        change = (moved - restored).square().mean().sqrt().item()
        noises.append({"std": std, "change": change, "frechet": faces.distance(moved)})
    a, b = z[:PATHS], z[:PATHS].roll(1, 0)
    lengths = perceptual_path_length(compressor, a, b, faces.regressor, epsilon=1e-3, generator=generator)
    ends = image_features(restored[:PATHS], faces.regressor)
    straight = (ends - ends.roll(1, 0)).square().sum(dim=1).double().mean()
    flat = ((compressor.codes - compressor.mean) / compressor.std).flatten(1).double()
    drawn = torch.distributions.MultivariateNormal(torch.zeros(flat.shape[1]).double(), flat.T.cov())
    torch.manual_seed(0)
    gaussian = drawn.sample((TEST,)).float().view(-1, *compressor.latent_shape)
    plain = torch.randn(TEST, *compressor.latent_shape, generator=generator)
    return {
        "name": compressor.name, "shape": list(compressor.latent_shape), "numbers": flat.shape[1],
        "mse": mse, "psnr": psnr(mse), "frechet": faces.distance(restored),
        "r2_smile": kept["smile"], "r2_mean": sum(kept.values()) / len(kept), "noise": noises,
        "path_length": lengths.mean().item(), "path_ratio": (lengths.mean() / straight).item(),
        "gaussian_frechet": faces.distance(compressor.to_pictures(gaussian)),
        "independent_frechet": faces.distance(compressor.to_pictures(plain)),
    }  # fmt: skip


class TimedBatches:
    """Batches of rows drawn at random until the processor time is used up."""

    def __init__(self, *tensors: Tensor, batch_size: int, seconds: float, seed: int):
        self.tensors, self.batch_size, self.seconds, self.seed = tensors, batch_size, seconds, seed
        self.begin = math.nan

    @property
    def share(self) -> float:
        """Of the time that is used up, 0 to 1 and a little more."""
        return 0.0 if math.isnan(self.begin) else (time.process_time() - self.begin) / self.seconds

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.seed)
        self.begin = time.process_time()
        while self.share < 1:
            index = torch.randint(len(self.tensors[0]), (self.batch_size,), generator=generator)
            yield tuple(tensor[index] for tensor in self.tensors)


def train_flow(compressor: Compressor, run: Run) -> tuple[FlowModel, dict]:
    """A flow over the codes, trained for run.seconds of processor time; and what is to be told of the training."""
    network, faces = NETWORKS[run.network], compressor.faces
    torch.manual_seed(run.seed)
    flow = FlowModel(compressor.latent_shape, times="logit_normal", steps=STEPS, network=network.build(
        compressor.latent_shape))  # fmt: skip
    flow.set_codes(compressor.codes)
    average, taken = copy.deepcopy(flow), 0

    def after_step(model: nn.Module, step: int) -> None:
        nonlocal taken
        taken = step
        follow(average, model, kept_share(step, 0.995))

    told = faces.tokens if network.words else faces.bags
    batches = TimedBatches(
        flow.standardize(compressor.codes), told, batch_size=network.batch_size, seconds=run.seconds, seed=run.seed
    )
    history = fit(
        flow, batches, epochs=1, progress=False, precision=precision(), clip=1.0,
        optimizer=torch.optim.Adam(flow.parameters(), lr=network.lr, betas=(0.9, 0.99), fused=True),
        loss=lambda model, data, condition: {"loss": model.loss_of_data(data, condition, drop=DROP)},
        lr=lambda step: network.lr * min(1, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * min(1, batches.share))),
        after_step=after_step,
    )  # fmt: skip
    parameters = sum(parameter.numel() for parameter in flow.parameters())
    told = {"steps": taken, "batch_size": network.batch_size, "lr": network.lr, "parameters": parameters}
    told |= {"precision": history.precision, "train_loss": history.epochs[-1]["train"]["loss"]}
    return average.eval(), told


@cache
def precision() -> str:
    """The same number format for all trainings: bfloat16 where it is faster, measured once."""
    return choose_precision("auto", "cpu")


@torch.no_grad()
def draw(flow: FlowModel, captions: list[str], words: bool, batch_size: int = 250) -> Tensor:
    """Standardised codes that a flow makes of captions, from noise of seed 0."""
    told = tokenize(captions)[0] if words else bag_of_phrases(captions)
    noise = torch.randn(len(captions), *flow.latent_shape, generator=torch.Generator().manual_seed(0))
    made = [flow.given(some).decode(z) for some, z in zip(told.split(batch_size), noise.split(batch_size), strict=True)]
    return flow.standardize(torch.cat(made))


def measure_run(compressor: Compressor, run: Run, keep: Path | None = None) -> dict:
    """Train a flow and say how good its pictures are."""
    faces = compressor.faces
    flow, told = train_flow(compressor, run)
    pictures = compressor.to_pictures(draw(flow, faces.captions, NETWORKS[run.network].words))
    obeyed = handles_obeyed(pictures, faces.captions, regressor=faces.regressor)["obeyed"]
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        file = keep / f"{run.codes}_{run.network}_{run.seconds:g}_{run.seed}.safetensors".replace(" ", "_")
        safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in flow.state_dict().items()}, file)
    return asdict(run) | told | {"frechet": faces.distance(pictures), "obeyed": obeyed}


def as_card(codes: list[dict], flows: list[dict], floor: float) -> dict:
    """The table, and how it came about."""
    names = [one["name"] for one in codes if one["name"] != "pca"]
    return {
        "command": "python benchmarks/code_comparison.py",
        "features": "faces64_regressor", "training_faces": TRAINING, "samples": TEST, "paths": PATHS, "threads": 1,
        "steps_of_samples": STEPS,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "models": {name: verify(name)["sha256"][:16] for name in ["faces64_regressor", *names]},
        "floor": floor, "codes": codes, "flows": flows,
    }  # fmt: skip


def rounded(said):
    """Numbers to four digits, within lists and dictionaries."""
    if isinstance(said, dict):
        return {key: rounded(value) for key, value in said.items()}
    if isinstance(said, list):
        return [rounded(value) for value in said]
    return float(f"{said:.4g}") if isinstance(said, float) else said


def table(card: dict) -> str:
    """The stored numbers as text."""
    lines = [f"as many real faces: Frechet distance {card['floor']:.2f}"]
    for one in card["codes"]:
        lines.append(
            f"{one['name']:12s} {one['numbers']:4d} numbers: PSNR {one['psnr']:.1f}, distance {one['frechet']:.2f}, "
            f"path ratio {one['path_ratio']:.2f}, Gaussian {one['gaussian_frechet']:.2f}, "
            + ", ".join(f"noise {n['std']:g}: {n['change']:.4f}, {n['frechet']:.2f}" for n in one["noise"])
        )
    for one in card["flows"]:
        lines.append(
            f"{one['codes']:12s} {one['network']:12s} {one['seconds']:4g} s, seed {one['seed']}: {one['steps']:5d} "
            f"steps, distance {one['frechet']:.2f}, obeyed {one['obeyed']:.1%}"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codes", nargs="+", choices=CODES, default=CODES, help="the compressors")
    parser.add_argument(
        "--only", nargs="*", choices=("short", "long"), default=("short", "long"), help="which trainings, or none"
    )
    parser.add_argument("--keep", type=Path, help="folder for the weights of the flows")
    parser.add_argument("--out", type=Path, default=OUT, help="where the numbers are, and are written")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    card = stored.verify(options.out) if options.out.exists() else {"codes": [], "flows": [], "floor": None}
    codes, flows, floor = list(card["codes"]), list(card["flows"]), card["floor"]
    faces, order = Faces(), runs()
    made = cache(lambda name: Compressor(name, faces))
    if floor is None:
        floor = faces.distance(sample_faces(TEST, seed=0, size=64))

    def keep_going() -> None:
        codes.sort(key=lambda one: CODES.index(one["name"]))
        flows.sort(key=lambda one: order.index(_run_of(one)))
        stored.save(options.out, card=rounded(as_card(codes, flows, floor)))

    for name in options.codes:
        if name not in [one["name"] for one in codes]:
            codes.append(measure_codes(made(name)))
            keep_going()
    for run in runs(tuple(options.codes), tuple(options.only)):
        if run not in [_run_of(one) for one in flows]:
            flows.append(measure_run(made(run.codes), run, options.keep))
            print(flows[-1], file=sys.stderr, flush=True)
            keep_going()
    print(table(stored.verify(options.out)))
    return 0


def _run_of(one: dict) -> Run:
    return Run(one["codes"], one["network"], one["seconds"], one["seed"])


if __name__ == "__main__":
    sys.exit(main())
