"""Right answers to the exercises of lesson 14, in other styles than the reference."""

import math

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from verdicts import accepts, says

from course_utils.checks.lesson_14 import look_at_words
from course_utils.models.flow import flow_matching_loss as of_the_package
from course_utils.models.flow import integrate


def loss_by_view(velocity, x0, x1, t):
    w = t.view(len(t), *(1 for _ in x1.shape[1:]))
    return F.mse_loss(velocity(torch.lerp(x0, x1, w.expand_as(x1)), t), x1 - x0)


def loss_one_by_one(velocity, x0, x1, t):
    total = 0
    for k in range(len(t)):
        x_t = x0[k : k + 1] + t[k] * (x1[k : k + 1] - x0[k : k + 1])
        total = total + (velocity(x_t, t[k : k + 1]) - x1[k : k + 1] + x0[k : k + 1]).pow(2).sum()
    return total / x1.numel()


def loss_by_einsum(velocity, x0, x1, t):
    x_t = torch.einsum("b,b...->b...", 1 - t, x0) + torch.einsum("b,b...->b...", t, x1)
    return ((x1 - x0 - velocity(x_t, t)) ** 2).flatten(1).mean(1).mean()


def loss_of_the_package(velocity, x0, x1, t):
    return of_the_package(velocity, x1, x0=x0, t=t)


def euler_by_linspace(velocity, x0, steps):
    times, x = torch.linspace(0, 1, steps + 1), x0.clone()
    for t, t_next in zip(times[:-1], times[1:], strict=True):
        x = x + (t_next - t) * velocity(x, t.expand(len(x)))
    return x


def euler_by_while(velocity, x0, steps):
    x, k = x0.clone(), 0
    while k < steps:
        x += velocity(x, torch.zeros(len(x0)) + k / steps) / steps
        k += 1
    return x


def euler_by_arange(velocity, x0, steps):
    x = x0
    for t in np.arange(steps) / steps:
        x = torch.add(x, velocity(x, torch.ones(len(x)) * float(t)), alpha=1 / steps)
    return x


def euler_of_the_package(velocity, x0, steps):
    return integrate(velocity, x0, steps=steps)


def guided_as_average(velocity, x_t, t, bag, weight):
    """Both in one batch, and as weights that add up to 1."""
    both = velocity(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([bag, 0 * bag]))
    this, some = both.chunk(2)
    return weight * this + (1 - weight) * some


def guided_by_lerp(velocity, x_t, t, bag, weight):
    return torch.lerp(velocity(x_t, t, torch.zeros(bag.shape)), velocity(x_t, t, bag), weight)


def guided_beyond(velocity, x_t, t, bag, weight):
    this = velocity(x_t, t, bag)
    return this + (weight - 1) * (this - velocity(x_t, t, bag.new_zeros(bag.shape)))


def guided_one_by_one(velocity, x_t, t, bag, weight):
    rows = []
    for x, moment, said in zip(x_t.split(1), t.split(1), bag.split(1), strict=True):
        some = velocity(x, moment, said * 0)
        rows.append(some + (velocity(x, moment, said) - some) * weight)
    return torch.cat(rows)


def shown(images):
    plt.imshow(torch.cat([one for some in images.values() for one in some[:, 0]], dim=1), vmin=0, vmax=1)
    plt.show()


def slider_by_interact(picture):
    return ipywidgets.interact(lambda w: shown(picture(w)), w=ipywidgets.FloatSlider(1, min=0, max=4, step=0.5))


def slider_by_name(picture):
    slider = ipywidgets.FloatSlider(min=0, max=4, step=0.5, value=1, description="weight")
    return ipywidgets.interactive(lambda weight: shown(picture(weight)), weight=slider)


def slider_by_interactive_output(picture):
    slider = ipywidgets.FloatSlider(value=1, min=0, max=4, step=0.5, continuous_update=False)
    return ipywidgets.HBox([slider, ipywidgets.interactive_output(lambda w: shown(picture(w)), {"w": slider})])


def slider_by_observing(picture):
    slider, out = ipywidgets.FloatSlider(value=1, min=0, max=4, step=0.5), ipywidgets.Output()

    def redraw(change=None):
        out.clear_output(wait=True)
        with out:
            shown(picture(slider.value))

    redraw()
    slider.observe(redraw, "value")
    return ipywidgets.VBox([slider, out])


