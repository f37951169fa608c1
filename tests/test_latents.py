"""What works on every latent model: encoding, decoding, neighbours, grids and directions."""

import copy
import itertools
import math

import pytest
import torch
from helpers import generator
from scipy.linalg import null_space
from sklearn.neighbors import NearestNeighbors

from course_utils.data import ImageSet
from course_utils.latents import (
    LatentModel,
    attribute_direction,
    decode_dataset,
    encode_dataset,
    latent_grid,
    model_device,
    nearest_neighbors,
    project_out,
    traverse,
)
from course_utils.models.gan import GAN
from course_utils.models.pca import PCA


class Known:
    """A latent model of plain tensors, not an nn.Module, whose every number can be worked out by hand."""

    latent_shape = (3,)

    def __init__(self):
        self.sizes, self.grad = [], []

    def encode(self, x):  # means of rows 0 and 1, and of everything
        self.sizes.append(len(x))
        self.grad.append(torch.is_grad_enabled())
        return torch.stack([x[:, 0, 0].mean(1), x[:, 0, 1].mean(1), x.mean((1, 2, 3))], dim=1)

    def decode(self, z):  # the code itself, twice, as an image of 1 x 2 x 3
        self.sizes.append(len(z))
        self.grad.append(torch.is_grad_enabled())
        return torch.stack([z, z], dim=1).unsqueeze(1)

    def sample_latent(self, n, generator=None):
        return torch.randn(n, 3, generator=generator)


def images(n: int = 11) -> torch.Tensor:
    return torch.randint(0, 256, (n, 1, 2, 5), generator=generator(), dtype=torch.uint8)


def test_protocol_needs_all_four():
    assert isinstance(Known(), LatentModel)
    assert not isinstance(torch.nn.Linear(2, 2), LatentModel)


class TestEncoding:
    @pytest.mark.parametrize("form", ["bytes", "floats", "set"])
    def test_equals_encoding_one_by_one(self, form):
        x = images()
        expected = torch.cat([Known().encode(x[k : k + 1].float() / 255) for k in range(11)])
        given = {"bytes": x, "floats": x.float() / 255, "set": ImageSet(x, torch.zeros(11, dtype=torch.int64), ("a",))}
        model = Known()
        codes = encode_dataset(model, given[form], batch_size=4)
        torch.testing.assert_close(codes, expected)
        assert codes.dtype == torch.float32
        assert codes.device.type == "cpu"
        assert model.sizes == [4, 4, 3]
        assert not any(model.grad), "memory must stay bounded: no graph is kept"

    def test_codes_can_be_used_for_training(self):
        """A probe on frozen codes is the first thing a learner does with them."""
        codes = encode_dataset(Known(), images())
        weight = torch.zeros(3, requires_grad=True)
        (codes @ weight - 1).square().sum().backward()
        assert weight.grad.isfinite().all()
        codes.requires_grad_()
        decoded = decode_dataset(Known(), codes.detach())
        (decoded * weight).sum().backward()

    def test_training_mode_and_randomness_are_left_as_they_are(self):
        class Module(torch.nn.Module):
            latent_shape = (10,)

            def encode(self, x):
                assert not self.training, "it is read, not trained"
                return x.flatten(1)

        before = torch.get_rng_state()
        for mode in (True, False):
            model = Module().train(mode)
            encode_dataset(model, images())
            assert model.training is mode
        assert torch.equal(before, torch.get_rng_state())

    def test_decoding_equals_decoding_at_once(self):
        z, model = torch.randn(11, 3, generator=generator()), Known()
        assert torch.equal(decode_dataset(model, z, batch_size=4), Known().decode(z))
        assert model.sizes == [4, 4, 3]
        assert not any(model.grad)

    def test_bad_input(self):
        with pytest.raises(ValueError, match="the data set is empty"):
            encode_dataset(Known(), images()[:0])
        with pytest.raises(ValueError, match="z is empty"):
            decode_dataset(Known(), torch.zeros(0, 3))
        with pytest.raises(TypeError, match="images must be an ImageSet or a torch tensor, not ndarray"):
            encode_dataset(Known(), images().numpy())
        for call, given in ((encode_dataset, images()), (decode_dataset, torch.zeros(2, 3))):
            with pytest.raises(ValueError, match="batch_size is 0"):
                call(Known(), given, batch_size=0)


class TestDevice:
    def test_of_modules_and_of_plain_objects(self):
        assert model_device(torch.nn.Linear(2, 2, device="meta")) == torch.device("meta")
        module = torch.nn.Module()
        module.register_buffer("mean", torch.zeros(2, device="meta"))
        assert model_device(module) == torch.device("meta")
        assert model_device(torch.nn.Module()) == torch.device("cpu")
        plain = Known()
        assert model_device(plain) == torch.device("cpu")
        plain.weight = torch.zeros(2, device="meta")
        assert model_device(plain) == torch.device("meta")


