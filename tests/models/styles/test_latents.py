"""Truncation and mixing by hand, and codes found for images in z, w and w+."""

import copy

import pytest
import torch
from helpers import default_dtype
from helpers import generator as rng

from course_utils.models.styles import StyleGenerator, invert, mix_styles, truncate_w


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=rng(seed))


class TestTruncation:
    def test_distance_to_the_mean_shrinks_by_psi(self):
        w, mean = draws(6, 4), draws(4, seed=1)
        for psi in (-1.0, 0.0, 0.3, 1.0, 1.7):
            torch.testing.assert_close(truncate_w(w, mean, psi) - mean, psi * (w - mean))
        assert torch.equal(truncate_w(w, mean, 1.0), w)
        assert torch.equal(truncate_w(w, mean, 0), mean.expand(6, 4))

    def test_some_layers(self):
        w, mean = draws(6, 5, 4), draws(4, seed=1)
        found = truncate_w(w, mean, 0.5, layers=[0, 3])
        torch.testing.assert_close(found[:, [0, 3]], (w[:, [0, 3]] + mean) / 2)
        assert torch.equal(found[:, [1, 2, 4]], w[:, [1, 2, 4]])
        torch.testing.assert_close(truncate_w(w, mean, 0.5, layers=range(5)), truncate_w(w, mean, 0.5))

    def test_what_it_cannot_take(self):
        for w, mean in ((draws(6, 4), draws(3)), (draws(4), draws(4)), (draws(6, 4), draws(1, 4))):
            with pytest.raises(ValueError, match=r"w has shape .* and mean_w .* give \(B, D\) or \(B, L, D\)"):
                truncate_w(w, mean, 0.5)
        with pytest.raises(ValueError, match="psi is nan"):
            truncate_w(draws(6, 4), draws(4), float("nan"))
        with pytest.raises(ValueError, match=r"layers are \[5\], but there are 5"):
            truncate_w(draws(6, 5, 4), draws(4), 0.5, layers=[5])
        with pytest.raises(ValueError, match="say num_layers"):
            truncate_w(draws(6, 4), draws(4), 0.5, layers=[0])


class TestMixing:
    def test_layers_take_the_second_code(self):
        a, b = draws(6, 5, 4), draws(6, 5, 4, seed=1)
        found = mix_styles(a, b, (3, 1, 3))
        assert torch.equal(found[:, [1, 3]], b[:, [1, 3]])
        assert torch.equal(found[:, [0, 2, 4]], a[:, [0, 2, 4]])
        assert torch.equal(mix_styles(a, b, []), a)
        assert torch.equal(mix_styles(a, b, range(5)), b)
        assert torch.equal(mix_styles(a, b, [1, 3]), mix_styles(b, a, [0, 2, 4]))

    def test_one_code_for_all_layers_and_one_for_the_batch(self):
        a, b = draws(6, 4), draws(6, 4, seed=1)
        expected = torch.stack([a, b, b], dim=1)
        assert torch.equal(mix_styles(a, b, [1, 2], num_layers=3), expected)
        assert torch.equal(mix_styles(a[:, None].repeat(1, 3, 1), b, [1, 2]), expected)
        assert torch.equal(mix_styles(a, b[:1], [1, 2], num_layers=3)[:, 1], b[:1].expand(6, 4))

    def test_what_it_cannot_take(self):
        with pytest.raises(ValueError, match="say num_layers=generator.num_layers"):
            mix_styles(draws(6, 4), draws(6, 4), [1])
        for a, b in ((draws(6, 5, 4), draws(6, 3, 4)), (draws(6, 5, 4), draws(6, 5, 3)), (draws(4), draws(6, 5, 4))):
            with pytest.raises(ValueError, match="that match"):
                mix_styles(a, b, [1])
        with pytest.raises(ValueError, match=r"with L = 3 that match"):
            mix_styles(draws(6, 5, 4), draws(6, 5, 4), [1], num_layers=3)
        with pytest.raises(ValueError, match="equally many codes, or one for all"):
            mix_styles(draws(6, 5, 4), draws(2, 5, 4), [1])
        for bad in (-1, 5):
            with pytest.raises(ValueError, match=r"but there are 5: count them from 0 to 4"):
                mix_styles(draws(6, 5, 4), draws(6, 5, 4), [1, bad])


