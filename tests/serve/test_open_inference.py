import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from starlette.testclient import TestClient

from lepton.core.types import Raw
from lepton.runtime.app import App
from lepton.serve import _engine
from lepton.serve._limits import Limits
from lepton.serve._tensors import datatype, packed
from lepton.serve.application import application

LIMITS = Limits(body=50_000, inputs=20)
EVERY = ("image", "audio", "text", "entities", "static", "dynamic")
LENGTH = "inference-header-content-length"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def client(every_app: dict[str, App]) -> Iterator[TestClient]:
    with TestClient(application(every_app, limits=LIMITS), raise_server_exceptions=False) as found:
        yield found


def coded(raw: Raw) -> str:
    return raw if isinstance(raw, str) else base64.b64encode(raw).decode()


def of_raws(raws: Sequence[Raw], *, binary: bool) -> tuple[Json, bytes]:
    told: Json = {"name": "raw", "datatype": "BYTES", "shape": [len(raws)]}
    data = packed(raws)
    if binary:
        return {**told, "parameters": {"binary_data_size": len(data)}}, data
    return {**told, "data": [coded(raw) for raw in raws]}, b""


def of_array(name: str, array: np.ndarray, *, binary: bool) -> tuple[Json, bytes]:
    told: Json = {"name": name, "datatype": datatype(array.dtype.name), "shape": list(array.shape)}
    if binary:
        return {**told, "parameters": {"binary_data_size": array.nbytes}}, array.tobytes()
    return {**told, "data": array.ravel().tolist()}, b""


def encoded(app: App, raws: Sequence[Raw], metadata: Json) -> dict[str, np.ndarray]:
    """The arrays of inputs, which have one shape, as the model's metadata ask for them."""
    rows = [app.encode(raw) for raw in raws]
    names = [tensor["name"] for tensor in metadata["inputs"] if tensor["name"] != "raw"]
    return {name: np.stack([row[name] for row in rows]) for name in names}


def request(inputs: Sequence[tuple[Json, bytes]], **more: Any) -> tuple[bytes, dict[str, str]]:
    """The body and the headers that ask for tensors."""
    head = json.dumps({"inputs": [told for told, _ in inputs], **more}).encode()
    rest = b"".join(data for _, data in inputs)
    return head + rest, {LENGTH: str(len(head))} if rest else {}


