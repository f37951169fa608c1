"""retrieve: the images whose codes lie nearest to that of a query."""

import torch
from torch.nn.functional import normalize

from course_utils.checks._check import Check, Mistake


def distances(codes, index):
    return (codes - codes[index]).norm(dim=1)


def hidden(codes, index, value=torch.inf):
    return distances(codes, index).index_fill(0, torch.tensor(index), value)


def retrieve(images, codes, index, k):
    return images[hidden(codes, index).argsort()[:k]]


def at(places):
    """A wrong answer that returns the images at other places, from codes, index and k."""
    return lambda images, codes, index, k: images[places(codes, index, k)]


def ranked(score, with_query=False):
    """A wrong answer that ranks by another score, from codes and index; the query left out unless it is told."""

    def answer(images, codes, index, k):
        values = score(codes, index).clone()
        values[index] = values[index] if with_query else torch.inf
        return images[values.argsort()[:k]]

    return answer


def by_pixels(answer):
    return lambda images, codes, index, k: answer(images, images.flatten(1).float(), index, k)


def skipped_wrongly(codes, index, k):
    others = torch.cat([codes[:index], codes[index + 1 :]])
    return (others - codes[index]).norm(dim=1).argsort()[:k]


def ordinary(g):
    """Codes away from the origin and of different length, so that distance, angle and dot product disagree."""
    codes = torch.randn(30, 3, generator=g) * torch.tensor([3.0, 1.0, 2.0]) + torch.tensor([4.0, 0.0, -2.0])
    return torch.rand(30, 1, 4, 5, generator=g), codes, int(torch.randint(8, 22, (1,), generator=g)), 8


def twins(g):
    """A code that stands twice: the query is not the first of the two, nor is it the only one at distance 0."""
    images, codes, index, k = ordinary(g)
    codes[3] = codes[index]
    return images, codes, index, 4


def many_twins(g):
    """More images than k with the code of the query; they are alike, so that their order does not matter."""
    images, codes, index, k = ordinary(g)
    others = torch.arange(30) != index
    codes[others], images[others] = codes[index].clone(), images[0].clone()
    return images, codes, index, 2


def at_the_end(g):
    images, codes, _, _ = ordinary(g)
    return images.expand(30, 3, 4, 5) * torch.rand(30, 3, 1, 1, generator=g), 300 * codes, 29, 29


def dot(codes, index):
    return -codes @ codes[index]


FIRST_DROPPED = (
    "You drop the first of the sorted images, which need not be the query: another image can have the same code. Can "
    "you leave out position `index` whatever its rank is?"
)
IN_REACH = "The number that should hide the query is not out of reach: codes can be as far away. Which one is larger?"

CHECK = Check(
    retrieve,
    inputs={"": ordinary, "another image has the very code of the query": twins,
            "more images than k have the very code of the query": many_twins,
            "codes lie far apart and all images but the last, the query, are asked for": at_the_end,
            "one image is asked for": lambda g: (*ordinary(g)[:3], 1)},
    mistakes=[
        Mistake(lambda images, codes, index, k: images[(lambda order: order[order != index])(
                    distances(codes, index).argsort(stable=True)[:k + 1])], "You take k + 1 and then drop the query, "
            "which need not be among them. Drop it first."),
        Mistake(ranked(distances, with_query=True), "The first image you return is the query itself, at distance 0. "
            "How do you leave it out and still return k images?"),
        Mistake(at(lambda codes, index, k: distances(codes, index).argsort()[1:k]),
            "You left the query out, but return k - 1 images. How many do you need to take first?"),
        Mistake(at(lambda codes, index, k: distances(codes, index).argsort()[1 : k + 1]), FIRST_DROPPED),
        Mistake(at(lambda codes, index, k: distances(codes, index).argsort(stable=True)[1 : k + 1]), FIRST_DROPPED),
        Mistake(at(lambda codes, index, k: distances(codes, index).topk(k + 1, largest=False).indices[1:]),
            FIRST_DROPPED),
        Mistake(ranked(lambda codes, i: distances(codes, i).where(codes.ne(codes[i]).any(1), torch.inf)),
            "You drop every image at distance 0. Another image can have the same code and is then the best answer of "
            "all: leave out position `index` alone."),
        Mistake(at(lambda codes, index, k: hidden(codes, index, 100.0).argsort()[:k]), IN_REACH),
        Mistake(at(lambda codes, index, k: hidden(codes, index, 1000.0).argsort()[:k]), IN_REACH),
        Mistake(at(lambda codes, index, k: hidden(codes, 0).argsort()[:k]),
            "You look for the neighbours of image 0. The query stands at `index`."),
        Mistake(at(lambda codes, index, k: hidden(codes, index).argsort()[:5]), "You return 5 images, whatever k is."),
        Mistake(lambda *inputs: retrieve(*inputs).flip(0),
            "These are the right images in the reverse order: the nearest comes first."),
        Mistake(lambda *inputs: retrieve(*inputs).squeeze(), "squeeze() takes away the channel of grey images, or the "
            "first dimension of a single one. Return (k, C, H, W) always."),
        Mistake(ranked(lambda codes, index: -distances(codes, index)),
            "These are the images with the farthest codes: the order is the wrong way round. Which end of the sorted "
            "distances holds the neighbours? (topk takes the largest unless largest=False.)"),
        Mistake(ranked(dot), "You ranked by dot product, which favours long codes wherever they lie. When does a code "
            "have a large dot product with the query and still lie far away?"),
        Mistake(ranked(dot, with_query=True), "You ranked by dot product, which favours long codes, and the query may "
            "be among the answers. What measures how far apart two codes are?"),
        Mistake(ranked(lambda codes, index: dot(normalize(codes, dim=1), index)),
            "You ranked by angle (cosine). An autoencoder's codes have no natural origin, so angles at the origin mean "
            "nothing. What measures how far apart two codes are?"),
        Mistake(ranked(lambda codes, index: (codes - codes[index]).abs().sum(dim=1)),
            "You add up the absolute differences of the coordinates. A Euclidean distance has squares and a root."),
        Mistake(ranked(lambda codes, index: (codes - codes[index]).sum(dim=1).abs()), "You sum the differences of the "
            "coordinates before you take their size, so they cancel. What does a Euclidean distance add up?"),
        Mistake(at(lambda codes, index, k: (codes - codes[index]).norm(dim=0).argsort()[1 : k + 1]),
            "You have one distance for each of the D numbers of a code, not for each image. Over which dimension of "
            "(N, D) should the norm go?"),
        Mistake(by_pixels(retrieve), "You compared pixels, not codes: that is the pixel space this exercise wants to "
            "get away from. Where do codes enter your distance?"),
        Mistake(by_pixels(ranked(distances, with_query=True)),
            "You compared pixels, not codes, and the query is its own first answer. Where do codes enter?"),
        Mistake(at(skipped_wrongly), "You cut the query out of the codes before you ranked them, and so every later "
            "position is off by one. Could you keep the positions and make the query's distance infinite instead?"),
        Mistake(lambda images, *rest: retrieve(torch.arange(len(images)), *rest),
            "You return positions. How do you get from positions to the images there?"),
        Mistake(lambda images, codes, *rest: retrieve(codes, codes, *rest),
            "You return codes. Which images do they belong to?"),
    ],
)  # fmt: skip
