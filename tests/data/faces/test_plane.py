"""The plane through the codes of four faces, and what colour people would call the hair."""

import pytest
import torch
from helpers import generator

from course_utils.data.faces import (
    HAIR_COLORS,
    HAIR_SHADES,
    HANDLES,
    describe_face,
    face_plane,
    hair_kinds,
    plane_faces,
    render_faces,
    sample_handles,
)
from course_utils.models.pca import PCA
from course_utils.widgets import LatentPad

NAMES = list(HANDLES)


@pytest.fixture(scope="module")
def faces():
    return render_faces(sample_handles(120, generator=generator(3)), 16)


@pytest.fixture(scope="module")
def model(faces):
    return PCA(20).fit(faces)


def test_the_four_faces():
    left, right, bottom, top = (dict(zip(NAMES, row, strict=True)) for row in plane_faces().tolist())
    assert (left["turn"], right["turn"], left["light"], right["light"]) == (-1, 1, -1, 1)
    assert bottom["smile"] < 0 < top["smile"] == 1
    assert bottom["hair_color"] < 0.18 < 0.68 < top["hair_color"]
    assert {name for name in NAMES if left[name] != right[name]} == {"turn", "light", "background"}
    assert {name for name in NAMES if bottom[name] != top[name]} == {"smile", "hair_color"}
    for name in ("turn", "light", "background"):
        assert bottom[name] == top[name] == pytest.approx((left[name] + right[name]) / 2)
    for name, value in left.items():
        assert HANDLES[name].low <= value <= HANDLES[name].high
    assert left["glasses"] == 0


def test_the_plane_goes_through_the_codes_by_hand(model):
    _, unproject = face_plane(model)
    left, right, bottom, top = model.encode(render_faces(plane_faces(), 16))
    middle = (left + right + bottom + top) / 4
    points = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, -0.25]])
    wanted = torch.stack([
        middle,
        middle + (right - left) / 2,
        middle + 0.5 * (right - left) / 2 - 0.25 * (top - bottom) / 2,
    ])  # fmt: skip
    torch.testing.assert_close(unproject(points), wanted, atol=1e-4, rtol=1e-4)


def test_a_code_belongs_to_the_nearest_point_of_the_plane(model, faces):
    project, unproject = face_plane(model)
    z = model.encode(faces)
    points = project(z)
    assert points.shape == (120, 2)
    torch.testing.assert_close(project(unproject(points)), points, atol=1e-4, rtol=1e-4)
    near = (unproject(points) - z).norm(dim=1)
    for step in ((0.1, 0.0), (-0.1, 0.0), (0.0, 0.1), (0.0, -0.1)):
        assert ((unproject(points + torch.tensor(step)) - z).norm(dim=1) > near).all()


def test_an_explorer_takes_it(model, faces):
    labels = torch.arange(120) % 2
    pad = LatentPad(model, model.encode(faces), labels, ("even", "odd"), chart=face_plane(model))
    pad.move_to(0.5, -0.25)
    wanted = model.decode(face_plane(model)[1](torch.tensor([[0.5, -0.25]])))[0]
    torch.testing.assert_close(pad.image, wanted)


def test_hair_is_called_what_a_description_calls_it():
    handles = sample_handles(400, generator=generator(5))
    kinds = hair_kinds(handles)
    for row, kind in zip(handles, kinds.tolist(), strict=True):
        assert f" {HAIR_COLORS[kind]} hair" in describe_face(row)
    assert sorted(set(kinds.tolist())) == list(range(len(HAIR_COLORS)))


def test_the_shades_are_those_of_the_hair():
    """Each is nearer to the drawn hair of its own kind than to that of any other."""
    from course_utils.data.faces.drawing import GREY, HAIR, _ramp

    middle = torch.tensor([0.09, 0.31, 0.56, 0.84])
    drawn = torch.cat([_ramp(middle, HAIR), torch.tensor([GREY])])
    shades = torch.tensor([[int(one[k : k + 2], 16) / 255 for k in (1, 3, 5)] for one in HAIR_SHADES])
    assert torch.cdist(shades, drawn).argmin(1).tolist() == list(range(len(HAIR_COLORS)))
