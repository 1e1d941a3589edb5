"""ClickHouse's own block compression: bodies with `decompress=1`, answers with `compress=1`.

A block is CityHash128 (16 bytes) of all that follows, method (1), size of method, sizes and data (4), size of the plain
data (4), data. Source: ClickHouse, src/Compression/CompressedReadBufferBase.cpp and ICompressionCodec.h.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable
from functools import partial
from typing import Any

import lz4.block
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from leewatch.storage.embedded.faults import CANNOT_DECOMPRESS, QueryError

PLAIN, LZ4, ZSTD = 0x02, 0x82, 0x90
MAX_BLOCK_BYTES = 256 * 1024 * 1024
"""Largest block, compressed or plain; clients send one block per insert, a few megabytes."""
_OUT_BYTES = 1024 * 1024
_CHECKSUM = struct.Struct("<QQ")
_SIZES = struct.Struct("<BII")
_HEAD_BYTES = _CHECKSUM.size + _SIZES.size
_MASK = (1 << 64) - 1


class BlockDecoder:
    """Plain bytes of a stream of blocks that comes in any pieces. Raises QueryError for broken or cut data."""

    def __init__(self) -> None:
        self._held = bytearray()

    def decode(self, data: bytes) -> bytes:
        self._held += data
        pieces = []
        at = 0
        while (end := self._end(at)) is not None:
            pieces.append(_plain(memoryview(self._held)[at:end]))
            at = end
        del self._held[:at]
        return b"".join(pieces)

    def _end(self, at: int) -> int | None:
        """Where the block at `at` ends; None while it is not complete."""
        if len(self._held) - at < _HEAD_BYTES:
            return None
        _, packed, size = _SIZES.unpack_from(self._held, at + _CHECKSUM.size)
        if packed < _SIZES.size or packed > MAX_BLOCK_BYTES or size > MAX_BLOCK_BYTES:
            raise _broken(f"a block of {packed} bytes for {size} is not possible; at most {MAX_BLOCK_BYTES} are taken")
        end: int = at + _CHECKSUM.size + packed
        return end if len(self._held) >= end else None

    def finish(self) -> None:
        """Raises QueryError when the body ended inside a block."""
        if self._held:
            raise _broken("the body ends before its last block does")


class BlockCompressor:
    """LZ4 blocks of at most 1 MB of an answer that comes in any pieces."""

    def compress(self, data: bytes) -> bytes:
        return b"".join(block(data[at : at + _OUT_BYTES]) for at in range(0, len(data), _OUT_BYTES))

    def flush(self) -> bytes:
        return b""


def block(data: bytes, method: int = LZ4) -> bytes:
    """One block of these plain bytes. method: PLAIN, LZ4 or ZSTD."""
    packed = bytes(_PACK[method](data))
    body = _SIZES.pack(method, _SIZES.size + len(packed), len(data)) + packed
    return _checksum(body) + body


_PACK: dict[int, Callable[[bytes], Any]] = {
    PLAIN: bytes,
    LZ4: partial(lz4.block.compress, store_size=False),
    ZSTD: partial(zstandard.compress, level=1),
}


def _checksum(body: bytes) -> bytes:
    value: int = CityHash128(body)
    return _CHECKSUM.pack(value >> 64, value & _MASK)


def _plain(whole: memoryview) -> bytes:
    with whole:
        body = bytes(whole[_CHECKSUM.size :])
        if not hmac.compare_digest(_checksum(body), bytes(whole[: _CHECKSUM.size])):
            raise _broken("the checksum of a block does not match its data: they were damaged on the way")
    method, _, size = _SIZES.unpack_from(body)
    packed = body[_SIZES.size :]
    try:
        if method == LZ4:
            plain = lz4.block.decompress(packed, uncompressed_size=size)
        elif method == ZSTD:
            plain = zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
        elif method == PLAIN:
            plain = packed
        else:
            raise _broken(f"method 0x{method:02x} is not served: use LZ4, ZSTD or none")
    except (lz4.block.LZ4BlockError, zstandard.ZstdError) as error:
        raise _broken(str(error)) from error
    if len(plain) != size:
        raise _broken(f"a block that names {size} plain bytes holds {len(plain)}")
    return bytes(plain)


def _broken(why: str) -> QueryError:
    return QueryError(CANNOT_DECOMPRESS, f"Cannot decompress the request body's blocks: {why}", "CANNOT_DECOMPRESS")
