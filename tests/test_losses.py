"""Reconstruction terms, bounds and the effective beta: torch.distributions, closed forms, loops in double precision."""

import math

import pytest
import torch
from helpers import generator
from torch.distributions import Bernoulli, Independent, Normal

from course_utils.gaussian import kl_standard_normal, log_prob_gaussian
from course_utils.losses import (
    bernoulli_nll,
    bits_per_dim,
    effective_beta,
    elbo,
    gaussian_nll,
    iwae_bound,
    squared_error,
)
from course_utils.models.linear_gaussian import LinearGaussian
from course_utils.models.vae import VAE


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
            ValueError, match=rf"targets of the Bernoulli likelihood reach from .*{bad:.3g}.* must lie in \[0, 1\]: "
        ):
            bernoulli_nll(images(0), x)

    def test_a_target_that_is_no_number_is_refused(self):
        x = images(1)
        x[0, 0, 0, 0] = torch.nan
        with pytest.raises(ValueError, match="NaN or infinite values in targets of the Bernoulli likelihood"):
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


def linear_gaussian(scale=1.0, offset=0.0):
    weight = torch.randn(5, 2, generator=generator(1), dtype=torch.float64)
    bias = torch.randn(5, generator=generator(2), dtype=torch.float64)
    return LinearGaussian(weight, bias, 0.7, scale=scale, offset=offset)


def vae(**options):
    torch.manual_seed(0)
    return VAE(3, hidden=8, image_shape=(1, 4, 8), **options).double()


def images_in_range(n=6):
    return torch.rand(n, 1, 4, 8, generator=generator(5), dtype=torch.float64)


@pytest.mark.parametrize("std", [0.01, 1.0, 3.0])
def test_gaussian_nll_is_that_of_torch_distributions(std):
    x, x_hat = torch.randn(2, 4, 2, 3, 5, generator=generator(), dtype=torch.float64)
    result = gaussian_nll(x_hat, x, std)
    assert result.shape == (4,)
    torch.testing.assert_close(result, -Independent(Normal(x_hat, std), 3).log_prob(x), rtol=1e-6, atol=0)


def test_gaussian_nll_with_a_std_for_each_pixel():
    x, x_hat = torch.randn(2, 4, 3, generator=generator(), dtype=torch.float64)
    std = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    expected = -log_prob_gaussian(x, x_hat, 2 * std.log().expand_as(x))
    torch.testing.assert_close(gaussian_nll(x_hat, x, std), expected, rtol=1e-9, atol=0)
    with pytest.raises(ValueError, match="std is 0.*positive"):
        gaussian_nll(x_hat, x, std - 0.5)
    with pytest.raises(ValueError, match=r"\(4, 3\).*\(3,\)"):
        gaussian_nll(x_hat, x[0], 1.0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_16_bit_predictions_are_summed_in_float32(dtype):
    x_hat = torch.randn(3, 2000, generator=generator()).to(dtype)
    x = torch.rand(3, 2000, generator=generator(1)).to(dtype)
    for fn in (squared_error, bernoulli_nll, lambda a, b: gaussian_nll(a, b, 0.5)):
        assert fn(x_hat, x).dtype == torch.float32
        torch.testing.assert_close(fn(x_hat, x), fn(x_hat.double(), x.double()).float(), rtol=1e-5, atol=0)


def test_elbo_is_unbiased():
    model = linear_gaussian(scale=1.5, offset=0.4)
    x = model.sample(3, generator(3))
    estimates = elbo(model, x.repeat(4000, 1), 1, generator(0)).reshape(4000, 3)
    error = estimates.std(0) / math.sqrt(len(estimates))
    assert ((estimates.mean(0) - model.elbo(x)).abs() < 4.5 * error).all()
    many = elbo(model, x, 4000, generator())
    assert ((many - model.elbo(x)).abs() < 4.5 * error).all()


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_elbo_of_a_vae_is_minus_its_loss(likelihood):
    model, x = vae(likelihood=likelihood, std=0.3), images_in_range()
    terms = model.loss_terms(x, generator())
    torch.testing.assert_close(elbo(model, x, 1, generator()).mean(), -terms["loss"], rtol=1e-12, atol=0)


def test_iwae_lies_between_elbo_and_evidence_and_rises():
    model = linear_gaussian(scale=1.4, offset=0.3)
    x = model.sample(200, generator(3))
    bounds = [iwae_bound(model, x, k, generator=generator(4)).mean().item() for k in (1, 10, 100, 3000)]
    truth = model.log_evidence(x).mean().item()
    assert bounds[0] == pytest.approx(model.elbo(x).mean().item(), abs=0.3)
    assert bounds[0] + 0.3 < bounds[1] < bounds[2] < truth + 0.02
    assert bounds[3] == pytest.approx(truth, abs=0.02)


def test_iwae_is_exact_for_the_true_posterior():
    weight = torch.diag(torch.tensor([2.0, 0.5])).double()  # orthogonal columns: the true posterior is diagonal
    model = LinearGaussian(weight, torch.zeros(2).double(), 0.5)
    x = model.sample(4, generator())
    for k in (1, 7):
        torch.testing.assert_close(iwae_bound(model, x, k), model.log_evidence(x), rtol=1e-9, atol=1e-9)


def test_iwae_against_the_formula():
    model, x = vae(), images_in_range(4)
    mu, logvar = model.posterior(x)
    noise = generator(9)
    weights = []
    for _ in range(5):
        z = mu + (0.5 * logvar).exp() * torch.empty_like(mu).normal_(generator=noise)
        q, prior = (
            Independent(Normal(m, s), 1) for m, s in ((mu, (0.5 * logvar).exp()), (0 * mu, torch.ones_like(mu)))
        )
        log_p = -bernoulli_nll(model.decode_logits(z), x)
        weights.append((log_p + prior.log_prob(z) - q.log_prob(z)).exp())
    expected = torch.stack(weights).mean(0).log()
    torch.testing.assert_close(iwae_bound(model, x, 5, 2, generator(9)), expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 100])
