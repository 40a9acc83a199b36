"""OpenTelemetry: a span a request, where the standard's own environment variables name an exporter."""

import asyncio
import os
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lepton.core.errors import MissingExtra, UserError

_NAMED = "OTEL_TRACES_EXPORTER"


def traced(app: ASGIApp) -> ASGIApp:
    """The application within spans, where an exporter is set in the environment; else as it is.

    OTEL_EXPORTER_OTLP_ENDPOINT (and its kin) sends them over HTTP, OTEL_TRACES_EXPORTER=console prints them, as the
    OpenTelemetry specification has it; OTEL_SERVICE_NAME names the service. Raises MissingExtra where an exporter is
    set and the extra `telemetry` is not installed, UserError for an exporter that is not known.
    """
    name = os.environ.get(_NAMED, "otlp" if any(key.startswith("OTEL_EXPORTER_OTLP") for key in os.environ) else "none")
    if name == "none":
        return app
    if name not in ("otlp", "console"):
        raise UserError(f"{_NAMED} names no exporter", rule="It is otlp, console or none", received=name)
    try:
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

        provider = _provider(name)
    except ImportError as error:
        raise MissingExtra("An exporter is set for OpenTelemetry, which is not installed", "telemetry") from error
    how: Any = {"excluded_urls": "healthz,readyz,metrics", "exclude_spans": ["receive", "send"]}
    return _handing_over(OpenTelemetryMiddleware(app, tracer_provider=provider, **how), provider)


def _handing_over(app: ASGIApp, provider: Any) -> ASGIApp:
    """The application, which hands over its last spans before it says that it ended: a signal may end the process."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def telling(message: Message) -> None:
            if message["type"] == "lifespan.shutdown.complete":
                await asyncio.to_thread(provider.shutdown)
            await send(message)

        await app(scope, receive, telling if scope["type"] == "lifespan" else send)

    return wrapped


def _provider(name: str) -> Any:
    """What makes spans and hands them over in the background."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter() if name == "otlp" else ConsoleSpanExporter()))
    return provider
