"""Put a class on one JupyterHub and measure what a learner costs; then try to lose their work and to read each other's.

uv run benchmarks/hub.py --python HUB/bin/python                      12 learners, lesson 02; print the tables
uv run benchmarks/hub.py --python HUB/bin/python --learners 3 --lesson 00
uv run benchmarks/hub.py --python HUB/bin/python --out FILE           and keep the figures
uv run benchmarks/hub.py --figures FILE --update-instructors          put the tables into docs/INSTRUCTORS.md

HUB is an environment with the course and deploy/hub/requirements.txt. The hub is a real one with the configuration of
deploy/hub, and so it needs root: each learner is a user of this machine, made for it and removed at the end. They log
in, start their servers, open the lesson, run all its cells and move an explorer by what a browser sends, all at once
and on the same machine, so that the times hold a little of this script's own work.
"""

import argparse
import contextlib
import html
import json
import math
import os
import pwd
import re
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests
import run
import websocket

from course_utils.command.assignment import core
from course_utils.command.lessons import load_lessons
from course_utils.files import write_atomically

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "deploy" / "hub" / "jupyterhub_config.py"
INSTRUCTORS = ROOT / "docs" / "INSTRUCTORS.md"
REGION = re.compile(r"(<!-- hub:begin(?: [^\n]*)? -->\n).*?(<!-- hub:end -->)", re.DOTALL)
PATIENCE = 1800  # seconds, for what hangs
MOVES = 20
KIB = 1024 / 1e6  # of what the system calls kB, in MB
CLASSES = (10, 30, 100)  # learners in the table
SHARE, SLOWER = 1 / 3, 2  # chosen: who of a class runs the core at the same moment, and how much slower it may be then
SYSTEM = 1000  # MB, for the system itself


# ---------------------------------------------------------------- the machine's users, and a hub for them


def needs() -> str:
    """Why this machine cannot run it, or nothing."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "needs root on Linux: each learner is a user of the machine."
    missing = [name for name in ("useradd", "userdel", "groupadd", "chpasswd", "setpriv") if shutil.which(name) is None]
    return f"needs {' and '.join(missing)}." if missing else ""


def hidden(python: str) -> str:
    """Why learners could not run a Python and the course, or nothing."""
    for path in map(Path, (python, os.path.realpath(python), CONFIG, ROOT / "course_utils" / "__init__.py")):
        for one in (path, *path.absolute().parents):
            if not one.exists():
                return f"finds no {one}."
            bits = 0o5 if one.is_dir() else 0o4
            if one.stat().st_mode & bits != bits:
                return f"needs root, and course and Python where every user may read them; {one} is not."
    return ""


@dataclass
class User:
    """A user of this machine, made for a while."""

    name: str
    password: str
    home: Path

    @property
    def uid(self) -> int:
        """The number by which the system knows the user."""
        return pwd.getpwnam(self.name).pw_uid

    def processes(self) -> list[psutil.Process]:
        """What runs as this user."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                found += [process] if process.uids().real == self.uid else []
        return found

    def line(self, *words: str) -> list[str]:
        """A command line that runs a command as this user, who has nothing of root's rights."""
        user = pwd.getpwnam(self.name)
        return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups", "--reset-env", *words]


@contextlib.contextmanager
def users(count: int) -> Iterator[tuple[str, list[User]]]:
    """So many users of a group of their own; afterwards they, their files and processes are gone."""
    group = f"hub{secrets.token_hex(3)}"
    homes = Path(tempfile.mkdtemp(prefix="hub-homes-"))
    homes.chmod(0o755)
    made = []
    try:
        subprocess.run(["groupadd", group], check=True)
        for number in range(1, count + 1):
            name = f"{group}n{number:02d}"
            user = User(name, secrets.token_hex(12), homes / name)
            line = ["useradd", "--create-home", "--home-dir", str(user.home), "--groups", group]
            subprocess.run([*line, "--shell", "/bin/bash", name], check=True)
            made.append(user)
            subprocess.run(["chpasswd"], input=f"{name}:{user.password}", text=True, check=True)
        yield group, made
    finally:
        for user in made:
            for _ in range(20):
                if not (left := user.processes()):
                    break
                for process in left:
                    with contextlib.suppress(psutil.Error):
                        process.kill()
                psutil.wait_procs(left, timeout=1)
            subprocess.run(["userdel", user.name], capture_output=True)
        subprocess.run(["groupdel", group], capture_output=True)
        shutil.rmtree(homes, ignore_errors=True)


