"""Right answers to the exercises of lesson 07, in other styles than the reference."""

import itertools
import math

import ipywidgets
import numpy as np
import torch
import torch.nn.functional as F
from torch.distributions import Normal, kl_divergence
from verdicts import accepts, says

from course_utils import metrics
from course_utils.gaussian import kl_per_dimension, kl_standard_normal


def read_by_distributions(recon, mu, logvar):
    kl = kl_divergence(Normal(mu, torch.exp(logvar / 2)), Normal(torch.zeros_like(mu), 1.0))
    return {"rate": kl.sum() / len(mu), "distortion": recon.sum() / len(recon), "kl_dims": kl.mean(0),
            "active": ((mu - mu.mean(0)) ** 2).mean(0) > 0.01}  # fmt: skip


def read_by_the_package(recon, mu, logvar):
    return {"active": metrics.active_units(mu), "kl_dims": kl_per_dimension(mu, logvar).mean(dim=0),
            "distortion": recon.mean().item(), "rate": kl_standard_normal(mu, logvar).mean().item()}  # fmt: skip


def read_by_sums(recon, mu, logvar):
    kl_dims = [0.5 * (m.square().mean() + s.exp().mean() - 1 - s.mean()) for m, s in zip(mu.T, logvar.T, strict=True)]
    kl_dims = torch.stack(kl_dims)
    return dict(rate=kl_dims.sum(), distortion=torch.mean(recon), kl_dims=kl_dims, active=mu.std(0).square().gt(0.01))


def read_with_numpy_sizes(recon, mu, logvar):
    variance = torch.from_numpy(np.var(mu.numpy(), axis=0, ddof=1))
    return read_by_distributions(recon, mu, logvar) | {"active": variance > 0.01}


def ramp_by_cases(kl_dims, step):
    kl = kl_dims.mean(dim=0).sum()
    if step >= 350:
        return kl
    return step / 350 * kl


def annealed_half_cosine(kl_dims, step):
    weight = 0.5 - 0.5 * math.cos(math.pi * min(step / 400, 1.0))
    return kl_dims.sum(dim=1).mean() * weight


def free_and_annealed(kl_dims, step):
    kl = kl_dims.mean(0)
    return min(1.0, step / 100) * sum(torch.maximum(one, torch.tensor(0.25)) for one in kl)


def cyclical(kl_dims, step):
    weight = 1.0 if step >= 300 else min(1.0, step % 100 / 50)
    return (weight * kl_dims).sum() / kl_dims.shape[0]


def diagnose_with_tensors(train, validation, kl):
    validation = torch.tensor(validation)
    if torch.tensor(kl[-3:]).float().mean() < 1:
        return "Silent"
    if validation[-1] > train[-1] + 15:
        return "Overfitting"
    return "steps too large" if validation.diff().max() > 10 else "healthy"


def diagnose_by_dictionary(train, validation, kl):
    rises = np.clip(np.diff(validation), 0, None).sum()
    signs = {"silent": kl[-1] < 0.1, "overfitting": validation[-1] - train[-1] > 35, "steps too large": rises > 25}
    return next((word for word, seen in signs.items() if seen), "healthy")


def diagnose_leaps_first(train, validation, kl):
    leaps = [after - before for before, after in zip(validation[:-1], validation[1:], strict=True)]
    if max(leaps) > 8:
        return "steps-too-large"
    gap = validation[-1] - train[-1]
    return "overfitting" if gap > 25 else "silent" if kl[-1] < 0.3 else "healthy"


def diagnose_by_shares(train, validation, kl):
    if kl[-1] / validation[-1] < 1e-3:
        return "silent"
    if validation[-1] / train[-1] > 1.08:
        return "overfitting"
    leaps = sum(after - before > 8 for before, after in itertools.pairwise(validation))
    return "steps too large" if leaps else "healthy"


def slider_by_interact(draw, highest):
    return ipywidgets.interact(draw, price=ipywidgets.IntSlider(value=0, min=0, max=highest))


