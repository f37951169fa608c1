"""Lesson 10's checks: right answers pass, whatever their form, and each wrong one hears what is wrong with it."""

import pytest
import torch
import torch.nn.functional as F
from lesson_cells import lesson_namespace
from torch.distributions import Normal
from verdicts import assert_messages_differ, assert_told_apart, verdict

EXERCISES = {
    "gan-discriminator-loss": ("d-loss-exercise", "discriminator_loss"),
    "gan-generator-loss": ("g-loss-exercise", "generator_loss"),
    "truncate-codes": ("truncation-exercise", "truncate"),
    "invert-generator": ("inversion-exercise", "find_codes"),
}


@pytest.mark.parametrize("name", EXERCISES)
def test_the_lessons_own_solution_passes(name):
    cell, function = EXERCISES[name]
    assert verdict(name, lesson_namespace("10", cell, torch=torch, F=F)[function]) is None


def cross_entropy(logits, label):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def d_by_cross_entropy(discriminator, x, x_fake):
    return cross_entropy(discriminator(x), 1.0) + cross_entropy(discriminator(x_fake.clone().detach()), 0.0)


def d_in_one_batch(discriminator, x, x_fake):
    real, fake = discriminator(torch.cat([x, x_fake.detach()])).flatten().split([len(x), len(x_fake)])
    return -F.logsigmoid(real).mean() - F.logsigmoid(-fake).mean()


def g_by_cross_entropy(discriminator, x_fake):
    return cross_entropy(discriminator(x_fake), 1.0)


def g_by_log(discriminator, x_fake):
    return -torch.log(torch.sigmoid(discriminator(x_fake))).mean()


def truncate_by_distributions(z, limit):
    phi = Normal(torch.zeros(()).double(), 1.0)
    low = phi.cdf(torch.tensor(-limit).double())
    return phi.icdf(low + (1 - 2 * low) * phi.cdf(z.double())).float()


def search_by_hand(generator, x, z_start, steps, lr):
    """Adam written out, one image at a time."""
    codes, errors = [], []
    for image, z in zip(x, z_start, strict=True):
        z, m, v, own = z.clone()[None], 0.0, 0.0, []
        for t in range(1, steps + 1):
            z = z.detach().requires_grad_()
            error = ((generator(z)[0] - image) ** 2).sum()
            (slope,) = torch.autograd.grad(error, z)
            m, v = 0.9 * m + 0.1 * slope, 0.999 * v + 0.001 * slope**2
            z = (z - lr * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)).detach()
            own.append(error.detach())
        codes.append(z[0])
        errors.append(torch.stack(own))
    return torch.stack(codes), torch.stack(errors, dim=1)


def search_by_mean(generator, x, z_start, steps, lr):
    """Adam does not care for the scale of the loss, and weights that collect gradients harm nobody."""
    z = torch.nn.Parameter(z_start.clone())
    adam, errors = torch.optim.Adam([z], lr), []
    for _ in range(steps):
        adam.zero_grad()
        pixels = (generator(z) - x) ** 2
        errors.append(pixels.detach().flatten(1).sum(1))
        pixels.mean().backward()
        adam.step()
    return z.data, torch.stack(errors)


@pytest.mark.parametrize(
    ("name", "fn"),
    [
        ("gan-discriminator-loss", d_by_cross_entropy),
        ("gan-discriminator-loss", d_in_one_batch),
        ("gan-generator-loss", g_by_cross_entropy),
        ("gan-generator-loss", g_by_log),
        ("truncate-codes", truncate_by_distributions),
        ("invert-generator", search_by_hand),
        ("invert-generator", search_by_mean),
    ],
)
def test_another_right_answer_passes(name, fn):
    assert verdict(name, fn) is None


def probability(discriminator, x):
    return discriminator(x).sigmoid()


def phi(v):
    return Normal(0.0, 1.0).cdf(torch.as_tensor(v))


def inverse(u):
    return Normal(0.0, 1.0).icdf(u)


def redrawn(z, limit):
    z = z.clone()
    while (z.abs() > limit).any():
        z[z.abs() > limit] = torch.randn(int((z.abs() > limit).sum()))
    return z


