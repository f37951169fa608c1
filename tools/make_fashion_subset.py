"""Write the bundled subset of Fashion-MNIST from the four full files.

    python tools/make_fashion_subset.py FOLDER

FOLDER holds the full set's four .gz files (Debian's package dataset-fashion-mnist puts them into
/usr/share/datasets/fashion-mnist). Takes the first 1,100 training and 200 test images of each class in the
original order, lets the classes alternate, and writes data/fashion_mnist with the SHA-256 of each content.
Running it again writes the same bytes.
"""

import gzip
import json
import sys
from pathlib import Path

import torch

from course_utils.data.fashion import FASHION_CLASSES, FULL_SHA256, _verified_idx
from course_utils.files import sha256, write_atomically

PER_CLASS = {"train": 1100, "t10k": 200}
OUT = Path(__file__).resolve().parent.parent / "data" / "fashion_mnist"


def idx_bytes(values: torch.Tensor) -> bytes:
    """The idx format of MNIST: 0, 0, 8 (unsigned bytes), number of dimensions, sizes, values."""
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.contiguous().numpy().tobytes()


def main(folder: Path) -> None:
    digests = {}
    for stem, per_class in PER_CLASS.items():
        names = [f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte"]
        images, labels = (_verified_idx(folder / f"{name}.gz", FULL_SHA256[name], "") for name in names)
        first = torch.stack([(labels == c).nonzero().flatten()[:per_class] for c in range(len(FASHION_CLASSES))])
        index = first.T.flatten()  # class 0, 1, ... 9, 0, 1, ...
        for name, values in zip(names, (images[index], labels[index]), strict=True):
            content = idx_bytes(values)
            digests[name] = sha256(content)
            write_atomically(OUT / f"{name}.gz", gzip.compress(content, compresslevel=9, mtime=0))
    write_atomically(OUT / "SHA256.json", (json.dumps(digests, indent=2) + "\n").encode())
    total = sum(file.stat().st_size for file in OUT.iterdir())
    print(f"wrote {OUT} ({total / 1e6:.2f} MB)")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
