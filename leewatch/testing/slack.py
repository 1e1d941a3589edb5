"""A Slack that runs in the test: Web API and incoming webhook on a free port, with Slack's checks and answers.

Limits and error codes are those of https://docs.slack.dev/reference/methods/chat.postMessage and of Block Kit's pages.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

MAX_BLOCKS = 50
MAX_HEADER = 150
MAX_SECTION = 3000
MAX_FIELDS = 10
MAX_FIELD = 2000
MAX_BUTTON = 75
MAX_URL = 3000
TOKEN = "xoxb-fake-0123456789"  # noqa: S105  opens nothing
CHANNEL = "C0FAKE0001"
WEBHOOK_PATH = "/services/T0FAKE/B0FAKE/s3cr3tHook"
BLOCK_TYPES = frozenset({"header", "section", "context", "actions", "divider", "image", "rich_text", "markdown"})


@dataclass
class Message:
    """A message as it stands now. `versions` holds its earlier texts; `replies` the messages of its thread."""

    channel: str
    ts: str
    text: str
    blocks: list[dict[str, Any]]
    thread_ts: str = ""
    versions: list[str] = field(default_factory=list)
    replies: list[Message] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """All texts of its blocks, a line each."""
        return "\n".join(_texts(self.blocks))


@dataclass(frozen=True)
class Fault:
    """What the next request is answered instead. `hang_seconds`: nothing is answered for so long, then it is dropped.

    applied: whether the request is carried out all the same, as when the answer is lost on its way.
    """

    status: int = 500
    retry_after: int | None = None
    hang_seconds: float = 0.0
    applied: bool = False


class FakeSlack:
    """Context manager. `messages`: the posts outside threads, oldest first; `calls`: every method called."""

    def __init__(self, token: str = TOKEN, channels: tuple[str, ...] = (CHANNEL, "#alerts")) -> None:
        self.token = token
        self.messages: list[Message] = []
        self.calls: list[str] = []
        self._channels = channels
        self._faults: deque[Fault] = deque()
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Address, without a trailing slash."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def api_url(self) -> str:
        """For `alerts.slack.api_url`."""
        return f"{self.url}/api/"

    @property
    def webhook_url(self) -> str:
        """For `alerts.slack.webhook_url`."""
        return self.url + WEBHOOK_PATH

    def fail_next(self, *faults: Fault) -> None:
        """The next requests meet these faults, one each."""
        with self._lock:
            self._faults.extend(faults)

    def find(self, ts: str) -> Message | None:
        """The message or reply of that timestamp."""
        everything = [*self.messages, *(reply for message in self.messages for reply in message.replies)]
        return next((message for message in everything if message.ts == ts), None)

    def answer(self, path: str, token: str, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        """Status, headers and body (a dict: JSON, a str: plain text) of one request; None as body: no answer at all."""
        with self._lock:
            fault = self._faults.popleft() if self._faults else None
        if fault is not None and fault.hang_seconds:
            self._released.wait(fault.hang_seconds)
        if fault is not None and not fault.applied:
            return _fault_answer(fault)
        with self._lock:
            answer = self._webhook(path, body) if path.startswith("/services/") else self._method(path, token, body)
        return answer if fault is None else _fault_answer(fault)

    def _webhook(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], str]:
        """Plain texts as of https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks."""
        self.calls.append("webhook")
        if path != WEBHOOK_PATH:
            return 404, {}, "no_service"
        error = content_error(body)
        if error:
            return 400, {}, error
        self._store(CHANNEL, body)
        return 200, {}, "ok"

    def _method(self, path: str, token: str, body: dict[str, Any]) -> tuple[int, dict[str, str], dict[str, Any]]:
        method = path.rsplit("/", 1)[-1]
        self.calls.append(method)
        methods = {"auth.test": self._auth_test, "chat.postMessage": self._post, "chat.update": self._update}
        if method not in methods:
            return 200, {}, {"ok": False, "error": "unknown_method", "req_method": method}
        if not token:
            return 200, {}, {"ok": False, "error": "not_authed"}
        if token != self.token:
            return 200, {}, {"ok": False, "error": "invalid_auth"}
        return 200, {}, methods[method](body)

    def _auth_test(self, body: dict[str, Any]) -> dict[str, Any]:
        return {
            "ok": True,
            "team": "Fake",
            "user": "leewatch",
            "team_id": "T0FAKE",
            "user_id": "U0FAKE",
            "bot_id": "B0",
        }

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("channel") not in self._channels:
            return {"ok": False, "error": "channel_not_found"}
        error = content_error(body)
        if error:
            return _refusal(error)
        message = self._store(CHANNEL, body)
        return {"ok": True, "channel": CHANNEL, "ts": message.ts, "message": {"text": message.text, "ts": message.ts}}

    def _update(self, body: dict[str, Any]) -> dict[str, Any]:
        # Unlike chat.postMessage, chat.update takes the channel's id only.
        if body.get("channel") != CHANNEL:
            return {"ok": False, "error": "channel_not_found"}
        message = self.find(str(body.get("ts", "")))
        if message is None:
            return {"ok": False, "error": "message_not_found"}
        error = content_error(body)
        if error:
            return _refusal(error)
        message.versions.append(message.text)
        message.text, message.blocks = str(body.get("text") or ""), _blocks(body)
        return {"ok": True, "channel": CHANNEL, "ts": message.ts, "text": message.text}

    def _store(self, channel: str, body: dict[str, Any]) -> Message:
        count = len(self.messages) + sum(len(message.replies) for message in self.messages)
        thread = str(body.get("thread_ts") or "")
        message = Message(channel, f"1700000000.{count + 1:06d}", str(body.get("text") or ""), _blocks(body), thread)
        parent = next((known for known in self.messages if known.ts == thread), None)
        (parent.replies if parent is not None else self.messages).append(message)
        return message


def content_error(body: dict[str, Any]) -> str:
    """Slack's error code for the content of a message; empty when it is accepted."""
    blocks = _blocks(body)
    if not body.get("text") and not blocks:
        return "no_text"
    if not isinstance(blocks, list) or len(blocks) > MAX_BLOCKS or any(_block_error(block) for block in blocks):
        return "invalid_blocks"
    return ""


