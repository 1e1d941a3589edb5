"""Every error that Leewatch raises on purpose.

    LeewatchError                 base; `retryable` tells whether the same call may succeed later
    ├── ConfigError               the configuration has faults; lists all of them
    ├── InputError                a file, argument or payload is not what it should be
    ├── PortInUseError            a role cannot listen where it was told to
    ├── DataDirectoryLockedError  another process owns the data directory
    ├── DataDirectoryNotWritableError  the data directory cannot be written
    ├── NotRunningError           no installation answers where one was expected
    ├── MissingExtraError         a feature needs packages that are not installed
    ├── ModelNotFoundError        model weights are neither on disk nor to be had
    ├── PluginError               two plugins share a name, or a named one cannot be used
    ├── EndpointError             an endpoint that scores does not answer, or not in the form agreed (retryable)
    ├── MigrationError            the database schema is newer than, or differs from, this release
    └── StoreUnavailableError     the database does not answer (retryable)

A message says what is wrong, with which value, and what to do. The command line prints it and exits with `exit_code`.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path


class LeewatchError(Exception):
    """Base of all errors of this project."""

    retryable: bool = False
    exit_code: int = 2


class ConfigError(LeewatchError):
    """The configuration has faults; each is `section.key: expected X, got Y`."""

    def __init__(self, faults: Sequence[str], source: str = "configuration") -> None:
        self.faults = tuple(faults)
        lines = "\n".join(f"  {fault}" for fault in self.faults)
        super().__init__(
            f"{len(self.faults)} fault(s) in {source}:\n{lines}\nSee `leewatch config show` for every key."
        )


class InputError(LeewatchError):
    """A file, an argument or a payload is not what it should be."""


class PortInUseError(LeewatchError):
    """A role cannot listen where it was told to."""

    def __init__(self, host: str, port: int, key: str) -> None:
        super().__init__(
            f"port {port} on {host} is in use ({key}). Stop the process that holds it, or choose another port: "
            f"LEEWATCH_{key.upper().replace('.', '__')}=PORT"
        )


def cannot_listen(error: OSError, host: str, port: int, key: str, host_key: str) -> LeewatchError:
    """Why a socket could not be bound: PortInUseError, or InputError. key, host_key: settings of the port and of the host."""
    if error.errno == errno.EADDRINUSE:
        return PortInUseError(host, port, key)
    return InputError(
        f"cannot listen on {host}:{port}: {error.strerror}. Set {host_key} to an address of this machine and "
        f"{key} to a port from 1024 up."
    )


class DataDirectoryLockedError(LeewatchError):
    """Another process owns the data directory."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"data directory {path} is in use by another Leewatch process. Stop that process, or pass another --data DIR."
        )


class DataDirectoryNotWritableError(LeewatchError):
    """The data directory cannot be written."""

    def __init__(self, path: Path, fault: OSError) -> None:
        super().__init__(
            f"data directory {path} cannot be written: {fault.strerror or fault}. Make it writable by this user and free "
            "space on its disk, or pass another --data DIR."
        )


class NotRunningError(LeewatchError):
    """No installation answers where one was expected."""


class MissingExtraError(LeewatchError):
    """A feature needs packages that are not installed."""

    def __init__(self, feature: str, extra: str, missing: str) -> None:
        super().__init__(f"{feature} needs the package {missing!r}. Install it with: pip install 'leewatch[{extra}]'")


class ModelNotFoundError(LeewatchError):
    """Model weights are neither on disk nor to be had."""


class PluginError(LeewatchError):
    """Two plugins share a name, or a plugin that was asked for by name cannot be used."""


class EndpointError(LeewatchError):
    """An endpoint that scores does not answer, or not in the form agreed."""

    retryable = True
    exit_code = 1


class MigrationError(LeewatchError):
    """The database schema is newer than this release, or an applied migration differs from its file."""


class StoreUnavailableError(LeewatchError):
    """The database does not answer."""

    retryable = True
    exit_code = 1
