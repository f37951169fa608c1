import contextlib
import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import psutil
import pytest
from helpers import complaint

from course_utils import checks, files, recipes
from course_utils.command import cli, lab, workspace


def test_unknown_commands_and_options(capsys):
    assert "did you mean doctor?" in complaint(capsys, "docter")
    assert "use one of lab, doctor, train, maps, claims, site, export, assignment, progress" in complaint(capsys, "zzz")
    assert "'--jsn'" in complaint(capsys, "doctor", "--jsn")
    assert "COMMAND" in complaint(capsys, "--unknown")
    for port in ("abc", "0", "70000", "-5"):
        assert "from 1 to 65535" in complaint(capsys, "lab", f"--port={port}")
    assert "no lesson '77'" in complaint(capsys, "lab", "--fresh", "77")


def test_unknown_recipe_and_device(capsys):
    name = next(iter(recipes.RECIPES))
    assert f"did you mean {name}" in complaint(capsys, "train", name[:-1])
    assert "use one of" in complaint(capsys, "train", "qqqq")
    assert "course train --list" in complaint(capsys, "train")
    wrong = complaint(capsys, "train", name, "--device", "abacus")
    assert "--device is 'abacus', which is no device name" in wrong
    assert "cuda:99" in complaint(capsys, "train", name, "--device", "cuda:99")
    assert "--epochs" in complaint(capsys, "train", name, "--epochs", "0")
    assert "--data" in complaint(capsys, "train", name, "--data", "none")


def test_a_full_disk_is_one_sentence_too(capsys, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "could not write x (No space left on device)")

    monkeypatch.setattr(workspace, "prepare", full)
    assert "could not write x" in complaint(capsys, "lab", status=1)


def test_a_folder_that_cannot_be_written_is_named_with_its_variable(capsys, monkeypatch, tmp_path):
    def read_only(*arguments, **options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "work"))
    for _ in range(2):  # before any lesson is there, and when all are and only JupyterLab's settings have to be written
        with monkeypatch.context() as context:
            context.setattr(tempfile, "mkstemp", read_only)
            status, said = cli.main(["lab", "--no-browser"]), capsys.readouterr().err
        assert status == 1
        assert said.startswith(f"course: could not write {tmp_path / 'work'}")
        assert said.count("\n") == 1
        assert "Read-only file system" in said
        assert "COURSE_WORK" in said
        workspace.prepare(tmp_path / "work")


