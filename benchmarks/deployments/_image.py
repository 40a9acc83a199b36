"""A Dockerfile's steps followed without Docker: pip installs into a fresh environment, the server runs held in.

As root the container's own paths, user and read-only file system are kept, in a mount namespace; else the steps are
the same and the server runs as whoever asks.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path

from dockerfile_parse import DockerfileParser

_CAPABILITIES = ("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--clear-groups")


@dataclass
class Image:
    """What the steps of the Dockerfile in `folder` leave under `root`."""

    folder: Path
    root: Path
    arguments: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    place: Path = Path("/")
    held: bool = os.geteuid() == 0 and None not in (shutil.which("unshare"), shutil.which("setpriv"))

    def build(self) -> None:
        """Follow every step; raises CalledProcessError where one fails."""
        for step in DockerfileParser(str(self.folder / "Dockerfile")).structure:
            follow = getattr(self, f"_{step['instruction'].lower()}", None)
            if follow is not None:
                follow(step["value"])

    def command(self) -> list[str]:
        """How the server is started: ENTRYPOINT and CMD, word for word where the paths are the container's."""
        words = [*self._json("ENTRYPOINT"), *self._json("CMD")]
        inside = [str(self.root / "venv" / "bin" / words[0]), *words[1:]]
        if not self.held:
            return [str(self._inside(word)) if word.startswith("/srv") else word for word in inside]
        return ["unshare", "--mount", "sh", "-c", self._mounted(), "sh", *self._as_user(), *inside]

    def healthy(self) -> bool:
        """What HEALTHCHECK finds."""
        check = json.loads(self._last("HEALTHCHECK").partition("CMD ")[2])
        command = [self.root / "venv" / "bin" / check[0], *check[1:]]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def torch(self) -> bool:
        """Whether torch can be imported there."""
        command = [self.root / "venv" / "bin" / "python", "-c", "import torch"]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def _from(self, value: str) -> None:
        here = f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
        if value != here:
            raise ValueError(f"{value} is followed with {here}")
        venv.create(self.root / "venv", with_pip=True)

    def _env(self, value: str) -> None:
        self.settings.update(pair.split("=", 1) for pair in shlex.split(value))

    def _workdir(self, value: str) -> None:
        self.place = self._inside(value)
        self.place.mkdir(parents=True, exist_ok=True)

    def _copy(self, value: str) -> None:
        source, target = value.split()
        copy = shutil.copytree if (self.folder / source).is_dir() else shutil.copy
        copy(self.folder / source, self.place / target)

    def _run(self, value: str) -> None:
        path = f"{self.root / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        there = {**os.environ, **self.settings, **self.arguments, "PATH": path}
        subprocess.run(["sh", "-c", value], cwd=self.place, env=there, check=True, stdout=subprocess.DEVNULL)

    def _mounted(self) -> str:
        """The container's `/srv`, and nothing that can be written; what follows is run there."""
        steps = (
            "mount --make-rprivate /",
            f"mount --bind {shlex.quote(str(self._inside('/srv')))} /srv",
            "mount -o remount,bind,ro /srv",
            "mount -o remount,bind,ro /",
        )
        return " && ".join([*steps, 'exec "$@"'])

    def _as_user(self) -> list[str]:
        user, group = self._last("USER").split(":")
        return ["setpriv", f"--reuid={user}", f"--regid={group}", *_CAPABILITIES]

    def _inside(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def _json(self, instruction: str) -> list[str]:
        return list(json.loads(self._last(instruction)))

    def _last(self, instruction: str) -> str:
        steps = DockerfileParser(str(self.folder / "Dockerfile")).structure
        return next(step["value"] for step in reversed(steps) if step["instruction"] == instruction)
