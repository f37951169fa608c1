"""`course export`: every reference model against torch in onnxruntime, the card that travels, and what can go wrong."""

import errno
import importlib.util
import json
import os
import tempfile

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from helpers import complaint
from torch import nn

from course_utils import checkpoints, stored
from course_utils.command import cli, export
from course_utils.models.autoencoder import Autoencoder
from course_utils.models.autoencoder_kl import AutoencoderKL
from course_utils.models.caption import tokenize
from course_utils.models.diffusion import CodeDiffusion
from course_utils.models.diffusion.caption_denoisers import CaptionUNet
from course_utils.models.flow import FlowModel
from course_utils.models.pca import PCA
from course_utils.models.styles import StyleGAN

QUICK = ("classifier_fashion", "diffusion_fashion", "gan_fashion", "sparse_k", "vae_2d")  # one of each kind
SLOW = pytest.mark.slow_because("the exporter takes seconds to trace each graph")
ALL = os.environ.get("COURSE_EVERYTHING") == "1"
NAMES = checkpoints.reference_names() if ALL else QUICK


@pytest.fixture
def small(tmp_path):
    """A small saved autoencoder, of pictures that are not square."""
    torch.manual_seed(0)
    model = Autoencoder(3, hidden=8, image_shape=(1, 8, 12))
    return checkpoints.save(model, tmp_path / "models" / "my_0.5", card={"what": "small", "licence": "MIT"})


