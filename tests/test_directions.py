"""Directions in latent space: from labels, walked along, and cleared of others."""

import math

import pytest
import torch
from scipy.linalg import null_space

from course_utils.latents import attribute_direction, project_out, traverse
from course_utils.models.pca import PCA


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class Affine:
    """Decodes z to a known image: its numbers, side by side, as grey values."""

    latent_shape = (3,)

    def __init__(self):
        self.sizes = []

    def encode(self, x):
        return x.flatten(1)

    def decode(self, z):
        self.sizes.append(len(z))
        assert not torch.is_grad_enabled()
        return z.reshape(-1, 1, 1, 3)

    def sample_latent(self, n, generator=None):
        return torch.randn(n, 3, generator=generator)


class TestAttributeDirection:
    def test_is_the_difference_of_means_with_its_length(self):
        z = torch.randn(9, 4, generator=generator())
        labels = torch.tensor([1, 0, 0, 1, 0, 0, 0, 1, 0]).bool()
        expected = sum(z[i] for i in (0, 3, 7)) / 3 - sum(z[i] for i in (1, 2, 4, 5, 6, 8)) / 6
        torch.testing.assert_close(attribute_direction(z, labels), expected)
        torch.testing.assert_close(attribute_direction(z, ~labels), -expected)
        torch.testing.assert_close(attribute_direction(5 * z, labels), 5 * expected)

    def test_added_once_takes_one_mean_to_the_other(self):
        z = torch.randn(50, 3, generator=generator(1))
        labels = z[:, 1] > 0.3
        moved = z[~labels] + attribute_direction(z, labels)
        torch.testing.assert_close(moved.mean(0), z[labels].mean(0))

    def test_finds_the_direction_the_data_were_made_with(self):
        """z = noise + label * step: the estimate is off by the standard error of two means."""
        step, n = torch.tensor([2.0, -1.0, 0.0, 0.5]), 20_000
        labels = torch.rand(n, generator=generator(2)) < 0.3
        z = torch.randn(n, 4, generator=generator(3)) + labels[:, None] * step
        error = math.sqrt(1 / labels.sum() + 1 / (~labels).sum())
        assert ((attribute_direction(z, labels) - step).abs() < 4.5 * error).all()

    def test_codes_of_any_shape(self):
        z = torch.randn(6, 2, 3, 5, generator=generator())
        labels = torch.tensor([True, False, False, True, True, False])
        flat = attribute_direction(z.flatten(1), labels)
        torch.testing.assert_close(attribute_direction(z, labels), flat.view(2, 3, 5))

    def test_errors(self):
        z = torch.zeros(4, 2)
        with pytest.raises(TypeError, match="labels are torch.int64 but must be bool: compare"):
            attribute_direction(z, torch.tensor([0, 1, 0, 1]))
        with pytest.raises(ValueError, match=r"labels have shape \(3,\) for 4 codes"):
            attribute_direction(z, torch.tensor([True, False, True]))
        with pytest.raises(ValueError, match="all labels are True"):
            attribute_direction(z, torch.ones(4, dtype=torch.bool))
        with pytest.raises(ValueError, match="all labels are False"):
            attribute_direction(z, torch.zeros(4, dtype=torch.bool))


