"""JupyterHub for a class on one Linux machine, whose learners are users of it; README.md says how to set it up.

    jupyterhub --config deploy/hub/jupyterhub_config.py

It is started by root, who alone may start a server as somebody else. Each learner's server and kernels belong to the
learner's own user, so the system itself keeps the files of one from the others. What environment variables can set:

    COURSE_HUB_ADDRESS   where browsers reach the hub (default: http://:8000)
    COURSE_HUB_TLS       a folder with key.pem and cert.pem (default: none, and passwords can be read on the way)
    COURSE_HUB_GROUP     the users of this group may log in (default: learners)
    COURSE_HUB_ADMINS    of these users, with commas between them, who sees the hub's page Admin, may stop servers, and
                         may enter every learner's server (default: nobody)
    COURSE_HUB_STATE     a folder of root's for what the hub keeps: who is logged in, whose server runs where (default:
                         /var/lib/latent-spaces-hub)
    COURSE_HUB_RUN       a folder on a local disk for the sockets of the kernels, a short path (default:
                         /run/latent-spaces-hub)
    COURSE_HUB_PROXY     the proxy's command (default: the one from PyPI; README.md says which is better)
    COURSE_HUB_IDLE      seconds after which an idle learner's server is stopped (default: 3600)
    COURSE_PYTHON        the Python that has the course (default: the hub's own)
    COURSE_SEAT_MEMORY   what one kernel may allocate: a stop for a runaway one, nothing is reserved (default: 3G)
    COURSE_SEAT_THREADS  how many threads one kernel computes with (default: 1)
"""

import asyncio
import os
import pwd
import secrets
import subprocess
import sys
from pathlib import Path

from jupyterhub.proxy import ConfigurableHTTPProxy
from tornado.ioloop import PeriodicCallback
from tornado.web import HTTPError

c = get_config()  # noqa: F821  JupyterHub gives it

PYTHON = os.environ.get("COURSE_PYTHON", sys.executable)
STATE = Path(os.environ.get("COURSE_HUB_STATE", "/var/lib/latent-spaces-hub"))
RUN = Path(os.environ.get("COURSE_HUB_RUN", "/run/latent-spaces-hub"))

# ---------------------------------------------------------------- no hub without the course

LOOK = """
import importlib.util, course_utils
from course_utils.files import notebooks_dir
needed = ("jupyterhub", "jupyterlab", "ipykernel", "torch")
missing = [name for name in needed if importlib.util.find_spec(name) is None]
assert not missing, "no " + " and no ".join(missing)
assert any(notebooks_dir().glob("*.ipynb")), f"no lessons in {notebooks_dir()}"
"""


def course_missing() -> str:
    """One sentence where PYTHON cannot run the course, or nothing."""
    try:
        found = subprocess.run([PYTHON, "-c", LOOK], cwd="/", capture_output=True, text=True, timeout=300)
        why = "" if found.returncode == 0 else (found.stderr.strip().splitlines() or ["it failed"])[-1]
    except (OSError, subprocess.TimeoutExpired) as error:
        why = str(error)
    return why and (
        f"The course does not run with {PYTHON} ({why}): install it there, or name the Python that has it in "
        "COURSE_PYTHON. No file of a learner and no mark was touched."
    )


if complaint := course_missing():
    raise SystemExit(f"The hub was not started. {complaint}")


async def before_server(spawner):
    """Each time before a learner's server starts: is the course still there? And a folder for the kernels' sockets."""
    if complaint := await asyncio.to_thread(course_missing):  # the hub serves the others meanwhile
        error = HTTPError(500, complaint)
        error.jupyterhub_message = f"Your server was not started. {complaint}"  # what the learner's page shows
        raise error
    user = pwd.getpwnam(spawner.user.name)
    folder = RUN / user.pw_name
    folder.mkdir(mode=0o700, exist_ok=True)
    os.chown(folder, user.pw_uid, user.pw_gid)


# ---------------------------------------------------------------- the hub survives its own restart

STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
RUN.mkdir(parents=True, exist_ok=True)
RUN.chmod(0o755)
token = STATE / "proxy-token"
if not token.exists():
    os.close(os.open(token, os.O_CREAT | os.O_WRONLY, 0o600))
    token.write_text(secrets.token_hex(32))


