"""The classifier in whose features samples are measured."""

import pytest
import torch

from course_utils.data import ImageSet, fashion_mnist
from course_utils.metrics import (
    sample_quality,
)
from course_utils.models.classifier import Classifier


def test_reference_tells_clothes_from_noise():
    """In the shipped classifier's features: real against real, blurred, and noise, in this order."""
    from course_utils.checkpoints import load_reference

    classifier = load_reference("classifier_fashion")
    train, test = fashion_mnist("train", limit=1000), fashion_mnist("test", limit=1000)
    blurred = torch.nn.functional.avg_pool2d(train.pixels(), 3, stride=1, padding=1)
    noise = ImageSet((torch.rand(1000, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 255).byte(),
                     torch.zeros(1000, dtype=torch.int64), ("noise",))  # fmt: skip
    same, soft, bad = (sample_quality(images, test, classifier) for images in (train, blurred, noise))
    assert 10 * same["frechet"] < soft["frechet"] < bad["frechet"] / 2
    assert min(same["precision"], same["recall"], same["coverage"]) > 0.7
    assert max(bad["recall"], bad["coverage"]) < 0.1  # precision is fooled: noise lies in a few huge balls


# ------------------------------------------------------------------------------------- the classifier itself


def test_classifier_shapes_and_loss():
    torch.manual_seed(0)
    model = Classifier(4, num_features=9, hidden=6, image_shape=(3, 12, 20)).eval()
    x, y = torch.rand(5, 3, 12, 20), torch.tensor([0, 3, 1, 1, 2])
    assert model.features(x).shape == (5, 9)
    assert model.features(x).min() >= 0
    log_p = torch.log_softmax(model(x).double(), 1)
    terms = model.loss_terms(x, y)
    assert terms["loss"].item() == pytest.approx(-log_p[range(5), y].mean().item(), rel=1e-5)
    assert terms["accuracy"].item() == pytest.approx((model(x).argmax(1) == y).float().mean().item())
    assert not terms["accuracy"].requires_grad


@pytest.mark.parametrize("options", [{"image_shape": (1, 28, 30)}, {"num_classes": 1}])
def test_classifier_refuses(options):
    with pytest.raises(ValueError, match="must be divisible by 4|at least 2 to tell apart"):
        Classifier(**options)


def test_labels_of_any_whole_numbers_and_no_others():
    torch.manual_seed(0)
    model, x = Classifier(3, hidden=4, image_shape=(1, 8, 12)).eval(), torch.rand(2, 1, 8, 12)
    expected = model.loss_terms(x, torch.tensor([2, 0]))["loss"]
    assert torch.equal(model.loss_terms(x, torch.tensor([2, 0], dtype=torch.uint8))["loss"], expected)
    for bad in (-100, 3):  # cross_entropy would leave -100 out without a word
        with pytest.raises(ValueError, match=f"y reach from .*{bad}.* but classes are counted from 0 to 2"):
            model.loss_terms(x, torch.tensor([0, bad]))
    with pytest.raises(TypeError, match="y are torch.float32 but must be whole numbers"):
        model.loss_terms(x, torch.tensor([0.0, 1.0]))


def test_no_images_have_no_features():
    assert Classifier(3, hidden=4, image_shape=(1, 8, 12)).features(torch.zeros(0, 1, 8, 12)).shape == (0, 64)
