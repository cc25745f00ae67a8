"""`python -m rpclab.manager`: the manager as a process."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..config import MANAGER_PORT
from ..errors import UsageError
from ..options import parser
from ..running import Running, run
from .placement import POLICIES, Policy, policy_named
from .service import Manager
from .settings import Settings
from .watch import watched

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    options = _options().parse_args(arguments)
    running = Running(options, options.node, "manager")
    policy, name = _policy(options)
    settings = Settings(
        policy=watched(policy, running.world, running.say),
        policy_name=name,
        replicas=options.replicas,
        replication=options.replication,
        acknowledge=options.acknowledge,
        keep=options.keep,
        heartbeat_s=options.heartbeat_s,
        dead_s=options.dead_s,
        safe_s=max(options.safe_s, options.dead_s),
        repair=not options.no_repair,
        repairs=options.repairs,
        repair_bytes_s=options.repair_bytes_s,
        scrub_bytes_s=options.scrub_bytes_s,
        scrub_round_s=options.scrub_round_s,
    )
    manager = Manager(
        running.world,
        running.identity,
        settings=settings,
        tracer=running.tracer,
        document_wire=options.document_wire,
        say=running.say,
        show_messages=running.show_messages,
    )
    if running.staging is not None:
        running.staging.look = manager.look
    port = MANAGER_PORT if options.port is None else options.port
    return running.serve(manager, (options.host, port), settings=manager.get_settings())


def _options() -> argparse.ArgumentParser:
    options = parser("rpclab.manager", "The manager: knows the servers, and says where files go and where they are.")
    options.add_argument("--node", default="manager", help="this node's name (default: manager)")
    options.add_argument("--placement", default="fewest-bytes", help=f"placement policy: {', '.join(POLICIES)}")
    options.add_argument("--placement-file", help="a placement function, stored with cloudpickle")
    options.add_argument("--replicas", type=int, default=2, help="copies of each file (default: 2)")
    options.add_argument(
        "--replication", default="after", help="after (store, then copy) or pipeline (copy while it arrives)"
    )
    options.add_argument("--acknowledge", default="all", help="all (every copy is durable) or primary (the first is)")
    defaults = Settings()
    for name, kind, help in (
        ("keep", int, "versions of a file that stay"),
        ("heartbeat-s", float, "seconds between a server's signs of life; after two without one it is suspected"),
        ("dead-s", float, "seconds of silence after which a server is dead and its files are repaired"),
        ("safe-s", float, "seconds that a fresh manager waits at most for its servers before it repairs"),
        ("repairs", int, "copies that are repaired at once"),
        ("repair-bytes-s", int, "bytes a second that repairs may send in all"),
        ("scrub-bytes-s", int, "bytes a second that each server reads again to find damage; 0: never"),
        ("scrub-round-s", float, "seconds between two rounds of that"),
    ):
        default = getattr(defaults, name.replace("-", "_"))
        options.add_argument(f"--{name}", type=kind, default=default, help=f"{help} (default: {default})")
    options.add_argument("--no-repair", action="store_true", help="make no copies anew and remove none")
    options.add_argument("--document-wire", action="store_true", help="also serve programs of the document's own wire")
    return options


def _policy(options: argparse.Namespace) -> tuple[Policy, str]:
    if not options.placement_file:
        return policy_named(options.placement), options.placement
    import cloudpickle

    try:
        with open(options.placement_file, "rb") as file:
            function = cloudpickle.load(file)
    except Exception as error:  # whatever a pickled function's module does when it is loaded
        raise UsageError(f"the placement function could not be loaded: {type(error).__name__}: {error}") from None
    return function, getattr(function, "__name__", "a function")


if __name__ == "__main__":
    run(main, "rpclab.manager")
