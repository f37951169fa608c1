"""How good the samples of the course's generative models are, measured in one run, in the same features.

uv run benchmarks/samples.py                   5,000 samples a model against 5,000 test images
uv run benchmarks/samples.py --samples 10000   all test images: about twice as long
                                               (lesson 12 shows data/sample_quality.json from this command)

Frechet distance (smaller is better), precision and recall (larger is better) in the features of the reference
classifier_fashion. Only values from equally many images can be compared. The latent diffusion is trained here, as
lesson 12 trains it: on the bundled images, in under a minute. Besides the table, a run on the full data writes
data/sample_quality.json; --out writes it elsewhere.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from course_utils import stored
from course_utils.checkpoints import load_reference, reference_names
from course_utils.data import fashion_mnist
from course_utils.latents import decode_dataset, encode_dataset
from course_utils.metrics import image_features, sample_quality
from course_utils.recipes.diffusion import class_samples, latent_diffusion

STEPS = (5, 10, 20, 50)
OUT = Path(__file__).resolve().parents[1] / "data" / "sample_quality.json"


def from_prior(name: str, n: int) -> Tensor:
    """Samples of a reference model: standard normal codes (seed 0), decoded."""
    model = load_reference(name)
    noise = torch.randn(n, *model.latent_shape, generator=torch.Generator().manual_seed(0))
    return decode_dataset(model, noise)


def live_latent_diffusion():
    """The latent diffusion that lesson 12 trains."""
    torch.manual_seed(0)
    images, generator = fashion_mnist("train"), torch.Generator().manual_seed(0)
    return latent_diffusion(load_reference("latent_autoencoder"), images, generator=generator)


def rows(n: int, train, test) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    """What is compared: a name, and a function that makes n images."""
    known = reference_names()
    yield "real training images", lambda: train.images[:n]
    yield "VAE, 16 dimensions: prior", lambda: from_prior("vae_16d", n)
    if "gan_fashion" in known:
        yield "GAN, 64 dimensions", lambda: from_prior("gan_fashion", n)
    if "latent_autoencoder" in known:
        compressor = load_reference("latent_autoencoder")
        yield (
            "latent_autoencoder: reconstructions",
            lambda: decode_dataset(compressor, encode_dataset(compressor, test)),
        )
        model = live_latent_diffusion()
        for guidance in (1.0, 2.0):
            yield (
                f"latent diffusion, 20 steps, guidance {guidance:g}",
                lambda guidance=guidance: class_samples(model, n, guidance=guidance),
            )
    if "diffusion_fashion" in known:
        model = load_reference("diffusion_fashion")
        for steps in STEPS:
            yield f"diffusion, {steps} steps", lambda steps=steps: class_samples(model, n, steps=steps)
        yield "diffusion, 20 steps, guidance 2", lambda: class_samples(model, n, guidance=2.0)


def as_card(measured: list[dict], options) -> dict:
    """The table, and how it came about."""
    data = "" if options.data == "full" else " --data bundled"
    return {
        "command": f"python benchmarks/samples.py --samples {options.samples}{data}",
        "samples": options.samples,
        "features": "classifier_fashion",
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "rows": measured,
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=5000, help="images of each model, at most 10,000")
    parser.add_argument("--data", choices=("full", "bundled"), default="full", help="bundled: at most 2,000 samples")
    parser.add_argument("--out", type=Path, help="JSON of the table (full data: data/sample_quality.json)")
    options = parser.parse_args(arguments)
    n, full = options.samples, options.data == "full"
    train, test = fashion_mnist("train", full=full), fashion_mnist("test", full=full, limit=n)
    if len(test) < n:
        parser.error(f"there are only {len(test):,} test images to compare {n:,} samples with")
    classifier = load_reference("classifier_fashion")
    real = image_features(test, classifier)
    print(f"| {n:,} images | Frechet distance | VAE's divided by it | precision | recall | seconds |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    vae, measured = float("nan"), []
    for name, make in rows(n, train, test):
        start = time.perf_counter()
        images = make()
        seconds = time.perf_counter() - start
        quality = sample_quality(images, real, classifier)
        frechet = quality["frechet"]
        vae = frechet if name.startswith("VAE") else vae
        print(
            f"| {name} | {frechet:.1f} | {vae / frechet:.1f} | {quality['precision']:.2f} | "
            f"{quality['recall']:.2f} | {seconds:.0f} |",
            flush=True,
        )
        numbers = {key: round(quality[key], 4) for key in ("frechet", "precision", "recall")}
        measured.append({"name": name, **numbers, "seconds": round(seconds, 1)})
    out = options.out or (OUT if full else None)
    if out is not None:
        stored.save(out, card=as_card(measured, options))


if __name__ == "__main__":
    main()
