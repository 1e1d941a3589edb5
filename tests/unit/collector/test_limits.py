"""Limits hold over time, let a burst and any single request through, and tell refused senders when to come back."""

from __future__ import annotations

import pytest

from collector import status
from collector.keyring import Keyring
from collector.limits import BURST_SECONDS, Limiter
from leewatch.projects import Limits


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def refusal(limiter: Limiter, project: str = "shop") -> status.Refusal | None:
    try:
        limiter.admit(project)
    except status.Refusal as refused:
        return refused
    return None


def test_without_limits_everything_passes() -> None:
    limiter = Limiter(Limits())
    for _ in range(1000):
        limiter.admit("shop")
        limiter.charge("shop", 10**9, 10**12)


@pytest.mark.parametrize(("limits", "unit"), [(Limits(100, None), "spans"), (Limits(None, 100), "bytes")])
def test_the_rate_holds_over_time(limits: Limits, unit: str) -> None:
    clock = Clock()
    limiter = Limiter(limits, clock=clock)
    taken = 0
    for _ in range(10_000):
        clock.now += 0.01
        if refusal(limiter) is None:
            limiter.charge("shop", 7, 7)
            taken += 7
    # 100 s at 100 a second, and what the full bucket held at the start
    assert 10_000 <= taken <= 10_000 + BURST_SECONDS * 100 + 7
    told = refusal(limiter)
    assert told is None or unit in told.message


def test_a_request_larger_than_the_burst_passes_and_is_paid_for_afterwards() -> None:
    clock = Clock()
    limiter = Limiter(Limits(spans_per_second=10), clock=clock)
    limiter.admit("shop")
    limiter.charge("shop", items=1000)
    told = refusal(limiter)
    assert told is not None
    assert (told.http, told.code, told.retry_after) == (429, status.RESOURCE_EXHAUSTED, 3)
    clock.now += (1000 - 10 * BURST_SECONDS) / 10 + 0.2
    assert refusal(limiter) is None


def test_the_wait_that_is_told_suffices_for_a_small_debt() -> None:
    clock = Clock()
    limiter = Limiter(Limits(spans_per_second=10), clock=clock)
    limiter.charge("shop", items=60)  # 10 more than the bucket holds: a second's worth
    told = refusal(limiter)
    assert told is not None
    assert told.retry_after == 2
    clock.now += told.retry_after
    assert refusal(limiter) is None


def test_projects_do_not_use_up_each_others_limits_and_own_limits_win() -> None:
    keyring = Keyring({}, {"web": Limits(1000, None)})
    limiter = Limiter(Limits(10, 10), lambda: keyring, Clock())
    for project in ("shop", "web"):
        limiter.charge(project, items=100)
    assert refusal(limiter, "shop") is not None
    assert refusal(limiter, "web") is None
    limiter.charge("web", size=100)  # what its own limits leave open is as the default says
    assert refusal(limiter, "web") is not None
    assert refusal(limiter, "other") is None


def test_limits_that_change_count_at_once() -> None:
    keyrings = [Keyring({}, {"shop": Limits(1, None)})]
    limiter = Limiter(Limits(), lambda: keyrings[0], Clock())
    limiter.charge("shop", items=100)
    assert refusal(limiter) is not None
    keyrings[0] = Keyring()
    assert refusal(limiter) is None
