"""Checks of lesson 02: the forward pass and its loss, dead zones, retrieval."""

import torch
from torch import nn

from course_utils.checks._docstrings import mistakes
from course_utils.checks._engine import Check, difference

# ------------------------------------------------------------------------------------------------ autoencoder-loss


def _forward(encoder, decoder, x):
    z = encoder(x)
    return z, torch.sigmoid(decoder(z))


def _forward_and_loss(encoder, decoder, x):
    z, x_hat = _forward(encoder, decoder, x)
    return z, x_hat, (x_hat - x).square().flatten(1).sum(dim=1).mean()


def _averaged_over_pixels(encoder, decoder, x):
    """Your loss is averaged over the pixels as well: it is too small by their number. Sum over the pixels of an image
    first. Over what, then, do you take the mean?
    """
    z, x_hat = _forward(encoder, decoder, x)
    return z, x_hat, (x_hat - x).square().mean()


def _summed_over_all(encoder, decoder, x):
    """Your loss is summed over the images of the batch too, so a larger batch would take larger steps. Sum over
    pixels; what should happen to the B sums?
    """
    z, x_hat = _forward(encoder, decoder, x)
    return z, x_hat, (x_hat - x).square().sum()


def _not_reduced(encoder, decoder, x):
    """Your loss is one number for each image, but backward() needs a single one. What is still to be done with the B
    numbers?
    """
    z, x_hat = _forward(encoder, decoder, x)
    return z, x_hat, (x_hat - x).square().flatten(1).sum(dim=1)


def _no_sigmoid(encoder, decoder, x):
    """Your x_hat is the decoder's raw output x_logits, which is not confined to [0, 1]. Which function maps any number
    into [0, 1]?
    """
    z = encoder(x)
    x_logits = decoder(z)
    return z, x_logits, (x_logits - x).square().flatten(1).sum(dim=1).mean()


def _loss_of_logits(encoder, decoder, x):
    """Your x_hat is right, but the loss compares x with the decoder's raw output. Which of the two is the
    reconstruction?
    """
    z, x_hat = _forward(encoder, decoder, x)
    return z, x_hat, (decoder(z) - x).square().flatten(1).sum(dim=1).mean()


def _two_sigmoids(encoder, decoder, x):
    """The sigmoid is applied twice, so no pixel can be darker than 0.5. Where is the first, and where the second?"""
    z, x_hat = _forward(encoder, decoder, x)
    x_hat = torch.sigmoid(x_hat)
    return z, x_hat, (x_hat - x).square().flatten(1).sum(dim=1).mean()


def _sigmoid_of_code(encoder, decoder, x):
    """There is a sigmoid on the code z as well. Codes may be any numbers; which of the two tensors has to lie in [0,
    1]?
    """
    z = torch.sigmoid(encoder(x))
    x_hat = torch.sigmoid(decoder(z))
    return z, x_hat, (x_hat - x).square().flatten(1).sum(dim=1).mean()


def _compared_with_itself(encoder, decoder, x):
    """Your loss compares x_hat with x_hat, and is 0 for every network. What should x_hat look like?"""
    z, x_hat = _forward(encoder, decoder, x)
    return z, x_hat, (x_hat - x_hat.detach()).square().flatten(1).sum(dim=1).mean()


def _compared_with_second_pass(encoder, decoder, x):
    """Your loss compares x_hat with its own reconstruction, not with the image that went in. A network that paints
    everything grey would do well. What is the target?
    """
    z, x_hat = _forward(encoder, decoder, x)
    return z, x_hat, (x_hat - _forward(encoder, decoder, x_hat)[1]).square().flatten(1).sum(dim=1).mean()


def _every_pair(encoder, decoder, x):
    """Broadcasting has compared every reconstruction with every image: (B, 1, H, W) minus (B, H, W) has shape (B, B,
    H, W). Print the shape of your difference; what should it be?
    """
    z, x_hat = _forward(encoder, decoder, x)
    return z, x_hat, (x_hat - x.squeeze(1)).square().sum() / len(x)  # (B, 1, H, W) - (B, H, W) is (B, B, H, W)


