"""Invariant 4: the chosen server was the right one by the policy, at the moment of the decision.

Each decision is made again from the candidates that the manager logged. The rule of the fewest bytes, rendezvous and
round-robin say exactly which one it had to be; a random choice only had to be among them, the better of two not the
fullest of all. A student's own function cannot be made again: what it chose is unknown, as long as it was a
candidate.

The candidates themselves are checked against what the manager had heard by then (see knowledge.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from blake3 import blake3

from ...manager.placement import POLICIES
from ...trace import Event
from ..report import Finding, Judgement, Verdict
from ..run import Run
from .knowledge import Knowledge

__all__ = ["judge"]


def judge(run: Run) -> Judgement:
    findings = run.logs.hidden(run.managers)
    if not run.managers:
        findings.append(Finding(Verdict.UNKNOWN, "No manager wrote an event log: what it decided is not known."))
    placed = run.history.of("placed")
    decisions = 0
    for manager in run.managers:
        judging = _Decisions(run, manager)
        findings += judging.run()
        decisions += judging.count
    own = {name for event in placed if (name := event.detail.get("policy", "")) not in POLICIES}
    findings += [
        Finding(Verdict.UNKNOWN, f"The servers were chosen by {name}, a function of your own: it cannot be judged.")
        for name in sorted(own)
    ]
    return Judgement(
        "placement",
        "Every server that was chosen was the right one by the policy, by what the manager knew",
        f"{decisions:,} decisions for {len(placed):,} placements",
        tuple(findings),
    )


class _Decisions:
    """The decisions of one manager, made again in the order of its log."""

    def __init__(self, run: Run, manager: str) -> None:
        self._run, self._manager = run, manager
        self.count = 0
        self._number = 0  # decisions in this life of the manager: whose turn it is
        self._hidden = bool(run.logs.hidden([manager]))
        # a repair may ask the policy without placing anything; so may what a hole in the log hides
        self._exact_turns = not (run.history.of("repairing") or self._hidden)

    def run(self) -> list[Finding]:
        knowledge = Knowledge(self._run)
        found: list[Finding] = []
        for event in self._run.history:
            if event.node != self._manager:
                continue
            if event.kind == "started":
                self._number = 0
            if event.kind == "placed":
                found += [self._finding(Verdict.INVALID, event, said) for said in self._placed(event, knowledge)]
                worst = Verdict.UNKNOWN if self._hidden else Verdict.INVALID
                found += [self._finding(worst, event, said) for said in knowledge.doubts(event)]
            knowledge.hear(event)
        return found

    def _finding(self, verdict: Verdict, event: Event, said: str) -> Finding:
        what = f"Placing {event.file}" if event.file else "Naming a server"
        return Finding(verdict, f"{what}: {said}.", self._manager, event.file, (event,))

    def _placed(self, event: Event, knowledge: Knowledge) -> list[str]:
        """What is wrong with one placement: with its servers as a whole, and with each decision."""
        servers = list(event.detail.get("servers", ()))
        decisions = event.detail.get("decisions", ())
        problems = []
        if len(set(servers)) < len(servers):
            problems.append(f"one server was chosen twice: {', '.join(servers)}")
        decided = [decision.get("server", "") for decision in decisions]
        if decided != [server for server in servers if server in set(decided)]:
            problems.append(f"the policy chose {', '.join(decided)}, the file was to go to {', '.join(servers)}")
        taken = [server for server in servers if server not in decided]
        for decision in decisions:
            self.count += 1
            problems += self._decision(event, decision, taken, knowledge)
            taken.append(decision.get("server", ""))
            self._number += 1
        return problems

    def _decision(
        self, event: Event, decision: Mapping[str, object], taken: list[str], knowledge: Knowledge
    ) -> list[str]:
        chosen = str(decision.get("server", ""))
        candidates = decision.get("candidates")
        if not isinstance(candidates, dict) or chosen not in candidates:
            return [f"{chosen} was chosen, which was no candidate"]
        if chosen in taken:
            return [f"{chosen} was chosen, which was to hold a copy already"]
        count = decision.get("count", len(candidates))
        right = self._right(
            str(event.detail.get("policy", "")), event.file, candidates, count == len(candidates), knowledge
        )
        if chosen in right:
            return []
        known = ", ".join(f"{node} {load:,}" for node, load in list(candidates.items())[:5])
        return [
            f"{chosen} was chosen, by the policy {event.detail.get('policy')} it had to be {' or '.join(sorted(right))} "
            f"(bytes known: {known})"
        ]

    def _right(
        self, policy: str, file: str, candidates: dict[str, int], all_told: bool, knowledge: Knowledge
    ) -> set[str]:
        """The candidates that the policy allows. Where only the fullest few of many were logged, more are allowed."""
        if policy == "fewest-bytes":
            fewest = min(candidates.values())
            return {node for node, load in candidates.items() if load == fewest}
        if policy == "two-choices" and len(candidates) > 1 and all_told:
            most = max(candidates.values())
            fullest = [node for node, load in candidates.items() if load == most]
            return set(candidates) - (set(fullest) if len(fullest) == 1 else set())
        if policy == "rendezvous" and all_told:
            return {max(candidates, key=lambda node: blake3(f"{node}\0{file}".encode()).digest())}
        if policy == "round-robin" and all_told and self._exact_turns:
            return knowledge.turn(self._number, set(candidates)) or set(candidates)
        return set(candidates)
