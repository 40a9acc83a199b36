"""The console's files: built from `web/` into `serve/console/`, kept in memory from their first use."""

import mimetypes
from functools import cache
from pathlib import Path

from starlette.responses import Response

FOLDER = Path(__file__).parent / "console"
_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
_WITHOUT = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Lepton</title>
<h1>Lepton</h1><p>The server runs. Its console was not built in: <code>make web</code> does that.
<p><a href="/v1/apps">What is served</a>, <a href="/openapi.json">how to ask</a>.</html>
"""


def page() -> Response:
    """The console, or a page that says that it was not built in."""
    found = _files().get("index.html", (_WITHOUT, "text/html"))
    return Response(found[0], media_type=found[1], headers={"Content-Security-Policy": _POLICY, **_HEADERS})


def asset(name: str) -> Response | None:
    """One of the console's files by its name, None where there is no such file."""
    found = _files().get(name)
    return Response(found[0], media_type=found[1], headers={**_HEADERS, "Cache-Control": "no-cache"}) if found else None


_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    """Every file by its path: nothing that a request says is ever a path on the disk."""
    paths = [path for path in FOLDER.rglob("*") if path.is_file()] if FOLDER.is_dir() else []
    return {path.relative_to(FOLDER).as_posix(): (path.read_bytes(), _type(path)) for path in paths}


def _type(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"
