"""What a dashboard's buttons do to a cluster, each told in a sentence when it is done."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..text import bytes_text

__all__ = ["DOWNLOAD_BYTES", "Deeds"]

DOWNLOAD_BYTES = 32 << 20  # what is handed to the browser; more would fill the memory of its page
_NODE_VERBS = {"kill": "was killed", "pause": "is paused", "resume": "goes on", "restart": "runs again"}

Download = Callable[[str, bytes], None]


class Deeds:
    """`folder`: where files go that are too large for the browser."""

    def __init__(self, cluster: Any, folder: Path) -> None:
        self._cluster, self.folder = cluster, folder
        self._own: dict[str, Any] = {}

    def close(self) -> None:
        for client in self._own.values():
            client.close()

    def node(self, name: str, verb: str) -> str:
        """Kill, pause, resume or restart a part. Errors: those of the cluster's verbs."""
        if verb not in _NODE_VERBS:
            raise UsageError(f"there is no {verb!r}: choose {', '.join(_NODE_VERBS)}")
        getattr(self._cluster, verb)(name)
        return f"{name} {_NODE_VERBS[verb]}."

    def verify(self, key: str) -> str:
        """Have each server that holds a file read it again."""
        client, name = self._anybody(key), key.partition("/")[2]
        verdicts = client.verify(name, key.partition("/")[0])
        sound = [node for node, verdict in verdicts.items() if verdict]
        damaged = [node for node, verdict in verdicts.items() if not verdict]
        said = f"{key}: sound on {', '.join(sound) or 'no server'}"
        return said + (f"; damaged on {', '.join(damaged)}, which put it aside." if damaged else ".")

    def delete(self, key: str) -> str:
        """Remove a file with all its versions."""
        client, name = self._client(key)
        return f"{key} was deleted, from {', '.join(client.delete(name)) or 'no server'}."

    def restore(self, key: str, size: int, download: Download) -> str:
        """Get a file back: into the browser if it is small enough, else into the folder."""
        client, (owner, _, name) = self._anybody(key), key.partition("/")
        if hasattr(self._cluster, "simulation"):
            restored = client.restore(name, client=owner)
            download(name.rpartition("/")[2], client.read(restored.path))
        elif size > DOWNLOAD_BYTES:
            restored = client.restore(name, self.folder / owner, client=owner)
            return f"{key} ({bytes_text(size)}) came back from {restored.server}, into {restored.path}"
        else:
            with tempfile.TemporaryDirectory(prefix="rpclab-") as folder:
                restored = client.restore(name, folder, client=owner)
                download(name.rpartition("/")[2], Path(restored.path).read_bytes())
        passed = f" Passed over: {'; '.join(restored.problems)}." if restored.problems else ""
        return f"{key} came back from {restored.server}; your browser has it as a download.{passed}"

    def _anybody(self, key: str) -> Any:
        """Who reads a file: its own client if it runs, or any other that does, for all may read."""
        clients = self._cluster.clients
        names = [key.partition("/")[0], *clients]
        running = [clients[name] for name in names if name in clients and self._cluster.state(name) == "running"]
        return running[0] if running else self._client(key)[0]

    def _client(self, key: str) -> tuple[Any, str]:
        """Whose file it is: a client of the cluster, or one of that name in this process."""
        client, _, name = key.partition("/")
        if client in self._cluster.clients:
            return self._cluster.clients[client], name
        if client not in self._own:
            self._own[client] = self._cluster.connect(client)
        return self._own[client], name
