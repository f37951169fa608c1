"""Images a second when training a VAE: the usual way, and the course's, side by side in one run.

    python benchmarks/training_speed.py [--epochs 3] [--seeds 3] [--data full|bundled] [--threads N] [--quick]

Every way trains the same network, 784-400-20-400-784, on Fashion-MNIST with Adam. The ways take turns, one epoch each,
so that a busy machine slows all of them; a ratio is the median over the turns of speed against the usual way's in the
same turn. The test -ELBO is that after all epochs, in nats: mean over the seeds, and in brackets lowest to highest.
The usual way is that of PyTorch's own VAE example: a DataLoader over the images, with ToTensor on each.
"""

import argparse
import importlib.util
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.data import ImageSet, fashion_mnist
from course_utils.losses import elbo
from course_utils.models.vae import VAE
from course_utils.precision import autocast, bfloat16_speedup, choose_precision
from course_utils.training import fit

HIDDEN, LATENT_DIM = 400, 20
FAST_BATCH, FAST_LR = 384, 4e-3


class ExampleVAE(nn.Module):
    """The network and loss of PyTorch's VAE example, with its names for the layers."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, HIDDEN)
        self.fc21, self.fc22 = nn.Linear(HIDDEN, LATENT_DIM), nn.Linear(HIDDEN, LATENT_DIM)
        self.fc3, self.fc4 = nn.Linear(LATENT_DIM, HIDDEN), nn.Linear(HIDDEN, 784)

    def forward(self, x):
        h = F.relu(self.fc1(x.view(-1, 784)))
        mu, logvar = self.fc21(h), self.fc22(h)
        std = torch.exp(0.5 * logvar)
        z = mu + torch.randn_like(std) * std
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z)))), mu, logvar

    def loss(self, x):
        x_hat, mu, logvar = self(x)
        kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        return F.binary_cross_entropy(x_hat, x.view(-1, 784), reduction="sum") + kl

    def as_course_vae(self) -> VAE:
        """The same weights in the course's class, to be measured alike."""
        model = course_vae()
        model.encoder[1].load_state_dict(self.fc1.state_dict())
        heads = zip(self.fc21.state_dict().items(), self.fc22.state_dict().values(), strict=True)
        model.encoder[3].load_state_dict({name: torch.cat([mu, logvar]) for (name, mu), logvar in heads})
        model.decoder[0].load_state_dict(self.fc3.state_dict())
        model.decoder[2].load_state_dict(self.fc4.state_dict())
        return model


def course_vae() -> VAE:
    return VAE(LATENT_DIM, architecture="mlp", hidden=HIDDEN)


@dataclass
class Way:
    """One way of training.

    `start(seed)` makes a fresh model and returns two functions: one epoch, and the trained model as a course VAE.
    """

    name: str
    batch_size: int
    precision: str
    start: Callable[[int], tuple[Callable[[], object], Callable[[], VAE | None]]]
    rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)


def write_idx(images: ImageSet, folder: Path, stem: str) -> None:
    """Write images and labels as the uncompressed files that torchvision reads."""
    for kind, values in (("images-idx3", images.images[:, 0]), ("labels-idx1", images.labels.byte())):
        header = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
        (folder / f"{stem}-{kind}-ubyte").write_bytes(header + values.numpy().tobytes())


def usual_way(train: ImageSet, test: ImageSet) -> Way:
    from torchvision import datasets, transforms

    with tempfile.TemporaryDirectory() as root:
        raw = Path(root, "FashionMNIST", "raw")
        raw.mkdir(parents=True)
        write_idx(train, raw, "train")
        write_idx(test, raw, "t10k")
        data = datasets.FashionMNIST(root, train=True, transform=transforms.ToTensor())

    def start(seed):
        torch.manual_seed(seed)
        model = ExampleVAE()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        loader = torch.utils.data.DataLoader(data, batch_size=128, shuffle=True)

        def epoch():
            total = 0.0
            for x, _ in loader:
                optimizer.zero_grad()
                loss = model.loss(x)
                loss.backward()
                total += loss.item()
                optimizer.step()

        return epoch, model.as_course_vae

    return Way("PyTorch's example: DataLoader, ToTensor", 128, "float32", start)


def course_way(name: str, train: ImageSet, batch_size: int, lr: float, precision: str) -> Way:
    def start(seed):
        torch.manual_seed(seed)
        model = course_vae()
        optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True)
        batches = train.batches(batch_size, shuffle=True)
        return (
            lambda: fit(model, batches, epochs=1, optimizer=optimizer, progress=False, precision=precision),
            lambda: model,
        )

    return Way(name, batch_size, precision, start)


