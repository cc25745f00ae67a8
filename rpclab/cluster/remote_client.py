"""A client that runs as a process of its own: the verbs of `Client`, carried out over there by its agent."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

from ..client.backup import too_few
from ..errors import Cancelled, RpclabError, UsageError
from ..names import fold, path_text
from ..records import Location, Receipt, Restored
from ..rpc.files import Progress
from ..rpc.pool import Pool
from ..world.base import World, walk

__all__ = ["Clients", "RemoteClient"]

_LONG_S = 24 * 3600.0  # a backup takes as long as it takes; the agent keeps its own deadlines


class Clients(dict[str, "RemoteClient"]):
    """A cluster's clients by name."""

    def __missing__(self, name: str) -> RemoteClient:
        raise UsageError(f"there is no client {name!r} in this cluster; there are: {', '.join(self) or 'none'}")


class RemoteClient:
    """Tells a client's process what to do, and waits until it has done it."""

    def __init__(self, name: str, world: World, pool: Callable[[], Pool], files: pathlib.Path) -> None:
        self.name = name
        self.folder = files
        self._world, self._pool = world, pool

    @property
    def files(self) -> dict[str, int]:
        """The files that wait to be backed up: name and bytes."""
        return dict(walk(self._world.disk, str(self.folder)))

    def distinct_files(self) -> dict[str, int]:
        """`files`, when all of them can be stored; raises UsageError if some system takes two names for one."""
        files, folded = self.files, dict[str, str]()
        for name in files:
            other = folded.setdefault(fold(name), name)
            if other != name:
                raise UsageError(
                    f"{self.name}'s files {other!a} and {name!a} have one name to some systems, for which upper and lower "
                    f"case or the form of an accent are alike: rename one of them in {self.folder}"
                )
        return files

    def is_connected(self) -> bool:
        """Whether this client reaches the manager."""
        return bool(self._call("isConnected"))

    def backup(
        self,
        path: str | pathlib.Path,
        name: str | None = None,
        *,
        replicas: int | None = None,
        replication: str | None = None,
        acknowledge: str | None = None,
        progress: Progress | None = None,
    ) -> Receipt:
        """Back a file up: one of this client's `files` by its name, or any by its path. See `Client.backup`."""
        source = pathlib.Path(path_text(path, "path"))
        if not source.is_absolute() and str(path) in self.files:
            source, name = self.folder / source, name or str(path)
        named = {
            "path": str(source.absolute()),
            "name": name or source.name,
            "replicas": replicas,
            "replication": replication,
            "acknowledge": acknowledge,
            "task": self._world.nonce(8).hex(),
        }
        receipt = self._call("backup", named=named, returns=Receipt, progress=progress)
        assert isinstance(receipt, Receipt)
        if not receipt.complete:
            raise too_few(receipt)
        return receipt

    def send_file(self, path: str | pathlib.Path, filename: str) -> bool:
        """Back up the file `filename` of the folder `path`: True once its copies are durable."""
        try:
            self.backup(pathlib.Path(path) / filename, filename)
        except RpclabError:
            return False
        return True

    def restore(
        self,
        name: str,
        folder: str | pathlib.Path,
        *,
        client: str | None = None,
        version: int | None = None,
        progress: Progress | None = None,
    ) -> Restored:
        """Write a stored file, its newest version or the given one, into a folder. See `Client.restore`."""
        named = {
            "name": name,
            "folder": str(pathlib.Path(path_text(folder, "folder")).absolute()),
            "client": client,
            "version": version,
            "task": self._world.nonce(8).hex(),
        }
        restored = self._call("restore", named=named, returns=Restored, progress=progress)
        assert isinstance(restored, Restored)
        return restored

    def list_files(self, client: str | None = None) -> Iterator[Location]:
        """Every stored file and where it lies, of one client or of all."""
        after: tuple[str, str] | None = None
        while page := self._call("listFiles", client, after, returns=list[Location]):
            yield from page
            after = (page[-1].file.client, page[-1].file.name)

    def find(self, name: str, client: str | None = None, version: int | None = None) -> Location:
        """Where the newest version of a file lies, or the given one."""
        location = self._call("find", name, client, version, returns=Location)
        assert isinstance(location, Location)
        return location

    def versions(self, name: str, client: str | None = None) -> list[Location]:
        """Every version of a file that is kept, the newest first."""
        found = self._call("versions", name, client, returns=list[Location])
        assert isinstance(found, list)
        return found

    def verify(self, name: str, client: str | None = None, version: int | None = None) -> dict[str, bool]:
        """By node, whether its copy is still what was stored."""
        verdicts = self._call("verify", name, client, version, returns=dict[str, bool])
        assert isinstance(verdicts, dict)
        return verdicts

    def delete(self, name: str) -> list[str]:
        """Remove a file, all its versions, from every server; returns the nodes that held it."""
        return self._nodes("delete", name)

    def prune(self, name: str, keep: int) -> list[str]:
        """Remove all but the `keep` newest versions of a file; returns the nodes that held one of the others."""
        return self._nodes("prune", name, keep)

    def _nodes(self, method: str, *params: Any) -> list[str]:
        nodes = self._call(method, *params, returns=list[str])
        assert isinstance(nodes, list)
        return nodes

    def _call(self, method: str, *params: Any, progress: Progress | None = None, **options: Any) -> Any:
        cancelled = False

        def notified(_: str, values: Any) -> None:
            nonlocal cancelled
            if progress is None or cancelled:
                return
            try:
                progress(*values)
            except Cancelled:  # over another connection, for this one waits for how it ended: it may be too late
                cancelled = True
                self._pool().call("cancel", options["named"]["task"])

        return self._pool().call(method, *params, deadline_s=_LONG_S, notified=notified, **options)

    def __repr__(self) -> str:
        return f"<client {self.name}, a process of its own, with {len(self.files)} files>"
