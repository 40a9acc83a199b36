"""The ASGI application: several apps behind one set of routes, every fault a problem that says what is right."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from lepton.core.errors import BadInput
from lepton.runtime.app import App
from lepton.serve import _about, _inputs, _problems
from lepton.serve._counts import Counts
from lepton.serve._inputs import Inputs, Limits
from lepton.serve._problems import Problem
from lepton.serve._worker import Worker


def application(apps: Mapping[str, App], *, limits: Limits | None = None) -> Starlette:
    """The application that serves `apps` by name, within `limits`."""
    desk = _Desk(apps, limits or Limits())
    routes = [
        Route("/", desk.page, methods=["GET"]),
        Route("/healthz", desk.health, methods=["GET"]),
        Route("/readyz", desk.ready, methods=["GET"]),
        Route("/metrics", desk.metrics, methods=["GET"]),
        Route("/openapi.json", desk.openapi, methods=["GET"]),
        Route("/v1/apps", desk.apps, methods=["GET"]),
        Route("/v1/apps/{name}", desk.app, methods=["GET"]),
        Route("/v1/apps/{name}/predict", desk.predict, methods=["POST"]),
    ]
    handlers = {Problem: _problems.on_problem, HTTPException: _problems.on_http, Exception: _problems.on_bug}
    made = Starlette(routes=routes, exception_handlers=handlers, lifespan=desk.lifespan)
    # A slash too many is a problem that says so; a redirect would follow whatever Host the client made up.
    made.router.redirect_slashes = False
    return made


class _Desk:
    """The routes and what they share."""

    def __init__(self, apps: Mapping[str, App], limits: Limits) -> None:
        self._apps = apps
        self._limits = limits
        self._counts = Counts()
        self._page, self._policy = _about.page()
        self._workers = {name: Worker(app, limits.queue) for name, app in apps.items()}
        self._open = True

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        yield
        self._open = False
        for worker in self._workers.values():
            worker.close()

    async def page(self, _: Request) -> Response:
        return HTMLResponse(self._page, headers={"Content-Security-Policy": self._policy, **_HEADERS})

    async def health(self, _: Request) -> Response:
        return _json({"status": "ok"})

    async def ready(self, _: Request) -> Response:
        if not self._open:
            raise Problem(503, "The server is stopping", headers={"Retry-After": "1"})
        return _json({"status": "ready", "apps": list(self._apps)})

    async def metrics(self, _: Request) -> Response:
        return PlainTextResponse(self._counts.text(), media_type="text/plain; version=0.0.4")

    async def openapi(self, _: Request) -> Response:
        return _json(_about.openapi(self._apps))

    async def apps(self, _: Request) -> Response:
        return _json({"apps": [_about.summary(name, app) for name, app in self._apps.items()]})

    async def app(self, request: Request) -> Response:
        return _json(_about.description(request.path_params["name"], self._worker(request).app))

    async def predict(self, request: Request) -> Response:
        worker = self._worker(request)
        name = request.path_params["name"]
        start = time.perf_counter()
        try:
            inputs = await _inputs.read(request, worker.app.modality, self._limits)
            answers = await worker.answer(inputs)
            body = _answers(worker.app, inputs, answers)
        except Problem as problem:
            self._counts.add(name, problem.status)
            raise
        except ClientDisconnect:
            return Response(status_code=400)
        self._counts.add(name, 200, inputs=len(answers), seconds=time.perf_counter() - start)
        return Response(body, media_type="application/json", headers=_HEADERS)

    def _worker(self, request: Request) -> Worker:
        name = request.path_params["name"]
        if name not in self._workers:
            raise Problem(404, "There is no app of that name", known=list(self._apps), remedy="GET /v1/apps lists them")
        return self._workers[name]


_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def _answers(app: App, inputs: Inputs, answers: list[Any]) -> bytes:
    """The brief answers as JSON. Raises Problem 422 that names every input without one."""
    bad = {index: answer for index, answer in enumerate(answers) if isinstance(answer, BadInput)}
    if bad:
        first = next(iter(bad.values()))
        more = {"errors": [{"index": index, "detail": error.message} for index, error in bad.items()]}
        raise _problems.from_error(first, more if inputs.many else {})
    found = [app.brief(answer) for answer in answers]
    return encode(found if inputs.many else found[0])


def _json(value: Any) -> Response:
    return Response(encode(value), media_type="application/json", headers=_HEADERS)


def encode(value: Any) -> bytes:
    """JSON of an answer; numpy's numbers and arrays become plain ones."""
    return msgspec.json.encode(value, enc_hook=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")
