"""opentelemetry-instrumentation-openai-v2 in its default mode: content as log records, one message each."""

import os

from conversation import openai_calls
from openai import OpenAI
from providers import logger_provider, tracer_provider

PACKAGES = ("opentelemetry-instrumentation-openai-v2", "openai")


def run(models: str, sink: str) -> None:
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "true"
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    traces, logs = tracer_provider(sink), logger_provider(sink)
    OpenAIInstrumentor().instrument()
    openai_calls(OpenAI(base_url=f"{models}/v1", max_retries=0))
    traces.force_flush()
    logs.force_flush()