def lively(*arguments, **options) -> StyleGenerator:
    """An untrained generator whose images depend on their code as much as those of a trained one."""
    torch.manual_seed(2)
    generator = StyleGenerator(*arguments, **options).eval()
    with torch.no_grad():
        for layer in generator.layers:
            layer.affine.weight.mul_(3)
    return generator


@pytest.fixture(scope="module")
def generator() -> StyleGenerator:
    return lively(3, image_shape=(2, 8, 12), hidden=8)


class TestInversion:
    @pytest.mark.parametrize("space", ["z", "w", "w+"])
    def test_finds_an_image_that_the_space_can_make(self, generator, space):
        w = generator.map(draws(4, 3, seed=4)).detach()
        x = generator.synthesize(w).detach()
        before, state = copy.deepcopy(generator.state_dict()), torch.get_rng_state()
        code = invert(generator, x, 150, space=space)
        found = generator.synthesize(generator.map(code) if space == "z" else code)
        assert code.shape == ((4, 1, 3) if space == "w+" else (4, 3))
        assert (found - x).square().mean() < 0.003 * (x - x.mean(0)).square().mean()
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.equal(invert(generator, x, 150, space=space), code), "deterministic"
        assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())
        assert all(p.grad is None for p in generator.parameters())
        if space == "w":
            torch.testing.assert_close(code, w, rtol=0, atol=0.1)

    def test_a_code_a_layer_fits_best_what_is_mixed(self):
        generator = lively(4, image_shape=(2, 16, 24), hidden=8)
        w_a, w_b = generator.map(draws(2, 5, 4)[0]), generator.map(draws(2, 5, 4)[1])
        x = generator.synthesize(mix_styles(w_a, w_b, [1, 2], num_layers=3)).detach()
        errors = {}
        for space in ("w", "w+"):
            code = invert(generator, x, 120, space=space)
            errors[space] = (generator.synthesize(code) - x).square().mean().item()
        assert errors["w+"] < 0.3 * errors["w"]

    def test_the_prior_pulls_to_the_mean_of_w(self, generator):
        x = generator(draws(4, 3, seed=4)).detach()
        draw = generator.map(draws(4000, 3, seed=9)).detach()
        near, far = (invert(generator, x, 150, space="w", prior=prior) for prior in (100.0, 0.0))
        distance = [((code - draw.mean(0)) / draw.std(0)).abs().max() for code in (near, far)]
        assert distance[0] < 0.2 < distance[1]

    def test_it_starts_at_the_nearest_draw(self, generator):
        """With a step length of about 0 the search returns its start: one of as many draws."""
        x = generator(draws(3, 3, seed=4)).detach()
        code = invert(generator, x, 1, space="w+", lr=1e-9, candidates=40, rng=rng(7))
        w = generator.map(torch.randn(40, 3, generator=rng(7))).detach()
        distance = (generator.synthesize(w)[None] - x[:, None]).flatten(2).square().sum(2)
        torch.testing.assert_close(code[:, 0], w[distance.argmin(dim=1)], rtol=1e-4, atol=1e-4)

    @pytest.mark.parametrize("space", ["z", "w", "w+"])
    def test_a_search_within_inference_mode_is_the_same(self, generator, space):
        x = generator(draws(2, 3, seed=4)).detach()
        outside = invert(generator, x, 4, space=space)
        with torch.inference_mode():
            assert torch.equal(invert(generator, x, 4, space=space), outside)
            assert torch.equal(invert(generator, x.clone(), 4, space=space), outside)

    @pytest.mark.parametrize("space", ["w", "w+"])
    def test_the_search_does_not_depend_on_the_default_format(self, generator, space):
        x = generator(draws(2, 3, seed=4)).detach()
        code = invert(generator, x, 2, space=space)
        with default_dtype(torch.float64):
            assert torch.equal(invert(generator, x, 2, space=space), code)

    def test_another_space_and_none_to_invert(self, generator):
        with pytest.raises(ValueError, match="space is 's': use 'z', 'w' or 'w\\+'"):
            invert(generator, torch.zeros(1, 2, 8, 12), space="s")
        with pytest.raises(ValueError, match="steps is 0"):
            invert(generator, torch.zeros(1, 2, 8, 12), 0)
        assert invert(generator, torch.zeros(0, 2, 8, 12), space="w+").shape == (0, 1, 3)
