"""`pytest --offline` really switches the network off: here, in subprocesses, in kernels, and for git."""

import os
import subprocess
import sys

import nbformat
import pytest
from helpers import ROOT

OFFLINE = ROOT / "tests" / "offline"
ELSEWHERE = "192.0.2.1"  # reserved for documentation: nobody is there
ATTEMPTS = {
    "connect": f"socket.create_connection(({ELSEWHERE!r}, 80), 3)",
    "connect-ipv6": "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80, 0, 0))",
    "resolve": "socket.getaddrinfo('example.org', 80)",
    "datagram": f"socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ({ELSEWHERE!r}, 9))",
    "urllib": "__import__('urllib.request').request.urlopen('https://example.org', timeout=3)",
    "underneath": f"__import__('_socket').socket().connect(({ELSEWHERE!r}, 80))",
}


@pytest.fixture(scope="module")
def offline_environment():
    paths = os.pathsep.join(filter(None, [str(OFFLINE), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": paths}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_no_way_out_of_a_subprocess(attempt, offline_environment):
    code = f"import socket; {ATTEMPTS[attempt]}"
    done = subprocess.run([sys.executable, "-c", code], env=offline_environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "network is switched off" in done.stderr


def test_loopback_stays_open(offline_environment):
    code = (
        "import socket; server = socket.create_server(('127.0.0.1', 0)); port = server.getsockname()[1]\n"
        "for host in ('127.0.0.1', 'localhost'): socket.create_connection((host, port), 3).close()\n"
        "print('both came through')"
    )
    done = subprocess.run([sys.executable, "-c", code], env=offline_environment, capture_output=True, text=True)
    assert done.stdout.strip() == "both came through", done.stderr


TRY_EVERYWHERE = f"""
import os, socket, subprocess, sys
import pytest

def test_in_this_process():
    with pytest.raises(OSError, match="network is switched off"):
        socket.create_connection(({ELSEWHERE!r}, 80), 3)

def test_in_a_subprocess():
    code = "import socket; socket.create_connection(({ELSEWHERE!r}, 80), 3)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "network is switched off" in done.stderr

def test_git():
    done = subprocess.run(["git", "ls-remote", "https://{ELSEWHERE}/a/b"], capture_output=True, text=True, timeout=300)
    assert "not allowed" in done.stderr
"""
CELL = f"""
import socket
try:
    socket.create_connection(({ELSEWHERE!r}, 80), 3)
except OSError as error:
    assert "network is switched off" in str(error), error
else:
    raise AssertionError("it connected")
"""


@pytest.mark.slow_because("starts pytest and a kernel")
def test_the_option_covers_pytest_its_subprocesses_and_kernels(tmp_path):
    (tmp_path / "conftest.py").write_bytes((ROOT / "conftest.py").read_bytes())
    (tmp_path / "tests" / "offline").mkdir(parents=True)
    (tmp_path / "tests" / "offline" / "sitecustomize.py").write_bytes((OFFLINE / "sitecustomize.py").read_bytes())
    (tmp_path / "test_everywhere.py").write_text(TRY_EVERYWHERE)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    nbformat.write(notebook, tmp_path / "kernel.ipynb")
    environment = {
        k: v for k, v in os.environ.items() if k not in ("COURSE_OFFLINE", "PYTHONPATH", "GIT_ALLOW_PROTOCOL")
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--offline",
        "--nbval-lax",
        "--nbval-current-env",
        "-c",
        os.devnull,
    ]
    done = subprocess.run(
        [*command, "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout  # three tests, the notebook's cell and its time


def test_this_very_run_is_as_it_says(request):
    assert getattr(sys, "_course_network_is_off", False) == request.config.getoption("offline")


@pytest.mark.slow_because("starts pytest")
def test_pythons_with_a_sitecustomize_of_their_own(tmp_path):
    """Debian's and Ubuntu's have one: collecting ours beside it would be an error."""
    (tmp_path / "sitecustomize.py").write_text("")
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "COURSE_OFFLINE": "0"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/offline",
        __file__,
    ]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
