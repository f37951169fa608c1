"""The benchmark of training speed runs, and says what it measured."""

import queue
import threading
from functools import partial

import pytest
import torch
from helpers import benchmark


@pytest.fixture
def speed():
    with benchmark("training_speed") as module:
        yield module


class End:
    """One end of a pipe between threads."""

    def __init__(self, outgoing: queue.Queue, incoming: queue.Queue):
        self.send, self.incoming = outgoing.put, incoming

    def recv(self):
        return self.incoming.get(timeout=600)

    def close(self):
        pass


class Threads:
    """In place of multiprocessing's context: nine processes would each import torch."""

    Process = threading.Thread

    def Pipe(self):
        there, back = queue.Queue(), queue.Queue()
        return End(there, back), End(back, there)


@pytest.mark.slow_because("another Python imports torch")
def test_each_way_has_a_process_of_its_own(speed):
    way = speed.Way(speed.BARE, 128, "float32", partial(speed.bare_way, batch_size=128, precision="float32"))
    assert speed.measure([way], ("bundled", 256), epochs=2, seeds=1) == 256
    assert len(way.rates) == 2
    assert min(way.rates) > 0


@pytest.mark.slow_because("an epoch of each way, and torchvision is imported")
def test_the_quick_run_prints_the_table(speed, capsys, monkeypatch):
    monkeypatch.setattr(speed.multiprocessing, "get_context", lambda kind: Threads())
    monkeypatch.setattr(speed.importlib.util, "find_spec", lambda name: None)
    threads = torch.get_num_threads()
    try:
        assert speed.main(["--quick", "--threads", "1"]) == 0
    finally:
        torch.set_num_threads(threads)
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| ")]
    assert rows[0][0] == "| way"
    assert [row[1] for row in rows[1:]] == ["128", "128", "128", "128", "128", "1024", "1024"]
    assert rows[1][4] == "1.0x"
    assert any(line.startswith("Of the bare step's speed `fit` reaches") for line in lines)
    assert lines[-2].endswith("an epoch, 1 seeds. pythae is not installed, so its row is missing.")


def test_the_examples_weights_mean_the_same_in_the_course_class(speed):
    torch.manual_seed(0)
    example, x = speed.ExampleVAE(), torch.rand(5, 1, 28, 28)
    model = example.as_course_vae()
    torch.manual_seed(1)
    theirs = example.loss(x) / 5
    mu, logvar = model.posterior(x)
    torch.manual_seed(1)
    z = mu + (0.5 * logvar).exp() * torch.randn_like(mu)
    kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1)
    ours = (model.negative_log_likelihood(x, z) + kl).mean()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)


def test_the_tight_loss_is_the_courses(speed):
    torch.manual_seed(0)
    model, x = speed.course_vae(), torch.rand(5, 1, 28, 28)
    torch.manual_seed(1)
    theirs = speed.tight_loss(list(model.parameters()), x.flatten(1))
    torch.manual_seed(1)
    torch.testing.assert_close(theirs, model.loss_terms(x)["loss"], rtol=1e-5, atol=0)


def test_torchvision_reads_the_same_images(speed):
    from course_utils.data import fashion_mnist

    train = fashion_mnist("train", limit=7)
    data = speed.usual_data(train)
    assert torch.equal(torch.stack([image for image, _ in data]), train.pixels())
    assert [label for _, label in data] == train.labels.tolist()


def test_a_ratio_is_the_median_over_the_turns(speed):
    def way(*rates):
        return speed.Way("w", 128, "float32", None, rates=list(rates))

    assert speed.ratios(way(20.0, 30.0, 90.0), way(10.0, 10.0, 10.0)) == (3.0, 2.0, 9.0)
    assert speed.ratios(way(20.0, 2.0, 16.0), way(10.0, 1.0, 1.0)) == (2.0, 2.0, 16.0)
