"""What a cluster and its receipts look like in a notebook and in plain text. Colours are the page's: dark pages work."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Sequence

from ..records import Receipt
from ..text import bytes_text, cells, padded

__all__ = ["Receipts", "html_table", "text_table"]

_COLUMNS = 80
_CELL = "padding:0.2em 0.8em;border-bottom:1px solid rgba(128,128,128,0.35);text-align:"


def html_table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table; the columns in `right` hold numbers."""

    def row(cells: Sequence[str], tag: str) -> str:
        aligned = ("right" if index in right else "left" for index in range(len(cells)))
        return "".join(
            f'<{tag} style="{_CELL}{align}">{html.escape(cell)}</{tag}>'
            for cell, align in zip(cells, aligned, strict=True)
        )

    body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in rows)
    caption = f'<caption style="text-align:left;font-weight:bold;padding:0.3em 0">{html.escape(title)}</caption>'
    head = f"<thead><tr>{row(heads, 'th')}</tr></thead>"
    return f'<table style="border-collapse:collapse">{caption}{head}<tbody>{body}</tbody></table>'


def text_table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(heads), *map(list, rows)]
    widths = [max(cells(line[index]) for line in lines) for index in range(len(heads))]
    shown = ["  ".join(map(padded, line, widths)).rstrip() for line in lines]
    return "\n".join([*textwrap.wrap(title, _COLUMNS), *shown])


def _copies(receipt: Receipt) -> str:
    said = f"{receipt.copies} of {receipt.wanted}"
    return f"{said}, {receipt.pending} pending" if receipt.pending else said


class Receipts(list[Receipt]):
    """Receipts of several backups; shows itself as a table."""

    _HEADS = ("file", "client", "size", "copies", "servers", "digest")

    def _rows(self) -> list[list[str]]:
        return [
            [
                receipt.file.name,
                receipt.file.client,
                bytes_text(receipt.file.size),
                _copies(receipt),
                ", ".join(receipt.servers),
                receipt.file.digest[:12],
            ]
            for receipt in self
        ]

    def _title(self) -> str:
        said = f"{len(self)} files backed up, {bytes_text(sum(receipt.file.size for receipt in self))}"
        return f"{said}; {len(self.short)} with fewer copies than wanted" if self.short else said

    @property
    def short(self) -> list[Receipt]:
        """Those with fewer copies than wanted."""
        return [receipt for receipt in self if not receipt.complete]

    def _repr_html_(self) -> str:
        return html_table(self._title(), self._HEADS, self._rows(), right=(2, 3))

    def __repr__(self) -> str:
        return text_table(self._title(), self._HEADS, self._rows())
