"""What an experiment gives back: numbers beside those that were published or follow from a formula, and what to draw.

These are plain values; `rpclab.plots.plot_experiment` draws any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Axis", "Outcome", "Row", "Series"]


@dataclass(frozen=True, slots=True)
class Row:
    """One number: what was simulated, what stands in the literature or in the plan (`published`), what a formula says.

    `tolerance` is how far the simulated number may be from the published one, and `theory_tolerance` from the formula's;
    None if that is shown and not judged, as with a formula that gives only the shape.
    """

    what: str
    simulated: float
    published: float | None = None
    theory: float | None = None
    tolerance: float | None = None
    theory_tolerance: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the simulated number is near enough to each that it is judged by."""
        pairs = ((self.published, self.tolerance), (self.theory, self.theory_tolerance))
        return all(
            abs(self.simulated - reference) <= allowed
            for reference, allowed in pairs
            if reference is not None and allowed is not None
        )


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a picture. Series of one `style` share a colour: a formula and the simulation beside it."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    kind: Literal["theory", "simulation"]
    style: int = 0


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows, with its unit, and whether in powers of ten; `low` is its lower end, if that is given."""

    label: str
    log: bool = False
    low: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """An experiment's numbers, and its picture: `reading` is the one sentence that says what is to be seen."""

    name: str
    title: str
    reading: str
    rows: tuple[Row, ...]
    x: Axis
    y: Axis
    series: tuple[Series, ...]

    @property
    def holds(self) -> bool:
        return all(row.holds for row in self.rows)

    def __str__(self) -> str:
        width = max(56, *(len(row.what) for row in self.rows)) if self.rows else 56
        lines = [self.title, f"  {'':{width}}{'simulated':>12}{'published':>12}{'formula':>12}"]
        for row in self.rows:
            numbers = (row.simulated, row.published, row.theory)
            cells = "".join(f"{'' if number is None else f'{number:.4g}':>12}" for number in numbers)
            lines.append(f"  {row.what:{width}}{cells}{'' if row.holds else '   does not hold'}")
        return "\n".join(lines)
