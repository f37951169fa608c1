"""What a notebook gets, so that the page can answer when the kernel does not."""

import gzip
import json

import torch

from course_utils.models.pca import PCA
from course_utils.models.vae import VAE
from course_utils.widgets import ComponentSlider, FunctionSlider, LatentPad, MapExplorer
from course_utils.widgets.page import stand_in

SHAPE = (1, 8, 6)


def pad(model=None) -> LatentPad:
    torch.manual_seed(0)
    codes = torch.randn(30, 2)
    return LatentPad(model or VAE(2, hidden=8, image_shape=SHAPE).eval(), codes, torch.arange(30) % 2, ("bag", "boot"))


def test_a_bundle_has_all_but_what_the_widget_has_and_answers_only_once():
    explorer = pad()
    before = explorer.get_state()
    content, (packed,) = stand_in.message(explorer, "")
    raw = gzip.decompress(packed)
    header = json.loads(raw[4 : 4 + int.from_bytes(raw[:4], "little")])
    assert set(header["parts"]) == {"halves", "single", "heights"}
    assert header["page"]["kind"] == "pad"
    assert len(content["page"]) == 16
    assert all("decode" in content["scripts"][name] for name in ("decoder", "others", "worker"))
    assert stand_in.message(explorer, content["page"]) == ({"page": content["page"]}, [])
    assert stand_in.message(explorer, "other")[1] == [packed]
    assert explorer.get_state() == before, "nothing of it is saved with the notebook"


def test_a_model_that_has_learned_is_sent_again():
    model = VAE(2, hidden=8, image_shape=SHAPE).eval()
    explorer = pad(model)
    first, _ = stand_in.message(explorer, "")
    with torch.no_grad():
        model.decoder[-2].bias += 1
    second, buffers = stand_in.message(explorer, first["page"])
    assert second["page"] != first["page"]
    assert len(buffers) == 1


def test_what_a_page_cannot_answer_is_said_at_once(monkeypatch):
    x = torch.rand(20, *SHAPE)

    class Own(PCA):
        pass

    own = pad(Own(2).fit(x))
    assert stand_in.message(own, "")[0]["page"]  # it decodes as PCA does
    grey = FunctionSlider(lambda a: torch.full((1, 1, 4, 4), a), 0, 1, labels=["grey"])
    assert stand_in.message(grey, "") == ({"page": None}, [])
    components = ComponentSlider(PCA(5).fit(x), x[0])
    assert stand_in.message(components, "")[0]["page"]
    monkeypatch.setattr(stand_in, "MOST", 5)
    drawn = []
    monkeypatch.setattr(components, "_draw", drawn.append)
    assert stand_in.message(components, "") == ({"page": None}, [])
    assert not drawn, "the many positions are not drawn first"
    monkeypatch.setattr(stand_in, "LARGEST", 100)
    assert stand_in.message(pad(), "") == ({"page": None}, [])


def test_an_unknown_layer_and_a_strange_message():
    model = VAE(2, hidden=8, image_shape=SHAPE).eval()
    model.decoder.append(torch.nn.Softplus())
    explorer, sent = pad(model), []
    explorer.send = lambda *message: sent.append(message)
    for content in ({"page": 3}, {"other": ""}, "page", None, []):
        explorer._handle_custom_msg(content, [])
    assert sent == []
    explorer._handle_custom_msg({"page": ""}, [])
    assert sent == [({"page": None}, [])]


def test_a_map_is_left_as_it_was():
    maps, labels = {(5,): torch.randn(12, 2), (9,): torch.randn(12, 2)}, torch.arange(12) % 2
    images = torch.rand(12, *SHAPE)
    explorer = MapExplorer(maps, labels, ("bag", "boot"), images=images, settings=("perplexity",))
    explorer.value = explorer.value | {"map": [1], "at": [0.5, 0.5]}
    answer, value = explorer._answer, explorer.value
    content, _ = stand_in.message(explorer, "")
    assert stand_in.message(explorer, content["page"])[1] == []
    assert explorer._answer == answer
    assert explorer.value == value
    assert explorer._describe("")["text"] == answer["text"]
