"""The autoencoder of Stable Diffusion, with the names of Hugging Face's diffusers, so that weights load both ways.

Pictures of three channels become codes of few channels at an eighth of the size, or another power of two, and come
back. The posterior is a Gaussian, and a nearly silent KL term keeps the codes near the origin.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.files import plain, write_all_atomically
from course_utils.inputs import at_least_float32, at_least_one, check_images, check_latents, numbers
from course_utils.latents import draw_normal

CONFIG, WEIGHTS = "config.json", "diffusion_pytorch_model.safetensors"
# What diffusers' config may say besides our arguments, and the only values that we can build.
FIXED = {"act_fn": ("silu",), "latents_mean": (None,), "latents_std": (None,)}
UNUSED = ("force_upcast",)  # advice to diffusers' pipelines, of no effect on what the model computes
DOWN, UP = "DownEncoderBlock2D", "UpDecoderBlock2D"
# Names of the attention's layers in folders that were saved before 2023.
OLD_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


class _Norm(nn.GroupNorm):
    """Group normalisation, computed in float32 and returned as it came."""

    def __init__(self, groups: int, channels: int):
        super().__init__(groups, channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        x, weight, bias = at_least_float32(given := x, self.weight, self.bias)
        return F.group_norm(x, self.num_groups, weight, bias, self.eps).to(given.dtype)


class _ResnetBlock(nn.Module):
    """x + conv2(silu(norm2(conv1(silu(norm1(x)))))); where the channels change, x goes through a 1 x 1 convolution."""

    def __init__(self, inputs: int, outputs: int, groups: int):
        super().__init__()
        self.norm1 = _Norm(groups, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = _Norm(groups, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, inputs, H, W) to (B, outputs, H, W)."""
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class _Attention(nn.Module):
    """x + self-attention over the positions of a feature map, with one head."""

    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.group_norm = _Norm(groups, channels)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, C, H, W) to features (B, C, H, W)."""
        tokens = self.group_norm(x).flatten(2).transpose(1, 2)  # (B, H*W, C)
        query, key, value = self.to_q(tokens), self.to_k(tokens), self.to_v(tokens)
        weights = torch.softmax(query @ key.transpose(1, 2) / math.sqrt(x.shape[1]), dim=2)  # (B, H*W, H*W)
        mixed = self.to_out[0](weights @ value)
        return x + mixed.transpose(1, 2).unflatten(2, x.shape[2:])


class _MidBlock(nn.Module):
    """A residual block, attention unless it is left out, and another residual block."""

    def __init__(self, channels: int, groups: int, attention: bool):
        super().__init__()
        self.attentions = nn.ModuleList([_Attention(channels, groups)] if attention else [])
        self.resnets = nn.ModuleList([_ResnetBlock(channels, channels, groups) for _ in range(2)])

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, C, H, W) to features (B, C, H, W)."""
        x = self.resnets[0](x)
        for attention in self.attentions:
            x = attention(x)
        return self.resnets[1](x)


class _Resampler(nn.Module):
    """A 3 x 3 convolution that halves height and width, or that follows on doubling them by repeating pixels."""

    def __init__(self, channels: int, *, halve: bool):
        super().__init__()
        self.halve = halve
        self.conv = nn.Conv2d(channels, channels, 3, stride=2) if halve else nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, C, H, W) to (B, C, H/2, W/2) or (B, C, 2 H, 2 W)."""
        if self.halve:
            return self.conv(F.pad(x, (0, 1, 0, 1)))  # a column on the right and a row below: diffusers' way
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class _Level(nn.Module):
    """The residual blocks of one size, and then the way to the next size, if there is one."""

    def __init__(self, inputs: int, outputs: int, groups: int, *, blocks: int, halve: bool, last: bool):
        super().__init__()
        widths = [inputs] + [outputs] * blocks
        self.resnets = nn.ModuleList([_ResnetBlock(a, b, groups) for a, b in zip(widths, widths[1:], strict=False)])
        resamplers = nn.ModuleList([] if last else [_Resampler(outputs, halve=halve)])
        self.downsamplers, self.upsamplers = (resamplers, nn.ModuleList()) if halve else (nn.ModuleList(), resamplers)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, inputs, H, W) to (B, outputs, ...), at the next size if there is one."""
        for layer in (*self.resnets, *self.downsamplers, *self.upsamplers):
            x = layer(x)
        return x


