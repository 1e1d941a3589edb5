"""opentelemetry-instrumentation-langchain (OpenLLMetry)."""

from langchain_app import run_app
from providers import tracer_provider

PACKAGES = ("opentelemetry-instrumentation-langchain", "langchain-core", "langchain-openai")


def run(models: str, sink: str) -> None:
    from opentelemetry.instrumentation.langchain import LangchainInstrumentor

    traces = tracer_provider(sink)
    LangchainInstrumentor().instrument(tracer_provider=traces)
    run_app(models)
    traces.force_flush()