def tensors(reply: Any) -> dict[str, np.ndarray]:
    """The outputs of a reply as the protocol says to read them."""
    assert reply.status_code == 200, reply.text
    length = int(reply.headers.get(LENGTH, len(reply.content)))
    head, place, found = json.loads(reply.content[:length]), length, {}
    assert reply.headers["content-type"] == f"application/{'json' if length == len(reply.content) else 'octet-stream'}"
    for output in head["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        part = reply.content[place : place + (size or 0)]
        place += size or 0
        found[output["name"]] = read(output, part).reshape(output["shape"])
    assert place == len(reply.content)
    return found


def read(output: Json, data: bytes) -> np.ndarray:
    if "data" in output:
        return np.array(output["data"], object if output["datatype"] == "BYTES" else np.float64)
    if output["datatype"] == "FP64":
        return np.frombuffer(data, "<f8")
    items = []
    while data:
        length = int.from_bytes(data[:4], "little")
        items.append(data[4 : 4 + length].decode())
        data = data[4 + length :]
    return np.array(items, object)


def answers(found: Mapping[str, np.ndarray]) -> list[Any]:
    """Full answers in the shape of `App.predict`."""
    if "answer" in found:
        return [json.loads(text) for text in found["answer"]]
    rows = zip(found["label"].tolist(), found["score"].tolist(), strict=True)
    return [[{"label": label, "score": score} for label, score in zip(*row, strict=True)] for row in rows]


def ask(client: TestClient, app: str, inputs: Sequence[tuple[Json, bytes]], **more: Any) -> Any:
    body, headers = request(inputs, **more)
    return client.post(f"/v2/models/{app}/infer", content=body, headers=headers)


def problem(reply: Any, status: int = 400) -> Json:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    found: Json = reply.json()
    assert found["status"] == status
    assert found["error"].startswith(found["detail"][:40])
    return found


def wordless(answer: Any) -> Any:
    """An answer without what only the raw text tells."""
    return [{name: value for name, value in item.items() if name != "word"} for item in answer]


def routes(app: App, raws: Sequence[Raw], metadata: Json) -> dict[str, tuple[bytes, dict[str, str]]]:
    """A request for the same inputs in every form."""
    arrays = encoded(app, raws, metadata)
    found = {}
    for kind in (False, True):
        wanted = {"parameters": {"binary_data_output": kind}}
        found[f"raw, {kind}"] = request([of_raws(raws, binary=kind)], **wanted)
        parts = [of_array(name, array, binary=kind) for name, array in arrays.items()]
        found[f"encoded, {kind}"] = request(parts, **wanted)
    return found


@asynccontextmanager
async def open_client(apps: dict[str, App]) -> AsyncIterator[httpx.AsyncClient]:
    """A client on the running event loop, so that its requests meet in one turn of it."""
    transport = httpx.ASGITransport(application(apps, limits=LIMITS))
    async with httpx.AsyncClient(transport=transport, base_url="http://x", timeout=60) as found:
        yield found


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("name", EVERY)
def test_every_form_gives_the_very_bits_of_predict_alone_and_in_company(
    every_app: dict[str, App], raws: dict[str, list[Raw]], name: str, quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_engine, "_QUICK", 1.0 if quick else 0.0)
    app = every_app[name]
    companions = [request([of_raws([raw], binary=True)]) for raw in (raws[name] * 16)[:16]]

    async def compare() -> int:
        checked = 0
        async with open_client({name: app}) as client:
            told = (await client.get(f"/v2/models/{name}")).json()

            async def sent(body: bytes, headers: dict[str, str]) -> Any:
                return await client.post(f"/v2/models/{name}/infer", content=body, headers=headers)

            for raw in raws[name][:3]:
                expected = app.predict(raw)
                forms = routes(app, [raw], told)
                alone = [await sent(*one) for one in forms.values()]
                together = await asyncio.gather(*(sent(*one) for one in [*companions, *forms.values()]))
                for form, reply in zip([*forms] * 2, [*alone, *together[16:]], strict=True):
                    right = wordless(expected) if form.startswith("encoded") and name == "entities" else expected
                    assert answers(tensors(reply)) == [right], form
                    checked += 1
        return checked

    assert asyncio.run(compare()) >= 16


@pytest.mark.parametrize("name", EVERY)
def test_several_inputs_of_one_request_are_answered_in_their_order(
    client: TestClient, every_app: dict[str, App], raws: dict[str, list[Raw]], name: str
) -> None:
    found = answers(tensors(ask(client, name, [of_raws(raws[name], binary=False)])))
    assert found == every_app[name].predict(raws[name])
    assert len(found) > 1


def test_rows_of_encoded_tensors_are_inputs(client: TestClient, every_app: dict[str, App], raws: Any) -> None:
    arrays = encoded(every_app["image"], raws["image"], client.get("/v2/models/image").json())
    found = tensors(ask(client, "image", [of_array("image", arrays["image"], binary=True)]))
    assert answers(found) == every_app["image"].predict(raws["image"])


def test_a_dynamic_graph_would_answer_otherwise_in_company(every_app: dict[str, App], raws: Any) -> None:
    app = every_app["dynamic"]
    rows = [app.encode(raw) for raw in raws["dynamic"]]
    together = app.run(app.collate(rows))["logits"]
    alone = np.concatenate([app.run(app.collate([row]))["logits"] for row in rows])
    assert not np.array_equal(together, alone), "the app would prove nothing"
    assert not app.batchable


def test_what_is_served_is_told(client: TestClient) -> None:
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data", "model_configuration", "statistics"]
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert [one["name"] for one in client.post("/v2/repository/index", content=b"").json()] == [*EVERY]
    for path in ("/v2/models/text", "/v2/models/text/versions/1"):
        assert client.get(f"{path}/ready").json() == {"name": "text", "ready": True}
        told = client.get(path).json()
        assert told["versions"] == ["1"]
        assert [(one["name"], one["datatype"], one["shape"]) for one in told["inputs"]] == [
            ("raw", "BYTES", [-1]),
            ("input_ids", "INT64", [-1, -1]),
            ("attention_mask", "INT64", [-1, -1]),
        ]
        assert told["outputs"] == [
            {"name": "label", "datatype": "BYTES", "shape": [-1, 3]},
            {"name": "score", "datatype": "FP64", "shape": [-1, 3]},
        ]
        config = client.get(f"{path}/config").json()
        assert config["input"][1] == {
            "name": "input_ids",
            "data_type": "TYPE_INT64",
            "dims": [-1, -1],
            "optional": True,
        }


def test_a_task_that_reads_more_than_its_graph_takes_that_as_well(client: TestClient) -> None:
    told = client.get("/v2/models/entities").json()
    assert [one["name"] for one in told["inputs"]] == ["raw", "input_ids", "attention_mask", "offsets"]
    assert told["inputs"][3]["shape"] == [-1, -1, 2]
    assert [one["name"] for one in told["outputs"]] == ["answer"]


def test_the_id_comes_back_and_the_app_is_named(client: TestClient, every_app: dict[str, App]) -> None:
    reply = ask(client, "text", [of_raws(["rate"], binary=False)], id="ünique")
    assert reply.json()["id"] == "ünique"
    assert reply.json()["model_name"] == "text"
    assert reply.json()["model_version"] == "1"
    assert reply.headers["x-lepton-app"] == every_app["text"].bundle.id
    assert "id" not in ask(client, "text", [of_raws(["rate"], binary=False)]).json()


def test_a_version_is_asked_by_its_path(client: TestClient) -> None:
    body, _ = request([of_raws(["rate"], binary=False)])
    assert client.post("/v2/models/text/versions/1/infer", content=body).status_code == 200
    assert "version" in problem(client.post("/v2/models/text/versions/2/infer", content=body), 404)["detail"]
    assert "version" in problem(client.get("/v2/models/text/versions/2"), 404)["detail"]


def test_outputs_are_chosen_with_the_form_of_each(client: TestClient) -> None:
    inputs = [of_raws(["rate"], binary=False)]
    wanted = [{"name": "score", "parameters": {"binary_data": True}}, {"name": "label"}]
    reply = ask(client, "text", inputs, outputs=wanted)
    assert list(tensors(reply)) == ["score", "label"]
    head = json.loads(reply.content[: int(reply.headers[LENGTH])])
    assert head["outputs"][0]["parameters"] == {"binary_data_size": 24}
    assert "data" in head["outputs"][1]
    plain = [{"name": "score", "parameters": {"binary_data": False}}]
    reply = ask(client, "text", inputs, outputs=plain, parameters={"binary_data_output": True})
    assert list(reply.json()["outputs"][0]) == ["name", "datatype", "shape", "data"]
    for odd in ([{"name": "nope"}], [{"name": "label"}, {"name": "label"}]):
        assert "label, score" in problem(ask(client, "text", inputs, outputs=odd))["rule"]


def test_parameters_and_members_that_are_not_known_are_left_alone(client: TestClient) -> None:
    told, _ = of_raws(["rate"], binary=False)
    told["parameters"] = {"content_type": "str", "headers": {"a": [1, None]}}
    more = {"parameters": {"priority": 7, "sequence_id": "x"}, "outputs": None, "id": None, "timeout": 3}
    assert ask(client, "text", [(told, b"")], **more).status_code == 200


def test_a_column_of_strings_and_lists_in_lists_are_taken(client: TestClient, raws: Any) -> None:
    told = {"name": "raw", "datatype": "BYTES", "shape": [2, 1], "data": [["rate"], ["my card"]]}
    assert tensors(ask(client, "text", [(told, b"")]))["label"].shape == (2, 3)
    flat = ask(client, "image", [of_array("image", np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8), binary=False)])
    nested = {"name": "image", "datatype": "UINT8", "shape": [1, 1, 8, 8]}
    nested["data"] = np.arange(64).reshape(1, 1, 8, 8).tolist()  # type: ignore[assignment]
    assert ask(client, "image", [(nested, b"")]).content == flat.content


