"""`leewatch bench`: reproducible measurements, JSON out. Each part of Leewatch brings its own, by entry point."""

from __future__ import annotations

import typer

from leewatch import plugins

GROUP = "leewatch.benchmarks"

app = typer.Typer(add_completion=False, help="Reproducible measurements of this machine.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Reproducible measurements of this machine; each starts and ends what it needs, on free ports."""


for _name, _command in plugins.load_all(GROUP).items():
    app.command(_name)(_command)