def test_iwae_does_not_depend_on_the_chunk(chunk):
    model, x = vae(), images_in_range(5)
    expected = iwae_bound(model, x, 7, 7, generator())
    torch.testing.assert_close(iwae_bound(model, x, 7, chunk, generator()), expected, rtol=1e-12, atol=0)
    with torch.no_grad():
        torch.testing.assert_close(iwae_bound(model, x, 7, chunk, generator()), expected, rtol=1e-12, atol=0)


class Counting:
    """A model that records how many images it decodes at a time, and the elements that backward would keep."""

    def __init__(self, model):
        self.model, self.posterior, self.sizes = model, model.posterior, []

    def negative_log_likelihood(self, x, z):
        self.sizes.append(len(z))
        return self.model.negative_log_likelihood(x, z)


def test_iwae_decodes_a_bounded_number_of_images_at_a_time():
    counting, x = Counting(vae()), images_in_range(5)
    with torch.no_grad():
        iwae_bound(counting, x, 103, 4, generator())
    assert max(counting.sizes) == 20
    assert sum(counting.sizes) == 5 * 103


def saved_for_backward(num_samples):
    model, x = vae(), images_in_range(5)
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = iwae_bound(model, x, num_samples, 4, generator())
    assert result.requires_grad
    return sum(tensor.numel() for tensor in kept.values())


def test_iwae_keeps_only_noise_for_the_backward_pass():
    growth = (saved_for_backward(404) - saved_for_backward(4)) / 400
    assert growth < 2 * 5 * 3 + 20  # eps and codes of (B, D), not hidden layers of (B, 8) and images of (B, 32)


