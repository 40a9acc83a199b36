"""Training spread over processes: shares cover a batch, weigh as they should, and two real processes learn as one."""

import json
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from lepton.adapt import _weights
from lepton.core.progress import Silent
from lepton.models._objectives import IGNORED
from lepton.stages import _road
from lepton.training import devices, processes, spread
from lepton.training.spread import Spread

LIMIT = 240


@given(size=st.integers(0, 200), count=st.integers(1, 12))
def test_the_shares_cover_a_batch_exactly_and_none_is_of_one_record(size: int, count: int) -> None:
    shares = [spread.share(size, rank, count) for rank in range(count)]
    assert [place for each in shares for place in range(size)[each]] == list(range(size))
    sizes = [len(range(size)[each]) for each in shares]
    assert 1 not in sizes or size == 1
    taking = [each for each in sizes if each]
    assert not taking or max(taking) - min(taking) <= 1


@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 1.0, 4.0])])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_means_of_shares_make_the_mean_of_the_batch(weights: Tensor | None, count: int) -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(7, 4, 3), torch.randint(0, 3, (7, 4))
    targets[:3, 1:] = IGNORED
    whole = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), weight=weights, label_smoothing=0.1)
    found = torch.zeros(())
    for rank in range(count):
        rows = spread.share(7, rank, count)
        mean = functional.cross_entropy(
            logits[rows].flatten(0, 1), targets[rows].flatten(), weight=weights, label_smoothing=0.1
        )
        found += mean * spread.part(targets, rows, weights)
    torch.testing.assert_close(found, whole)


def test_mixed_targets_count_by_record() -> None:
    assert spread.part(torch.rand(8, 3), slice(0, 2), torch.tensor([1.0, 2.0, 9.0])) == pytest.approx(0.25)


class Pair:
    """A team of two whose other member sends what it was given beforehand."""

    size, rank = 2, 0

    def __init__(self, other: Sequence[float]) -> None:
        self.other = torch.tensor(other)

    def sum(self, values: Tensor) -> Tensor:
        return values + self.other


def test_gradients_are_summed_and_what_nobody_reaches_keeps_none() -> None:
    network = nn.ModuleDict({"here": nn.Linear(1, 1, bias=False), "there": nn.Linear(1, 1, bias=False)})
    network.update({"nowhere": nn.Linear(1, 1, bias=False), "norm": nn.BatchNorm1d(1, affine=False)})
    network["here"].weight.grad = torch.tensor([[3.0]])
    # In order: three gradients, a mean and a variance (the other's halves), and who has a gradient of which weight.
    Spread(Pair([1.0, 5.0, 0.0, 2.0, 0.25, 1.0, 1.0, 0.0])).average(network)  # type: ignore[arg-type]
    assert float(network["here"].weight.grad) == 4.0
    assert float(network["there"].weight.grad) == 5.0
    assert network["nowhere"].weight.grad is None
    assert (float(network["norm"].running_mean), float(network["norm"].running_var)) == (2.0, 0.75)


def test_without_a_launcher_nothing_is_joined_and_accelerate_is_not_imported() -> None:
    assert not processes.launched()
    assert processes.led(lambda: 7) == 7
    with spread.spread(lambda team: None, Silent()) as alone:
        assert (alone.rank, alone.size, alone.rows(9), alone.told) == (0, 1, slice(0, 9), {})
    code = "import sys\nfrom lepton.stages import _road\nassert 'accelerate' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=LIMIT)


def test_processes_on_one_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    for name, value in environment(1, 9).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(devices, "machine", SimpleNamespace(cores=lambda: 8))
    try:
        assert devices.set_threads(None) == 4
        assert devices.set_threads(3) == 3
    finally:
        torch.set_num_threads(before)


