"""Captions as tokens, the attention against PyTorch's own, and an encoder that ignores what does not count."""

import copy

import pytest
import torch
from helpers import generator

from course_utils.data.faces import describe_face, sample_handles
from course_utils.models.caption import (
    MAX_TOKENS,
    VOCABULARY,
    CrossAttention,
    TextEncoder,
    TextFeatures,
    caption_of,
    tokenize,
)


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(seed))


class TestTokens:
    def test_the_vocabulary_is_what_captions_use(self):
        captions = [describe_face(row) for row in sample_handles(5000, generator=generator(1))]
        used = {word for caption in captions for word in caption.replace(",", " ,").split()}
        assert used == set(VOCABULARY[1:])
        assert len(VOCABULARY) == len(set(VOCABULARY)) == 32
        tokens, mask = tokenize(captions)
        assert tokens.shape == mask.shape == (5000, MAX_TOKENS)
        assert [caption_of(row) for row in tokens] == captions

    def test_the_longest_caption_fits_exactly(self):
        longest = (
            "a young person with short curly brown hair, frowning, turned right, eyes closed, brows drawn down, "
            "lit from the right, glasses"
        )
        tokens, mask = tokenize(longest)
        assert mask.all()
        assert caption_of(tokens[0]) == longest
        with pytest.raises(ValueError, match="has 28 words and commas: at most 27 fit"):
            tokenize(longest + ",")

    def test_a_row_by_hand(self):
        tokens, mask = tokenize(["Smiling,glasses", "", "hair"], length=4)
        at = VOCABULARY.index
        assert tokens.tolist() == [[at("smiling"), at(","), at("glasses"), 0], [0] * 4, [at("hair"), 0, 0, 0]]
        assert mask.tolist() == [[True] * 3 + [False], [False] * 4, [True] + [False] * 3]
        assert (tokens.dtype, mask.dtype) == (torch.int64, torch.bool)
        assert tokenize([])[0].shape == (0, MAX_TOKENS)

    def test_words_that_are_none(self):
        with pytest.raises(ValueError, match="'smilling' is no word of a caption: did you mean 'smiling'"):
            tokenize("smilling")
        with pytest.raises(ValueError, match="'xyz' is no word of a caption: the words are a an person"):
            tokenize(["glasses", "xyz"])
        with pytest.raises(TypeError, match="a caption is a NoneType"):
            tokenize([None])


def theirs(attend: CrossAttention, width: int, context_width: int) -> torch.nn.MultiheadAttention:
    """PyTorch's attention with the same weights."""
    other = torch.nn.MultiheadAttention(
        width, attend.heads, kdim=context_width, vdim=context_width, batch_first=True
    ).double()
    names = {"q_proj_weight": "to_q", "k_proj_weight": "to_k", "v_proj_weight": "to_v"}
    with torch.no_grad():
        if other.in_proj_weight is not None:
            other.in_proj_weight.copy_(torch.cat([getattr(attend, name).weight for name in names.values()]))
        else:
            for their, name in names.items():
                getattr(other, their).copy_(getattr(attend, name).weight)
        other.in_proj_bias.copy_(torch.cat([getattr(attend, name).bias for name in names.values()]))
        other.out_proj.weight.copy_(attend.to_out.weight)
        other.out_proj.bias.copy_(attend.to_out.bias)
    return other


