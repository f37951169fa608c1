# @title Set-up: makes the course importable (run me)
# Where course_utils can be imported, nothing happens; inside a copy of the course, that copy is used; elsewhere, as on
# Colab or Kaggle, it is fetched once, beside this notebook. No installed package is ever replaced by another version.
import importlib.util, os, pathlib, subprocess, sys, tempfile

if importlib.util.find_spec("course_utils") is None:
    here, address = pathlib.Path.cwd(), os.environ.get("COURSE_REPO", "https://github.com/OWNER/REPO")
    homes = [here / "latent-spaces-course", here, *here.parents, pathlib.Path(os.path.expanduser(address)).resolve()]
    found = [home for home in homes if (home / "course_utils").is_dir() and (home / "data/lessons.json").is_file()]
    if not found:
        how = "Set the environment variable COURSE_REPO to its git address or to a folder with it, and run again."
        if "OWNER/REPO" in address:
            raise RuntimeError(f"This copy of the course has no public address yet, so nothing was fetched. {how}")
        try:
            with tempfile.TemporaryDirectory(dir=here) as folder:
                git = ["git", "clone", "-q", "--depth=1", address, f"{folder}/course"]
                done = subprocess.run(git, stderr=subprocess.PIPE, env=os.environ | {"GIT_TERMINAL_PROMPT": "0"})
                if done.returncode or not pathlib.Path(folder, "course/data/lessons.json").exists():
                    raise OSError(done.stderr.decode(errors="replace"))
                found = [pathlib.Path(folder, "course").rename(homes[0])]
        except OSError as error:
            raise RuntimeError(f"{address} did not give the whole course. {how}\n{error}") from error
    sys.path.insert(0, str(found[0]))
    for name in ("anywidget", "psygnal", "safetensors"):  # the only ones that such a machine may lack
        if importlib.util.find_spec(name) is None:
            subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", name], check=True)
if "google.colab" in sys.modules:
    importlib.import_module("google.colab.output").enable_custom_widget_manager()
