"""openinference-instrumentation-anthropic, with session, user, tags and metadata."""

from conversation import anthropic_calls
from providers import tracer_provider

PACKAGES = ("openinference-instrumentation-anthropic", "anthropic")


def run(models: str, sink: str) -> None:
    from anthropic import Anthropic
    from openinference.instrumentation import using_attributes
    from openinference.instrumentation.anthropic import AnthropicInstrumentor

    traces = tracer_provider(sink)
    AnthropicInstrumentor().instrument(tracer_provider=traces)
    with using_attributes(session_id="s-1", user_id="u-1", tags=["beta"], metadata={"plan": "pro"}):
        anthropic_calls(Anthropic(base_url=models, max_retries=0))
    traces.force_flush()
