"""Limits for a process that runs a student's code, set from within it: memory, file size, and no network but this machine's.

This keeps accidents small and tricks useless. It is no jail: code that is hostile, not wrong, belongs into a container or on a
machine of its own (docs/teachers.md).
"""

from __future__ import annotations

import contextlib
import ipaddress
import sys
import types
from typing import Any

__all__ = ["Fingerprint", "confine"]

MEMORY_BYTES = 3 << 30  # of addresses, not of memory in use: threads' stacks and mapped logs count
FILE_BYTES = 512 << 20


def confine() -> None:
    """Limit this process and those that it starts, as far as the system can."""
    if sys.platform != "win32":
        import resource

        for kind, limit in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_FSIZE, FILE_BYTES)):
            with contextlib.suppress(ValueError, OSError):  # macOS knows the first by name only
                _, hard = resource.getrlimit(kind)
                ours = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
                resource.setrlimit(kind, (ours, hard))
    sys.addaudithook(_stay_here)


def _stay_here(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse to talk to another machine."""
    if event in ("socket.connect", "socket.sendto", "socket.bind"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) and address else None
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host is not None and host not in ("", "localhost") and not _is_loopback(host):
        raise PermissionError(f"a lab's code may talk to this machine only, not to {host}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


class Fingerprint:
    """Which functions and classes rpclab's modules had at one moment: code that was patched in since is seen."""

    def __init__(self) -> None:
        self._then = _taken(self._modules())

    @staticmethod
    def _modules() -> list[str]:
        return sorted(name for name in sys.modules if name.partition(".")[0] == "rpclab")

    def changed(self) -> list[str]:
        """The names that are something else now."""
        now = _taken(sorted({name.rpartition(":")[0] for name in self._then}))
        return sorted(name.replace(":", ".") for name, what in self._then.items() if now.get(name) != what)


def _taken(modules: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in modules:
        module = sys.modules.get(name)
        if module is None:
            continue
        for key, value in list(vars(module).items()):
            if isinstance(value, types.FunctionType):
                found[f"{name}:{key}"] = id(value.__code__)
            elif isinstance(value, type) and value.__module__ == name:
                found.update({f"{name}:{key}.{own}": _code(each) for own, each in vars(value).items() if _code(each)})
    return found


def _code(value: object) -> int:
    if isinstance(value, classmethod | staticmethod):
        value = value.__func__
    if isinstance(value, property):
        value = value.fget
    return id(value.__code__) if isinstance(value, types.FunctionType) else 0
