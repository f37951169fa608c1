"""Write the bundled subset of Fashion-MNIST from the four full files.

    python tools/make_fashion_subset.py FOLDER

FOLDER holds the full set's four .gz files (Debian's package dataset-fashion-mnist puts them into
/usr/share/datasets/fashion-mnist). Takes the first 1,100 training and 200 test images of each class in the
original order, lets the classes alternate, and writes data/fashion_mnist with a card that has the SHA-256 of each file.
Running it again with the same versions writes the same bytes.
"""

import gzip
import sys
from pathlib import Path

import torch

from course_utils import stored
from course_utils.data.fashion import FASHION_CLASSES, idx_names, read_full

PER_CLASS = {"train": 1100, "test": 200}
OUT = Path(__file__).resolve().parent.parent / "data" / "fashion_mnist"
CARD = {
    "what": "11,000 training and 2,000 test images of Fashion-MNIST: the first of each class, the classes alternating",
    "from": "Fashion-MNIST, Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747",
    "command": "python tools/make_fashion_subset.py FOLDER",
    "licence": "MIT, copyright 2017 Zalando SE: see LICENSE",
}


def idx_bytes(values: torch.Tensor) -> bytes:
    """The idx format of MNIST: 0, 0, 8 (unsigned bytes), number of dimensions, sizes, values."""
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.contiguous().numpy().tobytes()


def main(folder: Path) -> None:
    files = {"LICENSE": (OUT / "LICENSE").read_bytes()}
    for split, per_class in PER_CLASS.items():
        images, labels = read_full(split, folder)
        first = torch.stack([(labels == c).nonzero().flatten()[:per_class] for c in range(len(FASHION_CLASSES))])
        index = first.T.flatten()  # class 0, 1, ... 9, 0, 1, ...
        for name, values in zip(idx_names(split), (images[index], labels[index]), strict=True):
            files[f"{name}.gz"] = gzip.compress(idx_bytes(values), compresslevel=9, mtime=0)
    stored.save(OUT / "card", files, card=CARD)
    total = sum(file.stat().st_size for file in OUT.iterdir())
    print(f"wrote {OUT} ({total / 1e6:.2f} MB)")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