def test_an_unknown_model_is_a_problem_that_lists_the_known(client: TestClient) -> None:
    for reply in (client.get("/v2/models/none"), client.post("/v2/models/none/infer", content=b"{}")):
        assert problem(reply, 404)["known"] == [*EVERY]
    problem(client.get("/v2/nothing"), 404)
    problem(client.get("/v2/models/text/infer"), 405)


PIXELS: Json = {"name": "image", "datatype": "UINT8", "shape": [1, 1, 8, 8], "data": [0] * 64}
TEXT: Json = {"name": "raw", "datatype": "BYTES", "shape": [1], "data": ["rate"]}
IDS: Json = {"name": "input_ids", "datatype": "INT64", "shape": [1, 2], "data": [1, 2]}
MASK: Json = {"name": "attention_mask", "datatype": "INT64", "shape": [1, 2], "data": [1, 1]}
SOUND: Json = {"name": "features", "datatype": "FP32", "shape": [1, 23, 8], "data": [0.0] * 184}


def without(told: Json, name: str) -> Json:
    return {key: value for key, value in told.items() if key != name}


MALFORMED: dict[str, tuple[str, Any, int]] = {
    "no JSON": ("text", b"{", 400),
    "a number that is none": ("audio", json.dumps({"inputs": [{**SOUND, "data": [float("nan")] * 184}]}).encode(), 400),
    "a number too large": ("audio", json.dumps({"inputs": [{**SOUND, "data": [1e39] * 184}]}).encode(), 400),
    "a number of thousands of digits": ("image", b'{"inputs":[' + b"9" * 9000 + b"]}", 400),
    "nested without end": ("image", b'{"inputs":' + b"[" * 20_000, 400),
    "data nested without end": (
        "image",
        b'{"inputs":[{"name":"image","datatype":"UINT8","shape":[1],"data":' + b"[" * 500 + b"]" * 500 + b"}]}",
        400,
    ),
    "not UTF-8": ("text", b'{"inputs": "\xff"}', 400),
    "null": ("text", None, 400),
    "a list": ("text", [], 400),
    "no inputs": ("text", {}, 400),
    "inputs that are an object": ("text", {"inputs": {}}, 400),
    "an empty list of inputs": ("text", {"inputs": []}, 400),
    "an input that is none": ("text", {"inputs": [None]}, 400),
    "an input without a name": ("text", {"inputs": [without(TEXT, "name")]}, 400),
    "an input without a shape": ("text", {"inputs": [without(TEXT, "shape")]}, 400),
    "an input without a datatype": ("text", {"inputs": [without(TEXT, "datatype")]}, 400),
    "an input without data": ("text", {"inputs": [without(TEXT, "data")]}, 400),
    "an id that is a number": ("text", {"inputs": [TEXT], "id": 1}, 400),
    "an unknown input": ("text", {"inputs": [{**TEXT, "name": "nope"}]}, 400),
    "an input too many": ("text", {"inputs": [TEXT, IDS, MASK]}, 400),
    "an input twice": ("text", {"inputs": [TEXT, TEXT]}, 400),
    "an input too few": ("text", {"inputs": [IDS]}, 400),
    "another datatype": ("image", {"inputs": [{**PIXELS, "datatype": "INT64"}]}, 400),
    "a datatype that is none": ("image", {"inputs": [{**PIXELS, "datatype": "BF16"}]}, 400),
    "a raw that is no BYTES": ("text", {"inputs": [{**TEXT, "datatype": "FP32", "data": [1]}]}, 400),
    "a raw of numbers": ("text", {"inputs": [{**TEXT, "data": [1]}]}, 400),
    "a raw that is too few": ("text", {"inputs": [{**TEXT, "shape": [2]}]}, 400),
    "a raw of none": ("text", {"inputs": [{**TEXT, "shape": [0], "data": []}]}, 400),
    "a raw without a shape": ("text", {"inputs": [{**TEXT, "shape": []}]}, 400),
    "a raw in a square": ("text", {"inputs": [{**TEXT, "shape": [2, 2], "data": ["a"] * 4}]}, 400),
    "raws too many": ("text", {"inputs": [{**TEXT, "shape": [21], "data": ["a"] * 21}]}, 413),
    "rows too many": ("image", {"inputs": [{**PIXELS, "shape": [21, 1, 8, 8], "data": [0] * 64 * 21}]}, 413),
    "no batch axis": ("image", {"inputs": [{**PIXELS, "shape": [1, 8, 8]}]}, 400),
    "a side too long": ("image", {"inputs": [{**PIXELS, "shape": [1, 1, 8, 9], "data": [0] * 72}]}, 400),
    "an axis too many": ("image", {"inputs": [{**PIXELS, "shape": [1, 1, 1, 8, 8]}]}, 400),
    "a shape below zero": ("image", {"inputs": [{**PIXELS, "shape": [-1, 1, 8, 8]}]}, 400),
    "a shape beyond all": ("image", {"inputs": [{**PIXELS, "shape": [2**62, 1, 8, 8]}]}, 413),
    "a shape of words": ("image", {"inputs": [{**PIXELS, "shape": ["1", 1, 8, 8]}]}, 400),
    "pixels too few": ("image", {"inputs": [{**PIXELS, "data": [0] * 63}]}, 400),
    "a pixel too bright": ("image", {"inputs": [{**PIXELS, "data": [256] * 64}]}, 400),
    "a pixel that is true": ("image", {"inputs": [{**PIXELS, "data": [True] * 64}]}, 400),
    "a pixel that is a fraction": ("image", {"inputs": [{**PIXELS, "data": [0.5] * 64}]}, 400),
    "a pixel that is null": ("image", {"inputs": [{**PIXELS, "data": [None] * 64}]}, 400),
    "a pixel that is a text": ("image", {"inputs": [{**PIXELS, "data": ["0"] * 64}]}, 400),
    "rows of unequal lengths": ("image", {"inputs": [{**PIXELS, "data": [[[[0] * 9, *[[0] * 8] * 6, [0] * 7]]]}]}, 400),
    "different batch axes": ("text", {"inputs": [IDS, {**MASK, "shape": [2, 1]}]}, 400),
    "a text longer than any": (
        "text",
        {"inputs": [{**one, "shape": [1, 25], "data": [1] * 25} for one in (IDS, MASK)]},
        400,
    ),
    "a text of no token": ("text", {"inputs": [{**one, "shape": [1, 0], "data": []} for one in (IDS, MASK)]}, 400),
    "a sound longer than any": ("audio", {"inputs": [{**SOUND, "shape": [1, 500, 8], "data": [0.0] * 4000}]}, 400),
    "an id that no token has": ("text", {"inputs": [{**IDS, "data": [1, 10**6]}, MASK]}, 422),
    "a mask of another length": ("text", {"inputs": [IDS, {**MASK, "shape": [1, 3], "data": [1, 1, 1]}]}, 422),
    "a text of which nothing is seen": ("text", {"inputs": [IDS, {**MASK, "data": [0, 0]}]}, 422),
    "an empty text": ("text", {"inputs": [{**TEXT, "data": [""]}]}, 422),
    "an image that is none": ("image", {"inputs": [{**TEXT, "data": [base64.b64encode(b"words").decode()]}]}, 422),
    "an image that is not base64": ("image", {"inputs": [{**TEXT, "data": ["*?*"]}]}, 422),
}


