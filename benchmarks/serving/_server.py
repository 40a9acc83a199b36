"""A server in processes of its own: how long it takes to be ready, what memory and processor time it uses."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LEPTON = Path(sys.executable).with_name("lepton")
_PATIENCE = 90.0
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A server that runs: its first process, its port, and seconds from its start until it was ready."""

    process: "subprocess.Popen[bytes]"
    port: int
    ready_s: float

    def resident_mb(self) -> float:
        """Resident MB (10^6 bytes) of all its processes together."""
        return sum(int(_proc(pid, "statm").split()[1]) for pid in self.pids()) * _PAGE / 1e6

    def processor_s(self) -> float:
        """Seconds of processor time that all its living processes have used."""
        stats = (_proc(pid, "stat").rpartition(")")[2].split() for pid in self.pids())
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / _TICKS

    def pids(self) -> list[int]:
        """Its processes, each before those it started."""
        found = [self.process.pid]
        for pid in found:
            found += _children(pid)
        return found

    def terminate(self) -> None:
        """Send SIGTERM to the first process."""
        self.process.send_signal(signal.SIGTERM)


@contextmanager
def started(command: Sequence[str | Path], port: int, *, ready: str = "/readyz") -> Iterator[Server]:
    """Start a server and wait until it answers 200 at `ready`; end all its processes at the end.

    Raises RuntimeError, with the last words of the server, when it is not ready in a minute and a half.
    """
    with tempfile.TemporaryFile() as told:
        began = time.perf_counter()
        process = subprocess.Popen([*command], stdout=told, stderr=told, start_new_session=True)
        try:
            if not _wait(process, port, ready):
                raise RuntimeError(f"{command} is not ready: {_tail(told.fileno())}")
            yield Server(process, port, time.perf_counter() - began)
        finally:
            _end(process)


def lepton(apps: Sequence[str], port: int | str, *options: str) -> list[str | Path]:
    """The command that serves `apps` (NAME=FOLDER) with one worker and one thread a graph."""
    return [LEPTON, "serve", *apps, "--port", str(port), *options]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait(process: "subprocess.Popen[bytes]", port: int, ready: str) -> bool:
    end = time.perf_counter() + _PATIENCE
    while time.perf_counter() < end and process.poll() is None:
        if _answers(port, ready):
            return True
        time.sleep(0.005)
    return False


def _answers(port: int, ready: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", ready)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask the first process to end, then end whatever is left of its session."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    # What it started may outlive it; its session is its own, so nobody else is met.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _children(pid: int) -> list[int]:
    found = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for text in found for child in text.split()]


def _proc(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8")


def _tail(told: int) -> str:
    size = os.fstat(told).st_size
    return os.pread(told, 2000, max(0, size - 2000)).decode(errors="replace")