def resident_way(train: ImageSet, batch_size: int, precision: str) -> Way:
    """The bare training step on one batch, again and again: as fast as any data path could be."""

    def start(seed):
        torch.manual_seed(seed)
        model, x = course_vae(), train.pixels(slice(0, batch_size))
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

        def epoch():
            for _ in range(-(-len(train) // batch_size)):
                with autocast(precision, x.device):
                    loss = model.loss_terms(x)["loss"]
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()

        return epoch, lambda: None

    return Way("the same step, one resident batch", batch_size, precision, start)


def pythae_way(train: ImageSet) -> Way:
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE as PythaeVAE
    from pythae.models import VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.network = ExampleVAE()

        def forward(self, x):
            h = F.relu(self.network.fc1(x.flatten(1)))
            return ModelOutput(embedding=self.network.fc21(h), log_covariance=self.network.fc22(h))

    class Decoder(BaseDecoder):
        def __init__(self, network):
            super().__init__()
            self.network = network

        def forward(self, z):
            x_hat = torch.sigmoid(self.network.fc4(F.relu(self.network.fc3(z))))
            return ModelOutput(reconstruction=x_hat.view(-1, 1, 28, 28))

    data, folder = BaseDataset(train.pixels(), train.labels), tempfile.TemporaryDirectory()

    def start(seed):
        torch.manual_seed(seed)
        encoder = Encoder()
        config = VAEConfig(input_dim=(1, 28, 28), latent_dim=LATENT_DIM, reconstruction_loss="bce")
        model = PythaeVAE(config, encoder=encoder, decoder=Decoder(encoder.network))
        settings = BaseTrainerConfig(
            output_dir=folder.name, num_epochs=1, learning_rate=1e-3, per_device_train_batch_size=128,
            optimizer_cls="Adam", no_cuda=True, seed=seed,
        )  # fmt: skip
        trainer = BaseTrainer(model, train_dataset=data, training_config=settings)
        trainer.prepare_training()
        return lambda: trainer.train_step(1), encoder.network.as_course_vae

    return Way("pythae: BaseTrainer", 128, "float32", start)


@torch.no_grad()
def negative_elbo(model: VAE, test: ImageSet) -> float:
    """Mean over the test images, one posterior sample each, in nats."""
    generator = torch.Generator().manual_seed(0)
    return -torch.cat([elbo(model, x, generator=generator) for x in test.batches(1000)]).mean().item()


def measure(ways: list[Way], train: ImageSet, test: ImageSet, epochs: int, seeds: int) -> None:
    """Fill in each way's rates and losses, the ways taking turns."""
    for seed in range(seeds):
        running = [way.start(seed) for way in ways]
        for _ in range(epochs):
            for way, (epoch, _) in zip(ways, running, strict=True):
                begin = time.perf_counter()
                epoch()
                way.rates.append(len(train) / (time.perf_counter() - begin))
        for way, (_, result) in zip(ways, running, strict=True):
            model = result()
            if model is not None:
                way.losses.append(negative_elbo(model, test))


def ratio(way: Way, base: Way) -> float:
    return statistics.median(a / b for a, b in zip(way.rates, base.rates, strict=True))


def table(ways: list[Way], epochs: int) -> str:
    base = ways[0]
    lines = [
        f"| way | batch | precision | images a second | against the usual way | test -ELBO after {epochs} epochs |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for way in ways:
        loss = "-"
        if way.losses:
            loss = f"{statistics.mean(way.losses):.1f} ({min(way.losses):.1f} to {max(way.losses):.1f})"
        rate = f"{statistics.median(way.rates):,.0f}"
        lines.append(f"| {way.name} | {way.batch_size} | {way.precision} | {rate} | {ratio(way, base):.1f}x | {loss} |")
    return "\n".join(lines)


def shares(ways: list[Way]) -> str:
    """How near the course's ways come to the bare step of the same batch size and precision."""
    bare = {(way.batch_size, way.precision): way for way in ways if "resident" in way.name}
    course = [way for way in ways if way.name.startswith("course")]
    parts = [f"{ratio(way, bare[way.batch_size, way.precision]):.0%} ({way.name})" for way in course]
    return f"Of the bare step's speed `fit` reaches {', '.join(parts)}."


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", choices=("full", "bundled"), default="full")
    parser.add_argument("--threads", type=int, help="threads for torch (its own choice by default)")
    parser.add_argument("--quick", action="store_true", help="one short epoch, to see that everything runs")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.quick:
        options.epochs, options.seeds, options.data = 1, 1, "bundled"
    full, limit = options.data == "full", 1024 if options.quick else None
    train, test = (fashion_mnist(split, full=full, limit=limit) for split in ("train", "test"))

    fast = choose_precision("auto", "cpu")
    ways = [
        usual_way(train, test),
        course_way("course: fit, like for like", train, 128, 1e-3, "float32"),
        resident_way(train, 128, "float32"),
        course_way(f"course: fit, fast settings (lr {FAST_LR:g})", train, FAST_BATCH, FAST_LR, fast),
        resident_way(train, FAST_BATCH, fast),
    ]
    note = ""
    if importlib.util.find_spec("pythae"):
        ways.append(pythae_way(train))
    else:
        note = " pythae is not installed, so its row is missing."
    measure(ways, train, test, options.epochs, options.seeds)
    print(f"{table(ways, options.epochs)}\n")
    print(f"{shares(ways)} {len(train):,} images an epoch, {options.seeds} seeds.{note}")
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    gain = f"bfloat16 products are {bfloat16_speedup('cpu'):.1f} times as fast as float32"
    print(f"Measured on {machine}; {gain}; Python {platform.python_version()}, torch {torch.__version__}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
