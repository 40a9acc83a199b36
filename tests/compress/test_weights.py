"""Packed weights: how far they may be from what they were, what stays packed, and what the file gains."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from workbench import Workshop, candidate, exported

from lepton.compress import weights
from lepton.compress._candidate import Candidate, Context
from lepton.transforms._fitted import Fitted

LONG = "network.body.encoder.layer.11.attention.self.query.weight"
SHAPES = st.tuples(st.integers(1, 90), st.integers(1, 90))
BITS, SEEDS = st.sampled_from([8, 4]), st.integers(0, 2**32 - 1)


def graph(nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], **axes: int) -> onnx.ModelProto:
    """A model of `nodes`; `axes` has for each input, and for the output "y", how many there are. "ids" are whole."""
    kinds = {"ids": TensorProto.INT64}
    values = {
        name: helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), [None] * count)
        for name, count in axes.items()
    }
    outputs = [values.pop("y")]
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    made = helper.make_graph(nodes, "made", list(values.values()), outputs, stored)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def packed(folder: Path, model: onnx.ModelProto, **how: int) -> Path:
    """The file with packed weights, checked."""
    path = folder / "given.onnx"
    path.write_bytes(model.SerializeToString())
    made = weights.compress(Candidate({}, ("image", Fitted({})), graph=path), Context(folder, 0, Workshop()), **how)
    onnx.checker.check_model(onnx.load(made.graph), full_check=True)
    return made.graph


def answer(path: Path | bytes, **arrays: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    given = path if isinstance(path, bytes) else str(path)
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"]).run(None, arrays)[0]


def kept(path: Path) -> list[str]:
    """The kinds of the nodes that are left when the graph is opened, constants folded."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(path.with_suffix(".opened")), 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return [node.op_type for node in onnx.load(path.with_suffix(".opened")).graph.node]


def half_steps(values: np.ndarray, bits: int) -> np.ndarray:
    """Half a scale step for each number, of the coarser of the scales that it may share."""
    most = 2 ** (bits - 1) - 1
    ways = [(values.ndim - 1,), (0,) if values.ndim == 2 else tuple(range(1, values.ndim))]
    steps = [np.broadcast_to(np.abs(values).max(axis=axes, keepdims=True), values.shape) / most for axes in ways]
    return np.maximum(*steps) / 2 * (1 + 1e-5)


