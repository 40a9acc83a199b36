"""Other people's clients of the Open Inference Protocol, unchanged, against `lepton serve`.

Usage: python benchmarks/serving/clients.py

A client is a file `client_NAME.py` beside this one, which says in its head what it needs and runs in an environment of
its own: tritonclient over HTTP and gRPC, with the gRPC health check, and MLServer's codecs, messages and `mlserver
infer`. Each makes its own calls, and a row tells whether what came back is what was to come: for answers, the labels
and the very bits of the scores that `App.predict` gives. It ends with 1 where a call failed.
"""

import base64
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import _server  # noqa: E402
import msgspec  # noqa: E402
import numpy as np  # noqa: E402
from _environments import head, python  # noqa: E402
from _table import keep  # noqa: E402

from lepton.bundle.manifest import Graph, write  # noqa: E402
from lepton.core.types import Raw  # noqa: E402
from lepton.runtime import batches  # noqa: E402
from lepton.runtime.app import App, load  # noqa: E402
from lepton.runtime.samples import samples  # noqa: E402

APPS = HERE.parents[1] / "tests" / "bundle" / "apps" / "v1"
SERVED = {"image": "image-classification", "text": "text-classification", "audio": "audio-classification"}
_PATIENCE = 120


def main() -> None:
    """Let every client make its calls, and keep the table."""
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job.json"
        apps = {name: _packaged(APPS / task, Path(folder) / name) for name, task in SERVED.items()}
        job.write_text(json.dumps([_case(name, app) for name, app in apps.items()]), encoding="utf-8")
        rows = [row for script in sorted(HERE.glob("client_*.py")) for row in _rows(script, job)]
    keep("clients", rows)
    if not all(row["right"] for row in rows):
        sys.exit("A client did not get what was to come")


def _packaged(kept: Path, folder: Path) -> App:
    """A kept app in `folder`, packaged for this machine: batched only where company changes no bit."""
    app = load(kept)
    graphs = {"model": Graph(file="model.onnx", batchable=batches.exact(app, samples(app)[0][:2]))}
    files: dict[str, bytes | Path] = {name: app.bundle.path(name) for name in app.manifest.files}
    write(folder, msgspec.structs.replace(app.manifest, graphs=graphs), files)
    return load(folder)


def _case(name: str, app: App) -> dict[str, Any]:
    """Inputs for an app, raw and encoded, and the answers to them."""
    raws = samples(app)[0][:2]
    answers = app.predict(raws)
    return {
        "app": name,
        "raws": [base64.b64encode(_bytes(raw)).decode() for raw in raws],
        "text": app.modality == "text",
        "encoded": {tensor.name: _array(app, raws[0], tensor.name) for tensor in app.manifest.inputs},
        "labels": [[item["label"] for item in answer] for answer in answers],
        "scores": [[item["score"].hex() for item in answer] for answer in answers],
    }


def _bytes(raw: Raw) -> bytes:
    return raw.encode() if isinstance(raw, str) else raw


def _array(app: App, raw: Raw, name: str) -> dict[str, Any]:
    array = np.ascontiguousarray(app.encode(raw)[name][None])
    return {"dtype": array.dtype.name, "shape": array.shape, "bytes": base64.b64encode(array.tobytes()).decode()}


def _rows(script: Path, job: Path) -> Iterable[dict[str, Any]]:
    """The calls of one client, each against a server that was started for it."""
    title = head(script)["tool"]["serving"]["title"]
    http, grpc = _server.free_port(), _server.free_port()
    options = [f"{name}={job.with_name(name)}" for name in SERVED]
    with _server.started(_server.lepton(options, http, "--grpc-port", str(grpc)), http):
        command = [python(script), script, job, str(http), str(grpc)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    if done.returncode:
        sys.exit(f"{script.name} ended with {done.returncode}: {done.stderr[-3000:]}")
    for row in json.loads(done.stdout):
        yield {"client": title, **row}


if __name__ == "__main__":
    main()
