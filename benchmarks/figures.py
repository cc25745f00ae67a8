"""What a benchmark hands back: a figure, its table row and its place in the JSON file."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

__all__ = ["Figure", "figure", "missing", "print_table", "write_json"]

WIDTH = 80  # columns; what a plain terminal shows


@dataclass(frozen=True)
class Figure:
    """One measured ratio, ours to the peer's: its median over the rounds, the lowest, the highest."""

    name: str
    unit: str
    ours: float | None
    peer: float | None
    ratio: float | None
    low: float | None
    high: float | None
    at_least: float | None = None
    at_most: float | None = None
    rounds: int = 0
    why_missing: str = ""

    @property
    def held(self) -> bool | None:
        """Whether what is wanted holds; None where nothing is wanted. What was not measured does not hold."""
        if self.at_least is None and self.at_most is None:
            return None
        if self.ratio is None:
            return False
        return self.ratio >= (self.at_least or 0) and (self.at_most is None or self.ratio <= self.at_most)

    @property
    def wanted(self) -> str:
        if self.at_least is not None:
            return f">= {self.at_least:.2f}"
        return "" if self.at_most is None else f"<= {self.at_most:.2f}"


def figure(
    name: str,
    unit: str,
    ours: Sequence[float],
    peer: Sequence[float],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Figure:
    """Make a figure of two series measured in the same rounds: the ratio is taken round by round."""
    ratios = [a / b for a, b in zip(ours, peer, strict=True)]
    return Figure(
        name,
        unit,
        statistics.median(ours),
        statistics.median(peer),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        at_least,
        at_most,
        len(ratios),
    )


def missing(
    name: str,
    why: str,
    unit: str = "",
    peer: Sequence[float] = (),
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Figure:
    """Make a figure that says why there is no ratio; if one was wanted, it does not hold."""
    alone = statistics.median(peer) if peer else None
    return Figure(name, unit, None, alone, None, None, None, at_least, at_most, 0, why)


def print_table(figures: Sequence[Figure], notes: Sequence[str], console: Console | None = None) -> None:
    """Print one row a figure, 80 columns wide, then the notes."""
    console = console or Console(width=WIDTH)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("what, beside", min_width=19)  # else rich wraps it before it uses up the width
    for title in ("unit", "ours", "peer", "ratio (min..max)", "wanted", ""):
        numbers = title in ("ours", "peer", "ratio (min..max)")
        table.add_column(title, justify="right" if numbers else "left", no_wrap=True)
    for one in figures:
        table.add_row(*_row(one), style="red" if one.held is False else None)
    console.print(table)
    reasons = dict.fromkeys(f"not measured: {one.why_missing}" for one in figures if one.why_missing)
    for note in (*reasons, *notes):
        console.print(note, style="dim", highlight=False)


def _row(one: Figure) -> tuple[str, ...]:
    verdict = {None: "", True: "held", False: "NOT HELD"}[one.held]
    return one.name, one.unit, _short(one.ours), _short(one.peer), _ratio(one), one.wanted, verdict


def _ratio(one: Figure) -> str:
    if one.ratio is None or one.low is None or one.high is None:
        return "not measured"
    digits = 2 if one.high < 10 else 1 if one.high < 100 else 0
    median, low, high = (f"{value:,.{digits}f}" for value in (one.ratio, one.low, one.high))
    return median if low == high else f"{median} ({low}..{high})"


def _short(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def write_json(path: Path, figures: Sequence[Figure], notes: Sequence[str], about: dict[str, Any]) -> None:
    """Write all figures with what was wanted and what held, for a later run to be compared with."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{**asdict(one), "held": one.held} for one in figures]
    path.write_text(json.dumps({**about, "notes": list(notes), "figures": rows}, indent=2) + "\n", encoding="utf-8")