@SLOW
@pytest.mark.parametrize("name", NAMES)
def test_a_reference_model_is_the_same_in_onnxruntime(name, tmp_path, capsys):
    assert cli.main(["export", name, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    card = stored.verify(tmp_path / f"{name}.onnx", strict=True)  # and the SHA-256 of each file
    _, source, model = export.open_model(name)
    assert card["weights_sha256"] == source["sha256"]
    assert set(card["graphs"]) == set(export.graphs(model))
    for part, entry in card["graphs"].items():
        assert f"{entry['file']}: " in said
        data = (tmp_path / entry["file"]).read_bytes()
        assert str(export.__file__).encode() not in data
        assert b"course_utils/" not in data
        proto = onnx.load_from_string(data)
        told = {one.key: one.value for one in proto.metadata_props}
        assert told["name"] == name
        assert told["graph"] == part
        assert told["licence"] == source["licence"]
        assert told["what"] == source["what"]
        assert json.loads(told["inputs"]) == entry["inputs"]
        if getattr(model, "image_shape", None) and part != "denoiser":
            assert "[0, 1]" in told["preprocessing"]
        session = onnxruntime.InferenceSession(data)
        assert [one.shape[0] for one in (*session.get_inputs(), *session.get_outputs())].count("batch") == len(
            entry["inputs"] + entry["outputs"]
        )
        independent(model, part, session)


def condition(model, n, rng):
    """What a denoiser or a flow is told, by the name of the graph's input: nothing, classes, vectors or captions."""
    if isinstance(getattr(model, "network", None), CaptionUNet):
        return {"tokens": tokenize(["a person with red hair, smiling", "", "glasses", "an older person"][:n])[0]}
    if model.num_classes:
        return {"label": torch.arange(n) + model.num_classes - n + 1}  # the last is any class
    return {"y": torch.rand(n, model.condition_dim, generator=rng)} if model.condition_dim else {}


def independent(model, part, session):
    """Compare with the networks inside the models, on batches of their own."""
    rng = torch.Generator().manual_seed(5)
    for n in (1, 4):
        if part == "decoder" and isinstance(model, AutoencoderKL):
            given = {"z": torch.randn(n, *model.latent_shape, generator=rng)}
            with torch.no_grad():
                shown = model.decoder(model.post_quant_conv(given["z"] / model.scaling_factor))
            wanted = (torch.nn.functional.pixel_shuffle(shown, model.patch_size) / 2 + 0.5).clamp(0, 1)
        elif part == "decoder":
            z = torch.randn(n, *model.latent_shape, generator=rng)
            y = torch.rand(n, getattr(model, "condition_dim", 0), generator=rng)
            given = {"z": z} | ({"y": y} if y.numel() else {})
            with torch.no_grad():
                if isinstance(model, StyleGAN):
                    wanted = model.generator.synthesize(model.map(z)[:, None].repeat(1, model.generator.num_layers, 1))
                else:
                    inside = model.generator.layers if hasattr(model, "generator") else model.decoder
                    wanted = torch.sigmoid(inside(torch.cat([z, y], dim=1)))
        elif part in ("mapping", "synthesis"):
            given = {"z": torch.randn(n, *model.latent_shape, generator=rng)}
            with torch.no_grad():
                wanted = model.generator.mapping(given["z"]) if model.generator.mapping else given["z"]
                if part == "synthesis":
                    w = torch.stack([wanted, *[wanted.flip(1)] * (model.generator.num_layers - 1)], dim=1)
                    given, wanted = {"w": w}, model.in_w(per_layer=True).decode(w)
        elif part == "denoiser":
            x_t, t = torch.randn(n, *model.latent_shape, generator=rng), torch.arange(n) * 250 + 3
            given, told = {"x_t": x_t, "t": t}, condition(model, n, rng)
            alpha_bar = model.schedule.alpha_bar[t].reshape(-1, *[1] * (x_t.ndim - 1))
            with torch.no_grad():
                v = model.denoiser(x_t, t, *told.values())
                wanted = alpha_bar.sqrt() * v + (1 - alpha_bar).sqrt() * x_t  # v -> eps
            given |= told
        elif part == "velocity":
            x_t, t = torch.randn(n, *model.latent_shape, generator=rng), torch.linspace(0.1, 0.9, n)
            given = {"x_t": x_t, "t": t} | (told := condition(model, n, rng))
            with torch.no_grad():
                wanted = model.network(x_t, 1000 * t, *told.values())
        else:
            x = torch.rand(n, *model.image_shape, generator=rng)
            y = torch.rand(n, getattr(model, "condition_dim", 0), generator=rng)
            given = {"x": x} | ({"y": y} if y.numel() else {})
            with torch.no_grad():
                wanted = (model.encode if part == "encoder" else model)(x, *([y] if y.numel() else []))
        got = session.run(None, {name: tensor.numpy() for name, tensor in given.items()})[0]
        np.testing.assert_allclose(got, wanted.numpy(), atol=1e-4, rtol=0)


@SLOW
@pytest.mark.parametrize("build", [FlowModel, CodeDiffusion])
def test_models_of_codes_are_exported_with_what_standardises_them(build, tmp_path):
    torch.manual_seed(0)
    model = build(5, condition_dim=3, hidden=8, blocks=1)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn(p.shape))
    model.set_codes(torch.randn(20, 5) + torch.arange(5.0))
    path = checkpoints.save(model, tmp_path / "codes", card={"what": "small", "licence": "MIT"})
    card = stored.verify(export.export(str(path), tmp_path / "out", say=lambda _: None), strict=True)
    assert card["codes"]["code_mean"] == pytest.approx(model.code_mean.tolist())
    ((part, entry),) = card["graphs"].items()
    assert part == ("velocity" if build is FlowModel else "denoiser")
    assert [one["name"] for one in entry["inputs"]] == ["x_t", "t", "y"]
    said = {one["name"]: one["what"] for one in (*entry["inputs"], *entry["outputs"])}
    assert "code_std" in said["x_t"]
    assert ("0 (noise)" in said["t"]) == (build is FlowModel)
    independent(model, part, onnxruntime.InferenceSession((tmp_path / "out" / entry["file"]).read_bytes()))


@SLOW
def test_a_saved_model_is_exported_by_its_path_and_nothing_is_lost(small, tmp_path, capsys):
    out = tmp_path / "out"
    for path in (small, small.with_name("my_0.5.json")):
        assert cli.main(["export", str(path), "--out", str(out), *(["--force"] if out.exists() else [])]) == 0
    files = {"my_0.5.decoder.onnx", "my_0.5.encoder.onnx", "my_0.5.onnx.json"}
    assert {path.name for path in out.iterdir()} == files
    before = {path: path.read_bytes() for path in out.iterdir()}
    capsys.readouterr()
    wrong = complaint(capsys, "export", small, "--out", out)
    assert "--force" in wrong
    assert "--out" in wrong
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    assert checkpoints.read_card(small)["what"] == "small"  # the card of the model stays as it is


@SLOW
def test_a_style_based_generator_has_its_two_parts_too(tmp_path):
    torch.manual_seed(0)
    model = StyleGAN(3, image_shape=(1, 16, 24), hidden=4).eval()
    path = checkpoints.save(model, tmp_path / "small", card={"what": "small", "licence": "MIT"})
    file = export.export(str(path), tmp_path)
    card = stored.verify(file, strict=True)
    assert set(card["graphs"]) == {"decoder", "mapping", "synthesis"}
    assert card["graphs"]["synthesis"]["inputs"][0]["shape"] == ["batch", 3, 3]
    for part, entry in card["graphs"].items():
        independent(model, part, onnxruntime.InferenceSession((tmp_path / entry["file"]).read_bytes()))


def test_every_reference_model_is_listed_with_its_graphs(capsys):
    assert cli.main(["export", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == checkpoints.reference_names()
    rows = {line.split()[0]: line for line in lines}
    assert "encoder: x, y -> mu, logvar; decoder: z, y -> x_hat" in rows["faces64_cvae"]
    assert "denoiser: x_t, t, label -> eps_hat" in rows["diffusion_fashion"]
    assert "encoder" not in rows["gan_fashion"]
    assert "damaged" not in "".join(lines)


def test_a_pca_has_both_ways():
    assert set(export.graphs(PCA(2).fit(torch.rand(9, 1, 4, 6)))) == {"encoder", "decoder"}


def test_what_cannot_be_exported_is_one_sentence(small, tmp_path, capsys):
    assert "did you mean vae_2d" in complaint(capsys, "export", "vae_2")
    assert "course export --list" in complaint(capsys, "export")
    note = tmp_path / "note.pt"
    note.write_text("no model")
    assert "is no model of the course" in complaint(capsys, "export", note)
    assert "is no model of the course" in complaint(capsys, "export", tmp_path)
    note.with_suffix(".json").write_text("{}")
    assert "note.json is not a checkpoint's card" in complaint(capsys, "export", tmp_path / "note.json")
    assert "missing" in complaint(capsys, "export", tmp_path / "gone.safetensors", status=1)
    stored.save(tmp_path / "schedule", {"a": torch.ones(2)}, card={"model": {"name": "NoiseSchedule", "arguments": {}}})
    assert "schedule" in complaint(capsys, "export", tmp_path / "schedule")
    note.write_bytes(b"")
    assert "cannot be written" in complaint(capsys, "export", small, "--out", note, status=1)


@SLOW
def test_a_full_disk_leaves_nothing(small, tmp_path, capsys, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "mkstemp", full)
    assert cli.main(["export", str(small), "--out", str(tmp_path / "out")]) == 1
    assert "Free some disk space" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


def test_a_missing_package_is_named_with_the_command(capsys, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxscript" else find(name))
    said = complaint(capsys, "export", "vae_2d", status=1)
    assert "onnxscript is not installed" in said
    assert "uv sync --extra export" in said


@SLOW
def test_a_file_that_differs_from_torch_is_not_kept(small, tmp_path, capsys, monkeypatch):
    write = export.onnx_bytes

    def wrong(graph, card):
        data = write(graph, card)
        with torch.no_grad():
            graph.model.decoder[-2].bias += 1e-2  # the model of torch is another one from now on
        return data

    assert isinstance(checkpoints.load(small).decoder[-2], nn.Linear)
    monkeypatch.setattr(export, "onnx_bytes", wrong)
    assert cli.main(["export", str(small), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "its x_hat differs from torch's" in said
    assert "not kept" in said
    assert not (tmp_path / "out").exists()