@pytest.mark.parametrize("case", MALFORMED)
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_a_malformed_request_gets_a_problem(client: TestClient, case: str) -> None:
    app, sent, status = MALFORMED[case]
    body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    found = problem(client.post(f"/v2/models/{app}/infer", content=body), status)
    assert 10 < len(found["detail"]) < 600
    assert ask(client, "text", [of_raws(["rate"], binary=False)]).status_code == 200


def test_a_missing_batch_axis_is_said(client: TestClient) -> None:
    found = problem(ask(client, "image", [({**PIXELS, "shape": [1, 8, 8]}, b"")]))
    assert "batch axis" in found["detail"]
    assert found["remedy"] == "Send the shape [1, 1, 8, 8]"


def test_every_input_without_an_answer_is_named(client: TestClient) -> None:
    found = problem(ask(client, "text", [of_raws(["rate", "", "my card", " "], binary=False)]), 422)
    assert [error["index"] for error in found["errors"]] == [1, 3]


HEAD = json.dumps({"inputs": [{**without(PIXELS, "data"), "parameters": {"binary_data_size": 64}}]}).encode()
WRONG_BYTES: dict[str, tuple[bytes, str | None]] = {
    "bytes too few": (HEAD + bytes(63), str(len(HEAD))),
    "bytes too many": (HEAD + bytes(65), str(len(HEAD))),
    "no bytes": (HEAD, str(len(HEAD))),
    "no length": (HEAD + bytes(64), None),
    "a length of nothing": (HEAD + bytes(64), "0"),
    "a length below zero": (HEAD + bytes(64), "-5"),
    "a length that is a word": (HEAD + bytes(64), "five"),
    "a length beyond the body": (HEAD + bytes(64), "99999999999999999999999999"),
    "a length too short": (HEAD + bytes(64), str(len(HEAD) - 1)),
    "a size below zero": (HEAD.replace(b": 64", b": -1") + bytes(64), str(len(HEAD))),
    "a size that is a word": (HEAD.replace(b": 64", b': "4"') + bytes(64), str(len(HEAD) + 1)),
    "data and bytes": (HEAD.replace(b'"name"', b'"data": [1], "name"') + bytes(64), str(len(HEAD) + 13)),
}


