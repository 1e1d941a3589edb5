"""Native blocks for clients that name a protocol version, compared with what the engine itself reads back."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from leewatch.config import Settings
from leewatch.storage.client import address
from leewatch.storage.embedded.blocks import BlockDecoder
from leewatch.storage.embedded.native import for_version

BLOCK_INFO = bytes.fromhex("0100 02ffffffff 00")


@pytest.fixture
def http(store: Settings) -> Iterator[httpx.Client]:
    where = address(store)
    with httpx.Client(
        base_url=f"http://{where.host}:{where.port}", auth=(where.user, where.password), timeout=60, trust_env=False
    ) as client:
        yield client


def test_the_hello_of_the_go_client_has_block_info_and_serialization_bytes(http: httpx.Client) -> None:
    query = "SELECT 'leewatch' AS displayName, version() AS version, 54460::UInt32 AS revision, timezone() AS tz"
    parameters = {"default_format": "Native", "client_protocol_version": "54460", "compress": "1"}
    answer = http.post("/", params=parameters, content=query)
    decoder = BlockDecoder()
    plain = decoder.decode(answer.content)
    decoder.finish()
    version = http.post("/", content="SELECT version()").text.strip().encode()
    assert plain == (
        BLOCK_INFO + b"\x04\x01"
        b"\x0bdisplayName\x06String\x00\x08leewatch"
        b"\x07version\x06String\x00" + bytes([len(version)]) + version + b"\x08revision\x06UInt32\x00\xbc\xd4\x00\x00"
        b"\x02tz\x06String\x00\x03UTC"
    )


COLUMNS = [
    "toString(number)",
    "repeat('x', number * 60)",
    "toFixedString('abc', 5)",
    "toNullable(toString(number))",
    "if(number % 2 = 0, NULL, number)",
    "[toString(number), 'b']",
    "emptyArrayString()",
    "arrayMap(x -> [toString(x), 'y'], range(number % 3))",
    "map('k', number)",
    "CAST(map('k', 'v'), 'Map(LowCardinality(String), String)')",
    "CAST(if(number % 2 = 0, map(), map('a', 'b', 'c', 'd')), 'Map(LowCardinality(String), String)')",
    "toLowCardinality(toString(number % 3))",
    "CAST(if(number = 1, NULL, 'x'), 'LowCardinality(Nullable(String))')",
    "[toLowCardinality('x'), toLowCardinality(toString(number))]",
    "CAST([], 'Array(LowCardinality(String))')",
    "(number, 'two', [toLowCardinality('three')])",
    "CAST((1, 'a'), 'Tuple(id UInt32, `na me` LowCardinality(String))')",
    "toDateTime64(number, 9, 'UTC')",
    "toDate(number)",
    "toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')",
    "toDecimal64(number, 3)",
    "toDecimal256(number, 3)",
    "CAST('a', 'Enum8(\\'a\\' = 1, \\'b,)\\' = 2)')",
    "toIPv6('::1')",
    "number > 1",
    "toIntervalDay(number)",
    "tuple()",
    "[(toNullable(1), toLowCardinality('x'))]",
]  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_type_keeps_its_bytes(http: httpx.Client, column: str) -> None:
    query = f"SELECT {column} AS c, 'end' AS e FROM numbers(5)"
    plain = http.post("/", params={"default_format": "Native"}, content=query)
    assert plain.status_code == 200, plain.text
    laid_out = http.post("/", params={"default_format": "Native", "client_protocol_version": "54460"}, content=query)
    assert laid_out.content.startswith(BLOCK_INFO)
    assert laid_out.content == for_version(plain.content, 54460)
    # Taking the two bytes and the block information out again must give the engine's own block: nothing was cut wrongly.
    without = laid_out.content.removeprefix(BLOCK_INFO).replace(b"\x06String\x00\x03end", b"\x06String\x03end")
    assert without.endswith(b"\x01e\x06String" + b"\x03end" * 5)
    assert len(without) == len(plain.content) + 1


def test_blocks_of_a_long_answer_are_laid_out_one_by_one(http: httpx.Client) -> None:
    parameters = {"default_format": "Native", "client_protocol_version": "54468"}
    body = http.post("/", params=parameters, content="SELECT 'x' AS c FROM numbers(200000)").content
    assert body.count(BLOCK_INFO + b"\x01") >= 2
    assert http.post("/", params=parameters, content="SELECT count() AS c FROM numbers(3)").content.endswith(
        b"\x01c\x06UInt64\x00" + (3).to_bytes(8, "little")
    )


def test_other_clients_get_the_plain_layout_and_unknown_types_a_reason(http: httpx.Client) -> None:
    older = {"default_format": "Native", "client_protocol_version": "54405"}
    assert http.post("/", params=older, content="SELECT 1 AS c").content == b"\x01\x01\x01c\x05UInt8\x01"
    newer = {"default_format": "Native", "client_protocol_version": "54460"}
    refused = http.post("/", params=newer, content="SELECT '{}'::JSON AS j")
    assert (refused.status_code, "JSON" in refused.text) == (501, True)
    assert http.post("/", params={"client_protocol_version": "x"}, content="SELECT 1").status_code == 400
