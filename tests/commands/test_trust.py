"""The commands about versions, damage and balance, as a person runs them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from rpclab.commands.parts import upkeep_lines
from rpclab.text import version_from_text, version_text


def test_versions_are_listed_restored_and_removed(running: Any) -> None:
    for contents in ("one\n", "two\n", "three\n"):
        running.write("notes.txt", contents)
        assert running("backup", "notes.txt", "--as", "vera").status == 0
    listed = running("ls", "--versions", "notes.txt", "--client", "vera", "--json").document["files"]
    assert [file["size"] for file in listed] == [6, 4, 4]
    shown = running("ls", "--versions", "--client", "vera")
    assert shown.status == 0 and all(len(line) <= 80 for line in shown.out.splitlines())
    assert "3 versions of 1 file" in shown.out
    first = version_text(listed[-1]["version"])
    assert first in shown.out and time.strftime("%Y-") in shown.out
    for version in (first, listed[-1]["version"]):
        ran = running("restore", "notes.txt", "--client", "vera", "--version", version, "--to", f"back {version}")
        assert ran.status == 0, ran
        assert (running.folder / f"back {version}/notes.txt").read_text() == "one\n"
    assert running("rm", "notes.txt", "--client", "vera", "--keep", "1").status == 0
    assert len(running("ls", "--versions", "--client", "vera", "--json").document["files"]) == 1
    again = running("rm", "notes.txt", "--client", "vera", "--keep", "1")
    assert again.status == 0 and "no more than 1 version" in again.out
    assert running("restore", "notes.txt", "--client", "vera", "--version", first).status == 1
    assert running("restore", "notes.txt", "--client", "vera", "--to", "newest").status == 0
    assert (running.folder / "newest/notes.txt").read_text() == "three\n"


@pytest.mark.parametrize(
    "command",
    [
        ("restore", "--version", "1.2"),
        ("restore", "a", "b", "--version", "1.2"),
        ("restore", "a", "--version", "newest"),
        ("rm", "a", "--keep", "0"),
        ("balance", "--ratio", "0.5"),
    ],
)
def test_wrong_usage_is_status_2(running: Any, command: tuple[str, ...]) -> None:
    ran = running(*command)
    assert ran.status == 2 and ran.err.count("\n") == 1


def test_verify_all_finds_damage_puts_it_aside_and_it_is_made_anew(running: Any) -> None:
    running.write("gold.txt", "gold" * 1000)
    bad, good = running("backup", "gold.txt", "--as", "gina", "--json").document["files"][0]["servers"]
    copy = running.folder / f"data/servers/{bad}/Backups/gina/gold.txt"
    copy.write_bytes(b"lead" * 1000)
    ran = running("verify", "--all", "--json")
    (file,) = [file for file in ran.document["files"] if file["client"] == "gina"]
    assert ran.status == 1 and file["copies"] == {bad: False, good: True}
    assert "put aside, and made anew" in ran.err
    assert [path.read_bytes() for path in copy.parents[2].glob("Quarantine/gina/gold.txt/*")] == [b"lead" * 1000]
    until = time.monotonic() + 40
    while running("verify", "gold.txt", "--client", "gina").status != 0:
        assert time.monotonic() < until, "no new copy was made"
    assert "copies made anew" in running("status").out


def test_balance_tells_before_and_after(running: Any) -> None:
    for number in range(6):
        running.write(f"{number}.bin", bytes(1000 + number))
        assert running("backup", f"{number}.bin", "--as", "bob", "--replicas", "1").status == 0
    ran = running("balance", "--ratio", "1.5")
    assert ran.status == 0, ran
    assert "server1" in ran.out and "times what the emptiest does" in ran.out
    document = running("balance", "--ratio", "1.5", "--json").document
    assert document["moved"] == 0 and max(document["after"].values()) <= 1.5 * min(document["after"].values())


@pytest.mark.parametrize("version", [0, 1, (3 << 32) + 17, (1 << 52) - 1])
def test_a_version_is_read_as_it_is_written(version: int) -> None:
    assert version_from_text(version_text(version)) == version_from_text(str(version)) == version


@pytest.mark.parametrize("text", ["", "x", "1.", ".1", "1.2.3", "-1", "1.4294967296", "0x1"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        version_from_text(text)


def test_status_says_what_is_awaited_what_waits_and_when_repair_is_off() -> None:
    upkeep = {
        "awaited": [{"address": "127.0.0.1:1", "wait_s": 6.8, "files": 3}],
        "waiting": 2,
        "running": [{"file": "gina/gold.txt", "to": "server3"}],
        "stuck": 1,
        "copied": 0,
    }
    said = upkeep_lines(upkeep, repair=True, names={"127.0.0.1:1": "server1"})
    assert said == [
        "",
        "server1 is gone: unless it is back in 7 s, its 3 files are copied anew.",
        "To be copied or removed: 2 files.",
        "Being copied: gina/gold.txt to server3.",
        "1 file with fewer copies than wanted, and no server that could take another.",
    ]
    assert upkeep_lines({**upkeep, "running": []}, repair=False, names={}) == [
        "",
        "Repair is off: no copy is made anew, and none is removed.",
    ]


def test_a_version_that_nobody_has_is_answered_with_where_to_look(running: Any) -> None:
    running.write("gold.txt", "gold")
    assert running("backup", "gold.txt", "--as", "olga").status == 0
    ran = running("restore", "gold.txt", "--client", "olga", "--version", "1.999")
    assert ran.status == 1 and ran.err.count("\n") == 1 and "rpclab ls --versions gold.txt" in ran.err
