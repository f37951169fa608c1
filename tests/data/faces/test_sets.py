"""Sets of drawn faces."""

import pytest
import torch
from helpers import generator

from course_utils.data.faces import (
    HANDLES,
    FaceSet,
    describe_face,
    render_faces,
    sample_faces,
    sample_handles,
)

NAMES = list(HANDLES)


PINNED_HANDLES = [-0.007487, 0.536444, -0.823045, 0.13203]


PINNED_PIXELS = [[97, 184, 171], [72, 132, 120], [58, 96, 87]]


def some(n: int, seed: int = 0) -> torch.Tensor:
    """Random handles in float64, glasses half there, so that they are seen in gradients."""
    handles = sample_handles(n, generator=generator(seed)).double()
    handles[:, -1] = 0.5
    return handles


@pytest.fixture(scope="module")
def faces():
    return sample_faces(9, seed=3, size=24)


class TestSets:
    def test_images_are_the_rendered_handles(self, faces):
        assert faces.images.shape == (9, 3, 24, 24)
        assert faces.images.dtype == torch.uint8
        assert (faces.pixels() - render_faces(faces.handles, 24)).abs().max() <= 0.5001 / 255
        assert torch.equal(faces.handles, sample_handles(9, generator=generator(3)))
        assert torch.equal(faces.labels, faces.handles[:, -1].long())
        assert faces.labels.dtype == torch.int64
        assert faces.class_names == ("no glasses", "glasses")
        assert faces.captions == tuple(describe_face(row) for row in faces.handles)

    def test_the_seed_decides_and_the_global_generator_is_left_alone(self, faces):
        before = torch.get_rng_state()
        assert torch.equal(sample_faces(9, seed=3, size=24).images, faces.images)
        assert not torch.equal(sample_faces(9, seed=4, size=24).images, faces.images)
        tied = sample_faces(9, seed=3, size=24, correlated=True)
        assert torch.equal(tied.handles, sample_handles(9, generator=generator(3), correlated=True))
        assert torch.equal(before, torch.get_rng_state())

    def test_the_first_face_of_the_first_seed_stays(self):
        """Reference models were trained on these; a change of the drawing or of the sampling must be wanted."""
        faces = sample_faces(2)
        expected = torch.tensor(PINNED_HANDLES)
        assert faces.handles[0, :4].allclose(expected, atol=1e-6)
        assert (faces.images[0, :, 8::8, 16].int() - torch.tensor(PINNED_PIXELS)).abs().max() <= 1

    @pytest.mark.parametrize("index", [2, slice(1, 4), [4, 0], torch.tensor([4, 0]), torch.arange(9) > 5])
    def test_subsets_keep_everything_together(self, faces, index):
        part = faces[index]
        assert isinstance(part, FaceSet)
        kept = torch.arange(9)[[index] if isinstance(index, int) else index]
        assert torch.equal(part.handles, faces.handles[kept])
        assert torch.equal(part.images, faces.images[kept])
        assert part.captions == tuple(faces.captions[i] for i in kept)
        assert len(part) == len(kept)
        assert torch.equal(part.labels, faces.labels[kept])

    def test_batches_work_as_for_any_image_set(self, faces):
        batches = list(faces.batches(4, with_labels=True))
        assert [len(x) for x, _ in batches] == [4, 4, 1]
        assert torch.equal(torch.cat([y for _, y in batches]), faces.labels)

    def test_handles_and_captions_must_fit(self, faces):
        with pytest.raises(ValueError, match=r"9 images, handles of shape \(8, 13\) and 9 captions"):
            FaceSet(faces.images, faces.labels, faces.class_names, faces.handles[:8], faces.captions)
        with pytest.raises(ValueError, match="and 8 captions"):
            FaceSet(faces.images, faces.labels, faces.class_names, faces.handles, faces.captions[:8])

    @pytest.mark.parametrize(("arguments", "words"), [({"n": 0}, "n is 0"), ({"n": 1, "size": 4}, "size is 4")])
    def test_bad_sizes_are_errors(self, arguments, words):
        with pytest.raises(ValueError, match=words):
            sample_faces(**arguments)
