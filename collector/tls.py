"""Certificates of both transports, read and judged before anything listens, and again when the files change."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from leewatch.config import TlsSection
from leewatch.errors import ConfigError

log = logging.getLogger(__name__)

Stamp = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Files:
    """Contents of the files, PEM."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None


class Certificates:
    """What the servers show and whom they let in. Handshakes after `renew` use what it read.

    Raises ConfigError, from the constructor alone, for a file that cannot be used.
    """

    def __init__(self, section: TlsSection) -> None:
        self._section = section
        self._stamp = self._stamped()
        self._files = _read(section)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        _load(self.context, section)
        self._told = self._files

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Credentials of a gRPC server, which ask for the newest files at each handshake."""
        return grpc.dynamic_ssl_server_credentials(
            self._configuration(), self._changed, require_client_authentication=self._files.client_ca is not None
        )

    def renew(self) -> bool:
        """Takes changed files over; whether there were any. Files that cannot be used leave everything as it was."""
        try:
            stamp = self._stamped()
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            files = _read(self._section)
            _load(
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self._section
            )  # judged apart, before the live one is touched
            _load(self.context, self._section)
        except (OSError, ConfigError) as error:
            log.error("the certificate files changed and cannot be used, going on with those read before: %s", error)
            return False
        self._files = files
        log.info("read the certificate in %s anew", self._section.cert_file)
        return True

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration(
            [(self._files.key, self._files.certificate)], self._files.client_ca
        )

    def _changed(self) -> grpc.ServerCertificateConfiguration | None:
        """What gRPC is to use from now on; None: as before. gRPC calls this from its own threads."""
        files = self._files
        if files is self._told:
            return None
        self._told = files
        return self._configuration()

    def _stamped(self) -> Stamp:
        """Changes when a file does. Raises OSError."""
        found = []
        for path in (self._section.cert_file, self._section.key_file, self._section.client_ca_file):
            if path is not None and path.exists():
                stat = path.stat()
                found.append((stat.st_mtime_ns, stat.st_ino))
        return tuple(found)


def _read(section: TlsSection) -> _Files:
    assert section.cert_file is not None
    assert section.key_file is not None
    certificate = _content("cert_file", section.cert_file)
    key = _content("key_file", section.key_file)
    client_ca = _content("client_ca_file", section.client_ca_file) if section.client_ca_file else None
    return _Files(certificate, key, client_ca)


def _content(key: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _fault(key, f"cannot read {path}: {error.strerror}") from None


def _load(context: ssl.SSLContext, section: TlsSection) -> None:
    """Raises ConfigError. What OpenSSL says is told; it never quotes a file."""
    try:
        # Without a password function OpenSSL would ask for one on the terminal.
        context.load_cert_chain(str(section.cert_file), str(section.key_file), password=lambda: "")
    except ssl.SSLError as error:
        wrong = "key_file" if error.reason and "KEY" in error.reason else "cert_file"
        raise _fault(
            wrong,
            f"{section.cert_file} and {section.key_file} are not a certificate chain and its private key, both PEM, "
            f"the key without a password ({error.reason or error})",
        ) from None
    if section.client_ca_file is None:
        return
    try:
        context.load_verify_locations(str(section.client_ca_file))
    except ssl.SSLError as error:
        raise _fault(
            "client_ca_file", f"{section.client_ca_file} holds no PEM certificate ({error.reason or error})"
        ) from None
    context.verify_mode = ssl.CERT_REQUIRED


def _fault(key: str, message: str) -> ConfigError:
    return ConfigError([f"collector.tls.{key}: {message}"])
