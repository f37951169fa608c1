"""Images a second when training a VAE: the usual way, and the course's, side by side in one run.

    python benchmarks/training_speed.py [--epochs 3] [--seeds 3] [--data full|bundled] [--threads N] [--quick]

Every way trains the same network, 784-400-20-400-784, on Fashion-MNIST with Adam, in a process of its own, so that none
profits or suffers from another's settings. The ways take turns, one epoch each, so that a busy machine slows all of
them; a ratio is the median over the turns of speed against the usual way's in the same turn, in brackets lowest to
highest. How near `fit` comes to the bare step is measured once more with these two alone, since the difference is
smaller than what a busy machine does to one turn. The test -ELBO is that after all epochs, in nats: mean over the
seeds, lowest to highest. The usual way is that of PyTorch's own VAE example: a DataLoader over the images, with
ToTensor on each.
"""

import argparse
import importlib.util
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.data import ImageSet, fashion_mnist
from course_utils.losses import elbo
from course_utils.models.vae import VAE
from course_utils.training import fit
from course_utils.training.parts import clear_subnormal_moments, learning_rate
from course_utils.training.precision import autocast, bfloat16_speedup, choose_precision

HIDDEN, LATENT_DIM = 400, 20
FAST_BATCH, FAST_BETAS, FAST_LR = 1024, (0.9, 0.9), {"peak": 1e-2, "warm_up": 10, "fall": 0.2}
SHARE_TURNS = 10
BARE = "the same step, one resident batch"
Training = tuple[Callable[[], object], Callable[[], "VAE | None"]]  # one epoch, and the trained model as a course VAE


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
    """One way of training: `start(train, seed)` makes a fresh model, to be trained on these images."""

    name: str
    batch_size: int
    precision: str
    start: Callable[[ImageSet, int], Training]
    rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)


def write_idx(images: ImageSet, folder: Path, stem: str) -> None:
    """Write images and labels as the uncompressed files that torchvision reads."""
    for kind, values in (("images-idx3", images.images[:, 0]), ("labels-idx1", images.labels.byte())):
        header = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
        (folder / f"{stem}-{kind}-ubyte").write_bytes(header + values.numpy().tobytes())


def usual_data(train: ImageSet):
    """The images as torchvision's own data set gives them."""
    from torchvision import datasets, transforms

    with tempfile.TemporaryDirectory() as root:
        raw = Path(root, "FashionMNIST", "raw")
        raw.mkdir(parents=True)
        write_idx(train, raw, "train")
        write_idx(train[:1], raw, "t10k")  # must exist, is not used
        return datasets.FashionMNIST(root, train=True, transform=transforms.ToTensor())


def usual_way(train: ImageSet, seed: int) -> Training:
    torch.manual_seed(seed)
    model = ExampleVAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = torch.utils.data.DataLoader(usual_data(train), batch_size=128, shuffle=True)

    def epoch():
        total = 0.0
        for x, _ in loader:
            optimizer.zero_grad()
            loss = model.loss(x)
            loss.backward()
            total += loss.item()
            optimizer.step()

    return epoch, model.as_course_vae


def course_way(train: ImageSet, seed: int, *, batch_size: int, precision: str) -> Training:
    torch.manual_seed(seed)
    model, batches = course_vae(), train.batches(batch_size, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    return (
        lambda: fit(model, batches, epochs=1, optimizer=optimizer, progress=False, precision=precision),
        lambda: model,
    )


def fast_way(train: ImageSet, seed: int, *, batch_size: int, precision: str, epochs: int) -> Training:
    """Large batches and large steps, which at the end become small; so many epochs in all, one at each call."""
    torch.manual_seed(seed)
    model, batches = course_vae(), train.batches(batch_size, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), betas=FAST_BETAS, fused=True)
    lr = partial(learning_rate, steps=epochs * len(batches), **FAST_LR)
    history = None

    def epoch():
        nonlocal history
        count = 1 if history is None else 1 + len(history.epochs)
        history = fit(
            model,
            batches,
            epochs=count,
            lr=lr,
            optimizer=optimizer,
            resume=history,
            progress=False,
            precision=precision,
        )

    return epoch, lambda: model


