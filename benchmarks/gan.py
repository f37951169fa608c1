"""Which regulariser gives a GAN the best samples for a given time: R1, spectral normalisation, gradient penalty.

    python benchmarks/gan.py [--seconds 90] [--seeds 0 1] [--out data/gan_comparison.json]

Every way trains the same generator on the 60,000 images of Fashion-MNIST for equal seconds of processor time on one
thread, then 10,000 samples of its averaged weights are compared with the 10,000 test images in the features of the
reference classifier. The ways take turns, seed by seed. Prints a markdown table and writes the numbers as JSON.
"""

import argparse
import copy
import json
import os
import platform
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from course_utils.checkpoints import load_reference
from course_utils.data import ImageSet, fashion_mnist
from course_utils.latents import decode_dataset
from course_utils.metrics import frechet_distance, image_features, sample_quality
from course_utils.models.gan import GAN, Discriminator
from course_utils.paths import write_atomically
from course_utils.precision import choose_precision
from course_utils.training_gan import GanSettings, train_gan

OUT = Path(__file__).resolve().parents[1] / "data" / "gan_comparison.json"


@dataclass
class Way:
    name: str
    settings: GanSettings
    spectral: bool = False
    batch_size: int = 32
    steps: list[int] = field(default_factory=list)
    quality: list[dict[str, float]] = field(default_factory=list)


def ways() -> list[Way]:
    """Each with the best of the learning rates and weights that were tried for it, 30 s each, seed 0."""
    return [
        Way("non-saturating, R1", GanSettings(r1=0.3)),
        Way("hinge, spectral normalisation", GanSettings("hinge"), spectral=True),
        Way("Wasserstein, gradient penalty", GanSettings("wasserstein", gradient_penalty=10.0)),
        Way("non-saturating, nothing", GanSettings()),
    ]


def measure(way: Way, train: ImageSet, test_features, classifier, seconds: float, seed: int, steps: int) -> None:
    """Train one GAN and note how many steps it made and how good its samples are."""
    torch.manual_seed(seed)
    model, discriminator = GAN(64), Discriminator(spectral=way.spectral)
    generator = model.generator.to(memory_format=torch.channels_last)
    discriminator = discriminator.to(memory_format=torch.channels_last)
    average = copy.deepcopy(generator)
    history = train_gan(
        generator, discriminator, train.batches(way.batch_size, shuffle=True), steps=steps, seconds=seconds,
        settings=way.settings, average=average, progress=False, precision=choose_precision("auto", "cpu"),
    )  # fmt: skip
    way.steps.append(history.epochs[-1]["epoch"])
    model.generator = average
    codes = torch.randn(len(test_features), 64, generator=torch.Generator().manual_seed(0))
    samples = decode_dataset(model.eval(), codes)
    way.quality.append(sample_quality(image_features(samples, classifier), test_features, classifier))


def mean(way: Way, what: str) -> float:
    return statistics.mean(quality[what] for quality in way.quality)


def table(measured: list[Way]) -> str:
    lines = [
        "| way | steps | Fréchet distance, mean (each seed) | precision | recall |",
        "|---|---:|---:|---:|---:|",
    ]
    for way in measured:
        each = ", ".join(f"{quality['frechet']:.0f}" for quality in way.quality)
        lines.append(
            f"| {way.name} | {statistics.mean(way.steps):,.0f} | {mean(way, 'frechet'):.0f} ({each}) "
            f"| {mean(way, 'precision'):.2f} | {mean(way, 'recall'):.2f} |"
        )
    return "\n".join(lines)


def as_json(measured: list[Way], options, floor: float) -> dict:
    seeds = " ".join(map(str, options.seeds))
    return {
        "command": f"python benchmarks/gan.py --seconds {options.seconds:g} --seeds {seeds}",
        "seconds": options.seconds,
        "threads": 1,
        "seeds": options.seeds,
        "precision": choose_precision("auto", "cpu"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "floor": round(floor, 3),
        "ways": [
            {
                "name": way.name,
                "settings": asdict(way.settings),
                "spectral": way.spectral,
                "batch_size": way.batch_size,
                "steps": way.steps,
                **{k: [round(quality[k], 4) for quality in way.quality] for k in ("frechet", "precision", "recall")},
            }
            for way in measured
        ],
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=90, help="processor time of each training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--steps", type=int, default=10**6, help="stop a training earlier after so many steps")
    parser.add_argument("--data", choices=("full", "bundled"), default="full")
    parser.add_argument("--out", type=Path, default=OUT, help="where to write the numbers")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    train, test = (fashion_mnist(split, full=options.data == "full") for split in ("train", "test"))
    classifier = load_reference("classifier_fashion")
    features = image_features(test, classifier)
    floor = frechet_distance(features, image_features(train[: len(test)], classifier))
    measured, begin = ways(), time.perf_counter()
    for seed in options.seeds:
        for way in measured:
            measure(way, train, features, classifier, options.seconds, seed, options.steps)
            last = way.quality[-1]["frechet"]
            print(f"{way.name}, seed {seed}: {way.steps[-1]} steps, {last:.1f}", file=sys.stderr, flush=True)
    print(table(measured))
    print(
        f"\n{options.seconds:g} s of processor time each on one thread, {len(train):,} training images; "
        f"{len(test):,} samples against {len(test):,} test images. As many training images score {floor:.1f}. "
        f"All in {(time.perf_counter() - begin) / 60:.0f} minutes."
    )
    write_atomically(options.out, (json.dumps(as_json(measured, options, floor), indent=2) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
