"""A velocity field as a latent model: its codes are noise, an ordinary differential equation carries them to data."""

import torch
from torch import Tensor, nn

from course_utils.inputs import check_latents
from course_utils.latents import LatentModel, draw_normal, model_dtype
from course_utils.models.diffusion.caption_denoisers import CaptionUNet
from course_utils.models.diffusion.codes import OverCodes
from course_utils.models.diffusion.conditions import drop_conditions, for_each, known_condition
from course_utils.models.diffusion.denoisers import MLPDenoiser
from course_utils.models.diffusion.sampling import guide
from course_utils.models.flow.paths import draw_times, flow_matching_loss
from course_utils.models.flow.steps import check_method, flow_times, integrate

TICKS = 1000  # the networks tell times apart that lie about 1 apart, as timesteps of diffusion do


class FlowModel(OverCodes):
    """A flow: codes are noise, its equation d x / d t = velocity(x, t) decodes them, and backwards it encodes.

    It makes vectors, points of a plane or codes of a compressor, or codes with places. With the compressor,
    ``flow.over(compressor)``, it makes images.

    Args:
        latent_shape: Shape of what it makes: D or (D,), or (C, H, W); another shape needs a network of its own.
        num_classes: Classes it can be told; 0 for none.
        condition_dim: C where it is told vectors (C,) in place of classes, such as what a caption says; else 0.
        hidden, blocks: Of the `MLPDenoiser` that says the velocity of vectors.
        channels: Of the `CaptionUNet` that says the velocity of codes (C, H, W). It is told the tokens of captions.
        times: How times are drawn in training, see `draw_times`.
        steps: Steps of encode and decode.
        method: "euler" or "heun".
        network: Another network, called as network(x_t, 1000 t, condition), condition None being the null condition. It
            may have num_classes or condition_dim, which then count, else those above; without any it takes any
            condition, but labels to train on need num_classes. Not stored on a card.
        compressor: The LatentModel whose codes it makes, or None.

    Attributes:
        latent_shape: Shape of the noise, and of what it makes.
        code_mean, code_std: What data are standardised by; 0 and 1 until `set_codes`.
        config: The arguments above, from which the same architecture can be built again.

    Raises:
        ValueError: A setting out of range.

    Source: Lipman et al. 2023 (arXiv:2210.02747); Liu et al. 2023 (arXiv:2209.03003). Taught in lesson 14.

    Example:
        >>> flow = FlowModel(6, condition_dim=3, hidden=16, steps=4)
        >>> flow.given(torch.tensor([0.0, 1.0, 0.0]), guidance=2.0).decode(flow.sample_latent(5)).shape
        torch.Size([5, 6])
    """

    def __init__(
        self, latent_shape: int | tuple[int, ...], *, num_classes: int = 0, condition_dim: int = 0, hidden: int = 512,
        blocks: int = 3, channels: tuple[int, ...] = (64, 128), times: str = "uniform", steps: int = 20,
        method: str = "euler", network: nn.Module | None = None, compressor: LatentModel | None = None,
    ):  # fmt: skip
        super().__init__()
        shape = (latent_shape,) if isinstance(latent_shape, int) else tuple(latent_shape)
        self.config = {
            "latent_shape": shape, "num_classes": num_classes, "condition_dim": condition_dim, "hidden": hidden,
            "blocks": blocks, "times": times, "steps": steps, "method": method,
        }  # fmt: skip
        if len(shape) == 3:
            self.config["channels"] = tuple(channels)
        own = {"network": network, "compressor": compressor}
        self.config |= {name: part for name, part in own.items() if part is not None}
        draw_times(1, times)  # raises for another kind
        _check_steps(steps, method)
        self._set_up_codes(shape, compressor)
        self.times, self.steps, self.method = times, steps, method
        if network is None:
            told = {"num_classes": num_classes, "condition_dim": condition_dim}
            network = _network_for(shape, told, hidden=hidden, blocks=blocks, channels=tuple(channels))
        self.network = network
        self.num_classes = getattr(network, "num_classes", num_classes)
        self.condition_dim = getattr(network, "condition_dim", condition_dim)

    def velocity(self, x_t: Tensor, t: Tensor, condition: Tensor | None = None, guidance: float = 1.0) -> Tensor:
        """Where x_t goes: an estimate of the mean of x1 - x0 over all straight paths that pass through x_t.

        Args:
            x_t: Points (B, *latent_shape), standardised.
            t: Times (B,), floats in [0, 1].
            condition: Classes (B,) int64, or vectors (B, C), or None for any.
            guidance: Strength of classifier-free guidance towards the condition; see
                `course_utils.models.diffusion.guide`. Other than 1 costs twice.

        Returns:
            Velocities (B, *latent_shape).
        """
        if len(x_t) == 0:
            return x_t

        def field(which: Tensor | None) -> Tensor:
            return self.network(x_t, TICKS * t, which).to(x_t)

        if condition is None or guidance == 1:
            return field(condition)
        return guide(field(None), field(condition), guidance)

    def loss_of_data(
        self, x1: Tensor, condition: Tensor | None = None, *, x0: Tensor | None = None, drop: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> Tensor:  # fmt: skip
        """The flow-matching loss, mean over all numbers; a scalar. See `flow_matching_loss`.

        Args:
            x1: Standardised data (B, *latent_shape).
            condition: One tensor: classes (B,) int64, vectors (B, C), or for a network of captions tokens (B, T) int64,
                which say by themselves which of them count; or None.
            x0: Their noise, for reflow; None draws it.
            drop: Share of the conditions that are replaced by the null condition, so that the network can do without.
            generator: Source of times, noise and dropped conditions, on x1's device; None is the global one.
        """
        t = draw_times(len(x1), self.times, generator=generator, device=x1.device)
        if condition is not None:
            condition = drop_conditions(condition, len(x1), drop, num_classes=self.num_classes, generator=generator)
        return flow_matching_loss(lambda x_t, t: self.velocity(x_t, t, condition), x1, x0=x0, t=t, generator=generator)

    def loss_terms(self, x: Tensor, condition: Tensor | None = None) -> dict[str, Tensor]:
        """Data, or images where there is a compressor, and their conditions, to {"loss"}; for `training.fit`."""
        return {"loss": self.loss_of_data(self.to_data(x), condition)}

    def given(
        self, condition: int | Tensor | None = None, guidance: float = 1.0, *, steps: int | None = None,
        method: str | None = None, progress: bool = False,
    ) -> "GivenFlow":  # fmt: skip
        """The same model with its settings fixed: a LatentModel of one caption, for example.

        Args:
            condition: A class or a vector (C,), or one for each image to come, (B,) or (B, C); None is any.
            guidance: Strength of classifier-free guidance.
            steps: Steps; by default the model's own.
            method: "euler" or "heun"; by default the model's own.
            progress: Show a progress bar.

        Returns:
            A view: it shares this model's weights.

        Raises:
            ValueError: A condition that the model does not know, or a setting out of range.
        """
        steps, method = self.steps if steps is None else steps, self.method if method is None else method
        return GivenFlow(self, condition, guidance, steps, method, progress)

    def encode(self, x: Tensor) -> Tensor:
        """Data, or images where there is a compressor, to the noise they come from, (B, *latent_shape)."""
        return self.given().encode(x)

    def decode(self, z: Tensor) -> Tensor:
        """Noise (B, *latent_shape) to data, or to images where there is a compressor; any condition."""
        return self.given().decode(z)

    def sample_latent(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Noise (n, *latent_shape) from N(0, I); the generator must be on the model's device."""
        return draw_normal(self, n, generator)


class GivenFlow(nn.Module):
    """A flow with condition, guidance and steps fixed; made by ``flow.given(...)``. A LatentModel.

    Attributes:
        latent_shape: The flow's.
    """

    def __init__(self, model: FlowModel, condition, guidance: float, steps: int, method: str, progress: bool):
        super().__init__()
        own = model.num_classes or model.condition_dim or isinstance(model.network, MLPDenoiser)
        if own:
            condition = known_condition(condition, model.num_classes, model.condition_dim)
        _check_steps(steps, method)
        self.model, self.latent_shape, self.condition, self.guidance = model, model.latent_shape, condition, guidance
        self.own, self.steps, self.method, self.progress = bool(own), steps, method, progress

    def velocity(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Points (B, *latent_shape) and times (B,) to guided velocities, for `integrate` and `log_density`."""
        condition = for_each(self.condition, x_t) if self.own else self.condition
        return self.model.velocity(x_t, t, condition, self.guidance)

    def encode(self, x: Tensor) -> Tensor:
        """Data, or images where there is a compressor, to the noise they come from: the same equation backwards."""
        data = self.model.to_data(x)
        times = flow_times(self.steps, device=data.device).flip(0)
        return integrate(self.velocity, data, times=times, method=self.method, progress=self.progress)

    def decode(self, z: Tensor) -> Tensor:
        """Noise (B, *latent_shape) to data, or to images where there is a compressor."""
        check_latents(z, self.latent_shape, model_dtype(self.model))
        times = flow_times(self.steps, device=z.device)
        data = integrate(self.velocity, z, times=times, method=self.method, progress=self.progress)
        return self.model.to_images(data)

    def sample_latent(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Noise (n, *latent_shape) from N(0, I); the generator must be on the model's device."""
        return self.model.sample_latent(n, generator)


def _network_for(shape: tuple[int, ...], told: dict[str, int], *, hidden: int, blocks: int, channels) -> nn.Module:
    """The course's own network for vectors (D,) or codes (C, H, W)."""
    if len(shape) == 1:
        return MLPDenoiser(shape[0], hidden=hidden, blocks=blocks, **told)
    if len(shape) != 3:
        raise ValueError(
            f"latent_shape is {shape}: for what is neither a vector (D,) nor a code (C, H, W) give a network of "
            "your own as network=."
        )
    if any(told.values()):
        raise ValueError(
            f"num_classes is {told['num_classes']} and condition_dim {told['condition_dim']}, but for a code (C, H, W) "
            "the network is told the tokens of captions: leave both out, or give a network of your own as network=."
        )
    return CaptionUNet(shape, channels=channels)


def _check_steps(steps: int, method: str) -> None:
    check_method(method)
    flow_times(steps)  # raises if there are none
