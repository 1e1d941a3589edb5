"""What keeps the collector from listening is named."""

from __future__ import annotations

import socket

import pytest

from collector.listening import bound_socket, why_not
from leewatch.errors import InputError, PortInUseError


def test_a_taken_port_is_named_as_taken() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PortInUseError, match="is in use"):
            bound_socket("127.0.0.1", other.getsockname()[1], "collector.http_port")


def test_an_address_of_another_machine_is_not_called_in_use() -> None:
    with pytest.raises(InputError, match=r"cannot listen on 192\.0\.2\.1:4318: .*collector\.host"):
        bound_socket("192.0.2.1", 4318, "collector.http_port")


def test_grpc_tells_a_taken_port_from_an_address_of_another_machine() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert isinstance(why_not("127.0.0.1", other.getsockname()[1], "collector.grpc_port"), PortInUseError)
    assert "collector.grpc_port" in str(why_not("192.0.2.1", 4317, "collector.grpc_port"))
