"""What a check came to, and what a lab's checks came to together: for a terminal, for a notebook, as JSON."""

from __future__ import annotations

import html
import textwrap
from typing import Any

import msgspec

from .lab import Lab

__all__ = ["FAIL", "PASS", "UNKNOWN", "Verdict", "Verdicts"]

PASS, FAIL, UNKNOWN = "pass", "fail", "unknown"
_MARKS = {PASS: "✓", FAIL: "✗", UNKNOWN: "?"}
_COLOURS = {PASS: "#0072B2", FAIL: "#D55E00", UNKNOWN: "#8a8a8a"}  # told apart also by who sees no red or green
_WIDTH = 80


class Verdict(msgspec.Struct, omit_defaults=True):
    """One check's: pass, fail or unknown. A check that ran out of time, or was not tried, is unknown, and gains nothing."""

    check: str
    verdict: str
    points: int
    of: int
    expected: str
    seed: int
    fault: str = ""
    seen: str = ""
    hints: list[str] = []
    event: str = ""
    picture: str = ""
    """An SVG of the run around the event that broke it, "" if there is none."""
    output: str = ""
    """What the student's code printed, the end of it."""
    seconds: float = 0.0


class Verdicts(msgspec.Struct):
    """A lab's verdicts. `hidden` is True when a teacher's secret chose the seeds."""

    lab: str
    title: str
    source: str
    hidden: bool
    verdicts: list[Verdict]
    whole: bool = True
    """Whether all checks of the lab were asked for, not only one."""

    @property
    def points(self) -> int:
        return sum(verdict.points for verdict in self.verdicts)

    @property
    def of(self) -> int:
        return sum(verdict.of for verdict in self.verdicts)

    @property
    def passed(self) -> bool:
        return all(verdict.verdict == PASS for verdict in self.verdicts)

    @property
    def first(self) -> Verdict | None:
        """The first check that did not pass: the one to mend first."""
        return next((verdict for verdict in self.verdicts if verdict.verdict != PASS), None)

    def summary(self) -> str:
        kind = "Hidden checks" if self.hidden else "Public checks"
        if self.passed and not self.whole:
            return f"{', '.join(each.check for each in self.verdicts)}: passed. The lab has other checks too."
        if self.passed:
            return f"{kind} passed: {self.points} of {self.of} points."
        count = sum(verdict.verdict == PASS for verdict in self.verdicts)
        return f"{kind}: {count} of {len(self.verdicts)} passed, {self.points} of {self.of} points."

    def command(self, verdict: Verdict) -> str:
        """What runs one check again, just as it ran here; a hidden one's seed is not told: what runs then is the public one."""
        source = self.source if self.source and not self.source.startswith("<") else "FILE"
        seed = "" if self.hidden else f" --seed {verdict.seed}"
        return f"rpclab check {self.lab} {source} --only {verdict.check}{seed}"

    def text(self, degree: int = 1) -> str:
        """For a terminal of 80 columns, with hints up to this degree (1 to 3)."""
        lines = [f"{self.lab}: {self.title}", ""]
        for verdict in self.verdicts:
            points = f"{verdict.points}/{verdict.of}"
            head = f"{_MARKS[verdict.verdict]} {verdict.verdict:7} {points:>5}  "
            lines += textwrap.wrap(
                f"{verdict.check}: {verdict.expected}", _WIDTH, initial_indent=head, subsequent_indent=" " * 17
            )
            if verdict.verdict == PASS:
                continue
            told = [("seen", verdict.seen), *zip(("hint", "where", "fault"), verdict.hints[:degree], strict=False)]
            for name, said in told:
                for part in said.splitlines():
                    lines += textwrap.wrap(
                        part, _WIDTH, initial_indent=f"{' ' * 10}{name:6} ", subsequent_indent=" " * 17
                    )
                    name = ""
            if verdict.event:
                lines.append(f"{' ' * 10}event  {verdict.event}")
            if verdict.seen and verdict.fault:
                lines.append(f"{' ' * 10}{self._again} {self.command(verdict)}")
        return "\n".join([*lines, "", *self._closing(degree)])

    def _closing(self, degree: int) -> list[str]:
        first, lines = self.first, [self.summary()]
        if first is not None and degree < len(first.hints):
            lines.append(f"More of the hints: --hint {degree + 1}")
        if first is not None and first.picture:
            lines.append("The run around where it broke, as a picture: --to run.svg")
        return lines

    @property
    def _again(self) -> str:
        """What `command` runs, in six letters: this very trial, or the public one of that name."""
        return "public" if self.hidden else "again "

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        rows = "".join(self._row(verdict) for verdict in self.verdicts)
        return (
            f'<div class="rpclab-verdicts"><p><b>{html.escape(f"{self.lab}: {self.title}")}</b></p>'
            f'<table style="border-collapse:collapse">{rows}</table><p>{html.escape(self.summary())}</p></div>'
        )

    def _row(self, verdict: Verdict) -> str:
        cell = "padding:0.3em 0.8em;border-bottom:1px solid rgba(128,128,128,0.35);text-align:left;vertical-align:top"
        mark = f'<b style="color:{_COLOURS[verdict.verdict]};white-space:nowrap">{_MARKS[verdict.verdict]} {verdict.verdict}</b>'
        said = [f"<b>{html.escape(verdict.check)}</b>: {html.escape(verdict.expected)}"]
        if verdict.verdict != PASS:
            said.append(f'<div style="margin-top:0.3em"><i>seen:</i> {_lines(verdict.seen)}</div>')
            said += [_hints(verdict.hints)]
            if verdict.picture:
                said.append(f"<details open><summary>the run, where it broke</summary>{verdict.picture}</details>")
            if verdict.output:
                said.append(
                    f"<details><summary>what it printed</summary><pre>{html.escape(verdict.output)}</pre></details>"
                )
            if verdict.fault:
                again = "the public check of that name" if self.hidden else "again"
                said.append(f"<div><small>{again}: <code>{html.escape(self.command(verdict))}</code></small></div>")
        points = f"{verdict.points}/{verdict.of}"
        cells = (mark, points, "".join(said))
        return "<tr>" + "".join(f'<td style="{cell}">{each}</td>' for each in cells) + "</tr>"

    def as_json(self) -> dict[str, Any]:
        told = msgspec.to_builtins(self)
        return {**told, "points": self.points, "of": self.of, "passed": self.passed, "summary": self.summary()}


def _lines(text: str) -> str:
    return "<br>".join(map(html.escape, text.splitlines()))


def _hints(hints: list[str]) -> str:
    """Each degree is folded into the one before it."""
    if not hints:
        return ""
    inner = ""
    for name, hint in reversed(list(zip(("a question", "where to look", "what is wrong"), hints, strict=False))):
        inner = (
            f"<details><summary>{name}</summary><div style='margin-left:1em'>{html.escape(hint)}{inner}</div></details>"
        )
    return inner


def not_tried(lab: Lab, name: str, seed: int, why: str) -> Verdict:
    """The verdict of a check that would say nothing now."""
    check = lab.check_named(name)
    return Verdict(check.name, UNKNOWN, 0, check.points, check.expected, seed, seen=why)