@pytest.mark.parametrize("case", WRONG_BYTES)
def test_bytes_that_do_not_fit_get_a_problem(client: TestClient, case: str) -> None:
    body, length = WRONG_BYTES[case]
    problem(client.post("/v2/models/image/infer", content=body, headers={LENGTH: length} if length else {}))
    right = client.post("/v2/models/image/infer", content=HEAD + bytes(64), headers={LENGTH: str(len(HEAD))})
    assert right.status_code == 200


def test_a_packed_body_and_one_above_the_limit_are_refused(client: TestClient) -> None:
    body, _ = request([of_raws(["rate"], binary=False)])
    problem(client.post("/v2/models/text/infer", content=body, headers={"content-encoding": "gzip"}), 415)
    problem(client.post("/v2/models/text/infer", content=b" " * (LIMITS.body + 1)), 413)
    problem(client.post("/v2/models/text/infer", content=b""), 400)


def test_one_request_that_the_graph_refuses_takes_no_other_with_it(
    every_app: dict[str, App], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_engine, "_QUICK", 1.0)
    good, _ = request([(IDS, b""), (MASK, b"")])
    bad, _ = request([({**IDS, "data": [1, 10**6]}, b""), (MASK, b"")])

    async def statuses() -> list[int]:
        async with open_client({"text": every_app["text"]}) as client:
            asks = (client.post("/v2/models/text/infer", content=body) for body in [good, bad] * 4)
            return [reply.status_code for reply in await asyncio.gather(*asks)]

    assert asyncio.run(statuses()) == [200, 422] * 4


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
TENSORS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["raw", "image", "nope"]) | JUNK,
        "datatype": st.sampled_from(["BYTES", "UINT8", "FP32"]) | JUNK,
        "shape": st.lists(st.integers(-2, 9), max_size=4) | JUNK,
        "data": JUNK,
    },
    optional={"parameters": st.fixed_dictionaries({"binary_data_size": JUNK}) | JUNK},
)
BODIES = (
    st.binary(max_size=60)
    | JUNK.map(lambda value: msgspec.json.encode(value))
    | st.lists(TENSORS, max_size=2).map(lambda found: msgspec.json.encode({"inputs": found}))
)


