"""The demo, as `make demo` runs it: it holds, it holds again, and it says what did not hold."""

from __future__ import annotations

import pathlib
import shutil
from typing import Any

import pytest
from matplotlib import image

from rpclab.text import cells

SAMPLES = pathlib.Path(__file__).parents[2] / "data" / "clients"


def _pictures_show_something(folder: pathlib.Path) -> None:
    for name in ("balance.png", "traffic.png"):
        pixels = image.imread(folder / name)
        assert pixels.shape[0] > 500 and pixels.shape[1] > 1000
        assert pixels[0, 0].min() == 1.0, "the background is white"
        coloured = (abs(pixels[..., 0] - pixels[..., 2]) > 0.2).mean()
        assert coloured > 0.002, f"{name} is grey all over"


def test_the_demo_holds_on_the_project_s_samples_and_again(shell: Any) -> None:
    shutil.copytree(SAMPLES, shell.folder / "data" / "clients")
    count = sum(path.is_file() for path in (shell.folder / "data/clients").rglob("Files/**/*"))
    before = {path: path.read_bytes() for path in (shell.folder / "data/clients").rglob("*") if path.is_file()}
    ran = shell("demo")
    assert ran.status == 0, ran
    last = ran.out.splitlines()[-1]
    assert last.startswith(f"Verified: {count} files, ") and "2 copies each" in last
    assert all(cells(line) <= 80 for line in ran.out.splitlines())
    assert f"{count} of {count} files equal" in ran.out
    _pictures_show_something(shell.folder / "out")
    assert len(list((shell.folder / "out/data/servers").glob("*/Backups/*/*"))) > 0

    for picture in (shell.folder / "out").glob("*.png"):
        picture.unlink()
    ran = shell("demo", "--json")
    assert ran.status == 0, ran
    document = ran.document
    assert document["equal"] == [count, count] and document["problems"] == [] and len(document["files"]) == count
    assert all(len(file["servers"]) == 2 for file in document["files"])
    assert document["killed"] in document["stored_bytes"]
    _pictures_show_something(shell.folder / "out")
    assert before == {path: path.read_bytes() for path in before}
    assert shell("status", "--data", "out/data").status == 3, "the demo's cluster is gone"


def test_in_an_empty_folder_the_demo_makes_samples_of_its_own(shell: Any) -> None:
    ran = shell("demo")
    assert ran.status == 0, ran
    assert "sample files made there" in ran.out and (shell.folder / "data/clients/client1/Files/notes.txt").exists()


def test_the_demo_removes_nothing_that_others_backed_up(shell: Any) -> None:
    shell.write("data/clients/client1/Files/mine.txt", "mine")
    assert shell("up", "--ports", "free").status == 0
    shell.write("mine.txt", "another file of that name")
    assert shell("backup", "mine.txt").status == 0
    assert shell("demo").status == 0, "beside a cluster that runs"
    assert shell("restore", "mine.txt").status == 0 and shell("down").status == 0
    assert (shell.folder / "restored/mine.txt").read_text() == "another file of that name"


def test_a_file_that_cannot_be_backed_up_fails_the_demo_by_name(shell: Any) -> None:
    shell.write("data/clients/client1/Files/good.txt", "good")
    path = shell.folder / "data/clients/client1/Files/bad:name.txt"
    try:
        path.write_text("bad")
    except OSError:
        pytest.skip("this system does not take such a name")
    ran = shell("demo")
    assert ran.status == 1
    assert "bad:name.txt" in ran.err and ran.out.splitlines()[-1].startswith("NOT verified: 1 of 2 files")
