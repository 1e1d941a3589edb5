"""What a rule is: the keys that people write in `alerts.rules`, and how all faults of all rules are told at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Literal, Self, get_args

import yaml
from pydantic import Field as Key
from pydantic import ValidationError, ValidationInfo, ValidatorFunctionWrapHandler, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from leewatch.config import Section

Metric = Literal[
    "requests",
    "error_rate",
    "latency_p50",
    "latency_p95",
    "latency_p99",
    "ttft_p95",
    "input_tokens",
    "output_tokens",
    "cost",
    "score_mean",
    "score_rate",
    "otlp_mean",
    "otlp_max",
    "otlp_rate",
    "otlp_p95",
]
Dimension = Literal[
    "project", "service", "model", "environment", "provider", "prompt_name", "prompt_version", "feature"
]
Filter = Literal[
    "project", "service", "model", "environment", "provider", "prompt_name", "prompt_version", "feature", "kind"
]
Severity = Literal["info", "warning", "critical"]

TOTALS = frozenset({"requests", "input_tokens", "output_tokens", "cost"})
SHARES = frozenset({"error_rate", "score_rate"})
QUANTILES: Mapping[str, float] = {
    "latency_p50": 0.5,
    "latency_p95": 0.95,
    "latency_p99": 0.99,
    "ttft_p95": 0.95,
    "otlp_p95": 0.95,
}
OTLP = frozenset({"otlp_mean", "otlp_max", "otlp_rate", "otlp_p95"})
EXACT = TOTALS | (OTLP - set(QUANTILES))
"""What is measured whole: chance has no part in it."""
SCORES = frozenset({"score_mean", "score_rate"})
MAX_RULES = 1000
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
ADDRESS = r"^[a-z]+\.[A-Za-z0-9_.-]+$"


class Rule(Section):
    """One condition over a metric or over drift results, and what an alert of it is worth."""

    name: str = Key(pattern=NAME, description="unique name; letters, digits, `_`, `.`, `-`")
    title: str = Key("", max_length=100, description="headline of the message; default: the name")
    metric: Metric | None = Key(None, description="what is measured; a rule has either `metric` or `drift`")
    drift: str | None = Key(
        None, min_length=1, description="field whose drift results fire the rule: prompt, response or a column"
    )
    score: str | None = Key(None, pattern=ADDRESS, description="address of the score, for score_mean and score_rate")
    of: str | None = Key(None, min_length=1, max_length=255, description="name of the OTLP metric, for otlp_ metrics")
    attributes: Mapping[str, str] = Key(
        default_factory=dict, description="only data points that have, or whose resource has, these attributes"
    )
    above: float | None = Key(None, description="score from which a span counts, for score_rate")
    compare: Literal[">", "<"] = Key(">", description="on which side of `threshold` the breach lies")
    threshold: float | None = Key(
        None, description="value beyond which the rule is breached, in the unit of the metric"
    )
    ratio_to_seconds_ago: int | None = Key(
        None, ge=1, description="compare value divided by the value of the same window this many seconds earlier"
    )
    min_effect: float = Key(0.0, ge=0, le=1, description="smallest drift effect that fires, a share in [0, 1]")
    window_seconds: int = Key(900, ge=1, le=2_678_400, description="length of the window, seconds of event time")
    for_seconds: int = Key(0, ge=0, description="how long the breach must hold before the alert fires, seconds")
    resolve_seconds: int = Key(
        60, ge=0, description="how long the breach must be over before the alert is resolved, seconds"
    )
    min_samples: int = Key(20, ge=1, description="spans (or scores) that a window needs to be judged")
    confidence: float = Key(
        0.99, ge=0.5, lt=1, description="how sure we must be that the breach is not chance, e.g. 0.99"
    )
    by: tuple[Dimension, ...] = Key(("service",), description="one alert per value of these")
    where: Mapping[Filter, str] = Key(default_factory=dict, description="only spans with these values")
    severity: Severity = Key("warning", description="info, warning or critical")
    runbook: str = Key("", pattern=r"^(https?://\S+)?$", max_length=1000, description="link shown in the message")

    @field_validator("by", "where", mode="wrap")
    @classmethod
    def _known_dimension(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return handler(value)
        except ValidationError as error:
            unknown = sorted({str(fault["input"]) for fault in error.errors() if fault["type"] == "literal_error"})
            if not unknown:
                raise
            known = get_args(Dimension if info.field_name == "by" else Filter)
            raise ValueError(f"unknown dimension {', '.join(unknown)}; known: {', '.join(known)}") from None

    @model_validator(mode="before")
    @classmethod
    def _every_point_counts(cls, values: Any) -> Any:
        """Levels and rates are exact however few points a window has: another default of min_samples."""
        if isinstance(values, Mapping) and values.get("metric") in OTLP & EXACT:
            return {"min_samples": 1, **values}
        return values

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        faults = [*_target_faults(self), *_score_faults(self), *_otlp_faults(self), *_ratio_faults(self)]
        if faults:
            raise ValidationError.from_exception_data("rule", faults)
        return self

    @property
    def headline(self) -> str:
        """Title of the message."""
        return self.title or self.name


def _fault(key: str, message: str, got: Any = None) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("rule", "{message}", {"message": message}), loc=(key,), input=got)


def _target_faults(rule: Rule) -> list[InitErrorDetails]:
    if rule.metric is None and rule.drift is None:
        return [_fault("metric", "missing; give `metric` (e.g. error_rate) or `drift` (e.g. prompt)")]
    if rule.metric is not None and rule.drift is not None:
        return [_fault("drift", "a rule has either `metric` or `drift`; split it into two rules", rule.drift)]
    if rule.metric is not None and rule.threshold is None:
        return [_fault("threshold", f"missing; give the value of {rule.metric} beyond which the alert fires")]
    if rule.drift is not None:
        faults = []
        if rule.threshold is not None:
            faults.append(_fault("threshold", "drift rules take `min_effect`; remove it", rule.threshold))
        unfit = sorted(set(rule.where) - {"service", "project"})
        if unfit:
            faults.append(_fault("where", f"drift results know service and project; remove {', '.join(unfit)}"))
        segments = [dimension for dimension in rule.by if dimension not in {"service", "project"}]
        if len(segments) > 1:
            faults.append(_fault("by", f"drift is tested for one segment at a time; keep one of {', '.join(segments)}"))
        return faults
    if rule.metric in SHARES and rule.ratio_to_seconds_ago is None and not 0 <= (rule.threshold or 0) <= 1:
        return [_fault("threshold", f"{rule.metric} is a share: expected 0 to 1 (5 % is 0.05)", rule.threshold)]
    return []


def _score_faults(rule: Rule) -> list[InitErrorDetails]:
    faults = []
    if rule.metric in SCORES and rule.score is None:
        faults.append(_fault("score", f"missing; {rule.metric} needs an address, e.g. response.toxicity"))
    if rule.metric == "score_rate" and rule.above is None:
        faults.append(_fault("above", "missing; give the score from which a span counts, e.g. 0.5"))
    if rule.metric not in SCORES and rule.score is not None:
        faults.append(_fault("score", "only score_mean and score_rate look at a score; remove it", rule.score))
    if rule.metric != "score_rate" and rule.above is not None:
        faults.append(_fault("above", "only score_rate counts scores; remove it", rule.above))
    return faults


def _otlp_faults(rule: Rule) -> list[InitErrorDetails]:
    if rule.metric not in OTLP:
        told: list[tuple[str, Any]] = [("of", rule.of), ("attributes", dict(rule.attributes))]
        return [_fault(key, "only otlp_ metrics look at data points; remove it", got) for key, got in told if got]
    faults = []
    if rule.of is None:
        faults.append(_fault("of", f"missing; {rule.metric} needs the name of a metric, e.g. hw.gpu.utilization"))
    for key, given in (("by", rule.by), ("where", rule.where)):
        unfit = sorted(set(given) - {"project", "service"})
        if unfit:
            faults.append(
                _fault(key, f"data points know project and service; give `attributes` in place of {', '.join(unfit)}")
            )
    return faults


def _ratio_faults(rule: Rule) -> list[InitErrorDetails]:
    ago = rule.ratio_to_seconds_ago
    if ago is None:
        return []
    if rule.drift is not None:
        return [_fault("ratio_to_seconds_ago", "drift already compares with a reference; remove it", ago)]
    if ago < rule.window_seconds:
        return [
            _fault(
                "ratio_to_seconds_ago",
                f"windows overlap; expected at least window_seconds ({rule.window_seconds})",
                ago,
            )
        ]
    return []


def parse(values: Any) -> tuple[Rule, ...]:
    """Rules from the list as written.

    Raises pydantic's ValidationError with every fault of every rule, each located by the rule's name and key.
    """
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ValueError("expected a list of rules, each with name, metric or drift, threshold ...")
    if len(values) > MAX_RULES:
        raise ValueError(f"expected at most {MAX_RULES} rules, got {len(values)}")
    rules: list[Rule] = []
    faults: list[InitErrorDetails] = []
    names: set[str] = set()
    for position, value in enumerate(values, start=1):
        if isinstance(value, Rule):
            rules.append(value)
            continue
        label = str(value["name"]) if isinstance(value, Mapping) and value.get("name") else f"number {position}"
        if label in names:
            faults.append(_located(label, _fault("name", "taken by an earlier rule; choose another name", label)))
        names.add(label)
        try:
            rules.append(Rule.model_validate(value))
        except ValidationError as error:
            faults.extend(_told(label, error))
            faults.extend(_further_faults(label, value, error))
    if faults:
        raise ValidationError.from_exception_data("rules", faults)
    return tuple(rules)


def _told(label: str, error: ValidationError) -> list[InitErrorDetails]:
    return [
        _located(label, _fault(".".join(map(str, fault["loc"])) or "rule", _sentence(fault), fault["input"]))
        for fault in error.errors(include_url=False)
    ]


def _further_faults(label: str, value: Any, error: ValidationError) -> list[InitErrorDetails]:
    """Faults between keys, which pydantic looks for only once every key by itself is right."""
    bad = {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]}
    if not isinstance(value, Mapping) or not bad or bad & {"metric", "drift"}:
        return []
    try:
        Rule.model_validate({"name": "unnamed", **{key: item for key, item in value.items() if key not in bad}})
    except ValidationError as further:
        return [fault for fault in _told(label, further) if fault["loc"][1] not in bad]
    return []


def _sentence(fault: Any) -> str:
    key = str(fault["loc"][-1]) if fault["loc"] else ""
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, list(Rule.model_fields), n=1)
        return f"unknown key; {f'did you mean {near[0]}?' if near else 'remove it'}"
    if fault["type"] == "missing":
        return "missing; every rule needs it"
    message = str(fault["msg"]).removeprefix("Value error, ")
    got = f", got {fault['input']!r}" if isinstance(fault["input"], str | int | float) else ""
    return message[:1].lower() + message[1:] + got


def _located(label: str, fault: InitErrorDetails) -> InitErrorDetails:
    return {**fault, "loc": (label, *fault.get("loc", ()))}


def shipped() -> tuple[Rule, ...]:
    """The rules that apply when `alerts.rules` is absent."""
    text = resources.files("alerts").joinpath("default_rules.yaml").read_text(encoding="utf-8")
    return parse(yaml.safe_load(text))