def _blocks(body: dict[str, Any]) -> Any:
    blocks = body.get("blocks") or []
    return json.loads(blocks) if isinstance(blocks, str) else blocks


def _block_error(block: dict[str, Any]) -> bool:
    kind = block.get("type")
    if kind not in BLOCK_TYPES:
        return True
    if kind == "header":
        return block.get("text", {}).get("type") != "plain_text" or not _length_fits(block.get("text"), MAX_HEADER)
    if kind == "section":
        fields = block.get("fields", [])
        if "text" not in block and not fields:
            return True
        wrong = len(fields) > MAX_FIELDS or not all(_length_fits(item, MAX_FIELD) for item in fields)
        return wrong or ("text" in block and not _length_fits(block["text"], MAX_SECTION))
    if kind == "actions":
        return not block.get("elements") or any(_button_error(element) for element in block["elements"])
    return kind == "context" and not 1 <= len(block.get("elements", [])) <= 10


def _button_error(element: dict[str, Any]) -> bool:
    return element.get("type") == "button" and (
        not _length_fits(element.get("text"), MAX_BUTTON) or len(element.get("url", "")) > MAX_URL
    )


def _length_fits(text: dict[str, Any] | None, limit: int) -> bool:
    return text is not None and 1 <= len(text.get("text", "")) <= limit


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, dict):
        found = [text for key, item in value.items() if key != "text" for text in _texts(item)]
        text = value.get("text")
        return ([text] if isinstance(text, str) else _texts(text)) + found
    return []


def _refusal(error: str) -> dict[str, Any]:
    return {"ok": False, "error": error, "response_metadata": {"messages": [f"[ERROR] {error}"]}}


def _fault_answer(fault: Fault) -> tuple[int, dict[str, str], Any]:
    if fault.hang_seconds:
        return 0, {}, None
    headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
    return fault.status, headers, {"ok": False, "error": "ratelimited"} if fault.status == 429 else "server error"


def _handler(slack: FakeSlack) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            if "json" in self.headers.get("Content-Type", ""):
                body = json.loads(raw or "{}")
            else:
                body = {key: values[-1] for key, values in parse_qs(raw).items()}
            token = self.headers.get("Authorization", "").removeprefix("Bearer ") or str(body.get("token", ""))
            status, headers, answer = slack.answer(self.path, token, body)
            if answer is None:
                self.close_connection = True
                return
            self._send(status, headers, answer)

        def _send(self, status: int, headers: dict[str, str], answer: Any) -> None:
            text = answer if isinstance(answer, str) else json.dumps(answer)
            kind = "text/html" if isinstance(answer, str) else "application/json; charset=utf-8"
            content = text.encode()
            try:
                self.send_response(status)
                for key, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                self.close_connection = True  # the client went away meanwhile

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing: tests look at `calls`."""

    return Handler
