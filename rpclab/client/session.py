"""A client's session: back files up, restore, list, verify, delete. The manager says where to, servers get the bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..config import Address, Limits
from ..errors import CommunicationError, DeleteIncomplete, RpclabError, StorageError, UsageError
from ..names import check_client, check_name, path_text
from ..records import Deletion, Location, Receipt, Restored, ServerRecord, file_key
from ..rpc.connection import Connection
from ..rpc.files import Progress
from ..rpc.handshake import Identity
from ..rpc.opening import open_connection
from ..rpc.own_connection import pool_of
from ..rpc.own_registry import stub_of
from ..rpc.pool import Pools
from ..rpc.stub import Stub
from ..trace import Tracer
from ..world.base import World, walk
from .backup import Backup, Wish
from .restore import Restore

__all__ = ["Client"]


class Client:
    """Backs the files of one client up, under the name in `identity`. It may be used from several tasks.

    >>> with cluster.connect("client1") as client:          # doctest: +SKIP
    ...     receipt = client.backup("photo.png")
    ...     client.restore("photo.png", "restored")
    """

    def __init__(
        self,
        world: World,
        identity: Identity,
        manager: Address,
        *,
        tracer: Tracer | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.name = check_client(identity.node)
        self._world, self._identity = world, identity
        self._tracer = tracer or Tracer(world, identity.node)
        self._limits = limits or Limits()
        self._manager = pool_of(identity.own, world, lambda: self._open(manager, "manager"), self._limits)
        self._servers = Pools(world, lambda address: self._open(address, "server"))
        self.manager: Stub = stub_of(identity.own, self._manager, "the manager")
        """The manager's remote methods: `client.manager.getServer()`."""
        self._backing_up = Backup(world, self.name, self._manager, self._servers, self._tracer, self._limits)
        self._restoring = Restore(world, self._servers, self._tracer)

    def _open(self, address: Address, role: str) -> Connection:
        return open_connection(
            self._world, address, self._identity, self._tracer, expected=(role,), limits=self._limits
        )

    def server(self, which: str | Address) -> Stub:
        """The remote methods of a server, by its name or its address. Errors: UsageError for a name that is not connected."""
        if isinstance(which, str):
            known = {server.node: server.address for server in self.list_servers()}
            if which not in known:
                raise UsageError(f"there is no server {which!r}; connected are: {', '.join(known) or 'none'}")
            which = known[which]
        stub: Stub = stub_of(
            self._identity.own, self._servers.to((which[0], which[1])), f"the server at {which[0]}:{which[1]}"
        )
        return stub

    def connect(self) -> Client:
        """See that the manager answers, and keep the connection. Errors: CommunicationError, HandshakeError."""
        self._manager.call("string", "Connection test.")
        return self

    def is_connected(self) -> bool:
        """Whether the manager answers a test message now."""
        try:
            answer = self._manager.call("string", "Connection test.", patience_s=0.0)
            return bool(answer == "Connection test.")
        except RpclabError:
            return False

    # ---- backing up

    def send_file(self, path: str, filename: str) -> bool:
        """Back up the file `filename` of the folder `path`: True once all its copies are durable, False if not."""
        try:
            self.backup(f"{path}/{filename}", filename)
        except RpclabError:
            return False
        return True

    def backup(
        self,
        path: str,
        name: str | None = None,
        *,
        replicas: int | None = None,
        replication: str | None = None,
        acknowledge: str | None = None,
        progress: Progress | None = None,
    ) -> Receipt:
        """Back a file up, under its own name or another, and return the receipt: where its durable copies are.

        `replicas` (copies in all), `replication` ("after", "pipeline") and `acknowledge` ("all", "primary") are the
        cluster's unless given. Errors: TooFewCopies (it is stored, but not on as many servers as wanted: its `receipt` says
        where); NameRefused, NoServer, QuotaExceeded, DiskFull, FileChanged, ConnectFailed (not stored, an earlier version is
        still there); ConnectionLost, DeadlineExceeded, SyncFailed (it may be stored: send it again, that does no harm).
        """
        path = path_text(path, "path")
        name = check_name(name if name is not None else path.replace("\\", "/").rstrip("/").rpartition("/")[2])
        wish = Wish(replicas=replicas, replication=replication, acknowledge=acknowledge)
        return self._backing_up.run(path, name, wish, progress)

    def files_below(self, folder: str) -> list[tuple[str, int]]:
        """What a backup of a folder would send: every file's name relative to the folder, and its bytes."""
        return list(walk(self._world.disk, folder))

    # ---- what is stored

    def list_files(self, client: str | None = None) -> Iterator[Location]:
        """Every stored file and where it lies, of one client or of all, in order of name."""
        after: tuple[str, str] | None = None
        while page := self._manager.call("listFiles", client, after, returns=list[Location]):
            yield from page
            after = (page[-1].file.client, page[-1].file.name)

    def list_servers(self) -> list[ServerRecord]:
        """The servers that are connected now."""
        servers: list[ServerRecord] = []
        while page := self._manager.call(
            "listServers", servers[-1].node if servers else "", returns=list[ServerRecord]
        ):
            servers += page
        return servers

    def find(self, name: str, client: str | None = None, version: int | None = None) -> Location:
        """Where the newest version of a file lies, or the given one; raises NoSuchFile."""
        location = self._manager.call("findFile", client or self.name, check_name(name), version, returns=Location)
        assert isinstance(location, Location)
        return location

    def versions(self, name: str, client: str | None = None) -> list[Location]:
        """Every version of a file that is kept, the newest first, and where it lies; raises NoSuchFile."""
        found = self._manager.call("listVersions", client or self.name, check_name(name), returns=list[Location])
        assert isinstance(found, list)
        return found

    def verify(self, name: str, client: str | None = None, version: int | None = None) -> dict[str, bool]:
        """Have every server that holds the file read it again: by node, whether its copy is still what was stored. A damaged
        copy is put aside there, and made anew from another one if the cluster repairs."""
        location = self.find(name, client, version)
        deadline_s = max(self._limits.call_s, location.file.size / 10_000_000)  # the slowest disk reads 10 MB a second
        verdicts: dict[str, bool] = {}
        for server in location.servers:
            pool = self._servers.to(server.address)
            try:
                file = location.file
                verdict = pool.call("verifyFile", file.name, file.client, file.version, deadline_s=deadline_s)
            except StorageError:
                verdict = False  # it can't be read at all, or is gone
            verdicts[server.node] = bool(verdict)
        return verdicts

    def delete(self, name: str) -> list[str]:
        """Remove a file, all its versions, from every server; returns the nodes that held it.

        A copy on a server that is away no longer counts when it comes back. Errors: NoSuchFile; DeleteIncomplete when a copy
        could not be removed (the others are), or no server could be told.
        """
        return self._remove(check_name(name), 0)

    def prune(self, name: str, keep: int) -> list[str]:
        """Remove all but the `keep` newest versions of a file; returns the nodes that held one of the others. Errors as
        `delete`, and UsageError for a `keep` under 1."""
        if not isinstance(keep, int) or keep < 1:
            raise UsageError(f"keep={keep!r}: at least one version stays; delete the file to remove all")
        return self._remove(check_name(name), keep)

    def _remove(self, name: str, keep: int) -> list[str]:
        deletion = self._manager.call("prepareDelete", self.name, name, keep, returns=Deletion)
        if not deletion.version:
            return []  # there are no more than those
        detail: dict[str, Any] = {"version": deletion.version}
        self._tracer.event("removing", file=file_key(self.name, name), detail=detail)
        removed: list[str] = []
        told, away, problems = [], [], []
        for server in deletion.servers:  # also those without a copy: they will know that older ones do not count
            try:
                answer = self._servers.to(server.address).call("deleteFile", name, self.name, deletion.version)
            except CommunicationError as error:  # it will hear of it from the manager when it is back
                away.append(f"{server.node}: {error.message}")
            except RpclabError as error:
                problems.append(f"{server.node}: {error.message}")
            else:
                told.append(server.node)
                removed += [server.node] if answer else []
        if problems or not told:
            reasons = "; ".join([*problems, *away])
            raise DeleteIncomplete(f"not every copy of {file_key(self.name, name)} could be deleted: {reasons}")
        self._tracer.event("removed", file=file_key(self.name, name), detail={**detail, "servers": told})
        return removed

    # ---- restoring

    def restore(
        self,
        name: str,
        folder: str,
        *,
        client: str | None = None,
        version: int | None = None,
        progress: Progress | None = None,
    ) -> Restored:
        """Write a stored file, its newest version or the given one, into a folder, under its name; a file there is replaced, at
        the end and at once.

        The bytes are those that were backed up, or there is an error: a copy that is unreachable or damaged is passed over
        for the next one, and `problems` says so. Errors: NoSuchFile, StorageError, DiskFull, FolderNotUsable,
        CommunicationError.
        """
        folder = path_text(folder, "folder")
        while True:
            location = self.find(name, client, version)
            try:
                return self._restoring.run(location, folder, version, progress)
            except StorageError:
                if version is not None or self.find(name, client).file.version == location.file.version:
                    raise  # else it was replaced so often meanwhile that the version found first is no longer kept

    # ---- the end

    def disconnect(self) -> None:
        """Close all connections. May be called twice; the session can be used again, which opens new ones."""
        self._manager.close()
        self._servers.close()

    close = disconnect

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.disconnect()

    def __repr__(self) -> str:
        return f"<Client {self.name}>"
