"""The checks of lesson 02 accept right answers and name wrong ones, each written anew here."""

import pytest
import torch
from lesson_cells import lesson_namespace
from verdicts import verdict

EXERCISES = {
    "autoencoder-loss": ("loss-exercise", "forward_and_loss"),
    "dead-zone": ("dead-exercise", "find_dead_zone"),
    "retrieve": ("retrieve-exercise", "retrieve"),
}


@pytest.mark.parametrize("name", EXERCISES)
def test_the_lessons_own_solution_passes(name):
    cell, function = EXERCISES[name]
    assert verdict(name, lesson_namespace("02", cell, torch=torch)[function]) is None


# ------------------------------------------------------------------------------------------------ autoencoder-loss


def loss_variant(activate=torch.sigmoid, reduce=lambda error: error.sum() / len(error), target=None):
    def answer(encoder, decoder, x):
        z = encoder(x)
        x_hat = activate(decoder(z))
        wanted = x if target is None else target(x, x_hat, encoder, decoder)
        return z, x_hat, reduce((x_hat - wanted) ** 2)

    return answer


def logits_in_the_loss(encoder, decoder, x):
    z = encoder(x)
    x_logits = decoder(z)
    return z, torch.sigmoid(x_logits), ((x_logits - x) ** 2).sum() / len(x)


def squashed_code(encoder, decoder, x):
    z = 1 / (1 + torch.exp(-encoder(x)))
    x_hat = 1 / (1 + torch.exp(-decoder(z)))
    return z, x_hat, ((x_hat - x) ** 2).sum() / len(x)


def bce(encoder, decoder, x):
    z = encoder(x)
    p = torch.sigmoid(decoder(z))
    return z, p, -(x * p.log() + (1 - x) * (1 - p).log()).sum() / len(x)


WRONG_LOSSES = {
    "averaged over the pixels": loss_variant(reduce=torch.mean),
    "summed over the images": loss_variant(reduce=torch.sum),
    "one number for each image": loss_variant(reduce=lambda error: error.sum(dim=(1, 2, 3))),
    "raw output x_logits": loss_variant(activate=lambda v: v),
    "with the decoder's raw output": logits_in_the_loss,
    "applied twice": loss_variant(activate=lambda v: torch.sigmoid(torch.sigmoid(v))),
    "on the code z": squashed_code,
    "x_hat with x_hat": loss_variant(target=lambda x, x_hat, e, d: x_hat),
    "own reconstruction": loss_variant(target=lambda x, x_hat, e, d: torch.sigmoid(d(e(x_hat)))),
    "every reconstruction with every image": loss_variant(target=lambda x, *_: x[:, 0]),
    "absolute": loss_variant(reduce=lambda error: error.sqrt().sum() / len(error)),
    "binary cross-entropy": bce,
}


@pytest.mark.parametrize("words", WRONG_LOSSES)
def test_wrong_losses_are_named(words):
    assert words in verdict("autoencoder-loss", WRONG_LOSSES[words])


def test_loss_without_a_gradient_is_noticed():
    def cut_off(encoder, decoder, x):
        with torch.no_grad():
            return loss_variant()(encoder, decoder, x)

    assert "cut off from the networks" in verdict("autoencoder-loss", cut_off)


def test_other_faults_of_the_loss():
    right = loss_variant()

    def flattened_one_only(encoder, decoder, x):
        z = encoder(x)
        return z, torch.sigmoid(decoder(z)), (decoder(z) - x.flatten(1)).square().sum()

    def changes_x(encoder, decoder, x):
        x.mul_(0.5)
        return right(encoder, decoder, x)

    def trains_inside(encoder, decoder, x):
        result = right(encoder, decoder, x)
        with torch.no_grad():
            encoder[1].bias.add_(1)
        return result

    assert "raises RuntimeError" in verdict("autoencoder-loss", flattened_one_only)
    assert "in place" in verdict("autoencoder-loss", changes_x)
    assert "in place" in verdict("autoencoder-loss", trains_inside)
    assert "3 values are expected" in verdict("autoencoder-loss", lambda e, d, x: right(e, d, x)[2])
    assert "float" in verdict("autoencoder-loss", lambda e, d, x: (*right(e, d, x)[:2], right(e, d, x)[2].item()))


# ------------------------------------------------------------------------------------------------ dead-zone


