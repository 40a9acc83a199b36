"""The ASGI application: several apps behind every protocol, every fault a problem that says what is right."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from lepton.core import plugins
from lepton.runtime.app import App
from lepton.serve import _about, _console, _meters, _problems, _trace
from lepton.serve._bell import Bell
from lepton.serve._exchange import Kind
from lepton.serve._front import Front
from lepton.serve._guard import Guard
from lepton.serve._json import respond
from lepton.serve._limits import Limits
from lepton.serve._meters import Meters
from lepton.serve._problems import Problem
from lepton.serve._service import Service
from lepton.serve._shelf import Shelf, listen, watch

ROOM = "serve.protocols"
Beside = Callable[[Service], AbstractAsyncContextManager[Any]]
"""Serves the same apps in another way, over gRPC for instance."""


def application(
    apps: Mapping[str, App],
    *,
    folders: Mapping[str, Path] | None = None,
    limits: Limits | None = None,
    guard: Guard | None = None,
    bell: Bell | None = None,
    watched: float = 0.0,
    beside: Beside | None = None,
) -> ASGIApp:
    """The application that serves `apps` by name, within `limits`, to those whom `guard` lets in.

    An app can be swapped where `folders` tells where it is read again from; `watched` is the number of seconds
    between two looks at those folders, 0 for none; `bell` tells other workers. `beside` is open while this serves.
    """
    limits, meters = limits or Limits(), Meters()
    service = Service(Shelf(apps, limits=limits, meters=meters, folders=folders), limits, meters, bell)
    found = [plugins.load(ROOM, name) for name in plugins.names(ROOM)]
    templates = {path: kind for module in found for path, kind in module.ASKS.items()}
    router = Starlette(
        routes=[*_own(service, found), *_unknown(service, templates)],
        exception_handlers=_HANDLERS,
        lifespan=partial(_lifespan, service, watched, beside),
    )
    # A slash too many is a problem that says so; a redirect would follow whatever Host the client made up.
    router.router.redirect_slashes = False
    return _trace.traced(Front(router, service, guard=guard or Guard(), asks=templates))


_HANDLERS: Any = {Problem: _problems.on_problem, HTTPException: _problems.on_http, Exception: _problems.on_bug}


def _own(service: Service, protocols: list[ModuleType]) -> list[BaseRoute]:
    """The routes that belong to no app, and those of the protocols."""

    async def page(_: Request) -> Response:
        return _console.page()

    async def asset(request: Request) -> Response:
        found = _console.asset(request.path_params["file"])
        if found is None:
            raise Problem(404, "The console has no such file")
        return found

    async def health(_: Request) -> Response:
        return respond({"status": "ok"})

    async def ready(_: Request) -> Response:
        if not service.open:
            raise Problem(503, "The server is stopping", headers={"Retry-After": "1"})
        return respond({"status": "ready", "apps": service.shelf.names})

    async def metrics(_: Request) -> Response:
        return Response(service.meters.text(), headers={"Content-Type": _meters.TYPE, "Cache-Control": "no-store"})

    async def openapi(_: Request) -> Response:
        names = service.shelf.names
        return respond(_about.openapi({path: item for one in protocols for path, item in one.paths(names).items()}))

    get = {"/": page, "/console/{file:path}": asset, "/healthz": health, "/readyz": ready}
    get |= {"/metrics": metrics, "/openapi.json": openapi}
    own = [Route(path, endpoint, methods=["GET"]) for path, endpoint in get.items()]
    return [*own, *(route for one in protocols for route in one.routes(service))]


def _unknown(service: Service, templates: Mapping[str, Kind]) -> list[BaseRoute]:
    """Where requests for an app arrive that the front did not know: the name is wrong (404), or the method (405)."""

    async def unknown(request: Request) -> Response:
        service.shelf.engine(request.path_params["name"])
        raise Problem(404, "There is nothing at this path", remedy="Write the app's name without percent signs")

    async def nowhere(socket: WebSocket) -> None:
        raise HTTPException(404)

    return [*(Route(path, unknown, methods=["POST"]) for path in templates), WebSocketRoute("/{path:path}", nowhere)]


@asynccontextmanager
async def _lifespan(service: Service, watched: float, beside: Beside | None, _: Starlette) -> AsyncIterator[None]:
    """Start what runs beside the requests, and at the end answer what was accepted."""
    tasks = [asyncio.create_task(watch(service.shelf, seconds=watched))] if watched else []
    tasks += [asyncio.create_task(listen(service.shelf, service.bell))] if service.bell else []
    # What has been made by now stays, so the collector need not walk through it again and again.
    gc.freeze()
    async with beside(service) if beside else nullcontext():
        yield
    service.open = False
    for task in tasks:
        task.cancel()
    await service.shelf.close()
