"""How numbers and names are written for people: the same in tables, plots, notebooks and terminals."""

from __future__ import annotations

import unicodedata
from datetime import datetime

__all__ = ["bytes_text", "cells", "counted", "padded", "time_text", "version_from_text", "version_text"]


def bytes_text(size: float) -> str:
    """A number of bytes as a person says it: 0 B, 512 KiB, 1.5 MiB."""
    units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
    while abs(size) >= 1024 and len(units) > 1:
        size /= 1024
        del units[0]
    unit = units[0]
    return f"{size:.0f} {unit}" if abs(size) >= 100 else f"{size:.3g} {unit}"


def counted(count: int, one: str, many: str = "") -> str:
    """1 file, 2 files."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def cells(text: str) -> int:
    """How many columns of a terminal a text takes: Chinese and Japanese letters take two, combining accents none."""
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text
    )


def padded(text: str, width: int) -> str:
    """The text with spaces up to so many columns."""
    return text + " " * (width - cells(text))


def version_text(version: int) -> str:
    """A file's version as people read it: the manager's epoch and a number within it, as in 3.17."""
    return f"{version >> 32}.{version & 0xFFFFFFFF}"


def version_from_text(text: str) -> int:
    """The version that `version_text` shows, or that a plain number is; raises ValueError."""
    epoch, dot, number = text.partition(".")
    if not dot and text.isdecimal():
        return int(text)
    if not (epoch.isdecimal() and number.isdecimal() and int(number) <= 0xFFFFFFFF):
        raise ValueError(f"{text!r} is no version")
    return (int(epoch) << 32) + int(number)


def time_text(seconds: float) -> str:
    """A moment as people read it, in local time, to the minute; "" for 0, which is unknown."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M") if seconds else ""
