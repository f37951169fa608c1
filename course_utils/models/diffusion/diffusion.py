"""A denoiser and a schedule together are a latent model: over pixels, and over the codes of an autoencoder."""

import torch
from torch import Tensor, nn

from course_utils.inputs import at_least_float32, check_images, check_latents
from course_utils.latents import LatentModel, draw_normal
from course_utils.models.diffusion.codes import OverCodes
from course_utils.models.diffusion.conditions import drop_conditions, for_each, known_condition
from course_utils.models.diffusion.denoisers import MLPDenoiser, UNet
from course_utils.models.diffusion.noise_schedule import (
    PREDICTIONS,
    NoiseSchedule,
    q_sample,
    to_eps,
    v_from_x0_eps,
)
from course_utils.models.diffusion.sampling import guide, invert, sample


class _Denoising(nn.Module):
    """What diffusion over pixels and over codes have in common; see `Diffusion`."""

    denoiser: nn.Module
    schedule: NoiseSchedule
    latent_shape: tuple[int, ...]
    prediction: str
    num_classes: int
    condition_dim: int = 0
    steps: int

    def _set_up(self, schedule: str, num_steps: int, prediction: str, steps: int) -> None:
        if prediction not in PREDICTIONS:
            raise ValueError(f"prediction is {prediction!r}: use one of {', '.join(PREDICTIONS)}.")
        self.schedule = NoiseSchedule(schedule, num_steps)
        self.schedule.timesteps(steps)  # raises if there are not so many
        self.prediction, self.steps = prediction, steps

    def to_data(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to what is noised and cleaned, (B, *latent_shape)."""
        raise NotImplementedError

    def to_images(self, data: Tensor) -> Tensor:
        """The way back from `to_data`, to images in [0, 1]."""
        raise NotImplementedError

    def predict_eps(self, x_t: Tensor, t: Tensor, label: Tensor | None = None, guidance: float = 1.0) -> Tensor:
        """The estimated noise in x_t.

        Args:
            x_t: Noisy data (B, *latent_shape).
            t: Timesteps (B,), int64.
            label: Classes (B,), int64, or None for images of any class; or vectors (B, C) for a network of them.
            guidance: Strength of classifier-free guidance towards the label; see `guide`. Other than 1 costs twice.

        Returns:
            eps_hat (B, *latent_shape).
        """

        if len(x_t) == 0:
            return x_t  # the UNet cannot take an empty batch apart

        def eps(y: Tensor | None) -> Tensor:
            return to_eps(self.schedule, x_t, t, self.denoiser(x_t, t, y).to(x_t), self.prediction)

        if label is None or guidance == 1:
            return eps(label)
        return guide(eps(None), eps(label), guidance)

    def loss_of_data(
        self, data: Tensor, label: Tensor | None = None, *, drop: float = 0.1,
        generator: torch.Generator | None = None, min_snr: float | None = None,
    ) -> Tensor:  # fmt: skip
        """Squared error of the network's prediction at one random timestep an image, mean over all numbers; a scalar.

        Args:
            data: What is to be noised, (B, *latent_shape).
            label: Classes (B,), int64, or None; or vectors (B, C) for a network that takes them.
            drop: Share of them that are replaced by the null condition, so that the network can do without.
            generator: Source of timesteps, noise and dropped labels, on data's device; None is the global one.
            min_snr: Weight each image so that, in terms of x0, none counts more than this (Hang et al. 2023, eq. 8).

        Timesteps are stratified, one from each B-th of 0 ... T-1, in rising order: still uniform, but with less
        variance. So shuffle the examples anew for each call, as batches of a training are.
        """
        size, T = len(data), self.schedule.num_steps
        u = torch.empty(size, dtype=torch.float32, device=data.device).uniform_(generator=generator)
        t = ((torch.arange(size, device=data.device) + u) / size * T).long().clamp(max=T - 1)
        eps = torch.empty_like(data).normal_(generator=generator)
        if label is not None:
            label = drop_conditions(label, size, drop, num_classes=self.num_classes, generator=generator)
        x_t = q_sample(self.schedule, data, t, eps)
        output = self.denoiser(x_t, t, label)
        target = {"eps": lambda: eps, "x0": lambda: data, "v": lambda: v_from_x0_eps(self.schedule, data, t, eps)}
        output, wanted = at_least_float32(output, target[self.prediction]())
        error = (output - wanted).square().flatten(1).mean(1)  # (B,)
        if min_snr is not None:
            snr = self.schedule.snr()[t]
            per_x0 = {"eps": snr, "x0": torch.ones_like(snr), "v": snr + 1}[self.prediction]
            error = error * snr.clamp(max=min_snr) / per_x0
        return error.mean()

    def loss_terms(self, x: Tensor, label: Tensor | None = None) -> dict[str, Tensor]:
        """Images (B, C, H, W) in [0, 1], and their classes (B,) if it knows any, to {"loss"}; for `training.fit`."""
        return {"loss": self.loss_of_data(self.to_data(x), label)}

    def given(
        self, label: int | Tensor | None = None, guidance: float = 1.0, *, steps: int | None = None,
        clip: float | None = None, refine: int = 1, progress: bool = False,
    ) -> "GivenDiffusion":  # fmt: skip
        """The same model with its settings fixed: a LatentModel of one class, for example.

        Args:
            label: A class, or one for each image to come (B,); None is any class. A vector (C,) or (B, C) for a network
                that takes vectors.
            guidance: Strength of classifier-free guidance; see `guide`.
            steps: DDIM steps; by default the model's own.
            clip: As for `ddim_step`; codes and images then no longer correspond one to one.
            refine: Refinements of each step of the inversion in encode; see `invert`. 0 is the usual inversion; one
                costs as much again, and what is encoded comes back several times as close.
            progress: Show a progress bar.

        Returns:
            A view: it shares this model's weights.

        Raises:
            ValueError: A label that is no class, or steps out of range.

        Example:
            >>> model = Diffusion(channels=(8, 16), blocks=1, steps=2)
            >>> bags = model.given(8, guidance=2.0)
            >>> bags.decode(bags.sample_latent(3)).shape
            torch.Size([3, 1, 28, 28])
        """
        steps = self.steps if steps is None else steps
        return GivenDiffusion(self, label, guidance, steps, clip, refine, progress)

    def encode(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to the noise they come from, (B, *latent_shape), by DDIM inversion."""
        return self.given().encode(x)

    def decode(self, z: Tensor) -> Tensor:
        """Noise (B, *latent_shape) to images (B, C, H, W) in [0, 1], by DDIM; any class."""
        return self.given().decode(z)

    def sample_latent(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Noise (n, *latent_shape) from N(0, I); the generator must be on the model's device."""
        return draw_normal(self, n, generator)


class Diffusion(_Denoising):
    """A diffusion model of images: codes are noise images, DDIM decodes them, DDIM inversion encodes.

    Inside, images are scaled from [0, 1] to [-1, 1].

    Args:
        image_shape: (C, H, W), as `UNet` takes it.
        num_classes: Classes it can be told; 0 for none.
        channels, blocks, patch: Of the `UNet`.
        schedule: "cosine" or "linear"; see `NoiseSchedule`.
        num_steps: T, the timesteps of training.
        prediction: What the network is trained to say: "v", "eps" or "x0".
        steps: DDIM steps of encode and decode.

    Attributes:
        denoiser: The `UNet`.
        schedule: The `NoiseSchedule`.
        latent_shape: The shape of an image: nothing is compressed.
        config: The arguments above, from which the same architecture can be built again.

    Raises:
        ValueError: A setting out of range.

    Source: Ho, Jain and Abbeel 2020; Song, Meng and Ermon 2021; Salimans and Ho 2022 for v. Taught in lesson 12.

    Example:
        >>> model = Diffusion(channels=(8, 16), blocks=1, steps=2)
        >>> model.decode(model.sample_latent(3)).shape
        torch.Size([3, 1, 28, 28])
    """

    def __init__(
        self, *, image_shape: tuple[int, int, int] = (1, 28, 28), num_classes: int = 10,
        channels: tuple[int, ...] = (64, 128), blocks: int = 2, patch: int = 2, schedule: str = "cosine",
        num_steps: int = 1000, prediction: str = "v", steps: int = 20,
    ):  # fmt: skip
        super().__init__()
        self.config = {
            "image_shape": tuple(image_shape), "num_classes": num_classes, "channels": tuple(channels),
            "blocks": blocks, "patch": patch, "schedule": schedule, "num_steps": num_steps, "prediction": prediction,
            "steps": steps,
        }  # fmt: skip
        self._set_up(schedule, num_steps, prediction, steps)
        self.latent_shape = self.image_shape = tuple(image_shape)
        self.num_classes = num_classes
        self.denoiser = UNet(self.image_shape, channels=channels, blocks=blocks, num_classes=num_classes, patch=patch)

    def to_data(self, x: Tensor) -> Tensor:
        """Images in [0, 1] to the same in [-1, 1]."""
        check_images(x, self.image_shape, next(self.parameters()).dtype)
        return 2 * x - 1

    def to_images(self, data: Tensor) -> Tensor:
        """Images in [-1, 1], perhaps a little beyond, to [0, 1]."""
        return ((data + 1) / 2).clamp(0, 1)


class CodeDiffusion(OverCodes, _Denoising):
    """Diffusion over vectors, such as the codes of a compressor: small, for codes say more than as many pixels.

    Noise and codes have the same shape. With a compressor, ``model.over(compressor)``, it makes images.

    Args:
        latent_dim: D, the length of a code.
        num_classes: Classes it can be told; 0 for none.
        condition_dim: C where it is told vectors (C,) in place of classes; else 0.
        hidden, blocks: Of the `MLPDenoiser`.
        schedule, num_steps, prediction, steps: As for `Diffusion`.

    Attributes:
        latent_shape: (D,): the noise has the shape of a code.
        code_mean, code_std: What codes are standardised by; 0 and 1 until `set_codes`.
        config: The arguments above, from which the same architecture can be built again.

    Raises:
        ValueError: A setting out of range.

    Source: Rombach et al. 2022. Taught in lesson 14.

    Example:
        >>> model = CodeDiffusion(6, condition_dim=3, hidden=16, steps=4)
        >>> model.given(torch.tensor([0.0, 1.0, 0.0]), guidance=2.0).decode(model.sample_latent(5)).shape
        torch.Size([5, 6])
    """

    def __init__(
        self, latent_dim: int, *, num_classes: int = 0, condition_dim: int = 0, hidden: int = 512, blocks: int = 3,
        schedule: str = "cosine", num_steps: int = 1000, prediction: str = "v", steps: int = 20,
    ):  # fmt: skip
        super().__init__()
        self.config = {
            "latent_dim": latent_dim, "num_classes": num_classes, "condition_dim": condition_dim, "hidden": hidden,
            "blocks": blocks, "schedule": schedule, "num_steps": num_steps, "prediction": prediction, "steps": steps,
        }  # fmt: skip
        self._set_up(schedule, num_steps, prediction, steps)
        self._set_up_codes((latent_dim,))
        self.num_classes, self.condition_dim = num_classes, condition_dim
        self.denoiser = MLPDenoiser(
            latent_dim, hidden=hidden, blocks=blocks, num_classes=num_classes, condition_dim=condition_dim
        )


class LatentDiffusion(OverCodes, _Denoising):
    """Diffusion over the codes of an autoencoder: compress first, and the network that cleans can be far smaller.

    Args:
        autoencoder: Any LatentModel with codes (D,). It is used as it is and not trained.
        codes: Codes of the training images (N, D), whose mean and spread scale the codes to the size of the noise.
        num_classes, schedule, num_steps, prediction, steps: As for `Diffusion`.
        hidden, blocks: Of the `MLPDenoiser`.

    Attributes:
        latent_shape: (D,): the noise has the shape of a code.
        compressor: The autoencoder.

    Raises:
        ValueError: The autoencoder's codes are no vectors, codes have another shape, or a setting is out of range.

    Source: Rombach et al. 2022. Taught in lessons 12 and 14.
    """

    def __init__(
        self, autoencoder: LatentModel, codes: Tensor, *, num_classes: int = 10, hidden: int = 512, blocks: int = 3,
        schedule: str = "cosine", num_steps: int = 1000, prediction: str = "v", steps: int = 20,
    ):  # fmt: skip
        super().__init__()
        check_latents(codes, autoencoder.latent_shape)
        if len(autoencoder.latent_shape) != 1:
            raise ValueError(
                f"the autoencoder's codes have shape {autoencoder.latent_shape}: they must be vectors (D,)."
            )
        self._set_up(schedule, num_steps, prediction, steps)
        self._set_up_codes(autoencoder.latent_shape, autoencoder)
        self.set_codes(codes)
        self.num_classes = num_classes
        self.denoiser = MLPDenoiser(self.latent_shape[0], hidden=hidden, blocks=blocks, num_classes=num_classes)


class GivenDiffusion(nn.Module):
    """A diffusion model with class, guidance and steps fixed; made by ``model.given(...)``. A LatentModel.

    Attributes:
        latent_shape: The model's.
    """

    def __init__(self, model, label, guidance, steps, clip, refine, progress):
        super().__init__()
        label = known_condition(label, model.num_classes, model.condition_dim)
        model.schedule.timesteps(steps)  # raises if there are not so many
        self.model, self.latent_shape, self.label, self.guidance = model, model.latent_shape, label, guidance
        self.steps, self.clip, self.refine, self.progress = steps, clip, refine, progress

    def predict(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Noisy data (B, *latent_shape) and timesteps (B,) to the guided noise estimate, for `sample` and `invert`."""
        return self.model.predict_eps(x_t, t, for_each(self.label, x_t), self.guidance)

    def encode(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to the noise they come from, (B, *latent_shape), by DDIM inversion."""
        data = self.model.to_data(x)
        options = {"steps": self.steps, "refine": self.refine, "progress": self.progress}
        return invert(self.model.schedule, self.predict, data, **options)

    def decode(self, z: Tensor) -> Tensor:
        """Noise (B, *latent_shape) to images (B, C, H, W) in [0, 1], by DDIM."""
        check_latents(z, self.latent_shape, next(self.parameters()).dtype)
        options = {"steps": self.steps, "clip": self.clip, "progress": self.progress}
        return self.model.to_images(sample(self.model.schedule, self.predict, z, **options))

    def sample_latent(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Noise (n, *latent_shape) from N(0, I); the generator must be on the model's device."""
        return self.model.sample_latent(n, generator)
