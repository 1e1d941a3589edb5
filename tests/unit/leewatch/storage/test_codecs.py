from __future__ import annotations

import gzip
import zlib

import lz4.frame
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from leewatch.storage.embedded.codecs import Decoder, choose, compressor
from leewatch.storage.embedded.faults import QueryError

DECODE = {
    "lz4": lz4.frame.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


@pytest.mark.parametrize("coding", DECODE)
@given(pieces=st.lists(st.binary(max_size=200), max_size=6))
def test_a_compressed_answer_decodes_to_its_pieces(coding: str, pieces: list[bytes]) -> None:
    stream = compressor(coding)
    encoded = b"".join(stream.compress(piece) for piece in pieces) + stream.flush()
    assert DECODE[coding](encoded) == b"".join(pieces)


@pytest.mark.parametrize("coding", ["lz4", "zstd", "gzip"])
@given(first=st.binary(max_size=300), second=st.binary(max_size=300), cut=st.integers(0, 50))
def test_frames_in_any_pieces_decode_to_the_body(coding: str, first: bytes, second: bytes, cut: int) -> None:
    encode = {"lz4": lz4.frame.compress, "zstd": zstandard.compress, "gzip": gzip.compress}[coding]
    body = encode(first) + encode(second)
    decoder = Decoder(coding)
    assert decoder.decode(body[:cut]) + decoder.decode(body[cut:]) == first + second
    decoder.finish()


def test_broken_cut_and_unknown_bodies_are_refused() -> None:
    with pytest.raises(QueryError, match="lz4"):
        Decoder("lz4").decode(b"not lz4 at all")
    cut = Decoder("gzip")
    cut.decode(gzip.compress(b"hello")[:-4])
    with pytest.raises(QueryError, match="ends before"):
        cut.finish()
    with pytest.raises(QueryError, match="snappy"):
        Decoder("snappy")


@pytest.mark.parametrize(
    ("accepted", "coding"), [("br, zstd;q=0.5, gzip", "zstd"), ("gzip;q=0, lz4", "lz4"), ("identity", ""), ("", "")]
)
def test_the_first_served_coding_is_chosen(accepted: str, coding: str) -> None:
    assert choose(accepted) == coding
