"""Right answers to the exercises of lesson 04, in other styles than the reference."""

import math

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence
from torch.nn.functional import linear
from verdicts import accepts, says

from course_utils import plots
from course_utils.gaussian import kl_standard_normal, reparameterize
from course_utils.latents import decode_dataset
from course_utils.losses import bernoulli_nll


def sample_as_a_list(features, head_mu, head_logvar, eps):
    mu, logvar = head_mu(features), head_logvar(features)
    return [mu, logvar, torch.addcmul(mu, logvar.div(2).exp(), eps)]


def sample_image_by_image(features, head_mu, head_logvar, eps):
    mu = torch.stack([head_mu(one) for one in features])
    logvar = torch.cat([head_logvar(one[None]) for one in features])
    return mu, logvar, torch.stack([m + math.e ** (s / 2) * e for m, s, e in zip(mu, logvar, eps, strict=True)])


def sample_by_einsum(features, head_mu, head_logvar, eps):
    logvar = linear(features, head_logvar.weight, head_logvar.bias)
    mu = torch.einsum("bh,dh->bd", features, head_mu.weight) + head_mu.bias
    return mu, logvar, (mu.double() + logvar.double().exp().sqrt() * eps).float()


def loss_by_distributions(x_logits, x, mu, logvar):
    cloud, prior = Normal(mu, logvar.div(2).exp()), Normal(torch.zeros_like(mu), torch.ones_like(mu))
    likelihood = Independent(Bernoulli(logits=x_logits, validate_args=False), 3)
    return -likelihood.log_prob(x), kl_divergence(cloud, prior).sum(-1)


def loss_image_by_image(x_logits, x, mu, logvar):
    recon = [F.binary_cross_entropy_with_logits(a, b, reduction="sum") for a, b in zip(x_logits, x, strict=True)]
    kl = [-0.5 * torch.sum(1 + s - m.pow(2) - s.exp()) for m, s in zip(mu, logvar, strict=True)]
    return torch.stack(recon), torch.stack(kl)


def loss_by_softplus(x_logits, x, mu, logvar):
    recon = (F.softplus(x_logits) - x * x_logits).sum(dim=[1, 2, 3])
    return recon, ((mu.square() + logvar.exp() - logvar - 1) / 2).sum(-1)


def loss_by_mean(x_logits, x, mu, logvar):
    recon = F.binary_cross_entropy_with_logits(x_logits, x, reduction="none").flatten(1)
    return recon.mean(1) * recon.shape[1], kl_standard_normal(mu, logvar)


def step_by_the_package(vae, optimizer, x):
    optimizer.zero_grad()
    mu, logvar = vae.posterior(x)
    recon = bernoulli_nll(vae.decoder(reparameterize(mu, logvar)), x).mean()
    kl = kl_standard_normal(mu, logvar).mean()
    (recon + kl).backward()
    optimizer.step()
    return recon.detach(), kl.detach()


def step_with_rsample(vae, optimizer, x):
    features = vae.features(x)
    mu, logvar = vae.head_mu(features), vae.head_logvar(features)
    z = Normal(mu, torch.exp(logvar / 2)).rsample()
    recon, kl = loss_by_softplus(vae.decoder(z), x, mu, logvar)
    loss = torch.mean(recon) + torch.mean(kl)
    for parameter in vae.parameters():
        parameter.grad = None
    loss.backward()
    optimizer.step()
    return [float(recon.mean()), float(kl.mean())]


def step_with_numpy_noise(vae, optimizer, x):
    mu, logvar = vae.posterior(x)
    eps = torch.from_numpy(np.random.standard_normal(mu.shape)).float()
    recon, kl = loss_image_by_image(vae.decoder(mu + logvar.mul(0.5).exp() * eps), x, mu, logvar)
    loss = (recon.sum() + kl.sum()) / len(x)
    loss.backward()
    optimizer.step()
    vae.zero_grad()
    return recon.mean().item(), kl.mean().item()


