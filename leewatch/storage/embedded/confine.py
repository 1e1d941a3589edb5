"""The kernel's own fence around the store's process: which files it may open, and that it connects to no other host.

The engine can read any file that its process can. Grants and checks of the SQL text close the ways that are known; Landlock
closes those that are not. It needs Linux 5.13 (files) or 6.7 (TCP too), and no privileges. Source: Linux,
Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_GET_VERSION = 1
_NO_NEW_PRIVS = 38
_BENEATH, _PORT = 1, 2
_WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1 << 1, 1 << 2, 1 << 3, 1 << 14
_CONNECT_TCP, _BIND_TCP = 1 << 1, 1 << 0
_ALL_OF_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}
_WITH_TCP = 4
_ON_FILES = _WRITE_FILE | _READ_FILE | _TRUNCATE
_EXECUTE = 1

# What engine and interpreter read while they load and run. Of /proc/self only the layout of the memory and the name of the
# cgroup: the rest shows the environment, and with it secrets.
_SYSTEM = (
    *("/usr", "/lib", "/lib64", "/etc/localtime", "/etc/ld.so.cache", "/etc/ssl", "/sys/fs/cgroup", "/sys/devices/system"),
    *("/sys/block", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/sys/vm", "/proc/sys/kernel", "/dev/urandom"),
    *("/sys/kernel/mm/transparent_hugepage", "/proc/self/auxv", "/proc/self/maps", "/proc/self/cgroup"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fence:
    """What the kernel now holds the process to."""

    files: bool
    network: bool


def confine(writable: Iterable[Path], ports: Iterable[int] = ()) -> Fence:
    """Restricts this thread and all that it starts from now on, for good; threads that run already stay free.

    Libraries that start threads when they are loaded, as the engine does, are therefore loaded afterwards.
    writable: directories that may be changed. ports: TCP ports that may be connected to. Programs cannot be started.
    Gives what took effect: nothing on systems without Landlock.
    """
    version = _version()
    if version < 1:
        return Fence(files=False, network=False)
    files = _ALL_OF_VERSION[min(version, max(_ALL_OF_VERSION))]
    network = version >= _WITH_TCP
    attributes = struct.pack("<QQ", files, _CONNECT_TCP | _BIND_TCP) if network else struct.pack("<Q", files)
    ruleset = _call(_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for path in (*map(Path, _SYSTEM), *_program()):
            _allow(ruleset, path, files & (_READ_FILE | _READ_DIR))
        _allow(ruleset, Path(os.devnull), files & _ON_FILES)
        for path in writable:
            _allow(ruleset, path, files & ~_EXECUTE)
        for port in ports if network else ():
            _call(_ADD_RULE, ruleset, _PORT, struct.pack("<QQ", _CONNECT_TCP, port), 0)
        ctypes.CDLL(None).prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return Fence(files=True, network=network)


def available() -> Fence:
    """What `confine` could enforce here; changes nothing."""
    version = _version()
    return Fence(files=version >= 1, network=version >= _WITH_TCP)


def _version() -> int:
    if sys.platform != "linux":
        return 0
    return int(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _GET_VERSION))


def _program() -> set[Path]:
    """Where modules of this interpreter may still be loaded from."""
    places = {sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values(), *sys.path}
    return {Path(place) for place in places if place}


def _allow(ruleset: int, path: Path, access: int) -> None:
    """Allows the access beneath a directory, or on a file. What does not exist needs no rule."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        allowed = access if path.is_dir() else access & _ON_FILES
        _call(_ADD_RULE, ruleset, _BENEATH, struct.pack("<Qi", allowed, descriptor), 0)
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: int | bytes) -> int:
    """A system call. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    typed = [argument if isinstance(argument, bytes) else ctypes.c_long(argument) for argument in arguments]
    result = int(library.syscall(ctypes.c_long(number), *typed))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
