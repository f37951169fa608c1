"""Disentanglement metrics on codes whose answer is known, and against scikit-learn and SciPy."""

import math

import numpy as np
import pytest
import torch
from helpers import generator
from scipy.stats import entropy, ks_2samp
from sklearn.linear_model import LinearRegression
from sklearn.metrics import balanced_accuracy_score, mutual_info_score

from course_utils.metrics import dci, factor_vae_score, mutual_information, mutual_information_gap, sap
from course_utils.metrics.disentanglement import _threshold_score


def draw(n, generator=None):
    """Four independent factors: three uniform, of different range, and one with two values."""
    v = torch.rand(n, 4, generator=generator) * torch.tensor([1.0, 2.0, 5.0, 1.0])
    v[:, 3] = (v[:, 3] > 0.4).float()
    return v


MIX = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2  # a rotation, far from axes


def standardized(v):
    return (v - v.mean(0)) / v.std(0)


CODES = {
    "perfect": lambda v: v,
    "permuted and scaled": lambda v: v[:, [2, 0, 3, 1]] * torch.tensor([-3.0, 0.7, 2.0, 10.0]) + 4,
    "with a dead dimension": lambda v: torch.cat([v[:, :2], torch.full((len(v), 1), 0.3), v[:, 2:]], 1),
    "rotated": lambda v: standardized(v) @ MIX,
    "random": lambda v: torch.randn(len(v), 5, generator=generator(9)),
}


GOOD, BAD = ("perfect", "permuted and scaled", "with a dead dimension"), ("rotated", "random")


@pytest.fixture(scope="module")
def factors():
    return draw(1200, generator(1))


# -------------------------------------------------------------------------------- mutual information


def edges(values, bins=20):
    """Bins of equal width as NumPy's histogram has them."""
    return np.digitize(values, np.linspace(values.min(), values.max(), bins + 1)[1:-1])


@pytest.mark.parametrize("bins", [5, 20])
def test_mutual_information_against_scikit_learn(factors, bins):
    codes = CODES["rotated"](factors)[:, :3].double()
    found = mutual_information(codes, factors.double(), bins)
    assert found.shape == (3, 4)
    for d in range(3):
        for k in range(4):
            v = factors[:, k].double().numpy()
            v = v if k == 3 else edges(v, bins)
            expected = mutual_info_score(edges(codes[:, d].numpy(), bins), v)
            assert found[d, k].item() == pytest.approx(expected, abs=1e-9)


def test_few_values_keep_their_own_cell():
    """Values 0, 1 and 100 are three kinds, though bins of equal width would put two of them together."""
    a = torch.tensor([0.0, 1.0, 100.0]).repeat(50)
    found = mutual_information(torch.stack([a, a], 1), a[:, None])
    assert found.tolist() == [[pytest.approx(math.log(3))], [pytest.approx(math.log(3))]]


def test_bias_of_independent_numbers_is_what_the_docstring_says():
    n = 4000
    codes, v = torch.rand(n, 6, generator=generator(4)), torch.rand(n, 5, generator=generator(5))
    assert mutual_information(codes, v).mean().item() == pytest.approx(19**2 / (2 * n), rel=0.1)


def test_gap_by_hand(factors):
    codes = CODES["rotated"](factors)
    information = mutual_information(codes, factors).numpy()
    gaps = []
    for k in range(4):
        column = np.sort(information[:, k])
        v = factors[:, k].numpy() if k == 3 else edges(factors[:, k].numpy())
        gaps.append((column[-1] - column[-2]) / entropy(np.unique(v, return_counts=True)[1]))
    assert mutual_information_gap(codes, factors) == pytest.approx(np.mean(gaps), abs=2e-3)


# -------------------------------------------------------------------------------- known answers


