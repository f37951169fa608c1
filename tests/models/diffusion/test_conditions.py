"""What networks are told: dropping, checking and repeating conditions, and vectors in place of classes."""

import pytest
import torch
from helpers import generator

from course_utils.models.caption import tokenize
from course_utils.models.diffusion.caption_denoisers import CaptionUNet
from course_utils.models.diffusion.conditions import drop_conditions, for_each, known_condition, vectors_of
from course_utils.models.diffusion.denoisers import Conditioning, MLPDenoiser
from course_utils.models.flow import FlowModel


def test_dropped_conditions_are_null_and_the_others_as_they_were():
    labels = torch.arange(3000) % 3
    found = drop_conditions(labels, 3000, 0.2, num_classes=3, generator=generator(0))
    dropped = found == 3
    assert dropped.float().mean().item() == pytest.approx(0.2, abs=4 * (0.16 / 3000) ** 0.5)
    assert torch.equal(found[~dropped], labels[~dropped])
    vectors = torch.rand(3000, 4, generator=generator(1)) + 0.5
    told = drop_conditions(vectors, 3000, 0.2, generator=generator(0))
    assert torch.equal((told == 0).all(1), dropped), "the same generator chooses the same examples"
    assert torch.equal(told[~dropped], vectors[~dropped])
    deep = drop_conditions(torch.ones(50, 3, 2), 50, 0.5, generator=generator(2)).flatten(1)
    assert ((deep == 0).all(1) | (deep == 1).all(1)).all()
    assert 0 < (deep == 0).all(1).sum() < 50


def test_a_dropped_caption_is_the_empty_one():
    tokens, _ = tokenize(["a person with red hair", "smiling", "glasses, smiling"])
    assert torch.equal(drop_conditions(tokens, 3, 0.0), tokens)
    assert not drop_conditions(tokens, 3, 1.0).any()
    some = drop_conditions(tokens.repeat(100, 1), 300, 0.5, generator=generator(0))
    empty = (some == 0).all(1)
    assert 100 < empty.sum() < 200
    assert torch.equal(some[~empty], tokens.repeat(100, 1)[~empty])


def test_a_flow_learns_with_a_network_that_is_told_captions():
    torch.manual_seed(0)
    flow = FlowModel((4, 2, 4), network=CaptionUNet((4, 2, 4), channels=(8, 16)))
    tokens, _ = tokenize(["smiling", "glasses", ""])
    flow.loss_of_data(torch.randn(3, 4, 2, 4), tokens, drop=0.5).backward()
    assert all(p.grad.isfinite().all() for p in flow.parameters() if p.grad is not None)
    flow.eval()
    z = flow.sample_latent(3, generator(1))
    assert flow.given(tokens, 2.0, steps=2).decode(z).shape == z.shape


def test_dropping_refuses():
    with pytest.raises(ValueError, match="there are 2 conditions for 3 examples"):
        drop_conditions(torch.zeros(2, 4), 3, 0.1)
    with pytest.raises(ValueError, match="the conditions are labels, but the number of classes is unknown"):
        drop_conditions(torch.tensor([0, 1, 2]), 3, 0.1)
    assert torch.equal(drop_conditions(torch.tensor([0, 1, 2]), 3, 0.0), torch.tensor([0, 1, 2]))
    for wrong, kind in ((tokenize(["smiling", "", ""]), "tuple"), (["smiling", "", ""], "list")):
        with pytest.raises(TypeError, match=rf"the condition is a {kind}: give one tensor; .* tokenize\(captions\)"):
            drop_conditions(wrong, 3, 0.1)
    with pytest.raises(TypeError, match="labels are torch.float32 but must be whole numbers"):
        drop_conditions(torch.zeros(3), 3, 0.1, num_classes=2)


def test_conditions_are_known_and_repeated():
    x = torch.zeros(3, 5, dtype=torch.float64)
    assert known_condition(None, 3, 0) is None
    assert for_each(None, x) is None
    assert torch.equal(for_each(known_condition(2, 3, 0), x), torch.tensor([2, 2, 2]))
    assert torch.equal(for_each(known_condition(torch.tensor([2, 0, 1]), 3, 0), x), torch.tensor([2, 0, 1]))
    one = for_each(known_condition(torch.tensor([1.0, 2.0]), 0, 2), x)
    assert torch.equal(one, torch.tensor([[1.0, 2.0]] * 3, dtype=torch.float64))
    many = torch.rand(3, 2, generator=generator(0))
    assert torch.equal(for_each(known_condition(many, 0, 2), x), many.double())
    for wrong in (torch.ones(3), torch.ones(2, dtype=torch.int64), torch.ones(1, 1, 2)):
        with pytest.raises(ValueError, match=r"give a vector \(2,\) of floats, or one an image \(B, 2\)"):
            known_condition(wrong, 0, 2)


def test_conditions_that_are_neither_one_nor_one_an_example():
    x = torch.zeros(5, 4)
    for several in (torch.tensor([0, 1, 2]), torch.ones(3, 2)):
        with pytest.raises(ValueError, match="there are 3 conditions for 5 examples: give one, or one an example"):
            for_each(several, x)
    assert for_each(torch.ones(1, 2), x).shape == (5, 2)
    assert for_each(torch.ones(3), x).shape == (5, 3), "a vector of three numbers is one condition"


def test_a_network_told_vectors():
    torch.manual_seed(0)
    network = MLPDenoiser(5, hidden=16, blocks=2, condition_dim=3)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=generator(0)))
    x, t = torch.randn(1, 5).expand(4, 5), torch.full((4,), 0.5)
    told = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]])
    out = network(x, t, told)
    torch.testing.assert_close(out[0], out[1])
    assert (out[0] - out[2]).abs().max() > 1e-3
    torch.testing.assert_close(out[3], network(x, t)[3])  # zeros are the null condition
    with pytest.raises(ValueError, match=r"the condition has shape \(4, 2\), but this network takes one vector of 3"):
        network(x, t, told[:, :2])
    with pytest.raises(TypeError, match="the condition is torch.int64, but this network takes vectors of floats"):
        network(x, t, torch.ones(4, 3, dtype=torch.int64))
    with pytest.raises(TypeError, match="the condition is list"):
        vectors_of([1.0], 1, 1)


def test_a_network_of_classes_also_at_times_that_are_floats():
    network = Conditioning(3, 8)
    t = torch.tensor([0.5, 700.25])
    torch.testing.assert_close(network(t, None), network(t, torch.tensor([3, 3])))
    with pytest.raises(ValueError, match="num_classes is 3 and condition_dim 2"):
        Conditioning(3, 8, 2)