def search(
    generator, x, z_start, steps, lr, *, sign=1, power=2, clear=True, make=torch.optim.Adam, keep=None, end=None
):
    z = z_start.clone().requires_grad_()
    adam, errors = make([z], lr=lr), []
    for _ in range(steps):
        if clear:
            adam.zero_grad()
        pixels = (generator(z) - x).abs() ** power
        (sign * pixels.sum()).backward()
        adam.step()
        errors.append(pixels.detach().sum(dim=(1, 2, 3)) if keep is None else keep(pixels.detach()))
    result = z.detach() if end is None else end(z)
    return result, torch.stack(errors)


def changed(**options):
    return lambda *inputs: search(*inputs, **options)


def trains_the_weights(generator, x, z_start, steps, lr):
    adam, errors = torch.optim.Adam(generator.parameters(), lr=lr), []
    for _ in range(steps):
        error = (generator(z_start) - x).square().sum(dim=(1, 2, 3))
        adam.zero_grad()
        error.sum().backward()
        adam.step()
        errors.append(error.detach())
    return z_start.clone(), torch.stack(errors)


def wrong_tensor(generator, x, z_start, steps, lr):
    z = z_start.clone()
    other = z.clone().requires_grad_()
    adam, errors = torch.optim.Adam([other], lr=lr), []
    for _ in range(steps):
        errors.append((generator(z) - x).square().sum(dim=(1, 2, 3)).detach())
        adam.step()
    return z, torch.stack(errors)


def from_the_origin(generator, x, z_start, steps, lr):
    return search(generator, x, 0 * z_start, steps, lr)


def always_new(generator, x, z_start, steps, lr):
    z, errors = z_start, []
    for _ in range(steps):
        z, error = search(generator, x, z, 1, lr)
        errors.append(error)
    return z, torch.cat(errors)


def recorded_after(generator, x, z_start, steps, lr):
    z, errors = search(generator, x, z_start, steps, lr)
    with torch.no_grad():
        return z, torch.cat([errors[1:], (generator(z) - x).square().sum(dim=(1, 2, 3))[None]])


def own_rate(generator, x, z_start, steps, lr):
    return search(generator, x, z_start, steps, 0.001)


def list_of_errors(*inputs):
    z, errors = search(*inputs)
    return z, list(errors)


