"""Looking again: a server reads a version that it stores, and puts it aside if it is no longer what was stored."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from ..errors import NoSuchFile, StorageError
from ..records import FileRecord, file_key
from ..rpc.listener import Say
from ..trace import Tracer
from .manager_link import Link
from .store import Store

__all__ = ["Checks"]


class Checks:
    """Whoever finds a copy damaged comes here: a restore, a repair, the scrub, `verifyFile`."""

    def __init__(self, store: Store, link: Link, tracer: Tracer, say: Say) -> None:
        self._store, self._link, self._tracer, self._say = store, link, tracer, say

    def later(self, file: FileRecord) -> None:
        """Check a version that may have made way for a newer one by now."""
        with suppress(NoSuchFile):
            self.check(file)

    def check(self, file: FileRecord, progress: Callable[[int], object] = lambda count: None) -> bool:
        """Read one stored version, and put it aside if it is damaged: whether it is whole. Where the disk refuses that, the next
        look tries it again. Errors: NoSuchFile, if it is gone."""
        try:
            stored, found = self._store.verify(file.client, file.name, file.version, progress)
        except NoSuchFile:
            stored, found = self._store.get(file.client, file.name, file.version), ""  # somebody took it from the disk
        if found == stored.digest:
            return True
        key = file_key(stored.client, stored.name)
        try:
            put_aside = (
                self._store.quarantine(stored)
                if found
                else self._store.drop(stored.client, stored.name, stored.version)
            )
        except StorageError as error:  # a full disk takes no note of it; nobody is given this copy, its digest is wrong
            self._say(f"{key} is damaged on this disk and stays there until it is read again: {error}")
            why = {"error": type(error).__name__, "message": error.message}
            self._tracer.event("failed", file=key, detail=why)
            return False
        if put_aside:
            report, there, removed = self._store.report_on([stored])
            detail = {
                "version": stored.version,
                "digest": stored.digest,
                "found": found,
                "stored_bytes": report[1],
            }
            self._tracer.event("quarantined", file=key, bytes=stored.size, detail=detail)
            state = "damaged on this disk: it was put into Quarantine" if found else "gone from this disk"
            self._say(f"{key} is {state}, and no longer counts as a copy")
            self._link.report(report, stored=there, removed=removed)
        return False
