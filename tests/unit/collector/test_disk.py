"""On a full disk bookkeeping still finds room, and an unreadable spool never keeps the collector from starting."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from collector.accounting import Totals
from collector.disk import RESERVE_BYTES, Free, Reserve
from collector.inflight import Hold, InFlight
from collector.segment import MAGIC, Kind, Outcome, Record, encode
from collector.spool import Spool
from collector.status import Refusal


def test_a_reserve_is_spent_on_a_write_that_finds_the_disk_full_and_filled_again(tmp_path: Path) -> None:
    path = tmp_path / "reserve"
    reserve = Reserve(path)
    assert path.stat().st_blocks * 512 >= RESERVE_BYTES
    tries: list[bool] = []

    def write() -> str:
        tries.append(path.exists())
        if path.exists():
            raise OSError(errno.ENOSPC, "full")
        return "written"

    assert reserve.spend_on(write) == "written"
    assert tries == [True, False]
    assert path.exists()
    with pytest.raises(OSError, match="bad"):
        reserve.spend_on(lambda: (_ for _ in ()).throw(OSError(errno.EIO, "bad")))


def test_free_space_is_asked_anew_after_half_a_second(tmp_path: Path) -> None:
    now = [0.0]
    free = Free(tmp_path, lambda: now[0])
    first = free.bytes
    free._bytes = 1
    assert free.bytes == 1
    now[0] = 0.6
    assert free.bytes > 1
    assert first > 1


def test_memory_of_requests_is_counted_limited_and_given_back() -> None:
    flight = InFlight(100)
    with Hold(flight) as alone:
        alone.grow(500)  # a request alone is always taken
        with Hold(flight) as second, pytest.raises(Refusal, match="max_inflight_mb") as caught:
            second.grow(1)
        assert (caught.value.http, caught.value.retry_after) == (503, 1)
        assert flight.bytes == 500
    with Hold(flight) as first, Hold(flight) as second:
        first.grow(60)
        second.grow(40)
        assert flight.bytes == 100
        with pytest.raises(Refusal):
            second.grow(41)
    assert flight.bytes == 0


def test_unreadable_files_go_to_the_quarantine_and_the_rest_is_used(tmp_path: Path) -> None:
    good = encode(Record(Kind.REQUEST, received=3), b"good") + b"good"
    (tmp_path / "traces-000000000001-0000aaaa.seg").write_bytes(b"LOST" + MAGIC[4:] + good)
    (tmp_path / "traces-000000000002-0000aaaa.seg").write_bytes(bytes(200))
    (tmp_path / "traces-odd.seg").write_bytes(b"?")
    (tmp_path / "checkpoint.json").write_bytes(b"{")
    spool = Spool(tmp_path, "traces", 1 << 20)
    assert spool.totals() == Totals(received=3, spooled=3)
    segment = spool.take(0, 0)
    assert segment is not None
    assert list(spool.payloads(segment)) == [b"good"]
    assert len(list((tmp_path / "quarantine").iterdir())) == 4
    assert spool.quarantine.bytes == 8 + 200 + 1 + 1
    spool.close()


def test_the_account_balances_though_records_of_a_stored_segment_are_damaged(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "traces", 1 << 20)
    for _ in range(3):
        spool.append(Record(Kind.REQUEST, received=5), b"x" * 50).result(5)
    segment = spool.take(0, 5)
    assert segment is not None
    spool.settle(segment, {"default": Outcome(15)})
    spool.close()
    data = bytearray(segment.path.read_bytes())
    data[len(data) // 2] ^= 1
    segment.path.write_bytes(data)
    again = Spool(tmp_path, "traces", 1 << 20)
    assert again.totals() == Totals(received=15, stored=15)
    again.close()


def test_a_clock_that_was_set_back_does_not_keep_segments_for_years(tmp_path: Path) -> None:
    now = [2_000_000_000.0]
    spool = Spool(tmp_path, "traces", 1, wall=lambda: now[0])
    spool.append(Record(Kind.REQUEST, received=1), b"x").result(5)
    segment = spool.take(0, 5)
    assert segment is not None
    spool.settle(segment, {"default": Outcome(1)})
    now[0] = 1_000_000_000.0
    assert spool.expire(600, 1 << 30) == []
    now[0] += 601
    assert len(spool.expire(600, 1 << 30)) == 1
    assert spool.totals() == Totals(received=1, stored=1)
    spool.close()
