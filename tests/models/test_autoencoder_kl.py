"""The autoencoder with diffusers' names: the same numbers as the real class, folders both ways, and its scale."""

import json
import sys
import types

import numpy as np
import pytest
import safetensors.torch
import torch
from helpers import generator

from course_utils.inputs import NotFinite
from course_utils.models import autoencoder_kl
from course_utils.models.autoencoder_kl import CONFIG, DOWN, UP, WEIGHTS, AutoencoderKL, code_scale

SIZE = (16, 24)
SETTINGS = {
    "three levels, attention": {
        "block_out_channels": (8, 16, 24), "norm_num_groups": 4, "layers_per_block": 2, "latent_channels": 3,
        "sample_size": SIZE,
    },
    "two levels, no attention, no 1 x 1 convolutions": {
        "block_out_channels": (12, 8), "norm_num_groups": 2, "mid_block_add_attention": False, "in_channels": 2,
        "out_channels": 5, "use_quant_conv": False, "use_post_quant_conv": False, "scaling_factor": 0.7,
        "shift_factor": 0.3, "sample_size": SIZE,
    },
}  # fmt: skip
SLOW = pytest.mark.slow_because("importing diffusers' class takes seconds")


def small(seed: int = 0, **options) -> AutoencoderKL:
    torch.manual_seed(seed)
    few = {"block_out_channels": (4, 8), "norm_num_groups": 2, "sample_size": (8, 12)}
    return AutoencoderKL(**(few | options)).eval()


def pictures(n: int = 3, channels: int = 3, size: tuple[int, int] = (8, 12)) -> torch.Tensor:
    return torch.rand(n, channels, *size, generator=generator())


@pytest.fixture
def folder(tmp_path):
    return small(scaling_factor=0.5).save_pretrained(tmp_path / "small")


def change(folder, **said):
    """The folder with other things in its config; None takes one out."""
    config = json.loads((folder / CONFIG).read_text()) | said
    (folder / CONFIG).write_text(json.dumps({key: value for key, value in config.items() if value != "out"}))
    return folder


def agree(ours: AutoencoderKL, real, channels: int) -> None:
    """Posterior and decoder say the same, on pictures of two sizes, and encode and decode are the scaled ones."""
    scale, shift = real.config.scaling_factor, real.config.shift_factor or 0.0
    for size in (SIZE, (8, 12)):
        x = pictures(2, channels, size)
        with torch.no_grad():
            wanted = real.encode(2 * x - 1).latent_dist
            mu, logvar = ours.posterior(x)
            torch.testing.assert_close(mu, wanted.mean, rtol=0, atol=1e-5)
            torch.testing.assert_close(logvar, wanted.logvar, rtol=0, atol=1e-5)
            assert mu.std() > 0.01
            z = (wanted.mean - shift) * scale
            torch.testing.assert_close(ours.encode(x), z, rtol=0, atol=1e-5)
            shown = real.decode(z / scale + shift).sample
            torch.testing.assert_close(2 * ours.restore(mu) - 1, shown, rtol=0, atol=1e-5)
            torch.testing.assert_close(ours.decode(z), (shown / 2 + 0.5).clamp(0, 1), rtol=0, atol=1e-5)


@SLOW
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
class TestRealClass:
    def test_it_reads_our_folder(self, settings, tmp_path):
        from diffusers import AutoencoderKL as Real

        ours = small(**settings)
        real = Real.from_pretrained(ours.save_pretrained(tmp_path)).eval()
        assert {name: weight.shape for name, weight in real.state_dict().items()} == {
            name: weight.shape for name, weight in ours.state_dict().items()
        }
        agree(ours, real, settings.get("in_channels", 3))

    def test_we_read_its_folder(self, settings, tmp_path):
        from diffusers import AutoencoderKL as Real

        torch.manual_seed(1)
        levels = len(settings["block_out_channels"])
        real = Real(**settings, down_block_types=(DOWN,) * levels, up_block_types=(UP,) * levels).eval()
        for weight in real.parameters():  # also of layers that begin as 0 or 1
            torch.nn.init.normal_(weight, std=0.1)
        real.save_pretrained(tmp_path)
        ours = AutoencoderKL.from_pretrained(tmp_path)
        assert not ours.training
        assert ours.config == small(**settings).config | {
            "scaling_factor": settings.get("scaling_factor", 0.18215), "shift_factor": settings.get("shift_factor")
        }  # fmt: skip
        agree(ours, real, settings.get("in_channels", 3))


