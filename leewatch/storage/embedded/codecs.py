"""Compression of HTTP bodies, both ways: lz4 (frames), zstd, gzip, deflate. Frames may follow each other."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Protocol

import lz4.frame
import zstandard

from leewatch.storage.embedded.faults import CANNOT_DECOMPRESS, QueryError


class Compressor(Protocol):
    """Compresses a response piece by piece. Used by one request."""

    def compress(self, data: bytes) -> bytes: ...

    def flush(self) -> bytes: ...


class Lz4Compressor:
    """One lz4 frame over the whole response."""

    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._begun = False

    def compress(self, data: bytes) -> bytes:
        head = b"" if self._begun else bytes(self._frame.begin())
        self._begun = True
        return head + bytes(self._frame.compress(data))

    def flush(self) -> bytes:
        return self.compress(b"") + bytes(self._frame.flush())


_COMPRESSORS: dict[str, Callable[[], Any]] = {
    "lz4": Lz4Compressor,
    "zstd": lambda: zstandard.ZstdCompressor(level=1).compressobj(),
    "gzip": lambda: zlib.compressobj(3, zlib.DEFLATED, 31),
    "deflate": lambda: zlib.compressobj(3),
}
_DECOMPRESSORS: dict[str, Callable[[], Any]] = {
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
    "gzip": lambda: zlib.decompressobj(31),
    "x-gzip": lambda: zlib.decompressobj(31),
    "deflate": zlib.decompressobj,
}


def choose(accepted: str) -> str:
    """The first coding of an Accept-Encoding header that is served, '' for none."""
    for part in accepted.split(","):
        name, _, parameters = part.strip().partition(";")
        if name.lower() in _COMPRESSORS and parameters.replace(" ", "") not in {"q=0", "q=0.0"}:
            return name.lower()
    return ""


def compressor(coding: str) -> Compressor:
    """A fresh compressor of one that `choose` named."""
    made: Compressor = _COMPRESSORS[coding]()
    return made


class Decoder:
    """Plain bytes of a request body. `coding` is its Content-Encoding, '' or identity for none.

    Raises QueryError for an unknown coding, broken or cut data.
    """

    def __init__(self, coding: str) -> None:
        self._coding = "" if coding.lower() == "identity" else coding.lower()
        if self._coding and self._coding not in _DECOMPRESSORS:
            known = ", ".join(_DECOMPRESSORS)
            raise QueryError(89, f"Unknown Content-Encoding {coding!r}; known: {known}", "UNKNOWN_COMPRESSION_METHOD")
        self._frame: Any = None

    def decode(self, data: bytes) -> bytes:
        if not self._coding:
            return data
        pieces = []
        try:
            while data:
                self._frame = self._frame or _DECOMPRESSORS[self._coding]()
                pieces.append(self._frame.decompress(data))
                if not self._frame.eof:
                    break
                data, self._frame = self._frame.unused_data, None
        except (RuntimeError, EOFError, zlib.error, zstandard.ZstdError) as error:
            raise _broken(self._coding, str(error)) from error
        return b"".join(pieces)

    def finish(self) -> None:
        """Raises QueryError when the body ended inside a frame."""
        if self._frame is not None:
            raise _broken(self._coding, "the body ends before its compressed frame does")


def _broken(coding: str, why: str) -> QueryError:
    return QueryError(CANNOT_DECOMPRESS, f"Cannot decompress {coding} request body: {why}", "CANNOT_DECOMPRESS")
