"""Maps of latent spaces: two numbers for each code, by PCA, t-SNE or UMAP, and the maps that ship with the course."""

import contextlib
import difflib
import importlib.util
import inspect
import io
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from course_utils import stored
from course_utils.files import data_dir
from course_utils.inputs import as_float32, numbers

METHODS = ("pca", "tsne", "umap")
ONE_THREAD = 1500  # codes up to which t-SNE runs in one thread: on a busy machine a second one mostly waits


def embed(
    z: Tensor, method: str = "tsne", *, random_state: int | None = None, progress: bool = False, **options
) -> Tensor:
    """A map: two numbers for each code.

    "pca" is the projection on the two directions of largest variance: linear, and the same at every call. "tsne" is
    scikit-learn's t-SNE, started from PCA. "umap" is umap-learn's UMAP, for which that package must be installed.

    On two cores, t-SNE of 2,000 codes with 16 numbers takes less than 10 seconds (`benchmarks/maps.py` measures it), of
    5,000 about a minute.

    Args:
        z: Codes, (N, ...), at least 3; everything after the first dimension is one vector. On any device.
        method: "pca", "tsne" or "umap".
        random_state: Seed of what is random in t-SNE and UMAP. t-SNE with its default init="pca" hardly depends on it
            in recent versions of scikit-learn; with init="random" it does.
        progress: Show a bar while t-SNE or UMAP iterates.
        **options: What scikit-learn's TSNE (perplexity=30, init="pca", max_iter=1000, ...) or umap-learn's UMAP
            (n_neighbors=15, min_dist=0.1, ...) takes; PCA takes none.

    Returns:
        The map, (N, 2), float32 on the CPU. The units of t-SNE and UMAP mean nothing; PCA's are those of z.

    Raises:
        ValueError: An unknown method or option, a perplexity or number of neighbours that does not fit the number of
            codes, fewer than 3 codes, codes that are all the same, or NaN.
        ModuleNotFoundError: method is "umap" and umap-learn is not installed.

    Source: van der Maaten and Hinton 2008 (t-SNE); McInnes, Healy and Melville 2018 (UMAP). Taught in lesson 08.

    Example:
        >>> z = torch.randn(40, 16, generator=torch.Generator().manual_seed(0))
        >>> embed(z, "pca").shape
        torch.Size([40, 2])
    """
    if method not in METHODS:
        near = difflib.get_close_matches(str(method).lower().replace("-", ""), METHODS, n=1)
        raise ValueError(f"method is {method!r}: use {', '.join(map(repr, METHODS[:2]))} or {METHODS[2]!r}."
                         + (f" Did you mean {near[0]!r}?" if near else ""))  # fmt: skip
    z = numbers(z, "z").detach().cpu().flatten(1)
    if len(z) < 3:
        raise ValueError(f"there are {len(z)} codes: a map needs at least 3.")
    z = as_float32(z)
    if (z == z[0]).all():
        raise ValueError(f"all {len(z)} codes are the same, so there is nothing to map: has the encoder collapsed?")
    points = {"pca": _pca, "tsne": _tsne, "umap": _umap}[method](z, random_state, progress, options)
    return torch.from_numpy(np.ascontiguousarray(points, dtype=np.float32))


def _pca(z: Tensor, random_state, progress, options) -> np.ndarray:
    _check_options(options, set(), "PCA")
    centred = (z - z.mean(dim=0)).double()
    axes = torch.linalg.svd(centred, full_matrices=False).Vh[:2]  # (2, D)
    if len(axes) < 2:  # codes of one number: the second direction is empty
        axes = torch.cat([axes, torch.zeros_like(axes)])
    largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
    axes = axes * torch.where(largest < 0, -1.0, 1.0)  # of the two signs the one whose largest entry is positive
    return (centred @ axes.T).numpy()


def _tsne(z: Tensor, random_state, progress, options) -> np.ndarray:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # which scikit-learn needs itself

    _check_options(options, _parameters(TSNE), "scikit-learn's TSNE")
    options = {"perplexity": 30.0, "init": "pca", "max_iter": 1000, "random_state": random_state} | options
    perplexity = options["perplexity"]
    if not 1 <= perplexity < len(z):
        raise ValueError(
            f"perplexity is {perplexity:g} for {len(z)} codes: use at least 1 and less than the number of codes; 5 to "
            "50 is usual."
        )
    if z.shape[1] < 2 and options["init"] == "pca":
        options["init"] = "random"
    scale = z.abs().amax()
    if not 1e-9 < scale < 1e9:  # where squares leave float32's range, and scikit-learn takes Python down with it
        z = z / scale
    threads = threadpool_limits(1 if len(z) <= ONE_THREAD else None)
    if not progress:
        with threads:
            return TSNE(**options).fit_transform(z.numpy())
    from tqdm.auto import tqdm

    with threads, tqdm(total=options["max_iter"], desc="t-SNE", unit="step") as bar:
        with contextlib.redirect_stdout(_Steps(bar)):  # scikit-learn has no callback, but it says how far it is
            points = TSNE(**({"verbose": 2} | options)).fit_transform(z.numpy())
        bar.update(bar.total - bar.n)
    return points


