"""Fashion-MNIST, bundled and full, batches, and every way in which a file or an argument can be wrong."""

import errno
import gzip
import hashlib
import shutil
import struct
import urllib.error
from collections import Counter

import pytest
import torch
from file_server import serving
from helpers import generator

from course_utils.data import FASHION_CLASSES, ImageSet, download_fashion_mnist, fashion_mnist, torchvision_folder
from course_utils.data import download as room
from course_utils.data import fashion as data
from course_utils.data.fashion import FULL_SHA256
from course_utils.files import data_dir


def small_set(n: int = 10, shape=(2, 3, 5)) -> ImageSet:
    """Images whose every pixel is the image's own number."""
    images = torch.arange(n, dtype=torch.uint8)[:, None, None, None].expand(n, *shape).clone()
    return ImageSet(images, torch.arange(n) % 3, ("a", "b", "c"))


# -------------------------------------------------------------------------------- the bundled subset


class TestBundled:
    @pytest.mark.parametrize(("split", "n"), [("train", 11_000), ("test", 2_000)])
    def test_sizes_types_and_balance(self, split, n):
        images = fashion_mnist(split)
        assert len(images) == n
        assert images.images.shape == (n, 1, 28, 28)
        assert images.images.dtype == torch.uint8
        assert images.images.max() == 255
        assert images.images.min() == 0
        assert images.labels.shape == (n,)
        assert images.labels.dtype == torch.int64
        assert images.labels.bincount().tolist() == [n // 10] * 10
        assert images.class_names == FASHION_CLASSES
        assert len(set(FASHION_CLASSES)) == 10

    def test_any_first_images_are_balanced(self):
        labels = fashion_mnist("train").labels
        for n in (10, 250, 1234):
            counts = labels[:n].bincount(minlength=10)
            assert counts.max() - counts.min() <= 1

    def test_train_and_test_share_no_image(self):
        sets = ({bytes(x.numpy().tobytes()) for x in fashion_mnist(s).images} for s in ("train", "test"))
        train, test = sets
        assert len(train) > 10_900  # a few published images occur twice
        assert not train & test

    def test_the_images_are_the_clothes_their_labels_say(self):
        """Means of classes look as they must: trousers are narrow and tall, sandals and sneakers leave the top dark."""
        images = fashion_mnist("train")
        mean = torch.stack([images.images[images.labels == k].float().mean((0, 1)) for k in range(10)])
        trousers, boot = FASHION_CLASSES.index("Trouser"), FASHION_CLASSES.index("Ankle boot")
        assert mean[trousers, :, :6].max() < 40
        assert mean[trousers, 3:8, 14].min() > 60
        for shoe in ("Sandal", "Sneaker"):
            assert mean[FASHION_CLASSES.index(shoe), :8].mean() < 20
        assert mean[boot, 3:8, 14:20].mean() > 60

    def test_limit(self):
        whole = fashion_mnist("test")
        part = fashion_mnist("test", limit=30)
        assert torch.equal(part.images, whole.images[:30])
        assert torch.equal(part.labels, whole.labels[:30])
        assert len(fashion_mnist("test", limit=2000)) == 2000

    def test_it_fits_into_six_megabytes(self):
        assert sum(f.stat().st_size for f in (data_dir() / "fashion_mnist").iterdir()) <= 6e6

    def test_the_licence_lies_beside_it(self):
        assert "Zalando" in (data_dir() / "fashion_mnist" / "LICENSE").read_text(encoding="utf-8")

    @pytest.mark.parametrize("split", ["Train", "valid", ""])
    def test_unknown_split(self, split):
        with pytest.raises(ValueError, match=f"split is '{split}': use 'train' or 'test'"):
            fashion_mnist(split)

    @pytest.mark.parametrize("limit", [0, -1, 2001])
    def test_limit_out_of_range(self, limit):
        with pytest.raises(ValueError, match=f"limit is {limit}, but this set has 2000 images: use 1 to 2000"):
            fashion_mnist("test", limit=limit)


class TestDamagedBundle:
    """Each damage is detected, the file is named, and the sentence says what to do."""

    IMAGES = "t10k-images-idx3-ubyte.gz"

    @pytest.fixture
    def bundle(self, tmp_path, monkeypatch):
        folder = tmp_path / "fashion_mnist"
        shutil.copytree(data_dir() / "fashion_mnist", folder, ignore=shutil.ignore_patterns("train*"))
        monkeypatch.setenv("COURSE_DATA", str(tmp_path))
        assert len(fashion_mnist("test")) == 2000
        return folder

    def damage(self, file, how):
        content = bytearray(file.read_bytes())
        if how == "truncated":
            content = content[: len(content) // 2]
        elif how == "empty":
            content = b""
        elif how == "header only":
            content = content[:5]
        elif how == "trailer missing":
            content = content[:-4]
        elif how == "one bit":
            content[len(content) // 2] ^= 1
        elif how == "another file":
            content = gzip.compress(b"\0\0\x08\x03" + bytes(12))
        elif how == "a web page":
            content = b"<html>404</html>"
        elif how == "longer":
            content += b"x"
        file.write_bytes(content)

    @pytest.mark.parametrize(
        "how",
        ["truncated", "empty", "header only", "trailer missing", "one bit", "another file", "a web page", "longer"],
    )
    @pytest.mark.parametrize("file", [IMAGES, "t10k-labels-idx1-ubyte.gz"])
    def test_altered(self, bundle, file, how):
        self.damage(bundle / file, how)
        with pytest.raises(ValueError, match="it was not used. Restore it from a copy, or unset COURSE_DATA") as caught:
            fashion_mnist("test")
        assert str(bundle / file) in str(caught.value)

    @pytest.mark.parametrize("file", [IMAGES, "t10k-labels-idx1-ubyte.gz", "card.json"])
    def test_missing(self, bundle, file):
        (bundle / file).unlink()
        with pytest.raises(FileNotFoundError, match="is missing. Restore it") as caught:
            fashion_mnist("test")
        assert str(bundle / file) in str(caught.value)

    @pytest.mark.parametrize("content", [b"", b'{"t10k', b"[]", b"{}", b"\xff\xfe"])
    def test_damaged_card(self, bundle, content):
        (bundle / "card.json").write_bytes(content)
        with pytest.raises(
            ValueError, match="card.json (is not a card, or it is damaged|lists no).*Restore it"
        ) as caught:
            fashion_mnist("test")
        assert str(bundle / "card.json") in str(caught.value)

    def test_the_split_that_is_not_asked_for_does_not_matter(self, bundle):
        assert len(fashion_mnist("test")) == 2000
        with pytest.raises(FileNotFoundError, match="train-images"):
            fashion_mnist("train")


# -------------------------------------------------------------------------------- image sets and batches


class TestImageSet:
    def test_subsets(self):
        s = small_set()
        for index, expected in [
            (slice(2, 5), [2, 3, 4]),
            ([7, 1, 1], [7, 1, 1]),
            (torch.tensor([9, 0]), [9, 0]),
            (s.labels == 1, [1, 4, 7]),
            (3, [3]),
            (-1, [9]),
            (torch.tensor(4), [4]),
        ]:
            part = s[index]
            assert isinstance(part, ImageSet)
            assert part.images.shape == (len(expected), 2, 3, 5)
            assert part.images[:, 0, 0, 0].tolist() == expected
            assert part.labels.tolist() == [k % 3 for k in expected]
            assert part.class_names == s.class_names
            pixels = s.pixels(index)
            assert pixels.dtype == torch.float32
            torch.testing.assert_close(pixels, part.images.float() / 255)

    def test_pixels_reach_from_zero_to_one_exactly(self):
        images = torch.arange(256, dtype=torch.uint8).reshape(4, 1, 8, 8)
        pixels = ImageSet(images, torch.zeros(4, dtype=torch.int64), ("x",)).pixels()
        assert pixels.min() == 0
        assert pixels.max() == 1
        assert torch.equal((pixels * 255).round().to(torch.uint8), images)

    def test_iterating_ends(self):
        assert [s.images[0, 0, 0, 0].item() for s in small_set(3)] == [0, 1, 2]

    def test_bad_images(self):
        labels = torch.zeros(4, dtype=torch.int64)
        with pytest.raises(TypeError, match="torch.float32 but an ImageSet keeps uint8"):
            ImageSet(torch.rand(4, 1, 3, 5), labels, ("x",))
        with pytest.raises(TypeError, match=r"ndarray.*torch.from_numpy"):
            ImageSet(torch.zeros(4, 1, 3, 5, dtype=torch.uint8).numpy(), labels, ("x",))
        with pytest.raises(ValueError, match=r"images have shape \(4, 3, 5\) and labels \(4,\)"):
            ImageSet(torch.zeros(4, 3, 5, dtype=torch.uint8), labels, ("x",))
        for bad in (labels[:3], labels[:, None]):
            with pytest.raises(ValueError, match=r"needs images \(N, C, H, W\) and labels \(N,\)"):
                ImageSet(torch.zeros(4, 1, 3, 5, dtype=torch.uint8), bad, ("x",))


class TestBatches:
    def test_every_image_once_in_order_and_the_last_batch_smaller(self):
        batches = small_set(10).batches(4)
        assert len(batches) == 3
        for _ in range(2):  # it can be passed over again
            passed = list(batches)
            assert [x.shape for x in passed] == [(4, 2, 3, 5), (4, 2, 3, 5), (2, 2, 3, 5)]
            assert all(x.dtype == torch.float32 for x in passed)
            torch.testing.assert_close(torch.cat(passed), small_set(10).pixels())

    @pytest.mark.parametrize(("size", "count"), [(1, 10), (5, 2), (10, 1), (11, 1)])
    def test_length(self, size, count):
        batches = small_set(10).batches(size)
        assert len(batches) == count == len(list(batches))

    def test_shuffling_draws_a_new_order_each_pass_and_keeps_labels_with_images(self):
        batches = small_set(10).batches(3, shuffle=True, generator=generator(), with_labels=True)
        orders = []
        for _ in range(3):
            xs, ys = zip(*batches, strict=True)
            order = (torch.cat(xs)[:, 0, 0, 0] * 255).round().long()
            assert torch.equal(torch.cat(ys), order % 3)
            assert sorted(order.tolist()) == list(range(10))
            orders.append(order.tolist())
        assert len(set(map(tuple, orders))) == 3

    def test_every_order_is_equally_likely(self):
        batches = small_set(3).batches(3, shuffle=True, generator=generator())
        counts = Counter(tuple((x[:, 0, 0, 0] * 255).round().int().tolist()) for _ in range(1200) for x in batches)
        assert len(counts) == 6
        assert sum((c - 200) ** 2 / 200 for c in counts.values()) < 25.7  # chi-squared, 5 degrees, 1 in 10,000

    def test_the_generator_decides_and_the_global_one_is_left_alone(self):
        before = torch.get_rng_state()
        first, second = (list(small_set().batches(3, shuffle=True, generator=generator(4))) for _ in range(2))
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
        assert torch.equal(before, torch.get_rng_state())

    def test_without_one_the_global_generator_decides(self):
        runs = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            runs.append(torch.cat(list(small_set().batches(3, shuffle=True))))
        assert torch.equal(runs[0], runs[1])
        assert not torch.equal(runs[0], runs[2])

    def test_without_shuffling_no_randomness_is_used(self):
        before = torch.get_rng_state()
        list(small_set().batches(3))
        assert torch.equal(before, torch.get_rng_state())

    def test_the_set_stays_on_the_device_as_bytes(self):
        batches = small_set().batches(3, device="meta")
        assert batches.images.dtype == torch.uint8
        assert batches.images.device.type == "meta"

    def test_changing_a_batch_does_not_change_the_set(self):
        s = small_set()
        for x in s.batches(4):
            x.zero_()
        assert torch.equal(s.images, small_set().images)

    def test_bad_input(self):
        with pytest.raises(ValueError, match="the image set is empty"):
            small_set()[[]].batches(4)
        for size in (0, -2):
            with pytest.raises(ValueError, match=f"batch_size is {size}: it must be at least 1"):
                small_set().batches(size)


# -------------------------------------------------------------------------------- the full set, from a loopback server


def idx(tensor: torch.Tensor) -> bytes:
    return (
        b"\0\0\x08" + bytes([tensor.ndim]) + struct.pack(f">{tensor.ndim}i", *tensor.shape) + tensor.numpy().tobytes()
    )


@pytest.fixture
def published(monkeypatch):
    """A stand-in for the four published files, much smaller: their names and content."""
    files = {}
    for stem, n, seed in (("train", 60, 0), ("t10k", 10, 1)):
        images = torch.randint(0, 256, (n, 28, 28), generator=generator(seed), dtype=torch.uint8)
        files[f"{stem}-images-idx3-ubyte"] = idx(images)
        files[f"{stem}-labels-idx1-ubyte"] = idx((torch.arange(n) % 10).to(torch.uint8))
    assert list(files) == list(FULL_SHA256)
    monkeypatch.setattr(data, "FULL_SHA256", {name: hashlib.sha256(c).hexdigest() for name, c in files.items()})
    return files


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def mirror(published, monkeypatch):
    """A server on loopback, made the only mirror."""
    with serving({f"/{name}.gz": gzip.compress(content) for name, content in published.items()}) as server:
        monkeypatch.setattr(data, "MIRRORS", (server.address,))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield server


def files_in(folder) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir())


ALL = sorted(f"fashion_mnist/{name}.gz" for name in FULL_SHA256)


class TestFull:
    def test_downloads_once_and_then_needs_no_network(self, mirror, home, published, capfd):
        train = fashion_mnist("train", full=True)
        assert train.images.shape == (60, 1, 28, 28)
        assert train.images.numpy().tobytes() == published["train-images-idx3-ubyte"][16:]
        assert train.labels.tolist() == [k % 10 for k in range(60)]
        assert files_in(home) == ALL
        asked = len(mirror.asked)
        assert len(set(mirror.asked)) == 4
        assert "%" in capfd.readouterr().err, "a progress bar is shown"
        test = fashion_mnist("test", full=True, limit=7)
        assert test.images.shape == (7, 1, 28, 28)
        assert len(mirror.asked) == asked

    def test_a_file_that_is_already_there_is_kept(self, mirror, home, published):
        download_fashion_mnist()
        (home / "fashion_mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
        mirror.asked.clear()
        assert len(fashion_mnist("test", full=True)) == 10
        assert mirror.asked == [("/t10k-labels-idx1-ubyte.gz", 0)]

    def check_nothing_is_left(self, home, done=()):
        """No half-written file under any name, and the advice of the error holds."""
        assert files_in(home) == sorted(done)
        assert not [p for p in home.rglob("*") if p.name.startswith(".")]

    def test_server_down(self, mirror, home):
        address = mirror.address
        mirror.shutdown()
        mirror.server_close()
        with pytest.raises(ConnectionError, match=r"could not be downloaded.*fashion_mnist\(full=False\)") as caught:
            fashion_mnist(full=True)
        text = str(caught.value)
        assert address in text
        assert str(home / "fashion_mnist") in text
        assert all(name in text for name in FULL_SHA256)
        self.check_nothing_is_left(home)

    def test_a_file_is_not_on_the_server(self, mirror, home):
        del mirror.answers["/t10k-images-idx3-ubyte.gz"]
        with pytest.raises(ConnectionError, match="404"):
            fashion_mnist(full=True)
        self.check_nothing_is_left(home, [name for name in ALL if "/train" in name])

    def test_truncated_on_the_way(self, mirror, home):
        mirror.cuts = [30, 0]
        with pytest.raises(ConnectionError, match="train-images-idx3-ubyte.gz: it broke off after 30 bytes"):
            fashion_mnist(full=True)
        (part,) = files_in(home)
        assert part.endswith(".part")
        assert len(fashion_mnist(full=True)) == 60
        assert files_in(home) == ALL

    def test_altered_on_the_server(self, mirror, home, published):
        altered = bytearray(published["train-labels-idx1-ubyte"])
        altered[-1] ^= 1
        mirror.answers["/train-labels-idx1-ubyte.gz"] = gzip.compress(bytes(altered))
        with pytest.raises(ConnectionError, match="train-labels-idx1-ubyte.gz: not the file .*SHA-256 differs"):
            fashion_mnist(full=True)
        self.check_nothing_is_left(home, ["fashion_mnist/train-images-idx3-ubyte.gz"])
        mirror.answers["/train-labels-idx1-ubyte.gz"] = gzip.compress(published["train-labels-idx1-ubyte"])
        assert len(fashion_mnist(full=True)) == 60

    def test_the_next_mirror_is_tried(self, mirror, home):
        download_fashion_mnist(mirrors=[f"{mirror.address}nothing-here/", mirror.address])
        assert files_in(home) == ALL

    @pytest.mark.parametrize("how", ["truncated", "altered"])
    def test_a_file_damaged_later_is_named_and_not_used(self, mirror, home, how):
        download_fashion_mnist()
        file = home / "fashion_mnist" / "t10k-images-idx3-ubyte.gz"
        content = file.read_bytes()
        file.write_bytes(content[:100] if how == "truncated" else gzip.compress(b"something else"))
        with pytest.raises(
            ValueError, match=r"It was not used. Delete .* and call fashion_mnist\(full=True\)"
        ) as caught:
            fashion_mnist("test", full=True)
        assert str(file) in str(caught.value)
        shutil.rmtree(home / "fashion_mnist")  # do as the sentence says
        assert len(fashion_mnist("test", full=True)) == 10


def test_a_learner_without_a_network_is_told_what_to_do(home, monkeypatch):
    def unreachable(*_, **__):
        raise urllib.error.URLError(OSError(errno.ENETUNREACH, "Network is unreachable"))

    monkeypatch.setattr(room.urllib.request, "urlopen", unreachable)
    with pytest.raises(ConnectionError, match="Network is unreachable.*Without a network, use the bundled subset"):
        fashion_mnist(full=True)
    assert list((home / "fashion_mnist").iterdir()) == []


def test_the_bundled_images_are_made_from_the_full_ones(published, home, tmp_path, monkeypatch, capsys):
    """The tool on the stand-in for the full files: the same bytes each time, verified when read."""
    import make_fashion_subset as tool

    (tmp_path / "full").mkdir()
    for name, content in published.items():
        (tmp_path / "full" / f"{name}.gz").write_bytes(gzip.compress(content))
    out = tmp_path / "data" / "fashion_mnist"
    out.mkdir(parents=True)
    (out / "LICENSE").write_bytes(b"MIT")
    monkeypatch.setattr(tool, "OUT", out)
    monkeypatch.setattr(tool, "PER_CLASS", {"train": 2, "test": 1})
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    tool.main(tmp_path / "full")
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    assert len(before) == 6
    images = fashion_mnist("train")
    assert images.labels.tolist() == list(range(10)) * 2
    assert images.images.numpy().tobytes() == published["train-images-idx3-ubyte"][16:][: 20 * 784]
    tool.main(tmp_path / "full")
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    assert "wrote" in capsys.readouterr().out


# -------------------------------------------------------------------------------- for torchvision


class TestForTorchvision:
    @pytest.mark.parametrize("split", ["train", "test"])
    def test_its_own_class_reads_the_same_pixels_and_labels(self, split, tmp_path):
        from torchvision.datasets import FashionMNIST
        from torchvision.transforms.functional import pil_to_tensor

        ours = fashion_mnist(split)
        theirs = FashionMNIST(torchvision_folder(tmp_path / "new"), train=split == "train", transform=pil_to_tensor)
        assert len(theirs) == len(ours)
        assert torch.equal(theirs.data, ours.images[:, 0])
        assert torch.equal(theirs.targets, ours.labels)
        assert [name.lower() for name in theirs.classes] == [name.lower() for name in ours.class_names]
        for k in (0, 7, len(ours) - 1):
            x, label = theirs[k]
            assert torch.equal(x, ours.images[k])
            assert label == ours.labels[k]

    def test_a_second_time_changes_nothing(self, tmp_path):
        raw = torchvision_folder(tmp_path) / "FashionMNIST" / "raw"
        before = {file.name: file.read_bytes() for file in raw.iterdir()}
        torchvision_folder(str(tmp_path))
        assert {file.name: file.read_bytes() for file in raw.iterdir()} == before
        assert len(before) == 4

    def test_another_set_is_left_alone(self, tmp_path):
        file = tmp_path / "FashionMNIST" / "raw" / "t10k-labels-idx1-ubyte"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"the full one")
        with pytest.raises(FileExistsError, match="t10k-labels-idx1-ubyte.*another folder"):
            torchvision_folder(tmp_path)
        assert [one.name for one in file.parent.iterdir()] == [file.name]
        assert file.read_bytes() == b"the full one"
