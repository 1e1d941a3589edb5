"""What a service's telemetry lacks, what that costs, and how to mend it, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from leewatch.coverage import ServiceCoverage

Weight = Literal["gap", "hint", "known"]
"""gap: a page or a score is wrong or empty without it; hint: worth adding; known: as somebody decided."""
_ORDER: Final = ("gap", "hint", "known")
UNREAD_SHOWN: Final = 8
"""Keys of one service that are listed."""
SMALL: Final = 0.01
"""Share of calls below which something that lacks is a hint only: a few odd calls are no fault of the set-up."""

_CAPTURE: Final[Mapping[str, str]] = {
    "genai": "OpenTelemetry: `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true`; newer versions take `SPAN_AND_EVENT`",
    "openinference": "OpenInference: leave `OPENINFERENCE_HIDE_INPUTS` and `OPENINFERENCE_HIDE_OUTPUTS` unset",
    "openllmetry": "OpenLLMetry: leave `TRACELOOP_TRACE_CONTENT` unset, or set it to `true`",
    "aisdk": "AI SDK: `recordInputs` and `recordOutputs` in `experimental_telemetry`",
    "openlit": "OpenLIT: `openlit.init(capture_message_content=True)`",
}
"""Dialect -> how content capture is switched on."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that lacks. services: (project, service), those with most such calls first. count: their LLM calls that lack it;
    calls: all of theirs. Code in `effect` and `remedy` stands in backticks.
    """

    services: tuple[tuple[str, str], ...]
    weight: Weight
    title: str
    count: int
    calls: int
    effect: str
    remedy: tuple[str, ...]

    @property
    def share(self) -> float:
        """Share of the services' calls, in (0, 1]."""
        return self.count / self.calls


def findings(services: Sequence[ServiceCoverage]) -> list[Finding]:
    """What lacks in all services, the gravest and most frequent first; what has one remedy is one finding."""
    alike: dict[tuple[object, ...], list[Finding]] = {}
    for one in (one for service in services for one in _of(service)):
        alike.setdefault((one.weight, one.title, one.remedy), []).append(one)
    found = [_joined(sorted(group, key=lambda one: -one.count)) for group in alike.values()]
    return sorted(found, key=lambda one: (_ORDER.index(one.weight), -one.count, one.title))


def _joined(group: Sequence[Finding]) -> Finding:
    return replace(
        group[0],
        services=tuple(pair for one in group for pair in one.services),
        count=sum(one.count for one in group),
        calls=sum(one.calls for one in group),
    )


def present(service: ServiceCoverage, name: str) -> float | None:
    """Share of the service's LLM calls that have it, in [0, 1]; None without calls."""
    return 1 - service.missing[name] / service.calls if service.calls else None


def _of(service: ServiceCoverage) -> list[Finding]:
    calls = service.calls
    if not calls:
        return []

    def one(weight: Weight, title: str, count: int, effect: str, *remedy: str) -> list[Finding]:
        if not count:
            return []
        graded: Weight = "hint" if weight == "gap" and count / calls < SMALL else weight
        return [Finding(((service.project, service.service),), graded, title, count, calls, effect, remedy)]

    missing, without = service.missing, service.without_content
    neither = without["not_sent"] + without["uploaded_elsewhere"] + without["masked_by_sender"]
    return [
        *one("gap", "No prompt and no answer", without["not_sent"],
             "Nothing of these calls is scored, embedded or shown; only their figures count.", *_capture(service)),
        *one("gap", "No answer", max(0, missing["response"] - neither),
             "The prompt is there, the answer is not: scores of answers are empty.",
             "Streams end their span before the answer is known in some instrumentations: bring the package up to date."),
        *one("gap", "No token counts", missing["tokens"],
             "Tokens and cost of these calls are missing from every total.",
             "Streams of OpenAI-compatible servers report usage only when asked: `stream_options={\"include_usage\": true}`.",
             "Own spans: set `gen_ai.usage.input_tokens` and `gen_ai.usage.output_tokens`."),
        *one("gap", "No model name", missing["model"],
             "No cost, and no way to compare models.", "Set `gen_ai.request.model`, or map your own key to it (below)."),
        *one("hint", "Texts stand elsewhere", without["uploaded_elsewhere"],
             "The span only refers to them; Leewatch does not fetch them, so they are not scored.",
             "Send the texts in attributes or log records beside the reference to have them scored."),
        *one("hint", "No session", missing["session"], "Turns of one conversation cannot be found together.",
             "Set `session.id` or `gen_ai.conversation.id` on the call's span."),
        *one("hint", "No user", missing["user"], "Traces cannot be filtered by who asked.",
             "Set `user.id`; a pseudonym does."),
        *one("known", "Masked by the sender", without["masked_by_sender"], "These calls are neither scored nor embedded.",
             "OpenInference masks while `OPENINFERENCE_HIDE_...` variables are set."),
        *one("known", "Dropped after scoring", without["dropped_here"],
             "As `redaction.content: drop` asks: scored and embedded, the texts are not kept.", "Nothing to do."),
    ]  # fmt: skip


def _capture(service: ServiceCoverage) -> tuple[str, ...]:
    known = [_CAPTURE[dialect] for dialect in service.dialects if dialect in _CAPTURE]
    return ("Switch content capture on where the application starts.", *(known or [_CAPTURE["genai"]]))
