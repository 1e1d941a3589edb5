from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.when import length, moment
from leewatch.errors import InputError

NOW = datetime(2026, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("30m", 1800), ("1.5h", 5400), ("7d", 604_800), ("2 w", 1_209_600)]
)
def test_a_length_is_a_number_with_a_unit(text: str, seconds: int) -> None:
    assert length(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "h", "-1h", "0s", "99999999d", "1y"])
def test_what_is_no_length_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="30m"):
        length(text)


def test_a_moment_is_iso_time_in_utc_or_that_long_ago() -> None:
    assert moment("7d", NOW) == datetime(2026, 1, 1, tzinfo=UTC)
    assert moment("2026-01-01", NOW) == datetime(2026, 1, 1, tzinfo=UTC)
    assert moment("2026-01-01T02:00+02:00", NOW) == datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(InputError, match="'yesterday' is no time"):
        moment("yesterday", NOW)
