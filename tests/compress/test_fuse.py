import logging
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from workbench import Workshop, answers, batch, candidate, exported

from lepton.compress import fuse, int8_dynamic, int8_static
from lepton.compress._candidate import Candidate, Context
from lepton.core.errors import UserError


def graphed(name: str, folder: Path) -> Candidate:
    made = candidate(name, folder)
    return made.with_graph(exported(made, folder / "whole.onnx"))


def context(folder: Path) -> Context:
    folder.mkdir()
    return Context(folder, 0, Workshop())


def answer(made: Candidate, inputs: list[torch.Tensor]) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(made.graph), providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]
    return session.run(None, {name: item.numpy() for name, item in zip(names, inputs, strict=True)})[0]


def kinds(made: Candidate) -> list[str]:
    return [node.op_type for node in onnx.load(made.graph).graph.node]


@pytest.mark.parametrize("name", ["encoder", "encoder-post", "bert", "distilbert", "vit"])
def test_a_transformer_answers_as_its_network_does_with_fewer_nodes(name: str, tmp_path: Path) -> None:
    given = graphed(name, tmp_path)
    made = fuse.compress(given, context(tmp_path / "fused"))
    assert len(kinds(made)) < len(kinds(given))
    for count in (1, 4):
        inputs = batch(given, count)
        np.testing.assert_allclose(answer(made, inputs), answers(given.network, inputs).numpy(), atol=1e-4)
    assert [item.name for item in onnx.load(made.graph).graph.output] == ["logits"]
    onnx.checker.check_model(onnx.load(made.graph))


@pytest.mark.parametrize("name", ["cnn", "recurrent"])
def test_what_has_no_attention_is_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = graphed(name, tmp_path)
    capsys.readouterr()
    with pytest.raises(UserError, match="nothing to fuse") as caught:
        fuse.compress(given, context(tmp_path / "fused"))
    assert caught.value.rule
    assert "Gemm" in caught.value.received
    assert '"fuse"' in caught.value.remedy
    assert capsys.readouterr().out == ""
    assert logging.getLogger().level != logging.ERROR


@pytest.mark.parametrize("method", [int8_static, int8_dynamic])
def test_a_fused_graph_can_be_quantised(method, tmp_path: Path) -> None:
    given = graphed("encoder", tmp_path)
    fused = fuse.compress(given, context(tmp_path / "fused"))
    made = method.compress(fused, context(tmp_path / "quantised"))
    inputs = batch(given, 1)
    np.testing.assert_allclose(answer(made, inputs), answers(given.network, inputs).numpy(), atol=0.02)
    stored = {item.name: item for item in onnx.load(made.graph).graph.initializer}
    whole = [item for item in stored.values() if item.data_type == onnx.TensorProto.FLOAT and np.prod(item.dims) > 500]
    assert not whole, "every matrix behind a fused kernel is in 8 bits too"
