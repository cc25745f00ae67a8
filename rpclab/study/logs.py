"""Which of a run's event logs can be trusted, so that it follows from them what did not happen.

A log is trusted if its events are numbered from 1 without a gap or a repetition, and nobody received a message that
was sent by an event beyond its end.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property

from ..rpc.document import CLIENT as DOCUMENT_CLIENT
from .history import History
from .report import Finding, Verdict

__all__ = ["Logs"]


class Logs:
    """What is known to be missing from a history."""

    def __init__(self, history: History) -> None:
        self._history = history

    @cached_property
    def holes(self) -> dict[str, str]:
        """For each node whose log is not whole: what is wrong with it."""
        numbers: dict[str, list[int]] = {}
        for event in self._history:
            numbers.setdefault(event.node, []).append(event.number)
        holes: dict[str, str] = {}
        for node, found in numbers.items():
            last = max(found)
            if len(set(found)) < len(found):
                repeated = next(number for number, times in Counter(found).items() if times > 1)
                holes[node] = f"event {repeated} stands more than once in the log of {node}"
            elif len(found) < last:
                missing = min(set(range(1, last + 1)).difference(found))
                holes[node] = f"event {missing} is missing from the log of {node}"
        heard: dict[str, int] = {}
        for event in self._history:
            if event.cause is not None and event.cause[1] > heard.get(event.cause[0], 0):
                heard[event.cause[0]] = event.cause[1]
        for node, number in heard.items():
            if node in numbers and node not in holes and number > max(numbers[node]):
                holes[node] = f"the log of {node} ends before its event {number}, which others received"
        return holes

    def distrust(self, node: str) -> str:
        """Why it does not follow from a node's log what did not happen; "" if it does."""
        if node not in self._logged:
            return f"{node} wrote no event log"
        return self.holes.get(node, "")

    @cached_property
    def blind(self) -> str:
        """Why it cannot be said of two events that neither happened before the other; "" if it can.

        What happened before what is found over other nodes, so one missing log can hide it.
        """
        if self._history.damaged:
            return "damaged lines of the event logs cannot be read"
        silent = {event.cause[0] for event in self._history if event.cause and event.cause[1]} - self._logged
        return next(iter(self.holes.values()), "") or (f"{min(silent)} wrote no event log" if silent else "")

    @cached_property
    def _logged(self) -> set[str]:
        return set(self._history.nodes)

    def hidden(self, nodes: list[str]) -> list[Finding]:
        """A finding for each of these nodes whose log is not whole, and one for lines that nobody can read."""
        found = [Finding(Verdict.UNKNOWN, f"{self.holes[node]}.", node) for node in nodes if node in self.holes]
        if damaged := self._history.damaged:
            what = f"{damaged:,} damaged line{'s' * (damaged > 1)} of the event logs cannot be read."
            found.append(Finding(Verdict.UNKNOWN, what))
        return found

    @cached_property
    def silent_clients(self) -> list[str]:
        """Clients whose backups were stored, but who wrote no event log: what they were promised is not known."""
        logged = self._logged
        owners = {event.file.partition("/")[0] for event in self._history.of("stored") if event.copy == "original"}
        writers = {node.rpartition("-")[0] for node in logged} | logged
        return sorted(owners - writers - {DOCUMENT_CLIENT})
