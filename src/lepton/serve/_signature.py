"""What an app takes and gives as tensors of the Open Inference Protocol.

It takes `raw`, the raw inputs (an image file, a recording, a text) as BYTES [N]; or in its place the arrays that they
are encoded to, each with a batch axis in front. Where the app ranks labels it gives `label` and `score`, [N, K], the
chosen one first; any other answer is `answer`, BYTES [N], in JSON.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from lepton.core import plugins
from lepton.core.errors import BadInput
from lepton.core.types import Raw
from lepton.runtime.app import App, Sample
from lepton.runtime.samples import samples
from lepton.serve import _media, _problems, _tensors
from lepton.serve._engine import Ask, Engine
from lepton.serve._json import encode
from lepton.serve._problems import Problem
from lepton.serve._tensors import BYTES, Tensor, wrong

RAW = "raw"
FREE = -1
_SLACK = 4


@dataclass(frozen=True, slots=True)
class Port:
    """A tensor that an app takes or gives; -1 in `shape` is a free axis, which has at most `longest` places."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    longest: int = 0


class Signature:
    """The tensors of one app: all `inputs` that may be sent, those of them that are `encoded`, and its `outputs`.

    `has_truths` says that some input is of the datatype BOOL.
    """

    def __init__(self, app: App) -> None:
        raw = samples(app)[0][0]
        probe = app.read(raw)
        if isinstance(probe, BadInput):
            raise probe
        self._app = app
        self.encoded = [_port(app, name, probe.arrays[name]) for name in _needed(app, probe)]
        self.inputs = [Port(RAW, BYTES, (FREE,)), *self.encoded]
        answer = app.answer([probe])[0]
        self._ranks = _is_ranking(answer)
        wide = (FREE, len(answer))
        ranking = [Port("label", BYTES, wide), Port("score", "FP64", wide)]
        self.outputs = ranking if self._ranks else [Port("answer", BYTES, (FREE,))]
        self._ports = {port.name: port for port in self.encoded}
        self.has_truths = any(port.datatype == "BOOL" for port in self.encoded)

    def ask(self, tensors: Sequence[Tensor], *, most: int, size: int) -> Ask:
        """What the tensors of one request ask, at most `most` inputs; `size` is that of the request in bytes.

        Raises Problem: 400 where they are not those that the app takes, 413 for too many inputs.
        """
        if len(tensors) == 1 and tensors[0].name == RAW and tensors[0].datatype == BYTES:
            return Ask(self._raws(tensors[0], most), size)
        return Ask(samples=self._samples(tensors, most), size=size)

    def tensors(self, answers: Sequence[Any], wanted: Sequence[str] | None = None) -> list[Tensor]:
        """The tensors of full answers, those `wanted` or else all. Raises Problem 422 naming every input without."""
        if not all(map(_is_good, answers)):
            raise _without(answers)
        found = self._ranking(answers) if self._ranks else self._texts(answers)
        return [found[name] for name in wanted] if wanted else list(found.values())

    def check_outputs(self, names: Sequence[str]) -> None:
        """Raise Problem 400 for an output that the app does not give, or that stands twice."""
        known = [port.name for port in self.outputs]
        for place, name in enumerate(names):
            if name not in known or name in names[:place]:
                rule = f"The app gives {', '.join(known)}, each once"
                raise Problem(400, "There is no such output, or it stands twice", rule=rule, received=name[:80])

    def _ranking(self, answers: Sequence[Any]) -> dict[str, Tensor]:
        shape = (len(answers), len(answers[0]))
        items = answers[0] if len(answers) == 1 else [item for answer in answers for item in answer]
        labels, scores = [item["label"] for item in items], [item["score"] for item in items]
        return {"label": Tensor("label", BYTES, shape, labels), "score": Tensor("score", "FP64", shape, scores)}

    def _texts(self, answers: Sequence[Any]) -> dict[str, Tensor]:
        texts = [encode(self._app.brief(answer)).decode() for answer in answers]
        return {"answer": Tensor("answer", BYTES, (len(texts),), texts)}

    def _raws(self, tensor: Tensor, most: int) -> list[Raw]:
        count = tensor.shape[0] if tensor.shape else 0
        if tuple(tensor.shape[1:]) not in ((), (1,)) or count < 1:
            raise wrong(tensor, "has a shape it cannot have", rule="It is [N] or [N, 1]", received=list(tensor.shape))
        _check_count(count, most)
        found = _tensors.strings(tensor)
        if self._app.modality == "text":
            return found
        return [_media.from_base64(item, index) if isinstance(item, str) else item for index, item in enumerate(found)]

    def _samples(self, tensors: Sequence[Tensor], most: int) -> list[Sample]:
        arrays: dict[str, np.ndarray] = {}
        for tensor in tensors:
            port = self._ports.get(tensor.name)
            if port is None or tensor.name in arrays:
                raise self._other(tensors)
            arrays[tensor.name] = _array(port, tensor, most)
        if len(arrays) != len(self._ports):
            raise self._other(tensors)
        return _rows(arrays)

    def _other(self, tensors: Sequence[Tensor]) -> Problem:
        encoded = ", ".join(f"{port.name} ({port.datatype})" for port in self.encoded)
        return Problem(
            400,
            "The app takes other tensors",
            rule=f"It takes either {RAW} ({BYTES}) alone, or {encoded}, each once",
            received=", ".join(f"{tensor.name[:80]} ({tensor.datatype[:20]})" for tensor in tensors[:8]) or "none",
            remedy="Ask for the model's metadata: GET /v2/models/NAME",
        )


