"""vae-step: encode, sample, decode, loss, step."""

import copy

import torch
from torch import Tensor, nn

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks.lesson_04.two_heads import encode_and_sample
from course_utils.checks.lesson_04.vae_loss import vae_loss

GRAPH = (
    "The step is right, but the two that you return are tensors that still hold the whole graph of the step, and its "
    "memory with it. Which method makes a plain number of a tensor?"
)


class TinyVAE(nn.Module):
    """The lesson's SmallVAE, for pictures of 3 by 5 pixels."""

    def __init__(self, latent_dim):
        super().__init__()
        self.latent_shape = (latent_dim,)
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(15, 6), nn.ReLU())
        self.head_mu, self.head_logvar = nn.Linear(6, latent_dim), nn.Linear(6, latent_dim)
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 7), nn.ReLU(), nn.Linear(7, 15), nn.Unflatten(1, (1, 3, 5))
        )

    def posterior(self, x):
        features = self.features(x)
        return self.head_mu(features), self.head_logvar(features)

    def encode(self, x):
        return self.posterior(x)[0]

    def decode(self, z):
        return torch.sigmoid(self.decoder(z))

    def forward(self, x):
        raise TypeError("this VAE has no forward pass of its own: the five steps are what you write")


def noise_like(vae, x):
    return torch.randn(len(x), *vae.latent_shape)


def vae_step(vae, optimizer, x):
    return step(vae, optimizer, x)


def step(vae, optimizer, x, *, eps=None, codes=None, objective=None, result=None, before=True, zero=True):
    """The five steps, each of which a mistake can do otherwise."""
    mu, logvar, z = encode_and_sample(
        vae.features(x), vae.head_mu, vae.head_logvar, noise_like(vae, x) if eps is None else eps
    )
    x_logits = vae.decoder(z if codes is None else codes(mu, logvar, z))
    recon, kl = vae_loss(x_logits, x, mu, logvar)
    loss = (recon + kl).mean() if objective is None else objective(recon, kl)
    if zero and before:
        optimizer.zero_grad()
    loss.backward()
    if zero and not before:
        optimizer.zero_grad()
    optimizer.step()
    return (recon.mean().item(), kl.mean().item()) if result is None else result(recon, kl)


def but(**changes):
    """A wrong answer: the right step with some of it changed."""
    return lambda vae, optimizer, x: step(vae, optimizer, x, **changes)


def noise_is(draw):
    """A wrong answer whose noise is drawn otherwise."""
    return lambda vae, optimizer, x: step(vae, optimizer, x, eps=draw(noise_like(vae, x)))


def drawn_with(std):
    """A wrong answer whose codes are drawn with another function of logvar as sigma."""
    return but(codes=lambda mu, logvar, z: mu + std(logvar) * torch.randn_like(mu))


def without_update(vae, optimizer, x):
    mu, logvar, z = encode_and_sample(vae.features(x), vae.head_mu, vae.head_logvar, noise_like(vae, x))
    recon, kl = vae_loss(vae.decoder(z), x, mu, logvar)
    optimizer.zero_grad()
    (recon + kl).mean().backward()
    return recon.mean().item(), kl.mean().item()


def sigmoid_twice(vae, optimizer, x):
    mu, logvar, z = encode_and_sample(vae.features(x), vae.head_mu, vae.head_logvar, noise_like(vae, x))
    recon, kl = vae_loss(vae.decode(z), x, mu, logvar)
    optimizer.zero_grad()
    (recon + kl).mean().backward()
    optimizer.step()
    return recon.mean().item(), kl.mean().item()


def models(count, latent_dim):
    """A network and two batches of pictures, (2, B, 1, 3, 5)."""

    def inputs(g):
        vae = TinyVAE(latent_dim)
        with torch.no_grad():
            for parameter in vae.parameters():
                parameter.normal_(0, 0.5, generator=g)
        return vae, torch.rand(2, count, 1, 3, 5, generator=g)

    return inputs


def weights(vae):
    return torch.cat([one.detach().flatten() for one in vae.parameters()])


