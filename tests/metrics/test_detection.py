"""The ROC curve and its area, against scikit-learn, counting by hand, and closed forms."""

import numpy as np
import pytest
import sklearn.metrics
import torch

from course_utils.metrics import auroc, roc_curve


def cases(n: int, levels: int | None, seed: int):
    """Scores of n cases, rounded to few levels when asked, of which about a third are positive and score higher."""
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.35
    scores = rng.normal(size=n) + 0.7 * positive
    return (np.round(scores * levels) / levels if levels else scores), positive


@pytest.mark.parametrize("levels", [None, 2, 1])
@pytest.mark.parametrize("seed", range(4))
def test_auroc_and_curve_agree_with_scikit_learn(levels, seed):
    scores, positive = cases(61, levels, seed)
    s, p = torch.tensor(scores), torch.tensor(positive)
    assert auroc(s, p) == pytest.approx(sklearn.metrics.roc_auc_score(positive, scores), abs=1e-12)
    fpr, tpr, _ = sklearn.metrics.roc_curve(positive, scores, drop_intermediate=False)
    np.testing.assert_allclose(torch.stack(roc_curve(s, p)), np.stack([fpr, tpr]), atol=1e-12)


def test_auroc_is_the_chance_of_the_right_order_with_ties_counted_half():
    scores, positive = cases(40, 2, seed=9)
    wins = [(a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]]
    assert any(win == 0.5 for win in wins), "this case is meant to have ties"
    assert auroc(torch.tensor(scores), torch.tensor(positive)) == pytest.approx(np.mean(wins), abs=1e-12)


def test_auroc_equals_the_area_under_the_curve():
    scores, positive = cases(50, 2, seed=3)
    fpr, tpr = roc_curve(torch.tensor(scores), torch.tensor(positive))
    assert auroc(torch.tensor(scores), torch.tensor(positive)) == pytest.approx(float(torch.trapezoid(tpr, fpr)))


def test_auroc_of_constant_perfect_and_reversed_scores():
    positive = torch.tensor([0, 0, 1, 0, 1])
    assert auroc(torch.zeros(5), positive) == 0.5
    assert auroc(positive.float(), positive) == 1.0
    assert auroc(-positive.float(), positive) == 0.0


def test_auroc_does_not_change_with_a_rising_transformation_or_the_share_of_positives():
    scores, positive = (torch.tensor(part) for part in cases(70, None, seed=5))
    area = auroc(scores, positive)
    assert auroc(scores.exp(), positive) == pytest.approx(area, abs=1e-12)
    more = torch.cat([scores, scores[positive], scores[positive]])
    labels = torch.cat([positive, torch.ones(2 * int(positive.sum()), dtype=torch.bool)])
    assert auroc(more, labels) == pytest.approx(area, abs=1e-12)


def test_many_equal_float32_ranks_stay_exact():
    n = 40_000  # ranks beyond what single precision counts exactly when summed
    scores = torch.arange(n, dtype=torch.float32)
    positive = scores % 2 == 1
    m = n // 2
    assert auroc(scores, positive) == pytest.approx((m + 1) / (2 * m), abs=1e-12)


@pytest.mark.parametrize("function", [auroc, roc_curve])
@pytest.mark.parametrize(
    ("scores", "positive", "message"),
    [
        (torch.zeros(3), torch.zeros(4), "two vectors"),
        (torch.zeros(3, 1), torch.zeros(3, 1), "two vectors"),
        (torch.zeros(3), torch.ones(3), "of one kind"),
        (torch.zeros(3), torch.zeros(3), "of one kind"),
        (torch.zeros(3), torch.tensor([0, 1, 2]), "other than 0 and 1"),
        (torch.tensor([0.0, torch.nan]), torch.tensor([0, 1]), "NaN"),
    ],
)
def test_bad_scores_are_named(function, scores, positive, message):
    with pytest.raises(ValueError, match=message):
        function(scores, positive)