class TestAttention:
    @pytest.mark.parametrize(("width", "context_width", "heads"), [(12, 5, 3), (8, 8, 1), (16, 6, 4)])
    @pytest.mark.parametrize("masked", [False, True])
    def test_it_is_that_of_torch(self, width, context_width, heads, masked):
        torch.manual_seed(0)
        attend = CrossAttention(width, context_width, heads=heads).double()
        x, context = randn(3, 7, width).double(), randn(3, 5, context_width, seed=1).double()
        mask = torch.tensor([[1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [1, 1, 1, 1, 1]]).bool() if masked else None
        ignored = None if mask is None else ~mask  # PyTorch's mask is True where a token is ignored
        wanted, weights = theirs(attend, width, context_width)(
            x, context, context, key_padding_mask=ignored, average_attn_weights=False
        )
        torch.testing.assert_close(attend(x, context, mask), wanted, rtol=0, atol=1e-12)
        torch.testing.assert_close(attend.weights(x, context, mask), weights, rtol=0, atol=1e-12)

    def test_what_does_not_count_changes_nothing(self):
        attend, x, context = CrossAttention(8, 6), randn(2, 4, 8), randn(2, 5, 6, seed=1)
        mask = torch.tensor([[1, 1, 1, 0, 0], [1, 0, 1, 0, 1]]).bool()
        other = context.masked_fill(~mask[..., None], 1e4)
        torch.testing.assert_close(attend(x, context, mask), attend(x, other, mask))
        assert (attend(x, context) - attend(x, other)).abs().max() > 0.1

    def test_where_no_token_counts_nothing_is_taken(self):
        """PyTorch's own gives NaN there."""
        attend = CrossAttention(8, 6)
        x, context, mask = randn(2, 4, 8), randn(2, 5, 6, seed=1), torch.tensor([[False] * 5, [True] * 5])
        out = attend(x, context, mask)
        torch.testing.assert_close(out[0], attend.to_out.bias.expand(4, 8))
        torch.testing.assert_close(out[1], attend(x, context)[1])
        out.sum().backward()
        assert all(p.grad.isfinite().all() for p in attend.parameters())

    def test_16_bits(self):
        attend, x, context = CrossAttention(8, 6), randn(2, 4, 8), randn(2, 5, 6, seed=1)
        half = copy.deepcopy(attend).bfloat16()
        out = half(x.bfloat16(), context.bfloat16(), torch.ones(2, 5, dtype=torch.bool))
        assert out.dtype == torch.bfloat16
        torch.testing.assert_close(out.float(), attend(x, context), rtol=0, atol=0.02)

    def test_what_does_not_fit(self):
        with pytest.raises(ValueError, match="3 heads cannot share a width of 8"):
            CrossAttention(8, heads=3)
        attend, x = CrossAttention(8), randn(2, 4, 8)
        with pytest.raises(TypeError, match="the mask is torch.float32 but must be bool"):
            attend(x, x, torch.ones(2, 4))
        with pytest.raises(ValueError, match=r"the mask has shape \(2, 3\) for tokens \(2, 4, 8\)"):
            attend(x, x, torch.ones(2, 3).bool())


class TestPooling:
    def test_mean_over_what_counts(self):
        features = randn(3, 4, 5)
        mask = torch.tensor([[1, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]]).bool()
        pooled = TextFeatures(features, mask).pooled()
        torch.testing.assert_close(pooled[0], features[0, [0, 1, 3]].mean(0))
        torch.testing.assert_close(pooled[1], features[1, 2])
        assert pooled[2].tolist() == [0.0] * 5


class TestEncoder:
    @pytest.fixture
    def encoder(self):
        torch.manual_seed(0)
        return TextEncoder(12, layers=2, heads=3)

    def test_shapes_and_mask(self, encoder):
        tokens, mask = tokenize(["smiling, glasses", "", "a person with red hair"], length=6)
        words = encoder(tokens)
        assert words.features.shape == (3, 7, 12)
        assert words.mask[:, 0].all()
        assert torch.equal(words.mask[:, 1:], mask)
        assert words.pooled().shape == (3, 12)

    def test_padding_changes_nothing(self, encoder):
        captions = ["smiling, glasses", "a person with red hair"]
        short, long = (encoder(tokenize(captions, length=length)[0]) for length in (5, 20))
        torch.testing.assert_close(short.features[short.mask], long.features[long.mask])
        torch.testing.assert_close(short.pooled(), long.pooled())
        alone = encoder(tokenize(captions[0])[0])
        torch.testing.assert_close(alone.pooled()[0], short.pooled()[0])

    def test_order_counts_and_every_token_sees_all_others(self, encoder):
        lit, turned = encoder(
            tokenize(["lit from the left, turned right", "lit from the right, turned left"])[0]
        ).pooled()
        assert (lit - turned).abs().max() > 0.01
        one, other = encoder(tokenize(["smiling, glasses", "frowning, glasses"], length=3)[0]).features
        assert (one[3] - other[3]).abs().max() > 1e-3, "the word glasses knows what came before"
        assert (one[0] - other[0]).abs().max() > 1e-3, "and the start vector what comes after"

    def test_every_weight_learns(self, encoder):
        # Not the sum over a vector: the last normalisation makes that a constant.
        (encoder(tokenize(["smiling, glasses", "frowning"])[0]).pooled() * randn(12)).sum().backward()
        still = [name for name, p in encoder.named_parameters() if not p.grad.abs().max() > 1e-9]
        assert all(name.endswith("to_k.bias") for name in still), still  # a shift of all keys changes no softmax

    def test_tokens_that_do_not_fit(self, encoder):
        for captions in ("smiling", ["smiling", "glasses"]):
            kind = type(captions).__name__
            with pytest.raises(TypeError, match=rf"tokens are a {kind}: give a tensor .* tokenize\(captions\) gives"):
                TextEncoder(8)(captions)
        with pytest.raises(TypeError, match="tokens are torch.float32 but must be whole numbers"):
            encoder(torch.zeros(2, 3))
        with pytest.raises(ValueError, match=r"tokens have shape \(3,\): give \(B, T\), T at most 27"):
            encoder(torch.zeros(3, dtype=torch.int64))
        with pytest.raises(ValueError, match=r"tokens have shape \(1, 28\)"):
            encoder(torch.zeros(1, 28, dtype=torch.int64))
        with pytest.raises(ValueError, match="tokens reach from 0 to 32: the vocabulary has 0 to 31"):
            encoder(torch.tensor([[0, 32]]))
