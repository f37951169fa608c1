"""How walks between real images fare in each latent space, by LERP and by SLERP: writes what lesson 13 reads.

    python benchmarks/paths.py [--pairs 60] [--points 9] [--spaces "VAE" ...]

Walks the same pairs of test images through pixel space, PCA, an autoencoder, a VAE, a GAN and a diffusion model, and
measures every walk with `course_utils.metrics.path_quality`; where there is a prior, also walks between draws from it.
Writes data/path_quality.json (every pair's numbers, so that the lesson can compute means and error bars) and
data/path_codes.safetensors (codes of ten test images in the spaces where encoding is slow, and the images between all
pairs of them where decoding is). A space named by --spaces is measured anew and the others are left as they are.
"""

import argparse
import itertools
import time
from collections.abc import Callable

import safetensors.torch
import torch
from torch import Tensor

from course_utils import stored
from course_utils.checkpoints import load_reference, verify
from course_utils.data import ImageSet, fashion_mnist
from course_utils.files import data_dir
from course_utils.interpolation import lerp, slerp
from course_utils.latents import LatentModel, decode_dataset, encode_dataset, nearest_neighbors
from course_utils.metrics import image_features, path_quality
from course_utils.models.pca import PCA
from course_utils.models.pixels import PixelSpace

SPACES = {  # name: the reference model, or what to make
    "pixels": None,
    "PCA": None,
    "autoencoder": "autoencoder_32d",
    "VAE": "vae_16d",
    "GAN": "gan_fashion",
    "diffusion": "diffusion_fashion",
}
DRAWN = ("VAE", "GAN", "diffusion")  # with a prior: walks between two draws from it are measured too
SLOW = ("GAN", "diffusion")  # encoding is a search or many steps: the lesson loads codes
EXPLORED = 10  # the first so many test images, one of each class
METHODS = {"lerp": lerp, "slerp": slerp}


def make_space(name: str, train: ImageSet) -> LatentModel:
    """The model whose latent space is walked, as the lesson makes it."""
    if name == "pixels":
        return PixelSpace()
    return PCA(32).fit(train) if name == "PCA" else load_reference(SPACES[name])


def choose_pairs(test: ImageSet, count: int, seed: int = 13) -> Tensor:
    """Indices of pairs of test images of two different classes, no image twice, (count, 2)."""
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(seed))
    pairs = [pair for pair in order.view(-1, 2).tolist() if test.labels[pair[0]] != test.labels[pair[1]]]
    return torch.tensor(pairs[:count])


def angles(z_a: Tensor, z_b: Tensor) -> Tensor:
    """Angle between the codes of each pair, in degrees, (P,)."""
    cosine = torch.nn.functional.cosine_similarity(z_a.flatten(1), z_b.flatten(1), dim=1)
    return torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))


def measure(images: Tensor, codes: Tensor | None, ends: Tensor, features: Callable, real: Tensor, unit: float) -> dict:
    """The four numbers of each of P walks (P, K, C, H, W), distances in units of what real images have."""
    quality = path_quality(images, codes=codes, data=real, ends=ends, features=features, batch_dims=1)
    numbers = quality._replace(distance=quality.distance / unit)._asdict()
    return {name: [float(f"{v:.4g}") for v in values.tolist()] for name, values in numbers.items() if codes is not None
            or name != "norm"}  # fmt: skip


def walk(model: LatentModel, z_a: Tensor, z_b: Tensor, points: int, method: str) -> tuple[Tensor, Tensor]:
    """Codes (P, K, ...) and their images (P, K, C, H, W) of P walks."""
    codes = METHODS[method](z_a, z_b, torch.linspace(0, 1, points)).transpose(0, 1)
    return codes, decode_dataset(model, codes.flatten(0, 1), batch_size=128).unflatten(0, codes.shape[:2])


