"""What lesson 10 defines inline is what the package has."""

import json
import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from lesson_cells import lesson_cells, lesson_definitions, lesson_namespace
from torch import nn

from course_utils import files, metrics
from course_utils.data.toys import ring_of_gaussians
from course_utils.models import gan

definitions = partial(lesson_definitions, "10")


@pytest.fixture
def points(g):
    """Real and fake points and a discriminator of them."""
    torch.manual_seed(0)
    return torch.randn(7, 2, generator=g), torch.randn(5, 2, generator=g), gan.RingDiscriminator(hidden=9)


def test_losses_of_the_step(points):
    """The first losses that the lesson's step returns are the package's, and so is the saturating one."""
    x, _, discriminator = points
    generator = gan.RingGenerator(3, hidden=6)
    z, still = torch.randn(len(x), 3), [one.detach().clone() for one in discriminator.parameters()]
    optimizers = [torch.optim.SGD(net.parameters(), lr=0.0) for net in (generator, discriminator)]
    gan_step = lesson_namespace("10", "step-exercise", F=F)["gan_step"]
    with torch.no_grad():
        real, fake = discriminator(x), discriminator(generator(z))
    penalty = lambda net, x: 0.7 * gan.r1_penalty(net, x)  # noqa: E731
    loss_d, loss_g = gan_step(generator, discriminator, optimizers, x, z, penalty)
    right = gan.discriminator_loss(real, fake) + penalty(discriminator, x)
    assert loss_d == pytest.approx(right.item(), rel=1e-5)
    assert loss_g == pytest.approx(gan.generator_loss(fake).item(), rel=1e-5)
    assert all(torch.equal(a, b) for a, b in zip(still, discriminator.parameters(), strict=True))
    inline = definitions("saturating", F=F, torch=torch)
    x_fake = generator(z)
    torch.testing.assert_close(
        inline["saturating_loss"](discriminator, x_fake), gan.saturating_generator_loss(discriminator(x_fake))
    )
    torch.testing.assert_close(
        inline["non_saturating_loss"](discriminator, x_fake), gan.generator_loss(discriminator(x_fake))
    )


def test_the_smallest_game_follows_the_losses():
    """Its step goes against the derivatives of the package's losses of two single points."""
    game_step = lesson_namespace("10", "game-exercise", math=math)["game_step"]
    theta, psi = torch.tensor([1.3, -0.6], dtype=torch.float64).requires_grad_().unbind()
    zero = torch.zeros((), dtype=torch.float64)
    slope_psi = torch.autograd.grad(gan.discriminator_loss(psi * zero, psi * theta), psi)[0]
    slope_theta = torch.autograd.grad(gan.generator_loss(psi * theta), theta)[0]
    found = game_step(1.3, -0.6, 0.25)
    assert found == pytest.approx((1.3 - 0.25 * slope_theta.item(), -0.6 - 0.25 * slope_psi.item()))


def test_r1_penalty_and_its_gradient(points):
    x, _, discriminator = points
    inline = lesson_namespace("10", "penalty-exercise", torch=torch)["r1_penalty"]
    weights = list(discriminator.parameters())[:3]
    ours, package = inline(discriminator, x), gan.r1_penalty(discriminator, x)
    torch.testing.assert_close(ours, package)
    assert ours > 0
    for a, b in zip(torch.autograd.grad(ours, weights), torch.autograd.grad(package, weights), strict=True):
        torch.testing.assert_close(a, b)


def test_networks_on_points_are_the_packages():
    mlp = definitions("ring-code", nn=nn, torch=torch, math=math)["mlp"]
    for inline, package in ((mlp(2, 2), gan.RingGenerator(2)), (mlp(2, 1), gan.RingDiscriminator())):
        package.layers.load_state_dict(inline.state_dict())
        x = torch.randn(5, 2)
        torch.testing.assert_close(inline(x).squeeze(1) if package(x).ndim == 1 else inline(x), package(x))


def test_networks_on_images_are_the_packages():
    inline = definitions("image-networks", nn=nn, torch=torch)
    torch.manual_seed(0)
    ours, package = inline["Generator"](6, hidden=8).eval(), gan.Generator(6, hidden=8).eval()
    package.load_state_dict(ours.state_dict())
    z = torch.randn(3, 6)
    torch.testing.assert_close(ours(z), package(z))
    assert ours(z).std() > 0.01
    ours, package = inline["Discriminator"](hidden=4), gan.Discriminator(hidden=4)
    package.load_state_dict(ours.state_dict())
    x = torch.rand(3, 1, 28, 28)
    torch.testing.assert_close(ours(x), package(x))


