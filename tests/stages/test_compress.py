"""The compress stage on a tiny project: planted methods, impossible contracts, seeds, kills and the budget."""

import io
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lepton.cli.__main__ import main
from lepton.compress import distil, fuse
from lepton.core import plugins
from lepton.core.errors import UserError
from lepton.core.ledger import Ledger, facts
from lepton.stages import _proposals, _road, _trials

SLOW = '''
"""Useless work behind the answer."""

import onnx
from onnx import helper

TAKES, GIVES = ("graph",), "graph"
AUTO = ({},)


def compress(candidate, context, *, rounds: int = 400):
    """The same answers, after many sines of them have been added and taken away."""
    model = onnx.load(candidate.graph)
    last = next(node for node in model.graph.node if "logits" in node.output)
    last.output[0] = "found"
    names = ["found", *(f"sine.{index}" for index in range(rounds))]
    model.graph.node.extend(helper.make_node("Sin", [one], [other]) for one, other in zip(names, names[1:]))
    model.graph.node.append(helper.make_node("Sub", [names[-1], names[-1]], ["nothing"]))
    model.graph.node.append(helper.make_node("Add", ["found", "nothing"], ["logits"]))
    path = context.folder / "slow.onnx"
    path.write_bytes(model.SerializeToString())
    return candidate.with_graph(path)
'''
HARM = '''
"""Packed weights, and the last class is never the answer again."""

import numpy as np
import onnx
from onnx import numpy_helper

from lepton.compress import weights

TAKES, GIVES = ("graph",), "packed"
AUTO = ({},)


def compress(candidate, context):
    """Take the last class's bias away; no other answer changes."""
    packed = weights.compress(candidate, context)
    model = onnx.load(packed.graph)
    for item in model.graph.initializer:
        if list(item.dims) == [len(candidate.described["classes"])]:
            values = numpy_helper.to_array(item).copy()
            values[-1] -= 1e4
            item.CopyFrom(numpy_helper.from_array(values, item.name))
    packed.graph.write_bytes(model.SerializeToString())
    return packed
'''