def peak_bytes(num_samples):
    from torch.profiler import ProfilerActivity, profile

    model, x = vae(), images_in_range(16)
    with torch.no_grad(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        iwae_bound(model, x, num_samples, 8, generator())
    now = peak = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    return peak


def test_memory_of_iwae_does_not_grow_with_the_samples():
    few, many = peak_bytes(8), peak_bytes(160)
    assert few > 8 * 16 * 32 * 8  # it does see the decoded chunk
    assert many < 1.2 * few


def test_gradient_of_iwae_is_that_without_chunks():
    x = images_in_range(4)
    gradients = []
    for chunk in (1, 6):
        model = vae()
        iwae_bound(model, x, 6, chunk, generator()).mean().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert gradients[0].norm() > 0
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("count", [0, -1])
def test_bounds_need_at_least_one_sample(count):
    with pytest.raises(ValueError, match=f"num_samples is {count}"):
        elbo(linear_gaussian(), torch.zeros(2, 5).double(), count)
    with pytest.raises(ValueError, match=f"num_samples is {count}"):
        iwae_bound(linear_gaussian(), torch.zeros(2, 5).double(), count)
    with pytest.raises(ValueError, match=f"chunk is {count}"):
        iwae_bound(linear_gaussian(), torch.zeros(2, 5).double(), 3, count)


def reduce(values, features, batch):
    per_example = values.flatten(1).sum(1) if features == "sum" else values.flatten(1).mean(1)
    return per_example.sum() if batch == "sum" else per_example.mean()


@pytest.mark.parametrize("recon_pixels", ["sum", "mean"])
@pytest.mark.parametrize("recon_batch", ["sum", "mean"])
@pytest.mark.parametrize("kl_dims", ["sum", "mean"])
@pytest.mark.parametrize("kl_batch", ["sum", "mean"])
@pytest.mark.parametrize("recon", ["bernoulli", "squared"])
def test_a_loss_and_its_effective_beta_pull_the_same_way(recon_pixels, recon_batch, kl_dims, kl_batch, recon):
    likelihood = "bernoulli" if recon == "bernoulli" else "gaussian"
    model, x, beta = vae(likelihood=likelihood), images_in_range(5), 0.7
    mu, logvar = model.posterior(x)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator(), dtype=torch.float64)
    if recon == "bernoulli":
        terms = torch.nn.functional.binary_cross_entropy_with_logits(model.decode_logits(z), x, reduction="none")
    else:
        terms = (model.decode(z) - x).square()  # twice what a Gaussian of unit variance says
    kl_terms = -0.5 * (1 + logvar - mu.square() - logvar.exp())
    loss = reduce(terms, recon_pixels, recon_batch) + beta * reduce(kl_terms, kl_dims, kl_batch)

    meant = effective_beta(
        beta, pixels=32, latent_dim=3, batch_size=5, recon_pixels=recon_pixels, recon_batch=recon_batch,
        kl_dims=kl_dims, kl_batch=kl_batch, recon_scale=2.0 if recon == "squared" else 1.0,
    )  # fmt: skip
    true = model.negative_log_likelihood(x, z).mean() + meant * kl_standard_normal(mu, logvar).mean()
    wrong = model.negative_log_likelihood(x, z).mean() + 1.1 * meant * kl_standard_normal(mu, logvar).mean()

    g, g_true, g_wrong = (
        torch.cat([t.flatten() for t in torch.autograd.grad(value, list(model.parameters()), retain_graph=True)])
        for value in (loss, true, wrong)
    )
    assert torch.cosine_similarity(g, g_true, dim=0).item() == pytest.approx(1, abs=1e-12)
    assert torch.cosine_similarity(g, g_wrong, dim=0).item() < 1 - 1e-12


def test_effective_beta_of_published_forms():
    form = {"pixels": 784, "latent_dim": 20, "batch_size": 128}
    assert effective_beta(**form) == 1
    assert effective_beta(**form, recon_batch="sum", kl_batch="sum") == 1
    assert effective_beta(**form, recon_pixels="mean") == pytest.approx(784)
    assert effective_beta(**form, recon_pixels="mean", kl_dims="mean") == pytest.approx(39.2)
    assert effective_beta(**form, recon_pixels="mean", kl_batch="sum") == pytest.approx(100352)
    assert effective_beta(**form, recon_batch="sum") == pytest.approx(1 / 128)
    assert effective_beta(**form, recon_scale=2) == 0.5
    assert effective_beta(4 * 20 / 784, **form, recon_pixels="mean", kl_dims="mean") == pytest.approx(4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"recon_pixels": "none"}, "recon_pixels is 'none'.*'sum' or 'mean'"),
        ({"kl_batch": "avg"}, "kl_batch is 'avg'"),
        ({"latent_dim": 0}, "latent_dim is 0"),
        ({"recon_scale": 0.0}, "recon_scale is 0"),
    ],
)
def test_effective_beta_says_what_is_wrong(wrong, message):
    with pytest.raises(ValueError, match=message):
        effective_beta(**({"pixels": 784, "latent_dim": 20} | wrong))


def test_bits_per_dim():
    assert bits_per_dim(math.log(2) * 12, 12) == pytest.approx(1)
    nats = torch.tensor([1.0, 2.0])
    torch.testing.assert_close(bits_per_dim(nats, 4), nats / 4 * math.log2(math.e))
    with pytest.raises(ValueError, match="num_dims is 0"):
        bits_per_dim(1.0, 0)


@pytest.mark.parametrize("function", [squared_error, bernoulli_nll, lambda x_hat, x: gaussian_nll(x_hat, x, 1.0)])
def test_bytes_and_arrays(function):
    x_hat, x = images(0), images(1)
    assert torch.equal(function(x_hat.numpy(), x.numpy()), function(x_hat, x))
    with pytest.raises(TypeError, match="x is torch.uint8 but the losses take floats: divide images by 255"):
        function(x_hat, (x * 255).byte())
