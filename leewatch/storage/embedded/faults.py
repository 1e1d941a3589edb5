"""ClickHouse's error codes as the HTTP interface shows them."""

from __future__ import annotations

import re

BAD_ARGUMENTS = 36
SYNTAX_ERROR = 62
CANNOT_DECOMPRESS = 271
REQUIRED_PASSWORD = 194
TOO_MANY_QUERIES = 202
QUERY_CANCELLED = 394
ACCESS_DENIED = 497
AUTHENTICATION_FAILED = 516
UNKNOWN_EXCEPTION = 1002

_CODE = re.compile(r"Code: (\d+)\. ")
_NESTED = re.compile(r"^(?:[^C].*?)?(Code: \d+\. DB::Exception: )(?=Code: \d+\. DB::Exception: )", re.DOTALL)

# Source: ClickHouse, src/Server/HTTP/exceptionCodeToHTTPStatus.cpp
_STATUS = {
    **dict.fromkeys((194,), 401),
    **dict.fromkeys((192, 193, 512, 516), 403),
    **dict.fromkeys(
        (
            6,
            8,
            15,
            25,
            26,
            27,
            36,
            37,
            38,
            41,
            44,
            53,
            62,
            72,
            117,
            123,
            167,
            168,
            223,
            321,
            376,
            427,
            441,
            456,
            675,
            676,
        ),
        400,
    ),
    **dict.fromkeys((46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 139, 152, 336), 404),
    159: 408,
    381: 411,
    229: 413,
    48: 501,
    202: 503,
    209: 503,
    # The interface's own refusals
    ACCESS_DENIED: 403,
    CANNOT_DECOMPRESS: 400,
}


class QueryError(Exception):
    """A query that failed: `code` as ClickHouse numbers it, `text` as ClickHouse writes it."""

    def __init__(self, code: int, message: str, name: str) -> None:
        self.code = code
        self.text = f"Code: {code}. DB::Exception: {message} ({name})"
        super().__init__(self.text)

    @property
    def status(self) -> int:
        """HTTP status that ClickHouse answers with; 500 for codes it does not list."""
        return _STATUS.get(self.code, 500)


def from_engine(error: BaseException) -> QueryError:
    """The engine's exception, with its code; 1002 when its text carries none."""
    text = str(error).strip()
    text = text[match.start() :] if (match := _CODE.search(text)) else text
    while nested := _NESTED.match(text):
        text = text[nested.end(1) :]
    code = _CODE.match(text)
    failed = QueryError(
        int(code.group(1)) if code else UNKNOWN_EXCEPTION, text or type(error).__name__, "UNKNOWN_EXCEPTION"
    )
    if code:
        failed.text = text
    return failed