@SLOW
def test_the_real_class_reads_a_folder_of_patches_if_it_is_given_patches(tmp_path):
    from diffusers import AutoencoderKL as Real

    ours, x = small(in_channels=12, out_channels=12, patch_size=2), pictures()
    real = Real.from_pretrained(ours.save_pretrained(tmp_path)).eval()
    patches = torch.nn.functional.pixel_unshuffle(2 * x - 1, 2)
    with torch.no_grad():
        torch.testing.assert_close(ours.posterior(x)[0], real.encode(patches).latent_dist.mean, rtol=0, atol=1e-5)


class TestLatentModel:
    def test_shapes_follow_from_the_levels(self):
        model = small(block_out_channels=(4, 8, 8), latent_channels=5, sample_size=(8, 12))
        assert (model.latent_shape, model.image_shape, model.factor) == ((5, 2, 3), (3, 8, 12), 4)
        z = model.encode(pictures(4, size=(16, 4)))
        assert z.shape == (4, 5, 4, 1)
        assert model.decode(z).shape == (4, 3, 16, 4)
        assert AutoencoderKL(sample_size=64, block_out_channels=(32,)).latent_shape == (4, 64, 64)

    def test_decode_undoes_the_scale_and_the_shift(self):
        model, x = small(scaling_factor=3.0, shift_factor=-2.0), pictures()
        mu, _ = model.posterior(x)
        torch.testing.assert_close(model.encode(x), 3 * (mu + 2))
        torch.testing.assert_close(model.decode(3 * (mu + 2)), model.restore(mu).clamp(0, 1))

    def test_pictures_stay_in_their_range_only_when_decoded(self):
        model = small()
        model.decoder.conv_out.bias.data.copy_(torch.tensor([3.0, 0.0, -3.0]))
        z = torch.randn(2, *model.latent_shape, generator=generator())
        assert model.restore(z).amin() < -0.5
        assert model.restore(z).amax() > 1.5
        assert (model.decode(z).amin(), model.decode(z).amax()) == (0, 1)

    def test_the_log_variance_is_kept_within_bounds(self):
        model = small(use_quant_conv=False)
        model.encoder.conv_out.weight.data.zero_()
        model.encoder.conv_out.bias.data.copy_(torch.tensor([100.0] * 4 + [100.0, 1.0, -1.0, -100.0]))
        mu, logvar = model.posterior(pictures(1))
        assert mu.unique().tolist() == [100.0]
        assert logvar[0, :, 0, 0].tolist() == [20.0, 1.0, -1.0, -30.0]

    def test_patches_are_the_same_network_on_unshuffled_pixels(self):
        model, plain = (small(in_channels=12, out_channels=12, **more) for more in ({"patch_size": 2}, {}))
        assert model.image_shape == (3, 8, 12)
        assert model.latent_shape == (4, 2, 3)
        assert "patch_size" not in plain.config
        x = pictures()
        unshuffled = torch.nn.functional.pixel_unshuffle(x, 2)
        torch.testing.assert_close(model.encode(x), plain.encode(unshuffled))
        shown = torch.nn.functional.pixel_shuffle(plain.decode(plain.encode(unshuffled)), 2)
        torch.testing.assert_close(model.decode(model.encode(x)), shown)

    def test_every_weight_learns(self):
        model = small().train()
        mu, logvar = model.posterior(pictures())
        (model.restore(mu).square().mean() + logvar.mean()).backward()
        # A shift of all keys changes no softmax.
        still = [name for name, p in model.named_parameters() if not p.grad.abs().max() > 1e-9]
        assert all(name.endswith("to_k.bias") for name in still), still

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"block_out_channels": (4, 7)}, r"block_out_channels are \(4, 7\): .* divisible by norm_num_groups = 2"),
            ({"block_out_channels": ()}, r"block_out_channels are \(\): give at least one number"),
            ({"sample_size": (8, 11)}, r"sample_size is \(8, 11\): with 2 levels .* must be multiples of 2"),
            ({"patch_size": 0}, "patch_size is 0: it must be at least 1"),
            ({"patch_size": -1}, "patch_size is -1: it must be at least 1"),
            ({"latent_channels": 0}, "latent_channels is 0: it must be at least 1"),
            ({"layers_per_block": 0}, "layers_per_block is 0: it must be at least 1"),
            ({"in_channels": 0}, "in_channels is 0: it must be at least 1"),
            ({"scaling_factor": 0.0}, r"scaling_factor is 0.0: it must be positive"),
            ({"patch_size": 2}, "in_channels is 3 and out_channels 3: patches of 2 x 2 pixels make multiples of 4"),
        ],
    )
    def test_settings_that_cannot_be(self, options, message):
        with pytest.raises(ValueError, match=message):
            small(**options)

    def test_pictures_and_codes_that_do_not_fit(self):
        model = small()
        with pytest.raises(ValueError, match=r"images have shape \(3, 3, 9, 12\) but this model takes \(B, 3, 8, 12\)"):
            model.encode(pictures(size=(9, 12)))
        with pytest.raises(ValueError, match=r"images have shape \(3, 1, 8, 12\)"):
            model.encode(pictures(channels=1))
        for size in ((0, 0), (0, 12), (1, 1)):
            with pytest.raises(ValueError, match=rf"images have shape \(3, 3, {size[0]}, {size[1]}\)"):
                model.encode(torch.zeros(3, 3, *size))
        with pytest.raises(ValueError, match=r"latent codes have shape \(2, 4, 0, 6\)"):
            model.decode(torch.zeros(2, 4, 0, 6))
        with pytest.raises(ValueError, match="x.None."):
            model.encode(pictures()[0])
        with pytest.raises(ValueError, match="map them back"):
            model.encode(2 * pictures() - 1)
        with pytest.raises(ValueError, match=r"latent codes have shape \(2, 3, 4, 6\) but this model takes \(B, 4, "):
            model.decode(torch.zeros(2, 3, 4, 6))
        with pytest.raises(ValueError, match="z.None."):
            model.decode(torch.zeros(4, 4, 6))
        with pytest.raises(TypeError, match="latent codes must be a torch tensor, not list"):
            model.decode([[0.0]])
        with pytest.raises(TypeError, match=r"call z.to\(torch.float32\)"):
            model.decode(torch.zeros(2, 4, 4, 6, dtype=torch.float64))


