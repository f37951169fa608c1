"""Captions as numbers: a closed vocabulary, a small text encoder, and the attention by which pictures look at words.

Captions are tokens, int64 (B, T), 0 where there is none. The mask, bool (B, T), is True where a token counts.
Lesson 14.
"""

import difflib
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.data.faces import SAYINGS
from course_utils.inputs import as_tensor, at_least_float32

# Token i is the i-th word; token 0 is no word. These are all words that `describe_face` uses.
VOCABULARY = tuple(
    dict.fromkeys(["", ",", "a", "an", "person", "with", "hair"] + " ".join(sum(SAYINGS.values(), ())).split())
)
MAX_TOKENS = 27  # of the longest caption
_TOKEN = {word: token for token, word in enumerate(VOCABULARY)}


def tokenize(captions: str | Sequence[str], *, length: int = MAX_TOKENS) -> tuple[Tensor, Tensor]:
    """Captions as tokens: words and commas, each by its place in VOCABULARY.

    Args:
        captions: One caption, or B of them, in the words of `describe_face`. An empty one asks for any face.
        length: T; shorter captions are filled up with 0.

    Returns:
        tokens, int64 (B, T), and mask, bool (B, T), True where a token counts.

    Raises:
        TypeError: They are no strings.
        ValueError: A word that is not in the vocabulary, or more than T words and commas.

    Taught in lesson 14.

    Example:
        >>> tokens, mask = tokenize(["a person with red hair, smiling", "glasses"], length=7)
        >>> [VOCABULARY[token] for token in tokens[0]], mask.sum(1).tolist()
        (['a', 'person', 'with', 'red', 'hair', ',', 'smiling'], [7, 1])
    """
    captions = [captions] if isinstance(captions, str) else list(captions)
    tokens = torch.zeros(len(captions), length, dtype=torch.int64)
    for row, caption in zip(tokens, captions, strict=True):
        if not isinstance(caption, str):
            raise TypeError(f"a caption is a {type(caption).__name__}: give a string, or a list of strings.")
        words = re.findall(r"[^\s,]+|,", caption.lower())
        if len(words) > length:
            raise ValueError(f"{caption!r} has {len(words)} words and commas: at most {length} fit.")
        for word in words:
            if word not in _TOKEN:
                near = difflib.get_close_matches(word, VOCABULARY, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"the words are {' '.join(VOCABULARY[2:])}."
                raise ValueError(f"{word!r} is no word of a caption: {hint}")
        row[: len(words)] = torch.tensor([_TOKEN[word] for word in words], dtype=torch.int64)
    return tokens, tokens != 0


def caption_of(tokens: Tensor) -> str:
    """The caption of one row of tokens, (T,): the way back from `tokenize`.

    Example:
        >>> caption_of(tokenize("a person with red hair, smiling")[0][0])
        'a person with red hair, smiling'
    """
    return " ".join(VOCABULARY[token] for token in tokens.tolist() if token).replace(" ,", ",")


class CrossAttention(nn.Module):
    """Multi-head attention from one sequence to another: every position takes what it needs from the tokens.

    softmax(Q K^T / sqrt(d)) V for each head, Q = x W_q, K = context W_k, V = context W_v, d = width / heads

    Args:
        width: C of x, and of what comes out.
        context_width: D of the context; by default width, as for self-attention, where the context is x.
        heads: Number of heads; must divide width.

    Raises:
        ValueError: heads does not divide width.

    Source: Vaswani et al. 2017, sec. 3.2; Rombach et al. 2022, sec. 3.3, for pictures that look at words. Taught in
    lesson 14.

    Example:
        >>> attend = CrossAttention(16, 6)
        >>> attend(torch.zeros(2, 9, 16), torch.zeros(2, 5, 6)).shape
        torch.Size([2, 9, 16])
    """

    def __init__(self, width: int, context_width: int | None = None, *, heads: int = 4):
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads cannot share a width of {width}: heads must divide width.")
        self.heads, context_width = heads, width if context_width is None else context_width
        self.to_q, self.to_out = nn.Linear(width, width), nn.Linear(width, width)
        self.to_k, self.to_v = nn.Linear(context_width, width), nn.Linear(context_width, width)

    def weights(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """How much each position looks at each token.

        Args:
            x: Positions (B, N, C).
            context: Tokens (B, T, D).
            mask: bool (B, T), True where a token counts; None if all do.

        Returns:
            (B, heads, N, T), at least float32: over the tokens that count they add up to 1, the others are 0. They are
            all 0 where no token counts.

        Raises:
            TypeError: The mask is not bool.
            ValueError: The mask has another shape.
        """
        query, key = self._split(self.to_q(x)), self._split(self.to_k(context))  # (B, heads, N or T, d)
        (scores,) = at_least_float32(query @ key.transpose(2, 3) / math.sqrt(query.shape[3]))  # (B, heads, N, T)
        if mask is None:
            return scores.softmax(dim=3)
        if mask.dtype != torch.bool:
            raise TypeError(f"the mask is {mask.dtype} but must be bool, True where a token counts.")
        if mask.shape != context.shape[:2]:
            raise ValueError(f"the mask has shape {tuple(mask.shape)} for tokens {tuple(context.shape)}: give (B, T).")
        ignored = ~mask[:, None, None]  # (B, 1, 1, T)
        return scores.masked_fill(ignored, torch.finfo(scores.dtype).min).softmax(dim=3).masked_fill(ignored, 0.0)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """Positions (B, N, C) and tokens (B, T, D) with their mask (B, T) to what the positions take, (B, N, C)."""
        value = self._split(self.to_v(context))
        mixed = self.weights(x, context, mask).to(value.dtype) @ value  # (B, heads, N, d)
        return self.to_out(mixed.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class TextFeatures(NamedTuple):
    """What a text encoder says of captions: one vector a token, and which of them count.

    Attributes:
        features: (B, T, D).
        mask: bool (B, T), True where a token counts.
    """

    features: Tensor
    mask: Tensor

    def pooled(self) -> Tensor:
        """One vector a caption, (B, D): the mean over the tokens that count."""
        count = self.mask.sum(dim=1, keepdim=True).clamp(min=1)
        return (self.features * self.mask[:, :, None]).sum(dim=1) / count


class TextEncoder(nn.Module):
    """A small transformer over captions: each token's vector depends on all tokens of its caption.

    Before the tokens stands one start vector that always counts, so that an empty caption has something to be attended
    to: it becomes the null condition of classifier-free guidance.

    Args:
        width: D.
        layers: Blocks of self-attention and a fully connected network, each with normalisation before it.
        heads: Of the attention; must divide width.
        num_tokens: Size of the vocabulary, token 0 included.
        max_tokens: Longest caption.

    Source: Vaswani et al. 2017; Xiong et al. 2020 (arXiv:2002.04745) for the place of the
    normalisation. Taught in lesson 14.

    Example:
        >>> features, mask = TextEncoder(16)(tokenize(["smiling, glasses", ""])[0])
        >>> features.shape, mask.sum(1).tolist()
        (torch.Size([2, 28, 16]), [4, 1])
    """

    def __init__(
        self, width: int = 64, *, layers: int = 2, heads: int = 4, num_tokens: int = len(VOCABULARY),
        max_tokens: int = MAX_TOKENS,
    ):  # fmt: skip
        super().__init__()
        self.width, self.num_tokens, self.max_tokens = width, num_tokens, max_tokens
        self.token = nn.Embedding(num_tokens, width)
        self.start = nn.Parameter(torch.randn(width))
        self.position = nn.Parameter(0.1 * torch.randn(1 + max_tokens, width))
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(2 * layers)])
        self.attention = nn.ModuleList([CrossAttention(width, heads=heads) for _ in range(layers)])
        self.mlp = nn.ModuleList(
            [nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)) for _ in range(layers)]
        )
        self.norm_out = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> TextFeatures:
        """Vectors of captions.

        Args:
            tokens: int64 (B, T), 0 where there is none; see `tokenize`.

        Returns:
            features (B, 1 + T, D) and mask (B, 1 + T), the start vector's place first.

        Raises:
            TypeError: The tokens are no tensor of whole numbers, such as captions themselves.
            ValueError: They are not (B, T) with T at most max_tokens, or beyond the vocabulary.
        """
        tokens = self._checked(tokens)
        start = self.start.expand(len(tokens), 1, -1)
        x = torch.cat([start, self.token(tokens)], dim=1) + self.position[: 1 + tokens.shape[1]]  # (B, 1 + T, D)
        mask = F.pad(tokens != 0, (1, 0), value=True)  # (B, 1 + T)
        for i, (attention, mlp) in enumerate(zip(self.attention, self.mlp, strict=True)):
            h = self.norms[2 * i](x)
            x = x + attention(h, h, mask)
            x = x + mlp(self.norms[2 * i + 1](x))
        return TextFeatures(self.norm_out(x), mask)

    def _checked(self, tokens: Tensor) -> Tensor:
        try:
            tokens = as_tensor(tokens, "tokens")
        except TypeError:
            kind = type(tokens).__name__
            raise TypeError(
                f"tokens are a {kind}: give a tensor (B, T), the first of the two that tokenize(captions) gives."
            ) from None
        if tokens.is_floating_point() or tokens.is_complex() or tokens.dtype == torch.bool:
            raise TypeError(f"tokens are {tokens.dtype} but must be whole numbers: tokenize(captions) makes them.")
        if tokens.ndim != 2 or tokens.shape[1] > self.max_tokens:
            raise ValueError(f"tokens have shape {tuple(tokens.shape)}: give (B, T), T at most {self.max_tokens}.")
        if not torch.compiler.is_compiling() and tokens.numel():
            low, high = (end.item() for end in tokens.aminmax())
            if low < 0 or high >= self.num_tokens:
                raise ValueError(f"tokens reach from {low} to {high}: the vocabulary has 0 to {self.num_tokens - 1}.")
        return tokens.long()
