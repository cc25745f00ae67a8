"""Recorded bytes, taken apart into packets: each packet's header, kind and length, and the beginning of its payload."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from ..cluster.tables import html_table, text_table
from ..config import PACKET_HEADER_BYTES
from ..errors import PacketError
from ..rpc import packets

__all__ = ["Dissection", "PacketSeen", "dissect"]

_KINDS = {packets.MESSAGE: "message", packets.DATA: "data", packets.END: "end", packets.ABORT: "abort"}
_HEADS = ("header", "kind", "length", "payload")
_SHOWN = 90  # letters of a payload; in a terminal fewer


@dataclass(frozen=True, slots=True)
class PacketSeen:
    """One packet of a recording."""

    kind: str
    header: bytes
    payload: bytes

    @property
    def text(self) -> str:
        """The payload as text if it is some, else in hexadecimal."""
        if self.kind == "end":
            return self.payload.hex(" ")
        return "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in self.payload)


class Dissection(list[PacketSeen]):
    """Packets in order; shows itself as a table. `rest` is what follows the last whole packet."""

    rest: bytes = b""

    def _rows(self, shown: int) -> list[list[str]]:
        rows = [[each.header.hex(" "), each.kind, f"{len(each.payload):,}", _cut(each.text, shown)] for each in self]
        return [*rows, [self.rest[:4].hex(" "), "no packet", f"{len(self.rest):,}", ""]] if self.rest else rows

    def _title(self) -> str:
        return f"{len(self)} packet{'' if len(self) == 1 else 's'}"

    def _repr_html_(self) -> str:
        rows = [[header.replace(" ", "\u00a0"), *row] for header, *row in self._rows(_SHOWN)]  # a header stays one line
        return html_table(self._title(), _HEADS, rows, right=(2,))

    def __repr__(self) -> str:
        return text_table(self._title(), _HEADS, self._rows(_SHOWN - 50))


def _cut(text: str, shown: int) -> str:
    return text if len(text) <= shown else f"{text[: shown - 1]}…"


def dissect(data: bytes) -> Dissection:
    """The packets in these bytes."""
    found, place = Dissection(), 0
    buffer = packets.PacketBuffer(len(data) + 1)
    buffer.space()[: len(data)] = data
    buffer.filled(len(data))
    with contextlib.suppress(PacketError):  # what is no packet is the rest
        while (packet := buffer.next()) is not None:
            payload = bytes(packet[1])
            found.append(PacketSeen(_KINDS[packet[0]], data[place : place + PACKET_HEADER_BYTES], payload))
            place += PACKET_HEADER_BYTES + len(payload)
    found.rest = data[place:]
    return found
