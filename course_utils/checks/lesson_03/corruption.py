"""corruption: Gaussian noise of a strength of its own for each image, clipped to [0, 1].

A right answer may draw its noise in any way. So the noise is tested, never compared with other noise.
"""

from itertools import combinations

import torch
from torch import Tensor

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._difference import difference, number


def corrupt(x, strength):
    return (x + each(strength) * torch.randn_like(x)).clamp(0, 1)


def each(strength):
    """One number for each image, as it meets images (B, C, H, W)."""
    return strength[:, None, None, None]


def painted(noise):
    """A wrong answer whose noise, from x and the strengths (B, 1, 1, 1), is another one; clipped as it should be."""
    return lambda x, strength: (x + noise(x, each(strength))).clamp(0, 1)


def rescaled(x, strength):
    x_noisy = x + each(strength) * torch.randn_like(x)
    return (x_noisy - x_noisy.min()) / (x_noisy.max() - x_noisy.min())


def with_seed(x, strength):
    torch.manual_seed(0)
    return corrupt(x, strength)


def images(*shape, low, high, dark=0.0, bright=1.0, none=False):
    """Images with strengths that rise from low to high in a random order; none: the first is left as it is."""

    def inputs(g):
        x = dark + (bright - dark) * torch.rand(shape, generator=g)
        strength = torch.linspace(low, high, shape[0])[torch.randperm(shape[0], generator=g)]
        if none:
            strength[0] = 0.0
        return x, strength

    return inputs


def observe(fn, x, strength):
    """The images of one call and of a second one."""
    out = fn(x, strength)
    if not isinstance(out, Tensor) or not out.is_floating_point() or out.shape != x.shape:
        return out
    return Parts({"": out.detach(), "again": fn(x, strength).detach()})


NOT_CLIPPED = (
    "Your noisy images leave [0, 1]. A pixel lies between black and white: which method of a tensor keeps values "
    "between 0 and 1?"
)
ONE_FOR_ALL = (
    "Every image of your batch gets the same noise, so the network could learn that one pattern by heart. What shape "
    "must eps have?"
)
REPEATED = (
    "Two calls draw the same noise, so the network could learn that one pattern by heart. A seed or a generator inside "
    "the function repeats it: which line can go?"
)
FRESH = "Every pixel of every image should get a number of its own from N(0, 1): which shape must eps have?"
UNTOUCHED = "Nothing is corrupted: you return the images as they came. Where does the noise go?"


def compare(out, expected, x, strength):
    """None if what is returned is the images with fresh Gaussian noise of the right strengths."""
    if not isinstance(out, Parts):
        return difference(out, expected[""])
    x_noisy, again = out[""], out["again"]
    if torch.equal(x_noisy, x):
        return UNTOUCHED
    if x_noisy.min() < 0 or x_noisy.max() > 1:
        return NOT_CLIPPED
    if torch.equal(x_noisy, again):
        return REPEATED
    still = strength == 0
    if not torch.allclose(x_noisy[still], x[still].to(x_noisy.dtype), atol=1e-6):
        return "An image whose strength is 0 does not come back as it was. Which strength did it get?"
    x_noisy, again, x, strength = (one[~still] for one in (x_noisy, again, x, strength))
    inside = (x_noisy > 0) & (x_noisy < 1)
    if not inside.all():  # only where hardly a pixel is clipped is the noise itself to be seen
        return shares(x_noisy, x, strength)
    return of_noise((x_noisy - x) / each(strength), (again - x) / each(strength), strength)


def of_noise(noise, again, strength):
    """What is wrong with noise that should be N(0, 1) after division by the strengths, or None."""
    axes = ("images", "channels", "rows", "columns")
    slices = {what: noise.transpose(0, dim).flatten(1) for dim, what in enumerate(axes)}
    pairs = [(what, i, j) for what, some in slices.items() for i, j in combinations(range(len(some)), 2)]
    for what, i, j in pairs:
        r = torch.corrcoef(slices[what][[i, j]])[0, 1]
        if r > 0.99:
            return ONE_FOR_ALL if what == "images" else f"Several {what} get the same noise. {FRESH}"
        if not r.abs() < min(6 / slices[what].shape[1] ** 0.5, 0.95):  # six standard errors
            return f"The noise in {what} {i} and {j} is not independent: their correlation is {number(r)}. {FRESH}"
    if torch.corrcoef(torch.stack([noise.flatten(), again.flatten()]))[0, 1].abs() > 0.5:
        return "The noise of a second call is not independent of that of the first. " + FRESH
    for i, one in enumerate(noise):
        if one.mean().abs() > 0.5 or (one.std() - 1).abs() > 0.35:  # more than six standard errors
            return (
                f"The noise of image {i} has mean {number(strength[i] * one.mean())} and standard deviation "
                f"{number(strength[i] * one.std())}, where strength[{i}] is {number(strength[i])}. The mean should be "
                "0 and the standard deviation strength[i]."
            )
    tails = ((noise - noise.mean()) / noise.std()).pow(4).mean()  # of a Gaussian 3, give or take 0.15
    if not 2.1 < tails < 4.5:
        return (
            "Your noise has the right mean and standard deviation, but it is not Gaussian: its largest number is "
            f"{number(noise.abs().max())} times strength. From which distribution is it drawn?"
        )
    return None


