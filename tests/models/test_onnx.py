"""Brought graphs held to their definitions: numpy says what a made-up graph answers, before and after the surgery."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from made_graphs import Made, value
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic
from safetensors.torch import load, save

from lepton.bundle import manifest
from lepton.core.errors import UserError
from lepton.models import _brought
from lepton.models import onnx as family
from lepton.models._shape import Shape

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
IMAGE = Shape({"image": (3, 4, 4)}, outputs=3, task="image-classification")
TEXT = Shape({"input_ids": (0,), "attention_mask": (0,)}, outputs=3, vocabulary=9, task="text-classification")
TAGS = Shape({"input_ids": (0,), "attention_mask": (0,)}, outputs=5, vocabulary=9, task="token-classification")
RANDOM = np.random.default_rng(0)
PIXELS = torch.from_numpy(RANDOM.integers(0, 256, (2, 3, 4, 4)).astype(np.uint8))
WEIGHTS = RANDOM.normal(size=(48, 3)).astype(np.float32)
TABLE = RANDOM.normal(size=(9, 3)).astype(np.float32)
IDS = torch.tensor([[1, 4, 2], [3, 3, 0]]), torch.tensor([[1, 1, 1], [1, 1, 0]])


LINEAR = [("Flatten", ["x"], ["flat"], {}), ("MatMul", ["flat", "w"], ["y"], {})]


def linear(made: Made, **more: Any) -> str:
    """Pixels (B, 3, 4, 4) as floats, flattened, times WEIGHTS."""
    return made(LINEAR, [("x", ["n", 3, 4, 4])], [("y", ["n", 3])], {"w": WEIGHTS}, **more)


def expected(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(len(pixels), -1).astype(np.float32) @ WEIGHTS


def close(found: torch.Tensor, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4, atol=1e-4)


def test_pixels_enter_a_graph_of_floats_from_nought_to_one(made: Made) -> None:
    close(family.build(IMAGE, path=linear(made))(PIXELS), expected(PIXELS.numpy() / 255))


def test_pixels_are_scaled_as_it_is_said(made: Made) -> None:
    mean, std = [0.5, 0.4, 0.3], [0.1, 0.2, 0.3]
    scaled = (PIXELS.numpy() / 128 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    close(family.build(IMAGE, path=linear(made), scale=1 / 128, mean=mean, std=std)(PIXELS), expected(scaled))


def test_a_mean_for_each_channel(made: Made) -> None:
    with pytest.raises(UserError, match=r"model\.std"):
        family.build(IMAGE, path=linear(made), mean=[0.5], std=[1.0, 2.0])


def test_a_processor_beside_the_graph_says_the_scaling(made: Made, tmp_path: Path) -> None:
    told = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.5, 1.0]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(told))
    scaled = (PIXELS.numpy() / 255 - 0.5) / np.reshape(told["image_std"], (3, 1, 1))
    close(family.build(IMAGE, path=linear(made))(PIXELS), expected(scaled))


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT32])
def test_every_type_of_pixels(made: Made, kind: int) -> None:
    nodes = [("Cast", ["x"], ["floats"], {"to": TensorProto.FLOAT}), ("Flatten", ["floats"], ["flat"], {}), LINEAR[1]]
    path = made(nodes, [("x", ["n", 3, 4, 4], kind)], [("y", ["n", 3])], {"w": WEIGHTS})
    floats = kind in (TensorProto.FLOAT16, TensorProto.DOUBLE)
    found = family.build(IMAGE, path=path)(PIXELS).numpy()
    np.testing.assert_allclose(found, expected(PIXELS.numpy() / (255 if floats else 1)), rtol=3e-3, atol=3e-2)


def test_augmented_pixels_are_rounded(made: Made) -> None:
    body = family.build(IMAGE, path=linear(made))
    close(body(PIXELS.float() + 0.4), body(PIXELS).numpy())
    close(body(PIXELS.float() + 300), body(torch.full_like(PIXELS, 255)).numpy())


def test_channels_last(made: Made) -> None:
    path = made(LINEAR, [("x", ["n", 4, 4, 3])], [("y", ["n", 3])], {"w": WEIGHTS})
    assert family.transform({"path": path}) == ("image", {"size": 4, "channels": 3})
    close(family.build(IMAGE, path=path)(PIXELS), expected(PIXELS.numpy().transpose(0, 2, 3, 1) / 255))


def test_halves_and_doubles_become_singles(made: Made) -> None:
    for kind in (np.float16, np.float64):
        number = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        bias = numpy_helper.from_array(np.array([1.0, 2.0, 3.0], kind))
        nodes = [*LINEAR, ("Constant", [], ["b"], {"value": bias}), ("Add", ["y", "b"], ["z"], {})]
        weights = {"w": WEIGHTS.astype(kind)}
        body = family.build(
            IMAGE, path=made(nodes, [("x", ["n", 3, 4, 4], number)], [("z", ["n", 3], number)], weights)
        )
        wanted = (PIXELS.numpy().reshape(2, 48) / 255) @ weights["w"].astype(np.float32) + [1, 2, 3]
        close(body(PIXELS), wanted)
        stored = onnx.load_from_string(body.graph()).graph.initializer
        assert {item.data_type for item in stored if item.name == "w"} == {TensorProto.FLOAT}


def test_scores_in_half_precision_and_a_fixed_batch(made: Made) -> None:
    nodes = [*LINEAR, ("Cast", ["y"], ["half"], {"to": TensorProto.FLOAT16})]
    path = made(nodes, [("x", [1, 3, 4, 4])], [("half", [1, 3], TensorProto.FLOAT16)], {"w": WEIGHTS})
    found = family.build(IMAGE, path=path)(PIXELS)
    assert (found.dtype, found.shape) == (torch.float32, (2, 3))


@pytest.mark.parametrize("opset", [9, 11, 18])
def test_a_softmax_is_taken_off_and_old_files_are_read(made: Made, opset: int) -> None:
    nodes = [*LINEAR, ("Softmax", ["y"], ["p"], {"axis": 1}), ("Identity", ["p"], ["probabilities"], {})]
    more = {"opset": opset, "ir": 3 if opset < 11 else 9, "named": opset < 11}
    path = made(nodes, [("x", ["n", 3, 4, 4])], [("probabilities", ["n", 3])], {"w": WEIGHTS}, **more)
    body = family.build(IMAGE, path=path)
    close(body(PIXELS), expected(PIXELS.numpy() / 255))
    graph = onnx.load_from_string(body.graph())
    assert [item.name for item in graph.graph.input] == ["image"]
    assert graph.opset_import[0].version >= 13


def test_one_of_several_outputs_and_nothing_that_only_others_need(made: Made) -> None:
    nodes = [*LINEAR, ("MatMul", ["flat", "v"], ["z"], {})]
    outputs = [("y", ["n", 3]), ("z", ["n", 3]), ("flat", ["n", 48])]
    path = made(nodes, [("x", ["n", 3, 4, 4])], outputs, {"w": WEIGHTS, "v": -WEIGHTS})
    with pytest.raises(UserError, match="several ways") as caught:
        family.build(IMAGE, path=path)
    assert 'model.output = "y"' in caught.value.remedy
    body = family.build(IMAGE, path=path, output="z")
    close(body(PIXELS), -expected(PIXELS.numpy() / 255))
    stored = onnx.load_from_string(body.graph()).graph.initializer
    assert sum(np.prod(item.dims) for item in stored) < 2 * WEIGHTS.size


def test_weights_of_inner_graphs_are_kept(made: Made) -> None:
    inner = [
        helper.make_graph(
            [helper.make_node("MatMul", ["flat", name], [f"{name}y"])], name, [], [value(f"{name}y", ["n", 3])]
        )
        for name in "wv"
    ]
    nodes = [LINEAR[0], ("If", ["yes"], ["y"], {"then_branch": inner[0], "else_branch": inner[1]})]
    weights = {"w": WEIGHTS, "v": -WEIGHTS, "yes": np.array(True)}
    path = made(nodes, [("x", ["n", 3, 4, 4])], [("y", ["n", 3])], weights)
    close(family.build(IMAGE, path=path)(PIXELS), expected(PIXELS.numpy() / 255))


def reads(made: Made, *names: str, node: str = "input_ids") -> str:
    """The mean of TABLE's rows over the tokens that a mask shows, plus 1 for each token of the second segment."""
    nodes = [
        ("Gather", ["table", node], ["rows"], {}),
        ("Cast", ["attention_mask"], ["mask"], {"to": TensorProto.FLOAT}),
        ("Unsqueeze", ["mask", "last"], ["column"], {}),
        ("Mul", ["rows", "column"], ["seen"], {}),
        ("ReduceSum", ["seen", "one"], ["sum"], {"keepdims": 0}),
        ("ReduceSum", ["mask", "one"], ["count"], {"keepdims": 1}),
        ("Div", ["sum", "count"], ["mean"], {}),
    ]
    if "token_type_ids" in names:
        nodes += [
            ("Cast", ["token_type_ids"], ["segments"], {"to": TensorProto.FLOAT}),
            ("ReduceSum", ["segments", "one"], ["second"], {"keepdims": 1}),
            ("Add", ["mean", "second"], ["y"], {}),
        ]
    inputs = [(name, ["n", "t"], TensorProto.INT64) for name in names]
    weights = {"table": TABLE, "last": np.array([2]), "one": np.array([1])}
    return made(nodes, inputs, [(nodes[-1][2][0], ["n", 3])], weights)


