"""Lesson 04's checks: right answers pass, whatever their form, and each wrong one hears what is wrong with it."""

import math

import pytest
import torch
from verdicts import assert_messages_differ, assert_told_apart, verdict


def right_cloud(features, head_mu, head_logvar):
    return [head_mu(features), head_logvar(features).div(2).exp()]


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
        return head_mu(features), head_logvar(features).exp()

    def logvar(features, head_mu, head_logvar):
        return head_mu(features), head_logvar(features)

    def half_logvar(features, head_mu, head_logvar):
        return head_mu(features), head_logvar(features) / 2

    def swapped(features, head_mu, head_logvar):
        return head_logvar(features), torch.sqrt(torch.exp(head_mu(features)))

    def one_head(features, head_mu, head_logvar):
        mu = head_mu(features)
        return mu, torch.sqrt(torch.exp(mu))

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


CASES = [
    ("two-heads", Wrong.variance, "the variance"),
    ("two-heads", Wrong.logvar, "logvar itself"),
    ("two-heads", Wrong.half_logvar, "still missing"),
    ("two-heads", Wrong.swapped, "swapped"),
    ("two-heads", Wrong.one_head, "head of its own"),
    ("posterior-ellipse", Wrong.one_sigma, "39%"),
    ("posterior-ellipse", Wrong.r_squared, "undoes the square"),
    ("posterior-ellipse", Wrong.outside, "OUTSIDE"),
    ("posterior-ellipse", Wrong.squared_std, "unit of z"),
    ("posterior-ellipse", Wrong.no_two, "The 2 is missing"),
    ("posterior-ellipse", Wrong.full_axes, "whole axes"),
    ("posterior-ellipse", Wrong.one_dimension, "ONE dimension"),
    ("sample-images", Wrong.logits, "x_logits"),
    ("sample-images", Wrong.cold, "no effect"),
    ("sample-images", Wrong.divides, "divide"),
    ("sample-images", Wrong.shifts, "one side"),
    ("sample-images", Wrong.contrast, "contrast"),
    ("sample-images", Wrong.variance_temperature, "not the variance"),
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


def test_one_result_in_place_of_two():
    assert "2 values" in verdict("two-heads", lambda features, head_mu, head_logvar: head_mu(features))
