"""opentelemetry-instrumentation-google-genai: Gemini, content on spans and events."""

import os

from conversation import DESCRIPTION, PRICE_QUESTION, QUESTION, SCHEMA, STREAMED, SYSTEM, TOOL, refused
from providers import logger_provider, tracer_provider

PACKAGES = ("opentelemetry-instrumentation-google-genai", "google-genai")


def run(models: str, sink: str) -> None:
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_AND_EVENT"
    from google import genai
    from google.genai import types
    from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor

    traces, logs = tracer_provider(sink), logger_provider(sink)
    GoogleGenAiSdkInstrumentor().instrument()
    client = genai.Client(api_key="fake", http_options=types.HttpOptions(base_url=models))
    settings = types.GenerateContentConfig(system_instruction=SYSTEM, temperature=0.2, max_output_tokens=64)
    client.models.generate_content(model="gemini-fake", contents=QUESTION, config=settings)
    for _ in client.models.generate_content_stream(model="gemini-fake", contents=STREAMED):
        pass
    tool = types.Tool(
        function_declarations=[
            types.FunctionDeclaration(name=TOOL, description=DESCRIPTION, parameters_json_schema=SCHEMA)
        ]
    )
    client.models.generate_content(
        model="gemini-fake", contents=PRICE_QUESTION, config=types.GenerateContentConfig(tools=[tool])
    )
    refused(lambda: client.models.generate_content(model="missing-model", contents=QUESTION))
    traces.force_flush()
    logs.force_flush()
