"""Checkpoints: saved whole, verified before use, and every damage named."""

import errno
import json
import os

import numpy as np
import pytest
import safetensors.torch
import torch

from course_utils import checkpoints
from course_utils.checkpoints import load, load_reference, read_card, reference_names, save, verify
from course_utils.files import sha256
from course_utils.models.autoencoder import Autoencoder, SparseAutoencoder
from course_utils.models.diffusion import NoiseSchedule
from course_utils.models.pca import PCA
from course_utils.models.pixels import PixelSpace
from course_utils.models.vae import VAE

SHAPE = (1, 4, 8)
CARD = {"what": "a small one", "data": "noise", "seed": 3, "command": "none", "metrics": {"test_mse": 0.25}}


def make(kind=Autoencoder, latent_dim: int = 2, **options):
    torch.manual_seed(0)
    return kind(latent_dim, image_shape=SHAPE, hidden=6, **options)


def images() -> torch.Tensor:
    return torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def saved(tmp_path):
    save(make(), tmp_path / "small", card=CARD)
    return tmp_path / "small"


@pytest.fixture
def reference(tmp_path, monkeypatch):
    """A course with one reference model, `small`."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    save(make(), tmp_path / "checkpoints" / "small", card=CARD)
    return tmp_path / "checkpoints"


class TestRoundTrip:
    @pytest.mark.parametrize(
        "model",
        [
            lambda: make(),
            lambda: make(architecture="conv", likelihood="bernoulli"),
            lambda: make(SparseAutoencoder, 9, k=2, l1=0.5),
            lambda: make(VAE, beta=0.5),
            lambda: PCA(2).fit(images()),
        ],
        ids=["mlp", "conv", "sparse", "vae", "pca"],
    )
    def test_gives_the_same_model_bit_for_bit(self, model, tmp_path):
        model = model()
        if hasattr(model, "set_latent_statistics"):
            model.set_latent_statistics(model.encode(images()).detach())
        file = save(model, tmp_path / "m", card=CARD)
        assert file == tmp_path / "m.safetensors"
        again = load(tmp_path / "m")
        assert type(again) is type(model)
        assert again.config == model.config
        assert not again.training
        assert all(torch.equal(again.state_dict()[k], v) for k, v in model.state_dict().items())
        assert torch.equal(again.encode(images()), model.eval().encode(images()))

    def test_a_pca_that_was_fitted_to_something_else_takes_what_it_is_given(self, tmp_path):
        pca = PCA(2).fit(images())
        save(pca, tmp_path / "m", card=CARD)
        other = PCA(2).fit(1 - images())
        assert load(tmp_path / "m", other) is other
        assert torch.equal(other.reconstruct(images(), 1), pca.reconstruct(images(), 1))
        with pytest.raises(ValueError, match=r"another architecture: it holds PCA\(latent_dim=2"):
            load(tmp_path / "m", PCA(3))

    def test_half_keeps_what_float16_cannot_hold(self, tmp_path):
        model = make()
        with torch.no_grad():
            model.encoder[1].weight[0, 0] = 1e5
        save(model, tmp_path / "m", card=CARD, half=True)
        assert load(tmp_path / "m").encoder[1].weight[0, 0] == 1e5
        assert torch.equal(load(tmp_path / "m").encoder[3].weight, model.encoder[3].weight.half().float())

    def test_the_weights_are_plain_safetensors(self, saved):
        weights = safetensors.torch.load_file(f"{saved}.safetensors")
        assert weights.keys() == make().state_dict().keys()

    def test_loading_leaves_the_generators_alone(self, saved):
        model, before = make(), torch.get_rng_state()
        load(saved, model)
        assert torch.equal(torch.get_rng_state(), before)

    def test_into_a_given_model(self, saved):
        torch.manual_seed(5)
        model = Autoencoder(2, image_shape=SHAPE, hidden=6)
        assert load(saved, model) is model
        assert torch.equal(model.encode(images()), make().encode(images()))

    def test_half_precision_is_half_the_size_and_comes_back_as_32_bits(self, tmp_path):
        model = make()
        whole, half = (save(model, tmp_path / n, card=CARD, half=h) for n, h in (("whole", False), ("half", True)))
        parameters = sum(v.numel() for v in model.state_dict().values())
        assert whole.stat().st_size - half.stat().st_size == pytest.approx(2 * parameters, abs=64)
        again = load(tmp_path / "half")
        for name, value in model.state_dict().items():
            assert again.state_dict()[name].dtype == torch.float32
            assert torch.equal(again.state_dict()[name], value.half().float())

    def test_names_with_a_dot_and_with_the_suffix(self, tmp_path):
        file = save(make(), tmp_path / "beta_0.5", card=CARD)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["beta_0.5.json", "beta_0.5.safetensors"]
        assert torch.equal(load(file).encode(images()), load(tmp_path / "beta_0.5").encode(images()))

    def test_saving_again_replaces_both(self, saved):
        torch.manual_seed(7)
        other = Autoencoder(2, image_shape=SHAPE, hidden=6)
        save(other, saved, card={**CARD, "what": "another"})
        assert read_card(saved)["what"] == "another"
        assert torch.equal(load(saved).encode(images()), other.encode(images()))


class TestCard:
    def test_has_what_was_given_and_what_is_known(self, saved):
        card = json.loads((saved.parent / "small.json").read_text(encoding="utf-8"))
        assert card == read_card(saved)
        assert {key: card[key] for key in CARD} == CARD
        assert card["sha256"] == sha256((saved.parent / "small.safetensors").read_bytes())
        assert card["versions"]["torch"] == torch.__version__
        assert card["versions"]["python"].startswith("3.")
        assert card["model"]["name"] == "Autoencoder"
        assert card["model"]["arguments"]["latent_dim"] == 2

    def test_cannot_claim_other_weights(self, tmp_path):
        save(make(), tmp_path / "m", card={**CARD, "sha256": "0" * 64, "model": "mine"})
        load(tmp_path / "m")


class TestSavingBadly:
    @pytest.mark.parametrize("nth", [1, 2])
    def test_a_full_disk_keeps_the_older_checkpoint(self, saved, monkeypatch, nth):
        before = {p.name: p.read_bytes() for p in saved.parent.iterdir()}
        calls, real = [], os.fsync

        def full(descriptor):
            calls.append(descriptor)
            if len(calls) == nth:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(descriptor)

        monkeypatch.setattr(os, "fsync", full)
        torch.manual_seed(9)
        with pytest.raises(OSError, match="could not write .*small.*Free some disk space") as caught:
            save(Autoencoder(2, image_shape=SHAPE, hidden=6), saved, card=CARD)
        assert caught.value.errno == errno.ENOSPC
        assert {p.name: p.read_bytes() for p in saved.parent.iterdir()} == before
        assert torch.equal(load(saved).encode(images()), make().encode(images()))

    def test_models_that_could_not_be_built_again(self, tmp_path):
        with pytest.raises(TypeError, match="Linear is not one of course_utils.models.MODELS"):
            save(torch.nn.Linear(2, 2), tmp_path / "m", card=CARD)
        with pytest.raises(
            TypeError, match="VAE cannot be built from a card, because its beta is a function.*Annealing"
        ):
            save(VAE(2, beta=lambda step: 1.0), tmp_path / "m", card=CARD)
        for empty in (PCA(2), PixelSpace(), NoiseSchedule()):
            with pytest.raises(ValueError, match=f"{type(empty).__name__} has no weights to save"):
                save(empty, tmp_path / "m", card=CARD)
        assert list(tmp_path.iterdir()) == []

    def test_arguments_of_numpy(self, tmp_path):
        """As they come from np.arange: the same architecture, also where it is given."""
        own = lambda: VAE(np.int64(2), hidden=np.int64(6), image_shape=SHAPE, beta=np.float64(0.5))  # noqa: E731
        file = save(own(), tmp_path / "m", card=CARD)
        assert load(file).config == load(file, own()).config == own().config

    def test_a_card_that_is_no_json_writes_nothing(self, tmp_path):
        with pytest.raises(TypeError, match="Tensor is not JSON serializable"):
            save(make(), tmp_path / "m", card={"metrics": torch.zeros(1)})
        assert list(tmp_path.iterdir()) == []


class TestTampering:
    @pytest.mark.parametrize("how", ["one bit", "truncated", "empty", "longer", "another model's"])
    def test_altered_weights(self, saved, how):
        file = saved.parent / "small.safetensors"
        content = bytearray(file.read_bytes())
        if how == "one bit":
            content[-3] ^= 4
        elif how == "another model's":
            torch.manual_seed(8)
            content = safetensors.torch.save(Autoencoder(2, image_shape=SHAPE, hidden=6).state_dict())
        else:
            content = {"truncated": content[:-10], "empty": b"", "longer": content + b"\0"}[how]
        file.write_bytes(content)
        for call in (load, read_card, lambda path: load(path, make())):
            with pytest.raises(
                ValueError, match=r"small.safetensors is not the file its card describes \(its SHA-256 d"
            ):
                call(saved)

    def test_a_given_model_is_not_touched_by_a_damaged_file(self, saved):
        (saved.parent / "small.safetensors").write_bytes(b"x")
        torch.manual_seed(4)
        model = Autoencoder(2, image_shape=SHAPE, hidden=6)
        before = {k: v.clone() for k, v in model.state_dict().items()}
        with pytest.raises(ValueError, match="not used"):
            load(saved, model)
        assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[]", b"{}", b'{"sha256": "x"}', b'{"sha256": "x", "model": 3}', b"\xff"]
    )
    def test_a_damaged_card(self, saved, content):
        (saved.parent / "small.json").write_bytes(content)
        for call in (load, read_card):
            with pytest.raises(ValueError, match="small.json is not a (checkpoint's )?card, or it is damaged"):
                call(saved)

    def test_a_card_without_its_digest_as_they_once_were(self, saved):
        self.change(saved)
        assert torch.equal(load(saved).encode(images()), make().encode(images()))

    def test_a_number_changed_on_the_card(self, saved):
        file = saved.parent / "small.json"
        file.write_text(file.read_text().replace("0.25", "0.05"))
        with pytest.raises(ValueError, match="small.json was altered .*not used. Save it again"):
            load(saved)

    @pytest.mark.parametrize("model", [3, "VAE", {"name": "VAE"}, None])
    def test_a_card_that_says_no_model(self, saved, model):
        card = json.loads((saved.parent / "small.json").read_text())
        del card["card_sha256"]
        (saved.parent / "small.json").write_text(json.dumps(card | {"model": model}))
        with pytest.raises(ValueError, match="small.json is not a checkpoint's card"):
            load(saved)

    @pytest.mark.parametrize("suffix", [".json", ".safetensors"])
    def test_a_missing_file(self, saved, suffix):
        (saved.parent / f"small{suffix}").unlink()
        with pytest.raises(FileNotFoundError, match=f"small{suffix} is missing"):
            load(saved)

    def change(self, saved, **changes):
        card = json.loads((saved.parent / "small.json").read_text())
        for key, value in changes.items():
            card["model"][key.rstrip("_")] = value
        card.pop("card_sha256", None)
        (saved.parent / "small.json").write_text(json.dumps(card))

    @pytest.mark.parametrize(
        "name",
        [
            "os.system",
            "Linear",
            "course_utils.models.autoencoder.Autoencoder",
            "squared_error",
            "",
            17,
            [1],
        ],
    )
    def test_a_card_that_names_another_class(self, saved, name):
        self.change(saved, name=name)
        with pytest.raises(ValueError, match="a model that this version of the course cannot build"):
            load(saved)

    def test_a_card_that_names_a_place_in_the_package_as_they_once_did(self, saved):
        for place in ("course_utils.models.autoencoder.Autoencoder", "course_utils.models.old_file.Autoencoder"):
            self.change(saved, class_=place)
            assert torch.equal(load(saved).encode(images()), make().encode(images()))
            assert read_card(saved)["model"]["name"] == "Autoencoder"
        for place in ("os.system", 17, None):
            self.change(saved, class_=place)
            with pytest.raises(ValueError, match=r"cannot build|is not a checkpoint's card"):
                load(saved)

    def test_a_card_with_other_arguments(self, saved):
        self.change(saved, arguments={**make().config, "no_such": 1})
        with pytest.raises(ValueError, match="cannot build.*no_such"):
            load(saved)
        self.change(saved, arguments={**make().config, "latent_dim": 3})
        with pytest.raises(ValueError, match="its weights do not fit the model that its card describes"):
            load(saved)


class TestAnotherArchitecture:
    @pytest.mark.parametrize(
        "other",
        [
            lambda: make(latent_dim=3),
            lambda: make(architecture="conv"),
            lambda: make(VAE),
            lambda: make(SparseAutoencoder),
            lambda: Autoencoder(2, image_shape=SHAPE, hidden=7),
            lambda: torch.nn.Linear(2, 2),
        ],
        ids=["longer code", "conv", "VAE", "sparse", "hidden", "linear"],
    )
    def test_both_are_named_and_the_model_is_not_touched(self, saved, other):
        model = other()
        before = {k: v.clone() for k, v in model.state_dict().items()}
        with pytest.raises(ValueError, match=r"for another architecture: it holds Autoencoder\(latent_dim=2") as caught:
            load(saved, model)
        assert f"the model given is {type(model).__name__}(" in str(caught.value)
        assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


class TestReference:
    def test_is_found_verified_and_ready(self, reference):
        assert reference_names() == ["small"]
        assert verify("small")["what"] == "a small one"
        model = load_reference("small")
        assert not model.training
        assert torch.equal(model.encode(images()), make().encode(images()))

    def test_unknown_name(self, reference):
        with pytest.raises(ValueError, match="there is no reference model 'smal'. Did you mean 'small'"):
            load_reference("smal")
        with pytest.raises(ValueError, match="there is no reference model 'vae_9d'. There are: small"):
            verify("vae_9d")

    def test_none_at_all(self, tmp_path, monkeypatch):
        monkeypatch.setenv("COURSE_DATA", str(tmp_path))
        assert reference_names() == []
        with pytest.raises(ValueError, match="no reference model 'vae_2d'. There are: none"):
            load_reference("vae_2d")

    @pytest.mark.parametrize("call", [load_reference, verify])
    def test_tampered_or_missing(self, reference, call):
        file = reference / "small.safetensors"
        content = file.read_bytes()
        file.write_bytes(content[:-1] + b"!")
        with pytest.raises(ValueError, match="SHA-256 differs.*unset COURSE_DATA.*course train small --out") as caught:
            call("small")
        assert str(reference) in str(caught.value), "the advice says where the course will look for the new file"
        file.unlink()
        with pytest.raises(FileNotFoundError, match="small.safetensors is missing. Restore it"):
            call("small")
        file.write_bytes(content)
        (reference / "small.json").unlink()
        with pytest.raises(FileNotFoundError, match="small.json is missing"):
            call("small")

    def test_a_path_is_no_name(self, reference):
        with pytest.raises(ValueError, match="there is no reference model"):
            load_reference("../checkpoints/small")

    def test_folder(self, reference):
        assert checkpoints.checkpoint_dir() == reference
