"""The game of two players, which the loop of `course_utils.training.loop` drives: one step each in turn."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from course_utils.inputs import check_images
from course_utils.latents import model_device
from course_utils.models.gan import losses
from course_utils.training.batches import Stretches, first_tensor
from course_utils.training.history import History
from course_utils.training.loop import precision_of, run
from course_utils.training.parts import can_fuse, follow
from course_utils.training.precision import autocast

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
    resume: History | None = None,
    save_to: Path | str | None = None,
    save_every: float = 0.0,
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
        batches: Real images, passed over again and again: ``image_set.batches(128, shuffle=True)``, a DataLoader, or a
            list of tensors (of points, for the ring). Of a batch (x, labels) or {"x": x, ...} the first tensor is
            taken. Batches are moved to the device.
        steps: Steps of the generator in all, those of ``resume`` included.
        settings: The losses, penalties and learning rates; by default the non-saturating loss and no penalty.
        average: A copy of the generator that is made to follow it smoothly, w <- ema w + (1 - ema) w_generator; its
            images are usually better than those of the last step. None keeps no average.
        record_every: Steps between entries of the history.
        on_record: Called as on_record(model, record) after each of these entries, model being ``average`` or, without
            one, the generator, in evaluation mode; what it draws at random does not change the training.
        resume: History of an earlier call with the same ``steps``, settings and kind of batches, to go on from its last
            entry. On the CPU the result is bit for bit that of one call that was never stopped.
        save_to, save_every: As for `course_utils.training.fit`, after each entry of the history.
        seconds: Stop earlier after so many seconds of processor time (`time.process_time`), for fair comparisons.
        progress: Show a progress bar.
        precision: As for `course_utils.training.fit`; the penalties are always computed in float32.

    Returns:
        A History with one entry every ``record_every`` steps: "epoch" is the step, "train" has the mean "discriminator"
        and "generator" loss (without penalties), "real" and "fake", the mean logits, and "penalty", the weighted
        penalty where one was computed. After Ctrl-C both keep what they have learned, and ``interrupted`` is True.

    Raises:
        NonFiniteLoss: A loss became NaN or infinite. Generator, discriminator, average and optimizers are put back to
            the last entry of the history, which is the exception's ``history``.
        ValueError: steps is not beyond those of ``resume``, record_every is below 1, there are no batches, pixels are
            not in [0, 1], or ``resume`` is of other players.
        TypeError: The real images are no floats.
        OSError: ``save_to`` cannot be written.

    Source: Goodfellow et al. 2014, alg. 1; lazy penalty: Karras et al. 2020, app. B; averaging: Yazici et al. 2019.
    Taught in lesson 10.
    """
    settings = GanSettings() if settings is None else settings
    if steps < 1 or record_every < 1:
        raise ValueError(f"steps is {steps} and record_every {record_every}: both must be at least 1.")
    precision = precision_of(precision, resume, model_device(generator))
    ends = [*range(record_every, steps, record_every), steps]
    return run(
        Game(generator, discriminator, average, settings, steps=steps, precision=precision),
        Stretches(batches, ends, group=settings.discriminator_steps),
        until=steps,
        unit="step",
        total=steps,
        on_record=on_record,
        resume=resume,
        save_to=save_to,
        save_every=save_every,
        seconds=seconds,
        progress=progress,
    )


