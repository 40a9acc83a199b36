"""Redis Streams against a real server, which the tests start; without a `redis-server` they are skipped."""

import json
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lepton.core.errors import BadInput, UserError
from lepton.streams import redis as plugin
from lepton.streams._flow import Item

SERVER = shutil.which("redis-server")
APP = Path(__file__).parents[1] / "bundle" / "apps" / "v1" / "text-classification"
real = pytest.mark.skipif(SERVER is None, reason="there is no redis-server: apt-get install redis-server")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of a server of its own, emptied for each test by `client`."""
    from redis import Redis

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("redis")
    options = ["--port", str(port), "--dir", str(folder), "--save", "", "--requirepass", "geheim"]
    with subprocess.Popen([str(SERVER), *options], stdout=subprocess.DEVNULL) as process:
        found = Redis("127.0.0.1", port, password="geheim")
        found.ping()
        yield found
        found.close()
        process.terminate()


@pytest.fixture
def client(server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    server.flushall()
    monkeypatch.setenv("REDISCLI_AUTH", "geheim")
    return server


def where(client: Any, stream: str) -> str:
    return f"//127.0.0.1:{client.get_connection_kwargs()['port']}/{stream}"


def opened(client: Any, **more: Any) -> Any:
    return plugin.source(where(client, "in"), "text", **more)


def waiting(client: Any) -> int:
    return int(client.xpending("in", "lepton")["pending"])


@real
def test_entries_are_taken_from_the_first_on_and_acknowledged_when_done(client: Any) -> None:
    first = client.xadd("in", {"input": "rate"})
    client.xadd("in", {"input": b"\x00\xff", "id": "mine"})
    source = opened(client)
    items = source.take()
    assert [(item.id, item.raw) for item in items] == [(first.decode(), b"rate"), ("mine", b"\x00\xff")]
    assert waiting(client) == 2
    source.done(items[0])
    assert waiting(client) == 1
    assert source.take() == []
    source.close()


@real
def test_two_consumers_share_a_stream(client: Any) -> None:
    for number in range(20):
        client.xadd("in", {"input": str(number)})
    pair = [opened(client, consumer=name) for name in ("one", "two")]
    found = [item.raw for source in pair for item in source.take()]
    assert sorted(found, key=int) == [str(number).encode() for number in range(20)]
    for source in pair:
        source.close()


@real
def test_what_one_consumer_left_another_claims_after_a_while(client: Any) -> None:
    client.xadd("in", {"input": "rate"})
    lost = opened(client, consumer="lost")
    assert len(lost.take()) == 1
    lost.close()
    early = opened(client, consumer="early", idle=100)
    assert early.take() == []
    early.close()
    time.sleep(0.06)
    late = opened(client, consumer="late", idle=0.05)
    (item,) = late.take()
    assert item.raw == b"rate"
    late.done(item)
    assert waiting(client) == 0
    late.close()


@real
def test_what_is_never_answered_is_given_up(client: Any) -> None:
    client.xadd("in", {"input": "rate"})
    source = opened(client, idle=0.01, tries=2)
    items: list[Item] = []
    while not items or not isinstance(items[-1].raw, BadInput):
        items += source.take()
        time.sleep(0.02)
    assert [item.raw for item in items[:-1]] == [b"rate", b"rate"]
    source.bury(items[-1], str(items[-1].raw))
    ((_, fields),) = client.xrange("in:dead")
    assert fields[b"input"] == b"rate"
    assert b"2 times" in fields[b"error"]
    assert waiting(client) == 0
    source.close()


@real
def test_an_entry_without_an_input_is_bad(client: Any) -> None:
    client.xadd("in", {"text": "rate"})
    source = opened(client)
    (item,) = source.take()
    assert isinstance(item.raw, BadInput)
    assert item.raw.received == "text"
    source.close()
    other = opened(client, field="text", group="other")
    assert [item.raw for item in other.take()] == [b"rate"]
    other.close()


@real
def test_answers_are_entries_and_their_number_is_bounded(client: Any) -> None:
    sink = plugin.sink(where(client, "out"), maxlen=5)
    for number in range(1000):
        sink.write(str(number), {"answer": [{"label": "Zoë"}]} if number % 2 else {"error": "odd"})
    sink.close()
    entries = [fields for _, fields in client.xrange("out")]
    assert len(entries) < 300
    assert entries[-1][b"id"] == b"999"
    assert json.loads(entries[-1][b"answer"]) == [{"label": "Zoë"}]
    assert entries[-2] == {b"id": b"998", b"error": b"odd"}


@real
def test_a_key_of_another_type_is_told(client: Any) -> None:
    client.set("in", "x")
    with pytest.raises(UserError, match="WRONGTYPE"):
        opened(client)


@real
def test_a_wrong_password_is_told(client: Any) -> None:
    with pytest.raises(UserError, match="refuses the password"):
        plugin.source(where(client, "in").replace("//", "//:wrong@"), "text")


def test_a_server_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "_TRIES", 0)
    with pytest.raises(UserError, match=r"127.0.0.1:1 does not answer"):
        plugin.source("//127.0.0.1:1/in", "text")


@pytest.mark.parametrize("place", ["//host", "/in", "//host/", "//host:x/in", "//:6379/in"])
def test_a_place_of_another_form_is_told(place: str) -> None:
    with pytest.raises(UserError, match="redis://HOST:PORT/STREAM"):
        plugin.sink(place)


def consumer(client: Any) -> subprocess.Popen[bytes]:
    """A process that has begun to listen."""
    command = [sys.executable, "-m", "lepton.cli.__main__", "stream", str(APP)]
    ends = ["--from", f"redis:{where(client, 'in')}?idle=0.3", "--to", f"redis:{where(client, 'out')}"]
    process = subprocess.Popen([*command, *ends], stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert b"answers what comes" in process.stderr.readline()
    return process


def answered(client: Any, count: int) -> list[str]:
    """Ids of answers, once so many different ones are there and all are acknowledged."""
    end = time.monotonic() + 40
    found: list[str] = []
    while time.monotonic() < end:
        found = [fields[b"id"].decode() for _, fields in client.xrange("out")]
        if len(set(found)) >= count and not waiting(client):
            break
        time.sleep(0.05)
    return found


@real
def test_a_consumer_killed_between_answer_and_acknowledgement_loses_nothing(
    client: Any, die: Callable[..., None]
) -> None:
    for number in range(5):
        client.xadd("in", {"input": f"rate {number}", "id": str(number)})
    die("redis", 2, "--from", f"redis:{where(client, 'in')}", "--to", f"redis:{where(client, 'out')}")
    assert answered_so_far(client) == ["0", "1", "2"]
    process = consumer(client)
    found = answered(client, 5)
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert sorted(found) == ["0", "1", "2", "2", "3", "4"]


def answered_so_far(client: Any) -> list[str]:
    return [fields[b"id"].decode() for _, fields in client.xrange("out")]


@real
def test_consumers_killed_at_any_moment_lose_nothing(client: Any) -> None:
    dice = random.Random(0)
    total = 0
    for _ in range(3):
        process = consumer(client)
        end = time.monotonic() + dice.uniform(0.1, 0.6)
        while time.monotonic() < end:
            client.xadd("in", {"input": f"rate {total}", "id": str(total)})
            total += 1
            time.sleep(0.005)
        process.kill()
        process.communicate(timeout=20)
    last = consumer(client)
    found = answered(client, total)
    last.terminate()
    last.communicate(timeout=20)
    assert last.returncode == 0
    assert set(found) == {str(number) for number in range(total)}


@real
def test_what_cannot_be_read_goes_to_the_stream_of_the_dead(client: Any) -> None:
    client.xadd("in", {"input": b"\xff\xfe", "id": "bad"})
    process = consumer(client)
    end = time.monotonic() + 20
    while not client.xlen("in:dead") and time.monotonic() < end:
        time.sleep(0.05)
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0
    ((_, fields),) = client.xrange("in:dead")
    assert fields[b"input"] == b"\xff\xfe"
    assert b"UTF-8" in fields[b"error"]
    assert client.xrange("out")[0][1][b"error"] == fields[b"error"]
    assert waiting(client) == 0


def test_items_know_their_entry() -> None:
    assert plugin._item(b"1-0", {b"id": b"mine"}, b"x") == Item("mine", b"x", (b"1-0", {b"id": b"mine"}))
