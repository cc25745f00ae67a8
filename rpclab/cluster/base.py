"""A cluster, in whichever world: its parts, what is known of them, what can be done to them, what it looks like.

`LocalCluster` and `SimCluster` say how; here is what they share. Every fault is written to the event log of node
"cluster" as an interval: an event when it begins, another when it ends (trace.py lists them).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Generic, Protocol, Self, TypeVar

from ..config import Address, Limits, address_text
from ..errors import RpclabError, UsageError
from ..records import Location, ServerRecord
from ..study.check import Report
from ..study.history import History
from ..study.tail import Tail
from ..text import bytes_text
from ..trace import Tracer
from .given import group_of, number, seconds, whole
from .stepping import Stepping
from .tables import html_table, text_table

__all__ = ["Cluster", "Node"]

_HEADS = ("part", "role", "address", "state", "files", "stored")


class Node(Protocol):
    """One part of a cluster. `state` is running, paused or stopped."""

    @property
    def role(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def address(self) -> Address | None: ...

    def log_tail(self, lines: int = 12) -> str: ...

    def kill(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


N = TypeVar("N", bound=Node)


class Cluster(Stepping, Generic[N]):
    """A manager, servers and clients: `with` it, look at it, break it; it ends with the block."""

    settings: dict[str, Any]
    clients: Mapping[str, Any]
    _nodes: dict[str, N]

    def __init__(self) -> None:
        self._hurt: dict[str, None] = {}  # the nodes with links that are cut or slow, in order

    # ---- what there is

    def _names(self, role: str) -> list[str]:
        return [name for name, node in self._nodes.items() if node.role == role]

    @property
    def nodes(self) -> list[str]:
        """The names of all parts."""
        return list(self._nodes)

    @property
    def servers(self) -> list[str]:
        """The names of the servers."""
        return self._names("server")

    @property
    def addresses(self) -> dict[str, Address]:
        """Where each part listens."""
        return {name: node.address for name, node in self._nodes.items() if node.address}

    def state(self, node: str) -> str:
        """running, paused or stopped."""
        return self._node(node).state

    def log(self, node: str, lines: int = 40) -> str:
        """The last lines that a part printed."""
        return self._node(node).log_tail(lines)

    @property
    @abstractmethod
    def history(self) -> History:
        """All events so far, as the event logs are now."""

    @abstractmethod
    def tail(self) -> Tail:
        """What reads the event logs on and on, each event once: for what is shown while the cluster runs."""

    @abstractmethod
    def check(self) -> Report:
        """What the judge says of this run, by the event logs and the servers' disks as they are now; best after `stop`.

        Errors: UsageError with `trace=False`, for there is nothing to read.
        """

    @abstractmethod
    def files(self) -> list[Location]:
        """Every stored file, and the servers that hold it."""

    def stored_bytes(self) -> dict[str, int]:
        """The bytes stored on each server that the manager knows."""
        return {node: server.stored_bytes for node, server in self._listed().items()}

    @abstractmethod
    def upkeep(self) -> dict[str, Any]:
        """What the manager does about copies now: repairs that wait, run and are done, servers that it suspects or that went and
        are waited for, whether it has just started and does not know its servers yet (`safe_mode`)."""

    @abstractmethod
    def connect(self, name: str = "notebook", *, limits: Limits | None = None) -> Any:
        """One more client, whose files are stored under `name`; `limits` say how long it waits. Errors: UsageError."""

    @abstractmethod
    def sleep(self, seconds: float) -> None:
        """Let the cluster's time pass."""

    @abstractmethod
    def _listed(self) -> dict[str, ServerRecord]:
        """The servers as the manager has them."""

    def _node(self, name: str) -> N:
        if not isinstance(name, str) or name not in self._nodes:
            raise UsageError(f"there is no {name!r} in this cluster; there are {', '.join(self._nodes)}")
        return self._nodes[name]

    # ---- faults of nodes

    def kill(self, node: str) -> None:
        """End a part as `kill -9` does: at once, without a word. What it wrote is still on its disk."""
        part = self._node(node)
        self._fault("killed", node)
        part.kill()

    def pause(self, node: str) -> None:
        """Stop a part's time: it keeps its connections and answers nothing."""
        self._node(node).pause()
        self._fault("paused", node)

    def resume(self, node: str) -> None:
        """Let a paused part go on."""
        self._node(node).resume()
        self._fault("resumed", node)

    @abstractmethod
    def restart(self, node: str, *, start_s: float = 20.0) -> None:
        """Start a part again on its port and folder, ending it first if it runs; returns when it serves again.

        For a server that means: when the manager lists it again, or, while no manager runs, when it can be reached; for the
        manager: when it lists all servers that run. Errors: StartFailed, and those of the part.
        """

    # ---- faults of links

    def partition(self, *groups: str | Iterable[str], one_way: bool = False) -> None:
        """Cut the links between groups of nodes; nodes that are not named are a group of their own. With `one_way` only what
        the first group sends is cut off. What is cut already stays cut: `heal` mends all."""
        chosen = [self._group(group) for group in groups]
        named = [node for group in chosen for node in group]
        parts = [*chosen, [node for node in self._linked() if node not in named]]
        senders = parts[:1] if one_way else parts
        links = [(a, b) for one in senders for other in parts if one is not other for a in one for b in other]
        self._cut(links)
        for group in chosen:
            others = [node for part in parts if part is not group for node in part]
            for node in group:
                self._hurt[node] = None
                self._fault("partitioned", node, one_way=one_way, others=others)

    def slow(self, *nodes: str, latency_s: float = 0.0, bytes_s: float | None = None) -> None:
        """Make every link from and to these nodes slow: so many seconds more each way, at most so many bytes a second (None: no
        limit). Said again of a node, it counts instead of what was said before; `heal` mends all."""
        latency_s = seconds("latency_s", latency_s)
        if bytes_s is not None and not number("bytes_s", bytes_s, "a number of bytes a second, above 0, or None"):
            raise UsageError(f"bytes_s={bytes_s}: it is above 0; what is to let nothing through is a partition")
        self._group(nodes)
        self._slow(
            [(a, b) for one in nodes for b in self._linked() if b != one for a, b in ((one, b), (b, one))],
            latency_s,
            bytes_s,
        )
        for node in nodes:
            self._hurt[node] = None
            self._fault("slowed", node, latency_s=latency_s, bytes_s=bytes_s)

    def heal(self) -> None:
        """Mend every link that is cut or slow; what waited for that arrives."""
        hurt, self._hurt = self._hurt, {}
        self._mend()
        for node in hurt:
            self._fault("healed", node)

    def _group(self, group: str | Iterable[str]) -> list[str]:
        nodes = group_of(group)
        for node in nodes:
            if node not in self._linked():
                self._node(node)
        return nodes

    def _linked(self) -> list[str]:
        """Every node that has links."""
        return list(self._nodes)

    @abstractmethod
    def _cut(self, links: list[tuple[str, str]]) -> None: ...

    @abstractmethod
    def _slow(self, links: list[tuple[str, str]], latency_s: float, bytes_s: float | None) -> None: ...

    @abstractmethod
    def _mend(self) -> None: ...

    # ---- faults of disks

    @abstractmethod
    def damage(self, node: str, file: str, *, version: int | None = None) -> Any:
        """Flip one bit of a server's copy of `file` (as "client1/photo.png"), as a disk that rots does: its newest version, or an
        earlier one. Returns the damaged file's path. Errors: NoSuchFile when there is no copy, or it is empty."""

    def fill(self, node: str, free_bytes: int = 0) -> None:
        """Fill a node's disk up to so many bytes; `empty` frees it again."""
        self._node(node)
        free_bytes = whole("free_bytes", free_bytes, "a number of bytes, 0 or more")
        self._fill(node, free_bytes)
        self._fault("filled", node, free_bytes=free_bytes)

    def empty(self, node: str) -> None:
        """Free what `fill` took."""
        self._node(node)
        self._fill(node, None)
        self._fault("emptied", node)

    @abstractmethod
    def _fill(self, node: str, free_bytes: int | None) -> None: ...

    @property
    @abstractmethod
    def _tracer(self) -> Tracer:
        """Where it is written what was done to the nodes."""

    def _fault(self, kind: str, node: str, file: str = "", **detail: Any) -> None:
        self._tracer.event(kind, peer=node, file=file, detail=detail)

    # ---- the end

    @abstractmethod
    def stop(self) -> None:
        """End every part cleanly: the clients and servers first, the manager last. May be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # ---- seeing it

    def _rows(self) -> list[list[str]]:
        try:
            known = self._listed()
        except RpclabError:
            known = {}  # no manager, no figures: the states below say so
        rows = []
        for name, node in self._nodes.items():
            found = known.get(name)
            figures = ["", ""] if found is None else [str(found.files), bytes_text(found.stored_bytes)]
            where = address_text(node.address) if node.address else ""
            rows.append([name, node.role, where, node.state, *figures])
        return rows

    @abstractmethod
    def _title(self) -> str: ...

    def _chosen(self) -> str:
        return ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in self.settings.items())

    def _repr_html_(self) -> str:
        return html_table(self._title(), _HEADS, self._rows(), right=(4, 5))

    def __repr__(self) -> str:
        return text_table(self._title(), _HEADS, self._rows())