def test_texts_with_segments_that_are_all_the_first(made: Made) -> None:
    body = family.build(TEXT, path=reads(made, "input_ids", "attention_mask", "token_type_ids"))
    close(body(*IDS), np.stack([TABLE[[1, 4, 2]].mean(0), TABLE[[3, 3]].mean(0)]))


def test_unknown_inputs_are_named(made: Made) -> None:
    path = reads(made, "tokens", "attention_mask", node="tokens")
    with pytest.raises(UserError, match="inputs are not those") as caught:
        family.build(TEXT, path=path)
    assert "tokens (?, ?) int64" in caught.value.message


def test_a_graph_that_minds_padding_is_refused(made: Made) -> None:
    nodes = [("Gather", ["table", "input_ids"], ["rows"], {}), ("ReduceMean", ["rows", "one"], ["y"], {"keepdims": 0})]
    weights = {"table": TABLE, "one": np.array([1])}
    path = made(nodes, [("input_ids", ["n", "t"], TensorProto.INT64)], [("y", ["n", 3])], weights)
    with pytest.raises(UserError, match="padding"):
        family.build(TEXT, path=path)


def test_a_text_graph_needs_its_tokenizer(made: Made, tmp_path: Path) -> None:
    path = reads(made, "input_ids", "attention_mask")
    with pytest.raises(UserError, match="no tokenizer beside it"):
        family.transform({"path": path})
    (tmp_path / "tokenizer.json").write_text("{}")
    assert family.transform({"path": path}) == ("tokens", {"tokenizer": str(tmp_path / "tokenizer.json")})
    assert tmp_path / "tokenizer.json" in family.brought({"path": path}).sources


