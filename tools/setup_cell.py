# @title Set-up: makes the course importable (run me)
# Makes the course's package importable. Where it already is, nothing happens; inside a copy of the course that copy is
# used; elsewhere, as on Colab or Kaggle, the course is fetched once into a folder beside this notebook. No installed
# package is ever replaced by another version.
import importlib.util, os, pathlib, subprocess, sys, tempfile

if importlib.util.find_spec("course_utils") is None:
    here, address = pathlib.Path.cwd(), os.environ.get("COURSE_REPO", "https://github.com/OWNER/REPO")
    how = "Set the environment variable COURSE_REPO to its git address or to a folder with it, and run again."
    fetched, given = here / "latent-spaces-course", pathlib.Path(os.path.expanduser(address)).resolve()

    def is_course(folder):
        return all((folder / name).exists() for name in ("course_utils", "data/lessons.json"))

    home = next(filter(is_course, (fetched, here, *here.parents, given)), None)
    if home is None:
        if "OWNER/REPO" in address:
            raise RuntimeError(f"This copy of the course has no public address yet, so nothing was fetched. {how}")
        try:
            with tempfile.TemporaryDirectory(dir=here) as folder:
                course = pathlib.Path(folder, "course")
                git = ["git", "clone", "-q", "--depth=1", address, str(course)]
                silent = os.environ | {"GIT_TERMINAL_PROMPT": "0"}  # nobody could answer git's question for a password
                done = subprocess.run(git, capture_output=True, text=True, errors="replace", env=silent)
                if done.returncode or not is_course(course):
                    raise OSError(done.stderr)
                home = course.rename(fetched)
        except OSError as error:
            raise RuntimeError(f"{address} did not give the whole course. {how}\n{error}") from error
    sys.path.insert(0, str(home))
    for name in ("anywidget", "psygnal", "safetensors"):  # the only ones that such a machine may lack
        if importlib.util.find_spec(name) is None:
            pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", name]
            done = subprocess.run(pip, capture_output=True, text=True, errors="replace")
            if done.returncode:
                raise RuntimeError(f"{name} is missing, and pip could not install it: do so by hand.\n{done.stderr}")
if "google.colab" in sys.modules:
    importlib.import_module("google.colab.output").enable_custom_widget_manager()
