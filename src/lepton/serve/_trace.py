"""OpenTelemetry: a span a request, where the standard's own environment variables name an exporter."""

import os

from starlette.types import ASGIApp

from lepton.core.errors import MissingExtra


def traced(app: ASGIApp) -> ASGIApp:
    """The application within spans, where an exporter is set in the environment; else as it is.

    Raises MissingExtra where it is set and the extra `telemetry` is not installed.
    """
    asked = any(name.startswith("OTEL_EXPORTER_OTLP") for name in os.environ) or "OTEL_TRACES_EXPORTER" in os.environ
    if not asked:
        return app
    try:
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    except ImportError as error:
        raise MissingExtra("An exporter is set for OpenTelemetry, which is not installed", "telemetry") from error
    wrapped: ASGIApp = OpenTelemetryMiddleware(app, excluded_urls="healthz,readyz,metrics")
    return wrapped
