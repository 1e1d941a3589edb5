"""A local server that answers as OpenAI's API does: chat completions, streamed or not, and embeddings. Deterministic.

Run it with `with OpenAIServer() as server:` and point the client at `server.base_url`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

from leewatch.testing.http_server import LoopbackServer

ANSWER = "Ferries leave at 08:10 and at 17:40 from the old pier."
FIRST_TOKEN_SECONDS = 0.05
"""Pause before the first chunk of a stream, so that time to first token can be measured."""
CREATED = 1_700_000_000


class OpenAIServer(LoopbackServer):
    """Listens on a free loopback port while it is entered."""

    def __init__(self, answer: str = ANSWER) -> None:
        super().__init__(type("Handler", (_Handler,), {"answer": answer}))

    @property
    def base_url(self) -> str:
        """Value for the client's `base_url`."""
        return f"{self.url}/v1"


def usage(request: dict[str, Any], answer: str) -> dict[str, int]:
    """Token usage: words of the messages, words of the answer."""
    prompt = sum(len(str(message.get("content", "")).split()) for message in request["messages"])
    completion = len(answer.split())
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def completion(request: dict[str, Any], answer: str) -> dict[str, Any]:
    """Body of a chat completion."""
    message = {"role": "assistant", "content": answer, "refusal": None}
    return {
        "id": "chatcmpl-leewatch",
        "object": "chat.completion",
        "created": CREATED,
        "model": f"{request['model']}-2026-01-01",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": usage(request, answer),
    }


def chunks(request: dict[str, Any], answer: str) -> Iterator[dict[str, Any]]:
    """Chunks of a streamed chat completion; the last carries usage when the request asks for it."""
    base = {
        "id": "chatcmpl-leewatch",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": f"{request['model']}-2026-01-01",
    }

    def choice(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    yield choice({"role": "assistant", "content": ""})
    words = answer.split(" ")
    for number, word in enumerate(words):
        yield choice({"content": word if number == 0 else f" {word}"})
    yield choice({}, "stop")
    if (request.get("stream_options") or {}).get("include_usage"):
        yield {**base, "choices": [], "usage": usage(request, answer)}


def embeddings(request: dict[str, Any]) -> dict[str, Any]:
    """Body of an embeddings answer: eight numbers per text."""
    texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
    vectors = [
        {"object": "embedding", "index": i, "embedding": [len(str(text)) / 100 + d for d in range(8)]}
        for i, text in enumerate(texts)
    ]
    tokens = sum(len(str(text).split()) for text in texts)
    return {
        "object": "list",
        "data": vectors,
        "model": request["model"],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


class _Handler(BaseHTTPRequestHandler):
    answer = ANSWER
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/chat/completions"):
            if request.get("stream"):
                self._stream(request)
            else:
                self._json(200, completion(request, self.answer))
        elif self.path.endswith("/embeddings"):
            self._json(200, embeddings(request))
        else:
            self._json(404, {"error": {"message": f"unknown path {self.path}", "type": "invalid_request_error"}})

    def _json(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, request: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        threading.Event().wait(FIRST_TOKEN_SECONDS)
        for chunk in chunks(request, self.answer):
            self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            self.wfile.flush()
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the server is quiet."""