def test_spectra(made: Made) -> None:
    nodes = [("ReduceMean", ["x", "one"], ["y"], {"keepdims": 0})]
    path = made(nodes, [("x", ["n", 40, 3])], [("y", ["n", 3])], {"one": np.array([1])})
    assert family.transform({"path": path}) == ("logmel", {"rate": 16000, "mels": 3, "seconds": 0.415})
    shape = Shape({"features": (40, 3)}, outputs=3, task="audio-classification")
    features = torch.randn(2, 40, 3)
    close(family.build(shape, path=path)(features), features.numpy().mean(1))


@pytest.mark.parametrize(
    ("axes", "kind", "match"),
    [
        (["n", 3, 4, 5], TensorProto.FLOAT, "not square"),
        (["n", 48], TensorProto.FLOAT, "no transform gives"),
        (["n", 4, 4], TensorProto.INT64, "no transform gives"),
    ],
)
def test_inputs_that_no_transform_gives(made: Made, axes: list, kind: int, match: str) -> None:
    path = made([("Identity", ["x"], ["y"], {})], [("x", axes, kind)], [("y", axes, kind)], {})
    with pytest.raises(UserError, match=match):
        family.transform({"path": path})


def test_outputs_come_in_the_order_of_the_datas_classes(made: Made) -> None:
    body = family.build(IMAGE, path=linear(made), classes=["cat", "ant", "Big Dog"])
    family.align(body, ["ant", "big_dog", "cat"])
    close(body(PIXELS), expected(PIXELS.numpy() / 255)[:, [1, 2, 0]])


