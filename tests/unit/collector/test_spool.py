"""What is acked is on disk, comes back after a crash, and is accounted for at every moment."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector import spool as spool_module
from collector.accounting import Totals
from collector.durable import lock_directory
from collector.segment import HEADER_SIZE, MAGIC, Kind, Outcome, Record, Segment, encode
from collector.spool import Spool, SpoolWriteError
from leewatch.errors import DataDirectoryLockedError


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Disk:
    """fsync that can be told to fail."""

    def __init__(self) -> None:
        self.syncs = 0
        self.error: OSError | None = None
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, descriptor: int) -> None:
        self.gate.wait(5)
        self.syncs += 1
        if self.error is not None:
            raise self.error


def record(spans: int = 1, digest: int = 0) -> Record:
    return Record(Kind.REQUEST, received=spans, digest=digest.to_bytes(16, "big"))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[list[Spool]]:
    spools: list[Spool] = []
    yield spools
    for spool in spools:
        spool.close()


def test_appended_bytes_come_back_in_order(tmp_path: Path, opened: list[Spool]) -> None:
    spool = Spool(tmp_path, "traces", 1 << 20)
    opened.append(spool)
    for payload in (b"one", b"two", b""):
        spool.append(record(), payload).result(5)
    segment = spool.take(0, 1)
    assert segment is not None
    assert list(spool.payloads(segment)) == [b"one", b"two", b""]


def test_waiting_requests_share_one_fsync(tmp_path: Path, opened: list[Spool]) -> None:
    disk = Disk()
    spool = Spool(tmp_path, "traces", 1 << 20, sync=disk)
    opened.append(spool)
    disk.gate.clear()
    futures = [spool.append(record(), b"x") for _ in range(50)]
    assert not any(future.done() for future in futures)
    disk.gate.set()
    for future in futures:
        future.result(5)
    assert disk.syncs <= 2


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_failed_fsync_is_never_an_ack_and_leaves_nothing_behind(tmp_path: Path, number: int) -> None:
    disk = Disk()
    spool = Spool(tmp_path, "traces", 1 << 20, sync=disk)
    spool.append(record(2, 1), b"good").result(5)
    disk.error = OSError(number, os.strerror(number))
    with pytest.raises(SpoolWriteError):
        spool.append(record(3, 2), b"bad").result(5)
    assert not spool.writable
    disk.error = None
    spool.append(record(4, 3), b"again").result(5)
    assert spool.writable
    spool.close()
    again = Spool(tmp_path, "traces", 1 << 20)
    assert again.totals() == Totals(received=6, spooled=6)
    assert [digest[-1] for digest in again.digests()] == [1, 3]
    again.close()


def test_a_torn_tail_is_cut_and_the_rest_survives(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "traces", 1 << 20)
    spool.append(record(2), b"first").result(5)
    spool.append(record(3), b"second").result(5)
    spool.close()
    (path,) = tmp_path.glob("*.seg")
    whole = path.read_bytes()
    for cut in range(1, HEADER_SIZE + len(b"second") + 1):
        path.write_bytes(whole[:-cut])
        again = Spool(tmp_path, "traces", 1 << 20)
        assert again.totals() == Totals(received=2, spooled=2)
        again.close()


def test_a_flipped_bit_ends_the_good_part(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "traces", 1 << 20)
    spool.append(record(2), b"first").result(5)
    spool.append(record(3), b"second").result(5)
    spool.close()
    (path,) = tmp_path.glob("*.seg")
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    again = Spool(tmp_path, "traces", 1 << 20)
    assert again.totals().received == 2
    again.close()


def test_a_segment_counts_as_spooled_until_it_is_settled_also_over_restarts(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "traces", 1)
    spool.append(Record(Kind.REQUEST, received=10, rejected=1), b"x").result(5)
    spool.append(Record(Kind.NOTE, received=4, duplicate=4)).result(5)
    assert spool.totals() == Totals(received=14, rejected=1, duplicate=4, spooled=9)
    segment = settle_one(spool, stored=8, dead=1)
    assert segment.settlement is not None
    spool.close()
    again = Spool(tmp_path, "traces", 1)
    assert again.totals() == Totals(received=14, stored=8, duplicate=4, rejected=1, dead_lettered=1)
    again.close()


def settle_one(spool: Spool, stored: int, dead: int = 0) -> Segment:
    segment = spool.take(0, 5)
    assert segment is not None
    spool.settle(segment, {"default": Outcome(stored, dead)})
    return segment


def test_expired_segments_leave_their_totals_behind(tmp_path: Path) -> None:
    clock = Clock()
    spool = Spool(tmp_path, "traces", 1, wall=clock)
    spool.append(record(5, 7), b"x").result(5)
    settle_one(spool, stored=5)
    assert spool.expire(600, 1 << 30) == []
    clock.now += 601
    assert [digest[-1] for digest in spool.expire(600, 1 << 30)] == [7]
    assert list(tmp_path.glob("*.seg")) == []
    assert spool.totals() == Totals(received=5, stored=5)
    spool.close()
    again = Spool(tmp_path, "traces", 1, wall=clock)
    assert again.totals() == Totals(received=5, stored=5)
    again.append(record(1), b"y").result(5)
    assert again.totals() == Totals(received=6, stored=5, spooled=1)
    again.close()


def test_a_crash_between_checkpoint_and_deletion_counts_once(tmp_path: Path) -> None:
    clock = Clock()
    spool = Spool(tmp_path, "traces", 1, wall=clock)
    spool.append(record(5), b"x").result(5)
    segment = settle_one(spool, stored=5)
    content = segment.path.read_bytes()
    clock.now += 601
    spool.expire(600, 1 << 30)
    spool.close()
    segment.path.write_bytes(content)  # as if the deletion had not happened
    again = Spool(tmp_path, "traces", 1, wall=clock)
    assert again.totals() == Totals(received=5, stored=5)
    again.close()


def test_kept_segments_give_up_their_payload_for_space_but_not_their_digests(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "traces", 1)
    for digest in (1, 2):
        spool.append(record(5, digest), bytes(10_000)).result(5)
        settle_one(spool, stored=5)
    assert spool.disk_bytes > 20_000
    spool.expire(600, 12_000)
    assert 10_000 < spool.disk_bytes < 12_000
    spool.close()
    again = Spool(tmp_path, "traces", 1)
    assert sorted(digest[-1] for digest in again.digests()) == [1, 2]
    assert again.totals() == Totals(received=10, stored=10)
    again.close()


def test_after_another_boot_stored_segments_are_verified_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path, "traces", 1)
    spool.append(record(5), b"x").result(5)
    settle_one(spool, stored=5)
    spool.close()
    monkeypatch.setattr(spool_module, "boot_id", lambda: "another")
    again = Spool(tmp_path, "traces", 1)
    segment = again.take(0, 0)
    assert segment is not None
    assert segment.recovered
    again.close()


def test_appending_after_close_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "traces", 1)
    spool.close()
    with pytest.raises(SpoolWriteError):
        spool.append(record(), b"x").result(5)


def test_a_second_collector_on_the_same_directory_is_told_so(tmp_path: Path) -> None:
    held = lock_directory(tmp_path / "spool", tmp_path)
    with pytest.raises(DataDirectoryLockedError, match="in use by another Leewatch process"):
        lock_directory(tmp_path / "spool", tmp_path)
    os.close(held)
    os.close(lock_directory(tmp_path / "spool", tmp_path))


def test_segments_settled_out_of_order_are_deleted_in_order(tmp_path: Path) -> None:
    clock = Clock()
    spool = Spool(tmp_path, "traces", 1, wall=clock)
    for digest in (1, 2):
        spool.append(record(5, digest), b"x").result(5)
    first, second = spool.take(0, 1), spool.take(0, 1)
    assert first is not None
    assert second is not None
    assert spool.take(0, 0) is None
    spool.settle(second, {"default": Outcome(5)})
    clock.now += 601
    assert spool.expire(600, 1 << 30) == []
    spool.settle(first, {"default": Outcome(5)})
    clock.now += 601
    assert [digest[-1] for digest in spool.expire(600, 1 << 30)] == [1, 2]
    assert spool.totals() == Totals(received=10, stored=10)
    spool.close()


def test_accounts_are_kept_apart_by_project_over_settling_restart_and_expiry(tmp_path: Path) -> None:
    clock = Clock()
    expected = {
        "default": Totals(received=5, stored=5),
        "shop": Totals(received=7, stored=5, duplicate=1, dead_lettered=1),
    }
    spool = Spool(tmp_path, "traces", 1 << 20, wall=clock)
    spool.append(record(5, 1), b"x").result(5)
    spool.append(Record(Kind.REQUEST, received=6, project="shop"), b"y").result(5)
    spool.append(Record(Kind.NOTE, received=1, duplicate=1, project="shop")).result(5)
    segment = spool.take(0, 5)
    assert segment is not None
    spool.settle(segment, {"default": Outcome(5), "shop": Outcome(5, 1)})
    for _ in range(3):
        assert spool.accounts() == expected
        spool.close()
        spool = Spool(tmp_path, "traces", 1 << 20, wall=clock)
        clock.now += 601
        spool.expire(600, 1 << 30)
    spool.close()


def test_segments_and_checkpoints_without_projects_belong_to_the_default_one(tmp_path: Path) -> None:
    trailer = b'[4, 1, 1000.0, "another boot"]'
    content = [encode(record(5, 1), b"x"), b"x", encode(Record(Kind.SETTLED), trailer), trailer]
    (tmp_path / "traces-000000000008-0000aaaa.seg").write_bytes(b"".join([MAGIC, *content]))
    (tmp_path / "checkpoint.json").write_text(
        '{"folded": 7, "totals": {"received": 3, "stored": 3, "duplicate": 0, "rejected": 0, "dead_lettered": 0}}'
    )
    spool = Spool(tmp_path, "traces", 1 << 20)
    assert spool.accounts() == {"default": Totals(received=8, stored=3, spooled=5)}
    spool.close()


def test_a_segment_set_aside_lets_those_behind_it_go_first(tmp_path: Path, opened: list[Spool]) -> None:
    spool = Spool(tmp_path, "traces", 1)
    opened.append(spool)
    for index in range(2):
        spool.append(record(digest=index), b"x").result(5)
    first = spool.take(0, 1)
    assert first is not None
    first.unclear = 1
    spool.set_aside(first, 0.2)
    assert spool.segments_set_aside == 1
    second = spool.take(0, 0)
    assert second is not None
    assert second.number == first.number + 1
    assert spool.take(0, 0) is None
    assert spool.take(0, 5) is first
    spool.settle(first, {"default": Outcome(1)})
    assert spool.segments_set_aside == 0
    assert spool.totals() == Totals(received=2, stored=1, spooled=1)
