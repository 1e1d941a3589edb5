"""The content of a span as the turns of a conversation. Pure; texts stay plain texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

ROLES: Final = {"human": "user", "ai": "assistant", "model": "assistant", "developer": "system", "function": "tool"}


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn. role: system, user, assistant, tool or context. code: in a fixed-width font. answer: the output."""

    role: str
    title: str
    text: str
    code: bool = False
    answer: bool = False


def turns(content: Mapping[str, Any]) -> list[Turn]:
    """Turns of a row of `span_content`: system, context, input messages, answer, tool call. Empty without content."""
    inputs = _messages(content.get("input_messages"), answer=False)
    outputs = _messages(content.get("output_messages"), answer=True)
    found: list[Turn] = []
    system = _text(content.get("system_instructions"))
    if system and not any(turn.role == "system" for turn in inputs):
        found.append(Turn("system", "System", system))
    if query := _text(content.get("query_text")):
        found.append(Turn("user", "Query", query))
    found += _documents(content)
    prompt, response = _text(content.get("prompt_text")), _text(content.get("response_text"))
    found += inputs or ([Turn("user", "User", prompt)] if prompt else [])
    if arguments := _text(content.get("tool_arguments")):
        found.append(Turn("tool", "Tool arguments", _pretty(arguments), code=True))
    found += outputs or ([Turn("assistant", "Assistant", response, answer=True)] if response else [])
    if result := _text(content.get("tool_result")):
        found.append(Turn("tool", "Tool result", _pretty(result), code=True))
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _messages(raw: Any, answer: bool) -> list[Turn]:
    found: list[Turn] = []
    for message in _objects(raw):
        role = str(message.get("role") or ("assistant" if answer else "user")).lower()
        role = ROLES.get(role, role)
        role = role if role in {"system", "user", "assistant", "tool"} else "user"
        name = str(message.get("name") or "")
        title = {"tool": "Tool result"}.get(role, role.capitalize()) + (f" · {name}" if name else "")
        text = content_text(message.get("content"), message.get("parts"))
        if text:
            found.append(Turn(role, title, text, code=role == "tool", answer=answer and role == "assistant"))
        found += [_call(call) for call in message.get("tool_calls") or [] if isinstance(call, Mapping)]
    return found


def _objects(raw: Any) -> list[Mapping[str, Any]]:
    if not isinstance(raw, str) or not raw:
        return []
    try:
        parsed = json.loads(raw)
    except ValueError:
        return [{"content": raw}]
    items = parsed if isinstance(parsed, list) else [parsed]
    return [item if isinstance(item, Mapping) else {"content": str(item)} for item in items]


def content_text(content: Any, parts: Any = None) -> str:
    """The text of a message's content: a string, or the parts of a list joined by lines; other parts by their type."""
    if isinstance(content, str) and content:
        return content
    pieces = content if isinstance(content, list) and content else parts if isinstance(parts, list) else []
    lines = []
    for piece in pieces:
        if isinstance(piece, str):
            lines.append(piece)
        elif isinstance(piece, Mapping):
            text = piece.get("text") or piece.get("content")
            if isinstance(text, str):
                lines.append(text)
            elif piece.get("type") not in {"tool_call", "tool_calls"}:
                lines.append(f"[{piece.get('type') or 'part'}]")
    if isinstance(content, Mapping):
        lines.append(json.dumps(content, ensure_ascii=False))
    return "\n".join(lines)


def _call(call: Mapping[str, Any]) -> Turn:
    function = call.get("function") if isinstance(call.get("function"), Mapping) else call
    assert isinstance(function, Mapping)
    arguments = function.get("arguments", function.get("args", function.get("input", "")))
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return Turn(
        "tool", f"Tool call · {function.get('name') or 'unnamed'}", _pretty(text) or "(no arguments)", code=True
    )


def _documents(content: Mapping[str, Any]) -> list[Turn]:
    documents = _objects(content.get("context_documents"))
    found = []
    for index, document in enumerate(documents, start=1):
        text = content_text(document.get("content"))
        name = str(document.get("id") or index)
        score = document.get("score")
        given = f" · relevance {score:.2f}" if isinstance(score, int | float) else ""
        if text:
            found.append(Turn("context", f"Document {name}{given}", text))
    if not found and (text := _text(content.get("context_text"))):
        found.append(Turn("context", "Context", text))
    return found


def _pretty(text: str) -> str:
    """JSON indented; anything else as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


def findings(details: str) -> list[tuple[int, int, str]]:
    """(start, end, note) of each finding with character offsets in a score's details. Empty when there are none."""
    found = []
    for item in _objects(details):
        start, end = item.get("start"), item.get("end")
        if isinstance(start, int) and isinstance(end, int) and 0 <= start < end:
            kind, score = item.get("type"), item.get("score")
            told = f"score {score:.2f}" if isinstance(score, int | float) else ""
            found.append((start, end, f"{kind or ''} {told}".strip() or "found by the scorer"))
    return found
