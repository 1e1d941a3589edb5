"""An application: the openai package under one stock instrumentation, exporting OTLP with the stock exporters.

Arguments: instrumentation, protocol (grpc or http), endpoint, base URL of the OpenAI server, service name, prompt.
"""

from __future__ import annotations

import sys

from openai import OpenAI
from opentelemetry import trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

instrumentation, protocol, endpoint, base_url, service, prompt = sys.argv[1:]

if protocol == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    spans, logs = OTLPSpanExporter(endpoint=endpoint, insecure=True), OTLPLogExporter(endpoint=endpoint, insecure=True)
else:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    spans, logs = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces"), OTLPLogExporter(endpoint=f"{endpoint}/v1/logs")

resource = Resource.create({"service.name": service})
tracers = TracerProvider(resource=resource)
tracers.add_span_processor(BatchSpanProcessor(spans))
trace.set_tracer_provider(tracers)
loggers = LoggerProvider(resource=resource)
loggers.add_log_record_processor(BatchLogRecordProcessor(logs))
set_logger_provider(loggers)

if instrumentation == "openai-v2":
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=tracers, logger_provider=loggers)
elif instrumentation == "openinference":
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=tracers)
else:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=tracers, logger_provider=loggers)

client = OpenAI(api_key="none", base_url=base_url, max_retries=0)
messages = [{"role": "system", "content": "Answer in one sentence."}, {"role": "user", "content": prompt}]
plain = client.chat.completions.create(model="small-1", messages=messages, temperature=0.2)
streamed = client.chat.completions.create(
    model="small-1", messages=messages, temperature=0.2, stream=True, stream_options={"include_usage": True}
)
text = "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices)
assert text == plain.choices[0].message.content
client.embeddings.create(model="vectors-1", input="ferry times", encoding_format="float")
assert tracers.force_flush()
assert loggers.force_flush()
tracers.shutdown()
loggers.shutdown()
