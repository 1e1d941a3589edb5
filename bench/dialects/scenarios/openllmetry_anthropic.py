"""opentelemetry-instrumentation-anthropic (OpenLLMetry)."""

from conversation import anthropic_calls
from providers import tracer_provider

PACKAGES = ("opentelemetry-instrumentation-anthropic", "anthropic")


def run(models: str, sink: str) -> None:
    from anthropic import Anthropic
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

    traces = tracer_provider(sink)
    AnthropicInstrumentor().instrument(tracer_provider=traces)
    anthropic_calls(Anthropic(base_url=models, max_retries=0))
    traces.force_flush()
