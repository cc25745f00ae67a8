"""One restore: fetch a file from a server that holds it, from the next one if that fails, and write it whole or not at all."""

from __future__ import annotations

from contextlib import suppress

from ..errors import (
    Cancelled,
    DigestMismatch,
    DiskFull,
    FolderNotUsable,
    NameRefused,
    NoSuchFile,
    RpclabError,
    StorageError,
    SyncFailed,
)
from ..names import check_name
from ..records import FileRecord, Location, Restored, ServerRecord, file_key
from ..rpc.files import FileReceiver, Progress
from ..rpc.pool import Pools
from ..trace import Tracer
from ..world.base import World

__all__ = ["Restore"]

# this side's fault, or wish: no other copy would help
_OURS = (Cancelled, DiskFull, SyncFailed, FolderNotUsable, NameRefused)


class Restore:
    """Writes stored files back into folders."""

    def __init__(self, world: World, servers: Pools, tracer: Tracer) -> None:
        self._world, self._disk, self._servers, self._tracer = world, world.disk, servers, tracer

    def run(self, location: Location, folder: str, asked: int | None, progress: Progress | None) -> Restored:
        """See `Client.restore`; `asked` is the version that was asked for, None for the newest."""
        target = self._safe_target(folder, location.file.name)
        servers = list(location.servers)
        self._world.random.shuffle(servers)  # so that a class that restores one file does not ask one server
        problems: list[str] = []
        for server in servers:
            try:
                file = self._fetch(server, location.file, folder, target, progress)
            except RpclabError as error:
                if isinstance(error, _OURS) and error.node is None:
                    raise
                problems.append(f"{server.node}: {error.message}")
                continue
            detail = {"digest": file.digest, "version": file.version, "asked": asked}
            key = file_key(file.client, file.name)
            self._tracer.event("restored", peer=server.node, file=key, bytes=file.size, detail=detail)
            return Restored(target, file, server.node, problems)
        key = file_key(location.file.client, location.file.name)
        raise StorageError(f"no copy of {key} could be read: {'; '.join(problems)}")

    def _fetch(
        self, server: ServerRecord, wanted: FileRecord, folder: str, target: str, progress: Progress | None
    ) -> FileRecord:
        key = file_key(wanted.client, wanted.name)
        pool = self._servers.to(server.address)
        with pool.begin("getFile", wanted.name, wanted.client, wanted.version, returns=FileRecord) as (
            connection,
            file,
        ):
            assert isinstance(file, FileRecord)
            receiver = FileReceiver(connection, key, "restore", file.size)
            try:
                if (file.version, file.digest) != (wanted.version, wanted.digest):
                    raise DigestMismatch(f"{key} is there in version {file.version} with other contents than wanted")
                self._write(receiver, file, folder, target, progress)
            finally:
                if not receiver.ended:  # packets may still come: this conversation cannot go on
                    connection.close()
        return file

    def _write(
        self, receiver: FileReceiver, file: FileRecord, folder: str, target: str, progress: Progress | None
    ) -> None:
        """Receive into a temporary file, and give it its name once its digest is right."""
        temporary = f"{folder}/.rpclab-{self._world.nonce(8).hex()}.part"
        writer, done = None, 0
        try:
            writer = self._disk.create(temporary)
            for pieces in receiver:
                writer.write(pieces)
                done += sum(map(len, pieces))
                if progress is not None:
                    progress(done, file.size)
            if receiver.digest != file.digest:
                raise DigestMismatch(f"{file_key(file.client, file.name)} is damaged there")
            writer.sync()
            writer.close()
            self._disk.rename(temporary, target)
        except BaseException:  # Ctrl-C too, at any of these moments
            if writer is not None:
                writer.close()
            with suppress(NoSuchFile):
                self._disk.remove(temporary)
            raise

    def _safe_target(self, folder: str, name: str) -> str:
        """The path to restore to, its folders made; raises FolderNotUsable where a symbolic link leads elsewhere."""
        *folders, last = check_name(name).split("/")
        path = folder
        self._disk.make_folder(folder)
        for part in folders:
            path = f"{path}/{part}"
            if self._disk.is_link(path):
                raise FolderNotUsable(f"{path} is a symbolic link: nothing is restored through it")
            self._disk.make_folder(path)
        return f"{path}/{last}"
