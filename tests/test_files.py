"""Where files are, and that writing is all or nothing, also on a full disk."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from course_utils import files
from course_utils.files import plain, write_all_atomically, write_atomically


def test_bundled_folders_are_found_from_any_working_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    assert (files.data_dir() / "fashion_mnist" / "card.json").is_file()
    assert files.notebooks_dir().is_dir()


def test_course_data_overrides(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert files.data_dir() == tmp_path


def test_course_home(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "mine"))
    assert files.course_home() == tmp_path / "mine"
    assert not files.course_home().exists(), "asking where it is must not create it"
    monkeypatch.setenv("COURSE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert files.course_home() == tmp_path / ".latent_spaces_course"


@pytest.mark.skipif(os.name == "nt", reason="not on Windows: its home folder comes from elsewhere")
def test_no_home_folder_and_no_passwd_entry(tmp_path):
    """As in a container with a user number of its own: what needs the learner's folder works, in the temporary one."""
    code = """
import os, pwd
del os.environ["HOME"]
def unknown(uid): raise KeyError(uid)
pwd.getpwuid = unknown
from course_utils import files
print(files.home_is_temporary(), files.course_home())
os.environ["COURSE_HOME"] = os.environ["COURSE_DATA"] = "~/mine"
print(files.home_is_temporary(), files.course_home(), files.data_dir())
"""
    environment = {k: v for k, v in os.environ.items() if k not in ("COURSE_HOME", "COURSE_DATA")}
    environment["TMPDIR"] = str(tmp_path)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    home = tmp_path / f"user-{os.getuid()}" / ".latent_spaces_course"
    assert done.stdout.splitlines() == [f"True {home}", "False ~/mine ~/mine"]


def test_inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert files.inside("data/x.json", tmp_path / "data")
    assert files.inside(tmp_path, tmp_path)
    assert not files.inside("database", "data")


