"""Denoisers that are told a caption: shapes, what they look at, and that they learn what a word says."""

import pytest
import torch
from helpers import generator

from course_utils.models.caption import tokenize
from course_utils.models.diffusion.caption_denoisers import CaptionBlock, CaptionDiT, CaptionUNet
from course_utils.models.diffusion.denoisers import UNet

SHAPE = (3, 4, 8)
TEXT = {"text_width": 8, "text_layers": 1}
DENOISERS = {
    "dit": lambda: CaptionDiT(SHAPE, width=16, blocks=2, **TEXT),
    "dit of patches": lambda: CaptionDiT(SHAPE, width=16, blocks=1, patch=2, **TEXT),
    "unet": lambda: CaptionUNet(SHAPE, channels=(8, 16), conditioning=16, **TEXT),
}


def lively(name: str):
    """A denoiser whose layers that start at zero have been moved, as by training."""
    torch.manual_seed(0)
    model = DENOISERS[name]()
    for weight in model.parameters():
        if not weight.detach().any():
            torch.nn.init.normal_(weight, std=0.3)
    return model.eval()


def noisy(n: int = 3) -> torch.Tensor:
    return torch.randn(n, *SHAPE, generator=generator())


T = torch.tensor([0, 500, 999])
TOKENS, _ = tokenize(["a person with red hair, smiling", "", "glasses"])


