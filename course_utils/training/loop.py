"""The one training loop: a progress bar, a history, a clean stop, and exact continuation."""

import copy
import math
import time
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from course_utils.device import kept_rng, pick_device
from course_utils.latents import model_device
from course_utils.training.history import History
from course_utils.training.parts import can_fuse, clear_subnormal_moments, progress_bar
from course_utils.training.precision import autocast, choose_precision


class NonFiniteLoss(RuntimeError):
    """The loss became NaN or infinite; the message says in which epoch, step and terms.

    Attributes:
        history: The History up to the end of the last whole epoch, from which `fit(resume=...)` can go on.
    """

    history: History | None = None


def fit(
    model: nn.Module,
    batches: Iterable,
    *,
    epochs: int,
    lr: float | Callable[[int], float] = 1e-3,
    optimizer: torch.optim.Optimizer | None = None,
    loss: Callable[..., dict[str, Tensor]] | None = None,
    validation: Iterable | None = None,
    on_epoch: Callable[[nn.Module, dict], None] | None = None,
    resume: History | None = None,
    progress: bool = True,
    precision: str = "float32",
) -> History:
    """Train a model in place.

    For each batch x: terms = loss(model, x); minimise terms["loss"].

    Args:
        model: Any module, already on its device. Without ``loss`` it must have ``loss_terms(x)``.
        batches: Passed over once an epoch, for example ``image_set.batches(128, shuffle=True)``. A batch is a
            tensor x, or a tuple (x, y) that is handed on as loss(model, x, y). Batches are moved to the model's device.
        epochs: Passes over the data in all, those of ``resume`` included.
        lr: Adam's learning rate; not used when an optimizer is given, nor with ``resume``, which goes on with its own.
            Or a function of the training step, counted from 0, such as `course_utils.training.parts.learning_rate` with
            its other arguments fixed: it sets the rate of whichever optimizer, at every step, and with ``resume`` goes
            on from the step reached.
        optimizer: Any optimizer over the model's parameters; by default Adam, in its fused form, which updates all
            parameters in one go. To resume, give one of the same kind.
        loss: Function of (model, *batch) that returns scalar tensors by name, of which "loss" is minimised.
        validation: Batches on which the terms are measured after each epoch, without gradients.
        on_epoch: Called as on_epoch(model, record) after each epoch, record being the new entry of the history;
            for example to keep a copy of the weights. What it draws at random does not change the training.
        resume: History of an earlier call to go on from. On the CPU the result is bit for bit what one longer call
            would have given (also the order of the batches, if their generator or the global one made it).
        progress: Show a progress bar with the loss terms.
        precision: Number format of the training steps: "float32"; "bfloat16" (matrix products and convolutions only;
            weights and validation stay in float32); or "auto", which takes bfloat16 where a short measurement finds it
            faster, and what ``resume`` used if that is given. The History says which it was.

    Returns:
        The History, that of ``resume`` included. After Ctrl-C the model keeps what it has learned so far and the
        history ends with the last whole epoch.

    Raises:
        NonFiniteLoss: The loss became NaN or infinite. Model and optimizer are put back to the end of the last whole
            epoch, and the exception's ``history`` ends there.
        ValueError: There are no batches, epochs is not beyond those of ``resume``, ``resume`` is of another model,
            optimizer or kind of batches, or the terms are not scalars with a "loss" among them.
    """
    loss = loss or _loss_of(model)
    first_lr = lr(0) if callable(lr) else lr
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=first_lr, fused=can_fuse(model))
    if resume is not None and precision == "auto":
        precision = resume.precision
    first = 1 if resume is None else len(resume.epochs) + 1
    if epochs < first:
        raise ValueError(f"epochs is {epochs}, but {first - 1} are done: epochs counts from the very first, give more.")
    device = model_device(model)
    history = History(precision=choose_precision(precision, device))
    if resume is not None:
        history = History(list(resume.epochs), state=resume.state, precision=history.precision)
        _restore(history.state, model, optimizer, batches)
    pace = _Pace(lr, optimizer, 0 if resume is None else history.state["steps"])
    history.state = _snapshot(model, optimizer, batches, pace.steps)
    was_training = model.training
    with progress_bar(epochs, batches, progress, len(history.epochs)) as bar:
        try:
            for epoch in range(first, epochs + 1):
                start = time.perf_counter()
                model.train()
                train = _one_pass(model, batches, loss, f"epoch {epoch}", optimizer, pace, bar, history.precision)
                model.eval()
                valid = None
                if validation is not None:
                    with torch.no_grad(), kept_rng(device):
                        valid = _one_pass(model, validation, loss, f"validation after epoch {epoch}")
                record = {"epoch": epoch, "seconds": time.perf_counter() - start, "train": train, "validation": valid}
                if on_epoch is not None:
                    with kept_rng(device):  # watching must not change the training
                        on_epoch(model, record)
                state = _snapshot(model, optimizer, batches, pace.steps)
                history.epochs.append(record)  # together with its state, or an epoch would be counted and lost
                history.state = state
        except KeyboardInterrupt:
            history.interrupted = True
            bar.write(f"Stopped in epoch {len(history.epochs) + 1} of {epochs}; the model keeps what it learned.")
        except NonFiniteLoss as error:
            model.load_state_dict(history.state["model"])
            optimizer.load_state_dict(copy.deepcopy(history.state["optimizer"]))
            error.history = history
            raise
        finally:
            model.train(was_training)
    return history


