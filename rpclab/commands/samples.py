"""Sample files for a person whose folder holds none yet: small, made here, the same each time."""

from __future__ import annotations

import pathlib
import random

__all__ = ["has_files", "make_samples"]

_CLIENTS = ("client1", "client2")


def has_files(data: str) -> bool:
    """Whether there is anything to back up below `clients/`."""
    folders = [pathlib.Path(data, "clients", client, "Files") for client in _CLIENTS]
    return any(path.is_file() for folder in folders for path in folder.rglob("*"))


def make_samples(data: str) -> int:
    """Write the sample files into the clients' folders; returns how many."""
    files = _files()
    for name, contents in files.items():
        path = pathlib.Path(data, "clients", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)
    return len(files)


def _files() -> dict[str, bytes]:
    """Text, a table, random bytes, an empty file, a tree, a name that is not ASCII, and contents that break naive programs."""
    chance = random.Random(1)
    rows = "".join(
        f"{hour:02}:00,{18 + 4 * chance.random():.1f},{40 + 30 * chance.random():.0f}\n" for hour in range(24)
    )
    prose = "A backup that was never restored is a hope. This one is restored twice, and compared.\n"
    one, two = (f"{client}/Files" for client in _CLIENTS)
    return {
        f"{one}/notes.txt": prose.encode() * 40,
        f"{one}/empty.txt": b"",
        f"{one}/course/week-1.txt": b"Lamport clocks.\n" * 200,
        f"{one}/course/greenhouse.csv": f"time,celsius,humidity\n{rows}".encode(),
        f"{one}/Übersicht-日本.txt": "Grüße, 世界.\n".encode() * 100,
        f"{two}/notes.txt": b"Another client, the same name: another file.\n" * 30,
        f"{two}/noise.bin": chance.randbytes(300_000),
        f"{two}/eof-in-every-packet.txt": (b"EOF" + b"." * 65_533) * 3,
    }
