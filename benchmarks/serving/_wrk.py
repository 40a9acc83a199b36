"""Load from wrk: one thread, so many connections, the same request again and again on each.

It is a package of Debian and Ubuntu: `apt-get install wrk`.
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from _asks import Ask
from _server import Server

_SCRIPT = """
local file = io.open({body}, "rb")
wrk.method = "POST"
wrk.path = {path}
wrk.body = file:read("*a")
file:close()
{headers}

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "errors": %d}}\\n',
    summary.requests - errors.status, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.timeout + errors.status))
end
"""


@dataclass(frozen=True)
class Load:
    """What wrk saw: requests a second that were answered with a 2xx, latencies, and how many were not.

    `client_ms` and `server_ms` are milliseconds of processor time for each request, of wrk and of all processes of
    the server.
    """

    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    client_ms: float
    server_ms: float


def load(server: Server, ask: Ask, *, connections: int, seconds: int) -> Load:
    """Ask the server for so many seconds over `connections` connections."""
    with tempfile.TemporaryDirectory() as name:
        script = _script(Path(name), ask)
        command = [binary(), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s"]
        url = f"http://127.0.0.1:{server.port}"
        before = _used(), server.processor_s()
        done = subprocess.run([*command, "-s", script, url], check=True, capture_output=True, text=True)
        client, served = _used() - before[0], server.processor_s() - before[1]
    told = json.loads(done.stdout.splitlines()[-1])
    count = max(1, told["requests"])
    return Load(
        per_second=told["requests"] / told["seconds"],
        p50_ms=told["p50_ms"],
        p99_ms=told["p99_ms"],
        errors=told["errors"],
        client_ms=client * 1e3 / count,
        server_ms=served * 1e3 / count,
    )


def binary() -> str:
    """Where wrk is; ends the program, saying what to install, where it is not."""
    found = shutil.which("wrk")
    if found is None:
        sys.exit("wrk is not installed; on Debian and Ubuntu: apt-get install wrk")
    return found


def _script(folder: Path, ask: Ask) -> Path:
    body = folder / "body"
    body.write_bytes(ask.body)
    headers = "\n".join(f"wrk.headers[{_quoted(name)}] = {_quoted(value)}" for name, value in ask.headers.items())
    path = folder / "ask.lua"
    text = _SCRIPT.format(body=_quoted(str(body)), path=_quoted(ask.path), headers=headers)
    path.write_text(text, encoding="utf-8")
    return path


def _quoted(text: str) -> str:
    return json.dumps(text)


def _used() -> float:
    """Processor seconds of all children that have ended; servers live on, so between two looks it is wrk alone."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime
