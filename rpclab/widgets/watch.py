"""What a dashboard shows of a cluster, looked up again and again: cheaply from the event logs, and now and then from the manager.

The event logs are read on from where the last look stopped. The manager is asked only when they tell of something new, or
after two seconds, and never so often that looking takes more than a tenth of a processor.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ..config import address_text
from ..errors import RpclabError
from ..records import Location, file_key
from ..study.history import natural_order
from ..study.live import Live
from ..text import bytes_text, counted, version_text

__all__ = ["FILES_SHOWN", "Watch"]

FILES_SHOWN = 100  # of more the person is asked to search
_ASK_S = 2.0  # so long without news before the manager is asked again
_NODES_SHOWN = 60
_SHARE = 0.1  # of a processor


class Watch:
    """One cluster as it was at the last `look`. Used by one thread."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self._tail = cluster.tail()
        self.live = Live()
        self._asked_at, self._asked_news, self._cost_s = float("-inf"), -1, 0.0
        self.files: list[Location] = []
        self.stored: dict[str, int] = {}
        self.upkeep: dict[str, Any] = {}
        self.problem = ""  # why the manager could not be asked
        self._time = 0.0  # the run's clock at the last event, and ours then
        self._heard = 0.0

    def look(self, *, ask: bool = False) -> bool:
        """Look again; with `ask` the manager is asked in any case. Returns whether anything but heartbeats has happened."""
        began = time.monotonic()
        events = self._tail.read()
        news = self.live.news
        self.live.take(events)
        if events:
            self._time, self._heard = max(self._time, events[-1].time), began
        moved = any(event.kind in ("send-data", "receive-data") for event in events)
        due = self.live.news != self._asked_news and began - self._asked_at > self._cost_s / _SHARE
        if ask or due or began - self._asked_at > max(_ASK_S, self._cost_s / _SHARE):
            self._ask()
        return moved or news != self.live.news

    def _ask(self) -> None:
        self._asked_at, self._asked_news, began = time.monotonic(), self.live.news, time.thread_time()
        state = self._cluster.state("manager")
        if state != "running":
            self.problem = (
                f"The manager is {'paused' if state == 'paused' else 'dead'}: nobody can say where files lie now."
            )
            self.stored, self.upkeep = {}, {}
            return
        try:
            self.files, self.stored = self._cluster.files(), self._cluster.stored_bytes()
            self.upkeep, self.problem = self._cluster.upkeep(), ""
        except RpclabError as error:
            self.problem = f"The manager does not answer: {error}"
        self._cost_s = 2 * (time.thread_time() - began)  # and as much at the manager

    # ---- as the page draws it

    def nodes(self, busy: Mapping[str, str]) -> list[dict[str, Any]]:
        """A row for each part; `busy` says what is being done to which."""
        held = Counter(server.node for location in self.files for server in location.servers)
        addresses = self._cluster.addresses
        names = self._cluster.nodes
        rows = []
        for name in names[:_NODES_SHOWN]:
            server = name in self._cluster.servers
            state, where = self._cluster.state(name), addresses.get(name)
            word, detail = self._word(name, state, server, address_text(where) if where else "")
            stored = self.stored.get(name, self.live.stored.get(name))
            rows.append(
                {
                    "name": name,
                    "role": "manager" if name == "manager" else "server" if server else "client",
                    "address": address_text(where) if where else "",
                    "word": word,
                    "detail": busy.get(name) or detail,
                    "files": f"{held[name]:,}" if server else "",
                    "stored": bytes_text(stored) if server and stored is not None else "",
                    "verbs": _VERBS[state],
                    "busy": name in busy,
                }
            )
        return rows

    def _word(self, name: str, state: str, server: bool, address: str) -> tuple[str, str]:
        """Alive, suspected, paused or dead, and what the manager makes of it."""
        suspected = name in self.upkeep.get("suspected", [])
        awaited = next((each for each in self.upkeep.get("awaited", []) if each["address"] == address), None)
        repair = f"{_counted(awaited['files'], 'file')} to be repaired in {awaited['wait_s']:.0f} s" if awaited else ""
        if state == "stopped":
            return "dead", repair or ("the manager knows" if server and self.stored and name not in self.stored else "")
        if state == "paused":
            return "paused", repair or ("suspected by the manager" if suspected else "")
        if not server or self.problem:
            return "alive", ""
        if suspected:
            return "suspected", "silent"
        return ("alive", "") if name in self.stored else ("unknown", repair or "the manager does not list it")

    def file_rows(self, search: str, busy: Mapping[str, str], notes: Mapping[str, str]) -> dict[str, Any]:
        """The stored files whose name has the search's words in it, the first of them as rows."""
        words = search.casefold().split()
        keys = ((file_key(each.file.client, each.file.name), each) for each in self.files)
        found = [(key, each) for key, each in keys if all(word in key.casefold() for word in words)]
        rows = [
            {
                "key": key,
                "size": bytes_text(each.file.size),
                "bytes": each.file.size,
                "version": version_text(each.file.version),
                "servers": sorted((server.node for server in each.servers), key=natural_order),
                "short": len(each.servers) < self._wanted(each),
                "wanted": self._wanted(each),
                "note": busy.get(key) or notes.get(key, ""),
                "busy": key in busy,
            }
            for key, each in found[:FILES_SHOWN]
        ]
        return {"rows": rows, "found": len(found), "total": len(self.files), "problem": self.problem}

    def _wanted(self, location: Location) -> int:
        return location.file.wanted or int(self._cluster.settings.get("replicas", 1))

    def figures(self) -> dict[str, Any]:
        """What the pictures are drawn from."""
        simulated = hasattr(self._cluster, "simulation")
        now = self._cluster.now if simulated else self._time + (time.monotonic() - self._heard if self._heard else 0.0)
        live = self.live
        pairs = [
            [sender, receiver, sizes]
            for (sender, receiver), sizes in sorted(
                live.pairs.items(), key=lambda pair: list(map(natural_order, pair[0]))
            )
        ]
        gone = [server for server, alive in live.alive.items() if not alive]
        return {**live.figures(now), "totals": live.totals, "pairs": pairs[:200], "gone": gone}

    def told(self) -> list[list[Any]]:
        """What happened, the latest first, with the seconds since the start."""
        return [[round(seconds, 1), words] for seconds, words in reversed(self.live.told)]

    def overview(self) -> str:
        """The cluster in one sentence."""
        states = Counter(self._cluster.state(name) for name in self._cluster.nodes)
        parts = ", ".join(f"{states[state]} {word}" for state, word in _STATES.items() if states[state])
        copies = sum(len(each.servers) for each in self.files)
        short = sum(len(each.servers) < self._wanted(each) for each in self.files)
        said = (
            f"{parts}. {counted(len(self.files), 'file')} in {counted(copies, 'copy', 'copies')}, "
            f"{bytes_text(sum(self.stored.values()))} stored"
        )
        said += f"; {short:,} with too few copies" if short else ""
        waiting, running = self.upkeep.get("waiting", 0), len(self.upkeep.get("running", ()))
        said += f"; repairs: {running} running, {waiting:,} waiting" if running or waiting else ""
        return said + (
            "; the manager has just started and waits for its servers" if self.upkeep.get("safe_mode") else ""
        )


_VERBS = {
    "running": ["kill", "pause", "restart"],
    "paused": ["kill", "resume", "restart"],
    "stopped": ["restart"],
}
_STATES = {"running": "parts run", "paused": "paused", "stopped": "dead"}


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
