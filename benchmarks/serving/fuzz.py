"""Ten thousand fuzzed requests over every route of a real server, and the promises that its answers must keep.

Usage: python benchmarks/serving/fuzz.py [--requests N]

`lepton serve` serves four tiny apps, first to everybody and then to those who have a key. schemathesis asks what the
OpenAPI document tells of; hypothesis makes bodies, tensors, paths and headers; what is hardly HTTP and what is hardly
a WebSocket goes to raw sockets; bombs are a few bytes that ask for hours or gigabytes. Promises:

- no 5xx but 503 with Retry-After; every problem is application/problem+json; every request is answered;
- without a right key nothing is answered but what is open to all;
- a bomb is refused with a 4xx, for which the server's processor works 50 ms at most;
- a connection that stops in the middle is closed;
- after the first thousand requests neither open files nor memory grow;
- the server logs no error and no traceback, and at the end answers its golden inputs as it did when it was packaged;
- no request makes the server open a file, start a process or connect to anything.

Exits with 1 when one is broken, and prints the first request that broke it. Only a run with all defaults is kept.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import _environments  # noqa: E402
import _fuzz_files  # noqa: E402
import _fuzz_wire  # noqa: E402
import _server  # noqa: E402
from _fuzz import SECRET, Client, Headers, Seen, Sent, faults, key_faults  # noqa: E402
from _fuzz_bodies import APPS, TASKS, Requests  # noqa: E402
from _fuzz_state import State, processor_ms, reached  # noqa: E402
from _server import Server  # noqa: E402
from _table import keep, markdown  # noqa: E402
from _watched import LOG, REACHED  # noqa: E402
from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from lepton.bundle import golden  # noqa: E402
from lepton.runtime.app import App  # noqa: E402

REQUESTS = 10_000
WARM_UP = 1_000
DEADLINE = "10"
BOMB_MS = 50.0
GROWTH_MB = 10.0
SHARES = {"files": 25, "texts": 10, "forms": 10, "tensors": 15, "binary": 10, "places": 12, "words": 8, "streams": 6}
"""Parts of a hundred; schemathesis has the rest."""
KEYED = 0.15
"""The part of all requests that goes to the server with keys."""

KEYS = (b"the-key-of-the-client", b"the-key-of-the-admin")
_TITLES = {
    "files": "pictures and recordings", "texts": "texts", "forms": "JSON", "tensors": "v2 in JSON",
    "binary": "v2 in bytes", "places": "paths, methods, headers", "words": "raw sockets", "streams": "WebSockets",
}  # fmt: skip

Row = dict[str, Any]


@dataclass
class Run:
    """One server that is fuzzed, and what was seen of it."""

    server: Server
    requests: Requests
    keys: Sequence[bytes] = ()
    seen: list[Seen] = field(default_factory=list)

    @property
    def client(self) -> Client:
        """A client of its own connection."""
        return Client(self.server.port)

    def part(self, name: str, count: int) -> None:
        """Send so many requests of one kind."""
        seen = Seen(_TITLES[name] + (" with keys" if self.keys else ""))
        self.seen.append(seen)
        if name == "words":
            _each(_fuzz_wire.words(), count, lambda one: self._say(seen, *one))
        elif name == "streams":
            _each(_fuzz_wire.streams(), count, lambda one: self._stream(seen, one))
        else:
            client = self.client
            _each(self._keyed(getattr(self.requests, name)()), count, lambda sent: self._ask(seen, client, sent))
            client.close()

    def _ask(self, seen: Seen, client: Client, sent: Sent) -> None:
        is_head = sent.method == b"HEAD"
        reply = client.ask(sent.wire(), is_head=is_head)
        wrong = [*faults(reply, is_head=is_head), *(key_faults(sent, reply, self.keys) if self.keys else ())]
        seen.add(sent.wire(), reply, wrong)

    def _say(self, seen: Seen, pieces: Sequence[bytes], end: str) -> None:
        _fuzz_wire.judge(seen, b"".join(pieces), _fuzz_wire.said(self.server.port, pieces, end))

    def _stream(self, seen: Seen, one: tuple[str, Sequence[bytes], str]) -> None:
        path, frames, end = one
        key = self.keys[0] if self.keys else b""
        begun, heard = _fuzz_wire.streamed(self.server.port, path, frames, end=end, key=key)
        wrong = faults(begun) if begun is None or begun.status != 101 else _fuzz_wire.frame_faults(heard)
        seen.add(path.encode() + b" " + b"".join(frames), begun, wrong)

    def _keyed(self, requests: st.SearchStrategy[Sent]) -> st.SearchStrategy[Sent]:
        if not self.keys:
            return requests
        right = [(b"Authorization", b"Bearer " + key) for key in self.keys] + [(b"X-API-Key", self.keys[0])]
        wrong = [(b"Authorization", b"Bearer no"), (b"X-API-Key", b""), (b"Authorization", self.keys[0])]
        more = st.one_of(st.just(()), *(st.just((pair,)) for pair in (*right, *right, *wrong)))
        return st.builds(_with_headers, requests, more)


def main() -> int:
    """Fuzz both servers, and tell which promises were kept."""
    parser = argparse.ArgumentParser(description="Fuzz a server, and hold its answers against its promises.")
    parser.add_argument("--requests", type=int, default=REQUESTS, help=f"default {REQUESTS:,}")
    count = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as name:
        rows, servers, broken = _fuzzed(Path(name), count)
    if count == REQUESTS:
        keep("serving_fuzz", rows, servers=servers)
    else:
        print(markdown(rows))
    print("\n" + markdown(servers))
    for what, (times, first) in broken.items():
        print(f"\nBroken {times} times: {what}\n{first}", file=sys.stderr)
    return 1 if broken or any(row["kept"] is False for row in (*rows, *servers)) else 0


def _fuzzed(folder: Path, count: int) -> tuple[list[Row], list[Row], dict[str, tuple[int, str]]]:
    """The rows of the parts, those of the servers, and the broken promises."""
    secret = folder / "secret.txt"
    secret.write_text(SECRET, encoding="utf-8")
    requests = Requests(secret)
    rows, seen = [], []
    for keys, share in (((), 1 - KEYED), (KEYS, KEYED)):
        more, found = _one(folder, requests, keys=keys, count=round(count * share))
        rows += more
        seen += found
    total = {"what": "all requests", "requests": sum(one.count for one in seen), "kept": ""}
    broken = {f"{one.what}: {promise}": told for one in seen for promise, told in one.broken.items()}
    return [*map(_row, seen), total], rows, broken


def _one(folder: Path, requests: Requests, *, keys: Sequence[bytes], count: int) -> tuple[list[Row], list[Seen]]:
    """Fuzz one server; its rows beside those of the parts, and what was seen in each part."""
    what = "with keys" if keys else "open"
    notes = folder / what
    notes.mkdir()
    options = ["--deadline", DEADLINE, *(("--keys", str(_key_file(folder))) if keys else ())]
    port = _server.free_port()
    apps = [f"{name}={APPS / task}" for name, task in TASKS.items()]
    command = [sys.executable, HERE / "_watched.py", notes, *_server.lepton(apps, port, *options)[1:]]
    with _server.started(command, port) as server:
        run = Run(server, requests, keys)
        _warm_up(run, min(WARM_UP, count // 4))
        began, before = (notes / REACHED).stat().st_size, State.of(server)
        _parts(run, count, what)
        after = State.settled(server, before)
        wrong = _wrong_goldens(run)
    # A module of Python's is read where it is first needed.
    outside = reached(notes / REACHED, began, own=[APPS, HERE.parents[1] / "src"])
    errors = [line for line in (notes / LOG).read_text(encoding="utf-8").splitlines() if _is_error(line)]
    figures = {
        "open files and sockets": (before.files, after.files, after.files <= before.files),
        "resident MB": (before.resident_mb, after.resident_mb, after.resident_mb - before.resident_mb <= GROWTH_MB),
        "resident MB at most": (before.peak_mb, after.peak_mb, ""),
        "wrong golden answers": ("", len(wrong), not wrong),
        "errors in the log": ("", len(errors), not errors),
        "files opened and places reached elsewhere": ("", len(outside), not outside),
    }
    for line in (*wrong[:3], *errors[:3], *outside[:9]):
        print(f"{what}: {line}", file=sys.stderr)
    rows = [{"what": f"{what}: {name}", **_figures(told)} for name, told in figures.items()]
    return rows, run.seen


def _parts(run: Run, count: int, what: str) -> None:
    """All parts, one after another; the bombs first, since what they leave in memory goes with what follows."""
    run.seen.append(_bombed(run, check=True))
    for name, share in SHARES.items():
        run.part(name, count * share // 100)
        print(f"{what}: {name} done, {State.of(run.server)}", file=sys.stderr)
    run.seen.append(_documented(run, examples=max(2, count // 200)))
    print(f"{what}: schemathesis done, {State.of(run.server)}", file=sys.stderr)
    if not run.keys:
        run.seen.append(_stopped(run))


def _warm_up(run: Run, count: int) -> None:
    """What a server meets for the first time costs it memory once; these requests are not counted."""
    apart = Run(run.server, run.requests, run.keys)
    _bombed(apart, check=False)
    for name, share in SHARES.items():
        apart.part(name, count * share // sum(SHARES.values()))
    _wrong_goldens(apart)


def _documented(run: Run, *, examples: int) -> Seen:
    """Let schemathesis ask every operation of the OpenAPI document."""
    script = HERE / "fuzz_openapi.py"
    url = f"http://127.0.0.1:{run.server.port}/openapi.json"
    more = [run.keys[1].decode()] if run.keys else []
    command = [_environments.python(script), script, url, str(examples), *more]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    seen = Seen("schemathesis" + (" with keys" if run.keys else ""), told["requests"])
    for title, operations in told["failures"].items():
        seen.broken[f"{title} ({', '.join(operations)})"] = (len(operations), told["output"])
    return seen


def _stopped(run: Run) -> Seen:
    seen = Seen("connections that stop in the middle")
    _fuzz_wire.stalled(run.server.port, seen)
    return seen


def _bombed(run: Run, *, check: bool) -> Seen:
    """Send every bomb. The processor's time is taken, since the machine may have other work."""
    seen = Seen("bombs" + (" with keys" if run.keys else ""))
    client = run.client
    for bomb in _fuzz_files.bombs():
        headers = [(b"Content-Type", b"text/plain" if bomb.app == "text" else b"application/octet-stream")]
        headers += [(b"Content-Encoding", bomb.coding)] if bomb.coding else []
        headers += [(b"X-API-Key", run.keys[0])] if run.keys else []
        sent = Sent(path=b"/v1/apps/%b/predict" % bomb.app.encode(), body=bomb.body, headers=headers)
        before = processor_ms(run.server)
        reply = client.ask(sent.wire())
        worked = processor_ms(run.server) - before
        wrong = [*faults(reply), *([] if reply and 400 <= reply.status < 500 else ["a bomb is refused"])]
        if worked > BOMB_MS:
            wrong.append(f"a bomb costs at most {BOMB_MS:g} ms")
        seen.costs[bomb.what] = worked
        seen.add(f"{bomb.what}, {worked:.1f} ms".encode(), reply, wrong if check else [])
    client.close()
    return seen


