"""denoising-loss: the squared error of restoring images from Gaussian noise.

A right answer may draw its noise in any way. So the model of the check keeps what it is called with: the loss is
compared with the error of what the model made of that, and the noise in it is tested, never compared with other noise.
"""

from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._difference import difference, named, number
from course_utils.checks._observing import gradient
from course_utils.checks.lesson_02.autoencoder_loss import squared_error


def noisy(x, strength):
    return (x + strength * torch.randn_like(x)).clamp(0, 1)


def denoising_loss(model, x, strength):
    return squared_error(model(noisy(x, strength)), x)


class Restorer(nn.Module):
    """A small network that mixes neighbouring pixels, and keeps the images that it is called with."""

    def __init__(self, g, low, high):
        super().__init__()
        self.low, self.high = low, high
        self.weights = nn.Parameter(torch.tensor([1.5, -1.0, 0.5]) + 0.3 * torch.randn(3, generator=g))
        self.seen = []

    def forward(self, x):
        self.seen.append(x.detach().clone())
        a, b, c = self.weights
        mixed = torch.sigmoid(a * x + b * x.roll(1, dims=-1) + c * x.roll(1, dims=-2))
        return self.low + (self.high - self.low) * mixed


def loss_is(error):
    """A wrong answer that takes another number of the restoration, the clean image and the noisy one."""

    def answer(model, x, strength):
        x_noisy = noisy(x, strength)
        return error(model(x_noisy), x, x_noisy)

    answer.error = error
    return answer


def corrupted(corrupt):
    """A wrong answer that damages the image, from x and strength, in another way."""
    return lambda model, x, strength: squared_error(model(corrupt(x, strength)), x)


def painted(noise):
    """A wrong answer whose noise, from x and strength, is another one; clipped as it should be."""
    return corrupted(lambda x, strength: (x + noise(x, strength)).clamp(0, 1))


def rescaled(x, strength):
    x_noisy = x + strength * torch.randn_like(x)
    return (x_noisy - x_noisy.min()) / (x_noisy.max() - x_noisy.min())


def of_the_noise(model, x, strength):
    eps = torch.randn_like(x)
    return squared_error(model((x + strength * eps).clamp(0, 1)), eps)


def with_seed(model, x, strength):
    torch.manual_seed(0)
    return denoising_loss(model, x, strength)


def images(*shape, strength, low=0.0, high=1.0, out=(0.0, 1.0)):
    return lambda g: (Restorer(g, *out), low + (high - low) * torch.rand(shape, generator=g), strength)


def observe(fn, model, x, strength):
    """The loss, its gradient, and what the model saw in this call and in a second one."""
    loss, seen = called(fn, model, x, strength)
    if not isinstance(loss, Tensor) or not loss.is_floating_point() or loss.ndim:
        return loss
    slope = gradient(loss, [model.weights])
    _, again = called(fn, model, x, strength)
    return Parts({"": loss.detach(), "gradient for model": slope, "seen": seen, "again": again})


def called(fn, model, x, strength):
    """What fn returns, and the batches of images that the model was called with, (calls, B, C, H, W)."""
    model.seen.clear()
    loss = fn(model, x, strength)
    numbers = torch.cat([one.flatten() for one in model.seen]) if model.seen else torch.zeros(0)
    return loss, numbers.reshape(-1, *x.shape) if numbers.numel() % x.numel() == 0 else numbers


UNUSED = "The model is not used: you measured the noise itself. Where is x_hat?"
CLEAN = "Nothing is corrupted: the network sees the clean x. Where does x_noisy go?"
NOT_CLIPPED = (
    "Your noisy images leave [0, 1]. A pixel lies between black and white: which method of a tensor keeps values "
    "between 0 and 1, before the model sees them?"
)
ONE_FOR_ALL = (
    "Every image of your batch gets the same noise, so the network could learn that one pattern by heart. What shape "
    "must eps have?"
)
PLAIN_NUMBER = (
    "Your loss is a plain Python number. It must stay a tensor, or backward() cannot train the model: where is the "
    ".item() or float()?"
)
CUT_OFF = (
    "The loss is right, but it is cut off from the model, so loss.backward() could not train it: is there a no_grad, a "
    "detach or an item too early?"
)
REPEATED = (
    "Two calls draw the same noise, so the network could learn that one pattern by heart. A seed or a generator inside "
    "the function repeats it: which line can go?"
)


