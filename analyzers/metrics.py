"""Counters of the analyzers."""

from __future__ import annotations

from leewatch.instruments import Metric

RUNS = Metric("leewatch_analyzers_job_runs_total", "counter", "Runs of each job, by outcome")
RUN_SECONDS = Metric("leewatch_analyzers_job_run_seconds", "histogram", "Seconds of one run of a job")
SUCCEEDED = Metric(
    "leewatch_analyzers_job_last_success_timestamp_seconds", "gauge", "When a job last ended well, seconds since 1970"
)
FAILURES = Metric("leewatch_analyzers_job_failures_in_a_row", "gauge", "Failed runs since a job last ended well")
ALL = (RUNS, RUN_SECONDS, SUCCEEDED, FAILURES)
