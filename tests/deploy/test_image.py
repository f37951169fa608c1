"""What can be said of the image, the chart's values and Binder without a docker engine."""

import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from helpers import ROOT

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
VALUES = yaml.safe_load((ROOT / "deploy" / "zero-to-jupyterhub" / "values.yaml").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# Of the chart's own schema (values.schema.yaml, which refuses every other key): what of it is used here.
SCHEMA = {
    "singleuser": {
        "image": {"name": str, "tag": str},
        "cmd": list,
        "defaultUrl": str,
        "startTimeout": int,
        "uid": int,
        "fsGid": int,
        "storage": {"homeMountPath": str, "capacity": str},
        "memory": {"guarantee": str, "limit": str},
        "cpu": {"guarantee": (int, float), "limit": (int, float)},
        "extraEnv": dict,
    },
    "hub": {"concurrentSpawnLimit": int},
    "cull": {"enabled": bool, "timeout": int, "every": int},
    "prePuller": {"hook": {"enabled": bool}, "continuous": {"enabled": bool}},
}


def wrong(values: dict, schema: dict, where: str = "") -> list[str]:
    """Keys that the chart does not know, and values of another kind."""
    found = []
    for name, value in values.items():
        kind = schema.get(name)
        if isinstance(kind, dict) and isinstance(value, dict):
            found += wrong(value, kind, f"{where}{name}.")
        elif kind is None or isinstance(kind, dict) or not isinstance(value, kind):
            found.append(f"{where}{name}")
    return found


def variables(dockerfile: str) -> dict[str, str]:
    """What ENV sets."""
    block = re.search(r"^ENV ((?:.*\\\n)*.*)", dockerfile, re.MULTILINE)[1]
    return dict(re.findall(r"(\w+)=(\S+)", block))


def python_of(text: str) -> str:
    return re.search(r"python[:-](\d+\.\d+)", text)[1]


def test_the_charts_values_have_its_keys():
    assert wrong(VALUES, SCHEMA) == []
    assert wrong({"singleuser": {"memory": {"limits": "1G"}, "uid": "1000"}}, SCHEMA) == [
        "singleuser.memory.limits",
        "singleuser.uid",
    ]


def test_chart_and_image_agree():
    user = VALUES["singleuser"]
    assert f"USER {user['uid']}\n" in DOCKERFILE
    assert f"--uid {user['uid']} " in DOCKERFILE
    assert f"WORKDIR {user['storage']['homeMountPath']}\n" in DOCKERFILE
    assert user["extraEnv"].items() <= variables(DOCKERFILE).items()
    requirement = (ROOT / "deploy" / "hub" / "requirements.txt").read_text()
    assert re.search(r'ARG JUPYTERHUB="(.*)"', DOCKERFILE)[1] in requirement.splitlines()


def test_the_image_has_all_that_the_wheel_is_made_of():
    copied = {word for line in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()}
    project = PROJECT["project"]
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {
        project["readme"],
        *project["license-files"],
        *wheel["packages"],
        *wheel["force-include"],
        "pyproject.toml",
    }
    assert copied == needed
    kept = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().split()
    assert {line.removeprefix("!") for line in kept if line.startswith("!")} == needed


def test_nobody_is_root_in_the_image():
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["1000"]
    after = DOCKERFILE.partition("USER 1000")[2]
    assert "RUN" not in re.findall(r"^[A-Z]+", after, re.MULTILINE)


@pytest.mark.parametrize("text", [DOCKERFILE, (ROOT / ".binder" / "runtime.txt").read_text()])
def test_the_course_allows_the_python(text):
    from course_utils.command.machine import meets

    assert meets(python_of(text), PROJECT["project"]["requires-python"])


def test_binder_installs_the_course_and_nothing_else():
    folder = ROOT / ".binder"
    assert sorted(path.name for path in folder.iterdir()) == ["postBuild", "requirements.txt", "runtime.txt", "start"]
    assert (folder / "requirements.txt").read_text() == "-e .\n"
    assert all(os.access(folder / name, os.X_OK) for name in ("postBuild", "start"))


def test_binder_prepares_the_lessons_and_starts_what_it_is_given(tmp_path):
    import subprocess
    import sys

    work = tmp_path / "work"
    environment = os.environ | {"COURSE_WORK": str(work), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    options = {"cwd": ROOT, "env": environment, "check": True, "capture_output": True, "text": True}
    said = subprocess.run([ROOT / ".binder" / "postBuild"], **options).stdout
    assert f"copied to {work}." in said
    assert (work / "00_start_here.ipynb").is_file()
    show = "import os; print(os.environ['GOMP_SPINCOUNT'], os.environ['OMP_NUM_THREADS'])"
    assert subprocess.run([ROOT / ".binder" / "start", "python", "-c", show], **options).stdout == "2000 1\n"