def observe(fn, vae, batches):
    """Two steps by stochastic gradient descent, beside what is right for the codes that each of them decoded.

    The noise is the answer's own. So what is right is computed from it: eps = (z - mu) / sigma.
    """
    model, given, seen = copy.deepcopy(vae), [one.clone() for one in batches], {}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for place, x in zip(("first", "second"), given, strict=True):
        start, codes = copy.deepcopy(model), []
        hook = model.decoder.register_forward_pre_hook(lambda _, inputs, to=codes: to.append(inputs[0].detach()))
        out = fn(model, optimizer, x)
        hook.remove()
        if not _two_numbers(out):
            return out
        with torch.no_grad():
            mu, logvar = start.posterior(x)
        z = codes[0] if codes and codes[0].shape == mu.shape else mu
        eps = (z - mu) / torch.exp(0.5 * logvar)
        right = step(start, torch.optim.SGD(start.parameters(), lr=0.05), x, eps=eps)
        seen[f"{place} result"] = torch.tensor([float(one.detach() if isinstance(one, Tensor) else one) for one in out])
        seen[f"{place} right result"] = torch.tensor(right)
        seen["graph"] = any(isinstance(one, Tensor) and one.requires_grad for one in out)
        seen[f"{place} weights"], seen[f"{place} right weights"] = weights(model), weights(start)
        seen[f"{place} gradients"] = torch.cat([
            torch.zeros(one.numel()) if one.grad is None else one.grad.flatten() for one in model.parameters()
        ])  # fmt: skip
        seen[f"{place} noise"], seen[f"{place} decoded"] = eps, torch.tensor(float(len(codes)))
    batches.copy_(torch.stack(given))
    return Parts(seen)


def _two_numbers(out):
    return (
        isinstance(out, (tuple, list))
        and len(out) == 2
        and all(isinstance(one, (int, float)) or (isinstance(one, Tensor) and one.numel() == 1) for one in out)
    )


def compare(out, expected, vae, batches):
    if out is None:
        return "It returns nothing: return the mean recon and the mean kl of the batch, two numbers."
    if not isinstance(out, Parts):
        return "Return two numbers, the mean recon and the mean kl of the batch, each by .mean().item()."
    if not out["first decoded"]:
        return "The decoder is never called: x_logits = vae.decoder(z)."
    for place in ("first", "second"):
        if fault := _fault_of_noise(out[f"{place} noise"]):
            return fault
        if not _close(out[f"{place} result"], out[f"{place} right result"]):
            pairs = (out[f"{place} {what}"].tolist() for what in ("result", "right result"))
            said, right = (", ".join(f"{one:.3f}" for one in pair) for pair in pairs)
            return f"It returns {said}. For the codes that it decoded, recon and kl are {right} on average."
        if not _close(out[f"{place} weights"], out[f"{place} right weights"]):
            if place == "second":
                return "The first step is right and the second is not. What of the first is still there in the second?"
            return (
                "The two numbers are right, but the weights do not move as the gradient of (recon + kl).mean() says. "
                "What is differentiated, and which step follows which?"
            )
    if out["graph"]:
        return GRAPH
    first, second = out["first noise"], out["second noise"]
    if torch.equal(first, second) or _close(first, second):
        return "Both steps have the same noise. Draw anew in every step."
    return None


def _fault_of_noise(eps):
    mean, std = eps.mean(), eps.std()
    if std < 1e-3:
        return "The codes that it decodes have no noise of their own. Which step draws them?"
    if len(eps) > 1 and (eps - eps[:1]).abs().max() < 1e-3:
        return "All images of the batch have the same noise: it needs one row for each image."
    if eps.shape[1] > 1 and (eps - eps[:, :1]).abs().max() < 1e-3:
        return "All dimensions of a code have the same noise: it needs a number for each of them."
    if len(eps) > 100 and (mean.abs() > 0.25 or not 0.8 < std < 1.2):
        return (
            f"(z - mu) / sigma has mean {mean:.2f} and standard deviation {std:.2f}; it should be noise from N(0, I). "
            "Where does z come from?"
        )
    return None


def _close(a, b):
    return torch.allclose(a, b, rtol=1e-3, atol=1e-5)


