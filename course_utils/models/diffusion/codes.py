"""Models over the codes of a compressor: codes of the size of the noise, and the way from there to images."""

import copy

import torch
from torch import Tensor, nn

from course_utils.inputs import check_latents, numbers
from course_utils.latents import LatentModel, model_dtype, reading


class OverCodes(nn.Module):
    """What diffusion and flows over codes have in common: standardised codes, and a compressor that makes images.

    A model with this base calls ``_set_up_codes`` before its own parts are built.

    Attributes:
        latent_shape: Shape of a code, and of the noise.
        code_mean, code_std: By which codes are standardised, both of latent_shape; 0 and 1 until `set_codes`. They are
            stored with the weights.
        compressor: The LatentModel whose codes these are, or None: then the model makes codes, not images.

    Taught in lessons 12 and 14.
    """

    def _set_up_codes(self, latent_shape: tuple[int, ...], compressor: LatentModel | None = None) -> None:
        self.latent_shape = tuple(latent_shape)
        self._set_compressor(compressor)
        self.register_buffer("code_mean", torch.zeros(self.latent_shape, dtype=torch.float32))
        self.register_buffer("code_std", torch.ones(self.latent_shape, dtype=torch.float32))

    def _set_compressor(self, compressor: LatentModel | None) -> None:
        if compressor is not None and tuple(compressor.latent_shape) != self.latent_shape:
            raise ValueError(
                f"the compressor's codes have shape {tuple(compressor.latent_shape)}, but this model makes codes of "
                f"shape {self.latent_shape}: give the compressor that its codes came from."
            )
        self._modules.pop("compressor", None)  # what is no module could not take a module's place
        self.compressor = compressor

    @torch.no_grad()
    def set_codes(self, codes: Tensor) -> None:
        """Standardise codes by the mean and spread of these from now on, each number of a code by itself.

        Args:
            codes: Codes of the training images (N, *latent_shape), N at least 2.

        Raises:
            ValueError: Codes of another shape, fewer than 2, or not finite.
        """
        check_latents(codes, self.latent_shape)
        if len(codes) < 2:
            raise ValueError(f"there are {len(codes)} codes: their standard deviation needs at least 2.")
        codes = numbers(codes, "codes")
        self.code_mean.copy_(codes.mean(dim=0))
        self.code_std.copy_(codes.std(dim=0).clamp(min=1e-6))

    def standardize(self, codes: Tensor) -> Tensor:
        """Codes (B, *latent_shape), each number with mean 0 and standard deviation 1 over the training images."""
        return (codes - self.code_mean) / self.code_std

    def to_data(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1], or codes where there is no compressor, to standardised codes.

        The compressor only reads: it is in evaluation mode and gets no gradients, for a loss over its codes is smallest
        where they all are alike.
        """
        if self.compressor is None:
            check_latents(x, self.latent_shape, model_dtype(self))
            return self.standardize(x)
        with torch.no_grad(), reading(self.compressor):
            codes = self.compressor.encode(x)
        return self.standardize(codes)

    def to_images(self, data: Tensor) -> Tensor:
        """Standardised codes to images (B, C, H, W) in [0, 1], or to codes where there is no compressor."""
        codes = data * self.code_std + self.code_mean
        return codes if self.compressor is None else self.compressor.decode(codes)

    def over(self, compressor: LatentModel):
        """The same model with a compressor, so that it encodes and decodes images.

        Args:
            compressor: The LatentModel whose codes it was trained on, on the same device.

        Returns:
            A view: it shares this model's weights. It is not for storing: store this model, which is smaller.

        Raises:
            ValueError: Its codes have another shape.
        """
        view = copy.copy(self)
        view._modules = dict(self._modules)  # so that the compressor becomes a part of the view alone
        view._set_compressor(compressor)
        if hasattr(self, "config"):
            view.config = self.config | {"compressor": compressor}
        return view
