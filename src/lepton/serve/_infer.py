"""What both forms of the Open Inference Protocol do with a request, once its tensors are known."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from starlette.requests import ClientDisconnect, Request

from lepton.core.errors import shorten
from lepton.runtime.app import App
from lepton.serve import _signature
from lepton.serve._problems import Problem
from lepton.serve._service import Service
from lepton.serve._signature import Signature
from lepton.serve._tensors import Tensor

VERSION = "1"
"""An app has one version at a time: another takes its place by a swap, and each has an id of its own."""

SERVER = {"name": "lepton", "version": version("lepton-transfer")}
EXTENSIONS = ("binary_tensor_data", "model_configuration", "statistics")
PLATFORM = "onnxruntime_onnx"
_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Asked:
    """The app that a request asks, its tensors, the outputs it wants (all where none is named), its size in bytes."""

    name: str
    tensors: Sequence[Tensor]
    outputs: Sequence[str] = ()
    size: int = 0
    until: float = float("inf")


async def signature(service: Service, name: str, wanted: str = "") -> Signature:
    """What the app `name` takes and gives. Raises Problem 404 for an unknown name or version."""
    engine = service.shelf.engine(name)
    check_version(wanted)
    return await _signature.of(engine)


async def infer(
    service: Service, asked: Asked, told: Signature, *, request: Request | None = None
) -> tuple[App, list[Tensor]]:
    """The app that answered, and its tensors; `told` is the app's signature.

    Raises Problem: 400 and 413 for tensors that the app does not take, 422 for inputs that it cannot answer, and what
    `Service.answer` raises.
    """
    told.check_outputs(asked.outputs)
    ask = told.ask(asked.tensors, most=service.limits.inputs, size=asked.size)
    ask.until = asked.until
    try:
        answered = await service.answer(asked.name, ask, request=request)
    except (Problem, ClientDisconnect):
        raise
    except Exception as error:
        # Arrays that strangers made are no faults of ours: an id that no token has, a mask of another length.
        if not ask.samples:
            raise
        _LOG.info("%s cannot compute with tensors that were sent: %s", asked.name, error)
        # The frames that the error came through hold the request, and the request holds the error.
        raise _uncomputable(error) from error.with_traceback(None)
    found = told.tensors(answered.answers, asked.outputs)
    service.meters.of(asked.name).decided(answered.answers)
    return answered.app, found


def check_version(wanted: str) -> None:
    """Raise Problem 404 for a version that is not there; "" is whichever is."""
    if wanted not in ("", VERSION):
        rule = f"The version of every app is {VERSION}"
        raise Problem(404, "There is no such version", rule=rule, received=shorten(wanted, 80))


def check_open(service: Service) -> None:
    """Raise Problem 503 where the server is stopping."""
    if not service.open:
        raise Problem(503, "The server is stopping", headers={"Retry-After": "1"})


def _uncomputable(error: Exception) -> Problem:
    rule = "Tensors have values, and lengths of their free axes, that fit each other as the app's own encoding does"
    return Problem(422, "The app cannot compute with these tensors", rule=rule, received=shorten(str(error)))
