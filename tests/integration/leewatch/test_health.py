"""Every role is scraped as Prometheus does, and says whether it is ready."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

import alerts.metrics
import analyzers.metrics
import collector.metrics
import leewatch.storage.embedded.metrics
from collector.bench.processes import AT_ONCE, Installation, free_ports
from leewatch.instruments import CONTENT_TYPE, OF_EVERY_PROCESS
from leewatch.storage.client import address
from leewatch.testing.waiting import until

PROBED = ("analyzers", "alerts", "dashboard")
FAMILIES = {
    "store": leewatch.storage.embedded.metrics.ALL,
    "collector": collector.metrics.ALL,
    "analyzers": analyzers.metrics.ALL,
    "alerts": alerts.metrics.ALL,
    "dashboard": (),
}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, dict[str, str]]]:
    """Every role of one installation, and where each answers."""
    dashboard, *ports = free_ports(4)
    keys = {f"{role.upper()}__HEALTH_PORT": port for role, port in zip(PROBED, ports, strict=True)}
    more = {"DASHBOARD__PORT": dashboard, "ANALYZERS__THREADS": 1, "ALERTS__EVALUATE_SECONDS": 0.5}
    running = Installation(tmp_path_factory.mktemp("all") / "data", {**AT_ONCE, **keys, **more})
    bases = {"store": f"http://127.0.0.1:{running.settings.store.port}", "collector": running.http_url}
    bases |= {role: f"http://127.0.0.1:{port}" for role, port in zip(PROBED, ports, strict=True)}
    try:
        running.start("store")
        for role in FAMILIES:
            if role != "store":
                running.start(role, wait=False)
        for role in FAMILIES:
            until(lambda role=role: answers(bases[role]), 120)
        yield running, bases
    finally:
        running.close()


def answers(base: str) -> bool:
    try:
        return httpx.get(f"{base}/readyz", trust_env=False, timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def scraped(everything: tuple[Installation, dict[str, str]], role: str) -> dict[str, Metric]:
    running, bases = everything
    where = address(running.settings)
    auth = (where.user, where.password) if role == "store" else None
    answer = httpx.get(f"{bases[role]}/metrics", auth=auth, trust_env=False, timeout=10)
    assert (answer.status_code, answer.headers["content-type"]) == (200, CONTENT_TYPE)
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


@pytest.mark.parametrize("role", FAMILIES)
def test_each_role_is_ready_and_tells_its_metrics(everything: tuple[Installation, dict[str, str]], role: str) -> None:
    families = scraped(everything, role)
    declared = {metric.name.removesuffix("_total"): metric.kind for metric in (*FAMILIES[role], *OF_EVERY_PROCESS)}
    assert {name: family.type for name, family in families.items()} == declared
    (build,) = families["leewatch_build_info"].samples
    assert build.labels["role"] == role
    assert families["leewatch_ready"].samples[0].value == 1
    assert families["process_cpu_seconds"].samples[0].value > 0.1
    assert 20e6 < families["process_resident_memory_bytes"].samples[0].value < 4e9
    assert httpx.get(f"{everything[1][role]}/healthz", trust_env=False).status_code == 200


def value(family: Metric, **labels: str) -> float:
    return sum(sample.value for sample in family.samples if labels.items() <= sample.labels.items())


def test_what_the_roles_did_is_counted(everything: tuple[Installation, dict[str, str]]) -> None:
    runs = scraped(everything, "analyzers")["leewatch_analyzers_job_runs"]
    assert value(runs, job="prices", outcome="ok") >= 1
    assert value(scraped(everything, "alerts")["leewatch_alerts_evaluations"], outcome="ok") >= 1
    before: Any = scraped(everything, "store")["leewatch_store_queries"]
    assert value(before, outcome="ok") > 10
    assert everything[0].command("query", "SELECT nothing FROM nowhere").returncode == 2
    after = scraped(everything, "store")["leewatch_store_queries"]
    assert value(after, outcome="failed") == value(before, outcome="failed") + 1


def test_figures_of_the_store_need_its_token(everything: tuple[Installation, dict[str, str]]) -> None:
    base = everything[1]["store"]
    assert httpx.get(f"{base}/metrics", trust_env=False).status_code == 401
    assert httpx.get(f"{base}/metrics", headers={"host": "evil.example"}, trust_env=False).status_code == 403


def test_a_taken_port_is_one_sentence_with_its_key(
    everything: tuple[Installation, dict[str, str]], tmp_path: Path
) -> None:
    taken = everything[1]["analyzers"].rpartition(":")[2]
    other = Installation(tmp_path / "data", {"ALERTS__HEALTH_PORT": taken})
    other.start("alerts", wait=False)
    assert other.exit_code("alerts") == 2
    assert "alerts.health_port" in other.log("alerts").read_text()


def test_without_a_database_a_role_lives_but_is_not_ready(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    alone = Installation(tmp_path / "data", {"ALERTS__HEALTH_PORT": port})
    base = f"http://127.0.0.1:{port}"
    alone.start("alerts", wait=False)
    try:

        def lives() -> bool:
            try:
                return httpx.get(f"{base}/healthz", trust_env=False).status_code == 200
            except httpx.TransportError:
                return False

        until(lives, 30)
        answer = httpx.get(f"{base}/readyz", trust_env=False)
        assert (answer.status_code, answer.json()["ready"]) == (503, False)
        assert httpx.get(f"{base}/else", trust_env=False).status_code == 404
    finally:
        alone.close()
