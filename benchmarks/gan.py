"""Which regulariser gives a GAN the best samples for a given time: R1, spectral normalisation, gradient penalty.

    python benchmarks/gan.py [--seconds 90] [--seeds 1 2] [--no-tuning] [--out data/gan_comparison.json]

Every way trains the same generator on the 60,000 images of Fashion-MNIST for equal seconds of processor time on one
thread, then 10,000 samples of its averaged weights are compared with the 10,000 test images in the features of the
reference classifier. First each way chooses the better of its two candidates (learning rate, weight of the penalty)
with seed 0, in trainings of the same length: in shorter ones higher learning rates win that fail later. Then the
chosen ones take turns, seed by seed. Prints a markdown table and writes the numbers as JSON.
"""

import argparse
import copy
import os
import platform
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from course_utils import stored
from course_utils.checkpoints import load_reference
from course_utils.data import ImageSet, fashion_mnist
from course_utils.latents import decode_dataset
from course_utils.metrics import frechet_distance, image_features, sample_quality
from course_utils.models.gan import GAN, Discriminator
from course_utils.training.adversarial import GanSettings, train_gan
from course_utils.training.precision import choose_precision

OUT = Path(__file__).resolve().parents[1] / "data" / "gan_comparison.json"


BATCH_SIZE = 32


@dataclass
class Way:
    name: str
    candidates: list[GanSettings]
    spectral: bool = False
    tuning: list[float] = field(default_factory=list)  # Fréchet distance of each candidate
    steps: list[int] = field(default_factory=list)  # of the chosen one, for each seed
    quality: list[dict[str, float]] = field(default_factory=list)

    @property
    def settings(self) -> GanSettings:
        """The candidate with the smallest Fréchet distance, or the first where nothing was tuned."""
        return self.candidates[self.tuning.index(min(self.tuning)) if self.tuning else 0]


def _at(rate: float, **settings) -> GanSettings:
    return GanSettings(**settings, lr_generator=rate, lr_discriminator=rate)


def ways() -> list[Way]:
    return [
        Way("non-saturating, R1", [_at(1e-3, r1=0.3), _at(2e-3, r1=1.0)]),
        Way("hinge, spectral normalisation", [_at(2e-3, loss="hinge"), _at(4e-3, loss="hinge")], spectral=True),
        Way("non-saturating, spectral normalisation", [_at(2e-3), _at(4e-3)], spectral=True),
        Way(
            "Wasserstein, gradient penalty",
            [_at(4e-3, loss="wasserstein", gradient_penalty=weight) for weight in (1.0, 10.0)],
        ),
        Way("non-saturating, nothing", [_at(1e-3), _at(2e-3)]),
    ]


def measure(
    way: Way, settings: GanSettings, train: ImageSet, test_features: Tensor, classifier, seconds, seed, steps
) -> tuple[int, dict[str, float]]:
    """Train one GAN; how many steps it made and how good its samples are."""
    torch.manual_seed(seed)
    model, discriminator = GAN(64), Discriminator(spectral=way.spectral)
    generator = model.generator.to(memory_format=torch.channels_last)
    discriminator = discriminator.to(memory_format=torch.channels_last)
    average = copy.deepcopy(generator)
    history = train_gan(
        generator, discriminator, train.batches(BATCH_SIZE, shuffle=True), steps=steps, seconds=seconds,
        settings=settings, average=average, progress=False, precision=choose_precision("auto", "cpu"),
    )  # fmt: skip
    model.generator = average
    codes = torch.randn(len(test_features), 64, generator=torch.Generator().manual_seed(0))
    samples = decode_dataset(model.eval(), codes)
    quality = sample_quality(image_features(samples, classifier), test_features, classifier)
    return history.epochs[-1]["epoch"], quality


def mean(way: Way, what: str) -> float:
    return statistics.mean(quality[what] for quality in way.quality)


def table(measured: list[Way]) -> str:
    lines = [
        "| way | learning rate | steps | Fréchet distance, mean (each seed) | precision | recall |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for way in measured:
        each = ", ".join(f"{quality['frechet']:.0f}" for quality in way.quality)
        lines.append(
            f"| {way.name} | {way.settings.lr_generator:g} | {statistics.mean(way.steps):,.0f} "
            f"| {mean(way, 'frechet'):.0f} ({each}) | {mean(way, 'precision'):.2f} | {mean(way, 'recall'):.2f} |"
        )
    return "\n".join(lines)


def as_card(measured: list[Way], options, floor: float) -> dict:
    asked = f"--seconds {options.seconds:g} --seeds {' '.join(map(str, options.seeds))}"
    return {
        "command": f"python benchmarks/gan.py {asked}",
        "seconds": options.seconds,
        "threads": 1,
        "batch_size": BATCH_SIZE,
        "seeds": options.seeds,
        "precision": choose_precision("auto", "cpu"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "floor": round(floor, 3),
        "ways": [
            {
                "name": way.name,
                "settings": asdict(way.settings),
                "spectral": way.spectral,
                "tuning": [
                    {"settings": asdict(candidate), "frechet": round(frechet, 2)}
                    for candidate, frechet in zip(way.candidates, way.tuning, strict=False)
                ],
                "steps": way.steps,
                **{k: [round(quality[k], 4) for quality in way.quality] for k in ("frechet", "precision", "recall")},
            }
            for way in measured
        ],
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=90, help="processor time of each training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--no-tuning", action="store_true", help="take the first candidate of each way")
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

    def train_one(way, settings, seed):
        steps, quality = measure(way, settings, train, features, classifier, options.seconds, seed, options.steps)
        line = f"{way.name}, learning rate {settings.lr_generator:g}, seed {seed}: {steps} steps"
        print(f"{line}, Fréchet distance {quality['frechet']:.1f}", file=sys.stderr, flush=True)
        return steps, quality

    for way in [] if options.no_tuning else measured:
        way.tuning = [train_one(way, candidate, 0)[1]["frechet"] for candidate in way.candidates]
    for seed in options.seeds:
        for way in measured:
            steps, quality = train_one(way, way.settings, seed)
            way.steps.append(steps)
            way.quality.append(quality)
    print(table(measured))
    print(
        f"\n{options.seconds:g} s of processor time each on one thread, {len(train):,} training images; "
        f"{len(test):,} samples against {len(test):,} test images. As many training images score {floor:.1f}. "
        f"All in {(time.perf_counter() - begin) / 60:.0f} minutes."
    )
    stored.save(options.out, card=as_card(measured, options, floor))
    return 0


if __name__ == "__main__":
    sys.exit(main())
