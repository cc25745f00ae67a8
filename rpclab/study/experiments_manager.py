"""The experiment on how far one manager goes: what it costs in memory and in time of one core, by the number of servers.

It measures the manager's own code, so its numbers are this machine's; `python -m benchmarks.scale` measures what takes longer.
"""

from __future__ import annotations

from ..config import Limits
from ..manager.settings import Settings
from ..manager.upkeep import JUDGED
from .manager_load import COPIES, costs, memory_bytes, wire_costs
from .outcome import Axis, Outcome, Row, Series

__all__ = ["manager_load"]

_MIB = 2**20
_US = 1e6
_HELD = (1, 2)  # by a server: one that means "I am here", and for its reports one more while there are any


def manager_load(seed: int = 1, sizes: tuple[int, ...] = (10, 100, 1_000, 10_000, 100_000)) -> Outcome:
    """What the manager's own code takes with ten servers and with a hundred thousand; `seed` only draws who is asked."""
    found = [costs(size, 10, seed=seed) for size in sizes]
    wire = wire_costs()
    settings, limits = Settings(), Limits()
    look_formula = [found[-1].look * _US * size / sizes[-1] for size in sizes]
    backup = wire.place + COPIES * wire.report
    watched = sizes[-1] * wire.heartbeat / settings.heartbeat_s + 2 * found[-1].look / settings.heartbeat_s
    looks = found[-1].look / found[-2].look
    placed = found[-1].place / found[0].place
    rows = [
        *_memory_rows(),
        Row("a heartbeat with all of the wire: µs of one core", wire.heartbeat * _US),
        Row("placing a file (two copies), with all of the wire: µs", wire.place * _US),
        Row("the report of a copy, with all of the wire: µs", wire.report * _US),
        Row("  a backup's three calls together: backups a second", 1 / backup),
        Row("opening a connection, both ends: µs", wire.open * _US),
        Row("believing a copy of an inventory, with the wire: µs", wire.inventory * _US + found[-1].inventory * _US),
        Row("judging a file: µs", found[-1].judge * _US),
        Row(f"a look at who is silent, {sizes[-1]:,} servers: ms", found[-1].look * 1000),
        Row(f"  the same, times that with {sizes[-2]:,}", looks, None, 10, None, 8),
        Row(f"placing with {sizes[-1]:,} servers, times that with {sizes[0]}", placed, None, 1, None, 4),
        Row(f"{sizes[-1]:,} servers' heartbeats and looks: share of a core", watched),
        Row("servers until the connections end, idle", limits.connections / _HELD[0]),
        Row("  while all of them take files", limits.connections / _HELD[1]),
        Row("servers until heartbeats and looks fill one core", sizes[-1] / watched),
        Row("copies believed before safe mode ends (30 s)", settings.safe_s / (wire.inventory + found[-1].inventory)),
        Row("files judged in a second, by the bound on a look", JUDGED * 2 / settings.heartbeat_s),
    ]  # fmt: skip
    return Outcome(
        "manager-load",
        "One manager: what each thing costs it, without the wire",
        "Ten servers or 100,000: hearing, placing and believing cost nearly the same. A look at who is silent grows.",
        tuple(rows),
        Axis("servers", log=True),
        Axis("time of one core (µs)", log=True),
        (
            Series("a look at everybody: in proportion", sizes, look_formula, "theory", 0),
            Series("a look at everybody, twice a second", sizes, [each.look * _US for each in found], "simulation", 0),
            Series("placing a file, measured", sizes, [each.place * _US for each in found], "simulation", 1),
            Series("a report of a copy, measured", sizes, [each.report * _US for each in found], "simulation", 2),
            Series("a heartbeat, measured", sizes, [each.heartbeat * _US for each in found], "simulation", 3),
        ),
    )


def _memory_rows() -> list[Row]:
    """Two sizes give what a server and a copy take; a third tells whether that holds."""
    few, many = memory_bytes(200, 4), memory_bytes(200, 40)
    copy = (many - few) / (200 * 36)
    server = few / 200 - 4 * copy
    predicted = (500 * server + 500 * 30 * copy) / _MIB
    measured = memory_bytes(500, 30) / _MIB
    return [
        Row("memory for one more copy of a file: bytes", copy),
        Row("memory for one more server, its two threads left out: bytes", server),
        Row("500 servers with 30 copies each: MiB", measured, None, predicted, None, 0.15 * predicted),
    ]
