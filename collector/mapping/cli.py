"""`leewatch mapping test|coverage`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from collector.mapping.payload import read
from collector.mapping.trial import Mapped, Outcome, outcome
from collector.segment import SIGNALS, Signal
from leewatch import config
from leewatch.cli.query import parse_time
from leewatch.coverage import ServiceCoverage
from leewatch.coverage import coverage as services
from leewatch.errors import InputError
from leewatch.projects import DEFAULT_PROJECT
from leewatch.semconv.own_keys import MappingSection
from leewatch.storage.client import connect

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="See what payloads map to, and what of each service is missing."
)

_WIDEST = 90


@app.callback()
def mapping() -> None:
    """See what payloads map to, and what of each service is missing."""


@app.command("test")
def try_out(
    file: Annotated[
        str,
        typer.Argument(help="OTLP traces or logs: protobuf, JSON or JSON lines, gzipped or not; - for standard input."),
    ],
    signal: Annotated[str, typer.Option(help="What a protobuf file holds: traces or logs; unset: found out.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False,
) -> None:
    """Show what a payload would become: each field of each span, the attribute it comes from, and what nothing reads.

    The payload goes through the SQL of the ingest path in a store of its own, with the mapping and redaction of the
    configuration. Nothing that runs is touched.
    """
    settings = config.load()
    found = outcome(read(file, _signal(signal)), settings)
    print(json.dumps(found.as_json(), indent=2, ensure_ascii=False) if as_json else "\n".join(_lines(found)))


def _signal(text: str) -> Signal | None:
    if not text:
        return None
    for name in SIGNALS:
        if name == text and name != "metrics":
            return name
    raise InputError(f"--signal {text!r}: expected traces or logs")


def _lines(found: Outcome) -> list[str]:
    lines: list[str] = ["", *found.refused] if found.refused else []
    for span in found.spans:
        stored = "stored as LLM span" if span.kind != "other" else "no LLM span: stored in otel_traces only"
        lines += ["", f"span {span.name or '(no name)'}  {span.trace_id} {span.span_id}  kind {span.kind}, {stored}"]
        width = max((len(item.column) for item in span.fields), default=0)
        lines += [_line(item, width) for item in span.fields]
        if span.unmapped:
            lines.append(f"  not mapped: {', '.join(span.unmapped)}")
    for record in found.records:
        read_ = "joined its span" if record.read else "stored in otel_logs only"
        lines += ["", f"log record {record.event or '(no event name)'}  {record.trace_id} {record.span_id}  {read_}"]
    for content in found.content:
        lines += ["", f"content by log records of span {content['span_id']}"]
        lines += [
            f"  {name}  {_short(value)}" for name, value in content.items() if name not in ("trace_id", "span_id")
        ]
    return lines[1:] if lines else ["no spans and no log records"]


def _line(item: Mapped, width: int) -> str:
    return f"  {item.column.ljust(width)}  {_short(item.value)}" + (f"  <- {', '.join(item.keys)}" if item.keys else "")


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


@app.command()
def coverage(
    since: Annotated[str, typer.Option("--since", help="ISO time, or an age such as 7d, 12h, 30m.")] = "1d",
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False,
) -> None:
    """Show for each service its dialects, what its LLM calls lack, why content is missing, and which keys nothing reads."""
    settings = config.load()
    own = settings.section(MappingSection).own_keys()
    found = services(connect(settings), parse_time(since), own)
    if as_json:
        print(json.dumps([asdict(service) for service in found], indent=2, ensure_ascii=False))
    elif found:
        print("\n\n".join("\n".join(_service(service)) for service in found))
    else:
        print(f"no LLM spans since {since}")


def _service(service: ServiceCoverage) -> list[str]:
    name = service.service if service.project == DEFAULT_PROJECT else f"{service.project}/{service.service}"
    kinds = ", ".join(f"{kind} {share(count, service.spans)}" for kind, count in sorted(service.kinds.items()))
    lines = [
        f"{name}: {service.spans:,} LLM spans ({kinds})",
        f"  dialects         {', '.join(service.dialects) or 'none known'}",
    ]
    missing = {name: count for name, count in service.missing.items() if count}
    lines.append(
        f"  LLM calls        {service.calls:,}" + ("" if missing or not service.calls else ", nothing missing")
    )
    lines += [f"  no {name.ljust(13)} {count:,} ({share(count, service.calls)})" for name, count in missing.items()]
    reasons = {name: count for name, count in service.without_content.items() if count}
    lines += [f"  without content  {count:,} {name.replace('_', ' ')}" for name, count in reasons.items()]
    lines += [f"  not mapped       {key} on {count:,} spans" for key, count in service.unmapped.items()]
    return lines


def share(count: int, whole: int) -> str:
    """A percentage that says 0 % and 100 % only where it is so."""
    if not whole or count in (0, whole):
        return "100 %" if whole and count else "0 %"
    return f"{min(max(100 * count / whole, 0.1), 99.9):.1f} %"
