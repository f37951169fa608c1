"""What is counted of codes: against numpy, by hand, and on trained models."""

import numpy as np
import pytest
import torch
from small_models import TINY

from course_utils.data import ImageSet
from course_utils.metrics import active_fraction, active_units, psnr
from course_utils.models.vae import VAE
from course_utils.training import fit


def test_psnr_against_numpy():
    rng = np.random.default_rng(0)
    x, x_hat = rng.random((2, 5, 1, 4, 7))
    expected = [10 * np.log10(1 / np.mean((a - b) ** 2)) for a, b in zip(x_hat, x, strict=True)]
    np.testing.assert_allclose(psnr(torch.tensor(x_hat), torch.tensor(x)), expected)
    assert psnr(torch.ones(2, 1, 3, 3), torch.ones(2, 1, 3, 3)).tolist() == [float("inf")] * 2
    with pytest.raises(ValueError, match="like with like"):
        psnr(torch.zeros(1, 1, 2, 3), torch.zeros(1, 1, 3, 2))


def test_active_fraction_counts_by_unit():
    z = torch.tensor([[0.0, 0.3, -2.0, 0.01], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, -0.1, 0.0]])
    assert active_fraction(z).tolist() == pytest.approx([0, 1 / 3, 1, 1 / 3])
    assert active_fraction(z, threshold=0.05).tolist() == pytest.approx([0, 1 / 3, 1, 0])
    for bad in (torch.zeros(0, 3), torch.zeros(3)):
        with pytest.raises(ValueError, match="at least one code"):
            active_fraction(bad)


def test_active_units_are_those_whose_mean_moves():
    generator = torch.Generator().manual_seed(0)
    spread = torch.tensor([1.0, 0.0, 0.05, 0.2])  # standard deviations; the threshold is a variance
    mu = torch.tensor([0.0, 5.0, 0.0, -3.0]) + spread * torch.randn(4000, 4, generator=generator)
    assert active_units(mu).tolist() == [True, False, False, True]
    assert active_units(mu, threshold=0.5).tolist() == [True, False, False, False]
    with pytest.raises(ValueError, match=r"\(1, 4\).*at least 2"):
        active_units(mu[:1])


def test_a_heavy_kl_term_silences_units():
    def units(beta):
        torch.manual_seed(0)
        model = VAE(3, hidden=16, image_shape=TINY, beta=beta)
        shades = ImageSet(
            torch.arange(256, dtype=torch.uint8).repeat_interleave(32).reshape(-1, *TINY),
            torch.zeros(256, dtype=torch.int64), ("shade",),
        )  # fmt: skip
        fit(model, shades.batches(32, shuffle=True), epochs=40, lr=1e-2, progress=False)
        with torch.no_grad():
            return int(active_units(model.encode(shades.pixels())).sum())

    assert units(0.1) >= 1
    assert units(1000.0) == 0


def test_psnr_knows_its_range_and_16_bits():
    x, x_hat = torch.full((1, 1, 2, 3), 0.5), torch.full((1, 1, 2, 3), 0.501)
    assert psnr(x_hat.half(), x.half()).item() == pytest.approx(
        psnr(x_hat.half().double(), x.double()).item(), abs=1e-3
    )
    with pytest.raises(ValueError, match="images reach from 127 to 127 but must lie in"):
        psnr(x_hat * 255, x * 254)
    with pytest.raises(TypeError, match="x_hat is torch.uint8"):
        psnr((x_hat * 255).byte(), x)


@pytest.mark.parametrize("measure", [active_units, active_fraction])
def test_a_unit_that_is_no_number_is_not_called_silent(measure):
    with pytest.raises(ValueError, match="NaN or infinite values in"):
        measure(torch.tensor([[0.0, torch.nan], [1.0, 2.0]]))
