"""Fashion-MNIST, bundled or full."""

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from course_utils import stored
from course_utils.data.download import RemoteFile, download
from course_utils.data.images import ImageSet
from course_utils.files import course_home, data_dir, sha256, write_all_atomically

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
FULL_BYTES = dict(zip(FULL_SHA256, (26_421_880, 29_515, 4_422_102, 5_148), strict=True))  # of the gzip files

MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)


def idx_names(split: str) -> tuple[str, str]:
    """Names of the files with the images and with the labels of a split, without ``.gz``.

    >>> idx_names("test")
    ('t10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte')
    """
    if split not in ("train", "test"):
        raise ValueError(f"split is {split!r}: use 'train' or 'test'.")
    stem = "train" if split == "train" else "t10k"
    return f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte"


def _read_idx(content: bytes, name: str) -> Tensor:
    """Tensor from the idx format of MNIST: magic number, sizes (big-endian int32), bytes."""
    dimensions = content[3]
    shape = struct.unpack_from(f">{dimensions}i", content, 4)
    body = memoryview(content)[4 + 4 * dimensions :]
    if len(body) != math.prod(shape):
        raise ValueError(f"{name} holds {len(body)} bytes where its header announces {math.prod(shape)}.")
    return torch.frombuffer(bytearray(body), dtype=torch.uint8).reshape(shape)


def read_full(split: str, folder: Path | str) -> tuple[Tensor, Tensor]:
    """Images and labels of one split of the four published files, verified.

    Args:
        split: "train" or "test".
        folder: Where the four .gz files are.

    Returns:
        Images (N, 28, 28) and labels (N,), uint8.

    Raises:
        ValueError: An unknown split, or a damaged file.
        FileNotFoundError: A file is missing.
    """
    parts = []
    for name in idx_names(split):
        file = Path(folder) / f"{name}.gz"
        mend = f"It was not used. Delete {file} and call fashion_mnist(full=True) again to download it anew."
        try:
            content = gzip.decompress(file.read_bytes())
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{file} is damaged or truncated ({error}). {mend}") from error
        if sha256(content) != FULL_SHA256[name]:
            raise ValueError(f"{file} is not the file the course expects (its SHA-256 differs). {mend}")
        parts.append(_read_idx(content, str(file)))
    return parts[0], parts[1]


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
    names = idx_names(split)
    if full:
        images, labels = read_full(split, download_fashion_mnist())
    else:
        files = [f"{name}.gz" for name in names]
        _, content = stored.read(data_dir() / "fashion_mnist" / "card", only=files)
        images, labels = (_read_idx(gzip.decompress(content[file]), file) for file in files)
    images, labels = images.unsqueeze(1), labels.long()
    if limit is not None and not 1 <= limit <= len(images):
        raise ValueError(f"limit is {limit}, but this set has {len(images)} images: use 1 to {len(images)}.")
    return ImageSet(images[:limit], labels[:limit], FASHION_CLASSES)


def download_fashion_mnist(mirrors: Sequence[str] = ()) -> Path:
    """Make sure that the full Fashion-MNIST is in the learner's folder, and return that folder; see `download`.

    Args:
        mirrors: Addresses of folders to fetch from, each ending in "/"; those of its authors by default.

    Returns:
        The folder with the four .gz files.

    Raises:
        ConnectionError: No mirror could be reached or none had the right files.
        OSError: The disk is full.
    """
    folder = course_home() / "fashion_mnist"
    files = [
        RemoteFile(f"{name}.gz", digest, FULL_BYTES[name], tuple(f"{m}{name}.gz" for m in mirrors or MIRRORS), True)
        for name, digest in FULL_SHA256.items()
    ]
    instead = (
        "Without a network, use the bundled subset, fashion_mnist(full=False), or copy the four files "
        f"{', '.join(file.name for file in files)} from another machine or from Debian's package "
        f"dataset-fashion-mnist into {folder}."
    )
    download(files, folder, instead=instead)
    return folder


def torchvision_folder(folder: Path | str) -> Path:
    """Unpack the bundled subset where torchvision's own `FashionMNIST` looks for it, so that it needs no network.

    The four files get torchvision's names in ``folder/FashionMNIST/raw``. `torchvision.datasets.FashionMNIST(folder,
    train=True)` then has the 11,000 bundled training images, and with train=False the 2,000 test images. For all 60,000
    and 10,000, name another folder and let torchvision fetch them: `FashionMNIST(other, train=True, download=True)`.

    Args:
        folder: Any folder but one with torchvision's full set; missing folders are created.

    Returns:
        The folder, for torchvision's `root`.

    Raises:
        FileExistsError: There is another Fashion-MNIST, such as the full one; it is left as it is.
        ValueError: A bundled file is damaged.
        OSError: The files could not be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sorted(file.name for file in (torchvision_folder(folder) / "FashionMNIST" / "raw").iterdir())[:2]
        ['t10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte']
    """
    folder = Path(folder).expanduser()
    _, packed = stored.read(data_dir() / "fashion_mnist" / "card", only=[f"{name}.gz" for name in FULL_SHA256])
    files = {folder / "FashionMNIST" / "raw" / name: gzip.decompress(packed[f"{name}.gz"]) for name in FULL_SHA256}
    for file, content in files.items():
        if file.exists() and file.stat().st_size != len(content):
            raise FileExistsError(f"{file} is there already, and it is not the bundled subset: use another folder.")
    write_all_atomically(files)
    return folder
