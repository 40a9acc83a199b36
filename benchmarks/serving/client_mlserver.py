# /// script
# dependencies = ["mlserver", "numpy"]
#
# [tool.environment]
# pinned = ["numpy", "grpcio"]
#
# [tool.serving]
# title = "MLServer"
# ///
"""MLServer's client side: its codecs and types over REST, its messages over gRPC, and `mlserver infer` on a file.

Usage: python client_mlserver.py JOB HTTP_PORT GRPC_PORT
"""

import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

import grpc
from _calls import Case, cases, tell
from mlserver.codecs import Base64Codec, NumpyCodec, StringCodec
from mlserver.grpc.converters import ModelInferRequestConverter, ModelInferResponseConverter
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub
from mlserver.types import (
    InferenceRequest,
    InferenceResponse,
    MetadataModelResponse,
    MetadataServerResponse,
    RequestInput,
)


def main() -> None:
    """Make every call."""
    given = cases(Path(sys.argv[1]))
    http, rpc = f"http://127.0.0.1:{sys.argv[2]}", f"127.0.0.1:{sys.argv[3]}"
    calls: dict[str, Callable[[], object]] = {"REST metadata": partial(_metadata, http)}
    for case in given:
        calls[f"REST {case.app}: raw"] = partial(_rest, http, case, _raw(case))
        calls[f"REST {case.app}: encoded"] = partial(_rest, http, case, _encoded(case))
        calls[f"gRPC {case.app}: raw"] = partial(_grpc, rpc, case, _plain(case))
        calls[f"gRPC {case.app}: encoded"] = partial(_grpc, rpc, case, _encoded(case))
        calls[f"mlserver infer {case.app}"] = partial(_file, http, case, [])
        calls[f"mlserver infer --binary-data {case.app}"] = partial(_file, http, case, ["--binary-data"])
    tell(calls)


def _metadata(http: str) -> bool:
    server = MetadataServerResponse.model_validate_json(_get(f"{http}/v2"))
    model = MetadataModelResponse.model_validate_json(_get(f"{http}/v2/models/image"))
    return server.name == "lepton" and [tensor.name for tensor in model.inputs or []] == ["raw", "image"]


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as reply:
        return bytes(reply.read())


def _raw(case: Case) -> InferenceRequest:
    """Texts, or media in base64."""
    items = [raw.decode() for raw in case.raws] if case.text else case.raws
    return InferenceRequest(inputs=[(StringCodec if case.text else Base64Codec).encode_input("raw", items)])


def _plain(case: Case) -> InferenceRequest:
    """Raw inputs as the bytes that they are."""
    return InferenceRequest(inputs=[RequestInput(name="raw", shape=[len(case.raws)], datatype="BYTES", data=case.raws)])


def _encoded(case: Case) -> InferenceRequest:
    return InferenceRequest(inputs=[NumpyCodec.encode_input(name, array) for name, array in case.encoded.items()])


def _rest(http: str, case: Case, sent: InferenceRequest) -> bool:
    body = sent.model_dump_json().encode()
    asked = urllib.request.Request(
        f"{http}/v2/models/{case.app}/infer", body, {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(asked, timeout=20) as reply:
        return _is_right(case, InferenceResponse.model_validate_json(reply.read()))


def _grpc(rpc: str, case: Case, sent: InferenceRequest) -> bool:
    with grpc.insecure_channel(rpc) as channel:
        request = ModelInferRequestConverter.from_types(sent, model_name=case.app, model_version=None)
        return _is_right(
            case, ModelInferResponseConverter.to_types(GRPCInferenceServiceStub(channel).ModelInfer(request))
        )


def _is_right(case: Case, found: InferenceResponse) -> bool:
    outputs = {output.name: output for output in found.outputs}
    scores = NumpyCodec.decode_output(outputs["score"])
    labels = StringCodec.decode_output(outputs["label"])
    width = scores.shape[1]
    return case.is_right([labels[start : start + width] for start in range(0, len(labels), width)], scores)


def _file(http: str, case: Case, options: list[str]) -> bool:
    """A line for each request, two sent together; answers bear the number of their line."""
    lines = [_encoded(case).model_dump_json()] * 4
    with tempfile.TemporaryDirectory() as name:
        sent, got = Path(name) / "sent.jsonl", Path(name) / "got.jsonl"
        sent.write_text("\n".join(lines), encoding="utf-8")
        command = [Path(sys.executable).with_name("mlserver"), "infer", "-u", http.removeprefix("http://")]
        command += ["-m", case.app, "-i", sent, "-o", got, "-w", "2", "-s", "2", *options]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        found = [json.loads(line) for line in got.read_text(encoding="utf-8").splitlines()]
    return len(found) == 4 and all(_is_right(case, InferenceResponse.model_validate(one)) for one in found)


if __name__ == "__main__":
    main()