def free_port() -> int:
    """A port that nobody listens to now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Hub:
    """A hub with the configuration of deploy/hub, on ports and in folders of its own.

    Args:
        python: Of the environment with JupyterHub and the course.
        group: Whose users may log in.
        settings: Further environment variables.
    """

    def __init__(self, python: str, group: str, **settings: str):
        self.folder = Path(tempfile.mkdtemp(prefix="hub-"))
        self.folder.chmod(0o755)
        self.run = self.folder / "run"
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = self.folder / "log"
        own = self.folder / "config.py"
        own.write_text(
            f"load_subconfig({str(CONFIG)!r})\nc = get_config()\nc.JupyterHub.hub_port = {free_port()}\n"
            f"c.ConfigurableHTTPProxy.api_url = 'http://127.0.0.1:{free_port()}'\n"
        )
        self.command = [python, "-m", "jupyterhub", "--config", str(own)]
        self.environment = os.environ | {
            "COURSE_HUB_ADDRESS": self.url,
            "COURSE_HUB_GROUP": group,
            "COURSE_HUB_STATE": str(self.folder / "state"),
            "COURSE_HUB_RUN": str(self.run),
        }
        for name in ("COURSE_HOME", "COURSE_WORK", "IPYTHONDIR", "VIRTUAL_ENV", "OMP_NUM_THREADS", "GOMP_SPINCOUNT"):
            self.environment.pop(name, None)  # a test's own folders are not a learner's
        self.environment |= settings
        self.process = None

    def start(self) -> None:
        """Start the hub and wait until it answers.

        Raises:
            RuntimeError: It ended, with the end of what it said.
        """
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(self.log.read_text()[-6000:])
            with contextlib.suppress(requests.RequestException):
                if requests.get(f"{self.url}/hub/health", timeout=5).ok:
                    return
            time.sleep(0.2)
        raise RuntimeError("the hub does not answer.")

    def stop(self) -> None:
        """Ask the hub to end, as a restart of the service does; servers and proxy go on."""
        self.process.terminate()
        self.process.wait(60)

    def processes(self) -> list[psutil.Process]:
        """The hub, and its proxy and culler."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                found += [process] if process.cwd() == str(self.folder) else []
        return found

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process and self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop()
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


# ---------------------------------------------------------------- a learner's browser


class Refused(Exception):
    """The server said no, with this status."""


