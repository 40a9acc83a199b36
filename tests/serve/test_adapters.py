"""Adapters of one network, each asked by a name of its own over every protocol, and exchanged with their app."""

import asyncio
import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from lepton.bundle import golden, manifest
from lepton.core.errors import UserError
from lepton.runtime.app import App, load
from lepton.serve._engine import Ask, Engine
from lepton.serve._guard import Guard, Holder
from lepton.serve._guard import _digest as digest
from lepton.serve._limits import Limits
from lepton.serve._meters import Meters
from lepton.serve._shelf import Shelf
from lepton.serve.application import application

APP = Path(__file__).parents[1] / "bundle" / "apps" / "v2" / "text-classification"
TEXT = "where is my card"
NAMES = ["tiny", "tiny.cards", "tiny.moods"]
ADMIN = {"x-api-key": "boss-key-0123456789"}
GUARD = Guard({digest(ADMIN["x-api-key"].encode()): Holder("boss", admin=True)})


@pytest.fixture
def place(tmp_path: Path) -> Path:
    shutil.copytree(APP, tmp_path / "app")
    return tmp_path / "app"


@pytest.fixture
def client(place: Path) -> Iterator[TestClient]:
    with TestClient(application({"tiny": load(place)}, folders={"tiny": place}, guard=GUARD)) as found:
        yield found


def renamed(place: Path, names: dict[str, str]) -> None:
    """Write the app at `place` again, with copies of its adapters under other names."""
    bundle = manifest.read(APP)
    adapters = {name: bundle.manifest.adapters[old] for name, old in names.items()}
    kept = {name: bundle.path(name) for name in bundle.manifest.files if not name.startswith("golden/")}
    answered = {
        name: [(raw, item.answer) for raw, item in golden.read(bundle.adapted(old))] for name, old in names.items()
    }
    first = next(iter(adapters.values()))
    told = msgspec.structs.replace(bundle.manifest, adapters=adapters, classes=first.classes)
    manifest.write(place, told, {**kept, **golden.files_by_adapter(answered)})


def ask(client: TestClient, name: str) -> Any:
    return client.post(f"/v1/apps/{name}/predict", content=TEXT, headers={"content-type": "text/plain"})


def labels(reply: Any) -> set[str]:
    return {row["label"] for row in reply.json()}


def swap(client: TestClient, name: str = "tiny") -> Any:
    return client.post(f"/v1/apps/{name}:swap", headers=ADMIN)


def test_each_adapter_answers_by_its_own_name(client: TestClient) -> None:
    app = load(APP)
    assert [labels(ask(client, name)) for name in NAMES] == [
        {"card", "rate", "fee"},
        {"card", "rate", "fee"},
        {"glad", "cross"},
    ]
    for view in app.views:
        assert ask(client, f"tiny.{view.adapter}").json() == app.with_adapter(view.adapter).predict(TEXT)
    assert ask(client, "tiny.nobody").status_code == 404


def test_what_is_told_of_an_adapter_is_its_own(client: TestClient) -> None:
    assert [item["name"] for item in client.get("/v1/apps").json()["apps"]] == NAMES
    told = [client.get(f"/v1/apps/{name}").json() for name in NAMES]
    assert [one["adapter"] for one in told] == ["cards", "cards", "moods"]
    assert all(one["adapters"] == ["cards", "moods"] for one in told)
    assert told[2]["classes"] == ["glad", "cross"]


def test_the_open_inference_protocol_knows_each_adapter(client: TestClient) -> None:
    shapes = [client.get(f"/v2/models/{name}").json()["outputs"][0]["shape"] for name in NAMES]
    assert shapes == [[-1, 3], [-1, 3], [-1, 2]]
    tensor = {"name": "raw", "datatype": "BYTES", "shape": [1], "data": [TEXT]}
    reply = client.post("/v2/models/tiny.moods/infer", json={"inputs": [tensor]}).json()
    assert reply["model_name"] == "tiny.moods"
    assert set(reply["outputs"][0]["data"]) == {"glad", "cross"}


