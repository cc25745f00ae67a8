"""Running a part as a process: its world, its sign of readiness, and its end when its parent ends.

This is what the three `__main__.py` share. It is the edge between the roles, which know only a `World`, and the system.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn, Protocol

from .config import Address, Limits, address_from_text
from .errors import NameRefused, RpclabError, StartFailed, UsageError
from .names import check_client
from .options import DATA_VARIABLE
from .own import OURS, Own, own_from
from .rpc.handshake import Identity, Role
from .rpc.listener import WhenBound
from .secret import load_secret
from .trace import Tracer
from .world.real import RealWorld

if TYPE_CHECKING:
    from .staging import Staging
    from .world.real_certificates import Certificates

__all__ = [
    "Node",
    "Running",
    "data_folder",
    "load_own",
    "run",
    "write_whole",
]

_WAIT_FOR_MANAGER_S = 30.0
_POLL_S = 0.005


class Node(Protocol):
    """What runs: a manager, a server or a client's agent."""

    def start(self, address: Address, when_bound: WhenBound = ...) -> Address: ...

    def stop(self, within_s: float = 0.0) -> None: ...


class Running:
    """What every part needs to run: its world, who it is, its event log, where it tells people what it does."""

    def __init__(self, options: argparse.Namespace, node: str, role: Role) -> None:
        _allow_many_sockets()
        self.options = options
        self.identity = Identity(_node_name(node), role, load_secret(options.secret_file), load_own(options.own_file))
        self.world = RealWorld(
            options.seed, certificates=_certificates(options, node, role), loopback_only=not options.insecure
        )
        log = self.world.disk.open_log(options.log) if options.log else None
        self.tracer = Tracer(self.world, node, log)
        self.tracer.texts = options.log_texts
        self.staging = _staging(options.stage, self.world, self.identity, self.tracer) if options.stage else None
        self.show_messages = not options.quiet
        self._stop_asked = threading.Event()
        if options.lifeline:  # a daemon: it may wait for ever on a parent that outlives us
            threading.Thread(target=_wait_for_end, args=(self._stop_asked,), name="lifeline", daemon=True).start()

    def manager_address(self) -> Address:
        """Where the manager is: from `--manager`, or from the file that it writes once it is ready."""
        if not self.options.manager_file:
            try:
                address = address_from_text(self.options.manager)
            except ValueError as error:
                raise UsageError(f"--manager: {error}") from None
            self.world.check_allowed(address)
            return address
        path = self.options.manager_file
        for _ in range(int(_WAIT_FOR_MANAGER_S / _POLL_S)):
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    host, number = json.load(file)["address"]
                return host, number
            if self._stop_asked.wait(_POLL_S):
                raise StartFailed("told to stop before the manager was ready")
        raise StartFailed(f"no manager became ready: {path} did not appear in {_WAIT_FOR_MANAGER_S:.0f} s")

    def say(self, line: str) -> None:
        """Tell people, a line at a time; other threads' lines stay whole."""
        with contextlib.suppress(ValueError, OSError):  # nobody listens any more
            sys.stdout.write(f"{self.identity.node}: {line}\n")
            sys.stdout.flush()

    def serve(self, node: Node, address: Address, **facts: object) -> int:
        """Start the node, say that it is ready, run until told to stop, stop it cleanly. Returns the exit status."""
        stop = self._stop_asked
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), lambda number, frame: stop.set())
        detail = {
            "role": self.identity.role,
            "address": list(address),
            "process": os.getpid(),
            "wall": self.world.clock.wall(),
            **facts,
        }

        def begin(bound: Address) -> None:  # before anybody is served: the log of a life begins with it
            detail["address"] = list(bound)
            self.tracer.event("started", detail=detail)

        real = node.start(address, begin)
        self.say(f"{self.identity.role} ready at {real[0]}:{real[1]}")
        if self.options.ready_file:
            write_whole(self.options.ready_file, json.dumps({"node": self.identity.node, **detail}))
        while not stop.wait(1.0):  # a wait without end could not be interrupted on Windows
            pass
        return self._stop(node)

    def _stop(self, node: Node) -> int:
        limit = Limits().stop_s
        last = threading.Timer(3 * limit, os._exit, [3])  # a thread that never ends must not keep the process
        last.daemon = True
        last.start()
        if self.staging is not None:
            self.staging.close()
        node.stop(limit)
        self.tracer.event("stopped")
        self.tracer.close()
        self.say("stopped")
        last.cancel()
        return 0


def _staging(address: str, world: RealWorld, identity: Identity, tracer: Tracer) -> Staging:
    from .staging import Staging  # here: a node that was started by hand has none

    return Staging(world, identity, tracer, address_from_text(address))


def _allow_many_sockets() -> None:
    """Ask the system for a descriptor for each connection that we may serve, and for a file beside it: unasked it gives a
    process 256 on macOS and mostly 1,024 on Linux."""
    if sys.platform == "win32":
        return  # there is no such limit
    import resource

    wanted = 2 * Limits().connections + 256
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        more = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):  # then it serves fewer, and says so
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))


def _wait_for_end(stop: threading.Event) -> None:
    """The parent holds the other end of our standard input: when it writes there, or ends, however it ends, we stop."""
    with contextlib.suppress(OSError, ValueError):
        os.read(0, 1)  # not sys.stdin, whose lock this thread would hold while Python ends
    stop.set()


def _certificates(options: argparse.Namespace, node: str, role: Role) -> Certificates | None:
    if not options.certificates:
        return None
    if "document" in (getattr(options, "wire", ""), getattr(options, "manager_wire", "")) or getattr(
        options, "document_wire", False
    ):
        raise UsageError("the description's own wire knows no certificates: leave it, or --certificates, out")
    from .certificates import certificates_of  # here: most nodes have none, and TLS counts in a node's start

    return certificates_of(options.certificates, node, role)


def _node_name(node: str) -> str:
    try:
        return check_client(node)
    except NameRefused as error:
        raise UsageError(f"--node: {error}") from None


def run(main: Callable[[Sequence[str]], int], program: str) -> NoReturn:
    """Run a part's `main` and exit with its status: 1 after an error, 2 for a wrong option, and one line that says what."""
    try:
        status = main(sys.argv[1:])
    except RpclabError as error:
        print(f"{program}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        status = 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def data_folder(given: str | os.PathLike[str] | None = None) -> str:
    """The data folder: the given one, $RPCLAB_DATA, or the nearest `data/` with clients in it here or above; else ./data."""
    chosen = given or os.environ.get(DATA_VARIABLE)
    if chosen:
        return os.path.join(os.getcwd(), os.path.expanduser(chosen))
    folder = here = os.getcwd()
    while not os.path.isdir(os.path.join(folder, "data", "clients")):
        folder, before = os.path.dirname(folder), folder
        if folder == before:
            return os.path.join(here, "data")
    return os.path.join(folder, "data")


def load_own(path: str | None) -> Own:
    """The code of somebody's own that a file holds; none without a file. Errors: UsageError."""
    if not path:
        return OURS
    import cloudpickle  # here: most nodes have none

    try:
        with open(path, "rb") as file:
            given = cloudpickle.load(file)
    except Exception as error:  # whatever a pickled class's module does when it is loaded
        raise UsageError(f"the code of your own could not be loaded: {type(error).__name__}: {error}") from None
    return own_from(given)


def write_whole(path: str | os.PathLike[str], text: str) -> None:
    """Write a small file so that a reader sees all of it or nothing."""
    folder, name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f".{name}.{os.getpid()}")
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)
