"""Queries: what is asked about servers and files, and answered from the directory, which stays as it is."""

from __future__ import annotations

from collections.abc import Callable

from ..config import Limits
from ..records import Location, ServerRecord, pages
from ..world.base import Lock
from .directory import Directory

__all__ = ["Queries"]


class Queries:
    """Remote methods. `lock` guards the directory; of files nothing is said before `wait_until_known` returns."""

    def __init__(self, directory: Directory, lock: Lock, wait_until_known: Callable[[], None]) -> None:
        self._directory, self._lock, self._wait_until_known = directory, lock, wait_until_known

    def get_quantity(self) -> int:
        """How many servers are connected."""
        with self._lock:
            return len(self._directory)

    def find_file(self, client: str, name: str, version: int | None = None) -> Location:
        """The newest version of a file, or the given one, and the servers that hold it."""
        self._wait_until_known()
        with self._lock:
            return self._directory.locate(client, name, version)

    def list_versions(self, client: str, name: str) -> list[Location]:
        """Every version of a file that is kept, the newest first."""
        self._wait_until_known()
        with self._lock:
            found = self._directory.versions(client, name)
        return next(pages(found), [])

    def list_files(self, client: str | None = None, after: tuple[str, str] | None = None) -> list[Location]:
        """A page of the stored files in order; the next page comes `after` the last (client, name) of this one."""
        self._wait_until_known()
        with self._lock:
            found = self._directory.files(client, after, Limits().page)
        return next(pages(found), [])

    def list_servers(self, after: str = "") -> list[ServerRecord]:
        """A page of the connected servers in order of name; the next page comes `after` the last name of this one."""
        with self._lock:
            found = [server for server in self._directory.servers() if server.node > after]
        return next(pages(found), [])
