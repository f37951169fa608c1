"""gan-step: one step of the discriminator, then one of the generator, each with its own loss from logits."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks._check import Check, Mistake, Parts

SURE = (
    "Where the discriminator is very sure your loss or a weight is infinite or no number (nan): a sigmoid is rounded "
    "to 0 or 1, and its logarithm is taken. Which function takes the logits as they are?"
)
GRAPH = (
    "The step is right, but the losses that you return are tensors that still hold the whole graph of the step. Which "
    "method makes a plain number of a tensor?"
)
LEAK = (
    "The weights move as they should, but the discriminator's loss has sent gradients to the generator too, with the "
    "wrong sign for it; only a later zero_grad() saves you. What cuts the fakes off from the generator's history?"
)


def network(g, *sizes):
    """A small network with tanh units and weights from g."""
    layers = []
    for a, b in zip(sizes, sizes[1:], strict=False):
        linear = nn.Linear(a, b)
        with torch.no_grad():
            linear.weight.copy_(torch.randn(b, a, generator=g) / a**0.5)
            linear.bias.copy_(0.3 * torch.randn(b, generator=g))
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def judge(g, *shape, scale=1.0):
    """A discriminator of samples of a shape; it returns (B, 1) for points, (B,) for images."""
    layers = network(g, torch.zeros(shape).numel(), 7, 1)
    with torch.no_grad():
        layers[-1].weight.mul_(scale)
    return layers if len(shape) == 1 else nn.Sequential(nn.Flatten(), *layers, nn.Flatten(0))


def maker(g, latent_dim, *shape):
    """A generator of samples of a shape."""
    layers = network(g, latent_dim, 6, torch.zeros(shape).numel())
    return layers if len(shape) == 1 else nn.Sequential(*layers, nn.Unflatten(1, shape))


def half_logit(discriminator, x):
    """A penalty that is quick to check: half the mean squared logit of real samples."""
    return 0.5 * discriminator(x).square().mean()


def gan_step(generator, discriminator, optimizers, x, z, penalty=None):
    return step(generator, discriminator, optimizers, x, z, penalty)


def of_d(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def of_g(fake):
    return F.softplus(-fake).mean()


def step(
    generator, discriminator, optimizers, x, z, penalty=None, *, loss_d=of_d, loss_g=of_g, detach=True, cut=False,
    zero_d=True, zero_g=True, early=False, late_zero=False, sign=1.0, both=False, codes=None, result=None,
):  # fmt: skip
    """The two halves of a step, each of which a mistake can do otherwise."""
    optimizer_g, optimizer_d = optimizers
    x_fake = generator(z if codes is None else codes(z))
    old = discriminator(x_fake) if early else None
    d = loss_d(discriminator(x), discriminator(x_fake.detach() if detach else x_fake))
    if penalty is not None:
        d = d + sign * penalty(discriminator, x)
    if zero_d:
        optimizer_d.zero_grad()
    d.backward(retain_graph=not detach or early)
    if late_zero:
        optimizer_d.zero_grad()
    if not early:
        optimizer_d.step()
    if not detach:
        x_fake = generator(z)
    g = loss_g(discriminator(x_fake.detach() if cut else x_fake) if old is None else old)
    if both and penalty is not None:
        g = g + penalty(discriminator, x)
    if zero_g:
        optimizer_g.zero_grad()
    if g.requires_grad:
        if early:  # the discriminator's step with its own gradients only
            gradients = torch.autograd.grad(g, list(generator.parameters()))
            optimizer_d.step()
            for weight, gradient in zip(generator.parameters(), gradients, strict=True):
                weight.grad = gradient
        else:
            g.backward()
    optimizer_g.step()
    return (d.item(), g.item()) if result is None else result(d, g)


def but(**changes):
    """A wrong answer: the right step with some of it changed."""
    return lambda generator, discriminator, optimizers, x, z, penalty=None: step(
        generator, discriminator, optimizers, x, z, penalty, **changes
    )


def generator_first(generator, discriminator, optimizers, x, z, penalty=None):
    optimizer_g, optimizer_d = optimizers
    x_fake = generator(z)
    g = of_g(discriminator(x_fake))
    optimizer_g.zero_grad()
    g.backward()
    optimizer_g.step()
    d = of_d(discriminator(x), discriminator(x_fake.detach()))
    d = d if penalty is None else d + penalty(discriminator, x)
    optimizer_d.zero_grad()
    d.backward()
    optimizer_d.step()
    return d.item(), g.item()


def without_penalty(generator, discriminator, optimizers, x, z, penalty=None):
    return step(generator, discriminator, optimizers, x, z)


def swapped(generator, discriminator, optimizers, x, z, penalty=None):
    """The names of the two optimizers swapped: each half clears and moves the other network."""
    return step(generator, discriminator, optimizers[::-1], x, z, penalty)


def samples(count, latent_dim, *shape, scale=1.0, penalised=False):
    """Two networks and two batches of real samples and of codes."""
    return lambda g: (
        maker(g, latent_dim, *shape), judge(g, *shape, scale=scale), torch.randn(2, count, *shape, generator=g),
        torch.randn(2, count, latent_dim, generator=g), penalised,
    )  # fmt: skip


def weights(network):
    return torch.cat([one.detach().flatten() for one in network.parameters()])


def observe(fn, generator, discriminator, x, z, penalised):
    """Two steps by stochastic gradient descent: what is returned, where the weights are, and what reaches G from D."""
    generator, discriminator = copy.deepcopy(generator), copy.deepcopy(discriminator)
    optimizer_g = torch.optim.SGD(generator.parameters(), lr=0.05)
    optimizer_d = torch.optim.SGD(discriminator.parameters(), lr=0.08)
    given, leaks, seen = [one.clone() for one in (*x, *z)], [], {}
    own_step = optimizer_d.step

    def noting(*arguments, **options):
        out = own_step(*arguments, **options)
        found = [one.grad for one in generator.parameters() if one.grad is not None]
        leaks.append(any(one.abs().max() > 0 for one in found))
        return out

    optimizer_d.step = noting
    for k, place in enumerate(("first", "second")):
        options = (half_logit,) if penalised else ()
        out = fn(generator, discriminator, (optimizer_g, optimizer_d), given[k], given[2 + k], *options)
        if isinstance(out, Tensor) and out.shape == (2,):
            out = tuple(out)
        if not _two_numbers(out):
            return out
        seen[f"{place} losses"] = torch.tensor([float(one.detach() if isinstance(one, Tensor) else one) for one in out])
        seen[f"{place} discriminator"], seen[f"{place} generator"] = weights(discriminator), weights(generator)
        seen["graph"] = any(isinstance(one, Tensor) and one.requires_grad for one in out)
    x.copy_(torch.stack(given[:2])), z.copy_(torch.stack(given[2:]))
    return Parts(seen | {"leak": bool(leaks and leaks[0])})


def _two_numbers(out):
    return (
        isinstance(out, (tuple, list))
        and len(out) == 2
        and all(isinstance(one, (int, float)) or (isinstance(one, Tensor) and one.numel() == 1) for one in out)
    )


def compare(out, expected, generator, discriminator, x, z, penalised):
    if out is None:
        return "It returns nothing: return the losses of the discriminator and of the generator, two numbers."
    if not isinstance(out, Parts):
        return "Return two numbers, the losses of the discriminator and of the generator, each by .item()."
    if not all(torch.isfinite(one).all() for one in out.values() if isinstance(one, Tensor)):
        return SURE
    starts = {"discriminator": weights(discriminator), "generator": weights(generator)}
    if fault := _fault_of_weights(out, expected, starts):
        return fault
    for place in ("first", "second"):
        if not _close(out[f"{place} losses"], expected[f"{place} losses"]):
            said, right = (", ".join(f"{v:.3f}" for v in one[f"{place} losses"].tolist()) for one in (out, expected))
            return f"The weights move as they should, but it returns {said} where the two losses are {right}."
    if out["graph"]:
        return GRAPH
    return LEAK if out["leak"] else None


def _fault_of_weights(out, expected, starts):
    for place in ("first", "second"):
        for name in ("discriminator", "generator"):
            moved, right = (one[f"{place} {name}"] for one in (out, expected))
            if _close(moved, right):
                continue
            if torch.equal(moved, starts[name]):
                return f"The {name}'s weights never move. Is backward() called on its loss, and its optimizer's step()?"
            if place == "second":
                return (
                    f"The first step is right, but in the second the {name} goes wrong. What of the first step is "
                    "still there in the second? Gradients stay on the weights until zero_grad()."
                )
            return f"The {name}'s weights do not move as the gradient of its loss says. Which logits go into its loss?"
    return None


def _close(a, b):
    return torch.allclose(a, b, rtol=1e-3, atol=1e-5)


def average(real, fake):
    return of_d(real, fake) / 2


CHECK = Check(
    gan_step,
    inputs={"": samples(5, 3, 2), "there are images, and the logits have shape (B,)": samples(4, 2, 2, 3, 2),
            "there is a penalty": samples(6, 3, 2, penalised=True),
            "the discriminator is very sure, with logits beyond 100": samples(4, 2, 3, scale=400.0)},
    observe=observe,
    compare=compare,
    draws=2,
    mistakes=[
        Mistake(but(result=lambda d, g: (d, g)), GRAPH),
        Mistake(but(detach=False), LEAK),
        Mistake(but(loss_d=lambda real, fake: -real.sigmoid().log().mean() - (1 - fake.sigmoid()).log().mean(),
            loss_g=lambda fake: -fake.sigmoid().log().mean()), SURE),
        Mistake(but(cut=True), "The generator's weights never move. Is its optimizer's step() called? And in its own "
            "loss the fakes must not be detached: only the discriminator's loss needs the cut."),
        Mistake(but(loss_d=lambda real, fake: of_d(fake, real)), "The discriminator's labels are swapped: it learns to "
            "call fakes real. Which logits go into softplus(-l)?"),
        Mistake(but(loss_g=lambda fake: F.softplus(fake).mean()), "The generator's label is that of a fake: it learns "
            "to be recognised. Its loss is that of fakes with the label real."),
        Mistake(but(loss_g=lambda fake: -F.softplus(fake).mean()), "That is the generator's side of the game of one "
            "value, log(1 - D). Here its loss is -log D of the fakes, softplus(-l)."),
        Mistake(but(loss_d=lambda real, fake: of_d(real, fake).neg()), "The discriminator minimises minus its loss, so "
            "it unlearns. Which sign?"),
        Mistake(but(loss_d=average), "You average the discriminator's two terms. They are added: at logits of 0 the "
            "loss is 2 log 2 = 1.386, and yours is half."),
        Mistake(but(loss_d=lambda real, fake: F.softplus(-real).sum() + F.softplus(fake).sum(),
            loss_g=lambda fake: F.softplus(-fake).sum()), "You add up over the batch, so the steps grow with its size. "
            "Take means."),
        Mistake(but(loss_d=lambda real, fake: F.softplus(-real).mean()), "The discriminator sees real samples only, so "
            "one that calls everything real is perfect. Where is the term of the fakes?"),
        Mistake(but(loss_d=lambda real, fake: F.softplus(fake).mean()), "The discriminator sees fakes only, so one "
            "that calls everything fake is perfect. Where is the term of the real samples?"),
        Mistake(but(loss_d=lambda real, fake: of_d(real.sigmoid(), fake.sigmoid()),
            loss_g=lambda fake: of_g(fake.sigmoid())), "A sigmoid is applied twice: softplus and "
            "binary_cross_entropy_with_logits take the logits as they are."),
        Mistake(but(loss_d=lambda real, fake: fake.mean() - real.mean(), loss_g=lambda fake: -fake.mean()),
            "You use mean logits, as a Wasserstein GAN does. Here each logit goes through a softplus first."),
        Mistake(but(loss_d=lambda real, fake: (1 - real).relu().mean() + (1 + fake).relu().mean(),
            loss_g=lambda fake: -fake.mean()), "Those are the hinge losses. They train GANs too, but here each logit "
            "goes through a softplus."),
        Mistake(but(zero_d=False), "The discriminator's gradients are not cleared before its backward(): those of "
            "the step before are still there, and those that the generator's loss left on it."),
        Mistake(but(zero_g=False), "The generator's gradients are not cleared before its backward(), so those of the "
            "step before are added. What clears them?"),
        Mistake(but(zero_d=False, zero_g=False), "No gradients are ever cleared, so each step adds to all before it. "
            "Which call of an optimizer clears them?"),
        Mistake(but(late_zero=True), "The discriminator's weights never move. Is its optimizer's step() called, and "
            "zero_grad() before backward(), not between the two?"),
        Mistake(but(early=True), "The generator listens to the discriminator as it was before its step: the logits in "
            "its loss are old. Call the discriminator again after its step."),
        Mistake(generator_first, "The generator moves first. Here the discriminator makes its step first, and the "
            "generator listens to the new one."),
        Mistake(swapped, "Each half moves the other player: the optimizers come as (optimizer_g, optimizer_d)."),
        Mistake(without_penalty, "The penalty is never used. Where it is given, add penalty(discriminator, x) to the "
            "discriminator's loss."),
        Mistake(but(sign=-1.0), "You subtract the penalty, which rewards what it should cost. Add it."),
        Mistake(but(both=True), "You add the penalty to the generator's loss as well. Only the discriminator pays it."),
        Mistake(but(codes=torch.randn_like), "You draw codes of your own. Use the z that is given."),
        Mistake(but(result=lambda d, g: (g.item(), d.item())), "The step is right, but you return the generator's loss "
            "first. Return the discriminator's, then the generator's."),
        Mistake(but(result=lambda d, g: (d + g).item()), "The step is right, but you return one number. Return the two "
            "losses."),
    ],
)  # fmt: skip
