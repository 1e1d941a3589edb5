"""openlit with OpenAI and Anthropic."""

from conversation import anthropic_calls, openai_calls

PACKAGES = ("openlit", "openai", "anthropic")


def run(models: str, sink: str) -> None:
    import openlit
    from anthropic import Anthropic
    from openai import OpenAI
    from opentelemetry import _logs, trace

    openlit.init(otlp_endpoint=sink, service_name="harbour", environment="staging", disable_metrics=True)
    openai_calls(OpenAI(base_url=f"{models}/v1", max_retries=0))
    anthropic_calls(Anthropic(base_url=models, max_retries=0))
    for provider in (trace.get_tracer_provider(), _logs.get_logger_provider()):
        if hasattr(provider, "force_flush"):
            provider.force_flush()
