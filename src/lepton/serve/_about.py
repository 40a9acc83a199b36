"""What the server says of itself and its apps: descriptions, and the parts of the OpenAPI document."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from lepton.runtime.app import App


def summary(name: str, app: App) -> dict[str, Any]:
    """An app in a list, under the `name` that it is served by."""
    return {"name": name, "task": app.task, "modality": app.modality, "id": app.bundle.id}


def description(name: str, app: App) -> dict[str, Any]:
    """All about an app that its manifest, its card and its figures tell; None where it carries none."""
    manifest = app.manifest
    card, figures = (_text(app, file) for file in ("CARD.md", "figures.json"))
    return {
        **summary(name, app),
        "classes": manifest.classes,
        "inputs": msgspec.to_builtins(manifest.inputs),
        "outputs": msgspec.to_builtins(manifest.outputs),
        "transform": {"name": manifest.transform.name, "settings": manifest.transform.settings},
        "decode": manifest.decode,
        "adapter": app.adapter or None,
        "adapters": app.adapters,
        "contract": manifest.contract,
        "size_mb": app.bundle.size_mb(),
        "card": card,
        "figures": msgspec.json.decode(figures) if figures else None,
    }


def _text(app: App, file: str) -> str | None:
    return app.bundle.path(file).read_text(encoding="utf-8") if file in app.manifest.files else None


def openapi(paths: Mapping[str, Any]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the server's own routes and the `paths` of its protocols."""
    own = {
        "/healthz": {"get": operation("The process lives")},
        "/readyz": {"get": operation("Every app is loaded", 503)},
        "/metrics": {"get": operation("Counts and times for Prometheus", kind="text/plain")},
    }
    bearer = {"type": "http", "scheme": "bearer"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lepton", "version": version("lepton-transfer")},
        "security": [{}, {"key": []}],
        "paths": {**own, **paths},
        "components": {"schemas": {"Problem": _PROBLEM}, "securitySchemes": {"key": bearer}},
    }


def operation(what: str, *faults: int, kind: str = "application/json") -> dict[str, Any]:
    """An operation that answers 200 with `kind`, or a problem with one of `faults`."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    problems = {str(code): {"description": _FAULTS[code], "content": content} for code in (*faults, *_ALWAYS)}
    return {"summary": what, "responses": {"200": {"description": what, "content": {kind: {}}}, **problems}}


def in_path(name: str, values: Sequence[str]) -> dict[str, Any]:
    """A parameter of the path that takes one of `values`."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "enum": list(values)}}


_PROBLEM = {
    "type": "object",
    "description": "RFC 9457",
    "properties": {name: {"type": "string"} for name in ("type", "title", "detail", "rule", "remedy")}
    | {"status": {"type": "integer"}},
}
_ALWAYS = (401, 429)
_FAULTS = {
    400: "The body cannot be parsed",
    401: "A key is needed",
    403: "The key may not do this",
    404: "No app of that name",
    408: "The body did not come in time",
    413: "Body too long or too many inputs",
    415: "A type the app does not take",
    422: "What was sent cannot be answered",
    429: "The key's rate is used up",
    503: "The queue is full, or the deadline cannot be kept",
}
