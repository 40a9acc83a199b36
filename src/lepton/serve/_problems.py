"""Problems as RFC 9457 has them: what was wrong and what is right, as application/problem+json."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from lepton.core.errors import UserError, shorten


class Problem(Exception):
    """An answer that is a problem: a 4xx or 503 with its reason.

    `more` are further members of the problem, `headers` further headers of the answer.
    """

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more

    @property
    def message(self) -> str:
        """What, the rule, what was received and what to do, as one line."""
        told = {name: f"{start}{self.more[name]}" for name, start in _PARTS.items() if self.more.get(name)}
        return ". ".join(part.rstrip(".") for part in (self.detail, *told.values())) + "."


def from_error(error: UserError, more: Mapping[str, Any]) -> Problem:
    """Make the problem (422) that a user's mistake is: its four parts and `more` are members."""
    parts = {"rule": error.rule, "received": error.received, "remedy": error.remedy}
    problem = Problem(422, error.message)
    problem.more.update({name: text for name, text in parts.items() if text})
    problem.more.update(more)
    return problem


async def on_problem(request: Request, error: Exception) -> Response:
    """Answer a Problem."""
    return respond(error, request.scope["path"]) if isinstance(error, Problem) else await on_http(request, error)


async def on_http(request: Request, error: Exception) -> Response:
    """Answer what the router refuses: an unknown path (404) or method (405)."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    detail = _ROUTING.get(status, HTTPStatus(status).phrase).format(_where(request))
    return respond(Problem(status, detail, headers=headers), request.scope["path"])


async def on_bug(request: Request, error: Exception) -> Response:
    """Answer a bug of ours without showing its inside; the server's log has the traceback."""
    return respond(bug(), request.scope["path"])


def bug() -> Problem:
    """The problem that a bug of ours is to a client."""
    return Problem(500, "Something went wrong here; the server's log tells what")


def respond(problem: Problem, path: str) -> Response:
    """A problem as the response to a request for `path`; clients of the Open Inference Protocol read its `error`."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        **problem.more,
        **({"error": problem.message} if path.startswith("/v2") else {}),
    }
    return Response(msgspec.json.encode(body), problem.status, problem.headers, media_type="application/problem+json")


_PARTS = {"rule": "", "received": "Received: ", "remedy": ""}
_ROUTING = {404: "There is nothing at {}", 405: "This method is not allowed at {}"}


def _where(request: Request) -> str:
    return shorten(request.url.path, 100).replace("{", "").replace("}", "")
