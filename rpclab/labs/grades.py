"""A class's verdicts on one lab: counted by check, and written as tables."""

from __future__ import annotations

import csv
import json
import pathlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from .lab import Lab
from .trial import PUBLIC, seed_of
from .verdict import FAIL, PASS, UNKNOWN, Verdicts

__all__ = ["Grades"]


class Grades:
    """A class's verdicts on a lab, by student."""

    def __init__(
        self,
        lab: Lab,
        verdicts: dict[str, Verdicts],
        similar: Sequence[tuple[float, str, str]],
        *,
        secret: str | None = None,
    ) -> None:
        self.lab, self.verdicts, self.similar = lab, verdicts, list(similar)
        self.seeds = {each.name: seed_of(secret or PUBLIC, lab.name, each.name) for each in lab.checks}
        """Of each check, the same for everybody."""

    def checks(self) -> list[dict[str, Any]]:
        """For each check how many passed, failed, are unknown, and how often with which fault."""
        rows = []
        for check in self.lab.checks:
            found = [
                each for verdicts in self.verdicts.values() for each in verdicts.verdicts if each.check == check.name
            ]
            counts = Counter(each.verdict for each in found)
            faults = Counter(each.fault for each in found if each.fault)
            rows.append(
                {
                    "check": check.name,
                    "expected": check.expected,
                    "seed": self.seeds[check.name],
                    **{kind: counts[kind] for kind in (PASS, FAIL, UNKNOWN)},
                    "faults": dict(sorted(faults.items(), key=lambda pair: (-pair[1], pair[0]))),
                }
            )
        return rows

    def save(self, out: pathlib.Path) -> None:
        """Write the tables of the whole class: class.csv, checks.json, checks.csv, similar.csv."""
        names = [check.name for check in self.lab.checks]
        rows = []
        for student, verdicts in sorted(self.verdicts.items()):
            by_name = {each.check: each.verdict for each in verdicts.verdicts}
            first = verdicts.first
            fault = "" if first is None else first.fault
            rows.append(
                [student, verdicts.points, self.lab.points, *(by_name.get(name, UNKNOWN) for name in names), fault]
            )
        _write_csv(out / "class.csv", ["student", "points", "of", *names, "first fault"], rows)
        checks = self.checks()
        (out / "checks.json").write_text(
            json.dumps({"lab": self.lab.name, "checks": checks}, indent=1), encoding="utf-8"
        )
        counts = [
            [row["check"], row[PASS], row[FAIL], row[UNKNOWN], _counted(row["faults"]), row["seed"]] for row in checks
        ]
        _write_csv(out / "checks.csv", ["check", PASS, FAIL, UNKNOWN, "faults", "seed"], counts)
        pairs = [[f"{share:.2f}", one, other] for share, one, other in self.similar]
        _write_csv(out / "similar.csv", ["share of the code's shape", "student", "student"], pairs)


def _counted(faults: dict[str, int]) -> str:
    return " ".join(f"{name}:{count}" for name, count in faults.items())


def _write_csv(path: pathlib.Path, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows([[_plain(cell) for cell in row] for row in rows])


def _plain(cell: object) -> object:
    """A student's name must not become a formula in the teacher's spreadsheet."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@")) else cell
