"""What training starts from: what is taken of it, and what is said of what cannot be."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from lepton.core import settings
from lepton.core.errors import UserError
from lepton.models import cnn
from lepton.models._network import Network
from lepton.models._shape import Shape
from lepton.stages import _origin
from lepton.stages._fit import Start
from lepton.stages._origin import Origin
from lepton.transforms._fitted import Fitted

SHAPE = Shape({"image": (1, 12, 12)}, outputs=2, task="image-classification")


def network(**given: object) -> Network:
    return Network(cnn.build(SHAPE, **settings.settle(cnn.build, given, "model"))).eval()


def start(found: Network, *, transform: Fitted | None = None) -> Start:
    return Start(found, {"classes": ["a", "b"]}, ("image", transform or Fitted({}, {})))


def plain(path: Path, weights: dict[str, torch.Tensor]) -> Path:
    kept = {name: value.contiguous() for name, value in weights.items()}
    save_file(kept, path) if path.suffix == ".safetensors" else torch.save(kept, path)
    return path


WAYS = {
    "as they are": lambda name: name,
    "without the body": lambda name: name.removeprefix("body."),
    "of a parallel wrapper": lambda name: f"module.{name}",
    "of another wrapper": lambda name: f"backbone.{name.removeprefix('body.')}",
}


@pytest.mark.parametrize("file", ["weights.safetensors", "weights.pt", "weights.bin"])
@pytest.mark.parametrize("way", WAYS)
def test_plain_weights_are_found_under_the_names_people_have(tmp_path: Path, file: str, way: str) -> None:
    torch.manual_seed(1)
    theirs = network().state_dict()
    path = plain(tmp_path / file, {WAYS[way](name): value for name, value in theirs.items()})
    torch.manual_seed(2)
    mine = start(network())
    found = _origin.take(mine, _origin.read(path))
    assert (found.taken, found.fresh, found.unused) == (len(theirs), {}, {})
    assert all(torch.equal(value, theirs[name]) for name, value in mine.network.state_dict().items())


def test_a_checkpoint_may_hold_its_state_dict_inside(tmp_path: Path) -> None:
    torch.save({"state_dict": network().state_dict()}, tmp_path / "best.ckpt")
    assert set(_origin.read(tmp_path / "best.ckpt").weights) == set(network().state_dict())


def test_a_head_of_another_shape_begins_anew_and_it_is_said(tmp_path: Path) -> None:
    weights = dict(network().state_dict())
    weights |= {"body.head.bias": torch.zeros(7), "extra": torch.zeros(1)}
    found = _origin.take(start(network()), Origin(tmp_path, weights))
    assert found.fresh == {"body.head.bias": "its shape is 7, 2 is needed"}
    assert found.unused == {
        "body.head.bias": "its shape is 7, 2 is needed",
        "extra": "the network has nothing of that name",
    }
    assert "begin anew" in found.told


def test_a_head_for_other_classes_begins_anew(tmp_path: Path) -> None:
    mine = network()
    before = mine.body.head.weight.clone()
    found = _origin.take(start(mine), Origin(tmp_path, network().state_dict(), {"classes": ["c", "d"]}))
    assert set(found.fresh) == {"body.head.weight", "body.head.bias"}
    assert torch.equal(mine.body.head.weight, before)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        _origin.take(start(network()), Origin(tmp_path / "w.pt", network(widths=[16]).state_dict()))
    assert "are not those of the model" in caught.value.what
    assert "body.stages.0.0.weight: its shape is 16 x 1 x 3 x 3, 32 x 1 x 3 x 3 is needed" in caught.value.received
    assert caught.value.remedy


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"body\.stages\.0\.0\.weight: there is nothing of that name"):
        _origin.take(start(network()), Origin(tmp_path / "w.pt", {"embed": torch.zeros(3)}))


class Evil:
    """What a pickle must not be able to do."""

    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("touched"),))


@pytest.mark.parametrize("content", [Evil(), SimpleNamespace(a=1), {"weights": [1, 2]}], ids=["code", "object", "list"])
def test_a_pickle_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(UserError, match=r"model\.pt is no state_dict\. .*run its code.*torch\.save\(model\.state_dict"):
        _origin.read(tmp_path / "model.pt")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("model.onnx", b"", "lepton compress"),
        ("model.h5", b"", "state_dict"),
        ("model.safetensors", b"noise", "cannot be read"),
        ("model.pt", b"noise", "is no state_dict"),
    ],
)
def test_files_that_hold_no_weights(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=words):
        _origin.read(tmp_path / name)


def test_folders_without_weights(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UserError, match=r"has no weights\. It must be a run.*Received: notes\.txt\. Name a run"):
        _origin.read(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({}))
    with pytest.raises(UserError, match='Say model = { name = "hub"'):
        _origin.read(tmp_path)
    with pytest.raises(UserError, match="is not there"):
        _origin.read(tmp_path / "absent")


def test_another_tokenizer_than_that_of_the_weights_is_refused() -> None:
    mine = start(network(), transform=Fitted({"vocabulary": 50}, {"tokenizer.json": b"a"}))
    theirs = Origin(Path("runs/x"), mine.network.state_dict(), mine.described, mine.transform)
    assert _origin.take(mine, theirs).fresh == {}
    other = replace(theirs, transform=("tokens", Fitted({"vocabulary": 80}, {"tokenizer.json": b"b"})))
    with pytest.raises(UserError, match=r"tokenizer does not fit.*of 80 tokens.*Received: another one, of 50"):
        _origin.take(mine, other)
