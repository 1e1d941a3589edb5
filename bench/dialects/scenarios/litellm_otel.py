"""litellm's OpenTelemetry callback."""

import os
import time

from conversation import ASKED, OPENAI_TOOL, PRICE_QUESTION, QUESTION, STREAMED, TEXT, refused

PACKAGES = ("litellm",)


def run(models: str, sink: str) -> None:
    os.environ |= {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "OTEL_EXPORTER": "otlp_http",
        "OTEL_ENDPOINT": f"{sink}/v1/traces",
    }
    import litellm
    from litellm.integrations.opentelemetry import OpenTelemetry, OpenTelemetryConfig

    handler = OpenTelemetry(config=OpenTelemetryConfig(exporter="otlp_http", endpoint=f"{sink}/v1/traces"))
    litellm.callbacks = [handler]
    given = {"model": "openai/gpt-fake", "api_base": f"{models}/v1", "api_key": "sk-fake", "num_retries": 0}
    litellm.completion(**given, messages=ASKED, temperature=0.2, max_tokens=64, user="u-1")
    asked = [{"role": "user", "content": STREAMED}]
    for _ in litellm.completion(**given, messages=asked, stream=True, stream_options={"include_usage": True}):
        pass
    litellm.completion(**given, messages=[{"role": "user", "content": PRICE_QUESTION}], tools=[OPENAI_TOOL])
    litellm.embedding(**{**given, "model": "openai/embed-fake"}, input=[TEXT])
    refused(
        lambda: litellm.completion(
            **{**given, "model": "openai/missing-model"}, messages=[{"role": "user", "content": QUESTION}]
        )
    )
    time.sleep(2)
    from opentelemetry import trace

    trace.get_tracer_provider().force_flush()
