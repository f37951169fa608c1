"""What lesson 14 defines inline is what the package has."""

import matplotlib.pyplot as plt
import pytest
import torch
from lesson_cells import lesson_cells, lesson_namespace

from course_utils import plots
from course_utils.models import flow
from course_utils.models.caption import CrossAttention
from course_utils.models.diffusion import guide

EXERCISES = {"loss-exercise", "euler-exercise", "guidance-exercise", "inpaint-exercise", "words-exercise"}


@pytest.fixture
def lesson():
    """What the learner writes."""
    return lesson_namespace("14", *EXERCISES, torch=torch)


@pytest.fixture
def captioned():
    """A small flow of codes that is told vectors, with weights that say something."""
    model = flow.FlowModel(6, condition_dim=3, hidden=16, steps=4)
    g = torch.Generator().manual_seed(0)
    for parameter in model.parameters():  # a fresh network says 0
        torch.nn.init.normal_(parameter, std=0.3, generator=g)
    return model.eval()


def field(x_t, t):
    """A smooth made-up velocity of points of any shape."""
    return 2 * (x_t + 3 * t.reshape(-1, *[1] * (x_t.ndim - 1)) + 0.4).sin() + 0.5


@pytest.mark.parametrize("shape", [(5, 3), (4, 4), (3, 2, 4, 5)])
def test_flow_matching_loss(lesson, g, shape):
    x0, x1, t = torch.randn(shape, generator=g), torch.randn(shape, generator=g), torch.rand(shape[0], generator=g)
    ours = lesson["flow_matching_loss"](field, x0, x1, t)
    torch.testing.assert_close(ours, flow.flow_matching_loss(field, x1, x0=x0, t=t))
    seen = []
    lesson["flow_matching_loss"](lambda x_t, t: seen.append(x_t) or x_t, x0, x1, t)
    x_t, velocity = flow.flow_matching_pair(x0, x1, t)
    torch.testing.assert_close(seen[0], x_t)
    torch.testing.assert_close(ours, (field(x_t, t) - velocity).square().mean())
    assert (ours - lesson["flow_matching_loss"](field, x1, x0, t)).abs() > 1e-3  # noise and data are no equals


@pytest.mark.parametrize("steps", [1, 3, 20])
@pytest.mark.parametrize("shape", [(5, 2), (3, 2, 1, 4)])
def test_euler_sampler(lesson, g, steps, shape):
    x0 = torch.randn(shape, generator=g)
    kept = x0.clone()
    ours = lesson["euler_sample"](field, x0, steps)
    torch.testing.assert_close(ours, flow.integrate(field, x0, steps=steps), rtol=1e-4, atol=1e-5)
    x = x0
    for k in range(steps):
        x = flow.euler_step(x, field(x, torch.full((len(x),), k / steps)), 1 / steps)
    torch.testing.assert_close(ours, x, rtol=1e-4, atol=1e-5)
    assert torch.equal(x0, kept)


@pytest.mark.parametrize("weight", [0.0, 1.0, 2.5])
def test_sampling_with_guidance_is_that_of_the_model(lesson, captioned, g, weight):
    noise, bag = torch.randn(5, 6, generator=g), (torch.rand(5, 3, generator=g) < 0.5).float()
    bag[:, 0] = 1

    def velocity(x_t, t):
        return lesson["guided_velocity"](captioned.velocity, x_t, t, bag, weight)

    ours = lesson["euler_sample"](velocity, noise, 7)
    with torch.no_grad():
        package = captioned.given(bag, weight, steps=7).decode(noise)
        unlike = captioned.given(bag, weight + 1, steps=7).decode(noise)
        t = torch.rand(5, generator=g)
        both = captioned.velocity(noise, t), captioned.velocity(noise, t, bag)
        torch.testing.assert_close(velocity(noise, t), guide(*both, weight), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours, package, rtol=1e-4, atol=1e-4)
    assert (package - unlike).abs().max() > 1e-2


def test_no_caption_is_a_bag_of_zeros(captioned, g):
    """The lesson says so, and asks the model with zeros where the package asks with None."""
    x_t, t = torch.randn(4, 6, generator=g), torch.rand(4, generator=g)
    torch.testing.assert_close(captioned.velocity(x_t, t, torch.zeros(4, 3)), captioned.velocity(x_t, t))


