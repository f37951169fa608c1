import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

from course_utils import checks, files, recipes
from course_utils.command import cli, lab, workspace


def complaint(capsys, *arguments, status=2):
    """The one sentence on stderr that these words on the command line lead to."""
    assert cli.main(list(arguments)) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("course: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


def test_unknown_commands_and_options(capsys):
    assert "did you mean doctor?" in complaint(capsys, "docter")
    assert "use one of lab, doctor, train, maps, progress" in complaint(capsys, "zzz")
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


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.loads(answer.read())


def start_lab(tmp_path, *options):
    """Start the real thing; returns the process and the first lines it printed, once it has said its address."""
    home = {
        name: str(tmp_path / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    }
    variables = os.environ | home | {"COURSE_WORK": str(tmp_path / "work"), "PYTHONUNBUFFERED": "1"}
    variables.pop("JUPYTER_TOKEN", None)
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "course_utils", "lab", "--no-browser", *options], env=variables, stdout=log, stderr=log
    )
    for _ in range(480):
        said = (tmp_path / "log").read_text()
        if "Ctrl-C here stops it." in said:
            return process, said
        assert process.poll() is None, said
        time.sleep(0.125)
    process.kill()
    raise AssertionError(said)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_lab_really_opens_at_lesson_00(tmp_path):
    port = free_port()
    process, said = start_lab(tmp_path, f"--port={port}", "--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0")
    try:
        address = re.search(r"in a browser:\s+(http://\S+)", said)[1]
        base, token = re.fullmatch(r"(http://\S+)/lab/tree/00_start_here\.ipynb\?token=(\w+)", address).groups()
        assert base.endswith(f":{port}")
        status = get(f"{base}/api/status?token={token}")
        assert status["kernels"] == 0

        listed = {entry["name"] for entry in get(f"{base}/api/contents?token={token}")["content"]}
        expected = {path.name for path in files.notebooks_dir().glob("*.ipynb")}
        assert listed == expected | {"solutions"}
        lesson = get(f"{base}/api/contents/00_start_here.ipynb?token={token}")
        original = json.loads((files.notebooks_dir() / "00_start_here.ipynb").read_bytes())
        sources = ["".join(cell["source"]) for cell in original["cells"]]
        assert ["".join(cell["source"]) for cell in lesson["content"]["cells"]] == sources

        kernels = get(f"{base}/api/kernelspecs?token={token}")
        assert kernels["default"] == "python3"
        with urllib.request.urlopen(f"{base}/lab?token={token}", timeout=20) as answer:
            page = answer.read().decode()
        settings = json.loads(re.search(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
        assert settings["news"] == {"disabled": True}
        assert "@jupyterlab/apputils-extension:announcements" in settings["disabledExtensions"]  # nor a question
    finally:
        if sys.platform == "win32":
            urllib.request.urlopen(
                urllib.request.Request(f"{base}/api/shutdown?token={token}", method="POST"), timeout=5
            )
        else:
            process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0, (tmp_path / "log").read_text()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0  # nothing is left running
    assert "Traceback" not in (tmp_path / "log").read_text()
