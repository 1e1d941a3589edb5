"""Where the collector listens, and why it cannot."""

from __future__ import annotations

import socket

from leewatch.errors import InputError, LeewatchError, cannot_listen

BACKLOG = 1024
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def bound_socket(host: str, port: int, key: str, shared: bool = False) -> socket.socket:
    """A listening socket. key: setting that holds the port. shared: with others of this user that ask for it too.

    Raises PortInUseError, InputError for an address that is not ours to listen on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise cannot_listen(error, host, port, key, "collector.host") from None
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


def why_not(host: str, port: int, key: str, shared: bool = False) -> LeewatchError:
    """What keeps others from listening there, found out by trying: gRPC does not tell."""
    try:
        bound_socket(host, port, key, shared).close()
    except LeewatchError as error:
        return error
    return InputError(f"gRPC cannot listen on {host}:{port}. Set collector.host to an IP address of this machine.")
