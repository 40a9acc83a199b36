"""Plans: names, order, and candidates that are kept and come back."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton.compress._candidate import Candidate
from lepton.core.errors import Faults, UserError
from lepton.models._shape import Shape
from lepton.stages import _model, _plans, _recipe
from lepton.stages._plans import Plan, step
from lepton.transforms._fitted import Fitted

CNN = {"name": "cnn", "preset": "lenet", "kernel": 3, "dense": [20]}


def test_a_name_tells_steps_and_the_settings_that_are_no_defaults() -> None:
    assert Plan().name == "onnx"
    assert Plan((step("int8_static"),)).name == "int8_static"
    assert Plan((step("int8_static", samples=256),)).name == "int8_static", "a default that is said stays one"
    chain = Plan((step("distil", fraction=0.25, by="relations"), step("int8_static"), step("weights", bits=4)))
    assert chain.name == "distil(fraction 0.25, by relations)+int8_static+weights(bits 4)"
    student = step("distil", model={"name": "cnn", "preset": "lenet", "dropout": 0.5})
    assert Plan((student,)).name == "distil(cnn preset lenet dropout 0.5)"
    assert Plan((step("distil", model="cnn"),)).name == "distil(cnn)"


def test_then_adds_behind() -> None:
    plan = Plan((step("distil"),)).then(step("int8_static"), step("weights"))
    assert plan.name == "distil+int8_static+weights"
    assert [item["name"] for item in plan.network] == ["distil"]
    assert [item["name"] for item in plan.graph] == ["int8_static", "weights"]


def test_a_step_has_every_setting_and_refuses_wrong_ones() -> None:
    assert step("weights") == {"name": "weights", "bits": 8, "least": 512}
    with pytest.raises(UserError, match="compress.passes.*fraction"):
        step("distil", fraction=7.0)
    with pytest.raises(UserError, match="int8_static"):
        step("int8_statik")
    with pytest.raises(UserError, match=r"compress.passes.model.*'resnet'"):
        step("distil", model="resnett")
    with pytest.raises(UserError, match="dropout"):
        step("distil", model={"name": "cnn", "dropuot": 0.5})


_STEPS = st.one_of(
    st.builds(lambda value: step("distil", fraction=value), st.floats(0.01, 1)),
    st.builds(lambda value: step("distil", teacher=value), st.text("ab-_/ .+", min_size=1, max_size=6)),
    st.builds(lambda value: step("weights", least=value), st.integers(1, 10_000)),
    st.builds(lambda value: step("weights", bits=value), st.sampled_from([4, 8])),
    st.sampled_from([step("int8_static"), step("int8_dynamic"), step("fuse")]),
)
_PLANS = st.lists(_STEPS, max_size=4).map(lambda steps: Plan(tuple(steps)))


@given(_PLANS, _PLANS)
@settings(max_examples=80, deadline=None)
def test_a_slug_is_a_folder_of_its_own(one: Plan, other: Plan) -> None:
    for plan in (one, other):
        assert 0 < len(plan.slug) <= 60
        assert plan.slug.strip("abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
        assert plan.slug not in (".", "..")
    assert (one.slug == other.slug) == (one.name == other.name)


def test_slugs_of_plans_without_settings_can_be_read() -> None:
    assert Plan().slug == "onnx"
    assert Plan((step("fuse"), step("int8_static"))).slug == "fuse-int8-static"


RIGHT = [
    [],
    ["distil"],
    ["fuse", "int8_static"],
    ["distil", "fuse", "int8_dynamic", "weights"],
    ["distil", "distil", "weights"],
    ["fuse", "weights"],
]
WRONG = {
    ("int8_static", "fuse"): ("fuse", "after int8_static", "takes a graph", "a quantised graph"),
    ("int8_static", "distil"): ("distil", "after int8_static", "takes a network", "a quantised graph"),
    ("fuse", "distil"): ("distil", "after fuse", "takes a network", "a graph"),
    ("weights", "int8_static"): ("int8_static", "after weights", "takes a graph", "a packed graph"),
    ("int8_static", "int8_dynamic"): ("int8_dynamic", "after int8_static", "takes a graph", "a quantised graph"),
    ("distil", "weights", "weights"): ("weights", "after weights", "graph or quantised graph", "a packed graph"),
}


@pytest.mark.parametrize("names", RIGHT, ids="+".join)
def test_chains_that_work(names: list[str]) -> None:
    assert _plans.faults([step(name) for name in names]) == []


@pytest.mark.parametrize("names", WRONG, ids="+".join)
def test_chains_that_cannot_work_are_refused_with_all_four_parts(names: tuple[str, ...]) -> None:
    (fault,) = _plans.faults([step(name) for name in names])
    refused, place, takes, there = WRONG[names]
    assert fault.what == f"[compress.passes] {refused} cannot stand {place}"
    assert takes in fault.rule
    assert fault.rule.endswith(f"is {there}")
    assert fault.received == ", ".join(names)
    order = fault.remedy.removeprefix("The order is: ").split(", ")
    assert order.index("distil") < order.index("int8_static") <= order.index("weights")


def test_what_begins_as_a_graph_has_no_network_to_change() -> None:
    (fault,) = _plans.faults([step("distil")], begins="graph")
    assert "cannot stand first" in fault.what
    assert _plans.faults([step("fuse")], begins="graph") == []


@pytest.mark.parametrize("names", WRONG, ids="+".join)
def test_check_names_a_plan_that_cannot_work(project, names: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{name}'" for name in names)
    with pytest.raises(Faults) as caught:
        _recipe.load(project / "recipe.toml", [f"compress.passes=[{listed}]"])
    (fault,) = caught.value.faults
    assert WRONG[names][0] in fault.what
    assert fault.received == ", ".join(names)


@pytest.mark.parametrize(
    ("passes", "expected"),
    [
        ('["int8_static", "fuze"]', "fuze"),
        ('"fuse"', "must be a list"),
        ("[3]", "It must be the name"),
        ('[{ name = "int8_static", samples = 0 }, "fuse"]', "samples"),
    ],
)
def test_other_faults_of_a_plan_are_told_once_each(project, passes: str, expected: str) -> None:
    with pytest.raises(Faults) as caught:
        _recipe.load(project / "recipe.toml", [f"compress.passes={passes}"])
    assert sum(expected in fault.message for fault in caught.value.faults) == 1


def test_check_takes_every_chain_that_works(project) -> None:
    for names in RIGHT:
        table = _recipe.load(project / "recipe.toml", [f"compress.passes={names}"]).table
        assert [item["name"] for item in table["compress"]["passes"]] == names


def candidate() -> Candidate:
    torch.manual_seed(0)
    shape = Shape({"image": (1, 12, 12)}, 2, 0, "image-classification")
    network = _model.build(CNN, shape, (np.full((1, 1, 1), 100, np.float32), np.full((1, 1, 1), 50, np.float32)))
    described = {
        "model": CNN,
        "shape": _model.describe(shape),
        "classes": ["a", "b"],
        "inputs": ["image"],
        "decode": {"name": "softmax"},
    }
    return Candidate(described, ("image", Fitted({"size": 12}, {"table": b"\x00\x01"})), network.eval())


@pytest.mark.parametrize("batchable", [True, False])
@pytest.mark.parametrize("graph", [None, b"graph"])
def test_a_kept_candidate_comes_back(tmp_path, batchable: bool, graph: bytes | None) -> None:
    given_one = candidate()
    if graph is not None:
        (tmp_path / "graph.onnx").write_bytes(graph)
        given_one = given_one.with_graph(tmp_path / "graph.onnx", batchable=batchable)
    _plans.save(tmp_path / "kept", given_one)
    found = _plans.load(tmp_path / "kept")
    inputs = torch.randint(0, 256, (3, 1, 12, 12), dtype=torch.uint8)
    assert torch.equal(found.network(inputs), given_one.network(inputs))
    assert {key: found.described[key] for key in given_one.described} == given_one.described
    assert found.transform[0] == "image"
    assert (found.transform[1].settings, found.transform[1].files) == ({"size": 12}, {"table": b"\x00\x01"})
    assert (None if found.graph is None else found.graph.read_bytes()) == graph
    assert found.batchable == (batchable or graph is None)


def test_a_candidate_that_is_a_graph_alone_comes_back(tmp_path) -> None:
    (tmp_path / "graph.onnx").write_bytes(b"graph")
    whole = candidate()
    _plans.save(tmp_path / "kept", Candidate(whole.described, whole.transform, None, tmp_path / "graph.onnx"))
    found = _plans.load(tmp_path / "kept")
    assert found.network is None
    assert found.graph.read_bytes() == b"graph"
    assert _plans.brought(found) == "graph"
    assert _plans.brought(whole) == "network"
