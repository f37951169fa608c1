"""What to do with the codes of a style-based generator: truncate, mix, and find one for an image. Lesson 11."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from course_utils.inputs import at_least_float32
from course_utils.latents import model_device, model_dtype
from course_utils.models.gan import latents as gan_latents

SPACES = ("z", "w", "w+")


def truncate_w(w: Tensor, mean_w: Tensor, psi: float, *, layers: Iterable[int] | None = None) -> Tensor:
    """Codes moved towards the mean of w: likelier images, that are more alike.

    w' = mean_w + psi (w - mean_w)

    Args:
        w: Codes (B, D), or one a layer, (B, L, D).
        mean_w: Mean of w, (D,): the generator's ``mean_w``, or of many w. The w of the mean of z is another point.
        psi: 1 changes nothing, 0 gives the mean; below 0 lies the opposite of each code, above 1 a caricature.
        layers: For codes (B, L, D), the layers that are truncated; None for all.

    Returns:
        Codes of the shape of w.

    Raises:
        ValueError: Shapes that do not match, a psi that is not finite, or layers that the codes do not have.

    Source: Karras et al. 2019 (arXiv:1812.04948), app. B. Taught in lesson 11.

    Example:
        >>> truncate_w(torch.tensor([[3.0, 5.0]]), torch.tensor([1.0, 1.0]), 0.5)
        tensor([[2., 3.]])
    """
    if w.ndim not in (2, 3) or mean_w.shape != w.shape[-1:]:
        shapes = f"w has shape {tuple(w.shape)} and mean_w {tuple(mean_w.shape)}"
        raise ValueError(f"{shapes}: give (B, D) or (B, L, D), and (D,).")
    if not math.isfinite(psi):
        raise ValueError(f"psi is {psi}: give a finite number, for example 0.7.")
    mean_w = mean_w.to(w)
    truncated = mean_w + psi * (w - mean_w) if psi != 1 else w.clone()
    if layers is None:
        return truncated
    return mix_styles(w, truncated, layers)


def mix_styles(w_a: Tensor, w_b: Tensor, layers: Iterable[int], *, num_layers: int | None = None) -> Tensor:
    """Codes with the styles of w_b at some layers, and those of w_a at the others.

    Args:
        w_a: Codes (B, L, D); or one for all layers, (B, D), with ``num_layers``.
        w_b: Likewise; either may also be one code for the whole batch, B = 1.
        layers: Which layers take w_b, counted from 0, the coarsest.
        num_layers: L, ``generator.num_layers``; needed where both are (B, D).

    Returns:
        Codes (B, L, D).

    Raises:
        ValueError: Shapes that do not match, unknown L, or layers that there are not.

    Source: Karras et al. 2019, sec. 3.1. Taught in lesson 11.

    Example:
        >>> w_a, w_b = torch.zeros(1, 2), torch.ones(1, 2)
        >>> mix_styles(w_a, w_b, [2], num_layers=3)
        tensor([[[0., 0.],
                 [0., 0.],
                 [1., 1.]]])
    """
    lengths = {w.shape[1] for w in (w_a, w_b) if w.ndim == 3} | ({num_layers} if num_layers is not None else set())
    shapes = f"w_a has shape {tuple(w_a.shape)} and w_b {tuple(w_b.shape)}"
    if not lengths and w_a.ndim == w_b.ndim == 2:
        raise ValueError(f"{shapes}: say num_layers=generator.num_layers, or give one code a layer, (B, L, D).")
    if len(lengths) > 1 or {w_a.ndim, w_b.ndim} - {2, 3} or w_a.shape[-1] != w_b.shape[-1]:
        wanted = "" if num_layers is None else f" with L = {num_layers}"
        raise ValueError(f"{shapes}: give codes (B, D) or (B, L, D){wanted} that match.")
    if len(w_a) != len(w_b) and 1 not in (len(w_a), len(w_b)):
        raise ValueError(f"{shapes}: give equally many codes, or one for all.")
    (length,) = lengths
    chosen = sorted(set(layers))
    if any(not 0 <= layer < length for layer in chosen):
        raise ValueError(f"layers are {chosen}, but there are {length}: count them from 0 to {length - 1}.")
    takes = torch.zeros(length, 1, dtype=torch.bool, device=w_a.device)
    takes[chosen] = True
    w_a, w_b = (w if w.ndim == 3 else w[:, None] for w in (w_a, w_b))
    return torch.where(takes, w_b, w_a)


def invert(generator: nn.Module, x: Tensor, steps: int = 200, *, space: str = "w", **options) -> Tensor:
    """Find codes whose images are near the given ones, in z, in w or in w+, as `course_utils.models.gan.invert` does.

    In w and w+ the search counts from the mean of w in standard deviations, of each number of w over 1,000 draws: so
    its step length and its prior mean the same as in z, where codes have mean 0 and standard deviation 1. It starts at
    codes w of drawn z, in w+ the same for all layers.

    Args:
        generator: A `StyleGenerator`.
        x: Images (B, C, H, W) in [0, 1].
        steps: Adam steps of each search.
        space: "z"; "w", one code for all layers; or "w+", one a layer, which fits an image best and keeps least to
            what the mapping makes.
        options: As for `course_utils.models.gan.invert`: lr, restarts, candidates, prior, rng, progress, on_step.

    Returns:
        Codes (B, D) of z or w, or (B, L, D) of w+, without gradient.

    Raises:
        ValueError: An unknown space, or as for `course_utils.models.gan.invert`.

    Source: Karras et al. 2020, app. D, for w; Abdal, Qin and Wonka 2019, for w+. Taught in lesson 11.

    Example:
        >>> from course_utils.models.styles import StyleGenerator
        >>> generator = StyleGenerator(8, image_shape=(3, 16, 24), hidden=4).eval()
        >>> invert(generator, generator(torch.zeros(2, 8)), 3, space="w+").shape
        torch.Size([2, 3, 8])
    """
    if space not in SPACES:
        raise ValueError(f"space is {space!r}: use 'z', 'w' or 'w+'.")
    if space == "z":
        return gan_latents.invert(generator, x, steps, **options)
    with torch.inference_mode(False):  # what is made there could not be searched by gradients
        standard = _Standardised(generator, per_layer=space == "w+")
    return standard.w(gan_latents.invert(standard, x, steps, **options))


class _Standardised(nn.Module):
    """A generator whose codes are w in standard deviations from the mean."""

    def __init__(self, generator: nn.Module, *, per_layer: bool):
        super().__init__()
        self.generator, self.per_layer = generator, per_layer
        self.latent_shape = (generator.num_layers, *generator.latent_shape) if per_layer else generator.latent_shape
        w = self._drawn(1000, torch.Generator().manual_seed(0))
        self.mean, self.std = w.mean(dim=0), w.std(dim=0).clamp(min=1e-6)

    @torch.no_grad()
    def _drawn(self, n: int, rng: torch.Generator) -> Tensor:
        z = torch.randn(n, *self.generator.latent_shape, generator=rng, dtype=torch.float32)
        return at_least_float32(self.generator.map(z.to(model_device(self.generator), model_dtype(self.generator))))[0]

    def sample_latent(self, n: int, generator: torch.Generator) -> Tensor:
        """Codes of draws."""
        code = (self._drawn(n, generator) - self.mean) / self.std
        return code[:, None].repeat(1, self.generator.num_layers, 1) if self.per_layer else code

    def w(self, code: Tensor) -> Tensor:
        """w of codes, in the codes' format."""
        return (self.mean + self.std * code).to(code.dtype)

    def forward(self, code: Tensor) -> Tensor:
        return self.generator.synthesize(self.w(code))