@given(BODIES, st.none() | st.integers(-1, 100))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_makes_the_server_fail(client: TestClient, body: bytes, length: int | None) -> None:
    headers = {} if length is None else {LENGTH: str(length)}
    assert client.post("/v2/models/image/infer", content=body, headers=headers).status_code in (200, 400, 413, 422)


def test_the_openapi_document_is_one_and_tells_these_routes(client: TestClient) -> None:
    found = client.get("/openapi.json").json()
    validate(found)
    infer = found["paths"]["/v2/models/{name}/infer"]["post"]
    assert {"application/json", "application/octet-stream"} == infer["requestBody"]["content"].keys()
    assert found["paths"]["/v2/models/{name}"]["get"]["parameters"][0]["schema"]["enum"] == [*EVERY]


def test_answers_are_counted(every_app: dict[str, App]) -> None:
    with TestClient(application({"text": every_app["text"]})) as client:
        ask(client, "text", [of_raws(["rate"], binary=False)])
        text = client.get("/metrics").text
        problem(ask(client, "text", [of_raws([""], binary=False)]), 422)
        stats = client.get("/v2/models/text/stats").json()["model_stats"]
        assert client.get("/v2/models/stats").json()["model_stats"] == stats
    told = stats[0]["inference_stats"]
    assert (stats[0]["name"], told["success"]["count"], told["fail"]["count"]) == ("text", 1, 1)
    assert told["success"]["ns"] > 0
    assert stats[0]["inference_count"] >= stats[0]["execution_count"] >= 1
    assert 'lepton_requests_total{app="text",status="200"} 1.0' in text
    assert 'lepton_answers_total{app="text",label="beta"} 1.0' in text
