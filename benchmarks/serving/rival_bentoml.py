# /// script
# dependencies = ["bentoml", "uvloop", "httptools", "numpy", "onnxruntime", "pillow"]
#
# [tool.environment]
# pinned = ["numpy", "onnxruntime", "pillow", "uvicorn", "uvloop", "httptools"]
#
# [tool.serving]
# title = "BentoML"
# ready = "/readyz"
# numbers = "/v2/models/digits/infer"
# png = "/png"
# ///
"""BentoML with one worker.

Usage: python rival_bentoml.py JOB PORT
"""

import os
import sys
from pathlib import Path
from typing import Any

import bentoml
from _rival import Model, first, grey, numbers, tensors
from PIL.Image import Image


@bentoml.service(workers=1, threads=1)
class Digits:
    """The digits."""

    def __init__(self) -> None:
        self._model = Model(Path(os.environ["JOB"]))

    @bentoml.api(route="/v2/models/digits/infer")
    async def infer(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Answer a tensor in JSON numbers."""
        return tensors(self._model.ranking(numbers(inputs[0])))

    @bentoml.api(route="/png")
    async def png(self, picture: Image, /) -> list[dict[str, Any]]:
        """Answer a picture."""
        return first(self._model.ranking(grey(picture)))


if __name__ == "__main__":
    os.environ["JOB"] = str(Path(sys.argv[1]).resolve())
    os.chdir(Path(__file__).parent)
    command = [Path(sys.executable).with_name("bentoml"), "serve", "rival_bentoml:Digits", "--quiet"]
    os.execv(command[0], [*map(str, command), "--host", "127.0.0.1", "--port", sys.argv[2]])
