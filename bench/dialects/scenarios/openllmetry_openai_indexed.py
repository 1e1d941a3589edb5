"""opentelemetry-instrumentation-openai (OpenLLMetry), 0.40: messages as indexed attributes."""

from conversation import openai_calls
from providers import tracer_provider

PACKAGES = ("opentelemetry-instrumentation-openai", "openai")


def run(models: str, sink: str) -> None:
    from openai import OpenAI
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    traces = tracer_provider(sink)
    OpenAIInstrumentor().instrument(tracer_provider=traces)
    openai_calls(OpenAI(base_url=f"{models}/v1", max_retries=0))
    traces.force_flush()
