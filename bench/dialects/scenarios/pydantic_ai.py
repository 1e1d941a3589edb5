"""pydantic-ai's own instrumentation: an agent with a tool, and its model calls."""

from conversation import PRICE_QUESTION, QUESTION, SYSTEM, TOOL, TOOL_RESULT, refused
from providers import logger_provider, tracer_provider

PACKAGES = ("pydantic-ai-slim", "openai")


def run(models: str, sink: str) -> None:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    traces, logs = tracer_provider(sink), logger_provider(sink)
    Agent.instrument_all()
    provider = OpenAIProvider(base_url=f"{models}/v1", api_key="sk-fake")
    agent = Agent(OpenAIChatModel("gpt-fake", provider=provider), name="harbour_agent", instructions=SYSTEM)
    agent.run_sync(QUESTION, model_settings={"temperature": 0.2, "max_tokens": 64})
    tools = Agent(OpenAIChatModel("gpt-fake", provider=provider), name="price_agent")

    @tools.tool_plain(name=TOOL)
    def lookup_price(route: str) -> str:
        """Price of a ticket for a route"""
        return TOOL_RESULT

    tools.run_sync(PRICE_QUESTION)
    missing = Agent(OpenAIChatModel("missing-model", provider=provider), name="missing_agent")
    refused(lambda: missing.run_sync(QUESTION))
    traces.force_flush()
    logs.force_flush()
