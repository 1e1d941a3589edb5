"""Content becomes turns, whatever shape it was sent in."""

from __future__ import annotations

import json

from dashboard import conversation
from dashboard.conversation import Turn


def test_messages_become_turns_in_order() -> None:
    content = {
        "system_instructions": "Be brief.",
        "input_messages": json.dumps(
            [{"role": "user", "content": "Hi"}, {"role": "ai", "content": "Hello"}, {"role": "human", "content": "Bye"}]
        ),
        "output_messages": json.dumps([{"role": "assistant", "content": "Goodbye"}]),
    }
    assert [(turn.role, turn.text) for turn in conversation.turns(content)] == [
        ("system", "Be brief."),
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "Bye"),
        ("assistant", "Goodbye"),
    ]


def test_a_system_message_is_not_shown_twice() -> None:
    content = {
        "system_instructions": "Be brief.",
        "input_messages": json.dumps([{"role": "system", "content": "Be brief."}]),
    }
    assert [turn.text for turn in conversation.turns(content)] == ["Be brief."]


def test_plain_texts_do_when_there_are_no_messages() -> None:
    turns = conversation.turns({"prompt_text": "Why?", "response_text": "Because.", "context_text": "A book."})
    assert [(turn.role, turn.answer) for turn in turns] == [("context", False), ("user", False), ("assistant", True)]


def test_a_tool_call_shows_its_name_and_arguments() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "stock", "arguments": '{"sku":7}'}}
    turns = conversation.turns(
        {"output_messages": json.dumps([{"role": "assistant", "content": "", "tool_calls": [call]}])}
    )
    assert turns == [Turn("tool", "Tool call · stock", '{\n  "sku": 7\n}', code=True)]


def test_documents_carry_their_id_and_relevance() -> None:
    turns = conversation.turns(
        {"context_documents": json.dumps([{"id": "d1", "content": "Text", "score": 0.5}, {"content": "More"}])}
    )
    assert [turn.title for turn in turns] == ["Document d1 · relevance 0.50", "Document 2"]


def test_parts_that_are_no_text_are_named() -> None:
    assert conversation.content_text([{"type": "text", "text": "Look:"}, {"type": "image_url"}]) == "Look:\n[image_url]"
    assert conversation.content_text(None, [{"type": "text", "content": "part"}]) == "part"


def test_broken_json_is_shown_as_it_is() -> None:
    assert [turn.text for turn in conversation.turns({"input_messages": "[{broken"})] == ["[{broken"]


def test_no_content_is_no_turn() -> None:
    assert conversation.turns({"prompt_text": "", "input_messages": "", "context_documents": None}) == []


def test_findings_need_sound_offsets() -> None:
    details = json.dumps(
        [
            {"start": 0, "end": 5, "score": 0.8},
            {"start": 9, "end": 4},
            {"type": "EMAIL"},
            {"start": 1, "end": 2, "type": "EMAIL"},
        ]
    )
    assert conversation.findings(details) == [(0, 5, "score 0.80"), (1, 2, "EMAIL")]
    assert conversation.findings('[{"start": 0, "end": 5, "score": 0.8, "type": "threat"}]') == [
        (0, 5, "threat score 0.80")
    ]
    assert conversation.findings("") == []
