"""`leewatch demo`: a whole installation with generated traffic and an incident in it."""

from __future__ import annotations

import os
import random
import secrets
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from leewatch import config
from leewatch.cli.up import announce
from leewatch.config import CONFIG_VARIABLE, DATA_VARIABLE, Settings
from leewatch.demo import installation
from leewatch.demo.applications import applications
from leewatch.demo.conductor import Conductor, Say
from leewatch.demo.scenario import CHOICES, chosen
from leewatch.storage.client import connect
from leewatch.supervisor import Supervisor, stop_on_signals


def demo(
    exit_: Annotated[
        bool, typer.Option("--exit", help="End with 0 once the incident was alerted and resolved.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(help="Repeat the traffic of an earlier run; printed at the start.", min=0)
    ] = None,
    inject: Annotated[str, typer.Option(help=f"What goes wrong: {', '.join(CHOICES)}.")] = "all",
) -> None:
    """Start everything on free ports, send LLM traffic of three services, inject an incident and print each alert."""
    incidents = chosen(inject)
    number = secrets.randbelow(2**31) if seed is None else seed
    console = Console(highlight=False, soft_wrap=True)
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[{time.monotonic() - began:5.0f} s] {text}", markup=False)

    say(f"seed {number} (repeat with --seed {number}); injecting: {inject}")
    with ExitStack() as stack:
        settings = _settings(stack)
        log = stack.enter_context((settings.data / "demo.log").open("a", encoding="utf-8", buffering=1))
        supervisor = Supervisor(settings, sink=lambda role, line: print(f"{role:<9} | {line}", file=log))
        stop_on_signals(supervisor)
        stack.callback(supervisor.stop)
        supervisor.start()
        announce(settings)
        endpoint = f"http://{settings.collector.host}:{settings.collector.grpc_port}"
        apps = applications(endpoint, random.Random(number))
        conductor = Conductor(connect(settings), apps, incidents, say)
        stack.callback(conductor.close)
        for _ in conductor.run():
            supervisor.check()
            if supervisor.stopping(1.0):
                raise typer.Exit(130)
        _conclude(conductor, say, exit_)
        while not supervisor.stopping(1.0):
            supervisor.check()
            conductor.watch()


def _settings(stack: ExitStack) -> Settings:
    """Settings of a fresh installation, in `--data DIR` or in a temporary directory that is removed at the end."""
    given = os.environ.get(DATA_VARIABLE)
    data = Path(given) if given else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leewatch-demo-")))
    os.environ[DATA_VARIABLE] = str(data)
    os.environ[CONFIG_VARIABLE] = str(installation.write(data))
    return config.load()


def _conclude(conductor: Conductor, say: Say, exit_: bool) -> None:
    if conductor.reason:
        say(f"FAILED: {conductor.reason}")
    else:
        say(
            "done: every injected incident was alerted and resolved"
            if conductor.incidents
            else "done: no alert, as it should be"
        )
    if exit_:
        raise typer.Exit(1 if conductor.reason else 0)
    say("still serving; Ctrl-C ends it")