def _loss_of(model: nn.Module) -> Callable[..., dict[str, Tensor]]:
    if not hasattr(model, "loss_terms"):
        raise ValueError(
            f"{type(model).__name__} has no loss_terms(x): give fit a loss, a function of (model, x) that returns a "
            'dictionary of scalar tensors, for example loss=lambda model, x: {"loss": (model(x) - x).square().mean()}.'
        )
    return lambda model, *batch: model.loss_terms(*batch)


class _Pace:
    """Counts the training steps, and sets the learning rate where it is a function of them."""

    def __init__(self, lr: float | Callable[[int], float], optimizer: torch.optim.Optimizer, steps: int):
        self.lr, self.optimizer, self.steps = lr, optimizer, steps

    def step(self) -> None:
        if callable(self.lr):
            for group in self.optimizer.param_groups:
                group["lr"] = self.lr(self.steps)
        self.steps += 1


def _one_pass(model, batches, loss, where, optimizer=None, pace=None, bar=None, precision="float32"):
    """One pass over the batches; the mean of every term over the examples. Trains if there is an optimizer."""
    device, means, shown = model_device(model), _Means(where), 0.0
    trained = [p for group in optimizer.param_groups for p in group["params"]] if optimizer is not None else []
    for step, batch in enumerate(batches, start=1):
        batch = [part.to(device) for part in (batch if isinstance(batch, (tuple, list)) else (batch,))]
        with autocast(precision, device):
            terms = loss(model, *batch)
        means.add(terms, len(batch[0]))
        if optimizer is not None:
            for parameter in trained:
                parameter.grad = None  # optimizer.zero_grad() does this too, at 2 % of a small model's step
            terms["loss"].backward()
            pace.step()
            optimizer.step()
            if step % 100 == 0:
                clear_subnormal_moments(optimizer)
        if bar is not None:
            bar.update()
            if time.perf_counter() - shown > 0.2:
                shown = time.perf_counter()
                bar.set_postfix({name: f"{value:.4g}" for name, value in means.read().items()})
    if optimizer is not None:
        clear_subnormal_moments(optimizer)
    result = means.read()
    if bar is not None:
        bar.set_postfix({name: f"{value:.4g}" for name, value in result.items()})
    return result


