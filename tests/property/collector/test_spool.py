"""Whatever is appended, and wherever the file is cut, every record comes back once, in order, or not at all."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.segment import MAGIC, Kind, Outcome, Record, encode, scan
from collector.spool import Spool

PAYLOADS = st.lists(st.binary(max_size=40), max_size=30)
PROJECTS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


@given(sent=st.lists(st.tuples(PROJECTS, st.binary(max_size=40)), max_size=30), cut=st.integers(0, 4000))
def test_a_cut_file_gives_a_prefix_of_its_records(sent: list[tuple[str, bytes]], cut: int) -> None:
    data = MAGIC + b"".join(encode(Record(Kind.REQUEST, received=1, project=n), p) + p for n, p in sent)
    whole = [(r.project, data[r.offset : r.offset + r.length]) for r in scan(data)]
    assert whole == sent
    kept = data[: max(len(data) - cut, 0)]
    found = [(r.project, kept[r.offset : r.offset + r.length]) for r in scan(kept)]
    assert found == sent[: len(found)]


@settings(max_examples=30, deadline=None)
@given(payloads=PAYLOADS, flush=st.integers(1, 400), restarts=st.integers(0, 3))
def test_every_acked_record_is_stored_once(payloads: list[bytes], flush: int, restarts: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        stored: list[bytes] = []
        chunk = len(payloads) // (restarts + 1) + 1
        for start in range(0, max(len(payloads), 1), chunk):
            spool = Spool(Path(name), "traces", flush, sync=lambda _: None)
            for payload in payloads[start : start + chunk]:
                spool.append(Record(Kind.REQUEST, received=1), payload).result(5)
            if start % 2:
                drain(spool, stored)
            assert spool.totals().balanced
            spool.close()
        last = Spool(Path(name), "traces", flush, sync=lambda _: None)
        drain(last, stored)
        assert last.totals().received == last.totals().stored == len(payloads)
        last.close()
        assert stored == payloads


def drain(spool: Spool, stored: list[bytes]) -> None:
    while (segment := spool.take(0, 0)) is not None:
        stored += spool.payloads(segment)
        spool.settle(segment, {"default": Outcome(segment.accepted)})
