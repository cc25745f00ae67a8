"""A client's agent: a client in a process of its own, told by remote calls what to do, so that a notebook can kill it."""

from __future__ import annotations

from ..config import Address, Limits
from ..errors import Cancelled, CommunicationError, TooFewCopies
from ..records import Location, Receipt, Restored, pages
from ..rpc.files import Progress
from ..rpc.handshake import Identity
from ..rpc.listener import Listener, Say, WhenBound
from ..rpc.own_registry import registry_of
from ..rpc.registry import Call
from ..trace import Tracer
from ..world.base import World
from .session import Client

__all__ = ["Agent"]

_PROGRESS_S = 0.1  # between two notifications of progress


class Agent:
    """Serves a client's verbs; paths are those of the agent's machine."""

    def __init__(
        self,
        world: World,
        identity: Identity,
        manager: Address,
        files: str,
        *,
        tracer: Tracer,
        say: Say,
        show_messages: bool,
    ) -> None:
        self._now, self._say = world.clock.now, say
        self._files = files
        self._cancelled: set[str] = set()  # tasks that nobody wants any longer
        self.client = Client(world, identity, manager, tracer=tracer)
        registry = registry_of(identity.own)
        register = registry.register_method
        register(self.send_path, "sendPath", reads=True)
        register(self.is_connected, "isConnected", reads=True)
        register(self.backup, with_call=True)
        register(self.restore, with_call=True)
        register(self.cancel)
        register(self.list_files, "listFiles", reads=True)
        register(self.find, reads=True)
        register(self.versions, reads=True)
        register(self.verify, reads=True)
        register(self.delete)
        register(self.prune)
        self._listener = Listener(
            world,
            registry,
            identity,
            tracer,
            limits=Limits(),
            expected=("client",),
            say=say,
            show_messages=show_messages,
        )

    def start(self, address: Address, when_bound: WhenBound = lambda address: None) -> Address:
        real = self._listener.start(address, when_bound)
        if not self.client.is_connected():
            self._say("the manager does not answer yet; this client will ask it again when it is told to do something")
        return real

    def stop(self, within_s: float = 0.0) -> None:
        self._listener.stop(within_s)
        self.client.disconnect()

    # ---- remote methods

    def send_path(self) -> str:
        """The folder whose files are to be backed up."""
        return self._files

    def is_connected(self) -> bool:
        """Whether the manager answers this client."""
        return self.client.is_connected()

    def backup(
        self,
        call: Call,
        path: str,
        name: str | None = None,
        replicas: int | None = None,
        replication: str | None = None,
        acknowledge: str | None = None,
        task: str = "",
    ) -> Receipt:
        """Back a file up; progress comes as notifications. Too few copies are in the receipt, not an error. `task` is a name that
        `cancel` may be told meanwhile."""
        try:
            return self.client.backup(
                path,
                name,
                replicas=replicas,
                replication=replication,
                acknowledge=acknowledge,
                progress=self._progress(call, task),
            )
        except TooFewCopies as error:
            receipt = error.receipt
            assert isinstance(receipt, Receipt)
            return receipt
        finally:
            self._cancelled.discard(task)

    def restore(
        self,
        call: Call,
        name: str,
        folder: str,
        client: str | None = None,
        version: int | None = None,
        task: str = "",
    ) -> Restored:
        """Write a stored file, its newest version or the given one, into a folder."""
        progress = self._progress(call, task)
        try:
            return self.client.restore(name, folder, client=client, version=version, progress=progress)
        finally:
            self._cancelled.discard(task)

    def cancel(self, task: str) -> None:
        """End a backup or a restore that is under way, unless all of its bytes have passed: its answer says which."""
        self._cancelled.add(task)

    def list_files(self, client: str | None = None, after: tuple[str, str] | None = None) -> list[Location]:
        """A page of the stored files."""
        found = [
            each
            for each in self.client.list_files(client)
            if after is None or (each.file.client, each.file.name) > after
        ]
        return next(pages(found), [])

    def find(self, name: str, client: str | None = None, version: int | None = None) -> Location:
        """Where the newest version of a file lies, or the given one."""
        return self.client.find(name, client, version)

    def versions(self, name: str, client: str | None = None) -> list[Location]:
        """Every version of a file that is kept, the newest first."""
        return self.client.versions(name, client)

    def verify(self, name: str, client: str | None = None, version: int | None = None) -> dict[str, bool]:
        """Have every server that holds a file read it again."""
        return self.client.verify(name, client, version)

    def delete(self, name: str) -> list[str]:
        """Remove a file from every server that holds it."""
        return self.client.delete(name)

    def prune(self, name: str, keep: int) -> list[str]:
        """Remove all but the newest versions of a file."""
        return self.client.prune(name, keep)

    def _progress(self, call: Call, task: str) -> Progress:
        told = self._now()

        def progress(done: int, total: int) -> None:
            nonlocal told
            if task in self._cancelled:
                raise Cancelled("it was cancelled by who had asked for it")
            if call.connection is not None and (done == total or self._now() - told > _PROGRESS_S):
                told = self._now()
                try:
                    call.connection.notify("progress", [done, total])
                except CommunicationError as error:  # not the server's fault: no other server is to be tried
                    raise Cancelled(f"whoever asked for this is gone: {error.message}") from None

        return progress
