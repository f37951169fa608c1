"""What lesson 03 defines inline is what the package computes."""

import ast

import pytest
import torch
from lesson_cells import lesson_cells, lesson_namespace

from course_utils import metrics
from course_utils.models.autoencoder import DenoisingAutoencoder, SparseAutoencoder

SHAPE = (1, 4, 7)  # not square


@pytest.fixture(scope="module")
def lesson():
    """The definitions of the lesson: cells that define and train nothing."""
    cells = ("denoising-loss-exercise", "sparsity-penalty-exercise", "top-k-exercise", "auroc-exercise")
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


def test_denoising_loss(lesson, x):
    model = DenoisingAutoencoder(3, hidden=8, image_shape=SHAPE, corruption="gaussian_noise", strength=0.4)
    torch.manual_seed(11)
    expected = model.loss_terms(x)["loss"]
    torch.manual_seed(11)
    torch.testing.assert_close(lesson["denoising_loss"](model, x, 0.4), expected)


def test_keep_top_k_and_sparsity_penalty(lesson, x):
    whole = SparseAutoencoder(9, hidden=8, image_shape=SHAPE, l1=0.3)
    sparse = SparseAutoencoder(9, hidden=8, image_shape=SHAPE, l1=0.3, k=2)
    sparse.load_state_dict(whole.state_dict())
    z = whole.encode(x)
    torch.testing.assert_close(lesson["keep_top_k"](z, 2), sparse.encode(x))
    assert (sparse.encode(x) > 0).sum() < (z > 0).sum(), "this case is meant to switch units off"
    torch.testing.assert_close(lesson["sparsity_penalty"](z), whole.loss_terms(x)["l1"])


def test_auroc_with_ties(lesson):
    g = torch.Generator().manual_seed(2)
    scores, positive = torch.randn(37, generator=g).mul(2).round(), torch.rand(37, generator=g) < 0.3
    assert lesson["auroc"](scores, positive).item() == pytest.approx(metrics.auroc(scores, positive), abs=1e-6)


def test_roc_curve_with_ties():
    roc = cell_function("roc-figure", "roc", torch=torch)
    g = torch.Generator().manual_seed(3)
    scores, positive = torch.randn(37, generator=g).mul(2).round(), torch.rand(37, generator=g) < 0.3
    for ours, theirs in zip(roc(scores, positive), metrics.roc_curve(scores, positive), strict=True):
        torch.testing.assert_close(ours.double(), theirs)


def test_psnr(x):
    psnr = cell_function("restore-figure", "psnr", torch=torch)
    x_hat = (x + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(4))).clamp(0, 1)
    torch.testing.assert_close(psnr(x_hat, x), metrics.psnr(x_hat, x))


def test_active_fraction(x):
    active_fraction = cell_function("active-fraction", "active_fraction", torch=torch)
    z = SparseAutoencoder(9, hidden=8, image_shape=SHAPE, k=2).encode(x)
    torch.testing.assert_close(active_fraction(z), metrics.active_fraction(z))
