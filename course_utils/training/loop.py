"""The one training loop: a progress bar, a history, a clean stop, and exact continuation.

`fit` trains a model on a loss. What a model needs beyond that is in its arguments, never in a loop of its own:

    flow matching      fit(flow, RandomBatches(x1, batch_size=256, steps=500), loss=flow_loss, keep=[noise], epochs=4)
    contrastive pairs  fit(pair, [(images, tokens), ...], loss=lambda pair, image, tokens: ..., epochs=4)
    named parts        fit(pair, [{"image": x, "caption": t}, ...], loss=lambda pair, image, caption: ..., epochs=4)
    masked words       fit(words, RandomBatches(tokens, ...), loss=masked_loss, keep=[chooser], epochs=4)  # int64
    discrete codes     fit(vq, batches, after_step=lambda vq, step: restart_dead_codes(vq), epochs=4)
    sound              fit(vae, RandomBatches(mel, ...), clip=1.0, epochs=4)
    averaged weights   fit(model, batches, after_step=lambda m, _: follow(average, m, 0.999), keep=[average], epochs=4)
    styles             train_gan(style_generator, discriminator, batches, steps=5000)  # two players

Behind `fit` and `train_gan` stands `run`, which drives whatever can make a step and say what its next one depends on.
"""

import copy
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from course_utils.device import kept_rng, pick_device
from course_utils.files import plain, require_writable
from course_utils.inputs import NotFinite
from course_utils.latents import kept_modes, model_device, model_dtype
from course_utils.training.batches import call, first_tensor, moved
from course_utils.training.history import History, restore, snapshot
from course_utils.training.means import Means, NonFiniteLoss
from course_utils.training.parts import can_fuse, clear_subnormal_moments, progress_bar
from course_utils.training.precision import autocast, choose_precision