def bare_way(train: ImageSet, seed: int, *, batch_size: int, precision: str, resident: bool = True) -> Training:
    """The training step and nothing else.

    On one resident batch again and again, as fast as any data path could be, with gradients dropped and subnormal
    moments cleared as `fit` does it; or on the course's batches, as one would write the loop, with nothing cleared.
    """
    torch.manual_seed(seed)
    model, batches = course_vae(), train.batches(batch_size, shuffle=True)
    if resident:
        batches = [train.pixels(slice(0, batch_size))] * len(batches)
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)

    def epoch():
        for step, x in enumerate(batches, start=1):
            with autocast(precision, x.device):
                loss = model.loss_terms(x)["loss"]
            if resident:
                for parameter in parameters:
                    parameter.grad = None
            else:
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if resident and step % 100 == 0:
                clear_subnormal_moments(optimizer)

    return epoch, lambda: None if resident else model


def tight_loss(weights: list[nn.Parameter], x: torch.Tensor) -> torch.Tensor:
    """The loss of `course_vae` for images (B, 784) without its modules, checks and named terms."""
    w1, b1, w2, b2, w3, b3, w4, b4 = weights
    mu, logvar = F.linear(F.relu(F.linear(x, w1, b1)), w2, b2).chunk(2, dim=1)
    z = torch.addcmul(mu, torch.exp(0.5 * logvar), torch.randn_like(mu))
    logits = F.linear(F.relu(F.linear(z, w3, b3)), w4, b4)
    kl = 0.5 * (torch.expm1(logvar) + mu.square() - logvar).sum()
    return (F.binary_cross_entropy_with_logits(logits, x, reduction="sum") + kl) / len(x)