def inpaint_by_mask(velocity, x_t, t, t_next, image, known, decode, encode):
    v = velocity(x_t, torch.ones(len(x_t)) * t)
    mask = known.float()
    clean = encode(mask * image + (1 - mask) * decode(x_t + v - t * v))
    return torch.lerp(x_t - t * v, clean, t_next)


def inpaint_by_ends(velocity, x_t, t, t_next, image, known, decode, encode):
    v = velocity(x_t, torch.full(x_t.shape[:1], t))
    noise = x_t - t * v
    picture = decode(noise + v).clone()  # x0_hat + v is x1_hat
    where = known.expand_as(picture)
    picture[where] = image[where]
    return noise + t_next * (encode(picture) - noise)


def inpaint_by_noise_and_rest(velocity, x_t, t, t_next, image, known, decode, encode):
    v = velocity(x_t, torch.tensor([t] * len(x_t)))
    picture = decode(x_t + (1 - t) * v)
    new = encode(picture.masked_scatter(known.expand_as(picture), image[known.expand_as(image)]))
    return (1 - t_next) * (x_t - t * v) + t_next * new


def inpaint_without_gradients(velocity, x_t, t, t_next, image, known, decode, encode):
    with torch.no_grad():
        v = velocity(x_t, torch.full((len(x_t),), float(t)))
        made = torch.where(~known, decode(x_t + (1 - t) * v), image)
        return t_next * encode(made) + (x_t - t * v) * (1 - t_next)


def words_by_matmul(q, k, v, counts):
    scores = torch.bmm(q, k.mT) / math.sqrt(q.size(-1))
    scores = torch.where(counts.unsqueeze(1), scores, -math.inf)
    return torch.matmul(torch.softmax(scores, dim=-1).nan_to_num(0.0), v)


def words_by_einsum(q, k, v, counts):
    scores = torch.einsum("bnd,btd->bnt", q * q.shape[-1] ** -0.5, k).masked_fill(~counts[:, None], -1e30)
    return torch.einsum("bnt,btd,bt->bnd", scores.softmax(-1), v, counts.float())


def words_by_the_library(q, k, v, counts):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=counts[:, None])


def words_by_the_library_with_floats(q, k, v, counts):
    hidden = torch.zeros(counts.shape).masked_fill(~counts, -torch.inf)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=hidden[:, None]).nan_to_num()


def words_by_exponentials(q, k, v, counts):
    """The softmax written out, with the maximum subtracted."""
    scores = (q[:, :, None] * k[:, None]).sum(3) / q.shape[2] ** 0.5
    scores = scores + counts[:, None].float().log()  # log 0 is -inf
    e = (scores - scores.amax(2, keepdim=True).clamp(min=-1e30)).exp()
    return e / e.sum(2, keepdim=True).clamp(min=1e-30) @ v


def words_one_by_one(q, k, v, counts):
    """Caption by caption, place by place and word by word, in float64."""
    out = torch.zeros(q.shape, dtype=torch.float64)
    q, k, v = q.double(), k.double(), v.double()
    for b, row in enumerate(counts.tolist()):
        words = [j for j, one in enumerate(row) if one]
        for i in range(q.shape[1]):
            scores = [sum(q[b, i, d] * k[b, j, d] for d in range(q.shape[2])) / q.shape[2] ** 0.5 for j in words]
            total = sum(math.exp(score - max(scores)) for score in scores)
            for j, score in zip(words, scores, strict=True):
                out[b, i] += math.exp(score - max(scores)) / total * v[b, j]
    return out


def words_that_count_alone(q, k, v, counts):
    """A caption at a time, without its filling; an empty sum is 0."""
    rows = [(one @ key[some].T / len(one.T) ** 0.5).softmax(1) @ value[some]
            for one, key, value, some in zip(q, k, v, counts, strict=True)]  # fmt: skip
    return torch.stack(rows)


def bug(line, number=3):
    return lambda: (number, line)


