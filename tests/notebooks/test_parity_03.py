"""What lesson 03 defines inline is what the package computes."""

import ast

import pytest
import torch
from lesson_cells import lesson_cells, lesson_namespace

from course_utils import metrics
from course_utils.data.corruptions import gaussian_noise
from course_utils.losses import squared_error
from course_utils.models.autoencoder import DenoisingAutoencoder, SparseAutoencoder

SHAPE = (1, 4, 7)  # not square


@pytest.fixture(scope="module")
def lesson():
    """The definitions of the lesson: cells that define and train nothing."""
    cells = ("corruption-exercise", "denoising-loss-exercise", "top-k-exercise", "auroc-exercise")
    return lesson_namespace("03", "imports", *cells)


@pytest.fixture
def x():
    return torch.rand(6, *SHAPE, generator=torch.Generator().manual_seed(1))


def cell_function(cell: str, name: str, **values):
    """One function of a cell that goes on to use data: only its definition runs."""
    tree = ast.parse(lesson_cells("03")[cell])
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    exec(compile(tree, f"<cell {cell}>", "exec"), values)
    return values[name]


def test_corruption(lesson, x):
    torch.manual_seed(11)
    expected = gaussian_noise(x, 0.4)
    torch.manual_seed(11)
    torch.testing.assert_close(lesson["corrupt"](x, torch.full((len(x),), 0.4)), expected)


def test_corruption_has_a_strength_for_each_image(lesson, x):
    strength = torch.tensor([0.0, 0.1, 0.2, 0.5, 1.0, 2.0])
    torch.manual_seed(12)
    noisy = lesson["corrupt"](x, strength)
    for image, clean, s in zip(noisy, x, strength.tolist(), strict=True):
        assert torch.equal(image, clean) == (s == 0)
    torch.manual_seed(12)
    last = gaussian_noise(x, 2.0)[-1]  # the same numbers drawn
    torch.testing.assert_close(noisy[-1], last)


def test_denoising_loss(lesson, x):
    model = DenoisingAutoencoder(3, hidden=8, image_shape=SHAPE, corruption="gaussian_noise", strength=0.4)
    torch.manual_seed(11)
    expected = model.loss_terms(x)["loss"]
    torch.manual_seed(11)
    torch.testing.assert_close(lesson["denoising_loss"](model, x, lambda x: gaussian_noise(x, 0.4)), expected)


def test_keep_top_k_and_the_penalty(lesson, x):
    whole = SparseAutoencoder(9, hidden=8, image_shape=SHAPE, l1=0.3)
    sparse = SparseAutoencoder(9, hidden=8, image_shape=SHAPE, l1=0.3, k=2)
    sparse.load_state_dict(whole.state_dict())
    z = whole.encode(x)
    torch.testing.assert_close(lesson["keep_top_k"](z, 2), sparse.encode(x))
    assert (sparse.encode(x) > 0).sum() < (z > 0).sum(), "this case is meant to switch units off"
    l1_loss = cell_function("l1-sweep", "l1_loss", squared_error=squared_error)
    torch.testing.assert_close(l1_loss(0.3)(whole, x)["loss"], whole.loss_terms(x)["loss"])


def test_auroc_with_ties(lesson):
    g = torch.Generator().manual_seed(2)
    scores, positive = torch.randn(37, generator=g).mul(2).round(), torch.rand(37, generator=g) < 0.3
    assert lesson["auroc"](scores, positive).item() == pytest.approx(metrics.auroc(scores, positive), abs=1e-6)


def test_psnr(x):
    psnr = cell_function("strengths-figure", "psnr", torch=torch)
    x_hat = (x + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(4))).clamp(0, 1)
    torch.testing.assert_close(psnr(x_hat, x), metrics.psnr(x_hat, x))
