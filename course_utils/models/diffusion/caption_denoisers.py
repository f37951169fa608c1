"""Networks that clean codes of pictures and are told a caption: a small transformer and a small UNet.

Both are called as ``denoiser(x_t, t, tokens)`` and look at the words by cross-attention. A row of zeros, or None for
all, is the empty caption: any picture. So whoever trains them drops a caption by setting its tokens to 0. As for the
other denoisers, what their output means is not their business. Lesson 14.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.inputs import at_least_float32, check_latents
from course_utils.models.caption import CrossAttention, TextEncoder, TextFeatures
from course_utils.models.diffusion.denoisers import UNet, timestep_embedding


class CaptionConditioning(nn.Module):
    """What a denoiser is told: the vectors of the words, and one vector of the timestep and the whole caption.

    Args:
        size: Length of the one vector.
        text_width, text_layers: Of the `TextEncoder`, which is trained together with the denoiser.

    Example:
        >>> words, vector = CaptionConditioning(32)(torch.tensor([0, 999]), None)
        >>> vector.shape
        torch.Size([2, 32])
    """

    def __init__(self, size: int, text_width: int = 64, text_layers: int = 2):
        super().__init__()
        self.size = size
        self.text = TextEncoder(text_width, layers=text_layers)
        self.caption = nn.Linear(text_width, size)
        self.time = nn.Sequential(nn.Linear(size, size), nn.SiLU(), nn.Linear(size, size))

    def forward(self, t: Tensor, tokens: Tensor | None) -> tuple[TextFeatures, Tensor]:
        """Timesteps (B,) and tokens (B, T), or None for no caption, to the words' vectors and one vector (B, size).

        Raises:
            TypeError: The tokens are no tensor.
            ValueError: There is not one caption a timestep, or the tokens are not as `TextEncoder` takes them.
        """
        if tokens is None:
            tokens = torch.zeros(len(t), 0, dtype=torch.int64, device=t.device)
        if not isinstance(tokens, Tensor):
            raise TypeError(
                f"the captions are a {type(tokens).__name__}: give their tokens, a tensor (B, T), the first of the two "
                "that tokenize(captions) gives."
            )
        words = self.text(tokens.to(t.device))
        if len(words.mask) != len(t):
            raise ValueError(f"there are {len(words.mask)} captions for {len(t)} examples: give one caption each.")
        time = self.time(timestep_embedding(t, self.size).to(self.caption.weight.dtype))
        return words, F.silu(time + self.caption(words.pooled()))


class CaptionBlock(nn.Module):
    """A transformer's block: the positions look at each other, at the words, and each thinks for itself.

    x + gate * self-attention(norm x), then x + cross-attention(norm x, words), then x + gate * MLP(norm x); scale and
    shift after the first and the third normalisation, and the gates, are linear in the vector of time and caption. They
    and the cross-attention's last layer start at zero, so that a new block changes nothing.

    Args:
        width: C.
        text_width: D of the words' vectors.
        conditioning: Length of the vector.
        heads: Of both attentions.

    Source: Peebles and Xie 2023 (arXiv:2212.09748), sec. 3.2, adaLN-Zero; Chen et al. 2023 (arXiv:2310.00426) for the
    cross-attention between.

    Example:
        >>> from course_utils.models.caption import TextEncoder, tokenize
        >>> words, x = TextEncoder(12)(tokenize(["smiling", ""])[0]), torch.randn(2, 9, 16)
        >>> bool((CaptionBlock(16, 12, 8)(x, words, torch.zeros(2, 8)) == x).all())
        True
    """

    def __init__(self, width: int, text_width: int, conditioning: int, heads: int = 4):
        super().__init__()
        self.norm_self, self.norm_mlp = (nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.norm_cross = nn.LayerNorm(width)
        self.look_around = CrossAttention(width, heads=heads)
        self.look_at_words = CrossAttention(width, text_width, heads=heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.modulate = nn.Linear(conditioning, 6 * width)
        for layer in (self.modulate, self.look_at_words.to_out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, words: TextFeatures, vector: Tensor) -> Tensor:
        """Positions (B, N, C), words and the vector (B, conditioning) to positions (B, N, C)."""
        scale_1, shift_1, gate_1, scale_2, shift_2, gate_2 = self.modulate(vector)[:, None].chunk(6, dim=2)
        h = torch.addcmul(shift_1, self.norm_self(x), 1 + scale_1)
        x = x + gate_1 * self.look_around(h, h)
        x = x + self.look_at_words(self.norm_cross(x), words.features, words.mask)
        return x + gate_2 * self.mlp(torch.addcmul(shift_2, self.norm_mlp(x), 1 + scale_2))


class CaptionDiT(nn.Module):
    """A tiny diffusion transformer: patches of a code are tokens, which look at each other and at the caption's words.

    Args:
        latent_shape: (C, H, W) of a code; H and W divisible by patch.
        width: Length of a patch's vector.
        blocks: How many `CaptionBlock`.
        heads: Of each attention.
        patch: Edge of a patch.
        text_width, text_layers: Of the `TextEncoder`.

    Raises:
        ValueError: A size that patch does not divide.

    Source: Peebles and Xie 2023 (arXiv:2212.09748). Taught in lesson 14.

    Example:
        >>> from course_utils.models.caption import tokenize
        >>> dit = CaptionDiT((4, 6, 8), width=32, blocks=1)
        >>> dit(torch.zeros(2, 4, 6, 8), torch.tensor([0, 999]), tokenize(["smiling", ""])[0]).shape
        torch.Size([2, 4, 6, 8])
    """

    def __init__(
        self, latent_shape: tuple[int, int, int] = (4, 8, 8), *, width: int = 128, blocks: int = 4, heads: int = 4,
        patch: int = 1, text_width: int = 64, text_layers: int = 2,
    ):  # fmt: skip
        super().__init__()
        channels, height, width_ = latent_shape
        if height % patch or width_ % patch:
            raise ValueError(f"latent_shape is {tuple(latent_shape)}: height and width must be multiples of {patch}.")
        self.latent_shape, self.patch = tuple(latent_shape), patch
        self.condition = CaptionConditioning(width, text_width, text_layers)
        self.stem = nn.Conv2d(channels, width, patch, stride=patch)
        self.position = nn.Parameter(0.1 * torch.randn((height // patch) * (width_ // patch), width))
        self.blocks = nn.ModuleList([CaptionBlock(width, text_width, width, heads) for _ in range(blocks)])
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulate = nn.Linear(width, 2 * width)
        self.head = nn.Linear(width, channels * patch**2)
        for layer in (self.modulate, self.head):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """Noisy codes (B, C, H, W), timesteps (B,) and tokens (B, T) to a prediction (B, C, H, W), at least float32."""
        check_latents(x_t, self.latent_shape)  # the places of another size would be taken for those of this one
        words, vector = self.condition(t, condition)
        patches = self.stem(x_t)  # (B, width, H / patch, W / patch)
        x = patches.flatten(2).transpose(1, 2) + self.position  # (B, N, width)
        for block in self.blocks:
            x = block(x, words, vector)
        scale, shift = self.modulate(vector)[:, None].chunk(2, dim=2)
        (x,) = at_least_float32(self.head(torch.addcmul(shift, self.norm(x), 1 + scale)))
        return F.pixel_shuffle(x.transpose(1, 2).unflatten(2, patches.shape[2:]), self.patch)


class CaptionUNet(UNet):
    """The UNet of `course_utils.models.diffusion.denoisers` for codes, whose smallest feature map looks at the words.

    Args:
        latent_shape: (C, H, W) of a code; H and W divisible by 2 for each level but the first.
        channels: Channels at each level, from the finest.
        blocks: Residual blocks a level, on the way down and again on the way up.
        conditioning: Length of the vector of timestep and caption.
        heads: Of the cross-attention; must divide the last of the channels.
        text_width, text_layers: Of the `TextEncoder`.

    Source: Rombach et al. 2022 (arXiv:2112.10752), sec. 3.3. Taught in lesson 14.

    Example:
        >>> from course_utils.models.caption import tokenize
        >>> unet = CaptionUNet((4, 6, 8), channels=(16, 32))
        >>> unet(torch.zeros(2, 4, 6, 8), torch.tensor([0, 999]), tokenize(["smiling", ""])[0]).shape
        torch.Size([2, 4, 6, 8])
    """

    def __init__(
        self, latent_shape: tuple[int, int, int] = (4, 8, 8), *, channels: tuple[int, ...] = (64, 128),
        blocks: int = 1, conditioning: int = 128, heads: int = 4, text_width: int = 64, text_layers: int = 2,
    ):  # fmt: skip
        super().__init__(latent_shape, channels=channels, blocks=blocks, patch=1, conditioning=conditioning)
        self.latent_shape = tuple(latent_shape)
        self.condition = CaptionConditioning(conditioning, text_width, text_layers)
        self.norm_cross = nn.LayerNorm(channels[-1])
        self.look_at_words = CrossAttention(channels[-1], text_width, heads=heads)
        nn.init.zeros_(self.look_at_words.to_out.weight)
        nn.init.zeros_(self.look_at_words.to_out.bias)

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """Noisy codes (B, C, H, W), timesteps (B,) and tokens (B, T) to a prediction (B, C, H, W), at least float32."""
        words, vector = self.condition(t, condition)

        def middle(x: Tensor) -> Tensor:
            x = self.middle(x)
            positions = self.norm_cross(x.flatten(2).transpose(1, 2))  # (B, h*w, channels[-1])
            taken = self.look_at_words(positions, words.features, words.mask)
            return x + taken.transpose(1, 2).unflatten(2, x.shape[2:])

        return self.clean(x_t, vector, middle)
