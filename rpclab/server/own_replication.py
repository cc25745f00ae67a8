"""Somebody else's way of making copies in place of ours: their function decides whom to send to, and what counts as a copy.

    def replicate(count, route, copy, more):
        # count   how many other servers are to have a copy
        # route   the servers that the manager has chosen for them, in order
        # copy    copy(server) sends the file there and returns once its copy is durable; raises if that failed
        # more    more(n) gives up to n servers that you were not given yet; [] if there are none
        return servers that have a copy

What it returns is what the client is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from ..config import Address
from ..errors import RpclabError, error_text
from ..records import FileRecord, ServerRecord
from .replication import Copies, Replication

__all__ = ["replication_of"]


def replication_of(*args: Any) -> Replication:
    """A server's replication, with the arguments of `Replication`."""
    identity = args[1]
    return Replication(*args) if identity.own.replicate is None else _OwnReplication(*args)


class _OwnReplication(Replication):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._replicate = args[1].own.replicate

    def copy_after(
        self,
        file: FileRecord,
        upload: str,
        count: int,
        route: Sequence[ServerRecord],
        passed_over: AbstractSet[str] = frozenset(),
        *,
        keep: int | None = None,
    ) -> Copies:
        copies = Copies()
        chosen = [server for server in route if server.node not in passed_over]
        given: set[Address] = {self.own, *(server.address for server in route)}

        def copy(server: ServerRecord) -> None:
            try:
                self.copy(file, upload, server, keep=keep)
            except RpclabError as error:
                copies.problems.append(f"{server.node}: {error}")
                raise

        def more(wanted: int) -> list[ServerRecord]:
            others = self._others(copies, file, upload, wanted, given)
            given.update(server.address for server in others)
            return others

        try:
            copies.nodes = [str(server.node) for server in self._replicate(count, chosen, copy, more)]
        except Exception as error:  # somebody else's code: what it raises is told as what it is
            copies.problems.append(f"replicate raised {type(error).__name__}: {error_text(error)}")
        if len(copies.nodes) < count and not copies.problems:
            copies.problems.append("replicate made no more copies")
        if len(given) > 1 + len(route) or len(copies.nodes) < count:
            self._link.release(upload)
        return copies