def compare(out, expected, model, x, strength):
    """None if the loss is that of what the model saw, and what it saw is the image with fresh Gaussian noise."""
    if not isinstance(out, Parts):
        return PLAIN_NUMBER if isinstance(out, float) else difference(out, expected[""])
    seen, again = out["seen"], out["again"]
    if not seen.numel():
        return UNUSED
    if seen.ndim != x.ndim + 1 or not all(torch.equal(one, seen[0]) for one in seen):
        return (
            f"x has {x.numel()} pixels, and your model has been given {seen.numel()}, or different ones each time. "
            "Damage the whole batch once and restore it once: what is compared with x is that restoration."
        )
    x_noisy = seen[0]
    right = squared_error(model(x_noisy), x)
    if fault := difference(out[""], right.detach()):
        for mistake in CHECK.mistakes:
            error = getattr(mistake.function, "error", None)
            if error and difference(out[""], error(model(x_noisy), x, x_noisy)) is None:
                return mistake.message
        return f"For the noisy images that your model has seen and what it made of them: {fault[0].lower()}{fault[1:]}"
    if fault := of_noise(x_noisy, again, x, strength):
        return fault
    slope = gradient(right, [model.weights])
    if fault := difference(out["gradient for model"], slope):
        return named("gradient for model", fault, out["gradient for model"], slope)
    return None


def of_noise(x_noisy, again, x, strength):
    """What is wrong with the noise in what the model has seen, or None."""
    if torch.equal(x_noisy, x):
        return CLEAN
    if x_noisy.min() < 0 or x_noisy.max() > 1:
        return NOT_CLIPPED
    noise = (x_noisy - x) / strength
    if torch.equal(x_noisy, again[0]):
        return REPEATED
    inside = (x_noisy > 0) & (x_noisy < 1)
    if not inside.all():  # only where hardly a pixel is clipped is the noise itself to be seen
        return shares(x_noisy, x, strength)
    axes = ("images", "channels", "rows", "columns")
    slices = {what: noise.transpose(0, dim).flatten(1) for dim, what in enumerate(axes)}
    pairs = [(what, i, j) for what, some in slices.items() for i, j in combinations(range(len(some)), 2)]
    for what, i, j in pairs:
        if torch.allclose(slices[what][i], slices[what][j], atol=1e-3):
            return ONE_FOR_ALL if what == "images" else f"Several {what} get the same noise. {FRESH}"
    for what, i, j in pairs:
        r = torch.corrcoef(slices[what][[i, j]])[0, 1]
        if not r.abs() < 0.6:  # independent: about 0.1
            return f"The noise in {what} {i} and {j} is not independent: their correlation is {number(r)}. {FRESH}"
    if torch.corrcoef(torch.stack([noise.flatten(), (again[0] - x).flatten()]))[0, 1].abs() > 0.5:
        return "The noise of a second call is not independent of that of the first. " + FRESH
    mean, std = noise.mean(), noise.std()
    if mean.abs() > 0.2 or (std - 1).abs() > 0.15:  # more than six standard errors
        return (
            f"The noise that your model sees has mean {number(strength * mean)} and standard deviation "
            f"{number(strength * std)}, where strength is {strength}. The mean should be 0 and the standard deviation "
            "strength."
        )
    tails = ((noise - mean) / std).pow(4).mean()  # of a Gaussian 3, give or take 0.15
    if not 2.1 < tails < 4.5:
        return (
            "The noise that your model sees has the right mean and standard deviation, but it is not Gaussian: its "
            f"largest number is {number(noise.abs().max())} times strength. From which distribution is it drawn?"
        )
    return None


