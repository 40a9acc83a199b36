"""Running the application under uvicorn, in one process or several."""

import inspect
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lepton.core.errors import UserError
from lepton.runtime.app import App, load
from lepton.serve._bell import Bell
from lepton.serve._guard import Guard, read_keys
from lepton.serve._limits import Limits
from lepton.serve.application import application


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Where and how to serve.

    `port` 0 takes a free one; `threads` are those of a graph; `keys` is a file of API keys; `certificate` and
    `private_key` are PEM files for TLS; apps' folders are looked at each `watched` seconds, 0 for never.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    threads: int = 1
    limits: Limits = Limits()
    keys: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    watched: float = 0.0

    def guard(self) -> Guard:
        """Who may ask. Raises UserError for a file of keys that cannot be read."""
        return read_keys(self.keys, workers=self.workers) if self.keys else Guard()


def load_all(folders: Sequence[str], *, threads: int = 1) -> dict[str, App]:
    """Load apps, each under its own name or as `NAME=FOLDER` says.

    Raises UserError when two have one name.
    """
    apps: dict[str, App] = {}
    for given in folders:
        name, folder = _split(given)
        app = load(folder, threads=threads)
        name = name or app.name
        if name in apps:
            rule = "Each app that is served has a name of its own"
            raise UserError(
                "Two apps have one name", rule=rule, received=name, remedy="Say NAME=FOLDER for one of them"
            )
        apps[name] = app
    return apps


def bind(options: Options) -> socket.socket:
    """A listening socket, taken before anything is loaded so that a port in use is known at once."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((options.host, options.port))
    except (OSError, OverflowError) as error:
        listener.close()
        remedy = "Choose another with --port, or 0 for any free one"
        raise UserError(f"Cannot listen on {options.host}:{options.port}", rule=str(error), remedy=remedy) from error
    listener.listen(1024)
    listener.set_inheritable(True)
    return listener


def serve(apps: Mapping[str, App], listener: socket.socket, *, folders: Sequence[str], options: Options) -> None:
    """Serve until a signal ends it; accepted requests are answered first.

    With several workers each process loads `folders` again.
    """
    import uvicorn

    if options.workers == 1:
        made = _application(apps, folders=folders, options=options)
        uvicorn.Server(uvicorn.Config(made, **_settings(options))).run([listener])
        return
    with TemporaryDirectory(prefix="lepton-serve-") as shared:
        # The library of the meters reads this where it is imported: in the workers.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
        factory = partial(build, tuple(folders), options, Path(shared))
        config = uvicorn.Config(factory, factory=True, workers=options.workers, **_settings(options))
        _supervise(config, listener)


def _supervise(config: Any, listener: socket.socket) -> None:
    """Run uvicorn's supervisor; the older ones want to be told what each process runs."""
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    wanted = inspect.signature(Multiprocess).parameters
    target = {"target": uvicorn.Server(config).run} if "target" in wanted else {}
    supervisor: Any = Multiprocess
    supervisor(config, sockets=[listener], **target).run()


def build(folders: Sequence[str], options: Options, shared: Path) -> Any:
    """The application of one worker process; `shared` is a folder that all of them have."""
    apps = load_all(folders, threads=options.threads)
    return _application(apps, folders=folders, options=options, bell=Bell(shared))


def _application(apps: Mapping[str, App], *, folders: Sequence[str], options: Options, bell: Bell | None = None) -> Any:
    places = {name: Path(_split(given)[1]) for name, given in zip(apps, folders, strict=True)}
    how: Any = {"limits": options.limits, "guard": options.guard(), "watched": options.watched, "bell": bell}
    return application(apps, folders=places, **how)


def _settings(options: Options) -> dict[str, Any]:
    """What uvicorn is told."""
    return {
        "http": "httptools",
        "ws": "websockets-sansio",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "date_header": False,
        "timeout_graceful_shutdown": 30,
        "ssl_certfile": options.certificate,
        "ssl_keyfile": options.private_key,
    }


def _split(given: str) -> tuple[str, str]:
    name, sign, folder = given.partition("=")
    return (name, folder) if sign and not Path(given).exists() and "/" not in name else ("", given)