class TestScale:
    def test_it_is_the_reciprocal_of_the_standard_deviation(self):
        codes = 5.5 * torch.randn(40, 4, 6, 8, generator=generator()) + 3
        assert code_scale(codes) == pytest.approx(1 / np.std(codes.double().numpy()), rel=1e-9)
        assert code_scale(codes) == pytest.approx(0.18, abs=0.01), "about Stable Diffusion's 0.18215"
        assert code_scale(codes / 100) == pytest.approx(100 * code_scale(codes), rel=1e-5)

    def test_one_factor_for_all_channels(self):
        """Their means and their sizes stay as different as they are."""
        codes = torch.randn(30, 2, 3, 5, generator=generator()) * torch.tensor([1.0, 9.0])[:, None, None]
        pooled = (codes[:, 0].square().sum() + codes[:, 1].square().sum() - codes.sum() ** 2 / codes.numel()).item()
        assert code_scale(codes) == pytest.approx((pooled / codes.numel()) ** -0.5, rel=1e-4)

    def test_scaled_codes_have_the_size_of_the_noise(self):
        model, x = small(scaling_factor=1.0), pictures(40)
        model.set_scale(model.posterior(x)[0])
        assert model.encode(x).std(correction=0).item() == pytest.approx(1, abs=1e-4)
        assert model.config["scaling_factor"] == model.scaling_factor
        assert AutoencoderKL(**model.config).scaling_factor == model.scaling_factor

    @pytest.mark.parametrize("codes", [torch.ones(4, 2), torch.zeros(0, 2), torch.tensor([[1.0]])])
    def test_codes_without_a_spread(self, codes):
        with pytest.raises(ValueError, match="have a standard deviation of 0.0: give codes of different pictures"):
            code_scale(codes)

    def test_codes_that_are_not_finite(self):
        with pytest.raises(NotFinite, match="codes"):
            code_scale(torch.tensor([[1.0, float("nan")]]))


