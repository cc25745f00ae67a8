"""Choose files, in the browser or on the disk, and see them backed up: where the copies lie, how many, with which digest.

1. A file from the browser comes in pieces of 1 MiB, three under way at once, each acknowledged once it is written: a message
   of over 10 MiB would be lost without a word. It lands in the `Files` folder of the chosen client, as if it
   had been put there by hand, and that client's process then backs it up.
2. Pieces are written by one thread, backups are made by another, one after the other: the kernel stays free. While a cell
   runs, pieces wait for it.
3. A name that is taken is asked about before anything is sent: replace, keep both, or skip.
4. Chosen for each file: client, copies, replication, acknowledgement. Placement policy and how many versions are kept are
   the cluster's.

CSS classes: rpclab-uploader; rpclab-drop, rpclab-file (the input), rpclab-client, rpclab-replicas, rpclab-replication,
rpclab-acknowledge (selects), rpclab-limit; rpclab-disk (the picker), rpclab-entry, rpclab-up, rpclab-take; rpclab-row with
data-phase and data-name, in it rpclab-words, rpclab-progress, rpclab-cancel, rpclab-retry, rpclab-replace, rpclab-both,
rpclab-skip, rpclab-facts, rpclab-traceback; rpclab-clear, rpclab-status.
"""

from __future__ import annotations

import html
import time
from pathlib import Path
from typing import Any, ClassVar

import traitlets

from ..config import ACKNOWLEDGE, REPLICATION
from ..text import bytes_text
from .panel import UPDATE_S, Panel, script, style
from .picker import Picker
from .upload_row import Options
from .uploads import UNDER_WAY, Uploads

__all__ = ["Uploader"]

_LIMIT_BYTES = 4 << 30
_SIMULATED_LIMIT_BYTES = 64 << 20  # a simulated disk lies in memory
_PIECE_BYTES, _WINDOW = 1 << 20, 3  # of what the browser sends, and how many pieces at once


