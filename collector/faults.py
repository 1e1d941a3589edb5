"""What an error of the database says about the data that were to be stored (pure).

Numbers and names: ClickHouse, src/Common/ErrorCodes.cpp. Statuses without a number come from what stands in between.
"""

from __future__ import annotations

from enum import Enum

import httpx


class Fault(Enum):
    """What to do about a failed insert."""

    REFUSED = "refused"
    """These data cannot be stored, now or later: find the culprits, store the rest."""
    UNAVAILABLE = "unavailable"
    """No data can be stored now: wait."""
    UNCLEAR = "unclear"
    """Either of the two. Set these data aside, go on with others, come back; in the end treat them as refused."""


REFUSED = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        25,  # CANNOT_PARSE_ESCAPE_SEQUENCE
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        32,  # ATTEMPT_TO_READ_AFTER_EOF
        33,  # CANNOT_READ_ALL_DATA
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA
        128,  # TOO_LARGE_ARRAY_SIZE
        131,  # TOO_LARGE_STRING_SIZE
        153,  # ILLEGAL_DIVISION
        190,  # SIZES_OF_ARRAYS_DONT_MATCH
        306,  # TOO_DEEP_RECURSION
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        395,  # FUNCTION_THROW_IF_VALUE_IS_NON_ZERO
        407,  # DECIMAL_OVERFLOW
        436,  # PROTOBUF_BAD_CAST
        444,  # UNKNOWN_PROTOBUF_FORMAT
        469,  # VIOLATED_CONSTRAINT
    }
)

UNAVAILABLE = frozenset(
    {
        8,  # THERE_IS_NO_COLUMN: the schema is older than this collector, or being replaced; so the next ones
        10,  # NOT_FOUND_COLUMN_IN_BLOCK
        16,  # NO_SUCH_COLUMN_IN_TABLE
        47,  # UNKNOWN_IDENTIFIER
        60,  # UNKNOWN_TABLE
        81,  # UNKNOWN_DATABASE
        218,  # TABLE_IS_DROPPED
        74,  # CANNOT_READ_FROM_FILE_DESCRIPTOR
        75,  # CANNOT_WRITE_TO_FILE_DESCRIPTOR
        76,  # CANNOT_OPEN_FILE
        164,  # READONLY
        192,  # UNKNOWN_USER
        193,  # WRONG_PASSWORD
        194,  # REQUIRED_PASSWORD
        195,  # IP_ADDRESS_NOT_ALLOWED
        198,  # DNS_ERROR
        201,  # QUOTA_EXCEEDED
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        203,  # NO_FREE_CONNECTION
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        225,  # NO_ZOOKEEPER
        236,  # ABORTED
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        254,  # NO_ACTIVE_REPLICAS
        279,  # ALL_CONNECTION_TRIES_FAILED
        285,  # TOO_FEW_LIVE_REPLICAS
        286,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
        319,  # UNKNOWN_STATUS_OF_INSERT
        341,  # UNFINISHED
        369,  # ALL_REPLICAS_ARE_STALE
        373,  # SESSION_IS_LOCKED
        394,  # QUERY_WAS_CANCELLED
        415,  # ALL_REPLICAS_LOST
        425,  # SYSTEM_ERROR
        439,  # CANNOT_SCHEDULE_TASK
        473,  # DEADLOCK_AVOIDED
        492,  # ACCESS_ENTITY_ALREADY_EXISTS
        497,  # ACCESS_DENIED
        499,  # S3_ERROR
        516,  # AUTHENTICATION_FAILED
        571,  # DATABASE_REPLICATION_FAILED
        722,  # ASYNC_LOAD_WAIT_FAILED
        745,  # SERVER_OVERLOADED
        999,  # KEEPER_EXCEPTION
    }
)

_TOO_MANY_PARTS = 252
_TOO_MANY_PARTITIONS = "too many partitions"
"""How ClickHouse words 252 when one insert has rows of too many days, which waiting does not cure."""
_NO_SPACE = "no space left on device"
"""Stands in the text of general errors (1001, STD_EXCEPTION) when the disk of the database is full."""
_OTHERS_STATUS = frozenset(
    {
        httpx.codes.UNAUTHORIZED,
        httpx.codes.FORBIDDEN,
        httpx.codes.NOT_FOUND,
        httpx.codes.PROXY_AUTHENTICATION_REQUIRED,
        httpx.codes.REQUEST_TIMEOUT,
        httpx.codes.TOO_MANY_REQUESTS,
        httpx.codes.BAD_GATEWAY,
        httpx.codes.SERVICE_UNAVAILABLE,
        httpx.codes.GATEWAY_TIMEOUT,
    }
)


def of_answer(code: int, status: int, text: str) -> Fault:
    """Fault of an error answer. code: ClickHouse's, 0 when the answer has none; status: of HTTP.

    Unknown codes are unclear, among them 241 (MEMORY_LIMIT_EXCEEDED) and 159 (TIMEOUT_EXCEEDED): the database may be busy,
    or these data too much for it at once.
    """
    lowered = text.lower()
    if code == _TOO_MANY_PARTS and _TOO_MANY_PARTITIONS in lowered:
        return Fault.REFUSED
    if code in REFUSED:
        return Fault.REFUSED
    if code in UNAVAILABLE or _NO_SPACE in lowered or (code == 0 and status in _OTHERS_STATUS):
        return Fault.UNAVAILABLE
    return Fault.UNCLEAR


def of_exchange(error: Exception) -> Fault:
    """Fault of an exchange without an answer. A connection that broke under way is unclear: these data may kill the database."""
    return Fault.UNCLEAR if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError) else Fault.UNAVAILABLE
