"""Reconstruction terms: against torch.distributions and loops in double precision."""

import pytest
import torch
from torch.distributions import Bernoulli

from course_utils.losses import bernoulli_nll, squared_error


def images(seed: int, shape=(3, 2, 4, 5)) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


class TestSquaredError:
    def test_sums_over_features_and_not_over_examples(self):
        x_hat, x = images(0), images(1)
        out = squared_error(x_hat, x)
        assert out.shape == (3,)
        for b in range(3):
            expected = sum(
                (p - q) ** 2 for p, q in zip(x_hat[b].flatten().tolist(), x[b].flatten().tolist(), strict=True)
            )
            assert out[b].item() == pytest.approx(expected, rel=1e-5)

    def test_equals_pairwise_distance(self):
        x_hat, x = images(0), images(1)
        expected = torch.nn.functional.pairwise_distance(x_hat.flatten(1), x.flatten(1), eps=0).square()
        torch.testing.assert_close(squared_error(x_hat, x), expected)

    def test_gradient_is_twice_the_difference(self):
        x_hat, x = images(0).requires_grad_(), images(1)
        squared_error(x_hat, x).sum().backward()
        torch.testing.assert_close(x_hat.grad, 2 * (x_hat.detach() - x))


class TestBernoulli:
    def test_equals_torch_distributions(self):
        x_logits, x = 4 * torch.randn(3, 2, 4, 5, generator=torch.Generator().manual_seed(2)), images(1).round()
        expected = -Bernoulli(logits=x_logits).log_prob(x).sum(dim=(1, 2, 3))
        out = bernoulli_nll(x_logits, x)
        assert out.shape == (3,)
        torch.testing.assert_close(out, expected)

    def test_grey_values_are_means(self):
        x_logits, x = images(0).double() * 6 - 3, images(1).double()
        p = 1 / (1 + (-x_logits).exp())
        expected = -(x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(1)
        torch.testing.assert_close(bernoulli_nll(x_logits, x), expected)

    def test_stays_exact_where_the_sigmoid_is_one(self):
        out = bernoulli_nll(torch.tensor([[200.0], [-200.0], [200.0]]), torch.tensor([[0.0], [1.0], [1.0]]))
        assert out.tolist() == [200.0, 200.0, 0.0]

    def test_gradient_is_sigmoid_minus_target(self):
        x_logits, x = (images(0) * 6 - 3).requires_grad_(), images(1)
        bernoulli_nll(x_logits, x).sum().backward()
        torch.testing.assert_close(x_logits.grad, torch.sigmoid(x_logits.detach()) - x)

    @pytest.mark.parametrize("bad", [-0.01, 1.01, 255.0])
    def test_targets_out_of_range_are_named(self, bad):
        x = images(1)
        x[1, 0, 2, 3] = bad
        with pytest.raises(
            ValueError, match=rf"must lie in \[0, 1\], but these reach from .*{bad:.3g}.*divided by 255"
        ):
            bernoulli_nll(images(0), x)

    def test_a_target_that_is_no_number_is_refused(self):
        x = images(1)
        x[0, 0, 0, 0] = torch.nan
        with pytest.raises(ValueError, match="nan"):
            bernoulli_nll(images(0), x)


@pytest.mark.parametrize(("function", "name"), [(squared_error, "x_hat"), (bernoulli_nll, "x_logits")])
def test_shapes_that_would_broadcast_are_refused(function, name):
    with pytest.raises(ValueError, match=rf"{name} has shape \(3, 1, 4, 5\) but x has \(3, 2, 4, 5\)"):
        function(images(0, (3, 1, 4, 5)), images(1))
    with pytest.raises(ValueError, match="broadcasting"):
        function(images(0, (3, 1)), images(1, (1, 3)))


@pytest.mark.parametrize("function", [squared_error, bernoulli_nll])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_16_bits_are_summed_in_32(function, dtype):
    prediction, x = images(0).to(dtype), images(1).to(dtype)
    out = function(prediction, x)
    assert out.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(out.double(), function(prediction.double(), x.double()), rtol=1e-5, atol=1e-5)
