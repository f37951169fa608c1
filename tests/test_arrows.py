"""The arrows between the rooms of the package: who may import whom, and no file another in a circle.

Read from the sources, so that imports inside functions and those for type checkers count too.
"""

import ast
from collections.abc import Iterable
from pathlib import Path

import course_utils

PACKAGE = Path(course_utils.__file__).parent

# From the ground up. A room imports from the floors below it, and from its own only along an arrow of SIDEWAYS.
FLOORS = (
    {"inputs"},  # the doors
    {"files", "device", "latents", "gaussian", "losses", "interpolation"},  # the vocabulary
    {"data", "metrics", "models", "plots", "stored", "checkpoints", "embedding", "claims"},
    {"training", "widgets", "checks"},
    {"recipes"},
    {"command"},
    {"__main__"},
)
SIDEWAYS = {
    ("gaussian", "device"),
    ("losses", "gaussian"),
    ("models", "data"),  # an autoencoder is trained on corrupted images
    ("checkpoints", "models"),  # a card names its class
    ("checkpoints", "stored"),
    ("data", "stored"),  # what is downloaded is kept like everything else
    ("embedding", "stored"),
    ("claims", "stored"),
    ("checks", "widgets"),  # an exercise in which the learner makes a control of ipywidgets
}


def imports(package: Path) -> Iterable[tuple[str, str, int]]:
    """Who imports whom in which line, as modules of the package: ("models.pca", "latents", 7)."""
    modules = {".".join(_parts(file, package)): file for file in sorted(package.rglob("*.py"))}
    for module, file in modules.items():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            for name in _names(node, package.name, module, file):
                while name and name not in modules:
                    name = name.rpartition(".")[0]  # a thing in a module, not a module
                if name and name != module:
                    yield module, name, node.lineno


def _parts(file: Path, package: Path) -> tuple[str, ...]:
    parts = file.relative_to(package).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def _names(node: ast.AST, package: str, module: str, file: Path) -> list[str]:
    """What an import statement names, without the package's own name before it."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        above = [package, *filter(None, module.split("."))]
        above = above[: len(above) + (file.name == "__init__.py") - node.level] if node.level else []
        base = ".".join([*above, *filter(None, [node.module])])
        names = [f"{base}.{alias.name}" for alias in node.names]
    else:
        return []
    return [name.removeprefix(f"{package}.") for name in names if name.startswith(f"{package}.")]


def forbidden(package: Path, floors=FLOORS, sideways=SIDEWAYS) -> list[str]:
    """A sentence on each import that no arrow allows: file, line, import, rule."""
    floor_of = {room: number for number, rooms in enumerate(floors) for room in rooms}
    found = []
    for module, name, line in imports(package):
        room, other = module.partition(".")[0], name.partition(".")[0]
        where = f"{package.name}/{module.replace('.', '/') or '__init__'}, line {line}, imports {name}"
        if not room:
            found.append(f"{where}: the package itself imports nothing")
        elif room not in floor_of:
            found.append(f"{where}: {room} stands on no floor yet; give it one in FLOORS")
        elif room != other and floor_of.get(other, len(floors)) > floor_of[room]:
            found.append(f"{where}: {other} stands above {room}, and arrows point down")
        elif room != other and floor_of[other] == floor_of[room] and (room, other) not in sideways:
            found.append(f"{where}: {room} and {other} share a floor, and SIDEWAYS lacks this arrow")
    return found


def circle(arrows: Iterable[tuple[str, str]]) -> list[str]:
    """One circle of arrows, the first name again at its end; empty where there is none."""
    arrows = set(arrows)
    while arrows:
        sources, targets = {a for a, _ in arrows}, {b for _, b in arrows}
        left = {(a, b) for a, b in arrows if a in targets and b in sources}
        if left == arrows:
            break  # whoever is left has one before it and one after it
        arrows = left
    step = dict(sorted(arrows))
    way = [min(step)] if step else []
    while way and way[-1] not in way[:-1]:
        way.append(step[way[-1]])
    return way[way.index(way[-1]) :] if way else []


def test_every_import_follows_an_arrow():
    assert forbidden(PACKAGE) == []


def test_no_file_imports_another_in_a_circle():
    assert circle((module, name) for module, name, _ in imports(PACKAGE)) == []


def test_every_arrow_within_a_floor_is_needed_and_none_runs_in_a_circle():
    assert circle(SIDEWAYS) == []
    rooms = {file.relative_to(PACKAGE).parts[0].removesuffix(".py") for file in PACKAGE.rglob("*.py")}
    used = {(module.partition(".")[0], name.partition(".")[0]) for module, name, _ in imports(PACKAGE)}
    assert {arrow for arrow in SIDEWAYS - used if rooms.issuperset(arrow)} == set()


SMALL = {
    "__init__.py": "",
    "latents.py": "def f():\n    from small.models import pca\n",
    "models/__init__.py": "",
    "models/pca.py": "import small.latents\nfrom ..data import images\n",
    "data/__init__.py": "import typing\nif typing.TYPE_CHECKING:\n    from small.metrics.codes import psnr\n",
    "data/images.py": "from small import data\nfrom . import toys\n",
    "data/toys.py": "import torch\nfrom small.data.images import ImageSet\n",
    "metrics/codes.py": "",
    "attic.py": "import small.latents",
}


def test_wrong_arrows_and_circles_are_seen(tmp_path):
    for name, text in SMALL.items():
        file = tmp_path / "small" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    package = tmp_path / "small"
    assert forbidden(package) == [
        "small/attic, line 1, imports latents: attic stands on no floor yet; give it one in FLOORS",
        "small/data, line 3, imports metrics.codes: data and metrics share a floor, and SIDEWAYS lacks this arrow",
        "small/latents, line 2, imports models.pca: models stands above latents, and arrows point down",
    ]
    arrows = {(module, name) for module, name, _ in imports(package)}
    assert circle(arrows) == ["data.images", "data.toys", "data.images"]
    assert circle(arrows - {("data.toys", "data.images")}) == ["latents", "models.pca", "latents"]
    assert circle(arrows - {("data.toys", "data.images"), ("models.pca", "latents")}) == []
