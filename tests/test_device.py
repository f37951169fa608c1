"""Which device is chosen, what is said of an absent one, and seeding."""

import contextlib
import random

import numpy as np
import pytest
import torch

from course_utils import device
from course_utils.device import describe_device, kept_rng, pick_device, seed_everything


@pytest.fixture(autouse=True)
def nothing_preferred(monkeypatch):
    monkeypatch.delenv("COURSE_DEVICE", raising=False)


@pytest.fixture
def machine(monkeypatch):
    """Pretend to be a machine with the given devices."""

    def pretend(*present: str, gpus: int = 1):
        monkeypatch.setattr(device, "_available", lambda: {name: name in present for name in ("cuda", "mps", "cpu")})
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus if "cuda" in present else 0)

    return pretend


@pytest.mark.parametrize(
    ("present", "chosen"), [(("cpu",), "cpu"), (("mps", "cpu"), "mps"), (("cuda", "cpu"), "cuda"),
                            (("cuda", "mps", "cpu"), "cuda")],
)  # fmt: skip
def test_order(machine, present, chosen):
    machine(*present)
    assert pick_device() == torch.device(chosen)


def test_a_gpu_that_torch_sees_is_chosen(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert pick_device() == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device() == torch.device("mps")


def test_what_torch_says_is_what_counts():
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert pick_device().type == expected


def test_the_environment_variable_overrides(machine, monkeypatch):
    machine("cuda", "cpu", gpus=2)
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    assert pick_device() == torch.device("cpu")
    monkeypatch.setenv("COURSE_DEVICE", "")
    assert pick_device() == torch.device("cuda")


def test_the_argument_overrides_the_environment_variable(machine, monkeypatch):
    machine("cuda", "cpu", gpus=2)
    monkeypatch.setenv("COURSE_DEVICE", "nonsense")
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("cuda:1") == torch.device("cuda", 1)
    assert pick_device(torch.device("cuda")) == torch.device("cuda")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "CUDA", "cuda:-1", "meta", "xpu", "cpu:x", "nonsense", ""])
def test_a_wrong_name_is_named(machine, name):
    machine("cpu")
    with pytest.raises(
        ValueError, match="prefer is '.*', which is no device name: use one of cuda, mps, cpu"
    ) as caught:
        pick_device(name)
    assert repr(name) in str(caught.value)


def test_a_wrong_name_in_the_environment_is_named(monkeypatch):
    monkeypatch.setenv("COURSE_DEVICE", "gpu")
    with pytest.raises(ValueError, match="COURSE_DEVICE is 'gpu', which is no device name"):
        pick_device()


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_an_absent_device_is_named(machine, monkeypatch, name):
    machine("cpu")
    message = r"asks for '{}', which this machine does not have \(it has: cpu\). Choose one of those, or leave {} out"
    with pytest.raises(RuntimeError, match="prefer " + message.format(name, "prefer")):
        pick_device(name)
    monkeypatch.setenv("COURSE_DEVICE", name)
    with pytest.raises(RuntimeError, match="COURSE_DEVICE " + message.format(name, "COURSE_DEVICE")):
        pick_device()


@pytest.mark.skipif(torch.cuda.is_available(), reason="has CUDA; no CUDA is what this is about (no GPU needed)")
def test_cuda_is_really_refused_here(monkeypatch):
    monkeypatch.setenv("COURSE_DEVICE", "cuda")
    with pytest.raises(RuntimeError, match="COURSE_DEVICE asks for 'cuda', which this machine does not have"):
        pick_device()


def test_a_gpu_beyond_the_last_is_refused(machine):
    machine("cuda", "cpu", gpus=2)
    with pytest.raises(RuntimeError, match="'cuda:2'"):
        pick_device("cuda:2")
    with pytest.raises(RuntimeError, match="'cpu:1'"):
        pick_device("cpu:1")


@pytest.mark.parametrize("seed", [0, 7, 2**32 + 5])
def test_seeding_reaches_all_generators(seed):
    draws = []
    for _ in range(2):
        seed_everything(seed)
        draws.append((random.random(), np.random.rand(), torch.rand(()).item()))
    assert draws[0] == draws[1]
    assert draws[0][2] == torch.rand((), generator=torch.Generator().manual_seed(seed)).item()
    seed_everything(seed + 1)
    assert draws[0] != (random.random(), np.random.rand(), torch.rand(()).item())


def test_describing():
    text = describe_device("cpu")
    assert text.startswith("cpu: ")
    assert f"{torch.get_num_threads()} threads" in text
    assert "\n" not in describe_device()
    with pytest.raises(ValueError, match="no device name"):
        describe_device("gpu")


@pytest.mark.parametrize("error", [None, RuntimeError])
def test_the_cpus_random_stream_is_kept(error):
    torch.manual_seed(3)
    expected = [torch.rand(2), torch.rand(2)][1]
    torch.manual_seed(3)
    torch.rand(2)
    with contextlib.suppress(RuntimeError), kept_rng("cpu"):
        torch.manual_seed(1)
        torch.rand(5)
        if error:
            raise error
    assert torch.equal(torch.rand(2), expected)


def test_the_random_stream_of_an_apple_gpu_is_kept(monkeypatch):
    state = ["before"]
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: state[-1])
    monkeypatch.setattr(torch.mps, "set_rng_state", state.append)
    with contextlib.suppress(KeyError), kept_rng("mps"):
        state.append("drawn")
        raise KeyError
    assert state == ["before", "drawn", "before"]


def test_a_generator_elsewhere_is_seeded_by_the_given_one(monkeypatch):
    made, source = [], torch.Generator

    class Elsewhere:
        def __init__(self, device):
            self.device = device

        def manual_seed(self, seed):
            made.append((self.device, seed))
            return self

    monkeypatch.setattr(torch, "Generator", Elsewhere)
    for seed in (0, 0, 1):
        given = source().manual_seed(seed)
        assert isinstance(device.generator_on("cuda:0", given), Elsewhere)
        assert device.generator_on("cpu", given) is given
    assert {where for where, _ in made} == {torch.device("cuda:0")}
    assert made[0] == made[1] != made[2]
    assert device.generator_on("cuda:0", None) is None
