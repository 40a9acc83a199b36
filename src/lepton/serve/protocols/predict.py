"""Raw inputs in, the task's answer out: `POST /v1/apps/{name}/predict`, and what is served: `GET /v1/apps`."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lepton.core.errors import BadInput
from lepton.serve import _about, _inputs, _problems
from lepton.serve._engine import Ask
from lepton.serve._inputs import Inputs
from lepton.serve._json import Ready, encode, respond
from lepton.serve._service import Answered, Service


def routes(service: Service) -> list[BaseRoute]:
    """What is served."""

    async def apps(_: Request) -> Response:
        return respond({"apps": [_about.summary(name, service.shelf.engine(name).app) for name in service.shelf.names]})

    async def app(request: Request) -> Response:
        name = request.path_params["name"]
        return respond(_about.description(name, service.shelf.engine(name).app))

    async def swap(request: Request) -> Response:
        name = request.path_params["name"]
        service.shelf.engine(name)
        old, new = await service.swap(name)
        return respond({"name": name, "id": new, "replaced": old})

    return [
        Route("/v1/apps", apps, methods=["GET"]),
        Route("/v1/apps/{name}:swap", swap, methods=["POST"]),
        Route("/v1/apps/{name}", app, methods=["GET"]),
    ]


async def predict(service: Service, request: Request, name: str) -> Response:
    """Answer one raw input, or a list of them."""
    inputs = await _inputs.read(request, service.shelf.engine(name).app.modality, service)
    try:
        answered = await service.answer(name, Ask(inputs.raws, inputs.size), request=request)
    finally:
        service.release(inputs.size)
    body = _body(answered, inputs)
    service.meters.of(name).decided(answered.answers)
    return Ready(body, _JSON, (b"x-lepton-app", answered.app.bundle.id.encode()))


_JSON = (b"content-type", b"application/json")
ASKS = {"/v1/apps/{name}/predict": predict}


def _body(answered: Answered, inputs: Inputs) -> bytes:
    """The brief answers as JSON. Raises Problem 422 that names every input without one."""
    bad = {index: answer for index, answer in enumerate(answered.answers) if isinstance(answer, BadInput)}
    if bad:
        first = next(iter(bad.values()))
        more = {"errors": [{"index": index, "detail": error.message} for index, error in bad.items()]}
        raise _problems.from_error(first, more if inputs.many else {})
    found = [answered.app.brief(answer) for answer in answered.answers]
    return encode(found if inputs.many else found[0])


def paths(names: list[str]) -> dict[str, Any]:
    """These routes in the OpenAPI document."""
    name = _about.in_path("name", names)
    return {
        "/v1/apps": {"get": _about.operation("The apps that are served")},
        "/v1/apps/{name}": {"get": {**_about.operation("One app", 404), "parameters": [name]}},
        "/v1/apps/{name}:swap": {
            "post": {**_about.operation("Read an app again", 403, 404, 422), "parameters": [name]}
        },
        "/v1/apps/{name}/predict": {
            "post": {
                **_about.operation("Answer one raw input, or a list of them", 400, 404, 408, 413, 415, 422, 503),
                "parameters": [name],
                "requestBody": {"required": True, "content": {"application/json": {"schema": _FORM}, **_RAW}},
            }
        },
    }


_TEXT = {"type": "string"}
_FORM = {
    "type": "object",
    "required": ["inputs"],
    "properties": {"inputs": {"oneOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}},
    "additionalProperties": False,
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_RAW = dict.fromkeys(("image/*", "audio/*", "text/plain", "application/octet-stream"), _BINARY)
