"""openinference-instrumentation-openai, with session, user, tags and metadata."""

from conversation import openai_calls
from providers import tracer_provider

PACKAGES = ("openinference-instrumentation-openai", "openai")


def run(models: str, sink: str) -> None:
    from openai import OpenAI
    from openinference.instrumentation import using_attributes
    from openinference.instrumentation.openai import OpenAIInstrumentor

    traces = tracer_provider(sink)
    OpenAIInstrumentor().instrument(tracer_provider=traces)
    with using_attributes(session_id="s-1", user_id="u-1", tags=["beta"], metadata={"plan": "pro"}):
        openai_calls(OpenAI(base_url=f"{models}/v1", max_retries=0))
    traces.force_flush()
