import time
from pathlib import Path

import numpy as np
import pytest

from lepton.core.errors import BadInput, UserError
from lepton.runtime.app import App, load
from lepton.runtime.bench import Comparison, compare_latency, measure
from lepton.runtime.contract import measure_again
from lepton.runtime.samples import samples, synthetic

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
KEYS = {"batch", "threads", "p50_ms", "p95_ms", "model_p50_ms", "per_second", "resident_mb", "size_mb"}


@pytest.fixture(scope="module")
def app() -> App:
    return load(APPS / "image-classification")


def test_measure_tells_all_that_is_promised(app: App) -> None:
    raws, kind = samples(app)
    found = measure(app, raws, batch=2, repeats=5)
    assert kind == "golden"
    assert found.keys() == KEYS
    assert (found["batch"], found["threads"]) == (2, 1)
    assert 0 < found["model_p50_ms"] <= found["p50_ms"] <= found["p95_ms"]
    assert found["size_mb"] == app.bundle.size_mb()


def test_measure_refuses_nothing_and_bad_inputs(app: App) -> None:
    with pytest.raises(UserError, match="Nothing to measure"):
        measure(app, [], repeats=1)
    with pytest.raises(UserError, match="Nothing to measure"):
        measure(app, [b""], batch=0, repeats=1)
    with pytest.raises(BadInput):
        measure(app, [b"broken"], repeats=1)


@pytest.mark.parametrize("task", ["image-classification", "audio-classification", "text-classification"])
def test_made_up_inputs_can_be_answered(task: str) -> None:
    app = load(APPS / task)
    assert len(app.predict(synthetic(app.modality, count=3))) == 3
    assert synthetic(app.modality) == synthetic(app.modality)


def test_an_unknown_modality_is_a_clear_error() -> None:
    with pytest.raises(UserError, match="smell"):
        synthetic("smell")


def test_candidates_take_turns_and_all_calls_are_kept() -> None:
    seen: list[str] = []
    found = compare_latency({"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}, rounds=4, calls=2, warmup=1)
    assert found.times["a"].shape == found.times["b"].shape == (4, 2)
    assert "".join(seen) == "ab" + "aaabbb" + "bbbaaa" + "aaabbb" + "bbbaaa"


def test_the_slower_candidate_is_found_slower() -> None:
    found = compare_latency({"quick": lambda: None, "slow": lambda: time.sleep(0.001)}, rounds=8, calls=2)
    assert found.ratio("slow", "quick").low > 1
    assert found.ratio("quick", "slow").high < 1
    assert found.p50("slow") >= 1.0
    assert found.p95("slow") >= found.p50("slow")


def test_the_ratio_is_that_of_the_medians_and_its_interval_holds_it() -> None:
    random = np.random.default_rng(0)
    machine = random.uniform(1, 3, (200, 1))
    base = machine * random.uniform(0.99, 1.01, (200, 3))
    found = Comparison({"base": base, "double": base * 2}).ratio("double", "base")
    assert found.value == pytest.approx(2)
    assert found.low == pytest.approx(2)
    assert found.high == pytest.approx(2)


def test_a_true_ratio_of_one_is_inside_its_interval_about_as_often_as_stated() -> None:
    random = np.random.default_rng(1)
    inside = 0
    for _ in range(100):
        times = random.lognormal(0, 0.1, (2, 40, 5))
        found = Comparison({"a": times[0], "b": times[1]}).ratio("a", "b", draws=300)
        inside += found.low <= 1 <= found.high
    assert inside >= 88


@pytest.mark.parametrize("wrong", [{"rounds": 1}, {"calls": 0}])
def test_too_little_to_compare_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UserError, match="Nothing to compare"):
        compare_latency({"a": lambda: None}, **wrong)


def test_the_contract_is_measured_again(app: App) -> None:
    found = {term["term"]: term for term in measure_again(app.bundle.folder)}
    assert found["size_mb"]["kept"]
    assert found["size_mb"]["found"] == app.bundle.size_mb()
    assert found["p95_ms"]["most"] == 1000.0