@pytest.fixture
def methods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Leave only some methods, add those of a distribution that is installed here, and measure times briefly."""
    own = plugins._own

    def leave(*names: str, **planted: str) -> None:
        package, described = tmp_path / "lib" / "stranger", tmp_path / "lib" / "stranger-1.0.dist-info"
        package.mkdir(parents=True)
        described.mkdir()
        (package / "__init__.py").write_text("")
        for name, source in planted.items():
            (package / f"{name}.py").write_text(source)
        points = "".join(f"{name} = stranger.{name}\n" for name in planted)
        (described / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
        (described / "entry_points.txt").write_text(f"[lepton.compress]\n{points}")
        monkeypatch.syspath_prepend(str(tmp_path / "lib"))
        monkeypatch.setattr(plugins, "_own", lambda room: list(names) if room == "compress" else own(room))
        monkeypatch.setattr(_trials, "_LONG", 0.05)
        monkeypatch.setattr(_trials, "_QUICK", 0.05)

    yield leave
    for name in [name for name in sys.modules if name.startswith("stranger")]:
        del sys.modules[name]


def compressed(project: Path, *sets: str, out: str | Path = "run") -> dict[str, Any]:
    """The facts of the compress stage."""
    done = _road.run(project / "recipe.toml", out=project / out, sets=list(sets), until="compress")
    return facts(done.folder)["compress"]["facts"]


def test_a_method_from_elsewhere_that_slows_is_measured_and_never_shipped(project: Path, methods) -> None:
    methods(slow=SLOW)
    found = compressed(project, "compress.search=quick")
    trials = {trial["plan"]: trial for trial in found["trials"]}
    assert set(trials) == {"onnx", "slow"}
    assert trials["slow"]["metric"] == trials["onnx"]["metric"]
    assert trials["slow"]["ratio_low"] > 1.5
    missed = {clause["name"] for clause in trials["slow"]["clauses"] if not clause["kept"]}
    assert missed == {"time over fp32 ONNX (95 % bound)", "size (MB)"}
    assert found["winner"] == "onnx"


def add_a_small_class(project: Path) -> None:
    """A third class of 24 pictures without a bar, beside two of 30."""
    folder = project / "data" / "void"
    folder.mkdir()
    for number in range(24):
        pixels = np.random.default_rng(number).integers(0, 60, (12, 12)).astype(np.uint8)
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        (folder / f"{number:02d}.png").write_bytes(stream.getvalue())


def test_damage_to_the_smallest_class_alone_is_named_when_it_is_shipped(project: Path, methods) -> None:
    add_a_small_class(project)
    methods(harm=HARM)
    loose = "contract={metric={max_drop=0.9}, latency={p95_ms=1000.0}, size_mb=0.008}"
    found = compressed(
        project, "compress.search=quick", loose, "data.split={test=0.1,validation=0.4}", "train.epochs=12"
    )
    assert found["winner"] == "harm"
    harmed = next(trial for trial in found["trials"] if trial["plan"] == "harm")
    assert harmed["drop"] == pytest.approx(found["damage"]["counts"]["right_to_wrong"] / found["validation_records"])
    assert found["damage"]["lost"] == ["void"]
    assert {row["label"]: row["after"] for row in found["damage"]["classes"]}["void"] == 0
    assert {item["given"] for item in found["damage"]["changed"]} == {"void"}


def test_under_the_standing_contract_the_same_harm_is_not_shipped(project: Path, methods) -> None:
    add_a_small_class(project)
    methods(harm=HARM)
    sets = ["compress.search=quick", "data.split={test=0.1,validation=0.4}", "train.epochs=12"]
    found = compressed(project, *sets)
    assert found["winner"] == "onnx"
    assert "damage" not in found


WIDTHS = (12, 8, 4)
STUDENTS = [{"name": "cnn", "preset": "lenet", "kernel": 3, "dense": [width]} for width in WIDTHS]
SEARCH = (
    "model={name='cnn', preset='lenet', kernel=3, dense=[48]}",
    "contract={metric={max_drop=0.5}, latency={p95_ms=1000.0}, size_mb=0.0055}",
)
"""A contract on which times have no say: what is small enough and good enough is chosen, a packed student."""


def few(patch: pytest.MonkeyPatch) -> None:
    """Leave only two methods and three students, and measure times briefly."""
    own = plugins._own
    patch.setattr(plugins, "_own", lambda room: ["distil", "weights"] if room == "compress" else own(room))
    patch.setattr(_proposals, "models", lambda task: STUDENTS)
    patch.setattr(distil, "AUTO", ())
    patch.setattr(_trials, "_LONG", 0.05)
    patch.setattr(_trials, "_QUICK", 0.05)


@pytest.fixture(scope="module")
def calm(shared_project: Path) -> tuple[Path, dict[str, Any]]:
    """A project whose search was not disturbed, and what it told."""
    with pytest.MonkeyPatch.context() as patch:
        few(patch)
        return shared_project, compressed(shared_project, *SEARCH, out="calm")


def trained(project: Path, folder: Path) -> None:
    """Put what the undisturbed run had before its search into the folder of another run."""
    for path in (project / "calm" / "artifacts").glob("[pt]r*"):
        shutil.copytree(path, folder / "artifacts" / path.name)


def test_an_impossible_contract_is_refused_within_its_budget(
    calm: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few(monkeypatch)
    trained(calm[0], tmp_path / "run")
    began = time.monotonic()
    sets = [SEARCH[0], "contract.size_mb=0.001", "contract.metric.max_drop=0.9", "compress.budget=5.0"]
    line = [item for each in sets for item in ("--set", each)]
    code = main(["run", str(calm[0] / "recipe.toml"), "--quiet", "-o", str(tmp_path / "run"), *line])
    assert time.monotonic() - began < 5 * 60
    assert code == 3
    assert not (tmp_path / "run" / "app").exists()
    told = capsys.readouterr().err
    assert "No candidate keeps the contract" in told
    refused = facts(tmp_path / "run")["refused"]["facts"]
    smallest = min(refused["trials"], key=lambda trial: trial["size_mb"])
    assert (
        f"Nearest first: {smallest['plan']} misses size (MB): {smallest['size_mb']:.4g} (asked 0.001) NOT kept" in told
    )
    assert [item["why"] for item in refused["skipped"]] == ["latency or size would be missed"] * len(WIDTHS)
    assert refused["rungs"] == [], "nothing was trained that could not be small enough"


def test_one_seed_makes_one_choice_and_the_ledger_holds_all_that_led_to_it(
    calm: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch)
    trained(calm[0], tmp_path / "again")
    one, other = calm[1], compressed(calm[0], *SEARCH, out=tmp_path / "again")
    assert one["winner"] == other["winner"]
    assert one["winner"].startswith("distil")
    for name in ("trials", "rungs"):
        points = [[(row["plan"], row["metric"], row["size_mb"]) for row in told[name]] for told in (one, other)]
        assert points[0] == points[1]
    proposed = {f"distil(cnn preset lenet kernel 3 dense [{width}])" for width in WIDTHS}
    skipped = {item["plan"] for item in one["skipped"]}
    assert proposed == {rung["plan"] for rung in one["rungs"]} | skipped
    assert proposed == {sketch["plan"] for sketch in one["sketches"]}


DYING = """
import os, signal, sys
from lepton.core import plugins
from lepton.core.ledger import Ledger
from lepton.stages import _proposals, _search, _trials
from lepton.cli.__main__ import main
from lepton.compress import distil, fuse

