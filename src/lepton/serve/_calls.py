"""The calls of the Open Inference Protocol over gRPC: messages in, messages out, problems as status codes.

Tensors are those of `lepton.serve._signature`; of BYTES each element is the thing itself, never base64.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from lepton.core.errors import shorten
from lepton.serve import _infer, _messages, _tensors
from lepton.serve._front import ACCESS
from lepton.serve._guard import Guard, Holder
from lepton.serve._infer import EXTENSIONS, PLATFORM, SERVER, VERSION, Asked
from lepton.serve._messages import SERVICE
from lepton.serve._problems import Problem
from lepton.serve._service import Service
from lepton.serve._signature import Port, Signature
from lepton.serve._statistics import statistics
from lepton.serve._tensors import BYTES, Tensor

_LOG = logging.getLogger(__name__)
_LONGEST = 1000
_EVER = float("inf")
_OPEN = {"ServerLive": "/v2/health/live", "ServerReady": "/v2/health/ready"}
_CODES = {
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
_FIELDS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    BYTES: "bytes_contents",
}
# The numbers that Triton's configuration gives the datatypes; BYTES are its strings.
_KINDS = {
    **{"BOOL": 1, "UINT8": 2, "UINT16": 3, "UINT32": 4, "UINT64": 5, "INT8": 6, "INT16": 7, "INT32": 8, "INT64": 9},
    **{"FP16": 10, "FP32": 11, "FP64": 12, BYTES: 13},
}


@dataclass(slots=True)
class Call:
    """One call of a method, and whose key it came with."""

    request: Any
    context: Any
    holder: Holder | None


Method = Callable[[Call], Awaitable[Any]]


class Calls:
    """The methods of the service; `running` is the number of requests that are being answered."""

    def __init__(self, service: Service, guard: Guard) -> None:
        self._service = service
        self._guard = guard
        self._messages = _messages.classes()
        self.running = 0

    def handlers(self) -> dict[str, Any]:
        """The handler of every method by its name."""
        methods: dict[str, Method] = {
            "ServerLive": self._live,
            "ServerReady": self._ready,
            "ServerMetadata": self._server,
            "ModelReady": self._model_ready,
            "ModelMetadata": self._metadata,
            "ModelConfig": self._config,
            "ModelStatistics": self._statistics,
            "RepositoryIndex": self._index,
            "ModelInfer": self._counted,
        }
        return {name: self._handler(name, method) for name, method in methods.items()}

    def _handler(self, name: str, method: Method) -> Any:
        async def handle(request: Any, context: Any) -> Any:
            try:
                return await method(Call(request, context, self._admit(name, context)))
            except Problem as problem:
                return await _abort(context, problem)
            except Exception:  # noqa: BLE001 - our bug: the log has its traceback, the client INTERNAL
                _LOG.exception("A bug, met at %s", name)
                return await context.abort(grpc.StatusCode.INTERNAL, "Something went wrong here; the log tells what")

        return grpc.unary_unary_rpc_method_handler(
            handle,
            request_deserializer=self._messages[f"{name}Request"].FromString,
            response_serializer=self._messages[f"{name}Response"].SerializeToString,
        )

    def _admit(self, name: str, context: Any) -> Holder | None:
        metadata = context.invocation_metadata() or ()
        headers = [(key.encode(), value.encode() if isinstance(value, str) else value) for key, value in metadata]
        try:
            return self._guard.admit(_OPEN.get(name, f"/{SERVICE}/{name}"), headers)
        except Problem as problem:
            self._service.meters.refused(problem.status)
            raise

    async def _live(self, _: Call) -> Any:
        return self._messages["ServerLiveResponse"](live=True)

    async def _ready(self, _: Call) -> Any:
        return self._messages["ServerReadyResponse"](ready=self._service.open)

    async def _server(self, _: Call) -> Any:
        return self._messages["ServerMetadataResponse"](**SERVER, extensions=EXTENSIONS)

    async def _model_ready(self, call: Call) -> Any:
        known = call.request.name in self._service.shelf.names and call.request.version in ("", VERSION)
        return self._messages["ModelReadyResponse"](ready=known and self._service.open)

    async def _metadata(self, call: Call) -> Any:
        signature = self._signature(call)
        return self._messages["ModelMetadataResponse"](
            name=call.request.name,
            versions=[VERSION],
            platform=PLATFORM,
            inputs=[_tensor(port) for port in signature.inputs],
            outputs=[_tensor(port) for port in signature.outputs],
        )

    async def _config(self, call: Call) -> Any:
        signature = self._signature(call)
        inputs = [{**_configured(port), "optional": True} for port in signature.inputs]
        outputs = [_configured(port) for port in signature.outputs]
        config = {"name": call.request.name, "platform": PLATFORM, "input": inputs, "output": outputs}
        return self._messages["ModelConfigResponse"](config=config)

    async def _statistics(self, call: Call) -> Any:
        if call.request.name:
            self._signature(call)
        names = [call.request.name] if call.request.name else self._service.shelf.names
        return self._messages["ModelStatisticsResponse"](model_stats=statistics(self._service, names))

    async def _index(self, _: Call) -> Any:
        models = [{"name": name, "version": VERSION, "state": "READY"} for name in self._service.shelf.names]
        return self._messages["RepositoryIndexResponse"](models=models)

    def _signature(self, call: Call) -> Signature:
        return _infer.signature(self._service, call.request.name, call.request.version)

    async def _counted(self, call: Call) -> Any:
        """Answer tensors, and let the meters and the log know; a client that went is not counted."""
        start, status = time.perf_counter(), 0
        self.running += 1
        try:
            found = await self._answer(call)
            status = 200
            return found
        except Exception as error:
            status = error.status if isinstance(error, Problem) else 500
            raise
        finally:
            self.running -= 1
            if status:
                self._count(call, status, time.perf_counter() - start)

    def _count(self, call: Call, status: int, seconds: float) -> None:
        name = call.request.model_name
        if name in self._service.shelf.names:
            self._service.meters.of(name).answered(status, seconds)
        else:
            self._service.meters.refused(status)
        if ACCESS.isEnabledFor(logging.INFO):
            facts = {"app": shorten(name, 80), "status": status, "ms": seconds * 1e3}
            ACCESS.info("ModelInfer", extra={"facts": {**facts, "key": call.holder.name if call.holder else None}})

    async def _answer(self, call: Call) -> Any:
        request = call.request
        name = request.model_name
        signature = _infer.signature(self._service, name, request.model_version)
        size = request.ByteSize()
        self._service.hold(size)
        try:
            asked = Asked(_given(request), [output.name for output in request.outputs], size)
            ask = _infer.ask(self._service, signature, asked)
            ask.until = time.monotonic() + (call.context.time_remaining() or _EVER)
            answered = await self._service.answer(name, ask)
        finally:
            self._service.release(size)
        tensors = signature.tensors(answered.answers, asked.outputs)
        self._service.meters.of(name).decided(answered.answers)
        call.context.set_trailing_metadata((("x-lepton-app", answered.app.bundle.id),))
        return self._response(request, tensors)

    def _response(self, request: Any, tensors: Sequence[Tensor]) -> Any:
        """The tensors as bytes where the request had bytes, else as typed contents."""
        raw = bool(request.raw_input_contents)
        found = self._messages["ModelInferResponse"](
            model_name=request.model_name,
            model_version=VERSION,
            id=request.id,
            outputs=[_given_back(tensor, {} if raw else _contents(tensor)) for tensor in tensors],
        )
        if raw:
            found.raw_output_contents.extend(_tensors.as_bytes(tensor) for tensor in tensors)
        return found


def _tensor(port: Port) -> dict[str, Any]:
    return {"name": port.name, "datatype": port.datatype, "shape": port.shape}


def _configured(port: Port) -> dict[str, Any]:
    return {"name": port.name, "data_type": _KINDS[port.datatype], "dims": port.shape}


def _given(request: Any) -> list[Tensor]:
    """The tensors of a request: all as bytes, or all as typed contents."""
    raw = request.raw_input_contents
    if not raw:
        return [Tensor(one.name, one.datatype, list(one.shape), _elements(one)) for one in request.inputs]
    if len(raw) != len(request.inputs) or any(one.HasField("contents") for one in request.inputs):
        rule = "With raw_input_contents, each input has one of those, in order, and no contents"
        received = f"{len(request.inputs)} inputs, {len(raw)} raw_input_contents"
        raise Problem(400, "The inputs do not fit their contents", rule=rule, received=received)
    return [
        Tensor(one.name, one.datatype, list(one.shape), data) for one, data in zip(request.inputs, raw, strict=True)
    ]


def _elements(given: Any) -> list[Any]:
    field = _FIELDS.get(given.datatype)
    return list(getattr(given.contents, field)) if field else []


def _given_back(tensor: Tensor, contents: dict[str, Any]) -> dict[str, Any]:
    told = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
    return {**told, "contents": contents} if contents else told


def _contents(tensor: Tensor) -> dict[str, Any]:
    items = [item.encode() if isinstance(item, str) else item for item in tensor.data]
    return {_FIELDS[tensor.datatype]: items}


async def _abort(context: Any, problem: Problem) -> Any:
    """End a call with the status code and the words of a problem."""
    wait = problem.headers.get("Retry-After")
    metadata = (("retry-after", wait),) if wait else ()
    code = _CODES.get(problem.status, grpc.StatusCode.INVALID_ARGUMENT)
    return await context.abort(code, shorten(problem.message, _LONGEST), metadata)
