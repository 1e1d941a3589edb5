"""An insert holds each project's requests once, as one delimited message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf.internal.decoder import _DecodeVarint32  # type: ignore[attr-defined]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.batches import Batch, Message, batches, inserts, trailer
from collector.segment import Kind, Record, Segment
from collector.spool import Spool
from collector.statements import statements

DAY_NS = 86_400 * 10**9
START = 1_700_000_000 * 10**9


def body(name: str, start: int) -> bytes:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name=name, start_time_unix_nano=start)
    return request.SerializeToString()


def filled(tmp_path: Path, sent: list[tuple[str, str, int]]) -> tuple[Spool, Segment]:
    spool = Spool(tmp_path, "traces", 1 << 20)
    for project, name, start in sent:
        record = Record(Kind.REQUEST, received=1, first_ns=start, last_ns=start, at_ms=5, project=project)
        spool.append(record, body(name, start)).result(5)
    segment = spool.take(0, 5)
    assert segment is not None
    return spool, segment


def messages(data: bytes) -> list[ExportTraceServiceRequest]:
    found, position = [], 0
    while position < len(data):
        length, position = _DecodeVarint32(data, position)
        found.append(ExportTraceServiceRequest.FromString(data[position : position + length]))
        position += length
    return found


def names(request: Any) -> list[str]:
    return [resource.scope_spans[0].spans[0].name for resource in request.resource_spans]


def test_one_insert_holds_one_message_a_project(tmp_path: Path) -> None:
    spool, segment = filled(tmp_path, [("shop", "a", START), ("default", "b", START), ("shop", "c", START)])
    ((token, sent),) = inserts(spool, segment)
    assert token == segment.token
    assert [(message.batch.project, message.batch.name) for message in sent] == [
        ("shop", f"{token}@shop"),
        ("default", token),
    ]
    assert [names(request) for request in messages(b"".join(b"".join(one.encode()) for one in sent))] == [
        ["a", "c"],
        ["b"],
    ]
    spool.close()


def test_spans_of_many_months_are_split_and_stay_with_their_project(tmp_path: Path) -> None:
    late = START + 200 * DAY_NS
    spool, segment = filled(tmp_path, [("shop", "a", START), ("web", "b", START), ("shop", "c", late)])
    found = [
        [(one.batch.project, names(request)) for one in sent for request in messages(b"".join(one.encode()))]
        for _, sent in inserts(spool, segment)
    ]
    assert found == [[("shop", ["a"]), ("web", ["b"])], [("shop", ["c"])]]
    spool.close()


def test_a_segment_of_notes_needs_no_insert(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "traces", 1 << 20)
    spool.append(Record(Kind.NOTE, received=1, duplicate=1, project="shop")).result(5)
    segment = spool.take(0, 5)
    assert segment is not None
    assert (batches(segment), list(inserts(spool, segment))) == ([], [])
    spool.close()


def test_the_key_of_hashed_values_travels_behind_the_batch_and_shows_in_no_repr() -> None:
    batch = Batch("b", "p", 300, ())
    key = bytes(range(16))
    (head, end) = list(Message.of(batch, []).encode(key))
    assert end == trailer(batch) + bytes.fromhex("da3e10") + key  # field 1003, wire type 2, 16 bytes
    assert head == bytes([len(end)])
    assert repr(key) not in repr(statements(key))
