"""Request bodies as they came, decompressed under a limit (pure)."""

from __future__ import annotations

import zlib

_GZIP_OR_ZLIB = 47  # window bits: zlib detects either header
_STEP = 1 << 20
_SLICE = 1 << 12
"""zlib copies what is left of its input at the end of each member: of a large body of tiny members, many times over."""

GZIP_MAGIC = b"\x1f\x8b"
"""No protobuf message starts so: the tag 0x1f names wire type 7, which does not exist."""


class TooLargeError(ValueError):
    """The body exceeds the limit, before or after decompression."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"request is larger than {limit >> 20} MiB after decompression (collector.max_request_mb); "
            "lower the batch size of the exporter"
        )


class CorruptError(ValueError):
    """The body is not what its content encoding says."""


class Plain:
    """Collects an uncompressed body, never more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes. Raises TooLargeError, CorruptError."""
        self._keep(chunk)

    @property
    def size(self) -> int:
        """Bytes collected so far."""
        return self._size

    def _keep(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._limit:
            raise TooLargeError(self._limit)
        self._parts.append(chunk)

    def finish(self) -> bytes:
        """The whole body. Raises CorruptError when it ends too early."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


class Compressed(Plain):
    """Collects a gzip or zlib body; it never holds more than `limit` decompressed bytes and one step."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._started = False

    def feed(self, chunk: bytes) -> None:
        for start in range(0, len(chunk), _SLICE):
            self._inflate(chunk[start : start + _SLICE])

    def _inflate(self, chunk: bytes) -> None:
        while chunk:
            if self._stream.eof:  # a gzip body may have several members
                self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)
            self._started = True
            try:
                self._keep(self._stream.decompress(chunk, _STEP))
            except zlib.error as error:
                raise CorruptError(f"the compressed body is damaged: {error}") from None
            chunk = self._stream.unconsumed_tail or self._stream.unused_data

    def finish(self) -> bytes:
        if self._started and not self._stream.eof:
            raise CorruptError("the compressed body ends too early")
        return super().finish()


def reader(encoding: str, limit: int) -> Plain | None:
    """What collects a body of this Content-Encoding; None for an encoding we do not know."""
    match encoding.strip().lower():
        case "" | "identity":
            return Plain(limit)
        case "gzip" | "x-gzip" | "deflate":
            return Compressed(limit)
    return None


def decompressed(body: bytes, limit: int) -> bytes:
    """The message behind the bytes of a gRPC frame, whether it was sent plain, gzip or deflate.

    The frame's compression flag does not reach us, so the bytes themselves are asked: gzip's magic begins no protobuf
    message, and a zlib header would be field 15, which no OTLP request has.
    """
    zlib_header = len(body) > 2 and body[0] == 0x78 and (body[0] << 8 | body[1]) % 31 == 0
    stream = Compressed(limit) if body[:2] == GZIP_MAGIC or zlib_header else Plain(limit)
    stream.feed(body)
    return stream.finish()
