"""Captions as bags of phrases."""

import pytest
import torch
from helpers import generator

from course_utils.data.faces import HANDLES, PHRASES, bag_of_phrases, describe_face, sample_handles


def said(caption: str) -> set[str]:
    return {phrase for phrase, here in zip(PHRASES, bag_of_phrases(caption), strict=True) if here}


def test_a_bag_has_the_phrases_and_no_others():
    assert said("a person with brown hair") == {"brown"}
    assert said("a young person with short curly grey hair, frowning, turned right, lit from the left") == {
        "young", "short", "curly", "grey", "frowning", "turned right", "lit from the left",
    }  # fmt: skip
    assert said("Smiling, brows raised, eyes closed") == {"smiling", "brows raised", "eyes closed"}
    assert said("turned left, lit from the right") != said("turned right, lit from the left")
    assert not bag_of_phrases("").any()


def test_every_caption_can_be_said_and_every_phrase_comes_up():
    handles = sample_handles(2000, generator=generator(0))
    bag = bag_of_phrases([describe_face(row) for row in handles])
    assert bag.shape == (2000, len(PHRASES))
    assert (bag.sum(0) > 20).all()
    assert bag[:, [PHRASES.index(color) for color in ("black", "brown", "red", "blond", "grey")]].sum(1).eq(1).all()
    column = {name: handles[:, i] for i, name in enumerate(HANDLES)}
    for phrase, true in (
        ("glasses", column["glasses"] >= 0.5),
        ("turned left", column["turn"] < -0.35),
        ("lit from the right", column["light"] >= 0.6),
        ("brows drawn down", column["brow"] < -0.6),
        ("young", column["age"] < 0.2),
    ):
        assert torch.equal(bag[:, PHRASES.index(phrase)].bool(), true), phrase


def test_other_words_are_refused():
    with pytest.raises(ValueError, match="'moustache' in 'a person with a moustache' is no word of a caption"):
        bag_of_phrases("a person with a moustache")
    with pytest.raises(ValueError, match="'sunglasses'"):
        bag_of_phrases(["sunglasses"])
    with pytest.raises(TypeError, match="a caption is a int: give strings"):
        bag_of_phrases([3])
