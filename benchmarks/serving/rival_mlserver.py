# /// script
# dependencies = ["mlserver", "httptools", "numpy", "onnxruntime", "pillow"]
#
# [tool.environment]
# pinned = ["numpy", "onnxruntime", "pillow", "uvicorn", "uvloop", "httptools"]
#
# [tool.serving]
# title = "MLServer"
# ready = "/v2/health/ready"
# numbers = "/v2/models/digits/infer"
# png = "/png"
# ///
"""MLServer with a runtime of one's own, which answers in the server's process: faster here than its worker pool.

Its REST server does not know the binary tensor extension; a picture is taken by a custom handler.

Usage: python rival_mlserver.py JOB PORT
"""

import asyncio
import os
import socket
import sys
import tempfile
from pathlib import Path

import numpy as np
import orjson
from _rival import Model, decoded, first
from fastapi import Request, Response
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.handlers import custom_handler
from mlserver.settings import ModelParameters
from mlserver.types import InferenceRequest, InferenceResponse


class Digits(MLModel):
    """The digits behind the Open Inference Protocol."""

    async def load(self) -> bool:
        """Open the graph."""
        self._model = Model(Path(self.settings.parameters.uri))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer a tensor."""
        labels, scores = self._model.ranking(NumpyCodec.decode_input(payload.inputs[0]))
        outputs = [
            StringCodec.encode_output("label", labels),
            NumpyCodec.encode_output("score", np.array([scores], np.float32)),
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)

    @custom_handler(rest_path="/png")
    async def png(self, request: Request) -> Response:
        """Answer a picture."""
        answer = first(self._model.ranking(decoded(await request.body())))
        return Response(orjson.dumps(answer), media_type="application/json")


async def serve(job: Path, port: int) -> None:
    """Serve until a signal comes."""
    settings = Settings(
        debug=False,
        host="127.0.0.1",
        http_port=port,
        grpc_port=_free(),
        metrics_port=_free(),
        parallel_workers=0,
        load_models_at_startup=False,
    )
    model = ModelSettings(name="digits", implementation=Digits, parameters=ModelParameters(uri=str(job)))
    await MLServer(settings).start([model])


def _free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    job = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # it keeps files of its own where it is started
        asyncio.run(serve(job, int(sys.argv[2])))
