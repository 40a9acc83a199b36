"""Requests that hypothesis makes: valid ones with something changed, and some that never were valid."""

import base64
import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import _fuzz_files
import numpy as np
from _fuzz import Headers, Sent
from hypothesis import strategies as st

from lepton.runtime.app import App, load
from lepton.runtime.samples import samples

Changes = Sequence[tuple[str, float, bytes]]
"""Of each change its name, its place as a fraction of the length, and a few bytes."""

APPS = Path(__file__).parents[2] / "tests" / "bundle" / "apps" / "v1"
TASKS = {
    "image": "image-classification",
    "text": "text-classification",
    "entities": "token-classification",
    "audio": "audio-classification",
}
_TYPES = [b"application/octet-stream", b"application/json", b"text/plain", b"image/png", b"audio/wav"]
_ODD_TYPES = [
    b"text/plain; charset=utf-16",
    b"text/plain; charset=latin-1",
    b"text/plain; charset=cp037",
    b"text/plain; charset=utf-7",
    b"text/plain; charset=../../../etc/passwd",
    b"text/plain; charset=punycode",
    b"image/../../etc",
    b"multipart/form-data; boundary=x",
    b"",
]
_NUMBERS = [0, 1, -1, 127, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64, -(2**63), 10**30, 1e308, 1e-320]
_NO_NUMBERS = [float("nan"), float("inf"), -float("inf")]
_TOKENS = [
    "raw", "image", "input_ids", "attention_mask", "offsets", "features", "label", "score", "BYTES", "BOOL", "UINT8",
    "INT64", "FP16", "FP32", "FP64", "BF16", "inputs", "data", "shape", "binary_data_size", "binary_data",
    "", "\0", "\ud800", "\ufeff", "\u202e", "../../../etc/passwd", "file:///etc/passwd", "{0.__class__}", "%s%n",
    "💥" * 50,
]  # fmt: skip
_DEEP = [
    b"[" * 50_000,
    b'{"inputs":' * 20_000,
    b'{"inputs": ' + b"1" * 50_000 + b"}",
    b'"' + b"\\u0000" * 20_000 + b'"',
]


