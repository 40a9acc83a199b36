"""What the server says of itself and its apps: descriptions, the OpenAPI document, the page."""

import base64
import hashlib
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from lepton.runtime.app import App


def summary(name: str, app: App) -> dict[str, Any]:
    """An app in a list, under the `name` that it is served by."""
    return {"name": name, "task": app.task, "modality": app.modality, "id": app.bundle.id}


def description(name: str, app: App) -> dict[str, Any]:
    """All about an app that its manifest and card tell."""
    manifest = app.manifest
    card = app.bundle.path("CARD.md") if "CARD.md" in manifest.files else None
    return {
        **summary(name, app),
        "classes": manifest.classes,
        "inputs": msgspec.to_builtins(manifest.inputs),
        "outputs": msgspec.to_builtins(manifest.outputs),
        "transform": {"name": manifest.transform.name, "settings": manifest.transform.settings},
        "decode": manifest.decode,
        "contract": manifest.contract,
        "size_mb": app.bundle.size_mb(),
        "card": card.read_text(encoding="utf-8") if card else None,
    }


def page() -> tuple[str, str]:
    """The page a browser gets, and the Content-Security-Policy that lets it run nothing but itself."""
    text = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    script, style = (_digest(text, tag) for tag in ("script", "style"))
    policy = (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; img-src 'self' blob: data:"
    )
    return text, f"{policy}; media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def _digest(text: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    digest = hashlib.sha256((found.group(1) if found else "").encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def openapi(apps: Mapping[str, App]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the routes."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lepton", "version": version("lepton-transfer")},
        "paths": {
            "/healthz": {"get": _get("The process lives")},
            "/readyz": {"get": _get("Every app is loaded")},
            "/metrics": {"get": _get("Counts and times for Prometheus", "text/plain")},
            "/v1/apps": {"get": _get("The apps that are served")},
            "/v1/apps/{name}": {"get": {**_get("One app"), "parameters": [_name(apps)]}},
            "/v1/apps/{name}/predict": {"post": _predict(apps)},
        },
        "components": {"schemas": {"Problem": _PROBLEM}},
    }


_PROBLEM = {
    "type": "object",
    "description": "RFC 9457",
    "properties": {name: {"type": "string"} for name in ("type", "title", "detail", "rule", "received", "remedy")}
    | {"status": {"type": "integer"}},
}


def _get(what: str, kind: str = "application/json") -> dict[str, Any]:
    return {"summary": what, "responses": {"200": {"description": what, "content": {kind: {}}}}}


def _name(apps: Mapping[str, App]) -> dict[str, Any]:
    return {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "enum": list(apps)}}


def _predict(apps: Mapping[str, App]) -> dict[str, Any]:
    text = {"type": "string"}
    inputs = {"oneOf": [text, {"type": "array", "items": text, "minItems": 1}]}
    form = {"type": "object", "required": ["inputs"], "properties": {"inputs": inputs}, "additionalProperties": False}
    binary = {"schema": {"type": "string", "format": "binary"}}
    raw = dict.fromkeys(("image/*", "audio/*", "text/plain", "application/octet-stream"), binary)
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    faults = {str(code): {"description": what, "content": problem} for code, what in _FAULTS.items()}
    return {
        "summary": "Answer one raw input, or a list of them",
        "parameters": [_name(apps)],
        "requestBody": {"required": True, "content": {"application/json": {"schema": form}, **raw}},
        "responses": {
            "200": {"description": "The answer, or one answer for each input", "content": {"application/json": {}}},
            **faults,
        },
    }


_FAULTS = {
    400: "The body cannot be parsed",
    404: "No app of that name",
    413: "Body too long or too many inputs",
    415: "A type the app does not take",
    422: "An input that cannot be answered",
    503: "The queue is full",
}
