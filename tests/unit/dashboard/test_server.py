"""How the server is set up: quiet, closed, and clear about a port that is taken."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from streamlit import config as streamlit_config
from streamlit import net_util
from streamlit.web import bootstrap
from streamlit.web.server import server_util

from dashboard import installed, server
from leewatch.config import Settings, load
from leewatch.errors import InputError, PortInUseError


def settings(**dashboard: object) -> Settings:
    return load(data=Path("data"), environment={}, overrides={"dashboard": dashboard})


def test_usage_telemetry_is_off_in_the_running_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMLIT_BROWSER_GATHER_USAGE_STATS", "true")
    bootstrap.load_config_options({key.replace(".", "_"): value for key, value in server.options(settings()).items()})
    assert streamlit_config.get_option("browser.gatherUsageStats") is False
    assert streamlit_config.get_option("server.fileWatcherType") == "none"
    assert (
        streamlit_config.get_option("logger.hideWelcomeMessage") is True
    )  # the message would ask a host for our address
    assert streamlit_config.get_option("server.enableXsrfProtection") is True
    assert streamlit_config.get_option("server.enableCORS") is True


def test_every_option_is_one_that_streamlit_knows() -> None:
    known = streamlit_config.get_config_options()
    assert set(server.options(settings())) <= set(known)


def test_a_foreign_host_name_is_refused_unless_it_is_the_public_one() -> None:
    assert "server.allowedHosts" not in server.options(settings(host="0.0.0.0"))
    assert set(server.options(settings())["server.allowedHosts"]) == set(server.LOOPBACK)
    public = server.options(settings(public_url="https://watch.example.org"))
    assert "watch.example.org" in public["server.allowedHosts"]


def test_no_web_service_is_asked_for_our_address(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def ask(*arguments: object, **options: object) -> None:
        asked.append(arguments)
        raise ConnectionError  # Streamlit goes on without the answer

    monkeypatch.setattr("requests.get", ask)
    monkeypatch.setattr(net_util, "_external_ip", None)
    monkeypatch.setattr(net_util, "get_external_ip", net_util.get_external_ip)
    server_util.is_url_from_allowed_origins("https://elsewhere.example")
    assert asked, "Streamlit left alone does ask"
    asked.clear()
    server.stay_on_this_machine()
    assert server_util.is_url_from_allowed_origins("https://elsewhere.example") is False
    assert asked == []


def test_host_and_port_are_those_of_the_settings() -> None:
    options = server.options(settings(host="127.0.0.2", port=28555))
    assert (options["server.address"], options["server.port"]) == ("127.0.0.2", 28555)


def test_a_public_url_sets_what_browsers_are_told() -> None:
    options = server.options(settings(public_url="https://watch.example.org/llm/"))
    assert options["browser.serverAddress"] == "watch.example.org"
    assert options["browser.serverPort"] == 443
    assert options["server.baseUrlPath"] == "llm"


def test_a_port_in_use_is_named_with_its_key() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(
            PortInUseError, match=f"port {port} on 127.0.0.1 is in use .dashboard.port.*LEEWATCH_DASHBOARD__PORT"
        ):
            server.run(settings(port=port))


def test_a_host_that_is_not_ours_is_named() -> None:
    with pytest.raises(InputError, match=r"192\.0\.2\.1:28555.*dashboard\.host"):
        server.ensure_free("192.0.2.1", 28555)


def test_pages_see_the_settings_the_role_was_started_with() -> None:
    given = settings(port=28556)
    installed.install(given)
    assert installed.settings() is given
