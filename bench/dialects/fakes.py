"""Local servers that answer as model providers' APIs do, the same every time: OpenAI, Anthropic and Gemini under one address.

A request that offers tools is answered with a call of the first tool until it carries the tool's result. The model
`missing-model` is answered with 404.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER = "The ferry leaves at 08:10 from the old pier."
PRICE = "A ticket to the island costs 12 euro."
MISSING = "missing-model"
USAGE_IN, USAGE_CACHED, USAGE_OUT, USAGE_REASONING = 21, 5, 11, 2
ARGUMENTS = {"route": "island"}


class ModelServer(ThreadingHTTPServer):
    """Listens on a free loopback port while it is entered."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> ModelServer:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


def wants_tool(request: dict[str, Any]) -> bool:
    """Whether the answer is a tool call: tools are offered, and no result has come yet."""
    return bool(request.get("tools")) and not answered(request)


def answered(request: dict[str, Any]) -> bool:
    """Whether the conversation holds a tool's result, in any of the APIs."""
    text = json.dumps(request)
    return any(
        sign in text
        for sign in (
            '"tool_result"',
            '"role": "tool"',
            '"function_call_output"',
            '"functionResponse"',
            '"function_response"',
        )
    )


def openai_usage() -> dict[str, Any]:
    return {
        "prompt_tokens": USAGE_IN, "completion_tokens": USAGE_OUT, "total_tokens": USAGE_IN + USAGE_OUT,
        "prompt_tokens_details": {"cached_tokens": USAGE_CACHED, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": USAGE_REASONING, "audio_tokens": 0},
    }  # fmt: skip


def openai_chat(request: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": PRICE if answered(request) else ANSWER, "refusal": None}
    reason = "stop"
    if wants_tool(request):
        function = {"name": request["tools"][0]["function"]["name"], "arguments": json.dumps(ARGUMENTS)}
        message |= {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
        reason = "tool_calls"
    choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": f"{request['model']}-2026-01-01",
        "choices": [choice], "usage": openai_usage(),
    }  # fmt: skip


def openai_chunks(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    base = {
        "id": "chatcmpl-2",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": f"{request['model']}-2026-01-01",
    }

    def choice(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    yield choice({"role": "assistant", "content": ""})
    words = (PRICE if answered(request) else ANSWER).split(" ")
    for number, word in enumerate(words):
        yield choice({"content": word if number == 0 else f" {word}"})
    yield choice({}, "stop")
    yield {**base, "choices": [], "usage": openai_usage()}


def openai_response(request: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "output_text", "text": PRICE if answered(request) else ANSWER, "annotations": []}
    item: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [text],
    }
    if wants_tool(request):
        tool = request["tools"][0]
        item = {
            "id": "fc_1", "type": "function_call", "call_id": "call_1", "name": tool["name"], "arguments": json.dumps(ARGUMENTS),
            "status": "completed",
        }  # fmt: skip
    return {
        "id": "resp_1", "object": "response", "created_at": 1_700_000_000, "status": "completed", "error": None,
        "incomplete_details": None, "instructions": request.get("instructions"), "model": f"{request['model']}-2026-01-01",
        "output": [item], "parallel_tool_calls": True, "temperature": request.get("temperature", 1.0), "tool_choice": "auto",
        "tools": request.get("tools", []), "top_p": 1.0, "metadata": {}, "text": {"format": {"type": "text"}},
        "usage": {
            "input_tokens": USAGE_IN, "output_tokens": USAGE_OUT, "total_tokens": USAGE_IN + USAGE_OUT,
            "input_tokens_details": {"cached_tokens": USAGE_CACHED},
            "output_tokens_details": {"reasoning_tokens": USAGE_REASONING},
        },
    }  # fmt: skip


def openai_embeddings(request: dict[str, Any]) -> dict[str, Any]:
    texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
    data = [{"object": "embedding", "index": n, "embedding": [0.1, 0.2, 0.3]} for n, _ in enumerate(texts)]
    return {"object": "list", "data": data, "model": request["model"], "usage": {"prompt_tokens": 3, "total_tokens": 3}}


def anthropic_message(request: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {"type": "text", "text": PRICE if answered(request) else ANSWER}
    reason = "end_turn"
    if wants_tool(request):
        content, reason = (
            {"type": "tool_use", "id": "toolu_1", "name": request["tools"][0]["name"], "input": ARGUMENTS},
            "tool_use",
        )
    usage = {
        "input_tokens": USAGE_IN - USAGE_CACHED, "output_tokens": USAGE_OUT, "cache_read_input_tokens": USAGE_CACHED,
        "cache_creation_input_tokens": 0,
    }  # fmt: skip
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": f"{request['model']}-20260101", "content": [content],
        "stop_reason": reason, "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def anthropic_events(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    whole = anthropic_message(request)
    start = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    yield {"type": "message_start", "message": start}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for number, word in enumerate(ANSWER.split(" ")):
        text = word if number == 0 else f" {word}"
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": USAGE_OUT},
    }
    yield {"type": "message_stop"}


def gemini(request: dict[str, Any], model: str) -> dict[str, Any]:
    part: dict[str, Any] = {"text": PRICE if answered(request) else ANSWER}
    if wants_tool(request):
        declared = request["tools"][0].get("functionDeclarations") or request["tools"][0]["function_declarations"]
        part = {"functionCall": {"name": declared[0]["name"], "args": ARGUMENTS}}
    return {
        "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": USAGE_IN, "candidatesTokenCount": USAGE_OUT, "totalTokenCount": USAGE_IN + USAGE_OUT,
            "cachedContentTokenCount": USAGE_CACHED,
        },
        "modelVersion": f"{model}-001", "responseId": "gem-1",
    }  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = self.path.split("?")[0]
        if request.get("model") == MISSING or MISSING in path:
            error = {
                "message": "no model named missing-model",
                "type": "invalid_request_error",
                "code": "model_not_found",
            }
            self._json(404, {"type": "error", "error": error})
        elif path.endswith("/chat/completions"):
            self._answer(request, openai_chat, openai_chunks, done=True)
        elif path.endswith("/responses"):
            self._json(200, openai_response(request))
        elif path.endswith("/embeddings"):
            self._json(200, openai_embeddings(request))
        elif path.endswith("/messages"):
            self._answer(request, anthropic_message, anthropic_events)
        elif ":" in path:
            model, _, method = path.rpartition("/")[2].partition(":")
            whole = gemini(request, model)
            self._stream([whole]) if method == "streamGenerateContent" else self._json(200, whole)
        else:
            self._json(404, {"error": {"message": f"unknown path {path}"}})

    def _answer(self, request: dict[str, Any], whole: Any, parts: Any, done: bool = False) -> None:
        if request.get("stream"):
            self._stream(parts(request), done)
        else:
            self._json(200, whole(request))

    def _json(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, parts: Any, done: bool = False) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        threading.Event().wait(0.02)
        for part in parts:
            name = f"event: {part['type']}\n" if "type" in part else ""
            self.wfile.write(f"{name}data: {json.dumps(part)}\n\n".encode())
            self.wfile.flush()
        if done:
            self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the server is quiet."""
