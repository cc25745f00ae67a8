"""A whole cluster with TLS: backups, restores, kills and restarts, on this machine and between machines."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from rpclab import authority
from rpclab.client.session import Client
from rpclab.cluster.local import LocalCluster
from rpclab.errors import HandshakeError, UsageError
from rpclab.rpc.handshake import Identity
from rpclab.secret import load_secret, new_secret
from rpclab.world.real import RealWorld


def restored(session: Client, name: str, folder: pathlib.Path) -> bytes:
    return pathlib.Path(session.restore(name, str(folder)).path).read_bytes()


# ---- on this machine


@pytest.mark.parametrize("replication", ["after", "pipeline"])
def test_backup_kill_restore_and_restart_work_with_tls(
    replication: str,
    start_cluster: Callable[..., LocalCluster],
    make_file: Callable[..., pathlib.Path],
    eventually: Callable[..., None],
    tmp_path: pathlib.Path,
) -> None:
    cluster = start_cluster(clients=1, tls=True, replication=replication)
    assert "tls: True" in repr(cluster)
    assert all("--certificates" in psutil.Process(pid).cmdline() for pid in cluster.processes().values())
    contents = os.urandom(3_000_000)
    with cluster.connect("ann") as session:
        receipt = session.backup(make_file("a", contents))
        assert receipt.copies == 2
        assert restored(session, "a", tmp_path / "one") == contents
        cluster.kill(receipt.servers[0])
        assert restored(session, "a", tmp_path / "two") == contents
        cluster.restart(receipt.servers[0])
        cluster.restart("manager")
        eventually(lambda: len(list(session.list_servers())) == 3)
        assert session.backup(make_file("b", contents)).copies == 2
    client = cluster.clients["client1"]
    client.folder.mkdir(parents=True, exist_ok=True)
    (client.folder / "c").write_bytes(contents)
    assert client.backup("c").copies == 2


def test_a_stranger_with_the_secret_and_no_certificate_is_refused_by_every_part(
    start_cluster: Callable[..., LocalCluster], eventually: Callable[..., None]
) -> None:
    cluster = start_cluster(servers=1, clients=1, tls=True)
    stranger = Identity("ann", "client", load_secret(str(cluster.secret_file)))
    for part, address in cluster.addresses.items():
        with pytest.raises(HandshakeError, match="start both nodes with --certificates"):
            Client(RealWorld(), stranger, address).connect()
        eventually(lambda part=part: "does not speak TLS" in cluster.log(part), what=f"{part}'s line")


def test_a_cluster_takes_the_certificates_of_a_folder(
    start_cluster: Callable[..., LocalCluster], tmp_path: pathlib.Path
) -> None:
    keys = tmp_path / "keys"
    authority.make_authority(keys)
    authority.issue(keys, [("manager", "manager"), ("server1", "server"), ("looking", "client")])
    (keys / "ca.key").rename(tmp_path / "ca.key")  # as a person keeps it
    cluster = start_cluster(servers=1, certificates=keys)
    assert [path.name for path in cluster.folder.glob("cert*")] == []
    assert cluster.files() == []
    with pytest.raises(UsageError, match=r"ann\.key cannot be read.*rpclab certificates makes what is missing"):
        cluster.connect("ann")
    cluster.stop()
    with pytest.raises(UsageError, match=r"server2\.key cannot be read"):
        start_cluster(servers=2, certificates=keys)


def test_the_descriptions_wire_and_tls_exclude_one_another(start_cluster: Callable[..., LocalCluster]) -> None:
    with pytest.raises(UsageError, match="knows no certificates"):
        start_cluster(servers=1, tls=True, document_wire=True)
    cluster = start_cluster(servers=1, tls=True)
    with pytest.raises(UsageError, match="knows no certificates"):
        cluster.connect("ann", wire="document")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["rpclab.manager", "--certificates", "/nowhere"], "cannot be read"),
        (["rpclab.manager", "--certificates", "KEYS", "--document-wire"], "knows no certificates"),
        (["rpclab.client", "--certificates", "KEYS", "--wire", "document"], "knows no certificates"),
        (["rpclab.server", "--certificates", "KEYS", "--node", "mallory"], "certificate of client/mallory, not of server"),
        (["rpclab.server", "--manager", "192.0.2.1:65432", "--port", "0"], "not encrypted: give --certificates"),
    ],
)  # fmt: skip
def test_a_part_that_cannot_use_its_certificates_ends_with_one_line(
    options: list[str], reason: str, keys: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    command = [sys.executable, "-m", *(str(keys) if each == "KEYS" else each for each in options)]
    environment = {**os.environ, "RPCLAB_SECRET_FILE": new_secret(tmp_path / "secret"), "RPCLAB_DATA": str(tmp_path)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 2 and reason in done.stderr and done.stderr.count("\n") == 1, done.stderr


# ---- between machines: network namespaces, each with an address of its own

NODES = {"manager": "10.213.77.1", "server1": "10.213.77.2", "server2": "10.213.77.3", "ann": "10.213.77.4"}
SNIFF = """
import socket, sys
listening = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
listening.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
with open(sys.argv[1], "wb") as file:
    print("listening", flush=True)
    while True:
        file.write(listening.recv(1 << 20))
        file.flush()
