from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.alert import Alert, fingerprint
from alerts.route import Route, Sent, Silence, Timing, decide, plan

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
TIMING = Timing(("rule", "service"), 0, 3600)


def alert(state: str = "firing", fired: datetime | None = T0, at: datetime = T0, **labels: str) -> Alert:
    labels = labels or {"service": "bot"}
    values: dict[str, Any] = {"state": state, "at": at, "since": T0, "fired_at": fired}
    return Alert(fingerprint("r", labels), "r", labels, severity="critical", value=1, threshold=0, **values)


@pytest.mark.parametrize(
    ("state", "sent", "muted", "now", "reason"),
    [
        ("firing", Sent(), False, T0, "new"),
        ("firing", Sent(), True, T0, None),
        ("firing", Sent("firing", T0), False, T0 + HOUR / 2, None),
        ("firing", Sent("firing", T0), False, T0 + HOUR, "repeat"),
        ("firing", Sent("firing", T0), True, T0 + HOUR, None),
        ("firing", Sent("resolved", T0 - HOUR), False, T0, "new"),
        ("firing", Sent("firing", T0 - HOUR), False, T0, "new"),
        ("firing", Sent(failed_at=T0), False, T0, "new"),
        ("resolved", Sent("firing", T0), False, T0 + HOUR, "resolved"),
        ("resolved", Sent("firing", T0), True, T0 + HOUR, "resolved"),
        ("resolved", Sent("resolved", T0), False, T0 + HOUR, None),
        ("resolved", Sent(), False, T0 + HOUR, None),
        ("resolved", Sent(failed_at=T0), False, T0 + HOUR, "resolved before it could be told"),
        ("resolved", Sent(failed_at=T0), True, T0 + HOUR, None),
        ("pending", Sent(), False, T0, None),
        ("pending", Sent("firing", T0), False, T0 + HOUR, "resolved"),
        ("inactive", Sent(), False, T0, None),
    ],
)
def test_a_channel_is_told_for_a_reason(state: str, sent: Sent, muted: bool, now: datetime, reason: str | None) -> None:
    assert decide(alert(state), sent, muted, 3600, now) == reason


def test_an_alert_that_never_fired_is_never_told() -> None:
    assert decide(alert("resolved", fired=None), Sent("firing", T0), False, 3600, T0) is None


def test_alerts_of_one_group_share_a_message_and_continue_it() -> None:
    a, b = alert(service="bot", model="m1"), alert(service="bot", model="m2")
    other = alert(service="shop", model="m1")
    first = plan([a, b, other], Route("slack"), {}, [], TIMING, T0)
    assert [len(due.alerts) for due in first] == [2, 1]
    assert [due.handle for due in first] == ["", ""]
    sent = {a.fingerprint: Sent("firing", T0, "message-1")}
    (later,) = plan([a, b], Route("slack"), sent, [], TIMING, T0 + HOUR / 4)
    assert (later.handle, later.reason, len(later.alerts)) == ("message-1", "new", 2)


def test_a_new_episode_begins_a_new_message() -> None:
    again = alert(fired=T0 + HOUR, at=T0 + HOUR)
    (due,) = plan([again], Route("slack"), {again.fingerprint: Sent("resolved", T0, "old")}, [], TIMING, T0 + HOUR)
    assert (due.reason, due.handle) == ("new", "")


def test_a_first_message_waits_for_others_and_nothing_else_does() -> None:
    waiting = Timing(("rule",), 30, 3600)
    a = alert()
    assert plan([a], Route("slack"), {}, [], waiting, T0 + timedelta(seconds=29)) == []
    assert len(plan([a], Route("slack"), {}, [], waiting, T0 + timedelta(seconds=30))) == 1
    resolved = alert("resolved", at=T0 + timedelta(seconds=5))
    told = {a.fingerprint: Sent("firing", T0, "m")}
    assert len(plan([resolved], Route("slack"), told, [], waiting, T0 + timedelta(seconds=5))) == 1


def test_a_route_takes_alerts_by_severity_and_label() -> None:
    a = alert()
    assert plan([a], Route("slack", ("warning",)), {}, [], TIMING, T0) == []
    assert plan([a], Route("slack", where={"service": "other"}), {}, [], TIMING, T0) == []
    assert len(plan([a], Route("slack", ("critical",), {"rule": "r"}), {}, [], TIMING, T0)) == 1


def silence(matchers: dict[str, str], created: datetime = T0) -> Silence:
    return Silence("1", matchers, T0, T0 + HOUR, created)


def test_a_silence_mutes_what_all_its_matchers_fit_while_it_lasts() -> None:
    a = alert()
    assert silence({"service": "bot", "rule": "r"}).mutes(a, T0)
    assert not silence({"service": "bot", "rule": "other"}).mutes(a, T0)
    assert not silence({"service": "bot"}).mutes(a, T0 + HOUR)
    assert not silence({"service": "bot"}).mutes(a, T0 - HOUR)
    assert not silence({}).mutes(a, T0), "no matcher matches nothing, not everything"


def test_an_acknowledgement_ends_with_the_episode_it_was_given_in() -> None:
    a = alert()
    given = silence({"ack": a.fingerprint}, created=T0 + HOUR / 4)
    assert given.mutes(a, T0 + HOUR / 2)
    assert not given.mutes(alert(fired=T0 + HOUR / 2), T0 + HOUR / 2)


def test_a_fingerprint_depends_on_rule_and_labels_and_not_on_their_order() -> None:
    assert fingerprint("r", {"a": "1", "b": "2"}) == fingerprint("r", {"b": "2", "a": "1"})
    assert len({fingerprint("r", {"a": "1"}), fingerprint("s", {"a": "1"}), fingerprint("r", {"a": "2"})}) == 3
