"""What `lepton deploy` writes, put to use in environments of its own: the image's steps, the manifests, Ray Serve.

Usage: python benchmarks/deployments/prove.py APP (default runs/digits). Environments are kept under
`benchmarks/.environments/`; Ray's takes about 500 MB.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "serving")]

import kubernetes_validate  # noqa: E402
import yaml  # noqa: E402
from _environments import ROOT as ENVIRONMENTS  # noqa: E402
from _environments import python  # noqa: E402
from _image import Image  # noqa: E402
from _server import free_port, started  # noqa: E402
from _table import keep  # noqa: E402
from kubernetes_validate.utils import all_versions  # noqa: E402

from lepton.bundle import golden  # noqa: E402
from lepton.core.types import Raw  # noqa: E402
from lepton.runtime.app import App, find, load  # noqa: E402

PORT = 8000
_PATIENCE = 60.0
TYPES = {"image": "application/octet-stream", "audio": "application/octet-stream", "text": "text/plain"}


def main() -> None:
    """Write each target's folder, put it to use, and keep what was found."""
    app = load(find(Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parents[1] / "runs" / "digits").resolve()))
    with tempfile.TemporaryDirectory() as place:
        # Another user looks inside, as in an image.
        Path(place).chmod(0o755)
        proofs: Mapping[str, Callable[[App, Path], dict[str, Any]]] = {
            "docker": _docker,
            "docker, PIP_NO_INDEX": _docker_offline,
            "kubernetes": _kubernetes,
            "kserve": _kserve,
            "ray-serve": _ray,
        }
        rows = [
            {"target": name, **proof(app, Path(place) / str(at))} for at, (name, proof) in enumerate(proofs.items())
        ]
    keep("deployments", rows, app=app.name, task=app.task, load=os.getloadavg()[1])


def _written(app: App, target: str, place: Path) -> Path:
    """The folder that `lepton deploy` writes."""
    folder = place / target
    command = [sys.executable, "-m", "lepton.cli", "deploy", app.bundle.folder, "--target", target, "-o", folder]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def _docker(app: App, place: Path) -> dict[str, Any]:
    return _run_image(app, Image(_written(app, "docker", place), place / "root"))


def _docker_offline(app: App, place: Path) -> dict[str, Any]:
    """As the folder's README has it: the wheels first, then the build without a registry."""
    folder = _written(app, "docker", place)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", "wheels"]
    subprocess.run([*command, "--requirement", "requirements.txt"], cwd=folder, check=True)
    return _run_image(app, Image(folder, place / "root", arguments={"PIP_NO_INDEX": "1"}))


def _run_image(app: App, image: Image) -> dict[str, Any]:
    began = time.perf_counter()
    image.build()
    built = time.perf_counter() - began
    size = sum(path.stat().st_size for path in image.root.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6
    _refuse_a_stranger(PORT)
    with started(image.command(), PORT) as server:
        return {
            "proved by": "its steps in a fresh environment"
            + (", as user 10001, nothing writable" if image.held else ""),
            "golden answers equal": _equal(app, PORT, f"/v1/apps/{app.name}/predict"),
            "healthy": image.healthy(),
            "torch importable": image.torch(),
            "install s": built,
            "ready s": server.ready_s,
            "resident MB": server.resident_mb(),
            "installed MB": size,
        }


def _refuse_a_stranger(port: int) -> None:
    """End where somebody listens on the image's own port already: its answers would pass for ours."""
    with socket.socket() as tried:
        if tried.connect_ex(("127.0.0.1", port)) == 0:
            sys.exit(f"Port {port} is taken; end what listens there first")


def _kubernetes(app: App, place: Path) -> dict[str, Any]:
    files = sorted(_written(app, "kubernetes", place).glob("*.yaml"))
    versions = [found for found in all_versions() if found >= "1.28"]
    for version in versions:
        for path in files:
            kubernetes_validate.validate(yaml.safe_load(path.read_text(encoding="utf-8")), version, strict=True)
    return {"proved by": f"{len(files)} files, Kubernetes' schemas {versions[0]} to {versions[-1]}, strictly"}


def _kserve(app: App, place: Path) -> dict[str, Any]:
    script = HERE / "models_kserve.py"
    files = sorted(_written(app, "kserve", place).glob("*.yaml"))
    done = subprocess.run([python(script), script, *files], check=True, capture_output=True, text=True)
    return {"proved by": f"{len(files)} files, the classes of KServe's own package: {done.stdout.strip()}"}


def _ray(app: App, place: Path) -> dict[str, Any]:
    folder = _written(app, "ray-serve", place)
    binary = _ray_environment(folder)
    config = yaml.safe_load((folder / "serve.yaml").read_text(encoding="utf-8"))
    port = free_port()
    config["http_options"] = {"host": "127.0.0.1", "port": port}
    (folder / "serve.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    path = config["applications"][0]["route_prefix"]
    with _at(folder), started([binary / "serve", "run", "serve.yaml"], port, ready="/-/healthz") as server:
        # The proxy is healthy before the first replica has the app.
        waited = _wait(app, port, path)
        return {
            "proved by": "serve run in an environment of its own",
            "golden answers equal": _equal(app, port, path),
            "ready s": server.ready_s + waited,
        }


def _wait(app: App, port: int, path: str) -> float:
    """Seconds until the first golden input is answered."""
    began = time.perf_counter()
    while True:
        with suppress(urllib.error.URLError):
            _equal(app, port, path)
            return time.perf_counter() - began
        if time.perf_counter() - began > _PATIENCE:
            raise RuntimeError("Ray Serve never answered")
        time.sleep(0.1)


def _ray_environment(folder: Path) -> Path:
    """Where `serve` lies, after the folder's requirements were installed as its README has it."""
    binary = ENVIRONMENTS / "ray" / "bin"
    if not binary.exists():
        venv.create(binary.parent, with_pip=True)
    install = [binary / "pip", "install", "--quiet", "--find-links", "wheels"]
    subprocess.run([*install, "--requirement", "requirements.txt"], cwd=folder, check=True)
    # A wheel of the same version that was installed before would be kept.
    (own,) = (folder / "wheels").iterdir()
    subprocess.run([*install, "--force-reinstall", "--no-deps", own], check=True)
    return binary


@contextmanager
def _at(folder: Path) -> Iterator[None]:
    """In the folder, with a home of its own for what Ray keeps there."""
    before, home = Path.cwd(), os.environ.get("HOME", "")
    os.chdir(folder)
    os.environ["HOME"] = str(folder)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ["HOME"] = home


def _equal(app: App, port: int, path: str) -> str:
    """How many golden inputs get the answer that `lepton predict` gives."""
    inputs = [raw for raw, _ in golden.read(app.bundle)]
    url = f"http://127.0.0.1:{port}{path}"
    found = [_post(url, raw, TYPES[app.modality]) == app.brief(app.predict(raw)) for raw in inputs]
    return f"{sum(found)} of {len(found)}"


def _post(url: str, raw: Raw, kind: str) -> Any:
    body = raw.encode() if isinstance(raw, str) else raw
    # No proxy of the machine's stands before a server on it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, body, {"Content-Type": kind}), timeout=60) as reply:
        return json.load(reply)


if __name__ == "__main__":
    main()
