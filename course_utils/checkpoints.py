"""Trained models on disk: weights in safetensors, a JSON card beside them, both verified before use."""

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from course_utils import stored
from course_utils.files import data_dir, plain
from course_utils.models import MODELS, model_class


def checkpoint_dir() -> Path:
    """Folder of the reference models."""
    return data_dir() / "checkpoints"


def save(model: nn.Module, path: Path | str, *, card: dict, half: bool = False) -> Path:
    """Write a model's weights and card: both files or neither.

    Args:
        model: A model of course_utils.models with a ``config`` attribute: the arguments that build it again.
        path: With or without suffix; PATH.safetensors and PATH.json are written.
        card: What a reader should know: "what", "data", "seed", "command", "metrics", in any order. The architecture,
            the versions of the libraries and the SHA-256 of the weights are added.
        half: Store floats in 16 bits, half the size; `load` gives 32 bits back.

    Returns:
        Path of the weights.

    Raises:
        TypeError: The model is not one of the package's, so that `load` could not build it again.
        OSError: The disk is full, or the folder cannot be written to. Nothing half-written is left.
    """
    require_buildable(model)
    if not model.state_dict():
        raise ValueError(
            f"this {type(model).__name__} has no weights to save: fit a PCA first, and build others again instead."
        )
    weights = _halved(model.state_dict()) if half else model.state_dict()
    return stored.save(path, weights, card={**card, "model": _described(model)})


def require_buildable(model: nn.Module) -> None:
    """Raise TypeError unless a card can name the model's class; for before the training whose result it is to be."""
    kind = type(model).__name__
    if kind not in MODELS or type(model) is not model_class(kind):
        raise TypeError(f"{kind} is not one of course_utils.models.MODELS, so it cannot be built from a card.")
    for name, value in getattr(model, "config", {}).items():
        try:
            json.dumps(plain(value))
        except TypeError:
            instead = ", such as an Annealing" if callable(value) else ""
            raise TypeError(
                f"{kind} cannot be built from a card, because its {name} is a {type(value).__name__}: "
                f"give what a card can hold{instead}."
            ) from None


