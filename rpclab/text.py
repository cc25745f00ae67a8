"""How numbers and names are written for people: the same in tables, plots, notebooks and terminals."""

from __future__ import annotations

import unicodedata

__all__ = ["bytes_text", "cells", "padded"]


def bytes_text(size: float) -> str:
    """A number of bytes as a person says it: 0 B, 512 KiB, 1.5 MiB."""
    units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
    while abs(size) >= 1024 and len(units) > 1:
        size /= 1024
        del units[0]
    unit = units[0]
    return f"{size:.0f} {unit}" if abs(size) >= 100 else f"{size:.3g} {unit}"


def cells(text: str) -> int:
    """How many columns of a terminal a text takes: Chinese and Japanese letters take two, combining accents none."""
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text
    )


def padded(text: str, width: int) -> str:
    """The text with spaces up to so many columns."""
    return text + " " * (width - cells(text))