own, left, write = plugins._own, int(sys.argv.pop(1)), Ledger.write
_proposals.models = lambda task: STUDENTS
_trials._LONG = _trials._QUICK = 0.05
plugins._own = lambda room: ["distil", "weights"] if room == "compress" else own(room)
plugins.load("compress", "distil").AUTO = ()

def write_or_die(self, event, **facts):
    global left
    write(self, event, **facts)
    left -= self.path.name == "trials.jsonl" and event not in ("spent", "quick")
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

Ledger.write = write_or_die
sys.exit(main())
"""
"""A run that is killed when the nth point of the search, its first argument, was journalled."""


def test_a_killed_search_goes_on_where_it_was(
    calm: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL after two trials, three sketches and two rungs."""
    trained(calm[0], tmp_path / "run")
    code = DYING.replace("STUDENTS", repr(STUDENTS))
    line = ["run", str(calm[0] / "recipe.toml"), "--quiet", "--until", "compress", "-o", str(tmp_path / "run")]
    sets = [item for each in SEARCH for item in ("--set", each)]
    killed = subprocess.run([sys.executable, "-c", code, "7", *line, *sets], check=False)
    assert killed.returncode == -signal.SIGKILL
    (journal,) = (tmp_path / "run" / "scratch").glob("compress-*/trials.jsonl")
    rows = [row for row in Ledger(journal).read() if row["event"] not in ("spent", "quick")]
    assert [row["event"] for row in rows] == [*["trial"] * 2, *["sketch"] * 3, *["rung"] * 2]
    few(monkeypatch)
    found = compressed(calm[0], *SEARCH, out=tmp_path / "run")
    assert found["winner"] == calm[1]["winner"]
    assert [trial["plan"] for trial in found["trials"]] == [trial["plan"] for trial in calm[1]["trials"]]
    told = {("trial", row["plan"]): row for row in found["trials"]}
    told |= {("rung", row["plan"]): row for row in found["rungs"]}
    known = [row for row in rows if row["event"] in ("trial", "rung")]
    for row in known:
        event = row.pop("event")
        assert {key: told[event, row["plan"]][key] for key in row} == row, (
            "times are equal too: it was not measured again"
        )


def test_a_tiny_budget_is_kept(calm: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch)
    trained(calm[0], tmp_path / "run")
    found = compressed(calm[0], SEARCH[0], "compress.budget=0.001", out=tmp_path / "run")
    assert [item["why"] for item in found["skipped"]] == ["the budget was spent"] * len(WIDTHS)
    assert [trial["plan"] for trial in found["trials"]] == ["onnx", "weights"]
    assert found["rungs"] == []


def test_a_chain_that_cannot_work_on_this_model_is_a_clear_error(project: Path) -> None:
    assert fuse.TAKES == ("graph",)
    with pytest.raises(UserError, match="nothing to fuse"):
        compressed(project, "compress.passes=['fuse']")
    assert "compress" not in facts(project / "run")


def test_a_chain_is_shipped_with_what_it_says(project: Path, methods) -> None:
    methods("int8_static", "weights")
    sets = [
        "model={name='cnn', preset='lenet', kernel=3, dense=[400]}",
        "contract={metric={max_drop=0.9}, latency={p95_ms=1000.0}, size_mb=0.03}",
        "compress.passes=['int8_static', {name='weights', bits=4, least=64}]",
    ]
    done = _road.run(project / "recipe.toml", out=project / "run", sets=sets)
    told = json.loads((done.app / "manifest.json").read_text())["provenance"]
    assert told["plan"] == "int8_static+weights(bits 4, least 64)"
    assert [step["name"] for step in told["steps"]] == ["int8_static", "weights"]
    assert "8-bit figures hold for processors with" in (done.app / "CARD.md").read_text()
