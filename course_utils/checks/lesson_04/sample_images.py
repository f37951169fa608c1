"""sample-images: images from noise, at a temperature."""

import math

import torch
from torch import nn
from torch.nn.functional import normalize

from course_utils.checks._check import Check, Mistake
from course_utils.checks.lesson_04.two_heads import linear


def sample_images(decoder, eps, temperature=1.0):
    return torch.sigmoid(decoder(temperature * eps))


def codes_are(codes):
    """A wrong answer that decodes other codes, from eps and the temperature."""
    return lambda decoder, eps, temperature=1.0: torch.sigmoid(decoder(codes(eps, temperature)))


def images_are(images):
    """A wrong answer that makes the images otherwise, from x_logits."""
    return lambda decoder, eps, temperature=1.0: images(decoder(temperature * eps))


def draws(count, temperature, *image):
    """A linear decoder of codes of three numbers; a temperature of None is left out."""

    def inputs(g):
        decoder = nn.Sequential(linear(g, 3, math.prod(image)), nn.Unflatten(1, image)).requires_grad_(False)
        eps = torch.randn(count, 3, generator=g)
        given = {"drawn": (0.3 + 1.5 * torch.rand(1, generator=g).item(),), "none": ()}
        return decoder, eps, *given.get(temperature, (temperature,))

    return inputs


