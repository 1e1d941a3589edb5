"""Each way to refuse a request, as OTLP wants it told.

Source: OpenTelemetry Protocol specification 1.x, https://opentelemetry.io/docs/specs/otlp/, sections "Failures",
"OTLP/gRPC Throttling", "OTLP/HTTP Response". A sender drops what is not retryable and repeats what is.
"""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToJson
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

# google.rpc.Code
INVALID_ARGUMENT = 3
NOT_FOUND = 5
RESOURCE_EXHAUSTED = 8
UNIMPLEMENTED = 12
INTERNAL = 13
UNAVAILABLE = 14
UNAUTHENTICATED = 16

HTTP_UNAUTHORIZED = 401
PROTOBUF = "application/x-protobuf"
JSON = "application/json"


class Refusal(Exception):  # noqa: N818  an outcome of a request, named as OTLP's answer to it
    """A request that is not taken. http, code: status on the two transports; retry_after: seconds, 0 = do not retry."""

    def __init__(self, http: int, code: int, message: str, retry_after: int = 0) -> None:
        super().__init__(message)
        self.http = http
        self.code = code
        self.message = message
        self.retry_after = retry_after

    def as_status(self) -> Status:
        """google.rpc.Status; with RetryInfo when the sender may try again (gRPC senders wait that long)."""
        status = Status(code=self.code, message=self.message)
        if self.retry_after:
            status.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=self.retry_after)))
        return status


def malformed(message: str) -> Refusal:
    """Not decodable: "the server MUST NOT be retried", 400 / INVALID_ARGUMENT ("Bad Data")."""
    return Refusal(400, INVALID_ARGUMENT, message)


def too_large(message: str) -> Refusal:
    """413; on gRPC RESOURCE_EXHAUSTED without RetryInfo, which senders must not repeat ("Failures")."""
    return Refusal(413, RESOURCE_EXHAUSTED, message)


def wrong_content_type(got: str, expected: str = f"{PROTOBUF} or {JSON}") -> Refusal:
    """415: neither of the two encodings of OTLP/HTTP."""
    shown = got[:80] or "none"
    return Refusal(415, INVALID_ARGUMENT, f"content type {shown!r} is not supported; send {expected}")


def wrong_encoding(got: str) -> Refusal:
    """415: a Content-Encoding that we cannot undo."""
    return Refusal(
        415, INVALID_ARGUMENT, f"content encoding {got[:80]!r} is not supported; send gzip, deflate or identity"
    )


def unauthenticated(message: str) -> Refusal:
    """401 / UNAUTHENTICATED, not retryable: the same key will not be let in later ("Failures")."""
    return Refusal(401, UNAUTHENTICATED, f"{message}; send `x-api-key: KEY`, made by `leewatch projects create NAME`")


def throttled(message: str, retry_after: int) -> Refusal:
    """429 with Retry-After / RESOURCE_EXHAUSTED with RetryInfo, which alone makes it retryable ("OTLP/gRPC Throttling")."""
    return Refusal(429, RESOURCE_EXHAUSTED, message, retry_after)


def not_found(path: str) -> Refusal:
    """404: no such page."""
    return Refusal(
        404, NOT_FOUND, f"nothing is at {path[:80]!r}; send to /v1/traces, /v1/logs, /v1/metrics or /v1/feedback"
    )


def wrong_method(method: str, path: str) -> Refusal:
    """405: the page is there, but not for this method."""
    return Refusal(405, UNIMPLEMENTED, f"{method[:10]} is not for {path[:80]!r}; OTLP is sent with POST")


def unavailable(message: str, retry_after: int) -> Refusal:
    """503 with Retry-After / UNAVAILABLE with RetryInfo: the sender keeps its data ("Throttling")."""
    return Refusal(503, UNAVAILABLE, message, retry_after)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def to_http(refusal: Refusal, content_type: str) -> Answer:
    """The refusal in the content type of the request (protobuf when that was unknown)."""
    status = refusal.as_status()
    headers: tuple[tuple[str, str], ...] = ()
    if refusal.retry_after:
        headers = (("Retry-After", str(refusal.retry_after)),)
    elif refusal.http == HTTP_UNAUTHORIZED:
        headers = (("WWW-Authenticate", 'Bearer realm="leewatch"'),)  # RFC 9110, section 11.6.1
    if content_type == JSON:
        return Answer(refusal.http, JSON, MessageToJson(status, indent=None).encode(), headers)
    return Answer(refusal.http, PROTOBUF, status.SerializeToString(), headers)
