"""Kubernetes manifests: a Deployment that drains before it ends, a Service, an autoscaler, a disruption budget."""

from typing import Annotated, Any

from lepton.bundle.manifest import Bundle
from lepton.core.settings import Range
from lepton.deploy import _container, _names, _scale
from lepton.deploy._container import document, probe
from lepton.deploy._deployment import Deployment, deployment
from lepton.deploy._needs import needs, speed

_UNNOTICED = 5
"""Seconds that a pod goes on answering after it was told to end: until then requests are still sent to it."""
_SPARE = 10
_VERSIONS = {
    "Deployment": "apps/v1",
    "Service": "v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "PodDisruptionBudget": "policy/v1",
}
_BUSY = 70
"""Percent of the cores asked for, above which another replica is started."""


def deploy(
    bundle: Bundle,
    *,
    image: str | None = None,
    replicas: Annotated[int, Range(1, 1000)] = 2,
    max_replicas: Annotated[int, Range(1, 1000)] = 10,
) -> Deployment:
    """Manifests for `kubectl apply`, one object a file.

    image: what the target docker built; replicas, max_replicas: the bounds of the autoscaler.
    """
    _scale.check(replicas, max_replicas)
    name = _names.label(bundle)
    objects = {
        "deployment": _deployment(bundle, _names.image(bundle, image)),
        "service": _service(bundle),
        "autoscaler": _autoscaler(bundle, (replicas, max_replicas)),
        "disruption-budget": _budget(bundle),
    }
    commands = ("kubectl apply --filename .", f"kubectl rollout status deployment/{name}")
    note = (
        "Memory was measured here, cores are the threads that the contract's latency was asked with. The image must be "
        "where the cluster finds it; `lepton deploy APP --target docker` makes one."
    )
    files = {f"{kind}.yaml": document(item) for kind, item in objects.items()}
    return deployment(f"{bundle.manifest.name} on Kubernetes", files, commands=commands, notes=(note, speed(bundle)))


def _deployment(bundle: Bundle, image: str) -> dict[str, Any]:
    """No count of replicas: that is the autoscaler's, and would be set back whenever the file is applied."""
    name = _names.label(bundle)
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": _UNNOTICED + _container.DRAIN + _SPARE,
        "containers": [{"name": name, "image": image, **_server(bundle)}],
    }
    about = {"labels": _labels(bundle), "annotations": {"lepton/app-id": bundle.id}}
    spec = {
        "selector": {"matchLabels": _selector(bundle)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": about, "spec": pod},
    }
    return _object("Deployment", bundle, spec)


def _server(bundle: Bundle) -> dict[str, Any]:
    return {
        "ports": [{"name": "http", "containerPort": _container.PORT}],
        "resources": _container.resources(needs(bundle)),
        "startupProbe": probe("/readyz", periodSeconds=1, timeoutSeconds=3, failureThreshold=120),
        "readinessProbe": probe("/readyz", periodSeconds=5, timeoutSeconds=3, failureThreshold=2),
        "livenessProbe": probe("/healthz", periodSeconds=10, timeoutSeconds=5, failureThreshold=6),
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(_UNNOTICED)]}}},
        "securityContext": _container.security(),
    }


def _service(bundle: Bundle) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "appProtocol": "http"}]
    return _object("Service", bundle, {"selector": _selector(bundle), "ports": ports})


def _autoscaler(bundle: Bundle, bounds: tuple[int, int]) -> dict[str, Any]:
    processor = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": _BUSY}}
    spec = {
        "scaleTargetRef": {
            "apiVersion": _VERSIONS["Deployment"],
            "kind": "Deployment",
            "name": _names.label(bundle),
        },
        "minReplicas": bounds[0],
        "maxReplicas": bounds[1],
        "metrics": [{"type": "Resource", "resource": processor}],
    }
    return _object("HorizontalPodAutoscaler", bundle, spec)


def _budget(bundle: Bundle) -> dict[str, Any]:
    """Nodes that are emptied take one pod at a time."""
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": _selector(bundle)}}
    return _object("PodDisruptionBudget", bundle, spec)


def _object(kind: str, bundle: Bundle, spec: dict[str, Any]) -> dict[str, Any]:
    about = {"name": _names.label(bundle), "labels": _labels(bundle)}
    return {"apiVersion": _VERSIONS[kind], "kind": kind, "metadata": about, "spec": spec}


def _labels(bundle: Bundle) -> dict[str, str]:
    return {**_selector(bundle), "app.kubernetes.io/version": _names.version(bundle)}


def _selector(bundle: Bundle) -> dict[str, str]:
    return {"app.kubernetes.io/name": _names.label(bundle)}
