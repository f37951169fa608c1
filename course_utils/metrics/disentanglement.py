"""How well each number of a code stands for one true factor: MIG, DCI, SAP and the FactorVAE score."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils.inputs import as_float32, numbers
from course_utils.metrics.codes import active_units


def _checked(codes: Tensor, factors: Tensor, least: int = 1) -> tuple[Tensor, Tensor]:
    """Codes and factors in double precision on the CPU, or one clear error."""
    codes, factors = numbers(codes, "codes"), numbers(factors, "factors")
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors) or len(codes) < 2:
        raise ValueError(
            f"codes have shape {tuple(codes.shape)} and factors {tuple(factors.shape)}: give (N, D) and (N, K), "
            "one row of each for every image, N of at least 2."
        )
    if codes.shape[1] < 2 or factors.shape[1] < least:
        raise ValueError(
            f"there are {codes.shape[1]} dimensions and {factors.shape[1]} factors: comparing needs at least 2 "
            f"dimensions and {least} factor{'s' if least > 1 else ''}."
        )
    codes, factors = codes.detach().cpu().double(), factors.detach().cpu().double()
    constant = [str(k) for k in range(factors.shape[1]) if (factors[:, k] == factors[0, k]).all()]
    if constant:
        raise ValueError(f"factor {', '.join(constant)} has the same value in all rows: leave out what does not vary.")
    return codes, factors


def _binned(values: Tensor, bins: int) -> Tensor:
    """Values (N,) as whole numbers: themselves if there are at most `bins` different ones, else bins of equal width."""
    different, index = values.unique(return_inverse=True)
    if len(different) <= bins:
        return index
    low, high = different[0], different[-1]
    return ((values - low) / (high - low) * bins).long().clamp(max=bins - 1)


def _entropy(p: Tensor) -> Tensor:
    """-sum p log p over the first dimension, in nats."""
    return -torch.xlogy(p, p).sum(dim=0)


def mutual_information(codes: Tensor, factors: Tensor, bins: int = 20) -> Tensor:
    """What each number of a code says about each factor, in nats.

    I(z_d; v_k) = sum over cells of p(a, b) log[p(a, b) / (p(a) p(b))], from the histogram of the pairs

    It is estimated, and too high: for independent numbers by about (bins - 1)**2 / (2 N) nats.

    Args:
        codes: (N, D).
        factors: The true factors of the same images, (N, K).
        bins: Cells of equal width for each number from its least to its largest value. Numbers with at most so many
            different values keep these.

    Returns:
        (D, K), float64, from 0 to the factor's entropy.

    Raises:
        ValueError: Shapes that do not match, values that are not finite, a factor that does not vary, or bins below 2.

    Taught in lesson 09.

    Example:
        >>> mutual_information(torch.tensor([[0.0, 5.0], [1.0, 5.0]]), torch.tensor([[7.0], [9.0]]))[:, 0]
        tensor([0.6931, 0.0000], dtype=torch.float64)
    """
    return _information(*_checked(codes, factors), bins)[0]


def _information(codes: Tensor, factors: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """Mutual information (D, K), and the factors' entropies (K,)."""
    if bins < 2:
        raise ValueError(f"bins is {bins}: one bin tells nothing apart, use 2 or more.")
    a, b = ([_binned(column, bins) for column in table.T] for table in (codes, factors))
    information = codes.new_empty(len(a), len(b))
    for k, factor in enumerate(b):
        for d, code in enumerate(a):
            joint = torch.bincount(code * bins + factor, minlength=bins**2).double() / len(code)
            table = joint.view(bins, bins)
            information[d, k] = _entropy(table.sum(1)) + _entropy(table.sum(0)) - _entropy(joint)
    entropy = torch.stack([_entropy(torch.bincount(factor).double() / len(factor)) for factor in b])
    return information.clamp(min=0), entropy


