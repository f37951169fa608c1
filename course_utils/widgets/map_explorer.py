"""Any 2-D map of codes to point at: the image there, its neighbours, and what its code decodes to."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from course_utils import plots
from course_utils.embedding import normalized
from course_utils.widgets.arguments import (
    OURS,
    check_codes,
    check_decoded,
    check_different,
    check_images,
    check_labels,
    check_model,
    check_names,
    check_tensor,
    check_whole,
)
from course_utils.widgets.explorer import Explorer, evaluating, for_model, panel
from course_utils.widgets.latent_pad import LARGEST, MOST_POINTS, SMALLEST, place_names
from course_utils.widgets.spec import fault, plain

NEIGHBORS = 5
RANGE = (-1.06, 1.06)  # of all maps, which are centred and scaled: their own units mean nothing


class MapExplorer(Explorer):
    """A map of codes, or several to choose from: point at it and see the image, its neighbours, and its code decoded.

    Hover over the map, or focus it and use the arrow keys (1/50 of the map a step, with Shift 1/10, Home for the
    start): the image whose point is nearest is shown, with its nearest images on the map and, where codes are given,
    in the latent space; small squares mark where those lie on the map. A click, or Enter, decodes its code. Boxes
    choose the classes, sliders the map. At most 4,000 evenly chosen points are drawn; all are searched.

    Args:
        maps: One map, (N, 2); or {name: map}; or {(number, number, ...): map} with a number for each of `settings` and
            a map for every combination.
        labels: Class of each point, (N,).
        class_names: One name a class.
        images: What was mapped, an ImageSet or (N, C, H, W).
        model: A LatentModel, to decode codes. It is called in evaluation and inference mode, and left as it was.
        codes: The codes that were mapped, (N, ...): then neighbours are found in the latent space too.
        settings: What the sliders choose, for example ("perplexity", "seed").
        size: Width of the map in CSS pixels.
        layout: ipywidgets' `Layout`, or a dictionary of its fields.

    Its `value` is a dictionary: `at`, the place [x, y]; `map`, which value of each setting, a list of whole numbers;
    `hidden`, the classes that are not shown, by number; `pick`, whether the point was clicked, which decodes its code.
    It can be tied to another explorer of the same maps. No single slider can be tied to a part of it.

    Raises:
        TypeError, ValueError: One sentence that says which argument does not fit.

    Example:
        >>> z = torch.randn(40, 16, generator=torch.Generator().manual_seed(0))
        >>> maps = {(5, 0): z[:, :2], (30, 0): z[:, 2:4]}
        >>> labels, images = torch.arange(40) % 2, torch.rand(40, 1, 8, 6)
        >>> explorer = MapExplorer(maps, labels, ("bag", "boot"), images=images, settings=("perplexity", "seed"))
        >>> explorer.show_map(perplexity=30)
        >>> explorer.move_to(0.2, -0.4)
        >>> explorer.setting, explorer.image.shape
        ({'perplexity': 30, 'seed': 0}, torch.Size([1, 8, 6]))
    """

    _stands_in = True
    words = Explorer.words | {
        "text": "Here: {name}, image {index}.",
        "on map": "{where}. {text}",
        "neighbors": "{text} Of its {count} nearest codes, {same} are among the nearest on the map.",
        "setting": "{name} {value}",
        "decoded": "Code decoded: {name}",
        "none": "none",
        "all hidden": "all classes are hidden, so there is nothing to point at: tick one.",
    }

    def __init__(
        self,
        maps: Tensor | Mapping,
        labels: Tensor,
        class_names: Sequence[str],
        *,
        images=None,
        model=None,
        codes: Tensor | None = None,
        settings: Sequence[str] = ("map",),
        size: int = 400,
        layout=None,
    ):
        self._maps, self._settings = _check_maps(maps, check_different(check_names(settings, "settings"), "settings"))
        count = len(next(iter(self._maps.values())))
        self._names = check_names(class_names, "class_names")
        self._labels = check_labels(labels, count, self._names)
        self._images, self._model = check_images(images, count), model
        if model is not None:
            check_model(model, ["decode"])
            if codes is None:
                raise ValueError("there is a model but no codes for it to decode: pass the codes that were mapped.")
        self._codes = None if codes is None else check_codes(model, codes)
        if codes is not None and len(self._codes) != count:
            raise ValueError(f"there are {len(self._codes)} codes for {count} points on the map: give the same ones.")
        if self._images is None and model is None:
            raise ValueError("there is nothing to show at a point: pass images, or a model and codes.")
        size = check_whole(size, "size", SMALLEST, LARGEST)
        self._side, self._chosen, self._picked, self._last = size - 44, None, None, None
        self._decoded = (None, None)  # index, image
        self._named = (None, [])  # map and hidden classes, places of the names
        spec = {
            "kind": "map",
            "className": "course-map-explorer",
            "title": "Map explorer",
            "label": "Map of codes",
            "help": "Point or tap, or use the arrow keys (with Shift: larger steps; Home: back to the start)."
            + (" A click, a tap or Enter decodes the code." if model is not None else "")
            + (" Squares: the point, and its nearest codes." if codes is not None else ""),
            "size": size,
            "xRange": RANGE,
            "yRange": RANGE,
            "axes": ("map, without unit", ""),
            "names": self._names,
            "palette": plots.PALETTE,
            "settings": [{"name": name, "values": values} for name, values in self._settings.items()],
        }
        start = {"at": (0.0, 0.0), "map": [0] * len(self._settings), "hidden": [], "pick": model is not None}
        super().__init__(spec, start, self._pack_points(tuple(start["map"])), layout=layout)
        self._drawn = tuple(start["map"])

    def _pack_points(self, chosen: tuple[int, ...]) -> bytes:
        """What is drawn of a map: float32 pairs, then one byte of class each."""
        points = self._maps[chosen]
        some = torch.linspace(0, len(points) - 1, min(MOST_POINTS, len(points)), **OURS).round().long()
        return points[some].numpy().astype("<f4").tobytes() + self._labels[some].to(torch.uint8).numpy().tobytes()

    def _read(self, value) -> tuple[tuple[int, ...], tuple[float, float], list[int]]:
        """Which map, which place on it, and which classes are hidden; or one clear error."""
        chosen = tuple(int(k) for k in value["map"])
        if chosen not in self._maps:
            raise ValueError(f"{chosen} is none of the maps: each number must be a position on its slider.")
        at = torch.as_tensor(value["at"], **OURS)
        if at.shape != (2,) or not torch.isfinite(at).all():
            raise ValueError(f"{value['at']!r} is no place on the map: give two finite numbers, x and y.")
        hidden = sorted({int(k) for k in value["hidden"]})
        if wrong := [k for k in hidden if not 0 <= k < len(self._names)]:
            raise ValueError(f"there is no class {wrong[0]}: there are {len(self._names)}.")
        if torch.isin(self._labels, self._labels.new_tensor(hidden)).all():
            raise ValueError(self._say("all hidden"))
        return chosen, (float(value["at"][0]), float(value["at"][1])), hidden

    def _draw(self, value):
        chosen, at, hidden = self._read(value)
        points = self._maps[chosen]
        shown = ~torch.isin(self._labels, self._labels.new_tensor(hidden))
        if self._last is not None and chosen != self._chosen and shown[self._last]:
            index = self._last  # another map: stay with the image
            at = tuple(points[index].tolist())
        else:
            distance = (points - torch.tensor(at, **OURS)).norm(dim=1)
            index = int(torch.where(shown, distance, torch.inf).argmin())
        near_map = _nearest(points, index, shown)
        near_code = None if self._codes is None else _nearest(self._codes.flatten(1), index)
        decoded = self._decoded
        if value.get("pick") and self._model is not None:
            decoded = (index, self._decode(index))
        self._chosen, self._last, self._decoded = chosen, index, decoded  # nothing failed
        self._near_map, self._near_code = near_map, near_code
        images, captions = self._panels(index)
        friends = [] if near_code is None else points[near_code].tolist()
        if self._named[0] != (chosen, hidden):  # slow, and the same wherever the reader points
            names = place_names(points[shown], self._labels[shown], self._names, (RANGE, RANGE), self._side)
            self._named = ((chosen, hidden), names)
        found = {"index": index, "place": points[index].tolist(), "friends": friends, "names": self._named[1]}
        told = {"at": list(at), "map": list(chosen), "hidden": hidden, "pick": bool(value.get("pick"))}
        return images, captions, self._tell(index), told | found | {"decoded": self._decoded[0]}

    def _decode(self, index: int) -> Tensor:
        with evaluating(self._model) as model:
            z = for_model(model, self._codes[index : index + 1])
            return check_decoded(model.decode(z), 1)[0]

    def _panels(self, index: int) -> tuple[list[Tensor], list[str]]:
        """Images and captions: the one at the point, the decoded one, and the neighbours' on the map and as codes."""
        images, captions = [], []
        if self._images is not None:
            images, captions = [self._images[index]], [self._name(index)]
        if self._model is not None:
            images.append(self._decoded[1])
            captions.append(self._say("decoded", name=self._name(self._decoded[0])))
        if self._images is not None:
            blank, count = torch.zeros_like(self._images[0]), min(NEIGHBORS, len(self._labels) - 1)
            for near in (self._near_map, self._near_code):
                if near is not None:  # as many panels always, also where the classes shown have fewer points
                    images += [self._images[i] for i in near] + [blank] * (count - len(near))
                    captions += [self._name(i) for i in near] + [self._say("none")] * (count - len(near))
        return images, captions

    def _name(self, index: int) -> str:
        return self._names[self._labels[index]]

    def _tell(self, index: int) -> str:
        text = self._say("text", name=self._name(index), index=index)
        if where := self._where(self._chosen):
            text = self._say("on map", where=where, text=text)
        if self._near_code is None:
            return text
        same = len(set(self._near_code) & set(self._near_map))
        return self._say("neighbors", text=text, count=len(self._near_code), same=same)

    def _rows(self) -> list:
        images = list(self._shown[0])
        first = ["Here"] * (self._images is not None) + ["Code decoded"] * (self._model is not None)
        rows = [{"title": "", "panels": [panel(title, images.pop(0), 140) for title in first]}]
        if self._images is not None:
            for title, near in (("Nearest on the map", self._near_map), ("Nearest codes", self._near_code)):
                if near is not None:
                    some = [images.pop(0) for _ in range(min(NEIGHBORS, len(self._labels) - 1))]
                    rows.append({"title": title, "panels": [panel(title, image, 64) for image in some]})
        return rows

    def _show(self, value, token: str = "", asked: bool = False) -> None:
        with self.hold_sync():  # the points of another map travel in the same message as all that belongs to it
            try:
                super()._show(value, token, asked)
            finally:  # also where somebody who was told of it failed
                if self._chosen != self._drawn:
                    self._points, self._drawn = self._pack_points(self._chosen), self._chosen

    def _page(self, steps):
        from course_utils.widgets.page.bundle import Page
        from course_utils.widgets.page.layers import layers_of

        self._no_steps(steps)
        positions = list(itertools.product(*(range(len(values)) for values in self._settings.values())))
        maps, most = [self._maps[chosen] for chosen in positions], min(NEIGHBORS, len(self._labels) - 1)
        names = [place_names(points, self._labels, self._names, (RANGE, RANGE), self._side) for points in maps]
        data = {
            "names": names,
            "settings": [self._where(chosen) for chosen in positions],
            "neighbors": most,
            "near": self._codes is not None,
        }
        parts = {"maps": torch.stack(maps).numpy(), "labels": self._labels.to(torch.uint8).numpy()}
        networks = {}
        if self._codes is not None:
            flat = self._codes.flatten(1)
            parts["near"] = np.array([_nearest(flat, i) for i in range(len(flat))], "<u4")
        if self._model is not None:
            parts["codes"] = self._codes.numpy()
            networks["decoder"] = layers_of(self._model), tuple(self._codes.shape[1:])
        return Page("map", data, parts, networks, self._images)

    def _now(self, **change) -> dict:
        value = self._shown[3]
        return {key: value[key] for key in ("at", "map", "hidden")} | {"pick": False} | change

    def move_to(self, x: float, y: float, *, decode: bool = False) -> None:
        """Point at (x, y), each from -1 to 1, and with decode=True click there; errors are raised as well as shown."""
        self._show(self._now(at=(x, y), pick=decode))

    def show_map(self, *chosen, **named) -> None:
        """Choose a map by the values of its settings, in their order or by name; the marker stays with its image."""
        if unknown := set(named) - set(self._settings):
            raise ValueError(f"there is no setting {sorted(unknown)[0]!r}: there are {', '.join(self._settings)}.")
        if len(chosen) > len(self._settings):
            raise ValueError(f"{len(chosen)} values are given for {len(self._settings)} settings.")
        wanted = self.setting | dict(zip(self._settings, chosen, strict=False)) | named
        places = []
        for name, values in self._settings.items():
            if wanted[name] not in values:
                raise ValueError(f"there is no map with {name} {wanted[name]!r}: there are {values}.")
            places.append(values.index(wanted[name]))
        self._show(self._now(map=places))

    def show_classes(self, names: Iterable[str] | None = None) -> None:
        """Show these classes only, by name; all of them by default."""
        names = self._names if names is None else list(names)
        if unknown := [name for name in names if name not in self._names]:
            raise ValueError(f"there is no class {unknown[0]!r}: there are {', '.join(self._names)}.")
        self._show(self._now(hidden=[k for k, name in enumerate(self._names) if name not in names]))

    @property
    def setting(self) -> dict:
        """Which map is shown: {setting: value}."""
        return self._setting(self._chosen)

    def _setting(self, chosen: tuple[int, ...]) -> dict:
        return {name: values[k] for (name, values), k in zip(self._settings.items(), chosen, strict=True)}

    def _where(self, chosen: tuple[int, ...]) -> str:
        """A map in words; empty where there is only one."""
        known = [(name, value) for name, value in self._setting(chosen).items() if value is not None]
        where = ", ".join(self._say("setting", name=name, value=value) for name, value in known)
        return where[:1].upper() + where[1:]

    @property
    def index(self) -> int:
        """Which point is pointed at."""
        return self._last

    @property
    def image(self) -> Tensor:
        """The image at the point, or where no images were given the decoded one, (C, H, W)."""
        return self._shown[0][0].clone()

    @property
    def decoded(self) -> Tensor | None:
        """The image decoded from the code that was clicked last, (C, H, W); None without a model."""
        return None if self._decoded[1] is None else self._decoded[1].clone()

    def static(self, *, thumbnails: int = 0, ax=None):
        """The static twin: the map shown now, its classes by colour and marker.

        Args:
            thumbnails: So many images, evenly spread over the map, are drawn at their points.
            ax: Matplotlib axes to draw on; a new figure by default.

        Returns:
            The axes.
        """
        shown = ~torch.isin(self._labels, self._labels.new_tensor(self._shown[3]["hidden"]))
        images = None if self._images is None or not thumbnails else self._images[shown]
        points, labels = self._maps[self._chosen][shown], self._labels[shown]
        title = ", ".join(f"{name} {value}" for name, value in self.setting.items() if value is not None)
        return plots.latent_map(points, labels, self._names, images=images, thumbnails=thumbnails, title=title, ax=ax)


