"""The Open Inference Protocol, version 2, with the binary tensor extension: `POST /v2/models/{name}/infer`.

What an app takes and gives is told in `lepton.serve._signature`, and by `GET /v2/models/{name}`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lepton.serve import _about, _infer, _tensors
from lepton.serve._engine import Ask
from lepton.serve._exchange import Headers
from lepton.serve._infer import EXTENSIONS, PLATFORM, SERVER, VERSION, Asked
from lepton.serve._json import Ready, encode, respond
from lepton.serve._problems import Problem
from lepton.serve._service import Answered, Service
from lepton.serve._signature import Port, Signature
from lepton.serve._statistics import statistics
from lepton.serve._tensors import BYTES, Tensor

_LENGTH = b"inference-header-content-length"
_DIGITS = 20
_JSON = (b"content-type", b"application/json")
_BINARY = (b"content-type", b"application/octet-stream")
_Element = TypeVar("_Element")


class _Size(msgspec.Struct):
    binary_data_size: int | None = None


class _Input(msgspec.Struct, Generic[_Element]):
    name: str
    shape: list[int]
    datatype: str
    data: list[_Element] | None = None
    parameters: _Size | None = None


class _Form(msgspec.Struct):
    binary_data: bool | None = None


class _Wanted(msgspec.Struct):
    name: str
    parameters: _Form | None = None


class _Forms(msgspec.Struct):
    binary_data_output: bool | None = None


class _Body(msgspec.Struct, Generic[_Element]):
    """The JSON of a request; members that are not known are left alone, as the protocol wants it."""

    inputs: list[_Input[_Element]]
    id: str | None = None
    outputs: list[_Wanted] | None = None
    parameters: _Forms | None = None


class _Output(msgspec.Struct, omit_defaults=True):
    name: str
    datatype: str
    shape: Sequence[int]
    data: Any = None
    parameters: _Size | None = None


class _Reply(msgspec.Struct, omit_defaults=True):
    model_name: str
    model_version: str
    outputs: list[_Output]
    id: str | None = None


_NUMBERS = msgspec.json.Decoder(_Body[int | float | str | list[Any]])
_TRUTHS = msgspec.json.Decoder(_Body[int | float | str | bool | list[Any]])


class Infer:
    """The tensors of a request, and those of the answers, in the form that it wants."""

    def __init__(self, service: Service, name: str, headers: Headers) -> None:
        self._service = service
        self._name = name
        self._headers = headers
        self._signature = _infer.signature(service, name)
        self._body: _Body[Any] = _Body([])

    def ask(self, body: bytes) -> Ask:
        """What the body asks."""
        self._body, rest = _parsed(body, self._headers, self._signature)
        asked = Asked(_given(self._body, rest), self._outputs(), len(body))
        return _infer.ask(self._service, self._signature, asked)

    def reply(self, answered: Answered) -> Response:
        """The tensors of full answers. Raises Problem 422 that names every input without one."""
        tensors = self._signature.tensors(answered.answers, self._outputs())
        return _reply(self._name, self._body, tensors, app=answered.app.bundle.id)

    def _outputs(self) -> list[str]:
        return [one.name for one in self._body.outputs or ()]


ASKS = {"/v2/models/{name}/infer": Infer, f"/v2/models/{{name}}/versions/{VERSION}/infer": Infer}


def routes(service: Service) -> list[BaseRoute]:
    """What is served, and whether it is ready; what Triton's clients ask besides."""

    async def server(_: Request) -> Response:
        return respond({**SERVER, "extensions": EXTENSIONS})

    async def live(_: Request) -> Response:
        return respond({"live": True})

    async def ready(_: Request) -> Response:
        _infer.check_open(service)
        return respond({"ready": True})

    async def index(_: Request) -> Response:
        models = [{"name": name, "version": VERSION, "state": "READY", "reason": ""} for name in service.shelf.names]
        return respond(models)

    async def stats(_: Request) -> Response:
        return respond({"model_stats": statistics(service, service.shelf.names)})

    own = [
        Route("/v2", server, methods=["GET"]),
        Route("/v2/health/live", live, methods=["GET"]),
        Route("/v2/health/ready", ready, methods=["GET"]),
        Route("/v2/repository/index", index, methods=["POST"]),
        Route("/v2/models/stats", stats, methods=["GET"]),
    ]
    return [*own, *_of_models(service)]


