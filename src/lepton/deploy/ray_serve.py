"""A Ray Serve application: a Python module, its config, and the same app folder."""

from pathlib import Path
from typing import Annotated, Any

from lepton.bundle.manifest import Bundle
from lepton.core.settings import Range
from lepton.deploy import _container, _names, _scale, _service
from lepton.deploy._deployment import Deployment, deployment
from lepton.deploy._install import OFFLINE, install_files
from lepton.deploy._needs import Needs, needs, speed

_MODULE = "service"


def deploy(
    bundle: Bundle,
    *,
    replicas: Annotated[int, Range(1, 1000)] = 1,
    max_replicas: Annotated[int, Range(1, 1000)] = 10,
) -> Deployment:
    """A module that loads the app in each replica, and a Serve config for `serve run` and `serve deploy`.

    replicas, max_replicas: the bounds of Ray's autoscaler.
    """
    _scale.check(replicas, max_replicas)
    files = {
        f"{_MODULE}.py": Path(_service.__file__),
        "serve.yaml": _container.document(_config(bundle, needs(bundle), (replicas, max_replicas))),
        **install_files(bundle, extra="ray"),
    }
    commands = ("python -m pip install --find-links wheels --requirement requirements.txt", "serve run serve.yaml")
    cluster = (
        "On a cluster every node needs this folder, or `runtime_env.working_dir` in serve.yaml names a zip of it; "
        "`serve deploy serve.yaml` sends the config."
    )
    notes = (_container.ask(bundle, _names.label(bundle)), cluster, OFFLINE, speed(bundle))
    return deployment(f"{bundle.manifest.name} on Ray Serve", files, commands=commands, notes=notes)


def _config(bundle: Bundle, wanted: Needs, bounds: tuple[int, int]) -> dict[str, Any]:
    name = _names.label(bundle)
    replica = {
        "name": _service.Service.__name__,
        "autoscaling_config": {"min_replicas": bounds[0], "max_replicas": bounds[1]},
        "ray_actor_options": {"num_cpus": wanted.threads, "memory": wanted.memory * 2**20},
    }
    application = {
        "name": name,
        "route_prefix": f"/v1/apps/{name}/predict",
        "import_path": f"{_MODULE}:{_service.build.__name__}",
        "args": {"threads": wanted.threads},
        "deployments": [replica],
    }
    return {
        "http_options": {"host": "0.0.0.0", "port": _container.PORT},
        "applications": [application],
    }