def _halved(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """In 16 bits, but for what is no float and for numbers beyond float16's largest, 65504."""
    small = {name: tensor.is_floating_point() and not (tensor.abs() > 65504).any() for name, tensor in weights.items()}
    return {name: tensor.half() if small[name] else tensor for name, tensor in weights.items()}


def _from_disk(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in weights.items()}


def read_card(path: Path | str) -> dict:
    """The card of a checkpoint, after comparing the weights with its SHA-256.

    Args:
        path: With or without suffix.

    Returns:
        The card as a dictionary.

    Raises:
        FileNotFoundError: One of the two files is missing.
        ValueError: The card cannot be read, or the weights are not those it describes.
    """
    return _with_model(stored.verify(path), path)


def load(path: Path | str, model: nn.Module | None = None, *, device: str | torch.device = "cpu") -> nn.Module:
    """Load a checkpoint.

    Args:
        path: With or without suffix.
        model: A model to load into; without it one is built as the card says.
        device: Where the model should be (a given model stays where it is).

    Returns:
        The model, in evaluation mode.

    Raises:
        FileNotFoundError: One of the two files is missing.
        ValueError: A damaged or altered file, or a checkpoint for another architecture than the given model's.
    """
    card, weights = stored.read(path)
    card = _with_model(card, path)
    if "snapshots" in card:
        raise ValueError(f"{path} holds {len(card['snapshots'])} snapshots of one training: use load_snapshots.")
    wanted = card["model"]
    if model is None:
        model = _build(wanted, path)
        model = model.to(device)
    own = _described(model)
    if json.loads(json.dumps(plain(own))) != wanted:
        raise ValueError(
            f"{path} is a checkpoint for another architecture: it holds {_spell(wanted)}, but the model given is "
            f"{_spell(own)}. Build that model, or call load(path) without one."
        )
    try:
        model.load_state_dict(_from_disk(weights))
    except RuntimeError as error:
        raise stored.refusal(
            path,
            f"{path} was altered, or made by another version of the course: its weights do not fit the model that its "
            f"card describes, {_spell(wanted)}",
        ) from error
    return model.eval()


def save_snapshots(
    model: nn.Module, weights: list[dict[str, Tensor]], moments: list[dict], path: Path | str, *, card: dict
) -> Path:
    """Write what a model was at several moments of its training, all in one file with one card.

    Args:
        model: The model, of course_utils.models; its own weights are not used.
        weights: A state_dict a moment. They are stored in 16 bits.
        moments: What the card tells of each moment; must have "epoch".
        path: With or without suffix; PATH.safetensors and PATH.json are written.
        card: As for `save`.

    Returns:
        Path of the weights.

    Raises:
        TypeError: As for `save`.
        ValueError: There is not one entry of ``moments`` for each of ``weights``.
        OSError: As for `save`.
    """
    require_buildable(model)
    if len(weights) != len(moments) or not weights:
        raise ValueError(
            f"there are {len(weights)} snapshots and {len(moments)} moments: give as many of each, 1 or more."
        )
    together = {f"{i}/{name}": t for i, one in enumerate(weights) for name, t in _halved(one).items()}
    return stored.save(path, together, card={**card, "model": _described(model), "snapshots": moments})


def load_snapshots(name: str, device: str | torch.device = "cpu") -> list[tuple[float, nn.Module]]:
    """A reference model at several moments of its training, for a time machine.

    Args:
        name: One of `reference_names()` whose card has "snapshots".
        device: Where the models should be.

    Returns:
        (epoch, model in evaluation mode) in the order of training; epoch 0 is before it, 0.5 the middle of the first.

    Raises:
        ValueError: There is no such reference model, it has no snapshots, or its files are damaged or altered.
        FileNotFoundError: One of its files is missing.
    """
    card, together = stored.read(_find(name))
    card = _with_model(card, checkpoint_dir() / name)
    if "snapshots" not in card:
        raise ValueError(f"{name} is one model, not several moments of its training: use load_reference.")
    parts: list[dict[str, Tensor]] = [{} for _ in card["snapshots"]]
    for key, tensor in _from_disk(together).items():
        index, _, name_ = key.partition("/")
        parts[int(index)][name_] = tensor
    models = []
    for moment, weights in zip(card["snapshots"], parts, strict=True):
        model = _build(card["model"], name)
        model.load_state_dict(weights)
        models.append((moment["epoch"], model.to(device).eval()))
    return models


def load_reference(name: str, device: str | torch.device = "cpu") -> nn.Module:
    """One of the course's reference models, verified and ready to use.

    Args:
        name: One of `reference_names()`.
        device: Where the model should be.

    Returns:
        The model, in evaluation mode.

    Raises:
        ValueError: There is no reference model of that name, or its files are damaged or altered.
        FileNotFoundError: One of its files is missing.
    """
    return load(_find(name), device=device)


def reference_names() -> list[str]:
    """Names of the reference models, in alphabetical order."""
    return stored.names(checkpoint_dir())


def verify(name: str) -> dict:
    """The card of a reference model, after comparing its weights with the SHA-256.

    Args:
        name: One of `reference_names()`.

    Returns:
        The card.

    Raises:
        ValueError: No such reference model, or damaged or altered files.
        FileNotFoundError: One of its files is missing.
    """
    return read_card(_find(name))


def _find(name: str) -> Path:
    try:
        return stored.find(name, checkpoint_dir(), "reference model")
    except ValueError as error:
        makes = f"`course train {name} --out {checkpoint_dir()}` makes it if it is one of `course train --list`."
        raise ValueError(f"{error} {makes}") from None


def _with_model(card: dict, path: Path | str) -> dict:
    """The card, its model by registered name also where it was named by its place in the package, as they once were."""
    try:
        model = card["model"]
        if "class" in model:
            model = {"name": str(model["class"]).rpartition(".")[2], "arguments": model["arguments"]}
        if "sha256" not in card:
            raise KeyError("sha256")
        return card | {"model": {"name": model["name"], "arguments": model["arguments"]}}
    except (KeyError, TypeError) as error:
        card_file = stored.paths(path)[1]
        raise stored.refusal(path, f"{card_file} is not a checkpoint's card, or it is damaged ({error!r})") from error


def _build(wanted: dict, path: Path | str) -> nn.Module:
    """Build the architecture a card names; only classes of the package's own models."""
    try:
        return model_class(wanted["name"])(**wanted["arguments"])
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path} describes a model that this version of the course cannot build ({error}). "
            "Use the version that its card names, or train the model again."
        ) from error


def _spell(wanted: dict) -> str:
    arguments = ", ".join(f"{key}={value!r}" for key, value in wanted["arguments"].items())
    return f"{wanted['name']}({arguments})"


def _described(model: nn.Module) -> dict:
    """The model as a card names it."""
    return {"name": type(model).__name__, "arguments": getattr(model, "config", {})}
