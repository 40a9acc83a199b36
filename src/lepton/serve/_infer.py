"""What both forms of the Open Inference Protocol do with a request, once its tensors are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from lepton.core.errors import shorten
from lepton.serve import _signature
from lepton.serve._engine import Ask
from lepton.serve._problems import Problem
from lepton.serve._service import Service
from lepton.serve._signature import Signature
from lepton.serve._tensors import Tensor

VERSION = "1"
"""An app has one version at a time: another takes its place by a swap, and each has an id of its own."""

SERVER = {"name": "lepton", "version": version("lepton-transfer")}
EXTENSIONS = ("binary_tensor_data", "model_configuration", "statistics")
PLATFORM = "onnxruntime_onnx"


def signature(service: Service, name: str, wanted: str = "") -> Signature:
    """What the app `name` takes and gives. Raises Problem 404 for an unknown name or version."""
    engine = service.shelf.engine(name)
    check_version(wanted)
    return _signature.of(engine)


@dataclass(slots=True)
class Asked:
    """The tensors of a request, the outputs it wants (all where none is named) and its size in bytes."""

    tensors: Sequence[Tensor]
    outputs: Sequence[str] = ()
    size: int = 0


def ask(service: Service, told: Signature, asked: Asked) -> Ask:
    """What an app whose signature is `told` is asked.

    Raises Problem 400 or 413 for tensors that the app does not take and outputs that it does not give.
    """
    told.check_outputs(asked.outputs)
    return told.ask(asked.tensors, most=service.limits.inputs, size=asked.size)


def check_version(wanted: str) -> None:
    """Raise Problem 404 for a version that is not there; "" is whichever is."""
    if wanted not in ("", VERSION):
        rule = f"The version of every app is {VERSION}"
        raise Problem(404, "There is no such version", rule=rule, received=shorten(wanted, 80))


def check_open(service: Service) -> None:
    """Raise Problem 503 where the server is stopping."""
    if not service.open:
        raise Problem(503, "The server is stopping", headers={"Retry-After": "1"})
