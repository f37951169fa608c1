"""The checks of lesson 03 accept right answers however they are written, and know each wrong one."""

import pytest
import torch
import torch.nn.functional as F
from lesson_cells import lesson_namespace
from verdicts import assert_told_apart, verdict

# Right answers, each written in another way than the reference.


def loss_another_way(model, x, strength):
    eps = torch.randn(x.shape)
    x_noisy = torch.clip(x + eps * strength, 0.0, 1.0)
    return F.mse_loss(model(x_noisy), x, reduction="sum") / len(x)


def top_k_by_mask(z, k):
    mask = torch.zeros_like(z, dtype=torch.bool)
    for row, code in enumerate(z):
        mask[row, code.argsort(descending=True)[:k]] = True
    return torch.where(mask, z, torch.zeros(()))


def auroc_by_loops(scores, positive):
    total, pairs = 0.0, 0
    for s, is_positive in zip(scores.tolist(), positive.tolist(), strict=True):
        for t, other in zip(scores.tolist(), positive.tolist(), strict=True):
            if is_positive and not other:
                total, pairs = total + (1.0 if s > t else 0.5 if s == t else 0.0), pairs + 1
    return torch.tensor(total / pairs)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("denoising-loss", loss_another_way),
        ("sparsity-penalty", lambda z: F.l1_loss(z, torch.zeros_like(z), reduction="sum") / len(z)),
        ("top-k", top_k_by_mask),
        ("auroc", auroc_by_loops),
    ],
)
def test_right_answers_in_other_words_are_accepted(name, answer):
    assert verdict(name, answer) is None


@pytest.mark.parametrize(
    ("name", "cell", "function"),
    [
        ("denoising-loss", "denoising-loss-exercise", "denoising_loss"),
        ("sparsity-penalty", "sparsity-penalty-exercise", "sparsity_penalty"),
        ("top-k", "top-k-exercise", "keep_top_k"),
        ("auroc", "auroc-exercise", "auroc"),
    ],
)
def test_the_lessons_own_solution_passes(name, cell, function):
    assert verdict(name, lesson_namespace("03", "imports", cell)[function]) is None


# Wrong answers, written without looking at the check's own, with a word that only their message has.


def corrupt(x, strength):
    return (x + strength * torch.randn_like(x)).clamp(0, 1)


def error(a, b):
    return ((a - b) ** 2).sum(dim=(1, 2, 3)).mean()


def noisy_target(model, x, strength):
    noisy = corrupt(x, strength)
    return error(noisy, model(noisy))


def fresh_noise_on_the_target(model, x, strength):
    seen = corrupt(x, strength)
    return error(model(seen), corrupt(x, strength))


def shared_noise(model, x, strength):
    eps = torch.randn(1, *x.shape[1:])
    return error(model((x + strength * eps).clamp(0, 1)), x)


def scatter_rows(z, k):
    best = torch.topk(z, k, dim=0)
    out = torch.zeros_like(z)
    out[best.indices, torch.arange(z.shape[1])] = best.values
    return out


def global_threshold(z, k):
    least = z.flatten().sort(descending=True).values[k * z.shape[0] - 1]
    return torch.where(z >= least, z, 0.0 * z)


def sorted_front(z, k):
    out = z.sort(dim=1, descending=True).values.clone()
    return torch.cat([out[:, :k], 0 * out[:, k:]], dim=1)


def below_threshold(z, k):
    return z.where(z <= z.sort(dim=1).values[:, k - 1 : k], torch.zeros_like(z))


