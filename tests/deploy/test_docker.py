"""The Dockerfile is parsed and its steps are followed; what differs from Docker is that the base install is at hand."""

import http.client
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from dockerfile_parse import DockerfileParser
from packaging.requirements import Requirement

from lepton.bundle.manifest import Bundle
from lepton.core.errors import UserError
from lepton.deploy import docker
from lepton.deploy._deployment import write

HADOLINT = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def folder(image_app: Bundle, tmp_path: Path) -> Path:
    write(tmp_path / "image", docker.deploy(image_app))
    return tmp_path / "image"


def steps(folder: Path) -> list[tuple[str, str]]:
    parser = DockerfileParser(str(folder / "Dockerfile"))
    return [(step["instruction"], step["value"]) for step in parser.structure if step["instruction"] != "COMMENT"]


def last(folder: Path, instruction: str) -> str:
    return [value for name, value in steps(folder) if name == instruction][-1]


def test_the_image_is_slim_and_held_in(folder: Path) -> None:
    assert last(folder, "FROM") == f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
    user = last(folder, "USER").split(":")
    assert len(user) == 2
    assert all(part.isdigit() and int(part) >= 1000 for part in user), "a cluster cannot tell whether a name is root"
    assert last(folder, "STOPSIGNAL") == "SIGTERM"
    assert last(folder, "EXPOSE") == "8000"
    assert not {"curl", "apt-get", "ADD"} & set((folder / "Dockerfile").read_text().split())


def test_what_is_copied_is_there_and_not_ignored(folder: Path) -> None:
    ignored, *kept = (folder / ".dockerignore").read_text().split()
    assert ignored == "*"
    sources = [value.split()[0] for name, value in steps(folder) if name == "COPY"]
    assert {f"!{source}" for source in sources} == set(kept)
    assert all((folder / source).exists() for source in sources)


@pytest.mark.skipif(HADOLINT is None, reason="hadolint has no wheel for this platform")
def test_hadolint_has_nothing_to_say(folder: Path) -> None:
    done = subprocess.run([str(HADOLINT), str(folder / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_commands_are_those_of_the_readme_and_name_the_image(image_app: Bundle) -> None:
    made = docker.deploy(image_app, image="team/digits:2")
    build, start = made.commands
    assert build == "docker build --tag team/digits:2 ."
    assert start.startswith("docker run ")
    assert start.endswith(" team/digits:2")
    readme = bytes(made.files["README.md"]).decode()  # type: ignore[arg-type]
    assert all(f"\n{command}\n" in readme for command in made.commands)
    with pytest.raises(UserError, match="names no image"):
        docker.deploy(image_app, image="Team/Digits")


def test_threads_of_the_contract_are_served_with(changed: Callable[..., Bundle]) -> None:
    made = docker.deploy(changed(contract={"asked": {"latency": {"p95_ms": 5.0, "threads": 3}}}))
    command = json.loads(bytes(made.files["Dockerfile"]).decode().rsplit("CMD ", 1)[1])  # type: ignore[arg-type]
    assert command[-2:] == ["--threads", "3"]


def test_what_was_measured_is_told_with_its_machine(changed: Callable[..., Bundle]) -> None:
    measured = {"measured": {"p50_ms": 0.5, "p95_ms": 0.75}}
    made = docker.deploy(changed(contract=measured, machine={"processor": "A processor"}))
    readme = bytes(made.files["README.md"]).decode()  # type: ignore[arg-type]
    assert "On A processor an answer took 0.5 ms at the median and 0.75 ms" in readme
    assert "2,000 a second" in readme


@pytest.fixture
def image(folder: Path, tmp_path: Path) -> Path:
    """The file system that the steps leave: `/srv` as they fill it, and `site` for what pip installs."""
    place = tmp_path / "root"
    for name, value in steps(folder):
        if name == "WORKDIR":
            place = tmp_path / "root" / value.lstrip("/")
            place.mkdir(parents=True)
        elif name == "COPY":
            source, target = value.split()
            (shutil.copytree if (folder / source).is_dir() else shutil.copy)(folder / source, place / target)
        elif name == "RUN":
            install(shlex.split(value), place, site=tmp_path / "root" / "site")
    return tmp_path / "root"


def install(command: list[str], place: Path, *, site: Path) -> None:
    """pip's part: the pins are what is installed here, so only Lepton's own wheel is left to install."""
    assert command[:4] == ["python", "-m", "pip", "install"]
    assert command[4:] == ["--find-links", "wheels", "--requirement", "requirements.txt"]
    *pins, own = (place / "requirements.txt").read_text().splitlines()
    for pin in map(Requirement, pins):
        assert str(pin.specifier) == f"=={version(pin.name)}"
    quick = ["--no-index", "--no-deps", "--no-compile", "--quiet", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", *quick, own], cwd=place, check=True)


@pytest.fixture
def port(image: Path, folder: Path, without_torch: list[str]) -> Iterator[int]:
    """The server as ENTRYPOINT and CMD start it, but on a free port; torch is unimportable, and Lepton the wheel's."""
    entry, command = (json.loads(last(folder, name)) for name in ("ENTRYPOINT", "CMD"))
    assert entry == ["lepton"]
    given = [str(image / word.lstrip("/")) if word.startswith("/") else word for word in command]
    given[given.index("--port") + 1] = "0"
    process = subprocess.Popen(
        [*without_torch, *given], env=environment(image), cwd=image, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        yield int(process.stderr.readline().split("http://0.0.0.0:")[1].split()[0])
    finally:
        process.send_signal(getattr(signal, last(folder, "STOPSIGNAL")))
        process.communicate(timeout=30)
    assert process.returncode in (0, -signal.SIGTERM)


def environment(image: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(image / "site")}


def ask(port: int, path: str, body: bytes | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST" if body else "GET", path, body, {"Content-Type": "image/png"} if body else {})
    reply = connection.getresponse()
    found = json.loads(reply.read())
    connection.close()
    return reply.status, found


def healthy(folder: Path, port: int) -> bool:
    """What Docker asks, at the port that is served here."""
    check = json.loads(last(folder, "HEALTHCHECK").split("CMD ", 1)[1])
    command = [sys.executable, *(word.replace("8000", str(port)) for word in check[1:])]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_the_steps_leave_a_server_that_answers(folder: Path, image: Path, port: int) -> None:
    where = subprocess.run(
        [sys.executable, "-c", "import lepton; print(lepton.__file__)"],
        env=environment(image),
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(image), "the wheel's Lepton is the one that runs"
    until = time.monotonic() + 20
    while not healthy(folder, port):
        assert time.monotonic() < until, "HEALTHCHECK never found it ready"
    golden = json.loads((image / "srv/app/golden/answers.json").read_text())[0]
    picture = (image / "srv/app" / golden["input"]).read_bytes()
    status, answer = ask(port, "/v1/apps/tiny-image-classification/predict", picture)
    assert (status, answer[0]["label"]) == (200, golden["answer"][0]["label"])
    assert not healthy(folder, 1), "where nothing listens it is not healthy"