class TestNeighbors:
    @pytest.mark.parametrize("metric", ["euclidean", "cosine"])
    @pytest.mark.parametrize("shape", [(7,), (2, 3, 4)])
    def test_equals_scikit_learn(self, metric, shape):
        query, codes = torch.randn(13, *shape, generator=generator(1)), torch.randn(90, *shape, generator=generator(2))
        indices, distances = nearest_neighbors(query, codes, k=4, metric=metric, batch_size=5)
        search = NearestNeighbors(n_neighbors=4, metric=metric, algorithm="brute").fit(codes.flatten(1).double())
        expected_distances, expected_indices = search.kneighbors(query.flatten(1).double())
        assert indices.dtype == torch.int64
        assert torch.equal(indices, torch.from_numpy(expected_indices))
        torch.testing.assert_close(distances.double(), torch.from_numpy(expected_distances), atol=1e-5, rtol=1e-4)

    def test_codes_far_from_the_origin(self):
        """The usual expansion |a|^2 - 2ab + |b|^2 loses everything when all codes share a large offset."""
        codes = 300 + torch.randn(200, 30, generator=generator())
        indices, distances = nearest_neighbors(codes[:40], codes, k=3)
        exact = (codes[:40, None].double() - codes.double()).norm(dim=2).topk(3, largest=False)
        assert torch.equal(indices, exact.indices)
        torch.testing.assert_close(distances.double(), exact.values, atol=0.02, rtol=1e-4)

    def test_a_query_among_the_codes_is_its_own_first_neighbour(self):
        codes = torch.rand(60, 1, 28, 28, generator=generator())
        for metric in ("euclidean", "cosine"):
            indices, distances = nearest_neighbors(codes[20:50], codes, k=2, metric=metric)
            assert indices[:, 0].tolist() == list(range(20, 50))
            assert (distances >= 0).all()
            assert (distances[:, 0] < 0.02).all()
            assert (distances[:, 1] > 0.05).all()

    def test_metrics_disagree_where_they_should(self):
        query, codes = torch.tensor([[1.0, 0.0]]), torch.tensor([[9.0, 0.1], [0.8, 0.6]])
        assert nearest_neighbors(query, codes, k=1, metric="cosine")[0].item() == 0
        assert nearest_neighbors(query, codes, k=1)[0].item() == 1

    def test_all_neighbours_and_no_queries(self):
        codes = torch.randn(6, 2, generator=generator())
        indices, distances = nearest_neighbors(codes[:2], codes, k=6)
        assert indices.sort(dim=1).values.tolist() == [list(range(6))] * 2
        assert (distances.diff(dim=1) >= 0).all()
        assert nearest_neighbors(codes[:0], codes, k=3)[0].shape == (0, 3)

    def test_bad_input(self):
        codes = torch.zeros(6, 2)
        with pytest.raises(ValueError, match=r"query has shape \(4, 3\) and codes \(6, 2\)"):
            nearest_neighbors(torch.zeros(4, 3), codes)
        with pytest.raises(ValueError, match=r"query has shape \(2,\) and codes \(6, 2\)"):
            nearest_neighbors(torch.zeros(2), codes)
        for k in (0, 7):
            with pytest.raises(ValueError, match=f"k is {k}, but there are 6 codes to choose from: k must be 1 to 6"):
                nearest_neighbors(codes, codes, k=k)
        with pytest.raises(ValueError, match="metric is 'manhattan': use 'euclidean' or 'cosine'"):
            nearest_neighbors(codes, codes, metric="manhattan")


class TestGrid:
    def test_row_0_has_the_largest_y_and_column_0_the_smallest_x(self):
        grid = latent_grid(Known(), (-1.0, 2.0), (10.0, 14.0), steps=4)
        assert grid.shape == (4, 4, 1, 2, 3)
        for row, column in itertools.product(range(4), range(4)):
            x, y = -1 + 3 * column / 3, 14 - 4 * row / 3
            assert grid[row, column, 0, 0].tolist() == pytest.approx([x, y, 0.0], abs=1e-5)

    def test_dims_and_base(self):
        grid = latent_grid(Known(), (0, 1), (5, 6), steps=2, dims=(2, 0), base=[7.0, 8.0, 9.0])
        assert grid[0, 0, 0, 0].tolist() == [6.0, 8.0, 0.0]
        assert grid[1, 1, 0, 0].tolist() == [5.0, 8.0, 1.0]
        base = torch.tensor([7.0, 8.0, 9.0])
        assert torch.equal(latent_grid(Known(), (0, 1), (5, 6), 2, dims=(2, 0), base=base), grid)
        assert base.tolist() == [7.0, 8.0, 9.0]

    def test_bad_input(self):
        for dims in ((0, 0), (0, 3), (-1, 1), (0,)):
            with pytest.raises(ValueError, match=r"dims are \(.*\): give two different dimensions between 0 and 2"):
                latent_grid(Known(), (0, 1), (0, 1), dims=dims)
        model = Known()
        model.latent_shape = (4, 7, 7)
        with pytest.raises(ValueError, match=r"a grid needs codes of shape \(D,\), but this model's are \(4, 7, 7\)"):
            latent_grid(model, (0, 1), (0, 1))
        with pytest.raises(ValueError, match=r"base has shape \(2,\).*3"):
            latent_grid(Known(), (0, 1), (0, 1), base=[1.0, 2.0])
        with pytest.raises(ValueError, match="steps is 0"):
            latent_grid(Known(), (0, 1), (0, 1), steps=0)


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


