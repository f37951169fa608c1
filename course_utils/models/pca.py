"""Principal component analysis: the best linear latent space. Lesson 01 builds it step by step."""

import math

import torch
from torch import Tensor, nn

from course_utils.inputs import as_floats, at_least_float32, check_images, check_latents, images_of
from course_utils.latents import draw_normal, model_device


class PCA(nn.Module):
    """Codes are coordinates along the directions in which the data vary most.

    With the centred data in the rows of X = U S V^T, the components are the first rows of V^T, a code is
    z = (x - mean) V, and x_hat = z V^T + mean. No other linear map to latent_dim numbers reconstructs better.

    Args:
        latent_dim: D, the number of components kept.

    Attributes:
        latent_shape: (latent_dim,).
        mean: The average image as a vector, (C*H*W,).
        components: Orthonormal rows, (latent_dim, C*H*W); the sign of each makes its largest entry positive.
        explained_variance: Variance of the data along each component (with N - 1), (latent_dim,).
        explained_variance_ratio: The same as a fraction of the total variance, (latent_dim,).

    Source: Pearson 1901; Eckart and Young 1936. Taught in lesson 01.

    Example:
        >>> pca = PCA(2).fit(torch.rand(50, 1, 4, 6))
        >>> pca.encode(torch.rand(3, 1, 4, 6)).shape
        torch.Size([3, 2])
    """

    def __init__(self, latent_dim: int, *, image_shape: tuple[int, int, int] | None = None):
        super().__init__()
        if latent_dim < 1:
            raise ValueError(f"latent_dim is {latent_dim}: keep at least 1 component.")
        self.latent_shape, self.image_shape = (latent_dim,), image_shape and tuple(image_shape)
        self.config = {"latent_dim": latent_dim, "image_shape": self.image_shape}
        for name in ("mean", "components", "explained_variance", "explained_variance_ratio"):
            self.register_buffer(name, None)

    def _load_from_state_dict(self, state_dict, prefix, *rest) -> None:
        for name in self._buffers:  # which have no size before fit; the weights to be loaded have one
            if prefix + name in state_dict:
                self._buffers[name] = torch.empty_like(state_dict[prefix + name], device=model_device(self))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def fit(self, images, *, device: str | torch.device = "cpu") -> "PCA":
        """Find the components by a singular value decomposition.

        Args:
            images: An ImageSet, or a tensor (N, C, H, W): uint8, or float in [0, 1].
            device: Where to compute, and where the model then lives.

        Returns:
            The model itself.

        Raises:
            ValueError: There are fewer than 2 images, or fewer images or pixels than components, or all are the same,
                or pixels lie outside [0, 1].
            TypeError: images are neither an ImageSet nor a tensor of bytes or floats.
        """
        images = images_of(images)
        if len(images) < 2:
            raise ValueError(f"PCA needs at least 2 images, but there are {len(images)}.")
        limit = min(len(images), math.prod(images.shape[1:]))
        if self.latent_shape[0] > limit:
            raise ValueError(f"latent_dim is {self.latent_shape[0]}, but {tuple(images.shape)} allows at most {limit}.")
        x = images.to(device).flatten(1)
        (x,) = at_least_float32(as_floats(x) if x.dtype == torch.uint8 else x)
        if (x == x[0]).all():
            raise ValueError(f"all {len(x)} images are the same: there is no direction in which they vary.")
        self.image_shape = self.config["image_shape"] = tuple(images.shape[1:])
        self.mean = x.mean(dim=0)
        _, s, vt = torch.linalg.svd(x - self.mean, full_matrices=False)
        vt = vt[: self.latent_shape[0]]
        largest = vt.gather(1, vt.abs().argmax(dim=1, keepdim=True))
        self.components = (vt * largest.sign()).contiguous()  # the SVD leaves each sign open
        variance = s.square() / (len(x) - 1)
        self.explained_variance = variance[: self.latent_shape[0]]
        self.explained_variance_ratio = self.explained_variance / variance.sum()
        return self

    def _require_fit(self) -> None:
        if self.components is None:
            raise RuntimeError("this PCA has no components yet: call fit(images) first.")

    def encode(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to codes (B, D)."""
        self._require_fit()
        check_images(x, self.image_shape, self.mean.dtype)
        return (x.flatten(1) - self.mean) @ self.components.T

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, D) to images (B, C, H, W), clipped to [0, 1] (a linear map can leave that range)."""
        self._require_fit()
        check_latents(z, self.latent_shape, self.mean.dtype)
        return (z @ self.components + self.mean).unflatten(1, self.image_shape).clamp(0, 1)

    def reconstruct(self, x: Tensor, num_components: int) -> Tensor:
        """Encode, keep the first num_components numbers of each code, and decode.

        Args:
            x: Images (B, C, H, W) in [0, 1].
            num_components: 0 (which gives the average image) to latent_dim.

        Returns:
            Images of the same shape, in [0, 1].

        Raises:
            ValueError: num_components is out of range.
        """
        if not 0 <= num_components <= self.latent_shape[0]:
            raise ValueError(f"num_components is {num_components}: use 0 to {self.latent_shape[0]}.")
        z = self.encode(x).clone()
        z[:, num_components:] = 0
        return self.decode(z)

    def sample_latent(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw codes (n, D) from N(0, diag(explained_variance)), the Gaussian with the data's variances."""
        self._require_fit()
        return draw_normal(self, n, generator) * self.explained_variance.sqrt()
