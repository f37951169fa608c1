# @title Set-up: makes the course importable (run me)
# Makes the course's package importable. Where it already is, nothing happens; on Colab or Kaggle the course is fetched
# once into a folder beside this notebook. No installed package is ever replaced by another version.
import importlib.util, os, pathlib, subprocess, sys, tempfile

if importlib.util.find_spec("course_utils") is None:
    home = pathlib.Path("latent-spaces-course").resolve()
    if not (home / "course_utils").is_dir():
        address = os.environ.get("COURSE_REPO", "https://github.com/OWNER/REPO")
        how = "Set the environment variable COURSE_REPO to its git address or to a folder with it, and run again."
        if "OWNER/REPO" in address:
            raise RuntimeError(f"This copy of the course has no public address yet, so nothing was fetched. {how}")
        with tempfile.TemporaryDirectory(dir=home.parent) as folder:
            course = pathlib.Path(folder, "course")
            git = ["git", "clone", "-q", "--depth=1", address, str(course)]
            done = subprocess.run(git, capture_output=True, text=True)
            if done.returncode or not all((course / n).exists() for n in ("course_utils", "data/lessons.json")):
                raise RuntimeError(f"{address} did not give the whole course. {how}\n{done.stderr}")
            course.rename(home)
    sys.path.insert(0, str(home))
    for name in ("anywidget", "psygnal", "safetensors"):  # the only ones that such a machine may lack
        if importlib.util.find_spec(name) is None:
            subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", name], check=True)
if "google.colab" in sys.modules:
    importlib.import_module("google.colab.output").enable_custom_widget_manager()