WRONG = [
    (
        "gan-discriminator-loss",
        {
            "not detached": (lambda d, x, f: cross_entropy(d(x), 1.0) + cross_entropy(d(f), 0.0), "cuts a tensor off"),
            "swapped": (lambda d, x, f: cross_entropy(d(x), 0.0) + cross_entropy(d(f.detach()), 1.0), "swapped"),
            "sign": (
                lambda d, x, f: F.logsigmoid(d(x)).mean() + F.logsigmoid(-d(f.detach())).mean(),
                "What is missing is a sign",
            ),
            "sum": (lambda d, x, f: -F.logsigmoid(d(x)).sum() - F.logsigmoid(-d(f.detach())).sum(), "batch size"),
            "half": (lambda d, x, f: d_by_cross_entropy(d, x, f) * 0.5, "1.386"),
            "one mean": (
                lambda d, x, f: F.binary_cross_entropy_with_logits(
                    d(torch.cat([x, f.detach()])), torch.tensor([[1.0]] * len(x) + [[0.0]] * len(f))
                ),
                "one batch",
            ),
            "twice": (
                lambda d, x, f: cross_entropy(probability(d, x), 1.0) + cross_entropy(probability(d, f.detach()), 0.0),
                "twice",
            ),
            "no log": (
                lambda d, x, f: -(probability(d, x).mean() + (1 - probability(d, f.detach())).mean()),
                "without a logarithm",
            ),
            "logits": (lambda d, x, f: -(d(x).mean() - d(f.detach()).mean()), "Wasserstein"),
            "real": (lambda d, x, f: cross_entropy(d(x), 1.0), "everything real"),
            "fake": (lambda d, x, f: cross_entropy(d(f.detach()), 0.0), "everything fake"),
            "same label": (
                lambda d, x, f: cross_entropy(d(x), 1.0) + cross_entropy(d(f.detach()), 1.0),
                "Both batches",
            ),
            "no gradient": (lambda d, x, f: d_by_cross_entropy(d, x, f).detach(), "reaches the discriminator"),
            "late detach": (
                lambda d, x, f: cross_entropy(d(x), 1.0) + cross_entropy(d(f).detach(), 0.0),
                "BEFORE",
            ),
            "number": (lambda d, x, f: d_by_cross_entropy(d, x, f).item(), "Python number"),
            "each": (lambda d, x, f: -F.logsigmoid(d(x)), "one loss a sample"),
        },
    ),
    (
        "gan-generator-loss",
        {
            "saturating": (lambda d, f: torch.log(1 - probability(d, f)).mean(), "right in theory"),
            "detached": (lambda d, f: g_by_log(d, f.detach()), "no gradient reaches"),
            "sign": (lambda d, f: F.logsigmoid(d(f)).mean(), "sign is missing"),
            "label": (lambda d, f: cross_entropy(d(f), 0.0), "discriminator's term"),
            "sum": (lambda d, f: -F.logsigmoid(d(f)).sum(), "batch size"),
            "twice": (lambda d, f: cross_entropy(probability(d, f), 1.0), "twice"),
            "no log": (lambda d, f: -probability(d, f).mean(), "without the logarithm"),
            "fake": (lambda d, f: 1 - probability(d, f).mean(), "You use 1 - D"),
            "logit": (lambda d, f: (-d(f)).mean(), "Wasserstein"),
            "log of mean": (lambda d, f: -torch.log(probability(d, f).mean()), "Which comes first"),
            "number": (lambda d, f: g_by_log(d, f).item(), "Python number"),
            "each": (lambda d, f: -F.logsigmoid(d(f)), "one loss a sample"),
        },
    ),
    (
        "truncate-codes",
        {
            "clamp": (lambda z, c: z.clip(min=-c, max=c), "You clamp"),
            "scale": (lambda z, c: c * z, "still has no limit"),
            "tanh": (lambda z, c: z.tanh() * c, "squash with tanh"),
            "gentle": (lambda z, c: (z / c).tanh() * c, "tanh(z / limit)"),
            "uniform": (lambda z, c: -c + 2 * c * phi(z), "uniform"),
            "identity": (lambda z, c: inverse(phi(z)), "Nothing is changed"),
            "one side": (lambda z, c: inverse(phi(c) * phi(z)), "upper limit only"),
            "not shifted": (lambda z, c: inverse((phi(c) - phi(-c)) * phi(z)), "do not shift"),
            "quantile": (lambda z, c: phi(-c) + (phi(c) - phi(-c)) * phi(z), "between 0 and 1"),
            "mirrored": (lambda z, c: -truncate_by_distributions(z, c), "opposite sign"),
            "redrawn": (redrawn, "draw numbers anew"),
        },
    ),
    (
        "invert-generator",
        {
            "accumulates": (changed(clear=False), "added up"),
            "climbs": (changed(sign=-1), "climbs"),
            "absolute": (changed(power=1), "absolute"),
            "mean of pixels": (changed(keep=lambda p: p.flatten(1).mean(1)), "average the error over the pixels"),
            "one sum": (changed(keep=lambda p: p.sum()), "one summed error"),
            "one mean": (changed(keep=lambda p: p.mean()), "one mean error"),
            "descent": (changed(make=torch.optim.SGD), "SGD"),
            "origin": (from_the_origin, "begins at zero"),
            "late": (recorded_after, "one step late"),
            "still": (wrong_tensor, "never move"),
            "new optimizer": (always_new, "anew in each step"),
            "own rate": (own_rate, "learning rate is not the one"),
            "weights": (trains_the_weights, "weights have changed"),
            "list": (list_of_errors, "torch.stack"),
            "attached": (changed(end=lambda z: z * 1), "z.detach()"),
            "codes only": (lambda *inputs: search(*inputs)[0], "two things"),
        },
    ),
]
CASES = [(name, label, *case) for name, cases in WRONG for label, case in cases.items()]


@pytest.mark.parametrize(("name", "label", "fn", "says"), CASES, ids=[f"{n}-{label}" for n, label, *_ in CASES])
def test_a_wrong_answer_hears_what_is_wrong(name, label, fn, says):
    assert_told_apart(name, fn, says)


def test_no_two_wrong_answers_hear_the_same():
    assert_messages_differ((name, fn) for name, _, fn, _ in CASES)
