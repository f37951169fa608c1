"""What lesson 12 defines inline is what the package has."""

import json
import math
from functools import partial

import pytest
import torch
from lesson_cells import lesson_cells, lesson_definitions, lesson_namespace

from course_utils import stored
from course_utils.models import diffusion
from course_utils.models.diffusion import sampling
from course_utils.models.diffusion.noise_schedule import NoiseSchedule

STEPS = {"q-sample-exercise", "loss-exercise", "ddim-exercise", "guidance-exercise"}


definitions = partial(lesson_definitions, "12")


@pytest.fixture
def lesson():
    """What the learner writes, and the loops that use it."""
    values = lesson_namespace("12", *STEPS, torch=torch)
    for cell in ("schedules", "conversions", "loops", "inversion"):
        values |= definitions(cell, **(values | {"math": math}))
    return values


def predictor(x_t, t):
    """A smooth made-up network of images (B, C, H, W)."""
    return (x_t + 0.01 * t.view(-1, 1, 1, 1)).sin() * 0.8


@pytest.mark.parametrize("kind", ["linear", "cosine"])
@pytest.mark.parametrize("num_steps", [50, 1000])
def test_schedules(lesson, kind, num_steps):
    betas = lesson[f"{kind}_betas"](num_steps)
    schedule = NoiseSchedule(kind, num_steps)
    torch.testing.assert_close(betas.float(), schedule.betas.float())
    torch.testing.assert_close((1 - betas).cumprod(0).float(), schedule.alpha_bar.float(), rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("shape", [(5, 1, 4, 3), (5, 2)])
def test_q_sample(lesson, g, shape):
    schedule, t = NoiseSchedule("cosine", 40), torch.tensor([0, 7, 39, 20, 7])
    x0, eps = torch.randn(2, *shape, generator=g)
    ours = lesson["q_sample"](schedule.alpha_bar, x0, t, eps)
    torch.testing.assert_close(ours, diffusion.q_sample(schedule, x0, t, eps))


def test_conversions(lesson, g):
    schedule, t = NoiseSchedule("cosine", 40), 23
    a, b = torch.randn(2, 3, 1, 2, 5, generator=g)
    share = schedule.alpha_bar[t]
    for name, package in {
        "x0_from_eps": diffusion.x0_from_eps,
        "velocity": diffusion.v_from_x0_eps,
        "x0_from_v": diffusion.x0_from_v,
        "eps_from_v": diffusion.eps_from_v,
    }.items():
        torch.testing.assert_close(lesson[name](share, a, b), package(schedule, a, t, b))


def test_loss_is_that_of_the_package_for_its_own_draws(lesson):
    """The package draws timesteps and noise itself; what it showed to its network is used again."""
    model = diffusion.Diffusion(channels=(8, 16), blocks=1, steps=2, schedule="linear", prediction="eps")
    seen = []
    model.denoiser = Recorder(model.denoiser, seen)
    x0 = torch.rand(6, 1, 28, 28) * 2 - 1
    package = model.loss_of_data(x0)
    x_t, t = seen[0]
    share = model.schedule.alpha_bar[t].view(-1, 1, 1, 1)
    eps = (x_t - share.sqrt() * x0) / (1 - share).sqrt()
    ours = lesson["diffusion_loss"](lambda x, t: model.denoiser(x, t), model.schedule.alpha_bar, x0, t, eps)
    torch.testing.assert_close(ours, package, rtol=1e-4, atol=1e-5)
    assert abs(ours - 1) < 0.3  # a fresh network answers nearly 0, and the noise has variance 1


class Recorder(torch.nn.Module):
    """Passes on to a network, and writes down what it was shown."""

    def __init__(self, network, seen):
        super().__init__()
        self.network, self.seen = network, seen

    def forward(self, x_t, t, label=None):
        self.seen.append((x_t.detach().clone(), t))
        return self.network(x_t, t, label)


@pytest.mark.parametrize(("t", "t_prev"), [(39, 30), (7, 6), (0, -1), (25, -1), (-1, 3), (12, 30)])
def test_ddim_step(lesson, g, t, t_prev):
    schedule = NoiseSchedule("cosine", 40)
    x_t, eps_hat = torch.randn(2, 3, 1, 2, 5, generator=g)
    ours = lesson["ddim_step"](schedule.alpha_bar, x_t, t, eps_hat, t_prev)
    torch.testing.assert_close(ours, sampling.ddim_step(schedule, x_t, t, eps_hat, t_prev))


def test_ddpm_steps(lesson, g):
    schedule = NoiseSchedule("cosine", 12)
    x, noises = torch.randn(3, 1, 2, 5, generator=g), torch.randn(12, 3, 1, 2, 5, generator=g)
    draws = iter(noises)
    path = lesson["ddpm_path"](predictor, schedule.alpha_bar, x, lambda mean: next(draws))
    assert path.shape == (13, 3, 1, 2, 5)
    for noise, t in zip(noises, reversed(range(12)), strict=True):
        x = sampling.ddpm_step(schedule, x, t, predictor(x, torch.full((3,), t)), noise=noise)
    torch.testing.assert_close(path[-1], x)


@pytest.mark.parametrize(("num_steps", "steps"), [(1000, 1), (1000, 2), (1000, 20), (1000, 50), (1000, 1000), (40, 7)])
def test_timesteps(lesson, num_steps, steps):
    assert lesson["timesteps"](num_steps, steps) == NoiseSchedule("cosine", num_steps).timesteps(steps).tolist()


@pytest.mark.parametrize("steps", [1, 6, 40])
def test_loops_there_and_back(lesson, g, steps):
    schedule, x = NoiseSchedule("cosine", 40), torch.randn(3, 1, 2, 5, generator=g)
    path = lesson["ddim_path"](predictor, schedule.alpha_bar, x, steps)
    assert path.shape == (steps + 1, 3, 1, 2, 5)
    torch.testing.assert_close(path[-1], sampling.sample(schedule, predictor, x, steps=steps))
    ours = lesson["ddim_invert"](predictor, schedule.alpha_bar, x, steps)
    torch.testing.assert_close(ours, sampling.invert(schedule, predictor, x, steps=steps))


@pytest.mark.parametrize("weight", [0.0, 1.0, 3.5])
def test_guidance(lesson, g, weight):
    model = diffusion.Diffusion(channels=(8, 16), blocks=1, steps=2)
    torch.manual_seed(0)
    for parameter in model.parameters():  # a fresh network says 0 for every class
        torch.nn.init.normal_(parameter, std=0.1)
    x_t, t, label = torch.randn(2, 1, 28, 28, generator=g), torch.tensor([3, 700]), torch.tensor([4, 8])

    def network(x_t, t, label):
        return model.predict_eps(x_t, t, label)

    with torch.no_grad():
        ours = lesson["guided"](network, x_t, t, label, model.num_classes, weight)
        package = model.predict_eps(x_t, t, label, weight)
        unlike = model.predict_eps(x_t, t, label, weight + 1)
    torch.testing.assert_close(ours, package, rtol=1e-4, atol=1e-4)
    assert (package - unlike).abs().max() > 1e-3


def test_the_table_is_printed_and_its_order_asserted(tmp_path, capsys):
    cell = "\n".join(lesson_cells("12")[name] for name in ("quality", "test quality-holds"))
    values = {"stored": stored, "data_dir": lambda: tmp_path}
    scores = {"VAE, 16 dimensions: prior": 99.0, "GAN, 64 dimensions": 9.0, "diffusion, 20 steps, guidance 2": 30.0}
    scores |= {f"diffusion, {steps} steps": score for steps, score in ((5, 40.0), (10, 20.0), (20, 12.34), (50, 11.0))}
    rows = [{"name": name, "frechet": score, "precision": 0.5, "recall": 0.25} for name, score in scores.items()]
    table = {"samples": 10_000, "command": "python benchmarks/samples.py --samples 10000", "rows": rows}
    (tmp_path / "sample_quality.json").write_text(json.dumps(table))
    exec(cell, dict(values))
    said = capsys.readouterr().out
    assert "10,000 samples each: python benchmarks/samples.py" in said
    assert "Frechet distance   12.3   precision 0.50   recall 0.25" in said
    rows[0]["frechet"] = 90.0  # less than eight times that of the diffusion model
    (tmp_path / "sample_quality.json").write_text(json.dumps(table))
    with pytest.raises(AssertionError):
        exec(cell, dict(values))
