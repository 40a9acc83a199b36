"""The messages of the Open Inference Protocol over gRPC, made from the table of their fields.

Parameters, which nothing here asks, are not among them: fields that are not known are passed over.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped]

PACKAGE = "inference"
SERVICE = f"{PACKAGE}.GRPCInferenceService"

_NAME = (1, "name", "string")
_VERSIONED = (_NAME, (2, "version", "string"))
_TENSOR = (_NAME, (2, "datatype", "string"), (3, "shape", "int64[]"))
_FULL = (*_TENSOR, (5, "contents", "InferTensorContents"))
_CONTENTS = (
    *((1, "bool_contents", "bool[]"), (2, "int_contents", "int32[]"), (3, "int64_contents", "int64[]")),
    *((4, "uint_contents", "uint32[]"), (5, "uint64_contents", "uint64[]"), (6, "fp32_contents", "float[]")),
    *((7, "fp64_contents", "double[]"), (8, "bytes_contents", "bytes[]")),
)
_ASKED = ((1, "model_name", "string"), (2, "model_version", "string"), (3, "id", "string"))
_METADATA = (
    *(_NAME, (2, "versions", "string[]"), (3, "platform", "string")),
    *(
        (4, "inputs", "ModelMetadataResponse.TensorMetadata[]"),
        (5, "outputs", "ModelMetadataResponse.TensorMetadata[]"),
    ),
)
_CONFIG = (
    *(_NAME, (2, "platform", "string"), (4, "max_batch_size", "int32")),
    *((5, "input", "ModelInput[]"), (6, "output", "ModelOutput[]")),
)

# Number, name and kind of every field. A message within another stands behind it; kinds in capitals are messages.
_TABLE: dict[str, tuple[tuple[int, str, str], ...]] = {
    "ServerLiveRequest": (),
    "ServerLiveResponse": ((1, "live", "bool"),),
    "ServerReadyRequest": (),
    "ServerReadyResponse": ((1, "ready", "bool"),),
    "ServerMetadataRequest": (),
    "ServerMetadataResponse": (*_VERSIONED, (3, "extensions", "string[]")),
    "ModelReadyRequest": _VERSIONED,
    "ModelReadyResponse": ((1, "ready", "bool"),),
    "ModelMetadataRequest": _VERSIONED,
    "ModelMetadataResponse": _METADATA,
    "ModelMetadataResponse.TensorMetadata": _TENSOR,
    "InferTensorContents": _CONTENTS,
    "ModelInferRequest": (
        *_ASKED,
        (5, "inputs", "ModelInferRequest.InferInputTensor[]"),
        (6, "outputs", "ModelInferRequest.InferRequestedOutputTensor[]"),
        (7, "raw_input_contents", "bytes[]"),
    ),
    "ModelInferRequest.InferInputTensor": _FULL,
    "ModelInferRequest.InferRequestedOutputTensor": (_NAME,),
    "ModelInferResponse": (
        *_ASKED,
        (5, "outputs", "ModelInferResponse.InferOutputTensor[]"),
        (6, "raw_output_contents", "bytes[]"),
    ),
    "ModelInferResponse.InferOutputTensor": _FULL,
    "RepositoryIndexRequest": ((1, "repository_name", "string"), (2, "ready", "bool")),
    "RepositoryIndexResponse": ((1, "models", "RepositoryIndexResponse.ModelIndex[]"),),
    "RepositoryIndexResponse.ModelIndex": (*_VERSIONED, (3, "state", "string"), (4, "reason", "string")),
    # The kind of an element is an enumeration, which travels as the number that it is.
    "ModelInput": (_NAME, (2, "data_type", "int32"), (4, "dims", "int64[]"), (8, "optional", "bool")),
    "ModelOutput": (_NAME, (2, "data_type", "int32"), (3, "dims", "int64[]")),
    "ModelConfig": _CONFIG,
    "StatisticDuration": ((1, "count", "uint64"), (2, "ns", "uint64")),
    "InferStatistics": ((1, "success", "StatisticDuration"), (2, "fail", "StatisticDuration")),
    "ModelStatistics": (
        *_VERSIONED,
        *((4, "inference_count", "uint64"), (5, "execution_count", "uint64")),
        (6, "inference_stats", "InferStatistics"),
    ),
    "ModelStatisticsRequest": _VERSIONED,
    "ModelStatisticsResponse": ((1, "model_stats", "ModelStatistics[]"),),
    "ModelConfigRequest": _VERSIONED,
    "ModelConfigResponse": ((1, "config", "ModelConfig"),),
}


def classes() -> dict[str, Any]:
    """The class of every message that stands in no other, by its name.

    They live in a pool of their own, so that another definition of the protocol in this process is not met.
    """
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(_file().SerializeToString())
    names = [name for name in _TABLE if "." not in name]
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in names}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="open_inference.proto", package=PACKAGE, syntax="proto3")
    made: dict[str, descriptor_pb2.DescriptorProto] = {}
    for path, fields in _TABLE.items():
        parent, _, name = path.rpartition(".")
        made[path] = (made[parent].nested_type if parent else file.message_type).add(name=name)
        for number, field, kind in fields:
            made[path].field.add(name=field, number=number, **_kind(kind))
    return file


def _kind(kind: str) -> dict[str, Any]:
    """How a field's kind is described."""
    field = descriptor_pb2.FieldDescriptorProto
    one = kind.removesuffix("[]")
    label = field.LABEL_REPEATED if one != kind else field.LABEL_OPTIONAL
    if one[0].isupper():
        return {"label": label, "type": field.TYPE_MESSAGE, "type_name": f".{PACKAGE}.{one}"}
    return {"label": label, "type": field.Type.Value(f"TYPE_{one.upper()}")}
