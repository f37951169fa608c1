"""What captions name, read back from the words of `describe_face`."""

import pytest
from helpers import generator

from course_utils.data.faces import HANDLES, SAYINGS, default_handles, describe_face, named_handles, sample_handles
from course_utils.data.faces.captions import obeyed

# A value of the handle at which the phrase is said, chosen by the handle's meaning, without the bounds of the classes.
AT = {
    "young": ("age", 0.0), "older": ("age", 0.65), "short": ("hair_length", 0.0), "long": ("hair_length", 1.0),
    "curly": ("hair_curl", 1.0), "black": ("hair_color", 0.0), "brown": ("hair_color", 0.3),
    "red": ("hair_color", 0.55), "blond": ("hair_color", 1.0), "grey": ("age", 1.0), "frowning": ("smile", -1.0),
    "smiling": ("smile", 1.0), "turned left": ("turn", -1.0), "turned right": ("turn", 1.0),
    "eyes closed": ("eye_open", 0.0), "brows drawn down": ("brow", -1.0), "brows raised": ("brow", 1.0),
    "lit from the left": ("light", -1.0), "lit from the right": ("light", 1.0), "glasses": ("glasses", 1.0),
}  # fmt: skip


@pytest.mark.parametrize(("handle", "phrase"), [(h, phrase) for h, phrases in SAYINGS.items() for phrase in phrases])
def test_each_phrase_is_said_where_it_holds_and_only_of_its_handle(handle, phrase):
    moved, value = AT[phrase]
    calm = named_handles(describe_face(default_handles()[0]))
    said = named_handles(describe_face(default_handles(**{moved: value})[0]))
    assert said[handle] == phrase
    if phrase != "grey":
        assert handle == moved
        assert {name: what for name, what in said.items() if name != handle} == {
            name: what for name, what in calm.items() if name != handle
        }


def test_all_that_is_said_of_a_face_is_read_back():
    """A caption is its phrases with the words around them; nothing else is said."""
    for row in sample_handles(2000, generator=generator(3)):
        caption = describe_face(row)
        named = named_handles(caption)
        rest = caption
        for phrase in named.values():
            assert rest.count(phrase) == 1
            rest = rest.replace(phrase, "")
        assert set(rest.replace(",", "").split()) <= {"a", "an", "person", "with", "hair"}, caption
        assert "hair_color" in named


def test_every_phrase_occurs_and_belongs_to_a_handle():
    captions = [describe_face(row) for row in sample_handles(2000, generator=generator(4))]
    found = {phrase for caption in captions for phrase in named_handles(caption).values()}
    assert found == {phrase for phrases in SAYINGS.values() for phrase in phrases}
    assert set(SAYINGS) < set(HANDLES)


@pytest.mark.parametrize(
    ("caption", "named"),
    [
        ("", {}),
        ("a person", {}),
        ("Smiling, GLASSES", {"smile": "smiling", "glasses": "glasses"}),
        ("lit from the right, turned left", {"light": "lit from the right", "turn": "turned left"}),
        ("unsmiling sunglasses", {}),
    ],
)
def test_parts_of_captions(caption, named):
    assert named_handles(caption) == named


def test_captions_that_contradict_themselves_or_are_none():
    with pytest.raises(ValueError, match="says 'smiling' and 'frowning', which are both about smile: leave one out"):
        named_handles("smiling, frowning")
    with pytest.raises(TypeError, match="a caption is a int: give a string"):
        named_handles(3)


def test_obeyed_by_hand():
    asked = ["a young person with red hair, smiling", "a person with grey hair, glasses", "smiling", "a person"]
    seen = ["a young person with grey hair", "a person with grey hair, glasses, smiling", "smiling", "frowning"]
    counts = obeyed(asked, seen)
    assert list(counts) == list(SAYINGS)
    assert {name: pair for name, pair in counts.items() if pair[1]} == {
        "age": (1, 1), "hair_color": (1, 2), "smile": (1, 2), "glasses": (1, 1)
    }  # fmt: skip
    with pytest.raises(ValueError, match="there are 4 captions and 3 faces"):
        obeyed(asked, seen[:3])
