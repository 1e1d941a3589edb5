"""Hostile bodies are answered as OTLP wants, and the fuzzer notices where they are not."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from google.rpc.status_pb2 import Status

from collector import status
from collector.bench.fuzz import oracle
from collector.bench.fuzz.direct import Direct, judge
from collector.bench.fuzz.mutate import Case, Mutator
from collector.bench.fuzz.result import Part, Result
from collector.bench.fuzz.run import case, seeds
from collector.segment import SIGNALS
from collector.validate import REQUESTS

BODIES = 1200
SEED = 11


def test_hostile_bodies_are_refused_or_stored_and_the_account_says_which(tmp_path: Path) -> None:
    part = Part("request path")
    Direct(tmp_path, part).run(Mutator(seeds(None), SEED), range(BODIES), lambda done: None)
    assert part.findings == []
    assert part.sent == BODIES
    assert set(part.answers) == {"http 200", "http 400", "http 415"}
    assert all(part.items[f"{signal} received"] > 20 for signal in SIGNALS)
    assert part.items["traces rejected"] > 0


def test_a_value_that_a_later_one_replaces_need_not_be_text() -> None:
    """Of a member that is sent twice the last counts; the first, a map whose key is no UTF-8, is gone."""
    replaced = b"\x32\x07\x0a\x05\x0a\x01\xff\x12\x00"
    twice, once = (_record(replaced + b"\x0a\x02ok"), _record(replaced))
    assert (oracle.is_valid("logs", twice), oracle.is_valid("logs", once)) == (True, False)


def _record(body: bytes) -> bytes:
    """A request of one log record with this AnyValue."""
    for tag in (b"\x2a", b"\x12", b"\x12", b"\x0a"):
        body = tag + bytes([len(body)]) + body
    return body


def test_a_case_depends_on_seed_and_number_alone() -> None:
    assert case(3, 77, None) == case(3, 77, None)
    assert len({case(3, number, None).body for number in range(40)} - {case(4, n, None).body for n in range(40)}) > 30


def test_seeds_are_valid_requests_and_cases_are_of_every_kind() -> None:
    found = seeds(None)
    for signal, bodies in found.seeds.items():
        assert all(oracle.items(signal, REQUESTS[signal].FromString(body)) for body in bodies)
    mutator = Mutator(found, SEED)
    cases = [mutator.case(number) for number in range(2000)]
    assert {c.content_type for c in cases} >= {status.JSON, status.PROTOBUF, "", "text/plain"}
    assert {c.encoding.strip().lower() for c in cases} >= {"", "gzip", "deflate", "identity", "zstd", "br"}
    valid = sum((body := oracle.sent(c)) is not None and oracle.is_valid(c.signal, body) for c in cases)
    assert 400 < valid < 1600


@pytest.mark.parametrize(
    ("plain", "code", "answer", "finding"),
    [
        (b"", 500, b"", "answered 500"),
        (b"\xff", 200, b"", "accepted, though"),
        (b"\xff", 400, b"", "without a google.rpc.Status"),
        (b"", 400, Status(code=3, message="no").SerializeToString(), "refused with 400, though"),
    ],
)
def test_a_wrong_answer_is_a_finding(plain: bytes, code: int, answer: bytes, finding: str) -> None:
    part = Part("test")
    judge(part, Case(1, "traces", status.PROTOBUF, "", plain, plain), code, answer)
    assert len(part.findings) == 1
    assert finding in part.findings[0]
    assert part.findings[0].startswith("case 1 (traces, ")
    assert not Result(1, 1, [part]).passed


def test_an_account_that_differs_from_the_answers_is_a_finding(tmp_path: Path) -> None:
    part = Part("request path")
    part.items["traces received"] = 1
    Direct(tmp_path, part).run(Mutator(seeds(None), SEED), range(1), lambda done: None)
    assert any(finding.startswith("traces: the answers say") for finding in part.findings)


def test_a_damaged_body_that_can_still_be_read_is_read() -> None:
    whole = gzip.compress(b"\x0a\x00")
    header_hit = whole[:4] + b"\xff" + whole[5:]  # the time in gzip's header
    assert oracle.sent(Case(1, "traces", status.PROTOBUF, "gzip", header_hit, None)) == b"\x0a\x00"
    assert oracle.sent(Case(1, "traces", status.PROTOBUF, "gzip", whole[:-3], None)) is None
    assert oracle.sent(Case(1, "traces", status.PROTOBUF, "br", b"", None)) is None
