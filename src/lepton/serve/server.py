"""Running the application under uvicorn, in one process or several."""

import inspect
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lepton.core.errors import MissingExtra, UserError
from lepton.runtime.app import App, load
from lepton.serve import _log
from lepton.serve._bell import Bell
from lepton.serve._guard import Guard, read_keys
from lepton.serve._limits import Limits
from lepton.serve.application import Beside, application


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Where and how to serve.

    A `port` 0 is a free one, and without `grpc_port` there is no gRPC; `threads` are those of a graph; `keys` is a
    file of API keys; `certificate` and `private_key` are PEM files for TLS; apps' folders are looked at each `watched`
    seconds, 0 for never; with `access` the log has a line for each request.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    grpc_port: int | None = None
    workers: int = 1
    threads: int = 1
    limits: Limits = Limits()
    keys: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    watched: float = 0.0
    access: bool = False

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
    listener = _bound(options.host, options.port, "--port")
    listener.listen(1024)
    listener.set_inheritable(True)
    return listener


@contextmanager
def reserved(options: Options) -> Iterator[Options]:
    """`options` with the port of gRPC, which this process keeps until each that serves listens on it as well.

    Raises MissingExtra where gRPC is asked for and not installed, UserError for a port in use.
    """
    if options.grpc_port is None:
        yield options
        return
    if find_spec("grpc_health") is None:
        raise MissingExtra("A port for gRPC was given, and gRPC is not installed", "grpc")
    with _bound(options.host, options.grpc_port, "--grpc-port") as free:
        port = free.getsockname()[1]
    if not hasattr(socket, "SO_REUSEPORT"):
        yield replace(options, grpc_port=port)
        return
    with _bound(options.host, port, "--grpc-port", shared=True):
        yield replace(options, grpc_port=port)


def _bound(host: str, port: int, flag: str, *, shared: bool = False) -> socket.socket:
    """A socket at an address that nobody else listens on."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT if shared else socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except (OSError, OverflowError) as error:
        made.close()
        remedy = f"Choose another with {flag}, or 0 for any free one"
        raise UserError(f"Cannot listen on {host}:{port}", rule=str(error), remedy=remedy) from error
    return made


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
    _log.start(access=options.access)
    apps = load_all(folders, threads=options.threads)
    return _application(apps, folders=folders, options=options, bell=Bell(shared))


def _application(apps: Mapping[str, App], *, folders: Sequence[str], options: Options, bell: Bell | None = None) -> Any:
    places = {name: Path(_split(given)[1]) for name, given in zip(apps, folders, strict=True)}
    guard = options.guard()
    how: Any = {"limits": options.limits, "guard": guard, "watched": options.watched, "bell": bell}
    return application(apps, folders=places, beside=_beside(options, guard), **how)


def _beside(options: Options, guard: Guard) -> Beside | None:
    """What serves over gRPC, where that is asked for."""
    if options.grpc_port is None:
        return None
    from lepton.serve import _grpc

    files = {"certificate": options.certificate, "private_key": options.private_key}
    return partial(_grpc.serving, _grpc.Address(host=options.host, port=options.grpc_port, **files), guard)


def _settings(options: Options) -> dict[str, Any]:
    """What uvicorn is told."""
    from lepton.serve._wire import Frames, Wire

    return {
        "http": partial(Wire, limits=options.limits),
        "ws": Frames,
        # A compressed frame could be a thousand times what was sent, before a protocol sees how long it is.
        "ws_per_message_deflate": False,
        "ws_max_size": 2**20,
        # Whoever stands before this server tells nothing that it would need, and each layer costs.
        "proxy_headers": False,
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
