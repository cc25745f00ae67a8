"""The parts as programs: a wrong option ends with status 2 and one line that says what is wrong, never with a traceback."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable

import psutil
import pytest

from rpclab.cluster.local import LocalCluster
from rpclab.secret import new_secret

ROLES = ["rpclab.manager", "rpclab.server", "rpclab.client"]


@pytest.fixture
def run(tmp_path: pathlib.Path) -> Callable[..., tuple[int, str]]:
    """Run a part with its own secret and data folder; returns its exit status and what it wrote to standard error."""
    new_secret(tmp_path / "secret")

    def part(module: str, *options: str, text: str = "") -> tuple[int, str]:
        environment = {
            **os.environ,
            "RPCLAB_SECRET_FILE": str(tmp_path / "secret"),
            "RPCLAB_DATA": str(tmp_path / "data"),
        }
        done = subprocess.run(
            [sys.executable, "-m", module, *options],
            input=text,
            capture_output=True,
            text=True,
            env=environment,
            timeout=30,
            check=False,
        )
        return done.returncode, done.stderr

    return part


def is_one_line(status: int, said: str, expected: int = 2) -> bool:
    return status == expected and said.endswith("\n") and said.count("\n") == 1 and "Traceback" not in said


@pytest.mark.parametrize("module", ROLES)
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--nonsense"], "--nonsense"),
        (["--port", "70000"], "70000"),
        (["--port", "-1"], "-1"),
        (["--port", "http"], "http"),
        (["--seed", "dice"], "dice"),
        (["--secret-file", "/nowhere/secret"], "/nowhere/secret"),
        (["--node", "../up"], "up"),
        (["--node", ""], "name"),
    ],
)
def test_a_wrong_option_is_one_line(run: Callable, module: str, options: list[str], reason: str) -> None:
    status, said = run(module, *options)
    assert is_one_line(status, said) and reason in said, said


@pytest.mark.parametrize(
    ("module", "options", "reason"),
    [
        ("rpclab.manager", ["--placement", "best"], "fewest-bytes"),
        ("rpclab.manager", ["--placement-file", "/nowhere"], "/nowhere"),
        ("rpclab.manager", ["--replicas", "0"], "at least one copy"),
        ("rpclab.manager", ["--replication", "sideways"], "pipeline"),
        ("rpclab.manager", ["--acknowledge", "nobody"], "primary"),
        ("rpclab.server", ["--manager", "127.0.0.1:99999"], "99999"),
        ("rpclab.server", ["--quota-bytes", "much"], "much"),
        ("rpclab.server", ["0x1"], "0x1"),
        ("rpclab.client", ["--wire", "smoke"], "smoke"),
        ("rpclab.client", ["--manager", "127.0.0.1:port"], "port"),
    ],
)
def test_a_wrong_value_is_one_line(run: Callable, module: str, options: list[str], reason: str) -> None:
    status, said = run(module, *options)
    assert is_one_line(status, said) and reason in said, said


@pytest.mark.parametrize("module", ["rpclab.manager", "rpclab.server"])
@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "127.0.0.1.example.com", "localhost.example.com", "::"])
def test_an_address_that_others_can_reach_needs_the_word_insecure(run: Callable, module: str, host: str) -> None:
    status, said = run(module, "--host", host, "--port", "0")
    assert is_one_line(status, said) and "--insecure" in said


def test_an_address_that_is_not_here_is_one_line(run: Callable) -> None:
    status, said = run("rpclab.manager", "--host", "192.0.2.1", "--insecure", "--port", "0")
    assert is_one_line(status, said) and "192.0.2.1" in said


@pytest.mark.parametrize("module", ROLES)
def test_help_is_for_people(run: Callable, module: str) -> None:
    assert run(module, "--help") == (0, "")


def test_a_port_in_use_is_one_line(run: Callable, shared_cluster: LocalCluster) -> None:
    port = shared_cluster.addresses["manager"][1]
    status, said = run("rpclab.manager", "--port", str(port))
    assert is_one_line(status, said, 1) and f"port {port}" in said and "in use" in said


def test_a_folder_in_use_or_in_the_way_is_one_line(
    run: Callable, shared_cluster: LocalCluster, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "file").touch()
    for folder, reason in (
        (shared_cluster.data / "servers/server1", "another running node"),
        (tmp_path / "file", "folder"),
    ):
        status, said = run("rpclab.server", "--port", "0", "--folder", str(folder))
        assert is_one_line(status, said, 1) and reason in said


def test_a_secret_that_others_can_read_or_that_is_none_is_refused(run: Callable, tmp_path: pathlib.Path) -> None:
    (tmp_path / "secret").chmod(0o644)
    status, said = run("rpclab.manager", "--port", "0")
    assert is_one_line(status, said) and "chmod 600" in said
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "secret").write_text("no secret")
    status, said = run("rpclab.manager", "--port", "0")
    assert is_one_line(status, said) and "64 hexadecimal digits" in said


def test_a_client_without_a_manager_says_so(run: Callable) -> None:
    status, said = run("rpclab.client", "--manager", "127.0.0.1:1")
    assert is_one_line(status, said, 1) and "127.0.0.1:1" in said


def test_the_conversation_is_the_descriptions(
    run: Callable, shared_cluster: LocalCluster, tmp_path: pathlib.Path
) -> None:
    files = tmp_path / "data/clients/client1/Files"
    files.mkdir(parents=True)
    (files / "notes.txt").write_text("hello")
    secret = ["--secret-file", str(shared_cluster.secret_file)]
    manager = ["--manager", f"127.0.0.1:{shared_cluster.addresses['manager'][1]}"]
    log = ["--log", str(shared_cluster.folder / "events/client1.jsonl")]
    status, said = run("rpclab.client", "1", *secret, *manager, *log, text="wrong.txt\nnotes.txt\n\n")
    assert (status, said) == (0, "")
    with shared_cluster.connect("looking-on") as session:
        assert [each.file.name for each in session.list_files("client1")] == ["notes.txt"]


def test_the_secret_is_made_once_for_all_parts_of_a_user(tmp_path: pathlib.Path) -> None:
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path)}
    environment.pop("RPCLAB_SECRET_FILE", None)
    code = "from rpclab.secret import load_secret; print(load_secret().hex())"
    many = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(4)
    ]
    secrets = {child.communicate(timeout=30)[0] for child in many}
    assert len(secrets) == 1 and len(secrets.pop().strip()) == 64
    assert not psutil.Process().children() or all(child.returncode == 0 for child in many)