def mutual_information_gap(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    """MIG: by how much the best dimension for a factor beats the second best.

    mean over k of [I(z_first; v_k) - I(z_second; v_k)] / H(v_k)

    0 if two dimensions say the same about every factor, 1 if one dimension says all and no other anything.

    Args:
        codes: Posterior means, (N, D), D of at least 2.
        factors: The true factors of the same images, (N, K).
        bins: As for `mutual_information`. (The paper samples from q(z|x) instead; Locatello et al. 2019 use 20 bins.)

    Returns:
        A number from 0 to 1.

    Raises:
        ValueError: As for `mutual_information`.

    Source: Chen et al. 2018, eq. 6. Taught in lesson 09.

    Example:
        >>> v = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0))  # two independent factors
        >>> mutual_information_gap(v, v), mutual_information_gap(v @ torch.tensor([[1.0, 1.0], [1.0, -1.0]]), v)
        (1.0, 0.0)
    """
    information, entropy = _information(*_checked(codes, factors), bins)
    first, second = information.topk(2, dim=0).values
    return ((first - second) / entropy).mean().item()


@dataclass(frozen=True, eq=False)
class Dci:
    """What `dci` measures.

    Attributes:
        disentanglement: Does each dimension matter for one factor only? 0 to 1.
        completeness: Is each factor held by one dimension only? 0 to 1.
        informativeness: How much of the factors' variance the code predicts on rows not trained on, at most 1.
        importance: Of each dimension for each factor, (D, K); columns sum to 1.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    importance: Tensor


def dci(codes: Tensor, factors: Tensor, *, trees: int = 50, seed: int = 0) -> Dci:
    """Disentanglement, completeness and informativeness, from random forests that predict the factors.

    With R_dk the importance of dimension d for factor k, and H normalised to 1 for a uniform distribution:
    disentanglement = sum_d rho_d [1 - H(R_dk / sum_k R_dk)], rho_d = sum_k R_dk / sum R;
    completeness = mean over k of [1 - H(R_dk / sum_d R_dk)].

    Args:
        codes: (N, D), D of at least 2.
        factors: The true factors of the same images, (N, K), K of at least 2. Two-valued ones may be 0 and 1.
        trees: Trees of each of the K forests (scikit-learn's, which split until 5 rows are left).
        seed: Of the forests.

    Returns:
        A Dci. Its informativeness is the mean R^2, 1 minus the square of the normalised error that the paper gives.
        Even rows train the forests, odd rows test them.

    Raises:
        ValueError: As for `mutual_information`, or fewer than 20 rows.

    Source: Eastwood and Williams 2018, sec. 2. Taught in lesson 09.
    """
    from sklearn.ensemble import RandomForestRegressor

    codes, factors = _checked(codes, factors, least=2)
    if len(codes) < 20:
        raise ValueError(f"there are {len(codes)} rows: the forests need at least 20.")
    x, importance, explained = as_float32(codes).numpy(), [], []
    for v in factors.T.numpy():
        forest = RandomForestRegressor(trees, min_samples_leaf=5, random_state=seed).fit(x[::2], v[::2])
        importance.append(torch.from_numpy(forest.feature_importances_))
        explained.append(forest.score(x[1::2], v[1::2]))
    r = torch.stack(importance, dim=1)  # (D, K)
    by_code = 1 - _normalized_entropy(r.T)  # (D,)
    by_factor = 1 - _normalized_entropy(r)  # (K,)
    weight = r.sum(dim=1) / r.sum().clamp(min=1e-300)  # all 0 where no forest could split: nothing is disentangled
    informativeness = sum(explained) / len(explained)
    return Dci((weight * by_code).sum().item(), by_factor.mean().item(), informativeness, r)


def _normalized_entropy(weights: Tensor) -> Tensor:
    """Entropy of each column, 0 to 1; a column of zeros, which decides nothing, has 1."""
    total = weights.sum(dim=0)
    p = weights / total.clamp(min=1e-300)
    return torch.where(total > 0, _entropy(p) / math.log(len(weights)), 1.0)


def sap(codes: Tensor, factors: Tensor) -> float:
    """Separated attribute predictability: how far the best single dimension beats the second best as a predictor.

    mean over k of (S_first,k - S_second,k), where S_dk tells how well z_d alone predicts v_k:
    R^2 of a straight line, or for a factor with two values 2 a - 1, a being the balanced accuracy of the best threshold
    (the paper has a itself, with which a factor of two values could not score more than 0.5).

    Args:
        codes: (N, D), D of at least 2.
        factors: The true factors of the same images, (N, K).

    Returns:
        A number from 0 to 1. A dimension that does not vary predicts nothing.

    Raises:
        ValueError: As for `mutual_information`.

    Source: Kumar, Sattigeri and Balakrishnan 2018, sec. 3. Taught in lesson 09.

    Example:
        >>> v = torch.cartesian_prod(torch.arange(4.0), torch.arange(2.0))
        >>> round(sap(v, v), 6), round(sap(v.repeat(1, 2), v), 6)  # the second has every number twice
        (1.0, 0.0)
    """
    codes, factors = _checked(codes, factors)
    scores = codes.new_empty(codes.shape[1], factors.shape[1])
    for k, v in enumerate(factors.T):
        upper = v == v.max()
        two_valued = (upper | (v == v.min())).all()
        for d, z in enumerate(codes.T):
            scores[d, k] = _threshold_score(z, upper) if two_valued else _line_score(z, v)
    first, second = scores.topk(2, dim=0).values
    return (first - second).mean().item()


def _line_score(z: Tensor, v: Tensor) -> Tensor:
    """Squared correlation: R^2 of the best straight line."""
    z, v = z - z.mean(), v - v.mean()
    return (z @ v).square() / ((z @ z) * (v @ v)).clamp(min=1e-300)


def _threshold_score(z: Tensor, upper: Tensor) -> Tensor:
    """2 a - 1 for the best threshold on z: the largest distance between the two cumulative distributions."""
    order = z.argsort()
    rates = [kind[order].double().cumsum(0) / kind.sum() for kind in (upper, ~upper)]
    last = torch.cat([z[order].diff() > 0, torch.ones(1, dtype=torch.bool)])  # equal values pass together
    return (rates[0] - rates[1]).abs()[last].max()


@torch.no_grad()
def factor_vae_score(
    encode: Callable[[Tensor], Tensor],
    sample_factors: Callable[..., Tensor],
    *,
    votes: int = 800,
    batch_size: int = 64,
    threshold: float = 0.01,
    generator: torch.Generator | None = None,
) -> float:
    """FactorVAE score: which dimension varies least when one factor is held fixed, and is it the same one every time?

    A vote: fix a random factor k, draw the others for a whole batch, encode, and take the dimension d whose variance,
    divided by its variance over all images, is smallest. The rule "d means k", by majority in the first half of the
    votes, is scored on the second half.

    Args:
        encode: Function of factors (B, K) that makes their images and returns codes (B, D), for example
            ``lambda handles: encode_dataset(model, render_faces(handles, 32))``.
        sample_factors: Function of (n, generator=) that draws factors (n, K), for example `faces.sample_handles`.
        votes: Votes in all, an even number.
        batch_size: Images a vote. At most about 2,000 images are made at a time.
        threshold: Dimensions whose variance over all images is not above it are collapsed and left out.
        generator: CPU generator of the choices; None uses PyTorch's global generator.

    Returns:
        Fraction of the votes that the rule gets right: 1 at best, about 1 / K for codes that know nothing, and 0 if all
        dimensions are collapsed.

    Raises:
        ValueError: votes is below 2 or odd, batch_size is below 2, or encode or sample_factors returns no such table.

    Source: Kim and Mnih 2018, sec. 4 (a majority vote), with a second half kept for the score. Taught in lesson 09.
    """
    if votes < 2 or votes % 2 or batch_size < 2:
        raise ValueError(
            f"votes is {votes} and batch_size {batch_size}: give an even number of votes and 2 images or more for each."
        )

    def codes_of(factors: Tensor) -> Tensor:
        codes = encode(factors)
        if codes.ndim != 2 or len(codes) != len(factors):
            raise ValueError(
                f"encode returned shape {tuple(codes.shape)} for {len(factors)} rows of factors: it must be (B, D)."
            )
        return codes.cpu().double()

    overall = codes_of(sample_factors(2000, generator=generator))
    active, variance = active_units(overall, threshold), overall.var(dim=0)
    if not active.any():
        return 0.0
    chosen, least = [], []
    for count in torch.arange(votes).split(max(1, 2000 // batch_size)):
        n = len(count)
        factors = sample_factors(n * batch_size, generator=generator)
        if factors.ndim != 2 or len(factors) != n * batch_size:
            raise ValueError(f"sample_factors returned shape {tuple(factors.shape)}: it must be ({n * batch_size}, K).")
        factors = factors.clone().unflatten(0, (n, batch_size))
        k = torch.randint(factors.shape[2], (n,), generator=generator)
        for i, fixed in enumerate(k.tolist()):
            factors[i, :, fixed] = factors[i, 0, fixed].clone()
        spread = codes_of(factors.flatten(0, 1)).unflatten(0, (n, batch_size)).var(dim=1) / variance  # (n, D)
        chosen.append(k)
        least.append(spread.masked_fill(~active, torch.inf).argmin(dim=1))
    k, d = torch.cat(chosen), torch.cat(least)
    table = torch.zeros(len(variance), factors.shape[2], dtype=torch.int64)
    half = votes // 2
    table.index_put_((d[:half], k[:half]), torch.ones(half, dtype=torch.int64), accumulate=True)
    return (table.argmax(dim=1)[d[half:]] == k[half:]).double().mean().item()
