"""The sample files: each kind is there, says what it is, and can be made again to the byte."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
CLIENTS = PROJECT / "data" / "clients"
CLIENT1, CLIENT2 = CLIENTS / "client1" / "Files", CLIENTS / "client2" / "Files"
PACKET_BYTES = 65_536


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below the folder, by its path in it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_of_it_is_small_and_every_kind_is_there() -> None:
    samples = contents(CLIENTS)
    assert sum(map(len, samples.values())) < 2_000_000
    assert {Path(name).suffix for name in samples} == {".txt", ".csv", ".png", ".jpg", ".pdf"}


@pytest.mark.parametrize(
    ("path", "start", "end"),
    [
        (CLIENT1 / "balls-into-bins.png", b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"),
        (CLIENT2 / "hills.jpg", b"\xff\xd8\xff", b"\xff\xd9"),
        (CLIENT2 / "one-backup.pdf", b"%PDF-1.", b"%%EOF\n"),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_pictures_are_whole_files_of_their_kind(path: Path, start: bytes, end: bytes) -> None:
    content = path.read_bytes()
    assert content.startswith(start)
    assert content.endswith(end)
    assert len(content) > 10_000


def test_the_page_about_the_kit_is_lines_of_plain_text() -> None:
    page = (CLIENT1 / "about-backups.txt").read_bytes()
    assert b"\r" not in page  # a checkout on Windows left its bytes alone
    assert 30 < len(page.decode("ascii").splitlines()) < 60


def test_the_measurements_are_a_table_of_plausible_numbers() -> None:
    with (CLIENT1 / "greenhouse.csv").open(encoding="ascii", newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert [row["minute"] for row in rows] == list(range(36 * 60))
    assert all(10 < row["temperature_c"] < 35 and 20 <= row["humidity_percent"] <= 100 for row in rows)


def test_an_empty_file_is_empty() -> None:
    assert (CLIENT1 / "empty.txt").read_bytes() == b""


def test_a_name_beyond_ascii_is_stored_composed() -> None:
    (name,) = [name for name in os.listdir(CLIENT1) if not name.isascii()]
    assert name == unicodedata.normalize("NFC", name) == "Übersicht-日本.txt"


def test_each_full_packet_of_the_eof_file_ends_with_eof_and_no_other_place_has_it() -> None:
    content = (CLIENT2 / "eof-in-every-packet.txt").read_bytes()
    pieces = [content[start : start + PACKET_BYTES] for start in range(0, len(content), PACKET_BYTES)]
    assert len(content) == 300_000
    assert [piece.endswith(b"EOF") for piece in pieces] == [True, True, True, True, False]
    assert content.count(b"EOF") == 4


def test_a_folder_with_files_in_it() -> None:
    assert sorted(contents(CLIENT1 / "course")) == ["week-1.txt", "week-2.txt"]


def test_both_clients_have_notes_that_differ() -> None:
    notes1, notes2 = (CLIENT1 / "notes.txt").read_bytes(), (CLIENT2 / "notes.txt").read_bytes()
    assert notes1 != notes2
    assert len(notes1) != len(notes2)


def test_the_script_makes_the_same_bytes_each_time_and_the_ones_in_git(tmp_path: Path) -> None:
    for hash_seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-W", "error", PROJECT / "data" / "make_samples.py", tmp_path / hash_seed],
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "MPLCONFIGDIR": str(tmp_path / "matplotlib")},
            stdin=subprocess.DEVNULL,
            check=True,
            timeout=120,
        )
    first, second, committed = contents(tmp_path / "1"), contents(tmp_path / "2"), contents(CLIENTS)
    assert first == second
    assert first.keys() == committed.keys()
    drawn = {".png", ".jpg", ".pdf"}  # another version of matplotlib may draw these a little differently
    assert [name for name in first if first[name] != committed[name] and Path(name).suffix not in drawn] == []
