"""Training in bfloat16, and the choice of a precision."""

import pytest
import torch
from small_models import tiny_set, tiny_vae

from course_utils.training import History, fit
from course_utils.training.precision import bfloat16_speedup, choose_precision


def test_training_in_bfloat16_computes_in_it_and_keeps_float32_weights():
    model, seen = tiny_vae(), {}

    def watch(name):
        def note(module, inputs, output):
            seen[name, module.training] = output.dtype

        return note

    model.encoder[1].register_forward_hook(watch("encoder"))
    batches = tiny_set().batches(8)
    history = fit(model, batches, epochs=1, validation=batches, progress=False, precision="bfloat16")
    assert seen == {("encoder", True): torch.bfloat16, ("encoder", False): torch.float32}
    assert history.precision == "bfloat16"
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert fit(tiny_vae(), batches, epochs=1, progress=False).precision == "float32"


def test_bfloat16_learns_as_float32_does():
    losses = {}
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(0)
        losses[precision] = fit(
            tiny_vae(), tiny_set().batches(8), epochs=30, lr=1e-2, progress=False, precision=precision
        ).series()
    assert losses["float32"] != losses["bfloat16"]
    assert losses["bfloat16"][-1] == pytest.approx(losses["float32"][-1], rel=0.01)
    assert losses["float32"][-1] < losses["float32"][0] - 0.5


@pytest.mark.parametrize(("speedup", "choice"), [(0.4, "float32"), (1.1, "float32"), (2.0, "bfloat16")])
def test_auto_takes_what_is_faster(monkeypatch, tmp_path, speedup, choice):
    monkeypatch.setattr("course_utils.training.precision.bfloat16_speedup", lambda device: speedup)
    batches = tiny_set().batches(8)
    model = tiny_vae()
    history = fit(model, batches, epochs=1, progress=False, precision="auto")
    assert history.precision == choice
    saved = History.load(history.save(tmp_path / "history"))
    assert saved.precision == choice
    monkeypatch.setattr("course_utils.training.precision.bfloat16_speedup", lambda device: 1.3 - (speedup - 1.3))
    assert fit(model, batches, epochs=2, progress=False, precision="auto", resume=saved).precision == choice


def test_precision_is_measured_once_and_names_are_checked():
    assert 0.01 < bfloat16_speedup("cpu") < 100
    assert bfloat16_speedup("cpu") is bfloat16_speedup("cpu")
    assert bfloat16_speedup("mps") == 1.0
    with pytest.raises(ValueError, match="precision is 'half': use one of float32, bfloat16, auto"):
        choose_precision("half", "cpu")
    with pytest.raises(ValueError, match="precision is 'half'"):
        fit(tiny_vae(), tiny_set().batches(8), epochs=1, progress=False, precision="half")
