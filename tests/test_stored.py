"""What the course keeps on disk: written with a card that vouches for every byte, and read only when it is right."""

import contextlib
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from course_utils import files, stored
from course_utils.files import sha256

CARD = {"what": "a test", "ranges": [[1, 2.5], [-3e-7, 4]], "où": "ici, [1,\n 2]", "nested": {"a": None, "b": True}}


@pytest.fixture
def content():
    points = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    return {"points": points.T, "half": points.half(), "notes.txt": b"two\nlines", "b.gz": bytes(range(256))}


def test_tensors_and_bytes_come_back(tmp_path, content):
    assert stored.save(tmp_path / "new" / "beta_0.5", content, card=CARD) == tmp_path / "new" / "beta_0.5.safetensors"
    names = ["b.gz", "beta_0.5.json", "beta_0.5.safetensors", "notes.txt"]
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == names
    for path in ("beta_0.5", "beta_0.5.json", "beta_0.5.safetensors"):
        card, back = stored.read(tmp_path / "new" / path)
        assert {key: card[key] for key in CARD} == CARD
        assert back.keys() == content.keys()
        for name, value in content.items():
            assert torch.equal(back[name], value) if name in ("points", "half") else back[name] == value
    assert card["files"] == {name: sha256(content[name]) for name in ("notes.txt", "b.gz")}
    assert card["sha256"] == sha256((tmp_path / "new" / "beta_0.5.safetensors").read_bytes())
    assert {"python", "torch"} <= card["versions"].keys()
    assert stored.names(tmp_path / "new") == ["beta_0.5"]
    assert stored.files_of(tmp_path / "new" / "beta_0.5", card) == {tmp_path / "new" / name for name in names}


def test_a_table_is_a_card_without_content(tmp_path):
    assert stored.save(tmp_path / "t.json", card=CARD) == tmp_path / "t.json"
    card, content = stored.read(tmp_path / "t")
    assert content == {}
    assert not {"sha256", "files"} & card.keys()
    assert "\n   [1, 2.5],\n" not in (tmp_path / "t.json").read_text(encoding="utf-8")
    assert "[1, 2.5]" in (tmp_path / "t.json").read_text(encoding="utf-8"), "numbers stand in one line"


def test_a_card_cannot_claim_other_digests(tmp_path):
    stored.save(tmp_path / "t", card={"sha256": "0" * 64, "files": {"x": "0" * 64}, "card_sha256": "0" * 64})
    assert stored.verify(tmp_path / "t", strict=True).keys() == {"versions", "card_sha256"}


def test_numbers_of_numpy_and_torch_become_plain(tmp_path):
    given = {
        "rate": np.float32(0.5),
        "steps": np.int64(3),
        "ok": np.bool_(True),
        "loss": torch.tensor(1.5),
        "t": (1, 2),
        "curve": np.array([0.5, 1.0]),
    }
    stored.save(tmp_path / "t", card=given)
    card = stored.verify(tmp_path / "t")
    assert {key: card[key] for key in given} == {
        "rate": 0.5,
        "steps": 3,
        "ok": True,
        "loss": 1.5,
        "t": [1, 2],
        "curve": [0.5, 1.0],
    }
    for bad in (torch.zeros(1), {1, 2}, b"x"):
        with pytest.raises(TypeError, match="is not JSON serializable"):
            stored.save(tmp_path / "bad", {"f": b"x"}, card={"bad": bad})
    assert stored.names(tmp_path) == ["t"]
    assert not (tmp_path / "f").exists()


def test_only_what_is_asked_for_is_read(tmp_path):
    stored.save(tmp_path / "card", {"a": b"1", "b": b"2"}, card={})
    (tmp_path / "b").write_bytes(b"!")
    assert stored.read(tmp_path / "card", only=["a"])[1] == {"a": b"1"}
    with pytest.raises(ValueError, match="b is not the file its card describes"):
        stored.read(tmp_path / "card")
    with pytest.raises(ValueError, match="card.json lists no c"):
        stored.read(tmp_path / "card", only=["c"])


def test_layout_and_order_do_not_matter_but_every_word_does(tmp_path):
    file = stored.save(tmp_path / "t", card=CARD)
    card = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(dict(reversed(card.items())), indent=7))
    assert stored.verify(tmp_path / "t", strict=True) == card
    for change in ({"what": "a Test"}, {"ranges": [[1, 2.5], [-3e-7, 5]]}, {"more": 1}, {"card_sha256": "0" * 64}):
        file.write_text(json.dumps(card | change))
        with pytest.raises(ValueError, match="t.json was altered .*: it was not used. Save it again"):
            stored.read(tmp_path / "t")
        (tmp_path / "t.json").write_text(json.dumps({key: card[key] for key in card if key != "what"}))
        with pytest.raises(ValueError, match="was altered"):
            stored.read(tmp_path / "t")


def test_seal_after_a_change_by_hand(tmp_path):
    file = stored.save(tmp_path / "t", {"a": b"1"}, card=CARD)
    changed = {**json.loads(file.read_text(encoding="utf-8")), "what": "another test"}
    file.write_text(json.dumps(changed))
    assert stored.seal(tmp_path / "t") == file
    assert stored.verify(tmp_path / "t", strict=True)["what"] == "another test"
    before = file.read_bytes()
    stored.seal(tmp_path / "t")
    assert file.read_bytes() == before
    (tmp_path / "a").write_bytes(b"2")
    with pytest.raises(ValueError, match="a is not the file its card describes"):
        stored.seal(tmp_path / "t")


