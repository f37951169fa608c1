"""The list of the lessons, as the builder writes it into data/lessons.json."""

import re
from dataclasses import dataclass

from course_utils import stored
from course_utils.files import data_dir

# What the text of an exercise says of its length: "*Easy, about 10 minutes.*"
MINUTES = re.compile(r"(?i)[*(](?:easy|medium|hard|difficulty \d of \d),\s+(?:about\s+)?(\d+)\s+minutes?\b")


@dataclass(frozen=True)
class Lesson:
    """One lesson: what it is called, how long it was measured to run, and how long it takes to learn."""

    number: str  # two digits, "02"
    slug: str  # the rest of the file's name, "autoencoders"
    title: str  # the lesson's heading, without its number
    question: str  # the question that the lesson answers
    seconds: float | None = None  # the complete lesson on a CPU, kernel start included; None: not measured yet
    images_per_second: float | None = None  # `training.measure_speed` of the CPU that measured `seconds`
    gpu_seconds: float | None = None  # the same lesson on a GPU, where one was at hand
    core_minutes: int | None = None  # what a learner needs, as the builder estimates it; None: an older list
    further_minutes: int = 0  # the same for the sections after the core, each of which can be skipped

    @property
    def file_name(self) -> str:
        """Name of the notebook, the same among the learner's lessons and the solutions.

        >>> Lesson("02", "autoencoders", "Autoencoders", "How small?").file_name
        '02_autoencoders.ipynb'
        """
        return f"{self.number}_{self.slug}.ipynb"

    def expected_seconds(self, images_per_second: float | None) -> float | None:
        """How long the lesson should take on a CPU of this measured speed, in seconds.

        ``seconds * self.images_per_second / images_per_second``: all of the lesson is taken to scale with the speed
        of training, so it is a guide and no promise. ``seconds`` itself where either speed is not known.

        >>> Lesson("02", "autoencoders", "", "", seconds=40.0, images_per_second=1000.0).expected_seconds(500.0)
        80.0
        """
        if self.seconds is None or not self.images_per_second or not images_per_second:
            return self.seconds
        return self.seconds * self.images_per_second / images_per_second


def load_lessons() -> tuple[Lesson, ...]:
    """The lessons in teaching order, read from data/lessons.json.

    Raises:
        FileNotFoundError: The list is not there; the message says how to make it.
        ValueError: It cannot be read as the list of lessons.
    """
    path = data_dir() / "lessons.json"
    again = "Run tools/build_notebooks.py in a checkout of the course, or install the course again."
    try:
        return tuple(Lesson(**entry) for entry in stored.verify(path)["lessons"])
    except FileNotFoundError:
        raise FileNotFoundError(f"The list of lessons {path} is missing. {again}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"The list of lessons {path} cannot be read ({error}). {again}") from error


def __getattr__(name: str):
    """``LESSONS`` is read when it is first asked for, so importing this module never fails."""
    if name == "LESSONS":
        globals()["LESSONS"] = load_lessons()
        return globals()["LESSONS"]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
