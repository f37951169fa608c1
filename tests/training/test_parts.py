"""The parts of the training loops."""

import torch
from small_models import tiny_set, tiny_vae

from course_utils.training import fit


def test_the_default_optimizer_is_fused_adam(monkeypatch):
    made = []
    real = torch.optim.Adam
    monkeypatch.setattr(torch.optim, "Adam", lambda *args, **kw: made.append(kw) or real(*args, **kw))
    fit(tiny_vae(), tiny_set().batches(8), epochs=1, lr=0.02, progress=False)
    assert made == [{"lr": 0.02, "fused": True}]
