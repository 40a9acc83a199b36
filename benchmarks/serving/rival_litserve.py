# /// script
# dependencies = ["litserve", "uvloop", "httptools", "python-multipart", "numpy", "onnxruntime", "pillow"]
#
# [tool.serving]
# title = "LitServe"
# ready = "/health"
# numbers = "/v2/models/digits/infer"
# png = "/v2/models/digits/infer"
# form = "image"
# ///
"""LitServe with one worker; it takes JSON and forms, so a picture comes as a form's file.

Usage: python rival_litserve.py JOB PORT
"""

import sys
from pathlib import Path
from typing import Any

import litserve
import numpy as np
from _rival import Model, Ranking, decoded, numbers, tensors
from fastapi import Request


class Digits(litserve.LitAPI):
    """Decode, answer, encode."""

    def __init__(self, job: Path) -> None:
        super().__init__(api_path="/v2/models/digits/infer")
        self._job = job

    def setup(self, device: str) -> None:
        """Open the graph in the worker."""
        self._model = Model(self._job)

    def decode_request(self, request: Request) -> np.ndarray:
        """Give the pixels of a form's file, or of a tensor in JSON numbers.

        The annotation asks for whatever the request holds: what is handed over is the form or the JSON.
        """
        return decoded(request["image"].file.read()) if "image" in request else numbers(request["inputs"][0])

    def predict(self, pixels: np.ndarray) -> Ranking:
        """Answer one sample."""
        return self._model.ranking(pixels)

    def encode_response(self, answer: Ranking) -> dict[str, Any]:
        """Give the answer as JSON."""
        return tensors(answer)


if __name__ == "__main__":
    server = litserve.LitServer(Digits(Path(sys.argv[1])), accelerator="cpu", workers_per_device=1)
    place = {"host": "127.0.0.1", "port": int(sys.argv[2])}
    server.run(**place, num_api_servers=1, log_level="warning", access_log=False, generate_client_file=False)