class Uploader(Panel):
    """A form to back files up with: `Uploader(cluster)` as the last line of a cell shows it.

    `root`: the folder below which files on the disk may be chosen (default: the cluster's clients' folders);
    `limit_bytes`: the largest file that is taken from the browser. `results` has the receipts. Made anew for the same
    cluster it takes the earlier one's place; `close` ends it, and not the cluster.
    """

    _esm = script("uploader")
    _css = style()
    _verbs: ClassVar[dict[str, str]] = {
        "begin": "_begin",
        "chunk": "_chunk",
        "unreadable": "_unreadable",
        "answer": "_answer",
        "cancel": "_cancel",
        "retry": "_retry",
        "clear": "_clear",
        "browse": "_browse",
        "disk": "_disk",
    }
    clients = traitlets.List(traitlets.Unicode()).tag(sync=True)
    client = traitlets.Unicode("").tag(sync=True)
    replicas = traitlets.Int(0).tag(sync=True)
    """Copies of each file; 0 is "as the cluster does", as "" is below."""
    replication = traitlets.Enum(["", *REPLICATION], "").tag(sync=True)
    acknowledge = traitlets.Enum(["", *ACKNOWLEDGE], "").tag(sync=True)
    choices = traitlets.Dict().tag(sync=True)
    limit = traitlets.Dict().tag(sync=True)
    rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    status = traitlets.Unicode("").tag(sync=True)
    shelf = traitlets.Dict().tag(sync=True)

    def __init__(self, cluster: Any, *, root: str | Path | None = None, limit_bytes: int | None = None) -> None:
        simulated = hasattr(cluster, "simulation")
        limit_bytes = limit_bytes or (_SIMULATED_LIMIT_BYTES if simulated else _LIMIT_BYTES)
        names = list(cluster.clients) or ["notebook"]
        super().__init__(
            cluster,
            clients=names,
            client=names[0],
            choices=_choices(cluster),
            limit={"bytes": limit_bytes, "words": bytes_text(limit_bytes), "piece": _PIECE_BYTES, "window": _WINDOW},
        )
        self._shown_at = 0.0
        picker = Picker(Path(root) if root is not None else _usual_root(cluster))
        self._uploads = Uploads(cluster, picker, limit_bytes, lock=self._lock, tell=self.send, changed=self._show)
        self.add_class("rpclab-uploader")

    def _end(self) -> None:
        self._uploads.close()

    @property
    def results(self) -> list[Any]:
        """The receipts of what was backed up, the latest last."""
        return self._uploads.results

    def backup_from_disk(self, *names: str) -> None:
        """Back up files that lie below `root`, as its picker does: returns at once, the form shows how it goes."""
        for name in names:
            self._uploads.disk(name, self._options())

    # ---- what the page asks for

    def _begin(self, id: str, name: str, size: int) -> None:
        self._uploads.begin(id, name, size, self._options())

    def _chunk(self, piece: Any, id: str, offset: int) -> None:
        self._uploads.chunk(id, offset, piece)

    def _unreadable(self, id: str, text: str) -> None:
        self._uploads.unreadable(id, text)

    def _answer(self, id: str, choice: str) -> None:
        self._uploads.answer(id, choice)

    def _cancel(self, id: str) -> None:
        self._uploads.cancel(id)

    def _retry(self, id: str) -> None:
        self._uploads.retry(id)

    def _clear(self) -> None:
        self._uploads.clear()

    def _browse(self, folder: str = "") -> None:
        self._uploads.list(folder, lambda shelf: self.set_trait("shelf", shelf))

    def _disk(self, names: list[str]) -> None:
        self.backup_from_disk(*names)

    def _options(self) -> Options:
        return Options(self.client, self.replicas or None, self.replication or None, self.acknowledge or None)

    # ---- showing

    def _show(self, now: bool) -> None:
        """Send what is to be seen: at once, or with `now` False at most ten times a second. Called under the lock."""
        if self._closing or (not now and time.monotonic() - self._shown_at < UPDATE_S):
            return
        self._shown_at = time.monotonic()
        self.rows = [row.shown() for row in self._uploads.rows.values()]
        if now:
            self.status = self._summary()

    def _summary(self) -> str:
        phases = [row.phase for row in self._uploads.rows.values()]
        counts = [
            (sum(phase in UNDER_WAY for phase in phases), "under way"),
            (phases.count("done"), "stored"),
            (phases.count("short"), "stored with fewer copies than wanted"),
            (phases.count("failed"), "failed"),
            (phases.count("cancelled"), "cancelled"),
        ]
        return ", ".join(f"{count} {what}" for count, what in counts if count)

    def _words(self) -> str:
        rows = [f"  {row.options.client}/{row.name}: {row.words}" for row in self._uploads.rows.values()]
        return "\n".join(
            [f"Uploader for the cluster {self.cluster_name}: {self.status or 'nothing chosen yet'}", *rows]
        )

    def _html(self) -> str:
        rows = "".join(
            f"<li>{html.escape(f'{row.options.client}/{row.name}')}: {html.escape(row.words)}</li>"
            for row in self._uploads.rows.values()
        )
        return (
            f"<p>Uploader for the cluster {html.escape(self.cluster_name)}: {html.escape(self.status or 'nothing chosen yet')}."
            " This page shows no widgets: run the notebook in JupyterLab, or back files up with"
            f" <code>cluster.backup_all()</code>.</p><ul>{rows}</ul>"
        )


def _usual_root(cluster: Any) -> Path:
    """The folder of all clients, whose files are to be backed up; for a cluster without folders the working folder."""
    data = getattr(cluster, "data", None)
    folder = Path.cwd() if data is None else Path(data) / "clients"
    return folder if folder.is_dir() else Path.cwd()


def _choices(cluster: Any) -> dict[str, Any]:
    """What the selects offer, and what the cluster does where nothing is chosen."""
    settings = cluster.settings
    return {
        "replicas": list(range(1, max(len(cluster.servers), 1) + 1)),
        "as_cluster": {key: settings.get(key) for key in ("replicas", "replication", "acknowledge")},
        "keep": settings.get("keep"),
    }
