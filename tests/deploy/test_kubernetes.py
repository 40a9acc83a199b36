"""Each manifest is held against Kubernetes' own schemas, the oldest and the newest that the validator carries."""

from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest

from lepton.bundle.manifest import Bundle
from lepton.core.errors import UserError
from lepton.deploy import _container, kubernetes
from lepton.deploy._names import label
from lepton.deploy._needs import WAITING_MB
from lepton.serve import server
from lepton.serve._limits import Limits

Parsed = Callable[..., dict[str, Any]]


@pytest.fixture
def objects(image_app: Bundle, parsed: Parsed) -> dict[str, Any]:
    return parsed(kubernetes.deploy(image_app, image="registry.example/digits:1", replicas=3, max_replicas=6))


@pytest.mark.parametrize("version", ["1.28", kubernetes_validate.latest_version()])
def test_every_object_keeps_its_schema(objects: dict[str, Any], version: str) -> None:
    assert set(objects) == {"deployment", "service", "autoscaler", "disruption-budget"}
    for item in objects.values():
        kubernetes_validate.validate(item, version, strict=True)


def test_the_schemas_do_refuse(objects: dict[str, Any]) -> None:
    objects["deployment"]["spec"]["template"]["spec"]["containers"][0]["lifecycle"]["preStop"]["sleeps"] = 5
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(objects["deployment"], "1.37", strict=True)


def pod(objects: dict[str, Any]) -> dict[str, Any]:
    return objects["deployment"]["spec"]["template"]["spec"]


def test_the_objects_find_each_other(objects: dict[str, Any], image_app: Bundle) -> None:
    labels = objects["deployment"]["spec"]["template"]["metadata"]["labels"].items()
    selectors = [
        objects["deployment"]["spec"]["selector"]["matchLabels"],
        objects["service"]["spec"]["selector"],
        objects["disruption-budget"]["spec"]["selector"]["matchLabels"],
    ]
    assert all(selector and selector.items() <= labels for selector in selectors)
    assert objects["autoscaler"]["spec"]["scaleTargetRef"]["name"] == objects["deployment"]["metadata"]["name"]
    assert all(item["metadata"]["name"] == label(image_app) for item in objects.values())
    (port,) = pod(objects)["containers"][0]["ports"]
    assert objects["service"]["spec"]["ports"][0]["targetPort"] == port["name"]


def test_replicas_are_the_autoscalers(objects: dict[str, Any]) -> None:
    assert "replicas" not in objects["deployment"]["spec"]
    assert (objects["autoscaler"]["spec"]["minReplicas"], objects["autoscaler"]["spec"]["maxReplicas"]) == (3, 6)


def test_a_pod_that_ends_answers_what_it_accepted(objects: dict[str, Any]) -> None:
    """It goes on until no request is sent to it, then has the server's own time, and some to spare."""
    (container,) = pod(objects)["containers"]
    sleep, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    drain = server._settings(server.Options())["timeout_graceful_shutdown"]
    assert sleep == "sleep"
    assert drain == _container.DRAIN
    assert pod(objects)["terminationGracePeriodSeconds"] > int(seconds) + drain
    assert objects["deployment"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_probes_ask_what_they_are_for(objects: dict[str, Any]) -> None:
    (container,) = pod(objects)["containers"]
    asked = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert asked == {"startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}


def test_the_pod_is_held_in_as_the_restricted_standard_asks(objects: dict[str, Any]) -> None:
    (container,) = pod(objects)["containers"]
    held = container["securityContext"]
    assert held["runAsNonRoot"] is True
    assert held["runAsUser"] > 0
    assert held["allowPrivilegeEscalation"] is False
    assert held["capabilities"] == {"drop": ["ALL"]}
    assert held["seccompProfile"]["type"] == "RuntimeDefault"
    assert held["readOnlyRootFilesystem"] is True
    assert pod(objects)["automountServiceAccountToken"] is False


def mebibytes(text: str) -> int:
    assert text.endswith("Mi")
    return int(text[:-2])


def test_memory_is_measured_and_leaves_room_for_the_largest_input(
    image_app: Bundle, text_app: Bundle, changed: Callable[..., Bundle], parsed: Parsed
) -> None:
    small = {**image_app.manifest.transform.settings, "max_pixels": 1_000_000}
    apps = {
        "pictures": image_app,
        "small pictures": changed(transform=type(image_app.manifest.transform)(name="image", settings=small)),
        "texts": text_app,
    }
    found = {}
    for name, app in apps.items():
        (container,) = pod(parsed(kubernetes.deploy(app)))["containers"]
        asked, most = container["resources"]["requests"], container["resources"]["limits"]
        assert 64 <= mebibytes(asked["memory"]) < mebibytes(most["memory"])
        assert asked["cpu"] == "1"
        found[name] = mebibytes(most["memory"]) - mebibytes(asked["memory"])
    waiting = Limits().held / 2**20
    assert found["small pictures"] - waiting > 1_000_000 * 20 / 2**20
    assert found["pictures"] - waiting > 64_000_000 * 20 / 2**20
    assert found["small pictures"] < found["texts"] < found["pictures"]


def test_room_for_waiting_bodies_is_what_the_server_lets_wait() -> None:
    assert Limits().held == WAITING_MB * 1e6


def test_cores_are_the_contracts_threads(changed: Callable[..., Bundle], parsed: Parsed) -> None:
    app = changed(contract={"asked": {"latency": {"p95_ms": 9.0, "threads": 2}}})
    (container,) = pod(parsed(kubernetes.deploy(app)))["containers"]
    assert container["resources"]["requests"]["cpu"] == "2"
    assert "cpu" not in container["resources"]["limits"]


def test_another_app_is_rolled_out(image_app: Bundle, text_app: Bundle, parsed: Parsed) -> None:
    templates = [parsed(kubernetes.deploy(app))["deployment"]["spec"]["template"] for app in (image_app, text_app)]
    assert [item["metadata"]["annotations"]["lepton/app-id"] for item in templates] == [image_app.id, text_app.id]
    assert templates[0]["spec"]["containers"][0]["image"] == f"{label(image_app)}:{image_app.id[:12]}"


def test_bounds_that_cross_are_refused(image_app: Bundle) -> None:
    with pytest.raises(UserError, match="11 and 10"):
        kubernetes.deploy(image_app, replicas=11)
