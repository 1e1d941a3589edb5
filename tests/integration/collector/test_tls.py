"""TLS and mTLS on both transports, with stock exporters; faults in the files are told before anything listens."""

from __future__ import annotations

import datetime
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from collector import tls
from collector.bench.processes import Installation, free_ports
from leewatch.config import TlsSection
from leewatch.errors import ConfigError
from leewatch.testing.waiting import until


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as objects and as files."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    cert_file: Path
    key_file: Path


def issue(directory: Path, name: str, issuer: Pair | None = None) -> Pair:
    """An authority (no issuer), or a certificate for localhost that it signs."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    pair = Pair(certificate, key, directory / f"{name}.pem", directory / f"{name}.key")
    pair.cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pair.key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pair


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return issue(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(autouse=True)
def _no_authorities_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):  # requests prefers them to its arguments
        monkeypatch.delenv(name, raising=False)


def installation(tmp_path: Path, server: Pair, ca: Pair | None = None, **keys: object) -> Installation:
    files = {"CERT_FILE": server.cert_file, "KEY_FILE": server.key_file}
    if ca is not None:
        files["CLIENT_CA_FILE"] = ca.cert_file
    settings = {f"COLLECTOR__TLS__{name}": path for name, path in files.items()}
    return Installation(tmp_path / "data", {**settings, "COLLECTOR__HEALTH_PORT": free_ports(1)[0], **keys})


@pytest.fixture
def mutual(tmp_path: Path, authority: Pair) -> Iterator[Installation]:
    """A collector that lets in only clients with a certificate of the authority."""
    running = installation(tmp_path, issue(tmp_path, "server", authority), authority)
    running.start("collector")
    yield running
    running.close()


def span() -> ReadableSpan:
    started = TracerProvider().get_tracer("t").start_span("chat")
    started.end()
    assert isinstance(started, ReadableSpan)
    return started


def export(exporter: SpanExporter) -> SpanExportResult:
    try:
        return exporter.export([span()])
    finally:
        exporter.shutdown()


def over_grpc(running: Installation, ca: Pair, client: Pair | None = None) -> SpanExportResult:
    credentials = grpc.ssl_channel_credentials(
        ca.cert_file.read_bytes(),
        client.key_file.read_bytes() if client else None,
        client.cert_file.read_bytes() if client else None,
    )
    endpoint = f"https://localhost:{running.settings.collector.grpc_port}"
    return export(GrpcExporter(endpoint, credentials=credentials, timeout=2))


def over_http(running: Installation, ca: Pair, client: Pair | None = None) -> SpanExportResult:
    return export(
        HttpExporter(
            f"https://localhost:{running.settings.collector.http_port}/v1/traces",
            certificate_file=str(ca.cert_file),
            client_certificate_file=str(client.cert_file) if client else None,
            client_key_file=str(client.key_file) if client else None,
            timeout=2,
        )
    )


def test_stock_exporters_over_tls(tmp_path: Path, authority: Pair) -> None:
    running = installation(tmp_path, issue(tmp_path, "server", authority))
    stranger = issue(tmp_path, "stranger")
    try:
        running.start("collector")
        assert over_grpc(running, authority) is SpanExportResult.SUCCESS
        assert over_http(running, authority) is SpanExportResult.SUCCESS
        assert over_http(running, stranger) is SpanExportResult.FAILURE
        assert over_grpc(running, stranger) is SpanExportResult.FAILURE
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{running.settings.collector.http_port}/healthz", trust_env=False)
        done = running.command("status", "--json")
        assert json.loads(done.stdout)["ingest"]["received"] == 2
        del running.environment["LEEWATCH_COLLECTOR__HEALTH_PORT"]  # by TLS, trusting its certificate
        assert json.loads(running.command("status", "--json").stdout)["ingest"]["received"] == 2
        rows = tmp_path / "rows.jsonl"
        rows.write_text('{"prompt": "a", "response": "b"}\n')
        assert "1 rows sent to https://" in running.command("replay", str(rows)).stdout
    finally:
        running.close()


def test_stock_exporters_over_mtls_need_a_certificate_of_the_authority(
    mutual: Installation, authority: Pair, tmp_path: Path
) -> None:
    client, stranger = issue(tmp_path, "client", authority), issue(tmp_path, "other", issue(tmp_path, "elsewhere"))
    for send in (over_grpc, over_http):
        assert send(mutual, authority, client) is SpanExportResult.SUCCESS
        assert send(mutual, authority) is SpanExportResult.FAILURE
        assert send(mutual, authority, stranger) is SpanExportResult.FAILURE
    health = f"http://127.0.0.1:{mutual.settings.collector.health_port}"
    assert httpx.get(f"{health}/readyz", trust_env=False).json()["ready"] is True
    assert httpx.get(f"{health}/accounting", trust_env=False).json()["received"] == 2
    assert httpx.post(f"{health}/v1/traces", trust_env=False).status_code == 404


@pytest.mark.slow
def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path, authority: Pair) -> None:
    server = issue(tmp_path, "server", authority)
    running = installation(tmp_path, server)
    try:
        running.start("collector")
        ports = (running.settings.collector.http_port, running.settings.collector.grpc_port)
        before = [ssl.get_server_certificate(("127.0.0.1", port)) for port in ports]
        issue(tmp_path, "server", authority)
        until(lambda: ssl.get_server_certificate(("127.0.0.1", ports[0])) != before[0], 20)
        assert ssl.get_server_certificate(("127.0.0.1", ports[0])) == server.cert_file.read_text()
        until(lambda: ssl.get_server_certificate(("127.0.0.1", ports[1])) == server.cert_file.read_text(), 5)
        assert over_grpc(running, authority) is SpanExportResult.SUCCESS
    finally:
        running.close()


def test_files_that_cannot_be_used_are_named_and_nothing_listens(tmp_path: Path, authority: Pair) -> None:
    good, other = issue(tmp_path, "server", authority), issue(tmp_path, "other", authority)
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        good.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
        )
    )
    for files, named in (
        ((tmp_path / "none.pem", good.key_file, None), "collector.tls.cert_file: cannot read"),
        ((text, good.key_file, None), "collector.tls.cert_file:"),
        ((good.cert_file, other.key_file, None), "collector.tls.key_file:"),
        ((good.cert_file, locked, None), "without a password"),
        ((good.cert_file, good.key_file, text), "collector.tls.client_ca_file:"),
    ):
        cert_file, key_file, client_ca_file = files
        section = TlsSection(cert_file=cert_file, key_file=key_file, client_ca_file=client_ca_file)
        with pytest.raises(ConfigError, match=named):
            tls.Certificates(section)


def test_a_bad_certificate_ends_the_collector_with_exit_code_2(tmp_path: Path, authority: Pair) -> None:
    server = issue(tmp_path, "server", authority)
    server.key_file.write_text("no key")
    running = installation(tmp_path, server)
    running.start("collector", wait=False)
    assert running.exit_code("collector") == 2
    told = running.log("collector").read_text()
    assert "collector.tls." in told
    assert "Traceback" not in told


def test_a_certificate_without_its_key_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cert_file and key_file together"):
        TlsSection(cert_file=tmp_path / "a.pem")