def shares(x_noisy, x, strength):
    """How many pixels should be black and white, compared with how many are."""
    normal = torch.distributions.Normal(0, 1)
    for end, word, chance in ((0, "black", normal.cdf(-x / strength)), (1, "white", normal.cdf((x - 1) / strength))):
        found, wanted = (x_noisy == end).float().sum(), chance.sum()
        if (found - wanted).abs() > 6 * (chance * (1 - chance)).sum().sqrt() + 1:
            return (
                f"{int(found)} of {x.numel()} noisy pixels are {word} with strength {strength}, and about {wanted:.0f} "
                "should be. How large is your noise, and what happens to pixels that it carries out of [0, 1]?"
            )
    return None


FRESH = "Every pixel of every image should get a number of its own from N(0, 1): which shape must eps have?"

CHECK = Check(
    denoising_loss,
    inputs={"": images(5, 1, 6, 7, strength=0.6),
            "hardly a pixel is clipped": images(6, 3, 7, 8, strength=0.04, low=0.35, high=0.65),
            "strength is large": images(4, 2, 6, 5, strength=3.0, out=(-0.5, 1.5)),
            "there is one image": images(1, 2, 9, 5, strength=0.25)},
    observe=observe,
    compare=compare,
    draws=2,
    mistakes=[
        Mistake(loss_is(lambda x_hat, x, noisy: squared_error(x_hat, noisy)),
            "You compare the restoration with the NOISY image, so the best the network can do is to copy the noise. "
            "Which image should it be rewarded for producing?"),
        Mistake(lambda model, x, strength: squared_error(model(noisy(x, strength)), noisy(x, strength)),
            "Your target is damaged too. Only the input of the network is corrupted: what do you have at hand that is "
            "clean?"),
        Mistake(lambda model, x, strength: squared_error(model(noisy(x, strength)), model(x)),
            "Your target is what the model makes of the clean image, so it would do well to paint everything grey. "
            "What should it be rewarded for producing?"),
        Mistake(loss_is(lambda x_hat, x, noisy: squared_error(x_hat, noisy - x)),
            "You compare what the model returns with the noise, or subtract it from the noisy image as if it were the "
            "noise. The model returns the restored image itself: which image should that be?"),
        Mistake(corrupted(lambda x, strength: x + strength * torch.randn_like(x)), NOT_CLIPPED),
        Mistake(corrupted(lambda x, strength: (x + (strength * torch.randn_like(x)).clamp(0, 1))),
            "You clip the noise, and so it can only brighten. It is the noisy image that must stay in [0, 1]."),
        Mistake(corrupted(lambda x, strength: torch.sigmoid(x + strength * torch.randn_like(x))),
            "You squeeze the noisy image through a sigmoid, which changes every pixel. Which method cuts off only what "
            "lies outside [0, 1]?"),
        Mistake(painted(lambda x, s: s * torch.randn_like(x[0])), ONE_FOR_ALL),
        Mistake(painted(lambda x, s: s * torch.randn(len(x), 1, 1, 1)), "All pixels of an image get the same number as "
            "noise, so the whole image becomes darker or brighter. What shape must eps have?"),
        Mistake(painted(lambda x, s: s * torch.randn(())),
            "One single number serves as noise for all pixels of all images. What shape must eps have?"),
        Mistake(painted(lambda x, s: s * torch.randn_like(x[:, :1])),
            "All channels of an image get the same noise. Every number of x needs its own: what shape must eps have?"),
        Mistake(with_seed, REPEATED),
        Mistake(lambda model, x, strength: squared_error(model(x), x), CLEAN),
        Mistake(lambda model, x, strength: squared_error(model(x), noisy(x, strength)),
            "The network sees the clean x and is compared with the noisy one. It should be the other way round: what "
            "goes in, and what should come out?"),
        Mistake(lambda model, x, strength: squared_error((model(x) + strength * torch.randn_like(x)).clamp(0, 1), x),
            "The noise comes after the model. What is to be damaged is what the model sees."),
        Mistake(lambda model, x, strength: squared_error(noisy(x, strength), x), UNUSED),
        Mistake(painted(lambda x, s: s * torch.rand_like(x)),
            "Your noise is uniform on [0, 1] and can only brighten. Which function draws from N(0, 1)?"),
        Mistake(painted(lambda x, s: s * torch.randn_like(x).abs()),
            "Your noise has lost its sign and can only brighten. Which step can go?"),
        Mistake(painted(lambda x, s: s**2 * torch.randn_like(x)),
            "You multiply by the square of strength. It is the standard deviation already, not its root."),
        Mistake(painted(lambda x, s: s**0.5 * torch.randn_like(x)),
            "You multiply by the root of strength. It is the standard deviation, not the variance."),
        Mistake(corrupted(lambda x, strength: (x * (1 + strength * torch.randn_like(x))).clamp(0, 1)),
            "You multiply the image by noise, so black pixels stay black. Which operation moves every pixel?"),
        Mistake(corrupted(lambda x, strength: x * (torch.rand_like(x) > strength)),
            "You set pixels to black. That is masking noise; here Gaussian noise is to be added."),
        Mistake(loss_is(lambda x_hat, x, noisy: (x_hat - x).square().mean()), "You average over pixels. The course "
            "sums over the pixels of an image and averages over the batch: by which factor does your loss differ?"),
        Mistake(loss_is(lambda x_hat, x, noisy: (x_hat - x).square().sum()),
            "You sum over the batch as well, so the loss grows with the batch size. Which sum should be a mean?"),
        Mistake(loss_is(lambda x_hat, x, noisy: (x_hat - x).flatten(1).norm(dim=1).mean()),
            "You take the root of each image's sum of squares, which is a length. The squared error has no root."),
        Mistake(loss_is(lambda x_hat, x, noisy: (x_hat - x).abs().flatten(1).sum(dim=1).mean()),
            "You took absolute values of the differences. The formula above has squares."),
        Mistake(loss_is(lambda x_hat, x, noisy: (x_hat - x).sum() / len(x)), "You sum the differences as they are, so "
            "errors of both signs cancel. What does the formula do to each difference?"),
        Mistake(loss_is(lambda x_hat, x, noisy: squared_error(x_hat, x) / 2),
            "Your loss is half of the squared error. The formula above has no half."),
        Mistake(loss_is(lambda x_hat, x, noisy: binary_cross_entropy(x_hat.clamp(0, 1), x, reduction="sum") / len(x)),
            "That is binary cross-entropy. The formula above names the squared error."),
        Mistake(loss_is(lambda x_hat, x, noisy: (x_hat - x).square().flatten(1).sum(dim=1)),
            "Your loss is one number for each image, but backward() needs a single one. What is still to be done with "
            "the B numbers?"),
        Mistake(loss_is(lambda x_hat, x, noisy: squared_error(x_hat.clamp(0, 1), x)), "You clip the restoration, so a "
            "pixel outside [0, 1] gets no gradient to bring it back. Only the noisy image is to be clipped."),
        Mistake(loss_is(lambda x_hat, x, noisy: (x_hat - x).square().mean() * 784), "You multiply the mean by 784, and "
            "these images have another number of pixels. What sums over the pixels of any image?"),
        Mistake(of_the_noise, "You compare what the model returns with the noise. It returns the restored image: which "
            "image should that be?"),
        Mistake(corrupted(rescaled), "You stretch the noisy images to [0, 1], which changes every pixel. Which method "
            "cuts off only what lies outside?"),
        *(Mistake(painted(lambda x, s, std=std: std * torch.randn_like(x)),
            f"The noise has standard deviation {std} whatever strength is. What must eps be multiplied by?")
          for std in (0.1, 0.2, 0.3, 0.5, 1)),
        Mistake(lambda model, x, strength: denoising_loss(model, x, strength).item(), PLAIN_NUMBER),
        Mistake(lambda model, x, strength: denoising_loss(model, x, strength).detach(), CUT_OFF),
    ],
)  # fmt: skip