class TestReading:
    """A model is not changed by being looked at: its statistics, and the mode of every layer of it."""

    @staticmethod
    def gan():
        torch.manual_seed(0)
        gan = GAN(3, image_shape=(1, 8, 12), hidden=4, inversion_steps=2).train()
        gan.generator.layers[2].eval()  # one frozen layer
        return gan

    READERS = {
        "decode_dataset": lambda m: decode_dataset(m, torch.ones(4, 3)),
        "encode_dataset": lambda m: encode_dataset(m, torch.rand(2, 1, 8, 12)),
        "latent_grid": lambda m: latent_grid(m, (-1, 1), (0, 2), steps=2),
        "traverse": lambda m: traverse(m, torch.zeros(3), torch.ones(3), [0, 1]),
        "decode": lambda m: m.decode(torch.ones(2, 3)),
        "encode": lambda m: m.encode(torch.rand(2, 1, 8, 12)),
        "stopped": lambda m: decode_dataset(m, torch.ones(4, 5)),
    }

    @pytest.mark.parametrize("reader", READERS)
    def test_leaves_statistics_and_modes(self, reader):
        model, before = self.gan(), copy.deepcopy(self.gan().state_dict())
        modes = [layer.training for layer in model.modules()]
        if reader == "stopped":
            with pytest.raises(ValueError, match="latent codes have shape"):
                self.READERS[reader](model)
        else:
            again = self.READERS[reader](self.gan().eval())
            torch.manual_seed(0)
            self.READERS[reader](model)
            assert len(again)
        assert [layer.training for layer in model.modules()] == modes
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())

    def test_what_is_read_is_what_evaluation_mode_gives(self):
        z = torch.randn(5, 3, generator=generator())
        assert torch.equal(decode_dataset(self.gan(), z), self.gan().eval().generator(z).detach())


class TestNumberFormats:
    def test_arrays_do_as_well(self):
        z = torch.randn(9, 3, generator=generator())
        smile = z[:, 0] > 0
        for labels in (smile.numpy(), smile.tolist()):
            assert torch.equal(attribute_direction(z.numpy(), labels), attribute_direction(z, smile))
        pairs = [
            (lambda a: nearest_neighbors(a[:2], a, k=3)[0], z),
            (lambda a: traverse(Affine(), a[0], a[1], a[2]), z),
            (lambda a: project_out(a[0], a[1:3]), z),
            (lambda a: decode_dataset(Affine(), a), z),
        ]
        for function, tensor in pairs:
            assert torch.equal(function(tensor.numpy()), function(tensor))

    def test_bytes_are_not_compared_with_floats(self):
        x = torch.arange(24, dtype=torch.uint8).view(4, 1, 2, 3)
        assert nearest_neighbors(x, x, k=1)[0].flatten().tolist() == [0, 1, 2, 3]
        with pytest.raises(TypeError, match="query is torch.float32 and codes torch.uint8: give both as floats"):
            nearest_neighbors(x / 255, x)

    def test_far_from_zero(self):
        codes = torch.tensor([[0.0], [1.0], [2.5]], dtype=torch.float64) + 1e9
        indices, distances = nearest_neighbors(codes[1:2] + 0.25, codes, k=3)
        assert indices.tolist() == [[1, 0, 2]] or indices.tolist() == [[1, 2, 0]]
        torch.testing.assert_close(distances.sort().values, torch.tensor([[0.25, 1.25, 1.25]]))
        z = torch.tensor(
            [[300.0], [301.0], [302.0], [305.0]], dtype=torch.bfloat16
        )  # of 300 bfloat16 knows even numbers
        step = attribute_direction(z, torch.tensor([False, False, True, True]))
        exact = z[2:].double().mean() - z[:2].double().mean()
        assert step.dtype == torch.bfloat16
        assert step.item() == exact.bfloat16().item()

    def test_codes_that_are_not_finite(self):
        with pytest.raises(ValueError, match="NaN or infinite values in z"):
            decode_dataset(Affine(), torch.full((2, 3), torch.nan))
        with pytest.raises(ValueError, match="the direction is zero"):
            project_out(torch.zeros(3), torch.ones(3))