RIGHT = {
    "flow-matching-loss": [loss_by_view, loss_one_by_one, loss_by_einsum, loss_of_the_package],
    "euler-sampler": [euler_by_linspace, euler_by_while, euler_by_arange, euler_of_the_package],
    "flow-guidance": [guided_as_average, guided_by_lerp, guided_beyond, guided_one_by_one],
    "guidance-slider": [slider_by_interact, slider_by_name, slider_by_interactive_output, slider_by_observing],
    "inpainting-step": [inpaint_by_mask, inpaint_by_ends, inpaint_by_noise_and_rest, inpaint_without_gradients],
    "look-at-words": [words_by_matmul, words_by_einsum, words_by_the_library, words_by_the_library_with_floats,
                      words_by_exponentials, words_one_by_one, words_that_count_alone],
    "find-the-bug-flow": [
        bug("x_t = (1 - at) * x0 + at * x1", "3"), bug(" x_t = x0 + at * (x1 - x0)  # line 3"),
        lambda: [3, "x_t = torch.lerp(x0, x1, at)"], bug("x_t=at*x1+(1-at)*x0"),
        bug("x_t = (1 - t[:, None]) * x0 + t.unsqueeze(1) * x1"),
    ],
}  # fmt: skip


def loss_in_double(velocity, x0, x1, t):
    at = t.double()[(..., *[None] * (x1.ndim - 1))]
    return ((velocity((x0 + at * (x1 - x0)).float(), t) - x1 + x0).double() ** 2).mean()


def euler_with_defaults(velocity, x0, steps=20, start=0.0):
    x, dt = x0.clone(), (1 - start) / steps
    for k in range(steps):
        x.add_(velocity(x, x.new_full((x.shape[0],), start + k * dt)), alpha=dt)
    return x


def euler_by_recursion(velocity, x0, steps):
    def go(x, k):
        return x if k == steps else go(x + velocity(x, torch.tensor([k / steps]).repeat(len(x))) / steps, k + 1)

    return go(x0, 0)


def guided_by_einsum(velocity, x_t, t, bag, weight=1.5):
    both = torch.stack([velocity(x_t, t, bag * 0), velocity(x_t, t, bag)])
    return torch.einsum("k,kbd->bd", torch.tensor([1 - weight, weight]), both)


def inpaint_one_by_one(velocity, x_t, t, t_next, image, known, decode, encode):
    out = []
    for k in range(len(x_t)):
        x = x_t[k : k + 1]
        v = velocity(x, torch.tensor([t]))
        made = decode(x + (1 - t) * v)
        made = image[k : k + 1] * known[k : k + 1] + made * ~known[k : k + 1]
        out.append((1 - t_next) * (x - t * v) + t_next * encode(made))
    return torch.cat(out)


RIGHT["flow-matching-loss"] += [loss_in_double]
RIGHT["euler-sampler"] += [euler_with_defaults, euler_by_recursion]
RIGHT["flow-guidance"] += [guided_by_einsum]
RIGHT["inpainting-step"] += [inpaint_one_by_one]
RIGHT["find-the-bug-flow"] += [
    bug("at = (1 - t)[:, None]", 2), bug("at = 1 - t[:, None]  # line 2", 2),
    bug("return (velocity(x_t, 1 - t) - (x1 - x0)).square().mean()", 4),
]  # fmt: skip


test_right_answers_are_accepted = accepts(RIGHT)


@pytest.mark.parametrize("case", look_at_words.CHECK.inputs)
def test_the_words_are_judged_by_a_loop_in_float64(case):
    """What the check compares with, on its own inputs."""
    for seed in range(5):
        inputs = look_at_words.CHECK.inputs[case](torch.Generator().manual_seed(seed))
        right, judge = words_one_by_one(*inputs), look_at_words.CHECK.reference(*inputs)
        assert right.abs().max() > 0.1
        torch.testing.assert_close(judge.double(), right, rtol=1e-4, atol=1e-4)
        if "empty" in case:
            assert not judge[1].any()


def answer(arguments, *lines):
    """A function as a learner would write it."""
    names = {"torch": torch, "F": F}
    exec(f"def answer({arguments}):\n" + "\n".join(f"    {line}" for line in lines), names)
    return names["answer"]


