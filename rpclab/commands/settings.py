"""What `rpclab up` and `rpclab app` may be told of the cluster that they start: LocalCluster's arguments as options."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from ..manager.placement import POLICIES

__all__ = ["settings_options"]


def settings_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options; the command is given each under its argument's name."""

    @click.option("--servers", type=click.IntRange(0), default=3, help="how many servers [3]")
    @click.option("--clients", type=click.IntRange(0), default=2, help="how many clients [2]")
    @click.option("--replicas", type=click.IntRange(1), default=2, help="copies of each file [2]")
    @click.option(
        "--placement", type=click.Choice(list(POLICIES)), default="fewest-bytes", help="how servers are chosen"
    )
    @click.option(
        "--replication", type=click.Choice(["after", "pipeline"]), default="after", help="when to copy [after]"
    )
    @click.option(
        "--acknowledge", type=click.Choice(["all", "primary"]), default="all", help="copies to wait for [all]"
    )
    @click.option("--quota-bytes", type=click.IntRange(0), help="what each server may store [what its disk holds]")
    @click.option("--keep", type=click.IntRange(1), default=5, help="versions of a file that stay [5]")
    @click.option("--dead-s", type=float, default=10.0, help="silence after which a server counts as dead [10]")
    @click.option("--repair/--no-repair", default=True, help="make missing copies anew [yes]")
    @click.option("--document-wire", is_flag=True, help="also serve programs of the description's own wire")
    @click.option(
        "--ports", type=click.Choice(["default", "free"]), default="default", help="65432 and up, or free ones"
    )
    @click.option("--tls", is_flag=True, help="encrypt all that is said, with certificates made for this cluster")
    @click.option("--certificates", metavar="FOLDER", help="encrypt, with certificates that lie there")
    @functools.wraps(function)
    def command(*args: Any, **options: Any) -> Any:
        return function(*args, **options)

    return command