def shares(x_noisy, x, strength):
    """How many pixels should be black and white, compared with how many are."""
    normal = torch.distributions.Normal(0, 1)
    chances = {"black": (0, normal.cdf(-x / each(strength))), "white": (1, normal.cdf((x - 1) / each(strength)))}
    for word, (end, chance) in chances.items():
        found, wanted = (x_noisy == end).float().sum(), chance.sum()
        if (found - wanted).abs() > 6 * (chance * (1 - chance)).sum().sqrt() + 1:
            return (
                f"{int(found)} of {x.numel()} noisy pixels are {word}, and about {wanted:.0f} should be. How large is "
                "your noise, and what happens to pixels that it carries out of [0, 1]?"
            )
    return None


CHECK = Check(
    corrupt,
    inputs={"there are as many images as columns": images(7, 2, 9, 7, low=0.005, high=0.04, dark=0.35, bright=0.65),
            "": images(5, 1, 6, 7, low=0.1, high=1.5),
            "hardly a pixel is clipped": images(6, 3, 7, 8, low=0.01, high=0.04, dark=0.35, bright=0.65),
            "there is one image": images(1, 2, 9, 5, low=0.25, high=0.25),
            "one strength is 0": images(4, 1, 9, 8, low=0.01, high=0.04, dark=0.35, bright=0.65, none=True)},
    observe=observe,
    compare=compare,
    draws=2,
    mistakes=[
        Mistake(lambda x, strength: x + each(strength) * torch.randn_like(x), NOT_CLIPPED),
        Mistake(lambda x, strength: x + (each(strength) * torch.randn_like(x)).clamp(0, 1),
            "You clip the noise, and so it can only brighten. It is the noisy image that must stay in [0, 1]."),
        Mistake(lambda x, strength: torch.sigmoid(x + each(strength) * torch.randn_like(x)),
            "You squeeze the noisy image through a sigmoid, which changes every pixel. Which method cuts off only what "
            "lies outside [0, 1]?"),
        Mistake(rescaled, "You stretch the noisy images to [0, 1], which changes every pixel. Which method cuts off "
            "only what lies outside?"),
        Mistake(painted(lambda x, s: s * torch.randn_like(x[0])), ONE_FOR_ALL),
        Mistake(painted(lambda x, s: s * torch.randn(len(x), 1, 1, 1)), "All pixels of an image get the same number as "
            "noise, so the whole image becomes darker or brighter. What shape must eps have?"),
        Mistake(painted(lambda x, s: s * torch.randn(())),
            "One single number serves as noise for all pixels of all images. What shape must eps have?"),
        Mistake(painted(lambda x, s: s * torch.randn_like(x[:, :1])),
            "All channels of an image get the same noise. Every number of x needs its own: what shape must eps have?"),
        Mistake(painted(lambda x, s: s.flatten()[0] * torch.randn_like(x)),
            "All images get the first strength. There is one for each image: which shape must strength have to meet "
            "(B, C, H, W)?"),
        Mistake(painted(lambda x, s: s.mean() * torch.randn_like(x)),
            "All images get the mean of the strengths. There is one for each image: which shape must strength have to "
            "meet (B, C, H, W)?"),
        Mistake(lambda x, strength: (x + strength * torch.randn_like(x)).clamp(0, 1),
            "Your strengths run along the columns: broadcasting sets (B,) against the last dimension of (B, C, H, W). "
            "Which shape lets strength[i] meet all pixels of image i?"),
        Mistake(lambda x, strength: corrupt(x, strength.sort().values),
            "Your strengths are sorted, so they belong to other images. Which order do they come in?"),
        Mistake(with_seed, REPEATED),
        Mistake(lambda x, strength: x.clone(), UNTOUCHED),
        Mistake(painted(lambda x, s: s * torch.rand_like(x)),
            "Your noise is uniform on [0, 1] and can only brighten. Which function draws from N(0, 1)?"),
        Mistake(painted(lambda x, s: s * torch.randn_like(x).abs()),
            "Your noise has lost its sign and can only brighten. Which step can go?"),
        Mistake(painted(lambda x, s: s**2 * torch.randn_like(x)),
            "You multiply by the square of strength. It is the standard deviation already, not its root."),
        Mistake(painted(lambda x, s: s**0.5 * torch.randn_like(x)),
            "You multiply by the root of strength. It is the standard deviation, not the variance."),
        Mistake(painted(lambda x, s: torch.randn_like(x)),
            "Your noise has standard deviation 1 for every image. What must eps be multiplied by?"),
        Mistake(lambda x, strength: (x * (1 + each(strength) * torch.randn_like(x))).clamp(0, 1),
            "You multiply the image by noise, so black pixels stay black. Which operation moves every pixel?"),
        Mistake(lambda x, strength: x * (torch.rand_like(x) > each(strength)),
            "You set pixels to black. That is masking noise; here Gaussian noise is to be added."),
        Mistake(lambda x, strength: (each(strength) * torch.randn_like(x)).clamp(0, 1),
            "You return the noise alone. To what is it to be added?"),
    ],
)  # fmt: skip
