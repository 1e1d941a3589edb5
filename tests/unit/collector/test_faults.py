"""An error of the database says whether its data, its state, or neither for sure is to blame."""

from __future__ import annotations

import httpx
import pytest

from collector.faults import REFUSED, UNAVAILABLE, Fault, of_answer, of_exchange


@pytest.mark.parametrize(
    ("code", "status", "text", "fault"),
    [
        (469, 500, "Constraint `c` is violated", Fault.REFUSED),
        (53, 400, "Type mismatch", Fault.REFUSED),
        (252, 500, "Too many parts (3000). Merges are processing significantly slower", Fault.UNAVAILABLE),
        (252, 500, "Too many partitions for single INSERT block (more than 100)", Fault.REFUSED),
        (202, 503, "Too many simultaneous queries", Fault.UNAVAILABLE),
        (60, 404, "Table leewatch.otlp_traces does not exist", Fault.UNAVAILABLE),
        (1001, 500, "std::exception: No space left on device", Fault.UNAVAILABLE),
        (0, 503, "upstream down", Fault.UNAVAILABLE),
        (0, 413, "Request Entity Too Large", Fault.UNCLEAR),
        (0, 500, "", Fault.UNCLEAR),
        (241, 500, "Memory limit exceeded", Fault.UNCLEAR),
        (49, 500, "Logical error", Fault.UNCLEAR),
        (65000, 500, "an error of a later release", Fault.UNCLEAR),
    ],
)
def test_an_answer_is_judged_by_its_code(code: int, status: int, text: str, fault: Fault) -> None:
    assert of_answer(code, status, text) is fault


def test_no_code_is_in_two_classes() -> None:
    assert not REFUSED & UNAVAILABLE


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (httpx.ConnectError("refused"), Fault.UNAVAILABLE),
        (httpx.ReadTimeout("slow"), Fault.UNAVAILABLE),
        (httpx.ReadError("reset"), Fault.UNCLEAR),
        (httpx.RemoteProtocolError("closed without an answer"), Fault.UNCLEAR),
    ],
)
def test_a_connection_that_broke_under_way_may_be_the_fault_of_what_was_sent(error: Exception, fault: Fault) -> None:
    assert of_exchange(error) is fault