CHECK = Check(
    vae_step,
    inputs={"": models(300, 3), "there are few images": models(4, 2)},
    observe=observe,
    compare=compare,
    mistakes=[
        Mistake(but(result=lambda recon, kl: (recon.mean(), kl.mean())), GRAPH),
        Mistake(but(zero=False), "The first step is right and the second is not: gradients of earlier batches are "
            "still there, and backward() adds to them. What clears them?"),
        Mistake(but(before=False), "The weights never move: when optimizer.step() is called there are no gradients. Is "
            "backward() missing, or are they cleared after it?"),
        Mistake(without_update, "The weights never move. backward() computes gradients; which call uses them?"),
        Mistake(but(codes=lambda mu, logvar, z: mu), "You decode the centre mu, without noise. Then "
            "nothing makes the decoder cope with the rest of the cloud: which code does step 2 give?"),
        Mistake(but(codes=lambda mu, logvar, z: z.detach()), "The numbers are right, but z is cut off from the "
            "encoder: it learns from the price alone. Where is the detach, the no_grad or the .data?"),
        Mistake(but(objective=lambda recon, kl: recon.mean()), "Your loss has no price. It is recon plus kl."),
        Mistake(but(objective=lambda recon, kl: kl.mean()), "Your loss is the price alone. It is recon plus kl."),
        Mistake(but(objective=lambda recon, kl: (recon - kl).mean()), "You subtract the price, so being far out is "
            "rewarded. It is added."),
        Mistake(but(objective=lambda recon, kl: (kl - recon).mean()), "You subtract recon. It is minus log p(x|z) "
            "already, and is to become small: add it."),
        Mistake(but(objective=lambda recon, kl: -(recon + kl).mean()), "You minimise minus the loss, so the model gets "
            "worse with every step. Which sign?"),
        Mistake(but(objective=lambda recon, kl: (recon + kl).sum()), "Your loss is the sum over the batch, so the step "
            "grows with its size. Take the mean."),
        Mistake(but(objective=lambda recon, kl: (recon / 15 + kl).mean()), "You divide recon by the number of pixels, "
            "so the price counts far too much. Both terms are sums."),
        Mistake(but(objective=lambda recon, kl: (recon / 784 + kl).mean()), "You divide recon by the number of pixels, "
            "so the price counts far too much. Both terms are sums."),
        Mistake(but(objective=lambda recon, kl: 0.5 * (recon + kl).mean()), "Your loss is half of what it should be. "
            "It is the mean over the batch of recon + kl."),
        Mistake(noise_is(torch.rand_like), "Your noise is uniform between 0 and 1 (torch.rand). The cloud is normal: "
            "which function draws from N(0, I)?"),
        Mistake(noise_is(lambda eps: torch.randn_like(eps[:1]).expand_as(eps)), "All images of the batch have the same "
            "noise. eps needs one row for each image."),
        Mistake(noise_is(lambda eps: torch.randn_like(eps[:, :1]).expand_as(eps)), "All dimensions of a code have the "
            "same noise. eps needs a number for each image and each dimension."),
        Mistake(but(codes=lambda mu, logvar, z: torch.randn_like(mu)), "You decode draws from the prior, which know "
            "nothing of the images. Training decodes draws from each image's own cloud."),
        Mistake(drawn_with(torch.exp), "You draw with exp(logvar), the variance, in place of sigma. encode_and_sample "
            "does it right: use its z."),
        Mistake(sigmoid_twice, "You hand pictures (vae.decode, which ends in a sigmoid) to a loss that wants x_logits: "
            "vae.decoder."),
        Mistake(but(result=lambda recon, kl: (kl.mean().item(), recon.mean().item())), "The step is right, but you "
            "return kl first. Return recon, then kl."),
        Mistake(but(result=lambda recon, kl: (recon, kl)), "The step is right. Return the two MEANS over the batch, "
            "not a value for each image: .mean().item()."),
        Mistake(but(result=lambda recon, kl: (recon + kl).mean().item()), "The step is right, but you return the loss. "
            "Return the mean recon and the mean kl, two numbers."),
        Mistake(but(result=lambda recon, kl: (recon.sum().item(), kl.sum().item())), "The step is right, but you "
            "return sums over the batch. Return the means."),
    ],
)  # fmt: skip
