"""The app as a Ray Serve application: `app/` beside this file, loaded once by each replica.

POST the raw input (an image's or a recording's bytes, a text in UTF-8) and get the answer that `lepton predict`
prints. Other deployments call `predict` through a handle.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from lepton.core.errors import BadInput
from lepton.runtime.app import load

FOLDER = Path(__file__).parent / "app"


class Service:
    """One replica."""

    def __init__(self, folder: str, threads: int = 1) -> None:
        self._app = load(folder, threads=threads)

    def predict(self, raw: bytes | str) -> Any:
        """The answer to one raw input. Raises BadInput where there is none."""
        return self._app.brief(self._app.predict(raw))

    async def __call__(self, request: Request) -> Response:
        """Answer the raw input that is the body; 422 with the reason where that cannot be done."""
        try:
            answer = self.predict(await request.body())
        except BadInput as error:
            problem = {"title": "Unprocessable Content", "status": 422, "detail": error.message}
            return Response(json.dumps(problem), 422, media_type="application/problem+json")
        return Response(json.dumps(answer, default=_plain), media_type="application/json")


def build(args: Mapping[str, Any]) -> Any:
    """The application, for `import_path` in the Serve config; its `args` may say `threads`."""
    from ray import serve

    return serve.deployment(Service).bind(str(FOLDER), int(args.get("threads", 1)))


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy as plain ones."""
    return value.tolist()