def numbers(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Weights with a few that are far out, and rows and columns of several sizes."""
    random = np.random.default_rng(seed)
    sizes = 10 ** random.uniform(-3, 1, (shape[0], *[1] * (len(shape) - 1)))
    return (random.standard_t(3, shape) * sizes).astype(np.float32)


def product(shape: tuple[int, int], seed: int, name: str = "weight") -> tuple[onnx.ModelProto, np.ndarray]:
    """A matrix product, which gives the matrix itself back for a unit matrix."""
    values = numbers(shape, seed)
    return graph([helper.make_node("MatMul", ["x", name], ["y"])], {name: values}, x=2, y=2), values


@given(SHAPES, BITS, SEEDS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_number_is_off_by_half_a_step_at_most(tmp_path: Path, shape: tuple[int, int], bits: int, seed: int):
    model, values = product(shape, seed)
    found = answer(packed(tmp_path, model, bits=bits, least=1), x=np.eye(shape[0], dtype=np.float32))
    assert (np.abs(found - values) <= half_steps(values, bits)).all()


@given(SHAPES, BITS, SEEDS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_that_are_looked_up_are_off_by_as_little(tmp_path: Path, shape: tuple[int, int], bits: int, seed: int):
    values = numbers(shape, seed)
    model = graph([helper.make_node("Gather", ["table", "ids"], ["y"])], {"table": values}, ids=2, y=3)
    ids = np.arange(-shape[0], shape[0]).reshape(2, -1)
    found = answer(packed(tmp_path, model, bits=bits, least=1), ids=ids)
    assert (np.abs(found - values[ids]) <= half_steps(values, 8)[ids]).all()


@given(st.sampled_from(["MatMul", "Gather"]), SHAPES, BITS, SEEDS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_grows(tmp_path: Path, kind: str, shape: tuple[int, int], bits: int, seed: int) -> None:
    inputs = ["x", LONG] if kind == "MatMul" else [LONG, "ids"]
    takes = {"x": 2} if kind == "MatMul" else {"ids": 1}
    model = graph([helper.make_node(kind, inputs, ["y"])], {LONG: numbers(shape, seed)}, **takes, y=2)
    before, eight = len(model.SerializeToString()), packed(tmp_path, model).stat().st_size
    after = packed(tmp_path, model, bits=bits).stat().st_size
    assert after <= eight <= before
    if shape[0] * shape[1] >= 512:
        assert eight < 0.8 * before


@pytest.mark.parametrize(("kernel", "groups"), [((40, 8, 3, 3), 1), ((64, 1, 3, 3), 64), ((48, 16, 5), 1)])
@pytest.mark.parametrize("bits", [8, 4])
def test_kernels_of_convolutions(tmp_path: Path, kernel: tuple[int, ...], groups: int, bits: int) -> None:
    values = numbers(kernel, 5)
    node = helper.make_node("Conv", ["x", LONG], ["y"], group=groups)
    path = packed(tmp_path, graph([node], {LONG: values}, x=len(kernel), y=len(kernel)), bits=bits)
    # One input channel at one place at a time gives the kernel back, turned round.
    size = kernel[2:]
    for channel in range(kernel[1]):
        sample = np.zeros((1, kernel[1] * groups, *(2 * width - 1 for width in size)), np.float32)
        sample[(0, slice(channel, None, kernel[1]), *(width - 1 for width in size))] = 1
        found = answer(path, x=sample)[0][(slice(None), *[slice(None, None, -1)] * len(size))]
        assert (np.abs(found - values[:, channel]) <= half_steps(values, bits)[:, channel]).all()
    assert path.stat().st_size < 0.6 * values.nbytes


def test_scales_are_of_the_rows_or_columns_that_lose_least(tmp_path: Path) -> None:
    """Rows of very different sizes; their transpose must lose no more."""
    values = numbers((60, 50), 0)
    for matrix in (values, values.T.copy()):
        model = graph([helper.make_node("MatMul", ["x", "weight"], ["y"])], {"weight": matrix}, x=2, y=2)
        found = answer(packed(tmp_path, model), x=np.eye(len(matrix), dtype=np.float32))
        along = 1 if matrix is values else 0
        step = np.abs(matrix).max(axis=along, keepdims=True) / 127
        assert (np.abs(found - matrix) <= step / 2 * (1 + 1e-5)).all()


def test_a_matrix_is_unpacked_once_when_the_graph_is_opened(tmp_path: Path) -> None:
    model, _ = product((61, 37), 0)
    for bits in (8, 4):
        assert kept(packed(tmp_path, model, bits=bits)) == ["MatMul"]


def test_a_table_stays_packed_and_only_what_is_found_is_unpacked(tmp_path: Path) -> None:
    values = numbers((80, 20), 0)
    nodes = [helper.make_node("Gather", ["table", "ids"], ["rows"]), helper.make_node("Relu", ["rows"], ["y"])]
    path = packed(tmp_path, graph(nodes, {"table": values}, ids=1, y=2), bits=4)
    assert sorted(kept(path)) == ["Cast", "Gather", "Gather", "Mul", "Relu"]
    opened = {item.name: item for item in onnx.load(path.with_suffix(".opened")).graph.initializer}
    assert [item.data_type for item in opened.values() if list(item.dims) == [80, 20]] == [TensorProto.INT8]


def test_a_table_that_is_also_multiplied_with_is_unpacked_whole(tmp_path: Path) -> None:
    """Tied weights: the same constant gives rows and takes part in a product."""
    values = np.random.default_rng(1).normal(size=(40, 40)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("MatMul", ["rows", "table"], ["y"]),
    ]
    path = packed(tmp_path, graph(nodes, {"table": values}, ids=1, y=2))
    assert sorted(kept(path)) == ["Gather", "MatMul"]
    step = half_steps(values, 8)
    most = step @ np.abs(values) + np.abs(values) @ step + step @ step + 1e-4
    assert (np.abs(answer(path, ids=np.arange(40)) - values @ values) <= most).all()


def test_a_table_with_two_readers_along_other_axes(tmp_path: Path) -> None:
    values = numbers((30, 30), 2)
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("Gather", ["table", "ids"], ["columns"], axis=1),
        helper.make_node("MatMul", ["rows", "columns"], ["y"]),
    ]
    path = packed(tmp_path, graph(nodes, {"table": values}, ids=1, y=2))
    twice = [helper.make_node("Gather", ["table", "ids"], [name]) for name in ("one", "other")]
    both = packed(
        tmp_path, graph([*twice, helper.make_node("Add", ["one", "other"], ["y"])], {"table": values}, ids=1, y=2)
    )
    assert path == both
    found = answer(both, ids=np.arange(30))
    assert (np.abs(found / 2 - values) <= half_steps(values, 8)).all()


def test_a_constant_that_a_branch_reads(tmp_path: Path) -> None:
    """What only an inner graph uses keeps its name, and is unpacked before it."""
    values = numbers((30, 20), 3)
    branches = {
        name: helper.make_graph(
            [node], name, [], [helper.make_tensor_value_info(f"{name}.y", TensorProto.FLOAT, [None, None])]
        )
        for name, node in {
            "then_branch": helper.make_node("Gather", ["table", "ids"], ["then_branch.y"]),
            "else_branch": helper.make_node("Identity", ["table"], ["else_branch.y"]),
        }.items()
    }
    nodes = [
        helper.make_node("ReduceMax", ["ids"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["any"], to=TensorProto.BOOL),
        helper.make_node("If", ["any"], ["y"], **branches),
    ]
    path = packed(tmp_path, graph(nodes, {"table": values}, ids=1, y=2))
    found = answer(path, ids=np.arange(30))
    assert (np.abs(found - values) <= half_steps(values, 8)).all()


def test_zeros_small_constants_and_whole_numbers_stay(tmp_path: Path) -> None:
    constants = {
        "zeros": np.zeros((30, 30), np.float32),
        "small": numbers((30, 3), 0),
        "bias": numbers((1000, 1), 0)[:, 0],
        "ids": np.arange(1000, dtype=np.int64).reshape(20, 50),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "zeros"], ["a"]),
        helper.make_node("MatMul", ["a", "small"], ["b"]),
        helper.make_node("Gather", ["bias", "ids"], ["c"]),
        helper.make_node("ReduceSum", ["c"], ["d"], keepdims=0),
        helper.make_node("Add", ["b", "d"], ["y"]),
    ]
    found = onnx.load(packed(tmp_path, graph(nodes, constants, x=2, y=2), bits=4))
    stored = {item.name: numpy_helper.to_array(item) for item in found.graph.initializer}
    for name in ("small", "bias", "ids"):
        assert np.array_equal(stored[name], constants[name])
    expected = constants["bias"].sum()
    np.testing.assert_allclose(answer(tmp_path / "weights.onnx", x=np.ones((2, 30), np.float32)), expected, rtol=1e-4)


@pytest.mark.parametrize("bits", [8, 4])
def test_a_recurrent_graph_answers_as_its_network_does_with_rounded_weights(tmp_path: Path, bits: int) -> None:
    torch.manual_seed(0)
    gru = nn.GRU(24, 16, batch_first=False)
    gates = {name: value.detach().numpy() for name, value in gru.named_parameters()}
    order = np.r_[16:32, 0:16, 32:48]  # torch has reset, update, new; ONNX has update, reset, hidden
    constants = {
        "W": gates["weight_ih_l0"][order][None],
        "R": gates["weight_hh_l0"][order][None],
        "B": np.concatenate([gates["bias_ih_l0"][order], gates["bias_hh_l0"][order]])[None],
    }
    nodes = [
        helper.make_node("GRU", ["x", "W", "R", "B"], ["all", "last"], hidden_size=16, linear_before_reset=1),
        helper.make_node("Squeeze", ["last"], ["y"]),
    ]
    path = packed(tmp_path, graph(nodes, constants, x=3, y=2), bits=bits)
    assert kept(path) == ["GRU", "Squeeze"]
    assert path.stat().st_size < (0.6 if bits == 8 else 0.5) * sum(value.nbytes for value in constants.values())
    opened = onnx.load(path.with_suffix(".opened")).graph.initializer
    found = {tuple(item.dims): numpy_helper.to_array(item) for item in opened}
    back = np.argsort(order)
    for name, key in (("W", "weight_ih_l0"), ("R", "weight_hh_l0")):
        rounded = found[constants[name].shape]
        assert (np.abs(rounded - constants[name]) <= half_steps(constants[name], bits)).all()
        getattr(gru, key).data = torch.from_numpy(rounded[0][back].copy())
    sample = np.random.default_rng(1).normal(size=(7, 3, 24)).astype(np.float32)
    with torch.no_grad():
        _, last = gru(torch.from_numpy(sample))
    np.testing.assert_allclose(answer(path, x=sample), last[0].numpy(), atol=1e-5)


@pytest.mark.parametrize("name", ["recurrent", "bag", "encoder"])
def test_graphs_of_families_shrink_and_answer_nearly_alike(tmp_path: Path, name: str) -> None:
    given_one = candidate(name, tmp_path)
    path = exported(given_one, tmp_path / "whole.onnx")
    sizes = {}
    sample = {key: value[None] for key, value in Workshop().samples(given_one, 1)[0].items()}
    before = answer(path, **sample)
    for bits in (8, 4):
        made = weights.compress(given_one.with_graph(path), Context(tmp_path, 0, Workshop()), bits=bits, least=64)
        onnx.checker.check_model(onnx.load(made.graph))
        np.testing.assert_allclose(answer(made.graph, **sample), before, atol=0.05 if bits == 8 else 1.0)
        sizes[bits] = made.graph.stat().st_size
    assert sizes[4] <= sizes[8] < path.stat().st_size