def _nearest(points: Tensor, index: int, among: Tensor | None = None) -> list[int]:
    """The nearest others of a point, nearest first."""
    distance = (points - points[index]).norm(dim=1)
    distance[index] = torch.inf
    if among is not None:
        distance = torch.where(among, distance, torch.inf)
    count = min(NEIGHBORS, int(torch.isfinite(distance).sum()))
    return distance.topk(count, largest=False).indices.tolist()


def _word(one):
    """Part of the name of a map: a number of NumPy's or a tensor becomes Python's own, and must be one number."""
    return plain(one) if getattr(one, "ndim", 0) == 0 else one


def _check_maps(maps, settings: list[str]) -> tuple[dict, dict]:
    """Maps by their positions on the sliders, centred and scaled, and the values on each slider; or one clear error."""
    maps = dict(maps) if isinstance(maps, Mapping) else {(None,): maps}
    if not maps:
        raise ValueError("there are no maps: give one map (N, 2), or {name: map}.")
    maps = {tuple(map(_word, key if isinstance(key, tuple) else (key,))): points for key, points in maps.items()}
    for key in maps:
        if wrong := [one for one in key if fault("choice", one)]:
            raise TypeError(f"a map is called {wrong[0]!r}: call it by text or by finite numbers.")
        if len(key) != len(settings):
            wanted = ", ".join(settings)
            raise ValueError(f"map {key} has {len(key)} values for the settings {wanted}: give one for each.")
    values = {}
    for place, name in enumerate(settings):
        found = list(dict.fromkeys(key[place] for key in maps))
        values[name] = sorted(found) if all(isinstance(one, (int, float)) for one in found) else found
    checked, count = {}, None
    for key, points in maps.items():
        points = check_tensor(points, "a map", "two numbers a point, (N, 2)")
        if points.ndim != 2 or points.shape[1] != 2 or len(points) < 2:
            raise ValueError(f"a map has shape {tuple(points.shape)}: give two numbers a point, (N, 2).")
        if count not in (None, len(points)):
            raise ValueError(f"one map has {count} points and another {len(points)}: all must show the same ones.")
        count = len(points)
        checked[tuple(values[name].index(one) for name, one in zip(settings, key, strict=True))] = normalized(points)
    positions = math.prod(map(len, values.values()))
    if len(checked) != positions:
        raise ValueError(f"there are {len(checked)} maps for {positions} positions of the sliders: give one for each.")
    return checked, values