class TestKnownAnswers:
    @pytest.mark.parametrize("name", GOOD)
    def test_good_codes(self, factors, name):
        codes = CODES[name](factors)
        assert mutual_information_gap(codes, factors) > 0.9
        assert sap(codes, factors) > 0.95
        result = dci(codes, factors, trees=10)
        assert result.disentanglement > 0.97
        assert result.completeness > 0.97
        assert result.informativeness > 0.97

    def test_rotated_codes_know_everything_but_mix_it(self, factors):
        codes = CODES["rotated"](factors)
        assert mutual_information_gap(codes, factors) < 0.03
        assert sap(codes, factors) < 0.05
        result = dci(codes, factors, trees=10)
        assert result.disentanglement < 0.05
        assert result.completeness < 0.05
        assert result.informativeness > 0.85

    def test_random_codes_know_nothing(self, factors):
        codes = CODES["random"](factors)
        assert mutual_information_gap(codes, factors) < 0.03
        assert sap(codes, factors) < 0.06
        result = dci(codes, factors, trees=20)
        assert result.disentanglement < 0.1
        assert result.completeness < 0.1
        assert result.informativeness < 0.02

    def test_a_factor_held_twice_has_no_gap_but_is_disentangled(self, factors):
        """Two copies: no dimension is best (MIG, SAP 0), none mixes factors (D near 1), two hold each (C lower)."""
        twice = factors.repeat(1, 2)
        assert mutual_information_gap(twice, factors) == pytest.approx(0, abs=1e-9)
        assert sap(twice, factors) == pytest.approx(0, abs=1e-9)
        result = dci(twice + 0.01 * torch.randn(1200, 8, generator=generator(2)), factors, trees=20)
        assert result.disentanglement > 0.9
        assert result.completeness < 0.8

    def test_two_factors_in_one_dimension_lower_disentanglement_only(self):
        v = draw(1200, generator(6))[:, :2]
        v[:, 1] = v[:, 1].gt(1).float()
        codes = torch.stack([v[:, 0] + 2 * v[:, 1], torch.randn(1200, generator=generator(7))], 1)
        result = dci(codes, v, trees=10)
        assert result.disentanglement < 0.15
        assert result.completeness > 0.85
        assert result.informativeness > 0.95

    def test_correlated_factors_show_up(self, factors):
        """Codes that mix only two of the factors."""
        codes = factors.clone()
        codes[:, :2] = standardized(factors[:, :2]) @ torch.tensor([[1.0, 1.0], [1.0, -1.0]])
        assert 0.4 < mutual_information_gap(codes, factors) < 0.65
        assert 0.4 < sap(codes, factors) < 0.6


# -------------------------------------------------------------------------------- the parts of DCI and SAP


def test_dci_from_its_importance(factors):
    result = dci(CODES["rotated"](factors), factors, trees=5)
    r = result.importance.numpy()
    assert r.shape == (4, 4)
    np.testing.assert_allclose(r.sum(0), 1)
    wide = dci(CODES["random"](factors), factors, trees=5)  # D is 5, K is 4: the bases of the logarithms differ
    for one in (result, wide):
        r = one.importance.numpy()
        by_code = [1 - entropy(row, base=r.shape[1]) for row in r]
        assert one.disentanglement == pytest.approx(np.average(by_code, weights=r.sum(1)), abs=1e-9)
        by_factor = [1 - entropy(column, base=r.shape[0]) for column in r.T]
        assert one.completeness == pytest.approx(np.mean(by_factor), abs=1e-9)


def test_dci_is_the_same_for_the_same_seed_and_leaves_the_generator(factors):
    codes, before = CODES["rotated"](factors)[:200], torch.get_rng_state()
    first, second = (dci(codes, factors[:200], trees=3, seed=4) for _ in range(2))
    assert torch.equal(first.importance, second.importance)
    assert not torch.equal(first.importance, dci(codes, factors[:200], trees=3, seed=5).importance)
    assert torch.equal(torch.get_rng_state(), before)


def test_sap_against_scikit_learn_and_scipy(factors):
    codes = CODES["random"](factors) + 0.5 * factors[:, [0, 0, 1, 3, 3]]
    scores = np.zeros((5, 4))
    for d in range(5):
        z = codes[:, d : d + 1].numpy()
        for k in range(3):
            v = factors[:, k].numpy()
            scores[d, k] = LinearRegression().fit(z, v).score(z, v)
        kinds = factors[:, 3].numpy() == 1
        scores[d, 3] = ks_2samp(z[kinds, 0], z[~kinds, 0]).statistic
    ordered = np.sort(scores, axis=0)
    assert sap(codes, factors) == pytest.approx((ordered[-1] - ordered[-2]).mean(), abs=1e-5)


def test_threshold_score_is_the_best_balanced_accuracy_also_with_ties():
    z = torch.tensor([0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 3.0]).double()
    upper = torch.tensor([False, False, True, False, True, False, True])
    thresholds = [-1, 0.5, 1.5, 2.5, 9]
    best = max(balanced_accuracy_score(upper, z > t) for t in thresholds)
    best = max(best, *(balanced_accuracy_score(upper, z <= t) for t in thresholds))
    assert _threshold_score(z, upper).item() == pytest.approx(2 * best - 1)
    assert _threshold_score(-z, upper).item() == pytest.approx(2 * best - 1)
    assert _threshold_score(torch.ones(7).double(), upper).item() == pytest.approx(0)


# -------------------------------------------------------------------------------- FactorVAE score


