"""Entry point of the `leewatch` command: one subcommand a file, found by entry point and loaded when it is used."""

from __future__ import annotations

import inspect
import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from typer.main import get_command

from leewatch import plugins
from leewatch.config import CONFIG_VARIABLE, DATA_VARIABLE
from leewatch.errors import InputError, LeewatchError, PluginError

GROUP = "leewatch.commands"
GLOBAL_OPTIONS = {"--data": DATA_VARIABLE, "--config": CONFIG_VARIABLE}
QUIET_LOGGERS = ("httpx", "httpcore", "urllib3", "apscheduler", "asyncio", "sentence_transformers")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command. Exit codes: 0 done, 1 the answer is no or a later try may work, 2 something must be mended."""
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        datefmt="%H:%M:%S",
    )
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        _dispatch(without_global_options(sys.argv[1:] if arguments is None else arguments))
    except LeewatchError as error:
        print(f"leewatch: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _dispatch(arguments: Sequence[str]) -> None:
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        _print_help()
        return
    name, *rest = arguments
    if name == "--version":
        print(f"leewatch {version('leewatch')}")
        return
    if name not in plugins.found(GROUP):
        raise PluginError(f"no command {name!r}; `leewatch --help` lists them")
    try:
        loaded = plugins.load_one(GROUP, name)
    except ImportError as error:
        raise PluginError(f"the command {name!r} cannot be loaded: {error}") from error
    get_command(_as_app(name, loaded)).main(rest, prog_name=f"leewatch {name}")


def without_global_options(arguments: Sequence[str]) -> list[str]:
    """The arguments less `--data` and `--config`, which go to the environment, so that child processes see them too."""
    rest: list[str] = []
    pending = list(arguments)
    while pending:
        argument = pending.pop(0)
        if argument == "--":
            return [*rest, argument, *pending]
        option, separator, value = argument.partition("=")
        if option not in GLOBAL_OPTIONS:
            rest.append(argument)
            continue
        if not separator:
            if not pending:
                raise InputError(f"{option} needs a value")
            value = pending.pop(0)
        os.environ[GLOBAL_OPTIONS[option]] = os.path.abspath(os.path.expanduser(value))
    return rest


def _print_help() -> None:
    console = Console(highlight=False)
    console.print("[bold]leewatch[/bold] COMMAND: LLM observability and drift monitoring\n")
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, loaded in plugins.load_all(GROUP).items():
        text = loaded.info.help if isinstance(loaded, typer.Typer) else inspect.getdoc(loaded)
        table.add_row(f"  [bold]{name}[/bold]", str(text or "").split("\n")[0])
    console.print(table)
    console.print(
        "\nEvery command takes --help, --data DIR (default ./leewatch-data or LEEWATCH_DATA) and --config FILE "
        "(default ./leewatch.yaml or LEEWATCH_CONFIG)."
    )


def _as_app(name: str, loaded: typer.Typer | Callable[..., Any]) -> typer.Typer:
    if isinstance(loaded, typer.Typer):
        loaded.pretty_exceptions_enable = False
        return loaded
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name)(loaded)
    return single


if __name__ == "__main__":
    main()