def _wrong_goldens(run: Run) -> list[str]:
    """Where the answers over HTTP are not those that the apps carry."""
    found = []
    client = run.client
    for name, app in run.requests.apps.items():
        for raw, item in golden.read(app.bundle):
            body = raw.encode() if isinstance(raw, str) else raw
            headers = [(b"Content-Type", b"application/octet-stream"), *((b"X-API-Key", key) for key in run.keys[:1])]
            reply = client.ask(Sent(path=b"/v1/apps/%b/predict" % name.encode(), body=body, headers=headers).wire())
            answer = json.loads(reply.body) if reply and reply.status == 200 else None
            found += [f"{name} {item.input}: {text}" for text in _differences(app, item, answer)]
    client.close()
    return found


def _differences(app: App, item: golden.Golden, answer: Any) -> list[str]:
    return list(golden.differences(app.brief(item.answer), answer, item.tolerance))


def _each(strategy: st.SearchStrategy[Any], count: int, send: Callable[[Any], None]) -> None:
    """Make so many examples, always the same ones, and send each."""

    @seed(count)
    @settings(max_examples=max(1, count), database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(strategy)
    def sent(one: Any) -> None:
        send(one)

    sent()


def _with_headers(sent: Sent, more: Headers) -> Sent:
    return replace(sent, headers=(*sent.headers, *more))


def _key_file(folder: Path) -> Path:
    path = folder / "keys.toml"
    tables = [f'[[key]]\nname = "{key.decode()}"\nkey = "{key.decode()}"\n' for key in KEYS]
    path.write_text("".join([*tables, "admin = true\n"]), encoding="utf-8")
    return path


def _is_error(line: str) -> bool:
    return '"level":"error"' in line or "Traceback" in line or "Exception ignored" in line


def _row(seen: Seen) -> Row:
    """A part's row: its promises were kept, or which were not."""
    costs = sorted(seen.costs.items(), key=lambda one: one[1])
    slowest = f"{costs[-1][1]:.1f} ms of processor time ({costs[-1][0]})" if costs else f"{1e3 * seen.slowest:.0f} ms"
    return {
        "what": seen.what,
        "requests": seen.count,
        "statuses": ", ".join(f"{status}: {times}" for status, times in sorted(seen.statuses.items())),
        "slowest": slowest if seen.statuses else "",
        "kept": not seen.broken,
    }


def _figures(told: tuple[Any, Any, Any]) -> Row:
    return dict(zip(("before", "after", "kept"), told, strict=True))


if __name__ == "__main__":
    sys.exit(main())
