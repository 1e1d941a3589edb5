"""opentelemetry-instrumentation-openai-v2 with the latest conventions: content on spans and in one details event."""

import os

from conversation import openai_calls
from openai import OpenAI
from providers import logger_provider, tracer_provider

PACKAGES = ("opentelemetry-instrumentation-openai-v2", "openai")


def run(models: str, sink: str) -> None:
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_AND_EVENT"
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    traces, logs = tracer_provider(sink), logger_provider(sink)
    OpenAIInstrumentor().instrument()
    openai_calls(OpenAI(base_url=f"{models}/v1", max_retries=0))
    traces.force_flush()
    logs.force_flush()