def ceiling_way(train: ImageSet, seed: int) -> Training:
    """The same step as tight as eager PyTorch allows, on one resident batch; see `tight_loss`.

    About what no training loop can exceed without another precision or a compiler.
    """
    torch.manual_seed(seed)
    weights, x = list(course_vae().parameters()), train.pixels(slice(0, 128)).flatten(1)
    optimizer = torch.optim.Adam(weights, lr=1e-3, fused=True)

    def epoch():
        for step in range(-(-len(train) // len(x))):
            loss = tight_loss(weights, x)
            for weight in weights:
                weight.grad = None
            loss.backward()
            optimizer.step()
            if step % 100 == 99:
                clear_subnormal_moments(optimizer)

    return epoch, lambda: None


def pythae_way(train: ImageSet, seed: int) -> Training:
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

    torch.manual_seed(seed)
    encoder, folder = Encoder(), tempfile.TemporaryDirectory()
    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=LATENT_DIM, reconstruction_loss="bce")
    model = PythaeVAE(config, encoder=encoder, decoder=Decoder(encoder.network))
    settings = BaseTrainerConfig(
        output_dir=folder.name, num_epochs=1, learning_rate=1e-3, per_device_train_batch_size=128,
        optimizer_cls="Adam", no_cuda=True, seed=seed,
    )  # fmt: skip
    data = BaseDataset(train.pixels(), train.labels)
    trainer = BaseTrainer(model, train_dataset=data, training_config=settings)
    trainer.prepare_training()

    def result():
        folder.cleanup()
        return encoder.network.as_course_vae()

    return lambda: trainer.train_step(1), result


@torch.no_grad()
def negative_elbo(model: VAE, test: ImageSet) -> float:
    """Mean over the test images, one posterior sample each, in nats."""
    generator = torch.Generator().manual_seed(0)
    return -torch.cat([elbo(model, x, generator=generator) for x in test.batches(1000)]).mean().item()


def load(data: str, limit: int | None) -> tuple[ImageSet, ImageSet]:
    return tuple(fashion_mnist(split, full=data == "full", limit=limit) for split in ("train", "test"))


def work(connection, start: Callable[[ImageSet, int], Training], seed: int, images: tuple, threads: int) -> None:
    """What the process of one way does: an epoch whenever it is told to; at the end it says how good the model is."""
    torch.set_num_threads(threads)
    train, test = load(*images)
    epoch, result = start(train, seed)
    connection.send(len(train))
    while connection.recv() == "epoch":
        begin = time.perf_counter()
        epoch()
        connection.send(len(train) / (time.perf_counter() - begin))
    model = result()
    connection.send(None if model is None else negative_elbo(model, test))


def measure(ways: list[Way], images: tuple[str, int | None], epochs: int, seeds: int) -> int:
    """Fill in each way's rates and losses, the ways taking turns, to and fro; how many images an epoch has."""
    context, threads = multiprocessing.get_context("spawn"), torch.get_num_threads()
    for seed in range(seeds):
        pipes, processes = [], []
        for way in ways:
            pipe, theirs = context.Pipe()
            process = context.Process(target=work, args=(theirs, way.start, seed, images, threads), daemon=True)
            process.start()
            theirs.close()  # so that a process that fails ends our waiting for it
            pipes.append(pipe)
            processes.append(process)
        count = [pipe.recv() for pipe in pipes][0]  # all are ready
        for turn in range(epochs):
            for way, pipe in list(zip(ways, pipes, strict=True))[:: 1 if turn % 2 == 0 else -1]:
                pipe.send("epoch")
                way.rates.append(pipe.recv())
        for way, pipe, process in zip(ways, pipes, processes, strict=True):
            pipe.send("end")
            loss = pipe.recv()
            if loss is not None:
                way.losses.append(loss)
            process.join()
    return count


def ratios(way: Way, base: Way) -> tuple[float, float, float]:
    """How many times as fast as the other way: the median over the turns, the lowest and the highest."""
    turns = [a / b for a, b in zip(way.rates, base.rates, strict=True)]
    return statistics.median(turns), min(turns), max(turns)


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
        median, lowest, highest = ratios(way, base)
        faster = "1.0x" if way is base else f"{median:.1f}x ({lowest:.1f} to {highest:.1f})"
        lines.append(f"| {way.name} | {way.batch_size} | {way.precision} | {rate} | {faster} | {loss} |")
    return "\n".join(lines)


def share(way: Way, images: tuple[str, int | None], turns: int) -> str:
    """How near a way comes to the bare step of its batch size and precision: these two alone, epoch by epoch."""
    bare = Way(
        BARE, way.batch_size, way.precision, partial(bare_way, batch_size=way.batch_size, precision=way.precision)
    )
    pair = [replace(way, rates=[], losses=[]), bare]
    measure(pair, images, turns, seeds=1)
    median, lowest, highest = ratios(*pair)
    return f"{median:.0%} ({lowest:.0%} to {highest:.0%}) with batches of {way.batch_size}"


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
    images = options.data, 1024 if options.quick else None

    fast = choose_precision("auto", "cpu")
    alike = {"batch_size": 128, "precision": "float32"}
    quick = {"batch_size": FAST_BATCH, "precision": fast}
    betas = " and ".join(f"{beta:g}" for beta in FAST_BETAS)
    fast_name = f"course: fit, fast settings (lr up to {FAST_LR['peak']:g} and then down to 0, betas {betas})"
    ways = [
        Way("PyTorch's example: DataLoader, ToTensor", 128, "float32", usual_way),
        Way("course: fit, like for like", **alike, start=partial(course_way, **alike)),
        Way("the same, the loop written out", **alike, start=partial(bare_way, **alike, resident=False)),
        Way(BARE, **alike, start=partial(bare_way, **alike)),
        Way("as tight as eager PyTorch allows, one resident batch", **alike, start=ceiling_way),
        Way(fast_name, **quick, start=partial(fast_way, **quick, epochs=options.epochs)),
        Way(BARE, **quick, start=partial(bare_way, **quick)),
    ]
    note = ""
    if importlib.util.find_spec("pythae"):
        ways.append(Way("pythae: BaseTrainer", 128, "float32", pythae_way))
    else:
        note = " pythae is not installed, so its row is missing."
    count = measure(ways, images, options.epochs, options.seeds)
    print(f"{table(ways, options.epochs)}\n")
    turns = 2 if options.quick else SHARE_TURNS
    near = " and ".join(share(way, images, turns) for way in ways if way.name.startswith("course"))
    print(f"Of the bare step's speed `fit` reaches {near}: medians of {turns} turns of these two alone.")
    print(f"{count:,} images an epoch, {options.seeds} seeds.{note}")
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    gain = f"bfloat16 products are {bfloat16_speedup('cpu'):.1f} times as fast as float32"
    print(f"Measured on {machine}; {gain}; Python {platform.python_version()}, torch {torch.__version__}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