def _of_models(service: Service) -> list[BaseRoute]:
    """The routes of one model, of its version that is there or of the one that is named."""

    async def metadata(request: Request) -> Response:
        name = request.path_params["name"]
        return respond(_metadata(name, _asked(service, request)))

    async def ready(request: Request) -> Response:
        _asked(service, request)
        _infer.check_open(service)
        return respond({"name": request.path_params["name"], "ready": True})

    async def config(request: Request) -> Response:
        name = request.path_params["name"]
        return respond(_config(name, _asked(service, request)))

    async def stats(request: Request) -> Response:
        _asked(service, request)
        return respond({"model_stats": statistics(service, [request.path_params["name"]])})

    async def other(request: Request) -> Response:
        _asked(service, request)
        raise Problem(404, "There is nothing at this path", remedy="Write the app's name without percent signs")

    both = ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")
    found = {"": metadata, "/ready": ready, "/config": config, "/stats": stats}
    gets = [Route(path + end, endpoint, methods=["GET"]) for path in both for end, endpoint in found.items()]
    return [*gets, *(Route(f"{path}/infer", other, methods=["POST"]) for path in both)]


def _asked(service: Service, request: Request) -> Signature:
    return _infer.signature(service, request.path_params["name"], request.path_params.get("version", ""))


def _metadata(name: str, signature: Signature) -> dict[str, Any]:
    return {
        "name": name,
        "versions": [VERSION],
        "platform": PLATFORM,
        "inputs": [_tensor(port) for port in signature.inputs],
        "outputs": [_tensor(port) for port in signature.outputs],
    }


def _tensor(port: Port) -> dict[str, Any]:
    return {"name": port.name, "datatype": port.datatype, "shape": port.shape}


def _config(name: str, signature: Signature) -> dict[str, Any]:
    """The model's configuration as Triton writes it; shapes have the batch axis, so `max_batch_size` is 0."""
    inputs = [{**_configured(port), "optional": True} for port in signature.inputs]
    outputs = [_configured(port) for port in signature.outputs]
    return {"name": name, "platform": PLATFORM, "max_batch_size": 0, "input": inputs, "output": outputs}


def _configured(port: Port) -> dict[str, Any]:
    kind = "STRING" if port.datatype == BYTES else port.datatype
    return {"name": port.name, "data_type": f"TYPE_{kind}", "dims": port.shape}


def _parsed(data: bytes, headers: Iterable[tuple[bytes, bytes]], signature: Signature) -> tuple[_Body[Any], memoryview]:
    """The JSON of a body, and the bytes behind it."""
    length = _head_length(headers, len(data))
    decode = (_TRUTHS if signature.has_truths else _NUMBERS).decode
    try:
        return decode(data if length is None else data[:length]), memoryview(data)[length or len(data) :]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        rule = "It is JSON of the Open Inference Protocol"
        remedy = "Where bytes follow the JSON, say its length: Inference-Header-Content-Length"
        raise Problem(400, f"The request cannot be read: {error}", rule=rule, remedy=remedy) from error


def _head_length(headers: Iterable[tuple[bytes, bytes]], size: int) -> int | None:
    """The length of the JSON where bytes follow it, else None."""
    found = None
    for name, value in headers:
        if name == _LENGTH:
            found = value
        elif name == b"content-encoding" and value != b"identity":
            raise Problem(415, "A body is sent as it is, without Content-Encoding")
    if found is None:
        return None
    length = int(found) if found.isdigit() and len(found) < _DIGITS else 0
    if not 1 <= length <= size:
        rule = f"It is the length of the JSON, between 1 and the body's own, {size:,}"
        received = found[:40].decode("latin-1")
        raise Problem(400, "Inference-Header-Content-Length is wrong", rule=rule, received=received)
    return length


def _given(body: _Body[Any], rest: memoryview) -> list[Tensor]:
    """The tensors of a request; those that are binary follow one another in `rest`."""
    found = []
    place = 0
    for one in body.inputs:
        size = one.parameters.binary_data_size if one.parameters else None
        end = place + (size or 0)
        tensor = Tensor(one.name, one.datatype, one.shape, one.data or () if size is None else rest[place:end])
        if (size is None) == (one.data is None) or not place <= end <= len(rest):
            rule = "It has either data or a binary_data_size, and as many bytes behind the JSON"
            raise _tensors.wrong(tensor, "has no elements, or twice", rule=rule, received=f"{len(rest) - place} bytes")
        found.append(tensor)
        place = end
    if place < len(rest):
        rule = "Behind the JSON are the bytes of the inputs that have a binary_data_size"
        raise Problem(400, "There are bytes that belong to no input", rule=rule, received=len(rest) - place)
    return found