def test_requests_of_different_adapters_do_not_mix(client: TestClient) -> None:
    expected = {name: ask(client, name).json() for name in NAMES}
    with ThreadPoolExecutor(8) as pool:
        asked = NAMES * 20
        found = list(pool.map(lambda name: ask(client, name).json(), asked))
    for name, answer in zip(asked, found, strict=True):
        assert list(golden.differences(expected[name], answer, 1e-6)) == []


def test_a_swap_brings_new_adapters_and_takes_old_ones(client: TestClient, place: Path) -> None:
    before = ask(client, "tiny.moods").headers["x-lepton-app"]
    renamed(place, {"cards": "cards", "tempers": "moods"})
    told = swap(client, "tiny.cards").json()
    assert told["replaced"] == before != told["id"]
    assert labels(ask(client, "tiny.tempers")) == {"glad", "cross"}
    assert ask(client, "tiny.moods").status_code == 404
    assert client.get("/readyz").json()["apps"] == ["tiny", "tiny.cards", "tiny.tempers"]


def test_an_adapter_that_answers_otherwise_is_refused_with_its_app(client: TestClient, place: Path) -> None:
    path = place / "golden" / "answers.json"
    items = [item for item in json.loads(path.read_text()) if item["adapter"] == "moods"]
    items[0]["answer"][0]["score"] += 0.1
    told = manifest.read(place).manifest
    kept: dict[str, bytes | Path] = {name: (place / name).read_bytes() for name in told.files}
    manifest.write(place, told, {**kept, "golden/answers.json": json.dumps(items).encode()})
    reply = swap(client)
    assert (reply.status_code, "golden/inputs/moods/0.txt" in reply.text) == (422, True)
    assert labels(ask(client, "tiny.moods")) == {"glad", "cross"}


def test_no_request_is_lost_while_the_app_is_swapped(client: TestClient, place: Path) -> None:
    replies: list[Any] = []
    done = threading.Event()

    def keep_asking(name: str) -> None:
        while not done.is_set():
            replies.append((name, ask(client, name)))

    threads = [threading.Thread(target=keep_asking, args=(name,)) for name in NAMES[1:] * 2]
    for thread in threads:
        thread.start()
    for _ in range(10):
        renamed(place, {"moods": "moods", "cards": "cards"})
        assert swap(client).status_code == 200
    done.set()
    for thread in threads:
        thread.join()
    assert len(replies) > 20
    wanted = {"tiny.cards": {"card", "rate", "fee"}, "tiny.moods": {"glad", "cross"}}
    assert all(reply.status_code == 200 and labels(reply) == wanted[name] for name, reply in replies)


def test_two_apps_may_not_be_asked_by_one_name() -> None:
    app = load(APP)
    with pytest.raises(UserError, match="Two apps have one name"):
        Shelf({"tiny": app, "tiny.moods": app}, limits=Limits(), meters=Meters())


def test_engines_beside_one_another_share_threads_until_the_last_ends() -> None:
    app = load(APP)

    async def scene() -> list[list[Any]]:
        first = engine(app)
        first.warm([TEXT])
        other = engine(app.with_adapter("moods"), beside=first)
        asks = [Ask([TEXT], size=2**20), Ask([TEXT], size=2**20)]
        threads = threading.active_count()
        for one, own in zip((first, other), asks, strict=True):
            one.submit(own)
        await first.drained()
        found = [await own.future for own in asks]
        late = Ask([TEXT], size=2**20)
        other.submit(late)
        found.append(await late.future)
        assert threading.active_count() <= threads + 3
        await other.drained()
        assert threading.active_count() <= threads
        return found

    first, other, late = asyncio.run(scene())
    assert first == [app.predict(TEXT)]
    assert other == late == [app.with_adapter("moods").predict(TEXT)]


def engine(app: App, **more: Any) -> Engine:
    return Engine(app, limits=Limits(), meters=Meters().of("tiny"), **more)
