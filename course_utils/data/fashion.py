"""Fashion-MNIST, bundled or full."""

import errno
import gzip
import json
import math
import shutil
import struct
import tempfile
import zlib
from pathlib import Path

import torch
from torch import Tensor

from course_utils.data.images import ImageSet
from course_utils.files import course_home, data_dir, sha256

FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

# SHA-256 of each file's content after decompression (the same images are published in several gzip files).
FULL_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def _read_idx(content: bytes, name: str) -> Tensor:
    """Tensor from the idx format of MNIST: magic number, sizes (big-endian int32), bytes."""
    dimensions = content[3]
    shape = struct.unpack_from(f">{dimensions}i", content, 4)
    body = memoryview(content)[4 + 4 * dimensions :]
    if len(body) != math.prod(shape):
        raise ValueError(f"{name} holds {len(body)} bytes where its header announces {math.prod(shape)}.")
    return torch.frombuffer(bytearray(body), dtype=torch.uint8).reshape(shape)


def _verified_idx(file: Path, digest: str, mend: str) -> Tensor:
    """Decompress, compare with the checksum, read. Nothing of a damaged file is used."""
    try:
        content = gzip.decompress(file.read_bytes())
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{file} is damaged or truncated ({error}). It was not used. {mend}") from error
    if sha256(content) != digest:
        raise ValueError(f"{file} is not the file the course expects (its SHA-256 differs). It was not used. {mend}")
    return _read_idx(content, str(file))


def fashion_mnist(split: str = "train", *, full: bool = False, limit: int | None = None) -> ImageSet:
    """Fashion-MNIST: photographs of clothes, 28 x 28 grey, 10 classes (Xiao, Rasul and Vollgraf 2017).

    The bundled subset (11,000 training and 2,000 test images, class-balanced) needs no network. Its classes
    alternate, so that any first n images are balanced too.

    Args:
        split: "train" or "test".
        full: Use all 60,000 or 10,000 images, downloaded once (about 31 MB) into the learner's folder.
        limit: Keep only the first so many images.

    Returns:
        An ImageSet with images (N, 1, 28, 28).

    Raises:
        ValueError: An unknown split, a limit below 1 or beyond the set, or a damaged file.
        FileNotFoundError: A bundled file is missing.
        ConnectionError: The full set could not be downloaded; the message says what to do.
        OSError: There is no space for the full set.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split is {split!r}: use 'train' or 'test'.")
    stem = "train" if split == "train" else "t10k"
    names = (f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte")
    if full:
        folder = download_fashion_mnist()
        mend = f"Delete {folder} and call fashion_mnist(full=True) again to download it anew."
        parts = [_verified_idx(folder / f"{name}.gz", FULL_SHA256[name], mend) for name in names]
    else:
        folder = data_dir() / "fashion_mnist"
        mend = "Restore it from the course's repository (git checkout -- data) or install the package again."
        missing = [str(folder / f) for f in ("SHA256.json", *(f"{n}.gz" for n in names)) if not (folder / f).is_file()]
        if missing:
            raise FileNotFoundError(f"{', '.join(missing)} is missing. {mend}")
        try:
            digests = json.loads((folder / "SHA256.json").read_text(encoding="utf-8"))
            expected = [digests[name] for name in names]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{folder / 'SHA256.json'} is damaged ({error!r}). {mend}") from error
        parts = [
            _verified_idx(folder / f"{name}.gz", digest, mend) for name, digest in zip(names, expected, strict=True)
        ]
    images, labels = parts[0].unsqueeze(1), parts[1].long()
    if limit is not None and not 1 <= limit <= len(images):
        raise ValueError(f"limit is {limit}, but this set has {len(images)} images: use 1 to {len(images)}.")
    return ImageSet(images[:limit], labels[:limit], FASHION_CLASSES)


def download_fashion_mnist(mirrors: list[str] | None = None) -> Path:
    """Make sure that the full Fashion-MNIST is in the learner's folder, and return that folder.

    Files already there are left alone. Each missing one is fetched by torchvision's downloader with a progress bar
    into a temporary folder, verified, and only then moved into place.

    Args:
        mirrors: Addresses of folders to fetch from, each ending in "/"; torchvision's own by default.

    Returns:
        The folder with the four .gz files.

    Raises:
        ConnectionError: No mirror could be reached or none had the right files.
        OSError: The disk is full.
    """
    folder = course_home() / "fashion_mnist"
    missing = [name for name in FULL_SHA256 if not (folder / f"{name}.gz").is_file()]
    if not missing:
        return folder
    from torchvision.datasets import FashionMNIST  # costs seconds, so only here
    from torchvision.datasets.utils import download_url

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
        for name in missing:
            errors = []
            for mirror in mirrors or FashionMNIST.mirrors:
                file = Path(temporary, f"{name}.gz")
                try:
                    download_url(f"{mirror}{name}.gz", temporary, file.name)
                    _verified_idx(file, FULL_SHA256[name], "")
                except Exception as error:  # whatever went wrong with one mirror, the next one is tried
                    if getattr(error, "errno", None) == errno.ENOSPC:
                        raise OSError(
                            error.errno,
                            f"could not write {file.name} into {folder} ({error.strerror}). Nothing half-written is "
                            "left. Free some disk space (the full set takes 31 MB), or use fashion_mnist(full=False)",
                        ) from error
                    errors.append(f"{mirror}: {error}")
                    file.unlink(missing_ok=True)
                else:
                    shutil.move(file, folder / file.name)
                    break
            else:
                raise ConnectionError(
                    f"the full Fashion-MNIST could not be downloaded ({'; '.join(errors)}). Without a network, use the "
                    f"bundled subset, fashion_mnist(full=False), or copy the four files {', '.join(FULL_SHA256)} "
                    f"(each with .gz at its end) from another machine or from Debian's package "
                    f"dataset-fashion-mnist into {folder}."
                )
    return folder
