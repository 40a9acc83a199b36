"""KServe manifests: a ServingRuntime that starts Lepton's server, and an InferenceService that speaks protocol v2."""

from typing import Annotated, Any

from lepton.bundle.manifest import Bundle
from lepton.core.settings import Range
from lepton.deploy import _container, _names, _scale
from lepton.deploy._container import document, probe
from lepton.deploy._deployment import Deployment, deployment
from lepton.deploy._needs import needs, speed

_FORMAT = "lepton"
_PROTOCOL = "v2"
_VERSIONS = {"ServingRuntime": "v1alpha1", "InferenceService": "v1beta1"}
_FETCHED = "/mnt/models"
"""Where KServe lays what `storageUri` names."""


def deploy(
    bundle: Bundle,
    *,
    image: str | None = None,
    storage_uri: str | None = None,
    replicas: Annotated[int, Range(0, 1000)] = 1,
    max_replicas: Annotated[int, Range(1, 1000)] = 10,
) -> Deployment:
    """Manifests for `kubectl apply`, one object a file.

    image: what the target docker built; storage_uri: where KServe fetches the app's folder from (s3://, gs://,
    pvc://, ...), else the image's own app is served; replicas, max_replicas: bounds, 0 where Knative may end the last.
    """
    _scale.check(replicas, max_replicas)
    name = _names.label(bundle)
    objects = {
        "serving-runtime": _runtime(bundle, _names.image(bundle, image), _FETCHED if storage_uri else _container.APP),
        "inference-service": _service(bundle, storage_uri, (replicas, max_replicas)),
    }
    commands = (
        "kubectl apply --filename .",
        f"kubectl wait --for=condition=Ready inferenceservice/{name} --timeout=300s",
    )
    note = f"The model's name in requests is `{name}`: `POST /v2/models/{name}/infer`."
    files = {f"{kind}.yaml": document(item) for kind, item in objects.items()}
    return deployment(f"{bundle.manifest.name} on KServe", files, commands=commands, notes=(note, speed(bundle)))


def _runtime(bundle: Bundle, image: str, folder: str) -> dict[str, Any]:
    """Only fields that Knative lets through too: no lifecycle and no grace period, since its own proxy drains."""
    name = _names.label(bundle)
    container = {
        "name": "kserve-container",
        "image": image,
        "args": _container.arguments(bundle, f"{name}={folder}"),
        "ports": [{"containerPort": _container.PORT, "protocol": "TCP"}],
        "resources": _container.resources(needs(bundle)),
        "readinessProbe": probe("/readyz", periodSeconds=5, timeoutSeconds=3, failureThreshold=3),
        "livenessProbe": probe(
            "/healthz", initialDelaySeconds=60, periodSeconds=10, timeoutSeconds=5, failureThreshold=6
        ),
        "securityContext": _container.security(),
    }
    spec = {
        "supportedModelFormats": [{"name": _FORMAT, "version": str(bundle.manifest.format)}],
        "protocolVersions": [_PROTOCOL],
        "containers": [container],
    }
    return _object("ServingRuntime", bundle, spec)


def _service(bundle: Bundle, storage_uri: str | None, bounds: tuple[int, int]) -> dict[str, Any]:
    model = {
        "modelFormat": {"name": _FORMAT, "version": str(bundle.manifest.format)},
        "runtime": _names.label(bundle),
        "protocolVersion": _PROTOCOL,
        **({"storageUri": storage_uri} if storage_uri else {}),
    }
    predictor = {"minReplicas": bounds[0], "maxReplicas": bounds[1], "model": model}
    return _object("InferenceService", bundle, {"predictor": predictor})


def _object(kind: str, bundle: Bundle, spec: dict[str, Any]) -> dict[str, Any]:
    about = {"name": _names.label(bundle), "annotations": {"lepton/app-id": bundle.id}}
    return {"apiVersion": f"serving.kserve.io/{_VERSIONS[kind]}", "kind": kind, "metadata": about, "spec": spec}
