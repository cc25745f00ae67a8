"""What a cluster is to be like, checked, and each part's command line that makes it so.

A function from a notebook gets into the manager's process pickled by value, in a file that only this user can write.
"""

from __future__ import annotations

import inspect
import pathlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any

from ..config import ACKNOWLEDGE, MANAGER_PORT, REPLICATION
from ..errors import UsageError
from ..manager.placement import POLICIES
from ..manager.settings import Settings as KeepSettings
from ..own import OURS, Own
from ..rpc.handshake import Role
from .own_code import pickled

__all__ = ["Part", "Settings"]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a cluster: its name, its role, its options, and the port it is to have (0: a free one)."""

    node: str
    role: Role
    options: list[str]
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The arguments of `LocalCluster` that say what the cluster is like. Raises UsageError for what cannot be."""

    servers: int
    clients: int
    replicas: int
    placement: str | Callable[..., Any]
    replication: str
    acknowledge: str
    document_wire: bool
    ports: str
    quota_bytes: int | None
    seed: int | None
    keep: int
    heartbeat_s: float
    dead_s: float
    repair: bool
    repair_bytes_s: int
    scrub_bytes_s: int
    scrub_round_s: float
    own: Own = OURS

    def __post_init__(self) -> None:
        for name, least in (("servers", 0), ("clients", 0), ("replicas", 1), ("quota_bytes", 0)):
            given = getattr(self, name)
            if not isinstance(given, int) and not (given is None and name == "quota_bytes"):
                raise UsageError(f"{name}={given!r}: it is a whole number")
            if given is not None and given < least:
                raise UsageError(f"{name}={given}: it is {least} at least")
        if not isinstance(self.dead_s, Real):
            raise UsageError(f"dead_s={self.dead_s!r}: it is a number of seconds")
        KeepSettings(
            keep=self.keep,
            heartbeat_s=self.heartbeat_s,
            dead_s=self.dead_s,
            safe_s=max(self.dead_s, 30),
            repair_bytes_s=self.repair_bytes_s,
            scrub_bytes_s=self.scrub_bytes_s,
            scrub_round_s=self.scrub_round_s,
        )
        for name, known in (
            ("ports", ("default", "free")),
            ("replication", REPLICATION),
            ("acknowledge", ACKNOWLEDGE),
        ):
            if getattr(self, name) not in known:
                raise UsageError(f"{name}={getattr(self, name)!r} is not known: choose {' or '.join(map(repr, known))}")
        if isinstance(self.placement, str):
            if self.placement not in POLICIES:
                raise UsageError(
                    f"placement={self.placement!r} is not known: choose {', '.join(POLICIES)}, or give a function"
                )
        elif not callable(self.placement):
            raise UsageError(f"placement is a policy's name or a function, not {type(self.placement).__name__}")
        else:
            _check_arguments(self.placement)

    def told(self) -> dict[str, str | int | bool | None]:
        """What people are told of the cluster, and what its record keeps."""
        placement = self.placement if isinstance(self.placement, str) else _name(self.placement)
        return {
            "replicas": self.replicas,
            "placement": placement,
            "replication": self.replication,
            "acknowledge": self.acknowledge,
            "keep": self.keep,
            "repair": self.repair,
            "document_wire": self.document_wire,
            **{name: _name(code) for name, code in self.own.given().items()},
        }

    def parts(self, folder: pathlib.Path, data: pathlib.Path) -> Iterator[Part]:
        """Every part with its command line; `folder` is the cluster's run folder."""
        document = ["--document-wire"] if self.document_wire else []
        seed = [] if self.seed is None else ["--seed", str(self.seed)]
        quota = [] if self.quota_bytes is None else ["--quota-bytes", str(self.quota_bytes)]
        copies = [
            "--replicas",
            str(self.replicas),
            "--replication",
            self.replication,
            "--acknowledge",
            self.acknowledge,
        ]
        for option in ("keep", "heartbeat_s", "dead_s", "repair_bytes_s", "scrub_bytes_s", "scrub_round_s"):
            copies += [f"--{option.replace('_', '-')}", str(getattr(self, option))]
        copies += [] if self.repair else ["--no-repair"]
        own = _own(self.own, folder)
        copies += own
        where = [*own, "--manager-file", str(folder / "manager.ready.json"), "--data", str(data)]
        first = MANAGER_PORT if self.ports == "default" else 0
        yield Part("manager", "manager", [*copies, *_placement(self.placement, folder), *document, *seed], first)
        for number in range(1, self.servers + 1):
            options = [str(number), *where, *quota, *document, *seed]
            yield Part(f"server{number}", "server", options, first and first + number)
        for number in range(1, self.clients + 1):
            yield Part(f"client{number}", "client", [str(number), *where, "--agent", *seed], 0)


def _check_arguments(function: Callable[..., Any]) -> None:
    try:
        inspect.signature(function).bind("servers", "request", "random")
    except TypeError as error:
        raise UsageError(
            f"a placement function takes (servers, request, random); {_name(function)} does not: {error}"
        ) from None
    except ValueError:
        return  # a builtin that cannot tell its arguments: the first call will


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", "a function"))


def _placement(placement: str | Callable[..., Any], folder: pathlib.Path) -> list[str]:
    """The manager's options for a placement policy, by name or as a function. Raises UsageError if it can't be sent."""
    if isinstance(placement, str):
        return ["--placement", placement]
    path = folder / "placement.pickle"
    path.write_bytes(pickled(placement, "this placement function"))
    return ["--placement-file", str(path)]


def _own(own: Own, folder: pathlib.Path) -> list[str]:
    """Every part's options for code of the user's own, if there is any."""
    given = own.given()
    if not given:
        return []
    path = folder / "own.pickle"
    path.write_bytes(pickled(given, f"{' and '.join(given)}", *given.values()))
    return ["--own-file", str(path)]