class _Means:
    """Means of the loss terms over the examples of one pass.

    Reading a number waits for the GPU, so the terms of many steps are kept where they are and read together.
    """

    def __init__(self, where: str):
        self.where, self.pending, self.sums, self.steps, self.seen = where, [], {}, 0, 0

    def add(self, terms: dict[str, Tensor], size: int) -> None:
        """Take in the terms of one step, means over so many examples."""
        if not isinstance(terms, dict) or "loss" not in terms:
            raise ValueError('the loss function must return a dictionary of scalar tensors with an entry "loss".')
        for name, term in terms.items():
            if not isinstance(term, Tensor) or term.ndim > 0:
                kind = f"has shape {tuple(term.shape)}" if isinstance(term, Tensor) else f"is a {type(term).__name__}"
                raise ValueError(
                    f"the loss term {name!r} {kind}: each must be a scalar tensor, call .mean() over the batch."
                )
        self.pending.append((size, {name: term.detach() for name, term in terms.items()}))
        if len(self.pending) == 100:
            self.read()

    def read(self) -> dict[str, float]:
        """The means so far; NonFiniteLoss if a term was not finite."""
        pending, self.pending = self.pending, []
        values = iter(
            torch.stack([term for _, terms in pending for term in terms.values()]).tolist() if pending else ()
        )
        for size, terms in pending:
            step = dict(zip(terms, values, strict=False))  # the values of later steps stay in the iterator
            self.steps, self.seen = self.steps + 1, self.seen + size
            _require_finite(step, self.where, self.steps)
            for name, value in step.items():
                self.sums[name] = self.sums.get(name, 0.0) + size * value
        if not self.seen:
            raise ValueError(
                f"there are no batches in {self.where}: the data set is empty, or an iterator was already used up."
            )
        return {name: value / self.seen for name, value in self.sums.items()}


def _require_finite(values: dict[str, float], where: str, step: int) -> None:
    guilty = ", ".join(repr(name) for name, value in values.items() if not math.isfinite(value))
    if guilty:
        raise NonFiniteLoss(
            f"{guilty} became NaN or infinite in {where}, step {step}. The model was put back to the end of the last "
            "whole epoch. Try a smaller learning rate, and check that the inputs are finite and in [0, 1]."
        )


def _snapshot(model, optimizer, batches, steps) -> dict:
    """Copies of all that the next step depends on (on the CPU: the generators' states are)."""
    generator = getattr(batches, "generator", None)
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "optimizer_kind": type(optimizer).__name__,
        "steps": steps,
        "rng": torch.get_rng_state(),
        "batches_rng": None if generator is None else generator.get_state(),
    }
    return copy.deepcopy(state)


def _restore(state, model, optimizer, batches) -> None:
    if state is None:
        raise ValueError("the history to resume has no state to go on from: give one that fit returned or saved.")
    state, generator = copy.deepcopy(state), getattr(batches, "generator", None)
    if (generator is None) != (state["batches_rng"] is None):
        had, has = ("no", "one") if generator is not None else ("a", "none")
        raise ValueError(
            f"the batches of the history to resume had {had} generator of their own, but these have {has}: give "
            "batches made in the same way, or the order of the images would not go on where it stopped."
        )
    if state["optimizer_kind"] != type(optimizer).__name__:
        raise ValueError(
            f"the history to resume was made with {state['optimizer_kind']}, not {type(optimizer).__name__}: "
            "give an optimizer of the same kind."
        )
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"the history to resume is of another model than this {type(model).__name__}, or of an optimizer over "
            f"other parameters: build the model as it was ({str(error).splitlines()[-1].strip()})."
        ) from error
    torch.set_rng_state(state["rng"])
    if generator is not None:
        generator.set_state(state["batches_rng"])


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
        x, times = torch.rand(128, 1, 28, 28, device=device), []
        while len(times) < 2 or sum(times[1:]) < seconds:
            start = time.perf_counter()
            optimizer.zero_grad()
            model.loss_terms(x)["loss"].backward()
            optimizer.step()
            next(model.parameters()).flatten()[0].item()  # wait until a GPU is done
            times.append(time.perf_counter() - start)
    return 128 / sorted(times[1:])[len(times[1:]) // 2]
