"""Who may ask a server for what."""

from __future__ import annotations

from ..errors import NotAllowed
from ..rpc.registry import Call

__all__ = ["manager_only", "owner_of"]


def manager_only(call: Call, method: str) -> None:
    if call.peer.role != "manager":
        raise NotAllowed(f"{method} is for the manager; {call.peer.node} is a {call.peer.role}")


def owner_of(call: Call, client: str) -> str:
    """Whose file a call is about. A client has only its own; servers and the manager act for any."""
    if call.peer.role != "client":
        return client
    if client not in ("", call.peer.node):
        raise NotAllowed(f"{call.peer.node} may change its own files, not those of {client}")
    return call.peer.node
