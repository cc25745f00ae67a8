"""A server as the description's original was: no lock, no check of names, no repair. It speaks the description's wire.

Written from the description to be run beside our own manager, so that its faults can be seen on a real cluster. Every thread that
serves a client calls the manager over the one connection that the server has; what a thread dies of is kept in `faults`, and what
went wrong without a fault in `alone`.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil

from ..config import PACKET_BYTES, Address
from ..errors import ConnectionLost, RpclabError
from ..rpc.document import BACKUP, EOF, FILE_RECEIVED, FILENAME_RECEIVED, encode_request
from ..world.base import Stream, Task
from ..world.real import RealWorld
from .sharing import SharedConnection

__all__ = ["OriginalServer", "OriginalServers"]

_WAIT_S = 10.0
_LOST_S = 0.5  # without a lock many answers never come, and each is waited for


class OriginalServer:
    """Registers with the manager at that address and stores what comes in a folder, until `close`. A context manager.

    With `lock` its threads take turns on the connection to the manager, which the original's did not.
    """

    def __init__(self, manager: Address, folder: str | os.PathLike[str], *, lock: bool = False) -> None:
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.faults: list[str] = []
        self.alone: list[str] = []  # files that it made no copy of, as it took itself for the only server
        self._world = RealWorld(loopback_only=True)
        wait_s = _WAIT_S if lock else _LOST_S
        self._manager = SharedConnection(
            self._world, manager, lock=lock, wait_s=wait_s
        )  # one for all: that is the fault
        self._listening = self._world.network.listen(("127.0.0.1", 0))
        self.address = self._listening.address
        self._threads: list[Task] = []
        self._manager.call("addServer", self.address, 0)
        self._accepting = self._world.tasks.spawn(self._accept, f"original-{self.address[1]}-accept")

    def _accept(self) -> None:
        while (stream := self._listening.accept()) is not None:
            name = f"original-{self.address[1]}-serves-{stream.peer[1]}"
            self._threads.append(self._world.tasks.spawn(lambda stream=stream: self._serve(stream), name))  # type: ignore[misc]

    def _serve(self, stream: Stream) -> None:
        try:
            while data := self._receive(stream):
                name, args, mark = json.loads(data)
                if name == "sendFilename":
                    self._take_in(stream, args[0], mark)
                else:
                    self._reply(stream, args[0] if name == "string" else str(self.folder))
        except (RpclabError, ValueError, TypeError, OSError) as error:
            self.faults.append(f"{type(error).__name__}: {error}")  # the thread dies of it
        finally:
            stream.close()

    def _take_in(self, stream: Stream, name: str, mark: object) -> None:
        self._reply(stream, FILENAME_RECEIVED)
        path = self.folder / name  # as it is: that is a fault too
        with path.open("wb") as file:
            while not (piece := self._receive(stream)).endswith(EOF):
                if not piece:
                    raise ConnectionLost("the sender went away")
                file.write(piece)
            file.write(piece[: -len(EOF)])
        self._manager.call("updateServer", self.address, sum(each.stat().st_size for each in self.folder.iterdir()))
        self._reply(stream, FILE_RECEIVED)  # from here on the client believes that all is well
        if mark == BACKUP:
            return
        if self._manager.call("getQuantity") > 1:
            self._backup(self._manager.call("getServer", self.address), path)
        else:
            self.alone.append(name)

    def _backup(self, address: tuple[str, int], path: pathlib.Path) -> None:
        other = self._world.network.connect((address[0], address[1]), self._until())
        try:
            other.send([encode_request("sendFilename", [path.name], BACKUP)], self._until())
            self._receive(other)
            other.send([path.read_bytes()], self._until())
            other.send([EOF], self._until())
            self._receive(other)
        finally:
            other.close()

    def _receive(self, stream: Stream) -> bytes:
        buffer = bytearray(PACKET_BYTES)
        return bytes(buffer[: stream.receive_into(memoryview(buffer), self._until())])

    def _reply(self, stream: Stream, result: object) -> None:
        stream.send([json.dumps(result).encode()], self._until())

    def _until(self) -> float:
        return self._world.clock.now() + _WAIT_S

    def wait(self) -> None:
        """Wait until nobody is served."""
        for thread in list(self._threads):
            thread.join()

    def close(self) -> None:
        """Take no more clients, wait for every thread, and end. May be called twice."""
        self._listening.close()
        self._accepting.join()
        self.wait()
        self._manager.close()

    def __enter__(self) -> OriginalServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class OriginalServers(list[OriginalServer]):
    """So many servers of the original, with empty folders below this one. A context manager: at its end they finish their copies,
    and their folders stay to be looked into."""

    def __init__(self, manager: Address, folder: str | os.PathLike[str], count: int = 3, *, lock: bool = False) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folders = [pathlib.Path(folder, f"server{number}") for number in range(1, count + 1)]
        super().__init__(OriginalServer(manager, each, lock=lock) for each in folders)

    def copies(self, name: str) -> int:
        """How many of them have a file of that name."""
        return sum((server.folder / name).exists() for server in self)

    @property
    def faults(self) -> list[str]:
        """What threads died of, on any of them."""
        return [fault for server in self for fault in server.faults]

    @property
    def alone(self) -> list[str]:
        """Files of which no copy was made, and nobody complained: a server took itself for the only one."""
        return [name for server in self for name in server.alone]

    def __enter__(self) -> OriginalServers:
        return self

    def __exit__(self, *exc: object) -> None:
        for server in self:
            server.wait()  # of all, before the first one closes: another may still send it a copy
        for server in self:
            server.close()
