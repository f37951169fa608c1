"""The numbers on a reference model's card."""

import statistics

import torch
from torch import Tensor, nn

from course_utils.data import ImageSet
from course_utils.latents import model_device, reading
from course_utils.losses import iwae_bound
from course_utils.metrics import image_features, sample_quality
from course_utils.models.vae import VAE


def spread(metrics: list[dict[str, float]]) -> dict[str, dict]:
    """How numbers vary over the seeds.

    Args:
        metrics: One dictionary a seed, as `evaluate` gives it.

    Returns:
        For each number its "values" in the order given, their "mean", and "std", the standard deviation (with n - 1).

    Example:
        >>> spread([{"test_kl": 1.0}, {"test_kl": 3.0}])["test_kl"]["mean"]
        2.0
    """
    values = {term: [one[term] for one in metrics] for term in metrics[0]}
    return {
        term: {
            "values": numbers,
            "mean": float(f"{statistics.mean(numbers):.6g}"),
            "std": float(f"{statistics.stdev(numbers):.3g}"),
        }
        for term, numbers in values.items()
    }


def quality_beside_floor(draws: Tensor, others: ImageSet, test: ImageSet, reader: nn.Module) -> dict[str, float]:
    """How good generated images are, and what as many real ones score.

    Args:
        draws: Generated images, (N, C, H, W) in [0, 1].
        others: N real images that are not among the test images. Equally many, for the Frechet distance of few images
            is larger, also between real ones.
        test: Real images that the model was not trained on; best N too.
        reader: The model whose features are compared, see `course_utils.metrics.image_features`.

    Returns:
        "frechet", "precision", "recall", "density" and "coverage", as `course_utils.metrics.sample_quality`; and the
        same numbers of the real ones, with "floor_" before the name.
    """
    real = image_features(test, reader)
    floor = sample_quality(others, real, reader)
    return sample_quality(draws, real, reader) | {f"floor_{name}": value for name, value in floor.items()}


@torch.no_grad()
def evaluate(model: nn.Module, test: ImageSet, batch_size: int = 500, *, iwae_samples: int = 0) -> dict[str, float]:
    """The numbers on a reference model's card.

    Args:
        model: A trained model.
        test: Images it has not seen.
        batch_size: Images measured at a time.
        iwae_samples: Samples of the importance-weighted bound of a VAE; 0 leaves it out.

    Returns:
        "test_mse": mean squared error of a pixel when decoding the code of the image itself; and for a VAE
        "test_negative_elbo", "test_recon" and "test_kl" in nats an image, from one posterior sample each (seed 0), and
        "test_negative_iwae_K", the bound from K = iwae_samples samples.
    """
    device = model_device(model)
    generator = torch.Generator(device).manual_seed(0)
    squared, sums, bound = 0.0, {}, 0.0
    with reading(model):
        for x in test.batches(batch_size, device=device):
            squared += (model.decode(model.encode(x)) - x).square().mean().item() * len(x)
            if isinstance(model, VAE):
                for term, value in model.loss_terms(x, generator).items():
                    sums[term] = sums.get(term, 0.0) + value.item() * len(x)
        if iwae_samples:
            for x in test.batches(100, device=device):
                bound += iwae_bound(model, x, iwae_samples, chunk=10, generator=generator).sum().item()
    metrics = {"test_mse": squared / len(test)}
    if sums:
        recon, kl = sums["recon"] / len(test), sums["kl"] / len(test)
        metrics |= {"test_negative_elbo": recon + kl, "test_recon": recon, "test_kl": kl}
    if iwae_samples:
        metrics[f"test_negative_iwae_{iwae_samples}"] = -bound / len(test)
    return {name: float(f"{value:.5g}") for name, value in metrics.items()}
