import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from lepton.core.errors import UserError
from lepton.runtime.app import load
from lepton.serve import _guard
from lepton.serve._guard import Holder, read_keys
from lepton.serve.application import application

APP = Path(__file__).parents[1] / "bundle" / "apps" / "v1" / "text-classification"
SHOP, BOSS = "shop-key-0123456789", "boss-key-0123456789"
KEYS = f"""
[[key]]
name = "shop"
key = "{SHOP}"

[[key]]
name = "boss"
sha256 = "{hashlib.sha256(BOSS.encode()).hexdigest()}"
admin = true
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    path.write_text(KEYS)
    with TestClient(application({"text": load(APP)}, folders={"text": APP}, guard=read_keys(path))) as found:
        yield found


def ask(client: TestClient, path: str = "/v1/apps/text/predict", **headers: str) -> Any:
    return client.post(path, content=b"rate", headers={"content-type": "text/plain", **headers})


@pytest.mark.parametrize("headers", [{"authorization": f"Bearer {SHOP}"}, {"x-api-key": BOSS}])
def test_a_right_key_is_let_in(client: TestClient, headers: dict[str, str]) -> None:
    assert ask(client, **headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": SHOP},
        {"authorization": f"Bearer {SHOP}x"},
        {"authorization": "Bearer "},
        {"x-api-key": ""},
    ],
)
def test_no_key_or_a_wrong_one_is_401(client: TestClient, headers: dict[str, str]) -> None:
    reply = ask(client, **headers)
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert "Bearer KEY" in reply.json()["remedy"]


@pytest.mark.parametrize("path", ["/metrics", "/v1/apps", "/v1/apps/text", "/v1/apps/nothing", "/nothing"])
def test_everything_that_tells_of_apps_asks_for_the_key(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 401
    assert client.get(path, headers={"x-api-key": SHOP}).status_code in (200, 404)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/", "/console/none.js"])
def test_health_and_the_console_do_not(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in (200, 404)


@pytest.mark.parametrize(("key", "status"), [(None, 403), (SHOP, 403), (BOSS, 200)])
def test_only_an_admin_swaps(client: TestClient, key: str | None, status: int) -> None:
    headers = {"x-api-key": key} if key else {}
    assert client.post("/v1/apps/text:swap", headers=headers).status_code == status


def test_without_keys_everybody_asks_and_nobody_swaps() -> None:
    with TestClient(application({"text": load(APP)}, folders={"text": APP})) as client:
        assert ask(client).status_code == 200
        assert client.post("/v1/apps/text:swap").status_code == 403


def test_an_admin_key_alone_leaves_the_rest_open(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(f'[[key]]\nname = "boss"\nkey = "{BOSS}"\nadmin = true\n')
    with TestClient(application({"text": load(APP)}, guard=read_keys(path))) as client:
        assert ask(client).status_code == 200


def test_a_bucket_fills_at_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(_guard.time, "monotonic", lambda: now[0])
    holder = Holder("shop", rate=2.0, burst=3.0)
    assert [holder.spend() for _ in range(3)] == [0.0] * 3
    assert holder.spend() == pytest.approx(0.5)
    now[0] += 0.5
    assert holder.spend() == 0.0
    now[0] += 1000
    assert [holder.spend() for _ in range(4)] == [0.0, 0.0, 0.0, pytest.approx(0.5)]


def test_above_its_rate_a_key_is_429(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(f'[[key]]\nname = "shop"\nkey = "{SHOP}"\nrate = 0.001\nburst = 2\n')
    with TestClient(application({"text": load(APP)}, guard=read_keys(path))) as client:
        replies = [ask(client, **{"x-api-key": SHOP}) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert int(replies[2].headers["retry-after"]) > 1


@pytest.mark.parametrize(
    "text",
    [
        "key = ",
        "",
        "[[key]]",
        '[[key]]\nname = "a"',
        '[[key]]\nname = "a"\nkey = "short"',
        f'[[key]]\nname = "a"\nkey = "{SHOP}"\nsha256 = "{"0" * 64}"',
        f'[[key]]\nname = "a"\nsha256 = "{"x" * 64}"',
        f'[[key]]\nname = "a"\nkey = "{SHOP}"\ncolour = "red"',
        f'[[key]]\nname = "a"\nkey = "{SHOP}"\nrate = "fast"',
        f'[[key]]\nname = "a"\nkey = "{SHOP}"\n[[key]]\nname = "b"\nkey = "{SHOP}"',
    ],
)
def test_a_file_of_keys_that_is_none_is_a_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(text)
    with pytest.raises(UserError, match="keys.toml"):
        read_keys(path)


def test_a_missing_file_of_keys_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none.toml"):
        read_keys(tmp_path / "none.toml")