class Learner:
    """What the browser of one learner does, with the learner's own cookies."""

    def __init__(self, hub: Hub, user: User):
        self.hub, self.user = hub, user
        self.web = requests.Session()
        self.base = f"{hub.url}/user/{user.name}"
        self.socket = self.kernel = None
        self.explorers = {}  # comm -> its state

    def log_in(self, password: str | None = None) -> None:
        """Give name and password on the hub's page."""
        page = f"{self.hub.url}/hub/login"
        self.web.get(page, timeout=PATIENCE)
        token = self._cookie("/hub/")
        fields = {"username": self.user.name, "password": password or self.user.password, "_xsrf": token}
        answer = self.web.post(page, data=fields, allow_redirects=False, timeout=PATIENCE)
        if answer.status_code != 302:
            raise Refused(answer.status_code)

    def start_server(self) -> str:
        """Start the learner's server, wait for it, and be shown its first page, whose address is returned."""
        answer = self.web.get(f"{self.hub.url}/hub/spawn", timeout=PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and answer.ok:
            address = f"{self.hub.url}/hub/api/users/{self.user.name}"
            status = self.web.get(address, timeout=PATIENCE, headers=self._from())
            if status.ok and (server := status.json()["servers"].get("")) and server["ready"]:
                return self.web.get(f"{self.base}/", timeout=PATIENCE).url
            if status.ok and not server:
                break
            time.sleep(0.2)
        raise RuntimeError(f"no server for {self.user.name}: {answer.status_code} {_text(answer)}")

    def _from(self) -> dict[str, str]:
        return {"Referer": f"{self.hub.url}/hub/home", "X-XSRFToken": self._cookie("/hub/")}

    def _cookie(self, path: str) -> str:
        return next((one.value for one in self.web.cookies if one.name == "_xsrf" and one.path == path), "")

    def ask(self, verb: str, path: str, *, of: str | None = None, **options):
        """Ask one's own server's API, or that at another address.

        Raises:
            Refused: The answer is an error, or not the API's.
        """
        headers = {"X-XSRFToken": self._cookie(f"/user/{self.user.name}/"), "Referer": f"{self.base}/lab"}
        address = f"{of or self.base}/api/{path}"
        answer = self.web.request(verb, address, headers=headers, timeout=PATIENCE, **options)
        if not answer.ok or answer.url.partition("?")[0] != address:
            raise Refused(answer.status_code)
        return answer.json() if answer.content else None

    def notebook(self, path: str) -> dict:
        """A notebook as JupyterLab reads it."""
        return self.ask("GET", f"contents/{path}")["content"]

    def save(self, path: str, content: dict) -> None:
        """Save a notebook as JupyterLab does."""
        self.ask("PUT", f"contents/{path}", json={"type": "notebook", "format": "json", "content": content})

    def open(self, path: str) -> None:
        """Begin a session, as to open a notebook does, and wait until its kernel answers."""
        body = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
        self.kernel = self.ask("POST", "sessions", json=body)["kernel"]["id"]
        self.connect()
        self.request("kernel_info_request", {})

    def connect(self, of: str | None = None, kernel: str | None = None) -> None:
        """Connect with a kernel: one's own, or that of a server at another address."""
        address = f"{of or self.base}/api/kernels/{kernel or self.kernel}/channels?session_id={uuid.uuid4().hex}"
        prepared = self.web.prepare_request(requests.Request("GET", address))  # with the cookies of that address
        self.socket = websocket.create_connection(
            f"ws{address.removeprefix('http')}", timeout=PATIENCE, origin=address.partition("/user/")[0],
            cookie=prepared.headers.get("Cookie"),
        )  # fmt: skip

    def send(self, kind: str, content: dict) -> str:
        """Send the kernel a message, whose id is returned."""
        header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "username": "", "session": "browser", "version": "5.3"}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        self.socket.send(json.dumps(message | {"buffers": []}))
        return header["msg_id"]

    def receive(self) -> dict:
        """The next message of the kernel, without its pictures; explorers are remembered."""
        raw = self.socket.recv()
        if not raw:
            raise RuntimeError("The connection with a kernel was closed: look at the server's log.")
        if isinstance(raw, bytes):
            start, end = (int.from_bytes(raw[4 * k : 4 * k + 4], "big") for k in (1, 2))
            raw = raw[start:end] if int.from_bytes(raw[:4], "big") > 1 else raw[start:]
        message = json.loads(raw)
        content = message["content"]
        state = content.get("data", {}).get("state", {}) if message["msg_type"].startswith("comm_") else {}
        if message["msg_type"] == "comm_open" and "_answer" in state:
            self.explorers[content["comm_id"]] = state
        elif content.get("comm_id") in self.explorers:
            self.explorers[content["comm_id"]] |= state
        return message

    def replies(self, asked: set[str], listen: Callable[[dict], object] = lambda message: None) -> dict[str, dict]:
        """Wait for the replies to these messages, by their ids."""
        found = {}
        while set(found) < asked:
            message = self.receive()
            parent = message["parent_header"].get("msg_id")
            listen(message)
            if parent in asked and message["channel"] == "shell":
                found[parent] = message["content"]
        return found

    def request(self, kind: str, content: dict) -> dict:
        """Ask the kernel something; its reply."""
        asked = self.send(kind, content)
        return self.replies({asked})[asked]

    def execute(self, code: str) -> str:
        """Run code; what it prints."""
        asked = self.send("execute_request", {"code": code, "store_history": False})
        said, idle = [], False
        while not idle:
            message = self.receive()
            if message["parent_header"].get("msg_id") == asked:
                said += [message["content"]["text"]] if message["msg_type"] == "stream" else []
                said += [message["content"]["evalue"]] if message["msg_type"] == "error" else []
                idle = message["content"].get("execution_state") == "idle"
        return "".join(said).strip()

    def run_all(self, cells: list[str], done: Callable[[int], object] = lambda count: None) -> list[str]:
        """Send all cells at once, as *Run All* does, and wait for the last; the errors that they raised."""
        asked = [self.send("execute_request", {"code": cell, "stop_on_error": True}) for cell in cells]
        ended = []

        def listen(message):
            if message["msg_type"] == "execute_reply" and message["parent_header"].get("msg_id") in asked:
                ended.append(message)
                done(len(ended))

        replies = self.replies(set(asked), listen)
        return [reply.get("evalue", reply["status"]) for reply in replies.values() if reply["status"] != "ok"]

    def move(self, turn: int) -> float:
        """Move the explorer that was made last, by the message that its front end sends; milliseconds to the answer."""
        comm = list(self.explorers)[-1]
        start = self.explorers[comm]["_spec"]["start"]
        token, shift = f"m{uuid.uuid4().hex[:8]}", 0.1 * math.sin(1.0 + turn)
        value = [one + shift for one in start] if isinstance(start, list) else abs(shift)
        state = {"value": value, "_ask": token}
        begin = time.perf_counter()
        self.send("comm_msg", {"comm_id": comm, "data": {"method": "update", "state": state, "buffer_paths": []}})
        while self.explorers[comm]["_answer"]["token"] != token:
            self.receive()
        if error := self.explorers[comm]["_answer"]["error"]:
            raise RuntimeError(error)
        return 1000 * (time.perf_counter() - begin)

    def process(self, which: str) -> psutil.Process:
        """The process of the learner's `kernel` or `server`."""
        word = {"kernel": "kernel-", "server": "jupyterhub.singleuser"}[which]
        for process in self.user.processes():
            with contextlib.suppress(psutil.Error):
                if any(word in one for one in process.cmdline()):
                    return process
        raise RuntimeError(f"{self.user.name} has no {which}.")


