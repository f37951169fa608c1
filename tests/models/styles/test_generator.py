"""The mapping network and the generator: what each layer sees, and what training mode adds."""

import copy

import pytest
import torch
from helpers import generator as rng
from torch import nn

from course_utils.models.gan import Discriminator
from course_utils.models.styles import MappingNetwork, StyleGenerator
from course_utils.training import GanSettings, train_gan

SHAPE = (2, 16, 24)


def make(**options) -> StyleGenerator:
    torch.manual_seed(0)
    generator = StyleGenerator(5, **{"image_shape": SHAPE, "hidden": 4, **options})
    with torch.no_grad():
        for layer in generator.layers:
            layer.noise_strength.fill_(0.5)
    return generator.eval()


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=rng(seed))


class TestMapping:
    def test_is_linear_layers_with_a_leaky_relu_of_the_normalised_code(self):
        torch.manual_seed(0)
        mapping, z = MappingNetwork(3, num_layers=2).double(), draws(4, 3).double()
        w = z / z.square().mean(dim=1, keepdim=True).sqrt()
        for layer in mapping.layers:
            y = w @ layer.weight.T * 0.01 / 3**0.5 + 0.01 * layer.bias
            w = torch.where(y > 0, y, 0.2 * y) * (2 / 1.04) ** 0.5
        torch.testing.assert_close(mapping(z), w, rtol=1e-6, atol=1e-7)

    def test_keeps_the_size_of_codes_in_the_mean(self):
        torch.manual_seed(5)
        for num_layers, tolerance in ((1, 0.03), (3, 0.25)):
            w = MappingNetwork(200, num_layers=num_layers)(7 * draws(500, 200))
            assert w.square().mean().item() == pytest.approx(1, abs=tolerance)

    def test_learns_a_hundred_times_slower_than_a_layer_without_a_rate(self):
        """After one step of Adam, by how much its output moved."""
        moved = {}
        for rate in (1.0, 0.01):
            torch.manual_seed(0)
            mapping, z = MappingNetwork(30, rate=rate), draws(50, 30)
            before = mapping(z)
            before.sum().backward()
            torch.optim.Adam(mapping.parameters(), lr=1e-4).step()
            moved[rate] = (mapping(z) - before).abs().mean().item()
        assert moved[1.0] / moved[0.01] == pytest.approx(100, rel=0.1)

    def test_a_code_of_zeros_has_no_direction_and_stays_finite(self):
        for dtype in (torch.float32, torch.float16):
            assert MappingNetwork(4).to(dtype)(torch.zeros(1, 4, dtype=dtype)).isfinite().all()

    def test_bad_codes_and_sizes(self):
        with pytest.raises(ValueError, match=r"latent codes have shape \(4, 3\) but this model takes \(B, 5\)"):
            MappingNetwork(5)(torch.zeros(4, 3))
        with pytest.raises(ValueError, match="num_layers is 0"):
            MappingNetwork(5, num_layers=0)


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [
        ((3, 64, 64), [4, 8, 8, 16, 16, 32, 32]),
        ((3, 32, 32), [4, 8, 8, 16, 16]),
        ((1, 28, 28), [7, 14, 14]),
        ((1, 8, 8), [4]),
    ],
)
def test_sizes_double_from_layer_to_layer_up_to_half_the_image(shape, sizes):
    generator = StyleGenerator(4, image_shape=shape, hidden=2).eval()
    assert generator.layer_sizes == tuple((size, size) for size in sizes)
    assert generator.num_layers == len(sizes)
    assert generator(draws(2, 4)).shape == (2, *shape)
    assert [tuple(layer.fixed_noise.shape[2:]) for layer in generator.layers] == list(generator.layer_sizes)


