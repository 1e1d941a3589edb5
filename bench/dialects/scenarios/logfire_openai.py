"""logfire with instrument_openai and instrument_anthropic."""

from conversation import anthropic_calls, openai_calls

PACKAGES = ("logfire", "openai", "anthropic")


def run(models: str, sink: str) -> None:
    import logfire
    from anthropic import Anthropic
    from openai import OpenAI

    logfire.configure(send_to_logfire=False, console=False, inspect_arguments=False)
    openai, anthropic = OpenAI(base_url=f"{models}/v1", max_retries=0), Anthropic(base_url=models, max_retries=0)
    logfire.instrument_openai(openai)
    logfire.instrument_anthropic(anthropic)
    openai_calls(openai)
    anthropic_calls(anthropic)
    logfire.force_flush()