def test_a_config_beside_the_graph_names_the_outputs(made: Made, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "b", "1": "c", "2": "a"}}))
    body = family.build(IMAGE, path=linear(made))
    family.align(body, ["a", "b", "c"])
    close(body(PIXELS), expected(PIXELS.numpy() / 255)[:, [2, 0, 1]])


def test_the_network_keeps_the_graph_without_the_file(made: Made) -> None:
    path = linear(made)
    body = family.build(IMAGE, path=path, classes=["c", "b", "a"])
    family.align(body, ["a", "b", "c"])
    kept = save({name: item.detach() for name, item in body.state_dict().items()})
    Path(path).unlink()
    again = family.build(IMAGE, path=path)
    with pytest.raises(UserError, match="not there any more"):
        again(PIXELS)
    again.load_state_dict(load(kept))
    assert torch.equal(again(PIXELS), body(PIXELS))
    assert torch.equal(copy.deepcopy(body)(PIXELS), body(PIXELS))
    with pytest.raises(UserError, match="not there"):
        family.brought({"path": path})


@pytest.mark.parametrize("task", sorted(path.name for path in APPS.iterdir()))
def test_the_graph_of_an_app_stays_as_it_is(task: str) -> None:
    bundle = manifest.read(APPS / task)
    told = family.brought({"path": str(APPS / task)})
    assert (told.task, told.app) == (task, APPS / task)
    theirs = onnx.load(bundle.path("model.onnx"))
    axes = {item.name: tuple(size or 0 for size in item.shape[1:]) for item in bundle.manifest.inputs}
    classes = list(bundle.manifest.classes)
    shape = Shape(axes, outputs=len(_brought.outputs(task, classes)), vocabulary=9, task=task)
    body = family.build(shape, path=str(APPS / task))
    family.align(body, classes)
    found = onnx.load_from_string(body.graph())
    assert list(found.graph.node) == list(theirs.graph.node)
    assert list(found.graph.initializer) == list(theirs.graph.initializer)
    family.align(body, classes[::-1])
    assert onnx.load_from_string(body.graph()).graph.node[-1].op_type == "Gather"


def test_tags_follow_the_types_order(made: Made) -> None:
    table = RANDOM.normal(size=(9, 5)).astype(np.float32)
    nodes = [("Gather", ["table", "input_ids"], ["y"], {})]
    path = made(nodes, [("input_ids", ["n", "t"], TensorProto.INT64)], [("y", ["n", "t", 5])], {"table": table})
    body = family.build(TAGS, path=path, classes=["B-b", "I-b", "B-a", "I-a", "O"])
    family.align(body, ["a", "b"])
    close(body(*IDS), table[IDS[0].numpy()][..., [4, 2, 3, 0, 1]])


