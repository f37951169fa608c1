"""What the course keeps on disk: written whole or not at all, with a card, and read only after its SHA-256 is compared.

A thing NAME is a card, NAME.json, and mostly content beside it: tensors in NAME.safetensors, or files of any kind. The
card says what it is and how it was made, and vouches for every byte:

    "sha256"       of NAME.safetensors
    "files"        of other files in the same folder, {file name: SHA-256}
    "card_sha256"  of the card itself: of what it says, not of how it is laid out

A table of numbers is a card without content.
"""

import contextlib
import difflib
import json
import os
import platform
import re
import sys
import time
from collections.abc import Collection
from pathlib import Path

from course_utils.files import course_home, data_dir, inside, plain, sha256, unfinished, write_all_atomically

# How what lies in a folder of this name is made again, among the bundled data and in the learner's own folder.
_MADE_BY = {
    "checkpoints": "course train {name} --out {folder}",
    "maps": "course maps --out {folder}",
    "claims": "course claims {name}",
    "fashion_mnist": "python tools/make_fashion_subset.py",
}


def save(path: Path | str, content: dict | None = None, *, card: dict) -> Path:
    """Write something and its card: all files or none.

    Args:
        path: With or without suffix; PATH.json is written, and PATH.safetensors where there are tensors.
        content: What the card vouches for: tensors by name, or bytes by the name of their file, beside the card.
        card: What a reader should know; numbers of NumPy and torch, and arrays, become plain. The versions of the
            libraries and the digests are added.

    Returns:
        Path of the tensors, or else of the card.

    Raises:
        TypeError: The card holds something that JSON cannot.
        OSError: The disk is full, or the folder cannot be written to. Nothing half-written is left.
    """
    tensors_file, card_file = paths(path)
    content = content or {}
    files = {name: data for name, data in content.items() if isinstance(data, bytes)}
    tensors = {name: data.detach().cpu().contiguous() for name, data in content.items() if name not in files}
    whole, written = {**card, "versions": versions()}, {card_file.with_name(name): data for name, data in files.items()}
    for key in ("sha256", "files"):
        whole.pop(key, None)
    if files:
        whole["files"] = {name: sha256(data) for name, data in files.items()}
    if tensors:
        import safetensors.torch

        written[tensors_file] = safetensors.torch.save(tensors)
        whole["sha256"] = sha256(written[tensors_file])
    write_all_atomically(written | {card_file: sealed(whole).encode()})
    return tensors_file if tensors else card_file


def read(path: Path | str, *, only: Collection[str] | None = None) -> tuple[dict, dict]:
    """The card and the content, after comparing both with their SHA-256.

    Args:
        path: With or without suffix.
        only: Names of the files to read and to compare, of those that the card lists under "files"; all by default.

    Returns:
        The card, and the content: tensors and bytes by name, as `save` took them.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: The card cannot be read, or a file is not what its card describes.
    """
    tensors_file, _ = paths(path)
    card, content = _verified(path, only=only)
    if tensors_file.name in content:
        import safetensors.torch

        content |= safetensors.torch.load(content.pop(tensors_file.name))
    return card, content


def verify(path: Path | str, *, strict: bool = False) -> dict:
    """The card, after comparing it and all that it vouches for with their SHA-256.

    Args:
        path: With or without suffix.
        strict: Refuse a card without a digest of its own, as they once were.

    Returns:
        The card.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: The card cannot be read, or a file is not what its card describes.
    """
    return _verified(path, strict=strict)[0]


def names(folder: Path | str) -> list[str]:
    """Names of what is stored in a folder, in alphabetical order; also of what lacks its card or its tensors."""
    return sorted({file.stem for pattern in ("*.json", "*.safetensors") for file in Path(folder).glob(pattern)})


def find(name: str, folder: Path | str, kind: str) -> Path:
    """Path of something stored in a folder.

    Args:
        name: One of `names(folder)`.
        folder: Where to look.
        kind: What it is called in the message: "reference model", ...

    Returns:
        The path, without suffix.

    Raises:
        ValueError: There is nothing of that name; the message says what there is.
    """
    known = names(folder)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known) or 'none'}."
        raise ValueError(f"there is no {kind} {name!r}. {hint}")
    return Path(folder) / name


def paths(path: Path | str) -> tuple[Path, Path]:
    """Names of tensors and card; not by with_suffix, which would cut a name such as beta_0.5."""
    path = Path(path).expanduser()
    name = path.name.removesuffix(".safetensors").removesuffix(".json")
    return path.parent / f"{name}.safetensors", path.parent / f"{name}.json"


def files_of(path: Path | str, card: dict) -> set[Path]:
    """The card's own file and all for which it vouches."""
    tensors_file, card_file = paths(path)
    return {card_file} | {card_file.with_name(name) for name in _digests(card, tensors_file.name)}


