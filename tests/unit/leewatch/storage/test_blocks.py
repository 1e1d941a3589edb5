from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leewatch.storage.embedded.blocks import LZ4, PLAIN, ZSTD, BlockCompressor, BlockDecoder, block
from leewatch.storage.embedded.faults import QueryError

# The block a ClickHouse server writes for the byte 0x01 without compression: size 10 = 9 bytes of header and 1 of data.
HEADER = struct.pack("<BII", PLAIN, 10, 1)


def test_a_block_has_checksum_method_and_both_sizes() -> None:
    made = block(b"\x01", PLAIN)
    assert made[16:] == HEADER + b"\x01"
    assert len(made) == 26


@pytest.mark.parametrize("method", [PLAIN, LZ4, ZSTD])
@given(parts=st.lists(st.binary(max_size=300), max_size=4), cuts=st.lists(st.integers(0, 400), max_size=6))
def test_blocks_in_any_pieces_decode_to_the_body(method: int, parts: list[bytes], cuts: list[int]) -> None:
    body = b"".join(block(part, method) for part in parts)
    bounds = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    decoder = BlockDecoder()
    plain = b"".join(decoder.decode(body[a:b]) for a, b in itertools.pairwise(bounds))
    decoder.finish()
    assert plain == b"".join(parts)


def test_an_answer_of_three_megabytes_leaves_in_blocks_of_one() -> None:
    answer = BlockCompressor().compress(bytes(3 << 20)) + BlockCompressor().flush()
    decoder = BlockDecoder()
    assert decoder.decode(answer) == bytes(3 << 20)
    assert struct.unpack_from("<I", answer, 21)[0] == 1 << 20


@given(data=st.binary(min_size=1, max_size=200), where=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_changed_byte_is_noticed(data: bytes, where: int, flip: int) -> None:
    body = bytearray(block(data))
    body[where % len(body)] ^= flip

    def decode() -> None:
        decoder = BlockDecoder()
        decoder.decode(bytes(body))
        decoder.finish()

    with pytest.raises(QueryError):
        decode()


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (struct.pack("<BII", LZ4, 3, 1), "not possible"),
        (struct.pack("<BII", LZ4, 1 << 30, 1), "not possible"),
        (struct.pack("<BII", ZSTD, 20, 1 << 31), "not possible"),
    ],
)
def test_impossible_sizes_are_refused_before_anything_is_held(header: bytes, reason: str) -> None:
    with pytest.raises(QueryError, match=reason):
        BlockDecoder().decode(bytes(16) + header)


def test_cut_bodies_and_other_methods_are_named() -> None:
    cut = BlockDecoder()
    assert cut.decode(block(b"hello")[:-1]) == b""
    with pytest.raises(QueryError, match="ends before"):
        cut.finish()
    with pytest.raises(QueryError, match="checksum"):
        BlockDecoder().decode(bytes(16) + HEADER + b"\x01")