def wrong_look(scores="q @ k.transpose(1, 2) / q.shape[2] ** 0.5", mask="counts[:, None]",
               before=".masked_fill(~mask, -torch.inf)", over=".softmax(dim=2)", after=".masked_fill(~mask, 0.0)",
               last="weights @ v"):  # fmt: skip
    """An answer to the last exercise, with a part of it changed."""
    *first, scores = scores.split("; ")
    return answer("q, k, v, counts", *first, f"mask, scores = {mask}, {scores}",
                  f"weights = (scores){before}{over}{after}", f"return {last}")  # fmt: skip


test_what_else_is_said = says(
    [
        ("flow-matching-loss", lambda velocity, x0, x1, t: F.mse_loss(velocity(x0, t[:1]), x1), "one for each example"),
        ("euler-sampler", lambda velocity, x0, steps: None, "returns nothing"),
        ("euler-sampler", lambda velocity, x0, steps: x0, "never called"),
        ("euler-sampler", lambda velocity, x0, steps: [x0], "Return one tensor"),
        ("flow-guidance", lambda velocity, x, t, bag, w: velocity(x, t, None), "one row for each point"),
        ("guidance-slider", lambda picture: ipywidgets.VBox([]), "no slider"),
        ("inpainting-step", lambda velocity, x_t, t, *rest: velocity(x_t, t), "one time for each point"),
        ("look-at-words", wrong_look(mask="counts"), "Print the shapes"),
        ("look-at-words", wrong_look(mask="counts[:, :, None]"), "Print the shapes"),  # right where N = T
        ("look-at-words", wrong_look(before=".masked_fill(~counts[:1, None], -torch.inf)", mask="counts[:1, None]"),
         "in the first"),  # right where B = 1
        ("look-at-words", wrong_look(last="(weights @ v).squeeze()"), "squeeze"),
        ("look-at-words", wrong_look(last="weights[..., None] * v[:, None]"), "sum of your numbers over dimension 2"),
        ("look-at-words", wrong_look("q /= q.shape[2] ** 0.5; q @ k.mT"), "inputs in place"),
        ("look-at-words", wrong_look(last="v.masked_fill_(~counts[..., None], 0.0)"), "inputs in place"),
        ("find-the-bug-flow", bug("x_t = torch.lerp(x1, x0, at) / 2"), "another point"),
        ("find-the-bug-flow", bug("x_t = nothing"), "cannot be run"),
        ("find-the-bug-flow", bug("", 20), "1 to 9"),
    ]
)  # fmt: skip


def wrong_loss(line):
    """An answer to the first exercise that ends with this line."""
    return answer(
        "velocity, x0, x1, t", "at = t.reshape(-1, *[1] * (x1.ndim - 1))", "x_t = (1 - at) * x0 + at * x1", line
    )


def wrong_walk(*lines):
    """A sampler whose loop holds these lines."""
    return answer(
        "velocity, x0, steps", "x = x0", "for k in range(steps):", *(f"    {one}" for one in lines), "return x"
    )


def wrong_guide(line):
    return answer("velocity, x_t, t, bag, weight", "some = velocity(x_t, t, torch.zeros_like(bag))",
                  "this = velocity(x_t, t, bag)", f"return {line}")  # fmt: skip


def wrong_step(data="x_t + (1 - t) * v", noise="x_t - t * v", paste="torch.where(known, image, decode(x1_hat))",
               last="(1 - t_next) * x0_hat + t_next * encode(pasted)", told="t"):  # fmt: skip
    return answer("velocity, x_t, t, t_next, image, known, decode, encode",
                  f"v = velocity(x_t, torch.full((len(x_t),), {told}))", f"x1_hat, x0_hat = {data}, {noise}",
                  f"pasted = {paste}", f"return {last}")  # fmt: skip


def slider(show="shown(picture(weight))", **kind):
    kind = {"value": 1, "min": 0, "max": 4, "step": 0.5} | kind

    def guidance_slider(picture):
        def draw(weight):
            exec(show, {"shown": shown, "picture": picture, "weight": weight, "plt": plt})

        return ipywidgets.interactive(draw, weight=ipywidgets.FloatSlider(**kind))

    return guidance_slider


@torch.no_grad()
def time_as_a_number(velocity, x0, steps):
    x = x0
    for k in range(steps):
        x = x + velocity(x, k / steps) / steps
    return x


