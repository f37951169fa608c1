"""Downloads from a server on this machine: whole, broken off and resumed, wrong, and with no place to go."""

import errno
import gzip
import hashlib
import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
from file_server import serving

from course_utils.data import download as room
from course_utils.data.download import RemoteFile, content_sha256, download

BODY = bytes(range(256)) * 2000  # longer than a chunk, and every part of it differs from its neighbours
OTHER = bytes(reversed(BODY))


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving({"/good": BODY, "/other": OTHER}) as server:
        yield server


@pytest.fixture
def remote(server):
    """A file to fetch from the server, from each of some paths in turn."""

    def make(*at, name="a.bin", content=BODY, **options):
        digest = hashlib.sha256(content).hexdigest()
        return RemoteFile(name, digest, len(content), tuple(server.address + path for path in at), **options)

    return make


def names_in(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def part_of(folder) -> Path:
    (part,) = folder.glob("*.part")
    return part


def test_whole(server, remote, tmp_path, capfd):
    folder = tmp_path / "not" / "yet"
    files = [remote("good"), remote("other", name="b.bin", content=OTHER)]
    assert download(files, folder) == [folder / "a.bin", folder / "b.bin"]
    assert [(folder / name).read_bytes() for name in ("a.bin", "b.bin")] == [BODY, OTHER]
    assert names_in(folder) == ["a.bin", "b.bin"]
    bars = capfd.readouterr().err
    assert "a.bin: 100%" in bars
    assert "512k/512k" in bars
    download(files, folder)
    assert server.asked == [("/good", 0), ("/other", 0)], "what is there is not fetched again"


def test_without_a_bar(remote, tmp_path, capfd):
    download([remote("good")], tmp_path, progress=False)
    assert capfd.readouterr() == ("", "")


def test_a_break_is_followed_by_the_rest(server, remote, tmp_path):
    server.cuts = [100_000, 300_000]
    download([remote("good")], tmp_path, progress=False)
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert server.asked == [("/good", 0), ("/good", 100_000), ("/good", 400_000)]


def test_what_broke_off_is_kept_for_the_next_try(server, remote, tmp_path):
    server.cuts = [100_000, 0]
    with pytest.raises(ConnectionError, match=r"a.bin could not be downloaded .*/good: it broke off after 100,000 b"):
        download([remote("good")], tmp_path, progress=False)
    part = part_of(tmp_path)
    assert names_in(tmp_path) == [part.name]
    assert part.read_bytes() == BODY[:100_000]
    server.asked.clear()
    download([remote("good")], tmp_path, progress=False)
    assert server.asked == [("/good", 100_000)]
    assert names_in(tmp_path) == ["a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_the_next_address_goes_on_where_the_first_broke_off(server, remote, tmp_path):
    server.answers["/too"] = BODY
    server.cuts = [100_000, 0]
    download([remote("good", "too")], tmp_path, progress=False)
    assert server.asked[-1] == ("/too", 100_000)
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_a_server_without_ranges_starts_anew(server, remote, tmp_path):
    server.ranges, server.cuts = False, [100_000]
    download([remote("good")], tmp_path, progress=False)
    assert server.asked == [("/good", 0), ("/good", 100_000)]
    assert (tmp_path / "a.bin").read_bytes() == BODY
    server.cuts = [100_000] * 3
    with pytest.raises(ConnectionError, match="broke off after 100,000 bytes"):  # and no endless loop
        download([remote("good", name="b.bin")], tmp_path, progress=False)
    assert server.cuts == [100_000]


def test_a_part_that_is_whole_already_is_moved(server, remote, tmp_path):
    file = remote("good")
    room._part(file, tmp_path).write_bytes(BODY)
    download([file], tmp_path, progress=False)
    assert names_in(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("part", [OTHER[:5000], BODY + b"x"], ids=["another's beginning", "too long"])
def test_a_part_that_does_not_fit_is_fetched_once_more_from_the_start(server, remote, tmp_path, part):
    file = remote("good")
    room._part(file, tmp_path).write_bytes(part)
    download([file], tmp_path, progress=False)
    assert server.asked == [("/good", len(part)), ("/good", 0)]
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_parts_of_two_versions_have_two_names(remote, tmp_path):
    old, new = remote("good"), remote("good", content=OTHER)
    assert room._part(old, tmp_path) != room._part(new, tmp_path)


def test_wrong_from_the_first_address_right_from_the_second(server, remote, tmp_path):
    download([remote("other", "good")], tmp_path, progress=False)
    assert server.asked == [("/other", 0), ("/good", 0)]
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert names_in(tmp_path) == ["a.bin"]


def test_wrong_everywhere_leaves_nothing_of_it_but_what_came_before(server, remote, tmp_path):
    with pytest.raises(ConnectionError) as caught:
        download([remote("good"), remote("other", "none", name="b.bin")], tmp_path, instead="Do that.", progress=False)
    assert str(caught.value) == (
        f"b.bin could not be downloaded ({server.address}other: not the file that the course expects (its SHA-256 "
        f"differs); {server.address}none: HTTP Error 404: Not Found). Do that."
    )
    assert names_in(tmp_path) == ["a.bin"]


def test_a_packed_file_is_known_by_what_is_in_it(server, remote, tmp_path):
    for mtime, level in ((0, 1), (1, 9)):
        server.answers[f"/{mtime}.gz"] = gzip.compress(BODY, level, mtime=mtime)
    server.answers["/half.gz"] = server.answers["/0.gz"][:-10]
    server.answers["/page.gz"] = b"<html>Please log in</html>"
    server.answers["/bits.gz"] = server.answers["/0.gz"][:30] + bytes(40) + server.answers["/0.gz"][70:]
    for at in (["0.gz"], ["1.gz"], ["half.gz", "0.gz"], ["page.gz", "0.gz"], ["bits.gz", "0.gz"]):
        (file,) = download([remote(*at, packed=True)], tmp_path, progress=False)
        assert file.read_bytes() == server.answers[f"/{at[-1]}"]
        assert content_sha256(file, packed=True) == hashlib.sha256(BODY).hexdigest()
        file.unlink()


def test_no_space_is_found_out_before_anything_is_fetched(server, remote, tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(room.shutil, "disk_usage", lambda folder: usage(len(BODY) - 1))
    with pytest.raises(OSError, match=r"could not write .* \(1 MB are needed\). Free some disk space") as caught:
        download([remote("good")], tmp_path, progress=False)
    assert caught.value.errno == errno.ENOSPC
    assert server.asked == []
    room._part(remote("good"), tmp_path).write_bytes(BODY[:10])
    download([remote("good")], tmp_path, progress=False)  # what is there already needs no more space


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only: a disk that is always full")
def test_a_disk_that_fills_up_is_no_servers_fault(server, remote, tmp_path):
    room._part(remote("good"), tmp_path).symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"could not write .*No space left.*Free some disk space.*kept") as caught:
        download([remote("good", "good")], tmp_path, progress=False)
    assert caught.value.errno == errno.ENOSPC
    assert not isinstance(caught.value, ConnectionError)
    assert server.asked == [("/good", 0)], "the second address would not help"


def test_a_folder_that_is_a_file(remote, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="could not write .*file.*Name a folder that you may write to in COURSE_HOME"):
        download([remote("good")], tmp_path / "file", progress=False)


def test_ctrl_c_keeps_what_arrived(server, remote, tmp_path, monkeypatch):
    real = room._chunks

    def interrupted(response):
        yield next(real(response))
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "_chunks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download([remote("good")], tmp_path)
    monkeypatch.undo()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert part_of(tmp_path).read_bytes() == BODY[: room.CHUNK]
    download([remote("good")], tmp_path, progress=False)
    assert server.asked[-1] == ("/good", room.CHUNK)
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_two_at_once_do_no_harm(server, remote, tmp_path, monkeypatch):
    """A second download starts in the middle of the first, on the same part."""
    real, second = room._chunks, []

    def meanwhile(response):
        for chunk in real(response):
            yield chunk
            if not second:
                second.append("started")
                room._receive(remote("good"), f"{server.address}good", room._part(remote("good"), tmp_path), False)

    monkeypatch.setattr(room, "_chunks", meanwhile)
    download([remote("good")], tmp_path, progress=False)
    assert second
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_a_silent_server_is_given_up(remote, server, tmp_path, monkeypatch):
    import socket

    monkeypatch.setattr(room, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        file = RemoteFile("a.bin", "0" * 64, 1, (address,))
        with pytest.raises(ConnectionError, match="timed out"):
            download([file], tmp_path, progress=False)


def test_the_network_is_refused_where_it_is_switched_off(tmp_path):
    """As `pytest --offline` does it, in a process of its own: nothing leaves this machine, and the sentence says so."""
    code = (
        "import sys; from course_utils.data import download_fashion_mnist\n"
        "try: download_fashion_mnist()\n"
        "except ConnectionError as error: print(error)"
    )
    root = Path(__file__).parents[2]
    paths = os.pathsep.join([str(root / "tests" / "offline"), str(root)])
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environment |= {"PYTHONPATH": paths, "COURSE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "train-images-idx3-ubyte.gz could not be downloaded" in done.stdout
    assert done.stdout.count("the network is switched off in this run") == 2  # both mirrors
    assert "fashion_mnist(full=False)" in done.stdout
    assert names_in(tmp_path / "fashion_mnist") == []


def test_importing_it_imports_nothing_heavy():
    code = (
        "import sys, importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('room', {room.__file__!r})\n"
        "sys.modules['room'] = module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "print([name for name in ('torch', 'torchvision', 'tqdm', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
