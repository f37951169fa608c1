"""Lesson 04's checks: right answers pass, whatever their form, and each wrong one hears what is wrong with it."""

import itertools
import math

import numpy as np
import pytest
import torch
from verdicts import assert_messages_differ, assert_told_apart, verdict


def right_cloud(features, head_mu, head_logvar):
    logvar = head_logvar(features)
    return [head_mu(features), logvar, logvar.div(2).exp()]


def right_axes(std, share):
    r = torch.tensor(1.0 - share).log().mul(-2).sqrt()
    return torch.stack([std[:, 0] * r, std[:, 1] * r], dim=1)


def right_images(decoder, eps, temperature=1.0):
    x_logits = decoder(torch.distributions.Normal(0, temperature).icdf(torch.distributions.Normal(0, 1).cdf(eps)))
    return 1 / (1 + torch.exp(-x_logits))


@pytest.mark.parametrize(
    ("name", "fn"),
    [("two-heads", right_cloud), ("posterior-ellipse", right_axes), ("sample-images", right_images)],
)
def test_another_right_answer_passes(name, fn):
    assert verdict(name, fn) is None


class Wrong:
    """Wrong answers, written anew; each with a word of the message that it must get."""

    def variance(features, head_mu, head_logvar):
        return head_mu(features), head_logvar(features), head_logvar(features).exp()

    def logvar(features, head_mu, head_logvar):
        return head_mu(features), head_logvar(features), head_logvar(features)

    def half_logvar(features, head_mu, head_logvar):
        return head_mu(features), head_logvar(features), head_logvar(features) / 2

    def fourth_power(features, head_mu, head_logvar):
        return head_mu(features), head_logvar(features), head_logvar(features).exp().square()

    def root_of_logvar(features, head_mu, head_logvar):
        return head_mu(features), head_logvar(features), head_logvar(features).abs() ** 0.5

    def softplus(features, head_mu, head_logvar):
        logvar = head_logvar(features)
        return head_mu(features), logvar, torch.log1p(torch.exp(logvar))

    def variance_in_the_middle(features, head_mu, head_logvar):
        variance = head_logvar(features).exp()
        return head_mu(features), variance, variance.sqrt()

    def log_std_in_the_middle(features, head_mu, head_logvar):
        log_std = head_logvar(features) / 2
        return head_mu(features), log_std, log_std.exp()

    def swapped(features, head_mu, head_logvar):
        return head_logvar(features), head_mu(features), torch.sqrt(torch.exp(head_mu(features)))

    def one_head(features, head_mu, head_logvar):
        mu = head_mu(features)
        return mu, mu, torch.sqrt(torch.exp(mu))

    def no_logvar(features, head_mu, head_logvar):
        return head_mu(features), head_logvar(features).exp().sqrt()

    def no_std(features, head_mu, head_logvar):
        return [head_mu(features), head_logvar(features)]

    def std_before_logvar(features, head_mu, head_logvar):
        mu, logvar, std = right_cloud(features, head_mu, head_logvar)
        return mu, std, logvar

    def detached_mu(features, head_mu, head_logvar):
        mu, logvar, std = right_cloud(features, head_mu, head_logvar)
        return mu.detach(), logvar, std

    def detached_logvar(features, head_mu, head_logvar):
        mu, logvar, std = right_cloud(features, head_mu, head_logvar)
        return mu, logvar.detach(), std

    def detached_std(features, head_mu, head_logvar):
        mu, logvar = head_mu(features), head_logvar(features)
        return mu, logvar, torch.exp(0.5 * logvar.data)

    def one_sigma(std, share):
        return std.clone()

    def r_squared(std, share):
        return std * math.log((1 - share) ** -2)

    def outside(std, share):
        return std * math.sqrt(2 * math.log(1 / share))

    def squared_std(std, share):
        return std * std * math.sqrt(2 * math.log(1 / (1 - share)))

    def no_two(std, share):
        return std * math.sqrt(math.log(1 / (1 - share)))

    def full_axes(std, share):
        return std * math.sqrt(8 * math.log(1 / (1 - share)))

    def half_of_r(std, share):
        return std * math.sqrt(-0.5 * math.log(1 - share))

    def one_dimension(std, share):
        return std * math.sqrt(2) * torch.erfinv(torch.tensor(share))

    def logits(decoder, eps, temperature):
        return decoder(eps * temperature)

    def cold(decoder, eps, temperature):
        return decoder(eps).sigmoid()

    def divides(decoder, eps, temperature):
        return decoder(eps * temperature**-1).sigmoid()

    def shifts(decoder, eps, temperature):
        return decoder(temperature + eps).sigmoid()

    def contrast(decoder, eps, temperature):
        return (decoder(eps) * temperature).sigmoid()

    def variance_temperature(decoder, eps, temperature):
        return decoder(eps * temperature**0.5).sigmoid()

    def squared_temperature(decoder, eps, temperature):
        return decoder(eps * temperature * temperature).sigmoid()

    def sigmoid_twice(decoder, eps, temperature):
        return decoder(eps * temperature).sigmoid().sigmoid()

    def own_noise(decoder, eps, temperature):
        return decoder(torch.randn(eps.shape) * temperature).sigmoid()

    def clamped(decoder, eps, temperature):
        return decoder(eps * temperature).clip(min=0, max=1)

    def cool_logits(decoder, eps, temperature):
        return decoder(eps).div(temperature).sigmoid()