def measure_space(name: str, pairs: Tensor, points: int, train: ImageSet, test: ImageSet, ruler: tuple) -> dict:
    """Everything the lesson says of one space."""
    start = time.process_time()
    model = make_space(name, train)
    x = test.pixels(pairs.flatten())
    codes = encode_dataset(model, x, batch_size=64)
    z_a, z_b = codes.unflatten(0, pairs.shape).unbind(1)
    ends = x.unflatten(0, pairs.shape)
    restored = decode_dataset(model, codes, batch_size=128)
    found = {
        "reference": None if SPACES[name] is None else verify(SPACES[name])["sha256"],
        "latent_shape": list(model.latent_shape),
        "norms": [float(f"{v:.4g}") for v in codes.flatten(1).norm(dim=1).tolist()],
        "angles": [float(f"{v:.4g}") for v in angles(z_a, z_b).tolist()],
        "mse_of_ends": float(f"{(restored - x).square().mean().item():.4g}"),
    }
    for method in METHODS:
        walked, images = walk(model, z_a, z_b, points, method)
        found[method] = measure(images, walked, ends, *ruler)
    if name in DRAWN:
        drawn = model.sample_latent(pairs.numel(), torch.Generator().manual_seed(13)).unflatten(0, pairs.shape)
        found["draws"] = {}
        for method in METHODS:
            walked, images = walk(model, *drawn.unbind(1), points, method)
            found["draws"][method] = measure(images, walked, images[:, [0, -1]], *ruler)
    return found | {"cpu_seconds": round(time.process_time() - start, 1)}


def explored_codes(name: str, train: ImageSet, test: ImageSet) -> Tensor:
    """Codes of the test images that the lesson's explorer offers, as they are stored: 16 bits."""
    return encode_dataset(make_space(name, train), test[:EXPLORED]).half()


def explored_paths(model: LatentModel, z: Tensor, points: int) -> Tensor:
    """Images between all pairs of codes, by LERP and by SLERP, as `PathLab` takes them: (P, 2, K, C, H, W), uint8."""
    first, second = torch.tensor(list(itertools.combinations(range(len(z)), 2))).unbind(1)
    walks = [walk(model, z[first], z[second], points, method)[1] for method in METHODS]
    return (torch.stack(walks, dim=1) * 255).round().to(torch.uint8)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=60, help="pairs of images")
    parser.add_argument("--points", type=int, default=9, help="images on a walk, ends included")
    parser.add_argument("--spaces", nargs="+", default=list(SPACES), choices=list(SPACES), help="which to measure")
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    train, test = fashion_mnist("train"), fashion_mnist("test")
    pairs = choose_pairs(test, options.pairs)
    classifier = load_reference("classifier_fashion")

    def features(x: Tensor) -> Tensor:
        return image_features(x, classifier)

    real = features(train.images)
    unit = nearest_neighbors(features(test.images), real, k=1)[1].median().item()
    ruler = (features, real, unit)

    table, codes_file = data_dir() / "path_quality.json", "path_codes.safetensors"
    settings = {"pairs": pairs.tolist(), "points": options.points, "classifier": verify("classifier_fashion")["sha256"]}
    result = {"command": "python benchmarks/paths.py", **settings, "spaces": {}}
    codes = {}
    if table.exists() and options.spaces != list(SPACES):
        before, content = stored.read(table)
        if any(before[key] != value for key, value in settings.items()):
            raise SystemExit("The stored spaces were measured on other pairs or points: measure all of them.")
        result["spaces"] = before["spaces"]
        codes = safetensors.torch.load(content[codes_file])
    ends = test.pixels(pairs.flatten()).unflatten(0, pairs.shape)
    halves = [0] * ((options.points + 1) // 2) + [1] * (options.points // 2)
    result["jump"] = measure(ends[:, halves], None, ends, *ruler)  # no walk at all: A, then suddenly B
    for name in options.spaces:
        result["spaces"][name] = measure_space(name, pairs, options.points, train, test, ruler)
        if name in SLOW:
            codes[name] = explored_codes(name, train, test)
        if name == "diffusion":
            codes["diffusion paths"] = explored_paths(make_space(name, train), codes[name].float(), options.points)
        print(f"{name}: {result['spaces'][name]['cpu_seconds']:.0f} s of processor time", flush=True)
    result["spaces"] = {name: result["spaces"][name] for name in SPACES if name in result["spaces"]}
    content = safetensors.torch.save({name: codes[name].contiguous() for name in sorted(codes)})
    stored.save(table, {codes_file: content}, card=result)


if __name__ == "__main__":
    main()
