"""The training loop of two players: one step each in turn, averaged weights, a history, a clean stop."""

import copy
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_utils.device import kept_rng
from course_utils.latents import model_device
from course_utils.models.gan import losses
from course_utils.training.history import History
from course_utils.training.loop import NonFiniteLoss
from course_utils.training.parts import can_fuse, follow, progress_bar
from course_utils.training.precision import autocast, choose_precision

# Loss of the discriminator and of the generator, by the name of the pair.
LOSSES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "non_saturating": (losses.discriminator_loss, losses.generator_loss),
    "saturating": (losses.discriminator_loss, losses.saturating_generator_loss),
    "hinge": (losses.hinge_discriminator_loss, losses.linear_generator_loss),
    "wasserstein": (losses.wasserstein_discriminator_loss, losses.linear_generator_loss),
}


@dataclass(frozen=True)
class GanSettings:
    """How `train_gan` trains.

    Raises:
        ValueError: An unknown loss or decay, or a number out of range.
    """

    loss: str = "non_saturating"  # one of LOSSES
    r1: float = 0.0  # gamma: weight of the R1 penalty, r1 / 2 times the squared length of the gradient
    r1_every: int = 16  # lazy: the penalty only at every so manieth step, then so many times as strong
    gradient_penalty: float = 0.0  # lambda: weight of the penalty on gradients whose length is not 1, at every step
    discriminator_steps: int = 1  # of them, for each step of the generator
    lr_generator: float = 1e-3
    lr_discriminator: float = 1e-3
    betas: tuple[float, float] = (0.0, 0.99)  # of Adam; momentum makes the two players circle each other
    ema: float = 0.995  # the averaged generator keeps this share of itself at each step
    decay: str = "constant"  # learning rates over the steps: "constant", or "linear" to zero in the last half

    def __post_init__(self):
        if self.loss not in LOSSES:
            raise ValueError(f"loss is {self.loss!r}: use one of {', '.join(LOSSES)}.")
        if self.decay not in ("constant", "linear"):
            raise ValueError(f"decay is {self.decay!r}: use 'constant' or 'linear'.")
        for name in ("r1_every", "discriminator_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least 1.")
        for name in ("r1", "gradient_penalty"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}: a penalty's weight cannot be negative.")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema is {self.ema}: it must be at least 0 and below 1.")


def train_gan(
    generator: nn.Module,
    discriminator: nn.Module,
    batches: Iterable,
    *,
    steps: int,
    settings: GanSettings | None = None,
    average: nn.Module | None = None,
    record_every: int = 100,
    on_record: Callable[[nn.Module, dict], None] | None = None,
    seconds: float | None = None,
    progress: bool = True,
    precision: str = "float32",
) -> History:
    """Train a generator and a discriminator against each other, in place.

    At each step the discriminator learns from real x and from generated images, detached; then the generator learns
    from new ones. Codes are drawn from N(0, I) by PyTorch's global generator.

    Args:
        generator: Codes (B, *latent_shape) to images, with ``latent_shape``, already on its device.
        discriminator: Images to logits (B,), on the same device.
        batches: Real images, passed over again and again: ``image_set.batches(128, shuffle=True)``, or a list of
            tensors (of points, for the ring). Batches are moved to the device.
        steps: Steps of the generator.
        settings: The losses, penalties and learning rates; by default the non-saturating loss and no penalty.
        average: A copy of the generator that is made to follow it smoothly, w <- ema w + (1 - ema) w_generator; its
            images are usually better than those of the last step. None keeps no average.
        record_every: Steps between entries of the history.
        on_record: Called as on_record(model, record) after each of these entries, model being ``average`` or, without
            one, the generator, in evaluation mode; what it draws at random does not change the training.
        seconds: Stop earlier after so many seconds of processor time (`time.process_time`), for fair comparisons.
        progress: Show a progress bar.
        precision: As for `course_utils.training.fit`; the penalties are always computed in float32.

    Returns:
        A History with one entry every ``record_every`` steps: "epoch" is the step, "train" has the mean "discriminator"
        and "generator" loss (without penalties), "real" and "fake", the mean logits, and "penalty", the weighted
        penalty where one was computed. After Ctrl-C both keep what they have learned, and ``interrupted`` is True.

    Raises:
        NonFiniteLoss: A loss became NaN or infinite. Generator, discriminator and average are put back to the last
            entry of the history, which is the exception's ``history``.
        ValueError: steps or record_every is below 1, or there are no batches.

    Source: Goodfellow et al. 2014, alg. 1; lazy penalty: Karras et al. 2020, app. B; averaging: Yazici et al. 2019.
    Taught in lesson 10.
    """
    settings = GanSettings() if settings is None else settings
    if steps < 1 or record_every < 1:
        raise ValueError(f"steps is {steps} and record_every {record_every}: both must be at least 1.")
    device = model_device(generator)
    history = History(precision=choose_precision(precision, device))
    players = [model for model in (generator, discriminator, average) if model is not None]
    trainer = _Trainer(generator, discriminator, average, batches, settings, device, history.precision)
    was_training = [model.training for model in players]
    kept, start, begin, step = _weights(players), time.perf_counter(), time.process_time(), 0
    with progress_bar(1, range(steps), progress, 0) as bar:
        try:
            last = False
            while not last:
                generator.train()
                discriminator.train()
                trainer.learning_rates(step / steps)
                trainer.step(step)
                step += 1
                bar.update()
                last = step == steps or (seconds is not None and time.process_time() - begin >= seconds)
                if step % record_every and not last:
                    continue
                means = trainer.means(step)
                bar.set_postfix({name: f"{value:.3g}" for name, value in means.items()})
                record = {"epoch": step, "seconds": time.perf_counter() - start, "train": means, "validation": None}
                if on_record is not None:
                    watched = generator if average is None else average
                    with kept_rng(trainer.device):
                        on_record(watched.eval(), record)
                history.epochs.append(record)
                kept, start = _weights(players), time.perf_counter()
        except KeyboardInterrupt:
            history.interrupted = True
            bar.write(f"Stopped at step {step} of {steps}; the models keep what they learned.")
        except NonFiniteLoss as error:
            for model, weights in zip(players, kept, strict=True):
                model.load_state_dict(weights)
            error.history = history
            raise
        finally:
            for model, training in zip(players, was_training, strict=True):
                model.train(training)
    return history


