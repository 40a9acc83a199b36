"""A folder from which `docker build` makes an image: the app and the base install, without PyTorch."""

import json
import sys

from lepton.bundle.manifest import Bundle
from lepton.deploy import _container, _names
from lepton.deploy._deployment import Deployment, deployment
from lepton.deploy._install import OFFLINE, install_files
from lepton.deploy._needs import speed

_HEALTHY = (
    "from http.client import HTTPConnection; "
    f"c = HTTPConnection('127.0.0.1', {_container.PORT}, timeout=3); "
    "c.request('GET', '/readyz'); "
    "raise SystemExit(c.getresponse().status != 200)"
)
_KEPT = ("requirements.txt", "wheels/", "app/")


def deploy(bundle: Bundle, *, image: str | None = None) -> Deployment:
    """A Dockerfile, what it copies, and the commands that build and run it.

    image: the image's name; else the app's, with its id as the tag.
    """
    name = _names.image(bundle, image)
    ignored = "\n".join(["*", *(f"!{kept}" for kept in _KEPT)]) + "\n"
    files = {
        "Dockerfile": _dockerfile(bundle).encode(),
        ".dockerignore": ignored.encode(),
        **install_files(bundle),
    }
    port = _container.PORT
    held = f"--read-only --cap-drop ALL --security-opt no-new-privileges --stop-timeout {_container.DRAIN + 5}"
    commands = (f"docker build --tag {name} .", f"docker run --rm --publish {port}:{port} {held} {name}")
    offline = f"{OFFLINE} Then `docker build --build-arg PIP_NO_INDEX=1` needs the base image and nothing else."
    notes = (_container.ask(bundle, bundle.manifest.name), offline, speed(bundle))
    return deployment(f"{bundle.manifest.name} as an image", files, commands=commands, notes=notes)


def _dockerfile(bundle: Bundle) -> str:
    """The steps: installed first, since that changes least; the app last; a number for a user, so not root."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"""\
# Written by lepton deploy: {_names.label(bundle)}, app {bundle.id}
FROM python:{python}-slim

ENV PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /srv

# With --build-arg PIP_NO_INDEX=1 only the wheels of this folder are used.
ARG PIP_NO_INDEX
COPY wheels/ wheels/
COPY requirements.txt ./
RUN python -m pip install --find-links wheels --requirement requirements.txt
COPY app/ app/

USER {_container.USER}:{_container.USER}
EXPOSE {_container.PORT}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD {json.dumps(["python", "-c", _HEALTHY])}
ENTRYPOINT ["lepton"]
CMD {json.dumps(_container.arguments(bundle))}
"""