def _absolute(encoder, decoder, x):
    """You took absolute values of the differences. The formula has squares: what does a square do to a large error?"""
    z, x_hat = _forward(encoder, decoder, x)
    return z, x_hat, (x_hat - x).abs().flatten(1).sum(dim=1).mean()


def _cross_entropy(encoder, decoder, x):
    """That is binary cross-entropy, the subject of section 5. It is a fair loss, but which one does the formula above
    name?
    """
    z, x_hat = _forward(encoder, decoder, x)
    return z, x_hat, nn.functional.binary_cross_entropy(x_hat, x, reduction="sum") / len(x)


def _loss_inputs(g):
    """Small networks with random weights, and images that are neither square nor as many as anything else."""
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(20, 3))
    decoder = nn.Sequential(nn.Linear(3, 20), nn.Unflatten(1, (1, 4, 5)))
    with torch.no_grad():
        for parameter in [*encoder.parameters(), *decoder.parameters()]:
            parameter.normal_(0, 0.5, generator=g)
    return encoder, decoder, torch.rand(7, 1, 4, 5, generator=g)


def _compare_loss(out, expected, *inputs):
    fault = difference(out, expected)
    if fault is None and not out[2].requires_grad:
        return (
            "The numbers are right, but the loss is cut off from the networks, so loss.backward() cannot train them: "
            "is there a no_grad, a detach or an item too early?"
        )
    return fault


# ------------------------------------------------------------------------------------------------ dead-zone


def _find_dead_zone(grid, codes, threshold):
    return grid[torch.cdist(grid, codes).amin(dim=1) > threshold]


def _living(grid, codes, threshold):
    """These are the grid codes that lie close to a training code: the living ones. Which side of the threshold is
    dead?
    """
    return grid[torch.cdist(grid, codes).amin(dim=1) <= threshold]


def _farthest_code(grid, codes, threshold):
    """You measured the distance to the farthest training code, which is large nearly everywhere. Which training code
    decides whether the decoder has seen this place?
    """
    return grid[torch.cdist(grid, codes).amax(dim=1) > threshold]


def _average_code(grid, codes, threshold):
    """You took the mean distance to all training codes. A place inside one cluster is far from all the others and yet
    well trained. Which single distance matters?
    """
    return grid[torch.cdist(grid, codes).mean(dim=1) > threshold]


def _from_the_middle(grid, codes, threshold):
    """You measured the distance from the middle of all training codes. The middle itself may be empty. To what should
    the distance be measured?
    """
    return grid[(grid - codes.mean(dim=0)).norm(dim=1) > threshold]


def _squared(grid, codes, threshold):
    """You compare squared distances with a threshold that is a distance. What is missing?"""
    return grid[torch.cdist(grid, codes).square().amin(dim=1) > threshold]


def _lonely_codes(grid, codes, threshold):
    """You return training codes that are far from the grid: the minimum was taken over the wrong axis.
    torch.cdist(grid, codes) has shape (G, N); which axis counts the training codes?
    """
    return codes[torch.cdist(grid, codes).amin(dim=0) > threshold]


def _mask(grid, codes, threshold):
    """You return a mask of True and False, which is nearly all of the work. How does a mask pick rows of grid?"""
    return torch.cdist(grid, codes).amin(dim=1) > threshold


def _dead_inputs(g):
    """Three clusters and a grid around them; the threshold leaves both kinds of grid codes."""
    centers = torch.tensor([[0.5, -1.0], [2.0, 0.7], [-0.5, 0.5]])
    codes = centers[torch.randint(3, (40,), generator=g)] + 0.2 * torch.randn(40, 2, generator=g)
    grid = torch.cartesian_prod(torch.linspace(-2, 4, 9), torch.linspace(-3, 3, 7))
    return grid, codes, 1.2 + 0.3 * torch.rand(1, generator=g).item()


# ------------------------------------------------------------------------------------------------ retrieve


def _distances(codes, index):
    return (codes - codes[index]).norm(dim=1)


