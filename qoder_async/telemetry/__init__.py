"""OpenTelemetry for a client: ``AsyncQoder(telemetry=OpenTelemetry())``; needs the extra ``otel``."""

try:
    import opentelemetry.trace  # noqa: F401  whether it is there
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        'qoder_async.telemetry needs opentelemetry-api: pip install "qoder-async[otel]"', name=_error.name
    ) from _error

from qoder_async.telemetry.open_telemetry import OpenTelemetry

__all__ = ["OpenTelemetry"]
