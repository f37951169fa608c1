"""The map of a latent space that decodes wherever it is touched."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from course_utils import plots
from course_utils.latents import LatentModel
from course_utils.plots.style import spread_labels
from course_utils.widgets.arguments import (
    OURS,
    check_codes,
    check_colors,
    check_decoded,
    check_function,
    check_images,
    check_labels,
    check_list,
    check_model,
    check_names,
    check_tensor,
    check_vector,
    check_whole,
)
from course_utils.widgets.explorer import Explorer, evaluating, for_model, panel
from course_utils.widgets.spec import POINT, fault, plain

MOST_POINTS = 4000  # drawn in the browser, which needs no more to show where the classes are
SMALLEST, LARGEST = 100, 4000  # width of a map in CSS pixels: its axes take 44, and no screen has more
NAME_HEIGHT = 16  # of a class name on the map, in CSS pixels


class LatentPad(Explorer):
    """A 2-D map of codes, coloured and named by class; the image decoded at the marker follows it.

    Drag or click, or focus the map and use the arrow keys: 1/50 of the map a step, with Shift 1/10, Home for
    the start. All codes are searched for the nearest one; at most 4,000 evenly chosen ones are drawn. The map shows
    99% of the codes in each direction, at one scale in both.

    Args:
        model: Any LatentModel. It is called in evaluation and inference mode, and left as it was.
        codes: Codes of a data set, (N, *latent_shape), as `encode_dataset` returns them.
        labels: Class of each code, (N,).
        class_names: One name a class.
        images: The images the codes came from, an ImageSet or (N, C, H, W): then the nearest one is shown.
        start: Where the marker starts, in map coordinates.
        size: Width of the map in CSS pixels.
        dims: The two latent dimensions that the map spans, for codes of shape (D,).
        base: Code (D,) that gives the other dimensions; the mean of the codes by default.
        chart: A pair of functions for any other map: codes (K, *latent_shape) to points (K, 2), and back.
        axes: What the two directions of the map are called; by default the names of the latent dimensions.
        colors: A colour for each class, as "#rrggbb"; the course's palette by default.
        layout: ipywidgets' `Layout`, or a dictionary of its fields.

    Its `value` is [x, y] in map coordinates, `value_0` is x and `value_1` is y.

    Raises:
        TypeError, ValueError: One sentence that says which argument does not fit.

    Example:
        >>> from course_utils.models.pca import PCA
        >>> x = torch.rand(40, 1, 8, 6, generator=torch.Generator().manual_seed(0))
        >>> pca = PCA(2).fit(x)
        >>> pad = LatentPad(pca, pca.encode(x), torch.zeros(40, dtype=torch.long), ("noise",))
        >>> pad.move_to(0.1, -0.2)
        >>> pad.position, pad.image.shape
        ((0.1, -0.2), torch.Size([1, 8, 6]))
    """

    _stands_in = True
    words = Explorer.words | {
        "text": "Position ({x:2}, {y:2}). Nearest image: {name}, {distance:2} away.",
        "decoded": "Decoded here",
        "nearest": "Nearest: {name}",
    }

    def __init__(
        self,
        model: LatentModel,
        codes: Tensor,
        labels: Tensor,
        class_names: Sequence[str],
        *,
        images=None,
        start: tuple[float, float] = (0.0, 0.0),
        size: int = 360,
        dims: tuple[int, int] = (0, 1),
        base: Tensor | Sequence[float] | None = None,
        chart: tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]] | None = None,
        axes: tuple[str, str] | None = None,
        colors: Sequence[str] | None = None,
        layout=None,
    ):
        check_model(model)
        self._model = model
        self._codes = check_codes(model, codes)
        self._names = check_names(class_names, "class_names")
        self._labels = check_labels(labels, len(self._codes), self._names)
        self._centre = self._codes.mean(0)
        self._centred = (self._codes - self._centre).flatten(1)
        self._half_squares = self._centred.square().sum(1) / 2
        self._images = check_images(images, len(self._codes))
        self._unproject, points = self._make_chart(dims, base, chart)
        size = check_whole(size, "size", SMALLEST, LARGEST)
        start = plain(start)
        if fault(POINT, start):
            raise ValueError(f"start is {start!r}: give two finite numbers, x and y.")
        start = tuple(float(v) for v in start)
        self._x_range, self._y_range = _ranges(points, start)
        some = torch.linspace(0, len(points) - 1, min(MOST_POINTS, len(points)), **OURS).round().long()
        drawn = points[some].numpy().astype("<f4").tobytes() + self._labels[some].to(torch.uint8).numpy().tobytes()
        if axes is None:
            axes = ("horizontal", "vertical") if chart else tuple(f"z[{int(d)}]" for d in dims)
        spec = {
            "kind": "pad",
            "className": "course-latent-pad",
            "title": "Latent space explorer",
            "label": "Map of the latent space",
            "help": "Drag or tap, or use the arrow keys (with Shift: larger steps; Home: back to the start).",
            "size": size,
            "xRange": self._x_range,
            "yRange": self._y_range,
            "axes": [str(name) for name in check_list(axes, "axes", 2)],
            "names": self._names,
            "palette": plots.PALETTE if colors is None else check_colors(colors, len(self._names)),
            "namePlaces": place_names(points, self._labels, self._names, (self._x_range, self._y_range), size - 44),
        }
        super().__init__(spec, start, drawn, layout=layout)

    def _make_chart(self, dims, base, chart):
        """The function from points (K, 2) to codes, and the points of all codes."""
        if chart is not None:
            project, unproject = check_list(chart, "chart", 2)
            check_function(project, "the first of chart"), check_function(unproject, "the second of chart")
            with evaluating(self._model):
                points = check_tensor(project(self._codes), "the points that chart returned", "(N, 2)")
            if points.shape != (len(self._codes), 2):
                raise ValueError(f"the chart returned {tuple(points.shape)} for {len(self._codes)} codes: give (N, 2).")
            return unproject, points
        if self._codes.ndim != 2:
            shape = tuple(self._codes.shape[1:])
            raise ValueError(f"codes of shape {shape} have no two dimensions to draw: pass chart=(project, unproject).")
        size = self._codes.shape[1]
        dims = tuple(check_whole(d, "one of dims", 0) for d in check_list(dims, "dims", 2))
        if len(set(dims)) != 2 or not all(0 <= d < size for d in dims):
            raise ValueError(f"dims are {dims}: give two different dimensions between 0 and {size - 1}.")
        base = self._codes.mean(0) if base is None else check_vector(base, "base", size)

        def unproject(points: Tensor) -> Tensor:
            z = base.repeat(len(points), 1)
            z[:, list(dims)] = points
            return z

        return unproject, self._codes[:, list(dims)]

    def _decode(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Codes and decoded images of points (K, 2)."""
        with evaluating(self._model) as model:
            z = check_codes(model, self._unproject(points), "the codes of chart's way back", len(points))
            return z, check_decoded(model.decode(for_model(model, z)), len(points))

    def _find_nearest(self, z: Tensor) -> tuple[int, float]:
        """Index of the code nearest to z, and its distance.

        |c - z|^2 / 2 = |c|^2 / 2 - c z + |z|^2 / 2, and the last term is the same for all codes: one product of a
        matrix and a vector, which other busy programs slow down far less than `torch.cdist`.
        """
        with torch.inference_mode():
            scores = torch.addmv(self._half_squares, self._centred, (z - self._centre).flatten(), alpha=-1)
            index = int(scores.argmin())
            return index, float((self._codes[index] - z).norm())

    def _draw(self, value):
        point = torch.as_tensor(value, **OURS)
        if point.shape != (2,) or not torch.isfinite(point).all():
            raise ValueError(f"{value!r} is no position: give two finite numbers, x and y.")
        x, y = (float(v) for v in value)
        z, decoded = self._decode(point[None])
        self._nearest, distance = self._find_nearest(z[0].float().cpu())
        name = self._names[self._labels[self._nearest]]
        self._image = decoded[0]
        images, captions = [self._image], [self._say("decoded")]
        if self._images is not None:
            images.append(self._images[self._nearest])
            captions.append(self._say("nearest", name=name))
        return images, captions, self._say("text", x=x, y=y, name=name, distance=distance), (x, y)

    def _rows(self) -> list:
        titles, sizes = ("Decoded here", "Nearest"), (168, 112)  # what was decoded is what to look at
        return [{"title": "", "panels": list(map(panel, titles, self._shown[0], sizes))}]

    def _page(self, steps):
        from course_utils.widgets.page.bundle import Page
        from course_utils.widgets.page.layers import layers_of, on_plane

        self._no_steps(steps)
        base, u, v = self._plane()
        along, codes = torch.stack([u, v]).flatten(1).double(), (self._codes - base).flatten(1).double()
        places = (codes @ torch.linalg.pinv(along)).float()  # (N, 2): the nearest point of the plane
        heights = (codes - places.double() @ along).square().sum(1).float()  # how far off it, squared
        uu, uv, vv = (along @ along.T)[[0, 0, 1], [0, 1, 1]].tolist()
        drawn = torch.frombuffer(bytearray(self._points), dtype=torch.uint8)[: 8 * len(places)].numpy().view("<f4")
        same = drawn.size == places.numel() and np.allclose(drawn, places.flatten(), rtol=0, atol=1e-5 * self._width())
        own = {} if same else {"places": places.numpy(), "labels": self._labels.to(torch.uint8).numpy()}
        return Page(
            "pad",
            {"metric": [uu, uv, vv], "own": not same, "count": len(places)},
            {"heights": heights.numpy()} | own,
            {"decoder": (on_plane(layers_of(self._model), base, u, v), (3,))},
            self._images,
            early=self._over_the_map(6),
        )

    def _plane(self) -> tuple[Tensor, Tensor, Tensor]:
        """base, u and v of the codes base + x u + y v that the map shows; or one clear error where it is no plane."""
        (x0, x1), (y0, y1) = self._x_range, self._y_range
        points = torch.tensor([[0, 0], [1, 0], [0, 1], [x0, y0], [x1, y0], [x0, y1], [x1, y1]], **OURS)
        with evaluating(self._model):
            base, u, v, *corners = check_codes(self._model, self._unproject(points), "the codes of chart's way back")
        u, v = u - base, v - base
        for (x, y), corner in zip(points[3:].tolist(), corners, strict=True):
            if (base + x * u + y * v - corner).abs().max() > 1e-3 * corner.abs().max().clamp(min=1):
                raise ValueError("a page can show a flat map of codes, base + x u + y v; this chart is not flat.")
        return base, u, v

    def _over_the_map(self, steps: int) -> Tensor:
        """(x, y, 1) of points all over the map, `steps` along each side."""
        x, y = (torch.linspace(*ends, steps, **OURS) for ends in (self._x_range, self._y_range))
        return torch.cartesian_prod(x, y, torch.ones(1, **OURS))

    def _width(self) -> float:
        return self._x_range[1] - self._x_range[0]

    def move_to(self, x: float, y: float) -> None:
        """Put the marker at (x, y), in map coordinates, as a reader would; errors are raised as well as shown."""
        self._show((x, y))

    @property
    def position(self) -> tuple[float, float]:
        """Where the marker is, in map coordinates."""
        return self._shown[3]

    @property
    def image(self) -> Tensor:
        """The image decoded at the marker, (C, H, W) in [0, 1]."""
        return self._image.clone()

    @property
    def nearest(self) -> int:
        """Index of the code nearest to the decoded one, by Euclidean distance."""
        return self._nearest

    def static(self, steps: int = 15, *, ax=None):
        """The static twin: decoded images all over the map, as one figure.

        Args:
            steps: Images along each side.
            ax: Matplotlib axes to draw on; a new figure by default.

        Returns:
            The axes, in map coordinates.
        """
        steps = check_whole(steps, "steps", 1)
        x, y = (torch.linspace(*ends, steps, **OURS) for ends in (self._x_range, self._y_range))
        points = torch.cartesian_prod(y.flip(0), x).flip(1)  # row by row, the largest y first
        decoded = torch.cat([self._decode(some)[1] for some in points.split(256)])
        ax = plots.latent_canvas(decoded.unflatten(0, (steps, steps)), self._x_range, self._y_range, ax=ax)
        ax.set(xlabel=self._spec["axes"][0], ylabel=self._spec["axes"][1])
        return ax


