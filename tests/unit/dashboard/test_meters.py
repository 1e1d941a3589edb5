"""Which charts the metrics that came lead to."""

from __future__ import annotations

from dashboard import meters


def test_the_first_known_name_of_a_histogram_is_shown() -> None:
    duration = meters.DISTRIBUTIONS[0]
    assert meters.chosen(duration, ["vllm:e2e_request_latency_seconds", "x"]) == "vllm:e2e_request_latency_seconds"
    both = ["gen_ai.server.request.duration", "gen_ai.client.operation.duration"]
    assert meters.chosen(duration, both) == "gen_ai.client.operation.duration"
    assert meters.chosen(duration, ["x"]) is None


def test_only_charts_with_a_metric_are_shown() -> None:
    assert [level.key for level in meters.shown(meters.GPU, ["DCGM_FI_DEV_GPU_TEMP", "x"])] == ["gpu_temperature"]
    assert meters.shown(meters.HOST, []) == []


def test_keys_of_charts_are_unique() -> None:
    keys = [item.key for item in (*meters.DISTRIBUTIONS, *meters.GPU, *meters.HOST)]
    assert len(set(keys)) == len(keys)
