"""The conversations that every package is recorded with, in the words of each API."""

from __future__ import annotations

from typing import Any

SYSTEM = "Be brief."
QUESTION = "When does the ferry leave?"
STREAMED = "Is the ferry on time?"
PRICE_QUESTION = "What does a ticket to the island cost?"
TOOL_RESULT = "12 euro"
TEXT = "harbour timetable"
DOCUMENTS = ["Ferries leave the old pier at 08:10.", "Tickets are sold on board."]
TOOL = "lookup_price"
SCHEMA = {"type": "object", "properties": {"route": {"type": "string"}}, "required": ["route"]}
DESCRIPTION = "Price of a ticket for a route"
OPENAI_TOOL = {"type": "function", "function": {"name": TOOL, "description": DESCRIPTION, "parameters": SCHEMA}}
ANTHROPIC_TOOL = {"name": TOOL, "description": DESCRIPTION, "input_schema": SCHEMA}
ASKED = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]


def openai_calls(client: Any, stream_usage: bool = True) -> None:
    """Chat, stream, tool call with its second turn, embedding, and a model that does not exist."""
    client.chat.completions.create(model="gpt-fake", messages=ASKED, temperature=0.2, max_tokens=64, seed=7)
    options = {"stream_options": {"include_usage": True}} if stream_usage else {}
    for _ in client.chat.completions.create(
        model="gpt-fake", messages=[{"role": "user", "content": STREAMED}], stream=True, **options
    ):
        pass
    messages: list[Any] = [{"role": "user", "content": PRICE_QUESTION}]
    first = client.chat.completions.create(model="gpt-fake", messages=messages, tools=[OPENAI_TOOL])
    call = first.choices[0].message.tool_calls[0]
    named = {"name": call.function.name, "arguments": call.function.arguments}
    messages.append(
        {"role": "assistant", "content": None, "tool_calls": [{"id": call.id, "type": "function", "function": named}]}
    )
    messages.append({"role": "tool", "tool_call_id": call.id, "content": TOOL_RESULT})
    client.chat.completions.create(model="gpt-fake", messages=messages, tools=[OPENAI_TOOL])
    client.embeddings.create(model="embed-fake", input=TEXT)
    refused(
        lambda: client.chat.completions.create(model="missing-model", messages=[{"role": "user", "content": QUESTION}])
    )


def anthropic_calls(client: Any) -> None:
    """Chat, stream, tool call with its second turn, and a model that does not exist."""
    ask = {"model": "claude-fake", "max_tokens": 64}
    client.messages.create(**ask, system=SYSTEM, messages=[{"role": "user", "content": QUESTION}])
    for _ in client.messages.create(**ask, messages=[{"role": "user", "content": STREAMED}], stream=True):
        pass
    messages: list[Any] = [{"role": "user", "content": PRICE_QUESTION}]
    first = client.messages.create(**ask, messages=messages, tools=[ANTHROPIC_TOOL])
    call = first.content[0]
    messages.append(
        {"role": "assistant", "content": [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}]}
    )
    messages.append(
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": TOOL_RESULT}]}
    )
    client.messages.create(**ask, messages=messages, tools=[ANTHROPIC_TOOL])
    refused(
        lambda: client.messages.create(
            model="missing-model", max_tokens=64, messages=[{"role": "user", "content": QUESTION}]
        )
    )


def refused(call: Any) -> None:
    """Runs what must fail."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - every library has its own error
        print(f"refused as it should be: {type(error).__name__}")
    else:
        raise AssertionError("the call was answered")