def test_jensen_shannon_of_known_densities():
    inline = definitions("value-densities", torch=torch, math=math)
    line = torch.linspace(-30, 60, 90_001, dtype=torch.float64)
    p, far = inline["normal"](line, 0.0, 1.0), inline["normal"](line, 30.0, 1.5)
    assert inline["jensen_shannon"](p, p, line) == pytest.approx(0, abs=1e-12)
    assert inline["jensen_shannon"](p, far, line) == pytest.approx(math.log(2), abs=1e-9)
    near = inline["normal"](line, 0.7, 1.5)
    x = torch.distributions.Normal(0.0, 1.0).sample((400_000,)).double()
    y = torch.distributions.Normal(0.7, 1.5).sample((400_000,)).double()
    density = lambda v: (inline["normal"](v, 0.0, 1.0), inline["normal"](v, 0.7, 1.5))  # noqa: E731
    terms = [(2 * density(v)[k] / sum(density(v))).log() for k, v in enumerate((x, y))]
    error = math.sqrt(sum(t.var().item() for t in terms) / 400_000) / 2
    estimate = sum(t.mean().item() for t in terms) / 2
    assert inline["jensen_shannon"](p, near, line) == pytest.approx(estimate, abs=4 * error)


def test_modes_covered(g):
    angle = torch.arange(8) * math.pi / 4
    centres = torch.stack([angle.cos(), angle.sin()], dim=1)
    inline = definitions("ring-code", torch=torch, centres=centres)["modes_covered"]
    ring, labels = ring_of_gaussians(900, generator=g)
    for points in (
        ring,
        ring[labels < 3],
        ring[labels == 4] * 2,
        torch.cat([ring[labels < 2], torch.randn(300, 2) * 0.3]),
    ):
        package = metrics.modes_covered(points, centres, 0.05, at_least=math.ceil(0.01 * len(points)))
        modes, good = inline(points)
        assert modes == package.modes
        assert good == pytest.approx(package.quality)
    assert inline(ring)[0] == 8
    assert inline(ring[labels < 3])[0] == 3


def test_sample_measures(g):
    inline = definitions("measure-code", torch=torch)
    a, b = torch.randn(300, 6, generator=g), 0.7 * torch.randn(300, 6, generator=g) + 0.4
    assert inline["frechet_distance"](a, b) == pytest.approx(metrics.frechet_distance(a, b), rel=1e-5)
    ours = inline["share_within"](b, a), inline["share_within"](a, b)
    assert ours == pytest.approx(tuple(metrics.precision_recall(a, b)), abs=1e-6)
    assert ours[0] > ours[1] + 0.05


def test_truncation(g):
    truncate = definitions("truncation", torch=torch)["truncate"]
    z = torch.randn(50, 4, generator=g)
    for limit in (0.3, 1.0, 3.0):
        torch.testing.assert_close(truncate(z, limit), gan.truncate(z, limit, method="quantile"), rtol=1e-4, atol=1e-4)


def test_inversion_finds_what_the_package_finds(g):
    """Both searches end at an error of almost nothing for an image that a small generator made."""
    find_codes = lesson_namespace("10", "inversion-exercise", torch=torch)["find_codes"]
    torch.manual_seed(1)
    generator = gan.Generator(3, hidden=8).eval()
    with torch.no_grad():
        generator.layers[-2].weight.mul_(20)
        x = generator(torch.randn(2, 3, generator=g))
    _, errors = find_codes(generator, x, torch.randn(2, 3, generator=g), 150)
    codes = gan.invert(generator, x, 150, candidates=16)
    with torch.no_grad():
        package = (generator(codes) - x).square().sum(dim=(1, 2, 3))
    assert errors.shape == (150, 2)
    assert (errors[-1] < 0.1 * errors[0]).all()
    assert (package < 0.1 * errors[0]).all()


def test_the_comparison_is_printed_and_its_order_asserted(tmp_path, capsys, monkeypatch):
    cell = "\n".join(lesson_cells("10")[name] for name in ("comparison", "test comparison-holds"))
    values = {}
    monkeypatch.setattr(files, "data_dir", lambda: tmp_path)
    distances = {
        "hinge, spectral normalisation": [40.0, 50.0], "non-saturating, R1": [41.0, 49.0],
        "non-saturating, spectral normalisation": [20.4, 30.6], "non-saturating, nothing": [60.0, 70.0],
        "Wasserstein, gradient penalty": [200.0, 300.0],
    }  # fmt: skip
    other = {"precision": [0.5, 0.7], "recall": [0.2, 0.4], "steps": [10, 20], "tuning": [1, 2]}
    ways = [{"name": name, "frechet": measured} | other for name, measured in distances.items()]
    table = {"seconds": 60.0, "floor": 0.71, "command": "python benchmarks/gan.py", "ways": ways, "seeds": [1, 2]}
    (tmp_path / "gan_comparison.json").write_text(json.dumps(table))
    exec(cell, dict(values))
    said = capsys.readouterr().out
    assert "FD 20, 31; precision 0.50, 0.70; recall 0.20, 0.40; 15 steps" in said
    for k, what, wrong in ((2, "frechet", [20.0, 41.0]), (0, "frechet", [40.0, 61.0]), (3, "tuning", [1])):
        broken = [dict(way) for way in ways]
        broken[k][what] = wrong
        (tmp_path / "gan_comparison.json").write_text(json.dumps(table | {"ways": broken}))
        with pytest.raises(AssertionError):
            exec(cell, dict(values))
