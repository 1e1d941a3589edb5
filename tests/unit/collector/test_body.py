"""Bodies are decompressed under a cap, whatever they claim to be."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib

import pytest

from collector.body import CorruptError, TooLargeError, decompressed, reader

LIMIT = 1 << 20
PLAIN = b"\x0a\x03abc" * 100


def collect(encoding: str, data: bytes, step: int = 37) -> bytes:
    collected = reader(encoding, LIMIT)
    assert collected is not None
    for start in range(0, len(data), step):
        collected.feed(data[start : start + step])
    return collected.finish()


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("", PLAIN),
        ("identity", PLAIN),
        ("gzip", gzip.compress(PLAIN)),
        ("GZIP", gzip.compress(PLAIN)),
        ("deflate", zlib.compress(PLAIN)),
        ("gzip", gzip.compress(PLAIN[:250]) + gzip.compress(PLAIN[250:])),
    ],
)
def test_each_encoding_gives_the_message_back(encoding: str, data: bytes) -> None:
    assert collect(encoding, data) == PLAIN


def test_an_unknown_encoding_has_no_reader() -> None:
    assert reader("br", LIMIT) is None


@pytest.mark.parametrize("data", [PLAIN, gzip.compress(PLAIN), zlib.compress(PLAIN)])
def test_a_grpc_frame_is_recognized_by_its_bytes(data: bytes) -> None:
    assert decompressed(data, LIMIT) == PLAIN


def test_a_bomb_is_refused_before_it_takes_memory() -> None:
    bomb = gzip.compress(bytes(200 << 20))
    tracemalloc.start()
    with pytest.raises(TooLargeError, match="larger than 1 MiB"):
        decompressed(bomb, LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def test_many_tiny_members_take_time_in_proportion_to_their_number() -> None:
    body = gzip.compress(b"") * 100_000
    started = time.process_time()
    assert decompressed(body, LIMIT) == b""
    assert time.process_time() - started < 3  # copying the rest for each member would take half a minute


def test_a_plain_body_over_the_limit_is_refused() -> None:
    with pytest.raises(TooLargeError):
        collect("", bytes(LIMIT + 1), step=1 << 16)


@pytest.mark.parametrize("data", [gzip.compress(PLAIN)[:-9], b"\x1f\x8b\x08garbage-that-is-no-gzip"])
def test_a_damaged_body_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptError):
        collect("gzip", data)
