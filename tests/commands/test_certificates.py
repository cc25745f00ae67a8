"""`rpclab certificates`, and the commands with a cluster that asks for them."""

from __future__ import annotations

import datetime
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest
from cryptography import x509

from rpclab.certificates import certificates_of, made_if_missing
from rpclab.errors import UsageError
from rpclab.text import cells


def valid_days(path: pathlib.Path) -> float:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return (certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)) / datetime.timedelta(days=1)


def test_an_authority_and_a_certificate_for_each_node_are_made(shell: Any) -> None:
    ran = shell("certificates", "keys", "manager", "server1", "ann", "server:attic")
    assert ran.status == 0 and ran.err == ""
    assert all(cells(line) <= 80 for line in ran.out.splitlines())
    assert "A new authority is in keys/ca.pem" in ran.out.replace("\\", "/")
    keys = shell.folder / "keys"
    nodes = {"manager": "manager", "server1": "server", "ann": "client", "attic": "server"}
    assert {path.name for path in keys.iterdir()} == {
        f"{each}.{end}" for each in ["ca", *nodes] for end in ("pem", "key")
    }
    for node, role in nodes.items():
        certificates_of(keys, node, role)  # type: ignore[arg-type]
        assert any(line.split()[:2] == [node, role] for line in ran.out.splitlines())
    if os.name == "posix":
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in keys.glob("*.key"))
        assert keys.stat().st_mode & 0o777 == 0o700


def test_nodes_are_added_later_by_the_same_authority(shell: Any) -> None:
    assert shell("certificates", "keys", "manager").status == 0
    authority = (shell.folder / "keys" / "ca.pem").read_bytes()
    ran = shell("certificates", "keys", "server1", "--days", "3", "--json")
    assert ran.document["authority"]["made"] is False
    assert [each["node"] for each in ran.document["certificates"]] == ["server1"]
    assert (shell.folder / "keys" / "ca.pem").read_bytes() == authority
    certificates_of(shell.folder / "keys", "server1", "server")
    assert 2.9 < valid_days(shell.folder / "keys" / "server1.pem") <= 3
    assert 364 < valid_days(shell.folder / "keys" / "manager.pem") <= 365


def test_nothing_is_overwritten_and_then_nothing_is_made(shell: Any) -> None:
    shell("certificates", "keys", "server1")
    before = {path: path.read_bytes() for path in (shell.folder / "keys").iterdir()}
    ran = shell("certificates", "keys", "server2", "server1")
    assert ran.status == 2 and "server1.pem exists already" in ran.err and "remove" in ran.err
    assert {path: path.read_bytes() for path in (shell.folder / "keys").iterdir()} == before


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([], "Missing argument"),
        (["../up"], "up"),
        (["boss:x"], "is no role; choose manager, server, client"),
        (["CA"], "the authority's name"),
        (["x", "X"], "named twice"),
        (["server:"], "empty"),
    ],
)
def test_wrong_nodes_are_one_line_and_nothing_is_made(shell: Any, nodes: list[str], reason: str) -> None:
    ran = shell("certificates", "keys", *nodes)
    assert ran.status == 2 and reason in ran.err and ran.err.count("\n") == 1
    assert not (shell.folder / "keys").exists()


@pytest.mark.parametrize("lost", ["ca.key", "ca.pem"])
def test_half_an_authority_is_not_made_whole_by_a_new_one(shell: Any, lost: str) -> None:
    shell("certificates", "keys", "manager")
    (shell.folder / "keys" / lost).unlink()
    ran = shell("certificates", "keys", "server1")
    assert ran.status == 2 and f"{lost} is missing" in ran.err
    assert not (shell.folder / "keys" / "server1.pem").exists()


def test_a_folder_that_cannot_be_made_is_one_line(shell: Any) -> None:
    shell.write("file")
    ran = shell("certificates", "file/keys", "manager")
    assert ran.status == 1 and "cannot be made" in ran.err and ran.err.count("\n") == 1


def test_without_the_package_the_error_says_which(shell: Any) -> None:
    shell.write("without/cryptography.py", 'raise ModuleNotFoundError("no", name="cryptography")')
    command = shell.command("certificates", "keys", "manager")
    path = os.pathsep.join([str(shell.folder / "without"), *filter(None, sys.path)])
    done = subprocess.run(
        command, cwd=shell.folder, env={**shell.environment, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 2 and "pip install cryptography" in done.stderr and done.stderr.count("\n") == 1


def test_a_certificate_of_somebody_else_or_out_of_its_time_is_found_before_a_node_starts(keys: pathlib.Path) -> None:
    with pytest.raises(UsageError, match="is the certificate of client/mallory, not of server/mallory"):
        certificates_of(keys, "mallory", "server")
    assert made_if_missing(keys, "late", "client") == made_if_missing(keys, "late", "client")
    with pytest.raises(UsageError, match="is the certificate of client/late, not of manager/late"):
        made_if_missing(keys, "late", "manager")


def test_a_cluster_with_tls_is_used_as_any_other(shell: Any) -> None:
    shell.write("notes.txt", b"hello " * 50_000)
    ran = shell("up", "--ports", "free", "--servers", "2", "--clients", "0", "--tls", "--json")
    assert ran.status == 0 and ran.document["ok"], ran.err
    assert shell("backup", "notes.txt").status == 0
    assert shell("verify", "--all").status == 0
    ran = shell("restore", "notes.txt", "--to", "back")
    assert ran.status == 0 and (shell.folder / "back" / "notes.txt").read_bytes() == b"hello " * 50_000
    manager = next(part["address"] for part in shell("status", "--json").document["parts"] if part["part"] == "manager")
    run = shell.folder / "data" / "runs" / "rpclab"
    plain = ("ls", "--manager", manager, "--secret-file", run / "secret")
    ran = shell(*plain)
    assert ran.status == 3 and "start both nodes with --certificates" in ran.err
    assert shell(*plain, "--certificates", run / "certificates").status == 0


def test_another_machine_is_not_spoken_to_in_the_clear(shell: Any) -> None:
    shell.write("secret", "ab" * 32).chmod(0o600)
    ran = shell("ls", "--manager", "192.0.2.1:65432", "--secret-file", "secret")
    assert ran.status == 2 and "192.0.2.1 is not on this machine" in ran.err and "--insecure" in ran.err
