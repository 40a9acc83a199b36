"""The container: how the server is started in it, asked whether it lives, and held in."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import yaml

from lepton.bundle.manifest import Bundle
from lepton.core import plugins
from lepton.deploy._needs import Needs, threads

PORT = 8000
APP = "/srv/app"
USER = 10001
"""A number that no user of the image has; a cluster can see that it is not root."""

DRAIN = 30
"""Seconds that the server gives accepted requests after SIGTERM."""

_TYPES = {"image": "image/png", "audio": "audio/wav", "text": "text/plain"}


def arguments(bundle: Bundle, app: str = APP) -> list[str]:
    """What follows `lepton` to serve `app`, a folder of the container or NAME=FOLDER."""
    more = ["--threads", str(count)] if (count := threads(bundle)) > 1 else []
    return ["serve", app, "--host", "0.0.0.0", "--port", str(PORT), *more]


def ask(bundle: Bundle, name: str) -> str:
    """What to type to ask a server on this machine, where the app is called `name`."""
    kind = _TYPES.get(plugins.load("tasks", bundle.manifest.task).MODALITY, "application/octet-stream")
    url = f"http://localhost:{PORT}/v1/apps/{quote(name, safe='')}/predict"
    return f'Then ask it:\n\n```sh\ncurl --data-binary @FILE --header "Content-Type: {kind}" {url}\n```'


def security() -> dict[str, Any]:
    """What the restricted Pod Security Standard asks of a container, and a file system that cannot be written."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def resources(wanted: Needs) -> dict[str, Any]:
    """Cores without a limit, since a limit makes answers wait; memory with one."""
    return {
        "requests": {"cpu": str(wanted.threads), "memory": f"{wanted.memory}Mi"},
        "limits": {"memory": f"{wanted.most_memory}Mi"},
    }


def probe(path: str, **times: int) -> dict[str, Any]:
    """An HTTP probe of the server."""
    return {"httpGet": {"path": path, "port": PORT}, **times}


def document(value: Mapping[str, Any]) -> bytes:
    """One YAML document, its keys in the order given."""
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000)
    return text.encode()
