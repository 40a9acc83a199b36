"""KServe's own part is held against the fields of its v1alpha1 and v1beta1 APIs, the container against Kubernetes'.

KServe's Python package cannot be installed beside Lepton (it wants an older protobuf), so the schema stands here;
`benchmarks/deployments` holds the same manifests against that package.
"""

from collections.abc import Callable
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from lepton.bundle.manifest import Bundle
from lepton.core.errors import UserError
from lepton.deploy import kserve
from lepton.deploy._names import label
from lepton.serve import server

Parsed = Callable[..., dict[str, Any]]
TEXT, NUMBER, FLAG = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}, {"type": "boolean"}


def record(required: str, **fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": required.split(), "additionalProperties": False}


def listed(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1}


METADATA = record("name", name=TEXT, annotations={"type": "object", "additionalProperties": TEXT})
FORMAT = record("name", name=TEXT, version=TEXT, autoSelect=FLAG, priority=NUMBER)
PROTOCOLS = {"enum": ["v1", "v2", "grpc-v1", "grpc-v2"]}
RUNTIME = record(
    "containers supportedModelFormats",
    containers=listed({"type": "object"}),
    supportedModelFormats=listed(FORMAT),
    protocolVersions=listed(PROTOCOLS),
)
MODEL = record(
    "modelFormat",
    modelFormat=record("name", name=TEXT, version=TEXT),
    runtime=TEXT,
    protocolVersion=PROTOCOLS,
    storageUri=TEXT,
)
PREDICTOR = record("model", minReplicas=NUMBER, maxReplicas=NUMBER, model=MODEL)
SCHEMAS = {
    ("serving.kserve.io/v1alpha1", "ServingRuntime"): RUNTIME,
    ("serving.kserve.io/v1beta1", "InferenceService"): record("predictor", predictor=PREDICTOR),
}


def validate(item: dict[str, Any]) -> None:
    spec = SCHEMAS[item["apiVersion"], item["kind"]]
    whole = record("apiVersion kind metadata spec", apiVersion=TEXT, kind=TEXT, metadata=METADATA, spec=spec)
    jsonschema.validate(item, whole)
    if containers := item["spec"].get("containers"):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": item["metadata"], "spec": {"containers": containers}}
        kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)


@pytest.fixture
def objects(image_app: Bundle, parsed: Parsed) -> dict[str, Any]:
    return parsed(kserve.deploy(image_app, image="registry.example/digits:1", replicas=0, max_replicas=4))


def test_every_object_keeps_its_schema(objects: dict[str, Any], image_app: Bundle, parsed: Parsed) -> None:
    assert set(objects) == {"serving-runtime", "inference-service"}
    fetched = parsed(kserve.deploy(image_app, storage_uri="s3://bucket/app"))
    for item in (*objects.values(), *fetched.values()):
        validate(item)


def test_the_schemas_do_refuse(objects: dict[str, Any]) -> None:
    objects["inference-service"]["spec"]["predictor"]["model"]["protocolVersion"] = "v3"
    with pytest.raises(jsonschema.ValidationError):
        validate(objects["inference-service"])
    objects["serving-runtime"]["spec"]["containers"][0]["ports"][0]["containerPort"] = "8000"
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(objects["serving-runtime"])


def test_the_service_finds_its_runtime_by_name_format_and_protocol(objects: dict[str, Any]) -> None:
    runtime, service = objects["serving-runtime"], objects["inference-service"]
    model = service["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["modelFormat"] in runtime["spec"]["supportedModelFormats"]
    assert [model["protocolVersion"]] == runtime["spec"]["protocolVersions"] == ["v2"]
    assert (service["spec"]["predictor"]["minReplicas"], service["spec"]["predictor"]["maxReplicas"]) == (0, 4)


def test_the_model_bears_the_services_name(objects: dict[str, Any], image_app: Bundle) -> None:
    """KServe's clients ask for /v2/models/<name of the service>/infer."""
    (container,) = objects["serving-runtime"]["spec"]["containers"]
    assert container["name"] == "kserve-container", "the one that KServe fills in"
    assert container["args"][:2] == ["serve", f"{label(image_app)}=/srv/app"]
    assert objects["inference-service"]["metadata"]["name"] == label(image_app)
    here = container["args"][1].replace("/srv/app", str(image_app.folder))
    assert list(server.load_all([here])) == [label(image_app)]


def test_a_fetched_app_is_served_from_where_kserve_lays_it(image_app: Bundle, parsed: Parsed) -> None:
    objects = parsed(kserve.deploy(image_app, storage_uri="pvc://models/digits"))
    (container,) = objects["serving-runtime"]["spec"]["containers"]
    assert container["args"][1] == f"{label(image_app)}=/mnt/models"
    assert objects["inference-service"]["spec"]["predictor"]["model"]["storageUri"] == "pvc://models/digits"


def test_nothing_is_set_that_knative_refuses(objects: dict[str, Any]) -> None:
    (container,) = objects["serving-runtime"]["spec"]["containers"]
    assert not {"lifecycle", "startupProbe", "stdin", "tty", "volumeDevices"} & set(container)
    assert not {"terminationGracePeriodSeconds", "dnsPolicy", "hostNetwork"} & set(objects["serving-runtime"]["spec"])


def test_bounds_that_cross_are_refused(image_app: Bundle) -> None:
    with pytest.raises(UserError, match="12 and 10"):
        kserve.deploy(image_app, replicas=12)