TIME = "t = torch.full((len(x),), k / steps)"

test_wrong_answers_are_told_what_is_wrong = says(
    [
        ("flow-matching-loss", wrong_loss("return F.mse_loss(velocity(x_t, t), x0 - x1)"), "from data to noise"),
        ("flow-matching-loss", wrong_loss("return (velocity(at * x0 + (1 - at) * x1, t) - (x1 - x0)).pow(2).mean()"),
         "changed places"),
        ("flow-matching-loss", wrong_loss("return F.mse_loss(velocity(at * x0 + (1 - at) * x1, t), x0 - x1)"),
         "as lesson 12 does"),
        ("flow-matching-loss", wrong_loss("return F.mse_loss(velocity(x_t, t), x1)"), "with the data"),
        ("flow-matching-loss", wrong_loss("return F.mse_loss(velocity(x_t, t), x1 - x_t)"), "rest of the way"),
        ("flow-matching-loss", wrong_loss("return F.mse_loss(velocity(x_t, 1 - t), x1 - x0)"), "told 1 - t"),
        ("flow-matching-loss", wrong_loss("return F.mse_loss(velocity(x_t, t), x1 - x0, reduction='sum')"),
         "You sum over"),
        ("flow-matching-loss", wrong_loss("return F.l1_loss(velocity(x_t, t), x1 - x0)"), "absolute errors"),
        ("flow-matching-loss", wrong_loss("return F.mse_loss(velocity(x_t, t), x1 - x0).item()"), "plain Python"),
        ("flow-matching-loss", wrong_loss("return F.mse_loss(velocity(x_t, at), x1 - x0)"), "one for each example"),
        ("flow-matching-loss", lambda velocity, x0, x1, t: F.mse_loss(
            velocity((1 - t.reshape(-1, 1)) * x0 + t.reshape(-1, 1) * x1, t), x1 - x0), "fits vectors"),
        ("flow-matching-loss", wrong_loss("x0 = torch.randn_like(x1); x_t = (1 - at) * x0 + at * x1; "
                                          "return F.mse_loss(velocity(x_t, t), x1 - x0)"), "noise of your own"),
        ("flow-matching-loss", wrong_loss("F.mse_loss(velocity(x_t, t), x1 - x0)"), "return"),
        ("euler-sampler", wrong_walk(TIME, "x = x - velocity(x, t) / steps"), "subtract the velocity"),
        ("euler-sampler", wrong_walk(TIME, "x = x + velocity(x, t)"), "length 1"),
        ("euler-sampler", wrong_walk("t = torch.full((len(x),), 1 - k / steps)", "x = x + velocity(x, t) / steps"),
         "from 1 down"),
        ("euler-sampler", wrong_walk("t = torch.full((len(x),), 1 - k / steps)", "x = x - velocity(x, t) / steps"),
         "from data to noise"),
        ("euler-sampler", wrong_walk("t = torch.full((len(x),), (k + 1) / steps)", "x = x + velocity(x, t) / steps"),
         "the step ends"),
        ("euler-sampler", wrong_walk("t = torch.linspace(0, 1, steps)[k].expand(len(x))",
                                     "x = x + velocity(x, t) / steps"), "linspace(0, 1, steps)"),
        ("euler-sampler", wrong_walk("t = torch.full((len(x),), float(k))", "x = x + velocity(x, t) / steps"),
         "number of the step"),
        ("euler-sampler", wrong_walk(TIME, "x = x0 + velocity(x0, t) / steps"), "only the last one is left"),
        ("euler-sampler", wrong_walk(TIME, "x = x0 + velocity(x, t) / steps"), "starts at x0 again"),
        ("euler-sampler", wrong_walk(TIME, "x = x0 + (k + 1) / steps * velocity(x, t)"), "starts at the noise again"),
        ("euler-sampler", wrong_walk(TIME, "x = x + velocity(x0, t) / steps"), "the noise in every step"),
        ("euler-sampler", wrong_walk(TIME, "return x + velocity(x, t) / steps"), "1 times"),
        ("euler-sampler", time_as_a_number, "in your line `x = x + velocity(x, k / steps) / steps`"),
        ("flow-guidance", wrong_guide("this + weight * (some - this)"), "changed places"),
        ("flow-guidance", wrong_guide("some + weight * this"), "whole answer for the caption"),
        ("flow-guidance", wrong_guide("this + weight * (this - some)"), "smaller by one"),
        ("flow-guidance", wrong_guide("some - weight * (this - some)"), "away from the caption"),
        ("flow-guidance", wrong_guide("weight * (this - some)"), "arrow alone"),
        ("flow-guidance", wrong_guide("weight * this"), "multiply the caption's answer"),
        ("flow-guidance", wrong_guide("weight * this - some"), "add up to 1"),
        ("flow-guidance", wrong_guide("this"), "whatever the weight is"),
        ("flow-guidance", wrong_guide("some + max(0, min(1, weight)) * (this - some)"), "cut the weight off"),
        ("flow-guidance", answer("velocity, x_t, t, bag, weight", "return velocity(x_t, t, weight * bag)"),
         "the network has never seen"),
        ("flow-guidance", answer("velocity, x_t, t, bag, weight", "some = velocity(x_t, t, torch.ones_like(bag))",
                                 "return some + weight * (velocity(x_t, t, bag) - some)"), "all phrases at once"),
        ("guidance-slider", slider(value=0), "starts at 0"),
        ("guidance-slider", slider(max=1), "ends at 1"),
        ("guidance-slider", slider(min=1), "begins at 1"),
        ("guidance-slider", slider(step=0.1), "steps are 0.1"),
        ("guidance-slider", slider("shown(picture(1.0))"), "not used"),
        ("guidance-slider", slider("shown(picture(weight + 1))"), "plus one"),
        ("guidance-slider", slider("picture(weight)"), "Does show(weight) draw"),
        ("guidance-slider", lambda picture: ipywidgets.FloatSlider(value=1, min=0, max=4, step=0.5), "slider"),
        ("guidance-slider", lambda picture: shown(picture(1)), "returns nothing"),
        ("find-the-bug-flow", bug("t = 1 - torch.rand(len(x1))", 1), "Line 1 is right"),
        ("find-the-bug-flow", bug("at = t", 2), "Line 2 is right"),
        ("find-the-bug-flow", bug("return (velocity(x_t, t) - (x0 - x1)).square().mean()", 4), "Line 4 is right"),
        ("find-the-bug-flow", bug("t = torch.full((len(x),), 1 - k / steps)", 7), "Line 7 is right"),
        ("find-the-bug-flow", bug("x = x - velocity(x, t) / steps", 8), "Line 8 is right"),
        ("find-the-bug-flow", bug("x_t = at * x0 + (1 - at) * x1"), "still the script's"),
        ("find-the-bug-flow", bug("x_t = (1 - at) * x0 + x1"), "another point"),
        ("find-the-bug-flow", bug("x_t = (1 - t) * x0 + t * x1"), "Use at"),
        ("find-the-bug-flow", lambda: "x_t = (1 - at) * x0 + at * x1", "Return two things"),
        ("find-the-bug-flow", lambda: 3, "Return two things"),
        ("inpainting-step", wrong_step(last="t_next * x0_hat + (1 - t_next) * encode(pasted)"), "changed places"),
        ("inpainting-step", wrong_step(last="encode(pasted)"), "without noise"),
        ("inpainting-step", wrong_step(last="(1 - t) * x0_hat + t * encode(pasted)"), "ends at t_next"),
        ("inpainting-step", wrong_step(paste="torch.where(known, decode(x1_hat), image)"), "to be made"),
        ("inpainting-step", wrong_step(paste="decode(x1_hat)"), "no known pixel"),
        ("inpainting-step", wrong_step(data="x_t + v"), "adds the whole velocity"),
        ("inpainting-step", wrong_step(data="x_t + t * v"), "adds t v"),
        ("inpainting-step", wrong_step(data="x_t"), "knows"),
        ("inpainting-step", wrong_step(noise="x_t - (1 - t) * v"), "back by 1 - t"),
        ("inpainting-step", wrong_step(noise="torch.randn_like(x_t)"), "new noise"),
        ("inpainting-step", wrong_step(told="t_next"), "told t_next"),
        ("inpainting-step", wrong_step(last="x_t + (t_next - t) * v"), "the known pixels have no part"),
        ("inpainting-step", wrong_step(last="encode(torch.where(known, image, decode(x_t + (t_next - t) * v)))"),
         "after the step"),
        ("inpainting-step", wrong_step(last="x_t + (t_next - t) * (encode(pasted) - x_t) / (1 - t)"), "walk from x_t"),
        ("inpainting-step", wrong_step(last="pasted"), "shape"),
        ("look-at-words", wrong_look("q @ k.mT"), "do not divide"),
        ("look-at-words", wrong_look("q @ k.mT / q.shape[2]"), "by D itself"),
        ("look-at-words", wrong_look("q @ k.mT * q.shape[-1] ** 0.5"), "You multiply by sqrt(D)"),
        ("look-at-words", wrong_look("q @ k.mT / k.shape[1] ** 0.5"), "root of T"),
        ("look-at-words", wrong_look("q @ k.mT / q.shape[1] ** 0.5"), "root of N"),
        ("look-at-words", wrong_look("q @ k.mT / len(q) ** 0.5"), "root of B"),
        ("look-at-words", wrong_look(over=".softmax(dim=1)"), "over the places"),
        ("look-at-words", wrong_look(over=".softmax(1)", after=""), "over the places"),
        ("look-at-words", wrong_look(over=".softmax(1).nan_to_num()", after=""), "over the places"),
        ("look-at-words", wrong_look(over=".softmax(0)"), "over the captions"),
        ("look-at-words", wrong_look(before="", after=""), "do not use counts"),
        ("look-at-words", answer("q, k, v, counts", "return F.scaled_dot_product_attention(q, k, v)"),
         "do not use counts"),
        ("look-at-words", wrong_look(before="", after=" * mask"), "no longer add up to 1"),
        ("look-at-words", wrong_look(before="", after="", last="weights @ (v * counts[..., None])"),
         "no longer add up to 1"),
        ("look-at-words", wrong_look("(q @ k.mT / q.shape[2] ** 0.5) * counts[:, None]", before="", after=""),
         "e to the power of 0"),
        ("look-at-words", answer("q, k, v, counts", "k = k * counts[..., None]; v = v * counts[..., None]",
                                 "return F.scaled_dot_product_attention(q, k, v)"), "e to the power of 0"),
        ("look-at-words", answer("q, k, v, counts", "mask = counts[:, None].float()",
                                 "return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)"),
         "You add counts to the scores"),
        ("look-at-words", wrong_look(mask="~counts[:, None]"), "hide the words that count"),
        ("look-at-words", wrong_look(mask="~counts[:, None]", after=""), "hide the words that count"),
        ("look-at-words", answer("q, k, v, counts",
                                 "return F.scaled_dot_product_attention(q, k, v, attn_mask=~counts[:, None])"),
         "hide the words that count"),
        ("look-at-words", wrong_look("q @ v.mT / q.shape[2] ** 0.5", last="weights @ k"), "k and v have changed"),
        ("look-at-words", wrong_look(last="weights @ k"), "the vectors k"),
        ("look-at-words", wrong_look("q @ v.mT / q.shape[2] ** 0.5"), "compare q with v"),
        ("look-at-words", wrong_look(before="", over=""), "The softmax is missing"),
        ("look-at-words", wrong_look(last="weights"), "return the weights"),
        ("look-at-words", wrong_look(after=""), "divides 0 by 0"),
        ("look-at-words", wrong_look(before=".masked_fill(~mask, -1e9)", after=""), "mean of the filling"),
        ("look-at-words", wrong_look(over=".exp()", last="weights / weights.sum(2, keepdim=True).clamp(min=1e-9) @ v"),
         "Subtract the largest score"),
        ("look-at-words", wrong_look(over=".exp()", last="weights / weights.sum(2, keepdim=True) @ v"),
         "divides 0 by 0"),
        ("look-at-words", wrong_look("n = int(counts.sum(1).max()); q @ k.mT / q.shape[2] ** 0.5",
                                     mask="torch.arange(k.shape[1]) < counts.sum(1)[:, None, None]"),
         "from the first one on"),
        ("look-at-words", wrong_look(last="(weights @ v).mT"), "is expected"),
    ]
)  # fmt: skip