class Game:
    """A step of the discriminator and one of the generator; see `train_gan` for the arguments."""

    advice = (
        "The models were put back to the last entry of the history. Try smaller learning rates or a penalty, and check "
        "that the images are finite and in [0, 1]."
    )

    def __init__(self, generator, discriminator, average, settings: GanSettings, *, steps: int, precision: str):
        self.generator, self.discriminator, self.average = generator, discriminator, average
        self.settings, self.last, self.precision, self.steps = settings, steps, precision, 0
        self.trained = (generator, discriminator)
        self.models = self.trained if average is None else (*self.trained, average)
        self.watched, self.device = generator if average is None else average, model_device(generator)
        self.rates = (settings.lr_generator, settings.lr_discriminator)
        self.optimizers = [
            torch.optim.Adam(model.parameters(), lr=rate, betas=settings.betas, fused=can_fuse(model))
            for model, rate in zip(self.trained, self.rates, strict=True)
        ]
        self.discriminator_loss, self.generator_loss = LOSSES[settings.loss]

    def __call__(self, batch) -> dict[str, Tensor]:
        """One step of the game; the terms."""
        share = 1.0 if self.settings.decay == "constant" else min(1.0, 2 * (1 - self.steps / self.last))
        for optimizer, rate in zip(self.optimizers, self.rates, strict=True):
            optimizer.param_groups[0]["lr"] = share * rate
        for part in batch if self.settings.discriminator_steps > 1 else [batch]:
            x = self._real(part)
            terms = self._discriminator_step(x)
        terms = {"discriminator": terms.pop("discriminator"), "generator": self._generator_step(len(x)), **terms}
        if self.average is not None:
            follow(self.average, self.generator, self.settings.ema)
        self.steps += 1
        return terms

    def _real(self, batch) -> Tensor:
        """The real images of a batch, if they are some."""
        x, dtype = first_tensor(batch), next(self.generator.parameters()).dtype
        if hasattr(self.generator, "image_shape"):
            check_images(x, self.generator.image_shape, dtype)
        elif x.dtype != dtype:
            raise TypeError(f"the batches are {x.dtype} but the generator makes {dtype}: call x.to({dtype}).")
        return x

    def _codes(self, n: int) -> Tensor:
        dtype = next(self.generator.parameters()).dtype
        return torch.randn(n, *self.generator.latent_shape, device=self.device, dtype=dtype)

    def _discriminator_step(self, x: Tensor) -> dict[str, Tensor]:
        settings = self.settings
        with autocast(self.precision, self.device):
            with torch.no_grad():
                fake = self.generator(self._codes(len(x)))
            if x.shape != fake.shape:
                shapes = f"batches have shape {tuple(x.shape)} but the generator makes {tuple(fake.shape)}"
                raise ValueError(f"the {shapes}: build it for these.")
            real_logits, fake_logits = self.discriminator(torch.cat([x, fake])).float().chunk(2)
            loss = self.discriminator_loss(real_logits, fake_logits)
        terms, total = {"discriminator": loss, "real": real_logits.mean(), "fake": fake_logits.mean()}, loss
        penalties = []
        if settings.gradient_penalty > 0:
            penalty = losses.gradient_penalty(self.discriminator, x, fake.to(x.dtype))
            penalties.append(settings.gradient_penalty * penalty)
        if settings.r1 > 0 and self.steps % settings.r1_every == 0:
            strength = settings.r1 / 2 * settings.r1_every
            penalties.append(strength * losses.r1_penalty(self.discriminator, x))
        if penalties:
            terms["penalty"] = sum(penalties)
            total = loss + terms["penalty"]
        self.optimizers[1].zero_grad(set_to_none=True)
        total.backward()
        self.optimizers[1].step()
        return terms

    def _generator_step(self, n: int) -> Tensor:
        with autocast(self.precision, self.device):
            loss = self.generator_loss(self.discriminator(self.generator(self._codes(n))))
        self.optimizers[0].zero_grad(set_to_none=True)
        # Gradients of the generator alone: those of the discriminator are not needed here, a quarter less work.
        loss.backward(inputs=[weight for weight in self.generator.parameters() if weight.requires_grad])
        self.optimizers[0].step()
        return loss

    def end_pass(self) -> None:
        """Nothing more to do."""

    def state_dict(self) -> dict:
        """The players, the average and both optimizers."""
        return {
            "players": [model.state_dict() for model in self.models],
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "steps": self.steps,
        }

    def load_state_dict(self, state: dict) -> None:
        """Go on from there."""
        if "players" not in state:
            raise ValueError("the history to resume was not made by train_gan.")
        if len(state["players"]) != len(self.models):
            had, have = ("no", "has one") if self.average is not None else ("an", "has none")
            raise ValueError(f"the history to resume had {had} average, but this training {have}: call it as before.")
        try:
            for model, weights in zip(self.models, state["players"], strict=True):
                model.load_state_dict(weights)
            for optimizer, its_state in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(copy.deepcopy(its_state))
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                "the history to resume is of other players than these: build generator and discriminator as they were "
                f"({str(error).splitlines()[-1].strip()})."
            ) from error
        self.steps = state["steps"]
