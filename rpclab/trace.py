"""The event log: what every picture, check and grade is read from. One JSON line an event, one file a node.

Each event has a number within its node and a Lamport time. A message carries the `Stamp` of the event that sent it, and
the event that receives it names that stamp as its `cause`: from the order within each node and these causes follows what
happened before what (Lamport, "Time, Clocks, and the Ordering of Events", 1978). Nothing else need travel, however large
the cluster is.

Kinds of events, and the fields that each carries beside time, node, number, lamport and kind:

    started, stopped                                          detail: role, address, process, wall (seconds since 1970)
    connected, disconnected     peer                          detail: role of the peer
    send, receive               peer message method call bytes [cause]     message: request, reply, error, notification; with
                                                              trace="messages" a receive has text, its first 2,000 bytes;
                                                              after: the file whose packets passed on its connection before
    send-data, receive-data     peer bytes file copy          packets of a file; copy: original, replica, repair, restore;
                                                              after, of the first: its node's last message event on that
                                                              connection
    registered, gone            peer                          manager: a server came, or is no longer here; stored_bytes, reason,
                                                            quota_bytes (None: as much as the disk holds)
    suspected, trusted          peer                          manager: a server is silent, or speaks again; silent_s
    safe-mode                                                 manager: on (True or False), reason
    placed                      file bytes                    manager: policy, servers, decisions, upload, version, purpose
    reported                    peer                          manager: stored_bytes, report, news, upload (that has ended there)
    repairing, repaired         peer file bytes               manager: a copy is to be made at peer, was made; version, source,
                                                              upload, purpose (repair, balance)
    stored                      file bytes copy               server: durable; digest, version, stored_bytes, upload,
                                                              dropped (earlier versions that made way)
    unpromised                  file bytes copy               server: it has its name, and the sync that would make that
                                                              durable failed; version, stored_bytes, upload, dropped
    deleted                     file bytes                    server: version (up to which), removed (versions), stored_bytes
    dropped                     file bytes                    server: a copy too many; version, stored_bytes, reason
    quarantined                 file bytes                    server: a damaged copy; version, digest, found, stored_bytes
    scrubbed                    bytes                         server: a round is over; files, damaged
    replicated                  peer file bytes copy          server: the peer has acknowledged its copy; upload, version
    sent                        file bytes                    client: all of a backup is sent, and not yet acknowledged;
                                                              upload, version, digest
    acknowledged                file bytes                    client: upload, copies, wanted, pending, servers, digest, version
    removing, removed           file                          client: a delete is asked for, was acknowledged; version (up to
                                                              which), servers (that were told)
    restored                    peer file bytes               client: digest, version, asked (the version asked for, or None)
    refused, failed             peer file                     error, message
    killed, restarted           peer                          cluster: what was done to a node, as intervals: the first event
    paused, resumed             peer                          begins one, the second ends it (a restart also a pause); what does
    partitioned, healed         peer                          not end lasts to the end of the run. killed: power (its machine lost
    slowed, healed              peer                          its power too); partitioned: others (cut off from whom), one_way;
    filled, emptied             peer                          slowed: latency_s, bytes_s; filled: free_bytes
    damaged                     peer file                     cluster: a bit of a stored copy was flipped
    reset, unsound              peer                          simulated cluster: some connections broke; its disk fails syncs
    held, lost, delayed,        peer message method call bytes            the stage, at the receiver, of a message that peer sent:
    duplicated, corrupted                                     it waits to be decided upon, is dropped, waits, comes twice, is
                                                              changed; sent (node and number of its send event), seconds; byte,
                                                              before, value. What is held or delayed ends with its `receive`

What was done for a call has `request`: the number of the event that received it. `file` is `client/name`; `peer` a node's
name; `bytes` what crossed the wire or lies on the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from .world.base import Log, World

__all__ = ["Event", "Stage", "Stamp", "Tracer"]

Stamp = tuple[str, int, int]
"""Node, event number, Lamport time: what a message carries of the event that sent it."""


class Event(msgspec.Struct, omit_defaults=True, gc=False):
    """One thing that happened at one node. `time` is the world's clock, in seconds."""

    time: float
    node: str
    number: int
    lamport: int
    kind: str
    peer: str = ""
    message: str = ""
    method: str = ""
    call: int | str = ""
    bytes: int = 0
    file: str = ""
    copy: str = ""
    cause: tuple[str, int] | None = None
    detail: dict[str, Any] = {}


class Stage(Protocol):
    """Who decides what becomes of each message that arrives at a node: see rpc/stage.py."""

    connections: dict[Any, None]

    def next(self, connection: Any, deadline: float | None) -> bytes | None: ...


class Tracer:
    """Writes one node's events. Without a log it writes nothing and `enabled` is False: ask that before you build an event.

    It is what every connection of a node has of it, so the node's `stage`, if there is one, is found here too. `now`: a clock for
    the events' time, if that is not to be the node's own.
    """

    stage: Stage | None = None
    texts = False
    """Whether the events of messages that are received carry their beginning."""

    def __init__(
        self, world: World, node: str, log: Log | None = None, *, now: Callable[[], float] | None = None
    ) -> None:
        self.node = node
        self.enabled = log is not None
        self._now = now or world.clock.now
        self._log = log
        self._lock = world.tasks.lock()  # guards number, lamport and the order of lines in the log
        self._encode = msgspec.json.Encoder().encode
        last = _last_event(log.last_line) if log else None
        self._number = last.number if last else 0
        self._lamport = last.lamport if last else 0

    def event(
        self,
        kind: str,
        *,
        peer: str = "",
        message: str = "",
        method: str = "",
        call: int | str = "",
        bytes: int = 0,
        file: str = "",
        copy: str = "",
        cause: Stamp | None = None,
        detail: dict[str, Any] | None = None,
        measure: Callable[[Stamp], int] | None = None,
    ) -> Stamp:
        """Write one event and return its stamp.

        `cause` is the stamp that came with what was received. `measure` is for what is about to be sent: it is given the
        stamp, which goes into the message, and returns the message's bytes.
        """
        log = self._log
        if log is None:
            return (self.node, 0, 0)
        link = None if cause is None else (cause[0], cause[1])
        with self._lock:
            number = self._number + 1
            lamport = (max(self._lamport, cause[2]) if cause else self._lamport) + 1
            if measure is not None:
                bytes = measure((self.node, number, lamport))
            self._number, self._lamport = number, lamport
            event = Event(
                self._now(),
                self.node,
                number,
                lamport,
                kind,
                peer,
                message,
                method,
                call,
                bytes,
                file,
                copy,
                link,
                detail or {},
            )
            log.append(self._encode(event) + b"\n")
        return (self.node, number, lamport)

    def close(self) -> None:
        """End the log; later events are not written."""
        with self._lock:
            log, self._log, self.enabled = self._log, None, False
        if log is not None:
            log.close()


def _last_event(line: bytes) -> Event | None:
    try:
        return msgspec.json.decode(line, type=Event)
    except msgspec.MsgspecError:
        return None