class Running:
    """A process that an earlier hub has started."""

    def __init__(self, pid: int):
        self.pid = pid

    def poll(self) -> int | None:
        """None while it runs, as `subprocess.Popen` has it."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 1
        return None


class KeptProxy(ConfigurableHTTPProxy):
    """The proxy, which a new hub would else end and start again: browsers would lose their kernels for a moment."""

    async def start(self):
        """Take the proxy that an earlier hub has left, or start one."""
        if self._check_running_callback is not None:
            self._check_running_callback.stop()
        try:
            running = Running(int(Path(self.pid_file).read_text()))
            left = b"configurable-http-proxy" in Path(f"/proc/{running.pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            left = False
        if not left:  # another process may have its number by now: JupyterHub would end that
            Path(self.pid_file).unlink(missing_ok=True)
            return await super().start()
        try:
            await self.get_all_routes()
        except Exception:  # it does not answer, or not to us: JupyterHub ends it
            return await super().start()
        self.proxy_process = running
        self._check_running_callback = PeriodicCallback(self.check_running, 1000 * self.check_running_interval)
        self._check_running_callback.start()


c.JupyterHub.proxy_class = KeptProxy
c.JupyterHub.db_url = f"sqlite:///{STATE}/hub.sqlite"
c.JupyterHub.cookie_secret_file = str(STATE / "cookie-secret")  # learners stay logged in
c.JupyterHub.cleanup_servers = False  # their servers and kernels go on
c.JupyterHub.cleanup_proxy = False  # and so does what connects browsers with them
c.ConfigurableHTTPProxy.auth_token = token.read_text()
c.ConfigurableHTTPProxy.pid_file = str(RUN / "proxy.pid")  # forgotten when the machine starts anew
PROXY = os.environ.get("COURSE_HUB_PROXY", str(Path(sys.executable).with_name("configurable-http-proxy")))
c.ConfigurableHTTPProxy.command = [PROXY]

# ---------------------------------------------------------------- who may come in, and where

c.JupyterHub.bind_url = os.environ.get("COURSE_HUB_ADDRESS", "http://:8000")
if tls := os.environ.get("COURSE_HUB_TLS"):
    if "COURSE_HUB_PROXY" not in os.environ:
        raise SystemExit(
            "The hub was not started. COURSE_HUB_TLS needs the proxy for Node, which COURSE_HUB_PROXY names: the one "
            "from PyPI cannot encrypt. `npm install --global configurable-http-proxy` installs it."
        )
    c.JupyterHub.ssl_key, c.JupyterHub.ssl_cert = f"{tls}/key.pem", f"{tls}/cert.pem"
c.JupyterHub.authenticator_class = "pam"  # name and password of the machine's own users
c.PAMAuthenticator.open_sessions = False
c.LocalAuthenticator.allowed_groups = {os.environ.get("COURSE_HUB_GROUP", "learners")}
c.Authenticator.admin_users = {one.strip() for one in os.environ.get("COURSE_HUB_ADMINS", "").split(",") if one.strip()}

# ---------------------------------------------------------------- a seat

# It copies the lessons that are missing into the learner's `latent-spaces`, and becomes the learner's JupyterLab.
c.Spawner.cmd = [PYTHON, "-m", "course_utils", "lab", "--hub"]
# Kernels talk through sockets in a folder that only their learner can enter. By the default, ports of the machine,
# everybody on it could listen to what a kernel prints.
c.Spawner.args = ["--KernelManager.transport=ipc"]
c.Spawner.pre_spawn_hook = before_server
c.Spawner.environment = {
    # Commands of the course's Python are found by name: nbgrader calls alembic so.
    "PATH": os.pathsep.join((str(Path(PYTHON).parent), os.environ.get("PATH", os.defpath))),
    "JUPYTER_RUNTIME_DIR": lambda spawner: str(RUN / spawner.user.name),
    "OMP_NUM_THREADS": os.environ.get("COURSE_SEAT_THREADS", "1"),
    "GOMP_SPINCOUNT": "2000",  # a thread that waits soon leaves its core to a neighbour
}
c.Spawner.mem_limit = os.environ.get("COURSE_SEAT_MEMORY", "3G")
c.Spawner.default_url = "/lab/tree/00_start_here.ipynb"
c.Spawner.start_timeout = c.Spawner.http_timeout = 300  # thirty servers that start at once on few cores take their time
c.JupyterHub.concurrent_spawn_limit = 0  # a whole class comes in the same minute

# ---------------------------------------------------------------- seats that nobody uses

IDLE = os.environ.get("COURSE_HUB_IDLE", "3600")
c.JupyterHub.services = [
    {"name": "idle-culler", "command": [sys.executable, "-m", "jupyterhub_idle_culler", f"--timeout={IDLE}"]}
]
c.JupyterHub.load_roles = [
    {
        "name": "idle-culler",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["idle-culler"],
    }
]
