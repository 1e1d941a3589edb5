"""Curves of the power simulation as PNG. Needs matplotlib, which Leewatch itself does not."""

from __future__ import annotations

import json
from pathlib import Path

PANELS = ((500, "disjoint"), (500, "72000"), (100, "disjoint"), (100, "72000"))
WORDS = {"disjoint": "reference of 5,000", "72000": "72,000 past rows"}


def draw(results: Path, output: Path) -> None:
    """Share of runs in which each change was found, over the windows waited."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    curves = json.loads((results / "drift_power.json").read_text())["found_by_window"]
    figure, axes = pyplot.subplots(2, 2, figsize=(9, 6), sharex=True, sharey=True, layout="constrained")
    for axis, (rows, past) in zip(axes.flat, PANELS, strict=True):
        for name, curve in curves.items():
            change, size, known = name.split(" | ")
            if size == f"{rows} rows" and known == past:
                axis.plot(range(1, len(curve) + 1), curve, marker=".", label=change)
        axis.set_title(f"{rows} rows an hour, {WORDS[past]}", fontsize=10)
        axis.grid(alpha=0.3)
        axis.set_ylim(0, 1.03)
    for axis in axes[1]:
        axis.set_xlabel("windows waited")
    for axis in axes[:, 0]:
        axis.set_ylabel("found")
    axes[0, 0].legend(fontsize=8)
    figure.savefig(output, dpi=110)