class TestSynthesis:
    def test_one_code_for_all_layers_is_the_same_code_at_each(self):
        generator, w = make(), draws(3, 5)
        image = generator.synthesize(w)
        assert image.shape == (3, *SHAPE)
        assert image.min() >= 0
        assert image.max() <= 1
        torch.testing.assert_close(generator.synthesize(w[:, None].repeat(1, 3, 1)), image)
        assert torch.equal(generator(draws(3, 5, seed=1)), generator.synthesize(generator.map(draws(3, 5, seed=1))))
        torch.testing.assert_close(generator.synthesize(w[1:2]), image[1:2])

    def test_each_layer_hears_its_own_style_and_no_other(self):
        """The gradient of what a layer makes, by the styles of all."""
        generator = make()
        made = []
        for layer in generator.layers:
            layer.register_forward_hook(lambda *given: made.append(given[2]))
        w = draws(1, 3, 5).requires_grad_()
        image = generator.synthesize(w)
        for index, y in enumerate([*made, image]):
            heard = torch.autograd.grad(y.square().sum(), w, retain_graph=True)[0].abs().sum(dim=(0, 2)) > 0
            assert heard.tolist() == [layer <= index for layer in range(3)]

    def test_the_image_is_the_sum_of_what_each_size_adds(self):
        generator, w, added = make(), draws(2, 5), []
        for part in generator.to_images:
            part.register_forward_hook(lambda *given: added.append(given[2]))
        image = generator.synthesize(w)
        assert [tuple(part.shape) for part in added] == [(2, 2, 8, 12), (2, 2, 16, 24)]
        large = nn.functional.interpolate(added[0], (16, 24), mode="bilinear") + added[1]
        torch.testing.assert_close(image, large.sigmoid())

    def test_noise_is_fixed_drawn_or_left_out(self):
        generator, w = make(), draws(2, 5)
        fixed, none = generator.synthesize(w), generator.synthesize(w, noise="none")
        first, again, other = (generator.synthesize(w, noise="random", generator=rng(s)) for s in (1, 1, 2))
        assert torch.equal(generator.synthesize(w, noise="fixed"), fixed)
        assert torch.equal(first, again)
        for a, b in ((fixed, none), (fixed, first), (first, other), (none, other)):
            assert (a - b).abs().max() > 1e-3
        with torch.no_grad():
            for layer in generator.layers:
                layer.noise_strength.zero_()
        torch.testing.assert_close(generator.synthesize(w, noise="random"), none)
        with pytest.raises(ValueError, match="noise is 'const': use one of fixed, random, none"):
            generator.synthesize(w, noise="const")

    def test_codes_of_other_shapes_are_refused(self):
        generator = make()
        with pytest.raises(ValueError, match=r"latent codes have shape \(2, 4, 5\) but this model takes \(B, 3, 5\)"):
            generator.synthesize(draws(2, 4, 5))
        with pytest.raises(ValueError, match=r"latent codes have shape \(5,\) but this model takes \(B, 5\)"):
            generator.synthesize(draws(5))
        with pytest.raises(TypeError, match="torch.float64 but this model computes in torch.float32"):
            generator.synthesize(draws(2, 5).double())
        with pytest.raises(TypeError, match="must be a torch tensor, not list"):
            generator.synthesize([0.0])

    def test_without_a_mapping_w_is_z(self):
        generator, z = make(mapping_layers=0), draws(2, 5)
        assert torch.equal(generator.map(z), z)
        assert not any("mapping" in name for name, _ in generator.named_parameters())
        with pytest.raises(ValueError, match=r"latent codes have shape \(2, 4\)"):
            generator.map(draws(2, 4))


