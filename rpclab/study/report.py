"""The judge's report: for each invariant a verdict, one plain sentence, and the events that show it."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from ..trace import Event

__all__ = ["Finding", "Judgement", "Report", "Verdict"]

_COLUMNS = 80
_SHOWN = 5  # findings of one invariant that are shown to people; `findings` has all
_CELL = "padding:0.2em 0.8em;border-bottom:1px solid rgba(128,128,128,0.35);text-align:left;vertical-align:top"


class Verdict(Enum):
    """What can be said of an invariant: it held, it was broken, or the logs and disks do not tell."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that speaks against an invariant (INVALID), or that hides whether it held (UNKNOWN).

    `events` show it, in the history's order; `node` and `file` say where, "" if it is about no single one.
    """

    verdict: Verdict
    sentence: str
    node: str = ""
    file: str = ""
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """One invariant: its name, what it says, what was looked at, and what was found against it."""

    name: str
    says: str
    looked_at: str
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        found = {finding.verdict for finding in self.findings}
        return next((verdict for verdict in (Verdict.INVALID, Verdict.UNKNOWN) if verdict in found), Verdict.VALID)

    @property
    def deciding(self) -> tuple[Finding, ...]:
        """The findings that made the verdict."""
        return tuple(finding for finding in self.findings if finding.verdict is self.verdict)

    @property
    def events(self) -> tuple[Event, ...]:
        """The events that show the verdict."""
        return tuple(event for finding in self.deciding for event in finding.events)

    @property
    def sentence(self) -> str:
        """The verdict in one plain sentence."""
        if not self.findings:
            return f"{self.says} ({self.looked_at})."
        more = len(self.deciding) - 1
        return self.deciding[0].sentence + (f" (and {more:,} more like this)" if more else "")


@dataclass(frozen=True)
class Report:
    """What the judge says of a run. Print it, show it in a notebook, or ask it: `report.valid`, `report["copies"].events`."""

    judgements: tuple[Judgement, ...]

    def __getitem__(self, name: str) -> Judgement:
        return next(judgement for judgement in self.judgements if judgement.name == name)

    def __iter__(self) -> Iterator[Judgement]:
        return iter(self.judgements)

    @property
    def verdict(self) -> Verdict:
        """Invalid if one invariant is, else unknown if one is, else valid."""
        found = {judgement.verdict for judgement in self.judgements}
        return next((verdict for verdict in (Verdict.INVALID, Verdict.UNKNOWN) if verdict in found), Verdict.VALID)

    @property
    def valid(self) -> bool:
        return self.verdict is Verdict.VALID

    def named(self, verdict: Verdict) -> set[str]:
        """The names of the invariants with this verdict."""
        return {judgement.name for judgement in self.judgements if judgement.verdict is verdict}

    def in_doubt(self, why: str) -> Report:
        """The same findings, with what is invalid unknown for this reason."""
        return Report(tuple(_in_doubt(judgement, why) for judgement in self.judgements))

    def __str__(self) -> str:
        return "\n".join([self._title(), *(line for each in self.judgements for line in _lines(each))])

    __repr__ = __str__

    def _title(self) -> str:
        counts = {verdict: len(self.named(verdict)) for verdict in Verdict}
        said = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)
        return f"The run is {self.verdict.value}: of {len(self.judgements)} invariants {said}."

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="{_CELL}"><b>{each.name}</b></td><td style="{_CELL};color:{_COLOURS[each.verdict]}">'
            f'<b>{each.verdict.value}</b></td><td style="{_CELL}">{_html(each)}</td></tr>'
            for each in self.judgements
        )
        caption = (
            f'<caption style="text-align:left;font-weight:bold;padding:0.3em 0">{html.escape(self._title())}</caption>'
        )
        return f'<table style="border-collapse:collapse">{caption}<tbody>{rows}</tbody></table>'


def _in_doubt(judgement: Judgement, why: str) -> Judgement:
    findings = [
        replace(finding, verdict=Verdict.UNKNOWN, sentence=f"{finding.sentence.rstrip('.')} ({why}).")
        for finding in judgement.findings
    ]
    return replace(judgement, findings=tuple(findings))


_COLOURS = {Verdict.VALID: "#2a8a3e", Verdict.INVALID: "#c8321f", Verdict.UNKNOWN: "#9a6700"}


def _lines(judgement: Judgement) -> Iterator[str]:
    head = f"  {judgement.name:<12} {judgement.verdict.value:<8} "
    said = [finding.sentence for finding in judgement.deciding[:_SHOWN]] or [judgement.sentence]
    more = len(judgement.deciding) - _SHOWN
    if more > 0:
        said.append(f"... and {more:,} more like this")
    for number, sentence in enumerate(said):
        yield from _wrapped(sentence, head if not number else " " * len(head), " " * len(head))
        if number < len(judgement.deciding[:_SHOWN]):
            events = judgement.deciding[number].events
            if events:
                yield from _wrapped(f"see {event_names(events)}", " " * len(head), " " * len(head) + "    ")


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(text, _COLUMNS, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def event_names(events: Sequence[Event]) -> str:
    """Events as a person finds them in the logs: node, number and kind."""
    shown = ", ".join(f"{event.node} event {event.number} ({event.kind})" for event in events[:3])
    return shown + (f" and {len(events) - 3} more" if len(events) > 3 else "")


def _html(judgement: Judgement) -> str:
    parts = [html.escape(finding.sentence) for finding in judgement.deciding[:_SHOWN]] or [
        html.escape(judgement.sentence)
    ]
    shown = [
        f'{text}<br><span style="opacity:0.7">{html.escape(event_names(finding.events))}</span>'
        for text, finding in zip(parts, judgement.deciding, strict=False)
        if finding.events
    ]
    more = len(judgement.deciding) - _SHOWN
    return "<br>".join((shown or parts) + ([f"... and {more:,} more like this"] if more > 0 else []))
