"""Where the course's files are: bundled data, lessons, and the learner's own folder."""

import contextlib
import copy
import errno
import glob
import hashlib
import os
import sys
import tempfile
import time
from collections import OrderedDict
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _bundled(installed_name: str, checkout_name: str) -> Path:
    """A folder inside the installed wheel, or else its twin at the top of a checkout."""
    installed = _PACKAGE / installed_name
    return installed if installed.is_dir() else _PACKAGE.parent / checkout_name


def data_dir(*, override: bool = True) -> Path:
    """Folder of the bundled data and reference models; the environment variable COURSE_DATA overrides it.

    Args:
        override: Heed COURSE_DATA.
    """
    if override and os.environ.get("COURSE_DATA"):
        return Path(os.path.expanduser(os.environ["COURSE_DATA"]))
    return _bundled("_data", "data")


def notebooks_dir() -> Path:
    """Folder of the built lessons (never edited in place: ``course lab`` makes working copies)."""
    return _bundled("_notebooks", "notebooks")


def docs_dir() -> Path:
    """Folder of the documents; a wheel has the glossary of them."""
    return _bundled("_docs", "docs")


def course_home() -> Path:
    """The learner's own folder, for downloads and progress: COURSE_HOME, or ~/.latent_spaces_course.

    Where the system knows no home folder, as in some containers, it is one in the folder for temporary files, which may
    not last. The folder is not created here; whoever writes into it creates it.
    """
    if os.environ.get("COURSE_HOME"):
        return Path(os.path.expanduser(os.environ["COURSE_HOME"]))
    home = Path(os.path.expanduser("~"))  # stays "~" where there is none; Path.home() would raise
    return (home if home.is_absolute() else _temporary_home()) / ".latent_spaces_course"


def home_is_temporary() -> bool:
    """Whether `course_home` is in the folder for temporary files, because the system knows no home folder."""
    return not os.environ.get("COURSE_HOME") and course_home().parent == _temporary_home()


def _temporary_home() -> Path:
    return Path(tempfile.gettempdir(), f"user-{os.getuid() if hasattr(os, 'getuid') else 0}")


def inside(path: Path | str, folder: Path | str) -> bool:
    """Whether a path lies in a folder or is the folder itself.

    >>> inside("a/b/c", "a"), inside("a/../b", "a")
    (True, False)
    """
    return Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))


def sha256(data: bytes) -> str:
    """SHA-256 of some bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def write_atomically(path: Path | str, data: bytes) -> Path:
    """Write a file whole or not at all; see `write_all_atomically`.

    Args:
        path: Where the file should be. Missing folders are created.
        data: Its whole content.

    Returns:
        ``path`` as a Path.

    Raises:
        OSError: The file could not be written; the message names it and says what to do.
    """
    path = Path(path).expanduser()
    write_all_atomically({path: data})
    return path


def write_all_atomically(files: dict[Path, bytes]) -> None:
    """Write several files, all of them whole or none of them at all.

    The bytes go to temporary files in the same folders first. Only when all are on the disk does each replace its
    target, so a full disk or an interruption leaves the old files (or none) and nothing half-written.

    Args:
        files: Content by path. Missing folders are created.

    Raises:
        OSError: A file could not be written; the message names it and says what to do.
    """
    temporaries, files = {}, {Path(path).expanduser(): data for path, data in files.items()}
    try:
        for path, data in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():  # found out now, not when other files have been replaced already
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            descriptor, temporaries[path] = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        for path, temporary in temporaries.items():
            with contextlib.suppress(OSError):  # FAT, exFAT and some network disks know no permissions
                os.chmod(temporary, 0o666 & ~umask)  # as open() would have made it; temporary files start out private
            os.replace(temporary, path)
            _sweep(path)
    except OSError as error:
        raise OSError(
            error.errno,
            f"could not write {path} ({error.strerror}). Nothing half-written is left and older files are as they "
            f"were. {_way_out(error)}, and save again",
        ) from error
    finally:
        for temporary in temporaries.values():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)


def unfinished(path: Path) -> list[Path]:
    """What writers of this file that were killed left beside it, whole or not, the newest first."""
    left = path.parent.glob(f".{glob.escape(path.name)}.????????")
    return sorted(left, key=lambda one: one.stat().st_mtime, reverse=True)


def _sweep(path: Path, age: float = 3600.0) -> None:
    """Remove what writers of this file that were killed left beside it, more than so many seconds ago."""
    with contextlib.suppress(OSError):
        for left in unfinished(path):
            if time.time() - left.stat().st_mtime > age:
                left.unlink()


def require_writable(path: Path | str) -> None:
    """Raise one clear error unless a file can be written there; for before the work whose result it is to hold.

    Nothing is left behind: no folder is made, and an older file is not touched.

    Args:
        path: Where the file is to be.

    Raises:
        OSError: The folder, or the nearest above it that exists, may not be written to, is no folder, or a folder
            stands where the file should; the message names it and says what to do.
    """
    path = Path(path).expanduser()
    folder = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(
            error.errno,
            f"{path} cannot be written ({error.strerror}), so nothing was begun. {_way_out(error)}",
        ) from error


def _way_out(error: OSError) -> str:
    full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None))
    return "Free some disk space" if full else "Choose a folder that you may write to"


def plain(value):
    """The value as it is kept: NumPy's numbers and arrays as Python's numbers and lists, paths as text, however deep.

    What cannot be read back without its library's code is lost: a learning rate from ``np.logspace`` in a history.

    Example:
        >>> import numpy as np
        >>> plain({"rate": np.float64(0.5), "seen": (np.int64(2), np.array([1.0, 2.0]))})
        {'rate': 0.5, 'seen': (2, [1.0, 2.0])}
    """
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, OrderedDict):  # a model's state_dict: it carries the versions of its layers
        changed = copy.copy(value)
        changed.update((key, plain(part)) for key, part in value.items())
        return changed
    if isinstance(value, dict):
        return {plain(key): plain(part) for key, part in value.items()}
    torch = sys.modules.get("torch")  # not imported: who reads only cards needs none of it
    if isinstance(value, (tuple, list)) and not (torch and isinstance(value, torch.Size)):
        parts = [plain(part) for part in value]
        return tuple(parts) if isinstance(value, tuple) else parts
    return value
