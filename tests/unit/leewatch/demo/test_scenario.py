from datetime import UTC, datetime

import pytest

from leewatch.demo.scenario import (
    INCIDENTS,
    AlertState,
    Phase,
    Timing,
    chosen,
    next_phase,
    unresolved,
    unseen,
    verdict,
)
from leewatch.errors import InputError

TIMING = Timing(healthy=10, quiet=20, incident_limit=30, recovery_limit=40)
TOPIC = chosen("topic")


def state(rule, service, name, delivered=True):
    return AlertState("f", rule, service, name, delivered, "t", datetime.now(UTC))


def test_all_and_none_and_single_incidents_can_be_chosen():
    assert chosen("all") == INCIDENTS
    assert chosen("none") == ()
    assert [i.name for i in TOPIC] == ["topic"]
    with pytest.raises(InputError, match="expected one of all, topic"):
        chosen("floods")


def test_an_incident_counts_as_seen_only_for_its_own_rule_and_service():
    assert unseen(TOPIC, {(TOPIC[0].rule, "another")}) == list(TOPIC)
    assert unseen(TOPIC, {(TOPIC[0].rule, TOPIC[0].service)}) == []


@pytest.mark.parametrize(
    ("name", "delivered", "open_"), [("firing", True, 1), ("resolved", False, 1), ("resolved", True, 0)]
)
def test_an_incident_is_over_when_its_resolution_was_delivered(name, delivered, open_):
    assert len(unresolved(TOPIC, [state(TOPIC[0].rule, TOPIC[0].service, name, delivered)])) == open_


def test_phases_follow_each_other():
    def step(phase, seconds, missing=(), open_=(), inject=True):
        return next_phase(phase, seconds, TIMING, missing, open_, inject)

    assert step(Phase.HEALTHY, 9) is Phase.HEALTHY
    assert step(Phase.HEALTHY, 10) is Phase.INCIDENT
    assert step(Phase.HEALTHY, 19, inject=False) is Phase.HEALTHY
    assert step(Phase.HEALTHY, 20, inject=False) is Phase.DONE
    assert step(Phase.INCIDENT, 5, missing=TOPIC) is Phase.INCIDENT
    assert step(Phase.INCIDENT, 5) is Phase.RECOVERY
    assert step(Phase.INCIDENT, 30, missing=TOPIC) is Phase.RECOVERY
    assert step(Phase.RECOVERY, 5, open_=TOPIC) is Phase.RECOVERY
    assert step(Phase.RECOVERY, 5) is Phase.DONE
    assert step(Phase.RECOVERY, 40, open_=TOPIC) is Phase.DONE


def test_the_verdict_names_what_went_wrong():
    assert verdict([], [], 0) == ""
    assert "no alert was delivered for: topic in support-bot" in verdict(TOPIC, [], 0)
    assert "not resolved for: topic" in verdict([], TOPIC, 0)
    assert "2 alert(s) fired although nothing was injected" in verdict([], [], 2)
