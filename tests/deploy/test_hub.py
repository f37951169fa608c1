"""A real JupyterHub with the configuration of deploy/hub, and learners who are users of this machine.

JupyterHub is in an environment of its own, with the course, which `.ci/run` makes and names in COURSE_HUB_PYTHON. Two
learners log in, run lesson 00 and move its explorer at once; a kernel is killed, the hub is restarted, and one learner
tries to reach what is the other's. `benchmarks/hub.py` does the same with twelve learners and lesson 02, and measures.
"""

import contextlib
import os
import pwd
import stat
import subprocess
import time

import psutil
import pytest
from helpers import benchmark

with benchmark("hub") as hubs:
    pass

PYTHON = os.environ.get("COURSE_HUB_PYTHON", "")
WHY = "COURSE_HUB_PYTHON names no Python with JupyterHub" if not PYTHON else hubs.needs() or hubs.hidden(PYTHON)
pytestmark = [
    pytest.mark.skipif(bool(WHY), reason=WHY),
    pytest.mark.slow_because("a hub, the servers and the kernels of two learners"),
]
SYSTEM = ["list the lessons", "read a lesson", "write into the lessons", "list the kernels", "read a kernel's key"]
SYSTEM += ["connect to a kernel", "read a kernel's memory", "read the server's token", "stop a kernel"]
WEB = [
    "contents",
    "contents/00_start_here.ipynb",
    "sessions",
    "kernels",
    "terminals",
    "status",
    "interrupt",
    "channels",
]


@pytest.fixture(scope="module")
def made():
    """The group and users: two learners, one whose server does not start, an administrator, one to be stopped."""
    with hubs.users(5) as made:
        yield made


@pytest.fixture(scope="module")
def hub(made, tmp_path_factory):
    """A hub; while the file `hub.gone` is there, its Python has no course."""
    folder = hubs.Path(hubs.tempfile.mkdtemp(prefix="hub-python-"))
    folder.chmod(0o755)
    wrapper, gone = folder / "python", folder / "gone"
    without = "import sys; sys.modules['course_utils'] = None; import course_utils"
    wrapper.write_text(f'#!/bin/sh\n[ -e {gone} ] && exec {PYTHON} -c "{without}"\nexec {PYTHON} "$@"\n')
    wrapper.chmod(0o755)
    admins = f"{made[1][3].name}, "
    with hubs.Hub(PYTHON, made[0], COURSE_PYTHON=str(wrapper), COURSE_HUB_ADMINS=admins) as hub:
        hub.gone, hub.wrapper = gone, wrapper
        hub.start()
        yield hub
    hubs.shutil.rmtree(folder)


@pytest.fixture(scope="module")
def lesson():
    return hubs.lesson("00")


@pytest.fixture(scope="module")
def learners(hub, made, lesson):
    """Two learners who have run all cells of lesson 00 at the same time."""
    learners = [hubs.Learner(hub, user) for user in made[1][:2]]

    def attend(one):
        one.log_in()
        one.page = one.start_server()
        one.open(lesson.path)
        one.errors = one.run_all(lesson.cells)

    hubs.at_once(learners, attend)
    return learners


def test_each_learner_gets_the_lessons_and_every_cell_runs(learners, lesson):
    for one in learners:
        assert one.page == f"{one.base}/lab/tree/00_start_here.ipynb"
        assert one.errors == []
        folder = one.user.home / "latent-spaces"
        assert len(list(folder.glob("*.ipynb"))) > 10
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.ipynb")} == {0o600}
        assert {path.stat().st_uid for path in folder.rglob("*")} == {one.user.uid}


def test_all_move_an_explorer_at_once(learners):
    before = [list(one.explorers.values())[-1]["_answer"] for one in learners]
    found = hubs.at_once(learners, lambda one: [one.move(turn) for turn in range(3)])
    assert min(map(min, found)) > 0
    for one, earlier in zip(learners, before, strict=True):
        assert list(one.explorers.values())[-1]["_answer"]["value"] != earlier["value"]


def test_a_seat_has_its_threads_and_its_memory(learners):
    one = learners[0]
    said = one.execute("import os; print(os.environ['OMP_NUM_THREADS'], os.environ['GOMP_SPINCOUNT'])")
    assert said == "1 2000"
    assert "allocate" in one.execute("import torch; torch.ones(2**30)")  # 4 GB of the 3 that a kernel may have
    assert one.execute("bytearray(2**32)") == ""  # Python's own MemoryError has no text
    assert one.execute("print(len(bytearray(2**20)))") == str(2**20)


def test_commands_of_the_courses_python_are_found_by_name(hub, learners):
    assert learners[0].execute("import shutil; print(shutil.which('python'))") == str(hub.wrapper)


def test_a_terminal_stays_open(learners):
    one = learners[0]
    name = one.ask("POST", "terminals")["name"]
    time.sleep(3)  # one whose shell refuses ends at once
    assert [open["name"] for open in one.ask("GET", "terminals")] == [name]
    one.ask("DELETE", f"terminals/{name}")


