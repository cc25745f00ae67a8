"""The picture of a class shows each check's counts, names its faults, and is found beside the tables."""

from __future__ import annotations

import pathlib
from typing import Any

from matplotlib import pyplot

from rpclab.plots import plot_checks, save_checks

CHECKS: list[dict[str, Any]] = [
    {"check": "round-trip", "pass": 25, "fail": 4, "unknown": 1, "faults": {"text": 3, "empty": 1}},
    {"check": "in-pieces", "pass": 10, "fail": 15, "unknown": 5, "faults": {"a": 6, "b": 5, "c": 2, "d": 1, "e": 1}},
]


def test_bars_are_as_long_as_the_counts_and_add_up_to_the_class() -> None:
    ax = plot_checks(CHECKS, "lab2: 30 students")
    widths = [[int(bar.get_width()) for bar in bars] for bars in ax.containers]
    assert widths == [[25, 10], [4, 15], [1, 5]] and ax.get_xlim() == (0, 30)
    assert [[int(bar.get_x()) for bar in bars] for bars in ax.containers] == [[0, 0], [25, 10], [29, 25]]
    hatches = {bars.patches[0].get_hatch() for bars in ax.containers}
    assert len(hatches) == 3, "told apart without colours too"
    pyplot.close(ax.figure)


def test_beside_each_bar_stand_its_most_frequent_faults() -> None:
    ax = plot_checks(CHECKS, "lab2")
    assert [text.get_text() for text in ax.texts] == ["text 3, empty 1", "a 6, b 5, c 2 and 2 more"]
    pyplot.close(ax.figure)


def test_it_is_saved_as_png_and_svg_without_a_window(tmp_path: pathlib.Path) -> None:
    before = pyplot.get_fignums()
    png, svg = save_checks(CHECKS, "lab2", tmp_path)
    assert png.read_bytes().startswith(b"\x89PNG") and "in-pieces" in svg.read_text(encoding="utf-8")
    assert pyplot.get_fignums() == before
    save_checks([], "nobody", tmp_path)