class TestFactorVaeScore:
    @pytest.mark.parametrize("name", GOOD)
    def test_good_codes(self, name):
        assert factor_vae_score(CODES[name], draw, votes=100, batch_size=16, generator=generator()) == 1

    def test_rotated_codes_do_worse(self):
        scale = torch.tensor([1.0, 2.0, 5.0, 1.7]) / math.sqrt(12)
        score = factor_vae_score(lambda v: v / scale @ MIX, draw, votes=400, generator=generator())
        assert score < 0.45

    def test_random_codes_are_right_once_in_k(self):
        noise = generator(8)
        score = factor_vae_score(
            lambda v: torch.randn(len(v), 3, generator=noise), draw, votes=800, batch_size=8, generator=generator()
        )
        assert score == pytest.approx(1 / 4, abs=4 * math.sqrt(3 / 16 / 400))

    def test_the_scale_of_a_dimension_does_not_matter(self):
        """With a little noise in every dimension, the one of smallest scale would win every vote."""
        noise, scale = generator(8), torch.tensor([0.6, 30.0, 3.0, 100.0])

        def codes(v):
            return (v / torch.tensor([1.0, 2.0, 5.0, 1.0]) + 0.05 * torch.randn(v.shape, generator=noise)) * scale

        assert factor_vae_score(codes, draw, votes=100, batch_size=32, generator=generator()) > 0.95

    def test_the_rule_is_scored_on_other_votes(self):
        """Ten votes over 40 random dimensions: a rule for each, right on all ten and on a quarter of the next."""
        noise, scores = generator(8), []
        for seed in range(40):
            scores.append(
                factor_vae_score(
                    lambda v: torch.randn(len(v), 40, generator=noise), draw, votes=20, batch_size=4,
                    generator=generator(seed),
                )
            )  # fmt: skip
        assert sum(scores) / 40 == pytest.approx(1 / 4, abs=4 * math.sqrt(3 / 16 / 400))

    def test_collapsed_dimensions_do_not_vote(self):
        """A dimension of nearly no variance has the least variance of all in any batch, had it a vote."""

        def codes(v):
            return torch.cat([1e-3 * v[:, :1], v[:, 1:]], 1)

        assert factor_vae_score(codes, draw, votes=200, generator=generator()) < 0.9
        kept = factor_vae_score(codes, draw, votes=200, threshold=1e-9, generator=generator())
        assert kept == 1
        assert factor_vae_score(lambda v: 0 * v, draw, votes=2, generator=generator()) == 0

    def test_memory_is_bounded_and_every_vote_fixes_one_factor(self):
        seen = []

        def codes(v):
            seen.append(v)
            return v

        factor_vae_score(codes, draw, votes=100, batch_size=50, generator=generator())
        assert max(len(v) for v in seen) <= 2000
        batches = torch.cat(seen[1:]).view(100, 50, 4)
        fixed = (batches == batches[:, :1]).all(dim=1)
        assert (fixed.sum(dim=1) == 1).all()
        assert fixed.any(dim=0).all()

    def test_same_generator_same_score(self):
        before = torch.get_rng_state()
        scores = {
            factor_vae_score(CODES["rotated"], draw, votes=40, batch_size=8, generator=generator(3)) for _ in "12"
        }
        assert len(scores) == 1
        assert torch.equal(torch.get_rng_state(), before)

    def test_errors(self):
        with pytest.raises(ValueError, match="votes is 3"):
            factor_vae_score(CODES["perfect"], draw, votes=3)
        with pytest.raises(ValueError, match="batch_size 1"):
            factor_vae_score(CODES["perfect"], draw, batch_size=1)
        with pytest.raises(ValueError, match=r"encode returned shape \(5, 4\) for 2000 rows"):
            factor_vae_score(lambda v: v[:5], draw)
        sets = iter([draw(2000), draw(1)])
        with pytest.raises(ValueError, match=r"sample_factors returned shape \(1, 4\)"):
            factor_vae_score(CODES["perfect"], lambda n, generator: next(sets))


# -------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("metric", [mutual_information_gap, dci, sap, mutual_information])
class TestErrors:
    def test_shapes(self, metric):
        with pytest.raises(ValueError, match=r"codes have shape \(30, 3\) and factors \(29, 2\)"):
            metric(torch.rand(30, 3), torch.rand(29, 2))
        with pytest.raises(ValueError, match=r"factors \(30,\)"):
            metric(torch.rand(30, 3), torch.rand(30))
        with pytest.raises(ValueError, match="there are 1 dimensions and 2 factors"):
            metric(torch.rand(30, 1), torch.rand(30, 2))

    def test_values(self, metric):
        codes, v = torch.rand(30, 3), torch.rand(30, 4)
        with pytest.raises(ValueError, match="NaN or infinite values in codes"):
            metric(torch.where(codes > 0.9, torch.nan, codes), v)
        v[:, 2] = 0.5
        with pytest.raises(ValueError, match="factor 2 has the same value in all rows"):
            metric(codes, v)


def test_more_errors():
    with pytest.raises(ValueError, match="bins is 1"):
        mutual_information(torch.rand(9, 2), torch.rand(9, 2), bins=1)
    with pytest.raises(ValueError, match="19 rows"):
        dci(torch.rand(19, 2), torch.rand(19, 2))
    with pytest.raises(ValueError, match="2 dimensions and 1 factors.*2 factors"):
        dci(torch.rand(30, 2), torch.rand(30, 1))


def test_dci_of_codes_that_say_nothing_and_of_codes_far_away():
    v = torch.cartesian_prod(torch.arange(5.0), torch.arange(6.0)).double()
    silent = dci(torch.ones(30, 3), v, trees=3)
    assert (silent.disentanglement, silent.completeness) == (0, 0)
    near, far = (dci(v + shift, v, trees=3) for shift in (0, 1e9))
    torch.testing.assert_close(near.importance, far.importance)