def test_an_administrator_alone_sees_and_stops_servers_of_others(hub, made, learners):
    teacher = hubs.Learner(hub, made[1][3])
    teacher.log_in()

    def on_the_hub(who, verb, path):
        headers = {"Referer": f"{hub.url}/hub/home", "X-XSRFToken": who._cookie("/hub/")}
        return who.web.request(verb, f"{hub.url}/hub/{path}", headers=headers, timeout=hubs.PATIENCE).status_code

    whose = f"api/users/{learners[0].user.name}"
    assert [on_the_hub(teacher, "GET", path) for path in ("admin", whose)] == [200, 200]
    assert [on_the_hub(learners[1], "GET", path) for path in ("admin", whose)] == [403, 404]
    late = hubs.Learner(hub, made[1][4])
    late.log_in()
    late.start_server()
    stop = f"api/users/{late.user.name}/server"
    assert on_the_hub(learners[1], "DELETE", stop) == 404
    assert late.ask("GET", "contents")
    assert on_the_hub(teacher, "DELETE", stop) in (202, 204)


def test_a_wrong_password_and_a_user_of_another_group_are_refused(hub, made):
    group, users = made
    visitor = hubs.Learner(hub, users[0])
    with pytest.raises(hubs.Refused):
        visitor.log_in(password="wrong")
    subprocess.run(["usermod", "--groups", "", users[2].name], check=True)
    try:
        with pytest.raises(hubs.Refused):
            hubs.Learner(hub, users[2]).log_in()
    finally:
        subprocess.run(["usermod", "--groups", group, users[2].name], check=True)
    hubs.Learner(hub, users[2]).log_in()


def test_a_learner_reaches_nothing_that_is_another_ones(hub, learners):
    a, b = learners
    assert hubs.reached(hub, a, b) == []
    assert hubs.reached(hub, b, a) == []


def test_what_is_tried_there_would_be_noticed(hub, learners):
    one = learners[0]
    assert hubs.reached_by_system(hub, one.user, one) == SYSTEM
    assert hubs.reached_by_web(one, one) == [f"{where}: {what}" for where in ("hub", "port") for what in WEB]
    (one.user.home / "latent-spaces" / "trace").unlink()


def test_a_kernel_on_ports_would_be_overheard(learners):
    from jupyter_client import KernelManager

    manager = KernelManager()
    manager.start_kernel()
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=300)
        process = psutil.Process(manager.provisioner.pid)
        say = lambda: client.execute("print('a sec' + 'ret')", reply=True, timeout=300)  # noqa: E731
        assert "a secret" in hubs.overheard(learners[0].user, PYTHON, process, say)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_without_the_course_no_server_starts_and_a_sentence_says_why(hub, made):
    user = made[1][2]
    late = hubs.Learner(hub, user)
    late.log_in()
    hub.gone.touch()
    try:
        with pytest.raises(
            RuntimeError, match=r"The course does not run with \S+ \(.*course_utils.*\): install it there"
        ):
            late.start_server()
    finally:
        hub.gone.unlink()
    assert not (user.home / "latent-spaces").exists()


def test_a_killed_kernel_costs_its_variables_alone(learners, lesson):
    assert list(hubs.lose_a_kernel(learners[0], lesson.path, learners[1:])) == ["kernel killed, until it answers again"]


def test_the_hub_restarts_while_cells_run_and_nothing_is_lost(hub, learners):
    proxy = (hub.run / "proxy.pid").read_text()
    assert list(hubs.restart(hub, learners)) == ["hub restarted, until it answers again"]
    assert (hub.run / "proxy.pid").read_text() == proxy


def test_a_proxy_that_has_died_is_started_again(hub, learners):
    proxy = psutil.Process(int((hub.run / "proxy.pid").read_text()))
    proxy.kill()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(hubs.requests.RequestException, hubs.Refused):
            learners[1].ask("GET", "contents")
            break
        time.sleep(0.5)
    assert psutil.Process(int((hub.run / "proxy.pid").read_text())) != proxy
    learners[1].connect()
    assert learners[1].execute("print(kept)") == "before"


def test_a_hub_without_the_course_does_not_start(made, tmp_path):
    empty = tmp_path / "empty"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(empty)], check=True)
    hub = hubs.Hub(PYTHON, made[0], COURSE_PYTHON=str(empty / "bin" / "python"))
    with hub, pytest.raises(RuntimeError) as refused:
        hub.start()
    (said,) = str(refused.value).splitlines()
    assert said.startswith(f"The hub was not started. The course does not run with {empty}/bin/python (")
    assert "No module named 'course_utils'): install it there, or name" in said
    assert said.endswith("No file of a learner and no mark was touched.")
    assert not (hub.folder / "state").exists()


def test_encryption_needs_another_proxy(made, monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_HUB_PROXY", raising=False)
    with hubs.Hub(PYTHON, made[0], COURSE_HUB_TLS=str(tmp_path)) as hub, pytest.raises(RuntimeError) as refused:
        hub.start()
    (said,) = str(refused.value).splitlines()
    assert said.startswith("The hub was not started. COURSE_HUB_TLS needs the proxy for Node")


def test_users_are_made_for_a_while():
    with hubs.users(1) as (_, (user,)):
        assert user.home.is_dir()
        left = subprocess.Popen(user.line("sleep", "600"))
    assert not psutil.pid_exists(left.pid)
    left.wait(60)
    assert not user.home.parent.exists()
    with pytest.raises(KeyError):
        pwd.getpwnam(user.name)