def slider_by_interactive(draw, highest):
    return ipywidgets.interactive(lambda k: draw(k), k=ipywidgets.IntSlider(0, 0, highest))


def slider_by_observing(draw, highest):
    slider, out = ipywidgets.IntSlider(max=highest), ipywidgets.Output()

    def redraw(change):
        out.clear_output(wait=True)
        with out:
            draw(price=slider.value)

    redraw(None)
    slider.observe(redraw, "value")
    return ipywidgets.VBox([out, slider])


def slider_in_a_row(draw, highest):
    slider = ipywidgets.IntSlider(description="beta", min=0, max=highest, continuous_update=False)
    return ipywidgets.HBox([slider, ipywidgets.interactive_output(lambda at: draw(at), {"at": slider})])


RIGHT = {
    "read-a-run": [read_by_distributions, read_by_the_package, read_by_sums, read_with_numpy_sizes],
    "kl-cure": [
        ramp_by_cases, annealed_half_cosine, free_and_annealed, cyclical,
        lambda kl_dims, step: min(step / 400, 1.0) * kl_dims.mean(dim=0).sum(),
        lambda kl_dims, step: F.relu(kl_dims.mean(0) - 0.25).sum(),  # the same gradients
        lambda kl_dims, step: kl_dims.mean(0).sum() * (0.0 if step < 200 else 1.0),
    ],
    "price-slider": [slider_by_interact, slider_by_interactive, slider_by_observing, slider_in_a_row],
    "diagnose-run": [diagnose_with_tensors, diagnose_by_dictionary, diagnose_leaps_first, diagnose_by_shares],
    "find-the-bug-annealing": [
        lambda: (7, "weight = min(step / ramp_steps, 1.0)"),
        lambda: ["7", "    weight = min(1, step / 200)  # steps"],
        lambda: (7, "weight = step / ramp_steps if step < ramp_steps else 1.0"),
        lambda: (7, "weight = 1 - max(1 - step / ramp_steps, 0)"),
    ],
}  # fmt: skip


test_right_answers_are_accepted = accepts(RIGHT)


test_what_else_is_said = says(
    [
        ("read-a-run", lambda recon, mu, logvar: read_by_sums(recon, mu.mul_(2), logvar), "in place"),
        ("read-a-run", lambda recon, mu, logvar: recon.mean(), "dictionary"),
        ("read-a-run", lambda recon, mu, logvar: read_by_sums(recon + 1, mu, logvar), '"distortion"'),
        ("kl-cure", lambda kl_dims, step: None, "returns nothing"),
        ("kl-cure", lambda kl_dims, step: [kl_dims.sum()], "list"),
        ("kl-cure", lambda kl_dims, step: min(step / 1000, 1.0) * kl_dims.mean(0).sum(), "step 400"),
        ("kl-cure", lambda kl_dims, step: kl_dims.mean(0).clamp(min=3.0).sum(), "full price"),
        ("kl-cure", lambda kl_dims, step: kl_dims.mean(0).clamp(min=4.5).sum(), "allowance above every KL"),
        ("kl-cure", lambda kl_dims, step: 2 * min(step / 300, 1.0) * kl_dims.mean(0).sum(), "1 at most"),
        ("kl-cure", lambda kl_dims, step: min(0.7 + step / 300, 1.0) * kl_dims.mean(0).sum(), "head start"),
        ("price-slider", lambda draw, highest: draw(0), "returns nothing"),
        ("diagnose-run", lambda train, validation, kl: "ill", "none of the words"),
        ("diagnose-run", lambda train, validation, kl: None, "as text"),
        ("find-the-bug-annealing", lambda: (13, "loss"), "1 to 12"),
        ("find-the-bug-annealing", lambda: (7, "weight = share(step)"), "cannot be run"),
        ("find-the-bug-annealing", lambda: (7, None), "as text"),
        ("find-the-bug-annealing", lambda: (7, "weight = min(step / 300, 1.0)"), "0.86"),
    ]
)
