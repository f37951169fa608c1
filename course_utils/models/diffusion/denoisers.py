"""Networks that look at a noisy x_t and say what the noise in it is: a small UNet for images, an MLP for vectors.

Both are called as ``denoiser(x_t, t, condition)``, the condition being classes or vectors such as what a caption says,
or None for "any". What their output means (the noise eps, the clean x0, the velocity v, or the velocity of a flow) is
not their business: `course_utils.models.diffusion` and `course_utils.models.flow` decide. Lessons 12 and 14.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.inputs import at_least_float32, labels_of
from course_utils.models.diffusion.conditions import vectors_of


def timestep_embedding(t: Tensor, size: int) -> Tensor:
    """Sines and cosines of t at geometrically spaced frequencies, so that near and far steps can be told apart.

    [cos(t * w_i), sin(t * w_i)] with w_i = 10000**(-i / (size / 2)), i = 0 ... size/2 - 1

    Args:
        t: Timesteps, (B,), integers or floats.
        size: Length of the embedding, even.

    Returns:
        float32 (B, size).

    Source: Vaswani et al. 2017, sec. 3.5; Ho et al. 2020, app. B. Taught in lesson 12.

    Example:
        >>> timestep_embedding(torch.tensor([0]), 4)
        tensor([[1., 1., 0., 0.]])
    """
    if size % 2:
        raise ValueError(f"size is {size}: half of the embedding are cosines and half sines, so it must be even.")
    half = size // 2
    frequencies = torch.exp(-math.log(10000) / half * torch.arange(half, device=t.device, dtype=torch.float32))
    angles = t.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class Conditioning(nn.Module):
    """A vector of the timestep and the condition, which every block of a denoiser looks at.

    Args:
        num_classes: How many classes there are; 0 for none. One more, the last, is the null class: "any".
        size: Length of the vector.
        condition_dim: C where the condition is a vector (B, C) in place of a class, such as what a caption says; else
            0. A vector of zeros is then the null condition.

    Raises:
        ValueError: Both kinds of condition at once; (on call) a condition that the network does not know.

    Source: Ho and Salimans 2022 for the null class. Taught in lessons 12 and 14.
    """

    def __init__(self, num_classes: int, size: int, condition_dim: int = 0):
        super().__init__()
        if num_classes and condition_dim:
            raise ValueError(
                f"num_classes is {num_classes} and condition_dim {condition_dim}: a network is told classes or "
                "vectors, so leave one of them 0."
            )
        self.num_classes, self.size, self.condition_dim = num_classes, size, condition_dim
        self.time = nn.Sequential(nn.Linear(size, size), nn.SiLU(), nn.Linear(size, size))
        self.label = nn.Embedding(num_classes + 1, size) if num_classes else None
        self.words = nn.Linear(condition_dim, size, bias=False) if condition_dim else None

    def forward(self, t: Tensor, condition: Tensor | None) -> Tensor:
        """Timesteps (B,) and labels (B,) or vectors (B, C), or None for the null condition, to vectors (B, size)."""
        vector = self.time(timestep_embedding(t, self.size).to(self.time[0].weight.dtype))
        if self.words is not None:
            if condition is None:
                return F.silu(vector)
            condition = vectors_of(condition, len(t), self.condition_dim)
            return F.silu(vector + self.words(condition.to(self.words.weight.dtype)))
        if self.label is None:
            if condition is not None:
                raise ValueError("labels were given, but this denoiser knows no classes: build it with num_classes.")
            return F.silu(vector)
        if condition is None:
            condition = torch.full_like(t, self.num_classes, dtype=torch.int64)
        else:
            condition = labels_of(condition, len(t), classes=self.num_classes + 1, hint=", the last for any class")
        return F.silu(vector + self.label(condition))


class _Norm(nn.GroupNorm):
    """Group normalisation computed in float32 and returned as it came: more exact than in bfloat16, and faster too."""

    def __init__(self, channels: int):
        super().__init__(math.gcd(8, channels), channels)

    def forward(self, x: Tensor) -> Tensor:
        x, weight, bias = at_least_float32(given := x, self.weight, self.bias)
        return F.group_norm(x, self.num_groups, weight, bias, self.eps).to(given.dtype)


class ResidualBlock(nn.Module):
    """x + conv(silu(scale * norm(conv(silu(norm(x)))) + shift)), scale and shift linear in the conditioning vector.

    The last convolution starts at zero, so that a new block changes nothing.

    Args:
        channels: C of its input and output (B, C, H, W).
        conditioning: Length of the conditioning vector.

    Source: Dhariwal and Nichol 2021, sec. 4.2 (adaptive group normalisation).
    """

    def __init__(self, channels: int, conditioning: int):
        super().__init__()
        self.norm_in, self.norm_out = _Norm(channels), _Norm(channels)
        self.conv_in = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_out = nn.Conv2d(channels, channels, 3, padding=1)
        self.modulate = nn.Linear(conditioning, 2 * channels)
        for layer in (self.conv_out, self.modulate):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        """Features (B, C, H, W) and conditioning (B, size) to features (B, C, H, W)."""
        scale, shift = self.modulate(vector)[:, :, None, None].chunk(2, dim=1)
        h = self.conv_in(F.silu(self.norm_in(x)))
        h = self.conv_out(F.silu(torch.addcmul(shift, self.norm_out(h), 1 + scale)))
        return x + h


class Attention(nn.Module):
    """x + self-attention over the positions of a feature map: each can look at all the others.

    Args:
        channels: C of its input and output (B, C, H, W).
        heads: Number of heads; must divide C.
    """

    def __init__(self, channels: int, heads: int = 4):
        super().__init__()
        if channels % heads:
            raise ValueError(f"{heads} heads cannot share {channels} channels: heads must divide channels.")
        self.heads = heads
        self.norm = _Norm(channels)
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, C, H, W) to features (B, C, H, W)."""
        batch, channels, height, width = x.shape
        tokens = self.norm(x).flatten(2).transpose(1, 2)  # (B, H*W, C)
        parts = self.query_key_value(tokens).unflatten(2, (3, self.heads, channels // self.heads))
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (B, heads, H*W, C / heads)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        return x + self.out(mixed).transpose(1, 2).unflatten(2, (height, width))


class UNet(nn.Module):
    """A small U-shaped network for images, made for processors: all of it works on 2 x 2 patches, half the resolution.

    The image becomes four times the channels at half the size (space to depth); each further level halves it again;
    on the way up the features of the same size are added. On a CPU it is about three times as fast as the same
    convolutions at full resolution.

    Args:
        image_shape: (C, H, W); H and W divisible by patch and by 2 for each further level: 28 and 32 are, for two.
        channels: Channels at each level, from the finest.
        blocks: Residual blocks a level, on the way down and again on the way up.
        num_classes: Classes it can be told; 0 for none.
        patch: Edge of a patch; 1 keeps the full resolution.
        conditioning: Length of the vector of timestep and class.

    Raises:
        ValueError: A size that cannot be halved so often.

    Source: Ronneberger et al. 2015 (UNet); Ho et al. 2020, app. B; Hoogeboom et al. 2023 (patches). Lesson 12.

    Example:
        >>> unet = UNet((1, 28, 20), channels=(16, 32), blocks=1, num_classes=10)
        >>> unet(torch.zeros(3, 1, 28, 20), torch.tensor([0, 5, 9]), torch.tensor([1, 2, 10])).shape
        torch.Size([3, 1, 28, 20])
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        *,
        channels: tuple[int, ...] = (64, 128),
        blocks: int = 2,
        num_classes: int = 0,
        patch: int = 2,
        conditioning: int = 128,
    ):
        super().__init__()
        colors, height, width = image_shape
        multiple = patch * 2 ** (len(channels) - 1)
        if height % multiple or width % multiple:
            raise ValueError(
                f"image_shape is {tuple(image_shape)}: with patch {patch} and {len(channels)} levels, "
                f"height and width must be multiples of {multiple}."
            )
        self.num_classes, self.patch = num_classes, patch
        self.condition = Conditioning(num_classes, conditioning)
        self.stem = nn.Conv2d(colors * patch**2, channels[0], 3, padding=1)

        def level(width: int) -> nn.ModuleList:
            return nn.ModuleList([ResidualBlock(width, conditioning) for _ in range(blocks)])

        self.down = nn.ModuleList([level(width) for width in channels])
        self.shrink = nn.ModuleList([nn.Conv2d(4 * a, b, 1) for a, b in zip(channels, channels[1:], strict=False)])
        self.middle = Attention(channels[-1])
        self.up = nn.ModuleList([level(width) for width in channels])
        self.enlarge = nn.ModuleList([nn.Conv2d(b, 4 * a, 1) for a, b in zip(channels, channels[1:], strict=False)])
        self.norm = _Norm(channels[0])
        self.head = nn.Conv2d(channels[0], colors * patch**2, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.to(memory_format=torch.channels_last)

    def forward(self, x_t: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        """Noisy images (B, C, H, W), timesteps (B,) and labels (B,) to a prediction (B, C, H, W), at least float32."""
        return self.clean(x_t, self.condition(t, label), self.middle)

    def clean(self, x_t: Tensor, vector: Tensor, middle: Callable[[Tensor], Tensor]) -> Tensor:
        """The way down, the middle and the way up, with a vector of the condition (B, conditioning) for every block.

        Args:
            x_t: Noisy images (B, C, H, W).
            vector: What the blocks look at.
            middle: What happens to the smallest feature map (B, channels[-1], h, w).

        Returns:
            The prediction (B, C, H, W), at least float32.
        """
        patches = F.pixel_unshuffle(x_t, self.patch).contiguous(memory_format=torch.channels_last)
        x, kept = self.stem(patches), []  # (B, channels[0], H / patch, W / patch)
        for i, blocks in enumerate(self.down):
            for block in blocks:
                x = block(x, vector)
            if i < len(self.shrink):
                kept.append(x)
                x = self.shrink[i](F.pixel_unshuffle(x, 2))
        x = middle(x)
        for i, blocks in reversed(list(enumerate(self.up))):
            if i < len(self.enlarge):
                x = kept.pop() + F.pixel_shuffle(self.enlarge[i](x), 2)
            for block in blocks:
                x = block(x, vector)
        (x,) = at_least_float32(self.head(F.silu(self.norm(x))))
        return F.pixel_shuffle(x, self.patch).contiguous()


class MLPDenoiser(nn.Module):
    """A residual fully connected network for vectors, such as the codes of an autoencoder.

    Args:
        latent_dim: D, the length of a vector.
        hidden: Width of its blocks.
        blocks: How many.
        num_classes: Classes it can be told; 0 for none.
        conditioning: Length of the vector of timestep and condition.
        condition_dim: C where it is told vectors (B, C) in place of classes; else 0.

    Source: Peebles and Xie 2023, sec. 3.2, for normalisation whose scale and shift the condition sets. Taught in
    lessons 12 and 14.

    Example:
        >>> denoiser = MLPDenoiser(32, hidden=64)
        >>> denoiser(torch.zeros(5, 32), torch.zeros(5, dtype=torch.int64)).shape
        torch.Size([5, 32])
    """

    def __init__(
        self, latent_dim: int, *, hidden: int = 512, blocks: int = 3, num_classes: int = 0, conditioning: int = 128,
        condition_dim: int = 0,
    ):  # fmt: skip
        super().__init__()
        self.num_classes, self.condition_dim = num_classes, condition_dim
        self.condition = Conditioning(num_classes, conditioning, condition_dim)
        self.stem = nn.Linear(latent_dim, hidden)
        self.norms = nn.ModuleList([nn.LayerNorm(hidden) for _ in range(blocks)])
        self.modulate = nn.ModuleList([nn.Linear(conditioning, 2 * hidden) for _ in range(blocks)])
        self.layers = nn.ModuleList(
            [nn.Sequential(nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, hidden)) for _ in range(blocks)]
        )
        self.head = nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, latent_dim))
        for layer in (*self.modulate, *(sequence[2] for sequence in self.layers), self.head[1]):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """Noisy vectors (B, D), timesteps (B,) and classes (B,) or vectors (B, C) to (B, D), at least float32."""
        vector = self.condition(t, condition)
        x = self.stem(x_t)
        for norm, modulate, layer in zip(self.norms, self.modulate, self.layers, strict=True):
            scale, shift = modulate(vector).chunk(2, dim=1)
            x = x + layer(torch.addcmul(shift, norm(x), 1 + scale))
        return at_least_float32(self.head(x))[0]
