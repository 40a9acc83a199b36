# /// script
# dependencies = ["fastapi", "uvicorn", "uvloop", "httptools", "numpy", "onnxruntime", "pillow"]
#
# [tool.serving]
# title = "FastAPI"
# ready = "/ready"
# numbers = "/v2/models/digits/infer"
# png = "/png"
# ///
"""Plain FastAPI as its tutorial has it: a pydantic model as the body, or the request's bytes; under uvicorn.

Endpoints are coroutines, which is faster here than its thread pool.

Usage: python rival_fastapi.py JOB PORT
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from _rival import Model, decoded, first, tensors
from fastapi import FastAPI, Request
from pydantic import BaseModel


class Tensor(BaseModel):
    """A tensor in JSON numbers."""

    name: str
    shape: list[int]
    datatype: str
    data: list[int]


class Body(BaseModel):
    """A request of the Open Inference Protocol."""

    inputs: list[Tensor]


def application(model: Model) -> FastAPI:
    """The application that answers with `model`."""
    app = FastAPI()

    @app.get("/ready")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/v2/models/digits/infer")
    async def infer(body: Body) -> dict[str, Any]:
        tensor = body.inputs[0]
        return tensors(model.ranking(np.array(tensor.data, np.uint8).reshape(tensor.shape)))

    @app.post("/png")
    async def png(request: Request) -> list[dict[str, Any]]:
        return first(model.ranking(decoded(await request.body())))

    return app


if __name__ == "__main__":
    uvicorn.run(application(Model(Path(sys.argv[1]))), port=int(sys.argv[2]), access_log=False, log_level="warning")
