"""The gRPC server, in the process and on the event loop of the HTTP server: the calls, and the health check."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from lepton.core.errors import UserError
from lepton.serve._calls import Calls
from lepton.serve._guard import Guard
from lepton.serve._messages import SERVICE
from lepton.serve._service import Service

_BESIDE = 64  # calls that ask no app, such as those that watch the health
_LAST = 0.25  # seconds in which the last answers are on their way


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen, together with other processes that do; with TLS where its two files are given."""

    host: str
    port: int
    certificate: Path | None = None
    private_key: Path | None = None


@asynccontextmanager
async def serving(address: Address, guard: Guard, service: Service) -> AsyncIterator[int]:
    """Serve over gRPC while the context is open, and give the port; calls that were taken are answered before its end.

    Raises UserError where the address cannot be listened on.
    """
    checks = health.aio.HealthServicer()
    await checks.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    calls = Calls(service, guard)
    server = grpc.aio.server(options=_options(address, service), maximum_concurrent_rpcs=_most(service))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, calls.handlers()),))
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    port = _listen(server, address)
    await server.start()
    try:
        yield port
    finally:
        await checks.enter_graceful_shutdown()
        await _stop(server, calls, service.limits.seconds)


def _options(address: Address, service: Service) -> Sequence[tuple[str, int]]:
    return (
        ("grpc.max_receive_message_length", service.limits.body),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 1),
    )


def _most(service: Service) -> int:
    """Calls at one time: as many as may wait for the apps, and some that ask none."""
    return service.limits.queue * len(service.shelf.names) + _BESIDE


def _listen(server: Any, address: Address) -> int:
    host = f"[{address.host}]" if ":" in address.host else address.host
    place = f"{host}:{address.port}"
    try:
        if address.certificate is None or address.private_key is None:
            return int(server.add_insecure_port(place))
        pair = (address.private_key.read_bytes(), address.certificate.read_bytes())
        return int(server.add_secure_port(place, grpc.ssl_server_credentials([pair])))
    except (RuntimeError, OSError) as error:
        remedy = "Choose another with --grpc-port"
        raise UserError(f"Cannot listen on {place} for gRPC", rule=str(error), remedy=remedy) from error


async def _stop(server: Any, calls: Calls, seconds: float) -> None:
    """Take no new calls, and end when those that run are answered; who watches the health is not waited for."""
    stopping = asyncio.ensure_future(server.stop(seconds))
    while calls.running and not stopping.done():
        await asyncio.sleep(0.01)
    await server.stop(_LAST)
    await stopping