@pytest.mark.parametrize(("t", "t_next"), [(0.0, 0.1), (0.25, 0.4), (0.75, 1.0)])
def test_inpainting_step_against_a_slow_loop(lesson, g, t, t_next):
    """Face by face and pixel by pixel, with the package's conversions."""
    into, back = torch.randn(6, 2 * 3 * 5, generator=g) / 3, torch.randn(2 * 3 * 5, 6, generator=g) / 5
    x_t, image = torch.randn(4, 6, generator=g), torch.rand(4, 2, 3, 5, generator=g)
    known = torch.rand(4, 1, 3, 5, generator=g) < 0.5

    def decode(z):
        return (z @ into).sigmoid().reshape(-1, 2, 3, 5)

    def encode(pictures):
        return pictures.flatten(1) @ back

    expected = torch.empty_like(x_t)
    for k in range(4):
        one, time = x_t[k : k + 1], torch.tensor([t])
        v = field(one, time)
        made = decode(flow.x1_from_velocity(one, time, v))[0]
        for row in range(3):
            for column in range(5):
                if known[k, 0, row, column]:
                    made[:, row, column] = image[k, :, row, column]
        noise = flow.x0_from_velocity(one, time, v)
        expected[k] = flow.flow_matching_pair(noise, encode(made[None]), torch.tensor([t_next]))[0][0]
    ours = lesson["inpaint_step"](field, x_t, t, t_next, image, known, decode, encode)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_with_nothing_known_and_a_perfect_compressor_it_is_an_euler_step(lesson, g):
    x_t = torch.randn(3, 2 * 1 * 4, generator=g)
    known = torch.zeros(3, 1, 1, 4, dtype=torch.bool)
    image = torch.rand(3, 2, 1, 4, generator=g)
    step = lesson["inpaint_step"](
        field, x_t, 0.3, 0.5, image, known, lambda z: z.reshape(-1, 2, 1, 4), lambda pictures: pictures.flatten(1)
    )
    torch.testing.assert_close(step, flow.euler_step(x_t, field(x_t, torch.full((3,), 0.3)), 0.2))


def test_four_heads_of_the_lessons_attention_are_those_of_the_network(lesson, g):
    """The function on a quarter of the numbers, four times: one batch of all heads."""
    attend = CrossAttention(12, 6, heads=4)
    x, words = torch.randn(3, 5, 12, generator=g), torch.randn(3, 7, 6, generator=g)
    counts = torch.arange(7) < torch.tensor([[4], [0], [7]])
    counts[0, 1] = False

    def by_head(numbers):
        return torch.cat(numbers.split(3, dim=2))  # (4 * 3, N or T, 12 / 4), head by head

    with torch.no_grad():
        q, k, v = by_head(attend.to_q(x)), by_head(attend.to_k(words)), by_head(attend.to_v(words))
        taken = lesson["look_at_words"](q, k, v, counts.repeat(4, 1))
        ours = attend.to_out(torch.cat(taken.split(3), dim=2))
        torch.testing.assert_close(ours, attend(x, words, counts), rtol=1e-4, atol=1e-5)
        assert (ours - attend(x, words)).abs().max() > 1e-2  # the mask matters
        assert not taken.view(4, 3, 5, 3)[:, 1].any()  # the empty caption
        eye = torch.eye(7).expand(12, 7, 7)  # each word's v says which word it is, so what comes out are the weights
        weights = lesson["look_at_words"](q, k, eye, counts.repeat(4, 1)).view(4, 3, 5, 7).transpose(0, 1)
        torch.testing.assert_close(weights, attend.weights(x, words, counts), rtol=1e-4, atol=1e-6)


def test_the_script_of_find_the_bug(g):
    """Its sampler is the lesson's; its loss is right once line 3 is mended as the solution says."""
    values = {"torch": torch}
    script = lesson_cells("14")["bug-script"]
    answer = lesson_namespace("14", "bug-exercise")["find_the_bug"]()
    exec(script.replace("x_t = at * x0 + (1 - at) * x1  # line 3", answer[1]), values)
    x0, x1 = torch.randn(2, 5, 3, generator=g)
    torch.manual_seed(1)
    ours = values["public_loss"](field, x0, x1)
    torch.manual_seed(1)
    torch.testing.assert_close(ours, flow.flow_matching_loss(field, x1, x0=x0, t=torch.rand(5)))
    torch.testing.assert_close(values["public_sample"](field, x0, 6), flow.integrate(field, x0, steps=6))


def test_the_bent_paths_are_those_of_the_package(g):
    centres = torch.tensor([[-2.0, 0.5], [1.5, 1.8], [1.2, -1.6]])
    toy = flow.MixtureFlow(centres, 0.2, torch.tensor([0.5, 0.3, 0.2]))
    x0 = torch.randn(50, 2, generator=g)
    x1, heap = toy.sample(50, generator=g)
    values = {"torch": torch, "plt": plt, "plots": plots, "toy": toy, "x0": x0, "x1": x1, "heap": heap,
              "centres": centres}  # fmt: skip
    exec(lesson_cells("14")["paths-figure"], values)
    ways = values["ways"]
    torch.testing.assert_close(ways[0], x0)
    torch.testing.assert_close(ways[-1], flow.integrate(toy.velocity, x0, steps=200), rtol=1e-3, atol=1e-3)
    plt.close("all")
