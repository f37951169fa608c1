"""Downloads: resumed after a break, verified, and in place only when they are whole."""

import contextlib
import errno
import gzip
import hashlib
import http.client
import os
import shutil
import urllib.error
import urllib.request
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TIMEOUT = 30.0  # seconds without a byte after which a server is given up
CHUNK = 2**16


@dataclass(frozen=True)
class RemoteFile:
    """One file to fetch.

    Attributes:
        name: What it is called on the disk.
        sha256: SHA-256 of its content.
        size: About how many bytes are fetched, for the progress bar and to know whether there is space.
        addresses: Where it is to be had, the first to be tried first.
        packed: It is a gzip file, and ``sha256`` is that of what is packed in it: the same content is published in
            several gzip files.
    """

    name: str
    sha256: str
    size: int
    addresses: tuple[str, ...]
    packed: bool = False


def download(
    files: Sequence[RemoteFile], folder: Path | str, *, instead: str = "", progress: bool = True
) -> list[Path]:
    """Make sure that files are in a folder.

    What is already there is left alone. Each missing file is fetched into NAME.DIGEST.part beside its place, verified,
    and only then moved there. What broke off stays as it is, and the next try goes on from there, if the server can.

    Args:
        files: What to fetch.
        folder: Where it should be; created if it is missing.
        instead: What a learner can do without a network: one or more sentences for the end of the message.
        progress: Show a bar for each file that is fetched.

    Returns:
        Paths of all files, in the order given.

    Raises:
        ConnectionError: No address could be reached, or none had the right file. Files fetched before stay.
        OSError: The disk is full, or the folder cannot be written to.
    """
    folder = Path(folder)
    missing = [file for file in files if not (folder / file.name).is_file()]
    if missing:
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            needed = sum(max(file.size - _have(_part(file, folder)), 0) for file in missing)
            if shutil.disk_usage(folder).free < needed:
                raise OSError(errno.ENOSPC, f"{needed / 1e6:,.0f} MB are needed")
    for file in missing:
        _obtain(file, folder, instead, progress)
    return [folder / file.name for file in files]


def content_sha256(path: Path | str, *, packed: bool = False) -> str:
    """SHA-256 of a file's content.

    Args:
        path: The file.
        packed: Of what is packed in this gzip file.

    Returns:
        64 hexadecimal digits.

    Raises:
        OSError: The file cannot be read, or is no gzip file.
        EOFError: The gzip file is truncated.
        zlib.error: The gzip file is damaged.
    """
    with (gzip.open if packed else open)(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _CannotWrite(OSError):
    """This machine's disk is the trouble, not a server: no other address helps."""


@contextlib.contextmanager
def _writing(path: Path):
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None))
        way_out = "Free some disk space" if full else "Name a folder that you may write to in COURSE_HOME"
        raise _CannotWrite(
            error.errno, f"could not write {path} ({error.strerror}). {way_out}, and try again: what arrived is kept"
        ) from error


def _part(file: RemoteFile, folder: Path) -> Path:
    return folder / f"{file.name}.{file.sha256[:8]}.part"


def _have(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _obtain(file: RemoteFile, folder: Path, instead: str, progress: bool) -> None:
    """Fetch one file from the first address that has it."""
    part, reasons = _part(file, folder), []
    for address in file.addresses:
        try:
            if _fetched(file, address, part, progress):
                with _writing(folder / file.name):
                    os.replace(part, folder / file.name)
                return
            reasons.append(f"{address}: not the file that the course expects (its SHA-256 differs)")
        except _CannotWrite:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:  # the next address may do better
            said = error if isinstance(error, urllib.error.HTTPError) else getattr(error, "reason", error)
            reasons.append(f"{address}: {said or type(error).__name__}")
    kept = " What arrived is kept, and the next try goes on from there." if _have(part) else ""
    raise ConnectionError(f"{file.name} could not be downloaded ({'; '.join(reasons)}).{kept} {instead}".rstrip())


def _fetched(file: RemoteFile, address: str, part: Path, progress: bool) -> bool:
    """Whether an address had the right file. A wrong one is dropped; one that breaks off stays, and raises."""
    while True:
        resumed = _have(part) > 0
        _receive_all(file, address, part, progress)
        with contextlib.suppress(OSError, EOFError, zlib.error):  # damaged or truncated
            if content_sha256(part, packed=file.packed) == file.sha256:
                return True
        part.unlink(missing_ok=True)
        if not resumed:
            return False  # else its beginning may have been another address's: once more from the start


def _receive_all(file: RemoteFile, address: str, part: Path, progress: bool) -> None:
    """Receive until all is there; a break is followed by another request as long as each gets further."""
    furthest = -1
    while not _receive(file, address, part, progress):
        if _have(part) <= furthest:
            raise ConnectionError(f"it broke off after {_have(part):,} bytes")
        furthest = _have(part)


def _receive(file: RemoteFile, address: str, part: Path, progress: bool) -> bool:
    """Ask for what is missing and write what comes; whether that is all."""
    have = _have(part)
    request = urllib.request.Request(address, headers={"User-Agent": "latent-spaces-course"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing lies beyond: it was all there, and its digest will say of what
            return True
        raise
    with response:
        if not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have = 0  # this server cannot resume
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with _writing(part), open(part, "r+b" if have else "wb") as out, _bar(file, have, total, progress) as tick:
            out.seek(have)  # not in append mode: two that fetch at once write the same bytes to the same place
            for chunk in _chunks(response):
                out.write(chunk)
                tick(len(chunk))
            have = out.tell()
    return total is None or have == total


def _chunks(response):
    """What arrives, until it ends or breaks off."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        while chunk := response.read(CHUNK):
            yield chunk


@contextlib.contextmanager
def _bar(file: RemoteFile, have: int, total: int | None, progress: bool):
    """What to call with each number of new bytes."""
    if not progress:
        yield lambda count: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total or file.size, initial=have, desc=file.name, unit="B", unit_scale=True) as bar:
        yield bar.update
