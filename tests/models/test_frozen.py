"""A frozen graph under a fresh head, held to what numpy says of its features."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from made_graphs import Made
from onnx import TensorProto

from lepton.core.errors import UserError
from lepton.models import _heads, frozen
from lepton.models._network import Network
from lepton.models._resize import fit_to
from lepton.models._shape import Shape

IMAGE = Shape({"image": (3, 4, 4)}, outputs=2, task="image-classification")
TEXT = Shape({"input_ids": (0,), "attention_mask": (0,)}, outputs=2, vocabulary=9, task="text-classification")
TAGS = Shape({"input_ids": (0,), "attention_mask": (0,)}, outputs=5, vocabulary=9, task="token-classification")
RANDOM = np.random.default_rng(0)
PIXELS = torch.from_numpy(RANDOM.integers(0, 256, (2, 3, 4, 4)).astype(np.uint8))
INNER = RANDOM.normal(size=(48, 6)).astype(np.float32)
OUTER = RANDOM.normal(size=(6, 3)).astype(np.float32)
TABLE = RANDOM.normal(size=(9, 4)).astype(np.float32)
IDS = torch.tensor([[1, 4, 2], [3, 3, 0]]), torch.tensor([[1, 1, 1], [1, 1, 0]])
TOKENS = [("input_ids", ["n", "t"], TensorProto.INT64), ("attention_mask", ["n", "t"], TensorProto.INT64)]
STATES = [("Gather", ["table", "input_ids"], ["states"], {})]
LAYERS = [
    ("Flatten", ["x"], ["flat"], {}),
    ("MatMul", ["flat", "inner"], ["seen"], {}),
    ("Relu", ["seen"], ["kept"], {}),
    ("MatMul", ["kept", "outer"], ["scores"], {}),
    ("Softmax", ["scores"], ["chances"], {}),
]


def classifier(made: Made) -> str:
    return made(LAYERS, [("x", ["n", 3, 4, 4])], [("chances", ["n", 3])], {"inner": INNER, "outer": OUTER})


def seen(body: torch.nn.Module, *arrays: torch.Tensor) -> np.ndarray:
    """The features of the body."""
    return np.asarray(body.extractor(*arrays))  # type: ignore[operator]


def close(found: np.ndarray, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_features_enter_the_dense_layer_of_the_scores(made: Made) -> None:
    found = seen(frozen.build(IMAGE, path=classifier(made)), PIXELS)
    close(found, np.maximum(PIXELS.numpy().reshape(2, -1) / 255 @ INNER, 0))


def test_casts_and_a_bias_stand_behind_the_dense_layer(made: Made) -> None:
    behind: list[Any] = [
        ("Cast", ["outer"], ["weight"], {"to": TensorProto.FLOAT}),
        ("MatMul", ["kept", "weight"], ["product"], {}),
        ("Cast", ["product"], ["same"], {"to": TensorProto.FLOAT}),
        ("Add", ["same", "bias"], ["scores"], {}),
        LAYERS[-1],
    ]
    weights = {"inner": INNER, "outer": OUTER, "bias": OUTER[0]}
    path = made([*LAYERS[:3], *behind], [("x", ["n", 3, 4, 4])], [("chances", ["n", 3])], weights)
    found = seen(frozen.build(IMAGE, path=path), PIXELS)
    close(found, np.maximum(PIXELS.numpy().reshape(2, -1) / 255 @ INNER, 0))


def test_a_value_by_name(made: Made) -> None:
    found = seen(frozen.build(IMAGE, path=classifier(made), output="seen"), PIXELS)
    close(found, PIXELS.numpy().reshape(2, -1) / 255 @ INNER)


def test_a_value_that_is_not_there(made: Made) -> None:
    with pytest.raises(UserError, match=r"model\.output.*elsewhere.*Values before the end: chances, scores"):
        frozen.build(IMAGE, path=classifier(made), output="elsewhere")


def test_maps_are_averaged(made: Made) -> None:
    path = made([("Relu", ["x"], ["y"], {})], [("x", ["n", 3, 4, 4])], [("y", ["n", 3, 4, 4])], {})
    close(seen(frozen.build(IMAGE, path=path), PIXELS), PIXELS.numpy().mean((2, 3)) / 255)


def test_maps_with_channels_last(made: Made) -> None:
    path = made([("Relu", ["x"], ["y"], {})], [("x", ["n", 4, 4, 3])], [("y", ["n", 4, 4, 3])], {})
    close(seen(frozen.build(IMAGE, path=path), PIXELS), PIXELS.numpy().mean((2, 3)) / 255)


def test_states_are_averaged_by_the_mask(made: Made) -> None:
    path = made(STATES, TOKENS, [("states", ["n", "t", 4])], {"table": TABLE})
    ids, mask = (item.numpy() for item in IDS)
    wanted = (TABLE[ids] * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    close(seen(frozen.build(TEXT, path=path), *IDS), wanted)


def test_states_of_each_token(made: Made) -> None:
    path = made(STATES, TOKENS, [("states", ["n", "t", 4])], {"table": TABLE})
    body = frozen.build(TAGS, path=path)
    close(seen(body, *IDS), TABLE[IDS[0].numpy()])
    assert body(*IDS).shape == (2, 3, 5)


def test_scores_are_no_features_of_tokens(made: Made) -> None:
    path = made(
        [*STATES, ("ReduceMean", ["states"], ["y"], {"axes": [1], "keepdims": 0})],
        TOKENS,
        [("y", ["n", 4])],
        {"table": TABLE},
        opset=17,
    )
    with pytest.raises(UserError, match="no features there"):
        frozen.build(TAGS, path=path)


@pytest.mark.parametrize("shape", [IMAGE, TEXT, TAGS])
def test_the_whole_graph_answers_as_the_network_does(made: Made, shape: Shape) -> None:
    path = classifier(made) if shape is IMAGE else made(STATES, TOKENS, [("states", ["n", "t", 4])], {"table": TABLE})
    body, arrays = frozen.build(shape, path=path), (PIXELS,) if shape is IMAGE else IDS
    session = onnxruntime.InferenceSession(body.graph(), providers=["CPUExecutionProvider"])  # type: ignore[operator]
    named = dict(zip(shape.inputs, arrays, strict=True))
    (found,) = session.run(["logits"], {item.name: named[item.name].numpy() for item in session.get_inputs()})
    if shape is IMAGE:
        np.testing.assert_allclose(found, body(*arrays).detach().numpy(), rtol=1e-5, atol=1e-5)
    else:
        close(found, body(*arrays).detach().numpy())


def test_only_the_head_learns(made: Made) -> None:
    network = Network(frozen.build(IMAGE, path=classifier(made)))
    learning = [name for name, value in network.named_parameters() if value.requires_grad]
    assert learning == _heads.head(network) == ["body.head.weight", "body.head.bias"]
    network(PIXELS).sum().backward()


def test_saved_weights_hold_the_graph(made: Made) -> None:
    path = classifier(made)
    first = frozen.build(IMAGE, path=path)
    kept = first.state_dict()
    Path(path).unlink()
    other = frozen.build(IMAGE, path=path)
    fit_to(other, kept)
    other.load_state_dict(kept)
    assert torch.equal(other(PIXELS), first(PIXELS))


def test_an_app_is_where_training_starts(tmp_path: Path) -> None:
    apps = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
    with pytest.raises(UserError, match=r"train\.start"):
        frozen.brought({"path": str(next(each for each in apps.iterdir() if each.is_dir()))})
