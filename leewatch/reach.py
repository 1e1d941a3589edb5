"""How commands on this machine reach the collector of the installation, with or without TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from leewatch.config import CollectorSection

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  compared with, not listened on


@dataclass(frozen=True)
class Endpoint:
    """A base URL, and what httpx is to verify there (`verify=`)."""

    url: str
    verify: ssl.SSLContext | bool = True


def otlp(section: CollectorSection) -> Endpoint:
    """OTLP/HTTP. Under TLS the collector's own certificate is what is trusted, whatever name it bears.

    Where clients need a certificate, the collector's own is shown too: it serves when client_ca_file vouches for it.
    """
    tls = section.tls
    if tls.cert_file is None:
        return Endpoint(f"http://{_host(section)}:{section.http_port}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(str(tls.cert_file))
        if tls.client_ca_file is not None:
            context.load_cert_chain(str(tls.cert_file), str(tls.key_file), password=lambda: "")
    except OSError:  # the file is not for us to read, or not there: then nobody is trusted
        pass
    return Endpoint(f"https://{_host(section)}:{section.http_port}", context)


def pages(section: CollectorSection) -> Endpoint:
    """The operator's pages: /healthz, /readyz, /metrics, /accounting."""
    if section.health_port is not None:
        return Endpoint(f"http://{_host(section)}:{section.health_port}")
    return otlp(section)


def _host(section: CollectorSection) -> str:
    host = _EVERYWHERE.get(section.host, section.host)
    return f"[{host}]" if ":" in host else host
