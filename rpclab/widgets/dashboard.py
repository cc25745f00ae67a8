"""The cluster while it runs: its parts with buttons to break them, its files with their copies, and who sends what, live.

1. One thread looks, ten times a second while something happens and twice a second while nothing does; another carries out
   what buttons ask for. The kernel stays free for other cells. A simulated cluster is looked at between two cells.
   A page says now and then that it is there, and is answered: when none has said so for half a minute, nobody looks until one
   does, and a page that is not answered says so.
2. Each trait is one part of the page, sent only when it changed; the page changes only what differs, at a constant height.
3. The pictures are drawn by the page from numbers: no picture crosses the wire, and each has its numbers as a table.

CSS classes: rpclab-dashboard; rpclab-overview; rpclab-nodes, rpclab-node with data-name and data-word, in it rpclab-word,
rpclab-kill, rpclab-pause, rpclab-resume, rpclab-restart, rpclab-log; rpclab-balance, rpclab-wire (the pictures),
rpclab-numbers (their tables), rpclab-pairs; rpclab-files, rpclab-search, rpclab-stored with data-name, in it rpclab-copies,
rpclab-restore, rpclab-verify, rpclab-delete, rpclab-really, rpclab-keep, rpclab-words; rpclab-told; rpclab-printed with
rpclab-close; rpclab-status, rpclab-problem, rpclab-traceback.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import traitlets

from ..cluster.tables import html_table, text_table
from .deeds import DOWNLOAD_BYTES, Deeds
from .panel import UPDATE_S, Panel, script, sentence, style
from .watch import Watch
from .work import worker

__all__ = ["Dashboard"]

_IDLE_S = 0.5  # between two looks while nothing happens
_SHARE = 0.1  # of a processor that looking may take
_PIECE_BYTES = 1 << 20  # of a download
_ALONE_S = 30.0  # so long without a word of any page, which speaks every ten seconds
_LOG_LINES, _LOG_S = 200, 1.0
_DOING = {"kill": "being killed", "pause": "being paused", "resume": "being resumed", "restart": "being started"}


class Dashboard(Panel):
    """A live view of a cluster with buttons: `Dashboard(cluster)` as the last line of a cell shows it.

    `folder`: where restored files go that are too large for the browser (default: `restored` in the cluster's data folder). Made
    anew for the same cluster it takes the earlier one's place; `close` ends it, and not the cluster.
    """

    _esm = script("dashboard_pictures", "dashboard")
    _css = style()
    _verbs: ClassVar[dict[str, str]] = {
        "node": "_node",
        "restore": "_restore",
        "verify": "_verify",
        "delete": "_delete",
        "log": "_log",
        "here": "_here",
    }
    nodes: traitlets.List[Any] = traitlets.List().tag(sync=True)
    files = traitlets.Dict().tag(sync=True)
    figures = traitlets.Dict().tag(sync=True)
    told: traitlets.List[Any] = traitlets.List().tag(sync=True)
    printed = traitlets.Dict().tag(sync=True)
    overview = traitlets.Unicode("").tag(sync=True)
    status = traitlets.Unicode("").tag(sync=True)
    problem = traitlets.Dict().tag(sync=True)
    search = traitlets.Unicode("").tag(sync=True)
    limit = traitlets.Int(DOWNLOAD_BYTES).tag(sync=True)

    def __init__(self, cluster: Any, *, folder: str | Path | None = None) -> None:
        super().__init__(cluster)
        target = Path(folder) if folder is not None else Path(getattr(cluster, "data", ".")) / "restored"
        self._deeds, self._watch = Deeds(cluster, target), Watch(cluster)
        self._busy: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self._log_node, self._log_at = "", 0.0
        self._again = threading.Event()
        self._working = worker(cluster, "dashboard-works")
        self.add_class("rpclab-dashboard")
        self.refresh()
        self._heard = self._served = time.monotonic()  # when a page spoke last, and when a message could last be served
        self._loop = _running_loop()
        self._looking: threading.Thread | None = None
        if hasattr(cluster, "simulation"):
            self._look_between_cells()
        else:
            self._looking = threading.Thread(target=self._look_on, name="dashboard-looks", daemon=True)
            self._looking.start()

    def _end(self) -> None:
        self._again.set()
        self._working.close()
        if self._looking is not None and self._looking is not threading.current_thread():
            self._looking.join(5.0)
        self._deeds.close()

    # ---- looking

    def refresh(self) -> None:
        """Look now, and ask the manager: what a script does that has no event loop, over a simulated cluster."""
        self._look(ask=True)

    def _look_on(self) -> None:
        """The thread that looks, until the dashboard is closed."""
        while not self._closing:
            pause = _IDLE_S
            if not self._alone():
                began = time.thread_time()
                happens = self._look()
                took = time.thread_time() - began
                pause = max(UPDATE_S if happens or self._busy else _IDLE_S, took / _SHARE)
            self._again.wait(pause)
            if not self._closing:
                self._again.clear()

    def _alone(self) -> bool:
        """Whether no page shows it any more. While a cell runs no page's word is heard: that does not count."""
        if self._loop is None:
            return False
        with contextlib.suppress(RuntimeError):  # a loop that has ended
            self._loop.call_soon_threadsafe(self._now_served)
        return self._served - self._heard > _ALONE_S

    def _now_served(self) -> None:
        self._served = time.monotonic()

    def _here(self) -> None:
        self._heard = time.monotonic()
        self._again.set()
        self.send({"op": "here"})

    def _look_between_cells(self) -> None:
        loop = self._loop
        if loop is None:
            return  # a script: it calls `refresh`

        def look() -> None:
            if not self._closing:
                if not self._alone():
                    self._look()
                loop.call_later(_IDLE_S, look)

        loop.call_later(_IDLE_S, look)

    def _look(self, *, ask: bool = False) -> bool:
        try:
            happens = self._watch.look(ask=ask)
            self._show()
        except Exception as error:  # the outermost edge: the next look may succeed
            if not self._closing:
                self._failed(error)
            return False
        return happens

    def _show(self) -> None:
        """Send what differs: a trait that is set to what it was is not sent."""
        with self._lock:
            if self._closing:
                return
            busy, notes = dict(self._busy), dict(self._notes)
            self.nodes = self._watch.nodes(busy)
            self.files = self._watch.file_rows(self.search, busy, notes)
            self.figures = self._watch.figures()
            self.told = self._watch.told()
            self.overview = self._watch.overview()
            if self._log_node and time.monotonic() - self._log_at > _LOG_S:
                self._log_at = time.monotonic()
                self.printed = {"node": self._log_node, "text": self._cluster.log(self._log_node, _LOG_LINES)}

    @traitlets.observe("search")
    def _searched(self, change: Any) -> None:
        if hasattr(self, "_working"):
            self._working.do(self._show)

    # ---- what the page asks for: each only hands over

    def _node(self, name: str, verb: str) -> None:
        self._do(name, _DOING.get(verb, verb), lambda: self._deeds.node(name, verb))

    def _verify(self, key: str) -> None:
        self._do(key, "its copies are being read", lambda: self._deeds.verify(key))

    def _delete(self, key: str) -> None:
        self._do(key, "is being deleted", lambda: self._deeds.delete(key))

    def _restore(self, key: str, size: int, page: str = "") -> None:
        def download(name: str, contents: bytes) -> None:
            for offset in range(0, max(len(contents), 1), _PIECE_BYTES):
                told = {"op": "piece", "page": page, "key": key, "name": name, "offset": offset, "size": len(contents)}
                self.send(told, [contents[offset : offset + _PIECE_BYTES]])

        self._do(key, "is being restored", lambda: self._deeds.restore(key, size, download))

    def _log(self, name: str) -> None:
        """Show what a part has printed, from now on; "" closes it."""
        with self._lock:
            self._log_node, self._log_at = name, 0.0
            if not name:
                self.printed = {}
        self._working.do(self._show)

    def _do(self, what: str, doing: str, deed: Callable[[], str]) -> None:
        """Have a worker do it; the buttons of what it is done to are off meanwhile."""
        with self._lock:
            if what in self._busy:
                return
            self._busy[what] = doing
            self._notes.pop(what, None)
        self._again.set()
        self._working.do(self._carry_out, what, deed)

    def _carry_out(self, what: str, deed: Callable[[], str]) -> None:
        try:
            words = deed()
        except Exception as error:  # the outermost edge of this thread
            words = ""
            if not self._closing:
                self._failed(error)
        with self._lock:
            self._busy.pop(what, None)
            if words and not self._closing:
                self._notes[what] = self.status = words
                self.problem = {}
        if self._looking is None:
            self._look(ask=True)
        else:
            self._again.set()

    def _failed(self, error: Exception) -> None:
        with self._lock:
            if not self._closing:
                self.problem = sentence(error)

    # ---- where there are no widgets

    _HEADS = ("part", "state", "address", "files", "stored")

    def _rows(self) -> list[list[str]]:
        return [[row["name"], row["word"], row["address"], row["files"], row["stored"]] for row in self.nodes]

    def _words(self) -> str:
        return text_table(f"Dashboard of the cluster {self.cluster_name}: {self.overview}", self._HEADS, self._rows())

    def _html(self) -> str:
        title = f"Cluster {self.cluster_name}: {self.overview}"
        note = (
            "This page shows no widgets: run the notebook in JupyterLab, or look with <code>cluster</code>, "
            "<code>cluster.files()</code> and <code>plots.plot_balance(cluster.history)</code>."
        )
        return html_table(title, self._HEADS, self._rows(), right=(3, 4)) + f"<p>{note}</p>"


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop of the kernel's thread; None in a script."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