WRONG = [
    ("denoising-loss", noisy_target, "NOISY image"),
    ("denoising-loss", fresh_noise_on_the_target, "target is damaged too"),
    ("denoising-loss", lambda m, x, s: error(m(x + s * torch.randn(x.shape)), x), "leave [0, 1]"),
    ("denoising-loss", shared_noise, "same noise"),
    ("denoising-loss", lambda m, x, s: error(m(x), x), "Nothing is corrupted"),
    ("denoising-loss", lambda m, x, s: error(corrupt(x, s), x), "model is not used"),
    ("denoising-loss", lambda m, x, s: error(m((x + s * torch.rand(x.shape)).clamp(0, 1)), x), "uniform"),
    ("denoising-loss", lambda m, x, s: F.mse_loss(m(corrupt(x, s)), x), "average over pixels"),
    ("denoising-loss", lambda m, x, s: F.mse_loss(m(corrupt(x, s)), x, reduction="sum"), "over the batch as well"),
    ("sparsity-penalty", lambda z: z.norm(p=1, dim=1).mean() / z.shape[1], "over the units too"),
    ("sparsity-penalty", lambda z: z.norm(p=1), "grows with the batch size"),
    ("sparsity-penalty", lambda z: z.sum() / len(z), "hugely negative"),
    ("sparsity-penalty", lambda z: (z**2).sum() / len(z), "penalise squares"),
    ("sparsity-penalty", lambda z: (z**2).sum(1).sqrt().mean(), "length of the code"),
    ("sparsity-penalty", lambda z: torch.count_nonzero(z) / len(z), "count the active units"),
    ("sparsity-penalty", lambda z: z.norm(p=1, dim=1), "one number for each code"),
    ("top-k", scatter_rows, "each COLUMN"),
    ("top-k", global_threshold, "whole batch"),
    ("top-k", below_threshold, "k smallest"),
    ("top-k", lambda z, k: z.sort(dim=1, descending=True).values[:, :k], "without their places"),
    ("top-k", sorted_front, "to the front"),
    ("top-k", lambda z, k: (z >= z.sort(dim=1, descending=True).values[:, k - 1 : k]).float(), "return ones"),
    ("top-k", lambda z, k: z * (z > z.sort(dim=1, descending=True).values[:, k - 1 : k]), "k - 1 units"),
    ("top-k", lambda z, k: torch.tensor(top_k_by_mask(z, k).tolist()), "cut off from z"),
    ("auroc", lambda s, p: 1 - auroc_by_loops(s, p), "1 minus"),
    ("auroc", lambda s, p: auroc_by_loops(s, ~p), "1 minus"),
    ("auroc", lambda s, p: (s[p].unsqueeze(1) > s[~p]).double().mean(), "ties as losses"),
    ("auroc", lambda s, p: (s[p].unsqueeze(1) >= s[~p]).double().mean(), "ties as wins"),
    ("auroc", lambda s, p: ((s[:, None] > s) * 1.0 + (s[:, None] == s) * 0.5).mean(), "every case with every other"),
    ("auroc", lambda s, p: ((s > s.mean()) == p).sum() / len(s), "accuracy at one threshold"),
    ("auroc", lambda s, p: ((s > 0) == p).sum() / len(s), "accuracy at one threshold"),
]


@pytest.mark.parametrize(("name", "answer", "words"), WRONG)
def test_each_wrong_answer_gets_its_own_message(name, answer, words):
    assert_told_apart(name, answer, words)


def adds_noise_in_place(model, x, strength):
    clean = x.clone()
    x += strength * torch.randn_like(x)
    return error(model(x.clamp_(0, 1)), clean)


def zeroes_in_place(z, k):
    right = top_k_by_mask(z, k)
    with torch.no_grad():
        z[z < 0] = 0
    return right


def sorts_in_place(scores, positive):
    right = auroc_by_loops(scores, positive)
    scores.copy_(scores.sort().values)
    return right


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("denoising-loss", adds_noise_in_place),
        ("sparsity-penalty", lambda z: z.abs_().sum(dim=1).mean()),
        ("top-k", zeroes_in_place),
        ("auroc", sorts_in_place),
    ],
)
def test_changing_the_inputs_is_noticed(name, answer):
    assert "in place" in verdict(name, answer)


def test_a_plain_number_is_a_right_auroc_too():
    assert verdict("auroc", lambda s, p: auroc_by_loops(s, p).item()) is None