def step_with_a_closure(vae, optimizer, x):
    eps = torch.randn(x.shape[0], vae.latent_shape[0])
    terms = {}

    def closure():
        optimizer.zero_grad(set_to_none=False)
        mu, logvar, z = sample_as_a_list(vae.features(x), vae.head_mu, vae.head_logvar, eps)
        recon, kl = loss_by_mean(vae.decoder(z), x, mu, logvar)
        terms["recon"], terms["kl"] = recon.mean().detach(), kl.mean().detach()
        loss = (recon + kl).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    return terms["recon"].item(), terms["kl"].item()


def drawn(images):
    plt.imshow(torch.cat(list(images.detach()[:, 0]), dim=1), vmin=0, vmax=1)
    plt.show()


def control_by_interact(model, eps):
    return ipywidgets.interact(lambda t: drawn(model.decode(t * eps)), t=ipywidgets.FloatSlider(0.8, max=3.0))


def control_by_interactive_output(model, eps):
    slider = ipywidgets.FloatSlider(value=0.8, min=0, max=3, continuous_update=False)
    out = ipywidgets.interactive_output(lambda value: drawn(model.decode(eps.mul(value))), {"value": slider})
    return ipywidgets.HBox([out, slider])


def control_by_observing(model, eps):
    slider, out = ipywidgets.FloatSlider(value=0.8, min=0, max=3, step=0.25), ipywidgets.Output()

    def redraw(change=None):
        out.clear_output(wait=True)
        with out:
            drawn(torch.cat([model.decode(slider.value * one[None]) for one in eps]))

    redraw()
    slider.observe(redraw, "value")
    return ipywidgets.VBox([slider, out])


def control_of_the_package(model, eps):
    def show(temperature):
        plots.image_grid(decode_dataset(model, temperature * eps))
        plt.show()

    return ipywidgets.interactive(show, temperature=ipywidgets.FloatSlider(0.8, min=0, max=3))


RIGHT = {
    "temperature-control": [
        control_by_interact, control_by_interactive_output, control_by_observing, control_of_the_package,
    ],
    "two-heads": [sample_as_a_list, sample_image_by_image, sample_by_einsum,
                  lambda f, m, v, eps: (m(f), v(f), m(f) + v(f).exp().sqrt() * eps)],
    "vae-loss": [loss_by_distributions, loss_image_by_image, loss_by_softplus, loss_by_mean],
    "vae-step": [step_by_the_package, step_with_rsample, step_with_numpy_noise, step_with_a_closure],
    "find-the-bug-vae": [
        lambda: (5, "x_logits = vae.decoder(z)"),
        lambda: [5, "    x_logits=vae.decoder( mu + eps * std )  # a draw"],
        lambda: ("5", "x_logits = vae.decoder(mu + torch.exp(0.5 * logvar) * eps)"),
        lambda: (5, "x_logits = vae.decoder.forward(z)"),
    ],
}  # fmt: skip


test_right_answers_are_accepted = accepts(RIGHT)


def step_in_place(vae, optimizer, x):
    x.mul_(0.5)
    return step_with_rsample(vae, optimizer, x)


def step_without_decoder(vae, optimizer, x):
    return 1.0, 2.0


test_what_else_is_said = says(
    [
        ("two-heads", lambda f, m, v, eps: (m(f), v(f), np.exp(0.5 * v(f))), "NumPy keeps no gradients"),
        ("two-heads", lambda f, m, v, eps: sample_as_a_list(f.sub_(1), m, v, eps), "in place"),
        ("two-heads", lambda f, m, v, eps: sample_as_a_list(f * 0.5 + f.detach() * 0.5, m, v, eps), "gradient for"),
        ("two-heads", lambda f, m, v, eps: (m(f) + 1, v(f), eps), "number 1 is wrong"),
        ("vae-loss", lambda a, x, mu, v: loss_by_mean(a, x, mu.add_(1), v), "in place"),
        ("vae-step", step_in_place, "in place"),
        ("vae-step", step_without_decoder, "never called"),
        ("vae-step", lambda vae, optimizer, x: 0.5, "two numbers"),
        ("find-the-bug-vae", lambda: (13, "loss"), "1 to 12"),
        ("find-the-bug-vae", lambda: (5, "x_logits = decoder(z)"), "cannot be run"),
        ("find-the-bug-vae", lambda: (5, None), "as text"),
    ]
)
