"""The role `dashboard`: Streamlit's server in this process, until SIGTERM or SIGINT."""

from __future__ import annotations

import errno
import importlib
import logging
import signal
import socket
from importlib.resources import files
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from dashboard import installed, theme
from leewatch import health, stopping
from leewatch.config import Settings
from leewatch.errors import InputError, MissingExtraError, PortInUseError
from leewatch.instruments import Registry

log = logging.getLogger(__name__)

KEY: Final = "dashboard.port"
PROBE_SECONDS: Final = 2.0
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def run(settings: Settings) -> None:
    """Serves the dashboard on dashboard.host and dashboard.port until SIGTERM or SIGINT.

    The pages read the settings from memory, so whatever the command line said holds. Raises PortInUseError, InputError
    when the host is not an address of this machine, MissingExtraError when Streamlit is not installed.
    """
    ensure_free(settings.dashboard.host, settings.dashboard.port)
    bootstrap = _streamlit("streamlit.web.bootstrap")
    installed.install(settings)
    stay_on_this_machine()
    end_in_time()
    chosen = {key.replace(".", "_"): value for key, value in options(settings).items()}
    bootstrap.load_config_options(chosen)
    section, registry = settings.dashboard, Registry((), "dashboard")
    with health.served(
        section.health_host, section.health_port, "dashboard.health_port", registry, lambda: ready(settings)
    ):
        log.info("dashboard on %s", settings.dashboard_url)
        bootstrap.run(str(files("dashboard").joinpath("app.py")), False, [], chosen)


def ready(settings: Settings) -> tuple[bool, dict[str, str]]:
    """Whether Streamlit answers its own health check."""
    section, base = settings.dashboard, urlsplit(settings.dashboard.public_url).path.strip("/")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(section.host, section.host)  # noqa: S104  compared with
    shown = f"[{host}]" if ":" in host else host
    path = f"/{base}/_stcore/health" if base else "/_stcore/health"
    try:
        answer = httpx.get(f"http://{shown}:{section.port}{path}", timeout=PROBE_SECONDS, trust_env=False)
        up = answer.status_code == httpx.codes.OK
    except httpx.HTTPError:
        up = False
    return up, {"streamlit": "ok" if up else "does not answer"}


def options(settings: Settings) -> dict[str, Any]:
    """Every Streamlit option that is set; they win over any config.toml and over STREAMLIT_* variables."""
    section = settings.dashboard
    public = urlsplit(section.public_url)
    chosen: dict[str, Any] = {
        "server.address": section.host,
        "server.port": section.port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        "server.enableStaticServing": False,
        "server.maxUploadSize": 1,
        "server.showEmailPrompt": False,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
        "logger.hideWelcomeMessage": True,
        "logger.level": "warning",
        "logger.enableRich": False,
        "runner.magicEnabled": False,
        "runner.fastReruns": True,
    }
    if section.host in LOOPBACK or public.hostname:
        # A page of a stranger that points its own name at this machine must not read prompts through the browser.
        chosen["server.allowedHosts"] = [*LOOPBACK, section.host, *([public.hostname] if public.hostname else [])]
    if public.hostname:
        chosen["browser.serverAddress"] = public.hostname
        chosen["browser.serverPort"] = public.port or (443 if public.scheme == "https" else 80)
        if public.path.strip("/"):
            chosen["server.baseUrlPath"] = public.path.strip("/")
    return {**chosen, **theme.options()}


def ensure_free(host: str, port: int) -> None:
    """Raises PortInUseError when something listens on the port, InputError when the host cannot be bound."""
    try:
        family, kind, proto, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(host, port, KEY) from error
        raise InputError(
            f"cannot listen on {host}:{port} ({error.strerror or error}). Set dashboard.host to an address of this "
            f"machine and {KEY} to a port you may use."
        ) from error


def stay_on_this_machine() -> None:
    """Makes Streamlit's origin check do without asking a web service for this machine's public address."""
    net_util = _streamlit("streamlit.net_util")
    net_util.get_external_ip = lambda: None  # type: ignore[attr-defined]  # a module's function, replaced on purpose


def end_in_time() -> None:
    """Makes a second signal, or pages that do not end, end the process: Streamlit's own handler waits."""
    bootstrap = _streamlit("streamlit.web.bootstrap")

    def handle(server: Any) -> None:
        ending = stopping.Ending(server.stop)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ending())

    bootstrap._set_up_signal_handler = handle  # type: ignore[attr-defined]  # a module's function, replaced on purpose


def _streamlit(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError("the dashboard", "dashboard", error.name or "streamlit") from error
