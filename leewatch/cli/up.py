"""`leewatch up`: everything on one machine."""

from __future__ import annotations

from rich.console import Console

from leewatch import config
from leewatch.cli.migrate import bring_up_to_date
from leewatch.config import Settings
from leewatch.supervisor import Supervisor, stop_on_signals
from leewatch.telemetry.export import exported


def up() -> None:
    """Start store, collector, analyzers, alerts and dashboard, and keep them running until Ctrl-C."""
    settings = config.load()
    if settings.storage.dsn is not None:
        bring_up_to_date(settings)
    supervisor = Supervisor(settings)
    stop_on_signals(supervisor)
    try:
        with exported(settings, "supervisor"):
            supervisor.start()
            announce(settings)
            supervisor.watch()
    finally:
        supervisor.stop()


def announce(settings: Settings) -> None:
    """Prints where everything answers."""
    collector = settings.collector
    console = Console(highlight=False)
    console.print("\n[bold]Leewatch is up.[/bold]")
    console.print(f"  dashboard   {settings.dashboard_url}")
    scheme = "http" if collector.tls.cert_file is None else "https"
    console.print(f"  OTLP/gRPC   {scheme}://{collector.host}:{collector.grpc_port}")
    console.print(f"  OTLP/HTTP   {scheme}://{collector.host}:{collector.http_port}")
    console.print(f"  data        {settings.data}")
    console.print("  Ctrl-C stops it.\n")