CASES = [
    ("two-heads", Wrong.variance, "Where is the half"),
    ("two-heads", Wrong.logvar, "logvar itself"),
    ("two-heads", Wrong.half_logvar, "still missing"),
    ("two-heads", Wrong.fourth_power, "square ROOT"),
    ("two-heads", Wrong.root_of_logvar, "square root of logvar"),
    ("two-heads", Wrong.softplus, "Softplus"),
    ("two-heads", Wrong.variance_in_the_middle, "return the variance"),
    ("two-heads", Wrong.log_std_in_the_middle, "return log(sigma)"),
    ("two-heads", Wrong.swapped, "swapped"),
    ("two-heads", Wrong.one_head, "head of its own"),
    ("two-heads", Wrong.no_logvar, "Return logvar as well"),
    ("two-heads", Wrong.no_std, "stop at logvar"),
    ("two-heads", Wrong.std_before_logvar, "wrong order"),
    ("two-heads", Wrong.detached_mu, "no gradient reaches head_mu"),
    ("two-heads", Wrong.detached_logvar, "no gradient reaches head_logvar from your logvar"),
    ("two-heads", Wrong.detached_std, "no gradient reaches head_logvar from your std"),
    ("posterior-ellipse", Wrong.one_sigma, "39%"),
    ("posterior-ellipse", Wrong.r_squared, "undoes the square"),
    ("posterior-ellipse", Wrong.outside, "OUTSIDE"),
    ("posterior-ellipse", Wrong.squared_std, "unit of z"),
    ("posterior-ellipse", Wrong.no_two, "The 2 is missing"),
    ("posterior-ellipse", Wrong.full_axes, "whole axes"),
    ("posterior-ellipse", Wrong.half_of_r, "You halve r"),
    ("posterior-ellipse", Wrong.one_dimension, "ONE dimension"),
    ("sample-images", Wrong.logits, "You return x_logits"),
    ("sample-images", Wrong.cold, "no effect"),
    ("sample-images", Wrong.divides, "narrower codes"),
    ("sample-images", Wrong.shifts, "one side"),
    ("sample-images", Wrong.contrast, "contrast"),
    ("sample-images", Wrong.variance_temperature, "not the variance"),
    ("sample-images", Wrong.squared_temperature, "What spread does"),
    ("sample-images", Wrong.sigmoid_twice, "sigmoid twice"),
    ("sample-images", Wrong.own_noise, "noise of your own"),
    ("sample-images", Wrong.clamped, "cut x_logits off"),
    ("sample-images", Wrong.cool_logits, "as language models do"),
]


@pytest.mark.parametrize(("name", "fn", "words"), CASES, ids=[f"{name}-{fn.__name__}" for name, fn, _ in CASES])
def test_each_wrong_answer_hears_what_is_wrong(name, fn, words):
    assert_told_apart(name, fn, words)


def test_no_two_wrong_answers_hear_the_same():
    assert_messages_differ((name, fn) for name, fn, _ in CASES)


def test_inputs_must_not_change():
    def scales(decoder, eps, temperature):
        eps *= temperature
        return torch.sigmoid(decoder(eps))

    assert "in place" in verdict("sample-images", scales)


def test_results_in_any_other_order_are_recognised():
    for order in itertools.permutations(range(3)):
        said = verdict("two-heads", lambda *inputs, order=order: [right_cloud(*inputs)[k] for k in order])
        assert said is None if order == (0, 1, 2) else "wrong order" in said


def test_numpy_in_place_of_torch_is_refused_before_the_lesson_would_fail():
    """np.exp would give the right numbers, and a tensor that cannot be trained."""
    said = verdict(
        "two-heads", lambda f, head_mu, head_logvar: (head_mu(f), head_logvar(f), np.exp(0.5 * head_logvar(f)))
    )
    assert "requires grad" in said


def test_one_result_in_place_of_three():
    assert "3 values" in verdict("two-heads", lambda features, head_mu, head_logvar: head_mu(features))
