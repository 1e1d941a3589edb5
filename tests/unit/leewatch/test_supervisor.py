import socket

import pytest

from leewatch import config
from leewatch.errors import PortInUseError
from leewatch.supervisor import Supervisor, backoff_seconds, roles_for


def test_backoff_grows_to_its_limit():
    assert [backoff_seconds(n) for n in (1, 2, 3, 6, 7, 100)] == [1.0, 2.0, 4.0, 30.0, 30.0, 30.0]


def test_the_embedded_store_is_started_only_without_a_server(tmp_path):
    assert roles_for(config.load(data=tmp_path, environment={}))[0] == "store"
    dsn = {"LEEWATCH_STORAGE__DSN": "clickhouse://u:p@db:8123/leewatch"}
    assert "store" not in roles_for(config.load(data=tmp_path, environment=dsn))


def test_a_taken_port_is_named_before_anything_starts(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = config.load(data=tmp_path, environment={"LEEWATCH_COLLECTOR__GRPC_PORT": str(port)})
        supervisor = Supervisor(settings)
        with pytest.raises(PortInUseError, match=rf"port {port} .*LEEWATCH_COLLECTOR__GRPC_PORT=PORT"):
            supervisor.start()
        assert supervisor.pids == {}