class Doubled(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return 2 * weight


def test_a_network_with_changed_weights_and_a_closure_can_be_sent() -> None:
    network = nn.GRU(3, 2, batch_first=True)
    _weights.change(network, "weight_ih_l0", Doubled())
    shift = 0.5
    copy, function = pickle.loads(processes.packed((network, lambda value: value + shift)))
    with torch.no_grad():
        copy.to("cpu")
        network.to("cpu")
    inputs = torch.randn(4, 5, 3)
    torch.testing.assert_close(copy(inputs)[0], network(inputs)[0])
    assert [name for name, _ in copy.named_parameters()] == [name for name, _ in network.named_parameters()]
    assert function(1.0) == 1.5


RECIPE = """
[app]
name = "bars"
task = "image-classification"
[data]
source = "data"
split = { test = 0.25, validation = 0.25 }
[model]
name = "cnn"
[train]
epochs = 2
batch = 7
accumulate = 2
ema = 0.5
mixup = 0.4
threads = 1
lr = 5e-3
"""

BREAKS = """
import os, sys
from lepton.core.errors import UserError
from lepton.training import loop
own = loop._epoch
def breaks(job, settings, run):
    if run.number == 1 and os.environ["RANK"] == "1":
        raise UserError("The second process is out of sorts", remedy="Mend it")
    return own(job, settings, run)
loop._epoch = breaks
"""


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with `recipe.toml` and pictures of two classes."""
    random = np.random.default_rng(0)
    for kind, axes in {"lying": (4, slice(None)), "standing": (slice(None), 4)}.items():
        (tmp_path / "data" / kind).mkdir(parents=True)
        for number in range(20):
            pixels = random.integers(0, 90, (12, 12)).astype(np.uint8)
            pixels[axes] = 220
            Image.fromarray(pixels).save(tmp_path / "data" / kind / f"{number}.png")
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path


def environment(rank: int, port: int) -> dict[str, str]:
    """What a launcher tells the process `rank` of two."""
    told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_PORT": port}
    return {"MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1", **{name: str(value) for name, value in told.items()}}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def command(*arguments: str, before: str) -> list[str]:
    given = ["run", "recipe.toml", "--until", "train", *arguments]
    return [sys.executable, "-c", f"{before}\nfrom lepton.cli.__main__ import main\nsys.exit(main({given!r}))"]


def two(desk: Path, *arguments: str, before: str = "import sys") -> list[tuple[int, str, str]]:
    """Run the command in two processes as a launcher would; exit code, output and messages of each."""
    port, plain = free_port(), {name: value for name, value in os.environ.items() if name != "RANK"}
    started = [
        subprocess.Popen(
            command(*arguments, before=before),
            cwd=desk,
            env={**plain, **environment(rank, port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        told = [process.communicate(timeout=LIMIT) for process in started]
    finally:
        for process in started:
            process.kill()
    return [(process.returncode, *said) for process, said in zip(started, told, strict=True)]


def weights(run: Path) -> dict[str, Tensor]:
    (found,) = (run / "artifacts").glob("train-*/network.safetensors")
    return load_file(found)


def events(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "ledger.jsonl").read_text().splitlines()]


def test_two_processes_end_together_go_on_together_and_learn_what_one_learns(desk: Path) -> None:
    broken, follower = two(desk, "-o", "two", "--quiet", before=BREAKS)
    assert broken == (2, "", "lepton: The second process is out of sorts. Mend it.\n")
    assert follower == (0, "", "")
    (checkpoint,) = (desk / "two" / "scratch").glob("train-*/*.pt")
    (begun,) = torch.load(checkpoint, weights_only=True)["history"]

    (code, out, told), follower = two(desk, "-o", "two")
    assert code == 0, told
    assert "train: done" in told
    assert "report" in out
    assert follower == (0, "", "")
    _road.run(desk / "recipe.toml", out=desk / "one", until="train")
    one, found = weights(desk / "one"), weights(desk / "two")
    assert one.keys() == found.keys()
    for name, value in one.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)

    mine, theirs = (events(desk / name)[-1]["facts"] for name in ("two", "one"))
    assert [mine["processes"], theirs["processes"]] == [2, 1]
    assert mine["history"][0] == begun
    losses = [[row["loss"] for row in facts["history"]] for facts in (mine, theirs)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    made = [event["stage"] for event in events(desk / "two") if event.get("skipped") is False]
    assert made == ["prepare", "train"]