class _Encoder(nn.Module):
    """Pictures (B, inputs, H, W) to (B, outputs, H / f, W / f), f = 2**(len(channels) - 1)."""

    def __init__(self, inputs: int, outputs: int, channels: Sequence[int], blocks: int, groups: int, attention: bool):
        super().__init__()
        self.conv_in = nn.Conv2d(inputs, channels[0], 3, padding=1)
        before, levels = [channels[0], *channels], range(len(channels))
        self.down_blocks = nn.ModuleList([
            _Level(before[i], channels[i], groups, blocks=blocks, halve=True, last=i == levels[-1]) for i in levels
        ])  # fmt: skip
        self.mid_block = _MidBlock(channels[-1], groups, attention)
        self.conv_norm_out = _Norm(groups, channels[-1])
        self.conv_out = nn.Conv2d(channels[-1], outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for level in self.down_blocks:
            x = level(x)
        return self.conv_out(F.silu(self.conv_norm_out(self.mid_block(x))))


class _Decoder(nn.Module):
    """Codes (B, inputs, h, w) to pictures (B, outputs, f h, f w), with one residual block a level more."""

    def __init__(self, inputs: int, outputs: int, channels: Sequence[int], blocks: int, groups: int, attention: bool):
        super().__init__()
        self.conv_in = nn.Conv2d(inputs, channels[-1], 3, padding=1)
        self.mid_block = _MidBlock(channels[-1], groups, attention)
        up, levels = [channels[-1], *reversed(channels)], range(len(channels))
        self.up_blocks = nn.ModuleList([
            _Level(up[i], up[i + 1], groups, blocks=blocks + 1, halve=False, last=i == levels[-1]) for i in levels
        ])  # fmt: skip
        self.conv_norm_out = _Norm(groups, channels[0])
        self.conv_out = nn.Conv2d(channels[0], outputs, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.mid_block(self.conv_in(z))
        for level in self.up_blocks:
            x = level(x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class AutoencoderKL(nn.Module):
    """A VAE whose codes are small pictures: the compressor of latent diffusion models. A LatentModel.

    Arguments, modules and weights have the names of diffusers' class, so that `from_pretrained` reads folders that were
    saved by it, and it reads folders of `save_pretrained`. Unlike diffusers' class, this one takes and gives pictures
    in [0, 1], and its codes are scaled already:

        z = scaling_factor * (mu(x) - shift_factor),    x_hat = D(z / scaling_factor + shift_factor)

    The generator of noise or of velocities that works on the codes expects numbers of about the size of N(0, 1). So
    scaling_factor is the *reciprocal* of the codes' standard deviation; see `code_scale`. Stable Diffusion's 0.18215
    says that its codes have a standard deviation of 5.5.

    Args:
        in_channels: Channels of the pictures that come in.
        out_channels: Channels of the pictures that come out.
        block_out_channels: Channels at each level, from the finest. From one to the next the size is halved, so that
            four levels make codes of an eighth of the height and width.
        layers_per_block: Residual blocks a level in the encoder; the decoder has one more.
        latent_channels: Channels of a code.
        norm_num_groups: Groups of the group normalisation; it must divide all channels.
        sample_size: Height and width of the pictures that it is made for, one number or two. Others can be given, if
            they can be halved as often.
        scaling_factor: What codes are multiplied with.
        shift_factor: What is subtracted from codes before; None for nothing.
        use_quant_conv: A 1 x 1 convolution after the encoder.
        use_post_quant_conv: A 1 x 1 convolution before the decoder.
        mid_block_add_attention: Attention over all positions of the smallest size.
        patch_size: Edge of a patch; patches of 2 x 2 pixels become channels before the encoder, and pixels again after
            the decoder, which is fast on a CPU. in_channels and out_channels count what comes of it, 12 for colours.
            Other than 1 diffusers' class does not know: it has to be given the patches.

    Attributes:
        latent_shape: (latent_channels, H / f, W / f), f = patch_size * 2**(levels - 1), for pictures of sample_size.
        image_shape: (in_channels / patch_size**2, H, W), likewise.
        factor: f.
        config: The arguments above, from which the same architecture can be built again.

    Raises:
        ValueError: norm_num_groups does not divide the channels, sample_size cannot be halved so often, a size is below
            1, or scaling_factor is not positive.

    Source: Rombach et al. 2022 (arXiv:2112.10752), sec. 3.1 and app. G. Taught in lesson 14.

    Example:
        >>> model = AutoencoderKL(block_out_channels=(8, 16), norm_num_groups=4, sample_size=(8, 12))
        >>> model.encode(torch.rand(5, 3, 8, 12)).shape
        torch.Size([5, 4, 4, 6])
    """

    def __init__(
        self, *, in_channels: int = 3, out_channels: int = 3, block_out_channels: Sequence[int] = (64,),
        layers_per_block: int = 1, latent_channels: int = 4, norm_num_groups: int = 32,
        sample_size: int | Sequence[int] = 32, scaling_factor: float = 0.18215, shift_factor: float | None = None,
        use_quant_conv: bool = True, use_post_quant_conv: bool = True, mid_block_add_attention: bool = True,
        patch_size: int = 1,
    ):  # fmt: skip
        super().__init__()
        channels = tuple(block_out_channels)
        height, width = (sample_size, sample_size) if isinstance(sample_size, int) else sample_size
        at_least_one(
            patch_size=patch_size, in_channels=in_channels, out_channels=out_channels, latent_channels=latent_channels,
            layers_per_block=layers_per_block,
        )  # fmt: skip
        if not channels or norm_num_groups < 1 or any(width_ % norm_num_groups for width_ in channels):
            raise ValueError(
                f"block_out_channels are {channels}: give at least one number, all divisible by norm_num_groups = "
                f"{norm_num_groups}."
            )
        self.patch_size, self.factor = patch_size, patch_size * 2 ** (len(channels) - 1)
        if in_channels % patch_size**2 or out_channels % patch_size**2:
            raise ValueError(
                f"in_channels is {in_channels} and out_channels {out_channels}: patches of {patch_size} x {patch_size} "
                f"pixels make multiples of {patch_size**2}."
            )
        if height % self.factor or width % self.factor or height < 1 or width < 1:
            raise ValueError(
                f"sample_size is {sample_size}: with {len(channels)} levels and patches of {patch_size}, height and "
                f"width must be multiples of {self.factor}."
            )
        self.config = {
            "in_channels": in_channels, "out_channels": out_channels, "block_out_channels": channels,
            "layers_per_block": layers_per_block, "latent_channels": latent_channels,
            "norm_num_groups": norm_num_groups,
            "sample_size": sample_size if isinstance(sample_size, int) else tuple(sample_size),
            "use_quant_conv": use_quant_conv, "use_post_quant_conv": use_post_quant_conv,
            "mid_block_add_attention": mid_block_add_attention,
        }  # fmt: skip
        if patch_size != 1:
            self.config["patch_size"] = patch_size
        self._set_scale(scaling_factor, shift_factor)
        self.image_shape = (in_channels // patch_size**2, height, width)
        self.latent_shape = (latent_channels, height // self.factor, width // self.factor)
        shape = (channels, layers_per_block, norm_num_groups, mid_block_add_attention)
        self.encoder = _Encoder(in_channels, 2 * latent_channels, *shape)
        self.decoder = _Decoder(latent_channels, out_channels, *shape)
        self.quant_conv = nn.Conv2d(2 * latent_channels, 2 * latent_channels, 1) if use_quant_conv else nn.Identity()
        self.post_quant_conv = nn.Conv2d(latent_channels, latent_channels, 1) if use_post_quant_conv else nn.Identity()

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Parameters of q(z|x), before the codes are scaled.

        Args:
            x: Pictures (B, C, H, W) in [0, 1].

        Returns:
            mu and logvar, each (B, latent_channels, h, w); logvar within -30 and 20, as diffusers keeps it.

        Raises:
            ValueError: Pictures of other channels, of a size that cannot be halved so often, or beyond [0, 1].
            TypeError: x is no tensor of floats of the model's number format.
        """
        size = self.image_shape[1:]
        if isinstance(x, Tensor) and x.ndim == 4 and all(side and side % self.factor == 0 for side in x.shape[2:]):
            size = x.shape[2:]  # any size that the levels can halve
        check_images(x, (self.image_shape[0], *size), self.encoder.conv_in.weight.dtype)
        mu, logvar = self.quant_conv(self.encoder(_to_patches(2 * x - 1, self.patch_size))).chunk(2, dim=1)
        return mu, logvar.clamp(-30, 20)

    def encode(self, x: Tensor) -> Tensor:
        """Pictures (B, C, H, W) in [0, 1] to codes (B, latent_channels, h, w): the scaled posterior mean."""
        return (self.posterior(x)[0] - self.shift_factor) * self.scaling_factor

    def restore(self, z: Tensor) -> Tensor:
        """Codes (B, latent_channels, h, w) before scaling to pictures, as the decoder says it: a little beyond [0, 1].

        For training, where `posterior` and this are used together. Otherwise see `decode`.

        Raises:
            ValueError: Codes of another shape.
            TypeError: z is no tensor of floats of the model's number format.
        """
        self._check_codes(z)
        return (_from_patches(self.decoder(self.post_quant_conv(z)), self.patch_size) + 1) / 2

    def decode(self, z: Tensor) -> Tensor:
        """Scaled codes (B, latent_channels, h, w) to pictures (B, C, H, W) in [0, 1]."""
        self._check_codes(z)
        return self.restore(z / self.scaling_factor + self.shift_factor).clamp(0, 1)

    def sample_latent(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Codes (n, *latent_shape) from N(0, I); the generator must be on the model's device.

        They have the right size, but the nearly silent KL term leaves the codes of pictures a pattern of their own: of
        these draws the decoder makes no picture. That is what a diffusion or flow model over the codes is for.
        """
        return draw_normal(self, n, generator)

    def set_scale(self, codes: Tensor) -> None:
        """Choose scaling_factor for posterior means (N, latent_channels, h, w); shift_factor becomes None.

        Args:
            codes: What `posterior` says, not yet scaled; see `code_scale`.
        """
        self._check_codes(codes)
        self._set_scale(code_scale(codes), None)

    def _check_codes(self, z: Tensor) -> None:
        """Raise one clear error unless these are codes (B, latent_channels, h, w), of any size."""
        size = z.shape[2:] if isinstance(z, Tensor) and z.ndim == 4 and all(z.shape[2:]) else self.latent_shape[1:]
        check_latents(z, (self.latent_shape[0], *size), self.decoder.conv_in.weight.dtype)

    def _set_scale(self, scaling_factor: float, shift_factor: float | None) -> None:
        if not scaling_factor > 0:
            raise ValueError(f"scaling_factor is {scaling_factor}: it must be positive, 1 / (standard deviation).")
        self.config |= {"scaling_factor": scaling_factor, "shift_factor": shift_factor}
        self.scaling_factor, self.shift_factor = scaling_factor, shift_factor or 0.0

    def save_pretrained(self, folder: Path | str) -> Path:
        """Write a folder as diffusers does: config.json and diffusion_pytorch_model.safetensors, both or neither.

        Args:
            folder: Where; it is created if it is missing.

        Returns:
            The folder.

        Raises:
            OSError: The disk is full, or the folder cannot be written to.
        """
        from safetensors.torch import save

        levels, folder = len(self.config["block_out_channels"]), Path(folder).expanduser()
        config = {"_class_name": "AutoencoderKL", "act_fn": "silu"} | self.config
        config |= {"down_block_types": [DOWN] * levels, "up_block_types": [UP] * levels}
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}
        said = json.dumps(plain(config), indent=1) + "\n"
        write_all_atomically({
            folder / CONFIG: said.encode(), folder / WEIGHTS: save(weights, metadata={"format": "pt"})
        })  # fmt: skip
        return folder

    @classmethod
    def from_pretrained(cls, name: Path | str, *, subfolder: str = "", revision: str | None = None) -> "AutoencoderKL":
        """Read a folder in diffusers' format, or one that is published on the Hugging Face Hub.

        Args:
            name: A folder on this machine; or OWNER/NAME of a published model, which needs a network, and the package
                huggingface_hub (the extra `hub`). What was fetched once is kept by that package.
            subfolder: Folder in it, such as "vae" where a whole pipeline is published.
            revision: Branch, tag or commit of a published model.

        Returns:
            The model, in evaluation mode, in float32.

        Raises:
            FileNotFoundError: The folder lacks one of the two files.
            ImportError: There is no such folder, and huggingface_hub is not installed.
            ConnectionError: There is no such folder, and nothing of that name could be fetched.
            ValueError: The folder holds another kind of model, one with settings that this class cannot build, or
                weights that do not fit its settings.

        Example:
            >>> import tempfile
            >>> model = AutoencoderKL(block_out_channels=(8, 16), norm_num_groups=4)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     again = AutoencoderKL.from_pretrained(model.save_pretrained(folder))
            >>> again.config == model.config
            True
        """
        folder = Path(name).expanduser()
        if folder.is_dir():
            files = [folder / subfolder / file for file in (CONFIG, WEIGHTS)]
        else:
            files = [_published(str(name), subfolder, file, revision) for file in (CONFIG, WEIGHTS)]
        for file in files:
            if not file.is_file():
                raise FileNotFoundError(f"{file} is missing: save the model with save_pretrained, as safetensors.")
        return _loaded(cls, *files)


def _to_patches(x: Tensor, size: int) -> Tensor:
    """Pictures (B, C, H, W) to (B, C * size**2, H / size, W / size): torch's pixel_unshuffle, also of none."""
    parts = x.unflatten(3, (-1, size)).unflatten(2, (-1, size))  # (B, C, H / size, size, W / size, size)
    return parts.permute(0, 1, 3, 5, 2, 4).flatten(1, 3) if size > 1 else x


def _from_patches(x: Tensor, size: int) -> Tensor:
    """The way back from `_to_patches`."""
    parts = x.unflatten(1, (-1, size, size))  # (B, C, size, size, H / size, W / size)
    return parts.permute(0, 1, 4, 2, 5, 3).flatten(4, 5).flatten(2, 3) if size > 1 else x


def code_scale(codes: Tensor) -> float:
    """The factor that gives codes a standard deviation of 1: its reciprocal.

    1 / sqrt(mean (z - mean z)**2), both means over all codes, channels and positions

    One number for all, so that the ratio of the channels stays as it is. Noise of N(0, 1) and scaled codes are then of
    the same size, and a schedule made for one kind of codes does for another.

    Args:
        codes: Codes of many pictures, (N, C, h, w) or (N, D), of any scale.

    Returns:
        The factor, a positive number.

    Raises:
        ValueError: The codes are all the same, or there are none, or some are not finite.

    Source: Rombach et al. 2022 (arXiv:2112.10752), app. G. Taught in lesson 14.

    Example:
        >>> code_scale(torch.tensor([[1.0, 3.0], [5.0, -1.0]])) == 1 / 5**0.5
        True
    """
    codes = numbers(codes, "codes")
    spread = codes.detach().cpu().double().std(correction=0).item() if codes.numel() else 0.0
    if not spread > 0:
        raise ValueError(f"{len(codes)} codes have a standard deviation of {spread}: give codes of different pictures.")
    return 1 / spread


def _published(name: str, subfolder: str, file: str, revision: str | None) -> Path:
    """A file of a published model, fetched by Hugging Face's own package."""
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise ImportError(
            f"{name} is no folder, and to fetch a published model of that name the package huggingface_hub is needed: "
            "run `uv sync --extra hub` in the checkout, or `pip install huggingface_hub`."
        ) from error
    try:
        return Path(hf_hub_download(name, file, subfolder=subfolder or None, revision=revision))
    except (OSError, ValueError) as error:  # what requests, httpx and huggingface_hub raise are kinds of these
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConnectionError(
            f"{name} is no folder, and {file} of a published model of that name could not be fetched: {reason}"
        ) from error


def _loaded(cls: type, config_file: Path, weights_file: Path) -> AutoencoderKL:
    """The model of two files."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        said = json.loads(config_file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{config_file} is damaged or no config of a model ({error}): save or fetch it again."
        ) from error
    model = cls(**_arguments(said, config_file))
    try:
        weights = load_file(weights_file)
        model.load_state_dict({_renamed(key): tensor.float() for key, tensor in weights.items()})
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(
            f"{weights_file} is damaged, or does not hold the weights that {config_file.name} beside it describes: "
            "save or fetch both again."
        ) from error
    return model.eval()


def _arguments(said: dict, file: Path) -> dict:
    """What diffusers' config says, as arguments of our class; or one clear error."""
    kind = said.get("_class_name") if isinstance(said, dict) else None
    if kind != "AutoencoderKL":
        raise ValueError(f"{file} describes a {kind}: this class reads an AutoencoderKL only.")
    said = {name: value for name, value in said.items() if not name.startswith("_") and name not in UNUSED}
    levels = len(said.get("block_out_channels", (64,)))
    only = FIXED | {"down_block_types": ([DOWN] * levels,), "up_block_types": ([UP] * levels,)}
    for name, allowed in only.items():
        value = said.pop(name, allowed[0])
        if value not in allowed:
            raise ValueError(
                f"{file} sets {name} to {value!r}, but this class only has {allowed[0]!r}: use diffusers'."
            )
    known = AutoencoderKL.__init__.__kwdefaults__
    other = [name for name in said if name not in known]
    if other:
        raise ValueError(f"{file} sets {', '.join(other)}, which this class does not have: use diffusers'.")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}


def _renamed(key: str) -> str:
    """The name of a weight, also where a folder has those of before 2023."""
    *path, layer, kind = key.split(".")
    if "attentions" in path:
        layer = OLD_NAMES.get(layer, layer)
    return ".".join([*path, layer, kind])
