"""Echo calls on one loopback connection, both ends on one core: ours beside six peers.

Every call takes 100 characters to another process and back. A child a peer: it pins itself to a core, starts the
server (which so runs on the same core), checks one answer, then says how many calls a second it makes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from time import perf_counter
from typing import Any

from benchmarks import ours, peers
from benchmarks.figures import Figure, figure, missing
from benchmarks.harness import Child, ChildError, Settings, answer_questions, interleave, pin

__all__ = ["measure"]

BATCH = 20  # calls between two looks at the clock
OFF, ON = "rpclab", "rpclab with event log"


def measure(settings: Settings) -> list[Figure]:
    """Calls a second of ours to each peer's, and with the event log to without."""
    rounds, seconds = (5, 0.2) if settings.quick else (15, 0.5)
    failed: dict[str, str] = {}
    with ExitStack() as stack:
        measures: dict[str, Callable[[], Any]] = {}
        for name in ("bare socket", OFF, ON, *list(peers.PEERS)[1:]):
            child = stack.enter_context(Child("echo", name))
            try:
                pinned = child.ask(seconds)["pinned"]
                measures[name] = asking(child, seconds)
            except ChildError as error:
                failed[name] = str(error)
        rates = interleave(measures, rounds)
    where = "both ends on one core" if pinned else "NOT on one core: this system can't pin"
    settings.notes.append(f"echo: {rounds} rounds of {seconds} s, {where}")
    return _figures(rates, failed)


def _figures(rates: dict[str, list[float]], failed: dict[str, str]) -> list[Figure]:
    def ratio(name: str, ours: str, peer: str, **wanted: float) -> Figure:
        for side in (ours, peer):
            if side in failed:
                return missing(name, failed[side], "/s", rates.get(peer, ()), **wanted)
        return figure(name, "/s", rates[ours], rates[peer], **wanted)

    return [
        ratio("echo, bare socket", OFF, "bare socket", at_least=0.5),
        ratio("echo, log on to off", ON, OFF, at_least=0.6),
        *(ratio(f"echo, {name}", OFF, name) for name in list(peers.PEERS)[1:]),
    ]


def asking(child: Child, seconds: float) -> Callable[[], float]:
    """How the harness measures one child once."""
    return lambda: float(child.ask(seconds)["rate"])


def rate(call: Callable[[], object], seconds: float) -> float:
    """Calls a second, counted over about that many seconds."""
    calls, start, elapsed = 0, perf_counter(), 0.0
    while elapsed < seconds:
        for _ in range(BATCH):
            call()
        calls += BATCH
        elapsed = perf_counter() - start
    return calls / elapsed


def main(name: str) -> None:
    """The child: start one peer, then answer each question (a number of seconds) with a rate."""
    pinned = pin()
    starting = ours.echo(peers.TEXT, trace=name == ON) if name in (OFF, ON) else peers.running(name)
    with starting as call:
        if call() != peers.TEXT:
            raise ValueError(f"{name} answered with something else than it was sent")
        answer_questions(lambda seconds: {"pinned": pinned, "rate": rate(call, seconds)})


if __name__ == "__main__":
    main(sys.argv[1])
