"""Who is measured: Lepton and rivals with the same app, each with the requests that it knows."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import _asks
import _server
import numpy as np
from _asks import Ask
from _environments import head, python
from _server import Server

from lepton.runtime.app import load

LEPTON, BARE = "Lepton", "bare loop"
BARE_SCRIPT = Path(__file__).with_name("rival_bare.py")
_PORT = "PORT"


@dataclass(frozen=True)
class Contender:
    """A server to be measured: its command, its readiness route, and what it is asked."""

    title: str
    command: Sequence[str | Path]
    ready: str
    asks: Mapping[str, Ask]

    def start(self) -> AbstractContextManager[Server]:
        """Start it on a free port."""
        port = _server.free_port()
        command = [str(port) if part == _PORT else part for part in self.command]
        return _server.started(command, port, ready=self.ready)


@dataclass(frozen=True)
class Sample:
    """An app, the job that rivals get, the input that is sent in every form, and the right answer to it."""

    app: Path
    job: Path
    picture: bytes
    pixels: np.ndarray
    expected: tuple[str, float]

    @classmethod
    def of(cls, place: Path, picture: bytes) -> "Sample":
        """Ask the app at `place` about a picture, and write the job beside it."""
        app = load(place)
        first = app.predict(picture)[0]
        job = place.with_name(f"{place.name}-job")
        job.mkdir()
        (job / "model.onnx").write_bytes((place / "model.onnx").read_bytes())
        (job / "job.json").write_text(json.dumps({"classes": app.manifest.classes}), encoding="utf-8")
        return cls(place, job, picture, app.encode(picture)["image"][None], (first["label"], first["score"]))

    def lepton(self) -> Contender:
        """Lepton with the app, under the name of its folder."""
        name = self.app.name
        asks = {
            _asks.NUMBERS: _asks.numbers(f"/v2/models/{name}/infer", self.pixels),
            _asks.PNG: _asks.png(f"/v1/apps/{name}/predict", self.picture),
            _asks.BINARY: _asks.binary(f"/v2/models/{name}/infer", self.pixels),
        }
        return Contender(LEPTON, _server.lepton([f"{name}={self.app}"], _PORT), "/readyz", asks)

    def rival(self, script: Path) -> Contender:
        """The rival of `script`, asked what its head says that it knows."""
        told = head(script)["tool"]["serving"]
        try:
            interpreter = python(script)
        except subprocess.CalledProcessError as error:
            sys.exit(f"There is no environment for {script.name}: {error.stderr}")
        command = [interpreter, script, self.job, _PORT]
        return Contender(told["title"], command, told["ready"], dict(self._requests(told)))

    def _requests(self, told: Mapping[str, str]) -> Iterable[tuple[str, Ask]]:
        if "numbers" in told:
            yield _asks.NUMBERS, _asks.numbers(told["numbers"], self.pixels)
        if "form" in told:
            yield _asks.PNG, _asks.form(told["png"], self.picture, name=told["form"])
        elif "png" in told:
            yield _asks.PNG, _asks.png(told["png"], self.picture)
        if "binary" in told:
            yield _asks.BINARY, _asks.binary(told["binary"], self.pixels)
