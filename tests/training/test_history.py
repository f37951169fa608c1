"""Histories of trainings, as files."""

import pytest
import torch

from course_utils.training import History, fit


def test_histories_saved_before_there_was_a_precision_can_be_read(tmp_path):
    torch.save({"epochs": [], "interrupted": False, "state": None}, tmp_path / "old")
    assert History.load(tmp_path / "old").precision == "float32"


def test_a_bit_turned_over_is_noticed(tmp_path):
    """torch.load itself does not compare the checksums of what it reads."""
    History([{"epoch": 1, "train": {"loss": 1.5}}], state={"weights": torch.arange(300.0)}).save(tmp_path / "h.pt")
    content = bytearray((tmp_path / "h.pt").read_bytes())
    place = content.index(torch.arange(300.0).numpy().tobytes()) + 401
    content[place] ^= 4
    (tmp_path / "h.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"is not a history .* damaged \(in "):
        History.load(tmp_path / "h.pt")
    (tmp_path / "h.pt").write_bytes(bytes(5000))
    with pytest.raises(ValueError, match="is not a history") as caught:
        History.load(tmp_path / "h.pt")
    assert len(str(caught.value)) < 500
    with pytest.raises(TypeError, match="resume is a PosixPath|resume is a WindowsPath"):
        fit(torch.nn.Linear(1, 1), [torch.ones(2, 1)], epochs=1, loss=lambda m, x: {"loss": m(x)}, resume=tmp_path)