class _Trainer:
    """The two optimizers, and one step of the game."""

    NAMES = ("discriminator", "generator", "real", "fake", "penalty")

    def __init__(self, generator, discriminator, average, batches, settings, device, precision):
        self.generator, self.discriminator, self.average = generator, discriminator, average
        self.settings, self.device, self.precision = settings, device, precision
        self.optimizers = [
            torch.optim.Adam(model.parameters(), lr=lr, betas=settings.betas, fused=can_fuse(model))
            for model, lr in ((generator, settings.lr_generator), (discriminator, settings.lr_discriminator))
        ]
        self.rates = (settings.lr_generator, settings.lr_discriminator)
        self.discriminator_loss, self.generator_loss = LOSSES[settings.loss]
        self.real = _endless(batches, device)
        self._reset()

    def _reset(self):
        self.sums = torch.zeros(len(self.NAMES), device=self.device)
        self.counts = torch.zeros(len(self.NAMES), device=self.device)
        self.bad = torch.full((len(self.NAMES),), torch.inf, device=self.device)  # first step that was not finite

    def learning_rates(self, done: float) -> None:
        factor = 1.0 if self.settings.decay == "constant" else min(1.0, 2 * (1 - done))
        for optimizer, rate in zip(self.optimizers, self.rates, strict=True):
            optimizer.param_groups[0]["lr"] = factor * rate

    def _codes(self, n: int) -> Tensor:
        dtype = next(self.generator.parameters()).dtype
        return torch.randn(n, *self.generator.latent_shape, device=self.device, dtype=dtype)

    def step(self, number: int) -> None:
        for _ in range(self.settings.discriminator_steps):
            x = next(self.real)
            loss, real, fake, penalty = self._discriminator_step(x, number)
        generator_optimizer, _ = self.optimizers
        self.discriminator.requires_grad_(False)  # its gradients are not needed here: a quarter less work
        with autocast(self.precision, self.device):
            generator_loss = self.generator_loss(self.discriminator(self.generator(self._codes(len(x)))))
        generator_optimizer.zero_grad(set_to_none=True)
        generator_loss.backward()
        generator_optimizer.step()
        self.discriminator.requires_grad_(True)
        if self.average is not None:
            follow(self.average, self.generator, self.settings.ema)
        values = torch.stack([value.detach().float() for value in (loss, generator_loss, real, fake, penalty)])
        measured = torch.ones_like(values)
        measured[-1] = float(self._penalised(number))
        self.sums, self.counts = self.sums + values, self.counts + measured
        self.bad = torch.where(values.isfinite() | self.bad.isfinite(), self.bad, number + 1.0)

    def _penalised(self, number: int) -> bool:
        return self.settings.gradient_penalty > 0 or (self.settings.r1 > 0 and number % self.settings.r1_every == 0)

    def _discriminator_step(self, x: Tensor, number: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        settings = self.settings
        with autocast(self.precision, self.device):
            with torch.no_grad():
                fake = self.generator(self._codes(len(x)))
            real_logits, fake_logits = self.discriminator(torch.cat([x, fake])).float().chunk(2)
            loss = self.discriminator_loss(real_logits, fake_logits)
        penalty = torch.zeros((), device=self.device)
        if settings.gradient_penalty > 0:
            penalty = settings.gradient_penalty * losses.gradient_penalty(self.discriminator, x, fake.to(x.dtype))
        if settings.r1 > 0 and number % settings.r1_every == 0:
            strength = settings.r1 / 2 * settings.r1_every
            penalty = penalty + strength * losses.r1_penalty(self.discriminator, x)
        self.optimizers[1].zero_grad(set_to_none=True)
        (loss + penalty).backward()
        self.optimizers[1].step()
        return loss, real_logits.mean(), fake_logits.mean(), penalty

    def means(self, step: int) -> dict[str, float]:
        """Mean of each term since the last call; looks here, and not at each step, whether all were finite."""
        first = self.bad.min().item()
        if first < torch.inf:
            guilty = ", ".join(repr(n) for n, bad in zip(self.NAMES, self.bad.tolist(), strict=True) if bad == first)
            raise NonFiniteLoss(
                f"{guilty} became NaN or infinite in step {int(first)}. The models were put back to the last entry of "
                "the history. Try smaller learning rates or a penalty, and check that the images are finite and in "
                "[0, 1]."
            )
        means = dict(zip(self.NAMES, (self.sums / self.counts.clamp(min=1)).tolist(), strict=True))
        if not self.counts[-1]:
            del means["penalty"]
        self._reset()
        return means


def _endless(batches: Iterable, device: torch.device) -> Iterator[Tensor]:
    while True:
        empty = True
        for x in batches:
            empty = False
            yield x.to(device)
        if empty:
            raise ValueError("there are no batches: the data set is empty, or an iterator was already used up.")


def _weights(players: list[nn.Module]) -> list[dict]:
    return [copy.deepcopy(model.state_dict()) for model in players]
