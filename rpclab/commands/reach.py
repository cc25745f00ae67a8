"""How a command finds its cluster: by the record in the run folder below the data folder, or by the manager's address."""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..client.session import Client
from ..cluster.record import Record, load_record, run_folder
from ..config import Address, Limits, address_from_text
from ..errors import ClusterRunning, NameRefused, NotRunning, UsageError
from ..names import check_client
from ..rpc.handshake import Identity
from ..running import data_folder
from ..secret import load_secret
from ..trace import Tracer
from ..world.real import RealWorld

if TYPE_CHECKING:
    from ..world.real_certificates import Certificates

__all__ = ["Reach", "cluster_options", "reach_options", "refuse_shared_data"]


@dataclass(frozen=True, slots=True)
class Reach:
    """Which cluster is meant."""

    data: str
    name: str
    manager: str | None = None
    secret_file: str | None = None
    certificates: str | None = None
    insecure: bool = False

    @property
    def folder(self) -> pathlib.Path:
        """The cluster's run folder: its record, secret, logs and event logs."""
        return run_folder(self.data, self.name)

    def beside(self, ending: str) -> pathlib.Path:
        """A file beside the run folder, which a new cluster's start does not clean away."""
        return self.folder.with_name(f"{self.name}.{ending}")

    def record(self) -> Record:
        """The record of the cluster that runs. Errors: NotRunning."""
        return load_record(self.folder)

    def address(self) -> Address:
        """Where the manager listens. Errors: NotRunning, UsageError."""
        if self.manager is not None:
            try:
                return address_from_text(self.manager)
            except ValueError as error:
                raise UsageError(f"--manager: {error}") from None
        try:
            addresses = self.record().addresses
        except NotRunning as error:
            raise NotRunning(
                f"{error.message}; if its parts were started by hand, say where the manager is: --manager HOST:PORT"
            ) from None
        if "manager" not in addresses:
            raise NotRunning(f"the cluster in {self.folder} is still starting: try again in a moment")
        return addresses["manager"]

    def secret(self) -> bytes:
        """The cluster's secret. Errors: UsageError."""
        chosen = self.secret_file
        if chosen is None and self.manager is None:
            chosen = str(self.folder / "secret")
        return load_secret(chosen)

    @contextlib.contextmanager
    def session(self, client: str, *, traced: bool = False, limits: Limits | None = None) -> Iterator[Client]:
        """A connected client of that name. Errors: NotRunning, ConnectFailed, HandshakeError, UsageError.

        With `traced` it writes an event log of its own into the cluster's, so that its bytes are in the pictures.
        """
        client = _checked(client, "client")
        address, secret = self.address(), self.secret()
        world = RealWorld(certificates=self._certificates(client), loopback_only=not self.insecure)
        tracer = self._tracer(world, client) if traced else Tracer(world, client)
        session = Client(world, Identity(client, "client", secret), address, tracer=tracer, limits=limits)
        try:
            tracer.event("started", detail={"role": "client", "process": os.getpid(), "wall": world.clock.wall()})
            with session.connect():
                yield session
        finally:
            tracer.event("stopped")
            tracer.close()

    def _certificates(self, client: str) -> Certificates | None:
        """The client's certificate, where the cluster speaks TLS; made now if its authority's key is here. Errors: UsageError."""
        folder = self.certificates
        if folder is None and self.manager is None:
            folder = self.record().certificates
        if folder is None:
            return None
        from ..certificates import made_if_missing  # here: TLS takes a moment to load

        return made_if_missing(folder, client, "client")

    def _tracer(self, world: RealWorld, client: str) -> Tracer:
        """A node of its own: a process of the same client may run and write its log."""
        node = f"{client}-{os.getpid()}"
        events = self.folder / "events"
        known = self.manager is None and any(events.glob("manager.jsonl"))
        return Tracer(world, node, world.disk.open_log(str(events / f"{node}.jsonl")) if known else None)


def refuse_shared_data(data: str) -> None:
    """Raise ClusterRunning if a cluster of any name runs on this data folder: two would use the same servers' folders."""
    for folder in sorted(pathlib.Path(data, "runs").glob("*/")):
        with contextlib.suppress(NotRunning):
            record = load_record(folder)
            raise ClusterRunning(
                f"the cluster {folder.name!r} is already running on {data}, started by process "
                f"{record.owner['pid']:.0f}: end it (rpclab down --name {folder.name}, or cluster.stop() in its notebook), "
                "or choose another --data"
            )


def cluster_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--data` and `--name`; the command is given a `Reach` as `reach`."""

    @click.option(
        "--data", metavar="DIR", help="folder with clients/ and servers/ [$RPCLAB_DATA, or data/ here or above]"
    )
    @click.option("--name", metavar="NAME", default="rpclab", help="the cluster's name [rpclab]")
    @functools.wraps(function)
    def command(*args: Any, data: str | None, name: str, **options: Any) -> Any:
        return function(*args, reach=Reach(data_folder(data), _checked(name, "name")), **options)

    return command


def reach_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--data`, `--name` and what says how to reach a manager; the command is given a `Reach` as `reach`."""

    @click.option("--manager", metavar="HOST:PORT", help="the manager's address, instead of --data and --name")
    @click.option(
        "--secret-file", metavar="FILE", help="the cluster's secret [the cluster's own, or yours with --manager]"
    )
    @click.option("--certificates", metavar="FOLDER", help="speak TLS, with the certificates in it [the cluster's own]")
    @click.option("--insecure", is_flag=True, help="go to other machines without certificates: all can be read")
    @functools.wraps(function)
    def command(
        *args: Any,
        reach: Reach,
        manager: str | None,
        secret_file: str | None,
        certificates: str | None,
        insecure: bool,
        **options: Any,
    ) -> Any:
        chosen = Reach(reach.data, reach.name, manager, secret_file, certificates, insecure)
        return function(*args, reach=chosen, **options)

    return cluster_options(command)


def _checked(name: str, option: str) -> str:
    try:
        return check_client(name)
    except NameRefused as error:
        raise UsageError(f"--{option}: {error.message}") from None
