"""openinference-instrumentation-langchain."""

from langchain_app import run_app
from providers import tracer_provider

PACKAGES = ("openinference-instrumentation-langchain", "langchain-core", "langchain-openai")


def run(models: str, sink: str) -> None:
    from openinference.instrumentation.langchain import LangChainInstrumentor

    traces = tracer_provider(sink)
    LangChainInstrumentor().instrument(tracer_provider=traces)
    run_app(models, {"metadata": {"session_id": "s-1"}, "tags": ["beta"]})
    traces.force_flush()
