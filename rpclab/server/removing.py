"""Removing: a file for good, with all its versions up to one, or a copy that is one too many; log and manager are told."""

from __future__ import annotations

from ..names import check_name
from ..records import FileRecord, file_key
from ..rpc.registry import Call
from ..trace import Tracer
from .callers import manager_only, owner_of
from .manager_link import Link
from .store import Store

__all__ = ["Removing"]


class Removing:
    """Two of a server's remote methods."""

    def __init__(self, store: Store, link: Link, tracer: Tracer) -> None:
        self._store, self._link, self._tracer = store, link, tracer

    def delete_file(self, call: Call, filename: str, client: str = "", version: int = 0) -> list[FileRecord]:
        """Remove the versions of a file up to one (0: all), and remember up to which, so that an older copy is not stored
        again. Returns those that were removed; with a version it is no error if there were none."""
        tombstone, removed = self._store.delete(owner_of(call, client), check_name(filename), version)
        report, there, not_there = self._store.report_on(removed)
        key = file_key(tombstone.client, tombstone.name)
        detail = {
            "stored_bytes": report[1],
            "version": tombstone.version,
            "removed": [file.version for file in removed],
            "request": call.event,
        }
        self._tracer.event("deleted", file=key, bytes=sum(file.size for file in removed), detail=detail)
        self._link.report(report, stored=[tombstone, *there], removed=not_there)
        return removed

    def drop_file(self, call: Call, filename: str, client: str, version: int, reason: str = "") -> bool:
        """Remove this server's copy of one version, which has enough others; the file lives on. False if it is not here."""
        manager_only(call, "dropFile")
        file = self._store.drop(client, filename, version)
        if file is None:
            return False
        report, stored, removed = self._store.report_on([file])
        detail = {"version": version, "stored_bytes": report[1], "reason": reason, "request": call.event}
        self._tracer.event("dropped", file=file_key(client, filename), bytes=file.size, detail=detail)
        self._link.report(report, stored=stored, removed=removed)
        return True
