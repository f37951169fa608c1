"""sample-images: images from noise, at a temperature."""

import math

import torch
from torch import nn
from torch.nn.functional import normalize

from course_utils.checks._check import Check, Mistake
from course_utils.checks.lesson_04.two_heads import linear, spread


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
            "the temperature is 0": draws(3, 0.0, 1, 4, 3), "x_logits are far from 0": draws(5, 60.0, 3, 2, 3),
            "one image is asked for": draws(1, 0.7, 1, 5, 4)},
    draws=2,
    mistakes=[
        Mistake(images_are(lambda x: x), "You return x_logits, which can be any number. What maps them into [0, 1]?"),
        Mistake(codes_are(lambda e, t: e), "The temperature has no effect on your images. What must it multiply?"),
        Mistake(lambda decoder, e, temperature=1.0: decoder(e), "You return x_logits, and the temperature has no "
            "effect. What maps any number into [0, 1], and what must the temperature multiply?"),
        Mistake(codes_are(lambda e, t: e / t), "You divide by the temperature: a higher one gives narrower codes."),
        Mistake(codes_are(lambda e, t: e + t), "You add the temperature, which moves all codes. What spreads them?"),
        Mistake(lambda decoder, e, temperature=1.0: torch.sigmoid(temperature * decoder(e)), "You scale the decoder's "
            "output, which changes the contrast. The temperature belongs to the codes."),
        Mistake(lambda decoder, e, temperature=1.0: temperature * torch.sigmoid(decoder(e)), "You multiply the "
            "finished images by the temperature, which changes their brightness. It belongs to the codes."),
        Mistake(lambda decoder, e, temperature=1.0: torch.sigmoid(temperature * decoder(temperature * e)), "The "
            "temperature enters twice. It belongs to the codes, and not to x_logits."),
        Mistake(codes_are(lambda e, t: math.sqrt(t) * e), "You take the temperature's root. It is no variance."),
        Mistake(codes_are(lambda e, t: t**2 * e), "You multiply by the square of the temperature: that would be the "
            "variance. What spread does temperature * eps have?"),
        Mistake(codes_are(lambda e, t: math.exp(0.5 * t) * e), "The temperature is no logvar: it is the spread "
            "already."),
        Mistake(codes_are(lambda e, t: math.exp(t) * e), "You take exp of the temperature. It is the spread already."),
        Mistake(codes_are(lambda e, t: t * e.abs()), "Your codes have lost their signs. Which step can go?"),
        Mistake(codes_are(lambda e, t: e.clamp(-t, t)), "You cut the noise off at the temperature. It is a standard "
            "deviation, not a limit: what changes a spread?"),
        Mistake(codes_are(lambda e, t: t * normalize(e, dim=1)), "You scale every code to the same length. Only the "
            "spread changes with the temperature: which step can go?"),
        *(Mistake(codes_are(lambda e, t, change=change: t * change(e)), "You centre or standardise eps first. It is "
            "drawn from N(0, I) already, and a draw should not depend on its company: which step can go?")
          for change in (lambda e: e - e.mean(0), lambda e: e - e.mean(), lambda e: (e - e.mean(0)) / spread(e, 0),
                         lambda e: (e - e.mean(0)) / spread(e), lambda e: e / spread(e), lambda e: e / e.std(),
                         lambda e: (e - e.mean()) / e.std())),
        Mistake(codes_are(lambda e, t: (t or 1.0) * e), "A temperature of 0 counts as none in your function: `or` "
            "takes 0 for False. Ask whether it is None, or not at all."),
        Mistake(codes_are(lambda e, t: t * torch.sigmoid(e)), "There is a sigmoid on the codes. It belongs on "
            "x_logits."),
        Mistake(codes_are(lambda e, t: torch.sigmoid(t * e)), "There is a sigmoid on the codes as well. Which can go?"),
        Mistake(images_are(lambda x: x.sigmoid().sigmoid()), "You apply the sigmoid twice, so no pixel is below one "
            "half."),
        Mistake(codes_are(lambda e, t: t * torch.randn_like(e)), "You draw noise of your own. What was eps given for?"),
        Mistake(codes_are(lambda e, t: e + t * torch.randn_like(e)), "You add noise to eps, which is the noise. Which "
            "can go?"),
        Mistake(images_are(lambda x: x.clamp(0, 1)), "You cut x_logits off at 0 and 1, so most pixels end at black or "
            "white. Which function maps ALL real numbers into [0, 1]?"),
        Mistake(images_are(torch.relu), "You cut x_logits off at 0, and pixels can be larger than 1. Which function "
            "maps ALL real numbers into [0, 1]?"),
        Mistake(images_are(torch.tanh), "tanh maps into [-1, 1]. Which function maps all real numbers into [0, 1]?"),
        Mistake(images_are(lambda x: (x.tanh() + 1) / 2), "(tanh + 1) / 2 lies in [0, 1], but it is the sigmoid of "
            "TWICE x_logits. The decoder was trained with the sigmoid itself."),
        Mistake(images_are(torch.exp), "You return exp(x_logits), which is above 1 wherever x_logits is positive. "
            "Which function maps all real numbers into [0, 1]?"),
        *(Mistake(images_are(softmax), "A softmax makes pixels compete for a sum of 1. Each pixel has a number of its "
            "own in [0, 1]: which function?")
          for softmax in (lambda x: x.flatten(1).softmax(dim=1).reshape(x.shape), lambda x: x.softmax(dim=-1),
                          lambda x: x.softmax(dim=1), lambda x: x.softmax(dim=2), lambda x: x.softmax(dim=0))),
        Mistake(images_are(lambda x: x.exp() / (1 + x.exp())), "Where x_logits is above 88, exp overflows, and "
            "infinite divided by infinite is nan. torch.sigmoid has no such limit; can you divide by something else?"),
        Mistake(images_are(lambda x: (x - x.min()) / (x.max() - x.min())), "You stretch x_logits to [0, 1] by the "
            "smallest and the largest of the batch. Which function maps each number by itself?"),
        Mistake(images_are(lambda x: (x > 0).float()), "You return black and white alone. Pixels can be grey."),
        Mistake(images_are(lambda x: torch.bernoulli(x.sigmoid())), "You draw black or white. Return the sigmoid "
            "itself."),
        Mistake(images_are(lambda x: 1 - x.sigmoid()), "Black and white are exchanged: you return 1 minus the image."),
        Mistake(images_are(lambda x: 255 * x.sigmoid()), "Your pixels go up to 255. They should lie in [0, 1]."),
        Mistake(lambda decoder, e, temperature=1.0: torch.sigmoid(decoder(e) / temperature), "You divide x_logits by "
            "the temperature, as language models do with theirs. Here it is the spread of the codes."),
        Mistake(images_are(lambda x: x.sigmoid().flatten(1)), "Your images are flattened. Keep the decoder's shape."),
        Mistake(images_are(lambda x: x.sigmoid().mean(dim=0)), "You return the mean image. Each row of eps has one."),
        Mistake(lambda decoder, e, temperature=1.0: temperature * e, "You return codes. What makes an image of one?"),
    ],
)  # fmt: skip
