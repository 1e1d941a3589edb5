"""Configuration of the analyzers: sections `analyzers`, `drift` and `topics` of `leewatch.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any, Literal, Self

from pydantic import AwareDatetime, field_validator, model_validator
from pydantic import Field as Key

from analyzers.windows import Window
from leewatch.config import HEALTH_HOST, HEALTH_PORT, Port, Section


class PriceOverride(Section):
    """A price that wins over the price list, USD per million tokens."""

    provider: str = Key(min_length=1, description="provider as it stands in llm_spans, e.g. openai")
    model: str = Key(min_length=1, description="model as it stands in llm_spans")
    input_per_million: float = Key(ge=0, allow_inf_nan=False, description="USD per million input tokens")
    output_per_million: float = Key(ge=0, allow_inf_nan=False, description="USD per million output tokens")


class AnalyzersSection(Section):
    """Scoring, embedding and pricing of spans (role `analyzers`)."""

    interval_seconds: float = Key(10, gt=0, le=3600, description="seconds between two looks for new spans")
    batch_size: int = Key(256, ge=1, le=10_000, description="spans that are scored and written together")
    model: str = Key("", description="path or name of the sentence encoder; empty: all-MiniLM-L6-v2")
    device: str = Key("auto", description="auto, cpu, cuda, or a torch device such as cuda:1")
    threads: int = Key(2, ge=1, le=256, description="CPU threads of the encoder and the tests")
    profile: Literal["light", "accurate"] = Key(
        "light", description="models that judge: those that ship with the package, or larger ones of the hub"
    )
    content_wait_seconds: float = Key(
        60, ge=0, le=86_400, description="seconds a span without content waits for log records before it is given up"
    )
    overlap_seconds: float = Key(
        300, ge=0, le=86_400, description="seconds of ingestion time read again at each look, for inserts out of order"
    )
    max_lag_seconds: float = Key(
        120,
        ge=0,
        le=86_400,
        description="longest time that a call waits to be scored, seconds: when there are more calls than can be scored by then, "
        "a sample of them is; at least twice interval_seconds; 0: all are scored, however late",
    )
    scorers: Mapping[str, Mapping[str, Any]] = Key(
        default_factory=dict,
        description="options of each scorer by name; `enabled: false` leaves it out; with `kind` a scorer of your own",
    )
    prices: tuple[PriceOverride, ...] = Key((), description="prices that win over the price list")
    health_host: str = HEALTH_HOST
    health_port: Port | None = HEALTH_PORT


class BaselineSection(Section):
    """Days that a service's later windows are laid against, instead of the days before each."""

    service: str = Key(min_length=1, description="service.name")
    project: str = Key("default", min_length=1, description="project of the service")
    since: AwareDatetime = Key(description="first moment, with its time zone, e.g. 2026-11-02T00:00:00Z")
    until: AwareDatetime = Key(description="end, with its time zone")

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.since >= self.until:
            raise ValueError(f"since {self.since.isoformat()} is not before until {self.until.isoformat()}")
        return self


class DriftSection(Section):
    """Drift tests of prompts, responses and measurements (job `drift` of the role `analyzers`)."""

    window_seconds: int = Key(3600, ge=10, le=7 * 86_400, description="length of a tested window, seconds")
    reference_days: float = Key(
        14,
        gt=0,
        le=90,
        description="days before a window from which its reference is drawn; from 14 on a weekly cycle is known",
    )
    max_reference: int = Key(5000, ge=100, le=50_000, description="most reference rows of one test")
    max_window: int = Key(5000, ge=100, le=50_000, description="most rows of a window that are tested")
    min_window: int = Key(100, ge=20, description="rows below which a window waits to be merged with the next")
    min_reference: int = Key(300, ge=50, description="reference rows below which nothing is tested")
    lateness_seconds: float = Key(300, ge=0, le=86_400, description="seconds after its end at which a window is tested")
    fields: tuple[Literal["prompt", "response"], ...] = Key(
        ("prompt", "response"), description="texts whose embeddings are tested"
    )
    false_alarms_per_30_days: float = Key(
        1.0, gt=0, le=1000, description="false alarms that all drift tests together may cause in 30 days"
    )
    tabular: bool = Key(True, description="test latency, tokens, scores, finish reasons and errors too")
    baselines: tuple[BaselineSection, ...] = Key(
        (), description="services whose reference is pinned: a list of service, project, since, until"
    )

    @field_validator("fields")
    @classmethod
    def _each_field_once(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(fields)) != len(fields):
            raise ValueError(f"expected each field once, got {', '.join(fields)}")
        return fields

    @field_validator("baselines")
    @classmethod
    def _one_for_each_service(cls, baselines: tuple[BaselineSection, ...]) -> tuple[BaselineSection, ...]:
        names = [f"{one.project}/{one.service}" for one in baselines]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"expected one baseline for each service, got more for {', '.join(twice)}")
        return baselines

    def baseline(self, project: str, service: str) -> Window | None:
        """The pinned reference of a service; None where it trails."""
        for one in self.baselines:
            if (one.project, one.service) == (project, service):
                return Window(one.since.astimezone(UTC), one.until.astimezone(UTC))
        return None


class TopicsSection(Section):
    """Topics of each service's prompts (job `topics` of the role `analyzers`)."""

    enabled: bool = Key(True, description="find topics and tell which call is about which")
    refit_hours: float = Key(
        24,
        gt=0,
        le=24 * 30,
        description="hours between two fits; one comes sooner, after 1/24 of that, when many prompts belong to no topic or "
        "there are three times as many as at a small first fit",
    )
    days: float = Key(7, gt=0, le=90, description="days of prompts that a fit looks at")
    max_rows: int = Key(20_000, ge=200, le=100_000, description="most prompts that a fit reads")
    min_prompts: int = Key(200, ge=50, description="prompts below which a service has no topics")
    max_topics: int = Key(
        40, ge=2, le=60, description="most topics of a service; the first fit takes up to three quarters of them"
    )
    remember_days: float = Key(
        30, gt=0, le=365, description="days after its last prompt that a topic can come back under its id"
    )
