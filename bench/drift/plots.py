"""Curves of the power simulation as PNG. Needs matplotlib, which Leewatch itself does not."""

from __future__ import annotations

import json
from pathlib import Path


def draw(results: Path, output: Path) -> None:
    """Share of runs in which each change was found, over the windows waited."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    curves = json.loads((results / "drift_power.json").read_text())["found_by_window"]
    sizes = sorted({name.split(" | ")[1] for name in curves}, key=lambda size: -int(size.split()[0]))
    pasts = list(dict.fromkeys(name.split(" | ")[2] for name in curves))
    figure, grid = pyplot.subplots(
        len(sizes), len(pasts), figsize=(14, 3.2 * len(sizes)), sharex=True, sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for size, axes in zip(sizes, grid, strict=True):
        for past, axis in zip(pasts, axes, strict=True):
            for name, curve in curves.items():
                if name.split(" | ")[1:] == [size, past]:
                    axis.plot(range(1, len(curve) + 1), curve, marker=".", label=name.split(" | ")[0])
            words = f"{int(past):,} past rows" if past.isdigit() else "reference of 5,000"
            axis.set_title(f"{size} an hour, {words}", fontsize=10)
            axis.grid(alpha=0.3)
            axis.set_ylim(0, 1.03)
        axes[0].set_ylabel("share of runs that found it")
    for axis in grid[-1]:
        axis.set_xlabel("windows waited")
    grid[0][0].legend(fontsize=8)
    figure.savefig(output, dpi=110)