CHECK = Check(
    sample_images,
    inputs={"": draws(6, "drawn", 2, 4, 5), "the temperature is left out": draws(4, "none", 1, 3, 4),
            "the temperature is 0": draws(3, 0.0, 1, 4, 3), "the temperature is high": draws(5, 4.0, 3, 2, 3),
            "one image is asked for": draws(1, 0.7, 1, 5, 4)},
    draws=2,
    mistakes=[
        Mistake(images_are(lambda x_logits: x_logits),
                "You return x_logits, which can be any number. What maps them into [0, 1]?"),
        Mistake(codes_are(lambda eps, temperature: eps),
                "The temperature has no effect on your images. What must it multiply?"),
        Mistake(lambda decoder, eps, temperature=1.0: decoder(eps),
                "You return x_logits, and the temperature has no effect. What maps any number into [0, 1], and what "
                "must the temperature multiply?"),
        Mistake(codes_are(lambda eps, temperature: eps / temperature),
                "You divide by the temperature, so a higher one gives narrower codes. Which way round should it be?"),
        Mistake(codes_are(lambda eps, temperature: eps + temperature),
                "You add the temperature, which moves all codes to one side. What changes a spread?"),
        Mistake(lambda decoder, eps, temperature=1.0: torch.sigmoid(temperature * decoder(eps)),
                "You scale the decoder's output, which changes the contrast. The temperature belongs to the codes."),
        Mistake(lambda decoder, eps, temperature=1.0: temperature * torch.sigmoid(decoder(eps)),
                "You multiply the finished images by the temperature, which changes their brightness. It belongs to "
                "the codes."),
        Mistake(lambda decoder, eps, temperature=1.0: torch.sigmoid(temperature * decoder(temperature * eps)),
                "The temperature enters twice. It belongs to the codes, and not to x_logits."),
        Mistake(codes_are(lambda eps, temperature: math.sqrt(temperature) * eps),
                "You multiply by the root of the temperature. It is the standard deviation here, not the variance."),
        Mistake(codes_are(lambda eps, temperature: temperature**2 * eps),
                "You multiply by the square of the temperature: that would be the variance. What spread does "
                "temperature * eps have?"),
        Mistake(codes_are(lambda eps, temperature: math.exp(0.5 * temperature) * eps),
                "You treat the temperature as if it were logvar. It is the standard deviation already."),
        Mistake(codes_are(lambda eps, temperature: math.exp(temperature) * eps),
                "You take the exponential of the temperature. It is the standard deviation already."),
        Mistake(codes_are(lambda eps, temperature: temperature * eps.abs()),
                "Your codes have lost their signs. Which step can go?"),
        Mistake(codes_are(lambda eps, temperature: eps.clamp(-temperature, temperature)),
                "You cut the noise off at the temperature. It is a standard deviation, not a limit: what changes a "
                "spread?"),
        Mistake(codes_are(lambda eps, temperature: temperature * normalize(eps, dim=1)),
                "You scale every code to the same length. Only the spread changes with the temperature: which step can "
                "go?"),
        Mistake(codes_are(lambda eps, temperature: temperature * (eps - eps.mean(0)) / eps.std(0, correction=0)),
                "You standardise eps first. It is drawn from N(0, I) already, and a draw should not depend on its "
                "company: which step can go?"),
        Mistake(codes_are(lambda eps, temperature: temperature * (eps - eps.mean(dim=0))),
                "You centre eps first. It is drawn from N(0, I) already, and a draw should not depend on its company: "
                "which step can go?"),
        Mistake(codes_are(lambda eps, temperature: temperature * torch.sigmoid(eps)),
                "There is a sigmoid on the codes. It belongs to what the decoder returns, x_logits."),
        Mistake(codes_are(lambda eps, temperature: torch.sigmoid(temperature * eps)),
                "There is a sigmoid on the codes as well. It belongs to what the decoder returns, x_logits, alone."),
        Mistake(images_are(lambda x_logits: x_logits.sigmoid().sigmoid()),
                "You apply the sigmoid twice, so no pixel can be darker than one half."),
        Mistake(codes_are(lambda eps, temperature: temperature * torch.randn_like(eps)),
                "You draw noise of your own and leave the eps that you were given unused."),
        Mistake(codes_are(lambda eps, temperature: eps + temperature * torch.randn_like(eps)),
                "You add noise of your own to eps. eps is the noise: what spread should it get?"),
        Mistake(images_are(lambda x_logits: x_logits.clamp(0, 1)),
                "You cut x_logits off at 0 and 1, so most pixels end at black or white. Which function maps ALL real "
                "numbers into [0, 1]?"),
        Mistake(images_are(torch.relu),
                "You cut x_logits off at 0, and pixels can be larger than 1. Which function maps ALL real numbers into "
                "[0, 1]?"),
        Mistake(images_are(torch.tanh),
                "tanh maps into [-1, 1]. Which function maps all real numbers into [0, 1]?"),
        Mistake(images_are(lambda x_logits: (x_logits.tanh() + 1) / 2),
                "(tanh + 1) / 2 lies in [0, 1], but it is the sigmoid of TWICE x_logits. The decoder was trained with "
                "the sigmoid itself."),
        Mistake(images_are(torch.exp),
                "You return exp(x_logits), which is above 1 wherever x_logits is positive. Which function maps all "
                "real numbers into [0, 1]?"),
        Mistake(images_are(lambda x_logits: x_logits.flatten(1).softmax(dim=1).reshape(x_logits.shape)),
                "A softmax makes all pixels of an image compete for a sum of 1. Each pixel has a number of its own in "
                "[0, 1]: which function?"),
        Mistake(images_are(lambda x_logits: (x_logits - x_logits.min()) / (x_logits.max() - x_logits.min())),
                "You stretch x_logits to [0, 1] by the smallest and the largest of the batch. Which function maps each "
                "number by itself?"),
        Mistake(images_are(lambda x_logits: (x_logits > 0).float()),
                "You return black and white alone. An image has greys: its pixels are probabilities, not yet decided."),
        Mistake(images_are(lambda x_logits: torch.bernoulli(x_logits.sigmoid())),
                "You draw each pixel, black or white. The image asked for is the sigmoid itself."),
        Mistake(images_are(lambda x_logits: 1 - x_logits.sigmoid()),
                "Black and white are exchanged: you return 1 minus the image."),
        Mistake(images_are(lambda x_logits: 255 * x_logits.sigmoid()),
                "Your pixels go up to 255. They should lie in [0, 1]."),
        Mistake(lambda decoder, eps, temperature=1.0: torch.sigmoid(decoder(eps) / temperature),
                "You divide x_logits by the temperature, as language models do with theirs. Here it is the spread of "
                "the codes."),
        Mistake(images_are(lambda x_logits: x_logits.sigmoid().flatten(1)),
                "Your images are flattened to rows of pixels. Keep the shape that the decoder returns."),
        Mistake(images_are(lambda x_logits: x_logits.sigmoid().mean(dim=0)),
                "You return the mean of all images. Each row of eps has an image of its own."),
        Mistake(lambda decoder, eps, temperature=1.0: temperature * eps,
                "You return the codes. What turns a code into an image?"),
    ],
)  # fmt: skip