def fit(
    model: nn.Module,
    batches: Iterable,
    *,
    epochs: int,
    lr: float | Callable[[int], float] = 1e-3,
    optimizer: torch.optim.Optimizer | None = None,
    loss: Callable[..., dict[str, Tensor]] | None = None,
    clip: float | None = None,
    after_step: Callable[[nn.Module, int], object] | None = None,
    keep: Sequence = (),
    validation: Iterable | None = None,
    on_epoch: Callable[[nn.Module, dict], None] | None = None,
    resume: History | None = None,
    save_to: Path | str | None = None,
    save_every: float = 0.0,
    progress: bool = True,
    precision: str = "float32",
) -> History:
    """Train a model in place.

    For each batch x: terms = loss(model, x); minimise terms["loss"].

    Args:
        model: Any module, already on its device. Without ``loss`` it must have ``loss_terms(x)``.
        batches: Passed over once an epoch: ``image_set.batches(128, shuffle=True)``, a DataLoader, a list, or
            `course_utils.training.RandomBatches` of any tensors. A batch is a tensor x; a tuple or list (x, y), handed
            on as loss(model, x, y); or a dictionary {"x": x, "y": y}, handed on as loss(model, x=x, y=y). All tensors
            in it are moved to the model's device; the first dimension of the first one counts the examples.
        epochs: Passes over the data in all, those of ``resume`` included.
        lr: Adam's learning rate; not used when an optimizer is given, nor with ``resume``, which goes on with its own.
            Or a function of the training step, counted from 0, such as `course_utils.training.parts.learning_rate` with
            its other arguments fixed: it sets the rate of whichever optimizer, at every step, and with ``resume`` goes
            on from the step reached.
        optimizer: Any optimizer over the model's parameters; by default Adam, in its fused form, which updates all
            parameters in one go. To resume, give one of the same kind.
        loss: Function of (model, *batch) that returns tensors by name, of which "loss" is minimised. Each is a scalar,
            or has one value an example, (B,), and is averaged over them.
        clip: Greatest norm of the gradient, of all parameters together; a longer one is shortened to it.
        after_step: Called as after_step(model, step) after each step, counted from 1, without gradients: to let an
            average `course_utils.training.parts.follow` the weights, or to restart the codes that nobody uses.
        keep: What else the training changes and depends on: the generators that the loss draws from, an averaged copy
            of the model, a scheduler; anything with ``state_dict`` and ``load_state_dict``. It becomes part of the
            state from which ``resume`` goes on: to resume, give the like in the same order.
        validation: Batches on which the terms are measured after each epoch, without gradients.
        on_epoch: Called as on_epoch(model, record) after each epoch, record being the new entry of the history;
            for example to keep a copy of the weights. What it draws at random does not change the training.
        resume: History of an earlier call to go on from. On the CPU the result is bit for bit what one longer call
            would have given (also the order of the batches, if their generator or the global one made it).
        save_to: File in which the history is saved after each epoch, whole or not at all, to be read by `History.load`
            and resumed. That it can be written is known before the first step. If it cannot be later on, because the
            disk is full, a warning says so and the training goes on.
        save_every: Save only when so many minutes have passed since it was last done, and at the end.
        progress: Show a progress bar with the loss terms.
        precision: Number format of the training steps: "float32"; "bfloat16" (matrix products and convolutions only;
            weights and validation stay in float32); or "auto", which takes bfloat16 where a short measurement finds it
            faster, and what ``resume`` used if that is given. The History says which it was.

    Returns:
        The History, that of ``resume`` included. After Ctrl-C the model keeps what it has learned so far and the
        history ends with the last whole epoch.

    Raises:
        NonFiniteLoss: The loss became NaN or infinite. Model, optimizer and what is in ``keep`` are put back to the end
            of the last whole epoch, and the exception's ``history`` ends there.
        ValueError: There are no batches, epochs is not beyond those of ``resume``, ``resume`` is of another model,
            optimizer or kind of batches, clip is not above 0, or the terms are no tensors as ``loss`` says.
        TypeError: A batch holds no tensor, something in ``keep`` has no state, or ``resume`` is no History.
        OSError: ``save_to`` cannot be written.
    """
    loss = loss or _loss_of(model)
    first_lr = float(lr(0) if callable(lr) else lr)
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=first_lr, fused=can_fuse(model))
    precision = precision_of(precision, resume, model_device(model))
    per_epoch = len(batches) if hasattr(batches, "__len__") else None
    return run(
        Descent(model, loss, optimizer, lr=lr, clip=clip, after_step=after_step, keep=keep, precision=precision),
        batches,
        until=epochs,
        total=None if per_epoch is None else per_epoch * epochs,
        validation=validation,
        on_record=on_epoch,
        resume=resume,
        save_to=save_to,
        save_every=save_every,
        progress=progress,
    )


def _loss_of(model: nn.Module) -> Callable[..., dict[str, Tensor]]:
    if not hasattr(model, "loss_terms"):
        raise ValueError(
            f"{type(model).__name__} has no loss_terms(x): give fit a loss, a function of (model, x) that returns a "
            'dictionary of scalar tensors, for example loss=lambda model, x: {"loss": (model(x) - x).square().mean()}.'
        )
    return lambda model, *batch, **named: model.loss_terms(*batch, **named)


def precision_of(precision: str, resume: History | None, device: torch.device) -> str:
    """The format to train in; "auto" is what the history to resume used, or else what `choose_precision` says."""
    earlier = resume.precision if isinstance(resume, History) else precision
    return choose_precision(earlier if precision == "auto" else precision, device)


class Step(Protocol):
    """What `run` drives: it makes one training step, and knows all that the next one depends on.

    Attributes:
        models: Whose mode is set for the training and put back after it; the first is on the device to train on.
        trained: Those of them that are in training mode during the steps.
        watched: The model that is measured, and shown to on_record.
        precision: Number format of the steps.
        steps: How many were made.
        advice: What was done and what to try when a term is not finite.
    """

    models: Sequence[nn.Module]
    trained: Sequence[nn.Module]
    watched: nn.Module
    precision: str
    steps: int
    advice: str

    def __call__(self, batch) -> dict[str, Tensor]:
        """Train on a batch that is on the device; scalar terms by name."""
        ...

    def end_pass(self) -> None:
        """Called after each pass over the batches."""
        ...

    def state_dict(self) -> dict:
        """What the next step depends on, besides the batches and PyTorch's global generator."""
        ...

    def load_state_dict(self, state: dict) -> None:
        """Go on from there; ValueError if the state is of something else."""
        ...


