import json
import re

import pytest

from course_utils.command import lessons
from course_utils.command.lessons import Lesson, load_lessons


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """Writes the list of lessons that is then read."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    return lambda text: (tmp_path / "lessons.json").write_text(text)


def test_the_list_that_the_builder_writes_is_read(listed):
    entry = {"number": "01", "slug": "latent_space", "title": "A title", "question": "A question?"}
    measured = {"seconds": 30.5, "images_per_second": 2000.0, "gpu_seconds": None}
    learning = {"core_minutes": 55, "further_minutes": 40}
    listed(json.dumps({"lessons": [entry | learning | measured, entry | {"number": "02"}]}))
    first, second = load_lessons()
    assert first == Lesson("01", "latent_space", "A title", "A question?", 30.5, 2000.0, None, 55, 40)
    assert (second.number, second.seconds) == ("02", None)
    assert (second.core_minutes, second.further_minutes) == (None, 0)  # a list from before learning was estimated
    assert first.file_name == "01_latent_space.ipynb"


def test_expected_time_scales_with_the_speed_of_the_machine():
    lesson = Lesson("01", "a", "b", "c?", seconds=30.0, images_per_second=2000.0)
    assert lesson.expected_seconds(500.0) == 120.0
    assert lesson.expected_seconds(None) == 30.0
    assert Lesson("01", "a", "b", "c?").expected_seconds(500.0) is None
    assert Lesson("01", "a", "b", "c?", seconds=30.0).expected_seconds(500.0) == 30.0


def test_a_missing_list_says_how_to_make_it(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"nowhere.*missing.*tools/build_notebooks\.py"):
        load_lessons()


@pytest.mark.parametrize(
    "text", ["{", "{}", "[]", '{"lessons": [{"number": "01"}]}', '{"lessons": [{"colour": "red"}]}']
)
def test_a_damaged_list_is_named(listed, tmp_path, text):
    listed(text)
    with pytest.raises(ValueError, match=re.escape(str(tmp_path / "lessons.json")) + " cannot be read"):
        load_lessons()


def test_lessons_is_the_list_of_this_course(monkeypatch):
    monkeypatch.delitem(vars(lessons), "LESSONS", raising=False)
    assert load_lessons() == lessons.LESSONS
    with pytest.raises(AttributeError, match="no attribute 'NOTHING'"):
        _ = lessons.NOTHING
