"""What lesson 12 defines inline is what the package has."""

import json
import math
from functools import partial

import pytest
import torch
from lesson_cells import lesson_cells, lesson_definitions, lesson_namespace

from course_utils.checks.lesson_12 import unet_forward as unet_exercise
from course_utils.models import diffusion
from course_utils.models.diffusion import sampling
from course_utils.models.diffusion.noise_schedule import NoiseSchedule

STEPS = {"posterior-exercise", "sampler-exercise", "unet-exercise", "loss-exercise", "guidance-exercise"}


definitions = partial(lesson_definitions, "12")


@pytest.fixture
def lesson():
    """What the learner writes, and the loops that use it."""
    values = lesson_namespace("12", *STEPS, torch=torch, nn=torch.nn)
    for cell in ("jump", "unet", "walk", "ddim", "reference-figure", "inversion", "conversions"):
        values |= definitions(cell, **(values | {"math": math, "T": 40}))
    return values


def predictor(x_t, t):
    """A smooth made-up network of images (B, C, H, W)."""
    return (x_t + 0.01 * t.view(-1, 1, 1, 1)).sin() * 0.8


def guess_x0(schedule):
    """The guess of x0 that goes with it, at a timestep that is a whole number."""
    return lambda x_t, t: diffusion.x0_from_eps(schedule, x_t, t, predictor(x_t, torch.full((len(x_t),), t)))


def test_schedules():
    for kind, cell, name in (("linear", "jump", "alpha_bar"), ("cosine", "schedule", "cosine")):
        source = lesson_cells("12")[cell].partition("def ")[0].partition("pixels =")[0]
        values = {"torch": torch, "math": math, "T": 1000, "device": "cpu"}
        exec(source, values)
        torch.testing.assert_close(values[name], NoiseSchedule(kind, 1000).alpha_bar, rtol=1e-4, atol=1e-9)


def test_q_sample(lesson, g):
    schedule, t = NoiseSchedule("cosine", 40), torch.tensor([0, 7, 39, 20, 7])
    x0, eps = torch.randn(2, 5, 1, 4, 3, generator=g)
    ours = lesson["q_sample"](schedule.alpha_bar, x0, t, eps)
    torch.testing.assert_close(ours, diffusion.q_sample(schedule, x0, t, eps))


@pytest.mark.parametrize(("t", "t_prev"), [(39, 38), (39, 20), (7, 0), (0, -1), (25, -1)])
def test_ddpm_posterior(lesson, g, t, t_prev):
    """The package's step with noise 1 is the mean plus one standard deviation."""
    schedule = NoiseSchedule("cosine", 40)
    x_t, eps, one = torch.randn(3, 3, 1, 2, 5, generator=g)
    x0 = diffusion.x0_from_eps(schedule, x_t, t, eps)
    mean, variance = lesson["ddpm_posterior"](schedule.alpha_bar, x_t, x0, t, t_prev)
    package = sampling.ddpm_step(schedule, x_t, t, eps, t_prev, noise=one)
    torch.testing.assert_close(mean + variance**0.5 * one, package, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("times", [list(range(39, -1, -1)), [39, 30, 12, 3]])
def test_ddpm_sampler(lesson, g, times):
    schedule, x = NoiseSchedule("linear", 40), torch.randn(3, 1, 2, 5, generator=g)
    torch.manual_seed(3)
    states, guesses = lesson["ddpm_sample"](guess_x0(schedule), schedule.alpha_bar, x, times)
    assert (len(states), len(guesses)) == (len(times) + 1, len(times))
    torch.manual_seed(3)
    for t, t_prev in zip(times, [*times[1:], -1], strict=True):
        eps_hat, noise = predictor(x, torch.full((3,), t)), torch.randn_like(x)
        x = sampling.ddpm_step(schedule, x, t, eps_hat, t_prev, noise=noise)
    torch.testing.assert_close(states[-1], x, rtol=1e-4, atol=1e-4)


def test_small_unet(lesson, g):
    """Its features at the lesson's frequencies, and the forward pass of the check's reference."""
    unet, t = lesson["SmallUNet"](), torch.tensor([0, 5, 999])
    torch.testing.assert_close(lesson["time_features"](t), unet_exercise.time_features(t))
    x_t = torch.randn(3, 1, 14, 10, generator=g)
    torch.testing.assert_close(unet(x_t, t), unet_exercise.unet_forward(unet, x_t, t))


def test_guess_with(lesson, g):
    schedule, x_t = NoiseSchedule("linear", 40), torch.randn(3, 1, 2, 5, generator=g)
    ours = lesson["guess_with"](predictor, schedule.alpha_bar)(x_t, 23)
    torch.testing.assert_close(ours, guess_x0(schedule)(x_t, 23).clamp(-1, 1))


def test_conversions(lesson, g):
    schedule, t = NoiseSchedule("cosine", 40), 23
    a, b = torch.randn(2, 3, 1, 2, 5, generator=g)
    share = schedule.alpha_bar[t]
    torch.testing.assert_close(lesson["x0_from_eps"](share, a, b), diffusion.x0_from_eps(schedule, a, t, b))
    torch.testing.assert_close(lesson["x0_from_v"](share, a, b), diffusion.x0_from_v(schedule, a, t, b))


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


@pytest.mark.parametrize("steps", [1, 6, 40])
def test_loops_there_and_back(lesson, g, steps):
    schedule, x = NoiseSchedule("cosine", 40), torch.randn(3, 1, 2, 5, generator=g)
    times = lesson["equal_steps"](steps)
    assert times == schedule.timesteps(steps).tolist()
    ours = lesson["ddim_sample"](guess_x0(schedule), schedule.alpha_bar, x, times)
    torch.testing.assert_close(ours, sampling.sample(schedule, predictor, x, steps=steps), rtol=1e-3, atol=1e-3)
    ours = lesson["ddim_invert"](guess_x0(schedule), schedule.alpha_bar, x, times)
    torch.testing.assert_close(ours, sampling.invert(schedule, predictor, x, steps=steps), rtol=1e-3, atol=1e-3)


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


def test_the_table_is_printed_and_its_order_asserted(tmp_path, capsys, monkeypatch):
    cell = "\n".join(lesson_cells("12")[name] for name in ("quality", "test quality-holds"))
    monkeypatch.setattr("course_utils.files.data_dir", lambda: tmp_path)
    scores = {"VAE, 16 dimensions: prior": 99.0, "GAN, 64 dimensions": 9.0, "diffusion, 20 steps, guidance 2": 30.0}
    scores |= {f"diffusion, {steps} steps": score for steps, score in ((5, 40.0), (10, 20.0), (20, 12.34), (50, 11.0))}
    rows = [{"name": name, "frechet": score, "precision": 0.5, "recall": 0.25} for name, score in scores.items()]
    table = {"samples": 10_000, "command": "python benchmarks/samples.py --samples 10000", "rows": rows}
    (tmp_path / "sample_quality.json").write_text(json.dumps(table))
    exec(cell, {})
    said = capsys.readouterr().out
    assert "10,000 samples each: python benchmarks/samples.py" in said
    assert "Frechet distance   12.3   precision 0.50   recall 0.25" in said
    rows[1]["frechet"] = 11.5  # farther than the diffusion model with 50 steps
    (tmp_path / "sample_quality.json").write_text(json.dumps(table))
    with pytest.raises(AssertionError):
        exec(cell, {})