class Requests:
    """What requests are made of: the apps' own inputs, and `secret`, a file that no request may open."""

    def __init__(self, secret: Path) -> None:
        self.apps = {name: load(APPS / task) for name, task in TASKS.items()}
        self.golden = {name: samples(app)[0] for name, app in self.apps.items()}
        self.paths = [str(secret), f"file://{secret}", "../" * 9 + str(secret)[1:], "/etc/passwd", "/proc/self/environ"]

    def files(self) -> st.SearchStrategy[Sent]:
        """Pictures and recordings with changed bytes, as they are or in JSON."""
        files = [("image", data) for data in (*_fuzz_files.pictures(), *self._bytes("image"))]
        files += [("audio", data) for data in (*_fuzz_files.recordings(), *self._bytes("audio"))]
        return st.builds(_file, st.sampled_from(files), some_changes(), st.sampled_from(_FORMS))

    def texts(self) -> st.SearchStrategy[Sent]:
        """Texts in all charsets and in none."""
        own = [text.encode() for name in ("text", "entities") for text in map(str, self.golden[name])]
        plain = st.one_of(st.text(max_size=300), st.sampled_from(self.paths)).map(_encoded)
        bodies = st.one_of(plain, st.binary(max_size=300), st.builds(changed, st.sampled_from(own), some_changes()))
        kinds = st.one_of(st.just(b"text/plain"), st.sampled_from(_ODD_TYPES), _charsets())
        return st.builds(_of_kind, st.sampled_from(["text", "entities"]), bodies, kinds)

    def forms(self) -> st.SearchStrategy[Sent]:
        """JSON for predict that is nearly right, wrong or no JSON."""
        texts = st.one_of(st.text(max_size=50), st.sampled_from([*_TOKENS, *self.paths]))
        right = st.fixed_dictionaries({"inputs": st.one_of(texts, st.lists(texts, max_size=6))}).map(_json)
        broken = st.builds(changed, right, some_changes())
        bodies = st.one_of(right, broken, _values(self.paths).map(_json), st.sampled_from(_DEEP))
        return st.builds(_of_kind, st.sampled_from(list(TASKS)), bodies, st.just(b"application/json"))

    def tensors(self) -> st.SearchStrategy[Sent]:
        """Requests of the Open Inference Protocol in JSON, of which some member is another."""
        valid = [(name, asked) for name in TASKS for asked in self._tensors(name)]
        return st.builds(
            _changed_tensors,
            st.sampled_from(valid),
            place=st.integers(0),
            value=st.one_of(_values(self.paths), st.integers(-3, 300), st.floats(-10, 10)),
            changes=some_changes(),
        )

    def binary(self) -> st.SearchStrategy[Sent]:
        """Requests of the Open Inference Protocol with bytes behind the JSON: lengths, types and bytes are wrong."""
        valid = [(name, *packed) for name in TASKS for packed in self._packed(name)]
        wrong = st.one_of(st.just(0), st.integers(-9, 9), st.sampled_from([10**6, -(10**6), 10**25]))
        return st.builds(_changed_binary, st.sampled_from(valid), wrong=wrong, told=_lengths(), changes=some_changes())

    def places(self) -> st.SearchStrategy[Sent]:
        """Every route and none, by every method, with headers of every kind."""
        known = [b"/", b"/healthz", b"/readyz", b"/metrics", b"/openapi.json", b"/v1/apps", b"/v2", b"/console/x.js"]
        known += [b"/v2/health/live", b"/v2/health/ready", b"/v2/repository/index"]
        known += [path % name.encode() for name in TASKS for path in _OF_APPS]
        odd = st.builds(changed, st.sampled_from(known), some_changes()).map(_printable)
        away = st.sampled_from(self.paths).map(lambda path: b"/console/" + path.replace("/", "%2f").encode())
        paths = st.one_of(st.sampled_from(known), odd, away)
        methods = st.sampled_from([b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE"])
        return st.builds(_at, paths, methods, headers=_headers(), body=st.binary(max_size=40))

    def _bytes(self, name: str) -> Iterator[bytes]:
        return (raw for raw in self.golden[name] if isinstance(raw, bytes))

    def _tensors(self, name: str) -> Iterator[dict[str, Any]]:
        """Valid requests: the raw inputs, and the encoded ones."""
        raws = [raw if isinstance(raw, str) else base64.b64encode(raw).decode() for raw in self.golden[name]]
        yield {"inputs": [{"name": "raw", "datatype": "BYTES", "shape": [len(raws)], "data": raws}]}
        arrays = self._arrays(name)
        yield {"inputs": [{**_told(key, value), "data": value.ravel().tolist()} for key, value in arrays.items()]}

    def _packed(self, name: str) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Valid requests with their tensors in bytes."""
        raws = [raw.encode() if isinstance(raw, str) else raw for raw in self.golden[name]]
        items = b"".join(struct.pack("<I", len(raw)) + raw for raw in raws)
        size = {"parameters": {"binary_data_size": len(items)}}
        yield {"inputs": [{"name": "raw", "datatype": "BYTES", "shape": [len(raws)], **size}]}, items
        arrays = self._arrays(name)
        sized = [{**_told(k, v), "parameters": {"binary_data_size": v.nbytes}} for k, v in arrays.items()]
        yield (
            {"inputs": sized, "parameters": {"binary_data_output": True}},
            b"".join(v.tobytes() for v in arrays.values()),
        )

    def _arrays(self, name: str) -> dict[str, np.ndarray]:
        found = self.apps[name].encode(self.golden[name][0])
        return {key: value[None] for key, value in found.items() if key in _wanted(self.apps[name])}


_OF_APPS = (
    b"/v1/apps/%b", b"/v1/apps/%b/predict", b"/v1/apps/%b:swap", b"/v1/apps/%b/stream", b"/v2/models/%b",
    b"/v2/models/%b/ready", b"/v2/models/%b/config", b"/v2/models/%b/infer", b"/v2/models/%b/versions/1",
    b"/v2/models/%b/versions/7/infer",
)  # fmt: skip
_FORMS = ("as it is", "of no type", "base64", "a list of base64")


def changed(data: bytes, changes: Changes) -> bytes:
    """Some bytes after each change, of which there may be none."""
    for name, where, value in changes:
        data = _CHANGES[name](data, int(where**3 * len(data)), value)
    return data


_CHANGES: Mapping[str, Callable[[bytes, int, bytes], bytes]] = {
    "overwrite": lambda data, place, value: data[:place] + value + data[place + len(value) :],
    "insert": lambda data, place, value: data[:place] + value + data[place:],
    "delete": lambda data, place, value: data[:place] + data[place + len(value) :],
    "cut": lambda data, place, value: data[: len(data) - place],
    "repeat": lambda data, place, value: data[:place] + data[place : place + 64] * (value[0] % 40) + data[place:],
    "fill": lambda data, place, value: data[:place] + b"\xff" * len(value) + data[place + len(value) :],
}


def some_changes() -> st.SearchStrategy[list[tuple[str, float, bytes]]]:
    """Up to six changes, more of them near the start than near the end."""
    one = st.tuples(
        st.sampled_from(list(_CHANGES)), st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)
    )
    return st.lists(one, max_size=6)


def _values(paths: Sequence[str]) -> st.SearchStrategy[Any]:
    """Values of JSON, and some that are none."""
    leaves = st.one_of(
        st.none(), st.booleans(), st.sampled_from([*_NUMBERS, *_NO_NUMBERS]), st.integers(),
        st.text(max_size=20), st.sampled_from([*_TOKENS, *paths]),
    )  # fmt: skip
    keys = st.one_of(st.sampled_from(_TOKENS), st.text(max_size=5))
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=4))


def _headers() -> st.SearchStrategy[list[tuple[bytes, bytes]]]:
    names = [
        b"X-Request-Id", b"Authorization", b"X-API-Key", b"Inference-Header-Content-Length", b"Content-Type", b"Accept",
        b"Content-Encoding", b"Range", b"Cookie", b"Expect", b"X-Forwarded-For", b"X-Forwarded-Proto", b"Origin", b"TE",
        b"If-None-Match", b"Via", b"traceparent", b"Upgrade-Insecure-Requests",
    ]  # fmt: skip
    values = st.one_of(
        st.binary(max_size=60).map(lambda value: value.translate(None, b"\r\n")),
        st.text(max_size=30).map(lambda value: value.encode(errors="replace").translate(None, b"\r\n")),
        st.sampled_from([b"Bearer ", b"Basic " + b"=" * 500, b"9" * 5000, b"-1", b"1e3", b"a" * 9000, b"gzip", b"*/*"]),
    )
    return st.lists(st.tuples(st.sampled_from(names), values), max_size=3)


def _charsets() -> st.SearchStrategy[bytes]:
    names = st.from_regex(r"(utf|latin|cp|windows|iso|koi8|gb|euc|big|x)[-_a-z0-9]{0,12}", fullmatch=True)
    return names.map(lambda name: f"text/plain; charset={name}".encode())


def _lengths() -> st.SearchStrategy[bytes | None]:
    odd = [b"", b"-1", b"0", b"1", b"1e3", b"0x10", b"0" * 19 + b"1" + b"0" * 5000, b"9" * 5000, b"\xb2", b"+5", b" 5"]
    return st.one_of(st.none(), st.sampled_from(odd))


def _file(file: tuple[str, bytes], changes: Changes, form: str) -> Sent:
    name, data = file[0], changed(file[1], changes)
    if form in ("as it is", "of no type"):
        return _of_kind(name, data, f"{name}/*".encode() if form == "as it is" else b"application/octet-stream")
    coded = base64.b64encode(data).decode()
    return _of_kind(name, _json({"inputs": coded if form == "base64" else [coded, coded]}), b"application/json")


def _of_kind(name: str, body: bytes, kind: bytes) -> Sent:
    return Sent(path=b"/v1/apps/%b/predict" % name.encode(), body=body, headers=((b"Content-Type", kind),))


def _at(path: bytes, method: bytes, *, headers: Headers, body: bytes) -> Sent:
    return Sent(path=path, method=method, headers=tuple(headers), body=b"" if method in (b"GET", b"HEAD") else body)


def _changed_tensors(valid: tuple[str, dict[str, Any]], *, place: int, value: Any, changes: Changes) -> Sent:
    """One member is another value; some of the bytes are changed only where the place asks for it."""
    name, asked = valid
    copy = json.loads(json.dumps(asked))
    holders = list(_members(copy))
    holder, key = holders[place % len(holders)]
    holder[key] = value
    body = _json(copy)
    return _infer(name, changed(body, changes) if place % 3 == 0 else body, ())


def _changed_binary(
    valid: tuple[str, dict[str, Any], bytes], *, wrong: int, told: bytes | None, changes: Changes
) -> Sent:
    name, asked, data = valid
    copy = json.loads(json.dumps(asked))
    copy["inputs"][0]["parameters"]["binary_data_size"] += wrong
    head = _json(copy)
    length = b"%d" % len(head) if told is None else told
    return _infer(name, head + changed(data, changes), ((b"Inference-Header-Content-Length", length),))


def _infer(name: str, body: bytes, more: Headers) -> Sent:
    headers = ((b"Content-Type", b"application/octet-stream"), *more)
    return Sent(path=b"/v2/models/%b/infer" % name.encode(), body=body, headers=headers)


def _members(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value, by what holds it and its key there."""
    keys = value.keys() if isinstance(value, dict) else range(min(len(value), 5)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _members(value[key])


def _told(name: str, array: np.ndarray) -> dict[str, Any]:
    kind = {"f": "FP", "u": "UINT", "i": "INT"}[array.dtype.kind] + str(8 * array.itemsize)
    return {"name": name, "datatype": kind, "shape": list(array.shape)}


def _wanted(app: App) -> set[str]:
    graph = {tensor.name for tensor in app.manifest.inputs}
    return graph | {"offsets"} if app.task == "token-classification" else graph


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _printable(path: bytes) -> bytes:
    """A path as it may be written: what is no visible ASCII in percent signs, but for every seventh byte."""
    return b"/" + b"".join(map(_letter, path.lstrip(b"/")))


def _letter(byte: int) -> bytes:
    is_plain = 33 <= byte < 127 or (byte % 7 == 0 and byte not in b"\r\n")
    return bytes([byte]) if is_plain else b"%%%02x" % byte
