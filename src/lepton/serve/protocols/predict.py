"""Raw inputs in, the task's answer out: `POST /v1/apps/{name}/predict`, and what is served: `GET /v1/apps`."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lepton.core.errors import BadInput
from lepton.serve import _about, _inputs, _problems
from lepton.serve._engine import Ask
from lepton.serve._exchange import Headers
from lepton.serve._json import Ready, encode, respond
from lepton.serve._problems import Problem
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


class Predict:
    """One raw input, or a list of them, and the brief answers in JSON."""

    def __init__(self, service: Service, name: str, headers: Headers) -> None:
        self._most = service.limits.inputs
        self._modality = service.shelf.engine(name).app.modality
        self._kind = _inputs.check(headers, self._modality)
        self._many = False

    def ask(self, body: bytes) -> Ask:
        """What the body asks."""
        found = _inputs.parsed(body, self._kind, modality=self._modality, most=self._most)
        self._many = found.many
        return Ask(found.raws, len(body))

    def reply(self, answered: Answered) -> Response:
        """The brief answers. Raises Problem 422 that names every input without one."""
        for answer in answered.answers:
            if isinstance(answer, BadInput):
                raise self._without(answered)
        found = [answered.app.brief(answer) for answer in answered.answers]
        body = encode(found if self._many else found[0])
        return Ready(body, _JSON, (b"x-lepton-app", answered.app.bundle.id.encode()))

    def _without(self, answered: Answered) -> Problem:
        bad = {index: answer for index, answer in enumerate(answered.answers) if isinstance(answer, BadInput)}
        more = {"errors": [{"index": index, "detail": error.message} for index, error in bad.items()]}
        return _problems.from_error(next(iter(bad.values())), more if self._many else {})


_JSON = (b"content-type", b"application/json")
ASKS = {"/v1/apps/{name}/predict": Predict}


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