class TestTraverse:
    def test_images_of_the_codes_along_the_line(self):
        z, direction = torch.tensor([0.5, 0.25, 0.0]), torch.tensor([0.1, 0.0, 0.2])
        images = traverse(Affine(), z, direction, [-1, 0, 2.5])
        expected = [[0.4, 0.25, -0.2], [0.5, 0.25, 0.0], [0.75, 0.25, 0.5]]
        assert images.shape == (3, 1, 1, 3)
        torch.testing.assert_close(images.flatten(1), torch.tensor(expected))

    def test_values_of_any_kind(self):
        z, direction = torch.zeros(3), torch.ones(3)
        for values in ([0, 1], (0.0, 1.0), torch.tensor([0, 1]), torch.linspace(0, 1, 2, dtype=torch.float64)):
            images = traverse(Affine(), z, direction, values)
            assert images.dtype == torch.float32
            assert images.flatten().tolist() == [0, 0, 0, 1, 1, 1]

    def test_a_real_model_bounded_memory_and_no_graph(self):
        x = torch.rand(40, 2, 4, 6, generator=generator())
        model = PCA(3).fit(x)
        z = model.encode(x[:1])[0].requires_grad_()
        images = traverse(model, z, torch.eye(3)[1], torch.linspace(-2, 2, 7))
        torch.testing.assert_close(images[3], model.decode(z[None])[0].detach())
        assert images.shape == (7, 2, 4, 6)
        assert not images.requires_grad
        many = Affine()
        traverse(many, torch.zeros(3), torch.ones(3), torch.zeros(1200))
        assert max(many.sizes) <= 512

    def test_codes_of_any_shape(self):
        class Square(Affine):
            latent_shape = (1, 2, 3)

            def decode(self, z):
                return z

        images = traverse(Square(), torch.zeros(1, 2, 3), torch.ones(1, 2, 3), [0.0, 0.5])
        assert images.shape == (2, 1, 2, 3)
        assert images[1].unique().tolist() == [0.5]

    def test_errors(self):
        z = torch.zeros(3)
        with pytest.raises(ValueError, match=r"z has shape \(1, 3\), but a code of this model has \(3,\)"):
            traverse(Affine(), z[None], z, [0])
        with pytest.raises(ValueError, match=r"direction has shape \(2,\)"):
            traverse(Affine(), z, z[:2], [0])
        with pytest.raises(ValueError, match=r"values have shape \(0,\)"):
            traverse(Affine(), z, z, [])
        with pytest.raises(ValueError, match=r"values have shape \(\)"):
            traverse(Affine(), z, z, 1.0)


class TestProjectOut:
    @pytest.mark.parametrize("count", [1, 2, 4])
    def test_against_the_null_space(self, count):
        direction, others = torch.randn(6, generator=generator(1)), torch.randn(count, 6, generator=generator(2))
        basis = torch.from_numpy(null_space(others.double().numpy())).float()  # (6, 6 - count)
        torch.testing.assert_close(project_out(direction, others), basis @ (basis.T @ direction), rtol=1e-4, atol=1e-5)

    def test_is_orthogonal_to_all_and_projects_once(self):
        direction, others = torch.randn(8, generator=generator(3)), 100 * torch.randn(3, 8, generator=generator(4))
        rest = project_out(direction, others)
        assert (others @ rest / others.norm(dim=1)).abs().max() < 1e-5
        torch.testing.assert_close(project_out(rest, others), rest)
        assert rest.norm() < direction.norm()
        torch.testing.assert_close(rest @ direction, rest @ rest)

    def test_two_directions_that_are_not_orthogonal(self):
        """Removing one after the other would leave part of the first in place."""
        others = torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
        rest = project_out(torch.tensor([2.0, 3.0, 4.0]), others)
        torch.testing.assert_close(rest, torch.tensor([0.0, 0.0, 4.0]))

    def test_dependent_zero_and_no_directions(self):
        direction = torch.tensor([1.0, 2.0, 3.0])
        others = torch.tensor([[0.0, 2.0, 0.0], [0.0, -0.1, 0.0], [0.0, 0.0, 0.0]])
        torch.testing.assert_close(project_out(direction, others), torch.tensor([1.0, 0.0, 3.0]))
        torch.testing.assert_close(project_out(direction, torch.zeros(0, 3)), direction)

    def test_errors(self):
        direction = torch.tensor([1.0, 2.0, 0.0])
        with pytest.raises(ValueError, match="nothing of it is left"):
            project_out(direction, torch.eye(3)[:2])
        with pytest.raises(ValueError, match=r"shape \(3,\) and others \(2,\)"):
            project_out(direction, torch.ones(2))
        with pytest.raises(ValueError, match=r"give \(D,\) and \(K, D\)"):
            project_out(direction[None], torch.ones(2, 3))