class Descent:
    """A step down the gradient of a loss; see `fit` for the arguments."""

    advice = (
        "The model was put back to the end of the last whole epoch. Try a smaller learning rate, and check that the "
        "inputs are finite and in [0, 1]."
    )

    def __init__(self, model, loss, optimizer, *, lr, clip, after_step, keep, precision):
        if clip is not None and not clip > 0:
            raise ValueError(f"clip is {clip}: the greatest norm of the gradient must be above 0.")
        for one in keep:
            if not isinstance(one, torch.Generator) and not hasattr(one, "load_state_dict"):
                kind = type(one).__name__
                raise TypeError(
                    f"keep holds a {kind}: give generators, or objects with state_dict and load_state_dict."
                )
        self.model, self.loss, self.optimizer, self.lr = model, loss, optimizer, lr
        self.clip, self.after_step, self.keep, self.precision = clip, after_step, tuple(keep), precision
        self.models = self.trained = (model,)
        self.watched, self.device, self.steps = model, model_device(model), 0

    def __call__(self, batch) -> dict[str, Tensor]:
        """One step; the terms."""
        with autocast(self.precision, self.device):
            terms = self.measure(batch)
        if not terms["loss"].requires_grad:
            raise ValueError(
                "the loss depends on no weight that can be trained: requires_grad is False for all, or the loss was "
                "computed without gradients (no_grad, detach)."
            )
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None  # optimizer.zero_grad() does this too, at 2 % of a small model's step
        terms["loss"].backward()
        if self.clip is not None:
            trained = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
            nn.utils.clip_grad_norm_(trained, self.clip)
        if callable(self.lr):
            rate = float(self.lr(self.steps))
            for group in self.optimizer.param_groups:
                group["lr"] = rate
        self.optimizer.step()
        self.steps += 1
        if self.steps % 100 == 0:
            clear_subnormal_moments(self.optimizer)
        if self.after_step is not None:
            with torch.no_grad():
                self.after_step(self.model, self.steps)
        return terms

    def end_pass(self) -> None:
        """As after each hundredth step: a pass may be short, and the optimizer used again."""
        clear_subnormal_moments(self.optimizer)

    def measure(self, batch) -> dict[str, Tensor]:
        """The terms of the loss as scalars, and nothing trained."""
        terms = call(self.loss, self.model, batch)
        if not isinstance(terms, dict) or "loss" not in terms:
            raise ValueError('the loss function must return a dictionary of scalar tensors with an entry "loss".')
        if all(isinstance(term, Tensor) and term.ndim == 0 for term in terms.values()):
            return terms
        return {name: _mean(name, term, len(first_tensor(batch))) for name, term in terms.items()}

    def state_dict(self) -> dict:
        """Model, optimizer, and what else was to be kept."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "optimizer_kind": type(self.optimizer).__name__,
            "steps": self.steps,
            "keep": [one.get_state() if isinstance(one, torch.Generator) else one.state_dict() for one in self.keep],
        }

    def load_state_dict(self, state: dict) -> None:
        """Go on from there."""
        kind, kept = type(self.optimizer).__name__, state.get("keep", [])
        if "optimizer_kind" not in state:
            raise ValueError("the history to resume was not made by fit.")
        if state["optimizer_kind"] != kind:
            raise ValueError(
                f"the history to resume was made with {state['optimizer_kind']}, not {kind}: "
                "give an optimizer of the same kind."
            )
        if len(kept) != len(self.keep):
            raise ValueError(
                f"the history to resume was made with {len(kept)} things to keep, but here are {len(self.keep)}: "
                "give the same in the same order."
            )
        try:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                f"the history to resume is of another model than this {type(self.model).__name__}, or of an optimizer "
                f"over other parameters: build the model as it was ({str(error).splitlines()[-1].strip()})."
            ) from error
        for one, its_state in zip(self.keep, kept, strict=True):
            try:
                if isinstance(one, torch.Generator):
                    one.set_state(its_state)
                else:
                    one.load_state_dict(copy.deepcopy(its_state))
            except (RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
                raise ValueError(
                    f"the history to resume kept something else than this {type(one).__name__}: give the same things "
                    f"to keep in the same order ({str(error).splitlines()[-1].strip()})."
                ) from error
        self.steps = state["steps"]


def _mean(name: str, term, size: int) -> Tensor:
    """A term as a scalar: the mean over the examples if there is one value for each."""
    if isinstance(term, Tensor) and (term.ndim == 0 or term.shape == (size,)):
        return term if term.ndim == 0 else (term if term.is_floating_point() else term.float()).mean()
    kind = f"has shape {tuple(term.shape)}" if isinstance(term, Tensor) else f"is a {type(term).__name__}"
    raise ValueError(
        f"the loss term {name!r} {kind}: each must be a scalar tensor, or have one value for each of the {size} "
        "examples, of which the mean is taken."
    )


def run(
    step: Step,
    batches: Iterable,
    *,
    until: int,
    unit: str = "epoch",
    total: int | None = None,
    validation: Iterable | None = None,
    on_record: Callable[[nn.Module, dict], None] | None = None,
    resume: History | None = None,
    save_to: Path | str | None = None,
    save_every: float = 0.0,
    seconds: float | None = None,
    progress: bool = True,
) -> History:
    """Make step after step over the batches, and an entry in the history after each pass over them.

    Args:
        step: What makes a step: `Descent` for `fit`, the game of two players for `train_gan`.
        batches: As for `fit`; each iteration over them is one entry of the history.
        until: Where the training ends, those of ``resume`` included.
        unit: What ``until`` and the history's "epoch" count: "epoch" or "step".
        total: Steps in all, for the progress bar; None if that is not known.
        validation: As for `fit`; needs a step with ``measure(batch)``.
        on_record: As ``on_epoch`` of `fit`.
        resume, save_to, save_every, progress: As for `fit`.
        seconds: End earlier, after so many seconds of processor time.

    Returns:
        The History.
    """
    history = History(precision=step.precision)
    if not isinstance(resume, History | None):
        raise TypeError(f"resume is a {type(resume).__name__}, not a History: History.load(path) reads a saved one.")
    if resume is not None:
        history = History(list(resume.epochs), state=resume.state, precision=step.precision)
    done = history.epochs[-1]["epoch"] if history.epochs else 0
    if until <= done:
        raise ValueError(f"{unit}s is {until}, but {done} are done: {unit}s counts from the very first, give more.")
    saved = _Saving(history, save_to, save_every)
    if resume is not None:
        restore(history.state, step, batches)
    history.state = snapshot(step, batches)
    device, deadline = model_device(step.models[0]), None if seconds is None else time.process_time() + seconds
    with kept_modes(*step.models), progress_bar(total, step.steps, progress) as bar:
        try:
            while done < until:
                start = time.perf_counter()
                for model in step.trained:
                    model.train()
                where = f"epoch {done + 1}" if unit == "epoch" else ""
                means = Means(where, step.advice, 0 if unit == "epoch" else step.steps)
                train = _one_pass(step, batches, device, means, bar, deadline)
                step.end_pass()
                step.watched.eval()
                valid = None
                if validation is not None:
                    means = Means(f"validation after epoch {done + 1}", step.advice)
                    with torch.no_grad(), kept_rng(device), autocast("float32", device):
                        valid = _one_pass(step.measure, validation, device, means)
                done = done + 1 if unit == "epoch" else step.steps
                record = {"epoch": done, "seconds": time.perf_counter() - start, "train": train, "validation": valid}
                if on_record is not None:
                    with kept_rng(device):  # watching must not change the training
                        on_record(step.watched, record)
                record.update(plain(record))
                state = snapshot(step, batches)
                # In one go: an entry without its state would be an epoch that is counted and lost.
                vars(history).update(epochs=[*history.epochs, record], state=state)
                if deadline is not None and time.process_time() >= deadline:
                    break
                saved.if_due()
            saved.now()
        except KeyboardInterrupt:
            reached = history.epochs[-1]["epoch"] if history.epochs else 0
            history.interrupted = reached < until
            place = f"in epoch {reached + 1} of {until}" if unit == "epoch" else f"at step {step.steps} of {until}"
            kept = "the model keeps what it learned" if len(step.models) == 1 else "the models keep what they learned"
            bar.write(f"Stopped {place if history.interrupted else 'while saving'}; {kept}.")
            saved.now()
        except NonFiniteLoss as error:
            step.load_state_dict(history.state)
            error.history = history
            saved.now()
            raise
        except Exception:
            saved.now()  # whole epochs are not lost because of what comes after them
            raise
    return history


def _one_pass(take, batches, device, means, bar=None, deadline=None) -> dict[str, float]:
    """Hand every batch to a step; the mean of each of its terms over the examples."""
    shown = 0.0
    for batch in batches:
        batch = moved(batch, device)
        size = len(first_tensor(batch))
        if size == 0:
            raise ValueError("a batch is empty, and the mean of nothing is no loss: leave such batches out.")
        try:
            terms = take(batch)
        except NotFinite as error:
            means.refuse(error)
        means.add(terms, size)
        if bar is not None:
            bar.update()
            if time.perf_counter() - shown > 0.2:
                shown = time.perf_counter()
                _show(bar, means.read())
        if deadline is not None and time.process_time() >= deadline:
            break
    result = means.read()
    if bar is not None:
        _show(bar, result)
    return result


def _show(bar, terms: dict[str, float]) -> None:
    bar.set_postfix({name: f"{value:.4g}" for name, value in terms.items()})


class _Saving:
    """Saves a history where it was asked for, not more often than asked for; never ends a training."""

    def __init__(self, history: History, path: Path | str | None, minutes: float):
        self.history, self.path, self.seconds = history, path, 60 * minutes
        self.epochs, self.last = len(history.epochs), time.monotonic()
        if path is not None:
            require_writable(path)

    def if_due(self) -> None:
        if time.monotonic() - self.last >= self.seconds:
            self.now()

    def now(self) -> None:
        """Save, unless this very history was saved already."""
        if self.path is None or len(self.history.epochs) == self.epochs:
            return
        try:
            self.history.save(self.path)
            self.epochs = len(self.history.epochs)
        except (OSError, TypeError) as error:
            why = getattr(error, "strerror", None) or error
            warnings.warn(f"The training is not lost, but its history was not saved: {why}", stacklevel=4)
        self.last = time.monotonic()


def measure_speed(device: str | torch.device | None = None, seconds: float = 1.0) -> float:
    """How fast this machine trains: images a second through a fixed small autoencoder, batches of 128.

    The autoencoder is 784-512-16-512-784 with Adam; one warm-up step is not counted. The global random number
    generators are left as they were.

    Args:
        device: Where to measure; by default the one `course_utils.device.pick_device` chooses.
        seconds: How long to measure.

    Returns:
        Images a second (the median step's speed).
    """
    from course_utils.models.autoencoder import Autoencoder

    device = pick_device(device)
    with kept_rng(device):
        model = Autoencoder(16).to(device)
        optimizer = torch.optim.Adam(model.parameters())
        x, times = torch.rand(128, 1, 28, 28, device=device, dtype=model_dtype(model)), []
        while len(times) < 2 or sum(times[1:]) < seconds:
            start = time.perf_counter()
            optimizer.zero_grad()
            model.loss_terms(x)["loss"].backward()
            optimizer.step()
            next(model.parameters()).flatten()[0].item()  # wait until a GPU is done
            times.append(time.perf_counter() - start)
    return 128 / sorted(times[1:])[len(times[1:]) // 2]
