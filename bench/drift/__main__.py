"""Simulations of the drift tests on real texts.

    python -m bench.drift quiet --data DIR --cache DIR --months 200 --state bench/results/drift_quiet.jsonl
    python -m bench.drift power --data DIR --cache DIR --runs 40 --output bench/results/drift_power.json
    python -m bench.drift peers --data DIR --cache DIR --runs 20 --output bench/results/drift_peers.json
    python -m bench.drift topics --data DIR --cache DIR --runs 10 --output bench/results/drift_topics.json
    python -m bench.drift cost --output bench/results/drift_cost.json
    python -m bench.drift plot --results bench/results --output docs/images/drift_power.png

DIR of --data holds clinc150.jsonl.gz, one {text, topic, domain} a line; vectors are kept in the directory of --cache. Run with
OMP_NUM_THREADS=1 and as many --processes as there are cores.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Runs one simulation and writes its figures."""
    options = _options()
    began = time.perf_counter(), time.process_time()
    found = _run(options)
    if found is not None:
        found = {**found, "seconds": round(time.perf_counter() - began[0], 1)}
        text = json.dumps(found, indent=2)
        print(text)
        if options.output:
            Path(options.output).write_text(text + "\n")


def _run(options: argparse.Namespace) -> dict[str, Any] | None:
    if options.command == "cost":
        from bench.drift import cost

        return cost.measure(options.rows, options.reference, options.series)
    if options.command == "plot":
        from bench.drift import plots

        plots.draw(Path(options.results), Path(options.output))
        return None
    from bench.drift.pool import load

    load(options.data, options.cache)
    if options.command == "quiet":
        from bench.drift import quiet

        return quiet.simulate(
            options.data,
            options.cache,
            options.months,
            20,
            options.rows,
            options.processes,
            options.seed,
            options.state,
        )
    if options.command == "peers":
        from bench.drift import others

        return others.simulate(options.data, options.cache, options.runs, options.processes, options.seed)
    if options.command == "topics":
        from bench.drift import topics

        return topics.simulate(options.data, options.cache, options.runs, options.processes, options.seed)
    from bench.drift import power

    return power.simulate(options.data, options.cache, options.runs, options.rows, options.processes, options.seed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.drift", description="Simulations of the drift tests.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("quiet", "power", "peers", "topics"):
        one = commands.add_parser(name)
        one.add_argument("--data", type=Path, required=True)
        one.add_argument("--cache", type=Path, required=True)
        one.add_argument("--processes", type=int, default=2)
        one.add_argument("--seed", type=int, default=0)
        one.add_argument("--output", type=Path)
        if name == "quiet":
            one.add_argument("--months", type=int, default=200)
            one.add_argument("--rows", type=int, default=500)
            one.add_argument("--state", type=Path, help="file that keeps each month; a later run goes on from there")
        else:
            one.add_argument("--runs", type=int, default=40)
        if name == "power":
            one.add_argument("--rows", type=int, nargs="+", default=[500, 100], help="rows of a window, one or more")
    cost = commands.add_parser("cost")
    cost.add_argument("--rows", type=int, default=10_000)
    cost.add_argument("--reference", type=int, default=50_000)
    cost.add_argument("--series", type=int, default=40)
    cost.add_argument("--output", type=Path)
    plot = commands.add_parser("plot")
    plot.add_argument("--results", type=Path, required=True)
    plot.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