@pytest.mark.parametrize("outputs", [2, 5])
def test_another_number_of_outputs(made: Made, outputs: int) -> None:
    shape = Shape({"image": (3, 4, 4)}, outputs=outputs, task="image-classification")
    with pytest.raises(UserError, match=rf"\(\?, {outputs}\)") as caught:
        family.build(shape, path=linear(made))
    assert "y (?, 3) float" in caught.value.message


def test_another_size_of_images(made: Made) -> None:
    shape = Shape({"image": (3, 8, 8)}, outputs=3, task="image-classification")
    with pytest.raises(UserError, match="another shape") as caught:
        family.build(shape, path=linear(made))
    assert "image (?, 3, 8, 8) uint8" in caught.value.message


def test_a_batch_inside_the_graph_is_refused(made: Made) -> None:
    nodes = [("Reshape", ["x", "sizes"], ["flat"], {}), LINEAR[1]]
    weights = {"w": WEIGHTS, "sizes": np.array([1, 48])}
    path = made(nodes, [("x", [1, 3, 4, 4])], [("y", [1, 3])], weights)
    with pytest.raises(UserError, match="one sample at a time"):
        family.build(IMAGE, path=path)


def test_a_graph_that_minds_its_company_is_refused(made: Made) -> None:
    nodes = [*LINEAR, ("ReduceMean", ["y", "first"], ["mean"], {"keepdims": 1}), ("Sub", ["y", "mean"], ["z"], {})]
    path = made(nodes, [("x", ["n", 3, 4, 4])], [("z", ["n", 3])], {"w": WEIGHTS, "first": np.array([0])})
    with pytest.raises(UserError, match="in company"):
        family.build(IMAGE, path=path)


def test_a_quantised_graph_is_refused(made: Made) -> None:
    path = linear(made)
    quantize_dynamic(path, path.replace("model", "small"))
    with pytest.raises(UserError, match="8 bits already") as caught:
        family.build(IMAGE, path=path.replace("model", "small"))
    assert caught.value.received == "DynamicQuantizeLinear, MatMulInteger"


@pytest.mark.parametrize("data", [b"", b"no graph at all", bytes(range(256))])
def test_a_file_that_is_no_graph(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(UserError):
        family.transform({"path": str(tmp_path / "model.onnx")})


def test_an_operator_that_nobody_knows(made: Made, tmp_path: Path) -> None:
    model = onnx.load(linear(made))
    model.graph.node[1].op_type = "Guess"
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(UserError, match="cannot be opened"):
        family.build(IMAGE, path=str(tmp_path / "model.onnx"))


def test_what_can_be_brought(made: Made, tmp_path: Path) -> None:
    path = Path(linear(made))
    assert family.bring(path) == {"path": str(path)}
    assert family.bring(tmp_path) == {"path": str(tmp_path)}
    assert family.bring(APPS / "image-classification") is not None
    assert family.bring(APPS) is None
    assert family.smaller({"path": str(path)}, 0.5) == {"path": str(path)}


@pytest.mark.parametrize(
    ("theirs", "order"),
    [
        (None, [0, 1]),
        (["LABEL_0", "LABEL_1"], [0, 1]),
        (["b", "a"], [1, 0]),
        ([" B", "A"], [1, 0]),
    ],
)
def test_the_order_of_names(theirs: list[str] | None, order: list[int]) -> None:
    assert _brought.order(theirs, ["a", "b"]) == order


@pytest.mark.parametrize("theirs", [["a", "c"], ["a"], ["a", "b", "c"], ["a", "a"], ["LABEL_0"], ["A", "a", "b"]])
def test_other_names_are_refused(theirs: list[str]) -> None:
    with pytest.raises(UserError, match="not the data's classes") as caught:
        _brought.order(theirs, ["a", "b"])
    assert ("model.classes" in caught.value.remedy) == (len(theirs) == 2)


@pytest.mark.parametrize("text", ["[]", "{}", '{"graphs": {}}', '{"graphs": [], "name": "x"}'])
def test_a_broken_manifest(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(UserError, match="no manifest"):
        family.brought({"path": str(tmp_path)})