def pairs(grid, codes):
    return (grid[:, None, :] - codes[None, :, :]).pow(2).sum(dim=-1)  # squared distances, (G, N)


WRONG_ZONES = {
    "the living ones": lambda grid, codes, t: grid[(pairs(grid, codes).sqrt() < t).any(dim=1)],
    "the farthest training code": lambda grid, codes, t: grid[(pairs(grid, codes).sqrt() > t).any(dim=1)],
    "mean distance": lambda grid, codes, t: grid[pairs(grid, codes).sqrt().sum(dim=1) / len(codes) > t],
    "from the middle": lambda grid, codes, t: grid[pairs(grid, codes.mean(dim=0, keepdim=True))[:, 0].sqrt() > t],
    "squared distances": lambda grid, codes, t: grid[pairs(grid, codes).min(dim=1).values > t],
    "wrong axis": lambda grid, codes, t: codes[pairs(grid, codes).sqrt().min(dim=0).values > t],
    "a mask": lambda grid, codes, t: (pairs(grid, codes).sqrt() > t).all(dim=1),
}


@pytest.mark.parametrize("words", WRONG_ZONES)
def test_wrong_dead_zones_are_named(words):
    assert words in verdict("dead-zone", WRONG_ZONES[words])


def test_another_right_way_to_find_a_dead_zone():
    assert verdict("dead-zone", lambda grid, codes, t: grid[(pairs(grid, codes) > t**2).all(dim=1)]) is None


def test_other_faults_of_the_dead_zone():
    assert "nothing" in verdict("dead-zone", lambda grid, codes, t: None)
    assert "list" in verdict("dead-zone", lambda grid, codes, t: grid.tolist())
    assert "raises TypeError" in verdict("dead-zone", lambda grid, codes: grid)
    assert "in place" in verdict("dead-zone", lambda grid, codes, t: grid.sub_(codes.mean(0)))


# ------------------------------------------------------------------------------------------------ retrieve


def ranking(codes, index, largest=False):
    distance = (codes - codes[index : index + 1]).pow(2).sum(dim=1)
    return torch.sort(distance, descending=largest).indices


def without_row(images, codes, index, k):
    keep = torch.arange(len(codes)) != index
    return images[ranking(torch.cat([codes[index : index + 1], codes[keep]]), 0)[1 : k + 1] - 1]


def by_product(images, codes, index, k):
    order = torch.mv(codes, codes[index]).sort(descending=True).indices
    return images[order[order != index][:k]]


def by_angle(images, codes, index, k):
    order = torch.cosine_similarity(codes, codes[index][None]).sort(descending=True).indices
    return images[order[order != index][:k]]


WRONG_RETRIEVALS = {
    "is the query itself": lambda images, codes, i, k: images[ranking(codes, i)[:k]],
    "k - 1 images": lambda images, codes, i, k: images[ranking(codes, i)[1:k]],
    "farthest codes": lambda images, codes, i, k: images[ranking(codes, i, largest=True)[:k]],
    "long codes wherever they lie": by_product,
    "the query may be among": lambda images, codes, i, k: images[(codes * codes[i]).sum(1).topk(k).indices],
    "by angle": by_angle,
    "get away from": lambda images, codes, i, k: images[ranking(images.flatten(1), i)[1 : k + 1]],
    "its own first answer": lambda images, codes, i, k: images[ranking(images.flatten(1), i)[:k]],
    "off by one": without_row,
    "You return positions": lambda images, codes, i, k: ranking(codes, i)[1 : k + 1],
}


@pytest.mark.parametrize("words", WRONG_RETRIEVALS)
def test_wrong_retrievals_are_named(words):
    assert words in verdict("retrieve", WRONG_RETRIEVALS[words])


def test_another_right_way_to_retrieve():
    assert verdict("retrieve", lambda images, codes, i, k: images[ranking(codes, i)[1 : k + 1]]) is None


def test_other_faults_of_retrieval():
    def marks_the_query(images, codes, index, k):
        codes[index] = torch.inf
        return images[:k]

    assert "in place" in verdict("retrieve", marks_the_query)
    assert "shape" in verdict("retrieve", lambda images, codes, i, k: images[0])
    assert "raises IndexError" in verdict("retrieve", lambda images, codes, i, k: images[[99]])
