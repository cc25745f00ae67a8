"""The manager's soft state: which servers are alive, what each stores, how many bytes, and what was promised to whom.

Nothing here is kept anywhere else, and nothing needs to be: the servers tell it all again when they register. So three
rules make it right whatever was lost, delayed or said twice:

1. A server's own word wins. It numbers its reports; of two reports on one thing the higher number counts, whichever
   arrives first.
2. Bytes that were handed out count until they are reported as stored, released or too old (reservations.py).
3. Versions only rise, over all files, so that the newest copy is known among old ones. One number for all, because a
   manager that was restarted may not see a dead server's copies, but will see higher numbers than theirs elsewhere.

The directory does no I/O and holds no lock: who uses it from several tasks holds one around every call. `now` is in
seconds.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from ..config import Address
from ..own import OURS, Own
from ..records import FileRecord, ServerRecord, life
from .candidates import load, room
from .catalogue import FileKey
from .known import Known
from .own_keeping import upkeep_of
from .placement import Policy
from .placing import Placing
from .said import Said

__all__ = ["Directory"]


class Directory(Known):
    """Who is alive and who stores what; `placing` says where the next file goes, `upkeep` what is to be done about the others.

    `replicas` copies of a file are wanted where its owner said nothing else, and its `keep` newest versions stay; a server that
    went is waited for `dead_s` seconds before its copies count as lost.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        policy_name: str,
        reservation_s: float,
        replicas: int = 2,
        keep: int = 5,
        dead_s: float = 10.0,
        own: Own = OURS,
    ) -> None:
        super().__init__(reservation_s=reservation_s, keep=keep)
        self.placing = Placing(self, self.note, self._doubt, policy=policy, policy_name=policy_name, replicas=replicas)
        self.upkeep = upkeep_of(own, self, self.placing, replicas=replicas, dead_s=dead_s)

    # What the servers say.

    def add(self, record: ServerRecord, *, report: int = 0) -> None:
        """A server registered, perhaps again: what it said before, and what it was promised, is forgotten.

        `report` is the number of its last report; those up to it are part of the inventory that `add_files` brings.
        """
        self.remove(record.address)
        self._servers[record.address] = Said(record, report, report)
        self.note(record.address)
        self.upkeep.came(record.address)

    def add_files(self, address: Address, files: Iterable[FileRecord]) -> None:
        """One page of a server's inventory; a report that came since the registration knows better than the page."""
        server = self._servers.get(address)
        if server is not None:
            for file in files:
                self._apply(server, server.registered, file, stored=True)
            self.note(address)

    def update(
        self,
        address: Address,
        *,
        stored_bytes: int,
        report: int | None = None,
        stored: Iterable[FileRecord] = (),
        removed: Iterable[FileRecord] = (),
        upload: str | None = None,
    ) -> bool:
        """A server's report: the bytes it stores, which versions it stored and removed, which upload ended.

        Returns whether the bytes are news: False after a report with a higher number, and from a server that is not
        registered. A late report still counts for the versions that no later one spoke of, but one of another life than that
        which registered says only what there is: the inventory has told all of it, or will. Without a number (the description's
        wire has none) a report is always the latest.
        """
        server = self._servers.get(address)
        if server is None:
            self._hear_of(stored)
            return False
        number = server.report if report is None else report
        same_life = life(number) == life(server.report)
        if same_life:
            for file in removed:
                self._apply(server, number, file, stored=False)
            for file in stored:
                self._apply(server, number, file, stored=True)
        else:
            self._hear_of(stored)
        news = same_life and number >= server.report
        if news:
            server.report = number
        if upload is not None:
            self.placing.take_back(address, upload)
        self.note(address, stored_bytes if news else None)
        return news

    def remove(self, address: Address, *, heard: float | None = None) -> bool:
        """A server is gone: returns whether it was there. If it is told when it was last `heard`, it is waited for."""
        server = self._servers.get(address)
        if server is None:
            return False
        for upload in self.reservations.of_server(address):
            self.placing.take_back(address, upload)
        held = [((file.client, file.name), file.version) for file in server.versions()]
        for key, version in held:
            self.catalogue.drop(address, key, version)
        self.placing.remove(address)
        del self._servers[address]
        self._suspected.discard(address)
        self.upkeep.gone(address, held, heard)
        return True

    # What the manager finds.

    def suspect(self, address: Address) -> None:
        """A server is silent: it is chosen only if no other can be."""
        if address in self._servers:
            self._suspected.add(address)
            self.placing.enter(self.server(address))

    def trust(self, address: Address) -> None:
        """It has spoken again."""
        if address in self._suspected:
            self._suspected.remove(address)
            self.placing.enter(self.server(address))

    # How it is kept.

    def note(self, address: Address, stored_bytes: int | None = None) -> None:
        """A server holds or is promised something else than before, and stores so many bytes, if these are known."""
        server = self._servers[address]
        before = server.record
        server.record = replace(
            before,
            files=len(server.files),
            reserved_bytes=self.reservations.reserved(address),
            stored_bytes=before.stored_bytes if stored_bytes is None else stored_bytes,
        )
        self.placing.enter(server.record)
        left = room(server.record)
        if left is not None and load(server.record) < load(before):
            self.upkeep.has_room(left)

    def _doubt(self, key: FileKey) -> None:
        self.upkeep.doubt(key)

    def _hear_of(self, files: Iterable[FileRecord]) -> None:
        """Where these are is not known yet; that they are there must be."""
        for file in files:
            self.raise_versions(file.version)
            if not file.deleted:
                self.note_version(file.client, file.name, file.version)
            elif self.catalogue.bury((file.client, file.name), file.version):
                self._doubt((file.client, file.name))

    def _apply(self, server: Said, number: int, file: FileRecord, *, stored: bool) -> None:
        """Believe report `number` about a version, unless a later one spoke of it."""
        key = (file.client, file.name)
        self._version = max(file.version, self._version)
        if file.deleted:
            if self.catalogue.bury(key, file.version):
                self.upkeep.doubt(key)
            for held in server.up_to(key, file.version):
                self._apply(server, number, held, stored=False)  # who has a tombstone has nothing under it
            return
        if not server.hears(number, key, file.version):
            return
        if stored:
            server.put(file)
            self.catalogue.put(server.record.address, file)
        elif server.drop(key, file.version):
            self.catalogue.drop(server.record.address, key, file.version)
        self.upkeep.doubt(key)