def _reply(name: str, body: _Body[Any], tensors: Sequence[Tensor], *, app: str) -> Response:
    """The tensors in JSON, and behind it in bytes those that were asked for so."""
    outputs, parts = [], []
    for tensor in tensors:
        output = _Output(tensor.name, tensor.datatype, tensor.shape)
        if _in_bytes(body, tensor.name):
            parts.append(_tensors.as_bytes(tensor))
            output.parameters = _Size(len(parts[-1]))
        else:
            output.data = tensor.data
        outputs.append(output)
    head = encode(_Reply(name, VERSION, outputs, body.id))
    id_header = (b"x-lepton-app", app.encode())
    if not parts:
        return Ready(head, _JSON, id_header)
    return Ready(b"".join((head, *parts)), _BINARY, (_LENGTH, b"%d" % len(head)), id_header)


def _in_bytes(body: _Body[Any], name: str) -> bool:
    """Whether an output is asked for in bytes: on its own, or with all."""
    for one in body.outputs or ():
        if one.name == name and one.parameters is not None and one.parameters.binary_data is not None:
            return one.parameters.binary_data
    return bool(body.parameters is not None and body.parameters.binary_data_output)


def paths(names: list[str]) -> dict[str, Any]:
    """These routes in the OpenAPI document."""
    found = {
        "/v2": {"get": _about.operation("The server and what it knows beyond the protocol")},
        "/v2/health/live": {"get": _about.operation("The process lives")},
        "/v2/health/ready": {"get": _about.operation("Every model is loaded", 503)},
        "/v2/repository/index": {"post": _about.operation("The models that are served")},
        "/v2/models/stats": {"get": _about.operation("How often every model was asked, and how long it took")},
    }
    parameters = [_about.in_path("name", names)]
    for path in ("/v2/models/{name}", f"/v2/models/{{name}}/versions/{VERSION}"):
        for end, (what, faults) in _ABOUT.items():
            found[path + end] = {"get": {**_about.operation(what, *faults), "parameters": parameters}}
        found[f"{path}/infer"] = {"post": {**_infer_operation(), "parameters": [*parameters, _HEADER]}}
    return found


_ABOUT = {
    "": ("The tensors that a model takes and gives", (404,)),
    "/ready": ("The model is loaded", (404, 503)),
    "/config": ("The model's configuration as Triton writes it", (404,)),
    "/stats": ("How often a model was asked, and how long it took", (404,)),
}
_HEADER = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "description": "The length of the JSON where the bytes of tensors follow it",
    "schema": {"type": "integer", "minimum": 1},
}


def _schema(needed: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """An object that has `needed` and may have `more`."""
    return {"type": "object", "properties": {**needed, **more}, "required": [*needed]}


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_TEXT = {"type": "string"}
_SIZED = _schema({}, binary_data_size={"type": "integer", "minimum": 0})
_NAMED = {"name": _TEXT, "datatype": {"enum": [BYTES, *_tensors.DTYPES]}, "shape": _list({"type": "integer"})}
_DATA = {"type": "array", "description": "The elements row by row, flat or in lists of lists; media in base64"}
_TENSOR = _schema(_NAMED, data=_DATA, parameters=_SIZED)
_WANTED = _schema({"name": _TEXT}, parameters=_schema({}, binary_data={"type": "boolean"}))
_WHOLE = _schema({}, binary_data_output={"type": "boolean"})
_REQUEST = _schema({"inputs": _list(_TENSOR)}, id=_TEXT, outputs=_list(_WANTED), parameters=_WHOLE)
_RESPONSE = _schema({"model_name": _TEXT, "model_version": _TEXT, "outputs": _list(_TENSOR)}, id=_TEXT)
_BYTES = {"schema": {"type": "string", "format": "binary", "description": "The same JSON, and bytes of tensors"}}


def _infer_operation() -> dict[str, Any]:
    found = _about.operation("Answer tensors", 400, 404, 408, 413, 415, 422, 503)
    found["responses"]["200"]["content"] = {
        "application/json": {"schema": _RESPONSE},
        "application/octet-stream": _BYTES,
    }
    content = {"application/json": {"schema": _REQUEST}, "application/octet-stream": _BYTES}
    return {**found, "requestBody": {"required": True, "content": content}}
