"""One typed configuration: arguments, environment, `leewatch.yaml`, the running installation, defaults, in this order.

Every section is a frozen model that refuses unknown keys. The sections that several roles read are here; a role's own
section is registered under the entry-point group `leewatch.sections`. All faults are reported together with paths.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, field_validator, model_validator
from pydantic import Field as Key

from leewatch import installation, plugins
from leewatch.errors import ConfigError, InputError

ENVIRONMENT_PREFIX = "LEEWATCH_"
DATA_VARIABLE = "LEEWATCH_DATA"
CONFIG_VARIABLE = "LEEWATCH_CONFIG"
DEFAULT_DATA = Path("leewatch-data")
DEFAULT_FILE = Path("leewatch.yaml")
RESERVED = {"DATA", "CONFIG"}

Port = Annotated[int, Key(ge=1, le=65535)]


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys are faults, values are checked strictly by type."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


HEALTH_HOST = Key("127.0.0.1", description="address of health_port")
HEALTH_PORT = Key(None, description="port of /healthz, /readyz and /metrics; unset: none")


class StorageSection(Section):
    """Which database to use."""

    dsn: SecretStr | None = Key(
        None, description="ClickHouse server, clickhouse://user:password@host:8123/leewatch; unset: the embedded store"
    )
    database: str = Key("leewatch", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="database of all tables")
    raw_days: int = Key(30, ge=1, le=3650, description="days that raw telemetry (otel_traces, otel_logs) is kept")
    spans_days: int = Key(
        400, ge=1, le=3650, description="days that LLM spans, content, embeddings, scores and topics are kept"
    )

    @model_validator(mode="before")
    @classmethod
    def _database_of_the_dsn(cls, values: Any) -> Any:
        """The database that the dsn names counts where `database` is not given."""
        if isinstance(values, dict) and "database" not in values and values.get("dsn"):
            dsn = values["dsn"]
            text = dsn.get_secret_value() if isinstance(dsn, SecretStr) else str(dsn)
            named = text.partition("://")[2].partition("/")[2].partition("?")[0].strip("/")
            return {**values, "database": named} if named else values
        return values


class StoreSection(Section):
    """The embedded store (role `store`)."""

    host: str = Key("127.0.0.1", description="address to listen on; loopback unless you know why")
    port: Port = Key(8123, description="port of ClickHouse's HTTP interface")
    threads: int = Key(4, ge=1, le=64, description="queries that run at the same time")
    max_memory_mb: int = Key(4096, ge=256, description="memory limit of the engine, MB")
    confine: Literal["auto", "require", "off"] = Key(
        "auto", description="kernel fence (Landlock) around the store: where there is one, always, or never"
    )


class TlsSection(Section):
    """Certificates of a listener."""

    cert_file: Path | None = Key(None, description="PEM certificate chain; with it both ports speak TLS alone")
    key_file: Path | None = Key(None, description="PEM private key of cert_file, without a password")
    client_ca_file: Path | None = Key(
        None, description="PEM authorities; with it clients must show a certificate of theirs (mTLS)"
    )

    @model_validator(mode="after")
    def _a_pair(self) -> TlsSection:
        given = [name for name in ("cert_file", "key_file", "client_ca_file") if getattr(self, name) is not None]
        if given and not {"cert_file", "key_file"} <= set(given):
            raise ValueError(f"expected cert_file and key_file together, got {' and '.join(given)} alone")
        return self


Rate = Annotated[float, Key(gt=0, allow_inf_nan=False)]


class LimitsSection(Section):
    """What each project may send; `leewatch projects limit` sets other limits for one."""

    spans_per_second: Rate | None = Key(
        None, description="spans, log records and data points a second beyond which a project gets 429; unset: no limit"
    )
    bytes_per_second: Rate | None = Key(
        None, description="decompressed bytes a second beyond which a project gets 429; unset: no limit"
    )


class CollectorSection(Section):
    """The OTLP receiver (role `collector`)."""

    host: str = Key("127.0.0.1", description="address to listen on")
    grpc_port: Port = Key(4317, description="port of OTLP/gRPC")
    http_port: Port = Key(4318, description="port of OTLP/HTTP, /healthz, /readyz and /metrics")
    processes: int = Key(1, ge=1, le=64, description="collectors that share the ports, each with a spool of its own")
    health_port: Port | None = Key(
        None,
        description="port of /healthz, /readyz, /metrics and /accounting without TLS, for probes that have no certificate",
    )
    tls: TlsSection = Key(default_factory=TlsSection, description="certificates of both ports")
    require_api_key: bool = Key(
        False, description="refuse requests without an API key; false: those belong to project `default`"
    )
    limits: LimitsSection = Key(default_factory=LimitsSection, description="what each project may send")
    cors_origins: tuple[str, ...] = Key(
        (),
        description="origins of web pages that may send, such as https://app.example.com, https://*.example.com or *",
    )
    max_request_mb: int = Key(64, ge=1, le=1024, description="largest request, also after decompression, MB")
    max_inflight_mb: int = Key(
        256, ge=1, description="bytes of unanswered requests beyond which further ones are refused with 503, MB"
    )
    max_value_mb: int = Key(
        4, ge=1, le=1024, description="longest value of an attribute or log body; longer ones are cut and flagged, MB"
    )
    min_free_mb: int = Key(
        256, ge=0, description="free disk space below which requests are refused with 503, left to the store, MB"
    )
    max_spool_mb: int = Key(2048, ge=16, description="spooled bytes beyond which requests are refused with 503, MB")
    keep_seconds: int = Key(
        600, ge=0, description="seconds that a segment is kept after its insert, and duplicates are known"
    )
    flush_seconds: float = Key(0.5, gt=0, le=60, description="age at which a segment is inserted, seconds")
    max_flush_seconds: float = Key(
        5,
        ge=0,
        le=60,
        description="age up to which segments fill while inserts are slow, seconds; an insert has a fixed cost",
    )
    flush_mb: int = Key(32, ge=1, le=256, description="size at which a segment is inserted, MB")
    orphaned_after_seconds: int = Key(
        60, ge=1, le=3600, description="seconds after which a log record whose span has not come counts as orphaned"
    )

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        """Browsers compare origins as text: a path or a slash at the end would never match."""
        for origin in origins:
            if origin != "*" and not re.fullmatch(r"https?://[^/\s?#@]+", origin):
                raise ValueError(f"expected * or https://HOST[:PORT] without a path, got {origin!r}")
        return origins


class DashboardSection(Section):
    """The Streamlit dashboard (role `dashboard`)."""

    host: str = Key("127.0.0.1", description="address to listen on")
    port: Port = Key(8501, description="port of the dashboard")
    public_url: str = Key("", description="base URL in alert links; empty: http://HOST:PORT")
    health_host: str = HEALTH_HOST
    health_port: Port | None = HEALTH_PORT


SHARED: dict[str, type[Section]] = {
    "storage": StorageSection,
    "store": StoreSection,
    "collector": CollectorSection,
    "dashboard": DashboardSection,
}

S = TypeVar("S", bound=Section)


@dataclass(frozen=True)
class Settings:
    """The whole configuration. `data` is the absolute data directory; `file` the file it was read from, if any."""

    data: Path
    sections: Mapping[str, Section]
    file: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def section(self, kind: type[S]) -> S:
        """The section of this type. Raises KeyError for a type that is not registered."""
        for section in self.sections.values():
            if isinstance(section, kind):
                return section
        raise KeyError(kind.__name__)

    @property
    def storage(self) -> StorageSection:
        return self.section(StorageSection)

    @property
    def store(self) -> StoreSection:
        return self.section(StoreSection)

    @property
    def collector(self) -> CollectorSection:
        return self.section(CollectorSection)

    @property
    def dashboard(self) -> DashboardSection:
        return self.section(DashboardSection)

    @property
    def dashboard_url(self) -> str:
        """Base URL of the dashboard, without a trailing slash."""
        return self.dashboard.public_url.rstrip("/") or f"http://{self.dashboard.host}:{self.dashboard.port}"


def section_types() -> dict[str, type[Section]]:
    """Every section by name: the shared ones and those that installed packages register."""
    return {**SHARED, **plugins.load_all("leewatch.sections")}


def load(
    file: Path | None = None,
    data: Path | None = None,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> Settings:
    """Reads the configuration.

    file: path of the YAML file; else LEEWATCH_CONFIG, else `leewatch.yaml` in the current directory when there is one.
    data: data directory; else LEEWATCH_DATA, else `./leewatch-data`.
    overrides: {section: {key: value}} from the command line; they win.
    Where roles already run on the data directory, their ports stand in for the defaults.

    Raises ConfigError with every fault found, InputError when a named file cannot be read.
    """
    env = dict(os.environ if environment is None else environment)
    path = file or (Path(env[CONFIG_VARIABLE]) if env.get(CONFIG_VARIABLE) else None)
    if path is None and DEFAULT_FILE.is_file():
        path = DEFAULT_FILE
    faults: list[str] = []
    raw = _from_file(path, faults) if path is not None else {}
    types = section_types()
    _merge_environment(raw, env, types, faults)
    for section, values in (overrides or {}).items():
        raw.setdefault(section, {}).update(values)
    directory = (data or Path(env.get(DATA_VARIABLE) or DEFAULT_DATA)).expanduser().absolute()
    for role in installation.running(directory).values():
        raw[role.role] = {**role.listening, **raw.get(role.role, {})}
    sections = _validated(raw, types, faults)
    if faults:
        raise ConfigError(faults, str(path) if path else "environment and arguments")
    return Settings(data=directory, sections=sections, file=path, environment=env)


def _from_file(path: Path, faults: list[str]) -> dict[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read configuration {path}: {error}. Pass an existing file with --config.") from error
    try:
        parsed = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if parsed is None:
        return {}
    if not isinstance(parsed, dict):
        raise InputError(f"{path} must hold sections (storage:, collector:, ...), got a {type(parsed).__name__}")
    sections: dict[str, dict[str, Any]] = {}
    for name, values in parsed.items():
        if values is None:
            continue
        if not isinstance(values, dict):
            faults.append(f"{name}: expected keys and values, got {values!r}")
            continue
        sections[str(name)] = dict(values)
    return sections


def _merge_environment(
    raw: dict[str, dict[str, Any]], env: Mapping[str, str], types: Mapping[str, type[Section]], faults: list[str]
) -> None:
    for variable, text in sorted(env.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable[len(ENVIRONMENT_PREFIX) :] in RESERVED:
            continue
        if not text:
            continue  # compose files pass variables that nobody set as empty ones
        path = variable[len(ENVIRONMENT_PREFIX) :].lower().split("__")
        if len(path) < 2 or path[0] not in types:
            faults.append(f"{variable}: no such setting; environment settings are LEEWATCH_SECTION__KEY")
            continue
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            value = text
        target: dict[str, Any] = raw.setdefault(path[0], {})
        for key in path[1:-1]:
            target = target.setdefault(key, {})
        target[path[-1]] = value


def _validated(
    raw: Mapping[str, Mapping[str, Any]], types: Mapping[str, type[Section]], faults: list[str]
) -> dict[str, Section]:
    faults.extend(
        f"{name}: unknown section; known: {', '.join(sorted(types))}" for name in sorted(raw) if name not in types
    )
    sections: dict[str, Section] = {}
    for name, kind in types.items():
        try:
            sections[name] = kind.model_validate(raw.get(name, {}))
        except ValidationError as error:
            for fault in error.errors(include_url=False):
                location = ".".join(str(part) for part in (name, *fault["loc"]))
                faults.append(
                    f"{location}: {_expectation(fault['type'], fault['msg'])}{_got(raw.get(name), fault['loc'], kind)}"
                )
    return sections


def _expectation(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "unknown key"
    return message[0].lower() + message[1:] if message else kind


def _got(values: Any, location: tuple[int | str, ...], kind: type[Section]) -> str:
    """`, got VALUE`, except where the key may hold a secret."""
    if any(
        "dsn" in str(part) or "token" in str(part) or "secret" in str(part) or "webhook" in str(part)
        for part in location
    ):
        return ""
    for part in location:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return ""
    return f", got {values!r}" if isinstance(values, str | int | float | bool) else ""
