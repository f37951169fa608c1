"""retrieve: the images whose codes lie nearest to that of a query."""

import torch
from torch.nn.functional import normalize

from course_utils.checks._check import Check, Mistake


def distances(codes, index):
    return (codes - codes[index]).norm(dim=1)


def retrieve(images, codes, index, k):
    distance = distances(codes, index)
    distance[index] = torch.inf
    return images[distance.argsort()[:k]]


def ranked(score, with_query=False, largest=False):
    """A wrong answer that ranks by another score, from codes and index; the query left out unless it is told."""

    def answer(images, codes, index, k):
        values = score(codes, index)
        if not with_query:
            values[index] = -torch.inf if largest else torch.inf
        return images[values.argsort(descending=largest)[:k]]

    return answer


def by_pixels(answer):
    return lambda images, codes, index, k: answer(images, images.flatten(1).float(), index, k)


def skipped_wrongly(images, codes, index, k):
    others = torch.cat([codes[:index], codes[index + 1 :]])
    return images[(others - codes[index]).norm(dim=1).argsort()[:k]]


def ordinary(g):
    """Codes away from the origin and of different length, so that distance, angle and dot product disagree."""
    codes = torch.randn(30, 3, generator=g) * torch.tensor([3.0, 1.0, 2.0]) + torch.tensor([4.0, 0.0, -2.0])
    return torch.rand(30, 1, 4, 5, generator=g), codes, int(torch.randint(8, 22, (1,), generator=g)), 8


def twins(g):
    """A code that stands twice: the query is not the first of the two, nor is it the only one at distance 0."""
    images, codes, index, k = ordinary(g)
    codes[3] = codes[index]
    return images, codes, index, 4


def at_the_end(g):
    images, codes, _, _ = ordinary(g)
    return images.expand(30, 3, 4, 5) * torch.rand(30, 3, 1, 1, generator=g), codes, 29, 29


nearest = ranked(distances)
with_query = ranked(distances, with_query=True)
dot = ranked(lambda codes, index: codes @ codes[index], largest=True)

CHECK = Check(
    retrieve,
    inputs={"": ordinary, "another image has the very code of the query": twins,
            "the query is the last image and all others are asked for": at_the_end},
    mistakes=[
        Mistake(with_query, "The first image you return is the query itself, at distance 0. How do you leave it out "
            "and still return k images?"),
        Mistake(lambda *inputs: with_query(*inputs)[1:],
            "You left the query out, but return k - 1 images. How many do you need to take first?"),
        Mistake(lambda images, codes, index, k: with_query(images, codes, index, k + 1)[1:],
            "You drop the first of the sorted images, which need not be the query: another image can have the same "
            "code. Can you leave out position `index` whatever its rank is?"),
        Mistake(lambda images, codes, index, k: images[distances(codes, index).argsort()][
                    distances(codes, index).sort().values > 0][:k], "You drop every image at distance 0. Another image "
            "can have the same code and is then the best answer of all: leave out position `index` alone."),
        Mistake(lambda images, codes, index, k: nearest(images, codes, 0, k),
            "You look for the neighbours of image 0. The query stands at `index`."),
        Mistake(lambda images, codes, index, k: nearest(images, codes, index, k + 1),
            "You return one image more than k."),
        Mistake(lambda images, codes, index, k: nearest(images, codes, index, k).flip(0),
            "These are the right images in the reverse order: the nearest comes first."),
        Mistake(ranked(distances, largest=True),
            "These are the images with the farthest codes: the order is the wrong way round. Which end of the sorted "
            "distances holds the neighbours? (topk takes the largest unless largest=False.)"),
        Mistake(dot, "You ranked by dot product, which favours long codes wherever they lie. When does a code have a "
            "large dot product with the query and still lie far away?"),
        Mistake(ranked(lambda codes, index: codes @ codes[index], with_query=True, largest=True),
            "You ranked by dot product, which favours long codes, and the query may be among the answers. What "
            "measures how far apart two codes are?"),
        Mistake(lambda images, codes, index, k: dot(images, normalize(codes, dim=1), index, k),
            "You ranked by angle (cosine). An autoencoder's codes have no natural origin, so angles at the origin mean "
            "nothing. What measures how far apart two codes are?"),
        Mistake(ranked(lambda codes, index: (codes - codes[index]).abs().sum(dim=1)),
            "You add up the absolute differences of the coordinates. A Euclidean distance has squares and a root."),
        Mistake(ranked(lambda codes, index: (codes - codes[index]).sum(dim=1).abs()), "You sum the differences of the "
            "coordinates before you take their size, so they cancel. What does a Euclidean distance add up?"),
        Mistake(ranked(lambda codes, index: (codes - codes.mean(dim=0)).norm(dim=1)),
            "Your distances are those to the mean of all codes. To which code are they to be measured?"),
        Mistake(by_pixels(nearest), "You compared pixels, not codes: that is the pixel space this exercise wants to "
            "get away from. Where do codes enter your distance?"),
        Mistake(by_pixels(with_query),
            "You compared pixels, not codes, and the query is its own first answer. Where do codes enter?"),
        Mistake(skipped_wrongly,
            "You cut the query out of the codes before you ranked them, and so every later position is off by one when "
            "you use it on images. Could you keep the positions and make the query's distance infinite instead?"),
        Mistake(lambda images, codes, index, k: nearest(torch.arange(len(codes)), codes, index, k),
            "You return positions. How do you get from positions to the images there?"),
        Mistake(lambda images, codes, index, k: nearest(codes, codes, index, k),
            "You return codes. Which images do they belong to?"),
    ],
)  # fmt: skip
