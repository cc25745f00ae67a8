"""Names: only those that stay in the folder and mean the same on Linux, macOS and Windows."""

from __future__ import annotations

import ntpath
import posixpath
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpclab.errors import NameCollision, NameRefused
from rpclab.names import NameTable, check_client, check_name, fold

DEVICES = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
DEVICES += [f"{port}{digit}" for port in ("COM", "LPT") for digit in "123456789\u00b9\u00b2\u00b3"]


@pytest.mark.parametrize(
    "name",
    ["a", "a.txt", ".hidden", "...a", "two words.txt", "Übersicht-日本語.txt", "x/y/z.tar.gz", "COM10", "CONSOLE", "com",
     "nul_.txt", "aux-1/b", "a" * 255, "é" * 127, "😀.png", "~", "#%&{}$!'@+`=", "C", "x:".replace(":", "-")],
)  # fmt: skip
def test_ordinary_names_are_taken_as_they_are(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        (".", "another folder"),
        ("..", "another folder"),
        ("../a", "another folder"),
        ("a/../b", "another folder"),
        ("a/./b", "another folder"),
        ("a//b", "another folder"),
        ("a/", "another folder"),
        ("/etc/passwd", "absolute"),
        ("//server/share", "absolute"),
        ("C:", "absolute"),
        ("C:/a", "absolute"),
        ("c:a", "absolute"),
        ("a\\b", "not allowed"),
        ("..\\a", "not allowed"),
        ("\\\\server\\share", "not allowed"),
        ("a\0b", "control"),
        ("a\nb", "control"),
        ("a\x7fb", "control"),
        ("a\x85b", "control"),
        ("a.", "dot or a space"),
        ("a ", "dot or a space"),
        ("a./b", "dot or a space"),
        ("a /b", "dot or a space"),
        ("...", "dot or a space"),
        (" ", "dot or a space"),
        ("\ud800", "surrogate"),
        ("a\udfffb", "surrogate"),
        ("a" * 256, "255 bytes"),
        ("é" * 128, "255 bytes"),
        ("x/" + "é" * 128 + "/y", "255 bytes"),
        ("/".join(["a" * 200] * 6), "1024 bytes"),
        ("/".join("a" * 33), "folders deep"),
        *[(f"a{letter}b", "not allowed") for letter in '"*<>?|'],
        ("stream:ads", "not allowed"),
    ],
)
def test_a_name_that_some_system_cannot_hold_or_that_leaves_the_folder_is_refused(name: str, reason: str) -> None:
    with pytest.raises(NameRefused, match=reason) as caught:
        check_name(name)
    assert len(str(caught.value)) < 300 and str(caught.value).isprintable()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("form", ["{}", "{}.txt", "{}.tar.gz", "x/{}/y", "x/{}.log", "{} .txt"])
def test_a_device_of_windows_is_refused_with_any_extension_and_case(device: str, form: str) -> None:
    for spelling in (device, device.lower(), device.title()):
        with pytest.raises(NameRefused, match="device"):
            check_name(form.format(spelling))


def test_a_name_is_stored_in_nfc() -> None:
    assert check_name("e\u0301te\u0301.txt") == "été.txt"


def test_a_clients_name_is_one_folder() -> None:
    assert check_client("client1") == "client1"
    for name in ("a/b", "..", "", "a\\b", "con"):
        with pytest.raises(NameRefused):
            check_client(name)


@given(st.text())
def test_what_is_taken_stays_in_the_folder_and_is_taken_again_as_it_is(name: str) -> None:
    try:
        taken = check_name(name)
    except NameRefused:
        return
    assert check_name(taken) == taken == unicodedata.normalize("NFC", name)
    assert taken.encode().decode() == taken and all(0 < len(part.encode()) <= 255 for part in taken.split("/"))
    for system in (posixpath, ntpath):
        folder = system.join(system.sep, "backups")
        inside = system.normpath(system.join(folder, taken))
        assert inside.startswith(folder + system.sep) and not system.isabs(taken) and not ntpath.splitdrive(taken)[0]


@given(st.lists(st.sampled_from([".", "..", "", "a", "b ", "C:", "\\", "x.", "nul"]), max_size=5))
def test_paths_made_of_dangerous_parts_never_get_out(parts: list[str]) -> None:
    name = "/".join(parts)
    try:
        taken = check_name(name)
    except NameRefused:
        return
    assert set(taken.split("/")) == {"a"}


@given(st.text(min_size=1))
def test_spellings_that_a_system_takes_for_one_have_one_fold(name: str) -> None:
    assert fold(name) == fold(unicodedata.normalize("NFD", name)) == fold(unicodedata.normalize("NFC", name))
    assert fold(fold(name)) == fold(name)


@pytest.mark.parametrize(
    ("one", "other"), [("a", "A"), ("Straße", "STRASSE"), ("ς", "Σ"), ("é", "E\u0301"), ("ﬁ", "FI")]
)
def test_case_and_spelling_fold_away(one: str, other: str) -> None:
    assert fold(one) == fold(other)
    assert fold("a") != fold("b")


def test_a_name_in_use_stays_usable_when_another_gets_in_its_way() -> None:
    table = NameTable()
    table.add("ann/a/b")
    table.add("ann/a")  # an old copy of a deleted file, on a server that was away
    table.check("ann/a/b")
    with pytest.raises(NameCollision):
        table.check("ann/a/c")