class TestTraining:
    def test_mean_w_follows_the_mean_of_w(self):
        generator, z = make(decay=0.75).train(), draws(400, 5)
        generator(z[:200])
        generator(z[200:])
        means = [generator.map(half).mean(dim=0) for half in z.chunk(2)]
        torch.testing.assert_close(generator.mean_w, 0.75 * 0.25 * means[0] + 0.25 * means[1])
        kept = generator.mean_w.clone()
        generator.eval()(z)
        assert torch.equal(generator.mean_w, kept)

    def test_an_empty_batch_moves_nothing(self):
        generator = make().train()
        generator(draws(20, 5))
        kept = generator.mean_w.clone()
        assert kept.any()
        assert generator(draws(0, 5)).shape == (0, *SHAPE)
        assert torch.equal(generator.mean_w, kept)

    def styles_in_training(self, n: int = 300, **options) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes w (n, D) of given z, and the styles (n, L, D) that the layers got."""
        generator, seen = make(**options).train(), []
        generator.synthesize = lambda w, **_: seen.append(w)
        z = draws(n, 5)
        torch.manual_seed(1)
        generator(z)
        return generator.map(z), seen[0]

    def test_most_images_change_their_style_once_from_a_drawn_layer_on(self):
        w, styles = self.styles_in_training(2000, image_shape=(2, 32, 48), mixing=0.9)
        own = torch.isclose(styles, w[:, None]).all(dim=2)  # (n, L)
        assert own[:, 0].all(), "the first layer keeps the first code"
        assert (own.long().diff(dim=1) <= 0).all(), "and no layer goes back to it"
        start = own.sum(dim=1).bincount(minlength=6)[1:] / len(w)
        assert start[-1].item() == pytest.approx(0.1, abs=0.03)
        torch.testing.assert_close(start[:-1], torch.full((4,), 0.9 / 4), rtol=0, atol=0.04)
        other = styles[~own[:, -1], -1]
        assert len(other.unique(dim=0)) == len(other), "each image has a second code of its own"

    def test_mixing_can_be_left_out(self):
        w, styles = self.styles_in_training(mixing=0.0)
        torch.testing.assert_close(styles, w[:, None].expand_as(styles))
        assert make(image_shape=(2, 8, 8)).train()(draws(2, 5)).shape == (2, 2, 8, 8), "one layer has nothing to mix"

    def test_noise_is_drawn_anew(self):
        generator = make(mixing=0.0).train()
        x = generator(draws(1, 5).expand(2, -1))
        assert (x[0] - x[1]).abs().max() > 1e-3

    def test_every_weight_has_a_gradient(self):
        generator = make().train()
        generator(draws(6, 5)).square().sum().backward()
        for name, weight in generator.named_parameters():
            assert weight.grad.isfinite().all(), name
            assert weight.grad.abs().sum() > 0, name

    def test_the_loop_trains_one_and_averages_weights_and_mean(self):
        """Grey images of one brightness: soon the generated ones have it too."""
        torch.manual_seed(0)
        x = torch.full((64, 1, 8, 12), 0.8) + 0.02 * draws(64, 1, 8, 12)
        generator = StyleGenerator(3, image_shape=(1, 8, 12), hidden=4, decay=0.9)
        average = copy.deepcopy(generator)
        discriminator = Discriminator(image_shape=(1, 8, 12), hidden=8)
        before = average.eval()(draws(50, 3)).mean().item()
        settings = GanSettings(r1=0.1, r1_every=4, lr_generator=2e-2, lr_discriminator=1e-2, ema=0.8)
        options = {"steps": 60, "settings": settings, "average": average, "record_every": 20, "progress": False}
        train_gan(generator, discriminator, list(x.split(16)), **options)
        after = average.eval()(draws(50, 3))
        assert abs(after.mean().item() - 0.8) < 0.1 < 0.25 < abs(before - 0.8)
        assert torch.equal(average.mean_w, generator.mean_w)
        w = average.map(draws(2000, 3))
        assert (average.mean_w - w.mean(dim=0)).abs().max() < 0.5 * w.std(dim=0).max()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_shape": (3, 15, 16)}, r"image_shape is \(C, 15, 16\): height and width must be even"),
        ({"hidden": 0}, "hidden is 0"),
        ({"mapping_layers": -1}, "mapping_layers is -1"),
        ({"mixing": 1.5}, "mixing is 1.5"),
        ({"decay": 1.0}, "decay 1.0"),
    ],
)
def test_sizes_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        StyleGenerator(4, **options)


def test_config_builds_it_again():
    generator = make(mapping_layers=2, mapping_rate=0.3, mixing=0.5, decay=0.9)
    assert all(layer.rate == 0.3 for layer in generator.mapping.layers)
    again = StyleGenerator(**generator.config)
    again.load_state_dict(generator.state_dict())
    assert again.config == generator.config
    assert torch.equal(again.eval()(draws(2, 5)), generator(draws(2, 5)))