@pytest.mark.parametrize("name", DENOISERS)
class TestEach:
    def test_shape_and_start(self, name):
        torch.manual_seed(0)
        model = DENOISERS[name]()
        out = model(noisy(), T, TOKENS)
        assert out.shape == (3, *SHAPE)
        assert not out.any(), "the last layer starts at zero"
        assert lively(name)(noisy(), T, TOKENS).std() > 0.1

    def test_it_looks_at_everything(self, name):
        model, x = lively(name), noisy()
        out = model(x, T, TOKENS)
        for other in (model(x, T.roll(1), TOKENS), model(x, T, tokenize(["frowning", "smiling", "hair"])[0])):
            assert (out - other).flatten(1).abs().amax(1).min() > 1e-3
        moved = x.clone()
        moved[:, 0, 0, 0] += 1  # one corner
        assert (out - model(moved, T, TOKENS))[:, :, -1, -1].abs().max() > 1e-4, "the corner far from it sees it"

    def test_examples_do_not_see_each_other(self, name):
        model, x = lively(name), noisy()
        for i in range(3):
            alone = model(x[i : i + 1], T[i : i + 1], TOKENS[i : i + 1])
            torch.testing.assert_close(alone[0], model(x, T, TOKENS)[i], rtol=1e-4, atol=1e-5)

    def test_no_caption_is_the_empty_caption_is_a_row_of_zeros(self, name):
        model, x = lively(name), noisy()
        for empty in (torch.zeros_like(TOKENS), tokenize([""] * 3)[0]):
            torch.testing.assert_close(model(x, T), model(x, T, empty))

    def test_times_may_be_floats(self, name):
        model, x = lively(name), noisy()
        torch.testing.assert_close(model(x, T.float(), TOKENS), model(x, T, TOKENS))

    def test_16_bits(self, name):
        model, x = lively(name), noisy()
        exact = model(x, T, TOKENS)
        with torch.autocast("cpu", torch.bfloat16):
            out = model(x, T, TOKENS)
        assert out.dtype == torch.float32
        torch.testing.assert_close(out, exact, rtol=0, atol=0.1 * exact.abs().max().item())

    def test_one_caption_an_example(self, name):
        with pytest.raises(ValueError, match="there are 2 captions for 3 examples"):
            DENOISERS[name]()(noisy(), T, TOKENS[:2])

    @pytest.mark.parametrize("captions", [["smiling", "", ""], "smiling", tokenize(["smiling", "", ""])])
    def test_captions_that_are_no_tokens(self, name, captions):
        kind = type(captions).__name__
        with pytest.raises(TypeError, match=rf"the captions are a {kind}: give their tokens, .* tokenize\(captions\)"):
            DENOISERS[name]()(noisy(), T, captions)

    def test_every_weight_learns(self, name):
        model = lively(name).train()
        (model(noisy(), T, TOKENS) * noisy()).sum().backward()
        still = [name for name, p in model.named_parameters() if not p.grad.abs().max() > 1e-9]
        assert all(name.endswith("to_k.bias") for name in still), still

    def test_it_learns_what_words_say(self, name):
        """Codes are +1 for a smile and -1 for a frown, whatever else is said: one step of cleaning says which."""
        torch.manual_seed(0)
        model = DENOISERS[name]()
        sides = torch.tensor([1.0, -1.0]).repeat(16)
        words = ["smiling", "frowning"] * 16
        more = ["glasses, {}", "{}, turned left", "{}", "a person with red hair, {}"] * 8
        tokens, _ = tokenize([form.format(word) for form, word in zip(more, words, strict=True)])
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        t = torch.full((32,), 999)
        for _ in range(25):
            x = torch.randn(32, *SHAPE, generator=generator(1))
            loss = (model(x, t, tokens) - sides.view(-1, 1, 1, 1)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        said = model(torch.randn(32, *SHAPE, generator=generator(2)), t, tokens).mean((1, 2, 3))
        assert (said.sign() == sides).all()
        assert loss < 0.2


def test_a_new_block_changes_nothing_and_a_gate_lets_something_through():
    torch.manual_seed(0)
    block, x, vector = CaptionBlock(8, 6, 4), torch.randn(2, 5, 8), torch.randn(2, 4)
    from course_utils.models.caption import TextFeatures

    words = TextFeatures(torch.randn(2, 3, 6), torch.ones(2, 3, dtype=torch.bool))
    assert torch.equal(block(x, words, vector), x)
    block.modulate.bias.data[16:24] = 0.5  # the gate of self-attention: scale, shift, gate, each of 8
    h = block.norm_self(x)
    torch.testing.assert_close(block(x, words, vector), x + 0.5 * block.look_around(h, h))


def test_patches_come_back_where_they_were():
    """With blocks that change nothing and a head that undoes the stem, x comes out as the stem saw it."""
    torch.manual_seed(0)
    model = CaptionDiT(SHAPE, width=12, blocks=1, patch=2, **TEXT)
    model.position.data.zero_()
    model.norm = torch.nn.Identity()
    model.stem.bias.data.zero_()
    model.head.weight.data.copy_(torch.linalg.inv(model.stem.weight.data.flatten(1)))
    x = noisy()
    torch.testing.assert_close(model(x, T, TOKENS), x, rtol=0, atol=1e-4)


def test_the_unet_is_that_of_images_but_for_the_words():
    """Where cross-attention and caption say nothing, it computes what `UNet` does with the same weights."""
    torch.manual_seed(0)
    model = lively("unet")
    torch.nn.init.zeros_(model.look_at_words.to_out.weight)
    torch.nn.init.zeros_(model.look_at_words.to_out.bias)
    torch.nn.init.zeros_(model.condition.caption.weight)
    torch.nn.init.zeros_(model.condition.caption.bias)
    plain = UNet(SHAPE, channels=(8, 16), blocks=1, patch=1, conditioning=16)
    plain.load_state_dict({name: weight for name, weight in model.state_dict().items() if name in plain.state_dict()})
    torch.testing.assert_close(model(noisy(), T, TOKENS), plain(noisy(), T))


def test_a_transformer_knows_its_places_by_height_and_width():
    dit = CaptionDiT((3, 4, 8), width=16, blocks=1)
    with pytest.raises(ValueError, match=r"latent codes have shape \(2, 3, 8, 4\) but this model takes \(B, 3, 4, 8\)"):
        dit(torch.zeros(2, 3, 8, 4), torch.tensor([0, 9]))


def test_sizes_that_cannot_be():
    with pytest.raises(ValueError, match=r"latent_shape is \(3, 5, 8\): height and width must be multiples of 2"):
        CaptionDiT((3, 5, 8), patch=2)
    with pytest.raises(ValueError, match=r"image_shape is \(3, 5, 8\): with patch 1 and 2 levels"):
        CaptionUNet((3, 5, 8))