def test_old_cards_are_read_but_not_where_it_is_strict(tmp_path):
    (tmp_path / "old.json").write_text('{"what": "old"}')
    assert stored.read(tmp_path / "old") == ({"what": "old"}, {})
    with pytest.raises(ValueError, match="old.json was altered"):
        stored.verify(tmp_path / "old", strict=True)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "null", '{"sha256": 3}', '{"sha256": "abc"}', '{"files": 3}', '{"files": {"a": "x"}}',
     f'{{"files": {{"../a": "{"0" * 64}"}}}}', f'{{"files": {{"/etc/passwd": "{"0" * 64}"}}}}'],
)  # fmt: skip
def test_what_is_no_card(tmp_path, text):
    (tmp_path / "t.json").write_text(text)
    for call in (stored.read, stored.verify, stored.seal):
        with pytest.raises(ValueError, match="t.json is not a card, or it is damaged"):
            call(tmp_path / "t")


def test_what_is_missing_is_named(tmp_path, content):
    stored.save(tmp_path / "t", content, card={})
    for name in ("t.safetensors", "notes.txt", "t.json"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).unlink()
        with pytest.raises(FileNotFoundError, match=f"{name} is missing. Save it again."):
            stored.read(tmp_path / "t")
        (tmp_path / name).write_bytes(whole)
    stored.read(tmp_path / "t")


def test_find(tmp_path):
    stored.save(tmp_path / "small", card={})
    assert stored.find("small", tmp_path, "table") == tmp_path / "small"
    with pytest.raises(ValueError, match="^there is no table 'smal'. Did you mean 'small'?"):
        stored.find("smal", tmp_path, "table")
    for name in ("x", "../small"):
        with pytest.raises(ValueError, match="There are: small|Did you mean"):
            stored.find(name, tmp_path, "table")
    with pytest.raises(ValueError, match="There are: none."):
        stored.find("x", tmp_path / "none", "table")


class TestMend:
    """What to do depends on where the file is."""

    def test_in_a_checkout(self, monkeypatch):
        monkeypatch.delenv("COURSE_DATA", raising=False)
        restore = "Restore it (git checkout -- data, or install the package again)"
        assert stored.mend(files.data_dir() / "lessons") == restore
        folder = files.data_dir() / "checkpoints"
        assert stored.mend(folder / "vae_2d") == f"{restore}, or make it again: course train vae_2d --out {folder}"

    def test_in_an_installed_package(self, monkeypatch, tmp_path):
        monkeypatch.delenv("COURSE_DATA", raising=False)
        monkeypatch.setattr(files, "_PACKAGE", tmp_path)
        (tmp_path / "_data").mkdir()
        assert stored.mend(tmp_path / "_data" / "lessons") == "Install the package again"

    def test_in_data_of_ones_own(self, monkeypatch, tmp_path):
        monkeypatch.setenv("COURSE_DATA", str(tmp_path))
        assert "unset COURSE_DATA" in stored.mend(tmp_path / "lessons")

    def test_in_the_learners_folder(self, monkeypatch, tmp_path):
        monkeypatch.setenv("COURSE_HOME", str(tmp_path))
        folder = tmp_path / "maps"
        assert stored.mend(folder / "sweep") == f"Make it again: course maps --out {folder}"
        assert stored.mend(tmp_path / "mine") == "Save it again"

    def test_anywhere(self, tmp_path):
        assert stored.mend(tmp_path / "checkpoints" / "mine") == "Save it again"


def test_importing_it_imports_nothing_heavy():
    code = "import sys, course_utils.stored; print([n for n in ('torch', 'numpy', 'safetensors') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_damaged_card_is_not_quoted(tmp_path):
    stored.save(tmp_path / "t", card={"what": "x" * 5000})
    path = tmp_path / "t.json"
    path.write_bytes(path.read_bytes()[:-3] + b"\xff\xff\xff")
    with pytest.raises(ValueError, match="is not a card, or it is damaged") as caught:
        stored.read(tmp_path / "t")
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_saving_that_is_killed_between_its_files_is_finished_by_the_next_reader(tmp_path, monkeypatch, nth):
    old, new = ({"points": torch.full((3, 2), value), "notes.txt": b"%d" % value} for value in (1.0, 2.0))
    stored.save(tmp_path / "t", old, card={"version": 1})
    replaced, replace = [], files.os.replace

    class Killed(BaseException):
        pass

    def killed(source, target):
        if len(replaced) == nth:
            monkeypatch.setattr(files.os, "unlink", lambda path: None)  # a killed process clears nothing away
            raise Killed
        replaced.append(target)
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", killed)
    with contextlib.suppress(Killed):
        stored.save(tmp_path / "t", new, card={"version": 2})
    monkeypatch.undo()
    monkeypatch.setattr(stored.time, "sleep", lambda seconds: None)
    card, content = stored.read(tmp_path / "t")
    assert card["version"] == 2
    assert torch.equal(content["points"], new["points"])
    assert content["notes.txt"] == b"2"
