"""One, ten and fifty adapters of one network, served together: what they cost in memory and in time.

Usage: python benchmarks/adapt/served.py [RANK ...]

A sentence encoder of 22 million weights is moved to kinds of questions by LoRA and joined to an app (`lepton join`).
The app's one adapter is trained; the others are copies of it whose weights were shaken, as large and as slow as
trained ones. Each app stands behind a `lepton serve` of its own with one worker and one thread, and so does the same
network merged, in fp32. All are asked in turn over HTTP, one connection each, a question and an adapter drawn anew for
each request, so that a slow spell of the machine counts for all; processor time is that of the server for a request.
Memory is the least of several servers, read after every adapter was asked: resident, and of that what is no file,
which the system cannot take back. (By chance a server keeps some 20 MB more of what loading took, whatever it serves.)
Beside: how long an adapter takes until it can answer in an app that is loaded, and how long the app takes to load.

Aims: fifty adapters take at most 1.3 times the memory of one, and 1.1 times the time.
"""

import http.client
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from onnxruntime import AdapterFormat, OrtValue

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "serving")]

import _server  # noqa: E402
import table  # noqa: E402
from _server import Server  # noqa: E402
from _table import RESULTS, keep, markdown  # noqa: E402

from lepton.bundle import golden, manifest  # noqa: E402
from lepton.compress._candidate import Candidate  # noqa: E402
from lepton.export.onnx import export  # noqa: E402
from lepton.runtime.app import load  # noqa: E402
from lepton.stages import _assemble, _encoded, _join, _model, _plans  # noqa: E402
from lepton.stages._join import Member  # noqa: E402

COUNTS = (1, 10, 50)
RANKS = (2, 8)
ROUNDS = 600
"""Requests of each server."""

WARM = 20
STARTS = 3
"""Servers of each app whose memory is read."""

SHAKEN = 0.1
"""Standard deviation of what the weights of copies are multiplied by, around 1."""

MEMORY, TIME = 1.3, 1.1
APPS = table.RUNS / "served"
Row = dict[str, Any]


