"""8-bit graphs: their arithmetic emulated in numpy, with and without the saturation of processors that lack VNNI."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from workbench import Workshop, candidate, exported

from lepton.compress import int8_dynamic, int8_static
from lepton.compress._candidate import Candidate, Context
from lepton.transforms._fitted import Fitted

INT16 = np.iinfo(np.int16)
Product = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Unsigned (N, K) times signed (K, M), as int64."""


def exact(whole: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """As VNNI computes (vpdpbusd): four products added in 32 bits."""
    return whole.astype(np.int64) @ weights.astype(np.int64)


def saturating(whole: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """As vpmaddubsw computes: the products of neighbours are added in 16 bits, and what does not fit is cut off."""
    odd = whole.shape[1] % 2
    left = np.pad(whole.astype(np.int64), ((0, 0), (0, odd)))
    right = np.pad(weights.astype(np.int64), ((0, odd), (0, 0)))
    pairs = left[:, 0::2, None] * right[None, 0::2] + left[:, 1::2, None] * right[None, 1::2]
    return pairs.clip(INT16.min, INT16.max).sum(1)


class Emulation:
    """Runs a QDQ graph in numpy, its 8-bit Conv and Gemm on integers by `product`."""

    def __init__(self, path: Path, product: Product) -> None:
        self.graph = onnx.load(path).graph
        self.product = product
        self.made = {node.output[0]: node for node in self.graph.node}

    def __call__(self, image: np.ndarray) -> np.ndarray:
        values = {item.name: numpy_helper.to_array(item) for item in self.graph.initializer}
        values["image"] = image
        for node in self.graph.node:
            if node.op_type in ("Conv", "Gemm"):
                found = self._on_integers(node, values) + values[node.input[2]].reshape(-1)
                found = np.moveaxis(found, -1, 1).astype(np.float32)
            else:
                found = PLAIN[node.op_type](*(values[name] for name in node.input))
            values[node.output[0]] = found
        return values[self.graph.output[0].name]

    def _on_integers(self, node: onnx.NodeProto, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """The product without its bias, channels last, of what stands before both DequantizeLinear."""
        behind = [self.made[name] for name in node.input[:2]]
        assert [item.op_type for item in behind] == ["DequantizeLinear"] * 2
        (whole, step, zero), (weights, steps, zeros) = ([values[name] for name in item.input] for item in behind)
        assert not np.any(zeros)
        if node.op_type == "Conv":
            windows = np.lib.stride_tricks.sliding_window_view(whole, weights.shape[2:], axis=(2, 3))
            whole = np.moveaxis(windows, 1, 3).reshape(len(whole), *windows.shape[2:4], -1)
        turned = node.op_type == "Conv" or any(item.name == "transB" and item.i for item in node.attribute)
        flat = weights.reshape(len(weights), -1).T if turned else weights
        summed = self.product(whole.reshape(-1, len(flat)), flat) - int(zero) * flat.astype(np.int64).sum(0)
        return (summed * (np.float64(step) * steps.reshape(-1))).reshape(*whole.shape[:-1], -1)


def quantise(values: np.ndarray, step: np.ndarray, zero: np.ndarray) -> np.ndarray:
    return (np.rint(values / step) + zero).clip(0, 255).astype(np.uint8)


def dequantise(whole: np.ndarray, step: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """With one scale for all, or one for each output channel: the first axis of kernels, the last of matrices."""
    if step.ndim and whole.ndim > 2:
        step, zero = (item.reshape(-1, *[1] * (whole.ndim - 1)) for item in (step, zero))
    return (whole.astype(np.int64) - zero.astype(np.int64)).astype(np.float32) * step


PLAIN: Mapping[str, Callable[..., np.ndarray]] = {
    "QuantizeLinear": quantise,
    "DequantizeLinear": dequantise,
    "Relu": lambda values: np.maximum(values, 0),
    "Flatten": lambda values: values.reshape(len(values), -1),
}


def bright(count: int) -> np.ndarray:
    """Bright pictures (N, 3, 8, 8): neighbours are large together, as in snow, paper and sky."""
    return np.random.default_rng(0).uniform(0.6, 1, (count, 3, 8, 8)).astype(np.float32)


def network(folder: Path, bias: np.ndarray | None = None) -> Path:
    """A convolution, a ReLU and a dense layer; neighbouring weights have one sign, and each class is as likely."""
    random = np.random.default_rng(1)
    signs = random.choice([-1, 1], (6, 3, 1, 1))
    constants = {
        "kernel": signs * random.uniform(0.3, 1, (6, 3, 3, 3)),
        "shift": random.normal(0, 1, 6),
        "dense": random.normal(0, 0.3, (6 * 36, 4)),
        "bias": np.zeros(4) if bias is None else bias,
    }
    nodes = [
        helper.make_node("Conv", ["image", "kernel", "shift"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Flatten", ["b"], ["c"]),
        helper.make_node("Gemm", ["c", "dense", "bias"], ["logits"]),
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "small",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 8, 8])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 4])],
            [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    path = folder / "small.onnx"
    onnx.save(model, path)
    return network(folder, -run(path, {"image": bright(200)}).mean(0)) if bias is None else path


class Pictures(Workshop):
    """Hands out the pictures themselves."""

    def samples(self, given: Candidate, count: int) -> list[dict[str, np.ndarray]]:
        return [{"image": image} for image in bright(count)]


def quantised(folder: Path, **how: bool) -> Path:
    made = Candidate({}, ("image", Fitted({})), graph=network(folder))
    return int8_static.compress(made, Context(folder, 0, Pictures()), samples=64, **how).graph


def run(path: Path, arrays: Mapping[str, np.ndarray], *, plainly: bool = False) -> np.ndarray:
    """The graph's answer by ONNX Runtime; `plainly` in floating point between the 8-bit values, on any processor."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if plainly:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run(None, arrays)[0]


@pytest.mark.parametrize("reduce_range", [False, True])
def test_exact_integers_give_what_the_graph_says(tmp_path: Path, reduce_range: bool) -> None:
    path, images = quantised(tmp_path, reduce_range=reduce_range), bright(200)
    expected = run(path, {"image": images}, plainly=True)
    np.testing.assert_allclose(Emulation(path, exact)(images), expected, rtol=1e-5, atol=1e-4)


def test_with_full_weights_saturation_changes_answers(tmp_path: Path) -> None:
    path, images = quantised(tmp_path), bright(200)
    right, cut = Emulation(path, exact)(images), Emulation(path, saturating)(images)
    assert (right.argmax(1) != cut.argmax(1)).any()
    whole = run(tmp_path / "small.onnx", {"image": images})
    assert np.abs(cut - whole).mean() > 5 * np.abs(right - whole).mean()


def test_with_7_bit_weights_nothing_saturates(tmp_path: Path) -> None:
    path, images = quantised(tmp_path, reduce_range=True), bright(200)
    right, cut = Emulation(path, exact)(images), Emulation(path, saturating)(images)
    assert np.array_equal(right, cut)
    weights = [numpy_helper.to_array(item) for item in onnx.load(path).graph.initializer]
    signed = [item for item in weights if item.dtype == np.int8 and item.ndim > 1]
    assert len(signed) == 2
    assert all(48 < np.abs(item.astype(int)).max() <= 64 for item in signed)
    np.testing.assert_allclose(right, run(tmp_path / "small.onnx", {"image": images}), atol=1.0)


def test_no_pair_of_7_bit_products_leaves_16_bits() -> None:
    assert INT16.max >= 2 * 255 * 64
    assert INT16.min <= 2 * 255 * -64
    assert INT16.max < 2 * 255 * 127


@given(st.integers(1, 9), st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_saturation_is_no_matter_for_7_bits_whatever_the_numbers(count: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    whole = random.choice([0, 255, *range(256)], (count, width)).astype(np.uint8)
    weights = random.choice([-64, 64, *range(-64, 65)], (width, 5)).astype(np.int8)
    assert np.array_equal(saturating(whole, weights), exact(whole, weights))


def test_saturation_by_hand() -> None:
    whole, weights = np.array([[255, 255, 255, 1, 9]], np.uint8), np.array([[127], [127], [-128], [-128], [2]], np.int8)
    assert exact(whole, weights).item() == 255 * 254 - 128 * 256 + 18
    assert saturating(whole, weights).item() == 32767 - 32768 + 18


@pytest.mark.parametrize("ranges", ["minmax", "entropy", "percentile"])
@pytest.mark.parametrize("name", ["textcnn", "cnn"])
def test_ranges_are_found_for_samples_of_any_length(
    name: str, ranges: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = candidate(name, tmp_path)
    made = made.with_graph(exported(made, tmp_path / "whole.onnx"))
    capsys.readouterr()
    found = int8_static.compress(made, Context(tmp_path, 0, Workshop()), samples=40, ranges=ranges)
    assert capsys.readouterr().out == "", "the library is silent"
    for sample in Workshop().samples(made, 3):
        arrays = {key: value[None] for key, value in sample.items()}
        np.testing.assert_allclose(run(found.graph, arrays), run(made.graph, arrays), atol=0.1)
    assert found.batchable


def test_smallest_and_largest_of_all_samples_fix_the_scale(tmp_path: Path) -> None:
    """By their definition: (largest - smallest) / 255, zero being one of the values."""
    path = quantised(tmp_path)
    graph = onnx.load(path).graph
    first = next(node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] == "image")
    stored = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    assert float(stored[first.input[1]]) == pytest.approx(bright(64).max() / 255)
    assert stored[first.input[2]] == 0


def test_dynamic_8_bits_are_not_batchable_and_shrink(tmp_path: Path) -> None:
    made = candidate("recurrent", tmp_path)
    made = made.with_graph(exported(made, tmp_path / "whole.onnx"))
    found = int8_dynamic.compress(made, Context(tmp_path, 0, Workshop()))
    assert not found.batchable
    assert found.graph.stat().st_size < made.graph.stat().st_size
    arrays = {key: value[None] for key, value in Workshop().samples(made, 1)[0].items()}
    np.testing.assert_allclose(run(found.graph, arrays), run(made.graph, arrays), atol=0.05)
