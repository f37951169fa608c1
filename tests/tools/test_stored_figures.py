"""Figures as they are stored: no pixel is changed that would be noticed."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from stored_figures import FINER_GREYS, MAX_ERROR, NOTICEABLE, stored_figure


def png(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def opened(figure: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(figure)))


def pixels_of(figure: str) -> np.ndarray:
    return np.asarray(opened(figure).convert("RGB")).astype(int)


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def test_greys_are_stored_without_any_loss(generator):
    grey = generator.integers(0, 256, (90, 120))  # as hard to store as photographs
    rgba = np.stack([grey, grey, grey, np.full_like(grey, 255)], axis=-1)
    small = stored_figure(png(rgba))
    assert opened(small).mode == "L"
    assert len(small) < 0.9 * len(png(rgba))
    assert (pixels_of(small) == rgba[..., :3]).all()


def test_few_colours_are_stored_without_any_loss(generator):
    colours = generator.integers(0, 256, (256, 3))
    picture = colours[generator.integers(0, 256, (90, 120))]
    small = stored_figure(png(picture))
    assert opened(small).mode == "P"
    assert (pixels_of(small) == picture).all()


def chart(generator) -> np.ndarray:
    """A photograph in greys, areas and points in neighbouring colours, and 5,000 blends as at the edges of lines."""
    picture = np.full((300, 400, 3), 255)
    picture[10:110, 10:110] = generator.integers(0, 256, (100, 100, 1))
    picture[150:200, 10:60], picture[150:200, 70:120] = (66, 146, 214), (70, 150, 210)
    for row, column in generator.integers(200, 290, (100, 2)):
        picture[row : row + 2, column - 190 : column - 188] = (255, 165, 0)
    picture[280:291, 380:391] = (255, 165, 0)  # its entry in the legend
    red, weight = np.array([200, 10, 40]), generator.random((50, 100, 1))
    picture[20:70, 200:300] = np.round(255 * (1 - weight) + weight * (red + 30 * generator.random((50, 100, 3))))
    return picture


def test_noticeable_colours_stay_and_others_move_by_no_more_than_the_bound(generator):
    picture = chart(generator)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 4000
    small = stored_figure(png(picture))
    assert opened(small).mode == "P"
    again = pixels_of(small)
    assert 0 < np.abs(again - picture).max() <= MAX_ERROR
    packed = picture @ [1 << 16, 1 << 8, 1]
    found, counts = np.unique(packed, return_counts=True)
    noticeable = found[counts >= NOTICEABLE * packed.size]
    assert {0xFFFFFF, 0x4292D6, 0x4696D2, 0xFFA500} <= set(noticeable.tolist())
    kept = np.isin(packed, noticeable)
    assert (again[kept] == picture[kept]).all()
    assert (again[285, 385] == (255, 165, 0)).all()


def test_photographs_in_greys_beside_colours_are_not_tinted(generator):
    picture = chart(generator)
    again = pixels_of(stored_figure(png(picture)))
    grey = np.ptp(picture, axis=2) == 0
    assert 5_000 < grey.sum() < grey.size
    assert (np.ptp(again, axis=2)[grey] == 0).all()
    assert np.abs(again - picture)[grey].max() <= MAX_ERROR / FINER_GREYS


def test_a_rare_colour_far_from_all_others_stays(generator):
    picture = chart(generator)
    picture[250, 350] = (0, 255, 60)
    assert (pixels_of(stored_figure(png(picture)))[250, 350] == (0, 255, 60)).all()


def test_a_figure_with_too_many_colours_keeps_every_pixel(generator):
    picture = generator.integers(0, 256, (60, 80, 3))
    small = stored_figure(png(picture))
    assert opened(small).mode == "RGB"
    assert (pixels_of(small) == picture).all()


def test_what_is_stored_is_stored_again_as_it_is(generator):
    for picture in (chart(generator), generator.integers(0, 256, (9, 9, 3)), np.full((9, 9, 3), 7)):
        small = stored_figure(png(picture))
        assert stored_figure(small) == small
    assert stored_figure("no picture") == "no picture"


def test_a_transparent_figure_stands_on_white():
    rgba = np.zeros((40, 50, 4))
    rgba[:20] = (10, 200, 30, 255)
    again = pixels_of(stored_figure(png(rgba)))
    assert (again[30] == 255).all()
    assert (again[10] == (10, 200, 30)).all()