class _Steps(io.TextIOBase):
    """Moves a bar to the step that scikit-learn's log names, and swallows the log."""

    def __init__(self, bar):
        self.bar = bar

    def write(self, text: str) -> int:
        for number in re.findall(r"Iteration (\d+)", text):
            self.bar.update(max(int(number) - self.bar.n, 0))
        return len(text)


def has_umap() -> bool:
    """Whether umap-learn is installed, without importing it (which takes seconds)."""
    return "umap" in sys.modules or importlib.util.find_spec("umap") is not None


def _umap(z: Tensor, random_state, progress, options) -> np.ndarray:
    if not has_umap():
        raise ModuleNotFoundError(
            "UMAP needs the package umap-learn, which is not part of the course: `pip install umap-learn`, and restart "
            'the kernel. Or use method="tsne".'
        )
    from umap import UMAP

    _check_options(options, _parameters(UMAP), "umap-learn's UMAP")
    neighbors = options.get("n_neighbors", 15)
    if not 2 <= neighbors < len(z):
        raise ValueError(f"n_neighbors is {neighbors} for {len(z)} codes: use at least 2 and less than that.")
    if random_state is not None:
        options = {"n_jobs": 1} | options  # what umap-learn would do anyway, with a warning
    bar = {"disable": not progress, "desc": "UMAP"}
    return UMAP(**({"random_state": random_state, "tqdm_kwds": bar} | options)).fit_transform(z.numpy())


def _parameters(kind: type) -> set[str]:
    return set(inspect.signature(kind.__init__).parameters) - {"self", "n_components"}


def _check_options(options: dict, known: set[str], who: str) -> None:
    for name in options:
        if name == "n_components":
            raise ValueError("n_components cannot be chosen: a map has two numbers for each code.")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise ValueError(f"{who} has no option {name!r}." + (f" Did you mean {near[0]!r}?" if near else ""))


@dataclass(frozen=True)
class StoredMap:
    """One map and how it was made.

    Attributes:
        of: What was mapped: the name of a reference model, "pixels", "noise", ...
        method: As for `embed`.
        options: Options of `embed`, random_state among them.
        points: The map, (N, 2), float32. Its scale is arbitrary: centred, with a largest absolute coordinate of 1.
    """

    of: str
    method: str
    options: dict = field(default_factory=dict)
    points: Tensor | None = None


def map_dir() -> Path:
    """Folder of the stored maps."""
    return data_dir() / "maps"


def map_names() -> list[str]:
    """Names of the stored sets of maps, in alphabetical order."""
    return stored.names(map_dir())


def normalized(points: Tensor) -> Tensor:
    """A map moved and scaled so that it is centred and its largest absolute coordinate is 1; its shape stays.

    Args:
        points: (N, 2).

    Returns:
        (N, 2), the middle of its range at 0 in each direction.

    Example:
        >>> normalized(torch.tensor([[0.0, 10.0], [4.0, 10.0]]))
        tensor([[-1.,  0.],
                [ 1.,  0.]])
    """
    points = numbers(points, "points")
    if len(points) == 0:
        return points
    low, high = points.amin(dim=0), points.amax(dim=0)
    return (points - (low + high) / 2) / ((high - low).max() / 2).clamp(min=1e-12)


def save_maps(maps: Sequence[StoredMap], path: Path | str, *, card: dict) -> Path:
    """Write a set of maps and its card: both files or neither. Coordinates are stored in 16 bits, normalised.

    Args:
        maps: At least one.
        path: With or without suffix; PATH.safetensors and PATH.json are written.
        card: What a reader should know: "what", "data", "command". The maps' settings, the versions of the libraries
            and the SHA-256 of the coordinates are added.

    Returns:
        Path of the coordinates.

    Raises:
        ValueError: There are no maps.
        OSError: The files could not be written. Nothing half-written is left.
    """
    if not maps:
        raise ValueError("there are no maps to save.")
    points = {f"{i:03d}": normalized(one.points.float()).half() for i, one in enumerate(maps)}
    settings = [{key: value for key, value in asdict(one).items() if key != "points"} for one in maps]
    return stored.save(path, points, card={**card, "maps": settings})


def load_maps(name: str) -> list[StoredMap]:
    """One of the course's sets of maps, verified.

    Args:
        name: One of `map_names()`, or a path with or without suffix.

    Returns:
        The maps, in the order in which they were made.

    Raises:
        ValueError: There is no such set, or its files are damaged or altered.
        FileNotFoundError: One of its files is missing.

    Taught in lesson 08.
    """
    path = stored.find(name, map_dir(), "set of maps") if Path(name).parent == Path(".") else Path(name)
    card, points = stored.read(path)
    try:
        maps = [StoredMap(**settings) for settings in card["maps"]]
        return [StoredMap(one.of, one.method, one.options, points[f"{i:03d}"].float()) for i, one in enumerate(maps)]
    except (KeyError, TypeError) as error:
        what = f"{stored.paths(path)[1]} is not the card of a set of maps, or it is damaged ({error!r})"
        raise stored.refusal(path, what) from error