def place_names(points: Tensor, labels: Tensor, names: Sequence[str], ranges, side: int) -> list:
    """[class, x, y] of each name in pixels of a plot of that side: at the median of its points, or beside it."""
    present = labels.unique().tolist()
    medians = torch.stack([points[labels == k].median(0).values for k in present])
    (x0, x1), (y0, y1) = ranges
    places = torch.stack([(medians[:, 0] - x0) / (x1 - x0), (y1 - medians[:, 1]) / (y1 - y0)], dim=1) * side
    widths = torch.tensor([7.2 * len(names[k]) + 14 for k in present], dtype=torch.float64, device="cpu")
    places = torch.from_numpy(spread_labels(places.numpy(), widths.numpy(), NAME_HEIGHT))
    x = places[:, 0].clamp(widths / 2, side - widths / 2)
    y = places[:, 1].clamp(NAME_HEIGHT / 2, side - NAME_HEIGHT / 2)
    return [[k, round(a, 1), round(b, 1)] for k, a, b in zip(present, x.tolist(), y.tolist(), strict=True)]


def _ranges(points: Tensor, start: Sequence[float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """x and y range of one length that hold 99% of the points in each direction, and the start, with a margin."""
    low, high = (points.quantile(q, dim=0) for q in (0.005, 0.995))
    start = torch.tensor(start, **OURS)
    low, high = torch.minimum(low, start), torch.maximum(high, start)
    half = max(float((high - low).max()) * 0.54, 1e-3)
    (x0, x1), (y0, y1) = (((middle - half), (middle + half)) for middle in ((low + high) / 2).tolist())
    return (x0, x1), (y0, y1)
