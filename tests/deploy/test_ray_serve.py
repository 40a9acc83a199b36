"""The service without Ray, and, where Ray is installed, the written folder run by `serve run`."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from starlette.requests import Request
from starlette.responses import Response

from lepton.bundle import golden, manifest
from lepton.bundle.manifest import Bundle
from lepton.core.errors import UserError
from lepton.deploy import _service, ray_serve
from lepton.deploy._deployment import write
from lepton.runtime.app import load

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"


def asked(service: _service.Service, body: bytes) -> Response:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return asyncio.run(service(Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)))


@pytest.mark.parametrize("app", sorted(path.name for path in APPS.iterdir()))
def test_a_replica_gives_the_answers_of_the_app(app: str) -> None:
    bundle = manifest.read(APPS / app)
    loaded, service = load(bundle.folder), _service.Service(str(bundle.folder))
    inputs = [raw for raw, _ in golden.read(bundle)]
    assert len(inputs) >= 2
    for raw in inputs:
        reply = asked(service, raw.encode() if isinstance(raw, str) else raw)
        assert reply.status_code == 200
        assert json.loads(bytes(reply.body)) == loaded.brief(loaded.predict(raw)) == service.predict(raw)


def test_what_cannot_be_answered_is_a_problem_with_its_reason(image_app: Bundle) -> None:
    service = _service.Service(str(image_app.folder))
    for body, reason in {b"": "The input is empty", b"no picture": "cannot be decoded"}.items():
        reply = asked(service, body)
        assert (reply.status_code, reply.media_type) == (422, "application/problem+json")
        assert reason in json.loads(bytes(reply.body))["detail"]


def test_the_config_names_what_the_module_has(image_app: Bundle, tmp_path: Path) -> None:
    write(tmp_path / "ray", ray_serve.deploy(image_app, replicas=2, max_replicas=5))
    config = yaml.safe_load((tmp_path / "ray" / "serve.yaml").read_text())
    (application,) = config["applications"]
    module, builder = application["import_path"].split(":")
    names: dict[str, Any] = {"__file__": str(tmp_path / "ray" / f"{module}.py")}
    exec(compile((tmp_path / "ray" / f"{module}.py").read_text(), module, "exec"), names)
    (replica,) = application["deployments"]
    assert callable(names[builder])
    assert replica["name"] == names["Service"].__name__
    assert tmp_path / "ray" / "app" == names["FOLDER"]
    assert replica["autoscaling_config"] == {"min_replicas": 2, "max_replicas": 5}
    assert application["route_prefix"] == "/v1/apps/tiny-image-classification/predict"


def test_the_requirements_end_with_lepton_and_its_extra(image_app: Bundle) -> None:
    made = ray_serve.deploy(image_app)
    lines = bytes(made.files["requirements.txt"]).decode().splitlines()  # type: ignore[arg-type]
    assert lines[-1].endswith(".whl[ray]")
    assert lines[-1].removeprefix("./").removesuffix("[ray]") in made.files
    assert any(line.startswith("ray") for line in lines)


def test_bounds_that_cross_are_refused(image_app: Bundle) -> None:
    with pytest.raises(UserError, match="11 and 10"):
        ray_serve.deploy(image_app, replicas=11)


@pytest.fixture
def served(image_app: Bundle, tmp_path: Path) -> Iterator[str]:
    """`serve run` on the folder as it was written, but for the port; gives the URL to ask."""
    folder = tmp_path / "ray"
    write(folder, ray_serve.deploy(image_app, max_replicas=1))
    config = yaml.safe_load((folder / "serve.yaml").read_text())
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    config["http_options"] = {"host": "127.0.0.1", "port": port}
    (folder / "serve.yaml").write_text(yaml.safe_dump(config))
    home = {"HOME": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0"}
    command = [str(Path(sys.executable).parent / "serve"), "run", "serve.yaml"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **home}, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield f"http://127.0.0.1:{port}{config['applications'][0]['route_prefix']}"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


def post(url: str, body: bytes) -> tuple[int, Any]:
    with httpx.Client(trust_env=False, timeout=20) as client:
        reply = client.post(url, content=body)
        return reply.status_code, reply.json()


def wait(url: str, body: bytes, log: Path) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            if post(url, body)[0] == 200:
                return
        except (httpx.TransportError, ValueError):
            pass
        time.sleep(0.5)
    raise AssertionError(f"Ray Serve never answered: {log.read_text()[-3000:]}")


@pytest.mark.skipif(find_spec("ray") is None, reason='Ray is not installed: pip install "lepton-transfer[ray]"')
def test_ray_serves_the_same_answers(image_app: Bundle, served: str, tmp_path: Path) -> None:
    loaded = load(image_app.folder)
    inputs = [raw for raw, _ in golden.read(image_app) if isinstance(raw, bytes)]
    wait(served, inputs[0], tmp_path / "log")
    for raw in inputs:
        assert post(served, raw) == (200, loaded.brief(loaded.predict(raw)))
    status, problem = post(served, b"no picture")
    assert (status, problem["status"]) == (422, 422)