def sealed(card: dict) -> str:
    """A card as the text of its file, with its own digest as the last entry."""
    kept = json.loads(json.dumps(plain(card), default=_scalar))
    kept.pop("card_sha256", None)
    text = json.dumps(kept | {"card_sha256": _own_digest(kept)}, indent=1, ensure_ascii=False)
    # Lists of numbers stand in one line: no string of a JSON text holds a line end, so only its layout is changed.
    return re.sub(r'\[\n([^\[\]{}"]*)\n\s*\]', lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


def seal(path: Path | str) -> Path:
    """Write the digest of a card anew, after the card was changed by hand; what it vouches for must be right.

    Args:
        path: With or without suffix.

    Returns:
        Path of the card.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: The card is not JSON, or a file is not what it describes: nothing is written.
    """
    _, card_file = paths(path)
    card, _ = _verified(path, own=False)
    write_all_atomically({card_file: sealed(card).encode()})
    return card_file


def refusal(path: Path | str, what: str, kind: type[Exception] = ValueError) -> Exception:
    """The exception that says what is wrong with something stored and how to mend it; its ``mend`` is that part alone.

    Args:
        path: With or without suffix.
        what: What is wrong: a sentence without its full stop.
        kind: Class of the exception.
    """
    error = kind(f"{what}. {mend(path)}.")
    error.mend = mend(path)
    return error


def mend(path: Path | str) -> str:
    """What to do about something stored that cannot be used, by where it is: a sentence without its full stop."""
    card_file = paths(path)[1]
    folder, root = card_file.parent, data_dir()
    again = _MADE_BY.get(folder.name, "").format(name=card_file.stem, folder=folder)
    if not inside(folder, root):
        return f"Make it again: {again}" if again and inside(folder, course_home()) else "Save it again"
    if root != data_dir(override=False):
        restore = f"Restore it from a copy, or unset COURSE_DATA, which names {root}, to use the course's own data"
    elif root.name == "_data":
        restore = "Install the package again"
    else:
        restore = "Restore it (git checkout -- data, or install the package again)"
    return f"{restore}, or make it again: {again}" if again else restore


def versions() -> dict[str, str]:
    """Versions of Python and of those libraries in use that decide about numbers."""
    used = {name: getattr(sys.modules.get(name), "__version__", None) for name in ("torch", "numpy", "sklearn", "umap")}
    return {"python": platform.python_version()} | {name: str(found) for name, found in used.items() if found}


def _verified(path: Path | str, **options) -> tuple[dict, dict[str, bytes]]:
    """The card, and the bytes that it vouches for by the name of their file; a saving that was killed is finished."""
    try:
        return _compared(path, **options)
    except (ValueError, FileNotFoundError):
        if not unfinished(paths(path)[1]):
            raise
        time.sleep(0.5)  # somebody may be saving just now
        with contextlib.suppress(OSError):
            _finish(path)
        return _compared(path, **options)


def _finish(path: Path | str) -> None:
    """Put the rest in place where a saving was killed between two of its files: by then all of them were whole."""
    tensors_file, card_file = paths(path)
    for left in unfinished(card_file):
        try:
            card = json.loads(left.read_text(encoding="utf-8"))
            digests = _digests(card, tensors_file.name)
            whole = card["card_sha256"] == _own_digest(card)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        found = {}
        for name, digest in digests.items():
            file = card_file.with_name(name)
            for one in (file, *unfinished(file)):
                if one.is_file() and sha256(one.read_bytes()) == digest:
                    found[file] = one
                    break
        if whole and len(found) == len(digests):
            for file, one in [*found.items(), (card_file, left)]:
                os.replace(one, file)
            return


def _compared(path: Path | str, *, only=None, strict: bool = False, own: bool = True) -> tuple[dict, dict[str, bytes]]:
    tensors_file, card_file = paths(path)
    if not card_file.is_file():
        raise refusal(path, f"{card_file} is missing", FileNotFoundError)
    try:
        card = json.loads(card_file.read_text(encoding="utf-8"))
        digests = _digests(card, tensors_file.name)
        digest = card.get("card_sha256")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        words = f"{type(error).__name__}: {error}" if len(str(error)) < 200 else type(error).__name__
        raise refusal(path, f"{card_file} is not a card, or it is damaged ({words})") from error
    if own and (strict if digest is None else digest != _own_digest(card)):
        raise refusal(path, f"{card_file} was altered (it is not what its own SHA-256 describes): it was not used")
    for name in only or ():
        if name not in digests:
            raise refusal(path, f"{card_file} lists no {name}, or it is damaged")
    content = {}
    for name in digests if only is None else only:
        file = card_file.with_name(name)
        if not file.is_file():
            raise refusal(path, f"{file} is missing", FileNotFoundError)
        content[name] = file.read_bytes()
        if sha256(content[name]) != digests[name]:
            raise refusal(path, f"{file} is not the file its card describes (its SHA-256 differs): it was not used")
    return card, content


def _digests(card: dict, tensors: str) -> dict[str, str]:
    """SHA-256 of each file for which a card vouches; ValueError where that is not what it says."""
    digests = dict(card.get("files", {})) | ({tensors: card["sha256"]} if "sha256" in card else {})
    for name, digest in digests.items():
        if Path(name).name != name or not re.fullmatch("[0-9a-f]{64}", digest):
            raise ValueError(f"no SHA-256 of a file beside it: {name!r}, {digest!r}")
    return digests


def _own_digest(card: dict) -> str:
    plain = {key: value for key, value in card.items() if key != "card_sha256"}
    return sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode())


def _scalar(value):
    """A tensor of one number as that number, for `json.dumps`."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
