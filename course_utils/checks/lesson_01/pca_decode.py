"""pca-decode: from codes back to images."""

import torch
from torch.nn.functional import normalize

from course_utils.checks._check import Check, Mistake
from course_utils.checks.lesson_01.pca_encode import directions, spread


def pca_decode(z, mean, components):
    return z @ components + mean


def codes(count, pixels, latent_dim):
    return lambda g: (2 * torch.randn(count, latent_dim, generator=g), *directions(g, pixels, latent_dim))


def after(change):
    """A wrong answer that changes the right images."""
    return lambda z, mean, components: change(pca_decode(z, mean, components))


def of(change):
    """A wrong answer that decodes other codes than those it is given."""
    return lambda z, mean, components: pca_decode(change(z), mean, components)


def plus(shift):
    """A wrong answer that adds something else than the mean, from that and z @ components."""
    return lambda z, mean, components: z @ components + shift(mean, z @ components)


CHECK = Check(
    pca_decode,
    inputs={"": codes(5, 6, 3), "there is one code": codes(1, 7, 2), "a code has one number": codes(4, 5, 1),
            "there are as many components as pixels": codes(3, 4, 4),
            "there are many components": codes(2, 150, 140)},
    draws=2,
    mistakes=[
        Mistake(lambda z, mean, components: mean + z[:, 1:] @ components[1:],
            "You leave out the first component, the most important one. Python counts from 0: where do you begin?"),
        Mistake(plus(lambda mean, step: 0),
            "You did not add the mean back. Encoding subtracted it: which image should the code of zeros give?"),
        Mistake(plus(lambda mean, step: -mean),
            "You subtracted the mean again. Encoding took it away: what must decoding do?"),
        Mistake(of(torch.neg),
            "You subtracted from the mean what should be added to it. Which sign has z @ components?"),
        Mistake(plus(lambda mean, step: 2 * mean), "The mean is added twice."),
        Mistake(lambda z, mean, c: z @ c + len(c) * mean,
            "The mean is added once for each component. Add it once for the image: in the loop, or after it?"),
        Mistake(plus(lambda mean, step: mean.mean()), "You added one number to all pixels. The mean is a whole image, "
            "one number for each pixel: does it need any reduction?"),
        Mistake(plus(lambda mean, step: step.mean(dim=0)), "You added the mean of these few images. Then an image "
            "would depend on its company in the batch: which mean did encoding subtract?"),
        Mistake(lambda z, mean, c: z @ c * mean,
            "You multiplied by the mean. Encoding subtracted it: what undoes a subtraction?"),
        Mistake(lambda z, mean, c: (z - mean @ c.T) @ c + mean, "You subtracted the mean's own code from z. Codes are "
            "differences from the average already: only the mean itself is added, at the end."),
        Mistake(lambda z, mean, c: (z + mean @ c.T) @ c, "You added the mean to the codes, which keeps only that part "
            "of it that lies along the components. To what should the mean be added?"),
        Mistake(lambda z, mean, c: (z + mean @ c.T) @ c + mean,
            "The mean enters twice, once in the codes. Add it once, to the images."),
        Mistake(after(lambda x: x.clamp(0, 1)), "You clipped the result to [0, 1]. That helps for showing images, but "
            "this function should be the plain linear map, whose straight lines we want to study."),
        Mistake(after(torch.relu),
            "You cut negative pixels off. This function should be the plain linear map: which step can go?"),
        Mistake(after(torch.sigmoid),
            "There is a sigmoid on your images. PCA decodes by a plain linear map: which step can go?"),
        Mistake(of(lambda z: normalize(z, dim=1)), "You scaled each code to length 1 first, so every image lies "
            "equally far from the average. Which step can go?"),
        Mistake(of(lambda z: z - z.mean(dim=0)), "You subtracted the mean of these few codes first. Then an image "
            "would depend on its company in the batch: which step can go?"),
        Mistake(of(lambda z: z * spread(z)),
            "You multiplied the codes by their standard deviation. Encoding did not divide by it: which step can go?"),
        Mistake(of(torch.abs), "Your codes have lost their signs before they are decoded. Which step can go?"),
        Mistake(of(lambda z: z.flip(1)),
            "You read the codes from back to front: their first number belongs to the first component."),
        Mistake(of(lambda z: z / z.shape[1]),
            "You average the weighted components. An image is their sum, and the mean comes on top."),
        Mistake(lambda z, mean, c: z[:, :1] @ c[:1] + mean,
            "Only the first component enters. Each number of a code has a component of its own."),
        Mistake(lambda z, mean, c: z[:, :-1] @ c[:-1] + mean,
            "The last component is left out. Where does your loop or slice end?"),
        Mistake(lambda z, mean, c: z[:, :64] @ c[:64] + mean,
            "You use 64 components, whatever was given. Take all of them."),
        Mistake(after(lambda x: x.T), "The right numbers with the dimensions swapped: one row for each image, shape "
            "(B, P). Which factor should come first?"),
        Mistake(after(lambda x: x.mean(dim=0)),
            "You average over the batch and return one image. Each code has an image of its own."),
    ],
)  # fmt: skip
