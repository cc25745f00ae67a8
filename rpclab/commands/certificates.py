"""`rpclab certificates`: what a cluster on a network needs so that nobody else can read, change or join."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

import click

from ..certificates import authority, node_and_role
from ..errors import UsageError
from .output import Exit, Output, json_option

__all__ = ["certificates"]

_HELP = """Make a certificate for each NODE, and the cluster's authority.

The authority (CA) is made in FOLDER the first time, and used again later, to
add nodes. A NODE called manager... or server... gets that role, any other name
is a client's; ROLE:NODE says it outright (server:attic).

\b
  rpclab certificates keys manager server1 server2 client1
  python -m rpclab.server 1 --certificates keys --host 192.168.1.7 ...
"""


@click.command(help=_HELP, short_help="Make the certificates of a cluster with TLS.")
@click.argument("folder", metavar="FOLDER")
@click.argument("nodes", metavar="NODE...", nargs=-1, required=True)
@click.option("--days", type=click.IntRange(1, 3650), default=365, help="how long they are valid [365]")
@json_option
def certificates(out: Output, folder: str, nodes: Sequence[str], days: int) -> int:
    wanted = [node_and_role(text) for text in nodes]
    if len({node.casefold() for node, _ in wanted}) < len(wanted):
        raise UsageError("a node is named twice")
    making = authority()
    try:
        fresh = making.make_authority(folder)
        made = making.issue(folder, wanted, days=days)
    except FileExistsError as error:
        raise UsageError(f"{error.filename} has just been made by somebody else: try again") from None
    ca = os.path.join(folder, "")
    out.document(
        Exit.ALL_HELD,
        authority={"certificate": f"{ca}ca.pem", "key": f"{ca}ca.key", "made": fresh},
        certificates=[
            {
                "node": each.node,
                "role": each.role,
                "certificate": each.files.certificate,
                "key": each.files.key,
                "valid_until": each.valid_until.isoformat(),
            }
            for each in made
        ],
    )
    rows = [[each.node, each.role, f"{each.valid_until:%Y-%m-%d}", pathlib.Path(each.files.key).name] for each in made]
    out.table(["node", "role", "valid until", "key"], rows)
    out.line(f"\n{'A new' if fresh else 'The'} authority is in {ca}ca.pem, its key in {ca}ca.key.")
    out.line("Each node's machine needs ca.pem, NODE.pem and NODE.key; ca.key stays here.")
    return Exit.ALL_HELD