class TestFolder:
    def test_ours_comes_back_bit_for_bit(self, folder):
        again, x = AutoencoderKL.from_pretrained(str(folder)), pictures()
        assert again.config == small(scaling_factor=0.5).config
        assert torch.equal(again.encode(x), small(scaling_factor=0.5).encode(x))
        assert sorted(path.name for path in folder.iterdir()) == [CONFIG, WEIGHTS]

    def test_a_folder_in_a_folder(self, folder):
        again = AutoencoderKL.from_pretrained(folder.parent, subfolder=folder.name)
        assert torch.equal(again.quant_conv.weight, small().quant_conv.weight)

    def test_patches_are_kept(self, tmp_path):
        model = small(in_channels=12, out_channels=12, patch_size=2)
        assert AutoencoderKL.from_pretrained(model.save_pretrained(tmp_path)).patch_size == 2

    def test_names_of_before_2023_and_numbers_of_16_bits(self, folder):
        old = {new: name for name, new in autoencoder_kl.OLD_NAMES.items()}
        weights = {}
        for key, weight in safetensors.torch.load_file(folder / WEIGHTS).items():
            for new, name in old.items():
                key = key.replace(f"attentions.0.{new}.", f"attentions.0.{name}.")
            weights[key] = weight.half()
        assert "decoder.mid_block.attentions.0.proj_attn.bias" in weights
        safetensors.torch.save_file(weights, folder / WEIGHTS)
        again = AutoencoderKL.from_pretrained(folder)
        for name, weight in small().state_dict().items():
            found = again.state_dict()[name]
            assert found.dtype == torch.float32
            torch.testing.assert_close(found, weight, rtol=1e-3, atol=1e-6)

    @pytest.mark.parametrize(
        ("said", "message"),
        [
            ({"_class_name": "AutoencoderTiny"}, "describes a AutoencoderTiny: this class reads an AutoencoderKL only"),
            ({"_class_name": "out"}, "describes a None: "),
            ({"act_fn": "relu"}, "sets act_fn to 'relu', but this class only has 'silu'"),
            ({"down_block_types": [DOWN, "AttnDownEncoderBlock2D"]}, "sets down_block_types to .*AttnDown"),
            ({"up_block_types": [UP]}, "sets up_block_types to "),
            ({"latents_mean": [0.1]}, "sets latents_mean to "),
            ({"temporal": 3, "depth": 2}, "sets temporal, depth, which this class does not have: use diffusers'"),
            ({"norm_num_groups": 3}, "divisible by norm_num_groups = 3"),
        ],
    )
    def test_settings_that_we_do_not_have(self, folder, said, message):
        with pytest.raises(ValueError, match=message):
            AutoencoderKL.from_pretrained(change(folder, **said))

    def test_what_says_nothing_of_what_is_computed_is_no_obstacle(self, folder):
        again = AutoencoderKL.from_pretrained(change(folder, force_upcast=True, _diffusers_version="0.1", act_fn="out"))
        assert again.config == small(scaling_factor=0.5).config

    def test_damage_is_named(self, folder):
        change(folder, block_out_channels=[4, 10])
        with pytest.raises(ValueError, match=f"{WEIGHTS} is damaged, or does not hold the weights that {CONFIG}"):
            AutoencoderKL.from_pretrained(folder)
        (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:900])
        with pytest.raises(ValueError, match=f"{WEIGHTS} is damaged"):
            AutoencoderKL.from_pretrained(folder)
        (folder / CONFIG).write_text("{")
        with pytest.raises(ValueError, match=f"{CONFIG} is damaged or no config"):
            AutoencoderKL.from_pretrained(folder)
        (folder / CONFIG).unlink()
        with pytest.raises(FileNotFoundError, match=f"{CONFIG} is missing"):
            AutoencoderKL.from_pretrained(folder)


class TestPublished:
    def test_a_name_that_is_no_folder_is_fetched(self, folder, monkeypatch):
        asked = []

        def fetch(name, file, *, subfolder, revision):
            asked.append((name, file, subfolder, revision))
            return str(folder / file)

        monkeypatch.setitem(sys.modules, "huggingface_hub", types.SimpleNamespace(hf_hub_download=fetch))
        model = AutoencoderKL.from_pretrained("someone/something", subfolder="vae", revision="v2")
        assert torch.equal(model.quant_conv.weight, small().quant_conv.weight)
        assert asked == [("someone/something", file, "vae", "v2") for file in (CONFIG, WEIGHTS)]

    def test_without_the_package_the_way_is_told(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "huggingface_hub", None)
        with pytest.raises(ImportError, match="someone/something is no folder, .*`uv sync --extra hub`"):
            AutoencoderKL.from_pretrained("someone/something")

    @pytest.mark.parametrize("name", ["someone/something", "no such/folder/anywhere"])
    def test_without_a_network_one_sentence(self, name, monkeypatch, tmp_path):
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        with pytest.raises(ConnectionError, match=f"{name} is no folder, and {CONFIG} of a published model") as error:
            AutoencoderKL.from_pretrained(name)
        assert "\n" not in str(error.value)
