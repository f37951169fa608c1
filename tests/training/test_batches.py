"""Batches of anything: what the loop takes, batches at random, stretches, and how models to come call `fit`."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.training import RandomBatches, Stretches, fit
from course_utils.training.batches import first_tensor, moved

CPU = torch.device("cpu")


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def quiet(model, batches, **options):
    return fit(model, batches, **{"epochs": 2, "progress": False, **options})


# ------------------------------------------------------------------------------ what a batch may be


X, Y = torch.rand(6, 3, generator=rng()), torch.arange(6)
SHAPES = {
    "tensor": (X, (X,), {}),
    "tuple": ((X, Y), (X, Y), {}),
    "list": ([X, Y], (X, Y), {}),
    "dictionary": ({"x": X, "y": Y}, (), {"x": X, "y": Y}),
    "nested": ((X, {"views": [Y, Y]}, ["a", "b"]), (X, {"views": [Y, Y]}, ["a", "b"]), {}),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_batch_reaches_the_loss_as_it_is(name):
    batch, args, named = SHAPES[name]
    seen = []

    def loss(model, *given, **by_name):
        seen.append((given, by_name))
        return {"loss": model.weight.sum(), "one": torch.ones(6)}

    history = quiet(nn.Linear(3, 1), [batch], loss=loss, validation=[batch])
    assert history.series("one") == history.series("one", "validation") == [1.0, 1.0]
    assert len(seen) == 4
    for given in seen:
        assert repr(given) == repr((args, named))


def test_without_a_loss_the_model_is_asked_in_the_same_way():
    class Model(nn.Linear):
        def loss_terms(self, x, y):
            return {"loss": (self(x)[:, 0] - y).square()}

    models = []
    for batch in ((X, Y), {"y": Y, "x": X}):
        torch.manual_seed(0)
        models.append(Model(3, 1))
        quiet(models[-1], [batch])
    assert torch.equal(models[0].weight, models[1].weight)


def test_tensors_are_moved_and_the_rest_is_left():
    batch = {"x": X, "more": (Y, ["caption", 3, None])}
    there = moved(batch, torch.device("meta"))
    assert there["x"].device.type == there["more"][0].device.type == "meta"
    assert there["more"][1] == ["caption", 3, None]
    assert batch["x"].device.type == "cpu"
    assert first_tensor(["caption", torch.tensor(0.5), {"a": Y}, X]) is Y, "a single number counts no examples"


@pytest.mark.parametrize("batch", ["text", ["a", "b"], {"x": 3.0}, (), torch.tensor(1.0)])
def test_a_batch_without_a_tensor(batch):
    with pytest.raises(TypeError, match="without a tensor in it"):
        quiet(nn.Linear(3, 1), [batch], loss=lambda model, *_, **__: {"loss": model.weight.sum()})


# ------------------------------------------------------------------------------ batches at random


def test_random_batches_keep_rows_together_and_draw_all_of_them():
    batches = RandomBatches(X, Y, batch_size=4, steps=50, generator=rng(1))
    drawn = [*batches]
    assert len(drawn) == len(batches) == 50
    assert all(torch.equal(x, X[y]) and len(x) == 4 for x, y in drawn)
    counts = torch.cat([y for _, y in drawn]).bincount()
    assert len(counts) == 6
    assert counts.min() > 15
    assert not torch.equal(next(iter(batches))[1], drawn[0][1]), "the second pass draws others"
    again = RandomBatches(X, Y, batch_size=4, steps=50, generator=rng(1))
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(drawn, again, strict=True))
    assert next(iter(RandomBatches(Y, batch_size=3, steps=1))).dtype == torch.int64


@pytest.mark.parametrize(
    ("tensors", "numbers"),
    [((), {}), ((X, Y[:5]), {}), ((X[:0],), {}), ((X,), {"batch_size": 0}), ((X,), {"steps": 0})],
)
def test_random_batches_that_cannot_be(tensors, numbers):
    with pytest.raises(ValueError, match=r"rows: give one or more|both must be at least 1"):
        RandomBatches(*tensors, **{"batch_size": 2, "steps": 3, **numbers})


# ------------------------------------------------------------------------------ stretches


class Shuffled:
    """Five letters in a new order at each pass."""

    def __init__(self, generator=None):
        self.generator = generator

    def __iter__(self):
        for index in torch.randperm(5, generator=self.generator):
            yield "abcde"[index]


def test_stretches_are_pass_after_pass():
    stretches = Stretches(Shuffled(rng(3)), [2, 3, 11])
    together = [letter for _ in range(3) for letter in stretches]
    assert len(together) == 11
    whole = Shuffled(rng(3))
    assert together == [letter for _ in range(3) for letter in whole][:11]
    assert [*stretches] == [], "no more ends"


def test_several_batches_a_step_go_on_over_the_end_of_a_pass():
    stretches = Stretches(["a", "b", "c"], [1, 4], group=2)
    assert [*stretches] == [["a", "b"]]
    assert [*stretches] == [["c", "a"], ["b", "c"], ["a", "b"]]


@pytest.mark.parametrize("own", [True, False], ids=["own generator", "global generator"])
@pytest.mark.parametrize("before", [0, 1, 2, 3])
def test_stretches_go_on_where_another_stood(own, before):
    ends = [3, 5, 12, 15]
    torch.manual_seed(2)
    first = Stretches(Shuffled(rng(4) if own else None), ends)
    for _ in range(before):
        assert [*first]
    state = copy.deepcopy((first.state_dict(), torch.get_rng_state(), own and first.generator.get_state()))
    expected = [[*first] for _ in range(before, 4)]
    second = Stretches(Shuffled(rng(9) if own else None), ends)
    second.load_state_dict(state[0])
    torch.set_rng_state(state[1])
    if own:
        second.generator.set_state(state[2])
    assert [[*second] for _ in range(before, 4)] == expected


def test_no_batches():
    for empty in ([], iter([])):
        with pytest.raises(ValueError, match="there are no batches"):
            [*Stretches(empty, [2])]
    with pytest.raises(ValueError, match="an iterator was already used up"):
        [*Stretches(iter(["a"]), [2])]


# ------------------------------------------------------------------------------ models to come


def test_flow_matching():
    """Straight ways from noise x0 to data x1, a point at (2, -1): the velocity at t = 0 leads there."""
    torch.manual_seed(0)
    noise = rng(1)
    velocity = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 2))
    x1 = torch.tensor([2.0, -1.0]).expand(50, 2)

    def loss(velocity, x1):
        x0, t = torch.randn(x1.shape, generator=noise), torch.rand(len(x1), 1, generator=noise)
        x_t = torch.lerp(x0, x1, t)
        return {"loss": (velocity(torch.cat([x_t, t], 1)) - (x1 - x0)).square().sum(1)}

    batches = RandomBatches(x1, batch_size=64, steps=150, generator=noise)
    history = quiet(velocity, batches, lr=1e-2, loss=loss, keep=[noise])
    assert history.series()[-1] < 0.6 * history.series()[0]
    assert velocity(torch.zeros(1, 3)).detach()[0].tolist() == pytest.approx([2, -1], abs=0.3)


def test_contrastive_pairs():
    """Two views of the same 20 things, each through its own encoder: the right one is found among the others."""
    torch.manual_seed(0)
    pair = nn.ModuleDict({"image": nn.Linear(8, 8), "text": nn.Linear(5, 8)})
    pair.logit_scale = nn.Parameter(torch.tensor(2.0))
    things = torch.randn(20, 4)
    images, captions = things @ torch.randn(4, 8), things @ torch.randn(4, 5)

    def similarity(pair, image, caption):
        image_emb, text_emb = F.normalize(pair["image"](image)), F.normalize(pair["text"](caption))
        return pair.logit_scale.exp() * image_emb @ text_emb.T

    def loss(pair, image, caption):
        logits, right = similarity(pair, image, caption), torch.arange(len(image))
        both = (
            F.cross_entropy(logits, right, reduction="none") + F.cross_entropy(logits.T, right, reduction="none")
        ) / 2
        return {"loss": both, "found": logits.argmax(1) == right}

    pairs = [{"image": images[i::2], "caption": captions[i::2]} for i in range(2)]
    history = quiet(pair, pairs, epochs=80, lr=2e-2, clip=1.0, loss=loss)
    assert history.series("found")[-1] == 1.0
    assert quiet(copy.deepcopy(pair), [tuple(part.values()) for part in pairs], loss=loss).series()[0] < 0.5


def test_masked_words():
    """Sentences of int64 in which each word is followed by the next number: what is hidden can be told."""
    torch.manual_seed(0)
    words, hidden, chooser = 6, 6, rng(2)
    tokens = (torch.arange(6)[:, None] + torch.arange(4)) % words  # (6, T)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.out = nn.Embedding(words + 1, 16), nn.Linear(4 * 16, 4 * words)

        def forward(self, tokens):
            return self.out(self.embedding(tokens).flatten(1)).unflatten(1, (4, words))

    def loss(model, tokens):
        place = torch.randint(4, (len(tokens),), generator=chooser)
        rows = torch.arange(len(tokens))
        shown = tokens.clone()
        shown[rows, place] = hidden
        logits = model(shown)[rows, place]
        return {"loss": F.cross_entropy(logits, tokens[rows, place]), "right": logits.argmax(1) == tokens[rows, place]}

    batches = RandomBatches(tokens, batch_size=32, steps=60, generator=chooser)
    history = quiet(Model(), batches, lr=2e-2, loss=loss, keep=[chooser])
    assert history.series("right")[-1] > 0.95


def test_discrete_codes_that_nobody_uses_are_restarted():
    """Three of four codes start far away from all data; restarted after each step, in the end all are used."""
    torch.manual_seed(0)

    class Codes(nn.Module):
        def __init__(self):
            super().__init__()
            self.codebook = nn.Parameter(torch.tensor([[0.0, 0.0], [90.0, 0.0], [0.0, 90.0], [90.0, 90.0]]))
            self.register_buffer("unused", torch.zeros(4))

        def indices(self, x):
            return torch.cdist(x, self.codebook).argmin(1)

        def loss_terms(self, x):
            self.seen, indices = x, self.indices(x)
            self.unused = torch.where(indices.bincount(minlength=4) > 0, 0.0, self.unused + 1)
            return {"loss": (self.codebook[indices] - x).square().sum(1)}

    def restart(codes, step):
        dead = codes.unused >= 3
        codes.codebook[dead] = codes.seen[: int(dead.sum())]
        codes.unused[dead] = 0

    corners = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    batches = RandomBatches(corners.repeat(5, 1) + 0.05 * torch.randn(20, 2), batch_size=16, steps=40)
    alone, codes = Codes(), Codes()
    quiet(alone, batches, lr=0.05)
    quiet(codes, batches, epochs=6, lr=0.05, after_step=restart)
    assert alone.indices(corners).unique().numel() == 1
    assert codes.indices(corners).unique().numel() == 4
    assert torch.cdist(corners, codes.codebook.detach()).amin(1).max() < 0.5