def test_sha256_of_nothing():
    assert files.sha256(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class TestWriting:
    def test_creates_folders_and_replaces(self, tmp_path):
        target = tmp_path / "a" / "b" / "file.bin"
        assert write_atomically(str(target), b"first") == target
        assert target.read_bytes() == b"first"
        write_atomically(target, b"second, longer")
        assert target.read_bytes() == b"second, longer"
        assert [p.name for p in target.parent.iterdir()] == ["file.bin"]

    @pytest.mark.skipif(os.name == "nt", reason="not on Windows: it has no permission bits")
    def test_permissions_are_those_of_an_ordinary_file(self, tmp_path):
        write_atomically(tmp_path / "written", b"x")
        (tmp_path / "ordinary").write_bytes(b"x")
        written, ordinary = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("written", "ordinary"))
        assert written == ordinary

    def test_a_disk_that_knows_no_permissions(self, tmp_path, monkeypatch):
        """FAT, exFAT and some network disks refuse chmod."""

        def refused(*_):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "chmod", refused)
        write_all_atomically({tmp_path / "a": b"1", tmp_path / "b": b"2"})
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"1", "b": b"2"}

    def test_whether_it_can_be_written_is_known_before_the_work(self, tmp_path):
        files.require_writable(tmp_path / "new" / "deep" / "a.json")
        assert list(tmp_path.iterdir()) == []
        (tmp_path / "file").touch()
        with pytest.raises(OSError, match="a.json cannot be written .*nothing was begun. Choose a folder"):
            files.require_writable(tmp_path / "file" / "a.json")
        (tmp_path / "b.json").mkdir()
        with pytest.raises(OSError, match="b.json cannot be written"):
            files.require_writable(tmp_path / "b.json")

    @pytest.mark.parametrize(
        ("step", "nth"), [("fdopen", 1), ("fdopen", 2), ("fsync", 1), ("fsync", 2), ("replace", 1)]
    )
    def test_a_full_disk_leaves_the_old_files_and_nothing_else(self, tmp_path, monkeypatch, step, nth):
        old, new = tmp_path / "old", tmp_path / "sub" / "new"
        old.write_bytes(b"what was there")
        calls, real = [], getattr(os, step)

        def full(*arguments, **options):
            calls.append(arguments)
            if len(calls) == nth:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **options)

        monkeypatch.setattr(os, step, full)
        with pytest.raises(
            OSError, match="could not write .*No space left.*older files are as they were.*Free"
        ) as caught:
            write_all_atomically({old: b"1" * 1000, new: b"2" * 1000})
        monkeypatch.undo()
        assert caught.value.errno == errno.ENOSPC
        assert str(old if nth == 1 else new) in str(caught.value)
        assert old.read_bytes() == b"what was there"
        assert [p for p in tmp_path.rglob("*") if p.is_file()] == [old]

    @pytest.mark.skipif(os.name == "nt", reason="not on Windows: it has no limit on the size of a process's files")
    def test_a_real_limit_of_space(self, tmp_path):
        """The system itself refuses bytes beyond 64 KiB, in the middle of the file."""
        (tmp_path / "file").write_bytes(b"what was there")
        script = """
import resource, signal, sys
from course_utils.files import write_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    write_atomically(sys.argv[1], b"x" * 1_000_000)
except OSError as error:
    print(error)
"""
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "file")], capture_output=True, text=True, check=True
        )
        assert "could not write" in done.stdout
        assert [p.name for p in tmp_path.iterdir()] == ["file"]
        assert (tmp_path / "file").read_bytes() == b"what was there"

    def test_one_target_that_cannot_be_replaced_leaves_all_as_they_were(self, tmp_path):
        weights, card = tmp_path / "m.safetensors", tmp_path / "m.json"
        weights.write_bytes(b"old weights")
        card.mkdir()
        with pytest.raises(OSError, match="m.json"):
            write_all_atomically({weights: b"new weights", card: b"new card"})
        assert weights.read_bytes() == b"old weights"
        assert sorted(p.name for p in tmp_path.iterdir()) == ["m.json", "m.safetensors"]

    def test_ctrl_c_leaves_nothing_half_written(self, tmp_path, monkeypatch):
        def interrupted(_):
            raise KeyboardInterrupt

        (tmp_path / "file").write_bytes(b"old")
        monkeypatch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_atomically(tmp_path / "file", b"new")
        assert [p.name for p in tmp_path.iterdir()] == ["file"]
        assert (tmp_path / "file").read_bytes() == b"old"

    def test_a_folder_that_is_a_file_is_named(self, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(OSError, match="could not write .*inside"):
            write_atomically(tmp_path / "file" / "inside", b"x")

    def test_a_folder_without_permission_is_named(self, tmp_path):
        folder = tmp_path / "locked"
        folder.mkdir(mode=0o500)
        if os.access(folder, os.W_OK):  # an administrator may write anywhere
            folder = Path("/proc") if Path("/proc").is_dir() else None
        if folder is None:
            pytest.skip("not on macOS or Windows as administrator")
        with pytest.raises(OSError, match="could not write .*Choose a folder that you may write to"):
            write_atomically(folder / "file", b"x")


def test_what_is_kept_is_plain():
    kept = plain({np.int64(1): [np.float32(0.5), (np.bool_(True), np.arange(2))], "shape": torch.Size([2, 3])})
    assert kept == {1: [0.5, (True, [0, 1])], "shape": torch.Size([2, 3])}
    assert [type(key) for key in kept] == [int, str]
    assert [type(part) for part in (kept[1][0], kept[1][1][0], kept["shape"])] == [float, bool, torch.Size]


def test_what_killed_writers_left_is_swept_after_an_hour(tmp_path):
    old, new, others = tmp_path / ".a.json.abcdefgh", tmp_path / ".a.json.ijklmnop", tmp_path / ".b.json.abcdefgh"
    for path in (old, new, others):
        path.write_text("half")
    os.utime(old, (1, 1))
    os.utime(others, (1, 1))
    files.write_atomically(tmp_path / "a.json", b"whole")
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", new.name, others.name}