def of(engine: Engine) -> Signature:
    """The signature of the app that `engine` answers for; it is made when it is first asked for."""
    found = _MADE.get(engine)
    if found is None:
        found = _MADE[engine] = Signature(engine.app)
    return found


_MADE: "WeakKeyDictionary[Engine, Signature]" = WeakKeyDictionary()


def _needed(app: App, probe: Sample) -> list[str]:
    """The names of the arrays that an answer needs: the graph's inputs, and all where the task reads more than those.

    Where a token stands in the text, for instance, is nothing that a graph asks.
    """
    graph = [tensor.name for tensor in app.manifest.inputs]
    try:
        app.answer([Sample({name: probe.arrays[name] for name in graph})])
    except KeyError:
        return list(probe.arrays)
    return graph


def _port(app: App, name: str, array: np.ndarray) -> Port:
    """A graph's input has the manifest's shape; of another array the first axis is free."""
    told = next((tensor.shape for tensor in app.manifest.inputs if tensor.name == name), None)
    shape = told[1:] if told else (None, *array.shape[1:])
    free = [length for length, fixed in zip(array.shape, shape, strict=True) if fixed is None]
    longest = _longest(app, name, max(free, default=0))
    plain = tuple(FREE if length is None else length for length in shape)
    return Port(name, _tensors.datatype(array.dtype.name), (FREE, *plain), longest)


def _longest(app: App, name: str, own: int) -> int:
    """The most places of a free axis where one of the app's own inputs has `own`; 0 where nothing is known.

    A transform of texts has it in its settings. Of media it makes arrays of one size.
    """
    if app.modality != "text":
        return _SLACK * own
    for transform, settings in _parts(app.manifest.transform.name, app.manifest.transform.settings):
        if name in plugins.load("transforms", transform).INPUTS:
            return int(settings.get("max_length") or settings.get("vocabulary") or 0)
    return 0


def _parts(name: str, settings: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """A transform and its settings, after those that it is made of."""
    known = plugins.names("transforms")
    inner = [(key, value) for key, value in settings.items() if key in known and isinstance(value, Mapping)]
    return [*inner, (name, settings)]


def _array(port: Port, tensor: Tensor, most: int) -> np.ndarray:
    """A tensor as the array that `port` takes. Raises Problem: 400 for another type or shape, 413 for too many rows."""
    if tensor.datatype != port.datatype:
        received = tensor.datatype[:20]
        raise wrong(tensor, "has another datatype", rule=f"The app takes {port.datatype}", received=received)
    if not _fits(port, tensor.shape):
        raise _other_shape(port, tensor)
    _check_count(tensor.shape[0], most)
    return _tensors.numbers(tensor)


def _rows(arrays: Mapping[str, np.ndarray]) -> list[Sample]:
    """The samples that arrays with a batch axis hold. Raises Problem 400 where those axes differ."""
    count = len(next(iter(arrays.values())))
    for array in arrays.values():
        if len(array) != count:
            received = str({name: list(array.shape) for name, array in arrays.items()})
            raise Problem(400, "The tensors have different batch axes", rule=_ROWS, received=received)
    return [Sample({name: array[row] for name, array in arrays.items()}) for row in range(count)]


_ROWS = "Each has one row an input"


def _fits(port: Port, shape: Sequence[int]) -> bool:
    if len(shape) != len(port.shape) or shape[0] < 1:
        return False
    if tuple(shape[1:]) == port.shape[1:] and FREE not in shape:
        return True
    most = port.longest or float("inf")
    pairs = zip(shape[1:], port.shape[1:], strict=True)
    return all(length == wanted or (wanted == FREE and 1 <= length <= most) for length, wanted in pairs)


def _other_shape(port: Port, tensor: Tensor) -> Problem:
    rule = f"It is {list(port.shape)}, where -1 is free"
    if port.longest:
        rule += f" up to {port.longest:,}, the first, the batch axis, as the server allows"
    if _fits(port, [1, *tensor.shape]):
        remedy = f"Send the shape {[1, *tensor.shape]}"
        return wrong(tensor, "has no batch axis", rule=rule, received=list(tensor.shape), remedy=remedy)
    return wrong(tensor, "has another shape", rule=rule, received=list(tensor.shape))


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise Problem(413, f"There must be 1 to {most} inputs", received=count)


def _is_ranking(answer: Any) -> bool:
    return bool(answer) and all(isinstance(item, Mapping) and item.keys() == {"label", "score"} for item in answer)


def _is_good(answer: Any) -> bool:
    """Whether there is an answer, and no ranking by scores that are no numbers."""
    if isinstance(answer, BadInput):
        return False
    return not answer or "label" not in answer[0] or answer[0]["score"] == answer[0]["score"]


def _without(answers: Sequence[Any]) -> Problem:
    """The problem (422) that names every input without an answer."""
    what = "The graph's result is no number"
    remedy = "Send values such as the app's own inputs have"
    bad = {index: answer for index, answer in enumerate(answers) if not _is_good(answer)}
    faults = {i: one if isinstance(one, BadInput) else BadInput(what, remedy=remedy) for i, one in bad.items()}
    errors = [{"index": index, "detail": fault.message} for index, fault in faults.items()]
    return _problems.from_error(next(iter(faults.values())), {"errors": errors})