@dataclass
class Served:
    """A server and one connection to it; the adapters that can be asked, and seconds that requests took."""

    name: str
    folder: Path
    server: Server
    adapters: Sequence[str]
    took: list[float]

    def ask(self, text: str, chance: random.Random) -> None:
        """Ask an adapter by chance."""
        adapter = f".{chance.choice(self.adapters)}" if self.adapters else ""
        began = time.perf_counter()
        self.connection.request("POST", f"/v1/apps/app{adapter}/predict", text.encode(), {"Content-Type": "text/plain"})
        reply = self.connection.getresponse()
        body = reply.read()
        self.took.append(time.perf_counter() - began)
        if reply.status != 200:
            raise RuntimeError(f"{self.name} answered {reply.status}: {body[:200]!r}")

    def ask_each(self, text: str) -> None:
        """Ask every adapter once."""
        every = self.adapters
        for self.adapters in [[each] for each in every] or [[]]:
            self.ask(text, random.Random(0))
        self.adapters = every

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port)

    def memory(self) -> tuple[float, float]:
        """Resident MB (10^6 bytes), and those of it that are no file's."""
        lines = Path(f"/proc/{self.server.process.pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]
        kb = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        return kb["Rss"] * 1024 / 1e6, kb["Anonymous"] * 1024 / 1e6


def main(ranks: Sequence[int]) -> None:
    """Measure the ranks asked for, and keep the table with its aims."""
    for rank in ranks:
        rows = [row for row in _kept() if row["rank"] != rank] + list(_measured(rank))
        rows.sort(key=lambda row: row["rank"])
        aims = [aim for each in sorted({row["rank"] for row in rows}) for aim in _aims(each, rows)]
        keep("adapters_served", rows, rounds=ROUNDS, aims=aims)
        print(markdown(aims))


def _kept() -> list[Row]:
    path = RESULTS / "adapters_served.json"
    found: list[Row] = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return found


def _measured(rank: int) -> Iterator[Row]:
    case = table.cases()["questions"]()
    run = table.trained("served-questions", case.recipe, [f"adapt={{name='lora', rank={rank}}}"]).run.folder
    member = Member("questions", run)
    texts = [str(record.raw) for record in member.validation]
    folders = {"merged, fp32": _merged(member, APPS / f"merged-{rank}")}
    _join.join({"questions": run}, APPS / f"{rank}", name="questions")
    folders |= {f"{count}": _copied(APPS / f"{rank}", count) for count in COUNTS}
    switching = {name: _switching(folder) for name, folder in folders.items()}
    memory = {name: _memory(folder, texts[0]) for name, folder in folders.items()}
    with ExitStack() as stack:
        servers = [_started(stack, name, folder) for name, folder in folders.items()]
        spent = _ask_in_turn(servers, texts)
        for served in servers:
            resident, own = memory[served.name]
            yield {
                "rank": rank,
                "adapters": served.name,
                "app MB": load(served.folder).bundle.size_mb(),
                "resident MB": resident,
                "of it no file's": own,
                "p50 ms": float(np.quantile(served.took, 0.5) * 1e3),
                "p95 ms": float(np.quantile(served.took, 0.95) * 1e3),
                "processor ms": spent[served.name] / ROUNDS * 1e3,
                "ready s": served.server.ready_s,
                **switching[served.name],
            }


def _started(stack: ExitStack, name: str, folder: Path) -> Served:
    port = _server.free_port()
    server = stack.enter_context(_server.started(_server.lepton([f"app={folder}"], port), port))
    return Served(name, folder, server, list(manifest.read(folder).manifest.adapters), [])


def _memory(folder: Path, text: str) -> tuple[float, float]:
    """Resident MB of a server that has asked every adapter, and those of it that are no file's."""
    found = []
    for _ in range(STARTS):
        with ExitStack() as stack:
            served = _started(stack, folder.name, folder)
            served.ask_each(text)
            found.append(served.memory())
    return min(found)


def _ask_in_turn(servers: Sequence[Served], texts: Sequence[str]) -> dict[str, float]:
    """Ask each server as often, each adapter once before that counts; seconds of processor time that each spent."""
    chance = random.Random(0)
    for served in servers:
        served.ask_each(texts[0])
        for _ in range(WARM):
            served.ask(chance.choice(texts), chance)
        served.took.clear()
    before = {served.name: served.server.processor_s() for served in servers}
    for turn in range(ROUNDS):
        text = chance.choice(texts)
        for served in servers if turn % 2 else reversed(servers):
            served.ask(text, chance)
    return {served.name: served.server.processor_s() - before[served.name] for served in servers}


def _switching(folder: Path) -> Row:
    """Milliseconds until the app is loaded, and until another of its adapters can answer."""
    began = time.perf_counter()
    app = load(folder)
    loaded = time.perf_counter()
    app.views  # noqa: B018 - it opens every adapter
    each = (time.perf_counter() - loaded) / max(1, len(app.adapters))
    return {"app loaded ms": (loaded - began) * 1e3, "adapter opened ms": each * 1e3 if app.adapters else ""}


def _merged(member: Member, folder: Path) -> Path:
    """The run's network merged, exported as other networks are."""
    network, described = _model.load(member.artifact("train"))
    encode = _encoded.encoder(*member.transform)
    samples = [encode(record.read()) for record in member.validation[:2]]
    example, lengths = _plans.example(described, member.transform, samples)
    folder.parent.mkdir(parents=True, exist_ok=True)
    graph = folder.with_suffix(".onnx")
    export(network, example, graph, lengths=lengths)
    parts = _assemble.Parts("merged", member.recipe["app"]["task"], member.decode)
    return _assemble.write(folder, parts, Candidate(described, member.transform, graph=graph)).folder


def _copied(joined: Path, count: int) -> Path:
    """An app with the adapter of another one and shaken copies of it, `count` in all."""
    bundle = manifest.read(joined)
    own = bundle.manifest.adapters["questions"]
    kept: dict[str, bytes | Path] = {name: bundle.path(name).read_bytes() for name in bundle.manifest.files}
    answered = [(raw, item.answer) for raw, item in golden.read(bundle.adapted("questions"))]
    adapters = {"questions": own}
    for number in range(1, count):
        name = f"copy{number}"
        adapters[name] = msgspec.structs.replace(own, file=f"adapters/{name}.onnx_adapter")
        kept[adapters[name].file] = _shaken(bundle.path(own.file), number)
    told = msgspec.structs.replace(bundle.manifest, adapters=adapters)
    folder = joined.with_name(f"{joined.name}-{count}")
    return manifest.write(folder, told, {**kept, **golden.files_by_adapter({"questions": answered})}).folder


def _shaken(path: Path, seed: int) -> bytes:
    noise = np.random.default_rng(seed)
    made = AdapterFormat()
    tensors = {name: value.numpy() for name, value in AdapterFormat.read_adapter(str(path)).get_parameters().items()}
    shaken = {
        name: (value * noise.normal(1, SHAKEN, value.shape)).astype(value.dtype) for name, value in tensors.items()
    }
    made.set_parameters({name: OrtValue.ortvalue_from_numpy(value) for name, value in shaken.items()})
    with_suffix = path.with_suffix(f".{seed}")
    made.export_adapter(str(with_suffix))
    data = with_suffix.read_bytes()
    with_suffix.unlink()
    return data


def _aims(rank: int, rows: Sequence[Row]) -> Iterator[Row]:
    found = {row["adapters"]: row for row in rows if row["rank"] == rank}
    one, fifty = found["1"], found["50"]
    for name, key, most in (
        ("resident memory", "resident MB", MEMORY),
        ("memory that is no file's", "of it no file's", MEMORY),
        ("p50", "p50 ms", TIME),
        ("p95", "p95 ms", TIME),
        ("processor time", "processor ms", TIME),
    ):
        ratio = fifty[key] / one[key]
        yield {"rank": rank, "fifty against one": name, "ratio": ratio, "aim": most, "kept": ratio <= most}


if __name__ == "__main__":
    main([int(each) for each in sys.argv[1:]] or RANKS)
