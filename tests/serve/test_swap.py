"""Exchanging an app while it answers."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from lepton.bundle import manifest
from lepton.runtime.app import load
from lepton.serve._bell import Bell
from lepton.serve._guard import Guard, Holder
from lepton.serve._guard import _digest as digest
from lepton.serve.application import application

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
ADMIN = {"x-api-key": "boss-key-0123456789"}
GUARD = Guard({digest(ADMIN["x-api-key"].encode()): Holder("boss", admin=True)})


def made(folder: Path, classes: tuple[str, ...], *, task: str = "text-classification") -> Path:
    """The tiny app with other names for its classes, and golden answers that fit unless they are told not to."""
    bundle = manifest.read(APPS / task)
    names = dict(zip(bundle.manifest.classes, classes, strict=True))
    files: dict[str, bytes | Path] = {name: bundle.path(name) for name in bundle.manifest.files}
    answers = json.loads(bundle.path("golden/answers.json").read_bytes())
    for item in answers:
        for row in item["answer"]:
            row["label"] = names[row["label"]]
    files["golden/answers.json"] = json.dumps(answers).encode()
    manifest.write(folder, msgspec.structs.replace(bundle.manifest, classes=classes), files)
    return folder


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """Two versions of an app, and the link that tells which is served."""
    found = {name: made(tmp_path / name, tuple(f"{name}-{i}" for i in range(3))) for name in ("one", "two")}
    found["link"] = tmp_path / "served"
    found["link"].symlink_to(found["one"])
    return found


@pytest.fixture
def client(places: dict[str, Path]) -> Iterator[TestClient]:
    link = places["link"]
    with TestClient(application({"text": load(link)}, folders={"text": link}, guard=GUARD)) as found:
        yield found


def point(link: Path, target: Path) -> None:
    new = link.with_name("new")
    new.symlink_to(target)
    new.replace(link)


def ask(client: TestClient) -> Any:
    return client.post("/v1/apps/text/predict", content=b"rate", headers={"content-type": "text/plain"})


def swap(client: TestClient) -> Any:
    return client.post("/v1/apps/text:swap", headers=ADMIN)


def version(reply: Any) -> str:
    return str(reply.json()[0]["label"]).partition("-")[0]


def test_the_new_app_answers_after_the_swap(client: TestClient, places: dict[str, Path]) -> None:
    before = ask(client)
    point(places["link"], places["two"])
    told = swap(client).json()
    after = ask(client)
    assert (version(before), version(after)) == ("one", "two")
    assert told == {"name": "text", "id": after.headers["x-lepton-app"], "replaced": before.headers["x-lepton-app"]}
    assert client.get("/v1/apps/text").json()["classes"][0] == "two-0"


@pytest.mark.parametrize("fault", ["gone", "changed", "answers otherwise", "another task", "torn"])
def test_a_bad_app_is_refused_and_the_old_one_goes_on(
    client: TestClient, places: dict[str, Path], tmp_path: Path, fault: str
) -> None:
    bad = places["two"]
    if fault == "gone":
        shutil.rmtree(bad)
    if fault == "changed":
        (bad / "model.onnx").write_bytes((bad / "model.onnx").read_bytes() + b"x")
    if fault == "torn":
        (bad / "manifest.json").write_bytes((bad / "manifest.json").read_bytes()[:200])
    if fault == "another task":
        bad = APPS / "token-classification"
    if fault == "answers otherwise":
        bundle = manifest.read(bad)
        files: dict[str, bytes | Path] = {name: bundle.path(name) for name in bundle.manifest.files}
        files["golden/answers.json"] = files["golden/answers.json"].read_bytes().replace(b"two-", b"six-")  # type: ignore[union-attr]
        bad = manifest.write(tmp_path / "liar", bundle.manifest, files).folder
    point(places["link"], bad)
    reply = swap(client)
    assert reply.status_code == 422
    assert len(reply.json()["detail"]) > 10
    assert version(ask(client)) == "one"


def test_no_request_is_lost_or_answered_by_the_wrong_app(client: TestClient, places: dict[str, Path]) -> None:
    ids = {load(places[name]).bundle.id: name for name in ("one", "two")}
    replies: list[Any] = []
    done = threading.Event()

    def keep_asking() -> None:
        while not done.is_set():
            replies.append(ask(client))

    threads = [threading.Thread(target=keep_asking) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(20):
        point(places["link"], places["two" if turn % 2 == 0 else "one"])
        assert swap(client).status_code == 200
    done.set()
    for thread in threads:
        thread.join()
    assert len(replies) > 20
    assert {reply.status_code for reply in replies} == {200}
    assert all(version(reply) == ids[reply.headers["x-lepton-app"]] for reply in replies)
    assert {version(reply) for reply in replies} == {"one", "two"}


def test_a_watched_folder_is_swapped_by_itself_and_a_bad_one_refused(places: dict[str, Path]) -> None:
    link = places["link"]
    with TestClient(application({"text": load(link)}, folders={"text": link}, watched=0.05)) as client:
        point(link, places["two"])
        assert _within(5, lambda: version(ask(client)) == "two")
        (places["two"] / "model.onnx").write_bytes(b"torn")
        time.sleep(0.3)
        assert version(ask(client)) == "two"
        point(link, places["one"])
        assert _within(5, lambda: version(ask(client)) == "one")


def test_a_swap_here_rings_for_the_other_workers(places: dict[str, Path], tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    link = places["link"]
    here, there = (
        TestClient(application({"text": load(link)}, folders={"text": link}, guard=GUARD, bell=Bell(shared)))
        for _ in range(2)
    )
    with here, there:
        point(link, places["two"])
        assert swap(here).status_code == 200
        assert _within(5, lambda: version(ask(there)) == "two")


def test_a_bell_is_heard_once_by_each_of_the_others(tmp_path: Path) -> None:
    one, two = Bell(tmp_path), Bell(tmp_path)
    assert not two.rings("a")
    one.ring("a")
    assert [two.rings("a"), two.rings("a"), one.rings("a")] == [True, False, False]
    time.sleep(0.01)
    two.ring("a")
    assert one.rings("a")


def test_an_app_without_a_folder_cannot_be_swapped() -> None:
    with TestClient(application({"text": load(APPS / "text-classification")}, guard=GUARD)) as client:
        assert swap(client).status_code == 422


def _within(seconds: float, holds: Any) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False
