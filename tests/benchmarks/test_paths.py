"""The measured walks that lesson 13 reads: complete, of the models that ship, and what measuring again gives."""

import math

import pytest
import safetensors.torch
import torch
from helpers import ROOT, benchmark

from course_utils import stored
from course_utils.checkpoints import load_reference, verify
from course_utils.data import fashion_mnist
from course_utils.files import data_dir
from course_utils.interpolation import lerp, slerp
from course_utils.latents import decode_dataset, nearest_neighbors
from course_utils.metrics import image_features
from course_utils.models.pca import PCA
from course_utils.models.pixels import PixelSpace

NUMBERS = ("uniformity", "sharpness", "distance", "norm")


@pytest.fixture(scope="module")
def paths():
    with benchmark("paths") as module:
        yield module


@pytest.fixture(scope="module")
def table():
    return stored.verify(data_dir() / "path_quality")


@pytest.fixture(scope="module")
def test():
    return fashion_mnist("test")


def test_pairs_are_of_two_classes_and_no_image_comes_twice(paths, table, test):
    pairs = torch.tensor(table["pairs"])
    assert len(pairs) >= 50
    assert len(pairs.unique()) == pairs.numel()
    assert (test.labels[pairs[:, 0]] != test.labels[pairs[:, 1]]).all()
    assert torch.equal(pairs, paths.choose_pairs(test, len(pairs)))


def test_every_space_is_there_and_complete(paths, table):
    assert list(table["spaces"]) == list(paths.SPACES)
    count = len(table["pairs"])
    for name, one in table["spaces"].items():
        measured = [one["lerp"], one["slerp"]]
        if name in paths.DRAWN:
            measured += [one["draws"]["lerp"], one["draws"]["slerp"]]
        for found in measured:
            assert tuple(found) == NUMBERS
            assert all(len(values) == count and all(map(math.isfinite, values)) for values in found.values())
        assert all(value == pytest.approx(1, abs=0.01) for value in one["slerp"]["norm"])
        assert len(one["norms"]) == 2 * count
        assert len(one["angles"]) == count


def test_was_measured_on_the_models_that_ship(paths, table):
    again = "the model has changed: run python benchmarks/paths.py again"
    assert table["classifier"] == verify("classifier_fashion")["sha256"], again
    for name, reference in paths.SPACES.items():
        if reference is not None:
            assert table["spaces"][name]["reference"] == verify(reference)["sha256"], f"{name}: {again}"


def test_measuring_again_gives_the_same(paths, table, test):
    """The first four pairs in pixel space and in the VAE's."""
    classifier = load_reference("classifier_fashion")

    def features(x):
        return image_features(x, classifier)

    real = features(fashion_mnist("train").images)
    unit = nearest_neighbors(features(test.images), real, k=1)[1].median().item()
    few = torch.tensor(table["pairs"][:4])
    for name in ("pixels", "VAE"):
        found = paths.measure_space(name, few, table["points"], None, test, (features, real, unit))
        for method in ("lerp", "slerp"):
            for number in NUMBERS:
                stored = table["spaces"][name][method][number][:4]
                assert found[method][number] == pytest.approx(stored, rel=0.02), (name, method, number)


def test_stored_codes_decode_to_their_images(paths, table, test):
    assert list(table["files"]) == ["path_codes.safetensors"]
    codes = safetensors.torch.load_file(data_dir() / "path_codes.safetensors")
    walks = codes.pop("diffusion paths")
    assert walks.shape == (45, 2, table["points"], 1, 28, 28)
    assert set(codes) == set(paths.SLOW)
    x = test.pixels(slice(0, paths.EXPLORED))
    assert sorted(test.labels[: paths.EXPLORED].tolist()) == list(range(10)), "one image of each class"
    for name, z in codes.items():
        restored = decode_dataset(load_reference(paths.SPACES[name]), z.float())
        assert (restored - x).square().mean() < 0.03, name
    model = load_reference(paths.SPACES["diffusion"])
    z = codes["diffusion"].float()
    middle = lerp(z[0], z[1], 0.5), slerp(z[0], z[1], 0.5, batch_dims=0)
    again = decode_dataset(model, torch.stack(middle))
    assert (walks[0, :, table["points"] // 2].float() / 255 - again).abs().max() < 0.1
    assert (data_dir() / "path_codes.safetensors").stat().st_size < 700_000


def test_walk_and_angles_against_a_loop(paths):
    space = PixelSpace((1, 4, 3))
    z_a, z_b = torch.rand(2, 5, 1, 4, 3, generator=torch.Generator().manual_seed(0))
    codes, images = paths.walk(space, z_a, z_b, 7, "slerp")
    assert codes.shape == images.shape == (5, 7, 1, 4, 3)
    torch.testing.assert_close(codes[:, 0], z_a)
    torch.testing.assert_close(codes[:, -1], z_b)
    for p in range(5):
        a, b = z_a[p].flatten(), z_b[p].flatten()
        angle = math.degrees(math.acos(a @ b / (a.norm() * b.norm())))
        assert paths.angles(z_a, z_b)[p].item() == pytest.approx(angle, abs=0.1)
        middle = (a / a.norm() + b / b.norm()) / 2
        middle = middle / middle.norm() * (a.norm() + b.norm()) / 2
        torch.testing.assert_close(codes[p, 3].flatten(), middle, atol=1e-5, rtol=1e-4)


def test_spaces_are_those_of_the_lesson(paths):
    source = (ROOT / "notebooks" / "src" / "13_lerp_and_slerp.py").read_text(encoding="utf-8")
    for name, reference in paths.SPACES.items():
        expected = f'"{name}": load_reference("{reference}")' if reference else f'"{name}": P'
        assert expected in source, name
    train = fashion_mnist("train", limit=200)
    assert isinstance(paths.make_space("PCA", train), PCA)
    assert paths.make_space("PCA", train).latent_shape == (32,)
