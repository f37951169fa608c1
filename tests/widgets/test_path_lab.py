"""The path laboratory: what it shows at each position, what the browser is told, and every bad input."""

import itertools

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pytest
import torch

from course_utils.data import ImageSet
from course_utils.interpolation import lerp, slerp
from course_utils.models.pca import PCA
from course_utils.models.pixels import PixelSpace
from course_utils.widgets import PathLab

SHAPE = (3, 8, 12)  # RGB: an arc is one of whole codes, not one a channel


class Counted(PixelSpace):
    """Pixel space that counts what it decodes and encodes."""

    def __init__(self):
        super().__init__(SHAPE)
        self.decoded = self.encoded = 0

    def decode(self, z):
        self.decoded += len(z)
        return super().decode(z)

    def encode(self, x):
        self.encoded += len(x)
        return super().encode(x)


@pytest.fixture
def images():
    x = torch.randint(0, 256, (30, *SHAPE), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return ImageSet(x, torch.arange(30) % 3, ("Shoe", "Bag", "Coat"))


@pytest.fixture
def pca(images):
    return PCA(5).fit(images)


@pytest.fixture
def lab(images, pca):
    return PathLab({"pixels": PixelSpace(SHAPE), "PCA": pca}, images[:4], start=(0, 1, 0.25))


def browser_moves(explorer, value) -> None:
    message = {"method": "update", "state": {"value": value, "_ask": "view:1"}, "buffer_paths": []}
    explorer._handle_msg({"content": {"data": message}, "buffers": []})


def test_every_space_and_method_at_once(lab, images, pca):
    x = images[:4].pixels()
    z = pca.encode(x)
    lab.move_to(2, 3, 0.3)
    shown = lab.images
    torch.testing.assert_close(shown["pixels", "lerp"], lerp(x[2], x[3], 0.3))
    torch.testing.assert_close(shown["pixels", "slerp"], slerp(x[2], x[3], 0.3, batch_dims=0).clamp(0, 1))
    torch.testing.assert_close(shown["PCA", "lerp"], pca.decode(lerp(z[2:3], z[3:], 0.3))[0])
    torch.testing.assert_close(shown["PCA", "slerp"], pca.decode(slerp(z[2:3], z[3:], 0.3))[0])
    assert not torch.allclose(shown["pixels", "slerp"], slerp(x[2], x[3], 0.3).clamp(0, 1), atol=1e-4), (
        "one arc a channel"
    )


def test_what_the_browser_is_told(lab):
    spec = lab._spec
    assert (spec["kind"], spec["className"], spec["start"]) == ("sliders", "course-path-lab", [0, 1, 0.25])
    assert [(s["label"], s["min"], s["max"], s["step"]) for s in spec["sliders"]] == [
        ("image A", 0, 3, 1), ("image B", 0, 3, 1), ("weight of B", 0, 1, 0.05),
    ]  # fmt: skip
    assert [(row["title"], [p["title"] for p in row["panels"]]) for row in spec["rows"]] == [
        ("", ["A: shoe", "B: bag", "norms"]), ("LERP", ["pixels", "PCA"]), ("SLERP", ["pixels", "PCA"]),
    ]  # fmt: skip
    browser_moves(lab, [1, 2, 0.5])
    assert (lab._answer["value"], lab._answer["token"], lab.error) == ([1, 2, 0.5], "view:1", "")
    assert lab._answer["captions"][:2] == ["A: bag", "B: coat"]
    assert lab.text.startswith("From bag to coat, weight 0.50. Angle between the codes, in degrees: pixels ")
    browser_moves(lab, [1, 9, 0.5])
    assert "there is no image 9: use 0 to 3" in lab.error


def test_the_chart_is_the_norm_of_lerp_over_that_of_slerp(lab, images, pca):
    lab.move_to(0, 2, 0.75)
    chart = lab._shown[0][2]
    z = pca.encode(images[:4].pixels())
    along = slerp(z[0], z[2], torch.linspace(0, 1, 33)).norm(dim=1)
    straight = lerp(z[0], z[2], torch.linspace(0, 1, 33)).norm(dim=1)
    assert [one.name for one in chart.series] == ["pixels", "PCA", "weight"]
    torch.testing.assert_close(torch.from_numpy(chart.series[1].y).float(), straight / along)
    assert chart.series[2].x.tolist() == [0.75]


def test_given_codes_and_decoded_paths_are_used(images):
    space, few = Counted(), images[:4]
    codes = few.pixels().half()
    pairs = list(itertools.combinations(range(4), 2))
    decoded = torch.randint(0, 256, (6, 2, 5, *SHAPE), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    lab = PathLab({"slow": space}, few, codes={"slow": codes}, decoded={"slow": decoded}, start=(0, 1, 0.5))
    assert (space.encoded, space.decoded) == (0, 0)
    for a, b, weight, point in [(0, 1, 0.45, 2), (1, 3, 0.7, 3), (3, 1, 0.7, 1), (2, 0, 0.0, 4), (2, 3, 1.0, 4)]:
        lab.move_to(a, b, weight)
        pair = pairs.index((min(a, b), max(a, b)))
        for k, method in enumerate(("lerp", "slerp")):
            torch.testing.assert_close(lab.images["slow", method], decoded[pair, k, point].float() / 255)
    for same in range(4):
        lab.move_to(same, same, 0.5)
        ends = [decoded[pair, 0, 0 if a == same else -1] for pair, (a, b) in enumerate(pairs) if same in (a, b)]
        assert any(torch.equal(lab.images["slow", "lerp"], end.float() / 255) for end in ends)
    assert space.decoded == 0
    with pytest.raises(ValueError, match=r"of 'slow' are torch.uint8 of shape \(5, 2, 5.*give uint8, \(6, 2"):
        PathLab({"slow": space}, few, decoded={"slow": decoded[:5]})


def test_equal_images_and_ends(lab, images):
    lab.move_to(1, 1, 0.4)
    assert lab.error == ""
    lab.move_to(1, 2, 1.0)
    torch.testing.assert_close(lab.images["pixels", "slerp"], images[:4].pixels()[2])


def test_static_twin(lab):
    ax = lab.static(5)
    assert len(ax.images) >= 1
    plt.close("all")


def test_errors(images, pca):
    spaces = {"PCA": pca}
    with pytest.raises(ValueError, match="spaces is empty: give a dictionary, {name: model}"):
        PathLab({}, images)
    with pytest.raises(ValueError, match="there are 1 images: a path needs two"):
        PathLab(spaces, images[:1])
    with pytest.raises(ValueError, match="there is no space 'VAE': there are PCA"):
        PathLab(spaces, images, codes={"VAE": torch.zeros(30, 5)})
    with pytest.raises(ValueError, match=r"the codes of 'PCA' have shape \(30, 4\).*\(30, 5\)"):
        PathLab(spaces, images, codes={"PCA": torch.zeros(30, 4)})
    with pytest.raises(TypeError, match="has no encode"):
        PathLab({"nothing": object()}, images)
    with pytest.raises(ValueError, match="is no weight"):
        PathLab(spaces, images, start=(0, 1, 1.5))
