"""The network that reads numbers from images."""

import pytest
import torch
from helpers import generator

from course_utils.models.regressor import Regressor

RANGES = [(-1.0, 3.0), (0.0, 10.0), (5.0, 6.0)]
SHAPE = (2, 16, 48)


def small(**options) -> Regressor:
    torch.manual_seed(0)
    return Regressor(RANGES, **{"hidden": 4, "num_features": 9, "image_shape": SHAPE, **options})


def images(n: int = 5) -> torch.Tensor:
    return torch.rand(n, *SHAPE, generator=generator())


def test_numbers_are_read_in_their_own_units():
    """Where the last layer says 0 the middle of each range is read; where it says 1 or -1, its ends."""
    model = small().eval()
    model.head.weight.data.zero_()
    for said, wanted in ((0.0, [1.0, 5.0, 5.5]), (1.0, [3.0, 10.0, 6.0]), (-1.0, [-1.0, 0.0, 5.0])):
        model.head.bias.data.fill_(said)
        torch.testing.assert_close(model(images(2)), torch.tensor(wanted).expand(2, 3))


def test_loss_by_hand():
    model, x = small().eval(), images()
    y = torch.tensor([[0.0, 2.0, 5.5], [1.0, 9.0, 5.1], [2.0, 0.0, 5.9], [3.0, 5.0, 5.0], [-1.0, 7.0, 6.0]])
    error = ((model(x) - y) / torch.tensor([2.0, 5.0, 0.5])).double()
    assert model.loss_terms(x, y)["loss"].item() == pytest.approx((error**2).sum().item() / 15, rel=1e-5)
    with pytest.raises(ValueError, match=r"y has shape \(5, 2\) but what was read \(5, 3\)"):
        model.loss_terms(x, y[:, :2])


def test_it_learns_to_read():
    """The brightness of the left half and of the right half, each in its own unit."""
    x = (torch.rand(256, 1, 16, 16, generator=generator()) / 4).expand(-1, 2, -1, -1).clone()
    left, right = torch.rand(2, 256, generator=generator(1))
    x[:, :, :, :8] += left[:, None, None, None] / 2
    x[:, :, :, 8:] += right[:, None, None, None] / 2
    y = torch.stack([left * 100, right - 7], dim=1)
    torch.manual_seed(0)
    model = Regressor([(0, 100), (-7, -6)], hidden=4, num_features=16, image_shape=(2, 16, 16))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(8):
        for some in torch.arange(256).split(32):
            optimizer.zero_grad()
            model.loss_terms(x[some], y[some])["loss"].backward()
            optimizer.step()
    with torch.no_grad():
        wrong = (model.eval()(x) - y).square().mean(0) / y.var(0)
    assert wrong.max() < 0.3


def test_features_are_what_the_last_layer_reads():
    model, x = small().eval(), images()
    h = model.features(x)
    assert h.shape == (5, 9)
    assert h.min() >= 0
    said = h @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(model(x), torch.tensor([1.0, 5.0, 5.5]) + torch.tensor([2.0, 5.0, 0.5]) * said)
    assert model.features(images(0)).shape == (0, 9)
    assert model(images(0)).shape == (0, 3)


def test_config_builds_it_again():
    model = small().eval()
    again = Regressor(**model.config).eval()
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(images()), model(images()))
    assert model.double()(images().double()).dtype == torch.float64


@pytest.mark.parametrize(
    ("ranges", "options", "message"),
    [
        ([], {}, "give .low, high. with low < high for at least 1 number"),
        ([(1, 1)], {}, r"ranges are \[\(1, 1\)\]"),
        ([(0, 1, 2)], {}, "give .low, high. with low < high"),
        ([(0, 1)], {"image_shape": (3, 64, 40)}, "H and W must be divisible by 16"),
    ],
)
def test_bad_arguments(ranges, options, message):
    with pytest.raises(ValueError, match=message):
        Regressor(ranges, **options)


def test_bad_images():
    with pytest.raises(ValueError, match=r"images have shape \(5, 2, 48, 16\)"):
        small()(images().transpose(2, 3))