def test_ctrl_c_is_no_traceback(capsys, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(recipes, "train", interrupted)
    assert complaint(capsys, "train", next(iter(recipes.RECIPES)), status=130) == "course: stopped.\n"


def test_no_command_shows_help_and_version_is_the_packages(capsys):
    assert cli.main([]) == 2
    assert "doctor" in capsys.readouterr().out
    run = subprocess.run(
        [sys.executable, "-m", "course_utils", "--version"], capture_output=True, text=True, check=True
    )
    import course_utils

    assert run.stdout == f"course {course_utils.__version__}\n"


def test_the_list_of_recipes(capsys):
    assert cli.main(["train", "--list"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == list(recipes.RECIPES)
    column = heading.index("WHAT")
    for row, recipe in zip(rows, recipes.RECIPES.values(), strict=True):
        assert row[column:] == recipe.what
        assert row[column - 1] == " "


def test_progress_is_shown_and_reset_only_when_said(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    name = next(iter(checks.all_checks()))
    record = tmp_path / "progress.json"
    record.write_text(json.dumps({"passed": {name: "2026-01-31"}}))
    assert cli.main(["progress"]) == 0
    assert "[x]" in capsys.readouterr().out
    for answer, gone in (("", False), ("n", False), ("y", True)):
        monkeypatch.setattr("builtins.input", lambda question, answer=answer: answer)
        assert cli.main(["progress", "--reset"]) == 0
        assert record.exists() is not gone
    assert "Forgot 1 passed exercise." in capsys.readouterr().out
    record.write_text(json.dumps({"passed": {name: "2026-01-31"}}))
    assert cli.main(["progress", "--reset", "--yes"]) == 0
    assert not record.exists()


def test_lab_command_line(tmp_path, monkeypatch):
    line = lab.command(tmp_path, port=9001, browser=False, options=("--ServerApp.port_retries", "0"))
    assert line[:3] == [sys.executable, "-m", "jupyterlab"]
    assert line[-2:] == ["--ServerApp.port_retries", "0"]
    assert {"--port=9001", "--no-browser", f"--ServerApp.root_dir={tmp_path}"} < set(line)
    for user, allowed in ((0, True), (1000, False)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user, raising=False)
        assert ("--allow-root" in lab.command(tmp_path)) is allowed
    assert not any(option.startswith(("--port", "--no-browser")) for option in lab.command(tmp_path))


def test_a_learners_server_on_a_hub(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "work"))
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    assert "without --hub opens the lessons" in complaint(capsys, "lab", "--hub", status=1)
    assert "the hub chooses the port" in complaint(capsys, "lab", "--hub", "--port=8888")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "x")
    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda name: None)
    assert "JupyterHub is not installed in" in complaint(capsys, "lab", "--hub", status=1)
    assert not (tmp_path / "work").exists()

    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda name: object())
    became, bounds = [], []
    monkeypatch.setattr(os, "execve", lambda *words: became.append(words))
    monkeypatch.setattr(lab, "_bound_memory", bounds.append)
    monkeypatch.setenv("MEM_LIMIT", "3221225472")
    mask = os.umask(0o022)
    try:
        cli.main(["lab", "--hub", "--KernelManager.transport=ipc"])
    finally:
        os.umask(mask)
    ((path, line, variables),) = became
    assert path == line[0] == sys.executable
    assert line[1:3] == ["-m", "jupyterhub.singleuser"]
    assert line[-1] == "--KernelManager.transport=ipc"
    assert f"--ServerApp.root_dir={tmp_path / 'work'}" in line
    assert variables["GOMP_SPINCOUNT"]
    assert bounds == ["3221225472"]
    copied = tmp_path / "work" / "02_autoencoders.ipynb"
    assert copied.is_file()
    if os.name == "posix":
        assert [path.stat().st_mode & 0o077 for path in (copied, copied.parent)] == [0, 0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")
def test_memory_of_a_seat_is_bounded():
    bound = "import sys; from course_utils.command import lab; lab._bound_memory(sys.argv[1]); print(len(bytes(2**29)))"

    def ask(limit):
        return subprocess.run([sys.executable, "-c", bound, limit], capture_output=True, text=True)

    assert ask(str(2**28)).stderr.endswith("MemoryError\n")
    for free in (str(2**32), "", "plenty"):
        assert ask(free).stdout == f"{2**29}\n"


def test_lab_prefers_this_environments_kernel(monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_PATH", "mine")
    first, last = lab.environment(tmp_path)["JUPYTER_PATH"].split(os.pathsep)
    assert os.path.samefile(first, os.path.join(sys.prefix, "share", "jupyter"))
    assert last == "mine"
    monkeypatch.setattr(lab, "DISTRIBUTION", "not-installed-at-all")
    added = lab.environment(tmp_path)["PYTHONPATH"].split(os.pathsep)[0]
    assert os.path.isdir(os.path.join(added, "course_utils"))


def test_a_kernel_in_the_home_folder_does_not_come_first(monkeypatch, tmp_path):
    decoy = tmp_path / "kernels" / "python3"
    decoy.mkdir(parents=True)
    (decoy / "kernel.json").write_text('{"argv": ["/elsewhere/python"], "display_name": "old", "language": "python"}')
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    code = "from jupyter_client.kernelspec import get_kernel_spec as spec; print(spec('python3').argv[0])"
    found = [
        subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout.strip()
        for env in (dict(os.environ), lab.environment(tmp_path))
    ]
    assert found[0] == "/elsewhere/python"  # what would happen
    assert found[1] != "/elsewhere/python"


# -------------------------------------------------------------------------------- the real thing, and its end

AT_MOST = 180  # seconds, for what takes a few on a quiet machine: waiting longer costs nothing where it ends sooner

# In JupyterLab's place: writes down each signal it gets. A stubborn one heeds none, and has a kernel and a browser.
STAND_IN = """
import pathlib, signal, subprocess, sys, time
said, stubborn = pathlib.Path(sys.argv[1]), sys.argv[2] == "stubborn"
def say(*words):
    with said.open("a") as file:
        print(*words, file=file)
def heard(number, frame):
    say("heard", number)
    if not stubborn:
        sys.exit()
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, heard)
def start(*words):
    return subprocess.Popen([sys.executable, "-c", *words], start_new_session=True)
sleep = "import time; time.sleep(1000)"
if stubborn:
    start(f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleep!r}]).wait()", "-f", "kernel-1.json")
    say("browser", start(sleep).pid)
say("started")
while True:
    time.sleep(1)
"""
RUN_IT = """
import pathlib, sys
from course_utils.command import lab
folder, lab.PATIENCE = pathlib.Path(sys.argv[1]), float(sys.argv[3])
lab.command = lambda target, **options: [sys.executable, str(folder / "stand_in.py"), str(folder / "said"), sys.argv[2]]
sys.exit(lab.run(folder))
"""


def family(process):
    """A process and all that it started."""
    return [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]


def state(process, log):
    """What there is to say about a process that does not do what it should: its tree, and what it wrote."""
    tree = []
    for each in family(process):
        used = each.cpu_times()
        line = " ".join(each.cmdline())[:200]
        tree.append(f"{each.pid} {each.status()}, {used.user + used.system:.1f} s of processor time: {line}")
    return "\n".join([f"not done in {AT_MOST} s; load {psutil.getloadavg()}", *tree, log.read_text()])


def until(condition, process, log):
    """Wait until there is a result; a process that ends before, or never gets there, fails with what it said."""
    deadline = time.monotonic() + AT_MOST
    while not (result := condition()):
        assert process.poll() is None, f"it ended with status {process.returncode}:\n{log.read_text()}"
        assert time.monotonic() < deadline, state(process, log)
        time.sleep(0.1)
    return result


def all_end(process, processes, log):
    """Wait until these have ended, and return the status of `course lab`."""
    try:
        return process.wait(AT_MOST)
    except subprocess.TimeoutExpired:
        raise AssertionError(state(process, log)) from None
    finally:
        alive = psutil.wait_procs(processes, 10)[1]
        for left in alive:
            left.kill()
        assert alive == [], log.read_text()


@pytest.fixture
def stand_in(tmp_path):
    """A function that starts `course lab` with a stand-in for JupyterLab; both are killed if they are left."""
    started, said, log = [], tmp_path / "said", tmp_path / "log"
    (tmp_path / "stand_in.py").write_text(STAND_IN)

    def start(manner, patience=1000.0):
        line = [sys.executable, "-c", RUN_IT, str(tmp_path), manner, str(patience)]
        with log.open("w") as file:
            process = subprocess.Popen(line, stdout=file, stderr=file, start_new_session=True)
        started.append(process)
        until(lambda: said.exists() and "started" in said.read_text(), process, log)
        started.extend(family(process))
        return process, said

    yield start
    for process in started:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


posix_only = pytest.mark.skipif(sys.platform == "win32", reason="not on Windows")


@posix_only
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_each_signal_of_a_terminal_ends_the_lab_in_good_order(stand_in, name, tmp_path):
    process, said = stand_in("polite")
    tree = family(process)
    os.killpg(process.pid, getattr(signal, name))  # as a terminal does: to all of its foreground at once
    assert all_end(process, tree, tmp_path / "log") == 0
    assert said.read_text().split() == ["started", "heard", str(signal.SIGTERM.value)]
    assert "Traceback" not in (tmp_path / "log").read_text()


@posix_only
@pytest.mark.parametrize("twice", [True, False])
def test_a_lab_that_does_not_end_is_killed_with_its_kernels(stand_in, twice, tmp_path):
    process, said = stand_in("stubborn", 1000 if twice else 0.5)
    tree = until(lambda: len(now := family(process)) == 5 and now, process, tmp_path / "log")
    browser = int(re.search(r"browser (\d+)", said.read_text())[1])
    process.send_signal(signal.SIGINT)
    if twice:
        until(lambda: "heard" in said.read_text(), process, tmp_path / "log")
        until(lambda: "Ctrl-C again stops it at once." in (tmp_path / "log").read_text(), process, tmp_path / "log")
        process.send_signal(signal.SIGINT)
    assert all_end(process, [each for each in tree if each.pid != browser], tmp_path / "log") == 0
    assert psutil.Process(browser).is_running()  # it is the learner's
    assert said.read_text().count("heard") == 1


@posix_only
def test_after_nohup_the_end_of_the_terminal_is_not_heeded(stand_in, tmp_path):
    earlier = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the process inherits this
    try:
        process, _ = stand_in("polite")
    finally:
        signal.signal(signal.SIGHUP, earlier)
    tree = family(process)
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)  # an end takes a small part of it
    process.send_signal(signal.SIGTERM)
    assert all_end(process, tree, tmp_path / "log") == 0


def test_jupyterlabs_own_status_is_passed_on(monkeypatch, tmp_path):
    monkeypatch.setattr(lab, "command", lambda target, **options: [sys.executable, "-c", "raise SystemExit(7)"])
    before = [signal.getsignal(number) for number in lab.STOPPING]
    assert lab.run(tmp_path) == 7
    assert [signal.getsignal(number) for number in lab.STOPPING] == before


def ask(url, **options):
    with urllib.request.urlopen(urllib.request.Request(url, **options), timeout=AT_MOST) as answer:
        return json.loads(answer.read() or "null")


def start_lab(tmp_path, *options):
    """Start the real thing, of a learner with settings of their own; returns the process and the address it said."""
    settings, programs, log = tmp_path / "settings", tmp_path / "programs", tmp_path / "log"
    settings.mkdir()
    own = ["c = get_config()", f"c.ServerApp.preferred_dir = {str(settings)!r}"]
    own += [f"c.{name}.root_dir, c.{name}.preferred_dir = {str(settings)!r}, 'projects'" for name in lab.CONTENTS]
    (settings / "jupyter_server_config.py").write_text("\n".join(own))
    programs.mkdir()
    (programs / "npm").write_text(f"#!/bin/sh\ntouch '{tmp_path}/npm-was-asked'\nexec sleep 1000\n")  # it never answers
    (programs / "npm").chmod(0o755)
    variables = os.environ | {
        "JUPYTER_CONFIG_DIR": str(settings),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "COURSE_WORK": str(tmp_path / "work"),
        "PATH": os.pathsep.join((str(programs), os.environ["PATH"])),
        "PYTHONUNBUFFERED": "1",
    }
    variables.pop("JUPYTER_TOKEN", None)
    line = [sys.executable, "-m", "course_utils", "lab", "--no-browser", *options]
    with log.open("w") as file:
        process = subprocess.Popen(line, env=variables, stdout=file, stderr=file)
    try:
        until(lambda: "Ctrl-C here stops it." in log.read_text(), process, log)
    except BaseException:
        process.terminate()
        raise
    return process, re.search(r"in a browser:\s+(http://\S+)", log.read_text())[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.slow_because("starts JupyterLab and a kernel")
def test_lab_really_opens_at_lesson_00_and_ends_with_its_kernels(tmp_path):
    port = free_port()
    process, address = start_lab(tmp_path, f"--port={port}", "--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0")
    try:
        base, token = re.fullmatch(r"(http://\S+)/lab/tree/00_start_here\.ipynb\?token=(\w+)", address).groups()
        assert base.endswith(f":{port}")
        status = ask(f"{base}/api/status?token={token}")
        assert status["kernels"] == 0

        listed = {entry["name"] for entry in ask(f"{base}/api/contents?token={token}")["content"]}
        expected = {path.name for path in files.notebooks_dir().glob("*.ipynb")}
        assert listed == expected | {"solutions", "docs"}
        lesson = ask(f"{base}/api/contents/00_start_here.ipynb?token={token}")
        original = json.loads((files.notebooks_dir() / "00_start_here.ipynb").read_bytes())
        sources = ["".join(cell["source"]) for cell in original["cells"]]
        assert ["".join(cell["source"]) for cell in lesson["content"]["cells"]] == sources

        assert ask(f"{base}/api/kernelspecs?token={token}")["default"] == "python3"
        ask(f"{base}/api/kernels?token={token}", method="POST", data=b'{"name": "python3"}')
        with urllib.request.urlopen(f"{base}/lab?token={token}", timeout=AT_MOST) as answer:
            page = answer.read().decode()
        settings = json.loads(re.search(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
        assert settings["news"] == {"disabled": True}
        assert "@jupyterlab/apputils-extension:announcements" in settings["disabledExtensions"]  # nor a question
        # The lessons' links to the glossary lead to a page that is read, not edited.
        name = "@jupyterlab/docmanager-extension:plugin"
        documents = ask(f"{base}/lab/api/settings/{name}?token={token}")["schema"]["properties"]
        assert documents["defaultViewers"]["default"] == {"markdown": "Markdown Preview"}
        assert ask(f"{base}/api/contents/{workspace.GLOSSARY}?content=0&type=file&token={token}")["size"] > 0
        assert len(family(process)) >= 3  # `course lab`, JupyterLab, and the kernel
    finally:
        tree = family(process)
        if sys.platform == "win32":
            ask(f"{base}/api/shutdown?token={token}", method="POST")
        else:
            process.send_signal(signal.SIGINT)
        status = all_end(process, tree, tmp_path / "log")
    assert status == 0, (tmp_path / "log").read_text()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0  # nothing is left running
    # The kernel may say that it was interrupted while it started.
    assert not re.search('File ".*(course_utils|jupyter_server|jupyterlab)', (tmp_path / "log").read_text())
    assert not (tmp_path / "npm-was-asked").exists()  # JupyterLab would wait for the answer before it ends
