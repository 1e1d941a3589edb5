"""Message lists that repeat what other columns hold are not stored again: a marker says how they are read back.

Most calls ask one question, with or without a system prompt, and get one answer. Their lists would double the text of a span.

- `input_messages` is `user` for the one message in `prompt_text`, `system user` where `system_instructions` precede it;
- `output_messages` is `assistant` for the one answer in `response_text`, with its finish reason behind a space where it has one.

Anything else is the JSON list. A marker is never mistaken for one: lists begin with `[`.
"""

from __future__ import annotations

from leewatch.semconv import messages
from leewatch.semconv.lookup import value

_OTHER_PROMPT = ("tool", "retriever", "reranker", "embedding")
"""Kinds of spans whose `prompt_text` may come from elsewhere than the messages."""
_PLAIN = "empty(m.3) AND m.4 = '' AND m.5 = '' AND m.7 = ''"
_ASKED = ("['user']", "['system', 'user']")


def input_marker() -> str:
    """SQL: the marker of the messages `inputs`, '' where they need a list."""
    roles = f"arrayMap(m -> if({_PLAIN} AND m.6 = '', m.1, ''), inputs)"
    own = f"kind IN ({messages.quoted(_OTHER_PROMPT)[1:-1]})"
    marker = (
        f"multiIf(r = {_ASKED[0]}, 'user', r = {_ASKED[1]} AND {value('system_instructions')} = '', 'system user', '')"
    )
    return f"arrayMap(r -> {marker}, [if({own} OR length(inputs) > 2, [], {roles})])[1]"


def output_marker() -> str:
    """SQL: the marker of the messages `outputs`, '' where they need a list."""
    plain = f"length(outputs) = 1 AND arrayAll(m -> m.1 = 'assistant' AND {_PLAIN}, outputs)"
    return f"if({plain}, trimRight(concat('assistant ', outputs[1].6)), '')"


def stored(name: str) -> str:
    """SQL: what is stored of `inputs` or `outputs`; NULL when there are no messages. Their marker is a column of that name."""
    marker = f"{name[:-1]}_marker"
    return f"multiIf(empty({name}), NULL, {marker} != '', {marker}, {messages.json(name)})"


def read_inputs(stored: str, prompt: str, system: str) -> str:
    """SQL: the JSON list that `inputs` stood for; NULL stays NULL."""
    asked = f"concat('{{\"role\":\"user\",\"content\":', toJSONString(ifNull({prompt}, '')), '}}]')"
    told = f"concat('[{{\"role\":\"system\",\"content\":', toJSONString(ifNull({system}, '')), '}},', {asked})"
    return f"multiIf({stored} = 'user', concat('[', {asked}), {stored} = 'system user', {told}, {stored})"


def read_outputs(stored: str, response: str) -> str:
    """SQL: the JSON list that `outputs` stood for; NULL stays NULL."""
    reason = f"substring(assumeNotNull({stored}), {len('assistant ') + 1})"
    finish = f"if({reason} = '', '', concat(',\"finish_reason\":', toJSONString({reason})))"
    answer = f"concat('[{{\"role\":\"assistant\",\"content\":', toJSONString(ifNull({response}, '')), {finish}, '}}]')"
    return f"if(startsWith(ifNull({stored}, ''), 'assistant'), {answer}, {stored})"