"""


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture
def machines() -> Iterator[dict[str, str]]:
    """A network namespace for each node, joined by a switch in one more; by node, the namespace."""
    if shutil.which("ip") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("network namespaces can be made by root on Linux only")
    tag = f"rl{os.getpid() % 100_000}"
    switch, spaces = f"{tag}-switch", {node: f"{tag}-{node}" for node in NODES}
    with contextlib.ExitStack() as stack:
        try:
            for space in (switch, *spaces.values()):
                ip("netns", "add", space)
                stack.callback(ip, "netns", "del", space)
                ip("-n", space, "link", "set", "lo", "up")
            ip("-n", switch, "link", "add", "br0", "type", "bridge")
            ip("-n", switch, "link", "set", "br0", "up")
            for number, (node, space) in enumerate(spaces.items()):
                ip("-n", space, "link", "add", "eth0", "type", "veth", "peer", "name", f"port{number}", "netns", switch)
                ip("-n", switch, "link", "set", f"port{number}", "master", "br0", "up")
                ip("-n", space, "addr", "add", f"{NODES[node]}/24", "dev", "eth0")
                ip("-n", space, "link", "set", "eth0", "up")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"this machine does not let root make network namespaces: {error.stderr.decode().strip()}")
        yield {**spaces, "switch": switch}


@pytest.fixture
def on(machines: dict[str, str], tmp_path: pathlib.Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a program on a machine; it is ended with the test."""
    secret = new_secret(tmp_path / "secret")
    with contextlib.ExitStack() as stack:

        def start(machine: str, *command: object) -> subprocess.Popen[str]:
            environment = {**os.environ, "RPCLAB_SECRET_FILE": secret, "RPCLAB_DATA": str(tmp_path / "data")}
            process = subprocess.Popen(
                ["ip", "netns", "exec", machines[machine], sys.executable, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=environment,
                cwd=tmp_path,
            )
            stack.enter_context(process)
            stack.callback(process.terminate)
            return process

        yield start


def said(process: subprocess.Popen[str], words: str, within_s: float = 20.0) -> str:
    """Read what a program prints until these words come."""
    until, text = time.monotonic() + within_s, ""
    assert process.stdout is not None
    while words not in text:
        line = process.stdout.readline()
        assert line and time.monotonic() < until, text
        text += line
    return text


@pytest.mark.parametrize("tls", [True, False])
def test_between_machines_nothing_is_read_and_no_stranger_gets_in(
    tls: bool,
    on: Callable[..., subprocess.Popen[str]],
    keys: pathlib.Path,
    tmp_path: pathlib.Path,
    make_file: Callable[..., pathlib.Path],
) -> None:
    if not (keys / "server2.pem").exists():
        authority.issue(keys, [("server2", "server"), ("ann", "client")])
    manager = f"{NODES['manager']}:65432"
    contents = b"nobody on the way may read this. " * 40_000

    def part(node: str, *options: object) -> subprocess.Popen[str]:
        module = "rpclab.manager" if node == "manager" else "rpclab.server"
        numbered = [] if node == "manager" else [node[-1], "--manager", manager]
        return on(node, "-m", module, *numbered, "--host", NODES[node], *options)

    def rpclab(*command: object) -> tuple[int, str]:
        process = on("ann", "-m", "rpclab", *command, "--manager", manager, "--secret-file", "secret")
        return process.wait(30), process.stdout.read() if process.stdout else ""

    refused = part("manager")  # without certificates: not on an address that others reach
    assert "give --certificates" in refused.communicate(timeout=20)[0] and refused.returncode == 2
    listening = on("switch", "-c", SNIFF, tmp_path / "frames")
    said(listening, "listening")
    parts, trust = {}, ["--certificates", keys] if tls else ["--insecure"]
    for node in ("manager", "server1", "server2"):
        parts[node] = part(node, *trust)
        said(parts[node], "ready at")
    path = make_file("private.txt", contents)
    status, text = rpclab("backup", path, "--as", "ann", *trust)
    assert status == 0, text
    status, text = rpclab("restore", "--client", "ann", "--to", "back", *trust)
    assert status == 0 and (tmp_path / "back" / "private.txt").read_bytes() == contents, text
    for stored in tmp_path.glob("data/servers/*/Backups/ann/private.txt"):
        assert stored.read_bytes() == contents
    status, text = rpclab("ls")  # without a word about trust
    assert status == 2 and "not encrypted" in text
    if tls:
        status, text = rpclab("ls", "--insecure")
        assert status == 3 and "It speaks TLS" in text
        assert "does not speak TLS" in said(parts["manager"], "ended the connection")
    frames = (tmp_path / "frames").read_bytes()
    assert len(frames) > len(contents)  # it passed here three times at least, and what was too fast was not seen
    assert (b"nobody on the way" in frames) is (b"private.txt" in frames) is not tls  # --insecure means what it says