def _text(answer: requests.Response) -> str:
    """What a page says, without its marks."""
    return " ".join(
        html.unescape(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", answer.text, flags=re.DOTALL)).split()
    )


def at_once(learners: list[Learner], what: Callable[[Learner], object]) -> list:
    """What comes of it where all do it at the same time."""
    with ThreadPoolExecutor(len(learners)) as pool:
        return list(pool.map(what, learners))


# ---------------------------------------------------------------- what a learner costs


def megabytes(process: psutil.Process) -> dict[str, float]:
    """Resident memory of a process; of it what it has alone, and its share of what it has with others."""
    with open(f"/proc/{process.pid}/smaps_rollup") as lines:
        found = {line.split(":")[0]: KIB * int(line.split()[1]) for line in lines if line.rstrip().endswith("kB")}
    own = found["Private_Clean"] + found["Private_Dirty"]
    return {"resident": found["Rss"], "own": own, "share": found["Pss"] - own}


def memory(learners: list[Learner], which: str) -> dict[str, float]:
    """Of all learners' kernels or servers: the median of each number, and the sum of the shares as `shared`."""
    found = [megabytes(one.process(which)) for one in learners]
    middle = {name: statistics.median(one[name] for one in found) for name in ("resident", "own")}
    return middle | {"shared": sum(one["share"] for one in found)}


def processor(process: psutil.Process) -> float:
    """Seconds of a processor that it has used."""
    times = process.cpu_times()
    return times.user + times.system


def virtual(process: psutil.Process) -> float:
    """What a process has asked for, used or not, in MB: what a limit of memory counts."""
    with open(f"/proc/{process.pid}/status") as lines:
        return next(KIB * int(line.split()[1]) for line in lines if line.startswith("VmData"))


class Peak:
    """The most that the learners' processes ever had of their own together, looked at every few seconds, in MB."""

    def __init__(self, learners: list[Learner], every: float = 10):
        self.learners, self.every, self.most = learners, every, 0.0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self.ended.wait(self.every):
            total = 0.0
            for learner in self.learners:
                for process in learner.user.processes():
                    with contextlib.suppress(psutil.Error, OSError, KeyError):
                        total += megabytes(process)["own"]
            self.most = max(self.most, total)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.ended.set()
        self.thread.join()


@dataclass
class Lesson:
    """A lesson as its learner runs it: the code of its cells, and how many of them are its core."""

    path: str
    cells: list[str]
    core: int


def lesson(number: str) -> Lesson:
    """The learner's notebook of a lesson."""
    one = next(one for one in load_lessons() if one.number == number)
    path = f"{one.number}_{one.slug}.ipynb"
    cells = json.loads((ROOT / "notebooks" / path).read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    kept = [cell["id"] for cell in core(cells)]
    return Lesson(path, ["".join(cell["source"]) for cell in code], sum(cell["id"] in kept for cell in code))


def measure(hub: Hub, learners: list[Learner], taken: Lesson) -> dict[str, float | list[float]]:
    """A class from the login to the last explorer; all numbers by name."""
    figures = {"learners": len(learners), "cores": os.cpu_count(), "load before": os.getloadavg()[0]}
    begin = time.monotonic()

    def come_in(one):
        one.log_in()
        logged_in = time.monotonic() - begin
        one.start_server()
        server = time.monotonic() - begin
        one.open(taken.path)
        return logged_in, server, time.monotonic() - begin

    times = list(zip(*at_once(learners, come_in), strict=True))
    figures |= dict(zip(("logged in", "server", "kernel"), map(list, times), strict=True))

    kernels = {one: one.process("kernel") for one in learners}
    before = {one: processor(process) for one, process in kernels.items()}
    running, begin = set(learners), time.monotonic()
    in_core, meanwhile = {}, []

    def run_all(one):
        def done(count):
            if count == taken.core:
                in_core[one] = time.monotonic() - begin, processor(kernels[one]) - before[one]

        errors = one.run_all(taken.cells, done)
        if errors:
            raise RuntimeError(f"{one.user.name}: {errors}")
        seconds, used = time.monotonic() - begin, processor(kernels[one]) - before[one]
        running.discard(one)
        for turn in range(5):
            if running:
                meanwhile.append(one.move(turn))
        return seconds, used

    with Peak(learners) as peak:
        figures["all cells"], figures["processor"] = map(list, zip(*at_once(learners, run_all), strict=True))
    figures["core"], figures["processor of core"] = map(list, zip(*in_core.values(), strict=True))
    figures["own together at most"] = peak.most
    for which in ("kernel", "server"):
        figures |= {f"{which} {name}": value for name, value in memory(learners, which).items()}
    figures["hub"] = sum(megabytes(one)["own"] for one in hub.processes())

    moved = at_once(learners, lambda one: [one.move(turn) for turn in range(MOVES)])
    figures["move, all at once"] = [ms for one in moved for ms in one]
    one = learners[0]
    figures["move, alone"] = [one.move(turn) for turn in range(MOVES)]
    if len(learners) > 1:
        busy, free = learners[::2], learners[1::2]
        for other in busy:
            other.again = [other.send("execute_request", {"code": cell}) for cell in taken.cells]
        time.sleep(5)

        def move(one):
            found = []
            for turn in range(MOVES):
                found.append(one.move(turn))
                time.sleep(1)
            return found

        meanwhile += [ms for one in at_once(free, move) for ms in one]
        figures["virtual data of a kernel"] = max(virtual(kernels[one]) for one in learners)
        for other in busy:
            other.ask("POST", f"kernels/{other.kernel}/interrupt")
        at_once(busy, lambda other: other.replies(set(other.again)))
    figures["move, while others run"] = meanwhile
    figures["load after"] = os.getloadavg()[0]
    return figures


# ---------------------------------------------------------------- nothing is lost, and nobody reads another's

LOOK_AROUND = """
import json, os, pathlib, socket, sys
home, run, pids = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3].split(",")
done = []

def attempt(what, act):
    try:
        act()
    except (OSError, IndexError):
        return
    done.append(what)

def meet(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(str(path))

def key():
    return json.loads(next(iter([*run.glob("kernel-*.json")][:1] or [run / "kernel-0.json"])).read_text())["key"]

attempt("list the lessons", lambda: os.listdir(home / "latent-spaces"))
attempt("read a lesson", lambda: (home / "latent-spaces" / "00_start_here.ipynb").read_bytes())
attempt("write into the lessons", lambda: (home / "latent-spaces" / "trace").write_text("x"))
attempt("list the kernels", lambda: os.listdir(run))
attempt("read a kernel's key", key)
attempt("connect to a kernel", lambda: meet(sys.argv[4]))
attempt("read a kernel's memory", lambda: open(f"/proc/{pids[0]}/mem", "rb"))
attempt("read the server's token", lambda: open(f"/proc/{pids[1]}/environ", "rb").read())
attempt("stop a kernel", lambda: os.kill(int(pids[0]), 0))
print(json.dumps(done))
"""


def reached_by_system(hub: Hub, who: User, whose: Learner) -> list[str]:
    """Of what a user of the machine might try with another's files and processes: what worked."""
    folder = hub.run / whose.user.name
    pids = ",".join(str(whose.process(which).pid) for which in ("kernel", "server"))
    sockets = sorted(folder.glob(f"kernel-{whose.kernel}-ipc-*"))
    line = ["-c", LOOK_AROUND, str(whose.user.home), str(folder), pids, str(sockets[0])]
    line = who.line(hub.command[0], *line)
    found = subprocess.run(line, cwd="/", capture_output=True, text=True, timeout=PATIENCE)
    if found.returncode:
        raise RuntimeError(found.stderr)
    return json.loads(found.stdout)


def reached_by_web(who: Learner, whose: Learner) -> list[str]:
    """Of what a browser with one learner's cookies might ask another's server, by the hub and directly: what worked."""
    (port,) = {
        one.laddr.port for one in whose.process("server").net_connections("tcp") if one.status == psutil.CONN_LISTEN
    }
    done = []
    name = whose.user.name
    for where, address in (("hub", whose.base), ("port", f"http://127.0.0.1:{port}/user/{name}")):
        for path in ("contents", "contents/00_start_here.ipynb", "sessions", "kernels", "terminals", "status"):
            with contextlib.suppress(Refused):
                who.ask("GET", path, of=address)
                done.append(f"{where}: {path}")
        with contextlib.suppress(Refused):
            who.ask("POST", f"kernels/{whose.kernel}/interrupt", of=address)
            done.append(f"{where}: interrupt")
        visitor = Learner(who.hub, who.user)
        visitor.web = who.web
        with contextlib.suppress(websocket.WebSocketException):
            visitor.connect(address, whose.kernel)
            visitor.socket.close()
            done.append(f"{where}: channels")
    return done


LISTEN = """
import sys, time, zmq
ports, until, heard = sys.argv[1].split(","), time.time() + float(sys.argv[2]), b""
socket = zmq.Context.instance().socket(zmq.SUB)
socket.subscribe(b"")
for port in filter(None, ports):
    socket.connect(f"tcp://127.0.0.1:{port}")
print("listening", flush=True)
while time.time() < until:
    if socket.poll(100):
        heard += b"".join(socket.recv_multipart())
print(heard)
"""


def overheard(who: User, python: str, kernel: psutil.Process, say: Callable[[], object]) -> str:
    """What a user of the machine hears at the ports on which another's kernel listens, while it prints something.

    Args:
        who: Who listens.
        python: Of an environment with pyzmq.
        kernel: The process of the kernel.
        say: Makes the kernel print.
    """
    ports = [one.laddr.port for one in kernel.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    line = who.line(python, "-c", LISTEN, ",".join(map(str, ports)), "4")
    with subprocess.Popen(line, cwd="/", stdout=subprocess.PIPE, text=True) as listener:
        listener.stdout.readline()
        time.sleep(0.5)
        say()
        return listener.stdout.read()


def lose_a_kernel(one: Learner, path: str, others: list[Learner]) -> dict[str, float]:
    """Kill a learner's kernel: the file is what was saved, the kernel comes again, and the others notice nothing.

    Raises:
        RuntimeError: It is not so.
    """
    saved = one.notebook(path)
    saved["cells"][-1]["source"] = "These words are mine."
    one.save(path, saved)
    pids = [other.process("kernel").pid for other in others]
    for other in others:
        other.execute("mine = 42")
    old = one.process("kernel")
    old.kill()
    begin = time.monotonic()
    while time.monotonic() < begin + 120:  # JupyterLab's server starts it again
        with contextlib.suppress(RuntimeError, psutil.Error):
            if one.process("kernel").pid != old.pid:
                break
        time.sleep(0.2)
    one.socket.close()
    one.connect()
    if one.execute("print('mine' in globals(), 6 * 7)") != "False 42":
        raise RuntimeError("the kernel did not come again.")
    seconds = time.monotonic() - begin
    if [cell["source"] for cell in one.notebook(path)["cells"]] != [cell["source"] for cell in saved["cells"]]:
        raise RuntimeError(f"{path} is not what was saved.")
    if at_once(others, lambda other: other.execute("print(mine)")) != ["42"] * len(others):
        raise RuntimeError("another learner's kernel has lost something.")
    if [other.process("kernel").pid for other in others] != pids:
        raise RuntimeError("another learner's kernel is another one.")
    return {"kernel killed, until it answers again": seconds}


def restart(hub: Hub, learners: list[Learner]) -> dict[str, float]:
    """Restart the hub while all kernels count: the cells go on, nothing is forgotten, and all are still logged in.

    Raises:
        RuntimeError: It is not so.
    """
    for one in learners:
        one.execute("kept = 'before'")
        one.counting = one.send("execute_request", {"code": "import time\nfor k in range(40):\n    time.sleep(0.25)"})
    begin = time.monotonic()
    hub.stop()
    for one in learners:
        one.ask("GET", "contents")  # a learner's server answers without the hub
    hub.start()
    seconds = time.monotonic() - begin
    for one in learners:
        if one.replies({one.counting})[one.counting]["status"] != "ok":
            raise RuntimeError("a cell that ran was stopped.")
        if one.execute("print(kept)") != "before":
            raise RuntimeError("a kernel has forgotten a variable.")
        one.socket.close()
        one.connect()  # by a new connection too
        if one.execute("print(kept)") != "before" or one.web.get(f"{hub.url}/hub/home").url != f"{hub.url}/hub/home":
            raise RuntimeError("a learner was logged out, or met another kernel.")
    return {"hub restarted, until it answers again": seconds}


def reached(hub: Hub, who: Learner, whose: Learner) -> list[str]:
    """All that one learner reaches of another's; it should be nothing."""
    word = uuid.uuid4().hex
    say = lambda: whose.execute(f"print('{word}')")  # noqa: E731
    heard = overheard(who.user, hub.command[0], whose.process("kernel"), say)
    found = reached_by_system(hub, who.user, whose) + reached_by_web(who, whose)
    return found + ["hear what it prints"] * (word in heard)


def visit(python: str, count: int, taken: Lesson) -> dict:
    """A class of so many on a hub, measured; then work is to be lost, and another's to be read.

    Raises:
        RuntimeError: It was.
    """
    with users(count) as (group, made), Hub(python, group) as hub:
        hub.start()
        learners = [Learner(hub, user) for user in made]
        figures = {"lesson": taken.path[:2], "machine": run.machine("torch", "jupyterlab")}
        figures |= measure(hub, learners, taken)
        figures |= lose_a_kernel(learners[0], taken.path, learners[1:])
        figures |= restart(hub, learners)
        if found := reached(hub, learners[0], learners[1]):
            raise RuntimeError(f"one learner reaches another's: {', '.join(found)}.")
    return figures


# ---------------------------------------------------------------- tables


def middle(values: list[float]) -> float:
    return statistics.median(values)


def parts(figures: dict) -> tuple[float, float]:
    """Of memory in MB: what the hub and all learners have once, and what each learner adds."""
    own = figures["kernel own"] + figures["server own"]
    shared = figures["kernel shared"] + figures["server shared"]
    return figures["hub"] + shared, max(own, figures["own together at most"] / figures["learners"])


def sizes(figures: dict, count: int) -> dict[str, float]:
    """What a class of so many needs: {"memory": GB, "second": GB, "cores": ..., "together": s, "everybody": s}.

    `second` is the memory where each learner has two lessons open.
    """
    once, each = parts(figures)
    cores = max(2, math.ceil(count * SHARE / SLOWER))
    used = middle(figures["processor of core"])
    memory = (SYSTEM + once + count * each) / 1000
    return {
        "memory": memory,
        "second": memory + count * figures["kernel own"] / 1000,
        "cores": cores,
        "together": max(used, count * SHARE * used / cores),
        "everybody": max(used, count * used / cores),
    }


def sizes_table(figures: dict) -> str:
    """Processor cores and memory for classes, as Markdown."""
    rows = [
        "| learners | memory, one lesson open each | two open each | processor cores | a lesson's core takes, if a "
        "third run it at once | if all do |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for count in CLASSES:
        one = sizes(figures, count)
        rows.append(
            f"| {count} | {math.ceil(one['memory'])} GB | {math.ceil(one['second'])} GB | {one['cores']} | "
            f"{one['together']:.0f} s | {one['everybody']:.0f} s |"
        )
    return "\n".join(rows)


def measured_table(figures: dict) -> str:
    """What was measured, as Markdown."""

    def seconds(name):
        return f"{middle(figures[name]):.0f} s, {max(figures[name]):.0f} s"

    def milliseconds(name):
        values = figures[name]
        return f"{middle(values):.0f} ms, {sorted(values)[math.ceil(0.95 * len(values)) - 1]:.0f} ms"

    def kind(which):
        numbers = (figures[f"{which} {name}"] for name in ("own", "resident", "shared"))
        return "{:.0f} MB own of {:.0f} MB resident; {:.0f} MB shared by all".format(*numbers)

    rows = [
        ("logged in (median, slowest)", seconds("logged in")),
        ("server is there", seconds("server")),
        ("kernel of the lesson answers", seconds("kernel")),
        ("the lesson's core has run, all at once", seconds("core")),
        ("all its cells", seconds("all cells")),
        ("processor time of one learner's run: the core, all cells", f"{middle(figures['processor of core']):.0f} s, "
         f"{middle(figures['processor']):.0f} s"),
        ("a move of an explorer, nobody else at work (median, 95 in 100)", milliseconds("move, alone")),
        ("all move at once", milliseconds("move, all at once")),
        ("others run cells", milliseconds("move, while others run")),
        ("memory of a kernel after the lesson", kind("kernel")),
        ("memory of a learner's server", kind("server")),
        ("most that a kernel asked for", f"{figures['virtual data of a kernel']:.0f} MB"),
        ("own memory of all together, at most", f"{figures['own together at most'] / 1000:.1f} GB"),
        ("hub, proxy and culler", f"{figures['hub']:.0f} MB"),
        *((name, f"{value:.0f} s") for name, value in figures.items() if name.endswith("answers again")),
    ]  # fmt: skip
    head = [f"| {figures['learners']} learners on {figures['cores']} processor cores | |", "|---|---|"]
    return "\n".join([*head, *(f"| {name} | {value} |" for name, value in rows)])


def assumed(figures: dict) -> str:
    """From what the table of sizes follows, in sentences."""
    once, each = map(round, parts(figures))
    learners = CLASSES[1]
    return (
        f"Memory in MB is {SYSTEM} for the system, {once} for the hub and what all learners share, and {each} for each "
        f"learner; for {learners} learners {SYSTEM} + {once} + {learners} x {each} = "
        f"{SYSTEM + once + learners * each:,}. A second open lesson adds {figures['kernel own']:.0f} for each. A "
        f"lesson's core needs {middle(figures['processor of core']):.0f} seconds of one processor core. How many cores "
        f"to have is chosen: where a third of the class runs a lesson's core at the same moment, each waits {SLOWER} "
        f"times as long as somebody alone."
    )


def compared(figures: dict) -> str:
    """How the measured class and the calculated ones differ, in sentences."""
    calculated = figures["learners"] * middle(figures["processor of core"]) / figures["cores"]
    said = (
        f"Calculated like the first table, the lesson's core would take these {figures['learners']} learners "
        f"{calculated:.0f} s; measured were {middle(figures['core']):.0f} s."
    )
    if figures["load before"] > 1:
        said += (
            f" Other programs used the processor cores too: before the class about {figures['load before']:.0f} wanted "
            "one at any time."
        )
    return said


WORDS = (
    "*Resident* is all memory that a process uses, *own* what no other process has; *shared* counts once for all. "
    "*Asked for* counts also what was never used: `COURSE_SEAT_MEMORY` limits this for a kernel, and reserves nothing. "
    "*Processor time* is what a run needs on one processor core that nobody else uses."
)


def text(figures: dict) -> str:
    """All that is written into the instructors' notes."""
    lesson = figures["lesson"]
    calculated = f"Calculated from the class below, for a machine that does nothing else and lessons like {lesson}:"
    measured = f"Measured with lesson {lesson}. {compared(figures)}\n\n{measured_table(figures)}"
    return "\n\n".join([calculated, sizes_table(figures), assumed(figures), measured, WORDS, figures["machine"]])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", help="of the environment with JupyterHub and the course")
    parser.add_argument("--learners", type=int, default=12, metavar="N", help="12, or another number from 2 on")
    parser.add_argument("--lesson", default="02", metavar="NN", help="the lesson that they run")
    parser.add_argument("--out", type=Path, metavar="FILE", help="keep the figures as JSON")
    parser.add_argument("--figures", type=Path, metavar="FILE", help="measure nothing, take what --out has kept")
    parser.add_argument("--update-instructors", action="store_true", help="put the tables into docs/INSTRUCTORS.md")
    options = parser.parse_args(arguments)
    if (options.python is None) == (options.figures is None):
        parser.error("give --python, to measure, or --figures.")
    if options.learners < 2:
        parser.error("a class has at least two learners.")
    if options.figures:
        figures = json.loads(options.figures.read_text())
    else:
        if why := needs() or hidden(options.python):
            print(f"hub.py {why}", file=sys.stderr)
            return 2
        try:
            figures = visit(options.python, options.learners, lesson(options.lesson))
        except RuntimeError as error:
            print(f"hub.py: {error}", file=sys.stderr)
            return 1
    if options.out:
        write_atomically(options.out, json.dumps(figures, indent=1).encode())
    content = text(figures)
    print(content)
    if options.update_instructors:
        written = run.updated(INSTRUCTORS.read_bytes().decode(), content, REGION, "hub")
        write_atomically(INSTRUCTORS, written.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
