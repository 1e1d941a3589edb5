"""`leewatch mapping test|coverage`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from collector.mapping.payload import read
from collector.mapping.trial import Mapped, Outcome, outcome
from collector.segment import SIGNALS, Signal
from leewatch import config
from leewatch.errors import InputError

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
    lines: list[str] = []
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
