"""`leewatch disparity`: whether a score differs between segments of the traffic."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from clickhouse_connect.driver.client import Client
from rich.console import Console
from rich.table import Table

from leewatch import config
from leewatch.cli.query import parse_time
from leewatch.disparity import FEWEST_TRACES, Disparity, Segment, disparities
from leewatch.errors import InputError
from leewatch.storage import queries
from leewatch.storage.client import connect

KEYS = (
    "language", "model", "provider", "service", "project", "user_id", "environment", "prompt_name", "prompt_version",
    "service_version", "release", "feature", "experiment_id", "variant", "agent_name", "workflow_name",
)  # fmt: skip
PREFIXES = ("metadata.", "attributes.")
ADDRESS = re.compile(r"[a-z]+\.[A-Za-z0-9_.-]+")
MOST_SEGMENTS = 200


def disparity(
    score: Annotated[str, typer.Option(help="address of the score, e.g. response.toxicity")],
    by: Annotated[str, typer.Option(help=f"what makes a segment: {', '.join(KEYS)}, metadata.KEY or attributes.KEY")],
    above: Annotated[
        float | None, typer.Option(help="compare shares of spans at or above this; default: compare means")
    ] = None,
    reference: Annotated[str, typer.Option(help="segment that the others are compared with; default: all others")] = "",
    since: Annotated[str, typer.Option(help="ISO time, or an age such as 7d, 12h")] = "7d",
    project: Annotated[str, typer.Option(help="of one project")] = "",
    service: Annotated[str, typer.Option(help="of one service")] = "",
    alpha: Annotated[float, typer.Option(help="chance of any false alarm over all segments")] = 0.05,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Compare a score between languages, models, users or any other segments, with 95 % intervals."""
    if by not in KEYS and not (by.startswith(PREFIXES) and by.partition(".")[2]):
        raise InputError(f"--by must be one of {', '.join(KEYS)}, metadata.KEY or attributes.KEY, got {by!r}.")
    if not ADDRESS.fullmatch(score):
        raise InputError(f"--score must be an address such as response.toxicity, got {score!r}.")
    if not 0 < alpha < 1:
        raise InputError(f"--alpha must lie between 0 and 1, got {alpha}.")
    start = parse_time(since)
    client = connect(config.load())
    try:
        segments = found_segments(client, score, by, start, datetime.now(UTC), above, project, service)
    finally:
        client.close()
    if len(segments) < 2:
        names = ", ".join(one.name for one in segments) or "none"
        raise InputError(f"{score} since {start:%Y-%m-%d %H:%M} UTC has fewer than two segments by {by}: {names}.")
    if reference and reference not in {one.name for one in segments}:
        raise InputError(
            f"--reference {reference!r} is no segment by {by}; there are {', '.join(s.name for s in segments[:20])}."
        )
    found = disparities(segments, above is not None, alpha, reference)
    _print(found, score, by, above, reference, as_json)


def found_segments(
    client: Client,
    score: str,
    by: str,
    since: datetime,
    until: datetime,
    above: float | None,
    project: str = "",
    service: str = "",
) -> list[Segment]:
    """The segments, those of most weight first, at most MOST_SEGMENTS. Spans without a value for `by` are left out."""
    parameters = {
        "score": score, "key": by, "since": since, "until": until, "share": above is not None, "above": above or 0.0,
        "project": project, "service": service, "limit": MOST_SEGMENTS,
    }  # fmt: skip
    rows = client.query(queries.load("disparity")["segments"], parameters=parameters).named_results()
    return [
        Segment(
            str(row["segment"]), int(row["rows"]), int(row["traces"]), float(row["weight"]), float(row["total"]),
            (float(row["values_squared"]), float(row["mixed"]), float(row["weights_squared"])),
        )
        for row in rows
    ]  # fmt: skip


def _print(found: list[Disparity], score: str, by: str, above: float | None, reference: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"score": score, "by": by, "above": above, "segments": [asdict(one) for one in found]}))
        return
    figure = "mean" if above is None else f"share at or above {above:g}"
    table = Table(
        by, "spans", "traces", figure, reference or "others", "difference", "95 % interval", "p", "", title=score
    )
    for one in found:
        compared = ["-", "-", "-", f"fewer than {FEWEST_TRACES} traces"]
        if one.difference is not None and one.low is not None and one.high is not None and one.p_value is not None:
            interval = f"{one.low:+.3f} to {one.high:+.3f}"
            compared = [f"{one.difference:+.3f}", interval, f"{one.p_value:.2g}", "differs" if one.significant else ""]
        table.add_row(one.segment, str(one.rows), str(one.traces), f"{one.mean:.3f}", f"{one.others:.3f}", *compared)
    Console(width=150).print(table)
