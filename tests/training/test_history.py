"""Histories of trainings, as files."""

import torch

from course_utils.training import History


def test_histories_saved_before_there_was_a_precision_can_be_read(tmp_path):
    torch.save({"epochs": [], "interrupted": False, "state": None}, tmp_path / "old")
    assert History.load(tmp_path / "old").precision == "float32"
