"""Every command, its exit status, its JSON, its 80 columns, and what it says when something is wrong."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from rpclab.commands.program import run
from rpclab.text import cells

NOBODY_LISTENS = "127.0.0.1:1"
posix_only = pytest.mark.skipif(os.name != "posix", reason="signals and terminals as POSIX has them")


def at_most_80_columns(text: str) -> bool:
    return all(cells(line) <= 80 for line in text.splitlines())


# ---- no cluster, wrong usage


@pytest.mark.parametrize(
    "command", [("status",), ("backup", "notes.txt"), ("restore",), ("ls",), ("verify", "--all"), ("rm", "notes.txt")]
)
def test_without_a_cluster_every_command_says_so_and_how_to_start_one(shell: Any, command: tuple[str, ...]) -> None:
    shell.write("notes.txt")
    ran = shell(*command, "--json")
    assert ran.status == 3
    assert ran.err.startswith("rpclab: no cluster runs in") and "rpclab up" in ran.err and ran.err.count("\n") == 1
    assert "started by hand" in ran.err and "--manager HOST:PORT" in ran.err
    assert ran.document["ok"] is False and ran.document["exit"] == 3 and ran.document["error"]["type"] == "NotRunning"


def test_down_without_a_cluster_is_no_error(shell: Any) -> None:
    ran = shell("down")
    assert ran.status == 0 and "no cluster runs" in ran.out
    assert shell("down", "--json").document == {"ok": True, "exit": 0, "stopped": []}


@pytest.mark.parametrize(
    "command",
    [
        ("backup", "--nonsense"),
        ("backup",),
        ("nonsense",),
        ("up", "--replicas", "0"),
        ("up", "--placement", "best"),
        ("verify",),
        ("restore", "--all", "notes.txt"),
        ("status", "--manager", "host:port"),
        ("ls", "--name", "../elsewhere"),
    ],
)
def test_wrong_usage_is_status_2_and_one_line(shell: Any, command: tuple[str, ...]) -> None:
    ran = shell(*command, "--json")
    assert ran.status == 2, ran
    assert ran.err.startswith("rpclab: ") and ran.err.count("\n") == 1
    assert ran.document["exit"] == 2


def test_help_fits_80_columns_and_tells_the_exit_statuses(shell: Any) -> None:
    ran = shell()
    assert ran.status == 0 and at_most_80_columns(ran.out)
    for status in ("0", "1", "2", "3", "4", "130"):
        assert f"  {status}  " in ran.out
    for command in ("up", "status", "down", "backup", "restore", "ls", "verify", "rm", "demo"):
        assert f"\n  {command} " in ran.out


def test_a_manager_that_does_not_answer_is_status_3(shell: Any) -> None:
    secret = shell.write("secret", "ab" * 32)
    secret.chmod(0o600)
    ran = shell("ls", "--manager", NOBODY_LISTENS, "--secret-file", "secret")
    assert ran.status == 3 and "rpclab status" in ran.err


# ---- the cluster's life


def test_up_shows_the_parts_and_status_agrees(running: Any) -> None:
    ran = running("status")
    assert ran.status == 0 and at_most_80_columns("\n".join(ran.out.splitlines()[1:]))
    document = running("status", "--json").document
    parts = {part["part"]: part for part in document["parts"]}
    assert list(parts) == ["manager", "server1", "server2", "server3", "client1", "client2"]
    assert all(part["state"] == "running" and psutil.pid_exists(part["process"]) for part in parts.values())
    assert document["settings"]["replicas"] == 2
    assert all(parts[server]["address"] in ran.out for server in ("server1", "server2", "server3"))


def test_up_again_is_a_clear_error_and_changes_nothing(running: Any) -> None:
    before = running("status", "--json").document["parts"]
    for name in ("rpclab", "other"):
        ran = running("up", "--name", name)
        assert ran.status == 1 and "already running" in ran.err and "rpclab down" in ran.err
    assert [part["process"] for part in running("status", "--json").document["parts"]] == [
        part["process"] for part in before
    ]


def test_up_that_cannot_start_shows_the_part_s_own_error_and_leaves_nothing(shell: Any, default_ports: None) -> None:
    with socket.socket() as taken:
        try:
            taken.bind(("127.0.0.1", 65432))
            taken.listen()
        except OSError:
            pass  # somebody else has it: as good
        ran = shell("up")
    assert ran.status == 1
    assert "manager ended with exit status" in ran.err and "65432" in ran.err and "--ports free" in ran.err
    assert shell("status").status == 3


def test_up_on_a_data_folder_that_cannot_be_is_a_clear_error(shell: Any) -> None:
    shell.write("a-file")
    ran = shell("up", "--data", "a-file/data", "--ports", "free")
    assert ran.status == 1 and "a-file" in ran.err


def test_a_killed_keeper_takes_its_cluster_with_it(shell: Any, eventually: Callable[..., None]) -> None:
    options = ("--ports", "free", "--servers", "1", "--clients", "0", "--replicas", "1")
    assert shell("up", *options).status == 0
    record = json.loads((shell.folder / "data/runs/rpclab/cluster.json").read_text())
    processes = [psutil.Process(int(each["pid"])) for each in record["processes"].values()]
    assert len(processes) == 2
    psutil.Process(int(record["owner"]["pid"])).kill()
    eventually(lambda: not any(_runs(process) for process in processes), what="the end of the keeper's children")
    assert shell("status").status == 3
    assert shell("down").status == 0
    shell.write("notes.txt")
    assert shell("up", *options).status == 0
    assert shell("backup", "notes.txt").status == 0
    ended = shell("down", "--json").document["stopped"]
    assert ended == ["manager", "server1"]
    assert not (shell.folder / "data/runs/rpclab/cluster.json").exists()


@pytest.mark.parametrize("removed", ["data", "data/runs/rpclab/cluster.json"])
def test_a_cluster_whose_data_or_record_is_removed_ends(
    shell: Any, removed: str, eventually: Callable[..., None]
) -> None:
    assert shell("up", "--ports", "free", "--servers", "1", "--clients", "0", "--replicas", "1").status == 0
    record = json.loads((shell.folder / "data/runs/rpclab/cluster.json").read_text())
    processes = [psutil.Process(int(each["pid"])) for each in [record["owner"], *record["processes"].values()]]
    gone = shell.folder / removed
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    try:
        eventually(lambda: not any(map(_runs, processes)), what="the end of the keeper and its parts")
    finally:
        processes[0].kill() if _runs(processes[0]) else None
    assert shell("down").status == 0 and not gone.exists()


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def test_down_leaves_a_notebook_s_cluster_alone(start_cluster: Callable[..., Any], shell: Any) -> None:
    cluster = start_cluster(servers=1, replicas=1, data=shell.folder / "data")
    ran = shell("down")
    assert ran.status == 1 and "cluster.stop()" in ran.err
    assert cluster.state("manager") == "running"
    cluster.kill("server1")
    ran = shell("status", "--json")
    assert ran.status == 1
    assert [part["state"] for part in ran.document["parts"]] == ["running", "stopped"]
    cluster.stop()


# ---- files


def test_a_folder_goes_and_comes_back_with_its_tree(running: Any) -> None:
    names = ["sea.txt", "2024/Übersicht-日本.txt", "2024/deep/[bold]red.bin", "empty"]
    for number, name in enumerate(names):
        running.write(f"photos/{name}", os.urandom(100_000) if number else b"")
    ran = running("backup", "photos", "--as", "tree", "--json")
    assert ran.status == 0 and ran.err == ""
    files = {file["name"]: file for file in ran.document["files"]}
    assert set(files) == {f"photos/{name}" for name in names}
    assert all(len(file["servers"]) == 2 and file["state"] == "stored" for file in files.values())

    listed = running("ls", "--client", "tree")
    assert listed.status == 0 and at_most_80_columns(listed.out) and "Übersicht-日本.txt" in listed.out
    assert "[bold]red.bin" in listed.out
    stored = running("ls", "--client", "tree", "--json").document["files"]
    assert {file["name"]: file["digest"] for file in stored} == {name: files[name]["digest"] for name in files}

    assert running("restore", "--client", "tree", "--to", "back").status == 0
    for name in names:
        assert (running.folder / "back/photos" / name).read_bytes() == (running.folder / "photos" / name).read_bytes()


def test_contents_leaves_the_folder_s_name_out_and_a_named_folder_is_restored_alone(running: Any) -> None:
    running.write("site/css/a.css", "a")
    running.write("site/index.html", "b")
    assert running("backup", "site", "--contents", "--as", "web").status == 0
    ran = running("restore", "css", "--client", "web", "--to", "web-back", "--json")
    assert [file["name"] for file in ran.document["files"]] == ["css/a.css"]
    assert sorted(path.name for path in (running.folder / "web-back").rglob("*")) == ["a.css", "css"]


def test_all_restores_every_client_into_a_folder_of_its_own(running: Any) -> None:
    for client in ("anna", "ben"):
        running.write("same.txt", f"I am {client}")
        assert running("backup", "same.txt", "--as", client).status == 0
    assert running("restore", "--all", "--to", "everybody").status == 0
    for client in ("anna", "ben"):
        assert (running.folder / "everybody" / client / "same.txt").read_text() == f"I am {client}"


def test_two_paths_of_one_name_and_a_missing_path_back_nothing_up(running: Any) -> None:
    running.write("one/x.txt", "1")
    running.write("two/x.txt", "2")
    ran = running("backup", "one/x.txt", "two/x.txt", "--as", "clash")
    assert ran.status == 2 and "x.txt" in ran.err
    ran = running("backup", "one/x.txt", "missing.txt", "--as", "clash")
    assert ran.status == 1 and "missing.txt" in ran.err and "nothing was backed up" in ran.err
    assert running("ls", "--client", "clash", "--json").document["files"] == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the disk itself takes them for one name")
@pytest.mark.parametrize("names", [("caf\u00e9.txt", "cafe\u0301.txt"), ("A.txt", "a.txt")])
def test_two_names_that_are_one_on_some_systems_are_refused_by_both_names(running: Any, names: tuple[str, str]) -> None:
    folder = running.folder / f"alike-{len(names[1])}"
    for name in names:
        running.write(f"{folder.name}/{name}", f"the file {name!a}")
    ran = running("backup", folder.name, "--as", "alike")
    assert ran.status == 2 and all(ascii(f"{folder.name}/{name}") in ran.err for name in names)
    assert running("ls", "--client", "alike", "--json").document["files"] == []
    assert running("backup", folder / names[0], folder / names[0], "--as", "alike-twice").status == 0


def test_what_vanishes_while_a_folder_is_listed_fails_alone(
    running: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.txt", "b.txt", "c.txt", "folder/d.txt"):
        running.write(f"busy/{name}")
    top, walk = running.folder / "busy", os.walk

    def walk_while_somebody_removes(*arguments: Any, **options: Any) -> Iterator[Any]:
        for found in walk(*arguments, **options):
            (top / "b.txt").unlink(missing_ok=True)
            shutil.rmtree(top / "folder", ignore_errors=True)
            yield found

    monkeypatch.setattr(os, "walk", walk_while_somebody_removes)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # this process is the tests', not a command's
    status = run(["backup", str(top), "--as", "busy", "--data", str(running.folder / "data"), "--json"])
    said = capsys.readouterr()
    states = {file["name"]: file["state"] for file in json.loads(said.out)["files"]}
    assert status == 1 and "busy/b.txt" in said.err
    assert states == {
        "busy/a.txt": "stored",
        "busy/b.txt": "failed",
        "busy/c.txt": "stored",
        "busy/folder": "failed",
    }


@posix_only
def test_a_refused_name_fails_alone_and_links_are_named(running: Any) -> None:
    running.write("mixed/good.txt")
    running.write("mixed/bad:name.txt")
    (running.folder / "mixed/link").symlink_to("good.txt")
    ran = running("backup", "mixed", "--as", "mixed", "--json")
    assert ran.status == 1
    states = {file["name"]: file["state"] for file in ran.document["files"]}
    assert states == {"mixed/bad:name.txt": "failed", "mixed/good.txt": "stored"}
    assert "bad:name" in ran.err and "mixed/link" in ran.err
    assert [pathlib.Path(path).name for path in ran.document["left_out"]] == ["link"]


@pytest.mark.skipif(sys.platform != "linux", reason="only here a file's name may be no UTF-8")
def test_a_name_that_is_no_utf8_is_refused_in_words_and_json(running: Any) -> None:
    folder = os.fsencode(running.folder) + b"/raw"
    os.makedirs(folder, exist_ok=True)
    with open(folder + b"/caf\xe9.txt", "wb") as file:
        file.write(b"x")
    ran = running("backup", "raw", "--json")
    assert ran.status == 1 and ran.document["files"][0]["state"] == "failed" and "caf" in ran.err
    assert running("backup", "raw").status == 1


def test_fewer_copies_than_wanted_is_status_4_and_the_file_is_stored(running: Any) -> None:
    running.write("many.txt")
    ran = running("backup", "many.txt", "--replicas", "9", "--as", "few", "--json")
    assert ran.status == 4
    (file,) = ran.document["files"]
    assert file["state"] == "too few copies" and len(file["servers"]) == 3 and "3 of 9" in ran.err
    assert running("verify", "many.txt", "--client", "few", "--replicas", "9").status == 4
    assert running("verify", "many.txt", "--client", "few").status == 4
    assert running("verify", "many.txt", "--client", "few", "--replicas", "3").status == 0


def test_a_damaged_copy_is_found_by_verify_and_passed_over_by_restore(running: Any) -> None:
    running.write("precious.txt", "gold" * 1000)
    (file,) = running("backup", "precious.txt", "--as", "owner", "--json").document["files"]
    bad, good = file["servers"]
    copy = running.folder / f"data/servers/{bad}/Backups/owner/precious.txt"
    copy.write_bytes(b"lead" * 1000)
    ran = running("verify", "precious.txt", "--client", "owner", "--json")
    assert ran.status == 1 and ran.document["files"][0]["copies"] == {bad: False, good: True}
    assert bad in ran.err and "damaged" in ran.err
    ran = running("restore", "precious.txt", "--client", "owner", "--to", "rescued", "--json")
    assert ran.status == 0 and len(ran.document["files"][0]["servers"]) == 1
    assert (running.folder / "rescued/precious.txt").read_text() == "gold" * 1000
    assert running("rm", "precious.txt", "--client", "owner").status == 0


def test_a_wrong_name_is_an_error_that_suggests_the_right_one(running: Any) -> None:
    running.write("harbour.txt")
    assert running("backup", "harbour.txt", "--as", "names").status == 0
    for command in ("restore", "verify", "rm"):
        ran = running(command, "harbor.txt", "--client", "names")
        assert ran.status == 1 and "did you mean 'harbour.txt'?" in ran.err
    assert not (running.folder / "restored").exists()


def test_rm_takes_a_folder_only_when_told_to(running: Any) -> None:
    for name in ("a", "b"):
        running.write(f"old/{name}", name)
    assert running("backup", "old", "--as", "tidy").status == 0
    ran = running("rm", "old", "--client", "tidy")
    assert ran.status == 2 and "--recursive" in ran.err
    assert len(running("ls", "--client", "tidy", "--json").document["files"]) == 2
    ran = running("rm", "-r", "old", "--client", "tidy", "--json")
    assert ran.status == 0 and [file["state"] for file in ran.document["files"]] == ["removed", "removed"]
    assert running("ls", "--client", "tidy", "--json").document["files"] == []


def test_the_manager_s_address_and_the_secret_are_enough_from_anywhere(running: Any, shell: Any) -> None:
    address = running("status", "--json").document["parts"][0]["address"]
    reach = ("--manager", address, "--secret-file", running.folder / "data/runs/rpclab/secret")
    shell.write("far.txt", "far away")
    assert shell("backup", "far.txt", "--as", "remote", *reach).status == 0
    assert shell("restore", "--client", "remote", "--to", "back", *reach).status == 0
    assert (shell.folder / "back/far.txt").read_text() == "far away"
    assert shell("status", *reach).status == 0
    strange = shell.write("strange", "cd" * 32)
    strange.chmod(0o600)
    ran = shell("ls", "--manager", address, "--secret-file", "strange")
    assert ran.status == 3 and "--secret-file" in ran.err


def test_backups_from_the_command_line_are_in_the_cluster_s_pictures(running: Any) -> None:
    from rpclab.study.history import History
    from rpclab.study.measures import traffic

    running.write("seen.txt", "x" * 5000)
    assert running("backup", "seen.txt").status == 0  # as client1, of which a process runs
    history = History.read(running.folder / "data/runs/rpclab/events")
    assert "client1/seen.txt" in history.files()
    assert any(
        sender.startswith("client1-") and size >= 5000
        for (sender, _), size in traffic(history).by_kind["original"].items()
    )


# ---- a person at a terminal


@pytest.fixture(scope="module")
def many(running: Any) -> int:
    """So many small files that backing them up takes over half a second."""
    for number in range(300):
        running.write(f"many/{number:03}.txt", f"{number}" * 300)
    return 300


def _start(running: Any, *arguments: object, **streams: Any) -> subprocess.Popen[bytes]:
    def interruptible() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job ignores it

    return subprocess.Popen(
        running.command(*arguments),
        cwd=running.folder,
        env={**running.environment, "PYTHONWARNINGS": "ignore"},  # a signal may come between a socket and its `with`
        stdin=subprocess.DEVNULL,
        preexec_fn=interruptible,
        **streams,
    )


@posix_only
def test_progress_is_shown_on_a_terminal_and_goes_away(running: Any, many: int) -> None:
    import pty

    ours, theirs = pty.openpty()
    process = _start(running, "backup", "many", "--as", "shown", stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 65536):
            seen += piece
    except OSError:
        pass  # how Linux says that the other end is closed
    os.close(ours)
    assert process.wait(60) == 0
    assert b"backing up" in seen and b"%|" in seen
    assert seen.rstrip(b" \r").endswith(b"\r") or seen.endswith(b"\r")
    assert len(running("ls", "--client", "shown", "--json").document["files"]) == many


@posix_only
def test_an_interrupted_backup_leaves_whole_files_only(
    running: Any, many: int, eventually: Callable[..., None]
) -> None:
    process = _start(running, "backup", "many", "--as", "hasty", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    stored = running.folder / "data/servers"
    eventually(lambda: list(stored.glob("*/Backups/hasty/many/*")), what="the first stored file")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and b"Traceback" not in said and b"interrupted after" in said
    found = running("ls", "--client", "hasty", "--json").document["files"]
    assert 0 < len(found) < many
    for file in found[-2:]:
        assert running("verify", file["name"], "--client", "hasty", "--replicas", "1").status == 0


@posix_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_restore_leaves_no_half_file(
    running: Any, many: int, number: signal.Signals, eventually: Callable[..., None]
) -> None:
    assert running("backup", "many").status == 0
    target = running.folder / f"half-{number.name}"
    process = _start(running, "restore", "many", "--to", target, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    eventually(lambda: list(target.glob("many/*.txt")), what="the first restored file")
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else 143) and b"Traceback" not in said
    left = [path for path in target.rglob("*") if path.is_file()]
    assert 0 < len(left) < many
    for path in left:
        assert path.read_bytes() == (running.folder / "many" / path.name).read_bytes()