def _retrieve(images, codes, index, k):
    distance = _distances(codes, index)
    distance[index] = torch.inf
    return images[distance.argsort()[:k]]


def _with_query(images, codes, index, k):
    """The first image you return is the query itself, at distance 0. How do you leave it out and still return k
    images?
    """
    return images[_distances(codes, index).argsort()[:k]]


def _farthest(images, codes, index, k):
    """These are the images with the farthest codes: the order is the wrong way round. Which end of the sorted
    distances holds the neighbours?
    """
    return images[_distances(codes, index).argsort(descending=True)[:k]]


def _dot_product(images, codes, index, k):
    """You ranked by dot product, which favours long codes wherever they lie. When does a code have a large dot product
    with the query and still lie far away?
    """
    score = codes @ codes[index]
    score[index] = -torch.inf
    return images[score.argsort(descending=True)[:k]]


def _dot_product_with_query(images, codes, index, k):
    """You ranked by dot product, which favours long codes, and the query may be among the answers. What measures how
    far apart two codes are?
    """
    return images[(codes @ codes[index]).argsort(descending=True)[:k]]


def _cosine(images, codes, index, k):
    """You ranked by angle (cosine). An autoencoder's codes have no natural origin, so angles at the origin mean
    nothing. What measures how far apart two codes are?
    """
    return _dot_product(images, nn.functional.normalize(codes, dim=1), index, k)


def _pixels(images, codes, index, k):
    """You compared pixels, not codes: that is the pixel space this exercise wants to get away from. Where do codes
    enter your distance?
    """
    return _retrieve(images, images.flatten(1).float(), index, k)


def _pixels_with_query(images, codes, index, k):
    """You compared pixels, not codes, and the query is its own first answer. Where do codes enter?"""
    return _with_query(images, images.flatten(1).float(), index, k)


def _skipped_wrongly(images, codes, index, k):
    """You cut the query out of the codes before you ranked them, and so every later position is off by one when you
    use it on images. Could you keep the positions and make the query's distance infinite instead?
    """
    others = torch.cat([codes[:index], codes[index + 1 :]])
    return images[(others - codes[index]).norm(dim=1).argsort()[:k]]


def _one_too_few(images, codes, index, k):
    """You left the query out, but return k - 1 images. How many do you need to take first?"""
    return _with_query(images, codes, index, k)[1:]


def _places(images, codes, index, k):
    """You return positions. How do you get from positions to the images there?"""
    distance = _distances(codes, index)
    distance[index] = torch.inf
    return distance.argsort()[:k]


def _retrieve_inputs(g):
    """Codes away from the origin and of different length, so that distance, angle and dot product disagree."""
    codes = torch.randn(30, 3, generator=g) * torch.tensor([3.0, 1.0, 2.0]) + torch.tensor([4.0, 0.0, -2.0])
    return torch.rand(30, 1, 4, 5, generator=g), codes, int(torch.randint(8, 22, (1,), generator=g)), 6


# fmt: off
CHECKS = [
    Check(
        name="autoencoder-loss",
        lesson="02",
        reference=_forward_and_loss,
        make_inputs=_loss_inputs,
        compare=_compare_loss,
        mistakes=mistakes(
            _averaged_over_pixels, _summed_over_all, _not_reduced, _no_sigmoid, _loss_of_logits,
            _two_sigmoids, _sigmoid_of_code, _compared_with_itself, _compared_with_second_pass, _every_pair,
            _absolute, _cross_entropy,
        ),
    ),
    Check(
        name="dead-zone",
        lesson="02",
        reference=_find_dead_zone,
        make_inputs=_dead_inputs,
        mistakes=mistakes(_living, _farthest_code, _average_code, _from_the_middle, _squared, _lonely_codes, _mask),
    ),
    Check(
        name="retrieve",
        lesson="02",
        reference=_retrieve,
        make_inputs=_retrieve_inputs,
        mistakes=mistakes(
            _with_query, _one_too_few, _farthest, _dot_product, _dot_product_with_query, _cosine, _pixels,
            _pixels_with_query, _skipped_wrongly, _places,
        ),
    ),
]
# fmt: on
